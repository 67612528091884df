//! Server functions of the audit log.

use leptos::prelude::*;

use super::dto::{AuditEntry, AuditFilter};
use crate::shared::{AuditId, Problem, TenantId, wire::Wire};
#[cfg(feature = "ssr")]
use crate::{
    audit::server::service,
    server::{
        context::{tenant_context, wire},
        paging,
    },
};

/// How many entries a page of the screen shows.
pub const PAGE: i64 = 50;

/// One page of entries, newest first; `before` is the last id of the page before.
#[server(prefix = "/ui", endpoint = "audit/list", protocol = Wire)]
pub async fn list_audit(
    tenant_id: TenantId,
    // A form has no field for a filter without members.
    #[server(default)] filter: AuditFilter,
    before: Option<AuditId>,
) -> Result<Vec<AuditEntry>, Problem> {
    let ctx = tenant_context(&tenant_id).await?;
    wire(service::list(&ctx, &filter, paging::Page { limit: PAGE, cursor: before }).await)
}
