//! What somebody may try who copied a cookie, comes to a browser after its owner, or wrote an address.

use reqwest::{
    Method, StatusCode,
    header::{self, HeaderName},
};
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use tokio::task::JoinHandle;

use super::{
    identity::with_fields,
    support::{Answer, TestServer, eventually, message},
};
use crate::{
    auth::{dto::Role, server::service as auth},
    server::changes::CHANNEL,
};

const PASSWORD: &str = "correct horse battery";
const OTHER: &str = "staple on the window sill";

/// A form as a browser sends it that runs nothing, from our own page.
async fn form(server: &TestServer, path: &str, cookie: &str, fields: &[(&str, &str)]) -> Answer {
    let request = server
        .request(Method::POST, path, None)
        .header("sec-fetch-site", "same-origin")
        .header(header::ACCEPT, "text/html")
        .header(header::COOKIE, cookie);
    Answer::of(with_fields(request, fields).send().await.unwrap()).await.is(StatusCode::SEE_OTHER)
}

async fn get_as(server: &TestServer, cookie: &str, path: &str) -> Answer {
    let request = server.request(Method::GET, path, None).header(header::COOKIE, cookie);
    Answer::of(request.send().await.unwrap()).await
}

fn cookie_of(answer: &Answer) -> String {
    let cookie = answer.headers[header::SET_COOKIE].to_str().unwrap();
    assert!(cookie.contains("HttpOnly") && cookie.contains("SameSite=Lax"), "{cookie}");
    cookie.split(';').next().unwrap().to_owned()
}

/// A member of the tenant; their session.
async fn member(server: &TestServer, email: &str, tenant: &str) -> String {
    let input = json!({"email": email, "role": "viewer"});
    let made = server.post(&format!("/api/members?tenant_id={tenant}"), &input).await.is(StatusCode::CREATED);
    let link = made.body["link"].as_str().unwrap().strip_prefix(&server.base).unwrap().to_owned();
    cookie_of(&form(server, &link, "", &[("display_name", "Ada"), ("password", PASSWORD)]).await)
}

async fn lives(server: &TestServer, cookie: &str) -> bool {
    get_as(server, cookie, "/api/tenants").await.status == StatusCode::OK
}

/// Sets the password in a session, and goes on as the browser does.
async fn set_password(server: &TestServer, cookie: &str, current: &str, new: &str) -> String {
    let fields = [("current_password", current), ("new_password", new), ("repeated_password", new)];
    let answer = form(server, "/account/password", cookie, &fields).await;
    assert_eq!(answer.headers[header::LOCATION], "/account?done=password");
    let renewed = cookie_of(&answer);
    let page = get_as(server, &renewed, "/account?done=password").await.is(StatusCode::OK).text;
    assert!(page.contains("Your password is set."), "{page}");
    renewed
}

#[tokio::test]
async fn a_copy_of_the_cookie_is_worth_nothing_once_the_password_is_set() {
    let server = TestServer::start_idle(&[]).await;
    server.tenant("acme").await;
    let copied = member(&server, "ada@acme.example", "acme").await;
    let expiry = "SELECT expires_at::text FROM sessions";
    let mut conn = server.database().superuser().await;
    let expires: String = sqlx::query_scalar(expiry).fetch_one(&mut conn).await.unwrap();
    let renewed = set_password(&server, &copied, PASSWORD, OTHER).await;
    assert!(!lives(&server, &copied).await && lives(&server, &renewed).await);
    let request = server.request(Method::POST, "/ui/me", None).header(header::COOKIE, &copied);
    assert_eq!(request.send().await.unwrap().status(), StatusCode::UNAUTHORIZED);
    // It is the same session: it ends when it would have ended.
    let same: String = sqlx::query_scalar(expiry).fetch_one(&mut conn).await.unwrap();
    assert_eq!(expires, same);
    // Of a refused change nothing comes.
    let fields = [("current_password", "wrong"), ("new_password", PASSWORD), ("repeated_password", PASSWORD)];
    let refused = form(&server, "/account/password", &renewed, &fields).await;
    assert!(!refused.headers.contains_key(header::SET_COOKIE) && lives(&server, &renewed).await);

    // Nor where it is the first password that an account has.
    let server = TestServer::start_idle(&[]).await;
    let link = auth::first_link(&server.app).await.unwrap().unwrap();
    let path = format!("/sign-in/{}", link.expose_secret());
    let copied = cookie_of(&get_as(&server, "", &path).await.is(StatusCode::SEE_OTHER));
    let renewed = set_password(&server, &copied, "", OTHER).await;
    assert!(!lives(&server, &copied).await && lives(&server, &renewed).await);
}

