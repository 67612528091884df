//! SQL of taking a person's word back.
//!
//! `undo` holds what a word took the place of: `what` it was about (`decision`, `intent` or `run`), the `word` and the
//! `actor` who said it, and how the message stood before. Of a correction it also says whether what follows from it
//! `is_held` back, as from those of the screen. Of a message that was to be run, again or with another intent, it also
//! holds what the run before had found: another run would find what holds today. Where a server of before did not note
//! that of a correction, and its run has ended, the message is run once more; `undo` then says that a person's decision is
//! `restored`, which that run leaves as it is.

use chrono::{DateTime, Utc};

use super::{
    repository::{DECIDED_BY, requested_today},
    runs_repository::keeping_run,
};
use crate::{
    server::TenantTx,
    shared::{EmailId, IntentId, WordId},
};

/// How long a word can be taken back, in seconds. What is sent because of it may be gone by then.
pub const PATIENCE: f64 = 120.0;

/// What a person's word on a message was about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum About {
    Decision,
    Intent,
    Run,
}

/// The last word on a message, if it is this actor's, and can still be taken back.
pub async fn last_of(tx: &mut TenantTx, id: EmailId, actor: &str) -> sqlx::Result<Option<WordId>> {
    let tenant = tx.tenant().clone();
    sqlx::query_scalar(
        "SELECT (undo ->> 'word')::uuid FROM emails WHERE tenant_id = $1 AND email_id = $2 \
         AND undo ->> 'word' IS NOT NULL AND undo ->> 'actor' = $4 \
         AND (undo ->> 'at')::timestamptz > now() - make_interval(secs => $3)",
    )
    .bind(tenant.as_str())
    .bind(id)
    .bind(PATIENCE)
    .bind(actor)
    .fetch_optional(tx.conn())
    .await
}

/// What a message's last word was about, if it was this one, of this actor, and can still be taken back. The message's
/// row is locked.
pub async fn last_word(
    tx: &mut TenantTx,
    id: EmailId,
    word: WordId,
    actor: &str,
) -> sqlx::Result<Option<(About, DateTime<Utc>)>> {
    let tenant = tx.tenant().clone();
    let said: Option<(String, DateTime<Utc>)> = sqlx::query_as(
        "SELECT undo ->> 'what', (undo ->> 'at')::timestamptz FROM emails WHERE tenant_id = $1 AND email_id = $2 \
         AND undo ->> 'word' = $4::uuid::text AND undo ->> 'actor' = $5 \
         AND (undo ->> 'at')::timestamptz > now() - make_interval(secs => $3) FOR UPDATE",
    )
    .bind(tenant.as_str())
    .bind(id)
    .bind(PATIENCE)
    .bind(word)
    .bind(actor)
    .fetch_optional(tx.conn())
    .await?;
    Ok(said.map(|(what, at)| {
        let about = match what.as_str() {
            "decision" => About::Decision,
            "run" => About::Run,
            _ => About::Intent,
        };
        (about, at)
    }))
}

/// How a message stands once a word on it is taken back.
#[derive(Debug, sqlx::FromRow)]
pub struct Restored {
    pub has_to_run: bool,
    /// Whether the word before it was a person's too.
    is_corrected: bool,
    is_requested: bool,
    /// The intent that was asked for before a word on it: `None` too where it is gone.
    intent_id: Option<IntentId>,
    /// Whether the message was an example before a word on its intent; `None` where a server of before did not note it.
    was_example: Option<bool>,
    is_example_of_intent: bool,
    /// That example's intent: `None` too where it is gone.
    example_intent_id: Option<IntentId>,
    /// The run whose findings stand again, where another one had ended.
    found_by: Option<i32>,
    run: i32,
}

impl Restored {
    /// The example that stood before a word on the message's intent: of an intent, or of none. What was said of an intent
    /// that is gone teaches nothing.
    pub fn example(&self) -> Option<Option<IntentId>> {
        let Some(was_example) = self.was_example else {
            let is_gone = self.is_requested && self.intent_id.is_none();
            return (self.is_corrected && !is_gone).then_some(self.intent_id);
        };
        let is_gone = self.is_example_of_intent && self.example_intent_id.is_none();
        (was_example && !is_gone).then_some(self.example_intent_id)
    }
}

/// Puts back how the message stood before the word. It has to run where it was not decided then, or where what was found
/// then is not known any more.
pub async fn restore(tx: &mut TenantTx, id: EmailId) -> sqlx::Result<Restored> {
    let restored = restore_message(tx, id).await?;
    if let Some(before) = restored.found_by {
        repeat_verdicts(tx, id, before, restored.run).await?;
    }
    Ok(restored)
}

