//! The fences around look-ups, each with a table of tries to get through it, and with what is still allowed.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use axum::{
    Router,
    http::{HeaderMap, StatusCode as Code, Uri},
    routing::get,
};
use reqwest::{Method, StatusCode};
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use super::{
    datasources::MariaDb,
    support::{Answer, TestServer, config, eventually},
};
use crate::{
    datasources::server::{
        connection::{Auth, Connection, Endpoint, FileEndpoint, FileFormat, HttpEndpoint},
        lookup::{Cause, Lookups, Request},
    },
    server::oauth::OAuthClient,
    shared::ConfigId,
};

/// The answer to making a config, and the datasource's id where it was made.
async fn datasource(server: &TestServer, kind: &str, mut config: Value) -> Result<i64, Answer> {
    let name = uuid::Uuid::new_v4().simple().to_string();
    config["name"] = name.as_str().into();
    let made = server.post("/api/datasource-configs?tenant_id=acme", &config).await;
    if made.status != StatusCode::CREATED {
        return Err(made.is(StatusCode::UNPROCESSABLE_ENTITY));
    }
    let body = json!({"name": name, "datasource_type": kind, "connection_key": name});
    let made = server.post("/api/datasources?tenant_id=acme", &body).await.is(StatusCode::CREATED);
    Ok(made.id("datasource_id"))
}

async fn preview(server: &TestServer, id: i64, conditions: Value, fields: Value) -> Answer {
    let path = format!("/api/datasources/{id}/preview?tenant_id=acme");
    server.post(&path, &json!({"conditions": conditions, "fields": fields})).await
}

/// Whoever connects is counted.
async fn trap(addr: &str) -> (SocketAddr, Arc<AtomicUsize>) {
    let listener = TcpListener::bind(addr).await.unwrap();
    let (addr, caught) = (listener.local_addr().unwrap(), Arc::new(AtomicUsize::new(0)));
    let count = Arc::clone(&caught);
    tokio::spawn(async move {
        while listener.accept().await.is_ok() {
            count.fetch_add(1, Ordering::SeqCst);
        }
    });
    (addr, caught)
}

async fn serve(router: Router) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    tokio::spawn(axum::serve(listener, router).into_future());
    addr
}

/// Every way to write an address that is inside.
const INSIDE: [&str; 28] = [
    "127.0.0.1",
    "127.1",
    "127.0.1",
    "2130706433",
    "0x7f000001",
    "0x7f.0.0.1",
    "017700000001",
    "0177.0.0.1",
    "127.0.0.1.",
    "0",
    "0.0.0.0",
    "localhost",
    "LOCALHOST",
    "localhost.",
    "[::1]",
    "[::]",
    "[::ffff:127.0.0.1]",
    "[::ffff:7f00:1]",
    "[::127.0.0.1]",
    "[64:ff9b::7f00:1]",
    "[2002:7f00:1::]",
    "\u{ff11}\u{ff12}\u{ff17}.0.0.1",
    "127\u{3002}0\u{3002}0\u{3002}1",
    "%31%32%37.0.0.1",
    "good.example@127.0.0.1",
    "user:pw@127.0.0.1",
    "169.254.169.254",
    "[fd00:ec2::254]",
];

#[tokio::test]
async fn no_spelling_of_an_address_leads_inside() {
    let server = TestServer::start_idle(&[
        ("LOOKUP_ALLOW_NETWORKS", ""),
        ("LOOKUP_TIMEOUT_MS", "2000"),
        ("LOOKUP_CONNECT_TIMEOUT_MS", "1000"),
    ])
    .await;
    server.tenant("acme").await;
    let (trap, caught) = trap("127.0.0.1:0").await;
    let port = trap.port();
    for host in INSIDE {
        let address = format!("{host}:{port}");
        let oauth =
            json!({"token_url": format!("http://{address}/"), "client_id": "i", "client_secret": "s"});
        let sql = json!({"query": "SELECT 1"});
        for (kind, config, conditions) in [
            (
                "api",
                json!({"protocol": "http", "base_url": format!("http://{address}/")}),
                json!({"path": "/"}),
            ),
            (
                "api",
                json!({"protocol": "http", "base_url": "http://1.1.1.1/", "auth_type": "oauth", "auth_config": oauth}),
                json!({"path": "/"}),
            ),
            (
                "database",
                json!({"protocol": "postgresql", "base_url": format!("postgresql://{address}/a")}),
                sql.clone(),
            ),
            (
                "database",
                json!({"protocol": "mysql", "base_url": format!("mysql://{address}/a")}),
                sql.clone(),
            ),
            (
                "database",
                json!({"protocol": "postgresql", "connection_json": {"host": host, "port": port, "database": "a"}}),
                sql.clone(),
            ),
        ] {
            let Ok(id) = datasource(&server, kind, config.clone()).await else { continue };
            let answer = preview(&server, id, conditions, json!({})).await.is(StatusCode::OK).body;
            let message = answer["message"].as_str().unwrap_or_default();
            let refused = message.contains("may not reach") || message.contains("cannot be resolved");
            assert!(answer["ok"] == false && refused, "{host}: {config} {answer:#}");
            let tested = server.post(&format!("/api/datasources/{id}/test?tenant_id=acme"), &json!({})).await;
            assert_eq!(tested.body["ok"], false, "{host}: {}", tested.text);
        }
    }
    assert_eq!(caught.load(Ordering::SeqCst), 0, "nobody came inside");
}

