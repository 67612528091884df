//! The versions of an intent: who made them, what they held, and the way back.

use leptos::prelude::*;
use leptos_router::hooks::{use_location, use_params_map, use_query_map};

use super::detail::{Extractors, Matching, Rules, use_intent};
use crate::{
    app::{Allowed, tenant_page, use_tenant},
    auth::authority::Permission,
    datasources::{api::list_datasources, dto::Datasource},
    intents::{
        api::get_version,
        dto::{IntentVersion, IntentVersionDetail},
    },
    shared::{IntentId, Problem, TenantId},
    ui::{
        badge::ActiveBadge,
        find::say_found,
        host,
        icons::{Glyph, Icon},
        load::Load,
        page::PageHead,
        pager::Pager,
        react::memo,
        resource::load,
        table::{Cell, DataTable},
        time::Timestamp,
    },
};

/// The id of the heading above the versions.
const HEADING: &str = "versions";

/// Only versions before this one, as the page's address says. The keyboard follows to their heading: the link that led to them
/// may be gone.
pub fn use_before() -> Memo<Option<i32>> {
    let (query, path) = (use_query_map(), use_location().pathname);
    let before = memo(move || query.read().get("before").and_then(|text| text.parse::<i32>().ok()));
    Effect::new(move |last: Option<(String, Option<i32>)>| {
        let now = (path.get(), before.get());
        // On the way to another page it begins at its start.
        if last.is_some_and(|last| last.0 == now.0 && last.1 != now.1) {
            host::focus(HEADING);
        }
        now
    });
    before
}

/// One page of the versions, newest first.
#[component]
pub fn Versions(
    tenant_id: TenantId,
    intent_id: IntentId,
    /// The one that the intent is now.
    current: i32,
    /// Or why they could not be had.
    versions: Result<Vec<IntentVersion>, Problem>,
) -> impl IntoView {
    let (versions, problem) = match versions {
        Ok(versions) => (versions, None),
        Err(problem) => (Vec::new(), Some(problem)),
    };
    let page = tenant_page(&tenant_id, &format!("/intents/{intent_id}"));
    let ends = versions.first().zip(versions.last()).map(|(first, last)| (first.version, last.version));
    // They are numbered from 1, and none goes before its intent.
    let older = ends.filter(|(_, last)| *last > 1).map(|(_, last)| format!("{page}?before={last}#{HEADING}"));
    let newest = ends.is_none_or(|(first, _)| first < current).then(|| format!("{page}#{HEADING}"));
    let content = match ends {
        Some((first, last)) => {
            say_found(format!("From version {first} down to {last}."));
            let rows = versions
                .into_iter()
                .map(|version| {
                    let IntentVersion { version, created_at, created_by, .. } = version;
                    let href = format!("{page}/versions/{version}");
                    // One that came since the page was loaded may be it by now.
                    let is_current = version == current && first <= current;
                    view! {
                        <tr role="row" data-testid="version">
                            <Cell label="Version">
                                <a href=href>{format!("Version {version}")}</a>
                                {is_current.then(|| view! { <span class="hint">" as it is now"</span> }.into_any())}
                            </Cell>
                            <Cell label="Made">
                                <Timestamp at=created_at/>
                            </Cell>
                            <Cell label="By">{created_by}</Cell>
                        </tr>
                    }
                })
                .collect_view();
            view! {
                <DataTable caption="Versions" columns=&["Version", "Made", "By"]>
                    {rows}
                </DataTable>
            }
            .into_any()
        }
        None => {
            let words =
                problem.map_or_else(|| "There are no earlier ones.".to_owned(), |problem| problem.detail);
            say_found(words.clone());
            view! { <p class="hint">{words}</p> }.into_any()
        }
    };
    view! {
        <section class="section" aria-labelledby=HEADING>
            <h2 id=HEADING tabindex="-1">"Versions"</h2>
            {content}
            <Pager label="Pages of the versions" newest older/>
        </section>
    }
}

/// What a version held.
#[component]
pub fn VersionPage() -> impl IntoView {
    let tenant = use_tenant();
    let params = use_params_map();
    let intent_id = use_intent();
    let version = memo(move || {
        let text = params.read().get("version").unwrap_or_default();
        text.parse::<i32>().map_err(|_| Problem::not_found("Version", text))
    });
    let detail = load(
        move || (tenant.id(), intent_id.get(), version.get()),
        |(tenant, intent, version)| async move { get_version(tenant?, intent?, version?).await },
    );
    let datasources = load(move || tenant.id(), |tenant| async move { list_datasources(tenant?).await });
    let back = move || match intent_id.get() {
        Ok(id) => tenant.page(&format!("/intents/{id}")),
        Err(_) => tenant.page("/intents"),
    };
    view! {
        <p class="back">
            <a href=back>
                <Icon glyph=Glyph::Back/>
                "The intent"
            </a>
        </p>
        <Load
            heading="Version"
            data=move || async move { Ok((detail.await?, datasources.await?)) }
            retry=move || {
                detail.refetch();
                datasources.refetch();
            }
            view=move |(detail, datasources): (IntentVersionDetail, Vec<Datasource>)| {
                view! { <VersionView detail datasources context=tenant.label()/> }
            }
        />
    }
}

#[component]
fn VersionView(
    detail: IntentVersionDetail,
    datasources: Vec<Datasource>,
    context: Signal<String>,
) -> impl IntoView {
    let IntentVersionDetail { version, intent, validation_rules } = detail;
    let title = format!("{}, version {}", intent.name, version.version);
    let edit = format!("/intents/{}/edit?version={}", version.intent_id, version.version);
    let edit = tenant_page(&intent.tenant_id, &edit);
    view! {
        <PageHead title context>
            <Allowed permission=Permission::Configure>
                <a class="button" href=edit.clone() data-testid="go-back">
                    <Icon glyph=Glyph::History/>
                    "Go back to this version"
                </a>
            </Allowed>
        </PageHead>
        <p class="lead">{intent.description}</p>
        <div class="marks">
            <ActiveBadge is_active=intent.is_active/>
            <span class="hint">{format!("Priority {}", intent.priority)}</span>
            <span class="hint">
                "Made "
                <Timestamp at=version.created_at/>
                " by "
                {version.created_by}
            </span>
        </div>
        <Matching conditions=intent.conditions/>
        <Extractors extractors=intent.extractors/>
        <Rules rules=validation_rules datasources/>
    }
}
