//! What was done with a message, and by whom.

use leptos::prelude::*;
use serde_json::Value;

use crate::{
    emails::dto::HistoryEntry,
    shared::Problem,
    ui::{
        icons::{Glyph, Icon},
        time::Timestamp,
    },
};

/// What was done, or why that could not be had.
pub type KnownHistory = Result<Vec<HistoryEntry>, Problem>;

/// Newest first. Nothing, where nothing was done.
#[component]
pub fn History(entries: KnownHistory) -> impl IntoView {
    match entries {
        Ok(entries) => view! { <Entries entries/> }.into_any(),
        Err(problem) => view! { <NoHistory problem/> }.into_any(),
    }
}

/// A message without a history would read as one with which nothing was done.
#[component]
fn NoHistory(problem: Problem) -> impl IntoView {
    let words = format!("What was done with it could not be had. {}", problem.detail);
    view! {
        <section class="section" aria-labelledby="history">
            <h2 id="history">"History"</h2>
            <p class="notice tone-bad" data-testid="no-history">
                <Icon glyph=Glyph::Alert/>
                <span>{words}</span>
            </p>
        </section>
    }
}

#[component]
fn Entries(entries: Vec<HistoryEntry>) -> impl IntoView {
    let items = entries
        .into_iter()
        .map(|entry| {
            let (glyph, words) = words(&entry);
            view! {
                <li class="history__entry" data-testid="history-entry">
                    <Icon glyph/>
                    <span class="history__words">{words}</span>
                    <span class="hint">
                        {entry.actor}
                        " · "
                        <Timestamp at=entry.occurred_at/>
                    </span>
                </li>
            }
        })
        .collect::<Vec<_>>();
    (!items.is_empty()).then(|| {
        view! {
            <section class="section" aria-labelledby="history">
                <h2 id="history">"History"</h2>
                <ol class="history">{items}</ol>
            </section>
        }
        .into_any()
    })
}

fn words(entry: &HistoryEntry) -> (Glyph, String) {
    let detail = |name: &str| {
        entry.detail.as_ref().and_then(|detail| detail.get(name)).and_then(Value::as_str).unwrap_or_default()
    };
    match entry.action.as_str() {
        "email.receive" => (Glyph::Mail, format!("Came in by {}", detail("source"))),
        "email.decide" => {
            let note = detail("note");
            let words = format!("Decided: {}", detail("decision"));
            (Glyph::Review, if note.is_empty() { words } else { format!("{words}, “{note}”") })
        }
        "email.take_back" if detail("what") == "run" => {
            (Glyph::Undo, "Took back that they ran it again".to_owned())
        }
        "email.take_back" => (Glyph::Undo, format!("Took their word on the {} back", detail("what"))),
        "email.reprocess" if detail("versions") == "decision" => {
            (Glyph::RunAgain, "Ran it again with the intents and rules that decided it".to_owned())
        }
        "email.reprocess" => (Glyph::RunAgain, "Ran it again".to_owned()),
        "email.correct_intent" => match detail("intent") {
            "" => (Glyph::Intent, "Said that it has no intent".to_owned()),
            name => (Glyph::Intent, format!("Said that its intent is {name}")),
        },
        other => (Glyph::History, other.trim_start_matches("email.").replace('_', " ")),
    }
}
