//! Loads that may fault: the handler of SIGSEGV and SIGBUS brings a walk back to where it began.
//!
//! A walk follows pointers of a JVM that goes on changing them. What it follows is checked, and lies in memory that the JVM
//! does not give back while the frame is on the stack; where that fails all the same, the walk ends with what it has found.
//!
//! # Safety
//! `on_fault` is installed with `SA_SIGINFO`, so its arguments are the kernel's. It takes the way back only for a fault in
//! the library's own code, on a thread that is in [`run`]; everything else goes to the handler that was there before,
//! with unchanged arguments.
#![allow(unsafe_code)]

use core::ffi::{c_int, c_void};
use core::sync::atomic::{AtomicUsize, Ordering};

use crossbeam_utils::CachePadded;

use crate::arch;
use crate::arch::guarded_call::{self, WayBack};
use crate::arch::tried_load;
use crate::previous::Chain;

/// Walks at one time: more than there are stripes.
const SLOTS: usize = 128;

/// How many slots a walk tries.
const TRIES: usize = 8;

struct Slot {
    /// The thread pointer of who walks; 0 when free.
    owner: AtomicUsize,
    way_back: WayBack,
}

static SLOTS_OF_WALKS: [CachePadded<Slot>; SLOTS] = [const {
    CachePadded::new(Slot {
        owner: AtomicUsize::new(0),
        way_back: WayBack::new(),
    })
}; SLOTS];

static CODE_START: AtomicUsize = AtomicUsize::new(0);
static CODE_END: AtomicUsize = AtomicUsize::new(0);

/// The handlers that were there before: of SIGSEGV, then of SIGBUS.
static BEFORE: [Chain; 2] = [const { Chain::new() }; 2];

/// Why a guarded function did not run to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Broken {
    /// A load failed.
    Fault,
    /// All slots are in use: it did not even begin.
    NoSlot,
}

/// Says where the library's code lies: faults of other code are not ours.
pub fn set_code(start: usize, end: usize) {
    CODE_START.store(start, Ordering::Release);
    CODE_END.store(end, Ordering::Release);
}

/// The handlers of SIGSEGV or SIGBUS that ours has come before.
#[must_use]
pub fn chain(signal: c_int) -> &'static Chain {
    let [segv, bus] = &BEFORE;
    if signal == libc::SIGBUS { bus } else { segv }
}

/// Runs a function in which loads may fault.
///
/// # Errors
/// [`Broken`].
///
/// # Safety
/// The function may be called with the argument, and may be left at any load: nothing that it holds needs to be dropped.
#[inline]
pub unsafe fn run(
    function: unsafe extern "C" fn(*mut c_void),
    argument: *mut c_void,
) -> Result<(), Broken> {
    let owner = arch::thread_pointer();
    let first = owner.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 57;
    let free = (0..TRIES).find_map(|offset| {
        let slot = SLOTS_OF_WALKS.get(first.wrapping_add(offset) % SLOTS)?;
        slot.owner
            .compare_exchange(0, owner, Ordering::Acquire, Ordering::Relaxed)
            .is_ok()
            .then_some(slot)
    });
    let Some(slot) = free else {
        return Err(Broken::NoSlot);
    };
    // SAFETY: the caller vouches for the function; this thread owns the slot.
    let whole = unsafe { guarded_call::call(function, argument, &slot.way_back) };
    slot.owner.store(0, Ordering::Release);
    if whole { Ok(()) } else { Err(Broken::Fault) }
}

/// The handler of SIGSEGV and SIGBUS.
///
/// # Safety
/// To be installed by `sigaction` with `SA_SIGINFO`; not to be called.
pub unsafe extern "C" fn on_fault(
    signal: c_int,
    info: *mut libc::siginfo_t,
    ucontext: *mut c_void,
) {
    // SAFETY: the arguments are the kernel's.
    unsafe {
        if !take_way_back(info, ucontext) {
            pass_on(signal, info, ucontext);
        }
    }
}

#[inline]
unsafe fn take_way_back(info: *const libc::siginfo_t, ucontext: *mut c_void) -> bool {
    // SAFETY: handed on from the handler.
    let (code, pc, sp) = unsafe {
        (
            (*info).si_code,
            arch::program_counter(ucontext),
            arch::Registers::of(ucontext).sp,
        )
    };
    let ours = CODE_START.load(Ordering::Acquire)..CODE_END.load(Ordering::Acquire);
    // Positive: the kernel's own, not sent by kill(2) or sigqueue(3).
    if code <= 0 || !ours.contains(&(pc as usize)) {
        return false;
    }
    // SAFETY: handed on from the handler.
    if unsafe { tried_load::go_on(ucontext) } {
        return true;
    }
    let owner = arch::thread_pointer();
    let innermost = SLOTS_OF_WALKS
        .iter()
        .filter(|slot| slot.owner.load(Ordering::Relaxed) == owner && slot.way_back.sp() > sp)
        .min_by_key(|slot| slot.way_back.sp());
    match innermost {
        Some(slot) => {
            // SAFETY: the interrupted code is the library's, on the thread that is in `run` with this slot.
            unsafe { slot.way_back.take(ucontext) };
            true
        }
        None => false,
    }
}

unsafe fn pass_on(signal: c_int, info: *mut libc::siginfo_t, ucontext: *mut c_void) {
    // SAFETY: the arguments go on unchanged. signal-safety(7) lists sigaction; the structure is a plain default.
    unsafe {
        if !chain(signal).pass_on(signal, info, ucontext) {
            // The fault happens again when the handler returns, and meets what would have met it without us.
            let mut default: libc::sigaction = core::mem::zeroed();
            default.sa_sigaction = libc::SIG_DFL;
            libc::sigaction(signal, &raw const default, core::ptr::null_mut());
        }
    }
}
