//! SQL of how long messages are kept, and of deleting them.

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::AssertSqlSafe;

use crate::{
    emails::server::undo_repository::PATIENCE,
    retention::dto::Retention,
    server::{TenantTx, database::WorkerTx},
    shared::{EmailId, TenantId},
};

/// `None` where nobody has said yet.
pub async fn find(tx: &mut TenantTx) -> sqlx::Result<Option<Retention>> {
    let tenant = tx.tenant().clone();
    sqlx::query_as("SELECT message_days, changed_at FROM retention WHERE tenant_id = $1")
        .bind(tenant.as_str())
        .fetch_optional(tx.conn())
        .await
}

/// As `find`, and nobody else changes it, or deletes by it, until the transaction ends.
pub async fn lock(tx: &mut TenantTx) -> sqlx::Result<Retention> {
    let tenant = tx.tenant().clone();
    sqlx::query("INSERT INTO retention (tenant_id) VALUES ($1) ON CONFLICT DO NOTHING")
        .bind(tenant.as_str())
        .execute(tx.conn())
        .await?;
    sqlx::query_as("SELECT message_days, changed_at FROM retention WHERE tenant_id = $1 FOR UPDATE")
        .bind(tenant.as_str())
        .fetch_one(tx.conn())
        .await
}

pub async fn update(tx: &mut TenantTx, days: Option<i32>) -> sqlx::Result<Retention> {
    let tenant = tx.tenant().clone();
    sqlx::query_as(
        "UPDATE retention SET message_days = $2, changed_at = now() WHERE tenant_id = $1 \
         RETURNING message_days, changed_at",
    )
    .bind(tenant.as_str())
    .bind(days)
    .fetch_one(tx.conn())
    .await
}

/// The tenants that have something to delete by, or to tell of.
pub async fn tenants(tx: &mut WorkerTx) -> sqlx::Result<Vec<TenantId>> {
    let ids: Vec<String> = sqlx::query_scalar(
        "SELECT tenant_id FROM retention WHERE message_days IS NOT NULL OR untold > 0 ORDER BY tenant_id",
    )
    .fetch_all(tx.conn())
    .await?;
    ids.into_iter().map(|id| id.parse().map_err(|error| sqlx::Error::Decode(Box::new(error)))).collect()
}

/// A tenant's days, and how many messages are deleted that the audit log does not tell of yet.
pub type Claimed = (Option<i32>, i64);

/// Keeps other servers from deleting in this tenant, and people from changing its days, until the transaction ends.
/// `None` where another server has it.
pub async fn claim(tx: &mut TenantTx) -> sqlx::Result<Option<Claimed>> {
    let tenant = tx.tenant().clone();
    sqlx::query_as("SELECT message_days, untold FROM retention WHERE tenant_id = $1 FOR UPDATE SKIP LOCKED")
        .bind(tenant.as_str())
        .fetch_optional(tx.conn())
        .await
}

pub async fn set_untold(tx: &mut TenantTx, untold: i64) -> sqlx::Result<()> {
    let tenant = tx.tenant().clone();
    sqlx::query("UPDATE retention SET untold = $2 WHERE tenant_id = $1")
        .bind(tenant.as_str())
        .bind(untold)
        .execute(tx.conn())
        .await
        .map(drop)
}

/// From when on messages are kept.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// What arrived before goes …
    arrived: DateTime<Utc>,
    /// … but of what waits for a person, only what arrived before this.
    waiting: DateTime<Utc>,
    /// A word that was said later can still be taken back.
    said: DateTime<Utc>,
}

impl Bounds {
    pub fn of(days: i32, now: DateTime<Utc>) -> Self {
        let before = |days: i32| now - TimeDelta::days(days.into());
        Self {
            arrived: before(days),
            waiting: before(2 * days),
            said: now - TimeDelta::milliseconds((PATIENCE * 1_000.0) as i64),
        }
    }
}

/// The messages `e` of the tenant `$1` that go by the bounds `$2` to `$4`. One that is not done, has a job or a
/// delivery under way, or a word that can still be taken back, is in somebody's hands.
const OLD: &str = "e.tenant_id = $1 AND e.status = 'done' AND e.received_at < $2 \
    AND (e.decision IS DISTINCT FROM 'review' OR e.received_at < $3) \
    AND (e.undo IS NULL OR (e.undo ->> 'at')::timestamptz <= $4) \
    AND NOT EXISTS (SELECT FROM deliveries d WHERE d.tenant_id = e.tenant_id AND d.email_id = e.email_id \
      AND d.status = 'pending') \
    AND NOT EXISTS (SELECT FROM jobs j WHERE j.tenant_id = e.tenant_id AND j.email_id = e.email_id)";

pub async fn count_old(tx: &mut TenantTx, bounds: Bounds) -> sqlx::Result<i64> {
    let tenant = tx.tenant().clone();
    let sql = format!("SELECT count(*) FROM emails e WHERE {OLD}");
    sqlx::query_scalar(AssertSqlSafe(sql))
        .bind(tenant.as_str())
        .bind(bounds.arrived)
        .bind(bounds.waiting)
        .bind(bounds.said)
        .fetch_one(tx.conn())
        .await
}

/// Locks some that go, the oldest first; what somebody else has in hand is passed by.
pub async fn lock_old(tx: &mut TenantTx, bounds: Bounds, most: i64) -> sqlx::Result<Vec<EmailId>> {
    let tenant = tx.tenant().clone();
    let sql = format!(
        "SELECT e.email_id FROM emails e WHERE {OLD} ORDER BY e.received_at LIMIT $5 \
         FOR UPDATE OF e SKIP LOCKED"
    );
    sqlx::query_scalar(AssertSqlSafe(sql))
        .bind(tenant.as_str())
        .bind(bounds.arrived)
        .bind(bounds.waiting)
        .bind(bounds.said)
        .bind(most)
        .fetch_all(tx.conn())
        .await
}

/// Deletes locked messages with everything that hangs on them, by the foreign keys. They are looked at once more:
/// whoever had one in hand before it was locked may have left a delivery behind.
pub async fn delete_old(tx: &mut TenantTx, bounds: Bounds, locked: &[EmailId]) -> sqlx::Result<i64> {
    let tenant = tx.tenant().clone();
    let sql = format!("DELETE FROM emails e WHERE {OLD} AND e.email_id = ANY ($5)");
    let done = sqlx::query(AssertSqlSafe(sql))
        .bind(tenant.as_str())
        .bind(bounds.arrived)
        .bind(bounds.waiting)
        .bind(bounds.said)
        .bind(locked)
        .execute(tx.conn())
        .await?;
    Ok(i64::try_from(done.rows_affected()).unwrap_or(i64::MAX))
}
