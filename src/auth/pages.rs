//! Signing in and out.

use leptos::prelude::*;
use leptos_router::hooks::use_query_map;

use crate::{
    app::PlainLayout,
    ui::{
        icons::{Glyph, Icon},
        page::PageHead,
    },
};

/// How to get in. `?error=used` says that a link was followed that does not work (any more).
#[component]
pub fn SignInPage() -> impl IntoView {
    let query = use_query_map();
    let refused = move || query.read().get("error").is_some();
    view! {
        <PlainLayout>
            <PageHead title="Sign in"/>
            {move || {
                refused()
                    .then(|| {
                        view! {
                            <p class="notice tone-bad" role="alert" data-testid="sign-in-error">
                                <Icon glyph=Glyph::Alert/>
                                <span>"This link has been used, or has expired."</span>
                            </p>
                        }
                    })
            }}
            <div class="panel prose" data-testid="sign-in">
                <p>"Open the one-time link that the server printed on its console."</p>
                <p>"A new one is made, on the machine of the server, by"</p>
                <pre class="code"><code>"flowengine admin sign-in-link"</code></pre>
            </div>
        </PlainLayout>
    }
}

/// Ends the session. A plain form: the server answers with the sign-in page.
#[component]
pub fn SignOut() -> impl IntoView {
    view! {
        <form class="sign-out" method="post" action="/sign-out">
            <button type="submit" class="button button--quiet" data-testid="sign-out">
                <Icon glyph=Glyph::SignOut/>
                "Sign out"
            </button>
        </form>
    }
}
