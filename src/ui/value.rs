//! JSON values for people.

use leptos::prelude::*;
use serde_json::{Map, Value};

/// A value on one line: text as it is, the rest as JSON. `null` and the empty text are `None`.
pub fn plain(value: &Value) -> Option<String> {
    match value {
        Value::Null => None,
        Value::String(text) if text.is_empty() => None,
        Value::String(text) => Some(text.clone()),
        other => Some(other.to_string()),
    }
}

/// A value in running text. What holds nothing is named, so that it is not overlooked.
#[component]
pub fn Plain(value: Value) -> impl IntoView {
    match plain(&value) {
        Some(text) => view! { <span class="value">{text}</span> }.into_any(),
        None => {
            let what = if value.is_null() { "null" } else { "empty" };
            view! { <span class="value value--none">{what}</span> }.into_any()
        }
    }
}

/// Names and values, one a line. What a member holds in its turn is laid out as JSON below its name.
#[component]
pub fn Members(members: Map<String, Value>) -> impl IntoView {
    let lines = members
        .into_iter()
        .map(|(name, value)| {
            let (class, shown) = match laid_out(&value) {
                Some(text) => {
                    ("facts__line facts__line--below", view! { <pre class="code">{text}</pre> }.into_any())
                }
                None => ("facts__line", view! { <Plain value/> }.into_any()),
            };
            view! {
                <div class=class>
                    <dt>{name}</dt>
                    <dd>{shown}</dd>
                </div>
            }
        })
        .collect_view();
    view! { <dl class="facts facts--code">{lines}</dl> }
}

/// The text of a value with members or items of its own, each on its own line.
fn laid_out(value: &Value) -> Option<String> {
    let has_parts = match value {
        Value::Object(members) => !members.is_empty(),
        Value::Array(items) => !items.is_empty(),
        _ => false,
    };
    has_parts.then(|| format!("{value:#}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn text_is_shown_as_it_is_and_the_rest_as_json() {
        assert_eq!(plain(&json!("a \"b\"")).as_deref(), Some("a \"b\""));
        assert_eq!(plain(&json!(1.50)).as_deref(), Some("1.5"));
        assert_eq!(plain(&json!({"a": [1]})).as_deref(), Some("{\"a\":[1]}"));
        assert_eq!(plain(&json!(null)), None);
        assert_eq!(plain(&json!("")), None);
    }

    #[test]
    fn only_what_has_parts_is_laid_out() {
        assert_eq!(laid_out(&json!({"a": [1]})).as_deref(), Some("{\n  \"a\": [\n    1\n  ]\n}"));
        for whole in [json!({}), json!([]), json!("{}"), json!(1), json!(null)] {
            assert_eq!(laid_out(&whole), None, "{whole}");
        }
    }
}
