//! `/api/tenants`.

use axum::{
    extract::OriginalUri,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::service;
use crate::{
    server::{
        AppState, CallerContext, Result,
        etag::{IfMatch, Tagged},
        extract::{Json, PathId, Query},
        openapi::{Active, Paging, Unchanged},
        paging::list_response,
    },
    shared::TenantId,
    tenants::dto::{Tenant, TenantInput},
};

pub fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::default().routes(routes!(list, create)).routes(routes!(find, replace, delete))
}

/// Lists the tenants that the caller has a part in, by id.
#[utoipa::path(
    get,
    path = "/api/tenants",
    operation_id = "list_tenants",
    tag = "tenants",
    params(Active, Paging),
    responses((status = 200, description = "A page", body = [Tenant])),
    extensions(("x-required-role" = json!("viewer"))),
)]
async fn list(ctx: CallerContext, OriginalUri(uri): OriginalUri, query: Query) -> Result<Response> {
    let page = query.page()?;
    let limit = page.limit;
    let tenants = service::list(&ctx, query.flag("active_only")?, page).await?;
    Ok(list_response(tenants, limit, &uri, |tenant| tenant.tenant_id.clone()))
}

/// Makes a tenant.
#[utoipa::path(
    post,
    path = "/api/tenants",
    operation_id = "create_tenant",
    tag = "tenants",
    request_body = TenantInput,
    responses(
        (status = 201, description = "Made", body = Tenant, headers(("ETag" = String))),
        (status = 409, description = "The id or the name exists"),
        (status = 400, description = "Files of a former tenant of this id are still on the server"),
    ),
    extensions(("x-required-role" = json!("instance"))),
)]
async fn create(ctx: CallerContext, Json(input): Json<TenantInput>) -> Result<impl IntoResponse> {
    let tenant = service::create(&ctx, input).await?;
    Ok((StatusCode::CREATED, Tagged(tenant)))
}

/// Gives a tenant.
#[utoipa::path(
    get,
    path = "/api/tenants/{tenant_id}",
    operation_id = "get_tenant",
    tag = "tenants",
    params(("tenant_id" = TenantId, Path, description = "The tenant")),
    responses((status = 200, description = "Done", body = Tenant)),
    extensions(("x-required-role" = json!("viewer"))),
)]
async fn find(ctx: CallerContext, PathId(id): PathId<TenantId>) -> Result<Tagged<Tenant>> {
    Ok(Tagged(service::get(&ctx, &id).await?))
}

/// Replaces a tenant; its id stays.
#[utoipa::path(
    put,
    path = "/api/tenants/{tenant_id}",
    operation_id = "replace_tenant",
    tag = "tenants",
    params(("tenant_id" = TenantId, Path, description = "The tenant"), Unchanged),
    request_body(content = TenantInput, example = json!({"name": "Acme Corporation"})),
    responses(
        (status = 200, description = "Done", body = Tenant),
        (status = 409, description = "The name exists"),
    ),
    extensions(("x-required-role" = json!("instance"))),
)]
async fn replace(
    ctx: CallerContext,
    PathId(id): PathId<TenantId>,
    if_match: IfMatch,
    Json(input): Json<TenantInput>,
) -> Result<Tagged<Tenant>> {
    Ok(Tagged(service::replace(&ctx, &id, input, &if_match).await?))
}

/// Deletes a tenant with everything that is its, messages included.
#[utoipa::path(
    delete,
    path = "/api/tenants/{tenant_id}",
    operation_id = "delete_tenant",
    tag = "tenants",
    params(("tenant_id" = TenantId, Path, description = "The tenant"), Unchanged),
    responses((status = 204, description = "Deleted")),
    extensions(("x-required-role" = json!("instance"))),
)]
async fn delete(ctx: CallerContext, PathId(id): PathId<TenantId>, if_match: IfMatch) -> Result<StatusCode> {
    service::delete(&ctx, &id, &if_match).await?;
    Ok(StatusCode::NO_CONTENT)
}
