//! Comparisons in SQLite, to which any number is less than any text, and none is equal to one.
//!
//! What a message says is text. SQLite makes a number of it beside a column that was declared to hold numbers, and
//! nowhere else: of `sum(x) <= ?` it finds every sum to be less than `'100'`, and of `count(*) = ?` no count to be
//! `'3'`. So beside what is worked out, a value that says a number is handed over as one where a number stands beside
//! it. Where it says none, whoever gave it is at fault if it is compared by order (`flowengine_beside`), and it stays as it
//! is if it is asked whether both are the same (`flowengine_alike`): they are not. Beside a column nothing is changed:
//! SQLite does what is right there, by the column's index.
//!
//! What is worked out may have an index too, which finds nothing that has to be worked out of it: `a * 2 = ?` becomes
//! `a * 2 IN (?, flowengine_number(?))`, the text and the number that it says.
//!
//! The query stays as it is written but for that: what a parser prints is not always what it has read.

mod ranking;

use std::{
    cmp::Reverse,
    ops::ControlFlow,
    sync::{Arc, Mutex, PoisonError},
};

use rusqlite::{
    Connection,
    functions::{Context, FunctionFlags},
    types::{Value as Sql, ValueRef},
};
use serde_json::Value;
use sqlparser::{
    ast::{
        BinaryOperator, Expr, Query, Select, UnaryOperator, Value as Literal, ValueWithSpan, Visit, Visitor,
    },
    dialect::SQLiteDialect,
    parser::Parser,
    tokenizer::{Span, Token, TokenWithSpan, Tokenizer},
};

pub use self::ranking::{Against, Ranked, plain};
use super::{
    Cause, Given, LookupError,
    file::LOWER,
    sources::{Bound, Source, Sources, Table},
    sql_check,
};
use crate::rules::server::values;

/// The functions' names in SQL.
const BESIDE: &str = "flowengine_beside";
const ALIKE: &str = "flowengine_alike";
const NUMBER: &str = "flowengine_number";
/// A query compares no more often than this what it is given with what it works out: each parameter once, of as many as
/// there can be. One that does is left as it is.
const MAX_BESIDE: usize = 100;
/// Nor more often than this by order: a list of thousands may be compared thousands of times.
const MAX_ORDERED: usize = 10_000;
/// Functions that give text whatever they are given: beside them, text is what is right, and an index on them is used.
const TEXTS: [&str; 20] = [
    LOWER,
    "lower",
    "upper",
    "trim",
    "ltrim",
    "rtrim",
    "replace",
    "substr",
    "substring",
    "hex",
    "quote",
    "typeof",
    "printf",
    "format",
    "date",
    "time",
    "datetime",
    "strftime",
    "group_concat",
    "string_agg",
];

/// What is compared by order, and with what.
#[derive(Clone, Debug)]
pub struct Ordered {
    /// As it is written.
    pub what: Arc<str>,
    pub source: Arc<Source>,
    pub bound: Bound,
    /// Whether SQLite makes numbers of texts beside the bound.
    pub is_by_number: bool,
}

/// What a checked query compares.
#[derive(Debug, Default)]
pub struct Comparisons {
    worked_out: Vec<Beside>,
    pub ordered: Vec<Ordered>,
    /// All that is put in order, whatever it is compared with.
    pub ranked: Vec<Ranked>,
    sources: Sources,
    /// Within how many queries what is looked at stands.
    depth: usize,
}

/// A placeholder, or what else may be a text that says a number, beside what is worked out.
#[derive(Debug)]
struct Beside {
    place: Span,
    mark: String,
    spelling: Spelling,
    /// What stands beside it, as SQL.
    others: String,
}

/// What becomes of a placeholder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Spelling {
    /// A call of `BESIDE`.
    Ordered,
    /// A call of `ALIKE`.
    Alike,
    /// The text and the number, in a list that there is.
    Listed,
    /// The text and the number, in a list of its own: the `=` before it becomes `IN`.
    OneOf,
}

/// The bytes of a part of a query, and what stands there instead.
type Change = ((usize, usize), String);

impl Beside {
    fn changes(&self, sql: &str, tokens: &[TokenWithSpan]) -> Vec<Change> {
        let Self { place, mark, spelling, others } = self;
        let call = |function: &str| format!("{function}({mark}, {others})");
        let both = || format!("{mark}, {NUMBER}({mark})");
        let equals = match spelling {
            Spelling::OneOf => equals_before(sql, tokens, *place),
            Spelling::Ordered | Spelling::Alike | Spelling::Listed => None,
        };
        let spelled = match spelling {
            Spelling::Ordered => call(BESIDE),
            Spelling::Listed => both(),
            Spelling::OneOf if equals.is_some() => format!("({})", both()),
            Spelling::Alike | Spelling::OneOf => call(ALIKE),
        };
        // Set off from what is before it, which may be a number.
        let equals = equals.map(|equals| (equals, " IN".to_owned()));
        equals.into_iter().chain([(sql_check::range(sql, *place), spelled)]).collect()
    }
}

/// The bytes of the `=` that stands before a placeholder.
fn equals_before(sql: &str, tokens: &[TokenWithSpan], place: Span) -> Option<(usize, usize)> {
    let at = tokens.iter().position(|token| token.span == place)?;
    let before = tokens[..at].iter().rfind(|token| !matches!(token.token, Token::Whitespace(_)))?;
    matches!(before.token, Token::Eq | Token::DoubleEq).then(|| sql_check::range(sql, before.span))
}

impl Comparisons {
    /// `tables` are those that it may name.
    pub fn of(sql: &str, tables: &[Table]) -> Self {
        if tables.iter().all(Table::has_types) && !is_worth_reading(sql) {
            return Self::default();
        }
        let statements = Parser::parse_sql(&SQLiteDialect {}, sql).unwrap_or_default();
        let mut found = Self { sources: Sources::read(&statements, tables), ..Self::default() };
        for statement in &statements {
            let _: ControlFlow<()> = statement.visit(&mut found);
        }
        found
    }

