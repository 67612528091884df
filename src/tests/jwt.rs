//! Tokens of a foreign issuer in the place of API keys: what holds, and everything that does not.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use super::{
    provider::{SigningKey, TestProvider, by_hand, by_secret, now},
    support::{Answer, TestServer},
};

const AUDIENCE: &str = "https://flowengine.example/api";

/// A server that believes the provider's tokens, with two tenants. Keys are fetched anew without a wait.
async fn server<'v>(provider: &'v TestProvider, more: &[(&'v str, &'v str)]) -> TestServer {
    // The first of a name counts.
    let mut vars = more.to_vec();
    vars.extend([
        ("JWT_ISSUER", provider.issuer.as_str()),
        ("JWT_AUDIENCE", AUDIENCE),
        ("IDENTITY_RETRY_MS", "0"),
        ("IDENTITY_REFRESH_MS", "0"),
    ]);
    let server = TestServer::start_idle(&vars).await;
    server.tenant("acme").await;
    server.tenant("globex").await;
    server
}

fn claims(provider: &TestProvider) -> Value {
    json!({
        "iss": provider.issuer, "aud": AUDIENCE, "sub": "robot-7", "iat": now(), "exp": now() + 60,
        "tenant_id": "acme", "role": "editor",
    })
}

fn with(mut claims: Value, name: &str, value: Value) -> Value {
    claims[name] = value;
    claims
}

fn without(mut claims: Value, name: &str) -> Value {
    claims.as_object_mut().unwrap().remove(name);
    claims
}

async fn get(server: &TestServer, token: &str, path: &str) -> Answer {
    Answer::of(server.request(Method::GET, path, Some(token)).send().await.unwrap()).await
}

#[tokio::test]
async fn a_token_is_a_key_of_its_tenant_with_its_role() {
    for key in [SigningKey::es256("k1"), SigningKey::ed25519("k1"), SigningKey::rs256("k1")] {
        let provider = TestProvider::with_key(key.clone()).await;
        let server = server(&provider, &[]).await;
        let token = key.sign(&claims(&provider));
        get(&server, &token, "/api/intents?tenant_id=acme").await.is(StatusCode::OK);
        let create = server.request(Method::POST, "/api/intents?tenant_id=acme", Some(&token));
        let created = Answer::of(create.json(&json!({"name": "A"})).send().await.unwrap()).await;
        created.is(StatusCode::CREATED);
        let log = server.get("/api/audit-log?tenant_id=acme&action=intent.create").await.is(StatusCode::OK);
        assert_eq!(log.body[0]["actor"], "token of robot-7");
        assert_eq!(log.body[0]["actor_kind"], "token");
        // It is no member's, and opens no other tenant and nothing of the installation.
        for tenant in ["globex", "no_such_tenant"] {
            get(&server, &token, &format!("/api/intents?tenant_id={tenant}"))
                .await
                .problem(StatusCode::NOT_FOUND, &format!("Tenant {tenant} not found"));
        }
        let tenants = get(&server, &token, "/api/tenants").await.is(StatusCode::OK);
        assert_eq!(tenants.body.as_array().unwrap().len(), 1);
        get(&server, &token, "/api/instance-audit-log").await.is(StatusCode::FORBIDDEN);
        assert_eq!(provider.asked("/jwks"), 1, "keys are kept");
    }
}

#[tokio::test]
async fn the_role_of_a_token_is_its_limit() {
    let provider = TestProvider::start().await;
    let server = server(&provider, &[]).await;
    for (role, status) in [
        ("viewer", StatusCode::FORBIDDEN),
        ("operator", StatusCode::FORBIDDEN),
        ("editor", StatusCode::CREATED),
        ("admin", StatusCode::CREATED),
    ] {
        let token = provider.key().sign(&with(claims(&provider), "role", role.into()));
        let create = server.request(Method::POST, "/api/intents?tenant_id=acme", Some(&token));
        let answer = create.json(&json!({ "name": role })).send().await.unwrap();
        assert_eq!(answer.status(), status, "{role}");
    }
    let admin = provider.key().sign(&with(claims(&provider), "role", "admin".into()));
    let create = server.request(Method::POST, "/api/tenants", Some(&admin));
    let answer = create.json(&json!({"tenant_id": "mine", "name": "Mine"})).send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::FORBIDDEN, "never an administrator of the installation");
}

