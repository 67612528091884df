//! The workers: claim what is due, tenant by tenant in turn, and process it.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::sync::Semaphore;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{
    process::{self, Ran},
    queue::{self, Job},
};
use crate::{
    server::{AppState, Result, error::chain},
    shared::{EmailId, TenantId},
};

/// How long the workers sleep at most: a retry that falls due rings no bell.
const NAP: Duration = Duration::from_secs(1);

/// Works until `stop`, then finishes what it has.
pub async fn work(app: AppState, stop: CancellationToken) {
    let tracker = TaskTracker::new();
    tracker.spawn(listen(app.clone(), stop.clone()));
    let slots = Arc::new(Semaphore::new(app.config.workers));
    let shares = Shares::new(app.config.workers);
    let mut last = String::new();
    loop {
        let permit = tokio::select! {
            permit = Arc::clone(&slots).acquire_owned() => permit,
            () = stop.cancelled() => break,
        };
        let Ok(permit) = permit else { break };
        match claim(&app, &last, &shares.full()).await {
            Ok(Some(job)) => {
                last = job.tenant.to_string();
                let app = app.clone();
                let share = shares.take(&job.tenant);
                tracker.spawn(async move {
                    process_leased(&app, &job).await;
                    drop((share, permit));
                    // A tenant that had its share may have more.
                    app.job_bell.notify_one();
                });
            }
            Ok(None) => {
                last.clear();
                drop(permit);
                tokio::select! {
                    () = app.job_bell.notified() => {}
                    () = tokio::time::sleep(NAP) => {}
                    () = stop.cancelled() => break,
                }
            }
            Err(error) => {
                drop(permit);
                tracing::error!(%error, "no job could be claimed");
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
async fn claim(app: &AppState, last: &str, full: &[String]) -> Result<Option<Job>> {
    let mut tx = app.database.worker().await?;
    let mut job = queue::claim_next(&mut tx, last, full).await?;
    if job.is_none() && !last.is_empty() {
        job = queue::claim_next(&mut tx, "", full).await?;
    }
    tx.commit().await?;
    Ok(job)
}

/// How many messages of each tenant are under way. One tenant gets at most half of the slots, so that its slow
/// datasources keep nobody else waiting.
struct Shares {
    most: usize,
    running: Arc<Mutex<HashMap<TenantId, usize>>>,
}

/// One message of a tenant that is under way.
struct Share {
    tenant: TenantId,
    running: Arc<Mutex<HashMap<TenantId, usize>>>,
}

impl Shares {
    fn new(slots: usize) -> Self {
        Self { most: (slots / 2).max(1), running: Arc::default() }
    }

    fn take(&self, tenant: &TenantId) -> Share {
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        *running.entry(tenant.clone()).or_default() += 1;
        Share { tenant: tenant.clone(), running: Arc::clone(&self.running) }
    }

    /// The tenants that have their share.
    fn full(&self) -> Vec<String> {
        let running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        running.iter().filter(|(_, n)| **n >= self.most).map(|(tenant, _)| tenant.to_string()).collect()
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

/// Processes one message here and now, if nobody else has it. For the command line.
///
/// # Errors
/// The database's and the vault's.
pub async fn process_now(app: &AppState, tenant: &TenantId, email: EmailId) -> Result<Option<Ran>> {
    let mut tx = app.database.tenant(tenant).await?;
    let job = queue::claim_of(&mut tx, email).await?;
    tx.commit().await?;
    match job {
        Some(job) => process::run(app, &job).await.map(Some),
        None => Ok(None),
    }
}

/// Processes a job while keeping its lease alive.
async fn process_leased(app: &AppState, job: &Job) {
    let keep_alive = async {
        loop {
            tokio::time::sleep(queue::LEASE / 3).await;
            let extended = async {
                let mut tx = app.database.tenant(&job.tenant).await?;
                let mine = queue::extend(&mut tx, job).await?;
                tx.commit().await?;
                Ok::<bool, sqlx::Error>(mine)
            };
            if matches!(extended.await, Ok(false)) {
                break;
            }
        }
    };
    tokio::select! {
        result = process::run(app, job) => match result {
            Ok(ran) => tracing::debug!(tenant = %job.tenant, email_id = %job.email_id, ?ran, "processed"),
            // The lease runs out, and the job comes up again.
            Err(error) => tracing::error!(
                tenant = %job.tenant, email_id = %job.email_id, error = %chain(&error), "processing broke off"
            ),
        },
        () = keep_alive => {
            tracing::warn!(tenant = %job.tenant, email_id = %job.email_id, "the job was taken over");
        }
    }
}

/// Rings the bell when another process writes a job.
async fn listen(app: AppState, stop: CancellationToken) {
    loop {
        let heard = async {
            let mut listener = app.database.listen(queue::CHANNEL).await?;
            loop {
                listener.recv().await?;
                app.job_bell.notify_one();
            }
        };
        let result: Result<(), sqlx::Error> = tokio::select! {
            result = heard => result,
            () = stop.cancelled() => return,
        };
        if let Err(error) = result {
            tracing::warn!(%error, "listening for jobs broke off");
        }
        tokio::select! {
            () = tokio::time::sleep(NAP) => {}
            () = stop.cancelled() => return,
        }
    }
}
