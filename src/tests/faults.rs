//! Every way in which a datasource can fail, on every kind of it: an error and never a verdict, tried again, then
//! for a person; and nobody else waits for it.

use std::{
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use axum::{
    Router,
    routing::{get, post},
};
use reqwest::StatusCode;
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

use super::{
    datasources::MariaDb,
    support::{TestServer, message},
};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    None,
    /// Accepts, and never says a word.
    Hangs,
    /// Nobody listens there.
    Refuses,
    /// Answers what is no answer in its protocol.
    Rubbish,
    /// Answers rightly, a byte at a time, for longer than is allowed.
    Trickles,
    /// Answers rightly up to the middle.
    Dies,
    /// It was one of the others, and works again.
    Healed,
}

const FAULTS: [Fault; 5] = [Fault::Hangs, Fault::Refuses, Fault::Rubbish, Fault::Trickles, Fault::Dies];

/// Stands in front of a server that works, and spoils what it says.
#[derive(Clone)]
struct Spoiler {
    upstream: SocketAddr,
    fault: Arc<Mutex<Fault>>,
    connections: Arc<AtomicUsize>,
    /// Bytes that the server said while all was well.
    said: Arc<AtomicUsize>,
}

impl Spoiler {
    fn before(upstream: SocketAddr) -> Self {
        let fault = Arc::new(Mutex::new(Fault::None));
        Self { upstream, fault, connections: Arc::default(), said: Arc::default() }
    }

    /// Another address in front of the same server, with a fault of its own. `said` is shared.
    async fn listen(&self, fault: Fault) -> (SocketAddr, Self) {
        let spoiler =
            Self { fault: Arc::new(Mutex::new(fault)), connections: Arc::default(), ..self.clone() };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        if fault == Fault::Refuses {
            return (addr, spoiler);
        }
        let accepting = spoiler.clone();
        tokio::spawn(async move {
            loop {
                let (socket, _) = listener.accept().await.unwrap();
                accepting.connections.fetch_add(1, Ordering::SeqCst);
                let spoiler = accepting.clone();
                tokio::spawn(async move { drop(spoiler.serve(socket).await) });
            }
        });
        (addr, spoiler)
    }

    async fn serve(&self, mut client: TcpStream) -> std::io::Result<()> {
        let fault = *self.fault.lock().unwrap();
        match fault {
            Fault::Hangs => std::future::pending().await,
            Fault::Rubbish => return client.write_all(&b"\xffE rubbish \0\r\n\r\n".repeat(500)).await,
            Fault::None | Fault::Refuses | Fault::Trickles | Fault::Dies | Fault::Healed => {}
        }
        let middle = self.said.load(Ordering::SeqCst) / 2;
        let (mut from_server, mut to_server) = TcpStream::connect(self.upstream).await?.into_split();
        let (mut from_client, mut to_client) = client.into_split();
        let asking = tokio::spawn(async move { tokio::io::copy(&mut from_client, &mut to_server).await });
        let mut buffer = [0; 4_096];
        let mut said = 0;
        loop {
            let room = if fault == Fault::Trickles { 1 } else { buffer.len() };
            let read = from_server.read(&mut buffer[..room]).await?;
            if read == 0 || (fault == Fault::Dies && said >= middle) {
                asking.abort();
                return Ok(());
            }
            let read = if fault == Fault::Dies { read.min(middle - said) } else { read };
            to_client.write_all(&buffer[..read]).await?;
            said += read;
            match fault {
                Fault::None => {
                    self.said.fetch_add(read, Ordering::SeqCst);
                }
                Fault::Trickles => tokio::time::sleep(Duration::from_millis(20)).await,
                _ => {}
            }
        }
    }

    fn heal(&self) {
        *self.fault.lock().unwrap() = Fault::Healed;
    }
}

/// A datasource by its kind: the config that leads to an address, and a look-up with a long answer.
struct Kind {
    datasource_type: &'static str,
    config: Box<dyn Fn(SocketAddr) -> Value>,
    lookup: Value,
}

/// An intent that takes messages with this word in their subject, whose two rules contradict each other.
async fn intent(server: &TestServer, word: &str, kind: &Kind, addr: SocketAddr) {
    let mut config = (kind.config)(addr);
    config["name"] = word.into();
    server.post("/api/datasource-configs?tenant_id=acme", &config).await.is(StatusCode::CREATED);
    let body = json!({"name": word, "datasource_type": kind.datasource_type, "connection_key": word});
    let id = server.post("/api/datasources?tenant_id=acme", &body).await.is(StatusCode::CREATED);
    let id = id.id("datasource_id");
    let rule = |kind_of_rule: &str, priority: i64| {
        json!({"rule_type": kind_of_rule, "datasource_id": id, "field_name": "sender_email", "on_fail": "warn",
            "priority": priority, "conditions": kind.lookup})
    };
    let body = json!({
        "intent": {"name": word, "match": {"all": [{"field": "subject", "op": "contains", "value": word}]}},
        "validation_rules": [rule("exists", 1), rule("not_exists", 2)]
    });
    server.post("/api/intents/with-rules?tenant_id=acme", &body).await.is(StatusCode::CREATED);
}

fn verdicts(email: &Value) -> Vec<&str> {
    email["verdicts"].as_array().unwrap().iter().map(|v| v["verdict"].as_str().unwrap()).collect()
}

