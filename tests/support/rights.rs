//! What a program finds when it starts: system calls that are refused, a timer that is set.
//!
//! # Safety
//! Between fork and exec only plain system calls are made, with arguments that were made before.
#![allow(unsafe_code)]

use std::io;
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::ptr;

use perf_event::Builder;
use perf_event::events::Hardware;

/// A system call that a program may be refused, as a container's seccomp filter does.
#[derive(Clone, Copy, Debug)]
pub(crate) enum SystemCall {
    PerfEventOpen,
    TimerCreate,
}

impl SystemCall {
    pub(super) fn number(self) -> libc::c_long {
        match self {
            SystemCall::PerfEventOpen => libc::SYS_perf_event_open,
            SystemCall::TimerCreate => libc::SYS_timer_create,
        }
    }
}

/// Sets the profiling timer of the command's program, to an hour of its CPU time: exec keeps it.
pub(super) fn set_profiling_timer(command: &mut Command) {
    const ITIMER_PROF: libc::c_int = 2;
    let hour = libc::timeval {
        tv_sec: 3_600,
        tv_usec: 0,
    };
    let set = move || {
        let value = libc::itimerval {
            it_interval: hour,
            it_value: hour,
        };
        // SAFETY: setitimer(2) reads the value and is asked for no old one.
        let result = unsafe {
            libc::syscall(
                libc::SYS_setitimer,
                ITIMER_PROF,
                &raw const value,
                ptr::null_mut::<libc::itimerval>(),
            )
        };
        check(result as libc::c_int)
    };
    // SAFETY: the closure allocates nothing.
    unsafe { command.pre_exec(set) };
}

/// Whether the processor counts its cycles for perf events.
pub(crate) fn has_cycles() -> bool {
    Builder::new().kind(Hardware::CPU_CYCLES).build().is_ok()
}

fn check(result: libc::c_int) -> io::Result<()> {
    if result == -1 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}
