//! Business rules of datasource configs. Their credentials go in, encrypted, and never come out.

use serde_json::{Map, Value};

pub use super::config_repository::Row;
use super::{
    config_repository as repository,
    connection::{self, Auth, Connection, Endpoint},
    lookup::sql_check::SqlDialect,
};
use crate::{
    audit::server::event::Event,
    auth::authority::Permission,
    datasources::{
        dto::{
            AuthType, ConfigView, Datasource, DatasourceConfig, DatasourceConfigInput, DatasourceType, MASK,
        },
        server::service as datasources,
    },
    intents::server::versions,
    rules::server::service as rules,
    server::{
        AppState, Error, Result, TenantContext, TenantTx,
        error::OnConstraint,
        etag::{IfMatch, Versioned},
        paging::Page,
        same::says_what_is_stored,
        vault::Place,
    },
    shared::{ConfigId, Problem, validate::Checks},
};

impl Versioned for DatasourceConfig {}

fn place(id: ConfigId) -> Place<'static> {
    Place { table: "datasource_configs", row: id.0, column: "auth_config" }
}

/// By id.
///
/// # Errors
/// The database's.
pub async fn list(ctx: &TenantContext, page: Page<i64>) -> Result<Vec<DatasourceConfig>> {
    ctx.require(Permission::Read)?;
    let mut tx = ctx.begin().await?;
    let rows = repository::list(&mut tx, page.cursor, page.limit).await?;
    Ok(rows.into_iter().map(|row| row.into_config(&tx)).collect())
}

/// The configs that lead to files of the tenant, each with the path of one of them.
///
/// # Errors
/// The database's.
pub async fn file_paths(ctx: &TenantContext) -> Result<Vec<(String, String)>> {
    let mut all = Vec::new();
    for (name, endpoint) in endpoints(ctx).await? {
        all.extend(endpoint.files().into_iter().map(|path| (name.clone(), path.to_owned())));
    }
    Ok(all)
}

/// How the configs that lead to a file read it, each by its name: it alone, whatever else they lead to, and each in at least
/// one way.
///
/// # Errors
/// The database's.
pub async fn readings_of(ctx: &TenantContext, path: &str) -> Result<Vec<(String, Vec<Endpoint>)>> {
    let all = endpoints(ctx).await?.into_iter().map(|(name, endpoint)| (name, endpoint.readings_of(path)));
    Ok(all.filter(|(_, readings)| !readings.is_empty()).collect())
}

/// What can be used, by the config's name.
async fn endpoints(ctx: &TenantContext) -> Result<Vec<(String, Endpoint)>> {
    let mut tx = ctx.begin().await?;
    let rows = all(&mut tx).await?.into_iter();
    Ok(rows.filter_map(|row| row.endpoint().ok().map(|endpoint| (row.name, endpoint))).collect())
}

/// # Errors
/// 404.
pub async fn get(ctx: &TenantContext, id: ConfigId) -> Result<DatasourceConfig> {
    ctx.require(Permission::Read)?;
    let mut tx = ctx.begin().await?;
    let row = repository::find(&mut tx, id, false).await?.ok_or_else(|| not_found(id))?;
    Ok(row.into_config(&tx))
}

/// The config with all that its page shows.
///
/// # Errors
/// 404.
pub async fn view(ctx: &TenantContext, id: ConfigId) -> Result<ConfigView> {
    let config = get(ctx, id).await?;
    let mut tx = ctx.begin().await?;
    let used_by = datasources::using(&mut tx, &config.name).await?;
    let (files, fault) = (files_of(ctx, &config), endpoint_of(&config).err());
    Ok(ConfigView { etag: config.etag(), config, files, fault, used_by })
}

/// The files that a config leads to, if the caller may look into them.
pub fn files_of(ctx: &TenantContext, config: &DatasourceConfig) -> Vec<String> {
    match (ctx.require(Permission::Configure), endpoint_of(config)) {
        (Ok(()), Ok(endpoint)) => endpoint.files().into_iter().map(str::to_owned).collect(),
        _ => Vec::new(),
    }
}

/// Where it leads.
///
/// # Errors
/// 422 where what is stored cannot be used.
fn endpoint_of(config: &DatasourceConfig) -> Result<Endpoint, Problem> {
    let settings = config.connection_json.as_object().cloned().unwrap_or_default();
    connection::endpoint(&config.protocol, &config.driver_family, config.base_url.as_deref(), &settings)
}

