//! Files on disk: one folder a tenant, which nothing leads out of.

pub mod rest;
pub mod service;
pub mod store;
