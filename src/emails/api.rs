//! Server functions of messages.

use leptos::{prelude::*, server_fn::codec::Json};

use super::dto::{
    Decision, DryRun, DryRunInput, EmailDetail, EmailFilter, EmailPage, Neighbours, Parts, Past, WordsDone,
};
#[cfg(feature = "ssr")]
use super::dto::{DryMessage, Versions};
use crate::shared::{EmailId, IntentId, Problem, TenantId, WordId, live::LiveClient, wire::Wire};
#[cfg(feature = "ssr")]
use crate::{
    auth::authority::Permission,
    emails::server::{dry_run, history, service, shown, words},
    intents::dto::IntentWithRulesInput,
    server::{
        context::{tenant_context, wire},
        extract::parse_json,
    },
};

/// One page of messages, newest first; `before` is the `next` of the page before. With it, how those of `shown` stand that are
/// the list's no more.
#[server(prefix = "/ui", endpoint = "emails/list", protocol = Wire, client = LiveClient)]
pub async fn list_emails(
    tenant_id: TenantId,
    // A form has no field for a filter without members.
    #[server(default)] filter: EmailFilter,
    before: Option<EmailId>,
    // Nor has it one for an empty list.
    #[server(default)] shown: Vec<EmailId>,
) -> Result<EmailPage, Problem> {
    let ctx = tenant_context(&tenant_id).await?;
    wire(service::page_again(&ctx, &filter, before, PAGE, &shown).await)
}

/// How many messages a page of the screen shows.
pub const PAGE: i64 = 50;

/// Which messages stand beside one in a list that is narrowed so.
#[server(prefix = "/ui", endpoint = "emails/neighbours", protocol = Wire, client = LiveClient)]
pub async fn get_neighbours(
    tenant_id: TenantId,
    #[server(default)] filter: EmailFilter,
    email_id: EmailId,
) -> Result<Neighbours, Problem> {
    let ctx = tenant_context(&tenant_id).await?;
    wire(service::neighbours(&ctx, &filter, email_id).await)
}

#[server(prefix = "/ui", endpoint = "emails/get", protocol = Wire, client = LiveClient)]
pub async fn get_email(tenant_id: TenantId, email_id: EmailId) -> Result<EmailDetail, Problem> {
    let ctx = tenant_context(&tenant_id).await?;
    wire(service::get(&ctx, email_id).await)
}

/// What the message holds beside its text.
#[server(prefix = "/ui", endpoint = "emails/parts", protocol = Wire, client = LiveClient)]
pub async fn get_parts(tenant_id: TenantId, email_id: EmailId) -> Result<Parts, Problem> {
    let ctx = tenant_context(&tenant_id).await?;
    wire(shown::parts(&ctx, email_id).await)
}

/// The beginning of the message as it came.
#[server(prefix = "/ui", endpoint = "emails/source", protocol = Wire, client = LiveClient)]
pub async fn get_source(tenant_id: TenantId, email_id: EmailId) -> Result<String, Problem> {
    let ctx = tenant_context(&tenant_id).await?;
    wire(shown::source(&ctx, email_id).await)
}

/// What was done with the message, and what it came to before; newest first.
#[server(prefix = "/ui", endpoint = "emails/history", protocol = Wire, client = LiveClient)]
pub async fn get_history(tenant_id: TenantId, email_id: EmailId) -> Result<Past, Problem> {
    let ctx = tenant_context(&tenant_id).await?;
    wire(history::shown(&ctx, email_id).await)
}

/// Says which intent a message has; none, where `intent` is empty. The classifier learns from it. Gives what takes it back.
#[server(prefix = "/ui", endpoint = "emails/correct", protocol = Wire)]
pub async fn correct_email(
    tenant_id: TenantId,
    email_id: EmailId,
    intent: String,
) -> Result<WordId, Problem> {
    let ctx = tenant_context(&tenant_id).await?;
    let run = async {
        let intent = match intent.as_str() {
            "" => None,
            text => Some(text.parse().map_err(|_| Problem::invalid_field("intent", "is no id"))?),
        };
        words::correct_one(&ctx, email_id, intent).await
    };
    wire(run.await)
}

/// Runs the message again with today's intents and rules.
#[server(prefix = "/ui", endpoint = "emails/reprocess", protocol = Wire)]
pub async fn reprocess_email(tenant_id: TenantId, email_id: EmailId) -> Result<(), Problem> {
    let ctx = tenant_context(&tenant_id).await?;
    wire(service::reprocess(&ctx, email_id, Versions::Today).await.map(drop))
}

