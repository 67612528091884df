//! The tenant of the page, which its address names.

use leptos::prelude::*;
use leptos_router::hooks::use_params_map;

use crate::{
    auth::dto::Me,
    shared::{Problem, TenantId},
    ui::{react::memo, resource::Loaded},
};

/// Who is signed in. The layout of a tenant provides it to the pages in it.
#[derive(Clone, Copy)]
pub struct MyAccess(pub Loaded<Me>);

/// The tenant that the address names. Whether it exists, and the caller may see it, the server says.
#[derive(Clone, Copy)]
pub struct CurrentTenant(Memo<Result<TenantId, Problem>>);

/// The tenant of the page that asks.
pub fn use_tenant() -> CurrentTenant {
    let params = use_params_map();
    CurrentTenant(memo(move || {
        let text = params.read().get("tenant_id").unwrap_or_default();
        text.parse().map_err(|_| Problem::not_found("Tenant", text))
    }))
}

/// The address of a tenant's page: `/t/acme_corp/messages` for the page `/messages`.
pub fn tenant_page(tenant: &TenantId, page: &str) -> String {
    format!("/t/{tenant}{page}")
}

impl CurrentTenant {
    /// # Errors
    /// 404 where the address holds no tenant id.
    pub fn id(self) -> Result<TenantId, Problem> {
        self.0.get()
    }

    /// The address of a page of this tenant, as it is at the moment: for use where signals are tracked.
    pub fn page(self, page: &str) -> String {
        self.id().map_or_else(|_| "/tenants".to_owned(), |id| tenant_page(&id, page))
    }

    /// What tells this tenant's tabs from another's.
    pub fn label(self) -> Signal<String> {
        Signal::derive(move || self.id().map(|id| id.to_string()).unwrap_or_default())
    }
}
