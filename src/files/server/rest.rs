//! `/api/files`.

use std::str::FromStr;

use axum::{
    Router,
    body::Body,
    extract::{DefaultBodyLimit, Multipart, Request, multipart::MultipartRejection},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Redirect, Response},
    routing::get,
};
use tokio_util::io::ReaderStream;

use super::service;
use crate::{
    auth::server::authority::Permission,
    datasources::server::connection::check_tenant_path,
    files::dto::{Refusal, TenantFile},
    server::{AppState, Error, Result, TenantContext, extract::PathId},
    shared::Problem,
};

pub fn routes() -> Router<AppState> {
    Router::new()
        .route("/api/files", get(list).post(take_form).layer(DefaultBodyLimit::disable()))
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
    let (file, is_new) = service::put(&ctx, &path.0, request.into_body().into_data_stream()).await?;
    let status = if is_new { StatusCode::CREATED } else { StatusCode::OK };
    Ok((status, axum::Json(file)).into_response())
}

/// A form with one file, as browsers send it (RFC 7578). Whoever asks for a page gets one: the list of files, whose
/// address says what came of it.
async fn take_form(
    ctx: TenantContext,
    headers: HeaderMap,
    form: Result<Multipart, MultipartRejection>,
) -> Result<Response> {
    let stored = match form {
        Ok(form) => store_form(&ctx, form).await,
        Err(rejection) => Err(Problem::new(rejection.status().as_u16(), rejection.body_text()).into()),
    };
    let wants_page = headers
        .get(header::ACCEPT)
        .and_then(|value| value.to_str().ok())
        .is_some_and(|accept| accept.contains("text/html"));
    match stored {
        Ok((file, _)) if wants_page => Ok(to_page(&ctx, "stored", &file.path)),
        Ok((file, is_new)) => {
            let status = if is_new { StatusCode::CREATED } else { StatusCode::OK };
            Ok((status, axum::Json(file)).into_response())
        }
        Err(Error::Problem(problem)) if wants_page => {
            let refusal = match problem.status {
                401 => Refusal::SignedOut,
                403 => Refusal::Forbidden,
                413 => Refusal::TooLarge,
                422 => Refusal::Kind,
                _ => Refusal::BrokeOff,
            };
            Ok(to_page(&ctx, "refused", refusal.as_str()))
        }
        Err(error) => Err(error),
    }
}

async fn store_form(ctx: &TenantContext, mut form: Multipart) -> Result<(TenantFile, bool)> {
    // Before anything is read: the form may be of any length.
    ctx.require(Permission::Configure)?;
    let broke_off = |_| Problem::new(400, "The form could not be read to its end");
    // The one field that a form of ours has: what else stands before it would be read without end.
    let field = form.next_field().await.map_err(broke_off)?.filter(|field| field.name() == Some("file"));
    let field = field.ok_or_else(|| Problem::invalid_field("file", "must be the form's one field"))?;
    let name = field.file_name().unwrap_or_default();
    let path: FilePath = name.parse().map_err(|why: &'static str| Problem::invalid_field("file", why))?;
    service::put(ctx, &path.0, field).await
}

fn to_page(ctx: &TenantContext, name: &str, value: &str) -> Response {
    let query = url::form_urlencoded::Serializer::new(String::new()).append_pair(name, value).finish();
    Redirect::to(&format!("/t/{}/files?{query}", ctx.tenant)).into_response()
}

async fn delete(ctx: TenantContext, PathId(path): PathId<FilePath>) -> Result<StatusCode> {
    service::delete(&ctx, &path.0).await?;
    Ok(StatusCode::NO_CONTENT)
}