#[tokio::test]
async fn a_path_and_a_redirect_stay_with_their_host_and_a_header_is_one() {
    // One address is open; its neighbour, where the trap is, is not.
    let server = TestServer::start_idle(&[("LOOKUP_ALLOW_NETWORKS", "127.0.0.1/32")]).await;
    server.tenant("acme").await;
    let (trap, caught) = trap("127.0.0.2:0").await;
    let to = format!("http://{trap}/");
    let mut router = Router::new().fallback(async |uri: Uri, headers: HeaderMap| {
        json!([{"uri": uri.to_string(), "evil": headers.contains_key("x-evil"), "host": headers["host"].to_str().unwrap()}])
            .to_string()
    });
    for code in [301_u16, 302, 303, 307, 308] {
        let to = to.clone();
        let answer = async move || (Code::from_u16(code).unwrap(), [("location", to.clone())], "[1]");
        router = router.route(&format!("/v1/{code}"), get(answer));
    }
    let addr = serve(router).await;
    let config = json!({"protocol": "http", "base_url": format!("http://{addr}/v1")});
    let id = datasource(&server, "api", config).await.unwrap();
    for code in [301, 302, 303, 307, 308] {
        let answer = preview(&server, id, json!({"path": format!("/{code}")}), json!({})).await.body;
        assert_eq!(answer["ok"], false, "{code}: {answer:#}");
    }
    let fine = |uri: &str| uri.starts_with("/v1/");
    let tries = [
        "//evil.example/",
        "@evil.example/",
        "\\\\evil.example\\",
        "..",
        "../../admin",
        "a/../../admin",
        "..%2f..%2fadmin",
        "%2e%2e/%2e%2e/admin",
        "?admin=1",
        "#admin",
        "a\tb",
        "\t..\t/admin",
        ".\n./.\n./admin",
        "http://evil.example/",
        ";/..",
        "\u{ff0e}\u{ff0e}/admin",
        "x HTTP/1.1\r\nX-Evil: 1\r\n\r\n",
    ];
    for value in tries {
        for path in ["/{{subject}}", "/items/{{subject}}", "/items/{{subject}}/x"] {
            let conditions = json!({"path": path, "query": {"q": "{{subject}}"}});
            let answer = preview(&server, id, conditions, json!({"subject": value})).await;
            if answer.status == StatusCode::UNPROCESSABLE_ENTITY || answer.body["ok"] == false {
                continue;
            }
            let row = &answer.is(StatusCode::OK).body["rows"][0];
            let uri = row["uri"].as_str().unwrap();
            assert!(fine(uri) && !uri.starts_with("/v1/admin"), "{path} with {value:?}: {uri}");
            assert_eq!(uri.matches('?').count(), 1, "{path} with {value:?}: {uri}");
            assert_eq!(
                (&row["evil"], row["host"].as_str()),
                (&json!(false), Some(addr.to_string().as_str()))
            );
        }
        // The same within the rule's own text.
        let answer = preview(&server, id, json!({"path": format!("/{value}")}), json!({})).await;
        if answer.status == StatusCode::OK && answer.body["ok"] == true {
            let uri = answer.body["rows"][0]["uri"].as_str().unwrap();
            assert!(fine(uri), "{value:?}: {uri}");
        }
        let headers = json!({"path": "/", "headers": {"X-Note": "{{subject}}"}});
        let evil = format!("{value}\r\nX-Evil: 1");
        let answer = preview(&server, id, headers, json!({"subject": evil})).await;
        assert!(
            answer.status == StatusCode::UNPROCESSABLE_ENTITY || answer.body["rows"][0]["evil"] != true,
            "{}",
            answer.text
        );
    }
    for name in ["X-Note\r\nX-Evil", "Host", "Authorization", "Content-Length", "Transfer-Encoding", ""] {
        let answer = preview(&server, id, json!({"path": "/", "headers": {name: "1"}}), json!({})).await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{name:?}: {}", answer.text);
    }
    let good = preview(&server, id, json!({"path": "/items/{{subject}}"}), json!({"subject": "a b/c"})).await;
    assert_eq!(good.body["rows"][0]["uri"], "/v1/items/a%20b%2Fc", "{}", good.text);
    assert_eq!(caught.load(Ordering::SeqCst), 0, "no redirect was followed");
}

