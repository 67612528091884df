//! Choosing a tenant, and managing them.

mod manage;

use leptos::prelude::*;
use leptos_router::{
    NavigateOptions,
    hooks::{use_location, use_navigate},
};

use manage::{Manage, NewTenant, TenantActions};

use super::{
    api::{LoadDemo, list_tenants},
    dto::Tenant,
};
use crate::{
    app::{PlainLayout, tenant_page},
    auth::{
        api,
        dto::{Me, Role},
        pages::SignOut,
    },
    shared::TenantId,
    ui::{
        badge::{Badge, Tone},
        find::{Cut, Found, ListSaid, holds, use_sought},
        form::PlainForm,
        form_action::{FormAction, form_action},
        host,
        icons::{Glyph, Icon},
        load::Load,
        page::PageHead,
        panel::{ActionProblem, Empty},
        react::effect,
        resource::load_again,
        time::Timestamp,
    },
};

/// An address without a tenant: leads to the same page of this tab's tenant. A tab without a choice stays
/// here, and chooses.
#[component]
pub fn ChooseTenant() -> impl IntoView {
    let location = use_location();
    let search = location.search;
    let to = move |id: &TenantId, search: &str| {
        // As in `/messages`, or `/` for the dashboard.
        let path = tenant_page(id, location.pathname.read_untracked().trim_end_matches('/'));
        if search.is_empty() { path } else { format!("{path}?{search}") }
    };
    let demo = form_action::<LoadDemo>();
    let me = load_again(|| (), move || demo.version().get(), |()| api::me());

    let navigate = use_navigate();
    effect(move || {
        let Some(Ok(me)) = me.get() else { return };
        match host::stored_tenant() {
            Some(stored) if me.tenants.iter().any(|mine| mine.tenant_id == stored) => {
                let options = NavigateOptions { replace: true, ..NavigateOptions::default() };
                navigate(&to(&stored, &search.get_untracked()), options);
            }
            Some(_) => host::forget_tenant(),
            None => {}
        }
    });

    view! {
        <PlainLayout>
            <PageHead title="Choose a tenant" lead="This tab will work for it until you switch."/>
            <Load
                data=move || async move { me.await }
                retry=move || me.refetch()
                view=move |me: Me| {
                    let search = search.get();
                    // Others have all of theirs here.
                    let count = if me.is_instance_admin { me.tenants.len() } else { 0 };
                    let lines = me
                        .tenants
                        .iter()
                        .map(|mine| Line {
                            href: to(&mine.tenant_id, &search),
                            tenant_id: mine.tenant_id.clone(),
                            name: mine.name.clone(),
                            is_active: mine.is_active,
                            role: Some(mine.role),
                            created_at: None,
                        })
                        .collect();
                    view! {
                        {me.needs_link().then(|| view! { <NoWayBack/> }.into_any())}
                        <TenantList lines is_instance_admin=me.is_instance_admin demo/>
                        <Cut count/>
                        <Foot me leads_to_management=true/>
                    }
                }
            />
        </PlainLayout>
    }
}

/// All tenants that the caller may see. Stays, whatever the tab's choice.
#[component]
pub fn TenantsPage() -> impl IntoView {
    let q = use_sought();
    let demo = form_action::<LoadDemo>();
    let actions = TenantActions::new();
    let changes = move || (demo.version().get(), actions.versions());
    let me = load_again(|| (), changes, |()| api::me());
    let tenants = load_again(|| (), changes, |()| list_tenants());

    view! {
        <PlainLayout>
            <PageHead title="Tenants" lead="Choose the one that this tab works for."/>
            <manage::Problems actions/>
            <ListSaid/>
            <Load
                data=move || {
                    let q = q.get();
                    async move { Ok((me.await?, q, tenants.await?)) }
                }
                retry=move || {
                    me.refetch();
                    tenants.refetch();
                }
                view=move |(me, q, tenants): (Me, String, Vec<Tenant>)| {
                    let is_instance_admin = me.is_instance_admin;
                    let needs_link = me.needs_link();
                    let count = tenants.len();
                    let fitting = |tenant: &Tenant| holds(&q, &[&tenant.name, tenant.tenant_id.as_str()]);
                    let tenants: Vec<Tenant> = tenants.into_iter().filter(fitting).collect();
                    let fits = tenants.len();
                    let managed = is_instance_admin.then(|| tenants.clone());
                    let lines: Vec<Line> = tenants
                        .into_iter()
                        .map(|tenant| Line {
                            href: tenant_page(&tenant.tenant_id, ""),
                            role: me
                                .tenants
                                .iter()
                                .find(|mine| mine.tenant_id == tenant.tenant_id)
                                .map(|mine| mine.role),
                            tenant_id: tenant.tenant_id,
                            name: tenant.name,
                            is_active: tenant.is_active,
                            created_at: Some(tenant.created_at),
                        })
                        .collect();
                    view! {
                        {needs_link.then(|| view! { <NoWayBack/> }.into_any())}
                        <Found
                            q
                            all="/tenants".to_owned()
                            by="Name or id"
                            names=("tenant", "tenants")
                            count
                            fits
                        >
                            <TenantList lines is_instance_admin demo/>
                        </Found>
                        <Foot me/>
                        {managed
                            .map(|tenants| {
                                view! {
                                    <NewTenant actions/>
                                    <Manage tenants actions/>
                                }
                                .into_any()
                            })}
                    }
                }
            />
        </PlainLayout>
    }
}

