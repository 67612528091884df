//! The API's document: complete, as committed, true about roles, and browsable without any other host.

use std::{collections::BTreeSet, fs, path::Path};

use reqwest::{Method, StatusCode, header};
use serde_json::{Value, json};

use super::{
    calls::api_calls,
    support::{Answer, TestServer},
};
use crate::{auth::dto::Role, server::openapi};

#[test]
fn the_committed_document_is_the_one_that_the_code_makes() {
    let committed = include_str!("../openapi.json");
    assert!(
        committed == openapi::text(),
        "src/openapi.json is out of date: `cargo run --features ssr -- openapi > src/openapi.json` makes it anew"
    );
}

#[test]
fn no_call_is_routed_past_the_document() {
    let features = fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("src")).unwrap();
    let mut read = 0;
    for feature in features {
        let rest = feature.unwrap().path().join("server/rest.rs");
        let Ok(source) = fs::read_to_string(&rest) else { continue };
        read += 1;
        assert!(
            !source.contains(".route(\"/api"),
            "{}: a call of the API is added by `routes!`, with `#[utoipa::path]`",
            rest.display()
        );
    }
    assert!(read >= 10);
}

#[test]
fn every_call_says_who_may_and_has_a_name_of_its_own() {
    let document = openapi::document();
    let mut names = BTreeSet::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, call) in item.as_object().unwrap() {
            let role = call["x-required-role"].as_str().unwrap_or_default();
            assert!(
                ["viewer", "operator", "editor", "admin", "instance"].contains(&role),
                "{method} {path}: x-required-role is '{role}'"
            );
            assert!(call["summary"].as_str().is_some_and(|text| !text.is_empty()), "{method} {path}");
            assert!(call["tags"].as_array().is_some_and(|tags| tags.len() == 1), "{method} {path}");
            assert!(names.insert(call["operationId"].as_str().unwrap().to_owned()), "{method} {path}");
            let answers = call["responses"].as_object().unwrap();
            assert!(answers.keys().any(|status| status.starts_with('2')), "{method} {path}");
        }
    }
    assert!(names.len() >= 60);
    let everything = document.to_string();
    for reference in everything.split("\"$ref\":\"#").skip(1) {
        let pointer = reference.split('"').next().unwrap();
        assert!(document.pointer(pointer).is_some(), "#{pointer} leads nowhere");
    }
}

/// With what the document gives as an example, which so is seen to be well formed.
#[tokio::test]
async fn every_call_takes_the_role_that_the_document_names_and_no_lower_one() {
    let server = TestServer::start_idle(&[]).await;
    for tenant in ["acme", "spare"] {
        server.tenant(tenant).await;
    }
    let roles = [Role::Viewer, Role::Operator, Role::Editor, Role::Admin];
    let mut keys = Vec::new();
    for role in roles {
        keys.push(server.key_of("acme", role).await);
    }
    for call in api_calls() {
        let place = format!("{} {}", call.method, call.path);
        let send = async |tenant: &str, key: &str| {
            Answer::of(call.request(&server, tenant, Some(key)).send().await.unwrap()).await
        };
        let needed = roles.iter().position(|role| role.as_str() == call.role);
        let one_lower = match needed {
            Some(0) => None,
            Some(rank) => Some(&keys[rank - 1]),
            None => keys.last(),
        };
        if let Some(key) = one_lower {
            let answer = send("acme", key).await;
            assert_eq!(answer.status, StatusCode::FORBIDDEN, "{place} one role lower: {}", answer.text);
        }
        let answer = match needed {
            Some(rank) => send("acme", &keys[rank]).await,
            None => send("spare", &server.key).await,
        };
        let refused = [
            StatusCode::UNAUTHORIZED,
            StatusCode::FORBIDDEN,
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            StatusCode::UNPROCESSABLE_ENTITY,
            StatusCode::METHOD_NOT_ALLOWED,
        ];
        assert!(
            !refused.contains(&answer.status) && !answer.status.is_server_error(),
            "{place} as {}: {} {}",
            call.role,
            answer.status,
            answer.text
        );
        if call.names_tenant() && needed.is_some() {
            let answer = send("spare", &keys[3]).await;
            assert_eq!(answer.status, StatusCode::NOT_FOUND, "{place} of another tenant: {}", answer.text);
        }
        let anonymous = call.request(&server, "acme", None).send().await.unwrap();
        assert_eq!(anonymous.status(), StatusCode::UNAUTHORIZED, "{place} without a key");
    }
}