#[tokio::test]
async fn a_file_is_the_tenants_own_and_a_file() {
    let server = TestServer::start_idle(&[]).await;
    server.tenant("acme").await;
    server.tenant("globex").await;
    server.write_file("globex", "secret.csv", b"email\nann@x.example\n");
    server.write_file("acme", "own.csv", b"email\nann@x.example\n");
    let folder = server.app.config.files_dir(&"acme".parse().unwrap());
    let pipe = std::process::Command::new("mkfifo").arg(folder.join("pipe.csv")).status().unwrap();
    assert!(pipe.success());
    std::os::unix::fs::symlink("/dev/zero", folder.join("zero.csv")).unwrap();
    std::os::unix::fs::symlink("../globex", folder.join("folder")).unwrap();
    std::fs::create_dir(folder.join("dir.csv")).unwrap();
    for path in [
        "../globex/secret.csv",
        "folder/secret.csv",
        "/etc/passwd",
        "a/../own.csv",
        "./own.csv",
        "a//b.csv",
        "own.csv\0.csv",
        "..\\globex\\secret.csv",
        "C:secret.csv",
        "pipe.csv",
        "zero.csv",
        "dir.csv",
        "own.csv/x.csv",
        "",
    ] {
        for (kind, protocol, driver, conditions) in [
            ("file", "file", "csv", json!({"match": {"email": "x"}})),
            ("database", "sqlite", "sqlite", json!({"query": "SELECT 1 FROM sqlite_master"})),
        ] {
            let config =
                json!({"protocol": protocol, "driver_family": driver, "connection_json": {"path": path}});
            let Ok(id) = datasource(&server, kind, config).await else { continue };
            let answer = preview(&server, id, conditions, json!({})).await.is(StatusCode::OK).body;
            assert_eq!(answer["ok"], false, "{path:?}: {answer:#}");
        }
    }
    let own = json!({"protocol": "file", "connection_json": {"path": "own.csv"}});
    let own = datasource(&server, "file", own).await.unwrap();
    let found = preview(&server, own, json!({"match": {"email": "ann@x.example"}}), json!({})).await.body;
    assert_eq!(found["row_count"], 1, "{found:#}");

    for name in [
        "..%2Fglobex%2Fx.csv",
        "%2Fetc%2Fx.csv",
        "a%2F..%2F..%2Fx.csv",
        "a%00.csv",
        "a%5C..%5Cb.csv",
        ".hidden.csv",
        ".incoming-x.csv",
        "a/.b/c.csv",
        "a%0Ab.csv",
        "x.sh",
        "x",
        "x.csv.exe",
        "folder%2Fx.csv",
    ] {
        for method in [Method::PUT, Method::GET, Method::DELETE] {
            let path = format!("/api/files/{name}?tenant_id=acme");
            let request = server.request(method.clone(), &path, Some(&server.key)).body("email\nx\n");
            let answer = Answer::of(request.send().await.unwrap()).await;
            assert!(answer.status.is_client_error(), "{method} {name}: {} {}", answer.status, answer.text);
        }
    }
    for path in ["pipe.csv", "zero.csv", "dir.csv"] {
        server.get(&format!("/api/files/{path}?tenant_id=acme")).await.is(StatusCode::NOT_FOUND);
    }
    let theirs = server.app.config.files_dir(&"globex".parse().unwrap());
    let names: Vec<_> = std::fs::read_dir(theirs).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert_eq!(names, ["secret.csv"], "nothing was put beside it");
}

