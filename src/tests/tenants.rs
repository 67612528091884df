//! Tenants that are deleted: gone for everybody at once, and their rows a little at a time.

use std::time::Duration;

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, PgConnection};

use super::support::{Answer, TestServer, eventually, message};
use crate::{
    auth::dto::Role, mailboxes::server::repository::by_addresses, server::queue, shared::EmailId,
    tenants::server::deletion,
};

const GOES: &str = "The tenant that had this id or name is still being deleted: try again in a while";

async fn count(conn: &mut PgConnection, table: &str, tenant: &str) -> i64 {
    let sql = format!("SELECT count(*) FROM {table} WHERE tenant_id = $1");
    sqlx::query_scalar(AssertSqlSafe(sql)).bind(tenant).fetch_one(conn).await.unwrap()
}

#[tokio::test]
async fn a_deleted_tenant_is_gone_for_everybody_while_somebody_still_writes_to_it() {
    let server = TestServer::start_idle(&[]).await;
    server.tenant("acme").await;
    server.tenant("globex").await;
    let key = server.key_of("acme", Role::Admin).await;
    let domains = json!({"domains": ["acme.example"]});
    server.put("/api/mail-domains?tenant_id=acme", &domains).await.is(StatusCode::OK);
    let mailbox = json!({"name": "Orders", "kind": "smtp", "address": "orders@acme.example"});
    server.post("/api/mailboxes?tenant_id=acme", &mailbox).await.is(StatusCode::CREATED);
    server.receive("acme", message("a@b.example", "order", "x")).await;
    server.write_file("acme", "a.csv", b"a\n1\n");
    let recipients = async || {
        let mut statement = server.app.database.statement().await.unwrap();
        by_addresses(&mut statement, &["orders@acme.example".to_owned()]).await.unwrap().len()
    };
    // What it claims it gives back: the transaction is not committed.
    let has_work = async || {
        let mut tx = server.app.database.worker().await.unwrap();
        queue::claim_next::<EmailId>(&mut tx, "", &[]).await.unwrap().is_some()
    };
    assert_eq!((recipients().await, has_work().await), (1, true));

    // A transaction that has written a row of the tenant's refers to it until it ends.
    let mut writer = server.database().superuser().await;
    sqlx::raw_sql("BEGIN; SELECT FROM tenants WHERE tenant_id = 'acme' FOR KEY SHARE")
        .execute(&mut writer)
        .await
        .unwrap();
    let deleted = tokio::time::timeout(Duration::from_secs(20), server.delete("/api/tenants/acme")).await;
    deleted.expect("nobody is waited for").is(StatusCode::NO_CONTENT);

    let not_found = "Tenant acme not found";
    let body = json!({"name": "Acme"});
    server.get("/api/tenants/acme").await.problem(StatusCode::NOT_FOUND, not_found);
    server.put("/api/tenants/acme", &body).await.problem(StatusCode::NOT_FOUND, not_found);
    server.delete("/api/tenants/acme").await.problem(StatusCode::NOT_FOUND, not_found);
    server.get("/api/intents?tenant_id=acme").await.problem(StatusCode::NOT_FOUND, not_found);
    let by_key = server.request(Method::GET, "/api/intents?tenant_id=acme", Some(&key)).send().await.unwrap();
    Answer::of(by_key).await.is(StatusCode::UNAUTHORIZED);
    let listed = server.get("/api/tenants").await.is(StatusCode::OK).body;
    let ids: Vec<&Value> = listed.as_array().unwrap().iter().map(|tenant| &tenant["tenant_id"]).collect();
    assert_eq!(ids, ["globex"]);
    assert_eq!((recipients().await, has_work().await), (0, false));
    assert!(!server.app.config.files_dir(&"acme".parse().unwrap()).exists());
    let log = server.get("/api/instance-audit-log?action=tenant.delete").await.is(StatusCode::OK).body;
    assert_eq!(log.as_array().unwrap().len(), 1, "told once");
    let same = json!({"tenant_id": "acme", "name": "Another"});
    let same_name = json!({"tenant_id": "acme2", "name": "The acme company"});
    for taken in [&same, &same_name] {
        server.post("/api/tenants", taken).await.problem(StatusCode::CONFLICT, GOES);
    }
    let mut conn = server.database().superuser().await;
    assert_eq!(count(&mut conn, "tenants", "acme").await, 1);
    assert_eq!(count(&mut conn, "emails", "acme").await, 0, "what nobody has in hand is gone");
    assert!(!deletion::turn(&server.app).await.unwrap());
    assert_eq!(count(&mut conn, "tenants", "acme").await, 1, "and nobody is waited for in the background");

    sqlx::raw_sql("ROLLBACK").execute(&mut writer).await.unwrap();
    eventually("nothing is left of it", async || {
        assert!(!deletion::turn(&server.app).await.unwrap());
        (count(&mut conn, "tenants", "acme").await == 0).then_some(())
    })
    .await;
    server.post("/api/tenants", &same).await.is(StatusCode::CREATED);
    server.get("/api/tenants/globex").await.is(StatusCode::OK);
    let again = server.get("/api/mailboxes?tenant_id=acme").await.is(StatusCode::OK);
    assert_eq!(again.body, json!([]), "the next one of this id finds nothing");
}

