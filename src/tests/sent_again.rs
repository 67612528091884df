//! What was given up, sent again for many messages at once.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use axum::response::IntoResponse;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use sqlx::AssertSqlSafe;
use tokio_util::sync::CancellationToken;

use super::{
    deliveries::{route, settled},
    receivers::Receiver,
    support::{Answer, TestServer, eventually, message},
};
use crate::{
    auth::dto::Role,
    deliveries::{
        dto::SENT_AGAIN,
        server::{senders::Gate, worker as sending},
    },
    emails::server::worker,
    shared::TenantId,
};

/// A receiver that is gone until it is said to be back. What comes by `/always` it takes all the while.
async fn gone_at_first() -> (Receiver, Arc<AtomicBool>) {
    let is_back = Arc::new(AtomicBool::new(false));
    let told = Arc::clone(&is_back);
    let receiver = Receiver::answering(move |path, _| {
        let takes = path == "/always" || told.load(Ordering::SeqCst);
        let status = if takes { StatusCode::OK } else { StatusCode::GONE };
        status.into_response()
    });
    (receiver.await, is_back)
}

async fn ask(server: &TestServer, key: &str, tenant: &str, ids: &Value) -> Answer {
    let path = format!("/api/emails/retry-deliveries?tenant_id={tenant}");
    let request = server.request(Method::POST, &path, Some(key)).json(&json!({"ids": ids}));
    Answer::of(request.send().await.unwrap()).await
}

async fn email(server: &TestServer, id: &str) -> Value {
    server.get(&format!("/api/emails/{id}?tenant_id=acme")).await.is(StatusCode::OK).body
}

/// How far each delivery of a message has come, the oldest first.
async fn statuses(server: &TestServer, id: &str) -> Vec<String> {
    let found = email(server, id).await;
    let all = found["deliveries"].as_array().unwrap();
    all.iter().map(|delivery| delivery["status"].as_str().unwrap().to_owned()).collect()
}

/// Routes along which nothing is sent, where nobody works.
async fn routes(server: &TestServer, names: &[&str]) {
    for name in names {
        let settings = json!({"url": format!("https://hooks.acme.example/{name}")});
        let hook = json!({"name": name, "kind": "webhook", "decisions": ["review"], "settings": settings});
        route(server, hook).await;
    }
}

async fn sql(server: &TestServer, sql: &str) {
    let mut conn = server.database().superuser().await;
    sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(&mut conn).await.unwrap();
}

/// As if all that is on its way had been tried once and given up.
async fn give_up(server: &TestServer) {
    let given_up = "UPDATE deliveries SET status = 'failed', attempts = 1, next_attempt = NULL, \
                    note = 'The receiver refused it: 410 Gone' WHERE status = 'pending'; \
                    DELETE FROM jobs WHERE kind = 'delivery'";
    sql(server, given_up).await;
}

async fn process(server: &TestServer, tenant: &TenantId, id: &str) {
    worker::process_now(&server.app, tenant, id.parse().unwrap()).await.unwrap().unwrap();
}

async fn received(server: &TestServer, tenant: &TenantId, subject: &str) -> String {
    let id = server.receive("acme", message("a@x.example", subject, "x")).await;
    process(server, tenant, &id).await;
    id
}

/// Three messages, each of which was sent along two routes in vain.
async fn three_given_up(server: &TestServer, tenant: &TenantId) -> Vec<String> {
    routes(server, &["erp", "crm"]).await;
    let mut ids = Vec::new();
    for subject in ["one", "two", "three"] {
        ids.push(received(server, tenant, subject).await);
    }
    give_up(server).await;
    ids
}

/// The deliveries that wait for somebody who sends.
async fn jobs(server: &TestServer) -> i64 {
    let mut conn = server.database().superuser().await;
    let due = "SELECT count(*) FROM jobs WHERE kind = 'delivery'";
    sqlx::query_scalar(due).fetch_one(&mut conn).await.unwrap()
}

