//! Two change what both have read: the one who comes later is told so, also where nothing was stored before.

use reqwest::{Method, StatusCode, header};
use serde_json::{Value, json};
use sqlx::AssertSqlSafe;

use super::support::{Answer, TestServer, eventually};

/// Waits until so many wait for a lock.
async fn lock_waits(server: &TestServer, count: i64) {
    let mut conn = server.database().superuser().await;
    eventually("they wait", async || {
        let waiting: i64 = sqlx::query_scalar(
            "SELECT count(*) FROM pg_stat_activity \
             WHERE datname = current_database() AND wait_event_type = 'Lock'",
        )
        .fetch_one(&mut conn)
        .await
        .unwrap();
        (waiting == count).then_some(())
    })
    .await;
}

/// Two changes that have both begun before either can write to `table`: one is made.
async fn one_of_two_is_made(server: &TestServer, path: &str, table: &str, bodies: [Value; 2]) {
    let etag = server.get(path).await.is(StatusCode::OK).headers[header::ETAG].clone();
    let mut lock = server.database().superuser().await;
    let sql = format!("BEGIN; LOCK TABLE {table} IN SHARE MODE");
    sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut lock).await.unwrap();
    let put = async |body: &Value| {
        let request = server.request(Method::PUT, path, Some(&server.key));
        Answer::of(request.header(header::IF_MATCH, etag.clone()).json(body).send().await.unwrap()).await
    };
    let release = async {
        lock_waits(server, 2).await;
        sqlx::raw_sql("ROLLBACK").execute(&mut lock).await.unwrap();
    };
    let (one, other, ()) = tokio::join!(put(&bodies[0]), put(&bodies[1]), release);
    let mut came = [one.status, other.status];
    came.sort();
    assert_eq!(came, [StatusCode::OK, StatusCode::PRECONDITION_FAILED], "{path}");
    let made = if one.status == StatusCode::OK { one } else { other };
    assert_eq!(server.get(path).await.is(StatusCode::OK).body, made.body);
}

#[tokio::test]
async fn of_two_who_say_whose_a_domain_is_one_is_refused() {
    let server = TestServer::start_idle(&[]).await;
    server.tenant("acme").await;
    let bodies = ["one.example", "other.example"].map(|domain| json!({"domains": [domain]}));
    one_of_two_is_made(&server, "/api/mail-domains?tenant_id=acme", "mail_domains", bodies).await;
}

#[tokio::test]
async fn of_two_who_change_an_intent_one_is_refused() {
    let server = TestServer::start_idle(&[]).await;
    server.tenant("acme").await;
    let made = server.post("/api/intents?tenant_id=acme", &json!({"name": "A"})).await;
    let path = format!("/api/intents/{}?tenant_id=acme", made.is(StatusCode::CREATED).id("intent_id"));
    let bodies = [5, 6].map(|priority| json!({"name": "A", "priority": priority}));
    one_of_two_is_made(&server, &path, "configuration_revisions", bodies).await;
}

#[tokio::test]
async fn of_two_who_set_the_first_gate_one_is_refused() {
    let server = TestServer::start_idle(&[]).await;
    server.tenant("acme").await;
    let bodies = [0.8, 0.9].map(|gate| json!({"gate": gate}));
    one_of_two_is_made(&server, "/api/classifier?tenant_id=acme", "classifier_settings", bodies).await;
}

/// A tenant with one member, who does not administer it: the path to them.
async fn member(server: &TestServer) -> String {
    server.tenant("acme").await;
    let mut conn = server.database().superuser().await;
    let id: i64 = sqlx::query_scalar(
        "WITH ada AS (INSERT INTO users (email, display_name) VALUES ('ada@acme.example', 'Ada') RETURNING user_id) \
         INSERT INTO memberships (tenant_id, user_id, role) SELECT 'acme', user_id, 'viewer' FROM ada \
         RETURNING user_id",
    )
    .fetch_one(&mut conn)
    .await
    .unwrap();
    format!("/api/members/{id}?tenant_id=acme")
}

/// There is no administrator whose row keeps them apart.
#[tokio::test]
async fn of_two_who_give_a_member_another_role_one_is_refused() {
    let server = TestServer::start_idle(&[]).await;
    let path = member(&server).await;
    let bodies = ["operator", "editor"].map(|role| json!({"role": role}));
    one_of_two_is_made(&server, &path, "memberships", bodies).await;
}

#[tokio::test]
async fn a_member_who_is_removed_meanwhile_gets_no_role() {
    let server = TestServer::start_idle(&[]).await;
    let path = member(&server).await;
    let mut removes = server.database().superuser().await;
    sqlx::raw_sql("BEGIN; DELETE FROM memberships").execute(&mut removes).await.unwrap();
    let body = json!({"role": "editor"});
    let release = async {
        lock_waits(&server, 1).await;
        sqlx::raw_sql("COMMIT").execute(&mut removes).await.unwrap();
    };
    let (put, ()) = tokio::join!(server.put(&path, &body), release);
    put.is(StatusCode::NOT_FOUND);
    let log = server.get("/api/audit-log?tenant_id=acme&action=member.update").await.is(StatusCode::OK);
    assert_eq!(log.body, json!([]), "nothing was changed");
}
