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
    /// Transient, while the config's breaker is open. Its words stay with the messages that were not asked of because of it,
    /// so they hold for good: what the datasource said when it was asked, and not how long it is left alone still.
    pub fn enter(&self, connection: &Connection) -> Result<Pass<'_, Key>, LookupError> {
        let key = (connection.tenant.clone(), connection.config_id, connection.version);
        self.0.enter(key).map_err(|open| {
            let (failures, fault) = (open.failures, open.fault);
            let words =
                format!("it failed {failures} times in a row and was left alone for a while; last: {fault}");
            LookupError::new(Cause::Paused, words)
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
            breakers.enter(&connection(1)).expect("closed").leave(Some("the API answered 503"));
        }
        let refused = breakers.enter(&connection(1)).err().expect("open");
        assert!(refused.transient(), "{refused}");
        // No time: who reads it later would wait for nothing.
        let words = "it failed 5 times in a row and was left alone for a while; last: the API answered 503";
        assert_eq!(refused.message, words);
        assert!(breakers.enter(&connection(2)).is_ok());
    }
}