/// What no dialect lets through, by its words alone.
const NEVER: [&str; 24] = [
    "SELECT 1; SELECT 2",
    "SELECT 1; DROP TABLE t",
    "INSERT INTO t VALUES (1)",
    "UPDATE t SET a = 1",
    "DELETE FROM t",
    "TRUNCATE t",
    "CREATE TABLE x (a int)",
    "DROP TABLE t",
    "ALTER TABLE t ADD b int",
    "GRANT ALL ON t TO PUBLIC",
    "SELECT * FROM t FOR UPDATE",
    "SELECT '{{subject}}'",
    "SELECT \"{{subject}}\"",
    "BEGIN",
    "COMMIT",
    "ROLLBACK; INSERT INTO t VALUES (1)",
    "CALL p()",
    "VACUUM",
    "ANALYZE t",
    "EXPLAIN ANALYZE SELECT 1",
    "SELECT 1 /* ; */ ; SELECT 2",
    "SELECT 'a\0b'",
    "",
    "-- nothing",
];
const POSTGRES: [&str; 31] = [
    "WITH gone AS (DELETE FROM t RETURNING *) SELECT * FROM gone",
    "WITH a AS (WITH b AS (INSERT INTO t VALUES (1) RETURNING *) SELECT * FROM b) SELECT * FROM a",
    "SELECT * INTO x FROM t",
    "COPY t TO '/tmp/x'",
    "COPY (SELECT 1) TO PROGRAM 'id'",
    "SELECT * FROM t FOR SHARE",
    "SELECT * FROM (SELECT * FROM t FOR UPDATE) AS x",
    "SET statement_timeout = 0",
    "RESET ALL",
    "SHOW ALL",
    "SELECT set_config('statement_timeout', '0', false)",
    "SELECT pg_catalog.set_config('a.b', '0', false)",
    "SELECT \"set_config\"('a.b', '0', false)",
    "SELECT U&\"\\0073et_config\"('a.b', '0', false)",
    "SELECT PG_SLEEP(60)",
    "SELECT pg_sleep_for('1 minute')",
    "SELECT lo_import('/etc/passwd')",
    "SELECT lo_create(0)",
    "SELECT * FROM dblink('host=x', 'SELECT 1') AS t(a int)",
    "SELECT pg_read_file('/etc/passwd')",
    "SELECT pg_ls_dir('/')",
    "SELECT query_to_xml('DELETE FROM t', true, true, '')",
    "SELECT nextval('s')",
    "SELECT pg_advisory_lock(1)",
    "SELECT pg_notify('a', 'b')",
    "SELECT $$a$$; SELECT 1",
    "SELECT E'\\''; DROP TABLE t; --'",
    "SELECT 1 /* /* */ ; DROP TABLE t */; SELECT 2",
    "DO $$ BEGIN END $$",
    "LISTEN a",
    "PREPARE p AS SELECT 1",
];
const MYSQL: [&str; 16] = [
    "SELECT 1 INTO OUTFILE '/tmp/x'",
    "SELECT 1 INTO DUMPFILE '/tmp/x'",
    "SELECT 1 INTO @a",
    "SELECT LOAD_FILE('/etc/passwd')",
    "SELECT SLEEP(60)",
    "SELECT sleep (60)",
    "SELECT BENCHMARK(1000000000, MD5(1))",
    "SELECT GET_LOCK('a', 60)",
    "SELECT MASTER_GTID_WAIT('0-1-1')",
    "SELECT 1 /*!50000 INTO OUTFILE '/tmp/x' */",
    "SELECT /*!99999 1 */ 2",
    "SELECT /*M! SLEEP(9) */",
    "SET @@max_execution_time = 0",
    "SELECT * FROM t LOCK IN SHARE MODE",
    "LOAD DATA INFILE '/etc/passwd' INTO TABLE t",
    "SELECT '\\'; DROP TABLE t; -- '; SELECT 1",
];
const SQLITE: [&str; 9] = [
    "ATTACH '../globex/x.db' AS x",
    "PRAGMA query_only = 0",
    "SELECT load_extension('/tmp/x')",
    "SELECT readfile('/etc/passwd')",
    "SELECT writefile('/tmp/x', 'y')",
    "REPLACE INTO t VALUES (1)",
    "VACUUM INTO '/tmp/x'",
    "SELECT fts3_tokenizer('a', 'b')",
    "DETACH main",
];

async fn refuses(server: &TestServer, id: i64, more: &[&str]) {
    for query in NEVER.iter().chain(more) {
        let answer = preview(server, id, json!({"query": query}), json!({"subject": "x"})).await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{query}: {}", answer.text);
        assert_eq!(answer.fields(), ["conditions.query"], "{query}: {}", answer.text);
    }
}

/// Queries past which the parser cannot see: the server stops them, and another look-up goes on as before.
async fn stops(server: &TestServer, id: i64, queries: &[&str]) {
    for query in queries {
        let answer = preview(server, id, json!({"query": query}), json!({})).await.is(StatusCode::OK).body;
        assert_eq!(answer["ok"], false, "{query}: {answer:#}");
        let after =
            preview(server, id, json!({"query": "SELECT count(*) AS n FROM t"}), json!({})).await.body;
        assert_eq!(after["rows"][0]["n"], 1, "{query}: {after:#}");
    }
}

