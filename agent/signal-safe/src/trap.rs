//! The trap: breakpoints on the functions by which the JVM reports allocated objects to its own recorder.
//!
//! The handler of SIGTRAP reads the functions' arguments, and then carries out the instruction that the breakpoint has
//! displaced: the function does what it always does.
//!
//! # Safety
//! `on_trap` is installed with `SA_SIGINFO`, so its arguments are the kernel's. The traps that it finds are leaked for ever,
//! so a late one goes on in its function as well. The calls made are listed in the crate's head.
#![allow(unsafe_code)]

use core::ffi::{c_int, c_void};
use core::ptr;
use core::sync::atomic::{AtomicBool, AtomicPtr, AtomicU32, AtomicU64, Ordering};

use crossbeam_utils::CachePadded;

use crate::arch::displaced::{self, Displaced};
use crate::arch::{self, tried_load};
use crate::clock;
use crate::countdown::probability;
use crate::levels::{BINS, LevelCounts};
use crate::previous::Chain;
use crate::record::RecordKind;
use crate::threads::{ThreadKey, ThreadSlot};
use crate::tick::{Lies, Sampler, Trapped};

/// A function with a breakpoint.
#[derive(Clone, Copy, Debug)]
pub struct Function {
    /// Where it begins.
    pub address: usize,
    /// What stands there without the breakpoint.
    pub displaced: Displaced,
    /// The places of its arguments; the class is the first one.
    pub arguments: Arguments,
}

/// Which arguments say what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Arguments {
    /// Bytes of the object.
    pub size: usize,
    /// Bytes of the new TLAB, of the function that reports these.
    pub tlab_size: usize,
}

/// Fields of the JVM's thread, as distances from its `JNIEnv*`.
#[derive(Clone, Copy, Debug)]
pub struct ThreadFields {
    /// Bytes that were allocated, but for the present TLAB.
    pub allocated: isize,
    /// The TLAB's first byte.
    pub tlab_start: isize,
    /// The TLAB's first byte that is free.
    pub tlab_top: isize,
    /// The end of what the TLAB gives out.
    pub tlab_end: isize,
}

/// What is needed where the JVM reports no other objects than those that the traps meet.
#[derive(Debug)]
pub struct NewTlabs {
    /// The function that reports objects which have begun a new TLAB.
    pub function: Function,
    /// How often a thread has got a new TLAB since the last collection (`unsigned`); a field as those of [`ThreadFields`].
    pub refills: isize,
    /// Words that were left of its TLABs when new ones were got, since then (`unsigned`).
    pub waste: isize,
    /// Words at a TLAB's end that are given to no object: what the JVM says, until it is seen.
    pub reserved_words: AtomicU32,
    /// One for each slot of the table of threads.
    pub levels: &'static [LevelCounts],
}

/// The traps of a process. They are made once and never freed.
#[derive(Debug)]
pub struct Traps {
    /// Where samples go.
    pub sampler: &'static Sampler,
    /// `None` where only objects outside of TLABs are trapped.
    pub new_tlabs: Option<NewTlabs>,
    /// Reports objects outside of TLABs.
    pub outside: Function,
    /// Where the JVM keeps what is read of a thread.
    pub fields: ThreadFields,
    /// Objects are counted and sampled only while this is set.
    pub is_on: AtomicBool,
    /// Mean distance of samples in bytes.
    pub interval: AtomicU64,
    outside_bytes: CachePadded<AtomicU64>,
    taken: AtomicU64,
    dropped: AtomicU64,
}

static TRAPS: AtomicPtr<Traps> = AtomicPtr::new(ptr::null_mut());

static BEFORE: Chain = Chain::new();

/// The handlers that ours has come before: other people's traps go on to them.
#[must_use]
pub fn chain() -> &'static Chain {
    &BEFORE
}

impl Traps {
    /// Traps that are not set yet.
    #[must_use]
    pub fn new(
        sampler: &'static Sampler,
        new_tlabs: Option<NewTlabs>,
        outside: Function,
        fields: ThreadFields,
    ) -> Self {
        Self {
            sampler,
            new_tlabs,
            outside,
            fields,
            is_on: AtomicBool::new(false),
            interval: AtomicU64::new(1),
            outside_bytes: CachePadded::new(AtomicU64::new(0)),
            taken: AtomicU64::new(0),
            dropped: AtomicU64::new(0),
        }
    }

    /// Makes these the ones that `on_trap` knows. To be called before a breakpoint is written.
    pub fn publish(&'static self) {
        TRAPS.store(ptr::from_ref(self).cast_mut(), Ordering::Release);
    }

    /// Samples taken, and those that were lost.
    #[must_use]
    pub fn counts(&self) -> (u64, u64) {
        (
            self.taken.load(Ordering::Relaxed),
            self.dropped.load(Ordering::Relaxed),
        )
    }

