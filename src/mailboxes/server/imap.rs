//! An IMAP client within bounds (RFC 9051, RFC 3501): the few commands that fetching mail takes, with IDLE (RFC 2177) and
//! UIDPLUS (RFC 4315). It knows of no database.
//!
//! Tenants name the servers, so what a server says is trusted with nothing. Bounded are how long a command takes, how many
//! bytes answer it, how many literals one answer holds and what a fault repeats; lists are read without recursion; the
//! address is checked by the fence, and nothing that is said can end a command.
//!
//! Rejected: async-imap, since its parser is imap-proto. That descends into every parenthesis of a body structure, asked for
//! or not, without end (djc/imap-proto#90): one line of them overflows the stack, which ends the whole process. It panics at
//! `INTERNALDATE NIL`, and at a code that a letter beyond ASCII follows. async-imap makes room for up to 512 MiB once a
//! literal is announced, before any of it came; it takes a FETCH that was refused or broke off for one that found nothing;
//! it has no way to ask for capabilities before a login; and it writes passwords into the log at its level `trace`.

mod login;
#[cfg(test)]
mod tests;
mod wire;

use std::{
    collections::{BTreeSet, HashSet},
    io,
    net::IpAddr,
    sync::Arc,
    time::Duration,
};

use base64::{Engine, prelude::BASE64_STANDARD};
use rustls::{ClientConfig, RootCertStore, crypto::ring, pki_types::ServerName};
use secrecy::{ExposeSecret, SecretString};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt},
    net::TcpStream,
    time::{Instant, sleep_until, timeout},
};
use tokio_rustls::{TlsConnector, client::TlsStream};
use tokio_util::{either::Either, sync::CancellationToken};

use login::{in_folders, oauthbearer, plain, quoted, secrets, xoauth2};
use wire::{Answer, Message, Outcome, Wire, said};

use crate::{
    mailboxes::dto::MailSecurity,
    server::outbound::{Fence, Fenced},
};

/// How long resolving and connecting may take, over all addresses.
const CONNECT: Duration = Duration::from_secs(10);
/// How long a command may take, and a handshake.
const COMMAND: Duration = Duration::from_secs(30);
/// What a connection must carry at the least, beside that. Unit: bytes a second.
const SLOWEST: u64 = 32 << 10;
const GOODBYE: Duration = Duration::from_secs(2);
/// A server may forget who was silent for longer (RFC 2177).
const LONGEST_IDLE: Duration = Duration::from_secs(29 * 60);

/// Bytes that may answer a command from which little is expected.
const SMALL: u64 = 64 << 10;
/// Bytes that may answer a listing, and how many more for each message that can be in it.
const LISTING: u64 = 256 << 10;
const PER_MESSAGE: u64 = 200;
/// The server says how many messages it has. It is believed up to this.
const MOST_LISTED: u32 = 100_000;
/// How many UIDs are asked for at first, where more may follow.
const SPAN: u32 = 1_000;
/// One answer needs one, for the message.
const MOST_LITERALS: usize = 16;
/// Characters of a server's text that a fault repeats.
const LONGEST_TEXT: usize = 200;

/// Where a mailbox is, and who reads it.
#[derive(Clone, Copy, Debug)]
pub struct Login<'a> {
    pub host: &'a str,
    pub port: u16,
    pub security: MailSecurity,
    pub username: &'a str,
    pub proof: Proof<'a>,
    pub folder: &'a str,
}

/// With what a login is proved.
#[derive(Clone, Copy, Debug)]
pub enum Proof<'a> {
    Password(&'a SecretString),
    /// An access token of OAuth 2.0.
    Token(&'a SecretString),
}

impl<'a> Proof<'a> {
    fn secret(self) -> &'a str {
        let (Self::Password(secret) | Self::Token(secret)) = self;
        secret.expose_secret()
    }
}

/// Why a mailbox cannot be read: a sentence for whoever set it up. It never holds the password or the token.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum ImapFault {
    #[error(transparent)]
    Fenced(#[from] Fenced),
    #[error("a server outside private networks is not spoken to without encryption")]
    Unencrypted,
    #[error("the server cannot be reached: {0}")]
    Connect(String),
    #[error("the connection cannot be encrypted: {0}")]
    Tls(String),
    #[error("the server refused the login: {0}")]
    Refused(String),
    #[error("there is no token for the login: {0}")]
    NoToken(String),
    #[error("the folder cannot be opened: {0}")]
    Folder(String),
    #[error("the server did not answer in time")]
    Timeout,
    #[error("the server sent more than can be an answer")]
    TooMuch,
    /// The server will not do what it was asked; the connection is as good as before.
    #[error("the server refused what it was asked: {0}")]
    Declined(String),
    #[error("the conversation with the server broke off: {0}")]
    Broken(String),
}

