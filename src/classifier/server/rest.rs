//! `/api/classifier`, and the examples of `/api/intents`.

use axum::{
    Router,
    extract::OriginalUri,
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::{delete, get, post},
};

use super::service;
use crate::{
    classifier::dto::{Classifier, CorrectionInput, GateInput, TestAnswer, TextInput},
    server::{
        AppState, Result, TenantContext,
        extract::{Json, PathId, PathIds, Query},
        paging::list_response,
    },
    shared::{EmailId, ExampleId, IntentId},
};

pub fn routes() -> Router<AppState> {
    Router::new()
        .route("/api/intents/{intent_id}/examples", get(list).post(add))
        .route("/api/intents/{intent_id}/examples/{example_id}", delete(remove))
        .route("/api/emails/{email_id}/intent", post(correct))
        .route("/api/classifier", get(find).put(set_gate))
        .route("/api/classifier/test", post(test))
}

async fn list(
    ctx: TenantContext,
    PathId(intent): PathId<IntentId>,
    OriginalUri(uri): OriginalUri,
    query: Query,
) -> Result<Response> {
    let page = query.page()?;
    let examples = service::list(&ctx, intent, page).await?;
    Ok(list_response(examples, page.limit, &uri, |example| example.example_id))
}

async fn add(
    ctx: TenantContext,
    PathId(intent): PathId<IntentId>,
    Json(input): Json<TextInput>,
) -> Result<impl IntoResponse> {
    Ok((StatusCode::CREATED, axum::Json(service::add(&ctx, intent, &input).await?)))
}

async fn remove(
    ctx: TenantContext,
    PathIds(intent, example): PathIds<IntentId, ExampleId>,
) -> Result<StatusCode> {
    service::delete(&ctx, intent, example).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn correct(
    ctx: TenantContext,
    PathId(email): PathId<EmailId>,
    Json(input): Json<CorrectionInput>,
) -> Result<impl IntoResponse> {
    Ok((StatusCode::ACCEPTED, axum::Json(service::correct(&ctx, email, input.intent_id).await?)))
}

async fn find(ctx: TenantContext) -> Result<axum::Json<Classifier>> {
    Ok(axum::Json(service::get(&ctx).await?))
}

async fn set_gate(ctx: TenantContext, Json(input): Json<GateInput>) -> Result<axum::Json<Classifier>> {
    Ok(axum::Json(service::set_gate(&ctx, input.gate).await?))
}

async fn test(ctx: TenantContext, Json(input): Json<TextInput>) -> Result<axum::Json<TestAnswer>> {
    Ok(axum::Json(service::test(&ctx, &input).await?))
}
