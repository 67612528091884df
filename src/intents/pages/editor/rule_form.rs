//! A rule in the editor. Its conditions are taken apart into fields, and put together again as they were: what the
//! form does not know stays as JSON.

use leptos::prelude::*;
use serde_json::{Map, Value};

use super::{
    form::{FieldForm, next_key},
    judge_form::JudgeForm,
    lookup_form::LookupForm,
};
use crate::{
    datasources::dto::{Datasource, DatasourceType},
    rules::dto::{OnError, OnFail, RuleInput, RuleType, WhenMissing},
    shared::{DatasourceId, FieldError, RuleId, exact},
    ui::value::plain,
};

/// A value in a list of values: by name, or by its place. `was` keeps what is no text as it came.
#[derive(Clone, Copy)]
pub struct Slot {
    pub key: usize,
    pub name: RwSignal<String>,
    pub value: RwSignal<String>,
    was: StoredValue<Value>,
}

impl Slot {
    pub fn new(name: &str, value: &Value) -> Self {
        Self {
            key: next_key(),
            name: RwSignal::new(name.to_owned()),
            value: RwSignal::new(shown(value)),
            was: StoredValue::new(value.clone()),
        }
    }

    pub fn read(self) -> Value {
        self.was.with_value(|was| typed(&self.value.get(), was))
    }
}

/// A value in a field.
pub fn shown(value: &Value) -> String {
    plain(value).unwrap_or_default()
}

/// What a field holds: the value that it began with, if it still reads so, else a text.
pub fn typed(text: &str, was: &Value) -> Value {
    if shown(was) == text { was.clone() } else { text.into() }
}

/// Whether a value can stand in a field: it is a text, a number, true, false or null.
pub fn is_scalar(value: &Value) -> bool {
    !(value.is_array() || value.is_object())
}

/// Takes a member out where it has the right shape; elsewhere it stays.
pub fn take<T>(members: &mut Map<String, Value>, name: &str, fit: impl Fn(&Value) -> Option<T>) -> Option<T> {
    let found = members.get(name).and_then(fit)?;
    members.shift_remove(name);
    Some(found)
}

pub fn take_text(members: &mut Map<String, Value>, name: &str) -> RwSignal<String> {
    let text = take(members, name, |value| value.as_str().map(str::to_owned));
    RwSignal::new(text.unwrap_or_default())
}

/// Puts a text in, unless it is empty.
pub fn put_text(members: &mut Map<String, Value>, name: &str, text: RwSignal<String>) {
    let text = text.get();
    if !text.is_empty() {
        members.insert(name.to_owned(), text.into());
    }
}

/// What is said of other members that are none.
const NO_OBJECT: &str = "must be an object, written as JSON";

/// One rule.
#[derive(Clone, Copy)]
pub struct RuleForm {
    pub key: usize,
    /// Absent while it is not saved.
    pub id: Option<RuleId>,
    /// Whether its fields are shown.
    pub is_open: RwSignal<bool>,
    pub rule_type: RwSignal<String>,
    pub field: FieldForm,
    /// The id of its datasource; empty for none.
    pub datasource: RwSignal<String>,
    pub lookup: LookupForm,
    pub judge: JudgeForm,
    /// Members of its conditions that no field shows, as JSON.
    pub rest: RwSignal<String>,
    pub on_fail: RwSignal<String>,
    pub on_error: RwSignal<String>,
    pub when_missing: RwSignal<String>,
    pub stop: RwSignal<bool>,
    pub is_active: RwSignal<bool>,
}

impl RuleForm {
    pub fn new(rule: &RuleInput) -> Self {
        let mut members = rule.conditions.as_object().cloned().unwrap_or_default();
        let lookup = LookupForm::take(&mut members, rule.datasource_id.is_some());
        let judge = JudgeForm::take(&mut members);
        let rest = if members.is_empty() {
            String::new()
        } else {
            serde_json::to_string_pretty(&members).unwrap_or_default()
        };
        Self {
            key: next_key(),
            id: rule.rule_id,
            is_open: RwSignal::new(false),
            rule_type: RwSignal::new(rule.rule_type.as_str().to_owned()),
            field: FieldForm::new(&rule.field_name),
            datasource: RwSignal::new(rule.datasource_id.map(|id| id.to_string()).unwrap_or_default()),
            lookup,
            judge,
            rest: RwSignal::new(rest),
            on_fail: RwSignal::new(rule.on_fail.as_str().to_owned()),
            on_error: RwSignal::new(rule.on_error.as_str().to_owned()),
            when_missing: RwSignal::new(rule.when_missing.as_str().to_owned()),
            stop: RwSignal::new(rule.stop),
            is_active: RwSignal::new(rule.is_active),
        }
    }

