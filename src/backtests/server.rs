//! Backtests: asked for, run in the background, compared.

mod compare;
mod repository;
pub mod rest;
pub mod service;
pub mod worker;
