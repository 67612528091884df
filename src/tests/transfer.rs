//! A tenant's configuration goes out as a document and comes in again: whole, once, and without its secrets.

use proptest::{prelude::*, test_runner::TestRunner};
use reqwest::{Method, StatusCode, header};
use serde_json::{Value, json};

use super::{
    receivers::Receiver,
    support::{Answer, TestServer, eventually, message},
};
use crate::{auth::dto::Role, demo};

const SECRETS: [&str; 3] = ["S3CRET-token", "S3CRET-header", "S3CRET-password"];

async fn export(server: &TestServer, tenant: &str, query: &str) -> String {
    server.get(&format!("/api/export?tenant_id={tenant}{query}")).await.is(StatusCode::OK).text
}

async fn import(server: &TestServer, tenant: &str, query: &str, document: &str) -> Answer {
    import_as(server, Some(&server.key), tenant, query, document).await
}

async fn import_as(
    server: &TestServer,
    key: Option<&str>,
    tenant: &str,
    query: &str,
    document: &str,
) -> Answer {
    let path = format!("/api/import?tenant_id={tenant}{query}");
    let kind = if document.starts_with('{') { "application/json" } else { "application/yaml" };
    let request = server.request(Method::POST, &path, key).header(header::CONTENT_TYPE, kind);
    Answer::of(request.body(document.to_owned()).send().await.unwrap()).await
}

/// `create config shop`, of all that is not the same.
fn differences(plan: &Value) -> Vec<String> {
    let text = |change: &Value, name: &str| change[name].as_str().unwrap().to_owned();
    let changes = plan["changes"].as_array().unwrap().iter().filter(|change| change["action"] != "same");
    changes.map(|c| format!("{} {} {}", text(c, "action"), text(c, "kind"), text(c, "name"))).collect()
}

/// The rows of every table that a configuration stands in, and of its history.
async fn fingerprint(server: &TestServer, tenant: &str) -> Vec<Option<String>> {
    let mut conn = server.database().superuser().await;
    let mut prints = Vec::new();
    for table in [
        "intents",
        "validation_rules",
        "datasources",
        "datasource_configs",
        "routes",
        "intent_examples",
        "classifier_settings",
        "configuration_revisions",
        "intent_versions",
        "data_keys",
    ] {
        let sql = format!(
            "SELECT md5(string_agg(t::text, '|' ORDER BY t::text)) FROM {table} t WHERE tenant_id = $1"
        );
        prints.push(
            sqlx::query_scalar(sqlx::AssertSqlSafe(sql)).bind(tenant).fetch_one(&mut conn).await.unwrap(),
        );
    }
    prints
}

/// One of each kind, with secrets in every place that takes one.
const FULL: &str = r#"version: 1
datasource_configs:
- name: shop
  protocol: http
  base_url: http://shop.example
  auth_type: bearer
  auth_config: {token: S3CRET-token}
- name: db
  protocol: postgresql
  base_url: postgresql://reader:S3CRET-password@db.example/shop
- name: table
  protocol: file
  driver_family: csv
  connection_json: {path: customers.csv}
datasources:
- {name: Shop, datasource_type: api, connection_key: shop}
- {name: Customers, datasource_type: file, connection_key: table, description: Who buys}
intents:
- name: Refund
  priority: 10
  match:
    any: [{field: subject, op: contains, value: refund}]
  extractors:
  - {name: order_number, field: subject_and_body, pattern: '\b(\d{4})\b'}
  validation_rules:
  - {field_name: sender_email, rule_type: exists, datasource: Customers, conditions: {match: {email: '{{sender_email}}'}}}
  - {field_name: order_number, rule_type: exists, datasource: Shop, conditions: {path: '/orders/{{order_number}}'}, priority: 20}
  - {field_name: subject, rule_type: regex, conditions: {pattern: refund}, priority: 30, on_fail: warn}
  examples: [I want my money back, Please refund order 1042]
- name: Question
  is_active: false
routes:
- name: to_shop
  intent: Refund
  kind: webhook
  decisions: [rejected, accepted]
  settings: {url: 'https://hooks.example/x', headers: {X-Key: S3CRET-header}}
- {name: mark, kind: label, decisions: [review], settings: {label: look}}
classifier: {gate: 0.9}
"#;

async fn full(server: &TestServer, tenant: &str) {
    server.tenant(tenant).await;
    let plan = import(server, tenant, "", FULL).await.is(StatusCode::OK).body;
    assert_eq!(plan["applied"], true, "{plan:#}");
    assert_eq!(plan["summary"], json!({"create": 12, "change": 2, "delete": 0, "same": 0}), "{plan:#}");
}

#[tokio::test]
async fn what_was_exported_is_the_same_and_writes_nothing() {
    let server = TestServer::start_idle(&[]).await;
    full(&server, "acme").await;
    let before = fingerprint(&server, "acme").await;
    for query in ["", "&format=json", "&examples=true", "&format=json&examples=true"] {
        let document = export(&server, "acme", query).await;
        for options in ["", "&delete=true", "&dry_run=true"] {
            let plan = import(&server, "acme", options, &document).await.is(StatusCode::OK).body;
            assert_eq!(differences(&plan), Vec::<String>::new(), "{query} {options}");
            assert_eq!(plan["applied"], false);
        }
        assert_eq!(export(&server, "acme", query).await, document, "{query}");
    }
    assert_eq!(fingerprint(&server, "acme").await, before);
    let yaml = export(&server, "acme", "").await;
    assert!(!yaml.contains("money back"), "examples are left out");
    assert!(export(&server, "acme", "&examples=true").await.contains("money back"));
    assert!(!yaml.contains("acme"), "it names no tenant");
    // By name, whatever the order in which they were made; intents as they are tried.
    let json: Value = serde_json::from_str(&export(&server, "acme", "&format=json").await).unwrap();
    let names = |section: &str| -> Vec<String> {
        json[section]
            .as_array()
            .unwrap()
            .iter()
            .map(|entry| entry["name"].as_str().unwrap().to_owned())
            .collect()
    };
    assert_eq!(names("datasource_configs"), ["db", "shop", "table"]);
    assert_eq!(names("intents"), ["Refund", "Question"]);
    assert_eq!(names("routes"), ["mark", "to_shop"]);
    assert_eq!(json["routes"][1]["decisions"], json!(["accepted", "rejected"]));
    assert_eq!(
        json["datasource_configs"][0]["auth_config"],
        json!({"password": "********", "username": "********"})
    );
    let answer = server.get("/api/export?tenant_id=acme").await;
    assert_eq!(answer.headers[header::CONTENT_TYPE], "application/yaml");
    assert_eq!(answer.headers[header::CONTENT_DISPOSITION], "attachment; filename=\"acme.yaml\"");
    server.get("/api/export?tenant_id=acme&format=xml").await.is(StatusCode::UNPROCESSABLE_ENTITY);
    for (accept, query, kind) in [
        ("application/json", "", "application/json"),
        ("application/yaml;q=0.5, application/json", "", "application/json"),
        ("text/html, */*;q=0.8", "", "application/yaml"),
        ("image/png", "", "application/yaml"),
        ("application/json", "&format=yaml", "application/yaml"),
    ] {
        let request =
            server.request(Method::GET, &format!("/api/export?tenant_id=acme{query}"), Some(&server.key));
        let answer = Answer::of(request.header(header::ACCEPT, accept).send().await.unwrap()).await;
        let answer = answer.is(StatusCode::OK);
        assert_eq!(answer.headers[header::CONTENT_TYPE], kind, "{accept} {query}");
        assert_eq!(answer.body.is_object(), kind == "application/json", "{accept} {query}");
    }
}

