//! Numbers that stay as they are written, in what is sent here (see `shared::exact`).

use std::fmt;

use serde::{
    Deserialize,
    de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor},
};
use serde_json::Value;

use crate::shared::{
    Problem,
    exact::{self, NOT_KEPT, is_of_number, is_same, item, member},
};

/// The problem of a number that would not be kept.
pub fn refused(field: impl Into<String>) -> Problem {
    Problem::invalid_field(field, NOT_KEPT)
}

/// The path of the first number that would not be kept, as `rules[0].expected`; `body` for the document itself. `json` is
/// known to be JSON.
pub fn altered(json: &[u8]) -> Option<String> {
    exact::altered(json, "").map(|path| if path.is_empty() { "body".to_owned() } else { path })
}

/// As `altered`, of a document that is no JSON: `kept` is what was read, and `written` the same text, to be read once more.
///
/// # Errors
/// Where it cannot be read once more.
pub fn altered_in<'de, D: Deserializer<'de>>(kept: &Value, written: D) -> Result<Option<String>, D::Error> {
    let mut found = None;
    Written { kept, path: "", found: &mut found }.deserialize(written)?;
    Ok(found)
}

/// A part of the text. A number that was kept as a double is read as the text that it is.
struct Written<'a> {
    kept: &'a Value,
    path: &'a str,
    found: &'a mut Option<String>,
}

impl<'de> DeserializeSeed<'de> for Written<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, written: D) -> Result<(), D::Error> {
        match self.kept {
            Value::Array(_) => written.deserialize_seq(self),
            Value::Object(_) => written.deserialize_map(self),
            Value::Number(kept) if kept.is_f64() => {
                let written = String::deserialize(written)?;
                if self.found.is_none() && written.bytes().all(is_of_number) && !is_same(&written, kept) {
                    *self.found = Some(self.path.to_owned());
                }
                Ok(())
            }
            _ => IgnoredAny::deserialize(written).map(|IgnoredAny| ()),
        }
    }
}

