//! `/proc/PID/maps` (proc_pid_maps(5)): which files a process has mapped.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// The mappings that matter here. The paths are those under which the *reader's* kernel knows the files, which are the
/// target's own where its root is the root of its mount namespace.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Maps {
    /// HotSpot.
    pub(crate) libjvm: Option<PathBuf>,
    /// The agent, or the copy of it that was put into the target.
    pub(crate) libjprof: Option<PathBuf>,
    /// The JVM's performance counters.
    pub(crate) perf_data: Option<PathBuf>,
    /// Whether the C library is musl.
    pub(crate) musl: bool,
}

/// What the name of a copy begins and ends with; see [`copy_name`].
const COPY: (&str, &str) = (".libjprof-", ".so");

/// The name of a copy of the library, told from others by `unique`.
pub(crate) fn copy_name(unique: &str) -> String {
    format!("{}{unique}{}", COPY.0, COPY.1)
}

impl Maps {
    pub(crate) fn parse(text: &[u8]) -> Maps {
        let mut maps = Maps::default();
        for path in text.split(|&byte| byte == b'\n').filter_map(path_of) {
            let name = path.file_name().unwrap_or_default();
            let name = name.to_str().unwrap_or_default();
            match name {
                "libjvm.so" => maps.libjvm = Some(path),
                _ if is_agent(name) => maps.libjprof = Some(path),
                _ if name.starts_with("ld-musl-") => maps.musl = true,
                _ if is_perf_data(&path) => maps.perf_data = Some(path),
                _ => {}
            }
        }
        maps
    }
}

fn is_agent(name: &str) -> bool {
    name == "libjprof.so" || (name.starts_with(COPY.0) && name.ends_with(COPY.1))
}

/// `/tmp/hsperfdata_USER/PID`.
fn is_perf_data(path: &Path) -> bool {
    let folder = path.parent().and_then(Path::file_name);
    let folder = folder.and_then(OsStr::to_str).unwrap_or_default();
    folder.starts_with("hsperfdata_")
}

/// The path at the end of a line, if it is a file's: absolute, without the note that the file is deleted.
fn path_of(line: &[u8]) -> Option<PathBuf> {
    let start = line.iter().position(|&byte| byte == b'/')?;
    let path = &line[start..];
    let path = path.strip_suffix(b" (deleted)").unwrap_or(path);
    // The kernel writes a line's end in a path as an octal escape, and nothing else.
    let mut bytes = Vec::with_capacity(path.len());
    let mut rest = path;
    while let Some((&first, after)) = rest.split_first() {
        let (byte, after) = match rest.strip_prefix(br"\012") {
            Some(after) => (b'\n', after),
            None => (first, after),
        };
        bytes.push(byte);
        rest = after;
    }
    Some(PathBuf::from(OsStr::from_bytes(&bytes)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const JVM: &str = "\
55d0c0a00000-55d0c0a01000 r--p 00000000 fe:00 123   /usr/lib/jvm/java-17/bin/java
7f0000000000-7f0000001000 rw-s 00000000 fe:00 9     /tmp/hsperfdata_nobody/17
7f1000000000-7f1001000000 r-xp 00000000 fe:00 124   /usr/lib/jvm/java-17/lib/server/libjvm.so
7f2000000000-7f2000001000 rw-p 00000000 00:00 0 
7ffd00000000-7ffd00001000 rw-p 00000000 00:00 0     [stack]
";

    fn path(text: &str) -> Option<PathBuf> {
        Some(PathBuf::from(text))
    }

    #[test]
    fn a_jvm_without_the_agent() {
        let expected = Maps {
            libjvm: path("/usr/lib/jvm/java-17/lib/server/libjvm.so"),
            libjprof: None,
            perf_data: path("/tmp/hsperfdata_nobody/17"),
            musl: false,
        };
        assert_eq!(Maps::parse(JVM.as_bytes()), expected);
    }

    #[test]
    fn the_agent_and_its_copies() {
        for (line, found) in [
            (
                "/opt/my tools/libjprof.so",
                Some("/opt/my tools/libjprof.so"),
            ),
            ("/opt/libjprof.so (deleted)", Some("/opt/libjprof.so")),
            (
                "/tmp/.libjprof-a1.so (deleted)",
                Some("/tmp/.libjprof-a1.so"),
            ),
            ("/a\\012b/libjprof.so", Some("/a\nb/libjprof.so")),
            ("/a\\011b/libjprof.so", Some("/a\\011b/libjprof.so")),
            ("/opt/libjprof.so.old", None),
            ("/opt/mylibjprof.so", None),
            ("/opt/libjprof.so/other", None),
        ] {
            let text = format!("{JVM}7f3000000000-7f3000001000 r-xp 00000000 fe:00 7 {line}\n");
            assert_eq!(
                Maps::parse(text.as_bytes()).libjprof,
                found.map(PathBuf::from),
                "{line}"
            );
        }
    }

    #[test]
    fn a_copy_is_known_by_its_name() {
        assert!(is_agent(&copy_name("0a1b")));
    }

    #[test]
    fn musl_and_nothing() {
        let text = "7f00-7f01 r-xp 00000000 fe:00 7 /lib/ld-musl-x86_64.so.1\n";
        assert!(Maps::parse(text.as_bytes()).musl);
        assert_eq!(Maps::parse(b""), Maps::default());
    }
}
