mod repository;
pub mod rest;
pub mod service;
