//! A person's words on messages, many at once, and taken back; what a message holds; views with names; live changes.

use std::time::Duration;

use futures::StreamExt;
use reqwest::{Method, StatusCode, header};
use secrecy::ExposeSecret;
use serde_json::{Value, json};

use super::{
    receivers::Receiver,
    support::{Answer, TestServer, eventually, message},
};
use crate::{
    auth::{dto::Role, server::service as auth},
    emails::server::{process, service as emails, words},
    server::{CallerContext, context::session_cookie_name, origin::Origin, queue},
    shared::EmailId,
};

async fn ui(server: &TestServer, key: &str, function: &str, body: &Value) -> Answer {
    let request = server.request(Method::POST, &format!("/ui/{function}"), Some(key)).json(body);
    Answer::of(request.send().await.unwrap()).await
}

async fn form(server: &TestServer, key: &str, function: &str, body: &str) -> Answer {
    let request = server.request(Method::POST, &format!("/ui/{function}"), Some(key));
    let request = request.header("content-type", "application/x-www-form-urlencoded").body(body.to_owned());
    Answer::of(request.send().await.unwrap()).await
}

/// Takes a word on one message back; gives those where it was not too late.
async fn take_back(server: &TestServer, key: &str, id: &str, word: &Value) -> Vec<String> {
    let body = json!({"tenant_id": "acme", "ids": [id], "word": word});
    let done = ui(server, key, "emails/take-back", &body).await.is(StatusCode::OK).body;
    assert_eq!(done["problem"], Value::Null);
    serde_json::from_value(done["done"].clone()).unwrap()
}

/// Decides one message as the page of a message does; gives what takes it back.
async fn say(server: &TestServer, key: &str, id: &str, decision: &str) -> Value {
    let body = format!("tenant_id=acme&email_id={id}&decision={decision}&note=by%20hand");
    form(server, key, "emails/decide", &body).await.is(StatusCode::OK).body
}

async fn email(server: &TestServer, id: &str) -> Value {
    server.get(&format!("/api/emails/{id}?tenant_id=acme")).await.is(StatusCode::OK).body
}

async fn orders(server: &TestServer) -> i64 {
    let body = json!({"intent": {"name": "Orders", "match": {"all": [{"field": "subject", "op": "contains", "value": "order"}]}}});
    let made = server.post("/api/intents/with-rules?tenant_id=acme", &body).await.is(StatusCode::CREATED);
    made.body["intent"]["intent_id"].as_i64().unwrap()
}

#[tokio::test]
async fn a_decision_on_many_is_held_back_and_can_be_taken_back() {
    let server = TestServer::start().await;
    let receiver = Receiver::start().await;
    server.tenant("acme").await;
    orders(&server).await;
    let hook = json!({"name": "erp", "kind": "webhook", "decisions": ["rejected"], "settings": {"url": format!("{}/hook", receiver.base)}});
    server.post("/api/routes?tenant_id=acme", &hook).await.is(StatusCode::CREATED);
    let label =
        json!({"name": "mark", "kind": "label", "decisions": ["rejected"], "settings": {"label": "no"}});
    server.post("/api/routes?tenant_id=acme", &label).await.is(StatusCode::CREATED);
    let key = server.key_of("acme", Role::Operator).await;
    let mut ids = Vec::new();
    for i in 0..3 {
        let found = server.decide("acme", message("a@b.example", &format!("order {i}"), "x")).await;
        assert_eq!(found["decision"], "accepted");
        ids.push(found["email_id"].as_str().unwrap().to_owned());
    }
    let gone = "01890a5d-ac96-774b-bcce-b302099a8057";
    let named: Vec<&str> = ids.iter().map(String::as_str).chain([gone]).collect();
    let body = json!({"tenant_id": "acme", "ids": named, "decision": "rejected", "note": ""});
    let done = ui(&server, &key, "emails/decide-many", &body).await.is(StatusCode::OK).body;
    assert_eq!((&done["done"], &done["left"]), (&json!(ids), &json!([gone])));
    let word = done["word"].clone();
    for id in &ids {
        let found = email(&server, id).await;
        assert_eq!((&found["decision"], &found["labels"]), (&json!("rejected"), &json!(["no"])));
        assert_eq!(found["deliveries"].as_array().unwrap().len(), 2);
    }
    // Nothing has left the house, and nothing will of the two that are taken back.
    let body = json!({"tenant_id": "acme", "ids": ids[..2], "word": word});
    let done = ui(&server, &key, "emails/take-back", &body).await.is(StatusCode::OK).body;
    assert_eq!(done["done"].as_array().unwrap().len(), 2);
    for id in &ids[..2] {
        let found = email(&server, id).await;
        assert_eq!((&found["decision"], &found["decided_by"]), (&json!("accepted"), &json!("FlowEngine")));
        assert_eq!(found["labels"], json!([]));
        assert!(found["explanation"].as_str().unwrap().starts_with("Accepted"), "{found}");
        let webhook =
            found["deliveries"].as_array().unwrap().iter().find(|d| d["kind"] == "webhook").unwrap();
        assert_eq!(webhook["status"], "cancelled");
    }
    assert_eq!(receiver.hooks().len(), 0, "held back");
    // A word is taken back once.
    let again = ui(&server, &key, "emails/take-back", &body).await.is(StatusCode::OK).body;
    assert_eq!(again["left"].as_array().unwrap().len(), 2);
    let unread = ui(&server, &key, "emails/take-back", &json!({"tenant_id": "acme"})).await;
    assert!(unread.is(StatusCode::UNPROCESSABLE_ENTITY).text.contains("ids"), "a body that cannot be read");
    // What stands is sent once its time has come.
    let mut conn = server.database().superuser().await;
    let held: bool =
        sqlx::query_scalar("SELECT run_at > now() + interval '5 seconds' FROM jobs WHERE kind = 'delivery'")
            .fetch_one(&mut conn)
            .await
            .unwrap();
    assert!(held);
    sqlx::query("UPDATE jobs SET run_at = now() WHERE kind = 'delivery'").execute(&mut conn).await.unwrap();
    server.app.delivery_bell.notify_one();
    eventually("the one that stands is sent", async || {
        let found = email(&server, &ids[2]).await;
        let is_sent = |sent: &Value| sent["kind"] == "webhook" && sent["status"] == "delivered";
        found["deliveries"].as_array().unwrap().iter().any(is_sent).then_some(())
    })
    .await;
    assert_eq!((receiver.hooks().len(), &done["sent"]), (1, &json!(0)));
    // Who takes that back after all is told that it was sent.
    let body = json!({"tenant_id": "acme", "ids": [ids[2]], "word": word});
    let late = ui(&server, &key, "emails/take-back", &body).await.is(StatusCode::OK).body;
    assert_eq!((&late["done"], &late["sent"]), (&json!([ids[2]]), &json!(1)));
    let log = server.get(&format!("/api/audit-log?tenant_id=acme&object_id={}", ids[0])).await.body;
    let actions: Vec<&str> = log.as_array().unwrap().iter().map(|e| e["action"].as_str().unwrap()).collect();
    assert_eq!(actions, ["email.take_back", "email.decide", "email.receive"]);
}

#[tokio::test]
async fn a_word_on_a_message_that_waits_is_taken_back_into_the_queue() {
    let server = TestServer::start_idle(&[]).await;
    server.tenant("acme").await;
    let key = server.key_of("acme", Role::Operator).await;
    let id = server.receive("acme", message("a@b.example", "order", "x")).await;
    let body = json!({"tenant_id": "acme", "ids": [id], "decision": "accepted", "note": ""});
    let word = ui(&server, &key, "emails/decide-many", &body).await.is(StatusCode::OK).body["word"].clone();
    assert_eq!(take_back(&server, &key, &id, &word).await, [id.as_str()]);
    let found = email(&server, &id).await;
    assert_eq!((&found["status"], &found["decision"]), (&json!("queued"), &Value::Null));
    let mut conn = server.database().superuser().await;
    let jobs: i64 = sqlx::query_scalar("SELECT count(*) FROM jobs WHERE kind = 'email'")
        .fetch_one(&mut conn)
        .await
        .unwrap();
    assert_eq!(jobs, 1, "it is not lost");
}

