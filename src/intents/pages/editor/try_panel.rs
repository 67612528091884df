//! A message to try the draft on, and each step of what would come of it. Each change tries it again.

use std::time::Duration;

use leptos::{ev, prelude::*, task::spawn_local};

use super::{
    form::IntentForm,
    message::{ChooseMessage, Message},
    outcome::{Outcome, told_unasked},
};
use crate::{
    emails::{
        api::try_draft,
        dto::DryRunInput,
        pages::{Steps, would_come_to},
    },
    intents::dto::IntentWithRulesInput,
    shared::{EmailId, IntentId, Problem, TenantId},
    ui::{
        fields::{CheckField, Faults},
        host,
        icons::{Glyph, Icon},
        only::Only,
        react::effect,
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

/// Why the draft is tried.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Cause {
    /// Somebody wants it.
    Person,
    /// It changed, and somebody may still be at it.
    Change,
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
    let outcome = Outcome::new();
    let faults = use_context::<Faults>();
    let run = Callback::new(move |cause: Cause| {
        let mine = outcome.begin();
        let Some(message) = untrack(|| message.read()) else {
            return outcome.end_untried(Some("There is no message to try it on.".to_owned()));
        };
        let draft = match sent(form) {
            Ok(draft) => draft,
            Err(problem) => return outcome.refuse(problem, faults),
        };
        let unasked = (cause == Cause::Change).then(|| serde_json::to_value(&draft).unwrap_or_default());
        outcome.is_running.set(true);
        if cause == Cause::Person {
            // Said twice, it is heard twice.
            outcome.refused.set(None);
        }
        let of = draft.intent.name.clone();
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
            if !outcome.is_turn(mine) {
                return;
            }
            let told = match answer {
                Ok(found) => {
                    outcome.show(found, of);
                    None
                }
                Err(problem) => {
                    outcome.end_untried(None);
                    match &unasked {
                        Some(draft) => told_unasked(problem, draft, faults),
                        None => Some(problem),
                    }
                }
            };
            match (told, faults) {
                (Some(problem), _) => outcome.refuse(problem, faults),
                (None, Some(faults)) => faults.unmark(),
                (None, None) => {}
            }
        });
    });
    run_by_itself(run, outcome, draft, message, requested, is_asked);
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
                on:click=move |_| run.run(Cause::Person)
            >
                <Icon glyph=Glyph::Trial/>
                "Try it"
                <kbd>"⌘↵"</kbd>
            </button>
            // What it comes to is told in a line; the steps are there to be read. It is empty while it is tried: what comes out
            // the same is heard again.
            <p class="visually-hidden" role="status" data-testid="try-said">
                {move || {
                    let is_current = !outcome.is_outdated.get() && !outcome.is_running.get();
                    outcome.found.with(|found| {
                        let found = found.as_ref().filter(|_| is_current)?;
                        Some(would_come_to(found, &outcome.of.get_untracked()))
                    })
                }}
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
                            .into_any()
                        })
                }}
            </div>
            <Only when=move || outcome.is_outdated.get() && outcome.found.read().is_some()>
                <p class="notice tone-attention" data-testid="try-outdated">
                    <Icon glyph=Glyph::Alert/>
                    <span>"These steps are of before. What was changed since was not tried yet."</span>
                </p>
            </Only>
            {move || outcome.found.get().map(|found| view! { <Steps found draft=outcome.of.get_untracked()/> }.into_any())}
        </section>
    }
}

/// Tries after each change, once the hand rests; and at once by `⌘Enter`.
fn run_by_itself(
    run: Callback<Cause>,
    outcome: Outcome,
    draft: Memo<String>,
    message: Message,
    requested: RwSignal<bool>,
    is_asked: bool,
) {
    Effect::new(move |before: Option<()>| {
        draft.track();
        message.stored.track();
        message.raw.track();
        message.file.track();
        requested.track();
        outcome.call_off();
        // At first nothing has changed: the look-ups of a draft are made when somebody wants them.
        if before.is_some() || is_asked {
            outcome.wait(set_timeout_with_handle(move || run.run(Cause::Change), PAUSE).ok());
        }
    });
    effect(move || {
        let handle = window_event_listener(ev::keydown, move |event| {
            if host::is_command(&event, "Enter") {
                event.prevent_default();
                run.run(Cause::Person);
            }
        });
        on_cleanup(move || {
            handle.remove();
            outcome.call_off();
        });
    });
}
