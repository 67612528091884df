//! What a rule makes of the rows that were found, or of the message's own field (DESIGN, section 5).

use std::{cmp::Ordering, iter, time::Duration};

use chrono::{DateTime, Utc};
use serde_json::Value;

use super::{
    conditions::{CompareOp, Judgement, Operand, Unrenderable},
    expression::{Expression, Fault},
    values,
};
use crate::{
    datasources::server::lookup::{Request, Rows, masking::Masking},
    emails::{
        dto::Compared,
        server::{
            address,
            fields::{self, Fields},
        },
    },
    intents::{dto::FieldType, server::matching},
    rules::dto::{RuleType, ValidationRule},
    server::text::shorten,
    shared::template::field_key,
};

/// What a look-up found.
pub struct Found<'l> {
    pub request: &'l Request,
    pub rows: &'l Rows,
    /// The datasource's name.
    pub place: &'l str,
    /// What no sentence shows of the rows.
    pub masking: Masking,
}

/// Whether the rule passes, and why.
#[derive(Clone, Debug, PartialEq)]
pub struct Finding {
    pub passes: bool,
    /// A sentence.
    pub reason: String,
    pub compared: Option<Compared>,
}

/// Why a rule says neither.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unjudged {
    /// The message lacks what is needed.
    Message(Unrenderable),
    /// The datasource holds nothing that could be judged so: a fault of the rule or of the data, never a verdict.
    Datasource(String),
    /// The rule gives no answer to what was found, and no other try does: a sentence.
    Rule(String),
}

impl Unjudged {
    /// `fault` goes on after the expression's name.
    fn expression(fault: &str) -> Self {
        Self::Rule(format!("the rule gives no answer: its expression {fault}"))
    }
}

/// Whose a value is, and so whose fault it is where it cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Whose {
    Message,
    /// A header field of the message, in which programs write numbers.
    Header,
    Rule,
    Datasource,
}

impl Whose {
    /// Of the message, by the name of its field.
    fn of(field: &str) -> Self {
        if fields::is_by_programs(field) { Self::Header } else { Self::Message }
    }
}

/// Where a value comes from.
#[derive(Clone, Copy)]
struct Origin<'a> {
    whose: Whose,
    /// The message's field; empty where that is none, or one that cannot have several values.
    field: &'a str,
}

impl<'a> Origin<'a> {
    fn of(operand: &'a Operand) -> Self {
        let field = operand.header().unwrap_or_default();
        let whose = if operand.is_of_message() { Whose::of(field) } else { Whose::Rule };
        Self { whose, field }
    }
}

/// What is compared with: `expected`, or the rule's own field. Empty for rules that compare with nothing.
///
/// # Errors
/// A field that is absent.
pub fn expected(
    rule: &ValidationRule,
    judgement: &Judgement,
    fields: &Fields,
) -> Result<Vec<Value>, Unrenderable> {
    use RuleType::{Compare, Equals, Exists, Expression, NotEquals, NotExists, OneOf, Regex};
    match (rule.rule_type, &judgement.expected) {
        (Exists | NotExists | Regex | Expression, _) => Ok(Vec::new()),
        (Equals | NotEquals | OneOf | Compare, Some(expected)) => {
            expected.operands().iter().map(|operand| operand.render(fields)).collect()
        }
        (Equals | NotEquals | OneOf | Compare, None) => Ok(vec![field_of(rule, fields)?]),
    }
}

fn field_of(rule: &ValidationRule, fields: &Fields) -> Result<Value, Unrenderable> {
    match fields.present(&field_key(&rule.field_name)) {
        Some(value) => Ok(value.into()),
        None => Err(Unrenderable::absent(&rule.field_name, fields)),
    }
}

/// Whether it may take its time: it runs a pattern or an expression, which people wrote.
pub fn takes_time(rule_type: RuleType) -> bool {
    matches!(rule_type, RuleType::Regex | RuleType::Expression)
}

/// Judges. `found` is what the look-up gave; without one, the message's own field is judged. An expression may take
/// `patience`.
///
/// # Errors
/// `Unjudged`.
pub fn judge(
    rule: &ValidationRule,
    judgement: &Judgement,
    expected: &[Value],
    fields: &Fields,
    found: Option<Found<'_>>,
    patience: Duration,
) -> Result<Finding, Unjudged> {
    match rule.rule_type {
        RuleType::Exists | RuleType::NotExists => {
            let found = found.ok_or_else(|| Unjudged::Datasource("the rule looks nothing up".into()))?;
            Ok(existence(rule.rule_type == RuleType::Exists, &found))
        }
        RuleType::Expression => expression(judgement, fields, found.as_ref(), patience),
        RuleType::Equals | RuleType::NotEquals | RuleType::Regex | RuleType::OneOf | RuleType::Compare => {
            let (left, actual, is_decimal) = match &found {
                None => {
                    let value = field_of(rule, fields).map_err(Unjudged::Message)?;
                    (rule.field_name.clone(), value, false)
                }
                Some(found) => match column(judgement, found)? {
                    Some(cell) => cell,
                    None => return Ok(no_row(false, found)),
                },
            };
            let own = Origin { whose: Whose::of(&rule.field_name), field: &rule.field_name };
            let from = match &found {
                Some(_) => Origin { whose: Whose::Datasource, field: "" },
                None => own,
            };
            let expected_from: Vec<Origin<'_>> = match &judgement.expected {
                Some(expected) => expected.operands().iter().map(Origin::of).collect(),
                None => vec![own],
            };
            let are_addresses = match &judgement.expected {
                _ if address::FIELDS.contains(&from.field) => true,
                Some(expected) => expected.operands().iter().any(Operand::is_address),
                None => address::FIELDS.contains(&rule.field_name.as_str()),
            };
            let type_of = |name: &str| fields.kind(name);
            let looks_up = found.is_some();
            let kind = if rule.rule_type == RuleType::Compare && judgement.kind.is_none() {
                let said = judgement.type_of_fields(rule.rule_type, &rule.field_name, looks_up, type_of);
                let others = expected.iter().zip(&expected_from).map(|(value, from)| (value, from.whose));
                let operands: Vec<(&Value, Whose)> =
                    iter::once((&actual, from.whose)).chain(others).collect();
                compared_as(said, &operands, fields.as_of())
            } else {
                judgement.read_as(rule.rule_type, &rule.field_name, looks_up, type_of)
            };
            let nothing = Masking::default();
            let against = Against {
                expected,
                are_addresses,
                is_decimal,
                from,
                expected_from: &expected_from,
                masking: found.as_ref().map_or(&nothing, |found| &found.masking),
                kind,
                now: fields.as_of(),
            };
            compare(rule.rule_type, judgement, left, actual, against)
        }
    }
}

/// The column that is looked at, in the first row, and whether its text is a decimal; `None` where there is no row.
fn column(judgement: &Judgement, found: &Found<'_>) -> Result<Option<(String, Value, bool)>, Unjudged> {
    let Some(row) = found.rows.rows.first() else { return Ok(None) };
    let columns = &found.rows.columns;
    let position = match &judgement.column {
        None => Some(0),
        Some(wanted) => columns
            .iter()
            .position(|column| column == wanted)
            .or_else(|| columns.iter().position(|column| column.eq_ignore_ascii_case(wanted))),
    };
    match position.and_then(|i| Some((columns.get(i)?, row.get(i)?, found.rows.decimals.contains(&(0, i))))) {
        Some((name, value, is_decimal)) => Ok(Some((name.clone(), value.clone(), is_decimal))),
        None => Err(Unjudged::Datasource(format!(
            "there is no column {} in {}",
            judgement.column.as_deref().unwrap_or("at all"),
            shorten(&columns.join(", "), 300)
        ))),
    }
}

