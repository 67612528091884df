//! Decisions and verdicts as badges, and the words for them.

use leptos::prelude::*;

use crate::{
    emails::dto::{Decision, EmailStatus},
    rules::dto::Verdict,
    ui::{
        badge::{Badge, Tone},
        icons::{Glyph, Icon},
    },
};

/// How a message stands: its decision, or how far it is from one.
pub fn standing(status: EmailStatus, decision: Option<Decision>) -> (Tone, Glyph, &'static str) {
    match (status, decision) {
        (EmailStatus::Queued, _) => (Tone::Quiet, Glyph::Waiting, "Waiting"),
        (EmailStatus::Processing, _) => (Tone::Quiet, Glyph::RunAgain, "Being decided"),
        (EmailStatus::Done, Some(decision)) => decision_words(decision),
        (EmailStatus::Done, None) => (Tone::Quiet, Glyph::Skip, "Undecided"),
    }
}

/// A decision's colour, icon and word.
pub fn decision_words(decision: Decision) -> (Tone, Glyph, &'static str) {
    match decision {
        Decision::Accepted => (Tone::Good, Glyph::Accept, "Accepted"),
        Decision::Rejected => (Tone::Bad, Glyph::Reject, "Rejected"),
        Decision::Review => (Tone::Attention, Glyph::Review, "Review"),
    }
}

/// A verdict's colour, icon and word.
pub fn verdict_words(verdict: Verdict) -> (Tone, Glyph, &'static str) {
    match verdict {
        Verdict::Pass => (Tone::Good, Glyph::Accept, "Passed"),
        Verdict::Fail => (Tone::Bad, Glyph::Reject, "Failed"),
        Verdict::Error => (Tone::Attention, Glyph::Alert, "Could not be checked"),
        Verdict::Skipped => (Tone::Quiet, Glyph::Skip, "Skipped"),
    }
}

/// How a message stands.
#[component]
pub fn DecisionMark(status: EmailStatus, decision: Option<Decision>) -> impl IntoView {
    let (tone, glyph, text) = standing(status, decision);
    view! { <Badge tone glyph text/> }
}

/// What is said of a message that could not be read as one.
#[component]
pub fn NotRead(error: String) -> impl IntoView {
    view! {
        <p class="notice tone-attention">
            <Icon glyph=Glyph::Alert/>
            <span>{format!("It could not be read as a message: {error}")}</span>
        </p>
    }
}

/// What one rule said.
#[component]
pub fn VerdictMark(verdict: Verdict) -> impl IntoView {
    let (tone, glyph, text) = verdict_words(verdict);
    view! { <Badge tone glyph text/> }
}
