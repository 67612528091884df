//! The document, and which page answers to which address.

mod allowed;
#[cfg(feature = "ssr")]
mod files;
mod hydration;
mod layout;
mod lazy;
mod live;
mod palette;
mod params;
mod shortcuts;
mod tenant;

use leptos::prelude::*;
use leptos_meta::{MetaTags, Stylesheet, Title, provide_meta_context};
use leptos_router::{
    Lazy, SsrMode,
    components::{ParentRoute, Route, Router, Routes},
    path,
};

pub use allowed::{Allowed, may};
use hydration::Hydration;
pub use layout::{PlainLayout, TenantLayout};
pub use live::on_change;
pub use params::use_optional_id;
pub use tenant::{CurrentTenant, MyAccess, tenant_page, use_tenant};

use crate::ui::{
    host,
    toast::{ToastRegion, Toasts},
};

// The widgets are for those who build: elsewhere there is no such page.
#[cfg(debug_assertions)]
use crate::ui::gallery::Gallery as WidgetsPage;
#[cfg(not(debug_assertions))]
use NotFoundPage as WidgetsPage;

/// The document around the application.
pub fn shell(options: LeptosOptions) -> impl IntoView {
    view! {
        <!DOCTYPE html>
        <html lang="en" data-theme=host::theme().as_str()>
            <head>
                <meta charset="utf-8"/>
                <meta name="viewport" content="width=device-width, initial-scale=1"/>
                <meta name="color-scheme" content="light dark"/>
                <meta
                    name="description"
                    content="Decides on incoming email by an organisation's own data, and says why"
                />
                <link rel="icon" href="/favicon.svg" type="image/svg+xml"/>
                <AutoReload options=options.clone()/>
                <Hydration options/>
                <MetaTags/>
            </head>
            <body>
                <App/>
            </body>
        </html>
    }
}

