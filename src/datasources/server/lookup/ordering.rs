//! Comparisons in SQLite, to which any number is less than any text, and none is equal to one.
//!
//! What a message says is text. SQLite makes a number of it beside a column that was declared to hold numbers, and
//! nowhere else: of `sum(x) <= ?` it finds every sum to be less than `'100'`, and of `count(*) = ?` no count to be
//! `'3'`. So beside what is worked out, a value that says a number is handed over as one where a number stands beside
//! it. Where it says none, it is the message's fault if it is compared by order (`flowengine_beside`), and stays as it
//! is if it is asked whether both are the same (`flowengine_alike`): they are not. Beside a column nothing is changed:
//! SQLite does what is right there, by the column's index.
//!
//! The query stays as it is written but for its placeholders: what a parser prints is not always what it has read.

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
        BinaryOperator, Expr, Select, SelectItem, UnaryOperator, Value as Literal, ValueWithSpan, Visit,
        Visitor, visit_expressions,
    },
    dialect::SQLiteDialect,
    parser::Parser,
    tokenizer::Span,
};

use super::{Cause, LookupError, file::LOWER, sql_check};
use crate::rules::server::values;

/// The functions' names in SQL.
const BESIDE: &str = "flowengine_beside";
const ALIKE: &str = "flowengine_alike";
/// A query compares no more often than this what it is given with what it works out: each parameter once, of as many as
/// there can be. One that does is left as it is.
const MAX_BESIDE: usize = 100;
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

/// What a checked query compares.
#[derive(Debug, Default)]
pub struct Comparisons {
    worked_out: Vec<Beside>,
    /// The parameters, counted from 0, that are compared by order with columns.
    given: Vec<usize>,
    /// The columns that are compared by order with numbers that stand in the query.
    pub numbered: Vec<String>,
    /// The names of what is worked out, and of columns that were not declared to hold anything.
    untyped: Vec<String>,
}

/// A placeholder beside what is worked out.
#[derive(Debug)]
struct Beside {
    place: Span,
    mark: String,
    function: &'static str,
    /// What stands beside it, as SQL.
    others: String,
}

impl Comparisons {
    /// `untyped` are the columns that were not declared to hold anything.
    pub fn of(sql: &str, untyped: &[&str]) -> Self {
        let mut found =
            Self { untyped: untyped.iter().map(|&name| name.to_owned()).collect(), ..Self::default() };
        if untyped.is_empty() && !is_worth_reading(sql) {
            return found;
        }
        let statements = Parser::parse_sql(&SQLiteDialect {}, sql).unwrap_or_default();
        for statement in &statements {
            let _: ControlFlow<()> = statement.visit(&mut found);
        }
        found
    }

    /// The query with calls of the function at its placeholders; none where there is nothing to call it for.
    pub fn spelled_out(&self, sql: &str) -> Option<String> {
        if self.worked_out.is_empty() || self.worked_out.len() > MAX_BESIDE {
            return None;
        }
        let mut places: Vec<((usize, usize), String)> = self
            .worked_out
            .iter()
            .map(|Beside { place, mark, function, others }| {
                (sql_check::range(sql, *place), format!("{function}({mark}, {others})"))
            })
            .collect();
        places.sort_by_key(|((start, _), _)| Reverse(*start));
        let mut spelled = sql.to_owned();
        for ((start, end), call) in places {
            if spelled.get(start..end).is_some() {
                spelled.replace_range(start..end, &call);
            }
        }
        Some(spelled)
    }

    /// Sums of money as they are written say no number, and a column of numbers would be less than any of them.
    ///
    /// # Errors
    /// The message's.
    pub fn check(&self, params: &[Value]) -> Result<(), LookupError> {
        let texts = self.given.iter().filter_map(|place| params.get(*place)?.as_str());
        for text in texts.filter(|text| number_in(text).is_none()) {
            if values::money(text).is_some_and(|money| money.currency.is_some()) {
                return Err(no_number(text));
            }
        }
        Ok(())
    }

    fn ordered(&mut self, one: &Expr, other: &Expr) {
        for (side, beside) in [(one, other), (other, one)] {
            match (bare(side), bare(beside)) {
                (Side::Given(place, mark), _) if self.is_worked_out(beside) => {
                    self.put(place, mark, BESIDE, beside);
                }
                (Side::Given(_, mark), Side::Column(_)) => self.given.extend(place_of(mark)),
                (Side::Number, Side::Column(name)) => self.numbered.push(name.to_owned()),
                _ => {}
            }
        }
    }

