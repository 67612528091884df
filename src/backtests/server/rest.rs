//! `/api/backtests`.

use axum::{
    Router,
    extract::OriginalUri,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};

use super::service;
use crate::{
    backtests::dto::{Backtest, BacktestInput, BacktestOutcome},
    server::{
        AppState, Result, TenantContext,
        extract::{Json, PathId, Query},
        paging::list_response,
    },
    shared::BacktestId,
};

pub fn routes() -> Router<AppState> {
    Router::new()
        .route("/api/backtests", get(list).post(start))
        .route("/api/backtests/{backtest_id}", get(find).delete(delete))
        .route("/api/backtests/{backtest_id}/changes", get(changes))
}

async fn list(ctx: TenantContext, OriginalUri(uri): OriginalUri, query: Query) -> Result<Response> {
    let page = query.page()?;
    let backtests = service::list(&ctx, page).await?;
    Ok(list_response(backtests, page.limit, &uri, |backtest| backtest.backtest_id))
}

async fn start(ctx: TenantContext, Json(input): Json<BacktestInput>) -> Result<Response> {
    let backtest = service::start(&ctx, input).await?;
    let location = format!("/api/backtests/{}?tenant_id={}", backtest.backtest_id, ctx.tenant);
    Ok((StatusCode::ACCEPTED, [(header::LOCATION, location)], axum::Json(backtest)).into_response())
}

async fn find(ctx: TenantContext, PathId(id): PathId<BacktestId>) -> Result<axum::Json<Backtest>> {
    Ok(axum::Json(service::get(&ctx, id).await?))
}

/// Those that would change, or those of another outcome.
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

async fn delete(ctx: TenantContext, PathId(id): PathId<BacktestId>) -> Result<StatusCode> {
    service::delete(&ctx, id).await?;
    Ok(StatusCode::NO_CONTENT)
}
