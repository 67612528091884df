//! The draft over stored messages: what it would change, before it is saved.

use std::time::Duration;

use leptos::{prelude::*, task::spawn_local};

use super::{changes::Changes, form::IntentForm, try_panel::sent};
use crate::{
    backtests::{
        api::{delete_backtest, get_backtest, list_changes, start_backtest},
        dto::{Backtest, BacktestChange, BacktestInput, BacktestOutcome, BacktestStatus},
    },
    shared::{BacktestId, EmailId, IntentId, Problem, TenantId},
    ui::{
        editor::options,
        fields::{Faults, SelectField},
        icons::{Glyph, Icon},
        only::Only,
        react::{effect, memo},
    },
};

/// How often it is asked how far it is.
const BEAT: Duration = Duration::from_millis(700);

/// A backtest, and what came of it.
#[derive(Clone, Copy)]
struct Run {
    backtest: RwSignal<Option<Backtest>>,
    changes: RwSignal<Vec<BacktestChange>>,
    /// Those that would keep their intent and decision, and get other verdicts.
    judged: RwSignal<Vec<BacktestChange>>,
    /// Those that would keep their verdicts too, and have other fields.
    extracted: RwSignal<Vec<BacktestChange>>,
    /// Those that differ without the draft too.
    drifted: RwSignal<Vec<BacktestChange>>,
    refused: RwSignal<Option<String>>,
    is_starting: RwSignal<bool>,
    /// The draft that it runs, written down.
    of: RwSignal<String>,
    tenant_id: StoredValue<TenantId>,
}

impl Run {
    fn id(self) -> Option<BacktestId> {
        self.backtest.try_with_untracked(|backtest| backtest.as_ref().map(|backtest| backtest.backtest_id))?
    }

    fn is_under_way(self) -> bool {
        self.backtest.with(|backtest| backtest.as_ref().is_some_and(is_on))
    }

    /// Whether this one is still to end: it may have been called off, or another one begun.
    fn awaits(self, id: BacktestId) -> bool {
        let awaited = |backtest: &Backtest| backtest.backtest_id == id && is_on(backtest);
        self.backtest.try_with_untracked(|backtest| backtest.as_ref().is_some_and(awaited)) == Some(true)
    }

    /// `of` is the draft, written down.
    fn start(self, input: BacktestInput, of: String) {
        self.refused.set(None);
        self.is_starting.set(true);
        let tenant = self.tenant_id.get_value();
        let former = self.id();
        spawn_local(async move {
            // The room for backtests is bounded, and nobody else looks at this one.
            if let Some(former) = former {
                let _ = delete_backtest(tenant.clone(), former).await;
            }
            let started = start_backtest(tenant.clone(), input).await;
            let _ = self.is_starting.try_set(false);
            match started {
                Ok(backtest) => {
                    let _ = self.changes.try_set(Vec::new());
                    let _ = self.judged.try_set(Vec::new());
                    let _ = self.extracted.try_set(Vec::new());
                    let _ = self.drifted.try_set(Vec::new());
                    let _ = self.of.try_set(of);
                    // The page may be gone by now.
                    if let Some(Some(orphan)) = self.backtest.try_set(Some(backtest)) {
                        let _ = delete_backtest(tenant, orphan.backtest_id).await;
                    }
                }
                Err(problem) => self.refuse(problem),
            }
        });
    }

    fn refuse(self, problem: Problem) {
        let _ = self.refused.try_set(Some(problem.detail));
    }

    /// Asks how far it is, and for the changes once it is done.
    fn ask(self) {
        let Some(id) = self.id() else { return };
        let tenant = self.tenant_id.get_value();
        spawn_local(async move {
            let found = match get_backtest(tenant.clone(), id).await {
                Ok(found) => found,
                Err(problem) => return self.refuse(problem),
            };
            if !self.awaits(id) {
                return;
            }
            // Of one asking that failed, nothing is left to tell.
            if self.refused.try_with_untracked(Option::is_some) == Some(true) {
                let _ = self.refused.try_set(None);
            }
            let lists = [
                (BacktestOutcome::Changed, found.changed, self.changes),
                (BacktestOutcome::Judged, found.judged_otherwise, self.judged),
                (BacktestOutcome::Extracted, found.extracted_otherwise, self.extracted),
                (BacktestOutcome::Drifted, found.drifted, self.drifted),
            ];
            for (outcome, count, list) in lists {
                if found.status != BacktestStatus::Done || count == 0 {
                    continue;
                }
                match list_changes(tenant.clone(), id, outcome).await {
                    // Where an earlier asking has brought them, they are read already.
                    Ok(_) if !self.awaits(id) => return,
                    Ok(changes) => drop(list.try_set(changes)),
                    // Asked again: without them it is not done.
                    Err(problem) => return self.refuse(problem),
                }
            }
            let _ = self.backtest.try_set(Some(found));
        });
    }