    fn alike(&mut self, one: &Expr, other: &Expr) {
        for (side, beside) in [(one, other), (other, one)] {
            match bare(side) {
                Side::Given(place, mark) if self.is_worked_out(beside) => {
                    self.put(place, mark, ALIKE, beside);
                }
                _ => {}
            }
        }
    }

    fn listed(&mut self, one: &Expr, list: &[Expr]) {
        if let Side::Given(place, mark) = bare(one) {
            // In a list, a column makes a number of nothing (sqlite.org/datatype3.html, section 4.2).
            for other in list.iter().filter(|item| matches!(bare(item), Side::Column(_) | Side::WorkedOut)) {
                self.put(place, mark, ALIKE, other);
            }
        } else if self.is_worked_out(one) {
            for item in list {
                if let Side::Given(place, mark) = bare(item) {
                    self.put(place, mark, ALIKE, one);
                }
            }
        }
    }

    fn put(&mut self, place: Span, mark: &str, function: &'static str, other: &Expr) {
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
                function,
                others: other.to_string(),
            }),
        }
    }

    fn is_worked_out(&self, expr: &Expr) -> bool {
        match bare(expr) {
            Side::WorkedOut => true,
            Side::Column(name) => self.untyped.iter().any(|untyped| untyped.eq_ignore_ascii_case(name)),
            Side::Given(..) | Side::Number | Side::Plain => false,
        }
    }

    /// Adds the names that a query gives to what it works out.
    fn add_names(&mut self, select: &Select, is_meant: impl Fn(&Expr, &str) -> bool) {
        for item in &select.projection {
            if let SelectItem::ExprWithAlias { expr, alias } = item
                && matches!(bare(expr), Side::WorkedOut)
                && is_meant(expr, &alias.value)
            {
                self.untyped.push(alias.value.clone());
            }
        }
    }
}

/// Whether it compares by order, or works anything out. Most look-ups only ask which column equals what, and are not
/// read again for this.
fn is_worth_reading(sql: &str) -> bool {
    let lower = sql.to_ascii_lowercase();
    let is_all = |before: &str| {
        let before = before.trim_end();
        let word = before.rsplit(|c: char| !(c.is_alphanumeric() || c == '_')).next();
        before.ends_with(['.', ',']) || matches!(word, Some("select" | "distinct" | "all"))
    };
    lower.contains(['<', '>', '(', '+', '-', '/', '%', '|', '&', '~'])
        || ["between", "case"].iter().any(|word| lower.contains(word))
        || lower.match_indices('*').any(|(at, _)| !is_all(&lower[..at]))
}

/// Whether a column of this name is in it.
fn names(expr: &Expr, name: &str) -> bool {
    let found = visit_expressions(expr, |part| match bare(part) {
        Side::Column(column) if column.eq_ignore_ascii_case(name) => ControlFlow::Break(()),
        _ => ControlFlow::Continue(()),
    });
    found.is_break()
}

impl Visitor for Comparisons {
    type Break = ();

    /// A name that a query gives hides no column of its own tables, and there is such a column where it is worked out
    /// of one that is called the same: `coalesce(a, 0) AS a`. To what stands around it, it is what was worked out.
    fn pre_visit_select(&mut self, select: &Select) -> ControlFlow<()> {
        self.add_names(select, |expr, name| !names(expr, name));
        ControlFlow::Continue(())
    }

    fn post_visit_select(&mut self, select: &Select) -> ControlFlow<()> {
        self.add_names(select, names);
        ControlFlow::Continue(())
    }

    fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<()> {
        use BinaryOperator::{Eq, Gt, GtEq, Lt, LtEq, NotEq};
        match expr {
            Expr::BinaryOp { left, op: Lt | LtEq | Gt | GtEq, right } => self.ordered(left, right),
            Expr::BinaryOp { left, op: Eq | NotEq, right } => self.alike(left, right),
            Expr::IsDistinctFrom(left, right) | Expr::IsNotDistinctFrom(left, right) => {
                self.alike(left, right);
            }
            Expr::InList { expr, list, .. } => self.listed(expr, list),
            Expr::Between { expr, low, high, .. } => {
                self.ordered(expr, low);
                self.ordered(expr, high);
            }
            _ => {}
        }
        ControlFlow::Continue(())
    }
}