/// # Errors
/// 409 for a name that exists, 422.
pub async fn create(ctx: &TenantContext, input: DatasourceConfigInput) -> Result<DatasourceConfig> {
    let mut tx = ctx.begin().await?;
    let config = insert(ctx, &mut tx, input).await?;
    tx.commit().await?;
    Ok(config)
}

/// Stores a new config, and tells the audit log.
///
/// # Errors
/// 403, 409 for a name that exists, 422.
pub async fn insert(
    ctx: &TenantContext,
    tx: &mut TenantTx,
    input: DatasourceConfigInput,
) -> Result<DatasourceConfig> {
    ctx.require(Permission::Credentials)?;
    let (input, _) = checked(ctx, input, &Map::new())?;
    let id = repository::insert(tx, &input)
        .await
        .on_constraint("uq_eivs_datasource_configs_tenant_name", || already_exists(&input))?;
    let config = store_auth(&ctx.app, tx, id, &input).await?;
    ctx.audit(tx, Event::created("datasource_config.create", id, &config)).await?;
    Ok(config)
}

/// Where a config would lead that is not stored (yet), with its credentials: those that are masked are the stored
/// config's, if there is one, and are never sent to another address than they were entered for.
///
/// # Errors
/// 403, 404, 422.
pub async fn draft(
    ctx: &TenantContext,
    id: Option<ConfigId>,
    input: DatasourceConfigInput,
) -> Result<Connection> {
    ctx.require(Permission::Credentials)?;
    let mut tx = ctx.begin().await?;
    let (row, stored) = match id {
        None => (None, Map::new()),
        Some(id) => {
            let row = repository::find(&mut tx, id, false).await?.ok_or_else(|| not_found(id))?;
            let stored = open(&ctx.app, &mut tx, &row).await?;
            (Some(row), stored)
        }
    };
    let (input, kept) = checked(ctx, input, &stored)?;
    if let Some(row) = &row {
        refuse_moved_secrets(row, &stored, &input, &kept)?;
    }
    let url = input.base_url.as_deref();
    let endpoint = connection::endpoint(&input.protocol, &input.driver_family, url, &input.connection_json)?;
    let auth = connection::auth(input.auth_type, &input.auth_config)?;
    Ok(Connection {
        tenant: ctx.tenant.clone(),
        config_id: connection::UNSTORED,
        // Another each time, so that nothing is kept from one draft to the next.
        version: chrono::Utc::now().timestamp_micros(),
        endpoint: connection::with_credentials(endpoint, &auth),
        auth,
    })
}

/// A member of `auth_config` that is sent back masked keeps its value. Where all is as it is stored, nothing is written.
///
/// # Errors
/// 404, 409 for a name that exists, 400 for a new name while datasources use the old one, 412, 422; 422 too where rules
/// would not hold with another protocol.
pub async fn replace(
    ctx: &TenantContext,
    id: ConfigId,
    input: DatasourceConfigInput,
    if_match: &IfMatch,
) -> Result<DatasourceConfig> {
    ctx.require(Permission::Credentials)?;
    let mut tx = ctx.begin().await?;
    // No rule comes or changes until it is known which hold.
    versions::hold(&mut tx).await?;
    let row = repository::find(&mut tx, id, true).await?.ok_or_else(|| not_found(id))?;
    let before = row.clone().into_config(&tx);
    if_match.check(&before)?;
    let stored = open(&ctx.app, &mut tx, &row).await?;
    let (input, kept) = checked(ctx, input, &stored)?;
    refuse_moved_secrets(&row, &stored, &input, &kept)?;
    if input.name != row.name {
        refuse_while_used(&mut tx, &row.name, "renamed").await?;
    }
    check_rules(&mut tx, &row, &input).await?;
    if says_what_is_stored(&read_back(&input, &kept), &before) {
        // Who saves it once more may have mended what it leads to: it is connected to anew. How often it failed stays, as it does
        // on the other servers, which hear nothing of this.
        if let Some(connection) = kept_of(ctx, &row) {
            ctx.app.lookups.disconnect(&connection);
        }
        return Ok(before);
    }
    repository::update(&mut tx, id, &input)
        .await
        .on_constraint("uq_eivs_datasource_configs_tenant_name", || already_exists(&input))?;
    let config = store_auth(&ctx.app, &mut tx, id, &input).await?;
    let event = Event::updated("datasource_config.update", id, &before, &config);
    ctx.audit(&mut tx, event.with_entered(&entered(&stored, &input.auth_config, &kept))).await?;
    tx.commit().await?;
    forget(ctx, &row);
    Ok(config)
}

