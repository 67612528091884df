//! The workers: claim what is due, tenant by tenant in turn, and process it.

use std::{sync::Arc, time::Duration};

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
    let mut last = String::new();
    loop {
        let permit = tokio::select! {
            permit = Arc::clone(&slots).acquire_owned() => permit,
            () = stop.cancelled() => break,
        };
        let Ok(permit) = permit else { break };
        match claim(&app, &last).await {
            Ok(Some(job)) => {
                last = job.tenant.to_string();
                let app = app.clone();
                tracker.spawn(async move {
                    process_leased(&app, &job).await;
                    drop(permit);
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
async fn claim(app: &AppState, last: &str) -> Result<Option<Job>> {
    let mut tx = app.database.worker().await?;
    let mut job = queue::claim_next(&mut tx, last).await?;
    if job.is_none() && !last.is_empty() {
        job = queue::claim_next(&mut tx, "").await?;
    }
    tx.commit().await?;
    Ok(job)
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