#[tokio::test]
async fn a_corrected_intent_is_taken_back_with_what_was_learned_from_it() {
    let server = TestServer::start().await;
    server.tenant("acme").await;
    let intent = orders(&server).await;
    let key = server.key_of("acme", Role::Operator).await;
    let found = server.decide("acme", message("a@b.example", "hello", "where is my parcel")).await;
    let id = found["email_id"].as_str().unwrap();
    assert_eq!(found["intent"], Value::Null);
    let examples = async || {
        let mut conn = server.database().superuser().await;
        let count: i64 =
            sqlx::query_scalar("SELECT count(*) FROM intent_examples WHERE origin = 'correction'")
                .fetch_one(&mut conn)
                .await
                .unwrap();
        count
    };
    let body = json!({"tenant_id": "acme", "ids": [id], "intent_id": intent});
    let word = ui(&server, &key, "emails/correct-many", &body).await.is(StatusCode::OK).body["word"].clone();
    assert_eq!(examples().await, 1);
    let found = server.decided("acme", id).await;
    assert_eq!(found["intent"]["name"], "Orders");
    assert_eq!(take_back(&server, &key, id, &word).await, [id]);
    assert_eq!(examples().await, 0);
    let found = server.decided("acme", id).await;
    assert_eq!(found["intent"], Value::Null, "as it was before");
    // By the form of a message's page, likewise.
    form(&server, &key, "emails/correct", &format!("tenant_id=acme&email_id={id}&intent={intent}"))
        .await
        .is(StatusCode::OK);
    assert_eq!(server.decided("acme", id).await["intent"]["name"], "Orders");
    form(&server, &key, "emails/correct", &format!("tenant_id=acme&email_id={id}&intent=x"))
        .await
        .is(StatusCode::UNPROCESSABLE_ENTITY);
}

#[tokio::test]
async fn a_word_is_taken_back_by_who_said_it_and_not_once_another_was_said() {
    let server = TestServer::start().await;
    let receiver = Receiver::start().await;
    server.tenant("acme").await;
    orders(&server).await;
    let hook = json!({"name": "erp", "kind": "webhook", "decisions": ["rejected"], "settings": {"url": format!("{}/hook", receiver.base)}});
    server.post("/api/routes?tenant_id=acme", &hook).await.is(StatusCode::CREATED);
    let (ann, bob) =
        (server.key_of("acme", Role::Operator).await, server.key_of("acme", Role::Operator).await);
    let found = server.decide("acme", message("a@b.example", "order 1", "x")).await;
    let id = found["email_id"].as_str().unwrap();
    let first = say(&server, &ann, id, "rejected").await;
    let second = say(&server, &bob, id, "accepted").await;
    assert_ne!(first, second);
    let none: [&str; 0] = [];
    assert_eq!(take_back(&server, &ann, id, &first).await, none, "somebody has spoken since");
    assert_eq!(take_back(&server, &ann, id, &second).await, none, "it is not theirs");
    assert_eq!(email(&server, id).await["decision"], "accepted");
    assert_eq!(take_back(&server, &bob, id, &second).await, [id]);
    let found = email(&server, id).await;
    assert_eq!(
        (&found["decision"], &found["explanation"]),
        (&json!("rejected"), &json!("Rejected by API key test: by hand"))
    );
    // The first word's time has not passed: what follows from it waits for what is left of that.
    let mut conn = server.database().superuser().await;
    let held: Vec<bool> = sqlx::query_scalar(
        "SELECT run_at > now() AND run_at <= e.decided_at + make_interval(secs => $1) \
         FROM jobs, emails e WHERE kind = 'delivery'",
    )
    // A millisecond for what is lost in counting.
    .bind(words::HOLD.as_secs_f64() + 0.001)
    .fetch_all(&mut conn)
    .await
    .unwrap();
    assert_eq!((held, receiver.hooks().len()), (vec![true], 0));
    assert_eq!(take_back(&server, &ann, id, &first).await, none, "a word that was taken over is gone");
    assert_eq!(email(&server, id).await["decision"], "rejected");
}

/// What follows from a run that a person asked for on the screen can be taken back, too; a program's goes out at once.
#[tokio::test]
async fn what_a_person_has_run_again_is_held_back_and_what_a_program_has_is_not() {
    let server = TestServer::start_idle(&[]).await;
    let tenant = server.tenant("acme").await;
    let hook = json!({"name": "erp", "kind": "webhook", "decisions": ["review", "accepted"], "settings": {"url": "https://erp.example/"}});
    server.post("/api/routes?tenant_id=acme", &hook).await.is(StatusCode::CREATED);
    let intent = orders(&server).await;
    let key = server.key_of("acme", Role::Operator).await;
    let mut conn = server.database().superuser().await;
    for (function, more) in
        [("emails/reprocess-many", json!({})), ("emails/correct-many", json!({"intent_id": intent}))]
    {
        for (actor, is_held) in [("user 7", true), ("key 7", false)] {
            let id =
                server.receive("acme", message("a@b.example", &format!("{function} {actor}"), "x")).await;
            let mut body = json!({"tenant_id": "acme", "ids": [id]});
            body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            ui(&server, &key, function, &body).await.is(StatusCode::OK);
            // As if that had been said by this one.
            sqlx::query("UPDATE emails SET undo = jsonb_set(undo, '{actor}', to_jsonb($2::text)) WHERE email_id = $1::uuid")
                .bind(&id)
                .bind(actor)
                .execute(&mut conn)
                .await
                .unwrap();
            let mut tx = server.app.database.tenant(&tenant).await.unwrap();
            let job = queue::claim_of::<EmailId>(&mut tx, id.parse().unwrap()).await.unwrap().expect("a job");
            tx.commit().await.unwrap();
            process::run(&server.app, &job).await.unwrap();
            let held: Vec<bool> = sqlx::query_scalar(
                "SELECT j.run_at > now() + interval '5 s' FROM jobs j JOIN deliveries d ON d.delivery_id = j.subject \
                 WHERE j.kind = 'delivery' AND d.email_id = $1::uuid",
            )
            .bind(&id)
            .fetch_all(&mut conn)
            .await
            .unwrap();
            assert_eq!(held, [is_held], "{function} {actor}");
        }
    }
}

/// The API offers nobody to take it back: whoever writes a program waits for what it does.
#[tokio::test]
async fn what_a_person_says_by_the_api_is_sent_at_once() {
    let server = TestServer::start_idle(&[]).await;
    let tenant = server.tenant("acme").await;
    let hook = json!({"name": "erp", "kind": "webhook", "decisions": ["rejected", "accepted"], "settings": {"url": "https://erp.example/"}});
    server.post("/api/routes?tenant_id=acme", &hook).await.is(StatusCode::CREATED);
    let intent = orders(&server).await;
    let link = auth::first_link(&server.app).await.unwrap().unwrap();
    let session = auth::sign_in_by_link(&server.app, &Origin::default(), link.expose_secret(), None).await;
    let cookie = format!("{}={}", session_cookie_name(false), session.unwrap().unwrap().expose_secret());
    let post = async |path: &str, body: &Value| {
        let request = server.request(Method::POST, path, None).header(header::COOKIE, &cookie);
        let request = request.header("sec-fetch-site", "same-origin").json(body);
        Answer::of(request.send().await.unwrap()).await
    };
    let mut conn = server.database().superuser().await;
    for is_screen in [true, false] {
        let id = server.receive("acme", message("a@b.example", &format!("hello {is_screen}"), "x")).await;
        if is_screen {
            let body = json!({"tenant_id": "acme", "ids": [id], "intent_id": intent});
            post("/ui/emails/correct-many", &body).await.is(StatusCode::OK);
        } else {
            let path = format!("/api/emails/{id}/intent?tenant_id=acme");
            post(&path, &json!({"intent_id": intent})).await.is(StatusCode::ACCEPTED);
        }
        let mut tx = server.app.database.tenant(&tenant).await.unwrap();
        let job = queue::claim_of::<EmailId>(&mut tx, id.parse().unwrap()).await.unwrap().expect("a job");
        tx.commit().await.unwrap();
        process::run(&server.app, &job).await.unwrap();
        let mut held = async || {
            let held: Vec<bool> = sqlx::query_scalar(
                "SELECT j.run_at > now() + interval '5 s' FROM jobs j JOIN deliveries d ON d.delivery_id = j.subject \
                 WHERE j.kind = 'delivery' AND d.email_id = $1::uuid",
            )
            .bind(&id)
            .fetch_all(&mut conn)
            .await
            .unwrap();
            held
        };
        assert_eq!(held().await, [is_screen]);
        let path = format!("/api/emails/{id}/decision?tenant_id=acme");
        post(&path, &json!({"decision": "rejected"})).await.is(StatusCode::OK);
        assert_eq!(held().await, [false], "in the place of the other");
    }
}

