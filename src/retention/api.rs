//! Server functions of how long messages are kept.

use leptos::prelude::*;

#[cfg(feature = "ssr")]
use super::dto::RetentionInput;
use super::dto::{RetentionPlan, RetentionShown};
use crate::shared::{Problem, TenantId, wire::Wire};
#[cfg(feature = "ssr")]
use crate::{
    app::tenant_page,
    retention::server::service,
    server::{
        Error,
        context::{lead_to, tenant_context, wire},
        etag::{IfMatch, Versioned},
    },
};

#[server(prefix = "/ui", endpoint = "retention/get", protocol = Wire)]
pub async fn get_retention(tenant_id: TenantId) -> Result<RetentionShown, Problem> {
    let ctx = tenant_context(&tenant_id).await?;
    let retention = wire(service::get(&ctx).await)?;
    Ok(RetentionShown { etag: retention.etag(), retention })
}

/// What another number of days would come to. `days` is empty for ever.
#[server(prefix = "/ui", endpoint = "retention/plan", protocol = Wire)]
pub async fn plan_retention(tenant_id: TenantId, days: String) -> Result<RetentionPlan, Problem> {
    let ctx = tenant_context(&tenant_id).await?;
    let input = wire(RetentionInput::read(&days).map_err(Error::from))?;
    wire(service::plan(&ctx, input).await)
}

/// `days` is empty for ever.
#[server(prefix = "/ui", endpoint = "retention/save", protocol = Wire)]
pub async fn save_retention(tenant_id: TenantId, days: String, etag: String) -> Result<(), Problem> {
    let ctx = tenant_context(&tenant_id).await?;
    let input = wire(RetentionInput::read(&days).map_err(Error::from))?;
    wire(service::replace(&ctx, input, &IfMatch::given(&etag)).await)?;
    lead_to(&tenant_page(&tenant_id, "/settings"));
    Ok(())
}