/// The folder, as it was when it was looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Folder {
    /// UIDs mean the same messages for as long as this stays the same.
    pub uid_validity: u32,
    /// What UID the next message is to have: above all that were given so far (RFC 9051, section 2.3.1.1). 0 if the server
    /// does not say.
    pub uid_next: u32,
    pub exists: u32,
}

/// What a server says of a message before it is asked for its bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct About {
    /// Its bytes, as the server counts them. 0 if the server does not say.
    pub size: u32,
    /// When the server got it (INTERNALDATE), in seconds since 1970. None if the server does not say.
    pub arrived: Option<i64>,
}

/// One open session, its folder selected. After a fault other than `Declined` it is of no more use: what the server says next may belong to what
/// was asked before.
#[derive(Debug)]
pub struct Connection {
    wire: Wire<Stream>,
    /// In upper case.
    capabilities: HashSet<String>,
    /// As commands name it.
    folder: String,
    heard: Heard,
    /// What UID the next message was to have, when the folder was selected. 0 if the server did not say.
    uid_next: u32,
}

type Stream = Either<TcpStream, TlsStream<TcpStream>>;

impl Connection {
    /// Connects to a checked address, encrypts, logs in and selects the folder.
    ///
    /// # Errors
    /// `ImapFault`, whatever goes wrong.
    pub async fn open(
        fence: &Fence,
        roots: Arc<RootCertStore>,
        login: &Login<'_>,
    ) -> Result<(Self, Folder), ImapFault> {
        // Checked where accounts are changed, too. A line end would begin another command.
        let said = [login.username, login.proof.secret(), login.folder];
        if said.iter().any(|text| text.contains(char::is_control)) {
            return Err(ImapFault::Refused(
                "the name, the password or the folder holds control characters".into(),
            ));
        }
        let secrets = secrets(login);
        let tcp =
            timeout(CONNECT, connect(fence, login)).await.unwrap_or_else(|_| Err(unreachable_in_time()))?;
        let wire = match login.security {
            MailSecurity::None => Wire::greeted(Stream::Left(tcp), secrets).await?,
            MailSecurity::Tls => {
                let tls = within(encrypt(tcp, roots, login.host)).await?;
                Wire::greeted(Stream::Right(tls), secrets).await?
            }
            MailSecurity::Starttls => {
                let tcp = Wire::greeted(tcp, Arc::clone(&secrets)).await?.starttls().await?;
                let tls = within(encrypt(tcp, roots, login.host)).await?;
                // There is no second greeting.
                Wire::new(Stream::Right(tls), secrets)
            }
        };
        let folder = quoted(&in_folders(login.folder));
        let (capabilities, heard) = (HashSet::new(), Heard::default());
        let mut connection = Self { wire, capabilities, folder, heard, uid_next: 0 };
        connection.ask_capabilities().await?;
        connection.log_in(login).await?;
        connection.ask_capabilities().await?;
        let folder = connection.look().await?;
        Ok((connection, folder))
    }

    /// The UIDs above `after`, lowest first, at most `most`. Nothing else is asked of so many: some servers answer none of
    /// it where one message cannot be opened.
    ///
    /// # Errors
    /// `ImapFault`.
    pub async fn after(&mut self, after: u32, most: usize) -> Result<Vec<u32>, ImapFault> {
        if self.heard.exists == 0 {
            self.command("NOOP", SMALL, |_| ()).await?;
        }
        self.heard.is_new = false;
        if self.heard.exists == 0 {
            // `*` stands for no message then, at which some servers take offence.
            return Ok(Vec::new());
        }
        let mut found = BTreeSet::new();
        let (mut next, mut span) = (after.checked_add(1), SPAN);
        // A full folder is asked for in parts: all of it could be more than is read at once.
        while let Some(first) = next
            && found.len() < most
        {
            let last = first.checked_add(span).filter(|last| *last < self.uid_next);
            let to = last.map_or_else(|| "*".to_owned(), |last| last.to_string());
            let listed = u64::from(self.heard.exists.min(MOST_LISTED)).max(most as u64);
            let budget = listed.saturating_mul(PER_MESSAGE).saturating_add(LISTING);
            // `n:*` names the last message even where its UID is below n (RFC 9051, section 9, seq-range).
            let asked = first..=last.unwrap_or(u32::MAX);
            self.command(&format!("UID FETCH {first}:{to} (UID)"), budget, |answer| {
                if let Some(Message { uid: Some(uid), .. }) = answer.message()
                    && asked.contains(&uid)
                {
                    found.insert(uid);
                    if found.len() > most {
                        found.pop_last();
                    }
                }
            })
            .await?;
            next = last.and_then(|last| last.checked_add(1));
            span = span.saturating_mul(4);
        }
        Ok(found.into_iter().collect())
    }

