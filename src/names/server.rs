//! Names, in one look.

mod repository;
pub mod service;
