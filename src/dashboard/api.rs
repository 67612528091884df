//! Server functions of the dashboard.

use leptos::prelude::*;

use super::dto::{Dashboard, Period};
use crate::shared::{Problem, TenantId, live::LiveClient, wire::Wire};
#[cfg(feature = "ssr")]
use crate::{
    dashboard::server::service,
    server::context::{tenant_context, wire},
};

#[server(prefix = "/ui", endpoint = "dashboard", protocol = Wire, client = LiveClient)]
pub async fn get_dashboard(tenant_id: TenantId, period: Period) -> Result<Dashboard, Problem> {
    let ctx = tenant_context(&tenant_id).await?;
    wire(service::dashboard(&ctx, period).await)
}
