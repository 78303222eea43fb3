//! A process by its folder in `/proc`, which stays its own when the id goes to another process.

use std::io;
use std::os::fd::OwnedFd;
use std::path::PathBuf;

use rustix::fs::{self, FlockOperation, Mode, OFlags};
use rustix::io::Errno;
use rustix::process::{Pid, Signal, kill_process, pidfd_send_signal, test_kill_process};

use crate::AttachError;
use crate::maps::Maps;
use crate::root::{self, Root};
use crate::status::Status;
use crate::users::Users;

/// A process that was there when it was opened.
#[derive(Debug)]
pub(crate) struct Process {
    pub(crate) pid: u32,
    folder: OwnedFd,
}

impl Process {
    /// # Errors
    /// [`AttachError::NoSuchProcess`], [`AttachError::Thread`], [`AttachError::Ended`].
    pub(crate) fn open(pid: u32) -> Result<Process, AttachError> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let folder = match fs::open(format!("/proc/{pid}"), flags, Mode::empty()) {
            Ok(folder) => folder,
            // /proc is mounted with hidepid.
            Err(Errno::NOENT) if exists(pid) => return Err(forbidden(pid, None)),
            Err(Errno::NOENT | Errno::SRCH) => return Err(AttachError::NoSuchProcess { pid }),
            Err(error) => return Err(system(format!("open /proc/{pid}"), error)),
        };
        let process = Process { pid, folder };
        let status = process.status()?;
        if status.process != pid {
            let process = status.process;
            return Err(AttachError::Thread { pid, process });
        }
        Ok(process)
    }

    /// A file of its folder, whole.
    ///
    /// # Errors
    /// [`AttachError::Ended`]; [`AttachError::Forbidden`] where its user's or root's rights are needed.
    pub(crate) fn read(&self, name: &str) -> Result<Vec<u8>, AttachError> {
        let flags = OFlags::RDONLY | OFlags::CLOEXEC;
        let file = fs::openat(&self.folder, name, flags, Mode::empty());
        let file = file.map_err(|error| self.explain(name, error))?;
        let mut bytes = Vec::new();
        io::Read::read_to_end(&mut std::fs::File::from(file), &mut bytes).map_err(|error| {
            match Errno::from_io_error(&error) {
                Some(error) => self.explain(name, error),
                None => system(format!("read /proc/{}/{name}", self.pid), error),
            }
        })?;
        Ok(bytes)
    }

    pub(crate) fn text(&self, name: &str) -> Result<String, AttachError> {
        Ok(String::from_utf8_lossy(&self.read(name)?).into_owned())
    }

    /// # Errors
    /// As [`Process::read`]; [`AttachError::Ended`] of a zombie too.
    pub(crate) fn status(&self) -> Result<Status, AttachError> {
        let status = Status::parse(&self.text("status")?).ok_or_else(|| {
            let error = io::Error::from(io::ErrorKind::InvalidData);
            system(format!("understand /proc/{}/status", self.pid), error)
        })?;
        if status.is_dead() {
            return Err(AttachError::Ended { pid: self.pid });
        }
        Ok(status)
    }

    pub(crate) fn maps(&self) -> Result<Maps, AttachError> {
        Ok(Maps::parse(&self.read("maps")?))
    }

    pub(crate) fn root(&self) -> Result<Root, AttachError> {
        Root::open(&self.folder).map_err(|error| self.explain("root", error))
    }

    pub(crate) fn working_directory(&self) -> Result<OwnedFd, AttachError> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        fs::openat(&self.folder, "cwd", flags, Mode::empty())
            .map_err(|error| self.explain("cwd", error))
    }

    pub(crate) fn link(&self, name: &str) -> Result<PathBuf, AttachError> {
        root::read_link(&self.folder, name).map_err(|error| self.explain(name, error))
    }

    /// The names of its threads, as far as they can be told.
    pub(crate) fn thread_names(&self) -> Vec<String> {
        let Ok(threads) = std::fs::read_dir(format!("/proc/{}/task", self.pid)) else {
            return Vec::new();
        };
        threads
            .flatten()
            .filter_map(|thread| std::fs::read_to_string(thread.path().join("comm")).ok())
            .map(|name| name.trim_end().to_owned())
            .collect()
    }

    /// Sends SIGQUIT to this process and no other that has its id now.
    pub(crate) fn send_sigquit(&self) -> Result<(), AttachError> {
        let sent = match pidfd_send_signal(&self.folder, Signal::QUIT) {
            // Before Linux 5.1, or under a seccomp filter that does not know the call.
            Err(Errno::NOSYS | Errno::PERM) => kill_process(self.as_pid()?, Signal::QUIT),
            other => other,
        };
        sent.map_err(|error| self.explain("(SIGQUIT)", error))
    }

    fn as_pid(&self) -> Result<Pid, AttachError> {
        as_pid(self.pid).ok_or(AttachError::NoSuchProcess { pid: self.pid })
    }

    /// Keeps other jprofs away until the process's folder is closed. `false`: another one is there first.
    ///
    /// Of two that attach at once, the later one's SIGQUIT would make the JVM print a thread dump.
    pub(crate) fn try_lock(&self) -> bool {
        match fs::flock(&self.folder, FlockOperation::NonBlockingLockExclusive) {
            // Where /proc knows no locks, there is no way to know of another.
            Ok(()) => true,
            Err(error) => error != Errno::WOULDBLOCK,
        }
    }

    /// What an error of the system means here.
    pub(crate) fn explain(&self, name: &str, error: Errno) -> AttachError {
        let pid = self.pid;
        match error {
            Errno::NOENT | Errno::SRCH => AttachError::Ended { pid },
            Errno::ACCESS | Errno::PERM => {
                forbidden(pid, self.status().ok().map(|status| status.effective_uid))
            }
            error => system(format!("use /proc/{pid}/{name}"), error),
        }
    }
}