/// Before anything is done: a call with something to send that would do is refused by its query.
#[tokio::test]
async fn no_call_takes_a_parameter_that_the_document_does_not_have() {
    let server = TestServer::start_idle(&[]).await;
    server.tenant("acme").await;
    for call in api_calls() {
        let place = format!("{} {}", call.method, call.path);
        let send = async |key: Option<&str>| {
            let request = call.request(&server, "acme", key).query(&[("no_such", "1")]);
            Answer::of(request.send().await.unwrap()).await
        };
        let answer = send(Some(&server.key)).await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{place}: {}", answer.text);
        assert_eq!(answer.fields(), ["no_such"], "{place}");
        assert_eq!(send(None).await.status, StatusCode::UNAUTHORIZED, "{place} without a key");
    }
}

#[tokio::test]
async fn the_document_and_its_pages_are_for_everyone_and_need_no_other_host() {
    let server = TestServer::start_idle(&[]).await;
    let get =
        async |path: &str| Answer::of(server.request(Method::GET, path, None).send().await.unwrap()).await;
    let document = get("/api/openapi.json").await.is(StatusCode::OK);
    assert_eq!(document.headers["content-type"], "application/json");
    assert_eq!(document.body, openapi::document());
    assert_eq!(document.body["openapi"], "3.1.0");

    get("/docs").await.is(StatusCode::SEE_OTHER);
    for file in ["", "swagger-ui.css", "index.css", "swagger-ui-bundle.js", "swagger-ui-standalone-preset.js"]
    {
        let answer = get(&format!("/docs/{file}")).await.is(StatusCode::OK);
        let policy = answer.headers["content-security-policy"].to_str().unwrap().to_owned();
        assert!(policy.contains("default-src 'none'; script-src 'self';"), "{file}: {policy}");
    }
    let page = get("/docs/").await.text;
    for script in page.split("<script").skip(1) {
        let (attributes, rest) = script.split_once('>').unwrap();
        assert!(attributes.contains("src=\"./"), "a script from elsewhere: {attributes}");
        assert!(rest.split("</script").next().unwrap().trim().is_empty(), "a script within the page");
    }
    assert!(!page.contains("://"), "{page}");
    let start = get("/docs/swagger-initializer.js").await.text;
    assert!(start.contains("\"url\": \"/api/openapi.json\"") && start.contains("\"validatorUrl\": \"none\""));
}

