//! Server functions of examples and of what the classifier says of itself.

use leptos::prelude::*;

#[cfg(feature = "ssr")]
use super::dto::TextInput;
use super::dto::{Classifier, Example};
use crate::shared::{ExampleId, IntentId, Problem, TenantId, wire::Wire};
#[cfg(feature = "ssr")]
use crate::{
    classifier::server::service,
    server::{
        context::{tenant_context, wire},
        paging::Page,
    },
};

/// How many examples a page of the screen shows.
pub const PAGE: i64 = 50;

#[server(prefix = "/ui", endpoint = "classifier/get", protocol = Wire)]
pub async fn get_classifier(tenant_id: TenantId) -> Result<Classifier, Problem> {
    let ctx = tenant_context(&tenant_id).await?;
    wire(service::get(&ctx).await)
}

/// One page of the examples of an intent, newest first; `before` is the last id of the page before.
#[server(prefix = "/ui", endpoint = "examples/list", protocol = Wire)]
pub async fn list_examples(
    tenant_id: TenantId,
    intent_id: IntentId,
    before: Option<ExampleId>,
) -> Result<Vec<Example>, Problem> {
    let ctx = tenant_context(&tenant_id).await?;
    let page = Page { limit: PAGE, cursor: before.map(|id| id.0) };
    wire(service::list(&ctx, intent_id, page).await)
}

#[server(prefix = "/ui", endpoint = "examples/add", protocol = Wire)]
pub async fn add_example(tenant_id: TenantId, intent_id: IntentId, text: String) -> Result<(), Problem> {
    let ctx = tenant_context(&tenant_id).await?;
    wire(service::add(&ctx, intent_id, &TextInput { text }).await.map(drop))
}

#[server(prefix = "/ui", endpoint = "examples/delete", protocol = Wire)]
pub async fn delete_example(
    tenant_id: TenantId,
    intent_id: IntentId,
    example_id: ExampleId,
) -> Result<(), Problem> {
    let ctx = tenant_context(&tenant_id).await?;
    wire(service::delete(&ctx, intent_id, example_id).await)
}
