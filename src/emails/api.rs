//! Server functions of messages.

use leptos::prelude::*;

#[cfg(feature = "ssr")]
use super::dto::Versions;
use super::dto::{Decision, Email, EmailDetail, EmailFilter};
use crate::shared::{EmailId, Problem, TenantId};
#[cfg(feature = "ssr")]
use crate::{
    emails::server::service,
    server::context::{tenant_context, wire},
};

/// One page of messages, newest first; `before` is the last id of the page before.
#[server(prefix = "/ui", endpoint = "emails/list")]
pub async fn list_emails(
    tenant_id: TenantId,
    // A form has no field for a filter without members.
    #[server(default)] filter: EmailFilter,
    before: Option<EmailId>,
) -> Result<Vec<Email>, Problem> {
    let ctx = tenant_context(&tenant_id).await?;
    wire(service::list(&ctx, &filter, before, PAGE).await)
}

/// How many messages a page of the screen shows.
pub const PAGE: i64 = 50;

#[server(prefix = "/ui", endpoint = "emails/get")]
pub async fn get_email(tenant_id: TenantId, email_id: EmailId) -> Result<EmailDetail, Problem> {
    let ctx = tenant_context(&tenant_id).await?;
    wire(service::get(&ctx, email_id).await)
}

/// Runs the message again with today's intents and rules.
#[server(prefix = "/ui", endpoint = "emails/reprocess")]
pub async fn reprocess_email(tenant_id: TenantId, email_id: EmailId) -> Result<(), Problem> {
    let ctx = tenant_context(&tenant_id).await?;
    wire(service::reprocess(&ctx, email_id, Versions::Today).await.map(drop))
}

/// Sets a person's decision.
#[server(prefix = "/ui", endpoint = "emails/decide")]
pub async fn decide_email(
    tenant_id: TenantId,
    email_id: EmailId,
    decision: Decision,
    note: String,
) -> Result<(), Problem> {
    let ctx = tenant_context(&tenant_id).await?;
    wire(service::decide(&ctx, email_id, decision, &note).await.map(drop))
}
