//! SQL of messages and verdicts.

use chrono::{DateTime, Utc};
use serde_json::{Map, Value};
use sqlx::types::Json;

use super::{fields, runs_repository::keeping_run};
use crate::{
    emails::dto::{
        Classification, Decision, Email, EmailDetail, EmailIntent, EmailStatus, Envelope, Evidence,
        VerdictEntry,
    },
    intents::{dto::Intent, server::matching::Requested},
    rules::{
        dto::{OnFail, RuleType, Verdict},
        words::kept_words,
    },
    server::{TenantTx, queue::Job},
    shared::{EmailId, IntentId, MailboxId, RuleId, WordId},
};

/// Who decided, where it was no person.
pub const DECIDED_BY: &str = "FlowEngine";

/// A message that comes in.
#[derive(Debug)]
pub struct NewEmail<'a> {
    pub email_id: EmailId,
    pub source: &'a str,
    pub message_id: &'a str,
    pub content_hash: [u8; 32],
    pub raw: &'a [u8],
    pub parse_error: Option<&'a str>,
    pub sender_email: &'a str,
    pub sender_name: &'a str,
    pub recipient_email: &'a str,
    pub subject: &'a str,
    pub preview: &'a str,
    pub received_at: DateTime<Utc>,
    pub requested_intent: Option<&'a Intent>,
    pub mailbox: Option<MailboxId>,
    pub envelope: Option<&'a Envelope>,
    pub fields: Map<String, Value>,
}

/// What processing stores.
#[derive(Debug)]
pub struct Outcome<'a> {
    pub intent: Option<&'a Intent>,
    /// The state of the intents that it was held against.
    pub revision: i64,
    pub classification: &'a Classification,
    pub fields: Map<String, Value>,
    pub preview: &'a str,
    pub parse_error: Option<&'a str>,
    pub decision: Decision,
    pub explanation: &'a str,
    pub verdicts: &'a [&'a VerdictEntry],
}

/// A message as lists show it.
#[derive(sqlx::FromRow)]
pub(super) struct Row {
    pub(super) email_id: EmailId,
    message_id: String,
    sender_email: String,
    sender_name: String,
    recipient_email: String,
    subject: String,
    preview: String,
    received_at: DateTime<Utc>,
    status: EmailStatus,
    intent_id: Option<IntentId>,
    intent_name: Option<String>,
    decision: Option<Decision>,
    decided_at: Option<DateTime<Utc>>,
    explanation: String,
    parse_error: Option<String>,
    labels: Vec<String>,
}

impl Row {
    pub(super) fn into_email(self, tx: &TenantTx) -> Email {
        Email {
            email_id: self.email_id,
            tenant_id: tx.tenant().clone(),
            message_id: self.message_id,
            sender_email: self.sender_email,
            sender_name: self.sender_name,
            recipient_email: self.recipient_email,
            subject: self.subject,
            preview: self.preview,
            received_at: self.received_at,
            status: self.status,
            intent: self.intent_name.map(|name| EmailIntent { intent_id: self.intent_id, name }),
            decision: self.decision,
            decided_at: self.decided_at,
            explanation: self.explanation,
            parse_error: self.parse_error,
            labels: self.labels,
        }
    }
}

#[derive(sqlx::FromRow)]
struct DetailRow {
    #[sqlx(flatten)]
    email: Row,
    fields: Json<Map<String, Value>>,
    classification: Option<Json<Classification>>,
    decided_by: Option<String>,
    envelope: Option<Json<Envelope>>,
    run: i32,
    intent_version: Option<i32>,
    configuration_revision: Option<i64>,
}

#[derive(sqlx::FromRow)]
struct VerdictRow {
    rule_id: RuleId,
    rule_type: RuleType,
    field_name: String,
    datasource_name: Option<String>,
    /// Empty where a server of before kept none.
    demand: String,
    on_fail: OnFail,
    verdict: Verdict,
    reason: String,
    evidence: Json<Evidence>,
    duration_ms: f64,
}

/// What a rule said at one of several runs.
#[derive(sqlx::FromRow)]
struct RunVerdictRow {
    run: i32,
    #[sqlx(flatten)]
    verdict: VerdictRow,
}

