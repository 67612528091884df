//! What an expression calls, and whose fault it is where it gives no answer.

use reqwest::StatusCode;
use serde_json::{Value, json};

use super::support::{Answer, TestServer, message};

/// An intent Orders of the tenant acme, whose one rule holds this expression against a file of people; gives the ids of both.
async fn orders(server: &TestServer, expression: &str) -> (i64, i64) {
    server.tenant("acme").await;
    server.write_file("acme", "people.csv", b"email,status\nann@x.example,active\n");
    let config = json!({"name": "people", "protocol": "file", "connection_json": {"path": "people.csv"}});
    server.post("/api/datasource-configs?tenant_id=acme", &config).await.is(StatusCode::CREATED);
    let source = json!({"name": "People", "datasource_type": "file", "connection_key": "people"});
    let source = server.post("/api/datasources?tenant_id=acme", &source).await;
    let source = source.is(StatusCode::CREATED).id("datasource_id");
    let made = server.post("/api/intents?tenant_id=acme", &intent("")).await;
    let intent = made.is(StatusCode::CREATED).id("intent_id");
    let made = server.post("/api/validation-rules?tenant_id=acme", &rule(intent, source, expression)).await;
    (intent, made.is(StatusCode::CREATED).id("rule_id"))
}

fn intent(description: &str) -> Value {
    let has_order = json!({"field": "subject", "op": "contains", "value": "order"});
    json!({"name": "Orders", "description": description, "match": {"all": [has_order]}})
}

fn rule(intent: i64, datasource: i64, expression: &str) -> Value {
    json!({
        "intent_id": intent, "datasource_id": datasource, "field_name": "sender_email", "rule_type": "expression",
        "conditions": {"match": {"email": "{{sender_email}}"}, "expression": expression}
    })
}

/// As a server of before took it.
async fn stored_once(server: &TestServer, was: &str, expression: &str) {
    let mut conn = server.database().superuser().await;
    for sql in [
        "UPDATE validation_rules SET conditions = replace(conditions::text, $1, $2)::jsonb",
        "UPDATE intent_versions SET rules = replace(rules::text, $1, $2)::jsonb",
    ] {
        sqlx::query(sql).bind(was).bind(expression).execute(&mut conn).await.unwrap();
    }
}

fn reason(email: &Value) -> &str {
    email["verdicts"][0]["reason"].as_str().unwrap()
}

#[tokio::test]
async fn what_calls_no_function_is_not_stored() {
    let server = TestServer::start_idle(&[]).await;
    let (intent, id) = orders(&server, "row.status.startsWith('a')").await;
    let path = format!("/api/validation-rules/{id}?tenant_id=acme");
    let stored = server.get(&path).await.is(StatusCode::OK).body;
    let source = stored["datasource_id"].as_i64().unwrap();
    let refused = |answer: Answer, at: &str, words: &str| {
        let answer = answer.is(StatusCode::UNPROCESSABLE_ENTITY);
        assert_eq!(answer.fields(), [at], "{words}");
        let said = answer.body["errors"][0]["message"].as_str().unwrap();
        assert!(said.starts_with(words), "{said}");
    };
    for (expression, words) in [
        ("foo(row.status)", "calls 'foo', which is no function; there are all, bool, bytes, contains, "),
        (
            "rows.all(r, r.status.lowerAscii() == 'a')",
            "calls 'lowerAscii', which is no function; there are all, ",
        ),
        ("size(row.status, 1) > 0", "calls 'size' with 2 arguments, and it takes 1"),
        ("rows.all(true)", "calls 'all' with 1 argument, and it takes 2"),
        ("contains(row.status, 'a')", "calls 'contains' on no value: write value.contains(…)"),
    ] {
        let body = rule(intent, source, expression);
        let at = "conditions.expression";
        refused(server.post("/api/validation-rules?tenant_id=acme", &body).await, at, words);
        refused(server.put(&path, &body).await, at, words);
        let with_rules = json!({"intent": {"name": "Other"}, "validation_rules": [
            {"field_name": "subject", "rule_type": "expression", "datasource_id": source, "conditions": body["conditions"]}]});
        let answer = server.post("/api/intents/with-rules?tenant_id=acme", &with_rules).await;
        refused(answer, "validation_rules[0].conditions.expression", words);
    }
    for good in [
        "has(row.status) && rows.exists(r, r.status.size() == 6) && rows.exists_one(r, size(r.status) == 6)",
        "rows.filter(r, r.status.matches('^a')).map(r, r.status)[0].endsWith('e') && rows.all(r, true)",
    ] {
        server.put(&path, &rule(intent, source, good)).await.is(StatusCode::OK);
    }
}

