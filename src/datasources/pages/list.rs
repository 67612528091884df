//! The places that rules look things up in.

use leptos::prelude::*;

use super::words::type_words;
use crate::{
    app::{Allowed, tenant_page, use_tenant},
    auth::authority::Permission,
    datasources::{api::list_datasources, dto::Datasource},
    shared::TenantId,
    ui::{
        badge::ActiveBadge,
        find::{Found, ListSaid, holds, use_sought},
        icons::{Glyph, Icon},
        load::Load,
        page::PageHead,
        panel::Empty,
        resource::load,
        table::{Cell, DataTable},
        time::Timestamp,
    },
};

/// The datasources of a tenant.
#[component]
pub fn DatasourcesPage() -> impl IntoView {
    let (tenant, q) = (use_tenant(), use_sought());
    let datasources = load(move || tenant.id(), |tenant| async move { list_datasources(tenant?).await });
    view! {
        <PageHead
            title="Datasources"
            lead="Where rules look things up: databases, HTTP APIs and files."
            context=tenant.label()
        >
            <Allowed permission=Permission::Configure>
                <a
                    class="button button--primary"
                    href=move || tenant.page("/datasources/new")
                    data-testid="new-datasource"
                >
                    <Icon glyph=Glyph::Add/>
                    "New datasource"
                </a>
            </Allowed>
        </PageHead>
        <ListSaid/>
        <Load
            data=move || {
                let q = q.get();
                async move { Ok((tenant.id()?, q, datasources.await?)) }
            }
            retry=move || datasources.refetch()
            view=datasource_list
        />
    }
}

fn datasource_list((tenant, q, datasources): (TenantId, String, Vec<Datasource>)) -> AnyView {
    if datasources.is_empty() {
        let new = tenant_page(&tenant, "/datasources/new");
        return view! {
            <Empty title="There are no datasources yet">
                <p>
                    "A datasource is what your organisation knows: its customers, orders, suppliers. Rules ask it whether a message holds up."
                </p>
                <Allowed permission=Permission::Configure>
                    <a class="button button--primary" href=new.clone()>
                        <Icon glyph=Glyph::Add/>
                        "Add the first"
                    </a>
                </Allowed>
            </Empty>
        }
        .into_any();
    }
    let count = datasources.len();
    let fitting = |found: &Datasource| {
        let kind = type_words(found.datasource_type);
        holds(&q, &[&found.name, &found.description, kind, &found.connection_key])
    };
    let datasources: Vec<Datasource> = datasources.into_iter().filter(fitting).collect();
    let fits = datasources.len();
    view! {
        <Found
            q
            all=tenant_page(&tenant, "/datasources")
            by="Name, type or connection"
            names=("datasource", "datasources")
            count
            fits
        >
            <DatasourceTable datasources/>
        </Found>
    }
    .into_any()
}

/// Datasources, one a row; each leads to its page.
#[component]
pub fn DatasourceTable(datasources: Vec<Datasource>) -> impl IntoView {
    let rows = datasources
        .into_iter()
        .map(|datasource| view! { <DatasourceRow datasource/> }.into_any())
        .collect_view();
    view! {
        <DataTable caption="Datasources" columns=&["Name", "Type", "Connection", "State", "Changed"]>
            {rows}
        </DataTable>
    }
}

#[component]
fn DatasourceRow(datasource: Datasource) -> impl IntoView {
    let href = tenant_page(&datasource.tenant_id, &format!("/datasources/{}", datasource.datasource_id));
    view! {
        <tr role="row" class="row-link" data-testid="datasource">
            <Cell label="Name">
                <span class="stacked">
                    <a class="row-link__target" href=href>{datasource.name}</a>
                    <span class="hint">{datasource.description}</span>
                </span>
            </Cell>
            <Cell label="Type">{type_words(datasource.datasource_type)}</Cell>
            <Cell label="Connection">
                <code class="breakable">{datasource.connection_key}</code>
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
