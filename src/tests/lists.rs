//! Lists of messages: what narrows them, and what stands beside a message in one.

use axum::response::IntoResponse;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use super::{
    receivers::Receiver,
    support::{Answer, TestServer, eventually, message},
};
use crate::auth::dto::Role;

/// The ids that a list gives, newest first.
async fn listed(server: &TestServer, query: &str) -> Vec<String> {
    let list = server.get(&format!("/api/emails?tenant_id=acme{query}")).await.is(StatusCode::OK).body;
    list.as_array().unwrap().iter().map(|email| email["email_id"].as_str().unwrap().to_owned()).collect()
}

async fn neighbours(server: &TestServer, key: &str, form: &str) -> Answer {
    let request = server.request(Method::POST, "/ui/emails/neighbours", Some(key));
    let request = request.header("content-type", "application/x-www-form-urlencoded");
    Answer::of(request.body(format!("tenant_id=acme&{form}")).send().await.unwrap()).await
}

fn id(email: &Value) -> String {
    email["email_id"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn what_waits_what_has_no_intent_and_what_was_given_up_are_lists() {
    let server = TestServer::start().await;
    let receiver = Receiver::answering(|_, _| StatusCode::GONE.into_response()).await;
    server.tenant("acme").await;
    let intent = json!({"name": "Orders", "match": {"all": [{"field": "subject", "op": "contains", "value": "order"}]}});
    let intent =
        server.post("/api/intents?tenant_id=acme", &intent).await.is(StatusCode::CREATED).id("intent_id");
    let hook = json!({"name": "erp", "intent_id": intent, "kind": "webhook", "decisions": ["accepted"], "settings": {"url": format!("{}/hook", receiver.base)}});
    server.post("/api/routes?tenant_id=acme", &hook).await.is(StatusCode::CREATED);

    let order = id(&server.decide("acme", message("a@x.example", "order 1", "x")).await);
    let other = id(&server.decide("acme", message("a@x.example", "hello", "x")).await);
    let given_up = eventually("its webhook is given up", async || {
        Some(listed(&server, "&delivery=failed").await).filter(|ids| !ids.is_empty())
    })
    .await;
    assert_eq!(given_up, [order.as_str()]);
    assert!(listed(&server, "&delivery=delivered").await.is_empty());
    assert_eq!(listed(&server, "&without_intent=true").await, [other.as_str()]);
    assert_eq!(listed(&server, "&without_intent=false").await, [other.as_str(), order.as_str()]);
    assert!(listed(&server, "&waiting=true").await.is_empty());

    // Of an intent that is deleted a message keeps the name: it is not one without.
    let hooks = server.get("/api/routes?tenant_id=acme").await.body;
    server
        .delete(&format!("/api/routes/{}?tenant_id=acme", hooks[0]["route_id"]))
        .await
        .is(StatusCode::NO_CONTENT);
    server.delete(&format!("/api/intents/{intent}?tenant_id=acme")).await.is(StatusCode::NO_CONTENT);
    assert_eq!(listed(&server, "&without_intent=true").await, [other.as_str()]);

    for query in ["&waiting=perhaps", "&without_intent=2", "&delivery=lost"] {
        let answer = server.get(&format!("/api/emails?tenant_id=acme{query}")).await;
        let name = query.trim_start_matches('&').split('=').next().unwrap();
        assert_eq!(answer.is(StatusCode::UNPROCESSABLE_ENTITY).fields(), [name]);
    }
}

#[tokio::test]
async fn what_waits_is_queued_or_being_decided() {
    let server = TestServer::start_idle(&[]).await;
    server.tenant("acme").await;
    let mut ids = Vec::new();
    for subject in ["one", "two", "three"] {
        ids.push(server.receive("acme", message("a@x.example", subject, "x")).await);
    }
    let mut conn = server.database().superuser().await;
    for (id, status) in [(&ids[1], "processing"), (&ids[2], "done")] {
        let sql = "UPDATE emails SET status = $2, decision = CASE WHEN $2 = 'done' THEN 'review' END WHERE email_id = $1::uuid";
        sqlx::query(sql).bind(id).bind(status).execute(&mut conn).await.unwrap();
    }
    assert_eq!(listed(&server, "&waiting=true").await, [ids[1].as_str(), ids[0].as_str()]);
    assert_eq!(listed(&server, "&waiting=true&status=queued").await, [ids[0].as_str()]);
}

#[tokio::test]
async fn a_message_has_neighbours_in_a_list_that_no_longer_holds_it() {
    let server = TestServer::start().await;
    server.tenant("acme").await;
    server.tenant("globex").await;
    let mut ids = Vec::new();
    for subject in ["order 1", "hello", "order 2", "order 3"] {
        ids.push(id(&server.decide("acme", message("a@x.example", subject, "x")).await));
        // In between, another tenant's, which is nobody's neighbour here.
        server.decide("globex", message("a@x.example", subject, "x")).await;
    }
    let viewer = server.key_of("acme", Role::Viewer).await;
    let beside = async |form: &str| neighbours(&server, &viewer, form).await.is(StatusCode::OK).body;
    let all = beside(&format!("email_id={}", ids[1])).await;
    assert_eq!(all, json!({"newer": ids[2], "older": ids[0]}));
    let orders = beside(&format!("email_id={}&filter[q]=order", ids[2])).await;
    assert_eq!(orders, json!({"newer": ids[3], "older": ids[0]}));
    let ends = beside(&format!("email_id={}", ids[3])).await;
    assert_eq!(ends, json!({"newer": null, "older": ids[2]}));

    let path = format!("/api/emails/{}/decision?tenant_id=acme", ids[2]);
    server.post(&path, &json!({"decision": "rejected"})).await.is(StatusCode::OK);
    let decision =
        server.get(&format!("/api/emails/{}?tenant_id=acme", ids[0])).await.body["decision"].clone();
    let filter = format!("email_id={}&filter[decision]={}", ids[2], decision.as_str().unwrap());
    assert_eq!(beside(&filter).await, json!({"newer": ids[3], "older": ids[1]}));

    let stranger = server.key_of("globex", Role::Admin).await;
    neighbours(&server, &stranger, &format!("email_id={}", ids[1])).await.is(StatusCode::NOT_FOUND);
    let nul = format!("email_id={}&filter[q]=%00", ids[1]);
    neighbours(&server, &viewer, &nul).await.is(StatusCode::UNPROCESSABLE_ENTITY);
}

#[tokio::test]
async fn what_a_delivery_says_is_shown_to_its_own_tenant_alone() {
    let server = TestServer::start().await;
    let receiver = Receiver::start().await;
    server.tenant("acme").await;
    server.tenant("globex").await;
    let hook = json!({"name": "erp", "kind": "webhook", "decisions": ["accepted", "rejected", "review"], "settings": {"url": format!("{}/hook", receiver.base), "headers": {"X-Key": "s3cret-value"}}});
    server.post("/api/routes?tenant_id=acme", &hook).await.is(StatusCode::CREATED);
    let email = server.decide("acme", message("a@x.example", "hello", "x")).await;
    let detail = server.get(&format!("/api/emails/{}?tenant_id=acme", id(&email))).await.body;
    let delivery = detail["deliveries"][0]["delivery_id"].as_str().unwrap().to_owned();
    let ask = async |key: &str, tenant: &str| {
        let request = server.request(Method::POST, "/ui/deliveries/payload", Some(key));
        let request = request.header("content-type", "application/x-www-form-urlencoded");
        let body = format!("tenant_id={tenant}&delivery_id={delivery}");
        Answer::of(request.body(body).send().await.unwrap()).await
    };
    let viewer = server.key_of("acme", Role::Viewer).await;
    let found = ask(&viewer, "acme").await.is(StatusCode::OK);
    assert_eq!(found.body["data"]["subject"], "hello");
    assert!(!found.text.contains("s3cret-value"));
    let stranger = server.key_of("globex", Role::Admin).await;
    ask(&stranger, "acme").await.is(StatusCode::NOT_FOUND);
    ask(&stranger, "globex").await.is(StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_list_is_narrowed_to_when_its_messages_were_received() {
    let server = TestServer::start().await;
    server.tenant("acme").await;
    let first = id(&server.decide("acme", message("a@x.example", "one", "x")).await);
    let second = id(&server.decide("acme", message("a@x.example", "two", "x")).await);
    let mut conn = server.database().superuser().await;
    sqlx::query("UPDATE emails SET received_at = '2026-11-01T12:00:00Z' WHERE email_id = $1::uuid")
        .bind(&first)
        .execute(&mut conn)
        .await
        .unwrap();
    let both = [second.as_str(), first.as_str()];
    for (query, expected) in [
        ("&from=2026-11-01T12:00:00Z", &both[..]),
        ("&from=2026-11-01T12:00:01Z", &both[..1]),
        ("&to=2026-11-01T12:00:00Z", &[]),
        ("&from=2026-11-01T00:00:00%2B01:00&to=2026-11-02T00:00:00Z", &both[1..]),
    ] {
        assert_eq!(listed(&server, query).await, expected, "{query}");
    }
    assert!(
        neighbours(&server, &server.key, &format!("email_id={first}&filter[to]=2026-11-02T00:00:00Z"))
            .await
            .is(StatusCode::OK)
            .body["newer"]
            .is_null()
    );
    for (query, field) in [("from=-9999-01-01T00:00:00Z", "from"), ("to=today", "to")] {
        let answer = server.get(&format!("/api/emails?tenant_id=acme&{query}")).await;
        assert_eq!(answer.is(StatusCode::UNPROCESSABLE_ENTITY).fields(), [field]);
    }
}
