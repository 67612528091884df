//! A small OpenID provider that really is one: discovery, authorization by code with PKCE, tokens, keys, userinfo. It
//! checks what a good provider checks, and on demand says what a bad one would.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};

use axum::{
    Form, Json, Router,
    extract::{Query, Request, State},
    http::{HeaderMap, StatusCode, header},
    middleware::{self, Next},
    response::{IntoResponse, Redirect, Response},
    routing::{get, post},
};
use base64::{
    Engine,
    prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD},
};
use jsonwebtoken::{Algorithm, EncodingKey, Header, jwk::Jwk};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

pub const CLIENT_ID: &str = "flowengine-test";
/// With letters that the header's form encoding changes (RFC 6749, section 2.3.1).
pub const CLIENT_SECRET: &str = "s3cret:/+ %of the client";

/// A key that signs.
#[derive(Clone)]
pub struct SigningKey {
    pub kid: String,
    pub algorithm: Algorithm,
    pub private: EncodingKey,
}

impl SigningKey {
    /// A new one, by the DER form of its private part (RFC 5958): 32 random bytes behind a fixed head.
    pub fn es256(kid: &str) -> Self {
        const HEAD: &str = "3041020100301306072a8648ce3d020106082a8648ce3d030107042730250201010420";
        let private = EncodingKey::from_ec_der(&der(HEAD));
        Self { kid: kid.into(), algorithm: Algorithm::ES256, private }
    }

    /// Likewise (RFC 8410).
    pub fn ed25519(kid: &str) -> Self {
        let private = EncodingKey::from_ed_der(&der("302e020100300506032b657004220420"));
        Self { kid: kid.into(), algorithm: Algorithm::EdDSA, private }
    }

    /// One from a file, since making one takes a minute without optimisation. It is used here alone.
    pub fn rs256(kid: &str) -> Self {
        let private = EncodingKey::from_rsa_pem(include_bytes!("keys/rsa.pem")).unwrap();
        Self { kid: kid.into(), algorithm: Algorithm::RS256, private }
    }

    pub fn jwk(&self) -> Value {
        let mut jwk = Jwk::from_encoding_key(&self.private, self.algorithm).unwrap();
        jwk.common.key_id = Some(self.kid.clone());
        let mut jwk = serde_json::to_value(jwk).unwrap();
        jwk["use"] = "sig".into();
        jwk
    }

    pub fn header(&self) -> Header {
        let mut header = Header::new(self.algorithm);
        header.kid = Some(self.kid.clone());
        header
    }

    pub fn sign(&self, claims: &Value) -> String {
        jsonwebtoken::encode(&self.header(), claims, &self.private).unwrap()
    }
}

fn der(head: &str) -> Vec<u8> {
    let byte = |i: usize| u8::from_str_radix(&head[i..i + 2], 16).unwrap();
    let mut bytes: Vec<u8> = (0..head.len()).step_by(2).map(byte).collect();
    bytes.extend_from_slice(&rand::random::<[u8; 32]>());
    bytes
}

/// A token of these parts, whatever they are, with `signature` as it is.
pub fn by_hand(header: &Value, claims: &Value, signature: &[u8]) -> String {
    let part = |value: &Value| BASE64_URL_SAFE_NO_PAD.encode(value.to_string());
    format!("{}.{}.{}", part(header), part(claims), BASE64_URL_SAFE_NO_PAD.encode(signature))
}

/// A token whose signature is a HMAC under `secret`.
pub fn by_secret(kid: &str, claims: &Value, secret: &[u8]) -> String {
    let mut header = Header::new(Algorithm::HS256);
    header.kid = Some(kid.into());
    jsonwebtoken::encode(&header, claims, &EncodingKey::from_secret(secret)).unwrap()
}

pub fn now() -> i64 {
    chrono::Utc::now().timestamp()
}

/// What the provider does in the place of signing the honest claims.
pub type Forge = Arc<dyn Fn(&SigningKey, Value) -> String + Send + Sync>;

