//! Views of the messages that people gave names.

pub mod repository;
pub mod service;
