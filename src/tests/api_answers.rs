//! What an API answers, as rules take it: whether it says that there is no row, how much it leaves unsaid, and that nothing of
//! it gives a secret away.

use std::{
    collections::HashSet,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use axum::{
    Json, Router,
    extract::Path,
    http::{HeaderMap, StatusCode as Code, Uri},
    routing::{get, post},
};
use reqwest::{Method, StatusCode};
use serde_json::{Map, Value, json};

use super::support::{Answer, TestServer, eventually, message};
use crate::auth::dto::Role;

async fn start(vars: &[(&str, &str)]) -> TestServer {
    let server = TestServer::start_with(vars).await;
    server.tenant("acme").await;
    server
}

/// An API that answers so, by its address.
async fn api(router: Router) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(axum::serve(listener, router).into_future());
    base
}

/// A datasource of acme, by its id.
async fn datasource(server: &TestServer, base: &str, auth_type: &str, auth_config: Value) -> i64 {
    let name = format!("source-{}", uuid::Uuid::new_v4());
    let config = json!({"name": name, "protocol": "http", "base_url": base, "auth_type": auth_type,
        "auth_config": auth_config});
    server.post("/api/datasource-configs?tenant_id=acme", &config).await.is(StatusCode::CREATED);
    let body = json!({"name": name, "datasource_type": "api", "connection_key": name});
    server.post("/api/datasources?tenant_id=acme", &body).await.is(StatusCode::CREATED).id("datasource_id")
}

/// Hands in a message that these rules judge, one after the other, and gives its id.
async fn receive(server: &TestServer, source: i64, rules: &[(&str, Value)]) -> String {
    let rules: Vec<Value> = rules
        .iter()
        .zip(1..)
        .map(|((rule_type, conditions), priority)| {
            json!({"datasource_id": source, "field_name": "sender_email", "rule_type": rule_type,
                "conditions": conditions, "priority": priority})
        })
        .collect();
    let subject = format!("order-{source}-");
    let intent = json!({"name": subject, "extractors": [],
        "match": {"all": [{"field": "subject", "op": "contains", "value": subject}]}});
    let body = json!({"intent": intent, "validation_rules": rules});
    server.post("/api/intents/with-rules?tenant_id=acme", &body).await.is(StatusCode::CREATED);
    server.receive("acme", message("ann@x.example", &subject, "Hello")).await
}

async fn decide(server: &TestServer, source: i64, rules: &[(&str, Value)]) -> Value {
    let id = receive(server, source, rules).await;
    server.decided("acme", &id).await
}

async fn preview(server: &TestServer, source: i64, conditions: Value) -> Answer {
    let path = format!("/api/datasources/{source}/preview?tenant_id=acme");
    server.post(&path, &json!({"conditions": conditions, "fields": {}})).await
}

fn verdicts(email: &Value) -> Vec<&str> {
    email["verdicts"].as_array().unwrap().iter().map(|v| v["verdict"].as_str().unwrap()).collect()
}

/// Gives back what it was asked.
async fn echo(uri: Uri, headers: HeaderMap) -> Json<Value> {
    let sent: Map<String, Value> = headers
        .iter()
        .map(|(name, value)| (name.to_string(), value.to_str().unwrap_or_default().into()))
        .collect();
    let asked = uri.to_string();
    let key = ["authorization", "x-key"].iter().find_map(|name| sent.get(*name)?.as_str());
    let key = key.unwrap_or(&asked).to_owned();
    let mut answer = json!({"key": key, "sent": sent, "links": [{"next": format!("{asked}&page=2")}]});
    answer[asked] = true.into();
    Json(answer)
}

/// In all of its spellings a secret of these begins so, and nothing else does.
const BEGINNINGS: [&str; 2] = ["s3c", "c2hvcC11c2Vy"];

#[track_caller]
fn hides_all(shown: &str) {
    for beginning in BEGINNINGS {
        assert!(!shown.contains(beginning), "{beginning}: {shown}");
    }
    assert!(shown.contains("********"), "{shown}");
}