/// # Errors
/// 404; 400 with the list of its users while there are any; 412.
pub async fn delete(ctx: &TenantContext, id: ConfigId, if_match: &IfMatch) -> Result<()> {
    ctx.require(Permission::Credentials)?;
    let mut tx = ctx.begin().await?;
    let row = repository::find(&mut tx, id, true).await?.ok_or_else(|| not_found(id))?;
    refuse_while_used(&mut tx, &row.name, "deleted").await?;
    let before = row.clone().into_config(&tx);
    if_match.check(&before)?;
    repository::delete(&mut tx, id).await?;
    ctx.audit(&mut tx, Event::deleted("datasource_config.delete", id, &before)).await?;
    tx.commit().await?;
    forget(ctx, &row);
    Ok(())
}

/// All of the tenant's, by id.
///
/// # Errors
/// The database's.
pub async fn all(tx: &mut TenantTx) -> Result<Vec<repository::Row>> {
    Ok(repository::list(tx, None, i64::MAX).await?)
}

/// Stores a config, in the place of one where it is given, as a part of a larger change. A masked member keeps its
/// value; where there is none it is left out, and look-ups say that it is missing until somebody sets it.
///
/// # Errors
/// 403, 404, 409 for a name that exists, 422.
pub async fn put(
    ctx: &TenantContext,
    tx: &mut TenantTx,
    id: Option<ConfigId>,
    mut input: DatasourceConfigInput,
) -> Result<DatasourceConfig> {
    ctx.require(Permission::Credentials)?;
    let row = match id {
        None => None,
        Some(id) => Some(repository::find(tx, id, true).await?.ok_or_else(|| not_found(id))?),
    };
    let stored = match &row {
        None => Map::new(),
        Some(row) => open(&ctx.app, tx, row).await?,
    };
    input.auth_config.retain(|name, value| value != MASK || stored.contains_key(name));
    let (input, kept) = checked_with(ctx, input, &stored, connection::auth_so_far)?;
    let exists = || already_exists(&input);
    let id = match &row {
        None => repository::insert(tx, &input).await,
        Some(row) => {
            refuse_moved_secrets(row, &stored, &input, &kept)?;
            repository::update(tx, row.config_id, &input).await.map(|_| row.config_id)
        }
    };
    let id = id.on_constraint("uq_eivs_datasource_configs_tenant_name", exists)?;
    store_auth(&ctx.app, tx, id, &input).await
}

/// Deletes a config, as a part of a larger change.
///
/// # Errors
/// 403, 404; 400 with the list of its users while there are any.
pub async fn remove(ctx: &TenantContext, tx: &mut TenantTx, id: ConfigId) -> Result<()> {
    ctx.require(Permission::Credentials)?;
    let row = repository::find(tx, id, true).await?.ok_or_else(|| not_found(id))?;
    refuse_while_used(tx, &row.name, "deleted").await?;
    repository::delete(tx, id).await?;
    Ok(())
}

/// Where the config of this name leads, and does until the transaction ends. `None` where there is none.
///
/// # Errors
/// 422 where what is stored cannot be used; the database's.
pub async fn endpoint(tx: &mut TenantTx, name: &str) -> Result<Option<Endpoint>> {
    let Some(row) = repository::find_by_name(tx, name, true).await? else { return Ok(None) };
    Ok(Some(row.endpoint()?))
}

/// Where the config of this name leads just now. `None` where there is none, or none that can be used.
///
/// # Errors
/// The database's.
pub async fn usable(tx: &mut TenantTx, name: &str) -> Result<Option<Endpoint>> {
    let row = repository::find_by_name(tx, name, false).await?;
    Ok(row.and_then(|row| row.endpoint().ok()))
}

/// Whose SQL it is where the config of this name leads. `None` where there is none, or none that can be used.
///
/// # Errors
/// The database's.
pub async fn dialect(tx: &mut TenantTx, name: &str) -> Result<Option<SqlDialect>> {
    Ok(usable(tx, name).await?.map(|endpoint| endpoint.dialect()))
}

/// The config of this name, ready to be used. `None` where there is none.
///
/// # Errors
/// 422 where what is stored cannot be used; the vault's and the database's.
pub async fn connection(app: &AppState, tx: &mut TenantTx, name: &str) -> Result<Option<Connection>> {
    let Some(row) = repository::find_by_name(tx, name, false).await? else { return Ok(None) };
    let members = open(app, tx, &row).await?;
    let auth = connection::auth(row.auth_type, &members)?;
    Ok(Some(Connection {
        tenant: tx.tenant().clone(),
        config_id: row.config_id,
        version: row.version(),
        endpoint: connection::with_credentials(row.endpoint()?, &auth),
        auth,
    }))
}

