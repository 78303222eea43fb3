//! Makes the JVM listen, and connects: the trigger file, SIGQUIT, the socket.

use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use rustix::fs::{self, AtFlags, FileType, Mode, OFlags};
use rustix::io::Errno;
use rustix::net::{self, AddressFamily, SocketAddrUnix, SocketFlags, SocketType, sockopt};

use crate::process::{forbidden, system};
use crate::root::path_by_descriptor;
use crate::target::{LOOK_EVERY, START_LIMIT, Target};
use crate::{AttachError, Deadline};

/// How long another tool's trigger file is waited for before it counts as left over.
const OTHERS_LIMIT: Duration = Duration::from_secs(1);

/// Connects to the JVM's attach socket, which the JVM is made to open if it has none. To be called with the target's
/// identity.
pub(crate) fn connect(target: &Target, deadline: &Deadline) -> Result<UnixStream, AttachError> {
    let flags = OFlags::PATH | OFlags::DIRECTORY;
    let temporary = target.root.open_at("/tmp".as_ref(), flags);
    let temporary = temporary.map_err(|error| system("open the JVM's /tmp".to_owned(), error))?;
    let listener = Listener { target, temporary };
    if let Some(stream) = listener.wait_until_ready(deadline)? {
        return Ok(stream);
    }
    if target.is_disabled() {
        return Err(AttachError::Disabled {
            pid: target.process.pid,
        });
    }
    let _trigger = listener.trigger(deadline)?;
    // Sent to a process that is stopped, the signal would wait there, and print a thread dump later.
    target.check_runs()?;
    if let Found::Stream(stream) = listener.find()? {
        return Ok(stream);
    }
    target.process.send_sigquit()?;
    listener.wait_for_socket(deadline)
}

/// The JVM's side, as far as it is files.
struct Listener<'t> {
    target: &'t Target,
    /// Its `/tmp`: HotSpot on Linux looks at no variable for it.
    temporary: OwnedFd,
}

/// What is in the socket's place.
enum Found {
    /// Nothing, or what a JVM that is gone has left.
    Nothing,
    /// Something that is not this JVM's.
    Foreign,
    /// The JVM's socket, which takes no more connections now.
    Busy,
    Stream(UnixStream),
}

