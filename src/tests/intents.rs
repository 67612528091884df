//! Intents: how many and how large they may be, whose turn their patterns are, and what goes with one that is deleted.

use reqwest::{
    Method, StatusCode,
    header::{self, HeaderValue},
};
use serde_json::{Value, json};
use sqlx::Connection;
use tokio_util::sync::CancellationToken;

use super::{
    deliveries::route,
    support::{Answer, TestServer, eventually, message},
};
use crate::{
    auth::dto::Role,
    emails::server::worker,
    server::aside::{self, Turn},
};

#[tokio::test]
async fn an_intents_routes_go_with_it_and_what_is_under_way_for_them_is_called_off() {
    let server = TestServer::start_idle(&[]).await;
    server.tenant("acme").await;
    let body = json!({"name": "Orders", "match": {"all": [{"field": "subject", "op": "contains", "value": "order"}]}});
    let made = server.post("/api/intents?tenant_id=acme", &body).await.is(StatusCode::CREATED);
    let intent = made.id("intent_id");
    let hook = |name: &str, intent: Value| {
        json!({"name": name, "intent_id": intent, "kind": "webhook", "decisions": ["accepted"],
            "settings": {"url": "http://127.0.0.1:9/", "headers": {"authorization": "s3cret-value"}}})
    };
    let bound = [
        route(&server, hook("first", intent.into())).await,
        route(&server, hook("second", intent.into())).await,
    ];
    let general = route(&server, hook("general", Value::Null)).await;
    // Decided, with nobody there to send.
    let stop = CancellationToken::new();
    let workers = tokio::spawn(worker::work(server.app.clone(), stop.clone()));
    let email = server.decide("acme", message("zoe@x.example", "order 7", "x")).await;
    stop.cancel();
    workers.await.unwrap();
    let id = email["email_id"].as_str().unwrap();
    let deliveries = async || {
        let email = server.get(&format!("/api/emails/{id}?tenant_id=acme")).await.is(StatusCode::OK).body;
        let told = |delivery: &Value| {
            let text = |name: &str| delivery[name].as_str().unwrap_or_default().to_owned();
            [text("route_name"), text("status"), text("note")]
        };
        let mut told: Vec<[String; 3]> = email["deliveries"].as_array().unwrap().iter().map(told).collect();
        told.sort();
        told
    };
    let before = deliveries().await;
    assert!(before.len() == 3 && before.iter().all(|[_, status, _]| status == "pending"), "{before:?}");

    // Messages are neither rewritten nor waited for: an intent may have had any number of them.
    let mut conn = server.database().superuser().await;
    let mut busy = conn.begin().await.unwrap();
    sqlx::query("SELECT FROM emails FOR NO KEY UPDATE").execute(&mut *busy).await.unwrap();
    let path = format!("/api/intents/{intent}?tenant_id=acme");
    server.delete(&path).await.is(StatusCode::NO_CONTENT);
    let at = |route: &Value| format!("/api/routes/{}?tenant_id=acme", route["route_id"]);
    for route in &bound {
        server.get(&at(route)).await.is(StatusCode::NOT_FOUND);
    }
    server.get(&at(&general)).await.is(StatusCode::OK);
    assert_eq!(
        deliveries().await,
        [
            ["first", "cancelled", "The route was deleted"],
            ["general", "pending", ""],
            ["second", "cancelled", "The route was deleted"],
        ]
    );
    busy.rollback().await.unwrap();
    let jobs: i64 = sqlx::query_scalar("SELECT count(*) FROM jobs").fetch_one(&mut conn).await.unwrap();
    assert_eq!(jobs, 1, "that of the general route");
    // A message tells what it was, and names no id that leads nowhere, here as little as in lists and counts.
    let kept = json!({"intent_id": null, "name": "Orders"});
    let email = server.get(&format!("/api/emails/{id}?tenant_id=acme")).await.is(StatusCode::OK).body;
    assert_eq!(email["intent"], kept);
    for query in ["", "&q=order"] {
        let listed = server.get(&format!("/api/emails?tenant_id=acme{query}")).await.is(StatusCode::OK).body;
        assert_eq!(listed[0]["intent"], kept, "{query}");
    }
    let listed =
        server.get(&format!("/api/emails?tenant_id=acme&intent_id={intent}")).await.is(StatusCode::OK);
    assert_eq!(listed.body, json!([]));
    let request = server.request(Method::POST, "/ui/dashboard", Some(&server.key));
    let request = request.header("content-type", "application/x-www-form-urlencoded");
    let counted = Answer::of(request.body("tenant_id=acme&period=week").send().await.unwrap()).await;
    let shares = &counted.is(StatusCode::OK).body["intents"];
    assert_eq!(*shares, json!([{"intent_id": null, "name": "Orders", "messages": 1, "rejected": 0}]));
    let again = server.post("/api/intents?tenant_id=acme", &body).await.is(StatusCode::CREATED);
    let email = server.get(&format!("/api/emails/{id}?tenant_id=acme")).await.is(StatusCode::OK).body;
    assert_eq!(email["intent"], kept, "one of the same name is another: {}", again.text);
    // One entry tells of it all, and of no secret.
    let log = server.get("/api/audit-log?tenant_id=acme&action=intent.delete").await.is(StatusCode::OK);
    let gone = &log.body[0]["before"];
    assert_eq!((log.body.as_array().unwrap().len(), &gone["intent"]["name"]), (1, &json!("Orders")));
    let names: Vec<&Value> = gone["routes"].as_array().unwrap().iter().map(|route| &route["name"]).collect();
    assert_eq!(names, ["first", "second"]);
    assert!(!log.text.contains("s3cret-value"), "{}", log.text);
}

