//! What is left of a request's body when it is answered.
//!
//! The next request on a connection begins where this one ends. Where the rest has not come in, hyper closes the connection,
//! but it looks for that only after it has written the head of an answer that was made at once: nothing in it says so, and
//! what the other side sends next is lost. So the rest is read, where it is little and comes at once; else the answer says
//! that the connection ends with it (RFC 9112, section 9.6).

use std::{
    convert::Infallible,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, ready},
    time::Duration,
};

use axum::{
    body::{Body, Bytes, HttpBody},
    extract::Request,
    http::{HeaderValue, Version, header},
    response::Response,
};
use futures::StreamExt;
use hyper::body::{Frame, Incoming, SizeHint};
use tokio::time::timeout;
use tower::{Service, ServiceExt};

/// How much of a body is read for the connection's sake, in bytes: a new connection costs less than to take in more.
const LITTLE: u64 = 64 << 10;

/// How long that is waited for. It is on its way where it was sent with the head; a slow sender holds up their own answer
/// alone, and no place: those are given back by then (`load::shed`).
const AT_ONCE: Duration = Duration::from_millis(100);

/// Answers a request by what lies behind. The body of one that has none costs nothing.
pub async fn answer<S>(router: S, request: Request<Incoming>) -> Result<Response, Infallible>
where
    S: Service<Request, Response = Response, Error = Infallible>,
{
    if request.body().is_end_stream() {
        return router.oneshot(request.map(Body::new)).await;
    }
    let version = request.version();
    // Whoever waits for a word before they send it will not send it after a refusal.
    let waits = request.headers().contains_key(header::EXPECT);
    let (parts, body) = request.into_parts();
    let source = Arc::new(Mutex::new(Source { body, so_far: SoFar::Going }));
    let request = Request::from_parts(parts, Body::new(Lent(Arc::clone(&source))));
    let mut response = router.oneshot(request).await?;
    let is_whole = match Arc::into_inner(source) {
        Some(source) => source.into_inner().unwrap_or_else(PoisonError::into_inner).read_out(waits).await,
        // Somebody reads on.
        None => false,
    };
    if !is_whole {
        end_after(&mut response, version);
    }
    Ok(response)
}

/// Says in an answer that the connection ends with it. `version` is the request's.
pub fn end_after(response: &mut Response, version: Version) {
    // Where the other side speaks 1.0, hyper would add `keep-alive` to an answer of 1.1.
    *response.version_mut() = version;
    response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
}

/// A body as it comes in.
struct Source {
    body: Incoming,
    so_far: SoFar,
}

/// How far a body has been read.
enum SoFar {
    Going,
    Ended,
    /// It broke off, or is none.
    Broken,
}

impl Source {
    /// Reads what is left, if it is little and comes at once. Gives whether the body has come in whole.
    async fn read_out(self, waits: bool) -> bool {
        match self.so_far {
            SoFar::Ended => return true,
            SoFar::Broken => return false,
            SoFar::Going if self.body.is_end_stream() => return true,
            SoFar::Going => {}
        }
        if waits || self.body.size_hint().lower() > LITTLE {
            return false;
        }
        let mut rest = Body::new(self.body).into_data_stream();
        let reading = async {
            let mut room = LITTLE;
            while let Some(part) = rest.next().await {
                let length = part.map(|part| part.len() as u64);
                let Some(left) = length.ok().and_then(|length| room.checked_sub(length)) else {
                    return false;
                };
                room = left;
            }
            true
        };
        timeout(AT_ONCE, reading).await.unwrap_or(false)
    }
}

/// The body as the handler has it. What it leaves can still be read.
struct Lent(Arc<Mutex<Source>>);

impl Lent {
    fn source(&self) -> MutexGuard<'_, Source> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl HttpBody for Lent {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let mut source = self.source();
        let frame = ready!(Pin::new(&mut source.body).poll_frame(cx));
        match &frame {
            Some(Ok(_)) => {}
            Some(Err(_)) => source.so_far = SoFar::Broken,
            None => source.so_far = SoFar::Ended,
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.source().body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.source().body.size_hint()
    }
}
