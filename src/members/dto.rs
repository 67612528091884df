//! Wire types of members.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize, de::IgnoredAny};

use crate::{
    auth::dto::Role,
    shared::{InvitationId, UserId},
};

/// A person with a part in the tenant.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
pub struct Member {
    pub user_id: UserId,
    pub email: String,
    pub display_name: String,
    pub role: Role,
    /// Whether their account is closed: they have a part here, and cannot come in.
    pub is_closed: bool,
    /// Since when.
    pub created_at: DateTime<Utc>,
}

/// The body of `PUT /api/members/{user_id}`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "ssr", schema(examples(json!({"role": "operator"}))))]
pub struct MemberInput {
    pub role: Role,
    #[serde(default, skip_serializing)]
    #[cfg_attr(feature = "ssr", schema(ignore))]
    pub user_id: IgnoredAny,
    #[serde(default, skip_serializing)]
    #[cfg_attr(feature = "ssr", schema(ignore))]
    pub email: IgnoredAny,
    #[serde(default, skip_serializing)]
    #[cfg_attr(feature = "ssr", schema(ignore))]
    pub display_name: IgnoredAny,
    #[serde(default, skip_serializing)]
    #[cfg_attr(feature = "ssr", schema(ignore))]
    pub is_closed: IgnoredAny,
    #[serde(default, skip_serializing)]
    #[cfg_attr(feature = "ssr", schema(ignore))]
    pub created_at: IgnoredAny,
}

impl MemberInput {
    pub fn of(role: Role) -> Self {
        Self {
            role,
            user_id: IgnoredAny,
            email: IgnoredAny,
            display_name: IgnoredAny,
            is_closed: IgnoredAny,
            created_at: IgnoredAny,
        }
    }
}

/// A person who may become a member.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
pub struct Invitation {
    pub invitation_id: InvitationId,
    pub email: String,
    pub role: Role,
    pub invited_by: String,
    pub created_at: DateTime<Utc>,
    pub expires_at: DateTime<Utc>,
}

/// The body of `POST /api/members` and `POST /api/invitations`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "ssr", schema(examples(json!({"email": "ada@acme.example", "role": "viewer"}))))]
pub struct InvitationInput {
    #[cfg_attr(feature = "ssr", schema(format = Email, min_length = 3, max_length = 254))]
    pub email: String,
    pub role: Role,
}

/// An invitation that was just made.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
pub struct InvitationMade {
    #[serde(flatten)]
    pub invitation: Invitation,
    /// Whether the link went to the person by mail.
    pub mailed: bool,
    /// The link, this once, where the installation sends no mail: then somebody has to hand it over.
    pub link: Option<String>,
    /// Whether the link is enough for a person who has no account yet. Otherwise it is for those who have one, or come
    /// by the OpenID provider, until an administrator of the installation sends the invitation again.
    pub makes_account: bool,
}

/// Who has a part in the tenant, and who may get one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct People {
    pub members: Vec<Member>,
    pub invitations: Vec<Invitation>,
    /// How many API keys that a member made still work; who is not named made none.
    pub keys: Vec<(UserId, i64)>,
}

/// What an invitation says to whoever holds its link.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct InvitationShown {
    pub tenant: String,
    pub email: String,
    pub role: Role,
    /// Whether the link is enough for a person who has no account yet.
    pub makes_account: bool,
    pub invited_by: String,
}
