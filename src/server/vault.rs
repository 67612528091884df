//! Secrets at rest: envelope encryption with XChaCha20-Poly1305.
//!
//! A key-encryption key (KEK), which is never in the database, wraps one data key per tenant; the data key
//! encrypts a value. Both are bound (as associated data) to where they stand, so that a ciphertext moved to
//! another row, column or tenant does not open. Decryption takes microseconds: plain text is never cached.
//!
//! Both kinds of key are exchanged while servers work (`rotation`): a vault opens what the KEKs of before wrapped, as
//! long as it is told them, and wraps with its own alone.
//!
//! Stored form: `version (1) | data key id (16) | nonce (24) | ciphertext and tag`.

use base64::{Engine, prelude::BASE64_STANDARD};
use chacha20poly1305::{
    Key, KeyInit, XChaCha20Poly1305, XNonce,
    aead::{Aead, Payload},
};
use secrecy::{ExposeSecret, SecretBox, SecretString};
use uuid::Uuid;

use super::{Database, Error, Result, TenantRows, TenantTx, database::in_tenant, token};
use crate::tenants::server::service as tenants;

const VERSION: u8 = 1;
const NONCE: usize = 24;

mod rotation;

pub use rotation::{Rotated, rotate};

/// Holds the key-encryption key, and those of before.
pub struct Vault {
    kek: Kek,
    /// Accepted, and never used for anything new.
    accepted: Vec<Kek>,
}

/// A key-encryption key and the id under which the database knows it.
struct Kek {
    key: SecretBox<[u8; 32]>,
    id: String,
}

impl Kek {
    fn new(key: [u8; 32]) -> Self {
        let id = token::hex(&token::hash(&token::hex(&key))[..8]);
        Self { key: SecretBox::new(Box::new(key)), id }
    }
}

/// Every column that holds sealed values: table, id, column. As each `Place` names them.
pub const SEALED: [(&str, &str, &str); 6] = [
    ("datasource_configs", "config_id", "auth_config"),
    ("mailboxes", "mailbox_id", "password"),
    ("routes", "route_id", "secret"),
    ("routes", "route_id", "old_secret"),
    ("routes", "route_id", "header_values"),
    ("idempotency_keys", "record_id", "answer"),
];

/// Where an encrypted value stands.
#[derive(Clone, Copy, Debug)]
pub struct Place<'a> {
    pub table: &'a str,
    pub row: i64,
    pub column: &'a str,
}

/// How far a vault opens what a database holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Fit {
    /// Tenants of whose data keys it opens one or more.
    pub opened: usize,
    /// Tenants of whose data keys it does not open all.
    pub unopened: usize,
}

