//! The ways out, and the breakers before them.

use reqwest::Client;

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

/// What deliveries are sent with.
pub struct Senders {
    fence: Fence,
    client: Result<Client, String>,
    mailer: Option<Mailer>,
    pub breakers: Breakers<Gate>,
}

impl Senders {
    pub fn new(config: &Config) -> Self {
        let fence = Fence::new(&config.lookups.allow_networks);
        let (deliveries, hostname) = (&config.deliveries, &config.mail.hostname);
        let client = fence.client(config.lookups.connect_timeout, deliveries.timeout);
        let mailer = deliveries.smtp.as_ref().map(|smtp| Mailer::new(smtp, hostname, deliveries.timeout));
        Self { fence, client, mailer, breakers: Breakers::default() }
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
    pub retry_after: Option<std::time::Duration>,
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
