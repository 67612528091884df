//! The resources by REST: shapes, statuses, and the sentences of errors (DESIGN, section 4).

use reqwest::{Method, StatusCode, header};
use serde_json::{Value, json};

use super::support::{Answer, TestServer};
use crate::auth::dto::Role;

fn sqlite_config(name: &str) -> Value {
    json!({"name": name, "protocol": "sqlite", "driver_family": "sqlx", "connection_json": {"path": "shop.sqlite"}})
}

fn datasource(name: &str, key: &str) -> Value {
    json!({"name": name, "datasource_type": "database", "connection_key": key})
}

fn rule(datasource: i64) -> Value {
    json!({
        "field_name": "sender_email", "rule_type": "exists", "datasource_id": datasource,
        "conditions": {"query": "SELECT 1 FROM customers WHERE email = ?", "params": ["{{sender_email}}"]},
        "priority": 10
    })
}

#[tokio::test]
async fn tenants_are_made_read_replaced_and_deleted() {
    let server = TestServer::start_idle(&[]).await;
    server.tenant("acme").await;
    let again = json!({"tenant_id": "acme", "name": "Another"});
    let conflict = server.post("/api/tenants", &again).await;
    conflict.problem(StatusCode::CONFLICT, "Tenant 'acme' already exists");
    let same_name = json!({"tenant_id": "acme2", "name": "The acme company"});
    let conflict = server.post("/api/tenants", &same_name).await;
    conflict.problem(StatusCode::CONFLICT, "Tenant 'The acme company' already exists");
    for bad in ["Acme", "a-b", "", "1a", "../x"] {
        let answer = server.post("/api/tenants", &json!({"tenant_id": bad, "name": "X"})).await;
        assert_eq!(answer.is(StatusCode::UNPROCESSABLE_ENTITY).fields(), ["tenant_id"], "{bad}");
    }
    let replaced = server.put("/api/tenants/acme", &json!({"name": "New", "is_active": false})).await;
    assert_eq!(replaced.is(StatusCode::OK).body["is_active"], false);
    assert_eq!(server.get("/api/tenants?active_only=true").await.body, json!([]));
    server.delete("/api/tenants/acme").await.is(StatusCode::NO_CONTENT);
    server.get("/api/tenants/acme").await.problem(StatusCode::NOT_FOUND, "Tenant acme not found");
    server.get("/api/tenants/nobody").await.problem(StatusCode::NOT_FOUND, "Tenant nobody not found");
}

#[tokio::test]
async fn an_intent_has_the_shape_of_the_contract() {
    let server = TestServer::start_idle(&[]).await;
    server.tenant("acme").await;
    let body = json!({
        "name": "Sales", "description": "Questions before an order",
        "match": {"any": [{"field": "subject", "op": "contains", "value": "offer"}]},
        "extractors": [{"name": "offer_number", "field": "subject", "pattern": "offer ([0-9]+)"}]
    });
    let made = server.post("/api/intents?tenant_id=acme", &body).await.is(StatusCode::CREATED);
    let id = made.id("intent_id");
    let names: Vec<&str> = made.body.as_object().unwrap().keys().map(String::as_str).collect();
    for name in [
        "intent_id",
        "tenant_id",
        "name",
        "description",
        "is_active",
        "created_at",
        "updated_at",
        "match",
        "extractors",
        "examples_count",
    ] {
        assert!(names.contains(&name), "{name} in {names:?}");
    }
    assert_eq!(made.body["match"], json!({"any": body["match"]["any"], "all": [], "none": []}));
    let conflict = server.post("/api/intents?tenant_id=acme", &body).await;
    conflict.problem(StatusCode::CONFLICT, "Intent 'Sales' already exists");
    // What was read can be sent back.
    let mut again = made.body.clone();
    again["description"] = "changed".into();
    let path = format!("/api/intents/{id}?tenant_id=acme");
    assert_eq!(server.put(&path, &again).await.is(StatusCode::OK).body["description"], "changed");
    server.delete(&path).await.is(StatusCode::NO_CONTENT);
    server.get(&path).await.problem(StatusCode::NOT_FOUND, &format!("Intent {id} not found"));
}

#[tokio::test]
async fn intents_are_listed_newest_first_by_pages_and_filters() {
    let server = TestServer::start_idle(&[]).await;
    server.tenant("acme").await;
    for i in 0..5 {
        let body = json!({"name": format!("Intent {i}"), "is_active": i != 3});
        server.post("/api/intents?tenant_id=acme", &body).await.is(StatusCode::CREATED);
    }
    let names = |answer: &Answer| -> Vec<String> {
        answer.body.as_array().unwrap().iter().map(|i| i["name"].as_str().unwrap().to_owned()).collect()
    };
    let mut path = "/api/intents?tenant_id=acme&limit=2".to_owned();
    let mut all = Vec::new();
    loop {
        let page = server.get(&path).await.is(StatusCode::OK);
        all.extend(names(&page));
        let Some(link) = page.headers.get("link") else { break };
        let link = link.to_str().unwrap();
        path = link.split_once('<').unwrap().1.split_once('>').unwrap().0.to_owned();
        assert!(link.ends_with("rel=\"next\""));
    }
    assert_eq!(all, ["Intent 4", "Intent 3", "Intent 2", "Intent 1", "Intent 0"]);
    let active = server.get("/api/intents?tenant_id=acme&active_only=true").await;
    assert_eq!(names(&active).len(), 4);
    let found = server.get("/api/intents?tenant_id=acme&q=TENT%202").await;
    assert_eq!(names(&found), ["Intent 2"]);
    for (query, field) in [
        ("limit=0", "limit"),
        ("limit=1001", "limit"),
        ("limit=x", "limit"),
        ("cursor=x", "cursor"),
        ("active_only=2", "active_only"),
        ("limit=1&limit=2", "limit"),
    ] {
        let answer = server.get(&format!("/api/intents?tenant_id=acme&{query}")).await;
        assert_eq!(answer.is(StatusCode::UNPROCESSABLE_ENTITY).fields(), [field], "{query}");
    }
}

