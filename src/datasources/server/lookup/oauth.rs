//! OAuth 2.0 client credentials (RFC 6749, section 4.4): a token per config, kept until it expires.

use std::{
    collections::HashMap,
    pin::Pin,
    sync::{Arc, Mutex, OnceLock, PoisonError},
    time::{Duration, Instant},
};

use oauth2::{
    AsyncHttpClient, AuthType, ClientId, ClientSecret, HttpRequest, HttpResponse, RequestTokenError, Scope,
    TokenResponse, TokenUrl,
    basic::{BasicClient, BasicErrorResponseType},
};
use reqwest::{Client, StatusCode};
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::Mutex as AsyncMutex;

use super::{Cause, LookupError};
use crate::{
    datasources::server::connection::{Connection, OAuthClient},
    server::{
        bounded_http::{BoundedClient, HttpFault},
        error::chain,
        outbound::{Fence, Fenced},
    },
    shared::{ConfigId, TenantId},
};

/// A token is renewed this long before it expires.
const MARGIN: Duration = Duration::from_secs(30);
/// A token is kept for at most this long, whatever is told: the clock does not reach as far as some numbers do.
const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);
/// How long a token is kept whose lifetime is not told.
const UNTOLD: Duration = Duration::from_secs(300);
/// An answer larger than this holds no token: bytes.
const MAX_ANSWER: usize = 64 << 10;

/// The version is the config's: new credentials get a new token.
type Key = (TenantId, ConfigId, i64);
type Slot = Arc<AsyncMutex<Option<Token>>>;

/// The tokens at hand, in memory only.
#[derive(Default)]
pub struct Tokens(Mutex<HashMap<Key, Slot>>);

struct Token {
    value: SecretString,
    expires: Instant,
}

impl Tokens {
    /// The config's token; one request at a time gets a new one, and the others wait for it.
    ///
    /// # Errors
    /// Permanent where the credentials are refused, transient where the server cannot be asked.
    pub async fn get(
        &self,
        client: &Client,
        connection: &Connection,
        oauth: &OAuthClient,
        fence: &Fence,
    ) -> Result<String, LookupError> {
        let slot = Arc::clone(self.lock().entry(key(connection)).or_default());
        let mut slot = slot.lock().await;
        if let Some(token) = slot.as_ref().filter(|token| token.expires > Instant::now()) {
            return Ok(token.value.expose_secret().to_owned());
        }
        *slot = None;
        let token = request(client, oauth, fence).await?;
        let value = token.value.expose_secret().to_owned();
        *slot = Some(token);
        Ok(value)
    }

    pub fn forget(&self, connection: &Connection) {
        self.lock().remove(&key(connection));
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<Key, Slot>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn key(connection: &Connection) -> Key {
    (connection.tenant.clone(), connection.config_id, connection.version)
}

/// Notes the status of the answer: of an error that was answered, the library gives the words alone.
struct Noting {
    client: BoundedClient,
    status: OnceLock<StatusCode>,
}

impl<'c> AsyncHttpClient<'c> for Noting {
    type Error = HttpFault;
    type Future = Pin<Box<dyn Future<Output = Result<HttpResponse, HttpFault>> + Send + 'c>>;

    fn call(&'c self, request: HttpRequest) -> Self::Future {
        Box::pin(async move {
            let answer = self.client.call(request).await?;
            let _ = self.status.set(answer.status());
            Ok(answer)
        })
    }
}

async fn request(client: &Client, oauth: &OAuthClient, fence: &Fence) -> Result<Token, LookupError> {
    fence.check_literal(&oauth.token_url)?;
    let token_url = TokenUrl::from_url(oauth.token_url.clone());
    let basic = BasicClient::new(ClientId::new(oauth.client_id.clone()))
        .set_client_secret(ClientSecret::new(oauth.client_secret.expose_secret().to_owned()))
        .set_auth_type(AuthType::BasicAuth)
        .set_token_uri(token_url);
    let scopes = oauth.scope.split_whitespace().map(|scope| Scope::new(scope.to_owned()));
    let http = Noting { client: BoundedClient::new(client.clone(), MAX_ANSWER), status: OnceLock::new() };
    let answer = basic.exchange_client_credentials().add_scopes(scopes).request_async(&http).await;
    match answer {
        Ok(answer) => {
            let lifetime = answer.expires_in().unwrap_or(UNTOLD).min(LONGEST);
            Ok(Token {
                value: answer.access_token().secret().clone().into(),
                expires: Instant::now() + lifetime.saturating_sub(MARGIN),
            })
        }
        Err(RequestTokenError::ServerResponse(refusal)) => {
            Err(refused(http.status.get().copied().unwrap_or_default(), refusal.error()))
        }
        Err(RequestTokenError::Request(fault)) => Err(match Fenced::within(&fault) {
            Some(fenced) => fenced.clone().into(),
            None => LookupError::new(
                Cause::Broken,
                format!("the token server could not be asked: {}", chain(&fault)),
            ),
        }),
        // What it said is not repeated: a token may be in it.
        Err(RequestTokenError::Parse(..)) => {
            Err(LookupError::new(Cause::Answer, "the token server's answer holds no token"))
        }
        Err(RequestTokenError::Other(words)) => Err(LookupError::new(Cause::Answer, words)),
    }
}

/// What an error comes to that was answered (RFC 6749, section 5.2). A server that is in trouble has not looked at the
/// credentials.
fn refused(status: StatusCode, error: &BasicErrorResponseType) -> LookupError {
    let why = match (status.as_u16(), error) {
        (408 | 425 | 429 | 500..=599, _) => None,
        // None of those that the section knows: the status tells more.
        (401 | 403, BasicErrorResponseType::Extension(_)) => Some(status.to_string()),
        (_, BasicErrorResponseType::Extension(_)) => None,
        (_, known) => Some(known.to_string()),
    };
    match why {
        Some(why) => {
            LookupError::new(Cause::Credentials, format!("the token server refused the credentials: {why}"))
        }
        None => LookupError::new(Cause::Answer, format!("the token server answered {status}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_in_trouble_has_not_refused_the_credentials() {
        use BasicErrorResponseType::{Extension, InvalidClient, InvalidScope};
        let made_up = |word: &str| Extension(word.to_owned());
        for (status, error, cause) in [
            (400, InvalidClient, Cause::Credentials),
            (401, InvalidClient, Cause::Credentials),
            (400, InvalidScope, Cause::Credentials),
            (401, made_up("access_denied"), Cause::Credentials),
            (403, made_up("access_denied"), Cause::Credentials),
            (400, made_up("temporarily_unavailable"), Cause::Answer),
            (429, made_up("too_many_requests"), Cause::Answer),
            (429, InvalidClient, Cause::Answer),
            (500, made_up("server_error"), Cause::Answer),
            (503, made_up("temporarily_unavailable"), Cause::Answer),
            (503, InvalidClient, Cause::Answer),
        ] {
            let refusal = refused(StatusCode::from_u16(status).expect("a status"), &error);
            assert_eq!(refusal.cause, cause, "{status} {error}: {refusal}");
            assert_eq!(refusal.transient(), cause == Cause::Answer);
        }
    }
}
