//! Whoever says what is stored changes nothing, and is in nobody's way: there is no other tag, no version, no revision and no
//! entry in the audit log. That this holds for every `PUT` is held against the API's document, in `openapi`.

use reqwest::{Method, StatusCode, header};
use serde_json::{Value, json};

use super::support::{Answer, TestServer};
use crate::auth::dto::Role;

/// What changes leave behind.
#[derive(Clone, Copy, Debug, PartialEq, sqlx::FromRow)]
struct Traces {
    entries: i64,
    versions: i64,
    /// Of the tenant's configuration; 0 where there was none yet.
    revision: i64,
}

async fn traces(server: &TestServer) -> Traces {
    let mut conn = server.database().superuser().await;
    sqlx::query_as(
        "SELECT (SELECT count(*) FROM audit_log) + (SELECT count(*) FROM instance_audit_log) AS entries, \
         (SELECT count(*) FROM intent_versions) AS versions, \
         coalesce((SELECT max(revision) FROM configuration_revisions), 0) AS revision",
    )
    .fetch_one(&mut conn)
    .await
    .unwrap()
}

fn tag(answer: &Answer) -> String {
    answer.headers[header::ETAG].to_str().unwrap().to_owned()
}

async fn put(server: &TestServer, path: &str, tag: &str, body: &Value) -> Answer {
    let request = server.request(Method::PUT, path, Some(&server.key)).header(header::IF_MATCH, tag);
    Answer::of(request.json(body).send().await.unwrap()).await
}

/// Puts back what is read, by which nothing is done.
async fn put_back(server: &TestServer, path: &str) -> Answer {
    let read = server.get(path).await.is(StatusCode::OK);
    let before = traces(server).await;
    let back = put(server, path, &tag(&read), &read.body).await.is(StatusCode::OK);
    assert_eq!((&back.body, tag(&back)), (&read.body, tag(&read)), "{path}");
    let again = server.get(path).await.is(StatusCode::OK);
    assert_eq!((&again.body, tag(&again)), (&read.body, tag(&read)), "{path}");
    assert_eq!(traces(server).await, before, "{path}");
    read
}

async fn made(server: &TestServer, collection: &str, id: &str, body: Value) -> String {
    let made = server.post(&format!("/api/{collection}?tenant_id=acme"), &body).await;
    format!("/api/{collection}/{}?tenant_id=acme", made.is(StatusCode::CREATED).id(id))
}

#[tokio::test]
async fn what_is_put_back_as_it_was_read_changes_nothing_and_what_differs_does() {
    let server = TestServer::start_idle(&[]).await;
    server.tenant("acme").await;
    let config = json!({"name": "c", "protocol": "http", "base_url": "http://c.example", "auth_type": "basic",
        "auth_config": {"username": "u", "password": "p"}, "connection_json": {}});
    let config = made(&server, "datasource-configs", "config_id", config).await;
    let source = json!({"name": "S", "datasource_type": "api", "connection_key": "c"});
    let source = made(&server, "datasources", "datasource_id", source).await;
    let intent = json!({"name": "A", "match": {"any": [{"field": "subject", "op": "contains", "value": "order"}]},
        "extractors": [{"name": "number", "field": "subject", "pattern": "(\\d+)", "type": "number"}]});
    let intent = server.post("/api/intents?tenant_id=acme", &intent).await.is(StatusCode::CREATED);
    let intent_id = intent.id("intent_id");
    let intent = format!("/api/intents/{intent_id}?tenant_id=acme");
    // Numbers that are not kept as they are written.
    let rule = json!({"intent_id": intent_id, "field_name": "subject", "rule_type": "one_of",
        "conditions": {"expected": [0.1234567890123456, 1e16, 1.0]}});
    let rule = made(&server, "validation-rules", "rule_id", rule).await;
    let hook = json!({"name": "h", "kind": "webhook", "decisions": ["review", "accepted"], "intent_id": intent_id,
        "settings": {"url": "https://hook.x.example/a", "headers": {"X-Key": "s"}}});
    let hook = made(&server, "routes", "route_id", hook).await;
    let label = json!({"name": "l", "kind": "label", "decisions": ["review"], "is_active": false,
        "settings": {"label": "order {{subject}}"}});
    let label = made(&server, "routes", "route_id", label).await;
    let imap = json!({"name": "m", "kind": "imap",
        "imap": {"host": "IMAP.x.example", "username": " u ", "password": "p"}});
    let imap = made(&server, "mailboxes", "mailbox_id", imap).await;
    let domains = json!({"domains": ["b-c.example", "bb.example", "a.example"]});
    server.put("/api/mail-domains?tenant_id=acme", &domains).await.is(StatusCode::OK);

    // Each with a change, and whether that makes a version of the intent.
    for (path, member, value, is_versioned) in [
        (config.as_str(), "base_url", json!("http://c.example/v2"), false),
        (source.as_str(), "description", json!("The shop"), false),
        (intent.as_str(), "priority", json!(5), true),
        (rule.as_str(), "priority", json!(5), true),
        (hook.as_str(), "decisions", json!(["review"]), false),
        (label.as_str(), "is_active", json!(true), false),
        (imap.as_str(), "is_active", json!(false), false),
        ("/api/mail-domains?tenant_id=acme", "domains", json!(["a.example"]), false),
        ("/api/retention?tenant_id=acme", "message_days", json!(90), false),
        ("/api/classifier?tenant_id=acme", "gate", json!(0.9), false),
        ("/api/tenants/acme", "name", json!("Acme"), false),
    ] {
        let read = put_back(&server, path).await;
        let before = traces(&server).await;
        let mut changed = read.body.clone();
        changed[member] = value.clone();
        let done = put(&server, path, &tag(&read), &changed).await.is(StatusCode::OK);
        assert_eq!(done.body[member], value, "{path}");
        assert_ne!(tag(&done), tag(&read), "{path}");
        let more = i64::from(is_versioned);
        let after = Traces {
            entries: before.entries + 1,
            versions: before.versions + more,
            revision: before.revision + more,
        };
        assert_eq!(traces(&server).await, after, "{path}");
        put(&server, path, &tag(&read), &changed).await.is(StatusCode::PRECONDITION_FAILED);
        put_back(&server, path).await;
    }
}

