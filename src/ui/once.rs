//! What is shown this once.

use leptos::prelude::*;

use super::{
    host,
    icons::{Glyph, Icon},
    toast::use_toasts,
};
use crate::shared::Problem;

/// A secret that is not shown again, with a button that copies it.
#[component]
pub fn ShownOnce(
    #[prop(into)] words: String,
    label: &'static str,
    text: String,
    /// The id of its field, too.
    testid: &'static str,
) -> impl IntoView {
    let toasts = use_toasts();
    let copied = text.clone();
    let told = move |is_copied: bool| {
        if is_copied {
            toasts.done("Copied.");
        } else {
            // Which selects it.
            host::focus(testid);
            let words = "This browser does not let the page copy. It is selected: copy it yourself.";
            toasts.refused(&Problem::business_rule(words));
        }
    };
    view! {
        <div class="notice tone-good once">
            <Icon glyph=Glyph::Accept/>
            <div>
                <p>{words}</p>
                <div class="once__line">
                    <input
                        id=testid
                        type="text"
                        readonly
                        aria-label=label
                        value=text
                        data-testid=testid
                        on:focus=move |event| host::select_all(&event)
                    />
                    <button
                        type="button"
                        class="button"
                        data-testid="copy"
                        on:click=move |_| host::copy(&copied, told)
                    >
                        <Icon glyph=Glyph::Copy/>
                        "Copy"
                    </button>
                </div>
            </div>
        </div>
    }
}
