//! The OpenID provider: OpenID Connect Core 1.0 by the authorization code flow, with PKCE (RFC 7636), state and nonce.

use std::{sync::Arc, time::Duration};

use openidconnect::{
    AsyncHttpClient, AuthType, AuthenticationFlow, AuthorizationCode, ClaimsVerificationError, ClientId,
    ClientSecret, CsrfToken, EndpointMaybeSet, EndpointNotSet, EndpointSet, IssuerUrl, Nonce,
    OAuth2TokenResponse, PkceCodeChallenge, PkceCodeVerifier, RedirectUrl, RequestTokenError, Scope,
    StandardClaims, TokenResponse, UserInfoError,
    core::{
        CoreClient, CoreClientAuthMethod, CoreGenderClaim, CoreIdToken, CoreIdTokenClaims,
        CoreJwsSigningAlgorithm as Alg, CoreProviderMetadata, CoreResponseType, CoreTokenResponse,
        CoreUserInfoClaims,
    },
};
use secrecy::ExposeSecret;

use super::issuers::{IssuerClient, is_as_safe_as};
use crate::server::{
    bounded_http::{BoundedClient, HttpFault},
    config::OidcConfig,
    error::chain,
    kept::Kept,
};

/// What an ID token may be signed with: never `none`, and never a secret that both sides hold.
const ALGORITHMS: [Alg; 9] = [
    Alg::RsaSsaPkcs1V15Sha256,
    Alg::RsaSsaPkcs1V15Sha384,
    Alg::RsaSsaPkcs1V15Sha512,
    Alg::RsaSsaPssSha256,
    Alg::RsaSsaPssSha384,
    Alg::RsaSsaPssSha512,
    Alg::EcdsaP256Sha256,
    Alg::EcdsaP384Sha384,
    Alg::EdDsa,
];

type Client = CoreClient<
    EndpointSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointMaybeSet,
    EndpointMaybeSet,
>;

/// The provider, and its discovery document and keys while they are fresh.
pub struct Provider {
    settings: OidcConfig,
    http: IssuerClient,
    document: Kept<CoreProviderMetadata>,
}

/// A sign-in that is begun: where the browser goes, and what must be remembered until it comes back.
pub struct Begun {
    pub location: String,
    pub state: String,
    pub nonce: String,
    pub verifier: String,
}

/// Someone, in the words of the provider.
#[derive(Debug)]
pub struct Person {
    pub subject: String,
    /// Only where the provider says that it is theirs.
    pub verified_email: Option<String>,
    pub name: Option<String>,
}

/// Why the provider could not tell who it is.
#[derive(Debug)]
pub enum Fault {
    /// It cannot be asked.
    Unavailable(String),
    /// It said no, or something that does not hold. For the log, never for a page.
    Refused(String),
}

impl Provider {
    pub fn new(settings: OidcConfig, http: IssuerClient, retry: Duration, refresh: Duration) -> Self {
        Self { settings, http, document: Kept::new("the discovery document of OIDC_ISSUER", retry, refresh) }
    }

    pub fn settings(&self) -> &OidcConfig {
        &self.settings
    }

    /// Where to send the browser. `redirect` is where the provider sends it back to.
    ///
    /// # Errors
    /// `Fault::Unavailable`.
    pub async fn begin(&self, redirect: &str) -> Result<Begun, Fault> {
        let document = self.document().await?;
        let client = self.client(&document, redirect)?;
        let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
        let flow = AuthenticationFlow::<CoreResponseType>::AuthorizationCode;
        let (location, state, nonce) = client
            .authorize_url(flow, CsrfToken::new_random, Nonce::new_random)
            .add_scopes(self.settings.scopes.iter().cloned().map(Scope::new))
            .set_pkce_challenge(challenge)
            .url();
        Ok(Begun {
            location: location.into(),
            state: state.into_secret(),
            nonce: nonce.secret().clone(),
            verifier: verifier.into_secret(),
        })
    }

    /// Who it is that brought this code, by an ID token of which issuer, audience, signature, expiry and nonce hold.
    ///
    /// # Errors
    /// `Fault`.
    pub async fn redeem(
        &self,
        redirect: &str,
        code: String,
        nonce: String,
        verifier: String,
    ) -> Result<Person, Fault> {
        let http = self.http()?;
        let document = self.document().await?;
        let client = self.client(&document, redirect)?;
        let tokens = client
            .exchange_code(AuthorizationCode::new(code))
            .map_err(refused)?
            .set_pkce_verifier(PkceCodeVerifier::new(verifier))
            .request_async(http)
            .await
            .map_err(no_tokens)?;
        let token = tokens.id_token().ok_or_else(|| refused("its answer holds no ID token"))?;
        let nonce = Nonce::new(nonce);
        match self.verify(&client, token, &nonce) {
            Ok(claims) => self.person(&client, &tokens, claims, http).await,
            // The provider may have changed its keys since.
            Err(ClaimsVerificationError::SignatureVerification(error)) => {
                let newer = self.document.renew(&document, self.fetch()).await;
                let document = newer.ok_or_else(|| refused(chain(&error)))?;
                let client = self.client(&document, redirect)?;
                let claims = self.verify(&client, token, &nonce).map_err(|error| refused(chain(&error)))?;
                self.person(&client, &tokens, claims, http).await
            }
            Err(error) => Err(refused(chain(&error))),
        }
    }

