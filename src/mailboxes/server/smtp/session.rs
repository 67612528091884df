//! One conversation.

use std::{
    collections::BTreeSet,
    net::IpAddr,
    time::{Duration, Instant},
};

use smtp_proto::{Error as Unclear, MailFrom, Request};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::{
    Bounds, MAX_MESSAGES, Protocol, household,
    wire::{Data, Ended, Line, Wire},
};
use crate::{
    emails::{dto::Envelope, server::service::ReadMessage},
    mailboxes::server::{
        authenticate::Client,
        intake::{self, Unfit},
        repository::{self, Recipient},
        service,
    },
    server::{
        AppState, Result as Served,
        edge::metrics::{Door, Refusal},
        error::chain,
        origin::Origin,
    },
    shared::EmailId,
};

/// RFC 5321, section 4.5.3.1.8, asks for 100; Postfix takes as many as this.
const MAX_RECIPIENTS: usize = 1_000;
/// Recipients that there are not, or commands that are none: whoever sends more is guessing.
const MAX_FAULTS: usize = 20;
/// Mailboxes that one message is stored for.
const MAX_COPIES: usize = 20;
/// How long a message waits for others to be stored before it is put off.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long one conversation may go on.
const LONGEST: Duration = Duration::from_secs(3_600);

/// What the client has said so far.
pub struct Session<'a> {
    app: &'a AppState,
    peer: IpAddr,
    protocol: Protocol,
    bounds: &'a Bounds,
    stop: &'a CancellationToken,
    /// What it calls itself.
    helo: Option<String>,
    is_encrypted: bool,
    sender: Option<String>,
    recipients: Vec<(String, Recipient)>,
    faults: usize,
}

/// What follows a command.
enum Next {
    Command,
    Message,
    Encryption,
    End,
}

impl<'a> Session<'a> {
    pub fn new(
        app: &'a AppState,
        peer: IpAddr,
        protocol: Protocol,
        bounds: &'a Bounds,
        stop: &'a CancellationToken,
    ) -> Self {
        Self {
            app,
            peer,
            protocol,
            bounds,
            stop,
            helo: None,
            is_encrypted: false,
            sender: None,
            recipients: Vec::new(),
            faults: 0,
        }
    }

    /// From the greeting to the end.
    pub async fn run(mut self, mut wire: Wire) -> Result<(), Ended> {
        let until = Instant::now() + LONGEST;
        let spoken = if self.protocol == Protocol::Lmtp { "LMTP" } else { "ESMTP" };
        // RFC 5321, section 4.3.1: a client that does not wait for the greeting does not go by the protocol.
        wire.reply(220, "", &format!("{} {spoken} FlowEngine", self.host())).await?;
        loop {
            let line = tokio::select! {
                line = wire.line() => line,
                () = self.stop.cancelled(), if !wire.has_more() => {
                    return wire.reply(421, "4.3.2", "This server stops. Try again in a moment").await;
                }
            };
            let line = match line {
                Ok(Line::Whole(line)) => line,
                Ok(Line::TooLong) => Vec::new(),
                Err(ended) => return self.explain(&mut wire, ended).await,
            };
            let next = match Request::parse(&mut line.iter()) {
                _ if line.is_empty() => {
                    self.faults += 1;
                    wire.reply(500, "5.5.6", "The line is too long").await?;
                    Next::Command
                }
                Ok(request) => self.command(&mut wire, request.into_owned()).await?,
                Err(fault) => self.unclear(&mut wire, &fault).await?,
            };
            if self.faults > MAX_FAULTS || Instant::now() > until {
                return wire.reply(421, "4.7.0", "Enough for one connection").await;
            }
            match next {
                Next::Command => {}
                Next::Message => {
                    if let Err(ended) = self.message(&mut wire).await {
                        return self.explain(&mut wire, ended).await;
                    }
                }
                Next::Encryption => {
                    wire = match self.encrypted(wire).await {
                        Some(wire) => wire,
                        None => return Ok(()),
                    };
                }
                Next::End => return Ok(()),
            }
        }
    }

    /// Tells the client why it ends, where that may be of use.
    async fn explain(&self, wire: &mut Wire, ended: Ended) -> Result<(), Ended> {
        match &ended {
            Ended::Bare => wire.reply(521, "5.5.2", "Lines end with CR LF: a bare one is not taken").await?,
            Ended::Silent => wire.reply(421, "4.4.2", "Silent for too long").await?,
            Ended::Closed | Ended::Io(_) => {}
        }
        Err(ended)
    }

