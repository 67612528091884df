//! Where a reader has come from, so that the way back leads there.

use leptos::prelude::*;

use crate::shared::TenantId;

/// The list of messages that was last looked at in this tab: whose, and how its address narrows it (`?…`, or nothing).
#[derive(Clone, Copy)]
pub struct Trail(RwSignal<Option<(TenantId, String)>>);

impl Trail {
    pub fn provide() {
        provide_context(Self(RwSignal::new(None)));
    }

    /// The list that is looked at.
    pub fn note(tenant: TenantId, query: String) {
        if let Some(Self(last)) = use_context() {
            last.set(Some((tenant, query)));
        }
    }
}

/// What narrows the list of this tenant's messages to which one goes back. Tracked.
pub fn use_way_back() -> impl Fn(&TenantId) -> String + Copy + Send + Sync + 'static {
    let trail: Option<Trail> = use_context();
    move |tenant| {
        let last = trail.and_then(|Trail(last)| last.get());
        last.filter(|(whose, _)| whose == tenant).map(|(_, query)| query).unwrap_or_default()
    }
}