    pub fn kind_of_rule(self) -> RuleType {
        self.rule_type.get().parse().unwrap_or(RuleType::Exists)
    }

    /// Its datasource, if it has one that is there.
    pub fn source(self, all: &[Datasource]) -> Option<&Datasource> {
        let id: DatasourceId = self.datasource.get().parse().ok()?;
        all.iter().find(|datasource| datasource.datasource_id == id)
    }

    /// The texts of which `read` may not be able to write anything down.
    pub fn texts(self) -> [RwSignal<String>; 3] {
        [self.rest, self.lookup.body, self.lookup.status]
    }

    /// The rule as it stands, and what of it cannot be written down.
    pub fn read(self, all: &[Datasource], priority: i32) -> (RuleInput, Vec<FieldError>) {
        let mut faults = Vec::new();
        let kind: Option<DatasourceType> = self.source(all).map(|datasource| datasource.datasource_type);
        let mut members = Map::new();
        self.lookup.put(kind, &mut members, &mut faults);
        self.judge.put(self.kind_of_rule(), kind.is_some(), &mut members);
        let rest = self.rest.get();
        if !rest.trim().is_empty() {
            match exact::read("conditions", &rest, NO_OBJECT) {
                Ok(Value::Object(rest)) => members.extend(rest),
                Ok(_) => faults.push(FieldError::new("conditions", NO_OBJECT)),
                Err(fault) => faults.push(fault),
            }
        }
        let rule = RuleInput {
            rule_id: self.id,
            datasource_id: self.datasource.get().parse().ok(),
            field_name: self.field.name(),
            rule_type: self.kind_of_rule(),
            conditions: members.into(),
            priority,
            is_active: self.is_active.get(),
            on_fail: self.on_fail.get().parse().unwrap_or(OnFail::Reject),
            on_error: self.on_error.get().parse().unwrap_or(OnError::Review),
            when_missing: self.when_missing.get().parse().unwrap_or(WhenMissing::Fail),
            stop: self.stop.get(),
            ..RuleInput::blank()
        };
        (rule, faults)
    }
}

#[cfg(all(test, feature = "ssr"))]
mod tests {
    use chrono::DateTime;
    use serde_json::json;

    use super::*;

    fn source(kind: DatasourceType) -> Datasource {
        Datasource {
            datasource_id: DatasourceId(7),
            tenant_id: "acme".parse().expect("a tenant"),
            name: "Shop".into(),
            datasource_type: kind,
            connection_key: "shop".into(),
            description: String::new(),
            is_active: true,
            created_at: DateTime::default(),
            updated_at: DateTime::default(),
        }
    }

    #[test]
    fn conditions_come_out_as_they_went_in() {
        let owner = Owner::new();
        owner.set();
        let (database, api, file) = (DatasourceType::Database, DatasourceType::Api, DatasourceType::File);
        for (rule_type, kind, conditions) in [
            (
                RuleType::Exists,
                database,
                json!({"query": "SELECT 1 WHERE a = ?", "params": ["{{x}}", 5, null, true]}),
            ),
            (
                RuleType::Equals,
                file,
                json!({"match": {"email": "{{sender_email}}"}, "column": "n", "expected": 5}),
            ),
            (RuleType::Equals, database, json!({"query": "SELECT 1", "as": "number", "expected": "5"})),
            (
                RuleType::OneOf,
                file,
                json!({"query": "SELECT a FROM data", "expected": ["a", 5, "b"], "ignore_case": true}),
            ),
            (
                RuleType::Compare,
                database,
                json!({"query": "SELECT 1", "op": "between", "as": "money", "expected": ["1 EUR", "2 EUR"]}),
            ),
            (RuleType::Compare, database, json!({"query": "SELECT 1", "op": ">", "expected": "{{amount}}"})),
            (
                RuleType::Regex,
                api,
                json!({"method": "POST", "path": "/c/{{x}}", "query": {"a": "{{b}}"}, "headers": {"x-a": "1"},
                "body": {"a": ["{{b}}"]}, "status": [200, 404], "rows": "$.items[*]", "pattern": "x", "column": "c"}),
            ),
            (RuleType::Expression, database, json!({"query": "SELECT 1", "expression": "size(rows) > 0"})),
            (RuleType::Equals, database, json!({"query": "SELECT 1", "expected": null})),
            (RuleType::Exists, api, json!({"path": "/c", "method": "GET", "headers": {}, "later": {"a": 1}})),
            (RuleType::Exists, database, json!({"query": "SELECT 1", "params": [["odd"]]})),
        ] {
            let rule = RuleInput {
                rule_type,
                conditions,
                datasource_id: Some(DatasourceId(7)),
                ..RuleInput::blank()
            };
            let (read, faults) = RuleForm::new(&rule).read(&[source(kind)], 10);
            assert_eq!(read.conditions, rule.conditions);
            assert_eq!(read.datasource_id, rule.datasource_id);
            assert!(faults.is_empty());
        }
    }

