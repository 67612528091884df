//! Messages: intake, processing, and what is read of them.

pub mod address;
pub mod dry_run;
pub mod examine;
pub mod fields;
mod html;
pub mod import;
mod inner_text;
mod mbox;
pub mod mime;
mod nodes;
mod preview;
pub mod process;
pub mod repository;
pub mod rest;
mod search_repository;
pub mod service;
pub mod shown;
pub mod stored;
mod styles;
mod tags;
mod tree;
mod undo_repository;
pub mod words;
pub mod worker;