#[tokio::test]
async fn what_was_given_up_is_sent_again_for_many_and_what_cannot_be_is_told() {
    let server = TestServer::start().await;
    let (receiver, is_back) = gone_at_first().await;
    server.tenant("acme").await;
    let orders = json!({"intent": {"name": "Orders", "match": {"all": [{"field": "subject", "op": "contains", "value": "order"}]}}});
    server.post("/api/intents/with-rules?tenant_id=acme", &orders).await.is(StatusCode::CREATED);
    let hook = |name: &str, decision: &str| {
        let settings = json!({"url": format!("{}/{name}", receiver.base)});
        json!({"name": name, "kind": "webhook", "decisions": [decision], "settings": settings})
    };
    route(&server, hook("erp", "review")).await;
    route(&server, hook("always", "review")).await;
    let old = route(&server, hook("old", "accepted")).await;
    let mut ids = Vec::new();
    for subject in ["one", "two"] {
        let id = server.receive("acme", message("a@x.example", subject, "x")).await;
        settled(&server, &id, &["failed", "delivered"]).await;
        ids.push(id);
    }
    let order = server.receive("acme", message("a@x.example", "order", "x")).await;
    let stuck = settled(&server, &order, &["failed"]).await["deliveries"][0]["delivery_id"].clone();
    let path = format!("/api/routes/{}?tenant_id=acme", old["route_id"]);
    server.delete(&path).await.is(StatusCode::NO_CONTENT);
    is_back.store(true, Ordering::SeqCst);

    let gone = "01890a5d-ac96-774b-bcce-b302099a8057";
    let named = json!([ids[0], order, ids[1], gone, ids[0]]);
    let key = server.key_of("acme", Role::Operator).await;
    let again = ask(&server, &key, "acme", &named).await.is(StatusCode::OK).body;
    let reason = "The route 'old' was deleted, so this cannot be sent again";
    let expected = json!({
        "done": ids,
        "left": [order, gone],
        "sent": 2,
        "refused": [{"email_id": order, "delivery_id": stuck, "reason": reason}],
    });
    assert_eq!(again, expected);
    for id in &ids {
        let found = settled(&server, id, &["delivered", "delivered"]).await;
        assert_eq!(found["deliveries"][0]["attempts"], 2);
    }
    let came = |path: &str| receiver.hooks().iter().filter(|hook| hook.path == path).count();
    assert_eq!((came("/erp"), came("/always"), came("/old")), (4, 2, 1), "what arrived is not sent twice");
    let log = server.get("/api/audit-log?tenant_id=acme&action=delivery.retry").await.is(StatusCode::OK).body;
    assert_eq!(log.as_array().unwrap().len(), 2, "each tells of itself");

    let once_more = ask(&server, &key, "acme", &named).await.is(StatusCode::OK).body;
    assert_eq!((&once_more["done"], &once_more["sent"]), (&json!([]), &json!(0)));
    assert_eq!((jobs(&server).await, came("/erp")), (0, 4));
}

#[tokio::test]
async fn two_who_ask_at_once_send_it_once() {
    let server = TestServer::start().await;
    let (receiver, is_back) = gone_at_first().await;
    server.tenant("acme").await;
    let hook = json!({"name": "erp", "kind": "webhook", "decisions": ["review"], "settings": {"url": receiver.base}});
    route(&server, hook).await;
    let mut ids = Vec::new();
    for subject in ["one", "two", "three", "four"] {
        let id = server.receive("acme", message("a@x.example", subject, "x")).await;
        settled(&server, &id, &["failed"]).await;
        ids.push(id);
    }
    is_back.store(true, Ordering::SeqCst);
    let key = server.key_of("acme", Role::Operator).await;
    // One from the last: so they meet on the way, and neither waits for what the other waits for.
    let (ahead, back): (Value, Value) = (json!(ids), ids.iter().rev().cloned().collect());
    let (one, other) = tokio::join!(ask(&server, &key, "acme", &ahead), ask(&server, &key, "acme", &back));
    let sent = |answer: Answer| answer.is(StatusCode::OK).body["sent"].as_u64().unwrap();
    assert_eq!(sent(one) + sent(other), 4);
    for id in &ids {
        settled(&server, id, &["delivered"]).await;
    }
    assert_eq!((jobs(&server).await, receiver.hooks().len()), (0, 8));
}

