//! `/api/files`.

use axum::{
    body::Body,
    extract::{DefaultBodyLimit, Multipart, OriginalUri, Request, multipart::MultipartRejection},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Redirect, Response},
};
use tokio_util::io::ReaderStream;
use utoipa_axum::{
    router::{OpenApiRouter, UtoipaMethodRouterExt},
    routes,
};

use super::{
    look,
    path::FilePath,
    service::{self, Stored},
};
use crate::{
    auth::authority::Permission,
    files::dto::{ENDINGS, Refusal, TenantFile},
    server::{
        AppState, Error, Result, TenantContext,
        etag::{IfMatch, Preconditions, Versioned},
        extract::{self, PathId, Query, wants_page},
        openapi::{InTenant, Paging, Unchanged},
        paging::list_response,
    },
    shared::Problem,
};

pub fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::default()
        .routes(routes!(list, take_form).layer(DefaultBodyLimit::disable()))
        .routes(routes!(download, put, delete).layer(DefaultBodyLimit::disable()))
}

/// The form that a file is sent with.
#[derive(utoipa::ToSchema)]
#[expect(dead_code, reason = "it is read from the wire as it comes, and is here for the API's document")]
struct FileForm {
    /// The file, and nothing beside it. Its filename in the form is the path that it is stored at.
    #[schema(content_media_type = "application/octet-stream")]
    file: String,
}

/// Lists the files of the tenant, by path.
#[utoipa::path(
    get,
    path = "/api/files",
    operation_id = "list_files",
    tag = "files",
    params(InTenant, Paging),
    responses((status = 200, description = "A page", body = [TenantFile])),
    extensions(("x-required-role" = json!("viewer"))),
)]
async fn list(ctx: TenantContext, OriginalUri(uri): OriginalUri, query: Query) -> Result<Response> {
    let page = query.page()?;
    let limit = page.limit;
    let files = service::list(&ctx, page).await?;
    Ok(list_response(files, limit, &uri, |file| file.path.clone()))
}

/// Gives the bytes of a file.
///
/// Never shown by a browser as a page of ours.
#[utoipa::path(
    get,
    path = "/api/files/{*path}",
    operation_id = "download_file",
    tag = "files",
    params(
        ("path" = String, Path, description = "Within the tenant's folder, such as `customers.csv`"),
        InTenant,
    ),
    responses(
        (status = 200, description = "The file", body = inline(String), content_type = "application/octet-stream", headers(("Content-Disposition" = String, description = "attachment"))),
    ),
    extensions(("x-required-role" = json!("editor"))),
)]
async fn download(ctx: TenantContext, PathId(path): PathId<FilePath>) -> Result<Response> {
    let (file, stamp) = service::open(&ctx, &path).await?;
    let headers = [
        (header::CONTENT_TYPE, "application/octet-stream"),
        (header::CONTENT_DISPOSITION, "attachment"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    let body = Body::from_stream(ReaderStream::new(tokio::fs::File::from_std(file)));
    Ok(([(header::ETAG, stamp.etag())], headers, body).into_response())
}

/// Stores a file, in the place of the one that is there.
#[utoipa::path(
    put,
    path = "/api/files/{*path}",
    operation_id = "put_file",
    description = format!("Any content type. The name ends in one of: {ENDINGS}."),
    tag = "files",
    params(
        ("path" = String, Path, description = "Within the tenant's folder, such as `customers.csv`. It has 500 bytes at most, and each name in it 255"),
        InTenant,
        Unchanged,
        ("If-None-Match" = Option<String>, Header, description = "`*`: the file is to be new. Where there is one, nothing is done (RFC 9110, section 13.1.2); of several that are sent at once, one is stored", pattern = "^\\*$"),
    ),
    request_body(content = inline(String), content_type = "application/octet-stream", description = "The bytes"),
    responses(
        (status = 200, description = "Replaced", body = TenantFile),
        (status = 201, description = "Made", body = TenantFile, headers(("ETag" = String))),
        (status = 400, description = "The body broke off, or there are as many files and folders as there may be"),
        (status = 412, description = "It was changed since it was read, or is there and was to be new"),
        (status = 413, description = "The file, or all of the tenant's files, would be larger than this server takes"),
    ),
    extensions(("x-required-role" = json!("editor"))),
)]
async fn put(
    ctx: TenantContext,
    PathId(path): PathId<FilePath>,
    preconditions: Preconditions,
    request: Request,
) -> Result<Response> {
    let stored = service::put(&ctx, &path, request.into_body().into_data_stream(), &preconditions).await?;
    Ok(answer(look::told(&ctx, &path, stored).await))
}

/// The tag is that of the file itself, as a `GET` gives it.
fn answer(Stored { file, stamp, is_new }: Stored) -> Response {
    let status = if is_new { StatusCode::CREATED } else { StatusCode::OK };
    (status, [(header::ETAG, stamp.etag())], axum::Json(file)).into_response()
}

