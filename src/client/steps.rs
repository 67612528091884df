//! Takes a page over in steps, between which the browser may paint and listen.
//!
//! In one piece a phone would be deaf for a third of a second: most of that time, its engine compiles each function at the
//! first call, which nothing spares it. The first event that may mean something to the application ends the waiting: what
//! is left is taken over before the event is heard, so that none is lost and nothing changes what is not yet taken over.

use std::{
    cell::{Cell, RefCell},
    collections::VecDeque,
    rc::{Rc, Weak},
};

use any_spawner::{CustomExecutor, Executor, PinnedFuture, PinnedLocalFuture};
use futures::channel::oneshot;
use leptos::{
    children::Children,
    mount::hydrate_lazy,
    prelude::*,
    tachys::{
        html::attribute::any_attribute::AnyAttribute,
        hydration::Cursor,
        no_attrs,
        renderer::types::{Element, Node},
        view::{Mountable, Position, PositionState, Render, RenderHtml, any_view::AnyViewState},
    },
};
use wasm_bindgen::{JsCast, JsValue, closure::Closure};
use web_sys::{Event, MessageChannel};

use super::{dom::document, listener::Listener};
use crate::ui::step::END_OF_STEP;

/// How long steps follow each other without a pause, in milliseconds: less than what counts as long (50 ms, W3C Long
/// Tasks), also where Lighthouse takes it four times, for a phone.
const SLICE: f64 = 8.0;

/// How many of the tasks that were held run in a row.
const TASKS: usize = 16;

/// The name of the mark (W3C User Timing) that is set once the whole page is taken over.
const TAKEN_OVER: &str = "taken-over";

/// What people do to a page, and what the application may hear of it.
const EVENTS: [&str; 11] = [
    "pointerdown",
    "click",
    "keydown",
    "beforeinput",
    "input",
    "change",
    "submit",
    "dragover",
    "drop",
    "toggle",
    "popstate",
];

thread_local! {
    /// Parts that wait for their turn, in the order of the page.
    static WAITING: RefCell<VecDeque<Weak<RefCell<Part>>>> = const { RefCell::new(VecDeque::new()) };
    /// What was spawned while the page was taken over; none, if it is.
    static HELD: RefCell<Option<VecDeque<PinnedLocalFuture<()>>>> = const { RefCell::new(None) };
    /// Whether all of the page is the browser's.
    static IS_TAKEN_OVER: Cell<bool> = const { Cell::new(false) };
    /// Whether it never will be.
    static IS_GIVEN_UP: Cell<bool> = const { Cell::new(false) };
    /// Whether a part is being taken over at the moment.
    static IS_AT_WORK: Cell<bool> = const { Cell::new(false) };
    /// Ends the pause between two slices.
    static PAUSE: RefCell<Option<oneshot::Sender<()>>> = const { RefCell::new(None) };
}

/// Runs what is spawned as JavaScript's microtasks, but while the page is taken over holds it until all of it is: an effect
/// that changes a signal must not do so while what came from the server is of what it was.
struct AfterSteps;

impl CustomExecutor for AfterSteps {
    fn spawn(&self, task: PinnedFuture<()>) {
        self.spawn_local(task);
    }

    fn spawn_local(&self, task: PinnedLocalFuture<()>) {
        let at_once = HELD.with_borrow_mut(|held| match held {
            Some(held) => {
                held.push_back(task);
                None
            }
            None => Some(task),
        });
        if let Some(task) = at_once {
            wasm_bindgen_futures::spawn_local(task);
        }
    }

    fn poll_local(&self) {}
}

/// Takes the page over in steps. Once a page, before all else that Leptos does.
pub fn take_over_in_steps<App: IntoView + 'static>(app: impl FnOnce() -> App + 'static) {
    // Only where there is one already, which there is not.
    let _ = Executor::init_custom_executor(AfterSteps);
    hydrate_lazy(|| {
        HELD.set(Some(VecDeque::new()));
        InSteps(app().into_any())
    });
}

/// Whether the page is still the server's, in part at least.
pub fn is_being_taken_over() -> bool {
    !IS_TAKEN_OVER.get()
}

/// Leaves the page as the server wrote it: its links and plain forms are the browser's own.
pub fn leave_to_browser() {
    IS_GIVEN_UP.set(true);
    let Some(window) = web_sys::window() else { return };
    for name in EVENTS {
        let listener = Listener::capturing(window.clone().into(), name, Event::stop_immediate_propagation);
        // For as long as the page is there.
        std::mem::forget(listener);
    }
}

/// The application, whose parts are taken over by and by.
struct InSteps(AnyView);

