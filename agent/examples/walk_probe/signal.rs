//! Walks in a signal that interrupts the JVM's threads wherever they are, and copies of their registers and stacks.
//!
//! # Safety
//!
//! The handler uses atomic instructions, its own static memory under a lock that it only tries, and what signal-safety(7)
//! allows. It reads the stack of the thread that it runs on, above the interrupted stack pointer.

use std::cell::UnsafeCell;
use std::ffi::{c_int, c_void};
use std::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed, Release};
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicU64, AtomicUsize};
use std::time::{Duration, Instant};
use std::{mem, ptr, thread};

use jprof_signal_safe::arch::{self, Registers};
use jprof_signal_safe::walker::{CachedFrame, Failure, Frame, Outcome, Room};

use crate::mutation::{Random, change};
use crate::tally::{self, NO_FRAME, Origin};
use crate::{Probe, probe};

const SIGNAL: c_int = libc::SIGPROF;
/// Walks in each signal.
const WALKS: usize = 16;
/// A signal that takes longer has been lost.
const LONGEST_ANSWER: Duration = Duration::from_secs(60);
const MOST_THREADS: usize = 128;
const MOST_FRAMES: usize = 2048;
/// Words of a stack that are copied.
const COPIED_WORDS: usize = 16 * 1024;

/// The threads that may be interrupted.
struct Target {
    tid: AtomicI32,
    java_thread: AtomicUsize,
}

static TARGETS: [Target; MOST_THREADS] = [const {
    Target {
        tid: AtomicI32::new(0),
        java_thread: AtomicUsize::new(0),
    }
}; MOST_THREADS];

/// Registers and the stack that goes with them.
pub(crate) struct Copy {
    pub(crate) registers: Registers,
    pub(crate) words: [usize; COPIED_WORDS],
    /// Words in use, from the registers' stack pointer on.
    pub(crate) used: usize,
}

struct Workshop {
    /// Who holds it may use the rest.
    taken: AtomicBool,
    /// The copy waits to be looked at.
    is_full: AtomicBool,
    copy: UnsafeCell<Copy>,
    frames: UnsafeCell<[Frame; MOST_FRAMES + 1]>,
    cache: UnsafeCell<[CachedFrame; 64]>,
}

// SAFETY: `taken` gives the cells to one thread at a time.
unsafe impl Sync for Workshop {}

static WORKSHOP: Workshop = Workshop {
    taken: AtomicBool::new(false),
    is_full: AtomicBool::new(false),
    copy: UnsafeCell::new(Copy {
        registers: Registers {
            pc: 0,
            sp: 0,
            fp: 0,
            ax: 0,
            cx: 0,
            bx: 0,
            r13: 0,
        },
        words: [0; COPIED_WORDS],
        used: 0,
    }),
    frames: UnsafeCell::new([NO_FRAME; MOST_FRAMES + 1]),
    cache: UnsafeCell::new([CachedFrame::EMPTY; 64]),
};

/// A thread that shall walk its stack once.
struct Asked {
    tid: AtomicI32,
    java_thread: AtomicUsize,
    is_done: AtomicBool,
    outcome: UnsafeCell<Outcome>,
}

// SAFETY: `is_done` gives the outcome over.
unsafe impl Sync for Asked {}

static ASKED: Asked = Asked {
    tid: AtomicI32::new(0),
    java_thread: AtomicUsize::new(0),
    is_done: AtomicBool::new(false),
    outcome: UnsafeCell::new(Outcome::failed(Failure::Other)),
};

static SEED: AtomicU64 = AtomicU64::new(1);

/// Installs the handler.
pub(crate) fn install() {
    // SAFETY: zero is a valid value; the handler is one of that kind. It lets system calls go on, and nests in itself.
    unsafe {
        let mut action: libc::sigaction = mem::zeroed();
        action.sa_sigaction = on_signal as *const () as usize;
        action.sa_flags = libc::SA_SIGINFO | libc::SA_RESTART | libc::SA_ONSTACK;
        assert_eq!(
            libc::sigaction(SIGNAL, &raw const action, ptr::null_mut()),
            0,
            "sigaction"
        );
    }
}

/// No more signals do anything.
pub(crate) fn forget_targets() {
    for target in &TARGETS {
        target.tid.store(0, Release);
    }
}

/// Who may be interrupted from now on: thread ids and `JavaThread`s.
pub(crate) fn set_targets(threads: &[(i32, usize)]) {
    forget_targets();
    for (target, &(tid, java_thread)) in TARGETS.iter().zip(threads) {
        target.java_thread.store(java_thread, Release);
        target.tid.store(tid, Release);
    }
}

/// Interrupts a thread. It may have ended.
pub(crate) fn interrupt(tid: i32) {
    // SAFETY: tgkill(2) touches no memory.
    unsafe { libc::syscall(libc::SYS_tgkill, libc::getpid(), tid, SIGNAL) };
}

