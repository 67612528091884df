//! Look-ups in PostgreSQL: a read-only transaction, a statement timeout, a row limit.

use std::{
    collections::HashSet,
    fmt,
    sync::{
        Arc, LazyLock,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use chrono::DateTime;
use futures::TryStreamExt;
use regex::Regex;
use secrecy::ExposeSecret;
use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, Visitor},
};
use serde_json::Value;
use sqlx::{
    AssertSqlSafe, Column, Connection as _, Either, Executor, PgConnection, Postgres, Row, SqlSafeStr,
    Statement, Transaction, TypeInfo,
    postgres::{PgArguments, PgConnectOptions, PgPoolOptions, PgSslMode, PgStatement},
    query::Query,
    types::JsonRawValue,
};

use super::{
    Cause, Given, Limits, LookupError, Rows, checked, number,
    pools::{Lease, Pools, Statements},
    sql_check::{self, SqlDialect},
};
use crate::{
    datasources::server::connection::{Connection, DatabaseEndpoint},
    rules::server::values,
    server::{error::chain, outbound::Fence, text::shorten},
};

/// The pools, and what was prepared on them.
#[derive(Default)]
pub struct PostgresLookups {
    pools: Pools<Postgres>,
    statements: Statements<Prepared>,
}

/// A query whose parameters are all text, cast by the server, and whose rows are JSON.
///
/// Each row names its columns itself: were their names kept here, a table that changed would give its values under
/// other columns' names.
struct Prepared {
    sql: String,
    /// How many parameters it takes.
    given: usize,
    /// Each parameter alone, cast as in `sql`.
    casts: Vec<String>,
    /// What each parameter is taken for.
    kinds: Vec<Kind>,
    /// The columns of an answer without rows.
    columns: Vec<String>,
    /// Those of the type numeric, and those of the type character, which is padded with blanks.
    numeric: HashSet<String>,
    padded: HashSet<String>,
}

impl PostgresLookups {
    pub fn forget(&self, connection: &Connection) {
        self.pools.forget(connection);
    }

