//! Notes to decisions that are still to be made.

use std::collections::HashMap;

use leptos::prelude::*;

use super::selection::Turns;
use crate::{shared::EmailId, ui::host};

/// What was written of each message, until it goes with a decision: whoever leaves the message, or is refused, finds it
/// there again. In this tab; whoever closes it is asked, also where a message was decided without its note meanwhile.
#[derive(Clone, Copy)]
pub struct Notes(RwSignal<HashMap<EmailId, String>>);

/// The notes of this tab.
pub fn use_notes() -> Notes {
    use_context().unwrap_or_else(Notes::new)
}

impl Notes {
    fn new() -> Self {
        Self(RwSignal::new(HashMap::new()))
    }

    /// With them, the turns of the words that they go with.
    pub fn provide() {
        Turns::provide();
        let notes = Self::new();
        provide_context(notes);
        let is_any =
            move |notes: &HashMap<EmailId, String>| notes.values().any(|note| !note.trim().is_empty());
        host::guard_tab(move || notes.0.try_with_untracked(is_any).unwrap_or_default());
    }

    /// Empty where there is none. Tracked.
    pub fn of(self, email: EmailId) -> String {
        self.0.try_with(|notes| notes.get(&email).cloned()).flatten().unwrap_or_default()
    }

    /// Keeps what stands there now.
    pub fn keep(self, email: EmailId, note: String) {
        let _ = self.0.try_update(|notes| match note.is_empty() {
            true => notes.remove(&email),
            false => notes.insert(email, note),
        });
    }

    /// It went with a decision. What was written since stays.
    pub fn sent(self, email: EmailId, note: &str) {
        let _ = self.0.try_update(|notes| {
            if notes.get(&email).is_some_and(|kept| kept == note) {
                notes.remove(&email);
            }
        });
    }

    /// Its decision was taken back. What was written since stays.
    pub fn give_back(self, email: EmailId, note: String) {
        let _ = self.0.try_update(|notes| {
            notes.entry(email).or_insert(note);
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_since_is_not_written_over() {
        let owner = Owner::new();
        owner.with(|| {
            let (notes, email) = (Notes::new(), EmailId(uuid::Uuid::from_u128(1)));
            let of = || untrack(|| notes.of(email));
            notes.keep(email, "as agreed".into());
            notes.sent(email, "as agreed");
            assert_eq!(of(), "");
            notes.give_back(email, "as agreed".into());
            assert_eq!(of(), "as agreed");
            notes.keep(email, "as agreed by phone".into());
            notes.sent(email, "as agreed");
            notes.give_back(email, "as agreed".into());
            assert_eq!(of(), "as agreed by phone");
            notes.keep(email, String::new());
            assert_eq!(of(), "");
        });
    }
}
