//! Makes pages smaller on their way, for the browsers of those who asked for them.
//!
//! How long a compressed answer is tells of what is in it: another site that makes a browser ask again and again for
//! a page with its own guess in it, and sees the length go by, reads what else stands there (BREACH, CVE-2013-3587).
//! So nothing is compressed but a page to which the browser says that no other site led (Fetch Metadata, W3C). Nor is
//! what a page asks for by itself: a message that a stranger sends makes a list ask anew, and stands in the answer. What
//! has no session at stake, as style sheets and WASM, lies compressed beside itself already.

use axum::{
    extract::Request,
    http::{Extensions, HeaderMap, HeaderValue},
    middleware::Next,
    response::Response,
};
use tower_http::{
    CompressionLevel,
    compression::{
        CompressionLayer, DefaultPredicate, Predicate,
        predicate::{And, SizeAbove},
    },
};

/// What a page's answer bears if it may be compressed.
#[derive(Clone, Copy)]
struct Asked;

/// In bytes. A shorter answer fits in its first packet either way.
const LEAST: u64 = 1024;

/// Compresses what [`allow`] has marked, if the browser takes it so. Lies around it.
pub fn layer() -> CompressionLayer<And<And<DefaultPredicate, SizeAbove>, impl Predicate>> {
    let is_asked = |_, _, _: &_, extensions: &Extensions| extensions.get::<Asked>().is_some();
    CompressionLayer::new()
        .quality(CompressionLevel::Fastest)
        .compress_when(DefaultPredicate::new().and(SizeAbove::new(LEAST)).and(is_asked))
}

/// Marks the answer to a request that its reader made the browser send.
pub async fn allow(request: Request, next: Next) -> Response {
    let is_own = is_the_readers(request.headers());
    let mut response = next.run(request).await;
    if is_own {
        response.extensions_mut().insert(Asked);
    }
    response
}

fn is_the_readers(headers: &HeaderMap) -> bool {
    let said = |name| headers.get(name).map(HeaderValue::as_bytes);
    matches!(said("sec-fetch-site"), Some(b"same-origin" | b"none"))
        && said("sec-fetch-mode") == Some(b"navigate")
}
