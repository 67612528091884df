//! Business rules of files.

use std::collections::HashMap;

use axum::body::Bytes;
use futures::{Stream, StreamExt};
use serde_json::json;

use super::store::{Entry, Store};
use crate::{
    audit::server::event::Event,
    auth::authority::Permission,
    datasources::server::config_service,
    files::dto::TenantFile,
    server::{Error, Result, TenantContext, aside},
    shared::Problem,
};

/// What a look-up can read.
const ENDINGS: [&str; 12] =
    ["csv", "tsv", "txt", "xlsx", "xlsm", "json", "jsonl", "ndjson", "sqlite", "sqlite3", "db", "geojson"];

fn store(ctx: &TenantContext) -> Store {
    Store::new(ctx.app.config.files_dir(&ctx.tenant))
}

/// By path.
///
/// # Errors
/// 403.
pub async fn list(ctx: &TenantContext) -> Result<Vec<TenantFile>> {
    ctx.require(Permission::Read)?;
    let users = users(ctx).await?;
    let store = store(ctx);
    let entries = aside::run(move || store.list()).await.map_err(Error::internal)?;
    Ok(entries.into_iter().map(|entry| shown(entry, &users)).collect())
}

/// # Errors
/// 403, 404.
pub async fn open(ctx: &TenantContext, path: &str) -> Result<std::fs::File> {
    ctx.require(Permission::Configure)?;
    let (store, wanted) = (store(ctx), path.to_owned());
    let opened = aside::run(move || store.open(&wanted)).await;
    match opened {
        Ok(file) if file.metadata().is_ok_and(|metadata| metadata.is_file()) => Ok(file),
        // Whatever is out of bounds is not there.
        _ => Err(not_found(path).into()),
    }
}

/// Takes a file in, or replaces one. Answers it, and whether it is new.
///
/// # Errors
/// 403; 413 for more than a file, or all files together, may have; 422 for a kind that no look-up reads; 400
/// where the body broke off. What was there before stays then.
pub async fn put<E>(
    ctx: &TenantContext,
    path: &str,
    mut chunks: impl Stream<Item = std::result::Result<Bytes, E>> + Unpin,
) -> Result<(TenantFile, bool)> {
    ctx.require(Permission::Configure)?;
    let ending = path.rsplit_once('.').map_or("", |(_, ending)| ending).to_ascii_lowercase();
    if !ENDINGS.contains(&ending.as_str()) {
        return Err(
            Problem::invalid_field("path", format!("must end in one of: {}", ENDINGS.join(", "))).into()
        );
    }
    let files = store(ctx);
    let stored: u64 = {
        let files = files.clone();
        let others = path.to_owned();
        aside::run(move || files.list())
            .await
            .map_err(Error::internal)?
            .iter()
            .filter(|entry| entry.path != others)
            .map(|entry| entry.size)
            .sum()
    };
    let limits = &ctx.app.config.files;
    let most = limits.max_file.min(limits.max_tenant.saturating_sub(stored));
    let too_large = || {
        Problem::new(
            413,
            format!(
                "The file is larger than is left: {most} bytes (a file may have {}, all files of a tenant {})",
                limits.max_file, limits.max_tenant
            ),
        )
    };
    let mut incoming = {
        let files = files.clone();
        aside::run(move || files.incoming()).await.map_err(Error::internal)?
    };
    let mut size = 0_u64;
    while let Some(chunk) = chunks.next().await {
        let chunk = chunk.map_err(|_| Problem::new(400, "The body could not be read to its end"))?;
        size += chunk.len() as u64;
        if size > most {
            return Err(too_large().into());
        }
        let written = aside::run(move || incoming.write(&chunk).map(|()| incoming)).await;
        incoming = written.map_err(Error::internal)?;
    }
    // Told of in a transaction that ends when the file is in its place: neither is there without the other, but for
    // a fault of the database in that moment.
    let mut tx = ctx.begin().await?;
    ctx.audit(&mut tx, Event::done("file.put", path, json!({"size": size}))).await?;
    let target = path.to_owned();
    let placed = aside::run(move || incoming.finish(&target)).await;
    let existed = placed.map_err(|error| {
        tracing::warn!(tenant = %ctx.tenant, %error, "a file could not be put in its place");
        Problem::invalid_field("path", "cannot be written: a file may stand where a folder would have to be")
    })?;
    tx.commit().await?;
    let file = list(ctx).await?.into_iter().find(|file| file.path == path).ok_or_else(|| not_found(path))?;
    Ok((file, !existed))
}

/// # Errors
/// 403, 404; 400 with their names while configs lead to it.
pub async fn delete(ctx: &TenantContext, path: &str) -> Result<()> {
    ctx.require(Permission::Configure)?;
    if let Some(configs) = users(ctx).await?.get(path) {
        let names = configs.iter().map(|name| format!("'{name}'")).collect::<Vec<_>>().join(", ");
        return Err(Problem::business_rule(format!(
            "File '{path}' cannot be deleted: it is used by {names}"
        ))
        .into());
    }
    let mut tx = ctx.begin().await?;
    ctx.audit(&mut tx, Event::done("file.delete", path, json!(null))).await?;
    let (store, wanted) = (store(ctx), path.to_owned());
    let removed =
        tokio::task::spawn_blocking(move || store.remove(&wanted)).await.map_err(Error::internal)?;
    removed.map_err(|_| not_found(path))?;
    Ok(tx.commit().await?)
}

/// Which configs lead to which file.
async fn users(ctx: &TenantContext) -> Result<HashMap<String, Vec<String>>> {
    let mut users: HashMap<String, Vec<String>> = HashMap::new();
    for (config, path) in config_service::file_paths(ctx).await? {
        users.entry(path).or_default().push(config);
    }
    Ok(users)
}

fn shown(entry: Entry, users: &HashMap<String, Vec<String>>) -> TenantFile {
    TenantFile {
        used_by: users.get(&entry.path).cloned().unwrap_or_default(),
        path: entry.path,
        size: entry.size,
        modified_at: entry.modified.map(Into::into),
    }
}

fn not_found(path: &str) -> Problem {
    Problem::not_found("File", path)
}
