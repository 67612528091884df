//! Datasources and configs: their rows, their rules of business, and the look-ups themselves.

mod config_repository;
pub mod config_service;
pub mod connection;
pub mod lookup;
mod repository;
pub mod rest;
pub mod service;
pub mod trial;
