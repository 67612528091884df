//! Pages hear of changes, whatever becomes of the connection over which the server does.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use axum::body::Bytes;
use futures::{Stream, StreamExt};
use reqwest::{Method, StatusCode};
use secrecy::ExposeSecret;
use sqlx::PgConnection;
use tokio::{
    net::{TcpListener, TcpStream, lookup_host},
    sync::{broadcast, watch},
    time::timeout,
};

use super::support::{TestServer, eventually, message};
use crate::{
    auth::dto::Role,
    server::{
        AppState, Database,
        changes::{self, CHANNEL, Changed},
        vault::Vault,
    },
};

/// Longer than the server waits for more before it tells.
const A_WHILE: Duration = Duration::from_secs(3);

/// Whether a page is told of a change within that time.
async fn is_told(events: &mut (impl Stream<Item = reqwest::Result<Bytes>> + Unpin), time: Duration) -> bool {
    let told = async {
        while let Some(bytes) = events.next().await {
            if bytes.unwrap().starts_with(b"event: changed") {
                return true;
            }
        }
        false
    };
    timeout(time, told).await.unwrap_or(false)
}

async fn notify(database: &mut PgConnection, tenant: &str) {
    let sql = "SELECT pg_notify($1, $2)";
    sqlx::query(sql).bind(CHANNEL).bind(tenant).execute(database).await.unwrap();
}

async fn let_in(database: &mut PgConnection, is_open: bool) {
    let sql = "UPDATE pg_database SET datallowconn = $1 WHERE datname = current_database()";
    sqlx::query(sql).bind(is_open).execute(database).await.unwrap();
}

/// Ends the server's listening.
async fn hang_up(database: &mut PgConnection) {
    let sql = "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity \
               WHERE datname = current_database() AND query LIKE 'LISTEN %'";
    eventually("the server listens", async || {
        sqlx::query_scalar::<_, bool>(sql)
            .fetch_optional(&mut *database)
            .await
            .unwrap()
            .filter(|ended| *ended)
    })
    .await;
}

#[tokio::test]
async fn what_changed_while_the_database_was_away_is_told_and_what_changes_then() {
    let server = TestServer::start_idle(&[]).await;
    server.tenant("acme").await;
    let key = server.key_of("acme", Role::Viewer).await;
    let answer = server.request(Method::GET, "/ui/changes?tenant_id=acme", Some(&key)).send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::OK);
    let mut events = answer.bytes_stream();
    let mut database = server.database().superuser().await;
    // What may have changed before it listened is told.
    while is_told(&mut events, A_WHILE).await {}

    let_in(&mut database, false).await;
    hang_up(&mut database).await;
    notify(&mut database, "acme").await;
    assert!(!is_told(&mut events, A_WHILE).await, "nobody hears it");
    let_in(&mut database, true).await;
    assert!(is_told(&mut events, Duration::from_secs(15)).await, "something may have changed meanwhile");
    while is_told(&mut events, A_WHILE).await {}
    server.receive("acme", message("a@b.example", "order", "x")).await;
    assert!(is_told(&mut events, A_WHILE).await, "it listens again");
    while is_told(&mut events, A_WHILE).await {}

    // Also where it can connect again at once.
    hang_up(&mut database).await;
    assert!(is_told(&mut events, Duration::from_secs(15)).await, "something may have changed meanwhile");
}

/// It takes as long as a server believes who hears.
#[tokio::test]
async fn a_stream_goes_on_while_nobody_can_find_out_who_hears_it() {
    let server = TestServer::start_idle(&[]).await;
    server.tenant("acme").await;
    let key = server.key_of("acme", Role::Viewer).await;
    let began = Instant::now();
    let answer = server.request(Method::GET, "/ui/changes?tenant_id=acme", Some(&key)).send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::OK);
    let mut events = answer.bytes_stream();
    let mut database = server.database().superuser().await;
    let sql = "REVOKE EXECUTE ON FUNCTION caller_by_key FROM flowengine_app";
    sqlx::raw_sql(sql).execute(&mut database).await.unwrap();
    let asked = server.request(Method::GET, "/api/intents?tenant_id=acme", Some(&key)).send().await.unwrap();
    assert_eq!(asked.status(), StatusCode::INTERNAL_SERVER_ERROR);
    // What may have changed before it listened is told.
    while is_told(&mut events, A_WHILE).await {}

    while began.elapsed() < changes::BELIEVED + A_WHILE {
        notify(&mut database, "acme").await;
        assert!(is_told(&mut events, A_WHILE).await, "after {:?}", began.elapsed());
    }
}

