//! The dashboard.

mod first;
mod latest;
mod period;

use first::FirstSteps;
use latest::{Hold, Latest};
use leptos::prelude::*;
use leptos_router::hooks::use_query_map;
use period::{HealthPanel, Intents, OverTime, Rules};

use super::{
    api::get_dashboard,
    dto::{Dashboard, Period, Stats},
};
use crate::{
    app::{LastList, MyAccess, Trail, on_change, tenant_page, use_tenant},
    auth::dto::Role,
    shared::TenantId,
    ui::{
        icons::{Glyph, Icon},
        load::Load,
        page::PageHead,
        react::{effect, memo},
        resource::load,
        step::Step,
    },
};

/// A tenant at a glance. It follows what changes as long as it is looked at.
#[component]
pub fn DashboardPage() -> impl IntoView {
    let tenant = use_tenant();
    let me = use_context::<MyAccess>();
    let query = use_query_map();
    let period =
        memo(move || query.read().get("period").and_then(|text| text.parse().ok()).unwrap_or(Period::Day));
    let hold = Hold::new();
    let dashboard = load(
        move || (tenant.id(), period.get()),
        move |(tenant, period)| async move {
            let tenant = tenant?;
            let found = get_dashboard(tenant.clone(), period).await?;
            Ok(Dashboard { latest: hold.latest(&tenant, found.latest), ..found })
        },
    );
    on_change(move || dashboard.refresh());
    effect(move || {
        if hold.is_over() {
            dashboard.refresh();
        }
    });
    // The latest messages, which it shows, are a list of all.
    effect(move || {
        if let Ok(tenant) = tenant.id() {
            Trail::note(tenant, LastList::default());
        }
    });
    // Who looks, and their number of tenants, is an aside: where it cannot be had, the dashboard goes without.
    let data = move || {
        let tenant = tenant.id();
        async move {
            let (dashboard, tenant) = (dashboard.await?, tenant?);
            let mine = match me {
                Some(MyAccess(me)) => me.await.ok().map(|me| me.tenants),
                None => None,
            };
            let here = mine.iter().flatten().find(|mine| mine.tenant_id == tenant);
            let (role, tenants) = (here.map(|mine| mine.role), mine.as_ref().map(Vec::len));
            Ok((tenant, dashboard, tenants, role))
        }
    };
    view! {
        <PageHead title="Dashboard" context=tenant.label()/>
        <Load
            data
            retry=move || dashboard.refetch()
            view=move |(tenant, dashboard, tenants, role): (TenantId, Dashboard, Option<usize>, Option<Role>)| {
                view! { <Glance tenant dashboard tenants role hold/> }
            }
        />
    }
}

#[component]
fn Glance(
    tenant: TenantId,
    dashboard: Dashboard,
    tenants: Option<usize>,
    role: Option<Role>,
    hold: Hold,
) -> impl IntoView {
    let Dashboard { stats, period, columns, intents, rules, times, health, latest } = dashboard;
    let is_new = stats.emails == 0 && stats.intents == 0;
    let has_datasource = stats.datasources > 0;
    view! {
        {is_new.then(|| view! { <FirstSteps tenant=tenant.clone() role has_datasource/> }.into_any())}
        <Messages tenant=tenant.clone() stats=stats.clone()/>
        <OverTime tenant=tenant.clone() period columns/>
        <div class="tiles">
            <Intents tenant=tenant.clone() intents/>
            <Rules tenant=tenant.clone() rules/>
            <HealthPanel tenant=tenant.clone() times health/>
        </div>
        <Latest tenant=tenant.clone() emails=latest hold/>
        <Resources tenant stats tenants/>
    }
    .into_any()
}

/// How the messages stand. Each number leads to the messages that it counts.
#[component]
fn Messages(tenant: TenantId, stats: Stats) -> impl IntoView {
    let counts = [
        ("received", "Received", Glyph::Messages, "tone-plain", stats.emails, ""),
        ("accepted", "Accepted", Glyph::Accept, "tone-good", stats.accepted, "?decision=accepted"),
        ("rejected", "Rejected", Glyph::Reject, "tone-bad", stats.rejected, "?decision=rejected"),
        ("review", "For review", Glyph::Review, "tone-attention", stats.review, "?decision=review"),
        ("waiting", "Waiting", Glyph::Waiting, "tone-quiet", stats.queued, "?status=waiting"),
    ];
    view! {
        <section aria-labelledby="counts">
            <Step>
                <h2 id="counts" class="visually-hidden">"Messages by decision"</h2>
                <ul class="stats">
                    {counts
                        .map(|(id, words, glyph, tone, count, query)| {
                            view! {
                                <li>
                                    <a
                                        class=format!("stat {tone}")
                                        href=tenant_page(&tenant, "/messages") + query
                                        data-testid=format!("count-{id}")
                                    >
                                        <span class="stat__label">
                                            <Icon glyph/>
                                            {words}
                                        </span>
                                        <span class="stat__count">{count}</span>
                                    </a>
                                </li>
                            }
                            .into_any()
                        })
                        .collect_view()}
                </ul>
            </Step>
        </section>
    }
}

/// How much there is of what decides.
#[component]
fn Resources(tenant: TenantId, stats: Stats, tenants: Option<usize>) -> impl IntoView {
    let here = |page: &str| tenant_page(&tenant, page);
    let counts = [
        ("intents", "Intents", Glyph::Intent, Some(stats.intents), here("/intents")),
        ("rules", "Validation rules", Glyph::Rules, Some(stats.validation_rules), here("/rules")),
        ("datasources", "Datasources", Glyph::Datasource, Some(stats.datasources), here("/datasources")),
        ("configs", "Datasource configs", Glyph::Config, Some(stats.datasource_configs), here("/configs")),
        (
            "tenants",
            "Your tenants",
            Glyph::Tenant,
            tenants.and_then(|count| i64::try_from(count).ok()),
            "/tenants".to_owned(),
        ),
    ];
    view! {
        <section class="section" aria-labelledby="resources">
            <Step>
                <h2 id="resources">"What decides"</h2>
                <ul class="stats stats--small">
                    {counts
                        .map(|(id, words, glyph, count, href)| {
                            view! {
                                <li>
                                    <a class="stat" href=href data-testid=format!("count-{id}")>
                                        <span class="stat__label">
                                            <Icon glyph/>
                                            {words}
                                        </span>
                                        <span class="stat__count">{count}</span>
                                    </a>
                                </li>
                            }
                            .into_any()
                        })
                        .collect_view()}
                </ul>
            </Step>
        </section>
    }
}