fn subject(found: &Found<'_>) -> String {
    let words = found.request.subject();
    if words.is_empty() { String::new() } else { format!(" for {words}") }
}

fn no_row(passes: bool, found: &Found<'_>) -> Finding {
    Finding { passes, reason: format!("{} has no row{}", found.place, subject(found)), compared: None }
}

fn existence(wanted: bool, found: &Found<'_>) -> Finding {
    let count = match (found.rows.rows.len(), found.rows.truncated) {
        (0, _) => return no_row(!wanted, found),
        (1, false) => "1 row".to_owned(),
        (n, false) => format!("{n} rows"),
        (n, true) => format!("more than {n} rows"),
    };
    let mut reason = format!("{} has {count}{}", found.place, subject(found));
    if !wanted {
        reason.push_str(", and should have none");
    }
    Finding { passes: wanted, reason, compared: None }
}

fn expression(
    judgement: &Judgement,
    fields: &Fields,
    found: Option<&Found<'_>>,
    patience: Duration,
) -> Result<Finding, Unjudged> {
    let Some(expression) = &judgement.expression else {
        return Err(Unjudged::Rule("the rule gives no answer: it has no expression".into()));
    };
    let searched = fields.unread_names().filter(|name| expression.looks_for(name));
    if let Some(unjudged) = expression.named().chain(searched).find_map(|name| withheld(name, fields)) {
        return Err(unjudged);
    }
    if let Some(Found { rows, place, .. }) = found.filter(|found| found.rows.truncated)
        && expression.needs_all_rows()
    {
        return Err(Unjudged::expression(&format!(
            "would judge by {} rows alone, and {place} has more",
            rows.rows.len()
        )));
    }
    let none = Rows::default();
    let rows = found.map_or(&none, |found| found.rows);
    let passes = match expression.run_within(fields, rows, patience) {
        Ok(passes) => passes,
        Err(fault) => return unanswered(expression, fault, fields, found),
    };
    let text = shorten(expression.text(), 200);
    Ok(Finding {
        passes,
        reason: format!("{text} is {passes}"),
        compared: Some(Compared { left: text, actual: passes.into(), expected: true.into() }),
    })
}

/// Of a field that is not just missing: why no expression is given it.
fn withheld(name: &str, fields: &Fields) -> Option<Unjudged> {
    let several = || Some(format!("{}, and an expression takes one value", fields.several(name)?));
    let why = fields.unread(name).map(str::to_owned).or_else(several)?;
    Some(Unjudged::Message(Unrenderable::Unfit(why)))
}

/// What follows where an expression gave neither true nor false.
fn unanswered(
    expression: &Expression,
    fault: Fault,
    fields: &Fields,
    found: Option<&Found<'_>>,
) -> Result<Finding, Unjudged> {
    let is_column = |name: &String| found.is_some_and(|found| found.rows.columns.contains(name));
    let without_row = found.filter(|found| found.rows.rows.is_empty() && expression.needs_row());
    Err(match (fault, without_row) {
        (Fault::Costly(fault), _) => Unjudged::expression(&fault),
        (Fault::Unstarted(fault), _) => Unjudged::Datasource(format!("the expression {fault}")),
        // A column may be called the same.
        (Fault::Missing(name), _) if expression.names_field(&name) && fields.get(&name).is_none() => {
            Unjudged::Message(Unrenderable::Missing(name))
        }
        (Fault::Missing(name), _) if is_column(&name) => {
            Unjudged::expression(&format!("names {name} where it is not"))
        }
        // `row.x` where there is no row: the look-up found nothing.
        (_, Some(found)) => return Ok(no_row(false, found)),
        // By a name that is worked out. Beside rows it may as well be a column's.
        (Fault::Missing(name), None) if found.is_none() => {
            withheld(&name, fields).unwrap_or(Unjudged::Message(Unrenderable::Missing(name)))
        }
        // A name that is worked out may be a cell's, which is not for this sentence.
        (Fault::Missing(name), None) if expression.text().contains(&name) => {
            Unjudged::expression(&format!("names {name}, which is not there"))
        }
        (Fault::Missing(_), None) => Unjudged::expression("names what is not there"),
        // What it gave in its own words says less than what it calls in vain.
        (Fault::Type(fault) | Fault::Unconvertible(fault), None) => {
            Unjudged::expression(expression.miscall().unwrap_or(&fault))
        }
    })
}

/// What a value is compared with.
#[derive(Clone, Copy)]
struct Against<'a> {
    expected: &'a [Value],
    /// Whether addresses are compared, or parts of some, which have one form.
    are_addresses: bool,
    /// Whether the value is a decimal that stands in a text.
    is_decimal: bool,
    /// Where the value comes from, and each that is expected.
    from: Origin<'a>,
    expected_from: &'a [Origin<'a>],
    /// What no sentence shows of a datasource's value.
    masking: &'a Masking,
    /// What both sides are read as.
    kind: FieldType,
    now: DateTime<Utc>,
}

/// A value that is not what it is read as, and why not.
struct Unread<'v> {
    value: &'v Value,
    whose: Whose,
    fault: String,
}

impl Against<'_> {
    /// The values of a field, as they are compared.
    fn each(&self, value: &Value, field: &str) -> Vec<Value> {
        let form = |value: Value| match value {
            Value::String(text) if self.are_addresses => address::all_in_one_form(&text).into(),
            other => other,
        };
        each(value, field).into_iter().map(form).collect()
    }

    fn read<'v>(&self, value: &'v Value, whose: Whose) -> Result<Ordered, Unread<'v>> {
        readable(value, self.kind, whose, self.now).map_err(|fault| Unread { value, whose, fault })
    }

    /// What follows where a value cannot be read. What a datasource gave, `actual`, is hidden before it is shortened, and as it
    /// gave it: of a part of a secret, or of one in other letters, nobody would know that it is one.
    fn unjudged(&self, unread: Unread<'_>, actual: &Value) -> Unjudged {
        let Unread { value, whose, fault } = unread;
        let told = if whose == Whose::Datasource { self.masking.value(actual) } else { value.clone() };
        let sentence = format!("{} {fault}", shown(&told));
        match whose {
            Whose::Message | Whose::Header => Unjudged::Message(Unrenderable::Unfit(sentence)),
            Whose::Rule | Whose::Datasource => Unjudged::Datasource(sentence),
        }
    }

    /// Whether the value is the same as one that is expected: as texts, or as what both are read as.
    fn is_same<'v>(
        &self,
        actual: &'v Value,
        (expected, whose): (&'v Value, Whose),
        ignore_case: bool,
    ) -> Result<bool, Unread<'v>> {
        let is_same_decimal = || match (actual, expected) {
            (Value::String(one), Value::String(other)) => values::is_same_number(one, other),
            _ => false,
        };
        let is_same = same(actual, expected, ignore_case) || (self.is_decimal && is_same_decimal());
        let has_no_type = self.kind == FieldType::Text
            || [actual, expected].iter().any(|one| one.is_null())
            || actual.is_boolean();
        if is_same || has_no_type {
            return Ok(is_same);
        }
        let actual = self.read(actual, self.from.whose)?;
        let expected = match self.read(expected, whose) {
            // Refused where a rule is saved: one that was stored before goes on, and is the same by its text alone.
            Err(_) if whose == Whose::Rule => return Ok(false),
            expected => expected?,
        };
        Ok(actual.order(&expected) == Some(Ordering::Equal))
    }
}

