//! The rows of an answer.

use serde_json::Value;

use super::document::Document;
use crate::datasources::server::lookup::{
    Cause, LookupError, Rows, file,
    json_path::{self, JsonPath},
};

/// The rows of a document. One that tells of errors and has no data (GraphQL; JSON:API, section 7) does not say that there
/// are none. What it tells is not repeated: it may hold what was sent. `has_next` says that there is another page after it,
/// which only a list has: of one thing, it is the thing after it.
///
/// # Errors
/// Where the document says neither which rows there are nor that there are none: `Cause::Answer`, `Cause::Refused` where another
/// try would not do, and `Cause::TooLarge` where the next page may say it.
pub fn picked(
    document: Document,
    path: Option<&JsonPath>,
    may_be_left_out: bool,
    has_next: bool,
    max_rows: usize,
) -> Result<Rows, LookupError> {
    let Document { value, written } = document;
    let has_errors = value.get("errors").and_then(Value::as_array).is_some_and(|errors| !errors.is_empty());
    let has_failed = has_errors && value.get("data").is_none_or(Value::is_null);
    let lack = path.and_then(|path| told_lack(&value, path, may_be_left_out));
    let is_page = has_next && json_path::are_of_list(&value, path);
    let written = written.map(|written| json_path::items_beside(&value, &written, path));
    let mut rows = json_path::rows(json_path::items(value, path), max_rows)?;
    // A path may lead to rows all the same, and be that of the errors.
    if has_failed && (path.is_none() || rows.rows.is_empty()) {
        return Err(LookupError::new(Cause::Answer, "the API answered with errors, and without data"));
    }
    if let Some(words) = lack {
        return Err(LookupError::new(Cause::Refused, words));
    }
    if is_page && rows.rows.is_empty() {
        let words = "the answer has no rows, and tells of a next page, which is not read";
        return Err(LookupError::new(Cause::TooLarge, words));
    }
    rows.truncated |= is_page;
    if let Some(written) = written {
        keep_digits(&mut rows, written);
    }
    Ok(rows)
}

/// Puts the digits of long numbers into the cells that are such. Deeper in a cell they stay doubles, as expressions take them.
fn keep_digits(rows: &mut Rows, written: Vec<Value>) {
    for (place, (row, written)) in rows.rows.iter_mut().zip(written).enumerate() {
        let written = json_path::row(written, &rows.columns);
        for (column, (cell, written)) in row.iter_mut().zip(written).enumerate() {
            if cell.is_number() && written.is_string() {
                *cell = written;
                rows.decimals.insert((place, column));
            }
        }
    }
}

/// As `lack`, with what there is to do.
fn told_lack(document: &Value, path: &JsonPath, may_be_left_out: bool) -> Option<String> {
    let words = lack(document, path, may_be_left_out)?;
    let would_do = lack(document, path, true).is_none();
    Some(if would_do {
        format!("{words}; where an empty list is left out, say \"rows_optional\": true")
    } else {
        words
    })
}

/// What the document lacks to be an answer, where the path is that of a list, as `$.data.items[*]` is: a list that is not
/// there is not an empty one. An object's members are items, too, and `null` is how some write a list without any.
fn lack(document: &Value, path: &JsonPath, may_be_left_out: bool) -> Option<String> {
    let text = path.to_string();
    let (names, true) = file::names(&text)? else { return None };
    let list = names.join(".");
    let mut place = document;
    for (depth, name) in names.into_iter().enumerate() {
        // What an API leaves out may have been in what it leaves out as well. The document itself is always there.
        let is_left_out = may_be_left_out && (place.is_object() || (depth > 0 && is_nothing(place)));
        match place.as_object().and_then(|members| members.get(name)) {
            Some(value) => place = value,
            None if is_left_out => return None,
            None => return Some(format!("the answer has no `{list}`")),
        }
    }
    match place {
        Value::Array(_) | Value::Object(_) | Value::Null => None,
        nothing if may_be_left_out && is_nothing(nothing) => None,
        _ if list.is_empty() => Some("the answer is no list".to_owned()),
        _ => Some(format!("the answer's `{list}` is no list")),
    }
}

