//! What an operator can do with a message.

use leptos::prelude::*;

use super::selection::Words;
use crate::{
    app::CurrentTenant,
    emails::{
        api::{CorrectEmail, DecideEmail, ReprocessEmail},
        dto::{Decision, EmailStatus},
    },
    intents::dto::Intent,
    shared::{EmailId, IntentId, Problem, TenantId, WordId},
    ui::{
        icons::{Glyph, Icon},
        panel::ActionProblem,
    },
};

/// What can be done with the message of a page, by plain forms which the browser takes over.
#[derive(Clone, Copy)]
pub struct MessageActions {
    rerun: ServerAction<ReprocessEmail>,
    decide: ServerAction<DecideEmail>,
    correct: ServerAction<CorrectEmail>,
}

impl MessageActions {
    pub fn new() -> Self {
        Self { rerun: ServerAction::new(), decide: ServerAction::new(), correct: ServerAction::new() }
    }

    /// Rises with each answer; tracked.
    pub fn version(self) -> usize {
        self.rerun.version().get() + self.decide.version().get() + self.correct.version().get()
    }

    /// Offers to take back what a form did.
    pub fn offer_back(
        self,
        tenant: CurrentTenant,
        email: StoredValue<Result<EmailId, Problem>>,
        words: Words,
    ) {
        let offer = move |word: WordId, text: &str| {
            if let (Ok(tenant), Ok(email)) = (untrack(|| tenant.id()), email.get_value()) {
                words.offer_back(tenant, email, word, text);
            }
        };
        let (decided, corrected) = (self.decide.value(), self.correct.value());
        Effect::new(move |_| {
            if let Some(Ok(word)) = decided.get() {
                offer(word, "The decision is saved.");
            }
        });
        Effect::new(move |_| {
            if let Some(Ok(word)) = corrected.get() {
                offer(word, "The intent is set, and the classifier learns from it.");
            }
        });
    }
}

/// The id of the choice of the intent.
pub const INTENT: &str = "message-intent";

/// Says which intent the message has. The classifier learns from it.
#[component]
pub fn ChangeIntent(
    tenant_id: TenantId,
    email_id: EmailId,
    intents: Vec<Intent>,
    /// What stands there at first: what the message most likely has.
    chosen: Option<IntentId>,
    actions: MessageActions,
) -> impl IntoView {
    let correct = actions.correct;
    let (is_pending, outcome) = (correct.pending(), correct.value());
    let options = intents
        .into_iter()
        .filter(|intent| intent.is_active)
        .map(|intent| {
            let id = intent.intent_id;
            view! { <option value=id.to_string() selected={chosen == Some(id)}>{intent.name}</option> }
        })
        .collect_view();
    view! {
        <section class="panel" aria-labelledby="not-this">
            <h2 id="not-this">"Not this intent?"</h2>
            <ActionForm action=correct attr:class="change-intent">
                <Ids tenant_id email_id/>
                <label class="field">
                    <span class="field__label">"It is about"</span>
                    <select id=INTENT name="intent" data-testid="correct-intent">
                        <option value="">"none of the intents"</option>
                        {options}
                    </select>
                </label>
                <button
                    type="submit"
                    class="button"
                    aria-busy=move || is_pending.get().to_string()
                    data-testid="correct"
                >
                    <Icon glyph=Glyph::Learn/>
                    "Set it"
                </button>
            </ActionForm>
            <ActionProblem outcome/>
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
    let MessageActions { rerun, decide, .. } = actions;
    let is_waiting = status != EmailStatus::Done;
    let (is_rerunning, is_deciding) = (rerun.pending(), decide.pending());
    let (rerun_outcome, decide_outcome) = (rerun.value(), decide.value());
    let news = move || {
        if is_waiting || is_rerunning.get() {
            "Being decided. The outcome will show here."
        } else if is_deciding.get() {
            "Saving the decision."
        } else {
            ""
        }
    };
    let same_tenant = tenant_id.clone();
    view! {
        <div class="actions">
            <ActionForm action=rerun attr:class="actions__rerun">
                <Ids tenant_id=same_tenant email_id/>
                <button
                    type="submit"
                    class="button button--primary"
                    aria-busy=move || (is_waiting || is_rerunning.get()).to_string()
                    data-testid="run-again"
                >
                    <Icon glyph=Glyph::RunAgain/>
                    "Run again"
                </button>
            </ActionForm>
            <ActionForm action=decide attr:class="actions__decide">
                <Ids tenant_id email_id/>
                <label class="actions__note">
                    <span class="visually-hidden">"Note to the decision"</span>
                    <input type="text" name="note" maxlength="500" placeholder="Note (optional)"/>
                </label>
                <Decide decision=Decision::Accepted glyph=Glyph::Accept words="Accept"/>
                <Decide decision=Decision::Rejected glyph=Glyph::Reject words="Reject"/>
            </ActionForm>
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
fn Decide(decision: Decision, glyph: Glyph, words: &'static str) -> impl IntoView {
    view! {
        <button
            type="submit"
            class="button"
            name="decision"
            value=decision.as_str()
            data-testid=format!("decide-{decision}")
        >
            <Icon glyph/>
            {words}
        </button>
    }
}
