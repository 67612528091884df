//! Versions of intents and rules: every change makes one, and a decision can be had again by those that made it.

use reqwest::{Method, StatusCode, header};
use serde_json::{Value, json};

use super::support::{Answer, TestServer, message};
use crate::auth::dto::Role;

/// An intent that takes messages with `order` in their subject, and one rule: the subject must match.
async fn orders(server: &TestServer, pattern: &str) -> (i64, i64) {
    let body = json!({
        "intent": {"name": "Orders", "match": {"all": [{"field": "subject", "op": "contains", "value": "order"}]}},
        "validation_rules": [rule(pattern)]
    });
    let made =
        server.post("/api/intents/with-rules?tenant_id=acme", &body).await.is(StatusCode::CREATED).body;
    (made["intent"]["intent_id"].as_i64().unwrap(), made["validation_rules"][0]["rule_id"].as_i64().unwrap())
}

fn rule(pattern: &str) -> Value {
    json!({"field_name": "subject", "rule_type": "regex", "conditions": {"pattern": pattern}})
}

/// The newest version, which must be the intent and its rules as they are.
async fn newest(server: &TestServer, intent: i64) -> i64 {
    let get =
        async |path: String| server.get(&format!("{path}?tenant_id=acme")).await.is(StatusCode::OK).body;
    let versions = get(format!("/api/intents/{intent}/versions")).await;
    let version = versions[0]["version"].as_i64().unwrap();
    assert_eq!(versions.as_array().unwrap().len() as i64, version, "one by one: {versions}");
    let detail = get(format!("/api/intents/{intent}/versions/{version}")).await;
    let saved = get(format!("/api/intents/{intent}")).await;
    let rules = get(format!("/api/intents/{intent}/validation-rules")).await;
    assert_eq!(saved["version"], version);
    for member in ["name", "match", "extractors", "priority", "is_active", "version", "description"] {
        assert_eq!(detail["intent"][member], saved[member], "{member}");
    }
    let without_times = |rules: &Value| -> Vec<Value> {
        let rules = rules.as_array().unwrap().iter().cloned();
        rules
            .map(|mut rule| {
                rule.as_object_mut().unwrap().retain(|name, _| !name.ends_with("_at"));
                rule
            })
            .collect()
    };
    assert_eq!(without_times(&detail["validation_rules"]), without_times(&rules));
    version
}

