//! What happened to a message, and the last word on it.

use super::{repository, service, undo_repository as undo, words};
use crate::{
    audit::{dto::AuditEntry, server::service as audit},
    auth::authority::Permission,
    emails::dto::{EmailEvent, HistoryEntry, TakenBack, WordsDone},
    server::{Result, TenantContext, paging::Page},
    shared::{AuditId, EmailId, Problem},
};

/// More happened to no message that anybody reads through.
const MAX_SHOWN: i64 = 200;

/// What happened to a message, for the screen, newest first: with what takes the reader's last word back.
///
/// # Errors
/// The database's.
pub async fn shown(ctx: &TenantContext, id: EmailId) -> Result<Vec<HistoryEntry>> {
    ctx.require(Permission::Read)?;
    let mut tx = ctx.begin().await?;
    let mut word = undo::last_of(&mut tx, id, &ctx.actor.identity()).await?;
    let page = Page { limit: MAX_SHOWN, cursor: None };
    let entries = audit::page_of(&mut tx, "email", id.to_string(), page).await?;
    let entries = entries.into_iter().map(|entry| HistoryEntry {
        // The newest of them is the last one.
        word: if is_word(&entry.action) { word.take() } else { None },
        occurred_at: entry.occurred_at,
        actor: entry.actor,
        action: entry.action,
        detail: entry.after,
    });
    Ok(entries.collect())
}

/// Whether that is a word on a message, which can be taken back for a while.
fn is_word(action: &str) -> bool {
    matches!(action, "email.decide" | "email.correct_intent" | "email.reprocess")
}

/// A page of what happened to a message, newest first: the audit log's entries of it, without addresses.
///
/// # Errors
/// 404.
pub async fn list(ctx: &TenantContext, id: EmailId, page: Page<AuditId>) -> Result<Vec<EmailEvent>> {
    ctx.require(Permission::Read)?;
    let mut tx = ctx.begin().await?;
    // The log outlives the message.
    repository::standing(&mut tx, id).await?.ok_or_else(|| service::not_found(id))?;
    let entries = audit::page_of(&mut tx, "email", id.to_string(), page).await?;
    Ok(entries.into_iter().map(event).collect())
}

fn event(entry: AuditEntry) -> EmailEvent {
    let AuditEntry { audit_id: entry_id, occurred_at, actor_kind, actor, action, before, after, .. } = entry;
    EmailEvent { entry_id, occurred_at, actor_kind, actor, action, before, after }
}

/// Takes back what the caller said last of a message, as `words::take_back` does for who was told by what.
///
/// # Errors
/// 403, 404; 400 where the last word is another's, or older than two minutes.
pub async fn take_back(ctx: &TenantContext, id: EmailId) -> Result<TakenBack> {
    ctx.require(Permission::WorkMessages)?;
    let too_late = || {
        Problem::business_rule(
            "There is no word of yours to take back: somebody has spoken since, or two minutes have passed",
        )
    };
    let mut tx = ctx.begin().await?;
    repository::standing(&mut tx, id).await?.ok_or_else(|| service::not_found(id))?;
    let word = undo::last_of(&mut tx, id, &ctx.actor.identity()).await?.ok_or_else(too_late)?;
    tx.commit().await?;
    // Somebody may speak until then: what is taken back is this word, or none.
    let WordsDone { done, sent, .. } = words::take_back(ctx, &[id], word).await?;
    if done.is_empty() {
        return Err(too_late().into());
    }
    Ok(TakenBack { email_id: id, sent })
}
