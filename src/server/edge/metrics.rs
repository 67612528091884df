//! `GET /metrics`: the installation's figures, as Prometheus reads them (OpenMetrics text).
//!
//! They name no tenant: tenants are unbounded in number, and who has how much mail is theirs to tell. Still they are
//! not for strangers: with `METRICS_TOKEN` they are shown to whoever bears it; without it to this machine alone, and
//! in production to nobody, since behind a proxy on the same machine everybody seems to come from there.

use std::{
    net::SocketAddr,
    sync::atomic::AtomicU64,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use axum::{
    extract::{ConnectInfo, State},
    http::{header, request::Parts},
    response::{IntoResponse, Response},
};
use prometheus_client::{
    encoding::{EncodeLabelSet, text},
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram, info::Info},
    registry::Registry,
};
use secrecy::ExposeSecret;
use sha2::{Digest, Sha256};
use tokio::time::timeout;

use crate::{
    deliveries::dto::DeliveryStatus,
    emails::dto::Decision,
    mailboxes::{dto::MailboxKind, server::watches},
    routes::dto::RouteKind,
    server::{AppState, Error, Result, config::Environment, context::bearer, queue},
    shared::Problem,
};

/// Upper bounds in seconds, from a point read to a request that is called off.
const SECONDS: [f64; 12] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 30.0];

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Answer {
    method: &'static str,
    route: String,
    status: u16,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Route {
    method: &'static str,
    route: String,
}

/// Where messages come in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Door {
    /// `POST /api/emails`.
    Http,
    /// Files of messages.
    Upload,
    Smtp,
    Lmtp,
    Imap,
}

impl Door {
    fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Upload => "upload",
            Self::Smtp => "smtp",
            Self::Lmtp => "lmtp",
            Self::Imap => "imap",
        }
    }
}

/// Why a message is not taken in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    TooLarge,
    Empty,
    /// Its header is too large.
    Headers,
    Loop,
    /// Its lines end otherwise than they must.
    BareLines,
    /// Nobody here has the recipient's address: counted for each recipient.
    NoMailbox,
    /// The recipient's tenant is not active: likewise.
    Closed,
    /// Too many come in at once: it may be sent again.
    Busy,
    /// A fault of ours, which is in the log.
    NotStored,
}