pub struct Behaviour {
    pub key: SigningKey,
    /// What the key set holds beside `key`'s public part.
    pub other_keys: Vec<Value>,
    /// Claims about who signs in: `sub`, `email`, `email_verified`, `name`.
    pub person: Value,
    /// Whether the ID token names but the subject, and the rest is at the userinfo endpoint.
    pub thin: bool,
    pub forge: Option<Forge>,
    /// What the authorization endpoint says in the place of a code.
    pub refusal: Option<&'static str>,
    /// Every request is answered so.
    pub broken: Option<(StatusCode, &'static str)>,
    /// How often each path was asked for.
    pub asked: HashMap<String, usize>,
    codes: HashMap<String, Grant>,
    access_tokens: HashMap<String, Value>,
}

struct Grant {
    redirect_uri: String,
    challenge: String,
    nonce: Option<String>,
    person: Value,
}

type Shared = Arc<Mutex<Behaviour>>;

pub struct TestProvider {
    pub issuer: String,
    behaviour: Shared,
}

#[derive(Clone)]
struct Inside {
    issuer: String,
    behaviour: Shared,
}

impl TestProvider {
    pub async fn start() -> Self {
        Self::with_key(SigningKey::es256("k1")).await
    }

    pub async fn with_key(key: SigningKey) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let issuer = format!("http://{}", listener.local_addr().unwrap());
        let behaviour = Arc::new(Mutex::new(Behaviour {
            key,
            other_keys: Vec::new(),
            person: json!({"sub": "ann-1", "email": "Ann@Acme.example", "email_verified": true, "name": "Ann"}),
            thin: false,
            forge: None,
            refusal: None,
            broken: None,
            asked: HashMap::new(),
            codes: HashMap::new(),
            access_tokens: HashMap::new(),
        }));
        let inside = Inside { issuer: issuer.clone(), behaviour: Arc::clone(&behaviour) };
        let router = Router::new()
            .route("/.well-known/openid-configuration", get(discovery))
            .route("/authorize", get(authorize))
            .route("/token", post(token))
            .route("/jwks", get(jwks))
            .route("/userinfo", get(userinfo))
            .layer(middleware::from_fn_with_state(inside.clone(), count))
            .with_state(inside);
        tokio::spawn(axum::serve(listener, router).into_future());
        Self { issuer, behaviour }
    }

    /// Changes how it behaves from now on.
    pub fn set(&self, change: impl FnOnce(&mut Behaviour)) {
        change(&mut self.behaviour.lock().unwrap());
    }

    pub fn asked(&self, path: &str) -> usize {
        self.behaviour.lock().unwrap().asked.get(path).copied().unwrap_or(0)
    }

    pub fn key(&self) -> SigningKey {
        self.behaviour.lock().unwrap().key.clone()
    }
}

async fn count(State(inside): State<Inside>, request: Request, next: Next) -> Response {
    let broken = {
        let mut behaviour = inside.behaviour.lock().unwrap();
        *behaviour.asked.entry(request.uri().path().to_owned()).or_default() += 1;
        behaviour.broken
    };
    match broken {
        Some(answer) => answer.into_response(),
        None => next.run(request).await,
    }
}

async fn discovery(State(inside): State<Inside>) -> Json<Value> {
    let issuer = &inside.issuer;
    Json(json!({
        "issuer": issuer,
        "authorization_endpoint": format!("{issuer}/authorize"),
        "token_endpoint": format!("{issuer}/token"),
        "jwks_uri": format!("{issuer}/jwks"),
        "userinfo_endpoint": format!("{issuer}/userinfo"),
        "response_types_supported": ["code"],
        "subject_types_supported": ["public"],
        // What a client must not believe: that a shared secret will do.
        "id_token_signing_alg_values_supported": ["RS256", "ES256", "EdDSA", "HS256", "none"],
        "token_endpoint_auth_methods_supported": ["client_secret_basic"],
        "code_challenge_methods_supported": ["S256"],
    }))
}

async fn jwks(State(inside): State<Inside>) -> Json<Value> {
    let behaviour = inside.behaviour.lock().unwrap();
    let mut keys = vec![behaviour.key.jwk()];
    keys.extend(behaviour.other_keys.iter().cloned());
    Json(json!({ "keys": keys }))
}

