//! Every number of the receiver, with its reason.

use std::time::Duration;

/// Largest body of an upload: DataKit's own default, so that what is too large there is too large here.
pub(crate) const BODY_BYTES: u64 = 32 << 20;
/// Of a body that is too large, read this much more before the answer: a client that still sends
/// while the connection closes may never see the answer.
pub(crate) const DRAINED_BYTES: u64 = 64 << 20;
/// Largest metadata part: a real one is under 10 KiB.
pub(crate) const EVENT_BYTES: usize = 1 << 20;
/// Largest form value that is kept; the old style sends tags and times this way.
pub(crate) const FORM_VALUE_BYTES: usize = 64 << 10;
/// Most parts of an upload: the old style sends one per tag.
pub(crate) const PARTS: usize = 256;
/// Largest head of a request: a browser's is under 4 KiB.
pub(crate) const HEAD_BYTES: usize = 32 << 10;
/// Connections at one time: a fleet of test JVMs, and no more file descriptors than the usual 1024 allow.
pub(crate) const CONNECTIONS: usize = 256;
/// Longest wait for the head of a request, also on a connection that is kept open.
pub(crate) const HEAD_TIME: Duration = Duration::from_secs(30);
/// Longest time to take a body: DataKit's own limit, answered with 408.
pub(crate) const BODY_TIME: Duration = Duration::from_secs(30);
/// Longest life of a connection, whatever it does: bounds readers that never read.
pub(crate) const CONNECTION_TIME: Duration = Duration::from_secs(600);
/// What the folder keeps: DataKit's disk queue holds as much; then the oldest uploads go.
pub(crate) const KEPT_BYTES: u64 = 10 << 30;
/// Largest recording that is analysed, unpacked: a full body of well-packed JFR.
pub(crate) const RECORDING_BYTES: u64 = 512 << 20;
/// Recordings analysed at one time: each may need some times its size.
pub(crate) const ANALYSES: usize = 2;
/// Uploads on one page of the list.
pub(crate) const LISTED: usize = 100;
/// How old a half-written upload must be to be another process's leftover.
pub(crate) const LEFTOVER_AGE: Duration = Duration::from_secs(3600);
