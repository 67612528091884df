//! Business rules of validation rules.

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, LazyLock, Mutex, PoisonError},
};

use super::{
    conditions::{self, Conditions, Kind},
    repository,
};
use crate::{
    audit::server::event::Event,
    auth::authority::Permission,
    datasources::{
        dto::{Datasource, DatasourceType},
        server::{config_service, lookup::sql_check::SqlDialect, service as datasources},
    },
    intents::{
        dto::{Extractor, Intent, is_field},
        server::{reading as intents, versions},
    },
    rules::dto::{MAX_RULES, RuleCursor, RuleInput, RuleType, RuleUse, ValidationRule},
    server::{
        Result, TenantContext, TenantTx,
        aside::{self, Turn},
        error::{OnConstraint, invalid_reference},
        etag::{IfMatch, Versioned},
        paging::Page,
        same::says_what_is_stored,
    },
    shared::{DatasourceId, IntentId, Problem, RuleId, TenantId, validate::Checks},
};

impl Versioned for ValidationRule {}

/// What a list of rules is narrowed to.
#[derive(Debug, Default)]
pub struct Filter {
    pub intent: Option<IntentId>,
    pub active_only: bool,
    pub page: Option<Page<RuleCursor>>,
}

/// By intent and priority.
///
/// # Errors
/// The database's.
pub async fn list(ctx: &TenantContext, filter: &Filter) -> Result<Vec<ValidationRule>> {
    ctx.require(Permission::Read)?;
    let page = filter.page.unwrap_or_else(Page::first);
    let mut tx = ctx.begin().await?;
    Ok(repository::list(&mut tx, filter.intent, filter.active_only, page.cursor, page.limit).await?)
}

/// By priority.
///
/// # Errors
/// 404 where the intent is not there.
pub async fn list_of_intent(
    ctx: &TenantContext,
    intent: IntentId,
    active_only: bool,
    page: Page<RuleCursor>,
) -> Result<Vec<ValidationRule>> {
    ctx.require(Permission::Read)?;
    let mut tx = ctx.begin().await?;
    intents::find(&mut tx, intent).await?;
    Ok(repository::list(&mut tx, Some(intent), active_only, page.cursor, page.limit).await?)
}

/// By priority.
///
/// # Errors
/// The database's.
pub async fn of_intent(
    tx: &mut TenantTx,
    intent: IntentId,
    active_only: bool,
) -> Result<Vec<ValidationRule>> {
    Ok(repository::list(tx, Some(intent), active_only, None, i64::MAX).await?)
}

/// The rules that ask a datasource, by intent and priority.
///
/// # Errors
/// The database's.
pub async fn using(tx: &mut TenantTx, datasource: DatasourceId) -> Result<Vec<RuleUse>> {
    Ok(repository::using(tx, datasource).await?)
}

/// As `using`, the rules whole.
///
/// # Errors
/// The database's.
pub async fn asking(tx: &mut TenantTx, datasource: DatasourceId) -> Result<Vec<ValidationRule>> {
    let found = repository::asking(tx, datasource).await?;
    Ok(found.into_iter().map(|(rule, _)| rule).collect())
}

/// # Errors
/// 404.
pub async fn get(ctx: &TenantContext, id: RuleId) -> Result<ValidationRule> {
    ctx.require(Permission::Read)?;
    let rule = repository::find(&mut ctx.read().await?, id).await?;
    rule.ok_or_else(|| not_found(id).into())
}

/// # Errors
/// 400 for an intent or a datasource that is not there, 422.
pub async fn create(ctx: &TenantContext, input: RuleInput) -> Result<ValidationRule> {
    ctx.require(Permission::Configure)?;
    input.validate(&ctx.tenant)?;
    let looked = look_at_one(ctx, &input).await?;
    let mut tx = ctx.begin().await?;
    let revision = versions::begin(&mut tx).await?;
    let intent = intent_of(&mut tx, &input).await?;
    let rule = insert(&mut tx, &intent, &input, looked.as_ref()).await?;
    versions::record(&mut tx, revision, intent.intent_id, &ctx.actor.label()).await?;
    ctx.audit(&mut tx, Event::created("validation_rule.create", rule.rule_id, &rule)).await?;
    tx.commit().await?;
    Ok(rule)
}

