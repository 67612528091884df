//! The workers of a queue: claim what is due, tenant by tenant in turn, and do it.

use std::{
    collections::HashMap,
    future::Future,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::{
    sync::{Notify, Semaphore},
    time::timeout,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::{Instrument, Span};

use super::{
    AppState, Error, Result,
    error::chain,
    queue::{self, Job, Subject},
    telemetry,
};
use crate::shared::TenantId;

/// How long the workers sleep at most: a retry that falls due rings no bell.
const NAP: Duration = Duration::from_secs(1);

/// How long a job waits at most, but for its jitter, that met a fault of our own database.
const LONGEST_WAIT: Duration = Duration::from_secs(60);

/// For how long a fault that is hardly the job's own is never taken for it: a backend that dies of one message, or
/// takes too long for it, looks like a database that does not come back.
const PATIENCE: Duration = Duration::from_secs(24 * 3_600);

/// One kind of work.
pub trait Work: Clone + Send + Sync + 'static {
    type Subject: Subject;

    /// How many are done at once.
    fn slots(&self, app: &AppState) -> usize;

    /// Rung when a job was written by this process, so that it need not wait for the database to say so.
    fn bell<'a>(&self, app: &'a AppState) -> &'a Notify;

    /// Does the work of one job, while its lease is kept alive. What breaks off comes up again when its lease ends, or
    /// sooner and as if it had not been claimed, where our own database failed.
    fn run(&self, app: &AppState, job: &Job<Self::Subject>) -> impl Future<Output = Result<()>> + Send;
}

/// Works until `stop`, then finishes what it has.
pub async fn work<W: Work>(kind: W, app: AppState, stop: CancellationToken) {
    let tracker = TaskTracker::new();
    tracker.spawn(listen(kind.clone(), app.clone(), stop.clone()));
    let slots = kind.slots(&app);
    let shares = Shares::new(slots);
    let slots = Arc::new(Semaphore::new(slots));
    let mut last = String::new();
    let mut is_failing = false;
    loop {
        let permit = tokio::select! {
            permit = Arc::clone(&slots).acquire_owned() => permit,
            () = stop.cancelled() => break,
        };
        let Ok(permit) = permit else { break };
        let claimed = claim::<W::Subject>(&app, &last, &shares.full()).await;
        let was_failing = std::mem::replace(&mut is_failing, claimed.is_err());
        match claimed {
            Ok(Some(job)) => {
                last = job.tenant.to_string();
                let (kind, app) = (kind.clone(), app.clone());
                let share = shares.take(&job.tenant);
                tracker.spawn(async move {
                    let (what, subject) = (W::Subject::KIND, job.subject.uuid());
                    let (tenant, attempt) = (&job.tenant, job.attempts);
                    let span =
                        tracing::info_span!(target: telemetry::TRACES, "job", what, %subject, %tenant, attempt);
                    run_leased(&kind, &app, &job).instrument(span).await;
                    drop((share, permit));
                    // A tenant that had its share may have more.
                    kind.bell(&app).notify_one();
                });
            }
            Ok(None) => {
                last.clear();
                drop(permit);
                tokio::select! {
                    () = kind.bell(&app).notified() => {}
                    () = tokio::time::sleep(NAP) => {}
                    () = stop.cancelled() => break,
                }
            }
            Err(error) => {
                drop(permit);
                // Once: it is tried each second.
                if !was_failing {
                    tracing::error!(error = %chain(&error), "no job could be claimed");
                }
                tokio::select! {
                    () = tokio::time::sleep(NAP) => {}
                    () = stop.cancelled() => break,
                }
            }
        }
    }
    tracker.close();
    tracker.wait().await;
}

/// The next due job, of the tenant after `last` if it has one, round to the first.
async fn claim<S: Subject>(app: &AppState, last: &str, full: &[String]) -> Result<Option<Job<S>>> {
    let mut tx = app.database.worker().await?;
    let mut job = queue::claim_next(&mut tx, last, full).await?;
    if job.is_none() && !last.is_empty() {
        job = queue::claim_next(&mut tx, "", full).await?;
    }
    tx.commit().await?;
    Ok(job)
}

