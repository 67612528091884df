//! The grounds of a verdict: what was asked, what came back, what was compared.

use leptos::prelude::*;
use serde_json::{Map, Value};

use crate::{
    emails::dto::{Compared, Evidence},
    rules::pages::{Lookup, field_words},
    ui::{
        icons::{Glyph, Icon},
        value::Plain,
    },
};

/// What a verdict rests on.
#[component]
pub fn EvidenceView(evidence: Evidence, datasource: Option<String>) -> impl IntoView {
    let Evidence { lookup, columns, rows, row_count, truncated, compared, error } = evidence;
    let is_bare =
        lookup.is_none() && rows.is_none() && row_count.is_none() && compared.is_none() && error.is_none();
    let asked = lookup.map(|lookup| {
        let place = datasource.unwrap_or_else(|| "the datasource".to_owned());
        view! {
            <h4 class="evidence__title">{format!("Asked of {place}")}</h4>
            <Lookup lookup/>
        }
    });
    let answered = (rows.is_some() || row_count.is_some()).then(|| {
        let rows = rows.unwrap_or_default();
        let count = row_count.unwrap_or(rows.len());
        view! { <Answer columns rows count truncated/> }
    });
    view! {
        <div class="evidence" data-testid="evidence">
            {is_bare.then(|| view! { <p class="hint">"Nothing was looked up or compared."</p> })}
            {asked}
            {error
                .map(|error| {
                    view! {
                        <h4 class="evidence__title">"Could not be asked"</h4>
                        <p class="notice tone-attention">
                            <Icon glyph=Glyph::Alert/>
                            <span>{error}</span>
                        </p>
                    }
                })}
            {answered}
            {compared.map(|compared| view! { <Comparison compared/> })}
        </div>
    }
}

/// The rows that came back.
#[component]
fn Answer(
    columns: Vec<String>,
    rows: Vec<Map<String, Value>>,
    count: usize,
    truncated: bool,
) -> impl IntoView {
    let columns = match rows.first() {
        Some(first) if columns.is_empty() => first.keys().cloned().collect(),
        _ => columns,
    };
    let shown = rows.len();
    let table = (shown > 0).then(|| view! { <Rows columns rows/> });
    view! {
        <h4 class="evidence__title">"Answered"</h4>
        <p data-testid="row-count">{count_words(count, shown, truncated)}</p>
        {table}
    }
}

/// `No row`, `1 row`, `25 rows, the first 10 shown`, `More than 100 rows`.
fn count_words(count: usize, shown: usize, truncated: bool) -> String {
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
fn Rows(columns: Vec<String>, rows: Vec<Map<String, Value>>) -> impl IntoView {
    let head = columns.iter().map(|column| view! { <th scope="col">{column.clone()}</th> }).collect_view();
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

/// The two sides of a comparison, side by side.
#[component]
fn Comparison(compared: Compared) -> impl IntoView {
    let Compared { left, actual, expected } = compared;
    view! {
        <h4 class="evidence__title">"Compared"</h4>
        <dl class="compared" data-testid="compared">
            <div class="compared__side">
                <dt>{format!("Found: {}", field_words(&left))}</dt>
                <dd><Plain value=actual/></dd>
            </div>
            <div class="compared__side">
                <dt>"Expected"</dt>
                <dd><Plain value=expected/></dd>
            </div>
        </dl>
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
