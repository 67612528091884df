//! Intake, queue and decisions: nothing is lost, nothing decided twice.

use std::path::Path;

use chrono::{SecondsFormat, TimeDelta, Utc};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::support::{Answer, TestServer, eventually, message};
use crate::{
    auth::dto::Role,
    emails::server::{process, worker},
    server::queue,
    shared::EmailId,
};

async fn intent(server: &TestServer, tenant: &str, name: &str, subject: &str) {
    let body =
        json!({"name": name, "match": {"all": [{"field": "subject", "op": "contains", "value": subject}]}});
    server.post(&format!("/api/intents?tenant_id={tenant}"), &body).await.is(StatusCode::CREATED);
}

async fn post(server: &TestServer, query: &str, kind: &str, body: impl Into<reqwest::Body>) -> Answer {
    let request =
        server.request(Method::POST, &format!("/api/emails?tenant_id=acme{query}"), Some(&server.key));
    Answer::of(request.header("content-type", kind).body(body).send().await.unwrap()).await
}

#[tokio::test]
async fn a_message_is_on_disk_with_its_job_before_it_is_acknowledged() {
    let server = TestServer::start_idle(&[]).await;
    server.tenant("acme").await;
    let raw = message("Ann <ann@x.example>", "Hello", "World");
    let answer =
        post(&server, "", "message/rfc822; charset=utf-8", raw.clone()).await.is(StatusCode::ACCEPTED);
    let id = answer.body["email_id"].as_str().unwrap();
    assert_eq!(answer.body, json!({"email_id": id, "status": "queued", "duplicate": false}));
    let location = answer.headers["location"].to_str().unwrap();
    let email = server.get(location).await.is(StatusCode::OK).body;
    assert_eq!(email["sender_email"], "ann@x.example");
    assert_eq!(email["sender_name"], "Ann");
    assert_eq!(email["status"], "queued");
    assert_eq!((&email["intent"], &email["decision"]), (&Value::Null, &Value::Null));
    let mut conn = server.database().superuser().await;
    let jobs: i64 = sqlx::query_scalar("SELECT count(*) FROM jobs").fetch_one(&mut conn).await.unwrap();
    assert_eq!(jobs, 1);
    // The same message again is taken once.
    let again = post(&server, "", "message/rfc822", raw.clone()).await.is(StatusCode::ACCEPTED);
    assert_eq!((again.body["email_id"].as_str(), again.body["duplicate"].as_bool()), (Some(id), Some(true)));
    // The same Message-ID over other content is another message: a stranger cannot pre-empt a genuine one.
    let forged =
        post(&server, "", "message/rfc822", raw.replace("World", "Other")).await.is(StatusCode::ACCEPTED);
    assert_eq!(forged.body["duplicate"], false);
    let bytes = server.get(&format!("/api/emails/{id}/raw?tenant_id=acme")).await.is(StatusCode::OK);
    assert_eq!(bytes.text, raw);
    assert!(bytes.headers["content-disposition"].to_str().unwrap().starts_with("attachment"));
}

