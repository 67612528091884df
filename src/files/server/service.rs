//! Business rules of files.

use std::{
    collections::HashMap,
    io::{self, Read},
    time::Duration,
};

use axum::body::Bytes;
use futures::{Stream, StreamExt};
use serde_json::json;

use super::{
    path::FilePath,
    repository,
    store::{self, Entry, Incoming, Placed, Store, Taken},
};
use crate::{
    audit::server::event::Event,
    auth::authority::Permission,
    datasources::server::config_service,
    files::dto::TenantFile,
    server::{AppState, Error, Result, TenantContext, aside, config::FileConfig, paging::Page},
    shared::Problem,
};

/// What a look-up can read.
const ENDINGS: [&str; 12] =
    ["csv", "tsv", "txt", "xlsx", "xlsm", "json", "jsonl", "ndjson", "sqlite", "sqlite3", "db", "geojson"];

/// Files of a tenant that may come in at once.
const AT_ONCE: usize = 4;

/// A file that nobody has written to for so long does not come in any more.
const LEFT: Duration = Duration::from_secs(24 * 60 * 60);

fn store(ctx: &TenantContext) -> Store {
    Store::new(ctx.app.config.files_dir(&ctx.tenant))
}

/// By path.
///
/// # Errors
/// 403.
pub async fn list(ctx: &TenantContext, page: Page<String>) -> Result<Vec<TenantFile>> {
    ctx.require(Permission::Read)?;
    let users = users(ctx).await?;
    let store = store(ctx);
    let entries = aside::run(move || store.list()).await.map_err(Error::internal)?;
    // In the order of their paths, as the store gives them.
    let after =
        entries.into_iter().filter(|entry| page.cursor.as_ref().is_none_or(|after| entry.path > *after));
    let on_page = after.take(usize::try_from(page.limit).unwrap_or(usize::MAX));
    Ok(on_page.map(|entry| shown(entry, &users)).collect())
}

/// # Errors
/// 403, 404.
pub async fn open(ctx: &TenantContext, path: &FilePath) -> Result<std::fs::File> {
    ctx.require(Permission::Configure)?;
    let (store, wanted) = (store(ctx), path.clone());
    let opened = aside::run(move || store.open(wanted.as_str())).await;
    match opened {
        Ok(file) if file.metadata().is_ok_and(|metadata| metadata.is_file()) => Ok(file),
        // Whatever is out of bounds is not there.
        _ => Err(not_found(path).into()),
    }
}

/// Takes a file in, or replaces one. Answers it, and whether it is new.
///
/// # Errors
/// 403; 413 for more than a file, or all files together, may have; 422 for a kind that no look-up reads; 429 while
/// too many come in; 400 where the body broke off. What was there before stays then.
pub async fn put<E>(
    ctx: &TenantContext,
    path: &FilePath,
    chunks: impl Stream<Item = std::result::Result<Bytes, E>> + Unpin,
) -> Result<(TenantFile, bool)> {
    ctx.require(Permission::Configure)?;
    if !ENDINGS.contains(&path.ending().as_str()) {
        return Err(
            Problem::invalid_field("path", format!("must end in one of: {}", ENDINGS.join(", "))).into()
        );
    }
    let _place = ctx.app.uploads.take(ctx.tenant.clone(), AT_ONCE).ok_or_else(too_many)?;
    let limits = &ctx.app.config.files;
    let Taken { stored, coming } = taken_but(ctx, path).await?;
    let most = limits.max_file.min(limits.max_tenant.saturating_sub(stored + coming));
    let (incoming, size) = write(ctx, chunks, most, || too_large(limits, most)).await?;
    let users = users(ctx).await?;
    let mut tx = ctx.begin().await?;
    // Those that came in meanwhile were not counted when this one began.
    repository::lock(&mut tx).await?;
    let left = limits.max_tenant.saturating_sub(taken_but(ctx, path).await?.stored);
    if size > left {
        return Err(too_large(limits, left).into());
    }
    // Told of in a transaction that ends when the file is in its place: neither is there without the other, but for
    // a fault of the database in that moment.
    ctx.audit(&mut tx, Event::done("file.put", path, json!({"size": size}))).await?;
    let target = path.clone();
    let placed = aside::run(move || incoming.finish(target.as_str())).await;
    let Placed { entry, existed } = placed.map_err(|error| {
        tracing::warn!(tenant = %ctx.tenant, %error, "a file could not be put in its place");
        Problem::invalid_field("path", "cannot be written: a file may stand where a folder would have to be")
    })?;
    tx.commit().await?;
    Ok((shown(entry, &users), !existed))
}

