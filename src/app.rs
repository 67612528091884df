//! The document, and which page answers to which address.

mod allowed;
mod hydration;
mod layout;
mod live;
mod palette;
mod shortcuts;
mod tenant;

use leptos::prelude::*;
use leptos_meta::{MetaTags, Stylesheet, Title, provide_meta_context};
use leptos_router::{
    SsrMode,
    components::{ParentRoute, Route, Router, Routes},
    path,
};

pub use allowed::{Allowed, may};
use hydration::Hydration;
pub use layout::{PlainLayout, TenantLayout};
pub use live::on_change;
pub use tenant::{CurrentTenant, MyAccess, tenant_page, use_tenant};

use crate::{
    audit::pages::AuditPage,
    auth::pages::{AccountPage, ForgotPage, InvitationPage, ResetPage, SignInPage},
    classifier::pages::ExamplesPage,
    dashboard::pages::DashboardPage,
    datasources::pages::{
        ConfigEditor, ConfigPage, ConfigsPage, DatasourceEditor, DatasourcePage, DatasourcesPage,
    },
    emails::pages::{MessagePage, MessagesPage, TrialPage},
    files::pages::{FilePage, FilesPage},
    intents::pages::{IntentEditor, IntentPage, IntentsPage, VersionPage},
    keys::pages::KeysPage,
    members::pages::MembersPage,
    routes::pages::{RouteEditor, RoutesPage},
    rules::pages::RulesPage,
    tenants::pages::{ChooseTenant, TenantsPage},
    transfer::pages::SettingsPage,
    ui::{
        host,
        toast::{ToastRegion, Toasts},
    },
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
                <Route path=path!("/sign-in") view=SignInPage ssr=SsrMode::Async/>
                <Route path=path!("/forgot") view=ForgotPage ssr=SsrMode::Async/>
                <Route path=path!("/reset/:token") view=ResetPage ssr=SsrMode::Async/>
                <Route path=path!("/invitation/:token") view=InvitationPage ssr=SsrMode::Async/>
                <Route path=path!("/account") view=AccountPage ssr=SsrMode::Async/>
                <Route path=path!("/tenants") view=TenantsPage ssr=SsrMode::Async/>
                <Route path=path!("/dev/ui") view=WidgetsPage ssr=SsrMode::Async/>
                <Route path=path!("/") view=|| choose("") ssr=SsrMode::Async/>
                <Route path=path!("/messages") view=|| choose("/messages") ssr=SsrMode::Async/>
                <Route path=path!("/intents") view=|| choose("/intents") ssr=SsrMode::Async/>
                <Route path=path!("/rules") view=|| choose("/rules") ssr=SsrMode::Async/>
                <Route path=path!("/routes") view=|| choose("/routes") ssr=SsrMode::Async/>
                <Route path=path!("/datasources") view=|| choose("/datasources") ssr=SsrMode::Async/>
                <Route path=path!("/configs") view=|| choose("/configs") ssr=SsrMode::Async/>
                <Route path=path!("/files") view=|| choose("/files") ssr=SsrMode::Async/>
                <Route path=path!("/members") view=|| choose("/members") ssr=SsrMode::Async/>
                <Route path=path!("/keys") view=|| choose("/keys") ssr=SsrMode::Async/>
                <Route path=path!("/audit") view=|| choose("/audit") ssr=SsrMode::Async/>
                <Route path=path!("/settings") view=|| choose("/settings") ssr=SsrMode::Async/>
                <ParentRoute path=path!("/t/:tenant_id") view=TenantLayout ssr=SsrMode::Async>
                    <Route path=path!("") view=DashboardPage ssr=SsrMode::Async/>
                    <Route path=path!("/messages") view=MessagesPage ssr=SsrMode::Async/>
                    <Route path=path!("/messages/:email_id") view=MessagePage ssr=SsrMode::Async/>
                    <Route path=path!("/try") view=TrialPage ssr=SsrMode::Async/>
                    <Route path=path!("/intents") view=IntentsPage ssr=SsrMode::Async/>
                    <Route path=path!("/intents/new") view=IntentEditor ssr=SsrMode::Async/>
                    <Route path=path!("/intents/:intent_id") view=IntentPage ssr=SsrMode::Async/>
                    <Route path=path!("/intents/:intent_id/edit") view=IntentEditor ssr=SsrMode::Async/>
                    <Route path=path!("/intents/:intent_id/examples") view=ExamplesPage ssr=SsrMode::Async/>
                    <Route
                        path=path!("/intents/:intent_id/versions/:version")
                        view=VersionPage
                        ssr=SsrMode::Async
                    />
                    <Route path=path!("/rules") view=RulesPage ssr=SsrMode::Async/>
                    <Route path=path!("/routes") view=RoutesPage ssr=SsrMode::Async/>
                    <Route path=path!("/routes/new") view=RouteEditor ssr=SsrMode::Async/>
                    <Route path=path!("/routes/:route_id") view=RouteEditor ssr=SsrMode::Async/>
                    <Route path=path!("/datasources") view=DatasourcesPage ssr=SsrMode::Async/>
                    <Route path=path!("/datasources/new") view=DatasourceEditor ssr=SsrMode::Async/>
                    <Route path=path!("/datasources/:datasource_id") view=DatasourcePage ssr=SsrMode::Async/>
                    <Route path=path!("/datasources/:datasource_id/edit") view=DatasourceEditor ssr=SsrMode::Async/>
                    <Route path=path!("/configs") view=ConfigsPage ssr=SsrMode::Async/>
                    <Route path=path!("/configs/new") view=ConfigEditor ssr=SsrMode::Async/>
                    <Route path=path!("/configs/:config_id") view=ConfigPage ssr=SsrMode::Async/>
                    <Route path=path!("/configs/:config_id/edit") view=ConfigEditor ssr=SsrMode::Async/>
                    <Route path=path!("/files") view=FilesPage ssr=SsrMode::Async/>
                    <Route path=path!("/files/look") view=FilePage ssr=SsrMode::Async/>
                    <Route path=path!("/members") view=MembersPage ssr=SsrMode::Async/>
                    <Route path=path!("/keys") view=KeysPage ssr=SsrMode::Async/>
                    <Route path=path!("/audit") view=AuditPage ssr=SsrMode::Async/>
                    <Route path=path!("/settings") view=SettingsPage ssr=SsrMode::Async/>
                </ParentRoute>
            </Routes>
            <ToastRegion/>
        </Router>
    }
}

/// An address without a tenant.
fn choose(page: &'static str) -> impl IntoView {
    view! { <ChooseTenant page/> }
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