#[tokio::test]
async fn what_cannot_be_taken_in_is_refused_and_told_why() {
    let server = TestServer::start_idle(&[("MAX_MESSAGE_BYTES", "1000")]).await;
    server.tenant("acme").await;
    post(&server, "", "text/plain", "x").await.is(StatusCode::UNSUPPORTED_MEDIA_TYPE);
    // In JSON the same, as text or as any bytes.
    let taken = post(&server, "", "application/json", r#"{"raw": "Subject: in JSON\r\n\r\nx"}"#).await;
    let again =
        post(&server, "", "application/json", r#"{"raw_base64": "U3ViamVjdDogaW4gSlNPTg0KDQp4"}"#).await;
    assert_eq!(
        taken.is(StatusCode::ACCEPTED).body["email_id"],
        again.is(StatusCode::ACCEPTED).body["email_id"]
    );
    for (bad, field) in [
        (r#"{}"#, "raw"),
        (r#"{"raw": "x", "raw_base64": "eA=="}"#, "raw"),
        (r#"{"raw_base64": "?"}"#, "raw_base64"),
        (r#"{"raw": "a\u0000b"}"#, "raw"),
        (r#"{"rwa": "x"}"#, "rwa"),
    ] {
        let refused = post(&server, "", "application/json", bad).await.is(StatusCode::UNPROCESSABLE_ENTITY);
        assert_eq!(refused.fields(), [field], "{bad}");
    }
    let large = format!(r#"{{"raw": "{}"}}"#, "x".repeat(1_001));
    post(&server, "", "application/json", large).await.is(StatusCode::PAYLOAD_TOO_LARGE);
    let empty = post(&server, "", "message/rfc822", "").await.is(StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(empty.fields(), ["body"]);
    post(&server, "", "message/rfc822", "x".repeat(1_001)).await.is(StatusCode::PAYLOAD_TOO_LARGE);
    post(&server, "", "message/rfc822", "x".repeat(1_000)).await.is(StatusCode::ACCEPTED);
    let unknown = post(&server, "&intent=Nothing", "message/rfc822", "Subject: x\r\n\r\n").await;
    assert_eq!(unknown.is(StatusCode::UNPROCESSABLE_ENTITY).fields(), ["intent"]);
    assert_eq!(server.get("/api/emails?tenant_id=acme").await.body.as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn the_intent_comes_from_the_conditions_by_priority_or_from_the_request() {
    let server = TestServer::start().await;
    server.tenant("acme").await;
    intent(&server, "acme", "Orders", "order").await;
    let first = json!({"name": "Urgent", "priority": 1, "match": {
        "any": [{"field": "subject", "op": "starts_with", "value": "URGENT"}, {"field": "header.x-priority", "op": "equals", "value": "1"}],
        "none": [{"field": "sender_domain", "op": "ends_with", "value": "spam.example"}]
    }});
    server.post("/api/intents?tenant_id=acme", &first).await.is(StatusCode::CREATED);
    let urgent = server.decide("acme", message("a@x.example", "Urgent: order", "x")).await;
    assert_eq!(urgent["intent"]["name"], "Urgent");
    assert_eq!(urgent["classification"]["because"], json!(["subject starts with \"URGENT\""]));
    assert_eq!(urgent["classification"]["considered"][0]["intent"], "Orders");
    let spam = server.decide("acme", message("a@mail.spam.example", "Urgent: order", "x")).await;
    assert_eq!(spam["intent"]["name"], "Orders");
    assert!(spam["classification"]["considered"][0]["why_not"].as_str().unwrap().contains("must not be"));
    let neither = server.decide("acme", message("a@x.example", "Hello", "x")).await;
    assert_eq!((&neither["intent"], &neither["decision"]), (&Value::Null, &json!("review")));
    let asked = post(&server, "&intent=Orders", "message/rfc822", message("a@x.example", "Hello", "x")).await;
    let asked =
        server.decided("acme", asked.is(StatusCode::ACCEPTED).body["email_id"].as_str().unwrap()).await;
    assert_eq!(asked["intent"]["name"], "Orders");
    assert_eq!(asked["classification"]["method"], "requested");
    assert_eq!(asked["decision"], "accepted");
}

#[tokio::test]
async fn a_message_is_run_again_with_todays_rules_and_a_persons_word_stands() {
    let server = TestServer::start().await;
    server.tenant("acme").await;
    let email = server.decide("acme", message("a@x.example", "my order", "x")).await;
    let id = email["email_id"].as_str().unwrap();
    assert_eq!(email["decision"], "review");
    intent(&server, "acme", "Orders", "order").await;
    server
        .post(&format!("/api/emails/{id}/reprocess?tenant_id=acme"), &json!({}))
        .await
        .is(StatusCode::ACCEPTED);
    let again = server.decided("acme", id).await;
    assert_eq!((again["decision"].as_str(), again["run"].as_i64()), (Some("accepted"), Some(2)));
    let path = format!("/api/emails/{id}/decision?tenant_id=acme");
    let said =
        server.post(&path, &json!({"decision": "rejected", "note": "Known fraud"})).await.is(StatusCode::OK);
    assert_eq!(said.body["decision"], "rejected");
    assert_eq!(said.body["explanation"], "Rejected by API key test: Known fraud");
    let bad = server.post(&path, &json!({"decision": "maybe"})).await.is(StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(bad.fields(), ["decision"]);
    for (filter, expected) in [
        ("decision=rejected", 1),
        ("decision=accepted", 0),
        ("q=MY%20ORD", 1),
        ("q=order%20X.example", 1),
        ("q=order%20y.example", 0),
        ("q=nothing", 0),
        ("status=done", 1),
        ("status=queued", 0),
    ] {
        let list = server.get(&format!("/api/emails?tenant_id=acme&{filter}")).await.is(StatusCode::OK);
        assert_eq!(list.body.as_array().unwrap().len(), expected, "{filter}");
    }
    let nobody = "/api/emails/01890a5d-ac96-774b-bcce-b302099a8057";
    server.post(&format!("{nobody}/reprocess?tenant_id=acme"), &json!({})).await.is(StatusCode::NOT_FOUND);
}

/// Every message of the collection goes through: none crashes it, each is stored byte for byte.
#[tokio::test]
async fn every_message_of_the_collection_is_kept_byte_for_byte_and_decided() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data/eml");
    let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/demo/acme_corp/messages");
    let folder = if folder.is_dir() { folder } else { own };
    let server = TestServer::start().await;
    server.tenant("acme").await;
    intent(&server, "acme", "Everything", "e").await;
    let mut count = 0;
    for entry in std::fs::read_dir(&folder).unwrap() {
        let path = entry.unwrap().path();
        let raw = std::fs::read(&path).unwrap();
        let email = server.decide("acme", raw.clone()).await;
        let id = email["email_id"].as_str().unwrap();
        let request =
            server.request(Method::GET, &format!("/api/emails/{id}/raw?tenant_id=acme"), Some(&server.key));
        let stored = request.send().await.unwrap().bytes().await.unwrap();
        assert!(stored == raw, "{}", path.display());
        count += 1;
    }
    assert!(count >= 12, "{count} messages in {}", folder.display());
    println!("{count} messages from {}", folder.display());
}

#[tokio::test]
async fn odd_bytes_are_kept_and_decided() {
    let server = TestServer::start().await;
    server.tenant("acme").await;
    for raw in [
        b"\0".to_vec(),
        b"no header at all".to_vec(),
        b"Subject: \xff\xfe\0x\r\nFrom: \xff\r\n\r\n\0\xff".to_vec(),
        b"From: a@b\r\nContent-Type: multipart/mixed; boundary=x\r\n\r\n--x\r\n".repeat(200),
        vec![b'\n'; 10_000],
        b"Subject: x\n.\n".to_vec(),
        [b"Subject: x\r\n".as_slice(), &b"X-Long: yyyyyyyyyyyyyyyyyyyy\r\n".repeat(5_000)].concat(),
    ] {
        let email = server.decide("acme", raw.clone()).await;
        assert_eq!(email["decision"], "review");
        let id = email["email_id"].as_str().unwrap();
        let request =
            server.request(Method::GET, &format!("/api/emails/{id}/raw?tenant_id=acme"), Some(&server.key));
        assert!(request.send().await.unwrap().bytes().await.unwrap() == raw);
    }
}

fn id_of(text: &str) -> EmailId {
    text.parse().unwrap()
}

#[tokio::test]
async fn a_job_that_was_taken_over_cannot_decide() {
    let server = TestServer::start_idle(&[]).await;
    let tenant = server.tenant("acme").await;
    let id = server.receive("acme", message("a@x.example", "x", "x")).await;
    let claim = async || {
        let mut tx = server.app.database.tenant(&tenant).await.unwrap();
        let job = queue::claim_of(&mut tx, id_of(&id)).await.unwrap();
        tx.commit().await.unwrap();
        job
    };
    let first = claim().await.unwrap();
    assert!(claim().await.is_none(), "a leased job is nobody else's");
    let mut conn = server.database().superuser().await;
    sqlx::query("UPDATE jobs SET locked_until = now() - interval '1 second'")
        .execute(&mut conn)
        .await
        .unwrap();
    let second = claim().await.unwrap();
    assert_eq!((first.attempts, second.attempts), (1, 2));
    assert_eq!(process::run(&server.app, &first).await.unwrap(), process::Ran::Lost);
    assert!(matches!(process::run(&server.app, &second).await.unwrap(), process::Ran::Decided(_)));
    assert_eq!(process::run(&server.app, &second).await.unwrap(), process::Ran::Lost);
    let email = server.decided("acme", &id).await;
    assert_eq!(email["run"], 1, "decided once");
    let jobs: i64 = sqlx::query_scalar("SELECT count(*) FROM jobs").fetch_one(&mut conn).await.unwrap();
    assert_eq!(jobs, 0);
}

#[tokio::test]
async fn several_servers_share_the_queue_and_each_message_is_decided_once() {
    let server = TestServer::start_idle(&[]).await;
    for tenant in ["acme", "globex"] {
        server.tenant(tenant).await;
        for i in 0..30 {
            server.receive(tenant, message("a@x.example", &format!("message {i}"), "x")).await;
        }
    }
    let stop = CancellationToken::new();
    let workers: Vec<_> =
        (0..3).map(|_| tokio::spawn(worker::work(server.app.clone(), stop.clone()))).collect();
    let mut conn = server.database().superuser().await;
    eventually("the queue is empty", async || {
        let left: i64 = sqlx::query_scalar("SELECT count(*) FROM jobs").fetch_one(&mut conn).await.unwrap();
        (left == 0).then_some(())
    })
    .await;
    stop.cancel();
    for worker in workers {
        worker.await.unwrap();
    }
    let runs: Vec<(i32, i64)> =
        sqlx::query_as("SELECT run, count(*) FROM emails WHERE status = 'done' GROUP BY run")
            .fetch_all(&mut conn)
            .await
            .unwrap();
    assert_eq!(runs, [(1, 60)]);
}

#[tokio::test]
async fn a_long_queue_of_one_tenant_does_not_keep_anothers_waiting() {
    let server = TestServer::start_idle(&[]).await;
    for tenant in ["acme", "globex"] {
        server.tenant(tenant).await;
    }
    for i in 0..20 {
        server.receive("acme", message("a@x.example", &format!("{i}"), "x")).await;
    }
    server.receive("globex", message("a@x.example", "x", "x")).await;
    let mut served = Vec::new();
    let mut last = String::new();
    for _ in 0..3 {
        let mut tx = server.app.database.worker().await.unwrap();
        let job = match queue::claim_next::<EmailId>(&mut tx, &last, &[]).await.unwrap() {
            Some(job) => job,
            None => queue::claim_next::<EmailId>(&mut tx, "", &[]).await.unwrap().unwrap(),
        };
        tx.commit().await.unwrap();
        last = job.tenant.to_string();
        served.push(last.clone());
    }
    assert_eq!(served, ["acme", "globex", "acme"]);
}

#[tokio::test]
async fn a_message_is_run_again_by_json_or_by_nothing() {
    let server = TestServer::start().await;
    server.tenant("acme").await;
    let email = server.decide("acme", message("a@x.example", "x", "x")).await;
    let path = format!("/api/emails/{}/reprocess?tenant_id=acme", email["email_id"].as_str().unwrap());
    let again = server.request(Method::POST, &path, Some(&server.key)).header("content-type", "text/plain");
    let answer = again.body("{\"versions\":\"decision\"}").send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::UNSUPPORTED_MEDIA_TYPE);
    let again = server.request(Method::POST, &path, Some(&server.key));
    assert_eq!(again.send().await.unwrap().status(), StatusCode::ACCEPTED);
    for body in [json!(null), json!({}), json!({"versions": "today"})] {
        server.post(&path, &body).await.is(StatusCode::ACCEPTED);
    }
}

/// One that is run again has not waited since it came.
#[tokio::test]
async fn the_dashboard_tells_for_how_long_messages_have_waited() {
    let server = TestServer::start_idle(&[]).await;
    server.tenant("acme").await;
    let oldest = async || {
        let request = server.request(Method::POST, "/ui/dashboard", Some(&server.key));
        let request = request.header("content-type", "application/x-www-form-urlencoded");
        let told = Answer::of(request.body("tenant_id=acme&period=week").send().await.unwrap()).await;
        told.is(StatusCode::OK).body["health"]["oldest"].as_f64()
    };
    assert_eq!(oldest().await, None);
    let id = server.receive("acme", message("a@x.example", "Hello", "World")).await;
    let mut conn = server.database().superuser().await;
    sqlx::query("UPDATE emails SET received_at = now() - interval '30 days'")
        .execute(&mut conn)
        .await
        .unwrap();
    // It was tried in between, and is to be tried again.
    let tried = "UPDATE jobs SET created_at = now() - interval '2 hours', run_at = now() + interval '1 hour'";
    sqlx::query(tried).execute(&mut conn).await.unwrap();
    let hours = oldest().await.unwrap() / 3_600.0;
    assert!((2.0..3.0).contains(&hours), "{hours}");
    let path = format!("/api/emails/{id}/reprocess?tenant_id=acme");
    server.post(&path, &json!({})).await.is(StatusCode::ACCEPTED);
    let hours = oldest().await.unwrap() / 3_600.0;
    assert!((0.0..1.0).contains(&hours), "{hours}");
}

/// By the decision that stands: one that is decided anew is of the new time.
#[tokio::test]
async fn messages_are_listed_by_when_they_were_decided() {
    let server = TestServer::start_idle(&[]).await;
    server.tenant("acme").await;
    let mut ids = Vec::new();
    for subject in ["first", "second", "third", "not decided"] {
        ids.push(server.receive("acme", message("a@x.example", subject, "x")).await);
    }
    let base = Utc::now();
    let at = |minutes: i64| (base + TimeDelta::minutes(minutes)).to_rfc3339_opts(SecondsFormat::Micros, true);
    let mut conn = server.database().superuser().await;
    for (id, minutes) in ids.iter().zip([1, 3, 2]) {
        let decided = "UPDATE emails SET status = 'done', decision = 'review', decided_at = $2::timestamptz \
                       WHERE email_id = $1::uuid";
        sqlx::query(decided).bind(id).bind(at(minutes)).execute(&mut conn).await.unwrap();
    }
    let listed = async |query: &str| -> Vec<String> {
        let list = server.get(&format!("/api/emails?tenant_id=acme&{query}")).await.is(StatusCode::OK).body;
        let list = list.as_array().unwrap();
        list.iter().map(|email| email["subject"].as_str().unwrap().to_owned()).collect()
    };
    for (query, expected) in [
        (format!("decided_after={}", at(1)), vec!["third", "second", "first"]),
        (format!("decided_after={}&limit=2", at(1)), vec!["third", "second"]),
        (format!("decided_after={}", at(2)), vec!["third", "second"]),
        (format!("decided_before={}", at(2)), vec!["first"]),
        (format!("decided_after={}&decided_before={}", at(2), at(3)), vec!["third"]),
        (format!("decided_after={}&q=second", at(2)), vec!["second"]),
        (format!("decided_after={}&decision=accepted", at(1)), vec![]),
        (format!("decided_after={}", at(4)), vec![]),
        (format!("decided_before={}", at(1)), vec![]),
        ("decided_after=&decided_before=".to_owned(), vec!["not decided", "third", "second", "first"]),
    ] {
        assert_eq!(listed(&query).await, expected, "{query}");
    }
    let path = format!("/api/emails/{}/decision?tenant_id=acme", ids[1]);
    server.post(&path, &json!({"decision": "accepted"})).await.is(StatusCode::OK);
    assert_eq!(listed(&format!("decided_before={}", at(1))).await, ["second"]);
    assert_eq!(listed(&format!("decided_after={}", at(1))).await, ["third", "first"]);
    for (query, field) in [
        ("decided_after=yesterday", "decided_after"),
        ("decided_before=2026-11-30", "decided_before"),
        ("decided_before=-0001-01-01T00:00:00Z", "decided_before"),
    ] {
        let refused = server.get(&format!("/api/emails?tenant_id=acme&{query}")).await;
        assert_eq!(refused.is(StatusCode::UNPROCESSABLE_ENTITY).fields(), [field], "{query}");
    }
}

#[tokio::test]
async fn what_happened_to_a_message_is_told_by_pages_with_what_stood_before() {
    let server = TestServer::start().await;
    server.tenant("acme").await;
    server.tenant("globex").await;
    let made = server.post("/api/intents?tenant_id=acme", &json!({"name": "Orders"})).await;
    let orders = made.is(StatusCode::CREATED).id("intent_id");
    let email = server.decide("acme", message("a@x.example", "Hello", "World")).await;
    let id = email["email_id"].as_str().unwrap();
    let path = |what: &str| format!("/api/emails/{id}/{what}?tenant_id=acme");
    server.post(&path("intent"), &json!({"intent_id": orders})).await.is(StatusCode::ACCEPTED);
    assert_eq!(server.decided("acme", id).await["decision"], "accepted");
    let said = json!({"decision": "rejected", "note": "by hand"});
    server.post(&path("decision"), &said).await.is(StatusCode::OK);
    let taken = server.post(&path("take-back"), &json!({})).await.is(StatusCode::OK).body;
    assert_eq!(taken, json!({"email_id": id, "sent": 0}));
    assert_eq!(server.decided("acme", id).await["decision"], "accepted");
    server.post(&path("reprocess"), &json!({})).await.is(StatusCode::ACCEPTED);

    let viewer = server.key_of("acme", Role::Viewer).await;
    let get = async |path: &str| {
        Answer::of(server.request(Method::GET, path, Some(&viewer)).send().await.unwrap()).await
    };
    let history = get(&path("history")).await.is(StatusCode::OK);
    assert!(history.headers.get("link").is_none() && !history.text.contains("127.0.0.1"), "{}", history.text);
    let events = history.body.as_array().unwrap();
    let told: Vec<_> = events.iter().map(|one| (&one["action"], &one["before"], &one["after"])).collect();
    assert_eq!(
        told,
        [
            (&json!("email.reprocess"), &Value::Null, &json!({"versions": "today"})),
            (&json!("email.take_back"), &Value::Null, &json!({"what": "decision"})),
            (&json!("email.decide"), &json!({"decision": "accepted"}), &said),
            (&json!("email.correct_intent"), &json!({"intent": null}), &json!({"intent": "Orders"})),
            (&json!("email.receive"), &Value::Null, &json!({"source": "http"})),
        ]
    );
    for event in events {
        assert_eq!((&event["actor_kind"], &event["actor"]), (&json!("key"), &json!("API key test")));
        assert!(event["entry_id"].is_i64() && event["occurred_at"].is_string(), "{event}");
    }
    let (mut next, mut paged) = (Some(path("history") + "&limit=2"), Vec::new());
    while let Some(path) = next {
        let page = get(&path).await.is(StatusCode::OK);
        paged.push(page.body.as_array().unwrap().clone());
        let link = page.headers.get("link").map(|link| link.to_str().unwrap());
        next = link.map(|link| link.split_once('<').unwrap().1.split_once('>').unwrap().0.to_owned());
    }
    assert_eq!(paged.iter().map(Vec::len).collect::<Vec<_>>(), [2, 2, 1]);
    assert_eq!(&paged.concat(), events);
    let nobody = "/api/emails/01890a5d-ac96-774b-bcce-b302099a8057/history?tenant_id=acme";
    get(nobody).await.is(StatusCode::NOT_FOUND);
    let theirs = format!("/api/emails/{id}/history?tenant_id=globex");
    server.get(&theirs).await.is(StatusCode::NOT_FOUND);
}