/// Stores the one file of a form (RFC 7578).
///
/// A form that holds anything beside it is refused whole (422): files go one by one.
///
/// Whoever accepts `text/html` is led back to the page of files, or to the look into the file where it cannot be read.
#[utoipa::path(
    post,
    path = "/api/files",
    operation_id = "upload_file",
    tag = "files",
    params(InTenant),
    request_body(content = FileForm, content_type = "multipart/form-data"),
    responses(
        (status = 200, description = "Replaced", body = TenantFile, headers(("ETag" = String))),
        (status = 201, description = "Made", body = TenantFile, headers(("ETag" = String))),
        (status = 303, description = "To the page, for a browser", headers(("Location" = String))),
        (status = 400, description = "The body broke off, or there are as many files and folders as there may be"),
        (status = 413, description = "The file, or all of the tenant's files, would be larger than this server takes"),
    ),
    extensions(("x-required-role" = json!("editor"))),
)]
async fn take_form(
    ctx: TenantContext,
    headers: HeaderMap,
    form: Result<Multipart, MultipartRejection>,
) -> Result<Response> {
    let stored = match form {
        _ if !extract::is_type(&headers, "multipart/form-data") => {
            Err(Problem::new(415, "The body must be multipart/form-data").into())
        }
        Ok(form) => store_form(&ctx, form).await,
        Err(rejection) => Err(Problem::new(rejection.status().as_u16(), rejection.body_text()).into()),
    };
    let wants_page = wants_page(&headers);
    match stored {
        // Why it cannot be read, the look into it says.
        Ok(stored) if wants_page && stored.file.unreadable.is_some() => {
            Ok(to_page(&ctx, "/look", "path", &stored.file.path))
        }
        Ok(stored) if wants_page => Ok(to_page(&ctx, "", "stored", &stored.file.path)),
        Ok(stored) => Ok(answer(stored)),
        Err(Error::Problem(problem)) if wants_page => {
            let refusal = match problem.status {
                401 => Refusal::SignedOut,
                403 => Refusal::Forbidden,
                413 => Refusal::TooLarge,
                422 => Refusal::Kind,
                429 => Refusal::Busy,
                _ if problem == service::full() => Refusal::TooMany,
                _ => Refusal::BrokeOff,
            };
            Ok(to_page(&ctx, "", "refused", refusal.as_str()))
        }
        Err(error) => Err(error),
    }
}

async fn store_form(ctx: &TenantContext, mut form: Multipart) -> Result<Stored> {
    // Before anything is read: the form may be of any length.
    ctx.require(Permission::Configure)?;
    let broke_off = |_| Problem::new(400, "The form could not be read to its end");
    let fault = |why: &'static str| Problem::invalid_field("file", why);
    let alone = || fault("must be the form's one field");
    // The one field that a form of ours has: what else stands before it would be read without end.
    let field = form.next_field().await.map_err(broke_off)?.filter(|field| field.name() == Some("file"));
    let field = field.ok_or_else(alone)?;
    let name = field.file_name().filter(|name| !name.is_empty());
    let name = name.ok_or_else(|| fault("needs a filename: the path to store it at, as customers.csv"))?;
    let path: FilePath = name.parse().map_err(fault)?;
    let whatever_is_there = Preconditions::default();
    let arrived = service::take_in(ctx, &path, field, &whatever_is_there).await?;
    // Another file would be left out, and nobody told.
    if form.next_field().await.map_err(broke_off)?.is_some() {
        return Err(alone().into());
    }
    let stored = service::put_in_place(ctx, arrived, &whatever_is_there).await?;
    Ok(look::told(ctx, &path, stored).await)
}

/// To the page of files, or the one `below` it.
fn to_page(ctx: &TenantContext, below: &str, name: &str, value: &str) -> Response {
    let query = url::form_urlencoded::Serializer::new(String::new()).append_pair(name, value).finish();
    Redirect::to(&format!("/t/{}/files{below}?{query}", ctx.tenant)).into_response()
}

/// Deletes a file that no config leads to.
#[utoipa::path(
    delete,
    path = "/api/files/{*path}",
    operation_id = "delete_file",
    tag = "files",
    params(
        ("path" = String, Path, description = "Within the tenant's folder, such as `customers.csv`"),
        InTenant,
        Unchanged,
    ),
    responses(
        (status = 204, description = "Deleted"),
        (status = 400, description = "A config leads to it"),
    ),
    extensions(("x-required-role" = json!("editor"))),
)]
async fn delete(ctx: TenantContext, PathId(path): PathId<FilePath>, if_match: IfMatch) -> Result<StatusCode> {
    service::delete(&ctx, &path, &if_match).await?;
    Ok(StatusCode::NO_CONTENT)
}
