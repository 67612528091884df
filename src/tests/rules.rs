//! What rules and their datasources have to do with each other: whose SQL a rule speaks, what a datasource may become
//! while rules ask it, and what goes with it. And when a rule is looked at: before the transaction that stores it.

use reqwest::{Method, StatusCode};
use secrecy::ExposeSecret;
use serde_json::{Value, json};

use super::{
    datasources::MariaDb,
    support::{Answer, TestServer, message},
};
use crate::server::aside::{self, Turn};

/// A datasource of acme and its config, both of this name, by their ids.
async fn datasource(server: &TestServer, name: &str, kind: &str, mut config: Value) -> (i64, i64) {
    config["name"] = name.into();
    let made = server.post("/api/datasource-configs?tenant_id=acme", &config).await;
    let config = made.is(StatusCode::CREATED).id("config_id");
    let body = json!({"name": name, "datasource_type": kind, "connection_key": name});
    let made = server.post("/api/datasources?tenant_id=acme", &body).await;
    (made.is(StatusCode::CREATED).id("datasource_id"), config)
}

/// The intent Orders takes every message with `order` in its subject.
fn orders(extractors: Value) -> Value {
    let takes = json!({"all": [{"field": "subject", "op": "contains", "value": "order"}]});
    json!({"name": "Orders", "match": takes, "extractors": extractors})
}

fn order_number() -> Value {
    json!([{"name": "order_number", "field": "subject_and_body", "pattern": "#([0-9]+)"}])
}

/// A rule for each of these look-ups.
fn rules(datasource: i64, lookups: &[Value]) -> Vec<Value> {
    let rule = |conditions: &Value| {
        json!({"field_name": "sender_email", "rule_type": "exists", "datasource_id": datasource,
            "conditions": conditions})
    };
    lookups.iter().map(rule).collect()
}

/// The intent Orders with these rules, by its id.
async fn intent(server: &TestServer, rules: &[Value]) -> i64 {
    let body = json!({"intent": orders(order_number()), "validation_rules": rules});
    let made = server.post("/api/intents/with-rules?tenant_id=acme", &body).await.is(StatusCode::CREATED);
    made.body["intent"]["intent_id"].as_i64().unwrap()
}

fn verdicts(outcome: &Value) -> Vec<&str> {
    outcome["verdicts"].as_array().unwrap().iter().map(|v| v["verdict"].as_str().unwrap()).collect()
}

/// Rules with look-ups that hold in the dialect of their database alone: saved, they pass, and so they do wherever else
/// they are run or looked at.
async fn hold_in_their_dialect(server: &TestServer, config: Value, lookups: &[Value]) {
    let (source, _) = datasource(server, "shop", "database", config).await;
    let rules = rules(source, lookups);
    let intent = intent(server, &rules).await;
    let passed = vec!["pass"; lookups.len()];
    let raw = message("ann@x.example", "order #7", "Hello");
    let email = server.decide("acme", raw.clone()).await;
    assert_eq!(verdicts(&email), passed, "{email:#}");

    let body = json!({"message": {"raw": raw}, "intent_id": intent, "validation_rules": rules});
    let tried = server.post("/api/validation-rules/dry-run?tenant_id=acme", &body).await;
    let tried = tried.is(StatusCode::OK).body;
    assert_eq!(verdicts(&tried), passed, "{tried:#}");

    let request = server.request(Method::POST, "/ui/intents/edit", Some(&server.key));
    let request = request.header("content-type", "application/x-www-form-urlencoded");
    let request = request.body(format!("tenant_id=acme&intent_id={intent}"));
    let shown = Answer::of(request.send().await.unwrap()).await.is(StatusCode::OK).body;
    assert_eq!(shown["fault"], Value::Null, "{shown:#}");

    let without = server.put(&format!("/api/intents/{intent}?tenant_id=acme"), &orders(json!([]))).await;
    assert_eq!(without.is(StatusCode::UNPROCESSABLE_ENTITY).fields(), ["extractors"]);

    let inactive =
        json!({"name": "shop", "datasource_type": "database", "connection_key": "shop", "is_active": false});
    server.put(&format!("/api/datasources/{source}?tenant_id=acme"), &inactive).await.is(StatusCode::OK);
    for lookup in lookups {
        let body = json!({"conditions": lookup, "fields": {"order_number": "7"}});
        let path = format!("/api/datasources/{source}/preview?tenant_id=acme");
        let shown = server.post(&path, &body).await.is(StatusCode::OK).body;
        assert!(shown["message"].as_str().unwrap().contains("is not active"), "{shown:#}");
    }
}

