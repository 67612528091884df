//! Business rules of API keys. A key is shown once; its hash is what is stored.

use chrono::{DateTime, Utc};
use secrecy::{ExposeSecret, SecretString};

use super::repository::{self, NewKey};
use crate::{
    audit::server::service::{self as audit, Event},
    auth::{authority::Permission, dto::Role},
    keys::dto::{ApiKey, ApiKeyInput, ApiKeyMade, InstanceKeyInput},
    members::server::service as members,
    server::{
        Actor, CallerContext, Database, Result, TenantContext, TenantTx,
        database::{Conn, InstanceTx},
        error::OnConstraint,
        origin::Origin,
        paging::Page,
        token,
    },
    shared::{KeyId, Problem, TenantId, validate::Checks},
};

/// How keys begin, so that people and secret scanners know them.
pub const KEY_PREFIX: &str = "fe_";

/// By id.
///
/// # Errors
/// 403.
pub async fn list(ctx: &TenantContext, active_only: bool, page: Page<i64>) -> Result<Vec<ApiKey>> {
    ctx.require(Permission::Members)?;
    Ok(repository::list(&mut ctx.begin().await?, active_only, page.cursor, page.limit).await?)
}

/// # Errors
/// 403, 404.
pub async fn get(ctx: &TenantContext, id: KeyId) -> Result<ApiKey> {
    ctx.require(Permission::Members)?;
    repository::find(&mut ctx.begin().await?, id).await?.ok_or_else(|| not_found(id).into())
}

/// # Errors
/// 403, 422.
pub async fn create(ctx: &TenantContext, input: &ApiKeyInput) -> Result<ApiKeyMade> {
    ctx.require(Permission::Members)?;
    let mut tx = ctx.begin().await?;
    members::hold_caller(ctx, &mut tx).await?;
    let made = insert(&mut tx, input, &ctx.actor).await?;
    ctx.audit(&mut tx, Event::created("api_key.create", made.api_key.key_id, &made.api_key)).await?;
    tx.commit().await?;
    Ok(made)
}

/// Ends a key for good, from the next request on, and the keys and invitations that were made by it. It stays in the
/// list. Of one that has ended already, what is left of these ends.
///
/// # Errors
/// 403, 404.
pub async fn revoke(ctx: &TenantContext, id: KeyId) -> Result<()> {
    ctx.require(Permission::Members)?;
    let mut tx = ctx.begin().await?;
    let before = repository::find(&mut tx, id).await?.ok_or_else(|| not_found(id))?;
    if repository::revoke(&mut tx, id).await? {
        ctx.audit(&mut tx, Event::deleted("api_key.revoke", id, &before)).await?;
    }
    members::end_made_by_key(ctx, &mut tx, Actor::identity_of_key(id)).await?;
    Ok(tx.commit().await?)
}

/// How many keys that each of these made, or a key of theirs, work; who is not named made none. A maker is named as
/// `Actor::identity` has it, here and below.
///
/// # Errors
/// The database's.
pub async fn working(tx: &mut TenantTx, makers: &[String]) -> Result<Vec<(String, i64)>> {
    Ok(repository::working(tx, makers).await?)
}

/// Ends all keys that any of `makers` made, and that those made. Gives the names that these, and others of theirs that
/// had ended before, have as makers of something: what else was made by them is the caller's to end.
///
/// # Errors
/// The database's.
pub async fn revoke_made_by(
    tx: &mut TenantTx,
    (actor, origin): (&Actor, &Origin),
    makers: &[String],
) -> Result<Vec<String>> {
    loop {
        let keys = repository::made_by(tx, makers).await?;
        let mut ended = 0;
        for key in &keys {
            if repository::revoke(tx, key.key_id).await? {
                let event = Event::deleted("api_key.revoke", key.key_id, key);
                audit::record(tx, actor, origin, event).await?;
                ended += 1;
            }
        }
        // One that is ended here may have been making another at this moment, which is there now.
        if ended == 0 {
            return Ok(keys.iter().map(|key| Actor::identity_of_key(key.key_id)).collect());
        }
    }
}

/// Whether the key works, which then stays so until the transaction ends.
///
/// # Errors
/// The database's.
pub async fn hold(tx: &mut TenantTx, id: KeyId) -> Result<bool> {
    Ok(repository::hold(tx, id).await?)
}

/// How many keys that somebody made still work.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct StillWorking {
    /// Keys of the installation.
    pub of_installation: i64,
    /// Those of tenants; one that is not named has none.
    pub of_tenants: Vec<(TenantId, i64)>,
}

/// How many keys of the installation that somebody made, or such a key, work.
///
/// # Errors
/// The database's.
pub async fn working_instance(tx: &mut InstanceTx, maker: &str) -> Result<i64> {
    Ok(repository::instance_working(tx, maker).await?)
}

/// The names that the installation's keys which somebody made, and which those made, have as makers of something,
/// whether they work or not.
///
/// # Errors
/// The database's.
pub async fn instance_keys_of(tx: &mut InstanceTx, maker: &str) -> Result<Vec<String>> {
    let keys = repository::instance_made_by(tx, maker).await?;
    Ok(keys.iter().map(|key| Actor::identity_of_instance_key(key.key_id)).collect())
}

/// Ends all keys of the installation that somebody made, and that those made. What else was made by them is the
/// caller's to end.
///
/// # Errors
/// The database's.
pub async fn revoke_instance_made_by(
    tx: &mut InstanceTx,
    (actor, origin): (&Actor, &Origin),
    maker: &str,
) -> Result<()> {
    loop {
        let mut ended = 0;
        for key in repository::instance_made_by(tx, maker).await? {
            if repository::revoke_instance(tx, key.key_id).await? {
                let event = Event::deleted("instance_api_key.revoke", key.key_id, &key);
                audit::record_instance(tx, actor, origin, event).await?;
                ended += 1;
            }
        }
        // One that is ended here may have been making another at this moment, which is there now.
        if ended == 0 {
            return Ok(());
        }
    }
}

