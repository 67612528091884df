//! Asks before the page is left while something on it is unsaved.

use std::cell::{Cell, RefCell};

use leptos::{ev, prelude::*};
use wasm_bindgen::{JsCast, closure::Closure, prelude::JsValue};
use web_sys::{Element, Event, MouseEvent};

use super::{clicks::forget_sent, dom::document, drafts::forget_draft_of_page, listener::Listener};
use crate::ui::react::effect;

thread_local! {
    /// What the page's editor holds. One editor a page.
    static UNSAVED: RefCell<Option<Unsaved>> = const { RefCell::new(None) };
    /// The address of the page that holds it.
    static ADDRESS: RefCell<String> = const { RefCell::new(String::new()) };
    /// When somebody last said that they leave, as `Date.now` has it.
    static ALLOWED: Cell<f64> = const { Cell::new(0.0) };
}

#[derive(Clone, Copy, PartialEq)]
struct Unsaved {
    /// Whether it holds something that is not known to be saved.
    is_some: Signal<bool>,
    /// Whether that is on its way: then the server may well have it.
    is_saving: Signal<bool>,
}

/// So long a yes holds, in milliseconds: one step asks twice where a link leads out of the application. Not longer: the
/// editor may still be there.
const HOLDS: f64 = 1_000.0;

/// Whether the page may be left. Asks where something is unsaved, once a step.
pub fn may_leave() -> bool {
    if was_allowed() || !is_unsaved() {
        return true;
    }
    let question = if is(|unsaved| unsaved.is_saving) {
        "It is being saved. Leave before that is known?"
    } else {
        "You have changes that are not saved. Leave without them?"
    };
    let may = web_sys::window().is_some_and(|window| window.confirm_with_message(question).unwrap_or(true));
    if may {
        ALLOWED.set(js_sys::Date::now());
        forget_draft_of_page();
    }
    may
}

fn was_allowed() -> bool {
    js_sys::Date::now() - ALLOWED.get() < HOLDS
}

fn is_unsaved() -> bool {
    is(|unsaved| unsaved.is_some)
}

/// Whether something is so of the page's editor. Nothing is where there is none.
fn is(so: impl FnOnce(Unsaved) -> Signal<bool>) -> bool {
    let so = UNSAVED.with_borrow(|unsaved| unsaved.map(so));
    so.and_then(|so| so.try_get_untracked()).unwrap_or_default()
}

/// Guards the page for as long as its editor is there: by a link, and by closing the tab. `watch_history` guards the
/// browser's buttons, and what leads elsewhere by itself asks `may_leave`.
pub fn guard_unsaved(is_unsaved_now: Signal<bool>, is_saving: Signal<bool>) {
    let own = Unsaved { is_some: is_unsaved_now, is_saving };
    UNSAVED.set(Some(own));
    guard_tab(is_unsaved);
    // In the capturing phase: before the router follows.
    if let Some(document) = document() {
        let on_click = Listener::capturing(document.unchecked_into(), "click", |event| {
            if leads_away(event) && !may_leave() {
                event.prevent_default();
                event.stop_propagation();
            }
        });
        // For as long as the editor's owner is there.
        StoredValue::new_local(on_click);
    }
    // Not at once: the router writes a new page's address when the page is there.
    effect(move || {
        if is_unsaved_now.get() {
            ADDRESS.set(address());
        }
    });
    on_cleanup(move || {
        // The next page's editor may be there already.
        UNSAVED.with_borrow_mut(|unsaved| {
            if *unsaved == Some(own) {
                *unsaved = None;
            }
        });
    });
}

/// Lets the browser ask before the tab is closed or loads another page, for as long as the current owner is there and
/// something would be lost.
pub fn guard_tab(is_lost: impl Fn() -> bool + 'static) {
    let unload = window_event_listener(ev::beforeunload, move |event| {
        if !was_allowed() && is_lost() {
            event.prevent_default();
            forget_sent();
        }
    });
    on_cleanup(move || unload.remove());
}

/// Guards the page against the browser's own buttons. To be called before the router listens: of a window's listeners,
/// the first comes first.
pub fn watch_history() {
    let on_pop = Closure::<dyn Fn(Event)>::new(|event: Event| {
        // A step within the page, as the skip link's, leaves nothing.
        let stays = ADDRESS.with_borrow(|here| without_fragment(here) == without_fragment(&address()));
        if stays || may_leave() {
            return;
        }
        // The browser has left already: the page's address comes back on top.
        event.stop_immediate_propagation();
        if let Some(history) = web_sys::window().and_then(|window| window.history().ok()) {
            let _ = ADDRESS.with_borrow(|here| history.push_state_with_url(&JsValue::NULL, "", Some(here)));
        }
    });
    if let Some(window) = web_sys::window() {
        let _ = window.add_event_listener_with_callback("popstate", on_pop.as_ref().unchecked_ref());
    }
    // For as long as the application is there.
    on_pop.forget();
}

fn address() -> String {
    web_sys::window().and_then(|window| window.location().href().ok()).unwrap_or_default()
}

fn without_fragment(address: &str) -> &str {
    address.split('#').next().unwrap_or_default()
}

/// Whether a click follows a link to another page, and in this tab: with another button or a key, browsers open another or
/// keep a copy.
fn leads_away(event: &Event) -> bool {
    let is_plain = event.dyn_ref::<MouseEvent>().is_some_and(|click| {
        let has_modifier = click.ctrl_key() || click.meta_key() || click.shift_key() || click.alt_key();
        click.button() == 0 && !has_modifier
    });
    is_plain && follows_link(event)
}

fn follows_link(event: &Event) -> bool {
    event
        .target()
        .and_then(|target| target.dyn_into::<Element>().ok())
        .and_then(|target| target.closest("a[href]:not([target]):not([download])").ok().flatten())
        .is_some_and(|link| is_elsewhere(&link.get_attribute("href").unwrap_or_default()))
}

/// Whether a link leads to another page than this one.
fn is_elsewhere(href: &str) -> bool {
    let here = web_sys::window().map(|window| window.location()).map(|here| {
        let (path, query) = (here.pathname().unwrap_or_default(), here.search().unwrap_or_default());
        path + &query
    });
    !href.starts_with('#') && here.as_deref() != Some(without_fragment(href))
}
