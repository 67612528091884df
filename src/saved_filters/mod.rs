pub mod api;
pub mod dto;
#[cfg(feature = "ssr")]
pub mod server;
