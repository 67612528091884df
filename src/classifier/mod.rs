//! Which intent a message gets where no match condition holds: learned from the tenant's own examples.

pub mod dto;
#[cfg(feature = "ssr")]
pub mod model;
#[cfg(feature = "ssr")]
pub mod server;
