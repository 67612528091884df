//! `/api/export` and `/api/import`.

use axum::{
    Router,
    extract::{DefaultBodyLimit, Request},
    http::{HeaderMap, header},
    response::{IntoResponse, Response},
    routing::{get, post},
};

use super::{
    document,
    service::{self, Options},
};
use crate::{
    auth::server::authority::Permission,
    server::{
        AppState, Result, TenantContext, aside,
        extract::{Query, body, is_type},
    },
    shared::Problem,
    transfer::dto::{Format, MAX_DOCUMENT, Plan},
};

pub fn routes() -> Router<AppState> {
    Router::new()
        .route("/api/export", get(export))
        .route("/api/import", post(import).layer(DefaultBodyLimit::max(MAX_DOCUMENT)))
}

/// The whole configuration as a file.
async fn export(ctx: TenantContext, query: Query) -> Result<Response> {
    let format = query.parsed("format")?.unwrap_or(Format::Yaml);
    let text = service::export(&ctx, format, query.flag("examples")?).await?;
    let name = format!("attachment; filename=\"{}.{format}\"", ctx.tenant);
    let headers = [
        (header::CONTENT_TYPE, format.media_type().to_owned()),
        (header::CONTENT_DISPOSITION, name),
        (header::CACHE_CONTROL, "no-store".to_owned()),
    ];
    Ok((headers, text).into_response())
}

async fn import(ctx: TenantContext, query: Query, request: Request) -> Result<axum::Json<Plan>> {
    // Before anything is read: a document is parsed for those who may send one.
    ctx.require(Permission::Configure)?;
    let options = Options {
        dry_run: query.flag("dry_run")?,
        delete: query.flag("delete")?,
        revision: query.get("revision").map(str::to_owned),
    };
    let format = format_of(request.headers())?;
    let bytes = body(request, &()).await?;
    let document = aside::run(move || document::parse(&bytes, format)).await?;
    Ok(axum::Json(service::import(&ctx, document, &options).await?))
}

fn format_of(headers: &HeaderMap) -> Result<Format, Problem> {
    let found = Format::ALL.iter().find(|format| is_type(headers, format.media_type()));
    found.copied().ok_or_else(|| Problem::new(415, "The body must be application/yaml or application/json"))
}
