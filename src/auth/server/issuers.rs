//! The issuers that this installation believes, and the way to them.
//!
//! Their addresses are the installation's own settings and not a tenant's, so that no fence stands around them; time
//! and size are bounded all the same, and a redirect is not followed.

use std::time::Duration;

use reqwest::redirect::Policy;
use url::Url;

use super::{jwt::TokenIssuer, oidc_provider::Provider};
use crate::server::{bounded_http::BoundedClient, config::IdentityConfig};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
const TIMEOUT: Duration = Duration::from_secs(10);
/// Discovery documents and key sets of large providers have some 20 kB.
const MAX_ANSWER: usize = 256 << 10;

/// Each is there where it is configured.
pub struct Issuers {
    /// Whom people sign in with.
    pub provider: Option<Provider>,
    /// Whose tokens programs may bring.
    pub tokens: Option<TokenIssuer>,
}

/// The one client for issuers; the reason, where this machine cannot make one.
pub type IssuerClient = Result<BoundedClient, String>;

impl Issuers {
    pub fn new(config: &IdentityConfig) -> Self {
        let http = client();
        Self {
            provider: config
                .oidc
                .clone()
                .map(|oidc| Provider::new(oidc, http.clone(), config.retry, config.refresh)),
            tokens: config.jwt.clone().map(|jwt| TokenIssuer::new(jwt, http, config.retry, config.refresh)),
        }
    }
}

fn client() -> IssuerClient {
    #[expect(clippy::disallowed_methods, reason = "the administrator's own provider, which may stand within")]
    let client = reqwest::Client::builder()
        .redirect(Policy::none())
        .no_proxy()
        .connect_timeout(CONNECT_TIMEOUT)
        .timeout(TIMEOUT)
        .user_agent(concat!("FlowEngine/", env!("CARGO_PKG_VERSION")))
        .build()
        .map_err(|error| error.to_string())?;
    Ok(BoundedClient::new(client, MAX_ANSWER))
}

/// Whether an endpoint that an issuer's discovery document names may be asked: over TLS, unless the issuer itself
/// is tried out without.
pub fn is_as_safe_as(issuer: &str, endpoint: &Url) -> bool {
    endpoint.scheme() == "https" || endpoint.scheme() == "http" && issuer.starts_with("http://")
}
