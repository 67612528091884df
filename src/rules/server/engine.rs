//! Runs the rules of an intent over one message: renders each look-up, asks, judges, keeps the evidence.
//!
//! Pure but for the look-ups: nothing is stored here and nothing sent.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use serde_json::{Map, Value};

use super::{
    conditions::{Conditions, Unrenderable},
    judge,
};
use crate::{
    datasources::server::{
        connection::Connection,
        lookup::{Cause, ForMessage, LookupError, Request, Rows, masking::Masking},
    },
    emails::{
        dto::{Compared, Decision, Evidence, VerdictEntry},
        server::fields::Fields,
    },
    rules::{
        dto::{OnError, OnFail, ValidationRule, Verdict, WhenMissing},
        words::demand_words,
    },
    server::{
        aside::{self, Turn},
        text::shorten,
    },
    shared::Problem,
};

/// Evidence holds at most this many rows, and this many characters of a value.
const EVIDENCE_ROWS: usize = 10;
const EVIDENCE_CHARS: usize = 500;
/// A look-up's query and values are shown to this many characters each.
const EVIDENCE_QUERY: usize = 4_000;

/// What the patterns and expressions of all rules may take for one message, as the patterns of its intents may.
const PATIENCE: Duration = Duration::from_secs(5);

/// A rule that is ready to run.
#[derive(Debug)]
pub struct ReadyRule {
    pub rule: ValidationRule,
    /// `Err`: what is stored no longer fits.
    pub conditions: Result<Arc<Conditions>, Problem>,
    pub datasource_name: Option<String>,
    /// How to get there; `Err`: why that is not known. `None` for a rule without a look-up.
    pub connection: Option<Result<Connection, LookupError>>,
}

/// What one rule said, and what follows from it.
#[derive(Debug)]
pub struct Judged {
    pub entry: VerdictEntry,
    pub on_error: OnError,
    /// An `error` that trying again may mend.
    pub transient: bool,
    /// An `error` because the datasource was not asked: its breaker is open, or its turn did not come.
    pub unasked: bool,
    /// For how long the datasource wants to be left alone, where it says so.
    pub retry_after: Option<Duration>,
}

/// One message that is held against its rules.
struct Run<'r> {
    lookups: &'r ForMessage<'r>,
    fields: Arc<Fields>,
    /// What patterns and expressions took so far. Unit: microseconds.
    spent: Arc<AtomicU64>,
}

/// Runs the rules in order of priority; those of equal priority side by side. The failure of a rule with `stop`
/// ends the run: what comes after its priority is skipped.
pub async fn run(lookups: &ForMessage<'_>, rules: &[ReadyRule], fields: &Fields) -> Vec<Judged> {
    let run = Run { lookups, fields: Arc::new(fields.clone()), spent: Arc::default() };
    let mut judged: Vec<Judged> = Vec::with_capacity(rules.len());
    let mut stopped_by: Option<String> = None;
    for group in rules.chunk_by(|a, b| a.rule.priority == b.rule.priority) {
        if let Some(reason) = &stopped_by {
            let reason = format!("not run: {reason}");
            judged.extend(group.iter().map(|ready| skipped(ready, reason.clone())));
            continue;
        }
        let results = futures::future::join_all(group.iter().map(|ready| judge(&run, ready))).await;
        if let Some(stop) = group
            .iter()
            .zip(&results)
            .find(|(ready, result)| ready.rule.stop && result.entry.verdict == Verdict::Fail)
        {
            stopped_by = Some(format!("an earlier rule ended the run ({})", stop.1.entry.reason));
        }
        judged.extend(results);
    }
    judged
}

/// What the verdicts together say (DESIGN, section 5): any reject, else any review, else accepted.
pub fn decide<'j>(judged: impl IntoIterator<Item = &'j Judged>) -> Decision {
    let mut decision = Decision::Accepted;
    for judged in judged {
        match consequence(judged) {
            Some(Decision::Rejected) => return Decision::Rejected,
            Some(Decision::Review) => decision = Decision::Review,
            _ => {}
        }
    }
    decision
}