/// Of a config that was changed or is gone, which is committed by now, this server keeps nothing: with its connections go
/// its credentials. Other servers connect anew when they look up by a changed one next, and keep what they have of one
/// that is gone until they are started anew, its idle connections for a minute.
pub fn forget(ctx: &TenantContext, row: &repository::Row) {
    if let Some(connection) = kept_of(ctx, row) {
        ctx.app.lookups.forget(&connection);
    }
}

/// The connection by which something is kept. What leads nowhere was never connected to.
fn kept_of(ctx: &TenantContext, row: &repository::Row) -> Option<Connection> {
    Some(Connection {
        tenant: ctx.tenant.clone(),
        config_id: row.config_id,
        version: row.version(),
        endpoint: row.endpoint().ok()?,
        auth: Auth::None,
    })
}

async fn store_auth(
    app: &AppState,
    tx: &mut TenantTx,
    id: ConfigId,
    input: &DatasourceConfigInput,
) -> Result<DatasourceConfig> {
    let members: Vec<String> = input.auth_config.keys().cloned().collect();
    let sealed = if members.is_empty() {
        None
    } else {
        let plain = serde_json::to_vec(&input.auth_config).map_err(Error::internal)?;
        Some(app.vault.seal(tx, place(id), &plain).await?)
    };
    repository::set_auth(tx, id, sealed.as_deref(), &members).await?;
    let row = repository::find(tx, id, false).await?.ok_or_else(|| not_found(id))?;
    Ok(row.into_config(tx))
}

async fn open(app: &AppState, tx: &mut TenantTx, row: &repository::Row) -> Result<Map<String, Value>> {
    match &row.auth_config {
        None => Ok(Map::new()),
        Some(sealed) => {
            let plain = app.vault.open(tx, place(row.config_id), sealed).await?;
            serde_json::from_slice(&plain).map_err(Error::internal)
        }
    }
}

/// The input as it is to be stored, and the members of `auth_config` that keep what is stored: known only once the
/// base URL's credentials are among them.
fn checked(
    ctx: &TenantContext,
    input: DatasourceConfigInput,
    stored: &Map<String, Value>,
) -> Result<(DatasourceConfigInput, Vec<String>), Problem> {
    checked_with(ctx, input, stored, |auth_type, members| connection::auth(auth_type, members).map(drop))
}

/// `check_auth` says whether the credentials hold up.
fn checked_with(
    ctx: &TenantContext,
    mut input: DatasourceConfigInput,
    stored: &Map<String, Value>,
    check_auth: fn(AuthType, &Map<String, Value>) -> Result<(), Problem>,
) -> Result<(DatasourceConfigInput, Vec<String>), Problem> {
    connection::move_credentials(&mut input)?;
    let mut kept = Vec::new();
    for (name, value) in &mut input.auth_config {
        if value == MASK {
            if let Some(secret) = stored.get(name) {
                *value = secret.clone();
                kept.push(name.clone());
            } else {
                return Err(Problem::invalid_field(
                    format!("auth_config.{name}"),
                    "is masked, and there is no stored value to keep",
                ));
            }
        }
    }
    let mut checks = Checks::default();
    checks.same_tenant(input.tenant_id.as_deref(), &ctx.tenant);
    input.name = checks.name("name", &input.name);
    if let Some(url) = &input.base_url {
        checks.text("base_url", url, 2_000);
    }
    let endpoint = connection::endpoint(
        &input.protocol,
        &input.driver_family,
        input.base_url.as_deref(),
        &input.connection_json,
    );
    match checks.part_as_is(endpoint) {
        None | Some(Endpoint::Http(_)) => {}
        Some(Endpoint::Postgres(_) | Endpoint::MySql(_))
            if matches!(input.auth_type, AuthType::None | AuthType::Basic) => {}
        Some(_) if input.auth_type == AuthType::None => {}
        Some(_) => checks
            .fault("auth_type", format!("{} does not go with protocol {}", input.auth_type, input.protocol)),
    }
    checks.part_as_is(check_auth(input.auth_type, &input.auth_config));
    checks.finish()?;
    Ok((input, kept))
}

/// The input as it is read back once it is stored; what was entered anew stands there as it was entered.
fn read_back(input: &DatasourceConfigInput, kept: &[String]) -> DatasourceConfigInput {
    let mut input = input.clone();
    input.auth_config.extend(kept.iter().map(|name| (name.clone(), Value::from(MASK))));
    input
}