/// An intent with a pattern.
fn with_pattern(name: &str) -> Value {
    json!({"name": name, "match": {"any": [{"field": "subject", "op": "regex", "value": "order \\d+"}]}})
}

#[tokio::test]
async fn whoever_waits_for_the_check_of_patterns_keeps_nobody_waiting() {
    let server = TestServer::start_idle(&[]).await;
    let tenant = server.tenant("patterns_saved").await;
    server.tenant("patterns_beside").await;
    let at = |path: &str| format!("{path}?tenant_id={tenant}");
    let [kept, gone] = ["Kept", "Gone"].map(|name| json!({"name": name}));
    let kept = server.post(&at("/api/intents"), &kept).await.is(StatusCode::CREATED).id("intent_id");
    let gone = server.post(&at("/api/intents"), &gone).await.is(StatusCode::CREATED).id("intent_id");
    let turn = aside::turn_of(&tenant, Turn::Save).await;
    let draft =
        json!({"intent": with_pattern("Draft"), "message": {"raw": message("a@x.example", "order 7", "x")}});
    let waiting = [
        (Method::POST, "/api/intents".to_owned(), with_pattern("Made")),
        (Method::PUT, format!("/api/intents/{kept}"), with_pattern("Kept")),
        (Method::POST, "/api/intents/with-rules".to_owned(), json!({"intent": with_pattern("With rules")})),
        (
            Method::POST,
            "/api/import".to_owned(),
            json!({"version": 1, "intents": [with_pattern("Imported")]}),
        ),
        (Method::POST, "/api/emails/dry-run".to_owned(), draft),
    ]
    .map(|(method, path, body)| {
        let request = server.request(method, &at(&path), Some(&server.key)).json(&body);
        tokio::spawn(async move { Answer::of(request.send().await.unwrap()).await })
    });
    // Others save, and so does the tenant what has no pattern to check.
    let beside = "/api/intents?tenant_id=patterns_beside";
    server.post(beside, &with_pattern("Theirs")).await.is(StatusCode::CREATED);
    server.delete(&at(&format!("/api/intents/{gone}"))).await.is(StatusCode::NO_CONTENT);
    server.get(&at("/api/intents")).await.is(StatusCode::OK);
    assert!(waiting.iter().all(|call| !call.is_finished()), "each waits for the tenant's turn");
    drop(turn);
    for call in waiting {
        let answer = call.await.unwrap();
        assert!(answer.status.is_success(), "{}", answer.text);
    }
}

