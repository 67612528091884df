//! Sign-in with an OpenID provider: the way through, and everything that an attacker or a bad provider would try.

use std::{collections::HashMap, sync::Arc};

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use reqwest::{Method, StatusCode, header};
use secrecy::ExposeSecret;
use serde_json::{Value, json};

use super::{
    provider::{CLIENT_ID, CLIENT_SECRET, Forge, SigningKey, TestProvider, by_hand, by_secret, now},
    receivers::Relay,
    support::{Answer, TestServer, eventually},
};
use crate::auth::server::accounts;

const PASSWORD: &str = "correct horse battery";

async fn server<'v>(provider: &'v TestProvider, more: &[(&'v str, &'v str)]) -> TestServer {
    // The first of a name counts.
    let mut vars = more.to_vec();
    vars.extend([
        ("OIDC_ISSUER", provider.issuer.as_str()),
        ("OIDC_CLIENT_ID", CLIENT_ID),
        ("OIDC_CLIENT_SECRET", CLIENT_SECRET),
        ("OIDC_NAME", "Acme <SSO>"),
        ("OIDC_CREATE_USERS", "true"),
        ("IDENTITY_RETRY_MS", "0"),
        ("IDENTITY_REFRESH_MS", "0"),
    ]);
    TestServer::start_idle(&vars).await
}

/// A browser: it keeps cookies, and follows no redirect by itself.
#[derive(Default)]
struct Browser {
    cookies: HashMap<String, String>,
}

impl Browser {
    /// `to` is a path of the server, or an address.
    async fn get(&mut self, server: &TestServer, to: &str) -> Answer {
        let url = if to.starts_with('/') { format!("{}{to}", server.base) } else { to.to_owned() };
        let request = server.http.get(&url).header("sec-fetch-site", "cross-site");
        self.send(request, url.starts_with(&server.base)).await
    }

    /// A form, from our own page.
    async fn post(&mut self, server: &TestServer, path: &str, fields: &[(&str, &str)]) -> Answer {
        let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        let request = server
            .request(Method::POST, path, None)
            .header("sec-fetch-site", "same-origin")
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        self.send(request.body(body), true).await
    }

    async fn send(&mut self, mut request: reqwest::RequestBuilder, is_ours: bool) -> Answer {
        if is_ours && !self.cookies.is_empty() {
            let pairs: Vec<String> =
                self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
            request = request.header(header::COOKIE, pairs.join("; "));
        }
        let answer = Answer::of(request.send().await.unwrap()).await;
        for cookie in answer.headers.get_all(header::SET_COOKIE) {
            let cookie = cookie.to_str().unwrap();
            let (name, value) = cookie.split(';').next().unwrap().split_once('=').unwrap();
            if cookie.contains("Max-Age=0") {
                self.cookies.remove(name);
            } else {
                self.cookies.insert(name.to_owned(), value.to_owned());
            }
        }
        answer
    }

    /// To the provider, and through its page: the address that leads back.
    async fn through_the_provider(&mut self, server: &TestServer) -> String {
        let begun = self.get(server, "/sign-in/oidc").await;
        let page = self.get(server, &location(&begun)).await;
        location(&page)
    }

    /// The whole way: where it ends.
    async fn sign_in(&mut self, server: &TestServer) -> String {
        let back = self.through_the_provider(server).await;
        location(&self.get(server, &back).await)
    }

    async fn is_signed_in(&mut self, server: &TestServer) -> bool {
        self.get(server, "/api/tenants").await.status == StatusCode::OK
    }
}

#[track_caller]
fn location(answer: &Answer) -> String {
    assert_eq!(answer.status, StatusCode::SEE_OTHER, "{}", answer.text);
    answer.headers[header::LOCATION].to_str().unwrap().to_owned()
}

fn parameter(address: &str, name: &str) -> String {
    let url: url::Url = address.parse().unwrap();
    let found = url.query_pairs().find(|(other, _)| other == name);
    found.unwrap_or_else(|| panic!("no {name} in {address}")).1.into_owned()
}

fn with_parameter(address: &str, name: &str, value: &str) -> String {
    let mut url: url::Url = address.parse().unwrap();
    let others: Vec<(String, String)> =
        url.query_pairs().into_owned().filter(|(other, _)| other != name).collect();
    url.query_pairs_mut().clear().extend_pairs(others).append_pair(name, value);
    url.into()
}

/// Every refusal is a plain page, which says nothing of accounts and nothing in the provider's own words.
async fn page_says(server: &TestServer, browser: &mut Browser, at: &str, status: StatusCode, words: &str) {
    assert!(at.starts_with("/sign-in?error="), "{at}");
    let page = browser.get(server, at).await.is(status);
    assert!(page.text.contains(words), "{at}: {words}");
    for hidden in ["ann@acme.example", "invalid_grant", "own words", "ann-1"] {
        assert!(!page.text.contains(hidden), "{hidden}");
    }
}