#[tokio::test]
async fn a_caller_takes_back_by_the_api_what_it_said_last() {
    let server = TestServer::start_idle(&[]).await;
    server.tenant("acme").await;
    let intent = orders(&server).await;
    let (ann, bob) =
        (server.key_of("acme", Role::Operator).await, server.key_of("acme", Role::Operator).await);
    let viewer = server.key_of("acme", Role::Viewer).await;
    let id = server.receive("acme", message("a@b.example", "hello", "where is my parcel")).await;
    let post = async |key: &str, what: &str, body: &Value| {
        let path = format!("/api/emails/{id}/{what}?tenant_id=acme");
        Answer::of(server.request(Method::POST, &path, Some(key)).json(body).send().await.unwrap()).await
    };
    let take_back = async |key: &str| post(key, "take-back", &json!({})).await;
    let refused = async |key: &str| {
        let why =
            "There is no word of yours to take back: somebody has spoken since, or two minutes have passed";
        take_back(key).await.problem(StatusCode::BAD_REQUEST, why);
    };
    let taken = json!({"email_id": id, "sent": 0});
    let examples = async || {
        let mut conn = server.database().superuser().await;
        let count: i64 =
            sqlx::query_scalar("SELECT count(*) FROM intent_examples").fetch_one(&mut conn).await.unwrap();
        count
    };
    refused(&ann).await;
    post(&ann, "decision", &json!({"decision": "rejected"})).await.is(StatusCode::OK);
    refused(&bob).await;
    take_back(&viewer).await.is(StatusCode::FORBIDDEN);
    assert_eq!(email(&server, &id).await["decision"], "rejected");
    assert_eq!(take_back(&ann).await.is(StatusCode::OK).body, taken);
    let found = email(&server, &id).await;
    assert_eq!((&found["status"], &found["decision"]), (&json!("queued"), &Value::Null));
    refused(&ann).await;

    post(&ann, "intent", &json!({"intent_id": intent})).await.is(StatusCode::ACCEPTED);
    assert_eq!(examples().await, 1);
    assert_eq!(take_back(&ann).await.is(StatusCode::OK).body, taken);
    assert_eq!(examples().await, 0);

    // Also what the same caller said on the screen, and not for ever.
    say(&server, &ann, &id, "accepted").await;
    post(&bob, "decision", &json!({"decision": "review"})).await.is(StatusCode::OK);
    refused(&ann).await;
    assert_eq!(take_back(&bob).await.is(StatusCode::OK).body, taken);
    assert_eq!(email(&server, &id).await["decision"], "accepted");
    say(&server, &ann, &id, "rejected").await;
    assert_eq!(take_back(&ann).await.is(StatusCode::OK).body, taken);
    // That it was to be run again, too, where the screen said so.
    let body = json!({"tenant_id": "acme", "ids": [id]});
    ui(&server, &ann, "emails/reprocess-many", &body).await.is(StatusCode::OK);
    assert_eq!(take_back(&ann).await.is(StatusCode::OK).body, taken);
    post(&ann, "reprocess", &json!({})).await.is(StatusCode::ACCEPTED);
    refused(&ann).await;
    say(&server, &ann, &id, "rejected").await;
    let mut conn = server.database().superuser().await;
    sqlx::raw_sql("UPDATE emails SET undo = jsonb_set(undo, '{at}', to_jsonb(now() - interval '3 minutes'))")
        .execute(&mut conn)
        .await
        .unwrap();
    refused(&ann).await;
    let nobody = "/api/emails/01890a5d-ac96-774b-bcce-b302099a8057/take-back?tenant_id=acme";
    server.post(nobody, &json!({})).await.is(StatusCode::NOT_FOUND);
}

/// Whether the run that a correction causes has ended by then or not. A server of before did not keep what the run before
/// had found: then the message is run once more.
#[tokio::test]
async fn a_correction_that_is_taken_back_leaves_a_persons_decision_as_it_was() {
    let server = TestServer::start_idle(&[]).await;
    let tenant = server.tenant("acme").await;
    let intent = orders(&server).await;
    let key = server.key_of("acme", Role::Operator).await;
    let run = async |id: &str| {
        let mut tx = server.app.database.tenant(&tenant).await.unwrap();
        let job = queue::claim_of::<EmailId>(&mut tx, id.parse().unwrap()).await.unwrap().expect("a job");
        tx.commit().await.unwrap();
        process::run(&server.app, &job).await.unwrap();
    };
    let mut conn = server.database().superuser().await;
    for (has_ended, is_old) in [(false, false), (true, false), (true, true)] {
        let id = server.receive("acme", message("a@b.example", "hello", "where is my parcel")).await;
        run(&id).await;
        say(&server, &key, &id, "rejected").await;
        let before = email(&server, &id).await;
        let body = json!({"tenant_id": "acme", "ids": [id], "intent_id": intent});
        let word =
            ui(&server, &key, "emails/correct-many", &body).await.is(StatusCode::OK).body["word"].clone();
        if has_ended {
            run(&id).await;
            assert_eq!(email(&server, &id).await["decided_by"], "FlowEngine");
        }
        if is_old {
            sqlx::query(
                "UPDATE emails SET undo = undo - ARRAY['was_example', 'example_intent_id', 'requested_revision', \
                 'intent_id', 'intent_name', 'classification', 'fields', 'parse_error', 'intent_version', \
                 'configuration_revision'] WHERE email_id = $1::uuid",
            )
            .bind(&id)
            .execute(&mut conn)
            .await
            .unwrap();
        }
        assert_eq!(take_back(&server, &key, &id, &word).await, [id.as_str()]);
        if is_old {
            assert_eq!(email(&server, &id).await["status"], "queued");
            run(&id).await;
        }
        let after = email(&server, &id).await;
        for name in ["status", "decision", "decided_by", "decided_at", "explanation", "intent"] {
            assert_eq!(after[name], before[name], "{name}, {has_ended} {is_old}");
        }
        let jobs: i64 = sqlx::query_scalar("SELECT count(*) FROM jobs").fetch_one(&mut conn).await.unwrap();
        assert_eq!(jobs, 0, "{has_ended} {is_old}");
    }
}

