//! What is counted of the queue, and what counts as a try.

use reqwest::StatusCode;
use serde_json::json;
use sqlx::AssertSqlSafe;
use tokio_util::sync::CancellationToken;

use super::{
    deliveries::route,
    support::{TestServer, eventually, message},
};
use crate::emails::server::worker;

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

#[tokio::test]
async fn what_is_left_of_a_tenant_that_is_being_deleted_waits_for_nobody() {
    let server = TestServer::start_idle(&[]).await;
    for tenant in ["acme", "globex"] {
        server.tenant(tenant).await;
        server.receive(tenant, message("a@x.example", "A", "b")).await;
    }
    let waiting = async || {
        let figures = server.get("/metrics").await.is(StatusCode::OK).text;
        let found =
            figures.lines().find_map(|line| line.strip_prefix("flowengine_jobs_waiting{kind=\"email\"} "));
        found.unwrap_or(&figures).to_owned()
    };
    assert_eq!(waiting().await, "2");
    let mut conn = server.database().superuser().await;
    let marked = "UPDATE tenants SET deleting_since = now() WHERE tenant_id = 'globex'";
    sqlx::raw_sql(marked).execute(&mut conn).await.unwrap();
    assert_eq!(waiting().await, "1");
}
