//! What is wrong with a document, in the words of whoever wrote it. Its parsers speak of structs, of `i64`, and of values that
//! they expected.

/// What is wrong with a value, or with the text that it stands in. `said` is what the parser says.
///
/// What was found instead is left out: it may be as long as a body may be, and whoever sent it knows it.
pub fn in_words(said: &str) -> String {
    if NO_MOMENT.iter().any(|words| said.starts_with(words)) {
        return format!("must be {MOMENT}");
    }
    let (said, place) = placed(said);
    match (no_json(said), place) {
        (Some(why), Some((line, column))) => format!("is no JSON at line {line}, column {column}: {why}"),
        (Some(why), None) => format!("is no JSON: {why}"),
        // Where there is but one line, the field's path says as much.
        (None, Some((line, _))) if line > 1 => format!("{} (line {line})", of_value(said)),
        (None, _) => of_value(said),
    }
}

/// Of a member that nobody asks for.
pub fn not_known(known: &[&str]) -> String {
    match known {
        [] => "is not known here".to_owned(),
        known => format!("is not known here (known: {})", quoted(known)),
    }
}

/// These names, to choose from.
pub fn one_of(names: &[&str]) -> String {
    match names {
        [one, other] => format!("`{one}` or `{other}`"),
        [_, _, ..] => format!("one of {}", quoted(names)),
        few => quoted(few),
    }
}

fn quoted(names: &[&str]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

/// What chrono says of what is no moment (RFC 3339, as it reads it): that tells nobody what to write.
const NO_MOMENT: [&str; 6] = [
    "input contains invalid characters",
    "input is not enough for unique date and time",
    "input is out of range",
    "no possible date and time matching input",
    "premature end of input",
    "trailing input",
];

const MOMENT: &str = "a moment such as 2026-11-30T00:00:00Z";

/// The line and the column that a parser adds, apart. In JSON they stand with no comma between them, in YAML with one.
fn placed(said: &str) -> (&str, Option<(usize, usize)>) {
    let apart = said.rsplit_once(" at line ").and_then(|(said, place)| {
        let (line, column) = place.split_once(" column ")?;
        Some((said, (line.trim_end_matches(',').parse().ok()?, column.parse().ok()?)))
    });
    match apart {
        Some((said, place)) => (said, Some(place)),
        None => (said, None),
    }
}

/// Why a text is no JSON, where it is that what serde_json says.
fn no_json(said: &str) -> Option<&'static str> {
    Some(match said {
        "EOF while parsing a list"
        | "EOF while parsing an object"
        | "EOF while parsing a string"
        | "EOF while parsing a value" => "it ends too early",
        "expected `:`" => "a colon is missing",
        "expected `,` or `]`" => "a comma or a ] is missing",
        "expected `,` or `}`" => "a comma or a } is missing",
        "expected `\"`" => "a quotation mark is missing",
        "expected ident" => "without quotation marks there are true, false and null alone",
        "expected value" => "a value is missing",
        "invalid escape" => "this cannot stand after a backslash",
        "invalid number" => "this is no number",
        "invalid unicode code point" => "this is no UTF-8",
        "control character (\\u0000-\\u001F) found while parsing a string" => {
            "in a text, a control character is escaped, as in \\n"
        }
        "key must be a string" => "a member's name stands in quotation marks",
        "lone leading surrogate in hex escape" | "unexpected end of hex escape" => {
            "this is half of a character alone"
        }
        "trailing comma" => "a comma has nothing after it",
        "trailing characters" => "there is more after its end",
        _ => return None,
    })
}

fn of_value(said: &str) -> String {
    for lead in ["invalid type: ", "invalid value: ", "invalid length "] {
        if let Some((found, expected)) = after(said, lead, ", expected ") {
            return format!("must be {}", kind(expected, found));
        }
    }
    if let Some((_, expected)) = after(said, "unknown variant `", "`, expected ") {
        return format!("must be {}", one_of(&names(expected)));
    }
    if said.starts_with("unknown field `") {
        let expected = after(said, "unknown field `", "`, expected ").map(|(_, expected)| names(expected));
        return not_known(&expected.unwrap_or_default());
    }
    for (lead, words) in OTHERS {
        if said.starts_with(lead) {
            return words.to_owned();
        }
    }
    // In YAML, of a text that stands where another kind does.
    match said.strip_prefix("invalid ") {
        Some(expected) if range(expected).is_some() => format!("must be {}", kind(expected, "integer")),
        _ => said.to_owned(),
    }
}

