//! Look-ups in SQLite: opened read-only; an authorizer lets nothing but reading through; the run is bounded by
//! SQLite's own progress handler.
//!
//! By rusqlite, on the same SQLite that sqlx would bring: sqlx has neither authorizer nor limits.

mod schema;

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use rusqlite::{
    Connection, ErrorCode, OpenFlags,
    config::DbConfig,
    ffi,
    hooks::{AuthAction, AuthContext, Authorization},
    limits::Limit,
    types::ValueRef,
};
use serde_json::Value;

pub use self::schema::is_named;
use super::{
    Bounded, Cause, Given, Limits, LookupError, Rows, TenantFile, case, checked,
    file::cause_of,
    ordering::{Blame, Comparisons},
    sources::Table,
    sql_check::SqlDialect,
    turns::Turn,
};

/// `LIKE` takes as many steps as its pattern is long for each byte that it goes through.
const MAX_PATTERN: i32 = 1_000;
/// A function puts its arguments together before it sees that they are too long.
const MAX_ARGUMENTS: i32 = 100;
/// Functions that no look-up needs: they leave the data, make long values of nothing, or take as many steps as their
/// values are long, squared.
const FORBIDDEN: [&str; 6] =
    ["load_extension", "zeroblob", "randomblob", "unhex", "json_patch", "jsonb_patch"];
/// What the functions of a statement may take between two looks at the clock, in steps of a 20th of a nanosecond
/// (`steps_of`): half a minute, which nothing but a query made for it takes.
const MAX_STEPS: u64 = 600_000_000_000;

/// The turn goes with the work, which goes on when its caller hangs up.
pub async fn ask(
    file: TenantFile,
    query: &str,
    given: Given<'_>,
    limits: &Limits,
    turn: Arc<Turn>,
) -> Result<Rows, LookupError> {
    let (query, limits) = (query.to_owned(), limits.clone());
    let (params, from_message) = (given.params.to_vec(), given.from_message.to_vec());
    tokio::task::spawn_blocking(move || {
        let given = Given { params: &params, from_message: &from_message };
        let answer = open(&file, limits.timeout / 2).and_then(|conn| run_on(&conn, &query, given, &limits));
        drop(turn);
        answer
    })
    .await
    .map_err(|_| LookupError::new(Cause::Answer, "the look-up broke off"))?
}

fn open(file: &TenantFile, patience: Duration) -> Result<Connection, LookupError> {
    let shut = |cause| LookupError::new(cause, "the file cannot be opened");
    // The path was opened beneath the tenant's folder a moment ago; a link that came since, to a file or a folder,
    // leads nowhere.
    let (Some(parent), Some(name)) = (file.path.parent(), file.path.file_name()) else {
        return Err(shut(Cause::File));
    };
    let real = |folder| std::fs::canonicalize(folder).map_err(|error| shut(cause_of(&error)));
    let (root, folder) = (real(file.folder.as_path())?, real(parent)?);
    if !folder.starts_with(&root) {
        return Err(shut(Cause::File));
    }
    let path = folder.join(name);
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY
        | OpenFlags::SQLITE_OPEN_NO_MUTEX
        | OpenFlags::SQLITE_OPEN_NOFOLLOW
        | OpenFlags::SQLITE_OPEN_EXRESCODE;
    let conn = Connection::open_with_flags(path, flags).map_err(|error| describe(&error))?;
    conn.busy_timeout(patience).map_err(|error| describe(&error))?;
    Ok(conn)
}

/// Runs a query on a database that was just opened: it may be anybody's.
fn run_on(conn: &Connection, query: &str, given: Given<'_>, limits: &Limits) -> Result<Rows, LookupError> {
    let deadline = Instant::now() + limits.timeout;
    schema::check(conn, deadline)?;
    let tables = schema::tables(conn, query, deadline)?;
    run(conn, query, given, &tables, limits)
}