fn as_pid(pid: u32) -> Option<Pid> {
    Pid::from_raw(i32::try_from(pid).ok()?)
}

fn exists(pid: u32) -> bool {
    as_pid(pid).is_some_and(|pid| test_kill_process(pid) != Err(Errno::SRCH))
}

pub(crate) fn forbidden(pid: u32, uid: Option<u32>) -> AttachError {
    AttachError::Forbidden {
        pid,
        user: uid.map_or_else(
            || "another user".to_owned(),
            |uid| format!("user {}", Users::load().name(uid)),
        ),
    }
}

pub(crate) fn system(what: String, error: impl Into<io::Error>) -> AttachError {
    AttachError::System {
        what,
        source: error.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::{Command, Stdio};

    fn sleeper() -> std::process::Child {
        // A shell's background job ignores SIGQUIT, and so does what it starts.
        let mut command = Command::new("env");
        command.args(["--default-signal=QUIT", "sleep", "60"]);
        command.stdin(Stdio::null());
        command.spawn().expect("a process")
    }

    #[test]
    fn a_process_that_ends_is_no_other() {
        let mut child = sleeper();
        let process = Process::open(child.id()).expect("it runs");
        assert_eq!(process.status().expect("it runs").process, child.id());
        process.send_sigquit().expect("it runs");
        child.wait().expect("a child");
        assert!(matches!(process.status(), Err(AttachError::Ended { .. })));
        assert!(matches!(
            process.send_sigquit(),
            Err(AttachError::Ended { .. })
        ));
        let again = Process::open(child.id());
        assert!(
            matches!(again, Err(AttachError::NoSuchProcess { .. })),
            "{again:?}"
        );
    }

    #[test]
    fn a_thread_is_no_process() {
        let opened = std::thread::spawn(|| {
            let tid = rustix::thread::gettid().as_raw_nonzero().get();
            Process::open(tid.cast_unsigned()).map(|process| process.pid)
        });
        let opened = opened.join().expect("no panic");
        let own = std::process::id();
        assert!(
            matches!(opened, Err(AttachError::Thread { process, .. }) if process == own),
            "{opened:?}"
        );
    }

    #[test]
    fn one_jprof_at_a_time() {
        let mut child = sleeper();
        let (one, two) = (Process::open(child.id()), Process::open(child.id()));
        let (one, two) = (one.expect("it runs"), two.expect("it runs"));
        assert!(one.try_lock());
        assert!(!two.try_lock());
        drop(one);
        assert!(two.try_lock());
        child.kill().expect("a child");
        child.wait().expect("a child");
    }

    #[test]
    fn threads_have_names() {
        let thread = std::thread::Builder::new().name("jprof test".to_owned());
        let (told, stay) = std::sync::mpsc::channel::<()>();
        let thread = thread.spawn(move || stay.recv()).expect("a thread");
        let process = Process::open(std::process::id()).expect("ourselves");
        // The thread names itself a little after it began.
        while !process.thread_names().contains(&"jprof test".to_owned()) {
            std::thread::yield_now();
        }
        drop(told);
        thread
            .join()
            .expect("no panic")
            .expect_err("nothing was sent");
    }
}
