//! Tests that speak HTTP to a real server on a real PostgreSQL. Each has a database of its own, so that all run
//! side by side.
#![expect(clippy::unwrap_used, reason = "a test ends at what it did not expect")]

mod access;
mod audit;
mod audited;
mod backtests;
mod bounds;
mod calls;
mod changes;
mod classifier;
mod configuring;
mod database;
mod datasources;
mod deliveries;
mod demo;
mod dry_runs;
mod edges;
mod engine;
mod faults;
mod fences;
mod files;
mod files_apart;
mod idempotency;
mod identity;
mod imap;
mod imports;
mod isolation;
mod jwt;
mod lists;
mod messages;
mod name_server;
mod oidc;
mod openapi;
mod probes;
mod provider;
mod receivers;
mod relaying;
mod rest;
mod retention;
mod secrets;
mod smtp;
mod support;
mod tenants;
mod transfer;
mod versions;
mod words;
