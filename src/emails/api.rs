//! Server functions of messages.

use leptos::prelude::*;

use super::dto::{Decision, DryRun, Email, EmailDetail, EmailFilter};
#[cfg(feature = "ssr")]
use super::dto::{DryMessage, DryRunInput, Versions};
use crate::shared::{EmailId, IntentId, Problem, TenantId};
#[cfg(feature = "ssr")]
use crate::{
    auth::authority::Permission,
    emails::server::{dry_run, service},
    intents::dto::IntentWithRulesInput,
    server::{
        context::{tenant_context, wire},
        extract::parse_json,
    },
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

/// What a message would come to: `raw`, or the stored one of the id `email`. With `draft`, JSON as in `with-rules`, it
/// is held against that in the place of the intent of the id `intent`. What is empty counts as left out.
#[server(prefix = "/ui", endpoint = "emails/try")]
pub async fn try_message(
    tenant_id: TenantId,
    raw: String,
    email: String,
    intent: String,
    draft: String,
    requested: bool,
) -> Result<DryRun, Problem> {
    let ctx = tenant_context(&tenant_id).await?;
    let run = async {
        let id =
            |text: &str| text.parse().map(IntentId).map_err(|_| Problem::invalid_field("intent", "is no id"));
        let email_id = match email.as_str() {
            "" => None,
            text => Some(text.parse().map_err(|_| Problem::invalid_field("email", "is no id"))?),
        };
        // A form sends line ends as the network has them; a message of nothing but LF would be read as well.
        let raw = email_id.is_none().then_some(raw);
        let intent_id = if intent.is_empty() { None } else { Some(id(&intent)?) };
        let (intent, validation_rules) = if draft.trim().is_empty() {
            (None, None)
        } else {
            // Who may not try drafts is not told what is wrong with one.
            ctx.require(Permission::Configure)?;
            let draft: IntentWithRulesInput = parse_json(draft.as_bytes())?;
            (Some(draft.intent), Some(draft.validation_rules))
        };
        // Without a draft, an intent's id alone would only say what is so already.
        let intent_id = intent_id.filter(|_| intent.is_some() || requested);
        let message = DryMessage { raw, raw_base64: None, email_id };
        dry_run::run(&ctx, DryRunInput { message, intent, intent_id, validation_rules, requested }).await
    };
    wire(run.await)
}

/// An intent with its rules as a draft to change: JSON as in `with-rules`, without what is only read.
#[server(prefix = "/ui", endpoint = "emails/draft-of")]
pub async fn draft_of(tenant_id: TenantId, intent_id: IntentId) -> Result<String, Problem> {
    let ctx = tenant_context(&tenant_id).await?;
    wire(dry_run::draft_of(&ctx, intent_id).await)
}
