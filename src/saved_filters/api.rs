//! Server functions of saved filters.

use leptos::prelude::*;

use super::dto::SavedFilter;
use crate::shared::{FilterId, Problem, TenantId, wire::Wire};
#[cfg(feature = "ssr")]
use crate::{
    saved_filters::server::service,
    server::context::{tenant_context, wire},
};

/// The caller's own and those that are shared, by name.
#[server(prefix = "/ui", endpoint = "saved-filters/list", protocol = Wire)]
pub async fn list_saved_filters(tenant_id: TenantId) -> Result<Vec<SavedFilter>, Problem> {
    let ctx = tenant_context(&tenant_id).await?;
    wire(service::list(&ctx).await)
}

/// Keeps a view under a name; one that has it already is replaced.
#[server(prefix = "/ui", endpoint = "saved-filters/save", protocol = Wire)]
pub async fn save_filter(
    tenant_id: TenantId,
    name: String,
    query: String,
    // A form says nothing of a box that is not ticked.
    #[server(default)] is_shared: bool,
) -> Result<SavedFilter, Problem> {
    let ctx = tenant_context(&tenant_id).await?;
    wire(service::save(&ctx, &name, &query, is_shared).await)
}

#[server(prefix = "/ui", endpoint = "saved-filters/delete", protocol = Wire)]
pub async fn delete_filter(tenant_id: TenantId, filter_id: FilterId) -> Result<(), Problem> {
    let ctx = tenant_context(&tenant_id).await?;
    wire(service::delete(&ctx, filter_id).await)
}
