//! Paging by key: the thousandth page costs what the first does.

use axum::{
    http::{HeaderValue, Uri, header},
    response::{IntoResponse, Response},
};
use serde::Serialize;

pub use crate::shared::MAX_LIMIT;
use crate::shared::Problem;

/// At most `limit` items beyond `cursor`, the key of the last item of the page before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Page<K> {
    pub limit: i64,
    pub cursor: Option<K>,
}

pub const DEFAULT_LIMIT: i64 = 100;

impl<K: std::str::FromStr> Page<K> {
    /// The first page, as long as a page may be.
    pub fn first() -> Self {
        Self { limit: MAX_LIMIT, cursor: None }
    }

    /// From the query parameters `limit` and `cursor`.
    ///
    /// # Errors
    /// 422 naming the parameter.
    pub fn parse(limit: Option<&str>, cursor: Option<&str>) -> Result<Self, Problem> {
        let limit = match limit.map(str::parse::<i64>) {
            None => DEFAULT_LIMIT,
            Some(Ok(limit)) if (1..=MAX_LIMIT).contains(&limit) => limit,
            Some(_) => return Err(Problem::invalid_field("limit", "must be a number from 1 to 1000")),
        };
        let cursor = cursor
            .map(|text| {
                text.parse().map_err(|_| Problem::invalid_field("cursor", "is not one that was given"))
            })
            .transpose()?;
        Ok(Self { limit, cursor })
    }
}

/// A bare JSON array, with `Link: <…>; rel="next"` (RFC 8288) where the page is full.
pub fn list_response<T: Serialize, K: std::fmt::Display>(
    items: Vec<T>,
    limit: i64,
    uri: &Uri,
    key: impl Fn(&T) -> K,
) -> Response {
    let next = items.last().filter(|_| items.len() as i64 == limit).map(key);
    page_response(items, next, uri)
}

/// The same where what was read says by which cursor the next page begins, if there is one.
pub fn page_response<T: Serialize, K: std::fmt::Display>(
    items: Vec<T>,
    next: Option<K>,
    uri: &Uri,
) -> Response {
    let link = next.map(|cursor| {
        let kept = url::form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes())
            .filter(|(name, _)| name != "cursor");
        let query = url::form_urlencoded::Serializer::new(String::new())
            .extend_pairs(kept)
            .append_pair("cursor", &cursor.to_string())
            .finish();
        format!("<{}?{query}>; rel=\"next\"", uri.path())
    });
    let mut response = axum::Json(items).into_response();
    if let Some(link) = link.and_then(|link| HeaderValue::from_str(&link).ok()) {
        response.headers_mut().insert(header::LINK, link);
    }
    response
}
