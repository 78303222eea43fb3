//! Spools sealed profiles on disk and uploads them to DataKit.
//!
//! The crate knows bytes and metadata; it knows neither JFR nor the JVM.
//!
//! # What it does
//!
//! * [`Spool`]: a folder of files that is the queue. The recorder writes into a part, [`Spool::commit`] makes it a
//!   sealed profile in one step, and it stays there until DataKit has taken it or a bound of [`SpoolLimits`] drops it.
//! * [`Uploader`]: the body of one thread that sends the sealed profiles, oldest first, and tries again where that may help.
//! * [`upload_file`]: one profile, one try, for the command line.
//!
//! # What is yours
//!
//! * Spawn the thread for [`Uploader::run`] yourself, with every signal blocked and a stack of at least
//!   [`UPLOADER_STACK_BYTES`]. A host name that is not an address is looked up on one more, short-lived thread
//!   (`jprof-dns`), which inherits that signal mask.
//! * Send [`Command::Wake`] after each commit, and [`Command::Flush`] before the process ends.
//!
//! # What it does not do
//!
//! * It keeps no profile in memory, starts no thread for an upload, and never waits without a bound.
//! * It uses no proxy, whatever the environment says: DataKit runs beside the application, and the `http_proxy` of a
//!   JVM's environment is meant for another traffic.
//! * It follows no redirect: a profile goes to the host that the user named, and to no other.
#![forbid(unsafe_code)]

mod backoff;
mod client;
mod compress;
mod config;
mod connection;
mod counters;
mod endpoint;
#[cfg(feature = "fuzzing")]
pub mod fuzzing;
mod metadata;
mod orders;
mod resolver;
mod single;
mod spool;
mod uploader;
mod verdict;

pub use config::UploaderConfig;
pub use counters::{UploadCounter, UploadCounters};
pub use endpoint::{Endpoint, EndpointError};
pub use metadata::{MetadataError, ProfileMetadata};
pub use orders::{Command, FlushReport};
pub use single::{UploadError, Uploaded, upload_bytes, upload_file};
pub use spool::{Spool, SpoolError, SpoolLimits};
pub use uploader::{UPLOADER_STACK_BYTES, Uploader};
