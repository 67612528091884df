//! Look-ups in MySQL and MariaDB: a read-only transaction, a statement timeout, a row limit, prepared statements
//! only (which hold one statement, whatever the protocol would allow).

use std::time::Duration;

use futures::TryStreamExt;
use secrecy::ExposeSecret;
use serde_json::Value;
use sqlx::{
    AssertSqlSafe, Column, Connection as _, Executor, MySql, MySqlConnection, Row, TypeInfo, ValueRef,
    mysql::{MySqlConnectOptions, MySqlPoolOptions, MySqlRow, MySqlSslMode},
};

use super::{
    Bounded, Cause, Given, Limits, LookupError, Rows, checked,
    pools::{Lease, Pools},
    sql_check::SqlDialect,
};
use crate::{
    datasources::server::connection::{Connection, DatabaseEndpoint},
    rules::server::values,
    server::{error::chain, outbound::Fence},
};

pub async fn ask(
    pools: &Pools<MySql>,
    connection: &Connection,
    endpoint: &DatabaseEndpoint,
    query: &str,
    given: Given<'_>,
    fence: &Fence,
    limits: &Limits,
) -> Result<Rows, LookupError> {
    let checked = checked(query, SqlDialect::MySql, given.params.len())?;
    let pool = pools
        .get(connection, endpoint, fence, limits, |address| {
            let mut options = MySqlConnectOptions::new()
                .host(&address.ip().to_string())
                .port(address.port())
                .database(&endpoint.database)
                .ssl_mode(if endpoint.require_tls { MySqlSslMode::Required } else { MySqlSslMode::Preferred })
                // One sql_mode of our own, below: how a server reads quotes must not depend on its settings.
                .pipes_as_concat(false)
                .no_engine_substitution(false);
            if let Some(username) = &endpoint.username {
                options = options.username(username);
            }
            if let Some(password) = &endpoint.password {
                options = options.password(password.expose_secret());
            }
            MySqlPoolOptions::new()
                .max_connections(4)
                .min_connections(0)
                .idle_timeout(Duration::from_secs(60))
                .acquire_timeout(limits.connect_timeout)
                .test_before_acquire(false)
                .connect_lazy_with(options)
        })
        .await?;
    #[expect(clippy::disallowed_methods, reason = "the pool of a tenant's own database")]
    let acquired = pool.acquire().await;
    let mut lease = Lease::new(acquired.map_err(|error| pools.failed(connection, describe(&error)))?);
    let in_order = checked.order.iter().filter_map(|i| Some((given.params.get(*i)?, given.blame(*i))));
    let rows = run(lease.conn(), &checked.sql, &in_order.collect::<Vec<_>>(), limits).await?;
    // What is left of a cut answer would have to be read first: that connection is closed instead.
    if !rows.truncated {
        lease.give_back();
    }
    Ok(rows)
}

