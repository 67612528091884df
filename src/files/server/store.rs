//! The folder of a tenant's files. Every path is resolved by cap-std beneath it: neither `..` nor a link leads out.

use std::{
    collections::HashSet,
    io::{self, Read, Write},
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use cap_std::{
    ambient_authority,
    fs::{Dir, DirBuilder, DirBuilderExt, Metadata, OpenOptions, OpenOptionsExt},
};
use nix::fcntl::OFlag;
use serde::Serialize;

/// Beginning of the names of files that are still coming in. Nobody else's name begins so.
const INCOMING: &str = ".incoming-";

/// Files and folders that come in are the server's alone, whatever the umask says: `rw-------` and `rwx------`.
const FILE_MODE: u32 = 0o600;
const FOLDER_MODE: u32 = 0o700;

/// A file lies in so many folders at most: what lies deeper would neither be listed nor counted.
pub const MOST_FOLDERS: usize = 8;

/// What is known of a file without opening it.
#[derive(Debug, PartialEq, Eq)]
pub struct Entry {
    pub path: String,
    pub size: u64,
    pub modified: Option<SystemTime>,
}

impl Entry {
    fn is_coming(&self) -> bool {
        self.path.rsplit('/').next().is_some_and(|name| name.starts_with(INCOMING))
    }
}

/// What tells a file from one that was in its place before, without its bytes: each that comes in is a new one to the
/// disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Stamp {
    inode: u64,
    size: u64,
    /// When it was written to: seconds, and nanoseconds.
    modified: (i64, i64),
}

impl Stamp {
    pub fn of(metadata: &std::fs::Metadata) -> Self {
        use std::os::unix::fs::MetadataExt;
        let modified = (metadata.mtime(), metadata.mtime_nsec());
        Self { inode: metadata.ino(), size: metadata.len(), modified }
    }
}

/// What the database knows of a file that was uploaded, by whichever server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Uploaded {
    pub size: u64,
    /// The file's own time. What replaces it has a later one.
    pub at: SystemTime,
}

impl Uploaded {
    /// Whether this server has it, or what was put into its place since, by hand. A copy may keep whole seconds alone.
    pub fn is_in(&self, metadata: &std::fs::Metadata) -> bool {
        use std::os::unix::fs::MetadataExt;
        // Where a disk tells no time, it tells nothing apart.
        let Ok(modified) = metadata.modified() else { return true };
        match self.at.duration_since(modified) {
            Ok(older) if !older.is_zero() => {
                older < Duration::from_secs(1) && metadata.mtime_nsec() == 0 && metadata.len() == self.size
            }
            _ => true,
        }
    }

    /// Whether something was put into its place since, by hand.
    pub fn is_replaced_by(&self, metadata: &std::fs::Metadata) -> bool {
        let is_later =
            |modified: SystemTime| modified.duration_since(self.at).is_ok_and(|later| !later.is_zero());
        metadata.len() != self.size || metadata.modified().is_ok_and(is_later)
    }
}

/// How much of the disk is taken, in bytes, and how many places, when one more file has come in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Taken {
    pub stored: u64,
    /// By what is still coming in.
    pub coming: u64,
    /// The files that there will be, and the folders that lead to them.
    pub places: usize,
    /// Whether the file takes the place of one.
    pub is_there: bool,
}

/// A file that was put in its place.
#[derive(Debug)]
pub struct Placed {
    pub entry: Entry,
    pub stamp: Stamp,
    /// Whether there was one before.
    pub existed: bool,
}

/// A tenant's folder. All its methods block.
#[derive(Clone, Debug)]
pub struct Store {
    folder: PathBuf,
}

/// A file that is coming in. Dropped before it is finished, it goes.
#[derive(Debug)]
pub struct Incoming {
    dir: Dir,
    name: String,
    file: Option<cap_std::fs::File>,
}

impl Store {
    pub fn new(folder: PathBuf) -> Self {
        Self { folder }
    }

    /// # Errors
    /// `NotFound` where the tenant has no file yet.
    fn dir(&self) -> io::Result<Dir> {
        Dir::open_ambient_dir(&self.folder, ambient_authority())
    }

    /// All files, by path.
    ///
    /// # Errors
    /// The disk's.
    pub fn list(&self) -> io::Result<Vec<Entry>> {
        let mut entries = self.all()?;
        entries.retain(|entry| !entry.is_coming());
        entries.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(entries)
    }