/// Whether the installation's key works, which then stays so until the transaction ends.
///
/// # Errors
/// The database's.
pub async fn hold_instance(conn: &mut Conn, id: KeyId) -> Result<bool> {
    Ok(repository::hold_instance(conn, id).await?)
}

/// By id.
///
/// # Errors
/// 403.
pub async fn list_instance(ctx: &CallerContext, active_only: bool, page: Page<i64>) -> Result<Vec<ApiKey>> {
    ctx.require_instance_admin()?;
    let mut tx = ctx.app.database.instance().await?;
    Ok(repository::list_instance(&mut tx, active_only, page.cursor, page.limit).await?)
}

/// # Errors
/// 403, 422.
pub async fn create_instance(ctx: &CallerContext, input: &InstanceKeyInput) -> Result<ApiKeyMade> {
    ctx.require_instance_admin()?;
    let mut tx = ctx.app.database.instance().await?;
    members::hold_instance_caller(ctx, &mut tx).await?;
    let made = insert_instance(&mut tx, input, &ctx.actor).await?;
    ctx.audit(&mut tx, Event::created("instance_api_key.create", made.api_key.key_id, &made.api_key)).await?;
    tx.commit().await?;
    Ok(made)
}

/// Ends a key for good, from the next request on, and the keys and invitations that were made by it, in each tenant. Of
/// one that has ended already, what is left of these ends: it may have been broken off.
///
/// # Errors
/// 403, 404.
pub async fn revoke_instance(ctx: &CallerContext, id: KeyId) -> Result<()> {
    ctx.require_instance_admin()?;
    let mut tx = ctx.app.database.instance().await?;
    let before = repository::find_instance(&mut tx, id).await?.ok_or_else(|| not_found(id))?;
    if repository::revoke_instance(&mut tx, id).await? {
        ctx.audit(&mut tx, Event::deleted("instance_api_key.revoke", id, &before)).await?;
    }
    let (by, key) = ((&ctx.actor, &ctx.origin), Actor::identity_of_instance_key(id));
    revoke_instance_made_by(&mut tx, by, &key).await?;
    let mut makers = instance_keys_of(&mut tx, &key).await?;
    makers.push(key);
    // First, so that they make nothing meanwhile.
    tx.commit().await?;
    members::end_made_by_instance_keys(&ctx.app.database, by, makers).await
}

/// A key that is made on the server's own machine: for the installation, or for a tenant with a role.
///
/// # Errors
/// 422 for a bad name, 404 for an unknown tenant.
pub async fn create_by_hand(
    database: &Database,
    name: &str,
    scope: Option<(&TenantId, Role)>,
) -> Result<SecretString> {
    let origin = Origin::default();
    let name = name.to_owned();
    let made = match scope {
        None => {
            let mut tx = database.instance().await?;
            let input = InstanceKeyInput { name, expires_at: None };
            let made = insert_instance(&mut tx, &input, &Actor::System).await?;
            let event = Event::created("instance_api_key.create", made.api_key.key_id, &made.api_key);
            audit::record_instance(&mut tx, &Actor::System, &origin, event).await?;
            tx.commit().await?;
            made
        }
        Some((tenant, role)) => {
            let mut tx = database.tenant(tenant).await?;
            let input = ApiKeyInput { name, role, expires_at: None };
            let made = insert(&mut tx, &input, &Actor::System)
                .await
                .on_constraint("api_keys_tenant_id_fkey", || Problem::not_found("Tenant", tenant))?;
            let event = Event::created("api_key.create", made.api_key.key_id, &made.api_key);
            audit::record(&mut tx, &Actor::System, &origin, event).await?;
            tx.commit().await?;
            made
        }
    };
    Ok(made.key.into())
}

async fn insert(tx: &mut TenantTx, input: &ApiKeyInput, by: &Actor) -> Result<ApiKeyMade> {
    let (key, new) = new_key(&input.name, input.expires_at, by)?;
    let api_key = repository::insert(tx, &new, input.role).await?;
    Ok(ApiKeyMade { api_key, key: key.expose_secret().to_owned() })
}

async fn insert_instance(tx: &mut InstanceTx, input: &InstanceKeyInput, by: &Actor) -> Result<ApiKeyMade> {
    let (key, new) = new_key(&input.name, input.expires_at, by)?;
    let api_key = repository::insert_instance(tx, &new).await?;
    Ok(ApiKeyMade { api_key, key: key.expose_secret().to_owned() })
}

/// The key, and what is stored of it.
fn new_key(
    name: &str,
    expires_at: Option<DateTime<Utc>>,
    by: &Actor,
) -> Result<(SecretString, NewKey), Problem> {
    let name = checked(name, expires_at)?;
    let key = token::generate(KEY_PREFIX);
    let new = NewKey {
        name,
        prefix: key.expose_secret().chars().take(KEY_PREFIX.len() + 4).collect(),
        hash: token::hash_of(&key),
        expires_at,
        created_by: by.label(),
        made_by: by.identity(),
    };
    Ok((key, new))
}

fn checked(name: &str, expires_at: Option<DateTime<Utc>>) -> Result<String, Problem> {
    let mut checks = Checks::default();
    let name = checks.name("name", name);
    if expires_at.is_some_and(|ends| ends <= Utc::now()) {
        checks.fault("expires_at", "must lie in the future");
    }
    checks.finish()?;
    Ok(name)
}

fn not_found(id: KeyId) -> Problem {
    Problem::not_found("API key", id)
}
