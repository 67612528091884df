//! A pool of connections per config, opened at first use, made anew when the config changes.

use std::{
    collections::HashMap,
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use sqlx::{Database, Pool, pool::PoolConnection};
use tokio::{net::TcpStream, time::timeout};

use super::{Cause, Limits, LookupError};
use crate::{
    datasources::server::connection::{Connection, DatabaseEndpoint},
    server::outbound::Fence,
    shared::{ConfigId, TenantId},
};

/// A pool with the version of the config that it was made for, by config.
type ByConfig<DB> = HashMap<(TenantId, ConfigId), (i64, Pool<DB>)>;
/// By config, its version, and the text; with when it was kept.
type ByText<T> = HashMap<(TenantId, ConfigId, i64, String), (Instant, Arc<T>)>;

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
    /// The config's pool. `open` gets a checked address, not the name: what that resolves to later does not
    /// matter.
    ///
    /// # Errors
    /// The fence's.
    pub async fn get(
        &self,
        connection: &Connection,
        endpoint: &DatabaseEndpoint,
        fence: &Fence,
        limits: &Limits,
        open: impl FnOnce(SocketAddr) -> Pool<DB>,
    ) -> Result<Pool<DB>, LookupError> {
        let key = (connection.tenant.clone(), connection.config_id);
        if let Some((version, pool)) = self.lock().get(&key)
            && *version == connection.version
        {
            return Ok(pool.clone());
        }
        let addresses = fence.resolve(&endpoint.host, endpoint.port).await?;
        let address = answering(&addresses, limits.connect_timeout)
            .await
            .ok_or_else(|| LookupError::new(Cause::Name, "the host has no address"))?;
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

/// The first address where something listens: a host may have several (`localhost` is `::1` and 127.0.0.1), and the
/// server listen on one. The last is not tried, since none is left to take in its place.
#[expect(clippy::disallowed_methods, reason = "the fence has resolved the addresses")]
async fn answering(addresses: &[SocketAddr], patience: Duration) -> Option<SocketAddr> {
    let (last, others) = addresses.split_last()?;
    let share = patience / u32::try_from(addresses.len()).unwrap_or(u32::MAX);
    for address in others {
        if let Ok(Ok(_)) = timeout(share, TcpStream::connect(address)).await {
            return Some(*address);
        }
    }
    Some(*last)
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

/// The statements that were prepared a moment ago, by their text as it was written.
pub struct Statements<T>(Mutex<ByText<T>>);

impl<T> Default for Statements<T> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<T> Statements<T> {
    const MOST: usize = 5_000;
    /// The tables that a statement was prepared on change without a word.
    const LIFETIME: Duration = Duration::from_secs(60);

    pub fn get(&self, connection: &Connection, query: &str) -> Option<Arc<T>> {
        let statements = self.lock();
        let (kept, prepared) = statements.get(&Self::key(connection, query))?;
        (kept.elapsed() < Self::LIFETIME).then(|| Arc::clone(prepared))
    }

    pub fn forget(&self, connection: &Connection, query: &str) {
        self.lock().remove(&Self::key(connection, query));
    }

    pub fn keep(&self, connection: &Connection, query: &str, prepared: T) -> Arc<T> {
        let prepared = Arc::new(prepared);
        let mut statements = self.lock();
        if statements.len() >= Self::MOST {
            statements.clear();
        }
        statements.insert(Self::key(connection, query), (Instant::now(), Arc::clone(&prepared)));
        prepared
    }

    fn key(connection: &Connection, query: &str) -> (TenantId, ConfigId, i64, String) {
        (connection.tenant.clone(), connection.config_id, connection.version, query.to_owned())
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, ByText<T>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    #[tokio::test]
    async fn the_address_that_answers_is_taken() {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let open = listener.local_addr().expect("address");
        // Of another address, the same port is closed.
        let closed = SocketAddr::from(([127, 0, 0, 2], open.port()));
        let patience = Duration::from_secs(2);
        for addresses in [vec![open], vec![open, closed], vec![closed, open], vec![closed, closed, open]] {
            assert_eq!(answering(&addresses, patience).await, Some(open), "{addresses:?}");
        }
        assert_eq!(answering(&[closed; 2], patience).await, Some(closed), "which then refuses in words");
        assert_eq!(answering(&[], patience).await, None);
    }
}
