//! Testing a connection in place.

use leptos::prelude::*;

use super::words::{duration_words, step_words};
use crate::{
    datasources::dto::TestResult,
    shared::Problem,
    ui::{
        badge::{Badge, Tone},
        icons::{Glyph, Icon},
        react::memo,
    },
};

/// A button that tries, and what came of it. A problem is for the page to show, which may have fields for it.
#[component]
pub fn TestConnection(
    test: Action<(), Result<TestResult, Problem>>,
    /// What is tried, written down: of anything else, what came of it is not true.
    #[prop(optional, into)]
    of: Signal<String>,
) -> impl IntoView {
    let is_pending = test.pending();
    let outcome = test.value();
    let tried = RwSignal::new(None::<String>);
    let is_of_this = memo(move || tried.read().as_ref() == Some(&*of.read()));
    view! {
        <div class="attempt" data-testid="connection-test">
            <button
                type="button"
                class="button"
                aria-busy=move || is_pending.get().to_string()
                // Not disabled: the keyboard, which is here, would be nowhere.
                aria-disabled=move || is_pending.get().then_some("true")
                data-testid="test-connection"
                on:click=move |_| {
                    if !is_pending.get_untracked() {
                        tried.set(Some(of.get_untracked()));
                        test.dispatch(());
                    }
                }
            >
                <Icon glyph=Glyph::RunAgain/>
                {move || if is_pending.get() { "Trying …" } else { "Test connection" }}
            </button>
            <div aria-live="polite">
                {move || match outcome.get() {
                    Some(Ok(result)) if !is_pending.get() && is_of_this.get() => {
                        view! { <TestOutcome result/> }.into_any()
                    }
                    Some(Ok(_)) if !is_pending.get() => view! {
                        <p class="hint" data-testid="test-outdated">
                            "What was tried was changed since. Test it again."
                        </p>
                    }
                    .into_any(),
                    _ => ().into_any(),
                }}
            </div>
        </div>
    }
}

#[component]
fn TestOutcome(result: TestResult) -> impl IntoView {
    let TestResult { ok, step, message, warnings, duration_ms } = result;
    let took = duration_words(duration_ms);
    let (tone, glyph, words) = match step {
        None if ok => (Tone::Good, Glyph::Accept, format!("It works ({took})")),
        None => (Tone::Bad, Glyph::Reject, format!("It does not work ({took})")),
        Some(step) => (Tone::Bad, Glyph::Reject, format!("It ended at {} ({took})", step_words(step))),
    };
    let warnings = warnings
        .into_iter()
        .map(|warning| {
            view! {
                <p class="notice tone-attention">
                    <Icon glyph=Glyph::Alert/>
                    <span>{warning}</span>
                </p>
            }
            .into_any()
        })
        .collect_view();
    view! {
        <div class="attempt__outcome" data-testid="test-outcome" data-step=step.map(|step| step.as_str())>
            <Badge tone glyph text=words/>
            <p class="breakable">{message}</p>
            {warnings}
        </div>
    }
}
