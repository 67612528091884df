//! Wire types of API keys.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::{auth::dto::Role, shared::KeyId};

/// An API key, without the key: only its hash is stored.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ApiKey {
    pub key_id: KeyId,
    pub name: String,
    /// What it may do in its tenant; none for a key of the installation, which may do all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub role: Option<Role>,
    /// How the key begins, to know it again.
    pub prefix: String,
    pub created_by: String,
    pub created_at: DateTime<Utc>,
    pub expires_at: Option<DateTime<Utc>>,
    /// To the minute.
    pub last_used_at: Option<DateTime<Utc>>,
    pub revoked_at: Option<DateTime<Utc>>,
}

/// The body of `POST /api/api-keys`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ApiKeyInput {
    pub name: String,
    pub role: Role,
    #[serde(default)]
    pub expires_at: Option<DateTime<Utc>>,
}

/// The body of `POST /api/instance-api-keys`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InstanceKeyInput {
    pub name: String,
    #[serde(default)]
    pub expires_at: Option<DateTime<Utc>>,
}

/// A key that was just made.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ApiKeyMade {
    #[serde(flatten)]
    pub api_key: ApiKey,
    /// The key itself, this once.
    pub key: String,
}
