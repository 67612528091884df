//! The look-up of a rule in the editor.

use leptos::prelude::*;
use serde_json::{Map, Value};

use super::rule_form::{Slot, is_scalar, put_text, take, take_text};
use crate::{
    datasources::dto::DatasourceType,
    shared::{FieldError, exact},
};

/// The members that look something up, for each kind of datasource.
#[derive(Clone, Copy)]
pub struct LookupForm {
    /// How a file is asked: `match` by columns, or `query` in SQL.
    pub by: RwSignal<String>,
    pub query: RwSignal<String>,
    pub params: RwSignal<Vec<Slot>>,
    pub columns: RwSignal<Vec<Slot>>,
    pub method: RwSignal<String>,
    pub path: RwSignal<String>,
    pub arguments: RwSignal<Vec<Slot>>,
    pub headers: RwSignal<Vec<Slot>>,
    /// JSON, or empty.
    pub body: RwSignal<String>,
    /// Numbers with commas between them.
    pub status: RwSignal<String>,
    pub rows: RwSignal<String>,
    /// The members that there were, so that those with the value that counts anyway stay written.
    had: StoredValue<Vec<&'static str>>,
    /// Whether it is stored with a datasource that it asks nothing: it judges its own field.
    asks_nothing: StoredValue<bool>,
}

/// Members that may be left out, and that a form cannot tell from their being there.
const OPTIONAL: [&str; 5] = ["method", "params", "query", "headers", "status"];

impl LookupForm {
    pub fn take(members: &mut Map<String, Value>, has_datasource: bool) -> Self {
        let asks = ["query", "match", "path"].iter().any(|name| members.contains_key(*name));
        let asks_nothing = has_datasource && !members.is_empty() && !asks;
        let had = OPTIONAL.into_iter().filter(|name| members.contains_key(*name)).collect();
        let params = take(members, "params", |value| {
            let items = value.as_array().filter(|items| items.iter().all(is_scalar))?;
            Some(items.iter().map(|item| Slot::new("", item)).collect())
        });
        let columns: Option<Vec<Slot>> = take(members, "match", named);
        let by = if columns.is_some() { "match" } else { "query" };
        let arguments = take(members, "query", named);
        let status = take(members, "status", |value| {
            let items = value.as_array().filter(|items| items.iter().all(Value::is_u64))?;
            Some(items.iter().map(Value::to_string).collect::<Vec<_>>().join(", "))
        });
        let body = members.shift_remove("body").filter(|body| !body.is_null());
        let body = body.and_then(|body| serde_json::to_string_pretty(&body).ok());
        let method = take_text(members, "method");
        if method.read_untracked().is_empty() {
            method.set("GET".to_owned());
        }
        Self {
            by: RwSignal::new(by.to_owned()),
            query: take_text(members, "query"),
            params: RwSignal::new(params.unwrap_or_default()),
            columns: RwSignal::new(columns.unwrap_or_default()),
            method,
            path: take_text(members, "path"),
            arguments: RwSignal::new(arguments.unwrap_or_default()),
            headers: RwSignal::new(take(members, "headers", named).unwrap_or_default()),
            body: RwSignal::new(body.unwrap_or_default()),
            status: RwSignal::new(status.unwrap_or_default()),
            rows: take_text(members, "rows"),
            had: StoredValue::new(had),
            asks_nothing: StoredValue::new(asks_nothing),
        }
    }

    /// Puts in what a datasource of this kind is asked by.
    pub fn put(
        self,
        kind: Option<DatasourceType>,
        members: &mut Map<String, Value>,
        faults: &mut Vec<FieldError>,
    ) {
        match kind {
            None => {}
            Some(_) if self.asks_nothing.get_value() && self.is_blank() => {}
            Some(DatasourceType::File) if *self.by.read() == "match" => {
                members.insert("match".to_owned(), object("match", self.columns, faults));
            }
            Some(DatasourceType::Database | DatasourceType::File) => {
                members.insert("query".to_owned(), self.query.get().into());
                let params: Vec<Value> = self.params.get().into_iter().map(Slot::read).collect();
                self.put_some("params", params.is_empty(), params.into(), members);
            }
            Some(DatasourceType::Api) => self.put_request(members, faults),
        }
    }

    fn is_blank(self) -> bool {
        [self.query, self.path, self.body, self.status, self.rows].iter().all(|text| text.read().is_empty())
            && [self.params, self.columns, self.arguments, self.headers]
                .iter()
                .all(|lines| lines.read().is_empty())
    }

    fn put_request(self, members: &mut Map<String, Value>, faults: &mut Vec<FieldError>) {
        let method = self.method.get();
        self.put_some("method", method == "GET", method.into(), members);
        members.insert("path".to_owned(), self.path.get().into());
        for (name, slots) in [("query", self.arguments), ("headers", self.headers)] {
            self.put_some(name, slots.read().is_empty(), object(name, slots, faults), members);
        }
        let body = self.body.get();
        if !body.trim().is_empty() {
            match exact::read("conditions.body", &body, "must be JSON") {
                Ok(body) => drop(members.insert("body".to_owned(), body)),
                Err(fault) => faults.push(fault),
            }
        }
        let status = self.status.get();
        let numbers: Result<Vec<u16>, _> =
            status.split(',').map(str::trim).filter(|part| !part.is_empty()).map(str::parse).collect();
        match numbers {
            Ok(numbers) => self.put_some("status", numbers.is_empty(), numbers.into(), members),
            Err(_) => {
                faults.push(FieldError::new("conditions.status", "must be numbers such as 200, 404"));
            }
        }
        put_text(members, "rows", self.rows);
    }

    /// A member that means nothing is written only where it was.
    fn put_some(self, name: &'static str, is_empty: bool, value: Value, members: &mut Map<String, Value>) {
        if !is_empty || self.had.with_value(|had| had.contains(&name)) {
            members.insert(name.to_owned(), value);
        }
    }
}

/// The members of an object whose values fit into fields.
fn named(value: &Value) -> Option<Vec<Slot>> {
    let members = value.as_object().filter(|members| members.values().all(is_scalar))?;
    Some(members.iter().map(|(name, value)| Slot::new(name, value)).collect())
}

/// An object of what the lines hold. It has one value of each name: what it has no place for is told.
fn object(member: &str, slots: RwSignal<Vec<Slot>>, faults: &mut Vec<FieldError>) -> Value {
    let mut members = Map::new();
    for (i, slot) in slots.get().into_iter().enumerate() {
        let name = slot.name.get();
        let fault = if name.is_empty() {
            (!slot.value.read().is_empty()).then_some("must not be empty")
        } else {
            members.contains_key(&name).then_some("stands twice")
        };
        faults.extend(fault.map(|fault| FieldError::new(format!("conditions.{member}.name[{i}]"), fault)));
        members.insert(name, slot.read());
    }
    members.into()
}
