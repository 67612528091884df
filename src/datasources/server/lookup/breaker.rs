//! A circuit breaker per config: a datasource that keeps failing is left alone for a while, so that it can come
//! back, and so that messages do not wait for what will not answer.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use super::{Cause, LookupError};
use crate::{
    datasources::server::connection::Connection,
    shared::{ConfigId, TenantId},
};

/// Failures in a row that open it.
const FAILURES: u32 = 5;
/// How long it stays open the first time; doubled each time that the probe fails too.
const PAUSE: Duration = Duration::from_secs(5);
const LONGEST_PAUSE: Duration = Duration::from_secs(300);

/// The version is the config's: a changed config starts afresh.
type Key = (TenantId, ConfigId, i64);

/// The breakers of this server. Others find out for themselves.
#[derive(Default)]
pub struct Breakers(Mutex<HashMap<Key, Breaker>>);

#[derive(Default)]
struct Breaker {
    failures: u32,
    /// Closed, if not set. After it, one look-up probes; the others wait for what comes of it.
    open_until: Option<Instant>,
    probing: bool,
}

/// Leave to ask. Dropped without an answer, it counts as neither.
pub struct Pass<'b> {
    breakers: &'b Breakers,
    key: Key,
    is_probe: bool,
}

impl Breakers {
    /// # Errors
    /// Transient, while the config's breaker is open.
    pub fn enter(&self, connection: &Connection) -> Result<Pass<'_>, LookupError> {
        let key = (connection.tenant.clone(), connection.config_id, connection.version);
        let mut breakers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut is_probe = false;
        if let Some(breaker) = breakers.get_mut(&key)
            && let Some(until) = breaker.open_until
        {
            let left = until.saturating_duration_since(Instant::now());
            if breaker.probing || !left.is_zero() {
                return Err(LookupError::new(
                    Cause::Paused,
                    format!(
                        "it was not asked, since it failed {} times in a row; it is tried again in {} s",
                        breaker.failures,
                        left.as_secs().max(1)
                    ),
                ));
            }
            breaker.probing = true;
            is_probe = true;
        }
        Ok(Pass { breakers: self, key, is_probe })
    }
}

impl Pass<'_> {
    /// Only what trying again may mend counts: a query that is refused is an answer of a datasource that works.
    pub fn leave(self, error: Option<&LookupError>) {
        let mut breakers = self.breakers.0.lock().unwrap_or_else(PoisonError::into_inner);
        if error.is_some_and(LookupError::transient) {
            let breaker = breakers.entry(self.key.clone()).or_default();
            breaker.failures = breaker.failures.saturating_add(1);
            if breaker.failures >= FAILURES {
                let doublings = (breaker.failures - FAILURES).min(10);
                breaker.open_until = Some(Instant::now() + (PAUSE * (1 << doublings)).min(LONGEST_PAUSE));
            }
        } else {
            breakers.remove(&self.key);
        }
    }
}

impl Drop for Pass<'_> {
    fn drop(&mut self) {
        if self.is_probe {
            let mut breakers = self.breakers.0.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(breaker) = breakers.get_mut(&self.key) {
                breaker.probing = false;
            }
        }
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
    fn it_opens_after_failures_in_a_row_and_for_that_config_alone() {
        let breakers = Breakers::default();
        let fault = LookupError::new(Cause::Broken, "down");
        let fail = |times| {
            for _ in 0..times {
                breakers.enter(&connection(1)).expect("closed").leave(Some(&fault));
            }
        };
        fail(FAILURES - 1);
        breakers.enter(&connection(1)).expect("closed").leave(None);
        fail(FAILURES - 1);
        breakers
            .enter(&connection(1))
            .expect("closed")
            .leave(Some(&LookupError::new(Cause::Refused, "no such table")));
        fail(FAILURES);
        let refused = breakers.enter(&connection(1)).err().expect("open");
        assert!(refused.cause == Cause::Paused && refused.message.contains("5 times in a row"), "{refused}");
        assert!(breakers.enter(&connection(2)).is_ok(), "a changed config starts afresh");
    }

    #[test]
    fn one_probe_at_a_time_decides() {
        let breakers = Breakers::default();
        let fault = LookupError::new(Cause::Broken, "down");
        for _ in 0..FAILURES {
            breakers.enter(&connection(1)).expect("closed").leave(Some(&fault));
        }
        let long_ago = Instant::now();
        for breaker in breakers.0.lock().expect("lock").values_mut() {
            breaker.open_until = Some(long_ago);
        }
        let probe = breakers.enter(&connection(1)).expect("half open");
        assert!(breakers.enter(&connection(1)).is_err(), "a second one waits");
        drop(probe);
        let probe = breakers.enter(&connection(1)).expect("a probe that was called off frees its place");
        probe.leave(None);
        assert!(breakers.enter(&connection(1)).is_ok() && breakers.enter(&connection(1)).is_ok(), "closed");
    }
}
