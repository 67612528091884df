//! A tenant's files, which file datasources and SQLite databases are read from.

pub mod dto;
#[cfg(feature = "ssr")]
pub mod server;
