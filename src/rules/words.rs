//! Rules in words, for those who do not know the rule types by heart.

use serde_json::Value;

use crate::rules::dto::{OnFail, RuleType, asks};

/// What is longer is cut, such as a pattern. Unit: characters.
const LONGEST: usize = 100;

/// A field's name as it reads in a sentence: `sender email` for `sender_email`.
pub fn field_words(name: &str) -> String {
    match name.strip_prefix("header.") {
        Some(header) => format!("header {header}"),
        None => name.replace('_', " "),
    }
}

/// What a rule demands, where no more of it is known: `The sender email must be found in Shop database`.
pub fn rule_words(rule_type: RuleType, field_name: &str, datasource: Option<&str>) -> String {
    let field = field_words(field_name);
    match (rule_type, datasource) {
        (RuleType::Exists, place) => {
            format!("The {field} must be found in {}", place.unwrap_or("the datasource"))
        }
        (RuleType::NotExists, place) => {
            format!("The {field} must not be found in {}", place.unwrap_or("the datasource"))
        }
        (RuleType::Equals, Some(place)) => format!("What {place} holds for the {field} must be as expected"),
        (RuleType::Equals, None) => format!("The {field} must be as expected"),
        (RuleType::NotEquals, Some(place)) => {
            format!("What {place} holds for the {field} must differ from what is excluded")
        }
        (RuleType::NotEquals, None) => format!("The {field} must differ from what is excluded"),
        (RuleType::Regex, Some(place)) => format!("What {place} holds for the {field} must match a pattern"),
        (RuleType::Regex, None) => format!("The {field} must match a pattern"),
        (RuleType::OneOf, Some(place)) => format!("What {place} holds for the {field} must be in a list"),
        (RuleType::OneOf, None) => format!("The {field} must be in a list"),
        (RuleType::Compare, Some(place)) => format!("What {place} holds for the {field} must be in bounds"),
        (RuleType::Compare, None) => format!("The {field} must be in bounds"),
        (RuleType::Expression, Some(place)) => {
            format!("An expression over the {field} and {place} must hold")
        }
        (RuleType::Expression, None) => format!("An expression over the {field} must hold"),
    }
}

/// What a rule demands, with what its conditions name: `customer_email in Order service must be the sender email`.
pub fn demand_words(
    rule_type: RuleType,
    field_name: &str,
    datasource: Option<&str>,
    conditions: &Value,
) -> String {
    let datasource = datasource.filter(|_| asks(rule_type, conditions));
    let text = |member: &str| conditions.get(member).and_then(Value::as_str).map(cut);
    let expected = || expected_words(conditions.get("expected"), field_name);
    let demand = match rule_type {
        RuleType::Equals => Some(format!("be {}", expected())),
        RuleType::NotEquals => Some(format!("not be {}", expected())),
        RuleType::OneOf => Some(format!("be one of {}", expected())),
        // There, null is left out.
        RuleType::Compare => text("op").map(|op| {
            let given = conditions.get("expected").filter(|expected| !expected.is_null());
            format!("be {op} {}", expected_words(given, field_name))
        }),
        RuleType::Regex => text("pattern").map(|pattern| format!("match {pattern}")),
        RuleType::Expression | RuleType::Exists | RuleType::NotExists => None,
    };
    match (demand, datasource, text("column"), text("expression")) {
        (Some(demand), Some(place), Some(column), _) => format!("{column} in {place} must {demand}"),
        (Some(demand), Some(place), None, _) => {
            format!("What {place} holds for the {} must {demand}", field_words(field_name))
        }
        (Some(demand), None, ..) => format!("The {} must {demand}", field_words(field_name)),
        (None, _, _, Some(expression)) => {
            format!("{}: {expression}", rule_words(rule_type, field_name, datasource))
        }
        (None, ..) => rule_words(rule_type, field_name, datasource),
    }
}

/// `demand` as it was kept when its rule ran; `rule_words` where none was, as by servers of before.
pub fn kept_words(demand: String, rule_type: RuleType, field_name: &str, datasource: Option<&str>) -> String {
    if demand.is_empty() { rule_words(rule_type, field_name, datasource) } else { demand }
}