#[tokio::test]
async fn a_rule_that_speaks_postgresql_is_run_as_it_was_saved() {
    let server = TestServer::start().await;
    server.tenant("acme").await;
    let mut conn = server.database().superuser().await;
    sqlx::raw_sql(
        "CREATE TABLE public.customers (id bigint, data jsonb); \
         INSERT INTO public.customers VALUES (7, '{\"vip\": true}')",
    )
    .execute(&mut conn)
    .await
    .unwrap();
    let config = json!({"protocol": "postgresql", "base_url": server.database().url.expose_secret()});
    let lookups = [
        json!({"query": "SELECT id FROM public.customers WHERE data ? 'vip' AND id = $1",
            "params": ["{{order_number}}"]}),
        json!({"query": "SELECT id FROM public.customers WHERE id = ?", "params": ["{{order_number}}"]}),
    ];
    hold_in_their_dialect(&server, config, &lookups).await;
}

#[tokio::test]
async fn a_rule_that_speaks_mysql_is_run_as_it_was_saved() {
    let server = TestServer::start().await;
    server.tenant("acme").await;
    let maria = MariaDb::start().await;
    maria.run(
        "CREATE DATABASE shop; USE shop; CREATE TABLE orders (id bigint, note varchar(100)); \
         INSERT INTO orders VALUES (7, 'it''s ?'); \
         CREATE USER reader IDENTIFIED BY 'reader-pw'; GRANT SELECT ON shop.* TO reader",
    );
    let base_url = format!("mysql://reader:reader-pw@127.0.0.1:{}/shop", maria.port);
    let config = json!({"protocol": "mysql", "base_url": base_url});
    let lookups = [
        json!({"query": "SELECT id FROM orders WHERE note = 'it\\'s ?' AND id = ?",
            "params": ["{{order_number}}"]}),
        json!({"query": "SELECT id FROM orders # which one?\nWHERE id = ?", "params": ["{{order_number}}"]}),
    ];
    hold_in_their_dialect(&server, config, &lookups).await;
}

#[tokio::test]
async fn a_datasource_stays_what_its_rules_ask() {
    let server = TestServer::start_idle(&[]).await;
    server.tenant("acme").await;
    let mysql = json!({"name": "shop", "protocol": "mysql", "base_url": "mysql://127.0.0.1:9/shop"});
    let (source, config) = datasource(&server, "shop", "database", mysql.clone()).await;
    let http = |name: &str| json!({"name": name, "protocol": "http", "base_url": "http://127.0.0.1:9"});
    let postgres = |name: &str| json!({"name": name, "protocol": "postgresql", "base_url": "postgresql://127.0.0.1:9/shop"});
    for other in [http("api"), postgres("postgres")] {
        server.post("/api/datasource-configs?tenant_id=acme", &other).await.is(StatusCode::CREATED);
    }
    let put = async |kind: &str, key: &str| {
        let body = json!({"name": "shop", "datasource_type": kind, "connection_key": key});
        server.put(&format!("/api/datasources/{source}?tenant_id=acme"), &body).await
    };
    let put_config = async |body: &Value| {
        server.put(&format!("/api/datasource-configs/{config}?tenant_id=acme"), body).await
    };
    put("api", "api").await.is(StatusCode::OK);
    put("database", "shop").await.is(StatusCode::OK);

    let lookup = json!({"query": "SELECT 1 FROM customers WHERE note <> 'it\\'s ?' AND email = ?",
        "params": ["{{sender_email}}"]});
    let intent = intent(&server, &rules(source, &[lookup])).await;
    let rule = server.get("/api/validation-rules?tenant_id=acme").await.is(StatusCode::OK).body;
    let named = format!("rule {} of the intent 'Orders'", rule[0]["rule_id"]);
    for (refused, field) in [
        (put("api", "api").await, "datasource_type"),
        (put("database", "postgres").await, "connection_key"),
        (put_config(&postgres("shop")).await, "protocol"),
        (put_config(&http("shop")).await, "protocol"),
    ] {
        let refused = refused.is(StatusCode::UNPROCESSABLE_ENTITY);
        assert_eq!(refused.fields(), [field]);
        assert!(refused.text.contains(&named), "{}", refused.text);
    }
    // What its rules do not mind: a config that is to come, and another server of the same kind.
    put("database", "later").await.is(StatusCode::OK);
    put("database", "shop").await.is(StatusCode::OK);
    let mut moved = mysql;
    moved["base_url"] = "mysql://127.0.0.2:9/shop".into();
    put_config(&moved).await.is(StatusCode::OK);

    server.delete(&format!("/api/intents/{intent}?tenant_id=acme")).await.is(StatusCode::NO_CONTENT);
    put_config(&http("shop")).await.is(StatusCode::OK);
    put("api", "shop").await.is(StatusCode::OK);
}

