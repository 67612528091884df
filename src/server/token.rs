//! Bearer secrets of ours: made from the operating system's randomness, stored as SHA-256.
//!
//! They carry 190 bits (32 letters and digits), so a plain hash is enough: there is nothing to guess that a
//! slow hash would protect (the choice of rust-lang's package registry server).

use rand::RngExt;
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};

/// A new secret: `prefix`, then 32 of `A-Z`, `a-z`, `0-9`.
pub fn generate(prefix: &str) -> SecretString {
    let mut rng = rand::rng();
    let mut text = prefix.to_owned();
    text.extend((0..32).map(|_| char::from(rng.sample(rand::distr::Alphanumeric))));
    text.into()
}

/// What is stored of it.
pub fn hash(secret: &str) -> [u8; 32] {
    hash_bytes(secret.as_bytes())
}

/// SHA-256.
pub fn hash_bytes(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}

/// `hash` of a `SecretString`.
pub fn hash_of(secret: &SecretString) -> [u8; 32] {
    hash(secret.expose_secret())
}

/// Bytes in lower-case hex.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
