//! Texts as people read them.

/// A text on one line: a terminal takes control characters for commands.
pub fn line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// At most `max` characters, a cut marked by `…`.
pub fn shorten(text: &str, max: usize) -> String {
    match text.char_indices().nth(max) {
        None => text.to_owned(),
        Some((end, _)) => format!("{}…", &text[..end]),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn shortening_holds_its_bound(text in "\\PC*", max in 0usize..40) {
            prop_assert!(shorten(&text, max).chars().count() <= max + 1);
        }
    }

    #[test]
    fn a_terminal_is_given_no_commands() {
        for (text, shown) in [
            ("Grüße, 日本 👋", "Grüße, 日本 👋"),
            ("a\u{1b}]0;x\u{7}b\r\nc\td", "a ]0;x b  c d"),
            ("\u{9b}2J\u{7f}\0", " 2J  "),
        ] {
            assert_eq!(line(text), shown, "{text:?}");
        }
    }
}
