//! Axum's extractors with rejections that are problems, and that name the field at fault.

mod by_name;
pub mod exact;
mod words;

use axum::{
    body::{Body, Bytes},
    extract::{
        DefaultBodyLimit, FromRequest, FromRequestParts, RawPathParams, Request,
        rejection::{BytesRejection, RawPathParamsRejection},
    },
    http::{HeaderMap, StatusCode, header, request::Parts},
};
use serde::de::DeserializeOwned;

use super::{Error, Result};
use crate::shared::Problem;
use by_name::ByName;
pub use words::{in_words, not_known};

/// A JSON body, parsed strictly.
#[derive(Debug)]
pub struct Json<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Json<T> {
    type Rejection = Error;

    async fn from_request(request: Request, state: &S) -> Result<Self> {
        if !is_type(request.headers(), "application/json") {
            return Err(Problem::new(415, "The body must be application/json").into());
        }
        let bytes = body(request, state).await?;
        parse_json(&bytes).map(Self).map_err(Into::into)
    }
}

/// # Errors
/// 422 naming the path of the fault within the document, which a number is that would not be kept as it is written.
pub fn parse_json<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    refuse_nul(bytes)?;
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    let value = serde_path_to_error::deserialize(ByName(&mut deserializer))
        .map_err(|error| fault(&error.path().to_string(), &error.inner().to_string()))?;
    deserializer.end().map_err(|error| Problem::invalid_field("body", in_words(&error.to_string())))?;
    match exact::altered(bytes) {
        None => Ok(value),
        Some(field) => Err(exact::refused(field)),
    }
}

/// The problem of a document: `path` is where serde was, `message` what it said.
pub fn fault(path: &str, message: &str) -> Problem {
    // For an unknown, missing or repeated member, serde names it in its message alone.
    let named = ["unknown field `", "missing field `", "duplicate field `"]
        .iter()
        .find_map(|lead| message.split_once(lead)?.1.split_once('`').map(|(name, _)| name.to_owned()));
    let field = match (path, named) {
        ("." | "?", Some(name)) => name,
        ("." | "?", None) => "body".to_owned(),
        (path, Some(name)) if !path.ends_with(&name) => format!("{path}.{name}"),
        (path, _) => path.to_owned(),
    };
    Problem::invalid_field(field, in_words(message))
}

/// PostgreSQL stores no NUL in a text. In JSON it can only be written as an escape, which is rare enough to be
/// looked for first.
///
/// # Errors
/// 422 naming the path of the text that holds one.
pub fn refuse_nul(bytes: &[u8]) -> Result<(), Problem> {
    fn find(value: &serde_json::Value, path: &str) -> Option<String> {
        use serde_json::Value;
        let below = |name: &str| if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") };
        match value {
            Value::String(text) => text.contains('\0').then(|| path.to_owned()),
            Value::Array(items) => {
                items.iter().enumerate().find_map(|(i, item)| find(item, &format!("{path}[{i}]")))
            }
            Value::Object(members) => members.iter().find_map(|(name, value)| {
                if name.contains('\0') { Some(path.to_owned()) } else { find(value, &below(name)) }
            }),
            _ => None,
        }
    }
    if !bytes.windows(6).any(|window| window == br"\u0000") {
        return Ok(());
    }
    let document: serde_json::Value = serde_json::from_slice(bytes).unwrap_or_default();
    match find(&document, "") {
        Some(path) => {
            let field = if path.is_empty() { "body".to_owned() } else { path };
            Err(Problem::invalid_field(field, "must not hold NUL"))
        }
        None => Ok(()),
    }
}

/// The whole body.
///
/// # Errors
/// 413 where it is over the limit, 400 where it broke off.
pub async fn body<S: Send + Sync>(request: Request, state: &S) -> Result<Bytes> {
    let too_large = "The body is larger than this server takes";
    Bytes::from_request(request, state).await.map_err(|rejection| unread(&rejection, too_large).into())
}

