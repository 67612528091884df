//! `/api/routes`.

use axum::{
    Router,
    extract::OriginalUri,
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::{get, post},
};

use super::service;
use crate::{
    routes::dto::{Route, RouteInput, RouteWithSecret},
    server::{
        AppState, Result, TenantContext,
        etag::{IfMatch, Tagged},
        extract::{Json, PathId, Query},
        paging::list_response,
    },
    shared::RouteId,
};

pub fn routes() -> Router<AppState> {
    Router::new()
        .route("/api/routes", get(list).post(create))
        .route("/api/routes/{route_id}", get(find).put(replace).delete(delete))
        .route("/api/routes/{route_id}/rotate-secret", post(rotate_secret))
}

async fn list(ctx: TenantContext, OriginalUri(uri): OriginalUri, query: Query) -> Result<Response> {
    let page = query.page()?;
    let routes = service::list(&ctx, query.parsed("intent_id")?, query.flag("active_only")?, page).await?;
    Ok(list_response(routes, page.limit, &uri, |route| route.route_id))
}

async fn create(ctx: TenantContext, Json(input): Json<RouteInput>) -> Result<impl IntoResponse> {
    Ok((StatusCode::CREATED, axum::Json(service::create(&ctx, input).await?)))
}

async fn find(ctx: TenantContext, PathId(id): PathId<RouteId>) -> Result<Tagged<Route>> {
    Ok(Tagged(service::get(&ctx, id).await?))
}

async fn replace(
    ctx: TenantContext,
    PathId(id): PathId<RouteId>,
    if_match: IfMatch,
    Json(input): Json<RouteInput>,
) -> Result<Tagged<Route>> {
    Ok(Tagged(service::replace(&ctx, id, input, &if_match).await?))
}

async fn delete(ctx: TenantContext, PathId(id): PathId<RouteId>, if_match: IfMatch) -> Result<StatusCode> {
    service::delete(&ctx, id, &if_match).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn rotate_secret(
    ctx: TenantContext,
    PathId(id): PathId<RouteId>,
) -> Result<axum::Json<RouteWithSecret>> {
    Ok(axum::Json(service::rotate_secret(&ctx, id).await?))
}
