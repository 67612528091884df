//! API keys: of a tenant, and of the installation.

pub mod dto;
#[cfg(feature = "ssr")]
pub mod server;