async fn server() -> TestServer {
    let server = TestServer::start_with(&[
        ("LOOKUP_TIMEOUT_MS", "500"),
        ("LOOKUP_CONNECT_TIMEOUT_MS", "500"),
        ("JOB_MAX_ATTEMPTS", "2"),
    ])
    .await;
    server.tenant("acme").await;
    let body = json!({
        "intent": {"name": "plain", "match": {"all": [{"field": "subject", "op": "contains", "value": "plain"}]}},
        "validation_rules": [{"rule_type": "regex", "field_name": "sender_email", "priority": 1,
            "conditions": {"pattern": "@x\\.example$"}}]
    });
    server.post("/api/intents/with-rules?tenant_id=acme", &body).await.is(StatusCode::CREATED);
    server
}

async fn fails_in_every_way(server: &TestServer, upstream: SocketAddr, kind: Kind) {
    let from = "ann@x.example";
    let spoiler = Spoiler::before(upstream);
    let (addr, _) = spoiler.listen(Fault::None).await;
    intent(server, "healthy", &kind, addr).await;
    let healthy = server.decide("acme", message(from, "healthy", "")).await;
    assert_eq!(verdicts(&healthy), ["pass", "fail"], "{healthy:#}");
    assert_eq!(healthy["decision"], "accepted");
    for fault in FAULTS {
        let word = format!("it-{fault:?}").to_lowercase();
        let (addr, spoiled) = spoiler.listen(fault).await;
        intent(server, &word, &kind, addr).await;
        let id = server.receive("acme", message(from, &word, "")).await;
        let plain = server.decide("acme", message(from, "plain", "")).await;
        assert_eq!(plain["decision"], "accepted", "{fault:?}: another message is decided meanwhile");
        if matches!(fault, Fault::Hangs | Fault::Trickles) {
            let waiting = server.get(&format!("/api/emails/{id}?tenant_id=acme")).await.body;
            assert_ne!(waiting["status"], "done", "{fault:?}: {waiting:#}");
        }
        let email = server.decided("acme", &id).await;
        assert_eq!(verdicts(&email), ["error"; 2], "{fault:?}: {email:#}");
        assert_eq!(email["decision"], "review", "{fault:?}");
        if fault != Fault::Refuses {
            let connections = spoiled.connections.load(Ordering::SeqCst);
            assert!(connections >= 2, "{fault:?}: it was tried again, over {connections} connections");
            spoiled.heal();
            let healed = server.decide("acme", message(from, &word, "")).await;
            assert_eq!(verdicts(&healed), ["pass", "fail"], "{fault:?} is over: {healed:#}");
        }
    }
}

#[tokio::test]
async fn a_postgres_that_fails_is_never_a_verdict() {
    let server = server().await;
    let url: url::Url = server.database().url.expose_secret().parse().unwrap();
    let upstream = format!("{}:{}", url.host_str().unwrap(), url.port().unwrap());
    let upstream = tokio::net::lookup_host(upstream).await.unwrap().next().unwrap();
    let (database, username) = (url.path().trim_start_matches('/').to_owned(), url.username().to_owned());
    let password = url.password().unwrap_or_default().to_owned();
    let kind = Kind {
        datasource_type: "database",
        config: Box::new(move |addr| {
            json!({"protocol": "postgresql", "auth_type": "basic",
                "auth_config": {"username": username, "password": password},
                "connection_json": {"host": addr.ip().to_string(), "port": addr.port(), "database": database}})
        }),
        lookup: json!({"query": "SELECT repeat('x', 200) AS x FROM generate_series(1, 80)"}),
    };
    fails_in_every_way(&server, upstream, kind).await;
}

#[tokio::test]
async fn a_mariadb_that_fails_is_never_a_verdict() {
    let server = server().await;
    let maria = MariaDb::start().await;
    maria.run("CREATE DATABASE shop; CREATE USER reader IDENTIFIED BY 'reader-pw'; GRANT SELECT ON shop.* TO reader");
    let kind = Kind {
        datasource_type: "database",
        config: Box::new(|addr| {
            json!({"protocol": "mysql", "auth_type": "basic",
                "auth_config": {"username": "reader", "password": "reader-pw"},
                "connection_json": {"host": addr.ip().to_string(), "port": addr.port(), "database": "shop"}})
        }),
        lookup: json!({"query": "SELECT repeat('x', 200) AS x FROM seq_1_to_80"}),
    };
    fails_in_every_way(&server, ([127, 0, 0, 1], maria.port).into(), kind).await;
}

async fn api() -> SocketAddr {
    let router =
        Router::new().route("/items", get(async || json!(vec!["x".repeat(200); 80]).to_string())).route(
            "/token",
            post(async || {
                let token =
                    json!({"access_token": "t", "token_type": "bearer", "padding": "x".repeat(9_000)});
                axum::Json(token)
            }),
        );
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    tokio::spawn(axum::serve(listener, router).into_future());
    addr
}

#[tokio::test]
async fn an_api_that_fails_is_never_a_verdict() {
    let server = server().await;
    let kind = Kind {
        datasource_type: "api",
        config: Box::new(|addr| json!({"protocol": "http", "base_url": format!("http://{addr}")})),
        lookup: json!({"path": "/items"}),
    };
    fails_in_every_way(&server, api().await, kind).await;
}

#[tokio::test]
async fn a_token_server_that_fails_is_never_a_verdict() {
    let server = server().await;
    let api = api().await;
    let kind = Kind {
        datasource_type: "api",
        config: Box::new(move |addr| {
            json!({"protocol": "http", "base_url": format!("http://{api}"), "auth_type": "oauth", "auth_config":
                {"token_url": format!("http://{addr}/token"), "client_id": "id", "client_secret": "s3cret"}})
        }),
        lookup: json!({"path": "/items"}),
    };
    fails_in_every_way(&server, api, kind).await;
}
