//! Server functions of names.

use leptos::prelude::*;

use super::dto::Named;
use crate::shared::{Problem, TenantId, wire::Wire};
#[cfg(feature = "ssr")]
use crate::{
    names::server::service,
    server::context::{tenant_context, wire},
};

/// Everything of the tenant that has a name, by kind and name.
#[server(prefix = "/ui", endpoint = "names/list", protocol = Wire)]
pub async fn list_names(tenant_id: TenantId) -> Result<Vec<Named>, Problem> {
    let ctx = tenant_context(&tenant_id).await?;
    wire(service::list(&ctx).await)
}
