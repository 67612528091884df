//! Every call that changes anything tells of it: the calls are the document's, so a new one that is in neither list
//! fails.

use std::collections::BTreeSet;

use axum::response::IntoResponse;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use super::{
    calls::api_calls,
    receivers::Receiver,
    support::{Answer, TestServer, eventually, message},
};

/// What looks like a change, and changes nothing.
const CHANGE_NOTHING: [&str; 5] = [
    "POST /api/emails/dry-run",
    "POST /api/validation-rules/dry-run",
    "POST /api/datasources/{datasource_id}/test",
    "POST /api/datasources/{datasource_id}/preview",
    "POST /api/classifier/test",
];

struct Walk<'s> {
    server: &'s TestServer,
    done: BTreeSet<String>,
}

impl Walk<'_> {
    async fn entries(&self) -> i64 {
        let mut conn = self.server.database().superuser().await;
        sqlx::query_scalar(
            "SELECT (SELECT count(*) FROM audit_log) + (SELECT count(*) FROM instance_audit_log)",
        )
        .fetch_one(&mut conn)
        .await
        .unwrap()
    }

    /// Makes the call, which must succeed and tell of itself; `ids` stand in the template's places, in their order.
    async fn call(&mut self, method: Method, template: &str, ids: &[&str], body: Value) -> Value {
        let mut path = template.to_owned();
        for id in ids {
            let (start, end) = (path.find('{').unwrap(), path.find('}').unwrap());
            path.replace_range(start..=end, id);
        }
        if !path.starts_with("/api/tenants") && !path.starts_with("/api/instance-api-keys") {
            path.push_str("?tenant_id=acme");
        }
        let request = self.server.request(method.clone(), &path, Some(&self.server.key));
        let request = match &body {
            Value::String(raw) if template == "/api/emails" => {
                request.header("content-type", "message/rfc822").body(raw.clone())
            }
            Value::String(raw) if template == "/api/emails/import" => {
                request.header("content-type", "application/mbox").body(format!("From a\n{raw}"))
            }
            Value::String(raw) if template == "/api/files" => request
                .header("content-type", "multipart/form-data; boundary=x")
                .body(format!("--x\r\nContent-Disposition: form-data; name=\"file\"; filename=\"b.csv\"\r\n\r\n{raw}\r\n--x--\r\n")),
            Value::String(raw) => request.body(raw.clone()),
            Value::Null => request,
            json => request.json(json),
        };
        let before = self.entries().await;
        let answer = Answer::of(request.send().await.unwrap()).await;
        assert!(answer.status.is_success(), "{method} {path}: {} {}", answer.status, answer.text);
        assert_eq!(self.entries().await, before + 1, "{method} {path} tells of itself, once");
        self.done.insert(format!("{method} {template}"));
        answer.body
    }
}

/// A body that changes something: one that says what is stored is no change, and tells of none.
fn with(mut body: Value, name: &str, value: impl Into<Value>) -> Value {
    body[name] = value.into();
    body
}

