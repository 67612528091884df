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

mod wire;

use std::{
    collections::{BTreeSet, HashSet},
    io,
    net::IpAddr,
    sync::Arc,
    time::Duration,
};

use base64::{
    Engine, alphabet,
    engine::general_purpose::{GeneralPurpose, NO_PAD},
    prelude::BASE64_STANDARD,
};
use rustls::{ClientConfig, RootCertStore, crypto::ring, pki_types::ServerName};
use secrecy::{ExposeSecret, SecretString};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt},
    net::TcpStream,
    time::{Instant, sleep_until, timeout},
};
use tokio_rustls::{TlsConnector, client::TlsStream};
use tokio_util::{either::Either, sync::CancellationToken};

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

/// Base64 as folder names have it (RFC 3501, section 5.1.3).
const IN_FOLDERS: GeneralPurpose = GeneralPurpose::new(&alphabet::IMAP_MUTF7, NO_PAD);

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
    pub exists: u32,
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

    /// A message's bytes, as the server counts them; none if the message is gone, 0 if the server does not say.
    ///
    /// # Errors
    /// `ImapFault`.
    pub async fn size(&mut self, uid: u32) -> Result<Option<u32>, ImapFault> {
        let mut found = None;
        self.command(&format!("UID FETCH {uid} (UID RFC822.SIZE)"), SMALL, |answer| {
            if let Some(message) = answer.message()
                && message.uid == Some(uid)
            {
                found = message.size.or(found).or(Some(0));
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
        Ok(Folder { uid_validity, exists: self.heard.exists })
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

/// The password or token, in every form in which it leaves.
fn secrets(login: &Login<'_>) -> Arc<[SecretString]> {
    let secret = login.proof.secret().to_owned();
    let sent = match login.proof {
        Proof::Password(password) => [escaped(&secret), plain(login, password)],
        Proof::Token(token) => [oauthbearer(login, token), xoauth2(login, token)],
    };
    std::iter::once(secret).chain(sent).map(SecretString::from).collect()
}

/// RFC 4616.
fn plain(login: &Login<'_>, password: &SecretString) -> String {
    BASE64_STANDARD.encode(format!("\0{}\0{}", login.username, password.expose_secret()))
}

/// RFC 7628, section 3.1; the name as RFC 5801 has it.
fn oauthbearer(login: &Login<'_>, token: &SecretString) -> String {
    let name = login.username.replace('=', "=3D").replace(',', "=2C");
    let (host, port, token) = (login.host, login.port, token.expose_secret());
    BASE64_STANDARD
        .encode(format!("n,a={name},\x01host={host}\x01port={port}\x01auth=Bearer {token}\x01\x01"))
}

/// What came before it, which Exchange Online has alone (Google, "XOAUTH2 Protocol").
fn xoauth2(login: &Login<'_>, token: &SecretString) -> String {
    let token = token.expose_secret();
    BASE64_STANDARD.encode(format!("user={}\x01auth=Bearer {token}\x01\x01", login.username))
}

fn quoted(text: &str) -> String {
    format!("\"{}\"", escaped(text))
}

fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"")
}

/// A folder's name in modified UTF-7 (RFC 3501, section 5.1.3).
fn in_folders(name: &str) -> String {
    fn flush(shifted: &mut Vec<u8>, encoded: &mut String) {
        if !shifted.is_empty() {
            encoded.push_str(&format!("&{}-", IN_FOLDERS.encode(shifted.as_slice())));
            shifted.clear();
        }
    }
    let (mut encoded, mut shifted) = (String::new(), Vec::new());
    for c in name.chars() {
        if matches!(c, ' '..='~') {
            flush(&mut shifted, &mut encoded);
            encoded.push(c);
            if c == '&' {
                encoded.push('-');
            }
        } else {
            let mut units = [0; 2];
            for unit in c.encode_utf16(&mut units) {
                shifted.extend_from_slice(&unit.to_be_bytes());
            }
        }
    }
    flush(&mut shifted, &mut encoded);
    encoded
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

#[cfg(test)]
mod tests {
    use tokio::{io::BufReader, net::TcpListener, task::JoinHandle};

    use super::*;

    const HELLO: &str = "* OK hello\r\n";
    const PASSWORD: &str = "pa\"ss\\word";
    const LISTING_8: &str = "F5 UID FETCH 8:* (UID)";

    /// What it must hear, and what it then says.
    type Script = Vec<(&'static str, &'static str)>;

    /// A server that takes one connection.
    async fn server(greeting: &'static str, script: Script) -> (u16, JoinHandle<()>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let conversation = tokio::spawn(async move {
            let (stream, _) = listener.accept().await.expect("a connection");
            let mut stream = BufReader::new(stream);
            stream.write_all(greeting.as_bytes()).await.expect("a greeting");
            for (expected, answer) in script {
                let mut line = String::new();
                stream.read_line(&mut line).await.expect("a line");
                assert_eq!(line.trim_end_matches(['\r', '\n']), expected);
                stream.write_all(answer.as_bytes()).await.expect("an answer");
            }
        });
        (port, conversation)
    }

    /// Up to the folder.
    fn opening() -> Script {
        vec![
            ("F1 CAPABILITY", "* CAPABILITY IMAP4rev1 AUTH=PLAIN\r\nF1 OK done\r\n"),
            ("F2 LOGIN \"orders\" \"pa\\\"ss\\\\word\"", "F2 OK welcome {9}\r\n"),
            ("F3 CAPABILITY", "* CAPABILITY IMAP4rev1 idle UIDPLUS\r\nF3 OK done\r\n"),
            (
                "F4 SELECT \"Entw&APw-rfe\"",
                "* FLAGS (\\Seen \\Deleted)\r\n* 3 EXISTS\r\n* 0 RECENT\r\n* OK [UIDVALIDITY 77] it lasts\r\n\
                 * OK [UIDNEXT 12] next\r\nF4 OK [READ-WRITE] selected\r\n",
            ),
        ]
    }

    async fn open_as(
        host: &str,
        port: u16,
        security: MailSecurity,
        password: &str,
    ) -> Result<(Connection, Folder), ImapFault> {
        let fence = Fence::new(&["127.0.0.0/8".parse().expect("a network")]);
        let password = SecretString::from(password);
        let (username, folder, proof) = ("orders", "Entwürfe", Proof::Password(&password));
        let login = Login { host, port, security, username, proof, folder };
        Connection::open(&fence, Arc::new(RootCertStore::empty()), &login).await
    }

    async fn open(port: u16) -> Result<(Connection, Folder), ImapFault> {
        open_as("127.0.0.1", port, MailSecurity::None, PASSWORD).await
    }

    #[test]
    fn folders_are_named_in_modified_utf_7() {
        for (name, encoded) in [
            ("INBOX", "INBOX"),
            ("Entwürfe", "Entw&APw-rfe"),
            ("A & B", "A &- B"),
            ("~peter/mail/台北/日本語", "~peter/mail/&U,BTFw-/&ZeVnLIqe-"),
            ("😀", "&2D3eAA-"),
            ("ü&", "&APw-&-"),
        ] {
            assert_eq!(in_folders(name), encoded, "{name}");
        }
    }

    #[test]
    fn a_fault_repeats_little_and_never_the_password() {
        let secrets = [SecretString::from("hunter2"), SecretString::from("aHVudGVyMg==")];
        assert_eq!(said("[AUTHENTICATIONFAILED] Wrong.\u{7}\r\n", &secrets), "Wrong.");
        assert_eq!(said("a\u{1b}[2Jb", &secrets), "a [2Jb");
        assert_eq!(said("", &secrets), "it did not say why");
        assert_eq!(said(&"ü".repeat(500), &secrets).chars().count(), LONGEST_TEXT);
        for echo in ["LOGIN orders hunter2", "no such command aHVudGVyMg==", "[X hunter2] no"] {
            let text = said(echo, &secrets);
            assert!(!text.contains("hunter2") && !text.contains("aHVud"), "{text}");
        }
    }

    #[tokio::test]
    async fn no_more_is_read_than_the_budget() {
        let (ours, mut theirs) = tokio::io::duplex(1 << 16);
        let mut wire = Wire::new(ours, Arc::default());
        theirs.write_all(b"* 1 EXISTS\r\n* OK and much more than that\r\n").await.expect("written");
        wire.left = 20;
        assert_eq!(wire.answer().await.expect("an answer").count("EXISTS"), Some(1));
        assert_eq!(wire.answer().await.err(), Some(ImapFault::TooMuch));

        let (ours, mut theirs) = tokio::io::duplex(1 << 16);
        let mut wire = Wire::new(ours, Arc::default());
        theirs.write_all(b"* 1 FETCH (X {0}\r\n").await.expect("written");
        theirs.write_all(" {0}\r\n".repeat(MOST_LITERALS).as_bytes()).await.expect("written");
        assert_eq!(wire.answer().await.err(), Some(ImapFault::TooMuch));
    }

    #[test]
    fn lists_without_end_are_read_without_recursion() {
        let rest =
            format!("FETCH (UID 5 INTERNALDATE NIL BODYSTRUCTURE {}", "(".repeat(100_000)).into_bytes();
        let answer = Answer { tag: "*".into(), word: "1".into(), rest, literals: Vec::new() };
        assert_eq!(answer.message().and_then(|message| message.uid), Some(5));
    }

    #[tokio::test]
    async fn a_conversation() {
        let mut script = opening();
        script.extend([
            (
                LISTING_8,
                "* 2 FETCH (UID 9)\r\n* 1 FETCH (FLAGS (\\Seen) UID 8)\r\n* 3 FETCH (UID 11)\r\nF5 OK done\r\n",
            ),
            ("F6 UID FETCH 12:* (UID)", "* 3 FETCH (UID 11)\r\nF6 OK done\r\n"),
            (
                "F7 UID FETCH 9 (UID BODY.PEEK[])",
                "* 1 FETCH (UID 8 BODY[] \"other\")\r\n\
                 * 2 FETCH (FLAGS () UID 9 BODY[] {14}\r\na) \"{9}\r\n\r\nb\r\n)\r\nF7 OK done\r\n",
            ),
            ("F8 UID FETCH 10 (UID BODY.PEEK[])", "F8 OK done\r\n"),
            ("F9 UID STORE 9 +FLAGS.SILENT (\\Seen)", "F9 OK\r\n"),
            ("F10 UID STORE 9 +FLAGS.SILENT (\\Deleted)", "F10 OK done\r\n"),
            ("F11 UID EXPUNGE 9", "* 2 EXPUNGE\r\nF11 OK done\r\n"),
            ("F12 IDLE", "+ idling\r\n* OK still here\r\n* 3 EXISTS\r\n"),
            ("DONE", "F12 OK done\r\n"),
            ("F13 SELECT \"Entw&APw-rfe\"", "* 4 EXISTS\r\n* OK [UIDVALIDITY 78]\r\nF13 OK done\r\n"),
            ("F14 LOGOUT", "* BYE\r\nF14 OK done\r\n"),
        ]);
        let (port, conversation) = server(HELLO, script).await;
        let (mut connection, folder) = open(port).await.expect("open");
        assert_eq!(folder, Folder { uid_validity: 77, exists: 3 });
        let found = connection.after(7, 2).await.expect("a listing");
        assert_eq!(found, [8, 9]);
        assert_eq!(connection.after(11, 2).await, Ok(Vec::new()));
        assert_eq!(connection.fetch(9, 100).await, Ok(Some(b"a) \"{9}\r\n\r\nb\r\n".to_vec())));
        assert_eq!(connection.fetch(10, 100).await, Ok(None));
        connection.mark_seen(9).await.expect("marked");
        connection.delete(9).await.expect("deleted");
        assert!(connection.can_idle());
        let stop = CancellationToken::new();
        let mut connection = connection.idle(Duration::from_secs(60), &stop).await.expect("news");
        assert_eq!(connection.look().await, Ok(Folder { uid_validity: 78, exists: 4 }));
        connection.close().await;
        conversation.await.expect("as scripted");
    }

    #[tokio::test]
    async fn news_between_a_listing_and_the_wait_are_no_news_less() {
        let mut script = opening();
        script.extend([
            (LISTING_8, "F5 OK done\r\n"),
            ("F6 UID STORE 9 +FLAGS.SILENT (\\Seen)", "* 4 EXISTS\r\nF6 OK done\r\n"),
            ("F7 IDLE", "+ idling\r\n"),
            ("DONE", "F7 OK done\r\n"),
        ]);
        let (port, conversation) = server(HELLO, script).await;
        let (mut connection, _) = open(port).await.expect("open");
        connection.after(7, 2).await.expect("a listing");
        connection.mark_seen(9).await.expect("marked");
        let stop = CancellationToken::new();
        let connection = connection.idle(Duration::from_secs(60), &stop).await.expect("at once");
        connection.idle(Duration::from_millis(20), &stop).await.expect("after a while");
        conversation.await.expect("as scripted");
    }

    #[tokio::test]
    async fn a_full_folder_is_listed_in_parts() {
        let mut script = opening();
        script[3].1 = "* 900 EXISTS\r\n* OK [UIDVALIDITY 1]\r\n* OK [UIDNEXT 5000]\r\nF4 OK done\r\n";
        script.extend([
            ("F5 UID FETCH 1:1001 (UID)", "F5 OK done\r\n"),
            ("F6 UID FETCH 1002:* (UID)", "* 1 FETCH (UID 1500)\r\nF6 OK done\r\n"),
            ("F7 UID FETCH 3:1003 (UID)", "* 1 FETCH (UID 3)\r\nF7 OK done\r\n"),
        ]);
        let (port, conversation) = server(HELLO, script).await;
        let (mut connection, _) = open(port).await.expect("open");
        assert_eq!(connection.after(0, 1).await, Ok(vec![1500]));
        assert_eq!(connection.after(2, 1).await, Ok(vec![3]));
        conversation.await.expect("as scripted");
    }

    #[tokio::test]
    async fn a_size_is_told_where_the_message_is_there() {
        let mut script = opening();
        script.extend([
            (
                "F5 UID FETCH 9 (UID RFC822.SIZE)",
                "* 1 FETCH (UID 8 RFC822.SIZE 1)\r\n* 2 FETCH (RFC822.SIZE 400 UID 9)\r\nF5 OK done\r\n",
            ),
            ("F6 UID FETCH 9 (UID RFC822.SIZE)", "* 2 FETCH (UID 9)\r\nF6 OK done\r\n"),
            ("F7 UID FETCH 10 (UID RFC822.SIZE)", "F7 OK done\r\n"),
            ("F8 UID FETCH 11 (UID RFC822.SIZE)", "F8 NO [TEMPFAIL] not now\r\n"),
        ]);
        let (port, conversation) = server(HELLO, script).await;
        let (mut connection, _) = open(port).await.expect("open");
        assert_eq!(connection.size(9).await, Ok(Some(400)));
        assert_eq!(connection.size(9).await, Ok(Some(0)));
        assert_eq!(connection.size(10).await, Ok(None));
        assert_eq!(connection.size(11).await, Err(ImapFault::Declined("not now".into())));
        conversation.await.expect("as scripted");
    }

    #[tokio::test]
    async fn a_literal_without_end_is_too_much() {
        for size in ["4000000000", "70000", "99999999999999999999999999"] {
            let mut script = opening();
            let answer: &'static str = format!("* 2 FETCH (UID 9 BODY[] {{{size}}}\r\nmuch, and more").leak();
            script.push(("F5 UID FETCH 9 (UID BODY.PEEK[])", answer));
            let (port, conversation) = server(HELLO, script).await;
            let (mut connection, _) = open(port).await.expect("open");
            assert_eq!(connection.fetch(9, 100).await, Err(ImapFault::TooMuch), "{size}");
            conversation.await.expect("as scripted");
        }
    }

    #[tokio::test]
    async fn what_is_refused_or_breaks_off_is_no_empty_listing() {
        for answer in ["F5 NO not now\r\n", "* 2 FETCH (UID 9)\r\n", "* BYE too many\r\n"] {
            let mut script = opening();
            script.push((LISTING_8, answer));
            let (port, conversation) = server(HELLO, script).await;
            let (mut connection, _) = open(port).await.expect("open");
            let fault = connection.after(7, 2).await;
            assert!(matches!(fault, Err(ImapFault::Broken(_) | ImapFault::Declined(_))), "{fault:?}");
            conversation.await.expect("as scripted");
        }
    }

    #[tokio::test]
    async fn a_refused_login_says_why_but_not_the_password() {
        for (answer, why) in [
            ("F2 NO [AUTHENTICATIONFAILED] Wrong password.\r\n", "Wrong password."),
            (
                "F2 BAD LOGIN \"orders\" \"pa\\\"ss\\\\word\"\r\n",
                "its words are not repeated, for the password is among them",
            ),
        ] {
            let mut script = opening();
            script[1].1 = answer;
            script.truncate(2);
            let (port, conversation) = server(HELLO, script).await;
            assert_eq!(open(port).await.err(), Some(ImapFault::Refused(why.into())));
            conversation.await.expect("as scripted");
        }
    }

    #[tokio::test]
    async fn a_password_beyond_ascii_goes_by_plain() {
        let mut script = opening();
        script.truncate(1);
        script.extend([
            ("F2 AUTHENTICATE PLAIN", "+ \r\n"),
            ("AG9yZGVycwBww6Rzc2U=", "F2 NO AG9yZGVycwBww6Rzc2U= is unknown\r\n"),
        ]);
        let (port, conversation) = server(HELLO, script).await;
        let fault = open_as("127.0.0.1", port, MailSecurity::None, "pässe").await.err();
        let why = "its words are not repeated, for the password is among them";
        assert_eq!(fault, Some(ImapFault::Refused(why.into())));
        conversation.await.expect("as scripted");
    }

    #[tokio::test]
    async fn a_token_goes_as_the_server_takes_it_and_stands_in_no_fault() {
        const TOKEN: &str = "eyJ0b2tlbiI6MX0";
        let by_token = async |port| {
            let (fence, token) = (Fence::new(&["127.0.0.0/8".parse().expect("a network")]), TOKEN.into());
            let (host, security, proof) = ("127.0.0.1", MailSecurity::None, Proof::Token(&token));
            let login = Login { host, port, security, username: "a=b,c", proof, folder: "INBOX" };
            Connection::open(&fence, Arc::new(RootCertStore::empty()), &login).await.err()
        };
        let said = |text: &str| BASE64_STANDARD.encode(text).leak() as &'static str;
        let xoauth2 = said(&format!("user=a=b,c\x01auth=Bearer {TOKEN}\x01\x01"));
        let hidden = "its words are not repeated, for the password is among them";
        for (capability, conversation, why) in [
            (
                "* CAPABILITY IMAP4rev1 AUTH=XOAUTH2 LOGINDISABLED\r\nF1 OK done\r\n",
                vec![
                    ("F2 AUTHENTICATE XOAUTH2", "+ \r\n"),
                    (xoauth2, "+ eyJzdGF0dXMiOiI0MDEifQ==\r\n"),
                    ("", "F2 NO AUTHENTICATE failed.\r\n"),
                ],
                "AUTHENTICATE failed.",
            ),
            (
                "* CAPABILITY IMAP4rev1 AUTH=XOAUTH2 LOGINDISABLED\r\nF1 OK done\r\n",
                vec![("F2 AUTHENTICATE XOAUTH2", "+ \r\n"), (xoauth2, "F2 NO eyJ0b2tlbiI6MX0 is over\r\n")],
                hidden,
            ),
            (
                "* CAPABILITY IMAP4rev1 AUTH=PLAIN\r\nF1 OK done\r\n",
                vec![],
                "it takes no tokens (neither OAUTHBEARER nor XOAUTH2)",
            ),
        ] {
            let script = [vec![("F1 CAPABILITY", capability)], conversation].concat();
            let (port, conversation) = server(HELLO, script).await;
            assert_eq!(by_token(port).await, Some(ImapFault::Refused(why.into())));
            conversation.await.expect("as scripted");
        }
        // The port is in what is said.
        let (port, told) = server(
            HELLO,
            vec![
                ("F1 CAPABILITY", "* CAPABILITY IMAP4rev1 AUTH=XOAUTH2 AUTH=OAUTHBEARER\r\nF1 OK done\r\n"),
                ("F2 AUTHENTICATE OAUTHBEARER", "F2 NO not today\r\n"),
            ],
        )
        .await;
        assert_eq!(by_token(port).await, Some(ImapFault::Refused("not today".into())));
        told.await.expect("as scripted");
    }

    #[tokio::test]
    async fn no_login_goes_where_it_does_not_belong() {
        let fault = open_as("1.1.1.1", 143, MailSecurity::None, PASSWORD).await.err();
        assert_eq!(fault, Some(ImapFault::Unencrypted));
        let fault = open_as("10.0.0.1", 993, MailSecurity::Tls, PASSWORD).await.err();
        assert!(matches!(fault, Some(ImapFault::Fenced(_))), "{fault:?}");

        let script = vec![("F1 CAPABILITY", "* CAPABILITY IMAP4rev1 LOGINDISABLED\r\nF1 OK done\r\n")];
        let (port, conversation) = server(HELLO, script).await;
        let fault = open(port).await.err();
        assert!(matches!(fault, Some(ImapFault::Refused(_))), "{fault:?}");
        conversation.await.expect("as scripted");

        let (port, conversation) = server("* PREAUTH welcome back\r\n", Vec::new()).await;
        let fault = open(port).await.err();
        assert!(matches!(fault, Some(ImapFault::Broken(_))), "{fault:?}");
        conversation.await.expect("as scripted");
    }

    #[tokio::test]
    async fn nothing_in_plain_follows_starttls() {
        let script = vec![("F1 STARTTLS", "F1 OK go on\r\n* CAPABILITY IMAP4rev1\r\n")];
        let (port, conversation) = server(HELLO, script).await;
        let fault = open_as("127.0.0.1", port, MailSecurity::Starttls, PASSWORD).await.err();
        let why = "more than its answer came behind STARTTLS";
        assert_eq!(fault, Some(ImapFault::Tls(why.into())));
        conversation.await.expect("as scripted");
    }
}
