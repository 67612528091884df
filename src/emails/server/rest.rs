//! `/api/emails`.

use std::{collections::BTreeMap, time::Duration};

use axum::{
    body::{Body, Bytes},
    extract::{DefaultBodyLimit, FromRequest, OriginalUri, Request},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};
use chrono::Utc;
use serde::de::IgnoredAny;
use utoipa_axum::{
    router::{OpenApiRouter, UtoipaMethodRouterExt},
    routes,
};

use super::{dry_run, history, import, mbox::Layout, service, shown, words, written};
use crate::{
    auth::authority::Permission,
    deliveries::dto::{DeliveryStatus, RetryInput, SentAgain},
    emails::dto::{
        Decision, DecisionInput, DryRun, DryRunInput, Email, EmailDetail, EmailEvent, EmailFilter,
        EmailInput, EmailPage, EmailRun, EmailStatus, Imported, Parts, Received, ReprocessInput,
        RuleDryRunInput, TakenBack,
    },
    server::{
        AppState, Error, Result, TenantContext,
        edge::metrics::{Door, Refusal},
        extract::{self, Json, PathId, PathIds, Query},
        openapi::{InTenant, Paging},
        paging::{list_response, page_response},
        places::Place,
    },
    shared::{AuditId, EmailId, IntentId, Problem, TenantId},
};

/// What is larger is given to a tenant only so often at once, in bytes.
const LARGE: usize = 256 << 10;
/// So often.
const LARGE_AT_ONCE: usize = 16;

pub fn routes(max_message_bytes: usize) -> OpenApiRouter<AppState> {
    // In JSON a message takes more room: a third more as base64, twice as much where it is all line ends. The draft
    // beside it is small.
    let in_json = DefaultBodyLimit::max(max_message_bytes.saturating_mul(2).saturating_add(1 << 20));
    OpenApiRouter::default()
        .routes(routes!(run_dry).layer(in_json))
        .routes(routes!(run_rules_dry).layer(in_json))
        .routes(routes!(receive, list).layer(in_json))
        .routes(routes!(import_file).layer(DefaultBodyLimit::disable()))
        .routes(routes!(retry_deliveries))
        .routes(routes!(find))
        .routes(routes!(raw))
        .routes(routes!(parts))
        .routes(routes!(html))
        .routes(routes!(attachment))
        .routes(routes!(reprocess))
        .routes(routes!(decide))
        .routes(routes!(take_back))
        .routes(routes!(tell_history))
        .routes(routes!(tell_runs))
}

/// Takes a message in.
///
/// Answers once the message is stored: from then on it is never lost. The same message is taken once. All that is sent is
/// one message: a file of many is for `POST /api/emails/import`.
#[utoipa::path(
    post,
    path = "/api/emails",
    operation_id = "receive_email",
    tag = "emails",
    params(
        InTenant,
        ("intent" = Option<String>, Query, description = "The name of an active intent that the message is to get, whatever its match conditions say"),
    ),
    request_body(description = "The message (RFC 5322), any bytes; or JSON that holds it", content(
        (inline(String) = "message/rfc822"),
        (EmailInput = "application/json"),
    )),
    responses(
        (status = 202, description = "It is stored", body = Received, headers(("Location" = String, description = "The address of what was made"))),
    ),
    extensions(("x-required-role" = json!("operator"))),
)]
async fn receive(ctx: TenantContext, query: Query, headers: HeaderMap, request: Request) -> Result<Response> {
    let is_json = is_json(&headers)?;
    // Before a large body is read for somebody who may not.
    ctx.require(Permission::WorkMessages)?;
    let metrics = &ctx.app.metrics;
    let body = extract::body(request, &ctx.app).await.inspect_err(|error| {
        if matches!(error, Error::Problem(problem) if problem.status == 413) {
            metrics.refused(Door::Http, Refusal::TooLarge);
        }
    })?;
    let raw =
        if is_json { written::message_of(&extract::parse_json(&body)?, Utc::now())? } else { body.to_vec() };
    if raw.len() > ctx.app.config.max_message_bytes {
        metrics.refused(Door::Http, Refusal::TooLarge);
        return Err(Problem::new(413, "The message is larger than this server takes").into());
    }
    if raw.is_empty() {
        // As it is by the service.
        metrics.refused(Door::Http, Refusal::Empty);
    }
    let received = service::receive(&ctx, "http", raw, query.get("intent")).await?;
    if !received.duplicate {
        metrics.received(Door::Http);
    }
    let location = format!("/api/emails/{}?tenant_id={}", received.email_id, ctx.tenant);
    Ok((StatusCode::ACCEPTED, [(header::LOCATION, location)], axum::Json(received)).into_response())
}