/// How many jobs of each tenant are under way. A tenant may have half of the slots, and no more than are free: two have a
/// third each, and there is a slot left for whoever comes next, so that what is slow for some keeps nobody else waiting
/// (the dynamic thresholds of Choudhury and Hahne, IEEE/ACM Transactions on Networking 6(2), 1998).
pub struct Shares {
    slots: usize,
    keeps_some_free: bool,
    running: Arc<Mutex<HashMap<TenantId, usize>>>,
}

/// One job of a tenant that is under way.
pub struct Share {
    tenant: TenantId,
    running: Arc<Mutex<HashMap<TenantId, usize>>>,
}

impl Shares {
    pub fn new(slots: usize) -> Self {
        Self { slots, keeps_some_free: true, running: Arc::default() }
    }

    /// Where places are held for as long as nobody else needs them: a tenant may have half, whether others are free or not.
    pub fn halves(slots: usize) -> Self {
        Self { keeps_some_free: false, ..Self::new(slots) }
    }

    pub fn take(&self, tenant: &TenantId) -> Share {
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        *running.entry(tenant.clone()).or_default() += 1;
        Share { tenant: tenant.clone(), running: Arc::clone(&self.running) }
    }

    /// The tenants that have their share.
    pub fn full(&self) -> Vec<String> {
        let running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        let half = (self.slots / 2).max(1);
        let free = self.slots.saturating_sub(running.values().sum());
        let most = if self.keeps_some_free { half.min(free) } else { half };
        running.iter().filter(|(_, n)| **n >= most).map(|(tenant, _)| tenant.to_string()).collect()
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(n) = running.get_mut(&self.tenant) {
            *n -= 1;
            if *n == 0 {
                running.remove(&self.tenant);
            }
        }
    }
}

/// Does a job while keeping its lease alive.
async fn run_leased<W: Work>(kind: &W, app: &AppState, job: &Job<W::Subject>) {
    let (what, subject) = (W::Subject::KIND, job.subject.uuid());
    let keep_alive = async {
        let mut pause = queue::LEASE / 3;
        loop {
            tokio::time::sleep(pause).await;
            let extended = async {
                let mut tx = app.database.tenant(&job.tenant).await?;
                let mine = queue::extend(&mut tx, job).await?;
                tx.commit().await?;
                Ok::<bool, sqlx::Error>(mine)
            };
            // One that hangs must leave time for the next, on another connection, before the lease is over.
            pause = match timeout(queue::LEASE / 3, extended).await {
                Ok(Ok(true)) => queue::LEASE / 3,
                Ok(Ok(false)) => break,
                Ok(Err(_)) | Err(_) => NAP,
            };
        }
    };
    tokio::select! {
        result = kind.run(app, job) => if let Err(error) = result {
            telemetry::failed(&Span::current(), "broke_off");
            tracing::error!(tenant = %job.tenant, what, %subject, error = %chain(&error), "a job broke off");
            // Otherwise the lease runs out, and the job comes up again.
            if is_databases(&error, job.age) {
                give_back(app, job).await;
            }
        },
        () = keep_alive => tracing::warn!(tenant = %job.tenant, what, %subject, "the job was taken over"),
    }
}

/// Whether a fault is our own database's: of a job that met one, nothing is known. Its `age` counts where the job
/// itself may have brought it about.
pub fn is_databases(error: &Error, age: Duration) -> bool {
    match error {
        // It is away or has no place left, or ended one of two changes that waited for each other (`Error::from`).
        Error::Problem(problem) => problem.status == 503,
        Error::Database(sqlx::Error::Database(fault)) => match fault.code().as_deref() {
            // `lock_not_available`.
            Some("55P03") => true,
            // `query_canceled`, and what the machine refuses (class 58).
            Some(code) => age < PATIENCE && (code == "57014" || code.starts_with("58")),
            None => false,
        },
        Error::Database(sqlx::Error::PoolClosed) => true,
        Error::Database(sqlx::Error::Io(_) | sqlx::Error::Tls(_) | sqlx::Error::WorkerCrashed) => {
            age < PATIENCE
        }
        Error::Database(_) | Error::Internal(_) => false,
    }
}

