//! `/api/retention`.

use utoipa_axum::{router::OpenApiRouter, routes};

use super::service;
use crate::{
    retention::dto::{Retention, RetentionInput},
    server::{
        AppState, Result, TenantContext,
        etag::{IfMatch, Tagged},
        extract::Json,
        openapi::{InTenant, Unchanged},
    },
};

pub fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::default().routes(routes!(find, replace))
}

/// Says how long the tenant's messages are kept.
#[utoipa::path(
    get,
    path = "/api/retention",
    operation_id = "get_retention",
    tag = "retention",
    params(InTenant),
    responses((status = 200, description = "Done", body = Retention, headers(("ETag" = String)))),
    extensions(("x-required-role" = json!("viewer"))),
)]
async fn find(ctx: TenantContext) -> Result<Tagged<Retention>> {
    Ok(Tagged(service::get(&ctx).await?))
}

/// Sets how long the tenant's messages are kept.
///
/// Those that are older are deleted within some minutes, with everything that hangs on them, and cannot be brought
/// back. What is not done yet stays until it is; what waits for a person is kept for twice as long.
#[utoipa::path(
    put,
    path = "/api/retention",
    operation_id = "set_retention",
    tag = "retention",
    params(InTenant, Unchanged),
    request_body = RetentionInput,
    responses((status = 200, description = "Done", body = Retention)),
    extensions(("x-required-role" = json!("admin"))),
)]
async fn replace(
    ctx: TenantContext,
    if_match: IfMatch,
    Json(input): Json<RetentionInput>,
) -> Result<Tagged<Retention>> {
    Ok(Tagged(service::replace(&ctx, input, &if_match).await?))
}
