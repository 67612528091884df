//! Views of the messages that people gave names.

mod repository;
pub mod service;