/// Whoever sends many again knows no more of their receiver than the first of them finds out.
#[tokio::test]
async fn once_the_receiver_of_many_failed_again_the_others_wait_as_all_do() {
    let server = TestServer::start_idle(&[("DELIVERY_CONCURRENCY", "1")]).await;
    let receiver = Receiver::answering(|_, _| StatusCode::SERVICE_UNAVAILABLE.into_response()).await;
    let tenant = server.tenant("acme").await;
    let hook = json!({"name": "erp", "kind": "webhook", "decisions": ["review"], "settings": {"url": receiver.base}});
    route(&server, hook).await;
    let mut ids = Vec::new();
    for subject in ["one", "two", "three", "four"] {
        ids.push(received(&server, &tenant, subject).await);
    }
    give_up(&server).await;
    // It is left alone already.
    let gate = Gate::Host(tenant.clone(), receiver.base.strip_prefix("http://").unwrap().to_owned());
    let breakers = &server.app.senders.breakers;
    let mut told = 0;
    while let Ok(pass) = breakers.enter(gate.clone()) {
        pass.leave(Some("down"));
        told += 1;
    }
    let key = server.key_of("acme", Role::Operator).await;
    let again = ask(&server, &key, "acme", &json!(ids)).await.is(StatusCode::OK).body;
    assert_eq!(again["sent"], 4);
    let stop = CancellationToken::new();
    let working = tokio::spawn(sending::work(server.app.clone(), stop.clone()));
    eventually("each was looked at", async || {
        for id in &ids {
            let found = email(&server, id).await;
            if found["deliveries"][0]["note"] == SENT_AGAIN {
                return None;
            }
        }
        Some(())
    })
    .await;
    stop.cancel();
    working.await.unwrap();
    // Where this took longer than the breaker's pause, it had one see whether the receiver is back.
    let failures = loop {
        match breakers.enter(gate.clone()) {
            Ok(pass) => pass.leave(Some("down")),
            Err(open) => break open.failures,
        }
        told += 1;
    };
    let probes = usize::try_from(failures - told).unwrap();
    assert_eq!(receiver.hooks().len(), 1 + probes, "the first finds out for all");
}

/// As the page of messages says it: of what a route did last for the message alone, and why not, in one sentence.
#[tokio::test]
async fn a_word_sends_again_what_is_the_last_of_its_route_and_says_why_something_is_not() {
    let server = TestServer::start_idle(&[]).await;
    let tenant = server.tenant("acme").await;
    let ids = three_given_up(&server, &tenant).await;
    let path = format!("/api/emails/{}/decision?tenant_id=acme", ids[1]);
    server.post(&path, &json!({"decision": "rejected"})).await.is(StatusCode::OK);
    // Run again, it is sent anew: what was given up before is nobody's to see to.
    let path = format!("/api/emails/{}/reprocess?tenant_id=acme", ids[2]);
    server.post(&path, &json!({})).await.is(StatusCode::ACCEPTED);
    process(&server, &tenant, &ids[2]).await;
    give_up(&server).await;
    assert_eq!(statuses(&server, &ids[2]).await, ["failed"; 4]);

    let key = server.key_of("acme", Role::Operator).await;
    let say = async |mut body: Value| {
        body["tenant_id"] = json!("acme");
        let request = server.request(Method::POST, "/ui/emails/send-again-many", Some(&key)).json(&body);
        Answer::of(request.send().await.unwrap()).await.is(StatusCode::OK).body
    };
    let said = say(json!({"ids": ids})).await;
    assert_eq!((&said["done"], &said["left"]), (&json!([ids[0], ids[2]]), &json!([ids[1]])));
    assert_eq!((&said["sent"], &said["word"]), (&json!(4), &Value::Null), "it is not taken back");
    let why =
        "2 deliveries were not sent again: The message was decided otherwise since, so this is out of date";
    assert_eq!((&said["problem"]["status"], &said["problem"]["detail"]), (&json!(400), &json!(why)));
    assert_eq!(statuses(&server, &ids[0]).await, ["pending"; 2]);
    assert_eq!(statuses(&server, &ids[1]).await, ["failed"; 2]);
    assert_eq!(statuses(&server, &ids[2]).await, ["failed", "failed", "pending", "pending"]);
    assert_eq!(jobs(&server).await, 4);

    // What somebody else sent again has left the list of what was given up.
    let said = say(json!({"ids": ids, "fitting": {"delivery": "failed"}})).await;
    assert_eq!((&said["done"], &said["left"]), (&json!([]), &json!(ids)));
    assert_eq!((&said["sent"], &said["problem"]), (&json!(0), &Value::Null));
    assert_eq!(jobs(&server).await, 4);
}

