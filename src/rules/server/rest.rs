//! `/api/validation-rules`.

use axum::{Router, http::StatusCode, response::IntoResponse, routing::get};

use super::service;
use crate::{
    rules::dto::{RuleInput, ValidationRule},
    server::{
        AppState, Result, TenantContext,
        etag::{IfMatch, Tagged},
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
    Ok((StatusCode::CREATED, Tagged(service::create(&ctx, input).await?)))
}

async fn find(ctx: TenantContext, PathId(id): PathId<RuleId>) -> Result<Tagged<ValidationRule>> {
    Ok(Tagged(service::get(&ctx, id).await?))
}

async fn replace(
    ctx: TenantContext,
    PathId(id): PathId<RuleId>,
    if_match: IfMatch,
    Json(input): Json<RuleInput>,
) -> Result<Tagged<ValidationRule>> {
    Ok(Tagged(service::replace(&ctx, id, input, &if_match).await?))
}

async fn delete(ctx: TenantContext, PathId(id): PathId<RuleId>, if_match: IfMatch) -> Result<StatusCode> {
    service::delete(&ctx, id, &if_match).await?;
    Ok(StatusCode::NO_CONTENT)
}
