//! Where the keyboard goes on once what had it was shown anew.

use std::cell::RefCell;

use leptos::ev::FocusEvent;
use wasm_bindgen::JsCast;
use web_sys::{Element, HtmlElement};

use super::dom::{document, element, focus};

thread_local! {
    /// What had the focus before it came to something that goes.
    static BEFORE: RefCell<Option<HtmlElement>> = const { RefCell::new(None) };
}

/// The page's content: where the keyboard goes on if nothing else is left.
const CONTENT: &str = "main";

/// Ids of what the keyboard may go on at, the best first: the element that has it, then the buttons of its list that
/// follow, then those before it, then the page's content. Empty where nothing has it.
pub fn focus_trail() -> Vec<String> {
    let active = document().and_then(|document| document.active_element());
    let Some(active) = active.filter(|active| !is_body(active)) else { return Vec::new() };
    // A field has none: the keyboard goes on at a button of its form or its row.
    let beside = || active.closest("form, tr, li").ok()??.query_selector("button[id]").ok()?;
    let id = match active.id() {
        id if id.is_empty() => beside().map(|button| button.id()).unwrap_or_default(),
        id => id,
    };
    if id.is_empty() {
        return vec![CONTENT.to_owned()];
    }
    let buttons = buttons_beside(&active);
    let at = buttons.iter().position(|button| *button == id).unwrap_or_default();
    let (before, after) = buttons.split_at(at);
    let mut trail = vec![id];
    trail.extend(after.iter().cloned());
    trail.extend(before.iter().rev().cloned());
    trail.push(CONTENT.to_owned());
    trail
}

/// The ids of the buttons of the list that an element stands in, in their order.
fn buttons_beside(element: &Element) -> Vec<String> {
    let list = element.closest("tbody, ul").ok().flatten();
    let Some(Ok(found)) = list.map(|list| list.query_selector_all("button[id]")) else { return Vec::new() };
    (0..found.length()).filter_map(|i| Some(found.get(i)?.dyn_into::<Element>().ok()?.id())).collect()
}

/// Whether an element is the page's body, which stands for nothing that has the focus.
fn is_body(element: &Element) -> bool {
    document().and_then(|document| document.body()).is_some_and(|body| *body == *element)
}

/// Gives the keyboard to the first of these that is on the page, unless something has it.
pub fn focus_first(trail: &[String]) {
    let active = document().and_then(|document| document.active_element());
    let is_lost = active.is_none_or(|active| is_body(&active));
    if is_lost && let Some(element) = trail.iter().find_map(|id| element(id)) {
        // Only an element that is gone refuses.
        let _ = element.focus();
    }
}

/// Keeps what had the focus before it came into an element that `region` finds, from outside of it.
pub fn note_focus_before(event: &FocusEvent, region: &str) {
    let from = event.related_target().and_then(|target| target.dyn_into::<HtmlElement>().ok());
    let is_within = |from: &HtmlElement| from.closest(region).ok().flatten().is_some();
    if !from.as_ref().is_some_and(is_within) {
        BEFORE.set(from);
    }
}

/// Gives the focus back to what had it before: if that is gone, to what has its id now, or to the page's content. If nothing
/// had it, nothing gets it.
pub fn give_focus_back() {
    match BEFORE.take() {
        Some(before) if before.is_connected() => {
            // Only an element that is gone refuses.
            let _ = before.focus();
        }
        Some(before) => {
            let id = before.id();
            focus(if element(&id).is_some() { &id } else { CONTENT });
        }
        None => {}
    }
}
