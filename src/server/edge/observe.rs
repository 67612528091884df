//! Every request gets an id, a span that all its log lines stand in, its place in the figures, and a line of its own.

use std::{
    sync::{Arc, OnceLock},
    time::Instant,
};

use axum::{
    extract::{MatchedPath, Request, State},
    http::{HeaderValue, Method},
    middleware::Next,
    response::Response,
};
use tracing::Instrument;

use super::limits;
use crate::{
    server::{
        AppState,
        origin::Origin,
        telemetry::{self, REQUESTS},
    },
    shared::TenantId,
};

const REQUEST_ID: &str = "x-request-id";

/// Longer ones are not believed.
const MAX_ID: usize = 64;

/// So much of a path is logged, in bytes.
const LONGEST_PATH: usize = 200;

/// A route's parameters that are secrets: what they stand for is not written down.
const SECRETS: [&str; 4] = ["{token}", "{code}", "{secret}", "{key}"];

/// Marks the request and its answer with an id: the one it came with, if that looks like one, so that it can be
/// followed through proxies; otherwise a new one.
pub async fn identify(mut request: Request, next: Next) -> Response {
    let given = request.headers().get(REQUEST_ID).filter(|value| is_id(value.as_bytes())).cloned();
    let id = given
        .or_else(|| HeaderValue::from_str(&uuid::Uuid::now_v7().to_string()).ok())
        .unwrap_or_else(|| HeaderValue::from_static("-"));
    request.headers_mut().insert(REQUEST_ID, id.clone());
    let mut response = next.run(request).await;
    response.headers_mut().insert(REQUEST_ID, id);
    response
}

/// Whether it is an id as proxies and tracing libraries make them, and so can stand in a log and in a header.
fn is_id(id: &[u8]) -> bool {
    (1..=MAX_ID).contains(&id.len())
        && id.iter().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'))
}

/// What a request turned out to be about: its line in the log tells it.
#[derive(Clone, Default)]
pub struct About(Arc<OnceLock<TenantId>>);

impl About {
    /// Notes the tenant that the caller stepped into. The first stays.
    pub fn note(&self, tenant: &TenantId) {
        let _ = self.0.set(tenant.clone());
    }

    fn tenant(&self) -> Option<&str> {
        self.0.get().map(TenantId::as_str)
    }
}

/// Opens the span, counts the request, and logs it once it is answered: as a warning where the server failed, and not at all
/// where it is a probe or a file that is the same for everybody.
///
/// The query stands in neither: it holds what people searched for. The path stands in the log as it was asked for,
/// since it names what the line is about; as its route, where a part of it is a secret; and not at all where it
/// leads nowhere, since nobody knows what it holds.
pub async fn observe(State(app): State<AppState>, mut request: Request, next: Next) -> Response {
    let route = request.extensions().get::<MatchedPath>().cloned();
    let route = route.as_ref().map(MatchedPath::as_str);
    let method = method_name(request.method());
    let about = About::default();
    request.extensions_mut().insert(about.clone());
    let (parts, body) = request.into_parts();
    let is_told = limits::is_counted(&app, parts.uri.path());
    let path = logged_path(route, parts.uri.path()).to_owned();
    let Origin { address, request_id } = Origin::of(&app, &parts);
    let request_id = request_id.as_deref().unwrap_or("-");
    let name = telemetry::request_name(&app.config, method, route);
    let span = tracing::info_span!(
        "request",
        request_id,
        method,
        path,
        otel.name = name.as_deref(),
        otel.kind = name.as_ref().map(|_| "server")
    );
    let started = Instant::now();
    let response = next.run(Request::from_parts(parts, body)).instrument(span.clone()).await;
    let (status, took) = (response.status(), started.elapsed());
    app.metrics.answered(method, route.unwrap_or("none"), status.as_u16(), took);
    // Only where it is traced: each request would pay for it.
    if name.is_some() {
        telemetry::answered(&span, method, route, status);
    }
    let has_failed = status.is_server_error();
    let (status, latency_ms) = (status.as_u16(), took.as_secs_f64() * 1_000.0);
    let (address, tenant) = (address.map(tracing::field::display), about.tenant());
    // Outside of the span, which a log of requests alone does not take in.
    macro_rules! tell {
        ($level:ident) => {
            tracing::$level!(
                target: REQUESTS,
                request_id,
                method,
                path,
                status,
                latency_ms,
                address,
                tenant,
                "answered"
            )
        };
    }
    if has_failed {
        tell!(warn);
    } else if is_told {
        tell!(info);
    }
    response
}

fn logged_path<'a>(route: Option<&'a str>, path: &'a str) -> &'a str {
    match route {
        Some(route) if SECRETS.iter().any(|secret| route.contains(secret)) => route,
        // Of a call that there is not, any.
        Some("/api/{*rest}") | None => "-",
        // So long a line is what a stranger chooses.
        Some(_) => &path[..path.floor_char_boundary(LONGEST_PATH)],
    }
}

/// Of the methods that a stranger may make up, one word.
fn method_name(method: &Method) -> &'static str {
    match method.as_str() {
        "GET" => "GET",
        "HEAD" => "HEAD",
        "POST" => "POST",
        "PUT" => "PUT",
        "PATCH" => "PATCH",
        "DELETE" => "DELETE",
        "OPTIONS" => "OPTIONS",
        _ => "other",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_short_and_plain() {
        for good in ["a", "0190-abc", "Root.1_2", &"x".repeat(64)] {
            assert!(is_id(good.as_bytes()), "{good}");
        }
        for bad in ["", "a b", "a\nb", "a\"b", "ä", "{}", "a;b", &"x".repeat(65)] {
            assert!(!is_id(bad.as_bytes()), "{bad}");
        }
    }

    #[test]
    fn no_secret_and_nothing_unknown_is_logged() {
        assert_eq!(logged_path(Some("/api/emails/{email_id}"), "/api/emails/7"), "/api/emails/7");
        assert_eq!(logged_path(Some("/sign-in/{token}"), "/sign-in/s3cret"), "/sign-in/{token}");
        assert_eq!(logged_path(None, "/sign-in/s3cret/"), "-");
        assert_eq!(logged_path(Some("/api/{*rest}"), "/api/sign-in/s3cret"), "-");
        let long = format!("/api/emails/{}", "ä".repeat(20_000));
        assert_eq!(logged_path(Some("/api/emails/{email_id}"), &long).len(), LONGEST_PATH);
    }
}
