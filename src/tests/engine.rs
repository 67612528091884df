//! The engine on real data: every kind of datasource, every rule type, and faults that are never verdicts.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use axum::{
    Router,
    http::{HeaderMap, StatusCode as Code},
    routing::get,
};
use reqwest::StatusCode;
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;

use super::support::{TestServer, message};

/// A tenant whose intent Orders takes every message with `order` in its subject.
struct Bench {
    server: TestServer,
}

impl Bench {
    async fn new(vars: &[(&str, &str)]) -> Self {
        let server = TestServer::start_with(vars).await;
        server.tenant("acme").await;
        Self { server }
    }

    async fn datasource(&self, kind: &str, config: Value) -> i64 {
        let mut config = config;
        config["name"] = "source".into();
        self.server.post("/api/datasource-configs?tenant_id=acme", &config).await.is(StatusCode::CREATED);
        let body = json!({"name": "Source", "datasource_type": kind, "connection_key": "source"});
        self.server
            .post("/api/datasources?tenant_id=acme", &body)
            .await
            .is(StatusCode::CREATED)
            .id("datasource_id")
    }

    /// The intent with these rules; each gets a priority by its place.
    async fn rules(&self, rules: &[Value]) {
        let order_number =
            json!({"name": "order_number", "field": "subject_and_body", "pattern": "#([0-9]+)"});
        self.rules_with(&order_number, rules).await;
    }

    /// As `rules`, with another extractor.
    async fn rules_with(&self, extractor: &Value, rules: &[Value]) {
        let rules: Vec<Value> = rules
            .iter()
            .zip(1..)
            .map(|(rule, place)| {
                let mut rule = rule.clone();
                if rule.get("priority").is_none() {
                    rule["priority"] = place.into();
                }
                if rule.get("field_name").is_none() {
                    rule["field_name"] = "sender_email".into();
                }
                rule
            })
            .collect();
        let body = json!({
            "intent": {
                "name": "Orders",
                "match": {"all": [{"field": "subject", "op": "contains", "value": "order"}]},
                "extractors": [extractor]
            },
            "validation_rules": rules
        });
        self.server.post("/api/intents/with-rules?tenant_id=acme", &body).await.is(StatusCode::CREATED);
    }

    async fn ask(&self, from: &str, subject: &str) -> Value {
        self.server.decide("acme", message(from, subject, "Hello")).await
    }

    /// The test's own PostgreSQL.
    async fn postgres(&self) -> i64 {
        let url = self.server.database().url.expose_secret();
        self.datasource("database", json!({"protocol": "postgresql", "base_url": url})).await
    }

    async fn sqlite(&self, sql: &'static str) {
        self.server.write_file("acme", "keep", b"");
        let path = self.server.app.config.files_dir(&"acme".parse().unwrap()).join("shop.sqlite");
        rusqlite::Connection::open(path).unwrap().execute_batch(sql).unwrap();
    }
}

fn sqlite_config() -> Value {
    json!({"protocol": "sqlite", "connection_json": {"path": "shop.sqlite"}})
}

fn verdicts(email: &Value) -> Vec<&str> {
    email["verdicts"].as_array().unwrap().iter().map(|v| v["verdict"].as_str().unwrap()).collect()
}

const SHOP: &str = "CREATE TABLE customers (email TEXT, status TEXT, credit INTEGER, joined TEXT); \
    INSERT INTO customers VALUES ('ann@x.example', 'Active', 10, '2026-01-02'), ('bob@x.example', 'blocked', NULL, NULL); \
    CREATE TABLE orders (number INTEGER, email TEXT); INSERT INTO orders VALUES (7, 'ann@x.example'), (8, 'o''hara@x.example')";

#[tokio::test]
async fn every_rule_type_judges_rows_of_a_sqlite_file() {
    let bench = Bench::new(&[]).await;
    bench.sqlite(SHOP).await;
    let id = bench.datasource("database", sqlite_config()).await;
    let by_email = |extra: Value| {
        let mut conditions = json!({"query": "SELECT status, credit FROM customers WHERE email = ?", "params": ["{{sender_email}}"]});
        conditions.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
        conditions
    };
    bench
        .rules(&[
            json!({"rule_type": "exists", "datasource_id": id, "conditions": by_email(json!({}))}),
            json!({"rule_type": "not_exists", "datasource_id": id, "conditions": {"query": "SELECT 1 FROM customers WHERE email = $1 AND status = 'blocked'", "params": ["{{sender_email}}"]}}),
            json!({"rule_type": "equals", "datasource_id": id, "conditions": by_email(json!({"expected": "ACTIVE", "ignore_case": true}))}),
            json!({"rule_type": "not_equals", "datasource_id": id, "conditions": by_email(json!({"column": "credit", "expected": "0"}))}),
            json!({"rule_type": "equals", "datasource_id": id, "conditions": {"query": "SELECT email FROM orders WHERE number = ?", "params": ["{{order_number}}"]}}),
            json!({"rule_type": "regex", "datasource_id": id, "conditions": by_email(json!({"pattern": "^A"}))}),
            json!({"rule_type": "regex", "field_name": "order_number", "conditions": {"pattern": "^[0-9]$"}}),
            json!({"rule_type": "equals", "field_name": "sender_domain", "conditions": {"expected": "x.example"}}),
        ])
        .await;
    let ann = bench.ask("ann@x.example", "my order #7").await;
    assert_eq!(verdicts(&ann), ["pass"; 8], "{ann}");
    assert_eq!(ann["decision"], "accepted");
    assert_eq!(ann["intent"]["name"], "Orders");
    assert_eq!(ann["fields"]["order_number"], "7");
    let evidence = &ann["verdicts"][0]["evidence"];
    assert_eq!(evidence["lookup"]["params"], json!(["ann@x.example"]));
    assert_eq!(evidence["rows"], json!([{"status": "Active", "credit": 10}]));
    assert_eq!(evidence["row_count"], 1);
    assert_eq!(
        ann["verdicts"][2]["evidence"]["compared"],
        json!({"left": "status", "actual": "Active", "expected": "ACTIVE"})
    );

    let bob = bench.ask("bob@x.example", "order without number").await;
    assert_eq!(verdicts(&bob), ["pass", "fail", "fail", "pass", "fail", "fail", "fail", "pass"], "{bob}");
    assert_eq!(bob["verdicts"][4]["reason"], "no order_number in the message");
    assert_eq!(bob["decision"], "rejected");

    let eve = bench.ask("eve@x.example", "order #8").await;
    assert_eq!(verdicts(&eve), ["fail", "pass", "fail", "fail", "fail", "fail", "pass", "pass"], "{eve}");
    assert_eq!(eve["verdicts"][0]["reason"], "Source has no row for eve@x.example");
}

/// `null` is not the same as nothing.
#[tokio::test]
async fn a_column_must_be_empty_or_must_not_be() {
    let bench = Bench::new(&[]).await;
    bench.sqlite(SHOP).await;
    let id = bench.datasource("database", sqlite_config()).await;
    let credit = json!({"query": "SELECT credit FROM customers WHERE email = ?", "params": ["{{sender_email}}"], "expected": null});
    let rules = ["equals", "not_equals"]
        .map(|rule_type| json!({"rule_type": rule_type, "datasource_id": id, "conditions": credit}));
    bench.rules(&rules).await;
    let ann = bench.ask("ann@x.example", "order").await;
    assert_eq!(verdicts(&ann), ["fail", "pass"], "{ann:#}");
    let bob = bench.ask("bob@x.example", "order").await;
    assert_eq!(verdicts(&bob), ["pass", "fail"], "{bob:#}");
    assert_eq!(bob["verdicts"][1]["reason"], "credit is empty, which it should not be");

    let kept = bench.server.get("/api/validation-rules?tenant_id=acme").await.is(StatusCode::OK).body;
    assert_eq!(kept[0]["conditions"].get("expected"), Some(&Value::Null), "{kept:#}");
    let intent = &bob["intent"]["intent_id"];
    let mut draft = json!({"message": {"raw": message("bob@x.example", "order", "Hello")},
        "intent_id": intent, "validation_rules": rules});
    for (rule, place) in draft["validation_rules"].as_array_mut().unwrap().iter_mut().zip(1..) {
        rule["field_name"] = "sender_email".into();
        rule["priority"] = place.into();
    }
    let tried = bench.server.post("/api/validation-rules/dry-run?tenant_id=acme", &draft).await;
    assert_eq!(verdicts(&tried.is(StatusCode::OK).body), ["pass", "fail"]);
    let alone = json!({"intent_id": intent, "field_name": "subject", "rule_type": "not_equals",
        "conditions": {"expected": null}});
    let refused = bench.server.post("/api/validation-rules?tenant_id=acme", &alone).await;
    assert_eq!(refused.is(StatusCode::UNPROCESSABLE_ENTITY).fields(), ["conditions.expected"]);
}

#[tokio::test]
async fn a_value_is_never_read_as_sql() {
    let bench = Bench::new(&[]).await;
    bench.sqlite(SHOP).await;
    let id = bench.datasource("database", sqlite_config()).await;
    let rule = json!({"rule_type": "exists", "datasource_id": id, "field_name": "subject",
        "conditions": {"query": "SELECT 1 FROM customers WHERE email = ?", "params": ["{{subject}}"]}});
    bench.rules(&[rule]).await;
    for subject in [
        "order' OR '1'='1",
        "order'; DROP TABLE customers; --",
        "order\\' OR 1=1 --",
        "order {{sender_email}}",
    ] {
        let email = bench.ask("ann@x.example", subject).await;
        assert_eq!(verdicts(&email), ["fail"], "{subject}");
        assert_eq!(email["verdicts"][0]["evidence"]["lookup"]["params"][0], subject);
    }
}

