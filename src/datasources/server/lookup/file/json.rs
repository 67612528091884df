//! JSON documents, and JSON Lines (jsonlines.org): one JSON value per line. Row by row where it can be: as values, a
//! document takes thirty times its size.

use serde::de::IgnoredAny;
use serde_json::Value;

use super::{
    cell::Cell,
    columns::{Kind, Seen},
    sheet::{Bounds, Sheet, Sink},
};
use crate::datasources::server::lookup::{
    Cause, LookupError, Rows,
    json_path::{self, JsonPath},
};

/// What one row may take as a value, or a document that cannot be read row by row: bytes.
const MAX_VALUE: usize = 256 << 20;
/// About what each value takes, and each name of a member.
const VALUE: usize = 100;
const NAME: usize = 150;

pub fn parse<'b>(bytes: &'b [u8], path: Option<&JsonPath>, bounds: Bounds) -> Result<Sheet<'b>, LookupError> {
    let bytes = without_mark(bytes);
    serde_json::from_slice::<IgnoredAny>(bytes).map_err(|error| no_json(&error))?;
    sheet(Items::of(bytes.trim_ascii(), path)?, bounds)
}

pub fn parse_lines(bytes: &[u8], bounds: Bounds) -> Result<Sheet<'_>, LookupError> {
    sheet(Items::Lines(without_mark(bytes)), bounds)
}

fn without_mark(bytes: &[u8]) -> &[u8] {
    bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes)
}

fn no_json(error: &serde_json::Error) -> LookupError {
    LookupError::new(Cause::File, format!("the file is no JSON: {error}"))
}

/// What becomes rows.
enum Items<'b> {
    /// One per line.
    Lines(&'b [u8]),
    /// Those of an array.
    Of(&'b [u8]),
    One(&'b [u8]),
    /// Values that a path led to.
    Found(Vec<Value>),
}

impl<'b> Items<'b> {
    /// As `json_path::items`, without reading the document where a path only names members on its way.
    fn of(document: &'b [u8], path: Option<&JsonPath>) -> Result<Self, LookupError> {
        let Some(path) = path else { return Ok(Self::unfold(document)) };
        let text = path.to_string();
        if let Some((names, takes_items)) = names(&text) {
            let mut place = Some(document);
            for name in names {
                place = place.filter(|place| place.starts_with(b"{")).and_then(|place| member(place, name));
            }
            match place {
                None => return Ok(Self::Found(Vec::new())),
                Some(place) if !takes_items => return Ok(Self::unfold(place)),
                Some(place) if place.starts_with(b"[") => return Ok(Self::Of(place)),
                // An object's members are items, too.
                Some(_) => {}
            }
        }
        // What the path leads to is there twice for a while.
        let document = value(document, MAX_VALUE / 2)?;
        Ok(Self::Found(json_path::items(document, Some(path))))
    }

    fn unfold(place: &'b [u8]) -> Self {
        if place.starts_with(b"[") {
            Self::Of(place)
        } else if place == b"null" {
            Self::Found(Vec::new())
        } else {
            Self::One(place)
        }
    }

    fn each(&self, take: &mut dyn FnMut(Value) -> Result<(), LookupError>) -> Result<(), LookupError> {
        match self {
            Self::Lines(lines) => {
                for (i, line) in lines.split(|byte| *byte == b'\n').enumerate() {
                    let line = line.trim_ascii();
                    if !line.is_empty() {
                        take(value(line, MAX_VALUE).map_err(|error| {
                            LookupError::new(error.cause, format!("line {} of {error}", i + 1))
                        })?)?;
                    }
                }
                Ok(())
            }
            Self::Of(array) => parts(array)
                .filter(|part| part.trim_ascii() != b"null".as_slice())
                .try_for_each(|part| take(value(part, MAX_VALUE)?)),
            Self::One(one) => take(value(one, MAX_VALUE)?),
            Self::Found(values) => values.iter().try_for_each(|value| take(value.clone())),
        }
    }
}

/// Reads a value that takes no more than `most` bytes, about.
fn value(text: &[u8], most: usize) -> Result<Value, LookupError> {
    let mut size = text.len() + VALUE;
    for (_, mark) in marks(text) {
        size += match mark {
            b':' => NAME,
            b',' | b'[' | b'{' => VALUE,
            _ => 0,
        };
    }
    if size > most {
        return Err(LookupError::new(
            Cause::TooLarge,
            "the file holds more in one place than can be read at once: it is best an array of objects, or JSON Lines",
        ));
    }
    serde_json::from_slice(text).map_err(|error| no_json(&error))
}

/// The names on the way of a path such as `$.a['b c'][*]`, and whether it ends with all items; none for other paths.
pub fn names(path: &str) -> Option<(Vec<&str>, bool)> {
    let path = path.trim().strip_prefix('$')?;
    let (mut path, takes_items) = match path.strip_suffix("[*]") {
        Some(path) => (path, true),
        None => (path, false),
    };
    let mut names = Vec::new();
    while !path.is_empty() {
        let (name, rest) = first_name(path)?;
        names.push(name);
        path = rest;
    }
    Some((names, takes_items))
}

/// The name that a path goes on with, as `.name` or `['name']` without escapes, and what follows it.
fn first_name(path: &str) -> Option<(&str, &str)> {
    if let Some(path) = path.strip_prefix('.') {
        let (name, rest) = path.split_at(path.find(['.', '[']).unwrap_or(path.len()));
        let is_name = !name.starts_with(|c: char| c.is_ascii_digit())
            && !name.is_empty()
            && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
        return is_name.then_some((name, rest));
    }
    let path = path.strip_prefix('[')?;
    let mark = path.chars().next().filter(|c| matches!(c, '\'' | '"'))?;
    let (name, rest) = path.strip_prefix(mark)?.split_once(mark)?;
    let rest = rest.strip_prefix(']')?;
    (!name.contains('\\')).then_some((name, rest))
}

/// The value of a member. Of several with one name, the last counts.
fn member<'b>(object: &'b [u8], name: &str) -> Option<&'b [u8]> {
    let named = |part: &'b [u8]| {
        let mut start = serde_json::Deserializer::from_slice(part).into_iter::<String>();
        let is_it = start.next()?.ok()? == name;
        let value = part.get(start.byte_offset()..)?.trim_ascii_start().strip_prefix(b":")?;
        is_it.then(|| value.trim_ascii())
    };
    parts(object).filter_map(named).last()
}

