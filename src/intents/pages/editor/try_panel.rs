//! A message to try the draft on, and each step of what would come of it. Once it was tried, each change of the draft
//! tries it again.

use std::time::Duration;

use leptos::{ev, prelude::*, task::spawn_local};

use super::{
    form::IntentForm,
    message::{ChooseMessage, Message},
};
use crate::{
    emails::{
        api::try_draft,
        dto::{Decision, DryRun, DryRunInput},
        pages::Steps,
    },
    intents::dto::IntentWithRulesInput,
    shared::{EmailId, IntentId, Problem, TenantId},
    ui::{
        fields::{CheckField, Faults},
        host,
        icons::{Glyph, Icon},
    },
};

/// The id of the panel's heading.
pub const TRY: &str = "try";

/// How long somebody must have stopped typing.
const PAUSE: Duration = Duration::from_millis(600);

/// The draft as it is sent: what has no name yet can be tried all the same.
pub fn sent(form: IntentForm) -> Result<IntentWithRulesInput, Problem> {
    let (mut draft, wrong) = untrack(|| form.read());
    if !wrong.is_empty() {
        return Err(Problem::invalid(wrong));
    }
    if draft.intent.name.trim().is_empty() {
        draft.intent.name = "New intent".to_owned();
    }
    Ok(draft)
}

/// What came of it, and how far it is.
#[derive(Clone, Copy)]
struct Outcome {
    found: RwSignal<Option<DryRun>>,
    /// Why it was not tried.
    refused: RwSignal<Option<String>>,
    is_running: RwSignal<bool>,
    /// The run that counts: an older one that answers late is dropped.
    turn: StoredValue<u32>,
}

#[component]
pub fn TryPanel(
    tenant_id: TenantId,
    intent_id: Option<IntentId>,
    form: IntentForm,
    draft: Memo<String>,
    message: Message,
    /// The stored messages that can be chosen.
    offered: RwSignal<Vec<(EmailId, String)>>,
    /// Whether the reader came with a message to try it on.
    is_asked: bool,
) -> impl IntoView {
    let requested = RwSignal::new(false);
    let outcome = Outcome {
        found: RwSignal::new(None),
        refused: RwSignal::new(None),
        is_running: RwSignal::new(false),
        turn: StoredValue::new(0),
    };
    let faults = use_context::<Faults>();
    let run = Callback::new(move |()| {
        let Some(message) = untrack(|| message.read()) else {
            outcome.refused.set(Some("There is no message to try it on.".to_owned()));
            return;
        };
        let draft = match sent(form) {
            Ok(draft) => draft,
            Err(problem) => return refuse(problem, faults, outcome),
        };
        let mine = outcome.turn.get_value().wrapping_add(1);
        outcome.turn.set_value(mine);
        outcome.is_running.set(true);
        let input = DryRunInput {
            message,
            intent: Some(draft.intent),
            intent_id,
            validation_rules: Some(draft.validation_rules),
            requested: requested.get_untracked(),
        };
        let tenant_id = tenant_id.clone();
        spawn_local(async move {
            let answer = try_draft(tenant_id, input).await;
            // The page may be gone by now.
            if outcome.turn.try_get_value() != Some(mine) {
                return;
            }
            outcome.is_running.set(false);
            match answer {
                Ok(found) => {
                    if let Some(faults) = faults {
                        faults.unmark();
                    }
                    outcome.refused.set(None);
                    outcome.found.set(Some(found));
                }
                Err(problem) => refuse(problem, faults, outcome),
            }
        });
    });
    run_by_itself(run, draft, message, requested, is_asked);
    view! {
        <section class="panel try" aria-labelledby=TRY data-testid="try-panel">
            <h2 id=TRY tabindex="-1">"Try it"</h2>
            <p class="hint">"The draft as it stands, on a message. Nothing is stored, and nothing sent."</p>
            <ChooseMessage message offered/>
            <CheckField
                label="The message gets this intent, whatever the conditions say"
                path="requested"
                value=requested
            />
            <button
                type="button"
                class="button button--primary"
                aria-busy=move || outcome.is_running.get().to_string()
                aria-keyshortcuts="Control+Enter Meta+Enter"
                data-testid="try-draft"
                on:click=move |_| run.run(())
            >
                <Icon glyph=Glyph::Trial/>
                "Try it"
                <kbd>"⌘↵"</kbd>
            </button>
            // What it comes to is told in a line; the steps are there to be read.
            <p class="visually-hidden" role="status" data-testid="try-said">
                {move || outcome.found.with(|found| found.as_ref().map(said))}
            </p>
            <div role="status">
                {move || {
                    outcome
                        .refused
                        .get()
                        .map(|why| {
                            view! {
                                <p class="notice tone-attention" data-testid="not-tried">
                                    <Icon glyph=Glyph::Alert/>
                                    <span>{why}</span>
                                </p>
                            }
                        })
                }}
            </div>
            {move || outcome.found.get().map(|found| view! { <Steps found/> })}
        </section>
    }
}

fn said(found: &DryRun) -> String {
    match found.decision {
        Decision::Accepted => "It would be accepted.",
        Decision::Rejected => "It would be rejected.",
        Decision::Review => "It would go to a person.",
    }
    .to_owned()
}

/// A fault of the draft stands at its field; what else is wrong stands here.
fn refuse(problem: Problem, faults: Option<Faults>, outcome: Outcome) {
    let why = if problem.errors.is_empty() {
        problem.detail.clone()
    } else {
        "It was not tried: something in the draft is wrong. It is marked at its field.".to_owned()
    };
    if let Some(faults) = faults.filter(|_| !problem.errors.is_empty()) {
        faults.mark(problem);
    }
    outcome.refused.set(Some(why));
}

/// Tries after each change, once the hand rests; and at once by `⌘Enter`.
fn run_by_itself(
    run: Callback<()>,
    draft: Memo<String>,
    message: Message,
    requested: RwSignal<bool>,
    is_asked: bool,
) {
    let waiting = StoredValue::new(None::<TimeoutHandle>);
    let call_off = move || {
        if let Some(handle) = waiting.try_update_value(Option::take).flatten() {
            handle.clear();
        }
    };
    Effect::new(move |before: Option<()>| {
        draft.track();
        message.stored.track();
        message.raw.track();
        message.file.track();
        requested.track();
        call_off();
        // At first nothing has changed: the look-ups of a draft are made when somebody wants them.
        if before.is_some() || is_asked {
            waiting.set_value(set_timeout_with_handle(move || run.run(()), PAUSE).ok());
        }
    });
    Effect::new(move |_| {
        let handle = window_event_listener(ev::keydown, move |event| {
            if host::is_command(&event, "Enter") {
                event.prevent_default();
                call_off();
                run.run(());
            }
        });
        on_cleanup(move || {
            handle.remove();
            call_off();
        });
    });
}
