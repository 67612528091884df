//! Says which page one has come to.

use std::time::Duration;

use leptos::{prelude::*, web_sys::Element};
use leptos_router::hooks::use_location;

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
    path: Memo<String>,
    /// The path of the last page that was on its way, or of the first.
    last: StoredValue<String>,
}

impl Arrival {
    pub fn new() -> Self {
        let (said, is_awaited) = (RwSignal::new(String::new()), RwSignal::new(false));
        let looks = StoredValue::new(0_u32);
        let path = use_location().pathname;
        let last = StoredValue::new(path.get_untracked());
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
        Self { said, is_awaited, looks, path, last }
    }

    /// Another page is on its way.
    pub fn begin(self) {
        let (before, now) = (self.last.get_value(), self.path.get_untracked());
        // The same page of another tenant stays, and its heading with it.
        if let Some(heading) = find("main h1").filter(|_| page_of(&before) != page_of(&now)) {
            // Only a name that is none is refused.
            let _ = heading.set_attribute(LEFT, &heading.text_content().unwrap_or_default());
        }
        self.last.set_value(now);
        // Or what reads the same as before would not be said.
        self.said.set(String::new());
        self.looks.set_value(0);
        self.is_awaited.set(true);
    }
}

/// Which page a path leads to, whosever it is: `t` and `members` of `/t/acme_corp/members`.
fn page_of(path: &str) -> (Option<&str>, Option<&str>) {
    let mut parts = path.splitn(4, '/');
    (parts.nth(1), parts.nth(1))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_the_same_whosever_it_is() {
        for (before, now, is_same) in [
            ("/t/acme/members", "/t/globex/members", true),
            ("/t/acme", "/t/globex", true),
            ("/t/acme", "/t/acme/members", false),
            ("/t/acme/messages/1", "/t/acme/messages/2", false),
            ("/tenants", "/account", false),
        ] {
            assert_eq!(page_of(before) == page_of(now), is_same, "{before} {now}");
        }
    }
}
