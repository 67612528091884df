//! Whether what is sent says what is stored already. To store that once more would make a version, an entry in the audit log
//! and another `ETag`, and so be in the way of whoever has read it, for no change at all.

use serde::Serialize;
use serde_json::{Number, Value};

/// Whether a checked input leaves all as it is: each of its members is, in what is stored, as it is read back. Members that
/// are only read are none of an input's, once that is written as JSON.
///
/// A secret that is kept is masked in both. One that is entered anew stands in the input as it was entered, and so is never
/// the same, whatever is stored: or who guesses at it would be told when they are right.
pub fn says_what_is_stored<I: Serialize, T: Serialize>(input: &I, stored: &T) -> bool {
    let (Ok(Value::Object(input)), Ok(Value::Object(stored))) =
        (serde_json::to_value(input), serde_json::to_value(stored))
    else {
        return false;
    };
    input.iter().all(|(name, value)| stored.get(name).is_some_and(|old| is_same(old, value)))
}

/// Whether two values say the same. PostgreSQL keeps 1e16 as 10000000000000000, which is no change. 1042.0 and 1042 are two: a
/// look-up asks for them in different words.
pub fn is_same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(one), Value::Number(other)) => {
            let is_whole_of = |whole: &Number, real: &Number| {
                // As `to_string` writes it with an exponent.
                let real = real.as_f64().filter(|real| real.is_finite() && real.abs() >= 1e16);
                !whole.is_f64() && real.is_some_and(|real| format!("{real}") == whole.to_string())
            };
            one == other || is_whole_of(one, other) || is_whole_of(other, one)
        }
        (Value::Array(a), Value::Array(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| is_same(a, b))
        }
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len()
                && a.iter().all(|(name, value)| b.get(name).is_some_and(|other| is_same(value, other)))
        }
        _ => a == b,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn values_are_the_same_however_their_numbers_and_members_are_written() {
        for (a, b, same) in [
            (json!(1e16), json!(10_000_000_000_000_000_u64), true),
            (json!(1), json!(1.5), false),
            (json!({"a": 1, "b": [1.0]}), json!({"b": [1.0], "a": 1}), true),
            (json!(1.234_567_890_123_456_7e18), json!(1_234_567_890_123_456_800_u64), true),
            (json!([1042.0]), json!([1042]), false),
            (json!(0.1), json!(0.1), true),
            (json!(1e16), json!(10_000_000_000_000_004_u64), false),
            (json!(0.1), json!(0.100_000_000_000_000_02), false),
            (json!("1"), json!(1), false),
            (json!({"a": null}), json!({}), false),
            (json!([1]), json!([1, 1]), false),
        ] {
            assert_eq!(is_same(&a, &b), same, "{a} {b}");
            assert_eq!(is_same(&b, &a), same, "{b} {a}");
        }
    }

    #[test]
    fn an_input_says_what_is_stored_by_its_own_members_alone() {
        let stored = json!({"id": 7, "name": "A", "settings": {"url": "x"}, "note": null});
        for (input, same) in [
            (json!({"name": "A", "settings": {"url": "x"}, "note": null}), true),
            (json!({"name": "B", "settings": {"url": "x"}, "note": null}), false),
            // What stands within a member is set as a whole.
            (json!({"name": "A", "settings": {}}), false),
            (json!({"name": "A", "settings": {"url": "x", "more": 1}}), false),
            (json!({"name": "A", "unknown": null}), false),
            (json!(["A"]), false),
        ] {
            assert_eq!(says_what_is_stored(&input, &stored), same, "{input}");
        }
    }
}
