//! Which intent a message gets, and why.

use std::{
    borrow::Cow,
    collections::HashMap,
    iter,
    sync::{Arc, LazyLock, Mutex, PoisonError},
    time::{Duration, Instant},
};

use regex::{Captures, Regex, RegexBuilder};

use crate::{
    classifier::server::learned::Learned,
    emails::{
        dto::{Classification, ClassificationMethod, Considered},
        server::{
            address,
            fields::{self, Fields},
            mime,
        },
    },
    intents::dto::{Condition, Extraction, Extractor, FieldType, Intent, MatchConditions, MatchOp},
    rules::server::values,
    server::{
        aside::{self, Turn},
        text::shorten,
    },
    shared::{IntentId, Problem, validate::Checks},
};

/// A regular expression may compile to at most this many bytes.
const REGEX_SIZE: usize = 256 << 10;
/// What the conditions and extractors of all intents may take for one message, before a person must look at it. None is
/// stopped halfway: the engine (RE2's algorithm) takes time in proportion to pattern times text, and both are bounded.
const PATIENCE: Duration = Duration::from_secs(5);
/// What is said of an extractor that had no time left.
const TOO_LATE: &str = "the patterns took too long";

/// Matches of an extractor that are looked through for its group: each may read all of the text again.
const MATCHES: usize = 100;
/// Compiled patterns that are kept.
const CACHED: usize = 2_000;

/// The regular expression, by which CR LF means the end of a line in any text.
///
/// # Errors
/// What is wrong with the pattern, in a sentence.
pub fn compile(pattern: &str, ignore_case: bool) -> Result<Regex, String> {
    static CACHE: LazyLock<Mutex<HashMap<(String, bool), Regex>>> = LazyLock::new(Mutex::default);
    if pattern.chars().count() > 2_000 {
        return Err("must have at most 2000 characters".into());
    }
    let key = (pattern.to_owned(), ignore_case);
    if let Some(found) = CACHE.lock().unwrap_or_else(PoisonError::into_inner).get(&key) {
        return Ok(found.clone());
    }
    let build = |pattern: &str| {
        RegexBuilder::new(&at_any_line_end(pattern))
            .case_insensitive(ignore_case)
            .size_limit(REGEX_SIZE)
            .dfa_size_limit(REGEX_SIZE)
            .build()
    };
    // What is not seen may be all that a class has.
    let regex = build(&with_spaces(&fields::composed(pattern)))
        .or_else(|_| build(pattern))
        .map_err(|error| format!("is no regular expression: {error}"))?;
    let mut cache = CACHE.lock().unwrap_or_else(PoisonError::into_inner);
    if cache.len() >= CACHED {
        cache.clear();
    }
    cache.insert(key, regex.clone());
    Ok(regex)
}

/// The pattern, in which the code of a space at which no line may break is a space, as in fields. A range keeps its ends.
fn with_spaces(pattern: &str) -> Cow<'_, str> {
    static CODE: LazyLock<Regex> = LazyLock::new(|| {
        let code = r"(?i)\\(?:\\|x(?:a0|\{0*(?:a0|2007|202f)\})|u(?:00a0|2007|202f|\{0*(?:a0|2007|202f)\}))";
        #[expect(clippy::expect_used, reason = "a constant, which the tests compile")]
        Regex::new(code).expect("a pattern")
    });
    CODE.replace_all(pattern, |found: &Captures<'_>| {
        let code = found.get_match();
        let (before, after) = (&pattern[..code.start()], &pattern[code.end()..]);
        let ends = before.ends_with('-') && !["[-", "[^-"].iter().any(|first| before.ends_with(first));
        let begins = after.starts_with('-') && !after.starts_with("-]");
        let is_end = (ends || begins) && is_in_class(before);
        if code.as_str() == r"\\" || is_end { code.as_str().to_owned() } else { r"\x20".to_owned() }
    })
}

/// Whether what stands behind this part of a pattern is within a class.
fn is_in_class(before: &str) -> bool {
    let (mut classes, mut rest) = (0_usize, before);
    while let Some((item, after)) = first_item(rest) {
        rest = after;
        match item {
            "[" => {
                classes += 1;
                let inner = after.strip_prefix('^').unwrap_or(after);
                rest = inner.strip_prefix(']').unwrap_or(inner);
            }
            "]" => classes = classes.saturating_sub(1),
            _ => {}
        }
    }
    classes > 0
}

/// The pattern, in which a CR before an LF may be missing: a message's lines end with LF alone, and those of other
/// sources end either way. In a class, and where the LF may be missing, both stay as they are.
fn at_any_line_end(pattern: &str) -> String {
    let mut found = String::with_capacity(pattern.len());
    let mut classes = 0_usize;
    let mut rest = pattern;
    while let Some((item, after)) = first_item(rest) {
        rest = after;
        match item {
            // Written out, it would be no item where white space is passed by.
            "\r" | "\\r" if classes == 0 && begins_with_lf(after) => {
                found.push_str("\\r?");
                continue;
            }
            "[" => {
                classes += 1;
                // A bracket that stands first in a class is one of its characters.
                let inner = after.strip_prefix('^').unwrap_or(after);
                rest = inner.strip_prefix(']').unwrap_or(inner);
            }
            "]" => classes = classes.saturating_sub(1),
            _ => {}
        }
        found.push_str(item);
        found.push_str(&after[..after.len() - rest.len()]);
    }
    found
}