/// What lies directly in an array, or the members of an object, of JSON that is known to be some.
fn parts(container: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = container.get(1..container.len().saturating_sub(1)).unwrap_or_default();
    std::iter::from_fn(move || {
        if rest.trim_ascii_start().is_empty() {
            return None;
        }
        let mut depth = 0_usize;
        let comma = marks(rest).find(|(_, mark)| {
            match mark {
                b'[' | b'{' => depth += 1,
                b']' | b'}' => depth = depth.saturating_sub(1),
                _ => {}
            }
            *mark == b',' && depth == 0
        });
        let part = match comma {
            Some((at, _)) => {
                let (part, after) = rest.split_at(at);
                rest = after.get(1..).unwrap_or_default();
                part
            }
            None => std::mem::take(&mut rest),
        };
        Some(part.trim_ascii())
    })
}

/// The marks of JSON outside of its texts, with their places.
fn marks(text: &[u8]) -> impl Iterator<Item = (usize, u8)> {
    let (mut is_text, mut is_escaped) = (false, false);
    text.iter().copied().enumerate().filter(move |(_, byte)| {
        if is_text {
            match byte {
                _ if is_escaped => is_escaped = false,
                b'\\' => is_escaped = true,
                b'"' => is_text = false,
                _ => {}
            }
            return false;
        }
        is_text = *byte == b'"';
        matches!(byte, b',' | b':' | b'[' | b']' | b'{' | b'}')
    })
}

fn sheet(items: Items<'_>, mut bounds: Bounds) -> Result<Sheet<'_>, LookupError> {
    let mut seen: indexmap::IndexMap<String, Seen> = indexmap::IndexMap::new();
    items.each(&mut |item| {
        let mut size = 0;
        let mut see = |name: &str, value: Value| {
            let cell = cell(value);
            size += cell.size();
            match seen.get_mut(name) {
                Some(seen) => seen.cell(&cell),
                None => seen.entry(name.to_owned()).or_default().cell(&cell),
            }
        };
        match item {
            Value::Object(members) => members.into_iter().for_each(|(name, value)| see(&name, value)),
            other => see("value", other),
        }
        if seen.len() > Rows::MAX_COLUMNS {
            return Err(LookupError::new(
                Cause::TooLarge,
                format!("the objects have more than {} different members", Rows::MAX_COLUMNS),
            ));
        }
        bounds.row(seen.len(), size)
    })?;
    if seen.is_empty() {
        // No rows, which is an answer; a table needs a column all the same.
        seen.insert("value".into(), Seen::default());
    }
    // What a value is, it says itself.
    let columns = seen.iter().map(|(name, seen)| seen.column(name.clone(), Kind::AsIs)).collect();
    let names: Vec<String> = seen.into_keys().collect();
    let rows = move |sink: Sink<'_>| {
        items.each(&mut |item| sink(json_path::row(item, &names).into_iter().map(cell).collect()))
    };
    Ok(Sheet { columns, rows: Box::new(rows), sheets: None })
}

