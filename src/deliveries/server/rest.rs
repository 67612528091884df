//! `/api/deliveries`.

use axum::{
    Router,
    extract::OriginalUri,
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::{get, post},
};

use super::service;
use crate::{
    deliveries::dto::{DeliveryDetail, DeliveryFilter},
    server::{
        AppState, Result, TenantContext,
        extract::{PathId, Query},
        paging::list_response,
    },
    shared::DeliveryId,
};

pub fn routes() -> Router<AppState> {
    Router::new()
        .route("/api/deliveries", get(list))
        .route("/api/deliveries/{delivery_id}", get(find))
        .route("/api/deliveries/{delivery_id}/retry", post(retry))
}

async fn list(ctx: TenantContext, OriginalUri(uri): OriginalUri, query: Query) -> Result<Response> {
    let page = query.page::<DeliveryId>()?;
    let filter = DeliveryFilter {
        status: query.parsed("status")?,
        email_id: query.parsed("email_id")?,
        route_id: query.parsed("route_id")?,
    };
    let deliveries = service::list(&ctx, &filter, page.cursor, page.limit).await?;
    Ok(list_response(deliveries, page.limit, &uri, |delivery| delivery.delivery_id))
}

async fn find(ctx: TenantContext, PathId(id): PathId<DeliveryId>) -> Result<axum::Json<DeliveryDetail>> {
    Ok(axum::Json(service::get(&ctx, id).await?))
}

async fn retry(ctx: TenantContext, PathId(id): PathId<DeliveryId>) -> Result<impl IntoResponse> {
    Ok((StatusCode::ACCEPTED, axum::Json(service::retry(&ctx, id).await?)))
}