#[tokio::test]
async fn postgres_is_asked_read_only_with_values_of_every_type() {
    let bench = Bench::new(&[]).await;
    let mut conn = bench.server.database().superuser().await;
    sqlx::raw_sql(
        "CREATE SCHEMA shop; CREATE TYPE shop.mood AS ENUM ('happy', 'sad'); \
         CREATE TABLE shop.orders (id bigint PRIMARY KEY, email text, amount numeric(10,2), placed date, token uuid, \
           mood shop.mood, paid boolean, tags text[]); \
         INSERT INTO shop.orders VALUES (7, 'ann@x.example', 19.90, '2026-11-01', \
           '00000000-0000-0000-0000-000000000007', 'happy', true, '{a,b}'); \
         DO $$ BEGIN CREATE ROLE shop_reader LOGIN PASSWORD 'reader-pw'; EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$; \
         GRANT USAGE ON SCHEMA shop TO shop_reader; GRANT ALL ON shop.orders TO shop_reader; \
         CREATE FUNCTION shop.lift() RETURNS text LANGUAGE plpgsql AS $$ BEGIN \
           PERFORM set_config('transaction_read_only', 'off', false); DELETE FROM shop.orders; RETURN 'x'; END $$; \
         CREATE FUNCTION shop.linger() RETURNS text LANGUAGE plpgsql AS $$ BEGIN \
           PERFORM pg_sleep(60); RETURN 'x'; END $$",
    )
    .execute(&mut conn)
    .await
    .unwrap();
    let url: url::Url = bench.server.database().url.expose_secret().parse().unwrap();
    let (host, port, database) = (url.host_str().unwrap(), url.port().unwrap(), url.path());
    let base_url = format!("postgresql+psycopg2://wrong@{host}:{port}{database}");
    let config = json!({"protocol": "postgresql", "driver_family": "psycopg2", "base_url": base_url,
        "auth_type": "basic", "auth_config": {"username": "shop_reader", "password": "reader-pw"}});
    let id = bench.datasource("database", config).await;
    let exists = |query: &str, params: Value| json!({"rule_type": "exists", "datasource_id": id, "on_error": "ignore", "conditions": {"query": query, "params": params}});
    bench
        .rules(&[
            exists("SELECT * FROM shop.orders WHERE id = ? AND email = ?", json!(["{{order_number}}", "{{sender_email}}"])),
            exists("SELECT * FROM shop.orders WHERE amount > $1 AND placed < $2 AND paid = $3 AND $1 < 100", json!([5, "2026-12-01", true])),
            exists("SELECT 1 FROM shop.orders WHERE token = ? AND mood = ? AND ? = ANY (tags) -- ?", json!(["00000000-0000-0000-0000-000000000007", "happy", "a"])),
            json!({"rule_type": "equals", "datasource_id": id, "conditions": {"query": "SELECT id, amount FROM shop.orders WHERE id = ?;", "params": ["{{order_number}}"], "column": "amount", "expected": "19.9"}}),
            exists("SELECT shop.lift()", json!([])),
            exists("SELECT id FROM shop.orders WHERE id = ?", json!(["not a number"])),
            exists("SELECT shop.linger()", json!([])),
            exists("SELECT * FROM shop.customers", json!([])),
            exists("SELECT generate_series(1, 1000) AS n", json!([])),
        ])
        .await;
    let email = bench.ask("ann@x.example", "order #7").await;
    assert_eq!(
        verdicts(&email),
        ["pass", "pass", "pass", "pass", "error", "error", "error", "error", "pass"],
        "{email:#}"
    );
    let row = &email["verdicts"][0]["evidence"]["rows"][0];
    assert_eq!(row["amount"].as_f64(), Some(19.9));
    assert_eq!(row["tags"], json!(["a", "b"]));
    assert_eq!(email["verdicts"][0]["evidence"]["columns"][0], "id");
    let many = &email["verdicts"][8]["evidence"];
    assert_eq!((many["row_count"].as_u64(), many["truncated"].as_bool()), (Some(100), Some(true)));
    assert_eq!(many["rows"].as_array().unwrap().len(), 10);
    assert!(email["verdicts"][6]["reason"].as_str().unwrap().contains("longer than is allowed"));
    assert!(!email.to_string().contains("reader-pw"));
    let count: i64 =
        sqlx::query_scalar("SELECT count(*) FROM shop.orders").fetch_one(&mut conn).await.unwrap();
    assert_eq!(count, 1);
}

/// To SQL, CHAR and BIT without a length are of one character and one bit.
#[tokio::test]
async fn postgres_compares_with_columns_of_a_fixed_length() {
    let bench = Bench::new(&[]).await;
    let mut conn = bench.server.database().superuser().await;
    sqlx::raw_sql(
        "CREATE TABLE public.parts (code char(8), mask bit(4), kind \"char\", codes char(8)[], masks bit(4)[]); \
         INSERT INTO public.parts VALUES ('AB12', B'1010', 'z', '{AB12,C}', '{1010,1111}')",
    )
    .execute(&mut conn)
    .await
    .unwrap();
    let id = bench.postgres().await;
    let rule = |rule_type: &str, condition: &str, params: Value| {
        let query = format!("SELECT * FROM public.parts WHERE {condition}");
        json!({"rule_type": rule_type, "datasource_id": id, "conditions": {"query": query, "params": params}})
    };
    let mut equals = rule("equals", "code = ?", json!(["AB12"]));
    equals["conditions"]["expected"] = "AB12".into();
    bench
        .rules(&[
            rule("exists", "code = ? AND mask = ? AND kind = ?", json!(["AB12", "1010", "z"])),
            rule("exists", "codes = ? AND masks = ?", json!(["{AB12,C}", "{1010,1111}"])),
            rule("exists", "? = ANY (codes) AND ? = ANY (masks)", json!(["AB12", "1111"])),
            rule("not_exists", "code = ?", json!(["A"])),
            rule("not_exists", "code = ?", json!(["AB12 and more"])),
            equals,
        ])
        .await;
    let email = bench.ask("ann@x.example", "order").await;
    assert_eq!(verdicts(&email), ["pass"; 6], "{email:#}");
    let row = &email["verdicts"][0]["evidence"]["rows"][0];
    assert_eq!((&row["code"], &row["codes"]), (&json!("AB12"), &json!(["AB12", "C"])), "without padding");
}

/// What was prepared before a table changed is not what it is now.
#[tokio::test]
async fn postgres_is_asked_of_its_tables_as_they_are() {
    let bench = Bench::new(&[]).await;
    let mut conn = bench.server.database().superuser().await;
    sqlx::raw_sql(
        "CREATE TABLE public.customers (email text, code int, b text); \
         INSERT INTO public.customers VALUES ('ann@x.example', 7, 'old')",
    )
    .execute(&mut conn)
    .await
    .unwrap();
    let id = bench.postgres().await;
    let exists = |query: &str, param: &str| json!({"rule_type": "exists", "datasource_id": id, "conditions": {"query": query, "params": [param]}});
    let twice =
        "SELECT one.*, two.* FROM public.customers AS one, public.customers AS two WHERE one.email = ?";
    let code = json!({"name": "code", "field": "subject", "pattern": "#(\\w+)"});
    bench
        .rules_with(
            &code,
            &[
                exists("SELECT * FROM public.customers WHERE email = ?", "{{sender_email}}"),
                exists(twice, "{{sender_email}}"),
                exists("SELECT email FROM public.customers WHERE code = ?", "{{code}}"),
            ],
        )
        .await;
    let columns = |email: &Value, rule: usize| email["verdicts"][rule]["evidence"]["columns"].clone();
    let before = bench.ask("ann@x.example", "order #7").await;
    assert_eq!(verdicts(&before), ["pass"; 3], "{before:#}");
    assert_eq!(columns(&before, 0), json!(["email", "code", "b"]));
    let apart = json!(["email", "code", "b", "email_2", "code_2", "b_2"]);
    assert_eq!(columns(&before, 1), apart, "what a rule names is one column");
    sqlx::raw_sql(
        "ALTER TABLE public.customers DROP COLUMN b, ADD COLUMN z text DEFAULT 'new', \
         ALTER COLUMN code TYPE text USING 'A' || code",
    )
    .execute(&mut conn)
    .await
    .unwrap();
    let after = bench.ask("ann@x.example", "order #A7").await;
    assert_eq!(verdicts(&after), ["pass"; 3], "{after:#}");
    assert_eq!(columns(&after, 0), json!(["email", "code", "z"]));
    assert_eq!(columns(&after, 1), json!(["email", "code", "z", "email_2", "code_2", "z_2"]));
    let row = &after["verdicts"][0]["evidence"]["rows"][0];
    assert_eq!(row, &json!({"email": "ann@x.example", "code": "A7", "z": "new"}));
    sqlx::raw_sql("ALTER TABLE public.customers DROP COLUMN z").execute(&mut conn).await.unwrap();
    let less = bench.ask("ann@x.example", "order #A7").await;
    assert_eq!((verdicts(&less), columns(&less, 0)), (vec!["pass"; 3], json!(["email", "code"])), "{less:#}");
}

/// A value that cannot be read is the message's fault only where it is the message's value.
#[tokio::test]
async fn what_postgres_cannot_read_in_its_own_rows_is_no_verdict() {
    let bench = Bench::new(&[]).await;
    let mut conn = bench.server.database().superuser().await;
    sqlx::raw_sql(
        "CREATE TABLE public.sales (order_no text, id int, day date); \
         INSERT INTO public.sales VALUES ('N/A', 1, '2026-11-01')",
    )
    .execute(&mut conn)
    .await
    .unwrap();
    let id = bench.postgres().await;
    let exists = |condition: &str, param: &str| {
        let query = format!("SELECT 1 FROM public.sales WHERE {condition}");
        json!({"rule_type": "exists", "datasource_id": id, "conditions": {"query": query, "params": [param]}})
    };
    bench
        .rules(&[
            exists("order_no::int = ?", "{{order_number}}"),
            exists("1 / (id - 1) = ?", "{{order_number}}"),
            exists("id = ?", "{{sender_email}}"),
            exists("day = ?", "{{sender_email}}"),
            exists("id = ?", "{{order_number}}"),
        ])
        .await;
    for _ in 0..2 {
        let email = bench.ask("ann@x.example", "order #1").await;
        assert_eq!(verdicts(&email), ["error", "error", "fail", "fail", "pass"], "{email:#}");
        let reasons = |rule: usize| email["verdicts"][rule]["reason"].as_str().unwrap().to_owned();
        assert!(reasons(0).contains("could not be asked") && reasons(0).contains("N/A"), "{email:#}");
        assert!(reasons(2).contains("cannot be asked for ann@x.example"), "{email:#}");
    }
}

