//! SQL of backtests.

use chrono::{DateTime, Utc};
use serde_json::Value;
use sqlx::types::Json;

use super::compare::Compared;
use crate::{
    backtests::dto::{
        After, Backtest, BacktestChange, BacktestOutcome, BacktestStatus, Before, FieldDifference,
        VerdictDifference,
    },
    emails::dto::EmailIntent,
    intents::dto::Intent,
    rules::{dto::ValidationRule, words::kept_words},
    server::TenantTx,
    shared::{BacktestId, EmailId, IntentId},
};

#[derive(sqlx::FromRow)]
struct Row {
    backtest_id: BacktestId,
    status: BacktestStatus,
    intent_id: Option<IntentId>,
    intent_name: String,
    revision: i64,
    note: Option<String>,
    created_at: DateTime<Utc>,
    created_by: String,
    finished_at: Option<DateTime<Utc>>,
    total: i64,
    done: i64,
    changed: i64,
    decided_otherwise: i64,
    judged_otherwise: i64,
    extracted_otherwise: i64,
    drifted: i64,
    skipped: i64,
    errors: i64,
}

impl Row {
    fn into_backtest(self, tx: &TenantTx) -> Backtest {
        Backtest {
            backtest_id: self.backtest_id,
            tenant_id: tx.tenant().clone(),
            status: self.status,
            intent: EmailIntent { intent_id: self.intent_id, name: self.intent_name },
            configuration_revision: self.revision,
            total: self.total,
            done: self.done,
            changed: self.changed,
            decided_otherwise: self.decided_otherwise,
            judged_otherwise: self.judged_otherwise,
            extracted_otherwise: self.extracted_otherwise,
            drifted: self.drifted,
            skipped: self.skipped,
            errors: self.errors,
            note: self.note,
            created_at: self.created_at,
            created_by: self.created_by,
            finished_at: self.finished_at,
        }
    }
}

#[derive(sqlx::FromRow)]
struct ChangeRow {
    email_id: EmailId,
    subject: String,
    sender_email: String,
    received_at: DateTime<Utc>,
    outcome: BacktestOutcome,
    before: Json<Before>,
    after: Option<Json<After>>,
    differences: Option<Json<Vec<VerdictDifference>>>,
    field_differences: Option<Json<Vec<FieldDifference>>>,
}

impl From<ChangeRow> for BacktestChange {
    fn from(row: ChangeRow) -> Self {
        let as_kept = |found: VerdictDifference| {
            let demand =
                kept_words(found.demand, found.rule_type, &found.field_name, found.datasource.as_deref());
            VerdictDifference { demand, ..found }
        };
        let differences = row.differences.map(|json| json.0).unwrap_or_default();
        Self {
            email_id: row.email_id,
            subject: row.subject,
            sender_email: row.sender_email,
            received_at: row.received_at,
            outcome: row.outcome,
            before: row.before.0,
            after: row.after.map(|json| json.0),
            verdict_differences: differences.into_iter().map(as_kept).collect(),
            field_differences: row.field_differences.map(|json| json.0).unwrap_or_default(),
        }
    }
}

/// What is run. As it was stored, it may be of another version's form.
#[derive(sqlx::FromRow)]
pub struct Stored {
    pub intent: Json<Value>,
    pub rules: Json<Value>,
    pub revision: i64,
}

/// Writes a backtest over the latest messages that are decided.
pub async fn insert(
    tx: &mut TenantTx,
    id: BacktestId,
    replaces: Option<IntentId>,
    draft: (&Intent, &[ValidationRule]),
    revision: i64,
    by: &str,
    last: i64,
) -> sqlx::Result<()> {
    let tenant = tx.tenant().clone();
    sqlx::query(
        "INSERT INTO backtests (tenant_id, backtest_id, intent_id, intent, rules, revision, created_by) \
         VALUES ($1, $2, $3, $4, $5, $6, $7)",
    )
    .bind(tenant.as_str())
    .bind(id)
    .bind(replaces)
    .bind(Json(draft.0))
    .bind(Json(draft.1))
    .bind(revision)
    .bind(by)
    .execute(tx.conn())
    .await?;
    // Planned anew each time, by how many are asked for: a plan for any number reads and sorts all that there are.
    sqlx::query(
        "INSERT INTO backtest_messages (tenant_id, backtest_id, email_id) SELECT $1, $2, email_id FROM emails \
         WHERE tenant_id = $1 AND decision IS NOT NULL ORDER BY email_id DESC LIMIT $3",
    )
    .persistent(false)
    .bind(tenant.as_str())
    .bind(id)
    .bind(last)
    .execute(tx.conn())
    .await
    .map(drop)
}

