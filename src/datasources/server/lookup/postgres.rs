//! Look-ups in PostgreSQL: a read-only transaction, a statement timeout, a row limit.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use secrecy::ExposeSecret;
use serde_json::Value;
use sqlx::{
    AssertSqlSafe, Column, Connection as _, Either, Executor, PgConnection, PgPool, Row, SqlSafeStr,
    Statement, TypeInfo,
    pool::PoolConnection,
    postgres::{PgConnectOptions, PgPoolOptions, PgSslMode},
};

use super::{Limits, LookupError, Rows, sql_check};
use crate::{
    datasources::server::connection::{Connection, PostgresEndpoint},
    server::{error::chain, outbound::Fence},
    shared::{ConfigId, TenantId},
};

/// A pool per config, opened at first use, made anew when the config changes.
#[derive(Default)]
pub struct Pools {
    pools: Mutex<HashMap<(TenantId, ConfigId), Arc<Pool>>>,
}

struct Pool {
    version: i64,
    pool: PgPool,
    /// The query as it is sent, by the query as it was written.
    prepared: Mutex<HashMap<String, Arc<Prepared>>>,
}

/// A query whose parameters are all text, cast by the server, and whose rows are JSON, in order of columns.
struct Prepared {
    sql: String,
    columns: Vec<String>,
}

/// A connection whose look-up broke off is thrown away: nobody knows its state.
struct Lease(Option<PoolConnection<sqlx::Postgres>>);

impl Drop for Lease {
    fn drop(&mut self) {
        if let Some(connection) = self.0.take() {
            drop(connection.detach());
        }
    }
}

impl Pools {
    pub async fn ask(
        &self,
        connection: &Connection,
        endpoint: &PostgresEndpoint,
        query: &str,
        params: &[Value],
        fence: &Fence,
        limits: &Limits,
    ) -> Result<Rows, LookupError> {
        let pool = self.pool(connection, endpoint, fence, limits).await?;
        let acquired = pool.pool.acquire().await.map_err(|error| describe(&error))?;
        let mut lease = Lease(Some(acquired));
        let conn = lease.0.as_mut().ok_or_else(|| LookupError::transient("no connection"))?;
        let rows = pool.ask(conn, query, params, limits).await?;
        // All went well: back into the pool.
        drop(lease.0.take());
        Ok(rows)
    }

    async fn pool(
        &self,
        connection: &Connection,
        endpoint: &PostgresEndpoint,
        fence: &Fence,
        limits: &Limits,
    ) -> Result<Arc<Pool>, LookupError> {
        let key = (connection.tenant.clone(), connection.config_id);
        {
            let pools = self.pools.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(pool) = pools.get(&key).filter(|pool| pool.version == connection.version) {
                return Ok(Arc::clone(pool));
            }
        }
        let addresses = fence
            .resolve(&endpoint.host, endpoint.port)
            .await
            .map_err(|error| LookupError::permanent(error.to_string()))?;
        let address = addresses.first().ok_or_else(|| LookupError::permanent("the host has no address"))?;
        let mut options = PgConnectOptions::new_without_pgpass()
            // The checked address, not the name: what it resolves to later does not matter.
            .host(&address.ip().to_string())
            .port(endpoint.port)
            .database(&endpoint.database)
            .ssl_mode(if endpoint.require_tls { PgSslMode::Require } else { PgSslMode::Prefer })
            .application_name("flowengine look-up");
        if let Some(username) = &endpoint.username {
            options = options.username(username);
        }
        if let Some(password) = &endpoint.password {
            options = options.password(password.expose_secret());
        }
        let pool = PgPoolOptions::new()
            .max_connections(4)
            .min_connections(0)
            .idle_timeout(Duration::from_secs(60))
            .acquire_timeout(limits.connect_timeout)
            .test_before_acquire(false)
            .connect_lazy_with(options);
        let pool = Arc::new(Pool { version: connection.version, pool, prepared: Mutex::default() });
        let mut pools = self.pools.lock().unwrap_or_else(PoisonError::into_inner);
        pools.insert(key, Arc::clone(&pool));
        Ok(pool)
    }
}

