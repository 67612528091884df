//! `/api/validation-rules`.

use axum::{
    extract::OriginalUri,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::service;
use crate::{
    rules::dto::{RuleCursor, RuleInput, ValidationRule},
    server::{
        AppState, Result, TenantContext,
        etag::{IfMatch, Tagged},
        extract::{Json, PathId, Query},
        openapi::{Active, InTenant, Paging, Unchanged},
        paging::list_response,
    },
    shared::{IntentId, RuleId},
};

pub fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::default().routes(routes!(list, create)).routes(routes!(find, replace, delete))
}

/// Lists validation rules, by priority.
#[utoipa::path(
    get,
    path = "/api/validation-rules",
    operation_id = "list_rules",
    tag = "validation rules",
    params(
        InTenant,
        ("intent_id" = Option<IntentId>, Query, description = "Those of this intent alone"),
        Active,
        Paging,
    ),
    responses((status = 200, description = "A page", body = [ValidationRule])),
    extensions(("x-required-role" = json!("viewer"))),
)]
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

/// Makes a validation rule.
#[utoipa::path(
    post,
    path = "/api/validation-rules",
    operation_id = "create_rule",
    tag = "validation rules",
    params(InTenant),
    request_body = RuleInput,
    responses(
        (status = 201, description = "Made", body = ValidationRule, headers(("ETag" = String))),
        (status = 400, description = "The intent or the datasource is not the tenant's, or the intent has as many rules as it may"),
    ),
    extensions(("x-required-role" = json!("editor"))),
)]
async fn create(ctx: TenantContext, Json(input): Json<RuleInput>) -> Result<impl IntoResponse> {
    Ok((StatusCode::CREATED, Tagged(service::create(&ctx, input).await?)))
}

/// Gives a validation rule.
#[utoipa::path(
    get,
    path = "/api/validation-rules/{rule_id}",
    operation_id = "get_rule",
    tag = "validation rules",
    params(("rule_id" = RuleId, Path), InTenant),
    responses((status = 200, description = "Done", body = ValidationRule)),
    extensions(("x-required-role" = json!("viewer"))),
)]
async fn find(ctx: TenantContext, PathId(id): PathId<RuleId>) -> Result<Tagged<ValidationRule>> {
    Ok(Tagged(service::get(&ctx, id).await?))
}

/// Replaces a validation rule.
#[utoipa::path(
    put,
    path = "/api/validation-rules/{rule_id}",
    operation_id = "replace_rule",
    tag = "validation rules",
    params(("rule_id" = RuleId, Path), InTenant, Unchanged),
    request_body = RuleInput,
    responses(
        (status = 200, description = "Done", body = ValidationRule),
        (status = 400, description = "The intent or the datasource is not the tenant's, or the intent has as many rules as it may"),
    ),
    extensions(("x-required-role" = json!("editor"))),
)]
async fn replace(
    ctx: TenantContext,
    PathId(id): PathId<RuleId>,
    if_match: IfMatch,
    Json(input): Json<RuleInput>,
) -> Result<Tagged<ValidationRule>> {
    Ok(Tagged(service::replace(&ctx, id, input, &if_match).await?))
}

/// Deletes a validation rule.
#[utoipa::path(
    delete,
    path = "/api/validation-rules/{rule_id}",
    operation_id = "delete_rule",
    tag = "validation rules",
    params(("rule_id" = RuleId, Path), InTenant, Unchanged),
    responses((status = 204, description = "Deleted")),
    extensions(("x-required-role" = json!("editor"))),
)]
async fn delete(ctx: TenantContext, PathId(id): PathId<RuleId>, if_match: IfMatch) -> Result<StatusCode> {
    service::delete(&ctx, id, &if_match).await?;
    Ok(StatusCode::NO_CONTENT)
}