async fn count(server: &TestServer, table: &str) -> i64 {
    let mut conn = server.database().superuser().await;
    let sql = format!("SELECT count(*) FROM {table}");
    sqlx::query_scalar(sqlx::AssertSqlSafe(sql)).fetch_one(&mut conn).await.unwrap()
}

async fn execute(server: &TestServer, sql: &str) {
    let mut conn = server.database().superuser().await;
    sqlx::raw_sql(sqlx::AssertSqlSafe(sql.to_owned())).execute(&mut conn).await.unwrap();
}

#[tokio::test]
async fn a_person_signs_in_with_every_kind_of_key_and_comes_back_as_the_same() {
    for key in [SigningKey::es256("k1"), SigningKey::ed25519("k1"), SigningKey::rs256("k1")] {
        let provider = TestProvider::with_key(key).await;
        let server = server(&provider, &[]).await;
        let mut browser = Browser::default();
        let page = browser.get(&server, "/sign-in").await.is(StatusCode::OK);
        assert!(page.text.contains("Sign in with Acme &lt;SSO&gt;"), "the button's word, escaped");
        let begun = browser.get(&server, "/sign-in/oidc").await;
        let to = location(&begun);
        assert!(to.starts_with(&format!("{}/authorize?", provider.issuer)), "{to}");
        assert_eq!(parameter(&to, "redirect_uri"), format!("{}/sign-in/oidc/callback", server.base));
        assert_eq!(parameter(&to, "code_challenge_method"), "S256");
        assert_eq!(parameter(&to, "scope"), "openid email profile");
        assert_eq!(begun.headers[header::CACHE_CONTROL], "no-store");
        let cookie = begun.headers[header::SET_COOKIE].to_str().unwrap();
        assert!(cookie.contains("HttpOnly") && cookie.contains("SameSite=Lax"), "{cookie}");
        let back = location(&browser.get(&server, &to).await);
        let done = browser.get(&server, &back).await;
        assert_eq!(location(&done), "/");
        assert_eq!(done.headers[header::CACHE_CONTROL], "no-store");
        assert_eq!(
            browser.cookies.keys().collect::<Vec<_>>(),
            ["flowengine_session"],
            "the attempt's is gone"
        );
        let me = browser.get(&server, "/api/tenants").await.is(StatusCode::OK);
        assert_eq!(me.body, json!([]), "an account, and no tenant");
        assert_eq!(count(&server, "oidc_attempts").await, 0);

        // With another address and another name, the same person.
        provider.set(|behaviour| behaviour.person["email"] = "ann.new@acme.example".into());
        assert_eq!(Browser::default().sign_in(&server).await, "/");
        assert_eq!((count(&server, "users").await, count(&server, "user_identities").await), (1, 1));
        let log = server.get("/api/instance-audit-log?action=session.create").await.is(StatusCode::OK);
        assert_eq!(log.body.as_array().unwrap().len(), 2);
        assert_eq!(log.body[0]["actor"], "Ann <ann@acme.example>");
        assert_eq!(
            log.body[0]["after"],
            json!({"by": "oidc", "issuer": provider.issuer, "subject": "ann-1"})
        );
        for (action, detail) in [
            ("user.create", json!({"display_name": "Ann", "is_instance_admin": false})),
            ("identity.link", json!({"issuer": provider.issuer, "subject": "ann-1"})),
        ] {
            let log = server.get(&format!("/api/instance-audit-log?action={action}")).await.body;
            assert_eq!(log.as_array().unwrap().len(), 1, "{action} is told of once");
            assert_eq!((&log[0]["object_id"], &log[0]["after"]), (&json!("ann@acme.example"), &detail));
        }
    }
}

#[tokio::test]
async fn what_the_id_token_leaves_out_is_asked_of_userinfo() {
    let provider = TestProvider::start().await;
    provider.set(|behaviour| behaviour.thin = true);
    let server = server(&provider, &[]).await;
    assert_eq!(Browser::default().sign_in(&server).await, "/");
    assert_eq!(provider.asked("/userinfo"), 1);
    // Userinfo about someone else than the token is none.
    let mallory: Forge = Arc::new(|key, mut claims| {
        claims["sub"] = "mallory".into();
        key.sign(&claims)
    });
    provider.set(|behaviour| behaviour.forge = Some(mallory));
    assert_eq!(Browser::default().sign_in(&server).await, "/sign-in?error=provider");
}

