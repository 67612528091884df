//! What is shown only sometimes.

use leptos::{children::ViewFn, either::Either, prelude::*};

/// Shows its children while something holds; it is made anew only when that changes.
///
/// As Leptos' `Show`, of which there is another one for each use: 4 KB of WASM each.
#[component]
pub fn Only<W>(when: W, children: ChildrenFn, #[prop(optional, into)] fallback: ViewFn) -> impl IntoView
where
    W: Fn() -> bool + Send + Sync + 'static,
{
    let when: Box<dyn Fn() -> bool + Send + Sync> = Box::new(when);
    shown(when, children, fallback)
}

fn shown(when: Box<dyn Fn() -> bool + Send + Sync>, children: ChildrenFn, fallback: ViewFn) -> AnyView {
    let holds = ArcMemo::new(move |_| when());
    // Never the one in the place of the other.
    (move || if holds.get() { Either::Left(children()) } else { Either::Right(fallback.run()) }).into_any()
}
