//! Notices that offer to put back what was taken out of the form. They go with the editor.

use leptos::prelude::*;

use super::form::IntentForm;
use crate::ui::{
    react::effect,
    saving::Saving,
    toast::{Toasts, use_toasts},
};

/// The notices of a list.
#[derive(Clone, Copy)]
pub struct Offers {
    toasts: Toasts,
    numbers: StoredValue<Vec<u32>>,
}

impl Offers {
    pub fn of(form: IntentForm, saving: Saving) -> Self {
        let toasts = use_toasts();
        let offers = Self { toasts, numbers: StoredValue::new(Vec::new()) };
        on_cleanup(move || offers.close());
        // Among the lines that come anew, one that was removed may be there.
        effect(move || {
            form.filled.track();
            offers.close();
        });
        // What is put back by then would not be saved with the rest. What was refused is edited on.
        effect(move || {
            // The editor may be gone before this runs at all.
            let Some(is_saving) = saving.is_on.try_get() else { return };
            for number in offers.numbers.try_get_value().unwrap_or_default() {
                toasts.hold_undo(number, is_saving);
            }
        });
        offers
    }

    fn close(self) {
        for number in self.numbers.try_update_value(std::mem::take).unwrap_or_default() {
            self.toasts.close(number);
        }
    }

    /// Says what was removed, and offers to put it back.
    pub fn offer(self, words: String, put_back: impl Fn() + Send + Sync + 'static) {
        let number = self.toasts.await_undo();
        self.toasts.done_as_awaited(number, words, put_back);
        self.toasts.end_undo(number);
        self.numbers.update_value(|numbers| numbers.push(number));
    }

    /// Takes a line out of a list whose order means nothing, and offers to put it back. What it is made of belongs to the
    /// form, and stays.
    pub fn remove<T: Copy + Send + Sync + 'static>(self, lines: RwSignal<Vec<T>>, at: usize, words: String) {
        let removed = lines.try_update(|lines| (at < lines.len()).then(|| lines.remove(at)));
        if let Some(line) = removed.flatten() {
            self.offer(words, move || {
                // The editor may be gone, whose notices go with it.
                let _ = lines.try_update(|lines| lines.insert(at.min(lines.len()), line));
            });
        }
    }
}
