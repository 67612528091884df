//! Views of the messages that are everyone's of a tenant.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use super::support::{Answer, TestServer};
use crate::auth::dto::Role;

async fn ask(server: &TestServer, key: &str, function: &str, form: &str) -> Answer {
    let request = server.request(Method::POST, &format!("/ui/saved-filters/{function}"), Some(key));
    let request = request.header("content-type", "application/x-www-form-urlencoded");
    Answer::of(request.body(form.to_owned()).send().await.unwrap()).await
}

async fn save(server: &TestServer, key: &str, name: &str, decision: &str, more: &str) -> Answer {
    let form = format!("tenant_id=acme&name={name}&query=%3Fdecision%3D{decision}{more}");
    ask(server, key, "save", &form).await
}

const SHARED: &str = "&is_shared=true";

/// Of each view: its name, where it leads, whether it is shared, and whether it may be changed.
async fn views(server: &TestServer, key: &str) -> Vec<Value> {
    let found = ask(server, key, "list", "tenant_id=acme").await.is(StatusCode::OK).body;
    let told = |view: &Value| json!([view["name"], view["query"], view["is_shared"], view["may_change"]]);
    found.as_array().unwrap().iter().map(told).collect()
}

#[tokio::test]
async fn a_view_is_shared_by_who_works_on_messages_and_seen_by_everyone_of_the_tenant() {
    let server = TestServer::start_idle(&[]).await;
    server.tenant("acme").await;
    server.tenant("globex").await;
    let viewer = server.key_of("acme", Role::Viewer).await;
    let (ann, bob) = (server.key_of("acme", Role::Operator).await, server.key_of("acme", Role::Editor).await);
    let stranger = server.key_of("globex", Role::Admin).await;

    save(&server, &viewer, "Mine", "review", SHARED).await.is(StatusCode::FORBIDDEN);
    save(&server, &viewer, "Mine", "review", "").await.is(StatusCode::OK);
    let made = save(&server, &ann, "Mornings", "review", SHARED).await.is(StatusCode::OK);
    assert_eq!((&made.body["is_shared"], &made.body["may_change"]), (&json!(true), &json!(true)));
    save(&server, &ann, "Alone", "accepted", "").await.is(StatusCode::OK);

    let shared = |may_change: bool| json!(["Mornings", "?decision=review", true, may_change]);
    assert_eq!(
        views(&server, &ann).await,
        [json!(["Alone", "?decision=accepted", false, true]), shared(true)],
        "one's own come with them"
    );
    assert_eq!(views(&server, &bob).await, [shared(false)]);
    assert_eq!(
        views(&server, &viewer).await,
        [json!(["Mine", "?decision=review", false, true]), shared(false)]
    );
    let theirs = ask(&server, &stranger, "list", "tenant_id=globex").await.is(StatusCode::OK).body;
    assert_eq!(theirs, json!([]), "another tenant's");
}

#[tokio::test]
async fn a_shared_view_is_changed_by_who_shared_it_and_by_administrators() {
    let server = TestServer::start_idle(&[]).await;
    server.tenant("acme").await;
    let (ann, bob) = (server.key_of("acme", Role::Operator).await, server.key_of("acme", Role::Editor).await);
    let admin = server.key_of("acme", Role::Admin).await;
    let made = save(&server, &ann, "Mornings", "review", SHARED).await.is(StatusCode::OK);
    let id = made.id("filter_id");
    let delete = format!("tenant_id=acme&filter_id={id}");

    // Of those that are shared, each name stands once; a view of one's own may be called the same.
    let refusal = save(&server, &bob, "Mornings", "rejected", SHARED).await.is(StatusCode::CONFLICT);
    assert!(refusal.text.contains("Shared view 'Mornings' already exists"), "{}", refusal.text);
    save(&server, &bob, "Mornings", "rejected", "").await.is(StatusCode::OK);
    let refusal = ask(&server, &bob, "delete", &delete).await.is(StatusCode::FORBIDDEN);
    assert!(refusal.text.contains("or an administrator"), "{}", refusal.text);
    assert_eq!(
        views(&server, &bob).await,
        [
            json!(["Mornings", "?decision=rejected", false, true]),
            json!(["Mornings", "?decision=review", true, false])
        ]
    );

    // It stays Ann's, whoever replaced it.
    let replaced = save(&server, &admin, "Mornings", "accepted", SHARED).await.is(StatusCode::OK);
    assert_eq!(replaced.id("filter_id"), id);
    assert_eq!(views(&server, &ann).await, [json!(["Mornings", "?decision=accepted", true, true])]);
    assert_eq!(views(&server, &admin).await, [json!(["Mornings", "?decision=accepted", true, true])]);

    // Who saves it without saying so takes it from the others.
    save(&server, &ann, "Mornings", "accepted", "").await.is(StatusCode::OK);
    assert!(views(&server, &admin).await.is_empty());
    ask(&server, &admin, "delete", &delete).await.is(StatusCode::NOT_FOUND);
    save(&server, &ann, "Mornings", "accepted", SHARED).await.is(StatusCode::OK);
    ask(&server, &admin, "delete", &delete).await.is(StatusCode::OK);
    assert!(views(&server, &ann).await.is_empty());
}

/// A page offers to put back what its reader deletes, by saving it anew: of another's, that would make a view of their own.
#[tokio::test]
async fn whose_a_view_is_and_who_shares_it_is_told() {
    let server = TestServer::start_idle(&[]).await;
    server.tenant("acme").await;
    let ann = server.key_of("acme", Role::Operator).await;
    let admin = server.key_of("acme", Role::Admin).await;
    let mine = async |key: &str| -> Vec<Value> {
        let found = ask(&server, key, "list", "tenant_id=acme").await.is(StatusCode::OK).body;
        let told = |view: &Value| json!([view["query"], view["is_shared"], view["is_mine"]]);
        found.as_array().unwrap().iter().map(told).collect()
    };
    let made = save(&server, &ann, "Mornings", "review", SHARED).await.is(StatusCode::OK);
    assert_eq!(made.body["is_mine"], true);
    let replaced = save(&server, &admin, "Mornings", "accepted", SHARED).await.is(StatusCode::OK);
    assert_eq!(replaced.body["is_mine"], false);
    assert_eq!(mine(&admin).await, [json!(["?decision=accepted", true, false])]);

    // Who has one of the name shares that, or nothing: the other's is not replaced by it.
    save(&server, &admin, "Mornings", "rejected", "").await.is(StatusCode::OK);
    let refusal = save(&server, &admin, "Mornings", "rejected", SHARED).await.is(StatusCode::CONFLICT);
    assert!(refusal.text.contains("Shared view 'Mornings' already exists"), "{}", refusal.text);
    let both = [json!(["?decision=rejected", false, true]), json!(["?decision=accepted", true, false])];
    assert_eq!(mine(&admin).await, both);

    // One's own is shared, and kept to oneself again, as it is.
    for is_shared in [false, true, false] {
        let form = format!("&is_shared={is_shared}");
        save(&server, &ann, "Mornings", "accepted", &form).await.is(StatusCode::OK);
        assert_eq!(mine(&ann).await, [json!(["?decision=accepted", is_shared, true])]);
        assert_eq!(mine(&admin).await.len(), if is_shared { 2 } else { 1 });
    }
}