/// The parameters come in the order of their marks, each with why a look-up ends that it does not fit.
async fn run(
    conn: &mut MySqlConnection,
    sql: &str,
    params: &[(&Value, Cause)],
    limits: &Limits,
) -> Result<Rows, LookupError> {
    let failed = |error: sqlx::Error| describe(&error);
    // Set each time: a query may have changed the session before. The two differ in name and unit.
    let version: String =
        sqlx::query_scalar("SELECT VERSION()").fetch_one(&mut *conn).await.map_err(failed)?;
    let millis = limits.timeout.as_millis();
    let timeout = if version.contains("MariaDB") {
        format!("max_statement_time = {}.{:03}", millis / 1_000, millis % 1_000)
    } else {
        format!("max_execution_time = {millis}")
    };
    let settings = format!(
        "SET SESSION sql_mode = 'STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION', sql_select_limit = {}, \
         max_error_count = 1024, lock_wait_timeout = {}, {timeout}",
        limits.max_rows + 1,
        limits.timeout.as_secs().max(1),
    );
    conn.execute(AssertSqlSafe(settings)).await.map_err(failed)?;
    // Of a number nothing is passed over where one is asked for.
    let texts: Vec<(&str, Cause)> = params
        .iter()
        .filter_map(|(param, blame)| Some((param.as_str()?, *blame)))
        .filter(|(text, _)| values::plain(text).is_none())
        .collect();
    let mut tx = conn.begin_with("START TRANSACTION READ ONLY").await.map_err(failed)?;
    let mut ask = sqlx::query(AssertSqlSafe(sql.to_owned()));
    for (param, _) in params {
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
    let mut bounded = Bounded::new(limits);
    {
        let mut stream = ask.fetch(&mut *tx);
        while let Some(row) = stream.try_next().await.map_err(failed)? {
            if bounded.rows.columns.is_empty() {
                bounded.rows.columns = row.columns().iter().map(|column| column.name().to_owned()).collect();
            }
            if bounded.is_full() {
                break;
            }
            let values = (0..row.len()).map(|i| value(&row, i)).collect::<Result<Vec<_>, _>>()?;
            let size = Bounded::size(&values);
            bounded.push(values, size)?;
        }
        if bounded.rows.truncated {
            if texts.is_empty() {
                return Ok(bounded.rows);
            }
            // What it warns of is told at its end.
            let mut left = limits.max_rows.saturating_mul(PATIENT_ROWS);
            while stream.try_next().await.map_err(failed)?.is_some() {
                left = left.checked_sub(1).ok_or_else(|| limits.too_large())?;
            }
        }
    }
    if !texts.is_empty() {
        warned(&mut tx, &texts).await?;
    }
    tx.rollback().await.map_err(failed)?;
    Ok(bounded.rows)
}

/// Whether what the query was given was taken for what it is. Beside a number, MySQL reads as much of a text as is one, and
/// warns: `1042abc` is 1042, and `C-20319` is 0.
async fn warned(conn: &mut MySqlConnection, texts: &[(&str, Cause)]) -> Result<(), LookupError> {
    let warnings = sqlx::raw_sql("SHOW WARNINGS").fetch_all(conn).await.map_err(|error| describe(&error))?;
    let messages = warnings.iter().filter_map(|warning| warning.try_get_unchecked::<String, _>(2).ok());
    let mut faults = messages.filter_map(|message| {
        let (_, blame) = texts.iter().find(|(text, _)| is_of(&message, text))?;
        Some(LookupError::new(*blame, message))
    });
    faults.next().map_or(Ok(()), Err)
}

/// Whether a warning says that this text was cut to be a number (`ER_TRUNCATED_WRONG_VALUE`). Of a date it also says so where
/// it has understood it; and what is stored may be cut as well, which is nobody's fault.
fn is_of(message: &str, text: &str) -> bool {
    let said = message.strip_prefix("Truncated incorrect ").and_then(|rest| rest.split_once(" value: '"));
    let Some((kind, quoted)) = said else { return false };
    let quoted = quoted.trim_end_matches('\'');
    let is_whole = quoted == text || (quoted.len() >= LONGEST_SAID && text.starts_with(quoted));
    matches!(kind, "DOUBLE" | "DECIMAL" | "INTEGER") && !text.is_empty() && is_whole
}

/// So many bytes of a longer text stand in a warning, about.
const LONGEST_SAID: usize = 100;

/// So many times the rows that are read are passed over to see what the query warns of.
const PATIENT_ROWS: usize = 100;

fn value(row: &MySqlRow, i: usize) -> Result<Value, LookupError> {
    let failed =
        |error: sqlx::Error| LookupError::new(Cause::Refused, format!("a value cannot be read: {error}"));
    let raw = row.try_get_raw(i).map_err(failed)?;
    if raw.is_null() {
        return Ok(Value::Null);
    }
    let kind = raw.type_info().name().to_owned();
    Ok(match kind.as_str() {
        // What TINYINT(1) is called: a number like others, which may be 2.
        "BOOLEAN" => match row.try_get::<u64, _>(i) {
            Ok(unsigned) => unsigned.into(),
            Err(_) => row.try_get::<i64, _>(i).map_err(failed)?.into(),
        },
        "TINYINT" | "SMALLINT" | "MEDIUMINT" | "INT" | "BIGINT" => {
            row.try_get::<i64, _>(i).map_err(failed)?.into()
        }
        "TINYINT UNSIGNED" | "SMALLINT UNSIGNED" | "MEDIUMINT UNSIGNED" | "INT UNSIGNED"
        | "BIGINT UNSIGNED" | "YEAR" | "BIT" => row.try_get_unchecked::<u64, _>(i).map_err(failed)?.into(),
        "FLOAT" => as_written(row.try_get(i).map_err(failed)?).into(),
        "DOUBLE" => row.try_get::<f64, _>(i).map_err(failed)?.into(),
        "DATE" => row.try_get::<chrono::NaiveDate, _>(i).map_err(failed)?.to_string().into(),
        "DATETIME" | "TIMESTAMP" => {
            row.try_get_unchecked::<chrono::NaiveDateTime, _>(i).map_err(failed)?.to_string().into()
        }
        "TIME" => row.try_get::<sqlx::mysql::types::MySqlTime, _>(i).map_err(failed)?.to_string().into(),
        "JSON" => {
            let text: String = row.try_get_unchecked(i).map_err(failed)?;
            serde_json::from_str(&text).unwrap_or(Value::String(text))
        }
        "BLOB" | "TINYBLOB" | "MEDIUMBLOB" | "LONGBLOB" | "BINARY" | "VARBINARY" | "GEOMETRY" => {
            // A text with a binary collation says that it is a BLOB, too; MariaDB's JSON is one.
            let bytes: Vec<u8> = row.try_get_unchecked(i).map_err(failed)?;
            match String::from_utf8(bytes) {
                Ok(text) if !text.contains('\0') => text.into(),
                Ok(text) => format!("{} bytes", text.len()).into(),
                Err(error) => format!("{} bytes", error.as_bytes().len()).into(),
            }
        }
        "DECIMAL" => super::number(&row.try_get_unchecked::<String, _>(i).map_err(failed)?),
        _ => {
            let text: Vec<u8> = row.try_get_unchecked(i).map_err(failed)?;
            String::from_utf8_lossy(&text).into_owned().into()
        }
    })
}

/// The number that the shortest digits of a FLOAT say. Widened as it is, it would have digits that nobody wrote.
fn as_written(real: f32) -> f64 {
    real.to_string().parse().unwrap_or_else(|_| f64::from(real))
}

/// What went wrong, in words, and whether trying again may help.
pub fn describe(error: &sqlx::Error) -> LookupError {
    match error {
        sqlx::Error::Database(database) => {
            let number = database
                .try_downcast_ref::<sqlx::mysql::MySqlDatabaseError>()
                .map_or(0, sqlx::mysql::MySqlDatabaseError::number);
            numbered(number, database.message())
        }
        sqlx::Error::PoolTimedOut => LookupError::new(Cause::Time, "no connection could be had in time"),
        sqlx::Error::Io(error) => LookupError::new(Cause::Broken, format!("the connection failed: {error}")),
        sqlx::Error::Tls(error) => LookupError::new(Cause::Tls, format!("TLS failed: {error}")),
        other => LookupError::new(Cause::Answer, chain(other)),
    }
}

/// As `describe`, by MySQL's server error numbers. MariaDB shares most, and adds 1927 and 1969.
fn numbered(number: u16, message: &str) -> LookupError {
    match number {
        3024 | 1969 => LookupError::new(Cause::Time, "the query took longer than is allowed"),
        1205 | 1213 => LookupError::new(Cause::Time, "the query waited too long for a lock"),
        // It has no room, is no part of its cluster yet (Galera), ends, blocks this host for a while, or somebody called the
        // query off.
        1040 | 1047 | 1053 | 1129 | 1203 | 1226 | 1317 => LookupError::new(Cause::Answer, message.to_owned()),
        1158..=1161 | 1927 | 4031 => {
            LookupError::new(Cause::Broken, format!("the connection broke off: {message}"))
        }
        1045 | 1698 => {
            LookupError::new(Cause::Credentials, format!("the credentials were refused: {message}"))
        }
        1044 | 1142 | 1143 | 1227 | 1370 => {
            LookupError::new(Cause::Permission, format!("permission was refused: {message}"))
        }
        1049 => LookupError::new(Cause::Database, format!("there is no such database: {message}")),
        1792 => LookupError::new(Cause::Refused, format!("the query tried to write: {message}")),
        _ => LookupError::new(Cause::Refused, format!("the database refused the query: {message}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_warning_is_of_the_text_that_was_cut_to_be_a_number() {
        let long = "7".to_owned() + &"x".repeat(200);
        for (message, text, is_its) in [
            ("Truncated incorrect DOUBLE value: '7abc'", "7abc", true),
            ("Truncated incorrect DECIMAL value: '7abc'", "7abc", true),
            ("Truncated incorrect INTEGER value: 'it's'", "it's", true),
            (&format!("Truncated incorrect DOUBLE value: '{}'", &long[..128]), &long, true),
            ("Truncated incorrect DOUBLE value: 'A12'", "A", false),
            ("Truncated incorrect DOUBLE value: ''", "", false),
            ("Truncated incorrect datetime value: '2026-11-10T08:00:00Z'", "2026-11-10T08:00:00Z", false),
            ("Division by 0", "7abc", false),
        ] {
            assert_eq!(is_of(message, text), is_its, "{message} {text}");
        }
    }

    #[test]
    fn what_a_retry_may_mend_is_tried_again() {
        for (number, is_transient) in [
            (1040, true),
            (1047, true),
            (1129, true),
            (1158, true),
            (1161, true),
            (1205, true),
            (1317, true),
            (1927, true),
            (1969, true),
            (3024, true),
            (4031, true),
            (1045, false),
            (1049, false),
            (1064, false),
            (1142, false),
            (1792, false),
        ] {
            let error = numbered(number, "why");
            assert_eq!(error.transient(), is_transient, "{number}: {error}");
        }
    }
}
