pub mod event;
pub mod export;
pub mod repository;
pub mod rest;
pub mod service;
