//! SQL of deliveries and labels.
//!
//! Whoever changes a delivery and its job takes the job first, as the worker does that ends it.

use std::time::Instant;

use chrono::{DateTime, Utc};
use serde_json::Value;
use sqlx::{QueryBuilder, types::Json};
use uuid::Uuid;

use crate::{
    deliveries::dto::{Delivery, DeliveryDetail, DeliveryFilter, DeliveryStatus, SENT_AGAIN},
    emails::dto::Decision,
    routes::{
        dto::{Planned, RouteKind},
        server::reading as routes,
    },
    server::{
        TenantTx,
        queue::{self, Subject},
    },
    shared::{DeliveryId, EmailId, IntentId, RouteId},
};

macro_rules! withheld {
    () => {
        "Not sent:"
    };
}

/// What the note of a delivery begins with that its route itself withheld.
pub const WITHHELD: &str = withheld!();

/// Whether a row of `deliveries` counts for something: what was called off before any try has told nobody anything, unless
/// its route itself withheld it.
macro_rules! counts {
    ($row:literal) => {
        concat!(
            "NOT (",
            $row,
            ".status = 'cancelled' AND ",
            $row,
            ".attempts = 0 AND coalesce(",
            $row,
            ".note, '') NOT LIKE '",
            withheld!(),
            "%')"
        )
    };
}

/// Of a delivery `d`: whether its route did nothing after it for the message that counts (`counts!`).
macro_rules! is_last {
    () => {
        concat!(
            "NOT EXISTS (SELECT FROM deliveries n WHERE n.tenant_id = d.tenant_id AND n.email_id = d.email_id \
             AND n.route_id = d.route_id AND (n.created_at, n.delivery_id) > (d.created_at, d.delivery_id) AND ",
            counts!("n"),
            ")"
        )
    };
}

/// Of a delivery `d` of the message `e`: whether it is what its route did last, for how the message is decided now. What
/// was given up for another outcome, or along a route that is gone or for other messages now, cannot be sent again; what
/// was called off before any try counts for nothing (`counts!`).
pub const STANDS: &str = concat!(
    "d.decision = e.decision \
    AND EXISTS (SELECT FROM routes r WHERE r.tenant_id = d.tenant_id AND r.route_id = d.route_id \
      AND (d.status <> 'failed' OR d.decision = ANY (r.decisions) \
        AND (r.intent_id IS NULL OR r.intent_id = d.intent_id))) \
    AND CASE WHEN d.intent_id IS NULL OR e.intent_id IS NULL THEN d.intent_name IS NOT DISTINCT FROM e.intent_name \
      ELSE d.intent_id = e.intent_id END AND ",
    is_last!()
);

/// Why what waits for a route, or was given up along it, is not sent to whom it leads now.
pub const UNFIT: &str = "The route was changed, and is not for this any more";

/// The columns of a row of `deliveries d`. Its route is named if it was not deleted since: a delivery keeps the id. Of
/// servers of before and their deletions it is NULL. What a label did is not written down anew when it is taken off: that
/// shows by the message's labels.
macro_rules! columns {
    () => {
        "d.delivery_id, d.email_id, (SELECT r.route_id FROM routes r WHERE r.tenant_id = d.tenant_id \
           AND r.route_id = d.route_id) AS route_id, d.route_name, d.kind, d.destination, d.decision, d.intent_id, \
         d.intent_name, d.status, d.attempts, d.next_attempt, d.note, d.last_status, d.created_at, d.delivered_at, \
         d.kind = 'label' AND d.status = 'delivered' AND NOT EXISTS (SELECT FROM email_labels l \
           WHERE l.tenant_id = d.tenant_id AND l.email_id = d.email_id AND l.label = d.destination) AS label_is_off"
    };
}

/// The member of a forward's payload that lists who has it, where its relay did not take it for all. There, and in no
/// column: servers of before go on reading the whole row beside newer ones.
pub const DELIVERED_TO: &str = "delivered_to";

/// The member of a mail's payload that lists who had it before it was sent a second time. `DELIVERED_TO` begins anew then:
/// it goes to all once more, and who has the repeat is not to get that again.
pub const HAD_IT: &str = "had_it";

