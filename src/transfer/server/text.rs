//! A plan for a terminal.

use std::fmt::Write;

use serde_json::{Map, Value};

use crate::{
    server::text::{line, shorten},
    transfer::dto::{Action, Change, Plan},
};

/// One line for each thing that differs, one for all that do not, and what is left to do.
pub fn plan(plan: &Plan) -> String {
    let mut out = String::new();
    for change in plan.changes.iter().filter(|change| change.action != Action::Same) {
        let _ = writeln!(
            out,
            "{} {} {}{}",
            sign(change.action),
            change.kind,
            line(&change.name),
            differences(change)
        );
    }
    if plan.summary.same > 0 {
        let _ = writeln!(out, "= {} the same", plan.summary.same);
    }
    for change in &plan.changes {
        for note in &change.notes {
            let _ = writeln!(out, "! {} {} {note}", change.kind, line(&change.name));
        }
    }
    out
}

fn sign(action: Action) -> char {
    match action {
        Action::Create => '+',
        Action::Change => '~',
        Action::Delete => '-',
        Action::Same => '=',
    }
}

/// `: priority 10 -> 20, is_active true -> false`
fn differences(change: &Change) -> String {
    let value = |of: &Option<Map<String, Value>>, name: &str| match of.as_ref().and_then(|of| of.get(name)) {
        None | Some(Value::Null) => "nothing".to_owned(),
        Some(value) => short(&value.to_string()),
    };
    let parts: Vec<String> = change
        .fields
        .iter()
        .map(|name| format!("{name} {} -> {}", value(&change.before, name), value(&change.after, name)))
        .collect();
    if parts.is_empty() { String::new() } else { format!(": {}", parts.join(", ")) }
}

fn short(text: &str) -> String {
    const MOST: usize = 60;
    shorten(&line(text), MOST)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::transfer::dto::{Kind, Summary};

    #[test]
    fn a_plan_is_read_at_a_glance() {
        let change = |action, kind, name: &str, before: Value, after: Value| Change {
            action,
            kind,
            name: name.into(),
            fields: match action {
                Action::Change => {
                    after.as_object().map(|of| of.keys().cloned().collect()).unwrap_or_default()
                }
                _ => Vec::new(),
            },
            before: before.as_object().cloned(),
            after: after.as_object().cloned(),
            notes: Vec::new(),
        };
        let mut created =
            change(Action::Create, Kind::Config, "shop", Value::Null, json!({"protocol": "http"}));
        created.notes.push("needs its secret set: auth_config.token".into());
        let changes = vec![
            created,
            change(Action::Create, Kind::Intent, "Refund", Value::Null, json!({"priority": 1})),
            change(
                Action::Change,
                Kind::Rule,
                "Refund: a exists",
                json!({"priority": 10}),
                json!({"priority": 20, "conditions.query": "x\u{1b}[2J"}),
            ),
            change(Action::Delete, Kind::Route, "old\u{1b}", json!({}), Value::Null),
            change(Action::Same, Kind::Datasource, "S", Value::Null, Value::Null),
        ];
        let summary = Summary::of(&changes);
        let text = plan(&Plan { changes, summary, applied: false, revision: String::new() });
        assert_eq!(
            text,
            "+ config shop\n+ intent Refund\n\
             ~ rule Refund: a exists: priority 10 -> 20, conditions.query nothing -> \"x\\u001b[2J\"\n\
             - route old \n= 1 the same\n! config shop needs its secret set: auth_config.token\n"
        );
        assert_eq!(summary.words(), "2 to create, 1 to change, 1 to delete, 1 the same");
    }
}
