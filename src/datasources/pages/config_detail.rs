//! A config: where it leads, and who uses it. Its secrets are never shown.

use leptos::prelude::*;
use leptos_router::{
    NavigateOptions,
    hooks::{use_navigate, use_params_map},
};

use super::{
    config_list::{Settings, file_lines},
    list::DatasourceTable,
    words::{auth_words, protocol_words},
};
use crate::{
    app::{Allowed, tenant_page, use_tenant},
    auth::authority::Permission,
    datasources::{
        api::{DeleteConfig, get_config},
        dto::{ConfigView, Datasource},
    },
    shared::{ConfigId, Problem, TenantId},
    ui::{
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
        time::Timestamp,
        toast::use_toasts,
    },
};

/// One config.
#[component]
pub fn ConfigPage() -> impl IntoView {
    let tenant = use_tenant();
    let params = use_params_map();
    let id = memo(move || {
        let text = params.read().get("config_id").unwrap_or_default();
        text.parse::<ConfigId>().map_err(|_| Problem::not_found("Datasource config", text))
    });
    let found =
        load(move || (tenant.id(), id.get()), |(tenant, id)| async move { get_config(tenant?, id?).await });
    let delete = form_action::<DeleteConfig>();
    let outcome = delete.answer_of("config_id", move || id.get().ok());
    let (toasts, navigate) = (use_toasts(), use_navigate());
    on_done(outcome, move |()| {
        toasts.done("The config is deleted.");
        navigate(&tenant.page("/configs"), NavigateOptions::default());
    });
    view! {
        <p class="back">
            <a href=move || tenant.page("/configs")>
                <Icon glyph=Glyph::Back/>
                "Datasource configs"
            </a>
        </p>
        <ActionProblem outcome/>
        <Load
            heading="Config"
            data=move || async move { found.await }
            retry=move || found.refetch()
            view=move |found: ConfigView| {
                view! { <Shown found delete context=tenant.label()/> }
            }
        />
    }
}

#[component]
fn Shown(found: ConfigView, delete: FormAction<()>, context: Signal<String>) -> impl IntoView {
    let ConfigView { config, files, fault, etag, used_by } = found;
    let (tenant, id) = (config.tenant_id.clone(), config.config_id);
    let edit = tenant_page(&tenant, &format!("/configs/{id}/edit"));
    let (protocol, name) = (protocol_words(&config), config.name.clone());
    let files = file_lines(&tenant, files);
    let (place, users) = (StoredValue::new((tenant, etag)), StoredValue::new(used_by.clone()));
    let secrets = config.auth_config.as_object().map(|members| {
        members.keys().map(|name| format!("{} stored", name.replace('_', " "))).collect::<Vec<_>>().join(", ")
    });
    view! {
        <PageHead title=config.name context>
            <Allowed permission=Permission::Credentials>
                <a class="button" href=edit.clone() data-testid="edit">
                    <Icon glyph=Glyph::Edit/>
                    "Edit and test"
                </a>
                <Delete id name=name.clone() place users delete/>
            </Allowed>
        </PageHead>
        {fault
            .map(|fault| {
                view! {
                    <p class="notice tone-bad" data-testid="config-fault">
                        <Icon glyph=Glyph::Alert/>
                        <span>{format!("No look-up can use it as it is: {}", fault.detail)}</span>
                    </p>
                }
                .into_any()
            })}
        <div class="panel">
            <dl class="facts">
                <div class="facts__line">
                    <dt>"Protocol"</dt>
                    <dd>{protocol}</dd>
                </div>
                <div class="facts__line">
                    <dt>"Address"</dt>
                    <dd>{config.base_url.unwrap_or_else(|| "none".to_owned())}</dd>
                </div>
                {files}
                <div class="facts__line">
                    <dt>"Settings"</dt>
                    <dd>
                        <Settings settings=config.connection_json/>
                    </dd>
                </div>
                <div class="facts__line">
                    <dt>"Sign-in"</dt>
                    <dd>
                        {auth_words(config.auth_type)}
                        {secrets
                            .filter(|words| !words.is_empty())
                            .map(|words| view! { <span class="hint">" ("{words}")"</span> }.into_any())}
                    </dd>
                </div>
                <div class="facts__line">
                    <dt>"Changed"</dt>
                    <dd>
                        <Timestamp at=config.updated_at/>
                    </dd>
                </div>
            </dl>
        </div>
        <section class="section" aria-labelledby="used-by">
            <h2 id="used-by">"Used by"</h2>
            {if used_by.is_empty() {
                view! { <p class="hint">"No datasource uses it."</p> }.into_any()
            } else {
                view! { <DatasourceTable datasources=used_by/> }.into_any()
            }}
        </section>
    }
}

/// Asks before the config goes; while it is used it stays, and the users are named.
#[component]
fn Delete(
    id: ConfigId,
    name: String,
    place: StoredValue<(TenantId, String)>,
    users: StoredValue<Vec<Datasource>>,
    delete: FormAction<()>,
) -> impl IntoView {
    let (tenant, etag) = place.get_value();
    let question = format!("Delete the config {name}?");
    let users = users.get_value();
    let content = if users.is_empty() {
        view! {
            <p>"No datasource uses it. Its credentials are deleted with it, and cannot be brought back."</p>
            <PlainForm action=delete>
                <input type="hidden" name="tenant_id" value=tenant.to_string()/>
                <input type="hidden" name="config_id" value=id.to_string()/>
                <input type="hidden" name="etag" value=etag/>
                <DeleteForGood is_pending=delete.pending()/>
            </PlainForm>
        }
        .into_any()
    } else {
        let items = users
            .into_iter()
            .map(|user| {
                let href = tenant_page(&tenant, &format!("/datasources/{}", user.datasource_id));
                view! {
                    <li>
                        <a href=href>{user.name}</a>
                    </li>
                }
            })
            .collect_view();
        view! {
            <p>"It cannot be deleted while these datasources use it:"</p>
            <ul class="confirm__list">{items}</ul>
        }
        .into_any()
    };
    view! {
        <Confirm
            id="delete-config"
            label="Delete …"
            glyph=Glyph::Delete
            title=question
            testid="delete"
        >
            {content}
        </Confirm>
    }
}
