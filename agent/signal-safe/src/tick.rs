//! The tick: what happens when a thread's perf event or CPU timer fires, or the process's timer does.
//!
//! # Safety
//! `on_signal` is installed with `SA_SIGINFO`, so its arguments are the kernel's. The sampler it
//! finds is leaked for ever. The calls made are listed in the crate's head; each is a plain system
//! call or listed in signal-safety(7). Nothing here allocates, waits or panics.
#![allow(unsafe_code)]

mod counted;
mod pace;

use core::ffi::{c_int, c_void};
use core::ptr;
use core::sync::atomic::{AtomicBool, AtomicPtr, AtomicU32, Ordering};

use crossbeam_utils::CachePadded;

use crate::counters::{Counter, Counters};
use crate::previous::Chain;
use crate::record::{self, RecordHead, RecordKind};
use crate::ring::Ring;
use crate::stripes::{self, Held, Stripe};
use crate::threads::{Found, ThreadKey, ThreadSlot, ThreadTable, TickSource};
use crate::walker::{Failure, Frame, Outcome, Room, Walker};
use crate::{arch, clock};

use pace::set_period;
pub use pace::{TICK_OVERHEAD_NANOS, shortest_period_nanos};

/// `PERF_EVENT_IOC_ENABLE`: `_IO('$', 0)`, linux/perf_event.h.
const PERF_EVENT_IOC_ENABLE: libc::c_ulong = 0x2400;

/// `si_code` of an event that has come to its limit and stopped: perf_event_open(2), "Overflow handling".
const POLL_HUP: c_int = 6;

/// What intervals and periods are numbers of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Nanoseconds of CPU time.
    CpuNanos,
    /// Events that a perf event counts: page faults, cycles and so on.
    Events,
}

/// What a recording chooses.
#[derive(Clone, Copy)]
pub struct Tuning {
    /// How stacks are taken.
    pub walker: &'static dyn Walker,
    /// What is sampled.
    pub unit: Unit,
    /// CPU nanoseconds, or events, that a weight of 1 stands for.
    pub interval: u64,
    /// What lies between a thread's ticks while they are cheap: the interval, or more where an
    /// interval of CPU time is shorter than what a tick costs.
    pub base_period: u64,
    /// Frames that a walk may take.
    pub depth: usize,
}

impl core::fmt::Debug for Tuning {
    fn fmt(&self, formatter: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        formatter
            .debug_struct("Tuning")
            .field("unit", &self.unit)
            .field("interval", &self.interval)
            .field("base_period", &self.base_period)
            .field("depth", &self.depth)
            .finish_non_exhaustive()
    }
}

/// All that a tick needs. There is one in a process, for one recording after the other.
pub struct Sampler {
    /// One counter per thing that can happen.
    pub counters: &'static Counters,
    /// The threads.
    pub threads: ThreadTable,
    /// The rings.
    pub stripes: &'static [Stripe],
    tuning: AtomicPtr<Tuning>,
    /// Ticks are taken only while this is set.
    pub armed: AtomicBool,
    /// Handlers at work.
    pub in_flight: CachePadded<AtomicU32>,
    /// Futex on which the recorder sleeps: 1 asks it to drain now.
    pub wake: CachePadded<AtomicU32>,
}

impl core::fmt::Debug for Sampler {
    fn fmt(&self, formatter: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        formatter
            .debug_struct("Sampler")
            .field("tuning", self.tuning())
            .finish_non_exhaustive()
    }
}

static SAMPLER: AtomicPtr<Sampler> = AtomicPtr::new(ptr::null_mut());

/// Publishes the sampler that `on_signal` uses from now on.
pub fn publish(sampler: &'static Sampler) {
    SAMPLER.store(ptr::from_ref(sampler).cast_mut(), Ordering::Release);
}

/// Whether the process's profiling timer is ours.
static PROCESS_TIMER: AtomicBool = AtomicBool::new(false);

/// Whether signals of the process's profiling timer (ITIMER_PROF) are ours from now on.
pub fn expect_process_timer(is_ours: bool) {
    PROCESS_TIMER.store(is_ours, Ordering::Relaxed);
}

static BEFORE: Chain = Chain::new();

/// The handlers that ours has come before: other people's signals go on to them.
#[must_use]
pub fn chain() -> &'static Chain {
    &BEFORE
}