/// What a pattern begins with, be it a character or an escaped one, and what is behind it.
fn first_item(pattern: &str) -> Option<(&str, &str)> {
    let mut characters = pattern.chars();
    if characters.next()? == '\\' {
        characters.next();
    }
    Some(pattern.split_at(pattern.len() - characters.as_str().len()))
}

fn begins_with_lf(pattern: &str) -> bool {
    first_item(pattern)
        .is_some_and(|(item, after)| matches!(item, "\n" | "\\n") && !after.starts_with(['?', '*']))
}

/// What was made out of a message: its intent, why, and the fields that the extractors added.
pub struct Reading {
    pub fields: Fields,
    pub intent: Option<Intent>,
    pub classification: Classification,
    pub extractions: Vec<Extraction>,
    /// Why it could not be made out to the end.
    pub fault: Option<String>,
}

/// An intent that was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Requested {
    /// It stays the same whatever the intent is called since.
    pub id: Option<IntentId>,
    /// What it was called then.
    pub name: String,
    /// Whether an intent of that name will do: there is no id, or none has it any more.
    pub is_by_name: bool,
}

impl From<&Intent> for Requested {
    fn from(intent: &Intent) -> Self {
        Self { id: Some(intent.intent_id), name: intent.name.clone(), is_by_name: false }
    }
}

impl Requested {
    fn among<'i>(&self, intents: &'i [Intent]) -> Option<&'i Intent> {
        let by_id = intents.iter().find(|intent| Some(intent.intent_id) == self.id);
        by_id.or_else(|| intents.iter().find(|intent| self.is_by_name && intent.name == self.name))
    }
}

/// What is known of a message's intent beside the message itself.
#[derive(Debug, Default)]
pub struct Hints {
    /// The intent that was asked for.
    pub requested: Option<Requested>,
    /// The person who said so; without an intent they said that it belongs to none.
    pub corrected_by: Option<String>,
    /// The tenant's trained classifier.
    pub learned: Option<Learned>,
    /// The intent that is tried as a draft: whoever tries it is told what kept it out, wherever it stands.
    pub draft: Option<IntentId>,
}

/// Says that a person chose the intent, or none. What was requested was looked up as such before.
fn corrected(by: &str, intent: Option<&Intent>, classification: &mut Classification, is_requested: bool) {
    if !is_requested {
        *classification = Classification {
            method: ClassificationMethod::Corrected,
            intent: None,
            because: vec![format!("{by} said that it belongs to none")],
            considered: Vec::new(),
            suggestion: None,
        };
    } else if intent.is_some() {
        classification.method = ClassificationMethod::Corrected;
        classification.because = vec![format!("{by} said so")];
    }
}

/// Classifies and extracts, away from the threads that answer requests: patterns may take their time. It waits for the
/// tenant's turn, which its rules take after it: nobody who has that turn may call this.
pub async fn read(mut fields: Fields, intents: Arc<[Intent]>, hints: Hints) -> Reading {
    // Without an intent there is no pattern.
    let tenant = intents.first().map(|intent| intent.tenant_id.clone());
    let turn = match &tenant {
        Some(tenant) => Some(aside::turn_of(tenant, Turn::Run).await),
        None => None,
    };
    aside::run_in(turn, move || {
        let budget = Budget::new(PATIENCE);
        let (intent, mut classification) =
            classify(&intents, hints.requested.as_ref(), hints.draft, &fields, &budget);
        let intent = match (&hints.corrected_by, &hints.learned) {
            (Some(by), _) => {
                corrected(by, intent, &mut classification, hints.requested.is_some());
                intent.filter(|_| hints.requested.is_some())
            }
            (None, Some(learned)) => {
                intent.or_else(|| learned.classify(&intents, &fields, &mut classification))
            }
            (None, None) => intent,
        };
        let intent = intent.cloned();
        let extractions = match &intent {
            Some(intent) => extract(&intent.extractors, &mut fields, &budget),
            None => Vec::new(),
        };
        let fault = budget
            .is_spent()
            .then(|| format!("matching the intents took longer than {} s", PATIENCE.as_secs()));
        Reading { fields, intent, classification, extractions, fault }
    })
    .await
}

/// The time that conditions and extractors have left.
pub struct Budget(Instant);

impl Budget {
    pub fn new(time: Duration) -> Self {
        Self(Instant::now() + time)
    }

    fn is_spent(&self) -> bool {
        Instant::now() > self.0
    }
}

/// Checks the regular expressions of an intent. They take a while: it is to be called aside.
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
            _ if extractor.pattern.contains('\0') => {
                checks.fault(format!("extractors[{i}].pattern"), "must not hold NUL");
            }
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

/// A message's fields, each put into lower case once for all conditions: a body may be long, and they are many.
struct Compared<'f> {
    fields: &'f Fields,
    lower: HashMap<String, Vec<String>>,
}

impl<'f> Compared<'f> {
    fn new(fields: &'f Fields) -> Self {
        Self { fields, lower: HashMap::new() }
    }

    /// As it came, and in the one form of addresses where that is another. `None` where the message has no such field.
    fn lower(&mut self, name: &str) -> Option<&[String]> {
        let text = self.fields.get(name)?;
        let lower = self.lower.entry(name.to_owned()).or_insert_with(|| forms(name, text.to_lowercase()));
        Some(lower.as_slice())
    }
}

/// What a message is to do with a condition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Demand {
    Meet,
    NotMeet,
}

