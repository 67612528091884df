//! Says which page one has come to.

use std::time::Duration;

use leptos::{prelude::*, web_sys::Element};

use crate::ui::react::effect;

/// How often it is looked whether the new page is there, and how many times: after that, nothing is said.
const PAUSE: Duration = Duration::from_millis(50);
const LOOKS: u32 = 200;

/// On the heading of the page that is left: its text. Where the new page is made of the same element, that is another.
const LEFT: &str = "data-left";

/// What is said of a page: its heading; of a message who wrote it and how it stands, too.
const SAID: [&str; 3] = ["main h1", "main .message .from-line bdi", "main .message .outcome__head .badge"];

/// What is said of the page that one has come to, once its content is there: what gets the keyboard before holds the page
/// that is left.
#[derive(Clone, Copy)]
pub struct Arrival {
    pub said: RwSignal<String>,
    is_awaited: RwSignal<bool>,
    looks: StoredValue<u32>,
}

impl Arrival {
    pub fn new() -> Self {
        let (said, is_awaited) = (RwSignal::new(String::new()), RwSignal::new(false));
        let looks = StoredValue::new(0_u32);
        let look = move || {
            looks.update_value(|looks| *looks = looks.saturating_add(1));
            if is_there() {
                said.set(words());
                is_awaited.set(false);
            } else if looks.get_value() >= LOOKS {
                // What stands there still may be what was left.
                is_awaited.set(false);
            }
        };
        effect(move || {
            if is_awaited.get()
                && let Ok(timer) = set_interval_with_handle(look, PAUSE)
            {
                on_cleanup(move || timer.clear());
            }
        });
        Self { said, is_awaited, looks }
    }

    /// Another page is on its way.
    pub fn begin(self) {
        if let Some(heading) = find("main h1") {
            // Only a name that is none is refused.
            let _ = heading.set_attribute(LEFT, &heading.text_content().unwrap_or_default());
        }
        // Or what reads the same as before would not be said.
        self.said.set(String::new());
        self.looks.set_value(0);
        self.is_awaited.set(true);
    }
}

fn find(selector: &str) -> Option<Element> {
    document().query_selector(selector).ok().flatten()
}

fn is_there() -> bool {
    let is_new = |heading: Element| heading.get_attribute(LEFT) != heading.text_content();
    find("main .skeleton").is_none() && find("main h1").is_some_and(is_new)
}

fn words() -> String {
    let texts = SAID.iter().filter_map(|selector| find(selector)?.text_content());
    texts.collect::<Vec<_>>().join(", ")
}
