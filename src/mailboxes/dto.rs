//! Wire types of mailboxes.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize, de::IgnoredAny};

use crate::{
    rules::dto::wire_enum,
    shared::{
        MailboxId, Problem, TenantId,
        validate::{Checks, is_written, yes},
    },
};

wire_enum!(
    /// How a mailbox's messages come. `smtp`: another mail server hands them on, by SMTP or LMTP. `imap`: they are fetched.
    MailboxKind { Smtp = "smtp", Imap = "imap" }
);

wire_enum!(
    /// How a connection is encrypted: from its first byte (RFC 8314), after a greeting (RFC 9051, `STARTTLS`), or not at
    /// all, which only a server in a private network is spoken to.
    MailSecurity { Tls = "tls", Starttls = "starttls", None = "none" }
);

wire_enum!(
    /// What becomes of a message on its server once it is stored here.
    AfterStoring { Keep = "keep", Seen = "seen", Delete = "delete" }
);

wire_enum!(
    /// How a mailbox is. `waiting`: nobody has looked yet.
    #[derive(Default)]
    MailboxState { #[default] Waiting = "waiting", Ok = "ok", Failing = "failing", Inactive = "inactive" }
);

/// The longest address (RFC 5321, section 4.5.3.1.3, without the brackets).
const MAX_ADDRESS: usize = 254;

/// Where a tenant's mail comes from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
pub struct Mailbox {
    pub mailbox_id: MailboxId,
    pub tenant_id: TenantId,
    pub name: String,
    pub kind: MailboxKind,
    /// For `smtp`: whose mail it takes, in lower case. `*@acme.example` takes all of a domain that no other mailbox takes.
    pub address: Option<String>,
    /// For `imap`.
    pub imap: Option<ImapAccount>,
    pub is_active: bool,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
    pub heartbeat: Heartbeat,
}

/// A mailbox on an IMAP server (RFC 9051).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct ImapAccount {
    #[cfg_attr(feature = "ssr", schema(min_length = 1, max_length = 253))]
    pub host: String,
    /// 993 for `tls`, 143 otherwise, if left out.
    #[serde(default)]
    #[cfg_attr(feature = "ssr", schema(value_type = Option<u16>, minimum = 1, maximum = 65535))]
    pub port: Option<u16>,
    #[serde(default = "tls")]
    #[cfg_attr(feature = "ssr", schema(default = "tls"))]
    pub security: MailSecurity,
    #[cfg_attr(feature = "ssr", schema(min_length = 1, max_length = 320))]
    pub username: String,
    /// Read back as its mask, which, sent back, keeps what is stored. With `oauth`, the secret of that client.
    #[cfg_attr(feature = "ssr", schema(min_length = 1, max_length = 1000))]
    pub password: String,
    /// For a server that takes no passwords. Without it, `password` is the user's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub oauth: Option<ImapOauth>,
    #[serde(default = "inbox")]
    #[cfg_attr(feature = "ssr", schema(default = "INBOX", min_length = 1, max_length = 200))]
    pub folder: String,
    #[serde(default = "keep")]
    #[cfg_attr(feature = "ssr", schema(default = "keep"))]
    pub after_storing: AfterStoring,
}

/// A program that gets the tokens with which it reads a mailbox, speaking for itself (OAuth 2.0 client credentials, RFC 6749,
/// section 4.4), as Exchange Online asks for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct ImapOauth {
    /// Where tokens are given, as `https://login.microsoftonline.com/<directory>/oauth2/v2.0/token`.
    #[cfg_attr(feature = "ssr", schema(max_length = 2000))]
    pub token_url: String,
    #[cfg_attr(feature = "ssr", schema(min_length = 1, max_length = 320))]
    pub client_id: String,
    /// What tokens are asked for, separated by spaces, as `https://outlook.office365.com/.default`.
    #[serde(default)]
    #[cfg_attr(feature = "ssr", schema(max_length = 1000))]
    pub scope: String,
}

/// The signs of life of a mailbox.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
pub struct Heartbeat {
    pub state: MailboxState,
    /// When its server was last looked at with success, or last handed a message on.
    pub last_seen_at: Option<DateTime<Utc>>,
    pub last_message_at: Option<DateTime<Utc>>,
    /// Messages that came by it and were stored, whether they are still kept or not.
    pub messages_stored: i64,
    /// For `imap`: messages in its folder, when it was last looked at.
    pub messages_on_server: Option<i64>,
    /// For `imap`: messages that are too large to be taken, and stay on their server.
    pub messages_left: i64,
    /// For `imap`: messages that could not be read when they were last tried. They are tried again from time to time.
    pub messages_unreadable: i64,
    /// Why it fails, if it does: a sentence.
    pub problem: Option<String>,
    pub failing_since: Option<DateTime<Utc>>,
}

