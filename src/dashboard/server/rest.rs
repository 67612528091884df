//! `/api/stats`.

use utoipa_axum::{router::OpenApiRouter, routes};

use super::service;
use crate::{
    dashboard::dto::Stats,
    server::{AppState, Result, TenantContext, openapi::InTenant},
};

pub fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::default().routes(routes!(stats))
}

/// Counts what the tenant has.
#[utoipa::path(
    get,
    path = "/api/stats",
    operation_id = "get_stats",
    tag = "statistics",
    params(InTenant),
    responses((status = 200, description = "Done", body = Stats)),
    extensions(("x-required-role" = json!("viewer"))),
)]
async fn stats(ctx: TenantContext) -> Result<axum::Json<Stats>> {
    Ok(axum::Json(service::stats(&ctx).await?))
}
