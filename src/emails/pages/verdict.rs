//! What each rule said.

use leptos::prelude::*;

use super::{
    evidence::EvidenceView,
    marks::{VerdictMark, verdict_words},
};
use crate::{
    app::{CurrentTenant, use_tenant},
    emails::dto::{EmailStatus, VerdictEntry},
    rules::{dto::Verdict, words::on_fail_words},
    ui::{bidi::unturned, panel::Empty},
};

/// The verdicts of the last run, in the order of the rules.
#[component]
pub fn Verdicts(
    verdicts: Vec<VerdictEntry>,
    /// How far their message has come.
    status: EmailStatus,
) -> impl IntoView {
    let content = if verdicts.is_empty() {
        let (title, words) = none_words(status);
        view! {
            <Empty title>
                <p>{words}</p>
            </Empty>
        }
        .into_any()
    } else {
        view! { <VerdictCards verdicts/> }.into_any()
    };
    view! {
        <section class="section section--first" aria-labelledby="rules">
            <h2 id="rules">"Rules"</h2>
            {content}
        </section>
    }
}

/// Each verdict, in the order of the rules.
#[component]
pub fn VerdictCards(
    verdicts: Vec<VerdictEntry>,
    /// Of a run before the last: tests tell them apart.
    #[prop(optional)]
    is_earlier: bool,
) -> impl IntoView {
    let tenant = use_tenant();
    let cards = verdicts
        .into_iter()
        .map(|entry| view! { <VerdictCard tenant entry is_earlier/> }.into_any())
        .collect_view();
    let testid = if is_earlier { "earlier-verdicts" } else { "verdicts" };
    view! { <ol class="cards" data-testid=testid>{cards}</ol> }
}

/// What is said where there are none.
fn none_words(status: EmailStatus) -> (&'static str, &'static str) {
    match status {
        EmailStatus::Done => ("No rule was asked", "It has no intent, or its intent has no rules."),
        EmailStatus::Queued | EmailStatus::Processing => ("It still waits", "It is tried again by itself."),
    }
}

#[component]
fn VerdictCard(tenant: CurrentTenant, entry: VerdictEntry, is_earlier: bool) -> impl IntoView {
    let VerdictEntry {
        rule_type,
        field_name,
        datasource,
        demand,
        on_fail,
        verdict,
        reason,
        evidence,
        duration_ms,
        ..
    } = entry;
    let tone = verdict_words(verdict).0.class();
    // What passed needs no proof at first sight; what did not is why the operator is here.
    let is_open = matches!(verdict, Verdict::Fail | Verdict::Error);
    let testid = if is_earlier { "earlier-verdict" } else { "verdict" };
    let present = (!is_earlier).then(|| verdict.as_str());
    view! {
        <li class=format!("card card--verdict {tone}") data-testid=testid data-verdict=present>
            <div class="card__head">
                <VerdictMark verdict/>
                <h3 class="card__title">{demand}</h3>
            </div>
            <p class="card__reason" data-testid="reason">{unturned(&reason)}</p>
            <p class="hint">
                <code>{rule_type.as_str()}</code>
                " on "
                <code>{field_name}</code>
                {format!(" · {} · {}", on_fail_words(on_fail), time_words(duration_ms))}
            </p>
            <details class="details" open=is_open>
                <summary>"Evidence"</summary>
                <EvidenceView tenant evidence datasource/>
            </details>
        </li>
    }
    .into_any()
}

/// `12 ms`, in whole milliseconds.
fn time_words(ms: f64) -> String {
    if ms < 1.0 { "less than 1 ms".to_owned() } else { format!("{} ms", ms.round() as i64) }
}
