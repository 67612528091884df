//! Server functions of intents.

use leptos::{prelude::*, server_fn::codec::Json};

use super::dto::{
    Editable, Intent, IntentVersion, IntentVersionDetail, IntentWithRules, IntentWithRulesInput,
};
use crate::shared::{IntentId, Problem, TenantId, wire::Wire};
#[cfg(feature = "ssr")]
use crate::{
    app::tenant_page,
    intents::server::{service, with_rules},
    rules::server::service as rules,
    server::{
        context::{lead_to, tenant_context, wire},
        etag::{IfMatch, Versioned},
        paging::Page,
    },
};

#[server(prefix = "/ui", endpoint = "intents/list", protocol = Wire)]
pub async fn list_intents(tenant_id: TenantId) -> Result<Vec<Intent>, Problem> {
    let ctx = tenant_context(&tenant_id).await?;
    wire(service::list(&ctx, &service::Filter::default()).await)
}

/// An intent with its rules, by priority.
#[server(prefix = "/ui", endpoint = "intents/get", protocol = Wire)]
pub async fn get_intent(tenant_id: TenantId, intent_id: IntentId) -> Result<IntentWithRules, Problem> {
    let ctx = tenant_context(&tenant_id).await?;
    wire(service::get_with_rules(&ctx, intent_id).await)
}

/// An intent with its rules, and its tag.
#[server(prefix = "/ui", endpoint = "intents/edit", protocol = Wire)]
pub async fn edit_intent(tenant_id: TenantId, intent_id: IntentId) -> Result<Editable, Problem> {
    let ctx = tenant_context(&tenant_id).await?;
    let saved = wire(service::get_with_rules(&ctx, intent_id).await)?;
    let fault = wire(rules::fault_of(&ctx, &saved.validation_rules).await)?;
    Ok(Editable { etag: saved.etag(), saved, fault })
}

/// Stores an intent with all its rules: in the place of one that was read with this tag, or as a new one.
#[server(prefix = "/ui", endpoint = "intents/save", protocol = Wire<Json>)]
pub async fn save_intent(
    tenant_id: TenantId,
    intent_id: Option<IntentId>,
    etag: Option<String>,
    draft: IntentWithRulesInput,
) -> Result<IntentWithRules, Problem> {
    let ctx = tenant_context(&tenant_id).await?;
    let if_match = etag.map_or_else(IfMatch::any, IfMatch::tag);
    wire(match intent_id {
        Some(id) => with_rules::replace(&ctx, id, draft, &if_match).await,
        None => service::create_with_rules(&ctx, draft).await,
    })
}

/// Deletes an intent with its rules, examples and routes.
#[server(prefix = "/ui", endpoint = "intents/delete", protocol = Wire)]
pub async fn delete_intent(tenant_id: TenantId, intent_id: IntentId, etag: String) -> Result<(), Problem> {
    let ctx = tenant_context(&tenant_id).await?;
    wire(service::delete(&ctx, intent_id, &IfMatch::given(&etag)).await)?;
    lead_to(&tenant_page(&tenant_id, "/intents"));
    Ok(())
}

/// One page of the versions of an intent, newest first; `before` is the last version of the page before.
#[server(prefix = "/ui", endpoint = "intents/versions", protocol = Wire)]
pub async fn list_versions(
    tenant_id: TenantId,
    intent_id: IntentId,
    before: Option<i32>,
) -> Result<Vec<IntentVersion>, Problem> {
    let ctx = tenant_context(&tenant_id).await?;
    // They stand below what the intent is.
    let page = Page { limit: 20, cursor: before };
    wire(service::list_versions(&ctx, intent_id, page).await)
}

/// A version with what it held.
#[server(prefix = "/ui", endpoint = "intents/version", protocol = Wire)]
pub async fn get_version(
    tenant_id: TenantId,
    intent_id: IntentId,
    version: i32,
) -> Result<IntentVersionDetail, Problem> {
    let ctx = tenant_context(&tenant_id).await?;
    wire(service::get_version(&ctx, intent_id, version).await)
}