/// Also with another intent, whether the run has ended by then or not, and whoever had decided before it.
#[tokio::test]
async fn a_message_that_was_run_again_is_as_it_was_once_that_is_taken_back() {
    let server = TestServer::start_idle(&[]).await;
    let receiver = Receiver::start().await;
    let tenant = server.tenant("acme").await;
    let rule = |pattern: &str| json!({"field_name": "subject", "rule_type": "regex", "conditions": {"pattern": pattern}});
    let body = json!({
        "intent": {"name": "Orders", "match": {"all": [{"field": "subject", "op": "contains", "value": "order"}]}},
        "validation_rules": [rule("order")]
    });
    let made =
        server.post("/api/intents/with-rules?tenant_id=acme", &body).await.is(StatusCode::CREATED).body;
    let body = json!({"intent": {"name": "Urgent"}, "validation_rules": [rule("very urgent")]});
    let urgent = server.post("/api/intents/with-rules?tenant_id=acme", &body).await.is(StatusCode::CREATED);
    let urgent = urgent.body["intent"]["intent_id"].clone();
    let path = format!("/api/validation-rules/{}?tenant_id=acme", made["validation_rules"][0]["rule_id"]);
    let demand = async |pattern: &str| {
        let mut demanded = rule(pattern);
        demanded["intent_id"] = made["intent"]["intent_id"].clone();
        server.put(&path, &demanded).await.is(StatusCode::OK);
    };
    let hook = json!({"name": "erp", "kind": "webhook", "decisions": ["rejected"], "settings": {"url": format!("{}/hook", receiver.base)}});
    server.post("/api/routes?tenant_id=acme", &hook).await.is(StatusCode::CREATED);
    let key = server.key_of("acme", Role::Operator).await;
    let run = async |id: &str| {
        let mut tx = server.app.database.tenant(&tenant).await.unwrap();
        let job = queue::claim_of::<EmailId>(&mut tx, id.parse().unwrap()).await.unwrap().expect("a job");
        tx.commit().await.unwrap();
        process::run(&server.app, &job).await.unwrap();
        email(&server, id).await
    };
    let run_again = async |id: &str| {
        let body = json!({"tenant_id": "acme", "ids": [id]});
        ui(&server, &key, "emails/reprocess-many", &body).await.is(StatusCode::OK).body["word"].clone()
    };
    let correct = async |id: &str| {
        let body = json!({"tenant_id": "acme", "ids": [id], "intent_id": urgent});
        ui(&server, &key, "emails/correct-many", &body).await.is(StatusCode::OK).body["word"].clone()
    };
    let none: [&str; 0] = [];
    for (is_corrected, has_ended, is_by_person) in [
        (false, false, false),
        (false, true, false),
        (false, true, true),
        (true, false, false),
        (true, true, false),
        (true, true, true),
    ] {
        let case = format!("{is_corrected} {has_ended} {is_by_person}");
        demand("order").await;
        let id = server.receive("acme", message("a@b.example", "order", &case)).await;
        assert_eq!(run(&id).await["decision"], "accepted");
        if is_by_person {
            say(&server, &key, &id, "review").await;
        }
        let before = email(&server, &id).await;
        demand("very urgent").await;
        let word = if is_corrected { correct(&id).await } else { run_again(&id).await };
        if has_ended {
            let found = run(&id).await;
            assert_eq!(found["intent"]["intent_id"] == urgent, is_corrected, "{case}");
            assert_eq!(
                (&found["decision"], &found["decided_by"]),
                (&json!("rejected"), &json!("FlowEngine"))
            );
        }
        assert_eq!(take_back(&server, &key, &id, &word).await, [id.as_str()]);
        let after = email(&server, &id).await;
        for name in [
            "status",
            "decision",
            "decided_by",
            "decided_at",
            "explanation",
            "intent",
            "intent_version",
            "configuration_revision",
            "classification",
            "fields",
            "verdicts",
        ] {
            assert_eq!(after[name], before[name], "{name}, {case}");
        }
        assert_eq!(after["run"], if has_ended { 3 } else { 1 }, "{case}");
        let sent: Vec<&str> = after["deliveries"]
            .as_array()
            .unwrap()
            .iter()
            .map(|sent| sent["status"].as_str().unwrap())
            .collect();
        assert_eq!(sent, if has_ended { vec!["cancelled"] } else { vec![] }, "{case}");
        let mut conn = server.database().superuser().await;
        let jobs: i64 = sqlx::query_scalar("SELECT count(*) FROM jobs").fetch_one(&mut conn).await.unwrap();
        assert_eq!(jobs, 0, "{case}");
        assert_eq!(take_back(&server, &key, &id, &word).await, none, "a word is taken back once");
        // It can be run once more, and said otherwise then.
        let word = run_again(&id).await;
        let found = run(&id).await;
        assert_eq!(
            (&found["decision"], &found["run"]),
            (&json!("rejected"), &json!(after["run"].as_i64().unwrap() + 1))
        );
        say(&server, &key, &id, "accepted").await;
        assert_eq!(take_back(&server, &key, &id, &word).await, none, "somebody has spoken since");
        // What that still had to send is none of the next one's.
        sqlx::raw_sql("DELETE FROM jobs").execute(&mut conn).await.unwrap();
    }
}

/// Who was told of nothing else is not told again of what stands again.
#[tokio::test]
async fn a_correction_that_is_taken_back_puts_those_right_who_were_told_of_it() {
    let server = TestServer::start().await;
    let receiver = Receiver::start().await;
    server.tenant("acme").await;
    orders(&server).await;
    let rule =
        json!({"field_name": "subject", "rule_type": "regex", "conditions": {"pattern": "very urgent"}});
    let body = json!({"intent": {"name": "Urgent"}, "validation_rules": [rule]});
    let urgent = server.post("/api/intents/with-rules?tenant_id=acme", &body).await.is(StatusCode::CREATED);
    for (name, decisions) in [("some", json!(["accepted"])), ("all", json!(["accepted", "rejected"]))] {
        let url = format!("{}/{name}", receiver.base);
        let hook = json!({"name": name, "kind": "webhook", "decisions": decisions, "settings": {"url": url}});
        server.post("/api/routes?tenant_id=acme", &hook).await.is(StatusCode::CREATED);
    }
    let key = server.key_of("acme", Role::Operator).await;
    let delivered = async |id: &str, count: usize| {
        eventually("all are delivered", async || {
            let found = email(&server, id).await;
            let sent = found["deliveries"].as_array().unwrap();
            (sent.len() == count && sent.iter().all(|sent| sent["status"] == "delivered")).then_some(())
        })
        .await;
    };
    let before = server.decide("acme", message("a@b.example", "order", "x")).await;
    let id = before["email_id"].as_str().unwrap();
    assert_eq!(before["decision"], "accepted");
    delivered(id, 2).await;
    let body = json!({"tenant_id": "acme", "ids": [id], "intent_id": urgent.body["intent"]["intent_id"]});
    let word = ui(&server, &key, "emails/correct-many", &body).await.is(StatusCode::OK).body["word"].clone();
    assert_eq!(server.decided("acme", id).await["decision"], "rejected");
    delivered(id, 3).await;
    assert_eq!(take_back(&server, &key, id, &word).await, [id]);
    let after = email(&server, id).await;
    for name in ["status", "decision", "decided_at", "explanation", "intent"] {
        assert_eq!(after[name], before[name], "{name}");
    }
    assert_eq!(after["deliveries"].as_array().unwrap().len(), 4);
    delivered(id, 4).await;
    let hooks = receiver.hooks();
    let told = |path: &str| hooks.iter().filter(|hook| hook.path == path).count();
    assert_eq!((told("/some"), told("/all")), (1, 3));
}

/// What was learned of a message stays when it is handed in again, and when the word after that is taken back.
#[tokio::test]
async fn an_example_stands_again_whatever_was_asked_for_since() {
    let server = TestServer::start_idle(&[]).await;
    let tenant = server.tenant("acme").await;
    let intent = orders(&server).await;
    let other = server.post("/api/intents?tenant_id=acme", &json!({"name": "Other"})).await.id("intent_id");
    let (ann, bob) =
        (server.key_of("acme", Role::Operator).await, server.key_of("acme", Role::Operator).await);
    let id = server.receive("acme", message("a@b.example", "hello", "where is my parcel")).await;
    let correct = async |key: &str, intent: i64| {
        let body = json!({"tenant_id": "acme", "ids": [id], "intent_id": intent});
        ui(&server, key, "emails/correct-many", &body).await.is(StatusCode::OK).body["word"].clone()
    };
    let examples = async || {
        let mut conn = server.database().superuser().await;
        let found: Vec<Option<i64>> =
            sqlx::query_scalar("SELECT intent_id FROM intent_examples").fetch_all(&mut conn).await.unwrap();
        found
    };
    correct(&ann, other).await;
    let ctx = CallerContext::system(server.app.clone()).in_tenant(&tenant).await.unwrap();
    emails::receive_again(&ctx, id.parse().unwrap(), Some("Orders")).await.unwrap();
    assert_eq!(examples().await, [Some(other)]);
    let word = correct(&bob, intent).await;
    assert_eq!(examples().await, [Some(intent)]);
    assert_eq!(take_back(&server, &bob, &id, &word).await, [id.as_str()]);
    assert_eq!(examples().await, [Some(other)]);
    // One that somebody deleted is not learned again.
    correct(&ann, other).await;
    let mut conn = server.database().superuser().await;
    sqlx::query("DELETE FROM intent_examples").execute(&mut conn).await.unwrap();
    let word = correct(&bob, intent).await;
    assert_eq!(take_back(&server, &bob, &id, &word).await, [id.as_str()]);
    assert_eq!(examples().await, Vec::<Option<i64>>::new());
}

