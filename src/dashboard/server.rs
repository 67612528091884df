//! What the dashboard counts.

mod repository;
pub mod rest;
pub mod service;
