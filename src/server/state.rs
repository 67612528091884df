//! What every request and worker works with. Passed in; there are no globals.

use std::{net::SocketAddr, sync::Arc};

use axum::extract::FromRef;
use leptos::config::LeptosOptions;
use tokio::sync::Notify;

use super::{Database, config::Config, vault::Vault};
use crate::{
    auth::server::{password::Passwords, throttle::Throttle},
    classifier::server::learned::Models,
    datasources::server::lookup::Lookups,
    deliveries::server::senders::Senders,
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
    pub leptos: LeptosOptions,
    /// Where this server listens.
    pub addr: SocketAddr,
    /// Rung when a job was written by this process, so that it need not wait for the database to say so.
    pub job_bell: Notify,
    /// Rung when a delivery was written by this process.
    pub delivery_bell: Notify,
    /// Rung when a backtest was asked for by this process.
    pub backtest_bell: Notify,
    /// Works out hashes of passwords.
    pub passwords: Passwords,
    /// How often passwords may be tried.
    pub throttle: Throttle,
    /// The trained classifiers in use.
    pub models: Models,
    /// Rung when examples were changed by this process.
    pub training_bell: Notify,
}

impl AppState {
    pub fn new(
        config: Config,
        database: Database,
        vault: Vault,
        leptos: LeptosOptions,
        addr: SocketAddr,
    ) -> Self {
        let lookups = Lookups::new(&config);
        let senders = Senders::new(&config);
        let inner = Inner {
            config,
            database,
            vault,
            lookups,
            senders,
            leptos,
            addr,
            job_bell: Notify::new(),
            delivery_bell: Notify::new(),
            backtest_bell: Notify::new(),
            passwords: Passwords::default(),
            throttle: Throttle::default(),
            models: Models::default(),
            training_bell: Notify::new(),
        };
        Self { inner: Arc::new(inner) }
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
