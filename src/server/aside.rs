//! Work that takes a while, away from the threads that answer requests.

use tokio::sync::{Semaphore, SemaphorePermit};

use super::{Error, Result};

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

/// As `run`. The turn goes with the work, which goes on when its caller hangs up.
pub async fn run_in<T: Send + 'static>(
    turn: SemaphorePermit<'static>,
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
}
