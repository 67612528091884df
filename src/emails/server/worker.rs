//! The work of deciding messages.

use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::process::{self, Ran};
use crate::{
    server::{
        AppState, Result,
        queue::{self, Job},
        work::{self, Work},
    },
    shared::{EmailId, TenantId},
};

#[derive(Clone)]
struct Deciding;

impl Work for Deciding {
    type Subject = EmailId;

    fn slots(&self, app: &AppState) -> usize {
        app.config.workers
    }

    fn bell<'a>(&self, app: &'a AppState) -> &'a Notify {
        &app.job_bell
    }

    async fn run(&self, app: &AppState, job: &Job<EmailId>) -> Result<()> {
        let ran = process::run(app, job).await?;
        tracing::debug!(tenant = %job.tenant, email_id = %job.subject, ?ran, "processed");
        Ok(())
    }
}

/// Decides messages until `stop`, then finishes those under way.
pub async fn work(app: AppState, stop: CancellationToken) {
    work::work(Deciding, app, stop).await;
}

/// Processes one message here and now, if it is due and nobody else has it. For the command line.
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
