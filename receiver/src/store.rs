//! The folder of the uploads. Each upload is a folder of its own, written under a name that
//! begins with a dot and renamed when it is complete:
//!
//! ```text
//! 20251009T085320.123Z-0001/
//!   event.json     the metadata part, as received
//!   main.jfr       the profile part, as received
//!   upload.json    when it came, what parts it had, what is wrong with it
//!   metrics.json   what the profile says, once it has been read
//! ```

use std::collections::VecDeque;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use time::macros::format_description;

use crate::ReceiverError;
use crate::limits::{KEPT_BYTES, LEFTOVER_AGE};

pub(crate) const EVENT: &str = "event.json";
pub(crate) const PROFILE: &str = "main.jfr";
const RECEIPT: &str = "upload.json";
const INCOMING: &str = ".incoming-";

/// One upload that the receiver keeps.
#[derive(Clone, Debug)]
pub struct Upload {
    /// The name of its folder: the time it came, and a number. Sorts by time.
    pub id: String,
    /// When its last byte came.
    pub received_at: SystemTime,
    /// The metadata part as received; for the old style without such a part, the form values
    /// under the same keys. `None`: the upload had neither.
    pub event_json: Option<Vec<u8>>,
    /// Where the profile part lies, as received. `None`: the upload had no profile part.
    pub jfr: Option<PathBuf>,
    /// Length of the profile part in bytes.
    pub jfr_bytes: u64,
    /// What DataKit would stumble over; empty for a sound upload.
    pub problems: Vec<String>,
}

/// What is known of an upload beside its parts.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Receipt {
    pub(crate) received_unix_nanos: u64,
    pub(crate) problems: Vec<String>,
}

#[derive(Debug)]
pub(crate) struct Store {
    folder: PathBuf,
    sequence: AtomicU32,
    kept: Mutex<Kept>,
    kept_bytes: u64,
}

/// The uploads by age, and their sizes.
#[derive(Debug, Default)]
struct Kept {
    uploads: VecDeque<(String, u64)>,
    bytes: u64,
}

impl Store {
    /// Makes the folder if it does not exist, and clears what a killed receiver left half-written.
    pub(crate) fn open(folder: &Path) -> Result<Self, ReceiverError> {
        Self::with_limit(folder, KEPT_BYTES)
    }

