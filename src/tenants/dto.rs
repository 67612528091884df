//! Wire types of tenants.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::shared::{
    Problem, TenantId,
    validate::{Checks, null_as_yes, yes},
};

/// An organisation on this installation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
pub struct Tenant {
    pub tenant_id: TenantId,
    pub name: String,
    pub is_active: bool,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
}

/// The body of `POST /api/tenants` and `PUT /api/tenants/{tenant_id}` (whose path names the tenant).
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "ssr", schema(examples(json!({"tenant_id": "initech", "name": "Initech"}))))]
pub struct TenantInput {
    /// Needed where the path does not name the tenant; else the same.
    #[serde(default)]
    #[cfg_attr(feature = "ssr", schema(value_type = Option<TenantId>))]
    pub tenant_id: Option<String>,
    #[cfg_attr(feature = "ssr", schema(schema_with = crate::server::openapi::name))]
    pub name: String,
    #[serde(default = "yes", deserialize_with = "null_as_yes")]
    #[cfg_attr(feature = "ssr", schema(default = true))]
    pub is_active: bool,
    /// Read back by a `GET`; not taken from a body.
    #[serde(default, skip_serializing)]
    pub created_at: serde::de::IgnoredAny,
    #[serde(default, skip_serializing)]
    pub updated_at: serde::de::IgnoredAny,
}

/// A `TenantInput` that holds up.
#[derive(Clone, Debug, Serialize)]
pub struct ValidTenant {
    pub tenant_id: TenantId,
    pub name: String,
    pub is_active: bool,
}

impl TenantInput {
    /// `path_id` is the tenant that the path names, if it names one.
    ///
    /// # Errors
    /// 422 with every field at fault.
    pub fn validate(&self, path_id: Option<&TenantId>) -> Result<ValidTenant, Problem> {
        let mut checks = Checks::default();
        let name = checks.name("name", &self.name);
        let tenant_id = match (path_id, &self.tenant_id) {
            (Some(path), Some(body)) if path.as_str() != body => {
                checks.fault("tenant_id", "differs from the path, and cannot be changed");
                None
            }
            (Some(path), _) => Some(path.clone()),
            (None, Some(body)) => match body.parse::<TenantId>() {
                Ok(id) => Some(id),
                Err(error) => {
                    checks.fault("tenant_id", error.to_string());
                    None
                }
            },
            (None, None) => {
                checks.fault("tenant_id", "is missing");
                None
            }
        };
        checks.finish()?;
        let tenant_id = tenant_id.ok_or_else(|| Problem::invalid_field("tenant_id", "is missing"))?;
        Ok(ValidTenant { tenant_id, name, is_active: self.is_active })
    }
}