/// Whether the body is JSON that holds a message; else it is one.
fn is_json(headers: &HeaderMap) -> Result<bool, Problem> {
    let is_json = extract::is_type(headers, "application/json");
    if is_json || extract::is_type(headers, "message/rfc822") {
        Ok(is_json)
    } else {
        Err(Problem::new(415, "The body must be message/rfc822 or application/json"))
    }
}

/// Takes in the messages of a file.
///
/// Each is stored by itself, and is on disk when this answers; one that came by this API before, with the same bytes, is
/// left as it is (one that came by a mailbox is not known here). So a file may be sent again, whatever became of it. A file
/// that is larger than this server takes is refused whole (413).
///
/// As `application/mbox`, the file holds many messages, each after a line that begins with `From ` (RFC 4155): one that begins
/// with anything else is refused. As `message/rfc822` it is one message (RFC 5322); an mbox of several that is sent so is read
/// as what it is, where those lines name a sender and a time as they should.
#[utoipa::path(
    post,
    path = "/api/emails/import",
    operation_id = "import_emails",
    tag = "emails",
    params(InTenant),
    request_body(description = "Many messages, or one, any bytes", content(
        (inline(String) = "application/mbox"),
        (inline(String) = "message/rfc822"),
    )),
    responses(
        (status = 200, description = "It was read to its end", body = Imported),
        (status = 400, description = "There is no message in it, it is no mbox, or it broke off: nothing is stored"),
        (status = 503, description = "Something went wrong on the way, or there was no time for all. What is stored stays, and the sentence says how much that is: send the same file again", body = Problem, content_type = "application/problem+json", headers(("Retry-After" = String, description = "Seconds"))),
    ),
    extensions(("x-required-role" = json!("operator"))),
)]
async fn import_file(
    ctx: TenantContext,
    headers: HeaderMap,
    request: Request,
) -> Result<axum::Json<Imported>> {
    let layout = if extract::is_type(&headers, "application/mbox") {
        Layout::Mbox
    } else if extract::is_type(&headers, "message/rfc822") {
        Layout::Single
    } else {
        return Err(Problem::new(415, "The body must be application/mbox or message/rfc822").into());
    };
    let chunks = request.into_body().into_data_stream();
    Ok(axum::Json(import::import(&ctx, layout, chunks).await?))
}

