//! `/api/audit-log` and `/api/instance-audit-log`.

use axum::{Router, extract::OriginalUri, response::Response, routing::get};

use super::{export, service};
use crate::{
    audit::dto::AuditFilter,
    server::{AppState, CallerContext, Result, TenantContext, extract::Query, paging::list_response},
    shared::Problem,
};

pub fn routes() -> Router<AppState> {
    Router::new().route("/api/audit-log", get(list)).route("/api/instance-audit-log", get(list_instance))
}

fn filter(query: &Query) -> Result<AuditFilter, Problem> {
    Ok(AuditFilter {
        action: query.get("action").map(str::to_owned),
        object_id: query.get("object_id").map(str::to_owned),
        actor: query.get("actor").map(str::to_owned),
        from: query.parsed("from")?,
        to: query.parsed("to")?,
    })
}

/// A page of entries; or, with `format=csv` or `format=jsonl`, all of them as a file.
async fn list(ctx: TenantContext, OriginalUri(uri): OriginalUri, query: Query) -> Result<Response> {
    let filter = filter(&query)?;
    match query.get("format") {
        None | Some("json") => {
            let page = query.page()?;
            let entries = service::list(&ctx, &filter, page).await?;
            Ok(list_response(entries, page.limit, &uri, |entry| entry.audit_id))
        }
        Some(format) => export::stream(ctx, filter, format.parse::<export::Format>()?).await,
    }
}

async fn list_instance(ctx: CallerContext, OriginalUri(uri): OriginalUri, query: Query) -> Result<Response> {
    let page = query.page()?;
    let entries = service::list_instance(&ctx, &filter(&query)?, page).await?;
    Ok(list_response(entries, page.limit, &uri, |entry| entry.audit_id))
}