    /// What all take but the file at this path, which is to come.
    ///
    /// # Errors
    /// The disk's.
    pub fn taken_but(&self, path: &str) -> io::Result<Taken> {
        let (mut stored, mut coming) = (0, 0);
        let entries = self.all()?;
        for entry in entries.iter().filter(|entry| entry.path != path) {
            let sum = if entry.is_coming() { &mut coming } else { &mut stored };
            *sum += entry.size;
        }
        let files = entries.iter().filter(|entry| !entry.is_coming()).map(|entry| entry.path.as_str());
        let is_there = files.clone().any(|file| file == path);
        Ok(Taken { stored, coming, places: places(files.chain([path])), is_there })
    }

    fn all(&self) -> io::Result<Vec<Entry>> {
        let dir = match self.dir() {
            Ok(dir) => dir,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(error),
        };
        let mut entries = Vec::new();
        walk(&dir, "", 0, &mut entries)?;
        Ok(entries)
    }

    /// Opens a file, and nothing else: not a folder, a device, nor a pipe, whose opening would wait for a writer.
    ///
    /// # Errors
    /// `NotFound`; `InvalidInput` where it is no file; the disk's.
    pub fn open(&self, path: &str) -> io::Result<std::fs::File> {
        let mut options = OpenOptions::new();
        options.read(true).custom_flags(OFlag::O_NONBLOCK.bits());
        let file = self.dir()?.open_with(path, &options)?.into_std();
        if !file.metadata()?.is_file() {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is no file"));
        }
        Ok(file)
    }

    /// Removes a file, and the folders that led to it alone.
    ///
    /// # Errors
    /// `NotFound`; the disk's.
    pub fn remove(&self, path: &str) -> io::Result<()> {
        let dir = self.dir()?;
        dir.remove_file(path)?;
        prune(&dir, path);
        Ok(())
    }

    /// Begins to take a file in.
    ///
    /// # Errors
    /// The disk's.
    pub fn incoming(&self) -> io::Result<Incoming> {
        // The folder of all is shared with the private database, which may run as somebody else.
        if let Some(root) = self.folder.parent() {
            std::fs::create_dir_all(root)?;
        }
        let mut builder = std::fs::DirBuilder::new();
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, FOLDER_MODE);
        builder.recursive(true).create(&self.folder)?;
        let dir = self.dir()?;
        let name = format!("{INCOMING}{}", uuid::Uuid::new_v4().simple());
        let mut options = OpenOptions::new();
        options.write(true).create_new(true).mode(FILE_MODE);
        let file = dir.open_with(&name, &options)?;
        Ok(Incoming { dir, name, file: Some(file) })
    }
}

fn walk(dir: &Dir, prefix: &str, depth: usize, entries: &mut Vec<Entry>) -> io::Result<()> {
    for entry in dir.entries()? {
        let entry = entry?;
        let Ok(name) = entry.file_name().into_string() else { continue };
        let metadata = match entry.metadata() {
            // One that came in, or was deleted, meanwhile.
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            metadata => metadata?,
        };
        let path = format!("{prefix}{name}");
        if metadata.is_dir() && depth < MOST_FOLDERS {
            walk(&entry.open_dir()?, &format!("{path}/"), depth + 1, entries)?;
        } else if metadata.is_file() {
            entries.push(Entry { path, size: metadata.len(), modified: modified(&metadata) });
        }
    }
    Ok(())
}

/// The folders that a path leads through, the innermost first.
fn folders(path: &str) -> impl Iterator<Item = &str> {
    std::iter::successors(parent(path), |folder| parent(folder))
}

fn parent(path: &str) -> Option<&str> {
    path.rsplit_once('/').map(|(folder, _)| folder)
}

/// How many files and folders there are, where these are the files.
fn places<'p>(files: impl Iterator<Item = &'p str>) -> usize {
    files.flat_map(|file| std::iter::once(file).chain(folders(file))).collect::<HashSet<_>>().len()
}

/// Removes the folders that led to a file which is not there (any more). The disk keeps those that hold anything.
fn prune(dir: &Dir, path: &str) {
    for folder in folders(path) {
        let _ = dir.remove_dir(folder);
    }
}

fn modified(metadata: &Metadata) -> Option<SystemTime> {
    metadata.modified().ok().map(cap_std::time::SystemTime::into_std)
}

