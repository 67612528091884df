//! Business rules of backtests.

use serde_json::json;
use uuid::Uuid;

use super::repository;
use crate::{
    audit::server::event::Event,
    auth::authority::Permission,
    backtests::dto::{Backtest, BacktestChange, BacktestInput, BacktestOutcome, MAX_MESSAGES},
    emails::server::dry_run::{self, Draft},
    server::{
        Result, TenantContext, TenantTx,
        aside::{self, Turn},
        paging::Page,
        queue,
    },
    shared::{BacktestId, EmailId, Problem},
};

/// What one tenant may keep: each holds something of up to 1,000 messages.
const MAX_BACKTESTS: i64 = 100;
/// How many of these one person or key may have under way: a program that begins one after the other leaves room for its
/// colleagues.
const MAX_OF_ONE: i64 = 25;
/// For how many days one is kept that has ended: longer, if none is begun.
const KEPT_DAYS: i32 = 1;

/// Begins a backtest of a draft over the latest decided messages. It is run in the background. Whoever begins one makes
/// room: who closes an editor leaves theirs behind.
///
/// # Errors
/// 403: a draft needs the editor's role, since its look-ups are made with the tenant's credentials; 400, 404, 409
/// and 422 as for saving the draft; 400 where too many are under way, of the tenant or of whoever begins one.
pub async fn start(ctx: &TenantContext, input: BacktestInput) -> Result<Backtest> {
    ctx.require(Permission::Configure)?;
    if !(1..=MAX_MESSAGES).contains(&input.last) {
        return Err(Problem::invalid_field("last", format!("must be from 1 to {MAX_MESSAGES}")).into());
    }
    // Before anything is read or counted for it: whoever waits would hold that.
    let _turn = aside::turn_of(&ctx.tenant, Turn::Try).await;
    let BacktestInput { intent, intent_id, validation_rules, last } = input;
    let draft = Draft::checked(ctx, intent, intent_id, validation_rules).await?;
    let by = ctx.actor.label();
    let mut tx = ctx.begin().await?;
    check_own(&mut tx, &by).await?;
    make_room(&mut tx).await?;
    let prepared = dry_run::prepare(ctx, &mut tx, draft).await?;
    let (intent, rules) =
        prepared.draft.as_ref().ok_or_else(|| Problem::invalid_field("intent", "is missing"))?;
    let id = BacktestId(Uuid::now_v7());
    repository::insert(&mut tx, id, intent_id, (intent, rules), prepared.revision, &by, last).await?;
    queue::enqueue(&mut tx, &[id]).await?;
    let backtest = repository::find(&mut tx, id).await?.ok_or_else(|| not_found(id))?;
    let detail = json!({"intent_id": intent_id, "intent": intent.name, "last": last});
    ctx.audit(&mut tx, Event::done("backtest.start", id, detail)).await?;
    tx.commit().await?;
    ctx.app.backtest_bell.notify_one();
    Ok(backtest)
}

/// Whether whoever begins one may have another one under way.
async fn check_own(tx: &mut TenantTx, by: &str) -> Result<()> {
    if repository::count_under_way(tx, by).await? < MAX_OF_ONE {
        return Ok(());
    }
    let sentence = format!(
        "{by} can have at most {MAX_OF_ONE} backtests under way. Wait until one has ended, or delete one"
    );
    Err(Problem::business_rule(sentence).into())
}

/// Takes away what ended long ago, and of the rest what ended first, as far as another one needs its place.
async fn make_room(tx: &mut TenantTx) -> Result<()> {
    repository::delete_old(tx, KEPT_DAYS).await?;
    let too_many = repository::count(tx).await? - (MAX_BACKTESTS - 1);
    if too_many > 0 && repository::delete_ended(tx, too_many).await? < too_many.unsigned_abs() {
        let sentence = format!(
            "A tenant can have at most {MAX_BACKTESTS} backtests under way. Wait until one has ended, or delete one"
        );
        return Err(Problem::business_rule(sentence).into());
    }
    Ok(())
}

/// Newest first.
///
/// # Errors
/// 403.
pub async fn list(ctx: &TenantContext, page: Page<BacktestId>) -> Result<Vec<Backtest>> {
    ctx.require(Permission::Read)?;
    Ok(repository::list(&mut ctx.begin().await?, None, page.cursor, page.limit).await?)
}

/// # Errors
/// 403, 404.
pub async fn get(ctx: &TenantContext, id: BacktestId) -> Result<Backtest> {
    ctx.require(Permission::Read)?;
    repository::find(&mut ctx.begin().await?, id).await?.ok_or_else(|| not_found(id).into())
}

/// The messages of one outcome, the latest first.
///
/// # Errors
/// 403, 404.
pub async fn changes(
    ctx: &TenantContext,
    id: BacktestId,
    outcome: BacktestOutcome,
    page: Page<EmailId>,
) -> Result<Vec<BacktestChange>> {
    ctx.require(Permission::Read)?;
    let mut tx = ctx.begin().await?;
    repository::find(&mut tx, id).await?.ok_or_else(|| not_found(id))?;
    Ok(repository::changes(&mut tx, id, outcome, page.cursor, page.limit).await?)
}

/// Takes a backtest away. One that is under way is called off.
///
/// # Errors
/// 403, 404.
pub async fn delete(ctx: &TenantContext, id: BacktestId) -> Result<()> {
    ctx.require(Permission::Configure)?;
    let mut tx = ctx.begin().await?;
    // First the job, as a worker does: both take the two rows in the same order.
    queue::cancel(&mut tx, &[id]).await?;
    if !repository::delete(&mut tx, id).await? {
        return Err(not_found(id).into());
    }
    ctx.audit(&mut tx, Event::done("backtest.delete", id, json!(null))).await?;
    Ok(tx.commit().await?)
}

fn not_found(id: BacktestId) -> Problem {
    Problem::not_found("Backtest", id)
}
