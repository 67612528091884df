//! Business rules of messages.

use std::{
    collections::{BTreeSet, HashSet},
    sync::Arc,
    time::Duration,
};

use chrono::{DateTime, Utc};
use serde_json::json;
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::{
    fields::{self, Parsed},
    preview,
    repository::{self, Speaker},
    search_repository as lists,
};
use crate::{
    audit::server::service::{self as audit, Event},
    auth::authority::Permission,
    deliveries::server::{outbox, under_way as deliveries},
    emails::dto::{
        Decision, Email, EmailDetail, EmailFilter, EmailPage, EmailStatus, Envelope, MOST_AT_ONCE,
        Neighbours, Received, Versions,
    },
    intents::{dto::Intent, server::reading as intents},
    server::{
        Actor, AppState, Result, TenantContext, TenantTx, aside::Turn, error::OnConstraint, origin::Origin,
        queue,
    },
    shared::{EmailId, MailboxId, Problem, TenantId, WordId, validate::Checks},
};

/// Takes a message in: its bytes, what was read of it, and its job are one transaction. When this returns, they
/// are on disk.
///
/// # Errors
/// 422 for an empty body or an unknown intent; then nothing is stored. 403.
pub async fn receive(
    ctx: &TenantContext,
    source: &str,
    raw: Vec<u8>,
    intent: Option<&str>,
) -> Result<Received> {
    ctx.require(Permission::WorkMessages)?;
    if raw.is_empty() {
        return Err(Problem::invalid_field("body", "is empty: it must be a message (RFC 5322)").into());
    }
    let read = ReadMessage::of(raw).await;
    let mut tx = ctx.begin().await?;
    let intent = match intent {
        None => None,
        Some(name) => Some(named(&mut tx, name).await?),
    };
    let via = Via { source, intent: intent.as_ref(), mailbox: None };
    let received = store(&mut tx, &ctx.actor, &ctx.origin, &read, &via).await?;
    tx.commit().await?;
    ctx.app.job_bell.notify_one();
    Ok(received)
}

/// The active intent of that name, which somebody asks for.
async fn named(tx: &mut TenantTx, name: &str) -> Result<Intent> {
    let found = intents::by_name(tx, name).await?.filter(|intent| intent.is_active);
    let unknown = || Problem::invalid_field("intent", format!("there is no active intent '{name}'"));
    Ok(found.ok_or_else(unknown)?)
}

/// A message, and what was read of it.
pub struct ReadMessage {
    raw: Arc<Vec<u8>>,
    parsed: Parsed,
    received_at: DateTime<Utc>,
}

impl ReadMessage {
    pub async fn of(raw: Vec<u8>) -> Self {
        let received_at = Utc::now();
        let (raw, parsed) = fields::parse_aside(raw, received_at).await;
        Self { raw: Arc::new(raw), parsed, received_at }
    }

    pub fn raw(&self) -> &Arc<Vec<u8>> {
        &self.raw
    }

    /// The address of whoever it says it is from; empty where it does not.
    pub fn sender(&self) -> &str {
        self.parsed.fields.get("sender_email").unwrap_or_default()
    }

    /// What it calls itself; empty where it does not.
    pub fn message_id(&self) -> &str {
        &self.parsed.message_id
    }

    /// What tells it from others: its bytes, and where it was handed on by a mail server whom that named. The same bytes
    /// for somebody else, or from somebody else, are another message: a copy sent first by a stranger would otherwise
    /// keep the genuine one out.
    ///
    /// What is handed on without an id may be said again and meant: a door that was open yesterday, and is today. So
    /// the hour tells, too: a repeat comes soon after an answer that was lost. One that comes in the next hour already
    /// is stored twice: better than once too few.
    fn hash(&self, envelope: Option<&Envelope>) -> [u8; 32] {
        let Some(Envelope { from: Some(from), to, .. }) = envelope else { return hash_of_bytes(&self.raw) };
        let mut hash = Sha256::new();
        hash.update(&*self.raw);
        let to: BTreeSet<String> = to.iter().map(|address| address.to_lowercase()).collect();
        for address in std::iter::once(from).chain(&to) {
            hash.update([0]);
            hash.update(address);
        }
        if self.message_id().is_empty() {
            hash.update([0]);
            hash.update(self.received_at.format("%Y-%m-%dT%H").to_string());
        }
        hash.finalize().into()
    }
}

/// What tells a message from others that no mail server handed on: its bytes, which need not be read as a message.
pub fn hash_of_bytes(raw: &[u8]) -> [u8; 32] {
    Sha256::digest(raw).into()
}

