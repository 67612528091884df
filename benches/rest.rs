//! What a REST call costs, next to pgbench running the same SQL in the same run: get by id, list of 20, create,
//! `with-rules` with 4 rules, at 16 connections; then a list in tenants of a hundred and of a million rows.
//!
//! A private PostgreSQL (fsync on) in a folder of its own, the server in this process, and both clients share the
//! machine. Rounds of the two alternate; the figures are medians over the rounds. `pgbench` must be installed.

#![expect(clippy::disallowed_methods, reason = "it measures from outside")]

use std::{
    process::Command,
    time::{Duration, Instant},
};

use clap::Parser;
use flowengine::{
    auth::dto::Role,
    keys::server::service as keys,
    server::{
        AppState, CallerContext, cli,
        config::Config,
        edge::serve,
        etag::IfMatch,
        extract::parse_json,
        http,
        run::{self, Opened},
    },
    shared::TenantId,
    tenants::server::service as tenants,
};
use leptos::config::LeptosOptions;
use secrecy::ExposeSecret;
use serde_json::json;
use sqlx::{AssertSqlSafe, Connection, PgConnection};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use tokio_util::sync::CancellationToken;

const CONNECTIONS: usize = 16;
const ROUNDS: usize = 3;
const ROUND: Duration = Duration::from_secs(4);
/// Intents of the tenant that is read.
const ROWS: i64 = 100;
const MANY: i64 = 1_000_000;

/// One call.
struct Case {
    name: &'static str,
    aim: Option<f64>,
    request: fn(&str, i64) -> String,
}

const INTENT: &str = "SELECT *, (SELECT count(*) FROM intent_examples e WHERE e.tenant_id = intents.tenant_id \
                      AND e.intent_id = intents.intent_id) AS examples_count FROM intents";

/// Each call, and the same SQL for pgbench.
fn cases() -> Vec<(Case, String)> {
    let begin = "BEGIN;\nSELECT set_config('app.tenant_id', 'bench', true);\n";
    let revision = "INSERT INTO configuration_revisions AS c (tenant_id, revision) VALUES ('bench', 1) \
                    ON CONFLICT (tenant_id) DO UPDATE SET revision = c.revision + 1 RETURNING revision \\gset\n";
    let insert = "INSERT INTO intents (tenant_id, name, description, is_active, priority, match, extractors) \
                  VALUES ('bench', gen_random_uuid()::text, '', true, 100, '{}', '[]') RETURNING intent_id \\gset\n";
    let record = "WITH raised AS (UPDATE intents SET version = version + 1 WHERE tenant_id = 'bench' \
                  AND intent_id = :intent_id RETURNING *) \
                  INSERT INTO intent_versions (tenant_id, intent_id, version, revision, intent, rules, created_by) \
                  SELECT i.tenant_id, i.intent_id, i.version, :revision, to_jsonb(i), coalesce((SELECT \
                  jsonb_agg(to_jsonb(r) ORDER BY r.priority, r.rule_id) FROM validation_rules r WHERE \
                  r.tenant_id = i.tenant_id AND r.intent_id = i.intent_id), '[]'), 'pgbench' FROM raised i RETURNING version;\n";
    let audit = "INSERT INTO audit_log (tenant_id, actor_kind, actor, address, action, object_id, after) \
                 VALUES ('bench', 'key', 'pgbench', '127.0.0.1', 'intent.create', '1', '{\"name\": \"x\", \"is_active\": true}');\n";
    let rule = "SELECT * FROM datasources WHERE tenant_id = 'bench' AND datasource_id = 1;\n\
                SELECT * FROM datasource_configs WHERE tenant_id = 'bench' AND name = 'c' FOR SHARE;\n\
                SELECT count(*) FROM validation_rules WHERE tenant_id = 'bench' AND intent_id = :intent_id;\n\
                INSERT INTO validation_rules (tenant_id, intent_id, datasource_id, field_name, rule_type, conditions, \
                priority) VALUES ('bench', :intent_id, 1, 'subject', 'exists', '{\"query\": \"SELECT 1\"}', 1) RETURNING *;\n";
    vec![
        (
            Case { name: "get by id", aim: Some(0.5), request: get },
            format!(
                "\\set id random(1, {ROWS})\n{begin}{INTENT} WHERE tenant_id = 'bench' AND intent_id = :id;\nCOMMIT;\n"
            ),
        ),
        (
            Case { name: "list of 20", aim: Some(0.4), request: list },
            format!(
                "\\set id random(21, {ROWS})\n{begin}{INTENT} WHERE tenant_id = 'bench' AND intent_id < :id \
                 ORDER BY intent_id DESC LIMIT 20;\nCOMMIT;\n"
            ),
        ),
        (
            Case { name: "create", aim: Some(0.7), request: create },
            format!("{begin}{revision}{insert}{record}{audit}COMMIT;\n"),
        ),
        (
            Case { name: "with-rules (4)", aim: None, request: with_rules },
            format!("{begin}{revision}{insert}{}{record}{audit}COMMIT;\n", rule.repeat(4)),
        ),
    ]
}

