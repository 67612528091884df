//! Which other sites' pages may call the API from a browser (`CORS_ORIGINS`; Fetch, section 3.2).
//!
//! They do so by key alone: credentials are never allowed, so no other site can use somebody's session, whether it
//! is listed or not. `refuse_cross_site` holds for them as for any other.

use std::{sync::Arc, time::Duration};

use axum::{
    extract::{Request, State},
    http::{HeaderName, HeaderValue, Method, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use tower::{Layer, ServiceExt};
use tower_http::cors::{AllowOrigin, CorsLayer};

use super::is_api;
use crate::server::config::Config;

/// How long a browser may keep the answer to a preflight.
const PREFLIGHT_AGE: Duration = Duration::from_secs(600);

/// The policy of this installation; `None` where no other site may call.
#[derive(Clone)]
pub struct Cors(Option<Arc<CorsLayer>>);

impl Cors {
    pub fn new(config: &Config) -> Self {
        let origins = &config.cors_origins;
        let allowed = if origins.is_empty() {
            return Self(None);
        } else if origins.iter().any(|origin| origin == "*") {
            AllowOrigin::any()
        } else {
            // Checked when the configuration was read: each is an origin, and so a header's value.
            AllowOrigin::list(origins.iter().filter_map(|origin| HeaderValue::from_str(origin).ok()))
        };
        let own = HeaderName::from_static;
        let layer = CorsLayer::new()
            .allow_origin(allowed)
            .allow_methods([Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE])
            .allow_headers([
                header::AUTHORIZATION,
                header::CONTENT_TYPE,
                header::IF_MATCH,
                header::IF_NONE_MATCH,
                own("idempotency-key"),
                own("x-request-id"),
            ])
            .expose_headers([
                header::ETAG,
                header::LINK,
                header::LOCATION,
                header::RETRY_AFTER,
                own("idempotency-replayed"),
                own("x-request-id"),
            ])
            .max_age(PREFLIGHT_AGE);
        Self(Some(Arc::new(layer)))
    }
}

/// Answers preflights to the API, and marks its answers. Pages are nobody else's.
pub async fn allow(State(cors): State<Cors>, request: Request, next: Next) -> Response {
    match &cors.0 {
        Some(layer) if is_api(request.uri().path()) => {
            layer.layer(next).oneshot(request).await.into_response()
        }
        _ => next.run(request).await,
    }
}
