//! A datasource: what it is, who asks it, and whether it answers.

use leptos::prelude::*;
use leptos_router::{
    NavigateOptions,
    hooks::{use_navigate, use_params_map},
};

use super::{
    config_list::file_lines,
    preview::Preview,
    trial::TestConnection,
    words::{protocol_words, type_words},
};
use crate::{
    app::{Allowed, tenant_page, use_tenant},
    auth::authority::Permission,
    datasources::{
        api::{DeleteDatasource, get_datasource, test_datasource},
        dto::{Datasource, DatasourceConfig, DatasourceView},
    },
    rules::{dto::RuleUse, words::rule_words},
    shared::{DatasourceId, Problem, TenantId},
    ui::{
        badge::{ActiveBadge, Badge, Tone},
        dialog::{Confirm, DeleteForGood},
        form::PlainForm,
        form_action::{FormAction, form_action},
        icons::{Glyph, Icon},
        load::Load,
        page::PageHead,
        panel::ActionProblem,
        react::memo,
        resource::load,
        saving::on_done,
        script::NeedsScript,
        table::{Cell, DataTable},
        time::Timestamp,
        toast::use_toasts,
    },
};

/// One datasource.
#[component]
pub fn DatasourcePage() -> impl IntoView {
    let tenant = use_tenant();
    let params = use_params_map();
    let id = memo(move || {
        let text = params.read().get("datasource_id").unwrap_or_default();
        text.parse::<DatasourceId>().map_err(|_| Problem::not_found("Datasource", text))
    });
    let found = load(
        move || (tenant.id(), id.get()),
        |(tenant, id)| async move { get_datasource(tenant?, id?).await },
    );
    let delete = form_action::<DeleteDatasource>();
    let outcome = delete.answer_of("datasource_id", move || id.get().ok());
    let (toasts, navigate) = (use_toasts(), use_navigate());
    on_done(outcome, move |()| {
        toasts.done("The datasource is deleted.");
        navigate(&tenant.page("/datasources"), NavigateOptions::default());
    });
    view! {
        <p class="back">
            <a href=move || tenant.page("/datasources")>
                <Icon glyph=Glyph::Back/>
                "Datasources"
            </a>
        </p>
        <ActionProblem outcome/>
        <Load
            heading="Datasource"
            data=move || async move { found.await }
            retry=move || found.refetch()
            view=move |found: DatasourceView| {
                view! { <Shown found delete context=tenant.label()/> }
            }
        />
    }
}

#[component]
fn Shown(found: DatasourceView, delete: FormAction<()>, context: Signal<String>) -> impl IntoView {
    let DatasourceView { datasource, etag, config, files, used_by } = found;
    let tenant = datasource.tenant_id.clone();
    let id = datasource.datasource_id;
    let edit = tenant_page(&tenant, &format!("/datasources/{id}/edit"));
    let users = StoredValue::new(used_by.clone());
    let place = StoredValue::new((tenant.clone(), etag));
    let (tried, name) = (datasource.clone(), datasource.name.clone());
    view! {
        <PageHead title=datasource.name.clone() context>
            <ActiveBadge is_active=datasource.is_active/>
            <Allowed permission=Permission::Configure>
                <a class="button" href=edit.clone() data-testid="edit">
                    <Icon glyph=Glyph::Edit/>
                    "Edit"
                </a>
                <Delete id name=name.clone() place users delete/>
            </Allowed>
        </PageHead>
        <Facts tenant=tenant.clone() datasource config files/>
        <Allowed permission=Permission::Configure>
            <Attempts datasource=tried.clone()/>
        </Allowed>
        <UsedBy tenant used_by/>
    }
}

