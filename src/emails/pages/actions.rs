//! What an operator can do with a message.

use leptos::{
    ev::{KeyboardEvent, MouseEvent},
    html::{Select, Textarea},
    prelude::*,
    web_sys::HtmlSelectElement,
};

use super::{
    notes::{Notes, use_notes},
    selection::{Word, Words},
};
use crate::{
    app::MAIN,
    emails::{
        api::{CorrectEmail, DecideEmail, ReprocessEmail},
        dto::{Decision, EmailStatus},
    },
    intents::dto::Intent,
    shared::{EmailId, IntentId, Problem, TenantId, WordId},
    ui::{
        form::PlainForm,
        form_action::{FormAction, form_action},
        host,
        icons::{Glyph, Icon},
        page::use_address,
        panel::ActionProblem,
        react::effect,
    },
};

/// What can be done with the message of a page. By plain forms; where the browser runs the page, their buttons say the
/// same words as the keys do, which are answered for and taken back on the next page too.
#[derive(Clone, Copy)]
pub struct MessageActions {
    words: Words,
    note: NodeRef<Textarea>,
    notes: Notes,
    choice: NodeRef<Select>,
    rerun: FormAction<()>,
    decide: FormAction<WordId>,
    correct: FormAction<WordId>,
}

impl MessageActions {
    /// For a message, as long as its page is there: its forms are made anew with each answer.
    pub fn new(words: Words, email: StoredValue<Result<EmailId, Problem>>) -> Self {
        let (note, notes) = (NodeRef::<Textarea>::new(), use_notes());
        // An effect runs once though its page is gone by then.
        effect(move || {
            let (Some(Some(field)), Some(Ok(email))) = (note.try_get(), email.try_get_value()) else {
                return;
            };
            match field.value() {
                empty if empty.is_empty() => field.set_value(&untrack(|| notes.of(email))),
                // It was written before there was anybody to hear of it.
                written => notes.keep(email, written),
            }
        });
        effect(move || {
            let Some(Ok(email)) = email.try_get_value() else { return };
            let kept = notes.of(email);
            let field = note.try_get_untracked().flatten();
            if let Some(field) = field.filter(|field| field.value().is_empty()) {
                field.set_value(&kept);
            }
        });
        Self {
            words,
            note,
            notes,
            choice: NodeRef::new(),
            rerun: form_action::<ReprocessEmail>(),
            decide: form_action::<DecideEmail>(),
            correct: form_action::<CorrectEmail>(),
        }
    }

    /// Says a word, in its turn. Gives whether it is said.
    pub fn say(self, tenant: TenantId, email: EmailId, word: Word) -> bool {
        let Self { words, note, notes, .. } = self;
        // The page may have been left by the time of the answer.
        words.say_in_turn(tenant, email, word.clone(), move |left| {
            if left.is_empty()
                && let Word::Decide(_, sent) = word
            {
                let field = note.try_get_untracked().flatten();
                if let Some(field) = field.filter(|field| field.value() == sent) {
                    field.set_value("");
                }
                notes.sent(email, &sent);
            }
        })
    }

    /// Decides, with the note that stands there; once that is done, it stands there no more.
    pub fn decide(self, tenant: TenantId, email: EmailId, decision: Decision) {
        let note = self.note.get_untracked().map(|note| note.value()).unwrap_or_default();
        self.say(tenant, email, Word::Decide(decision, note));
    }
}

/// Whether a click on a button of a form means something: what it says is said in the place of the form.
fn is_meant(event: &MouseEvent) -> bool {
    event.prevent_default();
    !host::is_second_click(event)
}

/// The id of the choice of the intent, and of what asks again for it where it could not be had: the keyboard, which goes on
/// at what has the id of what it was at, is then at the choice.
pub const INTENT: &str = "message-intent";

/// Says which intent the message has, by the button or by Enter in the choice. The classifier learns from it.
#[component]
pub fn ChangeIntent(
    tenant_id: TenantId,
    email_id: EmailId,
    intents: Vec<Intent>,
    /// What stands there at first: what the message most likely has.
    chosen: Option<IntentId>,
    actions: MessageActions,
) -> impl IntoView {
    let MessageActions { words, choice, correct, .. } = actions;
    let outcome = correct.value();
    // The one that it has stays an option, though it takes no more messages: a choice that lacked it would say that it has none.
    let mut intents = intents;
    intents.retain(|intent| intent.is_active || chosen == Some(intent.intent_id));
    let options = intents
        .iter()
        .map(|Intent { intent_id, name, is_active, .. }| {
            let words = if *is_active { name.clone() } else { format!("{name} (inactive)") };
            view! { <option value=intent_id.to_string() selected={chosen == Some(*intent_id)}>{words}</option> }
                .into_any()
        })
        .collect_view();
    let known: Vec<(IntentId, String)> =
        intents.into_iter().map(|intent| (intent.intent_id, intent.name)).collect();
    let tenant = tenant_id.clone();
    let say = move |choice: &HtmlSelectElement| {
        let id = choice.value();
        let intent = known.iter().find(|(known, _)| known.to_string() == id).cloned();
        actions.say(tenant.clone(), email_id, Word::Correct(intent));
    };
    let say_by_key = say.clone();
    let on_click = move |event: MouseEvent| {
        if let Some(choice) = choice.get_untracked()
            && is_meant(&event)
        {
            say(&choice);
        }
    };
    let on_key = move |event: KeyboardEvent| {
        if let Some(choice) = choice.get_untracked()
            && host::key_of(&event) == "Enter"
        {
            // Or some browsers would press the button, too.
            event.prevent_default();
            if !event.repeat() {
                say_by_key(&choice);
                // To where the keys are the page's: in the choice, a letter would choose another.
                host::focus(MAIN);
            }
        }
    };
    let is_saying = move || words.is_saying(email_id, |word| matches!(word, Word::Correct(_)));
    view! {
        <section class="panel" aria-labelledby="not-this">
            <h2 id="not-this">"Not this intent?"</h2>
            <PlainForm action=correct class="change-intent">
                <Ids tenant_id email_id/>
                <label class="field">
                    <span class="field__label">"It is about"</span>
                    <select
                        id=INTENT
                        name="intent"
                        node_ref=choice
                        aria-keyshortcuts="i"
                        on:keydown=on_key
                        data-testid="correct-intent"
                    >
                        <option value="">"none of the intents"</option>
                        {options}
                    </select>
                </label>
                <button
                    type="submit"
                    class="button"
                    aria-busy=move || is_saying().to_string()
                    on:click=on_click
                    data-testid="correct"
                >
                    <Icon glyph=Glyph::Learn/>
                    "Set it"
                </button>
            </PlainForm>
            <ActionProblem outcome/>
        </section>
    }
}

