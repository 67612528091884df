//! Hearing of changes while a tenant's page is looked at.

use leptos::prelude::*;
use leptos_router::location::Url;

use super::tenant::CurrentTenant;
use crate::ui::{
    host,
    icons::{Glyph, Icon},
    page::use_address,
    react::effect,
    stale::Stale,
};

/// The layout of a tenant provides it to the pages in it.
#[derive(Clone, Copy)]
pub struct Live {
    /// Rises with each change of the tenant.
    count: RwSignal<u32>,
    /// The status with which the server refused to tell of more: 401, 403 or 404.
    ended: RwSignal<Option<u16>>,
}

impl Live {
    /// Listens for the layout that begins here.
    pub fn provide(tenant: CurrentTenant) -> Self {
        let (count, ended) = (RwSignal::new(0_u32), RwSignal::new(None));
        let (label, stale): (_, Option<Stale>) = (tenant.label(), use_context());
        // Who has signed in again hears again.
        let heard_of = Signal::derive(move || {
            stale.map(Stale::signed_in);
            label.get()
        });
        host::on_changes(
            heard_of,
            move || {
                ended.set(None);
                count.update(|count| *count = count.wrapping_add(1));
            },
            move |status| ended.set(Some(status)),
        );
        // What was said of one tenant is not true of another.
        effect(move || {
            heard_of.track();
            ended.set(None);
        });
        let live = Self { count, ended };
        provide_context(live);
        live
    }
}

/// Says that the page does not follow what happens any more, and why.
#[component]
pub fn Ended(live: Live) -> impl IntoView {
    let (here, stale): (_, Option<Stale>) = (use_address(), use_context());
    move || {
        let (words, label, href) = match live.ended.get()? {
            // It is told of already, with the way to sign in that leaves the page as it is.
            401 if stale.is_some_and(Stale::is_signed_out) => return None,
            401 => {
                let next = Url::escape(&here());
                ("You were signed out.", "Sign in", format!("/sign-in?next={next}"))
            }
            _ => ("You may not look at this tenant any more.", "Your tenants", "/tenants".to_owned()),
        };
        Some(view! {
            <p class="notice tone-attention" role="alert" data-testid="ended">
                <Icon glyph=Glyph::Alert/>
                <span>{words} " What this page shows is as it was then. "</span>
                <a class="button button--small" href=href rel="external">{label}</a>
            </p>
        })
    }
}

/// Calls `ask` after each change of the tenant, from now on.
pub fn on_change(ask: impl Fn() + 'static) {
    let Some(Live { count, .. }) = use_context() else { return };
    Effect::new(move |before: Option<u32>| {
        let now = count.get();
        if before.is_some_and(|before| before != now) {
            untrack(&ask);
        }
        now
    });
}
