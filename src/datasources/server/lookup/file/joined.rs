//! What is equal across files. Beside a column of numbers, SQLite takes a text for the number that it says, and finds `007` to
//! be 7: then rows are joined that have nothing to do with each other, which is a fault of the datasource rather than a
//! verdict.

use std::{collections::BTreeSet, ops::ControlFlow};

use sqlparser::{
    ast::{BinaryOperator, Expr, Query, SelectItem, SetExpr, Visit, Visitor},
    dialect::SQLiteDialect,
    parser::Parser,
};

use super::{
    columns::Column,
    table::{Asked, Table},
};
use crate::datasources::server::lookup::{
    Cause, LookupError, checked,
    sources::{Source, Sources, arguments},
    sql_check::SqlDialect,
};

/// Functions of one text that give one of the same number.
const SAME_NUMBER: [&str; 5] = ["lower", "ltrim", "rtrim", "trim", "upper"];

/// A column, and the table that it belongs to.
#[derive(Clone, Copy)]
struct Placed<'t> {
    table: &'t str,
    column: &'t Column,
}

impl<'t> Placed<'t> {
    /// Whether a text of this one may be equal to a number of the other that is written otherwise.
    fn may_be_taken_for(self, other: Self) -> bool {
        self.column.holds_texts_of_numbers() && other.column.holds_numbers() && self.table != other.table
    }

    /// # Errors
    /// The data's, in words that say what to do.
    fn check(self, other: Self) -> Result<(), LookupError> {
        if !self.may_be_taken_for(other) {
            return Ok(());
        }
        let (text, number) = (&self.column.name, &other.column.name);
        Err(LookupError::new(
            Cause::Refused,
            format!(
                "the column {text} of {} holds texts such as 007, and beside {number} of {}, which holds numbers, the database \
                 takes those for 7; write ON CAST({number} AS TEXT) = {text} to compare what is written, or \
                 CAST({text} AS REAL) = {number} to compare numbers",
                self.table, other.table
            ),
        ))
    }
}

impl Table {
    /// # Errors
    /// The data's, where a query asks whether a text of one file is equal to a number of another, and some texts are, that
    /// are written otherwise.
    pub fn check_alike(&self, asked: &Asked) -> Result<(), LookupError> {
        let columns: Vec<Placed<'_>> = self
            .named(&asked.tables)
            .flat_map(|(table, columns)| columns.iter().map(move |column| Placed { table, column }))
            .collect();
        if !columns.iter().any(|one| columns.iter().any(|other| one.may_be_taken_for(*other))) {
            return Ok(());
        }
        let checked = checked(&asked.query, SqlDialect::Sqlite, asked.params.len())?;
        let statements = Parser::parse_sql(&SQLiteDialect {}, &checked.sql).unwrap_or_default();
        let mut alike = Alike { columns, sources: Sources::read(&statements, &asked.tables) };
        for (one, other) in &alike.sources.shared {
            alike.check_beside(one, other)?;
            alike.check_beside(other, one)?;
        }
        match statements.visit(&mut alike) {
            ControlFlow::Break(fault) => Err(fault),
            ControlFlow::Continue(()) => Ok(()),
        }
    }
}

/// Goes through what a query holds equal.
struct Alike<'t> {
    columns: Vec<Placed<'t>>,
    sources: Sources,
}

impl Alike<'_> {
    fn check(&self, one: &Expr, other: &Expr) -> Result<(), LookupError> {
        if let (Expr::Tuple(ones), Expr::Tuple(others)) = (one, other) {
            return ones.iter().zip(others).try_for_each(|(one, other)| self.check(one, other));
        }
        self.check_beside(&self.said(one), &self.sources.of(other))?;
        self.check_beside(&self.said(other), &self.sources.of(one))
    }

    /// Each item of a list has no type of its own there: what is looked for makes numbers of them, and not they of it.
    fn check_list(&self, expr: &Expr, list: &[Expr]) -> Result<(), LookupError> {
        let numbers = self.sources.of(expr);
        list.iter().try_for_each(|item| self.check_beside(&self.said(item), &numbers))
    }

    fn check_rows(&self, expr: &Expr, query: &Query) -> Result<(), LookupError> {
        if let (Expr::Tuple(ones), SetExpr::Select(select)) = (expr, &*query.body) {
            let others = select.projection.iter().map_while(|item| match item {
                SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. } => Some(expr),
                // Nobody knows how many a star stands for.
                _ => None,
            });
            return ones.iter().zip(others).try_for_each(|(one, other)| self.check(one, other));
        }
        let rows = self.sources.of_query(query);
        self.check_beside(&self.said(expr), &rows)?;
        self.check_beside(&rows, &self.sources.of(expr))
    }

    fn check_beside(&self, texts: &Source, numbers: &Source) -> Result<(), LookupError> {
        // Who makes a text of another means that one. And beside what is worked out, a text stays one.
        if texts.is_made || !numbers.is_number() {
            return Ok(());
        }
        for text in self.at(&texts.columns) {
            self.at(&numbers.columns).try_for_each(|number| text.check(number))?;
        }
        Ok(())
    }

    /// What an expression gives as a text.
    fn said(&self, expr: &Expr) -> Source {
        self.sources.of(same_number(expr))
    }

    fn at(&self, places: &BTreeSet<usize>) -> impl Iterator<Item = Placed<'_>> {
        places.iter().filter_map(|place| self.columns.get(*place).copied())
    }
}

