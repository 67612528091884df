//! Hears from the server that something of a tenant's changed.

use std::{
    cell::{Cell, RefCell},
    rc::{Rc, Weak},
    time::Duration,
};

use leptos::{ev::MessageEvent, leptos_dom::helpers::TimeoutHandle, prelude::*};
use wasm_bindgen::{JsCast, closure::Closure};
use web_sys::{EventSource, VisibilityState, XmlHttpRequest};

use super::dom::document;
use crate::ui::{react::effect, step::is_taking_over};

type Heard = Closure<dyn Fn()>;

/// Before a stream that was refused is asked for anew: twice as long each time, up to the longest.
const PAUSE: Duration = Duration::from_secs(2);
const LONGEST: Duration = Duration::from_secs(60);

/// Calls `heard` after each change of the tenant that `tenant` names, as long as the page is looked at: a browser has
/// few connections to a server, and the pages of hidden tabs would take them all. Once too when the page is back in sight,
/// when it hears again after it did not, and where something changed before it first heard: that was told to nobody.
///
/// Calls `ended` with the status (401, 403 or 404) where nothing more will be heard: the reader was signed out, or is no
/// member any more.
pub fn on_changes(
    tenant: Signal<String>,
    heard: impl Fn() + Clone + 'static,
    ended: impl Fn(u16) + Clone + 'static,
) {
    let is_seen = RwSignal::new(is_visible());
    let visibility = document_event("visibilitychange", move || is_seen.set(is_visible()));
    let was_hidden = StoredValue::new(false);
    let came_with_page = StoredValue::new(is_taking_over());
    effect(move || {
        let tenant = tenant.get();
        if tenant.is_empty() {
            return;
        }
        // What came with the page was read by the server since it was asked for; what else is shown is asked for now.
        let read_since = if came_with_page.get_value() { 0.0 } else { now() };
        came_with_page.set_value(false);
        if !is_seen.get() {
            was_hidden.set_value(true);
            return;
        }
        if was_hidden.get_value() {
            was_hidden.set_value(false);
            heard();
        }
        let address = format!("/ui/changes?tenant_id={tenant}");
        let stream = Stream::begin(address, read_since, heard.clone(), ended.clone());
        let kept = StoredValue::new_local(stream);
        on_cleanup(move || {
            kept.try_with_value(|stream| stream.close());
        });
    });
    on_cleanup(move || drop(visibility));
}

/// A stream of changes. One that breaks off is opened anew by the browser; one that was refused, as by a server that is
/// busy or starts, by this.
struct Stream {
    address: String,
    heard: Rc<dyn Fn()>,
    ended: Box<dyn Fn(u16)>,
    /// What the source calls: "changed", "open", "error".
    listeners: [Heard; 3],
    /// And "quiet".
    on_quiet: Closure<dyn Fn(MessageEvent)>,
    source: RefCell<Option<EventSource>>,
    /// In a row.
    refusals: Cell<u32>,
    /// Whether it broke off, or was refused, since it was open.
    was_deaf: Cell<bool>,
    /// Since when something may have changed that is not on the page, as `now` has it; none once that is asked for.
    read_since: Cell<Option<f64>>,
    waiting: Cell<Option<TimeoutHandle>>,
}

impl Stream {
    fn begin(
        address: String,
        read_since: f64,
        heard: impl Fn() + 'static,
        ended: impl Fn(u16) + 'static,
    ) -> Rc<Self> {
        let heard: Rc<dyn Fn()> = Rc::new(heard);
        let ended: Box<dyn Fn(u16)> = Box::new(ended);
        let stream = Rc::new_cyclic(|stream: &Weak<Self>| {
            let (told, opened, failed) = (Rc::clone(&heard), stream.clone(), stream.clone());
            let opened = move || {
                if let Some(stream) = opened.upgrade() {
                    stream.refusals.set(0);
                    if stream.was_deaf.take() {
                        stream.catch_up();
                    }
                }
            };
            let failed = move || {
                if let Some(stream) = failed.upgrade() {
                    stream.failed();
                }
            };
            let stream = stream.clone();
            let on_quiet = Closure::<dyn Fn(MessageEvent)>::new(move |event: MessageEvent| {
                if let Some(stream) = stream.upgrade() {
                    stream.make_up(&event);
                }
            });
            Self {
                address,
                heard,
                ended,
                listeners: [Heard::new(move || told()), Heard::new(opened), Heard::new(failed)],
                on_quiet,
                source: RefCell::default(),
                refusals: Cell::default(),
                was_deaf: Cell::default(),
                read_since: Cell::new(Some(read_since)),
                waiting: Cell::default(),
            }
        });
        stream.open();
        stream
    }

