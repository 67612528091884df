//! The watch on mailboxes elsewhere: what is new in them is fetched and stored, in the background, on every server. Which of
//! them looks after a mailbox, a lease says.
//!
//! How far a folder was read is stored in the transaction of the message that was read there: none is left out, and none
//! comes twice. Only then is the message marked, or deleted, on its server. What is left to do with one that the folder
//! was read past is kept in mind (`mailbox_leftovers`): its server did not give it, or it is not marked there yet.
//!
//! A server may be put back to what it was before, and give the same UIDs again. So nothing is marked or deleted there but
//! what was read, and is on disk, by the same connection; and a folder whose UIDs begin again is read from its beginning.
//! Where more has come since than was read before, UIDNEXT does not tell: the messages that were read last are known by when
//! the server got them, and another one that stands in the place of one of them was not read.

use std::{
    panic::AssertUnwindSafe,
    sync::Arc,
    time::{Duration, Instant},
};

use futures::FutureExt;
use secrecy::SecretString;
use tokio::{sync::Semaphore, time::timeout};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{
    imap::{About, Connection, Folder, ImapFault, Login, Proof},
    intake::{self, Unfit},
    repository::{self, Row},
    service,
    watches::{self, Leftover, Position, Watch},
};
use crate::{
    emails::{dto::Envelope, server::service::ReadMessage},
    mailboxes::dto::{AfterStoring, ImapAccount, ImapOauth},
    server::{
        AppState, Error, Result, TenantTx,
        edge::metrics::{Door, Refusal},
        error::chain,
        oauth::{self, OAuthClient},
        origin::Origin,
        work::Shares,
    },
    shared::{EmailId, TenantId},
};

/// How long the watch sleeps at most: a mailbox that falls due rings no bell.
const NAP: Duration = Duration::from_secs(2);
/// Messages that are listed at once.
const BATCH: usize = 50;
/// Of messages with which something is left to do, at most so many have their turn before new ones.
const LEFTOVERS: usize = 50;
/// How long a server is waited for to say that something is new. RFC 2177 asks for less than 29 minutes; those between
/// servers forget silent connections sooner.
const IDLE: Duration = Duration::from_secs(240);
/// The same where other mailboxes wait for their turn.
const IDLE_IN_A_CROWD: Duration = Duration::from_secs(2);
/// From one look to the next, at the least.
const BREATH: Duration = Duration::from_millis(500);
/// How long one connection is kept.
const LONGEST: Duration = Duration::from_secs(1_500);
/// How long a mailbox that fails is left alone: servers lock accounts of those who try without end.
const SHORTEST_WAIT: Duration = Duration::from_secs(15);
const LONGEST_WAIT: Duration = Duration::from_secs(900);

/// How often a message is tried that its server does not give.
const TRIES: i32 = 3;
/// The same where it may be the server, or the way to it, that does not work: over some hours.
const PATIENT_TRIES: i32 = 20;
/// What is told of a fault that is not the mailbox's.
const OURS: &str =
    "FlowEngine could not read it, and tries again: its administrator finds the cause in its log";

/// Why a look ended before its time.
enum Trouble {
    /// The mailbox's: told with it.
    Mailbox(ImapFault),
    /// Ours: logged.
    Ours(Error),
    /// At one message. `is_its_own` is whether the server gave another one at the time.
    Message { uid: u32, fault: ImapFault, is_its_own: bool },
    /// Reading it made us panic.
    Panicked(Option<u32>),
    /// Another server has it now, or it was changed.
    Lost,
}

impl From<ImapFault> for Trouble {
    fn from(fault: ImapFault) -> Self {
        Self::Mailbox(fault)
    }
}

impl<E: Into<Error>> From<E> for Trouble {
    fn from(error: E) -> Self {
        Self::Ours(error.into())
    }
}

