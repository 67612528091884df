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

/// Names and values, one a line. Members of members are shown as JSON.
#[component]
pub fn Members(members: Map<String, Value>) -> impl IntoView {
    let lines = members
        .into_iter()
        .map(|(name, value)| {
            view! {
                <div class="facts__line">
                    <dt>{name}</dt>
                    <dd>
                        <Plain value/>
                    </dd>
                </div>
            }
        })
        .collect_view();
    view! { <dl class="facts facts--code">{lines}</dl> }
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
}