/// Runs a query on a connection that is already open, and fences it first. `tables` are those that it may name.
pub fn run(
    conn: &Connection,
    query: &str,
    given: Given<'_>,
    tables: &[Table],
    limits: &Limits,
) -> Result<Rows, LookupError> {
    let checked = checked(query, SqlDialect::Sqlite, given.params.len())?;
    // SQLite would take a column in double quotes that is not there for a text, which equals nothing.
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_DQS_DML, false).map_err(|error| describe(&error))?;
    let blame = Blame::teach(conn).map_err(|error| describe(&error))?;
    let answer = run_checked(conn, &checked.sql, given, tables, limits);
    match blame.take(given) {
        Some(fault) if answer.is_err() => Err(fault),
        _ => answer,
    }
}

fn run_checked(
    conn: &Connection,
    sql: &str,
    given: Given<'_>,
    tables: &[Table],
    limits: &Limits,
) -> Result<Rows, LookupError> {
    let comparisons = Comparisons::of(sql, tables);
    comparisons.check(given)?;
    let fence = Fence::around(conn, limits).map_err(|error| describe(&error))?;
    case::teach(conn).map_err(|error| describe(&error))?;
    let as_written = conn.prepare(sql).map_err(|error| describe(&error))?;
    // An answer's columns are called by how they are written.
    let columns: Vec<String> = as_written.column_names().into_iter().map(str::to_owned).collect();
    let spelled_out = comparisons.spelled_out(sql).and_then(|sql| conn.prepare(&sql).ok());
    let mut statement = spelled_out.unwrap_or(as_written);
    fence.tighten(conn).map_err(|error| describe(&error))?;
    if statement.column_count() > Rows::MAX_COLUMNS {
        return Err(LookupError::new(
            Cause::TooLarge,
            format!("the answer has more than {} columns", Rows::MAX_COLUMNS),
        ));
    }
    let mut bounded = Bounded::new(limits);
    bounded.rows.columns = columns;
    let params: Vec<rusqlite::types::Value> = given.params.iter().map(parameter).collect();
    let mut found = statement.query(rusqlite::params_from_iter(params)).map_err(|error| describe(&error))?;
    while let Some(row) = found.next().map_err(|error| describe(&error))? {
        if bounded.is_full() {
            break;
        }
        let values = (0..bounded.rows.columns.len())
            .map(|i| row.get_ref(i).map(value).map_err(|error| describe(&error)))
            .collect::<Result<Vec<_>, _>>()?;
        let size = Bounded::size(&values);
        bounded.push(values, size)?;
    }
    Ok(bounded.rows)
}

/// How a query finds its rows as it is run (sqlite.org/eqp.html), step by step.
#[cfg(test)]
pub fn plan(conn: &Connection, query: &str, params: &[Value], tables: &[Table]) -> Vec<String> {
    let checked = checked(query, SqlDialect::Sqlite, params.len()).expect("is checked");
    Blame::teach(conn).expect("taught");
    let sql = Comparisons::of(&checked.sql, tables).spelled_out(&checked.sql).unwrap_or(checked.sql);
    unfence(conn);
    let mut statement = conn.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).expect("prepares");
    let params = rusqlite::params_from_iter(params.iter().map(parameter));
    let steps = statement.query_map(params, |row| row.get(3)).expect("a plan");
    let steps: rusqlite::Result<Vec<String>> = steps.collect();
    steps.expect("steps")
}

/// What holds a statement within its bounds.
struct Fence {
    deadline: Instant,
    /// The longest value, in bytes.
    max_bytes: i32,
    /// The steps of the statement's functions for each pair of bytes, as SQLite prepares it.
    steps: Arc<AtomicU64>,
}

