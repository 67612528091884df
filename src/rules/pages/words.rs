//! Rules in words, for those who do not know the rule types by heart.

use crate::rules::dto::{OnFail, RuleType};

/// A field's name as it reads in a sentence: `sender email` for `sender_email`.
pub fn field_words(name: &str) -> String {
    match name.strip_prefix("header.") {
        Some(header) => format!("header {header}"),
        None => name.replace('_', " "),
    }
}

/// What a rule demands: `The sender email must be found in Shop database`.
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
}