/// Lists the messages, newest first.
///
/// With `q`, a page looks at 5,000 messages at most, those that the other filters leave. Where older ones are left to look
/// at, `Link` leads on to them, also from a page that holds fewer than `limit` messages, or none: only a page without it is
/// the last.
#[utoipa::path(
    get,
    path = "/api/emails",
    operation_id = "list_emails",
    tag = "emails",
    params(
        InTenant,
        ("decision" = Option<Decision>, Query, description = "With this decision"),
        ("status" = Option<EmailStatus>, Query, description = "That have come so far"),
        ("waiting" = Option<bool>, Query, description = "That are not decided yet: queued, or being decided. `false` is as if left out: all"),
        ("intent_id" = Option<IntentId>, Query, description = "With this intent"),
        ("without_intent" = Option<bool>, Query, description = "That have none, not even one that was deleted since. `false` is as if left out: all"),
        ("delivery" = Option<DeliveryStatus>, Query, description = "With a delivery that has come so far: the last of a route, for the present decision"),
        ("could_not_ask" = Option<bool>, Query, description = "Of which a rule's datasource could not be asked: in the last run, of which a verdict is `error`, or in the last try of one that waits to be tried again. After an outage, those to run again. `false` is as if left out: all"),
        ("label" = Option<String>, Query, description = "With this label"),
        ("q" = Option<String>, Query, description = "Words, the first 16 of which must each be found in sender, recipients (To and Cc), subject, text (of which the first 64 KiB are searched), the names of attachments, or a field that was extracted. Words in double quotes are looked for one after the other. Upper and lower case are the same"),
        ("from" = Option<DateTime<Utc>>, Query, description = "Received not before this"),
        ("to" = Option<DateTime<Utc>>, Query, description = "Received before this"),
        ("decided_after" = Option<DateTime<Utc>>, Query, description = "Decided not before this: by the decision that stands, FlowEngine's or a person's"),
        ("decided_before" = Option<DateTime<Utc>>, Query, description = "Decided before this"),
        Paging,
    ),
    responses((status = 200, description = "A page", body = [Email])),
    extensions(("x-required-role" = json!("viewer"))),
)]
async fn list(ctx: TenantContext, OriginalUri(uri): OriginalUri, query: Query) -> Result<Response> {
    let page = query.page::<EmailId>()?;
    let filter = EmailFilter {
        decision: query.parsed("decision")?,
        status: query.parsed("status")?,
        waiting: query.flag("waiting")?,
        intent_id: query.parsed("intent_id")?,
        without_intent: query.flag("without_intent")?,
        delivery: query.parsed("delivery")?,
        could_not_ask: query.flag("could_not_ask")?,
        label: query.get("label").map(str::to_owned),
        q: query.get("q").map(str::to_owned),
        from: query.parsed("from")?,
        to: query.parsed("to")?,
        decided_after: query.parsed("decided_after")?,
        decided_before: query.parsed("decided_before")?,
    };
    let EmailPage { emails, next, .. } = service::page(&ctx, &filter, page.cursor, page.limit).await?;
    Ok(page_response(emails, next, &uri))
}

/// Gives a message with its verdicts and deliveries.
#[utoipa::path(
    get,
    path = "/api/emails/{email_id}",
    operation_id = "get_email",
    tag = "emails",
    params(("email_id" = EmailId, Path), InTenant),
    responses((status = 200, description = "Done", body = EmailDetail)),
    extensions(("x-required-role" = json!("viewer"))),
)]
async fn find(ctx: TenantContext, PathId(id): PathId<EmailId>) -> Result<axum::Json<EmailDetail>> {
    Ok(axum::Json(service::get(&ctx, id).await?))
}

/// Gives the bytes of a message as they came.
///
/// Never shown by a browser as a page of ours: they are a stranger's.
#[utoipa::path(
    get,
    path = "/api/emails/{email_id}/raw",
    operation_id = "get_raw_email",
    tag = "emails",
    params(("email_id" = EmailId, Path), InTenant),
    responses(
        (status = 200, description = "The message (RFC 5322)", body = inline(String), content_type = "message/rfc822", headers(("Content-Disposition" = String, description = "A name for the file"))),
    ),
    extensions(("x-required-role" = json!("viewer"))),
)]
async fn raw(ctx: TenantContext, PathId(id): PathId<EmailId>) -> Result<impl IntoResponse> {
    let body = given(&ctx, service::raw(&ctx, id).await?)?;
    let disposition = format!("attachment; filename=\"{id}.eml\"");
    let headers = [
        (header::CONTENT_TYPE, "message/rfc822".to_owned()),
        (header::CONTENT_DISPOSITION, disposition),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff".to_owned()),
    ];
    Ok((headers, body))
}

/// Bytes on their way to whoever asked for them.
struct Given {
    bytes: Vec<u8>,
    _place: Place<TenantId>,
}

impl AsRef<[u8]> for Given {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

/// The bytes as a body. They are in memory until they were taken, and whoever asked for them may be as slow as they like.
///
/// # Errors
/// 429 while many are on their way to the tenant.
fn given(ctx: &TenantContext, bytes: Vec<u8>) -> Result<Body, Problem> {
    if bytes.len() <= LARGE {
        return Ok(bytes.into());
    }
    let place = ctx.app.given.take(ctx.tenant.clone(), LARGE_AT_ONCE).ok_or_else(|| {
        let detail = format!("{LARGE_AT_ONCE} large messages are on their way, as many as may");
        Problem { retry_after: Some(1), ..Problem::new(429, detail) }
    })?;
    Ok(Bytes::from_owner(Given { bytes, _place: place }).into())
}

/// Tells what a message holds beside its text.
#[utoipa::path(
    get,
    path = "/api/emails/{email_id}/parts",
    operation_id = "get_email_parts",
    tag = "emails",
    params(("email_id" = EmailId, Path), InTenant),
    responses((status = 200, description = "Done", body = Parts)),
    extensions(("x-required-role" = json!("viewer"))),
)]
async fn parts(ctx: TenantContext, PathId(id): PathId<EmailId>) -> Result<axum::Json<Parts>> {
    Ok(axum::Json(shown::parts(&ctx, id).await?))
}

