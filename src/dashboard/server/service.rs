//! What a tenant's dashboard shows.

use super::repository;
use crate::{
    auth::authority::Permission,
    dashboard::dto::{Dashboard, Stats},
    emails::server::service as emails,
    server::{Result, TenantContext},
};

/// # Errors
/// The database's.
pub async fn stats(ctx: &TenantContext) -> Result<Stats> {
    ctx.require(Permission::Read)?;
    Ok(repository::stats(&mut ctx.begin().await?).await?)
}

/// # Errors
/// The database's.
pub async fn dashboard(ctx: &TenantContext) -> Result<Dashboard> {
    let stats = stats(ctx).await?;
    let latest = emails::list(ctx, &Default::default(), None, 10).await?;
    Ok(Dashboard { stats, latest })
}
