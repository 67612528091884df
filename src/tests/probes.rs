//! What load balancers and monitoring see, and how a server stops.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use leptos::config::LeptosOptions;
use reqwest::{Method, StatusCode, header};
use secrecy::ExposeSecret;
use serde_json::json;
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
};

use super::{
    bounds::HalfSent,
    name_server::NameServer,
    support::{Answer, TestDatabase, TestServer, config, eventually, message},
};
use crate::{
    demo,
    keys::server::service as keys,
    mailboxes::server::smtp::{self, Bounds, Protocol},
    server::{AppState, Database, run, vault::Vault},
    tenants,
};

#[tokio::test]
async fn ready_is_who_has_database_and_migrations() {
    let server = TestServer::start_idle(&[]).await;
    server.tenant("acme").await;
    let answer = server.request(Method::GET, "/readyz", None).send().await.unwrap();
    let answer = Answer::of(answer).await.is(StatusCode::OK);
    let checks = json!({"database": "ok", "migrations": "ok", "queue": "ok", "queue_age_s": 0});
    assert_eq!(answer.body, json!({"status": "ready", "checks": checks}));
    let mut conn = server.database().superuser().await;
    // An answer holds for a second.
    let becomes = async |status: StatusCode, check: &str, value: &str| {
        eventually(&format!("{check} is {value}"), async || {
            let answer = server.get("/readyz").await;
            (answer.status == status && answer.body["checks"][check] == value).then_some(answer.body)
        })
        .await
    };

    // A backlog is told, and does not take the server away.
    server.receive("acme", message("a@x.example", "A", "b")).await;
    let mut sql = async |sql: &'static str| {
        sqlx::raw_sql(sql).execute(&mut conn).await.unwrap();
    };
    sql("UPDATE jobs SET run_at = now() - interval '1 hour'").await;
    let report = becomes(StatusCode::OK, "queue", "behind").await;
    assert!((3_600..3_700).contains(&report["checks"]["queue_age_s"].as_u64().unwrap()), "{report}");
    assert!(!report.to_string().contains("acme"));

    sql("INSERT INTO _sqlx_migrations VALUES (29991231000000, 'newer', now(), true, '\\x00', 0)").await;
    sql("UPDATE jobs SET run_at = now()").await;
    becomes(StatusCode::OK, "queue", "ok").await;
    sql("UPDATE _sqlx_migrations SET success = false WHERE version = 29991231000000").await;
    let report = becomes(StatusCode::SERVICE_UNAVAILABLE, "migrations", "unfinished").await;
    assert_eq!(report["status"], "not ready");
    sql("DELETE FROM _sqlx_migrations WHERE version = (SELECT min(version) FROM _sqlx_migrations) \
         OR version = 29991231000000")
    .await;
    becomes(StatusCode::SERVICE_UNAVAILABLE, "migrations", "behind").await;
    server.get("/healthz").await.is(StatusCode::OK);
}

#[tokio::test]
async fn figures_name_routes_and_outcomes_and_no_tenant() {
    let server = TestServer::start().await;
    demo::load(&server.app).await.unwrap();
    for tenant in ["acme_corp", "globex_inc"] {
        let emails = server.get(&format!("/api/emails?tenant_id={tenant}")).await.body;
        for email in emails.as_array().unwrap() {
            server.decided(tenant, email["email_id"].as_str().unwrap()).await;
        }
    }
    server.get("/api/intents/0?tenant_id=acme_corp").await.is(StatusCode::NOT_FOUND);
    let odd = Method::from_bytes(b"MADEUP").unwrap();
    server.request(odd, "/made-up-path", None).send().await.unwrap();
    let answer = server.get("/metrics").await.is(StatusCode::OK);
    assert!(
        answer.headers[header::CONTENT_TYPE].to_str().unwrap().starts_with("application/openmetrics-text")
    );
    for line in [
        "flowengine_http_requests_total{method=\"GET\",route=\"/api/intents/{intent_id}\",status=\"404\"} 1",
        "flowengine_http_request_duration_seconds_count{method=\"GET\",route=\"/api/intents/{intent_id}\"} 1",
        "flowengine_http_requests_total{method=\"other\",route=\"none\"",
        "flowengine_messages_decided_total{decision=\"accepted\"} ",
        "flowengine_messages_decided_total{decision=\"rejected\"} ",
        "flowengine_lookups_total{outcome=\"answered\"} ",
        "flowengine_lookup_duration_seconds_bucket{le=\"0.001\",outcome=\"answered\"} ",
        "flowengine_jobs_waiting{kind=\"email\"} 0",
        "flowengine_jobs_open{kind=\"email\"} 0",
        "flowengine_jobs_oldest_age_seconds{kind=\"email\"} 0.0",
        "flowengine_database_connections{state=\"idle\"} ",
        "flowengine_http_requests_in_flight 0",
        "process_start_time_seconds 1",
        "flowengine_build_info{version=\"",
    ] {
        assert!(answer.text.contains(line), "{line} in {}", answer.text);
    }
    for private in ["acme", "globex", "made-up", "MADEUP"] {
        assert!(!answer.text.contains(private), "{private} in {}", answer.text);
    }
}