#[tokio::test]
async fn what_waits_is_left_alone_and_nobody_else_may_ask() {
    let server = TestServer::start_idle(&[]).await;
    let tenant = server.tenant("acme").await;
    server.tenant("globex").await;
    routes(&server, &["erp"]).await;
    let id = received(&server, &tenant, "one").await;
    let ids = json!([id]);
    let waits = "UPDATE deliveries SET attempts = 1, note = 'The receiver answered 502 Bad Gateway'; \
                 UPDATE jobs SET run_at = now() + interval '1 hour' WHERE kind = 'delivery'";
    sql(&server, waits).await;
    let operator = server.key_of("acme", Role::Operator).await;
    let none = json!({"done": [], "left": [id], "sent": 0, "refused": []});
    assert_eq!(ask(&server, &operator, "acme", &ids).await.is(StatusCode::OK).body, none);
    let mut conn = server.database().superuser().await;
    let still_waits = "SELECT run_at > now() FROM jobs WHERE kind = 'delivery'";
    assert!(sqlx::query_scalar::<_, bool>(still_waits).fetch_one(&mut conn).await.unwrap());

    give_up(&server).await;
    let viewer = server.key_of("acme", Role::Viewer).await;
    ask(&server, &viewer, "acme", &ids).await.is(StatusCode::FORBIDDEN);
    let stranger = server.key_of("globex", Role::Admin).await;
    ask(&server, &stranger, "acme", &ids).await.is(StatusCode::NOT_FOUND);
    assert_eq!(ask(&server, &stranger, "globex", &ids).await.is(StatusCode::OK).body, none);
    for ids in [json!([]), json!(vec![&id; 201])] {
        let refused = ask(&server, &operator, "acme", &ids).await;
        assert_eq!(refused.is(StatusCode::UNPROCESSABLE_ENTITY).fields(), ["ids"]);
    }
    assert_eq!((statuses(&server, &id).await, jobs(&server).await), (vec!["failed".to_owned()], 0));
    assert_eq!(ask(&server, &operator, "acme", &ids).await.is(StatusCode::OK).body["sent"], 1);
}

/// Of the message at which it breaks off, nothing is sent; what was done before stays done.
#[tokio::test]
async fn what_breaks_off_is_told_with_what_was_sent_by_then() {
    let server = TestServer::start_idle(&[]).await;
    let tenant = server.tenant("acme").await;
    let ids = three_given_up(&server, &tenant).await;
    let broken = format!(
        "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'broken'; END $$; \
         CREATE TRIGGER refuse BEFORE UPDATE ON deliveries FOR EACH ROW \
         WHEN (NEW.email_id = '{}' AND NEW.route_name = 'crm') EXECUTE FUNCTION refuse()",
        ids[1]
    );
    sql(&server, &broken).await;
    let key = server.key_of("acme", Role::Operator).await;
    let again = ask(&server, &key, "acme", &json!(ids)).await.is(StatusCode::OK).body;
    assert_eq!((&again["done"], &again["left"]), (&json!(ids[..1]), &json!(ids[1..])));
    assert_eq!((&again["sent"], &again["problem"]["status"]), (&json!(2), &json!(500)));
    assert_eq!(statuses(&server, &ids[0]).await, ["pending"; 2]);
    assert_eq!(statuses(&server, &ids[1]).await, ["failed"; 2]);
    assert_eq!(jobs(&server).await, 2);
    // Where it is the first, nothing was done.
    ask(&server, &key, "acme", &json!(ids[1..])).await.is(StatusCode::INTERNAL_SERVER_ERROR);
}