/// Those of these hashes whose messages came from the source before: `receive` would leave them as they are.
///
/// # Errors
/// The database's.
pub async fn known(ctx: &TenantContext, source: &str, hashes: &[[u8; 32]]) -> Result<HashSet<[u8; 32]>> {
    let found = repository::known(&mut ctx.begin().await?, source, hashes).await?;
    Ok(found.into_iter().collect())
}

/// The way by which a message came.
pub struct Via<'a> {
    /// The same message is taken once from each.
    pub source: &'a str,
    /// The intent that whoever sent it asks for.
    pub intent: Option<&'a Intent>,
    pub mailbox: Option<(MailboxId, &'a Envelope)>,
}

/// Stores a message, what was read of it and its job, in the caller's transaction. One that is there already is left as it
/// is.
///
/// # Errors
/// The database's.
pub async fn store(
    tx: &mut TenantTx,
    actor: &Actor,
    origin: &Origin,
    message: &ReadMessage,
    via: &Via<'_>,
) -> Result<Received> {
    let mut fields = message.parsed.fields.clone();
    if let Some((_, envelope)) = via.mailbox {
        fields.set_envelope(envelope);
    }
    let text = |name: &str| fields.get(name).unwrap_or_default();
    let email = repository::NewEmail {
        email_id: EmailId(Uuid::now_v7()),
        source: via.source,
        message_id: &message.parsed.message_id,
        content_hash: message.hash(via.mailbox.map(|(_, envelope)| envelope)),
        raw: &message.raw,
        parse_error: message.parsed.error.as_deref(),
        sender_email: text("sender_email"),
        sender_name: text("sender_name"),
        recipient_email: text("recipient_email"),
        subject: text("subject"),
        preview: &preview::of(&message.parsed),
        received_at: message.received_at,
        requested_intent: via.intent,
        mailbox: via.mailbox.map(|(id, _)| id),
        envelope: via.mailbox.map(|(_, envelope)| envelope),
        fields: fields.to_stored(),
    };
    let Some(email_id) = repository::insert(tx, &email).await? else {
        let (email_id, status) = repository::find_duplicate(tx, &email).await?;
        return Ok(Received { email_id, status, duplicate: true });
    };
    queue::enqueue(tx, &[email_id]).await?;
    // Nothing of the message: the log outlives it.
    let source = match via.mailbox {
        Some((_, envelope)) => format!("mailbox {}", envelope.mailbox),
        None => via.source.to_owned(),
    };
    let event = Event::done("email.receive", email_id, json!({"source": source}));
    audit::record(tx, actor, origin, event).await?;
    Ok(Received { email_id, status: EmailStatus::Queued, duplicate: false })
}

/// A page, newest first, of what is older than `before`.
///
/// # Errors
/// 422; the database's.
pub async fn page(
    ctx: &TenantContext,
    filter: &EmailFilter,
    before: Option<EmailId>,
    limit: i64,
) -> Result<EmailPage> {
    page_again(ctx, filter, before, limit, &[]).await
}

/// The same for who shows these messages already, of which `MOST_AT_ONCE` are looked at: with it, how those of them stand
/// that are the list's no more.
///
/// # Errors
/// As `page`.
pub async fn page_again(
    ctx: &TenantContext,
    filter: &EmailFilter,
    before: Option<EmailId>,
    limit: i64,
    shown: &[EmailId],
) -> Result<EmailPage> {
    ctx.require(Permission::Read)?;
    check_filter(filter)?;
    let mut tx = begin_list(ctx, filter).await?;
    let mut page = lists::page(&mut tx, filter, before, limit).await?;
    let is_reached = |id: EmailId| page.next.is_none_or(|next| id >= next);
    let is_held = |id: EmailId| page.emails.iter().any(|email| email.email_id == id);
    let first = shown.iter().copied().take(MOST_AT_ONCE);
    let left: Vec<EmailId> = first.filter(|id| is_reached(*id) && !is_held(*id)).collect();
    if !left.is_empty() {
        page.left = lists::of_ids(&mut tx, &left).await?;
    }
    Ok(page)
}

/// What may read much for a page first waits for a turn of its tenant's.
async fn begin_list(ctx: &TenantContext, filter: &EmailFilter) -> Result<TenantTx> {
    if lists::is_search(filter) {
        ctx.begin_in_turn(Turn::Search).await
    } else if filter.to.is_some()
        || filter.decided_after.is_some()
        || filter.decided_before.is_some()
        || lists::is_of_few(filter)
    {
        // All is passed by that came later, was decided at another time, or is among the few no longer.
        ctx.begin_in_turn(Turn::Count).await
    } else {
        ctx.begin().await
    }
}

