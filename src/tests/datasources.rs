//! Every further kind of datasource, with the real thing: MariaDB, workbooks, JSON, OAuth, files over the API.

use std::{
    process::{Child, Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use axum::{
    Router,
    http::{HeaderMap, StatusCode as Code},
    routing::{get, post},
};
use reqwest::{Method, StatusCode};
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use super::{
    fences::root,
    support::{Answer, TestServer, eventually, message},
};
use crate::{
    auth::dto::Role,
    datasources::server::{
        config_service,
        connection::Connection,
        lookup::{Cause, LookupError, Rows},
    },
};

/// A datasource of acme with its config, by its id.
pub async fn datasource(server: &TestServer, name: &str, kind: &str, mut config: Value) -> i64 {
    config["name"] = name.into();
    server.post("/api/datasource-configs?tenant_id=acme", &config).await.is(StatusCode::CREATED);
    let body = json!({"name": name, "datasource_type": kind, "connection_key": name});
    server.post("/api/datasources?tenant_id=acme", &body).await.is(StatusCode::CREATED).id("datasource_id")
}

async fn preview(server: &TestServer, id: i64, conditions: Value, fields: Value) -> Value {
    let path = format!("/api/datasources/{id}/preview?tenant_id=acme");
    let body = json!({"conditions": conditions, "fields": fields});
    server.post(&path, &body).await.is(StatusCode::OK).body
}

async fn test(server: &TestServer, id: i64) -> Value {
    let path = format!("/api/datasources/{id}/test?tenant_id=acme");
    server.post(&path, &json!({})).await.is(StatusCode::OK).body
}

async fn put_file(server: &TestServer, path: &str, bytes: impl Into<reqwest::Body>) -> Answer {
    let path = format!("/api/files/{path}?tenant_id=acme");
    Answer::of(server.request(Method::PUT, &path, Some(&server.key)).body(bytes).send().await.unwrap()).await
}

#[tokio::test]
async fn files_are_kept_replaced_looked_up_and_kept_while_they_are_used() {
    let server = TestServer::start_with(&[("FILE_MAX_BYTES", "20000")]).await;
    server.tenant("acme").await;
    server.tenant("globex").await;
    let mut book = rust_xlsxwriter::Workbook::new();
    let sheet = book.add_worksheet().set_name("Customers").unwrap();
    for (row, (email, orders)) in [("email", "orders"), ("ann@x.example", "12")].into_iter().enumerate() {
        sheet.write(row as u32, 0, email).unwrap();
        sheet.write(row as u32, 1, orders).unwrap();
    }
    let files: [(&str, Vec<u8>, Value); 4] = [
        ("c.csv", "E-Mail;Name\nann@x.example;M\u{fc}ller\n".chars().map(|c| c as u8).collect(), json!({})),
        (
            "c.jsonl",
            b"{\"email\": \"ann@x.example\", \"n\": 1}\n\n{\"email\": \"bob@x.example\"}\n".to_vec(),
            json!({}),
        ),
        (
            "in/c.json",
            br#"{"data": [{"email": "ann@x.example", "tags": ["a"]}]}"#.to_vec(),
            json!({"rows": "$.data[*]"}),
        ),
        ("c.xlsx", book.save_to_buffer().unwrap(), json!({"sheet": "Customers"})),
    ];
    for (path, bytes, settings) in files {
        put_file(&server, path, bytes.clone()).await.is(StatusCode::CREATED);
        put_file(&server, path, bytes).await.is(StatusCode::OK);
        let mut connection = settings;
        connection["path"] = path.into();
        let name = path.replace(['.', '/'], "_");
        let id =
            datasource(&server, &name, "file", json!({"protocol": "file", "connection_json": connection}))
                .await;
        let column = if path == "c.csv" { "E-Mail" } else { "email" };
        let found = preview(
            &server,
            id,
            json!({"match": {column: "{{sender_email}}"}}),
            json!({"sender_email": "ann@x.example"}),
        )
        .await;
        assert_eq!(
            (found["ok"].as_bool(), found["row_count"].as_u64()),
            (Some(true), Some(1)),
            "{path}: {found:#}"
        );
        let none = preview(
            &server,
            id,
            json!({"query": format!("SELECT * FROM data WHERE \"{column}\" = ?"), "params": ["x"]}),
            json!({}),
        )
        .await;
        assert_eq!(none["row_count"], 0, "{path}: {none:#}");
        let tested = test(&server, id).await;
        assert_eq!(tested["ok"], true, "{path}: {tested:#}");
        let refused = server.delete(&format!("/api/files/{path}?tenant_id=acme")).await;
        refused.problem(
            StatusCode::BAD_REQUEST,
            &format!("File '{path}' cannot be deleted: it is used by '{name}'"),
        );
    }
    let listed = server.get("/api/files?tenant_id=acme").await.is(StatusCode::OK).body;
    assert_eq!(listed.as_array().unwrap().len(), 4);
    assert_eq!(listed[0]["used_by"], json!(["c_csv"]));
    assert_eq!(server.get("/api/files?tenant_id=globex").await.body, json!([]), "nobody else sees them");
    let download = server.get("/api/files/in/c.json?tenant_id=acme").await.is(StatusCode::OK);
    assert!(download.text.contains("ann@x.example"));
    server.get("/api/files/in/c.json?tenant_id=globex").await.is(StatusCode::NOT_FOUND);

    for (path, status) in [
        ("big.csv", StatusCode::PAYLOAD_TOO_LARGE),
        ("a.exe", StatusCode::UNPROCESSABLE_ENTITY),
        ("..%2Fa.csv", StatusCode::UNPROCESSABLE_ENTITY),
        (".hidden.csv", StatusCode::UNPROCESSABLE_ENTITY),
        ("c.csv/below.csv", StatusCode::UNPROCESSABLE_ENTITY),
    ] {
        let size = if path == "big.csv" { 21_000 } else { 10 };
        put_file(&server, path, vec![b'x'; size]).await.is(status);
    }
    assert_eq!(server.get("/api/files?tenant_id=acme").await.body, listed, "what was refused left nothing");
    let viewer = server.key_of("acme", Role::Viewer).await;
    let request = server.request(Method::PUT, "/api/files/v.csv?tenant_id=acme", Some(&viewer));
    Answer::of(request.body("a\n1\n").send().await.unwrap()).await.is(StatusCode::FORBIDDEN);
    let request = server.request(Method::PUT, "/api/files/v.csv?tenant_id=acme", None);
    Answer::of(request.body("a\n1\n").send().await.unwrap()).await.is(StatusCode::UNAUTHORIZED);

    // As a browser's form sends it: a program gets the file, a person the page that says what came of it.
    let form = async |key: &str, name: &str, accept: &str, content: &str| {
        let body = format!(
            "--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"{name}\"\r\n\r\n{content}\r\n--b--\r\n"
        );
        let request = server.request(Method::POST, "/api/files?tenant_id=acme", Some(key));
        let request =
            request.header("content-type", "multipart/form-data; boundary=b").header("accept", accept);
        Answer::of(request.body(body).send().await.unwrap()).await
    };
    let key = server.key.clone();
    let made = form(&key, "form.csv", "application/json", "a\r\n1\r\n").await.is(StatusCode::CREATED);
    assert_eq!((&made.body["path"], &made.body["size"]), (&json!("form.csv"), &json!(6)));
    form(&key, "form.csv", "*/*", "b\n").await.is(StatusCode::OK);
    for (key, name, size, to) in [
        (&key, "form.csv", 1, "stored=form.csv"),
        (&key, "../x.csv", 1, "refused=kind"),
        (&key, "x.exe", 1, "refused=kind"),
        (&key, "", 1, "refused=kind"),
        (&key, "x.csv", 21_000, "refused=too_large"),
        (&viewer, "x.csv", 1, "refused=forbidden"),
    ] {
        let answer = form(key, name, "text/html,*/*", &"x".repeat(size)).await.is(StatusCode::SEE_OTHER);
        assert_eq!(answer.headers["location"], format!("/t/acme/files?{to}"), "{name}");
    }
    for (body, kind) in [("--b--\r\n", "multipart/form-data; boundary=b"), ("x", "text/plain")] {
        let request = server.request(Method::POST, "/api/files?tenant_id=acme", Some(&key));
        let answer = request.header("content-type", kind).body(body).send().await.unwrap();
        assert!(answer.status().is_client_error(), "{kind}");
    }
    server.delete("/api/files/form.csv?tenant_id=acme").await.is(StatusCode::NO_CONTENT);
    assert_eq!(server.get("/api/files?tenant_id=acme").await.body, listed, "what was refused left nothing");
}

/// A workbook with the customers on its second sheet, the first of them of this address.
fn customers(sheet: &str, email: &str) -> Vec<u8> {
    let mut book = rust_xlsxwriter::Workbook::new();
    book.add_worksheet().set_name("Notes").unwrap().write(0, 0, "nothing").unwrap();
    let sheet = book.add_worksheet().set_name(sheet).unwrap();
    let rows = [["number", "email"], ["C-1", email], ["C-2", "bob@x.example"]];
    for (row, [number, email]) in (0..).zip(rows) {
        sheet.write(row, 0, number).unwrap().write(row, 1, email).unwrap();
    }
    sheet.write(0, 2, "active").unwrap().write(1, 2, true).unwrap().write(2, 2, false).unwrap();
    book.save_to_buffer().unwrap()
}

#[tokio::test]
async fn files_of_a_tenant_are_joined_and_each_is_used_and_loaded_as_one_alone() {
    let server = TestServer::start_idle(&[]).await;
    server.tenant("acme").await;
    server.tenant("globex").await;
    let orders = "order,customer,total\n7,C-1,12.50\n8,C-2,9.00\n";
    put_file(&server, "orders.csv", orders).await.is(StatusCode::CREATED);
    put_file(&server, "crm.xlsx", customers("Customers", "ann@x.example")).await.is(StatusCode::CREATED);
    let settings =
        json!({"path": "orders.csv", "tables": {"customers": {"path": "crm.xlsx", "sheet": "Customers"}}});
    let config = json!({"protocol": "file", "connection_json": settings});
    let id = datasource(&server, "shop", "file", config).await;
    let tested = test(&server, id).await;
    let words = "Read orders.csv: 2 rows. Its columns: order, customer, total. \
                 customers: 2 rows. Its columns: number, email, active.";
    assert_eq!((&tested["ok"], &tested["message"]), (&json!(true), &json!(words)), "{tested:#}");

    let query = "SELECT d.\"order\", c.active FROM data d JOIN customers c ON c.number = d.customer \
                 WHERE c.email = ? AND d.total > ?";
    let whose = json!({"query": query, "params": ["{{sender_email}}", "10"]});
    let ask = async |email: &str| preview(&server, id, whose.clone(), json!({"sender_email": email})).await;
    let found = ask("ann@x.example").await;
    assert_eq!(found["rows"], json!([{"order": 7, "active": true}]), "{found:#}");
    assert_eq!(ask("bob@x.example").await["row_count"], 0, "his order is a smaller one");
    put_file(&server, "crm.xlsx", customers("Customers", "eve@x.example")).await.is(StatusCode::OK);
    for (email, count) in [("ann@x.example", 0), ("eve@x.example", 1)] {
        let found = ask(email).await;
        assert_eq!((&found["ok"], &found["row_count"]), (&json!(true), &json!(count)), "{found:#}");
    }
    for (conditions, fault) in [
        (json!({"query": "SELECT 1 FROM crm"}), "no such table: crm"),
        (json!({"query": "SELECT email FROM data"}), "no such column: email"),
        (json!({"match": {"email": "x"}}), "the file has no column email; it has order, customer, total"),
    ] {
        let said = preview(&server, id, conditions, json!({})).await;
        assert!(said["ok"] == false && said["message"].as_str().unwrap().contains(fault), "{said:#}");
    }

    // Whoever uses either is known by it.
    let listed = server.get("/api/files?tenant_id=acme").await.is(StatusCode::OK).body;
    for (place, path) in ["crm.xlsx", "orders.csv"].into_iter().enumerate() {
        let file = &listed[place];
        assert_eq!((&file["path"], &file["used_by"]), (&json!(path), &json!(["shop"])));
        let refused = server.delete(&format!("/api/files/{path}?tenant_id=acme")).await;
        let detail = format!("File '{path}' cannot be deleted: it is used by 'shop'");
        refused.problem(StatusCode::BAD_REQUEST, &detail);
    }
    let told = put_file(&server, "crm.xlsx", customers("Clients", "ann@x.example")).await;
    let fault = "the workbook has no sheet Customers; it has Notes, Clients";
    assert_eq!(told.is(StatusCode::OK).body["unreadable"], format!("as the config 'shop' reads it, {fault}"));
    let tested = test(&server, id).await;
    let fault = format!("the table customers: {fault}");
    assert_eq!((&tested["step"], &tested["message"]), (&json!("sheet"), &json!(fault)), "{tested:#}");
    // What is wrong with the other is no word on this one.
    assert_eq!(put_file(&server, "orders.csv", orders).await.is(StatusCode::OK).body.get("unreadable"), None);

    // Another tenant's files have the same names.
    let document = server.get("/api/export?tenant_id=acme&format=json").await.is(StatusCode::OK).body;
    assert_eq!(document["datasource_configs"][0]["connection_json"], settings, "{document:#}");
    let taken = server.post("/api/import?tenant_id=globex", &document).await.is(StatusCode::OK).body;
    assert_eq!(taken["applied"], true, "{taken:#}");
    let configs = server.get("/api/datasource-configs?tenant_id=globex").await.is(StatusCode::OK).body;
    assert_eq!(configs[0]["connection_json"], settings);
    let sources = server.get("/api/datasources?tenant_id=globex").await.is(StatusCode::OK).body;
    let theirs = format!("/api/datasources/{}/test?tenant_id=globex", sources[0]["datasource_id"]);
    let tested = server.post(&theirs, &json!({})).await.is(StatusCode::OK).body;
    assert_eq!(tested["message"], "the file orders.csv is not there", "{tested:#}");
}

#[tokio::test]
async fn what_is_wrong_with_a_further_file_is_named_by_its_table() {
    let server = TestServer::start_idle(&[]).await;
    server.tenant("acme").await;
    for (tables, fields) in [
        (json!({"Customers": "c.csv"}), &["connection_json.tables.Customers"][..]),
        (json!({"data": "c.csv"}), &["connection_json.tables.data"]),
        (
            json!({"c": "../globex/c.csv", "d": {"path": "d.csv", "sheet": "D"}}),
            &["connection_json.tables.c", "connection_json.tables.d.sheet"],
        ),
        (json!(["c.csv"]), &["connection_json.tables"]),
    ] {
        let config =
            json!({"name": "x", "protocol": "file", "connection_json": {"path": "a.csv", "tables": tables}});
        let refused = server.post("/api/datasource-configs?tenant_id=acme", &config).await;
        assert_eq!(refused.is(StatusCode::UNPROCESSABLE_ENTITY).fields(), fields);
    }
    let config = json!({"name": "x", "protocol": "sqlite",
        "connection_json": {"path": "a.sqlite", "tables": {"c": "c.csv"}}});
    let refused = server.post("/api/datasource-configs?tenant_id=acme", &config).await;
    assert_eq!(refused.is(StatusCode::UNPROCESSABLE_ENTITY).fields(), ["connection_json.tables"]);
}

/// A customer's number, or a contract's, whatever it looks like.
#[tokio::test]
async fn numbers_of_many_digits_in_a_file_are_told_apart_by_rules() {
    let server = TestServer::start().await;
    server.tenant("acme").await;
    let rows =
        "id,part,whole\n1,1234567890.1234567,12345678901234567\n2,1234567890.1234568,12345678901234568\n";
    put_file(&server, "contracts.csv", rows).await.is(StatusCode::CREATED);
    let config = json!({"protocol": "file", "connection_json": {"path": "contracts.csv"}});
    let id = datasource(&server, "contracts", "file", config).await;
    let cases = [
        ("2", "part", json!("1234567890.1234568"), "pass"),
        ("2", "part", json!("1234567890.1234567"), "fail"),
        ("1", "part", json!(1_234_567_890.123_456_7), "pass"),
        ("2", "part", json!(1_234_567_890.123_456_7), "fail"),
        ("2", "whole", json!("12345678901234568"), "pass"),
        ("1", "whole", json!("12345678901234568"), "fail"),
        ("2", "whole", json!(12_345_678_901_234_568_i64), "pass"),
        ("1", "whole", json!(12_345_678_901_234_568_i64), "fail"),
    ];
    let rules = (1..).zip(&cases).map(|(priority, (row, column, expected, _))| {
        json!({"rule_type": "equals", "datasource_id": id, "field_name": "sender_email", "priority": priority,
            "conditions": {"match": {"id": row}, "column": column, "expected": expected}})
    });
    let body = json!({
        "intent": {"name": "Orders", "match": {"all": [{"field": "subject", "op": "contains", "value": "order"}]}},
        "validation_rules": rules.collect::<Vec<Value>>()
    });
    server.post("/api/intents/with-rules?tenant_id=acme", &body).await.is(StatusCode::CREATED);
    let email = server.decide("acme", message("ann@x.example", "order", "Hello")).await;
    let verdicts = email["verdicts"].as_array().unwrap().iter().map(|verdict| &verdict["verdict"]);
    assert_eq!(verdicts.collect::<Vec<_>>(), cases.map(|(.., verdict)| verdict), "{email:#}");
}

/// What one cell loses says nothing of the others: they are numbers, however a message writes them.
#[tokio::test]
async fn a_number_of_many_digits_in_a_file_hides_no_other() {
    let server = TestServer::start_idle(&[]).await;
    server.tenant("acme").await;
    let rows = "name,share\nAnn,20.5\nBob,33.333333333333333\n";
    put_file(&server, "shares.csv", rows).await.is(StatusCode::CREATED);
    let config = json!({"protocol": "file", "connection_json": {"path": "shares.csv"}});
    let id = datasource(&server, "shares", "file", config).await;
    let of = "SELECT name FROM data WHERE share";
    for (conditions, name) in [
        (json!({"query": format!("{of} = ?"), "params": ["20.50"]}), "Ann"),
        (json!({"query": format!("{of} > ?"), "params": ["30"]}), "Bob"),
        (json!({"match": {"share": "33.333333333333333"}}), "Bob"),
    ] {
        let found = preview(&server, id, conditions, json!({})).await;
        assert_eq!((&found["row_count"], &found["rows"][0]["name"]), (&json!(1), &json!(name)), "{found:#}");
    }
}

#[tokio::test]
async fn many_rows_are_loaded_once_and_found_by_index() {
    use std::fmt::Write;
    let server = TestServer::start_with(&[("LOOKUP_TIMEOUT_MS", "60000")]).await;
    server.tenant("acme").await;
    let mut text = String::from("email,orders\n");
    for i in 0..300_000 {
        writeln!(text, "user{i}@x.example,{i}").unwrap();
    }
    server.write_file("acme", "many.csv", text.as_bytes());
    let id = datasource(
        &server,
        "many",
        "file",
        json!({"protocol": "file", "connection_json": {"path": "many.csv"}}),
    )
    .await;
    for _ in 0..2 {
        let found = preview(
            &server,
            id,
            json!({"match": {"email": "{{sender_email}}"}}),
            json!({"sender_email": "user299999@x.example"}),
        )
        .await;
        assert_eq!(found["rows"][0]["orders"], 299_999, "{found:#}");
    }
}

#[tokio::test]
async fn an_oauth_client_gets_one_token_and_a_new_one_when_it_is_refused() {
    let server = TestServer::start().await;
    server.tenant("acme").await;
    let issued = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&issued);
    let good = Arc::clone(&issued);
    let router = Router::new()
        .route(
            "/token",
            post(move |headers: HeaderMap, body: String| async move {
                let basic =
                    headers.get("authorization").and_then(|v| v.to_str().ok()) == Some("Basic aWQ6czNjcmV0");
                if !basic || !body.contains("grant_type=client_credentials") || !body.contains("scope=read") {
                    return (Code::UNAUTHORIZED, axum::Json(json!({"error": "invalid_client"})));
                }
                let n = count.fetch_add(1, Ordering::SeqCst) + 1;
                (
                    Code::OK,
                    axum::Json(
                        json!({"access_token": format!("t{n}"), "token_type": "bearer", "expires_in": 3600}),
                    ),
                )
            }),
        )
        .route(
            "/items",
            get(move |headers: HeaderMap| async move {
                let latest = format!("Bearer t{}", good.load(Ordering::SeqCst));
                match headers.get("authorization").and_then(|v| v.to_str().ok()) == Some(&latest) {
                    true => (Code::OK, axum::Json(json!({"items": [{"id": 1}, {"id": 2}]}))),
                    false => (Code::UNAUTHORIZED, axum::Json(json!({}))),
                }
            }),
        );
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    tokio::spawn(axum::serve(listener, router).into_future());
    let config = |secret: &str| {
        json!({"protocol": "http", "base_url": format!("http://{addr}"), "auth_type": "oauth", "auth_config":
            {"token_url": format!("http://{addr}/token"), "client_id": "id", "client_secret": secret, "scope": "read"}})
    };
    let id = datasource(&server, "oauth", "api", config("s3cret")).await;
    let items = json!({"path": "/items", "rows": "$.items[*]"});
    for _ in 0..3 {
        let found = preview(&server, id, items.clone(), json!({})).await;
        assert_eq!(found["row_count"], 2, "{found:#}");
        assert!(!found.to_string().contains("s3cret"));
    }
    assert_eq!(issued.load(Ordering::SeqCst), 1, "the token is kept");
    issued.fetch_add(1, Ordering::SeqCst);
    assert_eq!(preview(&server, id, items.clone(), json!({})).await["ok"], false, "it was withdrawn");
    assert_eq!(preview(&server, id, items.clone(), json!({})).await["ok"], true, "and a new one fetched");
    let wrong = datasource(&server, "wrong", "api", config("wrong")).await;
    let tested = test(&server, wrong).await;
    assert_eq!(
        (tested["ok"].as_bool(), tested["step"].as_str()),
        (Some(false), Some("credentials")),
        "{tested:#}"
    );
}

/// A server may say that its token never ends.
#[tokio::test]
async fn a_token_of_any_lifetime_is_kept() {
    let server = TestServer::start_idle(&[]).await;
    server.tenant("acme").await;
    let issued = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&issued);
    let token = async move || {
        count.fetch_add(1, Ordering::SeqCst);
        axum::Json(json!({"access_token": "t", "token_type": "bearer", "expires_in": i64::MAX}))
    };
    let router = Router::new().route("/token", post(token)).route("/items", get(async || "[1]"));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    tokio::spawn(axum::serve(listener, router).into_future());
    let auth =
        json!({"token_url": format!("http://{addr}/token"), "client_id": "id", "client_secret": "s3cret"});
    let config = json!({"protocol": "http", "base_url": format!("http://{addr}"), "auth_type": "oauth", "auth_config": auth});
    let id = datasource(&server, "ages", "api", config).await;
    for _ in 0..2 {
        let found = preview(&server, id, json!({"path": "/items"}), json!({})).await;
        assert_eq!(found["row_count"], 1, "{found:#}");
    }
    assert_eq!(issued.load(Ordering::SeqCst), 1);
}

