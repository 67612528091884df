//! Look-ups in PostgreSQL: a read-only transaction, a statement timeout, a row limit.

use std::{sync::Arc, time::Duration};

use futures::TryStreamExt;
use secrecy::ExposeSecret;
use serde_json::Value;
use sqlx::{
    AssertSqlSafe, Column, Connection as _, Either, Executor, PgConnection, Postgres, Row, SqlSafeStr,
    Statement, TypeInfo,
    postgres::{PgConnectOptions, PgPoolOptions, PgSslMode},
};

use super::{
    Cause, Limits, LookupError, Rows, checked, number,
    pools::{Lease, Pools, Statements},
    sql_check::{self, SqlDialect},
};
use crate::{
    datasources::server::connection::{Connection, DatabaseEndpoint},
    server::{error::chain, outbound::Fence},
};

/// The pools, and what was prepared on them.
#[derive(Default)]
pub struct PostgresLookups {
    pools: Pools<Postgres>,
    statements: Statements<Prepared>,
}

/// A query whose parameters are all text, cast by the server, and whose rows are JSON, in order of columns.
struct Prepared {
    sql: String,
    columns: Vec<String>,
    /// Which of them are of the type numeric.
    numeric: Vec<bool>,
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
        params: &[Value],
        fence: &Fence,
        limits: &Limits,
    ) -> Result<Rows, LookupError> {
        let pool = self
            .pools
            .get(connection, endpoint, fence, |address| {
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
        let acquired = pool.acquire().await;
        let mut lease =
            Lease::new(acquired.map_err(|error| self.pools.failed(connection, describe(&error)))?);
        let prepared = self.prepare(connection, lease.conn(), query, params.len()).await?;
        let rows = run(lease.conn(), &prepared, params, limits).await?;
        lease.give_back();
        Ok(rows)
    }

    /// PostgreSQL infers the types of parameters. The values of a message are text, so each parameter becomes a
    /// cast from text to what was inferred; `orders.id = ?` works with "1042".
    async fn prepare(
        &self,
        connection: &Connection,
        conn: &mut PgConnection,
        query: &str,
        given: usize,
    ) -> Result<Arc<Prepared>, LookupError> {
        if let Some(found) = self.statements.get(connection, query) {
            return Ok(found);
        }
        let checked = checked(query, SqlDialect::Postgres, given)?;
        let statement = conn
            .prepare(AssertSqlSafe(checked.sql.clone()).into_sql_str())
            .await
            .map_err(|error| describe(&error))?;
        let columns: Vec<String> =
            statement.columns().iter().map(|column| column.name().to_owned()).collect();
        if columns.is_empty() || columns.len() > Rows::MAX_COLUMNS {
            return Err(LookupError::new(
                Cause::Refused,
                format!("the query must have 1 to {} columns, and has {}", Rows::MAX_COLUMNS, columns.len()),
            ));
        }
        // By place, since two columns may have one name. JSON has no exact number: numeric travels as text.
        let places: Vec<String> = (1..=columns.len()).map(|i| format!("c{i}")).collect();
        let values: Vec<String> = statement
            .columns()
            .iter()
            .zip(&places)
            .map(|(column, place)| match column.type_info().name() {
                "NUMERIC" => format!("{place}::text AS {place}"),
                _ => place.clone(),
            })
            .collect();
        let numeric = statement.columns().iter().map(|c| c.type_info().name() == "NUMERIC").collect();
        let types: Vec<String> = match statement.parameters() {
            Some(Either::Left(types)) => types.iter().map(|t| t.name().to_owned()).collect(),
            _ => Vec::new(),
        };
        let mut sql = checked.sql;
        // From the last to the first, so that $1 is not found within $10.
        for number in (1..=given).rev() {
            let name = types.get(number - 1).map_or("TEXT", String::as_str);
            if !name.eq_ignore_ascii_case("text") {
                sql = cast_parameter(&sql, number, name);
            }
        }
        let sql = format!(
            "SELECT row_to_json(answer)::text AS row FROM (SELECT {} FROM (\n{sql}\n) AS looked_up ({})) AS answer",
            values.join(", "),
            places.join(", ")
        );
        Ok(self.statements.keep(connection, query, Prepared { sql, columns, numeric }))
    }
}

async fn run(
    conn: &mut PgConnection,
    prepared: &Prepared,
    params: &[Value],
    limits: &Limits,
) -> Result<Rows, LookupError> {
    // SET LOCAL each time: a query may have changed the session's setting before.
    let begin = format!(
        "BEGIN READ ONLY; SET LOCAL statement_timeout = {}; SET LOCAL lock_timeout = {}",
        limits.timeout.as_millis(),
        limits.timeout.as_millis(),
    );
    let mut tx = conn.begin_with(AssertSqlSafe(begin)).await.map_err(|error| describe(&error))?;
    // The limit is one row more than is kept, so that a cut is known.
    // What is too large is not sent at all.
    let sql = format!(
        "SELECT CASE WHEN octet_length(row) <= {} THEN row END FROM ({} LIMIT {}) AS bounded",
        limits.max_bytes,
        prepared.sql,
        limits.max_rows + 1
    );
    let mut ask = sqlx::query(AssertSqlSafe(sql));
    for param in params {
        ask = ask.bind(match param {
            Value::Null => None,
            Value::String(text) => Some(text.clone()),
            other => Some(other.to_string()),
        });
    }
    let mut rows = Rows { columns: prepared.columns.clone(), ..Rows::default() };
    let mut bytes = 0;
    {
        let mut stream = ask.fetch(&mut *tx);
        while let Some(row) = stream.try_next().await.map_err(|error| describe(&error))? {
            let text: Option<String> = row.try_get(0).map_err(|error| describe(&error))?;
            let text = text.ok_or_else(|| limits.too_large())?;
            bytes += text.len();
            if bytes > limits.max_bytes {
                return Err(limits.too_large());
            }
            if rows.rows.len() == limits.max_rows {
                rows.truncated = true;
                break;
            }
            let object: serde_json::Map<String, Value> = serde_json::from_str(&text).map_err(|error| {
                LookupError::new(Cause::Refused, format!("a row cannot be read: {error}"))
            })?;
            let values = object.into_iter().zip(&prepared.numeric).map(|((_, value), numeric)| match value {
                Value::String(text) if *numeric => number(&text),
                value => value,
            });
            rows.rows.push(values.collect());
        }
    }
    tx.rollback().await.map_err(|error| describe(&error))?;
    Ok(rows)
}

/// Replaces the placeholder `$number` (outside quotes) by a cast from text.
fn cast_parameter(sql: &str, number: usize, type_name: &str) -> String {
    sql_check::replace_placeholder(sql, number, &format!("CAST(CAST(${number} AS text) AS {type_name})"))
}

/// What went wrong, in words, and whether trying again may help (SQLSTATE classes of PostgreSQL, appendix A).
fn describe(error: &sqlx::Error) -> LookupError {
    match error {
        sqlx::Error::Database(database) => {
            let code = database.code().unwrap_or_default();
            let message = database.message();
            match code.as_ref() {
                // Only a value can be at fault here, and values are the message's (class 22, data exception).
                "22P02" | "22003" | "22007" | "22008" | "22021" => {
                    LookupError::new(Cause::Unfit, message.to_owned())
                }
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
