//! What can be said of a document before anything is stored, by the checks of the services that will store it. All
//! faults are named at once.

use std::collections::BTreeSet;

use super::{
    current::Current,
    document::{ConfigEntry, DatasourceEntry, Document, IntentEntry, RouteEntry, RuleEntry},
};
use crate::{
    datasources::{
        dto::{DatasourceConfigInput, DatasourceInput},
        server::connection::{self, Endpoint},
    },
    intents::{
        dto::{IntentInput, MatchConditions, MatchOp},
        server::matching,
    },
    routes::dto::RouteInput,
    rules::dto::{MAX_RULES, RuleInput},
    server::{
        TenantContext,
        aside::{self, Turn},
    },
    shared::{DatasourceId, IntentId, Problem, TenantId, validate::Checks},
};

/// What one document may hold: an import keeps the tenant's other changes waiting.
const MAX_OF_A_KIND: usize = 2_000;
const MAX_RULES_IN_ALL: usize = 5_000;
/// Of intents. Each takes a while, more than all else that is looked at here.
const MAX_PATTERNS_IN_ALL: usize = 5_000;
/// After so many faults of intents, further patterns are not looked at.
const MAX_FAULTS: usize = 100;

/// What was found of an intent: its name as it would be stored, or what is wrong.
type CheckedIntent = Result<String, Problem>;

/// Checks the size of the document, and its intents with their patterns. Before a transaction is open: it waits for the
/// tenant's turn, and patterns take a while.
///
/// # Errors
/// 422 for a document that is too large.
pub async fn intents(
    ctx: &TenantContext,
    document: Document,
) -> Result<(Document, Vec<CheckedIntent>), Problem> {
    size(&document)?;
    let tenant = ctx.tenant.clone();
    let turn = aside::turn_of(&ctx.tenant, Turn::Save).await;
    let checked = aside::run_in(turn, move || {
        let mut checked = Vec::new();
        let mut faults = 0;
        for entry in document.intents.iter().flatten() {
            let intent = checked_intent(&tenant, entry, faults < MAX_FAULTS);
            faults += intent.as_ref().err().map_or(0, |problem| problem.errors.len());
            checked.push(intent);
        }
        (document, checked)
    });
    Ok(checked.await)
}

fn checked_intent(tenant: &TenantId, entry: &IntentEntry, with_patterns: bool) -> CheckedIntent {
    let input = IntentInput::from(entry).validate(tenant)?;
    if with_patterns {
        matching::check_patterns(&input.conditions, &input.extractors)?;
    }
    Ok(input.name)
}

/// Checks that there is no more of anything in the document than one may hold.
///
/// # Errors
/// 422 naming what there is too much of.
pub fn size(document: &Document) -> Result<(), Problem> {
    let mut checks = Checks::default();
    let sizes = [
        ("datasource_configs", document.datasource_configs.as_ref().map_or(0, Vec::len)),
        ("datasources", document.datasources.as_ref().map_or(0, Vec::len)),
        ("intents", document.intents.as_ref().map_or(0, Vec::len)),
        ("routes", document.routes.as_ref().map_or(0, Vec::len)),
    ];
    for (section, size) in sizes {
        if size > MAX_OF_A_KIND {
            checks.fault(section, format!("must be at most {MAX_OF_A_KIND}"));
        }
    }
    let rules = document.intents.iter().flatten().filter_map(|intent| intent.validation_rules.as_ref());
    if rules.map(Vec::len).sum::<usize>() > MAX_RULES_IN_ALL {
        checks.fault("intents", format!("must have at most {MAX_RULES_IN_ALL} rules together"));
    }
    if document.intents.iter().flatten().map(patterns).sum::<usize>() > MAX_PATTERNS_IN_ALL {
        checks.fault("intents", format!("must have at most {MAX_PATTERNS_IN_ALL} patterns together"));
    }
    checks.finish()
}

/// How many regular expressions an intent has.
fn patterns(intent: &IntentEntry) -> usize {
    let MatchConditions { any, all, none } = &intent.conditions;
    let conditions = [any, all, none].into_iter().flatten();
    conditions.filter(|condition| condition.op == MatchOp::Regex).count() + intent.extractors.len()
}

