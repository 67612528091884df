//! Server functions of routes.

use leptos::{prelude::*, server_fn::codec::Json};

use super::dto::{RotatedSecret, Route, RouteInput, RouteView, RouteWithSecret};
use crate::shared::{IntentId, Problem, RouteId, TenantId, wire::Wire};
#[cfg(feature = "ssr")]
use crate::{
    app::tenant_page,
    routes::server::service,
    server::{
        context::{lead_to, tenant_context, wire},
        etag::{IfMatch, Versioned},
        paging::Page,
    },
};

/// All routes of a tenant, by id.
#[server(prefix = "/ui", endpoint = "routes/list", protocol = Wire)]
pub async fn list_routes(tenant_id: TenantId) -> Result<Vec<Route>, Problem> {
    let ctx = tenant_context(&tenant_id).await?;
    wire(service::list(&ctx, None, false, Page::first()).await)
}

/// The routes for messages of an intent: its own, and those for every intent.
#[server(prefix = "/ui", endpoint = "routes/of-intent", protocol = Wire)]
pub async fn list_routes_of(tenant_id: TenantId, intent_id: IntentId) -> Result<Vec<Route>, Problem> {
    let ctx = tenant_context(&tenant_id).await?;
    wire(service::list_for(&ctx, intent_id).await)
}

#[server(prefix = "/ui", endpoint = "routes/get", protocol = Wire)]
pub async fn get_route(tenant_id: TenantId, route_id: RouteId) -> Result<RouteView, Problem> {
    let ctx = tenant_context(&tenant_id).await?;
    wire(service::view(&ctx, route_id).await)
}

/// Stores a route, a new one where there is no id: a new webhook's signing secret is answered this once. A header's
/// value that is sent back masked keeps what is stored.
#[server(prefix = "/ui", endpoint = "routes/save", protocol = Wire<Json>)]
pub async fn save_route(
    tenant_id: TenantId,
    route_id: Option<RouteId>,
    etag: String,
    input: RouteInput,
) -> Result<RouteWithSecret, Problem> {
    let ctx = tenant_context(&tenant_id).await?;
    wire(match route_id {
        Some(id) => service::replace(&ctx, id, input, &IfMatch::given(&etag))
            .await
            .map(|route| RouteWithSecret { route, secret: None, old_secret_ends: None }),
        None => service::create(&ctx, input).await,
    })
}

/// What is under way for it is called off.
#[server(prefix = "/ui", endpoint = "routes/delete", protocol = Wire)]
pub async fn delete_route(tenant_id: TenantId, route_id: RouteId, etag: String) -> Result<(), Problem> {
    let ctx = tenant_context(&tenant_id).await?;
    wire(service::delete(&ctx, route_id, &IfMatch::given(&etag)).await)?;
    lead_to(&tenant_page(&tenant_id, "/routes"));
    Ok(())
}

/// A new signing secret, answered this once.
#[server(prefix = "/ui", endpoint = "routes/rotate-secret", protocol = Wire)]
pub async fn rotate_route_secret(tenant_id: TenantId, route_id: RouteId) -> Result<RotatedSecret, Problem> {
    let ctx = tenant_context(&tenant_id).await?;
    let made = wire(service::rotate_secret(&ctx, route_id).await)?;
    Ok(RotatedSecret { etag: made.route.etag(), made })
}