#[tokio::test]
async fn a_secret_that_an_api_gives_back_is_shown_to_nobody() {
    let server = start(&[]).await;
    let viewer = server.key_of("acme", Role::Viewer).await;
    let token = || async { Json(json!({"access_token": "s3c/token+1", "token_type": "bearer"})) };
    let base = api(Router::new().route("/token", post(token)).fallback(echo)).await;
    let key = "s3c/ret+key 1";
    let client = json!({"token_url": format!("{base}/token"), "client_id": "id", "client_secret": "s3cr3t"});
    // A reason has 80 characters of a value: the cut is in the key.
    let path = format!("/{}", "a".repeat(62));
    for (auth_type, auth_config) in [
        ("basic", json!({"username": "shop-user", "password": key})),
        ("bearer", json!({"token": key})),
        ("api_key", json!({"header": "X-Key", "key": key})),
        ("api_key", json!({"query": "key", "key": key})),
        ("oauth", client),
    ] {
        let source = datasource(&server, &base, auth_type, auth_config).await;
        let rules = [
            ("exists", json!({"path": path})),
            ("expression", json!({"path": path, "expression": "!row.key.endsWith('*')"})),
            ("equals", json!({"path": path, "column": "key", "expected": "x"})),
            ("regex", json!({"path": path, "column": "links", "pattern": "^x"})),
        ];
        let email = decide(&server, source, &rules).await;
        // What is judged is what was answered, but for a token, which changes by itself.
        let judged = if auth_type == "oauth" { "fail" } else { "pass" };
        assert_eq!(verdicts(&email), ["pass", judged, "fail", "fail"], "{auth_type}: {email:#}");
        let id = email["email_id"].as_str().unwrap();
        let shown = server.request(Method::GET, &format!("/api/emails/{id}?tenant_id=acme"), Some(&viewer));
        hides_all(&Answer::of(shown.send().await.unwrap()).await.is(StatusCode::OK).text);
        let previewed = preview(&server, source, json!({"path": path})).await.is(StatusCode::OK);
        assert_eq!(previewed.body["ok"], true, "{auth_type}: {}", previewed.text);
        hides_all(&previewed.text);
    }
}

/// Or whoever may write rules would find out by them what the secret is.
#[tokio::test]
async fn what_somebody_wrote_is_shown_as_they_wrote_it() {
    let server = start(&[]).await;
    let key = "s3c/ret+key 1";
    let base = api(Router::new().fallback(echo)).await;
    let source = datasource(&server, &base, "bearer", json!({"token": key})).await;
    let guesses = [key, "s3c/…", "s3x/…", "Bearer s3c/ret+key"];
    let rules: Vec<(&str, Value)> = guesses
        .iter()
        .map(|guess| ("equals", json!({"path": "/", "column": "key", "expected": guess})))
        .collect();
    let email = decide(&server, source, &rules).await;
    for (verdict, guess) in email["verdicts"].as_array().unwrap().iter().zip(guesses) {
        assert_eq!(verdict["reason"], format!("key is 'Bearer ********', not '{guess}'"));
        let compared = &verdict["evidence"]["compared"];
        assert_eq!((&compared["actual"], &compared["expected"]), (&json!("Bearer ********"), &json!(guess)));
    }
}

