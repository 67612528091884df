//! Which intent a message gets where no match condition holds: learned from the tenant's own examples.

#[cfg(feature = "ssr")]
pub mod model;
