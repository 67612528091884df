//! Passwords: Argon2id with OWASP's parameters (Password Storage Cheat Sheet: 19 MiB, 2 passes, 1 lane).

use std::sync::Arc;

use argon2::{
    Algorithm, Argon2, Params, Version,
    password_hash::{PasswordHasher, PasswordVerifier, phc::PasswordHash},
};
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::Semaphore;
use zxcvbn::{Score, zxcvbn};

use crate::{
    server::{Error, Result, aside},
    shared::Problem,
};

/// Hashes worked out at once: each takes 19 MiB and a core.
const AT_ONCE: usize = 4;
/// Shortest and longest, in characters.
const LENGTH: std::ops::RangeInclusive<usize> = 12..=256;
/// What a password is held against where there is no account, so that it takes as long.
const NOBODY: &str =
    "$argon2id$v=19$m=19456,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

/// Works out hashes, a few at a time.
pub struct Passwords {
    turns: Arc<Semaphore>,
}

impl Default for Passwords {
    fn default() -> Self {
        Self { turns: Arc::new(Semaphore::new(AT_ONCE)) }
    }
}

fn argon2() -> Argon2<'static> {
    let params = Params::new(19_456, 2, 1, None).unwrap_or_default();
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
}

impl Passwords {
    /// What is stored of a password, in PHC form.
    ///
    /// # Errors
    /// Where the machine has no randomness or no memory.
    pub async fn hash(&self, password: &SecretString) -> Result<String> {
        let password = password.clone();
        self.aside(move || {
            let hash: PasswordHash = argon2().hash_password(password.expose_secret().as_bytes())?;
            Ok(hash.to_string())
        })
        .await
    }

    /// Whether it is the password that `stored` is the hash of. Takes as long where nothing is stored.
    ///
    /// # Errors
    /// Where what is stored is no hash.
    pub async fn verify(&self, password: &SecretString, stored: Option<String>) -> Result<bool> {
        let password = password.clone();
        self.aside(move || {
            let hash = PasswordHash::new(stored.as_deref().unwrap_or(NOBODY))?;
            match argon2().verify_password(password.expose_secret().as_bytes(), &hash) {
                Ok(()) => Ok(stored.is_some()),
                Err(argon2::password_hash::Error::PasswordInvalid) => Ok(false),
                Err(error) => Err(error),
            }
        })
        .await
    }

    async fn aside<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> argon2::password_hash::Result<T> + Send + 'static,
    ) -> Result<T> {
        let turn = Arc::clone(&self.turns).acquire_owned().await.map_err(Error::internal)?;
        aside::run_in(turn, work).await.map_err(|error| Error::internal(error.to_string()))
    }
}

/// Whether it may be chosen: long enough, and not what one would guess of this person (NIST SP 800-63B-4, 3.1.1.2).
///
/// # Errors
/// 422 naming `field`.
pub fn check(field: &str, password: &SecretString, known: &[&str]) -> Result<(), Problem> {
    let password = password.expose_secret();
    if !LENGTH.contains(&password.chars().count()) {
        let (least, most) = (LENGTH.start(), LENGTH.end());
        return Err(Problem::invalid_field(field, format!("must have {least} to {most} characters")));
    }
    // Its estimate takes time in proportion to the square of the length, and a long one is judged by its beginning.
    let judged: String = password.chars().take(72).collect();
    let known: Vec<&str> = known.iter().copied().chain(["flowengine"]).collect();
    if zxcvbn(&judged, &known).score() < Score::Three {
        return Err(Problem::invalid_field(
            field,
            "is easily guessed: choose some words that do not belong together",
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_hash_is_of_its_password_alone() {
        let passwords = Passwords::default();
        let right: SecretString = "correct horse battery".to_owned().into();
        let hash = passwords.hash(&right).await.expect("it holds");
        assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hash}");
        assert_ne!(hash, passwords.hash(&right).await.expect("it holds"), "salted");
        assert!(passwords.verify(&right, Some(hash.clone())).await.expect("it holds"));
        assert!(
            !passwords
                .verify(&"Correct horse battery".to_owned().into(), Some(hash))
                .await
                .expect("it holds")
        );
        assert!(!passwords.verify(&right, None).await.expect("it holds"));
        assert!(passwords.verify(&right, Some("plain".into())).await.is_err());
    }

    #[test]
    fn what_one_would_guess_is_refused() {
        let check =
            |text: &str| check("password", &text.to_owned().into(), &["ada.lovelace@acme.example", "Ada"]);
        for weak in ["", "short", "passwordpassword", "flowengine123", "123456789012", "aaaaaaaaaaaaaaa"] {
            assert!(check(weak).is_err(), "{weak}");
        }
        assert!(check(&"x".repeat(257)).is_err());
        for good in ["correct horse battery", "zwölf Äpfel im Moor", &"7Kp$2vQx!mB9".repeat(21)] {
            assert!(check(good).is_ok(), "{good}");
        }
    }
}
