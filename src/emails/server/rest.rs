//! `/api/emails`.

use axum::{
    Router,
    extract::{DefaultBodyLimit, OriginalUri, Request},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
    routing::{get, post},
};

use super::{dry_run, service};
use crate::{
    emails::dto::{
        DecisionInput, DryRun, DryRunInput, EmailDetail, EmailFilter, ReprocessInput, RuleDryRunInput,
    },
    server::{
        AppState, Result, TenantContext,
        extract::{self, Json, PathId, Query},
        paging::list_response,
    },
    shared::{EmailId, Problem},
};

pub fn routes(max_message_bytes: usize) -> Router<AppState> {
    // In JSON a message takes more room: a third more as base64, twice as much where it is all line ends. The draft
    // beside it is small.
    let dry_run_limit = DefaultBodyLimit::max(max_message_bytes.saturating_mul(2).saturating_add(1 << 20));
    Router::new()
        .route("/api/emails/dry-run", post(run_dry).layer(dry_run_limit))
        .route("/api/validation-rules/dry-run", post(run_rules_dry).layer(dry_run_limit))
        .route("/api/emails", post(receive).layer(DefaultBodyLimit::max(max_message_bytes)).get(list))
        .route("/api/emails/{email_id}", get(find))
        .route("/api/emails/{email_id}/raw", get(raw))
        .route("/api/emails/{email_id}/reprocess", post(reprocess))
        .route("/api/emails/{email_id}/decision", post(decide))
}

async fn receive(ctx: TenantContext, query: Query, headers: HeaderMap, request: Request) -> Result<Response> {
    if !extract::is_type(&headers, "message/rfc822") {
        return Err(Problem::new(415, "The body must be message/rfc822").into());
    }
    let body = extract::body(request, &ctx.app).await?;
    let received = service::receive(&ctx, "http", body.to_vec(), query.get("intent")).await?;
    let location = format!("/api/emails/{}?tenant_id={}", received.email_id, ctx.tenant);
    Ok((StatusCode::ACCEPTED, [(header::LOCATION, location)], axum::Json(received)).into_response())
}

async fn list(ctx: TenantContext, OriginalUri(uri): OriginalUri, query: Query) -> Result<Response> {
    let page = query.page::<EmailId>()?;
    let filter = EmailFilter {
        decision: query.parsed("decision")?,
        status: query.parsed("status")?,
        intent_id: query.parsed("intent_id")?,
        label: query.get("label").map(str::to_owned),
        q: query.get("q").map(str::to_owned),
    };
    let emails = service::list(&ctx, &filter, page.cursor, page.limit).await?;
    Ok(list_response(emails, page.limit, &uri, |email| email.email_id))
}

async fn find(ctx: TenantContext, PathId(id): PathId<EmailId>) -> Result<axum::Json<EmailDetail>> {
    Ok(axum::Json(service::get(&ctx, id).await?))
}

/// The bytes as they came. Never shown by a browser as a page of ours: they are a stranger's.
async fn raw(ctx: TenantContext, PathId(id): PathId<EmailId>) -> Result<impl IntoResponse> {
    let bytes = service::raw(&ctx, id).await?;
    let disposition = format!("attachment; filename=\"{id}.eml\"");
    let headers = [
        (header::CONTENT_TYPE, "message/rfc822".to_owned()),
        (header::CONTENT_DISPOSITION, disposition),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff".to_owned()),
    ];
    Ok((headers, bytes))
}

async fn reprocess(
    ctx: TenantContext,
    PathId(id): PathId<EmailId>,
    request: Request,
) -> Result<impl IntoResponse> {
    let body = extract::body(request, &ctx.app).await?;
    let input = if body.is_empty() { ReprocessInput::default() } else { extract::parse_json(&body)? };
    Ok((StatusCode::ACCEPTED, axum::Json(service::reprocess(&ctx, id, input.versions).await?)))
}

async fn decide(
    ctx: TenantContext,
    PathId(id): PathId<EmailId>,
    Json(input): Json<DecisionInput>,
) -> Result<axum::Json<EmailDetail>> {
    Ok(axum::Json(service::decide(&ctx, id, input.decision, &input.note).await?))
}

async fn run_dry(ctx: TenantContext, Json(input): Json<DryRunInput>) -> Result<axum::Json<DryRun>> {
    Ok(axum::Json(dry_run::run(&ctx, input).await?))
}

async fn run_rules_dry(ctx: TenantContext, Json(input): Json<RuleDryRunInput>) -> Result<axum::Json<DryRun>> {
    Ok(axum::Json(dry_run::run_rules(&ctx, input).await?))
}
