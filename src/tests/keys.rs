//! API keys: what is told of their end.

use reqwest::StatusCode;
use serde_json::{Value, json};

use super::support::TestServer;

#[tokio::test]
async fn a_key_is_revoked_once_and_that_is_told_once() {
    let server = TestServer::start_idle(&[]).await;
    server.tenant("acme").await;
    let input = json!({"name": "import", "role": "viewer"});
    let own = server.post("/api/api-keys?tenant_id=acme", &input).await.is(StatusCode::CREATED).id("key_id");
    let of_all = server.post("/api/instance-api-keys", &json!({"name": "backup"})).await;
    let of_all = of_all.is(StatusCode::CREATED).id("key_id");
    let mut conn = server.database().superuser().await;
    for (table, id, path, log) in [
        (
            "api_keys",
            own,
            format!("/api/api-keys/{own}?tenant_id=acme"),
            "/api/audit-log?tenant_id=acme&action=api_key.revoke",
        ),
        (
            "instance_api_keys",
            of_all,
            format!("/api/instance-api-keys/{of_all}"),
            "/api/instance-audit-log?action=instance_api_key.revoke",
        ),
    ] {
        server.delete(&path).await.is(StatusCode::NO_CONTENT);
        // Long enough ago that a second time would be another.
        let sql = format!(
            "UPDATE {table} SET revoked_at = revoked_at - interval '1 hour' WHERE key_id = $1 \
             RETURNING revoked_at::text"
        );
        let revoked: String =
            sqlx::query_scalar(sqlx::AssertSqlSafe(sql)).bind(id).fetch_one(&mut conn).await.unwrap();
        server.delete(&path).await.is(StatusCode::NO_CONTENT);
        let sql = format!("SELECT revoked_at::text FROM {table} WHERE key_id = $1");
        let after: String =
            sqlx::query_scalar(sqlx::AssertSqlSafe(sql)).bind(id).fetch_one(&mut conn).await.unwrap();
        assert_eq!(after, revoked, "{table}");
        let told = server.get(log).await.is(StatusCode::OK).body;
        assert_eq!(told.as_array().unwrap().len(), 1, "{told:#}");
        assert_eq!(
            (&told[0]["before"]["key_id"], &told[0]["before"]["revoked_at"]),
            (&json!(id), &Value::Null)
        );
    }
    server.delete("/api/instance-api-keys/999999").await.is(StatusCode::NOT_FOUND);
}
