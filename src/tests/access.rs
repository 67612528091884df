//! Keys, the one-time link, sessions, and what works without any of them: nothing but health and static files.

use reqwest::{Method, StatusCode, header};
use secrecy::ExposeSecret;
use serde_json::json;

use super::support::{Answer, TestServer, message};
use crate::{
    auth::{dto::Role, server::service as auth},
    server::origin::Origin,
};

#[tokio::test]
async fn nothing_but_health_and_static_files_works_without_a_key() {
    let server = TestServer::start_idle(&[]).await;
    server.tenant("acme").await;
    let send = async |method: Method, path: &str| {
        Answer::of(server.request(method, path, None).send().await.unwrap()).await
    };
    for path in ["/healthz", "/readyz"] {
        send(Method::GET, path).await.is(StatusCode::OK);
    }
    for path in [
        "/api/tenants",
        "/api/tenants/acme",
        "/api/intents",
        "/api/intents/1",
        "/api/intents/1/validation-rules",
        "/api/intents/1/with-rules",
        "/api/intents/1/examples",
        "/api/intents/1/versions",
        "/api/intents/1/versions/1",
        "/api/classifier",
        "/api/validation-rules",
        "/api/validation-rules/1",
        "/api/datasources",
        "/api/datasources/1",
        "/api/datasources/1/with-config",
        "/api/datasource-configs",
        "/api/datasource-configs/1",
        "/api/mailboxes",
        "/api/mailboxes/1",
        "/api/mail-domains",
        "/api/routes",
        "/api/routes/1",
        "/api/deliveries",
        "/api/deliveries/01890a5d-ac96-774b-bcce-b302099a8057",
        "/api/backtests",
        "/api/backtests/01890a5d-ac96-774b-bcce-b302099a8057",
        "/api/backtests/01890a5d-ac96-774b-bcce-b302099a8057/changes",
        "/api/files",
        "/api/files/a.csv",
        "/api/emails",
        "/api/emails/01890a5d-ac96-774b-bcce-b302099a8057",
        "/api/emails/01890a5d-ac96-774b-bcce-b302099a8057/parts",
        "/api/emails/01890a5d-ac96-774b-bcce-b302099a8057/html",
        "/api/emails/01890a5d-ac96-774b-bcce-b302099a8057/attachments/0",
        "/api/emails/01890a5d-ac96-774b-bcce-b302099a8057/runs",
        "/api/stats",
        "/api/audit-log",
        "/api/instance-audit-log",
        "/api/members",
        "/api/members/1",
        "/api/invitations",
        "/api/api-keys",
        "/api/api-keys/1",
        "/api/instance-api-keys",
        "/api/export",
        "/api/retention",
        "/demo-api/acme_corp/v1/orders/1042",
    ] {
        for query in ["", "?tenant_id=acme"] {
            send(Method::GET, &format!("{path}{query}")).await.is(StatusCode::UNAUTHORIZED);
        }
    }
    for path in [
        "/",
        "/tenants",
        "/messages",
        "/t/acme",
        "/t/acme/messages",
        "/t/acme/intents",
        "/t/acme/configs",
        "/t/acme/files",
        "/t/acme/settings",
    ] {
        let answer = send(Method::GET, path).await.is(StatusCode::SEE_OTHER);
        assert!(answer.headers[header::LOCATION].to_str().unwrap().starts_with("/sign-in"), "{path}");
        assert!(!answer.text.contains("acme"));
    }
    let sign_in = send(Method::GET, "/sign-in").await.is(StatusCode::OK);
    assert!(!sign_in.text.contains("acme"));
    for function in leptos::server_fn::axum::server_fn_paths() {
        let (path, method) = function;
        // For people who are not signed in: they show what a link in the request's body opens, or
        // what the sign-in page offers, and no more.
        if matches!(path, "/ui/invitation" | "/ui/signed_in_as" | "/ui/sign_in_ways") {
            continue;
        }
        let (kind, body) = body_of(path);
        let request = server.request(method, path, None).header("content-type", kind).body(body);
        let answer = Answer::of(request.send().await.unwrap()).await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{path}: {}", answer.text);
    }
    assert!(leptos::server_fn::axum::server_fn_paths().count() >= 10);
}

