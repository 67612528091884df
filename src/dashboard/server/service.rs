//! What a tenant's dashboard shows.

use chrono::{DateTime, TimeDelta, Utc};

use super::repository;
use crate::{
    auth::authority::Permission,
    dashboard::dto::{Column, Dashboard, Period, Stats},
    emails::server::service as emails,
    server::{Result, TenantContext, aside::Turn},
    shared::EmailId,
};

/// # Errors
/// The database's.
pub async fn stats(ctx: &TenantContext) -> Result<Stats> {
    ctx.require(Permission::Read)?;
    Ok(repository::stats(&mut ctx.begin_in_turn(Turn::Count).await?).await?)
}

/// # Errors
/// The database's.
pub async fn dashboard(ctx: &TenantContext, period: Period) -> Result<Dashboard> {
    ctx.require(Permission::Read)?;
    let (count, width) = period.columns();
    // Whole steps, so that a column means the same each time.
    let end = (Utc::now().timestamp().div_euclid(width) + 1) * width;
    let start = DateTime::from_timestamp(end - count * width, 0).unwrap_or_default();
    let since = EmailId::earliest(start);
    let mut tx = ctx.begin_in_turn(Turn::Count).await?;
    let stats = repository::stats(&mut tx).await?;
    let counted = repository::columns(&mut tx, since, start, width).await?;
    let columns = (0..count)
        .map(|n| {
            let at = start + TimeDelta::seconds(n * width);
            let found = counted.iter().find(|column| column.at == at).copied();
            found.unwrap_or(Column { at, accepted: 0, rejected: 0, review: 0, waiting: 0 })
        })
        .collect();
    let intents = repository::intents(&mut tx, since).await?;
    let rules = repository::rules(&mut tx, since).await?;
    let times = repository::times(&mut tx, since).await?;
    let health = repository::health(&mut tx).await?;
    drop(tx);
    let latest = emails::list(ctx, &Default::default(), None, 10).await?;
    Ok(Dashboard { stats, period, columns, intents, rules, times, health, latest })
}