    fn verify<'t>(
        &self,
        client: &Client,
        token: &'t CoreIdToken,
        nonce: &Nonce,
    ) -> Result<&'t CoreIdTokenClaims, ClaimsVerificationError> {
        let verifier = client.id_token_verifier().set_allowed_algs(ALGORITHMS);
        let claims = token.claims(&verifier, nonce)?;
        // The library leaves the authorized party to us (OpenID Connect Core 1.0, section 3.1.3.7, step 5).
        match claims.authorized_party() {
            Some(party) if party.as_str() != self.settings.client_id => {
                Err(ClaimsVerificationError::InvalidAudience("it was issued to another client".into()))
            }
            _ => Ok(claims),
        }
    }

    /// The address and the name stand in the ID token, or else at the userinfo endpoint (section 5.4).
    async fn person(
        &self,
        client: &Client,
        tokens: &CoreTokenResponse,
        claims: &CoreIdTokenClaims,
        http: &BoundedClient,
    ) -> Result<Person, Fault> {
        let subject = claims.subject().to_string();
        if !(1..=255).contains(&subject.chars().count()) || subject.chars().any(char::is_control) {
            return Err(refused("its subject is no name"));
        }
        if claims.email().is_some() || client.user_info_url().is_none() {
            let name = claims.name().and_then(|name| name.get(None)).map(|name| name.to_string());
            let email = claims.email().map(|email| email.to_string());
            return Ok(person(subject, email, claims.email_verified(), name));
        }
        // The library checks that its subject is the token's.
        let more: CoreUserInfoClaims = client
            .user_info(tokens.access_token().clone(), Some(claims.subject().clone()))
            .map_err(refused)?
            .request_async(http)
            .await
            .map_err(no_userinfo)?;
        let more: &StandardClaims<CoreGenderClaim> = more.standard_claims();
        let name = more.name().and_then(|name| name.get(None)).map(|name| name.to_string());
        Ok(person(subject, more.email().map(|email| email.to_string()), more.email_verified(), name))
    }

    fn client(&self, document: &CoreProviderMetadata, redirect: &str) -> Result<Client, Fault> {
        let secret = self.settings.client_secret.as_ref();
        let secret = secret.map(|secret| ClientSecret::new(secret.expose_secret().to_owned()));
        let id = ClientId::new(self.settings.client_id.clone());
        let redirect = RedirectUrl::new(redirect.to_owned()).map_err(refused)?;
        // Basic is what holds where nothing is said (OpenID Connect Discovery 1.0, section 3).
        let basic = document
            .token_endpoint_auth_methods_supported()
            .is_none_or(|methods| methods.contains(&CoreClientAuthMethod::ClientSecretBasic));
        let auth = if basic { AuthType::BasicAuth } else { AuthType::RequestBody };
        Ok(CoreClient::from_provider_metadata(document.clone(), id, secret)
            .set_redirect_uri(redirect)
            .set_auth_type(auth))
    }

    async fn document(&self) -> Result<Arc<CoreProviderMetadata>, Fault> {
        let document = self.document.get(self.fetch()).await;
        document.ok_or_else(|| Fault::Unavailable("its discovery document is not known".into()))
    }

    /// Discovery, and the keys that it names.
    async fn fetch(&self) -> Result<CoreProviderMetadata, String> {
        let http = self.http.as_ref().map_err(Clone::clone)?;
        let issuer = IssuerUrl::new(self.settings.issuer.clone()).map_err(|error| error.to_string())?;
        let document =
            CoreProviderMetadata::discover_async(issuer, http).await.map_err(|error| match error {
                // What was answered is left out: it can be long, and is anyone's.
                openidconnect::DiscoveryError::Response(status, ..) => format!("it answered {status}"),
                other => chain(&other),
            })?;
        let token_endpoint = document.token_endpoint().ok_or("it names no token endpoint")?;
        let mut endpoints = vec![document.authorization_endpoint().url(), token_endpoint.url()];
        endpoints.push(document.jwks_uri().url());
        endpoints.extend(document.userinfo_endpoint().map(|endpoint| endpoint.url()));
        if endpoints.into_iter().all(|endpoint| is_as_safe_as(&self.settings.issuer, endpoint)) {
            Ok(document)
        } else {
            Err("not all of its endpoints are offered over TLS".into())
        }
    }

    fn http(&self) -> Result<&BoundedClient, Fault> {
        self.http.as_ref().map_err(|reason| Fault::Unavailable(reason.clone()))
    }
}

fn person(subject: String, email: Option<String>, is_verified: Option<bool>, name: Option<String>) -> Person {
    Person { subject, verified_email: email.filter(|_| is_verified == Some(true)), name }
}

fn refused(reason: impl ToString) -> Fault {
    Fault::Refused(reason.to_string())
}

type TokenFault = RequestTokenError<
    <BoundedClient as AsyncHttpClient<'static>>::Error,
    openidconnect::StandardErrorResponse<openidconnect::core::CoreErrorResponseType>,
>;

fn no_tokens(error: TokenFault) -> Fault {
    match error {
        RequestTokenError::Request(fault) => Fault::Unavailable(chain(&fault)),
        // Its code alone: what it describes may repeat the code or the secret.
        RequestTokenError::ServerResponse(answer) => refused(answer.error()),
        // What it said is not repeated: a token may be in it.
        RequestTokenError::Parse(..) => refused("its answer holds no tokens that can be read"),
        RequestTokenError::Other(words) => refused(words),
    }
}

fn no_userinfo(error: UserInfoError<HttpFault>) -> Fault {
    match error {
        UserInfoError::Request(fault) => Fault::Unavailable(chain(&fault)),
        UserInfoError::ClaimsVerification(error) => refused(chain(&error)),
        UserInfoError::Response(status, ..) => refused(format!("its userinfo endpoint answered {status}")),
        _ => refused("its userinfo cannot be read"),
    }
}
