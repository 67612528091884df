//! The rules of all intents.

use leptos::prelude::*;
use leptos_router::{components::Form, hooks::use_query_map};

use super::{OnFailBadge, name_of, query::RulesQuery};
use crate::{
    app::{MyAccess, may, tenant_page, use_tenant},
    auth::authority::Permission,
    datasources::{api::list_datasources, dto::Datasource},
    intents::{api::list_intents, dto::Intent},
    rules::{
        api::find_rules,
        dto::{RuleType, ValidationRule},
        words::demand_words,
    },
    shared::TenantId,
    ui::{
        badge::ActiveBadge,
        find::{Cut, ListSaid, NoneFits, say_fits},
        form::{Choice, FilterButtons, FiltersFold, active_or_not, or_any, without_buttons},
        load::Load,
        page::PageHead,
        panel::Empty,
        react::memo,
        resource::load,
        table::{Cell, DataTable},
    },
};

/// The rules of all intents, by intent and priority.
#[component]
pub fn RulesPage() -> impl IntoView {
    let tenant = use_tenant();
    let map = use_query_map();
    let query = memo(move || RulesQuery::read(&map.read()));
    let rules = load(
        move || (tenant.id(), query.read().intent_id),
        |(tenant, intent)| async move { find_rules(tenant?, intent).await },
    );
    let intents = load(move || tenant.id(), |tenant| async move { list_intents(tenant?).await });
    let datasources = load(move || tenant.id(), |tenant| async move { list_datasources(tenant?).await });
    let me = use_context::<MyAccess>();
    view! {
        <PageHead
            title="Validation rules"
            lead="What a message must prove, in the order in which each intent asks it. They are changed in their intent’s editor."
            context=tenant.label()
        />
        <ListSaid/>
        <Load
            data=move || {
                let query = query.get();
                async move {
                    let id = tenant.id()?;
                    let may_change = may(me, &id, Permission::Configure).await;
                    Ok((id, may_change, query, rules.await?, intents.await?, datasources.await?))
                }
            }
            retry=move || {
                rules.refetch();
                intents.refetch();
                datasources.refetch();
            }
            view=|(tenant, may_change, query, rules, intents, datasources): (
                TenantId,
                bool,
                RulesQuery,
                Vec<ValidationRule>,
                Vec<Intent>,
                Vec<Datasource>,
            )| {
                let filters = view! { <Filters tenant=tenant.clone() query intents=&intents datasources=&datasources/> };
                view! {
                    {filters}
                    <Rules tenant may_change query rules intents datasources/>
                }
            }
        />
    }
}

/// A plain form whose fields are the address's query. On a narrow page they unfold.
#[component]
fn Filters<'a>(
    tenant: TenantId,
    query: RulesQuery,
    intents: &'a [Intent],
    datasources: &'a [Datasource],
) -> impl IntoView + use<> {
    let of_intents = or_any(intents.iter().map(|intent| (intent.intent_id.to_string(), intent.name.clone())));
    let of_datasources =
        or_any(datasources.iter().map(|found| (found.datasource_id.to_string(), found.name.clone())));
    let of_types =
        or_any(RuleType::ALL.iter().map(|kind| (kind.to_string(), kind.as_str().replace('_', " "))));
    let chosen = |text: Option<String>| Signal::stored(text.unwrap_or_default());
    let page = tenant_page(&tenant, "/rules");
    view! {
        <Form method="get" action=page.clone() on_form_data=without_buttons() attr:class="line-form" attr:role="search">
            <FiltersFold count=Signal::stored(query.folded())/>
            <Choice
                label="Intent"
                name="intent"
                chosen=chosen(query.intent_id.map(|id| id.to_string()))
                options=of_intents
            />
            <Choice
                label="Datasource"
                name="datasource"
                chosen=chosen(query.datasource_id.map(|id| id.to_string()))
                options=of_datasources
            />
            <Choice
                label="Type"
                name="type"
                chosen=chosen(query.rule_type.map(|kind| kind.to_string()))
                options=of_types
            />
            <Choice
                label="State"
                name="active"
                chosen=chosen(query.is_active.map(|is_active| is_active.to_string()))
                options=active_or_not()
            />
            <FilterButtons all=page is_filtered=Signal::stored(!query.is_unfiltered())/>
        </Form>
    }
}

#[component]
fn Rules(
    tenant: TenantId,
    /// Whether the reader may change the rules, or only look.
    may_change: bool,
    query: RulesQuery,
    rules: Vec<ValidationRule>,
    intents: Vec<Intent>,
    datasources: Vec<Datasource>,
) -> impl IntoView {
    let count = rules.len();
    let is_empty = rules.is_empty() && query.is_unfiltered();
    let shown: Vec<ValidationRule> = rules.into_iter().filter(|rule| query.lets_through(rule)).collect();
    if is_empty {
        return view! {
            <Empty title="There are no rules yet">
                <p>"A message of an intent without rules is accepted. Rules are part of an intent: open one, and add them there."</p>
                <a class="button" href=tenant_page(&tenant, "/intents")>"Intents"</a>
            </Empty>
        }
        .into_any();
    }
    say_fits(shown.len(), "rule");
    if shown.is_empty() {
        return view! {
            <NoneFits all=tenant_page(&tenant, "/rules") names=("rule", "rules")/>
            <Cut count/>
        }
        .into_any();
    }
    let rows = shown
        .into_iter()
        .map(|rule| {
            let datasource = name_of(rule.datasource_id, &datasources);
            let intent = intents
                .iter()
                .find(|intent| intent.intent_id == rule.intent_id)
                .map(|intent| intent.name.clone());
            view! { <RuleRow rule may_change intent datasource/> }
        })
        .collect_view();
    view! {
        <DataTable
            caption="Validation rules"
            class="table--rules"
            columns=&["Intent", "Rule", "Datasource", "On failure", "Priority", "State"]
        >
            {rows}
        </DataTable>
        <Cut count/>
    }
    .into_any()
}

/// It leads to where its intent is changed, or only shown.
#[component]
fn RuleRow(
    rule: ValidationRule,
    may_change: bool,
    intent: Option<String>,
    datasource: Option<String>,
) -> impl IntoView {
    let words = demand_words(rule.rule_type, &rule.field_name, datasource.as_deref(), &rule.conditions);
    let edit = if may_change { "/edit" } else { "" };
    let href = tenant_page(&rule.tenant_id, &format!("/intents/{}{edit}", rule.intent_id));
    view! {
        <tr role="row" class="row-link" data-testid="rule">
            <Cell label="Intent">
                <a class="row-link__target" href=href>{intent.unwrap_or_else(|| format!("Intent {}", rule.intent_id))}</a>
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
            <Cell label="Datasource">
                {match datasource {
                    Some(name) => name.into_any(),
                    None => view! { <span class="hint">"No datasource"</span> }.into_any(),
                }}
            </Cell>
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
