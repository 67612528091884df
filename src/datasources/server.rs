//! Datasources and configs: their rows, their rules of business, and the look-ups themselves.

pub mod config_repository;
pub mod config_service;
pub mod connection;
pub mod lookup;
pub mod repository;
pub mod rest;
pub mod service;
pub mod trial;
