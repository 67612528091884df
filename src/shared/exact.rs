//! Numbers that stay as they are written.
//!
//! Of numbers, 64-bit integers and doubles are kept. What has more digits would become another without a word: a customer's
//! number of twenty digits one that no customer has. What a form reads of JSON is held against that as what a body brings.

use serde_json::{Number, Value};

use super::FieldError;

/// As many digits every double keeps (IEEE 754), and a number that is written with as many characters is neither too large
/// nor too small for one.
const SURE: usize = 15;

/// What is said of a number that would not be kept. It is not repeated: it may be a secret, and long.
pub const NOT_KEPT: &str =
    "has more digits than a number keeps: write it as a text, in quotation marks, or with fewer digits";

/// Reads JSON that somebody typed into the field of this path.
///
/// # Errors
/// What it `must_be`, at the field; or `NOT_KEPT`, at the path of the number within it.
pub fn read(field: &str, text: &str, must_be: &str) -> Result<Value, FieldError> {
    let value = serde_json::from_str(text).map_err(|_| FieldError::new(field, must_be))?;
    match altered(text.as_bytes(), field) {
        None => Ok(value),
        Some(place) => Err(FieldError::new(place, NOT_KEPT)),
    }
}

/// The path of the first number that would not be kept, as `rules[0].expected`; `root` is that of the document itself. `json`
/// is known to be JSON.
///
/// One pass: of texts, which may be long, only the ends are looked for.
pub fn altered(json: &[u8], root: &str) -> Option<String> {
    let mut levels: Vec<Level<'_>> = Vec::new();
    let (mut at, mut text) = (0, &json[..0]);
    while let Some(&byte) = json.get(at) {
        let begun = at;
        at += 1;
        match byte {
            b'"' => {
                at = end_of_text(json, at);
                text = &json[begun..at];
            }
            b':' => {
                if let Some(Level::Object(name)) = levels.last_mut() {
                    *name = text;
                }
            }
            b',' => {
                if let Some(Level::List(index)) = levels.last_mut() {
                    *index += 1;
                }
            }
            b'[' => levels.push(Level::List(0)),
            b'{' => levels.push(Level::Object(text)),
            b']' | b'}' => {
                levels.pop();
            }
            b'-' | b'0'..=b'9' => {
                let length = json[begun..].iter().position(|byte| !is_of_number(*byte));
                at = length.map_or(json.len(), |length| begun + length);
                if !is_sure(&json[begun..at]) && !is_kept(&json[begun..at]) {
                    return Some(path(root, &levels));
                }
            }
            _ => {}
        }
    }
    None
}

/// Where a place is: the index in a list, or the name in an object, as it is written, with its quotation marks.
enum Level<'a> {
    List(usize),
    Object(&'a [u8]),
}

