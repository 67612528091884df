//! Trains in the background, one tenant at a time, so that a server's other cores are left to its messages.

use std::time::Duration;

use tokio::{sync::oneshot, time::timeout};
use tokio_util::sync::CancellationToken;

use super::repository::{self, Most, Training};
use crate::{
    classifier::model::{Example, Model, NONE, Report},
    server::{AppState, Error, Result, error::chain, work},
    shared::IntentId,
};

/// Examples that come one after the other are trained together, once they have rested for so long …
const QUIET: Duration = Duration::from_secs(1);
/// … or kept coming for so long.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long a claimed training is a worker's own without a sign of life.
const LEASE: Duration = Duration::from_secs(600);
/// How long a training rests that met a fault of our own database.
const REST: Duration = Duration::from_secs(60);
/// A training holds what it makes of all its examples at once, some 480 bytes a word, of which a text is read up to its
/// 1,000th. With some six bytes of text a word that is about half a gigabyte, whatever a tenant's examples are.
const MOST: Most = Most { in_all: 6 << 20, of_one: 6_000 };
/// A model that nobody used for so long is not kept in memory.
const UNUSED: Duration = Duration::from_secs(3_600);
/// How long the worker sleeps at most: another server's examples ring no bell here.
const NAP: Duration = Duration::from_secs(2);

/// Works until `stop`. A training under way is then given back, for another server or the next start.
pub async fn work(app: AppState, stop: CancellationToken) {
    loop {
        app.models.drop_unused(UNUSED);
        let found = train_next(&app, &stop).await;
        if stop.is_cancelled() {
            return;
        }
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
/// The database's; the training then comes up again.
async fn train_next(app: &AppState, stop: &CancellationToken) -> Result<bool> {
    let claimed = tokio::select! {
        claimed = claim(app) => claimed?,
        () = stop.cancelled() => None,
    };
    let Some(training) = claimed else { return Ok(false) };
    let done = tokio::select! {
        done = train(app, &training) => done,
        () = stop.cancelled() => {
            give_back(app, &training, Duration::ZERO).await;
            return Ok(false);
        }
    };
    // Neither is a try. Of what else breaks off, as of a server that dies, the lease runs out.
    if let Err(error) = &done
        && work::is_databases(error, Duration::ZERO)
    {
        give_back(app, &training, REST).await;
    }
    done.map(|()| true)
}

async fn claim(app: &AppState) -> Result<Option<Training>> {
    let mut tx = app.database.worker().await?;
    let training = repository::claim(&mut tx, QUIET, PATIENCE, LEASE).await?;
    tx.commit().await?;
    Ok(training)
}

/// If that fails, the lease runs out.
async fn give_back(app: &AppState, training: &Training, wait: Duration) {
    let given = async {
        let mut tx = app.database.tenant(&training.tenant).await?;
        repository::give_back(&mut tx, training, wait).await?;
        tx.commit().await
    };
    if !matches!(timeout(NAP, given).await, Ok(Ok(()))) {
        tracing::warn!(tenant = %training.tenant, "the training could not be given back, and waits for its lease");
    }
}

async fn train(app: &AppState, training: &Training) -> Result<()> {
    let mut tx = app.database.tenant(&training.tenant).await?;
    let (revision, examples) = repository::examples(&mut tx, MOST).await?;
    tx.commit().await?;
    let count = examples.len();
    let started = std::time::Instant::now();
    let trained = tokio::select! {
        trained = train_aside(examples) => trained?,
        () = keep(app, training) => {
            tracing::warn!(tenant = %training.tenant, "the training was taken over");
            return Ok(());
        }
    };
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

/// Keeps a training this worker's own, until it is not any more.
async fn keep(app: &AppState, training: &Training) {
    let mut pause = LEASE / 3;
    loop {
        tokio::time::sleep(pause).await;
        let extended = async {
            let mut tx = app.database.tenant(&training.tenant).await?;
            let mine = repository::extend(&mut tx, training, LEASE).await?;
            tx.commit().await?;
            Ok::<bool, sqlx::Error>(mine)
        };
        // One that hangs must leave time for the next, before the lease is over.
        pause = match timeout(LEASE / 3, extended).await {
            Ok(Ok(true)) => LEASE / 3,
            Ok(Ok(false)) => return,
            Ok(Err(_)) | Err(_) => NAP,
        };
    }
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