    fn with_limit(folder: &Path, kept_bytes: u64) -> Result<Self, ReceiverError> {
        let fault = |source| ReceiverError::Folder {
            path: folder.to_owned(),
            source,
        };
        fs::create_dir_all(folder).map_err(fault)?;
        let store = Self {
            folder: folder.to_owned(),
            sequence: AtomicU32::new(0),
            kept: Mutex::new(Kept::default()),
            kept_bytes,
        };
        store.clear_leftovers().map_err(fault)?;
        let mut kept = Kept::default();
        for id in store.ids().map_err(fault)? {
            let bytes = folder_bytes(&folder.join(&id));
            kept.bytes += bytes;
            kept.uploads.push_back((id, bytes));
        }
        *store.lock() = kept;
        Ok(store)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Kept> {
        self.kept
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    fn clear_leftovers(&self) -> io::Result<()> {
        for entry in fs::read_dir(&self.folder)? {
            let entry = entry?;
            let old = entry
                .metadata()
                .and_then(|metadata| metadata.modified())
                .is_ok_and(|time| time.elapsed().is_ok_and(|age| age > LEFTOVER_AGE));
            if old && entry.file_name().to_string_lossy().starts_with(INCOMING) {
                fs::remove_dir_all(entry.path())?;
            }
        }
        Ok(())
    }

    /// A new folder for an upload that begins to come in.
    pub(crate) fn begin(&self) -> io::Result<Incoming> {
        loop {
            let number = self.sequence.fetch_add(1, Ordering::Relaxed);
            let folder = self
                .folder
                .join(format!("{INCOMING}{}-{number}", std::process::id()));
            match fs::create_dir(&folder) {
                Ok(()) => {
                    return Ok(Incoming {
                        folder: Some(folder),
                    });
                }
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Gives a complete upload its name.
    pub(crate) fn keep(&self, mut incoming: Incoming, problems: Vec<String>) -> io::Result<Upload> {
        let now = SystemTime::now();
        let receipt = Receipt {
            received_unix_nanos: unix_nanos(now),
            problems,
        };
        let temporary = incoming.path().to_owned();
        fs::write(
            temporary.join(RECEIPT),
            serde_json::to_vec_pretty(&receipt)?,
        )?;
        let bytes = folder_bytes(&temporary);
        let time = OffsetDateTime::from(now)
            .format(format_description!(
                "[year][month][day]T[hour][minute][second].[subsecond digits:3]Z"
            ))
            .map_err(io::Error::other)?;
        // Names sort by time, also within a millisecond; the lock keeps the list in that order.
        let mut kept = self.lock();
        let id = (1..10_000)
            .map(|number| format!("{time}-{number:04}"))
            .find(|id| !self.folder.join(id).exists())
            .ok_or_else(|| io::Error::other("10,000 uploads within a millisecond"))?;
        fs::rename(&temporary, self.folder.join(&id))?;
        incoming.folder = None;
        kept.uploads.push_back((id.clone(), bytes));
        kept.bytes += bytes;
        self.drop_oldest(&mut kept);
        drop(kept);
        self.upload(&id)
    }

    fn drop_oldest(&self, kept: &mut Kept) {
        while kept.bytes > self.kept_bytes && kept.uploads.len() > 1 {
            if let Some((id, bytes)) = kept.uploads.pop_front() {
                kept.bytes -= bytes;
                // What cannot be removed is no longer counted: the next start counts anew.
                let _ = fs::remove_dir_all(self.folder.join(id));
            }
        }
    }

    /// The names of the uploads, oldest first.
    pub(crate) fn ids(&self) -> io::Result<Vec<String>> {
        let mut ids: Vec<String> = fs::read_dir(&self.folder)?
            .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
            .filter(|name| is_id(name))
            .collect();
        ids.sort_unstable();
        Ok(ids)
    }

    /// Reads an upload. An id that no upload can have is `NotFound`.
    pub(crate) fn upload(&self, id: &str) -> io::Result<Upload> {
        let folder = self.path(id)?;
        let receipt: Receipt = serde_json::from_slice(&fs::read(folder.join(RECEIPT))?)?;
        let event_json = match fs::read(folder.join(EVENT)) {
            Ok(json) => Some(json),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(error),
        };
        let jfr = folder.join(PROFILE);
        let jfr_bytes = fs::metadata(&jfr).map(|metadata| metadata.len()).ok();
        Ok(Upload {
            id: id.to_owned(),
            received_at: UNIX_EPOCH + Duration::from_nanos(receipt.received_unix_nanos),
            event_json,
            jfr: jfr_bytes.is_some().then_some(jfr),
            jfr_bytes: jfr_bytes.unwrap_or(0),
            problems: receipt.problems,
        })
    }

    /// The folder of an upload.
    pub(crate) fn path(&self, id: &str) -> io::Result<PathBuf> {
        if is_id(id) {
            Ok(self.folder.join(id))
        } else {
            Err(io::ErrorKind::NotFound.into())
        }
    }
}

/// An upload on its way in; removed when it is dropped before it is kept.
#[derive(Debug)]
pub(crate) struct Incoming {
    folder: Option<PathBuf>,
}

impl Incoming {
    pub(crate) fn path(&self) -> &Path {
        self.folder.as_deref().expect("present until it is kept")
    }
}

impl Drop for Incoming {
    fn drop(&mut self) {
        if let Some(folder) = &self.folder {
            // Nothing can be done about it here; a later start clears it.
            let _ = fs::remove_dir_all(folder);
        }
    }
}

/// Ids come back in addresses: only what `keep` makes is one.
pub(crate) fn is_id(name: &str) -> bool {
    let shape = "00000000T000000.000Z-0000";
    name.len() == shape.len()
        && name.bytes().zip(shape.bytes()).all(|(byte, form)| {
            if form == b'0' {
                byte.is_ascii_digit()
            } else {
                byte == form
            }
        })
}

fn folder_bytes(folder: &Path) -> u64 {
    fs::read_dir(folder).map_or(0, |entries| {
        entries
            .filter_map(|entry| Some(entry.ok()?.metadata().ok()?.len()))
            .sum()
    })
}

fn unix_nanos(time: SystemTime) -> u64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keep(store: &Store, jfr: &[u8]) -> Upload {
        let incoming = store.begin().expect("a folder");
        fs::write(incoming.path().join(PROFILE), jfr).expect("written");
        store.keep(incoming, vec!["p".to_owned()]).expect("kept")
    }

    #[test]
    fn an_upload_is_there_again_after_a_restart() {
        let folder = tempfile::tempdir().expect("a folder");
        let kept = keep(&Store::open(folder.path()).expect("a store"), b"jfr");
        let store = Store::open(folder.path()).expect("a store");
        assert_eq!(store.ids().expect("ids").join(" "), kept.id);
        let read = store.upload(&kept.id).expect("the upload");
        assert_eq!(
            (read.jfr_bytes, read.event_json, read.problems),
            (3, None, vec!["p".to_owned()])
        );
        assert_eq!(read.received_at, kept.received_at);
    }

    #[test]
    fn uploads_of_one_moment_keep_their_order() {
        let folder = tempfile::tempdir().expect("a folder");
        let store = Store::open(folder.path()).expect("a store");
        let made: Vec<String> = (0..20).map(|_| keep(&store, b"").id).collect();
        assert_eq!(store.ids().expect("ids"), made);
    }

    #[test]
    fn an_upload_that_breaks_off_leaves_nothing() {
        let folder = tempfile::tempdir().expect("a folder");
        let store = Store::open(folder.path()).expect("a store");
        let incoming = store.begin().expect("a folder");
        fs::write(incoming.path().join(PROFILE), b"half").expect("written");
        assert!(store.ids().expect("ids").is_empty());
        drop(incoming);
        assert_eq!(fs::read_dir(folder.path()).expect("readable").count(), 0);
    }

    #[test]
    fn over_the_limit_the_oldest_go_and_the_newest_stays() {
        let folder = tempfile::tempdir().expect("a folder");
        let store = Store::with_limit(folder.path(), 2500).expect("a store");
        let made: Vec<String> = (0..3).map(|_| keep(&store, &[0; 1000]).id).collect();
        assert_eq!(store.ids().expect("ids"), made[1..]);
        let big = keep(&store, &[0; 9000]).id;
        assert_eq!(store.ids().expect("ids"), [big]);
    }

    #[test]
    fn no_path_leads_out_of_the_folder() {
        let folder = tempfile::tempdir().expect("a folder");
        let store = Store::open(folder.path()).expect("a store");
        for id in [
            "..",
            ".",
            "",
            "../20251009T085320.123Z-0001",
            "20251009T085320.123Z-000a",
            ".incoming-1-1",
        ] {
            let error = store.upload(id).expect_err("not an id");
            assert_eq!(error.kind(), io::ErrorKind::NotFound, "{id}");
        }
    }
}
