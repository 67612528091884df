//! What is done once a message of an intent is decided.

use leptos::prelude::*;

use crate::{
    app::{Allowed, tenant_page},
    auth::authority::Permission,
    routes::{
        dto::Route,
        pages::{deed, when_words},
    },
    shared::{IntentId, TenantId},
    ui::{
        badge::ActiveBadge,
        icons::{Glyph, Icon},
        panel::Empty,
    },
};

/// The routes for an intent's messages, in the order in which they are done. Each leads to its page.
#[component]
pub fn Routes(tenant_id: TenantId, intent_id: IntentId, routes: Vec<Route>) -> impl IntoView {
    view! {
        <section class="section" aria-labelledby="routes">
            <div class="section__head">
                <h2 id="routes">"Then"</h2>
                <AddRoute tenant_id intent_id/>
            </div>
            <RouteCards routes/>
        </section>
    }
}

/// The way to another route for an intent's messages, for those who may make one.
#[component]
pub fn AddRoute(tenant_id: TenantId, intent_id: IntentId) -> impl IntoView {
    let new = tenant_page(&tenant_id, &format!("/routes/new?intent={intent_id}"));
    view! {
        <Allowed permission=Permission::Configure>
            <a class="button button--small" href=new.clone() data-testid="add-route">
                <Icon glyph=Glyph::Add/>
                "Add a route"
            </a>
        </Allowed>
    }
}

/// The routes alone.
#[component]
pub fn RouteCards(routes: Vec<Route>) -> impl IntoView {
    if routes.is_empty() {
        return view! {
            <Empty title="Nothing is sent">
                <p>"The decision stands here and in the API, until a route tells a program, forwards, answers or labels."</p>
            </Empty>
        }
        .into_any();
    }
    let items = routes.into_iter().map(|route| view! { <RouteCard route/> }.into_any()).collect_view();
    view! { <ol class="cards" data-testid="routes">{items}</ol> }.into_any()
}

#[component]
fn RouteCard(route: Route) -> impl IntoView {
    let href = tenant_page(&route.tenant_id, &format!("/routes/{}", route.route_id));
    view! {
        <li class="card" data-testid="route">
            <div class="card__head">
                <h3 class="card__title">
                    <a href=href>{route.name.clone()}</a>
                </h3>
                {(!route.is_active).then(|| view! { <ActiveBadge is_active=false/> }.into_any())}
            </div>
            <p class="card__reason">{deed(&route)}</p>
            <p class="hint">
                <code>{route.kind.as_str()}</code>
                {format!(" · when {}", when_words(&route))}
                {route.intent_id.is_none().then_some(" · for every intent")}
            </p>
        </li>
    }
}