/// What the note of a delivery begins with that waits for a header of its route whose value is still to be set.
pub const LACKS_HEADER: &str = "The route's secret did not come with an import";

/// As `LACKS_HEADER`, of one that waits for the signing secret of its route.
pub const LACKS_SECRET: &str = "The route has no signing secret";

/// What the note of a delivery begins with that was to be sent a second time, and was called off: it stays delivered.
const NOT_REPEATED: &str = "Not sent a second time: ";

#[derive(sqlx::FromRow)]
pub struct Row {
    pub delivery_id: DeliveryId,
    pub email_id: EmailId,
    /// `None` once the route is deleted.
    pub route_id: Option<RouteId>,
    pub route_name: String,
    pub kind: RouteKind,
    pub destination: String,
    pub decision: Decision,
    pub intent_id: Option<IntentId>,
    pub intent_name: Option<String>,
    pub status: DeliveryStatus,
    pub attempts: i32,
    pub next_attempt: Option<DateTime<Utc>>,
    pub note: Option<String>,
    pub last_status: Option<i32>,
    pub created_at: DateTime<Utc>,
    pub delivered_at: Option<DateTime<Utc>>,
    pub label_is_off: bool,
    /// Not read for lists.
    #[sqlx(default)]
    pub payload: Json<Value>,
}

impl Row {
    pub fn into_delivery(self, tx: &TenantTx) -> Delivery {
        Delivery {
            delivery_id: self.delivery_id,
            tenant_id: tx.tenant().clone(),
            email_id: self.email_id,
            route_id: self.route_id,
            route_name: self.route_name,
            kind: self.kind,
            destination: self.destination,
            decision: self.decision,
            status: self.status,
            attempts: self.attempts,
            next_attempt: self.next_attempt,
            note: self.note,
            last_status: self.last_status,
            created_at: self.created_at,
            delivered_at: self.delivered_at,
            label_is_off: self.label_is_off,
        }
    }

    /// Of a forward's recipients, those who have it.
    pub fn delivered_to(&self) -> Vec<&str> {
        let list = self.payload.0.get(DELIVERED_TO).and_then(Value::as_array);
        list.into_iter().flatten().filter_map(Value::as_str).collect()
    }

    /// Whether a person sent it again, and it was not tried since.
    pub fn is_sent_again(&self) -> bool {
        self.note.as_deref() == Some(SENT_AGAIN)
    }

    /// With what it sends.
    pub fn into_detail(mut self, tx: &TenantTx) -> DeliveryDetail {
        let payload = std::mem::take(&mut self.payload.0);
        DeliveryDetail { delivery: self.into_delivery(tx), payload }
    }
}

/// An outcome of a message: what a delivery is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outcome<'a> {
    pub decision: Decision,
    pub intent_id: Option<IntentId>,
    pub intent: Option<&'a str>,
    pub run: i32,
}

impl Outcome<'_> {
    /// Whether that was the same: decision and intent. An intent that was renamed is the same; one that was deleted
    /// is told by its name.
    pub fn is(&self, decision: Decision, intent_id: Option<IntentId>, intent: Option<&str>) -> bool {
        let same_intent = match (self.intent_id, intent_id) {
            (Some(one), Some(other)) => one == other,
            _ => self.intent == intent,
        };
        self.decision == decision && same_intent
    }
}

/// What stands of a route's last delivery for a message.
#[derive(sqlx::FromRow)]
pub struct Last {
    pub delivery_id: DeliveryId,
    pub created_at: DateTime<Utc>,
    pub route_id: RouteId,
    pub decision: Decision,
    pub intent_id: Option<IntentId>,
    pub intent_name: Option<String>,
    pub kind: RouteKind,
    pub status: DeliveryStatus,
    pub attempts: i32,
    pub note: Option<String>,
    pub destination: String,
    /// Who has it, where a forward's relay did not take it for all, or some had it before.
    pub delivered_to: Option<Json<Value>>,
    /// Whether its receiver took it once, whatever has become of it since.
    pub has_arrived: bool,
    /// Where a webhook's route leads now, if there is still one. A key may stand in it.
    pub url: Option<String>,
}

