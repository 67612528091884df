//! Short notices of what was done, with a way to undo it where there is one.

use std::{sync::Arc, time::Duration};

use leptos::prelude::*;

use super::{
    badge::Tone,
    each::Each,
    host,
    icons::{Glyph, Icon},
    only::Only,
    panel::{WayOut, words_of},
    react::effect,
};
use crate::shared::{OFFERS_UNDO, Problem};

/// How long a notice stays; far longer where it offers something to do (WCAG 2.2.1). What went wrong stays until it is
/// closed, or more came than have room.
const STAYS: Duration = Duration::from_secs(6);

/// So many have room: more would hide the page. A few more may stand there for what they offer.
const ROOM: usize = 3;
const ROOM_WITH_UNDO: usize = 6;

/// Where notices appear, as `style/dialogs.css` knows it.
const REGION: &str = ".toasts";

#[derive(Clone)]
struct Toast {
    id: u32,
    tone: Tone,
    text: String,
    /// Not a `Callback`, which would go with the page that offers it.
    undo: Option<Undo>,
    /// Whether that can be done now.
    offers: ArcRwSignal<bool>,
    /// The status of what was refused.
    status: Option<u16>,
    /// Whether somebody reads it, or is about to do what it offers.
    is_pointed_at: ArcRwSignal<bool>,
    has_focus: ArcRwSignal<bool>,
}

type Undo = Arc<dyn Fn() + Send + Sync>;

impl Toast {
    fn new(id: u32, tone: Tone, text: String, undo: Option<Undo>) -> Self {
        let (is_pointed_at, has_focus) = (ArcRwSignal::new(false), ArcRwSignal::new(false));
        let offers = ArcRwSignal::new(undo.is_some());
        Self { id, tone, text, undo, offers, status: None, is_pointed_at, has_focus }
    }

    fn is_refusal(&self) -> bool {
        self.tone == Tone::Bad
    }

    fn is_held(&self) -> bool {
        self.is_pointed_at.get_untracked() || self.has_focus.get_untracked()
    }

    /// Those of less worth make room first.
    fn worth(&self) -> u8 {
        match (&self.undo, self.tone) {
            (Some(_), _) => 2,
            (None, Tone::Bad) => 1,
            (None, _) => 0,
        }
    }
}

/// Makes room for one more, as far as may be: nothing goes that somebody is at.
fn make_room(shown: &mut Vec<Toast>) {
    while shown.len() >= ROOM {
        let is_full = shown.len() >= ROOM_WITH_UNDO;
        let going = shown
            .iter()
            .enumerate()
            .filter(|(_, toast)| !toast.is_held() && (toast.undo.is_none() || is_full))
            .min_by_key(|(i, toast)| (toast.worth(), *i))
            .map(|(i, _)| i);
        match going {
            Some(i) => drop(shown.remove(i)),
            None => return,
        }
    }
}