/// What the server answers to a line, which may be several lines; to none, how it greets.
async fn said(wire: &mut BufReader<TcpStream>, line: &str) -> String {
    wire.write_all(line.as_bytes()).await.unwrap();
    loop {
        let mut reply = String::new();
        assert!(wire.read_line(&mut reply).await.unwrap() > 0, "it hung up after {line}");
        if reply.as_bytes().get(3) != Some(&b'-') {
            return reply;
        }
    }
}

#[tokio::test]
async fn figures_tell_what_came_in_by_which_way_and_what_was_not_taken() {
    let names = NameServer::start();
    let dns = names.addr.to_string();
    let server = TestServer::start_idle(&[("MAX_MESSAGE_BYTES", "1000"), ("MAIL_DNS", dns.as_str())]).await;
    server.tenant("acme").await;
    let domains = json!({"domains": ["acme.example"]});
    server.put("/api/mail-domains?tenant_id=acme", &domains).await.is(StatusCode::OK);
    let mailbox = json!({"name": "m", "kind": "smtp", "address": "orders@acme.example"});
    server.post("/api/mailboxes?tenant_id=acme", &mailbox).await.is(StatusCode::CREATED);

    let raw = message("a@x.example", "one", "x");
    for _ in 0..2 {
        // The second is known.
        server.receive("acme", raw.clone()).await;
    }
    let post = async |path: &str, kind: &str, body: String| {
        let request = server.request(Method::POST, &format!("{path}?tenant_id=acme"), Some(&server.key));
        request.header(header::CONTENT_TYPE, kind).body(body).send().await.unwrap().status()
    };
    let (large, empty) = ("x".repeat(1_001), String::new());
    let status = post("/api/emails", "message/rfc822", large.clone()).await;
    assert_eq!(status, StatusCode::PAYLOAD_TOO_LARGE);
    let status = post("/api/emails", "message/rfc822", empty.clone()).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    let file: String = [message("a@x.example", "two", "x"), large, empty, raw]
        .map(|message| format!("From a@x.example Mon Nov 23 10:00:00 2026\n{message}\n"))
        .concat();
    assert_eq!(post("/api/emails/import", "application/mbox", file).await, StatusCode::OK);

    let bounds = Arc::new(Bounds::new(&server.app.config.mail).unwrap());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    tokio::spawn(smtp::serve(server.app.clone(), listener, Protocol::Smtp, bounds, server.app.stop.clone()));
    let mut wire = BufReader::new(TcpStream::connect(addr).await.unwrap());
    let mail = message("ann@sender.example", "three", "x") + ".\r\n";
    for (line, code) in [
        ("", "220"),
        ("EHLO client.example\r\n", "250"),
        ("MAIL FROM:<ann@sender.example>\r\n", "250"),
        ("RCPT TO:<nobody@acme.example>\r\n", "550"),
        ("RCPT TO:<orders@acme.example>\r\n", "250"),
        ("DATA\r\n", "354"),
        (mail.as_str(), "250"),
    ] {
        let reply = said(&mut wire, line).await;
        assert!(reply.starts_with(code), "{line}: {reply}");
    }
    let figures = server.get("/metrics").await.is(StatusCode::OK).text;
    for line in [
        "flowengine_messages_received_total{source=\"http\"} 1",
        "flowengine_messages_received_total{source=\"upload\"} 1",
        "flowengine_messages_received_total{source=\"smtp\"} 1",
        "flowengine_messages_refused_total{source=\"http\",reason=\"too_large\"} 1",
        "flowengine_messages_refused_total{source=\"http\",reason=\"empty\"} 1",
        "flowengine_messages_refused_total{source=\"upload\",reason=\"too_large\"} 1",
        "flowengine_messages_refused_total{source=\"upload\",reason=\"empty\"} 1",
        "flowengine_messages_refused_total{source=\"smtp\",reason=\"no_mailbox\"} 1",
    ] {
        assert!(figures.lines().any(|other| other == line), "{line} in {figures}");
    }
    for private in ["acme", "sender.example", "orders"] {
        assert!(!figures.contains(private), "{private} in {figures}");
    }
}

