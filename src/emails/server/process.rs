//! One message through the engine, from its job to its decision on disk.

use std::time::Duration;

use super::{
    examine::{self, Conclusion, Examined},
    repository::{self, Outcome, Standing},
    words,
};
use crate::{
    classifier::server::service as classifier,
    deliveries::server::outbox,
    emails::dto::Decision,
    intents::server::{
        matching::Hints,
        versions::{self, Configuration},
    },
    rules::server::{
        engine::{self, Judged, ReadyRule},
        ready as rules,
    },
    server::{
        AppState, Result, TenantTx,
        error::chain,
        queue::{self, Job},
        work,
    },
    shared::EmailId,
};

/// A worker that died with a message this often has probably died of it: then a person looks at it.
const CRASHES: i32 = 10;

/// How long a message waits for a datasource that was not asked, before it is run again.
const SHORTEST_WAIT: Duration = Duration::from_secs(1);
const LONGEST_WAIT: Duration = Duration::from_secs(60);

/// What came of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ran {
    Decided(Decision),
    /// A datasource could not be asked; the message is tried again.
    RetryLater,
    /// The job is another worker's now, or the message is gone.
    Lost,
}

/// Everything that a run needs, read before anything is asked.
struct Prepared {
    examined: Examined,
    rules: Vec<ReadyRule>,
    /// The state of the intents that the message was held against.
    revision: i64,
}

/// Processes the message of a claimed job.
///
/// # Errors
/// The database's and the vault's; the job then comes up again, as `work` says.
pub async fn run(app: &AppState, job: &Job<EmailId>) -> Result<Ran> {
    // Before anything that could break once more.
    if job.attempts > app.config.job_max_attempts + CRASHES {
        return give_up(app, job).await;
    }
    let Some(prepared) = prepare(app, job).await? else { return Ok(Ran::Lost) };
    let tried_out = job.attempts >= app.config.job_max_attempts;
    let judged = engine::run(&app.lookups.for_message(), &prepared.rules, &prepared.examined.fields).await;
    let faults: Vec<_> = judged.iter().filter(|judged| judged.transient).collect();
    if let Some(fault) = faults.first() {
        // A datasource that was not asked has told nothing: such a run is no try.
        if faults.iter().all(|fault| fault.unasked) && job.age < app.config.job_patience {
            return wait(app, job, &fault.entry.reason).await;
        }
        if !tried_out {
            let asked = faults.iter().filter_map(|fault| fault.retry_after).max().unwrap_or_default();
            return retry(app, job, &fault.entry.reason, asked).await;
        }
    }

    let examined = &prepared.examined;
    let Conclusion { decision, mut explanation } = examine::conclude(examined, &judged);
    if examined.error.is_none() {
        explanation.extend(advice(&faults, decision));
    }
    let mut tx = app.database.tenant(&job.tenant).await?;
    if !queue::finish(&mut tx, job).await? {
        return Ok(Ran::Lost);
    }
    let outcome = Outcome {
        intent: examined.intent.as_ref(),
        revision: prepared.revision,
        classification: &examined.classification,
        fields: examined.fields.to_stored(),
        preview: &examined.preview,
        parse_error: examined.error.as_deref(),
        decision,
        explanation: &explanation,
        verdicts: &judged.iter().map(|judged| &judged.entry).collect::<Vec<_>>(),
    };
    let standing = repository::store_outcome(&mut tx, job.subject, &outcome).await?;
    commit_with_deliveries(app, tx, job.subject, standing).await?;
    app.metrics.decided(decision);
    Ok(Ran::Decided(decision))
}

/// What there is to do where datasources that may come back decided it: nobody asks them again by themselves.
fn advice(faults: &[&Judged], decision: Decision) -> Option<String> {
    let mut deciding = faults.iter().filter(|fault| engine::consequence(fault) == Some(decision));
    let first = deciding.next()?.entry.datasource.as_deref();
    let is_one = deciding.all(|fault| fault.entry.datasource.as_deref() == first);
    Some(match first {
        Some(name) if is_one => format!(" Run it again once {name} answers."),
        None if is_one => " Run it again once the datasource answers.".to_owned(),
        _ => " Run it again once they answer.".to_owned(),
    })
}