/// The handler.
///
/// # Safety
/// To be installed by `sigaction` with `SA_SIGINFO`; not to be called.
pub unsafe extern "C" fn on_signal(
    signal: c_int,
    info: *mut libc::siginfo_t,
    ucontext: *mut c_void,
) {
    let sampler = SAMPLER.load(Ordering::Acquire);
    // SAFETY: the published sampler is never freed.
    let Some(sampler) = (unsafe { sampler.as_ref() }) else {
        return;
    };
    // SAFETY: __errno_location always returns the thread's own errno.
    let errno = unsafe { *libc::__errno_location() };
    sampler.in_flight.fetch_add(1, Ordering::SeqCst);
    // SAFETY: `info` is the kernel's.
    match unsafe { sampler.find_thread(info) } {
        Found::Thread(key, slot) => {
            // SAFETY: `info` is the kernel's.
            if unsafe { (*info).si_code } == POLL_HUP {
                enable_again(slot);
            }
            // SeqCst, as `in_flight`: whoever disarms and then finds no handler in flight knows
            // that none will walk a stack any more.
            if !sampler.armed.load(Ordering::SeqCst) || !slot.is_current() {
                sampler.counters.count(Counter::StaleSignal);
            } else {
                // SAFETY: the handler runs on the slot's thread, `ucontext` is the kernel's.
                unsafe { sampler.tick(key, slot, ucontext) };
            }
        }
        Found::Stale => sampler.counters.count(Counter::StaleSignal),
        Found::Foreign => {
            sampler.counters.count(Counter::ForeignSignal);
            // SAFETY: the arguments go on unchanged to the handler that was there before.
            unsafe { BEFORE.pass_on(signal, info, ucontext) };
        }
    }
    sampler.in_flight.fetch_sub(1, Ordering::SeqCst);
    // SAFETY: as above.
    unsafe { *libc::__errno_location() = errno };
}

/// Where an object lies that the JVM has sampled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lies {
    /// Where the JVM's sampler takes objects evenly.
    InTlab,
    /// Where the JVM looks whether samples are overdue, as they often are behind objects outside; but only objects up to a size
    /// come to lie there.
    FirstOfTlab,
    /// Where the traps take samples of their own.
    Outside,
}

/// An object that the JVM has sampled.
#[derive(Clone, Copy, Debug)]
pub struct Allocation {
    /// Who has allocated it: the calling thread.
    pub thread: ThreadKey,
    /// The kernel's id of it.
    pub tid: u32,
    /// The number of its class.
    pub class: u32,
    /// Bytes.
    pub size: u64,
    /// The mean distance of samples in bytes that was in force at the thread's previous one.
    pub interval: u32,
    /// Its number among the live objects; 0 when it is not watched.
    pub live: u32,
    /// Whether it lies outside of TLABs and traps sample these: then no event is made of it.
    pub is_outside: bool,
}

/// An object that a trap has chosen.
#[derive(Clone, Copy, Debug)]
pub struct Trapped {
    /// [`RecordKind::AllocationInNewTlab`] or [`RecordKind::AllocationOutside`].
    pub kind: RecordKind,
    /// Who has allocated it: the calling thread.
    pub thread: ThreadKey,
    /// The address of its class.
    pub class: u64,
    /// Bytes.
    pub size: u64,
    /// How many objects that were trapped it stands for.
    pub objects: f32,
    /// It is among the counts of what was left of TLABs.
    pub is_counted: bool,
}

/// A tick under way.
struct Moment<'a> {
    tuning: &'static Tuning,
    key: ThreadKey,
    slot: &'a ThreadSlot,
    ucontext: *mut c_void,
    /// CLOCK_MONOTONIC nanoseconds.
    nanos: u64,
}

/// The part of `siginfo_t` that SIGIO-style signals fill (`_sigpoll` in the kernel's
/// asm-generic/siginfo.h).
#[repr(C)]
struct SigPoll {
    signal: c_int,
    errno: c_int,
    code: c_int,
    band: libc::c_long,
    fd: c_int,
}

impl Sampler {
    /// A sampler that takes no ticks yet.
    #[must_use]
    pub fn new(
        counters: &'static Counters,
        threads: ThreadTable,
        stripes: &'static [Stripe],
        tuning: &'static Tuning,
    ) -> Self {
        Self {
            counters,
            threads,
            stripes,
            tuning: AtomicPtr::new(ptr::from_ref(tuning).cast_mut()),
            armed: AtomicBool::new(false),
            in_flight: CachePadded::new(AtomicU32::new(0)),
            wake: CachePadded::new(AtomicU32::new(0)),
        }
    }