/// Also where a server of before did not note the example.
#[tokio::test]
async fn that_a_message_has_no_intent_stays_an_example_when_the_word_after_it_is_taken_back() {
    let server = TestServer::start_idle(&[]).await;
    server.tenant("acme").await;
    let intent = orders(&server).await;
    let key = server.key_of("acme", Role::Operator).await;
    let id = server.receive("acme", message("a@b.example", "hello", "where is my parcel")).await;
    let correct = async |intent: Option<i64>| {
        let body = json!({"tenant_id": "acme", "ids": [id], "intent_id": intent});
        ui(&server, &key, "emails/correct-many", &body).await.is(StatusCode::OK).body["word"].clone()
    };
    let examples = async || {
        let mut conn = server.database().superuser().await;
        let found: Vec<Option<i64>> =
            sqlx::query_scalar("SELECT intent_id FROM intent_examples").fetch_all(&mut conn).await.unwrap();
        found
    };
    correct(None).await;
    assert_eq!(examples().await, [None]);
    for is_old in [false, true] {
        let word = correct(Some(intent)).await;
        assert_eq!(examples().await, [Some(intent)]);
        if is_old {
            let mut conn = server.database().superuser().await;
            let before = "UPDATE emails SET undo = undo - ARRAY['was_example', 'example_intent_id']";
            sqlx::query(before).execute(&mut conn).await.unwrap();
        }
        take_back(&server, &key, &id, &word).await;
        assert_eq!(examples().await, [None], "{is_old}");
    }
}

#[tokio::test]
async fn what_stands_again_of_a_correction_is_learned_anew() {
    let server = TestServer::start_idle(&[]).await;
    server.tenant("acme").await;
    let intent = orders(&server).await;
    let other = server.post("/api/intents?tenant_id=acme", &json!({"name": "Other"})).await.id("intent_id");
    let key = server.key_of("acme", Role::Operator).await;
    let id = server.receive("acme", message("a@b.example", "hello", "where is my parcel")).await;
    let correct = async |intent: i64| {
        let body = json!({"tenant_id": "acme", "ids": [id], "intent_id": intent});
        ui(&server, &key, "emails/correct-many", &body).await.is(StatusCode::OK).body["word"].clone()
    };
    correct(intent).await;
    let word = correct(other).await;
    // As a training leaves it that saw both words.
    let mut conn = server.database().superuser().await;
    let trained: i64 = sqlx::query_scalar(
        "UPDATE classifier_settings SET trained_revision = revision, stale_since = NULL RETURNING revision",
    )
    .fetch_one(&mut conn)
    .await
    .unwrap();
    assert_eq!(take_back(&server, &key, &id, &word).await, [id.as_str()]);
    let (revision, is_stale): (i64, bool) =
        sqlx::query_as("SELECT revision, stale_since IS NOT NULL FROM classifier_settings")
            .fetch_one(&mut conn)
            .await
            .unwrap();
    assert!(revision > trained && is_stale, "{revision} after {trained}");
    let examples: Vec<Option<i64>> =
        sqlx::query_scalar("SELECT intent_id FROM intent_examples").fetch_all(&mut conn).await.unwrap();
    assert_eq!(examples, [Some(intent)]);
}

/// Of messages that have one text, each keeps what was said of it, whatever is said of the others.
#[tokio::test]
async fn words_on_messages_of_one_text_are_taken_back_each_for_itself() {
    let server = TestServer::start_idle(&[]).await;
    server.tenant("acme").await;
    let intent = orders(&server).await;
    let other = server.post("/api/intents?tenant_id=acme", &json!({"name": "Other"})).await.id("intent_id");
    let key = server.key_of("acme", Role::Operator).await;
    let one = server.receive("acme", message("a@b.example", "hello", "where is my parcel")).await;
    let two = server.receive("acme", message("a@b.example", "hello", "where is my parcel")).await;
    let correct = async |id: &str, intent: i64| {
        let body = json!({"tenant_id": "acme", "ids": [id], "intent_id": intent});
        ui(&server, &key, "emails/correct-many", &body).await.is(StatusCode::OK).body["word"].clone()
    };
    let examples = async || {
        let mut conn = server.database().superuser().await;
        let found: Vec<(i64, String)> =
            sqlx::query_as("SELECT intent_id, email_id::text FROM intent_examples ORDER BY example_id")
                .fetch_all(&mut conn)
                .await
                .unwrap();
        found
    };
    correct(&one, intent).await;
    correct(&two, intent).await;
    let before = examples().await;
    assert_eq!(before, [(intent, one.clone()), (intent, two.clone())]);
    // Back to an intent of which the text is an example already, …
    let word = correct(&two, other).await;
    assert_eq!(examples().await, [(intent, one.clone()), (other, two.clone())]);
    assert_eq!(take_back(&server, &key, &two, &word).await, [two.as_str()]);
    assert_eq!(examples().await, before);
    // … and from one.
    correct(&two, other).await;
    let word = correct(&one, other).await;
    assert_eq!(examples().await, [(other, two.clone()), (other, one.clone())]);
    assert_eq!(take_back(&server, &key, &one, &word).await, [one.as_str()]);
    assert_eq!(examples().await, [(other, two), (intent, one)]);
}

/// It is a word on the intent, and not on what that was called when it was said.
#[tokio::test]
async fn a_word_on_an_intent_holds_under_its_new_name() {
    let server = TestServer::start_idle(&[]).await;
    let tenant = server.tenant("acme").await;
    let intent = orders(&server).await;
    let key = server.key_of("acme", Role::Operator).await;
    let mut ids = Vec::new();
    for body in ["one", "two", "three"] {
        ids.push(server.receive("acme", message("a@b.example", "hello", body)).await);
    }
    let correct = async |id: &str, intent: Option<i64>| {
        let body = json!({"tenant_id": "acme", "ids": [id], "intent_id": intent});
        ui(&server, &key, "emails/correct-many", &body).await.is(StatusCode::OK).body["word"].clone()
    };
    for id in &ids {
        correct(id, Some(intent)).await;
    }
    let path = format!("/api/intents/{intent}?tenant_id=acme");
    let mut renamed = server.get(&path).await.is(StatusCode::OK).body;
    renamed["name"] = "Purchases".into();
    server.put(&path, &renamed).await.is(StatusCode::OK);
    let purchases = json!({"intent_id": intent, "name": "Purchases"});
    // Decided before the message was run, …
    say(&server, &key, &ids[0], "accepted").await;
    assert_eq!(email(&server, &ids[0]).await["intent"], purchases);
    // … given up, …
    let mut conn = server.database().superuser().await;
    sqlx::query("UPDATE jobs SET attempts = 1000").execute(&mut conn).await.unwrap();
    let mut tx = server.app.database.tenant(&tenant).await.unwrap();
    let job = queue::claim_of::<EmailId>(&mut tx, ids[1].parse().unwrap()).await.unwrap().expect("a job");
    tx.commit().await.unwrap();
    process::run(&server.app, &job).await.unwrap();
    assert_eq!(email(&server, &ids[1]).await["intent"], purchases);
    // … or taken back to, with its example.
    let word = correct(&ids[2], None).await;
    assert_eq!(take_back(&server, &key, &ids[2], &word).await, [ids[2].as_str()]);
    let example: Option<i64> =
        sqlx::query_scalar("SELECT intent_id FROM intent_examples WHERE email_id = $1::uuid")
            .bind(&ids[2])
            .fetch_one(&mut conn)
            .await
            .unwrap();
    assert_eq!(example, Some(intent));
    say(&server, &key, &ids[2], "accepted").await;
    assert_eq!(email(&server, &ids[2]).await["intent"], purchases);
}

