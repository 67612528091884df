//! `/api/classifier`, and the examples of `/api/intents`.

use axum::{
    extract::OriginalUri,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::service;
use crate::{
    classifier::dto::{Classifier, CorrectionInput, Example, GateInput, TestAnswer, TextInput},
    emails::{dto::Received, server::words},
    server::{
        AppState, Result, TenantContext,
        etag::{IfMatch, Tagged},
        extract::{Json, PathId, PathIds, Query},
        openapi::{InTenant, Paging, Unchanged},
        paging::list_response,
    },
    shared::{EmailId, ExampleId, IntentId},
};

pub fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::default()
        .routes(routes!(list, add))
        .routes(routes!(remove))
        .routes(routes!(correct))
        .routes(routes!(find, set_gate))
        .routes(routes!(test))
}

/// Lists the examples of an intent, newest first.
#[utoipa::path(
    get,
    path = "/api/intents/{intent_id}/examples",
    operation_id = "list_examples",
    tag = "classifier",
    params(("intent_id" = IntentId, Path), InTenant, Paging),
    responses((status = 200, description = "A page", body = [Example])),
    extensions(("x-required-role" = json!("viewer"))),
)]
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

/// Adds an example to an intent.
#[utoipa::path(
    post,
    path = "/api/intents/{intent_id}/examples",
    operation_id = "add_example",
    tag = "classifier",
    params(("intent_id" = IntentId, Path), InTenant),
    request_body = TextInput,
    responses(
        (status = 201, description = "Made", body = Example),
        (status = 409, description = "The text is an example of the intent already"),
        (status = 400, description = "There are as many examples as there may be"),
    ),
    extensions(("x-required-role" = json!("editor"))),
)]
async fn add(
    ctx: TenantContext,
    PathId(intent): PathId<IntentId>,
    Json(input): Json<TextInput>,
) -> Result<impl IntoResponse> {
    Ok((StatusCode::CREATED, axum::Json(service::add(&ctx, intent, &input).await?)))
}

/// Deletes an example.
#[utoipa::path(
    delete,
    path = "/api/intents/{intent_id}/examples/{example_id}",
    operation_id = "delete_example",
    tag = "classifier",
    params(("intent_id" = IntentId, Path), ("example_id" = ExampleId, Path), InTenant),
    responses((status = 204, description = "Deleted")),
    extensions(("x-required-role" = json!("editor"))),
)]
async fn remove(
    ctx: TenantContext,
    PathIds(intent, example): PathIds<IntentId, ExampleId>,
) -> Result<StatusCode> {
    service::delete(&ctx, intent, example).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Corrects the intent of a message: a person's word.
///
/// The message is run again with it, and becomes an example. What is sent because of it goes at once.
#[utoipa::path(
    post,
    path = "/api/emails/{email_id}/intent",
    operation_id = "correct_intent",
    tag = "emails",
    params(("email_id" = EmailId, Path), InTenant),
    request_body = CorrectionInput,
    responses(
        (status = 202, description = "It is queued", body = Received),
        (status = 400, description = "The intent is not the tenant's"),
    ),
    extensions(("x-required-role" = json!("operator"))),
)]
async fn correct(
    ctx: TenantContext,
    PathId(email): PathId<EmailId>,
    Json(input): Json<CorrectionInput>,
) -> Result<impl IntoResponse> {
    Ok((
        StatusCode::ACCEPTED,
        axum::Json(service::correct_at_once(&ctx, email, input.intent_id, words::new_word()).await?),
    ))
}

/// Says how good the tenant's classifier is, and whether it gives intents.
#[utoipa::path(
    get,
    path = "/api/classifier",
    operation_id = "get_classifier",
    tag = "classifier",
    params(InTenant),
    responses((status = 200, description = "Done", body = Classifier, headers(("ETag" = String)))),
    extensions(("x-required-role" = json!("viewer"))),
)]
async fn find(ctx: TenantContext) -> Result<Tagged<Classifier>> {
    Ok(Tagged(service::get(&ctx).await?))
}

/// Sets how good the classifier must be to give intents.
#[utoipa::path(
    put,
    path = "/api/classifier",
    operation_id = "set_classifier_gate",
    tag = "classifier",
    params(InTenant, Unchanged),
    request_body = GateInput,
    responses((status = 200, description = "Done", body = Classifier, headers(("ETag" = String)))),
    extensions(("x-required-role" = json!("editor"))),
)]
async fn set_gate(
    ctx: TenantContext,
    if_match: IfMatch,
    Json(input): Json<GateInput>,
) -> Result<Tagged<Classifier>> {
    Ok(Tagged(service::set_gate(&ctx, input.gate, &if_match).await?))
}

/// Says what the classifier takes a text for, and why.
#[utoipa::path(
    post,
    path = "/api/classifier/test",
    operation_id = "test_classifier",
    tag = "classifier",
    params(InTenant),
    request_body = TextInput,
    responses((status = 200, description = "Done", body = TestAnswer)),
    extensions(("x-required-role" = json!("viewer"))),
)]
async fn test(ctx: TenantContext, Json(input): Json<TextInput>) -> Result<axum::Json<TestAnswer>> {
    Ok(axum::Json(service::test(&ctx, &input).await?))
}
