//! Comparisons by order in SQLite, to which any number is less than any text.
//!
//! What a message says is text. SQLite makes a number of it only beside a column that was declared to hold numbers: of
//! `sum(x) <= ?` it finds each to be less than `'100'`, and of `stock >= 5` it finds `'10'` to be less, where one cell of a
//! file says `n/a` and the column so holds texts. Neither is an answer. So a value that a query is given, or a number that
//! stands in it, is compared by `compared`, which takes numbers for numbers, and says where there is none.

use std::{
    cmp::Ordering,
    ops::ControlFlow,
    sync::{Arc, Mutex, PoisonError},
};

use rusqlite::{
    Connection,
    functions::{Context, FunctionFlags},
    types::ValueRef,
};
use sqlparser::{
    ast::{BinaryOperator, Expr, Statement, UnaryOperator, Value, ValueWithSpan, VisitMut, VisitorMut},
    dialect::SQLiteDialect,
    parser::Parser,
};

use super::{Cause, LookupError};

/// The function's name in SQL.
const COMPARED: &str = "flowengine_compared";

/// Puts calls of `compared` in the place of comparisons. `None` where there are none.
pub fn spelled_out(sql: &str) -> Option<String> {
    let mut statements = Parser::parse_sql(&SQLiteDialect {}, sql).ok()?;
    let statement = statements.first_mut()?;
    let mut comparisons = Comparisons { found: false };
    let _: ControlFlow<()> = VisitMut::visit(statement, &mut comparisons);
    comparisons.found.then(|| Statement::to_string(statement))
}

struct Comparisons {
    found: bool,
}

impl VisitorMut for Comparisons {
    type Break = ();

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        use BinaryOperator::{Gt, GtEq, Lt, LtEq};
        let compared = match expr {
            Expr::BinaryOp { left, op: op @ (Lt | LtEq | Gt | GtEq), right } => call(left, op, right),
            Expr::Between { expr, negated, low, high } => {
                match (call(expr, &GtEq, low), call(expr, &LtEq, high)) {
                    (None, None) => None,
                    (from, to) => {
                        let from = from.unwrap_or_else(|| format!("{expr} >= {low}"));
                        let to = to.unwrap_or_else(|| format!("{expr} <= {high}"));
                        Some(format!("{}({from} AND {to})", if *negated { "NOT " } else { "" }))
                    }
                }
            }
            _ => None,
        };
        let parsed = compared.and_then(|text| {
            Parser::new(&SQLiteDialect {}).try_with_sql(&format!("({text})")).ok()?.parse_expr().ok()
        });
        if let Some(parsed) = parsed {
            *expr = parsed;
            self.found = true;
        }
        ControlFlow::Continue(())
    }
}

/// A comparison as a call; none where nothing is given to it, or all is.
fn call(left: &Expr, op: &BinaryOperator, right: &Expr) -> Option<String> {
    let (one, other) = (Side::of(left), Side::of(right));
    let is_plain = matches!((one, other), (Side::Stored, Side::Stored) | (Side::Number, Side::Number));
    (!is_plain).then(|| format!("{COMPARED}({left}, {right}, '{}{}') {op} 0", one.mark(), other.mark()))
}

/// Where what is compared comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Side {
    /// The message, by a placeholder.
    Message,
    /// A number in the query.
    Number,
    Stored,
}

impl Side {
    fn of(expr: &Expr) -> Self {
        match expr {
            Expr::Nested(inner) => Self::of(inner),
            Expr::UnaryOp { op: UnaryOperator::Minus | UnaryOperator::Plus, expr } => Self::of(expr),
            Expr::Value(ValueWithSpan { value: Value::Placeholder(_), .. }) => Self::Message,
            Expr::Value(ValueWithSpan { value: Value::Number(..), .. }) => Self::Number,
            _ => Self::Stored,
        }
    }

    fn mark(self) -> char {
        match self {
            Self::Message => 'm',
            Self::Number => 'n',
            Self::Stored => 's',
        }
    }

