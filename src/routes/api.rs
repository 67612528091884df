//! Server functions of routes.

use leptos::prelude::*;

use super::dto::Route;
use crate::shared::{IntentId, Problem, TenantId};
#[cfg(feature = "ssr")]
use crate::{
    routes::server::service,
    server::context::{tenant_context, wire},
};

/// The routes for messages of an intent: its own, and those for every intent.
#[server(prefix = "/ui", endpoint = "routes/of-intent")]
pub async fn list_routes_of(tenant_id: TenantId, intent_id: IntentId) -> Result<Vec<Route>, Problem> {
    let ctx = tenant_context(&tenant_id).await?;
    wire(service::list_for(&ctx, intent_id).await)
}
