//! Texts for a terminal.

/// A text on one line: a terminal takes control characters for commands.
pub fn line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

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