/// Whether one of them holds. One of which nobody knows counts where none does.
fn one_holds<E>(answers: impl Iterator<Item = Result<bool, E>>) -> Result<bool, E> {
    let mut unknown = None;
    for answer in answers {
        match answer {
            Ok(true) => return Ok(true),
            Ok(false) => {}
            Err(why) => unknown = unknown.or(Some(why)),
        }
    }
    unknown.map_or(Ok(false), Err)
}

/// Whether all of them hold, as `one_holds`.
fn all_hold<E>(answers: impl Iterator<Item = Result<bool, E>>) -> Result<bool, E> {
    one_holds(answers.map(|answer| answer.map(|holds| !holds))).map(|fails| !fails)
}

/// The values of a field: a rule holds for all of them, or who sends the message would get round it by a header field of
/// their own.
fn each(value: &Value, field: &str) -> Vec<Value> {
    match value {
        Value::String(text) => fields::values(field, text).map(Value::from).collect(),
        other => vec![other.clone()],
    }
}

/// What came of a comparison: whether the rule passes, how that goes on after the value, and what it was held against.
type Answer = (bool, String, Value);

fn compare(
    rule_type: RuleType,
    judgement: &Judgement,
    left: String,
    actual: Value,
    against: Against<'_>,
) -> Result<Finding, Unjudged> {
    let (passes, words, expected) = match rule_type {
        RuleType::Regex => by_pattern(judgement, &actual, against.from.field),
        RuleType::OneOf => by_list(judgement, &actual, against)?,
        RuleType::Compare => {
            let (passes, words) = bounds(judgement, &actual, against)?;
            let expected = match against.expected {
                [one] => one.clone(),
                several => several.into(),
            };
            (passes, format!("which {words}"), expected)
        }
        _ => by_value(rule_type == RuleType::Equals, judgement, &actual, against)?,
    };
    // Before it is shortened, as in `unjudged`.
    let actual = against.masking.value(&actual);
    let reason = format!("{left} is {}, {words}", shown(&actual));
    Ok(Finding { passes, reason, compared: Some(Compared { left, actual, expected }) })
}

fn by_pattern(judgement: &Judgement, actual: &Value, field: &str) -> Answer {
    let pattern = judgement.pattern.clone().unwrap_or_default();
    let matches = matching::compile(&pattern, judgement.ignore_case).is_ok_and(|regex| {
        let is_match = |value: &Value| composed(value).is_some_and(|text| regex.is_match(&text));
        let values = each(actual, field);
        if fields::is_trace(field) { values.iter().any(is_match) } else { values.iter().all(is_match) }
    });
    let verb = if matches { "matches" } else { "does not match" };
    (matches, format!("which {verb} {pattern}"), pattern.into())
}

fn by_list(judgement: &Judgement, actual: &Value, against: Against<'_>) -> Result<Answer, Unjudged> {
    let expected = against.expected;
    let in_one_form = |(one, from): (&Value, &Origin<'_>)| {
        let whose = from.whose;
        against.each(one, "").into_iter().map(move |one| (one, whose))
    };
    let listed: Vec<(Value, Whose)> =
        expected.iter().zip(against.expected_from).flat_map(in_one_form).collect();
    let actuals = against.each(actual, against.from.field);
    let answers = actuals.iter().map(|value| {
        one_holds(
            listed.iter().map(|(one, whose)| against.is_same(value, (one, *whose), judgement.ignore_case)),
        )
    });
    let passes = all_hold(answers).map_err(|unread| against.unjudged(unread, actual))?;
    let place = if passes { "is" } else { "is not" };
    let list = match expected.len() {
        n if n > 5 => format!("a list of {n}"),
        _ => expected.iter().map(shown).collect::<Vec<_>>().join(", "),
    };
    Ok((passes, format!("which {place} one of {list}"), expected.into()))
}

fn by_value(
    wanted: bool,
    judgement: &Judgement,
    actual: &Value,
    against: Against<'_>,
) -> Result<Answer, Unjudged> {
    let expected = against.expected.first().cloned().unwrap_or_default();
    let own = Origin { whose: Whose::Message, field: "" };
    let from = against.expected_from.first().copied().unwrap_or(own);
    let others = against.each(&expected, from.field);
    let actuals = against.each(actual, against.from.field);
    let pairs = actuals.iter().flat_map(|one| others.iter().map(move |other| (one, other)));
    let answers = pairs.map(|(one, other)| against.is_same(one, (other, from.whose), judgement.ignore_case));
    // A cell without a digit is none of them, however it is read.
    let says_none = against.from.whose == Whose::Datasource
        && matches!(actual, Value::String(text) if !text.bytes().any(|byte| byte.is_ascii_digit()));
    let same = match if wanted { all_hold(answers) } else { one_holds(answers) } {
        Err(Unread { whose: Whose::Datasource, .. }) if wanted && says_none => false,
        answer => answer.map_err(|unread| against.unjudged(unread, actual))?,
    };
    let words = match (same, wanted) {
        (true, true) => "as expected".to_owned(),
        (false, true) => format!("not {}", shown(&expected)),
        (true, false) => "which it should not be".to_owned(),
        (false, false) => format!("and not {}", shown(&expected)),
    };
    Ok((same == wanted, words, expected))
}

/// Whether the value lies within the bounds, and how that reads.
fn bounds(judgement: &Judgement, actual: &Value, against: Against<'_>) -> Result<(bool, String), Unjudged> {
    let Against { expected, from, expected_from, kind, .. } = against;
    if actual.is_null() {
        return Ok((false, format!("is no {kind}")));
    }
    let others = expected.iter().zip(expected_from.iter().copied());
    for (value, Origin { field, .. }) in iter::once((actual, from)).chain(others.clone()) {
        let count = each(value, field).len();
        if count > 1 {
            let fault = format!("{field} stands {count} times in the message, and one {kind} is compared");
            return Err(Unjudged::Message(Unrenderable::Unfit(fault)));
        }
    }
    let read = |value, from: Origin<'_>| {
        against.read(value, from.whose).map_err(|unread| against.unjudged(unread, actual))
    };
    let left = read(actual, from)?;
    let right = others.map(|(value, from)| read(value, from)).collect::<Result<Vec<_>, _>>()?;
    let order = |i: usize| right.get(i).and_then(|right| left.order(right));
    let op = judgement.op.unwrap_or(CompareOp::Between);
    let Some(first) = order(0) else {
        return Ok((
            false,
            format!("has another currency than {}", expected.first().map_or_else(String::new, shown)),
        ));
    };
    let holds = match op {
        CompareOp::Greater => first == Ordering::Greater,
        CompareOp::GreaterOrEqual => first != Ordering::Less,
        CompareOp::Less => first == Ordering::Less,
        CompareOp::LessOrEqual => first != Ordering::Greater,
        CompareOp::Between => {
            let Some(second) = order(1) else {
                return Ok((false, "has another currency than its bounds".into()));
            };
            first != Ordering::Less && second != Ordering::Greater
        }
    };
    let bound = |i: usize| expected.get(i).map_or_else(String::new, shown);
    let not = if holds { "is" } else { "is not" };
    let words = match op {
        CompareOp::Greater => format!("{not} over {}", bound(0)),
        CompareOp::GreaterOrEqual => format!("{not} at least {}", bound(0)),
        CompareOp::Less => format!("{not} under {}", bound(0)),
        CompareOp::LessOrEqual => format!("{not} at most {}", bound(0)),
        CompareOp::Between => format!("{not} from {} to {}", bound(0), bound(1)),
    };
    Ok((holds, words))
}

