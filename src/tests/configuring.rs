//! What the screen's editors call: a config tried before it is saved, a datasource made with its config, a look into
//! a file.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use super::support::{Answer, TestServer};

async fn call(server: &TestServer, function: &str, body: Value) -> Answer {
    server.post(&format!("/ui/{function}"), &body).await
}

async fn form(server: &TestServer, function: &str, fields: &str) -> Answer {
    let request = server.request(Method::POST, &format!("/ui/{function}"), Some(&server.key));
    let request = request.header("content-type", "application/x-www-form-urlencoded");
    Answer::of(request.body(fields.to_owned()).send().await.unwrap()).await
}

fn datasource(name: &str) -> Value {
    json!({"name": name, "datasource_type": "file", "connection_key": ""})
}

#[tokio::test]
async fn a_datasource_and_its_config_are_made_together_or_not_at_all() {
    let server = TestServer::start_idle(&[]).await;
    server.tenant("acme").await;
    let save = async |input: Value, config: Value| {
        let body =
            json!({"tenant_id": "acme", "datasource_id": null, "etag": "", "input": input, "config": config});
        call(&server, "datasources/save", body).await
    };
    let config = json!({"name": "people", "protocol": "file", "connection_json": {"path": "people.csv"}});
    let made = save(datasource("People"), config.clone()).await.is(StatusCode::OK).body;
    assert_eq!(made["connection_key"], "people");

    let other = json!({"name": "others", "protocol": "file", "connection_json": {"path": "o.csv"}});
    let twice = save(datasource("People"), other).await.is(StatusCode::CONFLICT).body;
    assert_eq!(twice["detail"], "Datasource 'People' already exists");
    let configs = server.get("/api/datasource-configs?tenant_id=acme").await.body;
    assert_eq!(configs.as_array().unwrap().len(), 1, "the config went with it");

    let faulty = json!({"name": "x", "protocol": "file", "connection_json": {"path": "../x.csv"}});
    let refused = save(datasource("Other"), faulty).await.is(StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(refused.fields(), ["config.connection_json.path"]);

    let id = made["datasource_id"].as_i64().unwrap();
    let shown = form(&server, "datasources/get", &format!("tenant_id=acme&datasource_id={id}")).await.body;
    assert_eq!(shown["config"]["name"], "people");
    let edit = |name: &str, etag: &Value| {
        json!({
            "tenant_id": "acme", "datasource_id": id, "etag": etag, "config": null,
            "input": {"name": name, "datasource_type": "file", "connection_key": "people"},
        })
    };
    call(&server, "datasources/save", edit("Staff", &shown["etag"])).await.is(StatusCode::OK);
    let late = call(&server, "datasources/save", edit("Crew", &shown["etag"])).await;
    late.is(StatusCode::PRECONDITION_FAILED);
    let log = server.get("/api/audit-log?tenant_id=acme").await.body;
    let actions: Vec<&str> = log.as_array().unwrap().iter().filter_map(|e| e["action"].as_str()).collect();
    assert_eq!(actions, ["datasource.update", "datasource.create", "datasource_config.create"]);
}

#[tokio::test]
async fn a_config_is_tried_as_typed_and_its_stored_secrets_go_nowhere_else() {
    let server = TestServer::start_idle(&[]).await;
    server.tenant("acme").await;
    server.write_file("acme", "people.csv", b"email\nann@x.example\n");
    let test = async |id: Value, input: Value| {
        let body = json!({"tenant_id": "acme", "config_id": id, "input": input});
        call(&server, "datasource-configs/test", body).await
    };
    let file = |path: &str| json!({"name": "t", "protocol": "file", "connection_json": {"path": path}});
    let found = test(json!(null), file("people.csv")).await.is(StatusCode::OK).body;
    assert_eq!(found["ok"], true, "{found:#}");
    // However often it fails: nothing of one try stands in the way of the next.
    for _ in 0..7 {
        let found = test(json!(null), file("gone.csv")).await.is(StatusCode::OK).body;
        assert_eq!((&found["ok"], &found["step"]), (&json!(false), &json!("file")), "{found:#}");
    }
    let closed = json!({"name": "t", "protocol": "http", "base_url": "http://127.0.0.1:9"});
    for _ in 0..7 {
        let found = test(json!(null), closed.clone()).await.is(StatusCode::OK).body;
        assert_ne!(found["step"], "answer", "{found:#}");
    }

    let api = |url: &str, token: &str| json!({"name": "api", "protocol": "http", "base_url": url, "auth_type": "bearer", "auth_config": {"token": token}});
    let stored =
        server.post("/api/datasource-configs?tenant_id=acme", &api("http://127.0.0.1:9", "s3cret")).await;
    let id = json!(stored.is(StatusCode::CREATED).id("config_id"));
    test(id.clone(), api("http://127.0.0.1:9", "********")).await.is(StatusCode::OK);
    let moved = test(id, api("http://127.0.0.2:9", "********")).await.is(StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(moved.fields(), ["auth_config.token"]);
    let none = test(json!(null), api("http://127.0.0.1:9", "********")).await;
    assert_eq!(none.is(StatusCode::UNPROCESSABLE_ENTITY).fields(), ["auth_config.token"]);
}

/// By the screen's try, the API and an import alike.
#[tokio::test]
async fn a_stored_password_follows_no_base_url_and_does_not_go_in_clear() {
    let server = TestServer::start_idle(&[]).await;
    server.tenant("acme").await;
    let path = "/api/datasource-configs?tenant_id=acme";
    let masked = json!({"username": "********", "password": "********"});
    let api = |url: &str, auth: Value| json!({"name": "api", "protocol": "https", "base_url": url, "auth_type": "basic", "auth_config": auth});
    let entered = json!({"username": "u", "password": "s3cret"});
    let made = server.post(path, &api("https://127.0.0.1:9", entered.clone())).await;
    let id = made.is(StatusCode::CREATED).id("config_id");
    let database = |sslmode: &str, auth: Value| json!({"name": "db", "protocol": "postgresql", "connection_json": {"host": "127.0.0.1", "port": 9, "database": "d", "sslmode": sslmode}, "auth_type": "basic", "auth_config": auth});
    let made = server.post(path, &database("require", entered.clone())).await;
    let strict = made.is(StatusCode::CREATED).id("config_id");
    let refused = async |id: i64, input: Value, fields: &[&str]| {
        let body = json!({"tenant_id": "acme", "config_id": id, "input": input});
        let tried = call(&server, "datasource-configs/test", body).await;
        let put = server.put(&format!("/api/datasource-configs/{id}?tenant_id=acme"), &input).await;
        for answer in [tried, put] {
            assert_eq!(answer.is(StatusCode::UNPROCESSABLE_ENTITY).fields(), fields, "{input:#}");
        }
        let document = json!({"version": 1, "datasource_configs": [input]}).to_string();
        let request = server.request(Method::POST, "/api/import?tenant_id=acme", Some(&server.key));
        let request = request.header("content-type", "application/json").body(document);
        let answer = Answer::of(request.send().await.unwrap()).await.is(StatusCode::UNPROCESSABLE_ENTITY);
        let fields: Vec<String> =
            fields.iter().map(|field| format!("datasource_configs[0].{field}")).collect();
        assert_eq!(answer.fields(), fields, "{input:#}");
    };
    for user_info in ["u:********", "u:%2A%2A%2A%2A%2A%2A%2A%2A", "********:p", "********"] {
        for host in ["127.0.0.2:9", "127.0.0.1:9"] {
            let url = format!("https://{user_info}@{host}/");
            refused(id, api(&url, json!({})), &["base_url"]).await;
        }
    }
    // What is moved out of the base URL is entered anew, what is masked beside it is not.
    let beside = api("https://u:p@127.0.0.2:9", json!({"password": "********"}));
    refused(id, beside, &["auth_config.password"]).await;
    let both = ["auth_config.username", "auth_config.password"];
    refused(id, api("http://127.0.0.1:9", masked.clone()), &both).await;
    refused(strict, database("prefer", masked.clone()), &both).await;

    let put = async |id: i64, input: Value| {
        server.put(&format!("/api/datasource-configs/{id}?tenant_id=acme"), &input).await.is(StatusCode::OK)
    };
    put(strict, database("prefer", entered)).await;
    put(strict, database("require", masked)).await;
    put(id, api("https://u:p@127.0.0.2:9", json!({}))).await;
}

/// What is refused today may have been taken once: whoever opens it is told, before a message is.
#[tokio::test]
async fn what_is_stored_and_of_no_use_any_more_is_told_where_it_is_changed() {
    let server = TestServer::start_idle(&[]).await;
    server.tenant("acme").await;
    let config = json!({"name": "people", "protocol": "file", "connection_json": {"path": "people.json", "rows": "$..a"}});
    let made = server.post("/api/datasource-configs?tenant_id=acme", &config).await;
    let config = made.is(StatusCode::CREATED).id("config_id");
    let rule = json!({"field_name": "subject", "rule_type": "expression", "conditions": {"expression": "fields.subject == 'x'"}});
    let rules = json!({"intent": {"name": "Orders"}, "validation_rules": [rule, rule]});
    let made = server.post("/api/intents/with-rules?tenant_id=acme", &rules).await.is(StatusCode::CREATED);
    let intent = made.body["intent"]["intent_id"].as_i64().unwrap();
    let faults = async || {
        let config =
            form(&server, "datasource-configs/get", &format!("tenant_id=acme&config_id={config}")).await;
        let intent = form(&server, "intents/edit", &format!("tenant_id=acme&intent_id={intent}")).await;
        [config, intent].map(|answer| answer.is(StatusCode::OK).body["fault"]["errors"].clone())
    };
    assert_eq!(faults().await, [Value::Null, Value::Null]);
    let mut conn = server.database().superuser().await;
    sqlx::raw_sql(
        "UPDATE datasource_configs SET connection_json = jsonb_set(connection_json, '{rows}', '\"$..a..b\"'); \
         UPDATE validation_rules SET conditions = jsonb_build_object('expression', \
           'fields.subject == ' || quote_literal(repeat('x', 4000))) \
         WHERE rule_id = (SELECT max(rule_id) FROM validation_rules)",
    )
    .execute(&mut conn)
    .await
    .unwrap();
    let [of_config, of_intent] = faults().await;
    assert_eq!(of_config[0]["field"], "connection_json.rows", "{of_config:#}");
    assert_eq!(of_intent[0]["field"], "validation_rules[1].conditions.expression", "{of_intent:#}");
    assert_eq!(of_intent.as_array().map(Vec::len), Some(1));
}

#[tokio::test]
async fn a_file_is_looked_into_whether_a_config_leads_to_it_or_not() {
    let server = TestServer::start_idle(&[]).await;
    server.tenant("acme").await;
    let rows: String = (0..25).map(|i| format!("{i},n{i}\n")).collect();
    server.write_file("acme", "many.csv", format!("id,name\n{rows}").as_bytes());
    server.write_file("acme", "broken.json", b"{");
    let look = async |path: &str| form(&server, "files/look", &format!("tenant_id=acme&path={path}")).await;
    let found = look("many.csv").await.is(StatusCode::OK).body;
    let table = &found["tables"][0];
    assert_eq!((&table["row_count"], &table["columns"]), (&json!(25), &json!(["id", "name"])), "{found:#}");
    assert_eq!(table["rows"].as_array().unwrap().len(), 20);
    assert_eq!(table["rows"][0], json!({"id": 0, "name": "n0"}));

    let folder = server.app.config.files_dir(&"acme".parse().unwrap());
    let database = rusqlite::Connection::open(folder.join("shop.sqlite")).unwrap();
    database
        .execute_batch(
            "CREATE TABLE \"odd \"\"name\" (a); INSERT INTO \"odd \"\"name\" VALUES (1); CREATE TABLE b (x)",
        )
        .unwrap();
    let found = look("shop.sqlite").await.is(StatusCode::OK).body;
    let names: Vec<&Value> = found["tables"].as_array().unwrap().iter().map(|table| &table["name"]).collect();
    assert_eq!(names, ["b", "odd \"name"], "{found:#}");
    assert_eq!(found["tables"][1]["row_count"], 1);

    let broken = look("broken.json").await.is(StatusCode::OK).body;
    assert!(broken["message"].as_str().is_some_and(|why| !why.is_empty()), "{broken:#}");
    look("none.csv").await.is(StatusCode::NOT_FOUND);
    look("../globex/a.csv").await.is(StatusCode::NOT_FOUND);
}
