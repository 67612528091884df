//! The document, and which page answers to which address.

mod allowed;
mod arrival;
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
mod trail;

use leptos::prelude::*;
use leptos_meta::{MetaTags, Title, provide_meta_context};
use leptos_router::{
    SsrMode,
    components::{ParentRoute, Route, Router, Routes},
    path,
};

pub use allowed::{Allowed, may};
use hydration::Hydration;
pub use hydration::LISTS;
#[cfg(feature = "ssr")]
pub use hydration::wait_for_a_touch;
use layout::{FollowNavigation, Followed};
pub use layout::{MAIN, PlainLayout, TenantLayout};
use lazy::Page;
pub use live::on_change;
pub use params::use_optional_id;
pub use tenant::{CurrentTenant, MyAccess, tenant_page, use_tenant};
pub use trail::{LastList, Trail, use_last_list};

use crate::{
    emails::pages::Notes,
    ui::{
        host,
        stale::Stale,
        toast::{ToastRegion, Toasts},
        upload::StoredFiles,
    },
};

// The widgets are for those who build: elsewhere there is no such page.
#[cfg(debug_assertions)]
use crate::ui::gallery::Gallery as WidgetsPage;
#[cfg(not(debug_assertions))]
use NotFoundPage as WidgetsPage;

/// The document around the application.
pub fn shell(options: LeptosOptions) -> impl IntoView {
    let build = host::build(&options);
    let style = format!("/{}/{}.css?v={build}", options.site_pkg_dir, options.output_name);
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
                <link id="leptos" rel="stylesheet" href=style/>
                <AutoReload options=options.clone()/>
                <Hydration options of_build=build/>
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
    Stale::provide();
    Followed::provide();
    Notes::provide();
    // Files go on when their page is left, and end with the tab.
    StoredFiles::provide();
    host::guard_tab(host::is_sending);
    view! {
        <Title formatter=document_title/>
        <Router>
            // External: the router would scroll there, but leave the keyboard where it is.
            <a class="skip-link" href="#main" rel="external">"Skip to content"</a>
            <Routes fallback=NotFoundPage>
                <Route path=path!("/sign-in") view=Page::SignIn ssr=SsrMode::Async/>
                <Route path=path!("/forgot") view=Page::Forgot ssr=SsrMode::Async/>
                <Route path=path!("/reset/:token") view=Page::Reset ssr=SsrMode::Async/>
                <Route path=path!("/invitation/:token") view=Page::Invitation ssr=SsrMode::Async/>
                <Route path=path!("/account") view=Page::Account ssr=SsrMode::Async/>
                <Route path=path!("/tenants") view=Page::Tenants ssr=SsrMode::Async/>
                <Route path=path!("/dev/ui") view=WidgetsPage ssr=SsrMode::Async/>
                <Route path=path!("/") view=Page::Choose ssr=SsrMode::Async/>
                <Route path=path!("/messages") view=Page::Choose ssr=SsrMode::Async/>
                <Route path=path!("/intents") view=Page::Choose ssr=SsrMode::Async/>
                <Route path=path!("/rules") view=Page::Choose ssr=SsrMode::Async/>
                <Route path=path!("/routes") view=Page::Choose ssr=SsrMode::Async/>
                <Route path=path!("/datasources") view=Page::Choose ssr=SsrMode::Async/>
                <Route path=path!("/configs") view=Page::Choose ssr=SsrMode::Async/>
                <Route path=path!("/files") view=Page::Choose ssr=SsrMode::Async/>
                <Route path=path!("/mailboxes") view=Page::Choose ssr=SsrMode::Async/>
                <Route path=path!("/members") view=Page::Choose ssr=SsrMode::Async/>
                <Route path=path!("/keys") view=Page::Choose ssr=SsrMode::Async/>
                <Route path=path!("/audit") view=Page::Choose ssr=SsrMode::Async/>
                <Route path=path!("/settings") view=Page::Choose ssr=SsrMode::Async/>
                <ParentRoute path=path!("/t/:tenant_id") view=TenantLayout ssr=SsrMode::Async>
                    <Route path=path!("") view=Page::Dashboard ssr=SsrMode::Async/>
                    <Route path=path!("/messages") view=Page::Messages ssr=SsrMode::Async/>
                    <Route path=path!("/messages/:email_id") view=Page::Message ssr=SsrMode::Async/>
                    <Route path=path!("/try") view=Page::Trial ssr=SsrMode::Async/>
                    <Route path=path!("/intents") view=Page::Intents ssr=SsrMode::Async/>
                    <Route path=path!("/intents/new") view=Page::EditIntent ssr=SsrMode::Async/>
                    <Route path=path!("/intents/:intent_id") view=Page::Intent ssr=SsrMode::Async/>
                    <Route path=path!("/intents/:intent_id/edit") view=Page::EditIntent ssr=SsrMode::Async/>
                    <Route path=path!("/intents/:intent_id/examples") view=Page::Examples ssr=SsrMode::Async/>
                    <Route
                        path=path!("/intents/:intent_id/versions/:version")
                        view=Page::Version
                        ssr=SsrMode::Async
                    />
                    <Route path=path!("/rules") view=Page::Rules ssr=SsrMode::Async/>
                    <Route path=path!("/routes") view=Page::Routes ssr=SsrMode::Async/>
                    <Route path=path!("/routes/new") view=Page::EditRoute ssr=SsrMode::Async/>
                    <Route path=path!("/routes/:route_id") view=Page::EditRoute ssr=SsrMode::Async/>
                    <Route path=path!("/datasources") view=Page::Datasources ssr=SsrMode::Async/>
                    <Route path=path!("/datasources/new") view=Page::EditDatasource ssr=SsrMode::Async/>
                    <Route path=path!("/datasources/:datasource_id") view=Page::Datasource ssr=SsrMode::Async/>
                    <Route path=path!("/datasources/:datasource_id/edit") view=Page::EditDatasource ssr=SsrMode::Async/>
                    <Route path=path!("/configs") view=Page::Configs ssr=SsrMode::Async/>
                    <Route path=path!("/configs/new") view=Page::EditConfig ssr=SsrMode::Async/>
                    <Route path=path!("/configs/:config_id") view=Page::Config ssr=SsrMode::Async/>
                    <Route path=path!("/configs/:config_id/edit") view=Page::EditConfig ssr=SsrMode::Async/>
                    <Route path=path!("/files") view=Page::Files ssr=SsrMode::Async/>
                    <Route path=path!("/files/look") view=Page::File ssr=SsrMode::Async/>
                    <Route path=path!("/mailboxes") view=Page::Mailboxes ssr=SsrMode::Async/>
                    <Route path=path!("/mailboxes/new") view=Page::EditMailbox ssr=SsrMode::Async/>
                    <Route path=path!("/mailboxes/:mailbox_id") view=Page::EditMailbox ssr=SsrMode::Async/>
                    <Route path=path!("/members") view=Page::Members ssr=SsrMode::Async/>
                    <Route path=path!("/keys") view=Page::Keys ssr=SsrMode::Async/>
                    <Route path=path!("/audit") view=Page::Audit ssr=SsrMode::Async/>
                    <Route path=path!("/settings") view=Page::Settings ssr=SsrMode::Async/>
                </ParentRoute>
            </Routes>
            <FollowNavigation/>
            <ToastRegion/>
        </Router>
    }
}

/// The document's title for what a page is about. On the server, where leptos_meta writes it into the page as it stands, it
/// is escaped: a reader of HTML would end it at `</title>`, and take what a stranger wrote after that for a part of the page.
/// In the browser it becomes the text of `document.title`, and is read by nobody.
fn document_title(text: String) -> String {
    let title = text + " · FlowEngine";
    if cfg!(feature = "ssr") { title.replace('&', "&amp;").replace('<', "&lt;") } else { title }
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
