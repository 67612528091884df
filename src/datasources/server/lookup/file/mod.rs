//! Files: loaded once into an in-memory SQLite as the table `data`, indexed on what is matched, loaded again when
//! the file changes.

mod cell;
mod columns;
mod csv;
mod days;
mod json;
mod order;
mod origin;
mod sheet;
mod slots;
mod table;
mod xlsx;

use std::{
    collections::HashMap,
    fs::File,
    io::{self, Read},
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant, SystemTime},
};

use tokio::sync::OwnedMutexGuard;

pub use self::table::LOWER;
use self::{
    sheet::Bounds,
    table::{Table, table},
};
use super::{Cause, Limits, LookupError, Request, Rows, TenantFile, turns::Turn};
use crate::datasources::server::connection::FileEndpoint;

/// A file is read whole, so it must fit: bytes.
const MAX_FILE: u64 = 256 << 20;
/// A file that is too large is not loaded again for so long, unless it changes.
const RETRY: Duration = Duration::from_secs(600);
/// A file that somebody put there by hand is whole when it was not changed for so long: a copy that is under way is changed
/// all the time.
const SETTLED: Duration = Duration::from_secs(3);
/// A file that is changed all the time for so long is a log rather than a copy.
const RESTLESS: Duration = Duration::from_secs(20);

/// The loaded files.
#[derive(Default)]
pub struct Tables {
    slots: Arc<slots::Slots>,
    places: Arc<slots::Places>,
    /// Files that are still being written: since when, and when that was last seen.
    fresh: Mutex<HashMap<slots::Key, (Instant, Instant)>>,
}

/// What is kept of a file as it was at a time: its table, or why there is none.
struct Held {
    stamp: Stamp,
    since: Instant,
    table: Result<Table, LookupError>,
}

impl Held {
    fn is_of(&self, stamp: Stamp) -> bool {
        self.stamp == stamp && (self.table.is_ok() || self.since.elapsed() < RETRY)
    }
}

/// What tells a changed file from the same.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Stamp {
    modified: Option<SystemTime>,
    length: u64,
    inode: u64,
}

impl Stamp {
    fn of(file: &File) -> Result<Self, LookupError> {
        let metadata = file.metadata().map_err(unreadable)?;
        Ok(Self {
            modified: metadata.modified().ok(),
            length: metadata.len(),
            inode: std::os::unix::fs::MetadataExt::ino(&metadata),
        })
    }

    /// Whether it was changed within the last moments. A time in the future is some other clock's.
    fn is_fresh(&self) -> bool {
        self.modified.and_then(|at| at.elapsed().ok()).is_some_and(|age| age < SETTLED)
    }
}

impl Tables {
    /// Whether a file that was just changed is left alone for now. One that never rests is read as it is, after a while.
    fn puts_off(&self, key: &slots::Key) -> bool {
        let now = Instant::now();
        let mut fresh = self.fresh.lock().unwrap_or_else(PoisonError::into_inner);
        fresh.retain(|_, (_, seen)| now.duration_since(*seen) < RESTLESS);
        let (since, seen) = fresh.entry(key.clone()).or_insert((now, now));
        *seen = now;
        now.duration_since(*since) < RESTLESS
    }