#[tokio::test]
async fn postgres_is_only_read() {
    let server = TestServer::start_idle(&[("LOOKUP_TIMEOUT_MS", "400")]).await;
    server.tenant("acme").await;
    let mut conn = server.database().superuser().await;
    sqlx::raw_sql(
        "CREATE TABLE public.t (a int, j jsonb); INSERT INTO public.t VALUES (1, '{\"k\": 1}'); CREATE SEQUENCE public.s; \
         CREATE FUNCTION public.run(sql text) RETURNS int LANGUAGE plpgsql AS 'BEGIN EXECUTE sql; RETURN 1; END'",
    )
    .execute(&mut conn)
    .await
    .unwrap();
    let url: url::Url = server.database().url.expose_secret().parse().unwrap();
    // As a superuser: what stops it is the fence, not the role.
    let config = json!({"protocol": "postgresql", "base_url": url.as_str()});
    let id = datasource(&server, "database", config).await.unwrap();
    refuses(&server, id, &POSTGRES).await;
    stops(
        &server,
        id,
        &[
            "SELECT public.run('INSERT INTO public.t VALUES (2)')",
            "SELECT public.run('DELETE FROM public.t')",
            "SELECT public.run('TRUNCATE public.t')",
            "SELECT public.run('CREATE TABLE public.x (a int)')",
            "SELECT public.run('SELECT * FROM public.t FOR UPDATE')",
            "SELECT public.run('SELECT nextval(''public.s'')')",
            "SELECT public.run('SELECT pg_sleep(60)')",
            "SELECT public.run('SET TRANSACTION READ WRITE')",
            "SELECT public.run('SET transaction_read_only = off')",
            "SELECT public.run('COMMIT')",
            "SELECT public.run('COPY public.t FROM ''/etc/passwd''')",
            "SELECT count(*) FROM generate_series(1, 1000000000) AS a",
        ],
    )
    .await;
    // PostgreSQL 15 makes a large object even in a read-only transaction; it goes with the transaction.
    preview(&server, id, json!({"query": "SELECT public.run('SELECT lo_create(0)')"}), json!({})).await;
    let objects: i64 = sqlx::query_scalar("SELECT count(*) FROM pg_largeobject_metadata")
        .fetch_one(&mut conn)
        .await
        .unwrap();
    assert_eq!(objects, 0, "nothing is kept of what a look-up did");
    // A setting that a look-up changed does not outlive it.
    let lifted = "SELECT public.run('SET statement_timeout = 0'), public.run('SELECT pg_sleep(0)') AS b";
    preview(&server, id, json!({"query": lifted}), json!({})).await.is(StatusCode::OK);
    let slow =
        preview(&server, id, json!({"query": "SELECT public.run('SELECT pg_sleep(60)')"}), json!({})).await;
    assert_eq!(slow.body["ok"], false, "{}", slow.text);
    for (query, params, rows) in [
        ("SELECT '?' AS q, $$ ? ; $$ AS d, E'\\'?' AS e, \"a\" FROM public.t WHERE a = ?", json!(["1"]), 1),
        ("SELECT a FROM public.t WHERE a = $1 /* ? /* ? */ */ -- ?", json!(["1"]), 1),
        ("SELECT a FROM public.t WHERE a::text = ?", json!(["' OR 1=1 --"]), 0),
        ("WITH x AS (SELECT * FROM public.t) SELECT a FROM x UNION ALL SELECT 2", json!([]), 2),
    ] {
        let found = preview(&server, id, json!({"query": query, "params": params}), json!({})).await.body;
        assert_eq!(
            (found["ok"].as_bool(), found["row_count"].as_u64()),
            (Some(true), Some(rows)),
            "{query}: {found:#}"
        );
    }
}

#[tokio::test]
async fn mariadb_is_only_read() {
    let server = TestServer::start_idle(&[("LOOKUP_TIMEOUT_MS", "400")]).await;
    server.tenant("acme").await;
    let maria = MariaDb::start().await;
    maria.run("CREATE DATABASE shop; USE shop; CREATE TABLE t (a int); INSERT INTO t VALUES (1)");
    maria.run("DELIMITER $$\nCREATE FUNCTION shop.writes() RETURNS int BEGIN INSERT INTO shop.t VALUES (2); RETURN 1; END$$\n\
        CREATE FUNCTION shop.naps() RETURNS int RETURN SLEEP(60)$$\n\
        CREATE USER reader IDENTIFIED BY 'reader-pw'$$\nGRANT ALL ON shop.* TO reader$$");
    let config = json!({"protocol": "mysql", "base_url": format!("mysql://reader:reader-pw@127.0.0.1:{}/shop", maria.port)});
    let id = datasource(&server, "database", config).await.unwrap();
    refuses(&server, id, &MYSQL).await;
    stops(
        &server,
        id,
        &[
            "SELECT shop.writes()",
            "SELECT shop.naps()",
            "SELECT count(*) FROM seq_1_to_1000000000 a JOIN seq_1_to_1000000000 b",
        ],
    )
    .await;
    for (query, params, rows) in [
        ("SELECT '?', `a` FROM t WHERE a = ? -- ?", json!(["1"]), 1),
        ("SELECT a FROM t WHERE CAST(a AS char) = ?", json!(["\\' OR 1=1 -- "]), 0),
    ] {
        let found = preview(&server, id, json!({"query": query, "params": params}), json!({})).await.body;
        assert_eq!(
            (found["ok"].as_bool(), found["row_count"].as_u64()),
            (Some(true), Some(rows)),
            "{query}: {found:#}"
        );
    }
}

#[tokio::test]
async fn sqlite_is_only_read() {
    let server = TestServer::start_idle(&[("LOOKUP_TIMEOUT_MS", "400")]).await;
    server.tenant("acme").await;
    server.write_file("acme", "keep.csv", b"a\n1\n");
    let folder = server.app.config.files_dir(&"acme".parse().unwrap());
    let db = rusqlite::Connection::open(folder.join("a.db")).unwrap();
    db.execute_batch("CREATE TABLE t (a); INSERT INTO t VALUES (1)").unwrap();
    let config = json!({"protocol": "sqlite", "connection_json": {"path": "a.db"}});
    let id = datasource(&server, "database", config).await.unwrap();
    refuses(&server, id, &SQLITE).await;
    stops(
        &server,
        id,
        &[
            "SELECT * FROM pragma_table_info('t')",
            "SELECT * FROM pragma_query_only(0)",
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n",
            "SELECT zeroblob(1000000000)",
        ],
    )
    .await;
}