/// The whole body, of `most` bytes at most, whatever the call itself takes. `too_large` is said of a larger one.
///
/// # Errors
/// 413 where it is over the limit, 400 where it broke off.
pub async fn body_within(body: Body, most: usize, too_large: &str) -> Result<Bytes> {
    let mut request = Request::new(body);
    DefaultBodyLimit::max(most).apply(&mut request);
    Bytes::from_request(request, &()).await.map_err(|rejection| unread(&rejection, too_large).into())
}

fn unread(rejection: &BytesRejection, too_large: &str) -> Problem {
    match rejection.status() {
        StatusCode::PAYLOAD_TOO_LARGE => Problem::new(413, too_large),
        _ => Problem::new(400, "The body could not be read to its end"),
    }
}

/// Whether `Content-Type` is `expected`, parameters aside.
pub fn is_type(headers: &HeaderMap, expected: &str) -> bool {
    headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.split(';').next())
        .is_some_and(|essence| essence.trim().eq_ignore_ascii_case(expected))
}

/// Whether the caller asks for a page, as a browser does that sends a form.
pub fn wants_page(headers: &HeaderMap) -> bool {
    headers
        .get(header::ACCEPT)
        .and_then(|value| value.to_str().ok())
        .is_some_and(|accept| accept.contains("text/html"))
}

/// The query's parameters. Each may stand once; an empty one counts as absent.
#[derive(Debug, Default)]
pub struct Query(Vec<(String, String)>);

impl<S: Send + Sync> FromRequestParts<S> for Query {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self> {
        let query = parts.uri.query().unwrap_or_default();
        let mut pairs: Vec<(String, String)> = Vec::new();
        for (name, value) in url::form_urlencoded::parse(query.as_bytes()).into_owned() {
            if pairs.iter().any(|(other, _)| *other == name) {
                return Err(Problem::invalid_field(name, "stands twice in the query").into());
            }
            if value.contains('\0') {
                return Err(Problem::invalid_field(name, "must not hold NUL").into());
            }
            pairs.push((name, value));
        }
        Ok(Self(pairs))
    }
}

impl Query {
    pub fn get(&self, name: &str) -> Option<&str> {
        let (_, value) = self.0.iter().find(|(other, value)| other == name && !value.is_empty())?;
        Some(value)
    }

    /// All that were given, but for `tenant_id`, which the context takes.
    pub fn pairs(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .filter(|(name, _)| *name != "tenant_id")
    }

    /// # Errors
    /// 422 naming the parameter.
    pub fn parsed<T: std::str::FromStr>(&self, name: &str) -> Result<Option<T>, Problem>
    where
        T::Err: std::fmt::Display,
    {
        let fault = |text: &str, error: T::Err| {
            if name.ends_with(ID) {
                not_valid(name, text)
            } else {
                Problem::invalid_field(name, in_words(&error.to_string()))
            }
        };
        self.get(name).map(|text| text.parse::<T>().map_err(|error| fault(text, error))).transpose()
    }

    /// `true` or `false`, in capitals too, as Python writes them; absent is false.
    ///
    /// # Errors
    /// 422 naming the parameter.
    pub fn flag(&self, name: &str) -> Result<bool, Problem> {
        match self.get(name).map(str::to_ascii_lowercase).as_deref() {
            None | Some("false" | "0") => Ok(false),
            Some("true" | "1") => Ok(true),
            Some(_) => Err(Problem::invalid_field(name, "must be true or false")),
        }
    }

    /// From `limit` and `cursor`.
    ///
    /// # Errors
    /// 422 naming the parameter.
    pub fn page<K: std::str::FromStr>(&self) -> Result<super::paging::Page<K>, Problem> {
        super::paging::Page::parse(self.get("limit"), self.get("cursor"))
    }
}

