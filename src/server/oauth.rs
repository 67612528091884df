//! Tokens for a program that speaks for itself: OAuth 2.0 client credentials (RFC 6749, section 4.4).

use std::{pin::Pin, sync::OnceLock, time::Duration};

use oauth2::{
    AsyncHttpClient, AuthType, ClientId, ClientSecret, HttpRequest, HttpResponse, RequestTokenError, Scope,
    TokenResponse, TokenUrl,
    basic::{BasicClient, BasicErrorResponseType},
};
use reqwest::{Client, StatusCode, Url};
use secrecy::{ExposeSecret, SecretString};

use super::{
    bounded_http::{BoundedClient, HttpFault},
    error::chain,
    outbound::{Fence, Fenced},
};

/// An answer larger than this holds no token: bytes.
const MAX_ANSWER: usize = 64 << 10;

/// Who asks for a token, and where.
#[derive(Clone, Debug)]
pub struct OAuthClient {
    pub token_url: Url,
    pub client_id: String,
    pub client_secret: SecretString,
    /// Separated by spaces; empty for none.
    pub scope: String,
}

/// An access token, as it was given.
pub struct Token {
    pub value: SecretString,
    /// From now on, if that was told.
    pub lifetime: Option<Duration>,
}

/// Why there is no token. No secret stands in it.
#[derive(Debug, thiserror::Error)]
pub enum OAuthFault {
    #[error(transparent)]
    Fenced(#[from] Fenced),
    #[error("the token server could not be asked: {0}")]
    Unreached(String),
    #[error("the token server refused the credentials: {0}")]
    Refused(String),
    /// It is in trouble, or said what is no token.
    #[error("{0}")]
    Answer(String),
}

/// Asks for a token.
///
/// # Errors
/// `OAuthFault`.
pub async fn token(client: &Client, oauth: &OAuthClient, fence: &Fence) -> Result<Token, OAuthFault> {
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
            Ok(Token { value: answer.access_token().secret().clone().into(), lifetime: answer.expires_in() })
        }
        Err(RequestTokenError::ServerResponse(refusal)) => {
            Err(refused(http.status.get().copied().unwrap_or_default(), refusal.error()))
        }
        Err(RequestTokenError::Request(fault)) => Err(match Fenced::within(&fault) {
            Some(fenced) => fenced.clone().into(),
            None => OAuthFault::Unreached(chain(&fault)),
        }),
        // What it said is not repeated: a token may be in it.
        Err(RequestTokenError::Parse(..)) => {
            Err(OAuthFault::Answer("the token server's answer holds no token".into()))
        }
        Err(RequestTokenError::Other(words)) => Err(OAuthFault::Answer(words)),
    }
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

/// What an error comes to that was answered (RFC 6749, section 5.2). A server that is in trouble has not looked at the
/// credentials.
fn refused(status: StatusCode, error: &BasicErrorResponseType) -> OAuthFault {
    let why = match (status.as_u16(), error) {
        (408 | 425 | 429 | 500..=599, _) => None,
        // None of those that the section knows: the status tells more.
        (401 | 403, BasicErrorResponseType::Extension(_)) => Some(status.to_string()),
        (_, BasicErrorResponseType::Extension(_)) => None,
        (_, known) => Some(known.to_string()),
    };
    match why {
        Some(why) => OAuthFault::Refused(why),
        None => OAuthFault::Answer(format!("the token server answered {status}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_in_trouble_has_not_refused_the_credentials() {
        use BasicErrorResponseType::{Extension, InvalidClient, InvalidScope};
        let made_up = |word: &str| Extension(word.to_owned());
        for (status, error, is_refused) in [
            (400, InvalidClient, true),
            (401, InvalidClient, true),
            (400, InvalidScope, true),
            (401, made_up("access_denied"), true),
            (403, made_up("access_denied"), true),
            (400, made_up("temporarily_unavailable"), false),
            (429, made_up("too_many_requests"), false),
            (429, InvalidClient, false),
            (500, made_up("server_error"), false),
            (503, made_up("temporarily_unavailable"), false),
            (503, InvalidClient, false),
        ] {
            let refusal = refused(StatusCode::from_u16(status).expect("a status"), &error);
            assert_eq!(matches!(refusal, OAuthFault::Refused(_)), is_refused, "{status} {error}: {refusal}");
        }
    }
}
