//! Whether somebody is at the page.

use std::cell::Cell;

use leptos::{ev::Event, prelude::*};

/// Who touched the page within so long is taken to be there, in milliseconds.
const WHILE: f64 = 60_000.0;

/// What a person does to a page.
const TOUCHES: [&str; 4] = ["pointerdown", "pointermove", "keydown", "wheel"];

thread_local! {
    /// When the page was last touched, as `Date.now` has it.
    static TOUCHED: Cell<f64> = const { Cell::new(0.0) };
}

/// Begins to look, for as long as the page lives: it was opened by somebody.
pub fn watch_touches() {
    TOUCHED.set(js_sys::Date::now());
    for name in TOUCHES {
        let _ = window_event_listener_untyped(name, |_: Event| TOUCHED.set(js_sys::Date::now()));
    }
}

/// Whether somebody touched the page a moment ago.
pub fn is_attended() -> bool {
    js_sys::Date::now() - TOUCHED.get() < WHILE
}
