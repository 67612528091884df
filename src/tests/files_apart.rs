//! A server that does not share the folder of files with the others of its database: it judges by no file of its own.

use std::{path::Path, time::Duration};

use reqwest::{Method, StatusCode};
use serde_json::json;

use super::support::{Answer, TestServer, config, eventually, message};
use crate::{
    datasources::server::{
        connection::{Auth, Connection, Endpoint, FileEndpoint, FileFormat},
        lookup::{Cause, LookupError, Request},
    },
    emails::server::worker,
    files::server::service as files,
    server::{AppState, vault::Vault},
    shared::{ConfigId, TenantId},
};

/// A server of the same database with a folder of its own.
fn apart(server: &TestServer, folder: &Path, vars: &[(&str, &str)]) -> AppState {
    let app = &server.app;
    let vault = Vault::new([7; 32]).accepting([[8; 32]]);
    AppState::new(config(folder, vars), app.database.clone(), vault, app.leptos.clone(), app.addr)
}

async fn put(server: &TestServer, bytes: &'static str) -> Answer {
    put_at(server, "people.csv", bytes).await
}

async fn put_at(server: &TestServer, path: &str, bytes: &'static str) -> Answer {
    let path = format!("/api/files/{path}?tenant_id=acme");
    let request = server.request(Method::PUT, &path, Some(&server.key));
    Answer::of(request.body(bytes).send().await.unwrap()).await
}

/// To these tables, each with its file.
fn to(tables: &[(&str, &str)]) -> Connection {
    let file = |(table, path): &(&str, &str)| FileEndpoint {
        table: (*table).to_owned(),
        path: (*path).to_owned(),
        format: FileFormat::Csv,
        sheet: None,
        rows: None,
    };
    Connection {
        tenant: "acme".parse().unwrap(),
        config_id: ConfigId(1),
        version: 1,
        endpoint: Endpoint::File(tables.iter().map(file).collect()),
        auth: Auth::None,
    }
}

/// How many rows of `people.csv` name Ann.
async fn count(app: &AppState) -> Result<usize, LookupError> {
    let connection = to(&[("data", "people.csv")]);
    let columns = vec![("email".into(), "ann@x.example".into())];
    let wanted = Request::Match { columns, ignore_case: Vec::new() };
    Ok(app.lookups.ask(&connection, &wanted).await?.rows.len())
}

/// A fault that is tried again, and that says whose it is.
#[track_caller]
fn is_apart(answer: Result<usize, LookupError>, what: &str) {
    let error = answer.expect_err(what);
    assert!(error.transient(), "{what}: {error}");
    assert!(error.message.contains("DATA_DIR must be shared by all servers"), "{what}: {error}");
}

