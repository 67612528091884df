//! Which messages of the list are chosen, and what is done to them together.

use leptos::{prelude::*, task::spawn_local};

use crate::{
    emails::{
        api::{correct_many, decide_many, reprocess_many, take_back},
        dto::{Decision, WordsDone},
    },
    shared::{EmailId, IntentId, Problem, TenantId, WordId},
    ui::toast::{Toasts, use_toasts},
};

/// What a person says of messages.
#[derive(Clone, Debug, PartialEq)]
pub enum Word {
    Decide(Decision),
    RunAgain,
    /// They have this intent, by id and name, or none.
    Correct(Option<(IntentId, String)>),
}

impl Word {
    /// What was done to so many, as a notice says it.
    fn done(&self, count: usize) -> String {
        let messages = if count == 1 { "1 message".to_owned() } else { format!("{count} messages") };
        match self {
            Self::Decide(Decision::Accepted) => format!("{messages} accepted."),
            Self::Decide(Decision::Rejected) => format!("{messages} rejected."),
            Self::Decide(Decision::Review) => format!("{messages} put up for review."),
            Self::RunAgain => format!("{messages} run again."),
            Self::Correct(Some((_, name))) => format!("{messages} moved to {name}."),
            Self::Correct(None) => format!("{messages} without an intent now."),
        }
    }

    async fn say(&self, tenant: TenantId, ids: Vec<EmailId>) -> Result<WordsDone, Problem> {
        match self {
            Self::Decide(decision) => decide_many(tenant, ids, *decision, String::new()).await,
            Self::RunAgain => reprocess_many(tenant, ids).await,
            Self::Correct(intent) => correct_many(tenant, ids, intent.as_ref().map(|(id, _)| *id)).await,
        }
    }
}

/// Says words of messages, tells what came of it, and offers to take it back.
#[derive(Clone, Copy)]
pub struct Words {
    toasts: Toasts,
    said: Action<(TenantId, Vec<EmailId>, Word), ()>,
    /// Rises with each word that was said or taken back.
    pub version: RwSignal<u32>,
}

impl Words {
    pub fn new() -> Self {
        let toasts = use_toasts();
        let version = RwSignal::new(0_u32);
        let said = Action::new(move |(tenant, ids, word): &(TenantId, Vec<EmailId>, Word)| {
            let (tenant, ids, word) = (tenant.clone(), ids.clone(), word.clone());
            async move {
                match word.say(tenant.clone(), ids).await {
                    Ok(found) => {
                        let mut text = word.done(found.done.len());
                        match (&found.problem, found.left.len()) {
                            (_, 0) => {}
                            (Some(_), left) => text += &format!(" {left} were left as they are."),
                            (None, left) => text += &format!(" {left} could not be found any more."),
                        }
                        match found.word.filter(|_| !found.done.is_empty()) {
                            None => toasts.done(text),
                            Some(word) => {
                                toasts.done_with_undo(text, undo(toasts, version, tenant, found.done, word));
                            }
                        }
                        if let Some(problem) = &found.problem {
                            toasts.refused(problem);
                        }
                    }
                    Err(problem) => toasts.refused(&problem),
                }
                raise(version);
            }
        });
        Self { toasts, said, version }
    }

    /// Tells of a word that a form said of one message, and offers to take it back.
    pub fn offer_back(self, tenant: TenantId, id: EmailId, word: WordId, text: &str) {
        self.toasts.done_with_undo(text, undo(self.toasts, self.version, tenant, vec![id], word));
    }

    /// Says it of these messages; nothing happens where there are none.
    pub fn say(self, tenant: Result<TenantId, Problem>, ids: Vec<EmailId>, word: Word) {
        match tenant {
            Ok(tenant) if !ids.is_empty() => {
                self.said.dispatch((tenant, ids, word));
            }
            Ok(_) => {}
            Err(problem) => self.toasts.refused(&problem),
        }
    }
}

/// Takes a word back and tells what came of it. The page on which it was said may have been left.
fn undo(
    toasts: Toasts,
    version: RwSignal<u32>,
    tenant: TenantId,
    ids: Vec<EmailId>,
    word: WordId,
) -> impl Fn() + Send + Sync + 'static {
    move || {
        let (tenant, ids) = (tenant.clone(), ids.clone());
        spawn_local(async move {
            match take_back(tenant, ids, word).await {
                Ok(done) if done.left.is_empty() => toasts.done("Taken back."),
                Ok(WordsDone { problem: Some(problem), .. }) => toasts.refused(&problem),
                Ok(done) if done.done.is_empty() => toasts.refused(&Problem::business_rule(
                    "It could not be taken back: it was too long ago, or somebody else came first.",
                )),
                Ok(done) => toasts.done(format!(
                    "{} taken back. {} could not be: it was too long ago, or somebody else came first.",
                    done.done.len(),
                    done.left.len()
                )),
                Err(problem) => toasts.refused(&problem),
            }
            raise(version);
        });
    }
}

/// Nothing where the page has been left.
fn raise(version: RwSignal<u32>) {
    let _ = version.try_update(|version| *version = version.wrapping_add(1));
}

/// The chosen messages of a list.
#[derive(Clone, Copy)]
pub struct Selection(RwSignal<Vec<EmailId>>);

impl Selection {
    pub fn new() -> Self {
        Self(RwSignal::new(Vec::new()))
    }

    pub fn has(self, id: EmailId) -> bool {
        self.0.read().contains(&id)
    }

    pub fn set(self, id: EmailId, is_chosen: bool) {
        self.0.update(|chosen| {
            chosen.retain(|other| *other != id);
            if is_chosen {
                chosen.push(id);
            }
        });
    }

    pub fn toggle(self, id: EmailId) {
        let is_chosen = untrack(|| self.has(id));
        self.set(id, !is_chosen);
    }

    pub fn all(self, ids: Vec<EmailId>) {
        self.0.set(ids);
    }

    pub fn clear(self) {
        self.0.set(Vec::new());
    }

    pub fn ids(self) -> Vec<EmailId> {
        self.0.get()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_notice_counts() {
        assert_eq!(Word::Decide(Decision::Accepted).done(1), "1 message accepted.");
        assert_eq!(
            Word::Correct(Some((IntentId(1), "Orders".into()))).done(3),
            "3 messages moved to Orders."
        );
    }
}
