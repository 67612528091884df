//! What a rule in the editor makes of the rows, or of the field.

use leptos::prelude::*;
use serde_json::{Map, Value};

use super::rule_form::{is_scalar, put_text, shown, take, take_text, typed};
use crate::rules::dto::RuleType;

/// The members that judge, for each type of rule.
#[derive(Clone, Copy)]
pub struct JudgeForm {
    pub column: RwSignal<String>,
    /// The one value; of two, the lowest.
    pub expected: RwSignal<String>,
    /// The highest of two.
    pub highest: RwSignal<String>,
    /// Several values, one a line.
    pub list: RwSignal<String>,
    pub op: RwSignal<String>,
    /// What both sides of a comparison are read as.
    pub kind: RwSignal<String>,
    pub expression: RwSignal<String>,
    pub pattern: RwSignal<String>,
    pub ignore_case: RwSignal<bool>,
    /// The values as they came: what is no text stays what it is.
    was: StoredValue<Vec<Value>>,
    /// Whether `as` and `ignore_case` stood there with the value that counts anyway.
    had: StoredValue<[bool; 3]>,
}

impl JudgeForm {
    pub fn take(members: &mut Map<String, Value>) -> Self {
        let has_kind = members.contains_key("as");
        // Of a comparison it means nothing to equality, which shows no field for it.
        let had = [has_kind, members.contains_key("ignore_case"), has_kind && !members.contains_key("op")];
        // Of two bounds, one may not be typed yet.
        let is_between = members.get("op").is_some_and(|op| op == "between");
        let fits = |item: &Value| is_line(item) || (is_between && item == "");
        let expected = take(members, "expected", |value| match value {
            Value::Array(items) => items.iter().all(fits).then(|| items.clone()),
            // An empty field cannot say it: it stays as JSON.
            Value::Null => None,
            one => is_scalar(one).then(|| vec![one.clone()]),
        });
        let mut was = expected.unwrap_or_default();
        let text = |at: usize| RwSignal::new(was.get(at).map(shown).unwrap_or_default());
        let (expected, highest) = (text(0), text(1));
        let list = was.iter().map(shown).collect::<Vec<_>>().join("\n");
        if is_between {
            was.retain(|value| value != "");
        }
        let or = |signal: RwSignal<String>, value: &str| {
            if signal.read_untracked().is_empty() {
                signal.set(value.to_owned());
            }
            signal
        };
        Self {
            column: take_text(members, "column"),
            expected,
            highest,
            list: RwSignal::new(list),
            op: or(take_text(members, "op"), ">="),
            kind: or(take_text(members, "as"), "number"),
            expression: take_text(members, "expression"),
            pattern: take_text(members, "pattern"),
            ignore_case: RwSignal::new(take(members, "ignore_case", Value::as_bool).unwrap_or_default()),
            was: StoredValue::new(was),
            had: StoredValue::new(had),
        }
    }

    /// Puts in what a rule of this type judges by.
    pub fn put(self, rule_type: RuleType, looks_up: bool, members: &mut Map<String, Value>) {
        if looks_up && !matches!(rule_type, RuleType::Exists | RuleType::NotExists | RuleType::Expression) {
            put_text(members, "column", self.column);
        }
        match rule_type {
            RuleType::Exists | RuleType::NotExists => {}
            RuleType::Equals | RuleType::NotEquals => {
                self.put_expected(members);
                self.put_kind(members);
                self.put_case(members);
            }
            RuleType::Regex => {
                members.insert("pattern".to_owned(), self.pattern.get().into());
                self.put_case(members);
            }
            RuleType::OneOf => {
                let list = self.list.get();
                let lines = list.lines().filter(|line| !line.is_empty());
                let values: Vec<Value> = lines.map(|line| self.value(line)).collect();
                members.insert("expected".to_owned(), values.into());
                self.put_kind(members);
                self.put_case(members);
            }
            RuleType::Compare => {
                let (op, kind) = (self.op.get(), self.kind.get());
                if op == "between" {
                    let both = [self.expected, self.highest].map(|text| self.value(&text.get()));
                    members.insert("expected".to_owned(), Value::from(both.to_vec()));
                } else {
                    self.put_expected(members);
                }
                members.insert("op".to_owned(), op.into());
                if kind != "number" || self.had.get_value()[0] {
                    members.insert("as".to_owned(), kind.into());
                }
            }
            RuleType::Expression => {
                members.insert("expression".to_owned(), self.expression.get().into());
            }
        }
    }

    /// Left out where it is empty: then it is the rule's own field.
    fn put_expected(self, members: &mut Map<String, Value>) {
        let value = self.value(&self.expected.get());
        let is_kept = self.was.with_value(|was| was.contains(&value));
        if is_kept || value != "" {
            members.insert("expected".to_owned(), value);
        }
    }

    /// Left out, the type of a field on either side counts.
    fn put_kind(self, members: &mut Map<String, Value>) {
        if self.had.get_value()[2] {
            members.insert("as".to_owned(), self.kind.get().into());
        }
    }

    fn put_case(self, members: &mut Map<String, Value>) {
        let ignore_case = self.ignore_case.get();
        if ignore_case || self.had.get_value()[1] {
            members.insert("ignore_case".to_owned(), ignore_case.into());
        }
    }

    fn value(self, text: &str) -> Value {
        self.was.with_value(|was| {
            let same = was.iter().find(|value| shown(value) == text);
            same.map_or_else(|| text.into(), |value| typed(text, value))
        })
    }
}

/// Whether a value can stand on a line of its own.
fn is_line(value: &Value) -> bool {
    is_scalar(value) && value.as_str().is_none_or(|text| !text.is_empty() && !text.contains('\n'))
}