/// A rule of before is told apart from a datasource that is away: nobody asks again, and nobody looks there.
#[tokio::test]
async fn a_rule_of_before_that_calls_no_function_is_at_fault_itself() {
    let server = TestServer::start_with(&[("JOB_MAX_ATTEMPTS", "3")]).await;
    let (intent_id, id) = orders(&server, "size(row.status) > 0").await;
    stored_once(&server, "size(row.status)", "foo(row.status)").await;
    let email = server.decide("acme", message("ann@x.example", "order", "x")).await;
    assert_eq!((&email["verdicts"][0]["verdict"], &email["decision"]), (&json!("error"), &json!("review")));
    let words = "the rule gives no answer: its expression calls 'foo', which is no function";
    assert_eq!(reason(&email), words);
    assert_eq!(email["verdicts"][0]["evidence"].get("error"), None, "no datasource said it");
    assert_eq!(email["explanation"], format!("For review: {words}."), "and none is to answer first");
    // Whom no row is found for fails as before: it does not get there.
    let email = server.decide("acme", message("bob@x.example", "order", "x")).await;
    assert_eq!((&email["verdicts"][0]["verdict"], &email["decision"]), (&json!("fail"), &json!("rejected")));

    let path = format!("/api/validation-rules/{id}?tenant_id=acme");
    let read = server.get(&path).await.is(StatusCode::OK).body;
    assert_eq!(read["conditions"]["expression"], "foo(row.status) > 0");
    let list = server.get("/api/validation-rules?tenant_id=acme").await.is(StatusCode::OK).body;
    assert_eq!(list[0]["rule_id"], id);
    server.put(&path, &read).await.is(StatusCode::UNPROCESSABLE_ENTITY);
    // What it belongs to can be changed, and whoever opens that is told.
    let of_intent = format!("/api/intents/{intent_id}?tenant_id=acme");
    server.put(&of_intent, &intent("of the shop")).await.is(StatusCode::OK);
    let edit = server.request(reqwest::Method::POST, "/ui/intents/edit", Some(&server.key));
    let edit = edit.header("content-type", "application/x-www-form-urlencoded");
    let edit = edit.body(format!("tenant_id=acme&intent_id={intent_id}")).send().await.unwrap();
    let fault = Answer::of(edit).await.is(StatusCode::OK).body["fault"].clone();
    assert_eq!(fault["errors"][0]["field"], "validation_rules[0].conditions.expression", "{fault:#}");
    server.delete(&path).await.is(StatusCode::NO_CONTENT);
}

#[tokio::test]
async fn an_expression_without_an_answer_is_told_as_its_own_fault() {
    let server = TestServer::start().await;
    let (_, id) = orders(&server, "row.status > 'a'").await;
    let path = format!("/api/validation-rules/{id}?tenant_id=acme");
    let mut rule = server.get(&path).await.is(StatusCode::OK).body;
    for (expression, words) in [
        ("row.status > 5", "applies '>' to string and int, which it does not take"),
        ("row.state == 'active'", "names state, which is not there"),
        ("row.status", "gives string, and neither true nor false"),
        ("row.status[0] == 'a'", "asks for a member of string, which has none such"),
        ("1 / size(rows.filter(r, r.status == 'x')) > 0", "divides by zero"),
    ] {
        rule["conditions"]["expression"] = expression.into();
        server.put(&path, &rule).await.is(StatusCode::OK);
        let email = server.decide("acme", message("ann@x.example", "order", "x")).await;
        assert_eq!(email["verdicts"][0]["verdict"], "error", "{expression}: {email:#}");
        assert_eq!(
            reason(&email),
            format!("the rule gives no answer: its expression {words}"),
            "{expression}"
        );
        assert_eq!(email["verdicts"][0]["evidence"]["row_count"], 1, "it was asked");
    }
}

/// What was written while the number of files was a text goes on beside what takes it for the number that it is.
#[tokio::test]
async fn the_number_of_files_is_a_number_and_a_text_can_be_made_one() {
    let server = TestServer::start().await;
    server.tenant("acme").await;
    let expressions = [
        "int(fields.order_number) > 1000",
        "double(fields.order_number) < 5000.0",
        "uint(fields.order_number) == 4711u",
        "has(fields.order_number) && int(fields.order_number) > 1000",
        "timestamp(email.received_at) > timestamp('2020-01-01T00:00:00Z')",
        "email.attachment_count == 0",
        "email.attachment_count != 1",
        "fields.attachment_count < 1 && !(email['attachment_count'] > 1)",
        "email.attachment_count in [0, 2]",
        "int(email.attachment_count) + 1 == 1",
        "email.attachment_count == '0' && email.attachment_count != '1'",
        "email.attachment_count in ['0'] && email.attachment_count < '1'",
        "email.attachment_count.matches('^0$') && size(email.attachment_count) == 1",
        "has(email.attachment_count) && !(email.attachment_count != '0')",
        "fields.exists(name, fields[name].contains('4711'))",
    ];
    let rules: Vec<Value> = expressions
        .iter()
        .zip(1..)
        .map(|(expression, priority)| {
            json!({"field_name": "subject", "rule_type": "expression", "priority": priority,
                "conditions": {"expression": expression}})
        })
        .collect();
    let mut orders = intent("");
    orders["extractors"] = json!([{"name": "order_number", "field": "subject", "pattern": "#(\\w+)"}]);
    let body = json!({"intent": orders, "validation_rules": rules});
    let made = server.post("/api/intents/with-rules?tenant_id=acme", &body).await.is(StatusCode::CREATED);
    let email = server.decide("acme", message("ann@x.example", "order #4711", "x")).await;
    for (verdict, expression) in email["verdicts"].as_array().unwrap().iter().zip(expressions) {
        assert_eq!(verdict["verdict"], "pass", "{expression}: {verdict:#}");
    }
    let email = server.decide("acme", message("ann@x.example", "order #many", "x")).await;
    assert_eq!(email["verdicts"][0]["verdict"], "error", "{email:#}");
    assert_eq!(reason(&email), "the rule gives no answer: its expression fails at 'int'");
    // What no text helps is told still.
    let intent_id = &made.body["intent"]["intent_id"];
    for expression in [
        "int(fields.order_number)",
        "int(fields.order_number) > 'a'",
        "fields.order_number > 5",
        "timestamp(email.received_at) > timestamp('2020-01-01')",
    ] {
        let rule = json!({"intent_id": intent_id, "field_name": "subject", "rule_type": "expression",
            "conditions": {"expression": expression}});
        let refused = server.post("/api/validation-rules?tenant_id=acme", &rule).await;
        let refused = refused.is(StatusCode::UNPROCESSABLE_ENTITY);
        assert_eq!(refused.fields(), ["conditions.expression"], "{expression}");
    }
}
