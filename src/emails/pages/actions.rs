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
    told::{DECIDING, SAVING},
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
        fields::chosen_early,
        form::PlainForm,
        form_action::{FormAction, form_action},
        host,
        icons::{Glyph, Icon},
        page::use_address,
        panel::ActionProblem,
        react::effect,
        step::is_taking_over,
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
    picked: Picked,
    rerun: FormAction<()>,
    decide: FormAction<WordId>,
    correct: FormAction<WordId>,
}

/// What stands in the choice of the intent: the choice is made anew with each answer. As its options have it: an id, or
/// nothing for no intent.
#[derive(Clone, Copy)]
struct Picked {
    /// By the reader's hand; none where it is what the message has.
    by_hand: RwSignal<Option<String>>,
    /// Whether that was said: then it stands there until the message is decided by it.
    is_said: RwSignal<bool>,
    /// What the message had when it was decided last: while it is decided anew, it has none.
    last: StoredValue<Option<String>>,
}

impl Picked {
    fn new() -> Self {
        Self { by_hand: RwSignal::new(None), is_said: RwSignal::new(false), last: StoredValue::new(None) }
    }

    /// Somebody chose this. The page may have been left.
    fn pick(self, option: String, is_said: bool) {
        let _ = self.by_hand.try_set(Some(option));
        let _ = self.is_said.try_set(is_said);
    }

    /// What stands there, of a message that has this intent: as long as what was set is awaited, it may not have it yet. Here,
    /// too, the page may have been left.
    fn begin(self, has: String, is_waiting: bool, is_awaited: bool) -> String {
        let by_hand = self.by_hand.try_get_untracked().flatten();
        if is_waiting {
            return by_hand.or_else(|| self.last.try_get_value().flatten()).unwrap_or(has);
        }
        let _ = self.last.try_set_value(Some(has.clone()));
        if self.is_said.try_get_untracked() == Some(true) && !is_awaited {
            let _ = self.by_hand.try_set(None);
            let _ = self.is_said.try_set(false);
            return has;
        }
        by_hand.unwrap_or(has)
    }
}

