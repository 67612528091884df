//! One statement, a query, nothing else: checked by a SQL parser before it goes anywhere.

use std::ops::ControlFlow;

use sqlparser::{
    ast::{Query, Select, Statement, Value, ValueWithSpan, Visit, Visitor},
    dialect::{Dialect, GenericDialect, PostgreSqlDialect, SQLiteDialect},
    keywords::Keyword,
    parser::Parser,
    tokenizer::{Token, TokenWithSpan, Tokenizer},
};

/// Whose SQL it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SqlDialect {
    /// Not known yet: the datasource's config does not exist.
    Any,
    Postgres,
    Sqlite,
}

/// A query that holds up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckedQuery {
    /// With every placeholder numbered: `$1` for PostgreSQL, `?1` for SQLite.
    pub sql: String,
    /// How many parameters it takes.
    pub params: usize,
}

const MAX_LENGTH: usize = 20_000;

/// Checks a query and numbers its placeholders. `?` and `$1` both work, quoting respected.
///
/// # Errors
/// What is wrong with it, in a sentence.
pub fn check(sql: &str, dialect: SqlDialect) -> Result<CheckedQuery, String> {
    if sql.len() > MAX_LENGTH {
        return Err(format!("must have at most {MAX_LENGTH} bytes"));
    }
    if sql.contains("{{") {
        return Err(
            "must not hold a template: write ? for the value, and put the template into params".into()
        );
    }
    if sql.contains('\0') {
        return Err("must not hold NUL".into());
    }
    let parser_dialect: &dyn Dialect = match dialect {
        SqlDialect::Any => &GenericDialect {},
        SqlDialect::Postgres => &PostgreSqlDialect {},
        SqlDialect::Sqlite => &SQLiteDialect {},
    };
    let tokens = Tokenizer::new(parser_dialect, sql)
        .tokenize_with_location()
        .map_err(|error| format!("is no SQL: {error}"))?;
    let numbered = number_placeholders(sql, &tokens, dialect)?;
    let statements =
        Parser::parse_sql(parser_dialect, &numbered.sql).map_err(|error| format!("is no SQL: {error}"))?;
    match statements.as_slice() {
        [] => return Err("is empty".into()),
        [statement @ Statement::Query(_)] => {
            if let ControlFlow::Break(fault) = statement.visit(&mut OnlyReads::default()) {
                return Err(fault.into());
            }
        }
        [_] => return Err("must be a SELECT".into()),
        _ => return Err("must be one statement".into()),
    }
    if let Some(word) = tokens.iter().find_map(|token| match &token.token {
        Token::Word(word) if word.quote_style.is_none() && word.keyword == Keyword::INTO => Some(&word.value),
        _ => None,
    }) {
        return Err(format!("must only read: {word} is not allowed"));
    }
    Ok(numbered)
}

/// Stops at whatever does more than read.
#[derive(Default)]
struct OnlyReads {
    statements: usize,
}

impl Visitor for OnlyReads {
    type Break = &'static str;

    fn pre_visit_statement(&mut self, _: &Statement) -> ControlFlow<&'static str> {
        self.statements += 1;
        // A second statement within the first is a data-modifying WITH.
        if self.statements > 1 {
            return ControlFlow::Break("must only read: it holds a statement that writes");
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<&'static str> {
        if query.locks.is_empty() {
            ControlFlow::Continue(())
        } else {
            ControlFlow::Break("must only read: FOR UPDATE and its like take locks")
        }
    }

    /// Only what was numbered gets a value; SQLite would take another placeholder for NULL.
    fn pre_visit_value(&mut self, value: &ValueWithSpan) -> ControlFlow<&'static str> {
        match &value.value {
            Value::Placeholder(text)
                if !text
                    .strip_prefix(['?', '$'])
                    .is_some_and(|n| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit())) =>
            {
                ControlFlow::Break("has a named placeholder; write ? or $1")
            }
            _ => ControlFlow::Continue(()),
        }
    }

    fn pre_visit_select(&mut self, select: &Select) -> ControlFlow<&'static str> {
        if select.into.is_none() {
            ControlFlow::Continue(())
        } else {
            ControlFlow::Break("must only read: SELECT INTO makes a table")
        }
    }
}

