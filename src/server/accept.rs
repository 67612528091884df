//! In which of several media types an answer is given (RFC 9110, section 12.5.1).

use axum::http::{HeaderMap, header};

/// The one of these that the caller accepts best; of two alike, the one that stands first here. `None` where they accept none
/// of them, or do not say.
pub fn best<T: Copy>(
    headers: &HeaderMap,
    offered: &[T],
    media_type: impl Fn(T) -> &'static str,
) -> Option<T> {
    let weighed = offered.iter().map(|one| (*one, weight(headers, media_type(*one))));
    let accepted = weighed.filter(|(_, weight)| *weight > 0.0);
    // Of those that are alike, `max_by` gives the last.
    accepted.rev().max_by(|(_, one), (_, other)| one.total_cmp(other)).map(|(one, _)| one)
}

/// From 0, for not at all, to 1: what the most special of the ranges says that the media type is in.
fn weight(headers: &HeaderMap, media_type: &str) -> f32 {
    let fields = headers.get_all(header::ACCEPT).iter().filter_map(|field| field.to_str().ok());
    let ranges = fields.flat_map(|field| field.split(',')).filter_map(|range| {
        let mut parts = range.split(';').map(str::trim);
        let special = special(parts.next()?, media_type)?;
        let given =
            parts.filter_map(|part| part.split_once('=')).find(|(name, _)| name.eq_ignore_ascii_case("q"));
        Some((special, given.map_or(1.0, |(_, given)| given.parse::<f32>().unwrap_or(0.0))))
    });
    ranges.max_by_key(|(special, _)| *special).map_or(0.0, |(_, weight)| weight)
}

/// How special a range is that holds the media type.
fn special(range: &str, media_type: &str) -> Option<u8> {
    let (kind, _) = media_type.split_once('/')?;
    if range.eq_ignore_ascii_case(media_type) {
        Some(2)
    } else if range.strip_suffix("/*").is_some_and(|of| of.eq_ignore_ascii_case(kind)) {
        Some(1)
    } else {
        (range == "*/*").then_some(0)
    }
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    #[test]
    fn what_is_accepted_best_is_given_and_what_stands_first_of_what_is_alike() {
        let best_of = |accept: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::ACCEPT, HeaderValue::from_str(accept).expect("a header"));
            best(&headers, &["application/yaml", "application/json", "text/csv"], |one| one)
        };
        for (accept, expected) in [
            ("application/json", Some("application/json")),
            ("Application/JSON; charset=utf-8", Some("application/json")),
            ("application/json, application/yaml", Some("application/yaml")),
            ("application/yaml;q=0.5, application/json", Some("application/json")),
            ("application/yaml ; Q=0.5, application/json;q=0.4", Some("application/yaml")),
            ("*/*", Some("application/yaml")),
            ("text/html, application/xml;q=0.9, */*;q=0.8", Some("application/yaml")),
            ("text/*, */*;q=0.1", Some("text/csv")),
            ("*/*, application/yaml;q=0", Some("application/json")),
            ("application/*;q=0.2, application/json;q=0.1, text/csv;q=x", Some("application/yaml")),
            ("text/html", None),
            ("json", None),
            ("application/json;q=nan", None),
            ("", None),
        ] {
            assert_eq!(best_of(accept), expected, "{accept}");
        }
        assert_eq!(best(&HeaderMap::new(), &["text/csv"], |one| one), None);
    }
}