#[tokio::test]
async fn what_does_not_hold_is_an_unknown_key() {
    let key = SigningKey::rs256("k1");
    let provider = TestProvider::with_key(key.clone()).await;
    // What an issuer should not publish, but might.
    let shared = json!({"kty": "oct", "kid": "shared", "alg": "HS256", "k": "c2VjcmV0"});
    provider.set(|behaviour| behaviour.other_keys.push(shared));
    let server = server(&provider, &[]).await;
    let good = claims(&provider);
    get(&server, &key.sign(&good), "/api/intents?tenant_id=acme").await.is(StatusCode::OK);

    let mut header = key.header();
    let signed_with = |header: &jsonwebtoken::Header| {
        jsonwebtoken::encode(header, &claims(&provider), &key.private).unwrap()
    };
    header.crit = Some(vec!["exp".into()]);
    let critical = signed_with(&header);
    let mut header = key.header();
    header.typ = Some("logout+jwt".into());
    let other_type = signed_with(&header);
    header.typ = None;
    header.kid = None;
    let no_kid = signed_with(&header);
    header.kid = Some("k2".into());
    let unknown_kid = signed_with(&header);

    let public = key.jwk();
    let modulus = public["n"].as_str().unwrap();
    let honest = key.sign(&good);
    let (head, rest) = honest.split_once('.').unwrap();
    let (body, signature) = rest.split_once('.').unwrap();
    let other_body = key.sign(&with(good.clone(), "tenant_id", "globex".into()));
    let other_body = other_body.split('.').nth(1).unwrap();
    let stranger = SigningKey::es256("k1");
    let none = |alg: &str, signature: &[u8]| {
        by_hand(&json!({"alg": alg, "typ": "JWT", "kid": "k1"}), &good, signature)
    };

    let cases = [
        ("expired", key.sign(&with(good.clone(), "exp", (now() - 120).into()))),
        ("not yet valid", key.sign(&with(good.clone(), "nbf", (now() + 120).into()))),
        ("no expiry", key.sign(&without(good.clone(), "exp"))),
        ("an expiry that is no time", key.sign(&with(good.clone(), "exp", "never".into()))),
        ("another issuer", key.sign(&with(good.clone(), "iss", "https://evil.example".into()))),
        ("issuers", key.sign(&with(good.clone(), "iss", json!([provider.issuer, "https://evil.example"])))),
        ("no issuer", key.sign(&without(good.clone(), "iss"))),
        ("another audience", key.sign(&with(good.clone(), "aud", "other".into()))),
        ("no audience", key.sign(&without(good.clone(), "aud"))),
        ("no subject", key.sign(&without(good.clone(), "sub"))),
        ("an empty subject", key.sign(&with(good.clone(), "sub", "".into()))),
        ("a subject on two lines", key.sign(&with(good.clone(), "sub", "a\nb".into()))),
        ("no tenant", key.sign(&without(good.clone(), "tenant_id"))),
        ("an empty tenant", key.sign(&with(good.clone(), "tenant_id", "".into()))),
        ("any tenant", key.sign(&with(good.clone(), "tenant_id", "*".into()))),
        ("tenants", key.sign(&with(good.clone(), "tenant_id", json!(["acme", "globex"])))),
        ("no role", key.sign(&without(good.clone(), "role"))),
        ("an unknown role", key.sign(&with(good.clone(), "role", "owner".into()))),
        ("roles", key.sign(&with(good.clone(), "role", json!(["admin"])))),
        ("alg none", none("none", b"")),
        ("alg None", none("None", b"")),
        ("no signature", format!("{head}.{body}.")),
        ("another's body", format!("{head}.{other_body}.{signature}")),
        ("a public key as secret", by_secret("k1", &good, modulus.as_bytes())),
        ("a public key's PEM as secret", by_secret("k1", &good, include_bytes!("keys/rsa.pem"))),
        ("a published secret", by_secret("shared", &good, b"secret")),
        ("a stranger's key", stranger.sign(&good)),
        ("a critical extension", critical),
        ("another type", other_type),
        ("no key's name", no_kid),
        ("an unknown key", unknown_kid),
        ("too long", key.sign(&with(good.clone(), "padding", "x".repeat(9000).into()))),
        ("two parts", format!("{head}.{body}")),
        ("four parts", format!("{honest}.x")),
        ("nothing in it", "..".to_owned()),
    ];
    for (what, token) in cases {
        let answer = get(&server, &token, "/api/intents?tenant_id=acme").await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{what}: {}", answer.text);
        assert_eq!(answer.body["detail"], "Sign in, or send an API key as a bearer token", "{what}");
    }
    // One audience of several is enough, and the clocks may differ a little.
    let audiences = with(good.clone(), "aud", json!(["other", AUDIENCE]));
    let late = with(good, "exp", (now() - 5).into());
    for token in [key.sign(&audiences), key.sign(&late)] {
        get(&server, &token, "/api/intents?tenant_id=acme").await.is(StatusCode::OK);
    }
}