/// Newest first, before the id `before`.
pub async fn list(
    tx: &mut TenantTx,
    filter: &DeliveryFilter,
    before: Option<DeliveryId>,
    limit: i64,
) -> sqlx::Result<Vec<Delivery>> {
    let tenant = tx.tenant().clone();
    let select = concat!("SELECT ", columns!(), " FROM deliveries d WHERE d.tenant_id = ");
    let mut query = QueryBuilder::new(select);
    query.push_bind(tenant.as_str().to_owned());
    if let Some(before) = before {
        query.push(" AND d.delivery_id < ").push_bind(before);
    }
    if let Some(status) = filter.status {
        query.push(" AND d.status = ").push_bind(status.as_str());
    }
    if let Some(email) = filter.email_id {
        query.push(" AND d.email_id = ").push_bind(email);
    }
    if let Some(route) = filter.route_id {
        query.push(" AND d.route_id = ").push_bind(route);
    }
    query.push(" ORDER BY d.delivery_id DESC LIMIT ").push_bind(limit);
    let rows: Vec<Row> = query.build_query_as().fetch_all(tx.conn()).await?;
    Ok(rows.into_iter().map(|row| row.into_delivery(tx)).collect())
}

pub async fn find(tx: &mut TenantTx, id: DeliveryId) -> sqlx::Result<Option<Row>> {
    let tenant = tx.tenant().clone();
    sqlx::query_as(concat!(
        "SELECT ",
        columns!(),
        ", d.payload FROM deliveries d WHERE d.tenant_id = $1 AND d.delivery_id = $2"
    ))
    .bind(tenant.as_str())
    .bind(id)
    .fetch_optional(tx.conn())
    .await
}

/// What was given up of a message and is what its route did last, in the order in which it was written.
pub async fn given_up(tx: &mut TenantTx, email: EmailId) -> sqlx::Result<Vec<Row>> {
    let tenant = tx.tenant().clone();
    sqlx::query_as(concat!(
        "SELECT ",
        columns!(),
        " FROM deliveries d WHERE d.tenant_id = $1 AND d.email_id = $2 AND d.status = 'failed' AND ",
        is_last!(),
        " ORDER BY d.created_at, d.delivery_id"
    ))
    .bind(tenant.as_str())
    .bind(email)
    .fetch_all(tx.conn())
    .await
}

/// The last delivery of each route for a message: the one under way, or the newest of those that count (`counts!`).
pub async fn last_of_each(tx: &mut TenantTx, email: EmailId) -> sqlx::Result<Vec<Last>> {
    let tenant = tx.tenant().clone();
    sqlx::query_as(concat!(
        "SELECT DISTINCT ON (d.route_id) d.delivery_id, d.created_at, d.route_id, d.decision, d.intent_id, d.intent_name, \
         d.kind, d.status, d.attempts, d.note, d.destination, d.delivered_at IS NOT NULL AS has_arrived, \
         nullif(coalesce(d.payload -> 'had_it', '[]') || coalesce(d.payload -> 'delivered_to', '[]'), '[]') \
           AS delivered_to, \
         (SELECT r.settings ->> 'url' FROM routes r WHERE r.tenant_id = d.tenant_id AND r.route_id = d.route_id \
           AND r.kind = 'webhook') AS url FROM deliveries d \
         WHERE d.tenant_id = $1 AND d.email_id = $2 AND d.route_id IS NOT NULL AND ",
        counts!("d"),
        " ORDER BY d.route_id, (d.status = 'pending') DESC, d.created_at DESC, d.delivery_id DESC",
    ))
    .bind(tenant.as_str())
    .bind(email)
    .fetch_all(tx.conn())
    .await
}

/// The time as deliveries are written: for one message, later than when any delivery before was written, whichever server
/// wrote it, and also where the database's clock was set back. When the message's row is locked by then, two deciders have
/// two moments, in the order in which they decide.
pub async fn moment(tx: &mut TenantTx, email: EmailId) -> sqlx::Result<DateTime<Utc>> {
    let tenant = tx.tenant().clone();
    // Not `now()`: the transaction may have begun before it got the lock.
    sqlx::query_scalar(
        "SELECT greatest(clock_timestamp(), (SELECT max(d.created_at) + interval '1 microsecond' FROM deliveries d \
         WHERE d.tenant_id = $1 AND d.email_id = $2))",
    )
    .bind(tenant.as_str())
    .bind(email)
    .fetch_one(tx.conn())
    .await
}

