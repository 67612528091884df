//! `/api/api-keys` and `/api/instance-api-keys`.

use axum::{
    Router,
    extract::OriginalUri,
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::{delete, get},
};

use super::service;
use crate::{
    keys::dto::{ApiKey, ApiKeyInput, InstanceKeyInput},
    server::{
        AppState, CallerContext, Result, TenantContext,
        extract::{Json, PathId, Query},
        paging::list_response,
    },
    shared::KeyId,
};

pub fn routes() -> Router<AppState> {
    Router::new()
        .route("/api/api-keys", get(list).post(create))
        .route("/api/api-keys/{key_id}", get(find).delete(revoke))
        .route("/api/instance-api-keys", get(list_instance).post(create_instance))
        .route("/api/instance-api-keys/{key_id}", delete(revoke_instance))
}

async fn list(ctx: TenantContext, OriginalUri(uri): OriginalUri, query: Query) -> Result<Response> {
    let page = query.page()?;
    let keys = service::list(&ctx, query.flag("active_only")?, page).await?;
    Ok(list_response(keys, page.limit, &uri, |key| key.key_id))
}

async fn create(ctx: TenantContext, Json(input): Json<ApiKeyInput>) -> Result<impl IntoResponse> {
    Ok((StatusCode::CREATED, axum::Json(service::create(&ctx, &input).await?)))
}

async fn find(ctx: TenantContext, PathId(id): PathId<KeyId>) -> Result<axum::Json<ApiKey>> {
    Ok(axum::Json(service::get(&ctx, id).await?))
}

async fn revoke(ctx: TenantContext, PathId(id): PathId<KeyId>) -> Result<StatusCode> {
    service::revoke(&ctx, id).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn list_instance(ctx: CallerContext, OriginalUri(uri): OriginalUri, query: Query) -> Result<Response> {
    let page = query.page()?;
    let keys = service::list_instance(&ctx, query.flag("active_only")?, page).await?;
    Ok(list_response(keys, page.limit, &uri, |key| key.key_id))
}

async fn create_instance(
    ctx: CallerContext,
    Json(input): Json<InstanceKeyInput>,
) -> Result<impl IntoResponse> {
    Ok((StatusCode::CREATED, axum::Json(service::create_instance(&ctx, &input).await?)))
}

async fn revoke_instance(ctx: CallerContext, PathId(id): PathId<KeyId>) -> Result<StatusCode> {
    service::revoke_instance(&ctx, id).await?;
    Ok(StatusCode::NO_CONTENT)
}
