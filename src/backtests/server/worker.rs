//! The work of backtests: message by message, in turns, so that each tenant's comes on and a live message never
//! waits for one.

use std::time::{Duration, Instant};

use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::{
    compare::{self, Compared, Stood},
    repository,
};
use crate::{
    backtests::dto::{BacktestOutcome, BacktestStatus, Before},
    classifier::server::service as classifier,
    emails::{
        dto::{Email, EmailDetail},
        server::{
            dry_run::{Prepared, Said},
            examine::Arrival,
            stored as emails,
        },
    },
    intents::server::versions,
    server::{
        AppState, Result, TenantTx,
        queue::{self, Job},
        work::{self, Work},
    },
    shared::{BacktestId, EmailId},
};

/// How many are run at once; of one tenant it is half, one.
const AT_ONCE: usize = 2;
/// How long a backtest is run before another tenant's has its turn.
const TURN: Duration = Duration::from_secs(2);
/// A worker that died with a message this often has probably died of it: then the message is set aside.
const CRASHES: i32 = 3;

#[derive(Clone)]
struct Backtesting;

impl Work for Backtesting {
    type Subject = BacktestId;

    fn slots(&self, _: &AppState) -> usize {
        AT_ONCE
    }

    fn bell<'a>(&self, app: &'a AppState) -> &'a Notify {
        &app.backtest_bell
    }

    async fn run(&self, app: &AppState, job: &Job<BacktestId>) -> Result<()> {
        run(app, job).await
    }
}

/// Runs backtests until `stop`, then ends the turns under way.
pub async fn work(app: AppState, stop: CancellationToken) {
    work::work(Backtesting, app, stop).await;
}

/// What a step came to.
enum Step {
    Went,
    /// No message is left.
    Done,
    /// The job is another worker's now, or the backtest is gone.
    Lost,
}

/// What the messages are run with.
struct Runs {
    draft: Prepared,
    /// Without the draft.
    saved: Prepared,
}

/// One turn: what was run stays run, so that whoever has the next one goes on from there.
async fn run(app: &AppState, job: &Job<BacktestId>) -> Result<()> {
    if job.attempts > CRASHES {
        return set_aside(app, job).await;
    }
    let Some(runs) = prepare(app, job).await? else { return Ok(()) };
    let started = Instant::now();
    loop {
        match step(app, job, &runs).await? {
            Step::Lost => return Ok(()),
            Step::Done => return end(app, job, BacktestStatus::Done, None).await,
            Step::Went if started.elapsed() < TURN => {}
            Step::Went => {
                let mut tx = app.database.tenant(&job.tenant).await?;
                queue::postpone(&mut tx, job, Duration::ZERO, None).await?;
                return Ok(tx.commit().await?);
            }
        }
    }
}

/// The intents as they stood when the backtest was asked for, with the draft among them and without it.
async fn prepare(app: &AppState, job: &Job<BacktestId>) -> Result<Option<Runs>> {
    let mut tx = app.database.tenant(&job.tenant).await?;
    if !queue::extend(&mut tx, job).await? {
        return Ok(None);
    }
    let Some(stored) = repository::take_up(&mut tx, job.subject).await? else { return Ok(None) };
    let around = versions::as_of(&mut tx, stored.revision).await?;
    let learned = classifier::learned(app, &mut tx).await?;
    tx.commit().await?;
    let (Some(intent), Some(rules)) = (read(stored.intent.0), read(stored.rules.0)) else {
        let note = "Its draft was written by another version of FlowEngine, and cannot be read any more";
        end(app, job, BacktestStatus::Failed, Some(note)).await?;
        return Ok(None);
    };
    let saved = Prepared::saved(around.clone(), learned.clone());
    Ok(Some(Runs { draft: Prepared::as_if_saved(around, intent, rules, learned), saved }))
}

fn read<T: DeserializeOwned>(stored: Value) -> Option<T> {
    serde_json::from_value(stored).ok()
}

/// A message, and how it stands.
struct Standing {
    stood: Stood,
    is_a_persons: bool,
    stored: emails::Stored,
}