/// A value that has an order.
#[derive(Clone, Debug, PartialEq)]
pub enum Ordered {
    Number(rust_decimal::Decimal),
    Date(values::Moment),
    Money(values::Money),
}

impl Ordered {
    /// `None` for sums in different currencies.
    pub fn order(&self, other: &Self) -> Option<Ordering> {
        match (self, other) {
            (Self::Number(a), Self::Number(b)) => Some(a.cmp(b)),
            (Self::Date(a), Self::Date(b)) => Some(a.compare(*b)),
            (Self::Money(a), Self::Money(b)) => {
                a.may_be_in_one_currency_with(b).then(|| a.amount.cmp(&b.amount))
            }
            _ => None,
        }
    }
}

/// Reads a value as a number, a date, or a sum. `today` is the day of `now`. A number in a text is one as people write it in
/// what they wrote in a message, and otherwise as programs write it.
///
/// # Errors
/// That it is none.
pub fn readable(value: &Value, kind: FieldType, whose: Whose, now: DateTime<Utc>) -> Result<Ordered, String> {
    // No number, sum or date is longer, and a body may be held against a thousand.
    let is_short = |text: &String| text.len() <= 500;
    let text = text_of(value).filter(is_short).and_then(|_| composed(value)).unwrap_or_default();
    let read = match kind {
        FieldType::Number if value.is_number() => values::plain(&text).map(Ordered::Number),
        FieldType::Money if value.is_number() => {
            values::plain(&text).map(|amount| Ordered::Money(values::Money { amount, currency: None }))
        }
        FieldType::Number if whose == Whose::Message => values::written_number(&text).map(Ordered::Number),
        FieldType::Number => values::number(&text).map(Ordered::Number),
        FieldType::Date => values::date(&text, now).map(Ordered::Date),
        FieldType::Money => values::money(&text).map(Ordered::Money),
        FieldType::Text => None,
    };
    read.ok_or_else(|| match kind {
        FieldType::Date => "is no date, or could be two".into(),
        FieldType::Money => "is no sum of money".into(),
        _ => "is no number, or could be two".into(),
    })
}

/// What `compare` reads both sides as, where the rule does not say it: numbers where all of them are some. Else it is what
/// the fields' extractors say, and else what the rule's literals and the datasource's values are together. What a message
/// says counts only where there is nothing else: it could choose the reading by which it passes.
fn compared_as(said: Option<FieldType>, operands: &[(&Value, Whose)], now: DateTime<Utc>) -> FieldType {
    if common_kind(operands, now) == Some(FieldType::Number) {
        return FieldType::Number;
    }
    let is_of_rule = |(value, whose): &(&Value, Whose)| {
        !value.is_null() && matches!(whose, Whose::Rule | Whose::Datasource)
    };
    let of_rule: Vec<(&Value, Whose)> = operands.iter().copied().filter(is_of_rule).collect();
    let kind = match said {
        // A currency in the message would make another sum of it.
        Some(FieldType::Money) if of_rule.iter().any(|one| says_two(*one, now)) => None,
        Some(kind) => {
            let is_read = |(value, whose): &(&Value, Whose)| readable(value, kind, *whose, now).is_ok();
            of_rule.iter().all(is_read).then_some(kind)
        }
        // No sums: the message would choose the currency that makes another one of it.
        None if of_rule.is_empty() => common_kind(operands, now).filter(|kind| *kind == FieldType::Date),
        None => common_kind(&of_rule, now),
    };
    kind.unwrap_or(FieldType::Number)
}

/// The first of numbers, dates and sums of money that all values can be read as. They are sums where one names its currency.
pub fn common_kind(values: &[(&Value, Whose)], now: DateTime<Utc>) -> Option<FieldType> {
    let are = |kind: FieldType| {
        !values.is_empty() && values.iter().all(|(value, whose)| readable(value, kind, *whose, now).is_ok())
    };
    let has_currency = |(value, whose): &(&Value, Whose)| {
        let read = readable(value, FieldType::Money, *whose, now);
        matches!(read, Ok(Ordered::Money(values::Money { currency: Some(_), .. })))
    };
    if are(FieldType::Number) {
        Some(FieldType::Number)
    } else if are(FieldType::Date) {
        Some(FieldType::Date)
    } else if are(FieldType::Money)
        && values.iter().any(has_currency)
        && !values.iter().any(|one| says_two(*one, now))
    {
        Some(FieldType::Money)
    } else {
        None
    }
}

/// Whether it is one number and another sum: `1.234`.
fn says_two((value, whose): (&Value, Whose), now: DateTime<Utc>) -> bool {
    let read = |kind| readable(value, kind, whose, now);
    match (read(FieldType::Number), read(FieldType::Money)) {
        (Ok(Ordered::Number(number)), Ok(Ordered::Money(money))) => number != money.amount,
        _ => false,
    }
}

/// As it stands in a sentence.
fn shown(value: &Value) -> String {
    match value {
        Value::Null => "empty".to_owned(),
        Value::String(text) => format!("'{}'", shorten(text, 80)),
        other => shorten(&other.to_string(), 80),
    }
}

/// Whether two values are the same: as exact numbers where the datasource's is one, as texts otherwise. Nothing
/// equals an empty value but an expected `null`.
fn same(actual: &Value, expected: &Value, ignore_case: bool) -> bool {
    if actual.is_null() || expected.is_null() {
        return actual.is_null() && expected.is_null();
    }
    // People write 1 and 0 for them, too: the tables of files gave no other once, and some databases have no other.
    if (actual.is_boolean() || (expected.is_boolean() && actual.is_number()))
        && let (Some(left), Some(right)) = (flag_of(actual), flag_of(expected))
    {
        return left == right;
    }
    let (Some(left), Some(right)) = (composed(actual), composed(expected)) else { return actual == expected };
    if left == right || (ignore_case && left.to_lowercase() == right.to_lowercase()) {
        return true;
    }
    if !(actual.is_number() || expected.is_number()) {
        return false;
    }
    values::is_same_number(&left, &right)
}

/// Its text in the form that fields and patterns have, whose lines end with LF: what a datasource gave may be in another.
fn composed(value: &Value) -> Option<String> {
    text_of(value).map(|text| fields::composed(&text.replace("\r\n", "\n")).into_owned())
}

fn flag_of(value: &Value) -> Option<bool> {
    match value {
        Value::Bool(flag) => Some(*flag),
        Value::Number(number) if number.as_f64() == Some(1.0) => Some(true),
        Value::Number(number) if number.as_f64() == Some(0.0) => Some(false),
        Value::String(text) => match text.as_str() {
            "1" | "true" => Some(true),
            "0" | "false" => Some(false),
            _ => None,
        },
        _ => None,
    }
}

