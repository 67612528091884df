//! One message through the engine: read, classify, extract, validate, decide, store.

use std::collections::HashMap;

use super::{
    fields::{self, Parsed},
    repository::{self, Outcome},
};
use crate::{
    classifier::{dto::percent, server::service as classifier},
    datasources::server::service as datasources,
    deliveries::server::outbox,
    emails::dto::{Classification, ClassificationMethod, Decision},
    intents::{
        dto::Intent,
        server::{
            matching::{self, Hints},
            repository as intents,
        },
    },
    rules::{
        dto::Verdict,
        server::{
            engine::{self, Judged, ReadyRule, shorten},
            service as rules,
        },
    },
    server::{
        AppState, Error, Result, TenantTx,
        error::chain,
        queue::{self, Job},
    },
    shared::EmailId,
};

/// A worker that died with a message this often has probably died of it: then a person looks at it.
const CRASHES: i32 = 10;

/// What came of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ran {
    Decided(Decision),
    /// A datasource could not be asked; the message is tried again.
    RetryLater,
    /// The job is another worker's now, or the message is gone.
    Lost,
}

/// Everything that a run needs, read in one transaction that is over before anything is asked.
struct Prepared {
    parsed: Parsed,
    intent: Option<Intent>,
    classification: Classification,
    rules: Vec<ReadyRule>,
}

/// Processes the message of a claimed job.
///
/// # Errors
/// The database's and the vault's; the job then comes up again when its lease ends.
pub async fn run(app: &AppState, job: &Job<EmailId>) -> Result<Ran> {
    // Before anything that could break once more.
    if job.attempts > app.config.job_max_attempts + CRASHES {
        return give_up(app, job).await;
    }
    let Some(prepared) = prepare(app, job).await? else { return Ok(Ran::Lost) };
    let tried_out = job.attempts >= app.config.job_max_attempts;
    let judged = engine::run(&app.lookups, &prepared.rules, &prepared.parsed.fields).await;
    if let Some(fault) = judged.iter().find(|judged| judged.transient)
        && !tried_out
    {
        return retry(app, job, &fault.entry.reason).await;
    }

    let decision = match &prepared.intent {
        None => Decision::Review,
        Some(_) if prepared.parsed.error.is_some() => Decision::Review,
        Some(_) => engine::decide(&judged),
    };
    let explanation = explain(&prepared, &judged, decision);
    let mut tx = app.database.tenant(&job.tenant).await?;
    if !queue::finish(&mut tx, job).await? {
        return Ok(Ran::Lost);
    }
    let outcome = Outcome {
        intent: prepared.intent.as_ref().map(|intent| (intent.intent_id, intent.name.as_str())),
        classification: &prepared.classification,
        fields: prepared.parsed.fields.to_json(),
        parse_error: prepared.parsed.error.as_deref(),
        decision,
        explanation: &explanation,
        verdicts: &judged.iter().map(|judged| &judged.entry).collect::<Vec<_>>(),
    };
    repository::store_outcome(&mut tx, job.subject, &outcome).await?;
    commit_with_deliveries(app, tx, job.subject).await?;
    Ok(Ran::Decided(decision))
}

/// A message that breaks every worker is for a person, with what is known of it.
async fn give_up(app: &AppState, job: &Job<EmailId>) -> Result<Ran> {
    let mut tx = app.database.tenant(&job.tenant).await?;
    if !queue::finish(&mut tx, job).await? {
        return Ok(Ran::Lost);
    }
    let explanation =
        "FlowEngine could not process this message: each attempt broke off. A person should look at it.";
    repository::decide(&mut tx, job.subject, Decision::Review, "FlowEngine", explanation).await?;
    commit_with_deliveries(app, tx, job.subject).await?;
    Ok(Ran::Decided(Decision::Review))
}

/// The decision and what its routes come to are stored together; only then does anybody look for what to send.
async fn commit_with_deliveries(app: &AppState, mut tx: TenantTx, email: EmailId) -> Result<()> {
    let is_due = outbox::write(app, &mut tx, email).await?;
    tx.commit().await?;
    if is_due {
        app.delivery_bell.notify_one();
    }
    Ok(())
}

async fn prepare(app: &AppState, job: &Job<EmailId>) -> Result<Option<Prepared>> {
    let mut tx = app.database.tenant(&job.tenant).await?;
    if !queue::extend(&mut tx, job).await? {
        return Ok(None);
    }
    let Some(stored) = repository::take_up(&mut tx, job.subject).await? else { return Ok(None) };
    let all = intents::active_by_priority(&mut tx).await?;
    let learned = classifier::learned(app, &mut tx).await?;
    tx.commit().await?;

    let (_, parsed) = fields::parse_aside(stored.raw, stored.received_at).await;
    let hints = Hints { requested: stored.requested_intent, corrected_by: stored.corrected_by, learned };
    let read = matching::read(parsed.fields, all, hints).await;
    let rules = match &read.intent {
        None => Vec::new(),
        Some(intent) => {
            let mut tx = app.database.tenant(&job.tenant).await?;
            ready_rules(app, &mut tx, intent).await?
        }
    };
    let parsed = Parsed { fields: read.fields, error: parsed.error.or(read.fault), ..parsed };
    Ok(Some(Prepared { parsed, intent: read.intent, classification: read.classification, rules }))
}