async fn step(app: &AppState, job: &Job<BacktestId>, runs: &Runs) -> Result<Step> {
    let mut tx = app.database.tenant(&job.tenant).await?;
    let Some(email) = repository::next(&mut tx, job.subject).await? else { return Ok(Step::Done) };
    let Some(standing) = standing(&mut tx, email).await? else {
        // It was deleted in this moment, and its row with it.
        return Ok(Step::Went);
    };
    tx.commit().await?;
    let Standing { stood, is_a_persons, stored } = standing;
    let compared = if is_a_persons { None } else { Some(compared(app, job, runs, &stood, stored).await?) };
    let outcome = compared.as_ref().map_or(BacktestOutcome::Skipped, |compared| compared.outcome);
    let mut tx = app.database.tenant(&job.tenant).await?;
    if !queue::extend(&mut tx, job).await? {
        return Ok(Step::Lost);
    }
    repository::store(&mut tx, job.subject, email, &stood.before, compared.as_ref(), outcome).await?;
    tx.commit().await?;
    Ok(Step::Went)
}

/// What the draft changes for a message. Only one of which it may change something is run without the draft as well, on the
/// same answers: what changes between the two runs is not the draft's doing.
async fn compared(
    app: &AppState,
    job: &Job<BacktestId>,
    runs: &Runs,
    stood: &Stood,
    stored: emails::Stored,
) -> Result<Compared> {
    let said = Said { requested: stored.requested(), corrected_by: stored.corrected_by.clone() };
    let arrival = Arrival::from(stored);
    let lookups = app.lookups.for_backtest();
    let run = runs.draft.run(app, &lookups, &job.tenant, arrival.clone(), said.clone()).await?;
    let compared = compare::compare(stood, run);
    if matches!(compared.outcome, BacktestOutcome::Same | BacktestOutcome::Error) {
        return Ok(compared);
    }
    let saved = runs.saved.run(app, &lookups, &job.tenant, arrival, said).await?;
    Ok(compare::held_against_saved(compared, saved))
}

async fn standing(tx: &mut TenantTx, email: EmailId) -> Result<Option<Standing>> {
    let Some(EmailDetail { email: found, decided_by, verdicts, fields, .. }) =
        emails::find(tx, email).await?
    else {
        return Ok(None);
    };
    let Some(stored) = emails::to_run(tx, email).await? else { return Ok(None) };
    let is_a_persons = decided_by.as_deref() != Some(emails::DECIDED_BY);
    let stood = Stood { before: before(found), verdicts, fields };
    Ok(Some(Standing { stood, is_a_persons, stored }))
}

fn before(found: Email) -> Before {
    Before { intent: found.intent, decision: found.decision }
}

/// The message in hand breaks every worker: nothing is known of it, and the others are gone on with.
async fn set_aside(app: &AppState, job: &Job<BacktestId>) -> Result<()> {
    let mut tx = app.database.tenant(&job.tenant).await?;
    if !queue::extend(&mut tx, job).await? {
        return Ok(());
    }
    if let Some(email) = repository::next(&mut tx, job.subject).await? {
        tracing::warn!(tenant = %job.tenant, email_id = %email, "a message broke its backtest, and is set aside");
        let found = emails::find(&mut tx, email).await?;
        let before = found.map_or(Before { intent: None, decision: None }, |found| before(found.email));
        repository::store(&mut tx, job.subject, email, &before, None, BacktestOutcome::Error).await?;
    }
    // Afresh: the next message has its tries.
    queue::enqueue(&mut tx, &[job.subject]).await?;
    Ok(tx.commit().await?)
}

async fn end(
    app: &AppState,
    job: &Job<BacktestId>,
    status: BacktestStatus,
    note: Option<&str>,
) -> Result<()> {
    let mut tx = app.database.tenant(&job.tenant).await?;
    if queue::finish(&mut tx, job).await? {
        repository::end(&mut tx, job.subject, status, note).await?;
        tx.commit().await?;
    }
    Ok(())
}
