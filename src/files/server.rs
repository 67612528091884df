//! Files on disk: one folder a tenant, which nothing leads out of.

mod kind;
pub mod look;
pub mod path;
mod repository;
pub mod rest;
pub mod service;
pub mod store;
