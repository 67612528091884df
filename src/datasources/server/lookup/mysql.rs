//! Look-ups in MySQL and MariaDB: a read-only transaction, a statement timeout, a row limit, prepared statements
//! only (which hold one statement, whatever the protocol would allow).

use std::{sync::LazyLock, time::Duration};

use futures::{TryStreamExt, stream::BoxStream};
use regex::Regex;
use secrecy::ExposeSecret;
use serde_json::Value;
use sqlx::{
    AssertSqlSafe, Column, Connection as _, Executor, MySql, MySqlConnection, Row, TypeInfo, ValueRef,
    error::DatabaseError,
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
    let texts: Vec<(&str, Cause)> =
        params.iter().filter_map(|(param, blame)| Some((param.as_str()?, *blame))).collect();
    let are_numbers = texts.iter().all(|(text, _)| values::plain(text).is_some());
    let mut tx = conn.begin_with("START TRANSACTION READ ONLY").await.map_err(failed)?;
    let mut ask = sqlx::query(AssertSqlSafe(sql.to_owned()));
    for (param, _) in params {
        ask = match param {
            Value::Null => ask.bind(None::<String>),
            Value::Bool(flag) => ask.bind(*flag),
            Value::Number(number) => match (number.as_i64(), number.as_u64()) {
                (Some(integer), _) => ask.bind(integer),
                (None, Some(integer)) => ask.bind(integer),
                (None, None) => ask.bind(number.as_f64()),
            },
            Value::String(text) => ask.bind(text.clone()),
            other => ask.bind(other.to_string()),
        };
    }
    let mut bounded = Bounded::new(limits);
    {
        let mut stream = ask.fetch(&mut *tx);
        while let Some(row) = stream.try_next().await.map_err(|error| blamed(&error, &texts))? {
            if bounded.rows.columns.is_empty() {
                bounded.rows.columns = row.columns().iter().map(|column| column.name().to_owned()).collect();
            }
            if bounded.is_full() {
                break;
            }
            let values = (0..row.len()).map(|i| value(&row, i)).collect::<Result<Vec<_>, _>>()?;
            let place = bounded.rows.rows.len();
            let kinds = row.columns().iter().map(|column| column.type_info().name()).enumerate();
            let is_decimal = |i: usize| values[i].as_str().is_some_and(|text| text.contains('.'));
            let decimals = kinds.filter(|(i, kind)| *kind == "DECIMAL" && is_decimal(*i));
            bounded.rows.decimals.extend(decimals.map(|(i, _)| (place, i)));
            let size = Bounded::size(&values);
            bounded.push(values, size)?;
        }
        if bounded.rows.truncated {
            // Of numbers it hardly warns: for those, nobody waits longer.
            if are_numbers {
                return Ok(bounded.rows);
            }
            to_its_end(&mut stream, &texts, limits).await?;
        }
    }
    if !texts.is_empty() {
        warned(&mut tx, &texts).await?;
    }
    tx.rollback().await.map_err(failed)?;
    Ok(bounded.rows)
}

/// Reads what is left of an answer: what a query warns of is told at its end.
async fn to_its_end(
    stream: &mut BoxStream<'_, sqlx::Result<MySqlRow>>,
    texts: &[(&str, Cause)],
    limits: &Limits,
) -> Result<(), LookupError> {
    let mut left = limits.max_rows.saturating_mul(PATIENT_ROWS);
    while stream.try_next().await.map_err(|error| blamed(&error, texts))?.is_some() {
        left = left.checked_sub(1).ok_or_else(|| limits.too_large())?;
    }
    Ok(())
}

/// Whether what the query was given was taken for what it is. Beside a number, MySQL reads as much of a text as is one, and
/// warns: `1042abc` is 1042, and `C-20319` is 0. Beside a date, `hello` is one before all others.
async fn warned(conn: &mut MySqlConnection, texts: &[(&str, Cause)]) -> Result<(), LookupError> {
    let warnings = sqlx::raw_sql("SHOW WARNINGS").fetch_all(conn).await.map_err(|error| describe(&error))?;
    // One of those tells of blanks behind a number, or of less than a microsecond.
    let is_note = |row: &MySqlRow| row.try_get_unchecked::<String, _>(0).is_ok_and(|level| level == "Note");
    let messages = warnings.iter().filter(|&row| !is_note(row));
    let messages = messages.filter_map(|warning| warning.try_get_unchecked::<String, _>(2).ok());
    let mut faults = messages.filter_map(|message| {
        let (_, blame) = texts.iter().find(|(text, _)| is_of(&message, text))?;
        Some(LookupError::new(*blame, message))
    });
    faults.next().map_or(Ok(()), Err)
}