/// Whether the condition holds. Where a header field stands several times in the message, a condition that must not be
/// holds for any of the values, and one that must be for all of them: whoever sends it can add one of their own, and
/// gets past no condition by that. Only `contains`, and each condition on a field that stands once for each server on the
/// way, holds for any either way.
///
/// A message without the field does not meet it; a pattern that does not compile (it was checked when it was saved)
/// meets nothing, and nothing is met once the time is over.
fn holds(condition: &Condition, message: &mut Compared<'_>, budget: &Budget, demand: Demand) -> bool {
    if budget.is_spent() {
        return false;
    }
    let field = condition.field.to_ascii_lowercase();
    let holds_for = |actual: &str, is_met: &dyn Fn(&str) -> bool| {
        let mut values = fields::values(&field, actual);
        if demand == Demand::Meet && condition.op != MatchOp::Contains && !fields::is_trace(&field) {
            values.all(is_met)
        } else {
            values.any(is_met)
        }
    };
    if condition.op == MatchOp::Regex {
        return message.fields.get(&field).is_some_and(|actual| {
            compile(&condition.value, true)
                .is_ok_and(|regex| holds_for(actual, &|actual: &str| regex.is_match(actual)))
        });
    }
    let Some(actuals) = message.lower(&field) else { return false };
    // As it may stand in the field: in lower case, and with the ends of lines that a text has.
    let values = forms(&field, mime::with_lf(&fields::composed(&condition.value).to_lowercase()));
    let is_met = |actual: &str| {
        values.iter().any(|value| match condition.op {
            MatchOp::Equals => actual == value,
            MatchOp::Contains => actual.contains(value),
            MatchOp::StartsWith => actual.starts_with(value),
            MatchOp::EndsWith => actual.ends_with(value),
            MatchOp::Regex => false,
        })
    };
    actuals.iter().any(|actual| holds_for(actual, &is_met))
}

/// A text in lower case; where the field holds addresses, in their one form too.
fn forms(field: &str, lower: String) -> Vec<String> {
    let address = address::FIELDS.contains(&field).then(|| address::all_in_one_form(&lower));
    let other = address.filter(|address| *address != lower);
    iter::once(lower).chain(other).collect()
}

/// The conditions that held, or what kept the intent out.
fn judge(
    conditions: &MatchConditions,
    message: &mut Compared<'_>,
    budget: &Budget,
) -> Result<Vec<String>, String> {
    if conditions.any.is_empty() && conditions.all.is_empty() {
        return Err("it has no match conditions".into());
    }
    let mut holds = |condition: &Condition, demand| holds(condition, message, budget, demand);
    if let Some(condition) = conditions.none.iter().find(|condition| holds(condition, Demand::NotMeet)) {
        return Err(format!("{condition}, which must not be"));
    }
    if let Some(condition) = conditions.all.iter().find(|condition| !holds(condition, Demand::Meet)) {
        return Err(format!("not so: {condition}"));
    }
    let any: Vec<&Condition> =
        conditions.any.iter().filter(|condition| holds(condition, Demand::Meet)).collect();
    if any.is_empty() && !conditions.any.is_empty() {
        return Err(match conditions.any.as_slice() {
            [only] => format!("not so: {only}"),
            several => format!("none of its {} alternatives held", several.len()),
        });
    }
    Ok(conditions.all.iter().chain(any).map(ToString::to_string).collect())
}

/// Tries the intents in their order. The first that matches is taken; the explanation names the others before
/// it and what kept them out, those after it that would have matched too, and the draft in any case.
pub fn classify<'i>(
    intents: &'i [Intent],
    requested: Option<&Requested>,
    draft: Option<IntentId>,
    fields: &Fields,
    budget: &Budget,
) -> (Option<&'i Intent>, Classification) {
    if let Some(requested) = requested {
        let intent = requested.among(intents);
        let because = match intent {
            Some(_) => vec!["it was named when the message was handed in".to_owned()],
            None => vec![format!(
                "'{}' was named when the message was handed in, and is not there or not active",
                requested.name
            )],
        };
        let classification = Classification {
            method: ClassificationMethod::Requested,
            intent: intent.map(|intent| intent.name.clone()),
            because,
            considered: Vec::new(),
            suggestion: None,
        };
        return (intent, classification);
    }
    let mut found: Option<(&Intent, Vec<String>)> = None;
    let mut considered = Vec::new();
    let mut message = Compared::new(fields);
    for intent in intents {
        match (judge(&intent.conditions, &mut message, budget), &found) {
            (Ok(because), None) => found = Some((intent, because)),
            (Ok(_), Some((first, _))) => considered.push(Considered {
                intent: intent.name.clone(),
                why_not: format!("it matches too, but comes after {}", first.name),
            }),
            (Err(why_not), first) => {
                if first.is_none() || draft == Some(intent.intent_id) {
                    considered.push(Considered { intent: intent.name.clone(), why_not });
                }
            }
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
                suggestion: None,
            },
        ),
        None => (
            None,
            Classification {
                method: ClassificationMethod::None,
                intent: None,
                because: vec!["no intent's match conditions hold".into()],
                considered,
                suggestion: None,
            },
        ),
    }
}

