//! Business rules of tenants. Instance administrators manage them; others see those they have a part in.

use super::{deletion, repository};
use crate::{
    audit::server::event::Event,
    auth::dto::MyTenant,
    server::{
        Actor, AppState, CallerContext, Database, Result,
        database::InstanceTx,
        error::{Error, OnConstraint},
        etag::{IfMatch, Versioned},
        paging::Page,
        same::says_what_is_stored,
    },
    shared::{Problem, TenantId, UserId},
    tenants::dto::{Tenant, TenantInput, ValidTenant},
};

impl Versioned for Tenant {}

/// The tenants that the caller may see, by id. The page's cursor is a tenant id.
///
/// # Errors
/// The database's.
pub async fn list(ctx: &CallerContext, active_only: bool, page: Page<String>) -> Result<Vec<Tenant>> {
    let only: Option<Vec<String>> = match &ctx.actor {
        actor if actor.is_instance_admin() => None,
        Actor::TenantKey { tenant, .. } | Actor::Token { tenant, .. } => Some(vec![tenant.to_string()]),
        Actor::User { user_id, .. } => {
            let mine = memberships(&ctx.app.database, *user_id).await?;
            Some(mine.into_iter().map(|tenant| tenant.tenant_id.to_string()).collect())
        }
        Actor::InstanceKey { .. } | Actor::System => None,
    };
    let mut tx = ctx.app.database.instance().await?;
    Ok(repository::list(&mut tx, only.as_deref(), active_only, page.cursor.as_deref(), page.limit).await?)
}

/// All of them, by id: for what the server does in each.
///
/// # Errors
/// The database's.
pub async fn ids(tx: &mut InstanceTx) -> Result<Vec<TenantId>> {
    Ok(repository::ids(tx).await?)
}

/// The tenants that a person is a member of, by name.
///
/// # Errors
/// The database's.
pub async fn memberships(database: &Database, user: UserId) -> Result<Vec<MyTenant>> {
    Ok(repository::memberships(&mut database.by_user(user).await?, user).await?)
}

/// # Errors
/// 404 where the caller has no part in it, whether it exists or not.
pub async fn get(ctx: &CallerContext, id: &TenantId) -> Result<Tenant> {
    ctx.in_tenant(id).await?;
    let mut tx = ctx.app.database.instance().await?;
    repository::find(&mut tx, id).await?.ok_or_else(|| Problem::not_found("Tenant", id).into())
}

/// Whether the tenant is active; `None` where there is no such tenant.
///
/// # Errors
/// The database's.
pub async fn is_active(app: &AppState, id: &TenantId) -> Result<Option<bool>> {
    Ok(repository::is_active(&mut app.database.statement().await?, id).await?)
}

/// # Errors
/// 403, 409 for an id or a name that exists, or whose tenant is still being deleted, 422.
pub async fn create(ctx: &CallerContext, input: TenantInput) -> Result<Tenant> {
    ctx.require_instance_admin()?;
    let valid = input.validate(None)?;
    let mut tx = ctx.app.database.instance().await?;
    let inserted = repository::insert(&mut tx, &valid)
        .await
        .on_constraint("tenants_pkey", || Problem::already_exists("Tenant", valid.tenant_id.as_str()))
        .on_constraint("uq_eivs_tenants_name", || Problem::already_exists("Tenant", &valid.name));
    let tenant = match inserted {
        Err(Error::Problem(exists)) if exists.status == 409 => {
            drop(tx);
            return Err(in_the_way(ctx, &valid, exists).await?.into());
        }
        inserted => inserted?,
    };
    if ctx.app.config.files_dir(&valid.tenant_id).exists() {
        return Err(Problem::business_rule(format!(
            "Files of a former tenant '{}' are still on the server: choose another id, or have them removed",
            valid.tenant_id
        ))
        .into());
    }
    ctx.audit(&mut tx, Event::created("tenant.create", &tenant.tenant_id, &tenant)).await?;
    tx.commit().await?;
    Ok(tenant)
}

/// Where all is as it is stored, nothing is written.
///
/// # Errors
/// 403, 404, 409 for a name that exists, 412, 422.
pub async fn replace(
    ctx: &CallerContext,
    id: &TenantId,
    input: TenantInput,
    if_match: &IfMatch,
) -> Result<Tenant> {
    managed(ctx, id).await?;
    let valid = input.validate(Some(id))?;
    let mut tx = ctx.app.database.instance().await?;
    let before = repository::lock(&mut tx, id).await?.ok_or_else(|| Problem::not_found("Tenant", id))?;
    if_match.check(&before)?;
    if says_what_is_stored(&valid, &before) {
        return Ok(before);
    }
    let tenant = repository::update(&mut tx, &valid)
        .await
        .on_constraint("uq_eivs_tenants_name", || Problem::already_exists("Tenant", &valid.name))?
        .ok_or_else(|| Error::from(Problem::not_found("Tenant", id)))?;
    ctx.audit(&mut tx, Event::updated("tenant.update", id, &before, &tenant)).await?;
    tx.commit().await?;
    Ok(tenant)
}

/// Nobody sees a tenant that is still being deleted: whoever is told that it exists is told why.
async fn in_the_way(ctx: &CallerContext, tenant: &ValidTenant, exists: Problem) -> Result<Problem> {
    let mut tx = ctx.app.database.instance().await?;
    if !repository::is_being_deleted(&mut tx, tenant).await? {
        return Ok(exists);
    }
    Ok(Problem::new(409, "The tenant that had this id or name is still being deleted: try again in a while"))
}

/// Deletes the tenant with everything that is its, messages included. It is gone for everybody when this returns; of a
/// large one, the rows go in the background.
///
/// # Errors
/// 403, 404, 412.
pub async fn delete(ctx: &CallerContext, id: &TenantId, if_match: &IfMatch) -> Result<()> {
    managed(ctx, id).await?;
    let mut tx = ctx.app.database.instance().await?;
    let before = repository::lock(&mut tx, id).await?.ok_or_else(|| Problem::not_found("Tenant", id))?;
    if_match.check(&before)?;
    if !repository::mark_deleted(&mut tx, id).await? {
        return Err(Problem::not_found("Tenant", id).into());
    }
    ctx.audit(&mut tx, Event::deleted("tenant.delete", id, &before)).await?;
    tx.commit().await?;
    // Here, where it was asked for: what has begun is gone on with by whatever server looks next.
    deletion::remove_files(&ctx.app, id).await;
    deletion::begin(&ctx.app, id).await;
    Ok(())
}

/// 404 for a stranger, 403 for a member who is no administrator of the installation.
async fn managed(ctx: &CallerContext, id: &TenantId) -> Result<()> {
    ctx.in_tenant(id).await?;
    ctx.require_instance_admin()
}
