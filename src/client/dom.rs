//! Focus, keys, popovers and times.

use chrono::{DateTime, Utc};
use leptos::ev::{Event, FocusEvent, KeyboardEvent, MouseEvent};
use wasm_bindgen::{JsCast, JsValue};
use web_sys::{Document, Element, HtmlElement, HtmlSelectElement, Node};

use super::are_keys_on;
use crate::ui::time::written;

pub(super) fn document() -> Option<Document> {
    web_sys::window().and_then(|window| window.document())
}

pub(super) fn element(id: &str) -> Option<HtmlElement> {
    document()?.get_element_by_id(id)?.dyn_into().ok()
}

/// Puts the focus on the element of this id.
pub fn focus(id: &str) {
    if let Some(element) = element(id) {
        // Only an element that is gone refuses.
        let _ = element.focus();
    }
}

/// The field that the server calls `path`.
fn field(path: &str) -> Option<HtmlElement> {
    let path = path.replace('\\', "\\\\").replace('"', "\\\"");
    document()?.query_selector(&format!("[name=\"{path}\"]")).ok()??.dyn_into().ok()
}

/// The words that stand at the field that the server calls `path`.
pub fn label_of(path: &str) -> Option<String> {
    let words = field(path)?.closest("label").ok()??.query_selector("span").ok()??.text_content()?;
    Some(words.trim().to_owned()).filter(|words| !words.is_empty())
}

/// Puts the focus on the field that the server calls `path`, and opens what it lies in: there nothing takes the focus while that
/// is closed.
pub fn focus_field(path: &str) {
    let Some(field) = field(path) else { return };
    while let Ok(Some(closed)) = field.closest("details:not([open])") {
        // Only a name that is none is refused.
        if closed.set_attribute("open", "").is_err() {
            break;
        }
    }
    let _ = field.focus();
}

/// What the server wrote into the field of this id: what was typed before the form was refused.
pub fn typed_before(id: &str) -> Option<String> {
    element(id)?.get_attribute("value")
}

/// What somebody opened of the `details` that bear this attribute stays open, and nothing else: by it they are known where one
/// of them took the place of another since this was last called.
pub fn keep_open(name: &str) {
    const BEFORE: &str = "data-before";
    let found = document().map(|document| document.query_selector_all(&format!("details[{name}]")));
    let Some(Ok(found)) = found else { return };
    let all: Vec<HtmlElement> = (0..found.length()).filter_map(|i| found.get(i)?.dyn_into().ok()).collect();
    let named = |element: &HtmlElement| element.get_attribute(name).unwrap_or_default();
    let was = |element: &HtmlElement| element.get_attribute(BEFORE).unwrap_or_else(|| named(element));
    let open: Vec<String> = all.iter().filter(|element| element.has_attribute("open")).map(was).collect();
    for element in &all {
        let name = named(element);
        // Only a name that is none is refused.
        let _ = element.set_attribute(BEFORE, &name);
        let _ = element.toggle_attribute_with_force("open", open.contains(&name));
    }
}

/// The id of the element that has the focus.
pub fn focused_id() -> Option<String> {
    document()?.active_element().map(|element| element.id()).filter(|id| !id.is_empty())
}

/// Moves the focus by `step` among the elements that `selector` finds: from the one that has it, or else from that of the
/// same row. From elsewhere, to the first of them.
pub fn move_focus(selector: &str, step: i32) {
    let Some(document) = document() else { return };
    let Ok(found) = document.query_selector_all(selector) else { return };
    let items: Vec<HtmlElement> = (0..found.length()).filter_map(|i| found.get(i)?.dyn_into().ok()).collect();
    let active = document.active_element();
    let row = active.as_ref().and_then(|active| active.closest("tr, li").ok().flatten());
    let is_in_row = |item: &HtmlElement| row.as_ref().is_some_and(|row| row.contains(Some(item.as_ref())));
    let current = items
        .iter()
        .position(|item| active.as_ref() == Some(item.as_ref()))
        .or_else(|| items.iter().position(is_in_row));
    let next = match current {
        Some(at) => at.saturating_add_signed(step as isize).min(items.len().saturating_sub(1)),
        None => 0,
    };
    if let Some(item) = items.get(next) {
        let _ = item.focus();
    }
}

/// Where keys are text, or choose. A box to tick is none of these: whoever ticked it goes on by keys.
const TYPED_INTO: &str = "input:not([type=checkbox], [type=radio]), textarea, select, [contenteditable]";

/// Whether a key is meant for the page: no modifier, nobody is typing, nothing lies over the page, and the reader has not
/// turned it off.
pub fn is_shortcut(event: &KeyboardEvent) -> bool {
    let typing = event
        .target()
        .and_then(|target| target.dyn_into::<Element>().ok())
        .is_some_and(|target| target.closest(TYPED_INTO).ok().flatten().is_some());
    let key = key_of(event);
    // Some keyboards of a Mac write `#` with Option, which is Alt.
    let has_modifier = event.ctrl_key() || event.meta_key() || (event.alt_key() && !is_sign(&key));
    let is_none = key.is_empty() || is_off(&key);
    !(typing || has_modifier || event.default_prevented() || is_covered() || is_none)
}

/// What `keyCode` is of a key that an input method takes. Of the one that ends a composition, Safari says nothing else.
const TAKEN: u32 = 229;

/// The first letter of a script that is not Latin: Greek.
const FIRST_OTHER: char = '\u{370}';

