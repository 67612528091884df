//! What bounds strangers.

use std::time::Duration;

use ipnet::IpNet;
use secrecy::SecretString;

use super::{Config, Environment, Reader};

/// Bounds on what is asked of the server, and who may look at its figures.
#[derive(Clone, Debug)]
pub struct EdgeConfig {
    /// `RATE_LIMIT_PER_MINUTE` (60,000): requests of one API key or one person; 0 for no limit. High, since one key
    /// may hand in all the mail of an organisation; it keeps a program that runs wild from taking everything.
    pub rate_limit: u32,
    /// `RATE_LIMIT_ANONYMOUS_PER_MINUTE` (1,200): requests of one address without a valid key or session; 0 for no
    /// limit.
    pub rate_limit_anonymous: u32,
    /// `MAX_REQUESTS_IN_FLIGHT` (512): requests under way at once; more are refused. One key has a quarter of them at
    /// most, the keys of a tenant half, a person a sixteenth, all without a valid key or session half, and one address of
    /// these an eighth.
    pub max_in_flight: usize,
    /// `REQUEST_TIMEOUT_S` (60): how long a request may take, beside the time to read its body. A statement of the
    /// database is ended 5 seconds later.
    pub request_timeout: Duration,
    /// `HEADER_TIMEOUT_S` (30): how long a connection may take to send a request's head, and so how long it is kept
    /// without one.
    pub header_timeout: Duration,
    /// `READY_MAX_QUEUE_AGE_S` (600): a job that has been due for longer is reported.
    pub max_queue_age: Duration,
    /// `METRICS_TOKEN`: the bearer token that opens `/metrics`.
    pub metrics_token: Option<SecretString>,
}

impl EdgeConfig {
    pub(super) fn read(r: &mut Reader) -> Self {
        let config = Self {
            rate_limit: r.number("RATE_LIMIT_PER_MINUTE", 60_000),
            rate_limit_anonymous: r.number("RATE_LIMIT_ANONYMOUS_PER_MINUTE", 1_200),
            max_in_flight: r.number("MAX_REQUESTS_IN_FLIGHT", 512),
            request_timeout: Duration::from_secs(r.number("REQUEST_TIMEOUT_S", 60)),
            header_timeout: Duration::from_secs(r.number("HEADER_TIMEOUT_S", 30)),
            max_queue_age: Duration::from_secs(r.number("READY_MAX_QUEUE_AGE_S", 600)),
            metrics_token: r.text("METRICS_TOKEN").map(Into::into),
        };
        if config.max_in_flight == 0 || config.max_in_flight > 100_000 {
            r.fault("MAX_REQUESTS_IN_FLIGHT", "must be 1 to 100,000".into());
        }
        for (name, time) in
            [("REQUEST_TIMEOUT_S", config.request_timeout), ("HEADER_TIMEOUT_S", config.header_timeout)]
        {
            if time.is_zero() || time > Duration::from_secs(3_600) {
                r.fault(name, "must be 1 to 3,600".into());
            }
        }
        if r.text("METRICS_TOKEN").is_some_and(|token| token.len() < 16) {
            r.fault("METRICS_TOKEN", "must have 16 characters or more".into());
        }
        config
    }
}

/// `CORS_ORIGINS`: each as a browser sends it (RFC 6454, section 6.2), or `*`.
pub(super) fn cors_origins(r: &mut Reader) -> Vec<String> {
    let origins = r.list("CORS_ORIGINS");
    for origin in &origins {
        let written = url::Url::parse(origin).map(|url| url.origin());
        let is_exact = written.is_ok_and(|o| o.is_tuple() && o.ascii_serialization() == *origin);
        if origin != "*" && (!is_exact || origin.contains('*')) {
            r.fault("CORS_ORIGINS", format!("'{origin}' is no origin such as https://app.example"));
        }
    }
    origins
}

/// Where clouds keep their machines' credentials, and every other link-local address.
const METADATA: [&str; 3] = ["169.254.0.0/16", "fe80::/10", "fd00:ec2::254/128"];

fn overlaps(network: &IpNet, other: &str) -> bool {
    other.parse::<IpNet>().is_ok_and(|other| network.contains(&other) || other.contains(network))
}

/// Refuses what is only for trying out.
pub(super) fn refuse_trial(r: &mut Reader, config: &Config) {
    if config.environment != Environment::Production {
        return;
    }
    if config.database_url.is_none() {
        r.fault("DATABASE_URL", "must be set in production".into());
    }
    if config.encryption_key.is_none() {
        r.fault("ENCRYPTION_KEY", "must be set in production".into());
    }
    if config.debug {
        r.fault("DEBUG", "must not be true in production".into());
    }
    if config.cors_origins.iter().any(|origin| origin == "*") {
        r.fault("CORS_ORIGINS", "must not be * in production".into());
    }
    match &config.public_url {
        None => r.fault("PUBLIC_URL", "must be set in production".into()),
        Some(url) if url.scheme() == "https" => {}
        Some(url) if url.scheme() == "http" && is_loopback(url) => {}
        Some(_) => r.fault("PUBLIC_URL", "must begin with https:// in production".into()),
    }
    for network in &config.lookups.allow_networks {
        if METADATA.iter().any(|metadata| overlaps(network, metadata)) {
            r.fault(
                "LOOKUP_ALLOW_NETWORKS",
                format!("'{network}' must not hold link-local addresses: clouds keep credentials there"),
            );
        }
    }
}

fn is_loopback(url: &url::Url) -> bool {
    match url.host() {
        Some(url::Host::Ipv4(ip)) => ip.is_loopback(),
        Some(url::Host::Ipv6(ip)) => ip.is_loopback(),
        Some(url::Host::Domain(name)) => name == "localhost",
        None => false,
    }
}

impl Config {
    /// What is allowed in production, and seldom meant.
    pub fn warnings(&self) -> Vec<String> {
        let mut warnings = Vec::new();
        if self.environment == Environment::Production {
            for network in &self.lookups.allow_networks {
                if ["127.0.0.0/8", "::1/128"].iter().any(|loopback| overlaps(network, loopback)) {
                    warnings.push(format!(
                        "LOOKUP_ALLOW_NETWORKS holds {network}: any tenant's look-ups reach this machine itself"
                    ));
                }
            }
        }
        warnings
    }
}