/// It says nothing of the credentials, so nothing is decided by it.
#[tokio::test]
async fn a_token_server_in_trouble_is_asked_again() {
    let server = TestServer::start().await;
    server.tenant("acme").await;
    let asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    let token = move || {
        let nth = count.fetch_add(1, Ordering::SeqCst);
        async move {
            let (status, body) = match nth {
                0 => (Code::SERVICE_UNAVAILABLE, json!({"error": "temporarily_unavailable"})),
                1 => (Code::TOO_MANY_REQUESTS, json!({"error": "slow_down"})),
                _ => (Code::OK, json!({"access_token": "t", "token_type": "bearer", "expires_in": 3600})),
            };
            (status, axum::Json(body))
        }
    };
    let router = Router::new().route("/token", post(token)).route("/items", get(async || "[1]"));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    tokio::spawn(axum::serve(listener, router).into_future());
    let auth =
        json!({"token_url": format!("http://{addr}/token"), "client_id": "id", "client_secret": "s3cret"});
    let config = json!({"protocol": "http", "base_url": format!("http://{addr}"), "auth_type": "oauth", "auth_config": auth});
    let id = datasource(&server, "busy", "api", config).await;
    let rule = json!({"rule_type": "exists", "field_name": "sender_email", "priority": 1, "on_error": "reject",
        "datasource_id": id, "conditions": {"path": "/items"}});
    let body = json!({
        "intent": {"name": "Orders", "match": {"all": [{"field": "subject", "op": "contains", "value": "order"}]}},
        "validation_rules": [rule]
    });
    server.post("/api/intents/with-rules?tenant_id=acme", &body).await.is(StatusCode::CREATED);
    let email = server.decide("acme", message("ann@x.example", "order", "Hello")).await;
    assert_eq!(email["decision"], "accepted", "{email:#}");
    assert_eq!(asked.load(Ordering::SeqCst), 3);
}

