//! The frame of a tenant's pages, and the plain one of pages without a tenant.

use std::time::Duration;

use leptos::{ev::FocusEvent, prelude::*, task::spawn_local};
use leptos_router::{components::Outlet, hooks::use_location};

use super::{
    arrival::Arrival,
    live::{Ended, Live},
    palette::Palette,
    shortcuts::{Help, use_shortcuts},
    tenant::{CurrentTenant, MyAccess, use_tenant},
    trail::Trail,
};
use crate::{
    auth::{api, authority::Permission, pages::SignOut},
    emails::pages::use_kept_choice,
    ui::{
        dialog::OnceOpened,
        host,
        icons::{Glyph, Icon},
        load::keep_focus,
        panel::Retry,
        react::effect,
        resource::load,
        stale::StaleBar,
        step::Step,
        theme::ThemeChoice,
    },
};

/// The sidebar's id. It is a popover, which a narrow screen opens and closes without WebAssembly too, and
/// which the style sheet shows beside the page on a wide one.
const SIDEBAR: &str = "sidebar";
/// The id of the button that closes it.
const CLOSE: &str = "sidebar-close";
/// The id of the page's content, where the skip link leads.
pub const MAIN: &str = "main";

/// How often the page looks whether somebody is there: as often as `is_attended` forgets.
const LOOK: Duration = Duration::from_secs(60);
/// After how many looks it asks for something, if somebody was there: well before an idle session ends (30 minutes).
const LOOKS: u32 = 3;

/// What everybody in a tenant may read.
const PAGES: [(&str, &str, Glyph); 8] = [
    ("", "Dashboard", Glyph::Dashboard),
    ("/messages", "Messages", Glyph::Messages),
    ("/intents", "Intents", Glyph::Intent),
    ("/rules", "Rules", Glyph::Rules),
    ("/routes", "Routes", Glyph::Route),
    ("/datasources", "Datasources", Glyph::Datasource),
    ("/configs", "Configs", Glyph::Config),
    ("/files", "Files", Glyph::File),
];

/// What only some may see, with the permission that it takes.
const RESTRICTED: [(&str, &str, Glyph, Permission); 5] = [
    ("/mailboxes", "Mailboxes", Glyph::Mail, Permission::Mailboxes),
    ("/members", "Members", Glyph::Members, Permission::Members),
    ("/keys", "API keys", Glyph::Key, Permission::Members),
    ("/audit", "Audit log", Glyph::Audit, Permission::Audit),
    ("/settings", "Settings", Glyph::Settings, Permission::Configure),
];

/// The frame of a tenant's pages. Entering it makes the tenant this tab's.
#[component]
pub fn TenantLayout() -> impl IntoView {
    let tenant = use_tenant();
    let me = MyAccess(load(|| (), |()| api::me()));
    provide_context(me);
    remember(tenant, me);
    begin_at_main();
    stay_signed_in();
    let live = Live::provide(tenant);
    Trail::provide();
    let is_open = RwSignal::new(false);
    let (is_palette_open, is_help_open) = (RwSignal::new(false), RwSignal::new(false));
    use_shortcuts(tenant, is_palette_open, is_help_open);

    view! {
        <div class="frame">
            <TopBar is_open is_palette_open/>
            <Sidebar tenant me is_open is_palette_open is_help_open/>
            // A backdrop of the popover lets a touch through to what lies beneath it.
            <div class="overlay" aria-hidden="true"></div>
            <main id=MAIN class="main" tabindex="-1">
                <Step>
                    <Ended live/>
                    <StaleBar/>
                    <RightsUnknown me/>
                    <Outlet/>
                </Step>
            </main>
        </div>
        <OnceOpened is_open=is_palette_open>
            <Palette tenant me is_open=is_palette_open/>
        </OnceOpened>
        <OnceOpened is_open=is_help_open>
            <Help is_open=is_help_open/>
        </OnceOpened>
    }
}

/// Says that it could not be found out what the reader may do: until it is, all pages take them for one who may only look.
#[component]
fn RightsUnknown(me: MyAccess) -> impl IntoView {
    let retry = Callback::new(move |()| {
        // A form that depends on it begins anew.
        if host::may_leave() {
            me.0.refetch();
        }
    });
    view! {
        <Transition>
            {move || Suspend::new(async move {
                match me.0.await {
                    // Of whoever is signed out, the page itself says so.
                    Err(problem) if problem.status != 401 => {
                        let notice = view! {
                            <div class="notice tone-attention" role="alert" data-testid="rights-unknown">
                                <Icon glyph=Glyph::Alert/>
                                <div>
                                    <p>
                                        "What you may do here could not be found out. Until it is, you can only look. "
                                        {problem.detail}
                                    </p>
                                    <div class="notice__ways">
                                        <Retry retry id="rights-again"/>
                                    </div>
                                </div>
                            </div>
                        };
                        Some(notice.into_any())
                    }
                    _ => {
                        keep_focus();
                        None
                    }
                }
            })}
        </Transition>
    }
}

