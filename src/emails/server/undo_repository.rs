//! SQL of taking a person's word back.
//!
//! `undo` holds what a word took the place of: `what` it was about (`decision` or `intent`), the `word` and the `actor`
//! who said it, and how the message stood before. After a correction is taken back whose run has ended, it says that a
//! person's decision is `restored`: the run that follows leaves it as it is.

use chrono::{DateTime, Utc};

use super::repository::{DECIDED_BY, requested_today};
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
    let said: Option<(bool, DateTime<Utc>)> = sqlx::query_as(
        "SELECT undo ->> 'what' = 'decision', (undo ->> 'at')::timestamptz FROM emails WHERE tenant_id = $1 AND email_id = $2 \
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
    Ok(said.map(|(is_decision, at)| (if is_decision { About::Decision } else { About::Intent }, at)))
}

/// How a message stands once a word on it is taken back.
#[derive(Debug, sqlx::FromRow)]
pub struct Restored {
    pub has_to_run: bool,
    /// Whether the word before it was a person's too.
    pub is_corrected: bool,
    pub is_requested: bool,
    /// The intent that was asked for before a word on it: `None` too where it is gone.
    pub intent_id: Option<IntentId>,
}

/// Puts back how the message stood before the word. It has to run where it was not decided then, or where its intent was
/// corrected and that run has ended.
pub async fn restore(tx: &mut TenantTx, id: EmailId) -> sqlx::Result<Restored> {
    let tenant = tx.tenant().clone();
    sqlx::query_as(concat!(
        "UPDATE emails e SET decision = undo ->> 'decision', decided_by = undo ->> 'decided_by', \
         decided_at = (undo ->> 'decided_at')::timestamptz, explanation = undo ->> 'explanation', \
         requested_intent = CASE WHEN is_intent THEN undo ->> 'requested_intent' ELSE requested_intent END, \
         requested_intent_id = CASE WHEN is_intent THEN (undo ->> 'requested_intent_id')::bigint \
           ELSE requested_intent_id END, \
         corrected_by = CASE WHEN is_intent THEN undo ->> 'corrected_by' ELSE corrected_by END, \
         status = CASE WHEN is_done AND NOT has_run THEN 'done' ELSE 'queued' END, \
         undo = CASE WHEN undo ->> 'decided_by' <> $3 AND (is_done AND has_run OR NOT is_done AND is_restored) \
           THEN jsonb_build_object('what', 'restored', 'explanation', undo ->> 'explanation') END \
         FROM (SELECT undo ->> 'what' = 'intent' AS is_intent, (undo ->> 'is_done')::boolean AS is_done, \
           coalesce((undo ->> 'is_restored')::boolean, false) AS is_restored, \
           coalesce((undo ->> 'run')::int <> run, false) AS has_run \
           FROM emails WHERE tenant_id = $1 AND email_id = $2) w \
         WHERE tenant_id = $1 AND email_id = $2 \
         RETURNING status = 'queued' AS has_to_run, corrected_by IS NOT NULL AS is_corrected, \
         requested_intent IS NOT NULL AS is_requested, CASE WHEN is_intent THEN ",
        requested_today!("intent_id"),
        " END AS intent_id"
    ))
    .bind(tenant.as_str())
    .bind(id)
    .bind(DECIDED_BY)
    .fetch_one(tx.conn())
    .await
}
