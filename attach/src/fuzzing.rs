//! What `fuzz/` calls of the parsers that are not public. Each takes any bytes, and asserts what holds of every answer.

use std::io;

use crate::cgroup::looks_frozen;
use crate::command_line::{self, CommandLine, Flags};
use crate::jvm::version_in;
use crate::maps::Maps;
use crate::mounts;
use crate::perf_data::PerfData;
use crate::protocol::Reply;
use crate::status::Status;
use crate::users::Users;

/// The file of a JVM's performance counters.
pub fn perf_data(bytes: &[u8]) {
    let found = PerfData::parse(bytes);
    for text in [&found.java_command, &found.java_version]
        .into_iter()
        .flatten()
    {
        assert!(!text.contains('\0'));
        command_line::name_of_command(text);
    }
}

/// A JVM's answer to a request.
pub fn reply(bytes: &[u8]) {
    match Reply::parse(bytes) {
        Reply::Refused(text) => assert!(!text.contains('\n')),
        Reply::Unknown(text) => assert!(text.chars().count() <= 200),
        _ => {}
    }
}

/// Files of `/proc/PID`, `/etc/passwd`, and the JDK's `release`.
pub fn files(bytes: &[u8]) {
    let maps = Maps::parse(bytes);
    for path in [maps.libjvm, maps.libjprof, maps.perf_data]
        .into_iter()
        .flatten()
    {
        assert!(path.is_absolute() && path.file_name().is_some());
    }
    let points = mounts::parse(bytes);
    assert!(points.len() <= bytes.len());
    let text = &*String::from_utf8_lossy(bytes);
    looks_frozen(text, &|path| {
        assert!(path.starts_with("/sys/fs/cgroup"));
        Ok(text.to_owned())
    });
    looks_frozen(text, &|_| Err(io::ErrorKind::NotFound.into()));
    if let Some(status) = Status::parse(text) {
        assert!(!(status.is_stopped() && status.is_dead()));
    }
    Users::parse(text).name(0);
    version_in(text);
}

/// `/proc/PID/cmdline`, and the same as `/proc/PID/environ`.
pub fn command_line(bytes: &[u8]) {
    let words = command_line::words(bytes);
    let line = CommandLine::parse(&words);
    if let Some(name) = line.name() {
        assert!(!name.contains('/') || words.iter().any(|word| word.contains(&name)));
    }
    Flags::of(&line, &words);
}