    #[test]
    fn an_empty_column_is_asked_for_where_it_can_be_seen() {
        let owner = Owner::new();
        owner.set();
        let conditions = json!({"query": "SELECT 1", "expected": null});
        let form =
            RuleForm::new(&RuleInput { rule_type: RuleType::Equals, conditions, ..RuleInput::blank() });
        assert!(form.rest.get_untracked().contains(r#""expected": null"#));
    }

    #[test]
    fn what_the_type_does_not_know_is_left_out_and_what_cannot_be_read_is_told() {
        let owner = Owner::new();
        owner.set();
        let conditions = json!({"pattern": "x", "ignore_case": true});
        let form = RuleForm::new(&RuleInput { rule_type: RuleType::Regex, conditions, ..RuleInput::blank() });
        form.rule_type.set("exists".to_owned());
        assert_eq!(form.read(&[], 10).0.conditions, json!({}));
        form.rest.set("[1]".to_owned());
        assert_eq!(form.read(&[], 10).1[0].field, "conditions");
        form.datasource.set("7".to_owned());
        form.lookup.body.set("{".to_owned());
        let faults = form.read(&[source(DatasourceType::Api)], 10).1;
        assert_eq!(faults[0].field, "conditions.body");
    }

    #[test]
    fn a_name_that_is_missing_or_stands_twice_is_told_at_its_place() {
        let owner = Owner::new();
        owner.set();
        let conditions = json!({"path": "/c", "headers": {"a": "1", "b": "2", "": ""}});
        let rule = RuleInput { conditions, datasource_id: Some(DatasourceId(7)), ..RuleInput::blank() };
        let form = RuleForm::new(&rule);
        let faults = || form.read(&[source(DatasourceType::Api)], 10).1;
        assert_eq!(faults(), [], "nothing is typed into the last yet");
        let headers = form.lookup.headers.get_untracked();
        headers[1].name.set("a".to_owned());
        headers[2].value.set("3".to_owned());
        let at =
            |line: usize, fault: &str| FieldError::new(format!("conditions.headers.name[{line}]"), fault);
        assert_eq!(faults(), [at(1, "stands twice"), at(2, "must not be empty")]);
    }

    #[test]
    fn a_number_that_would_be_another_is_told_at_its_place() {
        let owner = Owner::new();
        owner.set();
        let conditions = json!({"path": "/c", "later": {"a": 1}});
        let rule = RuleInput { conditions, datasource_id: Some(DatasourceId(7)), ..RuleInput::blank() };
        let form = RuleForm::new(&rule);
        form.rest.set("{\"later\": {\"a\": [12345678901234567890123]}}".to_owned());
        form.lookup.body.set("{\"id\": 0.12345678901234567890123, \"of\": 2}".to_owned());
        let (read, faults) = form.read(&[source(DatasourceType::Api)], 10);
        let at = |field: &str| FieldError::new(field, exact::NOT_KEPT);
        assert_eq!(faults, [at("conditions.body.id"), at("conditions.later.a[0]")]);
        assert_eq!(read.conditions, json!({"path": "/c"}), "neither is sent as another");
        form.rest.set("{\"later\": 9007199254740993}".to_owned());
        form.lookup.body.set("{\"id\": 18446744073709551615}".to_owned());
        let (read, faults) = form.read(&[source(DatasourceType::Api)], 10);
        assert_eq!(faults, []);
        let kept = json!({"path": "/c", "body": {"id": u64::MAX}, "later": 9_007_199_254_740_993_i64});
        assert_eq!(read.conditions, kept);
    }
}
