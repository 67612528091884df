//! What a query puts in order: columns beside other values, and rows by their columns. SQLite does so with days, too, as
//! with any text: by their letters.

use std::{
    collections::{BTreeSet, HashSet},
    sync::Arc,
};

use sqlparser::ast::{
    DataType, Expr, Function, NamedWindowExpr, OrderByExpr, OrderByKind, Query, Select, SelectItem, SetExpr,
    Value as Literal, ValueWithSpan, WindowType,
};

use super::{Comparisons, MAX_ORDERED};
use crate::datasources::server::lookup::{
    Cause, LookupError,
    sources::{Affinity, Bound, Source, arguments, is_number},
};

/// SQLite's functions of days, which know those of ISO 8601 alone, and make nothing of all others.
const CALENDAR: [&str; 7] = ["date", "datetime", "julianday", "strftime", "time", "timediff", "unixepoch"];
/// Functions that make numbers of what they are given.
const ARITHMETIC: [&str; 5] = ["abs", "avg", "round", "sum", "total"];

/// What is put in order.
#[derive(Clone, Debug)]
pub struct Ranked {
    /// The columns of which it may be a value: their places among those of all tables.
    pub columns: BTreeSet<usize>,
    /// Whether it is a text made of theirs.
    pub is_made: bool,
    pub against: Against,
    /// As it is written, where it may be a value of any column.
    lost: Option<Arc<str>>,
}

/// Beside what its order counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Against {
    /// What else there is of it: by `ORDER BY`, `min` or `max`.
    Itself,
    /// A parameter, counted from 0.
    Given(usize),
    /// A text that stands in the query.
    Text(Arc<str>),
    /// Columns, by their places.
    Columns(BTreeSet<usize>),
    /// The calendar: it is read as a day.
    Calendar,
    /// What other databases have for days, and this one takes for numbers.
    Cast,
    /// A day of ISO 8601, as SQLite writes it.
    Day,
    /// Numbers: it is read as one.
    Number,
    /// Whole numbers: it is read as one.
    Whole,
    /// What is worked out.
    Other,
}

impl Ranked {
    /// The rule's fault, where it cannot be followed through the query: it may be of a column that has no such order.
    pub fn lost(&self) -> Option<LookupError> {
        let what = self.lost.as_ref()?;
        let words = format!(
            "the query orders by {what}, which cannot be followed to a column, and there are some that are not ordered by \
             what they say; name the column itself"
        );
        Some(LookupError::new(Cause::Rule, words))
    }
}

impl Against {
    /// What a side of a comparison is to the other one.
    pub fn of(side: &Expr, source: &Source) -> Self {
        match plain(side) {
            Expr::Value(ValueWithSpan { value: Literal::SingleQuotedString(text), .. }) => {
                return Self::Text(text.as_str().into());
            }
            Expr::Function(function) if writes_day(function) => return Self::Day,
            _ => {}
        }
        let mut bounds = source.bounds.iter();
        match (bounds.next(), bounds.next()) {
            (Some(Bound::Given(place)), None) if source.columns.is_empty() => Self::Given(*place),
            (None, _) if !source.columns.is_empty() && !source.is_made => {
                Self::Columns(source.columns.clone())
            }
            _ => Self::Other,
        }
    }
}

impl Comparisons {
    pub(super) fn rank(&mut self, what: &Expr, source: &Source, against: Against) {
        // What may be of any column is seldom of the one that does not sort, or is no number.
        let may_be_any =
            source.is_lost && !matches!(against, Against::Itself | Against::Number | Against::Whole);
        if may_be_any || !source.columns.is_empty() {
            let lost = may_be_any.then(|| what.to_string().into());
            self.put_ranked(Ranked {
                columns: source.columns.clone(),
                is_made: source.is_made,
                against,
                lost,
            });
        }
    }

    fn put_ranked(&mut self, ranked: Ranked) {
        // One more than that is enough to know that there are too many.
        if self.ranked.len() <= MAX_ORDERED {
            self.ranked.push(ranked);
        }
    }

    fn rank_alone(&mut self, what: &Expr, against: Against) {
        let source = self.sources.of(what);
        self.rank(what, &source, against);
    }

    /// Of what numbers are made. What is itself worked out of numbers is one.
    pub(super) fn rank_number(&mut self, what: &Expr, against: Against) {
        if !is_number(plain(what)) {
            self.rank_alone(what, against);
        }
    }

    /// What a function puts in order, or reads as days or numbers, of its arguments; and by what its window is sorted.
    pub(super) fn rank_arguments(&mut self, function: &Function) {
        let name = function.name.to_string().to_ascii_lowercase();
        let against = match name.as_str() {
            "max" | "min" => Some(Against::Itself),
            name if CALENDAR.contains(&name) => Some(Against::Calendar),
            _ => None,
        };
        if let Some(against) = against {
            arguments(function).into_iter().for_each(|argument| self.rank_alone(argument, against.clone()));
        } else if ARITHMETIC.contains(&name.as_str()) {
            arguments(function).into_iter().for_each(|argument| self.rank_number(argument, Against::Number));
        }
        if let Some(WindowType::WindowSpec(window)) = &function.over {
            self.rank_each(&window.order_by);
        }
    }

