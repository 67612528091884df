//! Upper and lower case in SQLite. Its own functions know ASCII alone: to them `MÜLLER` is not `Müller` in capitals, as it
//! is to other databases and in the fields of a message.

use rusqlite::{
    Connection,
    functions::{Context, FunctionFlags},
    types::{Value as Sql, ValueRef},
};
use sqlparser::{
    dialect::SQLiteDialect,
    tokenizer::{Token, Tokenizer},
};

/// What becomes of a text.
type Change = fn(&str) -> String;

/// A function of SQLite's, and what it does to a text here.
const FUNCTIONS: [(&str, Change); 2] = [("lower", str::to_lowercase), ("upper", str::to_uppercase)];

/// Makes the functions known to a connection in the place of SQLite's own. Not where an index or a column was made by
/// those: it holds what they make of a text, and nothing else finds it there.
///
/// # Errors
/// The database's.
pub fn teach(conn: &Connection) -> rusqlite::Result<()> {
    if has_made_any(conn)? {
        return Ok(());
    }
    let flags =
        FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_DETERMINISTIC | FunctionFlags::SQLITE_INNOCUOUS;
    for (name, change) in FUNCTIONS {
        conn.create_scalar_function(name, 1, flags, move |context: &Context<'_>| {
            Ok(match context.get_raw(0) {
                ValueRef::Null => Sql::Null,
                ValueRef::Integer(integer) => Sql::Text(integer.to_string()),
                ValueRef::Real(real) => Sql::Text(change(&written(real))),
                ValueRef::Text(text) | ValueRef::Blob(text) => {
                    Sql::Text(change(&String::from_utf8_lossy(text)))
                }
            })
        })?;
    }
    Ok(())
}

/// A number as SQLite makes a text of it: of 15 digits (`%!.15g`, sqlite.org/printf.html).
fn written(real: f64) -> String {
    let scientific = format!("{real:.14e}");
    match scientific.split_once('e').map(|(digits, exponent)| (digits, exponent.parse::<i32>())) {
        Some((digits, Ok(exponent))) if !(-4..15).contains(&exponent) => {
            let digits = digits.trim_end_matches('0');
            let end = if digits.ends_with('.') { "0" } else { "" };
            format!("{digits}{end}e{exponent:+03}")
        }
        _ => format!("{:?}", scientific.parse().unwrap_or(real)),
    }
}

fn has_made_any(conn: &Connection) -> rusqlite::Result<bool> {
    let mut statement =
        conn.prepare("SELECT type, sql FROM sqlite_master WHERE type IN ('table', 'index')")?;
    let mut found = statement.query([])?;
    while let Some(row) = found.next()? {
        let is_index = row.get_ref(0)?.as_str().is_ok_and(|kind| kind == "index");
        if row.get_ref(1)?.as_str().is_ok_and(|definition| is_made(is_index, definition)) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Whether an index, or a column of a table, is made by one of the functions. What a table only checks by them is not.
fn is_made(is_index: bool, definition: &str) -> bool {
    let small = definition.to_ascii_lowercase();
    if FUNCTIONS.iter().all(|(name, _)| !small.contains(name)) {
        return false;
    }
    // What cannot be read is taken for made.
    let Ok(tokens) = Tokenizer::new(&SQLiteDialect {}, definition).tokenize() else { return true };
    let solid: Vec<Token> =
        tokens.into_iter().filter(|token| !matches!(token, Token::Whitespace(_))).collect();
    let opens = |name: &str| {
        solid.windows(2).any(|pair| match pair {
            [Token::Word(word), Token::LParen] => word.value.eq_ignore_ascii_case(name),
            _ => false,
        })
    };
    FUNCTIONS.iter().any(|(name, _)| opens(name)) && (is_index || opens("as"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(conn: &Connection, sql: &str) -> Sql {
        conn.query_row(&format!("SELECT {sql}"), [], |row| row.get(0)).expect("answers")
    }

    #[test]
    fn every_letter_has_its_case_and_all_else_is_as_sqlite_has_it() {
        let [own, taught] = [(); 2].map(|()| Connection::open_in_memory().expect("opens"));
        teach(&taught).expect("taught");
        for (sql, text) in [
            ("lower('MÜLLER Ж')", "müller ж"),
            ("upper('Zoë ж')", "ZOË Ж"),
            ("lower(CAST('Ü' AS BLOB))", "ü"),
        ] {
            assert_eq!(of(&taught, sql), Sql::Text(text.to_owned()), "{sql}");
        }
        for value in [
            "NULL",
            "7",
            "-7",
            "1.0",
            "0.1 + 0.2",
            "-100.5",
            "0.0001",
            "1.5e-7",
            "1e14",
            "1e15",
            "1.25e100",
            "9e999",
            "'Ann'",
            "''",
            "x'416e6e'",
        ] {
            for (name, _) in FUNCTIONS {
                let sql = format!("{name}({value})");
                assert_eq!(of(&taught, &sql), of(&own, &sql), "{sql}");
            }
        }
    }

    #[test]
    fn what_was_made_by_sqlites_own_functions_is_asked_by_them() {
        for (schema, is_taught) in [
            ("CREATE TABLE t (a)", true),
            ("CREATE TABLE t (lower, a CHECK (a = lower(a) AND CAST(a AS TEXT) <> 'upper('))", true),
            ("CREATE TABLE t (lower, a); CREATE INDEX by_lower ON t (lower, a)", true),
            ("CREATE TABLE t (a); CREATE VIEW v AS SELECT lower(a) AS a FROM t", true),
            ("CREATE TABLE t (a); CREATE INDEX i ON t (LOWER /* of */ (a))", false),
            ("CREATE TABLE t (a); CREATE INDEX i ON t (a) WHERE upper(a) > 'X'", false),
            ("CREATE TABLE t (a, b AS (lower(a))); CREATE INDEX i ON t (b)", false),
            ("CREATE TABLE t (a, b TEXT GENERATED ALWAYS AS (upper(a)) STORED)", false),
        ] {
            let conn = Connection::open_in_memory().expect("opens");
            conn.execute_batch(schema).expect(schema);
            teach(&conn).expect("taught");
            let lower = if is_taught { "ü" } else { "Ü" };
            assert_eq!(of(&conn, "lower('Ü')"), Sql::Text(lower.to_owned()), "{schema}");
        }
        let conn = Connection::open_in_memory().expect("opens");
        conn.execute_batch(
            "CREATE TABLE t (a); CREATE INDEX i ON t (lower(a)); INSERT INTO t VALUES ('MÜLLER')",
        )
        .expect("made");
        teach(&conn).expect("taught");
        let found = "EXISTS (SELECT 1 FROM t INDEXED BY i WHERE lower(a) = lower('MÜLLER'))";
        assert_eq!(of(&conn, found), Sql::Integer(1));
    }
}
