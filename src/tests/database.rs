//! What is asked of the database, and what becomes of a server whose database is gone.

use std::{
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use leptos::config::LeptosOptions;
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;
use sqlx::{AssertSqlSafe, migrate::MigrateError};
use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
    time::timeout,
};
use tokio_util::sync::CancellationToken;

use super::support::{TestDatabase, TestServer, config, eventually, message};
use crate::{
    emails::{
        dto::EmailStatus,
        server::{service as emails, worker},
    },
    server::{
        AppState, CallerContext, Database, Error,
        database::{self, DatabaseError},
        vault::Vault,
    },
    shared::TenantId,
    tenants::server::service as tenants,
};

#[tokio::test]
async fn an_older_server_starts_on_what_a_newer_one_migrated() {
    let database = TestDatabase::create().await;
    let mut conn = database.superuser().await;
    let mut sql = async |sql: &'static str| {
        sqlx::raw_sql(sql).execute(&mut conn).await.unwrap();
    };
    sql("INSERT INTO _sqlx_migrations VALUES (29991231000000, 'newer', now(), true, '\\x00', 0)").await;
    database::migrate(&database.url, &database.url).await.unwrap();
    sql("UPDATE _sqlx_migrations SET checksum = '\\x00' \
         WHERE version = (SELECT min(version) FROM _sqlx_migrations)")
    .await;
    let refused = database::migrate(&database.url, &database.url).await.unwrap_err();
    assert!(matches!(refused, DatabaseError::Migrate(MigrateError::VersionMismatch(_))), "{refused}");
}

#[tokio::test]
async fn an_index_whose_making_broke_off_is_made_anew() {
    let database = TestDatabase::create().await;
    let mut conn = database.superuser().await;
    sqlx::raw_sql(
        "UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'eivs.ix_eivs_emails_without_intent'::regclass; \
         DELETE FROM _sqlx_migrations WHERE version = 20261129004100",
    )
    .execute(&mut conn)
    .await
    .unwrap();
    database::migrate(&database.url, &database.url).await.unwrap();
    let is_valid: bool = sqlx::query_scalar(
        "SELECT indisvalid FROM pg_index WHERE indexrelid = 'eivs.ix_eivs_emails_without_intent'::regclass",
    )
    .fetch_one(&mut conn)
    .await
    .unwrap();
    assert!(is_valid);
}

/// A backup reads for hours, and everybody would wait behind whoever waits for it.
#[tokio::test]
async fn a_broken_index_is_dropped_without_keeping_anybody_from_reading() {
    let database = TestDatabase::create().await;
    let (mut conn, mut backup) = (database.superuser().await, database.superuser().await);
    let index = "eivs.ix_eivs_emails_without_intent";
    sqlx::raw_sql(AssertSqlSafe(format!(
        "UPDATE pg_index SET indisvalid = false WHERE indexrelid = '{index}'::regclass; \
         DELETE FROM eivs._sqlx_migrations WHERE version = 20261129004100"
    )))
    .execute(&mut conn)
    .await
    .unwrap();
    sqlx::raw_sql("BEGIN; SELECT count(*) FROM eivs.emails").execute(&mut backup).await.unwrap();
    let reading = async {
        eventually("the start waits for the backup", async || {
            let waits = "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() \
                         AND query LIKE 'DROP INDEX%' AND wait_event_type = 'Lock'";
            sqlx::query_scalar::<_, i32>(waits).fetch_optional(&mut conn).await.unwrap()
        })
        .await;
        let read = "SET statement_timeout = '5s'; SELECT count(*) FROM eivs.emails";
        sqlx::raw_sql(read).execute(&mut conn).await.unwrap();
        sqlx::raw_sql("COMMIT").execute(&mut backup).await.unwrap();
    };
    let (started, ()) = tokio::join!(database::migrate(&database.url, &database.url), reading);
    started.unwrap();
}

