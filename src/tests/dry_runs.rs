//! Dry-runs: every step is shown, nothing is stored, nothing sent.

use base64::{Engine, prelude::BASE64_STANDARD};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, PgConnection};

use super::{
    receivers::{Receiver, Relay},
    support::{Answer, TestServer, message},
};
use crate::auth::dto::Role;

const PATH: &str = "/api/emails/dry-run?tenant_id=acme";

/// A tenant with a file of customers, an intent that asks it, and a message that was rejected.
struct Shop {
    server: TestServer,
    source: i64,
    intent: i64,
    email: Value,
}

impl Shop {
    async fn new(vars: &[(&str, &str)]) -> Self {
        let server = TestServer::start_with(vars).await;
        server.tenant("acme").await;
        server.write_file("acme", "c.csv", b"email,status\nann@x.example,active\n");
        let config = json!({"name": "csv", "protocol": "file", "driver_family": "csv", "connection_json": {"path": "c.csv"}});
        server.post("/api/datasource-configs?tenant_id=acme", &config).await.is(StatusCode::CREATED);
        let source = json!({"name": "Customers", "datasource_type": "file", "connection_key": "csv"});
        let source = server
            .post("/api/datasources?tenant_id=acme", &source)
            .await
            .is(StatusCode::CREATED)
            .id("datasource_id");
        let shop = Self { server, source, intent: 0, email: Value::Null };
        let body = json!({"intent": shop.draft(), "validation_rules": [shop.exists()]});
        let made = shop
            .server
            .post("/api/intents/with-rules?tenant_id=acme", &body)
            .await
            .is(StatusCode::CREATED)
            .body;
        let email = shop.server.decide("acme", message("bob@x.example", "order #7", "x")).await;
        assert_eq!(email["decision"], "rejected");
        Self { intent: made["intent"]["intent_id"].as_i64().unwrap(), email, ..shop }
    }

    fn draft(&self) -> Value {
        json!({
            "name": "Orders",
            "match": {"all": [{"field": "subject", "op": "contains", "value": "order"}]},
            "extractors": [{"name": "order_number", "field": "subject", "pattern": "#(\\d+)"}]
        })
    }

    fn exists(&self) -> Value {
        json!({"field_name": "sender_email", "rule_type": "exists", "datasource_id": self.source, "conditions": {"match": {"email": "{{sender_email}}"}}})
    }

    async fn run(&self, body: Value) -> Value {
        self.server.post(PATH, &body).await.is(StatusCode::OK).body
    }
}

/// What each table holds, in one number each.
async fn checksums(conn: &mut PgConnection) -> Vec<(String, i64, Option<i64>)> {
    let tables: Vec<String> =
        sqlx::query_scalar("SELECT tablename::text FROM pg_tables WHERE schemaname = 'eivs' ORDER BY 1")
            .fetch_all(&mut *conn)
            .await
            .unwrap();
    let mut sums = Vec::new();
    for table in tables {
        // When a key was last used is noted with every request.
        let row = if table == "instance_api_keys" { "to_jsonb(t) - 'last_used_at'" } else { "to_jsonb(t)" };
        let sql = format!("SELECT count(*), sum(hashtext(({row})::text)) FROM eivs.{table} t");
        let (count, sum): (i64, Option<i64>) =
            sqlx::query_as(AssertSqlSafe(sql)).fetch_one(&mut *conn).await.unwrap();
        sums.push((table, count, sum));
    }
    sums
}

