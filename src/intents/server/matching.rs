//! Which intent a message gets, and why.

use regex::{Regex, RegexBuilder};

use crate::{
    emails::{
        dto::{Classification, ClassificationMethod, Considered},
        server::fields::Fields,
    },
    intents::dto::{Condition, Extractor, Intent, MatchConditions, MatchOp},
    shared::{Problem, validate::Checks},
};

/// A regular expression may compile to at most this many bytes. The engine is linear in the text (RE2's
/// algorithm), so no pattern can be made to run for long.
const REGEX_SIZE: usize = 1 << 20;

/// # Errors
/// What is wrong with the pattern, in a sentence.
pub fn compile(pattern: &str, ignore_case: bool) -> Result<Regex, String> {
    if pattern.chars().count() > 2_000 {
        return Err("must have at most 2000 characters".into());
    }
    RegexBuilder::new(pattern)
        .case_insensitive(ignore_case)
        .size_limit(REGEX_SIZE)
        .build()
        .map_err(|error| format!("is no regular expression: {error}"))
}

/// Checks the regular expressions of an intent.
///
/// # Errors
/// 422 naming each at fault.
pub fn check_patterns(conditions: &MatchConditions, extractors: &[Extractor]) -> Result<(), Problem> {
    let mut checks = Checks::default();
    for (group, conditions) in
        [("any", &conditions.any), ("all", &conditions.all), ("none", &conditions.none)]
    {
        for (i, condition) in conditions.iter().enumerate().filter(|(_, c)| c.op == MatchOp::Regex) {
            if let Err(fault) = compile(&condition.value, true) {
                checks.fault(format!("match.{group}[{i}].value"), fault);
            }
        }
    }
    for (i, extractor) in extractors.iter().enumerate() {
        match compile(&extractor.pattern, false) {
            Err(fault) => checks.fault(format!("extractors[{i}].pattern"), fault),
            Ok(regex) if regex.captures_len() != 2 => checks.fault(
                format!("extractors[{i}].pattern"),
                format!("must have one capture group, and has {}", regex.captures_len() - 1),
            ),
            Ok(_) => {}
        }
    }
    checks.finish()
}

/// Whether the condition holds. A message without the field does not meet it; a pattern that does not compile
/// (it was checked when it was saved) meets nothing.
fn holds(condition: &Condition, fields: &Fields) -> bool {
    let Some(actual) = fields.get(&condition.field.to_ascii_lowercase()) else { return false };
    if condition.op == MatchOp::Regex {
        return compile(&condition.value, true).is_ok_and(|regex| regex.is_match(actual));
    }
    let (actual, value) = (actual.to_lowercase(), condition.value.to_lowercase());
    match condition.op {
        MatchOp::Equals => actual == value,
        MatchOp::Contains => actual.contains(&value),
        MatchOp::StartsWith => actual.starts_with(&value),
        MatchOp::EndsWith => actual.ends_with(&value),
        MatchOp::Regex => false,
    }
}

/// The conditions that held, or what kept the intent out.
fn judge(conditions: &MatchConditions, fields: &Fields) -> Result<Vec<String>, String> {
    if conditions.any.is_empty() && conditions.all.is_empty() {
        return Err("it has no match conditions".into());
    }
    if let Some(condition) = conditions.none.iter().find(|condition| holds(condition, fields)) {
        return Err(format!("{condition}, which must not be"));
    }
    if let Some(condition) = conditions.all.iter().find(|condition| !holds(condition, fields)) {
        return Err(format!("not so: {condition}"));
    }
    let any: Vec<&Condition> = conditions.any.iter().filter(|condition| holds(condition, fields)).collect();
    if any.is_empty() && !conditions.any.is_empty() {
        return Err(match conditions.any.as_slice() {
            [only] => format!("not so: {only}"),
            several => format!("none of its {} alternatives held", several.len()),
        });
    }
    Ok(conditions.all.iter().chain(any).map(ToString::to_string).collect())
}