/// What stands between `lead` and the last `until`, and after that.
fn after<'a>(said: &'a str, lead: &str, until: &str) -> Option<(&'a str, &'a str)> {
    said.strip_prefix(lead)?.rsplit_once(until)
}

/// What parsers begin with, and what they mean: serde, serde_json, uuid, the standard library's, serde_saphyr.
const OTHERS: [(&str, &str); 30] = [
    ("missing field `", "is missing"),
    ("duplicate field `", "stands twice"),
    ("data did not match any variant of untagged enum", "is nothing that can stand here"),
    ("invalid value: expected key to be a number in quotes", "must have numbers for names"),
    ("number out of range", "is beyond any number that can be kept: write it as a text, in quotation marks"),
    ("recursion limit exceeded", "is nested too deeply"),
    ("UUID parsing failed", "must be a UUID"),
    ("invalid digit found in string", "must be a whole number"),
    ("cannot parse integer from empty string", "must be a whole number"),
    ("number too large to fit in target type", "is too large a number"),
    ("number too small to fit in target type", "is too small a number"),
    ("invalid float literal", "must be a number"),
    ("cannot parse float from empty string", "must be a number"),
    ("cannot deserialize null into string", "must be a text, and not null"),
    ("cannot deserialize tagged scalar into string", "must be a text"),
    ("expected string scalar", "must be a text"),
    ("expected sequence start", "must be a list"),
    ("expected mapping start", "must be an object"),
    ("invalid boolean", "must be true or false"),
    ("invalid floating point", "must be a number"),
    ("non-finite float", "must be a finite number"),
    ("invalid char: ", "must be one character"),
    ("externally tagged enum expected", "must be a name"),
    ("expected string key for externally tagged enum", "must be a name"),
    ("unexpected value for unit enum variant", "must be a name alone"),
    ("unexpected end of input", "ends too early"),
    ("multiple YAML documents detected", "holds more than one document"),
    ("YAML merge keys are not allowed", "holds <<, which is not taken"),
    ("budget breached", "is too large, or nested too deeply"),
    ("alias ", "has aliases that are not taken: too many, or of nothing"),
];

/// What serde's words `expected` stand for; `found` are its words for what there is.
fn kind(expected: &str, found: &str) -> String {
    let begins = |leads: &[&str]| leads.iter().any(|lead| expected.starts_with(lead));
    if let Some((lowest, highest)) = range(expected) {
        let is_number = found.starts_with("integer") || found.starts_with("floating point");
        return if is_number {
            format!("a whole number from {lowest} to {highest}")
        } else {
            "a whole number".to_owned()
        };
    }
    match expected {
        "a boolean" => "true or false",
        "f32" | "f64" => "a number",
        "a character" => "one character",
        "a string" | "a borrowed string" => "a text",
        "an RFC 3339 formatted date and time string" => MOMENT,
        "a formatted UUID string" => "a UUID",
        "unit" => "null",
        "a sequence" => "a list",
        "a map" | "newtype variant" | "tuple variant" | "struct variant" => "an object",
        "enum" | "variant identifier" | "field identifier" => "a name",
        _ if begins(&["enum "]) => "a name",
        _ if begins(&["struct ", "internally tagged enum ", "adjacently tagged enum "]) => "an object",
        _ if begins(&["a tuple of size ", "an array of length ", "tuple "]) => {
            let count = expected.split(' ').find_map(|word| word.parse::<usize>().ok());
            return count.map_or_else(|| "a list".to_owned(), |count| format!("a list of {count}"));
        }
        other => other,
    }
    .to_owned()
}

/// The least and the greatest number of one of Rust's types.
fn range(name: &str) -> Option<(i128, i128)> {
    Some(match name {
        "i8" => (i8::MIN.into(), i8::MAX.into()),
        "i16" => (i16::MIN.into(), i16::MAX.into()),
        "i32" => (i32::MIN.into(), i32::MAX.into()),
        "i64" | "isize" => (i64::MIN.into(), i64::MAX.into()),
        "u8" => (0, u8::MAX.into()),
        "u16" => (0, u16::MAX.into()),
        "u32" => (0, u32::MAX.into()),
        "u64" | "usize" => (0, u64::MAX.into()),
        _ => return None,
    })
}

/// The names of what serde and serde_saphyr offer: `` `a` ``, `` `a` or `b` ``, `` one of `a`, `b` `` or `one of a, b`.
fn names(offered: &str) -> Vec<&str> {
    let offered = offered.strip_prefix("one of ").unwrap_or(offered);
    let names = offered.split(", ").flat_map(|names| names.split("` or `"));
    names.map(|name| name.trim_matches('`')).collect()
}