/// The same of the rule's own values, whatever else the look-up takes from the message.
#[tokio::test]
async fn what_postgres_cannot_read_of_the_rule_is_no_verdict() {
    let bench = Bench::new(&[]).await;
    let mut conn = bench.server.database().superuser().await;
    sqlx::raw_sql(
        "CREATE TABLE public.sales (id int, email text); INSERT INTO public.sales VALUES (1, 'ann@x.example')",
    )
    .execute(&mut conn)
    .await
    .unwrap();
    let id = bench.postgres().await;
    let exists = |condition: &str, params: Value| {
        let query = format!("SELECT 1 FROM public.sales WHERE {condition}");
        json!({"rule_type": "exists", "datasource_id": id, "when_missing": "skip",
            "conditions": {"query": query, "params": params}})
    };
    bench
        .rules(&[
            exists("id = ? AND email = ?", json!(["many", "{{sender_email}}"])),
            exists("id = ? AND email = ?", json!(["{{order_number}}", "ann@x.example"])),
            exists("id = ? AND email = ?", json!(["{{sender_email}}", "ann@x.example"])),
            // The same look-up, which comes to different verdicts.
            exists("id = ?", json!(["ann@x.example"])),
            exists("id = ?", json!(["{{sender_email}}"])),
        ])
        .await;
    let email = bench.ask("ann@x.example", "order #1").await;
    // It is not missing, though it is nothing that could be asked for.
    assert_eq!(verdicts(&email), ["error", "pass", "fail", "error", "fail"], "{email:#}");
    for (rule, words) in [(0, "could not be asked"), (3, "could not be asked"), (4, "cannot be asked for")] {
        assert!(email["verdicts"][rule]["reason"].as_str().unwrap().contains(words), "{email:#}");
    }
    let lookup = &email["verdicts"][0]["evidence"]["lookup"];
    let members: Vec<&String> = lookup.as_object().unwrap().keys().collect();
    assert_eq!(members, ["query", "params"], "what came from whom is no part of what is asked");
}

/// More look-ups than have a turn within the patience for one, all of one priority.
#[tokio::test]
async fn a_message_does_not_wait_for_itself() {
    let seen = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&seen);
    let router = Router::new().fallback(move || {
        count.fetch_add(1, Ordering::SeqCst);
        async {
            tokio::time::sleep(std::time::Duration::from_millis(300)).await;
            "[1]"
        }
    });
    let addr = api(router).await;
    let bench = Bench::new(&[
        ("LOOKUP_TIMEOUT_MS", "1500"),
        ("LOOKUP_CONNECT_TIMEOUT_MS", "500"),
        ("JOB_MAX_ATTEMPTS", "1"),
    ])
    .await;
    let id = bench.datasource("api", json!({"protocol": "http", "base_url": format!("http://{addr}")})).await;
    let rules: Vec<Value> = (0..30)
        .map(|i| json!({"rule_type": "exists", "datasource_id": id, "priority": 1, "conditions": {"path": format!("/{i}")}}))
        .collect();
    bench.rules(&rules).await;
    let email = bench.ask("ann@x.example", "order").await;
    assert_eq!(verdicts(&email), ["pass"; 30], "{email:#}");
    assert_eq!(seen.load(Ordering::SeqCst), 30);
}

/// A small API. Each answer is counted.
async fn api(router: Router) -> SocketAddr {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    tokio::spawn(axum::serve(listener, router).into_future());
    addr
}

#[tokio::test]
async fn an_api_is_asked_with_each_kind_of_credentials_and_its_rows_are_judged() {
    let seen = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&seen);
    let router = Router::new()
        .route(
            "/v1/customers",
            get(move |uri: axum::http::Uri, headers: HeaderMap| {
                count.fetch_add(1, Ordering::SeqCst);
                async move {
                    let text = |name: &str| headers.get(name).map(|v| v.to_str().unwrap().to_owned());
                    let query = uri.query().unwrap_or_default().to_owned();
                    let authorised = text("authorization").as_deref() == Some("Bearer s3cret")
                        || text("authorization").as_deref() == Some("Basic dTpzM2NyZXQ=")
                        || text("x-key").as_deref() == Some("s3cret")
                        || query.contains("key=s3cret");
                    if !authorised {
                        return (Code::UNAUTHORIZED, String::new());
                    }
                    let rows = if query.contains("email=ann%40x.example") {
                        json!([{"id": 1, "status": "active"}, {"id": 2, "extra": {"a": 1}}])
                    } else {
                        json!([])
                    };
                    (Code::OK, rows.to_string())
                }
            }),
        )
        .route(
            "/v1/orders/{id}",
            get(|axum::extract::Path(id): axum::extract::Path<String>| async move {
                match id.as_str() {
                    "7" => (Code::OK, json!({"id": 7, "email": "ann@x.example"}).to_string()),
                    _ => (Code::NOT_FOUND, json!({"error": "no such order"}).to_string()),
                }
            }),
        );
    let addr = api(router).await;
    for (auth_type, auth_config) in [
        ("bearer", json!({"token": "s3cret"})),
        ("basic", json!({"username": "u", "password": "s3cret"})),
        ("api_key", json!({"header": "X-Key", "key": "s3cret"})),
        ("api_key", json!({"query": "key", "key": "s3cret"})),
        ("none", json!({})),
    ] {
        let bench = Bench::new(&[]).await;
        let config = json!({"protocol": "http", "driver_family": "rest", "base_url": format!("http://{addr}/v1/"), "auth_type": auth_type, "auth_config": auth_config});
        let id = bench.datasource("api", config).await;
        let customers = json!({"path": "/customers", "query": {"email": "{{sender_email}}", "limit": 10}});
        let order = json!({"path": "/orders/{{order_number}}", "status": [200, 404]});
        let mut equals = order.clone();
        equals["column"] = "email".into();
        let mut strict = order.clone();
        strict.as_object_mut().unwrap().remove("status");
        bench
            .rules(&[
                json!({"rule_type": "exists", "datasource_id": id, "conditions": customers}),
                json!({"rule_type": "equals", "datasource_id": id, "conditions": equals}),
                json!({"rule_type": "exists", "datasource_id": id, "conditions": order, "when_missing": "skip"}),
                json!({"rule_type": "exists", "datasource_id": id, "conditions": strict, "on_error": "ignore"}),
                json!({"rule_type": "not_exists", "datasource_id": id, "conditions": customers, "on_fail": "warn"}),
            ])
            .await;
        let before = seen.load(Ordering::SeqCst);
        let ann = bench.ask("ann@x.example", "order #7").await;
        assert!(!ann.to_string().contains("s3cret"), "{ann}");
        if auth_type == "none" {
            assert_eq!(verdicts(&ann), ["error", "pass", "pass", "pass", "error"], "{ann:#}");
            assert_eq!(ann["decision"], "review", "refused credentials are no verdict on the message");
            continue;
        }
        assert_eq!(verdicts(&ann), ["pass", "pass", "pass", "pass", "fail"], "{ann:#}");
        assert_eq!(ann["decision"], "accepted", "a warning does not stand in the way");
        assert_eq!(seen.load(Ordering::SeqCst) - before, 1, "the same look-up is asked once");
        assert_eq!(ann["verdicts"][0]["evidence"]["columns"], json!(["id", "status", "extra"]));
        let eve = bench.ask("eve@x.example", "order #9").await;
        assert_eq!(verdicts(&eve), ["fail", "fail", "fail", "error", "pass"], "{eve:#}");
        let none = bench.ask("ann@x.example", "order").await;
        assert_eq!(verdicts(&none), ["pass", "fail", "skipped", "fail", "fail"], "{none:#}");
    }
}

#[tokio::test]
async fn rules_that_did_not_apply_are_not_said_to_have_passed() {
    let bench = Bench::new(&[]).await;
    let skip = json!({"rule_type": "regex", "field_name": "order_number", "when_missing": "skip", "conditions": {"pattern": "."}});
    let regex = json!({"rule_type": "regex", "field_name": "subject", "conditions": {"pattern": "order"}});
    bench.rules(&[skip.clone(), regex]).await;
    let said = |email: &Value| email["explanation"].as_str().unwrap().to_owned();
    let both = bench.ask("ann@x.example", "order #7").await;
    assert_eq!(said(&both), "Accepted: all 2 rules of Orders passed.");
    let one = bench.ask("ann@x.example", "order").await;
    let words =
        "Accepted: 1 of 2 rules of Orders passed, and no other applies: no order_number in the message.";
    assert_eq!(said(&one), words);
}

/// To SQLite any number is less than any text, and what a message says is text.
#[tokio::test]
async fn what_a_file_holds_is_ordered_as_numbers_or_not_at_all() {
    let bench = Bench::new(&[]).await;
    let file = "sku,stock,due,credit\nA,10,2026-11-10,900\nB,n/a,2026-12-01,50\n";
    bench.server.write_file("acme", "stock.csv", file.as_bytes());
    let config = json!({"protocol": "file", "driver_family": "csv", "base_url": "file:///stock.csv"});
    let id = bench.datasource("file", config).await;
    let sku = json!({"name": "sku", "field": "subject", "pattern": "sku (\\w+)"});
    let exists = |query: &str, params: Value| json!({"rule_type": "exists", "datasource_id": id, "conditions": {"query": query, "params": params}});
    bench
        .rules_with(
            &sku,
            &[
                exists("SELECT 1 FROM data WHERE sku = ? AND stock >= 5", json!(["{{sku}}"])),
                exists(
                    "SELECT 1 FROM data WHERE sku = ? AND coalesce(credit, 0) <= ?",
                    json!(["{{sku}}", "100"]),
                ),
                exists(
                    "SELECT sku FROM data WHERE sku = ? GROUP BY sku HAVING sum(credit) BETWEEN ? AND 1000",
                    json!(["{{sku}}", "100"]),
                ),
                exists("SELECT 1 FROM data WHERE sku = ? AND due < ?", json!(["{{sku}}", "2026-11-30"])),
                exists(
                    "SELECT 1 FROM data WHERE sku = ? AND credit + 1 > ?",
                    json!(["{{sku}}", "{{sender_email}}"]),
                ),
                exists("SELECT 1 FROM data WHERE sku = ? AND credit <= ?", json!(["{{sku}}", "1234.5 EUR"])),
            ],
        )
        .await;
    let a = bench.ask("ann@x.example", "order sku A").await;
    // Which rows a query looks at does not matter: it would order all of that column by letters.
    // And what the rule itself compares with a number is no fault of the message.
    assert_eq!(verdicts(&a), ["error", "fail", "pass", "pass", "fail", "error"], "{a:#}");
    for (rule, words) in
        [(0, "the column stock holds values"), (4, "'ann@x.example' is no number"), (5, "'1234.5 EUR' is no")]
    {
        assert!(a["verdicts"][rule]["reason"].as_str().unwrap().contains(words), "{a:#}");
    }
    let b = bench.ask("ann@x.example", "order sku B").await;
    assert_eq!(verdicts(&b), ["error", "pass", "fail", "fail", "fail", "error"], "{b:#}");
}