    pub async fn ask(
        &self,
        connection: &Connection,
        endpoint: &DatabaseEndpoint,
        query: &str,
        given: Given<'_>,
        fence: &Fence,
        limits: &Limits,
    ) -> Result<Rows, LookupError> {
        let pool = self
            .pools
            .get(connection, endpoint, fence, limits, |address| {
                let mut options = PgConnectOptions::new_without_pgpass()
                    .host(&address.ip().to_string())
                    .port(address.port())
                    .database(&endpoint.database)
                    .ssl_mode(if endpoint.require_tls { PgSslMode::Require } else { PgSslMode::Prefer })
                    .application_name("flowengine look-up");
                // Always set: the library would take the server's own from its environment.
                options = options
                    .username(endpoint.username.as_deref().unwrap_or("flowengine"))
                    .password(endpoint.password.as_ref().map_or("", |password| password.expose_secret()));
                PgPoolOptions::new()
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
        let mut lease =
            Lease::new(acquired.map_err(|error| self.pools.failed(connection, describe(&error)))?);
        // Of a rule that was saved for another dialect, the number of parameters has not been held against the query.
        let kept = self.statements.get(connection, query).filter(|kept| kept.given == given.params.len());
        // What a column takes may have changed since it was kept.
        let kept = kept.filter(|kept| readable(kept, given).is_ok());
        let is_kept = kept.is_some();
        let prepared = match kept {
            Some(kept) => Ok(kept),
            None => self
                .prepare(connection, lease.conn(), query, given.params.len(), limits)
                .await
                .map_err(|error| describe(&error))?,
        };
        let mut prepared = match prepared.and_then(|prepared| readable(&prepared, given).map(|_| prepared)) {
            Ok(prepared) => prepared,
            Err(error) => {
                lease.give_back();
                return Err(error);
            }
        };
        let mut answer = blamed(lease.conn(), &prepared, given, limits).await;
        if is_kept && answer.as_ref().is_err_and(Failure::may_come_of_a_change) {
            self.statements.forget(connection, query);
            prepared = self
                .prepare(connection, lease.conn(), query, given.params.len(), limits)
                .await
                .map_err(|error| describe(&error))??;
            answer = blamed(lease.conn(), &prepared, given, limits).await;
        }
        let rows = answer.map_err(|failure| failure.error)?;
        lease.give_back();
        Ok(rows)
    }

    /// PostgreSQL infers the types of parameters. The values of a message are text, so each parameter becomes a
    /// cast from text to what was inferred; `orders.id = ?` works with "1042".
    ///
    /// # Errors
    /// The database's; within, what is wrong with the query, which leaves the connection as it was.
    async fn prepare(
        &self,
        connection: &Connection,
        conn: &mut PgConnection,
        query: &str,
        given: usize,
        limits: &Limits,
    ) -> sqlx::Result<Result<Arc<Prepared>, LookupError>> {
        let checked = match checked(query, SqlDialect::Postgres, given) {
            Ok(checked) => checked,
            Err(error) => return Ok(Err(error)),
        };
        // Within one of its own, so that it is read as it will be when it runs.
        let mut tx = begin(conn, limits).await?;
        let fault = sql_check::installed::fault(&mut tx, &checked).await?;
        if let Some(fault) = fault {
            tx.rollback().await?;
            return Ok(Err(LookupError::new(Cause::Rule, format!("the query {fault}"))));
        }
        // Another text each time: of the same, the library would tell what it was told when it prepared it before, and
        // PostgreSQL would keep to the plan of then.
        let mark = format!("/* {} */ ", PREPARED.fetch_add(1, Ordering::Relaxed));
        let statement = tx.prepare(AssertSqlSafe(format!("{mark}{}", checked.sql)).into_sql_str()).await?;
        tx.rollback().await?;
        let columns: Vec<String> =
            statement.columns().iter().map(|column| column.name().to_owned()).collect();
        if columns.is_empty() || columns.len() > Rows::MAX_COLUMNS {
            return Ok(Err(LookupError::new(
                Cause::Refused,
                format!("the query must have 1 to {} columns, and has {}", Rows::MAX_COLUMNS, columns.len()),
            )));
        }
        let types: Vec<&str> = match statement.parameters() {
            Some(Either::Left(types)) => types.iter().map(TypeInfo::name).collect(),
            _ => Vec::new(),
        };
        let types: Vec<&str> = (0..given).map(|i| types.get(i).copied().unwrap_or("text")).collect();
        let casts: Vec<String> =
            types.iter().enumerate().map(|(i, name)| cast(i + 1, sql_type(name))).collect();
        let mut sql = checked.sql;
        // From the last to the first, so that $1 is not found within $10.
        for (i, cast) in casts.iter().enumerate().rev() {
            sql = sql_check::replace_placeholder(&sql, i + 1, cast);
        }
        let prepared = Prepared {
            sql: format!("SELECT row_to_json(looked_up.*)::text AS row FROM ({mark}\n{sql}\n) AS looked_up"),
            given,
            // Not the values themselves: the library would ask for them in a form that not every type has.
            casts: casts.iter().map(|cast| format!("{cast} IS NULL")).collect(),
            kinds: types.iter().map(|name| Kind::of(name)).collect(),
            columns,
            numeric: columns_of(&statement, &["NUMERIC"]),
            padded: columns_of(&statement, &["CHAR", "CHAR[]"]),
        };
        Ok(Ok(self.statements.keep(connection, query, prepared)))
    }
}

/// How many statements were prepared.
static PREPARED: AtomicU64 = AtomicU64::new(0);

/// The names of the columns of these types.
fn columns_of(statement: &PgStatement, types: &[&str]) -> HashSet<String> {
    let columns = statement.columns().iter();
    columns.filter(|c| types.contains(&c.type_info().name())).map(|c| c.name().to_owned()).collect()
}

/// The library's name of a type, as a cast needs it: to SQL, CHAR and BIT are of the length 1, and what is longer
/// would be cut without a word.
fn sql_type(name: &str) -> &str {
    match name {
        "CHAR" => "bpchar",
        "CHAR[]" => "bpchar[]",
        "BIT" => "\"bit\"",
        "BIT[]" => "\"bit\"[]",
        "\"CHAR\"" => "\"char\"",
        "\"CHAR\"[]" => "\"char\"[]",
        name => name,
    }
}

/// A parameter, which comes as text, as a value of the type.
fn cast(number: usize, type_name: &str) -> String {
    if type_name.eq_ignore_ascii_case("text") {
        format!("${number}")
    } else {
        format!("CAST(CAST(${number} AS text) AS {type_name})")
    }
}

/// What PostgreSQL reads more texts as than say it: `inf` as a number, `now` and `11.10.2026` as dates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Number,
    Date,
    /// A time of day, or a length of time.
    Time,
    Other,
}

impl Kind {
    fn of(type_name: &str) -> Self {
        match type_name {
            "INT2" | "INT4" | "INT8" | "FLOAT4" | "FLOAT8" | "NUMERIC" => Self::Number,
            "DATE" | "TIMESTAMP" | "TIMESTAMPTZ" => Self::Date,
            "TIME" | "TIMETZ" | "INTERVAL" => Self::Time,
            _ => Self::Other,
        }
    }

