//! The reader's choice of theme.

use wasm_bindgen::JsCast;
use web_sys::HtmlDocument;

use super::dom::document;
use crate::ui::theme::{COOKIE, Theme};

/// The theme that the document was written with.
pub fn theme() -> Theme {
    let named = document()
        .and_then(|document| document.document_element())
        .and_then(|root| root.get_attribute("data-theme"));
    Theme::read(&named.unwrap_or_default())
}

/// Changes the document, and keeps the choice for a year.
pub fn set_theme(theme: Theme) {
    let Some(document) = document() else { return };
    if let Some(root) = document.document_element() {
        let _ = root.set_attribute("data-theme", theme.as_str());
    }
    if let Ok(document) = document.dyn_into::<HtmlDocument>() {
        let cookie = format!("{COOKIE}={}; path=/; max-age=31536000; samesite=lax", theme.as_str());
        let _ = document.set_cookie(&cookie);
    }
}
