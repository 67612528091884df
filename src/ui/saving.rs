//! What comes of what an editor or a question sent.

use leptos::prelude::*;

use super::{
    fields::Faults,
    react::{effect, memo},
    toast::Toasts,
};
use crate::shared::Problem;

/// Goes on with each answer; a problem is shown at its fields.
pub fn on_answer<T: Clone + Send + Sync + 'static>(
    answer: impl Into<Signal<Option<Result<T, Problem>>>>,
    faults: Faults,
    then: impl Fn(T) + 'static,
) {
    let answer = answer.into();
    effect(move || match answer.get() {
        Some(Ok(done)) => {
            faults.clear();
            then(done);
        }
        Some(Err(problem)) => faults.show(problem),
        None => {}
    });
}

/// Goes on after each success; what was refused stands where the page shows it.
pub fn on_done<T: Clone + Send + Sync + 'static>(
    answer: impl Into<Signal<Option<Result<T, Problem>>>>,
    then: impl Fn(T) + 'static,
) {
    let answer = answer.into();
    effect(move || {
        if let Some(Ok(done)) = answer.get() {
            then(done);
        }
    });
}

/// Says what was refused where it is in sight: what the page shows of it stands at its head, and the form may be far below.
pub fn on_refused<T: Clone + Send + Sync + 'static>(
    answer: impl Into<Signal<Option<Result<T, Problem>>>>,
    toasts: Toasts,
) {
    let answer = answer.into();
    effect(move || {
        let refused = answer.with(|answer| answer.as_ref()?.as_ref().err().cloned());
        if let Some(problem) = refused {
            toasts.refused(&problem);
        }
    });
}

/// How far an editor is with what it sent.
#[derive(Clone, Copy)]
pub struct Saving {
    /// Whether it is to be waited for: until it is refused. After a success another page takes the editor's place, and until
    /// it is there, what was saved is not to be saved again.
    pub is_on: Memo<bool>,
    /// Whether it was saved.
    pub is_done: Signal<bool>,
}

impl Saving {
    pub fn of<T: Send + Sync + 'static>(
        is_pending: impl Into<Signal<bool>>,
        answer: impl Into<Signal<Option<Result<T, Problem>>>>,
    ) -> Self {
        let (is_pending, answer) = (is_pending.into(), answer.into());
        let is_done = Signal::derive(move || answer.with(|answer| matches!(answer, Some(Ok(_)))));
        Self { is_on: memo(move || is_pending.get() || is_done.get()), is_done }
    }
}

/// Another number after each success: for what is to be loaded again then. What was refused changed nothing, and what was
/// typed for it is to stay.
pub fn successes<T: Send + Sync + 'static>(
    answer: impl Into<Signal<Option<Result<T, Problem>>>>,
) -> Memo<u32> {
    let answer = answer.into();
    Memo::new(move |before: Option<&u32>| {
        let before = before.copied().unwrap_or_default();
        answer.with(|answer| if matches!(answer, Some(Ok(_))) { before.wrapping_add(1) } else { before })
    })
}