    /// What there is to say of a message; none if it is gone.
    ///
    /// # Errors
    /// `ImapFault`.
    pub async fn about(&mut self, uid: u32) -> Result<Option<About>, ImapFault> {
        let mut found = None;
        self.command(&format!("UID FETCH {uid} (UID INTERNALDATE RFC822.SIZE)"), SMALL, |answer| {
            if let Some(message) = answer.message()
                && message.uid == Some(uid)
            {
                let about: &mut About = found.get_or_insert_default();
                about.size = message.size.unwrap_or(about.size);
                about.arrived = message.arrived.or(about.arrived);
            }
        })
        .await?;
        Ok(found)
    }

    /// When the server got those of these few messages that are there, in seconds since 1970, as far as it says.
    ///
    /// # Errors
    /// `ImapFault`.
    pub async fn arrivals(&mut self, uids: &[u32]) -> Result<Vec<(u32, i64)>, ImapFault> {
        if uids.is_empty() {
            return Ok(Vec::new());
        }
        let asked = uids.iter().map(u32::to_string).collect::<Vec<_>>().join(",");
        let mut found = Vec::new();
        self.command(&format!("UID FETCH {asked} (UID INTERNALDATE)"), SMALL, |answer| {
            if let Some(Message { uid: Some(uid), arrived: Some(arrived), .. }) = answer.message()
                && uids.contains(&uid)
            {
                found.push((uid, arrived));
            }
        })
        .await?;
        Ok(found)
    }

    /// The bytes of a message, none if it is gone. It is not marked as read.
    ///
    /// # Errors
    /// `ImapFault`: `TooMuch`, if it has more than `max` bytes.
    pub async fn fetch(&mut self, uid: u32, max: usize) -> Result<Option<Vec<u8>>, ImapFault> {
        let mut body = None;
        let budget = (max as u64).saturating_add(SMALL);
        self.wire.largest = budget;
        let done = self
            .command(&format!("UID FETCH {uid} (UID BODY.PEEK[])"), budget, |answer| {
                if let Some(message) = answer.message()
                    && message.uid == Some(uid)
                    && message.body.is_some()
                {
                    body = message.body;
                }
            })
            .await;
        self.wire.largest = SMALL;
        done?;
        match body {
            Some(body) if body.len() > max => Err(ImapFault::TooMuch),
            body => Ok(body),
        }
    }

    /// # Errors
    /// `ImapFault`.
    pub async fn mark_seen(&mut self, uid: u32) -> Result<(), ImapFault> {
        self.command(&format!("UID STORE {uid} +FLAGS.SILENT (\\Seen)"), SMALL, |_| ()).await
    }

    /// Marks it as deleted, and removes it where the server can remove a single message. EXPUNGE alone would take what
    /// others marked.
    ///
    /// # Errors
    /// `ImapFault`.
    pub async fn delete(&mut self, uid: u32) -> Result<(), ImapFault> {
        self.command(&format!("UID STORE {uid} +FLAGS.SILENT (\\Deleted)"), SMALL, |_| ()).await?;
        if self.can("UIDPLUS") {
            self.command(&format!("UID EXPUNGE {uid}"), SMALL, |_| ()).await?;
        }
        Ok(())
    }

    /// Selects the folder (again): how many messages are in it now.
    ///
    /// # Errors
    /// `ImapFault`: `Folder`, if it is not there or may not be read.
    pub async fn look(&mut self) -> Result<Folder, ImapFault> {
        let (mut uid_validity, mut uid_next) = (None, 0);
        let command = format!("SELECT {}", self.folder);
        let selected = self.run(&command, SMALL, |answer| {
            uid_validity = answer.code("UIDVALIDITY").or(uid_validity);
            uid_next = answer.code("UIDNEXT").unwrap_or(uid_next);
        });
        selected.await?.map_err(ImapFault::Folder)?;
        self.uid_next = uid_next;
        let uid_validity = uid_validity.ok_or_else(|| {
            ImapFault::Folder("its messages have no numbers that last (UIDVALIDITY)".into())
        })?;
        Ok(Folder { uid_validity, uid_next, exists: self.heard.exists })
    }

