//! `/api/files`.

use std::str::FromStr;

use axum::{
    Router,
    body::Body,
    extract::{DefaultBodyLimit, Request},
    http::{StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};
use tokio_util::io::ReaderStream;

use super::service;
use crate::{
    datasources::server::connection::check_tenant_path,
    files::dto::TenantFile,
    server::{AppState, Result, TenantContext, extract::PathId},
};

pub fn routes() -> Router<AppState> {
    Router::new()
        .route("/api/files", get(list))
        .route("/api/files/{*path}", get(download).put(put).delete(delete).layer(DefaultBodyLimit::disable()))
}

/// A path within the tenant's folder, as it stands in the address.
struct FilePath(String);

impl FromStr for FilePath {
    type Err = &'static str;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        check_tenant_path(text)?;
        if text.split('/').any(|part| part.starts_with('.')) {
            return Err("must hold no part that begins with a point");
        }
        Ok(Self(text.to_owned()))
    }
}

async fn list(ctx: TenantContext) -> Result<axum::Json<Vec<TenantFile>>> {
    Ok(axum::Json(service::list(&ctx).await?))
}

/// Never shown by a browser as a page of ours.
async fn download(ctx: TenantContext, PathId(path): PathId<FilePath>) -> Result<Response> {
    let file = service::open(&ctx, &path.0).await?;
    let headers = [
        (header::CONTENT_TYPE, "application/octet-stream"),
        (header::CONTENT_DISPOSITION, "attachment"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    let body = Body::from_stream(ReaderStream::new(tokio::fs::File::from_std(file)));
    Ok((headers, body).into_response())
}

async fn put(ctx: TenantContext, PathId(path): PathId<FilePath>, request: Request) -> Result<Response> {
    let (file, is_new) = service::put(&ctx, &path.0, request.into_body()).await?;
    let status = if is_new { StatusCode::CREATED } else { StatusCode::OK };
    Ok((status, axum::Json(file)).into_response())
}

async fn delete(ctx: TenantContext, PathId(path): PathId<FilePath>) -> Result<StatusCode> {
    service::delete(&ctx, &path.0).await?;
    Ok(StatusCode::NO_CONTENT)
}
