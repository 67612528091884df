//! The tab's choice of tenant, and its last list of each tenant's messages. Each tab has a `sessionStorage` of its own, and
//! keeps it over a reload.

use gloo_storage::{SessionStorage, Storage};

use crate::shared::TenantId;

/// The key that DESIGN names; the value is JSON, as gloo-storage writes it.
const KEY: &str = "selectedTenantId";

fn list_key(tenant: &TenantId) -> String {
    format!("lastList:{tenant}")
}

/// Whether the browser lets pages store anything: gloo-storage panics where it does not.
fn is_available() -> bool {
    web_sys::window().is_some_and(|window| window.session_storage().ok().flatten().is_some())
}

/// The tenant that this tab works for, if it has chosen one.
pub fn stored_tenant() -> Option<TenantId> {
    is_available().then(|| SessionStorage::get(KEY).ok()).flatten()
}

/// Makes this tab work for a tenant.
pub fn store_tenant(tenant: &TenantId) {
    if is_available() {
        // A full or closed storage costs the choice its memory, nothing more.
        let _ = SessionStorage::set(KEY, tenant);
    }
}

/// Leaves this tab without a choice.
pub fn forget_tenant() {
    if is_available() {
        SessionStorage::delete(KEY);
    }
}

/// How the list of this tenant's messages was narrowed that this tab looked at last, as its address says it.
pub fn stored_list(tenant: &TenantId) -> Option<String> {
    is_available().then(|| SessionStorage::get(list_key(tenant)).ok()).flatten()
}

pub fn store_list(tenant: &TenantId, query: &str) {
    if is_available() {
        // As with the choice.
        let _ = SessionStorage::set(list_key(tenant), query);
    }
}
