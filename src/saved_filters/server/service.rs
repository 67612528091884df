//! Business rules of saved filters. They are no part of what decides, so the audit log does not tell of them.

use super::repository;
use crate::{
    auth::authority::Permission,
    saved_filters::dto::SavedFilter,
    server::{Result, TenantContext, error::OnConstraint},
    shared::{FilterId, Problem, validate::Checks},
};

/// One person has at most so many, and so many are shared in a tenant.
const MOST: i64 = 100;

/// Whether the caller may change what others share: an administrator, as who says who belongs to the tenant.
fn is_admin(ctx: &TenantContext) -> bool {
    ctx.role().may(Permission::Members)
}

/// # Errors
/// The database's.
pub async fn list(ctx: &TenantContext) -> Result<Vec<SavedFilter>> {
    ctx.require(Permission::Read)?;
    Ok(repository::list(&mut ctx.begin().await?, &ctx.actor.identity(), is_admin(ctx)).await?)
}

/// What is shared is for those who work on messages to say.
///
/// # Errors
/// 403 for who may not share; 422; 400 where there are too many; 409 where another shares one of this name, unless an
/// administrator replaces it who has none of that name.
pub async fn save(ctx: &TenantContext, name: &str, query: &str, is_shared: bool) -> Result<SavedFilter> {
    ctx.require(if is_shared { Permission::WorkMessages } else { Permission::Read })?;
    let mut checks = Checks::default();
    let name = checks.name("name", name);
    let query = checks.text("query", query, 2_000);
    if !query.starts_with('?') {
        checks.fault("query", "must be the query of the page's address");
    }
    checks.finish()?;
    let owner = ctx.actor.identity();
    let mut tx = ctx.begin().await?;
    if is_shared
        && is_admin(ctx)
        && let Some(replaced) = repository::replace_anothers(&mut tx, &owner, &name, &query).await?
    {
        tx.commit().await?;
        return Ok(replaced);
    }
    let saved = repository::save(&mut tx, &owner, &name, &query, is_shared)
        .await
        .on_constraint("uq_eivs_saved_filters_shared", || Problem::already_exists("Shared view", &name))?;
    let (own, shared) = repository::counts(&mut tx, &owner).await?;
    if own > MOST {
        return Err(Problem::business_rule(format!("You have {MOST} saved filters: delete one first")).into());
    }
    if is_shared && shared > MOST {
        return Err(Problem::business_rule(format!("{MOST} views are shared: delete one first")).into());
    }
    tx.commit().await?;
    Ok(saved)
}

/// # Errors
/// 404 for what is another's alone, too; 403 for what another shares, unless an administrator deletes it.
pub async fn delete(ctx: &TenantContext, id: FilterId) -> Result<()> {
    ctx.require(Permission::Read)?;
    let mut tx = ctx.begin().await?;
    if !repository::delete(&mut tx, &ctx.actor.identity(), is_admin(ctx), id).await? {
        return Err(if repository::is_shared(&mut tx, id).await? {
            Problem::forbidden("Only who shares this view, or an administrator, may delete it").into()
        } else {
            Problem::not_found("Filter", id).into()
        });
    }
    Ok(tx.commit().await?)
}
