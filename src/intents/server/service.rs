//! Business rules of intents.

pub use super::repository::Extent;
use super::{matching, reading::find, repository, versions};
use crate::{
    audit::server::event::Event,
    auth::authority::Permission,
    intents::dto::{
        Intent, IntentInput, IntentVersion, IntentVersionDetail, IntentWithRules, IntentWithRulesInput,
    },
    routes::{dto::Route, server::service as routes},
    rules::{
        dto::{MAX_RULES, RuleInput, ValidationRule},
        server::service as rules,
    },
    server::{
        Result, TenantContext, TenantTx,
        aside::{self, Turn},
        error::{OnConstraint, at_place},
        etag::{IfMatch, Versioned},
        paging::Page,
        same::says_what_is_stored,
    },
    shared::{IntentId, Problem, validate::Checks},
};

/// Examples come in while people work on messages: they make no edit of the intent out of date.
impl Versioned for Intent {
    fn etag(&self) -> String {
        WithoutExamples(Self { examples_count: 0, ..self.clone() }).etag()
    }
}

/// The intent's own tag: its version is raised by each change of a rule.
impl Versioned for IntentWithRules {
    fn etag(&self) -> String {
        self.intent.etag()
    }
}

#[derive(serde::Serialize)]
struct WithoutExamples(Intent);
impl Versioned for WithoutExamples {}

/// What the audit log is told of an intent that was deleted: all that people set, its own and what went with it.
#[derive(serde::Serialize)]
struct Gone {
    intent: Intent,
    validation_rules: Vec<ValidationRule>,
    routes: Vec<Route>,
}

/// What one tenant may have: each message is held against all that are active.
const MAX_INTENTS: i64 = 1_000;
/// What the match conditions and extractors of all of them may have together, in bytes: they are read for each message. No
/// more than a document may have (`MAX_DOCUMENT`), in which they are exported.
const MAX_MATCHING_IN_ALL: i64 = 4 << 20;

/// What a list of intents is narrowed to.
#[derive(Debug)]
pub struct Filter {
    pub active_only: bool,
    /// To be found in name or description.
    pub q: Option<String>,
    pub page: Page<i64>,
}

impl Default for Filter {
    fn default() -> Self {
        Self { active_only: false, q: None, page: Page::first() }
    }
}

/// Newest first.
///
/// # Errors
/// The database's.
pub async fn list(ctx: &TenantContext, filter: &Filter) -> Result<Vec<Intent>> {
    ctx.require(Permission::Read)?;
    let mut tx = ctx.begin().await?;
    let page = filter.page;
    Ok(repository::list(&mut tx, filter.active_only, filter.q.as_deref(), page.cursor, page.limit).await?)
}

/// # Errors
/// 404.
pub async fn get(ctx: &TenantContext, id: IntentId) -> Result<Intent> {
    ctx.require(Permission::Read)?;
    find(&mut ctx.read().await?, id).await
}

/// An intent with all its rules, by priority: what `with_rules::replace` takes.
///
/// # Errors
/// 404.
pub async fn get_with_rules(ctx: &TenantContext, id: IntentId) -> Result<IntentWithRules> {
    ctx.require(Permission::Read)?;
    let mut tx = ctx.begin().await?;
    let intent = find(&mut tx, id).await?;
    let validation_rules = rules::of_intent(&mut tx, id, false).await?;
    Ok(IntentWithRules { intent, validation_rules })
}

/// # Errors
/// 400 where the tenant has as many intents as it may, or too large ones together, 409 for a name that exists, 422.
pub async fn create(ctx: &TenantContext, input: IntentInput) -> Result<Intent> {
    ctx.require(Permission::Configure)?;
    let input = checked(ctx, input).await?;
    let mut tx = ctx.begin().await?;
    let revision = versions::begin(&mut tx).await?;
    let mut intent = insert(&mut tx, &input).await?;
    intent.version = versions::record(&mut tx, revision, intent.intent_id, &ctx.actor.label()).await?;
    ctx.audit(&mut tx, Event::created("intent.create", intent.intent_id, &intent)).await?;
    tx.commit().await?;
    Ok(intent)
}

