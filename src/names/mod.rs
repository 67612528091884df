//! What has a name in a tenant: where the palette leads.

pub mod api;
pub mod dto;
#[cfg(feature = "ssr")]
pub mod server;
