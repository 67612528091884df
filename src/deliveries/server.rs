//! Deliveries: written with the decision, sent after it, tried again, given up where a person can see it.

pub mod mail;
pub mod outbox;
pub mod relay;
mod repository;
pub mod rest;
pub mod senders;
pub mod service;
pub mod under_way;
pub mod webhook;
pub mod worker;