    /// A cast to numbers; or to what other databases have for days, of which SQLite makes a number as well: of
    /// `10.11.2026`, 10.11.
    pub(super) fn rank_cast(&mut self, what: &Expr, kind: &DataType) {
        let kind = kind.to_string().to_ascii_uppercase();
        if kind.starts_with("DATE") || kind.starts_with("TIME") {
            self.rank_alone(what, Against::Cast);
        } else if Affinity::declared(&kind) == Affinity::Number {
            self.rank_number(what, if kind.contains("INT") { Against::Whole } else { Against::Number });
        }
    }

    pub(super) fn rank_windows(&mut self, select: &Select) {
        for window in &select.named_window {
            if let NamedWindowExpr::WindowSpec(window) = &window.1 {
                self.rank_each(&window.order_by);
            }
        }
    }

    fn rank_each(&mut self, by: &[OrderByExpr]) {
        by.iter().for_each(|by| self.rank_alone(&by.expr, Against::Itself));
    }

    /// What a query's rows are sorted by. That decides which come out also without `LIMIT`: a rule looks at the first, and
    /// no more are read than is allowed. Thousands of names may be those of one long expression, which is looked at once.
    pub(super) fn rank_rows(&mut self, query: &Query) {
        let Some(OrderByKind::Expressions(by)) = query.order_by.as_ref().map(|by| &by.kind) else { return };
        let mut seen = HashSet::new();
        for by in by {
            let key = key(&by.expr, &query.body);
            if seen.insert(std::ptr::from_ref(key)) {
                let source = self.sources.of_key(key);
                self.rank(key, &source, Against::Itself);
            }
        }
    }
}

/// What rows are sorted by: what has such a name in a query's columns, which hides a table's column of the same name; or else
/// what is worked out of the tables', or says the number of a column (sqlite.org/lang_select.html, section 4).
fn key<'q>(by: &'q Expr, body: &'q SetExpr) -> &'q Expr {
    let by = plain(by);
    match (body, by) {
        (SetExpr::Select(select), Expr::Identifier(name)) => named(select, &name.value).unwrap_or(by),
        _ => by,
    }
}

/// What a query calls so itself. What a star stands for has its names before it.
fn named<'q>(select: &'q Select, name: &str) -> Option<&'q Expr> {
    for item in &select.projection {
        match item {
            SelectItem::ExprWithAlias { expr, alias } if alias.value.eq_ignore_ascii_case(name) => {
                return Some(expr);
            }
            SelectItem::Wildcard(_) | SelectItem::QualifiedWildcard(..) => return None,
            _ => {}
        }
    }
    None
}

/// Whether a function writes a day as in ISO 8601.
fn writes_day(function: &Function) -> bool {
    let name = function.name.to_string().to_ascii_lowercase();
    match name.as_str() {
        "date" | "datetime" | "current_date" | "current_timestamp" => true,
        "strftime" => arguments(function).first().is_some_and(|format| match plain(format) {
            Expr::Value(ValueWithSpan { value: Literal::SingleQuotedString(format), .. }) => {
                format.starts_with("%Y-") || format.starts_with("%F")
            }
            _ => false,
        }),
        _ => false,
    }
}

