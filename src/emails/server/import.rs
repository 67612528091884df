//! Messages from a file: many as other programs keep them, or one by itself.

use std::{
    collections::HashSet,
    io::{self, BufReader},
};

use axum::body::Bytes;
use futures::Stream;
use tokio::time::Instant;

use super::{
    mbox::{Batch, Entry, Layout, Messages},
    service::{self, ReadMessage},
};
use crate::{
    auth::authority::Permission,
    emails::dto::{Imported, RefusedMessage},
    files::server::service as files,
    server::{
        Error, Result, TenantContext, aside,
        edge::metrics::{Door, Refusal},
    },
    shared::{FieldError, Problem},
};

/// Of so many refused messages it is told which and why.
const TOLD: usize = 100;

/// Files of a tenant that may be taken in at once. Editors upload theirs beside them.
const AT_ONCE: usize = 2;
/// Seconds after which to come again where there are that many.
const RETRY_AFTER_S: u64 = 5;

/// Where the messages come from: a file's are those of this API.
const SOURCE: &str = "http";

/// A message's header fields stand in its first bytes, so many at most (Postfix's `header_size_limit`).
const HEAD: usize = 102_400;

/// Takes in each message of a file as `service::receive` takes one, in a transaction of its own: what is stored stays,
/// whatever becomes of the next, and of a file that is sent again only what is missing is stored.
///
/// # Errors
/// 403; 400 where there is no message in it, or where it broke off; 413 for more than a file may have; 429 while too many
/// come in. Nothing is stored then. 503 for a fault of ours, or when the time for a request is up, after some were stored,
/// which it tells.
pub async fn import<E>(
    ctx: &TenantContext,
    layout: Layout,
    chunks: impl Stream<Item = std::result::Result<Bytes, E>> + Unpin,
) -> Result<Imported> {
    // Before anything is read: the file may be large.
    ctx.require(Permission::WorkMessages)?;
    let _place = ctx.app.imports.take(ctx.tenant.clone(), AT_ONCE).ok_or_else(too_many)?;
    let file = files::spool(ctx, chunks).await?;
    // To answer before anybody on the way gives up: nobody would learn what was stored.
    let until = Instant::now() + ctx.app.config.edge.request_timeout.mul_f64(0.75);
    let mut messages = Messages::new(BufReader::new(file), layout, ctx.app.config.max_message_bytes);
    let mut imported = Imported::default();
    loop {
        if Instant::now() > until {
            return Err(broke_off(time_is_up(), &imported));
        }
        let read = aside::run(move || {
            let batch = messages.next_batch();
            (messages, batch)
        });
        let (rest, Batch { entries, end }) = read.await;
        messages = rest;
        let taken = take_batch(ctx, entries, until, &mut imported).await;
        taken.map_err(|error| broke_off(error, &imported))?;
        match end {
            None => {}
            Some(Ok(())) => break,
            Some(Err(error)) if error.kind() == io::ErrorKind::InvalidData => {
                return Err(no_message(layout).into());
            }
            Some(Err(error)) => return Err(broke_off(Error::internal(error), &imported)),
        }
    }
    if imported.found == 0 {
        return Err(no_message(layout).into());
    }
    Ok(imported)
}

/// Takes in those that are not known yet, for which is asked once: of a file that is sent again, what was stored before
/// takes hardly any of the time that a request has, and so each time more of it is stored.
async fn take_batch(
    ctx: &TenantContext,
    entries: Vec<Entry>,
    until: Instant,
    imported: &mut Imported,
) -> Result<()> {
    let hashes: Vec<[u8; 32]> = entries.iter().map(|entry| entry.hash).collect();
    let known = service::known(ctx, SOURCE, &hashes).await?;
    for entry in entries {
        take(ctx, entry, &known, until, imported).await?;
    }
    Ok(())
}

async fn take(
    ctx: &TenantContext,
    Entry { raw, hash }: Entry,
    known: &HashSet<[u8; 32]>,
    until: Instant,
    imported: &mut Imported,
) -> Result<()> {
    let (most, metrics) = (ctx.app.config.max_message_bytes, &ctx.app.metrics);
    imported.found += 1;
    if raw.is_empty() {
        metrics.refused(Door::Upload, Refusal::Empty);
        refuse(imported, None, "It is empty".into());
    } else if raw.len() > most {
        metrics.refused(Door::Upload, Refusal::TooLarge);
        let message_id = message_id(raw).await;
        refuse(imported, message_id, format!("It is larger than a message may be: {most} bytes"));
    } else if known.contains(&hash) {
        imported.known += 1;
    } else if Instant::now() > until {
        return Err(time_is_up());
    } else if service::receive(ctx, SOURCE, raw, None).await?.duplicate {
        imported.known += 1;
    } else {
        metrics.received(Door::Upload);
        imported.stored += 1;
    }
    Ok(())
}

/// What a message that is too large calls itself.
async fn message_id(mut raw: Vec<u8>) -> Option<String> {
    raw.truncate(HEAD);
    Some(ReadMessage::of(raw).await.message_id().to_owned()).filter(|id| !id.is_empty())
}

fn refuse(imported: &mut Imported, message_id: Option<String>, reason: String) {
    imported.refused_count += 1;
    if imported.refused.len() < TOLD {
        imported.refused.push(RefusedMessage { number: imported.found, message_id, reason });
    }
}

/// Says what was stored before it. As one that passes: an answer that says so is not kept for an `Idempotency-Key`, by
/// which the file could else not be sent again.
fn broke_off(error: Error, imported: &Imported) -> Error {
    let Imported { stored, known, .. } = *imported;
    if stored + known == 0 {
        return error;
    }
    let messages = match stored {
        0 => "no new message was".to_owned(),
        1 => "1 message was".to_owned(),
        count => format!("{count} messages were"),
    };
    let why = error.into_problem().detail;
    let detail = format!("{why}. Before that, {messages} stored for good: the same file may be sent again");
    Problem::new(503, detail).into()
}

fn time_is_up() -> Error {
    Problem::new(503, "There are more messages in it than are stored in the time that a request may take")
        .into()
}

fn too_many() -> Problem {
    let detail =
        format!("{AT_ONCE} files of messages are taken in, as many as may. Try again when one is done");
    Problem { retry_after: Some(RETRY_AFTER_S), ..Problem::new(429, detail) }
}

fn no_message(layout: Layout) -> Problem {
    let why = match layout {
        Layout::Mbox => {
            "holds no message: in an mbox, each follows a line that begins with 'From ' (one by itself is message/rfc822)"
        }
        Layout::Single => "is empty: it must be a message (RFC 5322)",
    };
    Problem {
        errors: vec![FieldError::new("body", why)],
        ..Problem::business_rule(format!("The file {why}"))
    }
}
