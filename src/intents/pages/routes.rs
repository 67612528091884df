//! What is done once a message of an intent is decided.

use leptos::prelude::*;
use serde_json::Value;

use crate::{
    routes::dto::{Route, RouteKind},
    ui::{badge::ActiveBadge, panel::Empty},
};

/// The routes for an intent's messages, in the order in which they are done.
#[component]
pub fn Routes(routes: Vec<Route>) -> impl IntoView {
    let content = if routes.is_empty() {
        view! {
            <Empty title="Nothing is sent">
                <p>
                    "The decision stands here and in the API. Add a webhook, forward, reply or label with "
                    <code>"POST /api/routes"</code> "."
                </p>
            </Empty>
        }
        .into_any()
    } else {
        let items = routes.into_iter().map(|route| view! { <RouteCard route/> }).collect_view();
        view! { <ol class="cards" data-testid="routes">{items}</ol> }.into_any()
    };
    view! {
        <section class="section" aria-labelledby="routes">
            <h2 id="routes">"Then"</h2>
            {content}
        </section>
    }
}

#[component]
fn RouteCard(route: Route) -> impl IntoView {
    let decisions = route.decisions.iter().map(|decision| decision.as_str()).collect::<Vec<_>>().join(", ");
    view! {
        <li class="card" data-testid="route">
            <div class="card__head">
                <h3 class="card__title">{route.name.clone()}</h3>
                {(!route.is_active).then(|| view! { <ActiveBadge is_active=false/> })}
            </div>
            <p class="card__reason">{deed(&route)}</p>
            <p class="hint">
                <code>{route.kind.as_str()}</code>
                {format!(" · when {decisions}")}
                {route.intent_id.is_none().then_some(" · for every intent")}
            </p>
        </li>
    }
}

/// What it does, in a few words.
fn deed(route: &Route) -> String {
    let text = |member: &str| route.settings.get(member).and_then(Value::as_str).unwrap_or_default();
    match route.kind {
        RouteKind::Webhook => format!("Tells {}", text("url")),
        RouteKind::Forward => {
            let to =
                route.settings.get("to").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
            let to: Vec<&str> = to.iter().filter_map(Value::as_str).collect();
            format!("Forwards it to {}", to.join(", "))
        }
        RouteKind::Reply => "Answers its sender".to_owned(),
        RouteKind::Label => format!("Labels it “{}”", text("label")),
    }
}
