//! Server functions of export and import. The document itself goes by plain forms and downloads.

use leptos::prelude::*;

use super::dto::Overview;
use crate::shared::{Problem, TenantId, wire::Wire};
#[cfg(feature = "ssr")]
use crate::{
    server::context::{tenant_context, wire},
    transfer::server::service,
};

/// What an export would hold.
#[server(prefix = "/ui", endpoint = "transfer/overview", protocol = Wire)]
pub async fn configuration_overview(tenant_id: TenantId) -> Result<Overview, Problem> {
    let ctx = tenant_context(&tenant_id).await?;
    wire(service::overview(&ctx).await)
}