enum Side<'e> {
    /// By a placeholder.
    Given(Span, &'e str),
    Column(&'e str),
    Number,
    /// A text whatever it is worked out of, or what says itself what it is: `CAST` has the affinity of a column.
    Plain,
    WorkedOut,
}

fn bare(expr: &Expr) -> Side<'_> {
    match expr {
        Expr::Nested(inner) | Expr::Collate { expr: inner, .. } => bare(inner),
        Expr::Identifier(name) => Side::Column(&name.value),
        Expr::CompoundIdentifier(names) => names.last().map_or(Side::Plain, |name| Side::Column(&name.value)),
        Expr::Value(ValueWithSpan { value: Literal::Placeholder(mark), span }) => Side::Given(*span, mark),
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

fn is_text(function: &str) -> bool {
    TEXTS.iter().any(|text| function.eq_ignore_ascii_case(text))
}

/// The parameter, counted from 0, of `?1`.
fn place_of(mark: &str) -> Option<usize> {
    mark.strip_prefix('?')?.parse::<usize>().ok()?.checked_sub(1)
}

/// Why a value could not be handed over, if one could not.
#[derive(Clone, Default)]
pub struct Blame(Arc<Mutex<Option<LookupError>>>);

impl Blame {
    /// Makes the functions known to a connection: the value of the first argument, as a number where one of the others
    /// is one.
    pub fn teach(conn: &Connection) -> rusqlite::Result<Self> {
        let blame = Self::default();
        let noted = blame.clone();
        let flags = FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_DETERMINISTIC;
        conn.create_scalar_function(BESIDE, -1, flags, move |context: &Context<'_>| {
            match context.get::<Sql>(0)? {
                Sql::Text(text) if is_beside_number(context) => number_in(&text).ok_or_else(|| {
                    let error = no_number(&text);
                    let words = error.to_string();
                    *noted.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
                    rusqlite::Error::UserFunctionError(words.into())
                }),
                given => Ok(given),
            }
        })?;
        conn.create_scalar_function(ALIKE, -1, flags, |context: &Context<'_>| {
            Ok(match context.get::<Sql>(0)? {
                Sql::Text(text) if is_beside_number(context) => number_in(&text).unwrap_or(Sql::Text(text)),
                given => given,
            })
        })?;
        Ok(blame)
    }

    pub fn take(&self) -> Option<LookupError> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

fn is_beside_number(context: &Context<'_>) -> bool {
    (1..context.len()).any(|i| matches!(context.get_raw(i), ValueRef::Integer(_) | ValueRef::Real(_)))
}

fn no_number(text: &str) -> LookupError {
    let text: String = text.chars().take(80).collect();
    LookupError::new(Cause::Unfit, format!("'{text}' is no number, and is compared with one"))
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
                    "SELECT 1 FROM t WHERE a * 2 = flowengine_alike(?1, a * 2) \
                     OR flowengine_alike(?2, (b + 1)) <> (b+1) OR round(c) IN (flowengine_alike(?3, round(c)), 7, \
                     flowengine_alike(?4, round(c))) OR flowengine_alike(?5, a, b) IN (a, 7, b)",
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
            Comparisons::of(of_any, &["mixed"]).spelled_out(of_any).as_deref(),
            Some("SELECT * FROM data WHERE a = ?1 AND \"Mixed\" = flowengine_alike(?2, \"Mixed\")")
        );
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
        assert_eq!((found.given, found.numbered), (vec![1, 0], vec!["b".to_owned(), "c".to_owned()]));
        for (value, is_fit) in
            [("5", true), ("2026-11-10", true), ("1234.5 EUR", false), ("$ 5", false), ("abc", true)]
        {
            let checked = Comparisons::of("SELECT 1 FROM t WHERE a >= ?1", &[]).check(&[value.into()]);
            assert_eq!(checked.is_ok(), is_fit, "{value}");
        }
    }

    #[test]
    fn a_value_is_a_number_beside_one() {
        let conn = Connection::open_in_memory().expect("opens");
        let blame = Blame::teach(&conn).expect("taught");
        let beside = |given: &str, sql: &str| {
            let sql = format!("SELECT typeof({BESIDE}(?, {sql}))");
            let kind: rusqlite::Result<String> = conn.query_row(&sql, [given], |row| row.get(0));
            kind.map_err(|_| blame.take().expect("says why").cause)
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
}
