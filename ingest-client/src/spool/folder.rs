//! One process's folder in the spool's root, and the lock that says whether that process lives.
//!
//! ```text
//! ROOT/NAME.lock    locked (flock) while the process lives; its text says where the profiles were to go
//! ROOT/NAME/        mode 0700
//!     N.part            the recorder is writing
//!     TIME-N.json       event.json of the profile TIME-N
//!     TIME-N.jfr        a sealed profile
//!     TIME-N.jfr.gz     the same after gzip; TIME-N.jfr is then gone
//! ```
//!
//! The lock's file is made and locked before the folder, and removed after it: a folder whose lock can be taken has no
//! living owner. The kernel frees the lock however the process ends, across containers that share the root too.
use std::ffi::OsStr;
use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

/// A lock without a folder belongs to a process that is just starting, or to one that died while it did: after this
/// time, to the latter.
const ORPHAN_LOCK_AGE: Duration = Duration::from_secs(3600);

/// More than an address and a service's name is not read from a lock's file.
const MAX_ADDRESS_BYTES: u64 = 8 * 1024;

/// For whom profiles wait: kept in the lock's file, so that what a process leaves behind goes where that process would
/// have sent it, or is sent by the same service under its present address.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Address {
    pub(super) endpoint: String,
    pub(super) service: String,
}

impl Address {
    fn to_text(&self) -> String {
        format!("{}\n{}\n", self.endpoint, self.service)
    }

    fn from_text(text: &str) -> Address {
        let mut lines = text.lines().map(str::to_owned);
        Address {
            endpoint: lines.next().unwrap_or_default(),
            service: lines.next().unwrap_or_default(),
        }
    }

    /// Whether we may send what was left under `left`. Nobody's profiles are everybody's.
    pub(super) fn may_send(&self, left: &Address) -> bool {
        left.endpoint.is_empty()
            || left.endpoint == self.endpoint
            || (!left.service.is_empty() && left.service == self.service)
    }
}

/// A folder whose lock we hold. When the last user is gone, an empty folder is removed together with its lock.
#[derive(Debug)]
pub(super) struct Folder {
    path: PathBuf,
    lock_path: PathBuf,
    lock: File,
}

/// A sealed profile found in a folder.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) stem: String,
    pub(super) is_gzip: bool,
    pub(super) bytes: u64,
    pub(super) age: Duration,
}

impl Folder {
    /// Makes this process's own folder in `root`.
    pub(super) fn create(root: &Path, address: &Address) -> io::Result<Folder> {
        // Two spools of one process have two folders.
        static SERIAL: AtomicU64 = AtomicU64::new(0);
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        let nanos = now.map_or(0, |since| since.as_nanos());
        let serial = SERIAL.fetch_add(1, Ordering::Relaxed);
        let name = format!("{}-{nanos:x}-{serial}", std::process::id());
        let lock_path = root.join(format!("{name}.lock"));
        let lock = OpenOptions::new()
            .create_new(true)
            .read(true)
            .write(true)
            .mode(0o600)
            .open(&lock_path)?;
        let folder = Folder {
            path: root.join(name),
            lock_path,
            lock,
        };
        folder.lock.try_lock()?;
        folder.set_address(address)?;
        DirBuilder::new().mode(0o700).create(&folder.path)?;
        Ok(folder)
    }

    /// Takes over the folder at `path` if its owner is dead; returns for whom its profiles wait.
    pub(super) fn take_over(path: &Path) -> io::Result<Option<(Folder, Address)>> {
        let mut lock_path = path.as_os_str().to_owned();
        lock_path.push(".lock");
        let lock_path = PathBuf::from(lock_path);
        let lock = OpenOptions::new()
            .create(true)
            .truncate(false)
            .read(true)
            .write(true)
            .mode(0o600)
            .open(&lock_path)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Ok(None),
            Err(TryLockError::Error(error)) => return Err(error),
        }
        let mut text = String::new();
        let read = (&lock).take(MAX_ADDRESS_BYTES).read_to_string(&mut text);
        let address = read.map(|_| Address::from_text(&text)).unwrap_or_default();
        let folder = Folder {
            path: path.to_owned(),
            lock_path,
            lock,
        };
        Ok(Some((folder, address)))
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn set_address(&self, address: &Address) -> io::Result<()> {
        self.lock.set_len(0)?;
        (&self.lock).rewind()?;
        (&self.lock).write_all(address.to_text().as_bytes())
    }

    /// Keeps tidiers of the temporary directory away, which look for files that nobody has touched for days.
    pub(super) fn touch(&self) {
        let _ = self.lock.set_modified(SystemTime::now());
    }

    /// What a dead owner left: sealed profiles in the order of their times. Torn files are removed.
    ///
    /// Returns beside them how many profiles were torn.
    pub(super) fn salvage(&self) -> io::Result<(Vec<Found>, u64)> {
        let mut names = Vec::new();
        for entry in fs::read_dir(&self.path)? {
            names.extend(entry?.file_name().into_string());
        }
        names.sort_unstable();
        let has = |name: String| names.binary_search(&name).is_ok();
        let mut sealed = Vec::new();
        let mut torn = 0;
        for name in &names {
            let path = self.path.join(name);
            let (stem, is_gzip) = match (name.strip_suffix(".jfr"), name.strip_suffix(".jfr.gz")) {
                (Some(stem), _) => (stem, false),
                (_, Some(stem)) => (stem, true),
                (None, None) => {
                    let stem = name.strip_suffix(".json");
                    let is_needed = stem.is_some_and(|stem| {
                        has(format!("{stem}.jfr")) || has(format!("{stem}.jfr.gz"))
                    });
                    if !is_needed {
                        remove(&path);
                    }
                    continue;
                }
            };
            if !is_gzip && has(format!("{stem}.jfr.gz")) {
                remove(&path);
                continue;
            }
            let metadata = fs::symlink_metadata(&path)?;
            if !metadata.is_file() || metadata.len() == 0 || !has(format!("{stem}.json")) {
                remove(&path);
                remove(&self.path.join(format!("{stem}.json")));
                torn += 1;
                continue;
            }
            let age = metadata.modified()?.elapsed().unwrap_or_default();
            sealed.push(Found {
                stem: stem.to_owned(),
                is_gzip,
                bytes: metadata.len(),
                age,
            });
        }
        Ok((sealed, torn))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if fs::remove_dir(&self.path).is_ok() || !self.path.exists() {
            remove(&self.lock_path);
        }
    }
}

/// The folders of other processes in `root`, dead and alive; locks that a process left before it had a folder are
/// removed.
pub(super) fn others(root: &Path, uid: u32) -> io::Result<Vec<PathBuf>> {
    let mut folders = Vec::new();
    for entry in fs::read_dir(root)? {
        let path = entry?.path();
        let Ok(metadata) = fs::symlink_metadata(&path) else {
            continue;
        };
        if metadata.uid() != uid {
            continue;
        }
        if metadata.is_dir() {
            folders.push(path);
        } else if path.extension() == Some(OsStr::new("lock")) && !path.with_extension("").exists()
        {
            let age = metadata.modified()?.elapsed().unwrap_or_default();
            if age > ORPHAN_LOCK_AGE {
                remove(&path);
            }
        }
    }
    folders.sort_unstable();
    Ok(folders)
}

/// Removes a file that may be gone already. What cannot be removed now is found again by the next process.
pub(super) fn remove(path: &Path) {
    if let Err(error) = fs::remove_file(path)
        && error.kind() != io::ErrorKind::NotFound
    {
        log::debug!("cannot remove {}: {error}", path.display());
    }
}
