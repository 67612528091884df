//! Where a reader has come from, so that the way back leads there, and the way on to what stood next.

use leptos::prelude::*;

use crate::{emails::dto::EmailFilter, shared::TenantId};

/// A list of messages that was looked at.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LastList {
    pub filter: EmailFilter,
    /// How its address narrows it: `?…`, or nothing.
    pub query: String,
}

/// The list of messages that was last looked at in this tab, and whose messages they are.
#[derive(Clone, Copy)]
pub struct Trail(RwSignal<Option<(TenantId, LastList)>>);

impl Trail {
    pub fn provide() {
        provide_context(Self(RwSignal::new(None)));
    }

    /// The list that is looked at.
    pub fn note(tenant: TenantId, list: LastList) {
        if let Some(Self(last)) = use_context() {
            last.set(Some((tenant, list)));
        }
    }
}

/// The list of this tenant's messages to which one goes back; all of them, where none was looked at. Tracked.
pub fn use_last_list() -> impl Fn(&TenantId) -> LastList + Copy + Send + Sync + 'static {
    let trail: Option<Trail> = use_context();
    move |tenant| {
        let last = trail.and_then(|Trail(last)| last.get());
        last.filter(|(whose, _)| whose == tenant).map(|(_, list)| list).unwrap_or_default()
    }
}
