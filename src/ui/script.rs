//! What cannot be done without a script says so.

use leptos::prelude::*;

/// Stands in an editor: nothing that it offers works where scripts are off.
#[component]
pub fn NeedsScript() -> impl IntoView {
    view! {
        <noscript class="notice tone-attention">
            "This works only with JavaScript. Turn it on for this site, or use the API."
        </noscript>
    }
}
