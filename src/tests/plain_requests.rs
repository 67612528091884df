//! Requests as plain programs write them: `True` of Python, a `null` for what is left out, a web form's message as its parts.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use super::support::{Answer, TestServer, message};
use crate::server::openapi;

async fn send(server: &TestServer, path: &str, kind: &str, body: impl Into<reqwest::Body>) -> Answer {
    let request = server.request(Method::POST, &format!("{path}?tenant_id=acme"), Some(&server.key));
    Answer::of(request.header("content-type", kind).body(body).send().await.unwrap()).await
}

async fn receive(server: &TestServer, body: &Value) -> Answer {
    send(server, "/api/emails", "application/json", body.to_string()).await
}

#[tokio::test]
async fn a_flag_may_be_written_in_capitals() {
    let server = TestServer::start_idle(&[]).await;
    server.tenant("acme").await;
    for (name, is_active) in [("On", true), ("Off", false)] {
        let body = json!({"name": name, "is_active": is_active});
        server.post("/api/intents?tenant_id=acme", &body).await.is(StatusCode::CREATED);
    }
    for (text, count) in
        [("True", 1), ("TRUE", 1), ("true", 1), ("1", 1), ("False", 2), ("false", 2), ("0", 2)]
    {
        let listed = server.get(&format!("/api/intents?tenant_id=acme&active_only={text}")).await;
        assert_eq!(listed.is(StatusCode::OK).body.as_array().unwrap().len(), count, "{text}");
    }
    let refused = server.get("/api/intents?tenant_id=acme&active_only=yes").await;
    assert_eq!(refused.is(StatusCode::UNPROCESSABLE_ENTITY).fields(), ["active_only"]);
}

#[tokio::test]
async fn null_is_as_if_a_member_were_left_out() {
    let server = TestServer::start_idle(&[]).await;
    server.tenant("acme").await;
    let tenant = json!({"tenant_id": "globex", "name": "Globex", "is_active": null});
    let tenant = server.post("/api/tenants", &tenant).await.is(StatusCode::CREATED).body;
    assert_eq!(tenant["is_active"], true);
    let make = async |collection: &str, body: Value| {
        server.post(&format!("/api/{collection}?tenant_id=acme"), &body).await.is(StatusCode::CREATED).body
    };

    let nothing = json!({"name": "A", "description": null, "is_active": null, "priority": null, "match": null,
        "extractors": null, "tenant_id": null, "examples_count": null});
    let intent = make("intents", nothing.clone()).await;
    let defaults = |intent: &Value| {
        assert_eq!((&intent["description"], &intent["is_active"]), (&json!(""), &json!(true)), "{intent}");
        assert_eq!((&intent["priority"], &intent["extractors"]), (&json!(100), &json!([])), "{intent}");
        assert_eq!(intent["match"], json!({"any": [], "all": [], "none": []}), "{intent}");
    };
    defaults(&intent);
    let some = json!({
        "name": "B", "description": "b", "is_active": false, "priority": 1,
        "match": {"any": [{"field": "subject", "op": "contains", "value": "b"}], "all": null, "none": null},
        "extractors": [{"name": "n", "field": "subject", "pattern": "(b)", "type": null, "unique": null}],
    });
    let other = make("intents", some).await;
    assert_eq!(other["match"]["all"], json!([]));
    assert_eq!(other["extractors"][0]["type"], "text");
    // PUT replaces: what is null is no longer as it was.
    let path = format!("/api/intents/{}?tenant_id=acme", other["intent_id"]);
    let mut replaced = nothing.clone();
    replaced["name"] = "B".into();
    defaults(&server.put(&path, &replaced).await.is(StatusCode::OK).body);
    let mut with_rules = nothing;
    with_rules["name"] = "C".into();
    let made = make("intents/with-rules", json!({"intent": with_rules, "validation_rules": null})).await;
    defaults(&made["intent"]);
    assert_eq!(made["validation_rules"], json!([]));

    let source = json!({"name": "S", "datasource_type": "api", "connection_key": "c", "description": null,
        "is_active": null, "tenant_id": null});
    let source = make("datasources", source).await;
    assert_eq!((&source["description"], &source["is_active"]), (&json!(""), &json!(true)));
    let config = json!({"name": "c", "protocol": "http", "driver_family": null, "base_url": "http://c.example",
        "auth_type": null, "auth_config": null, "connection_json": null, "tenant_id": null});
    let config = make("datasource-configs", config).await;
    assert_eq!((&config["driver_family"], &config["auth_type"]), (&json!(""), &json!("none")));
    assert_eq!((&config["auth_config"], &config["connection_json"]), (&json!({}), &json!({})));
    server.write_file("acme", "a.csv", b"a\n1\n");
    let file = json!({"name": "f", "protocol": "file", "base_url": null, "auth_type": "none", "auth_config": null,
        "connection_json": {"path": "a.csv"}});
    assert_eq!(make("datasource-configs", file).await["base_url"], Value::Null);

    // What may not be left out may not be null.
    for (collection, body, field) in [
        ("intents", json!({"name": null}), "name"),
        (
            "intents",
            json!({"name": "D", "match": {"any": [{"field": "subject", "op": null, "value": "x"}]}}),
            "match.any[0].op",
        ),
        (
            "datasources",
            json!({"name": "D", "datasource_type": null, "connection_key": "c"}),
            "datasource_type",
        ),
        ("datasource-configs", json!({"name": "d", "protocol": null}), "protocol"),
    ] {
        let refused = server.post(&format!("/api/{collection}?tenant_id=acme"), &body).await;
        assert_eq!(refused.is(StatusCode::UNPROCESSABLE_ENTITY).fields(), [field], "{body}");
    }
}

