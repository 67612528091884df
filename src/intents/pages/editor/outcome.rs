//! What came of trying the draft.

use leptos::prelude::*;
use serde_json::Value;

use super::empty::is_empty_at;
use crate::{emails::dto::DryRun, shared::Problem, ui::fields::Faults};

/// What came of it, and how far it is.
#[derive(Clone, Copy)]
pub struct Outcome {
    pub found: RwSignal<Option<DryRun>>,
    /// The name of the intent that was tried as the draft.
    pub of: RwSignal<String>,
    /// Whether what was found is of before: what was changed since was not tried.
    pub is_outdated: RwSignal<bool>,
    /// Why it was not tried.
    pub refused: RwSignal<Option<String>>,
    pub is_running: RwSignal<bool>,
    /// The run that counts: an older one that answers late is dropped.
    turn: StoredValue<u32>,
    /// The run that begins once the hand rests.
    waiting: StoredValue<Option<TimeoutHandle>>,
}

impl Outcome {
    pub fn new() -> Self {
        Self {
            found: RwSignal::new(None),
            of: RwSignal::new(String::new()),
            is_outdated: RwSignal::new(false),
            refused: RwSignal::new(None),
            is_running: RwSignal::new(false),
            turn: StoredValue::new(0),
            waiting: StoredValue::new(None),
        }
    }

    pub fn wait(self, handle: Option<TimeoutHandle>) {
        self.waiting.set_value(handle);
    }

    pub fn call_off(self) {
        if let Some(handle) = self.waiting.try_update_value(Option::take).flatten() {
            handle.clear();
        }
    }

    /// From here on no older run counts, and none waits. Gives this one's turn.
    pub fn begin(self) -> u32 {
        self.call_off();
        let turn = self.turn.get_value().wrapping_add(1);
        self.turn.set_value(turn);
        turn
    }

    /// Whether it is still this one's turn. It is nobody's once the page is gone.
    pub fn is_turn(self, turn: u32) -> bool {
        self.turn.try_get_value() == Some(turn)
    }

    pub fn show(self, found: DryRun, of: String) {
        self.is_running.set(false);
        self.is_outdated.set(false);
        self.refused.set(None);
        self.of.set(of);
        self.found.set(Some(found));
    }

    /// It was not tried, and `why`, where that is told.
    pub fn end_untried(self, why: Option<String>) {
        self.is_running.set(false);
        self.is_outdated.set(true);
        self.refused.set(why);
    }

    /// A fault of the draft stands at its field; what else is wrong stands here.
    pub fn refuse(self, problem: Problem, faults: Option<Faults>) {
        let why = if problem.errors.is_empty() {
            problem.detail.clone()
        } else {
            "It was not tried: something in the draft is wrong. It is marked at its field.".to_owned()
        };
        if let Some(faults) = faults.filter(|_| !problem.errors.is_empty()) {
            faults.mark(problem);
        }
        self.end_untried(Some(why));
    }
}

/// What is told of a run that nobody asked for: not that a field of the draft is empty, which somebody may have just added,
/// unless that stands at the field already. `None` where nothing is left to tell.
pub fn told_unasked(mut problem: Problem, draft: &Value, faults: Option<Faults>) -> Option<Problem> {
    if problem.errors.is_empty() {
        return Some(problem);
    }
    let is_told = |path: &str| faults.is_some_and(|faults| untrack(|| faults.is_below(path)));
    problem.errors.retain(|error| !is_empty_at(draft, &error.field) || is_told(&error.field));
    (!problem.errors.is_empty()).then_some(problem)
}
