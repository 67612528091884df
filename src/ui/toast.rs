//! Short notices of what was done, with a way to undo it where there is one.

use std::{sync::Arc, time::Duration};

use leptos::prelude::*;

use super::{
    badge::Tone,
    icons::{Glyph, Icon},
};
use crate::shared::Problem;

/// How long a notice stays; longer where it offers something to do.
const STAYS: Duration = Duration::from_secs(6);
const STAYS_WITH_UNDO: Duration = Duration::from_secs(12);

#[derive(Clone)]
struct Toast {
    id: u32,
    tone: Tone,
    text: String,
    /// Not a `Callback`, which would go with the page that offers it.
    undo: Option<Undo>,
}

type Undo = Arc<dyn Fn() + Send + Sync>;

/// Says things at the edge of the screen. The application provides it; notices outlive a change of page.
#[derive(Clone, Copy)]
pub struct Toasts {
    shown: RwSignal<Vec<Toast>>,
    next: StoredValue<u32>,
}

/// The notices of the application.
pub fn use_toasts() -> Toasts {
    use_context().unwrap_or_else(Toasts::provide)
}

impl Toasts {
    pub fn provide() -> Self {
        let toasts = Self { shown: RwSignal::new(Vec::new()), next: StoredValue::new(0) };
        provide_context(toasts);
        toasts
    }

    /// Something was done.
    pub fn done(self, text: impl Into<String>) {
        self.say(Tone::Good, text.into(), None);
    }

    /// Something was done that can be undone for a while, on other pages too: `undo` must need nothing of this one.
    pub fn done_with_undo(self, text: impl Into<String>, undo: impl Fn() + Send + Sync + 'static) {
        self.say(Tone::Good, text.into(), Some(Arc::new(undo)));
    }

    /// Something could not be done.
    pub fn refused(self, problem: &Problem) {
        self.say(Tone::Bad, problem.detail.clone(), None);
    }

    fn say(self, tone: Tone, text: String, undo: Option<Undo>) {
        let id = self.next.get_value();
        self.next.set_value(id.wrapping_add(1));
        let stays = if undo.is_some() { STAYS_WITH_UNDO } else { STAYS };
        self.shown.update(|shown| {
            // Three at most: more would hide the page.
            if shown.len() >= 3 {
                shown.remove(0);
            }
            shown.push(Toast { id, tone, text, undo });
        });
        set_timeout(move || self.close(id), stays);
    }

    fn close(self, id: u32) {
        // A page that is left takes its signals along.
        let _ = self.shown.try_update(|shown| shown.retain(|toast| toast.id != id));
    }
}

/// Where notices appear. It stands on the page from the start, so that screen readers hear what comes into it.
#[component]
pub fn ToastRegion() -> impl IntoView {
    let toasts = use_toasts();
    view! {
        <div class="toasts" role="status" aria-live="polite" data-testid="toasts">
            <For each=move || toasts.shown.get() key=|toast| toast.id let:toast>
                <ToastView toast toasts/>
            </For>
        </div>
    }
}

#[component]
fn ToastView(toast: Toast, toasts: Toasts) -> impl IntoView {
    let Toast { id, tone, text, undo } = toast;
    let glyph = if tone == Tone::Bad { Glyph::Alert } else { Glyph::Accept };
    view! {
        <div class=format!("toast {}", tone.class()) data-testid="toast">
            <Icon glyph/>
            <span class="toast__text">{text}</span>
            {undo
                .map(|undo| {
                    view! {
                        <button
                            type="button"
                            class="button button--small"
                            data-testid="undo"
                            on:click=move |_| {
                                toasts.close(id);
                                undo();
                            }
                        >
                            <Icon glyph=Glyph::Undo/>
                            "Undo"
                        </button>
                    }
                })}
            <button type="button" class="icon-button" on:click=move |_| toasts.close(id)>
                <Icon glyph=Glyph::Close/>
                <span class="visually-hidden">"Close this notice"</span>
            </button>
        </div>
    }
}