/// Keeps the tenant for this tab once the server has said that the caller may choose it. What was chosen in another's list
/// ends with that.
fn remember(tenant: CurrentTenant, me: MyAccess) {
    effect(move || {
        if let (Ok(id), Some(Ok(me))) = (tenant.id(), me.0.get())
            && me.tenants.iter().any(|mine| mine.tenant_id == id)
        {
            host::store_tenant(&id);
            use_kept_choice().enter(&id);
        }
    });
}

/// Whether a link was followed since the application began: its first page has the keyboard where the browser has it.
#[derive(Clone, Copy)]
pub struct Followed(StoredValue<bool>);

impl Followed {
    pub fn provide() {
        provide_context(Self(StoredValue::new(false)));
    }
}

/// After a link was followed: the sidebar closes, the keyboard is at the new page's start, and which that is is said.
#[component]
pub fn FollowNavigation() -> impl IntoView {
    let path = use_location().pathname;
    let followed: Option<Followed> = use_context();
    let arrival = Arrival::new();
    Effect::new(move |before: Option<String>| {
        let now = path.get();
        if before.is_some_and(|before| before != now) {
            if let Some(Followed(is_so)) = followed {
                is_so.set_value(true);
            }
            arrival.begin();
            host::hide_popover(SIDEBAR);
            host::focus(MAIN);
        }
        now
    });
    view! { <p class="visually-hidden" role="status" data-testid="arrival">{arrival.said}</p> }
}

/// The same where the frame is a new one: it comes after its address, and what had the focus goes with the old one.
fn begin_at_main() {
    let followed: Option<Followed> = use_context();
    effect(move || {
        if followed.is_some_and(|Followed(is_so)| is_so.get_value()) {
            request_animation_frame(|| host::focus(MAIN));
        }
    });
}

/// Whoever writes for long sends nothing meanwhile, and their session would end as an idle one: this asks for something
/// small while somebody is there. A page that nobody touches asks for nothing.
fn stay_signed_in() {
    let (was_attended, passed) = (StoredValue::new(false), StoredValue::new(0_u32));
    let look = move || {
        passed.update_value(|passed| *passed = passed.saturating_add(1));
        if host::is_attended() {
            was_attended.set_value(true);
        }
        if was_attended.get_value() && passed.get_value() >= LOOKS {
            was_attended.set_value(false);
            passed.set_value(0);
            spawn_local(async {
                // Who is signed out hears of it from what they do.
                let _ = api::signed_in_as().await;
            });
        }
    };
    effect(move || {
        if let Ok(timer) = set_interval_with_handle(look, LOOK) {
            on_cleanup(move || timer.clear());
        }
    });
}

/// The bar of a narrow screen.
#[component]
fn TopBar(is_open: RwSignal<bool>, is_palette_open: RwSignal<bool>) -> impl IntoView {
    view! {
        <header class="topbar">
            <button
                type="button"
                class="icon-button"
                popovertarget=SIDEBAR
                aria-controls=SIDEBAR
                aria-expanded=move || is_open.get().to_string()
                data-testid="menu"
            >
                <Icon glyph=Glyph::Menu/>
                <span class="visually-hidden">"Menu"</span>
            </button>
            <Brand/>
            <button
                type="button"
                class="icon-button topbar__search"
                on:click=move |_| is_palette_open.set(true)
            >
                <Icon glyph=Glyph::Search/>
                <span class="visually-hidden">"Go to"</span>
            </button>
        </header>
    }
}

#[component]
fn Sidebar(
    tenant: CurrentTenant,
    me: MyAccess,
    is_open: RwSignal<bool>,
    is_palette_open: RwSignal<bool>,
    is_help_open: RwSignal<bool>,
) -> impl IntoView {
    // Not by the attribute `autofocus`, which would take the focus when the page is loaded, too.
    let on_toggle = move |_| {
        let now_open = host::is_popover_open(SIDEBAR);
        is_open.set(now_open);
        if now_open {
            host::focus(CLOSE);
        }
    };
    let on_focusout = move |event: FocusEvent| {
        if host::focus_left(&event, SIDEBAR) {
            host::hide_popover(SIDEBAR);
        }
    };
    view! {
        <aside
            id=SIDEBAR
            class="sidebar"
            aria-label="Sidebar"
            popover="auto"
            on:toggle=on_toggle
            on:focusout=on_focusout
            data-testid="sidebar"
        >
            <Step>
                <div class="sidebar__head">
                    <Brand/>
                    <button
                        id=CLOSE
                        type="button"
                        class="icon-button sidebar__close"
                        popovertarget=SIDEBAR
                        popovertargetaction="hide"
                    >
                        <Icon glyph=Glyph::Close/>
                        <span class="visually-hidden">"Close the menu"</span>
                    </button>
                </div>
                <TenantName tenant me/>
                <button
                    type="button"
                    class="button go-to"
                    aria-keyshortcuts="Control+K Meta+K"
                    data-testid="go-to"
                    on:click=move |_| {
                        host::hide_popover(SIDEBAR);
                        is_palette_open.set(true);
                    }
                >
                    <Icon glyph=Glyph::Search/>
                    <span>"Go to …"</span>
                    <kbd>"⌘K"</kbd>
                </button>
                <nav class="nav" aria-label="Main">
                    <ul>
                        {PAGES
                            .map(|(page, words, glyph)| view! { <NavLink tenant page words glyph/> }.into_any())
                            .collect_view()}
                        <RestrictedLinks tenant me/>
                    </ul>
                </nav>
                <div class="sidebar__foot">
                    <Person me/>
                    <div class="sidebar__tools">
                        <ThemeChoice/>
                        <button
                            type="button"
                            class="icon-button"
                            title="Keyboard (?)"
                            aria-keyshortcuts="?"
                            data-testid="help"
                            on:click=move |_| {
                                host::hide_popover(SIDEBAR);
                                is_help_open.set(true);
                            }
                        >
                            <Icon glyph=Glyph::Keyboard/>
                            <span class="visually-hidden">"Keyboard help"</span>
                        </button>
                    </div>
                    <SignOut/>
                </div>
            </Step>
        </aside>
    }
}

