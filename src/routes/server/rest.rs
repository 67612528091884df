//! `/api/routes`.

use axum::{
    extract::OriginalUri,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::service;
use crate::{
    routes::dto::{Route, RouteInput, RouteWithSecret},
    server::{
        AppState, Result, TenantContext,
        etag::{IfMatch, Tagged},
        extract::{Json, PathId, Query},
        openapi::{Active, InTenant, Paging, Unchanged},
        paging::list_response,
    },
    shared::{IntentId, RouteId},
};

pub fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::default()
        .routes(routes!(list, create))
        .routes(routes!(find, replace, delete))
        .routes(routes!(rotate_secret))
}

/// Lists the routes, by id.
#[utoipa::path(
    get,
    path = "/api/routes",
    operation_id = "list_routes",
    tag = "routes",
    params(
        InTenant,
        ("intent_id" = Option<IntentId>, Query, description = "Those of this intent alone"),
        Active,
        Paging,
    ),
    responses((status = 200, description = "A page", body = [Route])),
    extensions(("x-required-role" = json!("viewer"))),
)]
async fn list(ctx: TenantContext, OriginalUri(uri): OriginalUri, query: Query) -> Result<Response> {
    let page = query.page()?;
    let routes = service::list(&ctx, query.parsed("intent_id")?, query.flag("active_only")?, page).await?;
    Ok(list_response(routes, page.limit, &uri, |route| route.route_id))
}

/// Makes a route.
///
/// A webhook's signing secret is in the answer, and in no other. To set a header's value needs the role `admin`.
#[utoipa::path(
    post,
    path = "/api/routes",
    operation_id = "create_route",
    tag = "routes",
    params(InTenant),
    request_body = RouteInput,
    responses(
        (status = 201, description = "Made", body = RouteWithSecret),
        (status = 409, description = "The name exists"),
        (status = 400, description = "The intent is not the tenant's, the installation sends no mail, or there are as many routes as there may be"),
    ),
    extensions(("x-required-role" = json!("editor"))),
)]
async fn create(ctx: TenantContext, Json(input): Json<RouteInput>) -> Result<impl IntoResponse> {
    Ok((StatusCode::CREATED, axum::Json(service::create(&ctx, input).await?)))
}

/// Gives a route.
#[utoipa::path(
    get,
    path = "/api/routes/{route_id}",
    operation_id = "get_route",
    tag = "routes",
    params(("route_id" = RouteId, Path), InTenant),
    responses((status = 200, description = "Done", body = Route)),
    extensions(("x-required-role" = json!("viewer"))),
)]
async fn find(ctx: TenantContext, PathId(id): PathId<RouteId>) -> Result<Tagged<Route>> {
    Ok(Tagged(service::get(&ctx, id).await?))
}

/// Replaces a route; its kind stays.
///
/// A header of a webhook that is sent as its mask, `********`, stays as it is stored. To set or change a header's value needs
/// the role `admin`.
#[utoipa::path(
    put,
    path = "/api/routes/{route_id}",
    operation_id = "replace_route",
    tag = "routes",
    params(("route_id" = RouteId, Path), InTenant, Unchanged),
    request_body = RouteInput,
    responses(
        (status = 200, description = "Done", body = Route),
        (status = 409, description = "The name exists"),
        (status = 400, description = "The intent is not the tenant's, or the installation sends no mail"),
    ),
    extensions(("x-required-role" = json!("editor"))),
)]
async fn replace(
    ctx: TenantContext,
    PathId(id): PathId<RouteId>,
    if_match: IfMatch,
    Json(input): Json<RouteInput>,
) -> Result<Tagged<Route>> {
    Ok(Tagged(service::replace(&ctx, id, input, &if_match).await?))
}

/// Deletes a route; what it has delivered stays listed.
#[utoipa::path(
    delete,
    path = "/api/routes/{route_id}",
    operation_id = "delete_route",
    tag = "routes",
    params(("route_id" = RouteId, Path), InTenant, Unchanged),
    responses((status = 204, description = "Deleted")),
    extensions(("x-required-role" = json!("editor"))),
)]
async fn delete(ctx: TenantContext, PathId(id): PathId<RouteId>, if_match: IfMatch) -> Result<StatusCode> {
    service::delete(&ctx, id, &if_match).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Gives a webhook a new signing secret.
///
/// The one before signs too for a while: both signatures are sent.
#[utoipa::path(
    post,
    path = "/api/routes/{route_id}/rotate-secret",
    operation_id = "rotate_route_secret",
    tag = "routes",
    params(("route_id" = RouteId, Path), InTenant),
    responses(
        (status = 200, description = "Done", body = RouteWithSecret),
        (status = 400, description = "The route is no webhook"),
    ),
    extensions(("x-required-role" = json!("admin"))),
)]
async fn rotate_secret(
    ctx: TenantContext,
    PathId(id): PathId<RouteId>,
) -> Result<axum::Json<RouteWithSecret>> {
    Ok(axum::Json(service::rotate_secret(&ctx, id).await?))
}
