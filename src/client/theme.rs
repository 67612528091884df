//! The reader's choice of theme.

use super::{cookies::keep, dom::document};
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
    if let Some(root) = document().and_then(|document| document.document_element()) {
        let _ = root.set_attribute("data-theme", theme.as_str());
    }
    keep(COOKIE, theme.as_str());
}
