//! The signal of the ticks.
//!
//! # Safety
//! sigaction(2), pthread_sigmask(3), dladdr(3) and dlopen(3) with structures filled in here.
#![allow(unsafe_code)]

use std::ffi::c_void;
use std::io;
use std::mem;
use std::ptr;
use std::sync::atomic::{AtomicI32, Ordering};

use jprof_signal_safe::previous::PreviousHandler;
use jprof_signal_safe::tick;

/// The signal of the ticks: that of profiling timers, which the JVM uses for nothing, unless somebody had it first. Of two
/// signals of one number that a thread is to get at the same moment the kernel keeps one, and async-profiler's events end
/// with the first one that is lost. So another's is left alone, for one that Linux itself has no use for.
static TICK_SIGNAL: AtomicI32 = AtomicI32::new(libc::SIGPROF);
const WHERE_THAT_IS_TAKEN: libc::c_int = libc::SIGSTKFLT;

/// The signal of the ticks, once [`install`] has chosen it.
pub(super) fn tick_signal() -> libc::c_int {
    TICK_SIGNAL.load(Ordering::Relaxed)
}

/// Whether SIGPROF is nobody else's.
pub(super) fn has_no_other_owner() -> bool {
    current_of(libc::SIGPROF).is_ok_and(|now| now.sa_sigaction == libc::SIG_DFL || is_ours(&now))
}

/// Installs the tick handler: with SA_RESTART, so that system calls go on, and without SA_NODEFER,
/// so that ticks do not nest. With SA_ONSTACK, since code whose stacks are small and grow (Go's)
/// gives its threads a signal stack and counts on its use; other threads have none.
///
/// The handler stays for the life of the process, and so does this library: a late signal must find
/// it, since the signal's default action ends the process.
///
/// # Errors
/// sigaction(2)'s.
pub fn install() -> io::Result<()> {
    keep_library_loaded();
    let mut now = current()?;
    // An earlier recording's stays.
    if is_ours(&now) {
        return Ok(());
    }
    if tick_signal() == libc::SIGPROF && now.sa_sigaction != libc::SIG_DFL {
        let other = current_of(WHERE_THAT_IS_TAKEN)?;
        if other.sa_sigaction == libc::SIG_DFL {
            TICK_SIGNAL.store(WHERE_THAT_IS_TAKEN, Ordering::Relaxed);
            now = other;
        }
    }
    put_before(&now)
}

/// Puts our handler before one that is there.
fn put_before(now: &libc::sigaction) -> io::Result<()> {
    tick::chain().come_before(handler_of(now));
    // SAFETY: zero is a valid value; the handler is the one made for this.
    unsafe {
        let mut action: libc::sigaction = mem::zeroed();
        action.sa_sigaction = tick::on_signal as *const () as usize;
        action.sa_flags = libc::SA_SIGINFO | libc::SA_RESTART | libc::SA_ONSTACK;
        libc::sigemptyset(&raw mut action.sa_mask);
        // Where it is not ours it is another profiler's, which would take the handler for the thread's work.
        libc::sigaddset(&raw mut action.sa_mask, libc::SIGPROF);
        if libc::sigaction(tick_signal(), &raw const action, ptr::null_mut()) == -1 {
            return Err(io::Error::last_os_error());
        }
    }
    Ok(())
}

/// Looks whether somebody has put another handler in since, and goes before it: our ticks are nothing that it knows. Says
/// whether somebody had.
#[must_use]
pub fn renew() -> bool {
    current().is_ok_and(|now| !is_ours(&now) && put_before(&now).is_ok())
}

fn current() -> io::Result<libc::sigaction> {
    current_of(tick_signal())
}

pub(super) fn current_of(signal: libc::c_int) -> io::Result<libc::sigaction> {
    // SAFETY: zero is a valid value; sigaction only fills in the present action.
    unsafe {
        let mut now: libc::sigaction = mem::zeroed();
        if libc::sigaction(signal, ptr::null(), &raw mut now) == -1 {
            return Err(io::Error::last_os_error());
        }
        Ok(now)
    }
}

fn is_ours(action: &libc::sigaction) -> bool {
    action.sa_sigaction == tick::on_signal as *const () as usize
}

/// As our handlers need it to pass signals on.
pub(super) fn handler_of(action: &libc::sigaction) -> PreviousHandler {
    PreviousHandler {
        address: action.sa_sigaction,
        takes_info: action.sa_flags & libc::SA_SIGINFO != 0,
    }
}

pub(super) fn keep_library_loaded() {
    // SAFETY: dladdr fills in the structure for an address of this library, whose name is then
    // looked up among the loaded ones only. The handle is kept on purpose.
    unsafe {
        let mut info: libc::Dl_info = mem::zeroed();
        if libc::dladdr(tick::on_signal as *const c_void, &raw mut info) != 0 {
            let flags = libc::RTLD_LAZY | libc::RTLD_NOLOAD | libc::RTLD_NODELETE;
            libc::dlopen(info.dli_fname, flags);
        }
    }
}

/// Signals that an instruction of the thread itself raises. Blocked, they would end the process
/// without the JVM's crash report.
const RAISED_BY_THE_THREAD: [libc::c_int; 5] = [
    libc::SIGSEGV,
    libc::SIGBUS,
    libc::SIGFPE,
    libc::SIGILL,
    libc::SIGTRAP,
];

/// Runs `spawn` with all signals blocked in the calling thread, so that a thread made by it is
/// born with them blocked: the JVM's and the application's signals are not for our threads.
pub fn block_all_signals<R>(spawn: impl FnOnce() -> R) -> R {
    // SAFETY: the sets are filled in before they are read; the old mask is put back.
    unsafe {
        let mut all: libc::sigset_t = mem::zeroed();
        let mut old: libc::sigset_t = mem::zeroed();
        libc::sigfillset(&raw mut all);
        for signal in RAISED_BY_THE_THREAD {
            libc::sigdelset(&raw mut all, signal);
        }
        libc::pthread_sigmask(libc::SIG_SETMASK, &raw const all, &raw mut old);
        let result = spawn();
        libc::pthread_sigmask(libc::SIG_SETMASK, &raw const old, ptr::null_mut());
        result
    }
}
