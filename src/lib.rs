//! FlowEngine decides on the email that an organisation receives, and explains each decision.
//!
//! One folder a capability: `dto` (wire types), `api` (server functions), `pages` (views), `server` (REST,
//! service, repository; compiled for the server only).

// A page is one type, as deep as its elements are nested.
#![recursion_limit = "256"]

pub mod app;
pub mod audit;
pub mod auth;
pub mod backtests;
pub mod classifier;
pub mod dashboard;
pub mod datasources;
pub mod deliveries;
pub mod emails;
pub mod files;
pub mod intents;
pub mod keys;
pub mod mailboxes;
pub mod members;
pub mod names;
pub mod retention;
pub mod routes;
pub mod rules;
pub mod saved_filters;
pub mod shared;
pub mod tenants;
pub mod transfer;
pub mod ui;

#[cfg(feature = "ssr")]
pub mod bench;
#[cfg(feature = "hydrate")]
pub mod client;
#[cfg(feature = "ssr")]
pub mod demo;
#[cfg(feature = "ssr")]
pub mod server;

#[cfg(all(test, feature = "ssr"))]
#[expect(clippy::disallowed_methods, reason = "they look behind the walls")]
mod tests;

/// Takes over the page that the server rendered, once the code of its group is there.
#[cfg(feature = "hydrate")]
#[wasm_bindgen::prelude::wasm_bindgen]
pub fn hydrate() {
    console_error_panic_hook::set_once();
    client::drop_late_clicks();
    client::watch_touches();
    client::watch_history();
    client::take_over_in_steps(app::App);
}
