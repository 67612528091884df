//! What the keyboard does on every page, and the window that tells it.

use std::time::Duration;

use leptos::{ev, prelude::*, wasm_bindgen::JsCast, web_sys::HtmlInputElement};
use leptos_router::{NavigateOptions, hooks::use_navigate};

use super::tenant::CurrentTenant;
use crate::ui::{dialog::Dialog, host, react::effect, toast::use_toasts};

/// Keys and what they do, by where they do it.
const HELP: [(&str, &[(&str, &str)]); 3] = [
    (
        "Everywhere",
        &[
            ("⌘ K", "Go to anything, create, switch tenant"),
            ("?", "This help"),
            ("z", "Undo, while its notice is there"),
            ("g d", "Dashboard"),
            ("g m", "Messages"),
            ("g i", "Intents"),
            ("g r", "Rules"),
            ("g t", "Routes"),
            ("g s", "Datasources"),
            ("Esc", "Close what is open, leave a field"),
        ],
    ),
    (
        "Messages",
        &[
            ("/", "Search"),
            ("j", "Next message, in the list and from an open one"),
            ("k", "Message before"),
            ("Enter", "Open the message"),
            ("x", "Select the message"),
            ("X", "Select from the last selected to here"),
            ("*", "Select all on the page, then all that fit"),
            ("e", "Accept, and go on to the next"),
            ("#", "Reject, and go on to the next"),
            ("r", "Run again"),
            ("i", "Choose the intent, which Enter sets"),
            ("n", "Not this intent"),
            ("u", "Back to the list"),
        ],
    ),
    ("Editors", &[("⌘ S", "Save"), ("⌘ Enter", "Try it")]),
];

/// What becomes of them where single keys are turned off.
const TURNED_OFF: &str = "Turned off, no letter and no sign but ? does anything here: for whoever speaks to the computer, \
                          or presses keys by chance. This browser keeps the choice.";

/// How long the key after `g` may take.
const PATIENCE: Duration = Duration::from_millis(1_500);

/// The keys of every page. `is_palette_open` and `is_help_open` are what two of them open.
pub fn use_shortcuts(tenant: CurrentTenant, is_palette_open: RwSignal<bool>, is_help_open: RwSignal<bool>) {
    let navigate = use_navigate();
    let toasts = use_toasts();
    let is_going = StoredValue::new(false);
    effect(move || {
        let navigate = navigate.clone();
        let handle = window_event_listener(ev::keydown, move |event| {
            if host::is_command(&event, "k") {
                event.prevent_default();
                is_palette_open.update(|is_open| *is_open = !*is_open);
                return;
            }
            let key = host::key_of(&event);
            if key == "Escape" && !event.default_prevented() {
                host::leave_field();
                keep_search(&event);
            }
            if !host::is_shortcut(&event) {
                return;
            }
            if is_going.get_value() {
                is_going.set_value(false);
                let page = match key.as_str() {
                    "d" => "",
                    "m" => "/messages",
                    "i" => "/intents",
                    "r" => "/rules",
                    "t" => "/routes",
                    "s" => "/datasources",
                    _ => return,
                };
                event.prevent_default();
                if host::may_leave() {
                    navigate(&tenant.page(page), NavigateOptions::default());
                }
                return;
            }
            match key.as_str() {
                "?" => is_help_open.set(true),
                "z" if !event.repeat() => toasts.undo_last(),
                "g" => {
                    is_going.set_value(true);
                    set_timeout(move || is_going.set_value(false), PATIENCE);
                }
                _ => {}
            }
        });
        on_cleanup(move || handle.remove());
    });
}

/// Browsers empty a search field by Escape, though what stands below it stays narrowed: it says again what it was narrowed by,
/// which is what the page wrote into it.
fn keep_search(event: &ev::KeyboardEvent) {
    let field = event.target().and_then(|target| target.dyn_into::<HtmlInputElement>().ok());
    if let Some(field) = field.filter(|field| field.type_() == "search") {
        event.prevent_default();
        field.set_value(&field.default_value());
    }
}

/// The window of `?`.
#[component]
pub fn Help(is_open: RwSignal<bool>) -> impl IntoView {
    let is_on = RwSignal::new(host::are_keys_on());
    view! {
        <Dialog id="help" title="Keyboard" is_open>
            <div class="keys">
                {HELP
                    .iter()
                    .map(|(group, keys)| {
                        let lines = keys
                            .iter()
                            .map(|(key, words)| {
                                let caps = key.split(' ').map(|cap| view! { <kbd>{cap}</kbd> }.into_any()).collect_view();
                                view! {
                                    <div class="keys__line">
                                        <dt>{*words}</dt>
                                        <dd>{caps}</dd>
                                    </div>
                                }
                            })
                            .collect_view();
                        view! {
                            <section class="keys__group">
                                <h3>{*group}</h3>
                                <dl>{lines}</dl>
                            </section>
                        }
                    })
                    .collect_view()}
            </div>
            <p class="hint">"On Windows and Linux, ⌘ is Ctrl."</p>
            <SingleKeys is_on/>
        </Dialog>
    }
}

/// Turns off what keys do that write a character, and on again.
#[component]
fn SingleKeys(is_on: RwSignal<bool>) -> impl IntoView {
    let on_change = move |event: ev::Event| {
        let is_on_now = event_target_checked(&event);
        is_on.set(is_on_now);
        host::turn_keys(is_on_now);
    };
    view! {
        <div class="field">
            <label class="check">
                <input type="checkbox" prop:checked=is_on data-testid="single-keys" on:change=on_change/>
                <span>"Single keys do what stands here"</span>
            </label>
            <p class="field__hint">{TURNED_OFF}</p>
        </div>
    }
}
