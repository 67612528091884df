//! The demo shows what it promises, and the main job works from end to end on it.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use super::support::{Answer, TestServer};
use crate::{
    demo,
    server::{AppState, vault::Vault},
};

async fn list(server: &TestServer, tenant: &str) -> Vec<Value> {
    let path = format!("/api/emails?tenant_id={tenant}");
    server.get(&path).await.is(StatusCode::OK).body.as_array().unwrap().clone()
}

#[tokio::test]
async fn every_message_of_the_demo_is_decided_as_it_says() {
    let server = TestServer::start().await;
    demo::load(&server.app).await.unwrap();
    for (tenant, expected) in [
        ("acme_corp", include_str!("../demo/acme_corp/expected.json")),
        ("globex_inc", include_str!("../demo/globex_inc/expected.json")),
    ] {
        let expected: serde_json::Map<String, Value> = serde_json::from_str(expected).unwrap();
        let emails = list(&server, tenant).await;
        assert_eq!(emails.len(), 12);
        // The list is newest first, and the first of the files came last.
        for ((file, expected), email) in expected.iter().zip(&emails) {
            let email = server.decided(tenant, email["email_id"].as_str().unwrap()).await;
            let name = email["intent"]["name"].as_str();
            assert_eq!(
                (name, &email["decision"]),
                (expected["intent"].as_str(), &expected["decision"]),
                "{file}: {email:#}"
            );
            let errors =
                email["verdicts"].as_array().unwrap().iter().filter(|v| v["verdict"] == "error").count();
            assert_eq!(errors, 0, "{file}: {email:#}");
        }
    }
    // Loading it again changes nothing.
    demo::load(&server.app).await.unwrap();
    assert_eq!(list(&server, "acme_corp").await.len(), 12);
    // Served at another address, its API is found there.
    let app = &server.app;
    let vault = Vault::new([7; 32]);
    let elsewhere = "127.0.0.1:1".parse().unwrap();
    let moved = AppState::new(app.config.clone(), app.database.clone(), vault, app.leptos.clone(), elsewhere);
    demo::load(&moved).await.unwrap();
    let configs = server.get("/api/datasource-configs?tenant_id=acme_corp").await.is(StatusCode::OK).body;
    let urls = configs.as_array().unwrap().iter().filter_map(|config| config["base_url"].as_str());
    assert!(urls.into_iter().any(|url| url == "http://127.0.0.1:1/demo-api/acme_corp"), "{configs:#}");
}

/// The main job: rejected because a row is missing; the row is added; the message is run again; accepted.
#[tokio::test]
async fn a_rejected_message_is_accepted_once_the_missing_row_is_there() {
    let server = TestServer::start().await;
    demo::load(&server.app).await.unwrap();
    let star = list(&server, "acme_corp").await.remove(0);
    let id = star["email_id"].as_str().unwrap();
    let email = server.decided("acme_corp", id).await;
    assert_eq!(email["decision"], "rejected");
    assert_eq!(email["explanation"], "Rejected: Shop database has no row for priya.nair@northwind.example.");
    let path = server.app.config.files_dir(&"acme_corp".parse().unwrap()).join("shop.sqlite");
    rusqlite::Connection::open(path)
        .unwrap()
        .execute_batch(
            "INSERT INTO customers (customer_number, name, email, status, since) \
             VALUES ('C-20319', 'Priya Nair', 'priya.nair@northwind.example', 'active', '2026-11-10')",
        )
        .unwrap();
    server
        .post(&format!("/api/emails/{id}/reprocess?tenant_id=acme_corp"), &json!({}))
        .await
        .is(StatusCode::ACCEPTED);
    let email = server.decided("acme_corp", id).await;
    assert_eq!((email["decision"].as_str(), email["run"].as_i64()), (Some("accepted"), Some(2)));
}

#[tokio::test]
async fn a_demo_that_somebody_loads_is_told_of_as_theirs() {
    let server = TestServer::start_idle(&[]).await;
    let request = server.request(Method::POST, "/ui/tenants/load-demo", Some(&server.key));
    let request = request.header("content-type", "application/x-www-form-urlencoded");
    Answer::of(request.send().await.unwrap()).await.is(StatusCode::OK);
    let log = server.get("/api/instance-audit-log?action=tenant.create").await.is(StatusCode::OK).body;
    let told: Vec<(&Value, bool)> =
        log.as_array().unwrap().iter().map(|entry| (&entry["actor"], entry["address"].is_string())).collect();
    let by = json!("API key test");
    assert_eq!(told, [(&by, true), (&by, true)]);
    let log = server.get("/api/audit-log?tenant_id=acme_corp&limit=1000").await.is(StatusCode::OK).body;
    assert!(log.as_array().unwrap().iter().all(|entry| entry["actor"] == by), "{log:#}");
}
