//! Server functions of tenants.

use leptos::prelude::*;

use super::dto::Tenant;
use crate::shared::Problem;
#[cfg(feature = "ssr")]
use crate::{
    server::context::{caller_context, wire},
    tenants::server::service,
};

/// The tenants that the caller may see.
#[server(prefix = "/ui", endpoint = "tenants/list")]
pub async fn list_tenants() -> Result<Vec<Tenant>, Problem> {
    let ctx = caller_context().await?;
    wire(service::list(&ctx, false, crate::server::paging::Page::first()).await)
}

/// Loads the two demo tenants into an installation that has none. Instance administrators only.
#[server(prefix = "/ui", endpoint = "tenants/load-demo")]
pub async fn load_demo() -> Result<(), Problem> {
    let ctx = caller_context().await?;
    wire(crate::demo::load_for(&ctx).await)
}
