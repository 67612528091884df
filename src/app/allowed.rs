//! What only some may do.

use leptos::prelude::*;

use super::tenant::{MyAccess, use_tenant};
use crate::{
    auth::{authority::Permission, dto::Me},
    shared::TenantId,
};

/// Shows `children` to those whose role in this tenant has the permission. The server asks for it all the same.
#[component]
pub fn Allowed(permission: Permission, children: ChildrenFn) -> impl IntoView {
    let tenant = use_tenant();
    let me = use_context::<MyAccess>();
    view! {
        <Transition>
            {move || {
                let id = tenant.id().ok();
                let children = children.clone();
                Suspend::new(async move { may(me, &id?, permission).await.then(|| children()) })
            }}
        </Transition>
    }
}

/// Whether the signed-in person may do something in a tenant: for what a page shows in more than one way.
pub async fn may(me: Option<MyAccess>, tenant: &TenantId, permission: Permission) -> bool {
    let Some(Ok(me)) = (match me {
        Some(me) => Some(me.0.await),
        None => None,
    }) else {
        return false;
    };
    allows(&me, tenant, permission)
}

/// The same of who is known to be signed in.
fn allows(me: &Me, tenant: &TenantId, permission: Permission) -> bool {
    me.tenants.iter().any(|mine| mine.tenant_id == *tenant && mine.role.may(permission))
}
