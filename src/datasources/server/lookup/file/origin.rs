//! Which column of the table each column of an answer is. SQLite knows, and tells only those who call its C.

use sqlparser::{
    ast::{Expr, Select, SelectItem, SetExpr, Statement, TableFactor},
    dialect::SQLiteDialect,
    parser::Parser,
};

/// For each of the answer's columns, the place of the table's column that it shows as it is; `None` for all others.
pub fn origins(query: &str, table: &[&str], answer: usize) -> Vec<Option<usize>> {
    plain(query)
        .and_then(|select| origins_of(&select, table))
        .filter(|origins| origins.len() == answer)
        .unwrap_or_else(|| vec![None; answer])
}

/// A query in which a name can only be that of a column of the table.
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

fn origins_of(select: &Select, table: &[&str]) -> Option<Vec<Option<usize>>> {
    let sources = select
        .from
        .iter()
        .flat_map(|from| std::iter::once(&from.relation).chain(from.joins.iter().map(|join| &join.relation)));
    let mut count = 0;
    for source in sources {
        match source {
            TableFactor::Table { name, .. }
                if name.to_string().trim_matches(['"', '`', '[', ']']).eq_ignore_ascii_case("data") =>
            {
                count += 1;
            }
            _ => return None,
        }
    }
    let place = |name: &str| table.iter().position(|column| column.eq_ignore_ascii_case(name));
    let all = || (0..table.len()).map(Some);
    let mut origins = Vec::new();
    for item in &select.projection {
        match item {
            SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. } => {
                origins.push(match expr {
                    Expr::Identifier(name) => place(&name.value),
                    Expr::CompoundIdentifier(names) => names.last().and_then(|name| place(&name.value)),
                    _ => None,
                });
            }
            SelectItem::QualifiedWildcard(..) => origins.extend(all()),
            SelectItem::Wildcard(_) => (0..count).for_each(|_| origins.extend(all())),
            SelectItem::ExprWithAliases { .. } => return None,
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
            assert_eq!(origins(query, &["id", "active"], expected.len()), expected, "{query}");
        }
    }
}
