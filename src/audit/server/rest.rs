//! `/api/audit-log` and `/api/instance-audit-log`.

use axum::{extract::OriginalUri, http::HeaderMap, response::Response};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    export::{self, Format},
    service,
};
use crate::{
    audit::dto::{AuditEntry, AuditFilter},
    server::{
        AppState, CallerContext, Result, TenantContext, accept,
        extract::Query,
        openapi::{InTenant, Paging},
        paging::list_response,
    },
    shared::Problem,
};

pub fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::default().routes(routes!(list)).routes(routes!(list_instance))
}

fn filter(query: &Query) -> Result<AuditFilter, Problem> {
    Ok(AuditFilter {
        action: query.get("action").map(str::to_owned),
        object_id: query.get("object_id").map(str::to_owned),
        actor: query.get("actor").map(str::to_owned),
        from: query.parsed("from")?,
        to: query.parsed("to")?,
        people_only: false,
    })
}

/// Lists who did what in the tenant, newest first.
///
/// As `csv` or `jsonl`, all of it as a file, and not a page.
#[utoipa::path(
    get,
    path = "/api/audit-log",
    operation_id = "list_audit_log",
    tag = "audit log",
    params(
        InTenant,
        ("action" = Option<String>, Query, description = "An action, or the kind of thing that it was done to: `intent.update` or `intent`"),
        ("object_id" = Option<String>, Query, description = "What it was done to"),
        ("actor" = Option<String>, Query, description = "To be found in the actor's name"),
        ("from" = Option<DateTime<Utc>>, Query, description = "Not before this"),
        ("to" = Option<DateTime<Utc>>, Query, description = "Before this"),
        ("people_only" = Option<bool>, Query, description = "Only what people and keys did, without the messages that they handed in"),
        ("format" = Option<String>, Query, description = "`json`, `csv` or `jsonl`. If left out, what `Accept` asks for, and `json` where that asks for none of them", pattern = "^(json|csv|jsonl)$"),
        Paging,
    ),
    responses(
        (status = 200, description = "A page, or all of it", content(([AuditEntry] = "application/json"), (String = "text/csv"), (String = "application/jsonl"))),
    ),
    extensions(("x-required-role" = json!("admin"))),
)]
async fn list(
    ctx: TenantContext,
    OriginalUri(uri): OriginalUri,
    headers: HeaderMap,
    query: Query,
) -> Result<Response> {
    let filter = AuditFilter { people_only: query.flag("people_only")?, ..filter(&query)? };
    match format(&headers, &query)? {
        None => {
            let page = query.page()?;
            let entries = service::list(&ctx, &filter, page).await?;
            Ok(list_response(entries, page.limit, &uri, |entry| entry.audit_id))
        }
        Some(format) => export::stream(ctx, filter, format).await,
    }
}

/// `None` for a page of JSON.
fn format(headers: &HeaderMap, query: &Query) -> Result<Option<Format>, Problem> {
    match query.get("format") {
        Some("json") => Ok(None),
        Some(format) => format.parse().map(Some),
        None => {
            let offered = [None, Some(Format::Csv), Some(Format::JsonLines)];
            let media_type = |one: Option<Format>| one.map_or("application/json", Format::media_type);
            Ok(accept::best(headers, &offered, media_type).flatten())
        }
    }
}

/// Lists who did what of the installation, newest first.
#[utoipa::path(
    get,
    path = "/api/instance-audit-log",
    operation_id = "list_instance_audit_log",
    tag = "audit log",
    params(
        ("action" = Option<String>, Query, description = "An action, or the kind of thing that it was done to: `intent.update` or `intent`"),
        ("object_id" = Option<String>, Query, description = "What it was done to"),
        ("actor" = Option<String>, Query, description = "To be found in the actor's name"),
        ("from" = Option<DateTime<Utc>>, Query, description = "Not before this"),
        ("to" = Option<DateTime<Utc>>, Query, description = "Before this"),
        Paging,
    ),
    responses((status = 200, description = "A page", body = [AuditEntry])),
    extensions(("x-required-role" = json!("instance"))),
)]
async fn list_instance(ctx: CallerContext, OriginalUri(uri): OriginalUri, query: Query) -> Result<Response> {
    let page = query.page()?;
    let entries = service::list_instance(&ctx, &filter(&query)?, page).await?;
    Ok(list_response(entries, page.limit, &uri, |entry| entry.audit_id))
}
