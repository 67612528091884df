//! What a draft would change for one message.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use crate::{
    backtests::dto::{After, BacktestOutcome, Before, FieldDifference, Said, VerdictDifference},
    emails::{
        dto::{EmailIntent, VerdictEntry},
        server::dry_run::{self, Outcome},
    },
    intents::dto::is_message_field,
    rules::dto::{RuleType, Verdict},
    server::text::shorten,
};

/// What is shown of a value, in characters.
const SHOWN: usize = 200;

/// How a message stood, and by what.
pub struct Stood {
    pub before: Before,
    pub verdicts: Vec<VerdictEntry>,
    pub fields: Map<String, Value>,
}

/// What came of a message, for show and for counting.
#[derive(Debug)]
pub struct Compared {
    pub outcome: BacktestOutcome,
    pub after: After,
    pub differences: Vec<VerdictDifference>,
    pub field_differences: Vec<FieldDifference>,
    /// What the draft's rules said.
    verdicts: Vec<VerdictEntry>,
    /// With what the draft's extractors found.
    fields: Map<String, Value>,
}

/// Holds a run against how the message stood. A fault of a datasource is no change, whatever is decided on it.
pub fn compare(stood: &Stood, run: Outcome) -> Compared {
    let Stood { before, verdicts, fields: fields_before } = stood;
    let entries: Vec<VerdictEntry> = run.judged.into_iter().map(|judged| judged.entry).collect();
    let after = After {
        intent: run.examined.intent.as_ref().map(dry_run::shown),
        decision: run.conclusion.decision,
        explanation: storable(&run.conclusion.explanation),
    };
    let has_its_intent = is_same(&before.intent, &after.intent);
    let differences = differences(verdicts, &entries);
    let fields = run.examined.fields.to_json();
    // Another intent has fields of its own, which tell nothing.
    let field_differences =
        if has_its_intent { field_differences(fields_before, &fields) } else { Vec::new() };
    let outcome = if entries.iter().any(|entry| entry.verdict == Verdict::Error) {
        BacktestOutcome::Error
    } else if before.decision != Some(after.decision) || !has_its_intent {
        BacktestOutcome::Changed
    } else if differences.iter().any(judges_otherwise) {
        BacktestOutcome::Judged
    } else if !field_differences.is_empty() {
        BacktestOutcome::Extracted
    } else {
        BacktestOutcome::Same
    };
    Compared { outcome, after, differences, field_differences, verdicts: entries, fields }
}

/// Tells what the draft changes from what differs without it too: `saved` is what the message comes to with what was saved
/// when the backtest was asked for. A fault of a datasource tells nothing.
pub fn held_against_saved(compared: Compared, saved: Outcome) -> Compared {
    let intent = saved.examined.intent.as_ref().map(dry_run::shown);
    let verdicts: Vec<VerdictEntry> = saved.judged.into_iter().map(|judged| judged.entry).collect();
    if verdicts.iter().any(|entry| entry.verdict == Verdict::Error) {
        return compared;
    }
    let is_decided_so =
        saved.conclusion.decision == compared.after.decision && is_same(&intent, &compared.after.intent);
    let is_judged_so = !differences(&verdicts, &compared.verdicts).iter().any(judges_otherwise);
    let by_draft = field_differences(&saved.examined.fields.to_json(), &compared.fields);
    let is_by_draft =
        |difference: &FieldDifference| by_draft.iter().any(|other| other.field_name == difference.field_name);
    let field_differences: Vec<_> = compared.field_differences.into_iter().filter(is_by_draft).collect();
    let by_fields =
        if field_differences.is_empty() { BacktestOutcome::Same } else { BacktestOutcome::Extracted };
    let outcome = match compared.outcome {
        BacktestOutcome::Changed if is_decided_so => BacktestOutcome::Drifted,
        BacktestOutcome::Judged if is_judged_so => by_fields,
        BacktestOutcome::Extracted => by_fields,
        outcome => outcome,
    };
    Compared { outcome, field_differences, ..compared }
}

/// Whether a difference says something else of the message. A rule that is asked only before, or only after, and has nothing
/// against it, does not: a new rule that all messages pass would otherwise be told of each of them.
fn judges_otherwise(difference: &VerdictDifference) -> bool {
    match (&difference.before, &difference.after) {
        (Some(_), Some(_)) => true,
        (Some(said), None) | (None, Some(said)) => !matches!(said.verdict, Verdict::Pass | Verdict::Skipped),
        (None, None) => false,
    }
}

/// A saved intent under another name is the same one; one that is gone, or not saved yet, has only its name.
fn is_same(before: &Option<EmailIntent>, after: &Option<EmailIntent>) -> bool {
    match (before, after) {
        (None, None) => true,
        (Some(before), Some(after)) => match (before.intent_id, after.intent_id) {
            (Some(before), Some(after)) => before == after,
            _ => before.name == after.name,
        },
        _ => false,
    }
}

fn differences(before: &[VerdictEntry], after: &[VerdictEntry]) -> Vec<VerdictDifference> {
    let mut left: Vec<&VerdictEntry> = before.iter().collect();
    let mut differences = Vec::new();
    for entry in after {
        let same_rule = left.iter().position(|other| key(other) == key(entry));
        let other = same_rule.map(|place| left.remove(place));
        if other.is_none_or(|other| other.verdict != entry.verdict) {
            differences.push(difference(entry, other.map(said), Some(said(entry))));
        }
    }
    differences.extend(left.into_iter().map(|entry| difference(entry, Some(said(entry)), None)));
    differences
}

fn key(entry: &VerdictEntry) -> (RuleType, &str, Option<&str>) {
    (entry.rule_type, &entry.field_name, entry.datasource.as_deref())
}

