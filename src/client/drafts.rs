//! What is typed into the page's editor and not saved: kept in the tab's `sessionStorage`.

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
    time::Duration,
};

use gloo_storage::{SessionStorage, Storage};
use leptos::{ev::Event, prelude::*};

use super::session::{forget_all, is_available};
use crate::{intents::pages::DRAFTS, ui::react::effect};

/// How long somebody must have stopped typing.
const PAUSE: Duration = Duration::from_millis(400);

thread_local! {
    /// Where the draft of the page's editor is kept. One editor a page.
    static KEPT: RefCell<Option<Place>> = const { RefCell::new(None) };
}

#[derive(Clone, PartialEq)]
struct Place {
    key: String,
    /// Set while something is to be written.
    waiting: StoredValue<Option<TimeoutHandle>>,
}

impl Place {
    /// Whether the page's editor is at it, and nobody has left that.
    fn is_open(&self) -> bool {
        KEPT.with_borrow(|kept| kept.as_ref() == Some(self))
    }

    /// Whether something was to be written, which it is not any more.
    fn call_off(&self) -> bool {
        let timer = self.waiting.try_update_value(Option::take).flatten();
        timer.inspect(TimeoutHandle::clear).is_some()
    }

    fn forget(&self) {
        self.call_off();
        forget_draft(&self.key);
    }
}

/// Keeps what `write` gives as long as the current owner is there: a moment after each change of what `is_unsaved` reads, and
/// as soon as the page is left or hidden, for then the browser may end it. Nothing is kept of what is not unsaved any more.
pub fn keep_draft(key: String, is_unsaved: Signal<bool>, write: impl Fn() -> String + 'static) {
    let place = Place { key, waiting: StoredValue::new(None) };
    KEPT.set(Some(place.clone()));
    let write: Rc<dyn Fn()> = Rc::new({
        let place = place.clone();
        move || {
            if place.call_off() && place.is_open() {
                store(&place.key, &write());
            }
        }
    });
    for event in ["visibilitychange", "pagehide"] {
        let write = Rc::clone(&write);
        let listening = window_event_listener_untyped(event, move |_: Event| write());
        on_cleanup(move || listening.remove());
    }
    effect({
        let (place, was_unsaved) = (place.clone(), Cell::new(false));
        move || {
            place.call_off();
            if is_unsaved.get() {
                let write = Rc::clone(&write);
                place.waiting.set_value(set_timeout_with_handle(move || write(), PAUSE).ok());
                was_unsaved.set(true);
            } else if was_unsaved.take() {
                place.forget();
            }
        }
    });
    on_cleanup(move || {
        place.call_off();
        // The next page's editor may be there already.
        if place.is_open() {
            KEPT.set(None);
        }
    });
}

/// What is kept under this key.
pub fn kept_draft(key: &str) -> Option<String> {
    is_available().then(|| SessionStorage::get(key).ok()).flatten()
}

pub fn forget_draft(key: &str) {
    if is_available() {
        SessionStorage::delete(key);
    }
}

/// Forgets the drafts of all tenants.
pub fn forget_drafts() {
    forget_all(DRAFTS);
}

/// Somebody leaves the page, and what its editor holds: also what they type until it is gone.
pub(super) fn forget_draft_of_page() {
    if let Some(place) = KEPT.take() {
        place.forget();
    }
}

/// From now on the drafts are this person's, known by their address. Those of another are forgotten: in another tab, somebody
/// else may have signed in since.
pub fn keep_drafts_of(person: &str) {
    let whose = format!("{DRAFTS}whose");
    if kept_draft(&whose).as_deref() != Some(person) {
        forget_drafts();
        store(&whose, person);
    }
}

fn store(key: &str, text: &str) {
    // A full storage leaves what was there: something older, which would come back as what was typed last.
    if is_available() && SessionStorage::set(key, text).is_err() {
        SessionStorage::delete(key);
    }
}