/// A message that breaks every worker is for a person, with what is known of it. If what its routes come to is what
/// breaks, it goes without: it must end. What our own database refuses for a while breaks nothing.
async fn give_up(app: &AppState, job: &Job<EmailId>) -> Result<Ran> {
    match put_up(app, job, true).await {
        Err(error) if !work::is_databases(&error, job.age) => {
            tracing::error!(tenant = %job.tenant, email_id = %job.subject, error = %chain(&error), "no deliveries");
            put_up(app, job, false).await
        }
        done => done,
    }
}

async fn put_up(app: &AppState, job: &Job<EmailId>, with_deliveries: bool) -> Result<Ran> {
    let mut tx = app.database.tenant(&job.tenant).await?;
    if !queue::finish(&mut tx, job).await? {
        return Ok(Ran::Lost);
    }
    let explanation =
        "FlowEngine could not process this message: each attempt broke off. A person should look at it.";
    repository::put_up(&mut tx, job.subject, explanation).await?;
    match repository::standing(&mut tx, job.subject).await? {
        Some(standing) if with_deliveries => {
            commit_with_deliveries(app, tx, job.subject, standing).await?;
        }
        _ => tx.commit().await?,
    }
    app.metrics.decided(Decision::Review);
    Ok(Ran::Decided(Decision::Review))
}

/// The decision and what its routes come to are stored together; only then does anybody look for what to send.
async fn commit_with_deliveries(
    app: &AppState,
    mut tx: TenantTx,
    email: EmailId,
    standing: Standing,
) -> Result<()> {
    // A person's decision may be the one that stands.
    let hold = words::hold_left(&standing);
    let is_due = outbox::write(app, &mut tx, email, standing, hold).await?;
    tx.commit().await?;
    if is_due {
        app.delivery_bell.notify_one();
    }
    Ok(())
}

async fn prepare(app: &AppState, job: &Job<EmailId>) -> Result<Option<Prepared>> {
    let mut tx = app.database.tenant(&job.tenant).await?;
    let Some(stored) = repository::take_up(&mut tx, job).await? else { return Ok(None) };
    let Configuration { revision, intents } = match stored.requested_revision {
        None => versions::current(&mut tx).await?,
        Some(revision) => versions::as_of(&mut tx, revision).await?,
    };
    let learned = classifier::learned(app, &mut tx).await?;
    tx.commit().await?;

    let (requested, corrected_by) = (stored.requested(), stored.corrected_by.clone());
    let hints = Hints { requested, corrected_by, learned, draft: None };
    let examined = examine::examine(stored.into(), intents.into(), hints).await;
    let rules = match &examined.intent {
        None => Vec::new(),
        Some(intent) => {
            let mut tx = app.database.tenant(&job.tenant).await?;
            let rules = versions::active_rules(&mut tx, intent).await?;
            rules::ready(app, &mut tx, &rules).await?
        }
    };
    Ok(Some(Prepared { examined, rules, revision }))
}

/// Gives the message back without a try spent, the longer the older it is.
async fn wait(app: &AppState, job: &Job<EmailId>, reason: &str) -> Result<Ran> {
    let delay = (job.age / 2).clamp(SHORTEST_WAIT, LONGEST_WAIT).mul_f64(rand::random_range(1.0..1.5));
    let mut tx = app.database.tenant(&job.tenant).await?;
    if !queue::postpone(&mut tx, job, delay, Some(reason)).await? {
        return Ok(Ran::Lost);
    }
    repository::requeue(&mut tx, job.subject, &format!("Waiting: {reason}.")).await?;
    tx.commit().await?;
    Ok(Ran::RetryLater)
}

/// Not before the datasource wants to be asked again.
async fn retry(app: &AppState, job: &Job<EmailId>, reason: &str, at_least: Duration) -> Result<Ran> {
    // Messages that were told the same do not all come back together.
    let at_least = at_least.mul_f64(rand::random_range(1.0..1.5));
    let delay = queue::backoff(app.config.job_retry_base, job.attempts).max(at_least);
    let note = format!(
        "{reason}. Tried {} of {} times; the next try is in about {} s.",
        job.attempts,
        app.config.job_max_attempts,
        delay.as_secs().max(1)
    );
    let mut tx = app.database.tenant(&job.tenant).await?;
    if !queue::retry_later(&mut tx, job, delay, reason).await? {
        return Ok(Ran::Lost);
    }
    repository::requeue(&mut tx, job.subject, &note).await?;
    tx.commit().await?;
    Ok(Ran::RetryLater)
}
