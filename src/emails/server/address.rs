//! Addresses in one form, by which two that are the same one are equal.

use std::borrow::Cow;

use url::Host;

/// The fields of a message that hold an address in one form, or its domain.
pub const FIELDS: [&str; 4] = ["sender_email", "sender_domain", "recipient_email", "reply_to"];

/// In lower case, its domain as `in_ascii` gives it.
pub fn in_one_form(address: &str) -> String {
    let lower = address.trim().to_lowercase();
    match lower.rsplit_once('@') {
        Some((local, domain)) => format!("{local}@{}", in_ascii(domain)),
        None => lower,
    }
}

/// A part of an address as it stands in one that has one form: what has no `@` is taken for a domain, or for some of
/// its labels.
pub fn part_in_one_form(part: &str) -> String {
    if part.contains('@') { in_one_form(part) } else { in_ascii(&part.trim().to_lowercase()).into_owned() }
}

/// A domain as mailboxes have it: in Unicode and as `xn--…` it is the same one (RFC 5890, section 2.3.2.1). What is no
/// domain stays as it is, and leads to no mailbox.
pub fn in_ascii(domain: &str) -> Cow<'_, str> {
    // The host of a URL may be written in codes that begin with `%`; a domain of an address may not.
    if domain.is_ascii() || domain.contains('%') {
        return domain.into();
    }
    match Host::parse(domain) {
        Ok(Host::Domain(ascii)) => ascii.into(),
        _ => domain.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_one_form() {
        for (address, form) in [
            (" Ann@Example.COM ", "ann@example.com"),
            ("zoe@BÜCHER.example", "zoe@xn--bcher-kva.example"),
            ("zoe@bu\u{308}cher.example", "zoe@xn--bcher-kva.example"),
            ("zoe@XN--bcher-kva.example", "zoe@xn--bcher-kva.example"),
            ("ann@exámple.com", "ann@xn--exmple-qta.com"),
            ("Zoë@x.example", "zoë@x.example"),
            ("a@b%C3%BCcher.ü", "a@b%c3%bccher.ü"),
            ("a@bü cher.example", "a@bü cher.example"),
            ("undisclosed", "undisclosed"),
            ("", ""),
        ] {
            assert_eq!(in_one_form(address), form, "{address}");
        }
    }

    #[test]
    fn a_part_of_an_address_has_the_form_of_the_whole() {
        for (part, form) in [
            ("BÜCHER.example", "xn--bcher-kva.example"),
            ("@bücher.example", "@xn--bcher-kva.example"),
            (".bücher.example", ".xn--bcher-kva.example"),
            ("bücher", "xn--bcher-kva"),
            ("Zoe@", "zoe@"),
            ("ann", "ann"),
            ("", ""),
        ] {
            assert_eq!(part_in_one_form(part), form, "{part}");
        }
    }
}
