//! Deletes what is older than its tenant keeps messages: in the background, a little at a time, on every server. Which
//! of them deletes in a tenant, its row of `retention` says, which is locked for a batch.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::service::{self, Batch};
use crate::{
    files::server::service as files,
    server::{AppState, Result, error::chain, idempotency, rounds::rounds},
    shared::TenantId,
    tenants::server::deletion as tenants,
};

/// After the start, when there is enough else to do.
const SOON: Duration = Duration::from_secs(20);
/// From a turn to the next.
const EVERY: Duration = Duration::from_secs(600);
/// From a turn to the next where there was more than a turn may delete.
const BREATH: Duration = Duration::from_secs(5);

/// What one transaction deletes: others wait for its locks and its bytes.
const BATCH: i64 = 200;
/// What one turn deletes of a tenant, in batches, before the next tenant has its turn.
const BATCHES: usize = 20;

/// What came of a turn.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Turn {
    pub deleted: i64,
    /// A tenant may have more.
    pub is_unfinished: bool,
}

/// What nobody's days are needed for: answers that were kept for a day, and files that came in by half.
async fn tidy(app: &AppState) {
    if let Err(error) = idempotency::forget_old(app).await {
        tracing::error!(error = %chain(&error), "kept answers could not be deleted");
    }
    files::tidy(app).await;
}

/// Deletes old messages, and tenants that are to go, until `stop`; then ends the batches under way.
pub async fn work(app: AppState, stop: CancellationToken) {
    tokio::join!(keep(app.clone(), stop.clone()), tenants::work(app, stop));
}

async fn keep(app: AppState, stop: CancellationToken) {
    let round = || async {
        match turn(&app).await {
            Ok(Turn { is_unfinished: true, .. }) => return BREATH,
            Ok(_) => {}
            Err(error) => tracing::error!(error = %chain(&error), "old messages could not be looked for"),
        }
        tidy(&app).await;
        EVERY
    };
    rounds(SOON, stop, round).await;
}

/// Goes round the tenants once, and deletes what is too old. What fails in one tenant keeps no other's.
///
/// # Errors
/// The database's, where not even the tenants are known.
pub async fn turn(app: &AppState) -> Result<Turn> {
    let mut turn = Turn::default();
    for tenant in service::tenants(app).await? {
        match turn_of(app, &tenant).await {
            Ok(of) => {
                turn.deleted += of.deleted;
                turn.is_unfinished |= of.is_unfinished;
            }
            Err(error) => {
                tracing::error!(%tenant, error = %chain(&error), "old messages could not be deleted");
            }
        }
        if app.stop.is_cancelled() {
            break;
        }
    }
    Ok(turn)
}

async fn turn_of(app: &AppState, tenant: &TenantId) -> Result<Turn> {
    let mut turn = Turn::default();
    for batch in 1..=BATCHES {
        let is_last = batch == BATCHES || app.stop.is_cancelled();
        match service::delete_batch(app, tenant, BATCH, is_last).await? {
            Batch::Some(deleted) => turn.deleted += deleted,
            Batch::Last(deleted) => {
                turn.deleted += deleted;
                turn.is_unfinished = is_last;
                break;
            }
            Batch::Taken => break,
        }
    }
    if turn.deleted > 0 {
        tracing::info!(%tenant, messages = turn.deleted, "deleted messages that were too old");
    }
    Ok(turn)
}