#[tokio::test]
async fn an_answer_counts_once_and_only_in_the_browser_that_asked() {
    let provider = TestProvider::start().await;
    let server = server(&provider, &[]).await;
    let mut browser = Browser::default();
    let back = browser.through_the_provider(&server).await;

    // Another browser, with no attempt or with one of its own, and a forged state: none of them ends the true attempt.
    let mut victim = Browser::default();
    let lured = location(&victim.get(&server, &back).await);
    assert_eq!(lured, "/sign-in?error=expired");
    victim.get(&server, "/sign-in/oidc").await;
    assert_eq!(location(&victim.get(&server, &back).await), "/sign-in?error=expired");
    assert!(!victim.is_signed_in(&server).await);
    page_says(&server, &mut victim, &lured, StatusCode::OK, "begun in another browser").await;
    for wrong in [
        with_parameter(&back, "state", "AAAAAAAAAAAAAAAAAAAAAA"),
        with_parameter(&back, "state", ""),
        back.split('?').next().unwrap().to_owned(),
        format!("{}?code=x", back.split('?').next().unwrap()),
        format!("{}?error=access_denied", back.split('?').next().unwrap()),
    ] {
        assert_eq!(location(&browser.get(&server, &wrong).await), "/sign-in?error=expired", "{wrong}");
    }
    let twice = format!("{back}&state=x");
    assert_eq!(browser.get(&server, &twice).await.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(provider.asked("/token"), 0, "the provider was never bothered");

    let cookies = browser.cookies.clone();
    assert_eq!(location(&browser.get(&server, &back).await), "/");
    assert_eq!(provider.asked("/token"), 1);
    // The whole of it again, cookie included.
    let mut thief = Browser { cookies };
    assert_eq!(location(&thief.get(&server, &back).await), "/sign-in?error=expired");
    assert!(!thief.is_signed_in(&server).await);
    assert_eq!(provider.asked("/token"), 1);

    // Too late.
    let mut slow = Browser::default();
    let back = slow.through_the_provider(&server).await;
    execute(&server, "UPDATE oidc_attempts SET expires_at = now()").await;
    assert_eq!(location(&slow.get(&server, &back).await), "/sign-in?error=expired");
    // What was never answered goes.
    slow.get(&server, "/sign-in/oidc").await;
    assert_eq!(count(&server, "oidc_attempts").await, 1);
}

#[tokio::test]
async fn a_code_is_bound_to_its_attempt_by_pkce_and_good_once() {
    let provider = TestProvider::start().await;
    let server = server(&provider, &[]).await;
    // A stolen code, injected into an attempt of the thief's own: the verifier is not the code's.
    let stolen = Browser::default().through_the_provider(&server).await;
    let mut thief = Browser::default();
    let own = thief.through_the_provider(&server).await;
    let injected = with_parameter(&own, "code", &parameter(&stolen, "code"));
    let end = location(&thief.get(&server, &injected).await);
    assert_eq!(end, "/sign-in?error=provider");
    assert!(!thief.is_signed_in(&server).await);
    page_says(&server, &mut thief, &end, StatusCode::OK, "did not work").await;
    // A code that was used.
    let mut browser = Browser::default();
    let first = browser.through_the_provider(&server).await;
    assert_eq!(location(&browser.get(&server, &first).await), "/");
    let second = browser.through_the_provider(&server).await;
    let replayed = with_parameter(&second, "code", &parameter(&first, "code"));
    assert_eq!(location(&browser.get(&server, &replayed).await), "/sign-in?error=provider");
    // An answer in the name of another issuer (RFC 9207).
    let mixed_up = browser.through_the_provider(&server).await;
    let mixed_up = with_parameter(&mixed_up, "iss", "https://evil.example");
    assert_eq!(location(&browser.get(&server, &mixed_up).await), "/sign-in?error=provider");
    // A server that does not have the client's secret gets nothing.
    let wrong = self::server(&provider, &[("OIDC_CLIENT_SECRET", "guessed")]).await;
    assert_eq!(Browser::default().sign_in(&wrong).await, "/sign-in?error=provider");
}

#[tokio::test]
async fn an_id_token_that_does_not_hold_opens_nothing() {
    let provider = TestProvider::with_key(SigningKey::rs256("k1")).await;
    let server = server(&provider, &[]).await;
    fn changed(name: &'static str, value: impl Fn() -> Value + Send + Sync + 'static) -> Forge {
        Arc::new(move |key, mut claims| {
            claims[name] = value();
            key.sign(&claims)
        })
    }
    let dropped = |name: &'static str| -> Forge {
        Arc::new(move |key, mut claims| {
            claims.as_object_mut().unwrap().remove(name);
            key.sign(&claims)
        })
    };
    let header = |alg: &str| json!({"alg": alg, "typ": "JWT", "kid": "k1"});
    let (none, hollow) = (header("none"), header("RS256"));
    let cases: Vec<(&str, Forge)> = vec![
        ("another nonce", changed("nonce", || "another".into())),
        ("no nonce", dropped("nonce")),
        ("another audience", changed("aud", || "someone-else".into())),
        ("an audience beside us", changed("aud", || json!([CLIENT_ID, "someone-else"]))),
        ("another party", changed("azp", || "someone-else".into())),
        ("no audience", dropped("aud")),
        ("another issuer", changed("iss", || "https://evil.example".into())),
        ("no issuer", dropped("iss")),
        ("expired", changed("exp", || (now() - 10).into())),
        ("no expiry", dropped("exp")),
        ("no subject", dropped("sub")),
        ("an empty subject", changed("sub", || "".into())),
        ("a subject without end", changed("sub", || "x".repeat(300).into())),
        ("alg none", Arc::new(move |_, claims| by_hand(&none, &claims, b""))),
        ("a hollow signature", Arc::new(move |_, claims| by_hand(&hollow, &claims, b"x"))),
        (
            "the public key as secret",
            Arc::new(|key, claims| by_secret("k1", &claims, key.jwk()["n"].as_str().unwrap().as_bytes())),
        ),
        // The provider's discovery says that it would do so; the secret is not only the provider's.
        ("the client's secret", Arc::new(|_, claims| by_secret("k1", &claims, CLIENT_SECRET.as_bytes()))),
        ("a stranger's key", Arc::new(|_, claims| SigningKey::es256("k1").sign(&claims))),
        ("an unknown key", Arc::new(|_, claims| SigningKey::es256("k9").sign(&claims))),
        ("no token", Arc::new(|_, _| "x".into())),
    ];
    for (what, forge) in cases {
        provider.set(|behaviour| behaviour.forge = Some(forge));
        let mut browser = Browser::default();
        let end = browser.sign_in(&server).await;
        assert_eq!(end, "/sign-in?error=provider", "{what}");
        assert!(!browser.is_signed_in(&server).await, "{what}");
    }
    assert_eq!((count(&server, "users").await, count(&server, "sessions").await), (0, 0));
    provider.set(|behaviour| behaviour.forge = None);
    assert_eq!(Browser::default().sign_in(&server).await, "/");
}

