//! What is counted of the queue, what counts as a try, and what is kept for later.

use std::time::Duration;

use axum::{http::StatusCode as Status, response::IntoResponse};
use reqwest::StatusCode;
use serde_json::json;
use sqlx::AssertSqlSafe;
use tokio_util::sync::CancellationToken;

use super::{
    database::heard,
    deliveries::{grow_old, route, settled},
    receivers::Receiver,
    support::{TestServer, eventually, message},
};
use crate::{
    deliveries::server::worker as sending,
    emails::server::worker,
    server::{
        changes,
        queue::{self, Subject},
    },
    shared::EmailId,
};

/// Waits until the only job, which was to be done at once, was taken up and given back.
pub async fn given_back(server: &TestServer) {
    let mut conn = server.database().superuser().await;
    eventually("the job is given back", async || {
        let sql = "SELECT lock_token IS NULL AND run_at > created_at FROM jobs";
        let is_back: bool = sqlx::query_scalar(sql).fetch_one(&mut conn).await.unwrap();
        is_back.then_some(())
    })
    .await;
}

/// What is locked for a while, as while an index is made, is no reason to put a message up unprocessed, nor to let its
/// deliveries go.
#[tokio::test]
async fn what_our_own_database_refuses_for_a_while_is_no_try() {
    let server = TestServer::start_idle(&[("REQUEST_TIMEOUT_S", "2")]).await;
    server.tenant("acme").await;
    let settings = json!({"url": "http://127.0.0.1:9/"});
    let hook = json!({"name": "erp", "kind": "webhook", "decisions": ["review"], "settings": settings});
    route(&server, hook).await;
    let mut conn = server.database().superuser().await;
    let mut other = server.database().superuser().await;
    // With one more claim than 15 it is a person's.
    for (table, claims) in [("emails", 14), ("deliveries", 15)] {
        let id = server.receive("acme", message("a@x.example", table, "x")).await;
        sqlx::query("UPDATE jobs SET attempts = $1").bind(claims).execute(&mut conn).await.unwrap();
        let lock = format!("BEGIN; LOCK TABLE {table} IN SHARE MODE");
        sqlx::raw_sql(AssertSqlSafe(lock)).execute(&mut other).await.unwrap();
        let stop = CancellationToken::new();
        let workers = tokio::spawn(worker::work(server.app.clone(), stop.clone()));
        given_back(&server).await;
        sqlx::raw_sql("ROLLBACK").execute(&mut other).await.unwrap();
        let email = server.decided("acme", &id).await;
        stop.cancel();
        workers.await.unwrap();
        let is_put_up = email["explanation"].as_str().unwrap().contains("could not process");
        assert_eq!(is_put_up, claims == 15, "{email:#}");
        assert_eq!(email["deliveries"].as_array().unwrap().len(), 1, "{email:#}");
        sqlx::raw_sql("DELETE FROM jobs").execute(&mut conn).await.unwrap();
    }
}

/// Whoever asks for one message again and again does not use up its tries at once.
#[tokio::test]
async fn what_waits_for_its_next_try_is_not_claimed_before() {
    let server = TestServer::start_idle(&[]).await;
    let tenant = server.tenant("acme").await;
    let id: EmailId = server.receive("acme", message("a@x.example", "A", "b")).await.parse().unwrap();
    let mut tx = server.app.database.tenant(&tenant).await.unwrap();
    let job = queue::claim_of(&mut tx, id).await.unwrap().expect("a job");
    queue::retry_later(&mut tx, &job, Duration::from_secs(60), "x").await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(worker::process_now(&server.app, &tenant, id).await.unwrap(), None);
    let mut conn = server.database().superuser().await;
    let attempts = "SELECT attempts FROM jobs";
    let attempts: i32 = sqlx::query_scalar(attempts).fetch_one(&mut conn).await.unwrap();
    assert_eq!(attempts, 1);
    sqlx::raw_sql("UPDATE jobs SET run_at = now()").execute(&mut conn).await.unwrap();
    assert!(worker::process_now(&server.app, &tenant, id).await.unwrap().is_some());
}

#[tokio::test]
async fn workers_and_pages_hear_of_a_job_and_pages_of_its_end() {
    let server = TestServer::start_idle(&[]).await;
    let tenant = server.tenant("acme").await;
    let id: EmailId = server.receive("acme", message("a@x.example", "A", "b")).await.parse().unwrap();
    let database = &server.app.database;
    let mut workers = database.listen(&EmailId::channel()).await.unwrap();
    let mut pages = database.listen(changes::CHANNEL).await.unwrap();
    let mut tx = database.tenant(&tenant).await.unwrap();
    queue::enqueue(&mut tx, &[id]).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!((heard(&mut workers).await, heard(&mut pages).await), (String::new(), "acme".to_owned()));
    let mut tx = database.tenant(&tenant).await.unwrap();
    let job = queue::claim_of(&mut tx, id).await.unwrap().expect("a job");
    assert!(queue::finish(&mut tx, &job).await.unwrap());
    assert!(!queue::finish(&mut tx, &job).await.unwrap(), "it is there no more");
    tx.commit().await.unwrap();
    assert_eq!(heard(&mut pages).await, "acme");
}

/// How many messages wait for a worker, as `/metrics` has it.
async fn waiting(server: &TestServer) -> String {
    let figures = server.get("/metrics").await.is(StatusCode::OK).text;
    let found =
        figures.lines().find_map(|line| line.strip_prefix("flowengine_jobs_waiting{kind=\"email\"} "));
    found.unwrap_or(&figures).to_owned()
}

