//! `/api/validation-rules`.

use axum::{
    Router,
    extract::OriginalUri,
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::get,
};

use super::service;
use crate::{
    rules::dto::{RuleCursor, RuleInput, ValidationRule},
    server::{
        AppState, Result, TenantContext,
        etag::{IfMatch, Tagged},
        extract::{Json, PathId, Query},
        paging::list_response,
    },
    shared::RuleId,
};

pub fn routes() -> Router<AppState> {
    Router::new()
        .route("/api/validation-rules", get(list).post(create))
        .route("/api/validation-rules/{rule_id}", get(find).put(replace).delete(delete))
}

async fn list(ctx: TenantContext, OriginalUri(uri): OriginalUri, query: Query) -> Result<Response> {
    let page = query.page()?;
    let filter = service::Filter {
        intent: query.parsed("intent_id")?,
        active_only: query.flag("active_only")?,
        page: Some(page),
    };
    let rules = service::list(&ctx, &filter).await?;
    Ok(list_response(rules, page.limit, &uri, RuleCursor::of))
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