#[tokio::test]
async fn new_keys_of_the_provider_are_fetched_but_not_without_end() {
    let provider = TestProvider::start().await;
    let eager = server(&provider, &[]).await;
    assert_eq!(Browser::default().sign_in(&eager).await, "/");
    provider.set(|behaviour| behaviour.key = SigningKey::ed25519("k2"));
    assert_eq!(Browser::default().sign_in(&eager).await, "/");
    // The same name, another key.
    provider.set(|behaviour| behaviour.key = SigningKey::es256("k2"));
    assert_eq!(Browser::default().sign_in(&eager).await, "/");

    let calm = server(&provider, &[("IDENTITY_REFRESH_MS", "60000")]).await;
    assert_eq!(Browser::default().sign_in(&calm).await, "/");
    let before = provider.asked("/jwks");
    provider
        .set(|behaviour| behaviour.forge = Some(Arc::new(|_, claims| SigningKey::es256("k9").sign(&claims))));
    for _ in 0..3 {
        assert_eq!(Browser::default().sign_in(&calm).await, "/sign-in?error=provider");
    }
    assert_eq!(provider.asked("/jwks"), before, "once a minute at most");
}

#[tokio::test]
async fn an_unverified_address_and_an_unknown_person_are_led_back_and_told_nothing() {
    let provider = TestProvider::start().await;
    let server = server(&provider, &[("OIDC_CREATE_USERS", "false")]).await;
    let mut browser = Browser::default();
    for verified in [json!(false), json!(null), json!("true")] {
        provider.set(|behaviour| behaviour.person["email_verified"] = verified.clone());
        let end = browser.sign_in(&server).await;
        assert!(
            matches!(end.as_str(), "/sign-in?error=unverified" | "/sign-in?error=provider"),
            "{verified}: {end}"
        );
    }
    let unverified = "/sign-in?error=unverified";
    page_says(&server, &mut browser, unverified, StatusCode::OK, "is not confirmed").await;
    provider.set(|behaviour| behaviour.person["email_verified"] = true.into());
    let stranger = browser.sign_in(&server).await;
    assert_eq!(stranger, "/sign-in?error=unknown");
    // Whether there is an account of that address or not: the same answer, and nothing is made or linked.
    execute(
        &server,
        "INSERT INTO users (email, display_name, is_instance_admin) VALUES ('ann@acme.example', 'Ann', true)",
    )
    .await;
    assert_eq!(browser.sign_in(&server).await, stranger);
    page_says(&server, &mut browser, &stranger, StatusCode::OK, "not known here").await;
    assert!(!browser.is_signed_in(&server).await);
    let counts = (count(&server, "users").await, count(&server, "user_identities").await);
    assert_eq!((counts, count(&server, "sessions").await), ((1, 0), 0));

    // Where people are made, an account that is there already is not taken over either.
    let making = TestProvider::start().await;
    let server = self::server(&making, &[]).await;
    execute(&server, "INSERT INTO users (email, display_name) VALUES ('ann@acme.example', 'Ann')").await;
    assert_eq!(Browser::default().sign_in(&server).await, "/sign-in?error=unknown");
    making.set(|behaviour| behaviour.person["email"] = "not an address".into());
    assert_eq!(Browser::default().sign_in(&server).await, "/sign-in?error=unknown");
    assert_eq!(count(&server, "users").await, 1);
}