    /// Whoever is not patient enough for a large file to be loaded finds it loaded the next time: the loading
    /// goes on without him, in its tenant's place. The turn goes with the asking.
    pub async fn ask(
        &self,
        file: TenantFile,
        endpoint: &FileEndpoint,
        request: &Request,
        limits: &Limits,
        turn: Arc<Turn>,
    ) -> Result<Rows, LookupError> {
        let stamp = Stamp::of(&file.handle)?;
        if stamp.length > MAX_FILE {
            return Err(LookupError::new(
                Cause::TooLarge,
                format!("the file is larger than {} MiB", MAX_FILE >> 20),
            ));
        }
        let key = slots::Key::new(&file.folder, &file.path, endpoint);
        let slot = self.slots.take(&key);
        let mut held = Arc::clone(&slot.held).lock_owned().await;
        if held.as_ref().is_none_or(|held| !held.is_of(stamp)) {
            // Half of it would be read as the whole.
            if stamp.is_fresh() && !file.is_whole && self.puts_off(&key) {
                return Err(being_written());
            }
            let slots = Arc::clone(&self.slots);
            let settle = {
                let (key, slot) = (key.clone(), Arc::clone(&slot));
                move |bytes| slots.settle(&key, &slot, bytes)
            };
            let (places, folder, endpoint) =
                (Arc::clone(&self.places), file.folder.clone(), endpoint.clone());
            let loading = tokio::spawn(async move {
                let place = places.take(&folder, stamp.length).await;
                let load = move || {
                    let loaded = load_into(held, file, &endpoint, stamp, settle);
                    drop(place);
                    loaded
                };
                tokio::task::spawn_blocking(load).await.unwrap_or_else(|_| Err(broken_off()))
            });
            held = loading.await.unwrap_or_else(|_| Err(broken_off()))?;
        }
        let (slots, request, limits) = (Arc::clone(&self.slots), request.clone(), limits.clone());
        let asking = move || {
            let answer = match held.as_mut().map(|held| &mut held.table) {
                Some(Ok(table)) => {
                    let bytes = table.bytes;
                    let answer = table.ask(&request, &limits);
                    if table.bytes != bytes {
                        slots.settle(&key, &slot, table.bytes);
                    }
                    answer
                }
                Some(Err(error)) => Err(error.clone()),
                None => Err(LookupError::new(Cause::Busy, "the file is being loaded")),
            };
            drop((held, slot, turn));
            answer
        };
        tokio::task::spawn_blocking(asking).await.unwrap_or_else(|_| Err(broken_off()))
    }
}

/// Loads a file into its slot, and says how large it has become. That it is too large is kept as well, or it would be
/// loaded for each look-up.
fn load_into(
    mut held: OwnedMutexGuard<Option<Held>>,
    file: TenantFile,
    endpoint: &FileEndpoint,
    stamp: Stamp,
    settle: impl FnOnce(u64),
) -> Result<OwnedMutexGuard<Option<Held>>, LookupError> {
    *held = None;
    let table = load(file, endpoint, stamp);
    settle(table.as_ref().map_or(0, |table| table.bytes));
    match table {
        Err(error) if error.cause != Cause::TooLarge => Err(error),
        table => {
            *held = Some(Held { stamp, since: Instant::now(), table });
            Ok(held)
        }
    }
}

fn unreadable(error: io::Error) -> LookupError {
    LookupError::new(cause_of(&error), format!("the file cannot be read: {error}"))
}

/// Of a file that cannot be opened or read, whether that stays so, or is trouble of the disk or of this server that passes.
pub fn cause_of(error: &io::Error) -> Cause {
    use io::ErrorKind::{InvalidInput, NotADirectory, NotFound, PermissionDenied};
    match error.kind() {
        NotFound | NotADirectory | InvalidInput | PermissionDenied => Cause::File,
        _ => Cause::Answer,
    }
}

/// Tried again: soon it is whole.
fn being_written() -> LookupError {
    let words =
        "the file was changed a moment ago, and may still be being written: it is read in some seconds";
    LookupError::new(Cause::Busy, words)
}

fn broken_off() -> LookupError {
    LookupError::new(Cause::Answer, "the file's loading broke off")
}

fn load(mut file: TenantFile, endpoint: &FileEndpoint, stamp: Stamp) -> Result<Table, LookupError> {
    let mut bytes = Vec::with_capacity(usize::try_from(stamp.length).unwrap_or_default());
    file.handle.by_ref().take(MAX_FILE).read_to_end(&mut bytes).map_err(unreadable)?;
    if Stamp::of(&file.handle)? != stamp {
        return Err(being_written());
    }
    table(bytes, endpoint, Bounds::default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trouble_of_the_disk_passes_and_a_file_that_is_not_there_does_not() {
        use nix::errno::Errno;
        for (error, cause) in [
            (io::Error::from(Errno::EIO), Cause::Answer),
            (io::Error::from(Errno::ESTALE), Cause::Answer),
            (io::Error::from(Errno::EMFILE), Cause::Answer),
            (io::Error::from(Errno::ENFILE), Cause::Answer),
            (io::Error::from(Errno::ETIMEDOUT), Cause::Answer),
            (io::Error::from(Errno::ENOMEM), Cause::Answer),
            (io::Error::from(Errno::ENOENT), Cause::File),
            (io::Error::from(Errno::ENOTDIR), Cause::File),
            (io::Error::from(Errno::EACCES), Cause::File),
            (io::Error::from(Errno::EPERM), Cause::File),
            (io::Error::from(io::ErrorKind::InvalidInput), Cause::File),
        ] {
            let words = error.to_string();
            assert_eq!(unreadable(error).cause, cause, "{words}");
        }
    }
}
