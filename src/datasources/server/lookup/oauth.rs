//! The tokens of API look-ups: one per config, kept until it expires.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use reqwest::Client;
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::Mutex as AsyncMutex;

use super::{Cause, LookupError};
use crate::{
    datasources::server::connection::Connection,
    server::{
        oauth::{self, OAuthClient, OAuthFault},
        outbound::Fence,
    },
    shared::{ConfigId, TenantId},
};

/// A token is renewed this long before it expires.
const MARGIN: Duration = Duration::from_secs(30);
/// A token is kept for at most this long, whatever is told: the clock does not reach as far as some numbers do.
const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);
/// How long a token is kept whose lifetime is not told.
const UNTOLD: Duration = Duration::from_secs(300);

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
        let token = oauth::token(client, oauth, fence).await?;
        let value = token.value.expose_secret().to_owned();
        let lifetime = token.lifetime.unwrap_or(UNTOLD).min(LONGEST);
        *slot = Some(Token { value: token.value, expires: Instant::now() + lifetime.saturating_sub(MARGIN) });
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

impl From<OAuthFault> for LookupError {
    fn from(fault: OAuthFault) -> Self {
        let cause = match fault {
            OAuthFault::Fenced(fenced) => return fenced.into(),
            OAuthFault::Unreached(_) => Cause::Broken,
            OAuthFault::Refused(_) => Cause::Credentials,
            OAuthFault::Answer(_) => Cause::Answer,
        };
        Self::new(cause, fault.to_string())
    }
}