/// Gives the HTML of a message, made harmless, as a page for a sandboxed frame.
///
/// Pictures from elsewhere are left out unless `images` is `remote`.
#[utoipa::path(
    get,
    path = "/api/emails/{email_id}/html",
    operation_id = "get_email_html",
    tag = "emails",
    params(
        ("email_id" = EmailId, Path),
        InTenant,
        ("images" = Option<String>, Query, description = "`remote`: with pictures from elsewhere, which tell their sender that the message was read", pattern = "^remote$"),
    ),
    responses(
        (status = 200, description = "A page", body = inline(String), content_type = "text/html"),
        (status = 400, description = "It cannot be made safe to show: `html_withheld` of `parts` says why"),
    ),
    extensions(("x-required-role" = json!("viewer"))),
)]
async fn html(ctx: TenantContext, PathId(id): PathId<EmailId>, query: Query) -> Result<impl IntoResponse> {
    let with_remote = match query.get("images") {
        None => false,
        Some("remote") => true,
        Some(_) => return Err(Problem::invalid_field("images", "must be remote, or left out").into()),
    };
    let shown::Page { html, policy } = shown::page(&ctx, id, with_remote).await?;
    let headers = [
        (header::CONTENT_TYPE, "text/html; charset=utf-8".to_owned()),
        (header::CONTENT_SECURITY_POLICY, policy),
        (header::X_FRAME_OPTIONS, "SAMEORIGIN".to_owned()),
        (header::REFERRER_POLICY, "no-referrer".to_owned()),
    ];
    Ok((headers, html))
}

/// Gives an attachment of a message.
///
/// Never shown by a browser as a page of ours, whatever the message says that it is.
#[utoipa::path(
    get,
    path = "/api/emails/{email_id}/attachments/{index}",
    operation_id = "get_attachment",
    tag = "emails",
    params(("email_id" = EmailId, Path), ("index" = u32, Path, description = "As in `parts`"), InTenant),
    responses(
        (status = 200, description = "Its bytes", body = inline(String), content_type = "application/octet-stream", headers(("Content-Disposition" = String, description = "Its name"))),
    ),
    extensions(("x-required-role" = json!("viewer"))),
)]
async fn attachment(
    ctx: TenantContext,
    PathIds(id, index): PathIds<EmailId, u32>,
) -> Result<impl IntoResponse> {
    let shown::Content { name, bytes } = shown::attachment(&ctx, id, index as usize).await?;
    let body = given(&ctx, bytes)?;
    // RFC 6266, the name in the form of RFC 8187: letters and digits as they are.
    let escaped: String = name
        .bytes()
        .map(|b| {
            if b.is_ascii_alphanumeric() || b"-._".contains(&b) {
                char::from(b).to_string()
            } else {
                format!("%{b:02X}")
            }
        })
        .collect();
    let headers = [
        (header::CONTENT_TYPE, "application/octet-stream".to_owned()),
        (header::CONTENT_DISPOSITION, format!("attachment; filename*=UTF-8''{escaped}")),
    ];
    Ok((headers, body))
}

