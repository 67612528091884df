//! Wire types of API keys.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::{auth::dto::Role, shared::KeyId};

/// An API key, without the key: only its hash is stored.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
pub struct ApiKey {
    pub key_id: KeyId,
    pub name: String,
    /// What it may do in its tenant; none for a key of the installation, which may do all.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "ssr", schema(nullable = false))]
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
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "ssr", schema(examples(json!({"name": "Warehouse", "role": "operator"}))))]
pub struct ApiKeyInput {
    #[cfg_attr(feature = "ssr", schema(schema_with = crate::server::openapi::name))]
    pub name: String,
    pub role: Role,
    /// In the future; never, if left out.
    #[serde(default)]
    pub expires_at: Option<DateTime<Utc>>,
}

/// The body of `POST /api/instance-api-keys`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "ssr", schema(examples(json!({"name": "Provisioning"}))))]
pub struct InstanceKeyInput {
    #[cfg_attr(feature = "ssr", schema(schema_with = crate::server::openapi::name))]
    pub name: String,
    /// In the future; never, if left out.
    #[serde(default)]
    pub expires_at: Option<DateTime<Utc>>,
}

/// A key that was just made.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
pub struct ApiKeyMade {
    #[serde(flatten)]
    pub api_key: ApiKey,
    /// The key itself, this once.
    pub key: String,
}
