//! The queue on disk: a profile is a file from the moment it is sealed until DataKit has it.
mod error;
mod folder;
mod queue;

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

pub use error::SpoolError;
pub(crate) use queue::Waiting;

use self::folder::{Address, Folder, remove};
use self::queue::Queue;
use crate::{ProfileMetadata, UploadCounter, UploadCounters};

/// How much may wait in a [`Spool`]. Over a bound, the oldest profile is dropped and counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SpoolLimits {
    /// Bytes of all sealed profiles that wait.
    pub max_bytes: u64,
    /// Number of sealed profiles that wait.
    pub max_files: usize,
    /// Time since a profile was sealed.
    pub max_age: Duration,
}

impl Default for SpoolLimits {
    /// Bounds that suit a process beside DataKit.
    fn default() -> SpoolLimits {
        SpoolLimits {
            // Eight of the largest profiles that are sealed (16 MiB) before they are compressed, hours of usual ones
            // after; the temporary directory often lies in memory, and belongs to others too.
            max_bytes: 128 * 1024 * 1024,
            // One every seven seconds for as long as max_age; each costs two inodes.
            max_files: 1024,
            // DataKit moves the metrics of a profile that ended more than two hours ago to the present, where they
            // are wrong. Ten minutes remain for sending and for clocks that differ.
            max_age: Duration::from_secs(110 * 60),
        }
    }
}

/// A folder of profiles that wait to be sent.
///
/// Several processes may share a root: each has a folder of its own in it, and what a dead one left is taken over by
/// the [`Uploader`](crate::Uploader) of a living one. Nothing is synced to the medium: a profile survives the end of the
/// process, not the end of the machine, since waiting for a disk would cost the application more than the profile is
/// worth.
#[derive(Debug)]
pub struct Spool {
    root: PathBuf,
    uid: u32,
    limits: SpoolLimits,
    counters: Arc<UploadCounters>,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    own: Arc<Folder>,
    address: Address,
    next_id: u64,
    parts: Vec<PathBuf>,
    queue: Queue,
}

impl Spool {
    /// Opens the spool under `root`, which is created with mode 0700 when it is not there.
    ///
    /// # Errors
    /// When the root is a symbolic link or no folder, belongs to another user, is writable for group or others, or when
    /// the file system refuses.
    pub fn open(root: &Path, limits: SpoolLimits) -> Result<Spool, SpoolError> {
        let uid = own_uid().map_err(SpoolError::at(Path::new("/proc/self")))?;
        check_root(root, uid)?;
        let own = Folder::create(root, &Address::default()).map_err(SpoolError::at(root))?;
        Ok(Spool {
            root: root.to_owned(),
            uid,
            limits,
            counters: Arc::default(),
            state: Mutex::new(State {
                own: Arc::new(own),
                address: Address::default(),
                next_id: 0,
                parts: Vec::new(),
                queue: Queue::default(),
            }),
        })
    }

    /// The root that serves when the user names none: `jprof-UID` in the system's temporary directory.
    pub fn default_root() -> PathBuf {
        let user = own_uid().map_or_else(|_| "unknown".to_owned(), |uid| uid.to_string());
        std::env::temp_dir().join(format!("jprof-{user}"))
    }