/// Takes over the next part. Those within it come before those after it, as they do on the server: what a page brings
/// with it is found by the order in which it is asked for.
fn take_next() -> bool {
    let Some(next) = WAITING.with_borrow_mut(VecDeque::pop_front) else { return false };
    if let Some(part) = next.upgrade() {
        let after = WAITING.take();
        IS_AT_WORK.set(true);
        take_over(&part);
        IS_AT_WORK.set(false);
        WAITING.with_borrow_mut(|waiting| waiting.extend(after));
    }
    true
}

/// Takes over what still waits, at once: what happens now may be meant for it.
fn take_all() {
    // What a step itself brings about is nobody's word.
    if IS_AT_WORK.get() || IS_GIVEN_UP.get() {
        return;
    }
    while take_next() {}
    end_pause();
    for task in HELD.take().into_iter().flatten() {
        wasm_bindgen_futures::spawn_local(task);
    }
}

/// Takes over all that waits, a slice a task.
async fn all_taken() {
    let listeners = web_sys::window().map(|window| {
        EVENTS.map(|name| Listener::capturing(window.clone().unchecked_into(), name, |_: &Event| take_all()))
    });
    let mut is_left = true;
    while is_left {
        pause().await;
        let begun = js_sys::Date::now();
        while is_left && js_sys::Date::now() - begun < SLICE {
            is_left = take_next();
        }
    }
    // Once Leptos knows that all is taken over.
    wasm_bindgen_futures::spawn_local(async move {
        while release_some() {
            pause().await;
        }
        drop(listeners);
        IS_TAKEN_OVER.set(true);
        if let Some(performance) = web_sys::window().and_then(|window| window.performance()) {
            let _ = performance.mark(TAKEN_OVER);
        }
    });
}

/// Lets some of what is held run, in its order. What comes of it waits behind it.
fn release_some() -> bool {
    let some = HELD.with_borrow_mut(|held| match held {
        Some(tasks) if tasks.is_empty() => {
            *held = None;
            None
        }
        Some(tasks) => Some(tasks.drain(..tasks.len().min(TASKS)).collect::<Vec<_>>()),
        None => None,
    });
    let is_some = some.is_some();
    for task in some.into_iter().flatten() {
        wasm_bindgen_futures::spawn_local(task);
    }
    is_some
}

/// Lets the browser do what else there is. Not by a timer: those of a page in the background are slow.
async fn pause() {
    let Ok(channel) = MessageChannel::new() else { return };
    let (end, ended) = oneshot::channel();
    PAUSE.set(Some(end));
    let on_turn = Closure::once(end_pause);
    channel.port1().set_onmessage(Some(on_turn.as_ref().unchecked_ref()));
    if channel.port2().post_message(&JsValue::NULL).is_ok() {
        let _ = ended.await;
    }
    // Firefox delivers what was under way to a port that is closed, too.
    channel.port1().set_onmessage(None);
    channel.port1().close();
}

fn end_pause() {
    if let Some(end) = PAUSE.take() {
        let _ = end.send(());
    }
}

impl Render for InSteps {
    type State = AnyViewState;

    fn build(self) -> Self::State {
        self.0.build()
    }

    fn rebuild(self, state: &mut Self::State) {
        self.0.rebuild(state);
    }
}

no_attrs!(InSteps);

impl RenderHtml for InSteps {
    type AsyncOutput = AnyView;
    type Owned = Self;

    const MIN_LENGTH: usize = 0;

    fn dry_resolve(&mut self) {
        self.0.dry_resolve();
    }

    async fn resolve(self) -> AnyView {
        self.0.resolve().await
    }

    fn to_html_with_buf(
        self,
        buf: &mut String,
        position: &mut Position,
        escape: bool,
        mark_branches: bool,
        extra_attrs: Vec<AnyAttribute>,
    ) {
        self.0.to_html_with_buf(buf, position, escape, mark_branches, extra_attrs);
    }

    fn hydrate<const FROM_SERVER: bool>(self, cursor: &Cursor, position: &PositionState) -> Self::State {
        let state = self.0.hydrate::<FROM_SERVER>(cursor, position);
        take_all();
        state
    }

    /// Until this ends, Leptos takes what is made for a part of the page that came from the server.
    async fn hydrate_async(self, cursor: &Cursor, position: &PositionState) -> Self::State {
        let title = document().map(|document| document.title()).unwrap_or_default();
        let state = self.0.hydrate_async(cursor, position).await;
        // The application's part of it is there now, but not yet the page's: until then there would be none.
        if let Some(document) = document() {
            document.set_title(&title);
        }
        all_taken().await;
        state
    }

    fn into_owned(self) -> Self {
        self
    }
}

/// A part of the page that is taken over in a step of its own.
pub fn in_a_step(children: Children) -> impl IntoView {
    Step { children, owner: Owner::current().unwrap_or_default() }
}

