//! The folder of a tenant's files. Every path is resolved by cap-std beneath it: neither `..` nor a link leads out.

use std::{
    io::{self, Write},
    path::PathBuf,
    time::SystemTime,
};

use cap_std::{
    ambient_authority,
    fs::{Dir, OpenOptions, OpenOptionsExt},
};

/// Beginning of the names of files that are still coming in. Nobody else's name begins so.
const INCOMING: &str = ".incoming-";

/// What is known of a file without opening it.
#[derive(Debug, PartialEq, Eq)]
pub struct Entry {
    pub path: String,
    pub size: u64,
    pub modified: Option<SystemTime>,
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
        let dir = match self.dir() {
            Ok(dir) => dir,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(error),
        };
        let mut entries = Vec::new();
        walk(&dir, "", 0, &mut entries)?;
        entries.sort_by(|a, b| a.path.cmp(&b.path));
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
        let metadata = entry.metadata()?;
        let path = format!("{prefix}{name}");
        if metadata.is_dir() && depth < 8 {
            walk(&entry.open_dir()?, &format!("{path}/"), depth + 1, entries)?;
        } else if metadata.is_file() && !name.starts_with(INCOMING) {
            let modified = metadata.modified().ok().map(cap_std::time::SystemTime::into_std);
            entries.push(Entry { path, size: metadata.len(), modified });
        }
    }
    Ok(())
}

impl Incoming {
    /// # Errors
    /// The disk's.
    pub fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.as_mut().ok_or(io::ErrorKind::BrokenPipe)?.write_all(bytes)
    }

    /// Puts the file in its place, on disk for good: whoever reads sees the old one or the new one, whole.
    /// Answers whether there was one before.
    ///
    /// # Errors
    /// The disk's.
    pub fn finish(mut self, path: &str) -> io::Result<bool> {
        let file = self.file.take().ok_or(io::ErrorKind::BrokenPipe)?;
        file.sync_all()?;
        drop(file);
        if let Some((folder, _)) = path.rsplit_once('/') {
            self.dir.create_dir_all(folder)?;
        }
        let existed = self.dir.symlink_metadata(path).is_ok();
        self.dir.rename(&self.name, &self.dir, path)?;
        self.dir.open(".")?.sync_all()?;
        self.name.clear();
        Ok(existed)
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
        assert!(!incoming.finish("in/a.csv").expect("new"));
        let mut incoming = store.incoming().expect("begun");
        incoming.write(b"c\n").expect("written");
        assert!(incoming.finish("in/a.csv").expect("replaced"));
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
}
