//! `/proc/PID/status` (proc_pid_status(5)).

/// SIGQUIT's number on Linux on x86 and ARM; its bit is one less.
const SIGQUIT: u32 = 3;

/// What a process is and how it does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Status {
    /// What the kernel calls it, at most 15 bytes.
    pub(crate) name: String,
    /// The state's letter.
    pub(crate) state: char,
    /// The process's id: another than the one asked for if that is a thread's.
    pub(crate) process: u32,
    /// The id in the innermost pid namespace, which is what the JVM calls itself.
    pub(crate) innermost_pid: u32,
    pub(crate) effective_uid: u32,
    pub(crate) effective_gid: u32,
    /// Whether it has a handler for SIGQUIT.
    pub(crate) catches_sigquit: bool,
    /// Whether a SIGQUIT waits for it to run.
    pub(crate) sigquit_waits: bool,
}

impl Status {
    /// Reads the file's text; `None` if something that Linux 3.8 and newer write is missing.
    pub(crate) fn parse(text: &str) -> Option<Status> {
        let field = |name: &str| {
            let mut lines = text.lines();
            lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(':').map(str::trim))
        };
        // Real, effective, saved and file system's.
        let effective = |name| field(name)?.split_whitespace().nth(1)?.parse().ok();
        let has_sigquit = |name| {
            let mask = u64::from_str_radix(field(name)?, 16).ok()?;
            Some(mask >> (SIGQUIT - 1) & 1 == 1)
        };
        let process = field("Tgid")?.parse().ok()?;
        // Linux 4.1 and newer write it; without, there is no telling a namespace.
        let innermost = field("NSpid").and_then(|ids| ids.split_whitespace().next_back());
        Some(Status {
            name: field("Name")?.to_owned(),
            state: field("State")?.chars().next()?,
            process,
            innermost_pid: match innermost {
                Some(pid) => pid.parse().ok()?,
                None => process,
            },
            effective_uid: effective("Uid")?,
            effective_gid: effective("Gid")?,
            catches_sigquit: has_sigquit("SigCgt")?,
            sigquit_waits: has_sigquit("ShdPnd")?,
        })
    }

    /// Stopped by a signal, or by a debugger.
    pub(crate) fn is_stopped(&self) -> bool {
        matches!(self.state, 'T' | 't')
    }

    /// Dead, but for its parent's notice.
    pub(crate) fn is_dead(&self) -> bool {
        matches!(self.state, 'Z' | 'X' | 'x')
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const JVM: &str = "\
Name:\tjava
Umask:\t0022
State:\tS (sleeping)
Tgid:\t4242
Ngid:\t0
Pid:\t4242
PPid:\t1
TracerPid:\t0
Uid:\t1000\t65534\t1000\t1000
Gid:\t1000\t65533\t1000\t1000
Groups:\t
NStgid:\t4242\t17\t1
NSpid:\t4242\t17\t1
SigQ:\t0/95970
SigPnd:\t0000000000000000
ShdPnd:\t0000000000000000
SigBlk:\t0000000000000000
SigIgn:\t0000000000000001
SigCgt:\t2000000181005ccf
";

    #[test]
    fn a_jvm_in_two_namespaces() {
        let status = Status::parse(JVM).expect("all fields");
        let expected = Status {
            name: "java".to_owned(),
            state: 'S',
            process: 4242,
            innermost_pid: 1,
            effective_uid: 65_534,
            effective_gid: 65_533,
            catches_sigquit: true,
            sigquit_waits: false,
        };
        assert_eq!(status, expected);
        assert!(!status.is_stopped() && !status.is_dead());
    }

    #[test]
    fn a_handler_for_other_signals_only() {
        let text = JVM.replace("2000000181005ccf", "fffffffffffffffb");
        let status = Status::parse(&text).expect("all fields");
        assert!(!status.catches_sigquit);
    }

    #[test]
    fn a_signal_that_waits() {
        let text = JVM.replace("ShdPnd:\t0000000000000000", "ShdPnd:\t0000000000000004");
        assert!(Status::parse(&text).expect("all fields").sigquit_waits);
    }

    #[test]
    fn an_old_kernel_tells_no_namespaces() {
        let text = JVM.replace("NSpid:\t4242\t17\t1\n", "");
        let status = Status::parse(&text).expect("all fields");
        assert_eq!(status.innermost_pid, 4242);
    }

    #[test]
    fn stopped_traced_and_dead() {
        for (letters, stopped, dead) in [
            ("T (stopped)", true, false),
            ("t (tracing stop)", true, false),
            ("Z (zombie)", false, true),
        ] {
            let status = Status::parse(&JVM.replace("S (sleeping)", letters));
            let status = status.expect("all fields");
            assert_eq!((status.is_stopped(), status.is_dead()), (stopped, dead));
        }
    }

    #[test]
    fn a_text_without_a_field_is_none() {
        for field in ["Name", "State", "Tgid", "Uid", "Gid", "SigCgt", "ShdPnd"] {
            let text = JVM.replace(&format!("\n{field}:"), "\nOther:");
            let text = text.strip_prefix(&format!("{field}:")).unwrap_or(&text);
            assert_eq!(Status::parse(text), None, "{field}");
        }
        assert_eq!(Status::parse(""), None);
    }
}
