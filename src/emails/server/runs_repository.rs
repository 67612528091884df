//! SQL of what a message came to before.
//!
//! `emails` holds what the last run came to, with a person's word over it; the next run writes over both. What a run came to
//! is kept before that, once: the first of what stood under its number, which is FlowEngine's own where a person decided
//! after it. People's words stand in the audit log. A message that was given up has found nothing and has no number: what the
//! run before it came to stays kept.

use chrono::{DateTime, Utc};
use serde_json::{Map, Value};
use sqlx::types::Json;

use super::repository::{self, intent_today};
use crate::{
    emails::dto::{Classification, Decision, EmailIntent, EmailRun},
    server::{TenantTx, paging::Page},
    shared::{EmailId, IntentId},
};

/// How a statement begins that writes over the message `$2` of the tenant `$1`: what its last run came to is kept, as it
/// stood before the statement. While the message waits it is kept already, by whoever had it run. In the statement itself,
/// so that nobody forgets it and it costs no round trip; whoever calls has the message's job or row locked, or a run that
/// ends at this moment would be missed.
macro_rules! keeping_run {
    ($($only:literal)?) => {
        concat!(
            "WITH kept AS (INSERT INTO email_runs (tenant_id, email_id, run, intent_id, intent_name, decision, \
               decided_by, decided_at, explanation, fields, classification, parse_error, intent_version, \
               configuration_revision) \
             SELECT tenant_id, email_id, run, intent_id, intent_name, decision, \
               decided_by, decided_at, explanation, \
               (SELECT coalesce(jsonb_object_agg(key, value), '{}') FROM jsonb_each(fields) WHERE key NOT LIKE 'header.%' \
                 AND key NOT IN ('body', 'new_text')), \
               classification, parse_error, intent_version, configuration_revision FROM emails \
             WHERE tenant_id = $1 AND email_id = $2 AND run > 0 AND status = 'done' AND decision IS NOT NULL ",
            $($only,)?
            " ON CONFLICT DO NOTHING) "
        )
    };
}
pub(super) use keeping_run;

/// Whether a row of `email_runs e` tells what its message does not tell itself. A decision that was taken back stands again;
/// what a message waits for stands in the place of why it was decided.
macro_rules! is_past {
    () => {
        "NOT EXISTS (SELECT FROM emails m WHERE m.tenant_id = e.tenant_id AND m.email_id = e.email_id AND m.run = e.run \
           AND (m.decided_at, m.explanation) IS NOT DISTINCT FROM (e.decided_at, e.explanation))"
    };
}

#[derive(sqlx::FromRow)]
struct Row {
    run: i32,
    intent_id: Option<IntentId>,
    intent_name: Option<String>,
    intent_version: Option<i32>,
    configuration_revision: Option<i64>,
    decision: Decision,
    decided_by: Option<String>,
    decided_at: Option<DateTime<Utc>>,
    explanation: String,
    parse_error: Option<String>,
    classification: Option<Json<Classification>>,
    fields: Json<Map<String, Value>>,
}

/// What a message came to before, the last first; below the run that the page goes on from.
pub async fn page_of(tx: &mut TenantTx, id: EmailId, page: Page<i32>) -> sqlx::Result<Vec<EmailRun>> {
    let tenant = tx.tenant().clone();
    let rows: Vec<Row> = sqlx::query_as(concat!(
        "SELECT run, ",
        intent_today!(),
        ", intent_name, intent_version, configuration_revision, decision, decided_by, decided_at, explanation, \
         parse_error, classification, fields FROM email_runs e \
         WHERE tenant_id = $1 AND email_id = $2 AND ($3::int IS NULL OR run < $3) AND ",
        is_past!(),
        " ORDER BY run DESC LIMIT $4"
    ))
    .bind(tenant.as_str())
    .bind(id)
    .bind(page.cursor)
    .bind(page.limit)
    .fetch_all(tx.conn())
    .await?;
    if rows.is_empty() {
        return Ok(Vec::new());
    }
    let numbers: Vec<i32> = rows.iter().map(|row| row.run).collect();
    let mut runs: Vec<EmailRun> = rows.into_iter().map(EmailRun::from).collect();
    for (number, verdict) in repository::verdicts_of(tx, id, &numbers).await? {
        if let Some(run) = runs.iter_mut().find(|run| run.run == number) {
            run.verdicts.push(verdict);
        }
    }
    Ok(runs)
}

impl From<Row> for EmailRun {
    fn from(row: Row) -> Self {
        Self {
            run: row.run,
            intent: row.intent_name.map(|name| EmailIntent { intent_id: row.intent_id, name }),
            intent_version: row.intent_version,
            configuration_revision: row.configuration_revision,
            decision: row.decision,
            decided_by: row.decided_by,
            decided_at: row.decided_at,
            explanation: row.explanation,
            parse_error: row.parse_error,
            classification: row.classification.map(|json| json.0),
            fields: row.fields.0,
            verdicts: Vec::new(),
        }
    }
}

/// How many of them there are.
pub async fn count(tx: &mut TenantTx, id: EmailId) -> sqlx::Result<i64> {
    let tenant = tx.tenant().clone();
    sqlx::query_scalar(concat!(
        "SELECT count(*) FROM email_runs e WHERE tenant_id = $1 AND email_id = $2 AND ",
        is_past!()
    ))
    .bind(tenant.as_str())
    .bind(id)
    .fetch_one(tx.conn())
    .await
}