/// To SQLite no text is the same as a number, unless a column stands beside it that was declared to hold numbers.
#[tokio::test]
async fn what_is_worked_out_is_the_same_as_a_number_that_the_message_says() {
    let total = json!({"name": "total", "field": "subject", "pattern": "total (\\S+)"});
    for kind in ["file", "database"] {
        let bench = Bench::new(&[]).await;
        let config = if kind == "file" {
            bench.server.write_file("acme", "sums.csv", b"sku,total,stock\nA,100.5,7\nB,20,8\n");
            json!({"protocol": "file", "connection_json": {"path": "sums.csv"}})
        } else {
            let data = "CREATE TABLE data (sku TEXT, total REAL, stock INTEGER); \
                INSERT INTO data VALUES ('A', 100.5, 7), ('B', 20, 8)";
            bench.sqlite(data).await;
            sqlite_config()
        };
        let id = bench.datasource(kind, config).await;
        let rule = |rule_type: &str, query: &str| {
            let conditions = json!({"query": query, "params": ["{{total}}"]});
            json!({"rule_type": rule_type, "datasource_id": id, "conditions": conditions})
        };
        bench
            .rules_with(
                &total,
                &[
                    rule("exists", "SELECT 1 FROM data WHERE total = ?"),
                    rule("exists", "SELECT 1 FROM data WHERE round(total, 2) = ?"),
                    rule("not_exists", "SELECT 1 FROM data WHERE sku = 'A' AND round(total, 2) <> ?"),
                    rule("exists", "SELECT 1 FROM data WHERE round(total, 2) IN (?, 3)"),
                    rule("exists", "SELECT 1 FROM data WHERE ? IN (stock, total)"),
                    rule("exists", "SELECT 1 FROM data WHERE coalesce(total, 0) IS NOT DISTINCT FROM ?"),
                    rule("exists", "SELECT sku FROM data GROUP BY sku HAVING sum(total) = ?"),
                    rule("exists", "SELECT sku, sum(total) AS owed FROM data GROUP BY sku HAVING owed = ?"),
                ],
            )
            .await;
        let found = bench.ask("ann@x.example", "order total 100.50").await;
        assert_eq!(verdicts(&found), ["pass"; 8], "{kind}: {found:#}");
        // A text that is no number is not the same as one, and nobody's fault.
        for subject in ["order total 100.6", "order total 100_5", "order total none"] {
            let none = bench.ask("ann@x.example", subject).await;
            assert_eq!(verdicts(&none), ["fail"; 8], "{kind} {subject}: {none:#}");
            assert!(!none.to_string().contains("is no number"), "{kind} {subject}: {none:#}");
        }
    }
}

