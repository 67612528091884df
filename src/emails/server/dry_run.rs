//! What a message would come to with intents and rules that are not saved. Nothing is stored, and nothing sent.

use std::sync::Arc;

use base64::{Engine, prelude::BASE64_STANDARD};
use chrono::Utc;
use serde_json::Value;

use super::{
    examine::{self, Arrival, Conclusion, Examined},
    repository,
};
use crate::{
    auth::authority::Permission,
    classifier::server::{learned::Learned, service as classifier},
    datasources::server::lookup::ForMessage,
    deliveries::server::outbox,
    emails::dto::{
        DryMessage, DryRun, DryRunInput, Email, EmailDetail, EmailIntent, EmailStatus, RuleDryRunInput,
    },
    intents::{
        dto::{Intent, IntentInput},
        server::{
            matching::{Hints, Requested},
            reading as intents, service as intent_service,
            versions::{self, Configuration},
        },
    },
    routes::{
        dto::Planned,
        server::{plan, reading as routes, service as route_service},
    },
    rules::{
        dto::{RuleInput, ValidationRule},
        server::{
            engine::{self, Judged, ReadyRule},
            ready,
            service::{self as rules, Looked},
        },
    },
    server::{
        AppState, Error, Result, TenantContext, TenantTx,
        aside::{self, Turn},
        error::at_place,
    },
    shared::{EmailId, IntentId, Problem, RuleId, TenantId, validate::Checks},
};

/// Stands for the id of an intent that has none yet.
const UNSAVED: IntentId = IntentId(0);

/// Intent and rules that are not saved. They stand beside the saved intents, or in the place of one of them.
#[derive(Default)]
pub struct Draft {
    /// Left out, the one of `intent_id` as it is saved.
    intent: Option<IntentInput>,
    /// The saved intent whose place it takes.
    intent_id: Option<IntentId>,
    /// Left out, those of `intent_id` as they are saved.
    validation_rules: Option<Vec<RuleInput>>,
    /// What was found of the rules.
    looked: Vec<Looked>,
}

impl Draft {
    /// With its intent checked, and its rules looked at. Before a transaction is open: patterns and expressions take a
    /// while.
    ///
    /// # Errors
    /// 422 for the intent; the database's.
    pub async fn checked(
        ctx: &TenantContext,
        intent: Option<IntentInput>,
        intent_id: Option<IntentId>,
        validation_rules: Option<Vec<RuleInput>>,
    ) -> Result<Self> {
        let mut checks = Checks::default();
        let intent = match intent {
            Some(intent) => checks.part("intent", intent_service::checked(ctx, intent).await),
            None => None,
        };
        checks.finish()?;
        let looked = looked(ctx, intent.as_ref(), intent_id, validation_rules.as_deref()).await?;
        Ok(Self { intent, intent_id, validation_rules, looked })
    }
}

async fn looked(
    ctx: &TenantContext,
    intent: Option<&IntentInput>,
    saved: Option<IntentId>,
    rules: Option<&[RuleInput]>,
) -> Result<Vec<Looked>> {
    let extractors = match (rules, intent, saved) {
        (Some(_), Some(intent), _) => intent.extractors.clone(),
        (Some(_), None, Some(id)) => {
            let saved = intents::if_there(&mut ctx.read().await?, id).await?;
            saved.map(|saved| saved.extractors).unwrap_or_default()
        }
        (None, _, Some(id)) => {
            rules::parse_all_of(ctx, id).await?;
            return Ok(Vec::new());
        }
        _ => return Ok(Vec::new()),
    };
    rules::look_at(ctx, &extractors, rules.unwrap_or_default()).await
}

/// A draft that was checked as if it were saved, and the state of the intents around it.
pub struct Prepared {
    /// The state of the intents that are saved.
    pub revision: i64,
    /// With the draft in its place.
    intents: Arc<[Intent]>,
    /// The draft's intent and its active rules by priority; `None` where there is no draft.
    pub draft: Option<(Intent, Vec<ValidationRule>)>,
    learned: Option<Learned>,
}

/// What a run of it came to.
pub struct Outcome {
    pub examined: Examined,
    pub judged: Vec<Judged>,
    pub conclusion: Conclusion,
}

