pub mod event;
pub mod export;
mod repository;
pub mod rest;
pub mod service;
