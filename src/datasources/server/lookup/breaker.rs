//! The breaker before each config.

use super::{Cause, LookupError};
use crate::{
    datasources::server::connection::Connection,
    server::breaker::{self, Pass},
    shared::{ConfigId, TenantId},
};

/// The version is the config's: a changed config starts afresh.
pub type Key = (TenantId, ConfigId, i64);

#[derive(Default)]
pub struct Breakers(breaker::Breakers<Key>);

impl Breakers {
    /// # Errors
    /// Transient, while the config's breaker is open.
    pub fn enter(&self, connection: &Connection) -> Result<Pass<'_, Key>, LookupError> {
        let key = (connection.tenant.clone(), connection.config_id, connection.version);
        self.0.enter(key).map_err(|open| {
            let (failures, left) = (open.failures, open.left.as_secs());
            LookupError::new(
                Cause::Paused,
                format!("it was not asked, since it failed {failures} times in a row; it is tried again in {left} s"),
            )
        })
    }

    /// As if it had never been asked.
    pub fn forget(&self, connection: &Connection) {
        let key = (connection.tenant.clone(), connection.config_id, connection.version);
        self.0.forget(&key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::datasources::server::connection::{Auth, Endpoint};

    #[test]
    fn a_changed_config_starts_afresh() {
        let connection = |version| Connection {
            tenant: "acme".parse().expect("id"),
            config_id: ConfigId(1),
            version,
            endpoint: Endpoint::Sqlite { path: "a".into() },
            auth: Auth::None,
        };
        let breakers = Breakers::default();
        for _ in 0..5 {
            breakers.enter(&connection(1)).expect("closed").leave(true);
        }
        let refused = breakers.enter(&connection(1)).err().expect("open");
        assert!(refused.transient() && refused.message.contains("5 times in a row"), "{refused}");
        assert!(breakers.enter(&connection(2)).is_ok());
    }
}