#[cfg(test)]
mod tests {
    #![expect(dead_code, reason = "nobody looks at what was read")]

    use std::collections::BTreeMap;

    use chrono::{DateTime, Utc};
    use serde::Deserialize;
    use serde_json::Value;

    use super::*;
    use crate::{server::extract::parse_json, shared::EmailId};

    #[derive(Debug, Deserialize)]
    #[serde(rename_all = "snake_case")]
    enum Kind {
        Plain,
        Full(Inner),
        Pair(i32, i32),
    }

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Inner {
        days: i32,
    }

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Two {
        #[serde(default)]
        one: i32,
        #[serde(default)]
        other: i32,
    }

    #[derive(Debug, Deserialize)]
    #[serde(tag = "type")]
    enum Tagged {
        A { days: i32 },
    }

    #[derive(Debug, Deserialize)]
    #[serde(untagged)]
    enum Either {
        Number(i32),
        Flag(bool),
    }

    #[derive(Debug, Default, Deserialize)]
    #[serde(default)]
    struct All {
        flag: bool,
        small: u8,
        whole: i32,
        large: i64,
        share: f64,
        letter: char,
        text: String,
        list: Vec<String>,
        inner: Option<Inner>,
        two: Option<Two>,
        map: BTreeMap<String, i32>,
        numbered: BTreeMap<i32, i32>,
        kinds: Vec<Kind>,
        tagged: Option<Tagged>,
        either: Option<Either>,
        pair: (i32, i32),
        nothing: (),
        moment: Option<DateTime<Utc>>,
        id: Option<EmailId>,
        free: Value,
    }

    fn told(json: &str) -> (String, String) {
        let problem = parse_json::<All>(json.as_bytes()).expect_err(json);
        assert_eq!(problem.status, 422, "{json}");
        let [error] = problem.errors.as_slice() else { panic!("{json}: {:?}", problem.errors) };
        (error.field.clone(), error.message.clone())
    }

