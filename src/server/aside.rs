//! Work that takes a while, away from the threads that answer requests.

use std::{
    collections::HashMap,
    sync::{Arc, LazyLock, Mutex, PoisonError},
};

use tokio::sync::{Semaphore, SemaphorePermit};

use super::{Error, Result};
use crate::shared::TenantId;

/// What a tenant does only so much of at once: it brought what takes the time, and must not take every thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Turn {
    /// Running the patterns and expressions of its rules.
    Run,
    /// Checking them: who saves waits for the answer, and must not wait for messages.
    Save,
    /// Looking at what a message holds.
    Show,
    /// Searching in what messages say: each takes a connection of the database, and seconds of it.
    Search,
    /// Counting all that there is, and looking for what may be far back in it: as long, where there is much.
    Count,
    /// Trying a message: each holds all intents until it has found its own.
    Try,
}

impl Turn {
    fn room(self) -> usize {
        match self {
            Self::Run | Self::Save => 1,
            // One that takes long is not to keep a colleague from every other.
            Self::Show | Self::Search | Self::Count | Self::Try => 2,
        }
    }
}

/// Runs it on a thread for blocking work. A panic in it goes on here.
pub async fn run<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(error) => std::panic::resume_unwind(error.into_panic()),
    }
}

/// Waits for a turn at work of which there is to be only so much at once. To be taken before what the work needs is
/// read, or whoever waits holds that.
///
/// # Errors
/// None, as long as nobody closes the turns.
pub async fn turn(turns: &'static Semaphore) -> Result<SemaphorePermit<'static>> {
    turns.acquire().await.map_err(Error::internal)
}

/// Waits for a turn of the tenant's, which each has for itself. It lasts until it is dropped. As `turn`.
pub async fn turn_of(tenant: &TenantId, what: Turn) -> impl Send + Sync + 'static {
    type Gates = HashMap<(TenantId, Turn), Arc<Semaphore>>;
    static GATES: LazyLock<Mutex<Gates>> = LazyLock::new(Mutex::default);
    let gate = {
        let mut gates = GATES.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(
            gates.entry((tenant.clone(), what)).or_insert_with(|| Arc::new(Semaphore::new(what.room()))),
        )
    };
    // Nobody closes a gate.
    gate.acquire_owned().await.ok()
}

/// As `run`. The turn, of whichever kind, goes with the work, which goes on when its caller hangs up.
pub async fn run_in<T: Send + 'static>(
    turn: impl Send + 'static,
    work: impl FnOnce() -> T + Send + 'static,
) -> T {
    run(move || {
        let done = work();
        drop(turn);
        done
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_turn_goes_with_the_work_when_its_caller_hangs_up() {
        static TURNS: Semaphore = Semaphore::const_new(1);
        let (begun, has_begun) = tokio::sync::oneshot::channel();
        let (end, is_to_end) = std::sync::mpsc::channel();
        let work = move || {
            begun.send(()).expect("the test waits");
            is_to_end.recv().expect("the test says so");
        };
        let caller = tokio::spawn(run_in(turn(&TURNS).await.expect("a turn"), work));
        has_begun.await.expect("the work");
        caller.abort();
        assert!(caller.await.expect_err("called off").is_cancelled());
        assert_eq!(TURNS.available_permits(), 0);
        end.send(()).expect("the work waits");
        drop(turn(&TURNS).await.expect("a turn"));
    }

    #[tokio::test]
    async fn a_tenant_waits_for_itself_alone_and_for_each_kind_apart() {
        let [acme, globex] = ["turns_acme", "turns_globex"].map(|id| id.parse::<TenantId>().expect("id"));
        let is_free = async |tenant: &TenantId, what| {
            let turn = std::pin::pin!(turn_of(tenant, what));
            futures::poll!(turn).is_ready()
        };
        let held = (turn_of(&acme, Turn::Show).await, turn_of(&acme, Turn::Show).await);
        assert!(!is_free(&acme, Turn::Show).await);
        assert!(is_free(&acme, Turn::Run).await && is_free(&globex, Turn::Show).await);
        drop(held);
        assert!(is_free(&acme, Turn::Show).await);
        let _held = turn_of(&acme, Turn::Run).await;
        assert!(!is_free(&acme, Turn::Run).await);
    }
}