pub async fn count(tx: &mut TenantTx) -> sqlx::Result<i64> {
    let tenant = tx.tenant().clone();
    sqlx::query_scalar("SELECT count(*) FROM backtests WHERE tenant_id = $1")
        .bind(tenant.as_str())
        .fetch_one(tx.conn())
        .await
}

/// How many of those that somebody began have not ended.
pub async fn count_under_way(tx: &mut TenantTx, by: &str) -> sqlx::Result<i64> {
    let tenant = tx.tenant().clone();
    sqlx::query_scalar(
        "SELECT count(*) FROM backtests WHERE tenant_id = $1 AND created_by = $2 AND finished_at IS NULL",
    )
    .bind(tenant.as_str())
    .bind(by)
    .fetch_one(tx.conn())
    .await
}

/// Takes away those that ended more than `days` days ago.
pub async fn delete_old(tx: &mut TenantTx, days: i32) -> sqlx::Result<()> {
    let tenant = tx.tenant().clone();
    sqlx::query(
        "DELETE FROM backtests WHERE tenant_id = $1 AND finished_at < now() - make_interval(days => $2)",
    )
    .bind(tenant.as_str())
    .bind(days)
    .execute(tx.conn())
    .await
    .map(drop)
}

/// Takes away up to `count` of those that ended, the first that did first; what another takes away is passed by. Gives how
/// many went.
pub async fn delete_ended(tx: &mut TenantTx, count: i64) -> sqlx::Result<u64> {
    let tenant = tx.tenant().clone();
    let done = sqlx::query(
        "DELETE FROM backtests WHERE tenant_id = $1 AND backtest_id = ANY (ARRAY( \
           SELECT backtest_id FROM backtests WHERE tenant_id = $1 AND finished_at IS NOT NULL \
           ORDER BY finished_at, backtest_id LIMIT $2 FOR UPDATE SKIP LOCKED))",
    )
    .bind(tenant.as_str())
    .bind(count)
    .execute(tx.conn())
    .await?;
    Ok(done.rows_affected())
}

/// Newest first, before the id `before`; one alone where it is named. The counts are taken from the messages, so
/// that they hold whatever becomes of a message.
pub async fn list(
    tx: &mut TenantTx,
    only: Option<BacktestId>,
    before: Option<BacktestId>,
    limit: i64,
) -> sqlx::Result<Vec<Backtest>> {
    let tenant = tx.tenant().clone();
    let rows: Vec<Row> = sqlx::query_as(
        "SELECT b.backtest_id, b.status, b.intent_id, b.intent ->> 'name' AS intent_name, b.revision, b.note, \
           b.created_at, b.created_by, b.finished_at, m.* \
         FROM backtests b CROSS JOIN LATERAL (SELECT count(*) AS total, count(outcome) AS done, \
           count(*) FILTER (WHERE outcome = 'changed') AS changed, \
           count(*) FILTER (WHERE outcome = 'changed' AND before -> 'decision' <> after -> 'decision') \
             AS decided_otherwise, \
           count(*) FILTER (WHERE outcome = 'judged' \
             OR outcome = 'changed' AND before -> 'decision' = after -> 'decision') AS judged_otherwise, \
           count(*) FILTER (WHERE outcome = 'extracted') AS extracted_otherwise, \
           count(*) FILTER (WHERE outcome = 'drifted') AS drifted, \
           count(*) FILTER (WHERE outcome = 'skipped') AS skipped, \
           count(*) FILTER (WHERE outcome = 'error') AS errors FROM backtest_messages m \
           WHERE m.tenant_id = b.tenant_id AND m.backtest_id = b.backtest_id) m \
         WHERE b.tenant_id = $1 AND ($2::uuid IS NULL OR b.backtest_id = $2) \
         AND ($3::uuid IS NULL OR b.backtest_id < $3) ORDER BY b.backtest_id DESC LIMIT $4",
    )
    .bind(tenant.as_str())
    .bind(only)
    .bind(before)
    .bind(limit)
    .fetch_all(tx.conn())
    .await?;
    Ok(rows.into_iter().map(|row| row.into_backtest(tx)).collect())
}

