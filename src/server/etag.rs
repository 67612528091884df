//! Guards against lost updates: `ETag`, `If-Match` and `If-None-Match` (RFC 9110, sections 8.8.3, 13.1.1 and 13.1.2).

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
    /// Another one whenever what a `GET` answers differs. A type that has its own leaves out what changes by itself: an editor
    /// that is open would otherwise never be saved.
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
            && (given.trim() == "*" || given.split(',').any(|tag| tag.trim() == etag))
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
        let unfit =
            || Problem::invalid_field("If-Match", "must be *, or an ETag as it was given: in its quotes");
        let values: Vec<&str> = parts
            .headers
            .get_all(header::IF_MATCH)
            .iter()
            .map(|value| value.to_str())
            .collect::<Result<_, _>>()
            .map_err(|_| unfit())?;
        if values.is_empty() {
            return Ok(Self::any());
        }
        let given = values.join(",");
        if is_condition(&given) { Ok(Self(Some(given))) } else { Err(unfit().into()) }
    }
}

/// Whether it is `*`, or a list of entity tags, of which some may be weak.
fn is_condition(given: &str) -> bool {
    const SPACE: [char; 2] = [' ', '\t'];
    if given.trim_matches(SPACE) == "*" {
        return true;
    }
    let (mut rest, mut has_any) = (given, false);
    loop {
        // A list may have empty elements (section 5.6.1.2).
        rest = rest.trim_start_matches([' ', '\t', ',']);
        if rest.is_empty() {
            return has_any;
        }
        let opaque = rest.strip_prefix("W/").unwrap_or(rest).strip_prefix('"');
        let Some((tag, after)) = opaque.and_then(|opaque| opaque.split_once('"')) else { return false };
        rest = after.trim_start_matches(SPACE);
        if !tag.bytes().all(|byte| byte.is_ascii_graphic()) || !(rest.is_empty() || rest.starts_with(',')) {
            return false;
        }
        has_any = true;
    }
}

/// What must hold where a `PUT` may make what is not there: `If-Match`, and `If-None-Match: *`, by which nothing may be there.
#[derive(Clone, Debug, Default)]
pub struct Preconditions {
    if_match: IfMatch,
    is_to_be_new: bool,
}

impl Preconditions {
    /// # Errors
    /// 412.
    pub fn check<T: Versioned>(&self, stored: Option<&T>) -> Result<(), Problem> {
        self.if_match.check_if_any(stored)?;
        if self.is_to_be_new && stored.is_some() {
            return Err(Problem::new(412, "It is there already, and If-None-Match asks that it is not"));
        }
        Ok(())
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Preconditions {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self> {
        let if_match = IfMatch::from_request_parts(parts, state).await?;
        let given = parts.headers.get_all(header::IF_NONE_MATCH).iter().map(HeaderValue::as_bytes);
        let is_to_be_new = match given.collect::<Vec<_>>().as_slice() {
            [] => false,
            [one] if *one == b"*" => true,
            _ => {
                let why = "must be *: that nothing is there yet";
                return Err(Problem::invalid_field("If-None-Match", why).into());
            }
        };
        Ok(Self { if_match, is_to_be_new })
    }
}

#[cfg(test)]
mod tests {
    use axum::http::Request;

    use super::*;

    async fn read(values: &[&str]) -> Result<IfMatch, Problem> {
        let mut request = Request::builder();
        for value in values {
            request = request.header(header::IF_MATCH, *value);
        }
        let (mut parts, ()) = request.body(()).expect("a request").into_parts();
        IfMatch::from_request_parts(&mut parts, &()).await.map_err(Error::into_problem)
    }

    impl Versioned for u8 {
        fn etag(&self) -> String {
            format!("\"{self}\"")
        }
    }

    #[tokio::test]
    async fn what_is_no_condition_is_told_and_not_taken_for_a_change() {
        let none: &[&str] = &[];
        for (values, holds) in [
            (none, true),
            (&["*"], true),
            (&["\"7\""], true),
            (&["\"1\", \"7\""], true),
            (&["\"1\"", "\"7\""], true),
            (&[", \"7\" ,"], true),
            (&["\"1\""], false),
            (&["\"\""], false),
            // The comparison is the strong one.
            (&["W/\"7\""], false),
            (&["\"1,7\""], false),
        ] {
            let given = read(values).await.unwrap_or_else(|problem| panic!("{values:?}: {problem}"));
            let held = if holds { Ok(()) } else { Err(412) };
            assert_eq!(given.check(&7_u8).map_err(|problem| problem.status), held, "{values:?}");
        }
        for values in [
            &["7"][..],
            &["abc"],
            &["'7'"],
            &["\"7"],
            &["7\""],
            &["w/\"7\""],
            &["\"7\" \"1\""],
            &["\"7\"x"],
            &["\"a b\""],
            &["*", "\"7\""],
            &[""],
            &[","],
        ] {
            let problem = read(values).await.expect_err("no condition");
            assert_eq!(problem.status, 422, "{values:?}");
            assert_eq!(problem.detail, "If-Match: must be *, or an ETag as it was given: in its quotes");
        }
    }
}