    /// Whether the server says by itself that something is new.
    pub fn can_idle(&self) -> bool {
        self.can("IDLE")
    }

    /// Waits until the server says that something is new, or said so after the last listing; until `wait` has passed; or
    /// until `stop`.
    ///
    /// # Errors
    /// `ImapFault`; the connection is gone then.
    pub async fn idle(mut self, wait: Duration, stop: &CancellationToken) -> Result<Self, ImapFault> {
        if std::mem::take(&mut self.heard.is_new) || stop.is_cancelled() {
            return Ok(self);
        }
        let until = Instant::now() + wait.min(LONGEST_IDLE);
        let tag = within(self.begin_idle()).await?;
        // A server that talks much is left for a moment before it has said too much.
        while !self.heard.is_new && self.wire.left > SMALL / 2 {
            tokio::select! {
                () = stop.cancelled() => break,
                () = sleep_until(until) => break,
                // It only waits: half an answer, read here, would be lost with the other half still to come.
                waiting = self.wire.stream.fill_buf() => {
                    if waiting.map_err(broken)?.is_empty() {
                        return Err(closed());
                    }
                }
            }
            let answer = within(self.wire.answer()).await?;
            if answer.tag != "*" {
                return Err(ImapFault::Broken(self.wire.said(&answer)));
            }
            self.heard.hear(&answer);
        }
        self.wire.left = SMALL;
        within(self.wire.send("DONE")).await?;
        let done = within(self.wire.finish(&tag, &[], |answer| self.heard.hear(&answer))).await?;
        done.map_err(ImapFault::Broken)?;
        self.heard.is_new = false;
        Ok(self)
    }

    /// Says goodbye. Whether that is heard matters to nobody.
    pub async fn close(mut self) {
        let goodbye = async {
            // The server says BYE, which counts as a fault everywhere else.
            let _ = self.wire.run("LOGOUT", &[], SMALL, |_| ()).await;
            let _ = self.wire.stream.shutdown().await;
        };
        let _ = timeout(GOODBYE, goodbye).await;
    }

    /// Asked anew whenever they may be others: what was said without encryption, anybody may have said.
    async fn ask_capabilities(&mut self) -> Result<(), ImapFault> {
        let mut capabilities = HashSet::new();
        self.command("CAPABILITY", SMALL, |answer| {
            if answer.word == "CAPABILITY" {
                let text = String::from_utf8_lossy(&answer.rest);
                capabilities.extend(text.split_whitespace().map(str::to_ascii_uppercase));
            }
        })
        .await?;
        self.capabilities = capabilities;
        Ok(())
    }

    /// RFC 9051 holds what IMAP4rev1 has extensions for.
    fn can(&self, what: &str) -> bool {
        let is_part = matches!(what, "IDLE" | "UIDPLUS") && self.capabilities.contains("IMAP4REV2");
        is_part || self.capabilities.contains(what)
    }

    async fn log_in(&mut self, login: &Login<'_>) -> Result<(), ImapFault> {
        let outcome = match login.proof {
            Proof::Password(password) => self.by_password(login, password).await,
            Proof::Token(token) => self.by_token(login, token).await,
        };
        outcome?.map_err(ImapFault::Refused)
    }

    /// A server that refuses a token says why before it is told to go on, in words for programs (RFC 7628, section 3.2.3).
    async fn by_token(&mut self, login: &Login<'_>, token: &SecretString) -> Result<Outcome, ImapFault> {
        if self.can("AUTH=OAUTHBEARER") {
            let replies = [oauthbearer(login, token), BASE64_STANDARD.encode([1])];
            let replies = replies.each_ref().map(String::as_str);
            self.wire.run("AUTHENTICATE OAUTHBEARER", &replies, SMALL, |_| ()).await
        } else if self.can("AUTH=XOAUTH2") {
            self.wire.run("AUTHENTICATE XOAUTH2", &[&xoauth2(login, token), ""], SMALL, |_| ()).await
        } else {
            let text = "it takes no tokens (neither OAUTHBEARER nor XOAUTH2)";
            Err(ImapFault::Refused(text.into()))
        }
    }