    fn cancel(self) {
        let Some(id) = self.id() else { return };
        self.backtest.set(None);
        self.clean_up(id);
    }

    fn clean_up(self, id: BacktestId) {
        let tenant = self.tenant_id.get_value();
        spawn_local(async move {
            let _ = delete_backtest(tenant, id).await;
        });
    }
}

fn is_on(backtest: &Backtest) -> bool {
    matches!(backtest.status, BacktestStatus::Queued | BacktestStatus::Running)
}

#[component]
pub fn Backtests(
    tenant_id: TenantId,
    intent_id: Option<IntentId>,
    form: IntentForm,
    /// As it stands, written down.
    draft: Memo<String>,
    /// Tries the draft on a message of this id and title, step by step.
    on_try: Callback<(EmailId, String)>,
) -> impl IntoView {
    let run = Run {
        backtest: RwSignal::new(None),
        changes: RwSignal::new(Vec::new()),
        judged: RwSignal::new(Vec::new()),
        extracted: RwSignal::new(Vec::new()),
        drifted: RwSignal::new(Vec::new()),
        refused: RwSignal::new(None),
        is_starting: RwSignal::new(false),
        of: RwSignal::new(String::new()),
        tenant_id: StoredValue::new(tenant_id),
    };
    let faults = use_context::<Faults>();
    let last = RwSignal::new("100".to_owned());
    let is_under_way = memo(move || run.is_under_way());
    let is_outdated = memo(move || *run.of.read() != *draft.read());
    // Not `disabled`, by which the button would lose the keyboard.
    let is_busy = memo(move || run.is_starting.get() || is_under_way.get());
    let start = move |_| {
        if is_busy.get_untracked() {
            return;
        }
        match sent(form) {
            Ok(sent) => {
                let input = BacktestInput {
                    intent: Some(sent.intent),
                    intent_id,
                    validation_rules: Some(sent.validation_rules),
                    last: last.get_untracked().parse().unwrap_or(100),
                };
                run.start(input, draft.get_untracked());
            }
            Err(problem) => {
                run.refused.set(Some(problem.detail.clone()));
                if let Some(faults) = faults {
                    faults.mark(problem);
                }
            }
        }
    };
    effect(move || {
        if is_under_way.get()
            && let Ok(handle) = set_interval_with_handle(move || run.ask(), BEAT)
        {
            on_cleanup(move || handle.clear());
        }
    });
    effect(move || {
        on_cleanup(move || {
            if let Some(id) = run.id() {
                run.clean_up(id);
            }
        });
    });
    view! {
        <section class="panel try" aria-labelledby="backtest" data-testid="backtest">
            <h2 id="backtest">"Over the messages of before"</h2>
            <p class="hint">"What the draft would change, look-ups included. Nothing is sent, and no message changes."</p>
            <SelectField
                label="Run it over"
                path="last"
                value=last
                options=options(&[
                    ("50", "the last 50 messages"),
                    ("100", "the last 100 messages"),
                    ("500", "the last 500 messages"),
                    ("1000", "the last 1000 messages"),
                ])
            />
            <div class="marks">
                <button
                    type="button"
                    class="button"
                    aria-busy=move || is_busy.get().to_string()
                    aria-disabled=move || is_busy.get().to_string()
                    data-testid="start-backtest"
                    on:click=start
                >
                    <Icon glyph=Glyph::RunAgain/>
                    "Show what would change"
                </button>
                <Only when=move || is_under_way.get()>
                    <button type="button" class="button" on:click=move |_| run.cancel()>
                        "Stop"
                    </button>
                </Only>
            </div>
            // Only the end is told: how far it is changes all the time.
            <p class="visually-hidden" role="status" data-testid="backtest-said">
                {move || {
                    run.backtest
                        .get()
                        .filter(|_| !is_under_way.get())
                        .map(|backtest| standing_words(&backtest))
                }}
            </p>
            <div role="status">
                {move || {
                    run.refused
                        .get()
                        .map(|why| {
                            view! {
                                <p class="notice tone-attention">
                                    <Icon glyph=Glyph::Alert/>
                                    <span>{why}</span>
                                </p>
                            }
                            .into_any()
                        })
                }}
            </div>
            {move || run.backtest.get().map(|backtest| view! { <Standing backtest/> }.into_any())}
            <Only when=move || run.backtest.read().is_some() && is_outdated.get()>
                <p class="notice tone-attention" data-testid="backtest-outdated">
                    <Icon glyph=Glyph::Alert/>
                    <span>"This is of the draft as it was. It was changed since: run it again. Each step is shown of the draft as it is now."</span>
                </p>
            </Only>
            {move || {
                // What would be decided otherwise is looked at first.
                let (decided, judged) = by_decision(run.changes.get(), run.judged.get());
                let as_before = "What would be judged otherwise, and decided as before";
                let as_judged = "What would have other fields, and be judged as before";
                let lists = [
                    (decided, None),
                    (judged, Some((as_before, "backtest-judged"))),
                    (run.extracted.get(), Some((as_judged, "backtest-extracted"))),
                    (run.drifted.get(), Some(("What differs without the draft too", "backtest-drifted"))),
                ];
                (!is_under_way.get())
                    .then(|| {
                        lists
                            .into_iter()
                            .filter(|(changes, _)| !changes.is_empty())
                            .map(|(changes, folded)| {
                                let tenant_id = run.tenant_id.get_value();
                                let list = view! { <Changes changes tenant_id on_try/> }.into_any();
                                let Some((summary, testid)) = folded else { return list };
                                view! {
                                    <details class="details" data-testid=testid>
                                        <summary>{summary}</summary>
                                        {list}
                                    </details>
                                }
                                .into_any()
                            })
                            .collect_view()
                    })
            }}
        </section>
    }
}

