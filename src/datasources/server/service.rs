//! Business rules of datasources.

use serde::Serialize;

use super::{config_repository, config_service, connection::Connection, repository};
use crate::{
    audit::server::event::Event,
    auth::authority::Permission,
    datasources::dto::{
        Datasource, DatasourceConfigInput, DatasourceInput, DatasourceView, DatasourceWithConfig,
    },
    intents::server::versions,
    rules::{dto::ValidationRule, server::service as rules},
    server::{
        AppState, Error, Result, TenantContext, TenantRows, TenantTx,
        error::{OnConstraint, at_place},
        etag::{IfMatch, Versioned},
        paging::Page,
        same::says_what_is_stored,
    },
    shared::{DatasourceId, IntentId, Problem},
};

impl Versioned for Datasource {}

/// By id.
///
/// # Errors
/// The database's.
pub async fn list(ctx: &TenantContext, active_only: bool, page: Page<i64>) -> Result<Vec<Datasource>> {
    ctx.require(Permission::Read)?;
    let mut tx = ctx.begin().await?;
    Ok(repository::list(&mut tx, active_only, page.cursor, page.limit).await?)
}

/// # Errors
/// 404.
pub async fn get(ctx: &TenantContext, id: DatasourceId) -> Result<Datasource> {
    ctx.require(Permission::Read)?;
    find(&mut ctx.read().await?, id).await?.ok_or_else(|| not_found(id).into())
}

/// # Errors
/// The database's.
pub async fn find(tx: &mut impl TenantRows, id: DatasourceId) -> Result<Option<Datasource>> {
    Ok(repository::find(tx, id).await?)
}

/// The datasource with its config, whose secrets are masked; `null` where its `connection_key` names none.
///
/// # Errors
/// 404.
pub async fn get_with_config(ctx: &TenantContext, id: DatasourceId) -> Result<DatasourceWithConfig> {
    ctx.require(Permission::Read)?;
    let mut tx = ctx.begin().await?;
    let datasource = find(&mut tx, id).await?.ok_or_else(|| not_found(id))?;
    let row = config_repository::find_by_name(&mut tx, &datasource.connection_key, false).await?;
    let config = row.map(|row| row.into_config(&tx));
    Ok(DatasourceWithConfig { datasource, config })
}

/// The datasource with all that its page shows.
///
/// # Errors
/// 404.
pub async fn view(ctx: &TenantContext, id: DatasourceId) -> Result<DatasourceView> {
    let DatasourceWithConfig { datasource, config } = get_with_config(ctx, id).await?;
    let mut tx = ctx.begin().await?;
    let used_by = rules::using(&mut tx, id).await?;
    let files = config.as_ref().map(|config| config_service::files_of(ctx, config)).unwrap_or_default();
    Ok(DatasourceView { etag: datasource.etag(), datasource, config, files, used_by })
}

/// # Errors
/// 409 for a name that exists, 400 where its config is of another kind, 422.
pub async fn create(ctx: &TenantContext, input: DatasourceInput) -> Result<Datasource> {
    let mut tx = ctx.begin().await?;
    let datasource = insert(ctx, &mut tx, input).await?;
    tx.commit().await?;
    Ok(datasource)
}

/// Where all is as it is stored, nothing is written.
///
/// # Errors
/// 404, 409 for a name that exists, 400 where its config is of another kind, 412, 422; 422 too where rules would not hold
/// with another type or config.
pub async fn replace(
    ctx: &TenantContext,
    id: DatasourceId,
    input: DatasourceInput,
    if_match: &IfMatch,
) -> Result<Datasource> {
    ctx.require(Permission::Configure)?;
    let mut tx = ctx.begin().await?;
    versions::hold(&mut tx).await?;
    let datasource = update(ctx, &mut tx, id, input, if_match).await?;
    tx.commit().await?;
    Ok(datasource)
}

/// Stores a datasource, a new one where there is no `id`, and with it a new config that it uses: both or neither.
///
/// # Errors
/// As `create` and `replace`; 403 for who may not set credentials; the config's faults are below `config`.
pub async fn save_with_config(
    ctx: &TenantContext,
    id: Option<DatasourceId>,
    input: DatasourceInput,
    config: DatasourceConfigInput,
    if_match: &IfMatch,
) -> Result<Datasource> {
    ctx.require(Permission::Configure)?;
    let mut tx = ctx.begin().await?;
    if id.is_some() {
        versions::hold(&mut tx).await?;
    }
    let config = at_place(config_service::insert(ctx, &mut tx, config).await, "config")?;
    let input = DatasourceInput { connection_key: config.name, ..input };
    let datasource = match id {
        None => insert(ctx, &mut tx, input).await?,
        Some(id) => update(ctx, &mut tx, id, input, if_match).await?,
    };
    tx.commit().await?;
    Ok(datasource)
}

async fn insert(ctx: &TenantContext, tx: &mut TenantTx, input: DatasourceInput) -> Result<Datasource> {
    ctx.require(Permission::Configure)?;
    let input = input.validate(&ctx.tenant)?;
    check_config(tx, &input).await?;
    let datasource = repository::insert(tx, &input)
        .await
        .on_constraint("uq_eivs_datasources_tenant_name", || already_exists(&input))?;
    ctx.audit(tx, Event::created("datasource.create", datasource.datasource_id, &datasource)).await?;
    Ok(datasource)
}

