//! The way to the tables. There are six, each of its own type, four of them transactions: `TenantTx` for everything that
//! belongs to a tenant, `InstanceTx` for what belongs to the installation, `CredentialTx` to find out who is
//! calling, `WorkerTx` to find due jobs; and two for one statement: `TenantRead` on a tenant's rows, `Statement` on what
//! belongs to the installation. No repository ever sees the pool.

use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use sqlx::{
    AssertSqlSafe, ConnectOptions, Connection, Executor, PgConnection, PgPool, Postgres, Transaction,
    migrate::Migrator,
    pool::PoolConnection,
    postgres::{PgConnectOptions, PgPoolOptions},
};

use super::config::Config;
use crate::shared::{TenantId, UserId};

/// The embedded migrations.
pub static MIGRATOR: Migrator = sqlx::migrate!("./migrations");

/// The role that the server works as. It owns no table and cannot pass by row-level security.
pub const APP_ROLE: &str = "flowengine_app";

/// A connection that has rested for longer is checked before it is used.
const FRESH: Duration = Duration::from_secs(1);

/// Queues that are listened to, at most.
const LISTENERS: u32 = 6;

/// One bootstrap at a time per database; an arbitrary number of ours.
const BOOTSTRAP_LOCK: i64 = 0x666c_6f77;

/// Why the database cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum DatabaseError {
    #[error("the database cannot be reached: {0}")]
    Connect(#[source] sqlx::Error),
    #[error(
        "the role {APP_ROLE} is missing, or DATABASE_URL's role may not work as it; as an administrator run: \
         CREATE ROLE {APP_ROLE} NOLOGIN; GRANT {APP_ROLE} TO <the role of DATABASE_URL>; ({0})"
    )]
    Role(#[source] sqlx::Error),
    #[error("the migrations failed: {0}")]
    Migrate(#[from] sqlx::migrate::MigrateError),
    #[error(
        "the server's role {0} could pass by row-level security; it must be neither superuser nor BYPASSRLS"
    )]
    Privileged(String),
    #[error(transparent)]
    Sql(#[from] sqlx::Error),
}

/// The pool, as the server's role.
#[derive(Clone, Debug)]
pub struct Database {
    pool: PgPool,
    /// Connections that listen, one a queue, beside the pool: they are never given back.
    listening: PgPool,
}

fn options(url: &SecretString) -> Result<PgConnectOptions, DatabaseError> {
    let options: PgConnectOptions = url.expose_secret().parse().map_err(DatabaseError::Connect)?;
    Ok(options
        .application_name("flowengine")
        .log_slow_statements(tracing::log::LevelFilter::Warn, Duration::from_secs(1)))
}

/// Makes role and schema where they are missing, and brings the schema up to date. Several servers may do so
/// at once: they wait for each other under an advisory lock.
///
/// # Errors
/// `DatabaseError`, in words for an administrator.
pub async fn migrate(owner_url: &SecretString, url: &SecretString) -> Result<(), DatabaseError> {
    let mut conn = PgConnection::connect_with(&options(owner_url)?).await.map_err(DatabaseError::Connect)?;
    sqlx::query("SELECT pg_advisory_lock($1)").bind(BOOTSTRAP_LOCK).execute(&mut conn).await?;
    ensure_app_role(&mut conn).await?;
    if owner_url.expose_secret() != url.expose_secret() {
        let_work_as_app(&mut conn, options(url)?.get_username()).await?;
    }
    sqlx::raw_sql("CREATE SCHEMA IF NOT EXISTS eivs; SET search_path TO eivs").execute(&mut conn).await?;
    MIGRATOR.run(&mut conn).await?;
    conn.close().await?;
    Ok(())
}

/// A role belongs to the cluster, so another database's bootstrap may make it at the same moment.
async fn ensure_app_role(conn: &mut PgConnection) -> Result<(), DatabaseError> {
    sqlx::raw_sql(
        "DO $$ BEGIN \
           IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'flowengine_app') THEN \
             CREATE ROLE flowengine_app NOLOGIN NOSUPERUSER NOBYPASSRLS NOCREATEROLE NOCREATEDB; \
           END IF; \
         EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$",
    )
    .execute(&mut *conn)
    .await
    .map_err(DatabaseError::Role)?;
    if conn.execute("SET ROLE flowengine_app").await.is_err() {
        conn.execute("GRANT flowengine_app TO CURRENT_USER").await.map_err(DatabaseError::Role)?;
    }
    conn.execute("RESET ROLE").await?;
    Ok(())
}

