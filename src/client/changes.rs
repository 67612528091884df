//! Hears from the server that something of a tenant's changed.

use leptos::prelude::*;
use wasm_bindgen::{JsCast, closure::Closure};
use web_sys::{EventSource, VisibilityState};

use super::dom::document;

type Heard = Closure<dyn Fn()>;

/// Calls `heard` after each change of the tenant that `tenant` names, as long as the page is looked at: a browser has
/// few connections to a server, and the pages of hidden tabs would take them all. Back in sight, it asks once.
pub fn on_changes(tenant: Signal<String>, heard: impl Fn() + Clone + 'static) {
    let is_seen = RwSignal::new(is_visible());
    let visibility = document_event("visibilitychange", move || is_seen.set(is_visible()));
    let was_hidden = StoredValue::new(false);
    Effect::new(move |_| {
        let tenant = tenant.get();
        if tenant.is_empty() {
            return;
        }
        if !is_seen.get() {
            was_hidden.set_value(true);
            return;
        }
        if was_hidden.get_value() {
            was_hidden.set_value(false);
            heard();
        }
        let Ok(source) = EventSource::new(&format!("/ui/changes?tenant_id={tenant}")) else { return };
        let listener = Heard::new(heard.clone());
        let _ = source.add_event_listener_with_callback("changed", listener.as_ref().unchecked_ref());
        let kept = StoredValue::new_local((source, listener));
        on_cleanup(move || {
            kept.try_with_value(|(source, _)| source.close());
        });
    });
    on_cleanup(move || drop(visibility));
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
