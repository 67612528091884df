//! `Idempotency-Key` on `POST` (draft-ietf-httpapi-idempotency-key-header): the same request again gives the first
//! answer again, and does nothing.
//!
//! The key is written down, committed, before anything is done. A server that dies in between leaves it without an
//! answer: then nobody knows whether it was done, and the next request is told so and does nothing either. A message
//! alone is known again by its bytes, however often it is sent: of what takes messages in, only what was done is kept.

mod repository;

use std::time::Duration;

use axum::{
    RequestExt,
    body::{Body, Bytes},
    extract::{FromRequestParts, Request, State},
    http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header, request::Parts},
    middleware::Next,
    response::Response,
};
use sha2::{Digest, Sha256};
use tokio::{
    sync::Semaphore,
    time::{sleep, timeout},
};
use tracing::Instrument;

use super::{
    AppState, Error, Result, TenantContext,
    edge::load::Held,
    error::{chain, problem_response},
    extract::{self, Query},
    vault::Place,
};
use crate::{
    auth::authority::Permission, shared::Problem, tenants::server::service as tenants,
    transfer::dto::MAX_DOCUMENT,
};

const HEADER: &str = "idempotency-key";
/// Says of an answer that it is the first one, given again.
const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");
/// What is kept of an answer's headers.
const KEPT: [HeaderName; 4] = [header::CONTENT_TYPE, header::LOCATION, header::ETAG, header::RETRY_AFTER];
/// Of a larger answer it is kept that there was one.
const MAX_ANSWER: usize = 1 << 20;
/// No request is worked on for longer: after ten minutes without an answer its server is taken for gone.
const LONGEST: Duration = Duration::from_secs(540);
/// What is said where a part may have been done.
const LOOK: &str =
    "it is not known whether it was done: look, and if it was not, send it with a new Idempotency-Key";
/// After each of these, an answer that could not be kept is tried to be kept again.
const PAUSES: [Duration; 5] = [
    Duration::from_secs(1),
    Duration::from_secs(2),
    Duration::from_secs(4),
    Duration::from_secs(8),
    Duration::from_secs(16),
];
/// So many answers wait for that at once; each may be as large as `MAX_ANSWER`.
static KEPT_LATER: Semaphore = Semaphore::const_new(32);

/// The layer around the API.
pub async fn layer(State(app): State<AppState>, mut request: Request, next: Next) -> Response {
    let is_looked_at = request.method() == Method::POST
        && request.headers().contains_key(HEADER)
        && !only_tells(request.uri().path());
    if !is_looked_at {
        return next.run(request).await;
    }
    if only_plans(&mut request).await {
        // The call takes a key, so it is one; a plan is made anew each time.
        let (parts, body) = request.into_parts();
        return match key_of(&parts) {
            Ok(_) => next.run(Request::from_parts(parts, body)).await,
            Err(problem) => problem_response(problem),
        };
    }
    match answer(app, request, next).await {
        Ok(response) => response,
        Err(error) => problem_response(error.into_problem()),
    }
}

/// Whether a `POST` to this address stores nothing: to send it twice does no harm, and were its answers kept, whoever
/// may only look could fill the database.
pub fn only_tells(path: &str) -> bool {
    path.rsplit('/').next().is_some_and(|last| matches!(last, "dry-run" | "test" | "preview"))
}

/// Whether it is an import that is only planned, as that call itself reads its query.
async fn only_plans(request: &mut Request) -> bool {
    if request.uri().path() != "/api/import" {
        return false;
    }
    let query = request.extract_parts::<Query>().await;
    query.is_ok_and(|query| query.flag("dry_run") == Ok(true))
}

/// Whether what it takes in is taken once, however often it is sent: a message is known by its bytes.
fn is_known_again(path: &str) -> bool {
    matches!(path, "/api/emails" | "/api/emails/import")
}

/// What is read of a body, in bytes: as much as the largest call of its kind takes. Each holds its own, smaller limit
/// against it then.
fn most_of(app: &AppState, path: &str) -> usize {
    if is_known_again(path) || path == "/api/files" {
        app.config.max_message_bytes.saturating_mul(2).saturating_add(1 << 20)
    } else {
        MAX_DOCUMENT
    }
}

/// Deletes, for every tenant, the answers that were kept for their day: one may hold a message, or a key that is shown
/// once, and its tenant may never send another that would clear it away.
///
/// # Errors
/// The database's.
pub async fn forget_old(app: &AppState) -> Result<()> {
    let tenants = tenants::ids(&mut app.database.instance().await?).await?;
    for tenant in tenants {
        let mut tx = app.database.tenant(&tenant).await?;
        repository::forget_old(&mut tx).await?;
        tx.commit().await?;
    }
    Ok(())
}