/// Of all tenants together: which one it is, its administrators see.
#[tokio::test]
async fn figures_tell_how_many_mailboxes_fail_and_for_how_long_one_was_not_read() {
    let server = TestServer::start_idle(&[]).await;
    for tenant in ["acme", "globex"] {
        server.tenant(tenant).await;
        for name in ["one", "other"] {
            let account = json!({"host": "imap.x.example", "username": name, "password": "p"});
            let mailbox = json!({"name": name, "kind": "imap", "imap": account});
            let path = format!("/api/mailboxes?tenant_id={tenant}");
            server.post(&path, &mailbox).await.is(StatusCode::CREATED);
        }
    }
    let figure = async |name: &str| -> Option<f64> {
        let text = server.get("/metrics").await.is(StatusCode::OK).text;
        assert!(!text.contains("acme") && !text.contains("imap.x.example"), "{text}");
        let start = format!("flowengine_mailboxes_{name}{{kind=\"imap\"}} ");
        text.lines().find_map(|line| line.strip_prefix(&start)).map(|value| value.parse().unwrap())
    };
    let age = "oldest_heartbeat_age_seconds";
    assert_eq!((figure("failing").await, figure(age).await), (Some(0.0), None), "none was read yet");
    let mut conn = server.database().superuser().await;
    let mut sql = async |sql: &'static str| {
        sqlx::raw_sql(sql).execute(&mut conn).await.unwrap();
    };
    sql("UPDATE mailbox_heartbeats SET last_seen_at = now()").await;
    sql("UPDATE mailbox_heartbeats h SET last_seen_at = now() - interval '1 hour', problem = 'x', failing_since = now() \
         FROM mailboxes m WHERE m.tenant_id = h.tenant_id AND m.mailbox_id = h.mailbox_id AND m.name = 'other'")
    .await;
    assert_eq!(figure("failing").await, Some(2.0));
    let hour = figure(age).await.unwrap();
    assert!((3_600.0..3_700.0).contains(&hour), "{hour}");
    // Nobody looks at those of a tenant that is inactive, or at one that is switched off.
    sql("UPDATE tenants SET is_active = false WHERE tenant_id = 'globex'; \
         DELETE FROM mailbox_watches w USING mailboxes m WHERE m.tenant_id = w.tenant_id \
           AND m.mailbox_id = w.mailbox_id AND m.name = 'other'")
    .await;
    assert_eq!(figure("failing").await, Some(0.0));
    assert!(figure(age).await.unwrap() < 100.0);
}

#[tokio::test]
async fn figures_are_not_for_strangers() {
    let server = TestServer::start_idle(&[]).await;
    let get = async |server: &TestServer, name: &str, value: &str| {
        let request = server.request(Method::GET, "/metrics", None).header(name, value);
        Answer::of(request.send().await.unwrap()).await.status
    };
    assert_eq!(get(&server, "accept", "*/*").await, StatusCode::OK, "this machine");
    // A proxy on this machine makes everybody seem to come from it.
    for name in ["x-forwarded-for", "forwarded", "x-real-ip", "via"] {
        assert_eq!(get(&server, name, "127.0.0.1").await, StatusCode::FORBIDDEN, "{name}");
    }
    let token = "0123456789abcdef";
    let server = TestServer::start_idle(&[("METRICS_TOKEN", token)]).await;
    assert_eq!(get(&server, "accept", "*/*").await, StatusCode::UNAUTHORIZED);
    for wrong in ["Bearer 0123456789abcdeg", "Bearer ", "0123456789abcdef"] {
        assert_eq!(get(&server, "authorization", wrong).await, StatusCode::UNAUTHORIZED, "{wrong}");
    }
    assert_eq!(
        get(&server, "authorization", &format!("Bearer {}", server.key)).await,
        StatusCode::UNAUTHORIZED
    );
    for scheme in ["Bearer", "bearer"] {
        assert_eq!(get(&server, "authorization", &format!("{scheme} {token}")).await, StatusCode::OK);
    }
}