impl From<VerdictRow> for VerdictEntry {
    fn from(row: VerdictRow) -> Self {
        let demand = kept_words(row.demand, row.rule_type, &row.field_name, row.datasource_name.as_deref());
        Self {
            rule_id: row.rule_id,
            rule_type: row.rule_type,
            field_name: row.field_name,
            datasource: row.datasource_name,
            demand,
            on_fail: row.on_fail,
            verdict: row.verdict,
            reason: row.reason,
            evidence: row.evidence.0,
            duration_ms: row.duration_ms,
        }
    }
}

/// Who says something of a message, and what takes it back.
#[derive(Clone, Copy, Debug)]
pub struct Speaker<'a> {
    pub word: WordId,
    /// Nobody else takes it back.
    pub identity: &'a str,
    /// As it stands beside what they said.
    pub label: &'a str,
}

/// How a message stands: what its routes go by.
#[derive(Debug, sqlx::FromRow)]
pub struct Standing {
    /// As it is stored, also of an intent that was deleted since: its deliveries have it too.
    pub intent_id: Option<IntentId>,
    pub intent_name: Option<String>,
    pub decision: Option<Decision>,
    pub run: i32,
    pub configuration_revision: Option<i64>,
    pub has_deliveries: bool,
    pub decided_by: Option<String>,
    /// How long ago it was decided. Unit: seconds.
    pub decided_ago: Option<f64>,
    /// How long ago a person gave it the intent that it was run with, or had it run again, on the screen. Unit: seconds.
    pub run_by_word_ago: Option<f64>,
}

/// A message whose intent a person corrected, before it is run with it.
#[derive(sqlx::FromRow)]
pub struct Uncorrected {
    /// As they were last read.
    pub fields: Json<Map<String, Value>>,
    /// The intent that it had, if any: by a correction that it was not run with yet, that one.
    pub intent_name: Option<String>,
}

/// What a worker reads of a message.
#[derive(sqlx::FromRow)]
pub struct Stored {
    pub raw: Vec<u8>,
    pub received_at: DateTime<Utc>,
    requested_intent: Option<String>,
    requested_intent_id: Option<IntentId>,
    is_requested_by_name: bool,
    /// Who said so, if a person did; without an intent they said that it belongs to none.
    pub corrected_by: Option<String>,
    /// The state of the intents that it is to be held against, where that is not today's.
    pub requested_revision: Option<i64>,
    pub envelope: Option<Json<Envelope>>,
}

impl Stored {
    /// The intent that was asked for.
    pub fn requested(&self) -> Option<Requested> {
        let name = self.requested_intent.clone()?;
        Some(Requested { id: self.requested_intent_id, name, is_by_name: self.is_requested_by_name })
    }
}

/// The columns of `Stored`, of a row of `emails e`.
macro_rules! stored_columns {
    () => {
        "raw, received_at, requested_intent, requested_intent_id, NOT EXISTS (SELECT FROM intents i \
           WHERE i.tenant_id = e.tenant_id AND i.intent_id = e.requested_intent_id) AS is_requested_by_name, \
         corrected_by, requested_revision, envelope"
    };
}

/// The columns of `Standing`, of a row of `emails e`.
macro_rules! standing_columns {
    () => {
        "intent_id, intent_name, decision, run, configuration_revision, EXISTS (SELECT FROM deliveries d \
           WHERE d.tenant_id = e.tenant_id AND d.email_id = e.email_id) AS has_deliveries, decided_by, \
         extract(epoch FROM now() - decided_at)::float8 AS decided_ago, \
         CASE WHEN undo ->> 'what' IN ('intent', 'run') AND undo ->> 'actor' LIKE 'user %' \
             AND coalesce((undo ->> 'is_held')::boolean, true) \
           THEN extract(epoch FROM now() - (undo ->> 'at')::timestamptz)::float8 END AS run_by_word_ago"
    };
}

/// The intent of a row of `emails e`, if it was not deleted since: a message keeps its id.
macro_rules! intent_today {
    () => {
        "(SELECT i.intent_id FROM intents i WHERE i.tenant_id = e.tenant_id AND i.intent_id = e.intent_id) AS intent_id"
    };
}
pub(crate) use intent_today;

