//! Listeners that hear of an event before all others.

use wasm_bindgen::{JsCast, closure::Closure};
use web_sys::{Event, EventTarget};

/// A listener in the capturing phase, which goes when it is dropped.
pub(super) struct Listener {
    target: EventTarget,
    name: &'static str,
    function: Closure<dyn Fn(Event)>,
}

impl Listener {
    pub(super) fn capturing(
        target: EventTarget,
        name: &'static str,
        on_event: impl Fn(&Event) + 'static,
    ) -> Self {
        let function = Closure::<dyn Fn(Event)>::new(move |event: Event| on_event(&event));
        let _ =
            target.add_event_listener_with_callback_and_bool(name, function.as_ref().unchecked_ref(), true);
        Self { target, name, function }
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        let function = self.function.as_ref().unchecked_ref();
        let _ = self.target.remove_event_listener_with_callback_and_bool(self.name, function, true);
    }
}
