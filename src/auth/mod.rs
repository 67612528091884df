pub mod api;
pub mod authority;
pub mod dto;
pub mod pages;
#[cfg(feature = "ssr")]
pub mod server;
