//! Programs with a token of a foreign issuer: a JWT (RFC 7519, RFC 8725) in the place of an API key.
//!
//! The token names a tenant and a role by its claims. One without a tenant is nobody's: no token ever stands for an
//! administrator of the installation.

use std::{collections::HashMap, time::Duration};

use jsonwebtoken::{
    Algorithm, DecodingKey, Header, Validation, decode, decode_header,
    jwk::{AlgorithmParameters, EllipticCurve, Jwk, PublicKeyUse},
};
use serde::Deserialize;
use serde_json::{Map, Value};
use url::Url;

use super::issuers::{IssuerClient, is_as_safe_as};
use crate::{
    auth::dto::Role,
    server::{Actor, AppState, Result, config::JwtConfig, kept::Kept},
    shared::{Problem, TenantId},
};

/// A longer token is none: bytes.
const MAX_TOKEN: usize = 8 << 10;
/// A longer key set is cut off: keys.
const MAX_KEYS: usize = 100;
/// How far clocks may differ: seconds.
const LEEWAY: u64 = 30;
/// What `typ` may say, lower case (RFC 9068, section 2.1). Tokens of another type, such as `logout+jwt`, are for others.
const TYPES: [&str; 3] = ["jwt", "at+jwt", "application/at+jwt"];

/// The issuer, and its keys while they are fresh.
pub struct TokenIssuer {
    settings: JwtConfig,
    http: IssuerClient,
    keys: Kept<Keys>,
}

/// By `kid`.
type Keys = HashMap<String, Key>;

#[derive(Debug)]
struct Key {
    key: DecodingKey,
    /// The one algorithm that it is for. A token does not choose: else a public key could be taken for a shared secret.
    algorithm: Algorithm,
}

/// Why a token is no key. For the log: the caller is told no more than of an unknown API key.
type Refusal = &'static str;

/// The actor of a token, if it holds.
///
/// # Errors
/// 503 where the issuer's keys are not known and cannot be fetched.
pub async fn actor_of_token(app: &AppState, token: &str) -> Result<Option<Actor>> {
    let Some(issuer) = &app.issuers.tokens else { return Ok(None) };
    if token.len() > MAX_TOKEN || token.bytes().filter(|byte| *byte == b'.').count() != 2 {
        return Ok(None);
    }
    match issuer.actor(token).await? {
        Ok(actor) => Ok(Some(actor)),
        Err(refusal) => {
            tracing::debug!(refusal, "a token was refused");
            Ok(None)
        }
    }
}

impl TokenIssuer {
    pub fn new(settings: JwtConfig, http: IssuerClient, retry: Duration, refresh: Duration) -> Self {
        Self { settings, http, keys: Kept::new("the keys of JWT_ISSUER", retry, refresh) }
    }

    async fn actor(&self, token: &str) -> Result<Result<Actor, Refusal>> {
        let header = match decode_header(token).map_err(|_| "its header cannot be read").and_then(checked) {
            Ok(header) => header,
            Err(refusal) => return Ok(Err(refusal)),
        };
        let Some(kid) = &header.kid else { return Ok(Err("it names no key")) };
        let unavailable = || Problem::new(503, "The issuer of tokens cannot be asked for its keys");
        let mut keys = self.keys.get(self.fetch()).await.ok_or_else(unavailable)?;
        if !keys.contains_key(kid) {
            // The issuer may have changed its keys since.
            match self.keys.renew(&keys, self.fetch()).await {
                Some(newer) => keys = newer,
                None => return Ok(Err("its key is unknown")),
            }
        }
        let Some(key) = keys.get(kid) else { return Ok(Err("its key is unknown")) };
        Ok(self.verify(token, key).and_then(|claims| self.read(&claims)))
    }

    /// Signature, issuer, audience and times.
    fn verify(&self, token: &str, key: &Key) -> Result<Map<String, Value>, Refusal> {
        let mut validation = Validation::new(key.algorithm);
        validation.leeway = LEEWAY;
        validation.validate_nbf = true;
        validation.set_issuer(&[&self.settings.issuer]);
        validation.set_audience(&[&self.settings.audience]);
        validation.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
        use jsonwebtoken::errors::ErrorKind;
        let token = decode::<Map<String, Value>>(token, &key.key, &validation);
        token.map(|token| token.claims).map_err(|error| match error.kind() {
            ErrorKind::InvalidAlgorithm => "its algorithm is not its key's",
            ErrorKind::InvalidSignature => "its signature does not hold",
            ErrorKind::InvalidIssuer => "it is another issuer's",
            ErrorKind::InvalidAudience => "it is for another audience",
            ErrorKind::ExpiredSignature => "it has expired",
            ErrorKind::ImmatureSignature => "it does not hold yet",
            ErrorKind::MissingRequiredClaim(_) => "exp, iss, aud or sub is missing",
            _ => "it cannot be read",
        })
    }

