//! One statement, a query, nothing else: checked by a SQL parser before it goes anywhere.

mod functions;
pub mod installed;

use std::ops::ControlFlow;

use sqlparser::{
    ast::{Query, Select, Statement, Value, ValueWithSpan, Visit, Visitor},
    dialect::{Dialect, GenericDialect, MySqlDialect, PostgreSqlDialect, SQLiteDialect},
    keywords::Keyword,
    parser::Parser,
    tokenizer::{Span, Token, TokenWithSpan, Tokenizer, Whitespace},
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
    /// What it calls, which the database is still to be asked about.
    pub calls: Vec<functions::Call>,
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
    let mut numbered = number_placeholders(sql, &tokens, dialect)?;
    // Of what is sent: a number beside other characters may make them something else.
    let tokens = Tokenizer::new(parser_dialect, &numbered.sql)
        .tokenize()
        .map_err(|error| format!("is no SQL: {error}"))?;
    let solid: Vec<&Token> = tokens.iter().filter(|token| !matches!(token, Token::Whitespace(_))).collect();
    if let Some(fault) = read_in_two_ways(&tokens, &solid, dialect) {
        return Err(fault.into());
    }
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
    if let Some(word) = solid.iter().find_map(|token| match token {
        Token::Word(word) if word.quote_style.is_none() && word.keyword == Keyword::INTO => Some(&word.value),
        _ => None,
    }) {
        return Err(format!("must only read: {word} is not allowed"));
    }
    numbered.calls = functions::calls(&solid);
    match numbered.calls.iter().find(|call| functions::is_forbidden(call)) {
        Some(call) => Err(format!("must only read rows: the function {} is not allowed", call.name)),
        None => Ok(numbered),
    }
}

/// Why a server may read it otherwise than the parser, so that a call could stand in what the parser takes for a text.
fn read_in_two_ways(tokens: &[Token], solid: &[&Token], dialect: SqlDialect) -> Option<&'static str> {
    // U&"pg\005fread…" is a name in PostgreSQL, which decodes what this tokenizer does not.
    if solid
        .windows(2)
        .any(|pair| matches!(pair, [Token::Word(u), Token::Ampersand] if u.value.eq_ignore_ascii_case("u")))
    {
        return Some("must only read rows: U& is not allowed");
    }
    // To them all it is a name, and what follows it.
    if solid.iter().any(|token| matches!(token, Token::DoubleQuotedByteStringLiteral(_))) {
        return Some("must not hold b right before a double quote: put a blank between them");
    }
    match dialect {
        // What continues an E'' text on another line is one, too.
        SqlDialect::Postgres
            if solid.windows(2).any(|pair| {
                matches!(pair, [Token::EscapedStringLiteral(_), Token::SingleQuotedString(_)])
            }) =>
        {
            Some("must not hold a text right behind an E'' text: write them as one")
        }
        // Before version 15, the mark is a parameter and its alias.
        SqlDialect::Postgres if solid.iter().any(|token| has_numbered_mark(token)) => {
            Some("must not hold a $ text whose mark begins with a digit")
        }
        // The parser takes `||--` for an operator.
        SqlDialect::Postgres if has_comment_in_operator(tokens) => {
            Some("must not begin a comment within an operator: put a blank before it")
        }
        SqlDialect::MySql if tokens.iter().any(is_unsure_comment) => {
            Some("must not hold -- right before what is not ASCII: put a blank between them")
        }
        _ => None,
    }
}

fn has_numbered_mark(token: &Token) -> bool {
    match token {
        Token::DollarQuotedString(text) => {
            text.tag.as_ref().is_some_and(|mark| mark.starts_with(|c: char| c.is_ascii_digit()))
        }
        _ => false,
    }
}

fn has_comment_in_operator(tokens: &[Token]) -> bool {
    const OPERATORS: &str = "+-*/<>=~!@#%^&|`?";
    let mut operators = String::new();
    for token in tokens {
        let text = token.to_string();
        let is_operator =
            !matches!(token, Token::Whitespace(_)) && text.chars().all(|c| OPERATORS.contains(c));
        operators.push_str(if is_operator { &text } else { " " });
    }
    operators.contains("--") || operators.contains("/*")
}

