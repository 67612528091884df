//! What is told of one change.

use serde::Serialize;
use serde_json::{Map, Value};

use crate::datasources::dto::MASK;

/// One change, as the audit log has it. `before` and `after` are wire forms, in which secrets are masked.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    pub action: &'static str,
    pub object_id: String,
    pub before: Option<Value>,
    pub after: Option<Value>,
}

impl Event {
    /// Something else than creating, changing and deleting; `detail` says what.
    pub fn done(action: &'static str, id: impl ToString, detail: Value) -> Self {
        let after = (!detail.is_null()).then_some(detail);
        Self { action, object_id: id.to_string(), before: None, after }
    }

    pub fn created<T: Serialize>(action: &'static str, id: impl ToString, after: &T) -> Self {
        Self { action, object_id: id.to_string(), before: None, after: Some(json(after)) }
    }

    pub fn deleted<T: Serialize>(action: &'static str, id: impl ToString, before: &T) -> Self {
        Self { action, object_id: id.to_string(), before: Some(json(before)), after: None }
    }

    /// Only the members that differ are kept.
    pub fn updated<T: Serialize>(action: &'static str, id: impl ToString, before: &T, after: &T) -> Self {
        let (before, after) = differing(json(before), json(after));
        Self { action, object_id: id.to_string(), before: Some(before), after: Some(after) }
    }

    /// Tells too which secrets were entered anew, by the members that hold them, as `auth_config.password`: masked, they are
    /// the same before and after.
    pub fn with_entered(mut self, members: &[String]) -> Self {
        let entered = format!("{MASK} (entered anew)");
        for (side, words) in [(&mut self.before, MASK), (&mut self.after, entered.as_str())] {
            if let Some(Value::Object(told)) = side {
                told.extend(members.iter().map(|name| (name.clone(), Value::from(words))));
            }
        }
        self
    }
}

fn json<T: Serialize>(value: &T) -> Value {
    serde_json::to_value(value).unwrap_or_default()
}

fn differing(before: Value, after: Value) -> (Value, Value) {
    let (Value::Object(mut before), Value::Object(mut after)) = (before, after) else {
        return (Value::Null, Value::Null);
    };
    let same: Vec<String> = before
        .iter()
        .filter(|(name, value)| name.as_str() == "updated_at" || after.get(*name) == Some(value))
        .map(|(name, _)| name.clone())
        .collect();
    let drop = |members: &mut Map<String, Value>| members.retain(|name, _| !same.contains(name));
    drop(&mut before);
    drop(&mut after);
    (before.into(), after.into())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_change_keeps_what_differs() {
        let before = json!({"name": "A", "is_active": true, "priority": 1, "updated_at": 1});
        let after = json!({"name": "B", "is_active": true, "updated_at": 2, "label": "x"});
        let event = Event::updated("intent.update", 7, &before, &after);
        assert_eq!(event.before, Some(json!({"name": "A", "priority": 1})));
        assert_eq!(event.after, Some(json!({"name": "B", "label": "x"})));
        assert_eq!(event.object_id, "7");
    }

    #[test]
    fn a_secret_that_was_exchanged_is_told_by_its_name() {
        let member = "auth_config.token".to_owned();
        let (before, after) = (json!({"name": "A"}), json!({"name": "B"}));
        let event = Event::updated("datasource_config.update", 7, &before, &after).with_entered(&[member]);
        assert_eq!(event.before, Some(json!({"name": "A", "auth_config.token": "********"})));
        assert_eq!(event.after, Some(json!({"name": "B", "auth_config.token": "******** (entered anew)"})));
        let same = Event::updated("datasource_config.update", 7, &before, &before).with_entered(&[]);
        assert_eq!((same.before, same.after), (Some(json!({})), Some(json!({}))));
    }
}