    /// The root.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// A new file for the recorder, open for reading and writing. It is no profile until [`Self::commit`].
    ///
    /// # Errors
    /// When the file system refuses; [`SpoolError::DiskFull`] when it is full.
    pub fn new_part(&self) -> Result<(PathBuf, File), SpoolError> {
        let mut state = self.state();
        state.own.touch();
        match self.create_part(&mut state) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                // Somebody tidied the temporary directory up.
                check_root(&self.root, self.uid)?;
                let own = Folder::create(&self.root, &state.address);
                state.own = Arc::new(own.map_err(SpoolError::at(&self.root))?);
                self.create_part(&mut state)
            }
            result => result,
        }
        .map_err(SpoolError::at(&self.root))
    }

    fn create_part(&self, state: &mut State) -> io::Result<(PathBuf, File)> {
        let path = state.own.path().join(format!("{:08}.part", state.next_id));
        let file = OpenOptions::new()
            .create_new(true)
            .read(true)
            .write(true)
            .mode(0o600)
            .open(&path)?;
        state.next_id += 1;
        state.parts.push(path.clone());
        Ok((path, file))
    }

    /// Makes a part a sealed profile, which the [`Uploader`](crate::Uploader) finds once it is woken. Its path is
    /// returned.
    ///
    /// The metadata is written first and the part renamed then, so the profile is there with all it needs, or not at
    /// all. On an error the part is removed and counted as dropped.
    ///
    /// # Errors
    /// When the path is no part of this spool, or the file system refuses; [`SpoolError::DiskFull`] when it is full.
    pub fn commit(&self, part: &Path, meta: &ProfileMetadata) -> Result<PathBuf, SpoolError> {
        let (folder, id) = {
            let mut state = self.state();
            let known = state.parts.iter().position(|known| known == part);
            let known = known.ok_or_else(|| SpoolError::UnknownPart(part.to_owned()))?;
            state.parts.swap_remove(known);
            state.next_id += 1;
            (Arc::clone(&state.own), state.next_id)
        };
        let waiting = Waiting {
            id,
            folder,
            stem: format!("{:020}-{id:08}", meta.start_unix_nanos),
            is_gzip: false,
            bytes: 0,
            age: Duration::ZERO,
            since: Instant::now(),
        };
        match seal(part, &waiting, meta) {
            Ok(bytes) => {
                let sealed = waiting.raw();
                let waiting = Waiting { bytes, ..waiting };
                self.state().queue.push(waiting);
                self.enforce_limits(Instant::now());
                Ok(sealed)
            }
            Err(source) => {
                remove(&waiting.event_json());
                remove(part);
                let error = SpoolError::at(part)(source);
                let counter = match error {
                    SpoolError::DiskFull(_) => UploadCounter::DroppedDiskFull,
                    _ => UploadCounter::DroppedSpoolError,
                };
                self.counters.add(counter, 1);
                Err(error)
            }
        }
    }

    /// Removes a part, for a period without a single event or a recording that failed.
    pub fn discard(&self, part: &Path) {
        let mut state = self.state();
        if let Some(known) = state.parts.iter().position(|known| known == part) {
            state.parts.swap_remove(known);
            remove(part);
        }
    }

    /// The counters of this spool and its uploader.
    pub fn counters(&self) -> Arc<UploadCounters> {
        Arc::clone(&self.counters)
    }

    /// Number of sealed profiles that wait.
    pub fn waiting(&self) -> usize {
        self.state().queue.len()
    }

    /// Says for whom the profiles wait, so that another process can take them over.
    pub(crate) fn set_address(&self, endpoint: String, service: String) {
        let mut state = self.state();
        state.address = Address { endpoint, service };
        if let Err(error) = state.own.set_address(&state.address) {
            log::debug!(
                "cannot note the endpoint in {}: {error}",
                self.root.display()
            );
        }
    }

    /// Takes over what dead processes left for the same endpoint or the same service. What they left for others stays,
    /// but not beyond the bounds.
    pub(crate) fn take_over_the_dead(&self) {
        let folders = match folder::others(&self.root, self.uid) {
            Ok(folders) => folders,
            Err(error) => {
                log::debug!("cannot look through {}: {error}", self.root.display());
                return;
            }
        };
        let mut leftovers = Vec::new();
        for path in folders {
            // A folder of our own is locked by us, and a second lock fails as on a stranger's.
            match Folder::take_over(&path) {
                Ok(Some((folder, address))) => {
                    leftovers.extend(self.take_over(&Arc::new(folder), &address));
                }
                Ok(None) => {}
                Err(error) => log::debug!("cannot take over {}: {error}", path.display()),
            }
        }
        leftovers.sort_by(|a, b| a.stem.cmp(&b.stem));
        if !leftovers.is_empty() {
            let root = self.root.display();
            log::info!(
                "{} profiles of earlier processes wait in {root}",
                leftovers.len()
            );
        }
        self.state().queue.push_leftovers(leftovers);
    }

    /// What a dead process left for us.
    fn take_over(&self, folder: &Arc<Folder>, address: &Address) -> Vec<Waiting> {
        let (found, torn) = match folder.salvage() {
            Ok(found) => found,
            Err(error) => {
                log::debug!("cannot read {}: {error}", folder.path().display());
                return Vec::new();
            }
        };
        self.counters.add(UploadCounter::DroppedUnreadable, torn);
        let mut state = self.state();
        let since = Instant::now();
        let mut leftovers = Vec::with_capacity(found.len());
        for found in found {
            state.next_id += 1;
            leftovers.push(Waiting {
                id: state.next_id,
                folder: Arc::clone(folder),
                stem: found.stem,
                is_gzip: found.is_gzip,
                bytes: found.bytes,
                age: found.age,
                since,
            });
        }
        if state.address.may_send(address) {
            return leftovers;
        }
        drop(state);
        let mut strangers = Queue::default();
        strangers.push_leftovers(leftovers);
        self.drop_profiles(strangers.over(&self.limits, since));
        Vec::new()
    }

    /// Drops what the bounds do not allow; returns how many profiles that were.
    pub(crate) fn enforce_limits(&self, now: Instant) -> usize {
        let over = {
            let mut state = self.state();
            let over = state.queue.over(&self.limits, now);
            self.publish(&state);
            over
        };
        let dropped = over.len();
        self.drop_profiles(over);
        dropped
    }

    fn drop_profiles(&self, over: Vec<(Waiting, UploadCounter)>) {
        for (waiting, reason) in over {
            self.counters.add(reason, 1);
            delete(&waiting);
        }
    }

    /// The oldest profile; no bound drops it until [`Self::release`] or [`Self::remove`].
    pub(crate) fn claim_oldest(&self) -> Option<Waiting> {
        self.state().queue.claim_oldest()
    }

    /// Leaves a claimed profile in the queue.
    pub(crate) fn release(&self, claimed: &Waiting) {
        self.state().queue.release(claimed.id);
    }

    /// Removes a claimed profile: it is sent, or hopeless.
    pub(crate) fn remove(&self, claimed: &Waiting) {
        delete(claimed);
        let mut state = self.state();
        state.queue.remove(claimed.id);
        self.publish(&state);
    }

    /// Puts the gzip file of a claimed profile, whole at `gzip_part`, in the place of the profile.
    pub(crate) fn replace_with_gzip(&self, claimed: &mut Waiting, bytes: u64) -> io::Result<()> {
        fs::rename(claimed.gzip_part(), claimed.gzip())?;
        remove(&claimed.raw());
        claimed.is_gzip = true;
        claimed.bytes = bytes;
        let mut state = self.state();
        state.queue.compressed(claimed.id, bytes);
        self.publish(&state);
        Ok(())
    }

    fn publish(&self, state: &State) {
        let queue = &state.queue;
        self.counters
            .set(UploadCounter::SpoolFiles, queue.len() as u64);
        self.counters.set(UploadCounter::SpoolBytes, queue.bytes());
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Writes the metadata, then renames the part; returns the profile's bytes.
fn seal(part: &Path, waiting: &Waiting, meta: &ProfileMetadata) -> io::Result<u64> {
    let bytes = fs::metadata(part)?.len();
    let mut json = OpenOptions::new();
    let mut json = json
        .create_new(true)
        .write(true)
        .mode(0o600)
        .open(waiting.event_json())?;
    io::Write::write_all(&mut json, meta.to_event_json().as_bytes())?;
    fs::rename(part, waiting.raw())?;
    Ok(bytes)
}

/// Removes a profile's files, the data first: metadata alone is no profile.
fn delete(waiting: &Waiting) {
    remove(&waiting.raw());
    remove(&waiting.gzip());
    remove(&waiting.gzip_part());
    remove(&waiting.event_json());
}

/// The user whose rights the process has. The owner of /proc/self is the effective user, also of a process that may not
/// be dumped.
fn own_uid() -> io::Result<u32> {
    Ok(fs::metadata("/proc/self")?.uid())
}

/// Creates the root if it is not there, and refuses one in which others could plant or read profiles.
fn check_root(root: &Path, uid: u32) -> Result<(), SpoolError> {
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(root)
        .or_else(|error| match error.kind() {
            io::ErrorKind::AlreadyExists => Ok(()),
            _ => Err(error),
        })
        .map_err(SpoolError::at(root))?;
    let metadata = fs::symlink_metadata(root).map_err(SpoolError::at(root))?;
    if !metadata.is_dir() {
        return Err(SpoolError::NotAFolder(root.to_owned()));
    }
    if metadata.uid() != uid {
        return Err(SpoolError::ForeignOwner {
            path: root.to_owned(),
            owner: metadata.uid(),
            own: uid,
        });
    }
    let mode = metadata.mode() & 0o7777;
    if mode & 0o022 != 0 {
        return Err(SpoolError::OpenToOthers {
            path: root.to_owned(),
            mode,
        });
    }
    Ok(())
}

#[cfg(test)]
mod tests;