/// A rule is the one of the path, whatever the body says that a `GET` of another gave.
#[tokio::test]
async fn a_rule_is_held_against_the_one_that_the_path_names() {
    let server = TestServer::start_idle(&[]).await;
    server.tenant("acme").await;
    let intent = server.post("/api/intents?tenant_id=acme", &json!({"name": "A"})).await.id("intent_id");
    let rule = json!({"intent_id": intent, "field_name": "subject", "rule_type": "regex", "conditions": {"pattern": "x"}});
    let one = made(&server, "validation-rules", "rule_id", rule.clone()).await;
    let other = made(&server, "validation-rules", "rule_id", rule).await;
    let theirs = server.get(&other).await.is(StatusCode::OK).body;
    let (read, before) = (server.get(&one).await.is(StatusCode::OK), traces(&server).await);
    assert_eq!(server.put(&one, &theirs).await.is(StatusCode::OK).body, read.body);
    assert_eq!(traces(&server).await, before);
}

/// All of it is one change, and so none of it is where nothing differs.
#[tokio::test]
async fn an_intent_that_is_put_back_with_its_rules_has_no_other_version() {
    let server = TestServer::start_idle(&[]).await;
    server.tenant("acme").await;
    let rule = |pattern: &str| json!({"field_name": "subject", "rule_type": "regex", "conditions": {"pattern": pattern}});
    let both = json!({"intent": {"name": "A"}, "validation_rules": [rule("x"), rule("y")]});
    let both =
        server.post("/api/intents/with-rules?tenant_id=acme", &both).await.is(StatusCode::CREATED).body;
    let path = format!("/api/intents/{}/with-rules?tenant_id=acme", both["intent"]["intent_id"]);
    let mut read = put_back(&server, &path).await;
    type Edit<'e> = &'e dyn Fn(&mut Value);
    let edits: [Edit<'_>; 5] = [
        &|body| body["intent"]["name"] = "B".into(),
        &|body| body["validation_rules"][0]["conditions"]["pattern"] = "z".into(),
        &|body| body["validation_rules"].as_array_mut().unwrap().push(rule("w")),
        &|body| drop(body["validation_rules"].as_array_mut().unwrap().remove(0)),
        // As new ones, which say what the old ones said.
        &|body| {
            for rule in body["validation_rules"].as_array_mut().unwrap() {
                rule.as_object_mut().unwrap().remove("rule_id");
            }
        },
    ];
    for (i, edit) in edits.iter().enumerate() {
        let before = traces(&server).await;
        let mut body = read.body.clone();
        edit(&mut body);
        let done = put(&server, &path, &tag(&read), &body).await.is(StatusCode::OK);
        let version = 2 + i64::try_from(i).unwrap();
        assert_eq!(done.body["intent"]["version"], version);
        let after = traces(&server).await;
        assert_eq!((after.entries, after.versions), (before.entries + 1, before.versions + 1), "{version}");
        put(&server, &path, &tag(&read), &body).await.is(StatusCode::PRECONDITION_FAILED);
        read = put_back(&server, &path).await;
        assert_eq!(read.body, done.body, "{version}");
    }
}