    async fn unclear(&mut self, wire: &mut Wire, fault: &Unclear) -> Result<Next, Ended> {
        self.faults += 1;
        let (code, enhanced, text) = match fault {
            Unclear::InvalidSenderAddress => (501, "5.1.7", "The sender's address cannot be read".to_owned()),
            Unclear::InvalidRecipientAddress => {
                (501, "5.1.3", "The recipient's address cannot be read".to_owned())
            }
            Unclear::SyntaxError { syntax } => (501, "5.5.2", format!("It is written: {syntax}")),
            Unclear::InvalidParameter { param } => (501, "5.5.4", format!("{param} cannot be read")),
            Unclear::UnsupportedParameter { .. } => {
                (555, "5.5.4", "A parameter is not known here".to_owned())
            }
            _ => (500, "5.5.1", "No such command".to_owned()),
        };
        wire.reply(code, enhanced, &text).await?;
        Ok(Next::Command)
    }

    async fn command(&mut self, wire: &mut Wire, request: Request<String>) -> Result<Next, Ended> {
        match request {
            Request::Ehlo { host } if self.protocol == Protocol::Smtp => self.greet(wire, host, true).await?,
            Request::Lhlo { host } if self.protocol == Protocol::Lmtp => self.greet(wire, host, true).await?,
            Request::Helo { host } if self.protocol == Protocol::Smtp => {
                self.greet(wire, host, false).await?
            }
            Request::Mail { from } => self.mail(wire, from).await?,
            Request::Rcpt { to } => self.recipient(wire, to.address).await?,
            Request::Data if self.recipients.is_empty() => {
                wire.reply(503, "5.5.1", "Nobody is named yet that the message is for").await?;
            }
            Request::Data => return Ok(Next::Message),
            Request::StartTls if self.bounds.tls.is_some() && !self.is_encrypted => {
                return Ok(Next::Encryption);
            }
            Request::Rset => {
                self.forget();
                wire.reply(250, "2.0.0", "Forgotten").await?;
            }
            Request::Noop { .. } => wire.reply(250, "2.0.0", "Yes").await?,
            // Which addresses there are is told to whoever has mail for them.
            Request::Vrfy { .. } => wire.reply(252, "2.5.0", "Try it").await?,
            Request::Help { .. } => wire.reply(214, "2.0.0", "RFC 5321").await?,
            Request::Quit => {
                wire.reply(221, "2.0.0", "Goodbye").await?;
                return Ok(Next::End);
            }
            // What follows these is not known to be a command.
            Request::Bdat { .. } | Request::Auth { .. } => {
                wire.reply(502, "5.5.1", "It is not offered").await?;
                return Ok(Next::End);
            }
            _ => {
                self.faults += 1;
                wire.reply(502, "5.5.1", "It is not offered").await?;
            }
        }
        Ok(Next::Command)
    }

    async fn greet(&mut self, wire: &mut Wire, host: String, is_extended: bool) -> Result<(), Ended> {
        self.forget();
        self.helo = Some(host.chars().filter(|c| !c.is_control()).take(255).collect());
        if !is_extended {
            return wire.reply(250, "", self.host()).await;
        }
        let mut offered = vec![
            self.host().to_owned(),
            format!("SIZE {}", self.app.config.max_message_bytes),
            "8BITMIME".to_owned(),
            "SMTPUTF8".to_owned(),
            "PIPELINING".to_owned(),
            "ENHANCEDSTATUSCODES".to_owned(),
        ];
        if self.bounds.tls.is_some() && !self.is_encrypted {
            offered.push("STARTTLS".to_owned());
        }
        wire.replies(250, &offered).await
    }

    async fn mail(&mut self, wire: &mut Wire, from: MailFrom<String>) -> Result<(), Ended> {
        if self.helo.is_none() {
            return wire.reply(503, "5.5.1", "Say first who you are").await;
        }
        if self.sender.is_some() {
            return wire.reply(503, "5.5.1", "A message is under way").await;
        }
        if from.address.chars().any(char::is_control) {
            return wire.reply(501, "5.1.7", "The sender's address cannot be read").await;
        }
        if from.size > self.app.config.max_message_bytes {
            self.refused(Refusal::TooLarge);
            return wire.reply(552, "5.3.4", &self.too_large()).await;
        }
        self.sender = Some(from.address);
        wire.reply(250, "2.1.0", "Go on").await
    }