/// Gives a job back with the attempt, the longer the older it is. If that fails too, its lease runs out.
async fn give_back<S: Subject>(app: &AppState, job: &Job<S>) {
    let wait = (job.age / 2).clamp(NAP, LONGEST_WAIT).mul_f64(rand::random_range(1.0..1.5));
    let given = async {
        let mut tx = app.database.tenant(&job.tenant).await?;
        queue::postpone(&mut tx, job, wait, None).await?;
        tx.commit().await
    };
    // For less long than the lease lasts, which nobody extends any more.
    if !matches!(timeout(queue::LEASE / 3, given).await, Ok(Ok(()))) {
        let (what, subject) = (S::KIND, job.subject.uuid());
        tracing::warn!(tenant = %job.tenant, what, %subject, "the job could not be given back: its lease must end");
    }
}

/// Rings the bell when another process writes a job.
async fn listen<W: Work>(kind: W, app: AppState, stop: CancellationToken) {
    let mut is_off = false;
    loop {
        let heard = async {
            let mut listener = app.database.listen(&W::Subject::channel()).await?;
            is_off = false;
            loop {
                listener.recv().await?;
                kind.bell(&app).notify_one();
            }
        };
        let result: Result<(), sqlx::Error> = tokio::select! {
            result = heard => result,
            () = stop.cancelled() => return,
        };
        if let Err(error) = result
            && !std::mem::replace(&mut is_off, true)
        {
            tracing::warn!(%error, "listening for jobs broke off");
        }
        tokio::select! {
            () = tokio::time::sleep(NAP) => {}
            () = stop.cancelled() => return,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shared::Problem;

    #[test]
    fn a_tenant_has_as_many_slots_as_are_free() {
        let shares = Shares::new(8);
        let tenant = |id: &str| id.parse::<TenantId>().expect("an id");
        let take_all = |id: &str| {
            let mut held = Vec::new();
            while held.len() < 8 && !shares.full().contains(&id.to_owned()) {
                held.push(shares.take(&tenant(id)));
            }
            held
        };
        let mut first = take_all("acme_corp");
        assert_eq!(first.len(), 4, "half, alone");
        let second = take_all("globex_inc");
        assert_eq!(second.len(), 2);
        first.truncate(3);
        assert!(shares.full().contains(&"acme_corp".to_owned()), "whoever had more gives way");
        let third = take_all("initech_ltd");
        assert_eq!(third.len(), 2);
        assert_eq!(take_all("umbrella_co").len(), 1, "the last is for whoever has none");
        drop((first, second, third));
        assert_eq!(take_all("umbrella_co").len(), 4);
        let odd = Shares::new(3);
        let _one = odd.take(&tenant("acme_corp"));
        assert_eq!(odd.full(), ["acme_corp"], "no more than half");
        let places = Shares::halves(8);
        let held: Vec<Share> =
            (0..6).map(|at| places.take(&tenant(["acme_corp", "globex_inc"][at % 2]))).collect();
        assert!(places.full().is_empty(), "three of four each, and two are free");
        drop(held);
    }

    #[test]
    fn what_our_own_database_does_is_told_from_what_a_job_brings_about() {
        let day = Duration::from_secs(86_400);
        let gone = || Error::from(sqlx::Error::Io(std::io::ErrorKind::ConnectionReset.into()));
        assert!(is_databases(&gone(), Duration::ZERO) && !is_databases(&gone(), day));
        assert!(is_databases(&sqlx::Error::PoolTimedOut.into(), day));
        for its_own in [
            Error::internal("the vault"),
            sqlx::Error::RowNotFound.into(),
            Problem::new(422, "A text must not hold NUL").into(),
        ] {
            assert!(!is_databases(&its_own, Duration::ZERO), "{its_own}");
        }
    }
}