/// Checks and stores a rule of an intent, whose extractors its templates may name. `looked` is as for `check`.
///
/// # Errors
/// 400 for a datasource that is not there, 422.
pub async fn insert(
    tx: &mut TenantTx,
    intent: &Intent,
    input: &RuleInput,
    looked: Option<&Looked>,
) -> Result<ValidationRule> {
    check(tx, intent, input, looked).await?;
    check_room(tx, intent.intent_id).await?;
    repository::insert(tx, intent.intent_id, input)
        .await
        .on_constraint("fk_eivs_rules_datasource", invalid_datasource)
}

/// Where all is as it is stored, nothing is written, and there is no other version.
///
/// # Errors
/// 404, 400 for an intent or a datasource that is not there, 412, 422.
pub async fn replace(
    ctx: &TenantContext,
    id: RuleId,
    input: RuleInput,
    if_match: &IfMatch,
) -> Result<ValidationRule> {
    ctx.require(Permission::Configure)?;
    // The path names the rule: what the body has is not heeded.
    let input = RuleInput { rule_id: None, ..input };
    input.validate(&ctx.tenant)?;
    let looked = look_at_one(ctx, &input).await?;
    let mut tx = ctx.begin().await?;
    let revision = versions::begin(&mut tx).await?;
    let before = repository::find(&mut tx, id).await?.ok_or_else(|| not_found(id))?;
    if_match.check(&before)?;
    let intent = intent_of(&mut tx, &input).await?;
    check(&mut tx, &intent, &input, looked.as_ref()).await?;
    if before.intent_id != intent.intent_id {
        check_room(&mut tx, intent.intent_id).await?;
    }
    if says_what_is_stored(&input, &before) {
        // The transaction ends here, and with it the revision that it has begun.
        return Ok(before);
    }
    let rule = repository::update(&mut tx, id, intent.intent_id, &input)
        .await
        .on_constraint("fk_eivs_rules_datasource", invalid_datasource)?
        .ok_or_else(|| not_found(id))?;
    let by = ctx.actor.label();
    versions::record(&mut tx, revision, intent.intent_id, &by).await?;
    if before.intent_id != intent.intent_id {
        versions::record(&mut tx, revision, before.intent_id, &by).await?;
    }
    ctx.audit(&mut tx, Event::updated("validation_rule.update", id, &before, &rule)).await?;
    tx.commit().await?;
    Ok(rule)
}

/// # Errors
/// 404, 412.
pub async fn delete(ctx: &TenantContext, id: RuleId, if_match: &IfMatch) -> Result<()> {
    ctx.require(Permission::Configure)?;
    let mut tx = ctx.begin().await?;
    let revision = versions::begin(&mut tx).await?;
    let rule = repository::find(&mut tx, id).await?.ok_or_else(|| not_found(id))?;
    if_match.check(&rule)?;
    repository::delete(&mut tx, id).await?;
    versions::record(&mut tx, revision, rule.intent_id, &ctx.actor.label()).await?;
    ctx.audit(&mut tx, Event::deleted("validation_rule.delete", id, &rule)).await?;
    Ok(tx.commit().await?)
}

/// All of the tenant's, by intent and priority.
///
/// # Errors
/// The database's.
pub async fn all(tx: &mut TenantTx) -> Result<Vec<ValidationRule>> {
    Ok(repository::list(tx, None, false, None, i64::MAX).await?)
}

/// Checks and stores a rule of an intent in the place of one of its rules, as a part of a larger change: that has
/// begun a revision, and records the intent's version. `looked` is as for `check`.
///
/// # Errors
/// 404, 400 for a datasource that is not there, 422.
pub async fn put(
    tx: &mut TenantTx,
    id: RuleId,
    intent: &Intent,
    input: &RuleInput,
    looked: Option<&Looked>,
) -> Result<ValidationRule> {
    check(tx, intent, input, looked).await?;
    let rule = repository::update(tx, id, intent.intent_id, input)
        .await
        .on_constraint("fk_eivs_rules_datasource", invalid_datasource)?;
    rule.ok_or_else(|| not_found(id).into())
}

/// Deletes a rule, as a part of a larger change.
///
/// # Errors
/// 404.
pub async fn remove(tx: &mut TenantTx, id: RuleId) -> Result<()> {
    if repository::delete(tx, id).await? { Ok(()) } else { Err(not_found(id).into()) }
}

