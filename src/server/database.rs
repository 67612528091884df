//! The way to the tables. There are six, each of its own type, four of them transactions: `TenantTx` for everything that
//! belongs to a tenant, `InstanceTx` for what belongs to the installation, `CredentialTx` to find out who is
//! calling, `WorkerTx` to find due jobs; and two for one statement: `TenantRead` on a tenant's rows, `Statement` on what
//! belongs to the installation. No repository ever sees the pool.

mod conn;

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use secrecy::{ExposeSecret, SecretString};
use sqlx::{
    AssertSqlSafe, ConnectOptions, Connection, Executor, PgConnection, PgPool,
    migrate::{MigrateError, Migrator},
    postgres::{PgConnectOptions, PgPoolOptions},
};
use tokio::{
    sync::Mutex,
    time::{Instant, sleep, timeout},
};

use conn::{ANSWER, silent};
pub use conn::{Conn, Listener};

use super::{
    config::Config,
    error::{chain, unreachable},
};
use crate::shared::{TenantId, UserId};

/// The embedded migrations.
pub static MIGRATOR: Migrator = sqlx::migrate!("./migrations");

/// The role that the server works as. It owns no table and cannot pass by row-level security.
pub const APP_ROLE: &str = "flowengine_app";

/// A connection that has rested for longer is checked before it is used.
const FRESH: Duration = Duration::from_secs(1);

/// How long such a check may take: whoever waits for the connection has 5 seconds, and may need another one.
const CHECK: Duration = Duration::from_secs(2);

/// What a statement may take longer than a request (`REQUEST_TIMEOUT_S`), which is answered first.
const AFTERWARDS: Duration = Duration::from_secs(5);

/// How long a statement may take that no request waits for (`at_leisure`).
const LEISURE: Duration = Duration::from_secs(600);

/// What an answer may take longer than the statement: PostgreSQL ends that, and says so, unless it is gone.
const MARGIN: Duration = Duration::from_secs(5);

/// How often a server looks whether another one that migrates is done.
const POLL: Duration = Duration::from_millis(100);

/// A migration that finds a table in use waits so long, and is tried so often: some 10 minutes, with its own waiting.
const NAP: Duration = Duration::from_secs(5);
const MOST_TRIES: u32 = 60;

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
    /// How long a statement may take.
    limit: Duration,
    reach: Arc<Reach>,
}

/// Whether the database can be reached, as far as is known.
#[derive(Debug, Default)]
struct Reach {
    is_lost: AtomicBool,
    /// When it was last tried, and why it could not be reached then, if so. Of many who wait in vain one tries.
    tried: Mutex<Option<(Instant, Option<String>)>>,
}

tokio::task_local! {
    /// Set where no request waits.
    static AT_LEISURE: ();
}

/// Does what no request waits for, and what may rightly take longer than one: deleting by the hundreds, reading all
/// examples, commands. Its transactions give each statement `LEISURE`.
pub fn at_leisure<F: Future>(work: F) -> impl Future<Output = F::Output> {
    AT_LEISURE.scope((), work)
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
    let mut tries = 0;
    loop {
        match migrate_once(owner_url, url).await {
            Err(DatabaseError::Migrate(error)) if is_locked(&error) && tries < MOST_TRIES => {
                tries += 1;
                tracing::warn!(%error, "a table is in use for long, as by a backup: the migration is tried again");
                sleep(NAP).await;
            }
            done => return done,
        }
    }
}

/// Whether a migration waited for a lock in vain, or for somebody who waited for it. While it waits, all wait that come after
/// it: so it gives way.
fn is_locked(error: &MigrateError) -> bool {
    let (MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _)) = error else {
        return false;
    };
    error
        .as_database_error()
        .and_then(|error| error.code())
        .is_some_and(|code| matches!(&*code, "55P03" | "40P01"))
}

async fn migrate_once(owner_url: &SecretString, url: &SecretString) -> Result<(), DatabaseError> {
    #[expect(clippy::disallowed_methods, reason = "as the owner, for migrations alone")]
    let mut conn = PgConnection::connect_with(&options(owner_url)?).await.map_err(DatabaseError::Connect)?;
    // Whatever holds for the role: neither others nor a large table are waited for in vain.
    conn.execute("SET statement_timeout = 0").await?;
    // Asked again and again: an index that is made while others write (CONCURRENTLY) would wait for who waits for a lock.
    while !sqlx::query_scalar::<_, bool>("SELECT pg_try_advisory_lock($1)")
        .bind(BOOTSTRAP_LOCK)
        .fetch_one(&mut conn)
        .await?
    {
        sleep(POLL).await;
    }
    ensure_app_role(&mut conn).await?;
    if owner_url.expose_secret() != url.expose_secret() {
        let_work_as_app(&mut conn, options(url)?.get_username()).await?;
    }
    sqlx::raw_sql("CREATE SCHEMA IF NOT EXISTS eivs; SET search_path TO eivs").execute(&mut conn).await?;
    drop_broken_indexes(&mut conn).await?;
    // What is there and not known here, a newer server has migrated, which only adds: this one can start beside it, as
    // `/readyz` says. What is known must be as it is known.
    let mut migrator = Migrator::with_migrations(MIGRATOR.iter().cloned().collect());
    migrator.set_ignore_missing(true);
    migrator.run(&mut conn).await?;
    conn.close().await?;
    Ok(())
}

