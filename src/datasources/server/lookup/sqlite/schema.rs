//! The schema of a database that anybody may have made. SQLite holds it in memory, whole, before it runs anything: as some
//! sixty times the bytes that the file has of it, and without a look at the clock. So it is weighed before it is loaded.

use std::{sync::Arc, time::Instant};

use rusqlite::{Connection, ErrorCode, config::DbConfig, limits::Limit};

use super::describe;
use crate::datasources::server::lookup::{
    Cause, LookupError,
    sources::{Affinity, Table},
};

/// The texts of a schema together, and the longest one: bytes. In memory they take some 120 MiB.
const MAX_SCHEMA: f64 = (2 << 20) as f64;
const MAX_TEXT: i32 = 1_000_000;
/// What SQLite does for one table, index, view or trigger takes about ten steps, so there can be 5,000 of them. An
/// index may take 26 KB.
const MAX_ROUNDS: u32 = 50;
const ROUND: i32 = 1_000;
/// Longer texts are not parsed while they are weighed. Those of the statements here are shorter, and so is that of the table
/// in which a schema lies, which SQLite makes first.
const MAX_PARSED: i32 = 100;
const WEIGHT: &str = "SELECT total(octet_length(sql)) FROM sqlite_schema";
const NAMES: &str = "SELECT name FROM sqlite_schema WHERE type = 'view' OR type = 'table' AND rootpage > 0";

/// Weighs the schema of a database of which nothing was asked yet.
///
/// # Errors
/// `Cause::TooLarge`; the database's.
pub fn check(conn: &Connection, deadline: Instant) -> Result<(), LookupError> {
    weigh(conn, deadline).map_err(|error| match error.sqlite_error_code() {
        Some(ErrorCode::OperationInterrupted) if Instant::now() < deadline => too_large(),
        _ => describe(&error),
    })?
}

fn weigh(conn: &Connection, deadline: Instant) -> rusqlite::Result<Result<(), LookupError>> {
    conn.set_limit(Limit::SQLITE_LIMIT_LENGTH, MAX_TEXT)?;
    let parsed = conn.set_limit(Limit::SQLITE_LIMIT_SQL_LENGTH, MAX_PARSED)?;
    // What is not parsed is no fault then, and the table in which the schema lies can be asked.
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_WRITABLE_SCHEMA, true)?;
    limit(conn, MAX_ROUNDS, deadline)?;
    let weight: f64 = conn.query_row(WEIGHT, [], |row| row.get(0))?;
    // Forgets what it has loaded of the schema.
    conn.execute_batch("PRAGMA writable_schema = RESET")?;
    conn.set_limit(Limit::SQLITE_LIMIT_SQL_LENGTH, parsed)?;
    Ok(if weight > MAX_SCHEMA { Err(too_large()) } else { Ok(()) })
}

/// Ends each statement after so many rounds, or when it is time.
fn limit(conn: &Connection, rounds: u32, deadline: Instant) -> rusqlite::Result<()> {
    let mut left = rounds;
    let is_over = move || {
        left = left.saturating_sub(1);
        left == 0 || Instant::now() >= deadline
    };
    conn.progress_handler(ROUND, Some(is_over))
}

fn too_large() -> LookupError {
    LookupError::new(Cause::TooLarge, "the database's tables, views and triggers are more than can be loaded")
}

/// The tables and views that a query names, after `check`. Virtual tables are not asked for: that runs what the
/// database's maker chose.
///
/// # Errors
/// The database's.
pub fn tables(conn: &Connection, query: &str, deadline: Instant) -> Result<Vec<Table>, LookupError> {
    limit(conn, u32::MAX, deadline).map_err(|error| describe(&error))?;
    let names = names(conn).map_err(|error| describe(&error))?;
    let query = query.to_ascii_lowercase();
    let named = names.into_iter().filter(|name| is_named(&query, &name.to_ascii_lowercase()));
    Ok(named
        .map(|name| {
            // A view may be broken, which is of no matter where the query does not mean it.
            let columns = columns(conn, &name).unwrap_or_default();
            Table { name, columns }
        })
        .collect())
}

fn names(conn: &Connection) -> rusqlite::Result<Vec<String>> {
    let mut statement = conn.prepare(NAMES)?;
    let found = statement.query_map([], |row| row.get(0))?;
    found.collect()
}

/// A table's columns, each by the type that it was declared to have.
fn columns(conn: &Connection, table: &str) -> rusqlite::Result<Vec<(Arc<str>, Affinity)>> {
    let mut statement = conn.prepare("SELECT name, type FROM pragma_table_xinfo(?1)")?;
    let affinity = |kind: String| Affinity::declared(&kind);
    let found = statement.query_map([table], |row| Ok((row.get(0)?, row.get(1).map(affinity)?)))?;
    found.collect()
}

/// Whether the name stands in the query, as a word: both in small letters.
pub fn is_named(query: &str, name: &str) -> bool {
    let is_inside = |c: char| c.is_alphanumeric() || c == '_';
    !name.is_empty()
        && query.match_indices(name).any(|(at, _)| {
            let (before, after) = (&query[..at], &query[at + name.len()..]);
            !before.ends_with(is_inside) && !after.starts_with(is_inside)
        })
}