/// By what name the account is signed in to that a message was fetched from, if it was.
pub async fn account(tx: &mut TenantTx, email: EmailId) -> sqlx::Result<Option<String>> {
    let tenant = tx.tenant().clone();
    let name: Option<Option<String>> = sqlx::query_scalar(
        "SELECT m.imap ->> 'username' FROM emails e \
         JOIN mailboxes m ON m.tenant_id = e.tenant_id AND m.mailbox_id = e.mailbox_id \
         WHERE e.tenant_id = $1 AND e.email_id = $2",
    )
    .bind(tenant.as_str())
    .bind(email)
    .fetch_optional(tx.conn())
    .await?;
    Ok(name.flatten())
}

/// How often an address was answered since then, whatever stands after a `+` in it.
pub async fn replies_since(tx: &mut TenantTx, address: &str, since: DateTime<Utc>) -> sqlx::Result<i64> {
    let tenant = tx.tenant().clone();
    sqlx::query_scalar(
        "SELECT count(*) FROM deliveries WHERE tenant_id = $1 AND kind = 'reply' \
         AND regexp_replace(lower(destination), '\\+[^@]*@', '@') = regexp_replace(lower($2), '\\+[^@]*@', '@') \
         AND created_at > $3 AND status IN ('pending', 'delivered')",
    )
    .bind(tenant.as_str())
    .bind(address)
    .bind(since)
    .fetch_one(tx.conn())
    .await
}

/// Writes a planned delivery, `at` this moment. `note` says why it is not sent, where `status` is cancelled.
pub async fn insert(
    tx: &mut TenantTx,
    email: EmailId,
    outcome: Outcome<'_>,
    planned: &Planned,
    status: DeliveryStatus,
    note: Option<&str>,
    at: DateTime<Utc>,
) -> sqlx::Result<DeliveryId> {
    let tenant = tx.tenant().clone();
    let id = DeliveryId(Uuid::now_v7());
    sqlx::query(
        "INSERT INTO deliveries (tenant_id, delivery_id, email_id, run, decision, intent_name, route_id, \
         route_name, kind, destination, payload, status, note, intent_id, created_at, next_attempt, delivered_at) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, \
         CASE WHEN $12 = 'pending' THEN now() END, CASE WHEN $12 = 'delivered' THEN now() END)",
    )
    .bind(tenant.as_str())
    .bind(id)
    .bind(email)
    .bind(outcome.run)
    .bind(outcome.decision.as_str())
    .bind(outcome.intent)
    .bind(planned.route_id)
    .bind(&planned.route_name)
    .bind(planned.kind.as_str())
    .bind(&planned.destination)
    .bind(Json(&planned.payload))
    .bind(status.as_str())
    .bind(note)
    .bind(outcome.intent_id)
    .bind(at)
    .execute(tx.conn())
    .await?;
    Ok(id)
}

/// A delivery under way, and what it is for.
#[derive(sqlx::FromRow)]
struct Pending {
    delivery_id: DeliveryId,
    decision: Decision,
    intent_id: Option<IntentId>,
    intent_name: Option<String>,
}

/// Calls off what is pending for another outcome of the message than this; without one, all that is pending.
pub async fn cancel_outdated(
    tx: &mut TenantTx,
    email: EmailId,
    outcome: Option<Outcome<'_>>,
    note: &str,
) -> sqlx::Result<()> {
    let tenant = tx.tenant().clone();
    let pending: Vec<Pending> = sqlx::query_as(
        "SELECT delivery_id, decision, intent_id, intent_name FROM deliveries \
         WHERE tenant_id = $1 AND email_id = $2 AND status = 'pending'",
    )
    .bind(tenant.as_str())
    .bind(email)
    .fetch_all(tx.conn())
    .await?;
    let is_outdated = |pending: &Pending| {
        outcome.is_none_or(|now| !now.is(pending.decision, pending.intent_id, pending.intent_name.as_deref()))
    };
    let ids: Vec<DeliveryId> = pending.iter().filter(|p| is_outdated(p)).map(|p| p.delivery_id).collect();
    cancel(tx, &ids, note).await
}

