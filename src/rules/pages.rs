//! Validation rules across intents, and how rules read in words.

mod lookup;
mod words;

use leptos::prelude::*;

pub use lookup::Lookup;
pub use words::{field_words, on_fail_words, rule_words};

use super::{
    api::list_rules,
    dto::{OnFail, ValidationRule},
};
use crate::{
    app::{tenant_page, use_tenant},
    datasources::{api::list_datasources, dto::Datasource},
    intents::{api::list_intents, dto::Intent},
    shared::DatasourceId,
    ui::{
        badge::{ActiveBadge, Badge, Tone},
        icons::Glyph,
        load::Load,
        page::PageHead,
        panel::Empty,
        table::{Cell, DataTable},
    },
};

/// The rules of all intents, by intent and priority.
#[component]
pub fn RulesPage() -> impl IntoView {
    let tenant = use_tenant();
    let rules = Resource::new(move || tenant.id(), |tenant| async move { list_rules(tenant?).await });
    let intents = Resource::new(move || tenant.id(), |tenant| async move { list_intents(tenant?).await });
    let datasources =
        Resource::new(move || tenant.id(), |tenant| async move { list_datasources(tenant?).await });
    view! {
        <PageHead
            title="Validation rules"
            lead="What a message must prove, in the order in which each intent asks it."
            context=tenant.label()
        />
        <Load
            data=move || async move { Ok((rules.await?, intents.await?, datasources.await?)) }
            retry=move || {
                rules.refetch();
                intents.refetch();
                datasources.refetch();
            }
            view=|(rules, intents, datasources): (Vec<ValidationRule>, Vec<Intent>, Vec<Datasource>)| {
                if rules.is_empty() {
                    return view! {
                        <Empty title="There are no rules yet">
                            <p>
                                "A message of an intent without rules is accepted. Add one with "
                                <code>"POST /api/validation-rules"</code> "."
                            </p>
                        </Empty>
                    }
                    .into_any();
                }
                let rows = rules
                    .into_iter()
                    .map(|rule| {
                        let datasource = name_of(rule.datasource_id, &datasources);
                        let intent = intents
                            .iter()
                            .find(|intent| intent.intent_id == rule.intent_id)
                            .map(|intent| intent.name.clone());
                        view! { <RuleRow rule intent datasource/> }
                    })
                    .collect_view();
                view! {
                    <DataTable
                        caption="Validation rules"
                        columns=&["Intent", "Rule", "Datasource", "On failure", "Priority", "State"]
                    >
                        {rows}
                    </DataTable>
                }
                .into_any()
            }
        />
    }
}

/// The name of a rule's datasource, if it has one.
pub fn name_of(id: Option<DatasourceId>, datasources: &[Datasource]) -> Option<String> {
    let id = id?;
    datasources.iter().find(|datasource| datasource.datasource_id == id).map(|found| found.name.clone())
}

#[component]
fn RuleRow(rule: ValidationRule, intent: Option<String>, datasource: Option<String>) -> impl IntoView {
    let words = rule_words(rule.rule_type, &rule.field_name, datasource.as_deref());
    let href = tenant_page(&rule.tenant_id, &format!("/intents/{}", rule.intent_id));
    view! {
        <tr role="row" data-testid="rule">
            <Cell label="Intent">
                <a href=href>{intent.unwrap_or_else(|| format!("Intent {}", rule.intent_id))}</a>
            </Cell>
            <Cell label="Rule">
                <span class="stacked">
                    <span>{words}</span>
                    <span class="hint">
                        <code>{rule.rule_type.as_str()}</code>
                        " on "
                        <code>{rule.field_name}</code>
                    </span>
                </span>
            </Cell>
            <Cell label="Datasource">{datasource.unwrap_or_else(|| "none".to_owned())}</Cell>
            <Cell label="On failure">
                <OnFailBadge on_fail=rule.on_fail/>
            </Cell>
            <Cell label="Priority">
                <span class="number">{rule.priority}</span>
            </Cell>
            <Cell label="State">
                <ActiveBadge is_active=rule.is_active/>
            </Cell>
        </tr>
    }
}

/// What a failure of a rule means for the message.
#[component]
pub fn OnFailBadge(on_fail: OnFail) -> impl IntoView {
    let (tone, glyph) = match on_fail {
        OnFail::Reject => (Tone::Bad, Glyph::Reject),
        OnFail::Review => (Tone::Attention, Glyph::Review),
        OnFail::Warn => (Tone::Quiet, Glyph::Alert),
    };
    view! { <Badge tone glyph text=on_fail.as_str()/> }
}
