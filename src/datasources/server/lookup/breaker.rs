//! The breaker before each config.

use super::{Cause, LookupError};
use crate::{
    datasources::server::connection::Connection,
    server::breaker::{self, Pass},
    shared::{ConfigId, TenantId},
};

/// The version is the config's: a changed config starts afresh.
pub type Key = (TenantId, ConfigId, i64);

/// Who asks a datasource.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asker {
    /// Mail that is decided, and whatever else goes by what was stored.
    Mail,
    /// A dry run. What it asks for may be wrong by itself, and keeps no mail waiting.
    DryRun,
    /// A backtest, of a draft as well. It asks so often that what fails is left alone, but by backtests only.
    Backtest,
    /// A person who tests a datasource, and may have mended it a moment ago. As `DryRun`, and one at a time need not wait.
    Person,
}

#[derive(Default)]
pub struct Breakers {
    mail: breaker::Breakers<Key>,
    backtests: breaker::Breakers<Key>,
}

impl Breakers {
    /// # Errors
    /// Transient, while the config's breaker is open. Its words stay with the messages that were not asked of because of it,
    /// so they hold for good: what the datasource said when it was asked, and not how long it is left alone still.
    pub fn enter(&self, connection: &Connection, asker: Asker) -> Result<Pass<'_, Key>, LookupError> {
        let key = (connection.tenant.clone(), connection.config_id, connection.version);
        let pass = match asker {
            Asker::Mail => self.mail.enter(key),
            Asker::DryRun => self.mail.enter_on_trial(key),
            Asker::Backtest => self.backtests.enter(key),
            Asker::Person => self.mail.probe(key),
        };
        pass.map_err(|open| {
            let (failures, fault) = (open.failures, open.fault);
            let words =
                format!("it failed {failures} times in a row and was left alone for a while; last: {fault}");
            LookupError::new(Cause::Paused, words)
        })
    }

    /// As if it had never been asked.
    pub fn forget(&self, connection: &Connection) {
        let key = (connection.tenant.clone(), connection.config_id, connection.version);
        self.mail.forget(&key);
        self.backtests.forget(&key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::datasources::server::connection::{Auth, Endpoint};

    fn connection(version: i64) -> Connection {
        Connection {
            tenant: "acme".parse().expect("id"),
            config_id: ConfigId(1),
            version,
            endpoint: Endpoint::Sqlite { path: "a".into() },
            auth: Auth::None,
        }
    }

    #[test]
    fn backtests_are_kept_from_asking_by_their_own_failures_and_nobody_else_is() {
        let breakers = Breakers::default();
        for _ in 0..5 {
            breakers.enter(&connection(1), Asker::Backtest).expect("closed").leave(Some("a path of its own"));
        }
        assert!(breakers.enter(&connection(1), Asker::Backtest).is_err(), "it is left alone");
        for asker in [Asker::Mail, Asker::DryRun, Asker::Person] {
            assert!(breakers.enter(&connection(1), asker).is_ok(), "{asker:?}");
        }
        breakers.forget(&connection(1));
        assert!(breakers.enter(&connection(1), Asker::Backtest).is_ok());
    }

    #[test]
    fn a_changed_config_starts_afresh() {
        let breakers = Breakers::default();
        for _ in 0..5 {
            breakers.enter(&connection(1), Asker::Mail).expect("closed").leave(Some("the API answered 503"));
        }
        let refused = breakers.enter(&connection(1), Asker::Mail).err().expect("open");
        assert!(refused.transient(), "{refused}");
        // No time: who reads it later would wait for nothing.
        let words = "it failed 5 times in a row and was left alone for a while; last: the API answered 503";
        assert_eq!(refused.message, words);
        assert!(breakers.enter(&connection(2), Asker::Mail).is_ok());
    }
}
