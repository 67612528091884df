//! What a reader chose for themselves, kept for a year.

use wasm_bindgen::JsCast;
use web_sys::HtmlDocument;

use super::dom::document;

fn cookies() -> Option<HtmlDocument> {
    document()?.dyn_into().ok()
}

/// Keeps a choice. One that cannot be kept holds for as long as the page does, nothing more.
pub(super) fn keep(name: &str, value: &str) {
    if let Some(cookies) = cookies() {
        let _ = cookies.set_cookie(&format!("{name}={value}; path=/; max-age=31536000; samesite=lax"));
    }
}

/// What was chosen.
pub(super) fn kept(name: &str) -> Option<String> {
    let all = cookies()?.cookie().ok()?;
    let mut pairs = all.split("; ").filter_map(|pair| pair.split_once('='));
    pairs.find(|(key, _)| *key == name).map(|(_, value)| value.to_owned())
}
