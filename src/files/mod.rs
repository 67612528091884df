//! A tenant's files, which file datasources and SQLite databases are read from.

pub mod api;
pub mod dto;
pub mod pages;
#[cfg(feature = "ssr")]
pub mod server;