/// Looks after mailboxes until `stop`.
pub async fn work(app: AppState, stop: CancellationToken) {
    let places = Arc::new(Semaphore::new(app.config.mail.imap_connections));
    let tracker = TaskTracker::new();
    let shares = Arc::new(Shares::halves(app.config.mail.imap_connections));
    loop {
        let permit = tokio::select! {
            permit = Arc::clone(&places).acquire_owned() => permit,
            () = stop.cancelled() => break,
        };
        let Ok(permit) = permit else { break };
        match claim(&app, &shares.full()).await {
            Ok(Some(watch)) => {
                let (app, stop) = (app.clone(), stop.clone());
                let share = shares.take(&watch.tenant);
                let crowd = Crowd { places: Arc::clone(&places), shares: Arc::clone(&shares) };
                tracker.spawn(async move {
                    look_leased(&app, &watch, &crowd, &stop).await;
                    drop((share, permit));
                });
                continue;
            }
            Ok(None) => {}
            Err(error) => tracing::error!(error = %chain(&error), "no mailbox could be claimed"),
        }
        drop(permit);
        tokio::select! {
            () = app.watch_bell.notified() => {}
            () = tokio::time::sleep(NAP) => {}
            () = stop.cancelled() => break,
        }
    }
    tracker.close();
    tracker.wait().await;
}

/// Who else looks after mailboxes on this server.
struct Crowd {
    places: Arc<Semaphore>,
    shares: Arc<Shares>,
}

impl Crowd {
    /// Whether another mailbox may be waiting for this one's place.
    fn is_dense(&self, tenant: &TenantId) -> bool {
        self.places.available_permits() == 0 || self.shares.full().iter().any(|full| full == tenant.as_str())
    }
}

async fn claim(app: &AppState, full: &[String]) -> Result<Option<Watch>> {
    let mut tx = app.database.worker().await?;
    let watch = watches::claim(&mut tx, full).await?;
    tx.commit().await?;
    Ok(watch)
}

/// Looks at a mailbox while its lease is kept alive.
async fn look_leased(app: &AppState, watch: &Watch, crowd: &Crowd, stop: &CancellationToken) {
    let keep_alive = async {
        loop {
            tokio::time::sleep(watches::LEASE / 4).await;
            // One that cannot be asked for, or hangs, may come back before the lease is over.
            if matches!(timeout(watches::LEASE / 4, extend(app, watch)).await, Ok(Ok(false))) {
                return;
            }
        }
    };
    let outcome = tokio::select! {
        outcome = AssertUnwindSafe(look(app, watch, crowd, stop)).catch_unwind() => {
            outcome.unwrap_or(Err(Trouble::Panicked(None)))
        }
        () = keep_alive => Err(Trouble::Lost),
    };
    if let Err(error) = end(app, watch, outcome, stop).await {
        tracing::error!(tenant = %watch.tenant, mailbox_id = %watch.mailbox_id, error = %chain(&error),
            "what came of a look at a mailbox could not be noted");
    }
}

async fn extend(app: &AppState, watch: &Watch) -> Result<bool> {
    let mut tx = app.database.tenant(&watch.tenant).await?;
    let is_mine = watches::extend(&mut tx, watch).await?;
    tx.commit().await?;
    Ok(is_mine)
}