/// How many deliveries of a message left since then, whatever has become of a repeat. A label leaves nothing.
pub async fn sent_since(tx: &mut TenantTx, email: EmailId, since: DateTime<Utc>) -> sqlx::Result<usize> {
    let tenant = tx.tenant().clone();
    let count: i64 = sqlx::query_scalar(
        "SELECT count(*) FROM deliveries WHERE tenant_id = $1 AND email_id = $2 AND kind <> 'label' \
         AND delivered_at >= $3",
    )
    .bind(tenant.as_str())
    .bind(email)
    .bind(since)
    .fetch_one(tx.conn())
    .await?;
    Ok(usize::try_from(count).unwrap_or_default())
}

/// Calls off what is pending for a route, at most `most` of it.
pub async fn cancel_of_route(
    tx: &mut TenantTx,
    route: RouteId,
    most: Option<i64>,
    note: &str,
) -> sqlx::Result<()> {
    let tenant = tx.tenant().clone();
    let ids: Vec<DeliveryId> = sqlx::query_scalar(
        "SELECT delivery_id FROM deliveries WHERE tenant_id = $1 AND route_id = $2 AND status = 'pending' \
         LIMIT $3",
    )
    .bind(tenant.as_str())
    .bind(route)
    .bind(most)
    .fetch_all(tx.conn())
    .await?;
    cancel(tx, &ids, note).await
}

/// Calls off what is pending for a route that was changed, and is not for it any more.
pub async fn cancel_unfit(tx: &mut TenantTx, route: &routes::Row) -> sqlx::Result<()> {
    let tenant = tx.tenant().clone();
    let pending: Vec<Pending> = sqlx::query_as(
        "SELECT delivery_id, decision, intent_id, intent_name FROM deliveries \
         WHERE tenant_id = $1 AND route_id = $2 AND status = 'pending'",
    )
    .bind(tenant.as_str())
    .bind(route.route_id)
    .fetch_all(tx.conn())
    .await?;
    let is_unfit = |pending: &Pending| !route.is_for(pending.decision, pending.intent_id);
    let ids: Vec<DeliveryId> = pending.iter().filter(|p| is_unfit(p)).map(|p| p.delivery_id).collect();
    cancel(tx, &ids, UNFIT).await
}

/// Makes due what waits for what a route lacked, by what its note begins with.
pub async fn wake(tx: &mut TenantTx, route: RouteId, lacked: &str) -> sqlx::Result<()> {
    let tenant = tx.tenant().clone();
    sqlx::query(
        "WITH woken AS (UPDATE jobs SET run_at = now() WHERE tenant_id = $1 AND kind = $2 AND subject IN ( \
           SELECT delivery_id FROM deliveries WHERE tenant_id = $1 AND route_id = $3 AND status = 'pending' \
           AND starts_with(note, $4)) RETURNING subject) \
         UPDATE deliveries d SET next_attempt = now() FROM woken \
         WHERE d.tenant_id = $1 AND d.delivery_id = woken.subject AND d.status = 'pending'",
    )
    .bind(tenant.as_str())
    .bind(DeliveryId::KIND)
    .bind(route)
    .bind(lacked)
    .execute(tx.conn())
    .await?;
    tx.tell(&DeliveryId::channel(), "");
    Ok(())
}

async fn cancel(tx: &mut TenantTx, ids: &[DeliveryId], note: &str) -> sqlx::Result<()> {
    if ids.is_empty() {
        return Ok(());
    }
    let claimed = queue::cancel(tx, ids).await?;
    let tenant = tx.tenant().clone();
    // What a worker has may be on its way already: that counts as a try. What arrived once was not in vain.
    sqlx::query(
        "UPDATE deliveries SET status = CASE WHEN delivered_at IS NULL THEN 'cancelled' ELSE 'delivered' END, \
         next_attempt = NULL, note = CASE WHEN delivered_at IS NULL THEN $3 ELSE $5 || $3 END, \
         attempts = attempts + (delivery_id = ANY ($4))::int \
         WHERE tenant_id = $1 AND delivery_id = ANY ($2) AND status = 'pending'",
    )
    .bind(tenant.as_str())
    .bind(ids)
    .bind(note)
    .bind(&claimed)
    .bind(NOT_REPEATED)
    .execute(tx.conn())
    .await
    .map(drop)
}

