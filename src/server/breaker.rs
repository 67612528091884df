//! A circuit breaker: what keeps failing is left alone for a while, so that it can come back, and so that work does
//! not wait for what will not answer.

use std::{
    collections::HashMap,
    fmt::Debug,
    hash::Hash,
    sync::{Arc, Mutex, PoisonError, Weak},
    time::{Duration, Instant},
};

use super::text::shorten;

/// Failures in a row that open it.
const FAILURES: u32 = 5;
/// How long it stays open the first time; doubled each time that the probe fails too.
const PAUSE: Duration = Duration::from_secs(5);
const LONGEST_PAUSE: Duration = Duration::from_secs(300);
/// What is kept of a failure's words, in characters.
const MAX_FAULT: usize = 300;

/// The breakers of this server, one a key. Other servers find out for themselves.
pub struct Breakers<K>(Mutex<HashMap<K, Breaker>>);

#[derive(Default)]
struct Breaker {
    failures: u32,
    /// What the last of them said.
    fault: String,
    /// When it failed last, also while it is open.
    failed_at: Option<Instant>,
    /// Closed, if not set. After it, one probes; the others wait for what comes of it.
    open_until: Option<Instant>,
    /// The probe that is under way; one that has ended is none.
    probe: Weak<Probe>,
}

/// What tells a probe from one before it, which may go on for longer.
struct Probe;

/// An open breaker: nothing is to be tried before `left` is over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Open {
    pub failures: u32,
    /// What the last of them said: whoever is kept from trying would not know it otherwise.
    pub fault: String,
    pub left: Duration,
}

/// Leave to try. Dropped without an answer, it counts as neither.
pub struct Pass<'b, K: Eq + Hash> {
    breakers: &'b Breakers<K>,
    key: K,
    probe: Option<Arc<Probe>>,
    /// Whether it is no failure that is counted.
    is_trial: bool,
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
        self.pass(key, true)
    }

    /// Leave for what is tried out: how it fails says nothing of what is not. That it works does.
    ///
    /// # Errors
    /// While the key's breaker is open.
    pub fn enter_on_trial(&self, key: K) -> Result<Pass<'_, K>, Open> {
        let mut pass = self.pass(key, true)?;
        pass.is_trial = true;
        Ok(pass)
    }

    /// As `enter_on_trial`, for a person, who may have mended it: one at a time passes an open breaker.
    ///
    /// # Errors
    /// While another one probes.
    pub fn probe(&self, key: K) -> Result<Pass<'_, K>, Open> {
        let mut pass = self.pass(key, false)?;
        pass.is_trial = true;
        Ok(pass)
    }

    /// Leave to try, once the pause of an open breaker is over, if it is waited for.
    fn pass(&self, key: K, waits: bool) -> Result<Pass<'_, K>, Open> {
        let mut breakers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut probe = None;
        if let Some(breaker) = breakers.get_mut(&key)
            && let Some(until) = breaker.open_until
        {
            let left = until.saturating_duration_since(Instant::now());
            if breaker.probe.strong_count() > 0 || waits && !left.is_zero() {
                return Err(Open {
                    failures: breaker.failures,
                    fault: breaker.fault.clone(),
                    left: left.max(Duration::from_secs(1)),
                });
            }
            let own = Arc::new(Probe);
            breaker.probe = Arc::downgrade(&own);
            probe = Some(own);
        }
        Ok(Pass { breakers: self, key, probe, is_trial: false })
    }

    /// Leave to try though the breaker may be open. Where it fails, an open one stays as it is.
    pub fn enter_anyway(&self, key: K) -> Pass<'_, K> {
        Pass { breakers: self, key, probe: None, is_trial: false }
    }
}

impl<K: Eq + Hash> Breakers<K> {
    /// Whether it has failed within this time, and not worked since.
    pub fn has_failed_within(&self, key: &K, time: Duration) -> bool {
        let breakers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        breakers.get(key).and_then(|breaker| breaker.failed_at).is_some_and(|at| at.elapsed() < time)
    }

    /// As if nothing had been tried.
    pub fn forget(&self, key: &K) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(key);
    }
}

