//! Deliveries: what routes do for a message, as an outbox that is sent after the decision is stored.

pub mod api;
pub mod dto;
#[cfg(feature = "ssr")]
pub mod server;