#[tokio::test]
async fn an_account_is_linked_by_address_only_where_the_installation_says_so_and_once() {
    let provider = TestProvider::start().await;
    let server = server(&provider, &[("OIDC_CREATE_USERS", "false"), ("OIDC_LINK_BY_EMAIL", "true")]).await;
    server.tenant("acme").await;
    execute(
        &server,
        "INSERT INTO users (email, display_name) VALUES ('ann@acme.example', 'Ann'); \
         INSERT INTO memberships (tenant_id, user_id, role) SELECT 'acme', user_id, 'viewer' FROM users",
    )
    .await;
    let mut ann = Browser::default();
    assert_eq!(ann.sign_in(&server).await, "/");
    ann.get(&server, "/api/intents?tenant_id=acme").await.is(StatusCode::OK);
    assert_eq!(count(&server, "users").await, 1);
    // The provider gives the address to someone else: another subject is another person, and no way in.
    provider.set(|behaviour| behaviour.person["sub"] = "bob-2".into());
    let mut bob = Browser::default();
    assert_eq!(bob.sign_in(&server).await, "/sign-in?error=unknown");
    assert!(!bob.is_signed_in(&server).await);
    // Letters that only look alike, or become alike in lower case.
    for look_alike in ["ann@ac\u{43c}e.example", "ANN@ACME.EXAMPLE\u{200b}"] {
        provider.set(|behaviour| behaviour.person["email"] = look_alike.into());
        assert_eq!(Browser::default().sign_in(&server).await, "/sign-in?error=unknown", "{look_alike}");
    }
    assert_eq!(count(&server, "user_identities").await, 1);
}

/// A person with a password, who is signed in with it.
async fn by_password(server: &TestServer, email: &str) -> Browser {
    let link = accounts::create_by_hand(&server.app.database, email, "Ann", false).await.unwrap();
    let mut browser = Browser::default();
    let path = format!("/reset/{}", link.expose_secret());
    browser.post(server, &path, &[("new_password", PASSWORD)]).await.is(StatusCode::NO_CONTENT);
    let fields = [("email", email), ("password", PASSWORD)];
    browser.post(server, "/sign-in", &fields).await.is(StatusCode::NO_CONTENT);
    browser
}

/// Both are proven then: the account by the session, and its address by the provider.
#[tokio::test]
async fn whoever_is_signed_in_by_password_connects_the_provider() {
    for by_address in ["false", "true"] {
        let provider = TestProvider::start().await;
        let vars = [("OIDC_CREATE_USERS", "false"), ("OIDC_LINK_BY_EMAIL", by_address)];
        let server = server(&provider, &vars).await;
        let mut ann = by_password(&server, "ann@acme.example").await;
        let fields = [("email", "ann@acme.example"), ("password", PASSWORD)];
        let stale = ann.cookies.clone();
        if by_address == "false" {
            // Without a session, with somebody else's, and with one that is over.
            let mut bob = by_password(&server, "bob@acme.example").await;
            let mut over = Browser { cookies: ann.cookies.clone() };
            ann.post(&server, "/sign-in", &fields).await.is(StatusCode::NO_CONTENT);
            for browser in [&mut Browser::default(), &mut bob, &mut over] {
                let end = browser.sign_in(&server).await;
                assert_eq!(end, "/sign-in?error=unknown");
                page_says(&server, browser, &end, StatusCode::OK, "connect the sign-in service").await;
            }
            assert!(bob.is_signed_in(&server).await);
            assert_eq!(count(&server, "user_identities").await, 0);
        }
        let page = ann.get(&server, "/account").await.is(StatusCode::OK).text;
        assert!(page.contains("Connect Acme &lt;SSO&gt;") && page.contains("Current password"), "{page}");
        let (_, href) = page.split_once("href=\"/sign-in/oidc").unwrap();
        let href = format!("/sign-in/oidc{}", href.split('"').next().unwrap());
        let to = location(&ann.get(&server, &href).await);
        let back = location(&ann.get(&server, &to).await);
        assert_eq!(location(&ann.get(&server, &back).await), "/account");
        let page = ann.get(&server, "/account").await.is(StatusCode::OK).text;
        assert!(page.contains("You can also sign in with Acme") && !page.contains("Connect Acme"), "{page}");
        assert_eq!(count(&server, "user_identities").await, 1);
        assert!(!Browser { cookies: stale }.is_signed_in(&server).await, "the session is a new one");
        // Each of the two is a way in from now on.
        assert_eq!(Browser::default().sign_in(&server).await, "/");
        Browser::default().post(&server, "/sign-in", &fields).await.is(StatusCode::NO_CONTENT);
        let log = server.get("/api/instance-audit-log?action=identity.link").await.is(StatusCode::OK).body;
        assert_eq!(log.as_array().unwrap().len(), 1);
        assert_eq!(log[0]["object_id"], "ann@acme.example");
    }
}

