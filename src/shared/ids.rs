//! The registry of typed ids. No bare `i64`, `Uuid` or `String` stands for an id in a signature.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

macro_rules! integer_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[cfg_attr(feature = "ssr", derive(sqlx::Type, utoipa::ToSchema), sqlx(transparent))]
        #[serde(transparent)]
        pub struct $name(pub i64);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl FromStr for $name {
            type Err = std::num::ParseIntError;
            fn from_str(text: &str) -> Result<Self, Self::Err> {
                text.parse().map(Self)
            }
        }
    };
}

integer_id!(
    /// An intent of a tenant.
    IntentId
);
integer_id!(
    /// A datasource of a tenant.
    DatasourceId
);
integer_id!(
    /// A datasource config of a tenant.
    ConfigId
);
integer_id!(
    /// A validation rule of an intent.
    RuleId
);
integer_id!(
    /// A route of a tenant.
    RouteId
);
integer_id!(
    /// Where mail of a tenant comes from.
    MailboxId
);
integer_id!(
    /// A text that shows what a message of an intent is like.
    ExampleId
);
integer_id!(
    /// An entry of the audit log.
    AuditId
);
integer_id!(
    /// An API key of a tenant, or of the installation.
    KeyId
);
integer_id!(
    /// A view of the messages that somebody gave a name.
    FilterId
);
integer_id!(
    /// An invitation to a tenant.
    InvitationId
);
integer_id!(
    /// A person who can sign in, across tenants.
    UserId
);

macro_rules! uuid_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[cfg_attr(feature = "ssr", derive(sqlx::Type, utoipa::ToSchema), sqlx(transparent))]
        #[serde(transparent)]
        pub struct $name(pub Uuid);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl FromStr for $name {
            type Err = uuid::Error;
            fn from_str(text: &str) -> Result<Self, Self::Err> {
                text.parse().map(Self)
            }
        }
    };
}

uuid_id!(
    /// A message: UUIDv7, so that ids sort by arrival (RFC 9562, section 5.7).
    EmailId
);
uuid_id!(
    /// A doing of a route for a message: UUIDv7, by which a receiver tells a repeat.
    DeliveryId
);

uuid_id!(
    /// A draft that is run over stored messages: UUIDv7, so that ids sort by when it was asked for.
    BacktestId
);

uuid_id!(
    /// What a person said of messages: random, so that only who was told it can take it back (RFC 9562, section 5.4).
    WordId
);

impl EmailId {
    /// No message that came at this time or later has a smaller id.
    pub fn earliest(at: chrono::DateTime<chrono::Utc>) -> Self {
        let millis = u128::from(at.timestamp_millis().max(0).unsigned_abs());
        Self(Uuid::from_u128(millis << 80))
    }
}

/// An organisation's slug: a lower-case letter, then up to 62 of `a-z`, `0-9`, `_`.
///
/// A value of this type is always well formed, so it can stand in a path, a folder name and a setting.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "ssr", schema(value_type = String, pattern = "^[a-z][a-z0-9_]{0,62}$", example = "acme_corp"))]
#[serde(try_from = "String", into = "String")]
pub struct TenantId(String);

/// Why a text is no tenant id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must start with a letter a-z and hold only a-z, 0-9 and _, at most 63 characters")]
pub struct InvalidTenantId;

impl TenantId {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for TenantId {
    type Error = InvalidTenantId;
    fn try_from(text: String) -> Result<Self, Self::Error> {
        let well_formed = text.len() <= 63
            && text.starts_with(|c: char| c.is_ascii_lowercase())
            && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_');
        well_formed.then_some(Self(text)).ok_or(InvalidTenantId)
    }
}

impl FromStr for TenantId {
    type Err = InvalidTenantId;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.to_owned().try_into()
    }
}

impl From<TenantId> for String {
    fn from(id: TenantId) -> Self {
        id.0
    }
}

impl fmt::Display for TenantId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tenant_id_is_a_slug() {
        for good in ["a", "acme_corp", "t2"] {
            assert!(good.parse::<TenantId>().is_ok(), "{good}");
        }
        for bad in ["", "2t", "_a", "Acme", "a-b", "a b", "a/../b", "a'", "é", &"a".repeat(64)] {
            assert!(bad.parse::<TenantId>().is_err(), "{bad}");
        }
    }
}