#[tokio::test]
async fn a_browser_keeps_nothing_that_is_one_persons() {
    let server = TestServer::start_idle(&[]).await;
    server.tenant("acme").await;
    let id = server.receive("acme", message("a@x.example", "order", "x")).await;
    let cookie = member(&server, "ada@acme.example", "acme").await;
    let kept = |answer: &Answer| {
        answer.headers.get(header::CACHE_CONTROL).map(|value| value.to_str().unwrap().to_owned())
    };
    let email = format!("/api/emails/{id}");
    for path in [
        email.clone(),
        format!("{email}/raw"),
        format!("{email}/parts"),
        format!("{email}/html"),
        format!("{email}/attachments/0"),
        "/api/emails".to_owned(),
        "/api/datasources".to_owned(),
        "/api/export".to_owned(),
        "/api/nothing".to_owned(),
        "/t/acme".to_owned(),
        "/account".to_owned(),
        "/sign-in".to_owned(),
        "/reset/x".to_owned(),
        "/invitation/x".to_owned(),
        "/nothing".to_owned(),
        "/t/acme/messages/".to_owned(),
        "/readyz".to_owned(),
    ] {
        let path = format!("{path}?tenant_id=acme");
        for cookie in ["", cookie.as_str()] {
            let answer = get_as(&server, cookie, &path).await;
            assert_eq!(kept(&answer).as_deref(), Some("no-store"), "{path}: {}", answer.status);
        }
    }
    let request = server.request(Method::POST, "/ui/me", None).header(header::COOKIE, &cookie);
    let me = Answer::of(request.send().await.unwrap()).await.is(StatusCode::OK);
    assert_eq!(kept(&me).as_deref(), Some("no-store"));

    // What is the same for everybody says itself how it is kept, or leaves it to the browser.
    let site = std::path::PathBuf::from(&*server.app.leptos.site_root);
    std::fs::create_dir_all(&site).unwrap();
    std::fs::write(site.join("favicon.svg"), "<svg/>").unwrap();
    for (path, expected) in [
        ("/api/openapi.json", Some("no-cache")),
        ("/docs/", None),
        ("/docs/swagger-ui.css", None),
        ("/favicon.svg", None),
    ] {
        let answer = server.get(path).await.is(StatusCode::OK);
        assert_eq!(kept(&answer).as_deref(), expected, "{path}");
    }
}

/// The connection of a page stays open for minutes; when messages come is nobody else's to know meanwhile.
#[tokio::test]
async fn who_may_not_hear_any_more_is_told_nothing_more() {
    let server = TestServer::start_idle(&[]).await;
    server.tenant("acme").await;
    let ada = member(&server, "ada@acme.example", "acme").await;
    let bob = member(&server, "bob@acme.example", "acme").await;
    let input = json!({"name": "revoked", "role": "viewer"});
    let made = server.post("/api/api-keys?tenant_id=acme", &input).await.is(StatusCode::CREATED);
    let bearer = |key: &str| (header::AUTHORIZATION, format!("Bearer {key}"));
    let opened = async |(name, value): (HeaderName, String)| {
        let request = server.request(Method::GET, "/ui/changes?tenant_id=acme", None).header(name, value);
        let answer = request.send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::OK);
        answer
    };
    // Each task ends with its stream.
    let hear = |answer: reqwest::Response| tokio::spawn(answer.text());
    let ended = [
        hear(opened((header::COOKIE, ada.clone())).await),
        hear(opened((header::COOKIE, bob)).await),
        hear(opened(bearer(made.body["key"].as_str().unwrap())).await),
    ];
    let goes_on = hear(opened(bearer(&server.key_of("acme", Role::Viewer).await)).await);

    form(&server, "/sign-out", &ada, &[]).await;
    let members = server.get("/api/members?tenant_id=acme").await.is(StatusCode::OK).body;
    let is_bob = |member: &&Value| member["email"] == "bob@acme.example";
    let bob = members.as_array().unwrap().iter().find(is_bob).unwrap()["user_id"].clone();
    server.delete(&format!("/api/members/{bob}?tenant_id=acme")).await.is(StatusCode::NO_CONTENT);
    let key = made.id("key_id");
    server.delete(&format!("/api/api-keys/{key}?tenant_id=acme")).await.is(StatusCode::NO_CONTENT);
    let mut conn = server.database().superuser().await;
    eventually("their streams end", async || {
        let sql = "SELECT pg_notify($1, 'acme')";
        sqlx::query(sql).bind(CHANNEL).execute(&mut conn).await.unwrap();
        ended.iter().all(JoinHandle::is_finished).then_some(())
    })
    .await;
    assert!(!goes_on.is_finished(), "who may still hear does");
    goes_on.abort();
}

