//! A native library that uses SIGPROF and SIGALRM itself, for the program `OwnSignals`, and is a JVMTI agent.
//!
//! # Safety
//! The JVM calls what is exported, with arguments that are not looked into. Signals, timers and a pipe are made, used and
//! taken away by plain system calls; the handlers touch atomics only.
#![allow(unsafe_code)]

use std::ffi::{c_char, c_int, c_long, c_void};
use std::mem;
use std::ptr;
use std::sync::atomic::{AtomicI32, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// Signals that came, and what the last one carried.
static CAME: AtomicI32 = AtomicI32::new(0);
static CODE: AtomicI32 = AtomicI32::new(0);
static VALUE: AtomicUsize = AtomicUsize::new(0);

/// What no signal needs.
const LONGEST: Duration = Duration::from_secs(5);
/// For a signal that nobody sent to come, too.
const AFTERWARDS: Duration = Duration::from_millis(30);

/// Values of linux/fcntl.h and asm-generic/siginfo.h that the libc crate lacks for glibc.
const F_SETSIG: c_int = 10;
const F_SETOWN_EX: c_int = 15;
const F_OWNER_TID: c_int = 0;
const SI_KERNEL: c_int = 0x80;
const POLL_IN: c_int = 1;

unsafe extern "C" fn on_signal(_: c_int, info: *mut libc::siginfo_t, _: *mut c_void) {
    // SAFETY: the kernel's own structure.
    unsafe {
        CODE.store((*info).si_code, Ordering::Relaxed);
        VALUE.store((*info).si_value().sival_ptr as usize, Ordering::Relaxed);
    }
    CAME.fetch_add(1, Ordering::Release);
}

fn install(signals: &[c_int]) {
    for &signal in signals {
        // SAFETY: zero is a valid value; the handler is the one made for this.
        unsafe {
            let mut action: libc::sigaction = mem::zeroed();
            action.sa_sigaction = on_signal as *const () as usize;
            action.sa_flags = libc::SA_SIGINFO | libc::SA_RESTART;
            libc::sigaction(signal, &raw const action, ptr::null_mut());
        }
    }
}

/// Loaded as an agent: the handlers are there before any other agent starts. With an option, also one of the signal that
/// jprof takes where SIGPROF is taken.
///
/// # Safety
/// `options` is the JVM's: null, or a C string.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn Agent_OnLoad(
    _: *mut c_void,
    options: *const c_char,
    _: *mut c_void,
) -> c_int {
    install(&[libc::SIGPROF, libc::SIGALRM]);
    // SAFETY: the caller vouches for it.
    if !options.is_null() && unsafe { *options } != 0 {
        install(&[libc::SIGSTKFLT]);
    }
    0
}

/// `OwnSignals.send`.
#[unsafe(no_mangle)]
pub extern "system" fn Java_io_jprof_harness_OwnSignals_send(
    _: *mut c_void,
    _: *mut c_void,
    way: c_int,
    times: c_int,
) -> c_int {
    let before = CAME.load(Ordering::Acquire);
    let right = match way {
        0..=4 => {
            let sent = (0..times).filter(|&number| send_one(way, number));
            c_int::try_from(sent.count()).unwrap_or(-1)
        }
        // As many as are asked for, and then those that come on top are of the same timer.
        5 => return by_interval_timer(libc::ITIMER_PROF, times),
        6 => by_descriptor(times),
        _ => return by_interval_timer(libc::ITIMER_REAL, times),
    };
    std::thread::sleep(AFTERWARDS);
    right + 1_000 * (CAME.load(Ordering::Acquire) - before - right)
}

/// Waits until signals have come, working, since some clocks stand still else.
fn came(at_least: c_int) -> bool {
    let began = Instant::now();
    while CAME.load(Ordering::Acquire) - at_least < 0 {
        if began.elapsed() > LONGEST {
            return false;
        }
        std::hint::spin_loop();
    }
    true
}