fn said(entry: &VerdictEntry) -> Said {
    Said { verdict: entry.verdict, reason: storable(&entry.reason) }
}

fn difference(entry: &VerdictEntry, before: Option<Said>, after: Option<Said>) -> VerdictDifference {
    VerdictDifference {
        rule_type: entry.rule_type,
        field_name: entry.field_name.clone(),
        datasource: entry.datasource.clone(),
        demand: entry.demand.clone(),
        before,
        after,
    }
}

fn field_differences(before: &Map<String, Value>, after: &Map<String, Value>) -> Vec<FieldDifference> {
    let (before, after) = (extracted(before), extracted(after));
    let names: BTreeSet<&str> = before.keys().chain(after.keys()).copied().collect();
    let shown = |value: Option<&&str>| value.map(|value| shorten(value, SHOWN));
    names
        .into_iter()
        .map(|name| (name, before.get(name), after.get(name)))
        .filter(|(_, before, after)| before != after)
        .map(|(name, before, after)| FieldDifference {
            field_name: name.to_owned(),
            before: shown(before),
            after: shown(after),
        })
        .collect()
}

/// What extractors found: every other field is the message's own, whatever the draft is.
fn extracted(fields: &Map<String, Value>) -> BTreeMap<&str, &str> {
    fields
        .iter()
        .filter(|(name, _)| !is_message_field(name))
        .filter_map(|(name, value)| Some((name.as_str(), value.as_str()?)))
        .collect()
}

/// PostgreSQL's jsonb cannot hold NUL, which a datasource's own words may.
fn storable(text: &str) -> String {
    text.replace('\0', "\u{fffd}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        emails::dto::Evidence,
        rules::dto::OnFail,
        shared::{IntentId, RuleId},
    };

    fn entry(field: &str, verdict: Verdict) -> VerdictEntry {
        VerdictEntry {
            rule_id: RuleId(1),
            rule_type: RuleType::Exists,
            field_name: field.into(),
            datasource: None,
            demand: String::new(),
            on_fail: OnFail::Reject,
            verdict,
            reason: "why\0".into(),
            evidence: Evidence::default(),
            duration_ms: 0.0,
        }
    }

    #[test]
    fn rules_that_are_alike_are_held_against_each_other_in_order() {
        use Verdict::{Fail, Pass};
        let before = [entry("a", Pass), entry("a", Fail), entry("b", Pass), entry("c", Pass)];
        let after = [entry("a", Pass), entry("a", Pass), entry("b", Pass), entry("d", Fail)];
        let found = differences(&before, &after);
        let words: Vec<_> = found
            .iter()
            .map(|d| {
                (
                    d.field_name.as_str(),
                    d.before.as_ref().map(|s| s.verdict),
                    d.after.as_ref().map(|s| s.verdict),
                )
            })
            .collect();
        assert_eq!(words, [("a", Some(Fail), Some(Pass)), ("d", None, Some(Fail)), ("c", Some(Pass), None)]);
        assert_eq!(found[1].after.as_ref().map(|said| said.reason.as_str()), Some("why\u{fffd}"));
        assert!(differences(&before, &before).is_empty());
        // A rule that is asked on one side alone counts where it has something against the message.
        let counted: Vec<bool> = found.iter().map(judges_otherwise).collect();
        assert_eq!(counted, [true, true, false]);
        // What a rule demands tells no two apart: it is what the draft changes.
        let demanding = |demand: &str, verdict| VerdictEntry { demand: demand.into(), ..entry("a", verdict) };
        let then = [demanding("then", Pass)];
        assert!(differences(&then, &[demanding("now", Pass)]).is_empty());
        let told = |after: &[VerdictEntry]| differences(&then, after)[0].demand.clone();
        assert_eq!([told(&[demanding("now", Fail)]), told(&[])], ["now", "then"]);
    }

    #[test]
    fn fields_that_extractors_give_are_held_against_each_other_by_name() {
        fn fields(values: &[(&str, &str)]) -> Map<String, Value> {
            values.iter().map(|(name, value)| ((*name).to_owned(), Value::from(*value))).collect()
        }
        let long = "é".repeat(SHOWN + 1);
        let before = fields(&[("body", "x"), ("order_number", "1042"), ("gone", "1"), ("same", "1")]);
        let after =
            fields(&[("body", "y"), ("header.x-a", "1"), ("order_number", long.as_str()), ("same", "1")]);
        let found = field_differences(&before, &after);
        let names: Vec<&str> = found.iter().map(|difference| difference.field_name.as_str()).collect();
        assert_eq!(names, ["gone", "order_number"]);
        assert_eq!((found[0].before.as_deref(), &found[0].after), (Some("1"), &None));
        assert_eq!(found[1].before.as_deref(), Some("1042"));
        assert_eq!(
            found[1].after.as_ref().map(|text| text.chars().count()),
            Some(SHOWN + 1),
            "cut, and marked"
        );
        assert!(field_differences(&before, &before).is_empty());
    }

    #[test]
    fn an_intent_is_the_same_by_its_id_or_else_by_its_name() {
        let intent = |id: Option<i64>, name: &str| {
            Some(EmailIntent { intent_id: id.map(IntentId), name: name.into() })
        };
        assert!(is_same(&intent(Some(1), "Orders"), &intent(Some(1), "Purchases")));
        assert!(!is_same(&intent(Some(1), "Orders"), &intent(Some(2), "Orders")));
        assert!(is_same(&intent(None, "Orders"), &intent(Some(2), "Orders")));
        assert!(!is_same(&intent(Some(1), "Orders"), &None) && is_same(&None, &None));
    }
}
