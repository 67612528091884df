//! `/api/stats`.

use axum::{Router, routing::get};

use super::service;
use crate::{
    dashboard::dto::Stats,
    server::{AppState, Result, TenantContext},
};

pub fn routes() -> Router<AppState> {
    Router::new().route("/api/stats", get(stats))
}

async fn stats(ctx: TenantContext) -> Result<axum::Json<Stats>> {
    Ok(axum::Json(service::stats(&ctx).await?))
}