    async fn recipient(&mut self, wire: &mut Wire, address: String) -> Result<(), Ended> {
        if self.sender.is_none() {
            return wire.reply(503, "5.5.1", "Say first whom the message is from").await;
        }
        if self.recipients.len() >= MAX_RECIPIENTS {
            return wire.reply(452, "4.5.3", "Too many recipients: send the others apart").await;
        }
        match self.find(&address).await {
            // Its tenant may be opened again: what is not refused for good, its sender keeps (RFC 5321, section 4.2.1).
            Ok(Some(recipient)) if !recipient.is_open => {
                self.refused(Refusal::Closed);
                wire.reply(450, "4.2.1", "The mailbox is closed for now. Try again later").await
            }
            Ok(Some(recipient)) if self.is_one_too_many(&recipient) => {
                wire.reply(452, "4.5.3", "Too many mailboxes: send the others apart").await
            }
            Ok(Some(recipient)) => {
                self.recipients.push((address, recipient));
                wire.reply(250, "2.1.5", "Go on").await
            }
            Ok(None) => {
                self.refused(Refusal::NoMailbox);
                // Whoever hands on what others sent does not guess.
                self.faults += usize::from(!self.is_trusted());
                wire.reply(550, "5.1.1", "There is no such mailbox here").await
            }
            Err(error) => {
                tracing::warn!(error = %chain(&error), "a recipient could not be looked up");
                wire.reply(451, "4.3.0", "Try again in a moment").await
            }
        }
    }

    /// Each mailbox gets a copy of its own.
    fn is_one_too_many(&self, recipient: &Recipient) -> bool {
        let mut mailboxes: BTreeSet<_> = self.recipients.iter().map(|(_, one)| one.mailbox_id.0).collect();
        mailboxes.insert(recipient.mailbox_id.0);
        mailboxes.len() > MAX_COPIES
    }

    /// Whether the client is of the organisation's own: what it hands on was sent by somebody else. By LMTP nobody else
    /// comes (RFC 2033, section 2).
    pub fn is_trusted(&self) -> bool {
        let relays = &self.app.config.mail.trusted_relays;
        self.protocol == Protocol::Lmtp || relays.iter().any(|network| network.contains(&self.peer))
    }

    /// The mailbox of the address itself; or of what stands before a `+`; or the one that takes all of the domain. The
    /// address that the installation's mail comes from has none.
    async fn find(&self, address: &str) -> Served<Option<Recipient>> {
        let candidates = service::candidates(address);
        if candidates.is_empty() || service::is_senders(self.app, address) {
            return Ok(None);
        }
        let found = repository::by_addresses(&mut self.app.database.statement().await?, &candidates).await?;
        Ok(candidates.iter().find_map(|address| found.iter().find(|one| one.address == *address)).cloned())
    }

    async fn message(&mut self, wire: &mut Wire) -> Result<(), Ended> {
        // Before the message is on its way, not after: what was sent in vain must be sent once more.
        let share = if self.is_trusted() { MAX_MESSAGES } else { MAX_MESSAGES / 4 };
        let share = self.bounds.senders.take(household(self.peer), share);
        let place = timeout(PATIENCE, self.bounds.messages.take(self.is_trusted())).await;
        let (Some(_share), Ok(Some(_place))) = (share, place) else {
            self.refused(Refusal::Busy);
            // Nothing of it is kept for what comes next.
            self.forget();
            return wire.reply(451, "4.3.2", "Too much at once. Try again in a moment").await;
        };
        wire.reply(354, "", "Go on; a dot alone on a line ends it").await?;
        let data = wire.data(self.app.config.max_message_bytes).await?;
        let recipients = std::mem::take(&mut self.recipients);
        let sender = self.sender.take().unwrap_or_default();
        let raw = match data {
            Data::Whole(raw) => raw,
            Data::Bare => {
                self.refused(Refusal::BareLines);
                let text = "Lines end with CR LF: one of them does not";
                self.refuse(wire, recipients.len(), 550, "5.6.11", text).await?;
                // What else the client believes to have sent, nobody knows.
                return Err(Ended::Closed);
            }
            Data::TooLarge => {
                self.refused(Refusal::TooLarge);
                let text = self.too_large();
                return self.refuse(wire, recipients.len(), 552, "5.3.4", &text).await;
            }
        };
        self.faults = 0;
        if let Err(unfit) = intake::check(&raw) {
            self.refused(unfit.into());
            let (code, enhanced, text) = match unfit {
                Unfit::Empty => (554, "5.6.0", "The message is empty"),
                Unfit::Headers => (552, "5.3.4", "Its header is larger than this server takes"),
                Unfit::Loop => (554, "5.4.6", "It has passed through too many servers: a loop"),
            };
            return self.refuse(wire, recipients.len(), code, enhanced, text).await;
        }
        let stored = self.store(raw, &sender, &recipients).await;
        match self.protocol {
            Protocol::Smtp => {
                // One answer for all. Those for whom it is stored drop it when it comes once more.
                match stored.iter().find(|outcome| outcome.is_none()) {
                    Some(_) => wire.reply(451, "4.3.0", "It is not stored. Try again in a moment").await,
                    None => {
                        let ids: Vec<String> =
                            stored.iter().flatten().take(3).map(ToString::to_string).collect();
                        wire.reply(250, "2.0.0", &format!("Stored as {}", ids.join(", "))).await
                    }
                }
            }
            Protocol::Lmtp => {
                for outcome in stored {
                    match outcome {
                        Some(id) => wire.reply(250, "2.0.0", &format!("Stored as {id}")).await?,
                        None => wire.reply(451, "4.3.0", "It is not stored. Try again in a moment").await?,
                    }
                }
                Ok(())
            }
        }
    }