/// Notes what came of it, and when to look again.
async fn end(
    app: &AppState,
    watch: &Watch,
    outcome: Result<Duration, Trouble>,
    stop: &CancellationToken,
) -> Result<()> {
    let mut tx = app.database.tenant(&watch.tenant).await?;
    // Whoever lost it has nothing to note.
    if !watches::extend(&mut tx, watch).await? {
        return Ok(());
    }
    let wait = match outcome {
        Ok(wait) => wait,
        Err(Trouble::Mailbox(fault)) => {
            let problem = fault.to_string();
            let failing = watches::failed(&mut tx, watch.mailbox_id, &problem).await?;
            tracing::warn!(tenant = %watch.tenant, mailbox_id = %watch.mailbox_id, problem, "a mailbox fails");
            let failing = Duration::try_from_secs_f64(failing).unwrap_or_default();
            (failing / 2).clamp(SHORTEST_WAIT.min(app.config.mail.imap_poll), LONGEST_WAIT)
        }
        Err(Trouble::Ours(error)) => {
            tracing::error!(tenant = %watch.tenant, mailbox_id = %watch.mailbox_id, error = %chain(&error),
                "a look at a mailbox broke off");
            watches::failed(&mut tx, watch.mailbox_id, OURS).await?;
            SHORTEST_WAIT
        }
        Err(Trouble::Panicked(uid)) => {
            tracing::error!(tenant = %watch.tenant, mailbox_id = %watch.mailbox_id, uid, "a look at a mailbox panicked");
            match uid {
                Some(uid) => stumble(app, &mut tx, watch, uid, OURS, TRIES).await?,
                None => {
                    watches::failed(&mut tx, watch.mailbox_id, OURS).await?;
                    SHORTEST_WAIT
                }
            }
        }
        Err(Trouble::Message { uid, fault, is_its_own }) => {
            // A server may refuse all for a while, and a connection break off at any.
            let most = if is_its_own { TRIES } else { PATIENT_TRIES };
            let problem = format!("a message could not be read: {fault}");
            stumble(app, &mut tx, watch, uid, &problem, most).await?
        }
        Err(Trouble::Lost) => return Ok(()),
    };
    let wait = if stop.is_cancelled() { Duration::ZERO } else { wait };
    watches::release(&mut tx, watch, wait).await?;
    tx.commit().await?;
    Ok(())
}

/// Notes that a message could not be read, and gives when to try again. After some tries it is passed over, told of,
/// and tried again later: what its server does not give must not keep what came after it. Where too many are passed
/// over already, the mailbox as a whole does not work, and it waits: none is forgotten.
async fn stumble(
    app: &AppState,
    tx: &mut TenantTx,
    watch: &Watch,
    uid: u32,
    problem: &str,
    most: i32,
) -> Result<Duration> {
    watches::failed(tx, watch.mailbox_id, problem).await?;
    let left = Leftover { uid: i64::from(uid), is_stored: false };
    let tries = watches::stumbled(tx, watch.mailbox_id, left.uid).await?;
    if tries >= most && watches::leave(tx, watch.mailbox_id, left, watches::REST).await? {
        let past = watches::position(tx, watch.mailbox_id).await?.past(uid, None, None);
        watches::advance(tx, watch.mailbox_id, &past, false).await?;
        return Ok(Duration::ZERO);
    }
    let first = SHORTEST_WAIT.min(app.config.mail.imap_poll);
    Ok(first.saturating_mul(1 << tries.clamp(0, 16)).min(LONGEST_WAIT))
}

/// A token for one login. It is asked for anew each time: a connection is kept for about as long as a token holds.
async fn token(app: &AppState, oauth: &ImapOauth, secret: &SecretString) -> Result<SecretString, ImapFault> {
    let client = app.senders.client().map_err(ImapFault::NoToken)?;
    let asking = OAuthClient {
        token_url: oauth.token_url.parse().map_err(|_| ImapFault::NoToken("its address is none".into()))?,
        client_id: oauth.client_id.clone(),
        client_secret: secret.clone(),
        scope: oauth.scope.clone(),
    };
    let token = oauth::token(client, &asking, app.senders.fence()).await;
    token.map(|token| token.value).map_err(|fault| ImapFault::NoToken(fault.to_string()))
}

