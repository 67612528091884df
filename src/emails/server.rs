//! Messages: intake, processing, and what is read of them.

pub mod dry_run;
pub mod examine;
pub mod fields;
pub mod process;
pub mod repository;
pub mod rest;
pub mod service;
pub mod shown;
pub mod undo_repository;
pub mod words;
pub mod worker;
