//! What is done to a JVM: the agent is loaded, and told to stop.

use std::io::{ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::jvm::is_recording;
use crate::library::{Library, Placed};
use crate::process::system;
use crate::protocol::{self, Reply};
use crate::target::{LOOK_EVERY, START_LIMIT, Target};
use crate::{AttachError, Deadline, listener};

/// The actions of the agent's option strings that start no recording (`agent/src/options`).
const ACTIONS_WITHOUT_A_START: [&str; 10] = [
    "stop", "status", "resume", "dump", "metrics", "list", "version", "collect", "check", "meminfo",
];
const STOP: &str = "stop";
/// How long the recorder's thread may take to have its name, or to be gone, once the agent has answered.
const THREAD_LIMIT: Duration = Duration::from_secs(1);
/// An answer is a few lines.
const LONGEST_ANSWER_BYTES: usize = 64 << 10;

/// What [`attach`] did.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Attached {
    /// The library that is in the JVM: a copy's name if the JVM could not see the one that was asked for.
    pub library: PathBuf,
    /// Whether the agent records now.
    pub recording: bool,
    /// Whether it did so before: then these are its options from now on, as far as they are given.
    pub was_recording: bool,
}

/// What [`detach`] did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Detached {
    /// Whether there was a recording to end.
    pub was_recording: bool,
}

/// Loads the agent into a running JVM with these options, or hands them to the agent that is there already: then its own
/// library is used, not `library`, of which a second copy would be a second profiler. A recording that runs is sealed, and
/// another goes on with the options that are given now over those that it had.
///
/// # Errors
/// Each variant of [`AttachError`] but [`AttachError::NothingToDetach`] and [`AttachError::StillRecording`].
pub fn attach(
    pid: u32,
    library: &Path,
    options: &str,
    deadline: &Deadline,
) -> Result<Attached, AttachError> {
    let library = Library::open(library)?;
    protocol::load_request(Path::new(""), options)?;
    let target = Target::open(pid, deadline)?;
    let (path, code) = target.identity.run(|| {
        // What cannot be connected to needs no copy.
        let stream = listener::connect(&target, deadline)?;
        let placed = match &target.jprof {
            Some(jprof) => Placed::Seen(jprof.library.clone()),
            None => library.place(&target, deadline)?,
        };
        let code = load(&target, stream, placed.path(), options, deadline)?;
        Ok((placed.path().to_owned(), code))
    })?;
    let has_to_record = starts_a_recording(options);
    let recording = wait_for_recording(&target, has_to_record, deadline)?;
    match (code, &target.jprof) {
        (0, jprof) if recording || !has_to_record => Ok(Attached {
            library: path,
            recording,
            was_recording: jprof.as_ref().is_some_and(|jprof| jprof.recording),
        }),
        (0, _) => Err(AttachError::Idle { pid }),
        (_, Some(_)) => Err(AttachError::OptionsRefused { pid, library: path }),
        (code, None) => Err(AttachError::AgentRefused { pid, code }),
    }
}

/// Tells the agent in a running JVM to seal and hand over what it has, and to stop. Its library stays loaded.
///
/// # Errors
/// [`AttachError::NothingToDetach`], [`AttachError::StillRecording`], and those of [`attach`] but for the library's.
pub fn detach(pid: u32, deadline: &Deadline) -> Result<Detached, AttachError> {
    let target = Target::open(pid, deadline)?;
    let jprof = target.jprof.as_ref();
    let jprof = jprof.ok_or(AttachError::NothingToDetach { pid })?;
    let code = target.identity.run(|| {
        let stream = listener::connect(&target, deadline)?;
        load(&target, stream, &jprof.library, STOP, deadline)
    })?;
    if code != 0 {
        return Err(AttachError::AgentRefused { pid, code });
    }
    if wait_for_recording(&target, false, deadline)? {
        return Err(AttachError::StillRecording { pid });
    }
    Ok(Detached {
        was_recording: jprof.recording,
    })
}

/// Whether the agent starts to record with these options.
fn starts_a_recording(options: &str) -> bool {
    let first = options.split(',').next().unwrap_or_default();
    !ACTIONS_WITHOUT_A_START.contains(&first)
}

