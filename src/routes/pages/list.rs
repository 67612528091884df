//! What is done on decisions, across intents.

use std::collections::HashMap;

use leptos::prelude::*;
use leptos_router::{components::Form, hooks::use_query_map};

use super::words::{deed, when_words};
use crate::{
    app::{Allowed, tenant_page, use_tenant},
    auth::authority::Permission,
    intents::{api::list_intents, dto::Intent},
    routes::{
        api::list_routes,
        dto::{Route, RouteKind},
    },
    shared::{IntentId, TenantId},
    ui::{
        badge::ActiveBadge,
        find::{FindField, ListSaid, NoneFits, holds, say_fits, sought},
        form::{Choice, FilterButtons, or_any, without_buttons},
        icons::{Glyph, Icon},
        load::Load,
        page::PageHead,
        panel::Empty,
        react::memo,
        resource::load,
        table::{Cell, DataTable},
        time::Timestamp,
    },
};

/// What the address asks for.
#[derive(Clone, Default, PartialEq)]
struct RoutesQuery {
    /// To be found in what a row says of the route.
    q: String,
    intent_id: Option<IntentId>,
    kind: Option<RouteKind>,
}

impl RoutesQuery {
    /// Routes for every intent are among those of each.
    fn lets_through(&self, route: &Route, intent: &str) -> bool {
        holds(&self.q, &[&route.name, &deed(route), intent])
            && self.intent_id.is_none_or(|id| route.intent_id.is_none_or(|of| of == id))
            && self.kind.is_none_or(|kind| route.kind == kind)
    }
}

/// The routes of a tenant.
#[component]
pub fn RoutesPage() -> impl IntoView {
    let tenant = use_tenant();
    let map = use_query_map();
    let query = memo(move || {
        let map = map.read();
        let part = |name: &str| map.get(name).unwrap_or_default();
        RoutesQuery {
            q: sought(&map),
            intent_id: part("intent").parse().ok(),
            kind: part("kind").parse().ok(),
        }
    });
    let routes = load(move || tenant.id(), |tenant| async move { list_routes(tenant?).await });
    let intents = load(move || tenant.id(), |tenant| async move { list_intents(tenant?).await });
    view! {
        <PageHead
            title="Routes"
            lead="What is done once a message is decided: a program is told, the message is forwarded, answered or labelled."
            context=tenant.label()
        >
            <Allowed permission=Permission::Configure>
                <a class="button button--primary" href=move || tenant.page("/routes/new") data-testid="new-route">
                    <Icon glyph=Glyph::Add/>
                    "New route"
                </a>
            </Allowed>
        </PageHead>
        <ListSaid/>
        <Load
            data=move || {
                let query = query.get();
                async move { Ok((tenant.id()?, query, routes.await?, intents.await?)) }
            }
            retry=move || {
                routes.refetch();
                intents.refetch();
            }
            view=|(tenant, query, routes, intents): (TenantId, RoutesQuery, Vec<Route>, Vec<Intent>)| {
                view! {
                    <Filters tenant=tenant.clone() query=query.clone() intents=&intents/>
                    <RouteTable tenant query routes intents/>
                }
            }
        />
    }
}

/// A plain form whose fields are the address's query.
#[component]
fn Filters<'a>(tenant: TenantId, query: RoutesQuery, intents: &'a [Intent]) -> impl IntoView + use<> {
    let of_intents = or_any(intents.iter().map(|intent| (intent.intent_id.to_string(), intent.name.clone())));
    let of_kinds = or_any(RouteKind::ALL.iter().map(|kind| (kind.to_string(), kind.to_string())));
    let page = tenant_page(&tenant, "/routes");
    let is_filtered = query != RoutesQuery::default();
    let chosen = |text: Option<String>| Signal::stored(text.unwrap_or_default());
    view! {
        <Form method="get" action=page.clone() on_form_data=without_buttons() attr:class="line-form" attr:role="search">
            <FindField q=Signal::stored(query.q) by="Name, intent or what it does"/>
            <Choice
                label="Intent"
                name="intent"
                chosen=chosen(query.intent_id.map(|id| id.to_string()))
                options=of_intents
            />
            <Choice label="Kind" name="kind" chosen=chosen(query.kind.map(|kind| kind.to_string())) options=of_kinds/>
            <FilterButtons all=page is_filtered=Signal::stored(is_filtered)/>
        </Form>
    }
}

#[component]
fn RouteTable(
    tenant: TenantId,
    query: RoutesQuery,
    routes: Vec<Route>,
    intents: Vec<Intent>,
) -> impl IntoView {
    if routes.is_empty() {
        return view! {
            <Empty title="There are no routes yet">
                <p>"Until there is one, a decision stands here and in the API, and nothing is sent."</p>
            </Empty>
        }
        .into_any();
    }
    let names: HashMap<IntentId, String> =
        intents.into_iter().map(|intent| (intent.intent_id, intent.name)).collect();
    let mut shown = Vec::new();
    for route in routes {
        let intent = match route.intent_id {
            None => "every intent".to_owned(),
            Some(id) => names.get(&id).cloned().unwrap_or_default(),
        };
        if query.lets_through(&route, &intent) {
            shown.push((route, intent));
        }
    }
    say_fits(shown.len(), "route");
    if shown.is_empty() {
        let all = tenant_page(&tenant, "/routes");
        return view! { <NoneFits all names=("route", "routes")/> }.into_any();
    }
    let rows =
        shown.into_iter().map(|(route, intent)| view! { <RouteRow route intent/> }.into_any()).collect_view();
    view! {
        <DataTable caption="Routes" columns=&["Name", "What it does", "For", "When", "State", "Changed"]>
            {rows}
        </DataTable>
    }
    .into_any()
}

#[component]
fn RouteRow(route: Route, intent: String) -> impl IntoView {
    let href = tenant_page(&route.tenant_id, &format!("/routes/{}", route.route_id));
    let (deed, when) = (deed(&route), when_words(&route));
    view! {
        <tr role="row" class="row-link" data-testid="route">
            <Cell label="Name">
                <a class="row-link__target" href=href>{route.name}</a>
            </Cell>
            <Cell label="What it does">
                <span class="breakable">{deed}</span>
            </Cell>
            <Cell label="For">{intent}</Cell>
            <Cell label="When">{when}</Cell>
            <Cell label="State">
                <ActiveBadge is_active=route.is_active/>
            </Cell>
            <Cell label="Changed">
                <Timestamp at=route.updated_at/>
            </Cell>
        </tr>
    }
}
