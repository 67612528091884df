//! The folder of a tenant's files. Every path is resolved by cap-std beneath it: neither `..` nor a link leads out.

use std::{
    io::{self, Write},
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use cap_std::{
    ambient_authority,
    fs::{Dir, Metadata, OpenOptions, OpenOptionsExt},
};

/// Beginning of the names of files that are still coming in. Nobody else's name begins so.
const INCOMING: &str = ".incoming-";

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

/// How much of the disk is taken, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Taken {
    pub stored: u64,
    /// By what is still coming in.
    pub coming: u64,
}

/// A file that was put in its place.
#[derive(Debug)]
pub struct Placed {
    pub entry: Entry,
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

    /// What all take but the file at this path.
    ///
    /// # Errors
    /// The disk's.
    pub fn taken_but(&self, path: &str) -> io::Result<Taken> {
        let mut taken = Taken::default();
        for entry in self.all()?.iter().filter(|entry| entry.path != path) {
            let sum = if entry.is_coming() { &mut taken.coming } else { &mut taken.stored };
            *sum += entry.size;
        }
        Ok(taken)
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
        options.read(true).custom_flags(libc::O_NONBLOCK);
        let file = self.dir()?.open_with(path, &options)?.into_std();
        if !file.metadata()?.is_file() {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is no file"));
        }
        Ok(file)
    }

    /// # Errors
    /// `NotFound`; the disk's.
    pub fn remove(&self, path: &str) -> io::Result<()> {
        self.dir()?.remove_file(path)
    }

    /// Begins to take a file in.
    ///
    /// # Errors
    /// The disk's.
    pub fn incoming(&self) -> io::Result<Incoming> {
        std::fs::create_dir_all(&self.folder)?;
        let dir = self.dir()?;
        let name = format!("{INCOMING}{}", uuid::Uuid::new_v4().simple());
        let file = dir.create(&name)?;
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

    /// Puts the file in its place, on disk for good: whoever reads sees the old one or the new one, whole.
    ///
    /// # Errors
    /// The disk's.
    pub fn finish(mut self, path: &str) -> io::Result<Placed> {
        let file = self.file.take().ok_or(io::ErrorKind::BrokenPipe)?;
        file.sync_all()?;
        let metadata = file.metadata()?;
        drop(file);
        if let Some((folder, _)) = path.rsplit_once('/') {
            self.dir.create_dir_all(folder)?;
        }
        let existed = self.dir.symlink_metadata(path).is_ok();
        self.dir.rename(&self.name, &self.dir, path)?;
        self.dir.open(".")?.sync_all()?;
        self.name.clear();
        let entry = Entry { path: path.to_owned(), size: metadata.len(), modified: modified(&metadata) };
        Ok(Placed { entry, existed })
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
        assert_eq!(store.taken_but("x").expect("counted"), Taken { stored: 0, coming: 4 });
        assert!(!incoming.finish("in/a.csv").expect("new").existed);
        assert_eq!(store.taken_but("x").expect("counted"), Taken { stored: 4, coming: 0 });
        assert_eq!(store.taken_but("in/a.csv").expect("counted"), Taken::default());
        let mut incoming = store.incoming().expect("begun");
        incoming.write(b"c\n").expect("written");
        let placed = incoming.finish("in/a.csv").expect("replaced");
        assert!(placed.existed && placed.entry == store.list().expect("lists")[0], "{placed:?}");
        drop(store.incoming().expect("begun and called off"));
        let entries = store.list().expect("lists");
        assert_eq!(entries.iter().map(|e| (e.path.as_str(), e.size)).collect::<Vec<_>>(), [("in/a.csv", 2)]);
        std::os::unix::fs::symlink(root.path().join("secret"), root.path().join("acme/link"))
            .expect("linked");
        for path in ["../secret", "link", "in/../../secret", "/etc/passwd"] {
            assert!(store.open(path).is_err(), "{path}");
            assert!(store.incoming().expect("begun").finish(path).is_err() || path == "link", "{path}");
        }
        assert_eq!(std::fs::read(root.path().join("secret")).expect("untouched"), b"x");
        store.remove("in/a.csv").expect("removed");
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
