//! A person's password: changing it, and getting a new one.

use leptos::prelude::*;
use leptos_router::hooks::use_params_map;

use super::{Field, Outcome, PASSWORD_HINT, SignOut};
use crate::{
    app::PlainLayout,
    auth::{
        api,
        dto::{Me, MyProvider},
    },
    ui::resource::load,
    ui::{load::Load, page::PageHead},
};

/// The signed-in person's own account.
#[component]
pub fn AccountPage() -> impl IntoView {
    let me = load(|| (), |()| api::me());
    view! {
        <PlainLayout>
            <PageHead title="Your account"/>
            <Outcome done=&[("password", "Your password is set. Wherever else you were signed in, you no longer are.")]/>
            <Load
                data=move || async move { me.await }
                retry=move || me.refetch()
                view=move |me: Me| {
                    let has_password = me.has_password;
                    let provider = me.provider.clone();
                    // Whom the provider lets in in the place of a password is not offered one.
                    let is_offered = has_password || provider.as_ref().is_none_or(|provider| !provider.is_connected);
                    view! {
                        {if is_offered {
                            view! { <Password me/> }.into_any()
                        } else {
                            view! { <p class="panel" data-testid="account">{who(&me)}</p> }.into_any()
                        }}
                        {provider.map(|provider| view! { <Connection provider has_password/> }.into_any())}
                    }
                }
            />
            <div class="plain__foot">
                <a href="/">"Back to the tenants"</a>
                <SignOut/>
            </div>
        </PlainLayout>
    }
}

fn who(me: &Me) -> String {
    format!("{} <{}>", me.display_name, me.email)
}

/// Setting a password.
#[component]
fn Password(me: Me) -> impl IntoView {
    view! {
        <form class="panel form" method="post" action="/account/password" data-testid="account">
            <p>{who(&me)}</p>
            // For password managers, which want to know whose it is.
            <input type="hidden" autocomplete="username" value=me.email/>
            {me
                .has_password
                .then(|| {
                    view! {
                        <Field
                            label="Current password"
                            name="current_password"
                            kind="password"
                            autocomplete="current-password"
                        />
                    }
                    .into_any()
                })}
            <NewPassword/>
            <button type="submit" class="button button--primary">"Set the password"</button>
        </form>
    }
}

/// Whether they sign in with the OpenID provider, and the way there. A link and no form: forms may lead to this site
/// alone.
#[component]
fn Connection(provider: MyProvider, has_password: bool) -> impl IntoView {
    let MyProvider { name, is_connected } = provider;
    match (is_connected, has_password) {
        (true, false) => {
            view! { <p data-testid="connected">{format!("You sign in with {name}, and need no password here.")}</p> }
                .into_any()
        }
        (true, true) => {
            view! { <p data-testid="connected">{format!("You can also sign in with {name}.")}</p> }.into_any()
        }
        (false, _) => view! {
            <p>
                <a
                    class="button"
                    href="/sign-in/oidc?next=%2Faccount"
                    rel="external"
                    data-testid="connect-oidc"
                >
                    {format!("Connect {name}")}
                </a>
            </p>
        }
        .into_any(),
    }
}

#[component]
fn NewPassword() -> impl IntoView {
    view! {
        <Field
            label="New password"
            name="new_password"
            kind="password"
            autocomplete="new-password"
            hint=PASSWORD_HINT
        />
        <Field label="Again" name="repeated_password" kind="password" autocomplete="new-password"/>
    }
}

/// Asks for a link by mail.
#[component]
pub fn ForgotPage() -> impl IntoView {
    view! {
        <PlainLayout is_plain=true>
            <PageHead title="A new password"/>
            <Outcome done=&[
                ("mailed", "If there is an account with this address, a link is on its way to it. It works for an hour."),
            ]/>
            <form class="panel form" method="post" action="/forgot" data-testid="forgot">
                <p>"A link with which you choose a new password is mailed to you."</p>
                <Field label="Email" name="email" kind="email" autocomplete="username" is_kept=true/>
                <button type="submit" class="button button--primary">"Mail the link"</button>
                <p>
                    <a href="/sign-in">"Back to the sign-in"</a>
                </p>
            </form>
        </PlainLayout>
    }
}

/// Where such a link leads.
#[component]
pub fn ResetPage() -> impl IntoView {
    let params = use_params_map();
    let action = move || format!("/reset/{}", params.read().get("token").unwrap_or_default());
    view! {
        <PlainLayout is_plain=true>
            <PageHead title="Choose a password"/>
            <Outcome done=&[]/>
            <form class="panel form" method="post" action=action data-testid="reset">
                <NewPassword/>
                <button type="submit" class="button button--primary">"Set the password"</button>
            </form>
        </PlainLayout>
    }
}