/// Parses the rules of an intent that is saved, so that `check_all_of` finds them parsed: a transaction that changes
/// intents keeps the tenant's other changes waiting.
///
/// # Errors
/// The database's.
pub async fn parse_all_of(ctx: &TenantContext, intent: IntentId) -> Result<()> {
    let mut tx = ctx.begin().await?;
    let stored = with_datasources(&mut tx, intent).await?;
    drop(tx);
    for (rule, datasource) in stored {
        // What does not hold by now is told where it is asked for.
        drop(parsed(&rule, datasource.as_ref()).await);
    }
    Ok(())
}

/// The rules of an intent, each with its datasource.
async fn with_datasources(
    tx: &mut TenantTx,
    intent: IntentId,
) -> Result<Vec<(ValidationRule, Option<Datasource>)>> {
    let rules = of_intent(tx, intent, false).await?;
    let mut found = Vec::with_capacity(rules.len());
    for rule in rules {
        let datasource = match rule.datasource_id {
            Some(id) => datasources::find(tx, id).await?,
            None => None,
        };
        found.push((rule, datasource));
    }
    Ok(found)
}

/// Checks that the rules of an intent still hold with its extractors of now. `before` is what it was.
///
/// # Errors
/// 422, naming the extractor that a rule needs.
pub async fn check_all_of(tx: &mut TenantTx, intent: &Intent, before: &Intent) -> Result<()> {
    for (rule, datasource) in with_datasources(tx, intent.intent_id).await? {
        let Ok(parsed) = parsed(&rule, datasource.as_ref()).await else { continue };
        let mut needed = parsed.fields();
        // What an expression of before names was not always looked at: only what it would lose now counts.
        needed.retain(|name| !parsed.names_in_expression(name) || is_field(&before.extractors, name));
        needed.push(rule.field_name.clone());
        if let Some(name) = needed.iter().find(|name| !is_field(&intent.extractors, name)) {
            return Err(Problem::invalid_field(
                "extractors",
                format!("rule {} needs '{name}', which no extractor would give", rule.rule_id),
            )
            .into());
        }
        let faults =
            |of: &Intent| conditions::faults(&parsed, rule.rule_type, &rule.field_name, &of.extractors);
        // What did not hold before is no reason.
        if let Some(fault) = faults(intent).first().filter(|_| faults(before).is_empty()) {
            let fault =
                format!("rule {} would not hold any more: {} {}", rule.rule_id, fault.field, fault.message);
            return Err(Problem::invalid_field("extractors", fault).into());
        }
    }
    Ok(())
}

/// Checks that the rules which ask a datasource still hold with it as it will be. A rule that did not hold with it as
/// it was is no reason to keep it so. `field` is what makes it another.
///
/// # Errors
/// 422, naming the first rule that would not hold, and its intent.
pub async fn check_all_asking(
    tx: &mut TenantTx,
    datasource: DatasourceId,
    field: &str,
    was: Kind,
    will_be: Kind,
) -> Result<()> {
    if was == will_be {
        return Ok(());
    }
    for (rule, intent) in repository::asking(tx, datasource).await? {
        let Err(fault) = parsed_for(&rule, Some(will_be)).await else { continue };
        if parsed_for(&rule, Some(was)).await.is_ok() {
            let (id, detail) = (rule.rule_id, fault.detail);
            let fault = format!("rule {id} of the intent '{intent}' would not hold any more: {detail}");
            return Err(Problem::invalid_field(field, fault).into());
        }
    }
    Ok(())
}

/// What makes an `error` of an intent's rules for every message, named as where they are saved.
///
/// # Errors
/// 403; the database's.
pub async fn fault_of(ctx: &TenantContext, rules: &[ValidationRule]) -> Result<Option<Problem>> {
    ctx.require(Permission::Read)?;
    let kinds = kinds_of(ctx, rules.iter().filter_map(|rule| rule.datasource_id).collect()).await?;
    let mut checks = Checks::default();
    for (i, rule) in rules.iter().enumerate() {
        let kind = rule.datasource_id.and_then(|id| kinds.get(&id).copied());
        let parsed = parsed_for(rule, kind).await;
        let fault = parsed.and_then(|parsed| match &parsed.judgement.expression {
            Some(expression) => expression
                .check_itself()
                .map_err(|fault| Problem::invalid_field("conditions.expression", fault)),
            None => Ok(()),
        });
        checks.part(&format!("validation_rules[{i}]"), fault);
    }
    Ok(checks.finish().err())
}