/// The messages of a page alone.
///
/// # Errors
/// 422; the database's.
pub async fn list(
    ctx: &TenantContext,
    filter: &EmailFilter,
    before: Option<EmailId>,
    limit: i64,
) -> Result<Vec<Email>> {
    Ok(page(ctx, filter, before, limit).await?.emails)
}

/// Which messages stand beside this one in a list that is narrowed so. The list need not hold the message itself: it may
/// just have been decided out of it. Of a search, none where it is further away than a page of it looks.
///
/// # Errors
/// 422; the database's.
pub async fn neighbours(ctx: &TenantContext, filter: &EmailFilter, of: EmailId) -> Result<Neighbours> {
    ctx.require(Permission::Read)?;
    check_filter(filter)?;
    Ok(lists::neighbours(&mut begin_list(ctx, filter).await?, filter, of).await?)
}

pub(super) fn check_filter(filter: &EmailFilter) -> Result<(), Problem> {
    let mut checks = Checks::default();
    for (name, text) in [("q", &filter.q), ("label", &filter.label)] {
        checks.asked_text(name, text.as_deref());
    }
    for (name, time) in [
        ("from", filter.from),
        ("to", filter.to),
        ("decided_after", filter.decided_after),
        ("decided_before", filter.decided_before),
    ] {
        checks.asked_time(name, time);
    }
    checks.finish()
}

/// # Errors
/// 404.
pub async fn get(ctx: &TenantContext, id: EmailId) -> Result<EmailDetail> {
    ctx.require(Permission::Read)?;
    find(&ctx.app, &ctx.tenant, id).await
}

/// # Errors
/// 404.
pub async fn find(app: &AppState, tenant: &TenantId, id: EmailId) -> Result<EmailDetail> {
    detail(&mut app.database.tenant(tenant).await?, id).await
}

async fn detail(tx: &mut TenantTx, id: EmailId) -> Result<EmailDetail> {
    let mut detail = repository::find(tx, id).await?.ok_or_else(|| not_found(id))?;
    detail.deliveries = deliveries::of_message(tx, id).await?;
    Ok(detail)
}

/// The bytes as they came.
///
/// # Errors
/// 404.
pub async fn raw(ctx: &TenantContext, id: EmailId) -> Result<Vec<u8>> {
    ctx.require(Permission::Read)?;
    repository::raw(&mut ctx.begin().await?, id).await?.ok_or_else(|| not_found(id).into())
}

/// Runs the message again, with today's intents and rules or with those that decided it.
///
/// # Errors
/// 403, 404; 400 where FlowEngine has not decided it yet, so that there are no versions of a decision.
pub async fn reprocess(ctx: &TenantContext, id: EmailId, with: Versions) -> Result<Received> {
    run_again(ctx, id, with, None, None).await
}

/// Runs the message again with today's intents and rules, which is taken back by `word`.
///
/// # Errors
/// 403, 404.
pub async fn reprocess_by_word(ctx: &TenantContext, id: EmailId, word: WordId) -> Result<Received> {
    run_again(ctx, id, Versions::Today, None, Some(word)).await
}

/// Runs the message again with today's intents, as one that is handed in anew: the intent that is asked for, if any, takes
/// the place of whatever was asked for or said of it before. What was learned from a correction stays.
///
/// # Errors
/// 403, 404; 422 for an unknown intent.
pub async fn receive_again(ctx: &TenantContext, id: EmailId, intent: Option<&str>) -> Result<Received> {
    run_again(ctx, id, Versions::Today, intent, None).await
}

