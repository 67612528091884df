//! `/api/intents`.

use axum::{
    extract::OriginalUri,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{service, with_rules};
use crate::{
    intents::dto::{
        Intent, IntentInput, IntentVersion, IntentVersionDetail, IntentWithRules, IntentWithRulesInput,
        IntentWithRulesReplacement,
    },
    rules::{
        dto::{RuleCursor, ValidationRule},
        server::service as rules,
    },
    server::{
        AppState, Result, TenantContext,
        etag::{IfMatch, Tagged},
        extract::{Json, PathId, PathIds, Query},
        openapi::{Active, InTenant, Paging, Unchanged},
        paging::list_response,
    },
    shared::IntentId,
};

pub fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::default()
        .routes(routes!(list, create))
        .routes(routes!(create_with_rules))
        .routes(routes!(find_with_rules, replace_with_rules))
        .routes(routes!(find, replace, delete))
        .routes(routes!(validation_rules))
        .routes(routes!(list_versions))
        .routes(routes!(find_version))
}

/// Lists the intents, newest first.
#[utoipa::path(
    get,
    path = "/api/intents",
    operation_id = "list_intents",
    tag = "intents",
    params(
        InTenant,
        Active,
        ("q" = Option<String>, Query, description = "A part of the name or of the description"),
        Paging,
    ),
    responses((status = 200, description = "A page", body = [Intent])),
    extensions(("x-required-role" = json!("viewer"))),
)]
async fn list(ctx: TenantContext, OriginalUri(uri): OriginalUri, query: Query) -> Result<Response> {
    let filter = service::Filter {
        active_only: query.flag("active_only")?,
        q: query.get("q").map(str::to_owned),
        page: query.page()?,
    };
    let intents = service::list(&ctx, &filter).await?;
    Ok(list_response(intents, filter.page.limit, &uri, |intent| intent.intent_id))
}

/// Makes an intent.
#[utoipa::path(
    post,
    path = "/api/intents",
    operation_id = "create_intent",
    tag = "intents",
    params(InTenant),
    request_body = IntentInput,
    responses(
        (status = 201, description = "Made", body = Intent, headers(("ETag" = String))),
        (status = 409, description = "The name exists"),
        (status = 400, description = "There are as many intents as there may be, or they would be too large together"),
    ),
    extensions(("x-required-role" = json!("editor"))),
)]
async fn create(ctx: TenantContext, Json(input): Json<IntentInput>) -> Result<impl IntoResponse> {
    Ok((StatusCode::CREATED, Tagged(service::create(&ctx, input).await?)))
}

/// Makes an intent with its validation rules: all of it, or nothing.
#[utoipa::path(
    post,
    path = "/api/intents/with-rules",
    operation_id = "create_intent_with_rules",
    tag = "intents",
    params(InTenant),
    request_body = IntentWithRulesInput,
    responses(
        (status = 201, description = "Made", body = IntentWithRules),
        (status = 409, description = "The name exists"),
        (status = 400, description = "A rule names an invalid datasource, there are as many intents as there may be, or they would be too large together"),
    ),
    extensions(("x-required-role" = json!("editor"))),
)]
async fn create_with_rules(
    ctx: TenantContext,
    Json(input): Json<IntentWithRulesInput>,
) -> Result<impl IntoResponse> {
    Ok((StatusCode::CREATED, axum::Json(service::create_with_rules(&ctx, input).await?)))
}

/// Gives an intent.
#[utoipa::path(
    get,
    path = "/api/intents/{intent_id}",
    operation_id = "get_intent",
    tag = "intents",
    params(("intent_id" = IntentId, Path), InTenant),
    responses((status = 200, description = "Done", body = Intent)),
    extensions(("x-required-role" = json!("viewer"))),
)]
async fn find(ctx: TenantContext, PathId(id): PathId<IntentId>) -> Result<Tagged<Intent>> {
    Ok(Tagged(service::get(&ctx, id).await?))
}

/// Replaces an intent; its rules and examples stay.
#[utoipa::path(
    put,
    path = "/api/intents/{intent_id}",
    operation_id = "replace_intent",
    tag = "intents",
    params(("intent_id" = IntentId, Path), InTenant, Unchanged),
    request_body = IntentInput,
    responses(
        (status = 200, description = "Done", body = Intent),
        (status = 409, description = "The name exists"),
        (status = 400, description = "The intents would be too large together"),
    ),
    extensions(("x-required-role" = json!("editor"))),
)]
async fn replace(
    ctx: TenantContext,
    PathId(id): PathId<IntentId>,
    if_match: IfMatch,
    Json(input): Json<IntentInput>,
) -> Result<Tagged<Intent>> {
    Ok(Tagged(service::replace(&ctx, id, input, &if_match).await?))
}

