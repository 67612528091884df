//! What takes mail in.

use std::{net::SocketAddr, path::PathBuf, time::Duration};

use ipnet::IpNet;

use super::Reader;

/// The listeners for other mail servers, and what is fetched from mailboxes elsewhere.
#[derive(Clone, Debug)]
pub struct MailConfig {
    /// `SMTP_LISTEN` and `LMTP_LISTEN`, as in `0.0.0.0:25`: where other mail servers hand messages on. Neither by default.
    pub smtp: Option<SocketAddr>,
    pub lmtp: Option<SocketAddr>,
    /// `MAIL_HOSTNAME`: what this server calls itself. By default the host of `PUBLIC_URL`, or `localhost`.
    pub hostname: String,
    /// `SMTP_TLS_CERT` and `SMTP_TLS_KEY`: files in PEM, with which `STARTTLS` is offered.
    pub tls: Option<(PathBuf, PathBuf)>,
    /// `SMTP_CLIENTS` (all): networks whose servers may hand messages on; set and empty, none may.
    pub clients: Vec<IpNet>,
    /// `SMTP_TRUSTED_RELAYS`: networks of the organisation's own mail servers. What comes from there was sent by
    /// somebody else, so that SPF is not held against their addresses.
    pub trusted_relays: Vec<IpNet>,
    /// `SMTP_MAX_CONNECTIONS` (200) and `SMTP_MAX_CONNECTIONS_PER_CLIENT` (50): at once. Strangers together have three quarters
    /// of the first; trusted relays are not held to the second.
    pub max_connections: usize,
    pub max_per_client: usize,
    /// `SMTP_TIMEOUT_S` (300, as RFC 5321, section 4.5.3.2, asks for): how long a client may be silent.
    pub timeout: Duration,
    /// `MAIL_DNS`: the name server that SPF, DKIM, DMARC and ARC are looked up at, as in `127.0.0.1:53`. By default those
    /// of the machine.
    pub dns: Option<SocketAddr>,
    /// `IMAP_CONNECTIONS` (50): mailboxes elsewhere that are looked at, at once.
    pub imap_connections: usize,
    /// `IMAP_POLL_S` (60): how often one is looked at that cannot say when something came.
    pub imap_poll: Duration,
}

impl MailConfig {
    pub(super) fn read(r: &mut Reader) -> Self {
        let public_host = r
            .text("PUBLIC_URL")
            .and_then(|url| url::Url::parse(&url).ok())
            .and_then(|url| url.host_str().map(str::to_owned));
        let tls = match (r.text("SMTP_TLS_CERT"), r.text("SMTP_TLS_KEY")) {
            (Some(cert), Some(key)) => Some((cert.into(), key.into())),
            (None, None) => None,
            (Some(_), None) => {
                r.fault("SMTP_TLS_KEY", "must be set where SMTP_TLS_CERT is".into());
                None
            }
            (None, Some(_)) => {
                r.fault("SMTP_TLS_CERT", "must be set where SMTP_TLS_KEY is".into());
                None
            }
        };
        let config = Self {
            smtp: r.parsed("SMTP_LISTEN"),
            lmtp: r.parsed("LMTP_LISTEN"),
            hostname: r.text("MAIL_HOSTNAME").or(public_host).unwrap_or_else(|| "localhost".into()),
            tls,
            clients: r.networks("SMTP_CLIENTS", "0.0.0.0/0,::/0"),
            trusted_relays: r.networks("SMTP_TRUSTED_RELAYS", ""),
            max_connections: r.number("SMTP_MAX_CONNECTIONS", 200),
            max_per_client: r.number("SMTP_MAX_CONNECTIONS_PER_CLIENT", 50),
            timeout: Duration::from_secs(r.number("SMTP_TIMEOUT_S", 300)),
            dns: r.parsed("MAIL_DNS"),
            imap_connections: r.number("IMAP_CONNECTIONS", 50),
            imap_poll: Duration::from_secs(r.number("IMAP_POLL_S", 60)),
        };
        if config.hostname.len() > 253 || !config.hostname.bytes().all(|b| b.is_ascii_graphic()) {
            r.fault("MAIL_HOSTNAME", "must be a host's name".into());
        }
        for (name, count) in [
            ("SMTP_MAX_CONNECTIONS", config.max_connections),
            ("SMTP_MAX_CONNECTIONS_PER_CLIENT", config.max_per_client),
            ("IMAP_CONNECTIONS", config.imap_connections),
        ] {
            if count == 0 || count > 10_000 {
                r.fault(name, "must be 1 to 10,000".into());
            }
        }
        for (name, time) in [("SMTP_TIMEOUT_S", config.timeout), ("IMAP_POLL_S", config.imap_poll)] {
            if time.is_zero() || time > Duration::from_secs(3_600) {
                r.fault(name, "must be 1 to 3,600".into());
            }
        }
        config
    }

    /// Whether other mail servers can hand messages on at all.
    pub fn listens(&self) -> bool {
        self.smtp.is_some() || self.lmtp.is_some()
    }
}
