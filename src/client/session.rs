//! The tab's choice of tenant, and its last list of each tenant's messages. Each tab has a `sessionStorage` of its own, and
//! keeps it over a reload.

use gloo_storage::{SessionStorage, Storage};

use crate::{app::LISTS, shared::TenantId};

/// The key that DESIGN names; the value is JSON, as gloo-storage writes it.
const KEY: &str = "selectedTenantId";

fn list_key(tenant: &TenantId) -> String {
    format!("{LISTS}{tenant}")
}

/// None where the browser lets pages store nothing.
fn storage() -> Option<web_sys::Storage> {
    web_sys::window()?.session_storage().ok()?
}

/// Whether the browser lets pages store anything: gloo-storage panics where it does not.
pub(super) fn is_available() -> bool {
    storage().is_some()
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

/// Forgets the lists of all tenants: whoever signs in next in this tab may be somebody else, and what was searched for is
/// nothing for them.
pub fn forget_lists() {
    forget_all(LISTS);
}

/// Forgets all whose keys begin so.
pub(super) fn forget_all(prefix: &str) {
    let Some(storage) = storage() else { return };
    let keys = (0..storage.length().unwrap_or_default()).filter_map(|i| storage.key(i).ok().flatten());
    let found: Vec<String> = keys.filter(|key| key.starts_with(prefix)).collect();
    for key in found {
        // As with the choice.
        let _ = storage.remove_item(&key);
    }
}
