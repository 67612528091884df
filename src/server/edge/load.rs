//! Bounds on what a request may take of the server: a place among those under way, and time.

use std::{
    any::Any,
    sync::{
        Arc, OnceLock, Weak,
        atomic::{AtomicU64, Ordering},
    },
    task::{Poll, ready},
    time::Duration,
};

use axum::{
    body::{Body, Bytes, HttpBody},
    extract::{Request, State},
    http::{Extensions, header},
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
    places: Arc<Semaphore>,
    most: usize,
}

impl InFlight {
    pub fn new(most: usize) -> Self {
        Self { places: Arc::new(Semaphore::new(most)), most }
    }

    pub fn count(&self) -> usize {
        self.most.saturating_sub(self.places.available_permits())
    }
}

/// What a request holds of the server, for what of it goes on when its caller hangs up. By itself this holds nothing:
/// a page that is being written keeps its request's head for longer than that is under way.
#[derive(Clone, Default)]
pub struct Held(Vec<Weak<dyn Any + Send + Sync>>);

impl Held {
    pub fn note<T: Send + Sync + 'static>(extensions: &mut Extensions, held: &Arc<T>) {
        let held = Arc::downgrade(held);
        extensions.get_or_insert_default::<Self>().0.push(held);
    }

    /// Holds all of it until that is dropped.
    pub fn hold(&self) -> Vec<Arc<dyn Any + Send + Sync>> {
        self.0.iter().filter_map(Weak::upgrade).collect()
    }
}

/// Refuses a request for which there is no place, before anything of it was read: the caller may come again, and
/// those under way are finished in time. Probes are always answered. How many places one may have, `limits` says.
///
/// A place is held until the answer's head: who is slow to read an answer keeps nobody else waiting.
pub async fn shed(State(app): State<AppState>, mut request: Request, next: Next) -> Response {
    if is_probe(request.uri().path()) {
        return next.run(request).await;
    }
    match Arc::clone(&app.in_flight.places).try_acquire_owned() {
        Ok(place) => {
            let place = Arc::new(place);
            Held::note(request.extensions_mut(), &place);
            next.run(request).await
        }
        Err(_) => problem_response(busy()),
    }
}

pub(super) fn busy() -> Problem {
    Problem::new(503, "The server is busy. Try again in a moment")
}

/// Calls a request off that takes too long. The time that reading its body took is not counted, as long as it comes in at
/// `SLOWEST_BODY`: a large file may take its hour. One that came at once buys no time.
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
    in_time(limit, &body, next.run(request)).await
}

/// The answer, or that it took too long: more than `limit` beside the time of the body.
async fn in_time(limit: Duration, body: &Progress, answer: impl Future<Output = Response>) -> Response {
    let started = Instant::now();
    let mut answer = std::pin::pin!(answer);
    loop {
        let not_counted = body.time();
        match tokio::time::timeout_at(started + limit + not_counted, answer.as_mut()).await {
            Ok(answer) => return answer,
            Err(_) if body.time() > not_counted => {}
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

/// How far a body has been read, and in what time.
#[derive(Default)]
struct Progress {
    bytes: AtomicU64,
    /// When it was first looked for.
    begun: OnceLock<Instant>,
    /// From then until its last part so far. Unit: milliseconds.
    took: AtomicU64,
}

impl Progress {
    /// Set when all has been read; no body is as long.
    const ENDED: u64 = 1 << 63;

    fn received(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed) & !Self::ENDED
    }
    fn has_ended(&self) -> bool {
        self.bytes.load(Ordering::Relaxed) & Self::ENDED != 0
    }
    fn begin(&self) -> Instant {
        *self.begun.get_or_init(Instant::now)
    }
    fn add(&self, bytes: usize) {
        self.bytes.fetch_add(bytes as u64, Ordering::Relaxed);
        let took = u64::try_from(self.begin().elapsed().as_millis()).unwrap_or(u64::MAX);
        self.took.store(took, Ordering::Relaxed);
    }
    fn end(&self) {
        self.bytes.fetch_or(Self::ENDED, Ordering::Relaxed);
    }

    /// What is not counted of a request's time: what reading took, but no more than `SLOWEST_BODY` allows.
    fn time(&self) -> Duration {
        let allowed = self.received().saturating_mul(1_000) / SLOWEST_BODY;
        Duration::from_millis(self.took.load(Ordering::Relaxed).min(allowed))
    }
}

fn watched(body: Body, progress: Arc<Progress>) -> impl Stream<Item = Result<Bytes, axum::Error>> {
    let mut parts = body.into_data_stream();
    futures::stream::poll_fn(move |cx| {
        progress.begin();
        let part = ready!(parts.poll_next_unpin(cx));
        match &part {
            Some(Ok(bytes)) => progress.add(bytes.len()),
            Some(Err(_)) => {}
            None => progress.end(),
        }
        Poll::Ready(part)
    })
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
    use axum::http::StatusCode;

    use super::*;

    #[test]
    fn what_is_held_is_given_back_unless_somebody_holds_on_to_it() {
        let places = Arc::new(Semaphore::new(1));
        let mut head = Extensions::new();
        let place = Arc::new(Arc::clone(&places).try_acquire_owned().expect("a place"));
        Held::note(&mut head, &place);
        let goes_on = head.get::<Held>().expect("what it holds").hold();
        drop(place);
        assert_eq!(places.available_permits(), 0);
        drop(goes_on);
        assert_eq!(places.available_permits(), 1, "a head that is kept holds nothing");
        assert!(head.get::<Held>().expect("what it held").hold().is_empty());
    }

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

    #[tokio::test]
    async fn a_large_body_that_came_at_once_buys_no_time() {
        let progress = Arc::new(Progress::default());
        let mut body = std::pin::pin!(watched(Body::from(vec![0_u8; 10 << 20]), Arc::clone(&progress)));
        while body.next().await.is_some() {}
        let begun = Instant::now();
        let answer = in_time(Duration::from_millis(50), &progress, std::future::pending()).await;
        assert_eq!(answer.status(), StatusCode::GATEWAY_TIMEOUT);
        assert!(begun.elapsed() < Duration::from_secs(60), "its size alone would have bought 320 s");
    }

    #[test]
    fn reading_is_not_counted_as_long_as_it_is_no_slower_than_it_may_be() {
        for (bytes, took, time) in [
            // At twice the least rate, at half of it, at once, and not at all.
            (64 * SLOWEST_BODY, 32_000, 32_000),
            (64 * SLOWEST_BODY, 128_000, 64_000),
            (64 * SLOWEST_BODY, 0, 0),
            (0, 5_000, 0),
            (SLOWEST_BODY / 2, 5_000, 500),
        ] {
            let (received, reading) = (AtomicU64::new(bytes), AtomicU64::new(took));
            let progress = Progress { bytes: received, took: reading, ..Progress::default() };
            progress.end();
            assert_eq!(progress.time(), Duration::from_millis(time), "{bytes} bytes in {took} ms");
        }
    }
}