/// Runs a message again.
///
/// The body may be left out, or be `null`.
#[utoipa::path(
    post,
    path = "/api/emails/{email_id}/reprocess",
    operation_id = "reprocess_email",
    tag = "emails",
    params(("email_id" = EmailId, Path), InTenant),
    request_body = Option<ReprocessInput>,
    responses(
        (status = 202, description = "It is queued", body = Received),
        (status = 400, description = "FlowEngine has not decided the message yet, so it has no versions of a decision"),
    ),
    extensions(("x-required-role" = json!("operator"))),
)]
async fn reprocess(
    ctx: TenantContext,
    PathId(id): PathId<EmailId>,
    request: Request,
) -> Result<impl IntoResponse> {
    let is_json = extract::is_type(request.headers(), "application/json");
    let body = extract::body(request, &ctx.app).await?;
    if !body.is_empty() && !is_json {
        return Err(Problem::new(415, "The body must be application/json").into());
    }
    let input: Option<ReprocessInput> = if body.is_empty() { None } else { extract::parse_json(&body)? };
    let versions = input.unwrap_or_default().versions;
    Ok((StatusCode::ACCEPTED, axum::Json(service::reprocess(&ctx, id, versions).await?)))
}

/// Decides a message: a person's word.
///
/// What is sent because of it goes at once.
#[utoipa::path(
    post,
    path = "/api/emails/{email_id}/decision",
    operation_id = "decide_email",
    tag = "emails",
    params(("email_id" = EmailId, Path), InTenant),
    request_body = DecisionInput,
    responses((status = 200, description = "It is decided", body = EmailDetail)),
    extensions(("x-required-role" = json!("operator"))),
)]
async fn decide(
    ctx: TenantContext,
    PathId(id): PathId<EmailId>,
    Json(input): Json<DecisionInput>,
) -> Result<axum::Json<EmailDetail>> {
    Ok(axum::Json(
        service::decide(&ctx, id, input.decision, &input.note, words::new_word(), Duration::ZERO).await?,
    ))
}

/// Takes back what the caller said last of a message.
///
/// A decision, a correction of the intent, or, said on the screen alone, that it was to be run again: by the same person, key
/// or token within two minutes, on the screen or here, if nobody has said anything since. What was decided before stands again,
/// with the intent and all that was found then. What has not been sent yet is not sent. What `reprocess` does is not taken
/// back.
#[utoipa::path(
    post,
    path = "/api/emails/{email_id}/take-back",
    operation_id = "take_back",
    tag = "emails",
    params(("email_id" = EmailId, Path), InTenant),
    responses(
        (status = 200, description = "It is taken back", body = TakenBack),
        (status = 400, description = "The caller's is not the last word on it, or was said more than two minutes ago"),
    ),
    extensions(("x-required-role" = json!("operator"))),
)]
async fn take_back(ctx: TenantContext, PathId(id): PathId<EmailId>) -> Result<axum::Json<TakenBack>> {
    Ok(axum::Json(history::take_back(&ctx, id).await?))
}

/// Tells what happened to a message, newest first.
///
/// How it came, what people and programs decided or said of its intent, when it was run again, and what was taken back. What
/// FlowEngine itself decided in a run stands in the message, or in its `runs`.
#[utoipa::path(
    get,
    path = "/api/emails/{email_id}/history",
    operation_id = "get_email_history",
    tag = "emails",
    params(("email_id" = EmailId, Path), InTenant, Paging),
    responses((status = 200, description = "A page", body = [EmailEvent])),
    extensions(("x-required-role" = json!("viewer"))),
)]
async fn tell_history(
    ctx: TenantContext,
    PathId(id): PathId<EmailId>,
    OriginalUri(uri): OriginalUri,
    query: Query,
) -> Result<Response> {
    let page = query.page::<AuditId>()?;
    let events = history::list(&ctx, id, page).await?;
    Ok(list_response(events, page.limit, &uri, |event| event.entry_id))
}

/// Tells what a message came to before, the last first.
///
/// By each of its earlier runs, with the verdicts of that run; and by its present one, where a person has decided otherwise
/// since, or where it is run once more and the message says what it waits for. How it stands now says the message itself. Of
/// runs before this was kept, nothing is known. A page holds 20 at most, whatever the `limit`: each brings its evidence.
#[utoipa::path(
    get,
    path = "/api/emails/{email_id}/runs",
    operation_id = "list_email_runs",
    tag = "emails",
    params(("email_id" = EmailId, Path), InTenant, Paging),
    responses((status = 200, description = "A page", body = [EmailRun])),
    extensions(("x-required-role" = json!("viewer"))),
)]
async fn tell_runs(
    ctx: TenantContext,
    PathId(id): PathId<EmailId>,
    OriginalUri(uri): OriginalUri,
    query: Query,
) -> Result<Response> {
    let mut page = query.page::<i32>()?;
    page.limit = page.limit.min(history::MAX_RUNS_A_PAGE);
    let runs = history::runs(&ctx, id, page).await?;
    Ok(list_response(runs, page.limit, &uri, |run| run.run))
}

