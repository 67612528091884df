//! JSONPath (RFC 9535), and rows made of JSON values.

use std::{fmt, str::FromStr};

use serde_json::Value;

use super::{Cause, LookupError, Rows};

/// A path to the rows of a JSON document, such as `$.items[*]`.
#[derive(Clone, Debug, PartialEq)]
pub struct JsonPath {
    text: String,
    path: serde_json_path::JsonPath,
}

impl FromStr for JsonPath {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        if text.len() > 500 {
            return Err("must have at most 500 bytes".into());
        }
        let path = serde_json_path::JsonPath::parse(text)
            .map_err(|error| format!("is no JSONPath such as $.items[*]: {error}"))?;
        Ok(Self { text: text.to_owned(), path })
    }
}

impl serde::Serialize for JsonPath {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text)
    }
}

impl fmt::Display for JsonPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// What in a document is a row: where `path` leads, or else the document itself. An array means its items,
/// nothing and `null` mean no row.
pub fn items(document: Value, path: Option<&JsonPath>) -> Vec<Value> {
    let Some(path) = path else { return unfold(document) };
    let mut found: Vec<Value> = path.path.query(&document).all().into_iter().cloned().collect();
    match found.pop() {
        Some(only) if found.is_empty() => unfold(only),
        Some(last) => {
            found.push(last);
            found
        }
        None => found,
    }
}

fn unfold(value: Value) -> Vec<Value> {
    match value {
        Value::Array(items) => items,
        Value::Null => Vec::new(),
        other => vec![other],
    }
}

/// Every member that any of the objects has, in order of first appearance; what is no object has one: `value`.
///
/// # Errors
/// More than `Rows::MAX_COLUMNS`.
pub fn columns(items: &[Value]) -> Result<Vec<String>, LookupError> {
    let mut columns = indexmap::IndexSet::new();
    for item in items {
        match item {
            Value::Object(object) => {
                for name in object.keys() {
                    if !columns.contains(name) {
                        columns.insert(name.clone());
                    }
                    if columns.len() > Rows::MAX_COLUMNS {
                        return Err(LookupError::new(
                            Cause::TooLarge,
                            format!("the objects have more than {} different members", Rows::MAX_COLUMNS),
                        ));
                    }
                }
            }
            _ => {
                columns.insert("value".to_owned());
            }
        }
    }
    Ok(columns.into_iter().collect())
}

/// The values of one item in the order of `columns`.
pub fn row(item: Value, columns: &[String]) -> Vec<Value> {
    match item {
        Value::Object(mut object) => {
            columns.iter().map(|column| object.swap_remove(column).unwrap_or_default()).collect()
        }
        other => {
            columns.iter().map(|column| if column == "value" { other.clone() } else { Value::Null }).collect()
        }
    }
}

/// Items as rows.
///
/// # Errors
/// As `columns`.
pub fn rows(mut items: Vec<Value>, max_rows: usize) -> Result<Rows, LookupError> {
    let truncated = items.len() > max_rows;
    items.truncate(max_rows);
    let columns = columns(&items)?;
    let rows = items.into_iter().map(|item| row(item, &columns)).collect();
    Ok(Rows { columns, rows, truncated })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn a_path_leads_to_rows() {
        let document = json!({"total": 2, "items": [{"id": 1}, {"id": 2, "b": "x"}], "one": {"id": 3}});
        for (path, expected) in [
            ("$.items[*]", json!([[1, null], [2, "x"]])),
            ("$.items", json!([[1, null], [2, "x"]])),
            ("$.items[?@.id > 1]", json!([[2, "x"]])),
            ("$.one", json!([[3]])),
            ("$.total", json!([[2]])),
            ("$.none[*]", json!([])),
            ("$..id", json!([[1], [2], [3]])),
        ] {
            let rows = rows(items(document.clone(), Some(&path.parse().expect(path))), 100).expect(path);
            assert_eq!(json!(rows.rows), expected, "{path}");
        }
        assert!("items[".parse::<JsonPath>().is_err());
        assert!(rows(items(json!([1, 2, 3]), None), 2).expect("rows").truncated);
        let many: Value = (0..501).map(|i| (format!("c{i}"), json!(1))).collect();
        assert!(rows(vec![many], 100).is_err());
    }

    proptest! {
        #[test]
        fn any_text_is_a_path_or_refused(text in "\\PC*") {
            let _ = text.parse::<JsonPath>();
        }
    }
}
