//! Which intent a message gets where no match condition holds: learned from the tenant's own examples.

pub mod api;
pub mod dto;
#[cfg(feature = "ssr")]
pub mod model;
pub mod pages;
#[cfg(feature = "ssr")]
pub mod server;
