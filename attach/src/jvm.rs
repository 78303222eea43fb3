//! The JVMs that run.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use rustix::fs::{self, FileType, OFlags};

use crate::AttachError;
use crate::command_line::{self, CommandLine, Flags};
use crate::maps::Maps;
use crate::perf_data::PerfData;
use crate::process::{Process, system};
use crate::root::{self, Root};
use crate::status::Status;
use crate::users::Users;

/// The thread that writes the agent's recording, as long as there is one (`agent/src/session`).
const RECORDER: &str = "jprof recorder";
/// No file that is read from a target is larger: 32 KiB of counters and a page of text are usual.
const LARGEST_FILE_BYTES: u64 = 1 << 20;
/// The folders between libjvm.so and the JDK's own: `jre/lib/amd64/server` in JDK 8.
const DEEPEST_JVM: usize = 6;

/// A JVM that runs.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Jvm {
    /// Its process id.
    pub pid: u32,
    /// Its user's number.
    pub uid: u32,
    /// Its user's name, or the number.
    pub user: String,
    /// The JDK's version, such as `17.0.15`, where the JDK or the JVM has a file that says it.
    pub jdk: Option<String>,
    /// The main class or jar as `jps` shows it; else what the kernel calls the process.
    pub name: String,
    /// The agent, if it is loaded.
    pub jprof: Option<Jprof>,
}

/// The agent in a JVM, as far as it can be seen from outside.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Jprof {
    /// Its library, under the name that it was loaded by; the file may be gone.
    pub library: PathBuf,
    /// Whether its recorder thread runs.
    pub recording: bool,
}

/// The JVMs of a machine.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Listing {
    /// By process id.
    pub jvms: Vec<Jvm>,
    /// How many processes of other users cannot be looked into.
    pub unreadable: usize,
}

/// All JVMs that can be seen, containers' too.
///
/// # Errors
/// [`AttachError::System`]: `/proc` cannot be read.
pub fn list() -> Result<Listing, AttachError> {
    let folder = std::fs::read_dir("/proc").map_err(|error| system("read /proc".into(), error))?;
    let mut pids: Vec<u32> = folder
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .collect();
    pids.sort_unstable();
    let users = Users::load();
    let mut listing = Listing::default();
    for pid in pids {
        match Process::open(pid).and_then(|process| describe(&process, &users)) {
            Ok(jvm) => listing.jvms.push(jvm),
            // What has no command line is the kernel's own.
            Err(AttachError::Forbidden { .. }) if has_command_line(pid) => listing.unreadable += 1,
            // No JVM, or one that ended.
            Err(_) => {}
        }
    }
    Ok(listing)
}

fn has_command_line(pid: u32) -> bool {
    std::fs::read(format!("/proc/{pid}/cmdline")).is_ok_and(|words| !words.is_empty())
}

/// One JVM.
///
/// # Errors
/// [`AttachError::NoSuchProcess`], [`AttachError::Thread`], [`AttachError::Ended`], [`AttachError::Forbidden`],
/// [`AttachError::NotAJvm`].
pub fn inspect(pid: u32) -> Result<Jvm, AttachError> {
    describe(&Process::open(pid)?, &Users::load())
}

fn describe(process: &Process, users: &Users) -> Result<Jvm, AttachError> {
    let (status, maps) = (process.status()?, process.maps()?);
    let Some(libjvm) = &maps.libjvm else {
        return Err(not_a_jvm(process, &status));
    };
    // A JVM may be gone, or change its root, while it is looked at; then less is known.
    let root = process.root().ok();
    let jdk = root.as_ref().and_then(|root| jdk_version(root, libjvm));
    let perf_data = root.as_ref().map(|root| perf_data(root, &maps, &status));
    let perf_data = perf_data.unwrap_or_default();
    Ok(Jvm {
        pid: process.pid,
        uid: status.effective_uid,
        user: users.name(status.effective_uid),
        jdk: jdk.or_else(|| perf_data.java_version.clone()),
        name: name(process, &perf_data).unwrap_or(status.name),
        jprof: jprof(process, &maps, root.as_ref()),
    })
}

pub(crate) fn not_a_jvm(process: &Process, status: &Status) -> AttachError {
    AttachError::NotAJvm {
        pid: process.pid,
        name: status.name.clone(),
    }
}

