pub mod api;
pub mod dto;
pub mod pages;
#[cfg(feature = "ssr")]
pub mod server;
pub mod words;