/// To whoever came by a one-time link and has nothing else to come back by.
#[component]
fn NoWayBack() -> impl IntoView {
    view! {
        <p class="notice tone-quiet" data-testid="no-way-back">
            <Icon glyph=Glyph::Key/>
            <span>"You came in by a link that works once. With a password, you can come back without another."</span>
            <a class="button button--small" href="/account">"Set a password"</a>
        </p>
    }
}

/// A tenant to choose.
struct Line {
    href: String,
    tenant_id: TenantId,
    name: String,
    is_active: bool,
    role: Option<Role>,
    created_at: Option<chrono::DateTime<chrono::Utc>>,
}

#[component]
fn TenantList(lines: Vec<Line>, is_instance_admin: bool, demo: FormAction<()>) -> impl IntoView {
    if lines.is_empty() {
        return view! { <NoTenants is_instance_admin demo/> }.into_any();
    }
    let items = lines.into_iter().map(|line| view! { <TenantItem line/> }.into_any()).collect_view();
    view! { <ul class="tenants" data-testid="tenants">{items}</ul> }.into_any()
}

/// Who is signed in, and the way out.
#[component]
fn Foot(
    me: Me,
    /// Whether tenants are managed elsewhere.
    #[prop(optional)]
    leads_to_management: bool,
) -> impl IntoView {
    let leads_to_management = leads_to_management && me.is_instance_admin;
    view! {
        <div class="plain__foot">
            <p class="hint">{format!("Signed in as {} ({})", me.display_name, me.email)}</p>
            {leads_to_management
                .then(|| {
                    view! { <a class="button button--quiet" href="/tenants">"Manage tenants"</a> }.into_any()
                })}
            <SignOut/>
        </div>
    }
}

#[component]
fn TenantItem(line: Line) -> impl IntoView {
    view! {
        <li>
            <a class="tenants__link" href=line.href data-testid="tenant-link">
                <Icon glyph=Glyph::Tenant/>
                <span class="tenants__text">
                    <span class="tenants__name">{line.name}</span>
                    <span class="hint">
                        {line.tenant_id.to_string()} {line.role.map(|role| format!(" · {role}"))}
                        {line
                            .created_at
                            .map(|at| view! { <span>" · since " <Timestamp at/></span> }.into_any())}
                    </span>
                </span>
                {(!line.is_active)
                    .then(|| view! { <Badge tone=Tone::Quiet glyph=Glyph::Skip text="inactive"/> }.into_any())}
                <Icon glyph=Glyph::Forward/>
            </a>
        </li>
    }
}

/// What to do in an installation without tenants.
#[component]
fn NoTenants(is_instance_admin: bool, demo: FormAction<()>) -> impl IntoView {
    if !is_instance_admin {
        return view! {
            <Empty title="You are not a member of any tenant yet">
                <p>"Ask an administrator to add you to one."</p>
            </Empty>
        }
        .into_any();
    }
    let outcome = demo.value();
    let is_pending = demo.pending();
    view! {
        <Empty title="There are no tenants yet">
            <p>
                "The demo brings two of them, with intents, rules, the data that the rules look things up "
                "in, and a dozen messages each."
            </p>
            <ActionProblem outcome/>
            <PlainForm action=demo>
                <button
                    type="submit"
                    class="button button--primary"
                    aria-busy=move || is_pending.get().to_string()
                    data-testid="load-demo"
                >
                    {move || if is_pending.get() { "Loading the demo …" } else { "Load the demo" }}
                </button>
            </PlainForm>
            <p class="hint">"Or make your own at " <a href="/tenants">"Tenants"</a> "."</p>
        </Empty>
    }
    .into_any()
}
