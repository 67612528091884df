//! `/api/emails`.

use axum::{
    Router,
    extract::{DefaultBodyLimit, OriginalUri, Request},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
    routing::{get, post},
};

use super::service;
use crate::{
    emails::dto::{DecisionInput, EmailDetail, EmailFilter},
    server::{
        AppState, Result, TenantContext,
        extract::{self, Json, PathId, Query},
        paging::list_response,
    },
    shared::{EmailId, Problem},
};

pub fn routes(max_message_bytes: usize) -> Router<AppState> {
    Router::new()
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

async fn reprocess(ctx: TenantContext, PathId(id): PathId<EmailId>) -> Result<impl IntoResponse> {
    Ok((StatusCode::ACCEPTED, axum::Json(service::reprocess(&ctx, id).await?)))
}

async fn decide(
    ctx: TenantContext,
    PathId(id): PathId<EmailId>,
    Json(input): Json<DecisionInput>,
) -> Result<axum::Json<EmailDetail>> {
    Ok(axum::Json(service::decide(&ctx, id, input.decision, &input.note).await?))
}