/// Each answer, where its rows are, whether those may be left out, and whether a rule that wants no row passes. More are none in
/// a row than a datasource may fail before it is left alone.
const ANSWERS: [(&str, &str, bool, &str); 18] = [
    (r#"{"status": "error", "message": "maintenance"}"#, "$.items[*]", false, "error"),
    ("null", "$.items[*]", false, "error"),
    ("\"not found\"", "$.items[*]", false, "error"),
    ("42", "$.items[*]", false, "error"),
    (r#"{"items": [1]}"#, "$.itms[*]", false, "error"),
    (r#"{"items": "none"}"#, "$.items[*]", false, "error"),
    ("{}", "$.items[*]", false, "error"),
    (r#"{"data": {}}"#, "$.data.items[*]", false, "error"),
    ("42", "$.items[*]", true, "error"),
    (r#"{"items": []}"#, "$.items[*]", false, "pass"),
    (r#"{"items": null}"#, "$.items[*]", false, "pass"),
    (r#"{"items": [1]}"#, "$.items[*]", false, "fail"),
    ("", "$.items[*]", false, "pass"),
    ("{}", "$.items[*]", true, "pass"),
    (r#"{"items": ""}"#, "$.items[*]", true, "pass"),
    (r#"{"items": false}"#, "$.items[*]", true, "pass"),
    (r#"{"items": [1]}"#, "$.items[*]", true, "fail"),
    ("{}", "$.items", false, "pass"),
];

#[tokio::test]
async fn an_answer_without_the_list_does_not_say_that_there_is_no_row() {
    let server = start(&[]).await;
    let asked = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&asked);
    let answer = move |Path(place): Path<usize>| async move {
        counted.fetch_add(1, Ordering::Relaxed);
        ANSWERS[place].0
    };
    let base = api(Router::new().route("/{place}", get(answer))).await;
    let source = datasource(&server, &base, "none", json!({})).await;
    let rules: Vec<(&str, Value)> = ANSWERS
        .iter()
        .enumerate()
        .map(|(place, (_, rows, is_optional, _))| {
            let conditions = json!({"path": format!("/{place}"), "rows": rows, "rows_optional": is_optional});
            ("not_exists", conditions)
        })
        .collect();
    let email = decide(&server, source, &rules).await;
    for (verdict, answer) in email["verdicts"].as_array().unwrap().iter().zip(ANSWERS) {
        assert_eq!(verdict["verdict"], answer.3, "{answer:?}: {verdict:#}");
    }
    assert_eq!(asked.load(Ordering::Relaxed), ANSWERS.len(), "each is asked once");
    let advice = "; where an empty list is left out, say \"rows_optional\": true";
    for (place, fault, advice) in [
        (0, "the answer has no `items`", advice),
        (1, "the answer has no `items`", ""),
        (4, "the answer has no `itms`", advice),
        (5, "the answer's `items` is no list", ""),
        (7, "the answer has no `data.items`", advice),
    ] {
        let reason = email["verdicts"][place]["reason"].as_str().unwrap();
        assert!(reason.ends_with(&format!("could not be asked: {fault}{advice}")), "{reason}");
    }
    let kept = server.get("/api/validation-rules?tenant_id=acme").await.is(StatusCode::OK).body;
    let optional = kept.as_array().unwrap().iter().filter(|rule| rule["conditions"]["rows_optional"] == true);
    assert_eq!(optional.count(), 5, "{kept:#}");
    let alone = preview(&server, source, json!({"path": "/0", "rows_optional": true})).await;
    assert_eq!(alone.is(StatusCode::UNPROCESSABLE_ENTITY).fields(), ["conditions.rows_optional"]);
}

#[tokio::test]
async fn a_first_page_is_not_all_that_there_is() {
    let server = start(&[("JOB_MAX_ATTEMPTS", "1")]).await;
    let next = [("link", "</x?page=2>; rel=\"next\", </x?page=9>; rel=\"last\"")];
    let previous = [("link", "</x?page=1>; rel=\"prev\"")];
    let router = Router::new()
        .route("/first", get(async move || (next, "[{\"id\": 1}]")))
        .route("/empty", get(async move || (next, "[]")))
        .route("/last", get(async move || (previous, "[{\"id\": 1}]")))
        // Of one thing, it is the thing after it.
        .route("/one", get(async move || (next, "{\"id\": 1}")));
    let source = datasource(&server, &api(router).await, "none", json!({})).await;
    let rules = [
        ("exists", json!({"path": "/first"})),
        ("expression", json!({"path": "/first", "expression": "size(rows) == 1"})),
        ("not_exists", json!({"path": "/empty"})),
        ("expression", json!({"path": "/last", "expression": "size(rows) == 1"})),
        ("expression", json!({"path": "/one", "expression": "size(rows) == 1"})),
        ("not_exists", json!({"path": "/one", "rows": "$.order"})),
    ];
    let email = decide(&server, source, &rules).await;
    assert_eq!(verdicts(&email), ["pass", "error", "error", "pass", "pass", "pass"], "{email:#}");
    let of = |place: usize| &email["verdicts"][place];
    assert_eq!(of(0)["evidence"]["truncated"], true);
    assert!(of(0)["reason"].as_str().unwrap().contains(" has more than 1 rows"), "{email:#}");
    assert!(of(1)["reason"].as_str().unwrap().contains("by 1 rows alone"), "{email:#}");
    assert!(of(2)["reason"].as_str().unwrap().contains("a next page, which is not read"), "{email:#}");
    assert_eq!(of(3)["evidence"].get("truncated"), None);
}

#[tokio::test]
async fn no_message_is_tried_again_before_the_api_wants_it_nor_all_together() {
    let server = start(&[]).await;
    let busy = async || (Code::SERVICE_UNAVAILABLE, [("retry-after", "3000")], "");
    let source = datasource(&server, &api(Router::new().fallback(busy)).await, "none", json!({})).await;
    let mut ids = vec![receive(&server, source, &[("exists", json!({"path": "/"}))]).await];
    for _ in 0..3 {
        ids.push(
            server.receive("acme", message("ann@x.example", &format!("order-{source}-"), "Hello")).await,
        );
    }
    let mut waits = HashSet::new();
    for id in ids {
        let path = format!("/api/emails/{id}?tenant_id=acme");
        let said = eventually("it was tried", async || {
            let email = server.get(&path).await.is(StatusCode::OK).body;
            email["explanation"].as_str().filter(|said| said.contains("Tried 1 of 5 ")).map(str::to_owned)
        })
        .await;
        let told =
            said.split_once("the next try is in about ").and_then(|(_, rest)| rest.strip_suffix(" s."));
        let seconds: u64 = told.and_then(|told| told.parse().ok()).unwrap_or_else(|| panic!("{said}"));
        assert!((3_000..=4_500).contains(&seconds), "{said}");
        waits.insert(seconds);
    }
    assert!(waits.len() > 1, "{waits:?}");
}

#[tokio::test]
async fn what_cannot_be_read_as_it_is_sent_is_called_what_it_is() {
    let server = start(&[]).await;
    let latin = [("content-type", "application/json; charset=iso-8859-1")];
    let router = Router::new()
        .route("/zip", get(async || ([("content-encoding", "gzip")], b"\x1f\x8b\x08\0".to_vec())))
        .route("/moved", get(async || (Code::FOUND, [("location", "/latin")], "")))
        .route("/latin", get(async move || (latin, b"[{\"name\": \"M\xfcller\"}]".to_vec())))
        .route("/said", get(async move || (latin, "[{\"name\": \"Müller\"}]")));
    let source = datasource(&server, &api(router).await, "none", json!({})).await;
    for (path, words) in [
        ("/zip", "the answer is compressed (gzip), which was not asked for"),
        ("/moved", "the API redirects (302 Found), which is not followed"),
    ] {
        let told = preview(&server, source, json!({"path": path})).await.is(StatusCode::OK).body;
        assert_eq!((&told["ok"], &told["message"]), (&json!(false), &json!(words)), "{path}");
    }
    for path in ["/latin", "/said"] {
        let found = preview(&server, source, json!({"path": path})).await.is(StatusCode::OK).body;
        assert_eq!(found["rows"], json!([{"name": "Müller"}]), "{path}: {found:#}");
    }
}

#[tokio::test]
async fn a_number_of_many_digits_stays_the_same() {
    let server = start(&[("JOB_MAX_ATTEMPTS", "1")]).await;
    let answer = async || "[{\"id\": 12345678901234567890123, \"of\": 18446744073709551615}]";
    let source = datasource(&server, &api(Router::new().fallback(answer)).await, "none", json!({})).await;
    let own = "12345678901234567890123";
    let rules = [
        ("equals", json!({"path": "/", "column": "id", "expected": own})),
        ("compare", json!({"path": "/", "column": "id", "op": ">", "expected": "12345678901234567890999"})),
        ("compare", json!({"path": "/", "column": "id", "op": ">=", "expected": own})),
        (
            "expression",
            json!({"path": "/", "expression": "row.id > 0 && row.id < 20000000000000000000000.0"}),
        ),
        ("expression", json!({"path": "/", "rows": "$[?@.id > 1]", "expression": "size(rows) == 1"})),
    ];
    let email = decide(&server, source, &rules).await;
    assert_eq!(verdicts(&email), ["pass", "fail", "pass", "pass", "pass"], "{email:#}");
    assert_eq!(email["verdicts"][0]["evidence"]["rows"], json!([{"id": own, "of": u64::MAX}]));
}
