//! The audit log: who, what, when, from where, before and after; and that nobody rewrites it.

use reqwest::{Method, StatusCode, header};
use serde_json::{Value, json};

use super::support::{Answer, TestServer, message};
use crate::auth::dto::Role;

async fn log(server: &TestServer, query: &str) -> Vec<Value> {
    let answer = server.get(&format!("/api/audit-log?tenant_id=acme{query}")).await.is(StatusCode::OK);
    answer.body.as_array().unwrap().clone()
}

#[tokio::test]
async fn a_change_is_told_with_who_where_before_and_after() {
    let server = TestServer::start_idle(&[]).await;
    server.tenant("acme").await;
    let intent = json!({"name": "A", "priority": 5});
    let id =
        server.post("/api/intents?tenant_id=acme", &intent).await.is(StatusCode::CREATED).id("intent_id");
    let path = format!("/api/intents/{id}?tenant_id=acme");
    let key = server.key_of("acme", Role::Editor).await;
    let request = server.request(Method::PUT, &path, Some(&key)).header("x-request-id", "req-1");
    request.json(&json!({"name": "B", "priority": 5})).send().await.unwrap().error_for_status().unwrap();
    server.delete(&path).await.is(StatusCode::NO_CONTENT);
    let entries = log(&server, "&action=intent").await;
    let actions: Vec<&str> = entries.iter().map(|entry| entry["action"].as_str().unwrap()).collect();
    assert_eq!(actions, ["intent.delete", "intent.update", "intent.create"], "newest first");
    let update = &entries[1];
    assert_eq!(update["actor"], "API key test");
    assert_eq!(update["actor_kind"], "key");
    assert_eq!(update["address"], "127.0.0.1");
    assert_eq!(update["request_id"], "req-1");
    assert_eq!(update["object_id"], id.to_string());
    assert_eq!(update["before"], json!({"name": "A", "version": 1}));
    assert_eq!(update["after"], json!({"name": "B", "version": 2}));
    assert_eq!(entries[2]["after"]["priority"], 5);
    assert_eq!(entries[0]["before"]["intent"]["name"], "B");
    assert_eq!(log(&server, "&action=intent.update").await.len(), 1);
    assert_eq!(log(&server, "&action=intent").await.len(), 3);
    assert_eq!(log(&server, "&action=route").await.len(), 0);
    assert_eq!(log(&server, &format!("&object_id={id}&action=intent")).await.len(), 3);
    assert_eq!(log(&server, "&actor=API%20KEY&action=intent").await.len(), 3);
    assert_eq!(log(&server, "&to=2020-01-01T00:00:00Z").await.len(), 0);
    assert_eq!(log(&server, "&from=2020-01-01T00:00:00Z&action=intent").await.len(), 3);
    let bad = server.get("/api/audit-log?tenant_id=acme&from=yesterday").await;
    assert_eq!(bad.is(StatusCode::UNPROCESSABLE_ENTITY).fields(), ["from"]);
    let page = server.get("/api/audit-log?tenant_id=acme&limit=2").await.is(StatusCode::OK);
    assert!(page.headers[header::LINK].to_str().unwrap().contains("rel=\"next\""));
}

/// Its actions are looked for one by one.
#[tokio::test]
async fn a_kind_is_all_its_actions_and_no_others_page_by_page() {
    let server = TestServer::start_idle(&[]).await;
    server.tenant("acme").await;
    let mut conn = server.database().superuser().await;
    sqlx::raw_sql(
        "INSERT INTO audit_log (tenant_id, actor_kind, actor, action, object_id) SELECT 'acme', 'user', 'u', \
         (ARRAY['intent.update', 'a.create', 'intent.create', 'intent_x.create', 'z.create'])[1 + n % 5], n \
         FROM generate_series(1, 25) AS n ORDER BY n",
    )
    .execute(&mut conn)
    .await
    .unwrap();
    let ids = |entries: &[Value]| -> Vec<i64> {
        entries.iter().map(|entry| entry["object_id"].as_str().unwrap().parse().unwrap()).collect()
    };
    let all = log(&server, "&action=intent").await;
    assert_eq!(ids(&all), [25, 22, 20, 17, 15, 12, 10, 7, 5, 2]);
    assert_eq!(ids(&log(&server, "&action=intent&limit=3").await), [25, 22, 20]);
    let lines = server.get("/api/audit-log?tenant_id=acme&action=intent&format=jsonl").await;
    assert_eq!(lines.is(StatusCode::OK).text.lines().count(), 10);
    assert_eq!(ids(&log(&server, "&action=intent&object_id=7").await), [7]);
    assert_eq!(log(&server, "&action=inten").await.len(), 0);
}

