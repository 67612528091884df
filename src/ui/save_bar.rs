//! The end of an editor: save, or leave it be.

use leptos::{ev, prelude::*};

use super::{
    host,
    icons::{Glyph, Icon},
    react::effect,
    saving::Saving,
};

/// The id of the button that saves.
const SAVE: &str = "save";

/// Saves and cancels, and stays in sight. While something is unsaved, leaving the page asks first: until the server has said
/// that it has it. `⌘S` and `Ctrl+S` save.
#[component]
pub fn SaveBar(
    #[prop(into)] is_dirty: Signal<bool>,
    saving: Saving,
    on_save: Callback<()>,
    /// Where cancel leads.
    #[prop(into)]
    cancel: Signal<String>,
    #[prop(default = "Save")] words: &'static str,
) -> impl IntoView {
    let is_saving = saving.is_on;
    host::guard_unsaved(Signal::derive(move || is_dirty.get() && !saving.is_done.get()), is_saving.into());
    // The fields are held still (`Draft`), and what is held still has no focus.
    effect(move || {
        if is_saving.get() {
            host::focus(SAVE);
        }
    });
    let save = move || {
        if !is_saving.get_untracked() {
            on_save.run(());
        }
    };
    effect(move || {
        let handle = window_event_listener(ev::keydown, move |event| {
            if host::is_command(&event, "s") {
                event.prevent_default();
                save();
            }
        });
        on_cleanup(move || handle.remove());
    });
    view! {
        <div class="save-bar" data-testid="save-bar">
            <button
                id=SAVE
                type="button"
                class="button button--primary"
                aria-busy=move || is_saving.get().to_string()
                aria-keyshortcuts="Control+S Meta+S"
                // Not `disabled`: that would take the focus from it, and what is refused is met again from the page's start.
                aria-disabled=move || is_saving.get().to_string()
                data-testid="save"
                on:click=move |_| save()
            >
                <Icon glyph=Glyph::Accept/>
                {words}
            </button>
            <a class="button" href=cancel>"Cancel"</a>
            <p class="save-bar__state" role="status">
                {move || {
                    if is_saving.get() {
                        "Saving …"
                    } else if is_dirty.get() {
                        "Not saved yet"
                    } else {
                        ""
                    }
                }}
            </p>
        </div>
    }
}
