//! Which way text runs.

/// Whether a letter is none, but a mark that turns the text around it (Unicode Bidirectional Algorithm, UAX #9): with one,
/// `bill\u{202e}fdp.exe` reads as `billexe.pdf`.
pub const fn turns(letter: char) -> bool {
    matches!(letter, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// A stranger's name, subject or file name for people to read, who see no such mark. Rules read it as it came.
pub fn unturned(text: &str) -> String {
    text.chars().filter(|letter| !turns(*letter)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_turns_around_what_stands_beside_it() {
        assert_eq!(unturned("bill\u{202e}fdp.exe"), "billfdp.exe");
        assert_eq!(unturned("\u{2067}Bank\u{2069} \u{200f}\u{61c}<a@b>\u{202c}"), "Bank <a@b>");
        // What has a direction by itself stays, and what joins letters.
        for text in ["فاتورة 1042", "שלום", "👩\u{200d}🚒", "نمی\u{200c}خواهم"] {
            assert_eq!(unturned(text), text);
        }
    }
}