/// An answer that breaks off behind its head looks like one that is empty, and "nothing was found" would be made of it.
#[tokio::test]
async fn an_answer_without_a_body_is_one_where_its_head_says_so() {
    const ANSWERS: [(&str, &str, Result<u64, &str>); 7] = [
        ("/dies", "200 OK\r\ncontent-type: application/json\r\n\r\n", Err("the answer is empty")),
        ("/zero", "200 OK\r\ncontent-length: 0\r\n\r\n", Ok(0)),
        ("/ends", "200 OK\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n", Err("the answer is empty")),
        ("/none", "204 No Content\r\n\r\n", Ok(0)),
        ("/breaks", "200 OK\r\ntransfer-encoding: chunked\r\n\r\n", Err("the connection failed")),
        ("/reset", "205 Reset Content\r\n\r\n", Ok(0)),
        ("/marked", "200 OK\r\ncontent-length: 6\r\n\r\n\u{feff}[1]", Ok(1)),
    ];
    async fn answer(mut socket: TcpStream) {
        let mut asked = Vec::new();
        while !asked.ends_with(b"\r\n\r\n") {
            if socket.read_buf(&mut asked).await.unwrap_or_default() == 0 {
                return;
            }
        }
        let path = String::from_utf8(asked).unwrap().split(' ').nth(1).unwrap().to_owned();
        let (_, answer, _) = ANSWERS.iter().find(|(known, ..)| *known == path).unwrap();
        socket.write_all(format!("HTTP/1.1 {answer}").as_bytes()).await.unwrap();
    }
    let server = TestServer::start_idle(&[]).await;
    server.tenant("acme").await;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            tokio::spawn(answer(listener.accept().await.unwrap().0));
        }
    });
    let config = json!({"protocol": "http", "base_url": format!("http://{addr}")});
    let id = datasource(&server, "terse", "api", config).await;
    for (path, _, expected) in ANSWERS {
        let said = preview(&server, id, json!({"path": path}), json!({})).await;
        match expected {
            Ok(rows) => {
                assert_eq!((&said["ok"], &said["row_count"]), (&json!(true), &json!(rows)), "{said:#}")
            }
            Err(fault) => assert!(said["message"].as_str().unwrap().starts_with(fault), "{path}: {said:#}"),
        }
    }
}

