//! `/api/intents`.

use axum::{
    Router,
    extract::OriginalUri,
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::{get, post},
};

use super::service;
use crate::{
    intents::dto::{Intent, IntentInput, IntentVersionDetail, IntentWithRulesInput},
    rules::{dto::ValidationRule, server::service as rules},
    server::{
        AppState, Result, TenantContext,
        etag::{IfMatch, Tagged},
        extract::{Json, PathId, PathIds, Query},
        paging::list_response,
    },
    shared::IntentId,
};

pub fn routes() -> Router<AppState> {
    Router::new()
        .route("/api/intents", get(list).post(create))
        .route("/api/intents/with-rules", post(create_with_rules))
        .route("/api/intents/{intent_id}", get(find).put(replace).delete(delete))
        .route("/api/intents/{intent_id}/validation-rules", get(validation_rules))
        .route("/api/intents/{intent_id}/versions", get(list_versions))
        .route("/api/intents/{intent_id}/versions/{version}", get(find_version))
}

async fn list(ctx: TenantContext, OriginalUri(uri): OriginalUri, query: Query) -> Result<Response> {
    let filter = service::Filter {
        active_only: query.flag("active_only")?,
        q: query.get("q").map(str::to_owned),
        page: query.page()?,
    };
    let intents = service::list(&ctx, &filter).await?;
    Ok(list_response(intents, filter.page.limit, &uri, |intent| intent.intent_id))
}

async fn create(ctx: TenantContext, Json(input): Json<IntentInput>) -> Result<impl IntoResponse> {
    Ok((StatusCode::CREATED, Tagged(service::create(&ctx, input).await?)))
}

async fn create_with_rules(
    ctx: TenantContext,
    Json(input): Json<IntentWithRulesInput>,
) -> Result<impl IntoResponse> {
    Ok((StatusCode::CREATED, axum::Json(service::create_with_rules(&ctx, input).await?)))
}

async fn find(ctx: TenantContext, PathId(id): PathId<IntentId>) -> Result<Tagged<Intent>> {
    Ok(Tagged(service::get(&ctx, id).await?))
}

async fn replace(
    ctx: TenantContext,
    PathId(id): PathId<IntentId>,
    if_match: IfMatch,
    Json(input): Json<IntentInput>,
) -> Result<Tagged<Intent>> {
    Ok(Tagged(service::replace(&ctx, id, input, &if_match).await?))
}

async fn delete(ctx: TenantContext, PathId(id): PathId<IntentId>, if_match: IfMatch) -> Result<StatusCode> {
    service::delete(&ctx, id, &if_match).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn validation_rules(
    ctx: TenantContext,
    PathId(id): PathId<IntentId>,
    query: Query,
) -> Result<axum::Json<Vec<ValidationRule>>> {
    Ok(axum::Json(rules::list_of_intent(&ctx, id, query.flag("active_only")?).await?))
}

async fn list_versions(
    ctx: TenantContext,
    PathId(id): PathId<IntentId>,
    OriginalUri(uri): OriginalUri,
    query: Query,
) -> Result<Response> {
    let page = query.page()?;
    let versions = service::list_versions(&ctx, id, page).await?;
    Ok(list_response(versions, page.limit, &uri, |version| version.version))
}

async fn find_version(
    ctx: TenantContext,
    PathIds(id, version): PathIds<IntentId, i32>,
) -> Result<axum::Json<IntentVersionDetail>> {
    Ok(axum::Json(service::get_version(&ctx, id, version).await?))
}
