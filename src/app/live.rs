//! Hearing of changes while a tenant's page is looked at.

use leptos::prelude::*;

use super::tenant::CurrentTenant;
use crate::ui::host;

/// Rises with each change of the tenant. The layout of a tenant provides it to the pages in it.
#[derive(Clone, Copy)]
pub struct Live(RwSignal<u32>);

impl Live {
    /// Listens for the layout that begins here.
    pub fn provide(tenant: CurrentTenant) {
        let live = Self(RwSignal::new(0));
        host::on_changes(tenant.label(), move || live.0.update(|count| *count = count.wrapping_add(1)));
        provide_context(live);
    }
}

/// Calls `ask` after each change of the tenant, from now on.
pub fn on_change(ask: impl Fn() + 'static) {
    let Some(Live(count)) = use_context::<Live>() else { return };
    Effect::new(move |before: Option<u32>| {
        let now = count.get();
        if before.is_some_and(|before| before != now) {
            untrack(&ask);
        }
        now
    });
}