#[tokio::test]
async fn a_stop_says_so_finishes_what_is_under_way_and_ends_in_time() {
    let database = TestDatabase::create().await;
    let folder = tempfile::tempdir().unwrap();
    let vars = [
        ("ENVIRONMENT", "production"),
        ("DATABASE_URL", database.url.expose_secret()),
        ("ENCRYPTION_KEY", &"07".repeat(32)),
        ("PUBLIC_URL", "http://127.0.0.1"),
    ];
    let config = config(folder.path(), &vars);
    let pool = Database::connect(&database.url, &config).await.unwrap();
    let key = keys::create_by_hand(&pool, "test", None).await.unwrap().expose_secret().to_owned();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    let leptos = LeptosOptions::builder().output_name("flowengine").site_addr(addr).build();
    let app = AppState::new(config, pool, Vault::new([7; 32]), leptos, addr);
    let (signal, signalled) = tokio::sync::oneshot::channel::<()>();
    let server = tokio::spawn({
        let app = app.clone();
        async move {
            let signal = async move {
                let _ = signalled.await;
            };
            run::serve_until(&app, listener, false, signal).await
        }
    });
    let base = format!("http://{addr}");
    let tenant = json!({"tenant_id": "acme", "name": "Acme"});
    let client = reqwest::Client::new();
    let made =
        client.post(format!("{base}/api/tenants")).bearer_auth(&key).json(&tenant).send().await.unwrap();
    assert_eq!(made.status(), StatusCode::CREATED);
    let metrics = client.get(format!("{base}/metrics")).send().await.unwrap();
    assert_eq!(metrics.status(), StatusCode::FORBIDDEN, "in production this machine is nobody");

    let half = HalfSent::begin(&base, &key, "acme").await;
    eventually("the request is under way", async || (app.in_flight.count() > 0).then_some(())).await;
    signal.send(()).unwrap();
    let stopped_at = Instant::now();
    let stopping = eventually("it says that it stops", async || {
        let answer = Answer::of(reqwest::get(format!("{base}/readyz")).await.unwrap()).await;
        (answer.status == StatusCode::SERVICE_UNAVAILABLE).then_some(answer)
    })
    .await;
    assert_eq!(stopping.body["status"], "stopping");
    assert_eq!(stopping.headers[header::CONNECTION], "close", "the next request goes elsewhere");
    eventually("no connection is taken", async || reqwest::get(format!("{base}/healthz")).await.err()).await;
    let answer = half.end().await;
    assert!(answer.starts_with("HTTP/1.1 202 "), "{answer}");
    server.await.unwrap().unwrap();
    assert!(stopped_at.elapsed() < Duration::from_secs(10));
    let tenant = "acme".parse().unwrap();
    assert_eq!(tenants::server::service::is_active(&app, &tenant).await.unwrap(), Some(true));
}

/// All servers would leave the rotation at once, for what a few ask.
#[tokio::test]
async fn a_server_is_ready_though_every_connection_is_taken() {
    let server = TestServer::start_idle(&[("DATABASE_POOL_MIN", "0"), ("DATABASE_POOL_MAX", "2")]).await;
    let taken = eventually("both connections are taken", async || {
        Some((server.app.database.worker().await.ok()?, server.app.database.worker().await.ok()?))
    })
    .await;
    for _ in 0..2 {
        let answer = server.request(Method::GET, "/readyz", None).send().await.unwrap();
        assert_eq!(Answer::of(answer).await.is(StatusCode::OK).body["checks"]["database"], "ok");
    }
    drop(taken);
}

/// That is when somebody looks at them.
#[tokio::test]
async fn figures_are_told_though_the_database_does_not_answer() {
    let server = TestServer::start_idle(&[("DATABASE_POOL_MIN", "0"), ("DATABASE_POOL_MAX", "2")]).await;
    let up = async || server.get("/metrics").await.is(StatusCode::OK).text;
    assert!(up().await.contains("flowengine_database_up 1"));
    let taken = eventually("both connections are taken", async || {
        Some((server.app.database.worker().await.ok()?, server.app.database.worker().await.ok()?))
    })
    .await;
    let text = up().await;
    assert!(
        text.contains("flowengine_database_up 0") && text.contains("flowengine_http_requests_total"),
        "{text}"
    );
    assert!(!text.contains("flowengine_jobs_waiting{"), "what is not known is not said: {text}");
    drop(taken);
}
