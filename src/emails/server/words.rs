//! A person's words on many messages at once, and taking them back.
//!
//! Each message is a transaction of its own: two hundred of them would hold up workers and other people for as long as
//! the last one takes, and one that is gone would undo the rest.

use std::{
    collections::HashSet,
    time::{Duration, Instant},
};

use serde_json::json;
use uuid::Uuid;

use super::{
    repository::{self, DECIDED_BY, Standing},
    search_repository as lists, service,
    undo_repository::{self as undo, About},
};
use crate::{
    audit::server::event::Event,
    auth::authority::Permission,
    classifier::server::service as classifier,
    deliveries::{
        dto::{NotSentAgain, SentAgain},
        server::{outbox, service as sending, under_way as deliveries},
    },
    emails::dto::{Decision, EmailFilter, MOST_AT_ONCE, WordsDone},
    server::{Error, Result, TenantContext, error::OnConstraint, queue},
    shared::{EmailId, IntentId, OFFERS_UNDO, Problem, WordId},
};

/// How long the screen's words hold back what is sent because of them: as long as the page offers that they be taken
/// back, which begins once the last of many is said. Who keeps the notice for longer is told what was sent by then.
pub const HOLD: Duration = OFFERS_UNDO.saturating_add(Duration::from_secs(15));

/// What is left of the time for which what follows from a person's word is held back: from their decision, or from a run
/// that they asked for. What programs say is not taken back.
pub fn hold_left(standing: &Standing) -> Duration {
    let is_a_persons = standing.decided_by.as_deref().is_some_and(|by| by != DECIDED_BY);
    let decided = standing.decided_ago.filter(|_| is_a_persons);
    let left = |ago| HOLD.saturating_sub(Duration::try_from_secs_f64(ago).unwrap_or_default());
    decided.into_iter().chain(standing.run_by_word_ago).map(left).max().unwrap_or_default()
}

/// A word that nobody has said before.
pub fn new_word() -> WordId {
    WordId(Uuid::new_v4())
}

/// What takes a person's decision on one message back.
///
/// # Errors
/// 403, 404, 422.
pub async fn decide_one(ctx: &TenantContext, id: EmailId, decision: Decision, note: &str) -> Result<WordId> {
    let word = new_word();
    service::decide(ctx, id, decision, note, word, HOLD).await?;
    Ok(word)
}

/// What takes a person's word on one message's intent back.
///
/// # Errors
/// 403, 404; 400 for an intent that is not there or not active.
pub async fn correct_one(ctx: &TenantContext, id: EmailId, intent: Option<IntentId>) -> Result<WordId> {
    let word = new_word();
    classifier::correct(ctx, id, intent, word).await?;
    Ok(word)
}

/// With `fitting`, only those are decided that a list still holds which is narrowed so: of messages that nobody sees, nobody
/// sees that they left it. So it is with the other words.
///
/// # Errors
/// 403, 422. What is gone by then is left out.
pub async fn decide(
    ctx: &TenantContext,
    ids: &[EmailId],
    fitting: Option<&EmailFilter>,
    decision: Decision,
    note: &str,
) -> Result<WordsDone> {
    Ok(each(ctx, ids, fitting, Word::Decide(decision, note)).await?.0)
}

/// # Errors
/// 403, 422.
pub async fn reprocess(
    ctx: &TenantContext,
    ids: &[EmailId],
    fitting: Option<&EmailFilter>,
) -> Result<WordsDone> {
    Ok(each(ctx, ids, fitting, Word::RunAgain).await?.0)
}

/// # Errors
/// 403; 422, for an intent that is not there or not active, too, before anything is done.
pub async fn correct(
    ctx: &TenantContext,
    ids: &[EmailId],
    fitting: Option<&EmailFilter>,
    intent: Option<IntentId>,
) -> Result<WordsDone> {
    ctx.require(Permission::WorkMessages)?;
    if let Some(id) = intent
        && classifier::choosable(&mut ctx.begin().await?, id).await?.is_none()
    {
        return Err(Problem::invalid_field("intent_id", format!("there is no active intent {id}")).into());
    }
    Ok(each(ctx, ids, fitting, Word::Correct(intent)).await?.0)
}

