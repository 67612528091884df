//! Names, in one look.

pub mod repository;
pub mod service;
