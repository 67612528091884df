//! Signing in and out, passwords, invitations: plain forms, which work without WebAssembly.

mod account;
mod invitation;
mod sign_in;

pub use account::{AccountPage, ForgotPage, ResetPage};
pub use invitation::InvitationPage;
pub use sign_in::{SignInPage, SignOut};

use leptos::prelude::*;

use crate::ui::resource::load;
use leptos_router::{hooks::use_query_map, location::Url};

use super::{api, dto::FormOutcome};
use crate::ui::{
    badge::Tone,
    host,
    icons::{Glyph, Icon},
    react::memo,
};

/// What came of the form that led here: `?error=` says why not, `?done=` that it was done.
#[component]
fn Outcome(
    /// The word after `?done=`, and the sentence for it.
    done: &'static [(&'static str, &'static str)],
) -> impl IntoView {
    let query = use_query_map();
    move || {
        let query = query.read();
        let outcome = query.get("error").map(|word| word.parse::<FormOutcome>());
        if let Some(Ok(outcome)) = outcome {
            host::set_page_status(outcome.status());
        }
        let refused =
            outcome.map(|outcome| outcome.map_or("That did not work. Try again.", FormOutcome::words));
        let sentence = query
            .get("done")
            .and_then(|word| done.iter().find(|(known, _)| *known == word))
            .map(|(_, sentence)| *sentence);
        let (tone, glyph, role, words) = match (refused, sentence) {
            (Some(words), _) => (Tone::Bad, Glyph::Alert, "alert", words),
            (None, Some(words)) => (Tone::Good, Glyph::Accept, "status", words),
            (None, None) => return None,
        };
        Some(view! {
            <p id=OUTCOME class=format!("notice {}", tone.class()) role=role data-testid="form-outcome">
                <Icon glyph/>
                <span>{words}</span>
            </p>
        })
    }
}

const OUTCOME: &str = "form-outcome";

/// Whether a form that was refused so has something wrong in the field of this name.
fn is_wrong_in(outcome: FormOutcome, name: &str) -> bool {
    match outcome {
        FormOutcome::Wrong => matches!(name, "email" | "password" | "current_password"),
        FormOutcome::Short | FormOutcome::Weak => matches!(name, "password" | "new_password"),
        FormOutcome::Differs => name == "repeated_password",
        _ => false,
    }
}

/// A field of a form, with its label. The outcome that names it stands at the head of the page.
#[component]
fn Field(
    label: &'static str,
    name: &'static str,
    #[prop(default = "text")] kind: &'static str,
    /// What a password manager should fill in (HTML, section 4.10.18.7).
    autocomplete: &'static str,
    #[prop(optional)] hint: &'static str,
    #[prop(default = true)] required: bool,
    /// Whether what was typed is there again once the form was refused. Never of a password.
    #[prop(optional)]
    is_kept: bool,
) -> impl IntoView {
    let hint_id = format!("{name}-hint");
    let has_hint = !hint.is_empty();
    let query = use_query_map();
    let was_refused = query.with_untracked(|query| query.get("error").is_some());
    let typed = (is_kept && was_refused).then(|| host::typed_before(name)).flatten();
    let is_wrong = memo(move || {
        let outcome = query.read().get("error").and_then(|word| word.parse::<FormOutcome>().ok());
        outcome.is_some_and(|outcome| is_wrong_in(outcome, name))
    });
    let described = {
        let hint_id = hint_id.clone();
        move || {
            let ids = [is_wrong.get().then_some(OUTCOME), has_hint.then_some(hint_id.as_str())];
            let ids: Vec<&str> = ids.into_iter().flatten().collect();
            (!ids.is_empty()).then(|| ids.join(" "))
        }
    };
    view! {
        <div class="field">
            <label class="field__label" for=name>{label}</label>
            <input
                id=name
                name=name
                type=kind
                autocomplete=autocomplete
                value=typed
                required=required
                aria-describedby=described
                aria-invalid=move || is_wrong.get().then_some("true")
            />
            {has_hint.then(|| view! { <p class="hint" id=hint_id.clone()>{hint}</p> }.into_any())}
        </div>
    }
}

/// What a new password should be like.
const PASSWORD_HINT: &str =
    "At least 12 characters, and not easily guessed: a few words that do not belong together.";

/// To the OpenID provider, where there is one, and from there to `next`, a page of ours. A link and no form: forms
/// may lead to this site alone.
#[component]
fn ProviderLink(#[prop(into)] next: Signal<String>) -> impl IntoView {
    let ways = load(|| (), |()| api::sign_in_ways());
    view! {
        <Suspense>
            {move || Suspend::new(async move {
                let name = ways.await.ok().and_then(|ways| ways.provider)?;
                let href = move || {
                    let next = next.get();
                    if next.is_empty() {
                        "/sign-in/oidc".to_owned()
                    } else {
                        format!("/sign-in/oidc?next={}", Url::escape(&next))
                    }
                };
                Some(view! {
                    <p>
                        <a class="button" href=href rel="external" data-testid="sign-in-oidc">
                            {format!("Sign in with {name}")}
                        </a>
                    </p>
                })
            })}
        </Suspense>
    }
}