/// Adds the fields that the intent's extractors find. What none finds stays absent; where something was found that is no
/// value, it is kept why.
pub fn extract(extractors: &[Extractor], fields: &mut Fields, budget: &Budget) -> Vec<Extraction> {
    // An extractor may be older than a field of every message that has its name: it means what it finds itself.
    for extractor in extractors {
        fields.unset(&extractor.name);
    }
    let mut extractions = Vec::new();
    for extractor in extractors {
        let outcome = if budget.is_spent() {
            Err(WhyNot::Unread(TOO_LATE.into()))
        } else {
            find(extractor, fields, budget)
        };
        let (value, why_not, others) = match outcome {
            Ok(Found { value, others }) => {
                fields.set_typed(&extractor.name, &value, extractor.kind);
                (Some(value), None, others)
            }
            Err(WhyNot::Absent(why)) => (None, Some(why), None),
            Err(WhyNot::Unread(why)) => {
                fields.set_unread(&extractor.name, &why);
                (None, Some(why), None)
            }
        };
        extractions.push(Extraction {
            name: extractor.name.clone(),
            field: extractor.field.clone(),
            pattern: extractor.pattern.clone(),
            value,
            why_not,
            others,
        });
    }
    extractions
}

/// What an extractor finds.
#[derive(Debug)]
struct Found {
    value: String,
    /// What else it finds, quoted.
    others: Option<String>,
}

/// Why an extractor gives no field, in a sentence.
enum WhyNot {
    /// The message says nothing of it.
    Absent(String),
    /// It says something, or may, and nobody knows what: who sends it gets round no rule by that.
    Unread(String),
}

fn find(extractor: &Extractor, fields: &Fields, budget: &Budget) -> Result<Found, WhyNot> {
    let text = if extractor.field == "subject_and_body" {
        let part = |name| fields.get(name).unwrap_or_default();
        format!("{}\n{}", part("subject"), part("body"))
    } else {
        let name = extractor.field.to_ascii_lowercase();
        let absent = || WhyNot::Absent(format!("the message has no {}", extractor.field));
        let text = fields.get(&name).ok_or_else(absent)?;
        if let Some(fault) = fields.several(&name) {
            return Err(WhyNot::Unread(format!("{fault}, and an extractor takes one value")));
        }
        fields::one_value(&name, text).to_owned()
    };
    let regex = compile(&extractor.pattern, false).map_err(WhyNot::Unread)?;
    // Of several matches, the first need not have the group.
    // Where there may be one value alone, whoever writes the message hides no other behind a hundred of it.
    let most = if extractor.unique { usize::MAX } else { MATCHES };
    let matches = regex.captures_iter(&text).take(most).take_while(|_| !budget.is_spent());
    let mut matches = matches.filter_map(|captures| captures.get(1)).map(|found| found.as_str().trim());
    let Some(found) = matches.next() else {
        return Err(match budget.is_spent() {
            true => WhyNot::Unread(TOO_LATE.into()),
            false => WhyNot::Absent("the pattern is not found".into()),
        });
    };
    if found.is_empty() {
        return Err(WhyNot::Absent("what is found is empty".into()));
    }
    let value = value_of(extractor, fields, found).ok_or_else(|| {
        let what = match extractor.kind {
            kind @ (FieldType::Date | FieldType::Number) => format!("{kind}, or could be two"),
            kind => kind.to_string(),
        };
        WhyNot::Unread(format!("'{}' is no {what}", shorten(found, 80)))
    })?;
    let is_other = |other: &&str| {
        !other.is_empty()
            && *other != found
            && value_of(extractor, fields, other).as_deref() != Some(value.as_str())
    };
    let mut others: Vec<&str> = Vec::new();
    for other in matches.filter(is_other) {
        if !others.contains(&other) {
            others.push(other);
        }
        // So many are enough to know.
        if others.len() == MATCHES {
            break;
        }
    }
    let others = (!others.is_empty()).then(|| in_quotes(&others));
    match others {
        // In time it might have found some.
        None if extractor.unique && budget.is_spent() => Err(WhyNot::Unread(TOO_LATE.into())),
        Some(others) if extractor.unique => {
            let found = in_quotes(&[found]);
            Err(WhyNot::Unread(format!("the pattern finds {found}, and {others} as well")))
        }
        others => Ok(Found { value, others }),
    }
}

/// The first few of them, as they stand in the message.
fn in_quotes(values: &[&str]) -> String {
    const FEW: usize = 3;
    let mut quoted: Vec<String> =
        values.iter().take(FEW).map(|value| format!("'{}'", shorten(value, 80))).collect();
    if values.len() > FEW {
        quoted.push(format!("{} more", values.len() - FEW));
    }
    quoted.join(", ")
}

