//! Look-ups in SQLite: opened read-only; an authorizer lets nothing but reading through; the run is bounded by
//! SQLite's own progress handler.
//!
//! By rusqlite, on the same SQLite that sqlx would bring: sqlx has neither authorizer nor limits.

use std::time::{Duration, Instant};

use rusqlite::{
    Connection, ErrorCode, OpenFlags,
    hooks::{AuthAction, AuthContext, Authorization},
    limits::Limit,
    types::ValueRef,
};
use serde_json::Value;

use super::{Bounded, Cause, Limits, LookupError, Rows, TenantFile, checked, sql_check::SqlDialect};

pub async fn ask(
    file: TenantFile,
    query: &str,
    params: &[Value],
    limits: &Limits,
) -> Result<Rows, LookupError> {
    let (query, params, limits) = (query.to_owned(), params.to_vec(), limits.clone());
    tokio::task::spawn_blocking(move || run(&open(&file, limits.timeout / 2)?, &query, &params, &limits))
        .await
        .map_err(|_| LookupError::new(Cause::Answer, "the look-up broke off"))?
}

fn open(file: &TenantFile, patience: Duration) -> Result<Connection, LookupError> {
    // The path was opened beneath the tenant's folder a moment ago; a link that came since, to a file or a folder,
    // leads nowhere.
    let parent = file.path.parent().map(std::fs::canonicalize);
    let path = match (std::fs::canonicalize(&file.folder), parent, file.path.file_name()) {
        (Ok(root), Some(Ok(folder)), Some(name)) if folder.starts_with(&root) => folder.join(name),
        _ => return Err(LookupError::new(Cause::File, "the file cannot be opened")),
    };
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY
        | OpenFlags::SQLITE_OPEN_NO_MUTEX
        | OpenFlags::SQLITE_OPEN_NOFOLLOW
        | OpenFlags::SQLITE_OPEN_EXRESCODE;
    let conn = Connection::open_with_flags(path, flags).map_err(|error| describe(&error))?;
    conn.busy_timeout(patience).map_err(|error| describe(&error))?;
    Ok(conn)
}

/// Runs a query on a connection that is already open, and fences it first.
pub fn run(conn: &Connection, query: &str, params: &[Value], limits: &Limits) -> Result<Rows, LookupError> {
    let checked = checked(query, SqlDialect::Sqlite, params.len())?;
    fence(conn, limits).map_err(|error| describe(&error))?;
    let mut statement = conn.prepare(&checked.sql).map_err(|error| describe(&error))?;
    let mut bounded = Bounded::new(limits);
    bounded.rows.columns = statement.column_names().into_iter().map(str::to_owned).collect();
    let params: Vec<rusqlite::types::Value> = params.iter().map(parameter).collect();
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

fn fence(conn: &Connection, limits: &Limits) -> rusqlite::Result<()> {
    let deadline = Instant::now() + limits.timeout;
    conn.progress_handler(1_000, Some(move || Instant::now() >= deadline))?;
    let max_bytes = i32::try_from(limits.max_bytes).unwrap_or(i32::MAX);
    conn.set_limit(Limit::SQLITE_LIMIT_LENGTH, max_bytes.max(1_000_000))?;
    conn.set_limit(Limit::SQLITE_LIMIT_ATTACHED, 0)?;
    conn.authorizer(Some(|context: AuthContext<'_>| match context.action {
        AuthAction::Select | AuthAction::Read { .. } | AuthAction::Recursive => Authorization::Allow,
        AuthAction::Function { function_name } => {
            if function_name.eq_ignore_ascii_case("load_extension") {
                Authorization::Deny
            } else {
                Authorization::Allow
            }
        }
        _ => Authorization::Deny,
    }))
}

/// Lets the connection write again, and take its time: for a table of our own that is being indexed.
pub fn unfence(conn: &Connection) {
    let _ = conn.authorizer(None::<fn(AuthContext<'_>) -> Authorization>);
    let _ = conn.progress_handler(0, None::<fn() -> bool>);
}

fn parameter(value: &Value) -> rusqlite::types::Value {
    use rusqlite::types::Value as Sql;
    match value {
        Value::Null => Sql::Null,
        Value::Bool(flag) => Sql::Integer(i64::from(*flag)),
        Value::Number(number) => match (number.as_i64(), number.as_f64()) {
            (Some(integer), _) => Sql::Integer(integer),
            (None, Some(real)) => Sql::Real(real),
            (None, None) => Sql::Text(number.to_string()),
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
        ErrorCode::CannotOpen => LookupError::new(Cause::File, "the file cannot be opened"),
        ErrorCode::TooBig => LookupError::new(Cause::TooLarge, "a value is larger than is allowed"),
        _ => LookupError::new(Cause::Refused, format!("the database refused the query: {message}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
            let file = TenantFile { folder: acme.clone(), path: acme.join(path), handle };
            open(&file, Duration::ZERO)
                .and_then(|conn| conn.execute_batch("SELECT * FROM t").map_err(|e| describe(&e)))
        };
        assert_eq!(opened("a.db"), Ok(()));
        for path in ["in/a.db", "b.db", "../globex/a.db"] {
            assert_eq!(opened(path).expect_err(path).cause, Cause::File, "{path}");
        }
    }
}