    /// Bytes of all objects outside of TLABs.
    #[must_use]
    pub fn outside_bytes(&self) -> u64 {
        self.outside_bytes.load(Ordering::Relaxed)
    }

    /// What was left of a thread's TLABs, and the sizes of the objects that came then, and how long its TLABs are; none where
    /// only the others are trapped.
    #[must_use]
    pub fn levels(&self, key: ThreadKey) -> Option<([[u32; BINS]; 2], u64)> {
        let levels = self.new_tlabs.as_ref()?.levels;
        let counts = levels.get(key.index() as usize)?;
        Some((counts.of(key)?, counts.tlab()))
    }

    /// Where the last object of the calling thread lies, of `size` bytes, which the JVM samples.
    ///
    /// # Safety
    /// `slot` is the calling thread's, a living Java thread's, and no safepoint has been since.
    #[must_use]
    pub unsafe fn lies(&self, slot: &ThreadSlot, size: u64) -> Lies {
        let fields = &self.fields;
        // SAFETY: handed on from the caller.
        unsafe {
            let allocated = self.allocated(slot);
            let (start, top) = (field(slot, fields.tlab_start), field(slot, fields.tlab_top));
            let used = top.zip(start).map(|(top, start)| top.wrapping_sub(start));
            if allocated.is_some_and(|bytes| slot.allocating.is_outside(bytes)) {
                Lies::Outside
            } else if used == Some(size) {
                Lies::FirstOfTlab
            } else {
                Lies::InTlab
            }
        }
    }

    /// What the calling thread has allocated: grows with each object, whatever becomes of its TLAB.
    unsafe fn allocated(&self, slot: &ThreadSlot) -> Option<u64> {
        let fields = &self.fields;
        // SAFETY: handed on from the caller.
        let [counted, start, top] = unsafe {
            [
                field(slot, fields.allocated)?,
                field(slot, fields.tlab_start)?,
                field(slot, fields.tlab_top)?,
            ]
        };
        let used = top.wrapping_sub(start);
        Some(counted.wrapping_add(used))
    }

    /// Bytes that were left of the thread's TLAB when the object came. `None` where they are not known any more: a collection
    /// has come in between.
    unsafe fn left(
        &self,
        new_tlabs: &NewTlabs,
        place: Place,
        counts: &LevelCounts,
        slot: &ThreadSlot,
    ) -> Option<u64> {
        let fields = &self.fields;
        // SAFETY: handed on from the caller.
        let word = |distance| unsafe { field(slot, distance) };
        match place {
            Place::Outside => {
                let (end, top) = (word(fields.tlab_end)?, word(fields.tlab_top)?);
                if end == 0 {
                    return None;
                }
                let start = word(fields.tlab_start)?;
                let reserved = start.wrapping_add(counts.whole_tlab()).wrapping_sub(end) / WORD;
                // More is none: the TLAB is one that no trap has seen.
                if (1..=MOST_RESERVED).contains(&reserved) {
                    let words = reserved as u32;
                    new_tlabs.reserved_words.store(words, Ordering::Relaxed);
                }
                Some(end.wrapping_sub(top))
            }
            Place::NewTlab => {
                let (refills, waste) = (word(new_tlabs.refills)?, word(new_tlabs.waste)?);
                let words = counts.wasted(refills as u32, waste as u32)?;
                let reserved = new_tlabs.reserved_words.load(Ordering::Relaxed);
                Some(u64::from(words.saturating_sub(reserved)).wrapping_mul(WORD))
            }
        }
    }

    #[inline]
    fn at(&self, address: usize) -> Option<(Place, &Function)> {
        if address == self.outside.address {
            return Some((Place::Outside, &self.outside));
        }
        let function = &self.new_tlabs.as_ref()?.function;
        (address == function.address).then_some((Place::NewTlab, function))
    }