#[tokio::test]
async fn with_every_kind_of_route_nothing_is_stored_and_nothing_sent() {
    let (relay, receiver) = (Relay::start(), Receiver::start().await);
    let shop = Shop::new(&[("SMTP_URL", &relay.url()), ("SMTP_FROM", "flow@acme.example")]).await;
    for (kind, settings) in [
        ("webhook", json!({"url": format!("{}/hook", receiver.base), "headers": {"X-Key": "s3cret-value"}})),
        ("forward", json!({"to": ["desk@acme.example"], "note": "{{subject}}"})),
        ("reply", json!({"body": "Dear {{sender_email}}"})),
        ("label", json!({"label": "order {{order_number}}"})),
    ] {
        let body = json!({"name": kind, "kind": kind, "intent_id": shop.intent, "decisions": ["accepted"], "settings": settings});
        shop.server.post("/api/routes?tenant_id=acme", &body).await.is(StatusCode::CREATED);
    }
    let mut conn = shop.server.database().superuser().await;
    let before = checksums(&mut conn).await;
    assert!(before.len() > 20, "{before:?}");
    let raw = message("ann@x.example", "order #42", "x");
    let stored = shop.email["email_id"].clone();
    for body in [
        json!({"message": {"raw": raw}}),
        json!({"message": {"raw_base64": BASE64_STANDARD.encode(&raw)}, "intent_id": shop.intent, "intent": shop.draft(), "validation_rules": [shop.exists()]}),
        json!({"message": {"email_id": stored}, "intent_id": shop.intent, "validation_rules": []}),
    ] {
        let run = shop.run(body).await;
        assert_eq!(run["decision"], "accepted", "{run:#}");
        let planned = run["deliveries"].as_array().unwrap();
        let kinds: Vec<&str> = planned.iter().map(|planned| planned["kind"].as_str().unwrap()).collect();
        assert_eq!(kinds, ["webhook", "forward", "reply", "label"]);
        assert!(planned.iter().all(|planned| planned["withheld"] == Value::Null), "{planned:?}");
        assert_eq!(planned[0]["payload"]["data"]["decision"], "accepted");
        assert!(planned[3]["destination"].as_str().unwrap().starts_with("order "));
        assert!(!run.to_string().contains("s3cret-value") && !run.to_string().contains("whsec_"));
    }
    assert_eq!(checksums(&mut conn).await, before, "nothing is stored");
    assert!(receiver.hooks().is_empty() && relay.mails().is_empty(), "nothing is sent");
    // The same routes are real: a message that comes in is sent along each.
    let email = shop.server.decide("acme", raw).await;
    super::support::eventually("all four are done", async || {
        let path = format!("/api/emails/{}?tenant_id=acme", email["email_id"].as_str().unwrap());
        let email = shop.server.get(&path).await.body;
        let deliveries = email["deliveries"].as_array().unwrap().clone();
        (deliveries.iter().filter(|d| d["status"] == "delivered").count() == 4).then_some(())
    })
    .await;
    assert_eq!((receiver.hooks().len(), relay.mails().len()), (1, 2));
    assert_ne!(checksums(&mut conn).await, before, "the checksums would have told");
}