/// The application: every page is rendered whole on the server, then taken over by the browser.
#[component]
pub fn App() -> impl IntoView {
    provide_meta_context();
    Toasts::provide();
    view! {
        <Stylesheet id="leptos" href="/pkg/flowengine.css"/>
        <Title formatter=|text: String| format!("{text} · FlowEngine")/>
        <Router>
            // External: the router would scroll there, but leave the keyboard where it is.
            <a class="skip-link" href="#main" rel="external">"Skip to content"</a>
            <Routes fallback=NotFoundPage>
                <Route path=path!("/sign-in") view={Lazy::<lazy::SignIn>::new()} ssr=SsrMode::Async/>
                <Route path=path!("/forgot") view={Lazy::<lazy::Forgot>::new()} ssr=SsrMode::Async/>
                <Route path=path!("/reset/:token") view={Lazy::<lazy::Reset>::new()} ssr=SsrMode::Async/>
                <Route path=path!("/invitation/:token") view={Lazy::<lazy::Invitation>::new()} ssr=SsrMode::Async/>
                <Route path=path!("/account") view={Lazy::<lazy::Account>::new()} ssr=SsrMode::Async/>
                <Route path=path!("/tenants") view={Lazy::<lazy::Tenants>::new()} ssr=SsrMode::Async/>
                <Route path=path!("/dev/ui") view=WidgetsPage ssr=SsrMode::Async/>
                <Route path=path!("/") view={Lazy::<lazy::Choose>::new()} ssr=SsrMode::Async/>
                <Route path=path!("/messages") view={Lazy::<lazy::Choose>::new()} ssr=SsrMode::Async/>
                <Route path=path!("/intents") view={Lazy::<lazy::Choose>::new()} ssr=SsrMode::Async/>
                <Route path=path!("/rules") view={Lazy::<lazy::Choose>::new()} ssr=SsrMode::Async/>
                <Route path=path!("/routes") view={Lazy::<lazy::Choose>::new()} ssr=SsrMode::Async/>
                <Route path=path!("/datasources") view={Lazy::<lazy::Choose>::new()} ssr=SsrMode::Async/>
                <Route path=path!("/configs") view={Lazy::<lazy::Choose>::new()} ssr=SsrMode::Async/>
                <Route path=path!("/files") view={Lazy::<lazy::Choose>::new()} ssr=SsrMode::Async/>
                <Route path=path!("/mailboxes") view={Lazy::<lazy::Choose>::new()} ssr=SsrMode::Async/>
                <Route path=path!("/members") view={Lazy::<lazy::Choose>::new()} ssr=SsrMode::Async/>
                <Route path=path!("/keys") view={Lazy::<lazy::Choose>::new()} ssr=SsrMode::Async/>
                <Route path=path!("/audit") view={Lazy::<lazy::Choose>::new()} ssr=SsrMode::Async/>
                <Route path=path!("/settings") view={Lazy::<lazy::Choose>::new()} ssr=SsrMode::Async/>
                <ParentRoute path=path!("/t/:tenant_id") view=TenantLayout ssr=SsrMode::Async>
                    <Route path=path!("") view={Lazy::<lazy::Dashboard>::new()} ssr=SsrMode::Async/>
                    <Route path=path!("/messages") view={Lazy::<lazy::Messages>::new()} ssr=SsrMode::Async/>
                    <Route path=path!("/messages/:email_id") view={Lazy::<lazy::Message>::new()} ssr=SsrMode::Async/>
                    <Route path=path!("/try") view={Lazy::<lazy::Trial>::new()} ssr=SsrMode::Async/>
                    <Route path=path!("/intents") view={Lazy::<lazy::Intents>::new()} ssr=SsrMode::Async/>
                    <Route path=path!("/intents/new") view={Lazy::<lazy::EditIntent>::new()} ssr=SsrMode::Async/>
                    <Route path=path!("/intents/:intent_id") view={Lazy::<lazy::Intent>::new()} ssr=SsrMode::Async/>
                    <Route path=path!("/intents/:intent_id/edit") view={Lazy::<lazy::EditIntent>::new()} ssr=SsrMode::Async/>
                    <Route path=path!("/intents/:intent_id/examples") view={Lazy::<lazy::Examples>::new()} ssr=SsrMode::Async/>
                    <Route
                        path=path!("/intents/:intent_id/versions/:version")
                        view={Lazy::<lazy::Version>::new()}
                        ssr=SsrMode::Async
                    />
                    <Route path=path!("/rules") view={Lazy::<lazy::Rules>::new()} ssr=SsrMode::Async/>
                    <Route path=path!("/routes") view={Lazy::<lazy::Routes>::new()} ssr=SsrMode::Async/>
                    <Route path=path!("/routes/new") view={Lazy::<lazy::EditRoute>::new()} ssr=SsrMode::Async/>
                    <Route path=path!("/routes/:route_id") view={Lazy::<lazy::EditRoute>::new()} ssr=SsrMode::Async/>
                    <Route path=path!("/datasources") view={Lazy::<lazy::Datasources>::new()} ssr=SsrMode::Async/>
                    <Route path=path!("/datasources/new") view={Lazy::<lazy::EditDatasource>::new()} ssr=SsrMode::Async/>
                    <Route path=path!("/datasources/:datasource_id") view={Lazy::<lazy::Datasource>::new()} ssr=SsrMode::Async/>
                    <Route path=path!("/datasources/:datasource_id/edit") view={Lazy::<lazy::EditDatasource>::new()} ssr=SsrMode::Async/>
                    <Route path=path!("/configs") view={Lazy::<lazy::Configs>::new()} ssr=SsrMode::Async/>
                    <Route path=path!("/configs/new") view={Lazy::<lazy::EditConfig>::new()} ssr=SsrMode::Async/>
                    <Route path=path!("/configs/:config_id") view={Lazy::<lazy::Config>::new()} ssr=SsrMode::Async/>
                    <Route path=path!("/configs/:config_id/edit") view={Lazy::<lazy::EditConfig>::new()} ssr=SsrMode::Async/>
                    <Route path=path!("/files") view={Lazy::<lazy::Files>::new()} ssr=SsrMode::Async/>
                    <Route path=path!("/files/look") view={Lazy::<lazy::File>::new()} ssr=SsrMode::Async/>
                    <Route path=path!("/mailboxes") view={Lazy::<lazy::Mailboxes>::new()} ssr=SsrMode::Async/>
                    <Route path=path!("/mailboxes/new") view={Lazy::<lazy::EditMailbox>::new()} ssr=SsrMode::Async/>
                    <Route path=path!("/mailboxes/:mailbox_id") view={Lazy::<lazy::EditMailbox>::new()} ssr=SsrMode::Async/>
                    <Route path=path!("/members") view={Lazy::<lazy::Members>::new()} ssr=SsrMode::Async/>
                    <Route path=path!("/keys") view={Lazy::<lazy::Keys>::new()} ssr=SsrMode::Async/>
                    <Route path=path!("/audit") view={Lazy::<lazy::Audit>::new()} ssr=SsrMode::Async/>
                    <Route path=path!("/settings") view={Lazy::<lazy::Settings>::new()} ssr=SsrMode::Async/>
                </ParentRoute>
            </Routes>
            <ToastRegion/>
        </Router>
    }
}

/// What answers to an address that nothing answers to.
#[component]
fn NotFoundPage() -> impl IntoView {
    view! {
        <PlainLayout>
            <Title text="Not found"/>
            <div class="panel" data-testid="page-not-found">
                <h1>"There is no such page"</h1>
                <p>"The address may be mistyped, or what was here has moved."</p>
                <a class="button button--primary" href="/">"Go to the start"</a>
            </div>
        </PlainLayout>
    }
}