#[tokio::test]
async fn what_a_rule_accepts_takes_the_place_of_json() {
    let server = TestServer::start_idle(&[]).await;
    server.tenant("acme").await;
    let accepted = async |headers: HeaderMap| {
        let values = headers.get_all("accept").iter().map(|value| value.to_str().unwrap().to_owned());
        axum::Json(values.collect::<Vec<_>>())
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    tokio::spawn(axum::serve(listener, Router::new().route("/", get(accepted))).into_future());
    let config = json!({"protocol": "http", "base_url": format!("http://{addr}")});
    let id = datasource(&server, "picky", "api", config).await;
    for (headers, expected) in [
        (json!({}), "application/json"),
        (json!({"ACCEPT": "application/vnd.api+json"}), "application/vnd.api+json"),
    ] {
        let said = preview(&server, id, json!({"path": "/", "headers": headers}), json!({})).await;
        assert_eq!(said["rows"], json!([{"value": expected}]), "{said:#}");
    }
}

/// What a rule's own text cannot be is wrong for every message; what a message's cannot be is not there.
async fn blames_whose_value_it_is(server: &TestServer, id: i64, orders: &str) {
    let query = format!("SELECT id FROM {orders} WHERE id = ? AND email = ?");
    let rule = |priority: i64, params: [&str; 2]| {
        json!({"rule_type": "exists", "datasource_id": id, "field_name": "sender_email", "priority": priority,
            "conditions": {"query": query, "params": params}})
    };
    let body = json!({
        "intent": {"name": "Orders", "match": {"all": [{"field": "subject", "op": "contains", "value": "order"}]}},
        "validation_rules": [
            rule(1, ["abc", "{{sender_email}}"]),
            rule(2, ["{{subject}}", "ann@x.example"]),
            rule(3, ["7", "{{sender_email}}"]),
        ]
    });
    server.post("/api/intents/with-rules?tenant_id=acme", &body).await.is(StatusCode::CREATED);
    let email = server.decide("acme", message("ann@x.example", "order", "Hello")).await;
    let verdicts = email["verdicts"].as_array().unwrap().iter().map(|verdict| &verdict["verdict"]);
    assert_eq!(verdicts.collect::<Vec<_>>(), ["error", "fail", "pass"], "{email:#}");
}

#[tokio::test]
async fn postgres_blames_a_rule_for_its_own_value() {
    let server = TestServer::start().await;
    server.tenant("acme").await;
    let config = json!({"protocol": "postgresql", "base_url": server.database().url.expose_secret()});
    let id = datasource(&server, "shop", "database", config).await;
    blames_whose_value_it_is(&server, id, "(SELECT 7 AS id, 'ann@x.example' AS email) AS orders").await;
}

#[tokio::test]
async fn a_fault_of_a_datasource_s_new_config_is_named_below_it() {
    let server = TestServer::start_idle(&[]).await;
    server.tenant("acme").await;
    let body = json!({"tenant_id": "acme", "datasource_id": null, "etag": "",
        "input": {"name": "shop", "datasource_type": "database", "connection_key": "shop"},
        "config": {"name": "shop", "protocol": "telepathy"}});
    let refused = server.post("/ui/datasources/save", &body).await.is(StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(refused.fields(), ["config.protocol"]);
    let detail = refused.body["detail"].as_str().unwrap();
    assert!(detail.starts_with("config.protocol: "), "{detail}");
    assert_eq!(server.get("/api/datasources?tenant_id=acme").await.body, json!([]));
}

/// A MariaDB of the test's own. It goes when the test ends.
pub struct MariaDb {
    process: Child,
    folder: tempfile::TempDir,
    pub port: u16,
}

impl MariaDb {
    pub async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("data");
        let is_root =
            std::fs::metadata("/proc/self").is_ok_and(|m| std::os::unix::fs::MetadataExt::uid(&m) == 0);
        let user = if is_root { "--user=mysql" } else { "--loose-user-is-me" };
        std::fs::set_permissions(folder.path(), std::os::unix::fs::PermissionsExt::from_mode(0o777)).unwrap();
        let installed = Command::new("mariadb-install-db")
            .args([user, "--no-defaults", "--auth-root-authentication-method=normal", "--skip-test-db"])
            .arg(format!("--datadir={}", data.display()))
            .output()
            .expect("mariadb-install-db, from Debian's mariadb-server; ./dev test installs it");
        assert!(installed.status.success(), "{}", String::from_utf8_lossy(&installed.stderr));
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let program = ["/usr/sbin/mariadbd", "/usr/local/bin/mariadbd"];
        let program =
            program.into_iter().find(|path| std::path::Path::new(path).exists()).unwrap_or("mariadbd");
        let process = Command::new(program)
            .arg("--no-defaults")
            .args([user, "--bind-address=127.0.0.1", "--skip-log-bin", "--innodb-buffer-pool-size=16M"])
            .arg(format!("--datadir={}", data.display()))
            .arg(format!("--socket={}", folder.path().join("s").display()))
            .arg(format!("--pid-file={}", folder.path().join("p").display()))
            .arg(format!("--port={port}"))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let server = Self { process, folder, port };
        eventually("MariaDB answers", async || server.client("SELECT 1").status.success().then_some(()))
            .await;
        server
    }

    fn client(&self, sql: &str) -> std::process::Output {
        Command::new("mariadb")
            .args(["--no-defaults", "-uroot", "-e", sql])
            .arg(format!("--socket={}", self.folder.path().join("s").display()))
            .output()
            .unwrap()
    }

    pub fn run(&self, sql: &str) {
        let output = self.client(sql);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
}

impl Drop for MariaDb {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[tokio::test]
async fn mariadb_is_asked_read_only_and_the_test_says_what_fails() {
    let server = TestServer::start_with(&[("LOOKUP_TIMEOUT_MS", "1000")]).await;
    server.tenant("acme").await;
    let maria = MariaDb::start().await;
    maria.run(
        "CREATE DATABASE shop; USE shop; CREATE TABLE orders (id bigint primary key, email varchar(100), \
         amount decimal(20,2), placed date, paid tinyint(1), note text, doc json, raw blob); \
         INSERT INTO orders VALUES (7, 'ann@x.example', 19.90, '2026-11-01', 1, 'x ? y', '{\"a\": 1}', x'00ff'); \
         CREATE USER reader IDENTIFIED BY 'reader-pw'; GRANT SELECT, INSERT ON shop.* TO reader; \
         CREATE FUNCTION shop.spend() RETURNS int RETURN SLEEP(30); GRANT EXECUTE ON shop.* TO reader",
    );
    let config = |port: u16, database: &str, password: &str| {
        json!({"protocol": "mysql", "driver_family": "pymysql", "base_url": format!("mysql+pymysql://127.0.0.1:{port}/{database}"),
            "auth_type": "basic", "auth_config": {"username": "reader", "password": password}})
    };
    let id = datasource(&server, "maria", "database", config(maria.port, "shop", "reader-pw")).await;
    let row = preview(
        &server,
        id,
        json!({"query": "SELECT * FROM orders WHERE email = $2 AND id = $1 AND note <> '?'", "params": ["{{order_number}}", "{{sender_email}}"]}),
        json!({"order_number": "7", "sender_email": "ann@x.example"}),
    )
    .await;
    // To MariaDB, JSON is text.
    assert_eq!(
        row["rows"][0],
        json!({"id": 7, "email": "ann@x.example", "amount": 19.9, "placed": "2026-11-01", "paid": 1, "note": "x ? y",
            "doc": "{\"a\": 1}", "raw": "2 bytes"}),
        "{row:#}"
    );
    maria.run(
        "USE shop; CREATE TABLE numbers (status tinyint(1), level tinyint(1) unsigned, low tinyint(1), price float, \
         whole float); INSERT INTO numbers VALUES (2, 200, -1, 19.9, 20)",
    );
    let numbers = preview(&server, id, json!({"query": "SELECT * FROM numbers"}), json!({})).await;
    let expected = json!({"status": 2, "level": 200, "low": -1, "price": 19.9, "whole": 20.0});
    assert_eq!(numbers["rows"][0], expected, "{numbers:#}");
    let hostile = json!({"query": "SELECT id FROM orders WHERE email = ?", "params": ["{{sender_email}}"]});
    for value in ["' OR 1=1 -- ", "\\' OR 1=1 -- ", "x'; DROP TABLE orders; -- "] {
        let none = preview(&server, id, hostile.clone(), json!({"sender_email": value})).await;
        assert_eq!(none["row_count"], 0, "{none:#}");
    }
    // MariaDB reads as much of a text as is a number, and finds order 7, and order 0 for what begins with a letter.
    maria.run("USE shop; INSERT INTO orders (id) VALUES (0)");
    let by_id = json!({"query": "SELECT id FROM orders WHERE id = ?", "params": ["{{order_number}}"]});
    for (number, found) in [
        ("7", Some(1)),
        ("07", Some(1)),
        ("8", Some(0)),
        ("7abc", None),
        ("7_042", None),
        ("1_042", None),
        ("C-20319", None),
    ] {
        let said = preview(&server, id, by_id.clone(), json!({"order_number": number})).await;
        match found {
            Some(count) => assert_eq!(said["row_count"], count, "{said:#}"),
            None => assert!(said["ok"] == false && said.to_string().contains(number), "{said:#}"),
        }
    }
    blames_whose_value_it_is(&server, id, "orders").await;
    let dated = json!({"query": "SELECT id FROM orders WHERE placed <= ?", "params": ["{{received_at}}"]});
    let said = preview(&server, id, dated, json!({"received_at": "2026-11-10T08:00:00Z"})).await;
    assert_eq!(said["row_count"], 1, "it is read, though MariaDB warns: {said:#}");
    let long = json!({"query": "SELECT seq FROM seq_1_to_1000 WHERE seq >= ? LIMIT 900", "params": ["{{order_number}}"]});
    let said = preview(&server, id, long, json!({"order_number": "7abc"})).await;
    assert_eq!(said["ok"], false, "of a cut answer, too: {said:#}");
    let many = preview(&server, id, json!({"query": "SELECT seq FROM seq_1_to_1000"}), json!({})).await;
    assert_eq!(
        (many["row_count"].as_u64(), many["truncated"].as_bool()),
        (Some(100), Some(true)),
        "{many:#}"
    );
    let slow = preview(&server, id, json!({"query": "SELECT shop.spend()"}), json!({})).await;
    assert_eq!(slow["ok"], false, "{slow:#}");
    for query in [
        "INSERT INTO orders (id) VALUES (8)",
        "SELECT SLEEP(9)",
        "SELECT 1; SELECT 2",
        "SELECT 1 INTO OUTFILE '/tmp/x'",
        "SELECT 1 /*! INTO @a */",
    ] {
        let path = format!("/api/datasources/{id}/preview?tenant_id=acme");
        let refused = server.post(&path, &json!({"conditions": {"query": query}})).await;
        assert_eq!(refused.is(StatusCode::UNPROCESSABLE_ENTITY).fields(), ["conditions.query"], "{query}");
    }

    let tested = test(&server, id).await;
    assert_eq!(
        (tested["ok"].as_bool(), tested["warnings"].as_array().unwrap().len()),
        (Some(true), 1),
        "{tested:#}"
    );
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let by_name = json!({"protocol": "mysql", "base_url": format!("mysql://reader:reader-pw@localhost:{}/shop", maria.port)});
    let by_name = datasource(&server, "by-name", "database", by_name).await;
    let found = preview(&server, by_name, json!({"query": "SELECT 1 AS n"}), json!({})).await;
    assert_eq!(found["rows"], json!([{"n": 1}]), "{found:#}");
    for (name, config, step) in [
        ("wrong-password", config(maria.port, "shop", "nonsense-pw"), "credentials"),
        ("wrong-database", config(maria.port, "nothing", "reader-pw"), "permission"),
        ("wrong-port", config(closed, "shop", "reader-pw"), "port"),
        ("wrong-name", json!({"protocol": "mysql", "base_url": "mysql://no-such-host.invalid/shop"}), "name"),
        ("private", json!({"protocol": "mysql", "base_url": "mysql://169.254.169.254/shop"}), "name"),
        ("no-file", json!({"protocol": "sqlite", "connection_json": {"path": "none.sqlite"}}), "file"),
    ] {
        let id = datasource(&server, name, "database", config).await;
        let tested = test(&server, id).await;
        assert_eq!(
            (tested["ok"].as_bool(), tested["step"].as_str()),
            (Some(false), Some(step)),
            "{name}: {tested:#}"
        );
        assert!(!tested.to_string().contains("-pw"), "{tested:#}");
    }
}

/// How many connections look-ups have to the test's own PostgreSQL.
async fn connections(server: &TestServer) -> i64 {
    let mut conn = server.database().superuser().await;
    sqlx::query_scalar(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() \
         AND application_name = 'flowengine look-up'",
    )
    .fetch_one(&mut conn)
    .await
    .unwrap()
}

/// Its credentials would stay with them.
#[tokio::test]
async fn of_a_config_that_is_saved_or_gone_no_connection_is_kept() {
    let begun = Instant::now();
    let server = TestServer::start_idle(&[]).await;
    server.tenant("acme").await;
    let mut config =
        json!({"protocol": "postgresql", "base_url": server.database().url.expose_secret(), "name": "shop"});
    let id = datasource(&server, "shop", "database", config.clone()).await;
    let configs = server.get("/api/datasource-configs?tenant_id=acme").await.is(StatusCode::OK).body;
    let path = format!("/api/datasource-configs/{}?tenant_id=acme", configs[0]["config_id"]);
    let ask = async || {
        let found = preview(&server, id, json!({"query": "SELECT 1 AS n"}), json!({})).await;
        assert_eq!(found["ok"], true, "{found:#}");
        assert_eq!(connections(&server).await, 1, "it is kept for the next look-up");
    };
    let is_closed =
        async || eventually("it is closed", async || (connections(&server).await == 0).then_some(())).await;
    ask().await;
    // Also where it is saved as it is: it is connected to anew.
    let read = server.get(&path).await.is(StatusCode::OK).body;
    assert_eq!(server.put(&path, &read).await.is(StatusCode::OK).body, read);
    is_closed().await;
    ask().await;
    config["driver_family"] = "asyncpg".into();
    server.put(&path, &config).await.is(StatusCode::OK);
    is_closed().await;
    ask().await;
    server.delete(&format!("/api/datasources/{id}?tenant_id=acme")).await.is(StatusCode::NO_CONTENT);
    server.delete(&path).await.is(StatusCode::NO_CONTENT);
    is_closed().await;
    assert!(begun.elapsed() < Duration::from_secs(50), "an idle one ends by itself after a minute");
}

/// An API on an address of its own.
pub async fn api(router: Router) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    tokio::spawn(axum::serve(listener, router).into_future());
    format!("http://{addr}")
}

/// The stored config of acme, as mail asks it.
async fn connection(server: &TestServer, name: &str) -> Connection {
    let mut tx = server.app.database.tenant(&"acme".parse().unwrap()).await.unwrap();
    config_service::connection(&server.app, &mut tx, name).await.unwrap().unwrap()
}

pub async fn ask(server: &TestServer, name: &str) -> Result<Rows, LookupError> {
    server.app.lookups.ask(&connection(server, name).await, &root()).await
}

/// Asks for mail until the config is left alone, and says how often in a row it has failed then. However long that takes: who
/// comes after a pause fails once more, and the next pause is longer.
async fn failures(server: &TestServer, name: &str) -> usize {
    eventually("it is left alone", async || {
        let error = ask(server, name).await.unwrap_err();
        error.message.strip_prefix("it failed ")?.split(' ').next()?.parse().ok()
    })
    .await
}

/// Other servers hear nothing of it, and go on leaving it alone.
#[tokio::test]
async fn a_config_that_is_saved_as_it_is_is_left_alone_as_before() {
    let server = TestServer::start_idle(&[]).await;
    server.tenant("acme").await;
    let asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    let base = api(Router::new().fallback(move || {
        count.fetch_add(1, Ordering::SeqCst);
        async { Code::SERVICE_UNAVAILABLE }
    }))
    .await;
    datasource(&server, "down", "api", json!({"protocol": "http", "base_url": format!("{base}/v1")})).await;
    assert_eq!(failures(&server, "down").await, asked.load(Ordering::SeqCst));
    let configs = server.get("/api/datasource-configs?tenant_id=acme").await.is(StatusCode::OK).body;
    let path = format!("/api/datasource-configs/{}?tenant_id=acme", configs[0]["config_id"]);
    let mut read = server.get(&path).await.is(StatusCode::OK).body;
    assert_eq!(server.put(&path, &read).await.is(StatusCode::OK).body, read);
    assert_eq!(failures(&server, "down").await, asked.load(Ordering::SeqCst), "nothing is forgotten");
    read["base_url"] = format!("{base}/v2").into();
    server.put(&path, &read).await.is(StatusCode::OK);
    let before = asked.load(Ordering::SeqCst);
    let error = ask(&server, "down").await.unwrap_err();
    assert_eq!(
        (error.cause, asked.load(Ordering::SeqCst)),
        (Cause::Answer, before + 1),
        "it leads elsewhere"
    );
}

#[tokio::test]
async fn whoever_has_mended_a_datasource_tests_it_at_once() {
    let server = TestServer::start_idle(&[]).await;
    server.tenant("acme").await;
    let (asked, is_down) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicBool::new(true)));
    let (count, state) = (Arc::clone(&asked), Arc::clone(&is_down));
    let base = api(Router::new().fallback(move || {
        count.fetch_add(1, Ordering::SeqCst);
        let is_down = state.load(Ordering::SeqCst);
        async move { if is_down { (Code::SERVICE_UNAVAILABLE, "") } else { (Code::OK, "[1]") } }
    }))
    .await;
    let id = datasource(&server, "shop", "api", json!({"protocol": "http", "base_url": base})).await;
    let said = async |path: &str| preview(&server, id, json!({"path": path}), json!({})).await;
    // What a person tries keeps no mail from asking.
    for _ in 0..6 {
        assert_eq!(said("/").await["message"], "the API answered 503 Service Unavailable");
    }
    assert_eq!(ask(&server, "shop").await.unwrap_err().cause, Cause::Answer, "mail asks as before");
    // As long as it is down, a person is told so, and mail leaves it alone all the while.
    let mut by_mail = 1;
    for _ in 0..2 {
        let before = asked.load(Ordering::SeqCst);
        let failed = failures(&server, "shop").await;
        by_mail += asked.load(Ordering::SeqCst) - before;
        assert_eq!(failed, by_mail, "it is not taken for mended");
        assert_eq!(said("/").await["message"], "the API answered 503 Service Unavailable");
        let tested = test(&server, id).await;
        assert_eq!(
            (&tested["step"], &tested["message"]),
            (&json!("answer"), &json!("127.0.0.1 answered 503"))
        );
    }
    is_down.store(false, Ordering::SeqCst);
    let tested = test(&server, id).await;
    assert_eq!(tested["ok"], true, "{tested:#}");
    assert!(ask(&server, "shop").await.is_ok(), "mail asks again at once");
}