/// As it is told: also by a correction that the message was not run with yet.
#[tokio::test]
async fn what_a_correction_takes_the_place_of_is_told() {
    let server = TestServer::start_idle(&[]).await;
    server.tenant("acme").await;
    let intent = orders(&server).await;
    let other = server.post("/api/intents?tenant_id=acme", &json!({"name": "Other"})).await.id("intent_id");
    let id = server.receive("acme", message("a@b.example", "hello", "x")).await;
    for intent in [Some(intent), Some(other), None, Some(intent)] {
        let body = json!({"tenant_id": "acme", "ids": [id], "intent_id": intent});
        ui(&server, &server.key, "emails/correct-many", &body).await.is(StatusCode::OK);
    }
    let history = server.get(&format!("/api/emails/{id}/history?tenant_id=acme")).await.is(StatusCode::OK);
    let corrected =
        history.body.as_array().unwrap().iter().filter(|one| one["action"] == "email.correct_intent");
    let before: Vec<_> = corrected.map(|one| one["before"]["intent"].clone()).collect();
    assert_eq!(before, [Value::Null, json!("Other"), json!("Orders"), Value::Null]);
}

/// A server of before, which may run beside this one for a while, knows the name of what was asked for, and no id.
#[tokio::test]
async fn what_a_server_of_before_says_of_an_intent_holds() {
    let server = TestServer::start().await;
    let tenant = server.tenant("acme").await;
    let intent = orders(&server).await;
    let other = server.post("/api/intents?tenant_id=acme", &json!({"name": "Other"})).await.id("intent_id");
    let key = server.key_of("acme", Role::Operator).await;
    let found = server.decide("acme", message("a@b.example", "hello", "x")).await;
    let id = found["email_id"].as_str().unwrap();
    let correct = async |intent: i64| {
        let body = json!({"tenant_id": "acme", "ids": [id], "intent_id": intent});
        let word =
            ui(&server, &key, "emails/correct-many", &body).await.is(StatusCode::OK).body["word"].clone();
        (word, server.decided("acme", id).await["intent"]["intent_id"].clone())
    };
    let before = async |sql: &'static str| {
        let mut tx = server.app.database.tenant(&tenant).await.unwrap();
        queue::enqueue(&mut tx, &[id.parse::<EmailId>().unwrap()]).await.unwrap();
        sqlx::query(sql).bind(id).execute(tx.conn()).await.unwrap();
        tx.commit().await.unwrap();
        server.app.job_bell.notify_one();
        server.decided("acme", id).await["intent"]["intent_id"].clone()
    };
    let corrected = "UPDATE emails SET status = 'queued', requested_intent = 'Other', corrected_by = 'Bob', \
         undo = jsonb_build_object('what', 'intent', 'requested_intent', requested_intent, 'corrected_by', corrected_by) \
         WHERE email_id = $1::uuid";
    let none = "UPDATE emails SET status = 'queued', requested_intent = NULL, corrected_by = 'Bob' \
         WHERE email_id = $1::uuid";
    let taken_back = "UPDATE emails SET status = 'queued', requested_intent = undo ->> 'requested_intent', \
         corrected_by = undo ->> 'corrected_by', undo = NULL WHERE email_id = $1::uuid";
    assert_eq!(correct(intent).await.1, intent);
    assert_eq!(before(corrected).await, other);
    assert_eq!(before(none).await, Value::Null);

    // What this server says of an intent holds as well, whatever that is called by then, …
    assert_eq!(correct(intent).await.1, intent);
    let path = format!("/api/intents/{intent}?tenant_id=acme");
    let mut renamed = server.get(&path).await.is(StatusCode::OK).body;
    renamed["name"] = "Purchases".into();
    server.put(&path, &renamed).await.is(StatusCode::OK);
    assert_ne!(orders(&server).await, intent, "another has its name");
    let (word, now) = correct(intent).await;
    assert_eq!(now, intent, "by its new name");
    // … and stands again as it was decided, whoever takes the word after it back: by its old name until the next run.
    assert_eq!(take_back(&server, &key, id, &word).await, [id]);
    assert_eq!(email(&server, id).await["intent"], json!({"intent_id": intent, "name": "Orders"}));
    let path = format!("/api/emails/{id}/reprocess?tenant_id=acme");
    server.post(&path, &json!({})).await.is(StatusCode::ACCEPTED);
    assert_eq!(server.decided("acme", id).await["intent"]["name"], "Purchases");
    assert_eq!(correct(other).await.1, other);
    assert_eq!(before(taken_back).await, intent);
}

/// As the command line does with a file that is known: what is asked for now is what counts.
#[tokio::test]
async fn a_message_that_is_handed_in_again_gets_the_intent_that_is_asked_for() {
    let server = TestServer::start().await;
    let tenant = server.tenant("acme").await;
    let orders = orders(&server).await;
    let other = server.post("/api/intents?tenant_id=acme", &json!({"name": "Other"})).await.id("intent_id");
    let found = server.decide("acme", message("a@b.example", "order 1", "x")).await;
    let id = found["email_id"].as_str().unwrap();
    let ctx = CallerContext::system(server.app.clone()).in_tenant(&tenant).await.unwrap();
    let again = async |intent: Option<&str>| {
        emails::receive_again(&ctx, id.parse().unwrap(), intent).await.unwrap();
        let found = server.decided("acme", id).await;
        (found["intent"]["intent_id"].clone(), found["classification"]["method"].clone())
    };
    assert_eq!(again(Some("Other")).await, (json!(other), json!("requested")));
    assert_eq!(again(None).await, (json!(other), json!("requested")), "as it was asked for before");
    let path = format!("/api/emails/{id}/intent?tenant_id=acme");
    server.post(&path, &json!({"intent_id": null})).await.is(StatusCode::ACCEPTED);
    assert_eq!(server.decided("acme", id).await["intent"], Value::Null);
    assert_eq!(again(None).await, (Value::Null, json!("corrected")));
    assert_eq!(again(Some("Orders")).await, (json!(orders), json!("requested")));
    let unknown = emails::receive_again(&ctx, id.parse().unwrap(), Some("Nothing")).await;
    assert!(unknown.is_err());
    assert_eq!(server.decided("acme", id).await["intent"]["name"], "Orders", "and nothing is changed");
}

/// A message that FlowEngine gives up on is decided by nobody's word.
#[tokio::test]
async fn giving_up_is_no_word_that_could_be_taken_back() {
    let server = TestServer::start_idle(&[]).await;
    let tenant = server.tenant("acme").await;
    let intent = orders(&server).await;
    let key = server.key_of("acme", Role::Operator).await;
    let id = server.receive("acme", message("a@b.example", "hello", "x")).await;
    let mut conn = server.database().superuser().await;
    let mut give_up = async || {
        sqlx::query("UPDATE jobs SET attempts = 1000").execute(&mut conn).await.unwrap();
        let mut tx = server.app.database.tenant(&tenant).await.unwrap();
        let job = queue::claim_of::<EmailId>(&mut tx, id.parse().unwrap()).await.unwrap().expect("a job");
        tx.commit().await.unwrap();
        process::run(&server.app, &job).await.unwrap();
        let undo: Option<Value> =
            sqlx::query_scalar("SELECT undo FROM emails").fetch_one(&mut conn).await.unwrap();
        undo
    };
    assert_eq!(give_up().await, None);
    assert_eq!(email(&server, &id).await["decision"], "review");
    // What a person said before can still be taken back.
    let body = json!({"tenant_id": "acme", "ids": [id], "intent_id": intent});
    let word = ui(&server, &key, "emails/correct-many", &body).await.is(StatusCode::OK).body["word"].clone();
    assert_eq!(give_up().await.unwrap()["what"], "intent");
    assert_eq!(email(&server, &id).await["intent"]["name"], "Orders");
    assert_eq!(take_back(&server, &key, &id, &word).await, [id.as_str()]);
    let found = email(&server, &id).await;
    assert_eq!((&found["status"], &found["intent"]), (&json!("done"), &Value::Null), "as it was before");
}

