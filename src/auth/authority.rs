//! The one table of what needs which role (DESIGN, section 3). The server refuses by it, the screen offers by it.

use crate::auth::dto::Role;

/// Something that a caller may be allowed to do in a tenant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Permission {
    /// Read anything but members, keys and mailboxes.
    Read,
    /// Take messages in, run them again, decide on them.
    WorkMessages,
    /// Change intents, rules and datasources.
    Configure,
    /// Change datasource configs, which hold credentials.
    Credentials,
    /// See and change members and API keys.
    Members,
    /// See and change where mail comes from.
    Mailboxes,
    /// Read who did what.
    Audit,
}

impl Permission {
    /// The lowest role that has it.
    pub fn role(self) -> Role {
        match self {
            Self::Read => Role::Viewer,
            Self::WorkMessages => Role::Operator,
            Self::Configure => Role::Editor,
            Self::Credentials | Self::Members | Self::Mailboxes | Self::Audit => Role::Admin,
        }
    }
}

impl Role {
    pub fn may(self, permission: Permission) -> bool {
        self.rank() >= permission.role().rank()
    }

    /// A higher rank may do all that a lower one may.
    pub fn rank(self) -> u8 {
        match self {
            Self::Viewer => 0,
            Self::Operator => 1,
            Self::Editor => 2,
            Self::Admin => 3,
        }
    }
}
