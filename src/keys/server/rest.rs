//! `/api/api-keys` and `/api/instance-api-keys`.

use axum::{
    extract::OriginalUri,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::service;
use crate::{
    keys::dto::{ApiKey, ApiKeyInput, ApiKeyMade, InstanceKeyInput},
    server::{
        AppState, CallerContext, Result, TenantContext,
        extract::{Json, PathId, Query},
        openapi::{Active, InTenant, Paging},
        paging::list_response,
    },
    shared::KeyId,
};

pub fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::default()
        .routes(routes!(list, create))
        .routes(routes!(find, revoke))
        .routes(routes!(list_instance, create_instance))
        .routes(routes!(revoke_instance))
}

/// Lists the API keys of the tenant, by id.
#[utoipa::path(
    get,
    path = "/api/api-keys",
    operation_id = "list_api_keys",
    tag = "API keys",
    params(InTenant, Active, Paging),
    responses((status = 200, description = "A page", body = [ApiKey])),
    extensions(("x-required-role" = json!("admin"))),
)]
async fn list(ctx: TenantContext, OriginalUri(uri): OriginalUri, query: Query) -> Result<Response> {
    let page = query.page()?;
    let keys = service::list(&ctx, query.flag("active_only")?, page).await?;
    Ok(list_response(keys, page.limit, &uri, |key| key.key_id))
}

/// Makes an API key of the tenant.
///
/// The key is in the answer, and in no other.
#[utoipa::path(
    post,
    path = "/api/api-keys",
    operation_id = "create_api_key",
    tag = "API keys",
    params(InTenant),
    request_body = ApiKeyInput,
    responses((status = 201, description = "Made", body = ApiKeyMade)),
    extensions(("x-required-role" = json!("admin"))),
)]
async fn create(ctx: TenantContext, Json(input): Json<ApiKeyInput>) -> Result<impl IntoResponse> {
    Ok((StatusCode::CREATED, axum::Json(service::create(&ctx, &input).await?)))
}

/// Gives an API key, without the key itself.
#[utoipa::path(
    get,
    path = "/api/api-keys/{key_id}",
    operation_id = "get_api_key",
    tag = "API keys",
    params(("key_id" = KeyId, Path), InTenant),
    responses((status = 200, description = "Done", body = ApiKey)),
    extensions(("x-required-role" = json!("admin"))),
)]
async fn find(ctx: TenantContext, PathId(id): PathId<KeyId>) -> Result<axum::Json<ApiKey>> {
    Ok(axum::Json(service::get(&ctx, id).await?))
}

/// Revokes an API key.
///
/// The keys that were made by it end with it, and so do the open invitations. It stays listed.
#[utoipa::path(
    delete,
    path = "/api/api-keys/{key_id}",
    operation_id = "revoke_api_key",
    tag = "API keys",
    params(("key_id" = KeyId, Path), InTenant),
    responses((status = 204, description = "Revoked")),
    extensions(("x-required-role" = json!("admin"))),
)]
async fn revoke(ctx: TenantContext, PathId(id): PathId<KeyId>) -> Result<StatusCode> {
    service::revoke(&ctx, id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Lists the API keys of the installation, by id.
#[utoipa::path(
    get,
    path = "/api/instance-api-keys",
    operation_id = "list_instance_api_keys",
    tag = "API keys",
    params(Active, Paging),
    responses((status = 200, description = "A page", body = [ApiKey])),
    extensions(("x-required-role" = json!("instance"))),
)]
async fn list_instance(ctx: CallerContext, OriginalUri(uri): OriginalUri, query: Query) -> Result<Response> {
    let page = query.page()?;
    let keys = service::list_instance(&ctx, query.flag("active_only")?, page).await?;
    Ok(list_response(keys, page.limit, &uri, |key| key.key_id))
}

/// Makes an API key of the installation.
///
/// The key is in the answer, and in no other.
#[utoipa::path(
    post,
    path = "/api/instance-api-keys",
    operation_id = "create_instance_api_key",
    tag = "API keys",
    request_body = InstanceKeyInput,
    responses((status = 201, description = "Made", body = ApiKeyMade)),
    extensions(("x-required-role" = json!("instance"))),
)]
async fn create_instance(
    ctx: CallerContext,
    Json(input): Json<InstanceKeyInput>,
) -> Result<impl IntoResponse> {
    Ok((StatusCode::CREATED, axum::Json(service::create_instance(&ctx, &input).await?)))
}

/// Revokes an API key of the installation.
///
/// The keys that were made by it end with it, and so do the open invitations, in each tenant. It stays listed.
#[utoipa::path(
    delete,
    path = "/api/instance-api-keys/{key_id}",
    operation_id = "revoke_instance_api_key",
    tag = "API keys",
    params(("key_id" = KeyId, Path)),
    responses((status = 204, description = "Revoked")),
    extensions(("x-required-role" = json!("instance"))),
)]
async fn revoke_instance(ctx: CallerContext, PathId(id): PathId<KeyId>) -> Result<StatusCode> {
    service::revoke_instance(&ctx, id).await?;
    Ok(StatusCode::NO_CONTENT)
}
