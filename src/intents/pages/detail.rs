//! An intent, to read: how a message gets it, what is taken from the message, what is asked of it.

use leptos::prelude::*;
use leptos_router::{
    NavigateOptions,
    hooks::{use_navigate, use_params_map},
};

use super::{
    routes::Routes,
    tools::{Tools, going_words},
    versions::{Versions, use_before},
};
use crate::{
    app::{Allowed, tenant_page, use_tenant},
    auth::authority::Permission,
    datasources::{api::list_datasources, dto::Datasource},
    intents::{
        api::{DeleteIntent, edit_intent, list_versions},
        dto::{Condition, Editable, Extractor, IntentVersion, IntentWithRules, MatchConditions},
    },
    routes::{api::list_routes_of, dto::Route},
    rules::{
        dto::ValidationRule,
        pages::{Lookup, OnFailBadge, name_of},
        words::{demand_words, field_words, on_fail_words},
    },
    shared::{IntentId, Problem},
    ui::{
        badge::ActiveBadge,
        find::ListSaid,
        form_action::{FormAction, form_action},
        icons::{Glyph, Icon},
        load::Load,
        page::PageHead,
        panel::{ActionProblem, Empty},
        react::memo,
        resource::load,
        saving::on_done,
        table::{Cell, DataTable},
        toast::use_toasts,
    },
};

/// The intent that the page's address names.
pub fn use_intent() -> Memo<Result<IntentId, Problem>> {
    let params = use_params_map();
    memo(move || {
        let text = params.read().get("intent_id").unwrap_or_default();
        text.parse::<IntentId>().map_err(|_| Problem::not_found("Intent", text))
    })
}

/// One intent.
#[component]
pub fn IntentPage() -> impl IntoView {
    let tenant = use_tenant();
    let intent_id = use_intent();
    let intent = load(
        move || (tenant.id(), intent_id.get()),
        |(tenant, intent)| async move { edit_intent(tenant?, intent?).await },
    );
    let datasources = load(move || tenant.id(), |tenant| async move { list_datasources(tenant?).await });
    let routes = load(
        move || (tenant.id(), intent_id.get()),
        |(tenant, intent)| async move { list_routes_of(tenant?, intent?).await },
    );
    let before = use_before();
    let versions = load(
        move || (tenant.id(), intent_id.get(), before.get()),
        |(tenant, intent, before)| async move { list_versions(tenant?, intent?, before).await },
    );
    let delete = form_action::<DeleteIntent>();
    let outcome = delete.answer_of("intent_id", move || intent_id.get().ok());
    let (toasts, navigate) = (use_toasts(), use_navigate());
    on_done(outcome, move |()| {
        toasts.done("The intent is deleted.");
        navigate(&untrack(|| tenant.page("/intents")), NavigateOptions::default());
    });
    view! {
        <p class="back">
            <a href=move || tenant.page("/intents")>
                <Icon glyph=Glyph::Back/>
                "Intents"
            </a>
        </p>
        <ActionProblem outcome/>
        <ListSaid/>
        <Load
            heading="Intent"
            data=move || async move {
                let intent = intent.await?;
                // What cannot be read is not nothing: it would say that nothing is sent.
                let around = Around {
                    datasources: datasources.await?,
                    routes: routes.await?,
                    // What is asked for page by page takes the rest away with no page.
                    versions: versions.await,
                };
                Ok((intent, around))
            }
            retry=move || {
                intent.refetch();
                datasources.refetch();
                routes.refetch();
                versions.refetch();
            }
            view=move |(intent, around): (Editable, Around)| {
                view! { <IntentView intent around delete context=tenant.label()/> }
            }
        />
    }
}

/// What stands around an intent.
struct Around {
    datasources: Vec<Datasource>,
    routes: Vec<Route>,
    versions: Result<Vec<IntentVersion>, Problem>,
}

#[component]
fn IntentView(
    intent: Editable,
    around: Around,
    delete: FormAction<()>,
    context: Signal<String>,
) -> impl IntoView {
    let Editable { saved: IntentWithRules { intent, validation_rules }, etag, .. } = intent;
    let Around { datasources, routes, versions } = around;
    let (tenant_id, id, version) = (intent.tenant_id.clone(), intent.intent_id, intent.version);
    let tenant = tenant_id.clone();
    let messages = tenant_page(&tenant, &format!("/messages?intent={id}"));
    let trial = tenant_page(&tenant, &format!("/try?intent={id}"));
    let examples = tenant_page(&tenant, &format!("/intents/{id}/examples"));
    let count = intent.examples_count;
    let own_routes = routes.iter().filter(|route| route.intent_id == Some(id)).count();
    let going = going_words(validation_rules.len(), own_routes, count);
    view! {
        <PageHead title=intent.name.clone() context>
            <Allowed permission=Permission::Configure>
                <Tools
                    tenant=tenant.clone()
                    id
                    name=intent.name.clone()
                    going=going.clone()
                    etag=etag.clone()
                    delete
                />
            </Allowed>
        </PageHead>
        <p class="lead">{intent.description}</p>
        <div class="marks">
            <ActiveBadge is_active=intent.is_active/>
            <span class="hint">
                {format!("Priority {}: intents are tried lowest first", intent.priority)}
            </span>
            <a href=messages>"Its messages"</a>
            <Allowed permission=Permission::Configure>
                <a href=trial.clone() data-testid="try-changes">"Try changes as JSON"</a>
            </Allowed>
            <a href=examples data-testid="examples">
                {if count == 1 { "1 example".to_owned() } else { format!("{count} examples") }}
            </a>
        </div>
        <Matching conditions=intent.conditions/>
        <Extractors extractors=intent.extractors/>
        <Rules rules=validation_rules datasources/>
        <Routes tenant_id=tenant_id.clone() intent_id=id routes/>
        <Versions tenant_id intent_id=id current=version versions/>
    }
}

#[component]
pub fn Matching(conditions: MatchConditions) -> impl IntoView {
    let is_bare = conditions.any.is_empty() && conditions.all.is_empty();
    view! {
        <section class="section" aria-labelledby="matching">
            <h2 id="matching">"A message gets it when"</h2>
            <div class="panel">
                {is_bare
                    .then(|| {
                        view! {
                            <p>"A message gets it only by its examples, by a person, or by the program that hands it in."</p>
                        }
                        .into_any()
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
                .into_any()
            })
            .collect_view();
        view! {
            <h3 class="group__title">{words}</h3>
            <ul class="group">{items}</ul>
        }
    })
}

#[component]
pub fn Extractors(extractors: Vec<Extractor>) -> impl IntoView {
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
                .into_any()
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
pub fn Rules(rules: Vec<ValidationRule>, datasources: Vec<Datasource>) -> impl IntoView {
    let content = if rules.is_empty() {
        view! {
            <Empty title="This intent has no rules">
                <p>
                    "Each of its messages is accepted."
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
    let words = demand_words(rule.rule_type, &rule.field_name, datasource.as_deref(), &rule.conditions);
    let mut notes = on_fail_words(rule.on_fail).to_owned();
    if rule.stop {
        notes.push_str(", and ends the run");
    }
    view! {
        <li class="card" data-testid="rule">
            <div class="card__head">
                <h3 class="card__title">{words}</h3>
                <OnFailBadge on_fail=rule.on_fail/>
                {(!rule.is_active).then(|| view! { <ActiveBadge is_active=false/> }.into_any())}
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