/// Lets the role of `DATABASE_URL` work as `APP_ROLE`, where it is another one than the owner's.
async fn let_work_as_app(conn: &mut PgConnection, user: &str) -> Result<(), DatabaseError> {
    let grant: Option<String> = sqlx::query_scalar(
        "SELECT format('GRANT flowengine_app TO %I', rolname) FROM pg_roles \
         WHERE rolname = $1 AND NOT pg_has_role(rolname, 'flowengine_app', 'MEMBER')",
    )
    .bind(user)
    .fetch_optional(&mut *conn)
    .await?;
    if let Some(grant) = grant {
        sqlx::raw_sql(AssertSqlSafe(grant)).execute(conn).await.map_err(DatabaseError::Role)?;
    }
    Ok(())
}

impl Database {
    /// Opens the pool. Every connection works as `APP_ROLE`.
    ///
    /// # Errors
    /// `DatabaseError`, in words for an administrator.
    pub async fn connect(url: &SecretString, config: &Config) -> Result<Self, DatabaseError> {
        // Tried once before: a pool would try again until its time is up, and then not say why.
        let mut conn = PgConnection::connect_with(&options(url)?).await.map_err(DatabaseError::Connect)?;
        conn.execute("SET ROLE flowengine_app").await.map_err(DatabaseError::Role)?;
        conn.close().await?;
        let check = config.pool_check;
        let pool = PgPoolOptions::new()
            .min_connections(config.pool_min)
            .max_connections(config.pool_max)
            .test_before_acquire(false)
            // The check costs a round trip; what was in use a moment ago was checked when it was given back.
            .before_acquire(move |conn, connection| {
                Box::pin(async move {
                    if check && connection.idle_for > FRESH {
                        conn.ping().await?;
                    }
                    Ok(true)
                })
            })
            .acquire_timeout(Duration::from_secs(5))
            .after_connect(|conn, _| {
                Box::pin(async move {
                    conn.execute("SET ROLE flowengine_app; SET search_path TO eivs").await.map(drop)
                })
            })
            .connect_with(options(url)?)
            .await
            .map_err(DatabaseError::Connect)?;
        let listening = PgPoolOptions::new().max_connections(LISTENERS).connect_lazy_with(options(url)?);
        let (role, privileged): (String, bool) = sqlx::query_as(
            "SELECT rolname::text, rolsuper OR rolbypassrls OR EXISTS ( \
               SELECT FROM pg_tables t WHERE t.schemaname = 'eivs' AND t.tableowner = rolname) \
             FROM pg_roles WHERE rolname = current_user",
        )
        .fetch_one(&pool)
        .await?;
        if privileged {
            return Err(DatabaseError::Privileged(role));
        }
        Ok(Self { pool, listening })
    }

    /// A transaction that sees one tenant's rows and no other's.
    ///
    /// # Errors
    /// The database's.
    pub async fn tenant(&self, tenant: &TenantId) -> sqlx::Result<TenantTx> {
        let tx = self.begin_with("app.tenant_id", tenant.as_str()).await?;
        Ok(TenantTx { tx, tenant: tenant.clone() })
    }

    /// One statement that reads a tenant's rows. It is written with `in_tenant!`, which sets the tenant for as long as
    /// the statement runs: a quarter of the round trips, and the plan is kept.
    ///
    /// # Errors
    /// The database's.
    pub async fn tenant_read(&self, tenant: &TenantId) -> sqlx::Result<TenantRead> {
        Ok(TenantRead { conn: self.pool.acquire().await?, tenant: tenant.clone() })
    }

    /// A transaction on the instance-wide tables. Of a tenant's rows it sees none.
    ///
    /// # Errors
    /// The database's.
    pub async fn instance(&self) -> sqlx::Result<InstanceTx> {
        Ok(InstanceTx { tx: self.begin("BEGIN".to_owned()).await? })
    }

    /// One statement, which is a transaction of its own: a third of the round trips.
    ///
    /// # Errors
    /// The database's.
    pub async fn statement(&self) -> sqlx::Result<Statement> {
        Ok(Statement { conn: self.pool.acquire().await? })
    }

    /// A transaction that sees, of all keys, the one with this hash.
    ///
    /// # Errors
    /// The database's.
    pub async fn by_key_hash(&self, hash: &[u8; 32]) -> sqlx::Result<CredentialTx> {
        Ok(CredentialTx { tx: self.begin_with("app.key_hash", &super::token::hex(hash)).await? })
    }

    /// A transaction that sees this person's memberships, in all tenants.
    ///
    /// # Errors
    /// The database's.
    pub async fn by_user(&self, user: UserId) -> sqlx::Result<CredentialTx> {
        Ok(CredentialTx { tx: self.begin_with("app.user_id", &user.to_string()).await? })
    }

    /// A transaction that sees the queue of all tenants, and nothing else of them.
    ///
    /// # Errors
    /// The database's.
    pub async fn worker(&self) -> sqlx::Result<WorkerTx> {
        Ok(WorkerTx { tx: self.begin_with("app.worker", "on").await? })
    }

