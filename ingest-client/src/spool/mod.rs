//! The queue on disk.
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use crate::{ProfileMetadata, UploadCounters};

/// How much may wait in a [`Spool`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SpoolLimits {
    /// Bytes of all sealed profiles that wait.
    pub max_bytes: u64,
    /// Number of sealed profiles that wait.
    pub max_files: usize,
    /// Time a sealed profile may wait.
    pub max_age: Duration,
}

impl Default for SpoolLimits {
    fn default() -> SpoolLimits {
        todo!()
    }
}

/// Why the spool could not do what it was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SpoolError {}

/// A folder of profiles that wait to be sent.
#[derive(Debug)]
pub struct Spool {}

impl Spool {
    /// Opens the spool under `root`.
    pub fn open(_root: &Path, _limits: SpoolLimits) -> Result<Spool, SpoolError> {
        todo!()
    }
    /// The root that serves when the user names none.
    pub fn default_root() -> PathBuf {
        todo!()
    }
    /// A new file for the recorder, open for reading, writing and seeking.
    pub fn new_part(&self) -> Result<(PathBuf, File), SpoolError> {
        todo!()
    }
    /// Makes a part a sealed profile.
    pub fn commit(&self, _part: &Path, _meta: &ProfileMetadata) -> Result<PathBuf, SpoolError> {
        todo!()
    }
    /// Removes a part.
    pub fn discard(&self, _part: &Path) {
        todo!()
    }
    /// The counters of this spool and its uploader.
    pub fn counters(&self) -> Arc<UploadCounters> {
        todo!()
    }
}