/// What came in and is no file of the tenant's: bytes that are too many for the memory, read from their beginning. They
/// are on the disk for as long as this is held.
pub struct Spooled {
    file: std::fs::File,
    _incoming: Incoming,
}

impl Read for Spooled {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.file.read(buffer)
    }
}

/// Takes in what is only to be read. Whether the caller may send it, and how many at once, those see to who call this.
///
/// # Errors
/// 413 for more than a file may have; 400 where the body broke off.
pub async fn spool<E>(
    ctx: &TenantContext,
    chunks: impl Stream<Item = std::result::Result<Bytes, E>> + Unpin,
) -> Result<Spooled> {
    let most = ctx.app.config.files.max_file;
    let too_large = || Problem::new(413, format!("The file is larger than this server takes: {most} bytes"));
    let (incoming, _) = write(ctx, chunks, most, too_large).await?;
    let opened = aside::run(move || incoming.reader().map(|file| (file, incoming))).await;
    let (file, incoming) = opened.map_err(Error::internal)?;
    Ok(Spooled { file, _incoming: incoming })
}

/// Writes to the disk what comes in, up to `most` bytes. Answers it, and how many there were.
async fn write<E>(
    ctx: &TenantContext,
    mut chunks: impl Stream<Item = std::result::Result<Bytes, E>> + Unpin,
    most: u64,
    too_large: impl FnOnce() -> Problem,
) -> Result<(Incoming, u64)> {
    let files = store(ctx);
    let mut incoming = aside::run(move || files.incoming()).await.map_err(Error::internal)?;
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
    Ok((incoming, size))
}

async fn taken_but(ctx: &TenantContext, path: &FilePath) -> Result<Taken> {
    let (store, path) = (store(ctx), path.clone());
    aside::run(move || store.taken_but(path.as_str())).await.map_err(Error::internal)
}

fn too_large(limits: &FileConfig, left: u64) -> Problem {
    let FileConfig { max_file, max_tenant } = limits;
    let detail = format!(
        "The file is larger than is left: {left} bytes (a file may have {max_file}, all files of a tenant {max_tenant})"
    );
    Problem::new(413, detail)
}

fn too_many() -> Problem {
    let detail =
        format!("{AT_ONCE} files of this tenant are coming in, as many as may. Try again when one is there");
    Problem { retry_after: Some(5), ..Problem::new(429, detail) }
}

/// # Errors
/// 403, 404; 400 with their names while configs lead to it.
pub async fn delete(ctx: &TenantContext, path: &FilePath) -> Result<()> {
    ctx.require(Permission::Configure)?;
    if let Some(configs) = users(ctx).await?.get(path.as_str()) {
        let names = configs.iter().map(|name| format!("'{name}'")).collect::<Vec<_>>().join(", ");
        return Err(Problem::business_rule(format!(
            "File '{path}' cannot be deleted: it is used by {names}"
        ))
        .into());
    }
    let mut tx = ctx.begin().await?;
    ctx.audit(&mut tx, Event::done("file.delete", path, json!(null))).await?;
    let (store, wanted) = (store(ctx), path.clone());
    let removed = aside::run(move || store.remove(wanted.as_str())).await;
    removed.map_err(|_| not_found(path))?;
    Ok(tx.commit().await?)
}

/// Removes what servers that were killed left of files that were coming in.
pub async fn tidy(app: &AppState) {
    let root = app.config.files_root();
    match aside::run(move || store::remove_left(&root, LEFT)).await {
        Ok(0) => {}
        Ok(count) => tracing::info!(count, "files that came in by half were removed"),
        Err(error) => tracing::warn!(%error, "files that came in by half could not be removed"),
    }
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

fn not_found(path: &FilePath) -> Problem {
    Problem::not_found("File", path)
}
