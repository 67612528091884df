//! One statement, a query, nothing else: checked by a SQL parser before it goes anywhere.

use std::ops::ControlFlow;

use sqlparser::{
    ast::{Query, Select, Statement, Value, ValueWithSpan, Visit, Visitor},
    dialect::{Dialect, GenericDialect, MySqlDialect, PostgreSqlDialect, SQLiteDialect},
    keywords::Keyword,
    parser::Parser,
    tokenizer::{Span, Token, TokenWithSpan, Tokenizer},
};

/// Whose SQL it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SqlDialect {
    /// Not known yet: the datasource's config does not exist.
    Any,
    Postgres,
    MySql,
    Sqlite,
}

/// A query that holds up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckedQuery {
    /// With every placeholder numbered: `$1` for PostgreSQL, `?1` for SQLite. MySQL knows no numbers: `?`.
    pub sql: String,
    /// How many parameters it takes.
    pub params: usize,
    /// The parameter, counted from 0, of each placeholder in the order in which they stand.
    pub order: Vec<usize>,
}

const MAX_LENGTH: usize = 20_000;

/// Functions that reach beyond the data: files, other servers, other sessions, settings, sequences, text that is
/// run as SQL, or time that is only spent. A low-privilege role forbids most; this is the second fence. A
/// trailing `*` stands for any ending.
const FORBIDDEN_FUNCTIONS: [&str; 54] = [
    // PostgreSQL
    "pg_read_*",
    "pg_ls_*",
    "pg_stat_file",
    "pg_file_*",
    "pg_sleep*",
    "pg_terminate_backend",
    "pg_cancel_backend",
    "pg_reload_conf",
    "pg_rotate_logfile",
    "pg_switch_wal",
    "pg_create_*",
    "pg_drop_*",
    "pg_replication_*",
    "pg_logical_*",
    "pg_advisory_*",
    "pg_try_advisory_*",
    "pg_notify",
    "pg_backup_*",
    "pg_start_backup",
    "pg_stop_backup",
    "pg_export_snapshot",
    "pg_stat_reset*",
    "pg_promote",
    "pg_import_*",
    "lo_*",
    "dblink*",
    "set_config",
    "setval",
    "nextval",
    "query_to_*",
    "cursor_to_*",
    "table_to_*",
    "schema_to_*",
    "database_to_*",
    "ts_stat",
    // MySQL and MariaDB
    "load_file",
    "sleep",
    "benchmark",
    "get_lock",
    "release_lock",
    "release_all_locks",
    "master_pos_wait",
    "master_gtid_wait",
    "wait_for_executed_gtid_set",
    "wait_until_sql_thread_after_gtids",
    "wsrep_sync_wait_upto_gtid",
    "source_pos_wait",
    "sys_exec",
    "sys_eval",
    // SQLite
    "load_extension",
    "readfile",
    "writefile",
    "edit",
    "fts3_tokenizer",
];

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
            "must not hold a template: write ? for it, and put it among the query's values (params)".into()
        );
    }
    if sql.contains('\0') {
        return Err("must not hold NUL".into());
    }
    // MySQL runs what stands in these comments.
    if matches!(dialect, SqlDialect::Any | SqlDialect::MySql)
        && ["/*!", "/*M!", "/*m!"].iter().any(|comment| sql.contains(comment))
    {
        return Err("must not hold comments that are run: /*! and /*M!".into());
    }
    let parser_dialect: &dyn Dialect = match dialect {
        SqlDialect::Any => &GenericDialect {},
        SqlDialect::Postgres => &PostgreSqlDialect {},
        SqlDialect::MySql => &MySqlDialect {},
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
    if let Some(name) = forbidden_function(&tokens) {
        return Err(format!("must only read rows: the function {name} is not allowed"));
    }
    Ok(numbered)
}

