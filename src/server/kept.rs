//! A document of a foreign server that is kept in memory: fetched at first use, again when it is old, and again
//! when something is missing in it, but never so often that a stranger could make us flood that server.

use std::{
    sync::{Arc, PoisonError, RwLock},
    time::{Duration, Instant},
};

use tokio::sync::Mutex;

/// A document is fetched again when it is older, so that a key that was withdrawn ends.
const OLD: Duration = Duration::from_secs(60 * 60);
/// A server that cannot be asked leaves its last document in use for this long.
const TOO_OLD: Duration = Duration::from_secs(24 * 60 * 60);

/// One document. Those who need it while it is being fetched wait for that one fetch.
#[derive(Debug)]
pub struct Kept<T> {
    /// For the log.
    what: &'static str,
    held: RwLock<Option<Held<T>>>,
    /// When the server was last asked. Written before it is asked: whoever hangs up does not get another turn.
    asked: Mutex<Option<Instant>>,
    retry: Duration,
    renewal: Duration,
}

#[derive(Debug)]
struct Held<T> {
    document: Arc<T>,
    since: Instant,
}

impl<T> Kept<T> {
    /// After a failure the server is asked again when `retry` has passed, and for something that is missing in the
    /// document when `renewal` has.
    pub fn new(what: &'static str, retry: Duration, renewal: Duration) -> Self {
        Self { what, held: RwLock::default(), asked: Mutex::default(), retry, renewal }
    }

    /// The document; `None` where the server cannot be asked. A `fetch` that is not needed is not begun.
    pub async fn get(&self, fetch: impl Future<Output = Result<T, String>>) -> Option<Arc<T>> {
        if let Some(young) = self.younger_than(OLD) {
            return Some(young);
        }
        let old = self.younger_than(TOO_OLD);
        let mut asked = match (&old, self.asked.try_lock()) {
            (_, Ok(asked)) => asked,
            (Some(_), Err(_)) => return old,
            (None, Err(_)) => self.asked.lock().await,
        };
        if let Some(young) = self.younger_than(OLD) {
            return Some(young);
        }
        if asked.is_some_and(|at| at.elapsed() < self.retry) {
            return old;
        }
        self.fetch(&mut asked, fetch).await.or(old)
    }

    /// A newer document than `seen`, in which something was missing. `None` where there is none, or the server was
    /// asked a moment ago.
    pub async fn renew(
        &self,
        seen: &Arc<T>,
        fetch: impl Future<Output = Result<T, String>>,
    ) -> Option<Arc<T>> {
        let mut asked = self.asked.lock().await;
        if let Some(other) = self.younger_than(OLD).filter(|held| !Arc::ptr_eq(held, seen)) {
            return Some(other);
        }
        if asked.is_some_and(|at| at.elapsed() < self.renewal) {
            return None;
        }
        self.fetch(&mut asked, fetch).await
    }

    fn younger_than(&self, age: Duration) -> Option<Arc<T>> {
        let held = self.held.read().unwrap_or_else(PoisonError::into_inner);
        held.as_ref().filter(|held| held.since.elapsed() < age).map(|held| Arc::clone(&held.document))
    }

    async fn fetch(
        &self,
        asked: &mut Option<Instant>,
        fetch: impl Future<Output = Result<T, String>>,
    ) -> Option<Arc<T>> {
        *asked = Some(Instant::now());
        match fetch.await {
            Ok(document) => {
                let document = Arc::new(document);
                let held = Held { document: Arc::clone(&document), since: Instant::now() };
                *self.held.write().unwrap_or_else(PoisonError::into_inner) = Some(held);
                Some(document)
            }
            Err(error) => {
                tracing::warn!(error, "cannot fetch {}", self.what);
                None
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    const LONG: Duration = Duration::from_secs(600);

    /// Counts how often the server is asked.
    async fn answer(asked: &AtomicU32, ok: bool) -> Result<u32, String> {
        let n = asked.fetch_add(1, Ordering::Relaxed);
        if ok { Ok(n) } else { Err("down".into()) }
    }

    #[tokio::test]
    async fn it_is_fetched_once_and_anew_only_after_a_while() {
        let asked = AtomicU32::new(0);
        let kept = Kept::new("the test's document", Duration::ZERO, LONG);
        let first = kept.get(answer(&asked, true)).await.expect("a document");
        assert_eq!((*first, kept.get(answer(&asked, true)).await.as_deref()), (0, Some(&0)));
        assert!(kept.renew(&first, answer(&asked, true)).await.is_none(), "it was asked a moment ago");
        assert_eq!(asked.load(Ordering::Relaxed), 1);

        let eager = Kept::new("the test's document", LONG, Duration::ZERO);
        let first = eager.get(answer(&asked, true)).await.expect("a document");
        let second = eager.renew(&first, answer(&asked, true)).await.expect("a newer one");
        assert_eq!((*first, *second), (1, 2));
        // Who saw the first needs no third.
        assert_eq!(eager.renew(&first, answer(&asked, true)).await.as_deref(), Some(&2));
        assert!(eager.renew(&second, answer(&asked, false)).await.is_none());
        assert_eq!(
            eager.get(answer(&asked, true)).await.as_deref(),
            Some(&2),
            "a failure takes nothing away"
        );
    }

    #[tokio::test]
    async fn a_server_that_is_down_is_not_flooded() {
        let asked = AtomicU32::new(0);
        let kept = Kept::new("the test's document", LONG, LONG);
        assert!(kept.get(answer(&asked, false)).await.is_none());
        assert!(kept.get(answer(&asked, true)).await.is_none(), "not yet");
        assert_eq!(asked.load(Ordering::Relaxed), 1);

        let quick = Kept::new("the test's document", Duration::ZERO, LONG);
        assert!(quick.get(answer(&asked, false)).await.is_none());
        assert!(quick.get(answer(&asked, true)).await.is_some(), "it is tried again");
    }

    #[tokio::test]
    async fn who_hangs_up_does_not_get_another_turn() {
        let kept = Kept::new("the test's document", Duration::ZERO, LONG);
        let first = kept.get(async { Ok(1) }).await.expect("a document");
        let kept = Kept { renewal: Duration::ZERO, ..kept };
        let hanging = kept.renew(&first, std::future::pending());
        assert!(tokio::time::timeout(Duration::from_millis(1), hanging).await.is_err());
        let kept = Kept { renewal: LONG, ..kept };
        assert!(kept.renew(&first, async { Ok(2) }).await.is_none());
    }

    #[tokio::test]
    async fn all_who_come_at_once_wait_for_one_fetch() {
        let asked = AtomicU32::new(0);
        let kept = Kept::new("the test's document", LONG, LONG);
        let slow = async || {
            tokio::task::yield_now().await;
            answer(&asked, true).await
        };
        let (a, b, c) = tokio::join!(kept.get(slow()), kept.get(slow()), kept.get(slow()));
        assert_eq!((a.as_deref(), b.as_deref(), c.as_deref()), (Some(&0), Some(&0), Some(&0)));
    }
}