#[tokio::test]
async fn a_tenants_patterns_are_tried_in_its_own_turn() {
    let server = TestServer::start().await;
    let tenant = server.tenant("patterns_run").await;
    server.tenant("patterns_beside").await;
    // A rule takes the turn after its intent.
    let rule = json!({"field_name": "subject", "rule_type": "regex", "conditions": {"pattern": "order"}});
    let body = json!({"intent": with_pattern("Orders"), "validation_rules": [rule]});
    for id in ["patterns_run", "patterns_beside"] {
        server.post(&format!("/api/intents/with-rules?tenant_id={id}"), &body).await.is(StatusCode::CREATED);
    }
    let turn = aside::turn_of(&tenant, Turn::Run).await;
    let id = server.receive("patterns_run", message("a@x.example", "order 7", "x")).await;
    let path = format!("/api/emails/{id}?tenant_id=patterns_run");
    let status = async || server.get(&path).await.is(StatusCode::OK).body["status"].clone();
    eventually("it is taken up", async || (status().await == "processing").then_some(())).await;
    let beside = server.decide("patterns_beside", message("a@x.example", "order 7", "x")).await;
    assert_eq!(beside["decision"], "accepted");
    assert_eq!(status().await, "processing", "it waits for the tenant's turn");
    drop(turn);
    assert_eq!(server.decided("patterns_run", &id).await["decision"], "accepted");
}

#[tokio::test]
async fn what_every_message_is_held_against_is_bounded() {
    let server = TestServer::start_idle(&[]).await;
    server.tenant("acme").await;
    let condition = json!({"field": "subject", "op": "contains", "value": "x".repeat(2_000)});
    let large = json!({"name": "Large", "match": {"any": vec![condition; 33]}});
    for (path, body, field) in [
        ("/api/intents", large.clone(), "match"),
        ("/api/intents/with-rules", json!({"intent": large}), "intent.match"),
        ("/api/import", json!({"version": 1, "intents": [large]}), "intents[0].match"),
    ] {
        let refused = server.post(&format!("{path}?tenant_id=acme"), &body).await;
        assert_eq!(refused.is(StatusCode::UNPROCESSABLE_ENTITY).fields(), [field], "{path}");
    }

    let mut conn = server.database().superuser().await;
    // Without their versions, which are of no account here.
    sqlx::raw_sql(
        "SET session_replication_role = replica; \
         INSERT INTO intents (tenant_id, name) SELECT 'acme', n::text FROM generate_series(1, 999) n; \
         RESET session_replication_role",
    )
    .execute(&mut conn)
    .await
    .unwrap();
    let last = json!({"name": "The last"});
    let last = server.post("/api/intents?tenant_id=acme", &last).await.is(StatusCode::CREATED);
    let more = json!({"name": "One more"});
    let import = json!({"version": 1, "intents": [more]});
    for (path, body) in [
        ("/api/intents", more.clone()),
        ("/api/intents/with-rules", json!({"intent": more})),
        ("/api/import", import.clone()),
    ] {
        let refused = server.post(&format!("{path}?tenant_id=acme"), &body).await;
        let detail = "A tenant can have at most 1000 intents. Delete some first";
        refused.problem(StatusCode::BAD_REQUEST, detail);
    }
    let path = format!("/api/intents/{}?tenant_id=acme", last.id("intent_id"));
    server.put(&path, &json!({"name": "The last of them"})).await.is(StatusCode::OK);
    // In the place of those that go with it.
    let replaced = server.post("/api/import?tenant_id=acme&delete=true", &import).await.is(StatusCode::OK);
    assert_eq!(replaced.body["summary"]["delete"], 1_000);
    let count: i64 = sqlx::query_scalar("SELECT count(*) FROM intents").fetch_one(&mut conn).await.unwrap();
    assert_eq!(count, 1);
}