    fn read(&self, claims: &Map<String, Value>) -> Result<Actor, Refusal> {
        let text = |name: &str| claims.get(name).and_then(Value::as_str);
        // The library takes a list of issuers too.
        if text("iss") != Some(&self.settings.issuer) {
            return Err("it is another issuer's");
        }
        let subject = text("sub").unwrap_or_default();
        if subject.is_empty() || subject.len() > 255 || subject.chars().any(char::is_control) {
            return Err("its subject is no name");
        }
        let tenant = text(&self.settings.tenant_claim).ok_or("it names no tenant")?;
        let role = text(&self.settings.role_claim).ok_or("it names no role")?;
        Ok(Actor::Token {
            tenant: tenant.parse::<TenantId>().map_err(|_| "its tenant is no tenant's id")?,
            role: role.parse::<Role>().map_err(|_| "its role is unknown")?,
            subject: subject.to_owned(),
        })
    }

    async fn fetch(&self) -> Result<Keys, String> {
        let http = self.http.as_ref().map_err(Clone::clone)?;
        let url = match &self.settings.jwks_url {
            Some(url) => url.clone(),
            None => self.discover().await?,
        };
        read_keys(&http.get(&url).await?)
    }

    /// Where the keys are, by the issuer's discovery document (OpenID Connect Discovery 1.0, section 4).
    async fn discover(&self) -> Result<Url, String> {
        #[derive(Deserialize)]
        struct Discovery {
            issuer: String,
            jwks_uri: Url,
        }
        let http = self.http.as_ref().map_err(Clone::clone)?;
        let issuer = &self.settings.issuer;
        let url = format!("{}/.well-known/openid-configuration", issuer.trim_end_matches('/'));
        let url = url.parse().map_err(|error: url::ParseError| error.to_string())?;
        let found: Discovery = serde_json::from_slice(&http.get(&url).await?)
            .map_err(|_| "its discovery document cannot be read".to_owned())?;
        if found.issuer != *issuer {
            return Err("its discovery document is another issuer's".into());
        }
        if !is_as_safe_as(issuer, &found.jwks_uri) {
            return Err("its keys are not offered over TLS".into());
        }
        Ok(found.jwks_uri)
    }
}

/// What stands in the header is the sender's word: it may narrow what is accepted, never widen it.
fn checked(header: Header) -> Result<Header, Refusal> {
    if header.crit.is_some() {
        // RFC 7515, section 4.1.11: what must be understood and is not.
        return Err("it demands an extension");
    }
    if header.typ.as_ref().is_some_and(|typ| !TYPES.contains(&typ.to_ascii_lowercase().as_str())) {
        return Err("it is of another type");
    }
    Ok(header)
}

/// Of a key set (RFC 7517), the keys that can verify a signature of ours; others are left out, not refused.
fn read_keys(document: &[u8]) -> Result<Keys, String> {
    #[derive(Deserialize)]
    struct KeySet {
        keys: Vec<Value>,
    }
    let set: KeySet =
        serde_json::from_slice(document).map_err(|_| "its key set cannot be read".to_owned())?;
    let keys: Keys = set.keys.into_iter().take(MAX_KEYS).filter_map(usable).collect();
    if keys.is_empty() { Err("its key set holds no usable key".into()) } else { Ok(keys) }
}

/// RS256, ES256 and EdDSA. Never `oct`: who publishes a shared secret shares it with everyone.
fn usable(jwk: Value) -> Option<(String, Key)> {
    let jwk: Jwk = serde_json::from_value(jwk).ok()?;
    let algorithm = match &jwk.algorithm {
        AlgorithmParameters::RSA(_) => Algorithm::RS256,
        AlgorithmParameters::EllipticCurve(ec) if ec.curve == EllipticCurve::P256 => Algorithm::ES256,
        AlgorithmParameters::OctetKeyPair(okp) if okp.curve == EllipticCurve::Ed25519 => Algorithm::EdDSA,
        _ => return None,
    };
    let common = &jwk.common;
    let for_signatures = !matches!(&common.public_key_use, Some(usage) if *usage != PublicKeyUse::Signature);
    let for_this = common.key_algorithm.is_none_or(|named| named == algorithm.into());
    if !for_signatures || !for_this {
        return None;
    }
    let key = DecodingKey::from_jwk(&jwk).ok()?;
    Some((common.key_id.clone()?, Key { key, algorithm }))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_public_keys_for_signatures_are_taken() {
        let ed = json!({"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"});
        let with = |name: &str, value: &str| {
            let mut jwk = ed.clone();
            jwk[name] = value.into();
            jwk
        };
        let set = |keys: &[Value]| read_keys(json!({ "keys": keys }).to_string().as_bytes());
        let mut good = with("kid", "good");
        good["alg"] = "EdDSA".into();
        good["use"] = "sig".into();
        let mut encrypting = with("kid", "encrypting");
        encrypting["use"] = "enc".into();
        let mut other = with("kid", "other");
        other["alg"] = "RS256".into();
        let shared = json!({"kty": "oct", "kid": "shared", "k": "c2VjcmV0", "alg": "HS256"});
        let unknown = json!({"kty": "AKP", "kid": "unknown", "alg": "ML-DSA-44", "pub": "x"});
        let curve = json!({"kty": "EC", "kid": "curve", "crv": "secp256k1", "x": "x", "y": "y"});
        let keys = set(&[good, encrypting, other, shared.clone(), unknown, curve, ed.clone(), json!("x")]);
        assert_eq!(keys.expect("a key").keys().collect::<Vec<_>>(), ["good"]);
        for none in [vec![], vec![shared], vec![ed]] {
            assert!(set(&none).is_err(), "{none:?}");
        }
        assert!(read_keys(b"<html>").is_err());
    }
}