#[tokio::test]
async fn a_file_that_is_not_the_one_that_was_uploaded_is_no_answer() {
    let server = TestServer::start_idle(&[]).await;
    let acme: TenantId = server.tenant("acme").await;
    let folder = tempfile::tempdir().unwrap();
    let other = apart(&server, folder.path(), &[]);
    let file = |app: &AppState| app.config.files_dir(&acme).join("people.csv");
    std::fs::create_dir_all(other.config.files_dir(&acme)).unwrap();
    let copied = || {
        std::fs::copy(file(&server.app), file(&other)).unwrap();
        let copy = std::fs::File::options().write(true).open(file(&other)).unwrap();
        (copy, std::fs::metadata(file(&server.app)).unwrap().modified().unwrap())
    };
    let none: [(TenantId, String); 0] = [];
    let lacking = [(acme.clone(), "people.csv".to_owned())];

    put(&server, "email\nbob@x.example\n").await.is(StatusCode::CREATED);
    assert_eq!(count(&server.app).await, Ok(0));
    is_apart(count(&other).await, "it was uploaded to the other server");
    assert_eq!(files::lacking(&server.app).await.unwrap(), none);
    assert_eq!(files::lacking(&other).await.unwrap(), lacking);
    let (copy, modified) = copied();
    copy.set_modified(modified).unwrap();
    assert_eq!(count(&other).await, Ok(0), "it is the same");
    assert_eq!(files::lacking(&other).await.unwrap(), none);

    put(&server, "email\nann@x.example\n").await.is(StatusCode::OK);
    assert_eq!(count(&server.app).await, Ok(1));
    is_apart(count(&other).await, "it was replaced");
    assert_eq!(files::lacking(&other).await.unwrap(), lacking);
    let (copy, modified) = copied();
    let since = modified.duration_since(std::time::UNIX_EPOCH).unwrap();
    copy.set_modified(std::time::UNIX_EPOCH + Duration::from_secs(since.as_secs())).unwrap();
    assert_eq!(count(&other).await, Ok(1), "a copy that keeps whole seconds");
    std::fs::write(file(&other), "email\nbob@x.example\n").unwrap();
    let fresh = count(&other).await.expect_err("it may still be being written");
    assert!(fresh.transient() && fresh.cause == Cause::Busy, "{fresh}");
    let settled = eventually("nobody writes at it any more", async || match count(&other).await {
        Err(error) if error.cause == Cause::Busy => None,
        settled => Some(settled),
    })
    .await;
    assert_eq!(settled, Ok(0), "what is put there by hand counts");

    std::fs::remove_file(file(&server.app)).unwrap();
    is_apart(count(&server.app).await, "it was lost");
    server.delete("/api/files/people.csv?tenant_id=acme").await.is(StatusCode::NO_CONTENT);
    let gone = count(&server.app).await.expect_err("it was deleted");
    assert_eq!((gone.cause, gone.transient()), (Cause::File, false));
    server.delete("/api/files/people.csv?tenant_id=acme").await.is(StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_further_file_is_held_against_what_was_uploaded_too() {
    let server = TestServer::start_idle(&[]).await;
    let acme: TenantId = server.tenant("acme").await;
    let folder = tempfile::tempdir().unwrap();
    let other = apart(&server, folder.path(), &[]);
    let file = |app: &AppState, path: &str| app.config.files_dir(&acme).join(path);
    std::fs::create_dir_all(other.config.files_dir(&acme)).unwrap();
    let copy = |path: &str| {
        std::fs::copy(file(&server.app, path), file(&other, path)).unwrap();
        let copy = std::fs::File::options().write(true).open(file(&other, path)).unwrap();
        copy.set_modified(std::fs::metadata(file(&server.app, path)).unwrap().modified().unwrap()).unwrap();
    };
    put(&server, "email\nann@x.example\n").await.is(StatusCode::CREATED);
    put_at(&server, "blocked.csv", "email\nbob@x.example\n").await.is(StatusCode::CREATED);
    let connection = to(&[("data", "people.csv"), ("blocked", "blocked.csv")]);
    let query = "SELECT 1 FROM data WHERE email NOT IN (SELECT email FROM blocked)".to_owned();
    let wanted = Request::Sql { query, params: Vec::new(), from_message: Vec::new() };
    let count =
        async |app: &AppState| app.lookups.ask(&connection, &wanted).await.map(|found| found.rows.len());
    assert_eq!(count(&server.app).await, Ok(1));
    copy("people.csv");
    is_apart(count(&other).await, "the further file is not there");
    copy("blocked.csv");
    assert_eq!(count(&other).await, Ok(1));
    put_at(&server, "blocked.csv", "email\nann@x.example\n").await.is(StatusCode::OK);
    assert_eq!(count(&server.app).await, Ok(0), "it is loaded again");
    is_apart(count(&other).await, "the further file was replaced");
}

#[tokio::test]
async fn a_server_without_the_file_leaves_the_message_to_one_that_has_it() {
    let server = TestServer::start_idle(&[]).await;
    server.tenant("acme").await;
    put(&server, "email\nann@x.example\n").await.is(StatusCode::CREATED);
    let source = json!({"name": "people", "protocol": "file", "connection_json": {"path": "people.csv"}});
    server.post("/api/datasource-configs?tenant_id=acme", &source).await.is(StatusCode::CREATED);
    let source = json!({"name": "People", "datasource_type": "file", "connection_key": "people"});
    let id = server.post("/api/datasources?tenant_id=acme", &source).await.is(StatusCode::CREATED);
    let rule = json!({"rule_type": "exists", "field_name": "sender_email", "priority": 1, "on_error": "reject",
        "datasource_id": id.id("datasource_id"), "conditions": {"match": {"email": "{{sender_email}}"}}});
    let body = json!({
        "intent": {"name": "Orders", "match": {"all": [{"field": "subject", "op": "contains", "value": "order"}]}},
        "validation_rules": [rule]
    });
    server.post("/api/intents/with-rules?tenant_id=acme", &body).await.is(StatusCode::CREATED);

    let folder = tempfile::tempdir().unwrap();
    let vars = [("JOB_MAX_ATTEMPTS", "1000"), ("JOB_RETRY_BASE_MS", "200")];
    let other = apart(&server, folder.path(), &vars);
    let working = tokio::spawn(worker::work(other.clone(), other.stop.clone()));
    let email = server.receive("acme", message("ann@x.example", "order", "Hello")).await;
    let path = format!("/api/emails/{email}?tenant_id=acme");
    eventually("the message waits, and says why", async || {
        let email = server.get(&path).await.is(StatusCode::OK).body;
        assert_ne!(email["status"], "done", "{email:#}");
        let why = email["explanation"].as_str().unwrap_or_default();
        why.contains("DATA_DIR must be shared by all servers").then_some(())
    })
    .await;
    other.stop.cancel();
    working.await.unwrap();
    tokio::spawn(worker::work(server.app.clone(), server.app.stop.clone()));
    let decided = server.decided("acme", &email).await;
    assert_eq!(decided["decision"], "accepted", "{decided:#}");
}