async fn answer(app: AppState, request: Request, next: Next) -> Result<Response> {
    let (mut parts, body) = request.into_parts();
    let key = key_of(&parts)?;
    if !has_tenant(&parts) {
        let why = "is taken by calls within a tenant only: this one has no tenant_id in its query";
        return Err(Problem::invalid_field("Idempotency-Key", why).into());
    }
    let ctx = TenantContext::from_request_parts(&mut parts, &app).await?;
    // Each of these calls needs it, or more. Who lacks it is refused by the call itself, before a large body is read.
    if ctx.require(Permission::WorkMessages).is_err() {
        return Ok(next.run(Request::from_parts(parts, body)).await);
    }
    let path = parts.uri.path();
    let is_known_again = is_known_again(path);
    let too_large = "The body is larger than is taken with an Idempotency-Key";
    let body = extract::body_within(body, most_of(&app, path), too_large).await?;
    let caller = ctx.actor.identity();
    let fingerprint = fingerprint(&parts, &body);
    let mut tx = ctx.begin().await?;
    if is_known_again {
        repository::forget_unfinished(&mut tx, &caller, &key, &fingerprint).await?;
    }
    let begun = repository::begin(&mut tx, &caller, &key, &fingerprint).await?;
    tx.commit().await?;
    let Some(record) = begun else { return replay(&ctx, &caller, &key, &fingerprint).await };
    // In a task of its own: a caller who hangs up stops neither the work nor the keeping of its answer. It has no more
    // time than any other, and keeps its place: by hanging up, nobody gets more done at once than is theirs.
    let held = parts.extensions.get::<Held>().map(Held::hold);
    let limit = app.config.edge.request_timeout.min(LONGEST);
    let done = async move {
        let answer = timeout(limit, next.run(Request::from_parts(parts, Body::from(body)))).await;
        // What was refused may be tried again; of a fault, some may have been done.
        let (response, is_final) = match answer {
            Ok(response) if response.status() == StatusCode::INTERNAL_SERVER_ERROR && !is_known_again => {
                (failed(response).await, true)
            }
            Ok(response) => {
                let is_done = response.status().is_success();
                (response, is_done)
            }
            Err(_) if is_known_again => (problem_response(called_off_for_now(limit)), false),
            Err(_) => (problem_response(called_off(limit)), true),
        };
        let response = keep(ctx, record, response, is_final).await;
        drop(held);
        response
    };
    let done = tokio::spawn(done.in_current_span());
    done.await.map_err(Error::internal)?
}

/// Some of it may have been done.
fn called_off(limit: Duration) -> Problem {
    let seconds = limit.as_secs();
    Problem::new(504, format!("This took longer than {seconds} seconds and was called off, so {LOOK}"))
}

/// Of what is known again.
fn called_off_for_now(limit: Duration) -> Problem {
    let detail = format!(
        "This took longer than {} seconds and was called off. Send it again: what was stored of it is known",
        limit.as_secs()
    );
    Problem::new(504, detail)
}

/// A 500, and what to do then.
async fn failed(response: Response) -> Response {
    let body = axum::body::to_bytes(response.into_body(), MAX_ANSWER).await.unwrap_or_default();
    let problem: Problem =
        serde_json::from_slice(&body).unwrap_or_else(|_| Problem::new(500, "Something went wrong here"));
    let detail = format!("{}; {LOOK}", problem.detail);
    problem_response(Problem { detail, ..problem })
}

fn has_tenant(parts: &Parts) -> bool {
    let query = parts.uri.query().unwrap_or_default();
    url::form_urlencoded::parse(query.as_bytes()).any(|(name, _)| name == "tenant_id")
}

fn key_of(parts: &Parts) -> Result<String, Problem> {
    let mut values = parts.headers.get_all(HEADER).iter();
    let text = values.next().and_then(|value| value.to_str().ok()).unwrap_or_default();
    let is_visible = text.bytes().all(|byte| byte.is_ascii_graphic());
    if values.next().is_some() || !is_visible || !(1..=255).contains(&text.len()) {
        return Err(Problem::invalid_field(
            "Idempotency-Key",
            "must be 1 to 255 visible ASCII characters, once",
        ));
    }
    Ok(text.to_owned())
}

fn fingerprint(parts: &Parts, body: &Bytes) -> [u8; 32] {
    let mut hash = Sha256::new();
    let kind = parts.headers.get(header::CONTENT_TYPE).map(HeaderValue::as_bytes).unwrap_or_default();
    let boundary = boundary(kind);
    let kind = if boundary.is_some() { FORM } else { kind };
    let address = parts.uri.path_and_query().map(|address| address.as_str()).unwrap_or_default();
    let mut add = |part: &[u8]| {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    };
    for part in [parts.method.as_str().as_bytes(), address.as_bytes(), kind] {
        add(part);
    }
    match boundary {
        Some(boundary) => between(body, &boundary, add),
        None => add(body),
    }
    hash.finalize().into()
}

/// The form of parts (RFC 7578).
const FORM: &[u8] = b"multipart/form-data";

/// What stands between the parts of a form, which is made up anew each time that it is sent.
fn boundary(kind: &[u8]) -> Option<Vec<u8>> {
    let mut parameters = std::str::from_utf8(kind).ok()?.split(';');
    if !parameters.next()?.trim().as_bytes().eq_ignore_ascii_case(FORM) {
        return None;
    }
    let mut parameters = parameters.filter_map(|parameter| parameter.split_once('='));
    let (_, boundary) = parameters.find(|(name, _)| name.trim().eq_ignore_ascii_case("boundary"))?;
    Some(format!("--{}", boundary.trim().trim_matches('"')).into_bytes())
}