#[tokio::test]
async fn a_refused_host_does_not_tell_where_it_leads() {
    let server = TestServer::start_with(&[("LOOKUP_ALLOW_NETWORKS", "192.0.2.0/24")]).await;
    server.tenant("acme").await;
    let mut told = Vec::new();
    for (i, base) in ["http://localhost:1", "http://127.0.0.1:1"].into_iter().enumerate() {
        let config = json!({"name": format!("c{i}"), "protocol": "http", "base_url": base});
        server.post("/api/datasource-configs?tenant_id=acme", &config).await.is(StatusCode::CREATED);
        let body =
            json!({"name": format!("D{i}"), "datasource_type": "api", "connection_key": format!("c{i}")});
        let made = server.post("/api/datasources?tenant_id=acme", &body).await.is(StatusCode::CREATED);
        let path = format!("/api/datasources/{}/preview?tenant_id=acme", made.id("datasource_id"));
        let answer = server.post(&path, &json!({"conditions": {"path": "/"}})).await.is(StatusCode::OK);
        assert_eq!(answer.body["ok"], false, "{}", answer.text);
        told.push(answer.text);
    }
    // An address that they wrote themselves may be said again.
    assert!(told[1].contains("127.0.0.1 is a private"), "{}", told[1]);

    let hook = json!({"name": "hook", "kind": "webhook", "decisions": ["review"], "settings": {"url": "http://localhost:1/"}});
    server.post("/api/routes?tenant_id=acme", &hook).await.is(StatusCode::CREATED);
    let id = server.receive("acme", message("a@x.example", "x", "x")).await;
    let path = format!("/api/emails/{id}?tenant_id=acme");
    let note = eventually("the webhook is refused", async || {
        let email = server.get(&path).await.is(StatusCode::OK).body;
        let delivery = &email["deliveries"][0];
        (delivery["status"] == "failed").then(|| delivery["note"].as_str().unwrap().to_owned())
    })
    .await;
    for told in [&told[0], &note] {
        assert!(told.contains("the host localhost leads to") && told.contains("administrator"), "{told}");
        assert!(!told.contains("127.0.0.1") && !told.contains("::1"), "{told}");
    }
}

#[tokio::test]
async fn the_page_to_come_back_to_is_one_that_an_answer_can_name() {
    let server = TestServer::start_idle(&[]).await;
    server.tenant("acme").await;
    member(&server, "ada@acme.example", "acme").await;
    for (next, page) in [
        ("/\u{1}a", "/"),
        ("/a\u{7f}", "/"),
        ("/\r\nset-cookie: a=b", "/"),
        ("/t/acme/messages?q=\u{fc} b", "/t/acme/messages?q=%C3%BC%20b"),
        ("/t/acme/messages?q=%C3%BC", "/t/acme/messages?q=%C3%BC"),
    ] {
        let fields = [("email", "ada@acme.example"), ("password", PASSWORD), ("next", next)];
        let answer = form(&server, "/sign-in", "", &fields).await;
        assert_eq!(answer.headers[header::LOCATION], page, "{next:?}");
        cookie_of(&answer);
    }
}

