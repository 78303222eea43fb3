//! What the tests stand on: JDKs, harness programs under the agent, recordings, DataKit in its moods.

mod confine;
mod datakit;
mod jdk;
mod ledger;
mod program;
mod recording;
mod rights;
mod system;

pub(crate) use confine::Confinement;
pub(crate) use datakit::{DataKit, Faulty, Mood, Sent, closed_port};
pub(crate) use jdk::{ALL, Jdk, OLD_AND_USUAL, every_jdk, on_jdks, on_jdks_at_once};
pub(crate) use ledger::skip;
pub(crate) use program::{Program, Run, Running, agent_argument};
pub(crate) use recording::{Allocation, Live, Profile, Sample, Stack};
pub(crate) use rights::{SystemCall, has_cycles};
pub(crate) use system::{
    Signal, available_mib, is_root, lock_file, peak_mib, perf_ticks_in_kernel, process_cpu_nanos,
    resident_mib, send, signal_all_threads, unlock_file,
};

use std::fmt::Debug;
use std::path::{Path, PathBuf};
use std::thread;

use tempfile::TempDir;

/// The checkout.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// What was built before the tests, at `variable` or in the release folder.
fn built(variable: &str, name: &str) -> PathBuf {
    let path = match std::env::var_os(variable) {
        Some(path) => PathBuf::from(path),
        None => {
            let target = std::env::var_os("CARGO_TARGET_DIR");
            let target = target.map_or_else(|| root().join("target"), PathBuf::from);
            target.join("release").join(name)
        }
    };
    assert!(
        path.is_file(),
        "{} is not there: run `make` first, or set {variable}",
        path.display()
    );
    path
}

/// The agent.
pub(crate) fn library() -> PathBuf {
    built("JPROF_LIB", "libjprof.so")
}

/// The command.
pub(crate) fn command() -> PathBuf {
    built("JPROF_BIN", "jprof")
}

/// A folder that every user may write to, for programs that run as somebody else.
pub(crate) fn folder() -> TempDir {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o777))
        .expect("permissions");
    folder
}

/// Runs `body` for each item in a thread of its own; one that fails does not keep the others from their end.
pub(crate) fn at_once<T: Debug + Sync>(items: &[T], body: impl Fn(&T) + Sync) {
    let body = &body;
    thread::scope(|scope| {
        let threads: Vec<_> = items
            .iter()
            .map(|item| (item, scope.spawn(move || body(item))))
            .collect();
        let failed: Vec<&T> = threads
            .into_iter()
            .filter_map(|(item, thread)| thread.join().is_err().then_some(item))
            .collect();
        assert!(failed.is_empty(), "fails by {failed:?}");
    });
}
