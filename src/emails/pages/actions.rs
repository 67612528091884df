//! What an operator can do with a message.

use leptos::prelude::*;

use crate::{
    emails::{
        api::{DecideEmail, ReprocessEmail},
        dto::{Decision, EmailStatus},
    },
    shared::{EmailId, TenantId},
    ui::{
        icons::{Glyph, Icon},
        panel::ActionProblem,
    },
};

/// Run the message again, or decide it by hand. Plain forms, which the browser takes over.
#[component]
pub fn Actions(
    tenant_id: TenantId,
    email_id: EmailId,
    status: EmailStatus,
    rerun: ServerAction<ReprocessEmail>,
    decide: ServerAction<DecideEmail>,
) -> impl IntoView {
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
