//! What of a draft holds nothing yet: somebody may have just added it.

use serde_json::Value;

use super::form::HEADER;

/// Whether the field of a draft that a fault names, as in `intent.match.any[0].value`, holds nothing. One that is not
/// written at all does not.
pub fn is_empty_at(draft: &Value, path: &str) -> bool {
    if !["intent.", "validation_rules["].iter().any(|part| path.starts_with(part)) {
        return false;
    }
    let mut at = draft;
    for part in path.split(['.', '[', ']']).filter(|part| !part.is_empty()) {
        let next = match at {
            Value::Array(items) => part.parse::<usize>().ok().and_then(|place| items.get(place)),
            other => other.get(part),
        };
        let Some(next) = next else { return true };
        at = next;
    }
    match at {
        Value::Null => true,
        Value::Bool(_) | Value::Number(_) => false,
        // A header whose name is not typed yet.
        Value::String(text) => text.trim().is_empty() || text == HEADER,
        Value::Array(items) => items.is_empty(),
        Value::Object(members) => members.is_empty(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_field_is_empty_where_nothing_is_written() {
        let draft = json!({
            "intent": {"match": {"any": [{"field": "header.", "value": "x"}, {"field": "subject", "value": " "}]}},
            "validation_rules": [{"datasource_id": null, "field_name": "subject", "conditions": {"query": "SELEC", "status": [7]}}],
        });
        for path in [
            "intent.match.any[0].field",
            "intent.match.any[1].value",
            "validation_rules[0].datasource_id",
            "validation_rules[0].conditions.pattern",
        ] {
            assert!(is_empty_at(&draft, path), "{path}");
        }
        for path in [
            "intent.match.any[0].value",
            "validation_rules[0].field_name",
            "validation_rules[0].conditions",
            "validation_rules[0].conditions.query",
            "validation_rules[0].conditions.status[0]",
            "message.raw",
            "intent",
        ] {
            assert!(!is_empty_at(&draft, path), "{path}");
        }
    }
}