/// Runs a message through the intents of today, or through a draft.
///
/// # Errors
/// 403: a draft needs the editor's role, since its look-ups are made with the tenant's credentials; 400 and 422 as
/// for saving the draft; 404 for a message that is not there; 413 for one that is too large.
pub async fn run(ctx: &TenantContext, input: DryRunInput) -> Result<DryRun> {
    let has_draft = input.intent.is_some() || input.validation_rules.is_some();
    ctx.require(if has_draft { Permission::Configure } else { Permission::WorkMessages })?;
    if input.requested && !has_draft && input.intent_id.is_none() {
        return Err(Problem::invalid_field("requested", "needs an intent or an intent_id").into());
    }
    // Before anything is read for it: whoever waits would hold that.
    let turn = aside::turn_of(&ctx.tenant, Turn::Try).await;
    let message = message(ctx, &input.message).await?;
    let draft = Draft::checked(ctx, input.intent, input.intent_id, input.validation_rules).await?;
    run_in_turn(ctx, turn, message, draft, input.requested).await
}

/// Runs a message (RFC 5322) through the intents of today.
///
/// # Errors
/// 403; 413 for one that is too large, 422 for one that is empty.
pub async fn run_raw(ctx: &TenantContext, raw: Vec<u8>) -> Result<DryRun> {
    ctx.require(Permission::WorkMessages)?;
    let turn = aside::turn_of(&ctx.tenant, Turn::Try).await;
    run_in_turn(ctx, turn, fresh(ctx, raw)?, Draft::default(), false).await
}

async fn run_in_turn(
    ctx: &TenantContext,
    turn: impl Send + Sync + 'static,
    message: Message,
    draft: Draft,
    is_requested: bool,
) -> Result<DryRun> {
    let mut tx = ctx.begin().await?;
    let prepared = prepare(ctx, &mut tx, draft).await?;
    tx.commit().await?;
    let said = if is_requested {
        Said { requested: prepared.requested(), corrected_by: None }
    } else {
        message.said.clone()
    };
    let mut examined = prepared.examine(message.arrival.clone(), said).await;
    if is_requested {
        // Nobody named it when the message was handed in.
        examined.classification.because = vec!["this dry run asks for it".to_owned()];
    }
    // The other intents go with the turn: what the rules ask may take long to answer.
    let draft = prepared.into_draft();
    drop(turn);
    let lookups = ctx.app.lookups.for_dry_run();
    let outcome = judge(&ctx.app, &lookups, &ctx.tenant, draft.as_ref(), examined).await?;
    answer(ctx, &message, outcome).await
}

/// Runs rules alone on a message.
///
/// # Errors
/// As `run`.
pub async fn run_rules(ctx: &TenantContext, input: RuleDryRunInput) -> Result<DryRun> {
    ctx.require(Permission::Configure)?;
    if input.validation_rules.is_empty() {
        return Err(Problem::invalid_field("validation_rules", "must hold at least one rule").into());
    }
    // Without a saved intent they stand under one that has nothing but a name.
    let intent = match input.intent_id {
        Some(_) => None,
        None => Some(IntentInput::named(&free_name(ctx).await?)),
    };
    let input = DryRunInput {
        message: input.message,
        intent,
        intent_id: input.intent_id,
        validation_rules: Some(input.validation_rules),
        requested: true,
    };
    run(ctx, input).await
}

/// A name that no intent of the tenant has: the draft is asked for by it.
async fn free_name(ctx: &TenantContext) -> Result<String> {
    let mut tx = ctx.begin().await?;
    let mut name = "Draft".to_owned();
    let mut number = 1;
    while intents::by_name(&mut tx, &name).await?.is_some() {
        number += 1;
        name = format!("Draft {number}");
    }
    Ok(name)
}

/// What is only read of intents and rules.
const READ_ONLY: [&str; 7] =
    ["tenant_id", "intent_id", "rule_id", "version", "examples_count", "created_at", "updated_at"];

/// An intent with its rules as a draft to change: JSON as in `with-rules`, without what is only read.
///
/// # Errors
/// 403, 404.
pub async fn draft_of(ctx: &TenantContext, id: IntentId) -> Result<String> {
    let saved = intent_service::get_with_rules(ctx, id).await?;
    let mut draft = serde_json::to_value(saved).map_err(Error::internal)?;
    let strip = |value: &mut Value| {
        if let Some(members) = value.as_object_mut() {
            members.retain(|name, _| !READ_ONLY.contains(&name.as_str()));
        }
    };
    strip(&mut draft["intent"]);
    draft["validation_rules"].as_array_mut().into_iter().flatten().for_each(strip);
    serde_json::to_string_pretty(&draft).map_err(Error::internal)
}

