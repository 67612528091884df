//! What goes with an intent that is deleted.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use sqlx::Connection;
use tokio_util::sync::CancellationToken;

use super::{
    deliveries::route,
    support::{Answer, TestServer, message},
};
use crate::emails::server::worker;

#[tokio::test]
async fn an_intents_routes_go_with_it_and_what_is_under_way_for_them_is_called_off() {
    let server = TestServer::start_idle(&[]).await;
    server.tenant("acme").await;
    let body = json!({"name": "Orders", "match": {"all": [{"field": "subject", "op": "contains", "value": "order"}]}});
    let made = server.post("/api/intents?tenant_id=acme", &body).await.is(StatusCode::CREATED);
    let intent = made.id("intent_id");
    let hook = |name: &str, intent: Value| {
        json!({"name": name, "intent_id": intent, "kind": "webhook", "decisions": ["accepted"],
            "settings": {"url": "http://127.0.0.1:9/", "headers": {"authorization": "s3cret-value"}}})
    };
    let bound = [
        route(&server, hook("first", intent.into())).await,
        route(&server, hook("second", intent.into())).await,
    ];
    let general = route(&server, hook("general", Value::Null)).await;
    // Decided, with nobody there to send.
    let stop = CancellationToken::new();
    let workers = tokio::spawn(worker::work(server.app.clone(), stop.clone()));
    let email = server.decide("acme", message("zoe@x.example", "order 7", "x")).await;
    stop.cancel();
    workers.await.unwrap();
    let id = email["email_id"].as_str().unwrap();
    let deliveries = async || {
        let email = server.get(&format!("/api/emails/{id}?tenant_id=acme")).await.is(StatusCode::OK).body;
        let told = |delivery: &Value| {
            let text = |name: &str| delivery[name].as_str().unwrap_or_default().to_owned();
            [text("route_name"), text("status"), text("note")]
        };
        let mut told: Vec<[String; 3]> = email["deliveries"].as_array().unwrap().iter().map(told).collect();
        told.sort();
        told
    };
    let before = deliveries().await;
    assert!(before.len() == 3 && before.iter().all(|[_, status, _]| status == "pending"), "{before:?}");

    // Messages are neither rewritten nor waited for: an intent may have had any number of them.
    let mut conn = server.database().superuser().await;
    let mut busy = conn.begin().await.unwrap();
    sqlx::query("SELECT FROM emails FOR NO KEY UPDATE").execute(&mut *busy).await.unwrap();
    let path = format!("/api/intents/{intent}?tenant_id=acme");
    server.delete(&path).await.is(StatusCode::NO_CONTENT);
    let at = |route: &Value| format!("/api/routes/{}?tenant_id=acme", route["route_id"]);
    for route in &bound {
        server.get(&at(route)).await.is(StatusCode::NOT_FOUND);
    }
    server.get(&at(&general)).await.is(StatusCode::OK);
    assert_eq!(
        deliveries().await,
        [
            ["first", "cancelled", "The route was deleted"],
            ["general", "pending", ""],
            ["second", "cancelled", "The route was deleted"],
        ]
    );
    busy.rollback().await.unwrap();
    let jobs: i64 = sqlx::query_scalar("SELECT count(*) FROM jobs").fetch_one(&mut conn).await.unwrap();
    assert_eq!(jobs, 1, "that of the general route");
    // A message tells what it was, and names no id that leads nowhere, here as little as in lists and counts.
    let kept = json!({"intent_id": null, "name": "Orders"});
    let email = server.get(&format!("/api/emails/{id}?tenant_id=acme")).await.is(StatusCode::OK).body;
    assert_eq!(email["intent"], kept);
    for query in ["", "&q=order"] {
        let listed = server.get(&format!("/api/emails?tenant_id=acme{query}")).await.is(StatusCode::OK).body;
        assert_eq!(listed[0]["intent"], kept, "{query}");
    }
    let listed =
        server.get(&format!("/api/emails?tenant_id=acme&intent_id={intent}")).await.is(StatusCode::OK);
    assert_eq!(listed.body, json!([]));
    let request = server.request(Method::POST, "/ui/dashboard", Some(&server.key));
    let request = request.header("content-type", "application/x-www-form-urlencoded");
    let counted = Answer::of(request.body("tenant_id=acme&period=week").send().await.unwrap()).await;
    let shares = &counted.is(StatusCode::OK).body["intents"];
    assert_eq!(*shares, json!([{"intent_id": null, "name": "Orders", "messages": 1, "rejected": 0}]));
    let again = server.post("/api/intents?tenant_id=acme", &body).await.is(StatusCode::CREATED);
    let email = server.get(&format!("/api/emails/{id}?tenant_id=acme")).await.is(StatusCode::OK).body;
    assert_eq!(email["intent"], kept, "one of the same name is another: {}", again.text);
    // One entry tells of it all, and of no secret.
    let log = server.get("/api/audit-log?tenant_id=acme&action=intent.delete").await.is(StatusCode::OK);
    let gone = &log.body[0]["before"];
    assert_eq!((log.body.as_array().unwrap().len(), &gone["intent"]["name"]), (1, &json!("Orders")));
    let names: Vec<&Value> = gone["routes"].as_array().unwrap().iter().map(|route| &route["name"]).collect();
    assert_eq!(names, ["first", "second"]);
    assert!(!log.text.contains("s3cret-value"), "{}", log.text);
}
