//! The versions of an intent: who made them, what they held, and the way back.

use leptos::prelude::*;
use leptos_router::hooks::use_params_map;

use super::detail::{Extractors, Matching, Rules, use_intent};
use crate::{
    app::{Allowed, tenant_page, use_tenant},
    auth::authority::Permission,
    datasources::{api::list_datasources, dto::Datasource},
    intents::{
        api::get_version,
        dto::{IntentVersion, IntentVersionDetail},
    },
    shared::{Problem, TenantId},
    ui::{
        badge::ActiveBadge,
        find::is_cut,
        icons::{Glyph, Icon},
        load::Load,
        page::PageHead,
        react::memo,
        resource::load,
        table::{Cell, DataTable},
        time::Timestamp,
    },
};

/// How many are shown at once.
const SHOWN: usize = 20;

/// The latest versions.
#[component]
pub fn Versions(tenant_id: TenantId, versions: Vec<IntentVersion>) -> impl IntoView {
    let more = versions.len().saturating_sub(SHOWN);
    let or_more = if is_cut(versions.len()) { " or more" } else { "" };
    let rows = versions
        .into_iter()
        .take(SHOWN)
        .enumerate()
        .map(|(i, version)| {
            let IntentVersion { intent_id, version, created_at, created_by, .. } = version;
            let href = tenant_page(&tenant_id, &format!("/intents/{intent_id}/versions/{version}"));
            let is_current = i == 0;
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
        <section class="section" aria-labelledby="versions">
            <h2 id="versions">"Versions"</h2>
            <DataTable caption="Versions" columns=&["Version", "Made", "By"]>
                {rows}
            </DataTable>
            {(more > 0).then(|| view! { <p class="hint">{format!("And {more}{or_more} earlier ones.")}</p> }.into_any())}
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