impl<K: Eq + Hash + Clone + Debug> Pass<'_, K> {
    /// Says what came of it: how it failed, in words without secrets, if it did. Only what trying again may mend is a
    /// failure: a refusal is an answer of what works.
    pub fn leave(self, fault: Option<&str>) {
        let mut breakers = self.breakers.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(fault) = fault else {
            if breakers.remove(&self.key).is_some_and(|breaker| breaker.open_until.is_some()) {
                tracing::info!(what = ?self.key, "it works again, and is tried as before");
            }
            return;
        };
        if self.is_trial {
            return;
        }
        let breaker = breakers.entry(self.key.clone()).or_default();
        breaker.failed_at = Some(Instant::now());
        // Those that were under way when it opened say nothing new.
        let is_probe = self.probe.as_ref().is_some_and(|probe| breaker.probe.as_ptr() == Arc::as_ptr(probe));
        if breaker.open_until.is_some() && !is_probe {
            return;
        }
        breaker.failures = breaker.failures.saturating_add(1);
        breaker.fault = shorten(fault, MAX_FAULT);
        if breaker.failures >= FAILURES {
            let doublings = (breaker.failures - FAILURES).min(10);
            if breaker.open_until.is_none() {
                // Not how: what is at the other end may name people in its words.
                let failures = breaker.failures;
                tracing::warn!(what = ?self.key, failures, "it keeps failing, and is left alone for a while");
            }
            breaker.open_until = Some(Instant::now() + (PAUSE * (1 << doublings)).min(LONGEST_PAUSE));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fail(breakers: &Breakers<u8>, times: u32) {
        for time in 1..=times {
            let fault = format!("fault {time}");
            breakers.enter(1).expect("closed").leave(Some(fault.as_str()));
        }
    }

    #[test]
    fn a_failure_is_known_until_it_works_again() {
        let breakers = Breakers::default();
        // Also once it is open: who goes on anyway may fail as well.
        for times in [1, FAILURES] {
            (0..times).for_each(|_| breakers.enter_anyway(1).leave(Some("it is down")));
            assert!(breakers.has_failed_within(&1, Duration::from_secs(60)), "what was asked for before it");
            assert!(!breakers.has_failed_within(&1, Duration::ZERO), "what is asked for now");
            assert!(!breakers.has_failed_within(&2, Duration::from_secs(60)));
            breakers.enter_anyway(1).leave(None);
            assert!(!breakers.has_failed_within(&1, Duration::from_secs(60)));
        }
    }

    #[test]
    fn it_opens_after_failures_in_a_row_and_for_that_key_alone() {
        let breakers = Breakers::default();
        fail(&breakers, FAILURES - 1);
        breakers.enter(1).expect("closed").leave(None);
        fail(&breakers, FAILURES);
        let open = breakers.enter(1).err().expect("open");
        assert_eq!((open.failures, open.fault.as_str()), (FAILURES, "fault 5"));
        assert!(open.left <= PAUSE && open.left > PAUSE / 2, "{open:?}");
        assert!(breakers.enter(2).is_ok());
    }

    #[test]
    fn what_was_under_way_when_it_opened_does_not_lengthen_the_pause() {
        let breakers = Breakers::default();
        let under_way: Vec<_> = (0..20).map(|_| breakers.enter(1).expect("closed")).collect();
        under_way.into_iter().for_each(|pass| pass.leave(Some("x")));
        let open = breakers.enter(1).err().expect("open");
        assert!(open.failures == FAILURES && open.left <= PAUSE, "{open:?}");
    }

    /// The pause is over.
    fn rest(breakers: &Breakers<u8>) {
        let long_ago = Instant::now();
        for breaker in breakers.0.lock().expect("lock").values_mut() {
            breaker.open_until = Some(long_ago);
        }
    }

    #[test]
    fn one_probe_at_a_time_decides() {
        let breakers = Breakers::default();
        fail(&breakers, FAILURES);
        rest(&breakers);
        let probe = breakers.enter(1).expect("half open");
        assert!(breakers.enter(1).is_err(), "a second one waits");
        drop(probe);
        let probe = breakers.enter(1).expect("a probe that was called off frees its place");
        probe.leave(None);
        assert!(breakers.enter(1).is_ok() && breakers.enter(1).is_ok(), "closed");
    }

    #[test]
    fn a_probe_of_long_ago_frees_no_place_and_says_nothing_new() {
        for fault in [None, Some("it took long")] {
            let breakers = Breakers::default();
            fail(&breakers, FAILURES);
            rest(&breakers);
            let old = breakers.enter(1).expect("half open");
            breakers.forget(&1);
            fail(&breakers, FAILURES);
            rest(&breakers);
            let new = breakers.enter(1).expect("half open");
            match fault {
                Some(_) => old.leave(fault),
                None => drop(old),
            }
            let open = breakers.enter(1).err().expect("one is under way");
            assert_eq!((open.failures, open.fault.as_str()), (FAILURES, "fault 5"));
            drop(new);
            assert!(breakers.enter(1).is_ok(), "half open as before");
        }
    }

    #[test]
    fn what_is_tried_out_opens_nothing_and_a_person_need_not_wait() {
        let breakers = Breakers::default();
        for _ in 0..2 * FAILURES {
            breakers.enter_on_trial(1).expect("closed").leave(Some("a path of its own"));
            breakers.probe(1).expect("closed").leave(Some("a path of its own"));
        }
        fail(&breakers, FAILURES);
        let open = breakers.enter_on_trial(1).err().expect("open for it, too");
        assert_eq!((open.failures, open.fault.as_str()), (FAILURES, "fault 5"));
        // One at a time, which lengthens no pause.
        let probe = breakers.probe(1).expect("passes");
        assert!(breakers.probe(1).is_err() && breakers.enter(1).is_err(), "one is under way");
        probe.leave(Some("still down"));
        let open = breakers.enter(1).err().expect("open as before");
        assert!(open.failures == FAILURES && open.left <= PAUSE, "{open:?}");
        breakers.probe(1).expect("passes").leave(None);
        assert!(breakers.enter(1).is_ok() && breakers.enter(1).is_ok(), "closed");
        // Where the pause is over, it is probed as by any other, and waits for the next to fail.
        fail(&breakers, FAILURES);
        rest(&breakers);
        breakers.enter_on_trial(1).expect("half open").leave(Some("a path of its own"));
        assert!(breakers.enter(1).is_ok(), "still half open");
    }

    #[test]
    fn it_knows_what_the_last_failure_said_and_no_more_than_a_sentence_of_it() {
        let breakers = Breakers::default();
        fail(&breakers, FAILURES);
        rest(&breakers);
        let long = "ä".repeat(10_000);
        breakers.enter(1).expect("half open").leave(Some(long.as_str()));
        let open = breakers.enter(1).err().expect("open");
        assert_eq!((open.failures, open.fault.chars().count()), (FAILURES + 1, MAX_FAULT + 1));
    }
}