    /// The query with what its placeholders become; none where it stays as it is.
    pub fn spelled_out(&self, sql: &str) -> Option<String> {
        if self.worked_out.is_empty() || self.worked_out.len() > MAX_BESIDE {
            return None;
        }
        let is_one_of = |beside: &Beside| beside.spelling == Spelling::OneOf;
        let tokens = if self.worked_out.iter().any(is_one_of) {
            Tokenizer::new(&SQLiteDialect {}, sql).tokenize_with_location().unwrap_or_default()
        } else {
            Vec::new()
        };
        let mut changes: Vec<Change> =
            self.worked_out.iter().flat_map(|beside| beside.changes(sql, &tokens)).collect();
        changes.sort_by_key(|((start, _), _)| Reverse(*start));
        let mut spelled = sql.to_owned();
        for ((start, end), change) in changes {
            if spelled.get(start..end).is_some() {
                spelled.replace_range(start..end, &change);
            }
        }
        Some(spelled)
    }

    /// Sums of money as they are written say no number, and a column of numbers would be less than any of them.
    ///
    /// # Errors
    /// The message's, or the rule's where the value is its own, or where nobody knows what is compared with it.
    pub fn check(&self, given: Given<'_>) -> Result<(), LookupError> {
        if self.ordered.len() > MAX_ORDERED || self.ranked.len() > MAX_ORDERED {
            return Err(LookupError::new(Cause::Rule, "the query compares more than can be looked at"));
        }
        for ordered in &self.ordered {
            if ordered.source.is_lost && ordered.number(given.params).is_some() {
                return Err(lost(&ordered.what));
            }
            let Bound::Given(place) = ordered.bound else { continue };
            let Some(text) = given.params.get(place).and_then(Value::as_str) else { continue };
            let is_sum = || values::money(text).is_some_and(|money| money.currency.is_some());
            if !ordered.source.has_no_type() && number_in(text).is_none() && is_sum() {
                return Err(no_number(text, given.blame(place)));
            }
        }
        Ok(())
    }

    fn ordered(&mut self, one: &Expr, other: &Expr) {
        if let (Expr::Tuple(ones), Expr::Tuple(others)) = (one, other) {
            ones.iter().zip(others).for_each(|(one, other)| self.ordered(one, other));
            return;
        }
        for (side, beside) in [(one, other), (other, one)] {
            let given = self.sources.of(side);
            if self.is_worked_out(beside)
                && let Some((place, mark)) = text_in(side, &given)
            {
                self.put(place, &mark, Spelling::Ordered, beside);
            }
            let source = self.sources.of(beside);
            self.rank(beside, &source, Against::of(side, &given));
            // One more than that is enough to know that there are too many.
            let room = (MAX_ORDERED + 1).saturating_sub(self.ordered.len());
            if room == 0 || given.bounds.is_empty() {
                continue;
            }
            if matches!(bare(beside), Side::Column(_)) || !source.columns.is_empty() || source.is_lost {
                let (what, source): (Arc<str>, _) = (beside.to_string().into(), Arc::new(source));
                let is_by_number = given.is_number();
                let ordered = |bound| Ordered {
                    what: Arc::clone(&what),
                    source: Arc::clone(&source),
                    bound,
                    is_by_number,
                };
                self.ordered.extend(given.bounds.into_iter().take(room).map(ordered));
            }
        }
    }

    fn alike(&mut self, one: &Expr, other: &Expr) {
        for (side, beside) in [(one, other), (other, one)] {
            match bare(side) {
                Side::Given(place, mark) if self.is_worked_out(beside) => {
                    self.put(place, mark, Spelling::Alike, beside);
                }
                // A literal beside what is worked out keeps its index; a name has none.
                Side::Column(_) if self.is_worked_out(beside) => {
                    let given = self.sources.of(side);
                    if let Some((place, mark)) = text_in(side, &given) {
                        self.put(place, &mark, Spelling::Alike, beside);
                    }
                }
                _ => {}
            }
        }
    }

    fn equal(&mut self, left: &Expr, right: &Expr) {
        match placeholder(right) {
            Some((place, mark)) if self.has_no_type(left) => self.put(place, mark, Spelling::OneOf, left),
            _ => self.alike(left, right),
        }
    }

    fn listed(&mut self, one: &Expr, list: &[Expr]) {
        if let Side::Given(place, mark) = bare(one) {
            // In a list, a column makes a number of nothing (sqlite.org/datatype3.html, section 4.2).
            for other in list.iter().filter(|item| matches!(bare(item), Side::Column(_) | Side::WorkedOut)) {
                self.put(place, mark, Spelling::Alike, other);
            }
        } else if self.is_worked_out(one) {
            let has_no_type = self.has_no_type(one);
            for item in list {
                match (placeholder(item), bare(item)) {
                    (Some((place, mark)), _) if has_no_type => self.put(place, mark, Spelling::Listed, one),
                    (_, Side::Given(place, mark)) => self.put(place, mark, Spelling::Alike, one),
                    _ => {}
                }
            }
        }
    }

    fn put(&mut self, place: Span, mark: &str, spelling: Spelling, other: &Expr) {
        // One more than that is enough to know that there are too many.
        if self.worked_out.len() > MAX_BESIDE {
            return;
        }
        match self.worked_out.iter_mut().find(|beside| beside.place == place) {
            Some(beside) => {
                beside.others.push_str(", ");
                beside.others.push_str(&other.to_string());
            }
            None => self.worked_out.push(Beside {
                place,
                mark: mark.to_owned(),
                spelling,
                others: other.to_string(),
            }),
        }
    }

