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
    fn number(self) -> u32 {
        let number = match self {
            SystemCall::PerfEventOpen => libc::SYS_perf_event_open,
            SystemCall::TimerCreate => libc::SYS_timer_create,
        };
        u32::try_from(number).expect("a small number")
    }
}

/// Lets the command's program get EPERM for these calls.
pub(super) fn refuse(command: &mut Command, calls: &[SystemCall]) {
    const LOAD_NUMBER: u16 = (libc::BPF_LD | libc::BPF_W | libc::BPF_ABS) as u16;
    const JUMP_IF_EQUAL: u16 = (libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K) as u16;
    const RETURN: u16 = (libc::BPF_RET | libc::BPF_K) as u16;
    let statement = |code, k| libc::sock_filter {
        code,
        jt: 0,
        jf: 0,
        k,
    };
    // `seccomp_data` begins with the call's number.
    let mut filter = vec![statement(LOAD_NUMBER, 0)];
    for call in calls {
        filter.push(libc::sock_filter {
            code: JUMP_IF_EQUAL,
            jt: 0,
            jf: 1,
            k: call.number(),
        });
        filter.push(statement(
            RETURN,
            libc::SECCOMP_RET_ERRNO | libc::EPERM as u32,
        ));
    }
    filter.push(statement(RETURN, libc::SECCOMP_RET_ALLOW));
    let set_filter = move || {
        let program = libc::sock_fprog {
            len: filter.len() as u16,
            filter: filter.as_ptr().cast_mut(),
        };
        // SAFETY: prctl(2) reads the program, which lives until it returns.
        unsafe {
            check(libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))?;
            check(libc::prctl(
                libc::PR_SET_SECCOMP,
                libc::SECCOMP_MODE_FILTER,
                &raw const program,
            ))
        }
    };
    // SAFETY: the closure allocates nothing.
    unsafe { command.pre_exec(set_filter) };
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