/// An index that was being made while others write, when its server was stopped, is there and of no use. It goes in the same
/// way: otherwise everybody who reads would wait behind it while it waits for a backup. One that an administrator is making
/// anew (`REINDEX CONCURRENTLY`) is theirs.
async fn drop_broken_indexes(conn: &mut PgConnection) -> Result<(), DatabaseError> {
    let broken: Vec<String> = sqlx::query_scalar(
        "SELECT format('DROP INDEX CONCURRENTLY IF EXISTS %s', i.indexrelid::regclass) \
         FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid \
         WHERE NOT i.indisvalid AND c.relnamespace = 'eivs'::regnamespace AND c.relname !~ '_ccnew[0-9]*$'",
    )
    .fetch_all(&mut *conn)
    .await?;
    for drop in broken {
        conn.execute(AssertSqlSafe(drop)).await?;
    }
    Ok(())
}

/// What holds for each connection of the application, in one message, and so in one round trip.
///
/// PostgreSQL is to end a statement that no request waits for any more, to notice that its connection was closed (which
/// it can where it runs on Linux), and to let go of the locks of a server whose machine is gone. What is acknowledged
/// must be on disk: `synchronous_commit = off`, of the role or the database, is not taken over; `local` and those that
/// wait for other machines are. `flowengine.unsafe_fast` is set by `flowengine database --unsafe-fast`, for tests.
///
/// What PostgreSQL takes for worth compiling runs for less long than that takes.
fn settings(limit: Duration) -> String {
    let limit = limit.as_millis();
    format!(
        "SET ROLE {APP_ROLE}; SET search_path TO eivs; SET statement_timeout = {limit}; SET jit = off; \
         SET idle_in_transaction_session_timeout = {limit}; \
         SELECT set_config('client_connection_check_interval', '5s', false) WHERE version() LIKE '%linux%'; \
         SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off' \
         AND current_setting('flowengine.unsafe_fast', true) IS DISTINCT FROM 'on'"
    )
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
        #[expect(clippy::disallowed_methods, reason = "before there is a pool")]
        let mut conn = PgConnection::connect_with(&options(url)?).await.map_err(DatabaseError::Connect)?;
        conn.execute("SET ROLE flowengine_app").await.map_err(DatabaseError::Role)?;
        conn.close().await?;
        let check = config.pool_check;
        let limit = config.edge.request_timeout + AFTERWARDS;
        let settings: Arc<str> = settings(limit).into();
        let pool = PgPoolOptions::new()
            .min_connections(config.pool_min)
            .max_connections(config.pool_max)
            .test_before_acquire(false)
            // The check costs a round trip; what was in use a moment ago was checked when it was given back.
            .before_acquire(move |conn, connection| {
                Box::pin(async move {
                    if check && connection.idle_for > FRESH {
                        timeout(CHECK, conn.ping()).await.map_err(|_| silent())??;
                    }
                    Ok(true)
                })
            })
            .acquire_timeout(Duration::from_secs(5))
            .after_connect(move |conn, _| {
                let settings = AssertSqlSafe(Arc::clone(&settings));
                Box::pin(async move {
                    timeout(ANSWER, conn.execute(settings)).await.map_err(|_| silent())?.map(drop)
                })
            })
            .connect_with(options(url)?)
            .await
            .map_err(DatabaseError::Connect)?;
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
        Ok(Self { pool, limit, reach: Arc::default() })
    }

    /// A transaction that sees one tenant's rows and no other's.
    ///
    /// # Errors
    /// The database's.
    pub async fn tenant(&self, tenant: &TenantId) -> sqlx::Result<TenantTx> {
        let conn = self.begin_with("app.tenant_id", tenant.as_str()).await?;
        Ok(TenantTx { conn, tenant: tenant.clone() })
    }

    /// One statement that reads a tenant's rows. It is written with `in_tenant!`, which sets the tenant for as long as
    /// the statement runs: a quarter of the round trips, and the plan is kept.
    ///
    /// # Errors
    /// The database's.
    pub async fn tenant_read(&self, tenant: &TenantId) -> sqlx::Result<TenantRead> {
        Ok(TenantRead { conn: self.acquire().await?, tenant: tenant.clone() })
    }

    /// A transaction on the instance-wide tables. Of a tenant's rows it sees none.
    ///
    /// # Errors
    /// The database's.
    pub async fn instance(&self) -> sqlx::Result<InstanceTx> {
        Ok(InstanceTx { conn: self.begin("").await? })
    }

    /// One statement, which is a transaction of its own: a third of the round trips.
    ///
    /// # Errors
    /// The database's.
    pub async fn statement(&self) -> sqlx::Result<Statement> {
        Ok(Statement { conn: self.acquire().await? })
    }

    /// A transaction that sees, of all keys, the one with this hash.
    ///
    /// # Errors
    /// The database's.
    pub async fn by_key_hash(&self, hash: &[u8; 32]) -> sqlx::Result<CredentialTx> {
        Ok(CredentialTx { conn: self.begin_with("app.key_hash", &super::token::hex(hash)).await? })
    }

    /// A transaction that sees this person's memberships, in all tenants.
    ///
    /// # Errors
    /// The database's.
    pub async fn by_user(&self, user: UserId) -> sqlx::Result<CredentialTx> {
        Ok(CredentialTx { conn: self.begin_with("app.user_id", &user.to_string()).await? })
    }

    /// A transaction that sees the queue of all tenants, and nothing else of them.
    ///
    /// # Errors
    /// The database's.
    pub async fn worker(&self) -> sqlx::Result<WorkerTx> {
        Ok(WorkerTx { conn: self.begin_with("app.worker", "on").await? })
    }

    /// Hears what is told on a channel, on a connection beside the pool.
    ///
    /// # Errors
    /// The database's.
    pub async fn listen(&self, channel: &str) -> sqlx::Result<Listener> {
        let options = PgConnectOptions::clone(&self.pool.connect_options());
        let pool = PgPoolOptions::new().max_connections(1).max_lifetime(None).idle_timeout(None);
        Listener::on(channel, &pool.connect_lazy_with(options)).await
    }

    /// The same database by one connection beside the pool, made when it is first asked for: for what is to be told though
    /// all others are taken.
    pub fn beside(&self) -> Self {
        let options = PgConnectOptions::clone(&self.pool.connect_options());
        let pool = self.pool.options().clone().min_connections(0).max_connections(1);
        Self { pool: pool.connect_lazy_with(options), limit: self.limit, reach: Arc::clone(&self.reach) }
    }

    /// How many connections the pool has, and how many of them are idle.
    pub fn connections(&self) -> (i64, i64) {
        (self.pool.size().into(), i64::try_from(self.pool.num_idle()).unwrap_or(i64::MAX))
    }

    pub async fn close(&self) {
        self.pool.close().await;
    }

    async fn acquire(&self) -> sqlx::Result<Conn> {
        self.had(Conn::acquire(&self.pool, self.limit + MARGIN).await).await
    }

    /// `value` is a slug, a number, a word or hex, so it can stand in the text; this is asserted.
    async fn begin_with(&self, name: &str, value: &str) -> sqlx::Result<Conn> {
        assert!(!value.is_empty() && is_plain(value), "a setting's value must be plain");
        self.begin(&format!("; SET LOCAL {name} = '{value}'")).await
    }

    /// `BEGIN` and the settings travel in one message: the price of isolation is round trips, not the policy.
    async fn begin(&self, settings: &str) -> sqlx::Result<Conn> {
        let (limit, begin) = if AT_LEISURE.try_with(|_| ()).is_ok() {
            (LEISURE, format!("BEGIN; SET LOCAL statement_timeout = {}{settings}", LEISURE.as_millis()))
        } else {
            (self.limit, format!("BEGIN{settings}"))
        };
        self.had(Conn::begin(&self.pool, begin, limit + MARGIN).await).await
    }

    /// What came of asking for a connection. Whoever waited for one in vain is told whether all were in use or there is none
    /// to be had; the log has that when it begins, with its cause, and when it is over.
    async fn had(&self, conn: sqlx::Result<Conn>) -> sqlx::Result<Conn> {
        match conn {
            Err(sqlx::Error::PoolTimedOut) => match self.why_not().await {
                Some(why) => Err(unreachable(why)),
                None => Err(sqlx::Error::PoolTimedOut),
            },
            conn => {
                if conn.is_ok() {
                    self.is_reached();
                }
                conn
            }
        }
    }

    fn is_reached(&self) {
        // Each transaction looks; writing it down each time would cost them.
        if self.reach.is_lost.load(Ordering::Relaxed) && self.reach.is_lost.swap(false, Ordering::Relaxed) {
            tracing::info!("the database can be reached again");
        }
    }

    /// Why the database cannot be reached, where it cannot. An answer holds for a second.
    async fn why_not(&self) -> Option<String> {
        let mut tried = self.reach.tried.lock().await;
        if let Some((at, why)) = &*tried
            && at.elapsed() < FRESH
        {
            return why.clone();
        }
        let options = self.pool.connect_options();
        #[expect(clippy::disallowed_methods, reason = "it sees nothing: whether there is an answer is all")]
        let connecting = PgConnection::connect_with(&options);
        let why = match timeout(CHECK, connecting).await {
            Ok(Ok(conn)) => {
                let _ = timeout(CHECK, conn.close()).await;
                None
            }
            // It answers, though it takes no more (`too_many_connections`), or none yet.
            Ok(Err(sqlx::Error::Database(_))) => None,
            Ok(Err(error)) => Some(chain(&error)),
            Err(_) => Some(chain(&silent())),
        };
        *tried = Some((Instant::now(), why.clone()));
        match &why {
            None => self.is_reached(),
            Some(why) if !self.reach.is_lost.swap(true, Ordering::Relaxed) => {
                tracing::error!(why, "the database cannot be reached");
            }
            Some(_) => {}
        }
        why
    }
}