/// The option of an intent, or of none.
fn option_of(intent: Option<IntentId>) -> String {
    intent.map(|id| id.to_string()).unwrap_or_default()
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
            picked: Picked::new(),
            rerun: form_action::<ReprocessEmail>(),
            decide: form_action::<DecideEmail>(),
            correct: form_action::<CorrectEmail>(),
        }
    }

    /// Says a word, in its turn. Gives whether it is said.
    pub fn say(self, tenant: TenantId, email: EmailId, word: Word) -> bool {
        self.say_and(tenant, email, word, Box::new(|| ()))
    }

    /// The same; `then` is called once it is done, and stands.
    fn say_and(
        self,
        tenant: TenantId,
        email: EmailId,
        word: Word,
        then: Box<dyn FnOnce() + Send + Sync>,
    ) -> bool {
        let Self { words, note, notes, picked, .. } = self;
        if let Word::Correct(intent) = &word {
            picked.pick(option_of(intent.as_ref().map(|(id, _)| *id)), true);
        }
        // The page may have been left by the time of the answer.
        words.say_in_turn(tenant, email, word.clone(), move |left, stands| {
            if !left.is_empty() && matches!(word, Word::Correct(_)) {
                // What was refused can be said again.
                let _ = picked.is_said.try_set(false);
            }
            if left.is_empty()
                && let Word::Decide(_, sent) = word
            {
                let field = note.try_get_untracked().flatten();
                if let Some(field) = field.filter(|field| field.value() == sent) {
                    field.set_value("");
                }
                notes.sent(email, &sent);
            }
            if stands {
                then();
            }
        })
    }

    /// Decides, with the note that stands there; once that is done, it stands there no more. `then` is called once it is
    /// done, unless somebody wanted it undone or said something else by then.
    pub fn decide(
        self,
        tenant: TenantId,
        email: EmailId,
        decision: Decision,
        then: impl FnOnce() + Send + Sync + 'static,
    ) {
        let note = self.note.get_untracked().map(|note| note.value()).unwrap_or_default();
        self.say_and(tenant, email, Word::Decide(decision, note), Box::new(then));
    }

    /// Takes back what was said by this word, as the message's history offers.
    pub fn take_back(self, tenant: TenantId, email: EmailId, word: Word, id: WordId) {
        self.words.take_back(tenant, email, word, id);
    }

    /// Whether something is on its way of a message. Tracked.
    pub fn is_awaited(self, email: EmailId) -> bool {
        self.words.is_awaited(email)
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
    /// Whether a person said so already: to say that again changes nothing.
    is_settled: bool,
    /// Whether the message is being decided.
    is_waiting: bool,
    /// Whether how it stands is from before: what was set since may be so by now.
    is_old: bool,
    actions: MessageActions,
) -> impl IntoView {
    let MessageActions { words, choice, picked, correct, .. } = actions;
    let outcome = correct.value();
    let is_saying = move || words.is_saying(email_id, |word| matches!(word, Word::Correct(_)));
    let has = option_of(chosen);
    let settled = is_settled.then(|| has.clone());
    let mut begun = picked.begin(has, is_waiting, is_old || untrack(is_saying));
    // The one that it has stays an option, though it takes no more messages: a choice that lacked it would say that it has none.
    let mut intents = intents;
    intents.retain(|intent| intent.is_active || begun == intent.intent_id.to_string());
    if intents.iter().all(|intent| begun != intent.intent_id.to_string()) {
        begun.clear();
    }
    let stands = begun.clone();
    let stands = move || picked.by_hand.try_get().flatten().unwrap_or_else(|| stands.clone());
    let options = intents
        .iter()
        .map(|Intent { intent_id, name, is_active, .. }| {
            let words = if *is_active { name.clone() } else { format!("{name} (inactive)") };
            let is_chosen = begun == intent_id.to_string();
            view! { <option value=intent_id.to_string() selected=is_chosen>{words}</option> }.into_any()
        })
        .collect_view();
    let known: Vec<(IntentId, String)> =
        intents.into_iter().map(|intent| (intent.intent_id, intent.name)).collect();
    // Known once the page is there: where no script runs, nobody hears of another choice.
    let changes_nothing = RwSignal::new(false);
    let was_there = StoredValue::new(is_taking_over());
    let shown = stands.clone();
    effect(move || {
        let Some(select) = choice.try_get().flatten() else { return };
        if was_there.try_get_value() == Some(true) {
            was_there.set_value(false);
            if let Some(early) = chosen_early(&select) {
                picked.pick(early, false);
            }
        }
        let stands = shown();
        if select.value() != stands {
            select.set_value(&stands);
        }
        let is_said = picked.is_said.try_get() == Some(true);
        let _ = changes_nothing.try_set(is_said || settled.as_ref() == Some(&stands));
    });
    let tenant = tenant_id.clone();
    let say = move |choice: &HtmlSelectElement| {
        let id = choice.value();
        if changes_nothing.try_get_untracked() == Some(true) && untrack(&stands) == id {
            return;
        }
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
                        on:change=move |event| picked.pick(event_target_value(&event), false)
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
                    aria-disabled=move || changes_nothing.get().to_string()
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
            DECIDING
        } else if words.is_saying(email_id, |word| matches!(word, Word::Decide(..))) {
            SAVING
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
            actions.decide(of.clone(), email_id, decision, || ());
        }
    };
    view! {
        <div class="actions">
            <PlainForm action=decide class="actions__decide">
                <Ids tenant_id email_id/>
                <label class="actions__note">
                    <span class="visually-hidden">"Note to the decision"</span>
                    // Of several lines: Enter in a field of one would press the first button, and accept.
                    <textarea
                        name="note"
                        rows="1"
                        maxlength="500"
                        dir="auto"
                        placeholder="Note (optional)"
                        node_ref=note
                        on:input:target=move |event| notes.keep(email_id, event.target().value())
                    ></textarea>
                </label>
                <Decide decision=Decision::Accepted glyph=Glyph::Accept words="Accept" on_decide=on_decide.clone()/>
                <Decide decision=Decision::Rejected glyph=Glyph::Reject words="Reject" on_decide/>
            </PlainForm>
            <PlainForm action=rerun class="actions__rerun">
                <Ids tenant_id=same_tenant email_id/>
                <button
                    type="submit"
                    class="button"
                    aria-busy=move || is_rerunning().to_string()
                    on:click=run_again
                    data-testid="run-again"
                >
                    <Icon glyph=Glyph::RunAgain/>
                    "Run again"
                </button>
            </PlainForm>
            // Screen readers hear of it by what is not made anew with each answer (`told.rs`).
            <p class="actions__news" data-testid="news">{news}</p>
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_choice_keeps_what_was_set_until_the_message_has_it() {
        let owner = Owner::new();
        owner.with(|| {
            let picked = Picked::new();
            let begin =
                |has: &str, is_waiting, is_awaited| picked.begin(has.to_owned(), is_waiting, is_awaited);
            assert_eq!(begin("1", false, false), "1");
            assert_eq!(begin("", true, false), "1", "run again, it has none for a moment");
            picked.pick("2".into(), false);
            assert_eq!(begin("1", false, false), "2", "it is not said yet");
            picked.pick("2".into(), true);
            assert_eq!(begin("1", false, true), "2", "it is on its way, or not read anew yet");
            assert_eq!(begin("", true, false), "2");
            assert_eq!(begin("2", false, false), "2");
            assert_eq!(begin("1", false, false), "1", "that was taken back");
        });
    }
}
