//! The signal of breakpoints in libjvm.
//!
//! # Safety
//! sigaction(2) and pthread_sigmask(3) with structures filled in here.
#![allow(unsafe_code)]

use std::io;
use std::mem;
use std::ptr;
use std::sync::atomic::{AtomicBool, Ordering};

use jprof_signal_safe::trap;

/// Breakpoints are, or have been, in the code.
static IN_USE: AtomicBool = AtomicBool::new(false);

/// Installs the handler of SIGTRAP. Like that of the ticks it stays for the life of the process: a thread may be on its way to
/// it when the breakpoints have been taken out.
///
/// # Errors
/// sigaction(2)'s.
pub(crate) fn install() -> io::Result<()> {
    super::signal::keep_library_loaded();
    IN_USE.store(true, Ordering::Release);
    let now = super::signal::current_of(libc::SIGTRAP)?;
    if is_ours(&now) {
        return Ok(());
    }
    put_before(&now)
}

/// Looks whether somebody has put another handler in since, and goes before it. Says whether somebody had.
pub(crate) fn renew() -> bool {
    IN_USE.load(Ordering::Acquire)
        && super::signal::current_of(libc::SIGTRAP)
            .is_ok_and(|now| !is_ours(&now) && put_before(&now).is_ok())
}

/// Lets the calling thread get the signal, once there are breakpoints: a thread that blocks it and meets one would end the
/// process. Nobody sends it for anything else than to stop a thread just there.
pub(crate) fn unblock() {
    if IN_USE.load(Ordering::Acquire) {
        // SAFETY: the set is filled in before it is read.
        unsafe {
            let mut trap: libc::sigset_t = mem::zeroed();
            libc::sigemptyset(&raw mut trap);
            libc::sigaddset(&raw mut trap, libc::SIGTRAP);
            libc::pthread_sigmask(libc::SIG_UNBLOCK, &raw const trap, ptr::null_mut());
        }
    }
}

/// With SA_ONSTACK, for the stacks that Go's code gives its threads. Ticks wait until it is done.
fn put_before(now: &libc::sigaction) -> io::Result<()> {
    trap::chain().come_before(super::signal::handler_of(now));
    // SAFETY: zero is a valid value; the handler is the one made for this.
    unsafe {
        let mut action: libc::sigaction = mem::zeroed();
        action.sa_sigaction = trap::on_trap as *const () as usize;
        action.sa_flags = libc::SA_SIGINFO | libc::SA_RESTART | libc::SA_ONSTACK;
        libc::sigemptyset(&raw mut action.sa_mask);
        for signal in [libc::SIGPROF, super::signal::tick_signal()] {
            libc::sigaddset(&raw mut action.sa_mask, signal);
        }
        if libc::sigaction(libc::SIGTRAP, &raw const action, ptr::null_mut()) == -1 {
            return Err(io::Error::last_os_error());
        }
    }
    Ok(())
}

fn is_ours(action: &libc::sigaction) -> bool {
    action.sa_sigaction == trap::on_trap as *const () as usize
}