#[tokio::test]
async fn no_secret_is_in_an_export_or_a_plan() {
    let server = TestServer::start_idle(&[]).await;
    server.tenant("acme").await;
    let mut seen = Vec::new();
    for options in ["&dry_run=true", "", ""] {
        seen.push(import(&server, "acme", options, FULL).await.is(StatusCode::OK).text);
    }
    for query in ["", "&format=json", "&examples=true"] {
        seen.push(export(&server, "acme", query).await);
    }
    let changed = FULL.replace("S3CRET-", "S3CRET-new-").replace("shop.example", "other.example");
    seen.push(import(&server, "acme", "&dry_run=true", &changed).await.is(StatusCode::OK).text);
    seen.push(
        import(
            &server,
            "acme",
            "&delete=true",
            "version: 1\nroutes: []\nintents: []\ndatasources: []\ndatasource_configs: []",
        )
        .await
        .is(StatusCode::OK)
        .text,
    );
    for secret in SECRETS.iter().chain(&["S3CRET"]) {
        assert!(seen.iter().all(|text| !text.contains(secret)), "{secret}");
    }
    // Given again, a secret counts as entered anew: a plan never says whether it was the right one.
    let plan: Value = serde_json::from_str(&seen[2]).unwrap();
    assert_eq!(differences(&plan), ["change config shop", "change config db", "change route to_shop"]);
    assert_eq!(plan["changes"][0]["before"], json!({"auth_config.token": "********"}));
    assert_eq!(plan["changes"][0]["after"], json!({"auth_config.token": "********"}));
}

#[tokio::test]
async fn every_kind_of_change_is_planned_and_made() {
    let server = TestServer::start_idle(&[]).await;
    full(&server, "acme").await;
    let document = FULL
        .replace("http://shop.example", "http://shop.example/v2")
        .replace("{token: S3CRET-token}", "{token: '********'}")
        .replace("postgresql://reader:S3CRET-password@", "postgresql://")
        .replace("  base_url: postgresql", "  auth_type: basic\n  base_url: postgresql")
        .replace("Who buys", "Who has bought")
        .replace("priority: 10\n", "priority: 11\n")
        .replace("priority: 20}", "priority: 5}")
        .replace(
            "pattern: refund}, priority: 30, on_fail: warn",
            "pattern: '^refund'}, priority: 30, on_fail: review",
        )
        .replace("S3CRET-header", "'********'")
        .replace("label: look", "label: look here")
        .replace("gate: 0.9", "gate: 0.99")
        .replace("I want my money back, ", "A third example, ")
        .replace("- name: Question\n", "- name: Complaint\n");
    let planned =
        import(&server, "acme", "&dry_run=true&delete=true", &document).await.is(StatusCode::OK).body;
    let before = fingerprint(&server, "acme").await;
    let plan = import(&server, "acme", "&delete=true", &document).await.is(StatusCode::OK).body;
    assert_eq!(plan["changes"], planned["changes"], "the plan is what is done");
    assert_ne!(fingerprint(&server, "acme").await, before);
    assert_eq!(
        differences(&plan),
        [
            "change config shop",
            "change datasource Customers",
            "change intent Refund",
            "change rule Refund: order_number exists in Shop",
            "change rule Refund: subject regex",
            "change examples Refund",
            "create intent Complaint",
            "change route mark",
            "change classifier classifier",
            "delete intent Question",
        ]
    );
    let rule =
        plan["changes"].as_array().unwrap().iter().find(|c| c["name"] == "Refund: subject regex").unwrap();
    assert_eq!(rule["fields"], json!(["conditions.pattern", "on_fail"]));
    assert_eq!(rule["before"], json!({"conditions.pattern": "refund", "on_fail": "warn"}));
    assert_eq!(rule["after"], json!({"conditions.pattern": "^refund", "on_fail": "review"}));
    let exported = export(&server, "acme", "&examples=true").await;
    for part in
        ["shop.example/v2", "Who has bought", "^refund", "look here", "0.99", "Complaint", "A third example"]
    {
        assert!(exported.contains(part), "{part}: {exported}");
    }
    assert!(!exported.contains("money back") && !exported.contains("Question"));
    // One revision for all of it, and one version for each intent.
    let intents = server.get("/api/intents?tenant_id=acme").await.body;
    let refund = intents.as_array().unwrap().iter().find(|intent| intent["name"] == "Refund").unwrap();
    assert_eq!(refund["version"], 2);
    let versions =
        server.get(&format!("/api/intents/{}/versions?tenant_id=acme", refund["intent_id"])).await.body;
    assert_eq!(versions.as_array().unwrap().len(), 2);
    assert_eq!((&versions[0]["revision"], &versions[0]["created_by"]), (&json!(2), &json!("API key test")));
    // A rule that only changed is the rule that it was.
    let rules = server
        .get(&format!("/api/intents/{}/validation-rules?tenant_id=acme", refund["intent_id"]))
        .await
        .body;
    assert_eq!(rules[0]["field_name"], "order_number", "by priority");
    // Without `delete`, what is not there stays; a section that is left out stays in any case.
    let plan =
        import(&server, "acme", "", "version: 1\nroutes: []\nclassifier: null").await.is(StatusCode::OK).body;
    assert_eq!(plan["changes"], json!([]));
    let plan =
        import(&server, "acme", "&delete=true", "version: 1\nroutes: []").await.is(StatusCode::OK).body;
    assert_eq!(differences(&plan), ["delete route mark", "delete route to_shop"]);
    let rest = "version: 1\nintents:\n- {name: Refund, priority: 11, match: {any: [{field: subject, op: contains, value: refund}]}, extractors: [{name: order_number, field: subject_and_body, pattern: '\\b(\\d{4})\\b'}]}";
    let plan = import(&server, "acme", "&delete=true", rest).await.is(StatusCode::OK).body;
    assert_eq!(differences(&plan), ["delete intent Complaint"], "rules that are left out are not touched");
}