/// What a key writes. Where it writes a letter of another script, the one that stands there on a Latin keyboard, after
/// which what keys do is named: not for a sign, as `€`, nor for what is written with AltGr. Empty where an input method
/// takes it: Enter then takes what that offers, no more.
pub fn key_of(event: &KeyboardEvent) -> String {
    if event.is_composing() || event.key_code() == TAKEN {
        return String::new();
    }
    let key = event.key();
    let mut letters = key.chars();
    let is_other_letter = |letter: char| letter >= FIRST_OTHER && letter.is_alphabetic();
    let is_other = letters.next().is_some_and(is_other_letter)
        && letters.next().is_none()
        && !event.get_modifier_state("AltGraph");
    match event.code().strip_prefix("Key").filter(|_| is_other) {
        Some(latin) if event.shift_key() => latin.to_owned(),
        Some(latin) => latin.to_ascii_lowercase(),
        None => key,
    }
}

/// Whether a key writes a sign, neither a letter nor a digit.
fn is_sign(key: &str) -> bool {
    matches!(key.as_bytes(), [byte] if byte.is_ascii_punctuation())
}

/// Whether the reader turned a key off: all that write a character, but the one that tells where to turn them on.
fn is_off(key: &str) -> bool {
    key.chars().count() == 1 && key != "?" && !are_keys_on()
}

/// Whether a window lies over the page, or an editor is held still: who types on there while it is saved means no key of the
/// page.
fn is_covered() -> bool {
    let is_there = |selector| document()?.query_selector(selector).ok()?;
    // One by one: where a browser does not know one, the others still hold.
    ["dialog[open]", ":popover-open", ".editor[inert]"]
        .into_iter()
        .any(|selector| is_there(selector).is_some())
}

/// Takes the focus out of the field that has it, so that the next key is the page's.
pub fn leave_field() {
    let active = document().and_then(|document| document.active_element());
    if let Some(field) = active.filter(|element| element.matches(TYPED_INTO).unwrap_or(false))
        && let Ok(field) = field.dyn_into::<HtmlElement>()
    {
        let _ = field.blur();
    }
}

/// Whether a key was pressed with the system's command key: `⌘` or `Ctrl`.
pub fn is_command(event: &KeyboardEvent, key: &str) -> bool {
    (event.meta_key() || event.ctrl_key())
        && !event.alt_key()
        && !event.shift_key()
        && key_of(event).eq_ignore_ascii_case(key)
}

/// Scrolls the element of this id into sight, if it is not.
pub fn reveal(id: &str) {
    if let Some(element) = element(id) {
        let options = web_sys::ScrollIntoViewOptions::new();
        options.set_block(web_sys::ScrollLogicalPosition::Nearest);
        element.scroll_into_view_with_scroll_into_view_options(&options);
    }
}

/// Submits the form of the select that changed.
pub fn submit_form_of(event: &Event) {
    let form = event
        .target()
        .and_then(|target| target.dyn_into::<HtmlSelectElement>().ok())
        .and_then(|select| select.form());
    if let Some(form) = form {
        let _ = form.request_submit();
    }
}

/// The attribute of a form that was submitted by `submit_form_once`.
const SUBMITTED: &str = "data-submitted";

/// Submits the form of a select, unless this has been done: what several of its selects ask for is one thing.
pub fn submit_form_once(select: &HtmlSelectElement) {
    if let Some(form) = select.form().filter(|form| !form.has_attribute(SUBMITTED)) {
        // Only a name that is none is refused.
        let _ = form.set_attribute(SUBMITTED, "");
        let _ = form.request_submit();
    }
}

/// Whether the popover of this id is open.
pub fn is_popover_open(id: &str) -> bool {
    element(id).is_some_and(|element| element.matches(":popover-open").unwrap_or(false))
}

/// Closes the popover of this id, if it is open.
pub fn hide_popover(id: &str) {
    if is_popover_open(id)
        && let Some(element) = element(id)
    {
        let _ = element.hide_popover();
    }
}

/// Whether the focus went from inside the element of this id to another element outside of it.
pub fn focus_left(event: &FocusEvent, id: &str) -> bool {
    let to = event.related_target().and_then(|target| target.dyn_into::<Node>().ok());
    match (to, element(id)) {
        (Some(to), Some(element)) => !element.contains(Some(&to)),
        _ => false,
    }
}

/// Whether a click is the second of a double click on a button.
pub fn is_second_click(event: &MouseEvent) -> bool {
    let target = event.target().and_then(|target| target.dyn_into::<Element>().ok());
    event.detail() > 1 && target.is_some_and(|target| target.closest("button").ok().flatten().is_some())
}

/// Minutes that a day, as in `2026-11-23`, begins before that of UTC where the reader is; without one, today.
pub fn zone_of(date: Option<&str>) -> i32 {
    let at = match date {
        // With a time it is the reader's own.
        Some(date) => js_sys::Date::new(&JsValue::from_str(&format!("{date}T00:00"))),
        None => js_sys::Date::new_0(),
    };
    let west = at.get_timezone_offset();
    if west.is_finite() { -west as i32 } else { 0 }
}

/// A time in the reader's own zone: `2026-11-23 10:12`.
pub fn local_time(at: DateTime<Utc>) -> Option<String> {
    let date = js_sys::Date::new(&JsValue::from_f64(at.timestamp_millis() as f64));
    let year = i32::try_from(date.get_full_year()).ok()?;
    Some(written(year, date.get_month() + 1, date.get_date(), date.get_hours(), date.get_minutes()))
}

/// A page that the browser renders has no status.
pub fn set_page_status(_: u16) {}

/// The page is being taken over.
pub fn wait_for_a_touch() {}
