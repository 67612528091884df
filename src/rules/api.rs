//! Server functions of validation rules.

use leptos::prelude::*;

use super::dto::ValidationRule;
use crate::shared::{IntentId, Problem, TenantId, wire::Wire};
#[cfg(feature = "ssr")]
use crate::{
    rules::server::service,
    server::context::{tenant_context, wire},
};

/// The rules of all intents, by intent and priority.
#[server(prefix = "/ui", endpoint = "rules/list", protocol = Wire)]
pub async fn list_rules(tenant_id: TenantId) -> Result<Vec<ValidationRule>, Problem> {
    let ctx = tenant_context(&tenant_id).await?;
    wire(service::list(&ctx, &service::Filter::default()).await)
}

/// The rules of one intent, or of all.
#[server(prefix = "/ui", endpoint = "rules/find", protocol = Wire)]
pub async fn find_rules(
    tenant_id: TenantId,
    intent_id: Option<IntentId>,
) -> Result<Vec<ValidationRule>, Problem> {
    let ctx = tenant_context(&tenant_id).await?;
    let filter = service::Filter { intent: intent_id, ..service::Filter::default() };
    wire(service::list(&ctx, &filter).await)
}