/// # Errors
/// 422 for a path that is no UTF-8 once it is decoded.
async fn path_params<S: Send + Sync>(parts: &mut Parts, state: &S) -> Result<RawPathParams> {
    RawPathParams::from_request_parts(parts, state).await.map_err(|rejection| match rejection {
        RawPathParamsRejection::InvalidUtf8InPathParam(_) => {
            Problem::invalid_field("path", "must be UTF-8 where it is percent-encoded").into()
        }
        other => Error::internal(other),
    })
}

/// The two parameters of the path, in their order.
#[derive(Debug)]
pub struct PathIds<A, B>(pub A, pub B);

impl<A: std::str::FromStr, B: std::str::FromStr, S: Send + Sync> FromRequestParts<S> for PathIds<A, B> {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self> {
        let params = path_params(parts, state).await?;
        let mut params = params.iter();
        let mut next =
            || params.next().ok_or_else(|| Error::internal("the route has fewer than two parameters"));
        let (first, second) = (next()?, next()?);
        Ok(Self(parsed_id(first)?, parsed_id(second)?))
    }
}

fn parsed_id<T: std::str::FromStr>((name, value): (&str, &str)) -> Result<T, Problem> {
    value.parse().map_err(|_| not_valid(name, value))
}

/// How the names of parameters end that are ids.
const ID: &str = "_id";

fn not_valid(name: &str, value: &str) -> Problem {
    let what = if name.ends_with(ID) { "id" } else { name };
    Problem::invalid_field(name, format!("'{value}' is not a valid {what}"))
}

/// The one parameter of the path.
#[derive(Debug)]
pub struct PathId<T>(pub T);

impl<T: std::str::FromStr, S: Send + Sync> FromRequestParts<S> for PathId<T> {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self> {
        let params = path_params(parts, state).await?;
        let first = params.iter().next().ok_or_else(|| Error::internal("the route has no parameter"))?;
        Ok(Self(parsed_id(first)?))
    }
}

#[cfg(test)]
mod tests {
    use chrono::{DateTime, Utc};

    use super::*;
    use crate::shared::{EmailId, IntentId};

    const MOMENT: &str = "must be a moment such as 2026-11-30T00:00:00Z";

    #[test]
    fn what_is_no_moment_is_told_what_one_looks_like() {
        for text in
            ["2026-11-30", "30.11.2026", "tomorrow", "2026-13-01T00:00:00Z", "2026-11-30T00:00:00Z!", "1"]
        {
            let query = Query(vec![("from".to_owned(), text.to_owned())]);
            let problem = query.parsed::<DateTime<Utc>>("from").expect_err(text);
            assert_eq!(problem.detail, format!("from: {MOMENT}"), "{text}");
            let body = serde_json::to_vec(&[text]).expect("JSON");
            let problem = parse_json::<Vec<DateTime<Utc>>>(&body).expect_err(text);
            assert_eq!(problem.detail, format!("[0]: {MOMENT}"), "{text}");
        }
        let query = Query(vec![("from".to_owned(), "2026-11-30T00:00:00Z".to_owned())]);
        assert!(query.parsed::<DateTime<Utc>>("from").is_ok());
    }

    #[test]
    fn a_parameter_is_told_by_what_it_is() {
        let query = Query(vec![("intent_id".to_owned(), "x".to_owned())]);
        let problem = query.parsed::<IntentId>("intent_id").expect_err("no id");
        assert_eq!(problem.detail, "intent_id: 'x' is not a valid id");
        for (name, detail) in
            [("index", "index: 'x' is not a valid index"), ("path", "path: 'x' is not a valid path")]
        {
            assert_eq!(parsed_id::<u32>((name, "x")).expect_err("no number").detail, detail);
        }
        assert_eq!(
            parsed_id::<EmailId>(("email_id", "x")).expect_err("no id").detail,
            "email_id: 'x' is not a valid id"
        );
    }
}