#[tokio::test]
async fn a_key_opens_what_it_was_made_for_until_it_ends() {
    let server = TestServer::start_idle(&[]).await;
    server.tenant("acme").await;
    server.tenant("globex").await;
    let key = server.key_of("acme", Role::Viewer).await;
    assert!(key.starts_with("fe_") && key.len() == 35);
    let get = async |key: &str, path: &str| {
        Answer::of(server.request(Method::GET, path, Some(key)).send().await.unwrap()).await.status
    };
    assert_eq!(get(&key, "/api/intents?tenant_id=acme").await, StatusCode::OK);
    assert_eq!(get(&key, "/api/intents?tenant_id=globex").await, StatusCode::NOT_FOUND);
    assert_eq!(get(&server.key, "/api/intents?tenant_id=globex").await, StatusCode::OK);
    for wrong in
        ["", "fe_", "fe_xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx", &key.to_lowercase(), &format!("{key}x"), "é"]
    {
        let request = server.http.get(format!("{}/api/intents?tenant_id=acme", server.base));
        let request = request.header(header::AUTHORIZATION, format!("Bearer {wrong}").into_bytes());
        assert_eq!(request.send().await.unwrap().status(), StatusCode::UNAUTHORIZED, "{wrong}");
    }
    let mut conn = server.database().superuser().await;
    let stored: Vec<String> =
        sqlx::query_scalar("SELECT row_to_json(k)::text FROM api_keys k").fetch_all(&mut conn).await.unwrap();
    assert!(stored.iter().all(|row| !row.contains(&key)), "it is stored hashed");
    for end in ["expires_at = now()", "expires_at = NULL, revoked_at = now()"] {
        let sql = format!("UPDATE api_keys SET {end}");
        sqlx::raw_sql(sqlx::AssertSqlSafe(sql)).execute(&mut conn).await.unwrap();
        assert_eq!(get(&key, "/api/intents?tenant_id=acme").await, StatusCode::UNAUTHORIZED, "{end}");
    }
}

/// Opens the link of the console; the session's cookie.
async fn sign_in(server: &TestServer) -> (String, String) {
    let link = auth::first_link(&server.app).await.unwrap().unwrap();
    let path = format!("/sign-in/{}", link.expose_secret());
    let answer = Answer::of(server.request(Method::GET, &path, None).send().await.unwrap()).await;
    let answer = answer.is(StatusCode::SEE_OTHER);
    assert_eq!(answer.headers[header::LOCATION], "/");
    let cookie = answer.headers[header::SET_COOKIE].to_str().unwrap().to_owned();
    (path, cookie)
}