#[tokio::test]
async fn what_was_done_of_many_is_told_where_something_breaks_it_off() {
    let server = TestServer::start_idle(&[]).await;
    server.tenant("acme").await;
    let key = server.key_of("acme", Role::Operator).await;
    let mut ids = Vec::new();
    for subject in ["one", "two", "three"] {
        ids.push(server.receive("acme", message("a@b.example", subject, "x")).await);
    }
    // An intent that is not there is refused once, by name, and before anything is done.
    let body = json!({"tenant_id": "acme", "ids": ids, "intent_id": 999_999});
    let refused = ui(&server, &key, "emails/correct-many", &body).await.is(StatusCode::UNPROCESSABLE_ENTITY);
    assert!(refused.fields() == ["intent_id"] && refused.text.contains("999999"), "{}", refused.text);
    let mut conn = server.database().superuser().await;
    sqlx::raw_sql(
        "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'broken'; END $$; \
         CREATE TRIGGER refuse BEFORE UPDATE ON emails FOR EACH ROW WHEN (NEW.subject = 'two') EXECUTE FUNCTION refuse()",
    )
    .execute(&mut conn)
    .await
    .unwrap();
    let named = [&ids[0], &ids[0], &ids[1], &ids[2]];
    let body = json!({"tenant_id": "acme", "ids": named, "decision": "accepted", "note": ""});
    let done = ui(&server, &key, "emails/decide-many", &body).await.is(StatusCode::OK).body;
    assert_eq!((&done["done"], &done["left"]), (&json!(ids[..1]), &json!(ids[1..])));
    assert_eq!(done["problem"]["status"], 500);
    assert_eq!(take_back(&server, &key, &ids[0], &done["word"]).await, [ids[0].as_str()]);
    // Where it is the first, nothing was done.
    let body = json!({"tenant_id": "acme", "ids": ids[1..], "decision": "accepted", "note": ""});
    ui(&server, &key, "emails/decide-many", &body).await.is(StatusCode::INTERNAL_SERVER_ERROR);
}

#[tokio::test]
async fn words_have_bounds() {
    let server = TestServer::start_idle(&[]).await;
    server.tenant("acme").await;
    let key = server.key_of("acme", Role::Operator).await;
    let many = vec!["01890a5d-ac96-774b-bcce-b302099a8057"; 201];
    for ids in [json!([]), json!(many)] {
        let body = json!({"tenant_id": "acme", "ids": ids});
        let refused = ui(&server, &key, "emails/reprocess-many", &body).await;
        assert_eq!(refused.is(StatusCode::UNPROCESSABLE_ENTITY).fields(), ["ids"]);
    }
}

/// Another tenant's message is gone for whoever names it in a word.
#[tokio::test]
async fn words_reach_no_other_tenants_message() {
    let server = TestServer::start_idle(&[]).await;
    server.tenant("acme").await;
    server.tenant("globex").await;
    let id = server.receive("acme", message("a@b.example", "order", "x")).await;
    let stranger = server.key_of("globex", Role::Admin).await;
    let words = [
        (
            "emails/decide-many",
            json!({"tenant_id": "globex", "ids": [id], "decision": "accepted", "note": ""}),
        ),
        ("emails/reprocess-many", json!({"tenant_id": "globex", "ids": [id]})),
        ("emails/correct-many", json!({"tenant_id": "globex", "ids": [id], "intent_id": null})),
        ("emails/send-again-many", json!({"tenant_id": "globex", "ids": [id]})),
    ];
    for (function, body) in words {
        let done = ui(&server, &stranger, function, &body).await.is(StatusCode::OK).body;
        assert_eq!((&done["done"], &done["left"]), (&json!([]), &json!([id])), "{function}");
    }
    for path in ["parts", "html", "attachments/0", "raw"] {
        let request = server.request(
            Method::GET,
            &format!("/api/emails/{id}/{path}?tenant_id=globex"),
            Some(&stranger),
        );
        Answer::of(request.send().await.unwrap()).await.is(StatusCode::NOT_FOUND);
    }
    assert_eq!(email(&server, &id).await["status"], "queued");
}

const MIXED: &str = "From: a@b.example\r\nSubject: both\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=m\r\n\r\n\
    --m\r\nContent-Type: multipart/alternative; boundary=a\r\n\r\n--a\r\nContent-Type: text/plain\r\n\r\nplain\r\n\
    --a\r\nContent-Type: text/html\r\n\r\n<p onclick=\"x()\">rich<script>bad()</script><img src=\"https://t.example/p.gif\"></p>\r\n--a--\r\n\
    --m\r\nContent-Type: text/html; name=\"r\u{e9}sum\u{e9} \\\"1\\\".html\"\r\nContent-Disposition: attachment; filename=\"r\u{e9}sum\u{e9} 1.html\"\r\n\r\n<script>evil()</script>\r\n--m--\r\n";

#[tokio::test]
async fn html_and_attachments_are_shown_so_that_they_can_do_nothing() {
    let server = TestServer::start_idle(&[]).await;
    server.tenant("acme").await;
    let id = server.receive("acme", MIXED).await;
    let q = "?tenant_id=acme";
    let parts = server.get(&format!("/api/emails/{id}/parts{q}")).await.is(StatusCode::OK).body;
    assert_eq!((&parts["has_html"], &parts["remote_images"]), (&json!(true), &json!(1)));
    assert_eq!(parts["attachments"][0]["content_type"], "text/html");
    let page = server.get(&format!("/api/emails/{id}/html{q}")).await.is(StatusCode::OK);
    assert!(page.text.contains("<p>rich") && !page.text.contains("bad()") && !page.text.contains("onclick"));
    assert!(!page.text.contains("t.example"));
    let policy = page.headers[header::CONTENT_SECURITY_POLICY].to_str().unwrap();
    assert!(
        policy.contains("default-src 'none'")
            && policy.contains("sandbox ")
            && !policy.contains("allow-scripts")
    );
    assert_eq!(page.headers.get_all(header::CONTENT_SECURITY_POLICY).iter().count(), 1);
    let page = server.get(&format!("/api/emails/{id}/html{q}&images=remote")).await.is(StatusCode::OK);
    assert!(page.text.contains("https://t.example/p.gif"));
    let refused = server.get(&format!("/api/emails/{id}/html{q}&images=yes")).await;
    assert_eq!(refused.is(StatusCode::UNPROCESSABLE_ENTITY).fields(), ["images"]);
    let file = server.get(&format!("/api/emails/{id}/attachments/0{q}")).await.is(StatusCode::OK);
    assert_eq!(file.headers[header::CONTENT_TYPE], "application/octet-stream");
    let disposition = file.headers[header::CONTENT_DISPOSITION].to_str().unwrap();
    assert!(
        disposition.starts_with("attachment; filename*=UTF-8''") && !disposition.contains('"'),
        "{disposition}"
    );
    assert_eq!(file.text, "<script>evil()</script>");
    server.get(&format!("/api/emails/{id}/attachments/1{q}")).await.is(StatusCode::NOT_FOUND);
    let plain = server.receive("acme", message("a@b.example", "plain", "x")).await;
    server.get(&format!("/api/emails/{plain}/html{q}")).await.is(StatusCode::NOT_FOUND);
}