/// From now on the transaction waits for nobody for long. A table to which nobody may write for a while, as while an
/// index is made, would otherwise hold up all who send.
pub async fn wait_briefly(tx: &mut TenantTx) -> sqlx::Result<()> {
    sqlx::query("SET LOCAL lock_timeout = '2s'").execute(tx.conn()).await.map(drop)
}

/// Writes to a delivery that is about to be sent: what cannot be stored is not sent, or it would be sent again and
/// again. `false` where it is not pending any more.
pub async fn begin_try(tx: &mut TenantTx, id: DeliveryId) -> sqlx::Result<bool> {
    let tenant = tx.tenant().clone();
    // Nothing is changed. PostgreSQL writes the row all the same.
    let done = sqlx::query(
        "UPDATE deliveries SET next_attempt = next_attempt \
         WHERE tenant_id = $1 AND delivery_id = $2 AND status = 'pending'",
    )
    .bind(tenant.as_str())
    .bind(id)
    .execute(tx.conn())
    .await?;
    Ok(done.rows_affected() == 1)
}

/// How a try ended.
#[derive(Clone, Copy, Debug)]
pub struct Tried<'a> {
    pub status: DeliveryStatus,
    pub note: Option<&'a str>,
    pub code: Option<u16>,
    /// Where the route leads now.
    pub destination: &'a str,
    /// Until the next try, where it stays pending. Unit: seconds.
    pub wait: Option<f64>,
}

/// Stores how a try ended. One that was called off meanwhile stays so, unless it arrived.
pub async fn store_try(tx: &mut TenantTx, id: DeliveryId, tried: Tried<'_>) -> sqlx::Result<()> {
    let tenant = tx.tenant().clone();
    sqlx::query(
        "UPDATE deliveries SET status = $3, note = $4, last_status = coalesce($5, last_status), \
         destination = coalesce(nullif($6, ''), destination), attempts = attempts + 1, \
         next_attempt = now() + make_interval(secs => $7), \
         delivered_at = CASE WHEN $3 = 'delivered' THEN now() ELSE delivered_at END \
         WHERE tenant_id = $1 AND delivery_id = $2 AND (status = 'pending' OR $3 = 'delivered')",
    )
    .bind(tenant.as_str())
    .bind(id)
    .bind(tried.status.as_str())
    .bind(tried.note)
    .bind(tried.code.map(i32::from))
    .bind(tried.destination)
    .bind(tried.wait)
    .execute(tx.conn())
    .await
    .map(drop)
}

/// Remembers who has a forward already, whatever has become of it meanwhile.
pub async fn add_delivered(tx: &mut TenantTx, id: DeliveryId, addresses: &[String]) -> sqlx::Result<()> {
    if addresses.is_empty() {
        return Ok(());
    }
    let tenant = tx.tenant().clone();
    sqlx::query(
        "UPDATE deliveries SET payload = jsonb_set(payload, '{delivered_to}', \
         coalesce(payload -> 'delivered_to', '[]'::jsonb) || $3) WHERE tenant_id = $1 AND delivery_id = $2",
    )
    .bind(tenant.as_str())
    .bind(id)
    .bind(Json(addresses))
    .execute(tx.conn())
    .await
    .map(drop)
}

