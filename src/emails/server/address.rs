//! Addresses in one form, by which two that are the same one are equal.

use std::borrow::Cow;

use url::Host;

/// In lower case, its domain as `in_ascii` gives it.
pub fn in_one_form(address: &str) -> String {
    let lower = address.trim().to_lowercase();
    match lower.rsplit_once('@') {
        Some((local, domain)) => format!("{local}@{}", in_ascii(domain)),
        None => lower,
    }
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
}