#[tokio::test]
async fn each_step_is_shown_and_a_draft_changes_it() {
    let shop = Shop::new(&[]).await;
    let raw = message("ann@x.example", "order #42", "x");
    let run = shop.run(json!({"message": {"raw": raw}})).await;
    assert_eq!(run["intent"], json!({"intent_id": shop.intent, "name": "Orders"}));
    assert_eq!(run["classification"]["because"][0], "subject contains \"order\"");
    assert_eq!(run["extractions"][0]["value"], "42");
    assert_eq!(run["fields"]["order_number"], "42");
    let verdict = &run["verdicts"][0];
    let asked = json!({"match": {"email": "ann@x.example"}, "ignore_case": ["email"]});
    assert_eq!(verdict["evidence"]["lookup"], asked);
    assert_eq!(verdict["evidence"]["rows"], json!([{"email": "ann@x.example", "status": "active"}]));
    assert_eq!((&verdict["verdict"], &run["decision"]), (&json!("pass"), &json!("accepted")));
    assert_eq!(run["explanation"], "Accepted: the one rule of Orders passed.");

    // A draft in the place of the saved intent: another extractor, other rules in their order.
    let mut draft = shop.draft();
    draft["extractors"] = json!([{"name": "code", "field": "subject", "pattern": "code (\\d+)"}]);
    let mut equals = shop.exists();
    equals["rule_type"] = "equals".into();
    equals["conditions"]["column"] = "status".into();
    equals["conditions"]["expected"] = "blocked".into();
    equals["priority"] = 1.into();
    let rules = json!([shop.exists(), equals, {"field_name": "subject", "rule_type": "regex", "conditions": {"pattern": "x"}, "is_active": false}]);
    let body = json!({"message": {"raw": raw}, "intent_id": shop.intent, "intent": draft, "validation_rules": rules});
    let run = shop.run(body).await;
    assert_eq!(run["extractions"][0]["why_not"], "the pattern is not found");
    let ids: Vec<i64> =
        run["verdicts"].as_array().unwrap().iter().map(|v| v["rule_id"].as_i64().unwrap()).collect();
    assert_eq!(ids, [-2, -1], "by priority, the inactive one left out");
    assert_eq!((&run["verdicts"][0]["verdict"], &run["decision"]), (&json!("fail"), &json!("rejected")));
    assert_eq!(run["verdicts"][0]["evidence"]["compared"]["actual"], "active");

    // A new intent beside the others: it comes in by its priority, or where it is asked for.
    let new = json!({"name": "Urgent", "priority": 1, "match": {"all": [{"field": "subject", "op": "contains", "value": "order"}]}});
    let run = shop.run(json!({"message": {"raw": raw}, "intent": new})).await;
    assert_eq!(run["intent"], json!({"intent_id": null, "name": "Urgent"}));
    let unmatched =
        json!({"name": "Rare", "match": {"all": [{"field": "subject", "op": "equals", "value": "never"}]}});
    let run = shop.run(json!({"message": {"raw": raw}, "intent": unmatched})).await;
    assert_eq!(run["intent"]["name"], "Orders");
    let run = shop.run(json!({"message": {"raw": raw}, "intent": unmatched, "requested": true})).await;
    assert_eq!(run["intent"]["name"], "Rare");
    assert_eq!(run["classification"]["because"], json!(["this dry run asks for it"]));

    // Rules alone.
    let path = "/api/validation-rules/dry-run?tenant_id=acme";
    let alone = json!({"message": {"email_id": shop.email["email_id"]}, "validation_rules": [shop.exists()]});
    let run = shop.server.post(path, &alone).await.is(StatusCode::OK).body;
    assert_eq!(
        (&run["verdicts"][0]["verdict"], &run["verdicts"][0]["rule_id"]),
        (&json!("fail"), &json!(-1))
    );
    let mut by_number = shop.exists();
    by_number["conditions"] = json!({"match": {"email": "{{order_number}}"}});
    let with_intent = json!({"message": {"email_id": shop.email["email_id"]}, "intent_id": shop.intent, "validation_rules": [by_number]});
    let run = shop.server.post(path, &with_intent).await.is(StatusCode::OK).body;
    assert_eq!(run["verdicts"][0]["evidence"]["lookup"], json!({"match": {"email": "7"}}));
}

/// A datasource that cannot be asked is `error`, at once, and no verdict.
#[tokio::test]
async fn a_fault_of_a_datasource_is_shown_as_such() {
    let shop = Shop::new(&[]).await;
    let config = json!({"name": "down", "protocol": "http", "base_url": "http://127.0.0.1:1"});
    shop.server.post("/api/datasource-configs?tenant_id=acme", &config).await.is(StatusCode::CREATED);
    let down = json!({"name": "Down", "datasource_type": "api", "connection_key": "down"});
    let down = shop
        .server
        .post("/api/datasources?tenant_id=acme", &down)
        .await
        .is(StatusCode::CREATED)
        .id("datasource_id");
    let rule = json!({"field_name": "subject", "rule_type": "exists", "datasource_id": down, "conditions": {"path": "/x"}});
    let body = json!({"message": {"raw": message("a@x.example", "order", "x")}, "intent_id": shop.intent, "validation_rules": [rule]});
    let run = shop.run(body).await;
    assert_eq!((&run["verdicts"][0]["verdict"], &run["decision"]), (&json!("error"), &json!("review")));
}