    /// A text of a message as PostgreSQL is to read it, which refuses what is nothing to it; `None` where it would read what
    /// was not said, or what could be two.
    fn read(self, text: &str) -> Option<String> {
        match self {
            Self::Number => values::is_plain(text).then(|| text.to_owned()),
            Self::Date => read_date(text),
            Self::Time => text.bytes().any(|byte| byte.is_ascii_digit()).then(|| text.to_owned()),
            Self::Other => Some(text.to_owned()),
        }
    }

    fn unfit(self, text: &str) -> LookupError {
        let what = match self {
            Self::Number => "number",
            Self::Date => "date, or could be two",
            Self::Time | Self::Other => "time",
        };
        LookupError::new(Cause::Unfit, format!("'{}' is no {what}", shorten(text, 80)))
    }
}

/// What PostgreSQL takes for dates that change, that are none, or that are before all others.
const NO_DATES: [&str; 8] = ["now", "today", "tomorrow", "yesterday", "epoch", "infinity", "allballs", "bc"];

/// `10/11/2026`, which is another date by another `DateStyle`, and `101126`: no year of four digits stands in front.
static IN_TWO_WAYS: LazyLock<Regex> = LazyLock::new(|| {
    const PATTERN: &str =
        "^[^0-9]*(?:[0-9]{1,3}[^0-9A-Za-z:]+[0-9]{1,3}[^0-9A-Za-z:]+[0-9]|[0-9]{6}(?:[^0-9]|$))";
    #[expect(clippy::expect_used, reason = "a constant, which the tests compile")]
    Regex::new(PATTERN).expect("a pattern")
});

/// A date that PostgreSQL reads in one way alone. What is none it refuses itself.
fn read_date(text: &str) -> Option<String> {
    let is_none = |word: &str| NO_DATES.iter().any(|none| word.eq_ignore_ascii_case(none));
    if text.split(|c: char| !c.is_ascii_alphabetic()).any(is_none) {
        return None;
    }
    // The name of its zone, which may follow, PostgreSQL would not read.
    if let Ok(at) = DateTime::parse_from_rfc2822(text.trim_ascii()) {
        return Some(at.to_rfc3339());
    }
    // That is near no year of two digits.
    match values::date(text, DateTime::UNIX_EPOCH) {
        // A time of day that is passed over would become midnight.
        Some(moment) if !moment.has_time && !text.contains(':') => Some(moment.to_string()),
        _ => (!IN_TWO_WAYS.is_match(text)).then(|| text.to_owned()),
    }
}

/// The parameters with what the message gives of them as PostgreSQL is to read it. The rule's own were tried by whoever
/// wrote it, and may well say `now`.
///
/// # Errors
/// One that is nothing that could be asked for.
fn readable(prepared: &Prepared, given: Given<'_>) -> Result<Vec<Value>, LookupError> {
    let read = |(place, param): (usize, &Value)| match (param, prepared.kinds.get(place)) {
        (Value::String(text), Some(kind)) if given.blame(place) == Cause::Unfit => {
            kind.read(text).map(Value::from).ok_or_else(|| kind.unfit(text))
        }
        _ => Ok(param.clone()),
    };
    given.params.iter().enumerate().map(read).collect()
}

async fn run(
    conn: &mut PgConnection,
    prepared: &Prepared,
    params: &[Value],
    limits: &Limits,
) -> Result<Rows, Failure> {
    let mut tx = begin(conn, limits).await?;
    // The limit is one row more than is kept, so that a cut is known.
    // What is too large is not sent at all.
    let sql = format!(
        "SELECT CASE WHEN octet_length(row) <= {} THEN row END FROM ({} LIMIT {}) AS bounded",
        limits.max_bytes,
        prepared.sql,
        limits.max_rows + 1
    );
    let mut rows = Rows { columns: prepared.columns.clone(), ..Rows::default() };
    let mut bytes = 0;
    {
        let mut stream = bound(sql, params).fetch(&mut *tx);
        while let Some(row) = stream.try_next().await? {
            let text: Option<String> = row.try_get(0)?;
            let text = text.ok_or_else(|| limits.too_large())?;
            bytes += text.len();
            if bytes > limits.max_bytes {
                return Err(limits.too_large().into());
            }
            if rows.rows.len() == limits.max_rows {
                rows.truncated = true;
                break;
            }
            let (columns, values, decimals) = prepared.read(&text).map_err(|error| {
                LookupError::new(Cause::Refused, format!("a row cannot be read: {error}"))
            })?;
            let place = rows.rows.len();
            rows.columns = columns;
            rows.decimals.extend(decimals.into_iter().map(|column| (place, column)));
            rows.rows.push(values);
        }
    }
    tx.rollback().await?;
    Ok(rows)
}

async fn begin<'c>(
    conn: &'c mut PgConnection,
    limits: &Limits,
) -> Result<Transaction<'c, Postgres>, sqlx::Error> {
    // SET LOCAL each time: a query may have changed the session's setting before. Where a database or a role has the
    // strings of before PostgreSQL 9.1, the parser and the server would not agree where a text ends.
    let begin = format!(
        "BEGIN READ ONLY; SET LOCAL standard_conforming_strings = on; SET LOCAL statement_timeout = {}; \
         SET LOCAL lock_timeout = {}",
        limits.timeout.as_millis(),
        limits.timeout.as_millis(),
    );
    conn.begin_with(AssertSqlSafe(begin)).await
}