#[tokio::test]
async fn whoever_deletes_a_tenant_on_the_screen_types_its_id() {
    let server = TestServer::start_idle(&[]).await;
    server.tenant("acme").await;
    server.tenant("globex").await;
    let delete = async |typed: &str| {
        let request = server.request(Method::POST, "/ui/tenants/delete", Some(&server.key));
        let request = request.header("content-type", "application/x-www-form-urlencoded");
        Answer::of(request.body(format!("tenant_id=acme&typed={typed}")).send().await.unwrap()).await
    };
    for wrong in ["", "globex", "ACME"] {
        assert_eq!(delete(wrong).await.is(StatusCode::UNPROCESSABLE_ENTITY).fields(), ["typed"], "{wrong}");
    }
    server.get("/api/tenants/acme").await.is(StatusCode::OK);
    delete("acme").await.is(StatusCode::OK);
    server.get("/api/tenants/acme").await.is(StatusCode::NOT_FOUND);
    server.get("/api/tenants/globex").await.is(StatusCode::OK);
}

/// So many plain messages, straight into the table.
async fn fill(conn: &mut PgConnection, tenant: &str, messages: i32) {
    sqlx::query(
        "INSERT INTO emails (tenant_id, email_id, source, content_hash, raw, status, decision) \
         SELECT $1, gen_random_uuid(), 'api', sha256(convert_to(i::text, 'UTF8')), '', 'done', 'accepted' \
         FROM generate_series(1, $2) AS i",
    )
    .bind(tenant)
    .bind(messages)
    .execute(&mut *conn)
    .await
    .unwrap();
    sqlx::query(
        "INSERT INTO audit_log (tenant_id, actor_kind, actor, action, object_id) \
         SELECT $1, 'system', 'FlowEngine', 'email.receive', i::text FROM generate_series(1, $2) AS i",
    )
    .bind(tenant)
    .bind(messages)
    .execute(conn)
    .await
    .unwrap();
}

