//! The audit log: who did what, when, from where, before and after.

pub mod dto;
#[cfg(feature = "ssr")]
pub mod server;
