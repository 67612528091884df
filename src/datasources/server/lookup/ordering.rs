//! Comparisons by order in SQLite, to which any number is less than any text.
//!
//! What a message says is text. SQLite makes a number of it beside a column that was declared to hold numbers, and nowhere
//! else: of `sum(x) <= ?` it finds every sum to be less than `'100'`. So beside what is worked out, a value that says a number
//! is handed over as one where a number stands beside it (`flowengine_beside`), and is the message's fault where it says
//! none. Beside a column nothing is changed: SQLite does what is right there, by the column's index.
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
    ast::{BinaryOperator, Expr, UnaryOperator, Value as Literal, ValueWithSpan, Visit, Visitor},
    dialect::SQLiteDialect,
    parser::Parser,
    tokenizer::Span,
};

use super::{Cause, LookupError, sql_check};
use crate::rules::server::values;

/// The function's name in SQL.
const BESIDE: &str = "flowengine_beside";
/// A query compares no more often than this what it is given with what it works out; one that does is left as it is.
const MAX_BESIDE: usize = 20;

/// What a checked query compares by order.
#[derive(Debug, Default)]
pub struct Comparisons {
    /// Placeholders beside what is worked out, and that as SQL.
    worked_out: Vec<(Span, String, String)>,
    /// The parameters, counted from 0, that are compared with columns.
    given: Vec<usize>,
    /// The columns that are compared with numbers that stand in the query.
    pub numbered: Vec<String>,
}

impl Comparisons {
    pub fn of(sql: &str) -> Self {
        let mut found = Self::default();
        // Most look-ups ask what is equal: they are not read again for this.
        if !sql.contains(['<', '>']) && !sql.to_ascii_lowercase().contains("between") {
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
            .map(|(span, mark, beside)| (sql_check::range(sql, *span), format!("{BESIDE}({mark}, {beside})")))
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

    fn compared(&mut self, one: &Expr, other: &Expr) {
        for (side, beside) in [(one, other), (other, one)] {
            match (bare(side), bare(beside)) {
                (Side::Given(_, mark), Side::Column(_)) => self.given.extend(place_of(mark)),
                // One more than that is enough to know that there are too many.
                (Side::Given(span, mark), Side::WorkedOut) if self.worked_out.len() <= MAX_BESIDE => {
                    self.worked_out.push((span, mark.to_owned(), beside.to_string()));
                }
                (Side::Number, Side::Column(name)) => self.numbered.push(name.to_owned()),
                _ => {}
            }
        }
    }
}

impl Visitor for Comparisons {
    type Break = ();

    fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<()> {
        use BinaryOperator::{Gt, GtEq, Lt, LtEq};
        match expr {
            Expr::BinaryOp { left, op: Lt | LtEq | Gt | GtEq, right } => self.compared(left, right),
            Expr::Between { expr, low, high, .. } => {
                self.compared(expr, low);
                self.compared(expr, high);
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
    /// A text, or what says itself what it is: `CAST` has the affinity of a column.
    Plain,
    WorkedOut,
}

fn bare(expr: &Expr) -> Side<'_> {
    match expr {
        Expr::Nested(inner) => bare(inner),
        Expr::Identifier(name) => Side::Column(&name.value),
        Expr::CompoundIdentifier(names) => names.last().map_or(Side::Plain, |name| Side::Column(&name.value)),
        Expr::Value(ValueWithSpan { value: Literal::Placeholder(mark), span }) => Side::Given(*span, mark),
        Expr::Value(ValueWithSpan { value: Literal::Number(..), .. }) => Side::Number,
        Expr::UnaryOp { op: UnaryOperator::Minus | UnaryOperator::Plus, expr }
            if matches!(bare(expr), Side::Number) =>
        {
            Side::Number
        }
        Expr::Value(_) | Expr::Cast { .. } => Side::Plain,
        _ => Side::WorkedOut,
    }
}

/// The parameter, counted from 0, of `?1`.
fn place_of(mark: &str) -> Option<usize> {
    mark.strip_prefix('?')?.parse::<usize>().ok()?.checked_sub(1)
}

/// Why a value could not be handed over, if one could not.
#[derive(Clone, Default)]
pub struct Blame(Arc<Mutex<Option<LookupError>>>);

impl Blame {
    /// Makes the function known to a connection: the value of its first argument, as a number where the second is one.
    pub fn teach(conn: &Connection) -> rusqlite::Result<Self> {
        let blame = Self::default();
        let noted = blame.clone();
        let flags = FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_DETERMINISTIC;
        conn.create_scalar_function(BESIDE, 2, flags, move |context: &Context<'_>| {
            let given: Sql = context.get(0)?;
            let is_number = matches!(context.get_raw(1), ValueRef::Integer(_) | ValueRef::Real(_));
            match given {
                Sql::Text(text) if is_number => number_in(&text).ok_or_else(|| {
                    let error = no_number(&text);
                    let words = error.to_string();
                    *noted.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
                    rusqlite::Error::UserFunctionError(words.into())
                }),
                given => Ok(given),
            }
        })?;
        Ok(blame)
    }

    pub fn take(&self) -> Option<LookupError> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
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
            assert_eq!(Comparisons::of(sql).spelled_out(sql).as_deref(), spelled, "{sql}");
        }
        let chain = format!("SELECT a FROM t WHERE a{}", " BETWEEN ?1 AND ?2".repeat(900));
        assert_eq!(Comparisons::of(&chain).spelled_out(&chain), None);
    }

    #[test]
    fn what_is_compared_with_columns_is_known() {
        let found = Comparisons::of(
            "SELECT 1 FROM t WHERE t.a >= ?2 AND -5 < \"b\" AND c BETWEEN 1 AND ?1 AND d = 3",
        );
        assert_eq!((found.given, found.numbered), (vec![1, 0], vec!["b".to_owned(), "c".to_owned()]));
        for (value, is_fit) in
            [("5", true), ("2026-11-10", true), ("1234.5 EUR", false), ("$ 5", false), ("abc", true)]
        {
            let checked = Comparisons::of("SELECT 1 FROM t WHERE a >= ?1").check(&[value.into()]);
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
}
