//! A person's password: changing it, and getting a new one.

use leptos::prelude::*;
use leptos_router::hooks::use_params_map;

use super::{Field, Outcome, PASSWORD_HINT, SignOut};
use crate::{
    app::PlainLayout,
    auth::{api, dto::Me},
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
                    view! {
                        <form class="panel form" method="post" action="/account/password" data-testid="account">
                            <p>{format!("{} <{}>", me.display_name, me.email)}</p>
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
            />
            <div class="plain__foot">
                <a href="/">"Back to the tenants"</a>
                <SignOut/>
            </div>
        </PlainLayout>
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
        <PlainLayout>
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
        <PlainLayout>
            <PageHead title="Choose a password"/>
            <Outcome done=&[]/>
            <form class="panel form" method="post" action=action data-testid="reset">
                <NewPassword/>
                <button type="submit" class="button button--primary">"Set the password"</button>
            </form>
        </PlainLayout>
    }
}
