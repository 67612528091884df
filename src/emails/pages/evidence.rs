//! The grounds of a verdict: what was asked, what came back, what was compared.

use leptos::prelude::*;
use leptos_router::location::Url;
use serde_json::{Map, Value};

use crate::{
    app::CurrentTenant,
    emails::dto::{Compared, Evidence},
    rules::{pages::Lookup, words::field_words},
    ui::{
        icons::{Glyph, Icon},
        rows::{Rows, count_words},
        value::Plain,
    },
};

/// What a verdict rests on.
#[component]
pub fn EvidenceView(
    tenant: CurrentTenant,
    evidence: Evidence,
    /// The name that it had when it was asked.
    datasource: Option<String>,
) -> impl IntoView {
    let Evidence { lookup, columns, rows, row_count, truncated, compared, error } = evidence;
    let is_bare =
        lookup.is_none() && rows.is_none() && row_count.is_none() && compared.is_none() && error.is_none();
    let asked = lookup.map(|lookup| {
        let place = match datasource {
            Some(name) => {
                let found = format!("/datasources?q={}", Url::escape(&name));
                view! {
                    <a href=move || tenant.page(&found) data-testid="asked-of">
                        {name}
                    </a>
                }
                .into_any()
            }
            None => "the datasource".into_any(),
        };
        view! {
            <h4 class="evidence__title">"Asked of " {place}</h4>
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
            {is_bare.then(|| view! { <p class="hint">"Nothing was looked up or compared."</p> }.into_any())}
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
                    .into_any()
                })}
            {answered}
            {compared.map(|compared| view! { <Comparison compared/> }.into_any())}
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
    let table = (shown > 0).then(|| view! { <Rows columns rows/> }.into_any());
    view! {
        <h4 class="evidence__title">"Answered"</h4>
        <p data-testid="row-count">{count_words(count, shown, truncated)}</p>
        {table}
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
