//! Server functions of files. A file itself is sent by a plain form to `POST /api/files`.

use leptos::prelude::*;

use super::dto::{FileLook, TenantFile};
use crate::shared::{Problem, TenantId, wire::Wire};
#[cfg(feature = "ssr")]
use crate::{
    files::server::{look, path::FilePath, service},
    server::{
        context::{tenant_context, wire},
        etag::IfMatch,
        paging::Page,
    },
};

#[server(prefix = "/ui", endpoint = "files/list", protocol = Wire)]
pub async fn list_files(tenant_id: TenantId) -> Result<Vec<TenantFile>, Problem> {
    let ctx = tenant_context(&tenant_id).await?;
    wire(service::list(&ctx, Page::first()).await)
}

/// Refused while a config leads to it.
#[server(prefix = "/ui", endpoint = "files/delete", protocol = Wire)]
pub async fn delete_file(tenant_id: TenantId, path: String) -> Result<(), Problem> {
    let ctx = tenant_context(&tenant_id).await?;
    let path = wire(FilePath::find(&path).map_err(Into::into))?;
    wire(service::delete(&ctx, &path, &IfMatch::any()).await)
}

/// The first rows of a file.
#[server(prefix = "/ui", endpoint = "files/look", protocol = Wire)]
pub async fn look_into_file(tenant_id: TenantId, path: String) -> Result<FileLook, Problem> {
    let ctx = tenant_context(&tenant_id).await?;
    let path = wire(FilePath::find(&path).map_err(Into::into))?;
    wire(look::look(&ctx, &path).await)
}
