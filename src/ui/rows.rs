//! Rows that a look-up gave.

use leptos::prelude::*;
use serde_json::{Map, Value};

use super::value::Plain;

/// `No row`, `1 row`, `25 rows, the first 10 shown`, `More than 100 rows`.
pub fn count_words(count: usize, shown: usize, truncated: bool) -> String {
    let total = match (count, truncated) {
        (0, _) => return "No row".to_owned(),
        (_, true) => format!("More than {count} rows"),
        (1, false) => "1 row".to_owned(),
        (_, false) => format!("{count} rows"),
    };
    if shown < count { format!("{total}, the first {shown} shown") } else { total }
}

/// Rows in the datasource's own order of columns. Wide ones scroll in their box, which the keyboard reaches.
#[component]
pub fn Rows(columns: Vec<String>, rows: Vec<Map<String, Value>>) -> impl IntoView {
    let head = columns
        .iter()
        .map(|column| view! { <th scope="col">{column.clone()}</th> }.into_any())
        .collect_view();
    let body = rows
        .into_iter()
        .map(|mut row| {
            let cells = columns
                .iter()
                .map(|column| {
                    let value = row.shift_remove(column).unwrap_or_default();
                    view! { <td><Plain value/></td> }
                })
                .collect_view();
            view! { <tr>{cells}</tr> }
        })
        .collect_view();
    view! {
        <div class="rows" role="region" aria-label="Rows of the answer" tabindex="0">
            <table class="table">
                <thead>
                    <tr>{head}</tr>
                </thead>
                <tbody>{body}</tbody>
            </table>
        </div>
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_counted_in_words() {
        assert_eq!(count_words(0, 0, false), "No row");
        assert_eq!(count_words(1, 1, false), "1 row");
        assert_eq!(count_words(25, 10, false), "25 rows, the first 10 shown");
        assert_eq!(count_words(100, 10, true), "More than 100 rows, the first 10 shown");
    }
}