/// Or it would still let in who is shut out at the provider.
#[tokio::test]
async fn whom_the_provider_lets_in_sets_no_password_with_the_session_alone() {
    let provider = TestProvider::start().await;
    let relay = Relay::start();
    let url = relay.url();
    let mail = [("SMTP_URL", url.as_str()), ("SMTP_FROM", "flow@host.example")];
    let server = server(&provider, &mail).await;
    let mut ann = Browser::default();
    assert_eq!(ann.sign_in(&server).await, "/");
    let page = ann.get(&server, "/account").await.is(StatusCode::OK).text;
    assert!(
        page.contains("You sign in with Acme &lt;SSO&gt;") && !page.contains("Set the password"),
        "{page}"
    );
    let new = [("new_password", PASSWORD), ("repeated_password", PASSWORD)];
    let refused = ann.post(&server, "/account/password", &new).await;
    refused.problem(StatusCode::FORBIDDEN, "You sign in with Acme <SSO>");
    let told = ann.get(&server, "/account?error=by_provider").await.is(StatusCode::OK).text;
    assert!(told.contains("need no password here"), "{told}");
    assert_eq!(count(&server, "users WHERE password_hash IS NOT NULL").await, 0);
    // Nor by mail: of two who forgot theirs, the one gets a link, and the other reads what to do instead.
    accounts::create_by_hand(&server.app.database, "bob@acme.example", "Bob", false).await.unwrap();
    execute(&server, "DELETE FROM sign_in_links").await;
    for email in ["ann@acme.example", "bob@acme.example"] {
        let forgot = Browser::default().post(&server, "/forgot", &[("email", email)]).await;
        forgot.is(StatusCode::NO_CONTENT);
    }
    let mails = eventually("both are mailed", async || {
        let mails = relay.mails();
        (mails.len() == 2).then_some(mails)
    })
    .await;
    for mail in mails {
        let text = mail.text();
        if mail.to == ["bob@acme.example"] {
            assert!(text.contains("/reset/"), "{text}");
        } else {
            assert_eq!(mail.to, ["ann@acme.example"]);
            assert!(text.contains("You sign in with Acme <SSO>") && !text.contains("/reset/"), "{text}");
            assert!(text.contains("ask an administrator of the installation"), "{text}");
        }
    }
    // By hers, which is told to nobody, whoever asks again finds that she was told.
    assert_eq!(count(&server, "sign_in_links").await, 2);
    // Whoever has the server's machine in hand may.
    let link = accounts::reset_by_hand(&server.app.database, "ann@acme.example").await.unwrap();
    let path = format!("/reset/{}", link.expose_secret());
    ann.post(&server, &path, &new).await.is(StatusCode::NO_CONTENT);
    let fields = [("email", "ann@acme.example"), ("password", PASSWORD)];
    ann.post(&server, "/sign-in", &fields).await.is(StatusCode::NO_CONTENT);
    let other = [("current_password", PASSWORD), ("new_password", "staple on the window sill")];
    ann.post(&server, "/account/password", &other).await.is(StatusCode::NO_CONTENT);
}

/// Whoever holds the link of an invitation, and is that person by the provider's word, needs no password.
#[tokio::test]
async fn an_invited_person_gets_an_account_by_the_invitation_alone() {
    let provider = TestProvider::start().await;
    let server = server(&provider, &[("OIDC_CREATE_USERS", "false")]).await;
    server.tenant("acme").await;
    let invite = async |email: &str| {
        let body = json!({"email": email, "role": "operator"});
        let made = server.post("/api/invitations?tenant_id=acme", &body).await.is(StatusCode::CREATED);
        let link = made.body["link"].as_str().unwrap().to_owned();
        link.strip_prefix(&server.base).unwrap().to_owned()
    };
    let others = invite("bob@acme.example").await;
    let link = invite("ann@acme.example").await;
    // Not by the address alone, nor by another's invitation or a made-up one.
    for next in ["/", others.as_str(), "/invitation/x", &format!("{link}x")] {
        let mut browser = Browser::default();
        let to = location(&browser.get(&server, &format!("/sign-in/oidc?next={next}")).await);
        let back = location(&browser.get(&server, &to).await);
        assert_eq!(location(&browser.get(&server, &back).await), "/sign-in?error=unknown", "{next}");
    }
    let mut ann = Browser::default();
    let page = ann.get(&server, &link).await.is(StatusCode::OK);
    assert!(page.text.contains("Sign in with Acme"));
    let to = location(&ann.get(&server, &format!("/sign-in/oidc?next={link}")).await);
    assert!(!to.contains("invitation"), "the provider does not get the link");
    let back = location(&ann.get(&server, &to).await);
    assert_eq!(location(&ann.get(&server, &back).await), link);
    // Signed in, and no member until they accept.
    assert_eq!(ann.get(&server, "/api/tenants").await.is(StatusCode::OK).body, json!([]));
    let session = format!("flowengine_session={}", ann.cookies["flowengine_session"]);
    let accept = server.request(Method::POST, &link, None).header(header::COOKIE, session);
    let accept = accept.header("content-type", "application/x-www-form-urlencoded").send().await.unwrap();
    assert!(accept.status().is_success() || accept.status().is_redirection(), "{}", accept.status());
    ann.get(&server, "/api/intents?tenant_id=acme").await.is(StatusCode::OK);
    assert_eq!(Browser::default().sign_in(&server).await, "/", "known from now on");
}

