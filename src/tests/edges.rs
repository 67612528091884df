//! What a browser is told: which scripts of a page run, and which other sites' pages may call.

use std::collections::HashSet;

use regex::Regex;
use reqwest::{Method, StatusCode, header};
use secrecy::ExposeSecret;
use serde_json::json;

use super::support::{Answer, TestServer};
use crate::{
    auth::{dto::Role, server::service as auth},
    demo,
};

/// A session of the first administrator, as a cookie.
pub async fn session(server: &TestServer) -> String {
    let link = auth::new_admin_link(&server.app.database).await.unwrap();
    let path = format!("/sign-in/{}", link.expose_secret());
    let answer = server.request(Method::GET, &path, None).send().await.unwrap();
    let cookie = answer.headers()[header::SET_COOKIE].to_str().unwrap().to_owned();
    cookie.split(';').next().unwrap().to_owned()
}

fn header_of<'a>(answer: &'a Answer, name: &str) -> &'a str {
    answer.headers.get(name).map_or("", |value| value.to_str().unwrap())
}

/// The nonce of an answer's policy, once that is found to be as it must.
#[track_caller]
fn nonce(answer: &Answer) -> String {
    let policies: Vec<_> = answer.headers.get_all(header::CONTENT_SECURITY_POLICY).iter().collect();
    let [policy] = policies[..] else { panic!("{policies:?}") };
    let policy = policy.to_str().unwrap();
    let nonce =
        Regex::new("'nonce-([A-Za-z0-9_-]{22,})'").unwrap().captures(policy).expect(policy)[1].to_owned();
    assert_eq!(
        policy,
        format!(
            "default-src 'self'; script-src 'strict-dynamic' 'nonce-{nonce}' 'wasm-unsafe-eval'; \
             style-src 'self' 'nonce-{nonce}'; img-src 'self' data:; connect-src 'self'; frame-src 'self'; \
             frame-ancestors 'none'; base-uri 'none'; object-src 'none'; form-action 'self'"
        )
    );
    nonce
}

