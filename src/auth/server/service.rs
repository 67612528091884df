//! Who is calling, and how they came in.

use chrono::{TimeDelta, Utc};
use secrecy::SecretString;

use super::repository;
use crate::{
    auth::dto::{Me, MyTenant, Role},
    server::{Actor, AppState, CallerContext, Error, Result, paging::Page, token},
    shared::{Problem, TenantId, UserId, validate::Checks},
};

/// A session ends this long after it was last seen.
const IDLE_MINUTES: i32 = 120;
/// A session ends this long after sign-in, whatever happens.
const SESSION_HOURS: i64 = 8;
/// A sign-in link that is not used ends after this.
const LINK_HOURS: i64 = 24;
/// How keys begin, so that people and secret scanners know them.
const KEY_PREFIX: &str = "fe_";

/// The actor of an API key, if the key holds.
///
/// # Errors
/// The database's.
pub async fn actor_of_key(app: &AppState, key: &str) -> Result<Option<Actor>> {
    if !key.starts_with(KEY_PREFIX) {
        return Ok(None);
    }
    let hash = token::hash(key);
    let mut tx = app.database.by_key_hash(&hash).await?;
    if let Some(row) = repository::tenant_key(&mut tx, &hash).await? {
        let tenant = row.tenant_id.parse::<TenantId>().map_err(Error::internal)?;
        return Ok(Some(Actor::TenantKey { tenant, name: row.name, role: row.role }));
    }
    let name = repository::instance_key(&mut tx, &hash).await?;
    Ok(name.map(|name| Actor::InstanceKey { name }))
}

/// The actor of a session, if it lives.
///
/// # Errors
/// The database's.
pub async fn actor_of_session(app: &AppState, session: &str) -> Result<Option<Actor>> {
    let mut tx = app.database.instance().await?;
    let user = repository::session_user(&mut tx, &token::hash(session), IDLE_MINUTES).await?;
    tx.commit().await?;
    Ok(user.map(|row| Actor::User {
        user_id: row.user_id,
        email: row.email,
        display_name: row.display_name,
        is_instance_admin: row.is_instance_admin,
    }))
}

/// A person's role in a tenant, if any.
///
/// # Errors
/// The database's.
pub async fn role_of(app: &AppState, user: UserId, tenant: &TenantId) -> Result<Option<Role>> {
    let mut tx = app.database.tenant(tenant).await?;
    Ok(repository::role(&mut tx, user).await?)
}

/// Who is signed in, and the tenants to choose from.
///
/// # Errors
/// The database's.
pub async fn me(ctx: &CallerContext) -> Result<Me> {
    let (display_name, email) = match &ctx.actor {
        Actor::User { display_name, email, .. } => (display_name.clone(), email.clone()),
        other => (other.label(), String::new()),
    };
    let is_instance_admin = ctx.actor.is_instance_admin();
    let tenants = match &ctx.actor {
        Actor::User { user_id, is_instance_admin: false, .. } => {
            let mut tx = ctx.app.database.by_user(*user_id).await?;
            repository::memberships(&mut tx, *user_id).await?
        }
        actor => {
            let role = if let Actor::TenantKey { role, .. } = actor { *role } else { Role::Admin };
            crate::tenants::server::service::list(ctx, false, Page::first())
                .await?
                .into_iter()
                .map(|t| MyTenant { tenant_id: t.tenant_id, name: t.name, is_active: t.is_active, role })
                .collect()
        }
    };
    Ok(Me { display_name, email, is_instance_admin, tenants })
}

/// Uses a link up and opens a session. `None` where the link is unknown, used or too old.
///
/// # Errors
/// The database's.
pub async fn sign_in_by_link(app: &AppState, link: &str) -> Result<Option<SecretString>> {
    let mut tx = app.database.instance().await?;
    let Some(user) = repository::take_link(&mut tx, &token::hash(link)).await? else { return Ok(None) };
    let session = token::generate("");
    let expires_at = Utc::now() + TimeDelta::hours(SESSION_HOURS);
    repository::insert_session(&mut tx, &token::hash_of(&session), user, expires_at).await?;
    tx.commit().await?;
    Ok(Some(session))
}

/// # Errors
/// The database's.
pub async fn sign_out(app: &AppState, session: &str) -> Result<()> {
    let mut tx = app.database.instance().await?;
    repository::delete_session(&mut tx, &token::hash(session)).await?;
    Ok(tx.commit().await?)
}

/// A one-time link for the first administrator, while nobody has a password to sign in with.
///
/// # Errors
/// The database's.
pub async fn first_link(app: &AppState) -> Result<Option<SecretString>> {
    let mut tx = app.database.instance().await?;
    if repository::any_password(&mut tx).await? {
        return Ok(None);
    }
    drop(tx);
    new_admin_link(&app.database).await.map(Some)
}

/// A one-time link for the first administrator.
///
/// # Errors
/// The database's.
pub async fn new_admin_link(database: &crate::server::Database) -> Result<SecretString> {
    let mut tx = database.instance().await?;
    let user = repository::ensure_first_admin(&mut tx).await?;
    let link = token::generate("");
    let expires_at = Utc::now() + TimeDelta::hours(LINK_HOURS);
    repository::insert_link(&mut tx, &token::hash_of(&link), user, expires_at).await?;
    tx.commit().await?;
    Ok(link)
}

/// Makes an API key for the installation, or for a tenant with a role. It is returned this once.
///
/// # Errors
/// 422 for a bad name, 404 for an unknown tenant.
pub async fn create_key(
    database: &crate::server::Database,
    name: &str,
    scope: Option<(&TenantId, Role)>,
) -> Result<SecretString> {
    let mut checks = Checks::default();
    let name = checks.name("name", name);
    checks.finish()?;
    let key = token::generate(KEY_PREFIX);
    let hash = token::hash_of(&key);
    let prefix: String = secrecy::ExposeSecret::expose_secret(&key).chars().take(7).collect();
    match scope {
        None => {
            let mut tx = database.instance().await?;
            repository::insert_instance_key(&mut tx, &name, &prefix, &hash).await?;
            tx.commit().await?;
        }
        Some((tenant, role)) => {
            use crate::server::error::OnConstraint;
            let mut tx = database.tenant(tenant).await?;
            repository::insert_tenant_key(&mut tx, &name, role, &prefix, &hash)
                .await
                .on_constraint("api_keys_tenant_id_fkey", || Problem::not_found("Tenant", tenant))?;
            tx.commit().await?;
        }
    }
    Ok(key)
}
