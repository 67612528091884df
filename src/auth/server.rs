//! Access: keys, sessions, passwords, links, and what each role may do.

pub mod accounts;
pub mod forms;
pub mod issuers;
pub mod jwt;
pub mod oidc;
mod oidc_provider;
mod oidc_repository;
mod oidc_rest;
pub mod password;
pub mod repository;
pub mod rest;
pub mod service;
pub mod throttle;

/// Whether a page is there for people who are not signed in.
pub fn is_open(path: &str) -> bool {
    matches!(path, "/sign-in" | "/forgot") || path.starts_with("/reset/") || path.starts_with("/invitation/")
}