/// Whether it says that there is nothing: PHP programs write `""` or `false`, too.
fn is_nothing(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => true,
        Value::String(text) => text.is_empty(),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::datasources::server::lookup::http_api::document;

    fn path(text: &str) -> Option<JsonPath> {
        Some(text.parse().expect("a path"))
    }

    fn rows_of(
        document: &Value,
        path: Option<&JsonPath>,
        may_be_left_out: bool,
    ) -> Result<Rows, LookupError> {
        let document = Document { value: document.clone(), written: None };
        picked(document, path, may_be_left_out, false, 10)
    }

    #[test]
    fn errors_without_data_are_no_answer() {
        let said = json!([{"message": "no such field"}]);
        for (document, path, rows) in [
            (json!({"errors": said, "data": null}), path("$.data.orders[*]"), None),
            (json!({"errors": said}), path("$.data"), None),
            (json!({"errors": said, "meta": {}}), None, None),
            (json!({"errors": said, "data": {"orders": []}}), path("$.data.orders[*]"), Some(0)),
            (json!({"errors": said, "data": {"orders": [1]}}), path("$.data.orders[*]"), Some(1)),
            (json!({"errors": said, "orders": [1, 2]}), path("$.orders"), Some(2)),
            (json!({"errors": said}), path("$.errors[*]"), Some(1)),
            (json!({"errors": [], "data": null}), path("$.data"), Some(0)),
            (json!({"errors": 0}), path("$.data"), Some(0)),
            (json!({"errors": {"a": 1}}), None, Some(1)),
            (json!([{"errors": said}]), None, Some(1)),
        ] {
            match (rows_of(&document, path.as_ref(), false), rows) {
                (Ok(found), Some(rows)) => assert_eq!(found.rows.len(), rows, "{document}"),
                (Err(error), None) => assert_eq!(error.cause, Cause::Answer, "{document}"),
                (answer, _) => panic!("{document}: {answer:?}"),
            }
        }
        let both = rows_of(&json!({"errors": said}), path("$.data.orders[*]").as_ref(), false);
        let words = "the API answered with errors, and without data";
        assert_eq!(both.expect_err("no answer").message, words, "it says more than what is not there");
    }

    #[test]
    fn a_list_that_is_not_there_is_no_empty_one() {
        let missing = "the answer has no `items`";
        let no_list = "the answer's `items` is no list";
        let deep = "the answer has no `data.items`";
        for (at, document, strictly, if_optional) in [
            ("$.items[*]", json!({"items": [1, 2]}), Ok(2), Ok(2)),
            ("$.items[*]", json!({"items": []}), Ok(0), Ok(0)),
            ("$.items[*]", json!({"items": null}), Ok(0), Ok(0)),
            ("$.items[*]", json!({"items": {"a": 1}}), Ok(1), Ok(1)),
            ("$.items[*]", json!({"items": {}}), Ok(0), Ok(0)),
            ("$['items'][*]", json!({}), Err(missing), Ok(0)),
            ("$.items[*]", json!({"status": "error", "message": "maintenance"}), Err(missing), Ok(0)),
            ("$.items[*]", json!(null), Err(missing), Err(missing)),
            ("$.items[*]", json!("not found"), Err(missing), Err(missing)),
            ("$.items[*]", json!(42), Err(missing), Err(missing)),
            ("$.items[*]", json!([{"items": [1]}]), Err(missing), Err(missing)),
            ("$.items[*]", json!({"items": "none"}), Err(no_list), Err(no_list)),
            ("$.items[*]", json!({"items": ""}), Err(no_list), Ok(0)),
            ("$.items[*]", json!({"items": false}), Err(no_list), Ok(0)),
            ("$.items[*]", json!({"items": true}), Err(no_list), Err(no_list)),
            ("$.items[*]", json!({"items": 0}), Err(no_list), Err(no_list)),
            ("$.data.items[*]", json!({"data": {"items": [1]}}), Ok(1), Ok(1)),
            ("$.data.items[*]", json!({"data": {}}), Err(deep), Ok(0)),
            ("$.data.items[*]", json!({"data": null}), Err(deep), Ok(0)),
            ("$.data.items[*]", json!({"data": false}), Err(deep), Ok(0)),
            ("$.data.items[*]", json!({}), Err(deep), Ok(0)),
            ("$.data.items[*]", json!({"data": "x"}), Err(deep), Err(deep)),
            ("$[*]", json!([]), Ok(0), Ok(0)),
            ("$[*]", json!(null), Ok(0), Ok(0)),
            ("$[*]", json!("none"), Err("the answer is no list"), Err("the answer is no list")),
            // Those that may lead to nothing.
            ("$.items", json!({}), Ok(0), Ok(0)),
            ("$.items[?@.id]", json!({}), Ok(0), Ok(0)),
            ("$.items[0].lines[*]", json!({"items": []}), Ok(0), Ok(0)),
            ("$..items[*]", json!({}), Ok(0), Ok(0)),
        ] {
            // Who asks for it is told what to do, where that would help.
            let advice = match if_optional {
                Ok(_) => "; where an empty list is left out, say \"rows_optional\": true",
                Err(_) => "",
            };
            let strictly = strictly.map_err(|words: &str| format!("{words}{advice}"));
            for (may_be_left_out, expected) in [(false, strictly), (true, if_optional.map_err(str::to_owned))]
            {
                let found = rows_of(&document, path(at).as_ref(), may_be_left_out);
                // Asked again it says the same, and others are answered meanwhile.
                let is_final = found.as_ref().err().is_none_or(|error| !error.transient());
                assert!(is_final, "{at} {document}: {found:?}");
                let found = found.map(|rows| rows.rows.len()).map_err(|error| error.message);
                assert_eq!(found, expected, "{at} {document} {may_be_left_out}");
            }
        }
    }

    #[test]
    fn a_next_page_is_heeded_of_a_list_alone() {
        let one = json!({"id": 1, "items": [{"id": 2}], "none": []});
        for (document, at, truncated) in [
            (json!([{"id": 1}]), None, Ok(true)),
            (json!([]), None, Err(Cause::TooLarge)),
            (one.clone(), None, Ok(false)),
            (one.clone(), path("$.items[*]"), Ok(true)),
            (one.clone(), path("$.items"), Ok(true)),
            (one.clone(), path("$.items[?@.id > 5]"), Err(Cause::TooLarge)),
            (one.clone(), path("$.none[*]"), Err(Cause::TooLarge)),
            (one.clone(), path("$.items[0]"), Ok(false)),
            (one.clone(), path("$.id"), Ok(false)),
            (one, path("$.customer"), Ok(false)),
        ] {
            let found = |has_next| {
                let document = Document { value: document.clone(), written: None };
                let rows = picked(document, at.as_ref(), false, has_next, 10);
                rows.map(|rows| rows.truncated).map_err(|error| error.cause)
            };
            assert_eq!(found(true), truncated, "{document} {at:?}");
            assert_eq!(found(false), Ok(false), "{document} {at:?}");
        }
    }

    #[test]
    fn the_digits_of_a_long_number_are_kept_and_it_is_a_number() {
        let text = br#"{"items": [null, {"id": 12345678901234567890123, "n": 7, "of": {"id": 12345678901234567890123}},
            {"id": "12345678901234567890123", "n": 1234567890123456789012}]}"#;
        let read = || document::read(&reqwest::header::HeaderMap::new(), text).expect("is JSON");
        let digits = "12345678901234567890123";
        let double: f64 = digits.parse().expect("a number");
        let all = [
            vec![json!(digits), json!(7), json!({"id": double})],
            vec![json!(digits), json!("1234567890123456789012"), json!(null)],
        ];
        let found = picked(read(), path("$.items[*]").as_ref(), false, false, 10).expect("rows");
        assert_eq!((&found.rows[..], found.decimals), (&all[..], [(0, 0), (1, 1)].into()));
        // Where the rows are is found out by numbers, as ever.
        let found = picked(read(), path("$.items[?@.n > 10]").as_ref(), false, false, 10).expect("rows");
        assert_eq!((&found.rows[..], found.decimals), (&[all[1][..2].to_vec()][..], [(0, 1)].into()));
        let found = picked(read(), path("$.items[1].id").as_ref(), false, false, 10).expect("rows");
        assert_eq!((&found.rows[..], found.decimals), (&[vec![json!(digits)]][..], [(0, 0)].into()));
    }
}