/// A stored value that does not open: moved, changed, or encrypted under another key.
#[derive(Debug, thiserror::Error)]
#[error("an encrypted value cannot be opened: {0}")]
pub struct Sealed(&'static str);

/// 32 bytes from base64 or hex.
pub fn parse_key(text: &SecretString) -> Option<[u8; 32]> {
    let text = text.expose_secret().trim();
    if text.len() == 64 && text.bytes().all(|b| b.is_ascii_hexdigit()) {
        let mut key = [0; 32];
        for (i, byte) in key.iter_mut().enumerate() {
            *byte = u8::from_str_radix(&text[2 * i..2 * i + 2], 16).ok()?;
        }
        return Some(key);
    }
    BASE64_STANDARD.decode(text).ok()?.try_into().ok()
}

impl Vault {
    pub fn new(kek: [u8; 32]) -> Self {
        Self { kek: Kek::new(kek), accepted: Vec::new() }
    }

    /// Opens what these wrapped, too.
    pub fn accepting(self, accepted: impl IntoIterator<Item = [u8; 32]>) -> Self {
        Self { accepted: accepted.into_iter().map(Kek::new).collect(), ..self }
    }

    /// By the names of the KEKs that wrapped the data keys.
    ///
    /// # Errors
    /// The database's.
    pub async fn fit(&self, database: &Database) -> Result<Fit> {
        let tenants = tenants::ids(&mut database.instance().await?).await?;
        let mut fit = Fit::default();
        for tenant in tenants {
            let mut read = database.tenant_read(&tenant).await?;
            let keks: Vec<String> = sqlx::query_scalar(in_tenant!(
                "SELECT DISTINCT kek_id FROM data_keys WHERE tenant_id = tenant.id"
            ))
            .bind(tenant.as_str())
            .fetch_all(read.conn())
            .await?;
            fit.opened += usize::from(keks.iter().any(|id| self.kek(id).is_some()));
            fit.unopened += usize::from(keks.iter().any(|id| self.kek(id).is_none()));
        }
        Ok(fit)
    }

    /// Its own, or one of those of before.
    fn kek(&self, id: &str) -> Option<&Kek> {
        std::iter::once(&self.kek).chain(&self.accepted).find(|kek| kek.id == id)
    }

    /// A secret that belongs to this installation and to `purpose`, derived from the KEK.
    pub fn derive(&self, purpose: &str) -> String {
        let material = format!("{purpose}|{}", token::hex(self.kek.key.expose_secret()));
        token::hex(&token::hash(&material)[..16])
    }

    /// Encrypts a value under the tenant's data key, which is made at first use.
    ///
    /// # Errors
    /// The database's.
    pub async fn seal(&self, tx: &mut TenantTx, place: Place<'_>, plain: &[u8]) -> Result<Vec<u8>> {
        let (key_id, key) = match self.newest_key(tx).await? {
            Some(found) => found,
            None => self.make_key(tx).await?,
        };
        let aad = value_aad(tx.tenant().as_str(), place, key_id);
        let mut stored = vec![VERSION];
        stored.extend_from_slice(key_id.as_bytes());
        stored.extend(encrypt(&key, &aad, plain)?);
        Ok(stored)
    }

    /// # Errors
    /// `Sealed` where the value was moved, changed or is of another key; the database's.
    pub async fn open(&self, tx: &mut TenantTx, place: Place<'_>, stored: &[u8]) -> Result<Vec<u8>> {
        let (head, sealed) =
            stored.split_at_checked(17).ok_or_else(|| Error::internal(Sealed("it is too short")))?;
        if head[0] != VERSION {
            return Err(Error::internal(Sealed("its version is unknown")));
        }
        let key_id = Uuid::from_slice(&head[1..]).map_err(Error::internal)?;
        let row: Option<(String, Vec<u8>)> =
            sqlx::query_as("SELECT kek_id, wrapped FROM data_keys WHERE tenant_id = $1 AND key_id = $2")
                .bind(tx.tenant().to_string())
                .bind(key_id)
                .fetch_optional(tx.conn())
                .await?;
        let (kek_id, wrapped) = row.ok_or_else(|| Error::internal(Sealed("its data key is gone")))?;
        let key = self.unwrap_key(tx.tenant().as_str(), key_id, &kek_id, &wrapped)?;
        decrypt(&key, &value_aad(tx.tenant().as_str(), place, key_id), sealed)
    }

    /// Kept from being removed until the transaction ends: what it is about to seal needs it.
    async fn newest_key(&self, tx: &mut TenantTx) -> Result<Option<(Uuid, [u8; 32])>> {
        let row: Option<(Uuid, String, Vec<u8>)> = sqlx::query_as(
            "SELECT key_id, kek_id, wrapped FROM data_keys WHERE tenant_id = $1 \
             ORDER BY created_at DESC, key_id DESC LIMIT 1 FOR KEY SHARE",
        )
        .bind(tx.tenant().to_string())
        .fetch_optional(tx.conn())
        .await?;
        row.map(|(key_id, kek_id, wrapped)| {
            Ok((key_id, self.unwrap_key(tx.tenant().as_str(), key_id, &kek_id, &wrapped)?))
        })
        .transpose()
    }

    async fn make_key(&self, tx: &mut TenantTx) -> Result<(Uuid, [u8; 32])> {
        let key: [u8; 32] = rand::random();
        let key_id = Uuid::now_v7();
        let wrapped = self.wrap(tx.tenant().as_str(), key_id, &key)?;
        sqlx::query("INSERT INTO data_keys (tenant_id, key_id, kek_id, wrapped) VALUES ($1, $2, $3, $4)")
            .bind(tx.tenant().to_string())
            .bind(key_id)
            .bind(&self.kek.id)
            .bind(wrapped)
            .execute(tx.conn())
            .await?;
        Ok((key_id, key))
    }

    fn wrap(&self, tenant: &str, key_id: Uuid, key: &[u8; 32]) -> Result<Vec<u8>> {
        encrypt(self.kek.key.expose_secret(), &key_aad(tenant, key_id, &self.kek.id), key)
    }

    fn unwrap_key(&self, tenant: &str, key_id: Uuid, kek_id: &str, wrapped: &[u8]) -> Result<[u8; 32]> {
        let kek = self
            .kek(kek_id)
            .ok_or_else(|| Error::internal(Sealed("its data key is wrapped by another ENCRYPTION_KEY")))?;
        let plain = decrypt(kek.key.expose_secret(), &key_aad(tenant, key_id, kek_id), wrapped)?;
        plain.try_into().map_err(|_| Error::internal(Sealed("its data key has a wrong length")))
    }
}

fn value_aad(tenant: &str, place: Place<'_>, key_id: Uuid) -> String {
    format!("{tenant}|{}|{}|{}|{key_id}", place.table, place.row, place.column)
}

fn key_aad(tenant: &str, key_id: Uuid, kek_id: &str) -> String {
    format!("{tenant}|data_keys|{key_id}|wrapped|{kek_id}")
}

fn encrypt(key: &[u8; 32], aad: &str, plain: &[u8]) -> Result<Vec<u8>> {
    let nonce: [u8; NONCE] = rand::random();
    let cipher = XChaCha20Poly1305::new(&Key::from(*key));
    let payload = Payload { msg: plain, aad: aad.as_bytes() };
    let sealed = cipher
        .encrypt(&XNonce::from(nonce), payload)
        .map_err(|_| Error::internal(Sealed("encryption failed")))?;
    Ok([nonce.as_slice(), &sealed].concat())
}

fn decrypt(key: &[u8; 32], aad: &str, stored: &[u8]) -> Result<Vec<u8>> {
    let (nonce, sealed) =
        stored.split_at_checked(NONCE).ok_or_else(|| Error::internal(Sealed("it is too short")))?;
    let nonce: [u8; NONCE] = nonce.try_into().map_err(|_| Error::internal(Sealed("it is too short")))?;
    XChaCha20Poly1305::new(&Key::from(*key))
        .decrypt(&XNonce::from(nonce), Payload { msg: sealed, aad: aad.as_bytes() })
        .map_err(|_| Error::internal(Sealed("it was moved or changed")))
}