#[tokio::test]
async fn a_new_key_is_fetched_and_a_withdrawn_one_ends() {
    let provider = TestProvider::start().await;
    let server = server(&provider, &[]).await;
    let old = provider.key().sign(&claims(&provider));
    get(&server, &old, "/api/intents?tenant_id=acme").await.is(StatusCode::OK);
    provider.set(|behaviour| behaviour.key = SigningKey::es256("k2"));
    let new = provider.key().sign(&claims(&provider));
    get(&server, &new, "/api/intents?tenant_id=acme").await.is(StatusCode::OK);
    get(&server, &old, "/api/intents?tenant_id=acme").await.is(StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn unknown_keys_do_not_make_us_flood_the_issuer() {
    let provider = TestProvider::start().await;
    let server = server(&provider, &[("IDENTITY_REFRESH_MS", "60000")]).await;
    for n in 0..20 {
        let token = SigningKey::es256(&format!("stranger-{n}")).sign(&claims(&provider));
        get(&server, &token, "/api/intents?tenant_id=acme").await.is(StatusCode::UNAUTHORIZED);
    }
    assert_eq!(provider.asked("/jwks"), 1);
    let good = provider.key().sign(&claims(&provider));
    get(&server, &good, "/api/intents?tenant_id=acme").await.is(StatusCode::OK);
}

#[tokio::test]
async fn an_issuer_that_is_down_is_said_to_be_and_asked_again() {
    let provider = TestProvider::start().await;
    let server = server(&provider, &[]).await;
    let token = provider.key().sign(&claims(&provider));
    let huge: &'static str = Box::leak("x".repeat(300 << 10).into_boxed_str());
    for broken in [
        (StatusCode::SERVICE_UNAVAILABLE, "down for maintenance, says the provider"),
        (StatusCode::OK, "<html>captive portal</html>"),
        (StatusCode::OK, huge),
        (StatusCode::FOUND, "elsewhere"),
    ] {
        provider.set(|behaviour| behaviour.broken = Some(broken));
        let answer = get(&server, &token, "/api/intents?tenant_id=acme").await;
        let answer = answer
            .problem(StatusCode::SERVICE_UNAVAILABLE, "The issuer of tokens cannot be asked for its keys");
        assert!(!answer.text.contains("provider,"));
        // API keys go on.
        server.get("/api/intents?tenant_id=acme").await.is(StatusCode::OK);
    }
    provider.set(|behaviour| behaviour.broken = None);
    get(&server, &token, "/api/intents?tenant_id=acme").await.is(StatusCode::OK);
    // Once known, the keys serve while the issuer is down.
    provider.set(|behaviour| behaviour.broken = Some((StatusCode::BAD_GATEWAY, "")));
    get(&server, &token, "/api/intents?tenant_id=acme").await.is(StatusCode::OK);
}

#[tokio::test]
async fn claims_and_keys_may_be_elsewhere_and_an_inactive_tenant_is_closed() {
    let provider = TestProvider::start().await;
    let jwks = format!("{}/jwks", provider.issuer);
    let vars = [
        ("JWT_JWKS_URL", jwks.as_str()),
        ("JWT_TENANT_CLAIM", "https://flowengine.example/tenant"),
        ("JWT_ROLE_CLAIM", "fe_role"),
    ];
    let server = server(&provider, &vars).await;
    let plain = claims(&provider);
    get(&server, &provider.key().sign(&plain), "/api/intents?tenant_id=acme")
        .await
        .is(StatusCode::UNAUTHORIZED);
    let named = with(plain, "https://flowengine.example/tenant", "acme".into());
    let token = provider.key().sign(&with(named, "fe_role", "viewer".into()));
    get(&server, &token, "/api/intents?tenant_id=acme").await.is(StatusCode::OK);
    assert_eq!(provider.asked("/.well-known/openid-configuration"), 0);
    let body = json!({"name": "The acme company", "is_active": false});
    server.put("/api/tenants/acme", &body).await.is(StatusCode::OK);
    get(&server, &token, "/api/intents?tenant_id=acme").await.is(StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn without_an_issuer_no_token_is_a_key() {
    let provider = TestProvider::start().await;
    let server = TestServer::start_idle(&[]).await;
    server.tenant("acme").await;
    let token = provider.key().sign(&claims(&provider));
    get(&server, &token, "/api/intents?tenant_id=acme").await.is(StatusCode::UNAUTHORIZED);
    assert_eq!(provider.asked("/jwks"), 0);
}
