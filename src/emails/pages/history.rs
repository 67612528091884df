//! What was done with a message, and by whom; the way to take one's own last word on it back; and what it came to before.

use std::time::Duration;

use leptos::prelude::*;
use serde_json::Value;

use super::{actions::MessageActions, runs::EarlierRuns, selection::Word};
use crate::{
    emails::dto::{HistoryEntry, Past},
    shared::{EmailId, IntentId, Problem, TenantId, WordId},
    ui::{
        host,
        icons::{Glyph, Icon},
        only::Only,
        react::effect,
        time::Timestamp,
    },
};

/// For so long a word can be taken back (`server::undo_repository`): a page that was left open does not offer it for ever.
const PATIENCE: Duration = Duration::from_secs(120);

/// What was done, or why that could not be had.
pub type KnownHistory = Result<Past, Problem>;

/// By what words on the message are taken back.
type SaidOf = Option<(TenantId, MessageActions)>;

/// Newest first. Nothing, where nothing was done.
#[component]
pub fn History(
    past: KnownHistory,
    email_id: EmailId,
    /// The number of the message's last run.
    present: i32,
    /// None for who may only look.
    said_of: SaidOf,
) -> impl IntoView {
    match past {
        Ok(Past { entries, runs, more_runs }) => view! {
            <Entries entries email_id said_of/>
            <EarlierRuns runs more=more_runs email_id present/>
        }
        .into_any(),
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
fn Entries(entries: Vec<HistoryEntry>, email_id: EmailId, said_of: SaidOf) -> impl IntoView {
    let items = entries
        .into_iter()
        .map(|entry| {
            let (glyph, words) = words(&entry);
            let note = if entry.action == "email.decide" { detail_of(&entry, "note") } else { "" };
            let note =
                (!note.is_empty()).then(|| view! { ", “" <bdi>{note.to_owned()}</bdi> "”" }.into_any());
            let offer = entry.word.zip(said(&entry)).zip(said_of.clone());
            let offer = offer.map(|((id, word), (tenant, actions))| {
                view! { <TakeBack of={(tenant, email_id)} id word actions/> }.into_any()
            });
            view! {
                <li class="history__entry" data-testid="history-entry">
                    <Icon glyph/>
                    <span class="history__words">
                        {words} {note} " " {offer}
                    </span>
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

/// Takes one's own last word back, also where its notice is gone: the page was loaded anew, or it was said in another tab.
#[component]
fn TakeBack(
    /// The message that it was said of, with its tenant.
    of: (TenantId, EmailId),
    id: WordId,
    word: Word,
    actions: MessageActions,
) -> impl IntoView {
    let email = of.1;
    let is_over = RwSignal::new(false);
    effect(move || {
        if let Ok(timer) = set_timeout_with_handle(move || is_over.set(true), PATIENCE) {
            on_cleanup(move || timer.clear());
        }
    });
    let said = StoredValue::new((of.0, word));
    view! {
        <Only when=move || !is_over.get()>
            <button
                type="button"
                class="button button--small needs-script"
                aria-busy=move || actions.is_awaited(email).to_string()
                data-testid="take-back"
                on:click=move |event| {
                    if let Some((tenant, word)) = said.try_get_value()
                        && !host::is_second_click(&event)
                        && !untrack(|| actions.is_awaited(email))
                    {
                        actions.take_back(tenant, email, word, id);
                    }
                }
            >
                <Icon glyph=Glyph::Undo/>
                "Take back"
            </button>
        </Only>
    }
}

fn detail_of<'a>(entry: &'a HistoryEntry, name: &str) -> &'a str {
    entry.detail.as_ref().and_then(|detail| detail.get(name)).and_then(Value::as_str).unwrap_or_default()
}

/// What was said, where that was a word.
fn said(entry: &HistoryEntry) -> Option<Word> {
    match entry.action.as_str() {
        "email.decide" => {
            let decision = detail_of(entry, "decision").parse().ok()?;
            Some(Word::Decide(decision, detail_of(entry, "note").to_owned()))
        }
        "email.reprocess" => Some(Word::RunAgain),
        // A notice of it names the intent, and nobody asks for its id.
        "email.correct_intent" => Some(Word::Correct(match detail_of(entry, "intent") {
            "" => None,
            name => Some((IntentId(0), name.to_owned())),
        })),
        _ => None,
    }
}

fn words(entry: &HistoryEntry) -> (Glyph, String) {
    let detail = |name: &str| detail_of(entry, name);
    match entry.action.as_str() {
        "email.receive" => (Glyph::Mail, format!("Came in by {}", detail("source"))),
        "email.decide" => (Glyph::Review, format!("Decided: {}", detail("decision"))),
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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::emails::dto::Decision;

    #[test]
    fn a_word_is_read_from_what_is_kept_of_it() {
        let entry = |action: &str, detail: Value| HistoryEntry {
            occurred_at: chrono::DateTime::UNIX_EPOCH,
            actor: "Ann".into(),
            action: action.into(),
            detail: Some(detail),
            word: None,
        };
        let of = |action: &str, detail: Value| said(&entry(action, detail));
        assert_eq!(
            of("email.decide", json!({"decision": "rejected", "note": "as agreed"})),
            Some(Word::Decide(Decision::Rejected, "as agreed".into()))
        );
        assert_eq!(of("email.decide", json!({"decision": "nonsense"})), None);
        assert_eq!(of("email.reprocess", json!({"versions": "today"})), Some(Word::RunAgain));
        assert_eq!(of("email.correct_intent", json!({"intent": null})), Some(Word::Correct(None)));
        let named = of("email.correct_intent", json!({"intent": "Orders"}));
        assert!(matches!(named, Some(Word::Correct(Some((_, name)))) if name == "Orders"));
        assert_eq!(of("email.take_back", json!({"what": "decision"})), None, "that is no word");
    }
}