#[tokio::test]
async fn what_would_go_unseen_is_refused() {
    let server = TestServer::start_idle(&[]).await;
    full(&server, "acme").await;
    let before = fingerprint(&server, "acme").await;
    for (document, detail) in [
        (
            "version: 1\nintents: []",
            "Intent 'Refund' cannot be deleted: the route 'to_shop' is bound to it, and the document has no routes",
        ),
        (
            "version: 1\ndatasources: []",
            "Datasource 'Customers' cannot be deleted: rules of the intent 'Refund' ask it, and the document leaves them as they are",
        ),
        ("version: 1\ndatasource_configs: []", "Config 'shop' cannot be deleted: it is used by 'Shop'"),
    ] {
        import(&server, "acme", "&delete=true", document).await.problem(StatusCode::BAD_REQUEST, detail);
    }
    assert_eq!(fingerprint(&server, "acme").await, before);
}

#[tokio::test]
async fn a_fault_in_the_last_rule_leaves_nothing_behind() {
    let server = TestServer::start_idle(&[]).await;
    server.tenant("acme").await;
    let before = fingerprint(&server, "acme").await;
    for (from, to, field) in [
        (
            "conditions: {pattern: refund}",
            "conditions: {pattern: '('}",
            "intents[0].validation_rules[2].conditions.pattern",
        ),
        ("field_name: subject,", "field_name: subjekt,", "intents[0].validation_rules[2].field_name"),
        (
            "conditions: {pattern: refund}",
            "conditions: {patern: refund}",
            "intents[0].validation_rules[2].conditions.patern",
        ),
        ("datasource: Shop,", "datasource: Shopp,", "intents[0].validation_rules[1].datasource"),
        ("datasource: Shop, ", "", "intents[0].validation_rules[1].datasource"),
        ("priority: 30", "prio: 30", "intents[0].validation_rules[2].prio"),
        ("priority: 30", "priority: high", "intents[0].validation_rules[2].priority"),
        ("intent: Refund", "intent: Refunds", "routes[0].intent"),
        ("label: look", "label: '{{order_number}}'", "routes[1].settings.label"),
        ("{path: customers.csv}", "{path: ../customers.csv}", "datasource_configs[2].connection_json.path"),
        ("{token: S3CRET-token}", "{tokn: S3CRET-token}", "datasource_configs[0].auth_config.tokn"),
        ("- name: Question", "- name: Refund", "intents[1].name"),
        ("gate: 0.9", "gate: 2", "classifier.gate"),
        ("[I want my money back, ", "['', ", "intents[0].examples[0]"),
        ("op: contains", "op: like", "intents[0].match.any[0].op"),
        ("'\\b(\\d{4})\\b'", "'('", "intents[0].extractors[0].pattern"),
        ("version: 1", "version: 2", "version"),
    ] {
        let document = FULL.replace(from, to);
        assert_ne!(document, FULL, "{from}");
        let answer = import(&server, "acme", "", &document).await.is(StatusCode::UNPROCESSABLE_ENTITY);
        assert!(answer.fields().contains(&field), "{to}: {}", answer.text);
        assert!(!answer.text.contains("S3CRET"), "{}", answer.text);
        assert_eq!(fingerprint(&server, "acme").await, before, "{to}");
    }
    // All faults of a document at once.
    let document = FULL.replace("name: shop\n", "name: ''\n").replace("decisions: [review]", "decisions: []");
    let answer = import(&server, "acme", "", &document).await.is(StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(answer.fields(), ["datasource_configs[0].name", "routes[1].decisions"]);
    for (kind, status) in [
        ("text/plain", StatusCode::UNSUPPORTED_MEDIA_TYPE),
        ("application/json", StatusCode::UNPROCESSABLE_ENTITY),
    ] {
        let request = server.request(Method::POST, "/api/import?tenant_id=acme", Some(&server.key));
        let answer = request.header(header::CONTENT_TYPE, kind).body(FULL).send().await.unwrap();
        assert_eq!(answer.status(), status);
    }
    let huge = format!("version: 1\n# {}", "x".repeat(5 << 20));
    import(&server, "acme", "", &huge).await.is(StatusCode::PAYLOAD_TOO_LARGE);
}

#[tokio::test]
async fn a_stored_secret_stays_but_does_not_move() {
    let server = TestServer::start_idle(&[]).await;
    full(&server, "acme").await;
    let config = |rest: &str| {
        format!(
            "version: 1\ndatasource_configs:\n- {{name: shop, protocol: http, auth_type: bearer, {rest}}}"
        )
    };
    for rest in [
        "base_url: 'http://evil.example'",
        "base_url: 'http://evil.example', auth_config: {token: '********'}",
    ] {
        let answer = import(&server, "acme", "", &config(rest)).await.is(StatusCode::UNPROCESSABLE_ENTITY);
        assert_eq!(answer.fields(), ["datasource_configs[0].auth_config.token"]);
    }
    let route = "version: 1\nroutes:\n- {name: to_shop, intent: Refund, kind: webhook, decisions: [review], settings: {url: 'https://evil.example', headers: {X-Key: '********'}}}";
    let answer = import(&server, "acme", "", route).await.is(StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(answer.fields(), ["routes[0].settings.headers.X-Key"]);
    // To another place of the same address, it goes along, named or not.
    for rest in [
        "base_url: 'http://shop.example/a'",
        "base_url: 'http://shop.example/b', auth_config: {token: '********'}",
    ] {
        import(&server, "acme", "", &config(rest)).await.is(StatusCode::OK);
    }
    let tenant = "acme".parse().unwrap();
    let mut tx = server.app.database.tenant(&tenant).await.unwrap();
    let found =
        crate::datasources::server::config_service::connection(&server.app, &mut tx, "shop").await.unwrap();
    let crate::datasources::server::connection::Auth::Bearer { token } = found.unwrap().auth else {
        panic!()
    };
    assert_eq!(secrecy::ExposeSecret::expose_secret(&token), "S3CRET-token");
    tx.commit().await.unwrap();
    // With a new one, it may lead anywhere.
    import(&server, "acme", "", &config("base_url: 'http://new.example', auth_config: {token: other}"))
        .await
        .is(StatusCode::OK);
}

/// The demo, taken to an empty tenant: it says what it needs, says what is missing until then, and then works.
#[tokio::test]
async fn the_demo_works_in_another_tenant_once_its_secrets_are_set() {
    let server = TestServer::start_with(&[("JOB_MAX_ATTEMPTS", "1")]).await;
    demo::load(&server.app).await.unwrap();
    server.tenant("copy").await;
    let document = export(&server, "acme_corp", "").await;
    let plan = import(&server, "copy", "", &document).await.is(StatusCode::OK).body;
    assert_eq!(
        (&plan["applied"], &plan["summary"]["change"], &plan["summary"]["delete"]),
        (&json!(true), &json!(0), &json!(0))
    );
    let notes: Vec<&Value> =
        plan["changes"].as_array().unwrap().iter().filter(|c| !c["notes"].is_null()).collect();
    assert_eq!(notes.len(), 1, "{notes:#?}");
    assert_eq!(notes[0]["name"], "order_api");
    assert_eq!(
        notes[0]["notes"],
        json!(["needs its secret set: auth_config.token. Look-ups fail until it is"])
    );
    // Again: nothing to do but that.
    let again = import(&server, "copy", "", &document).await.is(StatusCode::OK).body;
    assert_eq!(differences(&again), Vec::<String>::new());
    assert!(again.to_string().contains("needs its secret set"));
    let configs = server.get("/api/datasource-configs?tenant_id=copy").await.body;
    let api =
        configs.as_array().unwrap().iter().find(|config| config["name"] == "order_api").unwrap().clone();
    assert_eq!(api["auth_config"], json!({}), "it does not say that there is one");
    let shop = server.get("/api/datasources?tenant_id=copy").await.body;
    let service = shop.as_array().unwrap().iter().find(|one| one["name"] == "Order service").unwrap();
    let test = server
        .post(&format!("/api/datasources/{}/test?tenant_id=copy", service["datasource_id"]), &json!({}))
        .await
        .is(StatusCode::OK)
        .body;
    assert!(test["ok"] == false && test["message"].as_str().unwrap().contains("auth_config.token"), "{test}");
    // The files come by another way, and the token by hand.
    let folder = |tenant: &str| server.app.config.files_dir(&tenant.parse().unwrap());
    std::fs::create_dir_all(folder("copy")).unwrap();
    for file in ["shop.sqlite", "suppliers.csv"] {
        let bytes = std::fs::read(folder("acme_corp").join(file)).unwrap();
        demo::write_settled(&folder("copy").join(file), &bytes).unwrap();
    }
    let mut body = api.clone();
    body["auth_config"] = json!({"token": demo::api::token(&server.app)});
    server
        .put(&format!("/api/datasource-configs/{}?tenant_id=copy", api["config_id"]), &body)
        .await
        .is(StatusCode::OK);
    let expected: serde_json::Map<String, Value> =
        serde_json::from_str(include_str!("../demo/acme_corp/expected.json")).unwrap();
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src/demo/acme_corp/messages");
    for (file, expected) in &expected {
        let email = server.decide("copy", std::fs::read(folder.join(file)).unwrap()).await;
        assert_eq!(
            (email["intent"]["name"].as_str(), &email["decision"]),
            (expected["intent"].as_str(), &expected["decision"]),
            "{file}: {email:#}"
        );
    }
    assert_eq!(export(&server, "copy", "").await, document, "both are the same now");
}

/// As look-ups, it says what it needs, and waits: without it the receiver would take it for a stranger's.
#[tokio::test]
async fn a_webhook_waits_for_the_header_that_did_not_come_with_it() {
    // What waits is looked at again when the header is entered, and not by itself.
    let server = TestServer::start_with(&[("DELIVERY_RETRY_BASE_MS", "600000")]).await;
    let receiver = Receiver::start().await;
    for tenant in ["acme", "copy"] {
        server.tenant(tenant).await;
    }
    let settings = json!({"url": receiver.base, "headers": {"X-Key": "S3CRET-header"}});
    let hook = json!({"name": "erp", "kind": "webhook", "decisions": ["review"], "settings": settings});
    server.post("/api/routes?tenant_id=acme", &hook).await.is(StatusCode::CREATED);
    let document = export(&server, "acme", "").await;
    let editor = server.key_of("copy", Role::Editor).await;
    let plan = import_as(&server, Some(&editor), "copy", "", &document).await.is(StatusCode::OK).body;
    let made = plan["changes"].as_array().unwrap().iter().find(|change| change["kind"] == "route").unwrap();
    let needed = "needs its secret set: the header X-Key. What it has to send waits until it is; what waits for too long is \
                  given up, and can be sent again";
    assert_eq!(made["notes"][0], needed);
    assert!(made["notes"][1].as_str().unwrap().starts_with("signs with a new secret"), "{made}");
    let unset = json!({"X-Key": ""});
    let stored = server.get("/api/routes?tenant_id=copy").await.body[0].clone();
    assert_eq!(stored["settings"]["headers"], unset);
    assert_eq!(export(&server, "copy", "").await, document, "both are the same now");
    let again = import(&server, "copy", "", &document).await.is(StatusCode::OK).body;
    assert_eq!(differences(&again), Vec::<String>::new());
    assert!(again.to_string().contains(needed));

    let id = server.receive("copy", message("ann@x.example", "x", "x")).await;
    let path = format!("/api/emails/{id}?tenant_id=copy");
    let told = "The route's secret did not come with an import: set the header X-Key on its page";
    eventually("it waits", async || {
        let delivery = server.get(&path).await.body["deliveries"].get(0)?.clone();
        (delivery["note"] == told && delivery["status"] == "pending").then_some(())
    })
    .await;
    // Put back as it was read, or masked, it is still to be set.
    let at = format!("/api/routes/{}?tenant_id=copy", stored["route_id"]);
    let mut put = stored.clone();
    put["name"] = "renamed".into();
    for value in ["", "********"] {
        put["settings"]["headers"]["X-Key"] = value.into();
        let kept = server.put(&at, &put).await.is(StatusCode::OK).body;
        assert_eq!(kept["settings"]["headers"], unset);
    }
    // Under another name it is another one, which nobody has entered.
    let mut other = put.clone();
    other["settings"]["headers"] = json!({"X-Other": ""});
    let refused = server.put(&at, &other).await;
    refused.problem(StatusCode::UNPROCESSABLE_ENTITY, "settings.headers.X-Other: must be entered");
    other["name"] = "other".into();
    other["settings"]["headers"] = unset.clone();
    let refused = server.post("/api/routes?tenant_id=copy", &other).await;
    assert_eq!(refused.is(StatusCode::UNPROCESSABLE_ENTITY).fields(), ["settings.headers.X-Key"]);
    assert_eq!(receiver.hooks().len(), 0);
    put["settings"]["headers"]["X-Key"] = "entered".into();
    server.put(&at, &put).await.is(StatusCode::OK);
    let hook = eventually("it arrives", async || receiver.hooks().pop()).await;
    assert_eq!(hook.header("x-key"), "entered");
    assert!(hook.header("webhook-signature").starts_with("v1,"));
}

/// What was taken from a webhook does not come back with a document that has no value for it: it works without.
#[tokio::test]
async fn an_import_stops_no_webhook_that_goes_without_a_header_of_the_document() {
    let server = TestServer::start().await;
    let receiver = Receiver::start().await;
    server.tenant("acme").await;
    let mut hook = json!({"name": "erp", "kind": "webhook", "decisions": ["review"], "settings": {"url": receiver.base}});
    hook["settings"]["headers"] = json!({"X-Key": "S3CRET-header"});
    let made = server.post("/api/routes?tenant_id=acme", &hook).await.is(StatusCode::CREATED).body;
    let document = export(&server, "acme", "&format=json").await;
    let at = format!("/api/routes/{}?tenant_id=acme", made["route_id"]);
    hook["settings"] = json!({"url": receiver.base});
    server.put(&at, &hook).await.is(StatusCode::OK);
    let note = "goes on without the header X-Key, whose value is not in the document: if it needs it, add it on its page";
    let mut changed: Value = serde_json::from_str(&document).unwrap();
    changed["routes"][0]["decisions"] = json!(["rejected", "review"]);
    for (document, expected) in
        [(document, &[][..]), (changed.to_string(), &["change route erp".to_owned()][..])]
    {
        let plan = import(&server, "acme", "", &document).await.is(StatusCode::OK).body;
        assert_eq!(differences(&plan), expected);
        let route = plan["changes"].as_array().unwrap().iter().find(|change| change["kind"] == "route");
        assert_eq!(route.unwrap()["notes"], json!([note]));
    }
    let stored = server.get(&at).await.is(StatusCode::OK).body;
    assert_eq!(
        (&stored["decisions"], &stored["settings"]),
        (&json!(["rejected", "review"]), &hook["settings"])
    );
    server.receive("acme", message("ann@x.example", "x", "x")).await;
    eventually("it arrives", async || receiver.hooks().pop()).await;
}

#[tokio::test]
async fn a_plan_that_is_out_of_date_is_not_applied() {
    let server = TestServer::start_idle(&[]).await;
    full(&server, "acme").await;
    let document = FULL.replace("label: look", "label: seen").replace("priority: 10\n", "priority: 12\n");
    let plan = import(&server, "acme", "&dry_run=true", &document).await.is(StatusCode::OK).body;
    let revision = format!("&revision={}", plan["revision"].as_str().unwrap());
    let before = fingerprint(&server, "acme").await;
    let route = server.get("/api/routes?tenant_id=acme").await.body[1].clone();
    let path = format!("/api/routes/{}?tenant_id=acme", route["route_id"]);
    let mut changed = route.clone();
    changed["decisions"] = json!(["accepted"]);
    server.put(&path, &changed).await.is(StatusCode::OK);
    let refused = import(&server, "acme", &revision, &document).await;
    refused.problem(
        StatusCode::PRECONDITION_FAILED,
        "The configuration was changed since the plan was made. Make a plan again, and look at it",
    );
    assert_eq!(fingerprint(&server, "acme").await[7..9], before[7..9], "no revision was begun");
    let plan = import(&server, "acme", "&dry_run=true", &document).await.is(StatusCode::OK).body;
    let revision = format!("&revision={}", plan["revision"].as_str().unwrap());
    assert_eq!(import(&server, "acme", &revision, &document).await.is(StatusCode::OK).body["applied"], true);
    // Two at once come one after the other, and the second finds nothing to do.
    let other = FULL.replace("name: Question", "name: Other");
    let (a, b) = tokio::join!(import(&server, "acme", "", &other), import(&server, "acme", "", &other));
    let created = [a, b].map(|answer| answer.is(StatusCode::OK).body["summary"]["create"].as_u64().unwrap());
    assert_eq!(created.iter().sum::<u64>(), 1);
}

/// A change that is under way when an import begins is seen by it; one that begins later comes after it.
#[tokio::test]
async fn a_change_that_is_under_way_is_not_overwritten() {
    let server = TestServer::start_idle(&[]).await;
    full(&server, "acme").await;
    let mut other = server.database().superuser().await;
    for (change, from, to) in [
        ("UPDATE datasources SET description = 'Theirs' WHERE name = 'Customers'", "Who buys", "Who bought"),
        (
            "UPDATE datasource_configs SET connection_json = '{\"path\": \"theirs.csv\"}', \
             updated_at = clock_timestamp() WHERE name = 'table'",
            "{path: customers.csv}",
            "{path: others.csv}",
        ),
        (
            "UPDATE routes SET settings = '{\"label\": \"their label\"}', updated_at = clock_timestamp() \
             WHERE name = 'mark'",
            "label: look",
            "label: seen",
        ),
    ] {
        let document = FULL.replace(from, to);
        assert_ne!(document, FULL, "{from}");
        let plan = import(&server, "acme", "&dry_run=true", &document).await.is(StatusCode::OK).body;
        let revision = format!("&revision={}", plan["revision"].as_str().unwrap());
        sqlx::raw_sql("BEGIN").execute(&mut other).await.unwrap();
        sqlx::query(change).execute(&mut other).await.unwrap();
        // Neither an export nor a plan waits for it.
        let same = export(&server, "acme", "").await;
        import(&server, "acme", "&dry_run=true", &same).await.is(StatusCode::OK);
        let change_ends = async {
            eventually("the import waits for the change", async || {
                let mut conn = server.database().superuser().await;
                let waits: bool = sqlx::query_scalar(
                    "SELECT EXISTS (SELECT FROM pg_stat_activity \
                     WHERE datname = current_database() AND wait_event_type = 'Lock')",
                )
                .fetch_one(&mut conn)
                .await
                .unwrap();
                waits.then_some(())
            })
            .await;
            sqlx::raw_sql("COMMIT").execute(&mut other).await.unwrap();
        };
        let (answer, ()) = tokio::join!(import(&server, "acme", &revision, &document), change_ends);
        answer.is(StatusCode::PRECONDITION_FAILED);
    }
    let left = export(&server, "acme", "").await;
    for theirs in ["Theirs", "theirs.csv", "their label"] {
        assert!(left.contains(theirs), "{theirs}: {left}");
    }
}

#[tokio::test]
async fn rules_that_a_document_leaves_as_they_are_must_hold_with_its_datasources() {
    let server = TestServer::start_idle(&[]).await;
    full(&server, "acme").await;
    let document =
        "version: 1\ndatasources:\n- {name: Customers, datasource_type: api, connection_key: shop}\n";
    for query in ["&dry_run=true", ""] {
        let refused = import(&server, "acme", query, document).await.is(StatusCode::UNPROCESSABLE_ENTITY);
        assert_eq!(refused.fields(), ["datasources"], "{}", refused.text);
        assert!(refused.text.contains("of the intent 'Refund'"), "{}", refused.text);
    }
    let document =
        "version: 1\ndatasource_configs:\n- {name: table, protocol: http, base_url: 'http://x.example'}\n";
    let refused = import(&server, "acme", "", document).await.is(StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(refused.fields(), ["datasources"], "{}", refused.text);
    assert!(refused.text.contains("of the intent 'Refund' asks 'Customers'"), "{}", refused.text);
    // Both at once are well.
    let rule = "datasource: Customers, conditions: {match: {email: '{{sender_email}}'}}";
    let document = FULL
        .replace("datasource_type: file, connection_key: table", "datasource_type: api, connection_key: shop")
        .replace(rule, "datasource: Customers, conditions: {path: '/customers/{{sender_email}}'}");
    import(&server, "acme", "", &document).await.is(StatusCode::OK);
}

#[tokio::test]
async fn an_import_is_by_role() {
    let server = TestServer::start_idle(&[]).await;
    full(&server, "acme").await;
    server.tenant("globex").await;
    let (viewer, editor) =
        (server.key_of("acme", Role::Viewer).await, server.key_of("acme", Role::Editor).await);
    let operator = server.key_of("acme", Role::Operator).await;
    let stranger = server.key_of("globex", Role::Admin).await;
    let same = export(&server, "acme", "").await;
    let before = fingerprint(&server, "acme").await;
    for (key, status) in [
        (None, StatusCode::UNAUTHORIZED),
        (Some(&stranger), StatusCode::NOT_FOUND),
        (Some(&viewer), StatusCode::FORBIDDEN),
        (Some(&operator), StatusCode::FORBIDDEN),
        (Some(&editor), StatusCode::OK),
    ] {
        let key = key.map(String::as_str);
        for options in ["", "&dry_run=true"] {
            let answer = import_as(&server, key, "acme", options, &same).await;
            assert_eq!(answer.status, status, "{}", answer.text);
        }
        let exported = server.request(Method::GET, "/api/export?tenant_id=acme", key).send().await.unwrap();
        assert_eq!(exported.status(), status);
    }
    // An editor changes what an editor may, and no credentials: not their place, and not those of a webhook.
    let intents = same.replace("priority: 10\n", "priority: 9\n");
    import_as(&server, Some(&editor), "acme", "&dry_run=true", &intents).await.is(StatusCode::OK);
    let (this, header) = ("This", "To set or change a header's value");
    for (what, document) in [
        (this, same.replace("http://shop.example", "http://shop.example/v2")),
        (this, same.replace("driver_family: csv", "driver_family: json")),
        (this, "version: 1\ndatasource_configs:\n- {name: new, protocol: http, base_url: 'http://a.example'}".to_owned()),
        (header, "version: 1\nroutes:\n- {name: to_shop, intent: Refund, kind: webhook, decisions: [review], settings: {url: 'https://hooks.example/x', headers: {X-Key: new}}}".to_owned()),
    ] {
        let sentence = format!("{what} needs the role admin; yours is editor");
        for options in ["", "&dry_run=true"] {
            let answer = import_as(&server, Some(&editor), "acme", options, &document).await;
            answer.problem(StatusCode::FORBIDDEN, &sentence);
        }
    }
    assert_eq!(fingerprint(&server, "acme").await, before);
}

/// What is not heeded would be left out: the dry run, and with it all caution.
#[tokio::test]
async fn an_import_whose_options_are_misspelled_does_nothing() {
    let server = TestServer::start_idle(&[]).await;
    server.tenant("acme").await;
    for options in ["&delete=true&dry-run=true", "&dry_runs=true", "&DRY_RUN=true"] {
        let answer = import(&server, "acme", options, FULL).await.is(StatusCode::UNPROCESSABLE_ENTITY);
        let detail = answer.body["detail"].as_str().unwrap();
        let known = "there is no such parameter; there are tenant_id, dry_run, delete, revision";
        assert!(detail.ends_with(&format!(": {known}")), "{detail}");
    }
    assert_eq!(server.get("/api/intents?tenant_id=acme").await.is(StatusCode::OK).body, json!([]));
}

/// The screen, as a browser without WebAssembly uses it.
#[tokio::test]
async fn the_form_shows_a_plan_and_applies_it() {
    let server = TestServer::start_idle(&[]).await;
    server.tenant("acme").await;
    let link = crate::auth::server::service::first_link(&server.app).await.unwrap().unwrap();
    let path = format!("/sign-in/{}", secrecy::ExposeSecret::expose_secret(&link));
    let signed_in = server.request(Method::GET, &path, None).send().await.unwrap();
    let cookie =
        signed_in.headers()[header::SET_COOKIE].to_str().unwrap().split(';').next().unwrap().to_owned();
    let send = async |cookie: Option<&str>, parts: &[(&str, &str)]| {
        let mut body = String::new();
        for (name, value) in parts {
            body.push_str(&format!(
                "--b\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n"
            ));
        }
        body.push_str("--b--\r\n");
        let mut request = server.request(Method::POST, "/t/acme/settings", None);
        if let Some(cookie) = cookie {
            request = request.header(header::COOKIE, cookie);
        }
        request = request.header(header::CONTENT_TYPE, "multipart/form-data; boundary=b");
        Answer::of(request.header("sec-fetch-site", "same-origin").body(body).send().await.unwrap()).await
    };
    let page = server.request(Method::GET, "/t/acme/settings", None).header(header::COOKIE, &cookie);
    let page = Answer::of(page.send().await.unwrap()).await.is(StatusCode::OK);
    assert!(
        page.text.contains("/api/export?tenant_id=acme&amp;format=yaml") && !page.text.contains("plan-shown")
    );
    let document =
        "version: 1\r\nroutes:\r\n- {name: <mark>, kind: label, decisions: [review], settings: {label: x}}";
    let planned = send(Some(&cookie), &[("document", document), ("delete", "false"), ("step", "plan")])
        .await
        .is(StatusCode::OK);
    assert!(
        planned.text.contains("The plan: 1 to create.") && planned.text.contains("&lt;mark&gt;"),
        "{}",
        planned.text
    );
    assert_eq!(server.get("/api/routes?tenant_id=acme").await.body, json!([]));
    let at = planned.text.find("name=\"revision\" value=\"").unwrap() + 23;
    let revision = planned.text[at..].split('"').next().unwrap();
    let applied = send(Some(&cookie), &[("document", document), ("revision", revision), ("step", "apply")])
        .await
        .is(StatusCode::OK);
    assert!(applied.text.contains("Done: 1 to create."), "{}", applied.text);
    assert_eq!(server.get("/api/routes?tenant_id=acme").await.body[0]["name"], "<mark>");
    let stale = send(
        Some(&cookie),
        &[("document", &document.replace("x}", "y}")), ("revision", revision), ("step", "apply")],
    )
    .await;
    assert!(stale.is(StatusCode::PRECONDITION_FAILED).text.contains("import-refused"));
    let refused = send(Some(&cookie), &[("document", "version: 1\nroute: 1"), ("step", "plan")])
        .await
        .is(StatusCode::UNPROCESSABLE_ENTITY);
    assert!(refused.text.contains("import-refused") && refused.text.contains(">route<"), "{}", refused.text);
    send(Some(&cookie), &[("step", "plan")]).await.is(StatusCode::UNPROCESSABLE_ENTITY);
    let anonymous = send(None, &[("document", document), ("step", "apply")]).await.is(StatusCode::SEE_OTHER);
    assert!(anonymous.headers[header::LOCATION].to_str().unwrap().starts_with("/sign-in"));
    let mut conn = server.database().superuser().await;
    sqlx::raw_sql("UPDATE users SET is_instance_admin = false; INSERT INTO memberships (tenant_id, user_id, role) SELECT 'acme', user_id, 'viewer' FROM users").execute(&mut conn).await.unwrap();
    let viewer =
        send(Some(&cookie), &[("document", "version: 1"), ("step", "apply")]).await.is(StatusCode::FORBIDDEN);
    assert!(!viewer.text.contains("&lt;mark&gt;"));
}

fn any_document() -> impl Strategy<Value = Value> {
    let text = "[ -~é\\n]{0,30}";
    let name = "[A-Za-z][ -~]{0,11}[a-z]";
    let number = prop_oneof![
        any::<i32>().prop_map(Value::from),
        (-9999..9999_i32).prop_map(|n| json!(f64::from(n) / 100.0))
    ];
    let rule = (text, 0..3_i32, any::<bool>(), proptest::option::of(number)).prop_map(|(text, priority, stop, number)| {
        let mut conditions = json!({"pattern": regex::escape(&text)});
        if let Some(number) = number {
            conditions = json!({"expected": number});
        }
        let kind = if conditions["pattern"].is_null() { "equals" } else { "regex" };
        json!({"field_name": "subject", "rule_type": kind, "conditions": conditions, "priority": priority, "stop": stop})
    });
    let intent = (name, text, any::<i32>(), proptest::collection::vec(rule, 0..4), proptest::collection::btree_set("[a-zé: #-]{1,20}[a-z]", 0..3)).prop_map(
        |(name, description, priority, rules, examples)| {
            let examples: Vec<String> = examples.iter().map(|text| text.trim().to_owned()).collect();
            json!({"name": name, "description": description, "priority": priority, "validation_rules": rules, "examples": examples,
                "match": {"any": [{"field": "subject", "op": "contains", "value": format!("{description}.")}], "all": [], "none": []}})
        },
    );
    let route = (name, "[ -~é]{0,30}[a-z]").prop_map(|(name, label)| {
        json!({"name": name, "kind": "label", "decisions": ["review"], "settings": {"label": label.replace(['{', '}'], "_")}})
    });
    let unique = |items: Vec<Value>| -> Vec<Value> {
        let named: std::collections::BTreeMap<String, Value> =
            items.into_iter().map(|item| (item["name"].as_str().unwrap().trim().to_owned(), item)).collect();
        named.into_values().collect()
    };
    (proptest::collection::vec(intent, 0..4), proptest::collection::vec(route, 0..4), 50..=100_i32).prop_map(move |(intents, routes, gate)| {
        json!({"version": 1, "intents": unique(intents), "routes": unique(routes), "classifier": {"gate": f64::from(gate) / 100.0}})
    })
}

/// Whatever came in goes out, and what went out makes the same again, here and elsewhere.
#[test]
fn export_import_export_is_a_fixed_point() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let server = runtime.block_on(TestServer::start_idle(&[]));
    let count = std::cell::Cell::new(0);
    let mut runner =
        TestRunner::new(ProptestConfig { cases: 24, max_shrink_iters: 200, ..ProptestConfig::default() });
    let result = runner.run(&any_document(), |document| {
        count.set(count.get() + 1);
        let count = count.get();
        runtime.block_on(async {
            let (first, second) = (format!("a{count}"), format!("b{count}"));
            server.tenant(&first).await;
            server.tenant(&second).await;
            let taken = import(&server, &first, "", &document.to_string()).await;
            prop_assert_eq!(taken.status, StatusCode::OK, "{}", taken.text);
            let (yaml, json) = (
                export(&server, &first, "&examples=true").await,
                export(&server, &first, "&examples=true&format=json").await,
            );
            for document in [&yaml, &json] {
                let again = import(&server, &first, "&delete=true", document).await;
                prop_assert_eq!(again.status, StatusCode::OK, "{}", again.text);
                prop_assert_eq!(differences(&again.body), Vec::<String>::new());
                let taken = import(&server, &second, "&delete=true", document).await;
                prop_assert_eq!(taken.status, StatusCode::OK, "{}", taken.text);
                prop_assert_eq!(&export(&server, &second, "&examples=true").await, &yaml);
            }
            prop_assert_eq!(export(&server, &second, "&examples=true&format=json").await, json);
            Ok(())
        })
    });
    result.unwrap_or_else(|error| panic!("{error}"));
}

#[tokio::test]
async fn an_import_is_told_once_and_a_dry_run_not_at_all() {
    let server = TestServer::start_idle(&[]).await;
    server.tenant("acme").await;
    import(&server, "acme", "&dry_run=true", FULL).await.is(StatusCode::OK);
    import(&server, "acme", "", &FULL.replace("gate: 0.9", "gate: 9"))
        .await
        .is(StatusCode::UNPROCESSABLE_ENTITY);
    let plan = import(&server, "acme", "", FULL).await.is(StatusCode::OK).body;
    import(&server, "acme", "", &export(&server, "acme", "").await).await.is(StatusCode::OK);
    let entries = server.get("/api/audit-log?tenant_id=acme").await.is(StatusCode::OK);
    assert!(!entries.text.contains("S3CRET"));
    let entries = entries.body.as_array().unwrap().clone();
    assert_eq!(entries.len(), 1, "{entries:#?}");
    assert_eq!(
        (&entries[0]["action"], &entries[0]["actor"]),
        (&json!("configuration.import"), &json!("API key test"))
    );
    assert_eq!(entries[0]["after"]["summary"], plan["summary"]);
    assert_eq!(entries[0]["after"]["done"][0], "create config shop");
}

/// A route for an intent of the same document, and messages that it then is for.
#[tokio::test]
async fn what_is_imported_decides() {
    let server = TestServer::start().await;
    server.tenant("acme").await;
    server.write_file("acme", "customers.csv", b"email\nann@x.example\n");
    let document = "version: 1
datasource_configs: [{name: table, protocol: file, connection_json: {path: customers.csv}}]
datasources: [{name: Customers, datasource_type: file, connection_key: table}]
intents:
- name: Refund
  match: {any: [{field: subject, op: contains, value: refund}]}
  validation_rules: [{field_name: sender_email, rule_type: exists, datasource: Customers, conditions: {match: {email: '{{sender_email}}'}}}]
routes: [{name: mark, intent: Refund, kind: label, decisions: [accepted], settings: {label: ok}}]
";
    import(&server, "acme", "", document).await.is(StatusCode::OK);
    let email = server.decide("acme", message("ann@x.example", "refund", "x")).await;
    assert_eq!((&email["decision"], &email["labels"]), (&json!("accepted"), &json!(["ok"])), "{email:#}");
    let email = server.decide("acme", message("bob@x.example", "refund", "x")).await;
    assert_eq!(email["decision"], "rejected");
}

/// Of two intents of one priority, a message that matches both gets the one that was made first.
#[tokio::test]
async fn an_import_keeps_the_order_in_which_intents_are_tried() {
    let server = TestServer::start().await;
    let made = async |tenant: &str, names: &[&str]| {
        server.tenant(tenant).await;
        for name in names {
            let intent = json!({"name": name, "match": {"any": [{"field": "subject", "op": "contains", "value": "order"}]}});
            let path = format!("/api/intents?tenant_id={tenant}");
            server.post(&path, &intent).await.is(StatusCode::CREATED);
        }
    };
    let given = async |tenant: &str| {
        let email = server.decide(tenant, message("ann@x.example", "order 7", "x")).await;
        email["intent"]["name"].as_str().unwrap().to_owned()
    };
    made("acme", &["Zebra", "Apple", "Mango"]).await;
    let document = export(&server, "acme", "").await;
    server.tenant("globex").await;
    import(&server, "globex", "", &document).await.is(StatusCode::OK);
    assert_eq!([given("acme").await, given("globex").await], ["Zebra", "Zebra"]);
    assert_eq!(export(&server, "globex", "").await, document);

    // Intents keep their places; a person is told which others stand before theirs.
    made("initech", &["Apple", "Zebra"]).await;
    for query in ["&dry_run=true", "", ""] {
        let plan = import(&server, "initech", query, &document).await.is(StatusCode::OK).body;
        let noted: Vec<&Value> =
            plan["changes"].as_array().unwrap().iter().filter(|change| !change["notes"].is_null()).collect();
        assert_eq!(noted.len(), 1, "{plan:#}");
        assert_eq!(noted[0]["name"], "Apple");
        let note = noted[0]["notes"][0].as_str().unwrap();
        assert!(note.starts_with("is tried before 'Zebra', which comes first in the document"), "{note}");
    }
    // Neither where their priorities tell them apart, nor of an intent that is not tried.
    let document: Value = serde_json::from_str(&export(&server, "acme", "&format=json").await).unwrap();
    for (member, value) in [("priority", json!(99)), ("is_active", json!(false))] {
        let mut apart = document.clone();
        apart["intents"][1][member] = value;
        let plan = import(&server, "initech", "&dry_run=true", &apart.to_string()).await.is(StatusCode::OK);
        assert_eq!(plan.body["summary"]["change"], 1, "{}", plan.text);
        assert!(!plan.text.contains("is tried before"), "{}", plan.text);
    }
}

#[tokio::test]
async fn the_patterns_of_a_document_are_bounded_and_so_are_the_faults_that_are_looked_for() {
    let server = TestServer::start_idle(&[]).await;
    server.tenant("acme").await;
    let send = async |intents: usize, patterns: usize, pattern: &str| {
        let condition = json!({"field": "subject", "op": "regex", "value": pattern});
        let intent =
            |n: usize| json!({"name": n.to_string(), "match": {"any": vec![condition.clone(); patterns]}});
        let intents: Vec<Value> = (0..intents).map(intent).collect();
        let document = json!({"version": 1, "intents": intents}).to_string();
        import(&server, "acme", "&dry_run=true", &document).await
    };
    send(50, 100, "x").await.is(StatusCode::OK);
    let refused = send(51, 100, "x").await.is(StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(refused.fields(), ["intents"]);
    assert_eq!(refused.body["errors"][0]["message"], "must have at most 5000 patterns together");
    let refused = send(150, 1, "(").await.is(StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(refused.fields().len(), 100);
}