    /// Chooses anew, between two recordings.
    pub fn tune(&self, tuning: &'static Tuning) {
        self.tuning
            .store(ptr::from_ref(tuning).cast_mut(), Ordering::Release);
    }

    /// The present choice.
    #[inline]
    #[must_use]
    pub fn tuning(&self) -> &'static Tuning {
        // SAFETY: `new` and `tune`, which alone set it, take what lives for ever.
        unsafe { &*self.tuning.load(Ordering::Acquire) }
    }

    /// What a weight of 1 stands for.
    #[inline]
    #[must_use]
    pub fn interval(&self) -> u64 {
        self.tuning().interval
    }

    /// Whether it is CPU time that is sampled.
    #[inline]
    #[must_use]
    pub fn samples_cpu_time(&self) -> bool {
        self.tuning().unit == Unit::CpuNanos
    }

    #[inline]
    unsafe fn find_thread(&self, info: *const libc::siginfo_t) -> Found {
        // SAFETY: the kernel filled `info` in; si_code says which part of the union is valid.
        unsafe {
            match (*info).si_code {
                libc::SI_TIMER => self
                    .threads
                    .by_timer_value((*info).si_value().sival_ptr as usize),
                // POLL_IN to POLL_HUP: a descriptor with O_ASYNC and F_SETSIG, fcntl(2).
                1..=6 => self.threads.by_fd((*info.cast::<SigPoll>()).fd),
                // The process's timer, which says no more.
                libc::SI_KERNEL if PROCESS_TIMER.load(Ordering::Relaxed) => {
                    self.threads.by_current_tid()
                }
                _ => Found::Foreign,
            }
        }
    }

    /// What has been counted since the start.
    #[must_use]
    pub fn total(&self, counter: Counter) -> u64 {
        let stripes = self
            .stripes
            .iter()
            .map(|stripe| stripe.tally().get(counter));
        stripes.fold(self.counters.get(counter), u64::wrapping_add)
    }

    #[inline]
    unsafe fn tick(&self, key: ThreadKey, slot: &ThreadSlot, ucontext: *mut c_void) {
        let at = Moment {
            tuning: self.tuning(),
            key,
            slot,
            ucontext,
            nanos: clock::monotonic_nanos(),
        };
        // SAFETY: handed on from the caller.
        unsafe {
            match at.tuning.unit {
                Unit::CpuNanos => self.tick_of_clock(&at),
                Unit::Events => self.tick_of_event(&at),
            }
        }
    }

    #[inline]
    unsafe fn tick_of_clock(&self, at: &Moment<'_>) {
        let (tuning, slot) = (at.tuning, at.slot);
        if slot.take_first_tick() {
            // The random first period is over. At once: it may be shorter than this handler.
            set_period(slot, tuning.base_period);
        }
        let since_last = at.nanos.saturating_sub(slot.last_tick_nanos());
        // The process's timer runs on while other threads do, and so far apart that no guard is needed.
        let is_own_clock = slot.source() != TickSource::Process;
        let (weight, cpu_started) =
            if is_own_clock && slot.claim_regular_tick(since_last, tuning.interval) {
                (1, None)
            } else {
                let cpu = clock::thread_cpu_nanos();
                (slot.claim_tick(cpu, tuning.interval), Some(cpu))
            };
        // SAFETY: handed on from the caller.
        let taken = unsafe { self.take_tick(at, weight) };
        if is_own_clock {
            self.keep_application_going(tuning, slot, taken, cpu_started);
        }
    }

    /// Takes the sample of a tick that has claimed its weight, and counts what becomes of it. Returns the nanoseconds since
    /// the tick began.
    #[inline]
    unsafe fn take_tick(&self, at: &Moment<'_>, weight: u64) -> u64 {
        if weight == 0 {
            self.counters.count(Counter::Tick);
            self.counters.count(Counter::DropTooEarly);
            return clock::monotonic_nanos().saturating_sub(at.nanos);
        }
        let Some(mut stripe) = stripes::take(self.stripes, at.slot.tid()) else {
            self.counters.count(Counter::Tick);
            self.counters.count(Counter::DropStripesBusy);
            at.slot.give_back(weight, at.tuning.interval);
            return clock::monotonic_nanos().saturating_sub(at.nanos);
        };
        // SAFETY: handed on from the caller.
        let stored = unsafe { self.take_sample(at, weight, &mut stripe) };
        if !stored {
            at.slot.give_back(weight, at.tuning.interval);
        }
        let taken = clock::monotonic_nanos().saturating_sub(at.nanos);
        stripe.add(Counter::Tick, 1);
        stripe.add(Counter::HandlerNanos, taken);
        taken
    }

    /// False when the sample could not be stored, which has been counted.
    #[inline]
    unsafe fn take_sample(&self, at: &Moment<'_>, weight: u64, stripe: &mut Held<'_>) -> bool {
        let (slot, walker) = (at.slot, at.tuning.walker);
        // SAFETY: the handler runs on the slot's thread with the kernel's ucontext.
        let outcome = unsafe { walker.walk(slot, at.ucontext, &mut stripe.room(at.tuning.depth)) };
        let head = RecordHead {
            kind: RecordKind::Cpu,
            nanos: at.nanos,
            thread: at.key,
            weight: weight.min(u64::from(u32::MAX)) as u32,
            // SAFETY: as above.
            program_counter: unsafe { arch::program_counter(at.ucontext) },
            span_nanos: at.nanos.saturating_sub(slot.last_tick_nanos()),
            truncated: outcome.truncated,
            outside: outcome.outside,
            failure: outcome.failure,
        };
        let frames = stripe.ring_and_frames(outcome.frames);
        if !self.store(frames, &head) {
            stripe.add(Counter::DropRingFull, 1);
            self.wake_recorder();
            return false;
        }
        slot.set_last_tick_nanos(at.nanos);
        stripe.add(Counter::SampleTaken, 1);
        stripe.add(counter_of(outcome.failure), 1);
        if outcome.truncated {
            stripe.add(Counter::WalkTruncated, 1);
        }
        if outcome.searched {
            stripe.add(Counter::WalkSearched, 1);
        }
        true
    }

    /// Stores a record in the held stripe's ring or, when that is full, in any that is free: deep
    /// stacks of one thread fill its own ring within milliseconds.
    #[inline]
    fn store(&self, (ring, frames): (&Ring, &[Frame]), head: &RecordHead) -> bool {
        if self.store_in(ring, frames, head) {
            return true;
        }
        self.stripes.iter().any(|stripe| match stripe.try_lock() {
            Some(other) => self.store_in(other.ring(), frames, head),
            None => false,
        })
    }

    /// The caller holds the stripe of this ring.
    #[inline]
    fn store_in(&self, ring: &Ring, frames: &[Frame], head: &RecordHead) -> bool {
        // SAFETY: the stripe is held: this is the ring's only producer.
        let Some(room) = (unsafe { ring.reserve(record::length_in_words(frames.len() as u32)) })
        else {
            return false;
        };
        record::write(room, head, frames);
        if ring.used() > ring.capacity() / 2 {
            self.wake_recorder();
        }
        true
    }

    /// Emits what no tick stood for of a thread, outside signals. False when it could not be stored.
    pub fn emit_rest(
        &self,
        kind: RecordKind,
        key: ThreadKey,
        slot: &ThreadSlot,
        weight: u64,
    ) -> bool {
        let Some(stripe) = stripes::take(self.stripes, slot.tid()) else {
            return false;
        };
        let nanos = clock::monotonic_nanos();
        let head = RecordHead {
            kind,
            nanos,
            thread: key,
            weight: weight.min(u64::from(u32::MAX)) as u32,
            program_counter: 0,
            span_nanos: nanos.saturating_sub(slot.last_tick_nanos()),
            truncated: false,
            outside: false,
            failure: Failure::NoJavaFrame,
        };
        self.store_in(stripe.ring(), &[], &head)
    }

    /// Stores a sampled object, outside signals, with the stack that `walk` takes. False when there is no room, or none at this
    /// moment.
    pub fn emit_allocation(
        &self,
        allocation: &Allocation,
        walk: impl FnOnce(&mut Room<'_>) -> Outcome,
    ) -> bool {
        let Some(mut stripe) = stripes::take(self.stripes, allocation.tid) else {
            return false;
        };
        let outcome = walk(&mut stripe.room(self.tuning().depth));
        let head = RecordHead {
            kind: RecordKind::Allocation,
            nanos: clock::monotonic_nanos(),
            thread: allocation.thread,
            weight: allocation.class,
            program_counter: allocation.size,
            span_nanos: record::allocation_word(allocation.interval, allocation.live),
            truncated: outcome.truncated,
            outside: allocation.is_outside,
            failure: outcome.failure,
        };
        let stored = self.store(stripe.ring_and_frames(outcome.frames), &head);
        if !stored {
            self.wake_recorder();
        }
        stored
    }

    /// Stores an object that a trap has chosen, with the stack of the trapped thread. False when there is no room, or none at
    /// this moment.
    ///
    /// # Safety
    /// Called in a signal handler on the thread of `slot`, with the handler's `ucontext`.
    pub unsafe fn emit_trapped(
        &self,
        trapped: &Trapped,
        slot: &ThreadSlot,
        ucontext: *mut c_void,
    ) -> bool {
        let Some(mut stripe) = stripes::take(self.stripes, slot.tid()) else {
            return false;
        };
        let tuning = self.tuning();
        // SAFETY: handed on from the caller.
        let outcome = unsafe {
            tuning
                .walker
                .walk(slot, ucontext, &mut stripe.room(tuning.depth))
        };
        let head = RecordHead {
            kind: trapped.kind,
            nanos: clock::monotonic_nanos(),
            thread: trapped.thread,
            weight: trapped.objects.to_bits(),
            program_counter: trapped.size,
            span_nanos: trapped.class,
            truncated: outcome.truncated,
            outside: trapped.is_counted,
            failure: outcome.failure,
        };
        let stored = self.store(stripe.ring_and_frames(outcome.frames), &head);
        if !stored {
            self.wake_recorder();
        }
        stored
    }

    /// Asks the recorder to drain now; one system call per request that it has not seen yet.
    #[inline]
    pub fn wake_recorder(&self) {
        if self.wake.swap(1, Ordering::AcqRel) == 0 {
            // SAFETY: a futex wake on a word that lives for ever; futex(2).
            unsafe {
                libc::syscall(
                    libc::SYS_futex,
                    self.wake.as_ptr(),
                    libc::FUTEX_WAKE | libc::FUTEX_PRIVATE_FLAG,
                    1,
                );
            }
        }
    }
}