fn text_of(value: &Value) -> Option<String> {
    match value {
        Value::Null => None,
        Value::String(text) => Some(text.clone()),
        Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => Some(value.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn rule(field_name: &str, rule_type: RuleType) -> ValidationRule {
        serde_json::from_value(json!({
            "rule_id": 1, "tenant_id": "acme", "intent_id": 1, "datasource_id": null, "field_name": field_name,
            "rule_type": rule_type, "conditions": {}, "priority": 100, "is_active": true, "on_fail": "reject",
            "on_error": "review", "when_missing": "fail", "stop": false,
            "created_at": "2026-11-24T10:00:00Z", "updated_at": "2026-11-24T10:00:00Z"
        }))
        .expect("a rule")
    }

    #[test]
    fn a_header_field_is_found_however_it_is_written() {
        let mut fields = Fields::default();
        fields.set("header.x-foo", "a");
        for name in ["header.X-Foo", "header.x-foo"] {
            let rule = rule(name, RuleType::Regex);
            let judgement = Judgement { pattern: Some("^a$".into()), ..Judgement::default() };
            let finding = judge(&rule, &judgement, &[], &fields, None, Duration::from_secs(5));
            assert!(finding.is_ok_and(|finding| finding.passes), "{name}");
            let equals = ValidationRule { rule_type: RuleType::Equals, ..rule };
            assert_eq!(expected(&equals, &Judgement::default(), &fields), Ok(vec![json!("a")]), "{name}");
        }
    }

    #[test]
    fn a_field_that_the_message_lacks_is_missing_whatever_columns_there_are() {
        let request = Request::Match { columns: Vec::new(), ignore_case: Vec::new() };
        let rows = Rows {
            columns: vec!["order_number".into(), "status".into()],
            rows: vec![vec![json!("7"), json!("open")]],
            ..Rows::default()
        };
        let mut fields = Fields::default();
        fields.set("status", "open");
        let judged = |text: &str, rows: &Rows| {
            let expression = crate::rules::server::expression::Expression::compile(text).expect("compiles");
            let judgement = Judgement { expression: Some(expression), ..Judgement::default() };
            let found = Found { request: &request, rows, place: "Orders", masking: Masking::default() };
            let rule = rule("subject", RuleType::Expression);
            judge(&rule, &judgement, &[], &fields, Some(found), Duration::from_secs(60))
        };
        let missing: Result<Finding, _> =
            Err(Unjudged::Message(Unrenderable::Missing("order_number".into())));
        for text in [
            "row.order_number == fields.order_number",
            "rows.exists(r, r.order_number == fields['order_number'])",
        ] {
            assert_eq!(judged(text, &rows), missing, "{text}");
        }
        // The rule is at fault: the message has it, or it is no field of a message's.
        for text in ["row.status.order_number == 'x'", "{'a': 1}[row.status] == 1"] {
            assert!(matches!(judged(text, &rows), Err(Unjudged::Rule(_))), "{text}");
        }
        // So is who calls what is no function. What lacks a row or a field did not get there.
        let nothing = Rows { rows: Vec::new(), ..rows.clone() };
        for text in ["foo(row.status)", "row.status.size(1) == 2"] {
            let told = judged(text, &rows);
            let lead = "the rule gives no answer: its expression calls '";
            assert!(
                matches!(&told, Err(Unjudged::Rule(words)) if words.starts_with(lead)),
                "{text}: {told:?}"
            );
        }
        let either = "row.status == 'open' || foo(row.status)";
        assert!(judged(either, &rows).is_ok_and(|finding| finding.passes));
        assert!(judged(either, &nothing).is_ok_and(|finding| !finding.passes));
        let loops = "rows.all(a, rows.all(b, rows.all(c, a.status == b.status && b.status == c.status)))";
        let many = Rows { rows: vec![rows.rows[0].clone(); 100], ..rows };
        // There are more, of which it would say nothing.
        let cut = Rows { truncated: true, ..many.clone() };
        let whole = judged("rows.all(r, r.status == 'open')", &many);
        assert!(whole.is_ok_and(|finding| finding.passes));
        let part = judged("rows.all(r, r.status == 'open')", &cut);
        assert!(
            matches!(&part, Err(Unjudged::Rule(fault)) if fault.contains("100 rows alone, and Orders has more")),
            "{part:?}"
        );
        assert!(judged("row.status == 'open'", &cut).is_ok_and(|finding| finding.passes));
        let dear = judged(loops, &many);
        assert!(
            matches!(&dear, Err(Unjudged::Rule(fault)) if fault.contains("more than 2000000 steps")),
            "{dear:?}"
        );
    }

    #[test]
    fn numbers_are_the_same_by_value_and_exactly() {
        for (actual, expected, ignore_case, result) in [
            (json!("a"), json!("a"), false, true),
            (json!("a"), json!("A"), false, false),
            (json!("a"), json!("A"), true, true),
            (json!(7), json!("7"), false, true),
            (json!(7), json!("007"), false, true),
            (json!("7"), json!("007"), false, false),
            (json!(7), json!("0_7"), false, false),
            (json!(1042), json!("1_042"), false, false),
            (json!("1_042"), json!(1042), false, false),
            (json!(1e-7), json!("0.0000001"), false, true),
            (json!(19.9), json!("19.90"), false, true),
            (json!(1), json!(true), false, true),
            (json!(0), json!(false), false, true),
            (json!(1.0), json!(true), false, true),
            (json!(0), json!(true), false, false),
            (json!(2), json!(true), false, false),
            (json!("1"), json!(true), false, false),
            (json!(true), json!(true), false, true),
            (json!(true), json!("1"), false, true),
            (json!(true), json!(0), false, false),
            (json!(false), json!("false"), false, true),
            (json!(true), json!("yes"), false, false),
            (json!(9_007_199_254_740_993_i64), json!("9007199254740992"), false, false),
            (json!("123456789012345678901"), json!("123456789012345678902"), false, false),
            (json!("a\r\nb"), json!("a\nb"), false, true),
            (json!("a\nb"), json!("a b"), false, false),
            (json!(null), json!(null), false, true),
            (json!(null), json!(""), false, false),
            (json!(0), json!(""), false, false),
        ] {
            assert_eq!(same(&actual, &expected, ignore_case), result, "{actual} {expected}");
        }
    }

    /// Of a text that is no number, they say what it is.
    #[test]
    fn zeros_at_the_end_of_a_decimal_say_nothing() {
        let fields = Fields::default();
        let request = Request::Match { columns: Vec::new(), ignore_case: Vec::new() };
        let judged = |rule_type, expected: Value, is_decimal: bool| {
            let rule = rule("subject", rule_type);
            let judgement: Judgement = serde_json::from_value(json!({"expected": expected})).expect("parses");
            let expected = super::expected(&rule, &judgement, &fields).expect("renders");
            let rows = Rows {
                columns: vec!["n".into()],
                rows: vec![vec![json!("1234567890123456.70")]],
                decimals: is_decimal.then_some((0, 0)).into_iter().collect(),
                ..Rows::default()
            };
            let found =
                Some(Found { request: &request, rows: &rows, place: "Sums", masking: Masking::default() });
            judge(&rule, &judgement, &expected, &fields, found, Duration::from_secs(5))
                .map(|finding| finding.passes)
        };
        use RuleType::{Equals, NotEquals, OneOf};
        for (rule_type, expected, is_decimal, passes) in [
            (Equals, json!("1234567890123456.7"), true, true),
            (Equals, json!("1234567890123456.70"), true, true),
            (Equals, json!("1234567890123456.71"), true, false),
            (NotEquals, json!("1234567890123456.7"), true, false),
            (OneOf, json!(["1", "1234567890123456.700"]), true, true),
            (Equals, json!("1234567890123456.7"), false, false),
            (Equals, json!("1234567890123456.70"), false, true),
        ] {
            assert_eq!(
                judged(rule_type, expected.clone(), is_decimal),
                Ok(passes),
                "{expected} {is_decimal}"
            );
        }
    }

    #[test]
    fn a_rule_holds_for_every_field_of_a_name() {
        let mut fields = Fields::default();
        fields.set("header.x-list", "news\nads");
        fields.set("header.x-twice", "news\nnews");
        fields.set("header.received", "from outside\nfrom gateway");
        fields.set("body", "news\nads");
        let judged = |field: &str, rule_type, conditions: Value, found: Option<Value>| {
            let rule = rule(field, rule_type);
            let judgement: Judgement = serde_json::from_value(conditions).expect("a judgement");
            let expected = expected(&rule, &judgement, &fields).expect("renders");
            let request = Request::Match { columns: Vec::new(), ignore_case: Vec::new() };
            let rows = found.map(|cell| Rows {
                columns: vec!["list".into()],
                rows: vec![vec![cell]],
                ..Rows::default()
            });
            let found = rows.as_ref().map(|rows| Found {
                request: &request,
                rows,
                place: "Lists",
                masking: Masking::default(),
            });
            judge(&rule, &judgement, &expected, &fields, found, Duration::from_secs(5))
                .map(|finding| finding.passes)
        };
        use RuleType::{Equals, NotEquals, OneOf, Regex};
        for (field, rule_type, conditions, found, passes) in [
            ("header.X-List", Regex, json!({"pattern": "news"}), None, false),
            ("header.Received", Regex, json!({"pattern": "^from gateway"}), None, true),
            ("header.Received", Regex, json!({"pattern": "^from elsewhere"}), None, false),
            ("header.X-List", Regex, json!({"pattern": "^(news|ads)$"}), None, true),
            ("header.X-Twice", Regex, json!({"pattern": "^news$"}), None, true),
            ("header.X-List", Regex, json!({"pattern": "s\na"}), None, false),
            ("body", Regex, json!({"pattern": "s\na"}), None, true),
            ("header.X-List", Regex, json!({"pattern": "s\na"}), Some(json!("news\r\nads")), true),
            ("header.X-List", NotEquals, json!({"expected": "ads"}), None, false),
            ("header.X-List", NotEquals, json!({"expected": "NEWS", "ignore_case": true}), None, false),
            ("header.X-List", NotEquals, json!({"expected": "spam"}), None, true),
            ("header.X-List", Equals, json!({"expected": "news"}), None, false),
            ("header.X-Twice", Equals, json!({"expected": "news"}), None, true),
            ("header.X-List", OneOf, json!({"expected": ["ads", "news"]}), None, true),
            ("header.X-List", OneOf, json!({"expected": ["news"]}), None, false),
            // The other way round: what the datasource holds against what the message says.
            ("header.X-List", NotEquals, json!({}), Some(json!("ads")), false),
            ("header.X-List", NotEquals, json!({}), Some(json!("spam")), true),
            ("subject", NotEquals, json!({"expected": "{{header.X-List}}"}), Some(json!("ads")), false),
            ("header.X-List", Equals, json!({}), Some(json!("news")), false),
            ("header.X-List", NotEquals, json!({"expected": "x"}), Some(json!("news\nx")), true),
            // Lines of a body are one value.
            ("body", NotEquals, json!({"expected": "ads"}), None, true),
            ("body", Equals, json!({"expected": "news\nads"}), None, true),
        ] {
            let judged = judged(field, rule_type, conditions.clone(), found.clone());
            assert_eq!(judged, Ok(passes), "{field} {rule_type} {conditions} {found:?}");
        }
    }

    #[test]
    fn of_a_secret_that_a_sentence_is_cut_in_nothing_is_left() {
        let secret = Masking::new(["sk_1234567890"]);
        let cell = Value::from(format!("/{}?key=sk_1234567890", "a".repeat(65)));
        let rows = Rows {
            columns: vec!["n".into(), "url".into()],
            rows: vec![vec![7.into(), cell.clone()]],
            ..Rows::default()
        };
        let (cut, whole) = (shown(&cell), shown(&secret.value(&cell)));
        assert!(cut.ends_with("?key=sk_123456…'") && whole.ends_with("?key=********'"), "{cut} {whole}");
        let fields = Fields::default();
        let request = Request::Match { columns: Vec::new(), ignore_case: Vec::new() };
        let told = |rule_type, conditions: &Value, masking: &Masking| {
            let rule = rule("subject", rule_type);
            let judgement: Judgement = serde_json::from_value(conditions.clone()).expect("a judgement");
            let expected = expected(&rule, &judgement, &fields).expect("renders");
            let found = Found { request: &request, rows: &rows, place: "Orders", masking: masking.clone() };
            match judge(&rule, &judgement, &expected, &fields, Some(found), Duration::from_secs(5)) {
                Ok(finding) => finding.reason,
                Err(Unjudged::Datasource(fault)) => fault,
                Err(other) => panic!("{other:?}"),
            }
        };
        use RuleType::{Compare, Equals};
        for (rule_type, conditions, sentence, hidden) in [
            (
                Equals,
                json!({"column": "url", "expected": "sk_1…"}),
                format!("url is {cut}, not 'sk_1…'"),
                format!("url is {whole}, not 'sk_1…'"),
            ),
            (
                Compare,
                json!({"column": "url", "op": ">", "expected": 5}),
                format!("{cut} is no number, or could be two"),
                format!("{whole} is no number, or could be two"),
            ),
            // What the rule says stays.
            (
                Equals,
                json!({"column": "n", "expected": cell}),
                format!("n is 7, not {cut}"),
                format!("n is 7, not {cut}"),
            ),
        ] {
            assert_eq!(told(rule_type, &conditions, &Masking::default()), sentence);
            assert_eq!(told(rule_type, &conditions, &secret), hidden);
        }
    }

    #[test]
    fn an_empty_column_is_asked_for_by_null() {
        let mut fields = Fields::default();
        fields.set("subject", "x");
        let request = Request::Match { columns: Vec::new(), ignore_case: Vec::new() };
        let judged = |rule_type, conditions: Value, cell: Value| {
            let rule = rule("subject", rule_type);
            let judgement: Judgement = serde_json::from_value(conditions).expect("a judgement");
            let expected = expected(&rule, &judgement, &fields).expect("renders");
            let rows = Rows { columns: vec!["closed_on".into()], rows: vec![vec![cell]], ..Rows::default() };
            let found =
                Found { request: &request, rows: &rows, place: "Orders", masking: Masking::default() };
            let patience = Duration::from_secs(5);
            let finding =
                judge(&rule, &judgement, &expected, &fields, Some(found), patience).expect("judged");
            (finding.passes, finding.reason)
        };
        use RuleType::{Equals, NotEquals};
        for (rule_type, conditions, cell, passes, reason) in [
            (Equals, json!({"expected": null}), json!(null), true, "closed_on is empty, as expected"),
            (Equals, json!({"expected": null}), json!("x"), false, "closed_on is 'x', not empty"),
            (
                NotEquals,
                json!({"expected": null}),
                json!(null),
                false,
                "closed_on is empty, which it should not be",
            ),
            (NotEquals, json!({"expected": null}), json!("x"), true, "closed_on is 'x', and not empty"),
            // Left out, it is the field.
            (Equals, json!({}), json!("x"), true, "closed_on is 'x', as expected"),
            (NotEquals, json!({}), json!(null), true, "closed_on is empty, and not 'x'"),
        ] {
            let found = judged(rule_type, conditions.clone(), cell.clone());
            assert_eq!(found, (passes, reason.to_owned()), "{rule_type} {conditions} {cell}");
        }
    }

    #[test]
    fn an_expression_takes_nothing_that_is_not_one_value() {
        let mut fields = Fields::default();
        fields.set("header.x-spam", "NO\nYES");
        fields.set("header.x-twice", "NO\nNO");
        fields.set("header.received", "from outside\nfrom gateway");
        fields.set("subject", "x");
        fields.set_unread("score", "'many' is no number, or could be two");
        let judged = |text: &str, fields: &Fields| {
            let expression = crate::rules::server::expression::Expression::compile(text).expect("compiles");
            let judgement = Judgement { expression: Some(expression), ..Judgement::default() };
            let rule = rule("subject", RuleType::Expression);
            let finding = judge(&rule, &judgement, &[], fields, None, Duration::from_secs(60));
            finding.map(|finding| finding.passes)
        };
        let several = "header.x-spam stands 2 times in the message, and an expression takes one value";
        let unread = "'many' is no number, or could be two";
        for (text, words) in [
            ("fields['header.X-Spam'] != 'YES'", several),
            ("email['header.x-spam'] == 'NO'", several),
            ("email.subject == 'x' || fields['header.X-Spam'] == 'NO'", several),
            ("fields.score < 5.0", unread),
            ("has(fields.score) ? fields.score < 5.0 : true", unread),
            ("!has(fields.score) || fields.score < 5.0", unread),
            ("!('score' in fields)", unread),
            ("fields.all(name, name != 'score')", unread),
            ("['score'].all(name, fields[name] < 5.0)", unread),
            ("['header.x-spam'].all(name, fields[name] != 'YES')", several),
        ] {
            let unfit = Unrenderable::Unfit(words.into());
            assert_eq!(judged(text, &fields), Err(Unjudged::Message(unfit)), "{text}");
        }
        assert_eq!(judged("'subject' in fields", &fields), Ok(true), "another field was read");
        fields.set_typed("score", "1", FieldType::Number);
        for (text, passes) in [
            ("fields['header.X-Twice'] == 'NO'", true),
            ("fields['header.Received'].contains('from gateway')", true),
            ("has(fields.order) ? false : email.subject == 'x'", true),
            ("!('header.x-spam' in fields)", false),
            ("!fields.exists(name, name == 'header.x-spam' && fields[name].contains('YES'))", false),
            ("fields.score < 5.0", true),
        ] {
            assert_eq!(judged(text, &fields), Ok(passes), "{text}");
        }
        let missing = Unrenderable::Missing("order".into());
        assert_eq!(judged("fields.order == 'x'", &fields), Err(Unjudged::Message(missing)));
    }

    #[test]
    fn addresses_are_compared_in_one_form_and_nothing_else_is() {
        let mut fields = Fields::default();
        fields.set("sender_email", "zoe@xn--bcher-kva.example");
        fields.set("sender_domain", "xn--bcher-kva.example");
        fields.set("envelope_to", "ann@x.example, Zoe@bücher.example");
        fields.set("subject", "Zoe@Bücher.example");
        let judged = |field: &str, rule_type, conditions: Value, found: Option<&str>| {
            let rule = rule(field, rule_type);
            let judgement: Judgement = serde_json::from_value(conditions).expect("a judgement");
            let expected = expected(&rule, &judgement, &fields).expect("renders");
            let request = Request::Match { columns: Vec::new(), ignore_case: Vec::new() };
            let rows = found.map(|cell| Rows {
                columns: vec!["cell".into()],
                rows: vec![vec![cell.into()]],
                ..Rows::default()
            });
            let found = rows.as_ref().map(|rows| Found {
                request: &request,
                rows,
                place: "People",
                masking: Masking::default(),
            });
            judge(&rule, &judgement, &expected, &fields, found, Duration::from_secs(5))
                .map(|finding| finding.passes)
        };
        use RuleType::{Equals, NotEquals, OneOf};
        for (field, rule_type, conditions, found, passes) in [
            ("sender_email", Equals, json!({"expected": "Zoe@Bücher.example"}), None, true),
            ("sender_email", NotEquals, json!({"expected": "zoe@bücher.example"}), None, false),
            ("sender_email", Equals, json!({"expected": "zoe@bucher.example"}), None, false),
            ("sender_domain", OneOf, json!({"expected": ["x.example", "bu\u{308}cher.example"]}), None, true),
            ("sender_domain", Equals, json!({"expected": "BÜCHER.example"}), None, true),
            ("envelope_to", Equals, json!({"expected": "Ann@x.example, zoe@BÜCHER.example"}), None, true),
            ("sender_email", Equals, json!({}), Some("Zoe@Bücher.example"), true),
            ("subject", Equals, json!({"expected": "{{sender_email}}"}), Some("zoe@bücher.example"), true),
            ("subject", Equals, json!({"expected": "{{sender_email}}"}), None, true),
            // A state beside an address is none.
            ("sender_email", Equals, json!({"expected": "Active"}), Some("active"), false),
            ("subject", Equals, json!({"expected": "zoe@bücher.example"}), None, false),
        ] {
            let judged = judged(field, rule_type, conditions.clone(), found);
            assert_eq!(judged, Ok(passes), "{field} {rule_type} {conditions} {found:?}");
        }
    }

    #[test]
    fn bounds_are_read_in_every_kind() {
        let check = |op, kind, actual: Value, expected: Value| {
            let judgement = Judgement { op: Some(op), kind: Some(kind), ..Judgement::default() };
            let expected: Vec<Value> = match expected {
                Value::Array(items) => items,
                one => vec![one],
            };
            let against = Against {
                expected: &expected,
                are_addresses: false,
                is_decimal: false,
                from: Origin { whose: Whose::Datasource, field: "" },
                expected_from: &[Origin { whose: Whose::Message, field: "" }; 2],
                masking: &Masking::default(),
                kind,
                now: Utc::now(),
            };
            bounds(&judgement, &actual, against).map(|(holds, _)| holds)
        };
        use CompareOp::{Between, Greater, GreaterOrEqual, Less, LessOrEqual};
        use FieldType::{Date, Money, Number};
        for (op, kind, actual, expected, holds) in [
            (Greater, Number, json!(5), json!("4.9"), true),
            (Greater, Number, json!("10"), json!(9), true),
            (GreaterOrEqual, Number, json!("1,000.00"), json!(1000), true),
            (Less, Number, json!("1.234"), json!("1.2341"), true),
            (Less, Number, json!(5), json!(5), false),
            (Less, Number, json!(1e-7), json!("0.001"), true),
            (LessOrEqual, Number, json!(5), json!(5), true),
            (Between, Number, json!(5), json!([1, 5]), true),
            (Between, Number, json!(6), json!([1, 5]), false),
            (Greater, Number, json!(null), json!(5), false),
            (GreaterOrEqual, Money, json!("1.234,50 EUR"), json!("EUR 1,234.50"), true),
            (Greater, Money, json!("2000 EUR"), json!("5 USD"), false),
            (Greater, Money, json!(2000.5), json!("5 USD"), true),
            (LessOrEqual, Money, json!("$49.90"), json!("100 USD"), true),
            (LessOrEqual, Money, json!("100 EUR"), json!("$149.90"), false),
            (Less, Date, json!("2026-11-10T23:00:00"), json!("11 November 2026"), true),
            (LessOrEqual, Date, json!("2026-11-10T23:00:00"), json!("2026-11-10"), true),
            (GreaterOrEqual, Date, json!("2026-11-10T00:00:00+01:00"), json!("2026-11-10"), true),
            (Less, Date, json!("2026-11-10T00:00:00+01:00"), json!("2026-11-10"), false),
            (Less, Date, json!("2026-11-10T00:00:00+01:00"), json!("2026-11-09T23:30:00Z"), true),
            (GreaterOrEqual, Date, json!("1999-01-01"), json!("today-30d"), false),
        ] {
            assert_eq!(check(op, kind, actual.clone(), expected.clone()), Ok(holds), "{actual} {expected}");
        }
        assert!(matches!(check(Greater, Number, json!("many"), json!(1)), Err(Unjudged::Datasource(_))));
        for unclear in ["many", "1.234"] {
            let judged = check(Greater, Number, json!(1), json!(unclear));
            assert!(matches!(judged, Err(Unjudged::Message(Unrenderable::Unfit(_)))), "{unclear}");
        }
    }

    #[test]
    fn sums_and_dates_are_the_same_by_what_they_say() {
        let mut fields = Fields::default();
        fields.set("received_at", "2026-11-24T10:00:00Z");
        fields.set_typed("total", "1234.5 EUR", FieldType::Money);
        fields.set_typed("due", "2026-11-10", FieldType::Date);
        fields.set_typed("qty", "42", FieldType::Number);
        fields.set("code", "42");
        fields.set("said", "1.234,50 Euro");
        let judged = |field: &str, rule_type, conditions: Value, found: Option<Value>| {
            let rule = rule(field, rule_type);
            let judgement: Judgement = serde_json::from_value(conditions).expect("a judgement");
            let expected = expected(&rule, &judgement, &fields).expect("renders");
            let request = Request::Match { columns: Vec::new(), ignore_case: Vec::new() };
            let rows = found.map(|cell| Rows {
                columns: vec!["cell".into()],
                rows: vec![vec![cell]],
                ..Rows::default()
            });
            let found = rows.as_ref().map(|rows| Found {
                request: &request,
                rows,
                place: "Orders",
                masking: Masking::default(),
            });
            judge(&rule, &judgement, &expected, &fields, found, Duration::from_secs(5))
                .map(|finding| finding.passes)
        };
        use RuleType::{Equals, NotEquals, OneOf};
        for (field, rule_type, conditions, found, passes) in [
            ("total", Equals, json!({}), Some(json!("1.234,50 €")), true),
            ("total", NotEquals, json!({}), Some(json!("1.234,50 €")), false),
            ("total", Equals, json!({}), Some(json!(1234.5)), true),
            ("total", Equals, json!({}), Some(json!("1,234.50")), true),
            ("total", Equals, json!({}), Some(json!("1234.50 USD")), false),
            ("total", NotEquals, json!({}), Some(json!(null)), true),
            ("total", Equals, json!({}), Some(json!("none")), false),
            ("total", Equals, json!({"expected": "1234.50 EUR"}), None, true),
            ("total", Equals, json!({"expected": 1234}), None, false),
            ("total", OneOf, json!({"expected": ["5 EUR", "1.234,5 €"]}), None, true),
            ("total", OneOf, json!({"expected": ["n/a", "1.234,5 €"]}), None, true),
            ("total", OneOf, json!({"expected": ["5 EUR", "6 EUR"]}), None, false),
            ("total", OneOf, json!({"expected": ["n/a", "5 EUR"]}), None, false),
            ("total", NotEquals, json!({"expected": "n/a"}), None, true),
            ("subject", Equals, json!({"expected": "{{total}}"}), Some(json!("EUR 1,234.50")), true),
            ("subject", Equals, json!({"expected": "sum {{total}}"}), Some(json!("sum 1.234,50 EUR")), false),
            ("due", Equals, json!({}), Some(json!("10.11.2026")), true),
            ("due", Equals, json!({}), Some(json!("2026-11-10T14:30:00+00:00")), true),
            ("due", Equals, json!({}), Some(json!("2026-11-11T00:30:00+00:00")), false),
            ("due", Equals, json!({"expected": "today-14d"}), None, true),
            ("due", OneOf, json!({"expected": ["{{due}}"]}), Some(json!("10 November 2026")), true),
            ("qty", Equals, json!({}), Some(json!("0042")), true),
            ("qty", Equals, json!({"expected": "42,0"}), None, true),
            ("qty", Equals, json!({}), Some(json!(true)), false),
            ("code", Equals, json!({}), Some(json!("0042")), false),
            ("qty", Equals, json!({"as": "text"}), Some(json!("0042")), false),
            ("said", Equals, json!({"expected": "1234.5 EUR"}), None, false),
            ("said", Equals, json!({"expected": "1234.5 EUR", "as": "money"}), None, true),
            ("said", Equals, json!({"as": "money"}), Some(json!(1234.5)), true),
        ] {
            let judged = judged(field, rule_type, conditions.clone(), found.clone());
            assert_eq!(judged, Ok(passes), "{field} {rule_type} {conditions} {found:?}");
        }
        // What cannot be read is no other value.
        for (field, rule_type, conditions, found) in [
            ("due", NotEquals, json!({}), Some(json!("02/03/2026"))),
            ("total", NotEquals, json!({}), Some(json!("n/a"))),
        ] {
            let judged = judged(field, rule_type, conditions.clone(), found.clone());
            assert!(
                matches!(judged, Err(Unjudged::Datasource(_))),
                "{field} {conditions} {found:?}: {judged:?}"
            );
        }
        let unfit = judged("code", Equals, json!({"expected": "{{due}}"}), None);
        let words = "'42' is no date, or could be two";
        assert_eq!(unfit, Err(Unjudged::Message(Unrenderable::Unfit(words.into()))));
    }

    proptest! {
        #[test]
        fn a_value_is_the_same_as_itself_and_order_is_kept(a in any::<i32>(), b in any::<i32>()) {
            prop_assert!(same(&json!(a), &json!(a.to_string()), false));
            let order = |x: i32, y: i32| {
                let read = |value: Value| readable(&value, FieldType::Number, Whose::Message, Utc::now()).ok();
                read(json!(x))?.order(&read(json!(y.to_string()))?)
            };
            prop_assert_eq!(order(a, b), Some(a.cmp(&b)));
        }
    }
}
