//! Programs that may do less than others: refused system calls and small limits.
//!
//! # Safety
//! What runs in the child between fork and exec is signal(2), prctl(2) and setrlimit(2) with memory that was filled in
//! before.
#![allow(unsafe_code)]

use std::io;
use std::os::unix::process::CommandExt;
use std::process::Command;

/// System calls that fail, and limits on what a process may have.
#[derive(Clone, Debug, Default)]
pub(crate) struct Confinement {
    refusals: Vec<Refusal>,
    limits: Vec<(libc::__rlimit_resource_t, u64)>,
}

#[derive(Clone, Debug)]
struct Refusal {
    call: libc::c_long,
    /// Only with these values: argument, low word.
    arguments: Vec<(u32, u32)>,
    errno: i32,
}

/// Instructions of the filter, linux/filter.h.
const LOAD_WORD: u16 = (libc::BPF_LD | libc::BPF_W | libc::BPF_ABS) as u16;
const JUMP_IF_EQUAL: u16 = (libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K) as u16;
const RETURN: u16 = (libc::BPF_RET | libc::BPF_K) as u16;

/// Places in `struct seccomp_data`, linux/seccomp.h.
const CALL: u32 = 0;
const ARCHITECTURE: u32 = 4;
const ARGUMENTS: u32 = 16;
/// `AUDIT_ARCH_X86_64`, linux/audit.h.
const X86_64: u32 = 0xc000_003e;

impl Confinement {
    /// Fails a system call with this error.
    pub(crate) fn refuse(self, call: libc::c_long, errno: i32) -> Confinement {
        self.refuse_with(call, &[], errno)
    }

    /// Fails a system call that has these words as arguments, given by their numbers.
    pub(crate) fn refuse_with(
        mut self,
        call: libc::c_long,
        arguments: &[(u32, u32)],
        errno: i32,
    ) -> Confinement {
        self.refusals.push(Refusal {
            call,
            arguments: arguments.to_vec(),
            errno,
        });
        self
    }

    /// Sets both the soft and the hard limit.
    pub(crate) fn limit(mut self, resource: libc::__rlimit_resource_t, value: u64) -> Confinement {
        self.limits.push((resource, value));
        self
    }

    /// Has the program confined, and all that it starts.
    pub(crate) fn apply(self, command: &mut Command) {
        let filter = self.filter();
        let limits = self.limits;
        let confine = move || {
            // Tests may run where these are ignored, in the background of a shell; a JVM that inherits that leaves them alone.
            for signal in [libc::SIGHUP, libc::SIGINT, libc::SIGQUIT] {
                // SAFETY: the default action has no handler.
                unsafe { libc::signal(signal, libc::SIG_DFL) };
            }
            for &(resource, value) in &limits {
                let limit = libc::rlimit {
                    rlim_cur: value,
                    rlim_max: value,
                };
                // SAFETY: setrlimit reads the structure.
                check(unsafe { libc::setrlimit(resource, &raw const limit) })?;
            }
            if filter.len() == 1 {
                return Ok(());
            }
            let program = libc::sock_fprog {
                len: u16::try_from(filter.len()).map_err(io::Error::other)?,
                filter: filter.as_ptr().cast_mut(),
            };
            // SAFETY: the filter lives through the call, which copies it.
            unsafe {
                let (yes, no): (libc::c_ulong, libc::c_ulong) = (1, 0);
                check(libc::prctl(libc::PR_SET_NO_NEW_PRIVS, yes, no, no, no))?;
                let mode = libc::c_ulong::from(libc::SECCOMP_MODE_FILTER);
                check(libc::prctl(libc::PR_SET_SECCOMP, mode, &raw const program))
            }
        };
        // SAFETY: the closure allocates nothing and takes no lock: see the module.
        unsafe { command.pre_exec(confine) };
    }

    /// The filter. Without refusals it is one instruction.
    fn filter(&self) -> Vec<libc::sock_filter> {
        let allow = instruction(RETURN, libc::SECCOMP_RET_ALLOW);
        let mut filter = Vec::new();
        if !self.refusals.is_empty() {
            filter.push(instruction(LOAD_WORD, ARCHITECTURE));
            filter.push(unless_equal(X86_64, self.length() - 2));
        }
        for refusal in &self.refusals {
            let call = u32::try_from(refusal.call).expect("a number of a system call");
            let arguments = refusal.arguments.iter();
            let places = arguments.map(|&(number, value)| (ARGUMENTS + 8 * number, value));
            let mut rest = refusal.length();
            for (place, value) in std::iter::once((CALL, call)).chain(places) {
                filter.push(instruction(LOAD_WORD, place));
                rest -= 2;
                filter.push(unless_equal(value, rest));
            }
            let errno = u32::try_from(refusal.errno).expect("a number of an error");
            filter.push(instruction(RETURN, libc::SECCOMP_RET_ERRNO | errno));
        }
        filter.push(allow);
        filter
    }

    /// Instructions before the last one.
    fn length(&self) -> usize {
        2 + self.refusals.iter().map(Refusal::length).sum::<usize>()
    }
}

impl Refusal {
    fn length(&self) -> usize {
        2 + 2 * self.arguments.len() + 1
    }
}

fn instruction(code: u16, k: u32) -> libc::sock_filter {
    libc::sock_filter {
        code,
        jt: 0,
        jf: 0,
        k,
    }
}

/// Leaves out so many instructions unless the loaded word is this one.
fn unless_equal(value: u32, left_out: usize) -> libc::sock_filter {
    libc::sock_filter {
        jf: u8::try_from(left_out).expect("a short filter"),
        ..instruction(JUMP_IF_EQUAL, value)
    }
}

fn check(result: i32) -> io::Result<()> {
    if result == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}