#[tokio::test]
async fn a_large_tenant_goes_a_little_at_a_time_and_whoever_comes_goes_on() {
    let server = TestServer::start_idle(&[]).await;
    let mut conn = server.database().superuser().await;
    for (tenant, messages) in [("acme", 4_450), ("globex", 10)] {
        server.tenant(tenant).await;
        fill(&mut conn, tenant, messages).await;
    }
    assert!(!deletion::turn(&server.app).await.unwrap());
    assert_eq!(count(&mut conn, "emails", "acme").await, 4_450, "what is not marked stays");
    // As a server leaves it that was told to delete it, and died.
    sqlx::raw_sql("UPDATE tenants SET deleting_since = now() WHERE tenant_id = 'acme'")
        .execute(&mut conn)
        .await
        .unwrap();
    let back = sqlx::raw_sql("UPDATE tenants SET deleting_since = NULL WHERE tenant_id = 'acme'");
    assert!(back.execute(&mut conn).await.is_err(), "none comes back");
    // Another server is at it.
    let mut other = server.database().superuser().await;
    sqlx::raw_sql("BEGIN; SELECT FROM tenants WHERE tenant_id = 'acme' FOR NO KEY UPDATE")
        .execute(&mut other)
        .await
        .unwrap();
    assert!(!deletion::turn(&server.app).await.unwrap());
    assert_eq!(count(&mut conn, "emails", "acme").await, 4_450);
    sqlx::raw_sql("ROLLBACK").execute(&mut other).await.unwrap();

    assert!(deletion::turn(&server.app).await.unwrap(), "a turn is bounded");
    assert_eq!(count(&mut conn, "emails", "acme").await, 450);
    // The log goes with its tenant, by its tenant, and no other's.
    let mut tx = server.app.database.tenant(&"globex".parse().unwrap()).await.unwrap();
    for tenant in ["acme", "globex"] {
        let forgotten: i64 = sqlx::query_scalar("SELECT forget_audit_log_of_deleted($1, 10)")
            .bind(tenant)
            .fetch_one(tx.conn())
            .await
            .unwrap();
        assert_eq!(forgotten, 0, "{tenant}");
    }
    drop(tx);
    assert!(!deletion::turn(&server.app).await.unwrap());
    for table in ["tenants", "emails", "audit_log"] {
        assert_eq!(count(&mut conn, table, "acme").await, 0, "{table}");
        assert!(count(&mut conn, table, "globex").await > 0, "{table}");
    }
    assert_eq!(count(&mut conn, "emails", "globex").await, 10);
}

/// The screen sends one of the two, and all of the tenant is written.
#[tokio::test]
async fn another_name_does_not_open_a_tenant_that_is_closed_meanwhile() {
    let server = TestServer::start_idle(&[]).await;
    server.tenant("acme").await;
    for (change, call, kept) in [
        ("is_active = false", "rename&tenant_id=acme&name=Another", json!("The acme company")),
        ("name = 'Another'", "set-active&tenant_id=acme&is_active=true", json!("Another")),
    ] {
        let mut closing = server.database().superuser().await;
        let sql = format!("BEGIN; UPDATE tenants SET {change} WHERE tenant_id = 'acme'");
        sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut closing).await.unwrap();
        let (function, body) = call.split_once('&').unwrap();
        let request = server.request(Method::POST, &format!("/ui/tenants/{function}"), Some(&server.key));
        let request = request.header("content-type", "application/x-www-form-urlencoded");
        let request = request.body(body);
        let changed = async { Answer::of(request.send().await.unwrap()).await };
        let closed = async {
            eventually("the call waits for who closes it", async || {
                let mut conn = server.database().superuser().await;
                let waiting = "SELECT count(*) FROM pg_stat_activity \
                               WHERE datname = current_database() AND wait_event_type = 'Lock'";
                let found: i64 = sqlx::query_scalar(waiting).fetch_one(&mut conn).await.unwrap();
                (found > 0).then_some(())
            })
            .await;
            sqlx::raw_sql("COMMIT").execute(&mut closing).await.unwrap();
        };
        let (answer, ()) = tokio::join!(changed, closed);
        answer.is(StatusCode::PRECONDITION_FAILED);
        let tenant = server.get("/api/tenants/acme").await.is(StatusCode::OK).body;
        assert_eq!((&tenant["is_active"], &tenant["name"]), (&json!(false), &kept), "{call}");
    }
}