/// A mailbox as its editor begins with it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MailboxView {
    pub mailbox: Mailbox,
    /// For the change that is made to it.
    pub etag: String,
}

/// The mailboxes of a tenant, and what there is to say of all.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MailboxList {
    pub mailboxes: Vec<Mailbox>,
    pub domains: Vec<String>,
    /// Whether this installation takes mail by SMTP or LMTP at all.
    pub listens: bool,
    /// Whether the reader may say which domains are the tenant's.
    pub may_set_domains: bool,
}

/// The body of `POST` and `PUT` for mailboxes. What is only read may stand in it, and is ignored.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "ssr", schema(examples(json!({"name": "Orders by IMAP", "kind": "imap", "imap": {"host": "imap.acme.example", "username": "orders@acme.example", "password": "correct horse battery"}}))))]
pub struct MailboxInput {
    #[cfg_attr(feature = "ssr", schema(schema_with = crate::server::openapi::name))]
    pub name: String,
    pub kind: MailboxKind,
    /// For `smtp`, and needed there. Its domain must be the tenant's (`/api/mail-domains`). The address that the
    /// installation's mail comes from (`SMTP_FROM`) is no mailbox's, and `*@` leaves it out. At most 254 bytes.
    #[serde(default)]
    #[cfg_attr(feature = "ssr", schema(max_length = 254))]
    pub address: Option<String>,
    /// For `imap`, and needed there.
    #[serde(default)]
    pub imap: Option<ImapAccount>,
    #[serde(default = "yes")]
    #[cfg_attr(feature = "ssr", schema(default = true))]
    pub is_active: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "ssr", schema(value_type = Option<TenantId>))]
    pub tenant_id: Option<String>,
    #[serde(default, skip_serializing)]
    pub mailbox_id: IgnoredAny,
    #[serde(default, skip_serializing)]
    pub created_at: IgnoredAny,
    #[serde(default, skip_serializing)]
    pub updated_at: IgnoredAny,
    #[serde(default, skip_serializing)]
    pub heartbeat: IgnoredAny,
}

/// The domains whose mail is a tenant's: what `GET /api/mail-domains` answers, and the body of its `PUT`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "ssr", schema(examples(json!({"domains": ["acme.example"]}))))]
pub struct MailDomains {
    /// In lower case, by name; in ASCII (`xn--…`), however they were given.
    #[cfg_attr(feature = "ssr", schema(max_items = 100))]
    pub domains: Vec<String>,
}

impl ImapAccount {
    /// Where it listens, if nobody said otherwise (RFC 8314, RFC 9051).
    pub fn port(&self) -> u16 {
        self.port.unwrap_or(if self.security == MailSecurity::Tls { 993 } else { 143 })
    }

    fn check(&mut self, checks: &mut Checks) {
        self.host = self.host.trim().to_lowercase();
        self.username = self.username.trim().to_owned();
        self.folder = self.folder.trim().to_owned();
        if self.host.is_empty() || self.host.len() > 253 || !self.host.chars().all(is_of_host) {
            checks.fault("imap.host", "must be the name or address of a server, without a port");
        }
        if self.port == Some(0) {
            checks.fault("imap.port", "must be 1 to 65535");
        }
        // What a command is made of: nothing in it may end one.
        for (name, text, most) in [
            ("imap.username", &self.username, 320),
            ("imap.password", &self.password, 1_000),
            ("imap.folder", &self.folder, 200),
        ] {
            if text.is_empty() || text.chars().count() > most {
                checks.fault(name, format!("must have 1 to {most} characters"));
            } else if text.chars().any(char::is_control) {
                checks.fault(name, "must hold no control characters");
            }
        }
        if let Some(oauth) = &mut self.oauth {
            oauth.check(checks);
        }
    }
}

impl ImapOauth {
    fn check(&mut self, checks: &mut Checks) {
        for text in [&mut self.token_url, &mut self.client_id, &mut self.scope] {
            *text = text.trim().to_owned();
        }
        // Whose host is a host the server tells: it has what reads addresses.
        let is_web = ["https://", "http://"].iter().any(|scheme| self.token_url.starts_with(scheme));
        if !is_web || self.token_url.len() > 2_000 || self.token_url.contains(char::is_whitespace) {
            checks.fault("imap.oauth.token_url", "must be an https:// address");
        }
        for (name, text, least, most) in
            [("imap.oauth.client_id", &self.client_id, 1, 320), ("imap.oauth.scope", &self.scope, 0, 1_000)]
        {
            if !(least..=most).contains(&text.chars().count()) {
                checks.fault(name, format!("must have {least} to {most} characters"));
            } else if text.chars().any(char::is_control) {
                checks.fault(name, "must hold no control characters");
            }
        }
    }
}