/// The intent that a row of `emails e` asks for, as it is called today: the one of that id, else the one of that name. It
/// stays until the transaction ends.
macro_rules! requested_today {
    ($column:literal) => {
        concat!(
            "(SELECT i.",
            $column,
            " FROM intents i WHERE i.tenant_id = e.tenant_id \
               AND (i.intent_id = e.requested_intent_id OR i.name = e.requested_intent) \
               ORDER BY i.intent_id = e.requested_intent_id DESC NULLS LAST LIMIT 1 FOR KEY SHARE)"
        )
    };
}
pub(super) use requested_today;

/// `None` where the same message from the same source is there already, or was fetched and is deleted since.
pub async fn insert(tx: &mut TenantTx, email: &NewEmail<'_>) -> sqlx::Result<Option<EmailId>> {
    let tenant = tx.tenant().clone();
    sqlx::query_scalar(
        "INSERT INTO emails (tenant_id, email_id, source, message_id, content_hash, raw, parse_error, \
         sender_email, sender_name, recipient_email, subject, received_at, requested_intent, \
         requested_intent_id, fields, mailbox_id, envelope, preview) \
         SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18 \
         WHERE NOT EXISTS (SELECT FROM taken_messages t \
           WHERE t.tenant_id = $1 AND t.mailbox_id = $16 AND t.content_hash = $5) \
         ON CONFLICT ON CONSTRAINT uq_eivs_emails_tenant_message DO NOTHING RETURNING email_id",
    )
    .bind(tenant.as_str())
    .bind(email.email_id)
    .bind(email.source)
    .bind(email.message_id)
    .bind(email.content_hash.as_slice())
    .bind(email.raw)
    .bind(email.parse_error)
    .bind(email.sender_email)
    .bind(email.sender_name)
    .bind(email.recipient_email)
    .bind(email.subject)
    .bind(email.received_at)
    .bind(email.requested_intent.map(|intent| intent.name.as_str()))
    .bind(email.requested_intent.map(|intent| intent.intent_id))
    .bind(Json(&email.fields))
    .bind(email.mailbox)
    .bind(email.envelope.map(Json))
    .bind(email.preview)
    .fetch_optional(tx.conn())
    .await
}

pub async fn find_duplicate(tx: &mut TenantTx, email: &NewEmail<'_>) -> sqlx::Result<(EmailId, EmailStatus)> {
    let tenant = tx.tenant().clone();
    sqlx::query_as(
        "SELECT email_id, status FROM emails WHERE tenant_id = $1 AND source = $2 AND content_hash = $3 \
         UNION ALL SELECT email_id, 'done' FROM taken_messages \
         WHERE tenant_id = $1 AND mailbox_id = $4 AND content_hash = $3 LIMIT 1",
    )
    .bind(tenant.as_str())
    .bind(email.source)
    .bind(email.content_hash.as_slice())
    .bind(email.mailbox)
    .fetch_one(tx.conn())
    .await
}

/// Those of these content hashes whose messages are there from this source.
pub async fn known(tx: &mut TenantTx, source: &str, hashes: &[[u8; 32]]) -> sqlx::Result<Vec<[u8; 32]>> {
    let tenant = tx.tenant().clone();
    // Each is looked for by itself: held against a list, every message of the source would be.
    sqlx::query_scalar(
        "SELECT found.content_hash FROM unnest($3::bytea[]) AS h (hash) CROSS JOIN LATERAL ( \
           SELECT e.content_hash FROM emails e \
           WHERE e.tenant_id = $1 AND e.source = $2 AND e.content_hash = h.hash OFFSET 0) AS found",
    )
    .bind(tenant.as_str())
    .bind(source)
    .bind(hashes)
    .fetch_all(tx.conn())
    .await
}