/// What was found, as a value of its kind.
fn value_of(extractor: &Extractor, fields: &Fields, found: &str) -> Option<String> {
    match extractor.kind {
        FieldType::Text => Some(found.to_owned()),
        FieldType::Number => {
            let is_by_programs = fields::is_by_programs(&extractor.field);
            let number = if is_by_programs { values::number(found) } else { values::written_number(found) };
            number.map(|number| values::unmistakable(number).to_string())
        }
        // Without a zone, which not every database reads in a parameter.
        FieldType::Date => values::date(found, fields.as_of()).map(|moment| moment.to_utc().to_string()),
        FieldType::Money => values::money(found).map(|money| money.to_string()),
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

    fn budget() -> Budget {
        Budget::new(Duration::from_secs(60))
    }

    #[test]
    fn a_pattern_may_name_what_fields_have_in_another_form() {
        for (pattern, text, is_found) in [
            (r"Betrag:\x{a0}(.+)", "Betrag: 5", true),
            (r"Betrag:\xA0\u00a0\u{202F}5", "Betrag:   5", true),
            (r"a\\xa0", r"a\xa0", true),
            (r"a\\xa0", "a\\ ", false),
            (r"[\x{21}-\x{a0}]", " ", false),
            (r"Rechnung -\x{a0}(\d)", "Rechnung - 4", true),
            (r"Nr[-\x{a0}]4", "Nr 4", true),
            ("Bestell[\u{ad}]?nummer", "Bestellnummer", true),
        ] {
            assert_eq!(compile(pattern, false).expect(pattern).is_match(text), is_found, "{pattern}");
        }
    }

    #[test]
    fn extractors_give_fields_in_one_form_or_say_why_not() {
        let mut message = fields(&[
            ("subject", "x"),
            ("body", "Total: 1.234,50 EUR on 10.11.2026, 02/03/2026, #7, 1.234 or 1.2340"),
        ]);
        let extractor = |name: &str, pattern: &str, kind| Extractor {
            name: name.into(),
            field: "subject_and_body".into(),
            pattern: pattern.into(),
            kind,
            unique: false,
        };
        let found = extract(
            &[
                extractor("total", r"Total: (.*?) on", FieldType::Money),
                extractor("placed", r"on ([\d.]+),", FieldType::Date),
                extractor("unclear", r"(\d+/\d+/\d+)", FieldType::Date),
                extractor("order", r"#(\d+)", FieldType::Number),
                extractor("absent", r"@(\d+)", FieldType::Text),
                extractor("factor", r"#7, ([\d.]+)", FieldType::Number),
                extractor("exact", r"or ([\d.]+)", FieldType::Number),
            ],
            &mut message,
            &budget(),
        );
        let values: Vec<Option<&str>> = found.iter().map(|one| one.value.as_deref()).collect();
        let exact = Some("1.2340");
        assert_eq!(values, [Some("1234.5 EUR"), Some("2026-11-10"), None, Some("7"), None, None, exact]);
        assert_eq!(found[2].why_not.as_deref(), Some("'02/03/2026' is no date, or could be two"));
        assert_eq!(found[5].why_not.as_deref(), Some("'1.234' is no number, or could be two"));
        for (found, is_there) in found.iter().zip([false, false, true, false, false, true, false]) {
            let why = found.why_not.as_deref().filter(|_| is_there);
            assert_eq!(message.unread(&found.name), why, "{}: what is not there is missing", found.name);
        }
        assert_eq!((message.get("total"), message.get("unclear")), (Some("1234.5 EUR"), None));
        assert!(
            extract(&[extractor("x", "(x)", FieldType::Text)], &mut message, &Budget::new(Duration::ZERO))[0]
                .value
                .is_none()
        );
    }

    #[test]
    fn an_extractor_of_the_name_of_a_field_takes_its_place_also_where_it_finds_nothing() {
        for (pattern, value, unread) in [
            ("no. (.+)", Some("2026-11-10"), None),
            ("not here: (.+)", None, None),
            ("is (no)", None, Some("'no' is no date, or could be two")),
        ] {
            let mut message =
                fields(&[("body", "it is no. 2026-11-10"), ("new_text", "it is no. 2026-11-10")]);
            let extractor = Extractor {
                name: "new_text".into(),
                field: "body".into(),
                pattern: pattern.into(),
                kind: FieldType::Date,
                unique: false,
            };
            extract(&[extractor], &mut message, &budget());
            assert_eq!((message.get("new_text"), message.unread("new_text")), (value, unread), "{pattern}");
        }
    }

    #[test]
    fn nothing_is_extracted_from_a_header_field_of_several_values() {
        let mut message = fields(&[
            ("header.x-score", "0\n900"),
            ("header.x-twice", "7\n7"),
            ("header.received", "by one #1\nby two #2"),
            ("body", "0\n900"),
        ]);
        let extractor = |name: &str, field: &str, pattern: &str| Extractor {
            name: name.into(),
            field: field.into(),
            pattern: pattern.into(),
            kind: FieldType::Number,
            unique: false,
        };
        let found = extract(
            &[
                extractor("score", "header.X-Score", "([0-9]+)"),
                extractor("twice", "header.X-Twice", "^([0-9]+)$"),
                extractor("hop", "header.Received", "two #([0-9])"),
                extractor("line", "body", "([0-9]+)"),
                extractor("absent", "header.X-Absent", "([0-9]+)"),
            ],
            &mut message,
            &budget(),
        );
        let values: Vec<Option<&str>> = found.iter().map(|one| one.value.as_deref()).collect();
        assert_eq!(values, [None, Some("7"), Some("2"), Some("0"), None]);
        let words = "header.x-score stands 2 times in the message";
        let why_not = format!("{words}, and an extractor takes one value");
        assert_eq!(found[0].why_not.as_deref(), Some(why_not.as_str()));
        assert_eq!(found[4].why_not.as_deref(), Some("the message has no header.X-Absent"));
        assert_eq!(message.unread("score"), Some(why_not.as_str()), "so it is not just missing");
        assert!(["twice", "hop", "line", "absent"].iter().all(|name| message.unread(name).is_none()));
    }

    #[test]
    fn a_match_without_the_group_hides_no_later_one() {
        for (text, value) in
            [("order, order #7", Some("7")), ("order #7, order", Some("7")), ("order, order", None)]
        {
            let mut message = fields(&[("subject", text)]);
            let extractor = Extractor {
                name: "number".into(),
                field: "subject".into(),
                pattern: r"order(?: #(\d))?".into(),
                kind: FieldType::Text,
                unique: false,
            };
            let found = extract(&[extractor], &mut message, &budget());
            assert_eq!(found[0].value.as_deref(), value, "{text}");
            assert_eq!(found[0].why_not.is_none(), value.is_some(), "{text}");
        }
    }

    #[test]
    fn other_values_are_told_and_refused_where_there_may_be_one_alone() {
        let extractor = |pattern: &str, kind, unique| Extractor {
            name: "found".into(),
            field: "body".into(),
            pattern: pattern.into(),
            kind,
            unique,
        };
        let text = "on 10.11.2026 or 2026-11-10: VS-1, VS-1, VS-2, VS-3, VS-4, VS-5";
        let (number, day) = (r"(VS-\d)", r"(?:on|or) ([\d.-]+)");
        for (pattern, kind, unique, value, others, why_not) in [
            (number, FieldType::Text, false, Some("VS-1"), Some("'VS-2', 'VS-3', 'VS-4', 1 more"), None),
            (
                number,
                FieldType::Text,
                true,
                None,
                None,
                Some("the pattern finds 'VS-1', and 'VS-2', 'VS-3', 'VS-4', 1 more as well"),
            ),
            (r"(VS-1)", FieldType::Text, true, Some("VS-1"), None, None),
            // One day, in two forms.
            (day, FieldType::Date, true, Some("2026-11-10"), None, None),
            (day, FieldType::Text, false, Some("10.11.2026"), Some("'2026-11-10'"), None),
            // What is no day is another value all the same.
            (
                r"(?:on|or|VS)[ -](\S+?)[:,]?(?: |$)",
                FieldType::Date,
                true,
                None,
                None,
                Some("the pattern finds '10.11.2026', and '1', '2', '3', 2 more as well"),
            ),
        ] {
            let mut message = fields(&[("body", text)]);
            let found = extract(&[extractor(pattern, kind, unique)], &mut message, &budget()).remove(0);
            assert_eq!((found.value.as_deref(), found.others.as_deref()), (value, others), "{pattern}");
            if why_not.is_some() {
                assert_eq!(found.why_not.as_deref(), why_not);
            }
            assert_eq!(
                message.unread("found").is_some(),
                value.is_none(),
                "{pattern}: so it is not just missing"
            );
        }
        let late = Budget::new(Duration::ZERO);
        assert!(find(&extractor(number, FieldType::Text, true), &fields(&[("body", text)]), &late).is_err());
    }

    #[test]
    fn every_operator_compares_without_regard_to_case() {
        let message = fields(&[("subject", "RÜCKSENDUNG Order 7")]);
        let mut message = Compared::new(&message);
        for (op, yes, no) in [
            (MatchOp::Equals, "rücksendung order 7", "rücksendung"),
            (MatchOp::Contains, "Order", "invoice"),
            (MatchOp::StartsWith, "rück", "order"),
            (MatchOp::EndsWith, "ORDER 7", "rück"),
            (MatchOp::Regex, r"^rücksendung\s+order \d$", r"^\d"),
        ] {
            // One for all of them, as for all conditions of a message.
            let mut is_met = |field, value, budget: &Budget| {
                holds(&condition(field, op, value), &mut message, budget, Demand::Meet)
            };
            assert!(is_met("subject", yes, &budget()), "{op:?} {yes}");
            assert!(!is_met("Subject", no, &budget()), "{op:?} {no}");
            assert!(!is_met("reply_to", yes, &budget()), "an absent field meets nothing");
            let late = Budget::new(Duration::ZERO);
            assert!(!is_met("subject", yes, &late), "{op:?}: it is too late");
        }
        assert_eq!(message.lower.len(), 1);
    }

    #[test]
    fn a_second_header_field_of_the_name_gets_nobody_past_a_condition() {
        let message = fields(&[("header.x-list", "ADS\nnews 7"), ("body", "ADS\nnews 7")]);
        let mut message = Compared::new(&message);
        let mut is_met = |field: &str, op, value: &str| {
            [Demand::Meet, Demand::NotMeet]
                .map(|demand| holds(&condition(field, op, value), &mut message, &budget(), demand))
        };
        for (op, values) in [
            (MatchOp::Equals, ["ads", "News 7"]),
            (MatchOp::StartsWith, ["ads", "news"]),
            (MatchOp::EndsWith, ["ads", "7"]),
            (MatchOp::Regex, ["^ads$", r"^news \d$"]),
        ] {
            for value in values {
                assert_eq!(is_met("header.X-List", op, value), [false, true], "{op:?} {value}");
            }
            assert_eq!(is_met("header.x-list", op, "ads\nnews 7"), [false, false], "{op:?}");
        }
        // One of the servers on the way is found among them.
        assert_eq!(is_met("header.x-list", MatchOp::Contains, "ews"), [true, true]);
        assert_eq!(is_met("header.x-list", MatchOp::Contains, "s\nn"), [false, false]);
        assert_eq!(is_met("header.x-list", MatchOp::Regex, "s"), [true, true], "all of them");
        assert_eq!(is_met("body", MatchOp::Equals, "ads"), [false, false]);
        assert_eq!(is_met("body", MatchOp::Equals, "ads\r\nnews 7"), [true, true]);
    }

    #[test]
    fn addresses_of_the_envelope_meet_a_condition_in_either_form_of_their_domain() {
        let message = fields(&[
            ("sender_email", "zoe@xn--bcher-kva.example"),
            ("envelope_from", "Zoe@xn--bcher-kva.example"),
            ("envelope_to", "Ann@x.example, orders@bücher.example"),
            ("subject", "zoe@bücher.example"),
        ]);
        let mut message = Compared::new(&message);
        for (field, op, value, is_met) in [
            ("sender_email", MatchOp::EndsWith, "@bücher.example", true),
            ("envelope_from", MatchOp::EndsWith, "@bücher.example", true),
            ("envelope_from", MatchOp::EndsWith, "@XN--bcher-kva.example", true),
            ("envelope_from", MatchOp::Equals, "zoe@BÜCHER.example", true),
            ("envelope_from", MatchOp::Equals, "zoe@bucher.example", false),
            ("envelope_to", MatchOp::EndsWith, "@xn--bcher-kva.example", true),
            ("envelope_to", MatchOp::EndsWith, "@bücher.example", true),
            ("envelope_to", MatchOp::Contains, "büch", true),
            ("envelope_to", MatchOp::StartsWith, "ann@", true),
            ("envelope_to", MatchOp::Equals, "ann@x.example, orders@xn--bcher-kva.example", true),
            // No address, though it looks like one.
            ("subject", MatchOp::EndsWith, "@xn--bcher-kva.example", false),
        ] {
            for demand in [Demand::Meet, Demand::NotMeet] {
                let holds = holds(&condition(field, op, value), &mut message, &budget(), demand);
                assert_eq!(holds, is_met, "{field} {op:?} {value}");
            }
        }
        assert_eq!(message.fields.get("envelope_from"), Some("Zoe@xn--bcher-kva.example"), "as it came");
    }

    #[test]
    fn the_end_of_a_line_is_one_however_it_is_written() {
        for (pattern, meant) in [
            (r"a\r\nb", r"a\r?\nb"),
            ("a\r\nb", "a\\r?\nb"),
            (r"(?:\r\n)+", r"(?:\r?\n)+"),
            (r"\r?\n", r"\r?\n"),
            (r"\r\n?", r"\r\n?"),
            (r"\\r\n", r"\\r\n"),
            (r"[\r\n]\r\n", r"[\r\n]\r?\n"),
            (r"[^]\r\n][]\r\n]", r"[^]\r\n][]\r\n]"),
            (r"[[:^alpha:]\r\n]\[\r\n", r"[[:^alpha:]\r\n]\[\r?\n"),
            ("ü\\", "ü\\"),
        ] {
            assert_eq!(at_any_line_end(pattern), meant);
        }
        for pattern in [r"a\r\nb", "a\r\nb", "(?x) a \\r\\n \r\n b"] {
            let regex = compile(pattern, false).expect("a pattern");
            let is_found = ["a\nb", "a\r\nb", "\nb"].map(|text| regex.is_match(text));
            assert_eq!(is_found, [true, true, false], "{pattern}");
        }
    }

    #[test]
    fn accents_that_were_written_apart_are_those_of_the_letter() {
        let (one, two) = ("kündigung 7", "ku\u{308}ndigung 7");
        for (text, value) in [(one, two), (two, one), (two, two)] {
            let mut message = fields(&[("subject", text)]);
            for op in MatchOp::ALL {
                let condition = condition("subject", *op, value);
                let is_met = holds(&condition, &mut Compared::new(&message), &budget(), Demand::Meet);
                assert!(is_met, "{op:?} {value:?} {text:?}");
            }
            let extractor = Extractor {
                name: "number".into(),
                field: "subject".into(),
                pattern: value.replace('7', r"(\d)"),
                kind: FieldType::Text,
                unique: false,
            };
            let found = extract(&[extractor], &mut message, &budget());
            assert_eq!(found[0].value.as_deref(), Some("7"), "{value:?} {text:?}");
        }
    }

    #[test]
    fn a_space_is_one_however_it_was_written() {
        for text in ["my order 1042", "my\u{a0}order\u{202f}1042", "my or\u{ad}der\u{200b} 1042"] {
            for value in ["order 1042", "order\u{a0}1042", "or\u{ad}der 1042"] {
                let mut message = fields(&[("body", text)]);
                for op in [MatchOp::Contains, MatchOp::EndsWith, MatchOp::Regex] {
                    let condition = condition("body", op, value);
                    let is_met = holds(&condition, &mut Compared::new(&message), &budget(), Demand::Meet);
                    assert!(is_met, "{op:?} {value:?} {text:?}");
                }
                let extractor = Extractor {
                    name: "number".into(),
                    field: "body".into(),
                    pattern: value.replace("1042", r"(\d[\d ]*\d)"),
                    kind: FieldType::Text,
                    unique: false,
                };
                let found = extract(&[extractor], &mut message, &budget());
                assert_eq!(found[0].value.as_deref(), Some("1042"), "{value:?} {text:?}");
            }
        }
    }

    #[test]
    fn a_pattern_sees_all_of_a_field() {
        let long = format!("{}the end 7", "many words ".repeat(90_000));
        let mut message = fields(&[("subject", "x"), ("body", &long)]);
        let pattern = condition("body", MatchOp::Regex, "the end");
        assert!(holds(&pattern, &mut Compared::new(&message), &budget(), Demand::Meet));
        let extractor = Extractor {
            name: "number".into(),
            field: "subject_and_body".into(),
            pattern: r"the end (\d)".into(),
            kind: FieldType::Text,
            unique: false,
        };
        assert_eq!(extract(&[extractor], &mut message, &budget())[0].value.as_deref(), Some("7"));
    }

    #[test]
    fn what_was_asked_for_is_found_by_its_id_and_by_its_name_only_where_nothing_has_that() {
        let intent = |id: i64, name: &str| Intent {
            intent_id: IntentId(id),
            tenant_id: "acme".parse().expect("a slug"),
            name: name.into(),
            description: String::new(),
            is_active: true,
            priority: 100,
            conditions: MatchConditions::default(),
            extractors: Vec::new(),
            version: 1,
            examples_count: 0,
            created_at: chrono::DateTime::UNIX_EPOCH,
            updated_at: chrono::DateTime::UNIX_EPOCH,
        };
        // The first was called Orders, and another intent took its name.
        let intents = [intent(1, "Purchases"), intent(2, "Orders")];
        let found = |id: Option<i64>, is_by_name: bool| {
            let requested = Requested { id: id.map(IntentId), name: "Orders".into(), is_by_name };
            let (found, classification) = classify(&intents, Some(&requested), None, &fields(&[]), &budget());
            assert_eq!(classification.intent.as_ref(), found.map(|intent| &intent.name));
            found.map(|intent| intent.intent_id.0)
        };
        assert_eq!(found(Some(1), false), Some(1), "renamed");
        assert_eq!(found(Some(1), true), Some(1), "gone since, and run with the versions of then");
        assert_eq!(found(Some(3), false), None, "not active: no other stands for it");
        assert_eq!(found(Some(3), true), Some(2), "gone");
        assert_eq!(found(None, true), Some(2), "asked for before ids were kept");
    }

    #[test]
    fn whoever_tries_a_draft_is_told_what_kept_it_out_wherever_it_stands() {
        let intent = |id: i64, wanted: &str| Intent {
            intent_id: IntentId(id),
            tenant_id: "acme".parse().expect("a slug"),
            name: format!("Intent {id}"),
            description: String::new(),
            is_active: true,
            priority: 100,
            conditions: MatchConditions {
                all: vec![condition("subject", MatchOp::Contains, wanted)],
                ..MatchConditions::default()
            },
            extractors: Vec::new(),
            version: 1,
            examples_count: 0,
            created_at: chrono::DateTime::UNIX_EPOCH,
            updated_at: chrono::DateTime::UNIX_EPOCH,
        };
        let intents =
            [intent(1, "no"), intent(2, "order"), intent(3, "no"), intent(4, "order"), intent(5, "no")];
        let why_not = r#"not so: subject contains "no""#;
        let also = "it matches too, but comes after Intent 2";
        for (draft, expected) in [
            (None, &[("Intent 1", why_not), ("Intent 4", also)][..]),
            (Some(1), &[("Intent 1", why_not), ("Intent 4", also)]),
            (Some(5), &[("Intent 1", why_not), ("Intent 4", also), ("Intent 5", why_not)]),
        ] {
            let message = fields(&[("subject", "order")]);
            let (found, classification) = classify(&intents, None, draft.map(IntentId), &message, &budget());
            assert_eq!(found.map(|intent| intent.intent_id.0), Some(2));
            let told: Vec<(&str, &str)> = classification
                .considered
                .iter()
                .map(|one| (one.intent.as_str(), one.why_not.as_str()))
                .collect();
            assert_eq!(told, expected, "{draft:?}");
        }
    }

    #[test]
    fn any_all_and_none_work_together() {
        let a = || condition("subject", MatchOp::Contains, "a");
        let b = || condition("subject", MatchOp::Contains, "b");
        let c = || condition("subject", MatchOp::Contains, "c");
        let judged = |conditions: &MatchConditions, subject: &str| {
            judge(conditions, &mut Compared::new(&fields(&[("subject", subject)])), &budget())
        };
        let conditions = MatchConditions { any: vec![a(), b()], all: vec![c()], none: vec![] };
        assert!(judged(&conditions, "bc").is_ok());
        assert!(judged(&conditions, "c").is_err());
        assert!(judged(&conditions, "ab").is_err());
        let none = MatchConditions { none: vec![b()], ..conditions };
        assert!(judged(&none, "abc").is_err());
        assert!(judged(&none, "ac").is_ok());
        let empty = MatchConditions { none: vec![b()], ..Default::default() };
        assert!(judged(&empty, "x").is_err(), "no condition, no match");
    }

    #[test]
    fn patterns_are_checked_with_the_place_of_the_fault() {
        let conditions =
            MatchConditions { all: vec![condition("subject", MatchOp::Regex, "(")], ..Default::default() };
        let extractors = ["no group", "(a)(b)", "(ok)"].map(|pattern| Extractor {
            name: "x".into(),
            field: "subject".into(),
            pattern: pattern.into(),
            kind: FieldType::Text,
            unique: false,
        });
        let problem = check_patterns(&conditions, &extractors).expect_err("faults");
        let places: Vec<&str> = problem.errors.iter().map(|error| error.field.as_str()).collect();
        assert_eq!(places, ["match.all[0].value", "extractors[0].pattern", "extractors[1].pattern"]);
        assert!(compile(&"(a{1000}){1000}".repeat(3), true).is_err(), "size is limited");
    }
}