/// Of every path that has both, from the document: one that is new, and in no place here, fails.
#[tokio::test]
async fn what_a_get_gave_can_be_put_back_and_the_document_says_so() {
    let server = TestServer::start_idle(&[]).await;
    server.tenant("acme").await;
    let domains = json!({"domains": ["acme.example"]});
    server.put("/api/mail-domains?tenant_id=acme", &domains).await.is(StatusCode::OK);
    server.put("/api/classifier?tenant_id=acme", &json!({"gate": 0.9})).await.is(StatusCode::OK);
    server.put("/api/retention?tenant_id=acme", &json!({"message_days": 90})).await.is(StatusCode::OK);
    let mut conn = server.database().superuser().await;
    let user: i64 = sqlx::query_scalar(
        "INSERT INTO users (email, display_name) VALUES ('bob@acme.example', 'Bob') RETURNING user_id",
    )
    .fetch_one(&mut conn)
    .await
    .unwrap();
    sqlx::query("INSERT INTO memberships (tenant_id, user_id, role) VALUES ('acme', $1, 'viewer')")
        .bind(user)
        .execute(&mut conn)
        .await
        .unwrap();
    let make = async |collection: &str, id: &str, body: Value| {
        let made = server.post(&format!("/api/{collection}?tenant_id=acme"), &body).await;
        made.is(StatusCode::CREATED).id(id)
    };
    let config = json!({"name": "c", "protocol": "http", "base_url": "http://c.example", "auth_type": "bearer",
        "auth_config": {"token": "t"}});
    let config = make("datasource-configs", "config_id", config).await;
    let source = json!({"name": "S", "datasource_type": "api", "connection_key": "c"});
    let source = make("datasources", "datasource_id", source).await;
    let intent = make("intents", "intent_id", json!({"name": "A"})).await;
    let rule = json!({"intent_id": intent, "field_name": "subject", "rule_type": "regex", "conditions": {"pattern": "x"}});
    let rule = make("validation-rules", "rule_id", rule).await;
    let route = json!({"name": "r", "kind": "label", "decisions": ["review"], "settings": {"label": "x"}});
    let route = make("routes", "route_id", route).await;
    let mailbox = json!({"name": "m", "kind": "smtp", "address": "m@acme.example"});
    let mailbox = make("mailboxes", "mailbox_id", mailbox).await;

    let places = [
        ("/api/classifier", None),
        ("/api/datasource-configs/{config_id}", Some(config)),
        ("/api/datasources/{datasource_id}", Some(source)),
        ("/api/intents/{intent_id}", Some(intent)),
        ("/api/intents/{intent_id}/with-rules", Some(intent)),
        ("/api/mail-domains", None),
        ("/api/mailboxes/{mailbox_id}", Some(mailbox)),
        ("/api/members/{user_id}", Some(user)),
        ("/api/retention", None),
        ("/api/routes/{route_id}", Some(route)),
        ("/api/tenants/{tenant_id}", None),
        ("/api/validation-rules/{rule_id}", Some(rule)),
    ];
    let document = openapi::document();
    let is_both = |item: &Value| {
        item.get("get").is_some() && item["put"]["requestBody"]["content"].get("application/json").is_some()
    };
    let paths = document["paths"].as_object().unwrap().iter();
    let all: BTreeSet<&str> =
        paths.filter(|(_, item)| is_both(item)).map(|(path, _)| path.as_str()).collect();
    let here: BTreeSet<&str> = places.iter().map(|(path, _)| *path).collect();
    assert_eq!(all, here);
    for (template, id) in places {
        let path = match (template.split_once('{'), id) {
            (Some((start, rest)), Some(id)) => {
                format!("{start}{id}{}?tenant_id=acme", rest.split_once('}').unwrap().1)
            }
            (Some((start, _)), None) => format!("{start}acme"),
            (None, _) => format!("{template}?tenant_id=acme"),
        };
        let told = "SELECT (SELECT count(*) FROM audit_log) + (SELECT count(*) FROM instance_audit_log)";
        let before: i64 = sqlx::query_scalar(told).fetch_one(&mut conn).await.unwrap();
        let read = server.get(&path).await.is(StatusCode::OK);
        let tag = &read.headers[header::ETAG];
        let request = server.request(Method::PUT, &path, Some(&server.key)).json(&read.body);
        let request = request.header(header::IF_MATCH, tag.clone());
        let put = Answer::of(request.send().await.unwrap()).await.is(StatusCode::OK);
        assert_eq!((&put.body, &put.headers[header::ETAG]), (&read.body, tag), "{template} is as it was");
        let after: i64 = sqlx::query_scalar(told).fetch_one(&mut conn).await.unwrap();
        // What a member has made may end by it, also where the role stays.
        assert!(after == before || template == "/api/members/{user_id}", "{template}: nothing is told");
        let body =
            &document["paths"][template]["put"]["requestBody"]["content"]["application/json"]["schema"];
        let name = body["$ref"].as_str().unwrap().rsplit('/').next().unwrap();
        let taken = document["components"]["schemas"][name]["properties"].as_object().unwrap();
        for member in read.body.as_object().unwrap().keys() {
            assert!(taken.contains_key(member), "{template}: {name} has no {member}");
        }
    }
}