/// What an earlier run had found counts as one more run: a number never stands for two. The intent is put back without a
/// run, too: a message that was corrected and given up has that of the correction. What a
/// decision said that is taken back was said by no run, and is not kept as if it were.
async fn restore_message(tx: &mut TenantTx, id: EmailId) -> sqlx::Result<Restored> {
    let tenant = tx.tenant().clone();
    sqlx::query_as(concat!(
        keeping_run!("AND undo ->> 'what' <> 'decision'"),
        "UPDATE emails e SET decision = undo ->> 'decision', decided_by = undo ->> 'decided_by', \
         decided_at = (undo ->> 'decided_at')::timestamptz, explanation = undo ->> 'explanation', \
         requested_intent = CASE WHEN is_intent THEN undo ->> 'requested_intent' ELSE requested_intent END, \
         requested_intent_id = CASE WHEN is_intent THEN (undo ->> 'requested_intent_id')::bigint \
           ELSE requested_intent_id END, \
         corrected_by = CASE WHEN is_intent THEN undo ->> 'corrected_by' ELSE corrected_by END, \
         requested_revision = CASE WHEN is_intent OR is_run THEN (undo ->> 'requested_revision')::bigint \
           ELSE requested_revision END, \
         run = CASE WHEN goes_back THEN run + 1 ELSE run END, \
         intent_id = CASE WHEN has_findings THEN (undo ->> 'intent_id')::bigint ELSE intent_id END, \
         intent_name = CASE WHEN has_findings THEN undo ->> 'intent_name' ELSE intent_name END, \
         classification = CASE WHEN goes_back THEN nullif(undo -> 'classification', 'null') \
           ELSE classification END, \
         fields = CASE WHEN goes_back THEN undo -> 'fields' ELSE fields END, \
         parse_error = CASE WHEN goes_back THEN undo ->> 'parse_error' ELSE parse_error END, \
         intent_version = CASE WHEN goes_back THEN (undo ->> 'intent_version')::int ELSE intent_version END, \
         configuration_revision = CASE WHEN goes_back THEN (undo ->> 'configuration_revision')::bigint \
           ELSE configuration_revision END, \
         status = CASE WHEN is_done AND (goes_back OR NOT has_run) THEN 'done' ELSE 'queued' END, \
         undo = CASE WHEN undo ->> 'decided_by' <> $3 \
             AND (is_done AND has_run AND NOT goes_back OR NOT is_done AND is_restored) \
           THEN jsonb_build_object('what', 'restored', 'explanation', undo ->> 'explanation') END \
         FROM (SELECT *, is_done AND has_run AND has_findings AS goes_back FROM ( \
           SELECT undo ->> 'what' = 'intent' AS is_intent, undo ->> 'what' = 'run' AS is_run, \
             (undo ->> 'is_done')::boolean AS is_done, \
             coalesce((undo ->> 'is_restored')::boolean, false) AS is_restored, \
             coalesce((undo ->> 'run')::int <> run, false) AS has_run, (undo ->> 'run')::int AS run_before, \
             undo -> 'fields' IS NOT NULL AS has_findings, (undo ->> 'was_example')::boolean AS was_example, \
             (undo ->> 'example_intent_id')::bigint AS example_of \
             FROM emails WHERE tenant_id = $1 AND email_id = $2) said) w \
         WHERE tenant_id = $1 AND email_id = $2 \
         RETURNING status = 'queued' AS has_to_run, corrected_by IS NOT NULL AS is_corrected, \
         requested_intent IS NOT NULL AS is_requested, CASE WHEN is_intent THEN ",
        requested_today!("intent_id"),
        " END AS intent_id, was_example, example_of IS NOT NULL AS is_example_of_intent, \
         (SELECT i.intent_id FROM intents i WHERE i.tenant_id = e.tenant_id AND i.intent_id = example_of \
           FOR KEY SHARE) AS example_intent_id, CASE WHEN goes_back THEN run_before END AS found_by, run"
    ))
    .bind(tenant.as_str())
    .bind(id)
    .bind(DECIDED_BY)
    .fetch_one(tx.conn())
    .await
}

async fn repeat_verdicts(tx: &mut TenantTx, id: EmailId, before: i32, run: i32) -> sqlx::Result<()> {
    let tenant = tx.tenant().clone();
    sqlx::query(
        "INSERT INTO verdicts (tenant_id, email_id, run, position, rule_id, rule_type, field_name, datasource_name, \
         demand, on_fail, verdict, reason, evidence, duration_ms) \
         SELECT tenant_id, email_id, $4, position, rule_id, rule_type, field_name, datasource_name, \
         demand, on_fail, verdict, reason, evidence, duration_ms \
         FROM verdicts WHERE tenant_id = $1 AND email_id = $2 AND run = $3",
    )
    .bind(tenant.as_str())
    .bind(id)
    .bind(before)
    .bind(run)
    .execute(tx.conn())
    .await
    .map(drop)
}
