//! Looks at the rules that an import stores before its transaction is open, which keeps the tenant's other changes waiting:
//! patterns and SQL take a while to be parsed, and expressions to be tried out.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use super::{
    check::{self, rule_input},
    current::{self, Current},
    document::{Document, IntentEntry, RuleEntry},
    plan,
};
use crate::{
    datasources::{dto::DatasourceType, server::lookup::sql_check::SqlDialect},
    intents::dto::Extractor,
    rules::{
        dto::MAX_RULES,
        server::{
            conditions::Kind as Served,
            service::{self as rules, Looked},
        },
    },
    server::{Result, TenantContext},
    shared::{DatasourceId, IntentId},
    transfer::dto::{Action, Kind},
};

/// What was found of rules, by the places of their intent and of themselves in the document.
pub type Found = HashMap<(usize, usize), Looked>;

/// Looks at the rules of a document that differ from those that are there, as it will leave their intents and datasources,
/// and parses the rules of intents that will change. The first that does not hold is the last that is looked at: what is
/// wrong is told where it is stored.
///
/// # Errors
/// The database's.
pub async fn look(ctx: &TenantContext, document: &Document) -> Result<Found> {
    let current = current::read(&mut ctx.begin().await?).await?;
    let kinds = kinds(document, &current);
    let (mut found, mut names) = (Found::new(), HashSet::new());
    for (i, entry) in document.intents.iter().flatten().enumerate() {
        let wanted = entry.validation_rules.as_deref().unwrap_or_default();
        // Two of one name are refused later: what is stored of it is gone through once.
        if wanted.len() > MAX_RULES || !names.insert(entry.name.trim()) {
            break;
        }
        parse_stored(entry, &current).await;
        let extractors: Arc<[Extractor]> = entry.extractors.as_slice().into();
        for (w, rule) in differing(entry, wanted, &current) {
            let name = rule.datasource.as_deref().map(str::trim);
            let kind = name.and_then(|name| kinds.get(name).copied());
            if name.is_some() && kind.is_none() {
                return Ok(found);
            }
            let input = rule_input(rule, IntentId(0), name.map(|_| DatasourceId(0)));
            let looked = rules::look(&ctx.tenant, &extractors, kind, &input).await;
            let holds = looked.holds();
            found.insert((i, w), looked);
            if !holds {
                return Ok(found);
            }
        }
    }
    Ok(found)
}

/// What the datasources will be, by name.
fn kinds<'d>(document: &'d Document, current: &'d Current) -> HashMap<&'d str, Served> {
    let stored = current.configs.iter().map(|(name, row)| (name.as_str(), row.endpoint()));
    let wanted = document.datasource_configs.iter().flatten();
    let wanted = wanted.map(|entry| (entry.name.trim(), check::endpoint(entry)));
    let dialects: HashMap<&str, SqlDialect> =
        stored.chain(wanted).filter_map(|(name, leads)| Some((name, leads.ok()?.dialect()))).collect();
    let stored = current.datasources.values();
    let stored = stored.map(|one| (one.name.as_str(), one.datasource_type, one.connection_key.as_str()));
    let wanted = document.datasources.iter().flatten();
    let wanted = wanted.map(|entry| (entry.name.trim(), entry.datasource_type, entry.connection_key.trim()));
    let kind = |(name, of, key): (&'d str, DatasourceType, &str)| {
        (name, rules::kind(of, dialects.get(key).copied()))
    };
    stored.chain(wanted).map(kind).collect()
}

/// The rules of an intent that are not there as they are wanted, with their places.
fn differing<'d>(
    entry: &IntentEntry,
    wanted: &'d [RuleEntry],
    current: &Current,
) -> Vec<(usize, &'d RuleEntry)> {
    let stored = current.intents.get(entry.name.trim()).map(|intent| current.rules_of(intent.intent_id));
    let stored: Vec<RuleEntry> =
        stored.unwrap_or_default().iter().map(|rule| current.rule_entry(rule)).collect();
    let pairs = plan::pair(&stored, wanted);
    let mut differing = Vec::new();
    for (w, rule) in wanted.iter().enumerate() {
        let before = pairs[w].map(|s| plan::members(&stored[s]));
        if plan::change(Kind::Rule, "", before, plan::members(rule), &[]).action != Action::Same {
            differing.push((w, rule));
        }
    }
    differing
}

/// Parses the rules that an intent has, where it will change: then they are held against it.
async fn parse_stored(entry: &IntentEntry, current: &Current) {
    let Some(intent) = current.intents.get(entry.name.trim()) else { return };
    let before = plan::members(&current.intent_entry(intent));
    if plan::change(Kind::Intent, "", Some(before), plan::members(entry), &[]).action == Action::Same {
        return;
    }
    for rule in current.rules_of(intent.intent_id) {
        let datasource = rule.datasource_id.and_then(|id| current.datasource(id));
        drop(rules::parsed(rule, datasource).await);
    }
}
