//! Business rules of saved filters. They are no part of what decides, so the audit log does not tell of them.

use super::repository;
use crate::{
    auth::authority::Permission,
    saved_filters::dto::SavedFilter,
    server::{Result, TenantContext},
    shared::{FilterId, Problem, validate::Checks},
};

/// One person has at most so many.
const MOST: i64 = 100;

/// # Errors
/// The database's.
pub async fn list(ctx: &TenantContext) -> Result<Vec<SavedFilter>> {
    ctx.require(Permission::Read)?;
    Ok(repository::list(&mut ctx.begin().await?, &ctx.actor.identity()).await?)
}

/// # Errors
/// 422; 400 where there are too many.
pub async fn save(ctx: &TenantContext, name: &str, query: &str) -> Result<SavedFilter> {
    ctx.require(Permission::Read)?;
    let mut checks = Checks::default();
    let name = checks.name("name", name);
    let query = checks.text("query", query, 2_000);
    if !query.starts_with('?') {
        checks.fault("query", "must be the query of the page's address");
    }
    checks.finish()?;
    let owner = ctx.actor.identity();
    let mut tx = ctx.begin().await?;
    let saved = repository::save(&mut tx, &owner, &name, &query).await?;
    if repository::count(&mut tx, &owner).await? > MOST {
        return Err(Problem::business_rule(format!("You have {MOST} saved filters: delete one first")).into());
    }
    tx.commit().await?;
    Ok(saved)
}

/// # Errors
/// 404 for what is another's, too.
pub async fn delete(ctx: &TenantContext, id: FilterId) -> Result<()> {
    ctx.require(Permission::Read)?;
    let mut tx = ctx.begin().await?;
    if !repository::delete(&mut tx, &ctx.actor.identity(), id).await? {
        return Err(Problem::not_found("Filter", id).into());
    }
    Ok(tx.commit().await?)
}