#[tokio::test]
async fn dry_runs_that_fail_keep_no_mail_waiting() {
    let server = TestServer::start().await;
    server.tenant("acme").await;
    let asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    let fine = get(async || axum::Json(json!([{"a": 1}])));
    let base = api(Router::new().route("/fine", fine).fallback(move || {
        count.fetch_add(1, Ordering::SeqCst);
        async { Code::SERVICE_UNAVAILABLE }
    }))
    .await;
    let id = datasource(&server, "shop", "api", json!({"protocol": "http", "base_url": base})).await;
    let rule = |path: &str| json!([{"rule_type": "exists", "datasource_id": id, "field_name": "sender_email", "conditions": {"path": path}}]);
    let body = json!({
        "intent": {"name": "Orders", "match": {"all": [{"field": "subject", "op": "contains", "value": "order"}]}},
        "validation_rules": rule("/fine")
    });
    server.post("/api/intents/with-rules?tenant_id=acme", &body).await.is(StatusCode::CREATED);
    let raw = message("ann@x.example", "order", "Hello");
    let draft = json!({"message": {"raw": raw}, "validation_rules": rule("/typo")});
    for _ in 0..6 {
        server.post("/api/validation-rules/dry-run?tenant_id=acme", &draft).await.is(StatusCode::OK);
    }
    assert_eq!(asked.load(Ordering::SeqCst), 6, "none is left alone");
    let email = server.decide("acme", raw).await;
    assert_eq!(email["verdicts"][0]["verdict"], "pass", "{email:#}");
    // An outage that mail has met stops dry runs, too.
    eventually("a dry run is stopped", async || {
        failures(&server, "shop").await;
        let run = server.post("/api/validation-rules/dry-run?tenant_id=acme", &draft).await.body;
        run["verdicts"][0]["reason"].as_str()?.contains("left alone").then_some(())
    })
    .await;
}

