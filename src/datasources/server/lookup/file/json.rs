//! JSON documents, and JSON Lines (jsonlines.org): one JSON value per line.

use serde_json::Value;

use super::{Cell, Kind, Sheet};
use crate::datasources::server::lookup::{
    Cause, LookupError,
    json_path::{self, JsonPath},
};

pub fn parse(bytes: &[u8], path: Option<&JsonPath>) -> Result<Sheet, LookupError> {
    let document: Value = serde_json::from_slice(without_mark(bytes))
        .map_err(|error| LookupError::new(Cause::File, format!("the file is no JSON: {error}")))?;
    sheet(json_path::items(document, path))
}

pub fn parse_lines(bytes: &[u8]) -> Result<Sheet, LookupError> {
    let mut items = Vec::new();
    for (i, line) in without_mark(bytes).split(|byte| *byte == b'\n').enumerate() {
        if line.iter().all(u8::is_ascii_whitespace) {
            continue;
        }
        items.push(serde_json::from_slice(line).map_err(|error| {
            LookupError::new(Cause::File, format!("line {} of the file is no JSON: {error}", i + 1))
        })?);
    }
    sheet(items)
}

fn without_mark(bytes: &[u8]) -> &[u8] {
    bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes)
}

fn sheet(items: Vec<Value>) -> Result<Sheet, LookupError> {
    let mut columns = json_path::columns(&items)?;
    if columns.is_empty() {
        // No rows, which is an answer; a table needs a column all the same.
        columns.push("value".into());
    }
    // What a value is, it says itself.
    let kinds = vec![Kind::AsIs; columns.len()];
    let names = columns.clone();
    let rows =
        items.into_iter().map(move |item| json_path::row(item, &names).into_iter().map(cell).collect());
    Ok(Sheet { columns, kinds, rows: Box::new(rows) })
}

fn cell(value: Value) -> Cell {
    match value {
        Value::Null => Cell::Null,
        Value::Bool(flag) => Cell::Integer(i64::from(flag)),
        Value::String(text) => Cell::Text(text),
        Value::Number(number) => match (number.as_i64(), number.as_f64()) {
            (Some(integer), _) => Cell::Integer(integer),
            (None, Some(real)) if number.is_f64() => Cell::Real(real),
            _ => Cell::Text(number.to_string()),
        },
        other => Cell::Text(other.to_string()),
    }
}
