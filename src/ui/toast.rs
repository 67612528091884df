//! Short notices of what was done, with a way to undo it where there is one.

use std::{sync::Arc, time::Duration};

use leptos::prelude::*;

use super::{
    badge::Tone,
    icons::{Glyph, Icon},
};
use crate::shared::Problem;

/// How long a notice stays; far longer where it offers something to do (WCAG 2.2.1).
const STAYS: Duration = Duration::from_secs(6);
const STAYS_WITH_UNDO: Duration = Duration::from_secs(30);

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
    awaited: StoredValue<Awaited>,
}

/// What is being done that will offer to be undone, by numbers in the order in which it was begun; those of them that
/// somebody wants undone as soon as they can be.
#[derive(Clone, Default)]
struct Awaited {
    under_way: Vec<u32>,
    unwanted: Vec<u32>,
}

/// The notices of the application.
pub fn use_toasts() -> Toasts {
    use_context().unwrap_or_else(Toasts::provide)
}

impl Toasts {
    pub fn provide() -> Self {
        let toasts = Self {
            shown: RwSignal::new(Vec::new()),
            next: StoredValue::new(0),
            awaited: StoredValue::new(Awaited::default()),
        };
        provide_context(toasts);
        toasts
    }

    /// Something was done.
    pub fn done(self, text: impl Into<String>) {
        self.say(self.number(), Tone::Good, text.into(), None);
    }

    /// Something could not be done.
    pub fn refused(self, problem: &Problem) {
        self.say(self.number(), Tone::Bad, problem.detail.clone(), None);
    }

    /// Something is being done that will offer to be undone, or be refused. Gives its number.
    pub fn await_undo(self) -> u32 {
        let number = self.number();
        self.awaited.update_value(|awaited| awaited.under_way.push(number));
        number
    }

    /// It is done, or was refused.
    pub fn end_undo(self, number: u32) {
        self.awaited.update_value(|awaited| {
            awaited.under_way.retain(|other| *other != number);
            awaited.unwanted.retain(|other| *other != number);
        });
    }

    /// What was awaited under this number was done, and can be undone for a while, on other pages too: `undo` must need
    /// nothing of this one. It is undone at once where somebody asked for that meanwhile.
    pub fn done_as_awaited(
        self,
        number: u32,
        text: impl Into<String>,
        undo: impl Fn() + Send + Sync + 'static,
    ) {
        if self.awaited.with_value(|awaited| awaited.unwanted.contains(&number)) {
            undo();
        } else {
            self.say(number, Tone::Good, text.into(), Some(Arc::new(undo)));
        }
    }

    /// Takes back what was done last: where that is still on its way, once it has come. Nothing, where no notice offers
    /// it any more.
    pub fn undo_last(self) {
        let awaited = self.awaited.get_value();
        let under_way =
            awaited.under_way.into_iter().filter(|number| !awaited.unwanted.contains(number)).max();
        let offered = self.shown.with_untracked(|shown| {
            let offers = shown.iter().filter_map(|toast| toast.undo.clone().map(|undo| (toast.id, undo)));
            offers.max_by_key(|(id, _)| *id)
        });
        match (under_way, offered) {
            (Some(number), offered) if offered.as_ref().is_none_or(|(id, _)| *id < number) => {
                self.awaited.update_value(|awaited| awaited.unwanted.push(number));
            }
            (_, Some((id, undo))) => {
                self.close(id);
                undo();
            }
            (_, None) => {}
        }
    }

    /// Rises with each notice, and with each thing that one is awaited of.
    fn number(self) -> u32 {
        let number = self.next.get_value();
        self.next.set_value(number.wrapping_add(1));
        number
    }

    fn say(self, id: u32, tone: Tone, text: String, undo: Option<Undo>) {
        self.shown.update(|shown| {
            // Three at most: more would hide the page.
            if shown.len() >= 3 {
                shown.remove(0);
            }
            shown.push(Toast { id, tone, text, undo });
        });
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
    let stays = if undo.is_some() { STAYS_WITH_UNDO } else { STAYS };
    // While somebody reads it, or is about to do what it offers, it stays; its time begins anew after that.
    let (is_pointed_at, has_focus) = (RwSignal::new(false), RwSignal::new(false));
    // It may be left because it goes, and with it what it knows.
    let end = move |held: RwSignal<bool>| {
        let _ = held.try_set(false);
    };
    Effect::new(move |_| {
        if is_pointed_at.get() || has_focus.get() {
            return;
        }
        if let Ok(timer) = set_timeout_with_handle(move || toasts.close(id), stays) {
            on_cleanup(move || timer.clear());
        }
    });
    let glyph = if tone == Tone::Bad { Glyph::Alert } else { Glyph::Accept };
    view! {
        <div
            class=format!("toast {}", tone.class())
            data-testid="toast"
            on:pointerenter=move |_| is_pointed_at.set(true)
            on:pointerleave=move |_| end(is_pointed_at)
            on:focusin=move |_| has_focus.set(true)
            on:focusout=move |_| end(has_focus)
        >
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
