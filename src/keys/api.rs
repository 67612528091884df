//! Server functions of API keys.

use leptos::prelude::*;

#[cfg(feature = "ssr")]
use super::dto::ApiKeyInput;
use super::dto::{ApiKey, ApiKeyMade};
use crate::{
    auth::dto::Role,
    shared::{KeyId, Problem, TenantId, wire::Wire},
};
#[cfg(feature = "ssr")]
use crate::{
    keys::server::service,
    server::{
        context::{tenant_context, wire},
        paging::Page,
    },
};

/// The keys of the tenant, revoked ones too.
#[server(prefix = "/ui", endpoint = "keys/list", protocol = Wire)]
pub async fn list_keys(tenant_id: TenantId) -> Result<Vec<ApiKey>, Problem> {
    let ctx = tenant_context(&tenant_id).await?;
    wire(service::list(&ctx, false, Page::first()).await)
}

/// Makes a key, which is in this answer and in no other. `days` says when it ends; empty for never.
#[server(prefix = "/ui", endpoint = "keys/create", protocol = Wire)]
pub async fn create_key(
    tenant_id: TenantId,
    name: String,
    role: Role,
    days: String,
) -> Result<ApiKeyMade, Problem> {
    let ctx = tenant_context(&tenant_id).await?;
    let expires_at = match days.parse::<u16>() {
        Ok(days) => Some(chrono::Utc::now() + chrono::TimeDelta::days(days.into())),
        Err(_) if days.is_empty() => None,
        Err(_) => return wire(Err(Problem::invalid_field("days", "must be a number of days").into())),
    };
    wire(service::create(&ctx, &ApiKeyInput { name, role, expires_at }).await)
}

/// Ends a key for good.
#[server(prefix = "/ui", endpoint = "keys/revoke", protocol = Wire)]
pub async fn revoke_key(tenant_id: TenantId, key_id: KeyId) -> Result<(), Problem> {
    let ctx = tenant_context(&tenant_id).await?;
    wire(service::revoke(&ctx, key_id).await)
}
