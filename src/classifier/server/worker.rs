//! Trains in the background, one tenant at a time, so that a server's other cores are left to its messages.

use std::time::Duration;

use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use super::repository::{self, Training};
use crate::{
    classifier::model::{Example, Model, NONE, Report},
    server::{AppState, Error, Result, error::chain},
    shared::IntentId,
};

/// Examples that come one after the other are trained together, once they have rested for so long …
const QUIET: Duration = Duration::from_secs(1);
/// … or kept coming for so long.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long a claimed training is a worker's own: many times what the most examples take.
const LEASE: Duration = Duration::from_secs(600);
/// How long the worker sleeps at most: another server's examples ring no bell here.
const NAP: Duration = Duration::from_secs(2);

/// Works until `stop`. A training under way is then left, and taken up again by another server or the next start.
pub async fn work(app: AppState, stop: CancellationToken) {
    loop {
        let found = tokio::select! {
            found = train_next(&app) => found,
            () = stop.cancelled() => return,
        };
        let pause = match found {
            Ok(true) => continue,
            Ok(false) => NAP,
            Err(error) => {
                tracing::error!(error = %chain(&error), "a classifier could not be trained");
                NAP
            }
        };
        tokio::select! {
            // The change that rang must rest first.
            () = app.training_bell.notified() => tokio::select! {
                () = tokio::time::sleep(QUIET) => {}
                () = stop.cancelled() => return,
            },
            () = tokio::time::sleep(pause) => {}
            () = stop.cancelled() => return,
        }
    }
}

/// Trains the tenant that has waited longest, if any is due.
///
/// # Errors
/// The database's; the training then comes up again when its lease ends.
async fn train_next(app: &AppState) -> Result<bool> {
    let mut tx = app.database.worker().await?;
    let training = repository::claim(&mut tx, QUIET, PATIENCE, LEASE).await?;
    tx.commit().await?;
    match training {
        None => Ok(false),
        Some(training) => {
            train(app, &training).await?;
            Ok(true)
        }
    }
}

async fn train(app: &AppState, training: &Training) -> Result<()> {
    let mut tx = app.database.tenant(&training.tenant).await?;
    let (revision, examples) = repository::examples(&mut tx).await?;
    tx.commit().await?;
    let count = examples.len();
    let started = std::time::Instant::now();
    let trained = train_aside(examples).await?;
    let mut tx = app.database.tenant(&training.tenant).await?;
    if !repository::finish(&mut tx, training, revision).await? {
        return Ok(());
    }
    let stored = trained.as_ref().map(|(bytes, report)| (bytes.as_slice(), report));
    repository::store(&mut tx, revision, stored).await?;
    tx.commit().await?;
    tracing::info!(
        tenant = %training.tenant, examples = count, milliseconds = started.elapsed().as_millis() as u64,
        bytes = trained.map_or(0, |(bytes, _)| bytes.len()), "trained a classifier"
    );
    Ok(())
}

/// Trains on a thread of its own. One of the runtime's would keep a stopping server waiting to the end.
async fn train_aside(examples: Vec<(Option<IntentId>, String)>) -> Result<Option<(Vec<u8>, Report)>> {
    let (done, result) = oneshot::channel();
    let work = move || {
        let examples: Vec<Example<'_>> = examples
            .iter()
            .map(|(intent, text)| Example { label: intent.map_or(NONE, |id| id.0), text })
            .collect();
        let (model, report) = Model::train_and_evaluate(&examples);
        // Nobody waits any more where the server stops.
        drop(done.send((!model.is_empty()).then(|| (model.to_bytes(), report))));
    };
    std::thread::Builder::new().name("training".into()).spawn(work).map_err(Error::internal)?;
    result.await.map_err(|_| Error::internal("the training broke off"))
}
