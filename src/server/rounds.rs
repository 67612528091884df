//! Work that nobody rings for: every server looks for it from time to time.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

/// Goes round until `stop`: first after `soon`, then after the pause that the round before gave. A round is ended before it
/// stops.
pub async fn rounds<R: Future<Output = Duration>>(
    soon: Duration,
    stop: CancellationToken,
    mut round: impl FnMut() -> R,
) {
    let mut pause = soon;
    loop {
        // Servers that started together need not look together.
        tokio::select! {
            () = tokio::time::sleep(pause.mul_f64(rand::random_range(1.0..1.2))) => {}
            () = stop.cancelled() => return,
        }
        pause = round().await;
    }
}
