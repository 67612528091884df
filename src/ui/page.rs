//! The head of a page.

use leptos::prelude::*;
use leptos_meta::Title;
use leptos_router::{hooks::use_location, location::Location};

/// The page's one `h1`, and what stands beside it.
#[component]
pub fn PageHead(
    #[prop(into)] title: String,
    /// One line below the title.
    #[prop(optional)]
    lead: &'static str,
    /// What the document's title adds: the tenant, so that tabs can be told apart.
    #[prop(into, optional)]
    context: Signal<String>,
    /// What can be done with the page's subject: buttons and links beside the title.
    #[prop(optional)]
    children: Option<Children>,
) -> impl IntoView {
    let heading = title.clone();
    let document_title = move || {
        // A title that another has taken the place of may be asked once more when that one goes.
        let context = context.try_get().unwrap_or_default();
        if context.is_empty() { title.clone() } else { format!("{title} · {context}") }
    };
    // On the server it is read once the page is written, by when what it depends on may be gone.
    #[cfg(feature = "ssr")]
    let document_title = untrack(document_title);
    view! {
        <Title text=document_title/>
        <div class="page-head">
            <h1 dir="auto">{heading}</h1>
            {children.map(|children| view! { <div class="page-head__actions">{children()}</div> }.into_any())}
            {(!lead.is_empty()).then(|| view! { <p class="lead">{lead}</p> }.into_any())}
        </div>
    }
}

/// The page's address as a link has it: its path and its query. Tracked.
pub fn use_address() -> impl Fn() -> String + Copy + Send + Sync + 'static {
    let Location { pathname, search, .. } = use_location();
    move || {
        let (path, search) = (pathname.get(), search.get());
        if search.is_empty() { path } else { format!("{path}?{search}") }
    }
}
