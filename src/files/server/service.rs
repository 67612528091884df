//! Business rules of files.

use std::{
    collections::HashMap,
    io::{self, Read},
    time::{Duration, SystemTime},
};

use axum::body::Bytes;
use futures::{Stream, StreamExt};
use serde_json::json;

use super::{
    kind::{self, Kind},
    path::FilePath,
    repository,
    store::{self, Entry, Incoming, Placed, Stamp, Store, Taken, Uploaded},
};
use crate::{
    audit::server::event::Event,
    auth::authority::Permission,
    datasources::server::config_service,
    files::dto::TenantFile,
    server::{
        AppState, Database, Error, Result, TenantContext, aside,
        config::FileConfig,
        error::chain,
        etag::{IfMatch, Preconditions, Versioned},
        paging::Page,
        places::Place,
    },
    shared::{Problem, TenantId},
    tenants::server::service as tenants,
};

impl Versioned for Stamp {}

/// Files and folders of a tenant: each takes of the disk what no sum of sizes tells, and all are gone through for each
/// file that comes in.
const MAX_PLACES: usize = 5_000;

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
pub async fn open(ctx: &TenantContext, path: &FilePath) -> Result<(std::fs::File, Stamp)> {
    ctx.require(Permission::Configure)?;
    Ok(opened(ctx, path).await.ok_or_else(|| not_found(path))?)
}

/// `None` where it is not there, as nothing is that is out of bounds.
async fn opened(ctx: &TenantContext, path: &FilePath) -> Option<(std::fs::File, Stamp)> {
    let (store, path) = (store(ctx), path.clone());
    let opened = aside::run(move || {
        let file = store.open(path.as_str())?;
        let stamp = Stamp::of(&file.metadata()?);
        io::Result::Ok((file, stamp))
    });
    opened.await.ok()
}

/// A file that was stored.
pub struct Stored {
    pub file: TenantFile,
    pub stamp: Stamp,
    /// Whether there was none before.
    pub is_new: bool,
}

/// A file that came in whole, and is not in its place yet. Dropped before, it goes.
pub struct Arrived {
    path: FilePath,
    incoming: Incoming,
    size: u64,
    /// When it was on the disk, by that disk's clock.
    at: SystemTime,
    _place: Place<TenantId>,
}

/// Takes a file in, or replaces one.
///
/// # Errors
/// As `take_in` and `put_in_place`. What was there before stays then.
pub async fn put<E>(
    ctx: &TenantContext,
    path: &FilePath,
    chunks: impl Stream<Item = std::result::Result<Bytes, E>> + Unpin,
    preconditions: &Preconditions,
) -> Result<Stored> {
    let arrived = take_in(ctx, path, chunks, preconditions).await?;
    put_in_place(ctx, arrived, preconditions).await
}

/// Takes in the bytes of a file that is to lie at this path.
///
/// # Errors
/// 403; 412; 413 for more than a file, or all files together, may have; 422 for a name that is too long, for a kind that no
/// look-up reads, or one that is not the name's; 429 while too many come in; 400 where there are too many already, or the
/// body broke off.
pub async fn take_in<E>(
    ctx: &TenantContext,
    path: &FilePath,
    chunks: impl Stream<Item = std::result::Result<Bytes, E>> + Unpin,
    preconditions: &Preconditions,
) -> Result<Arrived> {
    ctx.require(Permission::Configure)?;
    path.check_names()?;
    let kind = Kind::of(&path.ending())?;
    check(ctx, path, preconditions).await?;
    let place = ctx.app.uploads.take(ctx.tenant.clone(), AT_ONCE).ok_or_else(too_many)?;
    let limits = &ctx.app.config.files;
    let taken = taken_but(ctx, path).await?;
    check_places(&taken)?;
    let most = limits.max_file.min(limits.max_tenant.saturating_sub(taken.stored + taken.coming));
    let (incoming, size) = write(ctx, chunks, most, || too_large(limits, most)).await?;
    let sealed = aside::run(move || {
        let beginning = incoming.beginning(kind::BEGINNING)?;
        let (incoming, at) = incoming.seal()?;
        io::Result::Ok((incoming, at, beginning))
    });
    let (incoming, at, beginning) = sealed.await.map_err(Error::internal)?;
    kind.check(&beginning)?;
    Ok(Arrived { path: path.clone(), incoming, size, at, _place: place })
}

/// Puts a file in its place.
///
/// # Errors
/// 403; 412; 413 where others took the room meanwhile, 400 where they took the places; 422 for a path that leads through a
/// file.
pub async fn put_in_place(
    ctx: &TenantContext,
    arrived: Arrived,
    preconditions: &Preconditions,
) -> Result<Stored> {
    ctx.require(Permission::Configure)?;
    let Arrived { path, incoming, size, at, _place } = arrived;
    let limits = &ctx.app.config.files;
    let users = users(ctx).await?;
    let mut tx = ctx.begin().await?;
    // Those that came in meanwhile were not counted when this one began, and one may be in its place.
    repository::lock(&mut tx).await?;
    check(ctx, &path, preconditions).await?;
    let taken = taken_but(ctx, &path).await?;
    check_places(&taken)?;
    let left = limits.max_tenant.saturating_sub(taken.stored);
    if size > left {
        return Err(too_large(limits, left).into());
    }
    // Told of in a transaction that ends when the file is in its place: neither is there without the other, but for
    // a fault of the database in that moment. The file is then newer than the one that is known, and so counts.
    let at = repository::note(&mut tx, &path, Uploaded { size, at }).await?;
    ctx.audit(&mut tx, Event::done("file.put", &path, json!({"size": size}))).await?;
    let placed = aside::run(move || incoming.finish(path.as_str(), at.into())).await;
    let Placed { entry, stamp, existed } = placed.map_err(|error| {
        tracing::warn!(tenant = %ctx.tenant, %error, "a file could not be put in its place");
        Problem::invalid_field("path", "cannot be written: a file may stand where a folder would have to be")
    })?;
    tx.commit().await?;
    Ok(Stored { file: shown(entry, &users), stamp, is_new: !existed })
}

