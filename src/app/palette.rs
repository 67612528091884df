//! `⌘K`: go to anything, create, switch tenant.

use leptos::{ev::KeyboardEvent, prelude::*};
use leptos_router::{NavigateOptions, hooks::use_navigate, location::Url};

use super::tenant::{CurrentTenant, MyAccess, tenant_page};
use crate::{
    auth::{
        authority::Permission,
        dto::{MyTenant, Role},
    },
    names::{
        api::list_names,
        dto::{Named, NamedKind},
    },
    shared::TenantId,
    ui::{
        dialog::Dialog,
        host,
        icons::{Glyph, Icon},
        page::use_address,
        react::{effect, memo},
    },
};

/// Where one may go, or what one may begin.
#[derive(Clone, PartialEq)]
struct Entry {
    glyph: Glyph,
    words: String,
    kind: &'static str,
    href: String,
}

const INPUT: &str = "palette-input";
const LIST: &str = "palette-list";
/// More would not be read.
const SHOWN: usize = 12;

/// The palette. What it can lead to is asked for when it is opened.
#[component]
pub fn Palette(tenant: CurrentTenant, me: MyAccess, is_open: RwSignal<bool>) -> impl IntoView {
    let named = Action::new(|tenant: &TenantId| {
        let tenant = tenant.clone();
        async move { (tenant.clone(), named_things(tenant).await) }
    });
    effect(move || {
        if is_open.get()
            && let Ok(id) = tenant.id()
        {
            named.dispatch(id);
            request_animation_frame(|| host::focus(INPUT));
        }
    });
    let found = named.value();
    let tenants = RwSignal::new(Vec::<MyTenant>::new());
    effect(move || {
        if let Some(Ok(me)) = me.0.get() {
            tenants.set(me.tenants);
        }
    });
    let entries = Signal::derive(move || {
        let Ok(id) = tenant.id() else { return Vec::new() };
        let tenants = tenants.read();
        let role = tenants.iter().find(|mine| mine.tenant_id == id).map_or(Role::Viewer, |mine| mine.role);
        let mut entries = pages(&id, role);
        // What was found last may be another tenant's still.
        let found = found.get().filter(|(of, _)| *of == id);
        entries.extend(found.into_iter().flat_map(|(_, named)| named));
        entries.extend(tenants.iter().filter(|mine| mine.tenant_id != id).map(|mine| Entry {
            glyph: Glyph::Switch,
            words: mine.name.clone(),
            kind: "Switch tenant",
            href: tenant_page(&mine.tenant_id, ""),
        }));
        entries
    });
    view! {
        <Dialog id="palette" title="Go to" is_open class="dialog--palette">
            <Search tenant entries is_open/>
        </Dialog>
    }
}

/// What exists only while the palette is open: it begins anew each time.
#[component]
fn Search(tenant: CurrentTenant, entries: Signal<Vec<Entry>>, is_open: RwSignal<bool>) -> impl IntoView {
    let text = RwSignal::new(String::new());
    let at = RwSignal::new(0_usize);
    let shown = memo(move || {
        let text = text.get();
        let mut shown = best(&entries.get(), &text);
        if !text.trim().is_empty() {
            shown.push(Entry {
                glyph: Glyph::Search,
                words: format!("Messages with “{}”", text.trim()),
                kind: "Search",
                href: tenant.page(&format!("/messages?q={}", Url::escape(text.trim()))),
            });
        }
        shown
    });
    let navigate = use_navigate();
    let here = use_address();
    let go = StoredValue::new_local(move |entry: Entry| {
        is_open.set(false);
        // Whoever is there already leaves nothing.
        if entry.href != untrack(here) && host::may_leave() {
            navigate(&entry.href, NavigateOptions::default());
        }
    });
    let on_key = move |event: KeyboardEvent| {
        let last = shown.read().len().saturating_sub(1);
        match host::key_of(&event).as_str() {
            "ArrowDown" => at.update(|at| *at = (*at + 1).min(last)),
            "ArrowUp" => at.update(|at| *at = at.saturating_sub(1)),
            "Enter" => {
                if let Some(entry) = shown.read_untracked().get(at.get_untracked()).cloned() {
                    go.with_value(|go| go(entry));
                }
            }
            _ => return,
        }
        event.prevent_default();
        if let Some(entry) = shown.read_untracked().get(at.get_untracked()) {
            host::reveal(&option_id(entry));
        }
    };
    view! {
        <input
            id=INPUT
            type="text"
            role="combobox"
            aria-label="Go to, create, or search messages"
            aria-expanded="true"
            aria-controls=LIST
            aria-autocomplete="list"
            aria-activedescendant=move || shown.read().get(at.get()).map(option_id)
            autocomplete="off"
            spellcheck="false"
            placeholder="Go to, create, or search messages"
            data-testid="palette-input"
            prop:value=text
            on:input=move |event| {
                text.set(event_target_value(&event));
                at.set(0);
            }
            on:keydown=on_key
        />
        <p class="visually-hidden" role="status" data-testid="palette-said">
            {move || match shown.read().len() {
                1 => "1 result".to_owned(),
                count => format!("{count} results"),
            }}
        </p>
        <ul id=LIST class="palette" role="listbox" aria-label="Results">
            {move || {
                shown
                    .get()
                    .into_iter()
                    .enumerate()
                    .map(|(i, entry)| {
                        let (id, chosen) = (option_id(&entry), entry.clone());
                        view! {
                            <li
                                id=id
                                role="option"
                                class="palette__entry"
                                aria-selected=move || (at.get() == i).to_string()
                                data-testid="palette-entry"
                                on:mousemove=move |_| at.set(i)
                                on:click=move |_| go.with_value(|go| go(chosen.clone()))
                            >
                                <Icon glyph=entry.glyph/>
                                <span class="palette__words">{entry.words}</span>
                                <span class="hint">{entry.kind}</span>
                            </li>
                        }
                    })
                    .collect_view()
            }}
        </ul>
    }
}