/// Checks the rest of a draft as if it were saved, and reads what it is run with.
///
/// # Errors
/// 400, 404 and 422 as for saving it.
pub async fn prepare(ctx: &TenantContext, tx: &mut TenantTx, draft: Draft) -> Result<Prepared> {
    let configuration = versions::current(tx).await?;
    let learned = classifier::learned(&ctx.app, tx).await?;
    let Draft { intent, intent_id, validation_rules, looked } = draft;
    if intent.is_none() && intent_id.is_none() {
        if validation_rules.is_some() {
            return Err(Problem::invalid_field("intent", "is needed for the rules, or an intent_id").into());
        }
        return Ok(Prepared::saved(configuration, learned));
    }
    let saved = match intent_id {
        Some(id) => Some(intents::find(tx, id).await?),
        None => None,
    };
    let drafted = drafted(ctx, intent, saved.as_ref())?;
    let rules = match validation_rules {
        Some(rules) => checked_rules(ctx, tx, &drafted, &rules, &looked).await?,
        None => match &saved {
            Some(saved) => {
                at_place(rules::check_all_of(tx, &drafted, saved).await, "intent")?;
                rules::of_intent(tx, saved.intent_id, true).await?
            }
            None => Vec::new(),
        },
    };
    if saved.is_some() {
        at_place(route_service::check_all_of(tx, &drafted).await, "intent")?;
    }
    let same = intents::by_name(tx, &drafted.name).await?;
    if let Some(same) = same.filter(|other| Some(other.intent_id) != intent_id) {
        return Err(Problem::already_exists("Intent", &same.name).into());
    }
    // Tried in its place, even if it is saved as inactive: to try it is why it was sent.
    Ok(Prepared::around(configuration, drafted, rules, learned, true))
}

fn drafted(ctx: &TenantContext, input: Option<IntentInput>, saved: Option<&Intent>) -> Result<Intent> {
    let now = Utc::now();
    let input = match (input, saved) {
        (None, Some(saved)) => return Ok(saved.clone()),
        (None, None) => return Err(Problem::invalid_field("intent", "is missing").into()),
        (Some(input), _) => input,
    };
    Ok(Intent {
        intent_id: saved.map_or(UNSAVED, |saved| saved.intent_id),
        tenant_id: ctx.tenant.clone(),
        name: input.name,
        description: input.description,
        is_active: input.is_active,
        priority: input.priority,
        conditions: input.conditions,
        extractors: input.extractors,
        version: saved.map_or(0, |saved| saved.version),
        examples_count: saved.map_or(0, |saved| saved.examples_count),
        created_at: now,
        updated_at: now,
    })
}

/// The active ones, by priority.
async fn checked_rules(
    ctx: &TenantContext,
    tx: &mut TenantTx,
    intent: &Intent,
    inputs: &[RuleInput],
    looked: &[Looked],
) -> Result<Vec<ValidationRule>> {
    let mut checks = Checks::default();
    intent_service::check_number(&mut checks, inputs);
    checks.finish()?;
    let now = Utc::now();
    let mut drafted = Vec::with_capacity(inputs.len());
    let mut looked = looked.iter();
    for (input, place) in inputs.iter().zip(1_i64..) {
        let at = format!("validation_rules[{}]", place - 1);
        let mut checks = Checks::default();
        checks.part(&at, input.validate(&ctx.tenant));
        checks.finish()?;
        at_place(rules::check(tx, intent, input, looked.next()).await, &at)?;
        drafted.push(ValidationRule {
            rule_id: RuleId(-place),
            tenant_id: ctx.tenant.clone(),
            intent_id: intent.intent_id,
            datasource_id: input.datasource_id,
            field_name: input.field_name.clone(),
            rule_type: input.rule_type,
            conditions: input.conditions.clone(),
            priority: input.priority,
            is_active: input.is_active,
            on_fail: input.on_fail,
            on_error: input.on_error,
            when_missing: input.when_missing,
            stop: input.stop,
            created_at: now,
            updated_at: now,
        });
    }
    drafted.retain(|rule| rule.is_active);
    // Stable: of equal priority they stay in the order in which they were sent, as they would be saved.
    drafted.sort_by_key(|rule| rule.priority);
    Ok(drafted)
}