/// # Errors
/// 412.
async fn check(ctx: &TenantContext, path: &FilePath, preconditions: &Preconditions) -> Result<()> {
    let stamp = opened(ctx, path).await.map(|(_, stamp)| stamp);
    Ok(preconditions.check(stamp.as_ref())?)
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

/// # Errors
/// 400 where a new file would be one too many.
fn check_places(taken: &Taken) -> Result<(), Problem> {
    if taken.is_there || taken.places <= MAX_PLACES { Ok(()) } else { Err(full()) }
}

/// What is said where a new file would be one too many.
pub fn full() -> Problem {
    Problem::business_rule(format!(
        "A tenant can have at most {MAX_PLACES} files and folders. Delete some first"
    ))
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
/// 403, 404; 400 with their names while configs lead to it; 412.
pub async fn delete(ctx: &TenantContext, path: &FilePath, if_match: &IfMatch) -> Result<()> {
    ctx.require(Permission::Configure)?;
    if let Some(configs) = users(ctx).await?.get(path.as_str()) {
        let names = configs.iter().map(|name| format!("'{name}'")).collect::<Vec<_>>().join(", ");
        return Err(Problem::business_rule(format!(
            "File '{path}' cannot be deleted: it is used by {names}"
        ))
        .into());
    }
    let mut tx = ctx.begin().await?;
    repository::lock(&mut tx).await?;
    let stamp = opened(ctx, path).await.map(|(_, stamp)| stamp);
    let was_uploaded = repository::forget(&mut tx, path).await?;
    // What is not there is told as that below.
    if stamp.is_some() || was_uploaded {
        if_match.check_if_any(stamp.as_ref())?;
    }
    ctx.audit(&mut tx, Event::done("file.delete", path, json!(null))).await?;
    let (store, wanted) = (store(ctx), path.clone());
    match aside::run(move || store.remove(wanted.as_str())).await {
        Ok(()) => {}
        // It was lost, or is another server's: then it is to be forgotten.
        Err(error) if was_uploaded && error.kind() == io::ErrorKind::NotFound => {}
        Err(_) => return Err(not_found(path).into()),
    }
    Ok(tx.commit().await?)
}

/// What is known of those of the files at these paths that were uploaded, by path.
///
/// # Errors
/// The database's.
pub async fn uploaded(
    database: &Database,
    tenant: &TenantId,
    paths: &[&str],
) -> sqlx::Result<HashMap<String, Uploaded>> {
    if paths.is_empty() {
        return Ok(HashMap::new());
    }
    let found = repository::find(&mut database.tenant_read(tenant).await?, paths).await?;
    Ok(found.into_iter().collect())
}

/// Removes what servers that were killed left of files that were coming in, and says where this server lacks files.
pub async fn tidy(app: &AppState) {
    let root = app.config.files_root();
    match aside::run(move || store::remove_left(&root, LEFT)).await {
        Ok(0) => {}
        Ok(count) => tracing::info!(count, "files that came in by half were removed"),
        Err(error) => tracing::warn!(%error, "files that came in by half could not be removed"),
    }
    match lacking(app).await {
        Ok(lacking) => {
            if let Some((tenant, path)) = lacking.first() {
                tracing::warn!(
                    count = lacking.len(), %tenant, %path,
                    "files were uploaded and are not, or not as they were, in this server's DATA_DIR, which all servers \
                     of a database must share: look-ups in them fail here; this is the first of them"
                );
            }
        }
        Err(error) => {
            tracing::warn!(error = %chain(&error), "what was uploaded could not be compared with DATA_DIR");
        }
    }
}

/// The files that were uploaded, and that this server does not have as they were.
///
/// # Errors
/// The database's.
pub async fn lacking(app: &AppState) -> Result<Vec<(TenantId, String)>> {
    let mut lacking = Vec::new();
    let ids = tenants::ids(&mut app.database.instance().await?).await?;
    for tenant in ids {
        if app.stop.is_cancelled() {
            break;
        }
        // Asked first: what is uploaded meanwhile is newer.
        let uploaded = repository::all(&mut app.database.tenant_read(&tenant).await?).await?;
        let store = Store::new(app.config.files_dir(&tenant));
        let is_there = move |path: &str, uploaded: Uploaded| {
            store.open(path).and_then(|file| file.metadata()).is_ok_and(|metadata| uploaded.is_in(&metadata))
        };
        let found = aside::run(move || {
            let all = uploaded.into_iter();
            all.filter(|(path, uploaded)| !is_there(path, *uploaded))
                .map(|(path, _)| path)
                .collect::<Vec<_>>()
        });
        lacking.extend(found.await.into_iter().map(|path| (tenant.clone(), path)));
    }
    Ok(lacking)
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
        unreadable: None,
    }
}

fn not_found(path: &FilePath) -> Problem {
    Problem::not_found("File", path)
}
