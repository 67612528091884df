//! What is shown this once.

use leptos::prelude::*;

use super::{
    host,
    icons::{Glyph, Icon},
    toast::use_toasts,
};

/// A secret that is not shown again, with a button that copies it.
#[component]
pub fn ShownOnce(
    #[prop(into)] words: String,
    label: &'static str,
    text: String,
    testid: &'static str,
) -> impl IntoView {
    let toasts = use_toasts();
    let copied = text.clone();
    view! {
        <div class="notice tone-good once">
            <Icon glyph=Glyph::Accept/>
            <div>
                <p>{words}</p>
                <div class="once__line">
                    <input
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
                        on:click=move |_| {
                            host::copy(&copied);
                            toasts.done("Copied.");
                        }
                    >
                        <Icon glyph=Glyph::Copy/>
                        "Copy"
                    </button>
                </div>
            </div>
        </div>
    }
}