#[component]
fn Facts(
    tenant: TenantId,
    datasource: Datasource,
    config: Option<DatasourceConfig>,
    files: Vec<String>,
) -> impl IntoView {
    let files = file_lines(&tenant, files);
    let connection = match config {
        Some(config) => {
            let href = tenant_page(&tenant, &format!("/configs/{}", config.config_id));
            view! {
                <a href=href data-testid="config-link">{config.name.clone()}</a>
                " · "
                {protocol_words(&config)}
                {config.base_url.map(|url| view! { <span class="breakable">" · " {url}</span> }.into_any())}
            }
            .into_any()
        }
        None => view! {
            <code>{datasource.connection_key}</code>
            " "
            <Badge tone=Tone::Attention glyph=Glyph::Alert text="there is no such config yet"/>
        }
        .into_any(),
    };
    view! {
        <div class="panel">
            <dl class="facts">
                {(!datasource.description.is_empty())
                    .then(|| {
                        view! {
                            <div class="facts__line">
                                <dt>"Description"</dt>
                                <dd>{datasource.description}</dd>
                            </div>
                        }
                        .into_any()
                    })}
                <div class="facts__line">
                    <dt>"Type"</dt>
                    <dd>{type_words(datasource.datasource_type)}</dd>
                </div>
                <div class="facts__line">
                    <dt>"Connection"</dt>
                    <dd>{connection}</dd>
                </div>
                {files}
                <div class="facts__line">
                    <dt>"Changed"</dt>
                    <dd>
                        <Timestamp at=datasource.updated_at/>
                    </dd>
                </div>
            </dl>
        </div>
    }
}

/// What can be tried on it.
#[component]
fn Attempts(datasource: Datasource) -> impl IntoView {
    let (tenant, id) = (datasource.tenant_id, datasource.datasource_id);
    let asked = tenant.clone();
    let test = Action::new(move |&(): &()| test_datasource(asked.clone(), id));
    let refused = test.value();
    view! {
        <section class="section" aria-labelledby="try">
            <h2 id="try">"Try it"</h2>
            <NeedsScript/>
            <div class="panel attempts">
                <TestConnection test/>
                <ActionProblem outcome=refused/>
                <Preview tenant id kind=datasource.datasource_type/>
            </div>
        </section>
    }
}

#[component]
fn UsedBy(tenant: TenantId, used_by: Vec<RuleUse>) -> impl IntoView {
    let content = if used_by.is_empty() {
        view! { <p class="hint">"No rule asks it yet. Rules are part of an intent."</p> }.into_any()
    } else {
        let rows = used_by
            .into_iter()
            .map(|rule| {
                let href = tenant_page(&tenant, &format!("/intents/{}", rule.intent_id));
                view! {
                    <tr role="row" data-testid="user">
                        <Cell label="Intent">
                            <a href=href>{rule.intent}</a>
                        </Cell>
                        <Cell label="Rule">{rule_words(rule.rule_type, &rule.field_name, Some("it"))}</Cell>
                        <Cell label="State">
                            <ActiveBadge is_active=rule.is_active/>
                        </Cell>
                    </tr>
                }
            })
            .collect_view();
        view! {
            <DataTable caption="Rules that ask it" columns=&["Intent", "Rule", "State"]>
                {rows}
            </DataTable>
        }
        .into_any()
    };
    view! {
        <section class="section" aria-labelledby="used-by">
            <h2 id="used-by">"Used by"</h2>
            {content}
        </section>
    }
}

/// Asks before the datasource goes, with the rules that go along.
#[component]
fn Delete(
    id: DatasourceId,
    name: String,
    place: StoredValue<(TenantId, String)>,
    users: StoredValue<Vec<RuleUse>>,
    delete: FormAction<()>,
) -> impl IntoView {
    let (tenant, etag) = place.get_value();
    let question = format!("Delete the datasource {name}?");
    let users = users.get_value();
    let what = match users.len() {
        0 => "No rule asks it. Its config stays.".to_owned(),
        1 => "The rule that asks it is deleted too, and messages are no longer checked by it:".to_owned(),
        n => {
            format!("The {n} rules that ask it are deleted too, and messages are no longer checked by them:")
        }
    };
    let items = users
        .into_iter()
        .map(|rule| {
            let href = tenant_page(&tenant, &format!("/intents/{}", rule.intent_id));
            view! {
                <li>
                    <a href=href>{rule.intent}</a>
                    ": "
                    {rule_words(rule.rule_type, &rule.field_name, Some("it"))}
                </li>
            }
        })
        .collect_view();
    view! {
        <Confirm
            id="delete-datasource"
            label="Delete …"
            glyph=Glyph::Delete
            title=question
            testid="delete"
        >
            <p>{what}</p>
            <ul class="confirm__list">{items}</ul>
            <PlainForm action=delete>
                <input type="hidden" name="tenant_id" value=tenant.to_string()/>
                <input type="hidden" name="datasource_id" value=id.to_string()/>
                <input type="hidden" name="etag" value=etag/>
                <DeleteForGood is_pending=delete.pending()/>
            </PlainForm>
        </Confirm>
    }
}