#[tokio::test]
async fn a_person_who_comes_for_the_first_time_in_several_tabs_is_one_person() {
    let provider = TestProvider::start().await;
    let server = server(&provider, &[]).await;
    let mut tabs: [Browser; 4] = Default::default();
    let mut backs = Vec::new();
    for tab in &mut tabs {
        backs.push(tab.through_the_provider(&server).await);
    }
    let ends = tabs.iter_mut().zip(&backs).map(async |(tab, back)| location(&tab.get(&server, back).await));
    assert_eq!(futures::future::join_all(ends).await, ["/"; 4]);
    assert_eq!((count(&server, "users").await, count(&server, "user_identities").await), (1, 1));
}

#[tokio::test]
async fn a_new_session_ends_the_one_before() {
    let provider = TestProvider::start().await;
    let server = server(&provider, &[]).await;
    let mut browser = Browser::default();
    assert_eq!(browser.sign_in(&server).await, "/");
    let mut planted = Browser { cookies: browser.cookies.clone() };
    assert!(planted.is_signed_in(&server).await);
    assert_eq!(browser.sign_in(&server).await, "/");
    assert!(browser.is_signed_in(&server).await && !planted.is_signed_in(&server).await);
}

#[tokio::test]
async fn a_provider_that_is_down_or_says_no_gives_a_clear_page() {
    let provider = TestProvider::start().await;
    let server = server(&provider, &[]).await;
    let mut browser = Browser::default();
    let huge: &'static str = Box::leak("x".repeat(300 << 10).into_boxed_str());
    for broken in [
        (StatusCode::SERVICE_UNAVAILABLE, "the provider's own words"),
        (StatusCode::OK, "<html>captive portal</html>"),
        (StatusCode::OK, huge),
        (StatusCode::FOUND, ""),
    ] {
        provider.set(|behaviour| behaviour.broken = Some(broken));
        let end = location(&browser.get(&server, "/sign-in/oidc").await);
        assert_eq!(end, "/sign-in?error=unavailable");
        page_says(&server, &mut browser, &end, StatusCode::SERVICE_UNAVAILABLE, "cannot be reached").await;
    }
    assert_eq!(count(&server, "oidc_attempts").await, 0);
    // It is asked again; and it may go down while the person is away.
    provider.set(|behaviour| behaviour.broken = None);
    let back = browser.through_the_provider(&server).await;
    provider.set(|behaviour| behaviour.broken = Some((StatusCode::BAD_GATEWAY, "own words")));
    assert_eq!(location(&browser.get(&server, &back).await), "/sign-in?error=provider");
    provider.set(|behaviour| behaviour.broken = None);

    for (error, code, words) in [
        ("access_denied", "denied", "was refused"),
        ("server_error", "provider", "did not work"),
        ("<script>", "provider", "did not work"),
    ] {
        provider.set(|behaviour| behaviour.refusal = Some(error));
        let end = browser.sign_in(&server).await;
        assert_eq!(end, format!("/sign-in?error={code}"));
        page_says(&server, &mut browser, &end, StatusCode::OK, words).await;
    }
    let odd =
        browser.get(&server, "/sign-in?error=%3Cscript%3Ealert(1)%3C/script%3E").await.is(StatusCode::OK);
    assert!(odd.text.contains("That did not work") && !odd.text.contains("alert(1)</script>"));

    // Nobody listens at all.
    let nobody = {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        format!("http://{}", listener.local_addr().unwrap())
    };
    let server = TestServer::start_idle(&[("OIDC_ISSUER", &nobody), ("OIDC_CLIENT_ID", CLIENT_ID)]).await;
    let end = location(&Browser::default().get(&server, "/sign-in/oidc").await);
    assert_eq!(end, "/sign-in?error=unavailable");
}