/// Says why a pending delivery waits, or why it is not sent, without a try.
pub async fn note(
    tx: &mut TenantTx,
    id: DeliveryId,
    status: DeliveryStatus,
    note: &str,
    wait: Option<f64>,
) -> sqlx::Result<()> {
    let tenant = tx.tenant().clone();
    sqlx::query(
        "UPDATE deliveries SET next_attempt = now() + make_interval(secs => $5), \
         status = CASE WHEN $3 = 'cancelled' AND delivered_at IS NOT NULL THEN 'delivered' ELSE $3 END, \
         note = CASE WHEN $3 = 'cancelled' AND delivered_at IS NOT NULL THEN $6 || $4 ELSE $4 END, \
         delivered_at = CASE WHEN $3 = 'delivered' THEN now() ELSE delivered_at END \
         WHERE tenant_id = $1 AND delivery_id = $2 AND status = 'pending'",
    )
    .bind(tenant.as_str())
    .bind(id)
    .bind(status.as_str())
    .bind(note)
    .bind(wait)
    .bind(NOT_REPEATED)
    .execute(tx.conn())
    .await
    .map(drop)
}

/// Whether a worker has its job now. None gets it before the transaction is over.
pub async fn is_claimed(tx: &mut TenantTx, id: DeliveryId) -> sqlx::Result<bool> {
    let tenant = tx.tenant().clone();
    let claimed: Option<bool> = sqlx::query_scalar(
        "SELECT coalesce(locked_until >= now(), false) FROM jobs \
         WHERE tenant_id = $1 AND kind = $2 AND subject = $3 FOR UPDATE",
    )
    .bind(tenant.as_str())
    .bind(DeliveryId::KIND)
    .bind(id)
    .fetch_optional(tx.conn())
    .await?;
    Ok(claimed.unwrap_or_default())
}

/// Makes a delivery that was given up, or waits, due now; its new job goes on counting where its tries stand, so that
/// claims are held against tries as before, and is as old as what a person `asked` for, so that of many all are. `false`
/// where it is neither: what has no note was not looked at yet.
pub async fn revive(tx: &mut TenantTx, id: DeliveryId, asked: Instant) -> sqlx::Result<bool> {
    let tenant = tx.tenant().clone();
    let done = sqlx::query(
        "WITH again AS (UPDATE deliveries SET status = 'pending', next_attempt = now(), note = $4 \
           WHERE tenant_id = $1 AND delivery_id = $2 \
           AND (status = 'failed' OR status = 'pending' AND note <> $4) RETURNING attempts) \
         UPDATE jobs SET attempts = again.attempts, created_at = clock_timestamp() - make_interval(secs => $5) FROM again \
         WHERE tenant_id = $1 AND kind = $3 AND subject = $2",
    )
    .bind(tenant.as_str())
    .bind(id)
    .bind(DeliveryId::KIND)
    .bind(SENT_AGAIN)
    .bind(asked.elapsed().as_secs_f64())
    .execute(tx.conn())
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Gives up what was delivered, as if it had not arrived, so that it can be sent a second time; `had_it` are those who have
/// a mail. That it arrived stays written.
pub async fn take_for_lost(tx: &mut TenantTx, id: DeliveryId, had_it: &[&str]) -> sqlx::Result<()> {
    let tenant = tx.tenant().clone();
    sqlx::query(
        "UPDATE deliveries SET status = 'failed', payload = CASE WHEN kind = 'webhook' THEN payload \
           ELSE (payload - 'delivered_to') || jsonb_build_object($3::text, $4::jsonb) END \
         WHERE tenant_id = $1 AND delivery_id = $2 AND status = 'delivered' AND kind <> 'label'",
    )
    .bind(tenant.as_str())
    .bind(id)
    .bind(HAD_IT)
    .bind(Json(had_it))
    .execute(tx.conn())
    .await
    .map(drop)
}

/// Sets the labels of a message's present outcome in the place of those before.
pub async fn set_labels(tx: &mut TenantTx, email: EmailId, labels: &[&str]) -> sqlx::Result<()> {
    let tenant = tx.tenant().clone();
    sqlx::query("DELETE FROM email_labels WHERE tenant_id = $1 AND email_id = $2 AND label <> ALL ($3)")
        .bind(tenant.as_str())
        .bind(email)
        .bind(labels)
        .execute(tx.conn())
        .await?;
    sqlx::query(
        "INSERT INTO email_labels (tenant_id, email_id, label) SELECT $1, $2, unnest($3::text[]) \
         ON CONFLICT DO NOTHING",
    )
    .bind(tenant.as_str())
    .bind(email)
    .bind(labels)
    .execute(tx.conn())
    .await
    .map(drop)
}
