//! Server functions of backtests.

use leptos::{prelude::*, server_fn::codec::Json};

use super::dto::{Backtest, BacktestChange, BacktestInput, BacktestOutcome};
use crate::shared::{BacktestId, Problem, TenantId, live::LiveClient, wire::Wire};
#[cfg(feature = "ssr")]
use crate::{
    backtests::server::service,
    server::{
        context::{tenant_context, wire},
        paging::Page,
    },
};

#[server(prefix = "/ui", endpoint = "backtests/start", protocol = Wire<Json>)]
pub async fn start_backtest(tenant_id: TenantId, input: BacktestInput) -> Result<Backtest, Problem> {
    let ctx = tenant_context(&tenant_id).await?;
    wire(service::start(&ctx, input).await)
}

#[server(prefix = "/ui", endpoint = "backtests/get", protocol = Wire, client = LiveClient)]
pub async fn get_backtest(tenant_id: TenantId, backtest_id: BacktestId) -> Result<Backtest, Problem> {
    let ctx = tenant_context(&tenant_id).await?;
    wire(service::get(&ctx, backtest_id).await)
}

/// The messages of one outcome, the latest first: all of them, since a page has room for as many as a backtest runs over.
#[server(prefix = "/ui", endpoint = "backtests/changes", protocol = Wire)]
pub async fn list_changes(
    tenant_id: TenantId,
    backtest_id: BacktestId,
    outcome: BacktestOutcome,
) -> Result<Vec<BacktestChange>, Problem> {
    let ctx = tenant_context(&tenant_id).await?;
    wire(service::changes(&ctx, backtest_id, outcome, Page::first()).await)
}

/// Takes a backtest away, or calls it off.
#[server(prefix = "/ui", endpoint = "backtests/delete", protocol = Wire)]
pub async fn delete_backtest(tenant_id: TenantId, backtest_id: BacktestId) -> Result<(), Problem> {
    let ctx = tenant_context(&tenant_id).await?;
    wire(service::delete(&ctx, backtest_id).await)
}