    fn is_worked_out(&self, expr: &Expr) -> bool {
        match bare(expr) {
            Side::WorkedOut => true,
            Side::Column(_) => self.sources.of(expr).has_no_type(),
            Side::Given(..) | Side::Text(..) | Side::Number | Side::Plain => false,
        }
    }

    /// Whether it is worked out, and numbers in a list beside it stay some. Beside a query that gives a column of
    /// texts, the 7 that `007` says would be `'7'`.
    fn has_no_type(&self, expr: &Expr) -> bool {
        self.is_worked_out(expr)
            && match bare(expr) {
                Side::Column(_) => self.sources.of(expr).is_untyped_column(),
                _ => !may_have_type(expr),
            }
    }
}

impl Ordered {
    /// The number that it is compared with, as it is written, if it is one.
    pub fn number(&self, params: &[Value]) -> Option<String> {
        match &self.bound {
            Bound::Number(number) | Bound::Text(number) => Some(number.to_string()),
            Bound::Given(place) => match params.get(*place)? {
                Value::Number(number) => Some(number.to_string()),
                Value::String(text) => values::number(text).map(|_| text.clone()),
                _ => None,
            },
        }
    }

    /// Whether texts of so many digits each are ordered beside this number as whoever wrote the query means it.
    pub fn suits_digits(&self, digits: usize, number: &str, params: &[Value]) -> bool {
        // Who writes a text means letters, such as a range of prefixes.
        let is_written = matches!(self.bound, Bound::Text(_)) && self.source.is_text();
        let has_digits = || number.len() == digits && number.bytes().all(|byte| byte.is_ascii_digit());
        self.is_by_number || is_written || self.is_by_letters(params) && has_digits()
    }

    /// Whether both are texts to SQLite, where the column is one of texts.
    fn is_by_letters(&self, params: &[Value]) -> bool {
        self.source.is_text()
            || match &self.bound {
                Bound::Number(_) => false,
                Bound::Text(_) => true,
                Bound::Given(place) => params.get(*place).is_some_and(Value::is_string),
            }
    }
}

/// What is a text by itself, or a name for one, and may say a number: where it stands, and how it is written.
fn text_in(expr: &Expr, source: &Source) -> Option<(Span, String)> {
    match expr {
        Expr::Nested(inner) | Expr::Collate { expr: inner, .. } => text_in(inner, source),
        _ => match bare(expr) {
            Side::Given(place, mark) => Some((place, mark.to_owned())),
            Side::Text(place, _) => Some((place, expr.to_string())),
            Side::Column(_) if source.may_be_written() && source.columns.is_empty() => {
                Some((span_of_name(expr)?, expr.to_string()))
            }
            _ => None,
        },
    }
}

fn span_of_name(expr: &Expr) -> Option<Span> {
    match expr {
        Expr::Identifier(name) => Some(name.span),
        Expr::CompoundIdentifier(names) => Some(Span::new(names.first()?.span.start, names.last()?.span.end)),
        _ => None,
    }
}

fn lost(what: &str) -> LookupError {
    let words = format!(
        "what {what} holds cannot be followed through the query, so it may be texts that say numbers, and none is more or \
         less than a number; write CAST({what} AS REAL) to take them for numbers"
    );
    LookupError::new(Cause::Rule, words)
}

/// Whether it compares by order, sorts, or works anything out. Most look-ups only ask which column equals what, and are
/// not read again for this.
fn is_worth_reading(sql: &str) -> bool {
    let lower = sql.to_ascii_lowercase();
    let is_all = |before: &str| {
        let before = before.trim_end();
        let word = before.rsplit(|c: char| !(c.is_alphanumeric() || c == '_')).next();
        before.ends_with(['.', ',']) || matches!(word, Some("select" | "distinct" | "all"))
    };
    lower.contains(['<', '>', '(', '+', '-', '/', '%', '|', '&', '~'])
        || ["between", "case", "order"].iter().any(|word| lower.contains(word))
        || lower.match_indices('*').any(|(at, _)| !is_all(&lower[..at]))
}

impl Visitor for Comparisons {
    type Break = ();

    fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<()> {
        use BinaryOperator::{Divide, Eq, Gt, GtEq, Lt, LtEq, Minus, Modulo, Multiply, NotEq, Plus};
        match expr {
            Expr::BinaryOp { left, op: Lt | LtEq | Gt | GtEq, right } => self.ordered(left, right),
            Expr::BinaryOp { left, op: Eq, right } => self.equal(left, right),
            Expr::BinaryOp { left, op: NotEq, right } => self.alike(left, right),
            Expr::IsDistinctFrom(left, right) | Expr::IsNotDistinctFrom(left, right) => {
                self.alike(left, right);
            }
            Expr::InList { expr, list, .. } => self.listed(expr, list),
            Expr::Between { expr, low, high, .. } => {
                self.ordered(expr, low);
                self.ordered(expr, high);
            }
            Expr::BinaryOp { left, op: Plus | Minus | Multiply | Divide | Modulo, right } => {
                self.rank_number(left, Against::Number);
                self.rank_number(right, Against::Number);
            }
            Expr::UnaryOp { op: UnaryOperator::Minus, expr } => self.rank_number(expr, Against::Number),
            Expr::Function(function) => self.rank_arguments(function),
            Expr::Cast { expr, data_type, .. } => self.rank_cast(expr, data_type),
            // In the place of a value, it is the first of its rows.
            Expr::Subquery(query) if query.limit_clause.is_none() => self.rank_rows(query),
            _ => {}
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<()> {
        // Of rows of which all are taken, whatever their order, it is no matter.
        if self.depth == 0 || query.limit_clause.is_some() {
            self.rank_rows(query);
        }
        self.depth += 1;
        ControlFlow::Continue(())
    }

    fn post_visit_query(&mut self, _: &Query) -> ControlFlow<()> {
        self.depth -= 1;
        ControlFlow::Continue(())
    }

    fn pre_visit_select(&mut self, select: &Select) -> ControlFlow<()> {
        self.rank_windows(select);
        ControlFlow::Continue(())
    }
}

/// What stands at a side of a comparison.
pub enum Side<'e> {
    /// By a placeholder.
    Given(Span, &'e str),
    /// A text that stands in the query, and says a number.
    Text(Span, &'e str),
    Column(&'e str),
    Number,
    /// A text whatever it is worked out of, or what says itself what it is: `CAST` has the affinity of a column.
    Plain,
    WorkedOut,
}

pub fn bare(expr: &Expr) -> Side<'_> {
    match expr {
        Expr::Nested(inner) | Expr::Collate { expr: inner, .. } => bare(inner),
        Expr::Identifier(name) => Side::Column(&name.value),
        Expr::CompoundIdentifier(names) => names.last().map_or(Side::Plain, |name| Side::Column(&name.value)),
        Expr::Value(ValueWithSpan { value: Literal::Placeholder(mark), span }) => Side::Given(*span, mark),
        Expr::Value(ValueWithSpan { value: Literal::SingleQuotedString(text), span })
            if values::number(text).is_some() =>
        {
            Side::Text(*span, text)
        }
        Expr::Value(ValueWithSpan { value: Literal::Number(..), .. }) => Side::Number,
        Expr::UnaryOp { op: UnaryOperator::Minus | UnaryOperator::Plus, expr }
            if matches!(bare(expr), Side::Number) =>
        {
            Side::Number
        }
        Expr::Function(function) if is_text(&function.name.to_string()) => Side::Plain,
        Expr::Value(_)
        | Expr::Cast { .. }
        | Expr::Substring { .. }
        | Expr::Trim { .. }
        | Expr::BinaryOp { op: BinaryOperator::StringConcat, .. } => Side::Plain,
        _ => Side::WorkedOut,
    }
}

/// A placeholder by itself.
fn placeholder(expr: &Expr) -> Option<(Span, &str)> {
    match expr {
        Expr::Value(_) => match bare(expr) {
            Side::Given(place, mark) => Some((place, mark)),
            _ => None,
        },
        _ => None,
    }
}

/// Whether it may have the affinity of a column. Those functions give what they are given, with its affinity.
fn may_have_type(expr: &Expr) -> bool {
    match expr {
        Expr::Nested(inner) | Expr::Collate { expr: inner, .. } => may_have_type(inner),
        Expr::Function(function) => {
            let name = function.name.to_string().to_ascii_lowercase();
            matches!(name.as_str(), "likely" | "unlikely" | "likelihood")
        }
        Expr::Identifier(_) | Expr::CompoundIdentifier(_) | Expr::Subquery(_) => true,
        _ => false,
    }
}

fn is_text(function: &str) -> bool {
    TEXTS.iter().any(|text| function.eq_ignore_ascii_case(text))
}

/// The parameter, counted from 0, of `?1`.
pub fn place_of(mark: &str) -> Option<usize> {
    mark.strip_prefix('?')?.parse::<usize>().ok()?.checked_sub(1)
}

/// The value that could not be handed over, if one could not.
#[derive(Clone, Default)]
pub struct Blame(Arc<Mutex<Option<String>>>);

impl Blame {
    /// Makes the functions known to a connection. Each gives its first argument, as the number that it says: `BESIDE`
    /// where one of the others is a number, `ALIKE` where one of them is that number, `NUMBER` wherever it says one.
    pub fn teach(conn: &Connection) -> rusqlite::Result<Self> {
        let blame = Self::default();
        let noted = blame.clone();
        let flags = FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_DETERMINISTIC;
        conn.create_scalar_function(BESIDE, -1, flags, move |context: &Context<'_>| {
            match context.get::<Sql>(0)? {
                Sql::Text(text) if is_beside_number(context) => number_in(&text).ok_or_else(|| {
                    *noted.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(text);
                    rusqlite::Error::UserFunctionError("it is no number".into())
                }),
                given => Ok(given),
            }
        })?;
        conn.create_scalar_function(ALIKE, -1, flags, |context: &Context<'_>| {
            Ok(match context.get::<Sql>(0)? {
                Sql::Text(text) => {
                    let number = number_in(&text).filter(|number| is_among_others(context, number));
                    number.unwrap_or(Sql::Text(text))
                }
                given => given,
            })
        })?;
        conn.create_scalar_function(NUMBER, 1, flags, |context: &Context<'_>| {
            Ok(match context.get::<Sql>(0)? {
                Sql::Text(text) => number_in(&text).unwrap_or(Sql::Text(text)),
                given => given,
            })
        })?;
        Ok(blame)
    }

    /// Why, and whose fault it is: the message's where the value is one of those that came of it.
    pub fn take(&self, given: Given<'_>) -> Option<LookupError> {
        let text = self.0.lock().unwrap_or_else(PoisonError::into_inner).take()?;
        let places = given.params.iter().enumerate().filter(|(_, param)| param.as_str() == Some(&text));
        let is_unfit = places.map(|(place, _)| given.blame(place)).any(|cause| cause == Cause::Unfit);
        // A date is what it should be: the data holds numbers beside others.
        let is_date = values::date(&text, chrono::DateTime::UNIX_EPOCH).is_some();
        let cause = match is_unfit {
            true if is_date => Cause::Refused,
            true => Cause::Unfit,
            false => Cause::Rule,
        };
        Some(no_number(&text, cause))
    }
}

fn is_beside_number(context: &Context<'_>) -> bool {
    (1..context.len()).any(|i| matches!(context.get_raw(i), ValueRef::Integer(_) | ValueRef::Real(_)))
}

