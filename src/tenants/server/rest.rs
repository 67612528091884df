//! `/api/tenants`.

use axum::{
    Router,
    extract::OriginalUri,
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::get,
};

use super::service;
use crate::{
    server::{
        AppState, CallerContext, Result,
        etag::{IfMatch, Tagged},
        extract::{Json, PathId, Query},
        paging::list_response,
    },
    shared::TenantId,
    tenants::dto::{Tenant, TenantInput},
};

pub fn routes() -> Router<AppState> {
    Router::new()
        .route("/api/tenants", get(list).post(create))
        .route("/api/tenants/{tenant_id}", get(find).put(replace).delete(delete))
}

async fn list(ctx: CallerContext, OriginalUri(uri): OriginalUri, query: Query) -> Result<Response> {
    let page = query.page()?;
    let limit = page.limit;
    let tenants = service::list(&ctx, query.flag("active_only")?, page).await?;
    Ok(list_response(tenants, limit, &uri, |tenant| tenant.tenant_id.clone()))
}

async fn create(ctx: CallerContext, Json(input): Json<TenantInput>) -> Result<impl IntoResponse> {
    let tenant = service::create(&ctx, input).await?;
    Ok((StatusCode::CREATED, Tagged(tenant)))
}

async fn find(ctx: CallerContext, PathId(id): PathId<TenantId>) -> Result<Tagged<Tenant>> {
    Ok(Tagged(service::get(&ctx, &id).await?))
}

async fn replace(
    ctx: CallerContext,
    PathId(id): PathId<TenantId>,
    if_match: IfMatch,
    Json(input): Json<TenantInput>,
) -> Result<Tagged<Tenant>> {
    Ok(Tagged(service::replace(&ctx, &id, input, &if_match).await?))
}

async fn delete(ctx: CallerContext, PathId(id): PathId<TenantId>, if_match: IfMatch) -> Result<StatusCode> {
    service::delete(&ctx, &id, &if_match).await?;
    Ok(StatusCode::NO_CONTENT)
}
