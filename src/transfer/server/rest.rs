//! `/api/export` and `/api/import`.

use axum::{
    extract::{DefaultBodyLimit, Request},
    http::{HeaderMap, header},
    response::{IntoResponse, Response},
};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    document::{self, Document as Configuration},
    service::{self, Options},
};
use crate::{
    auth::authority::Permission,
    server::{
        AppState, Result, TenantContext, accept, aside,
        extract::{Query, body, is_type},
        openapi::InTenant,
    },
    shared::Problem,
    transfer::dto::{Format, MAX_DOCUMENT, Plan},
};

pub fn routes() -> OpenApiRouter<AppState> {
    let import = OpenApiRouter::default().routes(routes!(import)).layer(DefaultBodyLimit::max(MAX_DOCUMENT));
    OpenApiRouter::default().routes(routes!(export)).merge(import)
}

/// The tenant's whole configuration as one file, with names in the place of ids and without any secret.
#[utoipa::path(
    get,
    path = "/api/export",
    operation_id = "export_configuration",
    tag = "configuration",
    params(
        InTenant,
        ("format" = Option<String>, Query, description = "`yaml` or `json`. If left out, what `Accept` asks for, and `yaml` where that asks for neither", pattern = "^(yaml|json)$"),
        ("examples" = Option<bool>, Query, description = "Whether to include the texts of examples, which may hold what people wrote"),
    ),
    responses(
        (status = 200, description = "The file", content((Configuration = "application/json"), (Configuration = "application/yaml"))),
        (status = 400, description = "The configuration, or its examples, are more than `POST /api/import` takes in"),
    ),
    extensions(("x-required-role" = json!("editor"))),
)]
async fn export(ctx: TenantContext, headers: HeaderMap, query: Query) -> Result<Response> {
    let accepted = accept::best(&headers, Format::ALL, Format::media_type);
    let format = query.parsed("format")?.or(accepted).unwrap_or(Format::Yaml);
    let text = service::export(&ctx, format, query.flag("examples")?).await?;
    let name = format!("attachment; filename=\"{}.{format}\"", ctx.tenant);
    let headers =
        [(header::CONTENT_TYPE, format.media_type().to_owned()), (header::CONTENT_DISPOSITION, name)];
    Ok((headers, text).into_response())
}

/// Brings the tenant's configuration to what a file says: all of it, or nothing.
///
/// The same file again changes nothing. A plan comes first with `dry_run=true`. What changes a config, or sets or changes a
/// header's value, needs the role `admin`, for a plan too.
#[utoipa::path(
    post,
    path = "/api/import",
    operation_id = "import_configuration",
    tag = "configuration",
    params(
        InTenant,
        ("dry_run" = Option<bool>, Query, description = "Whether only to say what would be done"),
        ("delete" = Option<bool>, Query, description = "Whether to delete what the file does not hold"),
        ("revision" = Option<String>, Query, description = "The `revision` of a plan: if the configuration has changed since, nothing is done"),
    ),
    request_body(description = "The file, as `GET /api/export` gives it", content(
        (Configuration = "application/json", example = json!({"version": 1})),
        (Configuration = "application/yaml"),
    )),
    responses(
        (status = 200, description = "What was done, or would be", body = Plan),
        (status = 412, description = "The configuration was changed since the plan of that revision was made"),
    ),
    extensions(("x-required-role" = json!("editor"))),
)]
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