#[tokio::test]
async fn what_all_intents_hold_together_is_bounded_and_what_was_more_may_shrink() {
    let server = TestServer::start_idle(&[]).await;
    server.tenant("acme").await;
    let mut conn = server.database().superuser().await;
    // Without their versions, as there.
    sqlx::raw_sql(
        "SET session_replication_role = replica; \
         INSERT INTO intents (tenant_id, name, match) SELECT 'acme', 'Large ' || n, jsonb_build_object( \
           'any', (SELECT jsonb_agg(jsonb_build_object( \
             'field', 'subject', 'op', 'contains', 'value', repeat('x', 1900))) FROM generate_series(1, 33)), \
           'all', '[]'::jsonb, 'none', '[]'::jsonb) FROM generate_series(1, 70) n; \
         RESET session_replication_role",
    )
    .execute(&mut conn)
    .await
    .unwrap();
    let one: i64 =
        sqlx::query_scalar("SELECT min(intent_id) FROM intents").fetch_one(&mut conn).await.unwrap();
    let intent = |name: &str, conditions: usize, length: usize| {
        let condition = json!({"field": "subject", "op": "contains", "value": "x".repeat(length)});
        json!({"name": name, "match": {"any": vec![condition; conditions]}})
    };
    let refused = |answer: Answer| {
        let answer = answer.is(StatusCode::BAD_REQUEST);
        let detail = answer.body["detail"].as_str().unwrap();
        let begins = "The match conditions and extractors of a tenant's intents can have at most 4194304 bytes \
                      together, and would have 4";
        assert!(detail.starts_with(begins), "{detail}");
    };
    let more = intent("More", 1, 1);
    for (path, body) in [
        ("/api/intents", more.clone()),
        ("/api/intents/with-rules", json!({"intent": more})),
        ("/api/import", json!({"version": 1, "intents": [more]})),
    ] {
        refused(server.post(&format!("{path}?tenant_id=acme"), &body).await);
    }
    for (length, is_taken) in [(1_900, true), (1_910, false), (1_890, true)] {
        let body = intent("Renamed", 33, length);
        let alone = server.put(&format!("/api/intents/{one}?tenant_id=acme"), &body).await;
        let path = format!("/api/intents/{one}/with-rules?tenant_id=acme");
        let with_rules = server.put(&path, &json!({"intent": body, "validation_rules": []})).await;
        let import = json!({"version": 1, "intents": [body]});
        let imported = server.post("/api/import?tenant_id=acme", &import).await;
        for answer in [alone, with_rules, imported] {
            if is_taken {
                answer.is(StatusCode::OK);
            } else {
                refused(answer);
            }
        }
    }
}

#[tokio::test]
async fn whoever_waits_to_try_a_message_holds_no_intents() {
    let server = TestServer::start_idle(&[]).await;
    let tenant = server.tenant("messages_tried").await;
    server.tenant("tried_beside").await;
    let at = |path: &str, tenant: &str| format!("{path}?tenant_id={tenant}");
    let mut made = Vec::new();
    for id in ["messages_tried", "tried_beside"] {
        let answer = server.post(&at("/api/intents", id), &with_pattern("Orders")).await;
        made.push(answer.is(StatusCode::CREATED).id("intent_id"));
    }
    let turns = (aside::turn_of(&tenant, Turn::Try).await, aside::turn_of(&tenant, Turn::Try).await);
    let body = json!({"message": {"raw": message("a@x.example", "order 7", "x")}});
    let path = at("/api/emails/dry-run", "messages_tried");
    let request = server.request(Method::POST, &path, Some(&server.key)).json(&body);
    let waiting = tokio::spawn(async move { Answer::of(request.send().await.unwrap()).await });
    eventually("it is under way", async || (server.app.in_flight.count() == 1).then_some(())).await;
    let beside = server.post(&at("/api/emails/dry-run", "tried_beside"), &body).await.is(StatusCode::OK);
    assert_eq!(beside.body["intent"]["name"], "Orders");
    // Of what is changed now, it sees what it is then.
    let path = at(&format!("/api/intents/{}", made[0]), "messages_tried");
    server.put(&path, &with_pattern("Enquiries")).await.is(StatusCode::OK);
    assert!(!waiting.is_finished(), "it waits for the tenant's turn");
    drop(turns);
    let tried = waiting.await.unwrap().is(StatusCode::OK);
    assert_eq!(tried.body["intent"]["name"], "Enquiries");
}

