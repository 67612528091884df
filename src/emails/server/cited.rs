//! Which elements of a message's HTML hold what it quotes of earlier messages, as the programs mark them that put it there.

use html5ever::{Attribute, QualName, ns};

/// What such an element holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cited {
    /// A quotation.
    Quotation,
    /// The line that says whose it is, a quotation, and what was written below it. Where no quotation is marked within, all
    /// of it is one.
    Holder,
    /// The header of an earlier message, which stands behind it, to the end.
    Header,
}

/// `None` for all that a person may have written. A `blockquote` alone says nothing: programs indent by it, too.
pub fn of(name: &QualName, attributes: &[Attribute]) -> Option<Cited> {
    if name.ns != ns!(html) {
        return None;
    }
    let is_of = |known: &[&str]| classes(attributes).any(|class| known.contains(&class));
    match &*name.local {
        // Apple Mail, Thunderbird, Roundcube and others; Gmail.
        "blockquote" => {
            let is_cite = value(attributes, "type").eq_ignore_ascii_case("cite");
            (is_cite || is_of(&["gmail_quote"])).then_some(Cited::Quotation)
        }
        // Outlook, in the browser and on phones.
        "div" if HEADERS.contains(&value(attributes, "id")) => Some(Cited::Header),
        // Gmail, Proton Mail.
        "div" if is_of(&["gmail_quote", "protonmail_quote"]) => Some(Cited::Holder),
        // Yahoo puts some letters of its own before it.
        "div" if classes(attributes).any(|class| class.ends_with("yahoo_quoted")) => Some(Cited::Quotation),
        _ => None,
    }
}

const HEADERS: [&str; 2] = ["divRplyFwdMsg", "mail-editor-reference-message-container"];

fn classes(attributes: &[Attribute]) -> impl Iterator<Item = &str> {
    value(attributes, "class").split_ascii_whitespace()
}

/// Empty where it is missing.
fn value<'a>(attributes: &'a [Attribute], name: &str) -> &'a str {
    let found = attributes.iter().find(|attribute| &*attribute.name.local == name);
    found.map_or("", |attribute| &*attribute.value)
}
