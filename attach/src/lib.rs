//! Finds the running JVMs of a machine and loads the agent into them.
//!
//! No JDK is needed on either side: the few files that the kernel and HotSpot keep about a process are read, and
//! HotSpot's attach protocol is spoken, version 1, which HotSpot 8 to 25 know (`attachListener_posix.cpp` and, in 8,
//! `attachListener_linux.cpp`).
//!
//! What is done to a process is little, and can be relied upon:
//! - SIGQUIT goes to a process only that is a JVM, has a handler for the signal, runs, and has not switched its attach
//!   mechanism off: to others it would be the end, or a thread dump on their standard output.
//! - A target in a container is reached through `/proc/PID/root`, and no link in there leads out of it.
//! - What is put into the target's folders (the trigger file; the library, where the target cannot see it) belongs to
//!   the target's user, never replaces anything, and is removed before the call returns.
//! - Each call has a [`Deadline`].
//!
//! ```no_run
//! use std::time::Duration;
//! use jprof_attach::{Deadline, attach, detach};
//!
//! # fn main() -> Result<(), jprof_attach::AttachError> {
//! let library = "/usr/local/lib/libjprof.so".as_ref();
//! attach(4242, library, "service=shop", &Deadline::after(Duration::from_secs(10)))?;
//! detach(4242, &Deadline::after(Duration::from_secs(10)))?;
//! # Ok(())
//! # }
//! ```
#![forbid(unsafe_code)]

mod cgroup;
mod command_line;
mod deadline;
mod error;
#[cfg(feature = "fuzzing")]
pub mod fuzzing;
mod identity;
mod jvm;
mod library;
mod listener;
mod maps;
mod mounts;
mod operations;
mod perf_data;
mod process;
mod protocol;
mod root;
mod status;
mod target;
mod users;

pub use deadline::Deadline;
pub use error::AttachError;
pub use jvm::{Jprof, Jvm, Listing, inspect, list};
pub use operations::{Attached, Detached, attach, detach};
