//! What happened to a message, what it came to before, and the last word on it.

use super::{repository, runs_repository as earlier, service, undo_repository as undo, words};
use crate::{
    audit::{dto::AuditEntry, server::service as audit},
    auth::authority::Permission,
    emails::dto::{EmailEvent, EmailRun, HistoryEntry, Past, TakenBack, WordsDone},
    intents::dto::is_message_field,
    server::{Result, TenantContext, paging::Page},
    shared::{AuditId, EmailId, Problem},
};

/// More happened to no message that anybody reads through.
const MAX_SHOWN: i64 = 200;
/// Nor were many run so often. Each brings its evidence, also where the page is read anew. The API has them all.
const MAX_RUNS_SHOWN: i64 = 5;

/// How many a page of the API holds at most: of a hundred, the evidence may be tens of megabytes.
pub const MAX_RUNS_A_PAGE: i64 = 20;

/// What happened to a message, and what it came to before, for the screen, newest first: with what takes the reader's last
/// word back.
///
/// # Errors
/// The database's.
pub async fn shown(ctx: &TenantContext, id: EmailId) -> Result<Past> {
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
    let entries = entries.collect();
    let mut runs = earlier::page_of(&mut tx, id, Page { limit: MAX_RUNS_SHOWN, cursor: None }).await?;
    for run in &mut runs {
        // What the message says itself stands on its page once.
        run.fields.retain(|name, _| !is_message_field(name));
    }
    let is_cut = runs.len() as i64 == MAX_RUNS_SHOWN;
    let more_runs = if is_cut { earlier::count(&mut tx, id).await? - MAX_RUNS_SHOWN } else { 0 };
    Ok(Past { entries, runs, more_runs })
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

/// A page of what a message came to before, the last first.
///
/// # Errors
/// 404.
pub async fn runs(ctx: &TenantContext, id: EmailId, page: Page<i32>) -> Result<Vec<EmailRun>> {
    ctx.require(Permission::Read)?;
    let mut tx = ctx.begin().await?;
    repository::standing(&mut tx, id).await?.ok_or_else(|| service::not_found(id))?;
    Ok(earlier::page_of(&mut tx, id, page).await?)
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