/// Masked, a secret is the same before and after. That it is the one that was stored is told to nobody: it could be guessed at.
#[tokio::test]
async fn that_a_secret_was_entered_is_told_and_the_secret_is_not() {
    let server = TestServer::start_idle(&[]).await;
    server.tenant("acme").await;
    let config = |secret: &str| {
        json!({"name": "c", "protocol": "https", "base_url": "https://api.x.example", "auth_type": "bearer",
            "auth_config": {"token": secret}})
    };
    let mailbox = |secret: &str| {
        json!({"name": "m", "kind": "imap", "imap": {
            "host": "imap.x.example", "username": "u", "password": secret}})
    };
    let hook = |secret: &str| {
        json!({"name": "h", "kind": "webhook", "decisions": ["review"],
            "settings": {"url": "https://hook.x.example/", "headers": {"X-Key": secret}}})
    };
    type Body<'a> = &'a dyn Fn(&str) -> Value;
    let kinds = [
        ("datasource-configs", "config_id", "datasource_config", "auth_config.token", &config as Body),
        ("mailboxes", "mailbox_id", "mailbox", "imap.password", &mailbox),
        ("routes", "route_id", "route", "settings.headers.X-Key", &hook),
    ];
    for (collection, id, kind, member, body) in kinds {
        let made = server.post(&format!("/api/{collection}?tenant_id=acme"), &body("planted-first")).await;
        let id = made.is(StatusCode::CREATED).id(id);
        let path = format!("/api/{collection}/{id}?tenant_id=acme");
        for secret in ["planted-second", "********", "planted-second"] {
            server.put(&path, &body(secret)).await.is(StatusCode::OK);
        }
        let entries = log(&server, &format!("&action={kind}.update")).await;
        let changes: Vec<(&Value, &Value)> =
            entries.iter().map(|entry| (&entry["before"], &entry["after"])).collect();
        let (was, is) = (json!({member: "********"}), json!({member: "******** (entered anew)"}));
        assert_eq!(changes, [(&was, &is), (&was, &is)], "{member}: {entries:#?}");
    }
    let lines = server.get("/api/audit-log?tenant_id=acme&format=jsonl").await.is(StatusCode::OK).text;
    assert!(lines.contains("(entered anew)") && !lines.contains("planted"), "{lines}");
}

#[tokio::test]
async fn a_refused_change_leaves_no_entry() {
    let server = TestServer::start_idle(&[]).await;
    server.tenant("acme").await;
    let intent = json!({"name": "A"});
    server.post("/api/intents?tenant_id=acme", &intent).await.is(StatusCode::CREATED);
    server.post("/api/intents?tenant_id=acme", &intent).await.is(StatusCode::CONFLICT);
    server.delete("/api/intents/999?tenant_id=acme").await.is(StatusCode::NOT_FOUND);
    assert_eq!(log(&server, "").await.len(), 1);
}