pub async fn find(tx: &mut TenantTx, id: BacktestId) -> sqlx::Result<Option<Backtest>> {
    Ok(list(tx, Some(id), None, 1).await?.pop())
}

/// The messages of one outcome, the latest first, before the id `before`.
pub async fn changes(
    tx: &mut TenantTx,
    id: BacktestId,
    outcome: BacktestOutcome,
    before: Option<EmailId>,
    limit: i64,
) -> sqlx::Result<Vec<BacktestChange>> {
    let tenant = tx.tenant().clone();
    let rows: Vec<ChangeRow> = sqlx::query_as(
        "SELECT m.email_id, e.subject, e.sender_email, e.received_at, m.outcome, m.before, m.after, m.differences, \
           m.field_differences \
         FROM backtest_messages m JOIN emails e ON e.tenant_id = m.tenant_id AND e.email_id = m.email_id \
         WHERE m.tenant_id = $1 AND m.backtest_id = $2 AND m.outcome = $3 AND ($4::uuid IS NULL OR m.email_id < $4) \
         ORDER BY m.email_id DESC LIMIT $5",
    )
    .bind(tenant.as_str())
    .bind(id)
    .bind(outcome.as_str())
    .bind(before)
    .bind(limit)
    .fetch_all(tx.conn())
    .await?;
    Ok(rows.into_iter().map(BacktestChange::from).collect())
}

/// Its messages' outcomes and its job go with it.
pub async fn delete(tx: &mut TenantTx, id: BacktestId) -> sqlx::Result<bool> {
    let tenant = tx.tenant().clone();
    let done = sqlx::query("DELETE FROM backtests WHERE tenant_id = $1 AND backtest_id = $2")
        .bind(tenant.as_str())
        .bind(id)
        .execute(tx.conn())
        .await?;
    Ok(done.rows_affected() == 1)
}

/// Reads a backtest to go on with it, and marks it as running.
pub async fn take_up(tx: &mut TenantTx, id: BacktestId) -> sqlx::Result<Option<Stored>> {
    let tenant = tx.tenant().clone();
    sqlx::query_as(
        "UPDATE backtests SET status = 'running' WHERE tenant_id = $1 AND backtest_id = $2 \
         RETURNING intent, rules, revision",
    )
    .bind(tenant.as_str())
    .bind(id)
    .fetch_optional(tx.conn())
    .await
}

/// The next message that was not run yet.
pub async fn next(tx: &mut TenantTx, id: BacktestId) -> sqlx::Result<Option<EmailId>> {
    let tenant = tx.tenant().clone();
    sqlx::query_scalar(
        "SELECT email_id FROM backtest_messages WHERE tenant_id = $1 AND backtest_id = $2 AND outcome IS NULL \
         ORDER BY email_id DESC LIMIT 1",
    )
    .bind(tenant.as_str())
    .bind(id)
    .fetch_optional(tx.conn())
    .await
}

/// What came of a message.
pub async fn store(
    tx: &mut TenantTx,
    id: BacktestId,
    email: EmailId,
    before: &Before,
    compared: Option<&Compared>,
    outcome: BacktestOutcome,
) -> sqlx::Result<()> {
    let tenant = tx.tenant().clone();
    sqlx::query(
        "UPDATE backtest_messages SET outcome = $4, before = $5, after = $6, differences = $7, field_differences = $8 \
         WHERE tenant_id = $1 AND backtest_id = $2 AND email_id = $3",
    )
    .bind(tenant.as_str())
    .bind(id)
    .bind(email)
    .bind(outcome.as_str())
    .bind(Json(before))
    .bind(compared.map(|compared| Json(&compared.after)))
    .bind(compared.map(|compared| Json(&compared.differences)))
    .bind(compared.map(|compared| Json(&compared.field_differences)))
    .execute(tx.conn())
    .await
    .map(drop)
}

pub async fn end(
    tx: &mut TenantTx,
    id: BacktestId,
    status: BacktestStatus,
    note: Option<&str>,
) -> sqlx::Result<()> {
    let tenant = tx.tenant().clone();
    sqlx::query(
        "UPDATE backtests SET status = $3, note = $4, finished_at = now() WHERE tenant_id = $1 AND backtest_id = $2",
    )
    .bind(tenant.as_str())
    .bind(id)
    .bind(status.as_str())
    .bind(note)
    .execute(tx.conn())
    .await
    .map(drop)
}
