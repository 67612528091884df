//! The ways between the pages of a list that goes from the newest to the oldest.

use leptos::prelude::*;

use super::icons::{Glyph, Icon};

/// Links to the newest page and to the next older one, where there are such. Nothing for a list of one page.
#[component]
pub fn Pager(label: &'static str, newest: Option<String>, older: Option<String>) -> impl IntoView {
    (newest.is_some() || older.is_some()).then(|| {
        view! {
            <nav class="pages" aria-label=label>
                {newest
                    .map(|href| {
                        view! {
                            <a class="button" href=href>
                                <Icon glyph=Glyph::Back/>
                                "Newest"
                            </a>
                        }
                        .into_any()
                    })}
                {older
                    .map(|href| {
                        view! {
                            <a class="button pages__older" href=href data-testid="older">
                                "Older"
                                <Icon glyph=Glyph::Forward/>
                            </a>
                        }
                        .into_any()
                    })}
            </nav>
        }
        .into_any()
    })
}
