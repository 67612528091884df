//! Files that the reader chooses or drops, and text put where they were writing.

use std::cell::RefCell;

use leptos::{
    ev::{DragEvent, Event, FocusEvent},
    prelude::*,
};
use wasm_bindgen::{JsCast, closure::Closure};
use web_sys::{File, FileReader, HtmlDocument, HtmlElement};

use super::{
    dom::document,
    upload::{chosen_files, dropped_files},
};
use crate::{shared::Problem, ui::toast::use_toasts};

thread_local! {
    /// The field that was written in last.
    static FIELD: RefCell<Option<HtmlElement>> = const { RefCell::new(None) };
}

/// Keeps the field that the focus came to, for `insert_text`.
pub fn remember_field(event: &FocusEvent) {
    let field = event.target().and_then(|target| target.dyn_into::<HtmlElement>().ok());
    let field = field.filter(|field| field.matches("input, textarea").unwrap_or(false));
    if field.is_some() {
        FIELD.set(field);
    }
}

/// Puts a text where the reader wrote last, as if they had typed it.
pub fn insert_text(text: &str) {
    let Some(field) = FIELD.with_borrow(Clone::clone).filter(|field| field.is_connected()) else { return };
    // Only an element that is gone refuses.
    let _ = field.focus();
    if let Some(document) = document().and_then(|document| document.dyn_into::<HtmlDocument>().ok()) {
        // The one way that keeps what can be undone.
        let _ = document.exec_command_with_show_ui_and_value("insertText", false, text);
    }
}

/// Reads the file that an input was given: its name, and its bytes in base64. One that cannot be read is told of. The input
/// is empty then, so that the same file can be chosen again.
pub fn read_chosen(event: &Event, done: Callback<(String, String)>) {
    // Whoever changes their mind chooses none.
    if let Some(file) = chosen_files(event).first() {
        read(file.file(), done);
    }
}

/// The same of the file that was dropped.
pub fn read_dropped(event: &DragEvent, done: Callback<(String, String)>) {
    event.prevent_default();
    match dropped_files(event).first() {
        Some(file) => read(file.file(), done),
        None => use_toasts().refused(&Problem::business_rule("What was dropped is no file.")),
    }
}

fn read(file: &File, done: Callback<(String, String)>) {
    let Ok(reader) = FileReader::new() else { return };
    let (name, source, toasts) = (file.name(), reader.clone(), use_toasts());
    let ended = Closure::once_into_js(move || match source.result().ok().and_then(|url| url.as_string()) {
        Some(url) => {
            // `data:message/rfc822;base64,…`; an empty file has no comma in some browsers.
            let bytes = url.split_once(',').map(|(_, bytes)| bytes.to_owned()).unwrap_or_default();
            done.run((name, bytes));
        }
        // As a folder.
        None => {
            toasts.refused(&Problem::business_rule(format!("{name} cannot be read. Only a file can be.")));
        }
    });
    reader.set_onloadend(Some(ended.unchecked_ref()));
    // Refused only where it reads already.
    let _ = reader.read_as_data_url(file);
}

/// Says that something may be dropped here.
pub fn allow_drop(event: &DragEvent) {
    event.prevent_default();
}

/// Begins to drag: without something to carry, some browsers do not.
pub fn begin_drag(event: &DragEvent) {
    if let Some(carried) = event.data_transfer() {
        carried.set_effect_allowed("move");
        let _ = carried.set_data("text/plain", "rule");
    }
}