#[tokio::test]
async fn what_is_acknowledged_is_on_disk_whatever_the_database_has_set() {
    let database = TestDatabase::create().await;
    let folder = tempfile::tempdir().unwrap();
    let config = config(folder.path(), &[]);
    let url: url::Url = database.url.expose_secret().parse().unwrap();
    let name = url.path().trim_start_matches('/');
    // The tests' own database gives durability up, and says so.
    for (is_unsafe, set, used) in [
        ("off", "off", "on"),
        ("off", "local", "local"),
        ("off", "remote_write", "remote_write"),
        ("off", "on", "on"),
        ("on", "off", "off"),
    ] {
        let mut conn = database.superuser().await;
        let sql = format!(
            "ALTER DATABASE {name} SET flowengine.unsafe_fast = '{is_unsafe}'; \
             ALTER DATABASE {name} SET synchronous_commit = '{set}'"
        );
        sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut conn).await.unwrap();
        let pool = Database::connect(&database.url, &config).await.unwrap();
        let mut statement = pool.statement().await.unwrap();
        let shown: String =
            sqlx::query_scalar("SHOW synchronous_commit").fetch_one(statement.conn()).await.unwrap();
        assert_eq!(shown, used, "{set}");
    }
}

/// What is told next.
pub async fn heard(listener: &mut database::Listener) -> String {
    let told = timeout(Duration::from_secs(60), listener.recv()).await.expect("in time").unwrap();
    told.payload().to_owned()
}

#[tokio::test]
async fn what_a_transaction_tells_is_heard_once_and_only_when_it_is_committed() {
    let server = TestServer::start_idle(&[]).await;
    let acme = server.tenant("acme").await;
    let mut listener = server.app.database.listen("flowengine_test").await.unwrap();
    let telling = async |what: &str| {
        let mut tx = server.app.database.tenant(&acme).await.unwrap();
        tx.tell("flowengine_test", what);
        tx
    };
    drop(telling("rolled_back").await);
    let first = telling("first").await;
    let mut second = telling("second").await;
    second.tell("flowengine_test", "third");
    second.tell("flowengine_test", "second");
    second.commit().await.unwrap();
    first.commit().await.unwrap();
    let mut all = Vec::new();
    for _ in 0..3 {
        all.push(heard(&mut listener).await);
    }
    assert_eq!(all, ["second", "third", "first"]);
}

/// To tell needs a lock of the whole cluster. Whoever stores something would have it until that is on disk: so that must not
/// depend on what is told, nor on whether it can be.
#[tokio::test]
async fn what_is_stored_is_stored_whether_it_can_be_told_or_not() {
    let database = TestDatabase::create().await;
    let mut conn = database.superuser().await;
    let url: url::Url = database.url.expose_secret().parse().unwrap();
    let name = url.path().trim_start_matches('/');
    // Another than what is used for telling.
    let sql = format!(
        "ALTER DATABASE {name} SET synchronous_commit = 'local'; \
         INSERT INTO tenants (tenant_id, name) VALUES ('acme', 'Acme')"
    );
    sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut conn).await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let config = config(folder.path(), &[("DATABASE_POOL_MAX", "1")]);
    let pool = Database::connect(&database.url, &config).await.unwrap();
    let acme: TenantId = "acme".parse().unwrap();
    for (days, can_tell) in [(30, true), (60, false)] {
        if !can_tell {
            let sql = "REVOKE EXECUTE ON FUNCTION pg_notify(text, text) FROM PUBLIC";
            sqlx::raw_sql(sql).execute(&mut conn).await.unwrap();
        }
        let mut tx = pool.tenant(&acme).await.unwrap();
        sqlx::query(
            "INSERT INTO retention (tenant_id, message_days) VALUES ('acme', $1) \
             ON CONFLICT (tenant_id) DO UPDATE SET message_days = excluded.message_days",
        )
        .bind(days)
        .execute(tx.conn())
        .await
        .unwrap();
        tx.tell("flowengine_test", "acme");
        tx.commit().await.unwrap();
        let kept: i32 =
            sqlx::query_scalar("SELECT message_days FROM retention").fetch_one(&mut conn).await.unwrap();
        assert_eq!(kept, days);
        // The only connection is left as it was.
        let mut statement = pool.statement().await.unwrap();
        let shown: String =
            sqlx::query_scalar("SHOW synchronous_commit").fetch_one(statement.conn()).await.unwrap();
        assert_eq!(shown, "local", "{can_tell}");
        let told = sqlx::query("SELECT pg_notify('flowengine_test', '')").execute(statement.conn()).await;
        assert_eq!(told.is_ok(), can_tell);
    }
}

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|kind| kind == "rs" || kind == "sql") {
            found.push(path);
        }
    }
}