/// One connection, for as long as it is kept. Gives when to look again.
async fn look(
    app: &AppState,
    watch: &Watch,
    crowd: &Crowd,
    stop: &CancellationToken,
) -> Result<Duration, Trouble> {
    let mut tx = app.database.tenant(&watch.tenant).await?;
    let row = repository::find(&mut tx, watch.mailbox_id, false).await?.ok_or(Trouble::Lost)?;
    let position = watches::position(&mut tx, watch.mailbox_id).await?;
    let secret = service::password(app, &mut tx, &row).await?;
    tx.commit().await?;
    let Some(account) = row.imap.as_ref().map(|json| &json.0) else { return Err(Trouble::Lost) };
    let token = match &account.oauth {
        None => None,
        Some(oauth) => Some(token(app, oauth, &secret).await?),
    };
    let login = Login {
        host: &account.host,
        port: account.port(),
        security: account.security,
        username: &account.username,
        proof: token.as_ref().map_or(Proof::Password(&secret), Proof::Token),
        folder: &account.folder,
    };
    let roots = app.mail_roots();
    let (mut connection, folder) = Connection::open(app.senders.fence(), roots, &login).await?;
    let mut reading = Reading {
        app,
        watch,
        row: &row,
        account,
        position,
        marked: Vec::new(),
        note: None,
        is_read: false,
        renumbered: 0,
    };
    reading.enter(folder).await?;
    reading.look_back(&mut connection, folder, stop).await?;
    let until = Instant::now() + LONGEST;
    loop {
        reading.catch_up(&mut connection, stop).await?;
        let mut is_over = Instant::now() > until;
        while !is_over && reading.batch(&mut connection, stop).await? {
            // There may be no end of it: others have their turn.
            is_over = Instant::now() > until || crowd.is_dense(&watch.tenant);
        }
        if is_over || stop.is_cancelled() {
            connection.close().await;
            return Ok(Duration::ZERO);
        }
        let folder = connection.look().await?;
        reading.enter(folder).await?;
        if !connection.can_idle() {
            connection.close().await;
            return Ok(app.config.mail.imap_poll);
        }
        let is_dense = crowd.is_dense(&watch.tenant);
        let began = Instant::now();
        connection = match connection.idle(if is_dense { IDLE_IN_A_CROWD } else { IDLE }, stop).await {
            Ok(connection) => connection,
            // Servers end connections that wait, as they like; and some refuse what they offer.
            Err(ImapFault::Broken(_) | ImapFault::Declined(_)) => return Ok(app.config.mail.imap_poll),
            Err(fault) => return Err(fault.into()),
        };
        // One that says without end that something is new is asked no faster for it.
        if let Some(rest) = BREATH.checked_sub(began.elapsed()) {
            tokio::select! {
                () = tokio::time::sleep(rest) => {}
                () = stop.cancelled() => {}
            }
        }
        if is_dense {
            reading.batch(&mut connection, stop).await?;
            connection.close().await;
            return Ok(app.config.mail.imap_poll);
        }
    }
}

/// A folder that is being read.
struct Reading<'a> {
    app: &'a AppState,
    watch: &'a Watch,
    row: &'a Row,
    account: &'a ImapAccount,
    position: Position,
    /// What was marked there and may still count as unmarked here: the next transaction says that it is done.
    marked: Vec<i64>,
    /// What did not go well, and keeps nothing from being stored.
    note: Option<String>,
    /// Whether it was read to its end on this connection: that it could be opened does not tell that it can be read.
    is_read: bool,
    /// How often its UIDs were found to be others, on this connection.
    renumbered: usize,
}

