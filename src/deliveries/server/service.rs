//! Business rules of deliveries.

use std::time::Instant;

use serde_json::{Value, json};

use super::{outbox, repository};
use crate::{
    audit::server::event::Event,
    auth::authority::Permission,
    deliveries::dto::{Delivery, DeliveryDetail, DeliveryFilter, DeliveryStatus, NotSentAgain},
    emails::server::stored as emails,
    routes::{dto::RouteKind, server::reading as routes},
    server::{Result, TenantContext, TenantTx, error::OnConstraint, queue},
    shared::{DeliveryId, EmailId, Problem},
};

/// Newest first.
///
/// # Errors
/// The database's.
pub async fn list(
    ctx: &TenantContext,
    filter: &DeliveryFilter,
    before: Option<DeliveryId>,
    limit: i64,
) -> Result<Vec<Delivery>> {
    ctx.require(Permission::Read)?;
    Ok(repository::list(&mut ctx.begin().await?, filter, before, limit).await?)
}

/// # Errors
/// 404.
pub async fn get(ctx: &TenantContext, id: DeliveryId) -> Result<DeliveryDetail> {
    ctx.require(Permission::Read)?;
    let mut tx = ctx.begin().await?;
    let row = repository::find(&mut tx, id).await?.ok_or_else(|| not_found(id))?;
    Ok(row.into_detail(&tx))
}

/// What a delivery says. Who had a mail before it was sent a second time stands beside that, and in no mail.
///
/// # Errors
/// 404.
pub async fn said(ctx: &TenantContext, id: DeliveryId) -> Result<Value> {
    let mut payload = get(ctx, id).await?.payload;
    if let Some(members) = payload.as_object_mut() {
        members.remove(repository::HAD_IT);
    }
    Ok(payload)
}

/// Sends a delivery that was given up, or waits for its next try, now: once also where its receiver is left alone, and
/// then tried for as long as a new one; of a forward's recipients, to those who do not have it. With `again`, one that was
/// delivered is sent a second time, under its id, to all whom it goes to: a receiver may lose what it took. Where that is
/// called off, it is delivered as before.
///
/// # Errors
/// 403, 404; 400 where it neither was given up nor waits, is being sent, is a label that was set, its route is gone or for
/// other messages now, or the message was decided otherwise since; 409 where the route has a newer one for the message.
pub async fn retry(ctx: &TenantContext, id: DeliveryId, again: bool) -> Result<Delivery> {
    ctx.require(Permission::WorkMessages)?;
    let asked = Instant::now();
    let mut tx = ctx.begin().await?;
    let row = repository::find(&mut tx, id).await?.ok_or_else(|| not_found(id))?;
    // Whoever decides holds the message too: until this is done, its outcome and deliveries stay what they are.
    emails::lock(&mut tx, row.email_id).await?;
    if let Some(refusal) = refusal(&mut tx, &row).await? {
        return Err(refusal.into());
    }
    if again {
        take_for_lost(&mut tx, &row).await?;
    }
    let delivery = send_now(ctx, &mut tx, id, asked).await?;
    tx.commit().await?;
    ctx.app.delivery_bell.notify_one();
    Ok(delivery)
}

/// Sends again what was given up of a message, each as `retry` does; what waits, or was given up before its route did
/// something newer for the message, is left alone. Gives how many are sent, and which cannot be. Once it is said of many
/// messages, the deliveries' bell is to be rung; `asked` is when somebody began to say it.
///
/// # Errors
/// 403, 404. Then none of the message is sent; so it is with 400 too, where one of them arrived at this very moment.
pub async fn retry_given_up(
    ctx: &TenantContext,
    email: EmailId,
    asked: Instant,
) -> Result<(usize, Vec<NotSentAgain>)> {
    ctx.require(Permission::WorkMessages)?;
    let mut tx = ctx.begin().await?;
    // As above.
    emails::lock(&mut tx, email).await?;
    if emails::standing(&mut tx, email).await?.is_none() {
        return Err(Problem::not_found("Email", email).into());
    }
    let (mut sent, mut refused) = (0, Vec::new());
    for row in repository::given_up(&mut tx, email).await? {
        let delivery_id = row.delivery_id;
        match refusal(&mut tx, &row).await? {
            Some(problem) => {
                refused.push(NotSentAgain { email_id: email, delivery_id, reason: problem.detail });
            }
            None => {
                send_now(ctx, &mut tx, delivery_id, asked).await?;
                sent += 1;
            }
        }
    }
    tx.commit().await?;
    Ok((sent, refused))
}

