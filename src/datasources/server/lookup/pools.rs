//! A pool of connections per config, opened at first use, made anew when the config changes.

use std::{
    collections::HashMap,
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
};

use sqlx::{Database, Pool, pool::PoolConnection};

use super::{Cause, LookupError};
use crate::{
    datasources::server::connection::{Connection, DatabaseEndpoint},
    server::outbound::Fence,
    shared::{ConfigId, TenantId},
};

/// A pool with the version of the config that it was made for, by config.
type ByConfig<DB> = HashMap<(TenantId, ConfigId), (i64, Pool<DB>)>;
/// By config, its version, and the text.
type ByText<T> = HashMap<(TenantId, ConfigId, i64, String), Arc<T>>;

/// The pools of one kind of database.
pub struct Pools<DB: Database> {
    pools: Mutex<ByConfig<DB>>,
}

impl<DB: Database> Default for Pools<DB> {
    fn default() -> Self {
        Self { pools: Mutex::default() }
    }
}

impl<DB: Database> Pools<DB> {
    /// The config's pool. `open` gets the checked address, not the name: what that resolves to later does not
    /// matter.
    ///
    /// # Errors
    /// The fence's.
    pub async fn get(
        &self,
        connection: &Connection,
        endpoint: &DatabaseEndpoint,
        fence: &Fence,
        open: impl FnOnce(SocketAddr) -> Pool<DB>,
    ) -> Result<Pool<DB>, LookupError> {
        let key = (connection.tenant.clone(), connection.config_id);
        if let Some((version, pool)) = self.lock().get(&key)
            && *version == connection.version
        {
            return Ok(pool.clone());
        }
        let addresses = fence.resolve(&endpoint.host, endpoint.port).await?;
        let address =
            *addresses.first().ok_or_else(|| LookupError::new(Cause::Name, "the host has no address"))?;
        let pool = open(address);
        self.lock().insert(key, (connection.version, pool.clone()));
        Ok(pool)
    }

    /// Closes the config's pool.
    pub fn forget(&self, connection: &Connection) {
        self.lock().remove(&(connection.tenant.clone(), connection.config_id));
    }

    /// Forgets a pool that gives no connections: its host's name may lead elsewhere by now.
    pub fn failed(&self, connection: &Connection, error: LookupError) -> LookupError {
        self.forget(connection);
        error
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, ByConfig<DB>> {
        self.pools.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A connection whose look-up broke off is thrown away: nobody knows its state.
pub struct Lease<DB: Database>(Option<PoolConnection<DB>>);

impl<DB: Database> Lease<DB> {
    pub fn new(connection: PoolConnection<DB>) -> Self {
        Self(Some(connection))
    }

    /// # Panics
    /// Never: a lease has its connection until it is given back.
    #[expect(clippy::expect_used, reason = "give_back takes the lease")]
    pub fn conn(&mut self) -> &mut DB::Connection {
        self.0.as_mut().expect("a lease has its connection")
    }

    /// All went well: back into the pool.
    pub fn give_back(mut self) {
        drop(self.0.take());
    }
}

impl<DB: Database> Drop for Lease<DB> {
    fn drop(&mut self) {
        if let Some(connection) = self.0.take() {
            drop(connection.detach());
        }
    }
}

/// The statements that were prepared before, by their text as it was written.
pub struct Statements<T>(Mutex<ByText<T>>);

impl<T> Default for Statements<T> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<T> Statements<T> {
    const MOST: usize = 5_000;

    pub fn get(&self, connection: &Connection, query: &str) -> Option<Arc<T>> {
        self.lock().get(&Self::key(connection, query)).cloned()
    }

    pub fn keep(&self, connection: &Connection, query: &str, prepared: T) -> Arc<T> {
        let prepared = Arc::new(prepared);
        let mut statements = self.lock();
        if statements.len() >= Self::MOST {
            statements.clear();
        }
        statements.insert(Self::key(connection, query), Arc::clone(&prepared));
        prepared
    }

    fn key(connection: &Connection, query: &str) -> (TenantId, ConfigId, i64, String) {
        (connection.tenant.clone(), connection.config_id, connection.version, query.to_owned())
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, ByText<T>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
