//! Server functions of intents.

use leptos::prelude::*;

use super::dto::{Intent, IntentWithRules};
use crate::shared::{IntentId, Problem, TenantId};
#[cfg(feature = "ssr")]
use crate::{
    intents::server::service,
    server::context::{tenant_context, wire},
};

#[server(prefix = "/ui", endpoint = "intents/list")]
pub async fn list_intents(tenant_id: TenantId) -> Result<Vec<Intent>, Problem> {
    let ctx = tenant_context(&tenant_id).await?;
    wire(service::list(&ctx, &service::Filter::default()).await)
}

/// An intent with its rules, by priority.
#[server(prefix = "/ui", endpoint = "intents/get")]
pub async fn get_intent(tenant_id: TenantId, intent_id: IntentId) -> Result<IntentWithRules, Problem> {
    let ctx = tenant_context(&tenant_id).await?;
    wire(service::get_with_rules(&ctx, intent_id).await)
}