fn number_placeholders(
    sql: &str,
    tokens: &[TokenWithSpan],
    dialect: SqlDialect,
) -> Result<CheckedQuery, String> {
    let has_dollars =
        tokens.iter().any(|token| matches!(&token.token, Token::Placeholder(text) if text.starts_with('$')));
    let mut edits: Vec<(usize, usize, String)> = Vec::new();
    let mut params = 0;
    let mut highest = 0;
    for token in tokens {
        let number = match &token.token {
            Token::Placeholder(text) => match text.trim_start_matches(['?', '$', ':', '@']) {
                "" => None,
                digits => {
                    Some(digits.parse::<usize>().ok().filter(|n| (1..=100).contains(n)).ok_or_else(|| {
                        format!("has the placeholder {text}; placeholders are ?, or $1 to $100")
                    })?)
                }
            },
            // To PostgreSQL `?` is an operator of jsonb; it stands for a value only where no $1 does.
            Token::Question if !has_dollars => None,
            Token::SemiColon => {
                let (start, end) = offsets(sql, token);
                edits.push((start, end, " ".into()));
                continue;
            }
            _ => continue,
        };
        let number = match number {
            Some(_) if params > 0 => return Err("mixes ? and numbered placeholders".into()),
            Some(number) => {
                highest = highest.max(number);
                number
            }
            None if highest > 0 => return Err("mixes ? and numbered placeholders".into()),
            None => {
                params += 1;
                params
            }
        };
        let (start, end) = offsets(sql, token);
        let mark = if dialect == SqlDialect::Sqlite { '?' } else { '$' };
        edits.push((start, end, format!("{mark}{number}")));
    }
    // More than one statement must stay visible to the parser.
    let separators = tokens.iter().filter(|token| token.token == Token::SemiColon).count();
    let last_is_separator = tokens
        .iter()
        .rev()
        .find(|token| !matches!(token.token, Token::Whitespace(_) | Token::EOF))
        .is_some_and(|token| token.token == Token::SemiColon);
    if separators > 1 || (separators == 1 && !last_is_separator) {
        return Err("must be one statement".into());
    }
    let mut out = String::with_capacity(sql.len() + 16);
    let mut at = 0;
    for (start, end, text) in edits {
        out.push_str(&sql[at..start]);
        out.push_str(&text);
        at = end;
    }
    out.push_str(&sql[at..]);
    Ok(CheckedQuery { sql: out, params: params.max(highest) })
}

/// Replaces each placeholder `$number` of a checked query for PostgreSQL, quoting respected.
pub fn replace_placeholder(sql: &str, number: usize, with: &str) -> String {
    let placeholder = Token::Placeholder(format!("${number}"));
    let tokens = Tokenizer::new(&PostgreSqlDialect {}, sql).tokenize_with_location().unwrap_or_default();
    let mut out = String::with_capacity(sql.len() + with.len());
    let mut at = 0;
    for token in tokens.iter().filter(|token| token.token == placeholder) {
        let (start, end) = offsets(sql, token);
        out.push_str(&sql[at..start]);
        out.push_str(with);
        at = end;
    }
    out.push_str(&sql[at..]);
    out
}