/// Whether one of the others is this number. Beside texts alone it stays a text: one of those may be the same.
fn is_among_others(context: &Context<'_>, number: &Sql) -> bool {
    let number = real(number.into());
    number.is_some() && (1..context.len()).any(|i| real(context.get_raw(i)) == number)
}

fn real(value: ValueRef<'_>) -> Option<f64> {
    match value {
        ValueRef::Integer(integer) => Some(integer as f64),
        ValueRef::Real(real) => Some(real),
        ValueRef::Null | ValueRef::Text(_) | ValueRef::Blob(_) => None,
    }
}

fn no_number(text: &str, cause: Cause) -> LookupError {
    let text: String = text.chars().take(80).collect();
    LookupError::new(cause, format!("'{text}' is no number, and is compared with one"))
}

/// The number that a text says, as SQL writes numbers.
fn number_in(text: &str) -> Option<Sql> {
    let text = text.trim();
    if let Ok(integer) = text.parse::<i64>() {
        return Some(Sql::Integer(integer));
    }
    let is_plain = text.bytes().all(|byte| byte.is_ascii_digit() || b"+-.eE".contains(&byte));
    if is_plain { text.parse().ok().map(Sql::Real) } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::datasources::server::lookup::sources::Affinity;

    /// A table, by the types that its columns were declared to have.
    fn table(name: &str, columns: &[(&str, &str)]) -> Table {
        let columns = columns.iter().map(|(name, kind)| (Arc::<str>::from(*name), Affinity::declared(kind)));
        Table { name: name.to_owned(), columns: columns.collect() }
    }

    #[test]
    fn a_query_stays_as_it_is_but_for_what_it_is_given() {
        for (sql, spelled) in [
            (
                "SELECT 1 FROM t WHERE a = ?1 AND b < ?2 AND c.d >= (?3) AND CAST(a AS REAL) < ?4 AND 1 < ?5",
                None,
            ),
            ("SELECT 1 FROM t WHERE a + 1 < b AND 'x' < ?1", None),
            ("SELECT 1 FROM t WHERE (a) = ?1 AND b COLLATE NOCASE <> ?2 AND c IN (?3, ?4)", None),
            // These give text, and what is compared is text.
            ("SELECT 1 FROM t WHERE lower(a) = ?1 AND a || b IN (?2) AND substr(c, 1, 2) < ?3", None),
            ("SELECT coalesce(a, '') AS a FROM t WHERE a = ?1", None),
            (
                "SELECT 1 FROM t WHERE a * 2 = ?1 OR ?2 <> (b+1) OR round(c) IN (?3, 7, ?4) OR ?5 IN (a, 7, b)",
                Some(
                    "SELECT 1 FROM t WHERE a * 2  IN (?1, flowengine_number(?1)) \
                     OR flowengine_alike(?2, (b + 1)) <> (b+1) OR round(c) IN (?3, flowengine_number(?3), 7, \
                     ?4, flowengine_number(?4)) OR flowengine_alike(?5, a, b) IN (a, 7, b)",
                ),
            ),
            (
                "SELECT 1 FROM t WHERE a*2==?1 AND a ->> '$.b' = /* = */ ?2 AND -a = (?3) \
                 AND round(a) IN ((?4))",
                Some(
                    "SELECT 1 FROM t WHERE a*2 IN(?1, flowengine_number(?1)) \
                     AND a ->> '$.b'  IN /* = */ (?2, flowengine_number(?2)) AND -a = (flowengine_alike(?3, -a)) \
                     AND round(a) IN ((flowengine_alike(?4, round(a))))",
                ),
            ),
            // These have the type of a column, which makes texts of numbers.
            (
                "SELECT 1 FROM t WHERE (SELECT b FROM u) = ?1 AND likely(b) IN (?2)",
                Some(
                    "SELECT 1 FROM t WHERE (SELECT b FROM u) = flowengine_alike(?1, (SELECT b FROM u)) \
                     AND likely(b) IN (flowengine_alike(?2, likely(b)))",
                ),
            ),
            (
                "SELECT 1 FROM t WHERE ?1 BETWEEN a + 1 AND b + 1 AND -a IS NOT DISTINCT FROM ?2",
                Some(
                    "SELECT 1 FROM t WHERE flowengine_beside(?1, a + 1, b + 1) BETWEEN a + 1 AND b + 1 \
                     AND -a IS NOT DISTINCT FROM flowengine_alike(?2, -a)",
                ),
            ),
            (
                "SELECT b, count(*) AS n FROM t GROUP BY b HAVING n = ?1",
                Some("SELECT b, count(*) AS n FROM t GROUP BY b HAVING n = flowengine_alike(?1, n)"),
            ),
            (
                "SELECT 1 FROM (SELECT sum(a) AS a FROM t) WHERE a > ?1",
                Some("SELECT 1 FROM (SELECT sum(a) AS a FROM t) WHERE a > flowengine_beside(?1, a)"),
            ),
            (
                "SELECT 1 FROM t WHERE a & 0x04 > 0 AND  coalesce(a,0)<=?1 -- as it is",
                Some(
                    "SELECT 1 FROM t WHERE a & 0x04 > 0 AND  coalesce(a,0)<=flowengine_beside(?1, coalesce(a, 0)) -- as it is",
                ),
            ),
            (
                "SELECT b LIKE '%''''%' FROM t GROUP BY b HAVING ?2 > sum(a) AND count(*) BETWEEN ?1 AND 7",
                Some(
                    "SELECT b LIKE '%''''%' FROM t GROUP BY b HAVING flowengine_beside(?2, sum(a)) > sum(a) \
                     AND count(*) BETWEEN flowengine_beside(?1, count(*)) AND 7",
                ),
            ),
        ] {
            assert_eq!(Comparisons::of(sql, &[]).spelled_out(sql).as_deref(), spelled, "{sql}");
        }
        let chain = format!("SELECT a FROM t WHERE a{}", " BETWEEN ?1 AND ?2".repeat(900));
        assert_eq!(Comparisons::of(&chain, &[]).spelled_out(&chain), None);
        let of_any = "SELECT * FROM data WHERE a = ?1 AND \"Mixed\" = ?2";
        assert_eq!(
            Comparisons::of(of_any, &[table("data", &[("a", "TEXT"), ("mixed", "")])])
                .spelled_out(of_any)
                .as_deref(),
            Some("SELECT * FROM data WHERE a = ?1 AND \"Mixed\"  IN (?2, flowengine_number(?2))")
        );
    }

    #[test]
    fn what_is_worked_out_is_known_under_any_name() {
        for (sql, spelled) in [
            (
                "WITH b(who, owed) AS (SELECT who, sum(a) FROM t GROUP BY who) \
                 SELECT 1 FROM b WHERE who = ?1 AND owed <= ?2",
                Some("who = ?1 AND owed <= flowengine_beside(?2, owed)"),
            ),
            (
                "WITH b(owed) AS (SELECT a FROM t UNION ALL SELECT a + 1 FROM t) SELECT 1 FROM b WHERE owed <= ?1",
                Some("owed <= flowengine_beside(?1, owed)"),
            ),
            (
                "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?1) SELECT 1 FROM n",
                Some("i < flowengine_beside(?1, i)) SELECT 1 FROM n"),
            ),
            (
                "WITH b AS (SELECT sum(a) AS owed FROM t) SELECT owed AS o FROM b WHERE o <= ?1",
                Some("o <= flowengine_beside(?1, o)"),
            ),
            (
                "WITH b AS (SELECT sum(a) AS owed FROM t), c(o) AS (SELECT owed FROM b) SELECT 1 FROM c WHERE o < ?1",
                Some("o < flowengine_beside(?1, o)"),
            ),
            (
                "SELECT 1 FROM (SELECT owed AS o FROM (SELECT sum(a) AS owed FROM t)) WHERE o <= ?1",
                Some("o <= flowengine_beside(?1, o)"),
            ),
            (
                "WITH b(who, owed) AS (SELECT * FROM t) SELECT 1 FROM b WHERE owed <= ?1 AND who < ?2 || ''",
                None,
            ),
            ("WITH b(who) AS (SELECT lower(a) FROM t) SELECT 1 FROM b WHERE who <= ?1", None),
            ("WITH b(who) AS (SELECT trim(a) FROM t) SELECT 1 FROM b WHERE who <= ?1", None),
            // A parameter stays one under a name, and a number needs no help.
            (
                "WITH p AS (SELECT ?1 AS n) SELECT 1 FROM p WHERE (SELECT count(*) FROM t) = p.n",
                Some("(SELECT count(*) FROM t) = flowengine_alike(p.n, (SELECT count(*) FROM t))"),
            ),
            ("WITH p AS (SELECT 3 AS n) SELECT 1 FROM p WHERE (SELECT count(*) FROM t) = p.n", None),
            ("WITH p AS (SELECT 1 + 2 AS n) SELECT 1 FROM p WHERE (SELECT count(*) FROM t) > n", None),
        ] {
            let found = Comparisons::of(sql, &[]).spelled_out(sql);
            match (found, spelled) {
                (Some(found), Some(end)) => assert!(found.ends_with(end), "{found}"),
                (found, spelled) => assert_eq!(found.as_deref(), spelled, "{sql}"),
            }
        }
    }

    #[test]
    fn a_column_without_a_type_is_found_by_its_index() {
        let tables = [table("t", &[("a", "")]), table("u", &[("n", "INTEGER")])];
        for (sql, spelled) in [
            ("SELECT 1 FROM t WHERE A = ?1", Some("SELECT 1 FROM t WHERE A  IN (?1, flowengine_number(?1))")),
            ("SELECT 1 FROM t WHERE a <= ?1", Some("SELECT 1 FROM t WHERE a <= flowengine_beside(?1, a)")),
            // It is a text there, whatever it is called.
            ("WITH x AS (SELECT CAST(a AS TEXT) AS a FROM t) SELECT 1 FROM x WHERE a = ?1", None),
            // What is trimmed is a text, beside which a number stays one.
            (
                "SELECT 1 FROM (SELECT trim(t) AS c FROM u UNION SELECT n FROM u) WHERE c = ?1",
                Some(
                    "SELECT 1 FROM (SELECT trim(t) AS c FROM u UNION SELECT n FROM u) WHERE c = flowengine_alike(?1, c)",
                ),
            ),
            // NULL is of any type.
            ("SELECT 1 FROM (SELECT n FROM u UNION ALL SELECT NULL FROM u) WHERE n = ?1", None),
        ] {
            assert_eq!(Comparisons::of(sql, &tables).spelled_out(sql).as_deref(), spelled, "{sql}");
        }
    }

    #[test]
    fn a_query_that_cannot_be_followed_is_refused_soon() {
        let of_two = |i: usize| format!(", c{} AS (SELECT x.*, y.* FROM c{i} x, c{i} y)", i + 1);
        let doubled: String = (0..60).map(of_two).collect();
        let inner = "SELECT 1 AS a, 2 AS b, 3 AS c".to_owned();
        let nested = (0..6).fold(inner, |inner, _| {
            format!(
                "WITH RECURSIVE r(a, b, c) AS (SELECT a, b, c FROM ({inner}) UNION SELECT b, c, a FROM r) SELECT * FROM r"
            )
        });
        let listed = (0..2_000).map(|number| format!("({number})")).collect::<Vec<_>>().join(", ");
        let listed = format!("WITH v(n) AS (VALUES {listed}) SELECT 1 FROM t, v WHERE a > n");
        let ones = format!(
            "WITH p AS (SELECT {}) SELECT 1 FROM {} WHERE a > 5",
            ["1"; 4_900].join(","),
            ["p"; 4_900].join(",")
        );
        let ahead = "WITH x AS (SELECT b FROM y), y AS (SELECT a AS b FROM t) SELECT 1 FROM x WHERE b > 5";
        for (sql, is_followed) in [
            (format!("WITH c0 AS (SELECT * FROM t){doubled} SELECT 1 FROM c60 WHERE a > 5"), false),
            (format!("SELECT 1 FROM ({nested}) WHERE a > 5"), true),
            (listed, true),
            (ones.clone(), false),
            (ones.replace("a > 5", "sum(a) > 5"), true),
            (ahead.to_owned(), false),
            (ahead.replace("b > 5", "CAST(b AS REAL) > 5"), true),
            (ahead.replace("b > 5", "b = 5"), true),
        ] {
            let started = std::time::Instant::now();
            let given = Given { params: &[], from_message: &[] };
            let checked = Comparisons::of(&sql, &[table("t", &[("a", "TEXT")])]).check(given);
            let expected = if is_followed { Ok(()) } else { Err(Cause::Rule) };
            assert_eq!(checked.map_err(|error| error.cause), expected, "{sql}");
            assert!(started.elapsed() < std::time::Duration::from_secs(20), "{sql}");
        }
    }

    /// A thread that runs out of stack ends the server, and all tenants' work.
    #[test]
    fn a_query_as_long_as_it_may_be_keeps_within_a_threads_stack() {
        let many =
            |text: &str, between: &str| vec![text; 19_900 / (text.len() + between.len())].join(between);
        for sql in [
            format!("SELECT 1 FROM t WHERE (SELECT {}) > 5", many("1", " UNION SELECT ")),
            format!("SELECT 1 FROM t WHERE a IN (SELECT {})", many("a", " UNION ALL SELECT ")),
            format!("SELECT {}", many("a FROM t", " EXCEPT SELECT ")),
            format!("SELECT 1 FROM t WHERE a > {}", many("1", "+")),
            format!("SELECT 1 FROM t WHERE {} > 5", many("a", "||")),
            format!("SELECT 1 FROM t WHERE {}", many("a>1", " AND ")),
            format!("SELECT 1 FROM t WHERE {}", many("a=?1", " OR ")),
            format!("SELECT 1 FROM t WHERE {} a > 5", many("NOT", " ")),
            format!("SELECT 1 FROM t WHERE {}a > 5", many("- ", "")),
            format!("SELECT 1 FROM t WHERE a > {}", many("1", " COLLATE x ")),
            format!("SELECT 1 FROM t WHERE a {}", many("IS NULL", " ")),
            format!("SELECT 1 FROM {}", many("t", " JOIN ")),
            format!("SELECT 1 FROM {}", many("t", ",")),
            format!("SELECT 1 FROM t WHERE {}a > 5{}", "(".repeat(9_900), ")".repeat(9_900)),
            format!("SELECT 1 FROM t WHERE a > CASE {} END", many("WHEN a > 1 THEN a", " ")),
        ] {
            if sql_check::check(&sql, sql_check::SqlDialect::Sqlite).is_ok() {
                let comparisons = Comparisons::of(&sql, &[table("t", &[("a", "TEXT")])]);
                let _ = comparisons.check(Given { params: &[], from_message: &[] });
                let _ = comparisons.spelled_out(&sql);
            }
        }
    }

    #[test]
    fn what_asks_for_columns_alone_is_not_read_again() {
        for (sql, is_worth) in [
            ("SELECT * FROM data WHERE a = ?1", false),
            ("SELECT DISTINCT * FROM data WHERE a = ?1", false),
            ("SELECT t.*, u.* FROM t JOIN u ON t.id = u.id WHERE t.a = ?1", false),
            ("SELECT a, * FROM t WHERE a = ?1", false),
            ("SELECT small FROM t WHERE small * 2 = ?1", true),
            ("SELECT a FROM t WHERE ABS(a) = ?1", true),
            ("SELECT a FROM t WHERE CASE a WHEN 1 THEN 2 END = ?1", true),
            ("SELECT a FROM t WHERE a BETWEEN ?1 AND ?2", true),
            ("SELECT * FROM t WHERE a = ?1 ORDER BY b LIMIT 1", true),
        ] {
            assert_eq!(is_worth_reading(sql), is_worth, "{sql}");
        }
    }

    #[test]
    fn what_is_compared_with_columns_is_known() {
        let found = Comparisons::of(
            "SELECT 1 FROM t WHERE t.a >= ?2 AND -5 < \"b\" AND c BETWEEN 1 AND ?1 AND d = 3 AND e = ?3",
            &[],
        );
        let number = |number: &str| Bound::Number(number.into());
        let bounds =
            [("t.a", Bound::Given(1)), ("\"b\"", number("-5")), ("c", number("1")), ("c", Bound::Given(0))];
        let found: Vec<_> = found.ordered.iter().map(|it| (&*it.what, it.bound.clone())).collect();
        assert_eq!(found, bounds);
        for (value, is_fit) in
            [("5", true), ("2026-11-10", true), ("1234.5 EUR", false), ("$ 5", false), ("abc", true)]
        {
            let params = [Value::from(value)];
            for (from_message, cause) in [([true], Cause::Unfit), ([false], Cause::Rule)] {
                let given = Given { params: &params, from_message: &from_message };
                let checked = Comparisons::of("SELECT 1 FROM t WHERE a >= ?1", &[]).check(given);
                assert_eq!(checked.map_err(|error| error.cause), if is_fit { Ok(()) } else { Err(cause) });
            }
        }
    }

    #[test]
    fn a_value_is_a_number_beside_one() {
        let conn = Connection::open_in_memory().expect("opens");
        let blame = Blame::teach(&conn).expect("taught");
        let beside = |given: &str, sql: &str| {
            let sql = format!("SELECT typeof({BESIDE}(?, {sql}))");
            let kind: rusqlite::Result<String> = conn.query_row(&sql, [given], |row| row.get(0));
            let params = [Value::from(given)];
            let given = Given { params: &params, from_message: &[true] };
            kind.map_err(|_| blame.take(given).expect("says why").cause)
        };
        for (given, sql, kind) in [
            ("9223372036854775807", "1 + 1", Ok("integer")),
            ("1.5", "1 + 1", Ok("real")),
            ("05", "'06'", Ok("text")),
            ("2026-11-10", "date('now')", Ok("text")),
            ("x", "NULL", Ok("text")),
            ("1234.5 EUR", "1.0", Err(Cause::Unfit)),
            ("inf", "1.0", Err(Cause::Unfit)),
        ] {
            assert_eq!(beside(given, sql).as_deref(), kind.as_ref().copied(), "{given} {sql}");
        }
    }

    #[test]
    fn whether_both_are_the_same_is_asked_of_numbers_where_one_is() {
        let conn = Connection::open_in_memory().expect("opens");
        conn.execute_batch(
            "CREATE TABLE t (id INTEGER, total REAL, code TEXT); INSERT INTO t VALUES (7, 100.5, '007')",
        )
        .expect("made");
        Blame::teach(&conn).expect("taught");
        for (condition, given, count) in [
            ("total = ?1", "100.5", 1),
            ("round(total, 2) = ?1", "100.5", 1),
            ("round(total, 2) = ?1", "100.50", 1),
            ("round(total, 2) <> ?1", "100.5", 0),
            ("round(total, 2) <> ?1", "100.6", 1),
            ("round(total, 2) IN (1, ?1)", "100.5", 1),
            ("round(total, 2) NOT IN (1, ?1)", "100.5", 0),
            ("coalesce(id, 0) = ?1", "7", 1),
            ("coalesce(id, 0) = ?1", "x", 0),
            ("coalesce(id, 0) <> ?1", "x", 1),
            ("coalesce(id, 0) = ?1", "1_042", 0),
            ("coalesce(code, '') = ?1", "007", 1),
            ("coalesce(code, '') = ?1", "7", 0),
            ("?1 IN (id, total)", "100.5", 1),
            ("?1 IN (code, id)", "007", 1),
            ("?1 IN (code, id + 1)", "007", 1),
            ("?1 IN (id + 1, code, 'x')", "007", 1),
            ("?1 IN (code, 'x', id + 1)", "x", 1),
            ("?1 IN (code, '8', total)", "8", 1),
            ("?1 NOT IN (code, id)", "007", 0),
            ("?1 NOT IN (code, total)", "7", 1),
            ("?1 NOT IN (code, total, NULL)", "7", 0),
            ("?1 IN (code, NULL, id)", "007", 1),
            ("(SELECT code FROM t) = ?1", "007", 1),
            ("(SELECT code FROM t) = ?1", "07", 0),
            ("NOT coalesce(id, 0) = ?1", "7", 0),
            ("coalesce(NULL, NULL) = ?1 IS NULL", "7", 1),
            ("coalesce(code, '') IN ('x', ?1)", "007", 1),
            ("coalesce(code, '') IN ('x', ?1)", "7", 0),
            ("?1 BETWEEN id - 1 AND id + 1", "8", 1),
            ("?1 BETWEEN id - 1 AND id + 1", "80", 0),
            ("id + 0 IS NOT DISTINCT FROM ?1", "7", 1),
            ("EXISTS (SELECT count(*) AS n FROM t GROUP BY code HAVING n = ?1)", "1", 1),
            ("(SELECT count(*) FROM t) = ?1", "1", 1),
        ] {
            let sql = format!("SELECT count(*) FROM t WHERE {condition}");
            let spelled = Comparisons::of(&sql, &[]).spelled_out(&sql).unwrap_or(sql);
            let found: i64 = conn.query_row(&spelled, [given], |row| row.get(0)).expect("answers");
            assert_eq!(found, count, "{condition} {given}: {spelled}");
        }
    }

    #[test]
    fn what_is_worked_out_is_found_by_its_index() {
        let conn = Connection::open_in_memory().expect("opens");
        conn.execute_batch(
            "CREATE TABLE t (d TEXT, n INTEGER); \
             INSERT INTO t VALUES ('{\"a\": 7}', 3), ('{\"a\": \"007\"}', 4); \
             CREATE INDEX by_a ON t (json_extract(d, '$.a')); CREATE INDEX by_arrow ON t (d ->> '$.a'); \
             CREATE INDEX by_default ON t (coalesce(d, '')); CREATE INDEX by_double ON t (n * 2)",
        )
        .expect("made");
        Blame::teach(&conn).expect("taught");
        for (condition, given, index, count) in [
            ("json_extract(d, '$.a') = ?1", "7", "by_a", 1),
            ("json_extract(d, '$.a') = ?1", "007", "by_a", 2),
            ("d ->> '$.a' = ?1", "7", "by_arrow", 1),
            ("coalesce(d, '') = ?1", "x", "by_default", 0),
            ("n * 2 IN (?1, 9)", "6.0", "by_double", 1),
        ] {
            let sql = format!("SELECT count(*) FROM t WHERE {condition}");
            let spelled = Comparisons::of(&sql, &[]).spelled_out(&sql).expect("is spelled out");
            let plan = format!("EXPLAIN QUERY PLAN {spelled}");
            let plan: String = conn.query_row(&plan, [given], |row| row.get(3)).expect("a plan");
            assert!(plan.starts_with("SEARCH") && plan.contains(index), "{spelled}: {plan}");
            let found: i64 = conn.query_row(&spelled, [given], |row| row.get(0)).expect("answers");
            assert_eq!(found, count, "{condition} {given}: {spelled}");
        }
    }
}
