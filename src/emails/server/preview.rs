//! The beginning of what a message says, as lists show it.

use super::fields::Parsed;
use crate::{emails::dto::is_between, server::text::shorten};

/// So many characters, the mark of a cut among them: a row of a list has room for no more.
const MOST: usize = 160;

/// The beginning of the message's own text, on one line. Empty where it has none, and where the message could not be read:
/// what was made out of it then need not be what it says.
pub fn of(parsed: &Parsed) -> String {
    match parsed.fields.get("new_text") {
        Some(text) if parsed.error.is_none() => beginning(text),
        _ => String::new(),
    }
}

/// Without what is quoted, and without the signature, as RFC 3676 marks them (sections 4.3 and 4.5). On the way many a
/// signature's mark loses the space at its end.
fn beginning(text: &str) -> String {
    let own = text.lines().take_while(|line| line.trim_end() != "--").filter(|line| !line.starts_with('>'));
    let words = own.flat_map(|line| line.split(is_between)).filter(|word| !word.chars().all(is_unseen));
    let words = words.map(shown).take(MOST);
    shorten(&words.collect::<Vec<_>>().join(" "), MOST - 1)
}

/// A word without what would turn around the text beside it, and no longer than there is room.
fn shown(word: &str) -> String {
    word.chars().filter(|letter| !is_turning(*letter)).take(MOST).collect()
}

/// The embeddings, overrides and isolates of Unicode's bidirectional algorithm (UAX 9).
fn is_turning(letter: char) -> bool {
    matches!(letter, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// What is seen only beside other letters. Alone it stands in newsletters, by the hundred, to keep what they begin with out
/// of previews.
fn is_filler(letter: char) -> bool {
    matches!(letter, '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}')
        || matches!(letter, '\u{2060}'..='\u{2064}' | '\u{feff}')
}

fn is_unseen(letter: char) -> bool {
    is_filler(letter) || is_turning(letter)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::emails::server::fields;

    #[test]
    fn it_is_what_the_text_begins_with_on_one_line() {
        for (text, expected) in [
            ("", ""),
            (" \n\n", ""),
            ("Hello.\n\n  We\tneed  two\u{2028}more. \n", "Hello. We need two more."),
            // What answers another, above it or below.
            ("Yes.\n\nOn Monday Ann wrote:\n> Is it two?\n>> Two?", "Yes. On Monday Ann wrote:"),
            ("> Is it two?\n>\nIt is > 2.\n-- \nAnn\nAcme", "It is > 2."),
            ("It is -- 2.\n--\nAnn", "It is -- 2."),
            ("> All is quoted", ""),
            ("-- \nAnn", ""),
            // What no row may hold, and what nobody sees.
            ("a\u{202e}b\u{2066}c\u{2069} \u{202c} d", "abc d"),
            ("a\u{1b}[31m b\u{0}c\u{9b}d\u{85}e", "a [31m b c d e"),
            ("\u{34f} \u{200c} \u{200c}\u{34f}\nNews \u{200d}", "News"),
            ("Sale\u{2007}\u{feff}\u{34f} \u{ad}\u{200b} \u{202a}\u{2060}\u{202c} ends", "Sale ends"),
            ("👩\u{200d}🔧 שלום\u{200f} نمی\u{200c}خواهم", "👩\u{200d}🔧 שלום\u{200f} نمی\u{200c}خواهم"),
        ] {
            assert_eq!(beginning(text), expected, "{text:?}");
        }
        let word = "ü".repeat(MOST - 1);
        assert_eq!(beginning(&word), word);
        for long in ["ü".repeat(1 << 19), "über ".repeat(1 << 17)] {
            let text = beginning(&long);
            assert_eq!((text.chars().count(), text.ends_with('…')), (MOST, true), "{text}");
        }
    }

    #[test]
    fn of_what_could_not_be_read_nothing_is_shown() {
        let head = "From: a@b.example\nSubject: x\nContent-Type";
        let damaged = "multipart/mixed; boundary=y\n\n--x\nContent-Type: text/plain\n\nHello\n--x--\n";
        for (raw, expected) in [
            (format!("{head}: text/plain\n\nHello\n  Ann"), "Hello Ann"),
            (
                format!("{head}: text/html\n\n<style>p{{}}</style><p>Hello <b>Ann</b></p><p>bye"),
                "Hello Ann bye",
            ),
            // Of an answer, what is new.
            (
                "From: a@b.example\nSubject: Re: x\n\nYes.\n\nOn 1 Dec 2026, at 10:00, Ann wrote:\n> When?\n"
                    .to_owned(),
                "Yes.",
            ),
            (format!("{head}: application/pdf\n\nHello"), ""),
            (format!("{head}: {damaged}"), ""),
            ("Subject: x\n\n".to_owned(), ""),
            ("just a line of text".to_owned(), ""),
            (String::new(), ""),
        ] {
            let parsed = fields::parse(raw.as_bytes(), chrono::DateTime::UNIX_EPOCH);
            assert_eq!(of(&parsed), expected, "{raw:?}: {:?}", parsed.error);
        }
    }

    /// Letters of all kinds, those that stand for none, and what begins lines.
    const TEXT: &str = "(\\PC|[\\x00-\\x20\\x7f-\\x9f]|[\\x{200b}-\\x{200f}\\x{2028}-\\x{202e}\\x{2060}-\\x{2069}]|\
        \n(> |-- )?|[a-z]{1,30} ){0,400}";

    proptest! {
        #[test]
        fn it_is_one_short_line_whatever_the_text_holds(text in TEXT) {
            let shown = beginning(&text);
            prop_assert!(shown.chars().count() <= MOST);
            prop_assert!(!shown.chars().any(|letter| letter.is_control() || is_turning(letter)));
            prop_assert_eq!(shown.split_whitespace().collect::<Vec<_>>().join(" "), shown);
        }
    }
}
