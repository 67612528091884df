//! Server functions of tenants.

use leptos::prelude::*;

use super::dto::Tenant;
use crate::shared::{Problem, TenantId, wire::Wire};
#[cfg(feature = "ssr")]
use crate::{
    server::{
        context::{caller_context, wire},
        etag::{IfMatch, Versioned},
    },
    tenants::{dto::TenantInput, server::service},
};

/// The tenants that the caller may see.
#[server(prefix = "/ui", endpoint = "tenants/list", protocol = Wire)]
pub async fn list_tenants() -> Result<Vec<Tenant>, Problem> {
    let ctx = caller_context().await?;
    wire(service::list(&ctx, false, crate::server::paging::Page::first()).await)
}

/// Loads the two demo tenants into an installation that has none. Instance administrators only.
#[server(prefix = "/ui", endpoint = "tenants/load-demo", protocol = Wire)]
pub async fn load_demo() -> Result<(), Problem> {
    let ctx = caller_context().await?;
    wire(crate::demo::load_for(&ctx).await)
}

/// Makes a tenant. Instance administrators only.
#[server(prefix = "/ui", endpoint = "tenants/create", protocol = Wire)]
pub async fn create_tenant(tenant_id: String, name: String) -> Result<(), Problem> {
    let ctx = caller_context().await?;
    wire(service::create(&ctx, input(Some(tenant_id), name, true)).await.map(drop))
}

/// Gives a tenant another name. Instance administrators only.
#[server(prefix = "/ui", endpoint = "tenants/rename", protocol = Wire)]
pub async fn rename_tenant(tenant_id: TenantId, name: String) -> Result<(), Problem> {
    let ctx = caller_context().await?;
    let run = async {
        ctx.require_instance_admin()?;
        // All of it is written: what was read may have been closed since.
        let before = service::get(&ctx, &tenant_id).await?;
        let as_read = IfMatch::tag(before.etag());
        service::replace(&ctx, &tenant_id, input(None, name, before.is_active), &as_read).await
    };
    wire(run.await.map(drop))
}

/// Closes a tenant to everybody but instance administrators, or opens it again.
#[server(prefix = "/ui", endpoint = "tenants/set-active", protocol = Wire)]
pub async fn set_tenant_active(tenant_id: TenantId, is_active: bool) -> Result<(), Problem> {
    let ctx = caller_context().await?;
    let run = async {
        ctx.require_instance_admin()?;
        let before = service::get(&ctx, &tenant_id).await?;
        let as_read = IfMatch::tag(before.etag());
        service::replace(&ctx, &tenant_id, input(None, before.name, is_active), &as_read).await
    };
    wire(run.await.map(drop))
}

/// Deletes a tenant with everything that is its, messages included, for whoever types its id as well: it cannot be brought
/// back. Instance administrators only.
#[server(prefix = "/ui", endpoint = "tenants/delete", protocol = Wire)]
pub async fn delete_tenant(tenant_id: TenantId, typed: String) -> Result<(), Problem> {
    let ctx = caller_context().await?;
    let run = async {
        ctx.require_instance_admin()?;
        if typed.trim() != tenant_id.as_str() {
            let not_its = format!("must be the id of the tenant that is to go, {tenant_id}");
            return Err(Problem::invalid_field("typed", not_its).into());
        }
        service::delete(&ctx, &tenant_id, &IfMatch::any()).await
    };
    wire(run.await)
}

#[cfg(feature = "ssr")]
fn input(tenant_id: Option<String>, name: String, is_active: bool) -> TenantInput {
    TenantInput { tenant_id, name, is_active, created_at: Default::default(), updated_at: Default::default() }
}