/// Stands in the place of `ChangeIntent` where the intents could not be had: out of none one could only say that it has
/// none. They are asked for again in place, or by loading the page anew where there is no WebAssembly.
#[component]
pub fn NoIntents(problem: Problem, retry: Callback<()>) -> impl IntoView {
    let here = use_address();
    let on_click = move |event: MouseEvent| {
        event.prevent_default();
        retry.run(());
    };
    let words = format!("The intents could not be had, so none can be chosen. {}", problem.detail);
    view! {
        <section class="panel" aria-labelledby="not-this">
            <h2 id="not-this">"Not this intent?"</h2>
            <p class="notice tone-bad" role="alert" data-testid="no-intents">
                <Icon glyph=Glyph::Alert/>
                <span>{words}</span>
                <a
                    id=INTENT
                    class="button button--small"
                    href=here
                    rel="external"
                    on:click=on_click
                    data-testid="intents-again"
                >
                    <Icon glyph=Glyph::RunAgain/>
                    "Try again"
                </a>
            </p>
        </section>
    }
}

/// Run the message again, or decide it by hand.
#[component]
pub fn Actions(
    tenant_id: TenantId,
    email_id: EmailId,
    status: EmailStatus,
    actions: MessageActions,
) -> impl IntoView {
    let MessageActions { words, note, notes, rerun, decide, .. } = actions;
    let is_waiting = status != EmailStatus::Done;
    let (rerun_outcome, decide_outcome) = (rerun.value(), decide.value());
    let is_rerunning = move || is_waiting || words.is_saying(email_id, |word| matches!(word, Word::RunAgain));
    let news = move || {
        if is_rerunning() {
            "Being decided. The outcome will show here."
        } else if words.is_saying(email_id, |word| matches!(word, Word::Decide(..))) {
            "Saving the decision."
        } else {
            ""
        }
    };
    let (same_tenant, of) = (tenant_id.clone(), tenant_id.clone());
    let run_again = move |event: MouseEvent| {
        if is_meant(&event) {
            actions.say(of.clone(), email_id, Word::RunAgain);
        }
    };
    let of = tenant_id.clone();
    let on_decide = move |event: MouseEvent, decision: Decision| {
        if is_meant(&event) {
            actions.decide(of.clone(), email_id, decision);
        }
    };
    view! {
        <div class="actions">
            <PlainForm action=rerun class="actions__rerun">
                <Ids tenant_id=same_tenant email_id/>
                <button
                    type="submit"
                    class="button button--primary"
                    aria-busy=move || is_rerunning().to_string()
                    on:click=run_again
                    data-testid="run-again"
                >
                    <Icon glyph=Glyph::RunAgain/>
                    "Run again"
                </button>
            </PlainForm>
            <PlainForm action=decide class="actions__decide">
                <Ids tenant_id email_id/>
                <label class="actions__note">
                    <span class="visually-hidden">"Note to the decision"</span>
                    // Of several lines: Enter in a field of one would press the first button, and accept.
                    <textarea
                        name="note"
                        rows="1"
                        maxlength="500"
                        placeholder="Note (optional)"
                        node_ref=note
                        on:input:target=move |event| notes.keep(email_id, event.target().value())
                    ></textarea>
                </label>
                <Decide decision=Decision::Accepted glyph=Glyph::Accept words="Accept" on_decide=on_decide.clone()/>
                <Decide decision=Decision::Rejected glyph=Glyph::Reject words="Reject" on_decide/>
            </PlainForm>
            <p class="actions__news" role="status" data-testid="news">{news}</p>
        </div>
        <ActionProblem outcome=rerun_outcome/>
        <ActionProblem outcome=decide_outcome/>
    }
}

/// Which message a form is about.
#[component]
fn Ids(tenant_id: TenantId, email_id: EmailId) -> impl IntoView {
    view! {
        <input type="hidden" name="tenant_id" value=tenant_id.to_string()/>
        <input type="hidden" name="email_id" value=email_id.to_string()/>
    }
}

#[component]
fn Decide<Say: Fn(MouseEvent, Decision) + Send + 'static>(
    decision: Decision,
    glyph: Glyph,
    words: &'static str,
    on_decide: Say,
) -> impl IntoView {
    view! {
        <button
            type="submit"
            class="button"
            name="decision"
            value=decision.as_str()
            on:click=move |event| on_decide(event, decision)
            data-testid=format!("decide-{decision}")
        >
            <Icon glyph/>
            {words}
        </button>
    }
}
