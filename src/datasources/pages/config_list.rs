//! How to get to the datasources. Secrets are never shown.

use leptos::prelude::*;

use super::words::{auth_words, protocol_words};
use crate::{
    app::{Allowed, tenant_page, use_tenant},
    auth::authority::Permission,
    datasources::{api::list_configs, dto::DatasourceConfig},
    files::pages::look_page,
    shared::TenantId,
    ui::{
        find::{Found, ListSaid, holds, use_sought},
        icons::{Glyph, Icon},
        load::Load,
        page::PageHead,
        panel::Empty,
        resource::load,
        table::{Cell, DataTable},
        time::Timestamp,
        value::Members,
    },
};

/// The configs of a tenant.
#[component]
pub fn ConfigsPage() -> impl IntoView {
    let (tenant, q) = (use_tenant(), use_sought());
    let configs = load(move || tenant.id(), |tenant| async move { list_configs(tenant?).await });
    view! {
        <PageHead
            title="Datasource configs"
            lead="How to get to the datasources. Several of them may share one."
            context=tenant.label()
        >
            <Allowed permission=Permission::Credentials>
                <a class="button button--primary" href=move || tenant.page("/configs/new") data-testid="new-config">
                    <Icon glyph=Glyph::Add/>
                    "New config"
                </a>
            </Allowed>
        </PageHead>
        <ListSaid/>
        <Load
            data=move || {
                let q = q.get();
                async move { Ok((tenant.id()?, q, configs.await?)) }
            }
            retry=move || configs.refetch()
            view=config_list
        />
    }
}

fn config_list((tenant, q, configs): (TenantId, String, Vec<DatasourceConfig>)) -> AnyView {
    if configs.is_empty() {
        let new = tenant_page(&tenant, "/datasources/new");
        return view! {
            <Empty title="There are no configs yet">
                <p>"A config holds address and sign-in of a datasource, apart from it, so that only administrators touch the secrets."</p>
                <Allowed permission=Permission::Credentials>
                    <a class="button button--primary" href=new.clone()>
                        <Icon glyph=Glyph::Add/>
                        "Make one with its datasource"
                    </a>
                </Allowed>
            </Empty>
        }
        .into_any();
    }
    let count = configs.len();
    let fitting = |config: &DatasourceConfig| {
        let address = config.base_url.as_deref().unwrap_or_default();
        holds(&q, &[&config.name, &protocol_words(config), address])
    };
    let configs: Vec<DatasourceConfig> = configs.into_iter().filter(fitting).collect();
    let fits = configs.len();
    let rows = configs.into_iter().map(|config| view! { <ConfigRow config/> }.into_any()).collect_view();
    view! {
        <Found
            q
            all=tenant_page(&tenant, "/configs")
            by="Name, protocol or address"
            names=("config", "configs")
            count
            fits
        >
            <DataTable
                caption="Datasource configs"
                columns=&["Name", "Protocol", "Address", "Sign-in", "Settings", "Changed"]
            >
                {rows}
            </DataTable>
        </Found>
    }
    .into_any()
}

#[component]
fn ConfigRow(config: DatasourceConfig) -> impl IntoView {
    let href = tenant_page(&config.tenant_id, &format!("/configs/{}", config.config_id));
    let protocol = protocol_words(&config);
    view! {
        <tr role="row" class="row-link" data-testid="config">
            <Cell label="Name">
                <a class="row-link__target" href=href>
                    <code>{config.name}</code>
                </a>
            </Cell>
            <Cell label="Protocol">{protocol}</Cell>
            <Cell label="Address">
                <span class="breakable">{config.base_url.unwrap_or_else(|| "none".to_owned())}</span>
            </Cell>
            <Cell label="Sign-in">{auth_words(config.auth_type)}</Cell>
            <Cell label="Settings">
                <Settings settings=config.connection_json/>
            </Cell>
            <Cell label="Changed">
                <Timestamp at=config.updated_at/>
            </Cell>
        </tr>
    }
}

/// The files that a config leads to: of each the way to a look into it.
pub fn file_lines(tenant: &TenantId, files: Vec<String>) -> Vec<AnyView> {
    let line = |path: String| {
        let href = tenant_page(tenant, &look_page(&path));
        view! {
            <div class="facts__line">
                <dt>"File"</dt>
                <dd>
                    <a href=href data-testid="file-link">
                        <code>{path}</code>
                    </a>
                </dd>
            </div>
        }
        .into_any()
    };
    files.into_iter().map(line).collect()
}

/// The settings that are no secrets.
#[component]
pub fn Settings(settings: serde_json::Value) -> impl IntoView {
    match settings {
        serde_json::Value::Object(members) if !members.is_empty() => view! { <Members members/> }.into_any(),
        _ => view! { <span class="hint">"none"</span> }.into_any(),
    }
}
