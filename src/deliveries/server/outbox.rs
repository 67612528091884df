//! Writes what the routes come to, in the transaction of the decision. Nothing is sent here.
//!
//! Done once for an outcome: run again, a message whose decision and intent are the same is not sent again along a
//! route whose last delivery for it arrived or is on its way, unless another route told its receiver otherwise since.
//! Of a forward's recipients, only those who were told otherwise get it again. Where the outcome changed, what was still
//! pending for the one before is called off, and the new one is sent. The decision's row of `emails` is locked by then, so
//! two deciders come one after the other.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::Value;
use url::Url;

use super::repository::{self, Last, Outcome, WITHHELD};
use crate::{
    deliveries::dto::DeliveryStatus,
    emails::{
        dto::EmailDetail,
        server::{
            address::{self, in_one_form, is_same},
            stored::{self as emails, Standing},
        },
    },
    mailboxes::server::service as mailboxes,
    routes::{
        dto::{Planned, RouteKind},
        server::{
            plan::{self, Returned, Sender},
            reading as routes,
        },
    },
    server::{AppState, Result, TenantTx, aside, queue},
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
    let has_replies = rows.iter().any(|row| row.kind == RouteKind::Reply);
    let inbox = if has_replies { inbox(app, tx, &message).await? } else { None };
    let has_forwards = rows.iter().any(|row| row.kind == RouteKind::Forward);
    let is_sent_on = has_forwards && plan::is_bounce(&message);
    let returned = if is_sent_on { Some(returned(tx, email, &token).await?) } else { None };
    let returned = returned.as_ref().unwrap_or(Returned::NONE);
    let now = repository::moment(tx, email).await?;
    let sender = Sender { inbox: inbox.as_deref(), returned, now, ..sender(app, &token) };
    let mut planned = plan::plan(&rows, &message, sender);
    let mut due = Vec::new();
    for planned in &mut planned {
        let before = last.iter().find(|last| last.route_id == planned.route_id);
        let since = before.map_or_else(Vec::new, |before| told_otherwise_since(before, &last, outcome));
        let is_outdated = before.is_some_and(|before| is_contradicted(before, &since));
        if before.is_some_and(|before| stands(before, outcome, planned, is_outdated)) {
            continue;
        }
        // Who has a forward for this outcome is not sent it again because others do not, or were told otherwise.
        let holds = before.filter(|before| planned.kind == RouteKind::Forward && is_for(before, outcome));
        let delivered = holds.map_or_else(Vec::new, |before| still_have_it(before, &since));
        if let Some(members) = planned.payload.as_object_mut().filter(|_| !delivered.is_empty()) {
            members.insert(repository::DELIVERED_TO.to_owned(), delivered.into());
        }
        let withheld = match &planned.withheld {
            Some(reason) => Some(format!("{WITHHELD} {reason}")),
            None if planned.kind == RouteKind::Reply => too_often(tx, &planned.destination, now).await?,
            None => None,
        };
        let status = match (&withheld, planned.kind) {
            (Some(_), _) => DeliveryStatus::Cancelled,
            (None, RouteKind::Label) => DeliveryStatus::Delivered,
            (None, _) => DeliveryStatus::Pending,
        };
        let note = withheld.as_deref();
        let id = repository::insert(tx, email, outcome, planned, status, note, now).await?;
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

/// Who sends for a tenant, now, as this server's clock has it: what is written down has the database's time.
pub fn sender<'a>(app: &'a AppState, loop_token: &'a str) -> Sender<'a> {
    let smtp = app.config.deliveries.smtp.as_ref();
    let from = smtp.map(|smtp| smtp.address.as_str());
    Sender { loop_token, from, inbox: None, returned: Returned::NONE, now: Utc::now() }
}

/// What a bounce brings back. It may be long.
async fn returned(tx: &mut TenantTx, email: EmailId, loop_token: &str) -> Result<Returned> {
    let raw = emails::raw(tx, email).await?.unwrap_or_default();
    let token = loop_token.to_owned();
    Ok(aside::run(move || Returned::of(&raw, &token)).await)
}

/// At which address of the tenant's own a message was read, where no mail server said whom it was for: one that its fields To
/// and Cc name, if mail for that comes to the tenant, since whoever wrote them may name any; otherwise that of the account
/// that it was fetched from.
///
/// # Errors
/// The database's.
pub async fn inbox(app: &AppState, tx: &mut TenantTx, message: &EmailDetail) -> Result<Option<String>> {
    if message.envelope.as_ref().is_some_and(|envelope| !envelope.to.is_empty()) {
        return Ok(None);
    }
    let named = ["header.to", "header.cc"].iter().flat_map(|header| plan::named(message, header));
    let own = mailboxes::first_own(app, tx, named.map(|address| in_one_form(&address)).collect()).await?;
    if own.is_some() {
        return Ok(own);
    }
    // A name by which somebody signs in need not be an address.
    let account = repository::account(tx, message.email.email_id).await?;
    Ok(account.filter(|name| address::parse(name).is_some()))
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
            // Where it arrived once, only its repeat did not: under another id it could not be told for one.
            DeliveryStatus::Failed => last.has_arrived && !is_outdated,
            // Withheld for the same reason: it is said once.
            DeliveryStatus::Cancelled => planned.withheld.is_some() || (last.has_arrived && !is_outdated),
        }
}

/// What told somebody of another outcome since then, by the database's time: ids are made of the clocks of many servers.
fn told_otherwise_since<'l>(last: &Last, all: &'l [Last], outcome: Outcome<'_>) -> Vec<&'l Last> {
    let time = |of: &Last| (of.created_at, of.delivery_id);
    let is_later = |other: &Last| time(other) > time(last) && !is_for(other, outcome);
    all.iter().filter(|other| is_later(other) && may_have_told(other)).collect()
}

/// Whether another route told its receiver otherwise since. Who was told nothing else knows what holds: what comes in
/// twice may be done twice.
fn is_contradicted(last: &Last, since: &[&Last]) -> bool {
    match last.kind {
        RouteKind::Webhook => since.iter().any(|other| is_same_receiver(last, other)),
        RouteKind::Forward | RouteKind::Reply => {
            have_it(last).iter().any(|to| since.iter().any(|other| may_have_reached(other, to)))
        }
        RouteKind::Label => false,
    }
}

/// Of a mail's recipients, those who have it and were told nothing else since.
fn still_have_it<'l>(last: &'l Last, since: &[&Last]) -> Vec<&'l str> {
    let mut all = have_it(last);
    all.retain(|to| !since.iter().any(|other| may_have_reached(other, to)));
    all
}

