//! `/api/validation-rules`.

use axum::{Router, http::StatusCode, response::IntoResponse, routing::get};

use super::service;
use crate::{
    rules::dto::{RuleInput, ValidationRule},
    server::{
        AppState, Result, TenantContext,
        extract::{Json, PathId, Query},
    },
    shared::RuleId,
};

pub fn routes() -> Router<AppState> {
    Router::new()
        .route("/api/validation-rules", get(list).post(create))
        .route("/api/validation-rules/{rule_id}", get(find).put(replace).delete(delete))
}

async fn list(ctx: TenantContext, query: Query) -> Result<axum::Json<Vec<ValidationRule>>> {
    let filter = service::Filter {
        intent: query.parsed("intent_id")?,
        active_only: query.flag("active_only")?,
        limit: Some(query.page::<i64>()?.limit),
    };
    Ok(axum::Json(service::list(&ctx, &filter).await?))
}

async fn create(ctx: TenantContext, Json(input): Json<RuleInput>) -> Result<impl IntoResponse> {
    Ok((StatusCode::CREATED, axum::Json(service::create(&ctx, input).await?)))
}

async fn find(ctx: TenantContext, PathId(id): PathId<RuleId>) -> Result<axum::Json<ValidationRule>> {
    Ok(axum::Json(service::get(&ctx, id).await?))
}

async fn replace(
    ctx: TenantContext,
    PathId(id): PathId<RuleId>,
    Json(input): Json<RuleInput>,
) -> Result<axum::Json<ValidationRule>> {
    Ok(axum::Json(service::replace(&ctx, id, input).await?))
}

async fn delete(ctx: TenantContext, PathId(id): PathId<RuleId>) -> Result<StatusCode> {
    service::delete(&ctx, id).await?;
    Ok(StatusCode::NO_CONTENT)
}
