//! A person's last word on a message, as its history offers to take it back.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use super::support::{Answer, TestServer, message};
use crate::auth::dto::Role;

async fn form(server: &TestServer, key: &str, function: &str, body: &str) -> Answer {
    let request = server.request(Method::POST, &format!("/ui/emails/{function}"), Some(key));
    let request = request.header("content-type", "application/x-www-form-urlencoded");
    Answer::of(request.body(format!("tenant_id=acme&{body}")).send().await.unwrap()).await
}

/// Of each entry of a history, newest first: what was done, and by what word it is taken back.
async fn history(server: &TestServer, key: &str, id: &str) -> Vec<(String, Value)> {
    let entries = form(server, key, "history", &format!("email_id={id}")).await.is(StatusCode::OK).body;
    let told = |entry: &Value| (entry["action"].as_str().unwrap().to_owned(), entry["word"].clone());
    entries["entries"].as_array().unwrap().iter().map(told).collect()
}

async fn decide(server: &TestServer, key: &str, id: &str, decision: &str) -> Value {
    let body = format!("email_id={id}&decision={decision}&note=");
    form(server, key, "decide", &body).await.is(StatusCode::OK).body
}

#[tokio::test]
async fn ones_last_word_is_taken_back_from_the_history() {
    let server = TestServer::start_idle(&[]).await;
    server.tenant("acme").await;
    let (ann, bob) =
        (server.key_of("acme", Role::Operator).await, server.key_of("acme", Role::Operator).await);
    let id = server.receive("acme", message("a@b.example", "hello", "x")).await;
    let entry = |action: &str, word: &Value| (action.to_owned(), word.clone());
    let none = Value::Null;
    assert_eq!(history(&server, &ann, &id).await, [entry("email.receive", &none)]);

    let first = decide(&server, &ann, &id, "accepted").await;
    let word = decide(&server, &ann, &id, "rejected").await;
    assert_ne!(first, word);
    let said = [
        entry("email.decide", &word),
        // It is no more the last one.
        entry("email.decide", &none),
        entry("email.receive", &none),
    ];
    assert_eq!(history(&server, &ann, &id).await, said);
    let others: Vec<Value> = history(&server, &bob, &id).await.into_iter().map(|(_, word)| word).collect();
    assert_eq!(others, [Value::Null, Value::Null, Value::Null], "it is another's");

    let body = json!({"tenant_id": "acme", "ids": [id], "word": word});
    let request = server.request(Method::POST, "/ui/emails/take-back", Some(&ann)).json(&body);
    let done = Answer::of(request.send().await.unwrap()).await.is(StatusCode::OK).body;
    assert_eq!(done["done"], json!([id]));
    let now = history(&server, &ann, &id).await;
    assert_eq!(now[0], entry("email.take_back", &none));
    assert!(now.iter().all(|(_, word)| word.is_null()), "{now:?}");
}

#[tokio::test]
async fn a_word_of_long_ago_is_not_offered() {
    let server = TestServer::start_idle(&[]).await;
    server.tenant("acme").await;
    let key = server.key_of("acme", Role::Operator).await;
    let id = server.receive("acme", message("a@b.example", "hello", "x")).await;
    let word = decide(&server, &key, &id, "accepted").await;
    assert_eq!(history(&server, &key, &id).await[0].1, word);
    let mut conn = server.database().superuser().await;
    sqlx::query("UPDATE emails SET undo = jsonb_set(undo, '{at}', to_jsonb(now() - interval '3 minutes'))")
        .execute(&mut conn)
        .await
        .unwrap();
    assert_eq!(history(&server, &key, &id).await[0].1, Value::Null);
}
