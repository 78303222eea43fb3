//! A JVM to attach to: what is known of it before anything is done to it.

use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::time::Duration;

use crate::command_line::{self, Flags};
use crate::identity::Identity;
use crate::jvm::{self, Jprof};
use crate::perf_data::PerfData;
use crate::process::Process;
use crate::root::Root;
use crate::status::Status;
use crate::{AttachError, Deadline, cgroup, mounts};

/// How long a `java` that has no JVM yet, or a JVM that has no signal handler yet, is waited for: on an idle machine it
/// takes 10 to 130 ms.
pub(crate) const START_LIMIT: Duration = Duration::from_secs(5);
/// How often it is looked at meanwhile.
pub(crate) const LOOK_EVERY: Duration = Duration::from_millis(5);

/// What was opened and read with the caller's own rights; the rest is done with the target's.
#[derive(Debug)]
pub(crate) struct Target {
    pub(crate) process: Process,
    pub(crate) root: Root,
    pub(crate) working_directory: OwnedFd,
    pub(crate) identity: Identity,
    /// The process's id in its own namespace.
    pub(crate) own_pid: u32,
    /// The agent, if it is loaded already.
    pub(crate) jprof: Option<Jprof>,
    /// The folder that the target's environment names for temporary files.
    pub(crate) temporary: Option<PathBuf>,
    /// Where its file systems are mounted.
    pub(crate) mounts: Vec<PathBuf>,
    pub(crate) flags: Flags,
}

impl Target {
    /// The JVM with this id; a launcher that has none yet is waited for.
    pub(crate) fn open(pid: u32, deadline: &Deadline) -> Result<Target, AttachError> {
        let process = Process::open(pid)?;
        check_runs(&process)?;
        let start = deadline.at_most(START_LIMIT);
        let (status, maps) = loop {
            let (status, maps) = (process.status()?, process.maps()?);
            if maps.libjvm.is_some() {
                break (status, maps);
            }
            if !jvm::is_launcher(&process) || !start.pause(LOOK_EVERY)? {
                return Err(jvm::not_a_jvm(&process, &status));
            }
        };
        if maps.musl {
            return Err(AttachError::Musl { pid });
        }
        if !process.try_lock() {
            return Err(AttachError::Busy { pid });
        }
        let root = process.root()?;
        let environment = command_line::words(&process.read("environ")?);
        let temporary = environment
            .iter()
            .find_map(|entry| entry.strip_prefix("TMPDIR="));
        Ok(Target {
            working_directory: process.working_directory()?,
            identity: Identity {
                uid: status.effective_uid,
                gid: status.effective_gid,
            },
            own_pid: status.innermost_pid,
            jprof: jvm::jprof(&process, &maps, Some(&root)),
            temporary: temporary.map(PathBuf::from),
            mounts: mounts::parse(&process.read("mountinfo")?),
            flags: jvm::flags(&process, &environment),
            root,
            process,
        })
    }

    /// Whether the JVM's attach mechanism is switched off.
    pub(crate) fn is_disabled(&self) -> bool {
        let attachable = self.perf_data().attachable;
        !attachable.unwrap_or(!self.flags.attach_disabled)
    }

    /// Waits until the JVM has started, where that can be told: an agent that is loaded earlier has no JVM to work with.
    pub(crate) fn wait_until_started(&self, deadline: &Deadline) -> Result<(), AttachError> {
        let start = deadline.at_most(START_LIMIT);
        while self.perf_data().started == Some(false) && start.pause(LOOK_EVERY)? {}
        Ok(())
    }

    /// What its counters say now; nothing where they cannot be read with the target's own rights.
    fn perf_data(&self) -> PerfData {
        let (Ok(status), Ok(maps)) = (self.process.status(), self.process.maps()) else {
            return PerfData::default();
        };
        jvm::perf_data(&self.root, &maps, &status)
    }

    /// Its state, if it can answer.
    pub(crate) fn check_runs(&self) -> Result<Status, AttachError> {
        check_runs(&self.process)
    }
}

fn check_runs(process: &Process) -> Result<Status, AttachError> {
    let (status, pid) = (process.status()?, process.pid);
    if status.is_stopped() {
        return Err(AttachError::Stopped { pid });
    }
    if cgroup::is_frozen(&process.text("cgroup")?) {
        return Err(AttachError::Frozen { pid });
    }
    Ok(status)
}