/// Adds one. Of those that read alike and offer nothing the last stands, unless somebody is at an earlier one.
fn add(shown: &mut Vec<Toast>, toast: Toast) {
    let is_alike = |other: &Toast| {
        other.undo.is_none() && toast.undo.is_none() && other.tone == toast.tone && other.text == toast.text
    };
    shown.retain(|other| other.is_held() || !is_alike(other));
    make_room(shown);
    shown.push(toast);
}

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
        let toast = Toast::new(self.number(), Tone::Bad, words_of(problem), None);
        self.shown.update(|shown| add(shown, Toast { status: Some(problem.status), ..toast }));
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
        if self.is_unwanted(number) {
            undo();
        } else {
            self.say(number, Tone::Good, text.into(), Some(Arc::new(undo)));
        }
    }

    /// What was awaited under this number, and could not be undone, can still be: `undo` is offered again. It is not what was
    /// done last for that.
    pub fn offer_again(self, number: u32, text: impl Into<String>, undo: impl Fn() + Send + Sync + 'static) {
        self.say(number, Tone::Good, text.into(), Some(Arc::new(undo)));
    }

    /// What the notice of this number offers to undo cannot be undone any more. It still tells what was done.
    pub fn withdraw(self, number: u32) {
        let had_focus = self.shown.try_update(|shown| {
            let toast = shown.iter_mut().find(|toast| toast.id == number)?;
            toast.undo = None;
            toast.offers.set(false);
            Some(toast.has_focus.get_untracked())
        });
        if had_focus.flatten() == Some(true) {
            host::give_focus_back();
        }
    }

    /// What the notice of this number offers to undo cannot be undone for now, or can be again. It tells what was done all
    /// along.
    pub fn hold_undo(self, number: u32, is_held: bool) {
        let toast = self.shown.with_untracked(|shown| shown.iter().find(|toast| toast.id == number).cloned());
        let Some(toast) = toast.filter(|toast| toast.undo.is_some()) else { return };
        if is_held && toast.has_focus.get_untracked() {
            host::give_focus_back();
        }
        toast.offers.set(!is_held);
    }

    /// Whether somebody wants undone what is awaited under this number: what has not begun by then need not.
    pub fn is_unwanted(self, number: u32) -> bool {
        self.awaited.with_value(|awaited| awaited.unwanted.contains(&number))
    }

    /// Takes back what was done last: where that is still on its way, once it has come. Nothing, where no notice offers
    /// it any more.
    pub fn undo_last(self) {
        let awaited = self.awaited.get_value();
        let under_way =
            awaited.under_way.into_iter().filter(|number| !awaited.unwanted.contains(number)).max();
        let offered = self.shown.with_untracked(|shown| {
            let last = shown.iter().filter(|toast| toast.undo.is_some()).max_by_key(|toast| toast.id);
            // Where that is held, none: whoever wants the last undone wants no other.
            let last = last.filter(|toast| toast.offers.get_untracked());
            last.and_then(|toast| toast.undo.clone().map(|undo| (toast.id, undo)))
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
        self.shown.update(|shown| add(shown, Toast::new(id, tone, text, undo)));
    }

    /// Takes the notice of this number away, where it stands there still.
    pub fn close(self, id: u32) {
        let had_focus = self.shown.try_with_untracked(|shown| {
            shown.iter().any(|toast| toast.id == id && toast.has_focus.get_untracked())
        });
        if had_focus == Some(true) {
            host::give_focus_back();
        }
        // A page that is left takes its signals along.
        let _ = self.shown.try_update(|shown| shown.retain(|toast| toast.id != id));
    }
}

/// Where notices appear. What was refused is told at once, the others when there is a pause.
#[component]
pub fn ToastRegion() -> impl IntoView {
    let toasts = use_toasts();
    view! {
        <div class="toasts" data-testid="toasts">
            <ToastsOfKind toasts are_refusals=false live="polite"/>
            <ToastsOfKind toasts are_refusals=true live="assertive"/>
        </div>
    }
}

/// It stands on the page from the start, so that screen readers hear what comes into it, and only that.
#[component]
fn ToastsOfKind(toasts: Toasts, are_refusals: bool, live: &'static str) -> impl IntoView {
    let of_kind = move || {
        let mut shown = toasts.shown.get();
        shown.retain(|toast| toast.is_refusal() == are_refusals);
        shown
    };
    view! {
        <div class="toasts__kind" aria-live=live aria-atomic="false">
            <Each each=of_kind key=|toast| toast.id let:toast>
                <ToastView toast toasts/>
            </Each>
        </div>
    }
}

#[component]
fn ToastView(toast: Toast, toasts: Toasts) -> impl IntoView {
    let is_bad = toast.is_refusal();
    let Toast { id, tone, text, undo, offers, status, is_pointed_at, has_focus } = toast;
    let stays = if undo.is_some() { OFFERS_UNDO } else { STAYS };
    let held_by = [is_pointed_at.clone(), has_focus.clone()];
    // While it is held it stays; its time begins anew after that.
    effect(move || {
        // Each is asked: what is not asked is not heard of.
        let is_held = held_by.iter().filter(|by| by.get()).count() > 0;
        if is_held || is_bad {
            return;
        }
        if let Ok(timer) = set_timeout_with_handle(move || toasts.close(id), stays) {
            on_cleanup(move || timer.clear());
        }
    });
    let (pointed_at, pointed_away) = (is_pointed_at.clone(), is_pointed_at);
    let (came_in, went_out) = (has_focus.clone(), has_focus);
    let glyph = if is_bad { Glyph::Alert } else { Glyph::Accept };
    view! {
        <div
            class=format!("toast {}", tone.class())
            data-testid="toast"
            on:pointerenter=move |_| pointed_at.set(true)
            on:pointerleave=move |_| pointed_away.set(false)
            on:focusin=move |event| {
                host::note_focus_before(&event, REGION);
                came_in.set(true);
            }
            on:focusout=move |_| went_out.set(false)
        >
            <Icon glyph/>
            <span class="toast__text">{text}</span>
            // In a tab of its own: what stands here is kept.
            {status.filter(|status| *status == 401).map(|status| view! { <WayOut status/> }.into_any())}
            {undo
                .map(|undo| {
                    view! {
                        <Only when=move || offers.get()>
                            <UndoButton id undo=undo.clone() toasts/>
                        </Only>
                    }
                    .into_any()
                })}
            <button
                type="button"
                class="icon-button"
                on:click=move |event| {
                    if !host::is_second_click(&event) {
                        toasts.close(id);
                    }
                }
            >
                <Icon glyph=Glyph::Close/>
                <span class="visually-hidden">"Close this notice"</span>
            </button>
        </div>
    }
}

#[component]
fn UndoButton(id: u32, undo: Undo, toasts: Toasts) -> impl IntoView {
    view! {
        <button
            type="button"
            class="button button--small"
            data-testid="undo"
            on:click=move |event| {
                if !host::is_second_click(&event) {
                    toasts.close(id);
                    undo();
                }
            }
        >
            <Icon glyph=Glyph::Undo/>
            "Undo"
        </button>
    }
    .into_any()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn toast(id: u32, tone: Tone, has_undo: bool) -> Toast {
        let undo: Undo = Arc::new(|| ());
        Toast::new(id, tone, String::new(), has_undo.then_some(undo))
    }

    /// Those that are left once there is room for one more.
    fn left(mut shown: Vec<Toast>) -> Vec<u32> {
        make_room(&mut shown);
        shown.iter().map(|toast| toast.id).collect()
    }

    #[test]
    fn what_can_be_undone_goes_last() {
        let (good, bad, undo) = (
            |id| toast(id, Tone::Good, false),
            |id| toast(id, Tone::Bad, false),
            |id| toast(id, Tone::Good, true),
        );
        assert_eq!(left(vec![undo(1), good(2)]), [1, 2]);
        assert_eq!(left(vec![undo(1), bad(2), good(3)]), [1, 2]);
        assert_eq!(left(vec![undo(1), bad(2), bad(3)]), [1, 3]);
        assert_eq!(left((1..=3).map(undo).collect()), [1, 2, 3]);
        assert_eq!(left((1..=6).map(undo).collect()), [2, 3, 4, 5, 6]);
        assert_eq!(left((1..=5).map(undo).chain([good(6)]).collect()), [1, 2, 3, 4, 5]);
    }

    #[test]
    fn a_refusal_is_not_said_twice() {
        let said = |id, tone, text: &str| Toast::new(id, tone, text.to_owned(), None);
        let with_busy = |mut shown: Vec<Toast>| -> Vec<u32> {
            add(&mut shown, said(9, Tone::Bad, "Busy"));
            shown.iter().map(|toast| toast.id).collect()
        };
        assert_eq!(with_busy(vec![said(1, Tone::Bad, "Busy"), said(2, Tone::Bad, "Gone")]), [2, 9]);
        assert_eq!(with_busy(vec![said(1, Tone::Good, "Busy")]), [1, 9]);
        let read = said(1, Tone::Bad, "Busy");
        read.has_focus.set(true);
        assert_eq!(with_busy(vec![read]), [1, 9]);
    }

    #[test]
    fn what_is_done_again_stands_once_unless_it_can_be_undone() {
        let said = |id, undo| Toast::new(id, Tone::Good, "Saved.".to_owned(), undo);
        let undo = || -> Option<Undo> { Some(Arc::new(|| ())) };
        let mut shown = Vec::new();
        for (id, undo) in [(1, None), (2, None), (3, undo()), (4, undo()), (5, None)] {
            add(&mut shown, said(id, undo));
        }
        assert_eq!(shown.iter().map(|toast| toast.id).collect::<Vec<_>>(), [3, 4, 5]);
    }

    #[test]
    fn what_was_begun_last_is_undone_first() {
        let owner = Owner::new();
        owner.with(|| {
            let toasts = Toasts::provide();
            let undone = StoredValue::new(Vec::<&str>::new());
            let undo = move |name: &'static str| move || undone.update_value(|undone| undone.push(name));
            let (first, second, third) = (toasts.await_undo(), toasts.await_undo(), toasts.await_undo());
            toasts.undo_last();
            assert!(toasts.is_unwanted(third) && !toasts.is_unwanted(second));
            toasts.end_undo(third);
            toasts.done_as_awaited(second, "Second", undo("second"));
            toasts.end_undo(second);
            toasts.end_undo(first);
            toasts.offer_again(first, "First", undo("first"));
            toasts.undo_last();
            assert_eq!(undone.get_value(), ["second"], "what is offered again is no later for that");
            toasts.undo_last();
            assert_eq!(undone.get_value(), ["second", "first"]);
        });
    }

    #[test]
    fn what_cannot_be_undone_any_more_is_still_told() {
        let owner = Owner::new();
        owner.with(|| {
            let toasts = Toasts::provide();
            let undone = StoredValue::new(Vec::<&str>::new());
            let undo = move |name: &'static str| move || undone.update_value(|undone| undone.push(name));
            let (first, second) = (toasts.await_undo(), toasts.await_undo());
            toasts.done_as_awaited(first, "First", undo("first"));
            toasts.end_undo(first);
            toasts.done_as_awaited(second, "Second", undo("second"));
            toasts.end_undo(second);
            toasts.withdraw(first);
            toasts.undo_last();
            toasts.undo_last();
            assert_eq!(undone.get_value(), ["second"]);
            let told: Vec<_> = toasts.shown.get_untracked().into_iter().map(|toast| toast.text).collect();
            assert_eq!(told, ["First"]);
        });
    }

    #[test]
    fn what_is_held_is_undone_once_it_can_be_again() {
        let owner = Owner::new();
        owner.with(|| {
            let toasts = Toasts::provide();
            let undone = StoredValue::new(Vec::new());
            let offer = |words: &'static str| {
                let number = toasts.await_undo();
                toasts
                    .done_as_awaited(number, words, move || undone.update_value(|undone| undone.push(words)));
                toasts.end_undo(number);
                number
            };
            offer("Accepted");
            let removed = offer("Removed");
            toasts.hold_undo(removed, true);
            toasts.undo_last();
            assert!(undone.get_value().is_empty(), "nothing older in its place");
            toasts.hold_undo(removed, false);
            toasts.undo_last();
            toasts.undo_last();
            assert_eq!(undone.get_value(), ["Removed", "Accepted"]);
        });
    }

    #[test]
    fn nothing_goes_that_somebody_is_at() {
        let shown: Vec<Toast> = (1..=3).map(|id| toast(id, Tone::Good, false)).collect();
        shown[0].has_focus.set(true);
        assert_eq!(left(shown), [1, 3]);
    }
}