impl MailboxInput {
    /// The checks that need neither tenant nor database.
    ///
    /// # Errors
    /// 422 with every field at fault.
    pub fn validate(mut self, tenant: &TenantId) -> Result<Self, Problem> {
        let mut checks = Checks::default();
        checks.same_tenant(self.tenant_id.as_deref(), tenant);
        self.name = checks.name("name", &self.name);
        match self.kind {
            MailboxKind::Smtp => {
                let address = self.address.take().unwrap_or_default().trim().to_lowercase();
                if let Err(fault) = check_address(&address) {
                    checks.fault("address", fault);
                }
                self.address = Some(address);
                if self.imap.is_some() {
                    checks.fault("imap", "must not be there: the mailbox is of the kind smtp");
                }
            }
            MailboxKind::Imap => {
                if self.address.is_some() {
                    checks.fault("address", "must not be there: the mailbox is of the kind imap");
                }
                match &mut self.imap {
                    Some(account) => account.check(&mut checks),
                    None => checks.fault("imap", "is needed where the mailbox is of the kind imap"),
                }
            }
        }
        checks.finish()?;
        Ok(self)
    }
}

impl MailDomains {
    /// In one form: lower case, by name, each once.
    ///
    /// # Errors
    /// 422 with every one at fault.
    pub fn validate(mut self) -> Result<Self, Problem> {
        let mut checks = Checks::default();
        if self.domains.len() > 100 {
            checks.fault("domains", "must be at most 100");
        }
        for (i, domain) in self.domains.iter_mut().enumerate() {
            *domain = domain.trim().to_lowercase();
            if !is_domain(domain) {
                checks.fault(format!("domains[{i}]"), "must be a domain such as acme.example");
            }
        }
        checks.finish()?;
        self.domains.sort();
        self.domains.dedup();
        Ok(self)
    }
}

fn is_of_host(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | ':' | '[' | ']')
}

/// What is wrong with an address whose domain is none.
pub const NO_DOMAIN: &str = "must end in a domain such as acme.example";

/// `local@domain` in lower case, the local part a dot-atom (RFC 5322, section 3.2.3), of any letters (RFC 6531, section 3.3),
/// or `*`.
fn check_address(address: &str) -> Result<(), &'static str> {
    let (local, domain) = address.rsplit_once('@').ok_or("must be an address such as orders@acme.example")?;
    if address.len() > MAX_ADDRESS {
        return Err("is longer than an address may be");
    }
    // One that is not ASCII is the server's to write so, which has the tables for that.
    if domain.is_ascii() && !is_domain(domain) {
        return Err(NO_DOMAIN);
    }
    let is_atom = |atom: &str| !atom.is_empty() && atom.chars().all(is_of_atom);
    if local != "*" && !(local.len() <= 64 && local.split('.').all(is_atom)) {
        return Err("must begin with letters, digits and dots, or be * for all of a domain");
    }
    if local != "*" && local.contains('+') {
        return Err("must be without what stands behind a +: that goes to the same mailbox");
    }
    Ok(())
}

fn is_of_atom(c: char) -> bool {
    if c.is_ascii() {
        c.is_ascii_lowercase() || c.is_ascii_digit() || "!#$%&'*+-/=?^_`{|}~".contains(c)
    } else {
        is_written(c)
    }
}

fn is_domain(domain: &str) -> bool {
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    domain.len() <= 253 && domain.contains('.') && domain.split('.').all(is_label)
}

fn tls() -> MailSecurity {
    MailSecurity::Tls
}

fn inbox() -> String {
    "INBOX".into()
}

fn keep() -> AfterStoring {
    AfterStoring::Keep
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_one_that_mail_can_be_sent_to() {
        for good in [
            "orders@acme.example",
            "a.b-c@x.acme.example",
            "*@acme.example",
            "o'hara@acme.example",
            "orders@müster.example",
            "müller@acme.example",
            "jörg.岡田@acme.example",
        ] {
            assert_eq!(check_address(good), Ok(()), "{good}");
        }
        for bad in [
            "",
            "orders",
            "@acme.example",
            "orders@",
            "orders@acme",
            "a b@acme.example",
            "a..b@acme.example",
            "a\n@acme.example",
            "\"a\"@acme.example",
            "a,b@acme.example",
            "Orders@acme.example",
            "a+b@acme.example",
            "mü ller@acme.example",
            "mü\u{a0}ller@acme.example",
            "mü\u{85}ller@acme.example",
            "Müller@acme.example",
            "a@b@acme.example",
            "a@-acme.example",
            "a@acme..example",
        ] {
            assert!(check_address(bad).is_err(), "{bad}");
        }
    }
}
