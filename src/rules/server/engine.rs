//! Runs the rules of an intent over one message: renders each look-up, asks, judges, keeps the evidence.
//!
//! Pure but for the look-ups: nothing is stored here and nothing sent.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Instant,
};

use serde_json::{Map, Value};
use tokio::sync::OnceCell;

use super::conditions::{Conditions, Judgement, Unrenderable};
use crate::{
    datasources::server::{
        connection::Connection,
        lookup::{LookupError, Lookups, Request, Rows},
    },
    emails::{
        dto::{Compared, Decision, Evidence, VerdictEntry},
        server::fields::Fields,
    },
    intents::server::matching::compile,
    rules::dto::{OnError, OnFail, RuleType, ValidationRule, Verdict, WhenMissing},
    shared::Problem,
};

/// Evidence holds at most this many rows, and this many characters of a value.
const EVIDENCE_ROWS: usize = 10;
const EVIDENCE_CHARS: usize = 500;

/// A rule that is ready to run.
#[derive(Debug)]
pub struct ReadyRule {
    pub rule: ValidationRule,
    /// `Err`: what is stored no longer fits.
    pub conditions: Result<Conditions, Problem>,
    pub datasource_name: Option<String>,
    /// How to get there; `Err`: why that is not known. `None` for a rule without a look-up.
    pub connection: Option<Result<Connection, String>>,
}

/// What one rule said, and what follows from it.
#[derive(Debug)]
pub struct Judged {
    pub entry: VerdictEntry,
    pub on_error: OnError,
    /// An `error` that trying again may mend.
    pub transient: bool,
}

/// The answers so far: the same look-up asked twice for one message is asked once.
type Asked = Mutex<HashMap<String, Arc<OnceCell<Result<Arc<Rows>, LookupError>>>>>;

