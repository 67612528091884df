//! The error of the server side, and how it leaves: as a problem (RFC 9457), its cause in the log alone.

use std::io;

use axum::{
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};

use crate::shared::{FieldError, Problem, validate::Checks};

pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What can go wrong in a service.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The caller's to know and to mend.
    #[error(transparent)]
    Problem(#[from] Problem),
    /// Of our own database: a worker tries again, and nothing is judged by it. The caller gets an id, or learns that it
    /// took too long or that the database is lost.
    #[error(transparent)]
    Database(sqlx::Error),
    /// Ours: logged once, at the boundary; the caller gets an id.
    #[error("{0}")]
    Internal(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl Error {
    pub fn internal(source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::Internal(source.into())
    }

    /// The problem to answer with. An internal error is logged here, once.
    pub fn into_problem(self) -> Problem {
        match self {
            Self::Problem(problem) => problem,
            // `query_canceled`: what a request's statement may take was over before the request's own time.
            Self::Database(error) if has_code(&error, &["57014"]) => Problem::new(
                504,
                "This took the database too long and was called off. Ask for less, or try again later",
            ),
            Self::Database(error) if is_lost(&error) => away(&error),
            Self::Database(error) => failed(&error),
            Self::Internal(source) => failed(source.as_ref()),
        }
    }
}

fn failed(error: &(dyn std::error::Error + 'static)) -> Problem {
    let id = uuid::Uuid::now_v7();
    tracing::error!(error_id = %id, error = %chain(error), "request failed");
    Problem::internal(id)
}

/// Whether PostgreSQL has one of these words for what is wrong (its documentation, appendix A).
fn has_code(error: &sqlx::Error, codes: &[&str]) -> bool {
    let code = error.as_database_error().and_then(|error| error.code());
    code.is_some_and(|code| codes.contains(&&*code))
}

/// Whether PostgreSQL's word for what is wrong begins with one of these.
fn is_of_class(error: &sqlx::Error, classes: &[&str]) -> bool {
    let code = error.as_database_error().and_then(|error| error.code());
    code.is_some_and(|code| classes.iter().any(|class| code.starts_with(class)))
}

/// Whether the database says itself that it takes nothing now: it ends or starts (class 57P), has no room or no
/// connections left (53), refuses connections (08), or is one that is only read from, since another took its place (25006).
fn is_away(error: &sqlx::Error) -> bool {
    is_of_class(error, &["57P", "53", "08", "25006"])
}

/// Whether the database cannot be reached, or was lost on the way. Nothing was stored then: what a transaction did goes
/// with its connection. Not where that was at a COMMIT (`in_doubt`).
fn is_lost(error: &sqlx::Error) -> bool {
    use sqlx::Error::{Io, PoolClosed, Tls, WorkerCrashed};
    matches!(error, Io(_) | Tls(_) | PoolClosed | WorkerCrashed) && !is_in_doubt(error)
}

/// Of a COMMIT to which no answer came.
#[derive(Debug, thiserror::Error)]
#[error("it is not known whether this was stored: {0}")]
struct InDoubt(#[source] sqlx::Error);

/// The error of a COMMIT. Where the database was lost in it, nobody knows what came of it: it is marked, so that no
/// caller is told that nothing was stored.
pub fn in_doubt(error: sqlx::Error) -> sqlx::Error {
    if is_lost(&error) || is_of_class(&error, &["57P", "08"]) {
        io::Error::other(InDoubt(error)).into()
    } else {
        error
    }
}

fn is_in_doubt(error: &sqlx::Error) -> bool {
    matches!(error, sqlx::Error::Io(error) if error.get_ref().is_some_and(|cause| cause.is::<InDoubt>()))
}

/// Of a connection that could not be had because there is none to be had, and why.
#[derive(Debug, thiserror::Error)]
#[error("the database cannot be reached: {0}")]
struct Unreachable(String);

/// The error of whoever waited for a connection in vain, where the database cannot be reached: that is no overload. It is
/// logged where it is found out.
pub fn unreachable(why: String) -> sqlx::Error {
    io::Error::other(Unreachable(why)).into()
}

fn is_unreachable(error: &sqlx::Error) -> bool {
    matches!(error, sqlx::Error::Io(error) if error.get_ref().is_some_and(|cause| cause.is::<Unreachable>()))
}

fn away(error: &sqlx::Error) -> Problem {
    tracing::error!(error = %chain(error), "the database is away");
    Problem::new(503, "The database cannot be used at the moment. Try again in a moment")
}

/// An error and its causes, on one line.
pub fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let more = error.to_string();
        if !text.contains(&more) {
            text.push_str(": ");
            text.push_str(&more);
        }
        cause = error.source();
    }
    text
}

impl From<sqlx::Error> for Error {
    fn from(error: sqlx::Error) -> Self {
        // Two changes that waited for each other: PostgreSQL ended this one (`deadlock_detected`).
        let was_ended = has_code(&error, &["40P01"]);
        // Every field is checked for it before. Where one was forgotten, it is still the caller's to mend
        // (`character_not_in_repertoire`, and in JSON `untranslatable_character`).
        let holds_nul = has_code(&error, &["22021", "22P05"]);
        match error {
            // Nothing was taken, so the caller may come again: overload, not failure.
            sqlx::Error::PoolTimedOut => {
                Problem::new(503, "The server is busy. Try again in a moment").into()
            }
            // A worker gives its job back for it, however old that is.
            _ if is_unreachable(&error) => {
                Problem::new(503, "The database cannot be reached. Try again in a moment").into()
            }
            _ if was_ended => Problem::new(503, "The server is busy. Try again in a moment").into(),
            _ if is_away(&error) => away(&error).into(),
            _ if holds_nul => Problem::new(422, "A text must not hold NUL").into(),
            other => Self::Database(other),
        }
    }
}

/// Maps named constraints to what they mean; uniqueness is the database's word.
pub trait OnConstraint<T> {
    fn on_constraint(self, name: &str, problem: impl FnOnce() -> Problem) -> Result<T>;
}

impl<T> OnConstraint<T> for std::result::Result<T, sqlx::Error> {
    fn on_constraint(self, name: &str, problem: impl FnOnce() -> Problem) -> Result<T> {
        self.map_err(Error::from).on_constraint(name, problem)
    }
}

impl<T> OnConstraint<T> for Result<T> {
    fn on_constraint(self, name: &str, problem: impl FnOnce() -> Problem) -> Result<T> {
        self.map_err(|error| {
            let constraint = match &error {
                Error::Database(source) => {
                    source.as_database_error().and_then(|database| database.constraint())
                }
                Error::Problem(_) | Error::Internal(_) => None,
            };
            if constraint == Some(name) { problem().into() } else { error }
        })
    }
}

/// A body names something that is not the tenant's: `Invalid intent`, at `intent_id`.
pub fn invalid_reference(what: &str) -> Problem {
    let fault = FieldError::new(format!("{what}_id"), format!("is no {what} of this tenant"));
    Problem { errors: vec![fault], ..Problem::business_rule(format!("Invalid {what}")) }
}

/// A problem of a part, its fields below `place`.
///
/// # Errors
/// The same, its fields renamed.
pub fn at_place<T>(result: Result<T>, place: &str) -> Result<T> {
    result.map_err(|error| match error {
        Error::Problem(problem) if problem.status == 422 => {
            let mut checks = Checks::default();
            checks.part::<()>(place, Err(problem));
            checks.finish().err().unwrap_or_else(|| Problem::invalid_field(place, "is invalid")).into()
        }
        // Of these, the sentence names no field.
        Error::Problem(mut problem) => {
            for error in &mut problem.errors {
                error.field = format!("{place}.{}", error.field);
            }
            problem.into()
        }
        other => other,
    })
}

impl IntoResponse for Error {
    fn into_response(self) -> Response {
        problem_response(self.into_problem())
    }
}

/// `application/problem+json`.
pub fn problem_response(problem: Problem) -> Response {
    let status = StatusCode::from_u16(problem.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = (status, axum::Json(&problem)).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
    if status == StatusCode::UNAUTHORIZED {
        headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    }
    let busy = (status == StatusCode::SERVICE_UNAVAILABLE).then_some(1);
    if let Some(seconds) = problem.retry_after.or(busy) {
        headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    fn broken() -> sqlx::Error {
        io::Error::from(io::ErrorKind::ConnectionReset).into()
    }

    #[test]
    fn what_a_part_names_is_told_below_its_place() {
        let placed = |problem: Problem| {
            let error = at_place::<()>(Err(problem.into()), "validation_rules[1]").expect_err("a problem");
            error.into_problem()
        };
        let problem = placed(invalid_reference("datasource"));
        assert_eq!((problem.status, problem.detail.as_str()), (400, "Invalid datasource"));
        assert_eq!(problem.errors[0].field, "validation_rules[1].datasource_id");
        let problem = placed(Problem::invalid_field("priority", "is too high"));
        assert_eq!(problem.detail, "validation_rules[1].priority: is too high");
    }

    #[test]
    fn a_database_that_cannot_be_reached_is_not_a_busy_server() {
        let error = Error::from(unreachable("Connection refused".into()));
        assert!(matches!(&error, Error::Problem(problem) if problem.status == 503), "{error}");
        assert!(error.to_string().contains("cannot be reached"), "{error}");
        assert!(Error::from(sqlx::Error::PoolTimedOut).to_string().contains("busy"));
    }

    #[test]
    fn a_database_that_is_lost_has_stored_nothing_unless_it_was_at_a_commit() {
        for error in [broken(), sqlx::Error::PoolClosed, sqlx::Error::WorkerCrashed] {
            let error = Error::from(error);
            assert!(matches!(error, Error::Database(_)), "a worker counts its tries: {error}");
            let problem = error.into_problem();
            assert_eq!(problem.status, 503, "{problem}");
        }
        for error in [broken(), sqlx::Error::PoolClosed] {
            let error = Error::from(in_doubt(error));
            assert!(matches!(error, Error::Database(sqlx::Error::Io(_))), "{error}");
            assert_eq!(error.into_problem().status, 500);
        }
        // What PostgreSQL refuses at a COMMIT, as by a deferred constraint, is known.
        assert!(!is_in_doubt(&in_doubt(sqlx::Error::RowNotFound)));
    }
}