fn path(root: &str, levels: &[Level<'_>]) -> String {
    let mut path = root.to_owned();
    for level in levels {
        path = match level {
            Level::List(index) => item(&path, *index),
            Level::Object(name) => member(&path, &named(name)),
        };
    }
    path
}

/// The text that a name is.
fn named(written: &[u8]) -> String {
    match serde_json::from_str(std::str::from_utf8(written).unwrap_or_default()) {
        Ok(Value::String(name)) => name,
        _ => String::new(),
    }
}

/// The path of an item of a list.
pub fn item(path: &str, index: usize) -> String {
    format!("{path}[{index}]")
}

/// The path of a member of an object.
pub fn member(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") }
}

/// The place after a text that begins before `at`.
fn end_of_text(json: &[u8], mut at: usize) -> usize {
    while let Some(rest) = json.get(at..) {
        let Some(length) = rest.iter().position(|byte| matches!(byte, b'"' | b'\\')) else { break };
        if rest[length] == b'"' {
            return at + length + 1;
        }
        at += length + 2;
    }
    json.len()
}

/// Whether numbers are written with it.
pub fn is_of_number(byte: u8) -> bool {
    matches!(byte, b'0'..=b'9' | b'+' | b'-' | b'.' | b'e' | b'E')
}

fn is_sure(written: &[u8]) -> bool {
    written.len() <= SURE && !written.iter().any(|byte| matches!(byte, b'e' | b'E'))
}

/// Whether a number comes back as the same. One that cannot be read was read by nobody.
fn is_kept(written: &[u8]) -> bool {
    let written = std::str::from_utf8(written).unwrap_or_default();
    match serde_json::from_str(written) {
        Ok(Value::Number(kept)) => is_same(written, &kept),
        _ => true,
    }
}

/// Whether a number is what is written: in the shortest form, or as programs write that have none (`%.17g` in C), 0.9 as
/// `0.90000000000000002`.
pub fn is_same(written: &str, kept: &Number) -> bool {
    let written = Decimal::of(written);
    let in_full = || kept.as_f64().filter(|_| kept.is_f64()).map(|kept| Decimal::of(&format!("{kept:.16e}")));
    written == Decimal::of(&kept.to_string()) || in_full().is_some_and(|kept| written == kept)
}

/// A number, whatever it is written like.
#[derive(PartialEq, Eq)]
pub struct Decimal {
    is_negative: bool,
    /// From the first to the last that is not 0; none of 0.
    digits: String,
    /// The power of ten that the last of them counts.
    power: i64,
}

impl Decimal {
    /// Of what is known to be a number.
    pub fn of(written: &str) -> Self {
        let (number, power) = written.split_once(['e', 'E']).unwrap_or((written, "0"));
        let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
        let all = format!("{}{fraction}", whole.trim_start_matches(['+', '-']));
        let upto = all.trim_end_matches('0');
        let digits = upto.trim_start_matches('0');
        if digits.is_empty() {
            return Self { is_negative: false, digits: String::new(), power: 0 };
        }
        let count = |text: &str| i64::try_from(text.len()).unwrap_or(i64::MAX);
        // What is beyond any number of ours stays beyond it.
        let power = power.parse().unwrap_or(if power.starts_with('-') { i64::MIN } else { i64::MAX });
        let power = power.saturating_sub(count(fraction)).saturating_add(count(&all[upto.len()..]));
        Self { is_negative: whole.starts_with('-'), digits: digits.to_owned(), power }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const LONG: &str = "123456789012345678901234567890";

    #[test]
    fn what_is_typed_is_kept_or_refused_at_its_place() {
        let read = |text: &str| read("conditions.body", text, "must be JSON");
        for (text, place) in [
            (LONG.to_owned(), "conditions.body"),
            (format!("{{\"a\": [1, {{\"b\\u0063\": {LONG}}}]}}"), "conditions.body.a[1].bc"),
            (format!("[\"{LONG}\", -9223372036854775809]"), "conditions.body[1]"),
            ("{\"limit\": 0.12345678901234567890123}".to_owned(), "conditions.body.limit"),
        ] {
            assert_eq!(read(&text), Err(FieldError::new(place, NOT_KEPT)), "{text}");
        }
        for text in ["{", "", "1 2", "{a: 1}"] {
            assert_eq!(read(text), Err(FieldError::new("conditions.body", "must be JSON")), "{text}");
        }
        let text = "{\"id\": 18446744073709551615, \"of\": -9223372036854775808, \"a\": 1.10, \"b\": 1e3}";
        let kept = json!({"id": u64::MAX, "of": i64::MIN, "a": 1.1, "b": 1_000.0});
        assert_eq!(read(text), Ok(kept));
    }

    #[test]
    fn what_is_no_json_is_gone_through_to_its_end() {
        for bytes in [&b"\""[..], b"\"\\", b"[1", b"{\"a", b"]]}:,", b"-", b"\xff"] {
            assert_eq!(altered(bytes, ""), None, "{bytes:?}");
        }
    }
}