#[test]
fn the_document_says_where_null_may_stand() {
    let document = openapi::document();
    for name in [
        "TenantInput",
        "IntentInput",
        "IntentWithRulesInput",
        "MatchConditions",
        "Extractor",
        "DatasourceInput",
        "DatasourceConfigInput",
        "RuleInput",
    ] {
        let schema = &document["components"]["schemas"][name];
        let required = schema["required"].as_array().map(Vec::as_slice).unwrap_or_default();
        for (member, taken) in schema["properties"].as_object().unwrap() {
            let has_form = ["type", "oneOf", "$ref"].iter().any(|key| taken.get(*key).is_some());
            let may_be_null = !has_form || taken.to_string().contains("\"null\"");
            assert_eq!(may_be_null, !required.contains(&json!(member)), "{name}.{member}: {taken}");
        }
    }
}

#[tokio::test]
async fn a_message_may_come_as_its_parts() {
    let server = TestServer::start_idle(&[]).await;
    server.tenant("acme").await;
    let form = json!({
        "sender_email": "ann@example.com",
        "sender_name": "Åsa \"Ann\" Öberg, Lager",
        "recipient_email": "shop@acme.example",
        "reply_to": "office@example.com",
        "subject": "Bestellung № 1042 – Grüße 🙂",
        "body": "Straße 1\nBcc: nobody@evil.example\r\n\r\nGrüße\r.",
        "message_id": "form-1042@shop.example",
    });
    let taken = receive(&server, &form).await.is(StatusCode::ACCEPTED);
    let id = taken.body["email_id"].as_str().unwrap();
    assert_eq!(taken.body, json!({"email_id": id, "status": "queued", "duplicate": false}));
    let email = server.get(taken.headers["location"].to_str().unwrap()).await.is(StatusCode::OK).body;
    for name in ["sender_email", "sender_name", "recipient_email", "subject", "message_id"] {
        assert_eq!(email[name], form[name], "{email:#}");
    }
    assert_eq!(email["fields"]["reply_to"], "office@example.com");
    let body = email["fields"]["body"].as_str().unwrap();
    assert_eq!(body.lines().collect::<Vec<_>>(), ["Straße 1", "Bcc: nobody@evil.example", "", "Grüße", "."]);
    assert_eq!(email["parse_error"], Value::Null);
    let raw = server.get(&format!("/api/emails/{id}/raw?tenant_id=acme")).await.is(StatusCode::OK).text;
    let (head, _) = raw.split_once("\r\n\r\n").unwrap();
    assert!(head.contains("\r\nMessage-ID: <form-1042@shop.example>"), "{head}");
    assert!(head.is_ascii() && !head.contains("Bcc") && !head.contains("\r\nDate:"), "{head}");

    // The same again is taken once, with the brackets that its id has in a message too.
    let mut again = form.clone();
    again["message_id"] = "<form-1042@shop.example>".into();
    for same in [form, again] {
        let answer = receive(&server, &same).await.is(StatusCode::ACCEPTED).body;
        assert_eq!((&answer["email_id"], &answer["duplicate"]), (&json!(id), &json!(true)));
    }
    // A form sends what nobody filled in as an empty text, and a program as null.
    let few = json!({"sender_email": "ann@example.com", "sender_name": "", "recipient_email": null, "subject": " ",
        "body": "Hello", "message_id": "", "raw": null});
    let taken = receive(&server, &few).await.is(StatusCode::ACCEPTED).body;
    assert_eq!(taken["duplicate"], false);
    // It is a message of now: the same words are no repeat another day.
    let id = taken["email_id"].as_str().unwrap();
    let raw = server.get(&format!("/api/emails/{id}/raw?tenant_id=acme")).await.is(StatusCode::OK).text;
    assert!(raw.contains("\r\nDate: ") && !raw.contains("Message-ID"), "{raw}");
}