#[tokio::test]
async fn the_audit_log_has_the_rules_that_go_with_a_datasource() {
    let server = TestServer::start_idle(&[]).await;
    server.tenant("acme").await;
    let config = json!({"protocol": "file", "connection_json": {"path": "people.csv"}});
    let (source, _) = datasource(&server, "people", "file", config).await;
    let lookup = json!({"match": {"email": "{{sender_email}}"}});
    intent(&server, &rules(source, std::slice::from_ref(&lookup))).await;
    server.delete(&format!("/api/datasources/{source}?tenant_id=acme")).await.is(StatusCode::NO_CONTENT);
    let log = server.get("/api/audit-log?tenant_id=acme&action=datasource.delete").await;
    let before = log.is(StatusCode::OK).body[0]["before"].clone();
    assert_eq!(before["datasource"]["name"], "people", "{before:#}");
    assert_eq!(before["validation_rules"][0]["conditions"], lookup, "{before:#}");
    assert_eq!(before["validation_rules"].as_array().map(Vec::len), Some(1));
}

#[tokio::test]
async fn a_literal_that_no_field_could_ever_equal_is_refused_at_its_place() {
    let server = TestServer::start_idle(&[]).await;
    server.tenant("acme").await;
    let extractors = json!([
        {"name": "total", "field": "subject", "pattern": "for (.+)$", "type": "money"},
        {"name": "factor", "field": "subject", "pattern": "by (.+)$", "type": "number"},
        {"name": "code", "field": "subject", "pattern": "no (.+)$"}
    ]);
    let made = server.post("/api/intents?tenant_id=acme", &orders(extractors)).await;
    let intent = made.is(StatusCode::CREATED).id("intent_id");
    let post = async |rule_type: &str, field: &str, conditions: &Value| {
        let rule = json!({"intent_id": intent, "field_name": field, "rule_type": rule_type, "conditions": conditions});
        server.post("/api/validation-rules?tenant_id=acme", &rule).await
    };
    for (rule_type, field, conditions) in [
        ("equals", "total", json!({"expected": "1234.50 EUR"})),
        ("equals", "total", json!({"expected": "n/a", "as": "text"})),
        ("equals", "code", json!({"expected": "0042"})),
        ("not_equals", "subject", json!({"expected": "{{total}}", "as": "money"})),
        ("compare", "factor", json!({"op": ">", "expected": 1.234})),
        ("compare", "factor", json!({"op": "between", "expected": ["1.5", 3]})),
    ] {
        let answer = post(rule_type, field, &conditions).await;
        assert_eq!(answer.status, StatusCode::CREATED, "{field} {conditions}: {}", answer.text);
    }
    for (rule_type, field, conditions) in [
        ("equals", "total", json!({"expected": "n/a"})),
        ("not_equals", "factor", json!({"expected": "1.000"})),
        ("one_of", "total", json!({"expected": ["5 EUR", "n/a"]})),
        ("equals", "code", json!({"expected": "02/03/2026", "as": "date"})),
        ("compare", "factor", json!({"op": ">", "expected": "1.000"})),
        ("compare", "factor", json!({"op": "between", "expected": [3, "1.5"]})),
    ] {
        let refused = post(rule_type, field, &conditions).await.is(StatusCode::UNPROCESSABLE_ENTITY);
        assert_eq!(refused.fields(), ["conditions.expected"], "{field} {conditions}");
    }
    let mut draft = json!({"message": {"raw": message("ann@x.example", "order", "x")}, "intent_id": intent});
    draft["validation_rules"] =
        json!([{"field_name": "total", "rule_type": "equals", "conditions": {"expected": "n/a"}}]);
    let refused = server.post("/api/validation-rules/dry-run?tenant_id=acme", &draft).await;
    let refused = refused.is(StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(refused.fields(), ["validation_rules[0].conditions.expected"]);
}

/// JSON as it stands here: `json!` would have made other numbers of some.
#[tokio::test]
async fn what_is_misspelled_or_would_be_kept_as_another_is_named_in_plain_words() {
    let server = TestServer::start_idle(&[]).await;
    server.tenant("acme").await;
    let made = server.post("/api/intents?tenant_id=acme", &orders(order_number())).await;
    let intent = made.is(StatusCode::CREATED).id("intent_id");
    let post = async |members: &str| {
        let body = format!("{{\"intent_id\": {intent}, \"field_name\": \"subject\", {members}}}");
        let request = server.request(Method::POST, "/api/validation-rules?tenant_id=acme", Some(&server.key));
        let request = request.header("content-type", "application/json").body(body);
        Answer::of(request.send().await.unwrap()).await
    };
    for (members, detail) in [
        (
            r#""rule_type": "equals", "conditions": {"expected": 123456789012345678901234567890}"#,
            "conditions.expected: has more digits than a number keeps: write it as a text, in quotation marks, or with fewer digits",
        ),
        (
            r#""rule_type": "one_of", "conditions": {"expected": [1, 0.12345678901234567890123]}"#,
            "conditions.expected[1]: has more digits than a number keeps: write it as a text, in quotation marks, or with fewer digits",
        ),
        (
            r#""rule_type": "regex", "conditions": {"pattern": "x", "ignorecase": true}"#,
            "conditions.ignorecase: is not known here (known: `pattern`, `ignore_case`)",
        ),
        (
            r#""rule_type": null, "conditions": {}"#,
            "rule_type: must be one of `exists`, `not_exists`, `equals`, `not_equals`, `regex`, `one_of`, `compare`, `expression`",
        ),
        (
            r#""rule_type": "exists", "conditions": {}, "priority": "high""#,
            "priority: must be a whole number",
        ),
        (r#""rule_type": "exists", "conditions": {}, "stop": 1"#, "stop: must be true or false"),
    ] {
        post(members).await.problem(StatusCode::UNPROCESSABLE_ENTITY, detail);
    }
    for expected in
        ["\"123456789012345678901234567890\"", "18446744073709551615", "1.10", "0.30000000000000004"]
    {
        let made = post(&format!(r#""rule_type": "equals", "conditions": {{"expected": {expected}}}"#)).await;
        let made = made.is(StatusCode::CREATED);
        let written: Value = serde_json::from_str(expected).unwrap();
        assert_eq!(made.body["conditions"]["expected"], written, "{expected}");
    }
}

#[tokio::test]
async fn a_draft_that_takes_no_message_is_told_why_whatever_stands_before_it() {
    let server = TestServer::start_idle(&[]).await;
    server.tenant("acme").await;
    server.post("/api/intents?tenant_id=acme", &orders(json!([]))).await.is(StatusCode::CREATED);
    let draft = json!({"name": "Rare", "priority": 900,
        "match": {"all": [{"field": "subject", "op": "equals", "value": "never"}]}});
    let mut body = json!({"message": {"raw": message("ann@x.example", "order", "x")}, "intent": draft});
    let tried = server.post("/api/emails/dry-run?tenant_id=acme", &body).await.is(StatusCode::OK).body;
    let considered = json!([{"intent": "Rare", "why_not": "not so: subject equals \"never\""}]);
    let classification = &tried["classification"];
    assert_eq!((&classification["intent"], &classification["considered"]), (&json!("Orders"), &considered));
    // Without a draft those after the one that matches say nothing.
    server.post("/api/intents?tenant_id=acme", &draft).await.is(StatusCode::CREATED);
    body.as_object_mut().unwrap().remove("intent");
    let tried = server.post("/api/emails/dry-run?tenant_id=acme", &body).await.is(StatusCode::OK).body;
    assert_eq!(tried["classification"]["considered"], json!([]));
}

/// An intent with an extractor in a tenant of this name, by its id. Nothing else is in the tenant.
async fn intent_of(server: &TestServer, tenant: &str) -> i64 {
    let body = json!({"name": "Orders", "extractors": order_number()});
    let made = server.post(&format!("/api/intents?tenant_id={tenant}"), &body).await;
    made.is(StatusCode::CREATED).id("intent_id")
}

/// A rule that has a pattern to look at.
fn matching(intent: i64, pattern: &str) -> Value {
    json!({"intent_id": intent, "field_name": "subject", "rule_type": "regex", "conditions": {"pattern": pattern}})
}

#[tokio::test]
async fn whoever_waits_for_the_check_of_a_rule_keeps_nobody_waiting() {
    let server = TestServer::start_idle(&[]).await;
    let tenant = server.tenant("rules_saved").await;
    server.tenant("rules_beside").await;
    let (intent, theirs) =
        (intent_of(&server, "rules_saved").await, intent_of(&server, "rules_beside").await);
    let at = |path: &str| format!("{path}?tenant_id={tenant}");
    let post = async |pattern: &str| {
        let made = server.post(&at("/api/validation-rules"), &matching(intent, pattern)).await;
        made.is(StatusCode::CREATED).id("rule_id")
    };
    let (kept, gone) = (post("kept").await, post("gone").await);
    let turn = aside::turn_of(&tenant, Turn::Save).await;
    let waiting = [
        (Method::POST, "/api/validation-rules".to_owned(), matching(intent, "made")),
        (Method::PUT, format!("/api/validation-rules/{kept}"), matching(intent, "changed")),
    ]
    .map(|(method, path, body)| {
        let request = server.request(method, &at(&path), Some(&server.key)).json(&body);
        tokio::spawn(async move { Answer::of(request.send().await.unwrap()).await })
    });
    // Others save, and so does the tenant what has no pattern to check.
    let beside = "/api/validation-rules?tenant_id=rules_beside";
    server.post(beside, &matching(theirs, "theirs")).await.is(StatusCode::CREATED);
    server.get(&at("/api/validation-rules")).await.is(StatusCode::OK);
    server.delete(&at(&format!("/api/validation-rules/{gone}"))).await.is(StatusCode::NO_CONTENT);
    assert!(waiting.iter().all(|call| !call.is_finished()), "each waits for the tenant's turn");
    drop(turn);
    for call in waiting {
        let answer = call.await.unwrap();
        assert!(answer.status.is_success(), "{}", answer.text);
    }
}

#[tokio::test]
async fn a_rule_is_held_against_its_intent_as_it_is_when_it_is_stored() {
    let server = TestServer::start_idle(&[]).await;
    let tenant = server.tenant("rules_raced").await;
    let intent = intent_of(&server, "rules_raced").await;
    let path = format!("/api/validation-rules?tenant_id={tenant}");
    let rule = json!({"intent_id": intent, "field_name": "order_number", "rule_type": "regex", "conditions": {"pattern": "7"}});
    let turn = aside::turn_of(&tenant, Turn::Save).await;
    let request = server.request(Method::POST, &path, Some(&server.key)).json(&rule);
    let waiting = tokio::spawn(async move { Answer::of(request.send().await.unwrap()).await });
    server.get(&path).await.is(StatusCode::OK);
    let mut conn = server.database().superuser().await;
    sqlx::query("UPDATE intents SET extractors = '[]'").execute(&mut conn).await.unwrap();
    drop(turn);
    assert_eq!(waiting.await.unwrap().is(StatusCode::UNPROCESSABLE_ENTITY).fields(), ["field_name"]);
    let stored: i64 =
        sqlx::query_scalar("SELECT count(*) FROM validation_rules").fetch_one(&mut conn).await.unwrap();
    assert_eq!(stored, 0);
}

#[tokio::test]
async fn a_template_stands_as_a_value_and_nowhere_else() {
    let server = TestServer::start_idle(&[]).await;
    server.tenant("acme").await;
    let intent = intent_of(&server, "acme").await;
    let http = json!({"protocol": "http", "base_url": "http://127.0.0.1:9"});
    let (api, _) = datasource(&server, "api", "api", http).await;
    let people = json!({"protocol": "file", "connection_json": {"path": "people.csv"}});
    let (file, _) = datasource(&server, "people", "file", people).await;
    let post = async |rule_type: &str, source: i64, conditions: &Value| {
        let rule = json!({"intent_id": intent, "field_name": "subject", "rule_type": rule_type,
            "datasource_id": source, "conditions": conditions});
        server.post("/api/validation-rules?tenant_id=acme", &rule).await
    };
    for (rule_type, source, conditions, place) in [
        ("exists", api, json!({"path": "/", "rows": "$['{{subject}}']"}), "conditions.rows"),
        ("exists", api, json!({"path": "/", "query": {"{{subject}}": "x"}}), "conditions.query"),
        ("exists", api, json!({"path": "/", "headers": {"X-{{ subject }}": "x"}}), "conditions.headers"),
        (
            "exists",
            api,
            json!({"path": "/", "method": "POST", "body": [{"a": {"{{header.X-Ref}}": 1}}]}),
            "conditions.body",
        ),
        ("exists", file, json!({"match": {"{{subject}}": "x"}}), "conditions.match"),
        (
            "equals",
            file,
            json!({"match": {"a": "x"}, "column": "{{subject}}", "expected": 1}),
            "conditions.column",
        ),
        (
            "expression",
            file,
            json!({"match": {"a": "x"}, "expression": "row.a == '{{subject}}'"}),
            "conditions.expression",
        ),
        ("regex", file, json!({"match": {"a": "x"}, "pattern": "^{{subject}}$"}), "conditions.pattern"),
    ] {
        let refused = post(rule_type, source, &conditions).await.is(StatusCode::UNPROCESSABLE_ENTITY);
        assert_eq!(refused.fields(), [place], "{conditions}: {}", refused.text);
        assert!(refused.text.contains("must not hold a template"), "{}", refused.text);
    }
    let value = "{{subject}}";
    for conditions in [
        json!({"method": "get", "path": "/{{subject}}", "query": {"a": value}, "headers": {"X-A": value}}),
        json!({"method": "Post", "path": "/", "body": {"a": [value]}, "rows": "$.items[*]"}),
    ] {
        post("exists", api, &conditions).await.is(StatusCode::CREATED);
    }
}

/// A rule may have a datasource and ask it nothing: there is not even a file.
#[tokio::test]
async fn a_rule_that_names_no_look_up_judges_its_own_field() {
    let server = TestServer::start().await;
    server.tenant("acme").await;
    let config = json!({"protocol": "file", "connection_json": {"path": "nothing.csv"}});
    let (source, _) = datasource(&server, "people", "file", config).await;
    let rule = |rule_type: &str, conditions: Value| json!({"field_name": "order_number", "rule_type": rule_type, "datasource_id": source, "conditions": conditions});
    let own = [
        rule("regex", json!({"pattern": "^[0-9]$"})),
        rule("equals", json!({"expected": "7"})),
        rule("one_of", json!({"expected": ["7", "8"], "ignore_case": true})),
        rule("compare", json!({"op": ">", "expected": 6})),
        rule("expression", json!({"expression": "fields.order_number == '7'"})),
    ];
    let intent = intent(&server, &own).await;
    let email = server.decide("acme", message("ann@x.example", "order #7", "Hello")).await;
    assert_eq!(verdicts(&email), ["pass"; 5], "{email:#}");
    assert_eq!(email["verdicts"][0]["datasource"], Value::Null, "it was not asked");
    assert_eq!(email["verdicts"][0]["demand"], "The order number must match ^[0-9]$");
    let stored = server.get("/api/validation-rules?tenant_id=acme").await.is(StatusCode::OK).body;
    for rule in stored.as_array().unwrap() {
        assert_eq!(rule["datasource_id"], source);
        let path = format!("/api/validation-rules/{}?tenant_id=acme", rule["rule_id"]);
        server.put(&path, rule).await.is(StatusCode::OK);
    }
    for (rule_type, conditions) in [
        ("exists", json!({})),
        ("equals", json!({})),
        ("regex", json!({"pattern": "x", "column": "a"})),
        ("expression", json!({"expression": "size(rows) > 0"})),
    ] {
        let mut forgotten = rule(rule_type, conditions);
        forgotten["intent_id"] = intent.into();
        let refused = server.post("/api/validation-rules?tenant_id=acme", &forgotten).await;
        let refused = refused.is(StatusCode::UNPROCESSABLE_ENTITY);
        assert_eq!(refused.fields(), ["conditions.query"], "{forgotten}");
    }
}
