//! What stands in the place of content: nothing yet, a problem, not found.

use leptos::{ev::MouseEvent, prelude::*};
use leptos_router::location::Url;

use super::{
    host,
    icons::{Glyph, Icon},
    page::use_address,
};
use crate::shared::Problem;

/// What a problem says to whoever sits before the page: API keys and tokens are for programs.
pub fn words_of(problem: &Problem) -> String {
    if problem.detail == Problem::unauthorized().detail {
        "You are signed out. Sign in again.".to_owned()
    } else {
        problem.detail.clone()
    }
}

/// Says what to do where there is nothing yet.
#[component]
pub fn Empty(#[prop(into)] title: String, children: Children) -> impl IntoView {
    view! {
        <div class="panel panel--empty" data-testid="empty">
            <p class="panel__title">{title}</p>
            {children()}
        </div>
    }
}

/// A problem in the place of what could not be shown: not found, signed out, or another with a retry.
#[component]
pub fn ProblemPanel(
    problem: Problem,
    /// Asks again.
    retry: Callback<()>,
) -> impl IntoView {
    host::set_page_status(problem.status);
    match problem.status {
        404 => view! {
            <div class="panel" role="alert" data-testid="not-found">
                <p class="panel__title"><Icon glyph=Glyph::Search/>"Not found"</p>
                <p>{problem.detail}</p>
                <p class="hint">"It may have been deleted, or it belongs to another tenant."</p>
            </div>
        }
        .into_any(),
        401 => {
            let here = use_address();
            let href = move || format!("/sign-in?next={}", Url::escape(&here()));
            view! {
                <div class="panel" role="alert" data-testid="signed-out">
                    <p class="panel__title"><Icon glyph=Glyph::SignOut/>"You are signed out"</p>
                    <p>"Your session has ended."</p>
                    <a class="button button--primary" href=href rel="external">"Sign in again"</a>
                </div>
            }
            .into_any()
        }
        _ => view! {
            <div class="panel panel--problem" role="alert" data-testid="problem">
                <p class="panel__title"><Icon glyph=Glyph::Alert/>{problem.title}</p>
                <p>{problem.detail}</p>
                <Retry retry/>
            </div>
        }
        .into_any(),
    }
}

/// Asks again: in place, or by loading the page anew where there is no WebAssembly.
#[component]
pub fn Retry(retry: Callback<()>, #[prop(optional)] id: Option<&'static str>) -> impl IntoView {
    let here = use_address();
    let on_click = move |event: MouseEvent| {
        event.prevent_default();
        retry.run(());
    };
    view! {
        <a id=id class="button" href=here rel="external" on:click=on_click>
            <Icon glyph=Glyph::RunAgain/>
            "Try again"
        </a>
    }
}

/// What helps out of a refusal of this status, in a tab of its own, so that what was typed here is kept.
#[component]
pub fn WayOut(status: u16) -> impl IntoView {
    let here = use_address();
    let (href, words) = match status {
        401 => (Signal::stored("/sign-in".to_owned()), "Sign in"),
        412 => (Signal::derive(here), "Open theirs"),
        _ => return None,
    };
    Some(view! {
        <a class="button button--small" href=href target="_blank" data-testid="way-out">
            <Icon glyph=Glyph::External/>
            {words}
            <span class="visually-hidden">" (opens in a new tab)"</span>
        </a>
    })
}

/// What an action answered, if it was refused.
#[component]
pub fn ActionProblem<T>(#[prop(into)] outcome: Signal<Option<Result<T, Problem>>>) -> impl IntoView
where
    T: Clone + Send + Sync + 'static,
{
    move || match outcome.get() {
        Some(Err(problem)) => Some(view! {
            <p class="notice tone-bad" role="alert" data-testid="action-problem">
                <Icon glyph=Glyph::Alert/>
                <span>{words_of(&problem)} " " <WayOut status=problem.status/></span>
            </p>
        }),
        _ => None,
    }
}