#[test]
fn nothing_is_told_in_the_transaction_that_it_is_about() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = Vec::new();
    for folder in ["src", "migrations"] {
        sources(&root.join(folder), &mut found);
    }
    assert!(found.len() >= 300);
    let tests = root.join("src/tests");
    let telling: Vec<&PathBuf> = found
        .iter()
        .filter(|path| !path.starts_with(&tests) && fs::read_to_string(path).unwrap().contains("pg_notify("))
        .collect();
    assert_eq!(telling, [&root.join("src/server/database/conn.rs")], "it is given to `TenantTx::tell`");
}

#[tokio::test]
async fn a_statement_has_a_requests_time_and_little_more() {
    let server = TestServer::start_idle(&[("REQUEST_TIMEOUT_S", "2")]).await;
    let acme = server.tenant("acme").await;
    let shown = async |setting: &'static str| -> String {
        let mut tx = server.app.database.tenant(&acme).await.unwrap();
        sqlx::query_scalar("SELECT current_setting($1)").bind(setting).fetch_one(tx.conn()).await.unwrap()
    };
    assert_eq!(shown("statement_timeout").await, "7s");
    assert_eq!(shown("idle_in_transaction_session_timeout").await, "7s");
    assert_eq!(database::at_leisure(shown("statement_timeout")).await, "10min");
    assert_eq!(shown("statement_timeout").await, "7s", "the other was for its transaction alone");

    let mut tx = server.app.database.tenant(&acme).await.unwrap();
    sqlx::raw_sql("SET LOCAL statement_timeout = 50").execute(tx.conn()).await.unwrap();
    let ended = sqlx::query("SELECT pg_sleep(10)").execute(tx.conn()).await.unwrap_err();
    let error = Error::from(ended);
    assert!(matches!(error, Error::Database(_)), "nobody takes it for what is wrong with a message: {error}");
    assert_eq!(error.into_problem().status, 504);
}

/// A request that was called off is not worked for any longer, and the next one has its place.
#[tokio::test]
async fn what_was_called_off_ends_in_the_database_too() {
    let server = TestServer::start_idle(&[("DATABASE_POOL_MAX", "1")]).await;
    let acme = server.tenant("acme").await;
    let begun = Instant::now();
    let called_off = timeout(Duration::from_millis(200), async {
        let mut tx = server.app.database.tenant(&acme).await.unwrap();
        sqlx::query("SELECT pg_sleep(50)").execute(tx.conn()).await
    });
    assert!(called_off.await.is_err());
    eventually("there is a place", async || server.app.database.tenant(&acme).await.ok()).await;
    let mut conn = server.database().superuser().await;
    eventually("it ended", async || {
        let left: i64 = sqlx::query_scalar(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND state = 'active' \
             AND query = 'SELECT pg_sleep(50)'",
        )
        .fetch_one(&mut conn)
        .await
        .unwrap();
        (left == 0).then_some(())
    })
    .await;
    assert!(begun.elapsed() < Duration::from_secs(40), "it was not waited for");
}

/// A way to the database that can be lost, as with a machine: what is open stays open, and nothing comes through any
/// more, no end either. What is opened after that leads there as before.
struct Way {
    url: SecretString,
    lost: Arc<Mutex<CancellationToken>>,
}

