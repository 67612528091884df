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
        check_extent(text)?;
        Ok(Self { text: text.to_owned(), path })
    }
}

/// A path has at most this many ways to go on: the selectors of its brackets, multiplied.
const MAX_WAYS: usize = 32;

/// Refuses what finds the same values again and again, and takes ages over a small document: `..` below `..`, and
/// lists of selectors below each other. What stands in quotes is a name or a value.
fn check_extent(text: &str) -> Result<(), String> {
    let (mut descents, mut ways) = (0, 1_usize);
    // The selectors of each bracket that is open; 0 for a parenthesis, whose commas part arguments.
    let mut open: Vec<usize> = Vec::new();
    let mut chars = unquoted(text).peekable();
    while let Some(c) = chars.next() {
        match c {
            '.' if chars.peek() == Some(&'.') => descents += 1,
            '[' => open.push(1),
            '(' => open.push(0),
            ']' | ')' => ways = ways.saturating_mul(open.pop().unwrap_or(1).max(1)),
            ',' => {
                if let Some(selectors) = open.last_mut().filter(|selectors| **selectors > 0) {
                    *selectors += 1;
                }
            }
            _ => {}
        }
    }
    if descents > 1 {
        return Err(
            "may hold .. once, filters included: name the members between, as in $..orders[*].items".into()
        );
    }
    if ways > MAX_WAYS {
        return Err(format!("may lead {MAX_WAYS} ways at most, and the lists in its brackets make {ways}"));
    }
    Ok(())
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

impl JsonPath {
    /// Whether it leads to one place at most (RFC 9535, section 2.3.5.1): by names and places alone.
    pub fn is_singular(&self) -> bool {
        let mut before = ' ';
        unquoted(&self.text).all(|c| {
            let is_descent = before == '.' && c == '.';
            before = c;
            !is_descent && !matches!(c, '*' | '?' | ',' | ':')
        })
    }
}

/// What a path says outside of quotes, in which names and values stand.
fn unquoted(text: &str) -> impl Iterator<Item = char> {
    let (mut quote, mut chars) = (None, text.chars());
    std::iter::from_fn(move || {
        loop {
            let c = chars.next()?;
            match (quote, c) {
                (Some(_), '\\') => {
                    chars.next();
                }
                (Some(mark), _) if mark == c => quote = None,
                (Some(_), _) => {}
                (None, '\'' | '"') => quote = Some(c),
                (None, _) => return Some(c),
            }
        }
    })
}

/// What in a document is a row: where `path` leads, or else the document itself. Where that is one place, an array there
/// means its items; where a path may lead to several, each is a row, however many there are. Nothing and `null` mean no row.
pub fn items(document: Value, path: Option<&JsonPath>) -> Vec<Value> {
    match path {
        None => items_of(vec![document], true),
        Some(path) => {
            let found = path.path.query(&document).all().into_iter().cloned().collect();
            items_of(found, path.is_singular())
        }
    }
}

/// What stands in another document of the same shape where the `items` of this one do.
pub fn items_beside(document: &Value, other: &Value, path: Option<&JsonPath>) -> Vec<Value> {
    let Some(path) = path else { return items_of(vec![other.clone()], true) };
    let places = path.path.query_located(document);
    let found = places.locations().filter_map(|place| other.pointer(&place.to_json_pointer()).cloned());
    items_of(found.collect(), path.is_singular())
}

/// Whether the items are those of a list, and not one thing that was asked for.
pub fn are_of_list(document: &Value, path: Option<&JsonPath>) -> bool {
    match path {
        None => document.is_array(),
        Some(path) => !path.is_singular() || path.path.query(document).first().is_some_and(Value::is_array),
    }
}

fn items_of(found: Vec<Value>, is_one_place: bool) -> Vec<Value> {
    let mut items = if is_one_place { found.into_iter().flat_map(unfold).collect() } else { found };
    items.retain(|item| !item.is_null());
    items
}

fn unfold(value: Value) -> Vec<Value> {
    match value {
        Value::Array(items) => items,
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
    Ok(Rows { columns, rows, truncated, ..Rows::default() })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn a_path_leads_to_rows() {
        let document = json!({"total": 2, "items": [{"id": 1}, {"id": 2, "b": "x"}], "one": {"id": 3},
            "orders": [{"lines": ["a"], "chargeback": null}], "nothing": [null, 1]});
        for (path, expected) in [
            ("$.items[*]", json!([[1, null], [2, "x"]])),
            ("$.items", json!([[1, null], [2, "x"]])),
            ("$.items[?@.id > 1]", json!([[2, "x"]])),
            ("$.one", json!([[3]])),
            ("$.total", json!([[2]])),
            ("$.none[*]", json!([])),
            ("$..id", json!([[1], [2], [3]])),
            // As many orders as there are, each is read alike.
            ("$.orders[*].lines", json!([[["a"]]])),
            ("$.orders[*].lines[*]", json!([["a"]])),
            ("$.orders[0].lines", json!([["a"]])),
            ("$.orders[*].chargeback", json!([])),
            ("$['orders'][0]['lines']", json!([["a"]])),
            ("$.nothing", json!([[1]])),
        ] {
            let rows = rows(items(document.clone(), Some(&path.parse().expect(path))), 100).expect(path);
            assert_eq!(json!(rows.rows), expected, "{path}");
        }
        assert!("items[".parse::<JsonPath>().is_err());
        assert!(rows(items(json!([1, 2, 3]), None), 2).expect("rows").truncated);
        let many: Value = (0..501).map(|i| (format!("c{i}"), json!(1))).collect();
        assert!(rows(vec![many], 100).is_err());
    }

    #[test]
    fn of_two_documents_the_same_places_are_found() {
        let document = json!({"items": [{"id": 1, "a/b": [7]}, null, {"id": 2, "a/b": [8, 9]}],
            "one": {"id": 3}});
        let other = json!({"items": [{"id": "A", "a/b": ["G"]}, null, {"id": "B", "a/b": ["H", "I"]}],
            "one": {"id": "C"}});
        for (path, expected) in [
            ("$.items[*].id", json!(["A", "B"])),
            ("$.items[?@.id > 1]", json!([{"id": "B", "a/b": ["H", "I"]}])),
            ("$.items", json!([{"id": "A", "a/b": ["G"]}, {"id": "B", "a/b": ["H", "I"]}])),
            ("$..id", json!(["A", "B", "C"])),
            ("$.items[*]['a/b'][-1:]", json!(["G", "I"])),
            ("$.one", json!([{"id": "C"}])),
            ("$.none", json!([])),
        ] {
            let path: JsonPath = path.parse().expect(path);
            let found = items_beside(&document, &other, Some(&path));
            assert_eq!(Value::from(found), expected, "{path}");
            assert_eq!(items_beside(&document, &document, Some(&path)), items(document.clone(), Some(&path)));
        }
        assert_eq!(items_beside(&document, &other, None), std::slice::from_ref(&other));
        assert_eq!(items_beside(&document["items"], &other["items"], None).len(), 2);
    }

    #[test]
    fn a_path_that_would_find_the_same_again_and_again_is_refused() {
        for path in [
            "$..*..*..*..*..*..*..*..*".to_owned(),
            "$..a..b".to_owned(),
            "$..[?@..a]".to_owned(),
            "$[?@..a && count($..b) > 2]".to_owned(),
            format!("${}", "[0,0]".repeat(50)),
            format!("$[?@{}]", "[*, *]".repeat(6)),
        ] {
            assert!(path.parse::<JsonPath>().expect_err(&path).starts_with("may "), "{path}");
        }
        for path in [
            "$..id",
            "$..[?@.a == '..' || @.b == \"..\"]",
            "$.items[?@..id]",
            "$['..']['a\\'..'].b",
            "$['a', 'b', 'c'][*]['x', 'y']",
            "$[?match(@.a, 'x,y') && match(@.b, '[,]')]",
        ] {
            assert!(path.parse::<JsonPath>().is_ok(), "{path}: {:?}", path.parse::<JsonPath>());
        }
    }

    proptest! {
        #[test]
        fn any_text_is_a_path_or_refused(text in "\\PC*") {
            let _ = text.parse::<JsonPath>();
        }
    }
}