/// Parsed conditions that are kept.
const CACHED: usize = 5_000;

/// The parsed conditions of a stored rule. Their SQL is not looked at: it was when the rule was saved, and each look-up
/// does so again, in the dialect of the database that it asks.
///
/// # Errors
/// 422, where they no longer fit the datasource.
pub async fn parsed(
    rule: &ValidationRule,
    datasource: Option<&Datasource>,
) -> Result<Arc<Conditions>, Problem> {
    parsed_for(rule, datasource.map(|datasource| (datasource.datasource_type, None))).await
}

/// The parsed conditions of a rule whose datasource is of this kind. Kept by what they say, so that they need never be
/// forgotten: patterns, expressions and SQL take longer to be parsed than a quick datasource does to answer.
async fn parsed_for(rule: &ValidationRule, kind: Option<Kind>) -> Result<Arc<Conditions>, Problem> {
    type Key = (RuleType, Option<Kind>, String);
    static CACHE: LazyLock<Mutex<HashMap<Key, Arc<Conditions>>>> = LazyLock::new(Mutex::default);
    let key = (rule.rule_type, kind, rule.conditions.to_string());
    if let Some(found) = CACHE.lock().unwrap_or_else(PoisonError::into_inner).get(&key) {
        return Ok(Arc::clone(found));
    }
    let (rule_type, given) = (rule.rule_type, rule.conditions.clone());
    let conditions = Arc::new(aside::run(move || conditions::parse(rule_type, kind, &given)).await?);
    let mut cache = CACHE.lock().unwrap_or_else(PoisonError::into_inner);
    if cache.len() >= CACHED {
        cache.clear();
    }
    cache.insert(key, Arc::clone(&conditions));
    Ok(conditions)
}

async fn intent_of(tx: &mut TenantTx, input: &RuleInput) -> Result<Intent> {
    let id = input.intent_id.ok_or_else(|| Problem::invalid_field("intent_id", "is missing"))?;
    Ok(intents::if_there(tx, id).await?.ok_or_else(|| invalid_reference("intent"))?)
}

/// What was found of a rule that is to be stored, and what it was held against.
#[derive(Debug)]
pub struct Looked {
    kind: Option<Kind>,
    extractors: Arc<[Extractor]>,
    found: Result<(), Problem>,
}

impl Looked {
    pub fn holds(&self) -> bool {
        self.found.is_ok()
    }
}

/// Looks at rules for `check`, before the transaction that stores them is open: that takes a while, and waits for the
/// tenant's turn. `extractors` are those that their intent will have. The first rule that does not hold is the last that is
/// looked at, and none is after one whose datasource is not there: neither is stored.
///
/// # Errors
/// The database's.
pub async fn look_at(
    ctx: &TenantContext,
    extractors: &[Extractor],
    rules: &[RuleInput],
) -> Result<Vec<Looked>> {
    let kinds = kinds_of(ctx, rules.iter().filter_map(|rule| rule.datasource_id).collect()).await?;
    let extractors: Arc<[Extractor]> = extractors.into();
    let mut looked = Vec::new();
    // No more are stored, whoever sends them.
    for rule in rules.iter().take(MAX_RULES) {
        let kind = rule.datasource_id.and_then(|id| kinds.get(&id).copied());
        if rule.datasource_id.is_some() && kind.is_none() {
            break;
        }
        let one = look(&ctx.tenant, &extractors, kind, rule).await;
        let holds = one.holds();
        looked.push(one);
        if !holds {
            break;
        }
    }
    Ok(looked)
}

/// As `look_at`, of a rule that says whose it is. Nothing where its intent is not there.
async fn look_at_one(ctx: &TenantContext, rule: &RuleInput) -> Result<Option<Looked>> {
    let Some(id) = rule.intent_id else { return Ok(None) };
    let Some(intent) = intents::if_there(&mut ctx.read().await?, id).await? else { return Ok(None) };
    Ok(look_at(ctx, &intent.extractors, std::slice::from_ref(rule)).await?.pop())
}

