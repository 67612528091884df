//! Routes: what they say, who may change them, and what they come to for a message.

pub mod event;
pub mod plan;
pub mod reading;
mod repository;
pub mod rest;
pub mod secret;
pub mod service;
pub mod settings;
