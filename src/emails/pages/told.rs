//! What a reader hears of a message while it is decided, and what it then came to.

use leptos::prelude::*;

use super::{
    marks::standing,
    selection::{Word, Words},
};
use crate::{
    emails::dto::{Email, EmailDetail, EmailStatus},
    shared::{EmailId, Problem},
    ui::{bidi::unturned, react::effect, resource::Loaded},
};

pub const DECIDING: &str = "Being decided. The outcome will show here.";
pub const SAVING: &str = "Saving the decision.";

/// Says each of it once. It outlives the answers, with each of which the page is made anew.
pub fn tell_outcome(
    words: Words,
    email: StoredValue<Result<EmailId, Problem>>,
    detail: Loaded<EmailDetail>,
) -> RwSignal<String> {
    let told = RwSignal::new(String::new());
    // The last whose outcome was said or read.
    let last_run = StoredValue::new(None::<i32>);
    effect(move || {
        let Some(Ok(email)) = email.try_get_value() else { return };
        let is_rerunning = words.is_saying(email, |word| matches!(word, Word::RunAgain));
        let is_deciding = words.is_saying(email, |word| matches!(word, Word::Decide(..)));
        let found = detail.with(|answer| match answer {
            Some(Ok(EmailDetail { email, run, .. })) => Some((*run, outcome(email))),
            _ => None,
        });
        let Some((run, outcome)) = found else { return };
        let before = last_run.try_get_value().flatten();
        // What it came to may be here before its word is answered: that is said after it.
        let is_settled = outcome.is_some() && !is_rerunning && !is_deciding;
        if is_settled || before.is_none() {
            let _ = last_run.try_set_value(Some(run));
        }
        let stands = told.try_get_untracked().unwrap_or_default();
        let now = match outcome {
            None => DECIDING.to_owned(),
            _ if is_rerunning => DECIDING.to_owned(),
            _ if is_deciding => SAVING.to_owned(),
            Some(outcome) if before.is_some_and(|before| before != run) => outcome,
            // Of a run that is to be, the answer may be from before; of what was saved or refused, a notice tells.
            Some(_) if !words.has_run(email) && (stands == DECIDING || stands == SAVING) => String::new(),
            Some(_) => return,
        };
        if now != stands {
            let _ = told.try_set(now);
        }
    });
    told
}

/// How it was decided, and why; none while it waits for that.
fn outcome(email: &Email) -> Option<String> {
    let (_, _, decision) = standing(email.status, email.decision);
    let why = unturned(&email.explanation);
    (email.status == EmailStatus::Done).then(|| {
        // Of what was decided by rules, it says so itself.
        if why.starts_with(decision) || why.starts_with("For review") {
            why
        } else {
            format!("{decision}: {why}")
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::emails::dto::Decision;

    #[test]
    fn an_outcome_is_its_decision_and_why() {
        let told = |status, explanation: &str| {
            let email = Email::sample(EmailId(uuid::Uuid::nil()), explanation);
            outcome(&Email { status, decision: Some(Decision::Rejected), ..email })
        };
        assert_eq!(told(EmailStatus::Queued, "No such order."), None);
        assert_eq!(told(EmailStatus::Done, "No such order.").as_deref(), Some("Rejected: No such order."));
        assert_eq!(told(EmailStatus::Done, "Rejected: no order.").as_deref(), Some("Rejected: no order."));
    }
}
