//! An intent and all its rules as one: what an editor saves.

use std::collections::BTreeSet;

use serde::Serialize;

use super::{reading, repository, service, versions};
use crate::{
    audit::server::event::Event,
    auth::authority::Permission,
    intents::dto::{Intent, IntentInput, IntentWithRules, IntentWithRulesInput},
    routes::server::service as routes,
    rules::{
        dto::{RuleInput, ValidationRule},
        server::service::{self as rules, Looked},
    },
    server::{
        Result, TenantContext, TenantTx,
        error::{OnConstraint, at_place},
        etag::IfMatch,
        same::says_what_is_stored,
    },
    shared::{IntentId, Problem, validate::Checks},
};

/// Replaces an intent and all its rules in one transaction. A rule that names one of the intent's by `rule_id` takes
/// its place, the others are new, and those that are not named go. Where all is as it is stored, nothing is written, and
/// there is no other version.
///
/// # Errors
/// 404, 409 for a name that exists, 412; 400 and 422 as for the intent and for each rule, with the place of the fault.
pub async fn replace(
    ctx: &TenantContext,
    id: IntentId,
    input: IntentWithRulesInput,
    if_match: &IfMatch,
) -> Result<IntentWithRules> {
    ctx.require(Permission::Configure)?;
    let (wanted, inputs) = checked(ctx, id, input).await?;
    let looked = rules::look_at(ctx, &wanted.extractors, &inputs).await?;
    let mut tx = ctx.begin().await?;
    let revision = versions::begin(&mut tx).await?;
    let extent = service::extent(&mut tx).await?;
    let before = reading::find(&mut tx, id).await?;
    if_match.check(&before)?;
    let stored = rules::of_intent(&mut tx, id, false).await?;
    check_ids(&inputs, &stored)?;
    let mut intent = repository::update(&mut tx, id, &wanted)
        .await
        .on_constraint("uq_eivs_intents_tenant_name", || Problem::already_exists("Intent", &wanted.name))?
        .ok_or_else(|| Problem::not_found("Intent", id))?;
    service::check_room(&mut tx, extent).await?;
    // First those that go: an intent has room for so many.
    let kept: BTreeSet<_> = inputs.iter().filter_map(|input| input.rule_id).collect();
    for gone in stored.iter().filter(|rule| !kept.contains(&rule.rule_id)) {
        rules::remove(&mut tx, gone.rule_id).await?;
    }
    let mut validation_rules = Vec::with_capacity(inputs.len());
    for (i, input) in inputs.iter().enumerate() {
        let same = input.rule_id.and_then(|id| stored.iter().find(|rule| rule.rule_id == id));
        let rule = rule(&mut tx, &intent, input, looked.get(i), same).await;
        validation_rules.push(at_place(rule, &format!("validation_rules[{i}]"))?);
    }
    at_place(routes::check_all_of(&mut tx, &intent).await, "intent")?;
    validation_rules.sort_by_key(|rule| (rule.priority, rule.rule_id));
    if says_what_is_stored(&wanted, &before) && validation_rules == stored {
        // The transaction ends here, and with it the revision that it has begun.
        return Ok(IntentWithRules { intent: before, validation_rules });
    }
    intent.version = versions::record(&mut tx, revision, id, &ctx.actor.label()).await?;
    let (was, is) = (
        Told { intent: &before, validation_rules: differing(&stored, &validation_rules) },
        Told { intent: &intent, validation_rules: differing(&validation_rules, &stored) },
    );
    ctx.audit(&mut tx, Event::updated("intent.update", id, &was, &is)).await?;
    tx.commit().await?;
    Ok(IntentWithRules { intent, validation_rules })
}

async fn checked(
    ctx: &TenantContext,
    id: IntentId,
    input: IntentWithRulesInput,
) -> Result<(IntentInput, Vec<RuleInput>)> {
    let mut checks = Checks::default();
    let intent = checks.part("intent", service::checked(ctx, input.intent).await);
    service::check_number(&mut checks, &input.validation_rules);
    for (i, rule) in input.validation_rules.iter().enumerate() {
        let at = format!("validation_rules[{i}]");
        checks.part(&at, rule.validate(&ctx.tenant));
        if rule.intent_id.is_some_and(|other| other != id) {
            checks.fault(format!("{at}.intent_id"), "differs from the intent that is replaced");
        }
    }
    checks.finish()?;
    let intent = intent.ok_or_else(|| Problem::invalid_field("intent", "is missing"))?;
    Ok((intent, input.validation_rules))
}

/// A rule can only take the place of one of the intent's own, and no place is taken twice.
fn check_ids(inputs: &[RuleInput], stored: &[ValidationRule]) -> Result<()> {
    let mut checks = Checks::default();
    let mut taken = BTreeSet::new();
    for (i, id) in inputs.iter().enumerate().filter_map(|(i, input)| Some((i, input.rule_id?))) {
        let at = format!("validation_rules[{i}].rule_id");
        if !stored.iter().any(|rule| rule.rule_id == id) {
            checks.fault(at, format!("{id} is not a rule of this intent"));
        } else if !taken.insert(id) {
            checks.fault(at, format!("{id} stands twice"));
        }
    }
    Ok(checks.finish()?)
}

async fn rule(
    tx: &mut TenantTx,
    intent: &Intent,
    input: &RuleInput,
    looked: Option<&Looked>,
    stored: Option<&ValidationRule>,
) -> Result<ValidationRule> {
    match stored {
        None => rules::insert(tx, intent, input, looked).await,
        // It says the same as before, but the intent's extractors may not.
        Some(stored) if says_what_is_stored(input, stored) => {
            rules::check(tx, intent, input, looked).await?;
            Ok(stored.clone())
        }
        Some(stored) => rules::put(tx, stored.rule_id, intent, input, looked).await,
    }
}

/// What the audit log is told: the intent, and of its rules those that are not the same before and after.
#[derive(Serialize)]
struct Told<'a> {
    #[serde(flatten)]
    intent: &'a Intent,
    validation_rules: Vec<&'a ValidationRule>,
}

fn differing<'a>(these: &'a [ValidationRule], those: &[ValidationRule]) -> Vec<&'a ValidationRule> {
    these.iter().filter(|rule| !those.contains(rule)).collect()
}