fn bound(sql: String, params: &[Value]) -> Query<'static, Postgres, PgArguments> {
    let mut query = sqlx::query(AssertSqlSafe(sql));
    for param in params {
        query = query.bind(match param {
            Value::Null => None,
            Value::String(text) => Some(text.clone()),
            other => Some(other.to_string()),
        });
    }
    query
}

/// Runs it, and says whose fault it is that a value cannot be read: the rule's or the message's, where those that they give
/// do not bear their casts alone, and the datasource's otherwise.
async fn blamed(
    conn: &mut PgConnection,
    prepared: &Prepared,
    given: Given<'_>,
    limits: &Limits,
) -> Result<Rows, Failure> {
    let params = readable(prepared, given)?;
    let given = Given { params: &params, ..given };
    let failure = match run(conn, prepared, given.params, limits).await {
        Err(failure) if failure.is_of(DATA) => failure,
        answer => return answer,
    };
    // The rule's come first: they are at fault whatever the message says.
    for cause in [Cause::Rule, Cause::Unfit] {
        match cast_alone(conn, prepared, given, cause, limits).await {
            Ok(()) => {}
            Err(cast) if cast.is_of(DATA) => {
                return Err(Failure { error: LookupError::new(cause, cast.error.message), ..cast });
            }
            Err(cast) => return Err(cast),
        }
    }
    Err(failure)
}

/// Casts the parameters that are blamed for this cause, if there are any.
async fn cast_alone(
    conn: &mut PgConnection,
    prepared: &Prepared,
    given: Given<'_>,
    cause: Cause,
    limits: &Limits,
) -> Result<(), Failure> {
    let casts = prepared.casts.iter().enumerate().filter(|(place, _)| given.blame(*place) == cause);
    let casts: Vec<&str> = casts.map(|(_, cast)| cast.as_str()).collect();
    if casts.is_empty() {
        return Ok(());
    }
    let mut tx = begin(conn, limits).await?;
    bound(format!("SELECT {}", casts.join(", ")), given.params).execute(&mut *tx).await?;
    tx.rollback().await?;
    Ok(())
}