#[tokio::test]
async fn a_version_tells_how_many_examples_there_are_today() {
    let server = TestServer::start_idle(&[]).await;
    server.tenant("acme").await;
    let made = server.post("/api/intents?tenant_id=acme", &json!({"name": "Orders"})).await;
    let intent = made.is(StatusCode::CREATED).id("intent_id");
    let path = format!("/api/intents/{intent}/examples?tenant_id=acme");
    server.post(&path, &json!({"text": "Where is my order?"})).await.is(StatusCode::CREATED);
    let path = format!("/api/intents/{intent}/versions/1?tenant_id=acme");
    let version = server.get(&path).await.is(StatusCode::OK).body;
    assert_eq!((&version["version"], &version["intent"]["examples_count"]), (&json!(1), &json!(1)));
}

#[tokio::test]
async fn what_was_renamed_is_counted_once() {
    let server = TestServer::start().await;
    server.tenant("acme").await;
    server.write_file("acme", "c.csv", b"email\nann@x.example\n");
    let config = json!({"name": "csv", "protocol": "file", "driver_family": "csv", "connection_json": {"path": "c.csv"}});
    server.post("/api/datasource-configs?tenant_id=acme", &config).await.is(StatusCode::CREATED);
    let source = |name: &str| json!({"name": name, "datasource_type": "file", "connection_key": "csv"});
    let made = server.post("/api/datasources?tenant_id=acme", &source("Customers")).await;
    let source_id = made.is(StatusCode::CREATED).id("datasource_id");
    let intent = |name: &str| json!({"name": name, "match": {"all": [{"field": "subject", "op": "contains", "value": "order"}]}});
    let rule = json!({
        "field_name": "sender_email", "rule_type": "exists", "datasource_id": source_id,
        "conditions": {"match": {"email": "{{sender_email}}"}}
    });
    let body = json!({"intent": intent("Orders"), "validation_rules": [rule]});
    let made =
        server.post("/api/intents/with-rules?tenant_id=acme", &body).await.is(StatusCode::CREATED).body;
    let (intent_id, rule_id) = (&made["intent"]["intent_id"], &made["validation_rules"][0]["rule_id"]);

    let first = server.decide("acme", message("bob@x.example", "order 1", "x")).await;
    assert_eq!(first["decision"], "rejected");
    let path = format!("/api/intents/{intent_id}?tenant_id=acme");
    server.put(&path, &intent("Enquiries")).await.is(StatusCode::OK);
    let path = format!("/api/datasources/{source_id}?tenant_id=acme");
    server.put(&path, &source("Clients")).await.is(StatusCode::OK);
    let second = server.decide("acme", message("bob@x.example", "order 2", "x")).await;
    assert_eq!(second["intent"]["name"], "Enquiries");

    let request = server.request(Method::POST, "/ui/dashboard", Some(&server.key));
    let request = request.header("content-type", "application/x-www-form-urlencoded");
    let counted = Answer::of(request.body("tenant_id=acme&period=week").send().await.unwrap()).await;
    let counted = counted.is(StatusCode::OK).body;
    let busiest = json!([{"intent_id": intent_id, "name": "Enquiries", "messages": 2, "rejected": 2}]);
    assert_eq!(counted["intents"], busiest);
    let failing = json!([{
        "rule_id": rule_id, "demand": "The sender email must be found in Clients",
        "intent_id": intent_id, "intent": "Enquiries",
        "asked": 2, "failed": 2, "errors": 0
    }]);
    assert_eq!(counted["rules"], failing);
}

