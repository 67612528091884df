//! Backtests: a draft over stored messages, and what it would change.

pub mod api;
pub mod dto;
#[cfg(feature = "ssr")]
pub mod server;