/// A value of letters stays one beside a number that is another column's.
#[tokio::test]
async fn a_value_is_listed_among_columns_of_texts_and_of_numbers() {
    let code = json!({"name": "code", "field": "subject", "pattern": "code (\\S+)"});
    for kind in ["file", "database"] {
        let bench = Bench::new(&[]).await;
        let config = if kind == "file" {
            bench.server.write_file("acme", "u.json", br#"[{"order_no": "1042", "id": 1}]"#);
            json!({"protocol": "file", "connection_json": {"path": "u.json"}})
        } else {
            let data = "CREATE TABLE data (order_no TEXT, id INTEGER); INSERT INTO data VALUES ('1042', 1)";
            bench.sqlite(data).await;
            sqlite_config()
        };
        let id = bench.datasource(kind, config).await;
        let rule = |query: &str| {
            let conditions = json!({"query": query, "params": ["{{code}}"]});
            json!({"rule_type": "exists", "datasource_id": id, "conditions": conditions})
        };
        bench
            .rules_with(
                &code,
                &[
                    rule("SELECT 1 FROM data WHERE ? IN (order_no, id)"),
                    rule("SELECT 1 FROM data WHERE ? NOT IN (order_no, id)"),
                    rule("SELECT 1 FROM data WHERE ? IN (id + 1, order_no)"),
                ],
            )
            .await;
        for (said, verdict) in [
            ("1042", ["pass", "fail", "pass"]),
            ("1", ["pass", "fail", "fail"]),
            ("2", ["fail", "pass", "pass"]),
            ("x", ["fail", "pass", "fail"]),
        ] {
            let email = bench.ask("ann@x.example", &format!("order code {said}")).await;
            assert_eq!(verdicts(&email), verdict, "{kind} {said}: {email:#}");
        }
    }
}

/// SQLite takes a name in double quotes for a text where no column has it: a rule would then find nothing.
#[tokio::test]
async fn a_column_in_quotes_that_is_not_there_is_an_error_and_no_verdict() {
    for kind in ["file", "database"] {
        let bench = Bench::new(&[]).await;
        let config = if kind == "file" {
            bench.server.write_file("acme", "people.csv", b"Email\nann@x.example\n");
            json!({"protocol": "file", "connection_json": {"path": "people.csv"}})
        } else {
            bench.sqlite("CREATE TABLE data (Email TEXT); INSERT INTO data VALUES ('ann@x.example')").await;
            sqlite_config()
        };
        let id = bench.datasource(kind, config).await;
        let rule = |rule_type: &str, column: &str| {
            let query = format!("SELECT * FROM data WHERE \"{column}\" = ?");
            let conditions = json!({"query": query, "params": ["{{sender_email}}"]});
            json!({"rule_type": rule_type, "datasource_id": id, "conditions": conditions})
        };
        bench.rules(&[rule("exists", "Email"), rule("exists", "E-Mail"), rule("not_exists", "E-Mail")]).await;
        let email = bench.ask("ann@x.example", "order").await;
        assert_eq!(verdicts(&email), ["pass", "error", "error"], "{kind}: {email:#}");
        assert_eq!(email["decision"], "review", "{kind}");
        for rule in [1, 2] {
            let reason = email["verdicts"][rule]["reason"].as_str().unwrap();
            assert!(reason.contains("no such column: \"E-Mail\""), "{kind}: {reason}");
        }
    }
}

/// SQLite's own functions know the case of ASCII alone.
#[tokio::test]
async fn a_name_is_found_in_any_case_whatever_its_letters() {
    for kind in ["file", "database"] {
        let bench = Bench::new(&[]).await;
        let config = if kind == "file" {
            bench.server.write_file("acme", "people.csv", "name\nMÜLLER\nAnn\n".as_bytes());
            json!({"protocol": "file", "connection_json": {"path": "people.csv"}})
        } else {
            bench.sqlite("CREATE TABLE data (name TEXT); INSERT INTO data VALUES ('MÜLLER'), ('Ann')").await;
            sqlite_config()
        };
        let id = bench.datasource(kind, config).await;
        let rule = |query: &str, name: &str| {
            let conditions = json!({"query": query, "params": [name]});
            json!({"rule_type": "exists", "datasource_id": id, "conditions": conditions})
        };
        bench
            .rules(&[
                rule("SELECT * FROM data WHERE lower(name) = lower(?)", "Müller"),
                rule("SELECT * FROM data WHERE upper(name) = upper(?)", "müller"),
                rule("SELECT * FROM data WHERE lower(name) = ?", "ann"),
                rule("SELECT * FROM data WHERE lower(name) = lower(?)", "Muller"),
            ])
            .await;
        let email = bench.ask("ann@x.example", "order").await;
        assert_eq!(verdicts(&email), ["pass", "pass", "pass", "fail"], "{kind}: {email:#}");
        assert_eq!(email["verdicts"][0]["evidence"]["row_count"], 1, "{kind}");
    }
}

/// The fields of a message hold addresses in lower case, and people write them as they like.
#[tokio::test]
async fn an_address_is_found_in_a_file_in_any_case_and_an_empty_cell_is_asked_for() {
    let bench = Bench::new(&[]).await;
    let file = "email,domain,code,closed_on\nAnn.Smith@Example.com,EXAMPLE.com,Ab,\n\
        bob@x.example,x.example,cd,2026-01-31\n";
    bench.server.write_file("acme", "customers.csv", file.as_bytes());
    let config = json!({"protocol": "file", "driver_family": "csv", "base_url": "file:///customers.csv"});
    let id = bench.datasource("file", config).await;
    let rule = |rule_type: &str, columns: Value| json!({"rule_type": rule_type, "datasource_id": id, "conditions": {"match": columns}});
    let open = json!({"email": "{{sender_email}}", "closed_on": null});
    let code = json!({"name": "code", "field": "subject", "pattern": "code (\\w+)"});
    bench
        .rules_with(
            &code,
            &[
                rule("exists", json!({"email": "{{sender_email}}"})),
                rule("exists", json!({"domain": "{{sender_domain}}"})),
                rule("exists", open.clone()),
                rule("not_exists", open),
                rule("exists", json!({"email": "ann.smith@example.com"})),
                rule("exists", json!({"code": "{{code}}"})),
            ],
        )
        .await;
    let ann = bench.ask("Ann.Smith@Example.com", "order code ab").await;
    assert_eq!(verdicts(&ann), ["pass", "pass", "pass", "fail", "fail", "fail"], "{ann:#}");
    let asked = &ann["verdicts"][2]["evidence"]["lookup"];
    let wanted =
        json!({"match": {"email": "ann.smith@example.com", "closed_on": null}, "ignore_case": ["email"]});
    assert_eq!(asked, &wanted);
    let bob = bench.ask("Bob@X.Example", "order code cd").await;
    assert_eq!(verdicts(&bob), ["pass", "pass", "fail", "pass", "fail", "pass"], "{bob:#}");
}

/// Who sends a message can add a header field to it, and gets round no rule by that.
#[tokio::test]
async fn a_rule_holds_for_every_header_field_of_its_name() {
    let bench = Bench::new(&[]).await;
    let rule = |rule_type: &str, expected: Value| json!({"rule_type": rule_type, "field_name": "header.X-Campaign", "conditions": {"expected": expected}});
    bench
        .rules(&[
            rule("not_equals", json!("blocked")),
            rule("equals", json!("spring")),
            rule("one_of", json!(["spring", "autumn"])),
            json!({"rule_type": "regex", "field_name": "header.X-Campaign", "conditions": {"pattern": "^(spr|au)"}}),
        ])
        .await;
    for (campaigns, said) in [
        (&["spring"][..], ["pass", "pass", "pass", "pass"]),
        (&["blocked"], ["fail", "fail", "fail", "fail"]),
        (&["blocked", "spring"], ["fail", "fail", "fail", "fail"]),
        (&["spring", "blocked"], ["fail", "fail", "fail", "fail"]),
        (&["spring", "autumn"], ["pass", "fail", "pass", "pass"]),
    ] {
        let headers: String = campaigns.iter().map(|name| format!("X-Campaign: {name}\r\n")).collect();
        let raw = format!("{headers}{}", message("ann@x.example", "order", "Hello"));
        let email = bench.server.decide("acme", raw).await;
        assert_eq!(verdicts(&email), said, "{campaigns:?}: {email:#}");
    }
}

/// A gateway's header field is of no use where the sender's stands before it.
#[tokio::test]
async fn nothing_is_read_out_of_a_header_field_that_says_two_things() {
    let bench = Bench::new(&[]).await;
    let score =
        json!({"name": "score", "field": "header.X-Spam-Score", "pattern": "([0-9]+)", "type": "number"});
    let rule = |rule_type: &str, field: &str, conditions: Value| json!({"rule_type": rule_type, "field_name": field, "when_missing": "skip", "conditions": conditions});
    let expression = |text: &str| rule("expression", "subject", json!({"expression": text}));
    bench
        .rules_with(
            &score,
            &[
                rule("compare", "score", json!({"op": "<", "expected": 5})),
                rule("regex", "score", json!({"pattern": "^[0-4]$"})),
                rule("not_equals", "subject", json!({"expected": "order {{score}}"})),
                expression("fields.score < 5.0"),
                expression("has(fields.score) ? fields.score < 5.0 : true"),
                expression("fields['header.X-Spam'] != 'YES'"),
            ],
        )
        .await;
    let (pass, fail, skipped) = ("pass", "fail", "skipped");
    for (scores, flags, said) in [
        (&["0"][..], &["NO"][..], [pass; 6]),
        (&["900"], &["YES"], [fail, fail, pass, fail, fail, fail]),
        (&[], &[], [skipped, skipped, skipped, skipped, pass, skipped]),
        (&["0", "0"], &["NO", "NO"], [pass; 6]),
        (&["0", "900"], &["NO"], [fail, fail, fail, fail, fail, pass]),
        (&["0"], &["NO", "YES"], [pass, pass, pass, pass, pass, fail]),
    ] {
        let scores: String = scores.iter().map(|score| format!("X-Spam-Score: {score}\r\n")).collect();
        let flags: String = flags.iter().map(|flag| format!("X-Spam: {flag}\r\n")).collect();
        let raw = format!("{scores}{flags}{}", message("ann@x.example", "order", "Hello"));
        let email = bench.server.decide("acme", raw).await;
        assert_eq!(verdicts(&email), said, "{scores}{flags}: {email:#}");
        let reason = |rule: usize| email["verdicts"][rule]["reason"].as_str().unwrap();
        if scores.contains("900") && scores.contains(" 0") {
            let words = "header.x-spam-score stands 2 times in the message, and an extractor takes one value";
            assert_eq!((reason(0), reason(2)), (words, words));
            assert_eq!(email["fields"].get("score"), None, "it is neither of them");
        }
        if flags.contains("YES") && flags.contains("NO") {
            let words = "header.x-spam stands 2 times in the message, and an expression takes one value";
            assert_eq!(reason(5), words);
        }
    }
}

/// A limit is none if a sum gets past it by being written in a way that nobody can read.
#[tokio::test]
async fn what_was_found_and_not_read_is_not_missing() {
    let bench = Bench::new(&[]).await;
    bench.sqlite("CREATE TABLE blocked (amount TEXT); INSERT INTO blocked VALUES ('5 EUR')").await;
    let database = bench.datasource("database", sqlite_config()).await;
    let amount = json!({"name": "amount", "field": "body", "pattern": "Betrag: (.+)", "type": "money"});
    let rule = |rule_type: &str, conditions: Value| json!({"rule_type": rule_type, "field_name": "amount", "when_missing": "skip", "conditions": conditions});
    let expression = |text: &str| rule("expression", json!({"expression": text}));
    let mut blocked = rule(
        "not_exists",
        json!({"query": "SELECT 1 FROM blocked WHERE amount = ?", "params": ["{{amount}}"]}),
    );
    blocked["datasource_id"] = database.into();
    let mut warning = rule("compare", json!({"op": "<=", "expected": "9000 EUR", "as": "money"}));
    warning["on_fail"] = "warn".into();
    bench
        .rules_with(
            &amount,
            &[
                rule("compare", json!({"op": "<=", "expected": "2000 EUR", "as": "money"})),
                expression("!has(fields.amount) || fields.amount.amount <= 2000.0"),
                expression("!('amount' in fields) || fields.amount.amount <= 2000.0"),
                rule("not_equals", json!({"expected": "5 EUR"})),
                rule("regex", json!({"pattern": "EUR$"})),
                blocked,
                warning,
            ],
        )
        .await;
    let told = async |body: &str| bench.server.decide("acme", message("ann@x.example", "order", body)).await;
    for (written, said) in [
        ("50,00 Euro", ["pass"; 7]),
        ("50,- €.", ["pass"; 7]),
        ("50.000,00 Euro.", ["fail", "fail", "fail", "pass", "pass", "pass", "fail"]),
        ("50.000,00 Taler", ["fail"; 7]),
        ("fünfzigtausend €", ["fail"; 7]),
    ] {
        let email = told(&format!("Betrag: {written}")).await;
        assert_eq!(verdicts(&email), said, "{written}: {email:#}");
    }
    let email = told("Betrag: 50.000,00 Taler").await;
    let why = "'50.000,00 Taler' is no money";
    for verdict in email["verdicts"].as_array().unwrap() {
        assert_eq!(verdict["reason"], why);
    }
    assert_eq!(email["decision"], "rejected");
    assert_eq!(email["explanation"], format!("Rejected: {why}."), "said once, though a warning says it too");
    assert_eq!(email["fields"].get("amount"), None);
    let draft = json!({"message": {"email_id": email["email_id"]}});
    let tried = bench.server.post("/api/emails/dry-run?tenant_id=acme", &draft).await.is(StatusCode::OK).body;
    assert_eq!(tried["extractions"][0]["why_not"], why);
    let none = told("no sum").await;
    let (pass, skipped) = ("pass", "skipped");
    assert_eq!(verdicts(&none), [skipped, pass, pass, skipped, skipped, skipped, skipped], "{none:#}");
    assert_eq!(none["verdicts"][0]["reason"], "no amount in the message");
}

/// Who reads why it was rejected reads what else there is to look at.
#[tokio::test]
async fn what_rejects_a_message_hides_nothing_that_a_person_should_see() {
    let bench = Bench::new(&[]).await;
    let amount = json!({"name": "amount", "field": "body", "pattern": "Betrag: (.+)", "type": "money"});
    let at_most = |most: &str, on_fail: &str| json!({"rule_type": "compare", "field_name": "amount", "on_fail": on_fail, "conditions": {"op": "<=", "expected": most, "as": "money"}});
    let rules = [at_most("100 EUR", "warn"), at_most("200 EUR", "review"), at_most("300 EUR", "reject")];
    bench.rules_with(&amount, &rules).await;
    let why = async |sum: &str| {
        let email =
            bench.server.decide("acme", message("ann@x.example", "order", &format!("Betrag: {sum}"))).await;
        email["explanation"].as_str().unwrap().to_owned()
    };
    assert_eq!(
        why("400 EUR").await,
        "Rejected: amount is '400 EUR', which is not at most '300 EUR'. \
         Besides: amount is '400 EUR', which is not at most '200 EUR'. \
         Worth noting: amount is '400 EUR', which is not at most '100 EUR'."
    );
    assert_eq!(
        why("250 EUR").await,
        "For review: amount is '250 EUR', which is not at most '200 EUR'. \
         Worth noting: amount is '250 EUR', which is not at most '100 EUR'."
    );
}

/// What two people write of one sum, or of one day, is the same.
#[tokio::test]
async fn sums_and_days_equal_what_a_file_says_of_them_in_other_words() {
    let bench = Bench::new(&[]).await;
    let file = "number;balance;sum;due\n1042;1.234,50 €;1234.5;10.11.2026\n";
    bench.server.write_file("acme", "balances.csv", file.as_bytes());
    let id = bench
        .datasource("file", json!({"protocol": "file", "connection_json": {"path": "balances.csv"}}))
        .await;
    let balance = json!({"name": "balance", "field": "subject", "pattern": "of (.+) due", "type": "money"});
    let equals = |rule_type: &str, column: &str, more: Value| {
        let mut conditions = json!({"match": {"number": "1042"}, "column": column});
        conditions.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        json!({"rule_type": rule_type, "field_name": "balance", "datasource_id": id, "conditions": conditions})
    };
    bench
        .rules_with(
            &balance,
            &[
                equals("equals", "balance", json!({})),
                equals("equals", "sum", json!({})),
                equals("not_equals", "balance", json!({"expected": "{{balance}}"})),
                equals("one_of", "balance", json!({"expected": ["{{balance}}", "1 EUR"]})),
                equals("equals", "due", json!({"expected": "2026-11-10", "as": "date"})),
                json!({"rule_type": "equals", "field_name": "balance", "conditions": {"expected": "1234.50 EUR"}}),
            ],
        )
        .await;
    for (written, said) in [
        ("1.234,50 €", ["pass", "pass", "fail", "pass", "pass", "pass"]),
        ("EUR 1,234.50", ["pass", "pass", "fail", "pass", "pass", "pass"]),
        ("1.234,51 €", ["fail", "fail", "pass", "fail", "pass", "fail"]),
    ] {
        let email = bench.ask("ann@x.example", &format!("order of {written} due")).await;
        assert_eq!(verdicts(&email), said, "{written}: {email:#}");
    }
}

/// Of two values together no list holds a row.
#[tokio::test]
async fn nothing_is_looked_up_by_a_header_field_that_stands_twice() {
    let bench = Bench::new(&[]).await;
    bench.sqlite("CREATE TABLE blocked (ref TEXT); INSERT INTO blocked VALUES ('bad')").await;
    let database = bench.datasource("database", sqlite_config()).await;
    let query = json!({"query": "SELECT 1 FROM blocked WHERE ref = ?", "params": ["{{header.X-Ref}}"]});
    let rule = json!({"rule_type": "not_exists", "datasource_id": database, "conditions": query});
    let mut skipped = rule.clone();
    skipped["when_missing"] = "skip".into();
    let score = json!({"rule_type": "compare", "field_name": "header.X-Ref", "when_missing": "skip",
        "conditions": {"op": "<", "as": "number", "expected": 5}});
    bench.rules(&[rule, skipped, score]).await;
    let twice = "header.x-ref stands 2 times in the message, and a look-up takes one value";
    for (refs, expected, reason) in [
        (&["bad"][..], ["fail", "fail", "fail"], "and should have none"),
        (&["good"], ["pass", "pass", "fail"], "Source has no row"),
        (&["bad", "x"], ["fail"; 3], twice),
        (&["1", "900"], ["fail"; 3], twice),
        (&[], ["fail", "skipped", "skipped"], "no header.x-ref in the message"),
    ] {
        let headers: String = refs.iter().map(|value| format!("X-Ref: {value}\r\n")).collect();
        let raw = format!("{headers}{}", message("ann@x.example", "order", "Hello"));
        let email = bench.server.decide("acme", raw).await;
        assert_eq!(verdicts(&email), expected, "{refs:?}: {email:#}");
        let said = email["verdicts"][0]["reason"].as_str().unwrap();
        assert!(said.contains(reason), "{refs:?}: {said}");
    }
}

/// A domain is written in letters and in ASCII, and is the same one.
#[tokio::test]
async fn an_address_equals_the_other_form_of_its_domain() {
    let bench = Bench::new(&[]).await;
    let file = "email,owner\nzoe@bücher.example,zoe@bücher.example\n\
        ann@xn--bcher-kva.example,ann@xn--bcher-kva.example\n";
    bench.server.write_file("acme", "people.csv", file.as_bytes());
    let config = json!({"protocol": "file", "driver_family": "csv", "base_url": "file:///people.csv"});
    let id = bench.datasource("file", config).await;
    let owner = json!({"match": {"email": "{{sender_email}}"}, "column": "owner"});
    bench
        .rules(&[
            json!({"rule_type": "equals", "datasource_id": id, "conditions": owner}),
            json!({"rule_type": "not_equals", "datasource_id": id, "conditions": owner}),
            json!({"rule_type": "equals", "field_name": "sender_domain", "conditions": {"expected": "Bücher.example"}}),
        ])
        .await;
    for from in ["zoe@xn--bcher-kva.example", "zoe@bücher.example", "ann@xn--bcher-kva.example"] {
        let email = bench.ask(from, "order").await;
        assert_eq!(verdicts(&email), ["pass", "fail", "pass"], "{from}: {email:#}");
    }
}

#[tokio::test]
async fn a_pattern_sees_all_of_a_long_body() {
    let bench = Bench::new(&[]).await;
    bench
        .rules(&[
            json!({"rule_type": "regex", "field_name": "body", "conditions": {"pattern": "the end"}}),
            json!({"rule_type": "expression", "conditions": {"expression": "email.body.matches('the end')"}}),
        ])
        .await;
    let body = format!("{}the end", "many words of a long mail\r\n".repeat(15_000));
    let email = bench.server.decide("acme", message("ann@x.example", "order", &body)).await;
    assert_eq!(verdicts(&email), ["pass"; 2], "{}", email["explanation"]);
}

/// No thousands begin with 0.
#[tokio::test]
async fn a_sum_of_less_than_one_is_none_of_hundreds() {
    let bench = Bench::new(&[]).await;
    let total = json!({"name": "total", "field": "subject", "pattern": "for (.+)$", "type": "money"});
    let rule = json!({"rule_type": "compare", "field_name": "total",
        "conditions": {"op": "<", "expected": "1 EUR", "as": "money"}});
    bench.rules_with(&total, &[rule]).await;
    for (sum, verdict) in
        [("0.900 EUR", "pass"), ("0,125 EUR", "pass"), ("900 EUR", "fail"), ("0.125.000 EUR", "fail")]
    {
        let email = bench.ask("ann@x.example", &format!("order for {sum}")).await;
        assert_eq!(verdicts(&email), [verdict], "{sum}: {email:#}");
        let is_read = email["verdicts"][0]["reason"] != "'0.125.000 EUR' is no money";
        assert_eq!(is_read, sum != "0.125.000 EUR", "{sum}: {email:#}");
    }
}

/// A sum of four decimals is no thousand, however it is kept.
#[tokio::test]
async fn a_price_of_four_decimals_is_compared_as_it_was_written() {
    let bench = Bench::new(&[]).await;
    let price = json!({"name": "price", "field": "subject", "pattern": "at (.+)$", "type": "money"});
    let rule = json!({"rule_type": "compare", "field_name": "price",
        "conditions": {"op": "<", "expected": "2 EUR", "as": "money"}});
    bench.rules_with(&price, &[rule]).await;
    for (sum, kept, verdict) in [
        ("1.0850 EUR", "1.0850 EUR", "pass"),
        ("2.0050 EUR", "2.0050 EUR", "fail"),
        ("1.085 EUR", "1085 EUR", "fail"),
        ("1,50 EUR", "1.5 EUR", "pass"),
    ] {
        let email = bench.ask("ann@x.example", &format!("order at {sum}")).await;
        assert_eq!(email["fields"]["price"], kept, "{sum}");
        assert_eq!(verdicts(&email), [verdict], "{sum}: {email:#}");
    }
}

/// On whichever day it is elsewhere.
#[tokio::test]
async fn a_date_that_is_taken_out_of_a_message_is_in_utc() {
    let bench = Bench::new(&[]).await;
    let day = json!({"name": "day", "field": "subject", "pattern": "by (.+)$", "type": "date"});
    let compare = |op: &str| json!({"rule_type": "compare", "field_name": "day", "conditions": {"op": op, "expected": "2026-11-10", "as": "date"}});
    bench.rules_with(&day, &[compare(">="), compare("<=")]).await;
    for (said, kept, wanted) in [
        ("2026-11-10T00:00:00+01:00", "2026-11-09T23:00:00", ["fail", "pass"]),
        ("2026-11-10T23:30:00-02:00", "2026-11-11T01:30:00", ["pass", "fail"]),
        ("2026-11-10T23:30:00Z", "2026-11-10T23:30:00", ["pass", "pass"]),
        ("2026-11-09T23:30:00Z", "2026-11-09T23:30:00", ["fail", "pass"]),
    ] {
        let email = bench.ask("ann@x.example", &format!("order by {said}")).await;
        assert_eq!(email["fields"]["day"], kept, "{said}");
        assert_eq!(verdicts(&email), wanted, "{said}: {email:#}");
    }
}

#[tokio::test]
async fn a_csv_is_matched_and_queried_and_read_again_when_it_changes() {
    let bench = Bench::new(&[]).await;
    bench.server.write_file(
        "acme",
        "customers.csv",
        "email;status;code\r\nann@x.example;active;007\r\n".as_bytes(),
    );
    let id = bench
        .datasource(
            "file",
            json!({"protocol": "file", "driver_family": "csv", "base_url": "file:///customers.csv"}),
        )
        .await;
    bench
        .rules(&[
            json!({"rule_type": "exists", "datasource_id": id, "conditions": {"match": {"email": "{{sender_email}}", "status": "active"}}}),
            json!({"rule_type": "equals", "datasource_id": id, "conditions": {"query": "SELECT code FROM data WHERE email = ?", "params": ["{{sender_email}}"], "expected": "007"}}),
            json!({"rule_type": "exists", "datasource_id": id, "on_error": "ignore", "conditions": {"match": {"nothing": "x"}}}),
        ])
        .await;
    assert_eq!(verdicts(&bench.ask("ann@x.example", "order").await), ["pass", "pass", "error"]);
    assert_eq!(verdicts(&bench.ask("Zoë <zoë@x.example>", "order").await), ["fail", "fail", "error"]);
    bench.server.write_file(
        "acme",
        "customers.csv",
        b"email,status,code\nann@x.example,gone,008\nzo@x.example,active,007\n",
    );
    assert_eq!(verdicts(&bench.ask("ann@x.example", "order").await), ["fail", "fail", "error"]);
    assert_eq!(verdicts(&bench.ask("zo@x.example", "order").await), ["pass", "pass", "error"]);
}

/// The same data passes the same rules, however the file is written.
#[tokio::test]
async fn numbers_and_booleans_of_a_file_are_judged_alike_in_every_format() {
    let mut book = rust_xlsxwriter::Workbook::new();
    let sheet = book.add_worksheet();
    for (column, name) in (0..).zip(["order", "active"]) {
        sheet.write(0, column, name).unwrap();
    }
    sheet.write(1, 0, 1042).unwrap();
    sheet.write(1, 1, true).unwrap();
    for (path, bytes) in [
        ("o.csv", b"order,active\n1042,true\n".to_vec()),
        ("o.json", br#"[{"order": 1042, "active": true}]"#.to_vec()),
        ("o.jsonl", br#"{"order": 1042, "active": true}"#.to_vec()),
        ("o.xlsx", book.save_to_buffer().unwrap()),
    ] {
        let bench = Bench::new(&[]).await;
        bench.server.write_file("acme", path, &bytes);
        let id =
            bench.datasource("file", json!({"protocol": "file", "connection_json": {"path": path}})).await;
        let by_match = json!({"match": {"order": "{{order_number}}"}});
        let by_query = json!({"query": "SELECT active AS ok FROM data WHERE \"order\" = ?", "params": ["{{order_number}}"]});
        let with = |conditions: &Value, column: &str| {
            let mut conditions = conditions.clone();
            conditions["column"] = column.into();
            conditions["expected"] = true.into();
            json!({"rule_type": "equals", "datasource_id": id, "conditions": conditions})
        };
        bench
            .rules(&[
                json!({"rule_type": "exists", "datasource_id": id, "conditions": by_match}),
                with(&by_match, "active"),
                with(&by_query, "ok"),
            ])
            .await;
        let found = bench.ask("ann@x.example", "order #1042").await;
        assert_eq!(verdicts(&found), ["pass"; 3], "{path}: {found:#}");
        let none = bench.ask("ann@x.example", "order #1043").await;
        assert_eq!(verdicts(&none), ["fail"; 3], "{path}: {none:#}");
    }
}

#[tokio::test]
async fn a_file_is_opened_beneath_the_tenants_own_folder_only() {
    let bench = Bench::new(&[]).await;
    bench.server.tenant("globex").await;
    bench.server.write_file("globex", "secret.csv", b"email\nann@x.example\n");
    bench.server.write_file("acme", "own.csv", b"email\nann@x.example\n");
    let folder = bench.server.app.config.files_dir(&"acme".parse().unwrap());
    std::os::unix::fs::symlink("../globex/secret.csv", folder.join("link.csv")).unwrap();
    std::os::unix::fs::symlink("/etc/passwd", folder.join("passwd.csv")).unwrap();
    std::os::unix::fs::symlink("../globex", folder.join("folder")).unwrap();
    std::os::unix::fs::symlink("own.csv", folder.join("fine.csv")).unwrap();
    let mut rules = Vec::new();
    for (i, path) in
        ["link.csv", "passwd.csv", "folder/secret.csv", "missing.csv", "fine.csv"].into_iter().enumerate()
    {
        let config = json!({"name": format!("c{i}"), "protocol": "file", "driver_family": "csv", "connection_json": {"path": path}});
        bench.server.post("/api/datasource-configs?tenant_id=acme", &config).await.is(StatusCode::CREATED);
        let body =
            json!({"name": format!("D{i}"), "datasource_type": "file", "connection_key": format!("c{i}")});
        let id = bench
            .server
            .post("/api/datasources?tenant_id=acme", &body)
            .await
            .is(StatusCode::CREATED)
            .id("datasource_id");
        rules.push(json!({"rule_type": "exists", "datasource_id": id, "conditions": {"query": "SELECT * FROM data"}}));
    }
    bench.rules(&rules).await;
    let email = bench.ask("ann@x.example", "order").await;
    assert_eq!(verdicts(&email), ["error", "error", "error", "error", "pass"], "{email:#}");
    assert!(!email.to_string().contains("root:"), "{email}");
    assert_eq!(email["decision"], "review");
}

#[tokio::test]
async fn a_datasource_that_cannot_be_asked_is_tried_again_and_then_is_for_a_person() {
    let calls = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&calls);
    let router = Router::new()
        .route(
            "/flaky",
            get(move || {
                let call = counted.fetch_add(1, Ordering::SeqCst);
                async move { if call < 2 { (Code::SERVICE_UNAVAILABLE, "") } else { (Code::OK, "[1]") } }
            }),
        )
        .route("/rubbish", get(async || "<html>"))
        .route("/huge", get(async || "1".repeat(2 << 20)))
        .route("/redirect", get(async || (Code::FOUND, [("location", "http://169.254.169.254/")], "")))
        .route(
            "/hang",
            get(async || {
                std::future::pending::<()>().await;
                ""
            }),
        );
    let addr = api(router).await;
    let closed = { tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap() };
    let vars =
        [("LOOKUP_TIMEOUT_MS", "300"), ("LOOKUP_CONNECT_TIMEOUT_MS", "300"), ("JOB_MAX_ATTEMPTS", "3")];
    for (base, path, verdict, decision, attempts_word) in [
        (addr, "/flaky", "pass", "accepted", None),
        (addr, "/rubbish", "error", "review", Some("no JSON")),
        (addr, "/huge", "error", "review", Some("larger than")),
        (addr, "/redirect", "error", "review", Some("not followed")),
        (addr, "/hang", "error", "review", Some("in time")),
        (closed, "/", "error", "review", Some("connection failed")),
    ] {
        let bench = Bench::new(&vars).await;
        let id =
            bench.datasource("api", json!({"protocol": "http", "base_url": format!("http://{base}")})).await;
        bench
            .rules(&[json!({"rule_type": "exists", "datasource_id": id, "conditions": {"path": path}})])
            .await;
        let email = bench.ask("ann@x.example", "order").await;
        assert_eq!(verdicts(&email), [verdict], "{path}: {email:#}");
        assert_eq!(email["decision"], decision, "{path}");
        if let Some(word) = attempts_word {
            assert!(email["verdicts"][0]["reason"].as_str().unwrap().contains(word), "{path}: {email:#}");
        }
    }
    assert_eq!(calls.load(Ordering::SeqCst), 3, "it was tried until it answered");
}

#[tokio::test]
async fn an_api_that_dies_halfway_is_an_error_and_not_an_empty_answer() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (mut socket, _) = listener.accept().await.unwrap();
            tokio::spawn(async move {
                let _ = socket.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n[]").await;
            });
        }
    });
    let bench = Bench::new(&[("JOB_MAX_ATTEMPTS", "2")]).await;
    let id = bench.datasource("api", json!({"protocol": "http", "base_url": format!("http://{addr}")})).await;
    bench
        .rules(&[json!({"rule_type": "not_exists", "datasource_id": id, "conditions": {"path": "/"}})])
        .await;
    let email = bench.ask("ann@x.example", "order").await;
    assert_eq!((verdicts(&email), email["decision"].as_str()), (vec!["error"], Some("review")), "{email:#}");
}