/// Waits until the recorder's thread is or is not there, as `wanted`; tells which it is.
fn wait_for_recording(
    target: &Target,
    wanted: bool,
    deadline: &Deadline,
) -> Result<bool, AttachError> {
    let limit = deadline.at_most(THREAD_LIMIT);
    loop {
        let recording = is_recording(&target.process);
        if recording == wanted || !limit.pause(LOOK_EVERY)? {
            return Ok(recording);
        }
    }
}

/// Has the JVM load `library`, which its loader knows by that name, and gives the agent's return code.
fn load(
    target: &Target,
    mut stream: UnixStream,
    library: &Path,
    options: &str,
    deadline: &Deadline,
) -> Result<i32, AttachError> {
    let pid = target.process.pid;
    let request = protocol::load_request(library, options)?;
    let start = deadline.at_most(START_LIMIT);
    loop {
        target.wait_until_started(deadline)?;
        let answer = converse(target, stream, &request, deadline)?;
        let refused = |reason: &str| AttachError::NotLoaded {
            pid,
            library: library.to_owned(),
            reason: reason.to_owned(),
        };
        match Reply::parse(&answer) {
            Reply::Returned(code) => return Ok(code),
            Reply::LoadingDisabled => return Err(AttachError::LoadingDisabled { pid }),
            Reply::TooEarly if start.pause(LOOK_EVERY)? => {}
            Reply::TooEarly => return Err(refused("it has not started yet")),
            Reply::Refused(reason) => return Err(refused(&reason)),
            Reply::Silence => {
                // Its end closes the connection too.
                target.process.status()?;
                return Err(AttachError::NoWord { pid });
            }
            Reply::Unknown(answer) => return Err(AttachError::Answer { pid, answer }),
        }
        stream = listener::connect(target, deadline)?;
    }
}

/// Sends the request, and reads until the JVM closes the connection.
fn converse(
    target: &Target,
    mut stream: UnixStream,
    request: &[u8],
    deadline: &Deadline,
) -> Result<Vec<u8>, AttachError> {
    let failed = |error| system("talk to the JVM's attach socket".to_owned(), error);
    // A request is far smaller than a socket's buffer.
    let step = Some(Deadline::LONGEST_SLEEP);
    stream.set_write_timeout(step).map_err(failed)?;
    stream.set_read_timeout(step).map_err(failed)?;
    match stream.write_all(request) {
        Ok(()) => {}
        Err(error) if is_closed(&error) => return Ok(Vec::new()),
        Err(error) => return Err(failed(error)),
    }
    let mut answer = Vec::new();
    let mut part = [0; 4096];
    loop {
        match stream.read(&mut part) {
            Ok(0) => return Ok(answer),
            Ok(bytes) => answer.extend_from_slice(&part[..bytes]),
            Err(error) if is_closed(&error) => return Ok(answer),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(error) => return Err(failed(error)),
        }
        if answer.len() > LONGEST_ANSWER_BYTES {
            return Ok(answer);
        }
        if !deadline.pause(Duration::ZERO)? {
            return Err(AttachError::NoAnswer {
                pid: target.process.pid,
                timeout: deadline.timeout(),
            });
        }
    }
}

fn is_closed(error: &std::io::Error) -> bool {
    let kind = error.kind();
    matches!(kind, ErrorKind::BrokenPipe | ErrorKind::ConnectionReset)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn option_strings_that_start_a_recording() {
        for (options, starts) in [
            ("", true),
            ("service=shop", true),
            ("start,event=cpu", true),
            ("stop", false),
            ("stop,file=x.jfr", false),
            ("status", false),
            ("stop=x", true),
        ] {
            assert_eq!(starts_a_recording(options), starts, "{options}");
        }
    }

    #[test]
    fn a_library_that_is_none_is_told_before_any_process_is_looked_at() {
        let attached = attach(
            0,
            "/dev/null".as_ref(),
            "",
            &Deadline::after(Duration::ZERO),
        );
        assert!(
            matches!(attached, Err(AttachError::Library { .. })),
            "{attached:?}"
        );
    }
}
