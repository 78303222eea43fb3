//! Becoming a target's user, in one thread only.

use std::thread;

use rustix::process::{getegid, geteuid};
use rustix::thread::{set_thread_groups, set_thread_res_gid, set_thread_res_uid};

use rustix::fs::{Gid, Uid};

/// A process's effective user and group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Identity {
    pub(crate) uid: u32,
    pub(crate) gid: u32,
}

impl Identity {
    /// Runs `body` as this user, with this group and no other, as far as the system lets us: what is created belongs to
    /// the user, nothing is opened that the user could not open, and a JVM of version 8 takes the connection for one of
    /// its own user's.
    ///
    /// The identity is that of a thread of its own, which ends with `body`: the rest of the process keeps its own.
    pub(crate) fn run<T: Send>(self, body: impl FnOnce() -> T + Send) -> T {
        thread::scope(|scope| {
            let thread = scope.spawn(move || {
                self.assume();
                body()
            });
            match thread.join() {
                Ok(result) => result,
                Err(panic) => std::panic::resume_unwind(panic),
            }
        })
    }

    /// Each refusal leaves the thread what it was. Then the rights that it has decide, as in a container whose root may
    /// not change users, or for a user whose JVM runs with another of the user's groups.
    fn assume(self) {
        let (uid, gid) = (Uid::from_raw(self.uid), Gid::from_raw(self.gid));
        if (geteuid(), getegid()) == (uid, gid) {
            return;
        }
        if geteuid() != uid {
            // Root's groups must not open doors for it.
            let _ = set_thread_groups(&[]);
        }
        let _ = set_thread_res_gid(None, gid, None);
        let _ = set_thread_res_uid(None, uid, None);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_thread_becomes_another() {
        let own = (geteuid(), getegid());
        let inside = Identity {
            uid: 65_534,
            gid: 65_533,
        }
        .run(|| (geteuid(), getegid()));
        let expected = if own.0.is_root() {
            (Uid::from_raw(65_534), Gid::from_raw(65_533))
        } else {
            own
        };
        assert_eq!(inside, expected);
        assert_eq!((geteuid(), getegid()), own);
    }
}