#[cfg(test)]
mod tests {
    use std::{path::Path, time::Duration};

    use super::*;

    fn made(path: &Path, statements: impl Iterator<Item = String>) {
        let conn = Connection::open(path).expect("opens");
        conn.execute_batch("PRAGMA synchronous = OFF; BEGIN").expect("begun");
        statements.for_each(|statement| conn.execute_batch(&statement).expect("made"));
        conn.execute_batch("COMMIT").expect("made");
    }

    fn checked(path: &Path) -> (Connection, Result<(), LookupError>) {
        let flags = rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY | rusqlite::OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let conn = Connection::open_with_flags(path, flags).expect("opens");
        let checked = check(&conn, Instant::now() + Duration::from_secs(20));
        (conn, checked)
    }

    #[test]
    fn a_schema_that_would_take_all_memory_is_refused_before_it_is_loaded() {
        let folder = tempfile::tempdir().expect("folder");
        let file = |name: &str, statements: &mut dyn Iterator<Item = String>| {
            let path = folder.path().join(name);
            made(&path, statements);
            path
        };
        let list = vec!["1"; 490_000].join(",");
        let table = std::iter::once("CREATE TABLE t (a)".to_owned());
        let trigger =
            |i: i32| format!("CREATE TRIGGER t{i} AFTER INSERT ON t BEGIN SELECT 1 IN ({list}); END");
        let views = "PRAGMA writable_schema = ON; \
            WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 30000) \
            INSERT INTO sqlite_schema SELECT 'view', 'v' || i, 'v' || i, 0, 'CREATE VIEW v' || i || ' AS SELECT 1' FROM n";
        for path in [
            file("triggers", &mut table.chain((0..3).map(trigger))),
            file("views", &mut std::iter::once(views.to_owned())),
        ] {
            let started = Instant::now();
            let refused = checked(&path).1.expect_err("too large");
            assert_eq!(refused.cause, Cause::TooLarge, "{}: {refused}", path.display());
            assert!(started.elapsed() < Duration::from_secs(10), "{}", path.display());
        }
    }

    #[test]
    fn no_samples_are_loaded_with_a_schema() {
        let conn = Connection::open_in_memory().expect("opens");
        let has: bool = conn
            .query_row("SELECT sqlite_compileoption_used('ENABLE_STAT4')", [], |row| row.get(0))
            .expect("says");
        assert!(!has, "see .cargo/config.toml");
    }

    #[test]
    fn a_schema_of_many_tables_is_loaded_as_it_is() {
        let folder = tempfile::tempdir().expect("folder");
        let path = folder.path().join("many");
        let columns: Vec<String> = (0..40).map(|i| format!("a_column_of_this_{i} VARCHAR(50)")).collect();
        let columns = columns.join(", ");
        made(
            &path,
            (0..500).map(|i| format!("CREATE TABLE t{i} (id INTEGER PRIMARY KEY, loose, {columns})")),
        );
        let (conn, checked) = checked(&path);
        assert_eq!(checked, Ok(()));
        let count: i64 = conn.query_row("SELECT count(*) FROM t499", [], |row| row.get(0)).expect("is there");
        assert_eq!(count, 0);
        let is_writable: bool =
            conn.query_row("PRAGMA writable_schema", [], |row| row.get(0)).expect("answers");
        assert!(!is_writable);
        let late = Instant::now() + Duration::from_secs(20);
        let found = tables(&conn, "SELECT loose FROM \"T7\" JOIN t70", late).expect("known");
        assert_eq!(found.iter().map(|table| table.name.as_str()).collect::<Vec<_>>(), ["t7", "t70"]);
        for table in found {
            let untyped = table.columns.iter().filter(|(_, affinity)| *affinity == Affinity::Nothing);
            assert_eq!(untyped.map(|(name, _)| &**name).collect::<Vec<_>>(), ["loose"]);
        }
    }

    #[test]
    fn what_is_no_database_is_said_to_be_none() {
        let folder = tempfile::tempdir().expect("folder");
        let path = folder.path().join("none");
        for (bytes, refused) in [(&b"no database"[..], Err(Cause::File)), (b"", Ok(()))] {
            std::fs::write(&path, bytes.repeat(1_000)).expect("written");
            assert_eq!(checked(&path).1.map_err(|error| error.cause), refused);
        }
    }

    #[test]
    fn a_type_is_what_sqlite_takes_for_one() {
        for (declared, affinity) in [
            ("", Affinity::Nothing),
            ("blob", Affinity::Nothing),
            ("ANY", Affinity::Nothing),
            ("TEXT", Affinity::Text),
            ("varchar(20)", Affinity::Text),
            ("INTEGER", Affinity::Number),
            ("NUM", Affinity::Number),
            ("DECIMAL(10, 2)", Affinity::Number),
            ("BLOB TEXT", Affinity::Text),
        ] {
            assert_eq!(Affinity::declared(declared), affinity, "{declared}");
        }
        assert!(is_named("select * from \"data\"", "data") && is_named("from a,data where", "data"));
        assert!(!is_named("from metadata", "data") && !is_named("from data_2", "data"));
    }
}
