//! Tenants: instance-wide rows, so the service decides who sees which.

pub mod deletion;
mod repository;
pub mod rest;
pub mod service;