/// Were it otherwise, whoever guesses at a secret would be told by the tag, by the audit log or by their role that they are
/// right.
#[tokio::test]
async fn a_secret_that_is_entered_again_is_a_change_whether_it_is_another_or_not() {
    let server = TestServer::start_idle(&[]).await;
    server.tenant("acme").await;
    let config = json!({"name": "c", "protocol": "https", "base_url": "https://c.example", "auth_type": "bearer",
        "auth_config": {"token": "right"}});
    let config = made(&server, "datasource-configs", "config_id", config).await;
    let imap = json!({"name": "m", "kind": "imap",
        "imap": {"host": "imap.x.example", "username": "u", "password": "right"}});
    let imap = made(&server, "mailboxes", "mailbox_id", imap).await;
    let hook = json!({"name": "h", "kind": "webhook", "decisions": ["review"],
        "settings": {"url": "https://hook.x.example/", "headers": {"X-Key": "right", "X-Other": "stays"}}});
    let hook = made(&server, "routes", "route_id", hook).await;
    for (path, secret, kind) in [
        (&config, "/auth_config/token", "datasource_config"),
        (&imap, "/imap/password", "mailbox"),
        (&hook, "/settings/headers/X-Key", "route"),
    ] {
        let mut tags = vec![tag(&put_back(&server, path).await)];
        for guess in ["right", "wrong", "wrong"] {
            let read = server.get(path).await.is(StatusCode::OK);
            let before = traces(&server).await;
            let mut body = read.body.clone();
            *body.pointer_mut(secret).unwrap() = guess.into();
            let done = put(&server, path, &tag(&read), &body).await.is(StatusCode::OK);
            assert!(!tags.contains(&tag(&done)), "{path}: {guess}");
            tags.push(tag(&done));
            assert_eq!(traces(&server).await.entries, before.entries + 1, "{path}: {guess}");
        }
        let log = server.get(&format!("/api/audit-log?tenant_id=acme&action={kind}.update")).await.body;
        let log = log.as_array().unwrap();
        assert_eq!(log.len(), 3, "{log:#?}");
        for entry in log {
            let told = (&entry["before"], &entry["after"]);
            assert_eq!(told, (&log[0]["before"], &log[0]["after"]), "whatever was entered");
        }
    }
    let editor = server.key_of("acme", Role::Editor).await;
    for guess in ["wrong", "another"] {
        let mut body = server.get(&hook).await.is(StatusCode::OK).body;
        body["settings"]["headers"]["X-Key"] = guess.into();
        let request = server.request(Method::PUT, &hook, Some(&editor)).json(&body);
        Answer::of(request.send().await.unwrap()).await.is(StatusCode::FORBIDDEN);
    }
}

/// What it failed for may have been mended where it is. It is no change of the mailbox.
#[tokio::test]
async fn a_mailbox_that_fails_is_looked_at_again_at_once_where_it_is_saved_as_it_is() {
    let server = TestServer::start_idle(&[]).await;
    server.tenant("acme").await;
    let imap = json!({"name": "m", "kind": "imap",
        "imap": {"host": "imap.x.example", "username": "u", "password": "p"}});
    let path = made(&server, "mailboxes", "mailbox_id", imap).await;
    let mut conn = server.database().superuser().await;
    let rests = "UPDATE mailbox_watches SET due_at = now() + interval '1 hour', lock_token = gen_random_uuid(), \
         locked_until = now() + interval '1 hour'";
    let is_due = "SELECT due_at <= now() AND lock_token IS NULL FROM mailbox_watches";
    sqlx::raw_sql(rests).execute(&mut conn).await.unwrap();
    put_back(&server, &path).await;
    let due: bool = sqlx::query_scalar(is_due).fetch_one(&mut conn).await.unwrap();
    assert!(!due, "one that works is left alone");

    let fails =
        "UPDATE mailbox_heartbeats SET problem = 'the server refused the login', failing_since = now()";
    sqlx::raw_sql(fails).execute(&mut conn).await.unwrap();
    let read = server.get(&path).await.is(StatusCode::OK);
    assert_eq!(read.body["heartbeat"]["state"], "failing");
    let before = traces(&server).await;
    let back = put(&server, &path, &tag(&read), &read.body).await.is(StatusCode::OK);
    assert_eq!((tag(&back), &back.body["updated_at"]), (tag(&read), &read.body["updated_at"]));
    assert_eq!(back.body["heartbeat"]["state"], "waiting");
    assert_eq!(traces(&server).await, before);
    let due: bool = sqlx::query_scalar(is_due).fetch_one(&mut conn).await.unwrap();
    assert!(due, "one that failed is tried at once");
}
