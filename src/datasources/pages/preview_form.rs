//! What a look-up is made of, by the kind of its datasource.

use leptos::prelude::*;
use serde_json::{Map, Value, json};

use crate::{
    datasources::dto::{DatasourceType, PreviewInput},
    shared::{FieldError, Problem, exact},
};

/// A look-up as it is typed.
#[derive(Clone, Copy)]
pub struct PreviewForm {
    pub kind: DatasourceType,
    /// Of a file: `match` or `sql`.
    pub way: RwSignal<String>,
    pub query: RwSignal<String>,
    pub params: RwSignal<String>,
    pub wanted: RwSignal<String>,
    pub method: RwSignal<String>,
    pub path: RwSignal<String>,
    pub parameters: RwSignal<String>,
    pub headers: RwSignal<String>,
    pub body: RwSignal<String>,
    pub rows: RwSignal<String>,
    pub fields: RwSignal<String>,
}

impl PreviewForm {
    pub fn new(kind: DatasourceType) -> Self {
        let empty = || RwSignal::new(String::new());
        let text = |text: &str| RwSignal::new(text.to_owned());
        Self {
            kind,
            way: text("sql"),
            query: if kind == DatasourceType::File { text("SELECT * FROM data") } else { empty() },
            params: empty(),
            wanted: empty(),
            method: text("GET"),
            path: text("/"),
            parameters: empty(),
            headers: empty(),
            body: empty(),
            rows: empty(),
            fields: empty(),
        }
    }

    /// The look-up as the server takes it.
    ///
    /// # Errors
    /// 422 naming what cannot be read.
    pub fn input(self) -> Result<PreviewInput, Problem> {
        let mut faults = Vec::new();
        let mut conditions = Map::new();
        match self.kind {
            DatasourceType::Api => {
                conditions.insert("method".into(), self.method.get_untracked().into());
                conditions.insert("path".into(), self.path.get_untracked().into());
                for (name, text) in [("query", self.parameters), ("headers", self.headers)] {
                    let members = pairs(&text.get_untracked(), &format!("conditions.{name}"), &mut faults);
                    if !members.is_empty() {
                        conditions.insert(name.into(), members.into());
                    }
                }
                let body = self.body.get_untracked();
                if !body.trim().is_empty() {
                    match exact::read("conditions.body", &body, "must be JSON") {
                        Ok(body) => drop(conditions.insert("body".into(), body)),
                        Err(fault) => faults.push(fault),
                    }
                }
                let rows = self.rows.get_untracked();
                if !rows.trim().is_empty() {
                    conditions.insert("rows".into(), rows.trim().into());
                }
            }
            DatasourceType::File if self.way.get_untracked() == "match" => {
                let wanted = pairs(&self.wanted.get_untracked(), "conditions.match", &mut faults);
                conditions.insert("match".into(), wanted.into());
            }
            DatasourceType::File | DatasourceType::Database => {
                let params = self.params.get_untracked();
                let params: Vec<&str> =
                    params.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
                conditions.insert("query".into(), self.query.get_untracked().into());
                conditions.insert("params".into(), json!(params));
            }
        }
        let fields = pairs(&self.fields.get_untracked(), "fields", &mut faults);
        if faults.is_empty() {
            Ok(PreviewInput { conditions, fields })
        } else {
            Err(Problem::invalid(faults))
        }
    }
}

/// Lines of `name = value`.
fn pairs(text: &str, field: &str, faults: &mut Vec<FieldError>) -> Map<String, Value> {
    let mut members = Map::new();
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
        match line.split_once('=') {
            Some((name, value)) if !name.trim().is_empty() => {
                members.insert(name.trim().to_owned(), value.trim().into());
            }
            _ => faults.push(FieldError::new(field, format!("“{line}” is not of the form name = value"))),
        }
    }
    members
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_read_as_names_and_values() {
        let mut faults = Vec::new();
        let members = pairs("email = a@b.example\n\n x=1=2\nnonsense", "fields", &mut faults);
        assert_eq!(Value::from(members), json!({"email": "a@b.example", "x": "1=2"}));
        assert_eq!(faults.len(), 1);
        assert_eq!(faults[0].field, "fields");
    }

    #[test]
    fn a_look_up_is_made_by_the_kind_of_its_datasource() {
        let owner = Owner::new();
        owner.set();
        let sql = PreviewForm::new(DatasourceType::Database);
        sql.query.set("SELECT 1 WHERE a = ?".into());
        sql.params.set("x\n".into());
        let made = sql.input().expect("a look-up").conditions;
        assert_eq!(Value::from(made), json!({"query": "SELECT 1 WHERE a = ?", "params": ["x"]}));

        let file = PreviewForm::new(DatasourceType::File);
        file.way.set("match".into());
        file.wanted.set("email = a@b.example".into());
        let made = file.input().expect("a look-up").conditions;
        assert_eq!(Value::from(made), json!({"match": {"email": "a@b.example"}}));

        let api = PreviewForm::new(DatasourceType::Api);
        api.body.set("{".into());
        assert_eq!(api.input().expect_err("no JSON").errors[0].field, "conditions.body");
        api.body.set("{\"id\": 123456789012345678901}".into());
        let refused = api.input().expect_err("a number that would be another");
        assert_eq!(refused.errors, [FieldError::new("conditions.body.id", exact::NOT_KEPT)]);
    }
}