#[tokio::test]
async fn parts_that_are_no_message_are_refused_by_field() {
    let server = TestServer::start_idle(&[("MAX_MESSAGE_BYTES", "1000")]).await;
    server.tenant("acme").await;
    let line = "x\r\nBcc: nobody@evil.example";
    for (change, field) in [
        (json!({"sender_email": null}), "sender_email"),
        (json!({"sender_email": ""}), "sender_email"),
        (json!({"sender_email": "nobody"}), "sender_email"),
        (json!({"sender_email": "ann@example.com\r\nBcc: nobody@evil.example"}), "sender_email"),
        (json!({"sender_name": line}), "sender_name"),
        (json!({"recipient_email": "a@example.com, b@example.com"}), "recipient_email"),
        (json!({"reply_to": line}), "reply_to"),
        (json!({"subject": line}), "subject"),
        (json!({"subject": "x".repeat(2_001)}), "subject"),
        (json!({"message_id": line}), "message_id"),
        (json!({"message_id": "1 2"}), "message_id"),
        (json!({"message_id": "x".repeat(251)}), "message_id"),
        (json!({"body": 1}), "body"),
        (json!({"raw": "Subject: x\r\n\r\n"}), "raw"),
        (json!({"raw_base64": "eA=="}), "raw"),
        (json!({"received_at": "2026-11-30T00:00:00Z"}), "received_at"),
    ] {
        let mut form = json!({"sender_email": "ann@example.com", "subject": "x", "body": "y"});
        form.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        let refused = receive(&server, &form).await.is(StatusCode::UNPROCESSABLE_ENTITY);
        assert_eq!(refused.fields(), [field], "{change}");
    }
    let large = json!({"sender_email": "ann@example.com", "body": "x ".repeat(500)});
    receive(&server, &large).await.is(StatusCode::PAYLOAD_TOO_LARGE);
    assert_eq!(server.get("/api/emails?tenant_id=acme").await.body, json!([]));
}

#[tokio::test]
async fn a_dry_run_takes_what_the_intake_takes() {
    let server = TestServer::start().await;
    server.tenant("acme").await;
    let intent = json!({"name": "Orders", "match": {"any": [{"field": "subject", "op": "contains", "value": "order"}]}});
    server.post("/api/intents?tenant_id=acme", &intent).await.is(StatusCode::CREATED);
    let run = async |kind: &str, body: String| send(&server, "/api/emails/dry-run", kind, body).await;
    let raw = message("ann@example.com", "order 1042", "Hello");
    for (kind, body) in [
        ("message/rfc822", raw.clone()),
        ("application/json", json!({"raw": raw}).to_string()),
        ("application/json", json!({"raw_base64": "U3ViamVjdDogb3JkZXIgMTA0Mg0KDQp4"}).to_string()),
        ("application/json", json!({"sender_email": "ann@example.com", "subject": "order 1042"}).to_string()),
        ("application/json", json!({"message": {"raw": raw}, "requested": null}).to_string()),
    ] {
        let done = run(kind, body.clone()).await.is(StatusCode::OK).body;
        assert_eq!(
            (&done["intent"]["name"], &done["fields"]["subject"]),
            (&json!("Orders"), &json!("order 1042")),
            "{body}"
        );
    }
    for (body, field) in [
        (json!({}), "message"),
        (json!({"subject": "order 1042"}), "sender_email"),
        (json!({"raw": raw, "intent_id": 1}), "raw"),
        (json!({"raw": ""}), "message"),
    ] {
        let refused = run("application/json", body.to_string()).await.is(StatusCode::UNPROCESSABLE_ENTITY);
        assert_eq!(refused.fields(), [field], "{body}");
    }
    run("text/plain", raw).await.is(StatusCode::UNSUPPORTED_MEDIA_TYPE);
    assert_eq!(server.get("/api/emails?tenant_id=acme").await.body, json!([]));
}