struct Step {
    children: Children,
    /// Whose the children are, whenever they are made.
    owner: Owner,
}

impl Step {
    fn with<T>(self, show: impl FnOnce(AnyView) -> T) -> T {
        let Self { children, owner } = self;
        // Made as in a component's body: what it reads is not read for whoever shows it.
        owner.with(|| show(untrack(children)))
    }
}

/// A step's part of the page.
enum Part {
    Waiting {
        step: Step,
        within: Element,
    },
    There(AnyViewState),
    /// In the midst of a change, or taken away before its turn.
    None,
}

impl Part {
    fn new(step: Step) -> Self {
        Self::There(step.with(Render::build))
    }
}

fn take_over(part: &RefCell<Part>) {
    let next = match part.replace(Part::None) {
        Part::Waiting { step, within } => Part::There(step.with(|view| view.hydrate_from::<true>(&within))),
        // Built anew, or taken away.
        other => other,
    };
    part.replace(next);
}

struct StepState {
    part: Rc<RefCell<Part>>,
    /// The marker of where it ends, if it came from the server.
    end: Option<Node>,
}

impl StepState {
    /// Takes away what the server wrote for a part that was not taken over.
    fn clear(&self) {
        while let Some(node) = self.end.as_ref().and_then(Node::previous_sibling) {
            node.unchecked_into::<Element>().remove();
        }
    }
}

impl Render for Step {
    type State = StepState;

    fn build(self) -> StepState {
        StepState { part: Rc::new(RefCell::new(Part::new(self))), end: None }
    }

    fn rebuild(self, state: &mut StepState) {
        let next = match state.part.replace(Part::None) {
            Part::There(mut shown) => {
                self.with(|view| view.rebuild(&mut shown));
                Part::There(shown)
            }
            // What came from the server is of what was there before.
            Part::Waiting { within, .. } => {
                state.clear();
                let mut next = Part::new(self);
                if let Part::There(shown) = &mut next {
                    shown.mount(&within, state.end.as_ref());
                }
                next
            }
            Part::None => Part::new(self),
        };
        state.part.replace(next);
    }
}

no_attrs!(Step);

impl RenderHtml for Step {
    type AsyncOutput = AnyView;
    type Owned = Self;

    const MIN_LENGTH: usize = 0;

    fn dry_resolve(&mut self) {}

    async fn resolve(self) -> AnyView {
        (self.children)().resolve().await
    }

    fn to_html_with_buf(
        self,
        buf: &mut String,
        position: &mut Position,
        escape: bool,
        mark_branches: bool,
        extra_attrs: Vec<AnyAttribute>,
    ) {
        (self.children)().to_html_with_buf(buf, position, escape, mark_branches, extra_attrs);
    }

    fn hydrate<const FROM_SERVER: bool>(self, cursor: &Cursor, position: &PositionState) -> StepState {
        debug_assert_eq!(position.get(), Position::FirstChild, "a step is the first in its element");
        let within: Element = cursor.current().unchecked_into();
        let mut node = within.first_child();
        let end = loop {
            match node {
                Some(node) if is_end(&node) => break node,
                Some(other) => node = other.next_sibling(),
                None => unreachable!("a step has an end"),
            }
        };
        cursor.set(end.clone());
        position.set(Position::NextChild);
        let part = Rc::new(RefCell::new(Part::Waiting { step: self, within }));
        WAITING.with_borrow_mut(|waiting| waiting.push_back(Rc::downgrade(&part)));
        StepState { part, end: Some(end) }
    }

    fn into_owned(self) -> Self {
        self
    }
}

fn is_end(node: &Node) -> bool {
    node.node_type() == Node::COMMENT_NODE && node.node_value().as_deref() == Some(END_OF_STEP)
}

impl Mountable for StepState {
    fn unmount(&mut self) {
        match &mut *self.part.borrow_mut() {
            Part::There(state) => state.unmount(),
            waiting => {
                self.clear();
                *waiting = Part::None;
            }
        }
        if let Some(end) = self.end.take() {
            end.unchecked_into::<Element>().remove();
        }
    }

    fn mount(&mut self, parent: &Element, marker: Option<&Node>) {
        // What waits has its place already.
        if let Part::There(state) = &mut *self.part.borrow_mut() {
            state.mount(parent, marker);
        }
    }

    fn insert_before_this(&self, child: &mut dyn Mountable) -> bool {
        matches!(&*self.part.borrow(), Part::There(state) if state.insert_before_this(child))
    }

    fn elements(&self) -> Vec<Element> {
        match &*self.part.borrow() {
            Part::There(state) => state.elements(),
            _ => Vec::new(),
        }
    }
}