/// Whether a warning says that this text was not taken for what it is (`ER_TRUNCATED_WRONG_VALUE`, `ER_WRONG_VALUE`). Of a
/// moment with its zone it also says so where it has understood it; and what is stored may be cut as well, which is nobody's
/// fault.
fn is_of(message: &str, text: &str) -> bool {
    let starts = ["Truncated incorrect ", "Incorrect "];
    let said = starts.iter().find_map(|start| message.strip_prefix(start)?.split_once(" value: '"));
    let Some((kind, said)) = said else { return false };
    let is_unread = match kind.to_ascii_lowercase().as_str() {
        "double" | "decimal" | "integer" => values::plain(text).is_none(),
        kind if DATES.contains(&kind) => !is_moment(text),
        "inet4" | "inet6" | "uuid" => true,
        _ => false,
    };
    // A function that the rule calls for that may be one of several which try a text.
    let of_column = said.rsplit_once("' for column ").map(|(quoted, _)| quoted);
    let Some(quoted) = of_column.or_else(|| said.strip_suffix('\'')) else { return false };
    is_unread && !text.is_empty() && is_quoted(quoted, text)
}

/// The kinds of dates and times, as warnings call them.
const DATES: [&str; 5] = ["date", "datetime", "time", "timestamp", "year"];

/// Whether a text is a date and a time of ISO 8601, which MariaDB has read where it warns of the zone that follows.
fn is_moment(text: &str) -> bool {
    MOMENT.captures(text.trim_ascii()).is_some_and(|found| found[1].parse::<chrono::NaiveDate>().is_ok())
}

/// What follows is no `PM`, which MariaDB passes over as well.
static MOMENT: LazyLock<Regex> = LazyLock::new(|| {
    const PATTERN: &str = concat!(
        "^([0-9]{4}-[0-9]{2}-[0-9]{2})[T ](?:[01][0-9]|2[0-3]):[0-5][0-9](?::[0-5][0-9](?:[.,][0-9]+)?)?",
        " *(?i:z|[a-z]{3,}[a-z0-9/_+:-]*|[+-][0-9:]+.*)?$"
    );
    #[expect(clippy::expect_used, reason = "a constant, which the tests compile")]
    Regex::new(PATTERN).expect("a pattern")
});