/// The bytes of a token. The tokenizer counts lines and characters from 1.
fn offsets(sql: &str, token: &TokenWithSpan) -> (usize, usize) {
    let offset = |line: u64, column: u64| {
        let start: usize =
            sql.split_inclusive('\n').take(line.saturating_sub(1) as usize).map(str::len).sum();
        let rest = &sql[start..];
        start
            + rest
                .char_indices()
                .nth(column.saturating_sub(1) as usize)
                .map_or(rest.len(), |(offset, _)| offset)
    };
    let span = token.span;
    (offset(span.start.line, span.start.column), offset(span.end.line, span.end.column))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn ok(sql: &str, dialect: SqlDialect) -> CheckedQuery {
        check(sql, dialect).unwrap_or_else(|fault| panic!("{sql}: {fault}"))
    }

    #[test]
    fn both_kinds_of_placeholder_are_numbered_and_quotes_respected() {
        for (sql, dialect, expected, params) in [
            (
                "SELECT * FROM c WHERE a = ? AND b = ?",
                SqlDialect::Postgres,
                "SELECT * FROM c WHERE a = $1 AND b = $2",
                2,
            ),
            (
                "SELECT * FROM c WHERE a = $2 AND b = $1",
                SqlDialect::Sqlite,
                "SELECT * FROM c WHERE a = ?2 AND b = ?1",
                2,
            ),
            (
                "SELECT '?', \"?\" FROM c -- ?\nWHERE a = ?;",
                SqlDialect::Sqlite,
                "SELECT '?', \"?\" FROM c -- ?\nWHERE a = ?1 ",
                1,
            ),
            (
                "SELECT 'é?' FROM c WHERE\n\n é = ? /* ? */",
                SqlDialect::Postgres,
                "SELECT 'é?' FROM c WHERE\n\n é = $1 /* ? */",
                1,
            ),
            (
                "SELECT $$?$$ WHERE j ? 'k' AND a = $1",
                SqlDialect::Postgres,
                "SELECT $$?$$ WHERE j ? 'k' AND a = $1",
                1,
            ),
            (
                "WITH x AS (SELECT 1) SELECT * FROM x",
                SqlDialect::Any,
                "WITH x AS (SELECT 1) SELECT * FROM x",
                0,
            ),
        ] {
            let query = ok(sql, dialect);
            assert_eq!((query.sql.as_str(), query.params), (expected, params), "{sql}");
        }
    }

    #[test]
    fn whatever_is_not_one_reading_statement_is_refused() {
        for sql in [
            "",
            ";",
            "-- nothing",
            "DELETE FROM c",
            "INSERT INTO c VALUES (1)",
            "UPDATE c SET a = 1",
            "DROP TABLE c",
            "SELECT 1; SELECT 2",
            "SELECT 1; DROP TABLE c",
            "SELECT 1;;",
            "SELECT * INTO d FROM c",
            "SELECT * FROM c FOR UPDATE",
            "SELECT * FROM (SELECT * FROM c FOR SHARE) x",
            "WITH x AS (DELETE FROM c RETURNING *) SELECT * FROM x",
            "WITH x AS (INSERT INTO c VALUES (1) RETURNING *) SELECT * FROM x",
            "WITH x AS (UPDATE c SET a = 1 RETURNING *) SELECT * FROM x",
            "COPY c TO '/tmp/x'",
            "COPY (SELECT 1) TO PROGRAM 'id'",
            "ATTACH DATABASE '/etc/passwd' AS x",
            "PRAGMA writable_schema = 1",
            "VACUUM INTO '/tmp/x'",
            "SET ROLE postgres",
            "SET TRANSACTION READ WRITE",
            "BEGIN",
            "CALL f()",
            "DO $$ BEGIN END $$",
            "EXPLAIN ANALYZE DELETE FROM c",
            "EXPLAIN SELECT 1",
            "LISTEN x",
            "LOAD 'x'",
            "SELECT '{{subject}}'",
            "SELECT * FROM {{subject}}",
            "SELECT ? , $1",
            "SELECT $0",
            "SELECT $101",
            "SELECT :name",
            "SELEC 1",
            "SELECT 'open",
        ] {
            for dialect in [SqlDialect::Any, SqlDialect::Postgres, SqlDialect::Sqlite] {
                assert!(check(sql, dialect).is_err(), "{dialect:?} lets through: {sql}");
            }
        }
    }

    proptest! {
        #[test]
        fn any_text_is_checked_or_refused_without_a_crash(sql in "\\PC*") {
            for dialect in [SqlDialect::Any, SqlDialect::Postgres, SqlDialect::Sqlite] {
                let _ = check(&sql, dialect);
            }
        }

        #[test]
        fn text_in_quotes_is_never_read_as_sql(text in "[^'\0{}\\\\]*") {
            let sql = format!("SELECT '{text}' AS a WHERE b = ?");
            let query = check(&sql, SqlDialect::Sqlite);
            prop_assert_eq!(query.map(|q| q.sql), Ok(format!("SELECT '{text}' AS a WHERE b = ?1")));
        }
    }
}