/// The caller holds the tenant's rules (`versions::hold`) before anything else, so that none comes that would not hold.
async fn update(
    ctx: &TenantContext,
    tx: &mut TenantTx,
    id: DatasourceId,
    input: DatasourceInput,
    if_match: &IfMatch,
) -> Result<Datasource> {
    ctx.require(Permission::Configure)?;
    let input = input.validate(&ctx.tenant)?;
    let before = repository::lock(tx, id).await?.ok_or_else(|| not_found(id))?;
    if_match.check(&before)?;
    check_config(tx, &input).await?;
    check_rules(tx, &before, &input).await?;
    if says_what_is_stored(&input, &before) {
        return Ok(before);
    }
    let datasource = repository::update(tx, id, &input)
        .await
        .on_constraint("uq_eivs_datasources_tenant_name", || already_exists(&input))?
        .ok_or_else(|| not_found(id))?;
    ctx.audit(tx, Event::updated("datasource.update", id, &before, &datasource)).await?;
    Ok(datasource)
}

/// A datasource with the rules that go with it, as the audit log has them.
#[derive(Serialize)]
struct Gone {
    datasource: Datasource,
    validation_rules: Vec<ValidationRule>,
}

/// Deletes the datasource with its rules.
///
/// # Errors
/// 404, 412.
pub async fn delete(ctx: &TenantContext, id: DatasourceId, if_match: &IfMatch) -> Result<()> {
    ctx.require(Permission::Configure)?;
    let mut tx = ctx.begin().await?;
    let revision = versions::begin(&mut tx).await?;
    let datasource = repository::lock(&mut tx, id).await?.ok_or_else(|| not_found(id))?;
    if_match.check(&datasource)?;
    let validation_rules = rules::asking(&mut tx, id).await?;
    let asking = versions::intents_asking(&mut tx, id).await?;
    repository::delete(&mut tx, id).await?;
    for intent in asking {
        versions::record(&mut tx, revision, intent, &ctx.actor.label()).await?;
    }
    let gone = Gone { datasource, validation_rules };
    ctx.audit(&mut tx, Event::deleted("datasource.delete", id, &gone)).await?;
    Ok(tx.commit().await?)
}

/// Those that use a config, by name.
///
/// # Errors
/// The database's.
pub async fn using(tx: &mut TenantTx, connection_key: &str) -> Result<Vec<Datasource>> {
    Ok(repository::using(tx, connection_key).await?)
}

/// All of the tenant's, by id.
///
/// # Errors
/// The database's.
pub async fn all(tx: &mut TenantTx) -> Result<Vec<Datasource>> {
    Ok(repository::list(tx, false, None, i64::MAX).await?)
}

/// Stores a checked datasource, in the place of one where it is given, as a part of a larger change.
///
/// # Errors
/// 404, 409 for a name that exists, 400 where its config is of another kind.
pub async fn put(tx: &mut TenantTx, id: Option<DatasourceId>, input: &DatasourceInput) -> Result<Datasource> {
    check_config(tx, input).await?;
    let stored = match id {
        None => repository::insert(tx, input).await.map(Some),
        Some(id) => repository::update(tx, id, input).await,
    };
    let datasource = stored.on_constraint("uq_eivs_datasources_tenant_name", || already_exists(input))?;
    datasource.ok_or_else(|| Problem::not_found("Datasource", &input.name).into())
}

/// Deletes a datasource with its rules, as a part of a larger change: that has begun a revision, and records the
/// versions of the intents that are given.
///
/// # Errors
/// 404.
pub async fn remove(tx: &mut TenantTx, id: DatasourceId) -> Result<Vec<IntentId>> {
    let asking = versions::intents_asking(tx, id).await?;
    if repository::delete(tx, id).await? { Ok(asking) } else { Err(not_found(id).into()) }
}

/// What a look-up needs, or why it cannot be made: a sentence that becomes the verdict `error`.
///
/// # Errors
/// The vault's and the database's.
pub async fn connection(
    app: &AppState,
    tx: &mut TenantTx,
    datasource: &Datasource,
) -> Result<Result<Connection, String>> {
    if !datasource.is_active {
        return Ok(Err(format!("the datasource {} is not active", datasource.name)));
    }
    match config_service::connection(app, tx, &datasource.connection_key).await {
        Ok(Some(found)) if found.endpoint.serves(datasource.datasource_type) => Ok(Ok(found)),
        Ok(Some(_)) => Ok(Err(format!(
            "the config {} does not lead to a datasource of the type {}",
            datasource.connection_key, datasource.datasource_type
        ))),
        Ok(None) => Ok(Err(format!("there is no config {}", datasource.connection_key))),
        Err(Error::Problem(problem)) if problem.status < 500 => Ok(Err(problem.detail)),
        Err(error) => Err(error),
    }
}

/// A config may come later; one that is there must be of the datasource's kind.
async fn check_config(tx: &mut TenantTx, input: &DatasourceInput) -> Result<()> {
    match config_service::endpoint(tx, &input.connection_key).await? {
        Some(endpoint) if !endpoint.serves(input.datasource_type) => Err(Problem::business_rule(format!(
            "Config '{}' does not lead to a datasource of the type {}",
            input.connection_key, input.datasource_type
        ))
        .into()),
        _ => Ok(()),
    }
}

/// Checks that a datasource of another type, or with a config of another dialect, still serves its rules.
async fn check_rules(tx: &mut TenantTx, before: &Datasource, input: &DatasourceInput) -> Result<()> {
    let was = (before.datasource_type, config_service::dialect(tx, &before.connection_key).await?);
    let will_be = (input.datasource_type, config_service::dialect(tx, &input.connection_key).await?);
    let field = if was.0 == will_be.0 { "connection_key" } else { "datasource_type" };
    rules::check_all_asking(tx, before.datasource_id, field, was, will_be).await
}

fn not_found(id: DatasourceId) -> Problem {
    Problem::not_found("Datasource", id)
}

fn already_exists(input: &DatasourceInput) -> Problem {
    Problem::already_exists("Datasource", &input.name)
}
