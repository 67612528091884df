//! Guards against lost updates: `ETag` and `If-Match` (RFC 9110, sections 8.8.3 and 13.1.1).

use axum::{
    extract::FromRequestParts,
    http::{HeaderValue, header, request::Parts},
    response::{IntoResponse, Response},
};
use serde::Serialize;

use super::{Error, Result, token};
use crate::shared::Problem;

/// Something that is read, changed and written back.
pub trait Versioned: Serialize {
    /// A strong validator: another one whenever what a `GET` answers differs.
    fn etag(&self) -> String {
        let bytes = serde_json::to_vec(self).unwrap_or_default();
        format!("\"{}\"", token::hex(&token::hash_bytes(&bytes)[..12]))
    }
}

/// A JSON answer with its `ETag`.
#[derive(Debug)]
pub struct Tagged<T>(pub T);

impl<T: Versioned> IntoResponse for Tagged<T> {
    fn into_response(self) -> Response {
        let etag = HeaderValue::from_str(&self.0.etag());
        let mut response = axum::Json(self.0).into_response();
        if let Ok(etag) = etag {
            response.headers_mut().insert(header::ETAG, etag);
        }
        response
    }
}

/// The request's `If-Match`, if it has one.
#[derive(Clone, Debug, Default)]
pub struct IfMatch(Option<String>);

impl IfMatch {
    /// Holds for whatever is stored.
    pub fn any() -> Self {
        Self(None)
    }

    /// Holds for what the caller read with this tag.
    pub fn tag(etag: String) -> Self {
        Self(Some(etag))
    }

    /// Of what a form was filled from; the empty text holds for whatever is stored.
    pub fn given(etag: &str) -> Self {
        Self((!etag.is_empty()).then(|| etag.to_owned()))
    }

    /// Whether what is stored is what the caller read.
    ///
    /// # Errors
    /// 412.
    pub fn check<T: Versioned>(&self, stored: &T) -> Result<(), Problem> {
        self.check_if_any(Some(stored))
    }

    /// As `check`, of what may not be there: whatever the caller read, it is not that.
    ///
    /// # Errors
    /// 412.
    pub fn check_if_any<T: Versioned>(&self, stored: Option<&T>) -> Result<(), Problem> {
        let Some(given) = &self.0 else { return Ok(()) };
        // A weak validator never matches here: section 13.1.1 asks for the strong comparison.
        if let Some(etag) = stored.map(Versioned::etag)
            && given.split(',').map(str::trim).any(|tag| tag == "*" || tag == etag)
        {
            return Ok(());
        }
        Err(Problem::new(
            412,
            "It was changed since you read it. Read it again, and make your change to that",
        ))
    }
}

impl<S: Send + Sync> FromRequestParts<S> for IfMatch {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self> {
        let values: Vec<&str> = parts
            .headers
            .get_all(header::IF_MATCH)
            .iter()
            .map(|value| value.to_str())
            .collect::<Result<_, _>>()
            .map_err(|_| Problem::invalid_field("If-Match", "must be an ETag that was given"))?;
        Ok(Self((!values.is_empty()).then(|| values.join(","))))
    }
}