#[tokio::test]
async fn the_log_is_for_administrators_of_its_own_tenant() {
    let server = TestServer::start_idle(&[]).await;
    server.tenant("acme").await;
    server.tenant("globex").await;
    server.post("/api/intents?tenant_id=acme", &json!({"name": "Secret plan"})).await.is(StatusCode::CREATED);
    let get = async |key: &str, path: &str| {
        Answer::of(server.request(Method::GET, path, Some(key)).send().await.unwrap()).await
    };
    let stranger = server.key_of("globex", Role::Admin).await;
    let editor = server.key_of("acme", Role::Editor).await;
    for format in ["", "&format=csv", "&format=jsonl"] {
        let path = format!("/api/audit-log?tenant_id=acme{format}");
        get(&stranger, &path).await.is(StatusCode::NOT_FOUND);
        get(&editor, &path).await.is(StatusCode::FORBIDDEN);
    }
    assert!(!get(&stranger, "/api/audit-log?tenant_id=globex").await.text.contains("Secret plan"));
    let admin = server.key_of("acme", Role::Admin).await;
    get(&admin, "/api/audit-log?tenant_id=acme").await.is(StatusCode::OK);
    get(&admin, "/api/instance-audit-log").await.is(StatusCode::FORBIDDEN);
    let entries = server.get("/api/instance-audit-log?action=tenant").await.is(StatusCode::OK);
    assert_eq!(entries.body.as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn the_servers_role_can_only_add_to_it() {
    let server = TestServer::start_idle(&[]).await;
    server.tenant("acme").await;
    server.post("/api/intents?tenant_id=acme", &json!({"name": "A"})).await.is(StatusCode::CREATED);
    for sql in [
        "UPDATE audit_log SET actor = 'nobody'",
        "DELETE FROM audit_log",
        "TRUNCATE audit_log",
        "UPDATE instance_audit_log SET actor = 'nobody'",
        "DELETE FROM instance_audit_log",
        "TRUNCATE instance_audit_log",
    ] {
        let mut tx = server.app.database.tenant(&"acme".parse().unwrap()).await.unwrap();
        let error = sqlx::query(sql).execute(tx.conn()).await.unwrap_err();
        assert_eq!(error.as_database_error().unwrap().code().as_deref(), Some("42501"), "{sql}");
    }
    // With its tenant it goes, and that stands in the installation's.
    server.delete("/api/tenants/acme").await.is(StatusCode::NO_CONTENT);
    let entries = server.get("/api/instance-audit-log?action=tenant.delete").await.is(StatusCode::OK);
    assert_eq!(entries.body[0]["before"]["tenant_id"], "acme");
}

#[tokio::test]
async fn it_is_exported_whole_as_csv_and_json_lines() {
    let server = TestServer::start_idle(&[]).await;
    server.tenant("acme").await;
    let mut conn = server.database().superuser().await;
    sqlx::raw_sql(
        "INSERT INTO audit_log (tenant_id, actor_kind, actor, action, object_id) \
         SELECT 'acme', 'user', '=HYPERLINK(\"http://evil\")', 'intent.create', n FROM generate_series(1, 2500) n",
    )
    .execute(&mut conn)
    .await
    .unwrap();
    let lines = server.get("/api/audit-log?tenant_id=acme&format=jsonl").await.is(StatusCode::OK).text;
    let ids: Vec<i64> = lines
        .lines()
        .map(|line| {
            serde_json::from_str::<Value>(line).unwrap()["object_id"].as_str().unwrap().parse().unwrap()
        })
        .collect();
    assert_eq!(ids, (1..=2500).rev().collect::<Vec<_>>());
    let answer = server.get("/api/audit-log?tenant_id=acme&format=csv&object_id=7").await.is(StatusCode::OK);
    assert_eq!(answer.headers[header::CONTENT_TYPE], "text/csv; charset=utf-8");
    let mut reader = csv::Reader::from_reader(answer.text.as_bytes());
    let rows: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
    assert_eq!(rows.len(), 1);
    assert_eq!(&rows[0][3], "'=HYPERLINK(\"http://evil\")", "no formula");
    for (accept, query, kind) in [
        ("text/csv", "", "text/csv; charset=utf-8"),
        ("application/jsonl, */*;q=0.1", "", "application/jsonl"),
        ("*/*", "", "application/json"),
        ("text/html", "", "application/json"),
        ("text/csv", "&format=json", "application/json"),
    ] {
        let path = format!("/api/audit-log?tenant_id=acme&object_id=7{query}");
        let request = server.request(Method::GET, &path, Some(&server.key)).header(header::ACCEPT, accept);
        let answer = Answer::of(request.send().await.unwrap()).await.is(StatusCode::OK);
        assert_eq!(answer.headers[header::CONTENT_TYPE], kind, "{accept} {query}");
    }
    let bad = server.get("/api/audit-log?tenant_id=acme&format=xml").await;
    assert_eq!(bad.is(StatusCode::UNPROCESSABLE_ENTITY).fields(), ["format"]);
}

#[tokio::test]
async fn what_is_done_to_messages_and_files_is_told_too() {
    let server = TestServer::start_with(&[]).await;
    server.tenant("acme").await;
    let email = server.decide("acme", message("a@x.example", "very private", "x")).await;
    let id = email["email_id"].as_str().unwrap();
    let at = |what: &str| format!("/api/emails/{id}/{what}?tenant_id=acme");
    server.post(&at("decision"), &json!({"decision": "accepted", "note": "ok"})).await.is(StatusCode::OK);
    server.post(&at("reprocess"), &json!({})).await.is(StatusCode::ACCEPTED);
    let put = server.request(Method::PUT, "/api/files/a.csv?tenant_id=acme", Some(&server.key));
    put.body("a\n1\n").send().await.unwrap().error_for_status().unwrap();
    server.delete("/api/files/a.csv?tenant_id=acme").await.is(StatusCode::NO_CONTENT);
    server.delete("/api/files/a.csv?tenant_id=acme").await.is(StatusCode::NOT_FOUND);
    let entries = log(&server, "").await;
    let actions: Vec<&str> = entries.iter().map(|entry| entry["action"].as_str().unwrap()).collect();
    assert_eq!(actions, ["file.delete", "file.put", "email.reprocess", "email.decide", "email.receive"]);
    assert!(!Value::Array(entries).to_string().contains("very private"), "no content of messages");
}

#[tokio::test]
async fn an_edit_of_what_was_changed_since_is_refused() {
    let server = TestServer::start_idle(&[]).await;
    server.tenant("acme").await;
    let config = json!({"name": "c", "protocol": "sqlite", "connection_json": {"path": "a.sqlite"}});
    let source = json!({"name": "S", "datasource_type": "database", "connection_key": "c"});
    let intent = json!({"name": "A"});
    let route = json!({"name": "r", "kind": "label", "decisions": ["review"], "settings": {"label": "x"}});
    let made = server.post("/api/intents?tenant_id=acme", &json!({"name": "B"})).await.id("intent_id");
    let rule = json!({"intent_id": made, "field_name": "subject", "rule_type": "regex", "conditions": {"pattern": "x"}});
    for (collection, body, id) in [
        ("datasource-configs", config, "config_id"),
        ("datasources", source, "datasource_id"),
        ("intents", intent, "intent_id"),
        ("validation-rules", rule, "rule_id"),
        ("routes", route, "route_id"),
    ] {
        let created =
            server.post(&format!("/api/{collection}?tenant_id=acme"), &body).await.is(StatusCode::CREATED);
        let path = format!("/api/{collection}/{}?tenant_id=acme", created.id(id));
        guarded(&server, &path, &body).await;
    }
    guarded(&server, "/api/tenants/acme", &json!({"name": "Acme"})).await;
}

async fn guarded(server: &TestServer, path: &str, body: &Value) {
    let send = async |method: Method, tag: &str, body: &Value| {
        let request = server.request(method, path, Some(&server.key)).header(header::IF_MATCH, tag);
        Answer::of(request.json(body).send().await.unwrap()).await
    };
    let etag = |answer: &Answer| answer.headers[header::ETAG].to_str().unwrap().to_owned();
    let first = etag(&server.get(path).await.is(StatusCode::OK));
    assert_eq!(first, etag(&server.get(path).await), "the same while nothing changes");
    let mut changed = body.clone();
    if path.contains("datasource-configs") {
        changed["connection_json"]["path"] = json!("b.sqlite");
    } else {
        changed["is_active"] = json!(false);
    }
    let second = etag(&send(Method::PUT, &first, &changed).await.is(StatusCode::OK));
    assert_ne!(first, second, "{path}");
    assert_eq!(second, etag(&server.get(path).await), "{path}");
    send(Method::PUT, &first, &changed).await.is(StatusCode::PRECONDITION_FAILED);
    send(Method::PUT, &format!("W/{second}"), &changed).await.is(StatusCode::PRECONDITION_FAILED);
    send(Method::DELETE, &first, &json!({})).await.is(StatusCode::PRECONDITION_FAILED);
    assert_eq!(second, etag(&server.get(path).await), "nothing was changed");
    send(Method::PUT, &format!("\"x\", {second}"), &changed).await.is(StatusCode::OK);
    send(Method::PUT, "*", &changed).await.is(StatusCode::OK);
}

#[tokio::test]
async fn what_postgresql_cannot_be_asked_for_is_refused_by_name() {
    let server = TestServer::start_idle(&[]).await;
    server.tenant("acme").await;
    for (query, field) in [("from=-9999-01-01T00:00:00Z", "from"), ("to=%2B99999-01-01T00:00:00Z", "to")] {
        for path in ["/api/audit-log?tenant_id=acme", "/api/instance-audit-log?limit=5"] {
            let answer = server.get(&format!("{path}&{query}")).await;
            assert_eq!(answer.is(StatusCode::UNPROCESSABLE_ENTITY).fields(), [field], "{path}");
        }
    }
    let request = server.request(Method::POST, "/ui/audit/list", Some(&server.key));
    let request = request.header("content-type", "application/x-www-form-urlencoded");
    let answer = Answer::of(request.body("tenant_id=acme&filter[actor]=%00").send().await.unwrap()).await;
    assert_eq!(answer.is(StatusCode::UNPROCESSABLE_ENTITY).fields(), ["actor"]);
}