#[tokio::test]
async fn what_is_left_of_a_tenant_that_is_being_deleted_waits_for_nobody() {
    let server = TestServer::start_idle(&[]).await;
    for tenant in ["acme", "globex"] {
        server.tenant(tenant).await;
        server.receive(tenant, message("a@x.example", "A", "b")).await;
    }
    assert_eq!(waiting(&server).await, "2");
    let mut conn = server.database().superuser().await;
    let marked = "UPDATE tenants SET deleting_since = now() WHERE tenant_id = 'globex'";
    sqlx::raw_sql(marked).execute(&mut conn).await.unwrap();
    assert_eq!(waiting(&server).await, "1");
}

/// Closes the tenant, or opens it again.
async fn set_active(server: &TestServer, tenant: &str, is_active: bool) {
    let body = json!({"name": format!("The {tenant} company"), "is_active": is_active});
    server.put(&format!("/api/tenants/{tenant}"), &body).await.is(StatusCode::OK);
}

#[tokio::test]
async fn what_waits_in_an_inactive_tenant_waits_for_nobody_and_from_its_opening_on() {
    let server = TestServer::start_idle(&[]).await;
    server.tenant("acme").await;
    server.receive("acme", message("a@x.example", "A", "b")).await;
    let mut conn = server.database().superuser().await;
    let days_ago =
        "UPDATE jobs SET created_at = now() - interval '4 days', run_at = now() - interval '4 days'";
    sqlx::raw_sql(days_ago).execute(&mut conn).await.unwrap();
    let oldest = async || {
        let mut tx = server.app.database.worker().await.unwrap();
        queue::oldest(&mut tx).await.unwrap()
    };
    // What it claims it gives back: the transaction is not committed.
    let claimed = async || {
        let mut tx = server.app.database.worker().await.unwrap();
        queue::claim_next::<EmailId>(&mut tx, "", &[]).await.unwrap().map(|job| job.age)
    };
    let [hour, days] = [3_600, 3 * 86_400].map(Duration::from_secs);
    assert!(oldest().await > days && claimed().await.unwrap() > days);
    set_active(&server, "acme", false).await;
    assert_eq!(
        (waiting(&server).await.as_str(), oldest().await, claimed().await),
        ("0", Duration::ZERO, None)
    );
    set_active(&server, "acme", true).await;
    assert_eq!(waiting(&server).await, "1");
    assert!(oldest().await < hour && claimed().await.unwrap() < hour);
    // One that is open already is not opened by another change.
    sqlx::raw_sql("UPDATE tenants SET opened_at = NULL").execute(&mut conn).await.unwrap();
    set_active(&server, "acme", true).await;
    assert!(oldest().await > days && claimed().await.unwrap() > days);
}

/// Neither decided nor sent, and neither given up for the time that it was closed.
#[tokio::test]
async fn what_an_inactive_tenant_has_is_kept_until_it_is_opened_again() {
    let server = TestServer::start_idle(&[]).await;
    // The first that comes for acme, after globex's, is refused for a while.
    let receiver = Receiver::answering(|path, before| match (path, before) {
        ("/acme", 1) => Status::SERVICE_UNAVAILABLE.into_response(),
        _ => Status::OK.into_response(),
    });
    let receiver = receiver.await;
    for tenant in ["acme", "globex"] {
        server.tenant(tenant).await;
    }
    let settings = json!({"url": format!("{}/acme", receiver.base)});
    let hook = json!({"name": "erp", "kind": "webhook", "decisions": ["review"], "settings": settings});
    route(&server, hook).await;
    let mail = || message("a@x.example", "A", "b");
    let status = async |id: &str| {
        let email = server.get(&format!("/api/emails/{id}?tenant_id=acme")).await.is(StatusCode::OK).body;
        (email["status"].clone(), email["deliveries"][0]["status"].clone())
    };
    let mut conn = server.database().superuser().await;
    let id = server.receive("acme", mail()).await;
    set_active(&server, "acme", false).await;
    let stop = CancellationToken::new();
    let deciding = tokio::spawn(worker::work(server.app.clone(), stop.clone()));
    // Its turn comes after acme's.
    server.decide("globex", mail()).await;
    assert_eq!(status(&id).await.0, "queued");
    set_active(&server, "acme", true).await;
    server.decided("acme", &id).await;
    stop.cancel();
    deciding.await.unwrap();

    set_active(&server, "acme", false).await;
    grow_old(&server, &id).await;
    let stop = CancellationToken::new();
    let workers = tokio::spawn(sending::work(server.app.clone(), stop.clone()));
    let settings = json!({"url": format!("{}/globex", receiver.base)});
    let other = json!({"name": "erp", "kind": "webhook", "decisions": ["review"], "settings": settings});
    server.post("/api/routes?tenant_id=globex", &other).await.is(StatusCode::CREATED);
    let theirs = server.receive("globex", mail()).await.parse().unwrap();
    worker::process_now(&server.app, &"globex".parse().unwrap(), theirs).await.unwrap().unwrap();
    eventually("the other tenant's is sent", async || {
        let left = "SELECT count(*) FROM jobs WHERE tenant_id = 'globex'";
        let left: i64 = sqlx::query_scalar(left).fetch_one(&mut conn).await.unwrap();
        (left == 0).then_some(())
    })
    .await;
    assert_eq!(status(&id).await, (json!("done"), json!("pending")));
    let paths = || receiver.hooks().into_iter().map(|hook| hook.path).collect::<Vec<_>>();
    assert_eq!(paths(), ["/globex"]);
    set_active(&server, "acme", true).await;
    settled(&server, &id, &["delivered"]).await;
    assert_eq!(paths(), ["/globex", "/acme", "/acme"]);
    stop.cancel();
    workers.await.unwrap();
}