    async fn by_password(
        &mut self,
        login: &Login<'_>,
        password: &SecretString,
    ) -> Result<Outcome, ImapFault> {
        let (is_off, knows_plain) = (self.can("LOGINDISABLED"), self.can("AUTH=PLAIN"));
        if is_off && !knows_plain {
            let text = "it takes no passwords over such a connection (LOGINDISABLED)";
            return Err(ImapFault::Refused(text.into()));
        }
        let is_ascii = login.username.is_ascii() && password.expose_secret().is_ascii();
        // What LOGIN is told has no encoding beyond ASCII. RFC 4616 has one.
        if knows_plain && (is_off || !is_ascii) {
            self.wire.run("AUTHENTICATE PLAIN", &[&plain(login, password)], SMALL, |_| ()).await
        } else {
            let command = format!("LOGIN {} {}", quoted(login.username), quoted(password.expose_secret()));
            self.wire.run(&command, &[], SMALL, |_| ()).await
        }
    }

    async fn begin_idle(&mut self) -> Result<String, ImapFault> {
        let tag = self.wire.begin("IDLE", SMALL).await?;
        loop {
            let answer = self.wire.answer().await?;
            match answer.tag.as_str() {
                "+" => return Ok(tag),
                "*" => self.heard.hear(&answer),
                _ => return Err(ImapFault::Declined(self.wire.said(&answer))),
            }
        }
    }

    /// A command, and what the server says to it.
    async fn command(
        &mut self,
        command: &str,
        budget: u64,
        each: impl FnMut(Answer),
    ) -> Result<(), ImapFault> {
        self.run(command, budget, each).await?.map_err(ImapFault::Declined)
    }

    async fn run(
        &mut self,
        command: &str,
        budget: u64,
        mut each: impl FnMut(Answer),
    ) -> Result<Outcome, ImapFault> {
        let heard = &mut self.heard;
        let hear = |answer: Answer| {
            heard.hear(&answer);
            each(answer);
        };
        self.wire.run(command, &[], budget, hear).await
    }
}

/// What the server said of the folder by itself: news come with the answer to any command.
#[derive(Debug, Default)]
struct Heard {
    exists: u32,
    is_new: bool,
}

impl Heard {
    fn hear(&mut self, answer: &Answer) {
        if let Some(exists) = answer.count("EXISTS") {
            self.is_new |= exists != self.exists;
            self.exists = exists;
        } else if answer.count("EXPUNGE").is_some() {
            self.exists = self.exists.saturating_sub(1);
        }
    }
}

/// The first of the checked addresses that answers.
#[expect(clippy::disallowed_methods, reason = "the fence has resolved the addresses")]
async fn connect(fence: &Fence, login: &Login<'_>) -> Result<TcpStream, ImapFault> {
    let addresses = fence.resolve(login.host, login.port).await?;
    let share = CONNECT / u32::try_from(addresses.len()).unwrap_or(u32::MAX).max(1);
    let mut fault = ImapFault::Unencrypted;
    for address in addresses {
        if login.security == MailSecurity::None && !is_private(address.ip()) {
            continue;
        }
        fault = match timeout(share, TcpStream::connect(address)).await {
            Ok(Ok(tcp)) => return Ok(tcp),
            Ok(Err(error)) => ImapFault::Connect(error.to_string()),
            Err(_) => unreachable_in_time(),
        };
    }
    Err(fault)
}

/// One that nobody reaches from outside: a fence without openings refuses it.
fn is_private(ip: IpAddr) -> bool {
    Fence::new(&[]).check(ip).is_err()
}

async fn encrypt(
    tcp: TcpStream,
    roots: Arc<RootCertStore>,
    host: &str,
) -> Result<TlsStream<TcpStream>, ImapFault> {
    let name = ServerName::try_from(host.trim_matches(['[', ']']).to_owned())
        .map_err(|_| ImapFault::Tls("no certificate can be for that host".into()))?;
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| ImapFault::Tls(error.to_string()))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    let tls = TlsConnector::from(Arc::new(config)).connect(name, tcp).await;
    tls.map_err(|error| ImapFault::Tls(said(&error.to_string(), &[])))
}

async fn within<T>(doing: impl Future<Output = Result<T, ImapFault>>) -> Result<T, ImapFault> {
    timeout(COMMAND, doing).await.unwrap_or(Err(ImapFault::Timeout))
}

fn broken(error: io::Error) -> ImapFault {
    ImapFault::Broken(said(&error.to_string(), &[]))
}

fn closed() -> ImapFault {
    ImapFault::Broken("it closed the connection".into())
}

fn unreachable_in_time() -> ImapFault {
    ImapFault::Connect(format!("no answer within {} s", CONNECT.as_secs()))
}
