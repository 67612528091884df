//! Validation rules: their rows, their rules of business, and the engine that runs them.

pub mod conditions;
pub mod engine;
pub mod expression;
pub mod judge;
pub mod ready;
mod repository;
pub mod rest;
pub mod service;
pub mod values;
