//! What is shown of each of several.

use std::sync::Arc;

use leptos::prelude::*;

/// One of them, and how to show it.
struct One {
    key: String,
    show: Box<dyn FnOnce() -> AnyView + Send>,
}

/// Shows each of several, known by its key: what is there already stays as it is, wherever it stands then.
///
/// As Leptos' `For`, of which there is another one for each kind: 7 KB of WASM each.
#[component]
pub fn Each<T, I, E, K, N, C, V>(
    /// The items. What it reads is tracked.
    each: E,
    /// What an item is known by, as text.
    key: K,
    /// Shows an item, once for each key.
    children: C,
) -> impl IntoView
where
    T: Send + 'static,
    I: IntoIterator<Item = T>,
    E: Fn() -> I + Send + Sync + 'static,
    K: Fn(&T) -> N + Send + Sync + 'static,
    N: ToString,
    C: Fn(T) -> V + Send + Sync + 'static,
    V: IntoView + 'static,
{
    let children = Arc::new(children);
    let show = move |item: T| {
        let (key, children) = (key(&item).to_string(), Arc::clone(&children));
        One { key, show: Box::new(move || children(item).into_any()) }
    };
    shown(Box::new(move || each().into_iter().map(&show).collect()))
}

fn shown(each: Box<dyn Fn() -> Vec<One> + Send + Sync>) -> AnyView {
    view! { <For each key=|one| one.key.clone() children=|one: One| (one.show)()/> }.into_any()
}