    fn marked(mark: Option<char>) -> Self {
        match mark {
            Some('m') => Self::Message,
            Some('n') => Self::Number,
            _ => Self::Stored,
        }
    }
}

/// Why a comparison came to nothing, if one did.
#[derive(Clone, Default)]
pub struct Blame(Arc<Mutex<Option<LookupError>>>);

impl Blame {
    /// Makes `compared` known to a connection.
    pub fn teach(conn: &Connection) -> rusqlite::Result<Self> {
        let blame = Self::default();
        let noted = blame.clone();
        let flags = FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_DETERMINISTIC;
        conn.create_scalar_function(COMPARED, 3, flags, move |context: &Context<'_>| {
            let marks: String = context.get(2)?;
            let mut marks = marks.chars();
            let (left, right) = (Side::marked(marks.next()), Side::marked(marks.next()));
            match order((context.get_raw(0), left), (context.get_raw(1), right)) {
                Ok(order) => Ok(order.map(|order| order as i64)),
                Err(error) => {
                    let words = error.to_string();
                    *noted.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
                    Err(rusqlite::Error::UserFunctionError(words.into()))
                }
            }
        })?;
        Ok(blame)
    }

    pub fn take(&self) -> Option<LookupError> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// How two values stand to one another; `None` where one is absent.
fn order(left: (ValueRef<'_>, Side), right: (ValueRef<'_>, Side)) -> Result<Option<Ordering>, LookupError> {
    let (one, other) = (Read::of(left.0), Read::of(right.0));
    Ok(match (&one, &other) {
        (Read::Absent, _) | (_, Read::Absent) => None,
        // A text beside the message's: as numbers, where that says one and this could be one.
        (Read::Text(one_text), Read::Text(other_text)) => {
            let numbers = (number_in(one_text), number_in(other_text));
            match (numbers, left.1, right.1) {
                ((Some(one), Some(other)), ..) => Some(one.total_cmp(&other)),
                ((Some(_), None), Side::Message, Side::Stored) => {
                    return no_number(other_text, one_text, right.1);
                }
                ((None, Some(_)), Side::Stored, Side::Message) => {
                    return no_number(one_text, other_text, left.1);
                }
                _ => Some(one_text.cmp(other_text)),
            }
        }
        (Read::Text(text), number) => match number_in(text) {
            Some(own) => Some(own.total_cmp(&number.real())),
            None => return no_number(text, &number.words(), left.1),
        },
        (number, Read::Text(text)) => match number_in(text) {
            Some(own) => Some(number.real().total_cmp(&own)),
            None => return no_number(text, &number.words(), right.1),
        },
        (Read::Integer(one), Read::Integer(other)) => Some(one.cmp(other)),
        (one, other) => Some(one.real().total_cmp(&other.real())),
    })
}

/// A text that says no number, beside one: its own fault where it is the message's. A cell of nothing but blanks is absent.
fn no_number(text: &str, number: &str, side: Side) -> Result<Option<Ordering>, LookupError> {
    let text: String = text.chars().take(80).collect();
    match side {
        Side::Message => Err(LookupError::new(
            Cause::Unfit,
            format!("'{text}' is no number, and is compared with one ({number})"),
        )),
        _ if text.trim().is_empty() => Ok(None),
        _ => Err(LookupError::new(
            Cause::Refused,
            format!(
                "the data holds '{text}', which is no number, where it is compared with one ({number}); \
                 write CAST(… AS TEXT) to compare by letters"
            ),
        )),
    }
}

enum Read<'v> {
    Absent,
    Integer(i64),
    Real(f64),
    Text(std::borrow::Cow<'v, str>),
}

impl<'v> Read<'v> {
    fn of(value: ValueRef<'v>) -> Self {
        match value {
            ValueRef::Null => Self::Absent,
            ValueRef::Integer(integer) => Self::Integer(integer),
            ValueRef::Real(real) => Self::Real(real),
            ValueRef::Text(bytes) | ValueRef::Blob(bytes) => Self::Text(String::from_utf8_lossy(bytes)),
        }
    }