/// Removes what servers that were killed left of files that were coming in: what nobody has written to for `age`,
/// since other servers may share the folder. `root` holds each tenant's. Answers how many there were.
///
/// # Errors
/// The disk's.
pub fn remove_left(root: &Path, age: Duration) -> io::Result<usize> {
    let root = match Dir::open_ambient_dir(root, ambient_authority()) {
        Ok(root) => root,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(0),
        Err(error) => return Err(error),
    };
    let mut count = 0;
    for tenant in root.entries()? {
        let tenant = tenant?;
        if !tenant.file_type()?.is_dir() {
            continue;
        }
        let dir = tenant.open_dir()?;
        for entry in dir.entries()? {
            let entry = entry?;
            let is_coming = entry.file_name().to_string_lossy().starts_with(INCOMING);
            // One that another server has just finished is gone.
            let Ok(metadata) = entry.metadata() else { continue };
            let is_old = modified(&metadata).and_then(|at| at.elapsed().ok()).is_some_and(|rest| rest > age);
            if is_coming && is_old && entry.remove_file().is_ok() {
                count += 1;
            }
        }
    }
    Ok(count)
}

impl Incoming {
    /// # Errors
    /// The disk's.
    pub fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.as_mut().ok_or(io::ErrorKind::BrokenPipe)?.write_all(bytes)
    }

    /// Opens what was written, to be read from its beginning.
    ///
    /// # Errors
    /// The disk's.
    pub fn reader(&self) -> io::Result<std::fs::File> {
        Ok(self.dir.open(&self.name)?.into_std())
    }

    /// The first of what was written: as many bytes, or all where there are fewer.
    ///
    /// # Errors
    /// The disk's.
    pub fn beginning(&self, bytes: u64) -> io::Result<Vec<u8>> {
        let mut beginning = Vec::new();
        self.reader()?.take(bytes).read_to_end(&mut beginning)?;
        Ok(beginning)
    }

    /// Brings all that was written to the disk. Answers when that was, by the disk's own clock.
    ///
    /// # Errors
    /// The disk's.
    pub fn seal(self) -> io::Result<(Self, SystemTime)> {
        let file = self.file.as_ref().ok_or(io::ErrorKind::BrokenPipe)?;
        file.sync_all()?;
        let at = file.metadata()?.modified()?.into_std();
        Ok((self, at))
    }

    /// Puts the file in its place, on disk for good: whoever reads sees the old one or the new one, whole. It says of
    /// itself that it is of the time `at`.
    ///
    /// # Errors
    /// The disk's.
    pub fn finish(mut self, path: &str, at: SystemTime) -> io::Result<Placed> {
        let file = self.file.take().ok_or(io::ErrorKind::BrokenPipe)?.into_std();
        // What has a later time than is known of it was put there by hand.
        file.set_modified(at)?;
        file.sync_all()?;
        let metadata = file.metadata()?;
        drop(file);
        let existed = self.dir.symlink_metadata(path).is_ok();
        if let Err(error) = self.place(path) {
            prune(&self.dir, path);
            return Err(error);
        }
        self.dir.open(".")?.sync_all()?;
        self.name.clear();
        let entry = Entry { path: path.to_owned(), size: metadata.len(), modified: metadata.modified().ok() };
        Ok(Placed { entry, stamp: Stamp::of(&metadata), existed })
    }

    fn place(&self, path: &str) -> io::Result<()> {
        if let Some(folder) = parent(path) {
            let mut builder = DirBuilder::new();
            builder.recursive(true).mode(FOLDER_MODE);
            self.dir.create_dir_with(folder, &builder)?;
        }
        self.dir.rename(&self.name, &self.dir, path)
    }
}