pub async fn find(tx: &mut TenantTx, id: EmailId) -> sqlx::Result<Option<EmailDetail>> {
    let tenant = tx.tenant().clone();
    let row: Option<DetailRow> = sqlx::query_as(concat!(
        "SELECT email_id, message_id, sender_email, sender_name, recipient_email, subject, preview, received_at, status, ",
        intent_today!(),
        ", intent_name, decision, explanation, parse_error, fields, classification, decided_by, \
         decided_at, envelope, run, intent_version, configuration_revision, ARRAY(SELECT label FROM email_labels l WHERE l.tenant_id = e.tenant_id \
           AND l.email_id = e.email_id ORDER BY label) AS labels FROM emails e WHERE tenant_id = $1 AND email_id = $2",
    ))
    .bind(tenant.as_str())
    .bind(id)
    .fetch_optional(tx.conn())
    .await?;
    let Some(row) = row else { return Ok(None) };
    let verdicts = verdicts_of(tx, id, &[row.run]).await?;
    Ok(Some(EmailDetail {
        email: row.email.into_email(tx),
        fields: fields::restored(row.fields.0),
        classification: row.classification.map(|json| json.0),
        decided_by: row.decided_by,
        envelope: row.envelope.map(|json| json.0),
        run: row.run,
        intent_version: row.intent_version,
        configuration_revision: row.configuration_revision,
        verdicts: verdicts.into_iter().map(|(_, verdict)| verdict).collect(),
        deliveries: Vec::new(),
    }))
}

/// What the rules said at these runs of the message, with the run's number; of each run in their order.
pub(super) async fn verdicts_of(
    tx: &mut TenantTx,
    id: EmailId,
    runs: &[i32],
) -> sqlx::Result<Vec<(i32, VerdictEntry)>> {
    let tenant = tx.tenant().clone();
    let rows: Vec<RunVerdictRow> = sqlx::query_as(
        "SELECT run, rule_id, rule_type, field_name, datasource_name, demand, on_fail, verdict, reason, evidence, \
         duration_ms FROM verdicts WHERE tenant_id = $1 AND email_id = $2 AND run = ANY ($3) ORDER BY run, position",
    )
    .bind(tenant.as_str())
    .bind(id)
    .bind(runs)
    .fetch_all(tx.conn())
    .await?;
    Ok(rows.into_iter().map(|row| (row.run, row.verdict.into())).collect())
}

/// The bytes as they came.
pub async fn raw(tx: &mut TenantTx, id: EmailId) -> sqlx::Result<Option<Vec<u8>>> {
    let tenant = tx.tenant().clone();
    sqlx::query_scalar("SELECT raw FROM emails WHERE tenant_id = $1 AND email_id = $2")
        .bind(tenant.as_str())
        .bind(id)
        .fetch_optional(tx.conn())
        .await
}

/// Reads a message as `take_up` does, and leaves it as it is.
pub async fn stored(tx: &mut TenantTx, id: EmailId) -> sqlx::Result<Option<Stored>> {
    let tenant = tx.tenant().clone();
    sqlx::query_as(concat!(
        "SELECT ",
        stored_columns!(),
        " FROM emails e WHERE tenant_id = $1 AND email_id = $2"
    ))
    .bind(tenant.as_str())
    .bind(id)
    .fetch_optional(tx.conn())
    .await
}

/// Reads the message of a job for processing, and marks it as such; `None` where the job is another worker's.
pub async fn take_up(tx: &mut TenantTx, job: &Job<EmailId>) -> sqlx::Result<Option<Stored>> {
    let tenant = tx.tenant().clone();
    // One statement, as each costs a round trip; the job is locked first, as everywhere.
    sqlx::query_as(concat!(
        "WITH mine AS (SELECT subject FROM jobs WHERE tenant_id = $1 AND job_id = $2 AND lock_token = $3 FOR UPDATE) \
         UPDATE emails e SET status = 'processing' FROM mine \
         WHERE e.tenant_id = $1 AND e.email_id = mine.subject RETURNING ",
        stored_columns!()
    ))
    .bind(tenant.as_str())
    .bind(job.job_id)
    .bind(job.token)
    .fetch_optional(tx.conn())
    .await
}

