//! Modal windows.

use leptos::ev::MouseEvent;
use wasm_bindgen::JsCast;
use web_sys::{Element, HtmlDialogElement};

use super::dom::element;

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