/// Intent and rules in one transaction: all of it is stored, or nothing.
///
/// # Errors
/// As for the intent and for each rule, with the place of the fault.
pub async fn create_with_rules(ctx: &TenantContext, input: IntentWithRulesInput) -> Result<IntentWithRules> {
    ctx.require(Permission::Configure)?;
    let mut checks = Checks::default();
    let intent = checks.part("intent", checked(ctx, input.intent).await);
    check_number(&mut checks, &input.validation_rules);
    for (i, rule) in input.validation_rules.iter().enumerate() {
        let at = format!("validation_rules[{i}]");
        checks.part(&at, rule.validate(&ctx.tenant));
        if rule.intent_id.is_some() {
            checks.fault(format!("{at}.intent_id"), "is not known yet: the intent is made by this call");
        }
    }
    checks.finish()?;
    let intent = intent.ok_or_else(|| Problem::invalid_field("intent", "is missing"))?;
    let looked = rules::look_at(ctx, &intent.extractors, &input.validation_rules).await?;
    let mut tx = ctx.begin().await?;
    let revision = versions::begin(&mut tx).await?;
    let mut intent = insert(&mut tx, &intent).await?;
    let mut validation_rules = Vec::with_capacity(input.validation_rules.len());
    for (i, rule) in input.validation_rules.iter().enumerate() {
        let stored = rules::insert(&mut tx, &intent, rule, looked.get(i)).await;
        validation_rules.push(at_place(stored, &format!("validation_rules[{i}]"))?);
    }
    intent.version = versions::record(&mut tx, revision, intent.intent_id, &ctx.actor.label()).await?;
    validation_rules.sort_by_key(|rule| (rule.priority, rule.rule_id));
    let made = IntentWithRules { intent, validation_rules };
    ctx.audit(&mut tx, Event::created("intent.create", made.intent.intent_id, &made)).await?;
    tx.commit().await?;
    Ok(made)
}

/// Where all is as it is stored, nothing is written, and there is no other version.
///
/// # Errors
/// 400 where the tenant's intents would be too large together, 404, 409 for a name that exists, 412, 422; 422 too where a
/// rule or a route names an extractor that would go.
pub async fn replace(
    ctx: &TenantContext,
    id: IntentId,
    input: IntentInput,
    if_match: &IfMatch,
) -> Result<Intent> {
    ctx.require(Permission::Configure)?;
    let input = checked(ctx, input).await?;
    rules::parse_all_of(ctx, id).await?;
    let mut tx = ctx.begin().await?;
    let revision = versions::begin(&mut tx).await?;
    let extent = extent(&mut tx).await?;
    let before = find(&mut tx, id).await?;
    if_match.check(&before)?;
    let mut intent = repository::update(&mut tx, id, &input)
        .await
        .on_constraint("uq_eivs_intents_tenant_name", || Problem::already_exists("Intent", &input.name))?
        .ok_or_else(|| Problem::not_found("Intent", id))?;
    check_room(&mut tx, extent).await?;
    rules::check_all_of(&mut tx, &intent, &before).await?;
    routes::check_all_of(&mut tx, &intent).await?;
    if says_what_is_stored(&input, &before) {
        // The transaction ends here, and with it the revision that it has begun.
        return Ok(before);
    }
    intent.version = versions::record(&mut tx, revision, id, &ctx.actor.label()).await?;
    ctx.audit(&mut tx, Event::updated("intent.update", id, &before, &intent)).await?;
    tx.commit().await?;
    Ok(intent)
}

/// Deletes the intent with its rules, examples and routes; what is under way for these is called off. Messages that had it
/// keep its name.
///
/// # Errors
/// 404, 412.
pub async fn delete(ctx: &TenantContext, id: IntentId, if_match: &IfMatch) -> Result<()> {
    ctx.require(Permission::Configure)?;
    let mut tx = ctx.begin().await?;
    let revision = versions::begin(&mut tx).await?;
    let intent = find(&mut tx, id).await?;
    if_match.check(&intent)?;
    let validation_rules = rules::of_intent(&mut tx, id, false).await?;
    versions::record_end(&mut tx, revision, id, &ctx.actor.label()).await?;
    // The intent before its routes, as whoever decides has it: so neither waits for the other.
    repository::lock(&mut tx, id).await?;
    // The database would take them along unseen, and leave what is under way for them.
    let routes = routes::remove_of_intent(&mut tx, id).await?;
    repository::delete(&mut tx, id).await?;
    let gone = Gone { intent, validation_rules, routes };
    ctx.audit(&mut tx, Event::deleted("intent.delete", id, &gone)).await?;
    Ok(tx.commit().await?)
}

/// The versions of an intent, newest first. Those of one that was deleted are still there.
///
/// # Errors
/// 404.
pub async fn list_versions(ctx: &TenantContext, id: IntentId, page: Page<i32>) -> Result<Vec<IntentVersion>> {
    ctx.require(Permission::Read)?;
    let mut tx = ctx.begin().await?;
    let found = versions::list(&mut tx, id, page.cursor, page.limit).await?;
    if found.is_empty() && page.cursor.is_none() {
        return Err(Problem::not_found("Intent", id).into());
    }
    Ok(found)
}