/// Those that would be decided otherwise, and those that would only be judged otherwise: first by another intent, then by
/// other verdicts.
fn by_decision(
    changes: Vec<BacktestChange>,
    verdicts: Vec<BacktestChange>,
) -> (Vec<BacktestChange>, Vec<BacktestChange>) {
    let is_decided = |change: &BacktestChange| {
        change.after.as_ref().is_some_and(|after| change.before.decision != Some(after.decision))
    };
    let (decided, mut judged): (Vec<_>, Vec<_>) = changes.into_iter().partition(is_decided);
    judged.extend(verdicts);
    (decided, judged)
}

/// How far it is, or what it came to, in words.
fn standing_words(backtest: &Backtest) -> String {
    let Backtest {
        status,
        total,
        done,
        decided_otherwise,
        judged_otherwise,
        extracted_otherwise,
        drifted,
        skipped,
        errors,
        note,
        ..
    } = backtest;
    match status {
        BacktestStatus::Queued => "It waits for its turn.".to_owned(),
        BacktestStatus::Running => format!("{done} of {total} messages."),
        BacktestStatus::Failed => note.clone().unwrap_or_else(|| "It failed.".to_owned()),
        BacktestStatus::Done => {
            let mut words = format!("{decided_otherwise} of {total} would be decided otherwise");
            if *judged_otherwise > 0 {
                words.push_str(&format!(", {judged_otherwise} more would be judged otherwise"));
            }
            if *extracted_otherwise > 0 {
                words.push_str(&format!(", {extracted_otherwise} more would have other fields"));
            }
            words.push('.');
            if *drifted > 0 {
                words.push_str(&format!(
                    " {drifted} differ already without the draft, because data or rules changed since."
                ));
            }
            match skipped {
                0 => {}
                1 => words.push_str(" 1 was decided by a person, and is not compared."),
                n => words.push_str(&format!(" {n} were decided by a person, and are not compared.")),
            }
            if *errors > 0 {
                words.push_str(&format!(" {errors} could not be compared."));
            }
            words
        }
    }
}

#[component]
fn Standing(backtest: Backtest) -> impl IntoView {
    let words = standing_words(&backtest);
    let Backtest { status, total, done, .. } = backtest;
    let is_under_way = matches!(status, BacktestStatus::Queued | BacktestStatus::Running);
    view! {
        {is_under_way
            .then(|| {
                view! {
                    <progress
                        class="progress"
                        max=total.max(1).to_string()
                        value=done.to_string()
                        aria-label="Messages that were run"
                    ></progress>
                }
                .into_any()
            })}
        <p data-testid="backtest-standing" data-status=status.as_str()>
            {words}
        </p>
    }
}