#[tokio::test]
async fn what_is_too_large_is_an_error() {
    let server = TestServer::start_idle(&[("LOOKUP_MAX_BYTES", "10000"), ("LOOKUP_MAX_ROWS", "5")]).await;
    server.tenant("acme").await;
    let router = Router::new()
        .route("/bytes", get(async || format!("[\"{}\"]", "x".repeat(20_000))))
        .route("/deep", get(async || "[".repeat(9_000)))
        .route(
            "/wide",
            get(async || {
                let members: serde_json::Map<String, Value> =
                    (0..600).map(|i| (i.to_string(), json!(1))).collect();
                json!([members]).to_string()
            }),
        )
        .route("/gzip", get(async || ([("content-encoding", "gzip")], vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0])))
        .route("/rows", get(async || json!([1, 2, 3, 4, 5, 6]).to_string()));
    let addr = serve(router).await;
    let api = datasource(&server, "api", json!({"protocol": "http", "base_url": format!("http://{addr}")}))
        .await
        .unwrap();
    for path in ["/bytes", "/deep", "/wide", "/gzip"] {
        let answer = preview(&server, api, json!({"path": path}), json!({})).await.body;
        assert_eq!(answer["ok"], false, "{path}: {answer:#}");
    }
    for path in ["$..*..*..*..*..*..*..*..*", "$..[?@..a]"] {
        let refused = preview(&server, api, json!({"path": "/deep", "rows": path}), json!({})).await;
        assert_eq!(refused.is(StatusCode::UNPROCESSABLE_ENTITY).fields(), ["conditions.rows"], "{path}");
    }
    let rows = preview(&server, api, json!({"path": "/rows"}), json!({})).await.body;
    assert_eq!((rows["row_count"].as_u64(), rows["truncated"].as_bool()), (Some(5), Some(true)), "{rows:#}");

    let columns: Vec<String> = (0..1_000_000).map(|i| format!("c{i}")).collect();
    for (name, bytes) in [
        ("wide.csv", columns.join(",").into_bytes()),
        ("long.csv", format!("a\n{}\n", "x".repeat(20_000)).into_bytes()),
        ("deep.json", "[".repeat(100_000).into_bytes()),
    ] {
        server.write_file("acme", name, &bytes);
        let config = json!({"protocol": "file", "connection_json": {"path": name}});
        let id = datasource(&server, "file", config).await.unwrap();
        let answer = preview(&server, id, json!({"query": "SELECT * FROM data"}), json!({})).await.body;
        assert_eq!(answer["ok"], false, "{name}: {answer:#}");
        assert!(!answer["message"].as_str().unwrap().contains("no answer within"), "{name}: {answer:#}");
    }
}

/// SQLite would hold sixty times as much in memory before it looks at the clock.
#[tokio::test]
async fn a_database_whose_schema_is_too_large_is_an_error() {
    let server = TestServer::start_idle(&[]).await;
    server.tenant("acme").await;
    server.write_file("acme", "keep.csv", b"a\n1\n");
    let folder = server.app.config.files_dir(&"acme".parse().unwrap());
    let db = rusqlite::Connection::open(folder.join("a.db")).unwrap();
    db.execute_batch("CREATE TABLE t (a); INSERT INTO t VALUES (1)").unwrap();
    let config = json!({"protocol": "sqlite", "connection_json": {"path": "a.db"}});
    let id = datasource(&server, "database", config).await.unwrap();
    let asked = async || preview(&server, id, json!({"query": "SELECT a FROM t"}), json!({})).await.body;
    let found = asked().await;
    assert_eq!(found["row_count"], 1, "{found:#}");
    for i in 0..3 {
        let text = "x".repeat(900_000);
        db.execute_batch(&format!("CREATE VIEW v{i} AS SELECT '{text}'")).unwrap();
    }
    let refused = asked().await;
    let message = refused["message"].as_str().unwrap_or_default();
    assert!(refused["ok"] == false && message.contains("more than can be loaded"), "{refused:#}");
}

fn api_of(tenant: &str, config: i64, addr: SocketAddr) -> Connection {
    Connection {
        tenant: tenant.parse().unwrap(),
        config_id: ConfigId(config),
        version: 1,
        endpoint: Endpoint::Http(HttpEndpoint { base_url: format!("http://{addr}").parse().unwrap() }),
        auth: Auth::None,
    }
}

pub fn root() -> Request {
    Request::Api {
        method: "GET".into(),
        path: "/".into(),
        query: Vec::new(),
        headers: Vec::new(),
        body: None,
        status: Vec::new(),
        rows: None,
        rows_optional: false,
    }
}