    #[expect(
        clippy::cast_precision_loss,
        reason = "as SQLite compares an integer with a floating-point number"
    )]
    fn real(&self) -> f64 {
        match self {
            Self::Integer(integer) => *integer as f64,
            Self::Real(real) => *real,
            Self::Absent | Self::Text(_) => f64::NAN,
        }
    }

    fn words(&self) -> String {
        match self {
            Self::Integer(integer) => integer.to_string(),
            Self::Real(real) => real.to_string(),
            Self::Absent | Self::Text(_) => String::new(),
        }
    }
}

/// The number that a text says, as SQL writes numbers.
fn number_in(text: &str) -> Option<f64> {
    let text = text.trim();
    let is_plain = text.bytes().all(|byte| byte.is_ascii_digit() || b"+-.eE".contains(&byte));
    if is_plain { text.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_query_is_given_is_compared_as_what_it_is() {
        for (sql, spelled) in [
            ("SELECT 1 FROM t WHERE a = ?1", None),
            ("SELECT 1 FROM t WHERE a < b AND 1 < 2", None),
            (
                "SELECT 1 FROM t WHERE coalesce(a, 0) <= ?1",
                Some("SELECT 1 FROM t WHERE (flowengine_compared(coalesce(a, 0), ?1, 'sm') <= 0)"),
            ),
            (
                "SELECT 1 FROM t WHERE -5 > a",
                Some("SELECT 1 FROM t WHERE (flowengine_compared(-5, a, 'ns') > 0)"),
            ),
            (
                "SELECT 1 FROM t WHERE a NOT BETWEEN ?1 AND b",
                Some("SELECT 1 FROM t WHERE (NOT (flowengine_compared(a, ?1, 'sm') >= 0 AND a <= b))"),
            ),
        ] {
            assert_eq!(spelled_out(sql).as_deref(), spelled, "{sql}");
        }
    }

    fn compared(
        left: rusqlite::types::Value,
        right: rusqlite::types::Value,
        marks: &str,
    ) -> Result<Option<i64>, Cause> {
        let conn = Connection::open_in_memory().expect("opens");
        let blame = Blame::teach(&conn).expect("taught");
        let sql = format!("SELECT {COMPARED}(?, ?, '{marks}')");
        let answer = conn.query_row(&sql, [left, right], |row| row.get(0));
        answer.map_err(|_| blame.take().expect("says why").cause)
    }

    #[test]
    fn numbers_are_numbers_however_they_are_written() {
        use rusqlite::types::Value as Sql;
        let text = |text: &str| Sql::Text(text.to_owned());
        for (left, right, marks, order) in [
            (Sql::Integer(900), text("100"), "sm", Ok(Some(1))),
            (Sql::Real(9.5), text("10"), "sm", Ok(Some(-1))),
            (text("100"), Sql::Integer(100), "ms", Ok(Some(0))),
            (text("10"), Sql::Integer(5), "sn", Ok(Some(1))),
            (text("10"), text("5"), "sm", Ok(Some(1))),
            (text("2026-11-10"), text("2026-11-09"), "sm", Ok(Some(1))),
            (text("b"), text("a"), "sm", Ok(Some(1))),
            (text("b"), text("5"), "ss", Ok(Some(1))),
            (Sql::Integer(i64::MAX), Sql::Integer(i64::MAX - 1), "sm", Ok(Some(1))),
            (Sql::Null, text("5"), "sm", Ok(None)),
            (text(" "), Sql::Integer(5), "sn", Ok(None)),
            (text("n/a"), Sql::Integer(5), "sn", Err(Cause::Refused)),
            (text("n/a"), text("5"), "sm", Err(Cause::Refused)),
            (Sql::Integer(5), text("1234.5 EUR"), "sm", Err(Cause::Unfit)),
            (text("inf"), Sql::Integer(5), "mn", Err(Cause::Unfit)),
        ] {
            let said = format!("{left:?} {right:?} {marks}");
            assert_eq!(compared(left, right, marks), order, "{said}");
        }
    }
}
