//! Access: keys, sessions, the one-time link, and what each role may do.

pub mod authority;
pub mod repository;
pub mod rest;
pub mod service;
