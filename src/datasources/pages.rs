//! Datasources and their configs.

use leptos::prelude::*;

use super::{
    api::{list_configs, list_datasources},
    dto::{AuthType, Datasource, DatasourceConfig, DatasourceType},
};
use crate::{
    app::{tenant_page, use_tenant},
    ui::{
        badge::ActiveBadge,
        load::Load,
        page::PageHead,
        panel::Empty,
        table::{Cell, DataTable},
        time::Timestamp,
        value::Members,
    },
};

/// The places that rules look things up in.
#[component]
pub fn DatasourcesPage() -> impl IntoView {
    let tenant = use_tenant();
    let datasources =
        Resource::new(move || tenant.id(), |tenant| async move { list_datasources(tenant?).await });
    view! {
        <PageHead
            title="Datasources"
            lead="Where rules look things up: databases, HTTP APIs and files."
            context=tenant.label()
        />
        <Load
            data=move || async move { datasources.await }
            retry=move || datasources.refetch()
            view=datasource_list
        />
    }
}

fn datasource_list(datasources: Vec<Datasource>) -> AnyView {
    if datasources.is_empty() {
        return view! {
            <Empty title="There are no datasources yet">
                <p>
                    "Describe how to get to one with " <code>"POST /api/datasource-configs"</code>
                    ", then name it with " <code>"POST /api/datasources"</code> "."
                </p>
            </Empty>
        }
        .into_any();
    }
    let rows = datasources.into_iter().map(|datasource| view! { <DatasourceRow datasource/> }).collect_view();
    view! {
        <DataTable caption="Datasources" columns=&["Name", "Type", "Connection", "State", "Changed"]>
            {rows}
        </DataTable>
    }
    .into_any()
}

#[component]
fn DatasourceRow(datasource: Datasource) -> impl IntoView {
    let configs = tenant_page(&datasource.tenant_id, "/configs");
    let words = match datasource.datasource_type {
        DatasourceType::Database => "Database",
        DatasourceType::Api => "HTTP API",
        DatasourceType::File => "File",
    };
    view! {
        <tr role="row" data-testid="datasource">
            <Cell label="Name">
                <span class="stacked">
                    <strong>{datasource.name}</strong>
                    <span class="hint">{datasource.description}</span>
                </span>
            </Cell>
            <Cell label="Type">{words}</Cell>
            <Cell label="Connection">
                <a href=configs>
                    <code>{datasource.connection_key}</code>
                </a>
            </Cell>
            <Cell label="State">
                <ActiveBadge is_active=datasource.is_active/>
            </Cell>
            <Cell label="Changed">
                <Timestamp at=datasource.updated_at/>
            </Cell>
        </tr>
    }
}

/// How to get to the datasources. Secrets are never shown.
#[component]
pub fn ConfigsPage() -> impl IntoView {
    let tenant = use_tenant();
    let configs = Resource::new(move || tenant.id(), |tenant| async move { list_configs(tenant?).await });
    view! {
        <PageHead
            title="Datasource configs"
            lead="How to get to the datasources. Several of them may share one."
            context=tenant.label()
        />
        <Load
            data=move || async move { configs.await }
            retry=move || configs.refetch()
            view=config_list
        />
    }
}

fn config_list(configs: Vec<DatasourceConfig>) -> AnyView {
    if configs.is_empty() {
        return view! {
            <Empty title="There are no configs yet">
                <p>"Add one with " <code>"POST /api/datasource-configs"</code> "."</p>
            </Empty>
        }
        .into_any();
    }
    let rows = configs.into_iter().map(|config| view! { <ConfigRow config/> }).collect_view();
    view! {
        <DataTable
            caption="Datasource configs"
            columns=&["Name", "Protocol", "Address", "Sign-in", "Settings", "Changed"]
        >
            {rows}
        </DataTable>
    }
    .into_any()
}

#[component]
fn ConfigRow(config: DatasourceConfig) -> impl IntoView {
    let sign_in = match config.auth_type {
        AuthType::None => "none",
        AuthType::Basic => "name and password, kept secret",
        AuthType::Bearer => "token, kept secret",
        AuthType::ApiKey => "API key, kept secret",
        AuthType::Oauth => "OAuth client, kept secret",
    };
    let protocol = match config.driver_family.as_str() {
        "" => config.protocol,
        family => format!("{} ({family})", config.protocol),
    };
    let settings = match config.connection_json {
        serde_json::Value::Object(members) if !members.is_empty() => view! { <Members members/> }.into_any(),
        _ => view! { <span class="hint">"none"</span> }.into_any(),
    };
    view! {
        <tr role="row" data-testid="config">
            <Cell label="Name">
                <strong>
                    <code>{config.name}</code>
                </strong>
            </Cell>
            <Cell label="Protocol">{protocol}</Cell>
            <Cell label="Address">
                <span class="breakable">{config.base_url.unwrap_or_else(|| "none".to_owned())}</span>
            </Cell>
            <Cell label="Sign-in">{sign_in}</Cell>
            <Cell label="Settings">{settings}</Cell>
            <Cell label="Changed">
                <Timestamp at=config.updated_at/>
            </Cell>
        </tr>
    }
}