    unsafe fn meet(&self, place: Place, function: &Function, ucontext: *mut c_void) {
        // SAFETY: `ucontext` is the handler's.
        let arguments = unsafe { displaced::arguments(ucontext) };
        let argument = |place: usize| arguments.get(place).copied().unwrap_or(0);
        let (class, size) = (argument(0), argument(function.arguments.size));
        if place == Place::Outside {
            self.outside_bytes.fetch_add(size, Ordering::Relaxed);
        }
        let Some((key, slot)) = self.sampler.threads.current() else {
            return;
        };
        let tlab = match place {
            Place::NewTlab => argument(function.arguments.tlab_size),
            Place::Outside => 0,
        };
        let is_counted = self.new_tlabs.as_ref().is_some_and(|new_tlabs| {
            let counts = new_tlabs.levels.get(key.index() as usize);
            counts.is_some_and(|counts| {
                counts.begin(key);
                if place == Place::NewTlab {
                    counts.note_tlab(tlab, size);
                }
                // SAFETY: the thread runs this handler.
                let left = unsafe { self.left(new_tlabs, place, counts, slot) };
                left.inspect(|&left| counts.count(left, size)).is_some()
            })
        });
        let interval = self.interval.load(Ordering::Relaxed).max(1) as f64;
        let (kind, way) = match place {
            Place::Outside => {
                slot.allocating.count_outside(size);
                // SAFETY: the thread runs this handler.
                if let Some(allocated) = unsafe { self.allocated(slot) } {
                    slot.allocating.note_outside(allocated);
                }
                (RecordKind::AllocationOutside, size as f64 / interval)
            }
            Place::NewTlab => (RecordKind::AllocationInNewTlab, tlab as f64 / interval),
        };
        let is_due = match place {
            Place::Outside => slot.allocating.advance_outside(way, seed(key)),
            Place::NewTlab => slot.allocating.advance_inside(way, seed(key)),
        };
        if !is_due {
            return;
        }
        let trapped = Trapped {
            kind,
            thread: key,
            class,
            size,
            objects: (1.0 / probability(way)) as f32,
            is_counted,
        };
        // SAFETY: handed on from the handler, which runs on the slot's thread.
        let stored = unsafe { self.sampler.emit_trapped(&trapped, slot, ucontext) };
        let counter = if stored { &self.taken } else { &self.dropped };
        counter.fetch_add(1, Ordering::Relaxed);
    }
}

const WORD: u64 = 8;

/// Words that a TLAB keeps free at most: what is prefetched behind an object, some cache lines.
const MOST_RESERVED: u64 = 512;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    NewTlab,
    Outside,
}

/// A word of the calling thread's own `JavaThread`; none of a thread that is no Java thread.
///
/// # Safety
/// `slot` is the calling thread's.
unsafe fn field(slot: &ThreadSlot, distance: isize) -> Option<u64> {
    let env = slot.jni_env();
    if env == 0 {
        return None;
    }
    // SAFETY: the thread lives, and its JavaThread with it.
    unsafe { tried_load::load(env.wrapping_add_signed(distance)) }.map(|word| word as u64)
}

fn seed(key: ThreadKey) -> u64 {
    clock::monotonic_nanos() ^ key.to_bits().rotate_left(40)
}

/// The handler.
///
/// # Safety
/// To be installed by `sigaction` with `SA_SIGINFO`; not to be called.
pub unsafe extern "C" fn on_trap(signal: c_int, info: *mut libc::siginfo_t, ucontext: *mut c_void) {
    // SAFETY: __errno_location always returns the thread's own errno.
    let errno = unsafe { *libc::__errno_location() };
    // SAFETY: the arguments are the kernel's; what is published is never freed.
    unsafe {
        let address = (arch::program_counter(ucontext) as usize).wrapping_sub(1);
        let traps = TRAPS.load(Ordering::Acquire).as_ref();
        // Positive: the kernel's own, not sent by kill(2) or sigqueue(3).
        let raised = (*info).si_code > 0;
        match traps
            .filter(|_| raised)
            .and_then(|traps| Some((traps, traps.at(address)?)))
        {
            Some((traps, (place, function))) => {
                let in_flight = &traps.sampler.in_flight;
                // SeqCst, as in the ticks' handler.
                in_flight.fetch_add(1, Ordering::SeqCst);
                if traps.is_on.load(Ordering::SeqCst) {
                    traps.meet(place, function, ucontext);
                }
                function.displaced.carry_out(ucontext, address);
                in_flight.fetch_sub(1, Ordering::SeqCst);
            }
            None => pass_on(signal, info, ucontext, raised),
        }
        *libc::__errno_location() = errno;
    }
}

unsafe fn pass_on(signal: c_int, info: *mut libc::siginfo_t, ucontext: *mut c_void, raised: bool) {
    // SAFETY: the arguments go on unchanged. signal-safety(7) lists sigaction; the structure is a plain default.
    unsafe {
        if BEFORE.pass_on(signal, info, ucontext) || BEFORE.ignores() && !raised {
            return;
        }
        // The breakpoint is behind the thread: it does not happen again, so the signal is sent again, and meets what would
        // have met it without us as soon as this handler returns.
        let mut default: libc::sigaction = core::mem::zeroed();
        default.sa_sigaction = libc::SIG_DFL;
        libc::sigaction(signal, &raw const default, ptr::null_mut());
        let (process, thread) = (
            libc::syscall(libc::SYS_getpid),
            libc::syscall(libc::SYS_gettid),
        );
        libc::syscall(libc::SYS_tgkill, process, thread, signal);
    }
}
