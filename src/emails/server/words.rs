//! A person's words on many messages at once, and taking them back.
//!
//! Each message is a transaction of its own: two hundred of them would hold up workers and other people for as long as
//! the last one takes, and one that is gone would undo the rest.

use std::time::Duration;

use serde_json::json;

use super::{
    repository, service,
    undo_repository::{self as undo, LastWord},
};
use crate::{
    audit::server::event::Event,
    auth::authority::Permission,
    classifier::server::service as classifier,
    deliveries::server::{outbox, repository as deliveries},
    emails::dto::{Decision, Versions, WordsDone},
    server::{Error, Result, TenantContext, error::OnConstraint, queue},
    shared::{EmailId, IntentId, Problem},
};

/// How long the screen's decisions hold back what is sent because of them.
pub const HOLD: Duration = Duration::from_secs(15);

/// More would not be looked at before they are chosen.
const MOST: usize = 200;

/// # Errors
/// 403, 422. What is gone by then is left out.
pub async fn decide(
    ctx: &TenantContext,
    ids: &[EmailId],
    decision: Decision,
    note: &str,
) -> Result<WordsDone> {
    each(ctx, ids, Word::Decide(decision, note)).await
}

/// # Errors
/// 403.
pub async fn reprocess(ctx: &TenantContext, ids: &[EmailId]) -> Result<WordsDone> {
    each(ctx, ids, Word::RunAgain).await
}

/// # Errors
/// 403; 400 for an intent that is not there or not active.
pub async fn correct(ctx: &TenantContext, ids: &[EmailId], intent: Option<IntentId>) -> Result<WordsDone> {
    each(ctx, ids, Word::Correct(intent)).await
}

/// Takes the last word on each message back: the decision that was before it stands again, or the intent that was
/// before it is the message's again. What has not been sent yet is not sent.
///
/// # Errors
/// 403. A message on which there is no word of the last two minutes is left as it is.
pub async fn take_back(ctx: &TenantContext, ids: &[EmailId]) -> Result<WordsDone> {
    each(ctx, ids, Word::TakeBack).await
}

async fn take_one_back(ctx: &TenantContext, id: EmailId) -> Result<()> {
    ctx.require(Permission::WorkMessages)?;
    let mut tx = ctx.begin().await?;
    // First the job, as a worker does: both take the two rows in the same order.
    queue::cancel(&mut tx, &[id]).await?;
    let nothing = || Problem::business_rule("There is nothing left to take back");
    let word = undo::last_word(&mut tx, id).await?.ok_or_else(nothing)?;
    let has_to_run = match word {
        LastWord::Decision => undo::restore_decision(&mut tx, id).await?,
        LastWord::Intent => {
            let (intent, by) = undo::restore_intent(&mut tx, id).await?;
            classifier::restore_correction(&mut tx, id, intent.filter(|_| by.is_some()).as_deref()).await?;
            true
        }
    };
    if has_to_run {
        deliveries::cancel_outdated(&mut tx, id, None, "A person took their word back").await?;
        queue::enqueue(&mut tx, &[id])
            .await
            .on_constraint("fk_eivs_jobs_email", || service::not_found(id))?;
    }
    let what = match word {
        LastWord::Decision => "decision",
        LastWord::Intent => "intent",
    };
    ctx.audit(&mut tx, Event::done("email.take_back", id, json!({"what": what}))).await?;
    let standing = repository::standing(&mut tx, id).await?.ok_or_else(|| service::not_found(id))?;
    let is_due = !has_to_run && outbox::write(&ctx.app, &mut tx, id, standing, Duration::ZERO).await?;
    tx.commit().await?;
    if is_due {
        ctx.app.delivery_bell.notify_one();
    }
    if has_to_run {
        ctx.app.job_bell.notify_one();
    }
    if word == LastWord::Intent {
        ctx.app.training_bell.notify_one();
    }
    Ok(())
}

/// What is said of each message.
#[derive(Clone, Copy)]
enum Word<'a> {
    Decide(Decision, &'a str),
    RunAgain,
    Correct(Option<IntentId>),
    TakeBack,
}

/// Says it of one message after the other. What cannot be said of one of several is counted; what would be refused for
/// each ends it.
async fn each(ctx: &TenantContext, ids: &[EmailId], word: Word<'_>) -> Result<WordsDone> {
    ctx.require(Permission::WorkMessages)?;
    if ids.is_empty() || ids.len() > MOST {
        return Err(Problem::invalid_field("ids", format!("must be 1 to {MOST} messages")).into());
    }
    let mut done = WordsDone { done: Vec::with_capacity(ids.len()), left: Vec::new() };
    for &id in ids {
        let said = match word {
            Word::Decide(decision, note) => service::decide(ctx, id, decision, note, HOLD).await.map(drop),
            Word::RunAgain => service::reprocess(ctx, id, Versions::Today).await.map(drop),
            Word::Correct(intent) => classifier::correct(ctx, id, intent).await.map(drop),
            Word::TakeBack => take_one_back(ctx, id).await,
        };
        match said {
            Ok(()) => done.done.push(id),
            Err(Error::Problem(problem))
                if problem.status == 404 || (problem.status == 400 && ids.len() > 1) =>
            {
                done.left.push(id);
            }
            Err(error) => return Err(error),
        }
    }
    Ok(done)
}
