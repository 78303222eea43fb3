//! The thread that sends what the spool holds.
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use crossbeam::channel::{Receiver, Sender};

use crate::{Endpoint, ProfileMetadata, Spool, UploadCounters};

/// Stack that [`Uploader::run`] needs, TLS included.
pub const UPLOADER_STACK_BYTES: usize = 256 * 1024;

/// What one can ask of a running [`Uploader`].
#[derive(Debug)]
pub enum Command {
    /// A profile was committed.
    Wake,
    /// Send what waits, and report by the deadline.
    Flush {
        /// When the report is due at the latest.
        deadline: Instant,
        /// Where the report goes; capacity of at least one.
        done: Sender<FlushReport>,
    },
    /// End the thread, at once.
    Stop,
}

/// What a flush came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct FlushReport {
    /// Profiles sent since the flush was asked for.
    pub sent: usize,
    /// Profiles that still wait in the spool.
    pub left: usize,
}

/// How the [`Uploader`] goes about it.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct UploaderConfig {}

impl Default for UploaderConfig {
    fn default() -> Self {
        UploaderConfig {}
    }
}

/// Sends what the spool holds, oldest first.
#[derive(Debug)]
pub struct Uploader {}

impl Uploader {
    /// An uploader for one spool and one endpoint; touches no network yet.
    pub fn new(_spool: Arc<Spool>, _endpoint: Endpoint, _config: UploaderConfig) -> Uploader {
        todo!()
    }
    /// The thread's body; returns after [`Command::Stop`] or when every sender is gone.
    pub fn run(self, _commands: Receiver<Command>) {
        todo!()
    }
    /// The counters of this uploader and its spool.
    pub fn counters(&self) -> Arc<UploadCounters> {
        todo!()
    }
}

/// What DataKit answered to an upload it took.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Uploaded {
    /// The HTTP status, 200 to 299.
    pub status: u16,
    /// Bytes of the profile as sent, after gzip.
    pub profile_bytes: u64,
    /// `X-DataKit` of the answer: version and host.
    pub datakit: Option<String>,
}

/// Why one upload failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum UploadError {}

/// Sends one file in one try.
pub fn upload_file(
    _: &Endpoint,
    _: &Path,
    _: &ProfileMetadata,
    _: &UploaderConfig,
) -> Result<Uploaded, UploadError> {
    todo!()
}

/// Sends one profile in one try.
pub fn upload_bytes(
    _: &Endpoint,
    _: &[u8],
    _: &ProfileMetadata,
    _: &UploaderConfig,
) -> Result<Uploaded, UploadError> {
    todo!()
}