fn get(key: &str, i: i64) -> String {
    head("GET", &format!("/api/intents/{}?tenant_id=bench", 1 + i % ROWS), key, "")
}

fn list(key: &str, i: i64) -> String {
    let cursor = 21 + i % (ROWS - 20);
    head("GET", &format!("/api/intents?tenant_id=bench&limit=20&cursor={cursor}"), key, "")
}

fn create(key: &str, _: i64) -> String {
    let body = json!({"name": uuid::Uuid::new_v4()}).to_string();
    head("POST", "/api/intents?tenant_id=bench", key, &body)
}

fn with_rules(key: &str, _: i64) -> String {
    let rule = json!({"field_name": "subject", "rule_type": "exists", "datasource_id": 1,
        "conditions": {"query": "SELECT 1"}});
    let body =
        json!({"intent": {"name": uuid::Uuid::new_v4()}, "validation_rules": vec![rule; 4]}).to_string();
    head("POST", "/api/intents/with-rules?tenant_id=bench", key, &body)
}

fn head(method: &str, path: &str, key: &str, body: &str) -> String {
    format!(
        "{method} {path} HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer {key}\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

/// A connection that is kept, by hand: an HTTP client would take as much of the machine as the server.
struct Kept {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Kept {
    async fn send(&mut self, request: &str) -> u16 {
        self.stream.write_all(request.as_bytes()).await.expect("the server listens");
        self.buffer.clear();
        let mut chunk = [0; 16_384];
        loop {
            let read = self.stream.read(&mut chunk).await.expect("an answer");
            assert!(read > 0, "the server hung up");
            self.buffer.extend_from_slice(&chunk[..read]);
            let Some(end) = self.buffer.windows(4).position(|part| part == b"\r\n\r\n") else { continue };
            let head = String::from_utf8_lossy(&self.buffer[..end]).to_ascii_lowercase();
            let length: usize = head
                .split("content-length: ")
                .nth(1)
                .and_then(|rest| rest.split("\r\n").next()?.parse().ok())
                .expect("a length");
            if self.buffer.len() >= end + 4 + length {
                return head[9..12].parse().expect("a status");
            }
        }
    }
}

/// Requests per second, and the 99th percentile in milliseconds.
#[derive(Clone, Copy)]
struct Figures {
    rate: f64,
    p50: f64,
    p99: f64,
}

async fn measure(addr: std::net::SocketAddr, key: &str, request: fn(&str, i64) -> String) -> Figures {
    let started = Instant::now();
    let workers = (0..CONNECTIONS).map(|worker| {
        let key = key.to_owned();
        tokio::spawn(async move {
            let stream = TcpStream::connect(addr).await.expect("the server listens");
            stream.set_nodelay(true).expect("no delay");
            let mut connection = Kept { stream, buffer: Vec::new() };
            let mut times = Vec::new();
            let mut i = worker as i64 * 7;
            while started.elapsed() < ROUND {
                let text = request(&key, i);
                let sent = Instant::now();
                let status = connection.send(&text).await;
                assert!(
                    (200..300).contains(&status),
                    "{status}: {}",
                    String::from_utf8_lossy(&connection.buffer)
                );
                times.push(sent.elapsed().as_secs_f64() * 1_000.0);
                i += 1;
            }
            times
        })
    });
    let mut times: Vec<f64> = Vec::new();
    for worker in futures::future::join_all(workers).await {
        times.extend(worker.expect("no panic"));
    }
    let took = started.elapsed().as_secs_f64();
    times.sort_by(f64::total_cmp);
    let at = |part: f64| times[((times.len() - 1) as f64 * part) as usize];
    Figures { rate: times.len() as f64 / took, p50: at(0.5), p99: at(0.99) }
}

/// Transactions per second.
fn pgbench(url: &str, script: &std::path::Path) -> f64 {
    let installed = std::fs::read_dir("/usr/lib/postgresql")
        .map(|found| found.flatten().map(|v| v.path().join("bin/pgbench")).filter(|p| p.exists()).max())
        .unwrap_or_default();
    let tool = installed.unwrap_or_else(|| "pgbench".into());
    let output = Command::new(tool)
        .env("PGOPTIONS", "-c role=flowengine_app -c search_path=eivs")
        .args(["-n", "-M", "prepared", "-j", "2", "-c", &CONNECTIONS.to_string()])
        .args(["-T", &ROUND.as_secs().to_string(), "-f", &script.to_string_lossy(), url])
        .output()
        .expect("pgbench is installed");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
    let rate = text.lines().find_map(|line| line.strip_prefix("tps = ")).expect("a rate");
    rate.split(' ').next().and_then(|rate| rate.parse().ok()).expect("a number")
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

#[tokio::main]
async fn main() {
    // As `cargo test` runs it there is nothing to measure.
    if std::env::args().any(|argument| argument == "--test") {
        return;
    }
    // The private database is looked after by this program itself, called anew as `database`.
    if std::env::args().nth(1).as_deref() == Some("database") {
        cli::run(cli::Cli::parse()).await.expect("a database");
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::set_permissions(folder.path(), std::os::unix::fs::PermissionsExt::from_mode(0o711))
        .expect("permissions");
    let data = folder.path().join("data").to_string_lossy().into_owned();
    let config = Config::read(|name| match name {
        "DATA_DIR" => Some(data.clone()),
        "DATABASE_POOL_MAX" => Some(CONNECTIONS.to_string()),
        "RATE_LIMIT_PER_MINUTE" => Some("0".into()),
        _ => None,
    })
    .expect("the configuration");
    let opened = run::open_database(&config).await.expect("a database");
    let vault = run::open_vault(&config).expect("a key");
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let addr = listener.local_addr().expect("an address");
    let leptos = LeptosOptions::builder().output_name("flowengine").site_addr(addr).build();
    let app = AppState::new(config, opened.database.clone(), vault, leptos, addr);
    let bounds = serve::Bounds::new(&app.config.edge, &app.config.trusted_proxies);
    tokio::spawn(serve::serve(listener, http::router(app.clone()), bounds, CancellationToken::new()));
    furnish(&app, &opened).await;
    let trimming = tokio::spawn(trim(opened.url.expose_secret().to_owned()));
    let tenant: TenantId = "bench".parse().expect("a tenant");
    let key =
        keys::create_by_hand(&app.database, "bench", Some((&tenant, Role::Admin))).await.expect("a key");
    let key = key.expose_secret().to_owned();

    println!("| call | requests/s | p50 ms | p99 ms | pgbench/s | ratio | aim |");
    println!("|---|---|---|---|---|---|---|");
    for (case, sql) in cases() {
        let script = folder.path().join("script.sql");
        std::fs::write(&script, sql).expect("a script");
        let (mut ours, mut theirs) = (Vec::new(), Vec::new());
        for _ in 0..ROUNDS {
            ours.push(measure(addr, &key, case.request).await);
            let (url, script) = (opened.url.expose_secret().to_owned(), script.clone());
            let rate = tokio::task::spawn_blocking(move || pgbench(&url, &script)).await;
            theirs.push(rate.expect("pgbench"));
        }
        let ratio = median(ours.iter().zip(&theirs).map(|(our, their)| our.rate / their).collect());
        println!(
            "| {} | {:.0} | {:.1} | {:.1} | {:.0} | {ratio:.2} | {} |",
            case.name,
            median(ours.iter().map(|round| round.rate).collect()),
            median(ours.iter().map(|round| round.p50).collect()),
            median(ours.iter().map(|round| round.p99).collect()),
            median(theirs),
            case.aim.map_or_else(|| "-".to_owned(), |aim| format!("{aim}")),
        );
    }
    trimming.abort();
    pages(&app, addr).await;
    let caller = CallerContext::system(app.clone());
    tenants::delete(&caller, &tenant, &IfMatch::any()).await.expect("it can be deleted");
    opened.close().await;
}

/// The tenants that are read, and one of a million rows.
async fn furnish(app: &AppState, opened: &Opened) {
    let caller = CallerContext::system(app.clone());
    for id in ["bench", "few", "many"] {
        let input = json!({"tenant_id": id, "name": id}).to_string();
        tenants::create(&caller, parse_json(input.as_bytes()).expect("json")).await.expect("a tenant");
    }
    let mut conn = PgConnection::connect(opened.url.expose_secret()).await.expect("a connection");
    // Not even the owner passes by row-level security.
    let of = |tenant: &str| format!("SET app.tenant_id = '{tenant}'");
    let intents = |tenant: &str, rows: i64| {
        format!(
            "INSERT INTO eivs.intents (tenant_id, name, version) \
             SELECT '{tenant}', n::text, 1 FROM generate_series(1, {rows}) n; \
             INSERT INTO eivs.intent_versions (tenant_id, intent_id, version, revision, intent, rules, created_by) \
             SELECT tenant_id, intent_id, version, 1, '{{}}', '[]', 'bench' FROM eivs.intents WHERE tenant_id = '{tenant}'"
        )
    };
    let emails = |tenant: &str, rows: i64| {
        format!(
            "INSERT INTO eivs.emails (tenant_id, email_id, source, content_hash, raw, status, decision) \
             SELECT '{tenant}', ('0190a000-0000-7000-8000-' || lpad(to_hex(n), 12, '0'))::uuid, 'bench', \
             sha256(n::text::bytea), 'x', 'done', CASE WHEN n % 1000 = 0 THEN 'review' ELSE 'accepted' END \
             FROM generate_series(1, {rows}) n;"
        )
    };
    for sql in [
        of("bench"),
        intents("bench", ROWS),
        "INSERT INTO eivs.datasource_configs (tenant_id, name, protocol, driver_family, auth_type, connection_json) \
         VALUES ('bench', 'c', 'sqlite', '', 'none', '{\"path\": \"a.sqlite\"}'); \
         INSERT INTO eivs.datasources (tenant_id, name, datasource_type, connection_key) \
         VALUES ('bench', 'd', 'database', 'c')"
            .to_owned(),
        of("few"),
        intents("few", 100),
        emails("few", 100),
        of("many"),
        intents("many", MANY),
        emails("many", MANY),
        "VACUUM ANALYZE".to_owned(),
    ] {
        sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut conn).await.expect("rows");
    }
}

/// Takes away what both sides make, while they make more: a tenant may have so many intents and no more.
async fn trim(url: String) {
    let mut conn = PgConnection::connect(&url).await.expect("a connection");
    sqlx::raw_sql("SET app.tenant_id = 'bench'").execute(&mut conn).await.expect("the tenant");
    let sql = format!("DELETE FROM eivs.intents WHERE tenant_id = 'bench' AND intent_id > {ROWS}");
    loop {
        sqlx::raw_sql(AssertSqlSafe(sql.clone())).execute(&mut conn).await.expect("rows");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// The first and the last page of the same list, in a tenant of a hundred and in one of a million rows.
async fn pages(app: &AppState, addr: std::net::SocketAddr) {
    println!("\n| list of 20 | page | 100 rows, p50 ms | 1,000,000 rows, p50 ms | ratio |");
    println!("|---|---|---|---|---|");
    let mut keyed = Vec::new();
    for id in ["few", "many"] {
        let tenant: TenantId = id.parse().expect("a tenant");
        let key =
            keys::create_by_hand(&app.database, "bench", Some((&tenant, Role::Viewer))).await.expect("a key");
        keyed.push((id, key.expose_secret().to_owned()));
    }
    let email = |n: i64| format!("0190a000-0000-7000-8000-{n:012x}");
    let few_first = first_id(app, "few").await;
    let many_first = first_id(app, "many").await;
    for (list, page, few, many) in [
        ("intents", "first", String::new(), String::new()),
        ("intents", "last", format!("&cursor={}", few_first + 21), format!("&cursor={}", many_first + 21)),
        ("emails", "first", String::new(), String::new()),
        ("emails", "last", format!("&cursor={}", email(21)), format!("&cursor={}", email(21))),
        ("emails of a decision", "first", "&decision=accepted".into(), "&decision=accepted".into()),
        (
            "emails of a decision",
            "last",
            format!("&decision=accepted&cursor={}", email(21)),
            format!("&decision=accepted&cursor={}", email(21)),
        ),
    ] {
        let collection = list.split(' ').next().unwrap_or_default();
        let mut p50 = Vec::new();
        // In turn, so that what else the machine does falls on both.
        let mut times = [Vec::new(), Vec::new()];
        for _ in 0..200 {
            for (i, ((id, key), cursor)) in keyed.iter().zip([&few, &many]).enumerate() {
                let stream = TcpStream::connect(addr).await.expect("the server listens");
                let mut connection = Kept { stream, buffer: Vec::new() };
                let request =
                    head("GET", &format!("/api/{collection}?tenant_id={id}&limit=20{cursor}"), key, "");
                let sent = Instant::now();
                assert_eq!(connection.send(&request).await, 200);
                times[i].push(sent.elapsed().as_secs_f64() * 1_000.0);
            }
        }
        p50.extend(times.map(median));
        println!("| {list} | {page} | {:.2} | {:.2} | {:.2} |", p50[0], p50[1], p50[1] / p50[0]);
    }
}

async fn first_id(app: &AppState, tenant: &str) -> i64 {
    let mut tx = app.database.tenant(&tenant.parse().expect("a tenant")).await.expect("a transaction");
    sqlx::query_scalar("SELECT min(intent_id) FROM intents WHERE tenant_id = $1")
        .bind(tenant)
        .fetch_one(tx.conn())
        .await
        .expect("rows")
}