/// What a text is made of that says the same number still: of `trim(id)`, the `id`. Who names what is to be taken off, as
/// `ltrim(id, '0')` does, means another one.
fn same_number(expr: &Expr) -> &Expr {
    match expr {
        Expr::Nested(inner) | Expr::Collate { expr: inner, .. } => same_number(inner),
        Expr::Trim { expr: inner, trim_what: None, trim_characters: None, .. } => same_number(inner),
        Expr::Function(function) => {
            let name = function.name.to_string();
            match arguments(function).as_slice() {
                [text] if SAME_NUMBER.iter().any(|own| name.eq_ignore_ascii_case(own)) => same_number(text),
                _ => expr,
            }
        }
        _ => expr,
    }
}

impl Visitor for Alike<'_> {
    type Break = LookupError;

    fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<LookupError> {
        use BinaryOperator::{Eq, NotEq};
        let checked = match expr {
            Expr::BinaryOp { left, op: Eq | NotEq, right }
            | Expr::IsDistinctFrom(left, right)
            | Expr::IsNotDistinctFrom(left, right) => self.check(left, right),
            Expr::InList { expr, list, .. } => self.check_list(expr, list),
            Expr::InSubquery { expr, subquery, .. } => self.check_rows(expr, subquery),
            Expr::Case { operand: Some(operand), conditions, .. } => {
                conditions.iter().try_for_each(|when| self.check(operand, &when.condition))
            }
            _ => Ok(()),
        };
        checked.map_or_else(ControlFlow::Break, ControlFlow::Continue)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::datasources::server::{
        connection::FileFormat,
        lookup::file::table::tests::{all_loaded, limits, sql},
    };

    #[test]
    fn a_text_of_one_file_is_not_taken_for_a_number_of_another() {
        let mut table = all_loaded(&[
            ("data", FileFormat::Csv, "number,customer,amount\n1,7,1234567890.1234567\n2,8,9.5\n".into()),
            (
                "customers",
                FileFormat::Csv,
                "id,customer,amount,plain\n007,007,1234567890.1234568,C-1\n8,8,1234567890.1234567,8\n".into(),
            ),
            ("people", FileFormat::Csv, "number,name\n007,Ann\n8,Bob\n".into()),
        ])
        .expect("loads");
        for (query, count) in [
            ("SELECT 1 FROM data d JOIN customers c ON c.id = d.customer", None),
            ("SELECT 1 FROM data d JOIN customers c ON d.customer = c.id", None),
            ("SELECT 1 FROM data d LEFT JOIN customers c ON (c.id) = d.customer", None),
            ("SELECT 1 FROM data, customers WHERE data.customer = customers.id", None),
            ("SELECT 1 FROM data, customers WHERE data.customer <> customers.id", None),
            ("SELECT 1 FROM data d, customers c WHERE (d.customer, 1) = (c.id, 1)", None),
            ("SELECT 1 FROM data d JOIN customers c ON c.amount = d.amount", None),
            ("SELECT 1 FROM data WHERE customer IN (SELECT id FROM customers)", None),
            ("SELECT 1 FROM customers WHERE id NOT IN (SELECT customer FROM data)", None),
            ("SELECT 1 FROM data WHERE customer = (SELECT id FROM customers LIMIT 1)", None),
            ("SELECT 1 FROM data d WHERE EXISTS (SELECT 1 FROM customers c WHERE c.id = d.customer)", None),
            ("WITH c AS (SELECT id AS who FROM customers) SELECT 1 FROM data JOIN c ON who = customer", None),
            ("SELECT 1 FROM data JOIN customers USING (customer)", None),
            ("SELECT 1 FROM data JOIN people USING (number)", None),
            ("SELECT 1 FROM data NATURAL JOIN people", None),
            ("SELECT 1 FROM customers CROSS JOIN (data JOIN people USING (number))", None),
            ("WITH c AS (SELECT id AS number FROM customers) SELECT 1 FROM data JOIN c USING (number)", None),
            ("SELECT 1 FROM (SELECT id AS number FROM customers) NATURAL JOIN data", None),
            ("SELECT 1 FROM data, customers WHERE data.customer IN (customers.id, 1000)", None),
            ("SELECT 1 FROM data d, customers c WHERE CASE d.customer WHEN c.id THEN 1 END", None),
            (
                "SELECT 1 FROM data d, customers c WHERE CASE c.id WHEN 'x' THEN 0 WHEN d.customer THEN 1 END",
                None,
            ),
            ("SELECT 1 FROM customers WHERE (id, 1) IN (SELECT customer, 1 FROM data)", None),
            ("SELECT 1 FROM data WHERE (1, customer) NOT IN (SELECT 1, id FROM customers)", None),
            // They say 007 all the same.
            ("SELECT 1 FROM data d JOIN customers c ON trim(c.id) = d.customer", None),
            ("SELECT 1 FROM data d JOIN customers c ON d.customer = lower(rtrim(c.id))", None),
            ("SELECT 1 FROM customers WHERE trim(id) IN (SELECT customer FROM data)", None),
            ("SELECT 1 FROM data d JOIN customers c ON CAST(d.customer AS TEXT) = c.id", Some(1)),
            ("SELECT 1 FROM data d JOIN customers c ON CAST(c.id AS REAL) = d.customer", Some(2)),
            ("SELECT 1 FROM data d JOIN customers c ON ltrim(c.id, '0') = d.customer", Some(2)),
            ("SELECT 1 FROM data WHERE CAST(customer AS TEXT) IN (SELECT id FROM customers)", Some(1)),
            ("SELECT 1 FROM data d JOIN customers c ON trim(c.id, '0') = d.customer", Some(2)),
            ("SELECT 1 FROM data d JOIN customers c ON replace(c.id, '0', '') = d.customer", Some(2)),
            (
                "WITH c AS (SELECT CAST(id AS REAL) AS customer FROM customers) \
                 SELECT 1 FROM data JOIN c USING (customer)",
                Some(2),
            ),
            // What is looked for in a list makes texts of its items, or numbers.
            ("SELECT 1 FROM data d, customers c WHERE c.id IN (d.customer, 1000)", Some(1)),
            ("SELECT 1 FROM data d, customers c WHERE c.id = lower(d.customer)", Some(1)),
            ("SELECT 1 FROM customers WHERE (plain, 1) IN (SELECT customer, 1 FROM data)", Some(1)),
            // None of these texts is a number that is written otherwise.
            ("SELECT 1 FROM data d JOIN customers c ON c.plain = d.customer", Some(1)),
            ("SELECT 1 FROM customers c JOIN people p ON p.number = c.id", Some(2)),
            ("SELECT 1 FROM customers JOIN people ON number = '007' AND id = '007'", Some(1)),
            // Nothing is joined by them.
            ("SELECT id, d.customer FROM data d, customers", Some(4)),
            ("SELECT 1 FROM customers WHERE id = '007'", Some(1)),
        ] {
            let found = table.ask(&sql(query, &[]), &limits()).map(|rows| rows.rows.len());
            assert_eq!(found.map_err(|error| error.cause), count.ok_or(Cause::Refused), "{query}");
        }
        let query = "SELECT 1 FROM data d JOIN customers c ON c.id = d.customer";
        let refused = table.ask(&sql(query, &[]), &limits()).expect_err("is refused");
        let words = "the column id of customers holds texts such as 007, and beside customer of data, which holds numbers, \
                     the database takes those for 7; write ON CAST(customer AS TEXT) = id";
        assert!(refused.message.starts_with(words), "{refused}");
    }

    #[test]
    fn a_table_that_a_query_does_not_read_is_no_matter_whatever_it_is_called() {
        let mut table = all_loaded(&[
            ("data", FileFormat::Csv, "number,customer\n1,7\n2,8\n".into()),
            ("orders", FileFormat::Csv, "number\n1\n2\n".into()),
            ("customer", FileFormat::Csv, "number\n007\n1\n".into()),
        ])
        .expect("loads");
        for (query, params, count) in [
            ("SELECT 1 FROM data JOIN orders USING (number) WHERE data.customer = ?", &["7"][..], Some(1)),
            ("SELECT customer FROM data NATURAL JOIN orders", &[], Some(2)),
            // It is read, and not joined by its name.
            ("SELECT 1 FROM data JOIN orders USING (number), customer", &[], Some(4)),
            ("SELECT 1 FROM data JOIN orders USING (number) JOIN customer USING (number)", &[], None),
            // On the left, the first table that has the column is the one.
            ("SELECT 1 FROM data, customer JOIN orders USING (number)", &[], Some(4)),
            ("SELECT 1 FROM customer, data JOIN orders USING (number)", &[], None),
        ] {
            let found = table.ask(&sql(query, params), &limits()).map(|rows| rows.rows.len());
            assert_eq!(found.map_err(|error| error.cause), count.ok_or(Cause::Refused), "{query}");
        }
    }
}