    /// For each recipient what it is stored as, if it is.
    async fn store(
        &self,
        raw: Vec<u8>,
        sender: &str,
        recipients: &[(String, Recipient)],
    ) -> Vec<Option<EmailId>> {
        let config = &self.app.config.mail;
        let helo = self.helo.as_deref().unwrap_or_default();
        let mut common = Envelope {
            from: Some(sender.to_owned()),
            client: Some(self.peer.to_string()),
            helo: Some(helo.to_owned()),
            ..Envelope::default()
        };
        let client = (!self.is_trusted()).then(|| Client {
            ip: self.peer,
            helo: helo.to_owned(),
            mail_from: sender.to_owned(),
            host: config.hostname.clone(),
        });
        let message = ReadMessage::of(raw).await;
        self.app.authenticator.check(&message, client, &mut common).await;
        let origin = Origin { address: Some(self.peer), request_id: None };
        let mut done: Vec<(&Recipient, Option<EmailId>)> = Vec::new();
        let mut outcomes = Vec::with_capacity(recipients.len());
        for (_, recipient) in recipients {
            // Several addresses may lead to one mailbox.
            if let Some((_, outcome)) =
                done.iter().find(|(other, _)| other.mailbox_id == recipient.mailbox_id)
            {
                outcomes.push(*outcome);
                continue;
            }
            let to = recipients.iter().filter(|(_, other)| other.mailbox_id == recipient.mailbox_id);
            let envelope = Envelope {
                mailbox: recipient.name.clone(),
                to: to.map(|(address, _)| address.clone()).collect(),
                ..common.clone()
            };
            let (tenant, id) = (&recipient.tenant_id, recipient.mailbox_id);
            let outcome = match intake::store(self.app, tenant, id, &message, &envelope, &origin).await {
                Ok(received) => {
                    if !received.duplicate {
                        self.app.metrics.received(self.door());
                    }
                    Some(received.email_id)
                }
                Err(error) => {
                    self.refused(Refusal::NotStored);
                    tracing::error!(%tenant, mailbox_id = %id, error = %chain(&error), "a message was not stored");
                    None
                }
            };
            done.push((recipient, outcome));
            outcomes.push(outcome);
        }
        outcomes
    }

    /// The same answer for all that it was for: one in SMTP, one for each in LMTP.
    async fn refuse(
        &self,
        wire: &mut Wire,
        recipients: usize,
        code: u16,
        enhanced: &str,
        text: &str,
    ) -> Result<(), Ended> {
        let times = if self.protocol == Protocol::Lmtp { recipients } else { 1 };
        for _ in 0..times {
            wire.reply(code, enhanced, text).await?;
        }
        Ok(())
    }

    /// `None` where the connection is over.
    async fn encrypted(&mut self, mut wire: Wire) -> Option<Wire> {
        let acceptor = self.bounds.tls.as_ref()?;
        // What was sent ahead in the clear must not pass for encrypted (CVE-2011-0411).
        if wire.has_more() {
            wire.reply(501, "5.5.4", "Nothing may follow STARTTLS").await.ok();
            return None;
        }
        wire.reply(220, "2.0.0", "Go on").await.ok()?;
        let stream = wire.into_stream()?;
        let patience = self.app.config.mail.timeout;
        let stream = timeout(patience, acceptor.accept(stream)).await.ok()?.ok()?;
        // RFC 3207, section 4.2: what was said before is forgotten.
        self.forget();
        self.helo = None;
        self.is_encrypted = true;
        Some(Wire::new(Box::new(stream), patience))
    }

    fn door(&self) -> Door {
        match self.protocol {
            Protocol::Smtp => Door::Smtp,
            Protocol::Lmtp => Door::Lmtp,
        }
    }

    fn refused(&self, why: Refusal) {
        self.app.metrics.refused(self.door(), why);
    }

    fn forget(&mut self) {
        self.sender = None;
        self.recipients.clear();
    }

    fn host(&self) -> &'a str {
        &self.app.config.mail.hostname
    }

    fn too_large(&self) -> String {
        format!("A message may have {} bytes here", self.app.config.max_message_bytes)
    }
}
