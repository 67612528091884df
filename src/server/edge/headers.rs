//! What each answer tells a browser that it may be used for (OWASP, HTTP Headers Cheat Sheet).
//!
//! A header that a handler has set is kept: so a page that needs a policy of its own, such as the API's browser,
//! sets `Content-Security-Policy` itself.

use std::sync::Arc;

use axum::{
    extract::{Request, State},
    http::{HeaderMap, HeaderName, HeaderValue, header},
    middleware::Next,
    response::Response,
};
use leptos::{nonce::use_nonce, prelude::use_context};
use leptos_axum::ResponseOptions;

use super::site;
use crate::server::{AppState, config::Config};

/// For whatever is no page: nothing in it is run, shown in a frame, or loads anything.
const DATA_POLICY: &str = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// A year, in seconds. Sub-domains are somebody else's to decide on.
const HSTS: &str = "max-age=31536000";

const PERMISSIONS: &str = "camera=(), display-capture=(), geolocation=(), microphone=(), payment=(), usb=()";

/// The headers of every answer.
#[derive(Clone)]
pub struct SecurityHeaders(Arc<HeaderMap>);

impl SecurityHeaders {
    pub fn new(config: &Config) -> Self {
        let mut headers = HeaderMap::new();
        let mut set = |name: HeaderName, value: &'static str| {
            headers.insert(name, HeaderValue::from_static(value));
        };
        set(header::CONTENT_SECURITY_POLICY, DATA_POLICY);
        set(header::X_CONTENT_TYPE_OPTIONS, "nosniff");
        set(header::X_FRAME_OPTIONS, "DENY");
        set(header::REFERRER_POLICY, "same-origin");
        set(HeaderName::from_static("permissions-policy"), PERMISSIONS);
        set(HeaderName::from_static("cross-origin-opener-policy"), "same-origin");
        set(HeaderName::from_static("cross-origin-resource-policy"), "same-origin");
        if config.public_url.as_ref().is_some_and(|url| url.scheme() == "https") {
            set(header::STRICT_TRANSPORT_SECURITY, HSTS);
        }
        Self(Arc::new(headers))
    }
}

/// One person's, as nearly every answer is: a browser that keeps it shows it to whoever comes to it after them.
const UNKEPT: HeaderValue = HeaderValue::from_static("no-store");

/// Adds what the handler has not set.
pub async fn add(State(headers): State<SecurityHeaders>, request: Request, next: Next) -> Response {
    let is_for_all = is_for_all(request.uri().path());
    let mut response = next.run(request).await;
    for (name, value) in headers.0.iter() {
        response.headers_mut().entry(name).or_insert_with(|| value.clone());
    }
    if !is_for_all {
        response.headers_mut().entry(header::CACHE_CONTROL).or_insert(UNKEPT);
    }
    response
}

/// Whether what lies there is a file that is the same for everybody: browsers keep it as they think fit. Those of the
/// browser's side say themselves how they are kept.
fn is_for_all(path: &str) -> bool {
    site::PUBLIC.contains(&path) || path.starts_with("/docs/")
}

/// Sets the policy of the page that is being rendered: scripts and styles run by the nonce that stands in this
/// page alone. Elsewhere, as in a server function, there is no nonce, and nothing is done.
pub fn set_page_policy(app: &AppState) {
    let (Some(nonce), Some(response)) = (use_nonce(), use_context::<ResponseOptions>()) else { return };
    // `cargo leptos watch` tells the page by a WebSocket that there is something new.
    let reload = std::env::var_os("LEPTOS_WATCH").map(|_| app.leptos.reload_port);
    if let Ok(value) = HeaderValue::from_str(&page_policy(&nonce, reload)) {
        response.insert_header(header::CONTENT_SECURITY_POLICY, value);
    }
}

fn page_policy(nonce: &str, reload_port: Option<u32>) -> String {
    let reload = reload_port.map(|port| format!(" ws://*:{port} wss://*:{port}")).unwrap_or_default();
    format!(
        "default-src 'self'; script-src 'strict-dynamic' 'nonce-{nonce}' 'wasm-unsafe-eval'; \
         style-src 'self' 'nonce-{nonce}'; img-src 'self' data:; connect-src 'self'{reload}; frame-src 'self'; \
         frame-ancestors 'none'; base-uri 'none'; object-src 'none'; form-action 'self'"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_the_same_for_everybody_alone_may_be_kept() {
        for path in ["/favicon.ico", "/robots.txt", "/docs/", "/docs/swagger-ui.css"] {
            assert!(is_for_all(path), "{path}");
        }
        for path in ["/", "/docs", "/docsx", "/api/emails", "/ui/me", "/t/acme", "/favicon.ico/x", "/healthz"]
        {
            assert!(!is_for_all(path), "{path}");
        }
    }

    #[test]
    fn a_page_runs_what_bears_its_nonce_and_nothing_inline() {
        let policy = page_policy("abc", None);
        assert!(
            !policy.contains("unsafe-inline") && !policy.contains("'unsafe-eval'") && !policy.contains('*')
        );
        assert_eq!(policy.matches("'nonce-abc'").count(), 2);
        assert!(page_policy("abc", Some(3001)).contains("connect-src 'self' ws://*:3001 wss://*:3001;"));
    }
}
