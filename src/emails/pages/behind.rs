//! What stands on a page while another is awaited in its place.

use std::time::Duration;

use leptos::prelude::*;

use crate::ui::{
    icons::{Glyph, Icon},
    only::Only,
    react::effect,
};

/// So long nothing is said of it: words that come and go at once are read by nobody.
const PATIENCE: Duration = Duration::from_millis(300);

/// Says that another list is on its way, where that takes its time. Above the list, whose rows do not move for it.
#[component]
pub fn Behind(is_behind: Memo<bool>) -> impl IntoView {
    let is_slow = RwSignal::new(false);
    effect(move || {
        if !is_behind.get() {
            is_slow.set(false);
            return;
        }
        if let Ok(timer) = set_timeout_with_handle(move || is_slow.set(true), PATIENCE) {
            on_cleanup(move || timer.clear());
        }
    });
    view! {
        <div class="fresh" role="status" data-testid="list-behind">
            <Only when=move || is_slow.get()>
                <span class="button button--small">
                    <Icon glyph=Glyph::Waiting/>
                    "Loading"
                </span>
            </Only>
        </div>
    }
}