/// The document as it would be stored, its names trimmed. `intents` is what was found of its intents.
///
/// # Errors
/// 422 with every fault.
pub fn checked(
    ctx: &TenantContext,
    mut document: Document,
    intents: Vec<CheckedIntent>,
    current: &Current,
    delete: bool,
) -> Result<Document, Problem> {
    let mut checks = Checks::default();
    for (i, entry) in document.datasource_configs.iter_mut().flatten().enumerate() {
        if let Some(input) = checks.part(&format!("datasource_configs[{i}]"), config(entry)) {
            entry.name = input.name;
            entry.base_url = input.base_url;
            entry.auth_type = input.auth_type;
            entry.auth_config = input.auth_config;
        }
    }
    for (i, entry) in document.datasources.iter_mut().flatten().enumerate() {
        let input = DatasourceInput::from(&*entry).validate(&ctx.tenant);
        if let Some(input) = checks.part(&format!("datasources[{i}]"), input) {
            entry.name = input.name;
            entry.connection_key = input.connection_key;
        }
    }
    for ((i, entry), found) in document.intents.iter_mut().flatten().enumerate().zip(intents) {
        let at = format!("intents[{i}]");
        if let Some(name) = checks.part(&at, found) {
            entry.name = name;
        }
        let rules = entry.validation_rules.as_deref_mut().unwrap_or_default();
        if rules.len() > MAX_RULES {
            checks.fault(format!("{at}.validation_rules"), format!("must be at most {MAX_RULES}"));
        }
        for (j, rule) in rules.iter_mut().enumerate() {
            let at = format!("{at}.validation_rules[{j}]");
            rule.datasource = rule.datasource.as_deref().map(|name| name.trim().to_owned());
            // Any id stands for the name, which is looked at below.
            let id = rule.datasource.as_ref().map(|_| DatasourceId(0));
            checks.part(&at, rule_input(rule, IntentId(0), id).validate(&ctx.tenant).map_err(as_named));
        }
    }
    for (i, entry) in document.routes.iter_mut().flatten().enumerate() {
        entry.intent = entry.intent.as_deref().map(|name| name.trim().to_owned());
        let input = route_input(entry, None).validate(&ctx.tenant);
        if let Some(input) = checks.part(&format!("routes[{i}]"), input) {
            entry.name = input.name;
            entry.decisions = input.decisions;
        }
    }
    unique(&mut checks, "datasource_configs", document.datasource_configs.as_deref(), |entry| &entry.name);
    unique(&mut checks, "datasources", document.datasources.as_deref(), |entry| &entry.name);
    unique(&mut checks, "intents", document.intents.as_deref(), |entry| &entry.name);
    unique(&mut checks, "routes", document.routes.as_deref(), |entry| &entry.name);
    references(&mut checks, &document, current, delete);
    checks.finish()?;
    Ok(document)
}

/// Where a config will lead.
///
/// # Errors
/// 422 where it cannot be used.
pub fn endpoint(entry: &ConfigEntry) -> Result<Endpoint, Problem> {
    let input = config(entry)?;
    let url = input.base_url.as_deref();
    connection::endpoint(&input.protocol, &input.driver_family, url, &input.connection_json)
}

fn config(entry: &ConfigEntry) -> Result<DatasourceConfigInput, Problem> {
    let mut input = DatasourceConfigInput::from(entry);
    let mut checks = Checks::default();
    input.name = checks.name("name", &input.name);
    checks.part_as_is(connection::move_credentials(&mut input));
    checks.finish()?;
    Ok(input)
}

/// In a document a datasource is named.
pub fn as_named(mut problem: Problem) -> Problem {
    for error in &mut problem.errors {
        if error.field == "datasource_id" {
            error.field = "datasource".into();
        }
    }
    problem
}

/// A name stands for one thing.
fn unique<T>(checks: &mut Checks, section: &str, entries: Option<&[T]>, name: fn(&T) -> &String) {
    let mut seen = BTreeSet::new();
    for (i, entry) in entries.unwrap_or_default().iter().enumerate() {
        if !seen.insert(name(entry)) {
            checks.fault(format!("{section}[{i}].name"), format!("'{}' stands twice", name(entry)));
        }
    }
}