/// The members of `auth_config` that were entered anew in the place of stored ones. They may be the same: who reads this is
/// not told whether they were guessed.
fn entered(stored: &Map<String, Value>, given: &Map<String, Value>, kept: &[String]) -> Vec<String> {
    let anew = given.keys().filter(|name| stored.contains_key(*name) && !kept.contains(name));
    anew.map(|name| format!("auth_config.{name}")).collect()
}

/// A secret was entered for one address, and for TLS where that was required. Sent to another, or in clear, it could
/// be read there: it must be entered again.
fn refuse_moved_secrets(
    row: &repository::Row,
    stored: &Map<String, Value>,
    input: &DatasourceConfigInput,
    kept: &[String],
) -> Result<(), Problem> {
    let endpoint = |protocol: &str, base_url: Option<&str>, json: &Map<String, Value>| {
        connection::endpoint(protocol, "", base_url, json).ok()
    };
    let before = endpoint(&row.protocol, row.base_url.as_deref(), &row.connection_json);
    let after = endpoint(&input.protocol, input.base_url.as_deref(), &input.connection_json);
    let addresses = |endpoint: &Option<Endpoint>, auth: &Map<String, Value>| {
        let token_url =
            auth.get("token_url").and_then(Value::as_str).and_then(|text| url::Url::parse(text).ok());
        (endpoint.as_ref().and_then(Endpoint::address), token_url.map(|url| url.origin()))
    };
    let requires_tls = |endpoint: &Option<Endpoint>| endpoint.as_ref().is_some_and(Endpoint::requires_tls);
    let why = if addresses(&before, stored) != addresses(&after, &input.auth_config) {
        "must be entered again, since the config leads to another address now"
    } else if requires_tls(&before) && !requires_tls(&after) {
        "must be entered again, since the config does not require TLS any more"
    } else {
        return Ok(());
    };
    let mut checks = Checks::default();
    for name in kept {
        checks.fault(format!("auth_config.{name}"), why);
    }
    checks.finish()
}

/// Checks that a config with another protocol still serves the rules of its datasources.
async fn check_rules(tx: &mut TenantTx, row: &repository::Row, input: &DatasourceConfigInput) -> Result<()> {
    let Ok(before) = row.endpoint() else { return Ok(()) };
    let url = input.base_url.as_deref();
    let after = connection::endpoint(&input.protocol, &input.driver_family, url, &input.connection_json)?;
    for datasource in datasources::using(tx, &row.name).await? {
        let was = (datasource.datasource_type, Some(&before));
        check_served(tx, "protocol", was, &datasource, Some(&after)).await?;
    }
    Ok(())
}

/// Checks that a datasource, as it is now, still serves its rules where it leads `after`. Where it led did not serve it
/// as it `was`: then nothing is taken from it.
///
/// # Errors
/// 422 naming `field`, with a rule that would not hold any more.
pub async fn check_served(
    tx: &mut TenantTx,
    field: &str,
    was: (DatasourceType, Option<&Endpoint>),
    now: &Datasource,
    after: Option<&Endpoint>,
) -> Result<()> {
    let (id, kind) = (now.datasource_id, now.datasource_type);
    let (old_kind, before) = was;
    if before.is_some_and(|before| !before.serves(old_kind)) {
        return Ok(());
    }
    if after.is_none_or(|after| after.serves(kind)) {
        let (was, will_be) =
            ((old_kind, before.map(Endpoint::dialect)), (kind, after.map(Endpoint::dialect)));
        return rules::check_all_asking(tx, id, field, was, will_be).await;
    }
    let Some(rule) = rules::using(tx, id).await?.into_iter().next() else { return Ok(()) };
    let fault = format!(
        "does not lead to a datasource of the type {kind}, and rule {} of the intent '{}' asks '{}'",
        rule.rule_id, rule.intent, now.name
    );
    Err(Problem::invalid_field(field, fault).into())
}

async fn refuse_while_used(tx: &mut TenantTx, name: &str, what: &str) -> Result<()> {
    let users = repository::users(tx, name).await?;
    if users.is_empty() {
        return Ok(());
    }
    let list = users.iter().map(|user| format!("'{user}'")).collect::<Vec<_>>().join(", ");
    Err(Problem::business_rule(format!("Config '{name}' cannot be {what}: it is used by {list}")).into())
}

fn not_found(id: ConfigId) -> Problem {
    Problem::not_found("Datasource config", id)
}

fn already_exists(input: &DatasourceConfigInput) -> Problem {
    Problem::already_exists("Datasource config", &input.name)
}
