//! The secret by which a webhook's receiver knows that it is told by FlowEngine.

use leptos::prelude::*;

use crate::{
    app::Allowed,
    auth::authority::Permission,
    routes::{
        api::RotateRouteSecret,
        dto::{RotatedSecret, RouteWithSecret},
    },
    shared::{RouteId, TenantId},
    ui::{
        dialog::Confirm,
        editor::Section,
        form::PlainForm,
        form_action::{FormAction, form_action},
        icons::Glyph,
        once::ShownOnce,
        panel::ActionProblem,
        saving::on_done,
        time::Timestamp,
    },
};

/// The id of the field that shows it.
pub const SECRET: &str = "route-secret";

/// What is shown once of a webhook that was made or got a new secret.
#[component]
pub fn SecretShown(made: RouteWithSecret) -> impl IntoView {
    let RouteWithSecret { route, secret, old_secret_ends } = made;
    let words = format!("The signing secret of {}. Copy it now: it is shown this once.", route.name);
    secret.map(|text| {
        view! {
            <ShownOnce words label="The signing secret" text testid=SECRET/>
            {old_secret_ends
                .map(|at| {
                    view! { <p class="hint">"The one before it signs too until " <Timestamp at/> "."</p> }.into_any()
                })}
        }
        .into_any()
    })
}

/// A new secret, for those who may handle credentials. The route is another then: `etag` says which.
#[component]
pub fn Secret(tenant_id: TenantId, route_id: RouteId, etag: RwSignal<String>) -> impl IntoView {
    let rotate = form_action::<RotateRouteSecret>();
    on_done(rotate.value(), move |rotated: RotatedSecret| etag.set(rotated.etag));
    view! {
        <Allowed permission=Permission::Credentials>
            <NewSecret tenant_id=tenant_id.clone() route_id rotate/>
        </Allowed>
    }
}

#[component]
fn NewSecret(tenant_id: TenantId, route_id: RouteId, rotate: FormAction<RotatedSecret>) -> impl IntoView {
    let outcome = rotate.value();
    let is_pending = rotate.pending();
    view! {
        <Section
            id="signing"
            title="Signing secret"
            hint="Each delivery is signed with it (Standard Webhooks), so that the receiver knows who tells it."
        >
            <div>
                <Confirm
                    id="rotate-secret"
                    label="New secret …"
                    glyph=Glyph::Key
                    title="Make a new signing secret?"
                    testid="rotate"
                >
                    <p>"Deliveries are signed with both for a day, so that the receiver can change over."</p>
                    <PlainForm action=rotate>
                        <input type="hidden" name="tenant_id" value=tenant_id.to_string()/>
                        <input type="hidden" name="route_id" value=route_id.to_string()/>
                        <button
                            type="submit"
                            class="button button--primary"
                            aria-busy=move || is_pending.get().to_string()
                            data-testid="rotate-now"
                        >
                            "Make it"
                        </button>
                    </PlainForm>
                </Confirm>
            </div>
            <ActionProblem outcome/>
            <div aria-live="polite">
                {move || {
                    let rotated = outcome.get().and_then(Result::ok);
                    rotated.map(|rotated| view! { <SecretShown made=rotated.made/> }.into_any())
                }}
            </div>
        </Section>
    }
}
