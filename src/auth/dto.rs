//! Wire types of access.

use serde::{Deserialize, Serialize};

use crate::{rules::dto::wire_enum, shared::TenantId};

wire_enum!(
    /// What a caller may do in a tenant. Each may do all that the one before may.
    Role { Viewer = "viewer", Operator = "operator", Editor = "editor", Admin = "admin" }
);

/// Who is signed in, for the screen.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Me {
    pub display_name: String,
    pub email: String,
    pub is_instance_admin: bool,
    pub tenants: Vec<MyTenant>,
}

/// A tenant that the signed-in person can choose.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MyTenant {
    pub tenant_id: TenantId,
    pub name: String,
    pub is_active: bool,
    pub role: Role,
}