/// To MySQL, a comment begins only where a blank follows, and its blanks are those of ASCII.
fn is_unsure_comment(token: &Token) -> bool {
    match token {
        Token::Whitespace(Whitespace::SingleLineComment { prefix, comment }) => {
            prefix == "--" && comment.starts_with(|c: char| !c.is_ascii())
        }
        _ => false,
    }
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
    Ok(CheckedQuery { sql: out, params: params.max(highest), order, calls: Vec::new() })
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

    #[test]
    fn what_acts_is_refused_however_it_is_called() {
        for sql in [
            "SELECT * FROM crosstab('SELECT 1') AS ct(a text, b text)",
            "SELECT * FROM public.crosstab4('SELECT 1')",
            "SELECT * FROM xpath_table('a', 'b', 'c', '/d', '1=1') AS t(a int)",
            "SELECT * FROM connectby('t', 'a', 'b', '1', 0) AS t(a text)",
            "SELECT ts_rewrite('a'::tsquery, 'SELECT 1')",
            "SELECT pg_prewarm('t')",
            "SELECT pg_stat_statements_reset()",
            "SELECT gin_clean_pending_list('i')",
            "SELECT brin_summarize_new_values('i')",
            "SELECT pg_nextoid('t', 'oid', 'i')",
            "SELECT pg_log_backend_memory_contexts(1)",
            "SELECT lowrite(0, '')",
            "SELECT lo_creat(0)",
            "SELECT http_get('http://x.example')",
            // Where the two readings part.
            "SELECT E'a'\n'\\', ', pg_sleep(60), ' -- '",
            "SELECT E'a' -- b\n'\\', ', pg_sleep(60), ' -- '",
            "SELECT 'a' ||-- '\n pg_read_file(chr(47)) -- '",
            "SELECT 'a' ||/* '\n */ pg_read_file(chr(47)) -- '",
            "SELECT x?$$, pg_sleep(60) FROM (SELECT 1) AS t(\"x$1$$\") -- $$",
            "SELECT $1a$, pg_sleep(60), $1a$ WHERE '' = $1",
            "SELECT b\"a\"",
        ] {
            assert!(check(sql, SqlDialect::Postgres).is_err(), "{sql}");
        }
        for sql in [
            "SELECT b\"\\\" , '\" , SLEEP(60) -- '\n FROM (SELECT 1 AS b) t",
            "SELECT 1 --\u{a0}+SLEEP(60)\n FROM (SELECT 1 AS `\u{a0}`) t",
            "SELECT sys_bineval('x')",
            "SELECT service_get_write_locks('a', 'b', 60)",
        ] {
            assert!(check(sql, SqlDialect::MySql).is_err(), "{sql}");
        }
    }

    #[test]
    fn what_only_looks_alike_goes_on() {
        for sql in [
            "SELECT shop.is_active(?)",
            "SELECT l.lo_tax, l.lo_orderkey, c.http, c.sleep, c.table_to_join FROM l, c",
            "SELECT l.lo_created_at, l.pg_read_at FROM reporting.crosstab_sales l",
            "SELECT (c.address).city FROM c",
            "SELECT a - -1, '--', \"a--b\", $$/*$$, $b$--$b$ -- x\n FROM c /* y */",
            "SELECT E'it\\'s', 'a' FROM c WHERE j #>> '{a,b}' = 'x' AND j @> '{}'",
            "SELECT 'a\\'",
            "SELECT sum(a) FILTER (WHERE b) OVER (PARTITION BY c) FROM d WHERE e IN (1, 2)",
            "SELECT a FROM t TABLESAMPLE system (10)",
        ] {
            ok(sql, SqlDialect::Postgres);
        }
        ok("SELECT 5--1, \"a\\\"b\" -- \u{e9}\n", SqlDialect::MySql);
    }

    #[test]
    fn calls_are_told_with_their_schemas() {
        let query = ok("SELECT shop.F(a), \"G\" (1), (x).h.k, t.i FROM a.b t", SqlDialect::Postgres);
        let calls: Vec<(&str, &str, bool)> =
            query.calls.iter().map(|call| (&*call.schema, &*call.name, call.is_member)).collect();
        let expected = [
            ("shop", "f", false),
            ("", "G", false),
            ("", "h", true),
            ("", "k", true),
            ("", "i", true),
            ("", "b", true),
        ];
        assert_eq!(calls, expected);
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