/// What one verdict alone asks for; `None` where it asks for nothing.
pub fn consequence(judged: &Judged) -> Option<Decision> {
    match judged.entry.verdict {
        Verdict::Pass | Verdict::Skipped => None,
        Verdict::Fail => match judged.entry.on_fail {
            OnFail::Reject => Some(Decision::Rejected),
            OnFail::Review => Some(Decision::Review),
            OnFail::Warn => None,
        },
        Verdict::Error => match judged.on_error {
            OnError::Reject => Some(Decision::Rejected),
            OnError::Review => Some(Decision::Review),
            OnError::Ignore => None,
        },
    }
}

struct Outcome {
    verdict: Verdict,
    reason: String,
    evidence: Evidence,
    transient: bool,
    unasked: bool,
    retry_after: Option<Duration>,
}

impl Outcome {
    fn new(verdict: Verdict, reason: impl Into<String>) -> Self {
        Self {
            verdict,
            reason: reason.into(),
            evidence: Evidence::default(),
            transient: false,
            unasked: false,
            retry_after: None,
        }
    }

    fn error(error: LookupError, name: &str) -> Self {
        let mut outcome = Self::new(Verdict::Error, format!("{name} could not be asked: {}", error.message));
        outcome.transient = error.transient();
        outcome.unasked = matches!(error.cause, Cause::Busy | Cause::Paused);
        outcome.retry_after = error.retry_after;
        outcome.evidence.error = Some(error.message);
        outcome
    }
}

async fn judge(run: &Run<'_>, ready: &ReadyRule) -> Judged {
    let started = Instant::now();
    let outcome = outcome(run, ready).await;
    let duration_ms = started.elapsed().as_secs_f64() * 1_000.0;
    judged(ready, outcome, duration_ms)
}

fn skipped(ready: &ReadyRule, reason: String) -> Judged {
    judged(ready, Outcome::new(Verdict::Skipped, reason), 0.0)
}

fn judged(ready: &ReadyRule, outcome: Outcome, duration_ms: f64) -> Judged {
    let rule = &ready.rule;
    // A datasource that is gone has no name any more: the demand was of what it held all the same, not of the message.
    let place = ready.datasource_name.as_deref().or(rule.datasource_id.map(|_| "the datasource"));
    Judged {
        entry: VerdictEntry {
            rule_id: rule.rule_id,
            rule_type: rule.rule_type,
            field_name: rule.field_name.clone(),
            datasource: ready.datasource_name.clone(),
            demand: demand_words(rule.rule_type, &rule.field_name, place, &rule.conditions),
            on_fail: rule.on_fail,
            verdict: outcome.verdict,
            reason: outcome.reason,
            evidence: outcome.evidence,
            duration_ms,
        },
        on_error: rule.on_error,
        transient: outcome.transient,
        unasked: outcome.unasked,
        retry_after: outcome.retry_after,
    }
}

/// What evidence and reasons must not show of what was answered.
fn masking(ready: &ReadyRule) -> Masking {
    match &ready.connection {
        Some(Ok(connection)) => Masking::of(connection),
        _ => Masking::default(),
    }
}