#[tokio::test]
async fn every_page_runs_what_bears_its_nonce_and_holds_nothing_inline() {
    let server = TestServer::start().await;
    demo::load(&server.app).await.unwrap();
    let cookie = session(&server).await;
    let emails = server.get("/api/emails?tenant_id=acme_corp").await.body;
    let email = emails[0]["email_id"].as_str().unwrap().to_owned();
    server.decided("acme_corp", &email).await;
    let intents = server.get("/api/intents?tenant_id=acme_corp").await.body;
    let intent = &intents[0]["intent_id"];
    let mut pages: Vec<String> = [
        "/sign-in",
        "/sign-in?error=used",
        "/forgot",
        "/reset/nonsense",
        "/invitation/nonsense",
        "/account",
        "/tenants",
        "/",
        "/messages",
        "/no-such-page",
        "/t/nobody",
    ]
    .map(str::to_owned)
    .to_vec();
    for page in [
        "",
        "/messages",
        "/try",
        "/intents",
        "/intents/new",
        "/rules",
        "/datasources",
        "/datasources/new",
        "/configs",
        "/configs/new",
        "/mailboxes",
        "/routes",
        "/files",
        "/members",
        "/keys",
        "/audit",
    ] {
        pages.push(format!("/t/acme_corp{page}"));
    }
    pages.push(format!("/t/acme_corp/messages/{email}"));
    pages.push(format!("/t/acme_corp/intents/{intent}"));

    let script = Regex::new("<script[^>]*>").unwrap();
    let inline = Regex::new(r#"<[a-z][^>]*\s(style|on[a-z]+)\s*="#).unwrap();
    let mut nonces = HashSet::new();
    for page in pages {
        for _ in 0..2 {
            let request = server.request(Method::GET, &page, None).header(header::COOKIE, &cookie);
            let answer = Answer::of(request.send().await.unwrap()).await;
            assert!(header_of(&answer, "content-type").starts_with("text/html"), "{page}: {}", answer.text);
            let nonce = nonce(&answer);
            let scripts: Vec<_> = script.find_iter(&answer.text).map(|found| found.as_str()).collect();
            assert!(!scripts.is_empty(), "{page} is taken over");
            for script in scripts {
                assert!(script.contains(&format!("nonce=\"{nonce}\"")), "{page}: {script}");
            }
            assert!(!answer.text.contains("<style"), "{page}");
            assert!(!answer.text.contains("javascript:"), "{page}");
            assert_eq!(inline.find(&answer.text).map(|found| found.as_str()), None, "{page}");
            assert!(!answer.text.contains(&format!("crossorigin=\"{nonce}\"")), "leptos-rs/leptos#4843");
            assert!(nonces.insert(nonce), "{page}: a nonce is used once");
        }
    }
}

/// A browser keeps what it fetched: code of yesterday on a page of today would take it for another.
#[tokio::test]
async fn the_browsers_files_are_told_by_their_build() {
    let server = TestServer::start_idle(&[]).await;
    let site = std::path::PathBuf::from(&*server.app.leptos.site_root).join("pkg");
    std::fs::create_dir_all(&site).unwrap();
    for (file, text) in [
        ("flowengine.js", "export {}"),
        ("flowengine.wasm", "a"),
        ("flowengine.css", "b"),
        ("split_a.wasm", "c"),
    ] {
        std::fs::write(site.join(file), text).unwrap();
    }
    let named = Regex::new("/pkg/([0-9a-f]{16})/").unwrap();
    let build = async || {
        let page = server.get("/sign-in").await.is(StatusCode::OK).text;
        let build = named.captures(&page).expect("its code")[1].to_owned();
        assert!(page.contains(&format!("/pkg/flowengine.css?v={build}")), "{page}");
        build
    };
    let kept = async |path: &str| {
        let answer = server.get(path).await.is(StatusCode::OK);
        header_of(&answer, "cache-control").to_owned()
    };
    let first = build().await;
    assert_eq!(build().await, first);
    let for_good = "public, max-age=31536000, immutable";
    for file in ["flowengine.js", "flowengine.wasm", "split_a.wasm"] {
        assert_eq!(kept(&format!("/pkg/{first}/{file}")).await, for_good, "{file}");
    }
    assert_eq!(kept(&format!("/pkg/flowengine.css?v={first}")).await, for_good);
    assert_eq!(kept("/pkg/flowengine.css?v=0123456789abcdef").await, "no-cache");
    assert_eq!(kept("/pkg/flowengine.js").await, "no-cache");
    server.get(&format!("/pkg/{first}/none.js")).await.is(StatusCode::NOT_FOUND);

    std::fs::write(site.join("flowengine.wasm"), "another").unwrap();
    let second = build().await;
    assert_ne!(second, first);
    assert_eq!(kept(&format!("/pkg/{second}/split_a.wasm")).await, for_good);
    server.get(&format!("/pkg/{first}/split_a.wasm")).await.is(StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn every_answer_says_what_it_may_be_used_for() {
    let server = TestServer::start_idle(&[("PUBLIC_URL", "https://flow.example")]).await;
    let site = std::path::PathBuf::from(&*server.app.leptos.site_root);
    std::fs::create_dir_all(site.join("pkg")).unwrap();
    std::fs::write(site.join("pkg/flowengine.js"), "export {}").unwrap();
    for (method, path, status) in [
        (Method::GET, "/healthz", StatusCode::OK),
        (Method::GET, "/readyz", StatusCode::OK),
        (Method::GET, "/metrics", StatusCode::OK),
        (Method::GET, "/sign-in", StatusCode::OK),
        (Method::GET, "/t/acme", StatusCode::SEE_OTHER),
        (Method::GET, "/nothing", StatusCode::NOT_FOUND),
        (Method::GET, "/api/nothing", StatusCode::NOT_FOUND),
        (Method::GET, "/api/tenants", StatusCode::UNAUTHORIZED),
        (Method::DELETE, "/healthz", StatusCode::METHOD_NOT_ALLOWED),
        (Method::POST, "/sign-out", StatusCode::SEE_OTHER),
        (Method::GET, "/pkg/flowengine.js", StatusCode::OK),
    ] {
        let answer = Answer::of(server.request(method, path, None).send().await.unwrap()).await.is(status);
        for (name, value) in [
            ("strict-transport-security", "max-age=31536000"),
            ("x-content-type-options", "nosniff"),
            ("x-frame-options", "DENY"),
            ("referrer-policy", "same-origin"),
            ("cross-origin-opener-policy", "same-origin"),
            ("cross-origin-resource-policy", "same-origin"),
        ] {
            assert_eq!(header_of(&answer, name), value, "{path}");
        }
        assert!(header_of(&answer, "permissions-policy").contains("camera=()"), "{path}");
        let policy = header_of(&answer, "content-security-policy");
        assert!(policy.contains("frame-ancestors 'none'"), "{path}: {policy}");
        let is_page = header_of(&answer, "content-type").starts_with("text/html");
        assert_eq!(policy.starts_with("default-src 'none'"), !is_page, "{path}: {policy}");
    }
    let plain = TestServer::start_idle(&[]).await;
    let answer = plain.get("/healthz").await;
    assert!(!answer.headers.contains_key("strict-transport-security"), "only where there is TLS");
}

#[tokio::test]
async fn a_listed_origin_calls_the_api_by_key_and_nothing_else() {
    let origins = "https://app.example,http://localhost:8080";
    let server = TestServer::start_idle(&[("CORS_ORIGINS", origins)]).await;
    server.tenant("acme").await;
    let key = server.key_of("acme", Role::Editor).await;
    let path = "/api/intents?tenant_id=acme";
    let preflight = async |origin: &str, path: &str| {
        let request = server
            .request(Method::OPTIONS, path, None)
            .header(header::ORIGIN, origin)
            .header("access-control-request-method", "POST")
            .header("access-control-request-headers", "authorization,content-type,if-match,idempotency-key");
        Answer::of(request.send().await.unwrap()).await
    };
    let allowed = |answer: &Answer| header_of(answer, "access-control-allow-origin").to_owned();

    for origin in ["https://app.example", "http://localhost:8080"] {
        let answer = preflight(origin, path).await.is(StatusCode::OK);
        assert_eq!(allowed(&answer), origin);
        for name in ["authorization", "content-type", "if-match", "idempotency-key"] {
            assert!(header_of(&answer, "access-control-allow-headers").contains(name), "{name}");
        }
        assert!(header_of(&answer, "access-control-allow-methods").contains("POST"));
        assert!(!answer.headers.contains_key("access-control-allow-credentials"));
    }
    for stranger in [
        "https://app.example.evil.example",
        "https://evil.example",
        "http://app.example",
        "https://app.example:8443",
        "null",
        "*",
    ] {
        assert_eq!(allowed(&preflight(stranger, path).await), "", "{stranger}");
    }
    for page in ["/sign-in", "/sign-out", "/ui/me", "/readyz", "/apiary"] {
        assert_eq!(allowed(&preflight("https://app.example", page).await), "", "{page}");
    }

    // What it sends with a key is answered, refusals too.
    let send = async |key: Option<&str>, cookie: Option<&str>| {
        let mut request = server
            .request(Method::POST, path, key)
            .header(header::ORIGIN, "https://app.example")
            .header("sec-fetch-site", "cross-site")
            .json(&json!({"name": format!("Intent {}", uuid::Uuid::new_v4())}));
        if let Some(cookie) = cookie {
            request = request.header(header::COOKIE, cookie);
        }
        Answer::of(request.send().await.unwrap()).await
    };
    let answer = send(Some(&key), None).await.is(StatusCode::CREATED);
    assert_eq!(allowed(&answer), "https://app.example");
    assert!(header_of(&answer, "access-control-expose-headers").contains("etag"));
    let answer = send(Some("fe_wrong"), None).await.is(StatusCode::UNAUTHORIZED);
    assert_eq!(allowed(&answer), "https://app.example");
    // A session is nothing that another site could use, listed or not; nor does it help a key that is wrong.
    let cookie = session(&server).await;
    send(None, Some(&cookie)).await.is(StatusCode::FORBIDDEN);
    send(Some("fe_wrong"), Some(&cookie)).await.is(StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn every_origin_is_no_credentials_and_none_is_no_header() {
    let open = TestServer::start_idle(&[("CORS_ORIGINS", "*")]).await;
    let get = async |server: &TestServer| {
        let request = server.request(Method::GET, "/api/tenants", Some(&server.key));
        Answer::of(request.header(header::ORIGIN, "https://any.example").send().await.unwrap()).await
    };
    let answer = get(&open).await.is(StatusCode::OK);
    assert_eq!(header_of(&answer, "access-control-allow-origin"), "*");
    assert!(!answer.headers.contains_key("access-control-allow-credentials"));
    let closed = TestServer::start_idle(&[]).await;
    let answer = get(&closed).await.is(StatusCode::OK);
    assert!(answer.headers.keys().all(|name| !name.as_str().starts_with("access-control")));
}

#[tokio::test]
async fn a_page_is_compressed_only_where_no_other_site_can_have_asked_for_it() {
    let server = TestServer::start_idle(&[]).await;
    demo::load(&server.app).await.unwrap();
    let cookie = session(&server).await;
    let get = async |path: &str, site: Option<&str>, mode: &str| {
        let mut request = server
            .request(Method::GET, path, None)
            .header(header::COOKIE, &cookie)
            .header(header::ACCEPT_ENCODING, "gzip, br")
            .header("sec-fetch-mode", mode);
        if let Some(site) = site {
            request = request.header("sec-fetch-site", site);
        }
        let answer = request.send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::OK, "{path}");
        let is_compressed =
            answer.headers().get(header::CONTENT_ENCODING).is_some_and(|value| value == "gzip");
        (is_compressed, answer.bytes().await.unwrap())
    };
    for path in ["/t/acme_corp/messages", "/t/acme_corp/messages?q=guess", "/account"] {
        for site in [None, Some("cross-site"), Some("same-site"), Some("nonsense")] {
            let (is_compressed, page) = get(path, site, "navigate").await;
            assert!(!is_compressed && page.starts_with(b"<!DOCTYPE html>"), "{path} {site:?}");
        }
        assert!(!get(path, Some("same-origin"), "cors").await.0, "{path}: by a script");
        let whole = get(path, None, "navigate").await.1.len();
        for site in ["same-origin", "none"] {
            let (is_compressed, page) = get(path, Some(site), "navigate").await;
            // RFC 1952, section 2.3.1.
            assert!(is_compressed && page.starts_with(&[0x1f, 0x8b]), "{path} {site}");
            assert!(page.len() * 3 < whole * 2, "{path}: {} of {whole} bytes", page.len());
        }
    }
    // The API is for programs, and its tags (ETag) are of the bytes as they are.
    assert!(!get("/api/intents?tenant_id=acme_corp", Some("same-origin"), "navigate").await.0);
}

/// What a page's title is made of is gone once the page is written, now and then before the title is: one of thirty pages
/// was a fault, where many asked at once.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn pages_that_many_ask_for_at_once_are_all_there() {
    const AT_ONCE: usize = 16;
    let server = TestServer::start_with(&[("RATE_LIMIT_ANONYMOUS_PER_MINUTE", "0")]).await;
    let asked = (0..AT_ONCE).map(|_| async {
        for _ in 0..50 {
            let answer = server.request(Method::GET, "/sign-in?error=used", None).send().await.unwrap();
            assert_eq!(answer.status(), StatusCode::OK);
        }
    });
    futures::future::join_all(asked).await;
}
