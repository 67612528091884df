//! `/api/datasources` and `/api/datasource-configs`.

use axum::{
    extract::OriginalUri,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{config_service, service, trial};
use crate::{
    datasources::dto::{
        Datasource, DatasourceConfig, DatasourceConfigInput, DatasourceInput, DatasourceWithConfig,
        PreviewInput, PreviewResult, TestResult,
    },
    server::{
        AppState, Result, TenantContext,
        etag::{IfMatch, Tagged},
        extract::{Json, PathId, Query},
        openapi::{Active, InTenant, Paging, Unchanged},
        paging::list_response,
    },
    shared::{ConfigId, DatasourceId},
};

pub fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::default()
        .routes(routes!(list, create))
        .routes(routes!(find, replace, delete))
        .routes(routes!(with_config))
        .routes(routes!(test))
        .routes(routes!(preview))
        .routes(routes!(list_configs, create_config))
        .routes(routes!(find_config, replace_config, delete_config))
}

/// Lists the datasources, by id.
#[utoipa::path(
    get,
    path = "/api/datasources",
    operation_id = "list_datasources",
    tag = "datasources",
    params(InTenant, Active, Paging),
    responses((status = 200, description = "A page", body = [Datasource])),
    extensions(("x-required-role" = json!("viewer"))),
)]
async fn list(ctx: TenantContext, OriginalUri(uri): OriginalUri, query: Query) -> Result<Response> {
    let page = query.page()?;
    let datasources = service::list(&ctx, query.flag("active_only")?, page).await?;
    Ok(list_response(datasources, page.limit, &uri, |datasource| datasource.datasource_id))
}

/// Makes a datasource.
#[utoipa::path(
    post,
    path = "/api/datasources",
    operation_id = "create_datasource",
    tag = "datasources",
    params(InTenant),
    request_body = DatasourceInput,
    responses(
        (status = 201, description = "Made", body = Datasource, headers(("ETag" = String))),
        (status = 409, description = "The name exists"),
        (status = 400, description = "The config of that name cannot serve a datasource of this type"),
    ),
    extensions(("x-required-role" = json!("editor"))),
)]
async fn create(ctx: TenantContext, Json(input): Json<DatasourceInput>) -> Result<impl IntoResponse> {
    Ok((StatusCode::CREATED, Tagged(service::create(&ctx, input).await?)))
}

/// Gives a datasource.
#[utoipa::path(
    get,
    path = "/api/datasources/{datasource_id}",
    operation_id = "get_datasource",
    tag = "datasources",
    params(("datasource_id" = DatasourceId, Path), InTenant),
    responses((status = 200, description = "Done", body = Datasource)),
    extensions(("x-required-role" = json!("viewer"))),
)]
async fn find(ctx: TenantContext, PathId(id): PathId<DatasourceId>) -> Result<Tagged<Datasource>> {
    Ok(Tagged(service::get(&ctx, id).await?))
}

/// Gives a datasource with the config that its connection_key names.
#[utoipa::path(
    get,
    path = "/api/datasources/{datasource_id}/with-config",
    operation_id = "get_datasource_with_config",
    tag = "datasources",
    params(("datasource_id" = DatasourceId, Path), InTenant),
    responses((status = 200, description = "Done", body = DatasourceWithConfig)),
    extensions(("x-required-role" = json!("viewer"))),
)]
async fn with_config(
    ctx: TenantContext,
    PathId(id): PathId<DatasourceId>,
) -> Result<axum::Json<DatasourceWithConfig>> {
    Ok(axum::Json(service::get_with_config(&ctx, id).await?))
}

/// Replaces a datasource.
#[utoipa::path(
    put,
    path = "/api/datasources/{datasource_id}",
    operation_id = "replace_datasource",
    tag = "datasources",
    params(("datasource_id" = DatasourceId, Path), InTenant, Unchanged),
    request_body = DatasourceInput,
    responses(
        (status = 200, description = "Done", body = Datasource),
        (status = 409, description = "The name exists"),
        (status = 400, description = "The config of that name cannot serve a datasource of this type"),
    ),
    extensions(("x-required-role" = json!("editor"))),
)]
async fn replace(
    ctx: TenantContext,
    PathId(id): PathId<DatasourceId>,
    if_match: IfMatch,
    Json(input): Json<DatasourceInput>,
) -> Result<Tagged<Datasource>> {
    Ok(Tagged(service::replace(&ctx, id, input, &if_match).await?))
}

/// Deletes a datasource with the rules that look something up in it.
#[utoipa::path(
    delete,
    path = "/api/datasources/{datasource_id}",
    operation_id = "delete_datasource",
    tag = "datasources",
    params(("datasource_id" = DatasourceId, Path), InTenant, Unchanged),
    responses((status = 204, description = "Deleted")),
    extensions(("x-required-role" = json!("editor"))),
)]
async fn delete(
    ctx: TenantContext,
    PathId(id): PathId<DatasourceId>,
    if_match: IfMatch,
) -> Result<StatusCode> {
    service::delete(&ctx, id, &if_match).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Tries to reach a datasource, step by step.
#[utoipa::path(
    post,
    path = "/api/datasources/{datasource_id}/test",
    operation_id = "test_datasource",
    tag = "datasources",
    params(("datasource_id" = DatasourceId, Path), InTenant),
    responses((status = 200, description = "It was tried: ok says whether it works", body = TestResult)),
    extensions(("x-required-role" = json!("editor"))),
)]
async fn test(ctx: TenantContext, PathId(id): PathId<DatasourceId>) -> Result<axum::Json<TestResult>> {
    Ok(axum::Json(trial::test(&ctx, id).await?))
}