    fn open(&self) {
        let Ok(source) = EventSource::new(&self.address) else { return };
        for (name, listener) in ["changed", "open", "error"].into_iter().zip(&self.listeners) {
            let _ = source.add_event_listener_with_callback(name, listener.as_ref().unchecked_ref());
        }
        let on_quiet = self.on_quiet.as_ref().unchecked_ref();
        let _ = source.add_event_listener_with_callback("quiet", on_quiet);
        self.source.replace(Some(source));
    }

    fn close(&self) {
        if let Some(source) = self.source.take() {
            source.close();
        }
        if let Some(waiting) = self.waiting.take() {
            waiting.clear();
        }
    }

    /// Asks for what changed after the page was read, and before this stream was open: the server says for how long
    /// nothing did. Both count back from now, so that no clock has to agree with another.
    fn make_up(&self, quiet: &MessageEvent) {
        let Some(since) = self.read_since.take() else { return };
        let quiet: Option<u32> = quiet.data().as_string().and_then(|text| text.parse().ok());
        if quiet.is_some_and(|quiet| f64::from(quiet) < now() - since) {
            (self.heard)();
        }
    }

    fn failed(self: &Rc<Self>) {
        self.was_deaf.set(true);
        // That is caught up with once it is open.
        self.read_since.set(None);
        let source = self.source.borrow();
        if source.as_ref().is_some_and(|source| source.ready_state() == EventSource::CLOSED) {
            self.wait();
        }
    }

    /// Asks for what nobody was told. All pages hear again in the same moment, when a server is back: not all ask in it.
    fn catch_up(self: &Rc<Self>) {
        let stream = Rc::downgrade(self);
        let ask = move || {
            if let Some(stream) = stream.upgrade() {
                (stream.heard)();
            }
        };
        self.waiting.set(set_timeout_with_handle(ask, PAUSE.mul_f64(js_sys::Math::random())).ok());
    }

    /// Not all pages come back in the same moment.
    fn wait(self: &Rc<Self>) {
        let refusals = self.refusals.get();
        self.refusals.set(refusals.saturating_add(1));
        let pause = (PAUSE * 2_u32.pow(refusals.min(5))).min(LONGEST).mul_f64(0.5 + js_sys::Math::random());
        let stream = Rc::downgrade(self);
        let ask = move || {
            if let Some(stream) = stream.upgrade() {
                stream.ask();
            }
        };
        self.waiting.set(set_timeout_with_handle(ask, pause).ok());
    }

    /// Asks whether the stream would be refused again, and why: an `EventSource` does not tell.
    fn ask(self: &Rc<Self>) {
        let Ok(request) = XmlHttpRequest::new() else { return };
        if request.open("HEAD", &self.address).is_err() {
            return;
        }
        let (stream, asked) = (Rc::downgrade(self), request.clone());
        let end = Closure::once_into_js(move || {
            let Some(stream) = stream.upgrade() else { return };
            match asked.status() {
                Ok(200..=299) => stream.open(),
                // Whoever signed out, or is no member any more, is told nothing again.
                Ok(status @ (401 | 403 | 404)) => (stream.ended)(status),
                _ => stream.wait(),
            }
        });
        request.set_onloadend(Some(end.unchecked_ref()));
        // Refused only where it was not opened.
        let _ = request.send();
    }
}

/// Milliseconds since the page was asked for.
fn now() -> f64 {
    let performance = web_sys::window().and_then(|window| window.performance());
    performance.map(|performance| performance.now()).unwrap_or_default()
}

fn is_visible() -> bool {
    document().is_none_or(|document| document.visibility_state() == VisibilityState::Visible)
}

/// Listens to the document as long as what it gives lives.
fn document_event(name: &'static str, heard: impl Fn() + 'static) -> impl Drop + Send + Sync {
    struct Listening(&'static str, StoredValue<Heard, LocalStorage>);
    impl Drop for Listening {
        fn drop(&mut self) {
            let name = self.0;
            self.1.try_with_value(|listener| {
                if let Some(document) = document() {
                    let _ =
                        document.remove_event_listener_with_callback(name, listener.as_ref().unchecked_ref());
                }
            });
        }
    }
    let listener = Heard::new(heard);
    if let Some(document) = document() {
        let _ = document.add_event_listener_with_callback(name, listener.as_ref().unchecked_ref());
    }
    Listening(name, StoredValue::new_local(listener))
}