impl Prepared {
    /// The columns and the values of a row, and the places of those that are decimals in texts (`Rows::decimals`).
    fn read(&self, row: &str) -> serde_json::Result<(Vec<String>, Vec<Value>, Vec<usize>)> {
        let Cells(cells) = serde_json::from_str(row)?;
        let values = cells.iter().map(|(column, value)| self.value(column, value));
        let values = values.collect::<serde_json::Result<Vec<_>>>()?;
        let is_decimal = |place: &usize| {
            values[*place].as_str().is_some_and(|text| text.contains('.'))
                && !cells[*place].1.get().starts_with('"')
        };
        let decimals = (0..values.len()).filter(is_decimal).collect();
        Ok((cells.into_iter().map(|(column, _)| column).collect(), values, decimals))
    }

    /// PostgreSQL writes a numeric with all its digits, which JSON's readers would lose. It ignores the blanks that
    /// a character is padded with when it compares, and so does everybody else once they are gone.
    fn value(&self, column: &str, written: &JsonRawValue) -> serde_json::Result<Value> {
        let written = written.get();
        if written.starts_with(|c: char| c == '-' || c.is_ascii_digit()) && self.numeric.contains(column) {
            return Ok(number(written));
        }
        let value: Value = serde_json::from_str(written)?;
        Ok(if self.padded.contains(column) { without_padding(value) } else { value })
    }
}

fn without_padding(value: Value) -> Value {
    match value {
        Value::String(text) => text.trim_end_matches(' ').into(),
        Value::Array(items) => items.into_iter().map(without_padding).collect(),
        other => other,
    }
}

/// A row as it is written: its columns in their order, of which two may have one name.
struct Cells(Vec<(String, Box<JsonRawValue>)>);

impl<'de> Deserialize<'de> for Cells {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct InOrder;

        impl<'de> Visitor<'de> for InOrder {
            type Value = Cells;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a row")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut row: A) -> Result<Cells, A::Error> {
                let mut cells = Vec::new();
                while let Some(cell) = row.next_entry()? {
                    cells.push(cell);
                }
                Ok(Cells(cells))
            }
        }

        deserializer.deserialize_map(InOrder)
    }
}

/// A value that cannot be read, or computed with (class 22 of PostgreSQL's appendix A).
const DATA: &str = "22";
/// What the query names is not there, or not such (class 42).
const NAMES: &str = "42";

/// Why a query did not run.
struct Failure {
    error: LookupError,
    /// PostgreSQL's own code for it (SQLSTATE); empty where it gave none.
    code: String,
}

impl Failure {
    fn is_of(&self, class: &str) -> bool {
        self.code.starts_with(class)
    }

    /// Whether a table may have changed since the query was prepared.
    fn may_come_of_a_change(&self) -> bool {
        self.is_of(NAMES) || self.is_of(DATA)
    }
}

impl From<LookupError> for Failure {
    fn from(error: LookupError) -> Self {
        Self { error, code: String::new() }
    }
}

impl From<sqlx::Error> for Failure {
    fn from(error: sqlx::Error) -> Self {
        let code = error.as_database_error().and_then(|database| database.code());
        Self { code: code.unwrap_or_default().into_owned(), error: describe(&error) }
    }
}