/// A secret was entered for one address, and does not follow the config to another.
#[tokio::test]
async fn a_masked_secret_stays_with_its_address() {
    let server = TestServer::start_idle(&[]).await;
    server.tenant("acme").await;
    let config = |url: &str, token: &str| json!({"name": "api", "protocol": "https", "base_url": url, "auth_type": "bearer", "auth_config": {"token": token}});
    let made = server
        .post("/api/datasource-configs?tenant_id=acme", &config("https://a.example/v1", "s3cret"))
        .await;
    let path = format!("/api/datasource-configs/{}?tenant_id=acme", made.id("config_id"));
    server.put(&path, &config("https://a.example/v2", "********")).await.is(StatusCode::OK);
    for url in ["https://evil.example/v1", "http://a.example/v1", "https://a.example:8443/v1"] {
        let refused = server.put(&path, &config(url, "********")).await.is(StatusCode::UNPROCESSABLE_ENTITY);
        assert_eq!(refused.fields(), ["auth_config.token"], "{url}");
    }
    server.put(&path, &config("https://b.example/v1", "another")).await.is(StatusCode::OK);
}

/// What an attacker would try first, on every call that files and trials have.
#[tokio::test]
async fn files_and_trials_are_for_editors_of_the_tenant_and_bounded() {
    let server = TestServer::start_with(&[("FILE_MAX_BYTES", "1000000")]).await;
    server.tenant("acme").await;
    server.tenant("globex").await;
    put_file(&server, "a.csv", "email\nann@x.example\n").await.is(StatusCode::CREATED);
    let config = json!({"protocol": "file", "connection_json": {"path": "a.csv"}});
    let id = datasource(&server, "a", "file", config).await;
    let look_up = json!({"conditions": {"match": {"email": "x"}}});
    let calls = [
        (Method::GET, "/api/files".to_owned(), json!(null), true),
        (Method::GET, "/api/files/a.csv".to_owned(), json!(null), false),
        (Method::PUT, "/api/files/b.csv".to_owned(), json!([1]), false),
        (Method::DELETE, "/api/files/a.csv".to_owned(), json!(null), false),
        (Method::POST, format!("/api/datasources/{id}/test"), json!({}), false),
        (Method::POST, format!("/api/datasources/{id}/preview"), look_up, false),
    ];
    let viewer = server.key_of("acme", Role::Viewer).await;
    let stranger = server.key_of("globex", Role::Admin).await;
    for (method, path, body, viewer_may) in calls {
        let send = async |tenant: &str, key: Option<&str>| {
            let path = format!("{path}?tenant_id={tenant}");
            let request = server.request(method.clone(), &path, key).json(&body);
            Answer::of(request.send().await.unwrap()).await.status
        };
        assert_eq!(send("acme", None).await, StatusCode::UNAUTHORIZED, "{method} {path}");
        assert_eq!(send("acme", Some(&stranger)).await, StatusCode::NOT_FOUND, "{method} {path}");
        let status = send("acme", Some(&viewer)).await;
        let expected = if viewer_may { StatusCode::OK } else { StatusCode::FORBIDDEN };
        assert_eq!(status, expected, "{method} {path}");
        // In the stranger's own tenant there is neither the file nor the datasource.
        if !path.ends_with("/files") && method != Method::PUT {
            assert_eq!(send("globex", Some(&stranger)).await, StatusCode::NOT_FOUND, "{method} {path}");
        }
    }
    put_file(&server, "big.csv", vec![b'x'; 10 << 20]).await.is(StatusCode::PAYLOAD_TOO_LARGE);
    let preview = format!("/api/datasources/{id}/preview?tenant_id=acme");
    for (body, status) in [
        (json!({"conditions": {"match": {"email": "x".repeat(10 << 20)}}}), StatusCode::PAYLOAD_TOO_LARGE),
        (json!({"conditions": {"match": {"email": "a\0b"}}}), StatusCode::UNPROCESSABLE_ENTITY),
        (json!({"conditions": {"query": "SELECT '{{subject}}'"}}), StatusCode::UNPROCESSABLE_ENTITY),
        (json!({"conditions": {"query": "DELETE FROM data"}}), StatusCode::UNPROCESSABLE_ENTITY),
        (json!({"conditions": {"match": {"email": "{{sender_email}}"}}}), StatusCode::UNPROCESSABLE_ENTITY),
    ] {
        server.post(&preview, &body).await.is(status);
    }
    let listed = server.get("/api/files?tenant_id=acme").await.body;
    assert_eq!(listed.as_array().unwrap().len(), 1, "nothing was added, and nothing taken away: {listed}");
}
