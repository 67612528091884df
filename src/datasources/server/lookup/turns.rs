//! Turns: how many look-ups run at once. A tenant has so many, and each of its configs fewer, so that one that
//! stalls leaves room for the others.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{Instant, timeout_at},
};

use super::{Cause, LookupError};
use crate::{
    datasources::server::connection::Connection,
    shared::{ConfigId, TenantId},
};

/// A tenant's gate, or one of its configs'.
type Key = (TenantId, Option<ConfigId>);

/// The gates of this server.
pub struct Turns {
    per_tenant: usize,
    per_config: usize,
    gates: Mutex<HashMap<Key, Arc<Semaphore>>>,
}

/// Leave to run one look-up, until it is dropped.
pub struct Turn {
    _config: OwnedSemaphorePermit,
    _tenant: OwnedSemaphorePermit,
}

impl Turns {
    pub fn new(per_tenant: usize, per_config: usize) -> Self {
        Self { per_tenant, per_config, gates: Mutex::default() }
    }

    /// Waits for a turn. The config's comes first: who waits for that takes none of the tenant's.
    ///
    /// # Errors
    /// `Cause::Busy`, when patience ends.
    pub async fn take(&self, connection: &Connection, patience: Duration) -> Result<Turn, LookupError> {
        let end = Instant::now() + patience;
        let config = self.gate(&connection.tenant, Some(connection.config_id), self.per_config);
        let tenant = self.gate(&connection.tenant, None, self.per_tenant);
        let permits = async {
            let config = config.acquire_owned().await.ok()?;
            Some(Turn { _config: config, _tenant: tenant.acquire_owned().await.ok()? })
        };
        match timeout_at(end, permits).await {
            Ok(Some(turn)) => Ok(turn),
            Ok(None) | Err(_) => Err(LookupError::new(
                Cause::Busy,
                format!("it was not asked, since others had their turn for {} ms", patience.as_millis()),
            )),
        }
    }

    /// Drops the config's gate, unless somebody is behind it or waits for it: there would be room for more than there
    /// should be.
    pub fn forget(&self, connection: &Connection) {
        let key = (connection.tenant.clone(), Some(connection.config_id));
        let mut gates = self.gates.lock().unwrap_or_else(PoisonError::into_inner);
        if gates.get(&key).is_some_and(|gate| Arc::strong_count(gate) == 1) {
            gates.remove(&key);
        }
    }

    fn gate(&self, tenant: &TenantId, config: Option<ConfigId>, room: usize) -> Arc<Semaphore> {
        let mut gates = self.gates.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(gates.entry((tenant.clone(), config)).or_insert_with(|| Arc::new(Semaphore::new(room))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::datasources::server::connection::{Auth, Endpoint};

    fn connection(tenant: &str, config: i64) -> Connection {
        Connection {
            tenant: tenant.parse().expect("id"),
            config_id: ConfigId(config),
            version: 1,
            endpoint: Endpoint::Sqlite { path: "a".into() },
            auth: Auth::None,
        }
    }

    #[tokio::test]
    async fn a_config_and_a_tenant_have_so_many_turns_and_no_more() {
        let turns = Turns::new(3, 2);
        let take = async |tenant, config| {
            turns.take(&connection(tenant, config), Duration::from_millis(20)).await.map_err(|e| e.cause)
        };
        let first = take("acme", 1).await.expect("the config's first");
        let _second = take("acme", 1).await.expect("the config's second");
        assert_eq!(take("acme", 1).await.err(), Some(Cause::Busy), "two at once per config");
        let third = take("acme", 2).await.expect("the tenant's third: who waits for a config takes none");
        assert_eq!(take("acme", 2).await.err(), Some(Cause::Busy), "three at once per tenant");
        assert!(take("globex", 1).await.is_ok(), "another tenant has its own");
        drop(third);
        drop(first);
        assert!(take("acme", 1).await.is_ok(), "a turn that ends is another's");
    }

    #[tokio::test]
    async fn a_gate_is_forgotten_once_nobody_needs_it() {
        let turns = Turns::new(3, 1);
        let (one, patience) = (connection("acme", 1), Duration::from_millis(20));
        let turn = turns.take(&one, patience).await.expect("a turn");
        turns.forget(&one);
        assert!(turns.take(&one, patience).await.is_err(), "the one that is taken still counts");
        drop(turn);
        turns.forget(&one);
        assert!(!turns.gates.lock().expect("gates").contains_key(&(one.tenant.clone(), Some(ConfigId(1)))));
        assert!(turns.take(&one, patience).await.is_ok());
    }
}