/// Sends again what was given up of them. That is not taken back: it has left.
///
/// # Errors
/// 403, 422.
pub async fn send_again(
    ctx: &TenantContext,
    ids: &[EmailId],
    fitting: Option<&EmailFilter>,
) -> Result<SentAgain> {
    let (WordsDone { done, left, sent, problem, .. }, refused) =
        each(ctx, ids, fitting, Word::SendAgain).await?;
    if sent > 0 {
        ctx.app.delivery_bell.notify_one();
    }
    Ok(SentAgain { done, left, sent, refused, problem })
}

/// The same, as the page tells it: why something is not sent is a problem there, though it breaks nothing off.
///
/// # Errors
/// As `send_again`.
pub async fn send_again_by_page(
    ctx: &TenantContext,
    ids: &[EmailId],
    fitting: Option<&EmailFilter>,
) -> Result<WordsDone> {
    let SentAgain { done, left, sent, refused, problem } = send_again(ctx, ids, fitting).await?;
    Ok(WordsDone { done, left, word: None, sent, problem: problem.or_else(|| in_words(&refused)) })
}

/// So many reasons are told: there may be one for each route.
const MOST_REASONS: usize = 3;

/// How many deliveries are not sent again, and why, if any.
fn in_words(refused: &[NotSentAgain]) -> Option<Problem> {
    let mut reasons: Vec<&str> = refused.iter().map(|refused| refused.reason.as_str()).collect();
    reasons.sort_unstable();
    reasons.dedup();
    let more = if reasons.len() > MOST_REASONS { "; and more" } else { "" };
    reasons.truncate(MOST_REASONS);
    let reasons = reasons.join("; ");
    let which = match refused.len() {
        0 => return None,
        1 => "1 delivery was".to_owned(),
        count => format!("{count} deliveries were"),
    };
    Some(Problem::business_rule(format!("{which} not sent again: {reasons}{more}")))
}

/// Takes back what the caller said of each message by this word: what was decided before it stands again, with the intent
/// and all that was found then. What has not been sent yet is not sent.
///
/// # Errors
/// 403. A message is left as it is, where the word is older than two minutes or somebody has said another one since.
pub async fn take_back(ctx: &TenantContext, ids: &[EmailId], word: WordId) -> Result<WordsDone> {
    Ok(each(ctx, ids, None, Word::TakeBack(word)).await?.0)
}

/// How many deliveries had left since the word is given.
async fn take_one_back(ctx: &TenantContext, id: EmailId, word: WordId) -> Result<usize> {
    ctx.require(Permission::WorkMessages)?;
    let mut tx = ctx.begin().await?;
    // First the job, as a worker does: both take the two rows in the same order.
    queue::cancel(&mut tx, &[id]).await?;
    let too_late = || Problem::business_rule("It is too late to take this back");
    let (about, said_at) =
        undo::last_word(&mut tx, id, word, &ctx.actor.identity()).await?.ok_or_else(too_late)?;
    let sent = deliveries::sent_since(&mut tx, id, said_at).await?;
    let restored = undo::restore(&mut tx, id).await?;
    let has_to_run = restored.has_to_run;
    if has_to_run {
        deliveries::call_off(&mut tx, id, "A person took their word back").await?;
        queue::enqueue(&mut tx, &[id])
            .await
            .on_constraint("fk_eivs_jobs_email", || service::not_found(id))?;
    }
    let what = match about {
        About::Decision => "decision",
        About::Intent => "intent",
        About::Run => "run",
    };
    ctx.audit(&mut tx, Event::done("email.take_back", id, json!({"what": what}))).await?;
    let standing = repository::standing(&mut tx, id).await?.ok_or_else(|| service::not_found(id))?;
    let hold = hold_left(&standing);
    let is_due = !has_to_run && outbox::write(&ctx.app, &mut tx, id, standing, hold).await?;
    if about == About::Intent {
        // Last, as where it is said: until the transaction ends, the tenant's other changes of examples wait.
        classifier::restore_correction(&mut tx, id, restored.example()).await?;
    }
    tx.commit().await?;
    if is_due {
        ctx.app.delivery_bell.notify_one();
    }
    if has_to_run {
        ctx.app.job_bell.notify_one();
    }
    if about == About::Intent {
        ctx.app.training_bell.notify_one();
    }
    Ok(sent)
}

