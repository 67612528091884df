//! Wire types of access.

use serde::{Deserialize, Serialize};

use crate::{rules::dto::wire_enum, shared::TenantId};

wire_enum!(
    /// What a caller may do in a tenant. Each may do all that the one before may.
    Role { Viewer = "viewer", Operator = "operator", Editor = "editor", Admin = "admin" }
);

/// The ways to sign in that the installation offers.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct SignInWays {
    /// What the OpenID provider is called, where there is one.
    pub provider: Option<String>,
}

/// Who is signed in, for the screen.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Me {
    pub display_name: String,
    pub email: String,
    pub is_instance_admin: bool,
    /// Whether they can sign in without a link.
    pub has_password: bool,
    /// The OpenID provider, where there is one, and who is signed in is a person.
    pub provider: Option<MyProvider>,
    pub tenants: Vec<MyTenant>,
}

impl Me {
    /// Whether they are a person whom a link alone lets in again.
    pub fn needs_link(&self) -> bool {
        let is_connected = self.provider.as_ref().is_some_and(|provider| provider.is_connected);
        !self.email.is_empty() && !self.has_password && !is_connected
    }
}

/// The OpenID provider, to a person.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MyProvider {
    /// What it is called.
    pub name: String,
    /// Whether they can sign in with it.
    pub is_connected: bool,
}

/// A tenant that the signed-in person can choose.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MyTenant {
    pub tenant_id: TenantId,
    pub name: String,
    pub is_active: bool,
    pub role: Role,
}

wire_enum!(
    /// Why a form or a sign-in was refused: the word that its page's address gets.
    FormOutcome {
        /// The password, or the email.
        Wrong = "wrong",
        /// The link was used, taken back, or has expired.
        Used = "used",
        /// Too many tries.
        Busy = "busy",
        /// The new password is too short or too long.
        Short = "short",
        /// The new password is easily guessed.
        Weak = "weak",
        /// The two new passwords differ.
        Differs = "differs",
        /// The invitation is for another person than is signed in.
        SomebodyElse = "somebody_else",
        /// The installation sends no mail.
        NoMail = "no_mail",
        /// The provider lets the person in, in the place of a password.
        ByProvider = "by_provider",
        /// Something else about a field.
        Invalid = "invalid",
        /// The provider answered too late, or to another browser than the one that asked.
        Expired = "expired",
        /// The person, or the provider, said no.
        Denied = "denied",
        /// What the provider said does not hold.
        Provider = "provider",
        /// The provider cannot be asked.
        Unavailable = "unavailable",
        /// The provider does not vouch for the address.
        Unverified = "unverified",
        /// The provider knows them, the installation does not.
        Unknown = "unknown",
    }
);

impl FormOutcome {
    /// A sentence for the person who filled the form in.
    pub fn words(self) -> &'static str {
        match self {
            Self::Wrong => "The email or the password is wrong.",
            Self::Used => "This link has been used, or has expired.",
            Self::Busy => "Too many tries. Wait a minute, then try again.",
            Self::Short => "A password must have 12 to 256 characters.",
            Self::Weak => "This password is easily guessed. Choose some words that do not belong together.",
            Self::Differs => "The two new passwords are not the same.",
            Self::SomebodyElse => "This is for somebody else. Sign out, then open the link again.",
            Self::NoMail => {
                "This installation sends no mail. Its administrator can give you a link for a new password."
            }
            Self::ByProvider => "You sign in with the sign-in service, and need no password here.",
            Self::Invalid => "Something in the form cannot be right. Check it, then send it again.",
            Self::Expired => "The sign-in took too long, or was begun in another browser. Start again.",
            Self::Denied => "The sign-in was refused.",
            Self::Provider => "The sign-in did not work. Start again.",
            Self::Unavailable => {
                "The sign-in service cannot be reached at the moment. Try again in a few minutes."
            }
            Self::Unverified => {
                "Your address is not confirmed with the sign-in service. Confirm it there, then start again."
            }
            Self::Unknown => {
                "You are not known here. An administrator can invite you. If you have a password here, sign in with it \
                 first, and connect the sign-in service under your account."
            }
        }
    }

    /// The HTTP status of the page that says so.
    pub fn status(self) -> u16 {
        if self == Self::Unavailable { 503 } else { 200 }
    }
}