impl Fence {
    fn around(conn: &Connection, limits: &Limits) -> rusqlite::Result<Self> {
        let deadline = Instant::now() + limits.timeout;
        let max_bytes = i32::try_from(limits.max_bytes).unwrap_or(i32::MAX).max(1_000_000);
        let steps = Arc::new(AtomicU64::new(0));
        conn.progress_handler(1_000, Some(move || Instant::now() >= deadline))?;
        conn.set_limit(Limit::SQLITE_LIMIT_LENGTH, max_bytes)?;
        conn.set_limit(Limit::SQLITE_LIMIT_LIKE_PATTERN_LENGTH, MAX_PATTERN)?;
        conn.set_limit(Limit::SQLITE_LIMIT_FUNCTION_ARG, MAX_ARGUMENTS)?;
        conn.set_limit(Limit::SQLITE_LIMIT_ATTACHED, 0)?;
        let counted = Arc::clone(&steps);
        conn.authorizer(Some(move |context: AuthContext<'_>| match context.action {
            AuthAction::Select | AuthAction::Read { .. } | AuthAction::Recursive => Authorization::Allow,
            AuthAction::Function { function_name } => {
                let is = |name: &&str| function_name.eq_ignore_ascii_case(name);
                if FORBIDDEN.iter().any(is) {
                    Authorization::Deny
                } else {
                    counted.fetch_add(steps_of(function_name), Ordering::Relaxed);
                    Authorization::Allow
                }
            }
            _ => Authorization::Deny,
        }))?;
        Ok(Self { deadline, max_bytes, steps })
    }

    /// SQLite looks at the clock between a loop's rounds, never within a function: the more slow functions a
    /// statement has, the shorter are the values that it may have, and the oftener the clock is looked at.
    fn tighten(&self, conn: &Connection) -> rusqlite::Result<()> {
        let steps = self.steps.load(Ordering::Relaxed);
        if steps == 0 {
            return Ok(());
        }
        let deadline = self.deadline;
        // A loop's round has a handful of instructions, of which one or two call a function.
        conn.progress_handler(4, Some(move || Instant::now() >= deadline))?;
        // The worst are two values that share the length: a quarter of its square in pairs of bytes.
        let longest = i32::try_from((MAX_STEPS / steps).isqrt() * 2).unwrap_or(i32::MAX);
        conn.set_limit(Limit::SQLITE_LIMIT_LENGTH, longest.min(self.max_bytes))?;
        Ok(())
    }
}

/// The steps that a function takes for each pair of bytes of its two values, about; none for most.
fn steps_of(function: &str) -> u64 {
    let is = |names: &[&str]| names.iter().any(|name| function.eq_ignore_ascii_case(name));
    if is(&["trim", "ltrim", "rtrim"]) { 30 } else { u64::from(is(&["instr", "replace", "like", "glob"])) }
}