/// Whether what a warning quotes is this text: as it is; with `?` for what is beyond the BMP, and control characters by their
/// numbers; or with each byte by its number that is no printable ASCII. The end of a longer one is cut.
fn is_quoted(quoted: &str, text: &str) -> bool {
    let by_character = |c: char| match c {
        '\u{10000}'.. => "?".to_owned(),
        c if c.is_control() && !"\t\n\r".contains(c) => format!("\\{:04X}", u32::from(c)),
        c => c.to_string(),
    };
    let by_byte = |byte: u8| match byte {
        b' '..=b'~' => char::from(byte).to_string(),
        byte => format!("\\x{byte:02X}"),
    };
    // No more of it can be quoted.
    let text: String = text.chars().take(quoted.len() + 1).collect();
    let characters: String = text.chars().map(by_character).collect();
    let bytes: String = text.bytes().map(by_byte).collect();
    let begun = quoted.strip_suffix("...").unwrap_or(quoted);
    let is_it =
        |written: &String| written == quoted || (quoted.len() >= LONGEST_SAID && written.starts_with(begun));
    [text, characters, bytes].iter().any(is_it)
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
        "DATE" => match row.try_get::<chrono::NaiveDate, _>(i) {
            Ok(date) => date.to_string().into(),
            Err(error) => no_date(row, i).ok_or_else(|| failed(error))?.into(),
        },
        "DATETIME" | "TIMESTAMP" => match row.try_get_unchecked::<chrono::NaiveDateTime, _>(i) {
            Ok(moment) => moment.to_string().into(),
            Err(error) => no_date(row, i).ok_or_else(|| failed(error))?.into(),
        },
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

/// What is stored as a date and is none, such as `2026-11-00`: a rule that does not look at it is not stopped by it
/// (mariadb.com/kb/en/resultset-row/#date-binary-encoding).
fn no_date(row: &MySqlRow, i: usize) -> Option<String> {
    let bytes: Vec<u8> = row.try_get_unchecked(i).ok()?;
    let [_, low, high, month, day, time @ ..] = bytes.as_slice() else { return None };
    let day = format!("{:04}-{month:02}-{day:02}", u16::from_le_bytes([*low, *high]));
    Some(match time {
        [hour, minute, second, ..] => format!("{day} {hour:02}:{minute:02}:{second:02}"),
        _ => day,
    })
}

/// The number that the shortest digits of a FLOAT say. Widened as it is, it would have digits that nobody wrote.
fn as_written(real: f32) -> f64 {
    real.to_string().parse().unwrap_or_else(|_| f64::from(real))
}

/// As `describe`, of a query that was given these texts: one of them may be what was refused.
fn blamed(error: &sqlx::Error, texts: &[(&str, Cause)]) -> LookupError {
    let sqlx::Error::Database(database) = error else { return describe(error) };
    match culprit(number_of(&**database), database.message(), texts) {
        Some(cause) => LookupError::new(cause, database.message()),
        None => describe(error),
    }
}

/// Why a look-up ends whose query was refused for one of these texts. Which one has the character that a column's character
/// set lacks, nobody tells: one that is no ASCII, and the message's rather than the rule's, which was tried before.
fn culprit(number: u16, message: &str, texts: &[(&str, Cause)]) -> Option<Cause> {
    // Of columns whose collations differ, no text is to blame: a parameter's is coercible.
    let is_of_columns = matches!(number, 1267 | 1270) && !message.contains(",COERCIBLE)");
    if LACKS_CHARACTER.contains(&number) && !is_of_columns {
        let foreign = || texts.iter().filter(|(text, _)| !text.is_ascii()).map(|(_, blame)| *blame);
        return foreign().find(|blame| *blame == Cause::Unfit).or_else(|| foreign().next());
    }
    // MySQL refuses what MariaDB warns of (`ER_WRONG_VALUE`).
    texts.iter().find(|(text, _)| is_of(message, text)).map(|(_, blame)| *blame)
}

/// Collations do not go together (`ER_CANT_AGGREGATE_2COLLATIONS` and the like), or a text cannot be converted.
const LACKS_CHARACTER: [u16; 5] = [1267, 1270, 1271, 1366, 3988];

fn number_of(error: &dyn DatabaseError) -> u16 {
    error
        .try_downcast_ref::<sqlx::mysql::MySqlDatabaseError>()
        .map_or(0, sqlx::mysql::MySqlDatabaseError::number)
}

/// What went wrong, in words, and whether trying again may help.
pub fn describe(error: &sqlx::Error) -> LookupError {
    match error {
        sqlx::Error::Database(database) => numbered(number_of(&**database), database.message()),
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
    fn a_warning_is_of_the_text_that_was_not_taken_for_what_it_is() {
        let long = "7".to_owned() + &"x".repeat(200);
        for (message, text, is_its) in [
            ("Truncated incorrect DOUBLE value: '7abc'", "7abc", true),
            ("Truncated incorrect DECIMAL value: '7abc'", "7abc", true),
            ("Truncated incorrect INTEGER value: 'it's'", "it's", true),
            (&format!("Truncated incorrect DOUBLE value: '{}'", &long[..128]), &long, true),
            ("Truncated incorrect DOUBLE value: 'A12'", "A", false),
            ("Truncated incorrect DOUBLE value: ''", "", false),
            ("Truncated incorrect DECIMAL value: '7?'", "7\u{1f600}", true),
            ("Truncated incorrect DECIMAL value: '7é\\0001'", "7é\u{1}", true),
            (&format!("Truncated incorrect DOUBLE value: '{}...'", &long[..123]), &long, true),
            (&format!("Truncated incorrect DOUBLE value: '{}...'", &long[..123]), &long[..122], false),
            ("Truncated incorrect DECIMAL value: '7'", "7", false),
            ("Truncated incorrect datetime value: '7'", "7", true),
            ("Truncated incorrect datetime value: 'hello'", "hello", true),
            ("Truncated incorrect date value: '10.11.2026 x'", "10.11.2026 x", true),
            ("Truncated incorrect time value: '25 Uhr'", "25 Uhr", true),
            (r"Truncated incorrect datetime value: 'M\xC3\xBCller'", "Müller", true),
            (r"Truncated incorrect datetime value: '\xC3\xBC'", "ü", true),
            ("Truncated incorrect datetime value: ''", "ü", false),
            ("Truncated incorrect DECIMAL value: 'нет'", "нет", true),
            ("Truncated incorrect DECIMAL value: 'нет'", "Пётр", false),
            (r"Truncated incorrect datetime value: '\xD0\xBD\xD0\xB5\xD1\x82'", "нет", true),
            (r"Truncated incorrect datetime value: '\xD0\xBD\xD0\xB5\xD1\x82'", "Пётр", false),
            ("Truncated incorrect DECIMAL value: '7?'", "7ü", false),
            ("Truncated incorrect DECIMAL value: '7...'", "7abc", false),
            (&format!("Truncated incorrect DECIMAL value: '{}...'", "ü".repeat(62)), &"ü".repeat(200), true),
            (&format!("Truncated incorrect DECIMAL value: '{}...'", "ü".repeat(62)), &"Ж".repeat(200), false),
            (
                &format!("Truncated incorrect datetime value: '{}\\xC3\\...'", "x".repeat(120)),
                &("x".repeat(120) + "ü"),
                true,
            ),
            ("Incorrect datetime value: 'hello'", "hello", true),
            ("Incorrect DATE value: 'hello'", "hello", true),
            ("Incorrect inet6 value: 'hello'", "hello", true),
            ("Incorrect date value: 'hello' for column `shop`.`t`.`due` at row 1", "hello", true),
            ("Incorrect datetime value: 'hello' for function str_to_date", "hello", false),
            ("Truncated incorrect CHAR(3) value: 'hello'", "hello", false),
            ("Truncated incorrect datetime value: '2026-11-10T08:00:00Z'", "2026-11-10T08:00:00Z", false),
            ("Truncated incorrect datetime value: '2026-11-10T24:00:00Z'", "2026-11-10T24:00:00Z", true),
            ("Truncated incorrect date value: '2026-11-31 07:00Z'", "2026-11-31 07:00Z", true),
            ("Truncated incorrect DOUBLE value: '2026-11-10T07:00Z'", "2026-11-10T07:00Z", true),
            ("Division by 0", "7abc", false),
        ] {
            assert_eq!(is_of(message, text), is_its, "{message} {text}");
        }
    }

    #[test]
    fn a_moment_has_a_date_and_a_time_of_day_and_any_zone() {
        for text in [
            "2026-11-10T07:00Z",
            "2026-11-10 07:00:00 UTC",
            "2026-11-10T07:00:00 +0100",
            "2026-11-10T07:00:00.5+01:00",
            "2026-11-10 07:00 CET",
            "2026-11-10 07:00 Europe/Berlin",
            "2026-11-10T07:00+01:00[Europe/Berlin]",
            "2026-11-10 07:00:00.123456789",
        ] {
            assert!(is_moment(text), "{text}");
        }
        for text in [
            "2026-11-10",
            "2026-11-10 02:30 PM",
            "2026-11-10 02:30 p.m.",
            "2026-11-10 25:00Z",
            "2026-11-31 07:00Z",
            "2026-11-10 UTC",
            "10.11.2026 07:00",
            "hello",
        ] {
            assert!(!is_moment(text), "{text}");
        }
    }

    #[test]
    fn a_text_is_to_blame_for_what_is_refused_of_it() {
        use Cause::{Rule, Unfit};
        let mixed =
            "Illegal mix of collations (latin1_swedish_ci,IMPLICIT) and (utf8mb4_general_ci,COERCIBLE)";
        let of_columns =
            "Illegal mix of collations (latin1_swedish_ci,IMPLICIT) and (latin2_general_ci,IMPLICIT)";
        for (number, message, texts, blamed) in [
            (1267, mixed, [("Łukasz", Unfit), ("a", Rule)], Some(Unfit)),
            (3988, mixed, [("ü", Rule), ("Łukasz", Unfit)], Some(Unfit)),
            (1270, mixed, [("a", Unfit), ("Łukasz", Rule)], Some(Rule)),
            (1267, mixed, [("a", Unfit), ("b", Rule)], None),
            (1267, of_columns, [("Łukasz", Unfit), ("a", Rule)], None),
            (1270, of_columns, [("Łukasz", Unfit), ("ü", Rule)], None),
            (
                1271,
                "Illegal mix of collations for operation 'in'",
                [("Łukasz", Unfit), ("a", Rule)],
                Some(Unfit),
            ),
            (1525, "Incorrect DATE value: 'a'", [("a", Unfit), ("Łukasz", Rule)], Some(Unfit)),
            (1064, "near 'a'", [("a", Unfit), ("Łukasz", Rule)], None),
        ] {
            assert_eq!(culprit(number, message, &texts), blamed, "{number} {texts:?}");
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