impl Pool {
    async fn ask(
        &self,
        conn: &mut PgConnection,
        query: &str,
        params: &[Value],
        limits: &Limits,
    ) -> Result<Rows, LookupError> {
        let prepared = self.prepare(conn, query, params.len()).await?;
        // SET LOCAL each time: a query may have changed the session's setting before.
        let begin = format!(
            "BEGIN READ ONLY; SET LOCAL statement_timeout = {}; SET LOCAL lock_timeout = {}",
            limits.timeout.as_millis(),
            limits.timeout.as_millis(),
        );
        let mut tx = conn.begin_with(AssertSqlSafe(begin)).await.map_err(|error| describe(&error))?;
        // The limit is one row more than is kept, so that a cut is known.
        let sql = format!("{} LIMIT {}", prepared.sql, limits.max_rows + 1);
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
            use futures::TryStreamExt;
            while let Some(row) = stream.try_next().await.map_err(|error| describe(&error))? {
                let text: String = row.try_get(0).map_err(|error| describe(&error))?;
                bytes += text.len();
                if bytes > limits.max_bytes {
                    return Err(LookupError::permanent(format!(
                        "the answer is larger than {} bytes",
                        limits.max_bytes
                    )));
                }
                if rows.rows.len() == limits.max_rows {
                    rows.truncated = true;
                    break;
                }
                let object: serde_json::Map<String, Value> = serde_json::from_str(&text)
                    .map_err(|error| LookupError::permanent(format!("a row cannot be read: {error}")))?;
                let values = rows.columns.iter().map(|c| object.get(c).cloned().unwrap_or_default());
                let values = values.collect();
                rows.rows.push(values);
            }
        }
        tx.rollback().await.map_err(|error| describe(&error))?;
        Ok(rows)
    }

    /// PostgreSQL infers the types of parameters. The values of a message are text, so each parameter becomes a
    /// cast from text to what was inferred; `orders.id = ?` works with "1042".
    async fn prepare(
        &self,
        conn: &mut PgConnection,
        query: &str,
        given: usize,
    ) -> Result<Arc<Prepared>, LookupError> {
        if let Some(found) = self.prepared.lock().unwrap_or_else(PoisonError::into_inner).get(query) {
            return Ok(Arc::clone(found));
        }
        let checked = sql_check::check(query, sql_check::SqlDialect::Postgres)
            .map_err(|fault| LookupError::permanent(format!("the query {fault}")))?;
        if checked.params != given {
            return Err(LookupError::permanent(format!(
                "the query takes {} parameters and the rule gives {given}",
                checked.params
            )));
        }
        let statement = conn
            .prepare(AssertSqlSafe(checked.sql.clone()).into_sql_str())
            .await
            .map_err(|error| describe(&error))?;
        let columns: Vec<String> =
            statement.columns().iter().map(|column| column.name().to_owned()).collect();
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
        let sql = format!("SELECT row_to_json(looked_up)::text FROM (\n{sql}\n) AS looked_up");
        let prepared = Arc::new(Prepared { sql, columns });
        let mut cache = self.prepared.lock().unwrap_or_else(PoisonError::into_inner);
        if cache.len() > 500 {
            cache.clear();
        }
        cache.insert(query.to_owned(), Arc::clone(&prepared));
        Ok(prepared)
    }
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
                "57014" => LookupError::transient("the query took longer than is allowed"),
                "55P03" => LookupError::transient("the query waited too long for a lock"),
                "28P01" | "28000" => {
                    LookupError::permanent(format!("the credentials were refused: {message}"))
                }
                "42501" => LookupError::permanent(format!("permission was refused: {message}")),
                "25006" => LookupError::permanent(format!("the query tried to write: {message}")),
                "3D000" => LookupError::permanent(message.to_owned()),
                code if ["08", "53", "57", "58", "XX", "40"].iter().any(|class| code.starts_with(class)) => {
                    LookupError::transient(message.to_owned())
                }
                _ => LookupError::permanent(format!("the database refused the query: {message}")),
            }
        }
        sqlx::Error::PoolTimedOut => LookupError::transient("no connection could be had in time"),
        sqlx::Error::Io(error) => LookupError::transient(format!("the connection failed: {error}")),
        sqlx::Error::Tls(error) => LookupError::permanent(format!("TLS failed: {error}")),
        other => LookupError::transient(chain(other)),
    }
}