/// Rules are listed in pages: whoever put a page of them back would lose the others.
#[tokio::test]
async fn all_rules_of_an_intent_are_read_as_they_are_replaced_and_none_goes_unsaid() {
    let server = TestServer::start_idle(&[]).await;
    server.tenant("acme").await;
    let rule = |i: usize| {
        json!({"field_name": "subject", "rule_type": "regex", "conditions": {"pattern": format!("{i}")},
            "priority": 200 - i})
    };
    let body =
        json!({"intent": {"name": "Orders"}, "validation_rules": (0..200).map(rule).collect::<Vec<_>>()});
    let made =
        server.post("/api/intents/with-rules?tenant_id=acme", &body).await.is(StatusCode::CREATED).body;
    let id = &made["intent"]["intent_id"];
    let path = format!("/api/intents/{id}/with-rules?tenant_id=acme");
    let viewer = server.key_of("acme", Role::Viewer).await;
    let read = server.request(Method::GET, &path, Some(&viewer)).send().await.unwrap();
    let read = Answer::of(read).await.is(StatusCode::OK);
    assert_eq!(read.body, made);
    let rules = read.body["validation_rules"].as_array().unwrap();
    assert_eq!(rules.len(), 200);
    assert!(rules.is_sorted_by_key(|rule| rule["priority"].as_i64()), "by priority");
    let intent = server.get(&format!("/api/intents/{id}?tenant_id=acme")).await.is(StatusCode::OK);
    assert_eq!(
        (&read.body["intent"], &read.headers[header::ETAG]),
        (&intent.body, &intent.headers[header::ETAG])
    );

    let put = async |tag: &HeaderValue, body: &Value| {
        let request = server.request(Method::PUT, &path, Some(&server.key)).json(body);
        Answer::of(request.header(header::IF_MATCH, tag.clone()).send().await.unwrap()).await
    };
    let count = async || {
        let answer = server.get(&path).await.is(StatusCode::OK);
        answer.body["validation_rules"].as_array().unwrap().len()
    };
    let tag = &read.headers[header::ETAG];
    assert_eq!(put(tag, &read.body).await.is(StatusCode::OK).body, made, "put back, all are as they were");
    let mut unsaid = read.body.clone();
    unsaid.as_object_mut().unwrap().remove("validation_rules");
    let refused = put(tag, &unsaid).await.is(StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(refused.fields(), ["validation_rules"]);
    unsaid["validation_rules"] = Value::Null;
    let refused = put(tag, &unsaid).await.is(StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(refused.fields(), ["validation_rules"]);
    assert_eq!(count().await, 200);
    let mut changed = read.body.clone();
    changed["validation_rules"][0]["priority"] = json!(500);
    let done = put(tag, &changed).await.is(StatusCode::OK);
    assert_eq!((count().await, &done.body["intent"]["version"]), (200, &json!(2)));
    put(tag, &read.body).await.is(StatusCode::PRECONDITION_FAILED);
    unsaid["validation_rules"] = json!([]);
    put(&done.headers[header::ETAG], &unsaid).await.is(StatusCode::OK);
    assert_eq!(count().await, 0, "none, where that is said");
    // A new one has none to lose.
    let none = json!({"intent": {"name": "Other"}});
    server.post("/api/intents/with-rules?tenant_id=acme", &none).await.is(StatusCode::CREATED);
    server
        .get("/api/intents/999999/with-rules?tenant_id=acme")
        .await
        .problem(StatusCode::NOT_FOUND, "Intent 999999 not found");
}
