//! Routes: what is done on a decision.

pub mod dto;
#[cfg(feature = "ssr")]
pub mod server;
