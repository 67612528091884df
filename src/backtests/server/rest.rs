//! `/api/backtests`.

use axum::{
    extract::OriginalUri,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::service;
use crate::{
    backtests::dto::{Backtest, BacktestChange, BacktestInput, BacktestOutcome},
    server::{
        AppState, Result, TenantContext,
        extract::{Json, PathId, Query},
        openapi::{InTenant, Paging},
        paging::list_response,
    },
    shared::BacktestId,
};

pub fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::default()
        .routes(routes!(list, start))
        .routes(routes!(find, delete))
        .routes(routes!(changes))
}

/// Lists the backtests, newest first.
#[utoipa::path(
    get,
    path = "/api/backtests",
    operation_id = "list_backtests",
    tag = "backtests",
    params(InTenant, Paging),
    responses((status = 200, description = "A page", body = [Backtest])),
    extensions(("x-required-role" = json!("viewer"))),
)]
async fn list(ctx: TenantContext, OriginalUri(uri): OriginalUri, query: Query) -> Result<Response> {
    let page = query.page()?;
    let backtests = service::list(&ctx, page).await?;
    Ok(list_response(backtests, page.limit, &uri, |backtest| backtest.backtest_id))
}

/// Runs a draft over stored messages.
///
/// Look-ups included; nothing is sent, and no message changes. What came of it is kept for a day: then, or where a tenant
/// has 100 of them, it makes room for another.
#[utoipa::path(
    post,
    path = "/api/backtests",
    operation_id = "start_backtest",
    tag = "backtests",
    params(InTenant),
    request_body = BacktestInput,
    responses(
        (status = 202, description = "It is queued", body = Backtest, headers(("Location" = String, description = "The address of what was made"))),
        (status = 409, description = "Another intent has the draft's name"),
        (status = 400, description = "A rule names an invalid datasource, or as many backtests wait as may"),
    ),
    extensions(("x-required-role" = json!("editor"))),
)]
async fn start(ctx: TenantContext, Json(input): Json<BacktestInput>) -> Result<Response> {
    let backtest = service::start(&ctx, input).await?;
    let location = format!("/api/backtests/{}?tenant_id={}", backtest.backtest_id, ctx.tenant);
    Ok((StatusCode::ACCEPTED, [(header::LOCATION, location)], axum::Json(backtest)).into_response())
}

/// Gives a backtest, and what came of it so far.
#[utoipa::path(
    get,
    path = "/api/backtests/{backtest_id}",
    operation_id = "get_backtest",
    tag = "backtests",
    params(("backtest_id" = BacktestId, Path), InTenant),
    responses((status = 200, description = "Done", body = Backtest)),
    extensions(("x-required-role" = json!("viewer"))),
)]
async fn find(ctx: TenantContext, PathId(id): PathId<BacktestId>) -> Result<axum::Json<Backtest>> {
    Ok(axum::Json(service::get(&ctx, id).await?))
}

/// Lists the messages that would get another intent or decision, or those of another outcome, newest first.
#[utoipa::path(
    get,
    path = "/api/backtests/{backtest_id}/changes",
    operation_id = "list_backtest_changes",
    tag = "backtests",
    params(
        ("backtest_id" = BacktestId, Path),
        InTenant,
        ("outcome" = Option<BacktestOutcome>, Query, description = "Those of this outcome; the changed ones, if left out"),
        Paging,
    ),
    responses((status = 200, description = "A page", body = [BacktestChange])),
    extensions(("x-required-role" = json!("viewer"))),
)]
async fn changes(
    ctx: TenantContext,
    PathId(id): PathId<BacktestId>,
    OriginalUri(uri): OriginalUri,
    query: Query,
) -> Result<Response> {
    let page = query.page()?;
    let outcome = query.parsed("outcome")?.unwrap_or(BacktestOutcome::Changed);
    let changes = service::changes(&ctx, id, outcome, page).await?;
    Ok(list_response(changes, page.limit, &uri, |change| change.email_id))
}

/// Deletes a backtest; one that runs is stopped.
#[utoipa::path(
    delete,
    path = "/api/backtests/{backtest_id}",
    operation_id = "delete_backtest",
    tag = "backtests",
    params(("backtest_id" = BacktestId, Path), InTenant),
    responses((status = 204, description = "Deleted")),
    extensions(("x-required-role" = json!("editor"))),
)]
async fn delete(ctx: TenantContext, PathId(id): PathId<BacktestId>) -> Result<StatusCode> {
    service::delete(&ctx, id).await?;
    Ok(StatusCode::NO_CONTENT)
}
