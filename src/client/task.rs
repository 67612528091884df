//! Giving way.

use std::time::Duration;

use futures::channel::oneshot;
use leptos::prelude::set_timeout;

/// Goes on in a task of its own, so that the browser can paint and hear of touches in between.
pub async fn next_task() {
    let (sender, begun) = oneshot::channel::<()>();
    set_timeout(move || drop(sender), Duration::ZERO);
    let _ = begun.await;
}