fn cell(value: Value) -> Cell {
    match value {
        Value::Null => Cell::Null,
        Value::Bool(flag) => Cell::Boolean(flag),
        Value::String(text) => Cell::Text(text),
        Value::Number(number) => match (number.as_i64(), number.as_f64()) {
            (Some(integer), _) => Cell::Integer(integer),
            (None, Some(real)) if number.is_f64() => Cell::Real(real),
            _ => Cell::Text(number.to_string()),
        },
        other => Cell::Text(other.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_path_of_names_leads_where_any_path_leads() {
        let text = br#" {"total": 2, "a,b": "]", "data": {"x": 1}, "data" : {"items" :[ {"id":1, "t":"\"],["} ,{"id":2}]},
            "one": [[3, 4]], "none": null, "empty": [ ], "n": [null, {"id": 5}], "it's": {"id": 6}, "": 7} "#;
        let document: Value = serde_json::from_slice(text).expect("JSON");
        for path in [
            "$",
            "$[*]",
            "$.data",
            "$.data.items",
            "$.data.items[*]",
            "$.data[*]",
            "$.one",
            "$.one[*]",
            "$.none",
            "$.none[*]",
            "$.empty[*]",
            "$.total",
            "$.total[*]",
            "$.total.x",
            "$.n",
            "$.nothing",
            "$['data']['items'][*]",
            "$[\"data\"].items",
            "$.data['items']",
            "$['a,b']",
            "$[\"it's\"]",
            "$['it\\'s']",
            "$['\\u0064ata']",
            "$['']",
            "$['data', 'total']",
            "$['nothing'][*]",
            "$.data.items[?@.id > 1]",
            "$..id",
        ] {
            let path: JsonPath = path.parse().expect(path);
            let mut found = Vec::new();
            let items = Items::of(text.trim_ascii(), Some(&path)).expect("items");
            let mut take = |item| {
                found.push(item);
                Ok(())
            };
            items.each(&mut take).expect("items");
            assert_eq!(json!(found), json!(json_path::items(document.clone(), Some(&path))), "{path}");
        }
    }

    #[test]
    fn each_column_has_the_kind_of_all_its_values() {
        let sheet = parse_lines(
            b"{\"n\": 1, \"r\": 1.5, \"t\": \"x\", \"b\": true, \"m\": 1}\n\n{\"n\": 2, \"r\": 2, \"b\": null, \"m\": \"1\"}\n",
            Bounds::default(),
        )
        .expect("reads");
        assert_eq!(sheet.names(), ["n", "r", "t", "b", "m"]);
        assert_eq!(sheet.kinds(), [Kind::Integer, Kind::Real, Kind::Text, Kind::Boolean, Kind::AsIs]);
        assert_eq!(sheet.all()[1][3], Cell::Null);
        let broken = parse_lines(b"1\n{", Bounds::default()).err().expect("refused");
        assert!(broken.message.starts_with("line 2 of the file is no JSON: "), "{broken}");
    }

    #[test]
    fn more_values_than_memory_is_for_are_refused_before_they_are_there() {
        let many = format!("[{}1]", "1,".repeat(3_000_000));
        let bounds = Bounds { bytes: 1_000, ..Bounds::default() };
        for (text, path) in [(&many, None), (&many, Some("$[?@ > 0]")), (&format!("[{many}]"), None)] {
            let path: Option<JsonPath> = path.map(|path| path.parse().expect("a path"));
            let refused = parse(text.as_bytes(), path.as_ref(), bounds).err().expect("refused");
            assert_eq!(refused.cause, Cause::TooLarge, "{refused}");
        }
        assert!(parse(many.as_bytes(), None, Bounds::default()).is_ok());
        // Behind names, however they are written, the document is not read as a value.
        let behind = format!("{{\"a b\": {{\"c\": {many}}}}}");
        for path in ["$['a b'].c", "$[\"a b\"]['c'][*]"] {
            let path: JsonPath = path.parse().expect("a path");
            assert!(matches!(Items::of(behind.as_bytes(), Some(&path)), Ok(Items::Of(_))), "{path}");
        }
    }
}
