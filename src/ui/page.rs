//! The head of a page.

use leptos::prelude::*;
use leptos_meta::Title;

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
) -> impl IntoView {
    let heading = title.clone();
    let document_title = move || {
        let context = context.get();
        if context.is_empty() { title.clone() } else { format!("{title} · {context}") }
    };
    view! {
        <Title text=document_title/>
        <div class="page-head">
            <h1>{heading}</h1>
            {(!lead.is_empty()).then(|| view! { <p class="lead">{lead}</p> })}
        </div>
    }
}