#[tokio::test]
async fn intent_and_rules_are_stored_together_or_not_at_all() {
    let server = TestServer::start_idle(&[]).await;
    server.tenant("acme").await;
    server
        .post("/api/datasource-configs?tenant_id=acme", &sqlite_config("shop"))
        .await
        .is(StatusCode::CREATED);
    let made = server.post("/api/datasources?tenant_id=acme", &datasource("Shop", "shop")).await;
    let id = made.is(StatusCode::CREATED).id("datasource_id");
    let good = json!({"intent": {"name": "Orders"}, "validation_rules": [
        {"field_name": "subject", "rule_type": "regex", "conditions": {"pattern": "x"}, "priority": 20}, rule(id)
    ]});
    let both = server.post("/api/intents/with-rules?tenant_id=acme", &good).await.is(StatusCode::CREATED);
    let rules = both.body["validation_rules"].as_array().unwrap();
    assert_eq!(rules.iter().map(|r| r["priority"].as_i64().unwrap()).collect::<Vec<_>>(), [10, 20]);
    let intent = both.body["intent"]["intent_id"].as_i64().unwrap();
    let path = format!("/api/intents/{intent}/validation-rules?tenant_id=acme");
    assert_eq!(server.get(&path).await.is(StatusCode::OK).body, both.body["validation_rules"]);

    // The second rule is at fault: nothing of it all is stored.
    let missing = json!({"intent": {"name": "Other"}, "validation_rules": [rule(id), rule(id + 1_000)]});
    let refused = server.post("/api/intents/with-rules?tenant_id=acme", &missing).await;
    let refused = refused.problem(StatusCode::BAD_REQUEST, "Invalid datasource");
    assert_eq!(refused.fields(), ["validation_rules[1].datasource_id"]);
    let mut broken = missing.clone();
    broken["validation_rules"][1] = json!({
        "field_name": "order_number", "rule_type": "exists", "datasource_id": id,
        "conditions": {"query": "SELECT '{{subject}}'"}
    });
    let refused = server.post("/api/intents/with-rules?tenant_id=acme", &broken).await;
    let refused = refused.is(StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(refused.fields(), ["validation_rules[1].field_name", "validation_rules[1].conditions.query"]);
    let intents = server.get("/api/intents?tenant_id=acme").await;
    assert_eq!(intents.body.as_array().unwrap().len(), 1, "only the good one is there");
}

#[tokio::test]
async fn a_template_must_name_a_field_that_a_message_can_have() {
    let server = TestServer::start_idle(&[]).await;
    server.tenant("acme").await;
    let made = server.post("/api/datasources?tenant_id=acme", &datasource("Shop", "later")).await;
    let id = made.is(StatusCode::CREATED).id("datasource_id");
    let intent = json!({"name": "Orders", "extractors": [{"name": "order_number", "field": "subject_and_body", "pattern": "#([0-9]+)"}]});
    let intent_id =
        server.post("/api/intents?tenant_id=acme", &intent).await.is(StatusCode::CREATED).id("intent_id");
    let rule = |template: &str| {
        json!({
            "intent_id": intent_id, "field_name": "sender_email", "rule_type": "exists", "datasource_id": id,
            "conditions": {"query": "SELECT 1 WHERE a = ?", "params": [template]}
        })
    };
    for good in ["{{order_number}}", "{{header.X-Anything}}", "{{subject}} and {{body}}", "no template"] {
        server.post("/api/validation-rules?tenant_id=acme", &rule(good)).await.is(StatusCode::CREATED);
    }
    let answer = server.post("/api/validation-rules?tenant_id=acme", &rule("{{order_nummer}}")).await;
    let answer = answer.is(StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(answer.fields(), ["conditions"]);
    assert!(answer.text.contains("order_nummer"));
    // An extractor that a rule needs cannot go.
    let path = format!("/api/intents/{intent_id}?tenant_id=acme");
    let refused = server.put(&path, &json!({"name": "Orders"})).await.is(StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(refused.fields(), ["extractors"]);
    assert_eq!(
        server.get(&path).await.body["extractors"].as_array().unwrap().len(),
        1,
        "nothing was changed"
    );
}

#[tokio::test]
async fn an_expression_must_name_fields_that_a_message_can_have_and_take_no_more_than_it_may() {
    let server = TestServer::start_idle(&[]).await;
    server.tenant("acme").await;
    let made = server.post("/api/datasources?tenant_id=acme", &datasource("Shop", "later")).await;
    let id = made.is(StatusCode::CREATED).id("datasource_id");
    let intent = json!({"name": "Orders", "extractors": [{"name": "total", "field": "subject", "pattern": "for (.+)$", "type": "money"}]});
    let intent_id =
        server.post("/api/intents?tenant_id=acme", &intent).await.is(StatusCode::CREATED).id("intent_id");
    let rule = |expression: &str| {
        json!({
            "intent_id": intent_id, "field_name": "sender_email", "rule_type": "expression", "datasource_id": id,
            "conditions": {"query": "SELECT 1 WHERE a = ?", "params": ["{{sender_email}}"], "expression": expression}
        })
    };
    for good in [
        "fields.total.amount <= row.limit",
        "rows.exists(r, r.thing == fields['header.X-Thing'])",
        "has(email.reply_to) && row.a == email.reply_to",
    ] {
        server.post("/api/validation-rules?tenant_id=acme", &rule(good)).await.is(StatusCode::CREATED);
    }
    let ones = ["1"; 600].join(",");
    let loops = format!("[{ones}].all(a, [{ones}].all(b, [{ones}].all(c, true)))");
    for (bad, named) in [
        ("fields.totl.amount <= row.limit", "totl"),
        ("row.a == 'b' || fields['typo'] == 'x'", "typo"),
        ("rows.exists(r, has(fields.typo))", "typo"),
        ("row.a == email.totl", "totl"),
        (loops.as_str(), "steps"),
    ] {
        let refused = server.post("/api/validation-rules?tenant_id=acme", &rule(bad)).await;
        let refused = refused.is(StatusCode::UNPROCESSABLE_ENTITY);
        assert_eq!(refused.fields(), ["conditions.expression"], "{named}");
        assert!(refused.text.contains(named), "{named}");
    }
    // An extractor that an expression names cannot go.
    let path = format!("/api/intents/{intent_id}?tenant_id=acme");
    let refused = server.put(&path, &json!({"name": "Orders"})).await.is(StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(refused.fields(), ["extractors"]);
    server.put(&path, &intent).await.is(StatusCode::OK);
}

#[tokio::test]
async fn a_rule_moves_to_no_intent_that_is_full() {
    let server = TestServer::start_idle(&[]).await;
    server.tenant("acme").await;
    let rule = json!({"field_name": "subject", "rule_type": "equals", "conditions": {"expected": "x"}});
    let made = async |name: &str, count: usize| {
        let body = json!({"intent": {"name": name}, "validation_rules": vec![rule.clone(); count]});
        server.post("/api/intents/with-rules?tenant_id=acme", &body).await.is(StatusCode::CREATED).body
    };
    let (full, other) = (made("Full", 200).await, made("Other", 1).await);
    let put = async |of: &Value, into: &Value| {
        let mut moved = rule.clone();
        moved["intent_id"] = into["intent"]["intent_id"].clone();
        let path = format!("/api/validation-rules/{}?tenant_id=acme", of["validation_rules"][0]["rule_id"]);
        server.put(&path, &moved).await
    };
    put(&other, &full).await.problem(StatusCode::BAD_REQUEST, "An intent may have at most 200 rules");
    put(&full, &full).await.is(StatusCode::OK);
    put(&full, &other).await.is(StatusCode::OK);
    put(&other, &full).await.is(StatusCode::OK);
}

#[tokio::test]
async fn rules_are_listed_by_priority_and_go_with_their_intent_and_datasource() {
    let server = TestServer::start_idle(&[]).await;
    server.tenant("acme").await;
    let shop =
        server.post("/api/datasources?tenant_id=acme", &datasource("Shop", "shop")).await.id("datasource_id");
    let other = server
        .post("/api/datasources?tenant_id=acme", &datasource("Other", "shop"))
        .await
        .id("datasource_id");
    let intent = server.post("/api/intents?tenant_id=acme", &json!({"name": "A"})).await.id("intent_id");
    let mut ids = Vec::new();
    for (priority, datasource) in [(30, shop), (10, other), (20, shop)] {
        let mut body = rule(datasource);
        body["intent_id"] = intent.into();
        body["priority"] = priority.into();
        ids.push(
            server
                .post("/api/validation-rules?tenant_id=acme", &body)
                .await
                .is(StatusCode::CREATED)
                .id("rule_id"),
        );
    }
    let list = format!("/api/validation-rules?tenant_id=acme&intent_id={intent}");
    let order = |answer: Answer| -> Vec<i64> {
        answer.body.as_array().unwrap().iter().map(|r| r["rule_id"].as_i64().unwrap()).collect()
    };
    assert_eq!(order(server.get(&list).await), [ids[1], ids[2], ids[0]]);
    let path = format!("/api/validation-rules/{}?tenant_id=acme", ids[1]);
    let mut changed = server.get(&path).await.is(StatusCode::OK).body;
    changed["priority"] = 40.into();
    changed["is_active"] = false.into();
    server.put(&path, &changed).await.is(StatusCode::OK);
    assert_eq!(order(server.get(&list).await), [ids[2], ids[0], ids[1]]);
    assert_eq!(order(server.get(&format!("{list}&active_only=true")).await), [ids[2], ids[0]]);
    server.delete(&format!("/api/datasources/{shop}?tenant_id=acme")).await.is(StatusCode::NO_CONTENT);
    assert_eq!(order(server.get(&list).await), [ids[1]]);
    server.delete(&format!("/api/intents/{intent}?tenant_id=acme")).await.is(StatusCode::NO_CONTENT);
    server.get(&path).await.problem(StatusCode::NOT_FOUND, &format!("Validation rule {} not found", ids[1]));
    let mut orphan = rule(other);
    orphan["intent_id"] = intent.into();
    let refused = server.post("/api/validation-rules?tenant_id=acme", &orphan).await;
    assert_eq!(refused.problem(StatusCode::BAD_REQUEST, "Invalid intent").fields(), ["intent_id"]);
}

#[tokio::test]
async fn a_datasource_names_its_config_and_a_config_in_use_stays() {
    let server = TestServer::start_idle(&[]).await;
    server.tenant("acme").await;
    let made = server.post("/api/datasources?tenant_id=acme", &datasource("Shop", "shop")).await;
    let id = made.is(StatusCode::CREATED).id("datasource_id");
    let path = format!("/api/datasources/{id}/with-config?tenant_id=acme");
    let alone = server.get(&path).await.is(StatusCode::OK);
    assert_eq!(alone.body["config"], Value::Null);
    assert_eq!(alone.body["datasource"]["connection_key"], "shop");
    let config = server.post("/api/datasource-configs?tenant_id=acme", &sqlite_config("shop")).await;
    let config = config.is(StatusCode::CREATED).id("config_id");
    assert_eq!(server.get(&path).await.body["config"]["config_id"], config);
    server
        .post("/api/datasources?tenant_id=acme", &datasource("Archive", "shop"))
        .await
        .is(StatusCode::CREATED);
    let config_path = format!("/api/datasource-configs/{config}?tenant_id=acme");
    server
        .delete(&config_path)
        .await
        .problem(StatusCode::BAD_REQUEST, "Config 'shop' cannot be deleted: it is used by 'Archive', 'Shop'");
    server.put(&config_path, &sqlite_config("renamed")).await.is(StatusCode::BAD_REQUEST);
    let wrong = json!({"name": "X", "datasource_type": "api", "connection_key": "shop"});
    let refused = server.post("/api/datasources?tenant_id=acme", &wrong).await;
    refused.problem(StatusCode::BAD_REQUEST, "Config 'shop' does not lead to a datasource of the type api");
    for name in ["Archive", "Shop"] {
        let all = server.get("/api/datasources?tenant_id=acme").await.body;
        let found = all.as_array().unwrap().iter().find(|d| d["name"] == name).unwrap().clone();
        server
            .delete(&format!("/api/datasources/{}?tenant_id=acme", found["datasource_id"]))
            .await
            .is(StatusCode::NO_CONTENT);
    }
    server.delete(&config_path).await.is(StatusCode::NO_CONTENT);
}

#[tokio::test]
async fn a_config_takes_what_people_write_and_refuses_what_cannot_work() {
    let server = TestServer::start_idle(&[]).await;
    server.tenant("acme").await;
    let path = "/api/datasource-configs?tenant_id=acme";
    for (i, good) in [
        json!({"protocol": "postgresql", "driver_family": "psycopg2", "base_url": "postgresql+psycopg2://db.example:5433/shop"}),
        json!({"protocol": "postgresql", "driver_family": "asyncpg", "connection_json": {"host": "db.example", "database": "shop"}}),
        json!({"protocol": "sqlite", "driver_family": "", "base_url": "sqlite:///shop.sqlite"}),
        json!({"protocol": "file", "driver_family": "csv", "connection_json": {"path": "in/customers.csv"}}),
        json!({"protocol": "https", "driver_family": "rest", "base_url": "https://api.example/v1", "auth_type": "api_key", "auth_config": {"query": "key", "key": "k"}}),
    ]
    .into_iter()
    .enumerate()
    {
        let mut body = good.clone();
        body["name"] = format!("good {i}").into();
        server.post(path, &body).await.is(StatusCode::CREATED);
    }
    for (bad, field) in [
        (json!({"protocol": "gopher"}), "protocol"),
        (json!({"protocol": "sqlite", "driver_family": "csv"}), "driver_family"),
        (json!({"protocol": "sqlite"}), "connection_json.path"),
        (
            json!({"protocol": "sqlite", "connection_json": {"path": "../../etc/passwd"}}),
            "connection_json.path",
        ),
        (json!({"protocol": "sqlite", "connection_json": {"path": "/etc/passwd"}}), "connection_json.path"),
        (
            json!({"protocol": "sqlite", "connection_json": {"path": "a", "mode": "rwc"}}),
            "connection_json.mode",
        ),
        (json!({"protocol": "postgresql"}), "connection_json.host"),
        (
            json!({"protocol": "postgresql", "connection_json": {"host": "h", "database": "d", "options": "-c x"}}),
            "connection_json.options",
        ),
        (json!({"protocol": "http", "driver_family": "rest"}), "base_url"),
        (json!({"protocol": "http", "base_url": "ftp://x"}), "base_url"),
        (json!({"protocol": "http", "base_url": "http://x?key=1"}), "base_url"),
        (json!({"protocol": "http", "base_url": "http://x", "auth_type": "bearer"}), "auth_config.token"),
        (
            json!({"protocol": "http", "base_url": "http://x", "auth_type": "basic", "auth_config": {"username": "u", "password": "p", "token": "t"}}),
            "auth_config.token",
        ),
        (
            json!({"protocol": "http", "base_url": "http://x", "auth_type": "api_key", "auth_config": {"key": "k"}}),
            "auth_config",
        ),
        (
            json!({"protocol": "http", "base_url": "http://x", "auth_type": "bearer", "auth_config": {"token": "********"}}),
            "auth_config.token",
        ),
        (json!({"protocol": "http", "base_url": "http://x", "auth_type": "magic"}), "auth_type"),
        (json!({"protocol": "http", "base_url": "http://x", "colour": "red"}), "colour"),
    ] {
        let mut body = bad.clone();
        body["name"] = "bad".into();
        let answer = server.post(path, &body).await.is(StatusCode::UNPROCESSABLE_ENTITY);
        assert!(answer.fields().contains(&field), "{bad}: {}", answer.text);
    }
}

#[tokio::test]
async fn a_secret_goes_in_and_never_comes_out() {
    let server = TestServer::start_idle(&[]).await;
    server.tenant("acme").await;
    let planted = "pl4nted-s3cret";
    let path = "/api/datasource-configs?tenant_id=acme";
    let url = format!("postgresql://reader:{planted}@db.example/shop");
    let bodies = [
        json!({"name": "a", "protocol": "http", "base_url": "http://x.example", "auth_type": "bearer", "auth_config": {"token": planted}}),
        json!({"name": "b", "protocol": "postgresql", "base_url": url}),
        json!({"name": "c", "protocol": "http", "base_url": "http://x.example", "auth_type": "basic", "auth_config": {"username": "u", "password": planted}}),
    ];
    for body in &bodies {
        let made = server.post(path, body).await.is(StatusCode::CREATED);
        assert!(!made.text.contains(planted), "{}", made.text);
        let id = made.id("config_id");
        let one = server.get(&format!("/api/datasource-configs/{id}?tenant_id=acme")).await;
        assert!(!one.text.contains(planted));
        // What was read can be sent back: the mask keeps the secret.
        let back = server.put(&format!("/api/datasource-configs/{id}?tenant_id=acme"), &one.body).await;
        assert!(!back.is(StatusCode::OK).text.contains(planted));
    }
    let list = server.get(path).await.is(StatusCode::OK);
    assert!(!list.text.contains(planted));
    assert_eq!(list.body[0]["auth_config"], json!({"token": "********"}));
    assert_eq!(list.body[1]["base_url"], "postgresql://db.example/shop");
    assert_eq!(list.body[1]["auth_type"], "basic");

    // Nor does it lie in the database. The stored value still opens, and only in its own row.
    let mut conn = server.database().superuser().await;
    let dump: Vec<(String,)> = sqlx::query_as("SELECT row_to_json(c)::text FROM datasource_configs c")
        .fetch_all(&mut conn)
        .await
        .unwrap();
    let hex = crate::server::token::hex(planted.as_bytes());
    assert!(dump.iter().all(|(row,)| !row.contains(planted) && !row.contains(&hex)));
    let tenant = "acme".parse().unwrap();
    let open = async |name: &str| {
        let mut tx = server.app.database.tenant(&tenant).await.unwrap();
        crate::datasources::server::config_service::connection(&server.app, &mut tx, name).await
    };
    assert!(format!("{:?}", open("a").await.unwrap()).contains("REDACTED"), "it prints without its secret");
    sqlx::query(
        "UPDATE datasource_configs SET auth_config = (SELECT auth_config FROM datasource_configs WHERE name = 'a'), \
         auth_type = 'bearer' WHERE name = 'c'",
    )
    .execute(&mut conn)
    .await
    .unwrap();
    assert!(open("c").await.is_err(), "a ciphertext that was moved does not open");
    sqlx::query("UPDATE datasource_configs SET auth_config = set_byte(auth_config, 60, get_byte(auth_config, 60) # 1) WHERE name = 'a'")
        .execute(&mut conn)
        .await
        .unwrap();
    assert!(open("a").await.is_err(), "nor does one that was changed");
    let broken = server.get(path).await.is(StatusCode::OK);
    assert_eq!(broken.body[0]["auth_config"], json!({"token": "********"}), "a read does not open it");
}

#[tokio::test]
async fn a_malformed_request_is_told_what_is_wrong_and_where() {
    let server = TestServer::start_idle(&[]).await;
    server.tenant("acme").await;
    let send = async |body: &str, kind: &str| {
        let request = server.request(Method::POST, "/api/intents?tenant_id=acme", Some(&server.key));
        Answer::of(request.header("content-type", kind).body(body.to_owned()).send().await.unwrap()).await
    };
    let json = "application/json";
    for (body, field) in [
        ("", "body"),
        ("{", "body"),
        ("[]", "body"),
        ("{}", "name"),
        (r#"{"name": 1}"#, "name"),
        (r#"{"name": "a", "x": 1}"#, "x"),
        (r#"{"name": "a"} {}"#, "body"),
        (r#"{"name": " "}"#, "name"),
        ("{\"name\": \"a\\u0000b\"}", "name"),
        (r#"{"name": "a", "description": "\u0000"}"#, "description"),
        (r#"{"name": "\ud800"}"#, "name"),
        (
            r#"{"name": "a", "match": {"any": [{"field": "subject", "op": "like", "value": "x"}]}}"#,
            "match.any[0].op",
        ),
        (
            r#"{"name": "a", "match": {"any": [{"field": "nonsense", "op": "equals", "value": "x"}]}}"#,
            "match.any[0].field",
        ),
        (
            r#"{"name": "a", "match": {"all": [{"field": "subject", "op": "regex", "value": "("}]}}"#,
            "match.all[0].value",
        ),
        (
            r#"{"name": "a", "extractors": [{"name": "subject", "field": "body", "pattern": "(x)"}]}"#,
            "extractors[0].name",
        ),
        (
            r#"{"name": "a", "extractors": [{"name": "n", "field": "body", "pattern": "x"}]}"#,
            "extractors[0].pattern",
        ),
        (r#"{"name": "a", "tenant_id": "globex"}"#, "tenant_id"),
    ] {
        let answer = send(body, json).await.is(StatusCode::UNPROCESSABLE_ENTITY);
        assert_eq!(answer.fields(), [field], "{body}: {}", answer.text);
    }
    send("{}", "text/plain").await.is(StatusCode::UNSUPPORTED_MEDIA_TYPE);
    let huge = format!(r#"{{"name": "{}"}}"#, "a".repeat(10 << 20));
    send(&huge, json).await.is(StatusCode::PAYLOAD_TOO_LARGE);
    let deep = format!(r#"{{"name": {}1{}}}"#, "[".repeat(100_000), "]".repeat(100_000));
    send(&deep, json).await.is(StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(server.get("/api/intents?tenant_id=acme").await.body, json!([]));
    let not_a_number = server.get("/api/intents/abc?tenant_id=acme").await;
    assert_eq!(not_a_number.is(StatusCode::UNPROCESSABLE_ENTITY).fields(), ["intent_id"]);
    for path in ["/api", "/api/", "/api/nonsense"] {
        let detail = "There is no such call. GET /api/openapi.json lists all there are";
        server.get(path).await.problem(StatusCode::NOT_FOUND, detail);
    }
    let request = server.request(Method::PATCH, "/api/intents?tenant_id=acme", Some(&server.key));
    Answer::of(request.send().await.unwrap()).await.is(StatusCode::METHOD_NOT_ALLOWED);
}

#[tokio::test]
async fn roles_reach_as_far_as_the_table_says() {
    let server = TestServer::start_idle(&[]).await;
    server.tenant("acme").await;
    let intent = json!({"name": "A"});
    let config = sqlite_config("c");
    for (role, can_take_in, can_configure, can_credentials) in [
        (Role::Viewer, false, false, false),
        (Role::Operator, true, false, false),
        (Role::Editor, true, true, false),
        (Role::Admin, true, true, true),
    ] {
        let key = server.key_of("acme", role).await;
        let expect = |may: bool, good: StatusCode| if may { good } else { StatusCode::FORBIDDEN };
        let send = async |method: Method, path: &str, kind: &str, body: String| {
            let request = server.request(method, path, Some(&key)).header("content-type", kind).body(body);
            Answer::of(request.send().await.unwrap()).await
        };
        let json = "application/json";
        let named = |body: &Value| {
            let mut body = body.clone();
            body["name"] = format!("{role}").into();
            body.to_string()
        };
        send(Method::GET, "/api/intents?tenant_id=acme", json, String::new()).await.is(StatusCode::OK);
        send(
            Method::POST,
            "/api/emails?tenant_id=acme",
            "message/rfc822",
            format!("Subject: {role}\r\n\r\nx"),
        )
        .await
        .is(expect(can_take_in, StatusCode::ACCEPTED));
        send(Method::POST, "/api/intents?tenant_id=acme", json, named(&intent))
            .await
            .is(expect(can_configure, StatusCode::CREATED));
        send(Method::POST, "/api/datasource-configs?tenant_id=acme", json, named(&config))
            .await
            .is(expect(can_credentials, StatusCode::CREATED));
        send(Method::POST, "/api/tenants", json, json!({"tenant_id": "x", "name": "X"}).to_string())
            .await
            .is(StatusCode::FORBIDDEN);
        send(Method::DELETE, "/api/tenants/acme", json, String::new()).await.is(StatusCode::FORBIDDEN);
        let tenants = send(Method::GET, "/api/tenants", json, String::new()).await;
        assert_eq!(tenants.body.as_array().unwrap().len(), 1);
    }
}

#[tokio::test]
async fn a_parameter_that_a_call_does_not_have_is_refused_and_those_it_has_are_named() {
    let server = TestServer::start_idle(&[]).await;
    server.tenant("acme").await;
    let told = async |path: &str| {
        let answer = server.get(path).await.is(StatusCode::UNPROCESSABLE_ENTITY);
        answer.body["detail"].as_str().unwrap().to_owned()
    };
    // Nobody would see that such a list is of everything.
    let of_emails = told("/api/emails?tenant_id=acme&decisions=rejected").await;
    assert!(of_emails.starts_with("decisions: there is no such parameter; there are tenant_id, decision, "));
    let of_none = "tenant_id: there is no such parameter, nor any other";
    assert_eq!(told("/api/tenants/acme?tenant_id=acme").await, of_none);
    assert_eq!(
        told("/api/files/a/b.csv?tenant_id=acme&version=1").await,
        "version: there is no such parameter; there is tenant_id"
    );
    let path = "/api/emails?tenant_id=acme&decisions=rejected";
    let head = server.request(Method::HEAD, path, Some(&server.key)).send().await.unwrap();
    assert_eq!(head.status(), StatusCode::UNPROCESSABLE_ENTITY);
    // What is no call of the API takes what comes.
    for path in ["/healthz?x=1", "/api/openapi.json?x=1"] {
        server.get(path).await.is(StatusCode::OK);
    }
    server.get("/api/nothing?x=1").await.is(StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn what_is_no_moment_and_what_is_no_path_are_told_in_words() {
    let server = TestServer::start_idle(&[]).await;
    server.tenant("acme").await;
    let unprocessable = StatusCode::UNPROCESSABLE_ENTITY;
    for (query, field) in [("from=2026-11-30", "from"), ("to=30.11.2026", "to")] {
        for list in ["emails", "audit-log"] {
            let answer = server.get(&format!("/api/{list}?tenant_id=acme&{query}")).await;
            let detail = format!("{field}: must be a moment such as 2026-11-30T00:00:00Z");
            answer.problem(unprocessable, &detail);
        }
    }
    let key = json!({"name": "k", "role": "viewer", "expires_at": "tomorrow"});
    let answer = server.post("/api/api-keys?tenant_id=acme", &key).await;
    answer.problem(unprocessable, "expires_at: must be a moment such as 2026-11-30T00:00:00Z");
    let request =
        server.request(Method::PUT, "/api/files/..%2fx.csv?tenant_id=acme", Some(&server.key)).body("a\n1\n");
    let answer = Answer::of(request.send().await.unwrap()).await;
    answer.problem(unprocessable, "path: '../x.csv' is not a valid path");
}

#[tokio::test]
async fn a_headers_value_is_an_administrators_to_set_and_an_editor_is_told_so() {
    let server = TestServer::start_idle(&[]).await;
    server.tenant("acme").await;
    let editor = server.key_of("acme", Role::Editor).await;
    let route = |headers: Value| {
        json!({"name": "r", "kind": "webhook", "decisions": ["review"],
            "settings": {"url": "https://hooks.example/x", "headers": headers}})
    };
    let as_editor = async |method: Method, path: &str, body: &Value| {
        Answer::of(server.request(method, path, Some(&editor)).json(body).send().await.unwrap()).await
    };
    let all = "/api/routes?tenant_id=acme";
    let refusal = "To set or change a header's value needs the role admin; yours is editor";
    let set = route(json!({"X-Key": "one"}));
    as_editor(Method::POST, all, &set).await.problem(StatusCode::FORBIDDEN, refusal);
    let id = server.post(all, &set).await.is(StatusCode::CREATED).id("route_id");
    let path = format!("/api/routes/{id}?tenant_id=acme");
    let changed = route(json!({"X-Key": "two"}));
    as_editor(Method::PUT, &path, &changed).await.problem(StatusCode::FORBIDDEN, refusal);
    let kept = route(json!({"X-Key": "********"}));
    as_editor(Method::PUT, &path, &kept).await.is(StatusCode::OK);
    let orphan = json!({"name": "l", "kind": "label", "decisions": ["review"], "settings": {"label": "x"}, "intent_id": 99});
    let refused = as_editor(Method::POST, all, &orphan).await;
    assert_eq!(refused.problem(StatusCode::BAD_REQUEST, "Invalid intent").fields(), ["intent_id"]);
}

#[tokio::test]
async fn a_path_that_is_no_utf_8_is_the_callers_fault() {
    let server = TestServer::start_idle(&[]).await;
    server.tenant("acme").await;
    for path in ["/api/intents/%FF", "/api/files/%E4rzte.csv", "/api/intents/1/versions/%FF"] {
        let answer = server.get(&format!("{path}?tenant_id=acme")).await;
        assert_eq!(answer.is(StatusCode::UNPROCESSABLE_ENTITY).fields(), ["path"], "{path}");
    }
}

#[tokio::test]
async fn rules_of_an_intent_and_files_come_in_pages() {
    let server = TestServer::start_idle(&[]).await;
    server.tenant("acme").await;
    let rule = |priority: i32| json!({"field_name": "subject", "rule_type": "regex", "conditions": {"pattern": "x"}, "priority": priority});
    let body = json!({"intent": {"name": "A"}, "validation_rules": [rule(3), rule(1), rule(2)]});
    let made =
        server.post("/api/intents/with-rules?tenant_id=acme", &body).await.is(StatusCode::CREATED).body;
    for name in ["b.csv", "a.csv", "c/a.csv"] {
        server.write_file("acme", name.trim_start_matches("c/"), b"a\n1\n");
        let request =
            server.request(Method::PUT, &format!("/api/files/{name}?tenant_id=acme"), Some(&server.key));
        assert!(request.body("a\n1\n").send().await.unwrap().status().is_success(), "{name}");
    }
    let rules = format!("/api/intents/{}/validation-rules?tenant_id=acme", made["intent"]["intent_id"]);
    for (path, member, expected) in [
        (rules.as_str(), "priority", [json!(1), json!(2), json!(3)]),
        ("/api/files?tenant_id=acme", "path", [json!("a.csv"), json!("b.csv"), json!("c/a.csv")]),
    ] {
        let mut next = format!("{path}&limit=2");
        let mut found = Vec::new();
        for page in 1..=2 {
            let answer = server.get(&next).await.is(StatusCode::OK);
            found.extend(answer.body.as_array().unwrap().iter().map(|item| item[member].clone()));
            let link = answer.headers.get(header::LINK).map(|link| link.to_str().unwrap().to_owned());
            assert_eq!(link.is_some(), page == 1, "{path}");
            if let Some(link) = link {
                next = link.split('>').next().unwrap().trim_start_matches('<').to_owned();
            }
        }
        assert_eq!(found, expected, "{path}");
        for limit in ["0", "1001"] {
            let answer = server.get(&format!("{path}&limit={limit}")).await;
            assert_eq!(answer.is(StatusCode::UNPROCESSABLE_ENTITY).fields(), ["limit"], "{path}");
        }
    }
}

#[tokio::test]
async fn the_gate_and_a_members_role_are_guarded_against_lost_updates() {
    let server = TestServer::start_idle(&[]).await;
    server.tenant("acme").await;
    let ada = server
        .post("/api/invitations?tenant_id=acme", &json!({"email": "ada@acme.example", "role": "admin"}))
        .await;
    let link = ada.is(StatusCode::CREATED).body["link"].as_str().unwrap().to_owned();
    let link = link.rsplit_once('/').unwrap().1.to_owned();
    let accept = server
        .request(Method::POST, &format!("/invitation/{link}"), None)
        .header("sec-fetch-site", "same-origin")
        .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
        .body("display_name=Ada&password=a+horse+that+staples+batteries");
    let accepted = accept.send().await.unwrap();
    assert!(!accepted.status().is_client_error() && !accepted.status().is_server_error());
    let members = server.get("/api/members?tenant_id=acme").await.is(StatusCode::OK).body;
    let member = format!("/api/members/{}?tenant_id=acme", members[0]["user_id"]);
    for (path, change) in [
        (member.as_str(), json!({"role": "admin"})),
        ("/api/classifier?tenant_id=acme", json!({"gate": 0.8})),
    ] {
        let read = server.get(path).await.is(StatusCode::OK);
        let put = async |tag: &str| {
            let request = server.request(Method::PUT, path, Some(&server.key)).header(header::IF_MATCH, tag);
            request.json(&change).send().await.unwrap().status()
        };
        assert_eq!(put("\"stale\"").await, StatusCode::PRECONDITION_FAILED, "{path}");
        assert_eq!(put(read.headers[header::ETAG].to_str().unwrap()).await, StatusCode::OK, "{path}");
    }
    let read = server.get(&member).await.is(StatusCode::OK);
    for (tag, status) in [
        ("\"stale\"", StatusCode::PRECONDITION_FAILED),
        // She is who was read, and the last administrator.
        (read.headers[header::ETAG].to_str().unwrap(), StatusCode::BAD_REQUEST),
    ] {
        let request = server.request(Method::DELETE, &member, Some(&server.key));
        Answer::of(request.header(header::IF_MATCH, tag).send().await.unwrap()).await.is(status);
    }
    // What a GET gave can be sent back.
    let read = server.get(&member).await.is(StatusCode::OK).body;
    server.put(&member, &read).await.is(StatusCode::OK);
}

#[tokio::test]
async fn what_is_exported_can_be_imported() {
    let server = TestServer::start_idle(&[]).await;
    server.tenant("acme").await;
    server.post("/api/intents?tenant_id=acme", &json!({"name": "A"})).await.is(StatusCode::CREATED);
    let mut conn = server.database().superuser().await;
    // More than can be made by the calls of today.
    for (more, less, detail) in [
        (
            "UPDATE intents SET description = repeat('x', 4194304)",
            "UPDATE intents SET description = ''",
            "The document has 4194",
        ),
        (
            "INSERT INTO datasources (tenant_id, name, datasource_type, connection_key) \
             SELECT 'acme', n::text, 'database', 'c' FROM generate_series(1, 2001) AS n",
            "DELETE FROM datasources",
            "The document has more than an import takes in: datasources must be at most 2000",
        ),
    ] {
        sqlx::raw_sql(more).execute(&mut conn).await.unwrap();
        for format in ["yaml", "json"] {
            let export = server.get(&format!("/api/export?tenant_id=acme&format={format}")).await;
            let export = export.is(StatusCode::BAD_REQUEST);
            let said = export.body["detail"].as_str().unwrap();
            assert!(said.starts_with(detail), "{said}");
        }
        sqlx::raw_sql(less).execute(&mut conn).await.unwrap();
    }
    server.get("/api/export?tenant_id=acme").await.is(StatusCode::OK);
    let document = server.get("/api/openapi.json").await.is(StatusCode::OK).body;
    assert!(document["paths"]["/api/export"]["get"]["responses"]["400"].is_object());
}
