//! Business rules of how long messages are kept. What goes, goes whole: the text, what was read from it, the verdicts,
//! deliveries, labels, rows of backtests, and the example that a correction made of it, after which the classifier
//! learns anew (the database's triggers note it). The audit log, which says who did what, keeps its entries.

use serde_json::json;

use super::repository;
use crate::{
    audit::server::service::{self as audit, Event},
    auth::authority::Permission,
    retention::dto::{Retention, RetentionInput, RetentionPlan},
    server::{
        Actor, AppState, Result, TenantContext,
        etag::{IfMatch, Versioned},
        origin::Origin,
        same::says_what_is_stored,
    },
    shared::TenantId,
};

impl Versioned for Retention {}

/// # Errors
/// 403.
pub async fn get(ctx: &TenantContext) -> Result<Retention> {
    ctx.require(Permission::Read)?;
    Ok(repository::find(&mut ctx.begin().await?).await?.unwrap_or_default())
}

/// What it would come to, if it were stored now.
///
/// # Errors
/// 403, 422.
pub async fn plan(ctx: &TenantContext, input: RetentionInput) -> Result<RetentionPlan> {
    ctx.require(Permission::Members)?;
    input.validate()?;
    let message_days = input.message_days;
    let mut tx = ctx.begin().await?;
    let before = repository::find(&mut tx).await?.unwrap_or_default().message_days;
    let would_go = match message_days {
        None => 0,
        Some(days) => repository::count_old(&mut tx, days).await?,
    };
    Ok(RetentionPlan { message_days, before, would_go })
}

/// Where it is so already, nothing is written.
///
/// # Errors
/// 403, 412, 422.
pub async fn replace(ctx: &TenantContext, input: RetentionInput, if_match: &IfMatch) -> Result<Retention> {
    ctx.require(Permission::Members)?;
    input.validate()?;
    let mut tx = ctx.begin().await?;
    let before = repository::lock(&mut tx).await?;
    if_match.check(&before)?;
    if says_what_is_stored(&input, &before) {
        return Ok(before);
    }
    let after = repository::update(&mut tx, input.message_days).await?;
    let before = RetentionInput::of(before.message_days);
    ctx.audit(&mut tx, Event::updated("retention.update", "messages", &before, &input)).await?;
    tx.commit().await?;
    Ok(after)
}

/// What came of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Batch {
    /// So many are deleted, and there may be more.
    Some(i64),
    /// So many are deleted, and the audit log tells of all.
    Last(i64),
    /// Another server is at it.
    Taken,
}

/// Deletes at most `most` of a tenant's messages that are too old. Whoever will not come back for more says so by
/// `is_last`: then, and where none are left, the audit log tells how many went since it did so last. So a turn of many
/// batches tells once, and what a server that died has deleted is told by the next one.
///
/// # Errors
/// The database's; nothing is deleted then.
pub async fn delete_batch(app: &AppState, tenant: &TenantId, most: i64, is_last: bool) -> Result<Batch> {
    let mut tx = app.database.tenant(tenant).await?;
    let Some((days, before)) = repository::claim(&mut tx).await? else { return Ok(Batch::Taken) };
    let (mut found, mut deleted) = (0, 0);
    if let Some(days) = days {
        repository::lock_mailboxes(&mut tx).await?;
        let locked = repository::lock_old(&mut tx, days, most).await?;
        if !locked.is_empty() {
            found = i64::try_from(locked.len()).unwrap_or(i64::MAX);
            deleted = repository::delete_old(&mut tx, days, &locked).await?;
        }
    }
    let is_last = is_last || found < most;
    let mut untold = before + deleted;
    if is_last && untold > 0 {
        let detail = json!({"messages": untold, "message_days": days});
        let event = Event::done("retention.delete", "messages", detail);
        audit::record(&mut tx, &Actor::System, &Origin::default(), event).await?;
        untold = 0;
    }
    if untold != before {
        repository::set_untold(&mut tx, untold).await?;
    }
    tx.commit().await?;
    Ok(if is_last { Batch::Last(deleted) } else { Batch::Some(deleted) })
}

/// The tenants that a turn goes round.
///
/// # Errors
/// The database's.
pub async fn tenants(app: &AppState) -> Result<Vec<TenantId>> {
    Ok(repository::tenants(&mut app.database.worker().await?).await?)
}
