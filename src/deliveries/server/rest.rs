//! `/api/deliveries`.

use axum::{
    extract::OriginalUri,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::service;
use crate::{
    deliveries::dto::{Delivery, DeliveryDetail, DeliveryFilter, DeliveryStatus},
    server::{
        AppState, Result, TenantContext,
        extract::{PathId, Query},
        openapi::{InTenant, Paging},
        paging::list_response,
    },
    shared::{DeliveryId, EmailId, RouteId},
};

pub fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::default().routes(routes!(list)).routes(routes!(find)).routes(routes!(retry))
}

/// Lists the deliveries, newest first.
#[utoipa::path(
    get,
    path = "/api/deliveries",
    operation_id = "list_deliveries",
    tag = "deliveries",
    params(
        InTenant,
        ("status" = Option<DeliveryStatus>, Query, description = "That have come so far"),
        ("email_id" = Option<EmailId>, Query, description = "Of this message"),
        ("route_id" = Option<RouteId>, Query, description = "Of this route"),
        Paging,
    ),
    responses((status = 200, description = "A page", body = [Delivery])),
    extensions(("x-required-role" = json!("viewer"))),
)]
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

/// Gives a delivery with what it sends.
#[utoipa::path(
    get,
    path = "/api/deliveries/{delivery_id}",
    operation_id = "get_delivery",
    tag = "deliveries",
    params(("delivery_id" = DeliveryId, Path), InTenant),
    responses((status = 200, description = "Done", body = DeliveryDetail)),
    extensions(("x-required-role" = json!("viewer"))),
)]
async fn find(ctx: TenantContext, PathId(id): PathId<DeliveryId>) -> Result<axum::Json<DeliveryDetail>> {
    Ok(axum::Json(service::get(&ctx, id).await?))
}

/// Sends a delivery now that was given up, or waits for its next try.
///
/// Once also where its receiver failed often and is left alone. It is then tried for as long as a new one.
///
/// One that was delivered is sent a second time with `again=true` alone: with the same id (`webhook-id`, `Message-ID`), by
/// which its receiver can drop the repeat.
#[utoipa::path(
    post,
    path = "/api/deliveries/{delivery_id}/retry",
    operation_id = "retry_delivery",
    tag = "deliveries",
    params(
        ("delivery_id" = DeliveryId, Path),
        InTenant,
        ("again" = Option<bool>, Query, description = "Whether to send it a second time, if it was delivered"),
    ),
    responses(
        (status = 202, description = "It is sent now", body = Delivery),
        (status = 400, description = "It neither was given up nor waits, is being sent, is a label that was set, or cannot be sent any more"),
        (status = 409, description = "There is a newer delivery of the route for the message"),
    ),
    extensions(("x-required-role" = json!("operator"))),
)]
async fn retry(
    ctx: TenantContext,
    PathId(id): PathId<DeliveryId>,
    query: Query,
) -> Result<impl IntoResponse> {
    let again = query.flag("again")?;
    Ok((StatusCode::ACCEPTED, axum::Json(service::retry(&ctx, id, again).await?)))
}
