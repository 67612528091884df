//! A look-up, as a rule has it (with templates) or as it was asked (with values).

use leptos::prelude::*;
use serde_json::{Map, Value};

use crate::ui::value::{Members, Plain, plain};

/// The parts of a look-up.
#[derive(Debug, Default, PartialEq)]
struct Parts {
    /// What it is: `SQL`, `HTTP` or `Match`.
    kind: &'static str,
    /// The statement, the request line, or the match.
    line: Option<String>,
    /// The values of the placeholders, in order.
    params: Vec<Value>,
    /// In words: how columns are matched, and which answers count.
    notes: Vec<String>,
    /// Whatever else there is.
    rest: Map<String, Value>,
}

impl Parts {
    fn new(lookup: Value) -> Self {
        let Value::Object(mut rest) = lookup else {
            return Self { line: plain(&lookup), ..Self::default() };
        };
        let params = match rest.shift_remove("params") {
            Some(Value::Array(params)) => params,
            Some(other) => {
                rest.insert("params".to_owned(), other);
                Vec::new()
            }
            None => Vec::new(),
        };
        let (kind, line) = if let Some(Value::String(query)) = rest.get("query") {
            let query = query.clone();
            rest.shift_remove("query");
            ("SQL", Some(query))
        } else if ["method", "path", "url"].iter().any(|key| rest.contains_key(*key)) {
            ("HTTP", Some(request_line(&mut rest)))
        } else if let Some(Value::Object(wanted)) = rest.shift_remove("match") {
            ("Match", Some(match_line(&wanted)))
        } else {
            ("", None)
        };
        let columns = listed(&mut rest, "ignore_case", " and ")
            .map(|columns| format!("Upper and lower case are the same in {columns}."));
        let status = listed(&mut rest, "status", " or ")
            .map(|status| format!("It counts as an answer with the status {status}."));
        let notes = columns.into_iter().chain(status).collect();
        rest.retain(|_, value| !is_empty(value));
        Self { kind, line, params, notes, rest }
    }
}

/// Takes a list out of the members: `200 or 404`. What is no list, or holds nothing, stays.
fn listed(rest: &mut Map<String, Value>, name: &str, between: &str) -> Option<String> {
    let items = rest.get(name)?.as_array().filter(|items| !items.is_empty())?;
    let words = items.iter().filter_map(plain).collect::<Vec<_>>().join(between);
    rest.shift_remove(name);
    Some(words)
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(members) => members.is_empty(),
        Value::Bool(_) | Value::Number(_) => false,
    }
}

/// `GET /v1/customers?email=priya@example.org`, readable and so not encoded.
fn request_line(rest: &mut Map<String, Value>) -> String {
    let mut take = |key: &str| rest.shift_remove(key).as_ref().and_then(plain);
    let method = take("method").unwrap_or_else(|| "GET".to_owned());
    let url = take("url");
    let path = take("path");
    let mut line = format!("{method} {}", url.or(path).unwrap_or_default());
    if let Some(Value::Object(query)) = rest.shift_remove("query") {
        for (i, (name, value)) in query.iter().enumerate() {
            let mark = if i == 0 && !line.contains('?') { '?' } else { '&' };
            line.push_str(&format!("{mark}{name}={}", plain(value).unwrap_or_default()));
        }
    }
    line
}

/// `domain = "papierwerk.example"`.
fn match_line(wanted: &Map<String, Value>) -> String {
    wanted.iter().map(|(column, value)| format!("{column} = {value}")).collect::<Vec<_>>().join(" and ")
}

/// A look-up: its line as code, the values of its placeholders in order, and the rest by name.
#[component]
pub fn Lookup(lookup: Value) -> impl IntoView {
    let Parts { kind, line, params, notes, rest } = Parts::new(lookup);
    let params = (!params.is_empty()).then(|| {
        let items =
            params.into_iter().map(|value| view! { <li><Plain value/></li> }.into_any()).collect_view();
        view! {
            <div class="params">
                <span class="params__label">"Values"</span>
                <ol class="params__list">{items}</ol>
            </div>
        }
    });
    view! {
        <div class="lookup" data-testid="lookup">
            {line
                .map(|line| {
                    view! {
                        <div class="code">
                            <span class="code__kind">{kind}</span>
                            <code class="code__text">{line}</code>
                        </div>
                    }
                    .into_any()
                })}
            {params}
            {(!notes.is_empty()).then(|| view! { <p class="hint">{notes.join(" ")}</p> }.into_any())}
            {(!rest.is_empty()).then(|| view! { <Members members=rest/> }.into_any())}
        </div>
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_statement_is_told_from_a_request_and_a_match() {
        let sql = Parts::new(json!({"query": "SELECT 1 WHERE a = ?", "params": ["x"], "column": "a"}));
        assert_eq!((sql.kind, sql.line.as_deref()), ("SQL", Some("SELECT 1 WHERE a = ?")));
        assert_eq!(sql.params, [json!("x")]);
        assert_eq!(sql.rest, *json!({"column": "a"}).as_object().expect("an object"));

        let http =
            Parts::new(json!({"method": "GET", "path": "/c", "query": {"email": "p@x"}, "headers": {}}));
        assert_eq!((http.kind, http.line.as_deref()), ("HTTP", Some("GET /c?email=p@x")));
        assert!(http.rest.is_empty());

        let file = Parts::new(json!({"match": {"domain": "x.example"}}));
        assert_eq!((file.kind, file.line.as_deref()), ("Match", Some("domain = \"x.example\"")));
    }

    #[test]
    fn how_it_is_matched_and_which_answers_count_is_said_in_words() {
        let file = Parts::new(json!({"match": {"domain": "x"}, "ignore_case": ["domain", "email"]}));
        assert_eq!(file.notes, ["Upper and lower case are the same in domain and email."]);
        let http = Parts::new(json!({"method": "GET", "path": "/c", "status": [200, 404]}));
        assert_eq!(http.notes, ["It counts as an answer with the status 200 or 404."]);
        assert!(file.rest.is_empty() && http.rest.is_empty());
        let other = Parts::new(json!({"query": "SELECT 1", "ignore_case": true, "status": []}));
        assert!(other.notes.is_empty());
        assert_eq!(other.rest, *json!({"ignore_case": true}).as_object().expect("an object"));
    }

    #[test]
    fn what_it_does_not_know_is_shown_all_the_same() {
        let parts = Parts::new(json!({"cel": "row.a > 1", "params": {"a": 1}}));
        assert_eq!((parts.kind, parts.line), ("", None));
        assert_eq!(parts.rest.len(), 2);
    }
}