async fn outcome(run: &Run<'_>, ready: &ReadyRule) -> Outcome {
    let fields = &run.fields;
    let name = ready.datasource_name.as_deref().unwrap_or("the datasource");
    let conditions = match &ready.conditions {
        Ok(conditions) => conditions,
        Err(problem) => {
            return Outcome::error(LookupError::new(Cause::Rule, problem.detail.clone()), "the rule");
        }
    };
    // What is compared with is rendered first: a field that is absent spares the look-up.
    let expected = match judge::expected(&ready.rule, &conditions.judgement, fields) {
        Ok(expected) => expected,
        Err(unrenderable) => return missing(&ready.rule, unrenderable),
    };
    let Some(lookup) = &conditions.lookup else {
        return judge_found(run, ready, conditions, expected, None).await;
    };
    let request = match lookup.render(fields) {
        Ok(request) => request,
        Err(unrenderable) => return missing(&ready.rule, unrenderable),
    };
    let answer = match &ready.connection {
        Some(Ok(connection)) => run.lookups.ask(connection, &request).await,
        Some(Err(fault)) => Err(fault.clone()),
        None => Err(LookupError::new(Cause::Rule, "the rule has no datasource")),
    };
    let mut outcome = match &answer {
        Ok(rows) => {
            let found = Some((request.clone(), Arc::clone(rows)));
            judge_found(run, ready, conditions, expected, found).await
        }
        // The message's own value cannot be asked for, so no row can have it.
        Err(error) if error.unfit() && !lookup.fields().is_empty() => missing(
            &ready.rule,
            Unrenderable::Unfit(format!(
                "{name} cannot be asked for {}: {}",
                request.subject(),
                error.message
            )),
        ),
        Err(error) => Outcome::error(error.clone(), name),
    };
    outcome.evidence.lookup = Some(cut_within(request.evidence()));
    if let Ok(rows) = answer {
        add_rows(&mut outcome.evidence, &rows, &masking(ready));
    }
    outcome
}

/// Judges what was found, or the message's own field where nothing is looked up.
async fn judge_found(
    run: &Run<'_>,
    ready: &ReadyRule,
    conditions: &Arc<Conditions>,
    expected: Vec<Value>,
    found: Option<(Request, Arc<Rows>)>,
) -> Outcome {
    let place = ready.datasource_name.clone().unwrap_or_else(|| "the datasource".to_owned());
    let masking = masking(ready);
    let takes_time = judge::takes_time(ready.rule.rule_type);
    let (rule, conditions) = (ready.rule.clone(), Arc::clone(conditions));
    let (fields, spent) = (Arc::clone(&run.fields), Arc::clone(&run.spent));
    let work = move || {
        let found =
            found.as_ref().map(|(request, rows)| judge::Found { request, rows, place: &place, masking });
        let patience = PATIENCE.saturating_sub(Duration::from_micros(spent.load(Ordering::Relaxed)));
        if takes_time && patience.is_zero() {
            return Err(judge::Unjudged::Rule(format!(
                "the rules need mending: their patterns and expressions took longer than {} s together",
                PATIENCE.as_secs()
            )));
        }
        let started = Instant::now();
        let finding = judge::judge(&rule, &conditions.judgement, &expected, &fields, found, patience);
        if takes_time {
            let took = u64::try_from(started.elapsed().as_micros()).unwrap_or(u64::MAX);
            spent.fetch_add(took, Ordering::Relaxed);
        }
        finding
    };
    let finding = if takes_time {
        let turn = aside::turn_of(&ready.rule.tenant_id, Turn::Run).await;
        aside::run_in(turn, work).await
    } else {
        work()
    };
    match finding {
        Ok(finding) => {
            let verdict = if finding.passes { Verdict::Pass } else { Verdict::Fail };
            let mut outcome = Outcome::new(verdict, finding.reason);
            outcome.evidence.compared = finding.compared.map(|compared| Compared {
                actual: cut(&compared.actual),
                expected: cut(&compared.expected),
                ..compared
            });
            outcome
        }
        Err(judge::Unjudged::Message(unrenderable)) => missing(&ready.rule, unrenderable),
        // No datasource said it, so it is no part of the evidence.
        Err(judge::Unjudged::Rule(sentence)) => Outcome::new(Verdict::Error, sentence),
        Err(judge::Unjudged::Datasource(fault)) => Outcome::error(
            LookupError::new(Cause::Refused, fault),
            ready.datasource_name.as_deref().unwrap_or("the rule"),
        ),
    }
}