/// Adds what stands before, between and after the boundaries that begin a line of a form.
fn between(body: &[u8], boundary: &[u8], mut add: impl FnMut(&[u8])) {
    let (mut from, mut at) = (0, 0);
    for line in body.split_inclusive(|byte| *byte == b'\n') {
        if line.starts_with(boundary) {
            add(&body[from..at]);
            from = at + boundary.len();
        }
        at += line.len();
    }
    add(&body[from..]);
}

/// Gives the first answer again.
async fn replay(ctx: &TenantContext, caller: &str, key: &str, fingerprint: &[u8; 32]) -> Result<Response> {
    let mut tx = ctx.begin().await?;
    let conflict = |detail: &str| Error::from(Problem { retry_after: Some(1), ..Problem::new(409, detail) });
    let under_way = || conflict("The first request with this Idempotency-Key is still under way");
    // It was taken away in this moment, since the first request changed nothing.
    let found = repository::find(&mut tx, caller, key).await?.ok_or_else(under_way)?;
    if found.fingerprint != fingerprint {
        let why = "was used for another request: choose a new one";
        return Err(Problem::invalid_field("Idempotency-Key", why).into());
    }
    let Some(status) = found.status else {
        if found.is_old {
            let detail = format!("The server stopped while it worked on this request, so {LOOK}");
            return Err(Problem::new(409, detail).into());
        }
        return Err(under_way());
    };
    let body = match &found.answer {
        Some(sealed) => ctx.app.vault.open(&mut tx, place(found.record_id), sealed).await?,
        None => Vec::new(),
    };
    let mut response = Response::new(Body::from(body));
    *response.status_mut() =
        status.try_into().ok().and_then(|s| StatusCode::from_u16(s).ok()).unwrap_or_default();
    for (name, value) in &found.headers.0 {
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) {
            response.headers_mut().insert(name, value);
        }
    }
    response.headers_mut().insert(REPLAYED, HeaderValue::from_static("true"));
    Ok(response)
}

/// What is kept of an answer.
struct Kept {
    status: StatusCode,
    headers: Vec<(String, String)>,
    body: Bytes,
}

/// Keeps an answer that is final, and forgets that there was another. It is given in any case: what was done is done,
/// and a key that it shows is shown this once. Where it cannot be kept, that is tried again beside.
async fn keep(ctx: TenantContext, record: i64, response: Response, is_final: bool) -> Result<Response> {
    let (parts, body) = response.into_parts();
    let body = axum::body::to_bytes(body, usize::MAX).await.map_err(Error::internal)?;
    let answer = if !is_final {
        None
    } else if body.len() > MAX_ANSWER {
        Some(too_large_to_keep()?)
    } else {
        Some(Kept { status: parts.status, headers: kept(&parts.headers), body: body.clone() })
    };
    if let Err(error) = store(&ctx, record, answer.as_ref()).await {
        tracing::error!(error = %chain(&error), "what came of an Idempotency-Key could not be kept");
        keep_later(ctx, record, answer);
    }
    Ok(Response::from_parts(parts, Body::from(body)))
}

fn too_large_to_keep() -> Result<Kept> {
    let problem = Problem::new(409, "This was done already. Its answer was too large to be kept");
    let body = serde_json::to_vec(&problem).map_err(Error::internal)?.into();
    let kind = (header::CONTENT_TYPE.as_str().to_owned(), "application/problem+json".to_owned());
    Ok(Kept { status: StatusCode::CONFLICT, headers: vec![kind], body })
}

/// `None`: there is nothing to keep, and the request may be sent again.
async fn store(ctx: &TenantContext, record: i64, answer: Option<&Kept>) -> Result<()> {
    let mut tx = ctx.begin().await?;
    match answer {
        Some(Kept { status, headers, body }) => {
            let sealed = ctx.app.vault.seal(&mut tx, place(record), body).await?;
            repository::finish(&mut tx, record, status.as_u16(), headers, &sealed).await?;
        }
        None => repository::forget(&mut tx, record).await?,
    }
    Ok(tx.commit().await?)
}

/// Until that is done, the same request is told that the first one is under way.
fn keep_later(ctx: TenantContext, record: i64, answer: Option<Kept>) {
    let Ok(turn) = KEPT_LATER.try_acquire() else { return };
    let keeping = async move {
        for pause in PAUSES {
            sleep(pause).await;
            match store(&ctx, record, answer.as_ref()).await {
                Ok(()) => break,
                Err(error) => tracing::warn!(error = %chain(&error), "it could not be kept yet"),
            }
        }
        drop(turn);
    };
    tokio::spawn(keeping.in_current_span());
}

fn kept(headers: &HeaderMap) -> Vec<(String, String)> {
    KEPT.iter()
        .filter_map(|name| Some((name.as_str().to_owned(), headers.get(name)?.to_str().ok()?.to_owned())))
        .collect()
}

fn place(record: i64) -> Place<'static> {
    Place { table: "idempotency_keys", row: record, column: "answer" }
}