#[tokio::test]
async fn the_link_signs_in_once_and_the_session_ends_with_sign_out() {
    let server = TestServer::start_idle(&[]).await;
    server.tenant("acme").await;
    let old = auth::first_link(&server.app).await.unwrap().unwrap();
    let (path, cookie) = sign_in(&server).await;
    assert!(
        cookie.contains("HttpOnly") && cookie.contains("SameSite=Lax") && cookie.contains("Path=/"),
        "{cookie}"
    );
    for used in [path.as_str(), &format!("/sign-in/{}", old.expose_secret()), "/sign-in/nonsense"] {
        let answer = Answer::of(server.request(Method::GET, used, None).send().await.unwrap()).await;
        assert_eq!(answer.is(StatusCode::SEE_OTHER).headers[header::LOCATION], "/sign-in?error=used");
    }
    let cookie = cookie.split(';').next().unwrap().to_owned();
    let with_cookie =
        |method: Method, path: &str| server.request(method, path, None).header(header::COOKIE, &cookie);
    let page = Answer::of(with_cookie(Method::GET, "/t/acme").send().await.unwrap()).await.is(StatusCode::OK);
    assert!(page.text.contains("The acme company"), "it reads without WebAssembly");
    assert_eq!(page.headers[header::CACHE_CONTROL], "no-store");
    let api = with_cookie(Method::GET, "/api/intents?tenant_id=acme").send().await.unwrap();
    assert_eq!(api.status(), StatusCode::OK);
    // What the cookie authorises must come from our own pages.
    let intent = json!({"name": "A"});
    for (name, value) in [
        ("sec-fetch-site", "cross-site"),
        ("sec-fetch-site", "same-site"),
        ("origin", "https://evil.example"),
        ("origin", "null"),
    ] {
        let forged =
            with_cookie(Method::POST, "/api/intents?tenant_id=acme").header(name, value).json(&intent);
        assert_eq!(forged.send().await.unwrap().status(), StatusCode::FORBIDDEN, "{name}: {value}");
    }
    let own =
        with_cookie(Method::POST, "/api/intents?tenant_id=acme").header("origin", &server.base).json(&intent);
    assert_eq!(own.send().await.unwrap().status(), StatusCode::CREATED);
    let out =
        with_cookie(Method::POST, "/sign-out").header("sec-fetch-site", "same-origin").send().await.unwrap();
    assert_eq!(out.status(), StatusCode::SEE_OTHER);
    let after = with_cookie(Method::GET, "/api/intents?tenant_id=acme").send().await.unwrap();
    assert_eq!(after.status(), StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn a_session_ends_when_it_is_old_or_idle_and_a_link_does_too() {
    let server = TestServer::start_idle(&[]).await;
    let (_, cookie) = sign_in(&server).await;
    let cookie = cookie.split(';').next().unwrap().to_owned();
    let status = async || {
        let request = server.request(Method::GET, "/api/tenants", None).header(header::COOKIE, &cookie);
        request.send().await.unwrap().status()
    };
    assert_eq!(status().await, StatusCode::OK);
    let mut conn = server.database().superuser().await;
    for (end, back) in [
        ("last_seen_at = now() - interval '3 hours'", "last_seen_at = now()"),
        ("expires_at = now()", "expires_at = now() + interval '1 hour'"),
    ] {
        for (sql, expected) in [(end, StatusCode::UNAUTHORIZED), (back, StatusCode::OK)] {
            let sql = format!("UPDATE sessions SET {sql}");
            sqlx::raw_sql(sqlx::AssertSqlSafe(sql)).execute(&mut conn).await.unwrap();
            assert_eq!(status().await, expected);
        }
    }
    // A page that is left open keeps no session alive; a person does.
    server.tenant("acme").await;
    let page = async |method: Method, path: &str, unattended: bool| {
        let request = server.request(method, path, None).header(header::COOKIE, &cookie);
        let request = request.header("content-type", "application/x-www-form-urlencoded");
        let request = if unattended { request.header("x-unattended", "1") } else { request };
        assert_eq!(request.body("tenant_id=acme").send().await.unwrap().status(), StatusCode::OK, "{path}");
    };
    sqlx::query("UPDATE sessions SET last_seen_at = now() - interval '20 minutes'")
        .execute(&mut conn)
        .await
        .unwrap();
    page(Method::GET, "/ui/changes?tenant_id=acme", false).await;
    page(Method::POST, "/ui/emails/list", true).await;
    let seen = "SELECT count(*) FROM sessions WHERE last_seen_at > now() - interval '1 minute'";
    let count: i64 = sqlx::query_scalar(seen).fetch_one(&mut conn).await.unwrap();
    assert_eq!(count, 0, "nobody was seen");
    page(Method::POST, "/ui/emails/list", false).await;
    let count: i64 = sqlx::query_scalar(seen).fetch_one(&mut conn).await.unwrap();
    assert_eq!(count, 1, "somebody was");
    let link = auth::first_link(&server.app).await.unwrap().unwrap();
    sqlx::query("UPDATE sign_in_links SET expires_at = now()").execute(&mut conn).await.unwrap();
    assert!(
        auth::sign_in_by_link(&server.app, &Origin::default(), link.expose_secret(), None)
            .await
            .unwrap()
            .is_none()
    );
}

#[tokio::test]
async fn a_member_sees_the_tenants_of_the_membership_and_no_more() {
    let server = TestServer::start_idle(&[]).await;
    server.tenant("acme").await;
    server.tenant("globex").await;
    let (_, cookie) = sign_in(&server).await;
    let cookie = cookie.split(';').next().unwrap().to_owned();
    let mut conn = server.database().superuser().await;
    sqlx::raw_sql(
        "UPDATE users SET is_instance_admin = false; \
         INSERT INTO memberships (tenant_id, user_id, role) SELECT 'acme', user_id, 'viewer' FROM users",
    )
    .execute(&mut conn)
    .await
    .unwrap();
    let send = async |method: Method, path: &str| {
        let request = server.request(method, path, None).header(header::COOKIE, &cookie);
        Answer::of(request.json(&json!({"name": "x"})).send().await.unwrap()).await
    };
    let tenants = send(Method::GET, "/api/tenants").await.is(StatusCode::OK);
    assert_eq!(tenants.body.as_array().unwrap().len(), 1);
    send(Method::GET, "/api/intents?tenant_id=acme").await.is(StatusCode::OK);
    send(Method::POST, "/api/intents?tenant_id=acme").await.is(StatusCode::FORBIDDEN);
    send(Method::GET, "/api/intents?tenant_id=globex").await.is(StatusCode::NOT_FOUND);
    send(Method::GET, "/api/tenants/globex").await.is(StatusCode::NOT_FOUND);
    send(Method::PUT, "/api/tenants/acme").await.is(StatusCode::FORBIDDEN);
    send(Method::DELETE, "/api/tenants/globex").await.is(StatusCode::NOT_FOUND);
    let selector = send(Method::GET, "/tenants").await.is(StatusCode::OK);
    assert!(selector.text.contains("acme") && !selector.text.contains("globex"));
    let page = send(Method::GET, "/t/globex").await.is(StatusCode::NOT_FOUND);
    assert!(!page.text.contains("The globex company"));
}

/// What an attacker would try first, on every call of routes, deliveries, versions, dry-runs and backtests.
#[tokio::test]
async fn routes_deliveries_and_drafts_are_by_role_of_the_tenant_and_bounded() {
    let server = TestServer::start_with(&[("MAX_MESSAGE_BYTES", "5000")]).await;
    server.tenant("acme").await;
    server.tenant("globex").await;
    let config = json!({"name": "c", "protocol": "sqlite", "connection_json": {"path": "a.sqlite"}});
    server.post("/api/datasource-configs?tenant_id=acme", &config).await.is(StatusCode::CREATED);
    let source = json!({"name": "S", "datasource_type": "database", "connection_key": "c"});
    let source = server.post("/api/datasources?tenant_id=acme", &source).await.id("datasource_id");
    let intent = server.post("/api/intents?tenant_id=acme", &json!({"name": "A"})).await.id("intent_id");
    let route = |name: &str| json!({"name": name, "kind": "label", "decisions": ["review"], "settings": {"label": "x"}});
    let route_id =
        server.post("/api/routes?tenant_id=acme", &route("r")).await.is(StatusCode::CREATED).id("route_id");
    let email = server.decide("acme", super::support::message("a@x.example", "x", "x")).await;
    let delivery = email["deliveries"][0]["delivery_id"].as_str().unwrap();
    let rule = |sql: &str| json!([{"field_name": "subject", "rule_type": "exists", "datasource_id": source, "conditions": {"query": sql}}]);
    let message = json!({"email_id": email["email_id"]});
    let dry = |name: &str, sql: &str| json!({"message": message, "intent": {"name": name}, "validation_rules": rule(sql)});
    let rules = |sql: &str| json!({"message": message, "validation_rules": rule(sql)});
    let test =
        |name: &str, sql: &str| json!({"intent": {"name": name}, "validation_rules": rule(sql), "last": 1});
    let ok = "SELECT 1";
    let backtest =
        server.post("/api/backtests?tenant_id=acme", &test("B", ok)).await.is(StatusCode::ACCEPTED).body;
    let backtest = backtest["backtest_id"].as_str().unwrap();
    let none = json!({});
    // Method, path, body, whether a viewer may.
    let calls = [
        (Method::GET, "/api/routes".to_owned(), none.clone(), true),
        (Method::GET, format!("/api/routes/{route_id}"), none.clone(), true),
        (Method::GET, "/api/deliveries".to_owned(), none.clone(), true),
        (Method::GET, format!("/api/deliveries/{delivery}"), none.clone(), true),
        (Method::GET, format!("/api/intents/{intent}/versions"), none.clone(), true),
        (Method::GET, format!("/api/intents/{intent}/versions/1"), none.clone(), true),
        (Method::GET, "/api/backtests".to_owned(), none.clone(), true),
        (Method::GET, format!("/api/backtests/{backtest}"), none.clone(), true),
        (Method::GET, format!("/api/backtests/{backtest}/changes"), none.clone(), true),
        (Method::POST, "/api/routes".to_owned(), route("n"), false),
        (Method::PUT, format!("/api/routes/{route_id}"), route("n"), false),
        (Method::POST, format!("/api/routes/{route_id}/rotate-secret"), none.clone(), false),
        (Method::DELETE, format!("/api/routes/{route_id}"), none.clone(), false),
        (Method::POST, format!("/api/deliveries/{delivery}/retry"), none.clone(), false),
        (Method::POST, "/api/emails/dry-run".to_owned(), dry("D", ok), false),
        (Method::POST, "/api/validation-rules/dry-run".to_owned(), rules(ok), false),
        (Method::POST, "/api/backtests".to_owned(), test("D", ok), false),
        (Method::DELETE, format!("/api/backtests/{backtest}"), none.clone(), false),
    ];
    let (viewer, stranger) =
        (server.key_of("acme", Role::Viewer).await, server.key_of("globex", Role::Admin).await);
    for (method, path, body, may_view) in &calls {
        let allowed = if *may_view { StatusCode::OK } else { StatusCode::FORBIDDEN };
        for (key, status) in [
            (None, StatusCode::UNAUTHORIZED),
            (Some(&stranger), StatusCode::NOT_FOUND),
            (Some(&viewer), allowed),
        ] {
            let path = format!("{path}?tenant_id=acme");
            let request = server.request(method.clone(), &path, key.map(String::as_str)).json(body);
            let answer = Answer::of(request.send().await.unwrap()).await;
            assert_eq!(answer.status, status, "{method} {path}: {}", answer.text);
        }
    }
    let huge = "x".repeat(10 << 20);
    let template = "SELECT * FROM t WHERE a = '{{subject}}'";
    for (path, bodies) in [
        (
            "/api/routes",
            [
                route(&huge),
                route("a\0b"),
                json!({"name": "x", "kind": "label", "decisions": ["review"], "settings": {"label": "{{'; DROP}}"}}),
            ],
        ),
        ("/api/emails/dry-run", [dry(&huge, ok), dry("a\0b", ok), dry("D", template)]),
        ("/api/validation-rules/dry-run", [rules(&huge), rules("SELECT '\0'"), rules(template)]),
        ("/api/backtests", [test(&huge, ok), test("a\0b", ok), test("D", template)]),
    ] {
        let [huge, nul, template] = bodies;
        for (body, status) in [
            (huge, StatusCode::PAYLOAD_TOO_LARGE),
            (nul, StatusCode::UNPROCESSABLE_ENTITY),
            (template, StatusCode::UNPROCESSABLE_ENTITY),
        ] {
            let answer = server.post(&format!("{path}?tenant_id=acme"), &body).await;
            assert_eq!(answer.status, status, "{path}: {}", answer.text);
        }
    }
}

/// Every server function, and the lowest role that may call it. One that is not here fails the test.
const SERVER_FUNCTIONS: [(&str, Lowest); 89] = [
    ("/ui/signed_in_as", Lowest::Nobody),
    ("/ui/sign_in_ways", Lowest::Nobody),
    ("/ui/invitation", Lowest::Nobody),
    ("/ui/me", Lowest::Anyone),
    ("/ui/tenants/list", Lowest::Anyone),
    ("/ui/tenants/load-demo", Lowest::Instance),
    ("/ui/tenants/create", Lowest::Instance),
    ("/ui/tenants/rename", Lowest::Instance),
    ("/ui/tenants/set-active", Lowest::Instance),
    ("/ui/tenants/delete", Lowest::Instance),
    ("/ui/mailboxes/list", Lowest::In(Role::Admin)),
    ("/ui/mailboxes/get", Lowest::In(Role::Admin)),
    ("/ui/mailboxes/save", Lowest::In(Role::Admin)),
    ("/ui/mailboxes/delete", Lowest::In(Role::Admin)),
    ("/ui/mailboxes/set-domains", Lowest::InstanceIn),
    ("/ui/members/list", Lowest::In(Role::Admin)),
    ("/ui/members/set-role", Lowest::In(Role::Admin)),
    ("/ui/members/remove", Lowest::In(Role::Admin)),
    ("/ui/members/invite", Lowest::In(Role::Admin)),
    ("/ui/members/take-back", Lowest::In(Role::Admin)),
    ("/ui/keys/list", Lowest::In(Role::Admin)),
    ("/ui/keys/create", Lowest::In(Role::Admin)),
    ("/ui/keys/revoke", Lowest::In(Role::Admin)),
    ("/ui/audit/list", Lowest::In(Role::Admin)),
    ("/ui/dashboard", Lowest::In(Role::Viewer)),
    ("/ui/transfer/overview", Lowest::In(Role::Editor)),
    ("/ui/retention/get", Lowest::In(Role::Viewer)),
    ("/ui/retention/plan", Lowest::In(Role::Admin)),
    ("/ui/retention/save", Lowest::In(Role::Admin)),
    ("/ui/emails/list", Lowest::In(Role::Viewer)),
    ("/ui/emails/get", Lowest::In(Role::Viewer)),
    ("/ui/emails/neighbours", Lowest::In(Role::Viewer)),
    ("/ui/emails/reprocess", Lowest::In(Role::Operator)),
    ("/ui/emails/decide", Lowest::In(Role::Operator)),
    ("/ui/emails/parts", Lowest::In(Role::Viewer)),
    ("/ui/emails/source", Lowest::In(Role::Viewer)),
    ("/ui/emails/history", Lowest::In(Role::Viewer)),
    ("/ui/emails/correct", Lowest::In(Role::Operator)),
    ("/ui/emails/decide-many", Lowest::In(Role::Operator)),
    ("/ui/emails/reprocess-many", Lowest::In(Role::Operator)),
    ("/ui/emails/correct-many", Lowest::In(Role::Operator)),
    ("/ui/emails/send-again-many", Lowest::In(Role::Operator)),
    ("/ui/emails/take-back", Lowest::In(Role::Operator)),
    ("/ui/saved-filters/list", Lowest::In(Role::Viewer)),
    ("/ui/saved-filters/save", Lowest::In(Role::Viewer)),
    ("/ui/saved-filters/delete", Lowest::In(Role::Viewer)),
    ("/ui/emails/try", Lowest::In(Role::Editor)),
    ("/ui/emails/try-draft", Lowest::In(Role::Editor)),
    ("/ui/emails/draft-of", Lowest::In(Role::Viewer)),
    ("/ui/deliveries/payload", Lowest::In(Role::Viewer)),
    ("/ui/deliveries/retry", Lowest::In(Role::Operator)),
    ("/ui/intents/list", Lowest::In(Role::Viewer)),
    ("/ui/intents/get", Lowest::In(Role::Viewer)),
    ("/ui/intents/edit", Lowest::In(Role::Viewer)),
    ("/ui/intents/save", Lowest::In(Role::Editor)),
    ("/ui/intents/delete", Lowest::In(Role::Editor)),
    ("/ui/intents/versions", Lowest::In(Role::Viewer)),
    ("/ui/intents/version", Lowest::In(Role::Viewer)),
    ("/ui/examples/list", Lowest::In(Role::Viewer)),
    ("/ui/examples/add", Lowest::In(Role::Editor)),
    ("/ui/examples/delete", Lowest::In(Role::Editor)),
    ("/ui/classifier/get", Lowest::In(Role::Viewer)),
    ("/ui/backtests/start", Lowest::In(Role::Editor)),
    ("/ui/backtests/get", Lowest::In(Role::Viewer)),
    ("/ui/backtests/changes", Lowest::In(Role::Viewer)),
    ("/ui/backtests/delete", Lowest::In(Role::Editor)),
    ("/ui/rules/list", Lowest::In(Role::Viewer)),
    ("/ui/rules/find", Lowest::In(Role::Viewer)),
    ("/ui/routes/of-intent", Lowest::In(Role::Viewer)),
    ("/ui/datasources/list", Lowest::In(Role::Viewer)),
    ("/ui/datasources/get", Lowest::In(Role::Viewer)),
    ("/ui/datasources/save", Lowest::In(Role::Editor)),
    ("/ui/datasources/delete", Lowest::In(Role::Editor)),
    ("/ui/datasources/test", Lowest::In(Role::Editor)),
    ("/ui/datasources/preview", Lowest::In(Role::Editor)),
    ("/ui/datasource-configs/list", Lowest::In(Role::Viewer)),
    ("/ui/datasource-configs/get", Lowest::In(Role::Viewer)),
    ("/ui/datasource-configs/save", Lowest::In(Role::Admin)),
    ("/ui/datasource-configs/delete", Lowest::In(Role::Admin)),
    ("/ui/datasource-configs/test", Lowest::In(Role::Admin)),
    ("/ui/names/list", Lowest::In(Role::Viewer)),
    ("/ui/routes/list", Lowest::In(Role::Viewer)),
    ("/ui/routes/get", Lowest::In(Role::Viewer)),
    ("/ui/routes/save", Lowest::In(Role::Editor)),
    ("/ui/routes/delete", Lowest::In(Role::Editor)),
    ("/ui/routes/rotate-secret", Lowest::In(Role::Admin)),
    ("/ui/files/list", Lowest::In(Role::Viewer)),
    ("/ui/files/delete", Lowest::In(Role::Editor)),
    ("/ui/files/look", Lowest::In(Role::Editor)),
];

/// What those are sent that take JSON; the others take a form.
const JSON_BODIES: [(&str, &str); 14] = [
    ("/ui/emails/decide-many", r#"{"tenant_id": "acme", "ids": [], "decision": "accepted", "note": ""}"#),
    ("/ui/emails/reprocess-many", r#"{"tenant_id": "acme", "ids": []}"#),
    ("/ui/emails/correct-many", r#"{"tenant_id": "acme", "ids": [], "intent_id": null}"#),
    ("/ui/emails/send-again-many", r#"{"tenant_id": "acme", "ids": []}"#),
    (
        "/ui/emails/take-back",
        r#"{"tenant_id": "acme", "ids": [], "word": "01890a5d-ac96-474b-8cce-b302099a8057"}"#,
    ),
    (
        "/ui/emails/try-draft",
        r#"{"tenant_id": "acme", "input": {"message": {"raw": "x"}, "intent": {"name": "A"}}}"#,
    ),
    (
        "/ui/mailboxes/save",
        r#"{"tenant_id": "acme", "etag": "", "input": {"name": "x", "kind": "smtp", "address": "x@y.example"}}"#,
    ),
    ("/ui/intents/save", r#"{"tenant_id": "acme", "draft": {"intent": {"name": "A"}}}"#),
    ("/ui/backtests/start", r#"{"tenant_id": "acme", "input": {"intent": {"name": "A"}, "last": 1}}"#),
    (
        "/ui/datasources/save",
        r#"{"tenant_id":"acme","datasource_id":null,"etag":"","input":{"name":"","datasource_type":"file","connection_key":""},"config":null}"#,
    ),
    ("/ui/datasources/preview", r#"{"tenant_id":"acme","datasource_id":1,"input":{"conditions":{}}}"#),
    (
        "/ui/routes/save",
        r#"{"tenant_id":"acme","route_id":null,"etag":"","input":{"name":"","kind":"label","decisions":[],"settings":{}}}"#,
    ),
    (
        "/ui/datasource-configs/save",
        r#"{"tenant_id":"acme","config_id":null,"etag":"","input":{"name":"","protocol":"file"}}"#,
    ),
    (
        "/ui/datasource-configs/test",
        r#"{"tenant_id":"acme","config_id":null,"input":{"name":"","protocol":"file"}}"#,
    ),
];

/// What a server function is sent: every field that any of them has, or its JSON.
fn body_of(path: &str) -> (&'static str, String) {
    if let Some((_, body)) = JSON_BODIES.iter().find(|(known, _)| *known == path) {
        return ("application/json", (*body).to_owned());
    }
    let id = "01890a5d-ac96-774b-bcce-b302099a8057";
    let fields = format!(
        "tenant_id=acme&email_id={id}&delivery_id={id}&path=a.csv&raw=x&email=&intent=&draft=%7B%7D&requested=false\
         &intent_id=1&decision=accepted&note=&token=x&filter[q]=&datasource_id=0&route_id=0&config_id=0&etag=&user_id=0&role=viewer&invitation_id=0&key_id=0&name=x&query=%3F&filter_id=1&period=day&days=&is_active=true&version=1&backtest_id={id}&outcome=changed&example_id=1&text=x&mailbox_id=0&domains=&typed=x"
    );
    ("application/x-www-form-urlencoded", fields)
}

#[derive(Clone, Copy, PartialEq)]
enum Lowest {
    /// For people who are not signed in, too.
    Nobody,
    Anyone,
    In(Role),
    Instance,
    /// In a tenant, for administrators of the installation.
    InstanceIn,
}

#[tokio::test]
async fn every_server_function_asks_who_calls_and_for_which_tenant() {
    let server = TestServer::start_idle(&[]).await;
    server.tenant("acme").await;
    server.tenant("globex").await;
    let stranger = server.key_of("globex", Role::Admin).await;
    let mut keys = Vec::new();
    for role in Role::ALL {
        keys.push((*role, server.key_of("acme", *role).await));
    }
    for (path, method) in leptos::server_fn::axum::server_fn_paths() {
        let known = SERVER_FUNCTIONS.iter().find(|(known, _)| *known == path);
        let (_, lowest) = known.unwrap_or_else(|| panic!("{path} is not in the list of server functions"));
        let call = async |key: Option<&str>| {
            let (kind, body) = body_of(path);
            let request = server.request(method.clone(), path, key).header("content-type", kind).body(body);
            Answer::of(request.send().await.unwrap()).await.status
        };
        let anonymous = call(None).await;
        assert_eq!(anonymous == StatusCode::UNAUTHORIZED, *lowest != Lowest::Nobody, "{path}: {anonymous}");
        match lowest {
            Lowest::In(needed) => {
                assert_eq!(call(Some(&stranger)).await, StatusCode::NOT_FOUND, "{path}");
                for (role, key) in &keys {
                    let refused = call(Some(key)).await == StatusCode::FORBIDDEN;
                    assert_eq!(refused, role.rank() < needed.rank(), "{path} as {role}");
                }
            }
            Lowest::InstanceIn => {
                assert_eq!(call(Some(&stranger)).await, StatusCode::NOT_FOUND, "{path}");
                for (role, key) in &keys {
                    assert_eq!(call(Some(key)).await, StatusCode::FORBIDDEN, "{path} as {role}");
                }
            }
            Lowest::Instance => assert_eq!(call(Some(&stranger)).await, StatusCode::FORBIDDEN, "{path}"),
            Lowest::Nobody | Lowest::Anyone => {}
        }
    }
    assert_eq!(leptos::server_fn::axum::server_fn_paths().count(), SERVER_FUNCTIONS.len());
}

/// The router's own list of pages: a new one that forgets to ask fails here.
#[tokio::test]
async fn every_page_but_those_of_signing_in_asks_who_calls() {
    let server = TestServer::start_idle(&[]).await;
    server.tenant("acme").await;
    let stranger = server.key_of("globex", Role::Admin);
    server.tenant("globex").await;
    let stranger = stranger.await;
    let pages = leptos_axum::generate_route_list(crate::app::App);
    assert!(pages.len() > 15);
    for page in pages {
        let path = page.path().replace("{tenant_id}", "acme").replace(":tenant_id", "acme");
        let path = path.replace(['{', '}', ':'], "");
        let open = crate::auth::server::is_open(&path);
        let answer = Answer::of(server.request(Method::GET, &path, None).send().await.unwrap()).await;
        assert_eq!(answer.status == StatusCode::SEE_OTHER, !open, "{path}: {}", answer.status);
        assert!(!answer.text.contains("The acme company"), "{path}");
        if path.starts_with("/t/acme") {
            let answer =
                Answer::of(server.request(Method::GET, &path, Some(&stranger)).send().await.unwrap()).await;
            assert!(!answer.text.contains("The acme company"), "{path}");
        }
    }
}

/// What somebody wrote stands in the fields of an editor as text, whatever it looks like.
#[tokio::test]
async fn a_text_cannot_end_its_field() {
    let server = TestServer::start_idle(&[]).await;
    server.tenant("acme").await;
    let text = "\n</textarea><form action=//evil.example id=planted>&lt;";
    let intent = json!({"name": "A", "description": text});
    let id =
        server.post("/api/intents?tenant_id=acme", &intent).await.is(StatusCode::CREATED).id("intent_id");
    let (_, cookie) = sign_in(&server).await;
    let cookie = cookie.split(';').next().unwrap().to_owned();
    let path = format!("/t/acme/intents/{id}/edit");
    let page = server.request(Method::GET, &path, None).header(header::COOKIE, cookie).send().await.unwrap();
    let page = Answer::of(page).await.is(StatusCode::OK).text;
    assert!(
        page.contains("\n\n&lt;/textarea>&lt;form action=//evil.example id=planted>&amp;lt;</textarea>"),
        "{page}"
    );
    assert!(!page.contains("</textarea><form"), "{page}");
}

/// A subject is a stranger's, and stands in the title of the message's page.
#[tokio::test]
async fn a_subject_cannot_end_the_title() {
    let server = TestServer::start_idle(&[]).await;
    server.tenant("acme").await;
    let subject = "</title><form id=planted>&lt;";
    let id = server.receive("acme", message("a@x.example", subject, "x")).await;
    let (_, cookie) = sign_in(&server).await;
    let cookie = cookie.split(';').next().unwrap().to_owned();
    let path = format!("/t/acme/messages/{id}");
    let page = server.request(Method::GET, &path, None).header(header::COOKIE, cookie).send().await.unwrap();
    let page = Answer::of(page).await.is(StatusCode::OK).text;
    assert!(page.contains("<title>&lt;/title>&lt;form id=planted>&amp;lt; · "), "{page}");
    assert!(!page.contains("<form id=planted"), "{page}");
}
