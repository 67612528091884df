//! Wire types of the audit log.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{rules::dto::wire_enum, shared::AuditId};

wire_enum!(
    /// What kind of caller did it.
    ActorKind {
        /// A signed-in person.
        User = "user",
        /// A program with an API key.
        Key = "key",
        /// A program with a token of a foreign issuer.
        Token = "token",
        /// The server itself, or its command line.
        System = "system",
    }
);

/// One thing that was done.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
pub struct AuditEntry {
    pub audit_id: AuditId,
    pub occurred_at: DateTime<Utc>,
    pub actor_kind: ActorKind,
    /// As the actor was called then.
    pub actor: String,
    /// The address that the request came from.
    pub address: Option<String>,
    /// The id under which the log has the request.
    pub request_id: Option<String>,
    /// As in `intent.update`.
    pub action: String,
    /// What it was done to.
    pub object_id: String,
    /// What it was, secrets masked; of a change, the members that differ. `null` for what was not there.
    pub before: Option<Value>,
    /// What it became, likewise.
    pub after: Option<Value>,
}

/// What a list of entries is narrowed to.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct AuditFilter {
    /// An action, or the kind of thing that it was done to: `intent.update` or `intent`.
    pub action: Option<String>,
    pub object_id: Option<String>,
    /// To be found in the actor's name.
    pub actor: Option<String>,
    /// Not before this.
    pub from: Option<DateTime<Utc>>,
    /// Before this.
    pub to: Option<DateTime<Utc>>,
    /// To what people and keys did, and among that not to messages that they handed in.
    #[serde(default)]
    pub people_only: bool,
}
