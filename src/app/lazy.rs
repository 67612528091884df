//! Which pages the browser fetches together, once the first of them is needed.
//!
//! Each group is a WASM file of its own beside the one that every page needs, where the application is built for it
//! (the feature `split`, as `./dev release` does). Otherwise all is one file, and the pages are at hand.

use leptos::prelude::*;
use leptos_router::ChooseView;

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
    mailboxes::pages::{MailboxEditor, MailboxesPage},
    members::pages::MembersPage,
    routes::pages::{RouteEditor, RoutesPage},
    rules::pages::RulesPage,
    tenants::pages::{ChooseTenant, TenantsPage},
    transfer::pages::SettingsPage,
    ui::{host, page::PageHead},
};

/// The file of a group could not be had: the server is away or too busy, or has another build since.
pub struct NotFetched;

#[cfg(all(feature = "split", feature = "hydrate"))]
impl From<leptos::wasm_split::SplitLoaderError> for NotFetched {
    fn from(_: leptos::wasm_split::SplitLoaderError) -> Self {
        Self
    }
}

#[component]
fn NotFetchedPage() -> impl IntoView {
    view! {
        <PageHead title="Not fetched"/>
        <div class="notice tone-bad" role="alert" data-testid="not-fetched">
            <p>"This page could not be fetched: the server cannot be reached, or was updated since."</p>
            <button type="button" class="button" on:click=move |_| host::reload()>
                "Load it again"
            </button>
        </div>
    }
}

/// Declares the pages, and for each group the function at which the file is split.
macro_rules! groups {
    ($($group:ident { $($page:ident = $view:ident),+ $(,)? })+) => {
        /// What a route shows. One type for all of them: of each type that a route is given, the router makes its
        /// own copy of itself, which every page would fetch, and start with.
        #[derive(Clone, Copy)]
        pub enum Page { $($($page),+),+ }

        impl ChooseView for Page {
            async fn choose(self) -> AnyView {
                let shown = match self {
                    $($(Self::$page)|+ => $group::show(self).await),+
                };
                shown.unwrap_or_else(|NotFetched| view! { <NotFetchedPage/> }.into_any())
            }

            async fn preload(&self) {
                let fetched = match self {
                    $($(Self::$page)|+ => $group::preload().await),+
                };
                // The router takes the first page over once this ends. What the server wrote is there to be read, and its
                // links and plain forms work. On the way to another page, it is fetched again when it is to be shown.
                if fetched.is_err() && host::is_being_taken_over() {
                    host::leave_to_browser();
                    std::future::pending::<()>().await;
                }
            }
        }

        $(mod $group {
            use leptos::prelude::*;

            use super::{NotFetched, Page};

            #[cfg(all(feature = "split", feature = "hydrate"))]
            #[leptos::wasm_split::wasm_split(
                $group,
                wasm_split_path = ::leptos::wasm_split,
                preload(preload),
                fallible
            )]
            pub fn show(page: Page) -> Result<AnyView, NotFetched> {
                Ok(render(page))
            }

            #[cfg(not(all(feature = "split", feature = "hydrate")))]
            pub async fn show(page: Page) -> Result<AnyView, NotFetched> {
                #[cfg(feature = "ssr")]
                crate::app::files::name_files(stringify!($group));
                Ok(render(page))
            }

            #[cfg(not(all(feature = "split", feature = "hydrate")))]
            pub async fn preload() -> Result<(), NotFetched> {
                Ok(())
            }

            fn render(page: Page) -> AnyView {
                match page {
                    $(Page::$page => view! { <super::$view/> }.into_any(),)+
                    _ => unreachable!("a page of another group"),
                }
            }
        })+
    };
}

// A group more is a file more for each set of groups that share code: these are what is often opened by itself.
// With `configure` in three, all weighed 1,190 KiB in 85 files instead of 1,059 in 27, and messages 481 instead of 441.
groups! {
    access {
        SignIn = SignInPage, Forgot = ForgotPage, Reset = ResetPage, Invitation = InvitationPage,
        Choose = ChooseTenant,
    }
    overview { Dashboard = DashboardPage }
    messages { Messages = MessagesPage }
    message { Message = MessagePage }
    configure {
        Trial = TrialPage, Intents = IntentsPage, Intent = IntentPage, EditIntent = IntentEditor,
        Version = VersionPage, Examples = ExamplesPage, Rules = RulesPage, Routes = RoutesPage,
        EditRoute = RouteEditor, Datasources = DatasourcesPage, Datasource = DatasourcePage,
        EditDatasource = DatasourceEditor, Configs = ConfigsPage, Config = ConfigPage, EditConfig = ConfigEditor,
        Files = FilesPage, File = FilePage, Mailboxes = MailboxesPage, EditMailbox = MailboxEditor,
        Members = MembersPage, Keys = KeysPage, Audit = AuditPage, Settings = SettingsPage, Tenants = TenantsPage,
        Account = AccountPage,
    }
}