/// The page on which a person would sign in; this one has, and agrees.
async fn authorize(
    State(inside): State<Inside>,
    Query(query): Query<HashMap<String, String>>,
) -> Result<Redirect, (StatusCode, String)> {
    let get = |name: &str| query.get(name).cloned().unwrap_or_default();
    for (name, expected) in
        [("client_id", CLIENT_ID), ("response_type", "code"), ("code_challenge_method", "S256")]
    {
        if get(name) != expected {
            return Err((StatusCode::BAD_REQUEST, format!("{name} must be {expected}")));
        }
    }
    if !get("scope").split(' ').any(|scope| scope == "openid") || get("state").len() < 16 {
        return Err((StatusCode::BAD_REQUEST, "scope or state".into()));
    }
    let mut behaviour = inside.behaviour.lock().unwrap();
    let mut back: url::Url = get("redirect_uri").parse().unwrap();
    if let Some(error) = behaviour.refusal {
        back.query_pairs_mut()
            .append_pair("error", error)
            .append_pair("error_description", "<b>the provider's own words</b>");
    } else {
        let code = hex(&rand::random::<[u8; 16]>());
        back.query_pairs_mut().append_pair("code", &code);
        let grant = Grant {
            redirect_uri: get("redirect_uri"),
            challenge: get("code_challenge"),
            nonce: query.get("nonce").cloned(),
            person: behaviour.person.clone(),
        };
        behaviour.codes.insert(code, grant);
    }
    back.query_pairs_mut().append_pair("state", &get("state")).append_pair("iss", &inside.issuer);
    Ok(Redirect::to(back.as_str()))
}

async fn token(
    State(inside): State<Inside>,
    headers: HeaderMap,
    Form(form): Form<HashMap<String, String>>,
) -> Response {
    let refuse = |error: &str| {
        let body = json!({"error": error, "error_description": "<b>the provider's own words</b>"});
        (StatusCode::BAD_REQUEST, Json(body)).into_response()
    };
    let get = |name: &str| form.get(name).cloned().unwrap_or_default();
    if !is_the_client(&headers) {
        return refuse("invalid_client");
    }
    let mut behaviour = inside.behaviour.lock().unwrap();
    // A code is good once.
    let Some(grant) = behaviour.codes.remove(&get("code")) else { return refuse("invalid_grant") };
    let challenge = BASE64_URL_SAFE_NO_PAD.encode(Sha256::digest(get("code_verifier")));
    if get("grant_type") != "authorization_code"
        || get("redirect_uri") != grant.redirect_uri
        || challenge != grant.challenge
    {
        return refuse("invalid_grant");
    }
    let mut claims = json!({
        "iss": inside.issuer, "aud": CLIENT_ID, "sub": grant.person["sub"],
        "iat": now(), "exp": now() + 300, "nonce": grant.nonce,
    });
    if !behaviour.thin {
        claims.as_object_mut().unwrap().extend(grant.person.as_object().unwrap().clone());
    }
    let id_token = match &behaviour.forge {
        Some(forge) => forge(&behaviour.key, claims),
        None => behaviour.key.sign(&claims),
    };
    let access_token = hex(&rand::random::<[u8; 16]>());
    behaviour.access_tokens.insert(access_token.clone(), grant.person);
    Json(json!({
        "access_token": access_token, "token_type": "Bearer", "expires_in": 300, "id_token": id_token,
    }))
    .into_response()
}

fn is_the_client(headers: &HeaderMap) -> bool {
    let given = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let Some(basic) = given.and_then(|value| value.strip_prefix("Basic ")) else { return false };
    let text = String::from_utf8(BASE64_STANDARD.decode(basic).unwrap()).unwrap();
    let (id, secret) = text.split_once(':').unwrap();
    // Each is form-encoded before they are joined.
    let decode = |text: &str| {
        let pair = format!("x={text}");
        url::form_urlencoded::parse(pair.as_bytes()).next().unwrap().1.into_owned()
    };
    decode(id) == CLIENT_ID && decode(secret) == CLIENT_SECRET
}

async fn userinfo(State(inside): State<Inside>, headers: HeaderMap) -> Response {
    let given = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let token = given.and_then(|value| value.strip_prefix("Bearer ")).unwrap_or_default();
    match inside.behaviour.lock().unwrap().access_tokens.get(token) {
        Some(person) => Json(person.clone()).into_response(),
        None => StatusCode::UNAUTHORIZED.into_response(),
    }
}

fn hex(bytes: &[u8]) -> String {
    crate::server::token::hex(bytes)
}
