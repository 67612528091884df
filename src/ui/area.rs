//! What a `textarea` says at first.

/// The text as the child of a `textarea`. On the server, where Leptos writes it into the page as it stands, it is escaped:
/// a reader of HTML would end the field at `</textarea>`, take `&amp;` for `&`, and drop a first line that is empty (HTML,
/// section 13.2.6.4.7). In the browser it becomes the text of a node, and is read by nobody.
pub fn area_text(text: &str) -> String {
    if cfg!(feature = "ssr") {
        format!("\n{}", text.replace('&', "&amp;").replace('<', "&lt;"))
    } else {
        text.to_owned()
    }
}

#[cfg(all(test, feature = "ssr"))]
mod tests {
    use super::*;

    #[test]
    fn nothing_ends_the_field() {
        assert_eq!(area_text("\n</textarea>&lt;"), "\n\n&lt;/textarea>&amp;lt;");
    }
}