#[tokio::test]
async fn look_ups_stay_within_the_fence() {
    let addr = api(Router::new().route("/", get(async || "[1]"))).await;
    let bench = Bench::new(&[("LOOKUP_ALLOW_NETWORKS", "")]).await;
    let mut rules = Vec::new();
    for (i, base) in [
        format!("http://{addr}"),
        format!("http://localhost:{}", addr.port()),
        format!("http://[::ffff:127.0.0.1]:{}", addr.port()),
        format!("http://2130706433:{}", addr.port()),
        format!("http://0x7f.1:{}", addr.port()),
        "http://169.254.169.254/latest".to_owned(),
        "http://[fd00:ec2::254]/".to_owned(),
    ]
    .iter()
    .enumerate()
    {
        let config = json!({"name": format!("c{i}"), "protocol": "http", "base_url": base});
        bench.server.post("/api/datasource-configs?tenant_id=acme", &config).await.is(StatusCode::CREATED);
        let body =
            json!({"name": format!("D{i}"), "datasource_type": "api", "connection_key": format!("c{i}")});
        let id = bench
            .server
            .post("/api/datasources?tenant_id=acme", &body)
            .await
            .is(StatusCode::CREATED)
            .id("datasource_id");
        rules.push(json!({"rule_type": "exists", "datasource_id": id, "conditions": {"path": "/"}}));
    }
    let url: url::Url = bench.server.database().url.expose_secret().parse().unwrap();
    let config = json!({"protocol": "postgresql", "base_url": format!("postgresql://localhost:{}/postgres", url.port().unwrap())});
    let id = bench.datasource("database", config).await;
    rules.push(json!({"rule_type": "exists", "datasource_id": id, "conditions": {"query": "SELECT 1"}}));
    bench.rules(&rules).await;
    let email = bench.ask("ann@x.example", "order").await;
    for verdict in email["verdicts"].as_array().unwrap() {
        let reason = verdict["reason"].as_str().unwrap();
        assert!(verdict["verdict"] == "error" && reason.contains("may not reach"), "{reason}");
    }
}

