//! Routes and deliveries: what is sent, when, how often, and to whom not.

use std::{
    collections::BTreeSet,
    io::{self, BufRead, BufReader, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use axum::{
    http::{StatusCode as Status, header},
    response::IntoResponse,
};
use base64::{Engine, prelude::BASE64_STANDARD};
use chrono::{DateTime, Utc};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::{
    queue::given_back,
    receivers::{Hook, Receiver, Relay},
    support::{Answer, TestServer, eventually, message},
};
use crate::{
    auth::dto::Role,
    deliveries::{dto::SENT_AGAIN, server::worker as sending},
    emails::server::worker,
    routes::server::secret::SigningSecret,
    server::{openapi, vault::Vault},
};

pub const SMTP_FROM: (&str, &str) = ("SMTP_FROM", "Acme <flow@acme.example>");

pub async fn route(server: &TestServer, body: Value) -> Value {
    server.post("/api/routes?tenant_id=acme", &body).await.is(StatusCode::CREATED).body
}

/// An intent that takes every message; its only rule rejects those whose subject has "bad".
async fn intent(server: &TestServer) -> i64 {
    let body = json!({
        "intent": {
            "name": "Orders", "match": {"all": [{"field": "subject", "op": "contains", "value": "order"}]},
            "extractors": [{"name": "order_number", "field": "subject", "pattern": "(\\d+)"}]
        },
        "validation_rules": [{"field_name": "subject", "rule_type": "regex", "conditions": {"pattern": "^[^!]*$"}}]
    });
    let answer = server.post("/api/intents/with-rules?tenant_id=acme", &body).await;
    answer.is(StatusCode::CREATED).body["intent"]["intent_id"].as_i64().unwrap()
}

/// Waits until the message's deliveries are all at an end, or as `status` says; gives the message.
pub async fn settled(server: &TestServer, id: &str, status: &[&str]) -> Value {
    let path = format!("/api/emails/{id}?tenant_id=acme");
    eventually(&format!("deliveries of {id} are {status:?}"), async || {
        let email = server.get(&path).await.is(StatusCode::OK).body;
        let all = email["deliveries"].as_array().unwrap();
        let found: Vec<&str> = all.iter().filter_map(|d| d["status"].as_str()).collect();
        let is_over = email["status"] == "done" && !found.contains(&"pending");
        assert!(!is_over || found == status, "{status:?}, and not {all:?}");
        (email["status"] == "done" && found == status).then_some(email)
    })
    .await
}

/// As if the message's deliveries had been under way for as long as one is tried.
pub async fn grow_old(server: &TestServer, id: &str) {
    let mut conn = server.database().superuser().await;
    let done = sqlx::query(
        "UPDATE jobs SET created_at = now() - interval '72 hours', run_at = now() WHERE kind = 'delivery' \
         AND subject IN (SELECT delivery_id FROM deliveries WHERE email_id = $1::uuid)",
    )
    .bind(id)
    .execute(&mut conn)
    .await
    .unwrap();
    assert_eq!(done.rows_affected(), 1);
}

fn verify(hook: &Hook, secret: &str, body: &[u8], timestamp: i64) -> bool {
    let bytes = BASE64_STANDARD.decode(secret.strip_prefix("whsec_").unwrap()).unwrap();
    let signature =
        SigningSecret::from_bytes(bytes).sign(hook.header("webhook-id"), timestamp, body).unwrap();
    hook.header("webhook-signature").split(' ').any(|found| found == signature)
}

#[tokio::test]
async fn a_webhook_tells_the_decision_signed_and_once() {
    let server = TestServer::start().await;
    let receiver = Receiver::start().await;
    server.tenant("acme").await;
    let intent = intent(&server).await;
    let settings = json!({"url": format!("{}/hook", receiver.base), "headers": {"X-Key": "s3cret-value"}});
    let made = route(
        &server,
        json!({"name": "erp", "intent_id": intent, "kind": "webhook", "decisions": ["rejected", "accepted"], "settings": settings}),
    )
    .await;
    assert_eq!(made["decisions"], json!(["accepted", "rejected"]));
    assert_eq!(made["settings"]["headers"]["X-Key"], "********");
    let secret = made["secret"].as_str().unwrap().to_owned();
    let id = server.receive("acme", message("zoe@x.example", "order 7", "where is it")).await;
    let email = settled(&server, &id, &["delivered"]).await;
    let [hook] = receiver.hooks().try_into().unwrap();
    assert_eq!((hook.path.as_str(), hook.header("x-key")), ("/hook", "s3cret-value"));
    assert_eq!(hook.header("webhook-id"), email["deliveries"][0]["delivery_id"].as_str().unwrap());
    let timestamp: i64 = hook.header("webhook-timestamp").parse().unwrap();
    assert!((chrono::Utc::now().timestamp() - timestamp).abs() < 60);
    assert!(verify(&hook, &secret, &hook.body, timestamp));
    assert!(!verify(&hook, &secret, b"{}", timestamp), "an altered body");
    assert!(!verify(&hook, &secret, &hook.body, timestamp + 1), "a replay with a new time");
    let body = hook.json();
    assert_eq!(body["type"], "email.decided");
    assert_eq!(body["data"]["email_id"], id.as_str());
    assert_eq!(body["data"]["decision"], "accepted");
    assert_eq!(body["data"]["fields"]["order_number"], "7");
    assert_eq!(body["data"]["verdicts"][0]["verdict"], "pass");
    let document = openapi::document();
    for (name, told) in [("DecidedEvent", &body), ("DecidedEmail", &body["data"])] {
        let schema = &document["components"]["schemas"][name];
        let required = schema["required"].as_array().unwrap().iter();
        let required: BTreeSet<&str> = required.map(|member| member.as_str().unwrap()).collect();
        let told: BTreeSet<&str> = told.as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!(told, required, "{name}");
    }
    // Run again, it comes to the same: nothing is sent again. Decided otherwise, it is; and back again, too.
    server
        .post(&format!("/api/emails/{id}/reprocess?tenant_id=acme"), &json!({}))
        .await
        .is(StatusCode::ACCEPTED);
    let email = settled(&server, &id, &["delivered"]).await;
    assert_eq!(receiver.hooks().len(), 1, "{}", email["run"]);
    for (decision, sent) in [("rejected", 2), ("rejected", 2), ("review", 2), ("accepted", 3)] {
        let path = format!("/api/emails/{id}/decision?tenant_id=acme");
        server.post(&path, &json!({"decision": decision})).await.is(StatusCode::OK);
        settled(&server, &id, &vec!["delivered"; sent]).await;
        assert_eq!(receiver.hooks().len(), sent, "{decision}");
    }
    // Other messages and other decisions are no business of this route.
    let other = server.decide("acme", message("zoe@x.example", "hello", "x")).await;
    assert_eq!(other["deliveries"], json!([]));
    for (what, text) in [
        ("the route", server.get("/api/routes?tenant_id=acme").await.text),
        ("the deliveries", server.get("/api/deliveries?tenant_id=acme").await.text),
        ("the message", server.get(&format!("/api/emails/{id}?tenant_id=acme")).await.text),
    ] {
        assert!(!text.contains("s3cret-value") && !text.contains("whsec_"), "{what}: {text}");
    }
    let mut conn = server.database().superuser().await;
    let rows: Vec<String> = sqlx::query_scalar(
        "SELECT row_to_json(r)::text FROM routes r UNION ALL SELECT row_to_json(d)::text FROM deliveries d",
    )
    .fetch_all(&mut conn)
    .await
    .unwrap();
    assert!(rows.iter().all(|row| !row.contains("s3cret-value")), "secrets are stored encrypted");
}

/// Of several on one message, the latest says what holds.
#[tokio::test]
async fn a_webhook_is_dated_by_when_it_is_told_also_where_an_old_decision_stands_again() {
    let server = TestServer::start().await;
    let receiver = Receiver::start().await;
    server.tenant("acme").await;
    let intent = intent(&server).await;
    let hook = json!({"name": "erp", "kind": "webhook", "decisions": ["accepted", "rejected"], "settings": {"url": receiver.base}});
    route(&server, hook).await;
    let id = server.receive("acme", message("zoe@x.example", "order 7", "x")).await;
    settled(&server, &id, &["delivered"]).await;
    let rules = format!("/api/intents/{intent}/validation-rules?tenant_id=acme");
    let mut rule = server.get(&rules).await.is(StatusCode::OK).body[0].clone();
    rule["conditions"] = json!({"pattern": "^urgent"});
    let path = format!("/api/validation-rules/{}?tenant_id=acme", rule["rule_id"]);
    server.put(&path, &rule).await.is(StatusCode::OK);
    let ui = async |function: &str, body: Value| {
        server.post(&format!("/ui/emails/{function}"), &body).await.is(StatusCode::OK).body
    };
    let said = ui("reprocess-many", json!({"tenant_id": "acme", "ids": [id]})).await;
    settled(&server, &id, &["delivered"; 2]).await;
    let taken_back = ui("take-back", json!({"tenant_id": "acme", "ids": [id], "word": said["word"]})).await;
    assert_eq!(taken_back["done"], json!([id]));
    settled(&server, &id, &["delivered"; 3]).await;
    let told: Vec<Value> = receiver.hooks().iter().map(Hook::json).collect();
    let decisions: Vec<&str> = told.iter().map(|event| event["data"]["decision"].as_str().unwrap()).collect();
    assert_eq!(decisions, ["accepted", "rejected", "accepted"]);
    assert_eq!(told[2]["data"]["decided_at"], told[0]["data"]["decided_at"]);
    let time = |event: &Value| event["timestamp"].as_str().unwrap().parse::<DateTime<Utc>>().unwrap();
    assert!(time(&told[0]) < time(&told[1]) && time(&told[1]) < time(&told[2]), "{told:#?}");
}

/// As if the message's only delivery had been written by a server whose clock is far ahead.
async fn set_ahead(server: &TestServer) {
    let mut conn = server.database().superuser().await;
    let sql = "UPDATE deliveries SET delivery_id = 'ffffffff-ffff-7fff-bfff-ffffffffffff'";
    assert_eq!(sqlx::raw_sql(sql).execute(&mut conn).await.unwrap().rows_affected(), 1);
}

#[tokio::test]
async fn what_was_given_up_and_arrived_since_is_nobodys_to_see_to_whatever_the_clocks_of_servers_say() {
    let server = TestServer::start().await;
    let receiver = Receiver::answering(|_, before| match before {
        0 => Status::GONE.into_response(),
        _ => Status::OK.into_response(),
    })
    .await;
    server.tenant("acme").await;
    let hook = json!({"name": "erp", "kind": "webhook", "decisions": ["review"], "settings": {"url": receiver.base}});
    route(&server, hook).await;
    let id = server.receive("acme", message("zoe@x.example", "hello", "x")).await;
    settled(&server, &id, &["failed"]).await;
    set_ahead(&server).await;
    let failed = "/api/emails?tenant_id=acme&delivery=failed";
    assert_eq!(server.get(failed).await.is(StatusCode::OK).body[0]["email_id"], id.as_str());
    let reprocess = format!("/api/emails/{id}/reprocess?tenant_id=acme");
    server.post(&reprocess, &json!({})).await.is(StatusCode::ACCEPTED);
    eventually("it is sent again", async || (receiver.hooks().len() == 2).then_some(())).await;
    assert_eq!(server.get(failed).await.is(StatusCode::OK).body, json!([]));
}

/// Ids are made of the clocks of the servers that write them.
#[tokio::test]
async fn what_came_later_is_told_by_the_database_whatever_the_clocks_of_servers_say() {
    let (server, receiver) = (TestServer::start().await, Receiver::start().await);
    server.tenant("acme").await;
    intent(&server).await;
    for (name, decision) in [("yes", "accepted"), ("no", "rejected")] {
        let hook = json!({"name": name, "kind": "webhook", "decisions": [decision], "settings": {"url": receiver.base}});
        route(&server, hook).await;
    }
    let id = server.receive("acme", message("zoe@x.example", "order 7", "x")).await;
    settled(&server, &id, &["delivered"]).await;
    set_ahead(&server).await;
    // The database's own clock was set back since.
    let mut conn = server.database().superuser().await;
    let back = "UPDATE deliveries SET created_at = now() + interval '1 hour'";
    sqlx::raw_sql(back).execute(&mut conn).await.unwrap();
    for (decision, sent) in [("rejected", 2), ("accepted", 3)] {
        let path = format!("/api/emails/{id}/decision?tenant_id=acme");
        server.post(&path, &json!({"decision": decision})).await.is(StatusCode::OK);
        settled(&server, &id, &vec!["delivered"; sent]).await;
    }
    let told: Vec<Value> = receiver.hooks().iter().map(Hook::json).collect();
    let times: Vec<DateTime<Utc>> =
        told.iter().map(|event| event["timestamp"].as_str().unwrap().parse().unwrap()).collect();
    let sql = "SELECT created_at FROM deliveries ORDER BY created_at";
    let stored: Vec<DateTime<Utc>> = sqlx::query_scalar(sql).fetch_all(&mut conn).await.unwrap();
    assert_eq!(times[1..], stored[1..]);
    assert!(stored[0] < times[1] && times[1] < times[2], "{times:?} {stored:?}");
}

#[tokio::test]
async fn a_rotated_secret_signs_beside_the_old_one_for_a_day() {
    let server = TestServer::start().await;
    let receiver = Receiver::start().await;
    server.tenant("acme").await;
    let made = route(
        &server,
        json!({"name": "erp", "kind": "webhook", "decisions": ["review"], "settings": {"url": receiver.base}}),
    )
    .await;
    let path = format!("/api/routes/{}/rotate-secret?tenant_id=acme", made["route_id"]);
    let rotated = server.post(&path, &json!({})).await.is(StatusCode::OK).body;
    let (old, new) = (made["secret"].as_str().unwrap(), rotated["secret"].as_str().unwrap());
    assert_ne!(old, new);
    let send = async |count: usize| {
        let id = server.receive("acme", message("a@x.example", &format!("m{count}"), "x")).await;
        settled(&server, &id, &["delivered"]).await;
        let hook = receiver.hooks().pop().unwrap();
        let timestamp: i64 = hook.header("webhook-timestamp").parse().unwrap();
        (verify(&hook, old, &hook.body, timestamp), verify(&hook, new, &hook.body, timestamp))
    };
    assert_eq!(send(1).await, (true, true));
    let mut conn = server.database().superuser().await;
    sqlx::query("UPDATE routes SET old_secret_ends = now()").execute(&mut conn).await.unwrap();
    assert_eq!(send(2).await, (false, true));
    let editor = server.key_of("acme", Role::Editor).await;
    let refused = server.request(Method::POST, &path, Some(&editor)).send().await.unwrap();
    assert_eq!(refused.status(), StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn nothing_is_sent_before_the_decision_is_stored_and_all_of_it_after() {
    let server = TestServer::start_idle(&[]).await;
    let receiver = Receiver::start().await;
    let tenant = server.tenant("acme").await;
    route(
        &server,
        json!({"name": "erp", "kind": "webhook", "decisions": ["review"], "settings": {"url": receiver.base}}),
    )
    .await;
    let id = server.receive("acme", message("a@x.example", "x", "x")).await;
    let stop = CancellationToken::new();
    let senders = tokio::spawn(sending::work(server.app.clone(), stop.clone()));
    // A decision whose transaction does not commit.
    {
        let email: crate::shared::EmailId = id.parse().unwrap();
        let mut tx = server.app.database.tenant(&tenant).await.unwrap();
        crate::emails::server::repository::put_up(&mut tx, email, "x").await.unwrap();
        let standing = crate::emails::server::repository::standing(&mut tx, email).await.unwrap().unwrap();
        assert!(
            crate::deliveries::server::outbox::write(
                &server.app,
                &mut tx,
                email,
                standing,
                std::time::Duration::ZERO
            )
            .await
            .unwrap()
        );
        server.app.delivery_bell.notify_one();
        // The sender looks, and finds nothing.
        let seen = server.get("/api/deliveries?tenant_id=acme").await.is(StatusCode::OK).body;
        assert_eq!(seen, json!([]));
        drop(tx);
    }
    // The server that decides ends between the commit and the sending.
    stop.cancel();
    senders.await.unwrap();
    let stop = CancellationToken::new();
    let workers = tokio::spawn(worker::work(server.app.clone(), stop.clone()));
    server.decided("acme", &id).await;
    stop.cancel();
    workers.await.unwrap();
    let email = settled(&server, &id, &["pending"]).await;
    assert_eq!((email["deliveries"][0]["attempts"].as_i64(), receiver.hooks().len()), (Some(0), 0));
    // Another one takes it up.
    tokio::spawn(sending::work(server.app.clone(), CancellationToken::new()));
    let email = settled(&server, &id, &["delivered"]).await;
    assert_eq!((email["deliveries"][0]["attempts"].as_i64(), receiver.hooks().len()), (Some(1), 1));
}

#[tokio::test]
async fn what_fails_is_tried_again_then_given_up_and_sent_by_hand() {
    let server = TestServer::start().await;
    let receiver = Receiver::answering(|path, before| match path {
        // Time to make it old.
        "/down" if before == 1 => (Status::BAD_GATEWAY, [(header::RETRY_AFTER, "60")]).into_response(),
        "/flaky" if before == 0 => (Status::TOO_MANY_REQUESTS, [(header::RETRY_AFTER, "1")]).into_response(),
        "/down" if before < 3 => Status::BAD_GATEWAY.into_response(),
        "/gone" => Status::GONE.into_response(),
        "/moved" => (Status::FOUND, [(header::LOCATION, "http://169.254.169.254/")]).into_response(),
        _ => Status::OK.into_response(),
    })
    .await;
    server.tenant("acme").await;
    let hook = |path: &str| json!({"name": "erp", "kind": "webhook", "decisions": ["review"], "settings": {"url": format!("{}{path}", receiver.base)}});
    let made = route(&server, hook("/down")).await;
    let put = async |body: Value| {
        let path = format!("/api/routes/{}?tenant_id=acme", made["route_id"]);
        server.put(&path, &body).await.is(StatusCode::OK);
    };
    let id = server.receive("acme", message("a@x.example", "down", "x")).await;
    eventually("it was tried twice", async || {
        let email = server.get(&format!("/api/emails/{id}?tenant_id=acme")).await.body;
        (email["deliveries"][0]["attempts"] == 2).then_some(())
    })
    .await;
    grow_old(&server, &id).await;
    let email = settled(&server, &id, &["failed"]).await;
    let delivery = &email["deliveries"][0];
    assert_eq!((delivery["attempts"].as_i64(), delivery["last_status"].as_i64()), (Some(3), Some(502)));
    assert_eq!(delivery["note"], "The receiver answered 502 Bad Gateway");
    let ids: Vec<String> = receiver.hooks().iter().map(|hook| hook.header("webhook-id").to_owned()).collect();
    assert!(
        ids.iter().all(|id| *id == delivery["delivery_id"].as_str().unwrap()),
        "a repeat can be told: {ids:?}"
    );
    let retry = async |delivery: &Value| {
        let path =
            format!("/api/deliveries/{}/retry?tenant_id=acme", delivery["delivery_id"].as_str().unwrap());
        server.post(&path, &json!({})).await
    };
    retry(delivery).await.is(StatusCode::ACCEPTED);
    let email = settled(&server, &id, &["delivered"]).await;
    assert_eq!(email["deliveries"][0]["attempts"], 4);
    retry(delivery).await.problem(
        StatusCode::BAD_REQUEST,
        "Only a delivery that failed or waits can be sent again; this one is delivered",
    );
    for (path, code, note) in [
        ("/gone", 410, "The receiver refused it: 410 Gone"),
        ("/moved", 302, "The receiver redirects (302 Found), which is not followed"),
    ] {
        put(hook(path)).await;
        let id = server.receive("acme", message("a@x.example", path, "x")).await;
        let email = settled(&server, &id, &["failed"]).await;
        let delivery = &email["deliveries"][0];
        assert_eq!((delivery["attempts"].as_i64(), delivery["last_status"].as_i64()), (Some(1), Some(code)));
        assert_eq!(delivery["note"], note);
        // Run again, it is sent anew; then the old one is not to be sent beside it.
        let reprocess = format!("/api/emails/{id}/reprocess?tenant_id=acme");
        server.post(&reprocess, &json!({})).await.is(StatusCode::ACCEPTED);
        settled(&server, &id, &["failed", "failed"]).await;
        retry(delivery)
            .await
            .problem(StatusCode::CONFLICT, "There is a newer delivery of this route for the message");
        // Out of date, it is not sent again by hand either.
        let decide = format!("/api/emails/{id}/decision?tenant_id=acme");
        server.post(&decide, &json!({"decision": "rejected"})).await.is(StatusCode::OK);
        retry(delivery).await.problem(
            StatusCode::BAD_REQUEST,
            "The message was decided otherwise since, so this is out of date",
        );
    }
    let fresh = Receiver::answering(|_, before| match before {
        0 => (Status::TOO_MANY_REQUESTS, [(header::RETRY_AFTER, "1")]).into_response(),
        _ => Status::OK.into_response(),
    })
    .await;
    put(json!({"name": "erp", "kind": "webhook", "decisions": ["review"], "settings": {"url": fresh.base}}))
        .await;
    let started = std::time::Instant::now();
    let id = server.receive("acme", message("a@x.example", "later", "x")).await;
    settled(&server, &id, &["delivered"]).await;
    assert!(started.elapsed() >= std::time::Duration::from_secs(1), "Retry-After is obeyed");
}

#[tokio::test]
async fn a_receiver_that_keeps_failing_is_left_alone_and_no_try_is_spent() {
    let server = TestServer::start_with(&[("DELIVERY_CONCURRENCY", "1")]).await;
    let receiver = Receiver::answering(|_, _| Status::SERVICE_UNAVAILABLE.into_response()).await;
    server.tenant("acme").await;
    let made = route(
        &server,
        json!({"name": "erp", "kind": "webhook", "decisions": ["review"], "settings": {"url": receiver.base}}),
    )
    .await;
    let id = server.receive("acme", message("a@x.example", "x", "x")).await;
    let path = format!("/api/emails/{id}?tenant_id=acme");
    let delivery = eventually("the breaker is open", async || {
        let email = server.get(&path).await.body;
        let delivery = email["deliveries"].get(0)?.clone();
        delivery["note"].as_str()?.starts_with("Waiting: ").then_some(delivery)
    })
    .await;
    assert_eq!((delivery["attempts"].as_i64(), receiver.hooks().len()), (Some(5), 5));
    assert_eq!(delivery["status"], "pending");
    // The older what waits is, the less often it is looked at.
    let mut conn = server.database().superuser().await;
    let old =
        "UPDATE jobs SET created_at = now() - interval '10 hours', run_at = now() WHERE kind = 'delivery'";
    sqlx::raw_sql(old).execute(&mut conn).await.unwrap();
    eventually("it rests", async || {
        server.app.delivery_bell.notify_one();
        let email = server.get(&path).await.body;
        let next: chrono::DateTime<chrono::Utc> =
            email["deliveries"][0]["next_attempt"].as_str()?.parse().ok()?;
        (next > chrono::Utc::now() + chrono::TimeDelta::minutes(30)).then_some(())
    })
    .await;
    // A route that goes takes what waits with it.
    let route = format!("/api/routes/{}?tenant_id=acme", made["route_id"]);
    server.delete(&route).await.is(StatusCode::NO_CONTENT);
    let email = settled(&server, &id, &["cancelled"]).await;
    assert_eq!(email["deliveries"][0]["note"], "The route was deleted");
    let jobs: i64 = sqlx::query_scalar("SELECT count(*) FROM jobs").fetch_one(&mut conn).await.unwrap();
    assert_eq!(jobs, 0);
}

/// Whoever knows that the receiver is back need not wait until it is looked at again.
#[tokio::test]
async fn what_waits_is_sent_at_once_when_a_person_asks_also_where_its_receiver_is_left_alone() {
    let server = TestServer::start_with(&[("DELIVERY_CONCURRENCY", "1")]).await;
    let receiver = Receiver::answering(|_, before| match before {
        0..5 => Status::SERVICE_UNAVAILABLE.into_response(),
        _ => Status::OK.into_response(),
    })
    .await;
    server.tenant("acme").await;
    let hook = json!({"name": "erp", "kind": "webhook", "decisions": ["review"], "settings": {"url": receiver.base}});
    route(&server, hook).await;
    let id = server.receive("acme", message("a@x.example", "x", "x")).await;
    let path = format!("/api/emails/{id}?tenant_id=acme");
    let delivery = eventually("the breaker is open", async || {
        let delivery = server.get(&path).await.body["deliveries"].get(0)?.clone();
        delivery["note"].as_str()?.starts_with("Waiting: ").then_some(delivery)
    })
    .await;
    let retry = format!("/api/deliveries/{}/retry?tenant_id=acme", delivery["delivery_id"].as_str().unwrap());
    let asked = server.post(&retry, &json!({})).await.is(StatusCode::ACCEPTED).body;
    assert_eq!((&asked["status"], &asked["note"]), (&json!("pending"), &json!(SENT_AGAIN)));
    let delivered = eventually("it arrived", async || {
        let delivery = server.get(&path).await.body["deliveries"][0].clone();
        let note = delivery["note"].as_str().unwrap_or_default();
        assert!(!note.starts_with("Waiting: "), "{note}");
        (delivery["status"] == "delivered").then_some(delivery)
    })
    .await;
    assert_eq!((delivered["attempts"].as_i64(), receiver.hooks().len()), (Some(6), 6));
}

/// A receiver may lose what it took. By the id it knows the repeat again.
#[tokio::test]
async fn what_was_delivered_is_sent_a_second_time_once_somebody_says_so() {
    let server = TestServer::start().await;
    let receiver = Receiver::answering(|_, before| match before {
        2 => Status::GONE.into_response(),
        3 => (Status::SERVICE_UNAVAILABLE, [(header::RETRY_AFTER, "600")]).into_response(),
        _ => Status::OK.into_response(),
    })
    .await;
    server.tenant("acme").await;
    let hook = json!({"name": "erp", "kind": "webhook", "decisions": ["review"], "settings": {"url": receiver.base}});
    route(&server, hook).await;
    let label = json!({"name": "mark", "kind": "label", "decisions": ["review"], "settings": {"label": "x"}});
    route(&server, label).await;
    let id = server.receive("acme", message("a@x.example", "x", "x")).await;
    let email = settled(&server, &id, &["delivered", "delivered"]).await;
    let [hook, label] = [0, 1].map(|at| email["deliveries"][at]["delivery_id"].as_str().unwrap().to_owned());
    let retry = async |id: &str, query: &str| {
        server.post(&format!("/api/deliveries/{id}/retry?tenant_id=acme{query}"), &json!({})).await
    };
    let refused = "Only a delivery that failed or waits can be sent again; this one is delivered";
    for query in ["", "&again=false"] {
        retry(&hook, query).await.problem(StatusCode::BAD_REQUEST, refused);
    }
    let fields = retry(&hook, "&again=perhaps").await.is(StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(fields.fields(), ["again"]);
    let nothing = "A label that was set has nothing to send again";
    retry(&label, "&again=true").await.problem(StatusCode::BAD_REQUEST, nothing);
    assert_eq!(receiver.hooks().len(), 1);

    let asked = retry(&hook, "&again=true").await.is(StatusCode::ACCEPTED).body;
    assert_eq!((&asked["status"], &asked["note"]), (&json!("pending"), &json!(SENT_AGAIN)));
    assert!(asked["delivered_at"].is_string(), "that it arrived stays written");
    let email = settled(&server, &id, &["delivered", "delivered"]).await;
    assert_eq!(
        (&email["deliveries"][0]["attempts"], &email["deliveries"][0]["note"]),
        (&json!(2), &Value::Null)
    );
    let hooks = receiver.hooks();
    assert_eq!(hooks.len(), 2);
    assert!(hooks.iter().all(|repeat| repeat.header("webhook-id") == hook), "a repeat can be told");
    assert_eq!(hooks[0].body, hooks[1].body);
    let log = server.get("/api/audit-log?tenant_id=acme&action=delivery.retry").await.is(StatusCode::OK).body;
    assert_eq!((log.as_array().unwrap().len(), &log[0]["after"]["again"]), (1, &json!(true)));

    // What does not arrive is given up as all is, and sent again as all is.
    retry(&hook, "&again=true").await.is(StatusCode::ACCEPTED);
    let email = settled(&server, &id, &["failed", "delivered"]).await;
    assert!(email["deliveries"][0]["delivered_at"].is_string());
    // Nobody asks for another: of what arrived, a run of the message sends none, whatever became of its repeat.
    let path = format!("/api/emails/{id}?tenant_id=acme");
    let run_again = async |run: i64| {
        let reprocess = format!("/api/emails/{id}/reprocess?tenant_id=acme");
        server.post(&reprocess, &json!({})).await.is(StatusCode::ACCEPTED);
        eventually("it was run again", async || {
            let email = server.get(&path).await.body;
            (email["run"] == run && email["status"] == "done").then_some(())
        })
        .await;
    };
    run_again(2).await;
    settled(&server, &id, &["failed", "delivered"]).await;
    assert_eq!(receiver.hooks().len(), 3);
    retry(&hook, "").await.is(StatusCode::ACCEPTED);
    eventually("it waits", async || {
        let delivery = server.get(&path).await.body["deliveries"][0].clone();
        (delivery["status"] == "pending" && delivery["attempts"] == 4).then_some(())
    })
    .await;
    // Called off, it is what it was.
    let decide = format!("/api/emails/{id}/decision?tenant_id=acme");
    server.post(&decide, &json!({"decision": "rejected"})).await.is(StatusCode::OK);
    let email = settled(&server, &id, &["delivered", "delivered"]).await;
    let note = "Not sent a second time: The message was decided otherwise since";
    assert_eq!((&email["deliveries"][0]["note"], receiver.hooks().len()), (&json!(note), 4));
    let outdated = "The message was decided otherwise since, so this is out of date";
    retry(&hook, "&again=true").await.problem(StatusCode::BAD_REQUEST, outdated);
    // Decided so once more, it stands: nobody was told anything else.
    server.post(&decide, &json!({"decision": "review"})).await.is(StatusCode::OK);
    settled(&server, &id, &["delivered", "delivered"]).await;
    assert_eq!(receiver.hooks().len(), 4);
    // So it is where a server of before called it off.
    let mut conn = server.database().superuser().await;
    let called_off = "UPDATE deliveries SET status = 'cancelled' WHERE kind = 'webhook'";
    sqlx::raw_sql(called_off).execute(&mut conn).await.unwrap();
    run_again(3).await;
    settled(&server, &id, &["cancelled", "delivered"]).await;
    assert_eq!(receiver.hooks().len(), 4);
}

/// What left is not made undone by a repeat that failed.
#[tokio::test]
async fn who_takes_a_word_back_is_told_what_left_also_where_its_repeat_failed() {
    let server = TestServer::start().await;
    let receiver = Receiver::answering(|_, before| match before {
        0 => Status::OK.into_response(),
        _ => Status::GONE.into_response(),
    })
    .await;
    server.tenant("acme").await;
    let hook = json!({"name": "erp", "kind": "webhook", "decisions": ["rejected"], "settings": {"url": receiver.base}});
    route(&server, hook).await;
    let email = server.decide("acme", message("a@x.example", "x", "x")).await;
    let id = email["email_id"].as_str().unwrap();
    let path = |what: &str| format!("/api/emails/{id}/{what}?tenant_id=acme");
    server.post(&path("decision"), &json!({"decision": "rejected"})).await.is(StatusCode::OK);
    let email = settled(&server, id, &["delivered"]).await;
    let delivery = email["deliveries"][0]["delivery_id"].as_str().unwrap();
    let again = format!("/api/deliveries/{delivery}/retry?tenant_id=acme&again=true");
    server.post(&again, &json!({})).await.is(StatusCode::ACCEPTED);
    settled(&server, id, &["failed"]).await;
    let taken = server.post(&path("take-back"), &json!({})).await.is(StatusCode::OK).body;
    assert_eq!(taken, json!({"email_id": id, "sent": 1}));
}

/// All whom it goes to get it once more, and who has it is still known.
#[tokio::test]
async fn a_mail_is_sent_a_second_time_to_all_under_its_id() {
    let relay = Relay::start();
    let server = TestServer::start_with(&[("SMTP_URL", &relay.url()), SMTP_FROM]).await;
    server.tenant("acme").await;
    let settings = json!({"to": ["desk@acme.example", "boss@acme.example"]});
    let forward = json!({"name": "desk", "kind": "forward", "decisions": ["review"], "settings": settings});
    route(&server, forward).await;
    let id = server.receive("acme", message("a@x.example", "x", "x")).await;
    let email = settled(&server, &id, &["delivered"]).await;
    let delivery = email["deliveries"][0]["delivery_id"].as_str().unwrap().to_owned();
    let path = format!("/api/deliveries/{delivery}");
    let again = format!("{path}/retry?tenant_id=acme&again=true");
    server.post(&again, &json!({})).await.is(StatusCode::ACCEPTED);
    settled(&server, &id, &["delivered"]).await;
    let mails = relay.mails();
    assert_eq!(mails.len(), 2);
    for mail in &mails {
        assert_eq!(mail.to, ["desk@acme.example", "boss@acme.example"]);
        assert!(mail.text().contains(&format!("Message-ID: <{delivery}@acme.example>")), "{}", mail.text());
    }
    let found = server.get(&format!("{path}?tenant_id=acme")).await.is(StatusCode::OK).body;
    assert_eq!(found["payload"]["had_it"], json!(["desk@acme.example", "boss@acme.example"]));
    // No mail says so: it is no part of what the screen shows of one.
    let asked = server.request(Method::POST, "/ui/deliveries/payload", Some(&server.key));
    let asked = asked.header("content-type", "application/x-www-form-urlencoded");
    let asked = asked.body(format!("tenant_id=acme&delivery_id={delivery}"));
    let shown = Answer::of(asked.send().await.unwrap()).await.is(StatusCode::OK).body;
    assert_eq!((&shown["to"], shown.get("had_it")), (&found["payload"]["to"], None));
    // Run again, it comes to the same, which they have.
    let reprocess = format!("/api/emails/{id}/reprocess?tenant_id=acme");
    server.post(&reprocess, &json!({})).await.is(StatusCode::ACCEPTED);
    eventually("it was run again", async || {
        let email = server.get(&format!("/api/emails/{id}?tenant_id=acme")).await.body;
        (email["run"] == 2 && email["status"] == "done").then_some(())
    })
    .await;
    settled(&server, &id, &["delivered"]).await;
    assert_eq!(relay.mails().len(), 2);
}

/// By its signature a receiver knows that it is ours: without one it is not sent.
#[tokio::test]
async fn no_webhook_is_sent_unsigned() {
    // What waits is looked at again when there is a secret, and not by itself.
    let server = TestServer::start_with(&[("DELIVERY_RETRY_BASE_MS", "600000")]).await;
    let receiver = Receiver::start().await;
    server.tenant("acme").await;
    let hook = json!({"name": "erp", "kind": "webhook", "decisions": ["review"], "settings": {"url": receiver.base}});
    let made = route(&server, hook).await;
    let mut conn = server.database().superuser().await;
    sqlx::raw_sql("UPDATE routes SET secret = NULL").execute(&mut conn).await.unwrap();
    let id = server.receive("acme", message("a@x.example", "x", "x")).await;
    eventually("it waits for a secret", async || {
        let email = server.get(&format!("/api/emails/{id}?tenant_id=acme")).await.body;
        let delivery = email["deliveries"].get(0)?.clone();
        let is_told = delivery["note"].as_str()?.starts_with("The route has no signing secret");
        (is_told && delivery["status"] == "pending" && delivery["attempts"] == 0).then_some(())
    })
    .await;
    assert_eq!(receiver.hooks().len(), 0);
    let rotate = format!("/api/routes/{}/rotate-secret?tenant_id=acme", made["route_id"]);
    let secret = server.post(&rotate, &json!({})).await.is(StatusCode::OK).body["secret"].clone();
    settled(&server, &id, &["delivered"]).await;
    let [hook] = receiver.hooks().try_into().unwrap();
    let timestamp = hook.header("webhook-timestamp").parse().unwrap();
    assert!(verify(&hook, secret.as_str().unwrap(), &hook.body, timestamp));
}

/// Nothing left, so it is no try, and its receiver knows what it was told before.
#[tokio::test]
async fn what_waits_for_a_header_has_told_nobody_and_is_given_up_in_the_end() {
    // It is looked at once.
    let server = TestServer::start_with(&[("DELIVERY_RETRY_BASE_MS", "600000")]).await;
    let receiver = Receiver::start().await;
    server.tenant("acme").await;
    let hook = |name: &str, decision: &str| json!({"name": name, "kind": "webhook", "decisions": [decision], "settings": {"url": receiver.base}});
    route(&server, hook("no", "review")).await;
    let made = route(&server, hook("yes", "accepted")).await;
    let mut conn = server.database().superuser().await;
    let unset = r#"UPDATE routes SET settings = settings || '{"headers": {"X-Key": ""}}' WHERE name = 'yes'"#;
    sqlx::raw_sql(unset).execute(&mut conn).await.unwrap();
    let id = server.receive("acme", message("a@x.example", "x", "x")).await;
    settled(&server, &id, &["delivered"]).await;
    let decide = async |decision: &str| {
        let path = format!("/api/emails/{id}/decision?tenant_id=acme");
        server.post(&path, &json!({"decision": decision})).await.is(StatusCode::OK);
    };
    let told = "The route's secret did not come with an import: set the header X-Key on its page";
    let waits = async |at: usize| {
        eventually("it waits", async || {
            let email = server.get(&format!("/api/emails/{id}?tenant_id=acme")).await.body;
            let delivery = email["deliveries"].get(at)?.clone();
            (delivery["note"] == told).then_some(delivery)
        })
        .await
    };
    decide("accepted").await;
    let waiting = waits(1).await;
    assert_eq!((&waiting["status"], &waiting["attempts"]), (&json!("pending"), &json!(0)));
    decide("review").await;
    settled(&server, &id, &["delivered", "cancelled"]).await;
    assert_eq!(receiver.hooks().len(), 1, "nobody was told anything else");

    decide("accepted").await;
    waits(2).await;
    grow_old(&server, &id).await;
    let email = settled(&server, &id, &["delivered", "cancelled", "failed"]).await;
    let given_up = &email["deliveries"][2];
    assert_eq!((&given_up["note"], &given_up["attempts"]), (&json!(told), &json!(0)));
    let mut entered = hook("yes", "accepted");
    entered["settings"]["headers"] = json!({"X-Key": "entered"});
    let path = format!("/api/routes/{}?tenant_id=acme", made["route_id"]);
    server.put(&path, &entered).await.is(StatusCode::OK);
    let retry = format!("/api/deliveries/{}/retry?tenant_id=acme", given_up["delivery_id"].as_str().unwrap());
    server.post(&retry, &json!({})).await.is(StatusCode::ACCEPTED);
    settled(&server, &id, &["delivered", "cancelled", "delivered"]).await;
    assert_eq!(receiver.hooks().pop().unwrap().header("x-key"), "entered");
}

#[tokio::test]
async fn what_was_not_looked_at_yet_or_is_being_sent_is_not_sent_beside_that() {
    let server = TestServer::start_idle(&[]).await;
    let receiver = Receiver::start().await;
    let tenant = server.tenant("acme").await;
    let hook = json!({"name": "erp", "kind": "webhook", "decisions": ["review"], "settings": {"url": receiver.base}});
    route(&server, hook).await;
    let id = server.receive("acme", message("a@x.example", "x", "x")).await;
    worker::process_now(&server.app, &tenant, id.parse().unwrap()).await.unwrap().unwrap();
    let mut conn = server.database().superuser().await;
    let delivery: uuid::Uuid =
        sqlx::query_scalar("SELECT delivery_id FROM deliveries").fetch_one(&mut conn).await.unwrap();
    let path = format!("/api/deliveries/{delivery}/retry?tenant_id=acme");
    let retry = async || server.post(&path, &json!({})).await;
    let refused = "It is on its way already";
    retry().await.problem(StatusCode::BAD_REQUEST, refused);
    // It was tried, and a worker has it once more.
    let again = "UPDATE deliveries SET attempts = 1, note = 'The receiver answered 502 Bad Gateway'; \
                 UPDATE jobs SET attempts = 2, lock_token = gen_random_uuid(), run_at = now() + interval '1 hour', \
                 locked_until = now() + interval '1 minute'";
    sqlx::raw_sql(again).execute(&mut conn).await.unwrap();
    retry().await.problem(StatusCode::BAD_REQUEST, refused);
    let given_back = "UPDATE jobs SET lock_token = NULL, locked_until = NULL";
    sqlx::raw_sql(given_back).execute(&mut conn).await.unwrap();
    retry().await.is(StatusCode::ACCEPTED);
    let job: (i32, bool) =
        sqlx::query_as("SELECT attempts, run_at <= now() FROM jobs WHERE kind = 'delivery'")
            .fetch_one(&mut conn)
            .await
            .unwrap();
    assert_eq!(job, (1, true), "due, and its claims are held against its tries");
    retry().await.problem(StatusCode::BAD_REQUEST, refused);
    let log = server.get("/api/audit-log?tenant_id=acme&action=delivery.retry").await.is(StatusCode::OK).body;
    assert_eq!((log.as_array().unwrap().len(), &log[0]["object_id"]), (1, &json!(delivery.to_string())));
    tokio::spawn(sending::work(server.app.clone(), server.app.stop.clone()));
    settled(&server, &id, &["delivered"]).await;
    assert_eq!(receiver.hooks().len(), 1);
}

/// While an index is made of it, `deliveries` is read from and not written to.
#[tokio::test]
async fn what_cannot_be_stored_is_not_sent_and_no_try_is_spent() {
    let server = TestServer::start_idle(&[]).await;
    let receiver = Receiver::start().await;
    server.tenant("acme").await;
    route(
        &server,
        json!({"name": "erp", "kind": "webhook", "decisions": ["review"], "settings": {"url": receiver.base}}),
    )
    .await;
    let stop = CancellationToken::new();
    let workers = tokio::spawn(worker::work(server.app.clone(), stop.clone()));
    let email = server.decide("acme", message("a@x.example", "x", "x")).await;
    stop.cancel();
    workers.await.unwrap();
    let mut other = server.database().superuser().await;
    sqlx::raw_sql("BEGIN; LOCK TABLE deliveries IN SHARE MODE").execute(&mut other).await.unwrap();
    tokio::spawn(sending::work(server.app.clone(), server.app.stop.clone()));
    given_back(&server).await;
    assert_eq!(receiver.hooks().len(), 0);
    sqlx::raw_sql("ROLLBACK").execute(&mut other).await.unwrap();
    let email = settled(&server, email["email_id"].as_str().unwrap(), &["delivered"]).await;
    assert_eq!((email["deliveries"][0]["attempts"].as_i64(), receiver.hooks().len()), (Some(1), 1));
}

/// A route may have had any number of deliveries: they are neither rewritten nor waited for, and tell all the same that
/// it is gone.
#[tokio::test]
async fn a_route_goes_without_rewriting_what_was_sent_along_it() {
    let server = TestServer::start().await;
    let receiver = Receiver::answering(|path, _| match path {
        "/gone" => Status::GONE.into_response(),
        _ => Status::OK.into_response(),
    })
    .await;
    server.tenant("acme").await;
    let mut routes = Vec::new();
    for name in ["hook", "gone"] {
        let settings = json!({"url": format!("{}/{name}", receiver.base)});
        let body = json!({"name": name, "kind": "webhook", "decisions": ["review"], "settings": settings});
        routes.push(route(&server, body).await);
    }
    let id = server.receive("acme", message("a@x.example", "x", "x")).await;
    settled(&server, &id, &["delivered", "failed"]).await;
    let found = async |status: &str| {
        let path = format!("/api/emails?tenant_id=acme&delivery={status}");
        server.get(&path).await.is(StatusCode::OK).body.as_array().unwrap().len()
    };
    assert_eq!((found("delivered").await, found("failed").await), (1, 1));
    let mut other = server.database().superuser().await;
    sqlx::raw_sql("BEGIN; SELECT FROM deliveries FOR NO KEY UPDATE").execute(&mut other).await.unwrap();
    for route in &routes {
        let path = format!("/api/routes/{}?tenant_id=acme", route["route_id"]);
        server.delete(&path).await.is(StatusCode::NO_CONTENT);
    }
    sqlx::raw_sql("ROLLBACK").execute(&mut other).await.unwrap();
    let email = server.get(&format!("/api/emails/{id}?tenant_id=acme")).await.is(StatusCode::OK).body;
    let listed = server.get("/api/deliveries?tenant_id=acme").await.is(StatusCode::OK).body;
    for delivery in email["deliveries"].as_array().unwrap().iter().chain(listed.as_array().unwrap()) {
        assert_eq!(delivery["route_id"], Value::Null, "{delivery}");
        assert!(delivery["route_name"].is_string(), "{delivery}");
    }
    let path = format!("/api/deliveries/{}", email["deliveries"][1]["delivery_id"].as_str().unwrap());
    let one = server.get(&format!("{path}?tenant_id=acme")).await.is(StatusCode::OK).body;
    assert_eq!((&one["route_id"], one["payload"].is_object()), (&Value::Null, true));
    let again = server.post(&format!("{path}/retry?tenant_id=acme"), &json!({})).await;
    let deleted = "The route 'gone' was deleted, so this cannot be sent again";
    again.problem(StatusCode::BAD_REQUEST, deleted);
    assert_eq!((found("delivered").await, found("failed").await), (0, 0), "nobody has to see to them");
}

/// However often it was tried: a receiver that is away for a while is nothing to give up for.
#[tokio::test]
async fn many_tries_are_no_reason_to_give_up() {
    let server = TestServer::start_with(&[("DELIVERY_RETRY_BASE_MS", "1")]).await;
    let receiver = Receiver::answering(|_, before| match before {
        0..12 => Status::NOT_FOUND.into_response(),
        _ => Status::OK.into_response(),
    })
    .await;
    server.tenant("acme").await;
    route(
        &server,
        json!({"name": "erp", "kind": "webhook", "decisions": ["review"], "settings": {"url": receiver.base}}),
    )
    .await;
    let id = server.receive("acme", message("a@x.example", "x", "x")).await;
    eventually("it was tried until it arrived", async || {
        // A retry that falls due rings no bell.
        server.app.delivery_bell.notify_one();
        let email = server.get(&format!("/api/emails/{id}?tenant_id=acme")).await.body;
        (email["deliveries"][0]["last_status"] == 200).then_some(())
    })
    .await;
    let email = settled(&server, &id, &["delivered"]).await;
    assert_eq!(email["deliveries"][0]["attempts"], 13);
}

/// What others wait beside it for neither shortens nor lengthens how long one is tried.
#[tokio::test]
async fn what_waits_for_a_receiver_that_is_left_alone_is_given_up_when_its_time_is_over() {
    let server = TestServer::start().await;
    let receiver = Receiver::answering(|_, _| Status::SERVICE_UNAVAILABLE.into_response()).await;
    server.tenant("acme").await;
    route(
        &server,
        json!({"name": "erp", "kind": "webhook", "decisions": ["review"], "settings": {"url": receiver.base}}),
    )
    .await;
    let mut ids = Vec::new();
    for subject in ["old", "older", "new"] {
        ids.push(server.receive("acme", message("a@x.example", subject, "x")).await);
    }
    for id in &ids {
        eventually("it waits", async || {
            let email = server.get(&format!("/api/emails/{id}?tenant_id=acme")).await.body;
            email["deliveries"][0]["note"].as_str()?.starts_with("Waiting: ").then_some(())
        })
        .await;
    }
    let before = receiver.hooks().len();
    for id in &ids[..2] {
        grow_old(&server, id).await;
    }
    for id in &ids[..2] {
        let email = settled(&server, id, &["failed"]).await;
        assert_eq!(email["deliveries"][0]["next_attempt"], Value::Null, "{email:#}");
    }
    settled(&server, &ids[2], &["pending"]).await;
    assert!(receiver.hooks().len() <= before + 2, "a probe or two, at most");
}

/// A delivery of which a worker dies is told from one that was tried often.
#[tokio::test]
async fn what_breaks_off_each_time_is_given_up_however_often_it_was_tried() {
    let server = TestServer::start_idle(&[]).await;
    let receiver = Receiver::start().await;
    server.tenant("acme").await;
    route(
        &server,
        json!({"name": "erp", "kind": "webhook", "decisions": ["review"], "settings": {"url": receiver.base}}),
    )
    .await;
    tokio::spawn(worker::work(server.app.clone(), server.app.stop.clone()));
    let mut ids = Vec::new();
    for subject in ["tried", "broken off"] {
        let email = server.decide("acme", message("a@x.example", subject, "x")).await;
        ids.push(email["email_id"].as_str().unwrap().to_owned());
    }
    let mut conn = server.database().superuser().await;
    sqlx::raw_sql("UPDATE jobs SET attempts = 20 WHERE kind = 'delivery'").execute(&mut conn).await.unwrap();
    sqlx::query("UPDATE deliveries SET attempts = 20 WHERE email_id = $1::uuid")
        .bind(&ids[0])
        .execute(&mut conn)
        .await
        .unwrap();
    let stop = CancellationToken::new();
    let senders = tokio::spawn(sending::work(server.app.clone(), stop.clone()));
    settled(&server, &ids[0], &["delivered"]).await;
    let email = settled(&server, &ids[1], &["failed"]).await;
    assert_eq!(email["deliveries"][0]["note"], "It could not be sent: each try broke off");
    eventually("it is counted", async || {
        let figures = server.get("/metrics").await.is(StatusCode::OK).text;
        let given_up = "flowengine_deliveries_total{kind=\"webhook\",outcome=\"failed\"} 1\n";
        figures.contains(given_up).then_some(())
    })
    .await;
    stop.cancel();
    senders.await.unwrap();
    // Sent again by a person, what was tried often is held to the same.
    sqlx::query("UPDATE deliveries SET attempts = 80 WHERE email_id = $1::uuid")
        .bind(&ids[1])
        .execute(&mut conn)
        .await
        .unwrap();
    let path = format!(
        "/api/deliveries/{}/retry?tenant_id=acme",
        email["deliveries"][0]["delivery_id"].as_str().unwrap()
    );
    server.post(&path, &json!({})).await.is(StatusCode::ACCEPTED);
    let claims = "UPDATE jobs SET attempts = attempts + 11 WHERE kind = 'delivery' RETURNING attempts";
    let claims: i32 = sqlx::query_scalar(claims).fetch_one(&mut conn).await.unwrap();
    assert_eq!(claims, 91);
    tokio::spawn(sending::work(server.app.clone(), server.app.stop.clone()));
    let email = settled(&server, &ids[1], &["failed"]).await;
    assert_eq!(email["deliveries"][0]["attempts"], 80);
}

/// It is the server's fault, which is mended by its next start, or which others do not have.
#[tokio::test]
async fn a_server_with_another_key_gives_no_webhook_up() {
    let server = TestServer::start_idle(&[]).await;
    let receiver = Receiver::start().await;
    let tenant = server.tenant("acme").await;
    route(
        &server,
        json!({"name": "erp", "kind": "webhook", "decisions": ["review"], "settings": {"url": receiver.base}}),
    )
    .await;
    let id = server.receive("acme", message("a@x.example", "x", "x")).await;
    worker::process_now(&server.app, &tenant, id.parse().unwrap()).await.unwrap().unwrap();
    let stop = CancellationToken::new();
    let senders = tokio::spawn(sending::work(server.app_with(Vault::new([9; 32])), stop.clone()));
    eventually("it waits, and no try is spent", async || {
        let email = server.get(&format!("/api/emails/{id}?tenant_id=acme")).await.is(StatusCode::OK).body;
        let delivery = &email["deliveries"][0];
        let is_told = delivery["note"].as_str()?.contains("(ENCRYPTION_KEY)");
        (is_told && delivery["status"] == "pending" && delivery["attempts"] == 0).then_some(())
    })
    .await;
    stop.cancel();
    senders.await.unwrap();
    assert_eq!(receiver.hooks().len(), 0);
    let mut conn = server.database().superuser().await;
    sqlx::raw_sql("UPDATE jobs SET run_at = now()").execute(&mut conn).await.unwrap();
    tokio::spawn(sending::work(server.app.clone(), server.app.stop.clone()));
    settled(&server, &id, &["delivered"]).await;
}

#[tokio::test]
async fn a_webhook_gets_nowhere_that_look_ups_do_not() {
    let server = TestServer::start_with(&[("LOOKUP_ALLOW_NETWORKS", "127.0.0.2/32")]).await;
    server.tenant("acme").await;
    let hook = |url: &str| json!({"name": url, "kind": "webhook", "decisions": ["review"], "settings": {"url": url}});
    for url in [
        "http://169.254.169.254/latest/meta-data",
        "http://10.0.0.1/",
        "http://127.0.0.1:80/",
        "http://[::1]/",
        "http://[::ffff:169.254.169.254]/",
        "http://0x7f000001/",
        "http://2130706433/",
    ] {
        let refused = server.post("/api/routes?tenant_id=acme", &hook(url)).await;
        assert_eq!(refused.is(StatusCode::UNPROCESSABLE_ENTITY).fields(), ["settings.url"], "{url}");
    }
    // A name is resolved when it is sent to.
    route(&server, hook("http://localhost:1/")).await;
    let id = server.receive("acme", message("a@x.example", "x", "x")).await;
    let email = settled(&server, &id, &["failed"]).await;
    let note = email["deliveries"][0]["note"].as_str().unwrap();
    assert!(note.contains("private, local or reserved address"), "{note}");
    assert_eq!(email["deliveries"][0]["attempts"], 1);
}

#[tokio::test]
async fn a_forward_carries_the_original_and_a_reply_is_marked() {
    let relay = Relay::start();
    let server = TestServer::start_with(&[("SMTP_URL", &relay.url()), SMTP_FROM]).await;
    server.tenant("acme").await;
    let intent = intent(&server).await;
    route(&server, json!({
        "name": "to the desk", "intent_id": intent, "kind": "forward", "decisions": ["accepted"],
        "settings": {"to": ["desk@acme.example", "boss@acme.example"], "subject": "Order {{order_number}}: {{subject}}", "note": "From {{sender_email}}"}
    })).await;
    route(
        &server,
        json!({
            "name": "answer", "intent_id": intent, "kind": "reply", "decisions": ["rejected", "accepted"],
            "settings": {"body": "Dear {{sender_name}},\nwe have it.", "from_name": "Acme Orders"}
        }),
    )
    .await;
    let raw = "From: =?utf-8?q?Zo=C3=AB?= <zoe@x.example>\r\nTo: service@acme.example\r\nSubject: order 7 =?utf-8?q?=0D=0ABcc=3A_evil=40d.example?=\r\n\
               Message-ID: <m1@x.example>\r\nReferences: <a0@x.example>\r\n <m0@x.example>\r\n\r\n.\r\n..leading dots\r\nHello\r\n";
    let id = server.receive("acme", raw).await;
    let email = settled(&server, &id, &["delivered", "delivered"]).await;
    let mails = relay.mails();
    let forward = mails.iter().find(|mail| mail.to.len() == 2).unwrap();
    assert_eq!(forward.from, "flow@acme.example");
    assert_eq!(forward.to, ["desk@acme.example", "boss@acme.example"]);
    let text = forward.text();
    assert!(text.contains("Content-Type: message/rfc822\r\n"), "{text}");
    assert!(text.contains(raw), "byte for byte: {text}");
    assert!(text.contains("Reply-To: zoe@x.example\r\n") && text.contains("From zoe@x.example"), "{text}");
    assert!(
        text.contains("X-FlowEngine-Loop: ") && text.contains("Auto-Submitted: auto-generated\r\n"),
        "{text}"
    );
    let (head, _) = text.split_once("\r\n\r\n").unwrap();
    assert!(!head.lines().any(|line| line.to_lowercase().starts_with("bcc")), "{head}");
    let reply = mails.iter().find(|mail| mail.to == ["zoe@x.example"]).unwrap();
    assert_eq!(reply.from, "", "nobody's, so that no machine answers it");
    let text = reply.text();
    for line in [
        "Auto-Submitted: auto-replied\r\n",
        "In-Reply-To: <m1@x.example>\r\n",
        "References: <a0@x.example> <m0@x.example> <m1@x.example>\r\n",
        "From: \"Acme Orders\" <flow@acme.example>\r\n",
        "To: zoe@x.example\r\n",
    ] {
        assert!(text.contains(line), "{line} in {text}");
    }
    let answer = email["deliveries"].as_array().unwrap().iter().find(|d| d["kind"] == "reply").unwrap();
    let message_id = format!("Message-ID: <{}@acme.example>", answer["delivery_id"].as_str().unwrap());
    assert!(text.contains(&message_id), "{text}");
    // Our own mail that comes back is recognised, and so is a machine's.
    let own = text.lines().find(|line| line.starts_with("X-FlowEngine-Loop")).unwrap().to_owned();
    for (header, why) in [
        (own.as_str(), "Not sent: FlowEngine sent it itself: it goes in circles"),
        ("Auto-Submitted: auto-replied", "Not sent: it was sent by a machine (Auto-Submitted)"),
        ("List-Id: <l.x.example>", "Not sent: it came by a mailing list (List-*)"),
    ] {
        let raw = message("zoe@x.example", "order 8!", "x").replacen(
            "Subject:",
            &format!("{header}\r\nSubject:"),
            1,
        );
        let id = server.receive("acme", raw).await;
        let email = settled(&server, &id, &["cancelled"]).await;
        assert_eq!(email["decision"], "rejected");
        assert_eq!(email["deliveries"][0]["note"], why);
    }
    assert_eq!(relay.mails().len(), 2);
}

/// What comes back to a mail that FlowEngine sent comes to the tenant that sent it, or to nobody.
#[tokio::test]
async fn what_comes_back_to_a_mail_comes_to_no_other_tenant() {
    let relay = Relay::start();
    let server = TestServer::start_idle(&[("SMTP_URL", &relay.url()), SMTP_FROM]).await;
    let tenant = server.tenant("acme").await;
    let answer = json!({"name": "answer", "kind": "reply", "decisions": ["review"], "settings": {"body": "We have it."}});
    route(&server, answer).await;
    let id = server.receive("acme", message("Docs <d+MTA4Nzk1@Docs.example>", "x", "x")).await;
    let mut conn = server.database().superuser().await;
    // As by SMTP.
    sqlx::query("UPDATE emails SET envelope = $1")
        .bind(json!({"mailbox": "orders", "to": ["flow@acme.example", "Orders@acme.example"]}))
        .execute(&mut conn)
        .await
        .unwrap();
    worker::process_now(&server.app, &tenant, id.parse().unwrap()).await.unwrap().unwrap();
    tokio::spawn(sending::work(server.app.clone(), server.app.stop.clone()));
    settled(&server, &id, &["delivered"]).await;
    let reply = relay.mails().remove(0);
    assert_eq!((reply.from.as_str(), reply.to.as_slice()), ("", &["d+MTA4Nzk1@docs.example".to_owned()][..]));
    assert!(reply.text().contains("Reply-To: Orders@acme.example\r\n"), "{}", reply.text());
    // A link stands in it.
    let input = json!({"email": "ada@acme.example", "role": "viewer"});
    let made = server.post("/api/members?tenant_id=acme", &input).await.is(StatusCode::CREATED).body;
    assert_eq!(made["mailed"], true, "{made:#}");
    let notice = relay.mails().remove(1);
    assert_eq!((notice.from.as_str(), notice.to.as_slice()), ("", &["ada@acme.example".to_owned()][..]));
}

/// Whoever answers a reply writes to where the tenant reads mail, and to nobody whom a stranger named.
#[tokio::test]
async fn an_answer_to_a_reply_comes_back_to_the_tenant() {
    let relay = Relay::start();
    let server = TestServer::start_idle(&[("SMTP_URL", &relay.url()), SMTP_FROM]).await;
    let tenant = server.tenant("acme").await;
    server.tenant("globex").await;
    for (tenant, domains, addresses) in [
        ("acme", vec!["acme.example", "shop.example"], vec!["orders@acme.example", "*@shop.example"]),
        ("globex", vec!["globex.example"], vec!["desk@globex.example"]),
    ] {
        let domains = json!({"domains": domains});
        server.put(&format!("/api/mail-domains?tenant_id={tenant}"), &domains).await.is(StatusCode::OK);
        for address in addresses {
            let mailbox = json!({"name": address, "kind": "smtp", "address": address});
            let made = server.post(&format!("/api/mailboxes?tenant_id={tenant}"), &mailbox).await;
            made.is(StatusCode::CREATED);
        }
    }
    for name in ["Inbox@mail.example", "unseen@mail.example", "orders"] {
        let account = json!({"host": "imap.mail.example", "username": name, "password": "battery"});
        let mailbox = json!({"name": name, "kind": "imap", "imap": account});
        server.post("/api/mailboxes?tenant_id=acme", &mailbox).await.is(StatusCode::CREATED);
    }
    let mut conn = server.database().superuser().await;
    let seen = "UPDATE mailbox_heartbeats SET last_seen_at = now() WHERE mailbox_id IN ( \
                SELECT mailbox_id FROM mailboxes WHERE imap ->> 'username' <> 'unseen@mail.example')";
    sqlx::raw_sql(seen).execute(&mut conn).await.unwrap();
    let answer = json!({"name": "answer", "kind": "reply", "decisions": ["review"], "settings": {"body": "We have it."}});
    route(&server, answer).await;
    tokio::spawn(sending::work(server.app.clone(), server.app.stop.clone()));
    for (account, to, answers_to) in [
        (None, "Zoe <zoe@y.example>, Orders <Orders@Acme.example>", Some("Orders@acme.example")),
        (None, "orders+42@acme.example", Some("orders+42@acme.example")),
        (None, "any@shop.example", Some("any@shop.example")),
        (None, "inbox@mail.example", Some("inbox@mail.example")),
        (None, "flow@acme.example, orders@acme.example", Some("orders@acme.example")),
        (None, "unseen@mail.example", None),
        (None, "someone@evil.example", None),
        (None, "desk@globex.example", None),
        // To an alias, or sent on.
        (Some("Inbox@mail.example"), "someone@evil.example", Some("Inbox@mail.example")),
        (Some("Inbox@mail.example"), "INBOX@mail.example", Some("INBOX@mail.example")),
        (Some("orders"), "someone@evil.example", None),
        (Some("orders"), "orders@acme.example", Some("orders@acme.example")),
    ] {
        let raw =
            message("ann@x.example", to, "x").replacen("To: service@acme.example", &format!("To: {to}"), 1);
        let dry = json!({"message": {"raw": raw}});
        let id = server.receive("acme", raw).await;
        if let Some(name) = account {
            // As by IMAP.
            let fetched = "UPDATE emails SET envelope = '{\"mailbox\": \"x\"}', mailbox_id = ( \
                           SELECT mailbox_id FROM mailboxes WHERE imap ->> 'username' = $2) WHERE email_id = $1::uuid";
            sqlx::query(fetched).bind(&id).bind(name).execute(&mut conn).await.unwrap();
        } else {
            let dry = server.post("/api/emails/dry-run?tenant_id=acme", &dry).await.is(StatusCode::OK).body;
            assert_eq!(dry["deliveries"][0]["payload"]["reply_to"], json!(answers_to), "{to}");
        }
        worker::process_now(&server.app, &tenant, id.parse().unwrap()).await.unwrap().unwrap();
        settled(&server, &id, &["delivered"]).await;
        let mail = relay.mails().pop().unwrap();
        let text = mail.text();
        let found = text.lines().find_map(|line| line.strip_prefix("Reply-To: "));
        assert_eq!(found, answers_to, "{account:?} {to}");
    }
}

#[tokio::test]
async fn bytes_that_smtp_would_change_are_forwarded_as_a_file_and_a_relay_may_refuse() {
    let relay = Relay::start();
    let server = TestServer::start_with(&[("SMTP_URL", &relay.url()), SMTP_FROM]).await;
    server.tenant("acme").await;
    route(&server, json!({"name": "desk", "kind": "forward", "decisions": ["review"], "settings": {"to": ["desk@acme.example"]}})).await;
    let raw = b"From: a@x.example\nSubject: bare\n\nx\n.\nMAIL FROM:<evil@x.example>\r\n\xff\xfe".to_vec();
    let id = server.receive("acme", raw.clone()).await;
    settled(&server, &id, &["delivered"]).await;
    let mail = relay.mails().remove(0);
    let text = mail.text();
    let encoded: String = text
        .rsplit_once("base64\r\n\r\n")
        .unwrap()
        .1
        .lines()
        .take_while(|line| !line.starts_with("--"))
        .collect();
    assert_eq!(BASE64_STANDARD.decode(encoded).unwrap(), raw, "{text}");
    assert!(!text.contains("\n.\nMAIL"), "nothing is smuggled");
    for (code, text, status, attempts) in [(550, "no such user", "failed", 1), (450, "later", "pending", 0)] {
        relay.refuse(Some((code, text)));
        let id = server.receive("acme", message("a@x.example", text, "x")).await;
        if status == "failed" {
            let email = settled(&server, &id, &["failed"]).await;
            assert_eq!(email["deliveries"][0]["attempts"], attempts);
            assert_eq!(email["deliveries"][0]["last_status"], 550);
        } else {
            eventually("it was tried and waits", async || {
                let email = server.get(&format!("/api/emails/{id}?tenant_id=acme")).await.body;
                (email["deliveries"][0]["last_status"] == 450).then_some(())
            })
            .await;
            relay.refuse(None);
            settled(&server, &id, &["delivered"]).await;
        }
    }
}

#[tokio::test]
async fn labels_follow_the_decision_and_narrow_the_list() {
    let server = TestServer::start().await;
    server.tenant("acme").await;
    let intent = intent(&server).await;
    for (name, decisions, label) in
        [("ok", json!(["accepted"]), "order {{order_number}}"), ("no", json!(["rejected"]), "look closer")]
    {
        route(&server, json!({"name": name, "intent_id": intent, "kind": "label", "decisions": decisions, "settings": {"label": label}})).await;
    }
    let email = server.decide("acme", message("a@x.example", "order 12", "x")).await;
    assert_eq!(email["labels"], json!(["order 12"]));
    let list = server.get("/api/emails?tenant_id=acme&label=order+12").await.body;
    assert_eq!(list[0]["labels"], json!(["order 12"]));
    assert_eq!(server.get("/api/emails?tenant_id=acme&label=other").await.body, json!([]));
    let path = format!("/api/emails/{}/decision?tenant_id=acme", email["email_id"].as_str().unwrap());
    let decided = server.post(&path, &json!({"decision": "rejected"})).await.is(StatusCode::OK).body;
    assert_eq!(decided["labels"], json!(["look closer"]));
    // What was done is not written anew; that it is undone is told with it.
    let id = email["email_id"].as_str().unwrap();
    let off = async || {
        let path = format!("/api/emails/{id}?tenant_id=acme");
        let email = server.get(&path).await.is(StatusCode::OK).body;
        let told = email["deliveries"].as_array().unwrap().iter();
        let told = told.map(|d| (d["status"] == "delivered", d["label_is_off"].as_bool().unwrap()));
        told.collect::<Vec<_>>()
    };
    assert_eq!(off().await, [(true, true), (true, false)]);
    let mut conn = server.database().superuser().await;
    sqlx::raw_sql("DELETE FROM email_labels").execute(&mut conn).await.unwrap();
    assert_eq!(off().await, [(true, true), (true, true)], "a person took it off");
    let email = server.post(&path, &json!({"decision": "review"})).await.is(StatusCode::OK).body;
    assert_eq!(email["labels"], json!([]));
}

/// Done once for an outcome, whatever else is changed meanwhile.
#[tokio::test]
async fn a_new_name_sends_nothing_again_and_a_correction_holds_for_a_decision() {
    let server = TestServer::start().await;
    let receiver = Receiver::start().await;
    server.tenant("acme").await;
    let orders = intent(&server).await;
    let other = server.post("/api/intents?tenant_id=acme", &json!({"name": "Other"})).await.id("intent_id");
    for (name, of) in [("orders", orders), ("other", other)] {
        let url = format!("{}/{name}", receiver.base);
        route(&server, json!({"name": name, "intent_id": of, "kind": "webhook", "decisions": ["accepted"], "settings": {"url": url}})).await;
    }
    let id = server.receive("acme", message("a@x.example", "order 7", "x")).await;
    let email = settled(&server, &id, &["delivered"]).await;
    let mut renamed = server.get(&format!("/api/intents/{orders}?tenant_id=acme")).await.body;
    renamed["name"] = "Purchases".into();
    server.put(&format!("/api/intents/{orders}?tenant_id=acme"), &renamed).await.is(StatusCode::OK);
    let reprocess = format!("/api/emails/{id}/reprocess?tenant_id=acme");
    server.post(&reprocess, &json!({})).await.is(StatusCode::ACCEPTED);
    let again = eventually("it is run again", async || {
        let found = server.get(&format!("/api/emails/{id}?tenant_id=acme")).await.body;
        (found["status"] == "done" && found["run"] == 2).then_some(found)
    })
    .await;
    assert_eq!((&again["intent"]["name"], &again["deliveries"]), (&json!("Purchases"), &email["deliveries"]));
    // Corrected and decided before it was run again: the routes are those of the right intent.
    let idle = TestServer::start_idle(&[]).await;
    idle.tenant("acme").await;
    let orders = intent(&idle).await;
    let other = idle.post("/api/intents?tenant_id=acme", &json!({"name": "Other"})).await.id("intent_id");
    for (name, of) in [("orders", orders), ("other", other)] {
        route(&idle, json!({"name": name, "intent_id": of, "kind": "label", "decisions": ["accepted"], "settings": {"label": name}})).await;
    }
    let id = idle.receive("acme", message("a@x.example", "order 7", "x")).await;
    let post = async |what: &str, body: Value| {
        idle.post(&format!("/api/emails/{id}/{what}?tenant_id=acme"), &body).await
    };
    post("intent", json!({"intent_id": other})).await.is(StatusCode::ACCEPTED);
    let email = post("decision", json!({"decision": "accepted"})).await.is(StatusCode::OK).body;
    assert_eq!(email["intent"], json!({"intent_id": other, "name": "Other"}));
    assert_eq!(email["labels"], json!(["other"]));
}

/// What a stranger writes cannot keep a message from its decision.
/// What was called off before it left tells the receiver nothing: what they were told before still stands.
#[tokio::test]
async fn what_is_told_already_is_not_told_again_after_a_decision_that_was_called_off() {
    let server = TestServer::start().await;
    let receiver = Receiver::start().await;
    server.tenant("acme").await;
    intent(&server).await;
    let settings = json!({"url": format!("{}/hook", receiver.base)});
    route(
        &server,
        json!({"name": "erp", "kind": "webhook", "decisions": ["rejected", "accepted"], "settings": settings}),
    )
    .await;
    let key = server.key_of("acme", Role::Operator).await;
    let say = async |function: &str, body: Value| {
        let request = server.request(Method::POST, &format!("/ui/emails/{function}"), Some(&key)).json(&body);
        Answer::of(request.send().await.unwrap()).await.is(StatusCode::OK).body
    };
    for is_taken_back in [true, false] {
        let told = receiver.hooks().len();
        let id = server.receive("acme", message("zoe@x.example", "order 7", "where is it")).await;
        settled(&server, &id, &["delivered"]).await;
        let decide =
            |decision: &str| json!({"tenant_id": "acme", "ids": [id], "decision": decision, "note": ""});
        let said = say("decide-many", decide("rejected")).await;
        if is_taken_back {
            say("take-back", json!({"tenant_id": "acme", "ids": [id], "word": said["word"]})).await;
        } else {
            say("decide-many", decide("accepted")).await;
        }
        let email = settled(&server, &id, &["delivered", "cancelled"]).await;
        assert_eq!(email["decision"], "accepted");
        assert_eq!(receiver.hooks().len(), told + 1, "{is_taken_back}");
    }
}

/// The last that a receiver hears is how the message is decided, whatever routes it went along.
#[tokio::test]
async fn who_was_told_otherwise_along_another_route_is_told_again_and_nobody_else() {
    let (relay, receiver) = (Relay::start(), Receiver::start().await);
    let server = TestServer::start_with(&[("SMTP_URL", &relay.url()), SMTP_FROM]).await;
    server.tenant("acme").await;
    let intent = intent(&server).await;
    for (name, kind, decision, settings) in [
        ("yes", "reply", "accepted", json!({"body": "yes"})),
        ("no", "reply", "rejected", json!({"body": "no"})),
        ("erp", "webhook", "accepted", json!({"url": receiver.base})),
    ] {
        route(&server, json!({"name": name, "intent_id": intent, "kind": kind, "decisions": [decision], "settings": settings})).await;
    }
    let id = server.receive("acme", message("zoe@x.example", "order 7", "x")).await;
    settled(&server, &id, &["delivered", "delivered"]).await;
    for (decision, sent) in
        [("rejected", 3), ("accepted", 4), ("accepted", 4), ("rejected", 5), ("accepted", 6)]
    {
        let path = format!("/api/emails/{id}/decision?tenant_id=acme");
        server.post(&path, &json!({"decision": decision})).await.is(StatusCode::OK);
        settled(&server, &id, &vec!["delivered"; sent]).await;
    }
    let reprocess = format!("/api/emails/{id}/reprocess?tenant_id=acme");
    server.post(&reprocess, &json!({})).await.is(StatusCode::ACCEPTED);
    settled(&server, &id, &["delivered"; 6]).await;
    let mails = relay.mails();
    let said = |text: &str| if text.contains("\r\n\r\nyes") { "yes" } else { "no" };
    let told: Vec<&str> = mails.iter().map(|mail| said(&mail.text())).collect();
    assert_eq!(told, ["yes", "no", "yes", "no", "yes"]);
    // What only hears of accepted messages has heard all there is.
    assert_eq!(receiver.hooks().len(), 1);
}

/// What many tenants of a service post to has one host, and as many receivers as addresses.
#[tokio::test]
async fn a_receiver_is_not_told_again_for_what_another_one_on_its_host_was_told() {
    let (server, receiver) = (TestServer::start().await, Receiver::start().await);
    server.tenant("acme").await;
    let intent = intent(&server).await;
    for (name, decision, path) in [
        ("yes", "accepted", "yes"),
        ("no", "rejected", "no"),
        ("both, yes", "accepted", "both"),
        ("both, no", "rejected", "both"),
    ] {
        let url = format!("{}/{path}", receiver.base);
        route(&server, json!({"name": name, "intent_id": intent, "kind": "webhook", "decisions": [decision], "settings": {"url": url}})).await;
    }
    let id = server.receive("acme", message("zoe@x.example", "order 7", "x")).await;
    settled(&server, &id, &["delivered"; 2]).await;
    for (decision, sent) in [("rejected", 4), ("accepted", 5), ("rejected", 6)] {
        let path = format!("/api/emails/{id}/decision?tenant_id=acme");
        server.post(&path, &json!({"decision": decision})).await.is(StatusCode::OK);
        settled(&server, &id, &vec!["delivered"; sent]).await;
    }
    let hooks = receiver.hooks();
    let told = |path: &str| hooks.iter().filter(|hook| hook.path == path).count();
    assert_eq!((told("/yes"), told("/no"), told("/both")), (1, 1, 4));
}

#[tokio::test]
async fn of_a_forwards_recipients_only_those_who_were_told_otherwise_get_it_again() {
    let relay = Relay::start();
    let server = TestServer::start_with(&[("SMTP_URL", &relay.url()), SMTP_FROM]).await;
    server.tenant("acme").await;
    let intent = intent(&server).await;
    let (desk, boss, other_boss) = ("desk@acme.example", "boss@acme.example", "Boss@acme.example");
    for (decision, to) in
        [("accepted", vec![desk, boss]), ("rejected", vec![other_boss]), ("review", vec![desk])]
    {
        route(&server, json!({"name": decision, "intent_id": intent, "kind": "forward", "decisions": [decision], "settings": {"to": to}})).await;
    }
    let id = server.receive("acme", message("zoe@x.example", "order 7", "x")).await;
    let mut expected = vec![vec![desk, boss]];
    settled(&server, &id, &["delivered"]).await;
    for (decision, to) in [
        ("rejected", other_boss),
        ("accepted", boss),
        ("rejected", other_boss),
        ("accepted", boss),
        // Only now does the other one hear of anything else.
        ("review", desk),
        ("accepted", desk),
    ] {
        let path = format!("/api/emails/{id}/decision?tenant_id=acme");
        server.post(&path, &json!({"decision": decision})).await.is(StatusCode::OK);
        expected.push(vec![to]);
        settled(&server, &id, &vec!["delivered"; expected.len()]).await;
    }
    let mails = relay.mails();
    assert_eq!(mails.iter().map(|mail| mail.to.clone()).collect::<Vec<_>>(), expected);
    assert!(mails.last().unwrap().text().contains("desk@acme.example, boss@acme.example"));
}

/// A corrected address holds for what waits. Whoever gets something else along the route now does not get that.
#[tokio::test]
async fn what_waits_for_a_route_does_not_go_to_whom_the_route_leads_for_something_else() {
    const CHANGED: &str = "The route was changed, and is not for this any more";
    let server = TestServer::start().await;
    let receiver = Receiver::answering(|path, _| match path {
        // Not as one that is away, which would be left alone.
        "/later" => Status::NOT_FOUND.into_response(),
        "/gone" => Status::GONE.into_response(),
        _ => Status::OK.into_response(),
    })
    .await;
    server.tenant("acme").await;
    let orders = intent(&server).await;
    let other = server.post("/api/intents?tenant_id=acme", &json!({"name": "Other"})).await.id("intent_id");
    let hook = |path: &str, intent: Option<i64>, decision: &str| {
        let settings = json!({"url": format!("{}{path}", receiver.base)});
        json!({"name": "erp", "intent_id": intent, "kind": "webhook", "decisions": [decision], "settings": settings})
    };
    let as_before = |path: &str| hook(path, Some(orders), "accepted");
    let made = route(&server, as_before("/later")).await;
    let put = async |body: Value| {
        let path = format!("/api/routes/{}?tenant_id=acme", made["route_id"]);
        server.put(&path, &body).await.is(StatusCode::OK);
    };
    let waiting = async || {
        put(as_before("/later")).await;
        let id = server.receive("acme", message("a@x.example", "order 7", "x")).await;
        eventually("it was tried, and waits", async || {
            let email = server.get(&format!("/api/emails/{id}?tenant_id=acme")).await.body;
            (email["deliveries"][0]["last_status"] == 404).then_some(())
        })
        .await;
        id
    };
    for changed in [hook("/other", Some(orders), "rejected"), hook("/other", Some(other), "accepted")] {
        let id = waiting().await;
        put(changed).await;
        let email = settled(&server, &id, &["cancelled"]).await;
        assert_eq!(email["deliveries"][0]["note"], CHANGED);
    }
    for corrected in [as_before("/right"), hook("/right", None, "accepted")] {
        let id = waiting().await;
        put(corrected).await;
        settled(&server, &id, &["delivered"]).await;
    }
    // Changed past those that would call it off, as by one that decided meanwhile.
    let id = waiting().await;
    let mut conn = server.database().superuser().await;
    sqlx::raw_sql("UPDATE routes SET decisions = '{rejected}'").execute(&mut conn).await.unwrap();
    let email = settled(&server, &id, &["cancelled"]).await;
    assert_eq!(email["deliveries"][0]["note"], CHANGED);
    // What was given up is not sent there by hand either, nor is it a person's to see to.
    put(as_before("/gone")).await;
    let id = server.receive("acme", message("a@x.example", "order 7", "x")).await;
    let email = settled(&server, &id, &["failed"]).await;
    let given_up =
        async || server.get("/api/emails?tenant_id=acme&delivery=failed").await.is(StatusCode::OK).body;
    assert_eq!(given_up().await[0]["email_id"], id.as_str());
    put(hook("/other", Some(orders), "rejected")).await;
    let delivery = email["deliveries"][0]["delivery_id"].as_str().unwrap();
    let retry = format!("/api/deliveries/{delivery}/retry?tenant_id=acme");
    server.post(&retry, &json!({})).await.problem(StatusCode::BAD_REQUEST, CHANGED);
    assert_eq!(given_up().await, json!([]));
    assert!(receiver.hooks().iter().all(|hook| hook.path != "/other"));
}

#[tokio::test]
async fn an_endless_address_is_not_answered_and_holds_nothing_up() {
    let relay = Relay::start();
    let server = TestServer::start_with(&[("SMTP_URL", &relay.url()), SMTP_FROM]).await;
    server.tenant("acme").await;
    route(
        &server,
        json!({"name": "answer", "kind": "reply", "decisions": ["review"], "settings": {"body": "Hello"}}),
    )
    .await;
    let random: String = (0..4_000).map(|_| char::from(rand::random_range(b'a'..=b'z'))).collect();
    let raw = message("a@x.example", "x", "x").replacen(
        "Subject:",
        &format!("Reply-To: {random}@x.example\r\nSubject:"),
        1,
    );
    let id = server.receive("acme", raw).await;
    let email = settled(&server, &id, &["cancelled"]).await;
    assert_eq!(email["deliveries"][0]["note"], "Not sent: it has no address to answer to");
    // One mailbox is one address, whatever stands after a plus, and is answered so often and no more.
    for i in 0..21 {
        let id = server.receive("acme", message(&format!("a+{i}@y.example"), &format!("{i}"), "x")).await;
        let expected = if i < 20 { "delivered" } else { "cancelled" };
        settled(&server, &id, &[expected]).await;
    }
    assert_eq!(relay.mails().len(), 20);
}

#[tokio::test]
async fn bad_routes_are_refused_and_told_why() {
    let server = TestServer::start_idle(&[]).await;
    server.tenant("acme").await;
    let intent = intent(&server).await;
    let path = "/api/routes?tenant_id=acme";
    let label = |change: &dyn Fn(&mut Value)| {
        let mut body =
            json!({"name": "l", "kind": "label", "decisions": ["review"], "settings": {"label": "x"}});
        change(&mut body);
        body
    };
    let made = route(&server, label(&|_| {})).await;
    for (body, field) in [
        (label(&|b| b["name"] = "".into()), "name"),
        (label(&|b| b["decisions"] = json!([])), "decisions"),
        (label(&|b| b["decisions"] = json!(["maybe"])), "decisions[0]"),
        (label(&|b| b["kind"] = "fax".into()), "kind"),
        (label(&|b| b["settings"] = json!({})), "settings.label"),
        (label(&|b| b["settings"] = json!({"label": "{{order_number}}"})), "settings.label"),
        (label(&|b| b["settings"] = json!({"label": "x", "url": "y"})), "settings.url"),
        (label(&|b| b["colour"] = "red".into()), "colour"),
        (label(&|b| b["tenant_id"] = "globex".into()), "tenant_id"),
        (label(&|b| b["name"] = "a\0b".into()), "name"),
    ] {
        let answer = server.post(path, &body).await.is(StatusCode::UNPROCESSABLE_ENTITY);
        assert_eq!(answer.fields(), [field], "{body}");
    }
    server.post(path, &label(&|_| {})).await.problem(StatusCode::CONFLICT, "Route 'l' already exists");
    server
        .post(path, &label(&|b| b["intent_id"] = 99.into()))
        .await
        .problem(StatusCode::BAD_REQUEST, "Invalid intent");
    let mail =
        json!({"name": "m", "kind": "forward", "decisions": ["review"], "settings": {"to": ["a@b.example"]}});
    server.post(path, &mail).await.problem(
        StatusCode::BAD_REQUEST,
        "This installation sends no mail: its administrator must set SMTP_URL and SMTP_FROM",
    );
    let id = format!("/api/routes/{}?tenant_id=acme", made["route_id"]);
    let hook = json!({"name": "l", "kind": "webhook", "decisions": ["review"], "settings": {"url": "https://a.example"}});
    assert_eq!(server.put(&id, &hook).await.is(StatusCode::UNPROCESSABLE_ENTITY).fields(), ["kind"]);
    // An extractor that a route needs cannot go.
    route(
        &server,
        label(&|b| {
            b["name"] = "n".into();
            b["intent_id"] = intent.into();
            b["settings"] = json!({"label": "{{order_number}}"});
        }),
    )
    .await;
    let answer =
        server.put(&format!("/api/intents/{intent}?tenant_id=acme"), &json!({"name": "Orders"})).await;
    assert_eq!(answer.is(StatusCode::UNPROCESSABLE_ENTITY).fields(), ["extractors"]);
}

#[tokio::test]
async fn a_header_value_is_kept_by_its_mask_but_never_for_another_address() {
    let server = TestServer::start_idle(&[]).await;
    server.tenant("acme").await;
    let hook = |url: &str, value: &str| json!({"name": "erp", "kind": "webhook", "decisions": ["review"], "settings": {"url": url, "headers": {"X-Key": value}}});
    let made = route(&server, hook("https://a.example/1", "s3cret")).await;
    let mask = made["settings"]["headers"]["X-Key"].as_str().unwrap();
    let path = format!("/api/routes/{}?tenant_id=acme", made["route_id"]);
    server.put(&path, &hook("https://a.example/2", mask)).await.is(StatusCode::OK);
    let moved = server.put(&path, &hook("https://evil.example/", mask)).await;
    assert_eq!(moved.is(StatusCode::UNPROCESSABLE_ENTITY).fields(), ["settings.headers.X-Key"]);
    // An empty one is none.
    let mut other = hook("https://a.example/2", "");
    let refused = server.put(&path, &other).await;
    refused.problem(StatusCode::UNPROCESSABLE_ENTITY, "settings.headers.X-Key: must be entered");
    other["name"] = "other".into();
    let refused = server.post("/api/routes?tenant_id=acme", &other).await;
    assert_eq!(refused.is(StatusCode::UNPROCESSABLE_ENTITY).fields(), ["settings.headers.X-Key"]);
    let editor = server.key_of("acme", Role::Editor).await;
    let as_editor = async |url: &str, value: &str| {
        let request = server.request(Method::PUT, &path, Some(&editor)).json(&hook(url, value));
        Answer::of(request.send().await.unwrap()).await.status
    };
    assert_eq!(as_editor("https://a.example/3", mask).await, StatusCode::OK);
    assert_eq!(as_editor("https://a.example/3", "other").await, StatusCode::FORBIDDEN, "a credential");
    let viewer = server.key_of("acme", Role::Viewer).await;
    for (path, key, url) in [
        (path.as_str(), &viewer, "https://a.example/********"),
        (path.as_str(), &editor, "https://a.example/3"),
    ] {
        let answer = Answer::of(server.request(Method::GET, path, Some(key)).send().await.unwrap()).await;
        assert_eq!(answer.is(StatusCode::OK).body["settings"]["url"], url);
    }
    for (method, path) in [
        (Method::POST, "/api/routes?tenant_id=acme".to_owned()),
        (Method::PUT, path.clone()),
        (Method::DELETE, path.clone()),
        (Method::POST, path.replace('?', "/rotate-secret?")),
    ] {
        let request = server.request(method.clone(), &path, Some(&viewer));
        let answer = Answer::of(request.json(&hook("https://a.example", "x")).send().await.unwrap()).await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN, "{method} {path}");
    }
}

/// Who may not see the address may hand the route on to somebody who changes it.
#[tokio::test]
async fn an_address_that_was_read_masked_stays_as_it_is_when_the_route_is_put_back() {
    let server = TestServer::start_idle(&[]).await;
    server.tenant("acme").await;
    let url = "https://a.example/s3cret-path?key=1";
    let hook = |url: &str| json!({"name": "erp", "kind": "webhook", "decisions": ["review"], "settings": {"url": url, "headers": {"X-Key": "s3cret"}}});
    let made = route(&server, hook(url)).await;
    let path = format!("/api/routes/{}?tenant_id=acme", made["route_id"]);
    let editor = server.key_of("acme", Role::Editor).await;
    let put = async |body: &Value| {
        Answer::of(server.request(Method::PUT, &path, Some(&editor)).json(body).send().await.unwrap()).await
    };
    for role in [Role::Viewer, Role::Operator] {
        let key = server.key_of("acme", role).await;
        let read = server.request(Method::GET, &path, Some(&key)).send().await.unwrap();
        let mut read = Answer::of(read).await.is(StatusCode::OK).body;
        assert_eq!(read["settings"]["url"], "https://a.example/********");
        assert_eq!(put(&read).await.is(StatusCode::OK).body["settings"]["url"], url);
        for masked in ["https://b.example/********", "https://a.example/x/********"] {
            read["settings"]["url"] = masked.into();
            let refused = put(&read).await.is(StatusCode::UNPROCESSABLE_ENTITY);
            assert_eq!(refused.fields(), ["settings.url"], "{masked}");
        }
    }
    assert_eq!(server.get(&path).await.is(StatusCode::OK).body["settings"]["url"], url);
    let mut other = hook("https://a.example/********");
    other["name"] = "other".into();
    let refused = server.post("/api/routes?tenant_id=acme", &other).await;
    assert_eq!(refused.is(StatusCode::UNPROCESSABLE_ENTITY).fields(), ["settings.url"], "none is stored");
}

/// A relay that takes all mails, and never says that it has. Gives its address, and how many it has.
fn silent_relay() -> (SocketAddr, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let (addr, count) = (listener.local_addr().unwrap(), Arc::<AtomicUsize>::default());
    let counted = Arc::clone(&count);
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let count = Arc::clone(&counted);
            std::thread::spawn(move || stream.and_then(|stream| take_in_silence(stream, &count)));
        }
    });
    (addr, count)
}

fn take_in_silence(mut stream: TcpStream, count: &AtomicUsize) -> io::Result<()> {
    let mut lines = BufReader::new(stream.try_clone()?).lines();
    write!(stream, "220 relay.example ESMTP\r\n")?;
    let mut is_mail = false;
    while let Some(line) = lines.next().transpose()? {
        match line.as_str() {
            "." => {
                count.fetch_add(1, Ordering::Relaxed);
            }
            _ if is_mail => {}
            "DATA" => {
                is_mail = true;
                write!(stream, "354 Go on\r\n")?;
            }
            _ => write!(stream, "250 relay.example\r\n")?,
        }
    }
    Ok(())
}

/// Two tenants have three of four places at the most.
#[tokio::test]
async fn receivers_that_never_answer_keep_no_other_tenants_webhooks_waiting() {
    let few = [("DELIVERY_CONCURRENCY", "4"), ("DELIVERY_TIMEOUT_MS", "600000")];
    let server = TestServer::start_with(&few).await;
    // The machine takes connections for it, and nobody reads what comes by them.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let receiver = Receiver::start().await;
    let nobody = format!("http://{}", silent.local_addr().unwrap());
    for (tenant, url) in [("acme", &receiver.base), ("globex", &nobody), ("initech", &nobody)] {
        server.tenant(tenant).await;
        let hook =
            json!({"name": "erp", "kind": "webhook", "decisions": ["review"], "settings": {"url": url}});
        let made = server.post(&format!("/api/routes?tenant_id={tenant}"), &hook).await;
        made.is(StatusCode::CREATED);
    }
    // More than there are places.
    for tenant in ["globex", "initech"] {
        for subject in ["one", "two", "three", "four"] {
            server.decide(tenant, message("a@x.example", subject, "x")).await;
        }
    }
    let mut conn = server.database().superuser().await;
    let mut under_way = async || {
        let sql = "SELECT count(*) FROM jobs WHERE kind = 'delivery' AND tenant_id <> 'acme' AND locked_until > now()";
        sqlx::query_scalar::<_, i64>(sql).fetch_one(&mut conn).await.unwrap()
    };
    eventually("all places but one are taken", async || (under_way().await == 3).then_some(())).await;
    let id = server.receive("acme", message("a@x.example", "x", "x")).await;
    settled(&server, &id, &["delivered"]).await;
    assert_eq!(under_way().await, 3);
}

#[tokio::test]
async fn a_relay_that_says_nothing_of_mails_stops_no_webhooks() {
    let (addr, has) = silent_relay();
    let url = format!("smtp://{addr}");
    let few = [("DELIVERY_CONCURRENCY", "4"), ("DELIVERY_TIMEOUT_MS", "250")];
    let server = TestServer::start_with(&[("SMTP_URL", url.as_str()), SMTP_FROM, few[0], few[1]]).await;
    let receiver = Receiver::start().await;
    for tenant in ["acme", "globex", "initech", "hooli"] {
        server.tenant(tenant).await;
    }
    route(
        &server,
        json!({"name": "erp", "kind": "webhook", "decisions": ["review"], "settings": {"url": receiver.base}}),
    )
    .await;
    // More than there are places, of several tenants: two together never have them all.
    for tenant in ["globex", "initech", "hooli"] {
        let desk = json!({"name": "desk", "kind": "forward", "decisions": ["review"], "settings": {"to": ["desk@acme.example"]}});
        server.post(&format!("/api/routes?tenant_id={tenant}"), &desk).await.is(StatusCode::CREATED);
        for subject in ["one", "two", "three"] {
            server.receive(tenant, message("a@x.example", subject, "x")).await;
        }
    }
    let mut conn = server.database().superuser().await;
    eventually("a mail waits, as others have no word", async || {
        let sql = "SELECT count(*) FROM deliveries WHERE kind = 'forward' AND note IS NOT NULL";
        let waiting: i64 = sqlx::query_scalar(sql).fetch_one(&mut conn).await.unwrap();
        (waiting > 0).then_some(())
    })
    .await;
    let id = server.receive("acme", message("a@x.example", "x", "x")).await;
    settled(&server, &id, &["delivered"]).await;
    eventually("one place is no mail's", async || (has.load(Ordering::Relaxed) == 3).then_some(())).await;
}
