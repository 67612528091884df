//! Addresses in one form, by which two that are the same one are equal.

use std::borrow::Cow;

use mail_parser::{Addr, Address};
use url::Host;

use super::fields;
use crate::shared::validate::is_written;

/// The fields of a message that hold addresses, or a part of one: two that differ in case alone are the same, and so are
/// two forms of a domain. Those of the envelope stay as they came, the others are kept in one form.
pub const FIELDS: [&str; 6] =
    ["sender_email", "sender_domain", "recipient_email", "reply_to", "envelope_from", "envelope_to"];

/// In lower case and composed, its domain as `in_ascii` gives it.
pub fn in_one_form(address: &str) -> String {
    let lower = address.to_lowercase();
    with_ascii_domain(fields::composed(&lower).trim())
}

/// Whether two are the same one, whatever form they have.
pub fn is_same(one: &str, other: &str) -> bool {
    in_one_form(one) == in_one_form(other)
}

/// The address that a text is, if mail can be sent to it: as it is written, with its domain in ASCII.
///
/// Before the `@`, lettre takes letters alone of what is not ASCII, and mail takes more (RFC 6531, section 3.3): without their
/// marks, Thai and Hindi are not written.
pub fn parse(text: &str) -> Option<lettre::Address> {
    // RFC 5321, section 4.5.3.1.1.
    const MAX_LOCAL: usize = 64;
    let text = with_ascii_domain(text);
    let (local, domain) = text.rsplit_once('@')?;
    let letters: String = local.chars().map(|c| if is_written(c) { 'x' } else { c }).collect();
    lettre::Address::new(letters, domain).ok()?;
    (local.len() <= MAX_LOCAL).then(|| lettre::Address::new_dangerous(local, domain))
}