/// What went wrong, in words, and whether trying again may help (SQLSTATE classes of PostgreSQL, appendix A).
fn describe(error: &sqlx::Error) -> LookupError {
    match error {
        sqlx::Error::Database(database) => {
            let code = database.code().unwrap_or_default();
            let message = database.message();
            match code.as_ref() {
                code if code.starts_with(DATA) => LookupError::new(Cause::Refused, message.to_owned()),
                "57014" => LookupError::new(Cause::Time, "the query took longer than is allowed"),
                "55P03" => LookupError::new(Cause::Time, "the query waited too long for a lock"),
                "28P01" | "28000" => {
                    LookupError::new(Cause::Credentials, format!("the credentials were refused: {message}"))
                }
                "42501" => LookupError::new(Cause::Permission, format!("permission was refused: {message}")),
                "25006" => LookupError::new(Cause::Refused, format!("the query tried to write: {message}")),
                "3D000" => LookupError::new(Cause::Database, message.to_owned()),
                code if ["08", "53", "57", "58", "XX", "40"].iter().any(|class| code.starts_with(class)) => {
                    LookupError::new(Cause::Answer, message.to_owned())
                }
                _ => LookupError::new(Cause::Refused, format!("the database refused the query: {message}")),
            }
        }
        sqlx::Error::PoolTimedOut => LookupError::new(Cause::Time, "no connection could be had in time"),
        sqlx::Error::Io(error) => LookupError::new(Cause::Broken, format!("the connection failed: {error}")),
        sqlx::Error::Tls(error) => LookupError::new(Cause::Tls, format!("TLS failed: {error}")),
        other => LookupError::new(Cause::Answer, chain(other)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_of_a_message_is_read_in_one_way_or_not_at_all() {
        for (kind, text, read) in [
            (Kind::Number, "7.50", Some("7.50")),
            (Kind::Number, " -1e3 ", Some(" -1e3 ")),
            (Kind::Number, "NaN", None),
            (Kind::Number, "-Infinity", None),
            (Kind::Number, "inf", None),
            (Kind::Number, "0x10", None),
            (Kind::Number, "1_042", None),
            (Kind::Date, "2026-11-10", Some("2026-11-10")),
            (Kind::Date, "2026-1-2", Some("2026-01-02")),
            (Kind::Date, "11.10.2026", Some("2026-10-11")),
            (Kind::Date, "13/10/2026", Some("2026-10-13")),
            (Kind::Date, "20261110", Some("2026-11-10")),
            (Kind::Date, "2026.11.10", Some("2026.11.10")),
            (Kind::Date, "10. November 2026.", Some("2026-11-10")),
            (Kind::Date, "Tue, 10 Nov 2026 08:15:00 +0100 (CET)", Some("2026-11-10T08:15:00+01:00")),
            (Kind::Date, "10/11/2026", None),
            (Kind::Date, "10.11.2026 14:30", None),
            (Kind::Date, "on 10-11-2026", None),
            (Kind::Date, "10 11 2026", None),
            (Kind::Date, "9.11.26", None),
            (Kind::Date, "9.11.75", None),
            (Kind::Date, "26-11-10", None),
            (Kind::Date, "1.2.3", None),
            (Kind::Date, "101126", None),
            (Kind::Date, "2026-11-10 BC", None),
            (Kind::Date, "2026-11-10BC", None),
            (Kind::Date, "2026-11-10 infinity", None),
            (Kind::Date, "-Infinity", None),
            (Kind::Date, "today 14:30", None),
            (Kind::Date, "Today-30d", None),
            (Kind::Date, "now()", None),
            (Kind::Date, "epoch", None),
            (Kind::Date, "2026-11-10T08:00:00.5+01:00", Some("2026-11-10T08:00:00.5+01:00")),
            (Kind::Date, "2026-11-10 08:00:00 UTC", Some("2026-11-10 08:00:00 UTC")),
            (Kind::Date, "2026-11-10 14:30 CET", Some("2026-11-10 14:30 CET")),
            (Kind::Date, "2026-11-10 14:30 Europe/Berlin", Some("2026-11-10 14:30 Europe/Berlin")),
            (Kind::Date, "2026-11-10, 14:30", Some("2026-11-10, 14:30")),
            (Kind::Date, "20261110 10:15", Some("20261110 10:15")),
            (Kind::Date, "10 Nov 2026 14:30", Some("10 Nov 2026 14:30")),
            (Kind::Date, "Nov 10, 2026 2:30 PM", Some("Nov 10, 2026 2:30 PM")),
            // Which PostgreSQL refuses.
            (Kind::Date, "hello", Some("hello")),
            (Kind::Time, "08:15", Some("08:15")),
            (Kind::Time, "3 days", Some("3 days")),
            (Kind::Time, "now", None),
            (Kind::Other, "NaN", Some("NaN")),
        ] {
            assert_eq!(kind.read(text).as_deref(), read, "{kind:?} {text}");
        }
    }
}
