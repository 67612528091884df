//! The one error that leaves the server, for REST and server functions alike.

use leptos::server_fn::{codec::JsonEncoding, error::FromServerFnError};
use serde::{Deserialize, Serialize};

use crate::ui::host;

/// An RFC 9457 problem: `{"type", "title", "status", "detail", "errors"}`.
///
/// `detail` is the sentence that a person reads. `errors` names the fields at fault, if any.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
#[error("{detail}")]
pub struct Problem {
    #[serde(rename = "type")]
    pub kind: String,
    pub title: String,
    pub status: u16,
    pub detail: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<FieldError>,
    /// Seconds after which to come again: the header `Retry-After`, not a member of the body.
    #[serde(skip)]
    pub retry_after: Option<u64>,
}

/// What is wrong with one field. `field` is a path as in `validation_rules[0].priority`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
pub struct FieldError {
    pub field: String,
    pub message: String,
}

impl FieldError {
    pub fn new(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self { field: field.into(), message: message.into() }
    }
}

impl Problem {
    /// A problem of this HTTP status; its title is the status' own reason phrase (RFC 9110).
    pub fn new(status: u16, detail: impl Into<String>) -> Self {
        let title = match status {
            400 => "Bad Request",
            401 => "Unauthorized",
            403 => "Forbidden",
            404 => "Not Found",
            405 => "Method Not Allowed",
            408 => "Request Timeout",
            409 => "Conflict",
            412 => "Precondition Failed",
            413 => "Content Too Large",
            415 => "Unsupported Media Type",
            422 => "Unprocessable Content",
            429 => "Too Many Requests",
            503 => "Service Unavailable",
            504 => "Gateway Timeout",
            _ => "Internal Server Error",
        };
        Self {
            kind: "about:blank".into(),
            title: title.into(),
            status,
            detail: detail.into(),
            errors: Vec::new(),
            retry_after: None,
        }
    }

    pub fn business_rule(detail: impl Into<String>) -> Self {
        Self::new(400, detail)
    }
    /// Too many of these; what is left of the wait is rounded up to seconds.
    pub fn too_many(wait: std::time::Duration) -> Self {
        let seconds = wait.as_secs() + 1;
        let detail = format!("Too many tries. Try again in {seconds} seconds");
        Self { retry_after: Some(seconds), ..Self::new(429, detail) }
    }
    pub fn unauthorized() -> Self {
        Self::new(401, "Sign in, or send an API key as a bearer token")
    }
    pub fn forbidden(detail: impl Into<String>) -> Self {
        Self::new(403, detail)
    }
    /// `Intent 123 not found`: the same sentence whether it is missing or another tenant's.
    pub fn not_found(what: &str, id: impl std::fmt::Display) -> Self {
        Self::new(404, format!("{what} {id} not found"))
    }
    /// `Intent 'Sales' already exists`.
    pub fn already_exists(what: &str, name: &str) -> Self {
        Self::new(409, format!("{what} '{name}' already exists"))
    }
    /// A malformed body or parameter, its fields named.
    pub fn invalid(errors: Vec<FieldError>) -> Self {
        let detail = errors
            .iter()
            .map(|error| format!("{}: {}", error.field, error.message))
            .collect::<Vec<_>>()
            .join("; ");
        Self { errors, ..Self::new(422, detail) }
    }
    pub fn invalid_field(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self::invalid(vec![FieldError::new(field, message)])
    }
    /// Says nothing of the cause but an id that is in the log.
    pub fn internal(id: impl std::fmt::Display) -> Self {
        Self::new(500, format!("Something went wrong here. The log has it under {id}"))
    }
}

impl FromServerFnError for Problem {
    type Encoder = JsonEncoding;

    fn from_server_fn_error(value: leptos::server_fn::error::ServerFnErrorErr) -> Self {
        use leptos::server_fn::error::ServerFnErrorErr as E;
        let problem = match value {
            E::Request(_) => Self::new(503, "The server cannot be reached. Try again in a moment"),
            E::Args(message) | E::MissingArg(message) => Self::new(422, message),
            // On the server, a body that cannot be read; in the browser, an answer that cannot.
            E::Deserialization(message) if cfg!(feature = "ssr") => Self::new(422, message),
            // The text of any other error may say more than a caller should know.
            _ => Self::new(500, "Something went wrong here"),
        };
        // Where a request could not even be read, nobody else sets the status of its answer.
        host::set_page_status(problem.status);
        problem
    }
}
