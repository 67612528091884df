//! The JSON document that an answer is.

use encoding_rs::Encoding;
use reqwest::header::HeaderMap;
use serde_json::Value;

use super::head;
use crate::{
    datasources::server::lookup::{Cause, LookupError, number},
    server::extract::in_words,
    shared::exact::is_of_number,
};

/// A document, and how its long numbers are written.
#[derive(Debug, PartialEq)]
pub struct Document {
    pub value: Value,
    /// The same with the digits of each whole number that 64 bits do not hold, as a text: as a double it is another. `None`
    /// where there is none such.
    pub written: Option<Value>,
}

/// Reads the body of an answer.
///
/// # Errors
/// `Cause::Answer`, which says why it cannot be read.
pub fn read(head: &HeaderMap, body: &[u8]) -> Result<Document, LookupError> {
    // As a file of JSON may, an answer may begin with a byte-order mark.
    let no_json = match json(body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body)) {
        Ok(document) => return Ok(document),
        Err(error) => error,
    };
    if let Some(word) = head::compression(head) {
        return Err(fault(format!("is compressed ({word}), which was not asked for")));
    }
    // JSON is in UTF-8 whatever is said of it (RFC 8259, section 8.1). Where it is not, what is said is believed.
    match head::charset(head) {
        None => Err(not_read(&no_json)),
        Some(charset) => decoded(charset, body),
    }
}

fn decoded(charset: &'static Encoding, body: &[u8]) -> Result<Document, LookupError> {
    match charset.decode(body) {
        (_, _, true) => Err(fault(format!("is not written in {}, as it says", charset.name()))),
        (text, _, false) => json(text.as_bytes()).map_err(|error| not_read(&error)),
    }
}

fn not_read(error: &serde_json::Error) -> LookupError {
    fault(in_words(&error.to_string()))
}

fn fault(words: String) -> LookupError {
    LookupError::new(Cause::Answer, format!("the answer {words}"))
}

fn json(text: &[u8]) -> serde_json::Result<Document> {
    let value = serde_json::from_slice(text)?;
    let written = with_long_numbers_as_texts(text).map(|text| serde_json::from_slice(&text)).transpose()?;
    Ok(Document { value, written })
}

/// `None` where there are no such numbers. `json` is known to be JSON.
fn with_long_numbers_as_texts(json: &[u8]) -> Option<Vec<u8>> {
    let (mut written, mut from, mut at) = (Vec::new(), 0, 0);
    while let Some(rest) = json.get(at..).filter(|rest| !rest.is_empty()) {
        let length = match rest[0] {
            b'"' => text_length(rest),
            b'-' | b'0'..=b'9' => rest.iter().position(|byte| !is_of_number(*byte)).unwrap_or(rest.len()),
            _ => 1,
        };
        let part = &rest[..length];
        if is_long_number(part) {
            written.extend_from_slice(&json[from..at]);
            written.push(b'"');
            written.extend_from_slice(part);
            written.push(b'"');
            from = at + length;
        }
        at += length;
    }
    (from > 0).then(|| {
        written.extend_from_slice(&json[from..]);
        written
    })
}

/// How long the text is that stands first, with its quotation marks.
fn text_length(json: &[u8]) -> usize {
    let mut is_escaped = false;
    let end = json.iter().skip(1).position(|byte| {
        let is_end = *byte == b'"' && !is_escaped;
        is_escaped = *byte == b'\\' && !is_escaped;
        is_end
    });
    end.map_or(json.len(), |end| end + 2)
}

fn is_long_number(part: &[u8]) -> bool {
    let written = std::str::from_utf8(part).unwrap_or_default();
    let digits = written.strip_prefix('-').unwrap_or(written);
    // A 64-bit integer may have so many digits, and every shorter one is one.
    digits.len() > 18
        && digits.bytes().all(|byte| byte.is_ascii_digit())
        && written.parse::<u64>().is_err()
        && number(written).is_string()
}

#[cfg(test)]
mod tests {
    use reqwest::header::{CONTENT_ENCODING, CONTENT_TYPE, HeaderValue};
    use serde_json::json;

    use super::*;

    #[test]
    fn a_whole_number_that_would_be_another_is_kept_as_it_is_written() {
        for (written, expected) in [
            ("12345678901234567890123", json!("12345678901234567890123")),
            ("-9223372036854775809", json!("-9223372036854775809")),
            ("18446744073709551616", json!("18446744073709551616")),
            ("10000000000000000000000", json!(1e22)),
            ("18446744073709551615", json!(u64::MAX)),
            ("-9223372036854775808", json!(i64::MIN)),
            ("1234567890.1234567890123", json!(1_234_567_890.123_456_7)),
            ("1e30", json!(1e30)),
        ] {
            for (around, expected) in [
                ("N", expected.clone()),
                (" [ N ,N]", json!([expected, expected])),
                (
                    r#"{"a \" 12345678901234567890123": {"b": N}, "c\\": N, "d": ""}"#,
                    json!({"a \" 12345678901234567890123": {"b": expected}, "c\\": expected, "d": ""}),
                ),
            ] {
                let text = around.replace('N', written);
                let Document { value, written } = json(text.as_bytes()).expect(&text);
                assert_eq!(value, serde_json::from_str::<Value>(&text).expect(&text), "{text}");
                assert_eq!(written.unwrap_or(value), expected, "{text}");
            }
        }
        for text in ["[12345678901234567890123 4]", "{12345678901234567890123: 1}", "\"12345", "1\"", ""] {
            assert!(json(text.as_bytes()).is_err(), "{text}");
        }
    }

    #[test]
    fn a_body_is_in_utf_8_or_else_in_what_its_head_says() {
        let with = |charset: &str, body: &[u8]| {
            let mut head = HeaderMap::new();
            let kind = format!("application/json; charset={charset}");
            head.insert(CONTENT_TYPE, HeaderValue::from_str(&kind).expect("a header"));
            read(&head, body).map(|document| document.value).map_err(|error| error.message)
        };
        let name = json!({"name": "Müller"});
        assert_eq!(with("iso-8859-1", b"{\"name\": \"M\xfcller\"}"), Ok(name.clone()));
        assert_eq!(with("iso-8859-1", "{\"name\": \"Müller\"}".as_bytes()), Ok(name.clone()));
        assert_eq!(with("utf-8", "\u{feff}{\"name\": \"Müller\"}".as_bytes()), Ok(name.clone()));
        let wide: Vec<u8> = name.to_string().encode_utf16().flat_map(u16::to_le_bytes).collect();
        assert_eq!(with("utf-16", &wide), Ok(name));
        let spoilt = with("shift_jis", b"\"\xfd\xff\"").expect_err("is none of it");
        assert_eq!(spoilt, "the answer is not written in Shift_JIS, as it says");
        let other = with("iso-8859-1", b"<html>").expect_err("is no JSON");
        assert!(other.starts_with("the answer is no JSON"), "{other}");
    }

    #[test]
    fn a_compressed_body_is_called_so() {
        let mut head = HeaderMap::new();
        head.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        let error = read(&head, b"\x1f\x8b\x08\0").expect_err("is not read");
        assert_eq!(error.message, "the answer is compressed (gzip), which was not asked for");
        let read = read(&head, b"[1]").map(|document| document.value);
        assert_eq!(read, Ok(json!([1])), "what can be read is");
    }
}
