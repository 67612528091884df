//! Which column of the tables each column of an answer is. SQLite knows, and tells only those who call its C.

use std::ops::Range;

use sqlparser::{
    ast::{Expr, Select, SelectItem, SelectItemQualifiedWildcardKind, SetExpr, Statement, TableFactor},
    dialect::SQLiteDialect,
    parser::Parser,
};

use crate::datasources::server::lookup::sources::last;

/// A table's name, and those of its columns.
pub type Named<'t> = (&'t str, Vec<&'t str>);

/// For each of the answer's columns, the place of the column that it shows as it is, counted through all tables; `None` for
/// all others.
pub fn origins(query: &str, tables: &[Named<'_>], answer: usize) -> Vec<Option<usize>> {
    plain(query)
        .and_then(|select| origins_of(&select, tables))
        .filter(|origins| origins.len() == answer)
        .unwrap_or_else(|| vec![None; answer])
}

/// A query in which a name can only be that of a column of the tables.
fn plain(query: &str) -> Option<Select> {
    let statement = Parser::parse_sql(&SQLiteDialect {}, query).ok()?.pop()?;
    let Statement::Query(query) = statement else { return None };
    if query.with.is_some() {
        return None;
    }
    match *query.body {
        SetExpr::Select(select) => Some(*select),
        _ => None,
    }
}

/// A table that is read from.
struct Place<'q> {
    /// What the query calls it.
    called: &'q str,
    /// The place of its first column.
    first: usize,
    columns: &'q [&'q str],
}

impl Place<'_> {
    fn is_called(&self, name: &str) -> bool {
        self.called.eq_ignore_ascii_case(name)
    }

    fn place_of(&self, name: &str) -> Option<usize> {
        let at = self.columns.iter().position(|column| column.eq_ignore_ascii_case(name))?;
        Some(self.first + at)
    }

    fn places(&self) -> Range<usize> {
        self.first..self.first + self.columns.len()
    }
}

fn origins_of(select: &Select, tables: &[Named<'_>]) -> Option<Vec<Option<usize>>> {
    let sources = select
        .from
        .iter()
        .flat_map(|from| std::iter::once(&from.relation).chain(from.joins.iter().map(|join| &join.relation)));
    let mut places = Vec::new();
    for source in sources {
        let TableFactor::Table { name, alias, .. } = source else { return None };
        let name = last(name);
        let at = tables.iter().position(|(table, _)| table.eq_ignore_ascii_case(name))?;
        let (before, rest) = tables.split_at(at);
        let (_, columns) = rest.first()?;
        places.push(Place {
            called: alias.as_ref().map_or(name, |alias| alias.name.value.as_str()),
            first: before.iter().map(|(_, columns)| columns.len()).sum(),
            columns,
        });
    }
    // Of a name that two of them have, nobody knows which it is.
    let place = |of: Option<&str>, name: &str| {
        let meant = places.iter().filter(|place| of.is_none_or(|of| place.is_called(of)));
        let mut found = meant.filter_map(|place| place.place_of(name));
        let one = found.next()?;
        found.all(|other| other == one).then_some(one)
    };
    let mut origins = Vec::new();
    for item in &select.projection {
        match item {
            SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. } => {
                origins.push(match expr {
                    Expr::Identifier(name) => place(None, &name.value),
                    Expr::CompoundIdentifier(names) => match names.as_slice() {
                        [.., of, name] => place(Some(of.value.as_str()), &name.value),
                        _ => None,
                    },
                    _ => None,
                });
            }
            SelectItem::QualifiedWildcard(SelectItemQualifiedWildcardKind::ObjectName(of), _) => {
                let meant = places.iter().find(|place| place.is_called(last(of)))?;
                origins.extend(meant.places().map(Some));
            }
            SelectItem::Wildcard(_) => origins.extend(places.iter().flat_map(Place::places).map(Some)),
            SelectItem::QualifiedWildcard(..) | SelectItem::ExprWithAliases { .. } => return None,
        }
    }
    Some(origins)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_column_is_known_under_any_name_and_nothing_else_is_taken_for_it() {
        for (query, expected) in [
            ("SELECT * FROM data", vec![Some(0), Some(1)]),
            ("SELECT active AS ok, count(*) AS active FROM data WHERE id = ?1", vec![Some(1), None]),
            ("SELECT d.\"Active\", d.* FROM \"data\" d", vec![Some(1), Some(0), Some(1)]),
            ("SELECT a.*, b.id FROM data a JOIN data b ON a.id = b.id", vec![Some(0), Some(1), Some(0)]),
            ("SELECT active FROM (SELECT count(*) AS active FROM data)", vec![None]),
            ("WITH data AS (SELECT 1 AS active) SELECT active FROM data", vec![None]),
            ("SELECT id FROM data UNION SELECT active FROM data", vec![None]),
            ("SELECT max(active) FROM data", vec![None]),
        ] {
            let tables = [("data", vec!["id", "active"])];
            assert_eq!(origins(query, &tables, expected.len()), expected, "{query}");
        }
    }

    #[test]
    fn a_column_is_known_for_the_table_that_it_belongs_to() {
        let tables = [("data", vec!["id", "active", "owner"]), ("customers", vec!["id", "Active"])];
        for (query, expected) in [
            ("SELECT * FROM customers", vec![Some(3), Some(4)]),
            (
                "SELECT * FROM customers c JOIN data d ON d.owner = c.id",
                vec![Some(3), Some(4), Some(0), Some(1), Some(2)],
            ),
            (
                "SELECT d.active, c.active, owner, c.* FROM data d, customers c",
                vec![Some(1), Some(4), Some(2), Some(3), Some(4)],
            ),
            ("SELECT customers.active, main.data.id FROM data, \"Customers\"", vec![Some(4), Some(0)]),
            // Of either.
            ("SELECT active, owner FROM data JOIN customers USING (id)", vec![None, Some(2)]),
            // One of the columns is there once.
            ("SELECT * FROM data JOIN customers USING (id)", vec![None; 4]),
            ("SELECT active FROM data JOIN others USING (id)", vec![None]),
            ("SELECT d.active FROM data d LEFT JOIN (SELECT 1 AS id) c ON c.id = d.id", vec![None]),
        ] {
            assert_eq!(origins(query, &tables, expected.len()), expected, "{query}");
        }
    }
}
