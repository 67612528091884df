//! SQL of taking a person's word back.

use crate::{server::TenantTx, shared::EmailId};

/// How long a word can be taken back, in seconds. What is sent because of it may be gone by then.
pub const PATIENCE: f64 = 120.0;

/// What a person's last word on a message was about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LastWord {
    Decision,
    Intent,
}

/// The last word that can still be taken back, if there is one. The message's row is locked.
pub async fn last_word(tx: &mut TenantTx, id: EmailId) -> sqlx::Result<Option<LastWord>> {
    let tenant = tx.tenant().clone();
    let is_decision: Option<bool> = sqlx::query_scalar(
        "SELECT undo ? 'decision' FROM emails WHERE tenant_id = $1 AND email_id = $2 AND undo IS NOT NULL \
         AND (undo ->> 'at')::timestamptz > now() - make_interval(secs => $3) FOR UPDATE",
    )
    .bind(tenant.as_str())
    .bind(id)
    .bind(PATIENCE)
    .fetch_optional(tx.conn())
    .await?;
    Ok(is_decision.map(|is_decision| if is_decision { LastWord::Decision } else { LastWord::Intent }))
}

/// Puts back how the message stood before the decision; `true` where it was not decided then and has to run.
pub async fn restore_decision(tx: &mut TenantTx, id: EmailId) -> sqlx::Result<bool> {
    let tenant = tx.tenant().clone();
    sqlx::query_scalar(
        "UPDATE emails SET decision = undo ->> 'decision', decided_by = undo ->> 'decided_by', \
         decided_at = (undo ->> 'decided_at')::timestamptz, explanation = undo ->> 'explanation', \
         status = CASE WHEN (undo ->> 'is_done')::boolean THEN 'done' ELSE 'queued' END, undo = NULL \
         WHERE tenant_id = $1 AND email_id = $2 RETURNING status = 'queued'",
    )
    .bind(tenant.as_str())
    .bind(id)
    .fetch_one(tx.conn())
    .await
}

/// Puts back which intent the message was said to have, and by whom; it has to run again.
pub async fn restore_intent(
    tx: &mut TenantTx,
    id: EmailId,
) -> sqlx::Result<(Option<String>, Option<String>)> {
    let tenant = tx.tenant().clone();
    sqlx::query_as(
        "UPDATE emails SET requested_intent = undo ->> 'requested_intent', corrected_by = undo ->> 'corrected_by', \
         status = 'queued', undo = NULL WHERE tenant_id = $1 AND email_id = $2 RETURNING requested_intent, corrected_by",
    )
    .bind(tenant.as_str())
    .bind(id)
    .fetch_one(tx.conn())
    .await
}