#[tokio::test]
async fn a_bad_draft_is_refused_as_saving_it_would_be() {
    let shop = Shop::new(&[("MAX_MESSAGE_BYTES", "5000")]).await;
    let raw = message("ann@x.example", "order #42", "x");
    let ok = json!({"raw": raw});
    let rule = |change: &dyn Fn(&mut Value)| {
        let mut rule = shop.exists();
        change(&mut rule);
        json!([shop.exists(), rule])
    };
    for (body, field) in [
        (json!({}), "message"),
        (json!({"message": {}}), "message"),
        (json!({"message": {"raw": "a", "raw_base64": "YQ=="}}), "message"),
        (json!({"message": {"raw": ""}}), "message"),
        (json!({"message": {"raw_base64": "%"}}), "message.raw_base64"),
        (json!({"message": {"email_id": "nonsense"}}), "message.email_id"),
        (json!({"message": ok, "colour": 1}), "colour"),
        (json!({"message": ok, "requested": true}), "requested"),
        (json!({"message": ok, "validation_rules": []}), "intent"),
        (json!({"message": ok, "intent": {"name": ""}}), "intent.name"),
        (
            json!({"message": ok, "intent": {"name": "x", "match": {"any": [{"field": "subject", "op": "like", "value": "x"}]}}}),
            "intent.match.any[0].op",
        ),
        (
            json!({"message": ok, "intent": {"name": "x", "extractors": [{"name": "a", "field": "subject", "pattern": "("}]}}),
            "intent.extractors[0].pattern",
        ),
        (
            json!({"message": ok, "intent_id": shop.intent, "validation_rules": rule(&|r| r["conditions"] = json!({"match": {"email": "{{nothing}}"}}))}),
            "validation_rules[1].conditions",
        ),
        (
            json!({"message": ok, "intent_id": shop.intent, "validation_rules": rule(&|r| r["rule_type"] = "like".into())}),
            "validation_rules[1].rule_type",
        ),
        (
            json!({"message": ok, "intent_id": shop.intent, "validation_rules": rule(&|r| r["conditions"] = json!({"query": "DELETE FROM data"}))}),
            "validation_rules[1].conditions.query",
        ),
    ] {
        let answer = shop.server.post(PATH, &body).await.is(StatusCode::UNPROCESSABLE_ENTITY);
        assert_eq!(answer.fields(), [field], "{body}");
    }
    let post = async |body: Value| shop.server.post(PATH, &body).await;
    post(json!({"message": ok, "intent_id": 999})).await.is(StatusCode::NOT_FOUND);
    post(json!({"message": {"email_id": uuid::Uuid::now_v7()}})).await.is(StatusCode::NOT_FOUND);
    post(json!({"message": ok, "intent": {"name": "Orders"}}))
        .await
        .problem(StatusCode::CONFLICT, "Intent 'Orders' already exists");
    post(json!({"message": {"raw": "x".repeat(5_001)}})).await.is(StatusCode::PAYLOAD_TOO_LARGE);
    // An intent that is not active has its name too.
    let idle = json!({"name": "Idle", "is_active": false});
    shop.server.post("/api/intents?tenant_id=acme", &idle).await.is(StatusCode::CREATED);
    post(json!({"message": ok, "intent": {"name": "Idle"}}))
        .await
        .problem(StatusCode::CONFLICT, "Intent 'Idle' already exists");
    // Line ends take twice their room in JSON: what fits an intake fits here.
    post(json!({"message": {"raw": format!("Subject: x\r\n\r\n{}", "\r\n".repeat(2_480))}}))
        .await
        .is(StatusCode::OK);
    // A saved route or rule needs what the draft's extractors would no longer give.
    let bare = json!({"message": ok, "intent_id": shop.intent, "intent": {"name": "Orders"}});
    post(bare.clone()).await.is(StatusCode::OK);
    let label = json!({"name": "mark", "kind": "label", "intent_id": shop.intent, "decisions": ["accepted"], "settings": {"label": "{{order_number}}"}});
    let path = "/api/routes?tenant_id=acme";
    let route = shop.server.post(path, &label).await.is(StatusCode::CREATED).id("route_id");
    assert_eq!(post(bare.clone()).await.is(StatusCode::UNPROCESSABLE_ENTITY).fields(), ["intent.extractors"]);
    let path = format!("/api/routes/{route}?tenant_id=acme");
    shop.server.delete(&path).await.is(StatusCode::NO_CONTENT);
    let needs = json!({"intent_id": shop.intent, "field_name": "order_number", "rule_type": "regex", "conditions": {"pattern": "x"}});
    shop.server.post("/api/validation-rules?tenant_id=acme", &needs).await.is(StatusCode::CREATED);
    assert_eq!(post(bare).await.is(StatusCode::UNPROCESSABLE_ENTITY).fields(), ["intent.extractors"]);
    // Another tenant's message, intent and datasource are not there.
    shop.server.tenant("globex").await;
    let globex = "/api/emails/dry-run?tenant_id=globex";
    for body in [
        json!({"message": {"email_id": shop.email["email_id"]}}),
        json!({"message": ok, "intent_id": shop.intent}),
    ] {
        shop.server.post(globex, &body).await.is(StatusCode::NOT_FOUND);
    }
    let body = json!({"message": ok, "intent": {"name": "x"}, "validation_rules": [shop.exists()]});
    shop.server.post(globex, &body).await.problem(StatusCode::BAD_REQUEST, "Invalid datasource");
    // A draft's look-ups are made with the tenant's credentials, so it takes the editor's role.
    let as_role = async |role: Role, path: &str, body: &Value| {
        let key = shop.server.key_of("acme", role).await;
        let request = shop.server.request(Method::POST, path, Some(&key)).json(body);
        Answer::of(request.send().await.unwrap()).await.status
    };
    let (plain, draft) = (json!({"message": ok}), json!({"message": ok, "intent": {"name": "x"}}));
    let rules = json!({"message": ok, "validation_rules": [shop.exists()]});
    let rules_path = "/api/validation-rules/dry-run?tenant_id=acme";
    for (role, path, body, status) in [
        (Role::Viewer, PATH, &plain, StatusCode::FORBIDDEN),
        (Role::Operator, PATH, &plain, StatusCode::OK),
        (Role::Operator, PATH, &draft, StatusCode::FORBIDDEN),
        (Role::Editor, PATH, &draft, StatusCode::OK),
        (Role::Operator, rules_path, &rules, StatusCode::FORBIDDEN),
        (Role::Editor, rules_path, &rules, StatusCode::OK),
    ] {
        assert_eq!(as_role(role, path, body).await, status, "{role} {path} {body}");
    }
    for path in [PATH, rules_path] {
        let anonymous = shop.server.request(Method::POST, path, None).json(&rules).send().await.unwrap();
        assert_eq!(anonymous.status(), StatusCode::UNAUTHORIZED);
    }
}

#[tokio::test]
async fn rules_alone_run_beside_an_intent_that_is_called_as_their_draft_is() {
    let server = TestServer::start_idle(&[]).await;
    server.tenant("acme").await;
    server.post("/api/intents?tenant_id=acme", &json!({"name": "Draft"})).await.is(StatusCode::CREATED);
    let rule = json!({"field_name": "subject", "rule_type": "regex", "conditions": {"pattern": "order"}});
    let body = json!({"message": {"raw": message("a@x.example", "order", "x")}, "validation_rules": [rule]});
    let run =
        server.post("/api/validation-rules/dry-run?tenant_id=acme", &body).await.is(StatusCode::OK).body;
    assert_eq!(run["verdicts"][0]["verdict"], "pass", "{run:#}");
}