/// Runs the rules in order of priority; those of equal priority side by side. The failure of a rule with `stop`
/// ends the run: what comes after its priority is skipped.
pub async fn run(lookups: &Lookups, rules: &[ReadyRule], fields: &Fields) -> Vec<Judged> {
    let asked = Asked::default();
    let mut judged: Vec<Judged> = Vec::with_capacity(rules.len());
    let mut stopped_by: Option<String> = None;
    for group in rules.chunk_by(|a, b| a.rule.priority == b.rule.priority) {
        if let Some(reason) = &stopped_by {
            let reason = format!("not run: {reason}");
            judged.extend(group.iter().map(|ready| skipped(ready, reason.clone())));
            continue;
        }
        let results =
            futures::future::join_all(group.iter().map(|ready| judge(lookups, &asked, ready, fields))).await;
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
}

impl Outcome {
    fn new(verdict: Verdict, reason: impl Into<String>) -> Self {
        Self { verdict, reason: reason.into(), evidence: Evidence::default(), transient: false }
    }

    fn error(error: LookupError, name: &str) -> Self {
        let mut outcome = Self::new(Verdict::Error, format!("{name} could not be asked: {}", error.message));
        outcome.evidence.error = Some(error.message);
        outcome.transient = error.transient;
        outcome
    }
}

async fn judge(lookups: &Lookups, asked: &Asked, ready: &ReadyRule, fields: &Fields) -> Judged {
    let started = Instant::now();
    let outcome = outcome(lookups, asked, ready, fields).await;
    let duration_ms = started.elapsed().as_secs_f64() * 1_000.0;
    judged(ready, outcome, duration_ms)
}

fn skipped(ready: &ReadyRule, reason: String) -> Judged {
    judged(ready, Outcome::new(Verdict::Skipped, reason), 0.0)
}

fn judged(ready: &ReadyRule, outcome: Outcome, duration_ms: f64) -> Judged {
    let rule = &ready.rule;
    Judged {
        entry: VerdictEntry {
            rule_id: rule.rule_id,
            rule_type: rule.rule_type,
            field_name: rule.field_name.clone(),
            datasource: ready.datasource_name.clone(),
            on_fail: rule.on_fail,
            verdict: outcome.verdict,
            reason: outcome.reason,
            evidence: outcome.evidence,
            duration_ms,
        },
        on_error: rule.on_error,
        transient: outcome.transient,
    }
}

async fn outcome(lookups: &Lookups, asked: &Asked, ready: &ReadyRule, fields: &Fields) -> Outcome {
    let name = ready.datasource_name.as_deref().unwrap_or("the datasource");
    let conditions = match &ready.conditions {
        Ok(conditions) => conditions,
        Err(problem) => return Outcome::error(LookupError::permanent(problem.detail.clone()), "the rule"),
    };
    let Some(lookup) = &conditions.lookup else {
        return judge_field(&ready.rule, &conditions.judgement, fields);
    };
    // What is compared with is rendered first: a field that is absent spares the look-up.
    let expected = match expected(&ready.rule, &conditions.judgement, fields) {
        Ok(expected) => expected,
        Err(unrenderable) => return missing(&ready.rule, unrenderable),
    };
    let request = match lookup.render(fields) {
        Ok(request) => request,
        Err(unrenderable) => return missing(&ready.rule, unrenderable),
    };
    let answer = match &ready.connection {
        Some(Ok(connection)) => ask(lookups, asked, connection, &request).await,
        Some(Err(reason)) => Err(LookupError::permanent(reason.clone())),
        None => Err(LookupError::permanent("the rule has no datasource")),
    };
    let mut outcome = match &answer {
        Ok(rows) => judge_rows(&ready.rule, &conditions.judgement, expected, &request, rows, name),
        Err(error) => Outcome::error(error.clone(), name),
    };
    outcome.evidence.lookup = Some(request.evidence());
    if let Ok(rows) = answer {
        add_rows(&mut outcome.evidence, &rows);
    }
    outcome
}

async fn ask(
    lookups: &Lookups,
    asked: &Asked,
    connection: &Connection,
    request: &Request,
) -> Result<Arc<Rows>, LookupError> {
    let key = format!("{}|{}", connection.config_id, request.evidence());
    let cell = {
        let mut asked = asked.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(asked.entry(key).or_default())
    };
    cell.get_or_init(|| async { lookups.ask(connection, request).await.map(Arc::new) }).await.clone()
}

fn missing(rule: &ValidationRule, unrenderable: Unrenderable) -> Outcome {
    let reason = match unrenderable {
        Unrenderable::Missing(field) => format!("no {field} in the message"),
        Unrenderable::Unfit(reason) => reason,
    };
    match rule.when_missing {
        WhenMissing::Fail => Outcome::new(Verdict::Fail, reason),
        WhenMissing::Skip => Outcome::new(Verdict::Skipped, reason),
    }
}

/// What the column should be: `expected`, or the rule's own field. `None` for rules that do not compare.
fn expected(
    rule: &ValidationRule,
    judgement: &Judgement,
    fields: &Fields,
) -> Result<Option<Value>, Unrenderable> {
    if !matches!(rule.rule_type, RuleType::Equals | RuleType::NotEquals) {
        return Ok(None);
    }
    match &judgement.expected {
        Some(operand) => operand.render(fields).map(Some),
        None => match fields.present(&rule.field_name) {
            Some(value) => Ok(Some(value.into())),
            None => Err(Unrenderable::Missing(rule.field_name.clone())),
        },
    }
}

/// A rule without a look-up judges the field itself.
fn judge_field(rule: &ValidationRule, judgement: &Judgement, fields: &Fields) -> Outcome {
    let Some(actual) = fields.present(&rule.field_name) else {
        return missing(rule, Unrenderable::Missing(rule.field_name.clone()));
    };
    let expected = match expected(rule, judgement, fields) {
        Ok(expected) => expected,
        Err(unrenderable) => return missing(rule, unrenderable),
    };
    compare(rule.rule_type, judgement, rule.field_name.clone(), Value::from(actual), expected)
}

fn judge_rows(
    rule: &ValidationRule,
    judgement: &Judgement,
    expected: Option<Value>,
    request: &Request,
    rows: &Rows,
    name: &str,
) -> Outcome {
    let subject = || {
        let values = request.values();
        let words = values.iter().map(|value| shorten(value, 80)).collect::<Vec<_>>().join(", ");
        if words.is_empty() { String::new() } else { format!(" for {words}") }
    };
    let count = || match (rows.rows.len(), rows.truncated) {
        (1, false) => "1 row".to_owned(),
        (n, false) => format!("{n} rows"),
        (n, true) => format!("more than {n} rows"),
    };
    let found = !rows.rows.is_empty();
    match rule.rule_type {
        RuleType::Exists if found => {
            Outcome::new(Verdict::Pass, format!("{name} has {}{}", count(), subject()))
        }
        RuleType::Exists => Outcome::new(Verdict::Fail, format!("{name} has no row{}", subject())),
        RuleType::NotExists if found => {
            Outcome::new(Verdict::Fail, format!("{name} has {}{}, and should have none", count(), subject()))
        }
        RuleType::NotExists => Outcome::new(Verdict::Pass, format!("{name} has no row{}", subject())),
        RuleType::Equals | RuleType::NotEquals | RuleType::Regex => {
            let Some(row) = rows.rows.first() else {
                return Outcome::new(Verdict::Fail, format!("{name} has no row{}", subject()));
            };
            let position = match &judgement.column {
                None => Some(0),
                Some(column) => rows
                    .columns
                    .iter()
                    .position(|other| other == column)
                    .or_else(|| rows.columns.iter().position(|other| other.eq_ignore_ascii_case(column))),
            };
            let Some(position) = position.filter(|position| *position < row.len()) else {
                let column = judgement.column.as_deref().unwrap_or("the first");
                let message = format!("there is no column {column} in {}", rows.columns.join(", "));
                return Outcome::error(LookupError::permanent(message), name);
            };
            compare(
                rule.rule_type,
                judgement,
                rows.columns[position].clone(),
                row[position].clone(),
                expected,
            )
        }
    }
}

fn compare(
    rule_type: RuleType,
    judgement: &Judgement,
    left: String,
    actual: Value,
    expected: Option<Value>,
) -> Outcome {
    let shown = |value: &Value| match value {
        Value::Null => "empty".to_owned(),
        Value::String(text) => format!("'{}'", shorten(text, 80)),
        other => shorten(&other.to_string(), 80),
    };
    let (passes, reason, expected) = match rule_type {
        RuleType::Regex => {
            let pattern = judgement.pattern.clone().unwrap_or_default();
            let matches = text_of(&actual).is_some_and(|text| {
                compile(&pattern, judgement.ignore_case).is_ok_and(|regex| regex.is_match(&text))
            });
            let verb = if matches { "matches" } else { "does not match" };
            (matches, format!("{left} is {}, which {verb} {pattern}", shown(&actual)), Value::from(pattern))
        }
        _ => {
            let expected = expected.unwrap_or_default();
            let same = same(&actual, &expected, judgement.ignore_case);
            let wanted = rule_type == RuleType::Equals;
            let reason = match (same, wanted) {
                (true, true) => format!("{left} is {}, as expected", shown(&actual)),
                (false, true) => format!("{left} is {}, not {}", shown(&actual), shown(&expected)),
                (true, false) => format!("{left} is {}, which it should not be", shown(&actual)),
                (false, false) => format!("{left} is {}, and not {}", shown(&actual), shown(&expected)),
            };
            (same == wanted, reason, expected)
        }
    };
    let mut outcome = Outcome::new(if passes { Verdict::Pass } else { Verdict::Fail }, reason);
    outcome.evidence.compared = Some(Compared { left, actual: cut(&actual), expected: cut(&expected) });
    outcome
}

/// Whether two values are the same: as numbers where the datasource's is one, as texts otherwise. Nothing equals
/// an empty value but an expected `null`.
fn same(actual: &Value, expected: &Value, ignore_case: bool) -> bool {
    if actual.is_null() || expected.is_null() {
        return actual.is_null() && expected.is_null();
    }
    let (Some(left), Some(right)) = (text_of(actual), text_of(expected)) else { return actual == expected };
    if left == right || (ignore_case && left.to_lowercase() == right.to_lowercase()) {
        return true;
    }
    if !(actual.is_number() || expected.is_number()) {
        return false;
    }
    match (left.trim().parse::<i128>(), right.trim().parse::<i128>()) {
        (Ok(left), Ok(right)) => left == right,
        _ => match (left.trim().parse::<f64>(), right.trim().parse::<f64>()) {
            (Ok(left), Ok(right)) => left == right,
            _ => false,
        },
    }
}

fn text_of(value: &Value) -> Option<String> {
    match value {
        Value::Null => None,
        Value::String(text) => Some(text.clone()),
        Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => Some(value.to_string()),
    }
}

fn add_rows(evidence: &mut Evidence, rows: &Rows) {
    evidence.columns.clone_from(&rows.columns);
    evidence.row_count = Some(rows.rows.len());
    evidence.truncated = rows.truncated;
    let kept = rows.rows.iter().take(EVIDENCE_ROWS);
    let object = |row: &Vec<Value>| -> Map<String, Value> {
        rows.columns.iter().cloned().zip(row.iter().map(cut)).collect()
    };
    evidence.rows = Some(kept.map(object).collect());
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

/// At most `max` characters, a cut marked by `…`.
pub fn shorten(text: &str, max: usize) -> String {
    match text.char_indices().nth(max) {
        None => text.to_owned(),
        Some((end, _)) => format!("{}…", &text[..end]),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::shared::{IntentId, RuleId};

    fn judged(verdict: Verdict, on_fail: OnFail, on_error: OnError) -> Judged {
        Judged {
            entry: VerdictEntry {
                rule_id: RuleId(1),
                rule_type: RuleType::Exists,
                field_name: "subject".into(),
                datasource: None,
                on_fail,
                verdict,
                reason: String::new(),
                evidence: Evidence::default(),
                duration_ms: 0.0,
            },
            on_error,
            transient: false,
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

        #[test]
        fn a_text_is_the_same_as_itself_and_shortening_holds_its_bound(text in "\\PC*", max in 0usize..40) {
            prop_assert!(same(&json!(text), &json!(text), false));
            prop_assert!(shorten(&text, max).chars().count() <= max + 1);
        }
    }

    #[test]
    fn numbers_compare_as_numbers_and_texts_as_texts() {
        for (actual, expected, same_as) in [
            (json!(10), json!("10"), true),
            (json!(10), json!("10.0"), true),
            (json!(10.5), json!("10.50"), true),
            (json!(9_007_199_254_740_993_i64), json!("9007199254740992"), false),
            (json!("10"), json!("10.0"), false),
            (json!("007"), json!("7"), false),
            (json!(true), json!("true"), true),
            (json!(null), json!(""), false),
            (json!(null), json!(null), true),
            (json!("Active"), json!("active"), false),
        ] {
            assert_eq!(same(&actual, &expected, false), same_as, "{actual} {expected}");
        }
        assert!(same(&json!("ACTIVE ü"), &json!("active Ü"), true));
    }

    fn ready(priority: i32, stop: bool, pattern: &str) -> ReadyRule {
        let rule = ValidationRule {
            rule_id: RuleId(i64::from(priority)),
            tenant_id: "t".parse().expect("slug"),
            intent_id: IntentId(1),
            datasource_id: None,
            field_name: "subject".into(),
            rule_type: RuleType::Regex,
            conditions: json!({"pattern": pattern}),
            priority,
            is_active: true,
            on_fail: OnFail::Reject,
            on_error: OnError::Review,
            when_missing: WhenMissing::Fail,
            stop,
            created_at: chrono::DateTime::UNIX_EPOCH,
            updated_at: chrono::DateTime::UNIX_EPOCH,
        };
        let conditions = super::super::conditions::parse(rule.rule_type, None, &rule.conditions);
        ReadyRule { rule, conditions, datasource_name: None, connection: None }
    }

    #[tokio::test]
    async fn a_rule_with_stop_ends_the_run_at_its_failure() {
        let config = crate::server::config::Config::read(|_| None).expect("defaults");
        let lookups = Lookups::new(&config);
        let mut fields = Fields::default();
        fields.set("subject", "hello");
        let rules = [ready(1, false, "h"), ready(2, true, "x"), ready(2, false, "h"), ready(3, false, "h")];
        let verdicts: Vec<Verdict> =
            run(&lookups, &rules, &fields).await.into_iter().map(|judged| judged.entry.verdict).collect();
        assert_eq!(verdicts, [Verdict::Pass, Verdict::Fail, Verdict::Pass, Verdict::Skipped]);
        let verdicts: Vec<Verdict> = run(&lookups, &rules, &Fields::default())
            .await
            .into_iter()
            .map(|judged| judged.entry.verdict)
            .collect();
        assert_eq!(verdicts[0], Verdict::Fail, "an absent field fails");
    }
}