    /// Waits for notifications of new jobs.
    ///
    /// # Errors
    /// The database's.
    pub async fn listen(&self, channel: &str) -> sqlx::Result<sqlx::postgres::PgListener> {
        let mut listener = sqlx::postgres::PgListener::connect_with(&self.listening).await?;
        listener.listen(channel).await?;
        Ok(listener)
    }

    /// How many connections the pool has, and how many of them are idle.
    pub fn connections(&self) -> (i64, i64) {
        (self.pool.size().into(), i64::try_from(self.pool.num_idle()).unwrap_or(i64::MAX))
    }

    pub async fn close(&self) {
        self.listening.close().await;
        self.pool.close().await;
    }

    /// `BEGIN` and the setting travel in one message: the price of isolation is round trips, not the policy.
    /// `value` is a slug, a number, a word or hex, so it can stand in the text; this is asserted.
    async fn begin_with(&self, name: &str, value: &str) -> sqlx::Result<Transaction<'static, Postgres>> {
        assert!(
            !value.is_empty() && value.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_'),
            "a setting's value must be plain"
        );
        self.begin(format!("BEGIN; SELECT set_config('{name}', '{value}', true)")).await
    }

    /// In a task of its own, which goes on when the caller is called off: a connection whose BEGIN was sent and
    /// not awaited would go back into the pool with a transaction open, and a tenant set.
    async fn begin(&self, begin: String) -> sqlx::Result<Transaction<'static, Postgres>> {
        let pool = self.pool.clone();
        let begun = tokio::spawn(async move { pool.begin_with(AssertSqlSafe(begin)).await });
        begun.await.unwrap_or(Err(sqlx::Error::WorkerCrashed))
    }
}

/// The only way to a tenant's rows: row-level security shows this tenant's and no other's. Queries filter by
/// `tenant()` as well.
#[derive(Debug)]
pub struct TenantTx {
    tx: Transaction<'static, Postgres>,
    tenant: TenantId,
}

impl TenantTx {
    pub fn tenant(&self) -> &TenantId {
        &self.tenant
    }
}

/// One statement that reads a tenant's rows. Row-level security shows it this tenant's and no other's, and none at all
/// where it does not set the tenant itself, as `in_tenant!` does.
#[derive(Debug)]
pub struct TenantRead {
    conn: PoolConnection<Postgres>,
    tenant: TenantId,
}

/// A tenant's rows, by a transaction or by one statement.
pub trait TenantRows {
    fn tenant(&self) -> &TenantId;
    fn conn(&mut self) -> &mut PgConnection;
}

impl TenantRows for TenantTx {
    fn tenant(&self) -> &TenantId {
        &self.tenant
    }
    fn conn(&mut self) -> &mut PgConnection {
        &mut self.tx
    }
}

impl TenantRows for TenantRead {
    fn tenant(&self) -> &TenantId {
        &self.tenant
    }
    fn conn(&mut self) -> &mut PgConnection {
        &mut self.conn
    }
}

/// The text of a statement that reads a tenant's rows: `$1` is the tenant, which is set before the rows are looked at,
/// since a lateral subquery begins with the row that it goes by, and for this statement alone. In a transaction it sets
/// what is set.
macro_rules! in_tenant {
    ($sql:literal) => {
        concat!(
            "WITH tenant AS MATERIALIZED (SELECT set_config('app.tenant_id', $1, true) AS id) \
             SELECT found.* FROM tenant CROSS JOIN LATERAL (",
            $sql,
            " OFFSET 0) AS found"
        )
    };
}
pub(crate) use in_tenant;

/// A transaction on the instance-wide tables.
#[derive(Debug)]
pub struct InstanceTx {
    tx: Transaction<'static, Postgres>,
}

/// One statement on the instance-wide tables, or that proves for itself what it may see. Of a tenant's rows it sees
/// none.
#[derive(Debug)]
pub struct Statement {
    conn: PoolConnection<Postgres>,
}

impl Statement {
    pub fn conn(&mut self) -> &mut PgConnection {
        &mut self.conn
    }
}

/// A transaction that sees what one credential proves.
#[derive(Debug)]
pub struct CredentialTx {
    tx: Transaction<'static, Postgres>,
}

/// A transaction that sees which jobs are due.
#[derive(Debug)]
pub struct WorkerTx {
    tx: Transaction<'static, Postgres>,
}

macro_rules! transaction {
    ($($name:ident),+) => { $(
        impl $name {
            pub fn conn(&mut self) -> &mut PgConnection {
                &mut self.tx
            }

            /// # Errors
            /// The database's; nothing is stored then.
            pub async fn commit(self) -> sqlx::Result<()> {
                self.tx.commit().await
            }
        }
    )+ };
}
transaction!(TenantTx, InstanceTx, CredentialTx, WorkerTx);