#[tokio::test]
async fn every_change_makes_one_version() {
    let server = TestServer::start_idle(&[]).await;
    server.tenant("acme").await;
    let config = json!({"name": "shop", "protocol": "http", "base_url": "http://x.example"});
    server.post("/api/datasource-configs?tenant_id=acme", &config).await.is(StatusCode::CREATED);
    let shop = json!({"name": "Shop", "datasource_type": "api", "connection_key": "shop"});
    let shop = server
        .post("/api/datasources?tenant_id=acme", &shop)
        .await
        .is(StatusCode::CREATED)
        .id("datasource_id");
    let (intent, first) = orders(&server, "a").await;
    assert_eq!(newest(&server, intent).await, 1);
    let other =
        server.post("/api/intents?tenant_id=acme", &json!({"name": "Other"})).await.is(StatusCode::CREATED);
    assert_eq!(other.body["version"], 1);
    let other = other.id("intent_id");
    let intent_path = format!("/api/intents/{intent}?tenant_id=acme");
    let replaced =
        server.put(&intent_path, &json!({"name": "Orders", "priority": 7})).await.is(StatusCode::OK);
    assert_eq!(replaced.body["version"], 2);
    assert_eq!(newest(&server, intent).await, 2);
    let mut second = json!({"intent_id": intent, "field_name": "subject", "rule_type": "exists", "datasource_id": shop, "conditions": {"path": "/x"}});
    let made = server
        .post("/api/validation-rules?tenant_id=acme", &second)
        .await
        .is(StatusCode::CREATED)
        .id("rule_id");
    assert_eq!(newest(&server, intent).await, 3);
    let rule_path = format!("/api/validation-rules/{made}?tenant_id=acme");
    second["priority"] = 3.into();
    server.put(&rule_path, &second).await.is(StatusCode::OK);
    assert_eq!(newest(&server, intent).await, 4);
    second["intent_id"] = other.into();
    server.put(&rule_path, &second).await.is(StatusCode::OK);
    assert_eq!((newest(&server, intent).await, newest(&server, other).await), (5, 2), "it moved");
    server.delete(&format!("/api/datasources/{shop}?tenant_id=acme")).await.is(StatusCode::NO_CONTENT);
    assert_eq!((newest(&server, intent).await, newest(&server, other).await), (5, 3), "its rules went");
    server.delete(&format!("/api/validation-rules/{first}?tenant_id=acme")).await.is(StatusCode::NO_CONTENT);
    assert_eq!(newest(&server, intent).await, 6);
    // What is refused makes none.
    server.put(&intent_path, &json!({"name": "Other"})).await.is(StatusCode::CONFLICT);
    server.put(&intent_path, &json!({"name": ""})).await.is(StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(newest(&server, intent).await, 6);
    // Versions outlive their intent.
    server.delete(&intent_path).await.is(StatusCode::NO_CONTENT);
    let versions = server
        .get(&format!("/api/intents/{intent}/versions?tenant_id=acme&limit=2"))
        .await
        .is(StatusCode::OK);
    assert_eq!((&versions.body[0]["version"], &versions.body[0]["is_deleted"]), (&json!(7), &json!(true)));
    assert!(versions.headers.contains_key("link"));
    assert_eq!(versions.body[0]["created_by"], "API key test");
    let path = format!("/api/intents/{intent}/versions/99?tenant_id=acme");
    server
        .get(&path)
        .await
        .problem(StatusCode::NOT_FOUND, &format!("Version 99 of intent {intent} not found"));
    server.get("/api/intents/999/versions?tenant_id=acme").await.is(StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn changes_at_the_same_time_come_one_after_the_other() {
    let server = TestServer::start_idle(&[]).await;
    server.tenant("acme").await;
    let (intent, _) = orders(&server, "a").await;
    let path = format!("/api/intents/{intent}?tenant_id=acme");
    let changes = (0..24).map(async |i| match i % 3 {
        0 => server.put(&path, &json!({"name": "Orders", "priority": i})).await.is(StatusCode::OK),
        _ => {
            let mut body = rule(&format!("{i}"));
            body["intent_id"] = intent.into();
            server.post("/api/validation-rules?tenant_id=acme", &body).await.is(StatusCode::CREATED)
        }
    });
    futures::future::join_all(changes).await;
    assert_eq!(newest(&server, intent).await, 25);
    let path = format!("/api/intents/{intent}/versions/25?tenant_id=acme");
    let last = server.get(&path).await.is(StatusCode::OK).body;
    assert_eq!(last["validation_rules"].as_array().unwrap().len(), 17);
}

#[tokio::test]
async fn a_message_is_run_again_with_the_versions_that_decided_it() {
    let server = TestServer::start().await;
    server.tenant("acme").await;
    let (intent, first) = orders(&server, "urgent").await;
    let before = server.decide("acme", message("a@x.example", "urgent order", "x")).await;
    assert_eq!((&before["decision"], &before["intent_version"]), (&json!("accepted"), &json!(1)));
    let id = before["email_id"].as_str().unwrap();
    // Since then: another rule, and an intent that comes first.
    let mut strict = rule("very urgent");
    strict["intent_id"] = intent.into();
    server.put(&format!("/api/validation-rules/{first}?tenant_id=acme"), &strict).await.is(StatusCode::OK);
    let again = async |body: Option<Value>, id: &str| {
        let path = format!("/api/emails/{id}/reprocess?tenant_id=acme");
        let request = server.request(reqwest::Method::POST, &path, Some(&server.key));
        let request = match body {
            Some(body) => request.json(&body),
            None => request,
        };
        assert_eq!(request.send().await.unwrap().status(), StatusCode::ACCEPTED);
        server.decided("acme", id).await
    };
    let replayed = again(Some(json!({"versions": "decision"})), id).await;
    assert_eq!((&replayed["decision"], &replayed["intent_version"]), (&json!("accepted"), &json!(1)));
    assert_eq!(replayed["verdicts"][0]["evidence"]["compared"]["expected"], "urgent");
    let today = again(None, id).await;
    assert_eq!((&today["decision"], &today["intent_version"]), (&json!("rejected"), &json!(2)));
    let replayed = again(Some(json!({"versions": "decision"})), id).await;
    assert_eq!((&replayed["decision"], &replayed["intent_version"]), (&json!("rejected"), &json!(2)));
    let body = json!({"name": "First", "priority": 1, "match": {"any": [{"field": "subject", "op": "contains", "value": "order"}]}});
    server.post("/api/intents?tenant_id=acme", &body).await.is(StatusCode::CREATED);
    let replayed = again(Some(json!({"versions": "decision"})), id).await;
    assert_eq!(replayed["intent"]["name"], "Orders", "the new intent was not there then");
    // Even an intent that is gone decides as it did.
    server.delete(&format!("/api/intents/{intent}?tenant_id=acme")).await.is(StatusCode::NO_CONTENT);
    let replayed = again(Some(json!({"versions": "decision"})), id).await;
    assert_eq!(replayed["intent"], json!({"intent_id": null, "name": "Orders"}));
    assert_eq!((&replayed["decision"], &replayed["intent_version"]), (&json!("rejected"), &json!(2)));
    let today = again(Some(json!({"versions": "today"})), id).await;
    assert_eq!((&today["intent"]["name"], &today["decision"]), (&json!("First"), &json!("accepted")));
}

#[tokio::test]
async fn what_was_never_decided_has_no_versions() {
    let server = TestServer::start_idle(&[]).await;
    server.tenant("acme").await;
    let id = server.receive("acme", message("a@x.example", "x", "x")).await;
    let path = format!("/api/emails/{id}/reprocess?tenant_id=acme");
    let refused = server.post(&path, &json!({"versions": "decision"})).await;
    refused.problem(StatusCode::BAD_REQUEST, "FlowEngine has not decided this message yet");
    for (body, field) in [(json!({"versions": "tomorrow"}), "versions"), (json!({"version": 1}), "version")] {
        let answer = server.post(&path, &body).await.is(StatusCode::UNPROCESSABLE_ENTITY);
        assert_eq!(answer.fields(), [field]);
    }
    let viewer = server.key_of("acme", Role::Viewer).await;
    let refused = server.request(reqwest::Method::POST, &path, Some(&viewer)).send().await.unwrap();
    assert_eq!(refused.status(), StatusCode::FORBIDDEN);
}

/// It may be changed or deleted since.
#[tokio::test]
async fn a_verdict_tells_what_its_rule_demanded_when_it_ran() {
    let server = TestServer::start().await;
    server.tenant("acme").await;
    let (intent, first) = orders(&server, "urgent").await;
    let then = "The subject must match urgent";
    let email = server.decide("acme", message("a@x.example", "urgent order", "x")).await;
    assert_eq!(email["verdicts"][0]["demand"], then);
    let id = email["email_id"].as_str().unwrap();
    let viewer = server.key_of("acme", Role::Viewer).await;
    let told = async || {
        let path = format!("/api/emails/{id}?tenant_id=acme");
        let answer = server.request(Method::GET, &path, Some(&viewer)).send().await.unwrap();
        Answer::of(answer).await.is(StatusCode::OK).body["verdicts"][0]["demand"].clone()
    };
    let run_again = async |versions: &str| {
        let path = format!("/api/emails/{id}/reprocess?tenant_id=acme");
        server.post(&path, &json!({"versions": versions})).await.is(StatusCode::ACCEPTED);
        server.decided("acme", id).await["verdicts"][0]["demand"].clone()
    };
    let path = format!("/api/validation-rules/{first}?tenant_id=acme");
    let mut strict = rule("very urgent");
    strict["intent_id"] = intent.into();
    server.put(&path, &strict).await.is(StatusCode::OK);
    assert_eq!(told().await, then, "it was run before the change");
    assert_eq!(run_again("decision").await, then);
    let now = "The subject must match very urgent";
    assert_eq!(run_again("today").await, now);
    server.delete(&path).await.is(StatusCode::NO_CONTENT);
    assert_eq!(told().await, now, "it outlives its rule");
    // A draft's.
    let dry = json!({"message": {"raw": "Subject: x\r\n\r\nx\r\n"}, "validation_rules": [rule("draft")]});
    let tried = server.post("/api/validation-rules/dry-run?tenant_id=acme", &dry).await.is(StatusCode::OK);
    assert_eq!(tried.body["verdicts"][0]["demand"], "The subject must match draft");
    // As servers of before left it.
    let mut conn = server.database().superuser().await;
    sqlx::raw_sql("UPDATE verdicts SET demand = DEFAULT").execute(&mut conn).await.unwrap();
    assert_eq!(told().await, "The subject must match a pattern", "what is known of it");
}

/// A rule of an earlier version whose datasource is gone cannot be asked: that is never a verdict.
#[tokio::test]
async fn a_datasource_that_is_gone_is_an_error_in_a_replay() {
    let server = TestServer::start_with(&[("JOB_MAX_ATTEMPTS", "1")]).await;
    server.tenant("acme").await;
    server.write_file("acme", "a.csv", b"email\na@x.example\n");
    let config = json!({"name": "csv", "protocol": "file", "driver_family": "csv", "connection_json": {"path": "a.csv"}});
    server.post("/api/datasource-configs?tenant_id=acme", &config).await.is(StatusCode::CREATED);
    let source = json!({"name": "Csv", "datasource_type": "file", "connection_key": "csv"});
    let source = server
        .post("/api/datasources?tenant_id=acme", &source)
        .await
        .is(StatusCode::CREATED)
        .id("datasource_id");
    let body = json!({
        "intent": {"name": "Orders", "match": {"all": [{"field": "subject", "op": "contains", "value": "order"}]}},
        "validation_rules": [{"field_name": "sender_email", "rule_type": "exists", "datasource_id": source, "conditions": {"match": {"email": "{{sender_email}}"}}},
            {"field_name": "sender_email", "rule_type": "not_exists", "datasource_id": source, "conditions": {"match": {"email": "x@y.example"}}},
            {"field_name": "sender_email", "rule_type": "equals", "datasource_id": source, "conditions": {"match": {"email": "{{sender_email}}"}, "expected": "a@x.example"}}]
    });
    server.post("/api/intents/with-rules?tenant_id=acme", &body).await.is(StatusCode::CREATED);
    let email = server.decide("acme", message("a@x.example", "order", "x")).await;
    assert_eq!(email["decision"], "accepted");
    server.delete(&format!("/api/datasources/{source}?tenant_id=acme")).await.is(StatusCode::NO_CONTENT);
    let id = email["email_id"].as_str().unwrap();
    let path = format!("/api/emails/{id}/reprocess?tenant_id=acme");
    server.post(&path, &json!({"versions": "decision"})).await.is(StatusCode::ACCEPTED);
    let email = server.decided("acme", id).await;
    assert_eq!(email["decision"], "review");
    let demands: Vec<&Value> =
        email["verdicts"].as_array().unwrap().iter().map(|verdict| &verdict["demand"]).collect();
    assert_eq!(
        demands,
        [
            "The sender email must be found in the datasource",
            "The sender email must not be found in the datasource",
            "What the datasource holds for the sender email must be “a@x.example”",
        ]
    );
    for verdict in email["verdicts"].as_array().unwrap() {
        assert_eq!(verdict["verdict"], "error", "{verdict}");
        assert!(verdict["reason"].as_str().unwrap().contains("its datasource is gone"), "{verdict}");
    }
}

/// The lock beneath it: an intent whose version is not kept cannot be committed.
#[tokio::test]
async fn an_intent_without_its_version_is_refused_by_the_database() {
    let server = TestServer::start_idle(&[]).await;
    let acme = server.tenant("acme").await;
    let (intent, _) = orders(&server, "x").await;
    for sql in [
        "INSERT INTO intents (tenant_id, name) VALUES ('acme', 'x')".to_owned(),
        format!("UPDATE intents SET version = version + 1 WHERE intent_id = {intent}"),
        format!("DELETE FROM intent_versions WHERE intent_id = {intent}"),
    ] {
        let mut tx = server.app.database.tenant(&acme).await.unwrap();
        sqlx::raw_sql(sqlx::AssertSqlSafe(sql.clone())).execute(tx.conn()).await.unwrap();
        assert!(tx.commit().await.is_err(), "{sql}");
    }
    server.delete(&format!("/api/intents/{intent}?tenant_id=acme")).await.is(StatusCode::NO_CONTENT);
    server.delete("/api/tenants/acme").await.is(StatusCode::NO_CONTENT);
}

/// What the editor saves: rules that keep their id stay, new ones come, those that are not named go.
#[tokio::test]
async fn an_intent_is_replaced_with_its_rules_as_one() {
    let server = TestServer::start_idle(&[]).await;
    server.tenant("acme").await;
    let (intent, first) = orders(&server, "order").await;
    let path = format!("/api/intents/{intent}/with-rules?tenant_id=acme");
    let etag = |answer: &Answer| answer.headers[header::ETAG].to_str().unwrap().to_owned();
    let read = etag(&server.get(&format!("/api/intents/{intent}?tenant_id=acme")).await.is(StatusCode::OK));
    let put = async |tag: &str, body: &Value| {
        let request = server.request(Method::PUT, &path, Some(&server.key)).header(header::IF_MATCH, tag);
        Answer::of(request.json(body).send().await.unwrap()).await
    };
    let mut kept = rule("parcel");
    kept["rule_id"] = first.into();
    kept["priority"] = 20.into();
    let mut new = rule("number (\\d+)");
    new["priority"] = 10.into();
    let body = json!({"intent": {"name": "Parcels"}, "validation_rules": [kept, new]});
    let answer = put(&read, &body).await.is(StatusCode::OK);
    let rules = answer.body["validation_rules"].as_array().unwrap();
    assert_eq!(rules.len(), 2);
    assert_eq!(rules[0]["priority"], 10, "by priority");
    assert_eq!((&rules[1]["rule_id"], &rules[1]["conditions"]["pattern"]), (&json!(first), &json!("parcel")));
    assert_eq!(answer.body["intent"]["name"], "Parcels");
    assert_eq!(newest(&server, intent).await, 2, "all of it is one version");

    let log = server.get("/api/audit-log?tenant_id=acme&action=intent.update").await.is(StatusCode::OK).body;
    assert_eq!(log.as_array().unwrap().len(), 1);
    assert_eq!(log[0]["before"]["validation_rules"][0]["conditions"]["pattern"], "order");
    assert_eq!(log[0]["after"]["validation_rules"].as_array().unwrap().len(), 2);

    put(&read, &body).await.is(StatusCode::PRECONDITION_FAILED);
    let second = etag(&answer);
    let only = json!({"intent": {"name": "Parcels"}, "validation_rules": [rules[1]]});
    let answer = put(&second, &only).await.is(StatusCode::OK);
    assert_eq!(answer.body["validation_rules"], json!([rules[1]]), "what is the same stays untouched");

    let (other, foreign) = {
        let body = json!({"intent": {"name": "Other"}, "validation_rules": [rule("x")]});
        let made = server.post("/api/intents/with-rules?tenant_id=acme", &body).await.is(StatusCode::CREATED);
        (made.body["intent"]["intent_id"].clone(), made.body["validation_rules"][0]["rule_id"].clone())
    };
    let mut theirs = rule("x");
    theirs["rule_id"] = foreign;
    let mut misplaced = rule("x");
    misplaced["intent_id"] = other;
    for (rules, field) in [
        (json!([theirs]), "validation_rules[0].rule_id"),
        (json!([rules[1], rules[1]]), "validation_rules[1].rule_id"),
        (json!([misplaced]), "validation_rules[0].intent_id"),
        (json!([rules[1], rule("(")]), "validation_rules[1].conditions.pattern"),
    ] {
        let body = json!({"intent": {"name": "Parcels"}, "validation_rules": rules});
        let refused = server.put(&path, &body).await.is(StatusCode::UNPROCESSABLE_ENTITY);
        assert_eq!(refused.body["errors"][0]["field"], field);
    }
    let other = json!({"intent": {"name": "Other"}, "validation_rules": []});
    server.put(&path, &other).await.is(StatusCode::CONFLICT);
    assert_eq!(newest(&server, intent).await, 3, "what was refused changed nothing");
}
