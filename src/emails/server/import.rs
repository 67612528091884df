//! Messages from a file: many as other programs keep them, or one by itself.

use std::io::BufReader;

use axum::body::Bytes;
use futures::Stream;

use super::{
    mbox::{Layout, Messages},
    service::{self, ReadMessage},
};
use crate::{
    auth::authority::Permission,
    emails::dto::{Imported, RefusedMessage},
    files::server::service as files,
    server::{Error, Result, TenantContext, aside},
    shared::{FieldError, Problem},
};

/// Of so many refused messages it is told which and why.
const TOLD: usize = 100;

/// A message's header fields stand in its first bytes, so many at most (Postfix's `header_size_limit`).
const HEAD: usize = 102_400;

/// Takes in each message of a file as `service::receive` takes one, in a transaction of its own: what is stored stays,
/// whatever becomes of the next, and of a file that is sent again only what is missing is stored.
///
/// # Errors
/// 403; 400 where there is no message in it, or where it broke off; 413 for more than a file may have; 429 while too many
/// come in. Nothing is stored then. 503 for a fault of ours after some were stored, which it tells.
pub async fn import<E>(
    ctx: &TenantContext,
    layout: Layout,
    chunks: impl Stream<Item = std::result::Result<Bytes, E>> + Unpin,
) -> Result<Imported> {
    // Before anything is read: the file may be large.
    ctx.require(Permission::WorkMessages)?;
    let file = files::spool(ctx, chunks).await?;
    let mut messages = Messages::new(BufReader::new(file), layout, ctx.app.config.max_message_bytes);
    let mut imported = Imported::default();
    loop {
        let read = aside::run(move || {
            let next = messages.next();
            (messages, next)
        });
        let (rest, next) = read.await;
        messages = rest;
        let taken = match next {
            None => break,
            Some(Ok(raw)) => take(ctx, raw, &mut imported).await,
            Some(Err(error)) => Err(Error::internal(error)),
        };
        taken.map_err(|error| broke_off(error, imported.stored))?;
    }
    if imported.found == 0 {
        return Err(no_message(layout).into());
    }
    Ok(imported)
}

async fn take(ctx: &TenantContext, raw: Vec<u8>, imported: &mut Imported) -> Result<()> {
    let most = ctx.app.config.max_message_bytes;
    imported.found += 1;
    if raw.is_empty() {
        refuse(imported, None, "It is empty".into());
    } else if raw.len() > most {
        let message_id = message_id(raw).await;
        refuse(imported, message_id, format!("It is larger than a message may be: {most} bytes"));
    } else if service::receive(ctx, "http", raw, None).await?.duplicate {
        imported.known += 1;
    } else {
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
fn broke_off(error: Error, stored: usize) -> Error {
    if stored == 0 {
        return error;
    }
    let messages = if stored == 1 { "1 message was".to_owned() } else { format!("{stored} messages were") };
    let why = error.into_problem().detail;
    let detail = format!("{why}. Before that, {messages} stored for good: the same file may be sent again");
    Problem::new(503, detail).into()
}

fn no_message(layout: Layout) -> Problem {
    let why = match layout {
        Layout::Mbox => "holds no message: in an mbox, each follows a line that begins with 'From '",
        Layout::Single => "is empty: it must be a message (RFC 5322)",
    };
    Problem {
        errors: vec![FieldError::new("body", why)],
        ..Problem::business_rule(format!("The file {why}"))
    }
}