/// What a walk's end counts as.
#[inline]
const fn counter_of(failure: Failure) -> Counter {
    match failure {
        Failure::None => Counter::WalkOk,
        Failure::NoJavaFrame => Counter::WalkNoJavaFrame,
        Failure::NoClassLoad => Counter::WalkNoClassLoad,
        Failure::GcActive => Counter::WalkGcActive,
        Failure::UnknownNotJava => Counter::WalkUnknownNotJava,
        Failure::NotWalkableNotJava => Counter::WalkNotWalkableNotJava,
        Failure::UnknownJava => Counter::WalkUnknownJava,
        Failure::NotWalkableJava => Counter::WalkNotWalkableJava,
        Failure::UnknownState => Counter::WalkUnknownState,
        Failure::ThreadExit => Counter::WalkThreadExit,
        Failure::Deoptimization => Counter::WalkDeoptimization,
        Failure::Other => Counter::WalkOther,
        Failure::UnknownCode => Counter::WalkUnknownCode,
        Failure::NoReturnAddress => Counter::WalkNoReturnAddress,
        Failure::OutOfStack => Counter::WalkOutOfStack,
        Failure::BrokenInterpreted => Counter::WalkBrokenInterpreted,
        Failure::BrokenCompiled => Counter::WalkBrokenCompiled,
        Failure::BrokenEntry => Counter::WalkBrokenEntry,
        Failure::NoAnchor => Counter::WalkNoAnchor,
        Failure::Fault => Counter::WalkFault,
        Failure::TooLong => Counter::WalkTooLong,
        Failure::NoGuard => Counter::WalkNoGuard,
        Failure::NoWalker => Counter::WalkNoWalker,
    }
}

/// Our events have no limit; another handler of this signal that took one for its own may have set one, as async-profiler's
/// does.
fn enable_again(slot: &ThreadSlot) {
    if let TickSource::Perf(fd) = slot.source() {
        // SAFETY: the request takes no argument; the descriptor is the thread's own event.
        unsafe { libc::ioctl(fd, PERF_EVENT_IOC_ENABLE as _, 0) };
    }
}