#[tokio::test]
async fn a_sqlite_file_is_neither_written_nor_attached_nor_kept_busy() {
    let bench = Bench::new(&[("LOOKUP_TIMEOUT_MS", "300"), ("JOB_MAX_ATTEMPTS", "1")]).await;
    bench.sqlite(SHOP).await;
    let id = bench.datasource("database", sqlite_config()).await;
    let rule =
        |query: &str| json!({"rule_type": "exists", "datasource_id": id, "conditions": {"query": query}});
    bench
        .rules(&[
            rule("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n"),
            rule("SELECT count(*) FROM pragma_database_list"),
            rule("SELECT randomblob(1000000000)"),
        ])
        .await;
    let email = bench.ask("ann@x.example", "order").await;
    assert_eq!(verdicts(&email), ["error"; 3], "{email:#}");
    assert!(email["verdicts"][0]["reason"].as_str().unwrap().contains("longer than is allowed"));
}

/// The rule types that judge by list, bounds and expression, on the message's own typed fields and on rows.
#[tokio::test]
async fn lists_bounds_and_expressions_judge_fields_and_rows() {
    let bench = Bench::new(&[]).await;
    bench.server.write_file(
        "acme",
        "limits.csv",
        b"email,limit,since,tier\nann@x.example,1500.00,2026-01-31,gold\n",
    );
    let id = bench
        .datasource("file", json!({"protocol": "file", "connection_json": {"path": "limits.csv"}}))
        .await;
    let by_sender = json!({"match": {"email": "{{sender_email}}"}});
    let with = |extra: Value| {
        let mut conditions = by_sender.clone();
        conditions.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
        conditions
    };
    let rules = [
        json!({"rule_type": "one_of", "datasource_id": id, "conditions": with(json!({"column": "tier", "expected": ["gold", "silver"]}))}),
        json!({"rule_type": "compare", "field_name": "total", "datasource_id": id, "conditions": with(json!({"column": "limit", "op": ">=", "as": "money"}))}),
        json!({"rule_type": "compare", "datasource_id": id, "conditions": with(json!({"column": "since", "op": "between", "expected": ["2026-01-01", "2026-12-31"], "as": "date"}))}),
        json!({"rule_type": "expression", "datasource_id": id, "conditions": with(json!({"expression": "fields.total.amount <= row.limit && row.tier == 'gold'"}))}),
        json!({"rule_type": "one_of", "conditions": {"expected": ["ANN@x.example"], "ignore_case": true}}),
    ];
    let total = json!({"name": "total", "field": "subject", "pattern": "for (.+)$", "type": "money"});
    bench.rules_with(&total, &rules).await;
    let ann = bench.ask("ann@x.example", "order for 1.234,50 EUR").await;
    assert_eq!(verdicts(&ann), ["pass"; 5], "{ann:#}");
    let much = bench.ask("ann@x.example", "order for 1,600.00 EUR").await;
    assert_eq!(verdicts(&much), ["pass", "fail", "pass", "fail", "pass"], "{much:#}");
    let unread = bench.ask("ann@x.example", "order for a lot").await;
    assert_eq!(verdicts(&unread), ["pass", "fail", "pass", "fail", "pass"], "{unread:#}");
    assert_eq!(unread["verdicts"][1]["reason"], "'a lot' is no money");
    let bob = bench.ask("bob@x.example", "order for 5 EUR").await;
    assert_eq!(verdicts(&bob), ["fail"; 5], "{bob:#}");
    let bad = json!({"intent_id": ann["intent"]["intent_id"], "field_name": "subject", "rule_type": "expression",
        "conditions": {"expression": "fields.total > 5"}});
    let refused = bench.server.post("/api/validation-rules?tenant_id=acme", &bad).await;
    assert_eq!(refused.is(StatusCode::UNPROCESSABLE_ENTITY).fields(), ["conditions.expression"]);
    let nul = json!({"intent_id": ann["intent"]["intent_id"], "field_name": "subject", "rule_type": "equals",
        "conditions": {"expected": "a\0b"}});
    let refused = bench.server.post("/api/validation-rules?tenant_id=acme", &nul).await;
    assert_eq!(refused.is(StatusCode::UNPROCESSABLE_ENTITY).fields(), ["conditions.expected"]);
}