/// Has a thread walk its own stack in a signal, with its true registers. None when it does not answer for seconds.
pub(crate) fn ask(tid: i32, java_thread: usize) -> Option<(Outcome, Vec<Frame>)> {
    ASKED.is_done.store(false, Release);
    ASKED.java_thread.store(java_thread, Release);
    ASKED.tid.store(tid, Release);
    interrupt(tid);
    let began = Instant::now();
    while !ASKED.is_done.load(Acquire) {
        if began.elapsed() > LONGEST_ANSWER {
            return None;
        }
        thread::sleep(Duration::from_micros(20));
    }
    // SAFETY: the signal's work is done, and nobody else is asked.
    let (outcome, frames) = unsafe { (*ASKED.outcome.get(), &mut *WORKSHOP.frames.get()) };
    let found = frames[..outcome.frames].to_vec();
    frames[..=outcome.frames].fill(NO_FRAME);
    Some((outcome, found))
}

/// # Safety
/// In a signal handler with its context, on the thread that is asked.
unsafe fn answer(ucontext: *mut c_void) {
    ASKED.tid.store(0, Release);
    // SAFETY: whoever asks waits for the answer, so the cells are ours; the context is the kernel's, and the handlers of faults
    // are in place.
    unsafe {
        let mut room = Room {
            frames: &mut *WORKSHOP.frames.get(),
            cache: &mut *WORKSHOP.cache.get(),
        };
        let java_thread = ASKED.java_thread.load(Acquire);
        let registers = Registers::of(ucontext);
        *ASKED.outcome.get() = probe().walker.walk_from(java_thread, registers, &mut room);
    }
    ASKED.is_done.store(true, Release);
}

/// Gives a copy that a signal has made to `body`.
pub(crate) fn take_copy(body: impl FnOnce(&Copy)) {
    if !WORKSHOP.is_full.load(Acquire) || WORKSHOP.taken.swap(true, AcqRel) {
        return;
    }
    // SAFETY: `taken` is ours.
    body(unsafe { &*WORKSHOP.copy.get() });
    WORKSHOP.is_full.store(false, Release);
    WORKSHOP.taken.store(false, Release);
}

unsafe extern "C" fn on_signal(_: c_int, _: *mut libc::siginfo_t, ucontext: *mut c_void) {
    // SAFETY: the thread's own errno, put back as it was; the context is the kernel's.
    unsafe {
        let errno = *libc::__errno_location();
        let tid = libc::syscall(libc::SYS_gettid) as i32;
        if ASKED.tid.load(Acquire) == tid {
            answer(ucontext);
        }
        let target = TARGETS
            .iter()
            .find(|target| target.tid.load(Acquire) == tid);
        if let Some(target) = target
            && !WORKSHOP.taken.swap(true, AcqRel)
        {
            work(probe(), target.java_thread.load(Acquire), ucontext);
            WORKSHOP.taken.store(false, Release);
        }
        *libc::__errno_location() = errno;
    }
}

/// # Safety
/// In a signal handler with its context, on the thread of `java_thread`; the workshop is taken.
unsafe fn work(probe: &Probe, java_thread: usize, ucontext: *mut c_void) {
    // SAFETY: the context is the kernel's; the cells are ours.
    let (registers, frames, cache) = unsafe {
        (
            Registers::of(ucontext),
            &mut *WORKSHOP.frames.get(),
            &mut *WORKSHOP.cache.get(),
        )
    };
    if !WORKSHOP.is_full.load(Acquire) {
        let base = probe.walker.layout().thread.stack_base as usize;
        // SAFETY: the thread lives, and its stack is in use from the interrupted stack pointer to its base.
        unsafe { copy_stack(registers, arch::load_usize(java_thread + base)) };
    }
    let mut room = Room { frames, cache };
    let mut random = Random::new(SEED.fetch_add(1, Relaxed));
    let mut once = |origin, registers| {
        // SAFETY: the calling thread's own `JavaThread`; the handlers of faults are in place.
        let _ = unsafe { tally::walk(&probe.walker, origin, java_thread, registers, &mut room) };
    };
    once(Origin::Signal, registers);
    for _ in 1..WALKS {
        once(Origin::SignalChanged, change(registers, &mut random));
    }
}

/// # Safety
/// The calling thread's stack is in use from the stack pointer to `base`; the workshop is taken.
unsafe fn copy_stack(registers: Registers, base: usize) {
    // SAFETY: the cell is ours.
    let copy = unsafe { &mut *WORKSHOP.copy.get() };
    copy.registers = registers;
    copy.used = 0;
    for (index, word) in copy.words.iter_mut().enumerate() {
        let at = (registers.sp & !7) + index * size_of::<usize>();
        if at >= base {
            break;
        }
        // SAFETY: on the stack in use.
        *word = unsafe { arch::load_usize(at) };
        copy.used = index + 1;
    }
    WORKSHOP.is_full.store(true, Release);
}