/// Its own, wherever it stands: screen readers hear of another that takes the place of the one that was chosen.
fn option_id(entry: &Entry) -> String {
    format!("palette-{}", entry.href)
}

/// The pages of a tenant, and what one may create in it.
fn pages(tenant: &TenantId, role: Role) -> Vec<Entry> {
    let page = |glyph, words: &str, kind, path: &str| Entry {
        glyph,
        words: words.to_owned(),
        kind,
        href: tenant_page(tenant, path),
    };
    let mut entries = vec![
        page(Glyph::Dashboard, "Dashboard", "Page", ""),
        page(Glyph::Messages, "Messages", "Page", "/messages"),
        page(Glyph::Review, "Messages for review", "Page", "/messages?decision=review"),
        page(Glyph::Intent, "Intents", "Page", "/intents"),
        page(Glyph::Rules, "Rules", "Page", "/rules"),
        page(Glyph::Route, "Routes", "Page", "/routes"),
        page(Glyph::Datasource, "Datasources", "Page", "/datasources"),
        page(Glyph::Config, "Configs", "Page", "/configs"),
        page(Glyph::File, "Files", "Page", "/files"),
    ];
    if role.may(Permission::WorkMessages) {
        entries.push(page(Glyph::Trial, "Try a message", "Page", "/try"));
    }
    if role.may(Permission::Configure) {
        entries.extend([
            page(Glyph::Settings, "Settings: export and import", "Page", "/settings"),
            page(Glyph::Add, "New intent", "Create", "/intents/new"),
            page(Glyph::Add, "New route", "Create", "/routes/new"),
            page(Glyph::Add, "New datasource", "Create", "/datasources/new"),
        ]);
    }
    if role.may(Permission::Members) {
        entries.extend([
            page(Glyph::Add, "New config", "Create", "/configs/new"),
            page(Glyph::Members, "Members", "Page", "/members"),
            page(Glyph::Key, "API keys", "Page", "/keys"),
            page(Glyph::Audit, "Audit log", "Page", "/audit"),
        ]);
    }
    if role.may(Permission::Mailboxes) {
        entries.extend([
            page(Glyph::Mail, "Mailboxes", "Page", "/mailboxes"),
            page(Glyph::Add, "New mailbox", "Create", "/mailboxes/new"),
        ]);
    }
    entries
}

/// What has a name in a tenant. What cannot be had is left out: the palette is a way, not a proof.
async fn named_things(tenant: TenantId) -> Vec<Entry> {
    let named = list_names(tenant.clone()).await.unwrap_or_default();
    named
        .into_iter()
        .map(|Named { kind, id, name }| {
            let (glyph, words, page) = match kind {
                NamedKind::Intent => (Glyph::Intent, "Intent", "intents"),
                NamedKind::Datasource => (Glyph::Datasource, "Datasource", "datasources"),
                NamedKind::Config => (Glyph::Config, "Config", "configs"),
                NamedKind::Route => (Glyph::Route, "Route", "routes"),
            };
            Entry { glyph, words: name, kind: words, href: tenant_page(&tenant, &format!("/{page}/{id}")) }
        })
        .collect()
}

/// The entries that have each word of the text, those that begin with it first.
fn best(entries: &[Entry], text: &str) -> Vec<Entry> {
    let text = text.trim().to_lowercase();
    let words: Vec<&str> = text.split_whitespace().collect();
    let mut found: Vec<(bool, &Entry)> = entries
        .iter()
        .filter_map(|entry| {
            let name = entry.words.to_lowercase();
            let kind = entry.kind.to_lowercase();
            let fits = words.iter().all(|word| name.contains(word) || kind.contains(word));
            fits.then(|| (!name.starts_with(&text), entry))
        })
        .collect();
    // Stable: within each kind the order stays.
    found.sort_by_key(|(is_later, _)| *is_later);
    found.into_iter().take(SHOWN).map(|(_, entry)| entry.clone()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_begins_with_the_text_comes_first() {
        let tenant: TenantId = "acme".parse().expect("an id");
        let entries = pages(&tenant, Role::Admin);
        let names = |text: &str| -> Vec<String> {
            best(&entries, text).into_iter().map(|entry| entry.words).collect()
        };
        assert_eq!(names("intent"), ["Intents", "New intent"]);
        assert_eq!(names("create config"), ["New config"]);
        assert_eq!(names("nothing of the kind"), Vec::<String>::new());
        assert_eq!(names("").len(), SHOWN);
        assert!(!best(&pages(&tenant, Role::Viewer), "new").iter().any(|entry| entry.kind == "Create"));
        let may_try = |role| !best(&pages(&tenant, role), "try a message").is_empty();
        assert_eq!([Role::Viewer, Role::Operator].map(may_try), [false, true]);
    }
}