/// Lets a delivery that arrived be sent a second time. It is the last of its route, and its message is locked.
async fn take_for_lost(tx: &mut TenantTx, row: &repository::Row) -> Result<()> {
    let last = repository::last_of_each(tx, row.email_id).await?;
    let Some(last) = last.iter().find(|last| last.delivery_id == row.delivery_id) else { return Ok(()) };
    if last.status == DeliveryStatus::Delivered && last.kind == RouteKind::Label {
        return Err(Problem::business_rule("A label that was set has nothing to send again").into());
    }
    Ok(repository::take_for_lost(tx, row.delivery_id, &outbox::have_it(last)).await?)
}

/// Makes a delivery due, and tells of it in the log. Its message is locked, and it was found that nothing is against it.
async fn send_now(
    ctx: &TenantContext,
    tx: &mut TenantTx,
    id: DeliveryId,
    asked: Instant,
) -> Result<Delivery> {
    // A worker that has it may have sent it already: it is not to be sent beside that.
    let is_claimed = repository::is_claimed(tx, id).await?;
    queue::enqueue(tx, &[id]).await?;
    let revived =
        repository::revive(tx, id, asked).await.on_constraint("uq_eivs_deliveries_pending", newer)?;
    let row = repository::find(tx, id).await?.ok_or_else(|| not_found(id))?;
    if is_claimed || !revived {
        return Err(Problem::business_rule(why_not(row.status)).into());
    }
    let delivery = row.into_delivery(tx);
    // One that arrived before is its receiver's a second time.
    let detail = json!({
        "route": delivery.route_name,
        "email_id": delivery.email_id,
        "again": delivery.delivered_at.is_some(),
    });
    ctx.audit(tx, Event::done("delivery.retry", id, detail)).await?;
    Ok(delivery)
}

/// Why it is not to be sent any more, if so.
async fn refusal(tx: &mut TenantTx, row: &repository::Row) -> Result<Option<Problem>> {
    let refuse = |why: String| Ok(Some(Problem::business_rule(why)));
    let route = match row.route_id {
        Some(id) => routes::if_there(tx, id).await?,
        None => None,
    };
    let Some(route) = route else {
        return refuse(format!("The route '{}' was deleted, so this cannot be sent again", row.route_name));
    };
    if !route.is_for(row.decision, row.intent_id) {
        return refuse(repository::UNFIT.into());
    }
    let standing = emails::standing(tx, row.email_id).await?;
    let is_outdated = standing.is_none_or(|standing| {
        standing.decision.is_none_or(|decision| {
            let (intent_id, intent) = (standing.intent_id, standing.intent_name.as_deref());
            let now = repository::Outcome { decision, intent_id, intent, run: standing.run };
            !now.is(row.decision, row.intent_id, row.intent_name.as_deref())
        })
    });
    if is_outdated {
        return refuse("The message was decided otherwise since, so this is out of date".into());
    }
    let last = repository::last_of_each(tx, row.email_id).await?;
    let is_last =
        |last: &repository::Last| Some(last.route_id) != row.route_id || last.delivery_id == row.delivery_id;
    Ok((!last.iter().all(is_last)).then(newer))
}

/// Why one that has come so far is not sent again.
fn why_not(status: DeliveryStatus) -> String {
    match status {
        DeliveryStatus::Pending => "It is on its way already".to_owned(),
        ended => format!("Only a delivery that failed or waits can be sent again; this one is {ended}"),
    }
}

fn newer() -> Problem {
    Problem::new(409, "There is a newer delivery of this route for the message")
}

fn not_found(id: DeliveryId) -> Problem {
    Problem::not_found("Delivery", id)
}
