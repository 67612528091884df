//! Look-ups in SQLite: the file opened read-only, the run bounded by SQLite's own progress handler.

use std::{
    path::Path,
    time::{Duration, Instant},
};

use futures::TryStreamExt;
use serde_json::Value;
use sqlx::{
    AssertSqlSafe, Column, Connection, Row, SqliteConnection, TypeInfo, ValueRef,
    sqlite::{SqliteConnectOptions, SqliteRow},
};

use super::{Limits, LookupError, Rows, sql_check};

pub async fn ask(path: &Path, query: &str, params: &[Value], limits: &Limits) -> Result<Rows, LookupError> {
    let options = SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(false)
        .read_only(true)
        .busy_timeout(limits.timeout / 2);
    let mut conn = SqliteConnection::connect_with(&options).await.map_err(|error| describe(&error))?;
    let rows = run(&mut conn, query, params, limits).await;
    let _ = conn.close().await;
    rows
}

/// Runs a query on a connection that is already open.
pub async fn run(
    conn: &mut SqliteConnection,
    query: &str,
    params: &[Value],
    limits: &Limits,
) -> Result<Rows, LookupError> {
    let checked = sql_check::check(query, sql_check::SqlDialect::Sqlite)
        .map_err(|fault| LookupError::permanent(format!("the query {fault}")))?;
    if checked.params != params.len() {
        return Err(LookupError::permanent(format!(
            "the query takes {} parameters and the rule gives {}",
            checked.params,
            params.len()
        )));
    }
    stop_after(conn, limits.timeout).await?;
    let mut ask = sqlx::query(AssertSqlSafe(checked.sql));
    for param in params {
        ask = match param {
            Value::Null => ask.bind(None::<String>),
            Value::Bool(flag) => ask.bind(*flag),
            Value::Number(number) => match number.as_i64() {
                Some(integer) => ask.bind(integer),
                None => ask.bind(number.as_f64()),
            },
            Value::String(text) => ask.bind(text.clone()),
            other => ask.bind(other.to_string()),
        };
    }
    let mut rows = Rows::default();
    let mut bytes = 0;
    let mut stream = ask.fetch(&mut *conn);
    while let Some(row) = stream.try_next().await.map_err(|error| describe(&error))? {
        if rows.columns.is_empty() {
            rows.columns = row.columns().iter().map(|column| column.name().to_owned()).collect();
        }
        if rows.rows.len() == limits.max_rows {
            rows.truncated = true;
            break;
        }
        let values = (0..row.len()).map(|i| value(&row, i)).collect::<Result<Vec<_>, _>>()?;
        bytes += values.iter().map(|value| value.as_str().map_or(8, str::len)).sum::<usize>();
        if bytes > limits.max_bytes {
            return Err(LookupError::permanent(format!(
                "the answer is larger than {} bytes",
                limits.max_bytes
            )));
        }
        rows.rows.push(values);
    }
    Ok(rows)
}

async fn stop_after(conn: &mut SqliteConnection, time: Duration) -> Result<(), LookupError> {
    let deadline = Instant::now() + time;
    let mut handle = conn.lock_handle().await.map_err(|error| describe(&error))?;
    handle.set_progress_handler(1_000, move || Instant::now() < deadline);
    Ok(())
}

fn value(row: &SqliteRow, i: usize) -> Result<Value, LookupError> {
    let raw = row.try_get_raw(i).map_err(|error| describe(&error))?;
    if raw.is_null() {
        return Ok(Value::Null);
    }
    let kind = raw.type_info().name().to_owned();
    let failed = |error: sqlx::Error| describe(&error);
    // What is stored decides, not what the column declares: SQLite's types are the values' own.
    Ok(match kind.as_str() {
        "INTEGER" | "BOOLEAN" => row.try_get_unchecked::<i64, _>(i).map_err(failed)?.into(),
        "REAL" => row.try_get_unchecked::<f64, _>(i).map_err(failed)?.into(),
        "BLOB" => {
            let blob: Vec<u8> = row.try_get_unchecked(i).map_err(failed)?;
            format!("{} bytes", blob.len()).into()
        }
        _ => {
            let text: Vec<u8> = row.try_get_unchecked(i).map_err(failed)?;
            String::from_utf8_lossy(&text).into_owned().into()
        }
    })
}

fn describe(error: &sqlx::Error) -> LookupError {
    match error {
        sqlx::Error::Database(database) => {
            let message = database.message();
            // Primary result codes (sqlite.org/rescode.html); the extended ones carry them in the low byte.
            match database.code().and_then(|code| code.parse::<i32>().ok()).map(|code| code & 0xff) {
                Some(9) => LookupError::transient("the query took longer than is allowed"),
                Some(5 | 6) => LookupError::transient("the database is locked by a writer"),
                Some(8) => LookupError::permanent(format!("the query tried to write: {message}")),
                Some(11 | 26) => LookupError::permanent("the file is damaged, or is no SQLite database"),
                Some(14) => LookupError::permanent("the file cannot be opened"),
                _ => LookupError::permanent(format!("the database refused the query: {message}")),
            }
        }
        other => LookupError::transient(other.to_string()),
    }
}