    #[test]
    fn what_a_value_must_be_is_told_in_plain_words() {
        for (json, field, words) in [
            (r#"{"flag": 1}"#, "flag", "must be true or false"),
            (r#"{"flag": null}"#, "flag", "must be true or false"),
            (r#"{"small": "x"}"#, "small", "must be a whole number"),
            (r#"{"small": null}"#, "small", "must be a whole number"),
            (r#"{"small": 256}"#, "small", "must be a whole number from 0 to 255"),
            (r#"{"small": -1}"#, "small", "must be a whole number from 0 to 255"),
            (r#"{"whole": 1.5}"#, "whole", "must be a whole number from -2147483648 to 2147483647"),
            (
                r#"{"large": 123456789012345678901234567890}"#,
                "large",
                "must be a whole number from -9223372036854775808 to 9223372036854775807",
            ),
            (r#"{"share": "1"}"#, "share", "must be a number"),
            (r#"{"letter": "ab"}"#, "letter", "must be one character"),
            (r#"{"text": 1}"#, "text", "must be a text"),
            (r#"{"text": null}"#, "text", "must be a text"),
            (r#"{"text": ["a, expected struct B"]}"#, "text", "must be a text"),
            (r#"{"share": "a, expected struct B at line 7 column 1"}"#, "share", "must be a number"),
            (r#"{"list": "a"}"#, "list", "must be a list"),
            (r#"{"list": ["a", 1]}"#, "list[1]", "must be a text"),
            (r#"{"inner": "a"}"#, "inner", "must be an object"),
            (r#"{"inner": [1]}"#, "inner", "must be an object"),
            (r#"{"inner": {"days": []}}"#, "inner.days", "must be a whole number"),
            (r#"{"inner": {}}"#, "inner.days", "is missing"),
            (r#"{"inner": {"days": 1, "days": 2}}"#, "inner.days", "stands twice"),
            (r#"{"inner": {"day": 1}}"#, "inner.day", "is not known here (known: `days`)"),
            (r#"{"two": {"x": 1}}"#, "two.x", "is not known here (known: `one`, `other`)"),
            (r#"{"map": 1}"#, "map", "must be an object"),
            (r#"{"map": {"a": "b"}}"#, "map.a", "must be a whole number"),
            (r#"{"kinds": ["plane"]}"#, "kinds[0]", "must be one of `plain`, `full`, `pair`"),
            (r#"{"kinds": [null]}"#, "kinds[0]", "must be one of `plain`, `full`, `pair`"),
            (r#"{"kinds": [1]}"#, "kinds[0]", "must be one of `plain`, `full`, `pair`"),
            (r#"{"kinds": ["full"]}"#, "kinds[0].full", "must be an object"),
            (r#"{"kinds": [{}]}"#, "kinds[0]", "must be a name"),
            (r#"{"kinds": [{"full": 1}]}"#, "kinds[0].full", "must be an object"),
            (r#"{"kinds": [{"pair": [1]}]}"#, "kinds[0].pair", "must be a list of 2"),
            (r#"{"tagged": 1}"#, "tagged", "must be an object"),
            (r#"{"either": "x"}"#, "either", "is nothing that can stand here"),
            (r#"{"pair": [1]}"#, "pair", "must be a list of 2"),
            (r#"{"pair": {}}"#, "pair", "must be a list of 2"),
            (r#"{"nothing": 1}"#, "nothing", "must be null"),
            (r#"{"moment": 1}"#, "moment", "must be a moment such as 2026-11-30T00:00:00Z"),
            (r#"{"id": "x"}"#, "id", "must be a UUID"),
            (r#"{"id": 1}"#, "id", "must be a UUID"),
        ] {
            assert_eq!(told(json), (field.to_owned(), words.to_owned()), "{json}");
        }
        let (_, words) = told(r#"{"numbered": {"a": 1}}"#);
        assert_eq!(words, "must have numbers for names");
        let (_, words) = told(r#"{"free": 1e400}"#);
        assert_eq!(words, "is beyond any number that can be kept: write it as a text, in quotation marks");
        let (_, words) = told(&format!(r#"{{"free": {}1{}}}"#, "[".repeat(200), "]".repeat(200)));
        assert_eq!(words, "is nested too deeply");
        assert_eq!(told("[]"), ("body".to_owned(), "must be an object".to_owned()));
        assert_eq!(told("{\n\"flag\":\n1}").1, "must be true or false (line 3)");
    }

    #[test]
    fn what_is_no_json_is_told_where() {
        for (json, words) in [
            ("", "is no JSON at line 1, column 0: it ends too early"),
            (r#"{"text": "a"#, "it ends too early"),
            (r#"{"free": [1"#, "it ends too early"),
            (r#"{"free": {"a": 1"#, "it ends too early"),
            (r#"{"free" 1}"#, "is no JSON at line 1, column 9: a colon is missing"),
            (r#"{"free": [1 2]}"#, "a comma or a ] is missing"),
            (r#"{"free": 1 "a": 2}"#, "a comma or a } is missing"),
            (r#"{"free": nil}"#, "without quotation marks there are true, false and null alone"),
            (r#"{"free": 'a'}"#, "a value is missing"),
            (r#"{"free": "\a"}"#, "this cannot stand after a backslash"),
            (r#"{"free": 01}"#, "this is no number"),
            ("{\"free\": \"a\nb\"}", "in a text, a control character is escaped, as in \\n"),
            (r#"{free: 1}"#, "a member's name stands in quotation marks"),
            (r#"{"free": "\ud800"}"#, "this is half of a character alone"),
            (r#"{"free": [1,]}"#, "a comma has nothing after it"),
            (r#"{"flag": true} x"#, "there is more after its end"),
        ] {
            let (_, told) = told(json);
            assert!(told.starts_with("is no JSON at line ") && told.ends_with(words), "{json}: {told}");
        }
        let problem = parse_json::<All>(b"{\"text\": \"\xff\"}").expect_err("no UTF-8");
        assert!(problem.errors[0].message.ends_with(": this is no UTF-8"), "{problem}");
    }

    #[test]
    fn what_else_is_said_is_told_alike_or_as_it_is() {
        for (said, words) in [
            (
                "cannot deserialize null into string; use Option<String> at line 1, column 7",
                "must be a text, and not null",
            ),
            ("expected mapping start at line 3, column 5", "must be an object (line 3)"),
            ("invalid i32 at line 1, column 2", "must be a whole number from -2147483648 to 2147483647"),
            (
                "invalid boolean (strict mode expects true/false) at line 2, column 7",
                "must be true or false (line 2)",
            ),
            ("unknown variant `x`, expected one of a, b at line 1, column 2", "must be `a` or `b`"),
            ("unknown field `x`, there are no fields", "is not known here"),
            ("unknown field `x`, expected `a`", "is not known here (known: `a`)"),
            ("invalid digit found in string", "must be a whole number"),
            ("must be a name of yours", "must be a name of yours"),
            ("holds what is at line speed", "holds what is at line speed"),
            ("", ""),
        ] {
            assert_eq!(in_words(said), words, "{said}");
        }
    }
}