/// As it is written, but for its domain, which is as `in_ascii` gives it. One that is not ASCII then has no other way to be
/// written, and only some servers take it (SMTPUTF8, RFC 6531).
pub fn with_ascii_domain(address: &str) -> String {
    match address.rsplit_once('@') {
        Some((local, domain)) => format!("{local}@{}", in_ascii(domain)),
        None => address.to_owned(),
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

/// What stands in quotes where it is part of a name (RFC 5322, section 3.2.3).
const SPECIALS: &str = "()<>[]:;@\\,.\"";

/// Addresses as a header field lists them, with their names decoded (RFC 2047): read again, they are the same addresses,
/// whatever a name holds, unless it looks encoded still.
pub fn listed(addresses: &Address<'_>) -> String {
    let each = |list: &[Addr<'_>]| list.iter().map(with_name).collect::<Vec<_>>().join(", ");
    match addresses {
        Address::List(list) => each(list),
        Address::Group(groups) => {
            let groups = groups.iter().map(|group| match &group.name {
                Some(name) => format!("{}: {};", quoted(name), each(&group.addresses)),
                None => each(&group.addresses),
            });
            groups.collect::<Vec<_>>().join(", ")
        }
    }
}

fn with_name(one: &Addr<'_>) -> String {
    match (&one.name, &one.address) {
        (Some(name), Some(address)) => format!("{} <{address}>", quoted(name)),
        (Some(name), None) => quoted(name),
        (None, Some(address)) => {
            let is_plain = !address.contains(|c: char| c == ' ' || SPECIALS.contains(c) && !"@.".contains(c));
            if is_plain { address.to_string() } else { format!("<{address}>") }
        }
        (None, None) => String::new(),
    }
}

fn quoted(name: &str) -> String {
    // As it is stored: some letters become a mark of those.
    let name = fields::composed(name);
    if name.contains(|c: char| SPECIALS.contains(c)) {
        format!("\"{}\"", name.replace('\\', "\\\\").replace('"', "\\\""))
    } else {
        name.into_owned()
    }
}

#[cfg(test)]
mod tests {
    use mail_parser::parsers::MessageStream;

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
            ("ZOE\u{308}@X.example", "zoë@x.example"),
            ("\u{200b}Zo\u{ad}e@x.example\u{a0}", "zoe@x.example"),
            ("a@b%C3%BCcher.ü", "a@b%c3%bccher.ü"),
            ("a@bü cher.example", "a@bü cher.example"),
            ("undisclosed", "undisclosed"),
            ("", ""),
        ] {
            assert_eq!(in_one_form(address), form, "{address}");
        }
    }

    #[test]
    fn two_forms_of_an_address_are_the_same_one() {
        assert!(is_same("ZOE\u{308}@bücher.example", "zoë@XN--bcher-kva.example"));
        assert!(!is_same("zoë@x.example", "zoe@x.example"));
    }

    #[test]
    fn what_stands_before_the_at_is_left_as_it_is_written() {
        for (address, written) in [
            ("Zoë@BÜCHER.example", "Zoë@xn--bcher-kva.example"),
            ("D+mtA4@Docs.example", "D+mtA4@Docs.example"),
            ("undisclosed", "undisclosed"),
            ("", ""),
        ] {
            assert_eq!(with_ascii_domain(address), written, "{address}");
        }
    }

    #[test]
    fn mail_is_sent_to_addresses_of_any_letters() {
        for (text, written) in [
            ("Zoë@BÜCHER.example", "Zoë@xn--bcher-kva.example"),
            ("\"a b\"@x.example", "\"a b\"@x.example"),
            ("संपर्क@x.example", "संपर्क@x.example"),
            ("ที่@x.example", "ที่@x.example"),
            ("岡田.d+a@x.example", "岡田.d+a@x.example"),
        ] {
            assert_eq!(parse(text).map(|address| address.to_string()).as_deref(), Some(written));
        }
        let long = format!("{}@x.example", "ü".repeat(33));
        for none in [
            "",
            "x.example",
            "@x.example",
            "ü@",
            "m\u{fffd}ller@x.example",
            "ü\r\nBcc: a@x.example",
            "ü ü@x.example",
            "ü\u{a0}@x.example",
            "ü\u{85}@x.example",
            "ü\u{202e}@x.example",
            "ü..ü@x.example",
            "<ü@x.example>",
            &long,
        ] {
            assert_eq!(parse(none), None, "{none:?}");
        }
    }

    #[test]
    fn names_are_decoded_and_name_no_other_address() {
        let read = |text: &str| {
            let line = format!("{text}\n");
            let found = MessageStream::new(line.as_bytes()).parse_address().into_address();
            let found = found.expect("addresses");
            let all = found.iter().map(|one| one.address.as_deref().unwrap_or("nobody").to_owned());
            (listed(&found), all.collect::<Vec<String>>())
        };
        for (header, expected) in [
            ("=?UTF-8?Q?M=C3=BCller?= <M@x.example>", "Müller <M@x.example>"),
            ("b@y.example, =?utf-8?b?Wm/Dqw==?= <z@x.example>", "b@y.example, Zoë <z@x.example>"),
            ("=?UTF-8?Q?M=C3=BCller=2C_Hans?= <m@x.example>", "\"Müller, Hans\" <m@x.example>"),
            ("Zoë <zoë@x.example>, <d+a@x.example>", "Zoë <zoë@x.example>, d+a@x.example"),
            (
                "=?utf-8?q?=22=2C_boss=40acme.example=2C?= <m@x.example>",
                "\"\\\", boss@acme.example,\" <m@x.example>",
            ),
            (
                "\"=?utf-8?q?x=22_=3Cboss=40acme.example=3E=2C?=\" <m@x.example>",
                "\"x\\\" <boss@acme.example>,\" <m@x.example>",
            ),
            ("=?utf-8?q?=5C?= <m@x.example>, n@x.example", "\"\\\\\" <m@x.example>, n@x.example"),
            ("=?utf-8?q?boss=40acme.example?=, m@x.example", "\"boss@acme.example\", m@x.example"),
            ("We: =?utf-8?q?Zo=C3=AB?= <z@x.example>, b@y.example;", "We: Zoë <z@x.example>, b@y.example;"),
            ("a@x.example, =?utf-8?q?a=3Ab?=: b@y.example;", "a@x.example, \"a:b\": b@y.example;"),
        ] {
            let (written, named) = read(header);
            assert_eq!(written, expected, "{header}");
            assert_eq!(read(&written), (written.clone(), named), "{header}");
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