/// The intent's active rules by priority, each with the connection that its look-up needs.
async fn ready_rules(app: &AppState, tx: &mut TenantTx, intent: &Intent) -> Result<Vec<ReadyRule>> {
    let mut known = HashMap::new();
    let mut ready = Vec::new();
    for rule in rules::of_intent(tx, intent.intent_id, true).await? {
        let datasource = match rule.datasource_id {
            None => None,
            Some(id) => {
                if let std::collections::hash_map::Entry::Vacant(entry) = known.entry(id) {
                    // The foreign key sees to it that it is there.
                    let found = match datasources::find(tx, id).await? {
                        Some(datasource) => {
                            // What cannot be read, such as a secret under another key, is this rule's `error`.
                            let connection = match datasources::connection(app, tx, &datasource).await {
                                Err(error @ Error::Internal(_)) => {
                                    tracing::error!(tenant = %tx.tenant(), %id, error = %chain(&error), "no connection");
                                    Err("its config cannot be read; the server's log says why".into())
                                }
                                found => found?,
                            };
                            Some((datasource, connection))
                        }
                        None => None,
                    };
                    entry.insert(found);
                }
                known.get(&id).cloned().flatten()
            }
        };
        let conditions = rules::parsed(&rule, datasource.as_ref().map(|(datasource, _)| datasource));
        ready.push(ReadyRule {
            rule,
            conditions,
            datasource_name: datasource.as_ref().map(|(datasource, _)| datasource.name.clone()),
            connection: datasource.map(|(_, connection)| connection),
        });
    }
    Ok(ready)
}

async fn retry(app: &AppState, job: &Job<EmailId>, reason: &str) -> Result<Ran> {
    let delay = queue::backoff(app.config.job_retry_base, job.attempts);
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
    repository::requeue(&mut tx, job.subject, Some(&note)).await?;
    tx.commit().await?;
    Ok(Ran::RetryLater)
}

/// Why it was decided so, in a sentence or two.
fn explain(prepared: &Prepared, judged: &[Judged], decision: Decision) -> String {
    if let Some(error) = &prepared.parsed.error {
        return format!("The message could not be read: {error}. A person should look at it.");
    }
    let Some(intent) = &prepared.intent else {
        return match prepared.classification.method {
            ClassificationMethod::Requested | ClassificationMethod::Corrected => {
                let why = prepared.classification.because.first().map_or("", String::as_str);
                format!("No intent: {why}. A person should look at it.")
            }
            _ => match &prepared.classification.suggestion {
                None => "No intent's match conditions hold. A person should look at it.".into(),
                Some(found) => format!(
                    "No intent's match conditions hold. It looks like {} ({}), but {}. A person should look at it.",
                    found.intent,
                    percent(found.probability),
                    found.only_suggested.as_deref().unwrap_or("that intent is gone")
                ),
            },
        };
    };
    let deciding: Vec<&str> = judged
        .iter()
        .filter(|judged| engine::consequence(judged) == Some(decision))
        .map(|judged| judged.entry.reason.as_str())
        .collect();
    let warnings: Vec<&str> = judged
        .iter()
        .filter(|judged| {
            matches!(judged.entry.verdict, Verdict::Fail | Verdict::Error)
                && engine::consequence(judged).is_none()
        })
        .map(|judged| judged.entry.reason.as_str())
        .collect();
    let name = &intent.name;
    // Several rules may say the same of an absent field; it is said once.
    let list = |reasons: &[&str]| {
        let mut once: Vec<&str> = Vec::new();
        for reason in reasons {
            if !once.contains(reason) {
                once.push(reason);
            }
        }
        shorten(&once.join("; "), 1_000)
    };
    let mut text = match decision {
        Decision::Accepted if judged.is_empty() => format!("Accepted: {name} has no active rules."),
        Decision::Accepted if warnings.is_empty() => match judged.len() {
            1 => format!("Accepted: the one rule of {name} passed."),
            n => format!("Accepted: all {n} rules of {name} passed."),
        },
        Decision::Accepted => format!("Accepted: no rule of {name} speaks against it."),
        Decision::Rejected => format!("Rejected: {}.", list(&deciding)),
        Decision::Review => format!("For review: {}.", list(&deciding)),
    };
    if !warnings.is_empty() {
        text.push_str(&format!(" Worth noting: {}.", list(&warnings)));
    }
    text
}