/// Sets a person's decision. Gives what takes it back.
#[server(prefix = "/ui", endpoint = "emails/decide", protocol = Wire)]
pub async fn decide_email(
    tenant_id: TenantId,
    email_id: EmailId,
    decision: Decision,
    note: String,
) -> Result<WordId, Problem> {
    let ctx = tenant_context(&tenant_id).await?;
    wire(words::decide_one(&ctx, email_id, decision, &note).await)
}

/// Sets a person's decision on several messages; with `fitting`, on those of them that a list still holds which is narrowed
/// so.
#[server(prefix = "/ui", endpoint = "emails/decide-many", protocol = Wire<Json>)]
pub async fn decide_many(
    tenant_id: TenantId,
    ids: Vec<EmailId>,
    fitting: Option<EmailFilter>,
    decision: Decision,
    note: String,
) -> Result<WordsDone, Problem> {
    let ctx = tenant_context(&tenant_id).await?;
    wire(words::decide(&ctx, &ids, fitting.as_ref(), decision, &note).await)
}

/// Runs several messages again; with `fitting`, as above.
#[server(prefix = "/ui", endpoint = "emails/reprocess-many", protocol = Wire<Json>)]
pub async fn reprocess_many(
    tenant_id: TenantId,
    ids: Vec<EmailId>,
    fitting: Option<EmailFilter>,
) -> Result<WordsDone, Problem> {
    let ctx = tenant_context(&tenant_id).await?;
    wire(words::reprocess(&ctx, &ids, fitting.as_ref()).await)
}

/// Says which intent several messages have, or that they have none; with `fitting`, as above. The classifier learns from it.
#[server(prefix = "/ui", endpoint = "emails/correct-many", protocol = Wire<Json>)]
pub async fn correct_many(
    tenant_id: TenantId,
    ids: Vec<EmailId>,
    fitting: Option<EmailFilter>,
    intent_id: Option<IntentId>,
) -> Result<WordsDone, Problem> {
    let ctx = tenant_context(&tenant_id).await?;
    wire(words::correct(&ctx, &ids, fitting.as_ref(), intent_id).await)
}

/// Sends again what was given up of several messages; with `fitting`, as above.
#[server(prefix = "/ui", endpoint = "emails/send-again-many", protocol = Wire<Json>)]
pub async fn send_again_many(
    tenant_id: TenantId,
    ids: Vec<EmailId>,
    fitting: Option<EmailFilter>,
) -> Result<WordsDone, Problem> {
    let ctx = tenant_context(&tenant_id).await?;
    wire(words::send_again_by_page(&ctx, &ids, fitting.as_ref()).await)
}

/// Takes back what was said of messages by this word, where it is the last one and not long ago.
#[server(prefix = "/ui", endpoint = "emails/take-back", protocol = Wire<Json>)]
pub async fn take_back(tenant_id: TenantId, ids: Vec<EmailId>, word: WordId) -> Result<WordsDone, Problem> {
    let ctx = tenant_context(&tenant_id).await?;
    wire(words::take_back(&ctx, &ids, word).await)
}

/// What a message would come to: `raw`, or the stored one of the id `email`. With `draft`, JSON as in `with-rules`, it
/// is held against that in the place of the intent of the id `intent`. What is empty counts as left out. With it, the name
/// of the draft's intent; empty where there is none.
#[server(prefix = "/ui", endpoint = "emails/try", protocol = Wire)]
pub async fn try_message(
    tenant_id: TenantId,
    raw: String,
    email: String,
    intent: String,
    draft: String,
    requested: bool,
) -> Result<(DryRun, String), Problem> {
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
        let name = intent.as_ref().map(|intent| intent.name.clone()).unwrap_or_default();
        let input = DryRunInput { message, intent, intent_id, validation_rules, requested };
        dry_run::run(&ctx, input).await.map(|found| (found, name))
    };
    wire(run.await)
}

/// What a message would come to by a draft that an editor holds.
#[server(prefix = "/ui", endpoint = "emails/try-draft", protocol = Wire<Json>)]
pub async fn try_draft(tenant_id: TenantId, input: DryRunInput) -> Result<DryRun, Problem> {
    let ctx = tenant_context(&tenant_id).await?;
    wire(dry_run::run(&ctx, input).await)
}

/// An intent with its rules as a draft to change: JSON as in `with-rules`, without what is only read.
#[server(prefix = "/ui", endpoint = "emails/draft-of", protocol = Wire)]
pub async fn draft_of(tenant_id: TenantId, intent_id: IntentId) -> Result<String, Problem> {
    let ctx = tenant_context(&tenant_id).await?;
    wire(dry_run::draft_of(&ctx, intent_id).await)
}
