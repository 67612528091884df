//! What follows from signals: Leptos' own, of which there is another one for each use, told apart by its closure. Boxed, they are
//! of one type, and weigh a kilobyte of WASM less each.

use leptos::prelude::*;

/// Runs in the browser once the page is there, and again after each change of what it reads.
pub fn effect(run: impl FnMut() + 'static) {
    fn boxed(mut run: Box<dyn FnMut()>) {
        Effect::new(move |_| run());
    }
    boxed(Box::new(run));
}

/// What is computed of what it reads, and heard of only where it comes out as another.
pub fn memo<T: PartialEq + Send + Sync + 'static>(
    compute: impl Fn() -> T + Send + Sync + 'static,
) -> Memo<T> {
    fn boxed<T: PartialEq + Send + Sync + 'static>(compute: Box<dyn Fn() -> T + Send + Sync>) -> Memo<T> {
        Memo::new(move |_| compute())
    }
    boxed(Box::new(compute))
}