/// Lets the connection write again, values of any length, and take its time: for a table of our own that is being
/// indexed.
pub fn unfence(conn: &Connection) {
    let _ = conn.authorizer(None::<fn(AuthContext<'_>) -> Authorization>);
    let _ = conn.progress_handler(0, None::<fn() -> bool>);
    let _ = conn.set_limit(Limit::SQLITE_LIMIT_LENGTH, i32::MAX);
}

fn parameter(value: &Value) -> rusqlite::types::Value {
    use rusqlite::types::Value as Sql;
    match value {
        Value::Null => Sql::Null,
        Value::Bool(flag) => Sql::Integer(i64::from(*flag)),
        Value::Number(number) => match (number.as_i64(), number.as_f64()) {
            (Some(integer), _) => Sql::Integer(integer),
            (None, Some(real)) if number.is_f64() => Sql::Real(real),
            _ => Sql::Text(number.to_string()),
        },
        Value::String(text) => Sql::Text(text.clone()),
        other => Sql::Text(other.to_string()),
    }
}

/// What is stored decides, not what the column declares: SQLite's types are the values' own.
fn value(stored: ValueRef<'_>) -> Value {
    match stored {
        ValueRef::Null => Value::Null,
        ValueRef::Integer(integer) => integer.into(),
        ValueRef::Real(real) => real.into(),
        ValueRef::Text(text) => String::from_utf8_lossy(text).into_owned().into(),
        ValueRef::Blob(blob) => format!("{} bytes", blob.len()).into(),
    }
}

/// What went wrong, in words (sqlite.org/rescode.html).
fn describe(error: &rusqlite::Error) -> LookupError {
    let rusqlite::Error::SqliteFailure(failure, message) = error else {
        return LookupError::new(Cause::Refused, format!("the database refused the query: {error}"));
    };
    let message = message.clone().unwrap_or_else(|| error.to_string());
    match failure.code {
        ErrorCode::OperationInterrupted => {
            LookupError::new(Cause::Time, "the query took longer than is allowed")
        }
        ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked => {
            LookupError::new(Cause::Answer, "the database is locked by a writer")
        }
        ErrorCode::ReadOnly | ErrorCode::AuthorizationForStatementDenied => {
            LookupError::new(Cause::Refused, format!("the query tried to do more than read: {message}"))
        }
        ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase => {
            LookupError::new(Cause::File, "the file is damaged, or is no SQLite database")
        }
        // It was opened a moment ago: what is in the way of that will go, but for a link.
        ErrorCode::CannotOpen => {
            let is_link = failure.extended_code == ffi::SQLITE_CANTOPEN_SYMLINK;
            LookupError::new(if is_link { Cause::File } else { Cause::Answer }, "the file cannot be opened")
        }
        ErrorCode::SystemIoFailure | ErrorCode::OutOfMemory | ErrorCode::FileLockingProtocolFailed => {
            LookupError::new(Cause::Answer, format!("the database could not be read: {message}"))
        }
        ErrorCode::TooBig => LookupError::new(Cause::TooLarge, "a value is larger than is allowed"),
        _ => LookupError::new(Cause::Refused, format!("the database refused the query: {message}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(
        conn: &Connection,
        query: &str,
        params: &[Value],
        tables: &[Table],
        limits: &Limits,
    ) -> Result<Rows, LookupError> {
        super::run(conn, query, Given { params, from_message: &vec![true; params.len()] }, tables, limits)
    }

    fn limits() -> Limits {
        Limits {
            connect_timeout: Duration::from_secs(1),
            timeout: Duration::from_secs(1),
            max_rows: 100,
            max_bytes: 1 << 20,
        }
    }

    /// Each of these would hold its thread for minutes or hours: SQLite looks at the clock between instructions.
    #[test]
    fn no_function_holds_a_thread() {
        let conn = Connection::open_in_memory().expect("opens");
        let long =
            "WITH RECURSIVE t(s) AS (SELECT 'a' UNION ALL SELECT s || s FROM t WHERE length(s) < 500000)";
        let many = |call: &str| vec![call; 200].join(", ");
        for (query, cause) in [
            (format!("SELECT {}", many("hex(zeroblob(500000)) LIKE '%1'")), Cause::Refused),
            (format!("SELECT {}", many("json_patch('{}', '{}')")), Cause::Refused),
            (
                format!("{long} SELECT {} FROM t", many("max(s) LIKE '%' || substr(max(s), 1, 2000) || '1'")),
                Cause::TooLarge,
            ),
            (format!("{long} SELECT {} FROM t", many("trim(max(s), max(s) || 'b')")), Cause::TooLarge),
            (format!("{long} SELECT {} FROM t", many("instr(max(s), max(s) || 'b')")), Cause::TooLarge),
            (format!("SELECT {}", vec!["1"; 501].join(", ")), Cause::TooLarge),
        ] {
            let started = Instant::now();
            let refused = run(&conn, &query, &[], &[], &limits()).expect_err("refused");
            assert_eq!(refused.cause, cause, "{refused}");
            assert!(started.elapsed() < Duration::from_secs(20), "{:?}", started.elapsed());
        }
        let long_pattern = run(&conn, "SELECT 'a' LIKE ?", &["a".repeat(1_001).into()], &[], &limits());
        assert_eq!(long_pattern.expect_err("too long").cause, Cause::Refused);
    }

    #[test]
    fn what_people_write_still_runs() {
        let conn = Connection::open_in_memory().expect("opens");
        conn.execute_batch("CREATE TABLE t (a); INSERT INTO t VALUES (' Ann@x.example ')").expect("made");
        let query =
            "SELECT trim(replace(a, '@', ' at ')), instr(a, ?), lower(a) LIKE ? FROM t WHERE a GLOB '*Ann*'";
        let params = [Value::from("x"), Value::from("%ann%")];
        let found = run(&conn, query, &params, &[], &limits()).expect("runs");
        assert_eq!(found.rows, [vec![Value::from("Ann at x.example"), Value::from(6), Value::from(1)]]);
        // One slow function leaves room for a body of a mail.
        let body = run(&conn, "SELECT instr(?, 'x')", &["a".repeat(900_000).into()], &[], &limits());
        assert_eq!(body.expect("runs").rows, [vec![Value::from(0)]]);
    }

    /// In a database that somebody made, a column may have no type: a view's that is worked out, or a table's.
    #[test]
    fn a_column_without_a_type_is_compared_with_numbers() {
        let conn = Connection::open_in_memory().expect("opens");
        conn.execute_batch(
            "CREATE TABLE data (customer, amount REAL, code TEXT, n); CREATE INDEX by_n ON data (n); \
             INSERT INTO data VALUES ('ann', 150, '007', 7), ('bob', 20, '8', 'x'); \
             CREATE VIEW owing AS SELECT customer, sum(amount) AS owed FROM data GROUP BY customer; \
             CREATE VIEW broken AS SELECT * FROM absent",
        )
        .expect("made");
        let count = |query: &str, params: &[&str]| {
            let params: Vec<Value> = params.iter().map(|param| Value::from(*param)).collect();
            let given = Given { params: &params, from_message: &[true, false] };
            unfence(&conn);
            run_on(&conn, query, given, &limits()).map(|rows| rows.rows.len()).map_err(|error| error.cause)
        };
        for (query, params, found) in [
            ("SELECT 1 FROM owing WHERE customer = ? AND owed <= ?", ["ann", "100"], Ok(0)),
            ("SELECT 1 FROM owing WHERE customer = ? AND owed <= ?", ["bob", "100"], Ok(1)),
            ("SELECT 1 FROM \"owing\" AS o WHERE o.customer > ? AND owed > ?", ["a", "20"], Ok(1)),
            ("SELECT 1 FROM data WHERE customer = ? AND n <= ?", ["ann", "5"], Ok(0)),
            ("SELECT 1 FROM data WHERE customer = ? AND n = ?", ["ann", "7"], Ok(1)),
            ("SELECT 1 FROM data WHERE code = ? AND n IN (?)", ["007", "7"], Ok(1)),
            ("SELECT 1 FROM data WHERE code = ? AND n <> ?", ["8", "7"], Ok(1)),
            ("SELECT 1 FROM owing WHERE owed <= ? AND owed > ?", ["abc", "1"], Err(Cause::Unfit)),
            ("SELECT 1 FROM owing WHERE customer = ? AND owed <= ?", ["ann", "abc"], Err(Cause::Rule)),
            // By another name, wherever it comes from.
            (
                "WITH w(who, due) AS (SELECT * FROM owing) SELECT 1 FROM w WHERE who = ? AND due <= ?",
                ["ann", "100"],
                Ok(0),
            ),
            ("SELECT 1 FROM (SELECT n AS code FROM data) WHERE code = ? OR code > ?", ["x", "100"], Ok(1)),
            (
                "SELECT 1 FROM (SELECT amount FROM data UNION ALL SELECT sum(amount) FROM data) \
                 WHERE amount > ? AND amount < ?",
                ["160", "1000"],
                Ok(1),
            ),
            ("WITH v(i) AS (VALUES (5), (50)) SELECT 1 FROM v WHERE i > ? AND i < ?", ["6", "100"], Ok(1)),
            (
                "SELECT 1 FROM data d WHERE code = ? AND (SELECT sum(n) FROM data e WHERE e.code = d.code) > ?",
                ["007", "50"],
                Ok(0),
            ),
            (
                "WITH p AS (SELECT ? AS least) SELECT 1 FROM p WHERE (SELECT sum(amount) FROM data) > p.least \
                 AND least <> ?",
                ["20", "x"],
                Ok(1),
            ),
            ("SELECT 1 FROM json_each('[5, 50]') WHERE value > ? AND value < ?", ["6", "100"], Ok(1)),
            ("SELECT 1 FROM owing WHERE customer = ? AND owed > '100' AND 'x' = ?", ["ann", "x"], Ok(1)),
            // It stands further on, so nobody knows what it is.
            (
                "WITH a AS (SELECT m FROM b), b AS (SELECT n AS m FROM data) SELECT 1 FROM a WHERE m > ? AND m < ?",
                ["1", "9"],
                Err(Cause::Rule),
            ),
        ] {
            assert_eq!(count(query, &params), found, "{query} {params:?}");
        }
        assert_eq!(count("SELECT * FROM broken WHERE 1 = ? OR ?", &["1", "1"]), Err(Cause::Refused));
        let query = "SELECT 1 FROM data WHERE n = ?";
        unfence(&conn);
        let tables = schema::tables(&conn, query, Instant::now() + Duration::from_secs(9)).expect("known");
        let plan = plan(&conn, query, &["7".into()], &tables).join("; ");
        assert!(plan.contains("INDEX by_n "), "{plan}");
    }

    /// What passes is no word on the message, and is asked again.
    #[test]
    fn trouble_that_passes_is_told_from_what_stays() {
        for (code, cause) in [
            (ffi::SQLITE_IOERR_READ, Cause::Answer),
            (ffi::SQLITE_NOMEM, Cause::Answer),
            (ffi::SQLITE_PROTOCOL, Cause::Answer),
            (ffi::SQLITE_CANTOPEN, Cause::Answer),
            (ffi::SQLITE_CANTOPEN_SYMLINK, Cause::File),
            (ffi::SQLITE_BUSY_SNAPSHOT, Cause::Answer),
            (ffi::SQLITE_CORRUPT, Cause::File),
            (ffi::SQLITE_NOTADB, Cause::File),
            (ffi::SQLITE_ERROR, Cause::Refused),
        ] {
            let error = rusqlite::Error::SqliteFailure(ffi::Error::new(code), None);
            assert_eq!(describe(&error).cause, cause, "{code}");
        }
    }

    /// Between the check and the opening, somebody puts a link in the place of a folder or of the file.
    #[test]
    fn a_link_that_came_since_leads_nowhere() {
        let root = tempfile::tempdir().expect("folder");
        let (acme, globex) = (root.path().join("acme"), root.path().join("globex"));
        for folder in [&acme, &globex] {
            std::fs::create_dir(folder).expect("folder");
            Connection::open(folder.join("a.db"))
                .and_then(|db| db.execute_batch("CREATE TABLE t (a)"))
                .expect("db");
        }
        std::os::unix::fs::symlink(&globex, acme.join("in")).expect("link");
        std::os::unix::fs::symlink(globex.join("a.db"), acme.join("b.db")).expect("link");
        let opened = |path: &str| {
            let handle = std::fs::File::open(acme.join("a.db")).expect("file");
            let file = TenantFile { folder: acme.clone(), path: acme.join(path), handle, is_whole: false };
            open(&file, Duration::ZERO)
                .and_then(|conn| conn.execute_batch("SELECT * FROM t").map_err(|e| describe(&e)))
        };
        assert_eq!(opened("a.db"), Ok(()));
        for path in ["in/a.db", "b.db", "../globex/a.db"] {
            assert_eq!(opened(path).expect_err(path).cause, Cause::File, "{path}");
        }
    }
}
