//! SQL of how long messages are kept, and of deleting them.

use sqlx::AssertSqlSafe;

use crate::{
    emails::server::stored::PATIENCE,
    retention::dto::{MOST_COUNTED, Retention},
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
    // Joined, so that one that is being deleted is none: it is gone about in another way.
    let ids: Vec<String> = sqlx::query_scalar(
        "SELECT tenant_id FROM retention JOIN tenants USING (tenant_id) \
         WHERE message_days IS NOT NULL OR untold > 0 ORDER BY tenant_id",
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

/// The messages `e` that are old enough to go where messages are kept for `$2` days: those that arrived before, but of what
/// waits for a person only what arrived twice as long ago. The two apart, each as its index has it: what waits and is kept
/// need not be read at each turn. By the database's clock, which all servers share: one of theirs that is ahead would delete
/// what is to be kept.
const OLD: [&str; 2] = [
    "e.decision IS DISTINCT FROM 'review' AND e.received_at < now() - make_interval(hours => 24 * $2)",
    // Not `=`: the index of decisions would be read, which knows no time.
    "e.decision IS NOT DISTINCT FROM 'review' AND e.received_at < now() - make_interval(hours => 48 * $2)",
];

/// The messages `e` of the tenant `$1` that nobody has in hand: one that is not done, has a job or a delivery under way, or a
/// word of the last `$3` seconds, which can still be taken back, is in somebody's.
const FREE: &str = "e.tenant_id = $1 AND e.status = 'done' \
    AND (e.undo IS NULL OR (e.undo ->> 'at')::timestamptz <= now() - make_interval(secs => $3)) \
    AND NOT EXISTS (SELECT FROM deliveries d WHERE d.tenant_id = e.tenant_id AND d.email_id = e.email_id \
      AND d.status = 'pending') \
    AND NOT EXISTS (SELECT FROM jobs j WHERE j.tenant_id = e.tenant_id AND j.email_id = e.email_id)";

/// Counted as far as `MOST_COUNTED` and one more: somebody waits for it, and a tenant may have a million.
pub async fn count_old(tx: &mut TenantTx, days: i32) -> sqlx::Result<i64> {
    let tenant = tx.tenant().clone();
    let each = OLD.map(|old| format!("SELECT e.email_id FROM emails e WHERE {FREE} AND {old}"));
    let sql = format!("SELECT count(*) FROM ({} LIMIT $4) AS old", each.join(" UNION ALL "));
    sqlx::query_scalar(AssertSqlSafe(sql))
        .bind(tenant.as_str())
        .bind(days)
        .bind(PATIENCE)
        .bind(MOST_COUNTED + 1)
        .fetch_one(tx.conn())
        .await
}

/// Keeps the mailboxes elsewhere from being read and deleted until the transaction ends: what is deleted must not come in
/// again at this moment. In the order in which whoever reads or deletes one locks: its watch, the mailbox, its messages.
pub async fn lock_mailboxes(tx: &mut TenantTx) -> sqlx::Result<()> {
    let tenant = tx.tenant().clone();
    for sql in [
        "SELECT FROM mailbox_watches WHERE tenant_id = $1 ORDER BY mailbox_id FOR UPDATE",
        "SELECT FROM mailboxes WHERE tenant_id = $1 AND kind = 'imap' ORDER BY mailbox_id FOR KEY SHARE",
    ] {
        sqlx::query(sql).bind(tenant.as_str()).execute(tx.conn()).await?;
    }
    Ok(())
}

/// Locks some that go, the oldest first, of what waits for a person last; what somebody else has in hand is passed by.
pub async fn lock_old(tx: &mut TenantTx, days: i32, most: i64) -> sqlx::Result<Vec<EmailId>> {
    let tenant = tx.tenant().clone();
    let mut locked: Vec<EmailId> = Vec::new();
    for old in OLD {
        let left = most.saturating_sub(i64::try_from(locked.len()).unwrap_or(i64::MAX));
        if left <= 0 {
            break;
        }
        let sql = format!(
            "SELECT e.email_id FROM emails e WHERE {FREE} AND {old} ORDER BY e.received_at LIMIT $4 \
             FOR UPDATE OF e SKIP LOCKED"
        );
        let some: Vec<EmailId> = sqlx::query_scalar(AssertSqlSafe(sql))
            .bind(tenant.as_str())
            .bind(days)
            .bind(PATIENCE)
            .bind(left)
            .fetch_all(tx.conn())
            .await?;
        locked.extend(some);
    }
    Ok(locked)
}

/// Deletes locked messages with everything that hangs on them, by the foreign keys. They are looked at once more:
/// whoever had one in hand before it was locked may have left a delivery behind. Of those that were fetched from a mailbox
/// elsewhere it is kept that they were: they may still lie there.
pub async fn delete_old(tx: &mut TenantTx, days: i32, locked: &[EmailId]) -> sqlx::Result<i64> {
    let tenant = tx.tenant().clone();
    let old = OLD.join(" OR ");
    let sql = format!(
        "WITH gone AS (DELETE FROM emails e WHERE {FREE} AND ({old}) AND e.email_id = ANY ($4) \
           RETURNING e.email_id, e.mailbox_id, e.content_hash), \
         kept AS (INSERT INTO taken_messages (tenant_id, mailbox_id, content_hash, email_id) \
           SELECT $1, g.mailbox_id, g.content_hash, g.email_id FROM gone g \
           JOIN mailboxes m ON m.tenant_id = $1 AND m.mailbox_id = g.mailbox_id WHERE m.kind = 'imap' \
           ON CONFLICT DO NOTHING) \
         SELECT count(*) FROM gone"
    );
    sqlx::query_scalar(AssertSqlSafe(sql))
        .bind(tenant.as_str())
        .bind(days)
        .bind(PATIENCE)
        .bind(locked)
        .fetch_one(tx.conn())
        .await
}