/// Sends again what was given up of messages.
///
/// Of each route, what it did last for a message: what waits for its next try is left alone. Each is sent as by `retry`, and is
/// then tried for as long as a new one; one that cannot be sent any more keeps no other from it.
#[utoipa::path(
    post,
    path = "/api/emails/retry-deliveries",
    operation_id = "retry_deliveries",
    tag = "emails",
    params(InTenant),
    request_body = RetryInput,
    responses((status = 200, description = "What can be is sent now", body = SentAgain)),
    extensions(("x-required-role" = json!("operator"))),
)]
async fn retry_deliveries(
    ctx: TenantContext,
    Json(input): Json<RetryInput>,
) -> Result<axum::Json<SentAgain>> {
    Ok(axum::Json(words::send_again(&ctx, &input.ids, None).await?))
}

/// Says what a message would come to.
///
/// Nothing of it is stored, and nothing sent. With a draft (`intent` or `validation_rules`) it needs the role editor.
#[utoipa::path(
    post,
    path = "/api/emails/dry-run",
    operation_id = "dry_run",
    tag = "emails",
    params(InTenant),
    request_body(description = "A message and what it is run with; or one as `POST /api/emails` takes it", content(
        (inline(DryRunBody) = "application/json"),
        (inline(String) = "message/rfc822"),
    )),
    responses(
        (status = 200, description = "Done", body = DryRun),
        (status = 409, description = "Another intent has the draft's name"),
        (status = 400, description = "A rule names an invalid datasource"),
    ),
    extensions(("x-required-role" = json!("operator"))),
)]
async fn run_dry(ctx: TenantContext, headers: HeaderMap, request: Request) -> Result<axum::Json<DryRun>> {
    // Before a large body is read for somebody who may not. What a draft needs beyond, the body tells.
    ctx.require(Permission::WorkMessages)?;
    let is_json = is_json(&headers)?;
    let body = extract::body(request, &ctx.app).await?;
    let run = if !is_json {
        dry_run::run_raw(&ctx, body.to_vec()).await?
    } else if is_message_alone(&body) {
        dry_run::run_raw(&ctx, written::message_of(&extract::parse_json(&body)?, Utc::now())?).await?
    } else {
        dry_run::run(&ctx, extract::parse_json(&body)?).await?
    };
    Ok(axum::Json(run))
}

/// The JSON that a dry run takes.
#[derive(utoipa::ToSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "`is_message_alone` tells them apart; it is here for the API's document")]
enum DryRunBody {
    Draft(DryRunInput),
    Message(EmailInput),
}

/// Whether a dry run's JSON is an `EmailInput`: it has none of the names that a `DryRunInput` has. What is empty, or no JSON, is
/// told so of that.
fn is_message_alone(body: &[u8]) -> bool {
    let members: BTreeMap<String, IgnoredAny> = serde_json::from_slice(body).unwrap_or_default();
    let of_a_run = ["message", "intent", "intent_id", "validation_rules", "requested"];
    !members.is_empty() && !of_a_run.iter().any(|name| members.contains_key(*name))
}

/// Says what rules alone would say of a message.
#[utoipa::path(
    post,
    path = "/api/validation-rules/dry-run",
    operation_id = "dry_run_rules",
    tag = "validation rules",
    params(InTenant),
    request_body = RuleDryRunInput,
    responses(
        (status = 200, description = "Done", body = DryRun),
        (status = 400, description = "A rule names an invalid datasource"),
    ),
    extensions(("x-required-role" = json!("editor"))),
)]
async fn run_rules_dry(ctx: TenantContext, request: Request) -> Result<axum::Json<DryRun>> {
    // As above.
    ctx.require(Permission::Configure)?;
    let Json(input) = Json::<RuleDryRunInput>::from_request(request, &ctx.app).await?;
    Ok(axum::Json(dry_run::run_rules(&ctx, input).await?))
}