/// Without what stands around an expression and changes nothing of what it gives.
pub fn plain(expr: &Expr) -> &Expr {
    match expr {
        Expr::Nested(inner) | Expr::Collate { expr: inner, .. } => plain(inner),
        _ => expr,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::datasources::server::lookup::sources::Table;

    #[test]
    fn what_a_query_puts_in_order_is_known() {
        let columns = ["a", "b"].map(|name| (Arc::<str>::from(name), Affinity::Text));
        let tables = [Table { name: "t".into(), columns: columns.to_vec() }];
        let (a, b) = (0, 1);
        let text = |text: &str| Against::Text(text.into());
        let column = |place: usize| Against::Columns(BTreeSet::from([place]));
        let itself = |places: &[usize]| -> Vec<(usize, Against)> {
            places.iter().map(|place| (*place, Against::Itself)).collect()
        };
        let often = format!("SELECT coalesce(a, b) AS c FROM t ORDER BY c{}", ", c, 1".repeat(1_000));
        for (sql, found) in [
            (
                "SELECT 1 FROM t WHERE a < ?1 AND a = ?2 AND a <> b AND a LIKE 'x'",
                vec![(a, Against::Given(0))],
            ),
            (
                "SELECT 1 FROM t WHERE a BETWEEN 'x' AND (b)",
                vec![(a, text("x")), (b, column(0)), (a, column(1))],
            ),
            (
                "WITH p AS (SELECT ?1 AS n) SELECT 1 FROM t, p WHERE trim(a) > p.n",
                vec![(a, Against::Given(0))],
            ),
            ("SELECT 1 FROM t WHERE a > 5 OR a > lower(b)", vec![(a, Against::Other), (a, Against::Other)]),
            ("SELECT 1 FROM t WHERE substr(a, 7) || substr(a, 1, 2) > ?1 AND CAST(a AS TEXT) > ?1", vec![]),
            (
                "SELECT date(a), strftime('%Y', b) FROM t",
                vec![(a, Against::Calendar), (b, Against::Calendar)],
            ),
            (
                "SELECT CAST(a AS DATE), CAST(b AS REAL), CAST((a) AS INTEGER), CAST(b AS TEXT) FROM t",
                vec![(a, Against::Cast), (b, Against::Number), (a, Against::Whole)],
            ),
            (
                "SELECT sum(a), a + (b), -a, +a, count(b), total(lower(a)), sum(a * 2), b || a FROM t",
                [a, a, b, a, a].map(|place| (place, Against::Number)).to_vec(),
            ),
            (
                "SELECT 1 FROM t WHERE a < date(?1) AND a < (CURRENT_DATE) AND a < strftime('%Y-%m', 'now') \
                 AND a < strftime('%d', 'now')",
                [Against::Day, Against::Day, Against::Day, Against::Other].map(|day| (a, day)).to_vec(),
            ),
            ("SELECT max(a), min(b), count(a), lower(a) FROM t", itself(&[a, b])),
            ("SELECT row_number() OVER (PARTITION BY a ORDER BY b) FROM t", itself(&[b])),
            ("SELECT rank() OVER w FROM t WINDOW w AS (ORDER BY a)", itself(&[a])),
            ("SELECT b FROM t ORDER BY a, t.b DESC", itself(&[a, b])),
            ("SELECT *, b FROM t ORDER BY a COLLATE NOCASE LIMIT 1", itself(&[a])),
            ("SELECT b, a FROM t ORDER BY 2", itself(&[a])),
            // What a query gives a name to is sorted by, and not the column of that name.
            ("SELECT b AS a FROM t ORDER BY a", itself(&[b])),
            ("SELECT substr(a, 7) AS a FROM t ORDER BY a", vec![]),
            ("SELECT b, a, substr(a, 7) AS a FROM t ORDER BY a", vec![]),
            ("SELECT *, substr(a, 7) AS a FROM t ORDER BY a LIMIT 1", itself(&[a])),
            ("SELECT *, substr(a, 7) AS c FROM t ORDER BY c", vec![]),
            ("SELECT a AS c FROM t UNION ALL SELECT b FROM t ORDER BY c", itself(&[a, b])),
            ("SELECT b, 1 FROM t UNION ALL SELECT 1, a FROM t ORDER BY 2", itself(&[a])),
            ("SELECT 1 FROM t WHERE b = (SELECT b FROM t ORDER BY a LIMIT 1)", itself(&[a])),
            ("SELECT 1 FROM t ORDER BY b = ?1, length(a), CASE b WHEN 'x' THEN 1 END", vec![]),
            ("SELECT 1 FROM t WHERE b = (SELECT b FROM t ORDER BY a)", itself(&[a])),
            // Of rows that are only looked through, the order is no matter.
            ("SELECT 1 FROM t WHERE b IN (SELECT b FROM t ORDER BY a)", vec![]),
            ("SELECT 1 FROM t WHERE b IN (SELECT b FROM t ORDER BY a LIMIT 1)", itself(&[a])),
            ("SELECT 1 FROM t WHERE EXISTS (SELECT b FROM t ORDER BY a)", vec![]),
            // What stands behind a star is counted, too, but where two tables have a column in common.
            ("SELECT *, a FROM t ORDER BY 3", itself(&[a])),
            ("SELECT * FROM t ORDER BY 2", itself(&[b])),
            ("SELECT * FROM t UNION SELECT * FROM t ORDER BY b", itself(&[b])),
            ("SELECT * FROM t UNION SELECT b, a FROM t ORDER BY (1), 1", itself(&[a, b])),
            ("SELECT * FROM t JOIN t u USING (a) ORDER BY 1", vec![]),
            ("SELECT * FROM t UNION SELECT * FROM t ORDER BY c", vec![]),
            // However often.
            (often.as_str(), itself(&[a, b, a, b])),
        ] {
            let ranked = Comparisons::of(sql, &tables).ranked;
            assert!(ranked.iter().all(|ranked| ranked.lost().is_none()), "{sql}");
            let places = |ranked: &Ranked| {
                let against = ranked.against.clone();
                ranked.columns.iter().map(|place| (*place, against.clone())).collect::<Vec<_>>()
            };
            assert_eq!(ranked.iter().flat_map(places).collect::<Vec<_>>(), found, "{sql}");
        }
    }
}