/// The kinds of these datasources, if they are there. Read in a transaction that has ended when this returns.
async fn kinds_of(ctx: &TenantContext, ids: HashSet<DatasourceId>) -> Result<HashMap<DatasourceId, Kind>> {
    let mut kinds = HashMap::with_capacity(ids.len());
    if ids.is_empty() {
        return Ok(kinds);
    }
    let mut tx = ctx.begin().await?;
    for id in ids {
        if let Some(datasource) = datasources::find(&mut tx, id).await? {
            kinds.insert(id, kind_of(&mut tx, &datasource).await?);
        }
    }
    Ok(kinds)
}

/// What is checked of a rule before it is stored, or tried as a draft. `looked` is what was found of it before the
/// transaction; where it was not looked at, or somebody changed its intent or its datasource since, it is looked at here.
///
/// # Errors
/// 400 for a datasource that is not there, 422.
pub async fn check(
    tx: &mut TenantTx,
    intent: &Intent,
    input: &RuleInput,
    looked: Option<&Looked>,
) -> Result<()> {
    let kind = match input.datasource_id {
        None => None,
        Some(id) => {
            let found = datasources::find(tx, id).await?.ok_or_else(invalid_datasource)?;
            Some(kind_of(tx, &found).await?)
        }
    };
    let still = looked.filter(|one| one.kind == kind && *one.extractors == *intent.extractors);
    let found = match still {
        Some(one) => one.found.clone(),
        None => look(&intent.tenant_id, &intent.extractors.as_slice().into(), kind, input).await.found,
    };
    Ok(found?)
}

/// Looks at a rule whose datasource is of this kind. SQL and patterns take a while to be parsed, and an expression is tried
/// out.
pub async fn look(
    tenant: &TenantId,
    extractors: &Arc<[Extractor]>,
    kind: Option<Kind>,
    input: &RuleInput,
) -> Looked {
    let mut checks = Checks::default();
    if !is_field(extractors, &input.field_name) {
        checks.fault(
            "field_name",
            format!("'{}' is neither a field of a message nor an extractor of the intent", input.field_name),
        );
    }
    let (rule_type, given, of) = (input.rule_type, input.conditions.clone(), Arc::clone(extractors));
    let field_name = input.field_name.clone();
    let turn = aside::turn_of(tenant, Turn::Save).await;
    let checked = aside::run_in(turn, move || {
        let misplaced = conditions::misplaced_templates(&given, &of);
        if !misplaced.is_empty() {
            return Err(Problem::invalid(misplaced));
        }
        let parsed = conditions::parse(rule_type, kind, &given)?;
        let expression = parsed.judgement.expression.as_ref();
        let fault = expression.and_then(|one| one.check(&of, parsed.lookup.is_some()).err());
        Ok::<_, Problem>((fault, conditions::faults(&parsed, rule_type, &field_name, &of)))
    })
    .await;
    if let Some((fault, faults)) = checks.part_as_is(checked) {
        if let Some(fault) = fault {
            checks.fault("conditions.expression", fault);
        }
        for error in faults {
            checks.fault(error.field, error.message);
        }
    }
    Looked { kind, extractors: Arc::clone(extractors), found: checks.finish() }
}

/// What a rule that asks a datasource is held against when it is saved: what is SQL to all, where its config is not there.
pub fn kind(of: DatasourceType, dialect: Option<SqlDialect>) -> Kind {
    (of, Some(dialect.unwrap_or(SqlDialect::Any)))
}

async fn kind_of(tx: &mut TenantTx, datasource: &Datasource) -> Result<Kind> {
    let dialect = config_service::dialect(tx, &datasource.connection_key).await?;
    Ok(kind(datasource.datasource_type, dialect))
}

/// # Errors
/// 400, where the intent has as many rules as it may.
async fn check_room(tx: &mut TenantTx, intent: IntentId) -> Result<()> {
    if repository::count_of(tx, intent).await? >= MAX_RULES as i64 {
        return Err(Problem::business_rule(format!("An intent may have at most {MAX_RULES} rules")).into());
    }
    Ok(())
}

fn invalid_datasource() -> Problem {
    invalid_reference("datasource")
}

fn not_found(id: RuleId) -> Problem {
    Problem::not_found("Validation rule", id)
}
