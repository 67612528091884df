//! Modal windows, and leaving a page with something unsaved.

use std::{cell::Cell, rc::Rc};

use leptos::{ev::MouseEvent, prelude::*};
use wasm_bindgen::{JsCast, closure::Closure};
use web_sys::{Element, Event, HtmlDialogElement};

use super::dom::{document, element};

fn dialog(id: &str) -> Option<HtmlDialogElement> {
    element(id)?.dyn_into().ok()
}

/// Opens the dialog of this id over the page, unless it is open.
pub fn open_dialog(id: &str) {
    if let Some(dialog) = dialog(id).filter(|dialog| !dialog.open()) {
        // Refused only where the element has left the page.
        let _ = dialog.show_modal();
    }
}

/// Closes the dialog of this id, if it is open.
pub fn close_dialog(id: &str) {
    if let Some(dialog) = dialog(id).filter(HtmlDialogElement::open) {
        dialog.close();
    }
}

/// Whether the click went to the dialog of this id itself, and beside its box.
pub fn is_on_backdrop(event: &MouseEvent, id: &str) -> bool {
    let target = event.target().and_then(|target| target.dyn_into::<Element>().ok());
    let Some(target) = target.filter(|target| target.id() == id) else { return false };
    let area = target.get_bounding_client_rect();
    let (x, y) = (f64::from(event.client_x()), f64::from(event.client_y()));
    // A click by the keyboard is at 0, 0.
    (x, y) != (0.0, 0.0) && (x < area.left() || x > area.right() || y < area.top() || y > area.bottom())
}

/// Asks before the page is left while something is unsaved: by a link of the application, or by closing the tab.
pub fn guard_unsaved(is_unsaved: Signal<bool>) {
    let question = "You have changes that are not saved. Leave without them?";
    let unload = window_event_listener(leptos::ev::beforeunload, move |event| {
        if is_unsaved.try_get_untracked().unwrap_or(false) {
            event.prevent_default();
        }
    });
    let is_gone = Rc::new(Cell::new(false));
    let gone = is_gone.clone();
    // In the capturing phase: before the router follows the link.
    let listener = Closure::<dyn Fn(Event)>::new(move |event: Event| {
        let link = event
            .target()
            .and_then(|target| target.dyn_into::<Element>().ok())
            .and_then(|target| target.closest("a[href]:not([target]):not([download])").ok().flatten());
        let leaves =
            link.is_some_and(|link| !link.get_attribute("href").unwrap_or_default().starts_with('#'));
        if !leaves || gone.get() || !is_unsaved.try_get_untracked().unwrap_or(false) {
            return;
        }
        let may_leave =
            web_sys::window().is_some_and(|window| window.confirm_with_message(question).unwrap_or(true));
        if may_leave {
            gone.set(true);
        } else {
            event.prevent_default();
            event.stop_propagation();
        }
    });
    let Some(document) = document() else { return };
    let function = listener.as_ref().unchecked_ref();
    let _ = document.add_event_listener_with_callback_and_bool("click", function, true);
    let listener = StoredValue::new_local(listener);
    on_cleanup(move || {
        unload.remove();
        listener.with_value(|listener| {
            if let Some(document) = self::document() {
                let function = listener.as_ref().unchecked_ref();
                let _ = document.remove_event_listener_with_callback_and_bool("click", function, true);
            }
        });
    });
}
