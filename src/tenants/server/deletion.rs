//! Deletes tenants that are marked for it, with everything that is theirs: in the background, a little at a time, on every
//! server. Which of them deletes a tenant, the tenant's row says, which is locked for a batch. A batch is a transaction of
//! its own: what one has deleted stays so, whatever becomes of the next.

use std::time::Duration;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::repository::{self, Claim};
use crate::{
    audit::server::service as audit,
    server::{AppState, Result, error::chain, rounds::rounds},
    shared::TenantId,
};

/// After the start, when there is enough else to do.
const SOON: Duration = Duration::from_secs(10);
/// From a look for such tenants to the next.
const EVERY: Duration = Duration::from_secs(30);
/// The same where there was more than a turn may delete.
const BREATH: Duration = Duration::from_secs(1);
/// What one turn deletes of a tenant, in batches, before the next tenant has its turn.
const BATCHES: usize = 20;
/// For so long whoever deletes a tenant deletes its rows as well: a small one's are then gone.
const AT_ONCE: Duration = Duration::from_secs(3);
/// From a look at a tenant that somebody still writes to, to the next.
const NAP: Duration = Duration::from_millis(50);

/// What came of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Batch {
    /// There may be more.
    Some,
    /// Nothing is left.
    Last,
    /// Another server is at it, or somebody still writes to it.
    Taken,
}

/// Works until `stop`, then ends the batch under way.
pub async fn work(app: AppState, stop: CancellationToken) {
    let round = || async {
        match turn(&app).await {
            Ok(true) => BREATH,
            Ok(false) => EVERY,
            Err(error) => {
                tracing::error!(error = %chain(&error), "deleted tenants could not be looked for");
                EVERY
            }
        }
    };
    rounds(SOON, stop, round).await;
}

/// Goes round the tenants that are being deleted once. Whether there is more is given. What fails in one tenant keeps no
/// other's.
///
/// # Errors
/// The database's, where not even the tenants are known.
pub async fn turn(app: &AppState) -> Result<bool> {
    let tenants = repository::deleted(&mut app.database.instance().await?).await?;
    let mut is_unfinished = false;
    for tenant in tenants {
        match turn_of(app, &tenant).await {
            Ok(has_more) => is_unfinished |= has_more,
            Err(error) => {
                tracing::error!(%tenant, error = %chain(&error), "a deleted tenant's rows could not be deleted");
            }
        }
        if app.stop.is_cancelled() {
            break;
        }
    }
    Ok(is_unfinished)
}

async fn turn_of(app: &AppState, tenant: &TenantId) -> Result<bool> {
    for _ in 0..BATCHES {
        if delete_batch(app, tenant).await? != Batch::Some {
            return Ok(false);
        }
        if app.stop.is_cancelled() {
            break;
        }
    }
    Ok(true)
}

/// Deletes rows of a tenant that was just marked, as far as that takes no time. What is left, or fails here, goes in the
/// background.
pub async fn begin(app: &AppState, tenant: &TenantId) {
    let until = Instant::now() + AT_ONCE;
    while Instant::now() < until {
        match delete_batch(app, tenant).await {
            Ok(Batch::Some) => {}
            Ok(Batch::Last) => return,
            Ok(Batch::Taken) => tokio::time::sleep(NAP).await,
            Err(error) => {
                tracing::warn!(%tenant, error = %chain(&error), "a deleted tenant's rows are left for later");
                return;
            }
        }
    }
}

async fn delete_batch(app: &AppState, tenant: &TenantId) -> Result<Batch> {
    let mut tx = app.database.tenant(tenant).await?;
    match repository::claim_deleted(&mut tx).await? {
        Claim::Mine => {}
        Claim::Taken => return Ok(Batch::Taken),
        Claim::Gone => return Ok(Batch::Last),
    }
    if repository::delete_some(&mut tx).await? > 0 || audit::forget_deleted(&mut tx).await? > 0 {
        tx.commit().await?;
        return Ok(Batch::Some);
    }
    // Before its row, so that a server that dies in between leaves none behind.
    remove_files(app, tenant).await;
    if !repository::delete(&mut tx).await? {
        return Ok(Batch::Taken);
    }
    tx.commit().await?;
    tracing::info!(%tenant, "nothing is left of a deleted tenant");
    Ok(Batch::Last)
}

/// A deleted tenant's files: the next one of this id would find them. What stays, `create` refuses to inherit.
pub async fn remove_files(app: &AppState, tenant: &TenantId) {
    match tokio::fs::remove_dir_all(app.config.files_dir(tenant)).await {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            tracing::error!(%tenant, %error, "the files of a deleted tenant could not be removed");
        }
        _ => {}
    }
}
