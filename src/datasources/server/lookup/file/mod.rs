//! Files: those of a config are loaded once into an in-memory SQLite, its own as the table `data` and further ones under their
//! names, indexed on what is matched, and loaded again when one of them changes.

mod cell;
mod columns;
mod csv;
mod days;
mod joined;
mod json;
mod numbers;
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
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant, SystemTime},
};

use indexmap::IndexMap;
use tokio::sync::OwnedMutexGuard;

pub use self::{
    json::names,
    sheet::Sheets,
    table::{LOWER, Table},
};
use self::{sheet::Bounds, table::table};
use super::{Cause, LookupError, TenantFile, turns::Turn};
use crate::datasources::server::connection::FileEndpoint;

/// A file is read whole, so it must fit, alone or with the others of its config: bytes.
const MAX_FILE: u64 = 256 << 20;
/// A file that cannot be loaded is not tried again for so long, unless it changes.
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
    /// Files that are still being written, by their paths: since when, and when that was last seen.
    fresh: Mutex<HashMap<PathBuf, (Instant, Instant)>>,
}

/// What is kept of files as they were at a time: their tables, or why there are none.
struct Held {
    stamps: Vec<Stamp>,
    since: Instant,
    table: Result<Table, LookupError>,
}

impl Held {
    fn is_of(&self, stamps: &[Stamp]) -> bool {
        self.stamps == stamps && (self.table.is_ok() || self.since.elapsed() < RETRY)
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
    /// Whether one of the files was just changed, and is left alone for now: half of it would be read as the whole. One that
    /// never rests is read as it is, after a while of its own, whatever others do that are read beside it.
    fn puts_off(&self, files: &[TenantFile], stamps: &[Stamp]) -> bool {
        let now = Instant::now();
        let mut fresh = self.fresh.lock().unwrap_or_else(PoisonError::into_inner);
        fresh.retain(|_, (_, seen)| now.duration_since(*seen) < RESTLESS);
        let mut is_one_left_alone = false;
        for (file, stamp) in files.iter().zip(stamps) {
            if file.is_whole || !stamp.is_fresh() {
                // It rests: what is written to it next begins anew.
                fresh.remove(&file.path);
                continue;
            }
            let (since, seen) = fresh.entry(file.path.clone()).or_insert((now, now));
            *seen = now;
            is_one_left_alone |= now.duration_since(*since) < RESTLESS;
        }
        is_one_left_alone
    }

    /// Does something with the tables of a config's files, which are given in their order. Whoever is not patient enough for
    /// large ones to be loaded finds them loaded the next time: the loading goes on without him, in its tenant's place. The
    /// turn goes with what is done.
    pub async fn with<T: Send + 'static>(
        &self,
        files: Vec<TenantFile>,
        tables: &[FileEndpoint],
        turn: Arc<Turn>,
        then: impl FnOnce(&mut Table) -> Result<T, LookupError> + Send + 'static,
    ) -> Result<T, LookupError> {
        let stamps: Result<Vec<Stamp>, LookupError> =
            files.iter().map(|file| Stamp::of(&file.handle)).collect();
        let stamps = stamps?;
        let (length, count) = together(&files, &stamps);
        if length > MAX_FILE {
            return Err(too_large(count));
        }
        let folder = files.first().map_or(Path::new(""), |file| file.folder.as_path());
        let key = slots::Key::new(folder, tables);
        let slot = self.slots.take(&key);
        let mut held = Arc::clone(&slot.held).lock_owned().await;
        if held.as_ref().is_none_or(|held| !held.is_of(&stamps)) {
            if self.puts_off(&files, &stamps) {
                return Err(being_written());
            }
            held = self.load(held, (&key, &slot), files, tables, stamps).await?;
        }
        let slots = Arc::clone(&self.slots);
        let asking = move || {
            let answer = match held.as_mut().map(|held| &mut held.table) {
                Some(Ok(table)) => {
                    let bytes = table.bytes;
                    let answer = then(table);
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

    /// Loads files into their slot, also where whoever waits for it hangs up.
    async fn load(
        &self,
        held: OwnedMutexGuard<Option<Held>>,
        (key, slot): (&slots::Key, &Arc<slots::Slot>),
        files: Vec<TenantFile>,
        tables: &[FileEndpoint],
        stamps: Vec<Stamp>,
    ) -> Result<OwnedMutexGuard<Option<Held>>, LookupError> {
        let (length, _) = together(&files, &stamps);
        let (slots, places) = (Arc::clone(&self.slots), Arc::clone(&self.places));
        let (key, slot, tables) = (key.clone(), Arc::clone(slot), tables.to_vec());
        let loading = tokio::spawn(async move {
            let place = places.take(&key.folder, length).await;
            let load = move || {
                let settle = |bytes| slots.settle(&key, &slot, bytes);
                let loaded = load_into(held, files, &tables, stamps, settle);
                drop(place);
                loaded
            };
            tokio::task::spawn_blocking(load).await.unwrap_or_else(|_| Err(broken_off()))
        });
        loading.await.unwrap_or_else(|_| Err(broken_off()))
    }
}

/// Loads files into their slot, and says how large they have become. Why they cannot be is kept as well, where it stays so: or
/// they would be loaded for each look-up, and whoever is not patient enough would never learn it.
fn load_into(
    mut held: OwnedMutexGuard<Option<Held>>,
    files: Vec<TenantFile>,
    tables: &[FileEndpoint],
    stamps: Vec<Stamp>,
    settle: impl FnOnce(u64),
) -> Result<OwnedMutexGuard<Option<Held>>, LookupError> {
    *held = None;
    let read =
        by_file(files, tables, &stamps).into_iter().map(|part| (part.tables, read(part.file, part.stamp)));
    let table = table(read, tables.len() > 1, Bounds::default());
    settle(table.as_ref().map_or(0, |table| table.bytes));
    match table {
        Err(error) if error.transient() => Err(error),
        table => {
            *held = Some(Held { stamps, since: Instant::now(), table });
            Ok(held)
        }
    }
}

/// How large files are together, and how many: one that is read as several tables is one.
fn together(files: &[TenantFile], stamps: &[Stamp]) -> (u64, usize) {
    let paths = files.iter().map(|file| file.path.as_path());
    let lengths: HashMap<&Path, u64> = paths.zip(stamps.iter().map(|stamp| stamp.length)).collect();
    (lengths.values().sum(), lengths.len())
}

/// A file, and the tables that are read of it.
struct Part<'t> {
    file: TenantFile,
    stamp: Stamp,
    tables: Vec<&'t FileEndpoint>,
}

/// The files of tables, each once: it is read, and unfolded where it is a workbook, as often as it is here.
fn by_file<'t>(files: Vec<TenantFile>, tables: &'t [FileEndpoint], stamps: &[Stamp]) -> Vec<Part<'t>> {
    let mut parts: IndexMap<PathBuf, Part<'t>> = IndexMap::new();
    for ((file, table), stamp) in files.into_iter().zip(tables).zip(stamps) {
        let part = parts.entry(file.path.clone());
        part.or_insert_with(|| Part { file, stamp: *stamp, tables: Vec::new() }).tables.push(table);
    }
    parts.into_values().collect()
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

fn too_large(count: usize) -> LookupError {
    let what = if count > 1 { "the files together are" } else { "the file is" };
    LookupError::new(Cause::TooLarge, format!("{what} larger than {} MiB", MAX_FILE >> 20))
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

/// Reads a file whole.
///
/// # Errors
/// The disk's; transient, where it was changed meanwhile.
fn read(mut file: TenantFile, stamp: Stamp) -> Result<Vec<u8>, LookupError> {
    let mut bytes = Vec::with_capacity(usize::try_from(stamp.length).unwrap_or_default());
    file.handle.by_ref().take(MAX_FILE).read_to_end(&mut bytes).map_err(unreadable)?;
    if Stamp::of(&file.handle)? != stamp {
        return Err(being_written());
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::{table::tests::file, *};
    use crate::datasources::server::connection::FileFormat;

    /// A file of a tenant's folder.
    fn put(folder: &Path, path: &str, text: &str) -> TenantFile {
        std::fs::write(folder.join(path), text).expect("written");
        opened(folder, path)
    }

    fn opened(folder: &Path, path: &str) -> TenantFile {
        let handle = File::open(folder.join(path)).expect("opens");
        TenantFile { folder: folder.to_owned(), path: folder.join(path), handle, is_whole: false }
    }

    fn stamps(files: &[TenantFile]) -> Vec<Stamp> {
        files.iter().map(|file| Stamp::of(&file.handle).expect("a stamp")).collect()
    }

    #[test]
    fn a_file_that_is_being_written_is_waited_for_whatever_others_do() {
        let folder = tempfile::tempdir().expect("a folder");
        let files = ["log.csv", "b.csv"].map(|path| put(folder.path(), path, "a\n1\n"));
        let stamp = |age: u64| Stamp {
            modified: SystemTime::now().checked_sub(Duration::from_secs(age)),
            length: 4,
            inode: 1,
        };
        let (written, rests) = (|| stamp(0), || stamp(60));
        let tables = Tables::default();
        assert!(tables.puts_off(&files[..1], &[written()]));
        // The one is restless for long, and the other was begun a moment ago.
        let seen = Instant::now();
        let long_ago = seen.checked_sub(RESTLESS).expect("a time");
        tables.fresh.lock().expect("fresh").insert(files[0].path.clone(), (long_ago, seen));
        assert!(!tables.puts_off(&files[..1], &[written()]), "it is read as it is");
        assert!(tables.puts_off(&files, &[written(), written()]), "half of the other would be read");
        assert!(!tables.puts_off(&files, &[written(), rests()]));
        assert!(!tables.puts_off(&files, &[rests(), rests()]));
        assert!(tables.puts_off(&files, &[written(), rests()]), "it rested, and is written to again");
        let whole = TenantFile { is_whole: true, ..opened(folder.path(), "log.csv") };
        assert!(!tables.puts_off(&[whole], &[written()]), "it was uploaded");
    }

    #[test]
    fn a_file_of_several_tables_is_one() {
        let folder = tempfile::tempdir().expect("a folder");
        let files = || {
            let again = ["a.csv", "b.csv", "a.csv"].map(|path| opened(folder.path(), path));
            Vec::from(again)
        };
        drop((put(folder.path(), "a.csv", "a\n1\n"), put(folder.path(), "b.csv", "b\n")));
        assert_eq!(together(&files(), &stamps(&files())), (6, 2));
        let named = |table: &str, path: &str| file(table, FileFormat::Csv, path);
        let tables = [named("data", "a.csv"), named("b", "b.csv"), named("again", "a.csv")];
        let parts = by_file(files(), &tables, &stamps(&files()));
        let told: Vec<Vec<&str>> =
            parts.iter().map(|part| part.tables.iter().map(|table| table.table.as_str()).collect()).collect();
        assert_eq!(told, [vec!["data", "again"], vec!["b"]]);
    }

    #[tokio::test]
    async fn why_files_cannot_be_loaded_is_kept_where_it_stays_so() {
        let folder = tempfile::tempdir().expect("a folder");
        let tables = [file("data", FileFormat::Csv, "a.csv"), file("customers", FileFormat::Csv, "b.csv")];
        let files = || vec![put(folder.path(), "a.csv", "a\n1\n"), put(folder.path(), "b.csv", ",b\n1,2\n")];
        let load = async |files: Vec<TenantFile>, stamps: Vec<Stamp>| {
            let held = Arc::new(tokio::sync::Mutex::new(None)).lock_owned().await;
            load_into(held, files, &tables, stamps, |_| {})
        };
        let bad = files();
        let known = stamps(&bad);
        let held = load(bad, known.clone()).await.expect("is kept");
        let kept = held.as_ref().expect("is kept");
        let fault = kept.table.as_ref().err().expect("a fault").message.as_str();
        assert_eq!(fault, "the table customers: the file's first line must name every column");
        assert!(kept.is_of(&known), "it is not loaded again as long as it is the same");
        // What passes is not kept.
        let unlike = vec![Stamp { length: 0, ..known[0] }, known[1]];
        let passing = load(files(), unlike).await.err().expect("a fault");
        assert_eq!(passing.cause, Cause::Busy, "{passing}");
    }

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