impl<'de> Visitor<'de> for Written<'_> {
    type Value = ();

    fn expecting(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.write_str("what was read before")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        for index in 0.. {
            let path = item(self.path, index);
            let kept = &self.kept[index];
            if items.next_element_seed(Written { kept, path: &path, found: &mut *self.found })?.is_none() {
                break;
            }
        }
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<(), A::Error> {
        while let Some(name) = members.next_key::<String>()? {
            let path = member(self.path, &name);
            let kept = &self.kept[name.as_str()];
            members.next_value_seed(Written { kept, path: &path, found: &mut *self.found })?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::server::extract::parse_json;

    fn refused_at(json: &str) -> Option<String> {
        let problem = parse_json::<Value>(json.as_bytes()).err()?;
        assert_eq!(problem.status, 422, "{json}");
        let [error] = problem.errors.as_slice() else { panic!("{json}: {problem}") };
        assert!(error.message.contains("write it as a text"), "{json}: {problem}");
        Some(error.field.clone())
    }

    #[test]
    fn a_number_that_would_be_another_is_refused() {
        for number in [
            "123456789012345678901234567890",
            "-123456789012345678901234567890",
            "0.12345678901234567890123",
            "1234567890.1234567890",
            "18446744073709551616",
            "-9223372036854775809",
            "9007199254740993.0",
            "1e400",
            "-1e400",
            "1e-400",
            "1e99999999999999999999",
            "1e-99999999999999999999",
            "1.00000000000000000001",
            "123456789012345678901234567890e-20",
        ] {
            assert_eq!(refused_at(number).as_deref(), Some("body"), "{number}");
            assert_eq!(
                refused_at(&format!("[0, {{\"a\": {number}}}]")).as_deref(),
                Some("[1].a"),
                "{number}"
            );
        }
    }

    #[test]
    fn a_number_that_comes_back_the_same_is_taken() {
        for number in [
            "0",
            "-0",
            "0.0",
            "-0.0",
            "0e99999999999999999999",
            "1.10",
            "1e3",
            "1E+3",
            "0.1",
            "0.10000000000000001",
            "0.90000000000000002",
            "19.989999999999998",
            "1.5e300",
            "1e29",
            "100000000000000000000000000000",
            "9007199254740993",
            "-9007199254740993",
            "18446744073709551615",
            "-9223372036854775808",
            "9007199254740992.0",
            "123456789012345",
            "0.00000000000001",
            "1.000000000000000000000000",
            "0.30000000000000004",
            "5e-324",
            "1.7976931348623157e308",
            "2.5000000000000000000e-1",
            "1000000000000000000000000e-24",
        ] {
            assert_eq!(refused_at(number), None, "{number}");
        }
    }

    #[test]
    fn the_number_is_named_by_its_path_and_texts_are_none() {
        let long = "123456789012345678901234567890";
        for (json, field) in [
            (format!("{{\"a\": {{\"b c\": [1, [{long}]]}}}}"), Some("a.b c[1][0]")),
            (format!("{{\"a\": [], \"b\": {{}}, \"c\":{long}}}"), Some("c")),
            (format!("[{{\"a\": 1}}, {{\"b\": \"x\", \"c\": {long}}}]"), Some("[1].c")),
            (format!("{{\"a\\\"\\u0062\": {long}}}"), Some("a\"b")),
            (format!("{{\"a\": \"{long}\", \"{long}\": \"\\\\\", \"b\": \"\\\"{long}\"}}"), None),
            (format!("{{\"a\": \"[{{:,\", \"b\": [{{\"c\": [[], {long}]}}]}}"), Some("b[0].c[1]")),
            (String::from(" [ ] "), None),
            (String::from("\"\""), None),
        ] {
            assert_eq!(refused_at(&json).as_deref(), field, "{json}");
        }
    }

    #[test]
    fn another_documents_numbers_are_held_against_what_was_read() {
        let kept = json!({"a": [1.5, "x", 1.2345678901234568e29], "b": 1, "c": {"d": 0.1}});
        // It stands for a text whose numbers are texts when they are asked for as such.
        for (written, field) in [
            (json!({"a": ["1.50", "x", "1.2345678901234568e29"], "b": 2, "c": {"d": "+.1"}}), None),
            (json!({"a": ["1.5", "x", "123456789012345678901234567890"]}), Some("a[2]")),
            (json!({"c": {"d": "0.10000000000000000001"}, "more": [1]}), Some("c.d")),
            (json!({"c": {"d": "0x1"}}), None),
        ] {
            assert_eq!(altered_in(&kept, &written).expect("reads").as_deref(), field, "{written}");
        }
    }

    /// A number with all its digits, and no power.
    fn written_out(number: &str) -> String {
        let (number, power) = number.split_once(['e', 'E']).unwrap_or((number, "0"));
        let power: i64 = power.parse().expect("a power");
        let (sign, number) = number.strip_prefix('-').map_or(("", number), |number| ("-", number));
        let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
        let mut digits = format!("{whole}{fraction}");
        let mut point = i64::try_from(whole.len()).expect("few") + power;
        while point < 0 {
            digits.insert(0, '0');
            point += 1;
        }
        let point = usize::try_from(point).expect("not negative");
        while digits.len() < point {
            digits.push('0');
        }
        let (whole, fraction) = digits.split_at(point);
        let (whole, fraction) = (whole.trim_start_matches('0'), fraction.trim_end_matches('0'));
        if whole.is_empty() && fraction.is_empty() {
            "0".to_owned()
        } else {
            format!("{sign}{whole}.{fraction}")
        }
    }

    proptest! {
        #[test]
        fn whatever_is_taken_is_written_as_the_same(
            number in "-?(0|[1-9][0-9]{0,24})(\\.[0-9]{1,24})?([eE][+-]?[0-9]{1,3})?",
        ) {
            if let Ok(kept) = parse_json::<Value>(number.as_bytes()) {
                let in_full = kept.as_f64().map(|kept| written_out(&format!("{kept:.16e}")));
                let is_same = written_out(&kept.to_string()) == written_out(&number);
                prop_assert!(is_same || kept.is_f64() && in_full == Some(written_out(&number)), "{} {}", kept, number);
            }
        }

        #[test]
        fn whatever_we_write_is_taken(double in any::<f64>(), whole in any::<i64>(), large in any::<u64>()) {
            let written = json!([double, whole, large]).to_string();
            let kept = parse_json::<Value>(written.as_bytes());
            prop_assert_eq!(kept.map_err(|problem| problem.detail), Ok(json!([double, whole, large])));
        }
    }
}
