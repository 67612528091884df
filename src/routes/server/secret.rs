//! Signing secrets, and the signature of Standard Webhooks (<https://www.standardwebhooks.com>, version 1):
//! `v1,` and base64 of HMAC-SHA256 over `id.timestamp.body`.

use base64::{Engine, prelude::BASE64_STANDARD};
use hmac::{Hmac, KeyInit, Mac};
use secrecy::{ExposeSecret, SecretBox};
use sha2::Sha256;

/// Unit: bytes; the specification asks for 24 to 64.
const LENGTH: usize = 32;

/// A signing secret. Never printed but by `reveal`.
pub struct SigningSecret(SecretBox<Vec<u8>>);

impl SigningSecret {
    pub fn generate() -> Self {
        Self::from_bytes(rand::random::<[u8; LENGTH]>().to_vec())
    }

    pub fn from_bytes(bytes: Vec<u8>) -> Self {
        Self(SecretBox::new(Box::new(bytes)))
    }

    pub fn bytes(&self) -> &[u8] {
        self.0.expose_secret()
    }

    /// As whoever receives the webhook enters it: `whsec_` and base64.
    pub fn reveal(&self) -> String {
        format!("whsec_{}", BASE64_STANDARD.encode(self.bytes()))
    }

    /// `None` for an empty secret, which never is.
    pub fn sign(&self, id: &str, timestamp: i64, body: &[u8]) -> Option<String> {
        let mut mac = Hmac::<Sha256>::new_from_slice(self.bytes()).ok()?;
        mac.update(format!("{id}.{timestamp}.").as_bytes());
        mac.update(body);
        Some(format!("v1,{}", BASE64_STANDARD.encode(mac.finalize().into_bytes())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of the specification's own libraries.
    #[test]
    fn it_signs_as_the_specification_does() {
        let bytes = BASE64_STANDARD.decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").expect("base64");
        let secret = SigningSecret::from_bytes(bytes);
        let signature =
            secret.sign("msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, br#"{"test": 2432232314}"#);
        assert_eq!(signature.as_deref(), Some("v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="));
        assert_eq!(secret.reveal(), "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
    }
}