/// The agent that is loaded.
pub(crate) fn jprof(process: &Process, maps: &Maps, root: Option<&Root>) -> Option<Jprof> {
    let library = maps.libjprof.clone()?;
    Some(Jprof {
        library: root
            .and_then(|root| root.inside(&library))
            .unwrap_or(library),
        recording: is_recording(process),
    })
}

/// Whether the agent's recorder runs.
pub(crate) fn is_recording(process: &Process) -> bool {
    process.thread_names().iter().any(|name| name == RECORDER)
}

/// Whether it is the JDK's launcher `java`, which maps libjvm.so a little after it began.
pub(crate) fn is_launcher(process: &Process) -> bool {
    let program = process.link("exe").map(|path| root::file_name(&path));
    program.is_ok_and(|name| name.strip_suffix(" (deleted)").unwrap_or(&name) == "java")
}

fn name(process: &Process, perf_data: &PerfData) -> Option<String> {
    if is_launcher(process) {
        let words = command_line::words(&process.read("cmdline").ok()?);
        let name = CommandLine::parse(&words).name();
        if name.is_some() {
            return name;
        }
    }
    command_line::name_of_command(perf_data.java_command.as_deref()?)
}

/// The flags that its command line and environment show.
pub(crate) fn flags(process: &Process, environment: &[String]) -> Flags {
    let words = process.read("cmdline").unwrap_or_default();
    let words = command_line::words(&words);
    Flags::of(&CommandLine::parse(&words), environment)
}

/// The performance counters, if the JVM keeps any.
pub(crate) fn perf_data(root: &Root, maps: &Maps, status: &Status) -> PerfData {
    let path = maps.perf_data.as_deref().and_then(|path| root.inside(path));
    let bytes = path.and_then(|path| read_file(root, &path, Some(status.effective_uid)));
    bytes.map_or_else(PerfData::default, |bytes| PerfData::parse(&bytes))
}

/// `JAVA_VERSION` in the file `release` of the JDK that libjvm.so belongs to.
fn jdk_version(root: &Root, libjvm: &Path) -> Option<String> {
    let libjvm = root.inside(libjvm)?;
    let folders = libjvm.ancestors().skip(1).take(DEEPEST_JVM);
    let release = folders
        .filter(|folder| folder.parent().is_some())
        .find_map(|folder| read_file(root, &folder.join("release"), None))?;
    version_in(&String::from_utf8_lossy(&release))
}

pub(crate) fn version_in(release: &str) -> Option<String> {
    let mut lines = release.lines();
    let value = lines.find_map(|line| line.strip_prefix("JAVA_VERSION="))?;
    Some(value.trim().trim_matches('"').to_owned())
}

/// A small, regular file of the target's; of `owner` only, if one is given.
fn read_file(root: &Root, path: &Path, owner: Option<u32>) -> Option<Vec<u8>> {
    // A pipe in the file's place must not make us wait.
    let file = root.open_at(path, OFlags::RDONLY | OFlags::NONBLOCK).ok()?;
    let stat = fs::fstat(&file).ok()?;
    let regular = FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile;
    if !regular || owner.is_some_and(|owner| owner != stat.st_uid) {
        return None;
    }
    let mut bytes = Vec::new();
    let file = File::from(file);
    file.take(LARGEST_FILE_BYTES).read_to_end(&mut bytes).ok()?;
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_in_a_release_file() {
        let release = "IMPLEMENTOR=\"N/A\"\nJAVA_VERSION=\"17.0.15\"\nJAVA_VERSION_DATE=\"2025\"\n";
        assert_eq!(version_in(release).as_deref(), Some("17.0.15"));
        assert_eq!(version_in("MODULES=\"java.base\"\n"), None);
    }

    #[test]
    fn this_process_is_no_jvm() {
        let own = std::process::id();
        let inspected = inspect(own);
        assert!(
            matches!(&inspected, Err(AttachError::NotAJvm { pid, .. }) if *pid == own),
            "{inspected:?}"
        );
        let listing = list().expect("/proc");
        assert!(listing.jvms.iter().all(|jvm| jvm.pid != own));
    }
}
