//! What every request and worker works with. Passed in. What is static elsewhere are caches by content and turns at threads:
//! none of it says who calls, or what is stored.

use std::{
    net::SocketAddr,
    sync::{Arc, Once, OnceLock},
};

use axum::extract::FromRef;
use leptos::config::LeptosOptions;
use rustls::RootCertStore;
use tokio::sync::{Notify, Semaphore};
use tokio_util::sync::CancellationToken;

use super::{
    Database,
    changes::Changes,
    config::Config,
    edge::{limits::Limits, load::InFlight, metrics::Metrics, ready::Probe, serve},
    places::Places,
    vault::Vault,
};
use crate::{
    auth::server::{accounts::Refusals, issuers::Issuers, password::Passwords, throttle::Throttle},
    classifier::server::learned::Models,
    datasources::server::lookup::Lookups,
    deliveries::server::senders::Senders,
    mailboxes::server::authenticate::Authenticator,
    shared::TenantId,
};

/// Cheap to clone.
#[derive(Clone)]
pub struct AppState {
    inner: Arc<Inner>,
}

/// The parts of an `AppState`.
pub struct Inner {
    pub config: Config,
    pub database: Database,
    pub vault: Vault,
    pub lookups: Lookups,
    /// The ways out of deliveries.
    pub senders: Senders,
    /// Who else is believed about who someone is.
    pub issuers: Issuers,
    pub leptos: LeptosOptions,
    /// Where this server listens.
    pub addr: SocketAddr,
    /// Rung when a job was written by this process, so that it need not wait for the database to say so.
    pub job_bell: Notify,
    /// Rung when a delivery was written by this process.
    pub delivery_bell: Notify,
    /// Rung when a mailbox was changed by this process.
    pub watch_bell: Notify,
    /// Finds out who sent a message.
    pub authenticator: Authenticator,
    /// Messages by mail that are being stored: they leave connections of the database to others.
    pub mail_places: Semaphore,
    /// As `mail_roots()` gives them.
    mail_roots: OnceLock<Arc<RootCertStore>>,
    /// Rung when a backtest was asked for by this process.
    pub backtest_bell: Notify,
    /// Works out hashes of passwords.
    pub passwords: Passwords,
    /// How often passwords may be tried.
    pub throttle: Throttle,
    /// Refused sign-ins that are still to be counted.
    pub refusals: Refusals,
    /// The trained classifiers in use.
    pub models: Models,
    /// Rung when examples were changed by this process.
    pub training_bell: Notify,
    /// Cancelled when this server is to stop.
    pub stop: CancellationToken,
    pub metrics: Metrics,
    /// How often callers asked.
    pub limits: Limits,
    /// The places of requests under way.
    pub in_flight: InFlight,
    /// The last answer of `/readyz`.
    pub probe: Probe,
    /// The files that are coming in, by tenant.
    pub uploads: Places<TenantId>,
    /// Files of messages that come in, and are taken in.
    pub imports: Places<TenantId>,
    /// Large messages and attachments on their way to whoever asked for them.
    pub given: Places<TenantId>,
    /// The pages that show what there is.
    pub changes: Changes,
    /// Done once a proxy was met that is not trusted: that is said once.
    pub untrusted_proxy: Once,
}

impl AppState {
    pub fn new(
        config: Config,
        database: Database,
        vault: Vault,
        leptos: LeptosOptions,
        addr: SocketAddr,
    ) -> Self {
        let lookups = Lookups::new(&config).knowing(database.clone());
        let senders = Senders::new(&config);
        let metrics = Metrics::new(lookups.figures());
        let limits = Limits::new(&config.edge);
        let in_flight = InFlight::new(config.edge.max_in_flight);
        let mail_places = Semaphore::new((config.pool_max as usize / 2).max(1));
        let issuers = Issuers::new(&config.identity);
        let authenticator = Authenticator::new(config.mail.dns);
        let inner = Inner {
            config,
            database,
            vault,
            lookups,
            senders,
            issuers,
            leptos,
            addr,
            job_bell: Notify::new(),
            delivery_bell: Notify::new(),
            watch_bell: Notify::new(),
            authenticator,
            mail_places,
            mail_roots: OnceLock::new(),
            backtest_bell: Notify::new(),
            passwords: Passwords::default(),
            throttle: Throttle::default(),
            refusals: Refusals::default(),
            models: Models::default(),
            training_bell: Notify::new(),
            stop: CancellationToken::new(),
            metrics,
            limits,
            in_flight,
            probe: Probe::default(),
            uploads: Places::default(),
            imports: Places::default(),
            given: Places::default(),
            changes: Changes::new((serve::connections() / 4).max(1)),
            untrusted_proxy: Once::new(),
        };
        Self { inner: Arc::new(inner) }
    }
}

impl Inner {
    /// Whom this machine believes about who a mail server is; read once a mailbox needs it. Those that cannot be read are left
    /// out: a server that is vouched for by them alone is then not spoken to.
    pub fn mail_roots(&self) -> Arc<RootCertStore> {
        let read = || {
            let mut roots = RootCertStore::empty();
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
            Arc::new(roots)
        };
        Arc::clone(self.mail_roots.get_or_init(read))
    }
}

impl std::ops::Deref for AppState {
    type Target = Inner;
    fn deref(&self) -> &Inner {
        &self.inner
    }
}

impl FromRef<AppState> for LeptosOptions {
    fn from_ref(state: &AppState) -> Self {
        state.leptos.clone()
    }
}
