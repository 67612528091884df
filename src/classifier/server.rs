//! Examples, the gate, training in the background, and the trained model's word on a message.

pub mod gate;
pub mod learned;
pub mod repository;
pub mod rest;
pub mod service;
pub mod worker;