impl Drop for Incoming {
    fn drop(&mut self) {
        if !self.name.is_empty() {
            let _ = self.dir.remove_file(&self.name);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_there_whole_or_not_at_all_and_nothing_leads_out() {
        let root = tempfile::tempdir().expect("folder");
        std::fs::write(root.path().join("secret"), "x").expect("written");
        let store = Store::new(root.path().join("acme"));
        assert_eq!(store.list().expect("empty"), []);
        let mut incoming = store.incoming().expect("begun");
        incoming.write(b"a,b\n").expect("written");
        assert_eq!(store.list().expect("nothing yet"), []);
        let taken = |path: &str| store.taken_but(path).expect("counted");
        let none = Taken { places: 1, ..Taken::default() };
        assert_eq!(taken("x"), Taken { coming: 4, ..none });
        let (incoming, at) = incoming.seal().expect("on the disk");
        assert!(!incoming.finish("in/a.csv", at).expect("new").existed);
        assert_eq!(taken("x"), Taken { stored: 4, places: 3, ..none });
        assert_eq!(taken("in/x/y"), Taken { stored: 4, places: 4, ..none });
        assert_eq!(taken("in/a.csv"), Taken { places: 2, is_there: true, ..none });
        let mut incoming = store.incoming().expect("begun");
        incoming.write(b"c\n").expect("written");
        let before = store.open("in/a.csv").expect("opened");
        let stamp = |file: &std::fs::File| Stamp::of(&file.metadata().expect("metadata"));
        let later = at + Duration::from_secs(3_600);
        let placed = incoming.finish("in/a.csv", later).expect("replaced");
        assert_eq!(placed.entry.modified, Some(later), "later than what it replaces");
        assert!(placed.existed && placed.entry == store.list().expect("lists")[0], "{placed:?}");
        assert_eq!(placed.stamp, stamp(&store.open("in/a.csv").expect("opened")));
        assert_ne!(placed.stamp, stamp(&before));
        drop(store.incoming().expect("begun and called off"));
        let entries = store.list().expect("lists");
        assert_eq!(entries.iter().map(|e| (e.path.as_str(), e.size)).collect::<Vec<_>>(), [("in/a.csv", 2)]);
        std::os::unix::fs::symlink(root.path().join("secret"), root.path().join("acme/link"))
            .expect("linked");
        for path in ["../secret", "link", "in/../../secret", "/etc/passwd"] {
            assert!(store.open(path).is_err(), "{path}");
            assert!(store.incoming().expect("begun").finish(path, at).is_err() || path == "link", "{path}");
        }
        assert_eq!(std::fs::read(root.path().join("secret")).expect("untouched"), b"x");
        store.incoming().expect("begun").finish("in/more/b.csv", at).expect("new");
        store.remove("in/more/b.csv").expect("removed");
        assert!(root.path().join("acme/in").exists() && !root.path().join("acme/in/more").exists());
        let long = format!("new/one/{}.csv", "x".repeat(300));
        assert!(store.incoming().expect("begun").finish(&long, at).is_err(), "no disk has so long a name");
        store.remove("in/a.csv").expect("removed");
        let left = std::fs::read_dir(root.path().join("acme")).expect("listed");
        let left: Vec<_> = left.map(|entry| entry.expect("entry").file_name()).collect();
        assert_eq!(left, ["link"], "no folder is left without a file");
    }

    #[test]
    fn what_comes_in_is_the_servers_alone() {
        use std::os::unix::fs::PermissionsExt;
        let root = tempfile::tempdir().expect("folder");
        let store = Store::new(root.path().join("acme"));
        let (incoming, at) = store.incoming().expect("begun").seal().expect("on the disk");
        incoming.finish("in/more/a.csv", at).expect("new");
        for (path, mode) in
            [("acme", 0o700), ("acme/in", 0o700), ("acme/in/more", 0o700), ("acme/in/more/a.csv", 0o600)]
        {
            let metadata = std::fs::metadata(root.path().join(path)).expect("metadata");
            assert_eq!(metadata.permissions().mode() & 0o777, mode, "{path}");
        }
    }

    #[test]
    fn an_older_file_is_not_the_one_that_was_uploaded_and_a_newer_one_was_put_there_by_hand() {
        let file = tempfile::tempfile().expect("a file");
        (&file).write_all(b"a\n").expect("written");
        let second = SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000);
        let uploaded = Uploaded { size: 2, at: second + Duration::from_millis(400) };
        let is_in = |uploaded: Uploaded, millis| {
            file.set_modified(second + Duration::from_millis(millis)).expect("a time");
            uploaded.is_in(&file.metadata().expect("metadata"))
        };
        assert!(is_in(uploaded, 400) && is_in(uploaded, 401) && is_in(uploaded, 90_000));
        assert!(!is_in(uploaded, 399));
        assert!(is_in(uploaded, 0), "a copy of whole seconds");
        assert!(!is_in(Uploaded { size: 3, ..uploaded }, 0), "an older one of that second");
        assert!(!is_in(Uploaded { at: second + Duration::from_millis(1_400), ..uploaded }, 0));
    }

    #[test]
    fn what_a_killed_server_left_goes_once_it_is_old() {
        let root = tempfile::tempdir().expect("folder");
        let day = Duration::from_secs(24 * 60 * 60);
        assert_eq!(remove_left(&root.path().join("none"), day).expect("nothing there"), 0);
        let folder = root.path().join("acme");
        std::fs::create_dir(&folder).expect("folder");
        for (name, age) in [(".incoming-old", day * 2), (".incoming-new", day / 2), ("old.csv", day * 2)] {
            let file = std::fs::File::create(folder.join(name)).expect("made");
            file.set_modified(SystemTime::now() - age).expect("aged");
        }
        assert_eq!(remove_left(root.path(), day).expect("swept"), 1);
        let names =
            std::fs::read_dir(&folder).expect("listed").map(|entry| entry.expect("entry").file_name());
        let mut names: Vec<_> = names.collect();
        names.sort();
        assert_eq!(names, [".incoming-new", "old.csv"]);
    }
}
