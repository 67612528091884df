//! Accepting an invitation.

use leptos::prelude::*;
use leptos_router::hooks::use_params_map;

use super::{Field, Outcome, PASSWORD_HINT, ProviderLink};
use crate::{
    app::PlainLayout,
    auth::api,
    members::{api::get_invitation, dto::InvitationShown},
    ui::resource::load,
    ui::{load::Load, page::PageHead},
};

/// Where an invitation's link leads.
#[component]
pub fn InvitationPage() -> impl IntoView {
    let params = use_params_map();
    let token = move || params.read().get("token").unwrap_or_default();
    // Who is signed in already need not prove anything more.
    let invitation = load(token, |token| async move {
        let shown = get_invitation(token).await?;
        let signed_in = api::signed_in_as().await?;
        Ok((shown, signed_in))
    });
    view! {
        <PlainLayout>
            <PageHead title="Invitation"/>
            <Outcome done=&[]/>
            <Load
                data=move || async move { invitation.await }
                retry=move || invitation.refetch()
                view=move |(shown, signed_in): (InvitationShown, Option<String>)| {
                    let is_they = signed_in.as_deref() == Some(shown.email.as_str());
                    let action = format!("/invitation/{}", params.read_untracked().get("token").unwrap_or_default());
                    view! {
                        <form class="panel form" method="post" action=action data-testid="invitation">
                            <p>
                                {format!("{} invites ", shown.invited_by)} <strong>{shown.email.clone()}</strong>
                                {format!(" to work for {} as {}.", shown.tenant, shown.role)}
                            </p>
                            {(!is_they)
                                .then(|| {
                                    view! {
                                        <input type="hidden" autocomplete="username" value=shown.email/>
                                        {who_they_are(shown.makes_account)}
                                    }
                                    .into_any()
                                })}
                            <button type="submit" class="button button--primary">"Accept"</button>
                        </form>
                    }
                }
            />
            // Whom the provider knows by the invited address needs no password: they come back here, signed in.
            <ProviderLink next=Signal::derive(move || format!("/invitation/{}", token()))/>
        </PlainLayout>
    }
}

/// The fields for who is not signed in.
fn who_they_are(makes_account: bool) -> AnyView {
    if !makes_account {
        return view! {
            <p class="hint">
                "Give the password of your account with this address. If you have none, an administrator of the installation has to send you the invitation."
            </p>
            <Field label="Password" name="password" kind="password" autocomplete="current-password"/>
        }
        .into_any();
    }
    view! {
        <p class="hint">
            "If you have an account with this address already, give its password. If not, it is made now, with the password that you choose."
        </p>
        <Field
            label="Your name, for a new account"
            name="display_name"
            autocomplete="name"
            required=false
            is_kept=true
        />
        <Field
            label="Password"
            name="password"
            kind="password"
            autocomplete="current-password"
            hint=PASSWORD_HINT
        />
    }
    .into_any()
}