#[tokio::test]
async fn the_way_ends_at_a_page_of_ours_whatever_is_asked_for() {
    let provider = TestProvider::start().await;
    let server = server(&provider, &[]).await;
    let mut browser = Browser::default();
    let page = browser.get(&server, "/sign-in?next=/t/acme/messages?q%3Da%26b").await.is(StatusCode::OK);
    assert!(
        page.text.contains("href=\"/sign-in/oidc?next=%2Ft%2Facme%2Fmessages%3Fq%3Da%26b\""),
        "{}",
        page.text
    );
    let long = format!("/{}", "x".repeat(2000));
    for (next, end) in [
        ("/t/acme/messages?q=a&b", "/t/acme/messages?q=a&b"),
        ("", "/"),
        ("https://evil.example", "/"),
        ("//evil.example", "/"),
        ("/\\evil.example", "/"),
        ("/\t/evil.example", "/"),
        ("javascript:alert(1)", "/"),
        ("/sign-in/oidc", "/"),
        (long.as_str(), "/"),
    ] {
        let query = url::form_urlencoded::Serializer::new(String::new()).append_pair("next", next).finish();
        for other in ["return_to", "redirect_uri"] {
            let mut browser = Browser::default();
            let begin = format!("/sign-in/oidc?{query}&{other}=https://evil.example");
            let to = location(&browser.get(&server, &begin).await);
            assert_eq!(parameter(&to, "redirect_uri"), format!("{}/sign-in/oidc/callback", server.base));
            let back = location(&browser.get(&server, &to).await);
            let back = format!("{back}&next=https://evil.example&{other}=https://evil.example");
            assert_eq!(location(&browser.get(&server, &back).await), end, "{next}");
        }
    }
    // A cookie that was written by someone else leads nowhere else.
    let mut browser = Browser::default();
    let back = browser.through_the_provider(&server).await;
    let cookie = browser.cookies.get_mut("flowengine_oidc").unwrap();
    let token = cookie.split('.').next().unwrap();
    *cookie = format!("{token}.{}", BASE64_URL_SAFE_NO_PAD.encode("https://evil.example"));
    assert_eq!(location(&browser.get(&server, &back).await), "/");
    // The address to come back to is the installation's, whatever host the request names.
    let request = server.request(Method::GET, "/sign-in/oidc", None);
    let request = request.header(header::HOST, "evil.example").header("x-forwarded-host", "evil.example");
    let answer = Answer::of(request.send().await.unwrap()).await;
    assert_eq!(
        parameter(&location(&answer), "redirect_uri"),
        format!("{}/sign-in/oidc/callback", server.base)
    );
    // A post is none of it, and a method that changes nothing begins nothing for another site to read.
    let posted = server.request(Method::POST, "/sign-in/oidc/callback", None).send().await.unwrap();
    assert_eq!(posted.status(), StatusCode::METHOD_NOT_ALLOWED);
}

#[tokio::test]
async fn behind_tls_the_cookie_is_bound_to_the_host_and_without_a_provider_there_is_nothing() {
    let provider = TestProvider::start().await;
    let secure = server(&provider, &[("PUBLIC_URL", "https://flow.acme.example/")]).await;
    let begun = Browser::default().get(&secure, "/sign-in/oidc").await;
    let cookie = begun.headers[header::SET_COOKIE].to_str().unwrap();
    assert!(cookie.starts_with("__Host-flowengine_oidc=") && cookie.contains("Secure"), "{cookie}");
    assert!(cookie.contains("Path=/") && !cookie.contains("Domain"), "{cookie}");
    let redirect = parameter(&location(&begun), "redirect_uri");
    assert_eq!(redirect, "https://flow.acme.example/sign-in/oidc/callback");

    let plain = TestServer::start_idle(&[]).await;
    let mut browser = Browser::default();
    assert!(!browser.get(&plain, "/sign-in").await.text.contains("/sign-in/oidc"));
    for path in ["/sign-in/oidc", "/sign-in/oidc/callback?state=x&code=y"] {
        browser
            .get(&plain, path)
            .await
            .problem(StatusCode::NOT_FOUND, "This installation has no provider to sign in with");
    }
}

/// What is kept and said of a sign-in holds none of its secrets.
#[tokio::test]
async fn neither_code_nor_tokens_are_kept() {
    let provider = TestProvider::start().await;
    let server = server(&provider, &[]).await;
    let mut browser = Browser::default();
    let back = browser.through_the_provider(&server).await;
    let (code, state) = (parameter(&back, "code"), parameter(&back, "state"));
    let attempt = browser.cookies["flowengine_oidc"].clone();
    let dump = async || {
        let mut conn = server.database().superuser().await;
        let mut rows: Vec<String> = Vec::new();
        for table in ["oidc_attempts", "user_identities", "users", "sessions", "instance_audit_log"] {
            let sql = format!("SELECT row_to_json(t)::text FROM {table} t");
            let more: Vec<String> =
                sqlx::query_scalar(sqlx::AssertSqlSafe(sql)).fetch_all(&mut conn).await.unwrap();
            rows.extend(more);
        }
        rows.join("\n")
    };
    let before = dump().await;
    browser.get(&server, &back).await;
    let session = browser.cookies["flowengine_session"].clone();
    let after = dump().await;
    for secret in [&code, &state, &attempt, &session] {
        assert!(!before.contains(secret.as_str()) && !after.contains(secret.as_str()), "{secret}");
    }
}