/// A plan is held against the document: what may be left out of it is not required.
#[tokio::test]
async fn a_plan_has_all_that_the_document_requires_of_it() {
    let server = TestServer::start_idle(&[]).await;
    server.tenant("acme").await;
    let document = json!({"version": 1, "intents": [{"name": "A"}], "classifier": {"gate": 0.9}});
    let plan = server.post("/api/import?tenant_id=acme&dry_run=true", &document).await;
    let plan = plan.is(StatusCode::OK).body;
    let changes = plan["changes"].as_array().unwrap();
    let of = |action: &str| changes.iter().find(|change| change["action"] == action).unwrap();
    assert!(of("create").get("before").is_none() && of("change").get("before").is_some(), "{plan:#}");
    let document = openapi::document();
    for (name, answers) in [("ImportPlan", std::slice::from_ref(&plan)), ("ImportChange", changes)] {
        let required = document["components"]["schemas"][name]["required"].as_array().unwrap();
        for member in required.iter().map(|member| member.as_str().unwrap()) {
            assert!(answers.iter().all(|answer| answer.get(member).is_some()), "{name}: {member}: {plan:#}");
        }
    }
}

#[test]
fn the_document_tells_of_webhooks() {
    let document = openapi::document();
    let hook = &document["webhooks"]["email.decided"]["post"];
    let headers = hook["parameters"].as_array().unwrap().iter();
    let headers: Vec<&str> = headers.map(|header| header["name"].as_str().unwrap()).collect();
    assert_eq!(headers, ["webhook-id", "webhook-timestamp", "webhook-signature"]);
    let body = &hook["requestBody"]["content"]["application/json"]["schema"]["$ref"];
    assert_eq!(body, "#/components/schemas/DecidedEvent");
}

/// What serde_json, PostgreSQL or the types behind cannot hold is the caller's fault, and its field is named.
#[tokio::test]
async fn bodies_that_no_text_or_number_of_ours_can_hold_are_refused_by_field() {
    let server = TestServer::start_idle(&[]).await;
    server.tenant("acme").await;
    let send = async |path: &str, body: String| {
        let request = server.request(Method::POST, &format!("{path}?tenant_id=acme"), Some(&server.key));
        Answer::of(request.header("content-type", "application/json").body(body).send().await.unwrap()).await
    };
    let nested = |depth: usize| format!("{}1{}", "[".repeat(depth), "]".repeat(depth));
    for (path, body, field) in [
        ("/api/intents", r#"{"name": "\ud800"}"#.to_owned(), "name"),
        ("/api/intents", r#"{"name": "a\u0000b"}"#.to_owned(), "name"),
        ("/api/intents", r#"{"name": "a", "priority": 2147483648}"#.to_owned(), "priority"),
        ("/api/intents", r#"{"name": "a", "priority": 1e400}"#.to_owned(), "priority"),
        ("/api/intents", r#"{"name": "a", "nmae": 1}"#.to_owned(), "nmae"),
        ("/api/intents", r#"{"name": "a", "name": "b"}"#.to_owned(), "name"),
        ("/api/intents", format!(r#"{{"name": "a", "match": {}}}"#, nested(1_000)), "match"),
        (
            "/api/validation-rules",
            r#"{"intent_id": 9223372036854775808, "field_name": "a", "rule_type": "regex"}"#.to_owned(),
            "intent_id",
        ),
        (
            "/api/validation-rules",
            format!(
                r#"{{"intent_id": 1, "field_name": "a", "rule_type": "regex", "conditions": {}}}"#,
                nested(1_000)
            ),
            "conditions",
        ),
        ("/api/classifier/test", "{\"text\": \"\u{1}\"}".to_owned(), "text"),
    ] {
        let answer = send(path, body.clone()).await.is(StatusCode::UNPROCESSABLE_ENTITY);
        let fields = answer.fields();
        assert!(
            fields.len() == 1 && fields[0].starts_with(field),
            "{}: {fields:?}",
            &body[..body.len().min(80)]
        );
    }
    let not_utf8 = server.request(Method::POST, "/api/intents?tenant_id=acme", Some(&server.key));
    let not_utf8 = not_utf8.header("content-type", "application/json").body(b"{\"name\": \"\xff\"}".to_vec());
    let answer = Answer::of(not_utf8.send().await.unwrap()).await.is(StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(answer.fields(), ["name"]);
    assert_eq!(answer.body["errors"].as_array().map(Vec::len), Some(1));
    assert!(matches!(answer.body["type"], Value::String(_)));
}