/// Gives an intent with all its rules, by priority.
#[utoipa::path(
    get,
    path = "/api/intents/{intent_id}/with-rules",
    operation_id = "get_intent_with_rules",
    tag = "intents",
    params(("intent_id" = IntentId, Path), InTenant),
    responses((status = 200, description = "Done", body = IntentWithRules)),
    extensions(("x-required-role" = json!("viewer"))),
)]
async fn find_with_rules(
    ctx: TenantContext,
    PathId(id): PathId<IntentId>,
) -> Result<Tagged<IntentWithRules>> {
    Ok(Tagged(service::get_with_rules(&ctx, id).await?))
}

/// Replaces an intent and all its rules: all of it, or nothing.
///
/// A rule with the `rule_id` of one of the intent's takes its place; one without is new; those that are not named go. A
/// `GET` of the same path gives all of them.
#[utoipa::path(
    put,
    path = "/api/intents/{intent_id}/with-rules",
    operation_id = "replace_intent_with_rules",
    tag = "intents",
    params(("intent_id" = IntentId, Path), InTenant, Unchanged),
    request_body = IntentWithRulesReplacement,
    responses(
        (status = 200, description = "Done", body = IntentWithRules),
        (status = 409, description = "The name exists"),
        (status = 400, description = "A rule names an invalid datasource, or the intents would be too large together"),
    ),
    extensions(("x-required-role" = json!("editor"))),
)]
async fn replace_with_rules(
    ctx: TenantContext,
    PathId(id): PathId<IntentId>,
    if_match: IfMatch,
    Json(input): Json<IntentWithRulesReplacement>,
) -> Result<Tagged<IntentWithRules>> {
    Ok(Tagged(with_rules::replace(&ctx, id, input.into(), &if_match).await?))
}

/// Deletes an intent with its rules, examples and routes.
///
/// What is still under way for the routes is called off. Messages that had the intent keep its name.
#[utoipa::path(
    delete,
    path = "/api/intents/{intent_id}",
    operation_id = "delete_intent",
    tag = "intents",
    params(("intent_id" = IntentId, Path), InTenant, Unchanged),
    responses((status = 204, description = "Deleted")),
    extensions(("x-required-role" = json!("editor"))),
)]
async fn delete(ctx: TenantContext, PathId(id): PathId<IntentId>, if_match: IfMatch) -> Result<StatusCode> {
    service::delete(&ctx, id, &if_match).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Lists the rules of an intent, by priority.
#[utoipa::path(
    get,
    path = "/api/intents/{intent_id}/validation-rules",
    operation_id = "list_rules_of_intent",
    tag = "intents",
    params(("intent_id" = IntentId, Path), InTenant, Active, Paging),
    responses((status = 200, description = "A page", body = [ValidationRule])),
    extensions(("x-required-role" = json!("viewer"))),
)]
async fn validation_rules(
    ctx: TenantContext,
    PathId(id): PathId<IntentId>,
    OriginalUri(uri): OriginalUri,
    query: Query,
) -> Result<Response> {
    let page = query.page()?;
    let rules = rules::list_of_intent(&ctx, id, query.flag("active_only")?, page).await?;
    Ok(list_response(rules, page.limit, &uri, RuleCursor::of))
}

/// Lists the versions of an intent, newest first.
#[utoipa::path(
    get,
    path = "/api/intents/{intent_id}/versions",
    operation_id = "list_intent_versions",
    tag = "intents",
    params(("intent_id" = IntentId, Path), InTenant, Paging),
    responses((status = 200, description = "A page", body = [IntentVersion])),
    extensions(("x-required-role" = json!("viewer"))),
)]
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

/// Gives a version of an intent with its rules of then.
#[utoipa::path(
    get,
    path = "/api/intents/{intent_id}/versions/{version}",
    operation_id = "get_intent_version",
    tag = "intents",
    params(("intent_id" = IntentId, Path), ("version" = i32, Path), InTenant),
    responses((status = 200, description = "Done", body = IntentVersionDetail)),
    extensions(("x-required-role" = json!("viewer"))),
)]
async fn find_version(
    ctx: TenantContext,
    PathIds(id, version): PathIds<IntentId, i32>,
) -> Result<axum::Json<IntentVersionDetail>> {
    Ok(axum::Json(service::get_version(&ctx, id, version).await?))
}