async fn run_again(
    ctx: &TenantContext,
    id: EmailId,
    with: Versions,
    intent: Option<&str>,
    word: Option<WordId>,
) -> Result<Received> {
    ctx.require(Permission::WorkMessages)?;
    let (identity, label) = (ctx.actor.identity(), ctx.actor.label());
    let by = word.map(|word| Speaker { word, identity: &identity, label: &label });
    let mut tx = ctx.begin().await?;
    // First the job, as a worker does: both take the two rows in the same order.
    queue::enqueue(&mut tx, &[id]).await.on_constraint("fk_eivs_jobs_email", || not_found(id))?;
    if let Some(name) = intent {
        let intent = named(&mut tx, name).await?;
        if !repository::request(&mut tx, id, &intent).await? {
            return Err(not_found(id).into());
        }
    }
    let revision = match with {
        Versions::Today => None,
        Versions::Decision => {
            let standing = repository::standing(&mut tx, id).await?.ok_or_else(|| not_found(id))?;
            let undecided = || Problem::business_rule("FlowEngine has not decided this message yet");
            Some(standing.configuration_revision.ok_or_else(undecided)?)
        }
    };
    if !repository::run_again(&mut tx, id, revision, by).await? {
        return Err(not_found(id).into());
    }
    let mut detail = json!({"versions": with});
    if let Some(name) = intent {
        detail["intent"] = name.into();
    }
    ctx.audit(&mut tx, Event::done("email.reprocess", id, detail)).await?;
    tx.commit().await?;
    ctx.app.job_bell.notify_one();
    Ok(Received { email_id: id, status: EmailStatus::Queued, duplicate: false })
}

/// Sets a person's decision, which is taken back by `word`. A run that is under way is called off. What is sent because of
/// it is held back for `hold`.
///
/// # Errors
/// 403, 404, 422.
pub async fn decide(
    ctx: &TenantContext,
    id: EmailId,
    decision: Decision,
    note: &str,
    word: WordId,
    hold: Duration,
) -> Result<EmailDetail> {
    ctx.require(Permission::WorkMessages)?;
    let mut checks = Checks::default();
    let note = checks.text("note", note.trim(), 2_000);
    checks.finish()?;
    let by = ctx.actor.label();
    let said = match decision {
        Decision::Accepted => "Accepted",
        Decision::Rejected => "Rejected",
        Decision::Review => "Put up for review",
    };
    let explanation =
        if note.is_empty() { format!("{said} by {by}.") } else { format!("{said} by {by}: {note}") };
    let identity = ctx.actor.identity();
    let by = Speaker { word, identity: &identity, label: &by };
    let mut tx = ctx.begin().await?;
    // First the job, as a worker does: both take the two rows in the same order.
    queue::cancel(&mut tx, &[id]).await?;
    let before = repository::decide(&mut tx, id, decision, by, &explanation).await?;
    let before = before.ok_or_else(|| not_found(id))?;
    let standing = repository::standing(&mut tx, id).await?.ok_or_else(|| not_found(id))?;
    let event = Event::done("email.decide", id, json!({"decision": decision, "note": note}));
    ctx.audit(&mut tx, Event { before: Some(json!({"decision": before})), ..event }).await?;
    let is_due = outbox::write(&ctx.app, &mut tx, id, standing, hold).await?;
    // Before the commit: what is done is not to be answered as if it were not.
    let decided = detail(&mut tx, id).await?;
    tx.commit().await?;
    if is_due {
        ctx.app.delivery_bell.notify_one();
    }
    Ok(decided)
}

pub fn not_found(id: EmailId) -> Problem {
    Problem::not_found("Email", id)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arrived(raw: &str, at: &str) -> ReadMessage {
        let received_at = at.parse().expect("a time");
        let parsed = fields::parse(raw.as_bytes(), received_at);
        ReadMessage { raw: Arc::new(raw.as_bytes().to_vec()), parsed, received_at }
    }

    #[test]
    fn what_is_handed_on_without_an_id_is_a_repeat_for_an_hour() {
        let without = "Subject: ALARM\r\n\r\nDoor open\r\n";
        let with = format!("Message-ID: <1@door.example>\r\n{without}");
        let from = Some("door@sender.example".to_owned());
        let handed_on = Envelope { from, to: vec!["a@acme.example".to_owned()], ..Envelope::default() };
        let fetched = Envelope::default();
        let (first, soon) = ("2026-11-23T10:00:00Z", "2026-11-23T10:59:59Z");
        let (next_hour, next_day) = ("2026-11-23T11:00:00Z", "2026-11-24T10:00:00Z");
        for (raw, envelope, later, is_repeat) in [
            (without, Some(&handed_on), soon, true),
            (without, Some(&handed_on), next_hour, false),
            (without, Some(&handed_on), next_day, false),
            (with.as_str(), Some(&handed_on), next_day, true),
            (without, Some(&fetched), next_day, true),
            (without, None, next_day, true),
        ] {
            let [one, other] = [first, later].map(|at| arrived(raw, at).hash(envelope));
            assert_eq!(one == other, is_repeat, "{raw:?} {envelope:?} {later}");
        }
    }
}