/// As Apple's programs write it: a picture stands within the text, or before it.
#[tokio::test]
async fn what_stands_below_a_picture_is_read_too() {
    let server = TestServer::start_idle(&[]).await;
    server.tenant("acme").await;
    let q = "?tenant_id=acme";
    let mixed = |parts: &[(&str, &str)]| {
        let parts: String = parts
            .iter()
            .map(|(kind, part)| format!("--m\r\nContent-Type: {kind}\r\n\r\n{part}\r\n"))
            .collect();
        format!("From: a@b.example\r\nContent-Type: multipart/mixed; boundary=m\r\n\r\n{parts}--m--\r\n")
    };
    let picture = ("image/jpeg; name=a.jpg\r\nContent-Disposition: inline", "x");
    let unnamed = ("image/jpeg\r\nContent-Disposition: inline", "x");
    for (parts, body) in [
        (
            vec![("text/plain", "Hello,"), picture, ("text/plain", "my order is 1042")],
            "Hello,\nmy order is 1042",
        ),
        (vec![unnamed, ("text/plain", "my order is 1042")], "my order is 1042"),
        (
            vec![("text/plain", " \r\n"), unnamed, ("text/html", "<p>my order is 1042</p>")],
            "my order is 1042",
        ),
        (vec![("text/html", "<p>Hello,</p>"), unnamed, ("text/html", "<p>1042</p>")], "Hello,\n1042"),
    ] {
        let id = server.receive("acme", mixed(&parts)).await;
        let stored = server.get(&format!("/api/emails/{id}{q}")).await.is(StatusCode::OK).body;
        let read = stored["fields"]["body"].as_str().unwrap().trim().replace("\r\n", "\n");
        assert_eq!(read, body, "{parts:?}");
    }
    let rich = server
        .receive("acme", mixed(&[("text/html", "<p>Hello,</p>"), unnamed, ("text/plain", "1 < 2")]))
        .await;
    let page = server.get(&format!("/api/emails/{rich}/html{q}")).await.is(StatusCode::OK).text;
    assert!(page.contains("<p>Hello,</p>") && page.contains("1 &lt; 2"), "{page}");
    // An empty text beside it hides no HTML.
    let alternative = "From: a@b.example\r\nContent-Type: multipart/alternative; boundary=a\r\n\r\n\
        --a\r\nContent-Type: text/plain\r\n\r\n\r\n--a\r\nContent-Type: text/html\r\n\r\n<b>rich</b>\r\n--a--\r\n";
    let id = server.receive("acme", alternative).await;
    let stored = server.get(&format!("/api/emails/{id}{q}")).await.is(StatusCode::OK).body;
    assert_eq!(stored["fields"]["body"].as_str().unwrap().trim(), "rich");
}

#[tokio::test]
async fn html_that_would_take_long_is_withheld_and_the_attachments_of_a_message_without_end_are_counted() {
    let server = TestServer::start_idle(&[]).await;
    server.tenant("acme").await;
    let q = "?tenant_id=acme";
    let deep = format!(
        "From: a@b.example\r\nSubject: deep\r\nContent-Type: text/html\r\n\r\n{}Hello",
        "<div>".repeat(100_000)
    );
    let id = server.receive("acme", deep).await;
    let parts = server.get(&format!("/api/emails/{id}/parts{q}")).await.is(StatusCode::OK).body;
    assert_eq!((&parts["has_html"], &parts["remote_images"]), (&json!(true), &json!(0)));
    assert!(parts["html_withheld"].as_str().unwrap().contains("within one another"));
    server.get(&format!("/api/emails/{id}/html{q}")).await.is(StatusCode::BAD_REQUEST);
    let page = server.get(&format!("/t/acme/messages/{id}?view=html")).await.is(StatusCode::OK).text;
    assert!(page.contains("The formatted message is not shown. ") && page.contains("data-testid=\"body\""));
    let file =
        "--m\r\nContent-Type: text/csv\r\nContent-Disposition: attachment; filename=a.csv\r\n\r\n1\r\n";
    let many = format!(
        "From: a@b.example\r\nSubject: many\r\nContent-Type: multipart/mixed; boundary=m\r\n\r\n{}--m--\r\n",
        file.repeat(300)
    );
    let id = server.receive("acme", many).await;
    let parts = server.get(&format!("/api/emails/{id}/parts{q}")).await.is(StatusCode::OK).body;
    assert_eq!(
        (&parts["attachment_count"], parts["attachments"].as_array().unwrap().len()),
        (&json!(300), 200)
    );
    assert_eq!(parts["html_withheld"], Value::Null);
    server.get(&format!("/api/emails/{id}/attachments/299{q}")).await.is(StatusCode::OK);
}

#[tokio::test]
async fn views_belong_to_whoever_saved_them() {
    let server = TestServer::start_idle(&[]).await;
    server.tenant("acme").await;
    let (ann, bob) = (server.key_of("acme", Role::Viewer).await, server.key_of("acme", Role::Admin).await);
    let list = async |key: &str| {
        form(&server, key, "saved-filters/list", "tenant_id=acme").await.is(StatusCode::OK).body
    };
    let save = async |key: &str, name: &str, query: &str| {
        form(&server, key, "saved-filters/save", &format!("tenant_id=acme&name={name}&query={query}")).await
    };
    let made = save(&ann, "Mine", "%3Fdecision%3Dreview").await.is(StatusCode::OK);
    save(&ann, "Mine", "%3Fdecision%3Drejected").await.is(StatusCode::OK);
    assert_eq!(list(&ann).await[0]["query"], "?decision=rejected");
    assert_eq!(list(&ann).await.as_array().unwrap().len(), 1);
    assert_eq!(list(&bob).await, json!([]));
    let delete = format!("tenant_id=acme&filter_id={}", made.id("filter_id"));
    form(&server, &bob, "saved-filters/delete", &delete).await.is(StatusCode::NOT_FOUND);
    form(&server, &ann, "saved-filters/delete", &delete).await.is(StatusCode::OK);
    assert_eq!(list(&ann).await, json!([]));
    save(&ann, "", "%3Fa").await.is(StatusCode::UNPROCESSABLE_ENTITY);
    save(&ann, "x", "javascript:alert(1)").await.is(StatusCode::UNPROCESSABLE_ENTITY);
}

/// A page of a tenant hears of that tenant's changes, and of no other's.
#[tokio::test]
async fn changes_are_told_to_whoever_may_see_them() {
    let server = TestServer::start_idle(&[]).await;
    server.tenant("acme").await;
    server.tenant("globex").await;
    let key = server.key_of("acme", Role::Viewer).await;
    let stranger = server.key_of("globex", Role::Admin).await;
    for (key, status) in [(None, StatusCode::UNAUTHORIZED), (Some(stranger.as_str()), StatusCode::NOT_FOUND)]
    {
        let answer = server.request(Method::GET, "/ui/changes?tenant_id=acme", key).send().await.unwrap();
        assert_eq!(answer.status(), status);
    }
    let answer = server.request(Method::GET, "/ui/changes?tenant_id=acme", Some(&key)).send().await.unwrap();
    assert_eq!(answer.headers()["content-type"], "text/event-stream");
    let mut events = answer.bytes_stream();
    // The first listener begins to listen: what comes before it does is not heard, so it is said until it is.
    eventually("a change of acme is heard", async || {
        server.receive("acme", message("a@b.example", "order", "x")).await;
        let heard = tokio::time::timeout(Duration::from_millis(700), events.next()).await;
        let bytes = heard.ok()??.unwrap();
        assert_eq!(std::str::from_utf8(&bytes).unwrap(), "event: changed\ndata: 1\n\n");
        Some(())
    })
    .await;
    // What acme's own changes have left to tell is told; then only globex changes.
    while tokio::time::timeout(Duration::from_millis(900), events.next()).await.is_ok() {}
    server.receive("globex", message("a@b.example", "order", "x")).await;
    assert!(
        tokio::time::timeout(Duration::from_millis(900), events.next()).await.is_err(),
        "globex is not heard"
    );
}