#[tokio::test]
async fn a_stalled_datasource_takes_turns_from_nobody_else_and_waiting_is_no_fault() {
    let folder = tempfile::tempdir().unwrap();
    let asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    let stalled = serve(Router::new().fallback(move || {
        count.fetch_add(1, Ordering::SeqCst);
        std::future::pending::<String>()
    }))
    .await;
    let fine = serve(Router::new().fallback(async || "[1]")).await;
    let vars = [
        ("LOOKUP_TIMEOUT_MS", "1500"),
        ("LOOKUP_CONNECT_TIMEOUT_MS", "500"),
        ("LOOKUP_CONCURRENCY", "2"),
        ("LOOKUP_CONCURRENCY_PER_CONFIG", "1"),
    ];
    let lookups = Lookups::new(&config(folder.path(), &vars));
    let root = root();
    let (stuck, other, theirs) =
        (api_of("acme", 1, stalled), api_of("acme", 2, fine), api_of("globex", 1, fine));
    let stall = futures::future::join_all((0..4).map(|_| lookups.ask(&stuck, &root)));
    let meanwhile = async {
        let started = std::time::Instant::now();
        assert!(lookups.ask(&other, &root).await.is_ok(), "the tenant's other config has a turn");
        assert!(lookups.ask(&theirs, &root).await.is_ok(), "the other tenant has its own");
        assert!(started.elapsed() < Duration::from_millis(1_400), "without waiting: {:?}", started.elapsed());
        assert!(asked.load(Ordering::SeqCst) <= 1, "one at once per config");
    };
    let (stalls, ()) = tokio::join!(stall, meanwhile);
    let causes: Vec<Cause> = stalls.into_iter().map(|answer| answer.unwrap_err().cause).collect();
    assert_eq!(causes, [Cause::Time, Cause::Time, Cause::Busy, Cause::Busy], "{causes:?}");
    assert_eq!(asked.load(Ordering::SeqCst), 2, "whose turn did not come has not asked");

    // Two stalled look-ups take the tenant's one turn for longer than those of another config, which works, wait.
    let vars = [
        ("LOOKUP_TIMEOUT_MS", "400"),
        ("LOOKUP_CONNECT_TIMEOUT_MS", "200"),
        ("LOOKUP_CONCURRENCY", "1"),
        ("LOOKUP_CONCURRENCY_PER_CONFIG", "9"),
    ];
    let lookups = Lookups::new(&config(folder.path(), &vars));
    let stall = futures::future::join_all((0..2).map(|_| lookups.ask(&stuck, &root)));
    let wait = futures::future::join_all((0..6).map(|_| lookups.ask(&other, &root)));
    let (_, waited) = tokio::join!(stall, wait);
    assert!(waited.iter().all(|answer| answer.as_ref().is_err_and(|e| e.cause == Cause::Busy)), "{waited:?}");
    assert!(lookups.ask(&other, &root).await.is_ok(), "what was not asked has not failed");
}

/// SQLite is within a function when its time is up, and goes on: whoever asked is answered, and its turn is not free.
#[tokio::test]
async fn a_query_that_goes_on_holds_its_turn() {
    let folder = tempfile::tempdir().unwrap();
    let vars = [
        ("LOOKUP_TIMEOUT_MS", "200"),
        ("LOOKUP_CONNECT_TIMEOUT_MS", "100"),
        ("LOOKUP_CONCURRENCY", "1"),
        ("LOOKUP_CONCURRENCY_PER_CONFIG", "1"),
    ];
    let lookups = Lookups::new(&config(folder.path(), &vars));
    let sqlite = |tenant: &str| {
        let files = folder.path().join("files").join(tenant);
        std::fs::create_dir_all(&files).unwrap();
        let database = rusqlite::Connection::open(files.join("a.db")).unwrap();
        database.execute_batch("CREATE TABLE t (a)").unwrap();
        let endpoint = Endpoint::Sqlite { path: "a.db".into() };
        Connection { endpoint, ..api_of(tenant, 1, SocketAddr::from(([127, 0, 0, 1], 9))) }
    };
    let (acme, globex) = (sqlite("acme"), sqlite("globex"));
    let sql =
        |query: &str| Request::Sql { query: query.into(), params: Vec::new(), from_message: Vec::new() };
    let slow = "WITH RECURSIVE s(a) AS (SELECT 'a' UNION ALL SELECT a || a FROM s WHERE length(a) < 400000) \
                SELECT instr(max(a), substr(max(a), 1, 260000) || 'b') FROM s";
    assert_eq!(lookups.ask(&acme, &sql(slow)).await.unwrap_err().cause, Cause::Time);
    assert_eq!(lookups.ask(&acme, &sql("SELECT 1")).await.unwrap_err().cause, Cause::Busy);
    assert!(lookups.ask(&globex, &sql("SELECT 1")).await.is_ok(), "another tenant has its own");
    eventually("it ends", async || lookups.ask(&acme, &sql("SELECT 1")).await.ok()).await;
}