/// Runs a look-up, and gives its first rows.
#[utoipa::path(
    post,
    path = "/api/datasources/{datasource_id}/preview",
    operation_id = "preview_datasource",
    tag = "datasources",
    params(("datasource_id" = DatasourceId, Path), InTenant),
    request_body = PreviewInput,
    responses(
        (status = 200, description = "It was run: ok says whether it worked", body = PreviewResult),
        (status = 400, description = "The config of that name cannot serve a datasource of this type"),
    ),
    extensions(("x-required-role" = json!("editor"))),
)]
async fn preview(
    ctx: TenantContext,
    PathId(id): PathId<DatasourceId>,
    Json(input): Json<PreviewInput>,
) -> Result<axum::Json<PreviewResult>> {
    Ok(axum::Json(trial::preview(&ctx, id, input).await?))
}

/// Lists the datasource configs, by id.
#[utoipa::path(
    get,
    path = "/api/datasource-configs",
    operation_id = "list_configs",
    tag = "datasource configs",
    params(InTenant, Paging),
    responses((status = 200, description = "A page", body = [DatasourceConfig])),
    extensions(("x-required-role" = json!("viewer"))),
)]
async fn list_configs(ctx: TenantContext, OriginalUri(uri): OriginalUri, query: Query) -> Result<Response> {
    let page = query.page()?;
    let configs = config_service::list(&ctx, page).await?;
    Ok(list_response(configs, page.limit, &uri, |config| config.config_id))
}

/// Makes a datasource config.
#[utoipa::path(
    post,
    path = "/api/datasource-configs",
    operation_id = "create_config",
    tag = "datasource configs",
    params(InTenant),
    request_body = DatasourceConfigInput,
    responses(
        (status = 201, description = "Made", body = DatasourceConfig, headers(("ETag" = String))),
        (status = 409, description = "The name exists"),
    ),
    extensions(("x-required-role" = json!("admin"))),
)]
async fn create_config(
    ctx: TenantContext,
    Json(input): Json<DatasourceConfigInput>,
) -> Result<impl IntoResponse> {
    Ok((StatusCode::CREATED, Tagged(config_service::create(&ctx, input).await?)))
}

/// Gives a datasource config, its secrets masked.
#[utoipa::path(
    get,
    path = "/api/datasource-configs/{config_id}",
    operation_id = "get_config",
    tag = "datasource configs",
    params(("config_id" = ConfigId, Path), InTenant),
    responses((status = 200, description = "Done", body = DatasourceConfig)),
    extensions(("x-required-role" = json!("viewer"))),
)]
async fn find_config(ctx: TenantContext, PathId(id): PathId<ConfigId>) -> Result<Tagged<DatasourceConfig>> {
    Ok(Tagged(config_service::get(&ctx, id).await?))
}

/// Replaces a datasource config.
///
/// A secret that is sent as its mask, `********`, stays as it is stored, unless the config leads elsewhere now.
#[utoipa::path(
    put,
    path = "/api/datasource-configs/{config_id}",
    operation_id = "replace_config",
    tag = "datasource configs",
    params(("config_id" = ConfigId, Path), InTenant, Unchanged),
    request_body = DatasourceConfigInput,
    responses(
        (status = 200, description = "Done", body = DatasourceConfig),
        (status = 409, description = "The name exists"),
        (status = 400, description = "Datasources use the config, so it can be neither renamed nor deleted: the sentence lists them"),
    ),
    extensions(("x-required-role" = json!("admin"))),
)]
async fn replace_config(
    ctx: TenantContext,
    PathId(id): PathId<ConfigId>,
    if_match: IfMatch,
    Json(input): Json<DatasourceConfigInput>,
) -> Result<Tagged<DatasourceConfig>> {
    Ok(Tagged(config_service::replace(&ctx, id, input, &if_match).await?))
}

/// Deletes a datasource config that no datasource uses.
#[utoipa::path(
    delete,
    path = "/api/datasource-configs/{config_id}",
    operation_id = "delete_config",
    tag = "datasource configs",
    params(("config_id" = ConfigId, Path), InTenant, Unchanged),
    responses(
        (status = 204, description = "Deleted"),
        (status = 400, description = "Datasources use the config, so it can be neither renamed nor deleted: the sentence lists them"),
    ),
    extensions(("x-required-role" = json!("admin"))),
)]
async fn delete_config(
    ctx: TenantContext,
    PathId(id): PathId<ConfigId>,
    if_match: IfMatch,
) -> Result<StatusCode> {
    config_service::delete(&ctx, id, &if_match).await?;
    Ok(StatusCode::NO_CONTENT)
}
