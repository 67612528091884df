//! What is told of a list while something is awaited: another in its place, or what came of a word.

use std::time::Duration;

use leptos::prelude::*;

use crate::ui::{
    icons::{Glyph, Icon},
    only::Only,
    react::{effect, memo},
};

/// So long nothing is said of it: words that come and go at once are read by nobody.
const PATIENCE: Duration = Duration::from_millis(300);

/// Says what is on its way, where that takes its time. Above the list, whose rows do not move for it.
#[component]
pub fn Behind(
    /// Empty where nothing is.
    #[prop(into)]
    words: Signal<String>,
    testid: &'static str,
) -> impl IntoView {
    let is_slow = RwSignal::new(false);
    let is_behind = memo(move || !words.read().is_empty());
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
        <div class="fresh" role="status" data-testid=testid>
            <Only when=move || is_slow.get()>
                <span class="button button--small">
                    <Icon glyph=Glyph::Waiting/>
                    // A word may end while its page goes.
                    {move || words.try_get()}
                </span>
            </Only>
        </div>
    }
}