/// A tenant that has large files loaded again and again leaves room for another's small one.
#[tokio::test]
async fn a_tenant_that_loads_large_files_does_not_stall_others() {
    let folder = tempfile::tempdir().unwrap();
    let vars = [("LOOKUP_TIMEOUT_MS", "2000"), ("LOOKUP_CONNECT_TIMEOUT_MS", "1000")];
    let lookups = Lookups::new(&config(folder.path(), &vars));
    let file = |tenant: &str, path: &str, rows: usize| {
        let files = folder.path().join("files").join(tenant);
        std::fs::create_dir_all(&files).unwrap();
        let rows: String = (0..rows).map(|i| format!("{i},a text of some length\n")).collect();
        crate::demo::write_settled(&files.join(path), format!("id,text\n{rows}").as_bytes()).unwrap();
        let endpoint = FileEndpoint {
            table: "data".into(),
            path: path.into(),
            format: FileFormat::Csv,
            sheet: None,
            rows: None,
        };
        Connection {
            endpoint: Endpoint::File(vec![endpoint]),
            ..api_of(tenant, 1, SocketAddr::from(([127, 0, 0, 1], 9)))
        }
    };
    let large =
        [file("acme", "a.csv", 600_000), file("acme", "b.csv", 600_000), file("acme", "c.csv", 600_000)];
    let small = file("globex", "a.csv", 10);
    let wanted = Request::Match { columns: vec![("id".into(), "7".into())], ignore_case: Vec::new() };
    let loading = futures::future::join_all(large.iter().map(|file| lookups.ask(file, &wanted)));
    let meanwhile = async {
        // They have begun.
        tokio::time::sleep(Duration::from_millis(100)).await;
        lookups.ask(&small, &wanted).await
    };
    let (_, found) = tokio::join!(loading, meanwhile);
    assert_eq!(found.unwrap().rows.len(), 1);
}

#[tokio::test]
async fn a_breaker_opens_after_five_failures() {
    let folder = tempfile::tempdir().unwrap();
    let asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    let broken = serve(Router::new().fallback(move || {
        count.fetch_add(1, Ordering::SeqCst);
        async { Code::SERVICE_UNAVAILABLE }
    }))
    .await;
    let lookups = Lookups::new(&config(folder.path(), &[]));
    let (bad, root) = (api_of("acme", 1, broken), root());
    for _ in 0..5 {
        assert_eq!(lookups.ask(&bad, &root).await.unwrap_err().cause, Cause::Answer);
    }
    for _ in 0..3 {
        assert_eq!(lookups.ask(&bad, &root).await.unwrap_err().cause, Cause::Paused);
    }
    assert_eq!(asked.load(Ordering::SeqCst), 5, "it is left alone");
    assert_eq!(lookups.ask(&api_of("acme", 2, broken), &root).await.unwrap_err().cause, Cause::Answer);
    assert_eq!(lookups.ask(&api_of("globex", 1, broken), &root).await.unwrap_err().cause, Cause::Answer);
}

#[tokio::test]
async fn of_a_connection_that_passes_no_token_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    let given = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&given);
    let token = async move || {
        count.fetch_add(1, Ordering::SeqCst);
        axum::Json(json!({"access_token": "t0ken", "token_type": "bearer", "expires_in": 3_600}))
    };
    let asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    let stalled = Router::new().route("/token", axum::routing::post(token.clone())).fallback(move || {
        count.fetch_add(1, Ordering::SeqCst);
        std::future::pending::<String>()
    });
    let stalled = serve(stalled).await;
    let fine =
        serve(Router::new().route("/token", axum::routing::post(token)).fallback(async || "[1]")).await;
    let lookups = Lookups::new(&config(folder.path(), &[]));
    let signed = |addr: SocketAddr| Connection {
        auth: Auth::OAuth(OAuthClient {
            token_url: format!("http://{addr}/token").parse().unwrap(),
            client_id: "i".into(),
            client_secret: "s".into(),
            scope: String::new(),
        }),
        ..api_of("acme", 0, addr)
    };
    let connection = signed(fine);
    for _ in 0..2 {
        lookups.ask(&connection, &root()).await.unwrap();
    }
    assert_eq!(given.load(Ordering::SeqCst), 1, "a token is kept");
    drop(lookups.passing(&connection));
    lookups.ask(&connection, &root()).await.unwrap();
    assert_eq!(given.load(Ordering::SeqCst), 2, "and forgotten");
    // Whoever asks goes away while the API keeps it waiting, its token already there.
    drop(lookups.passing(&connection));
    let connection = signed(stalled);
    for round in 1..=2 {
        let begun = async {
            let _passing = lookups.passing(&connection);
            lookups.ask(&connection, &root()).await
        };
        let is_asked =
            eventually("the API is asked", async || (asked.load(Ordering::SeqCst) == round).then_some(()));
        tokio::select! {
            answer = begun => panic!("{answer:?}"),
            () = is_asked => {}
        }
        assert_eq!(given.load(Ordering::SeqCst), 2 + round, "nothing was kept of who went away");
    }
}
