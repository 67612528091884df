//! Mailboxes: who may change them, how mail comes in by them, and their signs of life.

pub mod authenticate;
pub mod imap;
pub mod intake;
pub mod repository;
pub mod rest;
pub mod service;
pub mod smtp;
pub mod watch;
pub mod watches;