impl Prepared {
    /// Without a draft.
    pub fn saved(configuration: Configuration, learned: Option<Learned>) -> Self {
        let Configuration { revision, intents } = configuration;
        Self { revision, intents: intents.into(), draft: None, learned }
    }

    /// With the draft as if it were saved: one that is not active takes no message.
    pub fn as_if_saved(
        around: Configuration,
        intent: Intent,
        rules: Vec<ValidationRule>,
        learned: Option<Learned>,
    ) -> Self {
        let is_tried = intent.is_active;
        Self::around(around, intent, rules, learned, is_tried)
    }

    fn around(
        configuration: Configuration,
        intent: Intent,
        rules: Vec<ValidationRule>,
        learned: Option<Learned>,
        is_tried: bool,
    ) -> Self {
        let Configuration { revision, mut intents } = configuration;
        intents.retain(|other| other.intent_id != intent.intent_id);
        if is_tried {
            intents.push(intent.clone());
            intents.sort_by_key(|intent| (intent.priority, intent.intent_id == UNSAVED, intent.intent_id));
        }
        Self { revision, intents: intents.into(), draft: Some((intent, rules)), learned }
    }

    /// The draft's intent, asked for.
    fn requested(&self) -> Option<Requested> {
        self.draft.as_ref().map(|(intent, _)| Requested::from(intent))
    }

    /// Lets the other intents go.
    fn into_draft(self) -> Option<(Intent, Vec<ValidationRule>)> {
        self.draft
    }

    /// Runs one message, with what its look-ups have answered in another run. A datasource that cannot be asked gives `error`
    /// at once: a person waits for the answer.
    ///
    /// # Errors
    /// The database's.
    pub async fn run(
        &self,
        app: &AppState,
        lookups: &ForMessage<'_>,
        tenant: &TenantId,
        arrival: Arrival,
        said: Said,
    ) -> Result<Outcome> {
        let examined = self.examine(arrival, said).await;
        judge(app, lookups, tenant, self.draft.as_ref(), examined).await
    }

    async fn examine(&self, arrival: Arrival, said: Said) -> Examined {
        let Said { requested, corrected_by } = said;
        let draft = self.draft.as_ref().map(|(intent, _)| intent.intent_id);
        let hints = Hints { requested, corrected_by, learned: self.learned.clone(), draft };
        examine::examine(arrival, Arc::clone(&self.intents), hints).await
    }
}

/// Holds the rules of its intent against a message.
async fn judge(
    app: &AppState,
    lookups: &ForMessage<'_>,
    tenant: &TenantId,
    draft: Option<&(Intent, Vec<ValidationRule>)>,
    examined: Examined,
) -> Result<Outcome> {
    let rules = rules_for(app, tenant, draft, examined.intent.as_ref()).await?;
    let judged = engine::run(lookups, &rules, &examined.fields).await;
    let conclusion = examine::conclude(&examined, &judged);
    Ok(Outcome { examined, judged, conclusion })
}

async fn rules_for(
    app: &AppState,
    tenant: &TenantId,
    draft: Option<&(Intent, Vec<ValidationRule>)>,
    intent: Option<&Intent>,
) -> Result<Vec<ReadyRule>> {
    let Some(intent) = intent else { return Ok(Vec::new()) };
    let mut tx = app.database.tenant(tenant).await?;
    match draft {
        Some((drafted, rules)) if drafted.intent_id == intent.intent_id => {
            ready::ready(app, &mut tx, rules).await
        }
        _ => {
            let rules = versions::active_rules(&mut tx, intent).await?;
            ready::ready(app, &mut tx, &rules).await
        }
    }
}

/// A message to run.
struct Message {
    email_id: Option<EmailId>,
    arrival: Arrival,
    said: Said,
}

/// What was said of a message's intent, as `Hints` has it.
#[derive(Clone, Default)]
pub struct Said {
    pub requested: Option<Requested>,
    pub corrected_by: Option<String>,
}

/// One that is not stored.
fn fresh(ctx: &TenantContext, raw: Vec<u8>) -> Result<Message, Problem> {
    if raw.is_empty() {
        return Err(Problem::invalid_field("message", "is empty: it must be a message (RFC 5322)"));
    }
    if raw.len() > ctx.app.config.max_message_bytes {
        return Err(Problem::new(413, "The message is larger than this server takes"));
    }
    let arrival = Arrival { raw, received_at: Utc::now(), envelope: None };
    Ok(Message { email_id: None, arrival, said: Said::default() })
}

