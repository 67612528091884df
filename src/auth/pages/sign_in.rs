//! Signing in, and out.

use leptos::prelude::*;
use leptos_router::hooks::use_query_map;

use super::{Field, Outcome, ProviderLink};
use crate::{
    app::PlainLayout,
    ui::{
        host,
        icons::{Glyph, Icon},
        page::PageHead,
        react::effect,
    },
};

/// How to get in.
#[component]
pub fn SignInPage() -> impl IntoView {
    let query = use_query_map();
    let next = move || query.read().get("next").unwrap_or_default();
    // Also where a session ended by itself; but then the page that it ended on comes back with its draft.
    effect(move || {
        host::forget_lists();
        if next().is_empty() {
            host::forget_drafts();
        }
    });
    view! {
        <PlainLayout is_plain=true>
            <PageHead title="Sign in"/>
            <Outcome done=&[
                ("password", "Your new password is set. Sign in with it."),
            ]/>
            <form class="panel form" method="post" action="/sign-in" data-testid="sign-in">
                <input type="hidden" name="next" value=next/>
                <Field label="Email" name="email" kind="email" autocomplete="username" is_kept=true/>
                <Field label="Password" name="password" kind="password" autocomplete="current-password"/>
                <button type="submit" class="button button--primary">"Sign in"</button>
                <p>
                    <a href="/forgot">"Forgot your password?"</a>
                </p>
            </form>
            <ProviderLink next=Signal::derive(next)/>
            <details class="details">
                <summary>"Nobody has a password yet?"</summary>
                <div class="prose">
                    <p>"Open the one-time link that the server printed on its console."</p>
                    <p>"A new one is made, on the machine of the server, by"</p>
                    <pre class="code"><code>"flowengine admin sign-in-link"</code></pre>
                </div>
            </details>
        </PlainLayout>
    }
}

/// Ends the session. A plain form: the server answers with the sign-in page, where somebody may sign in before the browser
/// has taken that over.
#[component]
pub fn SignOut() -> impl IntoView {
    view! {
        <form class="sign-out" method="post" action="/sign-out" on:submit=|_| host::forget_lists()>
            <button type="submit" class="button button--quiet" data-testid="sign-out">
                <Icon glyph=Glyph::SignOut/>
                "Sign out"
            </button>
        </form>
    }
}