#[component]
fn NavLink(tenant: CurrentTenant, page: &'static str, words: &'static str, glyph: Glyph) -> impl IntoView {
    // Not the router's own link, which works out anew what an address is relative to: these are whole.
    let path = use_location().pathname;
    let is_current = move || {
        let here = tenant.page(page);
        let rest = path.with(|path| path.strip_prefix(&here).map(str::to_owned));
        // What lies below a page belongs to it; below the first lies everything.
        rest.is_some_and(|rest| rest.is_empty() || rest == "/" || (!page.is_empty() && rest.starts_with('/')))
    };
    view! {
        <li>
            <a
                class="nav__link"
                href=move || tenant.page(page)
                aria-current=move || is_current().then_some("page")
            >
                <Icon glyph/>
                <span>{words}</span>
            </a>
        </li>
    }
}

/// The ways to what the person's role allows.
#[component]
fn RestrictedLinks(tenant: CurrentTenant, me: MyAccess) -> impl IntoView {
    view! {
        <Transition>
            {move || {
                let id = tenant.id().ok();
                Suspend::new(async move {
                    let me = me.0.await.ok()?;
                    let mine = me.tenants.into_iter().find(|mine| Some(&mine.tenant_id) == id.as_ref())?;
                    let links = RESTRICTED
                        .into_iter()
                        .filter(|(.., permission)| mine.role.may(*permission))
                        .map(|(page, words, glyph, _)| view! { <NavLink tenant page words glyph/> }.into_any())
                        .collect_view();
                    Some(links)
                })
            }}
        </Transition>
    }
}

#[component]
fn Brand() -> impl IntoView {
    view! {
        <span class="brand">
            <img class="brand__mark" src="/favicon.svg" alt="" width="24" height="24"/>
            <span class="brand__name">"FlowEngine"</span>
        </span>
    }
}

/// Which tenant this is, and the way to another.
#[component]
fn TenantName(tenant: CurrentTenant, me: MyAccess) -> impl IntoView {
    let label = tenant.label();
    view! {
        <div class="tenant">
            <Transition fallback=move || view! { <span class="tenant__name">{label}</span> }>
                {move || {
                    let id = label.get();
                    Suspend::new(async move {
                        let name = me.0
                            .await
                            .ok()
                            .and_then(|me| {
                                me.tenants.into_iter().find(|mine| mine.tenant_id.as_str() == id)
                            })
                            .map_or(id, |mine| mine.name);
                        view! { <span class="tenant__name" data-testid="tenant-name">{name}</span> }
                    })
                }}
            </Transition>
            <a class="tenant__switch" href="/tenants">
                <Icon glyph=Glyph::Switch/>
                <span>"Switch tenant"</span>
            </a>
        </div>
    }
}

#[component]
fn Person(me: MyAccess) -> impl IntoView {
    view! {
        <Transition>
            {move || Suspend::new(async move {
                me.0.await
                    .ok()
                    .map(|me| {
                        view! {
                            <a class="person" href="/account">
                                <span class="person__name">{me.display_name}</span>
                                <span class="person__email">{me.email}</span>
                            </a>
                        }
                        .into_any()
                    })
            })}
        </Transition>
    }
}

/// The frame of pages without a tenant: one column in the middle.
#[component]
pub fn PlainLayout(
    /// Whether all of the page works by itself, as the server wrote it.
    #[prop(optional)]
    is_plain: bool,
    children: Children,
) -> impl IntoView {
    begin_at_main();
    if is_plain {
        host::wait_for_a_touch();
    }
    view! {
        <div class="plain">
            <header class="plain__head">
                <Brand/>
            </header>
            <main id=MAIN class="plain__main" tabindex="-1">
                <StaleBar/>
                {children()}
            </main>
        </div>
    }
}
