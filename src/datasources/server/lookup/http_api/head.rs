//! What the head of an answer says of it.

use std::time::Duration;

use chrono::{DateTime, Utc};
use encoding_rs::{Encoding, UTF_8};
use reqwest::header::{CONTENT_ENCODING, CONTENT_TYPE, HeaderMap, LINK, RETRY_AFTER};

/// The longest that `Retry-After` is heeded.
const LONGEST_WAIT: Duration = Duration::from_secs(3_600);
/// What an answer can be compressed by (IANA, "HTTP Content Coding Registry").
const COMPRESSIONS: [&str; 7] = ["br", "compress", "deflate", "gzip", "x-compress", "x-gzip", "zstd"];

/// For how long the API wants to be left alone (RFC 9110, section 10.2.3), which it tells in seconds or by a date.
pub fn wait(head: &HeaderMap, now: DateTime<Utc>) -> Option<Duration> {
    let said = head.get(RETRY_AFTER)?.to_str().ok()?.trim();
    let wait = match said.parse() {
        Ok(seconds) => Duration::from_secs(seconds),
        Err(_) => (DateTime::parse_from_rfc2822(said).ok()?.to_utc() - now).to_std().ok()?,
    };
    Some(wait.min(LONGEST_WAIT))
}

/// Whether the answer is a page with another after it (RFC 8288).
pub fn has_next(head: &HeaderMap) -> bool {
    head.get_all(LINK).iter().filter_map(|links| links.to_str().ok()).any(names_next)
}

fn names_next(links: &str) -> bool {
    // An address may hold what parts links and their parameters.
    let parameters = links.split('<').filter_map(|link| link.split_once('>'));
    let mut named =
        parameters.flat_map(|(_, all)| all.split([';', ','])).filter_map(|one| one.split_once('='));
    named.any(|(name, value)| {
        let mut kinds = value.trim().trim_matches('"').split_ascii_whitespace();
        name.trim().eq_ignore_ascii_case("rel") && kinds.any(|kind| kind.eq_ignore_ascii_case("next"))
    })
}

/// What the answer says that it is compressed by.
pub fn compression(head: &HeaderMap) -> Option<&'static str> {
    let mut said = head.get(CONTENT_ENCODING)?.to_str().ok()?.split(',').map(str::trim);
    said.find_map(|word| COMPRESSIONS.into_iter().find(|known| known.eq_ignore_ascii_case(word)))
}

/// The encoding that the answer says it is written in, where that is known and not UTF-8.
pub fn charset(head: &HeaderMap) -> Option<&'static Encoding> {
    let mut said = head.get(CONTENT_TYPE)?.to_str().ok()?.split(';').filter_map(|one| one.split_once('='));
    let (_, label) = said.find(|(name, _)| name.trim().eq_ignore_ascii_case("charset"))?;
    let known = Encoding::for_label(label.trim().trim_matches('"').as_bytes());
    known.filter(|charset| *charset != UTF_8)
}

#[cfg(test)]
mod tests {
    use reqwest::header::{HeaderName, HeaderValue};

    use super::*;

    fn head(name: HeaderName, values: &[&'static str]) -> HeaderMap {
        let mut head = HeaderMap::new();
        for value in values {
            head.append(&name, HeaderValue::from_static(value));
        }
        head
    }

    #[test]
    fn how_long_to_wait_is_told_in_seconds_or_by_a_date_and_bounded() {
        let now: DateTime<Utc> = "2026-11-23T10:00:00Z".parse().expect("a time");
        for (said, seconds) in [
            ("120", Some(120)),
            (" 7 ", Some(7)),
            ("0", Some(0)),
            ("86400", Some(3_600)),
            ("Mon, 23 Nov 2026 10:00:30 GMT", Some(30)),
            ("Tue, 24 Nov 2026 10:00:00 GMT", Some(3_600)),
            ("Mon, 23 Nov 2026 09:59:59 GMT", None),
            ("soon", None),
            ("-1", None),
            ("", None),
        ] {
            let wait = wait(&head(RETRY_AFTER, &[said]), now);
            assert_eq!(wait, seconds.map(Duration::from_secs), "{said}");
        }
        assert_eq!(wait(&HeaderMap::new(), now), None);
    }

    #[test]
    fn a_next_page_is_told_from_other_links() {
        for (links, expected) in [
            (&["<https://api.example/x?page=2>; rel=\"next\""][..], true),
            (&["</x?a=1,2;b>; title=\"x\"; rel=next"], true),
            (&["</x>;rel=\"prev\", </y> ; Rel = \"last NEXT\""], true),
            (&["</x>; rel=prev", "</y>; rel=next"], true),
            (&["</x>; rel=\"prev\", </next>; rel=\"last\""], false),
            (&["</x?rel=next>; rel=\"self\""], false),
            (&["</x>; rel=\"next-archive\"; title=next"], false),
            (&["rel=next"], false),
            (&[], false),
        ] {
            assert_eq!(has_next(&head(LINK, links)), expected, "{links:?}");
        }
    }

    #[test]
    fn what_the_body_is_written_in_is_told_where_it_is_known() {
        let charset = |said| charset(&head(CONTENT_TYPE, &[said])).map(Encoding::name);
        assert_eq!(charset("application/json; charset=iso-8859-1"), Some("windows-1252"));
        assert_eq!(charset("application/json;a=b; Charset=\"Shift_JIS\""), Some("Shift_JIS"));
        for said in ["application/json", "application/json; charset=UTF-8", "text/plain; charset=x-own"] {
            assert_eq!(charset(said), None, "{said}");
        }
        let compression = |said| compression(&head(CONTENT_ENCODING, &[said]));
        assert_eq!(compression("GZIP"), Some("gzip"));
        assert_eq!(compression("identity, br"), Some("br"));
        for said in ["identity", "", "utf-8"] {
            assert_eq!(compression(said), None, "{said}");
        }
    }
}
