//! A circuit breaker: what keeps failing is left alone for a while, so that it can come back, and so that work does
//! not wait for what will not answer.

use std::{
    collections::HashMap,
    hash::Hash,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

/// Failures in a row that open it.
const FAILURES: u32 = 5;
/// How long it stays open the first time; doubled each time that the probe fails too.
const PAUSE: Duration = Duration::from_secs(5);
const LONGEST_PAUSE: Duration = Duration::from_secs(300);

/// The breakers of this server, one a key. Other servers find out for themselves.
pub struct Breakers<K>(Mutex<HashMap<K, Breaker>>);

#[derive(Default)]
struct Breaker {
    failures: u32,
    /// Closed, if not set. After it, one probes; the others wait for what comes of it.
    open_until: Option<Instant>,
    probing: bool,
}

/// An open breaker: nothing is to be tried before `left` is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Open {
    pub failures: u32,
    pub left: Duration,
}

/// Leave to try. Dropped without an answer, it counts as neither.
pub struct Pass<'b, K: Eq + Hash> {
    breakers: &'b Breakers<K>,
    key: K,
    is_probe: bool,
}

impl<K> Default for Breakers<K> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<K: Eq + Hash + Clone> Breakers<K> {
    /// # Errors
    /// While the key's breaker is open.
    pub fn enter(&self, key: K) -> Result<Pass<'_, K>, Open> {
        let mut breakers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut is_probe = false;
        if let Some(breaker) = breakers.get_mut(&key)
            && let Some(until) = breaker.open_until
        {
            let left = until.saturating_duration_since(Instant::now());
            if breaker.probing || !left.is_zero() {
                return Err(Open { failures: breaker.failures, left: left.max(Duration::from_secs(1)) });
            }
            breaker.probing = true;
            is_probe = true;
        }
        Ok(Pass { breakers: self, key, is_probe })
    }

    /// Leave to try though the breaker may be open. Where it fails, an open one stays as it is.
    pub fn enter_anyway(&self, key: K) -> Pass<'_, K> {
        Pass { breakers: self, key, is_probe: false }
    }
}

impl<K: Eq + Hash> Breakers<K> {
    /// As if nothing had been tried.
    pub fn forget(&self, key: &K) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(key);
    }
}

impl<K: Eq + Hash + Clone> Pass<'_, K> {
    /// Says what came of it. Only what trying again may mend is a failure: a refusal is an answer of what works.
    pub fn leave(self, failed: bool) {
        let mut breakers = self.breakers.0.lock().unwrap_or_else(PoisonError::into_inner);
        if !failed {
            breakers.remove(&self.key);
            return;
        }
        let breaker = breakers.entry(self.key.clone()).or_default();
        // Those that were under way when it opened say nothing new.
        if breaker.open_until.is_some() && !self.is_probe {
            return;
        }
        breaker.failures = breaker.failures.saturating_add(1);
        if breaker.failures >= FAILURES {
            let doublings = (breaker.failures - FAILURES).min(10);
            breaker.open_until = Some(Instant::now() + (PAUSE * (1 << doublings)).min(LONGEST_PAUSE));
        }
    }
}

impl<K: Eq + Hash> Drop for Pass<'_, K> {
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

    fn fail(breakers: &Breakers<u8>, times: u32) {
        for _ in 0..times {
            breakers.enter(1).expect("closed").leave(true);
        }
    }

    #[test]
    fn it_opens_after_failures_in_a_row_and_for_that_key_alone() {
        let breakers = Breakers::default();
        fail(&breakers, FAILURES - 1);
        breakers.enter(1).expect("closed").leave(false);
        fail(&breakers, FAILURES);
        let open = breakers.enter(1).err().expect("open");
        assert_eq!(open.failures, FAILURES);
        assert!(open.left <= PAUSE && open.left > PAUSE / 2, "{open:?}");
        assert!(breakers.enter(2).is_ok());
    }

    #[test]
    fn what_was_under_way_when_it_opened_does_not_lengthen_the_pause() {
        let breakers = Breakers::default();
        let under_way: Vec<_> = (0..20).map(|_| breakers.enter(1).expect("closed")).collect();
        under_way.into_iter().for_each(|pass| pass.leave(true));
        let open = breakers.enter(1).err().expect("open");
        assert!(open.failures == FAILURES && open.left <= PAUSE, "{open:?}");
    }

    #[test]
    fn one_probe_at_a_time_decides() {
        let breakers = Breakers::default();
        fail(&breakers, FAILURES);
        let long_ago = Instant::now();
        for breaker in breakers.0.lock().expect("lock").values_mut() {
            breaker.open_until = Some(long_ago);
        }
        let probe = breakers.enter(1).expect("half open");
        assert!(breakers.enter(1).is_err(), "a second one waits");
        drop(probe);
        let probe = breakers.enter(1).expect("a probe that was called off frees its place");
        probe.leave(false);
        assert!(breakers.enter(1).is_ok() && breakers.enter(1).is_ok(), "closed");
    }
}
