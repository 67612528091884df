//! What is counted of the queue.

use reqwest::StatusCode;

use super::support::{TestServer, message};

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