#[tokio::test]
async fn a_link_in_a_message_leads_to_no_page_of_ours() {
    let server = TestServer::start_idle(&[]).await;
    server.tenant("acme").await;
    let html = "<a href=\"http:/account?x=1\">a</a><a href=\"http:evil\">b</a><a href=\"/account\">c</a>\
                <a href=\"mailto:a@x.example\">d</a><a href=\"https://x.example/a\">e</a>";
    let head = "From: a@x.example\r\nTo: service@acme.example\r\nSubject: x\r\nContent-Type: text/html";
    let id = server.receive("acme", format!("{head}\r\n\r\n{html}\r\n")).await;
    let path = format!("/api/emails/{id}/html?tenant_id=acme");
    let shown = server.get(&path).await.is(StatusCode::OK).text;
    let links: Vec<&str> =
        shown.split("href=\"").skip(1).map(|rest| rest.split('"').next().unwrap()).collect();
    assert_eq!(
        links,
        ["http://account/?x=1", "http://evil/", "mailto:a@x.example", "https://x.example/a"],
        "{shown}"
    );
}

/// Wherever the page stands by its address: a proxy may call this server by another name than people do.
#[tokio::test]
async fn a_plain_form_leads_back_to_a_page_of_ours() {
    let server = TestServer::start_idle(&[]).await;
    server.tenant("acme").await;
    let host = server.base.strip_prefix("http://").unwrap();
    let leads_to = async |path: &str, page: &str, fields: &[(&str, &str)]| {
        let request = server.request(Method::POST, path, Some(&server.key));
        let request = request.header(header::ACCEPT, "text/html").header(header::REFERER, page);
        let answer = Answer::of(with_fields(request, fields).send().await.unwrap()).await;
        answer.is(StatusCode::FOUND).headers[header::LOCATION].to_str().unwrap().to_owned()
    };
    for (page, expected) in [
        (format!("http://{host}/t/acme?a=b"), "/t/acme?a=b"),
        ("https://flow.example/t/acme?a=b".to_owned(), "/t/acme?a=b"),
        ("https://evil.example/x".to_owned(), "/x"),
        (format!("http://{host}@evil.example/"), "/"),
        ("https://evil.example//evil.example/x".to_owned(), "/evil.example/x"),
        ("https://evil.example/\\evil.example/x".to_owned(), "/evil.example/x"),
        (format!("ftp://{host}/x"), "/"),
        ("javascript:alert(1)".to_owned(), "/"),
        ("//evil.example".to_owned(), "/"),
    ] {
        let led = leads_to("/ui/me", &page, &[]).await;
        assert_eq!(led.trim_end_matches('?'), expected, "{page}");
    }
    // What was refused is said there.
    let fields = [("tenant_id", "nowhere"), ("filter[q]", "")];
    let led = leads_to("/ui/emails/list", "https://flow.example/t/acme/messages?x=1", &fields).await;
    assert!(led.starts_with("/t/acme/messages?x=1&__path=") && led.contains("&__err="), "{led}");
}

/// Any site's form can send text without asking first, but nothing that says that it is JSON.
#[tokio::test]
async fn json_is_taken_where_it_is_said_to_be_json() {
    let server = TestServer::start_idle(&[]).await;
    server.tenant("acme").await;
    let body = r#"{"tenant_id": "acme", "ids": [], "decision": "accepted", "note": ""}"#;
    let status = async |kind: Option<&str>| {
        let request = server.request(Method::POST, "/ui/emails/decide-many", Some(&server.key));
        let request =
            kind.into_iter().fold(request, |request, kind| request.header(header::CONTENT_TYPE, kind));
        request.body(body).send().await.unwrap().status()
    };
    let taken = status(Some("application/json")).await;
    assert_ne!(taken, StatusCode::UNSUPPORTED_MEDIA_TYPE);
    assert_eq!(status(Some("Application/JSON; charset=utf-8")).await, taken);
    for kind in [
        None,
        Some("text/plain"),
        Some("application/x-www-form-urlencoded"),
        Some("multipart/form-data; boundary=application/json"),
    ] {
        assert_eq!(status(kind).await, StatusCode::UNSUPPORTED_MEDIA_TYPE, "{kind:?}");
    }
    // What a browser that runs nothing sends is taken as ever.
    let request = server.request(Method::POST, "/ui/emails/list", Some(&server.key));
    let listed = with_fields(request, &[("tenant_id", "acme"), ("filter[q]", "")]).send().await.unwrap();
    assert_eq!(listed.status(), StatusCode::OK);
}
