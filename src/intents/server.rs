//! Intents: their rows, their rules of business, and the matching of messages.

pub mod matching;
pub mod reading;
mod repository;
pub mod rest;
pub mod service;
pub mod versions;
pub mod with_rules;