impl Reading<'_> {
    /// Notes that the folder was seen. Where its UIDs are others now, or are given once more, it is read from its beginning:
    /// what was stored before is known by its bytes, which are remembered of what is deleted since, too (`taken_messages`).
    async fn enter(&mut self, folder: Folder) -> Result<(), Trouble> {
        let mut tx = self.app.database.tenant(&self.watch.tenant).await?;
        if !watches::extend(&mut tx, self.watch).await? {
            return Err(Trouble::Lost);
        }
        // A server that was put back to what it was before gives UIDs again that were read past here.
        let is_behind = folder.uid_next != 0 && i64::from(folder.uid_next) <= self.position.last_uid;
        if self.position.uid_validity != Some(i64::from(folder.uid_validity)) || is_behind {
            self.begin_anew(&mut tx, folder).await?;
        }
        watches::settled(&mut tx, self.watch.mailbox_id, &std::mem::take(&mut self.marked)).await?;
        watches::seen(&mut tx, self.watch.mailbox_id, folder.exists).await?;
        if self.is_read {
            watches::worked(&mut tx, self.watch.mailbox_id, self.note.take().as_deref()).await?;
        }
        tx.commit().await?;
        Ok(())
    }

    /// Notes that nothing of the folder counts as read.
    async fn begin_anew(&mut self, tx: &mut TenantTx, folder: Folder) -> Result<(), Trouble> {
        // In an empty folder there is nothing to read again; and some servers take UIDNEXT from the last message that is
        // there.
        self.renumbered += usize::from(folder.exists > 0);
        if self.renumbered > 2 {
            let text = "its messages get other numbers all the time (UIDVALIDITY, UIDNEXT)";
            return Err(ImapFault::Folder(text.into()).into());
        }
        watches::forget_position(tx, self.watch.mailbox_id).await?;
        self.position = Position::beginning(folder.uid_validity);
        watches::advance(tx, self.watch.mailbox_id, &self.position, false).await?;
        self.is_read = false;
        Ok(())
    }

    /// Has the folder read from its beginning where UIDs that were read past were given once more. Once for a connection: a
    /// server that is put back ends it.
    async fn look_back(
        &mut self,
        connection: &mut Connection,
        folder: Folder,
        stop: &CancellationToken,
    ) -> Result<(), Trouble> {
        if folder.exists == 0 {
            return Ok(());
        }
        let Some(left) = self.is_given_again(connection, stop).await? else { return Ok(()) };
        let mut tx = self.app.database.tenant(&self.watch.tenant).await?;
        if !watches::extend(&mut tx, self.watch).await? {
            return Err(Trouble::Lost);
        }
        self.begin_anew(&mut tx, folder).await?;
        watches::seen(&mut tx, self.watch.mailbox_id, folder.exists).await?;
        tx.commit().await?;
        left
    }

    /// Whether another message has the UID of one that was read, and then whether the connection is still of use. Its date
    /// raises the suspicion alone, since dates may be others after a server was restored; which message it is, is the proof.
    async fn is_given_again(
        &mut self,
        connection: &mut Connection,
        stop: &CancellationToken,
    ) -> Result<Option<Result<(), Trouble>>, Trouble> {
        let read = self.position.landmarks().to_vec();
        let uids: Vec<u32> = read.iter().map(|(uid, ..)| *uid).collect();
        let found = match connection.arrivals(&uids).await {
            Err(ImapFault::Declined(_)) => return Ok(None),
            found => found?,
        };
        for (uid, arrived) in found {
            let Some((.., was)) = read.iter().find(|(of, then, _)| *of == uid && *then != arrived) else {
                continue;
            };
            if stop.is_cancelled() {
                break;
            }
            let taken = AssertUnwindSafe(self.take(connection, uid)).catch_unwind().await;
            match taken.unwrap_or(Err(Trouble::Panicked(None))) {
                Ok(is) if is == *was => {}
                Ok(_) => return Ok(Some(Ok(()))),
                // One that cannot be read is met again on the way, where it keeps no other back.
                Err(Trouble::Message { fault: ImapFault::Declined(_), .. }) => return Ok(Some(Ok(()))),
                Err(Trouble::Message { fault, .. } | Trouble::Mailbox(fault)) => {
                    return Ok(Some(Err(fault.into())));
                }
                Err(trouble @ Trouble::Panicked(_)) => return Ok(Some(Err(trouble))),
                Err(trouble) => return Err(trouble),
            }
        }
        Ok(None)
    }

    /// Does what is left to do with messages that lie behind, as far as it is due: one by one, so that one that ends the
    /// connection keeps no other from its turn.
    async fn catch_up(
        &mut self,
        connection: &mut Connection,
        stop: &CancellationToken,
    ) -> Result<(), Trouble> {
        for turn in 0..LEFTOVERS {
            if stop.is_cancelled() {
                break;
            }
            let Some(uid) = self.due(turn == 0).await? else { break };
            self.do_rest(connection, uid).await?;
            // Where one may not be marked, no other may be: each would be read in vain.
            if self.note.is_some() {
                break;
            }
        }
        Ok(())
    }

    async fn due(&mut self, is_first: bool) -> Result<Option<i64>, Trouble> {
        let mut tx = self.app.database.tenant(&self.watch.tenant).await?;
        if !watches::extend(&mut tx, self.watch).await? {
            return Err(Trouble::Lost);
        }
        watches::settled(&mut tx, self.watch.mailbox_id, &std::mem::take(&mut self.marked)).await?;
        let due = watches::due(&mut tx, self.watch.mailbox_id, is_first).await?;
        tx.commit().await?;
        Ok(due)
    }

    /// What is here already is read once more before it is marked: its UID may be another message's now, which is stored
    /// by that first.
    async fn do_rest(&mut self, connection: &mut Connection, uid: i64) -> Result<(), Trouble> {
        let Ok(uid) = u32::try_from(uid) else { return Ok(()) };
        let taken = AssertUnwindSafe(self.take(connection, uid)).catch_unwind().await;
        match taken.unwrap_or(Err(Trouble::Panicked(None))) {
            // Not this time either.
            Err(Trouble::Message { fault: ImapFault::Declined(_), .. }) => Ok(()),
            // Behind what was read it is no stumbling block, but the connection is of no more use.
            Err(Trouble::Message { fault, .. }) => Err(fault.into()),
            taken => taken.map(|_| ()),
        }
    }

    /// Whether there may be more.
    async fn batch(
        &mut self,
        connection: &mut Connection,
        stop: &CancellationToken,
    ) -> Result<bool, Trouble> {
        let after = u32::try_from(self.position.last_uid).unwrap_or(u32::MAX);
        let found = connection.after(after, BATCH).await?;
        for &uid in &found {
            if stop.is_cancelled() {
                return Ok(false);
            }
            let taken = AssertUnwindSafe(self.take(connection, uid)).catch_unwind().await;
            match taken.unwrap_or(Err(Trouble::Panicked(Some(uid)))) {
                Err(Trouble::Message { uid, fault: fault @ ImapFault::Declined(_), .. }) => {
                    // Is it the message, or the server? Another one tells.
                    let other = found.iter().find(|other| **other != uid);
                    let is_its_own = match other {
                        Some(other) => {
                            connection.fetch(*other, self.app.config.max_message_bytes).await.is_ok()
                        }
                        None => false,
                    };
                    return Err(Trouble::Message { uid, fault, is_its_own });
                }
                taken => {
                    taken?;
                }
            }
        }
        self.is_read = found.is_empty();
        Ok(!found.is_empty())
    }

    /// Reads a message and stores it. Gives which it is here, unless it is passed over.
    async fn take(&mut self, connection: &mut Connection, uid: u32) -> Result<Option<EmailId>, Trouble> {
        let max = self.app.config.max_message_bytes;
        let at_it = |fault| Trouble::Message { uid, fault, is_its_own: false };
        let Some(About { size, arrived }) = connection.about(uid).await.map_err(at_it)? else {
            // It is gone since it was listed.
            return self.pass_over(uid, false, None).await;
        };
        if usize::try_from(size).unwrap_or(usize::MAX) > max {
            return self.leave_there(uid, Refusal::TooLarge, arrived).await;
        }
        let raw = match connection.fetch(uid, max).await {
            Ok(Some(raw)) => raw,
            Ok(None) => return Err(at_it(ImapFault::Declined("it did not give it".into()))),
            Err(ImapFault::TooMuch) => {
                // Larger than its server said: it would be met again and again.
                self.leave_there(uid, Refusal::TooLarge, arrived).await?;
                return Err(ImapFault::TooMuch.into());
            }
            Err(fault) => return Err(at_it(fault)),
        };
        if let Err(unfit @ (Unfit::Empty | Unfit::Headers)) = intake::check(&raw) {
            return self.leave_there(uid, unfit.into(), arrived).await;
        }
        let mut envelope = Envelope { mailbox: self.row.name.clone(), ..Envelope::default() };
        let read = ReadMessage::of(raw).await;
        self.app.authenticator.check(&read, None, &mut envelope).await;
        let place = self.app.mail_places.acquire().await;
        let mut tx = self.app.database.tenant(&self.watch.tenant).await?;
        if !watches::extend(&mut tx, self.watch).await? {
            return Err(Trouble::Lost);
        }
        let id = self.watch.mailbox_id;
        let received = intake::store_in(&mut tx, id, &read, &envelope, &Origin::default()).await?;
        let position = self.pass(&mut tx, uid, false, arrived, Some(received.email_id)).await?;
        let is_to_be_marked = self.account.after_storing != AfterStoring::Keep;
        if is_to_be_marked {
            let left = Leftover { uid: i64::from(uid), is_stored: true };
            // One that was here before rests, if it cannot be marked this time either.
            let wait = if received.duplicate { watches::REST } else { Duration::ZERO };
            watches::leave(&mut tx, id, left, wait).await?;
        }
        tx.commit().await?;
        if !received.duplicate {
            self.app.metrics.received(Door::Imap);
        }
        // What follows waits for a server that may never answer.
        drop(place);
        self.app.job_bell.notify_one();
        self.position = position;
        if is_to_be_marked {
            self.mark(connection, uid).await?;
        }
        Ok(Some(received.email_id))
    }

    /// It is on disk: only now may its server forget it. To do so twice does no harm.
    async fn mark(&mut self, connection: &mut Connection, uid: u32) -> Result<(), Trouble> {
        let marked = match self.account.after_storing {
            AfterStoring::Keep => Ok(()),
            AfterStoring::Seen => connection.mark_seen(uid).await,
            AfterStoring::Delete => connection.delete(uid).await,
        };
        match marked {
            Err(fault @ ImapFault::Declined(_)) => {
                self.note = Some(format!("what was stored could not be marked there: {fault}"));
            }
            marked => {
                marked?;
                self.marked.push(i64::from(uid));
            }
        }
        Ok(())
    }

    /// It is not taken, and stays on its server.
    async fn leave_there(
        &mut self,
        uid: u32,
        why: Refusal,
        arrived: Option<i64>,
    ) -> Result<Option<EmailId>, Trouble> {
        let passed = self.pass_over(uid, true, arrived).await?;
        self.app.metrics.refused(Door::Imap, why);
        Ok(passed)
    }

    /// It is gone, or it is not taken and stays on its server.
    async fn pass_over(
        &mut self,
        uid: u32,
        is_left: bool,
        arrived: Option<i64>,
    ) -> Result<Option<EmailId>, Trouble> {
        let mut tx = self.app.database.tenant(&self.watch.tenant).await?;
        if !watches::extend(&mut tx, self.watch).await? {
            return Err(Trouble::Lost);
        }
        let position = self.pass(&mut tx, uid, is_left, arrived, None).await?;
        tx.commit().await?;
        self.position = position;
        Ok(None)
    }

    /// Notes that nothing of a message is left to be read, and gives where its folder is read to once that is on disk.
    async fn pass(
        &mut self,
        tx: &mut TenantTx,
        uid: u32,
        is_left: bool,
        arrived: Option<i64>,
        email: Option<EmailId>,
    ) -> Result<Position, Trouble> {
        let id = self.watch.mailbox_id;
        let mut settled = std::mem::take(&mut self.marked);
        // One that is tried again lies behind.
        if i64::from(uid) <= self.position.last_uid {
            settled.push(i64::from(uid));
        }
        let position = self.position.past(uid, arrived, email);
        watches::advance(tx, id, &position, is_left).await?;
        watches::settled(tx, id, &settled).await?;
        Ok(position)
    }
}