fn id(value: &Value, name: &str) -> String {
    match &value[name] {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

#[tokio::test]
async fn every_call_that_changes_anything_tells_of_it() {
    let receiver = Receiver::answering(|_, _| StatusCode::INTERNAL_SERVER_ERROR.into_response()).await;
    let server = TestServer::start_with(&[("DELIVERY_PATIENCE_HOURS", "0")]).await;
    let (get, post, put, delete) = (Method::GET, Method::POST, Method::PUT, Method::DELETE);
    let mut walk = Walk { server: &server, done: BTreeSet::new() };
    let none = Value::Null;
    let tenant = json!({"tenant_id": "acme", "name": "Acme"});
    walk.call(post.clone(), "/api/tenants", &[], tenant.clone()).await;
    let tenant = with(tenant, "name", "Acme Corporation");
    walk.call(put.clone(), "/api/tenants/{tenant_id}", &["acme"], tenant).await;

    walk.call(post.clone(), "/api/files", &[], json!("a\n1\n")).await;
    walk.call(put.clone(), "/api/files/{path}", &["a.csv"], json!("a\n1\n")).await;
    let config = json!({"name": "c", "protocol": "file", "driver_family": "csv", "connection_json": {"path": "a.csv"}});
    let made = walk.call(post.clone(), "/api/datasource-configs", &[], config.clone()).await;
    let config_id = id(&made, "config_id");
    let config = with(config, "driver_family", "");
    walk.call(put.clone(), "/api/datasource-configs/{config_id}", &[&config_id], config).await;
    let source = json!({"name": "S", "datasource_type": "file", "connection_key": "c"});
    let made = walk.call(post.clone(), "/api/datasources", &[], source.clone()).await;
    let source_id = id(&made, "datasource_id");
    let source = with(source, "description", "x");
    walk.call(put.clone(), "/api/datasources/{datasource_id}", &[&source_id], source).await;

    let intent = json!({"name": "A"});
    let made = walk.call(post.clone(), "/api/intents", &[], intent.clone()).await;
    let intent_id = id(&made, "intent_id");
    walk.call(put.clone(), "/api/intents/{intent_id}", &[&intent_id], with(intent, "priority", 5)).await;
    let with_rules = json!({"intent": {"name": "B"}, "validation_rules": []});
    walk.call(post.clone(), "/api/intents/with-rules", &[], with_rules).await;
    let with_rules = json!({"intent": {"name": "A"}, "validation_rules": [
        {"field_name": "subject", "rule_type": "regex", "conditions": {"pattern": "x"}}
    ]});
    walk.call(put.clone(), "/api/intents/{intent_id}/with-rules", &[&intent_id], with_rules).await;
    let number: i64 = intent_id.parse().unwrap();
    let rule = json!({"intent_id": number, "field_name": "subject", "rule_type": "regex", "conditions": {"pattern": "x"}});
    let made = walk.call(post.clone(), "/api/validation-rules", &[], rule.clone()).await;
    let rule_id = id(&made, "rule_id");
    walk.call(put.clone(), "/api/validation-rules/{rule_id}", &[&rule_id], with(rule, "priority", 5)).await;
    let made = walk
        .call(post.clone(), "/api/intents/{intent_id}/examples", &[&intent_id], json!({"text": "x"}))
        .await;
    let example_id = id(&made, "example_id");
    walk.call(
        delete.clone(),
        "/api/intents/{intent_id}/examples/{example_id}",
        &[&intent_id, &example_id],
        none.clone(),
    )
    .await;
    walk.call(put.clone(), "/api/classifier", &[], json!({"gate": 0.9})).await;
    walk.call(put.clone(), "/api/retention", &[], json!({"message_days": 90})).await;

    let route = json!({"name": "r", "kind": "webhook", "decisions": ["review"],
        "settings": {"url": receiver.base}});
    let made = walk.call(post.clone(), "/api/routes", &[], route.clone()).await;
    let route_id = id(&made, "route_id");
    walk.call(put.clone(), "/api/routes/{route_id}", &[&route_id], with(route, "name", "s")).await;
    walk.call(post.clone(), "/api/routes/{route_id}/rotate-secret", &[&route_id], none.clone()).await;

    walk.call(put.clone(), "/api/mail-domains", &[], json!({"domains": ["acme.example"]})).await;
    let mailbox = json!({"name": "m", "kind": "smtp", "address": "m@acme.example"});
    let made = walk.call(post.clone(), "/api/mailboxes", &[], mailbox.clone()).await;
    let mailbox_id = id(&made, "mailbox_id");
    let mailbox = with(mailbox, "name", "n");
    walk.call(put.clone(), "/api/mailboxes/{mailbox_id}", &[&mailbox_id], mailbox).await;
    walk.call(delete.clone(), "/api/mailboxes/{mailbox_id}", &[&mailbox_id], none.clone()).await;

    walk.call(post.clone(), "/api/emails/import", &[], json!(message("a@x.example", "x", "x"))).await;
    let made = walk.call(post.clone(), "/api/emails", &[], json!(message("a@x.example", "x", "x"))).await;
    let email_id = id(&made, "email_id");
    server.decided("acme", &email_id).await;
    let path = format!("/api/deliveries?tenant_id=acme&email_id={email_id}&status=failed");
    let given_up = async || {
        eventually("the delivery is given up", async || {
            server.get(&path).await.body.get(0).map(|delivery| id(delivery, "delivery_id"))
        })
        .await
    };
    given_up().await;
    walk.call(post.clone(), "/api/emails/retry-deliveries", &[], json!({"ids": [email_id]})).await;
    let delivery_id = given_up().await;
    walk.call(post.clone(), "/api/deliveries/{delivery_id}/retry", &[&delivery_id], none.clone()).await;
    walk.call(post.clone(), "/api/emails/{email_id}/reprocess", &[&email_id], none.clone()).await;
    walk.call(post.clone(), "/api/emails/{email_id}/intent", &[&email_id], json!({"intent_id": null})).await;
    walk.call(post.clone(), "/api/emails/{email_id}/take-back", &[&email_id], none.clone()).await;
    walk.call(post.clone(), "/api/emails/{email_id}/decision", &[&email_id], json!({"decision": "accepted"}))
        .await;
    let draft = json!({"intent": {"name": "C"}, "validation_rules": [], "last": 1});
    let made = walk.call(post.clone(), "/api/backtests", &[], draft).await;
    walk.call(delete.clone(), "/api/backtests/{backtest_id}", &[&id(&made, "backtest_id")], none.clone())
        .await;

    let key = json!({"name": "k", "role": "viewer"});
    let made = walk.call(post.clone(), "/api/api-keys", &[], key).await;
    walk.call(delete.clone(), "/api/api-keys/{key_id}", &[&id(&made, "key_id")], none.clone()).await;
    let made = walk.call(post.clone(), "/api/instance-api-keys", &[], json!({"name": "k"})).await;
    walk.call(delete.clone(), "/api/instance-api-keys/{key_id}", &[&id(&made, "key_id")], none.clone()).await;
    let invited = json!({"email": "ada@acme.example", "role": "viewer"});
    walk.call(post.clone(), "/api/members", &[], invited.clone()).await;
    let made = walk.call(post.clone(), "/api/invitations", &[], invited).await;
    walk.call(
        delete.clone(),
        "/api/invitations/{invitation_id}",
        &[&id(&made, "invitation_id")],
        none.clone(),
    )
    .await;
    let mut conn = server.database().superuser().await;
    sqlx::raw_sql(
        "INSERT INTO users (email, display_name) VALUES ('bob@acme.example', 'Bob'); \
         INSERT INTO memberships (tenant_id, user_id, role) SELECT 'acme', user_id, 'viewer' FROM users",
    )
    .execute(&mut conn)
    .await
    .unwrap();
    let members = server.get("/api/members?tenant_id=acme").await.body;
    let user_id = id(&members[0], "user_id");
    walk.call(put.clone(), "/api/members/{user_id}", &[&user_id], json!({"role": "editor"})).await;
    walk.call(delete.clone(), "/api/members/{user_id}", &[&user_id], none.clone()).await;

    let imported = json!({"version": 1, "intents": [{"name": "D"}]});
    walk.call(post, "/api/import", &[], imported).await;

    walk.call(delete.clone(), "/api/routes/{route_id}", &[&route_id], none.clone()).await;
    walk.call(delete.clone(), "/api/validation-rules/{rule_id}", &[&rule_id], none.clone()).await;
    walk.call(delete.clone(), "/api/intents/{intent_id}", &[&intent_id], none.clone()).await;
    walk.call(delete.clone(), "/api/datasources/{datasource_id}", &[&source_id], none.clone()).await;
    walk.call(delete.clone(), "/api/datasource-configs/{config_id}", &[&config_id], none.clone()).await;
    walk.call(delete.clone(), "/api/files/{path}", &["a.csv"], none.clone()).await;
    // The tenant's log goes with it; what stays is the installation's.
    server.delete("/api/tenants/acme").await.is(StatusCode::NO_CONTENT);
    let log = server.get("/api/instance-audit-log?action=tenant.delete").await.is(StatusCode::OK);
    assert_eq!(log.body[0]["object_id"], "acme");
    walk.done.insert("DELETE /api/tenants/{tenant_id}".into());

    let all: BTreeSet<String> = api_calls()
        .iter()
        .filter(|call| call.method != get)
        .map(|call| format!("{} {}", call.method, call.path.replace("{*path}", "{path}")))
        .filter(|call| !CHANGE_NOTHING.contains(&call.as_str()))
        .collect();
    assert_eq!(walk.done, all);
}
