//! An intent, to read: how a message gets it, what is taken from the message, what is asked of it.

use leptos::prelude::*;
use leptos_router::hooks::use_params_map;

use super::routes::Routes;
use crate::{
    app::{tenant_page, use_tenant},
    datasources::{api::list_datasources, dto::Datasource},
    intents::{
        api::get_intent,
        dto::{Condition, Extractor, IntentWithRules, MatchConditions},
    },
    routes::{api::list_routes_of, dto::Route},
    rules::{
        dto::ValidationRule,
        pages::{Lookup, OnFailBadge, field_words, name_of, on_fail_words, rule_words},
    },
    shared::{IntentId, Problem},
    ui::{
        badge::ActiveBadge,
        icons::{Glyph, Icon},
        load::Load,
        page::PageHead,
        panel::Empty,
        table::{Cell, DataTable},
    },
};

/// One intent.
#[component]
pub fn IntentPage() -> impl IntoView {
    let tenant = use_tenant();
    let params = use_params_map();
    let intent_id = Memo::new(move |_| {
        let text = params.read().get("intent_id").unwrap_or_default();
        text.parse::<IntentId>().map_err(|_| Problem::not_found("Intent", text))
    });
    let intent = Resource::new(
        move || (tenant.id(), intent_id.get()),
        |(tenant, intent)| async move { get_intent(tenant?, intent?).await },
    );
    let datasources =
        Resource::new(move || tenant.id(), |tenant| async move { list_datasources(tenant?).await });
    let routes = Resource::new(
        move || (tenant.id(), intent_id.get()),
        |(tenant, intent)| async move { list_routes_of(tenant?, intent?).await },
    );
    view! {
        <p class="back">
            <a href=move || tenant.page("/intents")>
                <Icon glyph=Glyph::Back/>
                "Intents"
            </a>
        </p>
        <Load
            heading="Intent"
            data=move || async move {
                Ok((intent.await?, datasources.await.unwrap_or_default(), routes.await.unwrap_or_default()))
            }
            retry=move || {
                intent.refetch();
                datasources.refetch();
                routes.refetch();
            }
            view=move |(intent, datasources, routes): (IntentWithRules, Vec<Datasource>, Vec<Route>)| {
                view! { <IntentView intent datasources routes context=tenant.label()/> }
            }
        />
    }
}

#[component]
fn IntentView(
    intent: IntentWithRules,
    datasources: Vec<Datasource>,
    routes: Vec<Route>,
    context: Signal<String>,
) -> impl IntoView {
    let IntentWithRules { intent, validation_rules } = intent;
    let trial = tenant_page(&intent.tenant_id, &format!("/try?intent={}", intent.intent_id));
    let messages = tenant_page(&intent.tenant_id, &format!("/messages?intent={}", intent.intent_id));
    view! {
        <PageHead title=intent.name context/>
        <p class="lead">{intent.description}</p>
        <div class="marks">
            <ActiveBadge is_active=intent.is_active/>
            <span class="hint">
                {format!("Priority {}: intents are tried lowest first", intent.priority)}
            </span>
            <a href=messages>"Its messages"</a>
            <a href=trial data-testid="try-changes">"Try changes"</a>
        </div>
        <Matching conditions=intent.conditions/>
        <Extractors extractors=intent.extractors/>
        <Rules rules=validation_rules datasources/>
        <Routes routes/>
    }
}

#[component]
fn Matching(conditions: MatchConditions) -> impl IntoView {
    let is_bare = conditions.any.is_empty() && conditions.all.is_empty();
    view! {
        <section class="section" aria-labelledby="matching">
            <h2 id="matching">"A message gets it when"</h2>
            <div class="panel">
                {is_bare
                    .then(|| {
                        view! {
                            <p>"It is named by whoever sends it in: no message gets it by itself."</p>
                        }
                    })} <Group words="one of these holds" conditions=conditions.any/>
                <Group words="all of these hold" conditions=conditions.all/>
                <Group words="none of these holds" conditions=conditions.none/>
            </div>
        </section>
    }
}

/// Conditions that count together. Nothing where there are none.
#[component]
fn Group(words: &'static str, conditions: Vec<Condition>) -> impl IntoView {
    (!conditions.is_empty()).then(|| {
        let items = conditions
            .into_iter()
            .map(|condition| {
                view! {
                    <li>
                        {field_words(&condition.field)}
                        " "
                        <span class="hint">{condition.op.words()}</span>
                        " "
                        <code>{condition.value}</code>
                    </li>
                }
            })
            .collect_view();
        view! {
            <h3 class="group__title">{words}</h3>
            <ul class="group">{items}</ul>
        }
    })
}

#[component]
fn Extractors(extractors: Vec<Extractor>) -> impl IntoView {
    let content = if extractors.is_empty() {
        view! { <p class="hint">"Nothing beside the fields that every message has."</p> }.into_any()
    } else {
        let rows = extractors
            .into_iter()
            .map(|extractor| {
                view! {
                    <tr role="row">
                        <Cell label="Field">
                            <code>{extractor.name}</code>
                        </Cell>
                        <Cell label="Taken from">{field_words(&extractor.field)}</Cell>
                        <Cell label="Pattern">
                            <code class="breakable">{extractor.pattern}</code>
                        </Cell>
                    </tr>
                }
            })
            .collect_view();
        view! {
            <DataTable caption="Extractors" columns=&["Field", "Taken from", "Pattern"]>
                {rows}
            </DataTable>
        }
        .into_any()
    };
    view! {
        <section class="section" aria-labelledby="extractors">
            <h2 id="extractors">"Taken from the message"</h2>
            {content}
        </section>
    }
}

#[component]
fn Rules(rules: Vec<ValidationRule>, datasources: Vec<Datasource>) -> impl IntoView {
    let content = if rules.is_empty() {
        view! {
            <Empty title="This intent has no rules">
                <p>
                    "Each of its messages is accepted. Add one with "
                    <code>"POST /api/validation-rules"</code> "."
                </p>
            </Empty>
        }
        .into_any()
    } else {
        let items = rules
            .into_iter()
            .map(|rule| {
                let datasource = name_of(rule.datasource_id, &datasources);
                view! { <RuleCard rule datasource/> }
            })
            .collect_view();
        view! { <ol class="cards">{items}</ol> }.into_any()
    };
    view! {
        <section class="section" aria-labelledby="rules">
            <h2 id="rules">"Asked of the message, in this order"</h2>
            {content}
        </section>
    }
}

#[component]
fn RuleCard(rule: ValidationRule, datasource: Option<String>) -> impl IntoView {
    let words = rule_words(rule.rule_type, &rule.field_name, datasource.as_deref());
    let mut notes = on_fail_words(rule.on_fail).to_owned();
    if rule.stop {
        notes.push_str(", and ends the run");
    }
    view! {
        <li class="card" data-testid="rule">
            <div class="card__head">
                <h3 class="card__title">{words}</h3>
                <OnFailBadge on_fail=rule.on_fail/>
                {(!rule.is_active).then(|| view! { <ActiveBadge is_active=false/> })}
            </div>
            <p class="hint">
                <code>{rule.rule_type.as_str()}</code>
                " on "
                <code>{rule.field_name}</code>
                {format!(" · priority {} · {notes}", rule.priority)}
            </p>
            <Lookup lookup=rule.conditions/>
        </li>
    }
}
