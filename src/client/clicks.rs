//! Clicks that come too late for what they were meant for.

use std::cell::RefCell;

use wasm_bindgen::JsCast;
use web_sys::{Element, Event, MouseEvent};

use super::listener::Listener;

/// What is clicked as a whole, whatever of it changes by that.
const WHOLE: &str = "a, button, label, summary";

thread_local! {
    /// What the first of several clicks in a row was on.
    static FIRST: RefCell<Option<Element>> = const { RefCell::new(None) };
}

/// Drops the second of a double click, and what follows it, where that which the first was on is gone: it would meet what
/// has taken its place, or lay beneath. To be called before anything else listens.
pub fn drop_late_clicks() {
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

fn clicked(event: &Event) -> Option<Element> {
    let target = event.target()?.dyn_into::<Element>().ok()?;
    target.closest(WHOLE).ok().flatten().or(Some(target))
}
