//! What is being loaded.

use std::future::Future;

use leptos::prelude::*;

use super::{host, page::PageHead, panel::ProblemPanel};
use crate::shared::Problem;

/// Shows what resources gave: a skeleton while the first answer is awaited, then `view` of it or its problem.
///
/// `data` awaits the resources, so that it is asked anew when one of them changes; what stood there stays
/// until then. Resources must not be made in `data` or `view`: their order would differ between server and browser.
#[component]
pub fn Load<T, Data, Answer, View, Shown, Retry>(
    data: Data,
    retry: Retry,
    view: View,
    /// The page's `h1` where `view` is what brings one: until there is a view, and in the place of it.
    #[prop(optional)]
    heading: &'static str,
) -> impl IntoView
where
    T: 'static,
    Data: Fn() -> Answer + Send + Sync + 'static,
    Answer: Future<Output = Result<T, Problem>> + Send + 'static,
    View: Fn(T) -> Shown + Clone + Send + Sync + 'static,
    Shown: IntoView + 'static,
    Retry: Fn() + Send + Sync + 'static,
{
    let retry = Callback::new(move |()| retry());
    view! {
        <Transition fallback=move || {
            view! {
                <Heading heading/>
                <Skeleton/>
            }
        }>
            {move || {
                let answer = data();
                let view = view.clone();
                Suspend::new(async move {
                    let answer = answer.await;
                    keep_focus();
                    match answer {
                        Ok(value) => view(value).into_any(),
                        Err(problem) => {
                            view! {
                                <Heading heading/>
                                <ProblemPanel problem retry/>
                            }
                            .into_any()
                        }
                    }
                })
            }}
        </Transition>
    }
}

/// What is shown anew may be made of other elements: the keyboard goes on where it was, or near.
pub fn keep_focus() {
    let trail = host::focus_trail();
    if !trail.is_empty() {
        request_animation_frame(move || host::focus_first(&trail));
    }
}

#[component]
fn Heading(heading: &'static str) -> impl IntoView {
    (!heading.is_empty()).then(|| view! { <PageHead title=heading/> }.into_any())
}

/// Grey lines in the place of what is on its way.
#[component]
pub fn Skeleton() -> impl IntoView {
    view! {
        <div class="skeleton" role="status" data-testid="loading">
            <span class="visually-hidden">"Loading"</span>
            {[(); 6].map(|()| view! { <span class="skeleton__line"></span> }.into_any()).collect_view()}
        </div>
    }
}