/// Tries the intents in their order. The first that matches is taken; the explanation names the others before
/// it and what kept them out, and those after it that would have matched too.
pub fn classify<'i>(
    intents: &'i [Intent],
    requested: Option<&str>,
    fields: &Fields,
) -> (Option<&'i Intent>, Classification) {
    if let Some(name) = requested {
        let intent = intents.iter().find(|intent| intent.name == name);
        let because = match intent {
            Some(_) => vec!["it was named when the message was handed in".to_owned()],
            None => vec![format!(
                "'{name}' was named when the message was handed in, and is not there or not active"
            )],
        };
        let classification = Classification {
            method: ClassificationMethod::Requested,
            intent: intent.map(|intent| intent.name.clone()),
            because,
            considered: Vec::new(),
        };
        return (intent, classification);
    }
    let mut found: Option<(&Intent, Vec<String>)> = None;
    let mut considered = Vec::new();
    for intent in intents {
        match (judge(&intent.conditions, fields), &found) {
            (Ok(because), None) => found = Some((intent, because)),
            (Ok(_), Some((first, _))) => considered.push(Considered {
                intent: intent.name.clone(),
                why_not: format!("it matches too, but comes after {}", first.name),
            }),
            (Err(why_not), None) => considered.push(Considered { intent: intent.name.clone(), why_not }),
            (Err(_), Some(_)) => {}
        }
    }
    match found {
        Some((intent, because)) => (
            Some(intent),
            Classification {
                method: ClassificationMethod::Match,
                intent: Some(intent.name.clone()),
                because,
                considered,
            },
        ),
        None => (
            None,
            Classification {
                method: ClassificationMethod::None,
                intent: None,
                because: vec!["no intent's match conditions hold".into()],
                considered,
            },
        ),
    }
}

/// Adds the fields that the intent's extractors find. What none finds stays absent.
pub fn extract(extractors: &[Extractor], fields: &mut Fields) {
    for extractor in extractors {
        let text = if extractor.field == "subject_and_body" {
            let part = |name| fields.get(name).unwrap_or_default();
            Some(format!("{}\n{}", part("subject"), part("body")))
        } else {
            fields.get(&extractor.field.to_ascii_lowercase()).map(str::to_owned)
        };
        let Some(text) = text else { continue };
        let Ok(regex) = compile(&extractor.pattern, false) else { continue };
        if let Some(found) = regex.captures(&text).and_then(|captures| captures.get(1)) {
            fields.set(&extractor.name, found.as_str());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(pairs: &[(&str, &str)]) -> Fields {
        let mut fields = Fields::default();
        for (name, value) in pairs {
            fields.set(name, value);
        }
        fields
    }

    fn condition(field: &str, op: MatchOp, value: &str) -> Condition {
        Condition { field: field.into(), op, value: value.into() }
    }

    #[test]
    fn every_operator_compares_without_regard_to_case() {
        let message = fields(&[("subject", "RÜCKSENDUNG Order 7")]);
        for (op, yes, no) in [
            (MatchOp::Equals, "rücksendung order 7", "rücksendung"),
            (MatchOp::Contains, "Order", "invoice"),
            (MatchOp::StartsWith, "rück", "order"),
            (MatchOp::EndsWith, "ORDER 7", "rück"),
            (MatchOp::Regex, r"^rücksendung\s+order \d$", r"^\d"),
        ] {
            assert!(holds(&condition("subject", op, yes), &message), "{op:?} {yes}");
            assert!(!holds(&condition("subject", op, no), &message), "{op:?} {no}");
            assert!(!holds(&condition("reply_to", op, yes), &message), "an absent field meets nothing");
        }
    }

    #[test]
    fn any_all_and_none_work_together() {
        let a = || condition("subject", MatchOp::Contains, "a");
        let b = || condition("subject", MatchOp::Contains, "b");
        let c = || condition("subject", MatchOp::Contains, "c");
        let conditions = MatchConditions { any: vec![a(), b()], all: vec![c()], none: vec![] };
        assert!(judge(&conditions, &fields(&[("subject", "bc")])).is_ok());
        assert!(judge(&conditions, &fields(&[("subject", "c")])).is_err());
        assert!(judge(&conditions, &fields(&[("subject", "ab")])).is_err());
        let none = MatchConditions { none: vec![b()], ..conditions };
        assert!(judge(&none, &fields(&[("subject", "abc")])).is_err());
        assert!(judge(&none, &fields(&[("subject", "ac")])).is_ok());
        let empty = MatchConditions { none: vec![b()], ..Default::default() };
        assert!(judge(&empty, &fields(&[("subject", "x")])).is_err(), "no condition, no match");
    }

    #[test]
    fn patterns_are_checked_with_the_place_of_the_fault() {
        let conditions =
            MatchConditions { all: vec![condition("subject", MatchOp::Regex, "(")], ..Default::default() };
        let extractors = ["no group", "(a)(b)", "(ok)"].map(|pattern| Extractor {
            name: "x".into(),
            field: "subject".into(),
            pattern: pattern.into(),
        });
        let problem = check_patterns(&conditions, &extractors).expect_err("faults");
        let places: Vec<&str> = problem.errors.iter().map(|error| error.field.as_str()).collect();
        assert_eq!(places, ["match.all[0].value", "extractors[0].pattern", "extractors[1].pattern"]);
        assert!(compile(&"(a{1000}){1000}".repeat(3), true).is_err(), "size is limited");
    }
}
