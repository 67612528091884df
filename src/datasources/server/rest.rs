//! `/api/datasources` and `/api/datasource-configs`.

use axum::{
    Router,
    extract::OriginalUri,
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::{get, post},
};

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
        paging::list_response,
    },
    shared::{ConfigId, DatasourceId},
};

pub fn routes() -> Router<AppState> {
    Router::new()
        .route("/api/datasources", get(list).post(create))
        .route("/api/datasources/{datasource_id}", get(find).put(replace).delete(delete))
        .route("/api/datasources/{datasource_id}/with-config", get(with_config))
        .route("/api/datasources/{datasource_id}/test", post(test))
        .route("/api/datasources/{datasource_id}/preview", post(preview))
        .route("/api/datasource-configs", get(list_configs).post(create_config))
        .route(
            "/api/datasource-configs/{config_id}",
            get(find_config).put(replace_config).delete(delete_config),
        )
}

async fn list(ctx: TenantContext, OriginalUri(uri): OriginalUri, query: Query) -> Result<Response> {
    let page = query.page()?;
    let datasources = service::list(&ctx, query.flag("active_only")?, page).await?;
    Ok(list_response(datasources, page.limit, &uri, |datasource| datasource.datasource_id))
}

async fn create(ctx: TenantContext, Json(input): Json<DatasourceInput>) -> Result<impl IntoResponse> {
    Ok((StatusCode::CREATED, Tagged(service::create(&ctx, input).await?)))
}

async fn find(ctx: TenantContext, PathId(id): PathId<DatasourceId>) -> Result<Tagged<Datasource>> {
    Ok(Tagged(service::get(&ctx, id).await?))
}

async fn with_config(
    ctx: TenantContext,
    PathId(id): PathId<DatasourceId>,
) -> Result<axum::Json<DatasourceWithConfig>> {
    Ok(axum::Json(service::get_with_config(&ctx, id).await?))
}

async fn replace(
    ctx: TenantContext,
    PathId(id): PathId<DatasourceId>,
    if_match: IfMatch,
    Json(input): Json<DatasourceInput>,
) -> Result<Tagged<Datasource>> {
    Ok(Tagged(service::replace(&ctx, id, input, &if_match).await?))
}

async fn delete(
    ctx: TenantContext,
    PathId(id): PathId<DatasourceId>,
    if_match: IfMatch,
) -> Result<StatusCode> {
    service::delete(&ctx, id, &if_match).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn test(ctx: TenantContext, PathId(id): PathId<DatasourceId>) -> Result<axum::Json<TestResult>> {
    Ok(axum::Json(trial::test(&ctx, id).await?))
}

async fn preview(
    ctx: TenantContext,
    PathId(id): PathId<DatasourceId>,
    Json(input): Json<PreviewInput>,
) -> Result<axum::Json<PreviewResult>> {
    Ok(axum::Json(trial::preview(&ctx, id, input).await?))
}

async fn list_configs(ctx: TenantContext, OriginalUri(uri): OriginalUri, query: Query) -> Result<Response> {
    let page = query.page()?;
    let configs = config_service::list(&ctx, page).await?;
    Ok(list_response(configs, page.limit, &uri, |config| config.config_id))
}

async fn create_config(
    ctx: TenantContext,
    Json(input): Json<DatasourceConfigInput>,
) -> Result<impl IntoResponse> {
    Ok((StatusCode::CREATED, Tagged(config_service::create(&ctx, input).await?)))
}

async fn find_config(ctx: TenantContext, PathId(id): PathId<ConfigId>) -> Result<Tagged<DatasourceConfig>> {
    Ok(Tagged(config_service::get(&ctx, id).await?))
}

async fn replace_config(
    ctx: TenantContext,
    PathId(id): PathId<ConfigId>,
    if_match: IfMatch,
    Json(input): Json<DatasourceConfigInput>,
) -> Result<Tagged<DatasourceConfig>> {
    Ok(Tagged(config_service::replace(&ctx, id, input, &if_match).await?))
}

async fn delete_config(
    ctx: TenantContext,
    PathId(id): PathId<ConfigId>,
    if_match: IfMatch,
) -> Result<StatusCode> {
    config_service::delete(&ctx, id, &if_match).await?;
    Ok(StatusCode::NO_CONTENT)
}