/// Notes which intent a person says the message has, and puts it back into the queue's sight. What the run will write
/// over is kept, and of which intent, or of none, the message was an `example`. `is_held` says whether what the run comes to
/// is held back, since they are offered to take it back. How it stood before; `None` where there is no such message.
pub async fn correct(
    tx: &mut TenantTx,
    id: EmailId,
    intent: Option<&Intent>,
    example: Option<Option<IntentId>>,
    by: Speaker<'_>,
    is_held: bool,
) -> sqlx::Result<Option<Uncorrected>> {
    let tenant = tx.tenant().clone();
    sqlx::query_as(concat!(
        keeping_run!(),
        "UPDATE emails SET status = 'queued', requested_intent = $3, requested_intent_id = $7, corrected_by = $4, \
         requested_revision = NULL, undo = jsonb_build_object('what', 'intent', 'word', $5::uuid, 'actor', $6::text, 'at', now(), \
           'decision', decision, 'decided_by', decided_by, 'decided_at', decided_at, 'explanation', explanation, \
           'is_done', status = 'done', 'is_restored', undo ->> 'what' = 'restored', \
           'run', run, 'requested_intent', requested_intent, 'requested_intent_id', requested_intent_id, \
           'corrected_by', corrected_by, 'was_example', $8::boolean, 'example_intent_id', $9::bigint, \
           'requested_revision', requested_revision, 'intent_id', intent_id, 'intent_name', intent_name, \
           'classification', classification, 'fields', fields, 'parse_error', parse_error, \
           'intent_version', intent_version, 'configuration_revision', configuration_revision, \
           'is_held', $10::boolean) \
         WHERE tenant_id = $1 AND email_id = $2 RETURNING fields, \
         CASE WHEN NOT (undo ->> 'is_done')::boolean AND undo ->> 'corrected_by' IS NOT NULL \
           THEN undo ->> 'requested_intent' ELSE intent_name END AS intent_name"
    ))
    .bind(tenant.as_str())
    .bind(id)
    .bind(intent.map(|intent| intent.name.as_str()))
    .bind(by.label)
    .bind(by.word)
    .bind(by.identity)
    .bind(intent.map(|intent| intent.intent_id))
    .bind(example.is_some())
    .bind(example.flatten())
    .bind(is_held)
    .fetch_optional(tx.conn())
    .await
}

