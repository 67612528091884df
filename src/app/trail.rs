//! Where a reader has come from, so that the way back leads there, and the way on to what stood next.

use leptos::prelude::*;

use crate::{
    emails::dto::EmailFilter,
    shared::{EmailId, TenantId},
    ui::host,
};

/// A list of messages that was looked at.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LastList {
    pub filter: EmailFilter,
    /// How its address narrows it: `?…`, or nothing.
    pub query: String,
}

/// The way through the messages, in this tab.
#[derive(Clone, Copy)]
pub struct Trail {
    /// The list that was last looked at, and whose messages they are.
    list: RwSignal<Option<(TenantId, LastList)>>,
    /// The message that was last read since a list was looked at.
    read: StoredValue<Option<EmailId>>,
}

impl Trail {
    pub fn provide() {
        provide_context(Self { list: RwSignal::new(None), read: StoredValue::new(None) });
    }

    /// The list that is looked at.
    pub fn note(tenant: TenantId, list: LastList) {
        if let Some(Self { list: last, .. }) = use_context() {
            host::store_list(&tenant, &list.query);
            last.set(Some((tenant, list)));
        }
    }

    /// Where a page was loaded anew: the list of this tenant's that was looked at before, as `read` has it of its
    /// address. To be asked for in an effect: the server, which writes the page, knows of none.
    pub fn restore(tenant: TenantId, read: impl Fn(&str) -> LastList) {
        let Some(Self { list: last, .. }) = use_context() else { return };
        let is_known = last.with_untracked(|last| last.as_ref().is_some_and(|(whose, _)| *whose == tenant));
        if let Some(query) = host::stored_list(&tenant).filter(|_| !is_known) {
            last.set(Some((tenant, read(&query))));
        }
    }

    /// The message that is read.
    pub fn note_read(email: EmailId) {
        if let Some(Self { read, .. }) = use_context() {
            read.set_value(Some(email));
        }
    }

    /// The message from which one comes to a list. Once: the next list is not come to from it.
    pub fn take_read() -> Option<EmailId> {
        let Self { read, .. } = use_context()?;
        let email = read.get_value();
        read.set_value(None);
        email
    }
}

/// The list of this tenant's messages to which one goes back; all of them, where none was looked at. Tracked.
pub fn use_last_list() -> impl Fn(&TenantId) -> LastList + Copy + Send + Sync + 'static {
    let trail: Option<Trail> = use_context();
    move |tenant| {
        let last = trail.and_then(|Trail { list, .. }| list.get());
        last.filter(|(whose, _)| whose == tenant).map(|(_, list)| list).unwrap_or_default()
    }
}