async fn message(ctx: &TenantContext, given: &DryMessage) -> Result<Message> {
    match (&given.raw, &given.raw_base64, given.email_id) {
        (Some(raw), None, None) => Ok(fresh(ctx, raw.clone().into_bytes())?),
        (None, Some(encoded), None) => {
            let raw = BASE64_STANDARD
                .decode(encoded)
                .map_err(|error| Problem::invalid_field("message.raw_base64", error.to_string()))?;
            Ok(fresh(ctx, raw)?)
        }
        (None, None, Some(id)) => {
            let stored = repository::stored(&mut ctx.begin().await?, id).await?;
            let stored = stored.ok_or_else(|| Problem::not_found("Email", id))?;
            let said = Said { requested: stored.requested(), corrected_by: stored.corrected_by.clone() };
            Ok(Message { email_id: Some(id), arrival: stored.into(), said })
        }
        _ => {
            let one = "must hold one of raw, raw_base64 and email_id";
            Err(Problem::invalid_field("message", one).into())
        }
    }
}

/// An intent as answers name it: without an id where it is not saved.
pub fn shown(intent: &Intent) -> EmailIntent {
    EmailIntent {
        intent_id: (intent.intent_id != UNSAVED).then_some(intent.intent_id),
        name: intent.name.clone(),
    }
}

async fn answer(ctx: &TenantContext, message: &Message, outcome: Outcome) -> Result<DryRun> {
    let Outcome { examined, judged, conclusion } = outcome;
    let intent = examined.intent.as_ref().map(shown);
    let mut run = DryRun {
        intent,
        fields: examined.fields.to_json(),
        classification: examined.classification,
        extractions: examined.extractions,
        parse_error: examined.error,
        verdicts: judged.into_iter().map(|judged| judged.entry).collect(),
        decision: conclusion.decision,
        explanation: conclusion.explanation,
        deliveries: Vec::new(),
    };
    run.deliveries = planned(ctx, message, &run).await?;
    Ok(run)
}

/// What the saved routes would do.
async fn planned(ctx: &TenantContext, message: &Message, run: &DryRun) -> Result<Vec<Planned>> {
    let intent = run.intent.as_ref().and_then(|intent| intent.intent_id);
    let mut tx = ctx.begin().await?;
    let rows = routes::of_outcome(&mut tx, intent, run.decision).await?;
    let detail = as_decided(&ctx.tenant, message, run);
    let inbox = outbox::inbox(&ctx.app, &mut tx, &detail).await?;
    drop(tx);
    let token = outbox::loop_token(&ctx.app, &ctx.tenant);
    let returned = plan::is_bounce(&detail).then(|| plan::Returned::of(&message.arrival.raw, &token));
    let returned = returned.as_ref().unwrap_or(plan::Returned::NONE);
    let sender = plan::Sender { inbox: inbox.as_deref(), returned, ..outbox::sender(&ctx.app, &token) };
    Ok(plan::plan(&rows, &detail, sender))
}

/// The message as it would stand. One that is not stored has an id of zeros.
fn as_decided(tenant: &TenantId, message: &Message, run: &DryRun) -> EmailDetail {
    let text =
        |name: &str| run.fields.get(name).and_then(|value| value.as_str()).unwrap_or_default().to_owned();
    EmailDetail {
        email: Email {
            email_id: message.email_id.unwrap_or(EmailId(uuid::Uuid::nil())),
            tenant_id: tenant.clone(),
            message_id: text("message_id"),
            sender_email: text("sender_email"),
            sender_name: text("sender_name"),
            recipient_email: text("recipient_email"),
            subject: text("subject"),
            preview: String::new(),
            received_at: message.arrival.received_at,
            status: EmailStatus::Done,
            intent: run.intent.clone(),
            decision: Some(run.decision),
            decided_at: Some(Utc::now()),
            explanation: run.explanation.clone(),
            parse_error: run.parse_error.clone(),
            labels: Vec::new(),
        },
        fields: run.fields.clone(),
        classification: Some(run.classification.clone()),
        decided_by: Some(repository::DECIDED_BY.into()),
        envelope: message.arrival.envelope.clone(),
        run: 0,
        intent_version: None,
        configuration_revision: None,
        verdicts: run.verdicts.clone(),
        deliveries: Vec::new(),
    }
}
