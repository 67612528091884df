//! Export and import: a tenant's configuration as one document.

pub mod ahead;
pub mod apply;
pub mod check;
pub mod current;
pub mod document;
pub mod form;
pub mod plan;
pub mod rest;
pub mod service;
pub mod text;