/// For how long the tenant is known to have been quiet, as a stream says when it begins.
async fn quiet(server: &TestServer, key: &str, tenant: &str) -> Duration {
    let path = format!("/ui/changes?tenant_id={tenant}");
    let answer = server.request(Method::GET, &path, Some(key)).send().await.unwrap();
    let first = answer.bytes_stream().next().await.unwrap().unwrap();
    let text = std::str::from_utf8(&first).unwrap();
    let milliseconds = text.strip_prefix("event: quiet\ndata: ").unwrap_or_else(|| panic!("{text}"));
    Duration::from_millis(milliseconds.trim_end().parse().unwrap())
}

#[tokio::test]
async fn a_page_that_begins_to_hear_learns_whether_it_missed_a_change() {
    let server = TestServer::start_idle(&[]).await;
    server.tenant("acme").await;
    server.tenant("globex").await;
    let (key, other) =
        (server.key_of("acme", Role::Viewer).await, server.key_of("globex", Role::Viewer).await);
    let answer = server.request(Method::GET, "/ui/changes?tenant_id=acme", Some(&key)).send().await.unwrap();
    let mut events = answer.bytes_stream();
    // What may have changed before it listened is told.
    while is_told(&mut events, A_WHILE).await {}

    let made = Instant::now();
    server.receive("acme", message("a@b.example", "order", "x")).await;
    assert!(is_told(&mut events, A_WHILE).await);
    assert!(quiet(&server, &key, "acme").await <= made.elapsed(), "it changed meanwhile");
    assert!(quiet(&server, &other, "globex").await > made.elapsed(), "another's change is not its own");
}

/// Stands before the database, and can be cut so that neither end learns of it.
struct Line {
    addr: SocketAddr,
    cut: watch::Sender<()>,
}

impl Line {
    async fn before(upstream: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (addr, cut) = (listener.local_addr().unwrap(), watch::Sender::new(()));
        let cuts = cut.clone();
        tokio::spawn(async move {
            while let Ok((mut client, _)) = listener.accept().await {
                let mut is_cut = cuts.subscribe();
                tokio::spawn(async move {
                    let mut server = TcpStream::connect(upstream).await.unwrap();
                    tokio::select! {
                        _ = tokio::io::copy_bidirectional(&mut client, &mut server) => {}
                        _ = is_cut.changed() => std::future::pending().await,
                    }
                });
            }
        });
        Self { addr, cut }
    }

    /// Nothing comes over the connections that there are any more. Later ones are sound.
    async fn cut(&self) {
        self.cut.send_replace(());
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// It takes as long as a server may hear nothing, and then waits for an answer.
#[tokio::test]
async fn a_connection_whose_other_end_has_gone_is_noticed() {
    let server = TestServer::start_idle(&[]).await;
    let mut direct = server.database().superuser().await;
    let mut url: url::Url = server.database().url.expose_secret().parse().unwrap();
    let upstream = format!("{}:{}", url.host_str().unwrap(), url.port().unwrap_or(5432));
    let line = Line::before(lookup_host(upstream).await.unwrap().next().unwrap()).await;
    url.set_host(Some("127.0.0.1")).unwrap();
    url.set_port(Some(line.addr.port())).unwrap();
    let app = &server.app;
    let database = Database::connect(&url.to_string().into(), &app.config).await.unwrap();
    let app = AppState::new(app.config.clone(), database, Vault::new([7; 32]), app.leptos.clone(), app.addr);

    let sender = broadcast::Sender::new(16);
    let mut receiver = sender.subscribe();
    tokio::spawn(changes::listen(app.clone(), sender));
    let mut heard = async || -> Changed {
        timeout(Duration::from_secs(60), receiver.recv()).await.expect("in time").expect("it listens")
    };
    assert_eq!(heard().await, None, "it begins");
    notify(&mut direct, "acme").await;
    assert_eq!(heard().await.as_deref(), Some("acme"));
    line.cut().await;
    notify(&mut direct, "acme").await;
    assert_eq!(heard().await, None, "something may have changed meanwhile");
    notify(&mut direct, "globex").await;
    assert_eq!(heard().await.as_deref(), Some("globex"));
    app.stop.cancel();
}