impl Refusal {
    fn as_str(self) -> &'static str {
        match self {
            Self::TooLarge => "too_large",
            Self::Empty => "empty",
            Self::Headers => "headers",
            Self::Loop => "loop",
            Self::BareLines => "bare_lines",
            Self::NoMailbox => "no_mailbox",
            Self::Closed => "closed",
            Self::Busy => "busy",
            Self::NotStored => "not_stored",
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Received {
    source: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Refused {
    source: &'static str,
    reason: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Decided {
    decision: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Sent {
    kind: &'static str,
    outcome: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Outcome {
    outcome: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Kind {
    kind: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Pool {
    state: &'static str,
}

type Times<L> = Family<L, Histogram, fn() -> Histogram>;

fn times<L: Clone + std::hash::Hash + Eq>() -> Times<L> {
    Family::new_with_constructor(|| Histogram::new(SECONDS))
}

/// What look-ups count; they are asked from many places, so they keep their own.
#[derive(Clone)]
pub struct LookupFigures {
    asked: Family<Outcome, Counter>,
    took: Times<Outcome>,
}

impl Default for LookupFigures {
    fn default() -> Self {
        Self { asked: Family::default(), took: times() }
    }
}

impl LookupFigures {
    /// `outcome` is one word of a fixed few.
    pub fn asked(&self, outcome: &'static str, took: Duration) {
        let outcome = Outcome { outcome };
        self.asked.get_or_create(&outcome).inc();
        self.took.get_or_create(&outcome).observe(took.as_secs_f64());
    }
}

/// The figures of this process.
pub struct Metrics {
    registry: Registry,
    answers: Family<Answer, Counter>,
    latency: Times<Route>,
    received: Family<Received, Counter>,
    refused: Family<Refused, Counter>,
    decided: Family<Decided, Counter>,
    sent: Family<Sent, Counter>,
    waiting: Family<Kind, Gauge>,
    open: Family<Kind, Gauge>,
    oldest: Family<Kind, Gauge<f64, AtomicU64>>,
    failing: Family<Kind, Gauge>,
    unseen: Family<Kind, Gauge<f64, AtomicU64>>,
    connections: Family<Pool, Gauge>,
    under_way: Gauge,
    database_up: Gauge,
}

/// For so long the database is asked for what waits.
const PATIENCE: Duration = Duration::from_secs(2);

impl Metrics {
    pub fn new(lookups: &LookupFigures) -> Self {
        let mut registry = Registry::default();
        let (answers, latency) = (Family::default(), times());
        let (decided, sent, waiting, oldest) =
            (Family::default(), Family::default(), Family::default(), Family::default());
        let (received, refused) = (Family::default(), Family::default());
        let (open, failing, unseen) = (Family::default(), Family::default(), Family::default());
        let (connections, under_way, database_up) = (Family::default(), Gauge::default(), Gauge::default());
        let started: Gauge<f64, AtomicU64> = Gauge::default();
        started.set(SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64());
        registry.register("process_start_time_seconds", "When this process started, Unix time", started);
        let r = registry.sub_registry_with_prefix("flowengine");
        r.register("http_requests", "Requests answered, by route template", Clone::clone(&answers));
        r.register("http_request_duration_seconds", "Time to the answer's head", Clone::clone(&latency));
        r.register("http_requests_in_flight", "Requests under way", Clone::clone(&under_way));
        r.register("messages_received", "Messages stored, by where they came in", Clone::clone(&received));
        r.register("messages_refused", "Messages not taken in, by where and why", Clone::clone(&refused));
        r.register("messages_decided", "Messages decided by the engine", Clone::clone(&decided));
        r.register("lookups", "Look-ups, by how they ended", lookups.asked.clone());
        r.register("lookup_duration_seconds", "Time of a look-up, its turn included", lookups.took.clone());
        r.register("deliveries", "Tries of deliveries, by how they ended", Clone::clone(&sent));
        r.register("jobs_waiting", "Jobs that are due and not taken up", Clone::clone(&waiting));
        r.register(
            "jobs_open",
            "Messages to decide, deliveries to send, backtests to run",
            Clone::clone(&open),
        );
        r.register("jobs_oldest_age_seconds", "How long the oldest of them is due", Clone::clone(&oldest));
        r.register("mailboxes_failing", "Mailboxes that cannot be read", Clone::clone(&failing));
        r.register(
            "mailboxes_oldest_heartbeat_age_seconds",
            "How long ago the mailbox was read that has waited longest",
            Clone::clone(&unseen),
        );
        r.register("database_connections", "The pool's connections", Clone::clone(&connections));
        r.register("database_up", "Whether the database said what waits", Clone::clone(&database_up));
        r.register("build", "This binary", Info::new([("version", env!("CARGO_PKG_VERSION"))]));
        Self {
            registry,
            answers,
            latency,
            received,
            refused,
            decided,
            sent,
            waiting,
            open,
            oldest,
            failing,
            unseen,
            connections,
            under_way,
            database_up,
        }
    }

    /// A request was answered. `route` is a template, so that there are few.
    pub fn answered(&self, method: &'static str, route: &str, status: u16, took: Duration) {
        let route = route.to_owned();
        self.latency.get_or_create(&Route { method, route: route.clone() }).observe(took.as_secs_f64());
        self.answers.get_or_create(&Answer { method, route, status }).inc();
    }

    /// A message that was not here yet is stored.
    pub fn received(&self, by: Door) {
        self.received.get_or_create(&Received { source: by.as_str() }).inc();
    }

    /// A message was not taken in.
    pub fn refused(&self, by: Door, why: Refusal) {
        self.refused.get_or_create(&Refused { source: by.as_str(), reason: why.as_str() }).inc();
    }

    /// The engine decided on a message.
    pub fn decided(&self, decision: Decision) {
        self.decided.get_or_create(&Decided { decision: decision.as_str() }).inc();
    }

    /// A delivery was tried. `Pending`: it is tried again.
    pub fn sent(&self, kind: RouteKind, outcome: DeliveryStatus) {
        self.sent.get_or_create(&Sent { kind: kind.as_str(), outcome: outcome.as_str() }).inc();
    }

    /// Brings up to date what is counted elsewhere, and writes all down.
    async fn text(&self, app: &AppState) -> Result<String> {
        // Where the database does not answer, all the rest is what somebody looks for.
        let known = timeout(PATIENCE, known(app)).await.ok().and_then(Result::ok);
        self.database_up.set(i64::from(known.is_some()));
        self.waiting.clear();
        self.open.clear();
        self.oldest.clear();
        self.failing.clear();
        self.unseen.clear();
        if let Some((jobs, mailboxes)) = known {
            for (kind, jobs) in jobs {
                self.waiting.get_or_create(&Kind { kind }).set(jobs.count);
                self.open.get_or_create(&Kind { kind }).set(jobs.open);
                self.oldest.get_or_create(&Kind { kind }).set(jobs.oldest.as_secs_f64());
            }
            // What is handed on tells no sign of life of its own: mail may not come for months.
            let kind = MailboxKind::Imap.as_str();
            self.failing.get_or_create(&Kind { kind }).set(mailboxes.failing);
            if let Some(age) = mailboxes.oldest {
                self.unseen.get_or_create(&Kind { kind }).set(age);
            }
        }
        let (all, idle) = app.database.connections();
        self.connections.get_or_create(&Pool { state: "idle" }).set(idle);
        self.connections.get_or_create(&Pool { state: "in_use" }).set(all.saturating_sub(idle));
        self.under_way.set(i64::try_from(app.in_flight.count()).unwrap_or(i64::MAX));
        let mut out = String::new();
        text::encode(&mut out, &self.registry).map_err(Error::internal)?;
        Ok(out)
    }
}

/// What the database knows, of all tenants together.
async fn known(app: &AppState) -> Result<(Vec<(&'static str, queue::Waiting)>, watches::Figures)> {
    let mut tx = app.database.worker().await?;
    let jobs = queue::waiting(&mut tx).await?;
    let mailboxes = watches::figures(&mut tx).await?;
    tx.commit().await?;
    Ok((jobs, mailboxes))
}

/// `GET /metrics`.
pub async fn show(State(app): State<AppState>, parts: Parts) -> Result<Response> {
    authorise(&app, &parts)?;
    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    Ok(([(header::CONTENT_TYPE, kind)], app.metrics.text(&app).await?).into_response())
}

fn authorise(app: &AppState, parts: &Parts) -> Result<(), Problem> {
    if let Some(token) = &app.config.edge.metrics_token {
        let given = bearer(&parts.headers).map(Sha256::digest);
        // Hashed first, so that how long it takes tells nothing of where they differ.
        let holds = given.is_some_and(|given| given == Sha256::digest(token.expose_secret()));
        return if holds { Ok(()) } else { Err(Problem::new(401, "Send METRICS_TOKEN as a bearer token")) };
    }
    let peer = parts.extensions.get::<ConnectInfo<SocketAddr>>();
    let is_local = peer.is_some_and(|peer| peer.0.ip().to_canonical().is_loopback());
    let is_forwarded = ["x-forwarded-for", "forwarded", "x-real-ip", "via"]
        .iter()
        .any(|name| parts.headers.contains_key(*name));
    if app.config.environment == Environment::Development && is_local && !is_forwarded {
        Ok(())
    } else {
        Err(Problem::forbidden("Set METRICS_TOKEN, and send it as a bearer token"))
    }
}