/// Whether anybody has it, as far as can be known: what a worker had when it was called off may have left.
fn may_have_told(last: &Last) -> bool {
    last.kind != RouteKind::Label
        && match last.status {
            DeliveryStatus::Delivered => true,
            DeliveryStatus::Pending | DeliveryStatus::Cancelled => last.attempts > 0 || last.has_arrived,
            DeliveryStatus::Failed => last.delivered_to.is_some() || last.has_arrived,
        }
}

/// Whether two webhooks have one address. On one host there may be receivers that know nothing of each other.
fn is_same_receiver(one: &Last, other: &Last) -> bool {
    let url = |last: &Last| last.url.as_deref().and_then(|url| Url::parse(url).ok());
    // Where they went, and where they lead now: what led elsewhere then has another receiver.
    other.kind == RouteKind::Webhook
        && one.destination == other.destination
        && url(one).is_some_and(|one| url(other) == Some(one))
}

/// Who has a mail, as far as that is certain.
pub fn have_it(last: &Last) -> Vec<&str> {
    // With a note it was found to have reached all to whom its route leads now, and no others.
    let is_whole = last.status == DeliveryStatus::Delivered && last.note.is_none();
    reached(last, is_whole)
}

/// Whether an address may have got a mail.
fn may_have_reached(last: &Last, address: &str) -> bool {
    let is_mail = matches!(last.kind, RouteKind::Forward | RouteKind::Reply);
    is_mail && has(&reached(last, last.status != DeliveryStatus::Failed), address)
}

/// The recipients who were noted to have a mail; where it reached all (`is_whole`), those whom it was for, too.
fn reached(last: &Last, is_whole: bool) -> Vec<&str> {
    let mut all: Vec<&str> = if is_whole { last.destination.split(", ").collect() } else { Vec::new() };
    let delivered = last.delivered_to.as_ref().and_then(|list| list.0.as_array());
    for to in delivered.into_iter().flatten().filter_map(Value::as_str) {
        if !has(&all, to) {
            all.push(to);
        }
    }
    all
}

fn has(all: &[&str], address: &str) -> bool {
    all.iter().any(|other| is_same(other, address))
}

async fn too_often(tx: &mut TenantTx, address: &str, now: DateTime<Utc>) -> Result<Option<String>> {
    let sent = repository::replies_since(tx, address, now - TimeDelta::days(1)).await?;
    Ok((sent >= REPLIES_A_DAY)
        .then(|| format!("{WITHHELD} {address} was answered {sent} times within a day, as machines do")))
}
