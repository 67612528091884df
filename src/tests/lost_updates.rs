//! Two change what both have read: the one who comes later is told so, also where nothing was stored before.

use reqwest::{Method, StatusCode, header};
use serde_json::{Value, json};
use sqlx::AssertSqlSafe;

use super::support::{Answer, TestServer, eventually};

/// Two changes that have both begun before either can write to `table`: one is made.
async fn one_of_two_is_made(path: &str, table: &str, bodies: [Value; 2]) {
    let server = TestServer::start_idle(&[]).await;
    server.tenant("acme").await;
    let etag = server.get(path).await.is(StatusCode::OK).headers[header::ETAG].clone();
    let mut lock = server.database().superuser().await;
    let sql = format!("BEGIN; LOCK TABLE {table} IN SHARE MODE");
    sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut lock).await.unwrap();
    let put = async |body: &Value| {
        let request = server.request(Method::PUT, path, Some(&server.key));
        Answer::of(request.header(header::IF_MATCH, etag.clone()).json(body).send().await.unwrap()).await
    };
    let release = async {
        let mut conn = server.database().superuser().await;
        eventually("both wait", async || {
            let waiting: i64 = sqlx::query_scalar(
                "SELECT count(*) FROM pg_stat_activity \
                 WHERE datname = current_database() AND wait_event_type = 'Lock'",
            )
            .fetch_one(&mut conn)
            .await
            .unwrap();
            (waiting == 2).then_some(())
        })
        .await;
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
    let bodies = ["one.example", "other.example"].map(|domain| json!({"domains": [domain]}));
    one_of_two_is_made("/api/mail-domains?tenant_id=acme", "mail_domains", bodies).await;
}

#[tokio::test]
async fn of_two_who_set_the_first_gate_one_is_refused() {
    let bodies = [0.8, 0.9].map(|gate| json!({"gate": gate}));
    one_of_two_is_made("/api/classifier?tenant_id=acme", "classifier_settings", bodies).await;
}