/// What is named must be there when the import is done.
fn references(checks: &mut Checks, document: &Document, current: &Current, delete: bool) {
    let mut datasources: BTreeSet<&String> =
        document.datasources.iter().flatten().map(|entry| &entry.name).collect();
    if document.datasources.is_none() || !delete {
        datasources.extend(current.datasources.keys());
    }
    let mut intents: BTreeSet<&String> = document.intents.iter().flatten().map(|entry| &entry.name).collect();
    if document.intents.is_none() || !delete {
        intents.extend(current.intents.keys());
    }
    for (i, intent) in document.intents.iter().flatten().enumerate() {
        for (j, rule) in intent.validation_rules.iter().flatten().enumerate() {
            if let Some(name) = rule.datasource.as_ref().filter(|name| !datasources.contains(name)) {
                let at = format!("intents[{i}].validation_rules[{j}].datasource");
                checks.fault(at, format!("'{name}' is no datasource, neither here nor in the tenant"));
            }
        }
    }
    for (i, route) in document.routes.iter().flatten().enumerate() {
        if let Some(name) = route.intent.as_ref().filter(|name| !intents.contains(name)) {
            let fault = format!("'{name}' is no intent, neither here nor in the tenant");
            checks.fault(format!("routes[{i}].intent"), fault);
        }
    }
}

impl From<&ConfigEntry> for DatasourceConfigInput {
    fn from(entry: &ConfigEntry) -> Self {
        Self {
            name: entry.name.clone(),
            protocol: entry.protocol.clone(),
            driver_family: entry.driver_family.clone(),
            base_url: entry.base_url.clone(),
            auth_type: entry.auth_type,
            auth_config: entry.auth_config.clone(),
            connection_json: entry.connection_json.clone(),
            tenant_id: None,
            config_id: Default::default(),
            created_at: Default::default(),
            updated_at: Default::default(),
        }
    }
}

impl From<&DatasourceEntry> for DatasourceInput {
    fn from(entry: &DatasourceEntry) -> Self {
        Self {
            name: entry.name.clone(),
            datasource_type: entry.datasource_type,
            connection_key: entry.connection_key.clone(),
            description: entry.description.clone(),
            is_active: entry.is_active,
            tenant_id: None,
            datasource_id: Default::default(),
            created_at: Default::default(),
            updated_at: Default::default(),
        }
    }
}

impl From<&IntentEntry> for IntentInput {
    fn from(entry: &IntentEntry) -> Self {
        Self {
            description: entry.description.clone(),
            is_active: entry.is_active,
            priority: entry.priority,
            conditions: entry.conditions.clone(),
            extractors: entry.extractors.clone(),
            ..Self::named(&entry.name)
        }
    }
}

/// With the ids that its names stand for.
pub fn rule_input(entry: &RuleEntry, intent: IntentId, datasource: Option<DatasourceId>) -> RuleInput {
    RuleInput {
        intent_id: Some(intent),
        datasource_id: datasource,
        field_name: entry.field_name.clone(),
        rule_type: entry.rule_type,
        conditions: entry.conditions.clone().into(),
        priority: entry.priority,
        is_active: entry.is_active,
        on_fail: entry.on_fail,
        on_error: entry.on_error,
        when_missing: entry.when_missing,
        stop: entry.stop,
        tenant_id: None,
        rule_id: Default::default(),
        created_at: Default::default(),
        updated_at: Default::default(),
    }
}

/// With the id that its intent's name stands for.
pub fn route_input(entry: &RouteEntry, intent: Option<IntentId>) -> RouteInput {
    RouteInput {
        name: entry.name.clone(),
        intent_id: intent,
        kind: entry.kind,
        decisions: entry.decisions.clone(),
        settings: entry.settings.clone(),
        is_active: entry.is_active,
        tenant_id: None,
        route_id: Default::default(),
        created_at: Default::default(),
        updated_at: Default::default(),
    }
}