/// Whether it can stand in the text of a statement, within quotes.
fn is_plain(text: &str) -> bool {
    text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

/// The only way to a tenant's rows: row-level security shows this tenant's and no other's. Queries filter by
/// `tenant()` as well.
#[derive(Debug)]
pub struct TenantTx {
    conn: Conn,
    tenant: TenantId,
}

impl TenantTx {
    pub fn tenant(&self) -> &TenantId {
        &self.tenant
    }

    /// Keeps a turn at what takes a connection for long until that is another's. Whoever hangs up leaves a statement
    /// behind: were the turn free before the connection, to begin anew would take another one each time.
    #[must_use]
    pub fn keeping(mut self, turn: impl Send + Sync + 'static) -> Self {
        self.conn.keep(turn);
        self
    }

    /// Tells whoever listens on the channel, once this is committed; once, however often it is said here. Both texts are
    /// plain, which is asserted. It may be lost, as with a server that ends at this moment: whoever must know looks from time
    /// to time as well.
    pub fn tell(&mut self, channel: &str, what: &str) {
        assert!(is_plain(channel) && is_plain(what), "what is told must be plain");
        self.conn.tell(channel, what);
    }
}

/// One statement that reads a tenant's rows. Row-level security shows it this tenant's and no other's, and none at all
/// where it does not set the tenant itself, as `in_tenant!` does.
#[derive(Debug)]
pub struct TenantRead {
    conn: Conn,
    tenant: TenantId,
}

/// A tenant's rows, by a transaction or by one statement.
pub trait TenantRows {
    fn tenant(&self) -> &TenantId;
    fn conn(&mut self) -> &mut Conn;
}

impl TenantRows for TenantTx {
    fn tenant(&self) -> &TenantId {
        &self.tenant
    }
    fn conn(&mut self) -> &mut Conn {
        &mut self.conn
    }
}

impl TenantRows for TenantRead {
    fn tenant(&self) -> &TenantId {
        &self.tenant
    }
    fn conn(&mut self) -> &mut Conn {
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
    conn: Conn,
}

/// One statement on the instance-wide tables, or that proves for itself what it may see. Of a tenant's rows it sees
/// none.
#[derive(Debug)]
pub struct Statement {
    conn: Conn,
}

impl Statement {
    pub fn conn(&mut self) -> &mut Conn {
        &mut self.conn
    }
}

/// A transaction that sees what one credential proves.
#[derive(Debug)]
pub struct CredentialTx {
    conn: Conn,
}

/// A transaction that sees which jobs are due.
#[derive(Debug)]
pub struct WorkerTx {
    conn: Conn,
}

macro_rules! transaction {
    ($($name:ident),+) => { $(
        impl $name {
            pub fn conn(&mut self) -> &mut Conn {
                &mut self.conn
            }

            /// # Errors
            /// The database's; nothing is stored then.
            pub async fn commit(self) -> sqlx::Result<()> {
                self.conn.commit().await
            }
        }
    )+ };
}
transaction!(TenantTx, InstanceTx, CredentialTx, WorkerTx);