/// Sends one signal by a way that carries a value, or not; whether it came as it was sent.
fn send_one(way: c_int, number: c_int) -> bool {
    let next = CAME.load(Ordering::Acquire) + 1;
    let value = usize::try_from(number).unwrap_or_default() + 1;
    let mut timer = 0;
    // SAFETY: signals to this process and this thread, for which there is a handler; the structures are filled in here.
    let (code, carried) = unsafe {
        let value_of = libc::sigval {
            sival_ptr: value as *mut c_void,
        };
        match way {
            0 => {
                libc::raise(libc::SIGPROF);
                (libc::SI_TKILL, None)
            }
            1 => {
                libc::kill(libc::getpid(), libc::SIGPROF);
                (libc::SI_USER, None)
            }
            2 => {
                libc::sigqueue(libc::getpid(), libc::SIGPROF, value_of);
                (libc::SI_QUEUE, Some(value))
            }
            3 => {
                // To the process's first thread, which waits.
                let pid = c_long::from(libc::getpid());
                libc::syscall(libc::SYS_tgkill, pid, pid, libc::SIGPROF);
                (libc::SI_TKILL, None)
            }
            _ => {
                let mut event: libc::sigevent = mem::zeroed();
                event.sigev_notify = libc::SIGEV_SIGNAL;
                event.sigev_signo = libc::SIGPROF;
                event.sigev_value = value_of;
                libc::syscall(
                    libc::SYS_timer_create,
                    libc::CLOCK_MONOTONIC,
                    &raw const event,
                    &raw mut timer,
                );
                let mut soon: libc::itimerspec = mem::zeroed();
                soon.it_value.tv_nsec = 100_000;
                let none = ptr::null_mut::<libc::itimerspec>();
                libc::syscall(libc::SYS_timer_settime, timer, 0, &raw const soon, none);
                (libc::SI_TIMER, Some(value))
            }
        }
    };
    let arrived = came(next)
        && CODE.load(Ordering::Relaxed) == code
        && carried.is_none_or(|value| VALUE.load(Ordering::Relaxed) == value);
    if way == 4 {
        // SAFETY: the timer made above.
        unsafe { libc::syscall(libc::SYS_timer_delete, timer) };
    }
    arrived
}

/// Lets a timer of setitimer(2) run until it has sent so many signals.
fn by_interval_timer(which: c_int, times: c_int) -> c_int {
    let before = CAME.load(Ordering::Acquire);
    let mut setting = libc::itimerval {
        it_interval: libc::timeval {
            tv_sec: 0,
            tv_usec: 1_000,
        },
        it_value: libc::timeval {
            tv_sec: 0,
            tv_usec: 1_000,
        },
    };
    // SAFETY: setitimer reads the setting.
    unsafe { libc::setitimer(which, &raw const setting, ptr::null_mut()) };
    let all = came(before + times) && CODE.load(Ordering::Relaxed) == SI_KERNEL;
    setting.it_value.tv_usec = 0;
    setting.it_interval.tv_usec = 0;
    // SAFETY: as above.
    unsafe { libc::setitimer(which, &raw const setting, ptr::null_mut()) };
    // One may be under way.
    std::thread::sleep(AFTERWARDS);
    if all { times } else { -1 }
}

#[repr(C)]
struct OwnerEx {
    kind: c_int,
    pid: libc::pid_t,
}

/// Has the kernel tell of input in a pipe by SIGPROF.
fn by_descriptor(times: c_int) -> c_int {
    let mut ends = [0; 2];
    let mut byte = [0_u8];
    let mut right = 0;
    // SAFETY: the pipe is made, used and closed here; the buffers are of the length that is given.
    unsafe {
        libc::pipe2(ends.as_mut_ptr(), libc::O_NONBLOCK | libc::O_CLOEXEC);
        let owner = OwnerEx {
            kind: F_OWNER_TID,
            pid: libc::syscall(libc::SYS_gettid) as libc::pid_t,
        };
        libc::fcntl(ends[0], F_SETOWN_EX, &raw const owner);
        libc::fcntl(ends[0], F_SETSIG, libc::SIGPROF);
        libc::fcntl(ends[0], libc::F_SETFL, libc::O_ASYNC | libc::O_NONBLOCK);
        for _ in 0..times {
            let next = CAME.load(Ordering::Acquire) + 1;
            libc::write(ends[1], byte.as_ptr().cast(), 1);
            right += c_int::from(came(next) && CODE.load(Ordering::Relaxed) == POLL_IN);
            libc::read(ends[0], byte.as_mut_ptr().cast(), 1);
        }
        libc::close(ends[0]);
        libc::close(ends[1]);
    }
    right
}