impl Way {
    async fn to(database: &TestDatabase) -> Self {
        let mut url: url::Url = database.url.expose_secret().parse().unwrap();
        let there = (url.host_str().unwrap().to_owned(), url.port().unwrap_or(5_432));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        url.set_host(Some("127.0.0.1")).unwrap();
        url.set_port(Some(listener.local_addr().unwrap().port())).unwrap();
        let lost = Arc::new(Mutex::new(CancellationToken::new()));
        let now = Arc::clone(&lost);
        tokio::spawn(async move {
            loop {
                let (mut here, _) = listener.accept().await.unwrap();
                let mut there = TcpStream::connect(there.clone()).await.unwrap();
                let lost = now.lock().unwrap().clone();
                tokio::spawn(async move {
                    tokio::select! {
                        _ = copy_bidirectional(&mut here, &mut there) => {}
                        () = lost.cancelled() => std::future::pending::<()>().await,
                    }
                });
            }
        });
        Self { url: url.to_string().into(), lost }
    }

    fn lose(&self) {
        std::mem::take(&mut *self.lost.lock().unwrap()).cancel();
    }
}

/// A request's time is a second, so that the database is taken for gone after eleven.
const SHORT: [(&str, &str); 3] =
    [("REQUEST_TIMEOUT_S", "1"), ("DATABASE_POOL_MIN", "0"), ("DATABASE_POOL_MAX", "2")];

#[tokio::test]
async fn a_database_that_is_gone_without_a_word_keeps_no_place_in_the_pool() {
    let database = TestDatabase::create().await;
    let way = Way::to(&database).await;
    let folder = tempfile::tempdir().unwrap();
    let pool = Database::connect(&way.url, &config(folder.path(), &SHORT)).await.unwrap();
    let (mut waits, mut called_off) = (pool.worker().await.unwrap(), pool.statement().await.unwrap());
    for conn in [waits.conn(), called_off.conn()] {
        sqlx::query("SELECT 1").execute(conn).await.unwrap();
    }
    way.lose();
    let lost_at = Instant::now();
    let answer = timeout(Duration::from_millis(100), sqlx::query("SELECT 1").execute(called_off.conn()));
    assert!(answer.await.is_err());
    drop(called_off);
    let gone = sqlx::query("SELECT 1").execute(waits.conn()).await.unwrap_err();
    assert!(
        matches!(&gone, sqlx::Error::Io(error) if error.kind() == std::io::ErrorKind::TimedOut),
        "{gone}"
    );
    drop(waits);
    eventually("both places are free", async || {
        let one = pool.worker().await.ok()?;
        let other = pool.worker().await.ok()?;
        Some((one, other))
    })
    .await;
    assert!(lost_at.elapsed() < Duration::from_secs(30), "{:?}", lost_at.elapsed());
}

#[tokio::test]
async fn a_server_goes_on_once_there_is_another_database() {
    let database = TestDatabase::create().await;
    let way = Way::to(&database).await;
    let folder = tempfile::tempdir().unwrap();
    let config = config(folder.path(), &SHORT);
    let pool = Database::connect(&way.url, &config).await.unwrap();
    let addr: SocketAddr = "127.0.0.1:0".parse().unwrap();
    let leptos = LeptosOptions::builder().output_name("flowengine").site_addr(addr).build();
    let app = AppState::new(config, pool, Vault::new([7; 32]), leptos, addr);
    let working = tokio::spawn(worker::work(app.clone(), app.stop.clone()));
    let caller = CallerContext::system(app.clone());
    let acme = serde_json::from_value(json!({"tenant_id": "acme", "name": "Acme"})).unwrap();
    tenants::create(&caller, acme).await.unwrap();
    let ctx = caller.in_tenant(&"acme".parse().unwrap()).await.unwrap();
    let is_decided = async |subject: &str| {
        let raw = message("a@x.example", subject, "hello").into_bytes();
        let received =
            eventually("it is taken", async || emails::receive(&ctx, "test", raw.clone(), None).await.ok())
                .await;
        eventually("it is decided", async || {
            let found = emails::find(&ctx.app, &ctx.tenant, received.email_id).await.ok()?;
            (found.email.status == EmailStatus::Done).then_some(())
        })
        .await;
    };
    is_decided("before").await;
    way.lose();
    is_decided("after").await;
    app.stop.cancel();
    working.await.unwrap();
}