/// # Errors
/// 404.
pub async fn get_version(ctx: &TenantContext, id: IntentId, version: i32) -> Result<IntentVersionDetail> {
    ctx.require(Permission::Read)?;
    let found = versions::find(&mut ctx.begin().await?, id, version).await?;
    found.ok_or_else(|| Problem::not_found("Version", format!("{version} of intent {id}")).into())
}

/// Stores a checked intent, in the place of one where it is given, as a part of a larger change: that has begun a
/// revision, checks the rules and routes of the intent, and at its end that there is room for all, and records its version.
///
/// # Errors
/// 404, 409 for a name that exists.
pub async fn put(tx: &mut TenantTx, id: Option<IntentId>, input: &IntentInput) -> Result<Intent> {
    let Some(id) = id else { return add(tx, input).await };
    let intent = repository::update(tx, id, input)
        .await
        .on_constraint("uq_eivs_intents_tenant_name", || Problem::already_exists("Intent", &input.name))?;
    intent.ok_or_else(|| Problem::not_found("Intent", id).into())
}

/// Keeps messages from getting an intent: the first part of its deletion in a larger change, which changes routes after it.
///
/// # Errors
/// The database's.
pub async fn lock(tx: &mut TenantTx, id: IntentId) -> Result<()> {
    Ok(repository::lock(tx, id).await?)
}

/// Deletes an intent with its rules and examples, as a part of a larger change, which has seen to it that no route is
/// bound to it.
///
/// # Errors
/// 404.
pub async fn remove(tx: &mut TenantTx, revision: versions::Revision, id: IntentId, by: &str) -> Result<()> {
    versions::record_end(tx, revision, id, by).await?;
    if repository::delete(tx, id).await? { Ok(()) } else { Err(Problem::not_found("Intent", id).into()) }
}

/// With the tenant's lock, as whoever has begun a revision has it: so no two take the last place.
async fn insert(tx: &mut TenantTx, input: &IntentInput) -> Result<Intent> {
    let before = extent(tx).await?;
    let intent = add(tx, input).await?;
    check_room(tx, before).await?;
    Ok(intent)
}

/// How much there is of the tenant's intents, before a change for which `check_room` then checks that there is room.
///
/// # Errors
/// The database's.
pub async fn extent(tx: &mut TenantTx) -> Result<Extent> {
    Ok(repository::extent(tx).await?)
}

/// Checks that the intents have become neither too many nor too large together since `before`. Where they were that
/// already, it is no reason to refuse what adds nothing.
///
/// # Errors
/// 400.
pub async fn check_room(tx: &mut TenantTx, before: Extent) -> Result<()> {
    let now = repository::extent(tx).await?;
    if now.count > MAX_INTENTS.max(before.count) {
        let sentence = format!("A tenant can have at most {MAX_INTENTS} intents. Delete some first");
        return Err(Problem::business_rule(sentence).into());
    }
    if now.bytes > MAX_MATCHING_IN_ALL.max(before.bytes) {
        let sentence = format!(
            "The match conditions and extractors of a tenant's intents can have at most {MAX_MATCHING_IN_ALL} bytes \
             together, and would have {}. Make some shorter first",
            now.bytes
        );
        return Err(Problem::business_rule(sentence).into());
    }
    Ok(())
}

async fn add(tx: &mut TenantTx, input: &IntentInput) -> Result<Intent> {
    repository::insert(tx, input)
        .await
        .on_constraint("uq_eivs_intents_tenant_name", || Problem::already_exists("Intent", &input.name))
}

/// So many rules that checking each would keep others waiting.
pub fn check_number(checks: &mut Checks, rules: &[RuleInput]) {
    if rules.len() > MAX_RULES {
        checks.fault("validation_rules", format!("must be at most {MAX_RULES}"));
    }
}

/// What is checked of an intent before it is stored, or tried as a draft. Before a transaction is open: it waits for
/// the tenant's turn, and patterns take a while.
///
/// # Errors
/// 422 with every field at fault.
pub async fn checked(ctx: &TenantContext, input: IntentInput) -> Result<IntentInput, Problem> {
    let input = input.validate(&ctx.tenant)?;
    let turn = aside::turn_of(&ctx.tenant, Turn::Save).await;
    aside::run_in(turn, move || {
        matching::check_patterns(&input.conditions, &input.extractors)?;
        Ok(input)
    })
    .await
}