/// What is said of each message.
#[derive(Clone, Copy)]
enum Word<'a> {
    Decide(Decision, &'a str),
    RunAgain,
    Correct(Option<IntentId>),
    SendAgain,
    TakeBack(WordId),
}

/// Says it of one message after the other, once of each. What is gone, does not fit, or came too late, is counted. What
/// breaks it off is told together with what was done by then. With it, which deliveries cannot be sent again.
async fn each(
    ctx: &TenantContext,
    ids: &[EmailId],
    fitting: Option<&EmailFilter>,
    word: Word<'_>,
) -> Result<(WordsDone, Vec<NotSentAgain>)> {
    ctx.require(Permission::WorkMessages)?;
    if ids.is_empty() || ids.len() > MOST_AT_ONCE {
        return Err(Problem::invalid_field("ids", format!("must be 1 to {MOST_AT_ONCE} messages")).into());
    }
    let mut once = HashSet::new();
    let mut ids: Vec<EmailId> = ids.iter().copied().filter(|id| once.insert(*id)).collect();
    let token = new_word();
    let begun = Instant::now();
    let (mut done, mut refused) = (WordsDone::default(), Vec::new());
    if let Some(filter) = fitting {
        (ids, done.left) = by_fit(ctx, filter, ids).await?;
    }
    if !matches!(word, Word::SendAgain | Word::TakeBack(_)) {
        done.word = Some(token);
    }
    for (at, &id) in ids.iter().enumerate() {
        let said = match word {
            Word::Decide(decision, note) => {
                service::decide(ctx, id, decision, note, token, HOLD).await.map(|_| 0)
            }
            Word::RunAgain => service::reprocess_by_word(ctx, id, token).await.map(|_| 0),
            Word::Correct(intent) => classifier::correct(ctx, id, intent, token).await.map(|_| 0),
            Word::SendAgain => sending::retry_given_up(ctx, id, begun).await.map(|(sent, not_sent)| {
                refused.extend(not_sent);
                sent
            }),
            Word::TakeBack(said) => take_one_back(ctx, id, said).await,
        };
        match said {
            Ok(0) if matches!(word, Word::SendAgain) => done.left.push(id),
            Ok(sent) => {
                done.done.push(id);
                done.sent += sent;
            }
            Err(Error::Problem(problem)) if is_left(word, &problem) => done.left.push(id),
            Err(error) if done.done.is_empty() && refused.is_empty() => return Err(error),
            Err(error) => {
                done.left.extend(&ids[at..]);
                done.problem = Some(error.into_problem());
                break;
            }
        }
    }
    Ok((done, refused))
}

/// Those of the messages that a list holds which is narrowed so, and the others.
async fn by_fit(
    ctx: &TenantContext,
    filter: &EmailFilter,
    ids: Vec<EmailId>,
) -> Result<(Vec<EmailId>, Vec<EmailId>)> {
    service::check_filter(filter)?;
    let fitting = lists::fitting(&mut ctx.begin().await?, filter, &ids).await?;
    Ok(ids.into_iter().partition(|id| fitting.contains(id)))
}

/// Whether that is about the one message, and the next one may do.
fn is_left(word: Word<'_>, problem: &Problem) -> bool {
    let has_its_own = matches!(word, Word::SendAgain | Word::TakeBack(_));
    problem.status == 404 || (problem.status == 400 && has_its_own)
}