impl Listener<'_> {
    /// Waits until SIGQUIT may be sent, or there is a connection without it.
    fn wait_until_ready(&self, deadline: &Deadline) -> Result<Option<UnixStream>, AttachError> {
        let start = deadline.at_most(START_LIMIT);
        let reduced_signals = self.target.flags.reduced_signals;
        loop {
            match self.find()? {
                Found::Stream(stream) => return Ok(Some(stream)),
                Found::Busy => {
                    if !deadline.pause(LOOK_EVERY)? {
                        return Err(self.no_listener(deadline, BUSY));
                    }
                    continue;
                }
                Found::Nothing | Found::Foreign => {}
            }
            let status = self.target.check_runs()?;
            // With -Xrs, a handler is the application's.
            if status.catches_sigquit && !reduced_signals {
                return Ok(None);
            }
            if !start.pause(LOOK_EVERY)? {
                return Err(AttachError::NotReady {
                    pid: self.target.process.pid,
                    reduced_signals,
                });
            }
        }
    }

    fn wait_for_socket(&self, deadline: &Deadline) -> Result<UnixStream, AttachError> {
        loop {
            let found = self.find()?;
            if let Found::Stream(stream) = found {
                return Ok(stream);
            }
            let status = self.target.process.status()?;
            if !deadline.pause(LOOK_EVERY)? {
                let reason = match found {
                    Found::Busy => BUSY,
                    Found::Foreign => FOREIGN,
                    _ if status.sigquit_waits || status.is_stopped() => STANDS_STILL,
                    _ => SILENT,
                };
                return Err(self.no_listener(deadline, reason));
            }
        }
    }

    fn no_listener(&self, deadline: &Deadline, reason: &'static str) -> AttachError {
        AttachError::NoListener {
            pid: self.target.process.pid,
            timeout: deadline.timeout(),
            reason,
        }
    }

    fn find(&self) -> Result<Found, AttachError> {
        let name = format!(".java_pid{}", self.target.own_pid);
        let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let file = match fs::openat(&self.temporary, name, flags, Mode::empty()) {
            Ok(file) => file,
            Err(Errno::NOENT) => return Ok(Found::Nothing),
            Err(error) => return Err(system("open the JVM's attach socket".to_owned(), error)),
        };
        let stat = fs::fstat(&file).map_err(|error| self.failed(error))?;
        let is_socket = FileType::from_raw_mode(stat.st_mode) == FileType::Socket;
        if !is_socket || stat.st_uid != self.target.identity.uid {
            return Ok(Found::Foreign);
        }
        // By its descriptor it is the very file that was looked at.
        let address = SocketAddrUnix::new(path_by_descriptor(file.as_fd()));
        let address = address.map_err(|error| self.failed(error))?;
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let socket = net::socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None);
        let socket = socket.map_err(|error| self.failed(error))?;
        match net::connect(&socket, &address) {
            Ok(()) => {}
            Err(Errno::CONNREFUSED | Errno::NOENT) => return Ok(Found::Nothing),
            Err(Errno::AGAIN) => return Ok(Found::Busy),
            Err(Errno::ACCESS | Errno::PERM) => {
                let uid = Some(self.target.identity.uid);
                return Err(forbidden(self.target.process.pid, uid));
            }
            Err(error) => return Err(self.failed(error)),
        }
        // The one who called listen(2).
        let peer = sockopt::socket_peercred(&socket).map_err(|error| self.failed(error))?;
        if peer.pid.as_raw_pid().cast_unsigned() != self.target.process.pid {
            return Ok(Found::Foreign);
        }
        let stream = UnixStream::from(socket);
        let blocking = stream.set_nonblocking(false);
        blocking.map_err(|error| system("use the JVM's attach socket".to_owned(), error))?;
        Ok(Found::Stream(stream))
    }

    fn failed(&self, error: Errno) -> AttachError {
        system(
            format!(
                "connect to the attach socket of {}",
                self.target.process.pid
            ),
            error,
        )
    }

    /// Puts the file into the JVM's reach that tells it from SIGQUIT's usual purpose, a thread dump.
    fn trigger(&self, deadline: &Deadline) -> Result<Trigger<'_>, AttachError> {
        let name = format!(".attach_pid{}", self.target.own_pid);
        // The JVM looks into its working directory first; we write there last, for it may be anybody's.
        let working_directory = &self.target.working_directory;
        let patience = deadline.at_most(OTHERS_LIMIT);
        loop {
            let owners = [working_directory, &self.temporary].map(|folder| owner(folder, &name));
            if let [Some(uid), _] = owners
                && !self.is_good(uid)
            {
                return Err(AttachError::ForeignTrigger {
                    pid: self.target.process.pid,
                    name,
                });
            }
            if !owners.into_iter().flatten().any(|uid| self.is_good(uid)) {
                break;
            }
            // Another tool attaches, and will be done soon; or has left its file, which does as well as ours.
            if !patience.pause(LOOK_EVERY)? {
                return Ok(Trigger::Found);
            }
        }
        let mut refusal = Errno::EXIST;
        for folder in [&self.temporary, working_directory] {
            let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW;
            let mode = Mode::RUSR | Mode::WUSR;
            match fs::openat(folder, &name, flags | OFlags::CLOEXEC, mode) {
                Ok(_) => return Ok(Trigger::Made { folder, name }),
                Err(error) => refusal = error,
            }
        }
        let what = format!("create {name} in the JVM's /tmp or working directory");
        Err(system(what, refusal))
    }

    /// HotSpot 8 takes the file if it is its own user's, later ones root's too.
    fn is_good(&self, owner: u32) -> bool {
        owner == self.target.identity.uid || owner == 0
    }
}

const BUSY: &str = "its socket takes no connection; is another tool attached to it?";
const FOREIGN: &str =
    "a file that is not the JVM's stands in the socket's place in its /tmp; remove it";
const STANDS_STILL: &str = "it stands still; once it goes on, it may print a thread dump";
const SILENT: &str = "it may be very busy; try again, or allow more with --timeout";

fn owner(folder: &OwnedFd, name: &str) -> Option<u32> {
    let stat = fs::statat(folder, name, AtFlags::SYMLINK_NOFOLLOW);
    stat.ok().map(|stat| stat.st_uid)
}

/// The file that makes the JVM listen. Ours is removed with this value.
enum Trigger<'l> {
    Made { folder: &'l OwnedFd, name: String },
    Found,
}

impl Drop for Trigger<'_> {
    fn drop(&mut self) {
        if let Trigger::Made { folder, name } = self {
            // Somebody may have been faster.
            let _ = fs::unlinkat(folder, name.as_str(), AtFlags::empty());
        }
    }
}
