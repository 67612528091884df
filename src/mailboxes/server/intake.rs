//! A message that came by a mailbox goes to disk: its bytes, what was read of it, its job and the mailbox's signs of life are
//! one transaction. Only then is it acknowledged.

use super::repository;
use crate::{
    emails::{
        dto::{Envelope, Received},
        server::service::{self as emails, ReadMessage, Via},
    },
    server::{Actor, AppState, Result, TenantTx, edge::metrics::Refusal, origin::Origin},
    shared::{MailboxId, TenantId},
};

/// Header fields of a message together, as Postfix has it (`header_size_limit`). Unit: bytes.
pub const MAX_HEADERS: usize = 102_400;
/// Servers that a message has passed through (Postfix's `hopcount_limit`): more is a loop.
pub const MAX_HOPS: usize = 50;

/// Why a message is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unfit {
    Empty,
    Headers,
    Loop,
}

impl From<Unfit> for Refusal {
    fn from(unfit: Unfit) -> Self {
        match unfit {
            Unfit::Empty => Self::Empty,
            Unfit::Headers => Self::Headers,
            Unfit::Loop => Self::Loop,
        }
    }
}

/// What of a message tells, before it is read, that it is not to be taken.
///
/// # Errors
/// `Unfit`.
pub fn check(raw: &[u8]) -> Result<(), Unfit> {
    if raw.is_empty() {
        return Err(Unfit::Empty);
    }
    let mut head = 0;
    let mut hops = 0;
    for line in raw.split_inclusive(|&byte| byte == b'\n') {
        if matches!(line, b"\r\n" | b"\n") {
            break;
        }
        head += line.len();
        if head > MAX_HEADERS {
            return Err(Unfit::Headers);
        }
        let is_hop = line.len() > 9 && line[..9].eq_ignore_ascii_case(b"received:");
        hops += usize::from(is_hop);
    }
    if hops > MAX_HOPS { Err(Unfit::Loop) } else { Ok(()) }
}

/// Stores a message that came by a mailbox. When this returns, it is on disk. The same bytes from the same mailbox are taken
/// once.
///
/// # Errors
/// The database's; nothing is stored then.
pub async fn store(
    app: &AppState,
    tenant: &TenantId,
    id: MailboxId,
    message: &ReadMessage,
    envelope: &Envelope,
    origin: &Origin,
) -> Result<Received> {
    let _place = app.mail_places.acquire().await;
    let mut tx = app.database.tenant(tenant).await?;
    let received = store_in(&mut tx, id, message, envelope, origin).await?;
    tx.commit().await?;
    app.job_bell.notify_one();
    Ok(received)
}

/// As `store`, in the caller's transaction.
///
/// # Errors
/// The database's.
pub async fn store_in(
    tx: &mut TenantTx,
    id: MailboxId,
    message: &ReadMessage,
    envelope: &Envelope,
    origin: &Origin,
) -> Result<Received> {
    let source = format!("mailbox {id}");
    let via = Via { source: &source, intent: None, mailbox: Some((id, envelope)) };
    let received = emails::store(tx, &Actor::System, origin, message, &via).await?;
    repository::message_came(tx, id, !received.duplicate).await?;
    Ok(received)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_to_be_taken_is_told() {
        let hops = |n: usize| format!("{}Subject: x\r\n\r\ny", "Received: from a\r\n by b\r\n".repeat(n));
        assert_eq!(check(b""), Err(Unfit::Empty));
        assert_eq!(check(hops(MAX_HOPS).as_bytes()), Ok(()));
        assert_eq!(check(hops(MAX_HOPS + 1).as_bytes()), Err(Unfit::Loop));
        assert_eq!(check(format!("X: {}\r\n\r\n", "x".repeat(MAX_HEADERS)).as_bytes()), Err(Unfit::Headers));
        // What stands in the text is no header.
        let text = format!("Subject: x\r\n\r\n{}", "Received: from a\r\n".repeat(10_000));
        assert_eq!(check(text.as_bytes()), Ok(()));
    }
}
