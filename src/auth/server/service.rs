//! Who is calling, and how they came in.

use chrono::{DateTime, TimeDelta, Utc};
use secrecy::SecretString;
use serde_json::{Value, json};

pub use super::repository::Account;
use super::{oidc, repository};
use crate::{
    audit::server::service::{self as audit, Event},
    auth::dto::{Me, MyTenant, Role},
    keys::server::service::KEY_PREFIX,
    server::{
        Actor, AppState, CallerContext, Database, Error, Result, database::InstanceTx, origin::Origin,
        paging::Page, token,
    },
    shared::{TenantId, UserId},
    tenants::server::service as tenants,
};

/// A sign-in link that is not used ends after this.
const LINK_HOURS: i64 = 24;

/// As many links of starts hold side by side.
const MOST_LINKS: i64 = 100;

/// The actor of an API key, if the key holds.
///
/// # Errors
/// The database's.
pub async fn actor_of_key(app: &AppState, key: &str) -> Result<Option<Actor>> {
    if !key.starts_with(KEY_PREFIX) {
        return Ok(None);
    }
    let hash = token::hash(key);
    let mut statement = app.database.statement().await?;
    let Some(row) = repository::key(&mut statement, &hash).await? else { return Ok(None) };
    let (key_id, name) = (row.key_id, row.name);
    let (Some(tenant), Some(role)) = (row.tenant_id, row.role) else {
        if row.is_stale {
            repository::instance_key_used(&mut statement, key_id).await?;
        }
        return Ok(Some(Actor::InstanceKey { key_id, name }));
    };
    drop(statement);
    let tenant = tenant.parse::<TenantId>().map_err(Error::internal)?;
    if row.is_stale {
        let mut tx = app.database.tenant(&tenant).await?;
        repository::tenant_key_used(&mut tx, key_id).await?;
        tx.commit().await?;
    }
    let is_open = row.tenant_is_active.unwrap_or_default();
    Ok(Some(Actor::TenantKey { tenant, is_open, key_id, name, role }))
}

/// The actor of a session, if it lives. Being seen keeps it alive, if the request `is_attended`; written at most once
/// a minute.
///
/// # Errors
/// The database's.
pub async fn actor_of_session(app: &AppState, session: &str, is_attended: bool) -> Result<Option<Actor>> {
    let hash = token::hash(session);
    let mut statement = app.database.statement().await?;
    let idle = app.config.session_idle_minutes;
    let Some(row) = repository::session_user(&mut statement, &hash, idle).await? else { return Ok(None) };
    if row.is_stale && is_attended {
        repository::session_seen(&mut statement, &hash).await?;
    }
    Ok(Some(Actor::User {
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
            tenants::memberships(&ctx.app.database, *user_id).await?
        }
        actor => {
            let role = match actor {
                Actor::TenantKey { role, .. } | Actor::Token { role, .. } => *role,
                _ => Role::Admin,
            };
            tenants::list(ctx, false, Page::first())
                .await?
                .into_iter()
                .map(|t| MyTenant { tenant_id: t.tenant_id, name: t.name, is_active: t.is_active, role })
                .collect()
        }
    };
    let (has_password, provider) = match &ctx.actor {
        Actor::User { user_id, email, .. } => {
            let mut tx = ctx.app.database.instance().await?;
            let account = repository::account(&mut tx, email).await?;
            let has_password = account.is_some_and(|account| account.password_hash.is_some());
            (has_password, oidc::provider_of(&ctx.app, &mut tx, *user_id).await?)
        }
        _ => (false, None),
    };
    Ok(Me { display_name, email, is_instance_admin, has_password, provider, tenants })
}

/// Uses a link up, and with it the person's other ones, and opens a session. `None` where the link is unknown, used or too
/// old, or is one of a start and an administrator has another way in since.
///
/// # Errors
/// The database's.
pub async fn sign_in_by_link(
    app: &AppState,
    origin: &Origin,
    link: &str,
    before: Option<&str>,
) -> Result<Option<SecretString>> {
    let hash = token::hash(link);
    let mut tx = app.database.instance().await?;
    let Some(account) = repository::account_of_link(&mut tx, &hash, "sign_in").await? else {
        return Ok(None);
    };
    // Of two who use two links at once, one waits, and finds its own gone.
    repository::hold(&mut tx, account.user_id).await?;
    if repository::is_outlived(&mut tx, &hash).await? {
        return Ok(None);
    }
    if repository::take_link(&mut tx, &hash, "sign_in").await?.is_none() {
        return Ok(None);
    }
    repository::delete_other_links(&mut tx, &hash, account.user_id, "sign_in").await?;
    let session = open_session(app, &mut tx, origin, account, json!({"by": "link"}), before).await?;
    tx.commit().await?;
    Ok(Some(session))
}

/// A new session of a person. The one that the browser had `before` ends: a session never outlives a sign-in, so
/// that nobody can prepare one for another (OWASP, session fixation). `how` the person came in stands in the audit log.
///
/// # Errors
/// The database's.
pub async fn open_session(
    app: &AppState,
    tx: &mut InstanceTx,
    origin: &Origin,
    account: Account,
    how: Value,
    before: Option<&str>,
) -> Result<SecretString> {
    if let Some(before) = before {
        repository::delete_session(tx, &token::hash(before)).await?;
    }
    let session = token::generate("");
    let expires_at = Utc::now() + TimeDelta::hours(app.config.session_hours);
    repository::insert_session(tx, &token::hash_of(&session), account.user_id, expires_at).await?;
    let actor = account.into_actor();
    audit::record_instance(tx, &actor, origin, Event::done("session.create", actor.label(), how)).await?;
    Ok(session)
}

/// # Errors
/// The database's.
pub async fn sign_out(app: &AppState, session: &str) -> Result<()> {
    let mut tx = app.database.instance().await?;
    repository::delete_session(&mut tx, &token::hash(session)).await?;
    Ok(tx.commit().await?)
}

/// A one-time link for the first administrator, while nobody has another way to sign in. Those of other starts hold beside
/// it, until one is used: whoever started several servers, or one anew, reads any of their logs. All end once an
/// administrator has another way in, or is made by the command line.
///
/// # Errors
/// The database's.
pub async fn first_link(app: &AppState) -> Result<Option<SecretString>> {
    let mut tx = app.database.instance().await?;
    if repository::any_way_in(&mut tx).await? {
        return Ok(None);
    }
    let user = repository::ensure_first_admin(&mut tx).await?;
    repository::hold(&mut tx, user).await?;
    // Another may have set a password until then.
    if repository::any_way_in(&mut tx).await? {
        return Ok(None);
    }
    repository::keep_links(&mut tx, user, "sign_in", MOST_LINKS - 1).await?;
    let link = token::generate("");
    repository::add_first_link(&mut tx, &token::hash_of(&link), user, link_ends()).await?;
    tx.commit().await?;
    Ok(Some(link))
}

fn link_ends() -> DateTime<Utc> {
    Utc::now() + TimeDelta::hours(LINK_HOURS)
}

/// A one-time link for the first administrator, whoever has another way in; the earlier ones end.
///
/// # Errors
/// The database's.
pub async fn new_admin_link(database: &Database) -> Result<SecretString> {
    let mut tx = database.instance().await?;
    let user = repository::ensure_first_admin(&mut tx).await?;
    // First, as where a link is used: both end the others.
    repository::hold(&mut tx, user).await?;
    let link = token::generate("");
    repository::insert_link(&mut tx, &token::hash_of(&link), user, "sign_in", link_ends()).await?;
    tx.commit().await?;
    Ok(link)
}
