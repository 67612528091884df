//! The ways out, and the breakers before them.

use std::{
    pin::pin,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use reqwest::Client;
use tokio::{
    sync::{Semaphore, SemaphorePermit},
    time::timeout,
};

use super::mail::Mailer;
use crate::{
    server::{breaker::Breakers, config::Config, outbound::Fence},
    shared::TenantId,
};

/// Where a breaker stands: before a host, or before the mail relay, for each tenant by itself, so that nobody's
/// receiver stops another's deliveries.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Gate {
    Host(TenantId, String),
    Mail(TenantId),
}

/// So many of the installation's own mails are at the relay at once: few, beside those of tenants.
const NOTICES: usize = 2;

/// What deliveries are sent with.
pub struct Senders {
    fence: Fence,
    client: Result<Client, String>,
    mailer: Option<Mailer>,
    turns: Turns,
    notices: Turns,
    pub breakers: Breakers<Gate>,
}

impl Senders {
    pub fn new(config: &Config) -> Self {
        let fence = Fence::new(&config.lookups.allow_networks);
        let (deliveries, hostname) = (&config.deliveries, &config.mail.hostname);
        let client = fence.client(config.lookups.connect_timeout, deliveries.timeout);
        let mailer = deliveries.smtp.as_ref().map(|smtp| Mailer::new(smtp, hostname, deliveries.timeout));
        let turns = Turns::new(deliveries.concurrency, deliveries.timeout);
        let notices = Turns::of(NOTICES, deliveries.timeout);
        Self { fence, client, mailer, turns, notices, breakers: Breakers::default() }
    }

    pub fn fence(&self) -> &Fence {
        &self.fence
    }

    /// # Errors
    /// Why there is no HTTP client: the machine's TLS roots, for one.
    pub fn client(&self) -> Result<&Client, String> {
        self.client.as_ref().map_err(Clone::clone)
    }

    /// `None` where the installation sends no mail.
    pub fn mailer(&self) -> Option<&Mailer> {
        self.mailer.as_ref()
    }

    /// A delivery's turn at the mail relay. It lasts until it is dropped.
    ///
    /// # Errors
    /// `Fault`, where the relay leaves too many mails without its word.
    pub async fn turn(&self) -> Result<Turn<'_>, Fault> {
        self.turns.take().await.ok_or_else(silent)
    }

    /// The turn of one of the installation's own mails. These and the deliveries, each with their own turns, never keep
    /// each other waiting: no notice holds a place where deliveries are sent.
    ///
    /// # Errors
    /// `Fault`, where the relay leaves those before it without its word.
    pub async fn notice_turn(&self) -> Result<Turn<'_>, Fault> {
        self.notices.take().await.ok_or_else(silent)
    }
}

fn silent() -> Fault {
    Fault::down("The mail relay says nothing of the mails that it has, and gets no more of them for now")
}

/// Who is at the mail relay. It may think for minutes over a mail that it has, and no mail is broken off for it, so some
/// of the places where deliveries are sent are never a mail's: they are left to webhooks.
struct Turns {
    free: Semaphore,
    /// When somebody's turn last began or ended.
    moved: Mutex<Instant>,
    /// How long one that waits bears it that nobody's does.
    patience: Duration,
}

/// One mail's turn at the relay.
pub struct Turn<'t> {
    turns: &'t Turns,
    _permit: SemaphorePermit<'t>,
}

impl Turns {
    /// A quarter of the `places` is left. Less than a tenant's share, which is half of them: its mails alone, however slow,
    /// keep no other's waiting.
    fn new(places: usize, patience: Duration) -> Self {
        Self::of(places.saturating_sub(places.div_ceil(4)).max(1), patience)
    }

    fn of(mails: usize, patience: Duration) -> Self {
        Self { free: Semaphore::new(mails), moved: Mutex::new(Instant::now()), patience }
    }

    async fn take(&self) -> Option<Turn<'_>> {
        let permit = match self.free.try_acquire() {
            Ok(permit) => permit,
            Err(_) => self.wait().await?,
        };
        self.note_move();
        Some(Turn { turns: self, _permit: permit })
    }

    /// In its place of the queue, for as long as that moves.
    async fn wait(&self) -> Option<SemaphorePermit<'_>> {
        let mut next = pin!(self.free.acquire());
        loop {
            match timeout(self.patience_left(), &mut next).await {
                Ok(permit) => return permit.ok(),
                Err(_) if self.patience_left().is_zero() => return None,
                Err(_) => {}
            }
        }
    }

    /// None, where all have been there for long: whoever waits here holds a place, too.
    fn patience_left(&self) -> Duration {
        let moved = *self.moved.lock().unwrap_or_else(PoisonError::into_inner);
        self.patience.saturating_sub(moved.elapsed())
    }

    fn note_move(&self) {
        *self.moved.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.turns.note_move();
    }
}

/// It arrived. `code` is the HTTP status, or the SMTP reply code.
#[derive(Clone, Copy, Debug)]
pub struct Arrived {
    pub code: Option<u16>,
}

/// It did not arrive.
#[derive(Clone, Debug)]
pub struct Fault {
    /// A sentence.
    pub note: String,
    pub code: Option<u16>,
    /// Whether trying again cannot mend it.
    pub permanent: bool,
    /// Whether the other side itself fails, so that its breaker counts it.
    pub down: bool,
    /// How long the other side asked to be left alone.
    pub retry_after: Option<Duration>,
    /// Of several recipients, those who have it all the same.
    pub delivered_to: Vec<String>,
}

impl Fault {
    /// It was refused, for good.
    pub fn permanent(note: impl Into<String>) -> Self {
        Self {
            // The other side's words may stand in it, and PostgreSQL stores no NUL.
            note: note.into().replace('\0', "\u{FFFD}"),
            code: None,
            permanent: true,
            down: false,
            retry_after: None,
            delivered_to: Vec::new(),
        }
    }

    /// It was refused for now.
    pub fn transient(note: impl Into<String>) -> Self {
        Self { permanent: false, ..Self::permanent(note) }
    }

    /// Nothing can be delivered there for now.
    pub fn down(note: impl Into<String>) -> Self {
        Self { down: true, ..Self::transient(note) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn mails_leave_some_places_and_wait_for_each_other_only_while_one_moves() {
        for (places, mails) in [(1, 1), (2, 1), (3, 2), (4, 3), (8, 6), (256, 192)] {
            let turns = Turns::new(places, Duration::ZERO);
            let mut taken = Vec::new();
            while let Some(turn) = turns.take().await {
                taken.push(turn);
            }
            assert_eq!(taken.len(), mails, "{places}");
            taken.pop();
            assert!(turns.take().await.is_some(), "{places}");
        }
        let turns = Turns::new(2, Duration::from_secs(60));
        let first = turns.take().await.expect("a free one");
        let (second, ()) = tokio::join!(turns.take(), async { drop(first) });
        assert!(second.is_some());
    }

    #[tokio::test]
    async fn a_queue_that_moves_is_waited_in_for_longer_than_one_that_does_not() {
        let turns = Turns::of(1, Duration::from_secs(3));
        let mail = async || {
            let _turn = turns.take().await?;
            tokio::time::sleep(Duration::from_secs(1)).await; // how long the relay takes
            Some(())
        };
        let sent = tokio::join!(mail(), mail(), mail(), mail(), mail());
        assert_eq!(sent, (Some(()), Some(()), Some(()), Some(()), Some(())), "the last after 4 s");
        let turns = Turns::of(1, Duration::from_millis(50));
        let _held = turns.take().await;
        assert!(turns.take().await.is_none(), "nobody moves");
    }
}