/// Notes which intent is asked for, in the place of what was asked for or said of it before.
pub async fn request(tx: &mut TenantTx, id: EmailId, intent: &Intent) -> sqlx::Result<bool> {
    let tenant = tx.tenant().clone();
    let done = sqlx::query(
        "UPDATE emails SET requested_intent = $3, requested_intent_id = $4, corrected_by = NULL \
         WHERE tenant_id = $1 AND email_id = $2",
    )
    .bind(tenant.as_str())
    .bind(id)
    .bind(&intent.name)
    .bind(intent.intent_id)
    .execute(tx.conn())
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Puts a message back into the queue's sight, to be held against today's intents, or against an earlier state of
/// them. What the run will write over is kept where it is somebody's word, so that they can take it back.
pub async fn run_again(
    tx: &mut TenantTx,
    id: EmailId,
    revision: Option<i64>,
    by: Option<Speaker<'_>>,
) -> sqlx::Result<bool> {
    let tenant = tx.tenant().clone();
    let done = sqlx::query(concat!(
        keeping_run!(),
        "UPDATE emails SET status = 'queued', requested_revision = $3, \
         undo = CASE WHEN $4::uuid IS NOT NULL THEN jsonb_build_object('what', 'run', 'word', $4::uuid, \
           'actor', $5::text, 'at', now(), \
           'decision', decision, 'decided_by', decided_by, 'decided_at', decided_at, 'explanation', explanation, \
           'is_done', status = 'done', 'is_restored', undo ->> 'what' = 'restored', 'run', run, \
           'requested_revision', requested_revision, 'intent_id', intent_id, 'intent_name', intent_name, \
           'classification', classification, 'fields', fields, 'parse_error', parse_error, \
           'intent_version', intent_version, 'configuration_revision', configuration_revision) END \
         WHERE tenant_id = $1 AND email_id = $2"
    ))
    .bind(tenant.as_str())
    .bind(id)
    .bind(revision)
    .bind(by.map(|by| by.word))
    .bind(by.map(|by| by.identity))
    .execute(tx.conn())
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Puts a message back into the queue's sight after a try. `note` says what it waits for.
pub async fn requeue(tx: &mut TenantTx, id: EmailId, note: &str) -> sqlx::Result<bool> {
    let tenant = tx.tenant().clone();
    let done = sqlx::query(
        "UPDATE emails SET status = 'queued', explanation = $3 \
         WHERE tenant_id = $1 AND email_id = $2",
    )
    .bind(tenant.as_str())
    .bind(id)
    .bind(note)
    .execute(tx.conn())
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Stores what processing came to: a new run, with its verdicts. Gives how the message stands then: with the decision of
/// a person, where it is one that stands again after this run.
pub async fn store_outcome(tx: &mut TenantTx, id: EmailId, outcome: &Outcome<'_>) -> sqlx::Result<Standing> {
    let tenant = tx.tenant().clone();
    let standing: Standing = sqlx::query_as(concat!(
        "UPDATE emails AS e SET status = 'done', run = run + 1, \
         intent_id = (SELECT i.intent_id FROM intents i WHERE i.tenant_id = $1 AND i.intent_id = $3 \
           FOR KEY SHARE), \
         intent_name = $4, classification = $5, fields = $6, preview = $13, parse_error = $7, \
         decision = CASE WHEN undo ->> 'what' = 'restored' THEN decision ELSE $8 END, \
         explanation = CASE WHEN undo ->> 'what' = 'restored' THEN undo ->> 'explanation' ELSE $9 END, \
         decided_by = CASE WHEN undo ->> 'what' = 'restored' THEN decided_by ELSE $12 END, \
         decided_at = CASE WHEN undo ->> 'what' = 'restored' THEN decided_at ELSE now() END, \
         intent_version = $10, configuration_revision = $11, requested_revision = NULL, \
         undo = CASE WHEN undo ->> 'what' IN ('intent', 'run') THEN undo END \
         WHERE tenant_id = $1 AND email_id = $2 \
         RETURNING ",
        standing_columns!()
    ))
    .bind(tenant.as_str())
    .bind(id)
    .bind(outcome.intent.map(|intent| intent.intent_id))
    .bind(outcome.intent.map(|intent| intent.name.as_str()))
    .bind(Json(outcome.classification))
    .bind(Json(&outcome.fields))
    .bind(outcome.parse_error)
    .bind(outcome.decision.as_str())
    .bind(outcome.explanation)
    .bind(outcome.intent.map(|intent| intent.version))
    .bind(outcome.revision)
    .bind(DECIDED_BY)
    .bind(outcome.preview)
    .fetch_one(tx.conn())
    .await?;
    if outcome.verdicts.is_empty() {
        return Ok(standing);
    }
    let v = outcome.verdicts;
    // All verdicts in one statement: a round trip each would be the price of a run.
    sqlx::query(
        "INSERT INTO verdicts (tenant_id, email_id, run, position, rule_id, rule_type, field_name, \
         datasource_name, demand, on_fail, verdict, reason, evidence, duration_ms) \
         SELECT $1, $2, $3, * FROM unnest($4::int[], $5::bigint[], $6::text[], $7::text[], $8::text[], $9::text[], \
         $10::text[], $11::text[], $12::text[], $13::jsonb[], $14::float8[])",
    )
    .bind(tenant.as_str())
    .bind(id)
    .bind(standing.run)
    .bind((1..).take(v.len()).collect::<Vec<i32>>())
    .bind(v.iter().map(|verdict| verdict.rule_id.0).collect::<Vec<_>>())
    .bind(v.iter().map(|verdict| verdict.rule_type.as_str()).collect::<Vec<_>>())
    .bind(v.iter().map(|verdict| verdict.field_name.as_str()).collect::<Vec<_>>())
    .bind(v.iter().map(|verdict| verdict.datasource.as_deref()).collect::<Vec<_>>())
    .bind(v.iter().map(|verdict| verdict.demand.as_str()).collect::<Vec<_>>())
    .bind(v.iter().map(|verdict| verdict.on_fail.as_str()).collect::<Vec<_>>())
    .bind(v.iter().map(|verdict| verdict.verdict.as_str()).collect::<Vec<_>>())
    .bind(v.iter().map(|verdict| verdict.reason.replace('\0', "\u{fffd}")).collect::<Vec<_>>())
    .bind(v.iter().map(|verdict| Json(&verdict.evidence)).collect::<Vec<_>>())
    .bind(v.iter().map(|verdict| verdict.duration_ms).collect::<Vec<_>>())
    .execute(tx.conn())
    .await?;
    Ok(standing)
}

/// Keeps others from deciding the message until the transaction ends.
pub async fn lock(tx: &mut TenantTx, id: EmailId) -> sqlx::Result<()> {
    let tenant = tx.tenant().clone();
    sqlx::query("SELECT FROM emails WHERE tenant_id = $1 AND email_id = $2 FOR NO KEY UPDATE")
        .bind(tenant.as_str())
        .bind(id)
        .execute(tx.conn())
        .await
        .map(drop)
}

pub async fn standing(tx: &mut TenantTx, id: EmailId) -> sqlx::Result<Option<Standing>> {
    let tenant = tx.tenant().clone();
    sqlx::query_as(concat!(
        "SELECT ",
        standing_columns!(),
        " FROM emails e WHERE tenant_id = $1 AND email_id = $2"
    ))
    .bind(tenant.as_str())
    .bind(id)
    .fetch_optional(tx.conn())
    .await
}

/// A person's word. Gives the decision that it takes the place of, if there was one; `None` where there is no such message.
pub async fn decide(
    tx: &mut TenantTx,
    id: EmailId,
    decision: Decision,
    by: Speaker<'_>,
    explanation: &str,
) -> sqlx::Result<Option<Option<Decision>>> {
    let tenant = tx.tenant().clone();
    sqlx::query_scalar(concat!(
        keeping_run!(),
        // A correction that was not run yet holds all the same.
        "UPDATE emails e SET status = 'done', decision = $3, decided_by = $4, decided_at = now(), explanation = $5, \
         intent_name = CASE WHEN status <> 'done' AND corrected_by IS NOT NULL THEN coalesce(",
        requested_today!("name"),
        ", requested_intent) ELSE intent_name END, \
         intent_id = CASE WHEN status <> 'done' AND corrected_by IS NOT NULL THEN ",
        requested_today!("intent_id"),
        " ELSE intent_id END, \
         undo = jsonb_build_object('what', 'decision', 'word', $6::uuid, 'actor', $7::text, 'at', now(), \
           'decision', decision, 'decided_by', decided_by, 'decided_at', decided_at, 'explanation', explanation, \
           'is_done', status = 'done', 'is_restored', undo ->> 'what' = 'restored') \
         WHERE tenant_id = $1 AND email_id = $2 RETURNING undo ->> 'decision'"
    ))
    .bind(tenant.as_str())
    .bind(id)
    .bind(decision.as_str())
    .bind(by.label)
    .bind(explanation)
    .bind(by.word)
    .bind(by.identity)
    .fetch_optional(tx.conn())
    .await
}

/// Ends a message that could not be processed: it is for a person, unless one's decision was to stand again. No word of
/// theirs is this; a correction, or that it was to be run again, can still be taken back.
pub async fn put_up(tx: &mut TenantTx, id: EmailId, explanation: &str) -> sqlx::Result<bool> {
    let tenant = tx.tenant().clone();
    let done = sqlx::query(concat!(
        "UPDATE emails e SET status = 'done', \
         decision = CASE WHEN undo ->> 'what' = 'restored' THEN decision ELSE $3 END, \
         explanation = CASE WHEN undo ->> 'what' = 'restored' THEN undo ->> 'explanation' ELSE $4 END, \
         decided_by = CASE WHEN undo ->> 'what' = 'restored' THEN decided_by ELSE $5 END, \
         decided_at = CASE WHEN undo ->> 'what' = 'restored' THEN decided_at ELSE now() END, \
         intent_name = CASE WHEN corrected_by IS NOT NULL THEN coalesce(",
        requested_today!("name"),
        ", requested_intent) ELSE intent_name END, \
         intent_id = CASE WHEN corrected_by IS NOT NULL THEN ",
        requested_today!("intent_id"),
        " ELSE intent_id END, \
         undo = CASE WHEN undo ->> 'what' IN ('intent', 'run') THEN undo END WHERE tenant_id = $1 AND email_id = $2"
    ))
    .bind(tenant.as_str())
    .bind(id)
    .bind(Decision::Review.as_str())
    .bind(explanation)
    .bind(DECIDED_BY)
    .execute(tx.conn())
    .await?;
    Ok(done.rows_affected() == 1)
}
