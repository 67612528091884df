//! Clicks that come too late for what they were meant for.

use std::{cell::RefCell, time::Duration};

use leptos::prelude::{set_timeout, window_event_listener_untyped};
use wasm_bindgen::JsCast;
use web_sys::{Element, Event, HtmlFormElement, MouseEvent};

use super::listener::Listener;

/// What is clicked as a whole, whatever of it changes by that.
const WHOLE: &str = "a, button, label, summary";

/// For so long, a form that was sent is not sent again. Whoever has the browser stop stays, and nothing tells of that.
const WAITS: Duration = Duration::from_secs(10);

thread_local! {
    /// What the first of several clicks in a row was on.
    static FIRST: RefCell<Option<Element>> = const { RefCell::new(None) };
    /// The form that the browser sends, until what is answered takes the page's place.
    static SENT: RefCell<Option<HtmlFormElement>> = const { RefCell::new(None) };
}

/// Drops the second of a double click, and what follows it, where that which the first was on is gone: it would meet what
/// has taken its place, or lay beneath; and where it would send a form twice. To be called before anything else listens.
pub fn drop_late_clicks() {
    send_once();
    let Some(window) = web_sys::window() else { return };
    let listener = Listener::capturing(window.into(), "click", |event| {
        let is_first = event.dyn_ref::<MouseEvent>().is_none_or(|click| click.detail() <= 1);
        if is_first {
            FIRST.set(clicked(event));
        } else if FIRST.with_borrow(|first| first.as_ref().is_some_and(|first| !first.is_connected())) {
            event.prevent_default();
            event.stop_immediate_propagation();
        }
    });
    // For as long as the page is there.
    std::mem::forget(listener);
}

/// Has the browser send a form that changes something once, and not again while it waits for the answer: of the two, only the
/// second would be answered, and what it asks for is done by then.
fn send_once() {
    // After all others: what one of them has taken care of is not sent by the browser.
    let _ = window_event_listener_untyped("submit", |event: Event| {
        let form = event.target().and_then(|target| target.dyn_into::<HtmlFormElement>().ok());
        let Some(form) = form.filter(|form| !event.default_prevented() && form.method() == "post") else {
            return;
        };
        if SENT.with_borrow(|sent| sent.as_ref() == Some(&form)) {
            event.prevent_default();
        } else {
            SENT.set(Some(form));
            set_timeout(forget_sent, WAITS);
        }
    });
    // Whoever comes back to the page may send it again.
    let _ = window_event_listener_untyped("pagehide", |_: Event| forget_sent());
}

/// Lets a form be sent again: its page may stay.
pub(super) fn forget_sent() {
    SENT.set(None);
}

fn clicked(event: &Event) -> Option<Element> {
    let target = event.target()?.dyn_into::<Element>().ok()?;
    target.closest(WHOLE).ok().flatten().or(Some(target))
}
