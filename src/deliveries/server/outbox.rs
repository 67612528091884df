//! Writes what the routes come to, in the transaction of the decision. Nothing is sent here.
//!
//! Done once for an outcome: run again, a message whose decision and intent are the same is not sent again along a
//! route whose last delivery for it arrived or is on its way, unless another route told its receiver otherwise since.
//! Where the outcome changed, what was still pending for the one before is called off, and the new one is sent. The
//! decision's row of `emails` is locked by then, so two deciders come one after the other.

use std::time::Duration;

use chrono::{TimeDelta, Utc};

use super::repository::{self, Last, Outcome};
use crate::{
    deliveries::dto::DeliveryStatus,
    emails::server::repository::{self as emails, Standing},
    routes::{
        dto::{Planned, RouteKind},
        server::{
            plan::{self, Sender},
            repository as routes,
        },
    },
    server::{AppState, Result, TenantTx, queue},
    shared::{EmailId, RouteId, TenantId},
};

/// One address is answered at most so often in a day: two machines that take each other for people stop then
/// (RFC 3834, section 2).
const REPLIES_A_DAY: i64 = 20;

/// Writes the deliveries for the message's decision, and sets its labels. They are held back for `hold`, in which the
/// decision can be taken back. `true` where something is to be sent: then the deliveries' bell is to be rung once the
/// transaction is committed.
///
/// # Errors
/// The database's.
pub async fn write(
    app: &AppState,
    tx: &mut TenantTx,
    email: EmailId,
    standing: Standing,
    hold: Duration,
) -> Result<bool> {
    let Some(decision) = standing.decision else { return Ok(false) };
    let intent = standing.intent_name.as_deref();
    let outcome = Outcome { decision, intent_id: standing.intent_id, intent, run: standing.run };
    let mut rows = routes::of_outcome(tx, standing.intent_id, decision).await?;
    if rows.is_empty() && !standing.has_deliveries {
        return Ok(false);
    }
    // Routes before deliveries, as whoever deletes a route has it: so neither waits for the other.
    let ids: Vec<RouteId> = rows.iter().map(|row| row.route_id).collect();
    let kept = routes::keep(tx, &ids, email).await?;
    rows.retain(|row| kept.contains(&row.route_id));
    repository::cancel_outdated(tx, email, Some(outcome), "The message was decided otherwise since").await?;
    let Some(message) = emails::find(tx, email).await? else { return Ok(false) };
    let last = repository::last_of_each(tx, email).await?;
    let token = loop_token(app, tx.tenant());
    let mut planned = plan::plan(&rows, &message, sender(app, &token));
    let mut due = Vec::new();
    for planned in &mut planned {
        let before = last.iter().find(|last| last.route_id == planned.route_id);
        let is_outdated = before.is_some_and(|before| is_contradicted(before, &last, outcome));
        if before.is_some_and(|before| stands(before, outcome, planned, is_outdated)) {
            continue;
        }
        // Who has a forward for this outcome is not sent it again because others did not get it.
        let holds = before.filter(|before| is_for(before, outcome) && !is_outdated);
        let delivered = holds.and_then(|before| before.delivered_to.as_ref());
        if let (Some(delivered), Some(members)) = (delivered, planned.payload.as_object_mut()) {
            members.insert(repository::DELIVERED_TO.to_owned(), delivered.0.clone());
        }
        let withheld = match &planned.withheld {
            Some(reason) => Some(format!("Not sent: {reason}")),
            None if planned.kind == RouteKind::Reply => too_often(tx, &planned.destination).await?,
            None => None,
        };
        let status = match (&withheld, planned.kind) {
            (Some(_), _) => DeliveryStatus::Cancelled,
            (None, RouteKind::Label) => DeliveryStatus::Delivered,
            (None, _) => DeliveryStatus::Pending,
        };
        let id = repository::insert(tx, email, outcome, planned, status, withheld.as_deref()).await?;
        if status == DeliveryStatus::Pending {
            due.push(id);
        }
    }
    let labels: Vec<&str> = planned
        .iter()
        .filter(|planned| planned.kind == RouteKind::Label && planned.withheld.is_none())
        .map(|planned| planned.destination.as_str())
        .collect();
    repository::set_labels(tx, email, &labels).await?;
    if !due.is_empty() {
        queue::enqueue_after(tx, &due, hold).await?;
    }
    Ok(!due.is_empty())
}

/// Who sends for a tenant.
pub fn sender<'a>(app: &'a AppState, loop_token: &'a str) -> Sender<'a> {
    let smtp = app.config.deliveries.smtp.as_ref();
    Sender { loop_token, from: smtp.map(|smtp| smtp.address.as_str()) }
}

/// What marks a tenant's mails as its own. Derived from the installation's key, so nobody else can tell it before
/// they got a mail, and no other tenant's mail bears it.
pub fn loop_token(app: &AppState, tenant: &TenantId) -> String {
    app.vault.derive(&format!("mail-loop|{tenant}"))
}

fn is_for(last: &Last, outcome: Outcome<'_>) -> bool {
    outcome.is(last.decision, last.intent_id, last.intent_name.as_deref())
}

/// Whether a route's last delivery does for this outcome. `is_outdated`: its receiver was told otherwise since.
fn stands(last: &Last, outcome: Outcome<'_>, planned: &Planned, is_outdated: bool) -> bool {
    is_for(last, outcome)
        && match last.status {
            DeliveryStatus::Pending => true,
            DeliveryStatus::Delivered if planned.kind == RouteKind::Label => {
                last.destination == planned.destination
            }
            DeliveryStatus::Delivered => !is_outdated,
            DeliveryStatus::Failed => false,
            // Withheld for the same reason: it is said once.
            DeliveryStatus::Cancelled => planned.withheld.is_some(),
        }
}

/// Whether another route told its receiver of another outcome since. Who was told nothing else knows what holds: what
/// comes in twice may be done twice.
fn is_contradicted(last: &Last, all: &[Last], outcome: Outcome<'_>) -> bool {
    let is_later = |other: &Last| other.delivery_id > last.delivery_id && !is_for(other, outcome);
    all.iter().any(|other| is_later(other) && may_have_told(other) && have_receiver_in_common(last, other))
}

/// Whether anybody has it, as far as can be known: what a worker had when it was called off may have left.
fn may_have_told(last: &Last) -> bool {
    last.kind != RouteKind::Label
        && match last.status {
            DeliveryStatus::Delivered => true,
            DeliveryStatus::Pending | DeliveryStatus::Cancelled => last.attempts > 0,
            DeliveryStatus::Failed => last.delivered_to.is_some(),
        }
}

/// Whether both went to one host, or to one address at least.
fn have_receiver_in_common(one: &Last, other: &Last) -> bool {
    let mut receivers = one.destination.split(", ");
    receivers.any(|to| other.destination.split(", ").any(|other| other.eq_ignore_ascii_case(to)))
}

async fn too_often(tx: &mut TenantTx, address: &str) -> Result<Option<String>> {
    let sent = repository::replies_since(tx, address, Utc::now() - TimeDelta::days(1)).await?;
    Ok((sent >= REPLIES_A_DAY)
        .then(|| format!("Not sent: {address} was answered {sent} times within a day, as machines do")))
}