/// A field that the message lacks is missing, whatever the columns are called; what takes too much is no verdict.
#[tokio::test]
async fn expressions_miss_what_the_message_lacks_and_take_no_more_than_they_may() {
    let bench = Bench::new(&[]).await;
    bench.sqlite(SHOP).await;
    let id = bench.datasource("database", sqlite_config()).await;
    let expression = |query: &str, expression: &str| json!({"rule_type": "expression", "datasource_id": id, "conditions": {"query": query, "expression": expression}});
    let orders = "SELECT number AS order_number FROM orders ORDER BY number";
    let is_first = expression(orders, "string(row.order_number) == fields.order_number");
    let mut or_skipped = is_first.clone();
    or_skipped["when_missing"] = "skip".into();
    let numbers =
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100) SELECT i FROM n";
    let pad = ["1"; 200].join(",");
    let loops = format!("rows.all(a, rows.all(b, rows.all(c, a.i + b.i + c.i > 0 || [{pad}].size() == 0)))");
    bench
        .rules(&[
            is_first,
            or_skipped,
            json!({"rule_type": "regex", "field_name": "header.Date", "conditions": {"pattern": "2026"}}),
            expression(numbers, &loops),
        ])
        .await;
    let whole = bench.ask("ann@x.example", "order #7").await;
    assert_eq!(verdicts(&whole), ["pass", "pass", "pass", "error"], "{whole:#}");
    assert!(whole["verdicts"][3]["reason"].as_str().unwrap().contains("steps"), "{whole:#}");
    assert_eq!(whole["decision"], "review");
    let none = bench.ask("ann@x.example", "order").await;
    assert_eq!(verdicts(&none), ["fail", "skipped", "pass", "error"], "{none:#}");
    assert_eq!(none["verdicts"][0]["reason"], "no order_number in the message");
}

/// A datasource that is left alone for a while was not asked: that spends no try, and decides nothing.
#[tokio::test]
async fn a_message_waits_for_a_datasource_that_is_left_alone() {
    let bench = Bench::new(&[("JOB_PATIENCE_MS", "600000"), ("JOB_MAX_ATTEMPTS", "2")]).await;
    // Nobody listens there, until the breaker is open.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let addr: SocketAddr = listener.local_addr().unwrap();
    drop(listener);
    let source =
        bench.datasource("api", json!({"protocol": "http", "base_url": format!("http://{addr}")})).await;
    bench
        .rules(&[json!({"datasource_id": source, "rule_type": "exists", "conditions": {"path": "/x"}, "on_error": "ignore"})])
        .await;
    // Two tries each: the third message opens it.
    for i in 0..2 {
        let email = bench.ask("a@x.example", &format!("order {i}")).await;
        assert_eq!(email["verdicts"][0]["verdict"], "error");
    }
    let id = bench.server.receive("acme", message("a@x.example", "order 3", "x")).await;
    let path = format!("/api/emails/{id}?tenant_id=acme");
    super::support::eventually("it waits", async || {
        let email = bench.server.get(&path).await.body;
        assert_eq!(email["decision"], Value::Null, "{email:#}");
        email["explanation"].as_str()?.starts_with("Waiting: ").then_some(())
    })
    .await;
    // While the outage lasts, it is among those that could not be asked of.
    let could_not_ask = async || {
        let list = bench.server.get("/api/emails?tenant_id=acme&could_not_ask=true").await;
        let list = list.is(StatusCode::OK).body;
        list.as_array().unwrap().iter().any(|email| email["email_id"] == id.as_str())
    };
    assert!(could_not_ask().await);
    let api = Router::new().route("/x", get(async || axum::Json(json!([{"a": 1}]))));
    let listener = tokio::net::TcpListener::bind(addr).await.unwrap();
    tokio::spawn(axum::serve(listener, api).into_future());
    let email = bench.server.decided("acme", &id).await;
    assert_eq!(email["verdicts"][0]["verdict"], "pass", "{email:#}");
    assert!(!could_not_ask().await);
}

/// What stays with a message is why it could not be asked of, and not how long that was to go on: nobody tries it again.
#[tokio::test]
async fn the_reason_that_stays_is_the_last_fault_of_the_datasource() {
    let bench = Bench::new(&[("JOB_MAX_ATTEMPTS", "2")]).await;
    let addr = api(Router::new().fallback(async || Code::SERVICE_UNAVAILABLE)).await;
    let source =
        bench.datasource("api", json!({"protocol": "http", "base_url": format!("http://{addr}")})).await;
    bench
        .rules(&[json!({"datasource_id": source, "rule_type": "exists", "conditions": {"path": "/x"}})])
        .await;
    // Two tries each: with the third message the breaker opens.
    for i in 0..4 {
        let email = bench.ask("a@x.example", &format!("order {i}")).await;
        let reason = email["verdicts"][0]["reason"].as_str().unwrap();
        let answered = "the API answered 503 Service Unavailable";
        if i < 2 {
            assert_eq!(reason, format!("Source could not be asked: {answered}"));
        } else {
            let (begin, end) = ("Source could not be asked: it failed ", format!("; last: {answered}"));
            assert!(reason.starts_with(begin) && reason.ends_with(&end), "{reason}");
        }
        assert!(!reason.contains("again"), "{reason}");
        let explanation = format!("For review: {reason}. Run it again once Source answers.");
        assert_eq!((&email["decision"], &email["explanation"]), (&json!("review"), &json!(explanation)));
    }
}

/// The rule's own words and the datasource's say how a comparison is read; what a message says does not.
#[tokio::test]
async fn what_is_compared_shows_its_kind_where_the_rule_does_not_say_it() {
    let bench = Bench::new(&[]).await;
    bench.server.write_file(
        "acme",
        "limits.csv",
        b"email,most,since\nann@x.example,EUR 1500.00,2026-01-31\n",
    );
    let id = bench
        .datasource("file", json!({"protocol": "file", "connection_json": {"path": "limits.csv"}}))
        .await;
    let own =
        |conditions: Value| json!({"rule_type": "compare", "field_name": "said", "conditions": conditions});
    let row = |column: &str, op: &str| {
        json!({"rule_type": "compare", "field_name": "said", "datasource_id": id,
            "conditions": {"match": {"email": "{{sender_email}}"}, "column": column, "op": op}})
    };
    let rules = [
        own(json!({"op": "<=", "expected": "EUR 100"})),
        own(json!({"op": "between", "expected": ["2026-01-01", "2026-12-31"]})),
        own(json!({"op": "<=", "expected": 100})),
        row("since", "<="),
        row("most", ">="),
    ];
    let said = json!({"name": "said", "field": "subject", "pattern": "for (.+)$"});
    bench.rules_with(&said, &rules).await;
    for (subject, expected) in [
        ("order for EUR 50", ["pass", "fail", "fail", "fail", "pass"]),
        ("order for 2026-05-05", ["fail", "pass", "fail", "pass", "fail"]),
        ("order for 50", ["pass", "fail", "pass", "fail", "pass"]),
        ("order for 1,600.00 EUR", ["fail"; 5]),
    ] {
        let email = bench.ask("ann@x.example", subject).await;
        assert_eq!(verdicts(&email), expected, "{subject}: {email:#}");
    }
    let email = bench.ask("ann@x.example", "order for EUR 50").await;
    assert_eq!(email["verdicts"][2]["reason"], "'EUR 50' is no number, or could be two");
    for expected in [json!(["EUR 1", "2026-01-01"]), json!(["five", "six"])] {
        let mut rule = own(json!({"op": "between", "expected": expected}));
        rule["intent_id"] = email["intent"]["intent_id"].clone();
        let refused = bench.server.post("/api/validation-rules?tenant_id=acme", &rule).await;
        let refused = refused.is(StatusCode::UNPROCESSABLE_ENTITY);
        assert_eq!(refused.body["errors"][0]["field"], "conditions.expected", "{}", refused.text);
        let told = refused.body["errors"][0]["message"].as_str().unwrap();
        assert!(told.contains(r#""as": "date""#) && told.contains("is no number"), "{told}");
    }
}

/// With a type, an extractor says it; a literal that is another number as a sum does not become that by a currency in the
/// message.
#[tokio::test]
async fn a_typed_field_says_how_it_is_compared() {
    let bench = Bench::new(&[]).await;
    let total = json!({"name": "total", "field": "subject", "pattern": "for (.+)$", "type": "money"});
    let rule = |expected: Value| json!({"rule_type": "compare", "field_name": "total", "conditions": {"op": "<=", "expected": expected}});
    bench.rules_with(&total, &[rule(json!(100)), rule(json!("100.50")), rule(json!("EUR 100"))]).await;
    for (subject, verdict) in
        [("order for 50 EUR", "pass"), ("order for 50", "pass"), ("order for 500 EUR", "fail")]
    {
        let email = bench.ask("ann@x.example", subject).await;
        assert_eq!(verdicts(&email), [verdict; 3], "{subject}: {email:#}");
    }
    let email = bench.ask("ann@x.example", "order for 50 EUR").await;
    let mut unclear = rule(json!("1.000"));
    unclear["intent_id"] = email["intent"]["intent_id"].clone();
    let refused = bench.server.post("/api/validation-rules?tenant_id=acme", &unclear).await;
    assert_eq!(refused.is(StatusCode::UNPROCESSABLE_ENTITY).fields(), ["conditions.expected"]);
}