/// What a value is held against: the rule's own field, where nothing is named.
fn expected_words(expected: Option<&Value>, field_name: &str) -> String {
    match expected {
        None => format!("the {}", field_words(field_name)),
        Some(Value::Null) => "empty".to_owned(),
        Some(Value::String(text)) => match field_of(text) {
            Some(field) => format!("the {}", field_words(field)),
            None => format!("“{}”", cut(text)),
        },
        Some(Value::Array(several)) => {
            // More of them would be cut: each has its comma.
            let words: Vec<String> =
                several.iter().take(LONGEST).map(|one| expected_words(Some(one), field_name)).collect();
            cut(&words.join(", "))
        }
        Some(other) => other.to_string(),
    }
}

/// The field that a template is, and nothing beside.
fn field_of(text: &str) -> Option<&str> {
    let name = text.strip_prefix("{{")?.strip_suffix("}}")?.trim();
    (!name.contains('{')).then_some(name)
}

fn cut(text: &str) -> String {
    match text.char_indices().nth(LONGEST) {
        Some((at, _)) => format!("{} …", &text[..at]),
        None => text.to_owned(),
    }
}

/// What follows from a failure: `a failure rejects the message`.
pub fn on_fail_words(on_fail: OnFail) -> &'static str {
    match on_fail {
        OnFail::Reject => "a failure rejects the message",
        OnFail::Review => "a failure sends the message to a person",
        OnFail::Warn => "a failure is only noted",
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_rule_reads_as_a_sentence() {
        let words = rule_words(RuleType::Exists, "sender_email", Some("Shop database"));
        assert_eq!(words, "The sender email must be found in Shop database");
        assert_eq!(
            rule_words(RuleType::Regex, "header.list-id", None),
            "The header list-id must match a pattern"
        );
    }

    #[test]
    fn rules_of_one_kind_are_told_apart_by_what_their_conditions_name() {
        let place = Some("Order service");
        for (rule_type, datasource, conditions, expected) in [
            (
                RuleType::Equals,
                place,
                json!({"path": "/orders", "column": "customer_email", "expected": "{{sender_email}}"}),
                "customer_email in Order service must be the sender email",
            ),
            (
                RuleType::NotEquals,
                place,
                json!({"column": "state", "expected": "cancelled"}),
                "state in Order service must not be “cancelled”",
            ),
            (
                RuleType::Equals,
                place,
                json!({}),
                "What Order service holds for the order number must be the order number",
            ),
            // It has a datasource, and asks it nothing.
            (RuleType::Regex, place, json!({"pattern": "^7"}), "The order number must match ^7"),
            (RuleType::Equals, place, json!({"expected": "7"}), "The order number must be “7”"),
            (
                RuleType::Regex,
                place,
                json!({"path": "/orders", "pattern": "^7"}),
                "What Order service holds for the order number must match ^7",
            ),
            (
                RuleType::OneOf,
                place,
                json!({"column": "state", "expected": ["open", 3, null]}),
                "state in Order service must be one of “open”, 3, empty",
            ),
            (
                RuleType::Compare,
                None,
                json!({"op": "between", "expected": [1, "{{ limit }}"]}),
                "The order number must be between 1, the limit",
            ),
            (RuleType::Regex, None, json!({"pattern": "^[0-9]+$"}), "The order number must match ^[0-9]+$"),
            (
                RuleType::Expression,
                None,
                json!({"expression": "size(rows) < 3"}),
                "An expression over the order number must hold: size(rows) < 3",
            ),
            // Of what was stored once, a part may be missing.
            (RuleType::Regex, None, json!({}), "The order number must match a pattern"),
            (RuleType::Exists, place, json!({}), "The order number must be found in Order service"),
        ] {
            assert_eq!(demand_words(rule_type, "order_number", datasource, &conditions), expected);
        }
        let long = demand_words(RuleType::Regex, "subject", None, &json!({"pattern": "é".repeat(200)}));
        assert!(long.ends_with("éé …") && long.chars().count() < 140, "{long}");
        let many = demand_words(RuleType::OneOf, "subject", None, &json!({"expected": vec![""; 1_000]}));
        assert!(many.ends_with(" …") && many.chars().count() < 140, "{many}");
    }

    #[test]
    fn what_was_kept_of_a_rule_stands_and_else_what_is_known_of_it() {
        let words = |kept: &str| kept_words(kept.to_owned(), RuleType::Equals, "order_number", Some("Shop"));
        assert_eq!(words("state in Shop must be “open”"), "state in Shop must be “open”");
        assert_eq!(words(""), "What Shop holds for the order number must be as expected");
    }
}