fn missing(rule: &ValidationRule, unrenderable: Unrenderable) -> Outcome {
    match unrenderable {
        Unrenderable::Missing(field) => {
            let verdict = match rule.when_missing {
                WhenMissing::Fail => Verdict::Fail,
                WhenMissing::Skip => Verdict::Skipped,
            };
            Outcome::new(verdict, format!("no {field} in the message"))
        }
        Unrenderable::Unfit(reason) => Outcome::new(Verdict::Fail, reason),
    }
}

fn add_rows(evidence: &mut Evidence, rows: &Rows, masking: &Masking) {
    evidence.columns.clone_from(&rows.columns);
    evidence.row_count = Some(rows.rows.len());
    evidence.truncated = rows.truncated;
    let kept = rows.rows.iter().take(EVIDENCE_ROWS);
    // What is cut off could be a part of a secret.
    let shown = |value: &Value| cut(&masking.value(value));
    let object = |row: &Vec<Value>| -> Map<String, Value> {
        rows.columns.iter().cloned().zip(row.iter().map(shown)).collect()
    };
    evidence.rows = Some(kept.map(object).collect());
}

/// Each text in a document, bounded.
fn cut_within(value: Value) -> Value {
    match value {
        Value::String(text) => shorten(&text, EVIDENCE_QUERY).into(),
        Value::Array(items) => items.into_iter().map(cut_within).collect(),
        Value::Object(members) => {
            members.into_iter().map(|(name, value)| (name, cut_within(value))).collect()
        }
        other => other,
    }
}

/// A value as evidence keeps it: bounded, and without NUL, which jsonb cannot hold.
fn cut(value: &Value) -> Value {
    let bounded = |text: &str| Value::from(shorten(text, EVIDENCE_CHARS).replace('\0', "\u{fffd}"));
    match value {
        Value::String(text) => bounded(text),
        Value::Array(_) | Value::Object(_) => {
            let text = value.to_string();
            if text.chars().count() > EVIDENCE_CHARS || text.contains("\\u0000") {
                bounded(&text.replace("\\u0000", "\u{fffd}"))
            } else {
                value.clone()
            }
        }
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{rules::dto::RuleType, shared::RuleId};

    fn judged(verdict: Verdict, on_fail: OnFail, on_error: OnError) -> Judged {
        Judged {
            entry: VerdictEntry {
                rule_id: RuleId(1),
                rule_type: RuleType::Exists,
                field_name: "subject".into(),
                datasource: None,
                demand: String::new(),
                on_fail,
                verdict,
                reason: String::new(),
                evidence: Evidence::default(),
                duration_ms: 0.0,
            },
            on_error,
            transient: false,
            unasked: false,
            retry_after: None,
        }
    }

    fn any_judged() -> impl Strategy<Value = (Verdict, OnFail, OnError)> {
        (
            proptest::sample::select(Verdict::ALL),
            proptest::sample::select(OnFail::ALL),
            proptest::sample::select(OnError::ALL),
        )
    }

    proptest! {
        #[test]
        fn reject_outranks_review_and_review_outranks_accept(all in proptest::collection::vec(any_judged(), 0..8)) {
            let all: Vec<Judged> = all.into_iter().map(|(v, f, e)| judged(v, f, e)).collect();
            let rejects = all.iter().any(|j| {
                (j.entry.verdict == Verdict::Fail && j.entry.on_fail == OnFail::Reject)
                    || (j.entry.verdict == Verdict::Error && j.on_error == OnError::Reject)
            });
            let reviews = all.iter().any(|j| {
                (j.entry.verdict == Verdict::Fail && j.entry.on_fail == OnFail::Review)
                    || (j.entry.verdict == Verdict::Error && j.on_error == OnError::Review)
            });
            let expected = if rejects { Decision::Rejected } else if reviews { Decision::Review } else { Decision::Accepted };
            prop_assert_eq!(decide(&all), expected);
        }
    }
}
