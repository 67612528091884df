//! Mailboxes: where a tenant's mail comes from. To an address that other mail servers hand on to this one (SMTP, LMTP), or
//! fetched from a mailbox elsewhere (IMAP).

pub mod api;
pub mod dto;
pub mod pages;
#[cfg(feature = "ssr")]
pub mod server;
