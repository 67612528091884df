//! Bounds on what a request may take of the server: a place among those under way, and time.

use std::{
    any::Any,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use axum::{
    body::{Body, Bytes, HttpBody},
    extract::{Request, State},
    http::header,
    middleware::Next,
    response::Response,
};
use futures::{Stream, StreamExt};
use tokio::{sync::Semaphore, time::Instant};

use super::is_probe;
use crate::{
    server::{AppState, error::problem_response},
    shared::Problem,
};

/// A body that comes in more slowly than this, in bytes a second, uses up the request's time (slowloris).
const SLOWEST_BODY: u64 = 32 << 10;

/// The places of requests under way.
pub struct InFlight {
    places: Semaphore,
    most: usize,
}

impl InFlight {
    pub fn new(most: usize) -> Self {
        Self { places: Semaphore::new(most), most }
    }

    pub fn count(&self) -> usize {
        self.most.saturating_sub(self.places.available_permits())
    }
}

/// Refuses a request for which there is no place, before anything of it was read: the caller may come again, and
/// those under way are finished in time. Probes are always answered.
///
/// A place is held until the answer's head: who is slow to read an answer keeps nobody else waiting.
pub async fn shed(State(app): State<AppState>, request: Request, next: Next) -> Response {
    if is_probe(request.uri().path()) {
        return next.run(request).await;
    }
    match app.in_flight.places.try_acquire() {
        Ok(_place) => next.run(request).await,
        Err(_) => problem_response(Problem::new(503, "The server is busy. Try again in a moment")),
    }
}

/// Calls a request off that takes too long. The time to read its body is not counted, as long as it comes in at
/// `SLOWEST_BODY`: a large file may take its hour.
pub async fn hurry(State(app): State<AppState>, request: Request, next: Next) -> Response {
    let limit = app.config.edge.request_timeout;
    let body = Arc::new(Progress::default());
    let request = if request.body().is_end_stream() {
        body.end();
        request
    } else {
        let seen = Arc::clone(&body);
        request.map(|body| Body::from_stream(watched(body, seen)))
    };
    let started = Instant::now();
    let mut answer = std::pin::pin!(next.run(request));
    loop {
        let received = body.received();
        let deadline = started + limit + Duration::from_secs(received / SLOWEST_BODY);
        match tokio::time::timeout_at(deadline, answer.as_mut()).await {
            Ok(answer) => return answer,
            Err(_) if body.received() > received => {}
            Err(_) => break,
        }
    }
    problem_response(if body.has_ended() {
        let detail = format!(
            "This took longer than {} seconds and was called off. See whether it was done before you send it again",
            limit.as_secs()
        );
        Problem::new(504, detail)
    } else {
        Problem::new(408, "The body came in too slowly")
    })
}

/// What a body may have that is read whole, in bytes; axum's own default.
const LARGEST_BODY: u64 = 2 << 20;

/// Refuses a server function's arguments that are announced to be too large. One that comes in pieces is read up to
/// the same limit, and then refused in other words.
pub async fn refuse_large(request: Request, next: Next) -> Response {
    let announced = request.headers().get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok());
    if announced.and_then(|length| length.parse::<u64>().ok()).is_some_and(|length| length > LARGEST_BODY) {
        return problem_response(Problem::new(413, "The body is larger than this server takes"));
    }
    next.run(request).await
}

/// How far a body has been read.
#[derive(Default)]
struct Progress(AtomicU64);

impl Progress {
    /// Set when all has been read; no body is as long.
    const ENDED: u64 = 1 << 63;

    fn received(&self) -> u64 {
        self.0.load(Ordering::Relaxed) & !Self::ENDED
    }
    fn has_ended(&self) -> bool {
        self.0.load(Ordering::Relaxed) & Self::ENDED != 0
    }
    fn add(&self, bytes: usize) {
        self.0.fetch_add(bytes as u64, Ordering::Relaxed);
    }
    fn end(&self) {
        self.0.fetch_or(Self::ENDED, Ordering::Relaxed);
    }
}

fn watched(body: Body, progress: Arc<Progress>) -> impl Stream<Item = Result<Bytes, axum::Error>> {
    let seen = Arc::clone(&progress);
    body.into_data_stream()
        .inspect(move |part| {
            if let Ok(bytes) = part {
                seen.add(bytes.len());
            }
        })
        .chain(futures::stream::poll_fn(move |_| {
            progress.end();
            std::task::Poll::Ready(None)
        }))
}

/// The answer to a request that made the server panic: an id, under which the log has what was said.
pub fn panicked(cause: Box<dyn Any + Send + 'static>) -> Response {
    let said = cause
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| cause.downcast_ref::<&str>().copied())
        .unwrap_or("no words");
    let id = uuid::Uuid::now_v7();
    tracing::error!(error_id = %id, said, "a request panicked");
    problem_response(Problem::internal(id))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_body_is_watched_to_its_end() {
        let progress = Arc::new(Progress::default());
        let parts = futures::stream::iter([Ok::<_, std::io::Error>("abc"), Ok("de")]);
        let mut body = std::pin::pin!(watched(Body::from_stream(parts), Arc::clone(&progress)));
        assert!(body.next().await.is_some());
        assert_eq!((progress.received(), progress.has_ended()), (3, false));
        assert!(body.next().await.is_some());
        assert!(body.next().await.is_none());
        assert_eq!((progress.received(), progress.has_ended()), (5, true));
    }
}