/// A forbidden function, quoted or not, wherever it is called.
fn forbidden_function(tokens: &[TokenWithSpan]) -> Option<&str> {
    let mut solid =
        tokens.iter().map(|token| &token.token).filter(|token| !matches!(token, Token::Whitespace(_)));
    let mut before = solid.next()?;
    for token in solid {
        // U&"pg\005fread…" is a name in PostgreSQL, which decodes what this tokenizer does not.
        if let (Token::Word(word), Token::Ampersand) = (before, token)
            && word.value.eq_ignore_ascii_case("u")
        {
            return Some("U&");
        }
        if let (Token::Word(word), Token::LParen) = (before, token) {
            let name = word.value.to_ascii_lowercase();
            let is_forbidden = FORBIDDEN_FUNCTIONS.iter().any(|forbidden| {
                forbidden.strip_suffix('*').map_or(name == *forbidden, |start| name.starts_with(start))
            });
            if is_forbidden {
                return Some(&word.value);
            }
        }
        before = token;
    }
    None
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
                if text != "?"
                    && !text
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
    let has_dollars = tokens.iter().any(|token| placeholder(token).is_some_and(|text| text.starts_with('$')));
    let mut edits: Vec<(usize, usize, String)> = Vec::new();
    let mut params = 0;
    let mut highest = 0;
    let mut order = Vec::new();
    for token in tokens {
        let number = match &token.token {
            _ if let Some(text) = placeholder(token) => match text.trim_start_matches(['?', '$', ':', '@']) {
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
        order.push(number - 1);
        let mark = match dialect {
            SqlDialect::MySql => "?".to_owned(),
            SqlDialect::Sqlite => format!("?{number}"),
            SqlDialect::Any | SqlDialect::Postgres => format!("${number}"),
        };
        edits.push((start, end, mark));
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
    Ok(CheckedQuery { sql: out, params: params.max(highest), order })
}

/// The text of a placeholder. To MySQL's tokenizer `$1` is a name.
fn placeholder(token: &TokenWithSpan) -> Option<&str> {
    match &token.token {
        Token::Placeholder(text) => Some(text),
        Token::Word(word) if word.quote_style.is_none() => {
            let digits = word.value.strip_prefix('$')?;
            (!digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit())).then_some(&word.value)
        }
        _ => None,
    }
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

/// The bytes of a token.
fn offsets(sql: &str, token: &TokenWithSpan) -> (usize, usize) {
    range(sql, token.span)
}

/// The bytes of a part. The tokenizer counts lines and characters from 1.
pub fn range(sql: &str, span: Span) -> (usize, usize) {
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
    (offset(span.start.line, span.start.column), offset(span.end.line, span.end.column))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const DIALECTS: [SqlDialect; 4] =
        [SqlDialect::Any, SqlDialect::Postgres, SqlDialect::MySql, SqlDialect::Sqlite];

    #[test]
    fn what_mysql_runs_within_comments_is_refused() {
        for sql in ["SELECT 1 /*!50000 INTO OUTFILE '/tmp/x' */", "SELECT 1 /*M! , 2 */", "SELECT /*! 1 */"] {
            assert!(check(sql, SqlDialect::MySql).is_err(), "{sql}");
            assert!(check(sql, SqlDialect::Any).is_err(), "{sql}");
        }
    }

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
                "SELECT '?', `?` FROM c # ?\nWHERE a = $2 AND b = $1 AND c = $2",
                SqlDialect::MySql,
                "SELECT '?', `?` FROM c # ?\nWHERE a = ? AND b = ? AND c = ?",
                2,
            ),
            ("SELECT 'it\\'s ?' WHERE a = ?", SqlDialect::MySql, "SELECT 'it\\'s ?' WHERE a = ?", 1),
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
    fn a_parameter_may_stand_in_several_places() {
        let query = ok("SELECT 1 WHERE a = $2 AND b = $1 AND c = $2", SqlDialect::MySql);
        assert_eq!((query.params, query.order), (2, vec![1, 0, 1]));
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
            "SELECT pg_sleep(10)",
            "SELECT * FROM pg_read_file('/etc/passwd')",
            "SELECT \"pg_read_file\" ('/etc/passwd')",
            "SELECT pg_catalog.PG_LS_DIR('/')",
            "SELECT set_config('statement_timeout', '0', false)",
            "SELECT * FROM dblink('host=evil', 'SELECT 1') AS t(a int)",
            "SELECT query_to_xml('DELETE FROM c', true, true, '')",
            "SELECT nextval('s')",
            "SELECT load_file('/etc/passwd')",
            "SELECT BENCHMARK (1000000, MD5('x'))",
            "SELECT U&\"pg\\005fread\\005ffile\"('/etc/passwd')",
            "SELECT load_extension('x')",
            "SELECT writefile('/tmp/x', 'y')",
        ] {
            for dialect in DIALECTS {
                assert!(check(sql, dialect).is_err(), "{dialect:?} lets through: {sql}");
            }
        }
    }

    proptest! {
        #[test]
        fn any_text_is_checked_or_refused_without_a_crash(sql in "\\PC*") {
            for dialect in DIALECTS {
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
