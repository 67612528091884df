//! Addresses in one form, by which two that are the same one are equal.

use std::borrow::Cow;

use url::Host;

use super::fields;

/// The fields of a message that hold addresses, or a part of one: two that differ in case alone are the same, and so are
/// two forms of a domain. Those of the envelope stay as they came, the others are kept in one form.
pub const FIELDS: [&str; 6] =
    ["sender_email", "sender_domain", "recipient_email", "reply_to", "envelope_from", "envelope_to"];

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

/// Addresses as a field lists them, or parts of some, each in its one form.
pub fn all_in_one_form(list: &str) -> String {
    let forms: Vec<String> = list.split(", ").map(part_in_one_form).collect();
    fields::composed(&forms.join(", ")).into_owned()
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

    #[test]
    fn each_address_of_a_list_has_one_form() {
        for (list, form) in [
            ("Ann@X.example, zoe@bücher.example", "ann@x.example, zoe@xn--bcher-kva.example"),
            ("zoe@bücher.example, ann@x.example", "zoe@xn--bcher-kva.example, ann@x.example"),
            ("BÜCHER.example", "xn--bcher-kva.example"),
            ("Zoe\u{308}@x.example", "zoë@x.example"),
        ] {
            assert_eq!(all_in_one_form(list), form, "{list}");
        }
    }
}
