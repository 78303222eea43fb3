//! The table of threads: what the handler must know about the thread it interrupts.
//!
//! A slot is filled and emptied outside signals by the registry (one writer at a time, under its
//! lock); the handler finds the slot of its own thread through the signal's information: the file
//! descriptor of a perf event, or the value that a timer carries. No look-up by thread id and no
//! thread-local storage is needed.

use crate::sync::{AtomicU32, AtomicU64, AtomicUsize, Ordering};
use crate::{arch, clock};

/// Marks the values that jprof's timers carry in `si_value` (bits 48 to 63).
const TIMER_TAG: usize = 0x6a70;

/// Regular ticks between two looks at a thread's CPU clock.
const MOST_UNREAD_TICKS: u32 = 15;

/// Marks a period that only holds until the first tick; periods are far below it.
const FIRST_PERIOD: u64 = 1 << 63;

/// What fires in a thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TickSource {
    /// Nothing: its time is claimed at the end of a chunk.
    None,
    /// A perf event, by file descriptor.
    Perf(i32),
    /// A timer on the thread's CPU clock, by the kernel's timer id.
    Timer(i32),
}

impl TickSource {
    const fn pack(self) -> u64 {
        match self {
            Self::None => 0,
            Self::Perf(fd) => (1 << 32) | fd.cast_unsigned() as u64,
            Self::Timer(id) => (2 << 32) | id.cast_unsigned() as u64,
        }
    }

    const fn unpack(word: u64) -> Self {
        let id = (word as u32).cast_signed();
        match word >> 32 {
            1 => Self::Perf(id),
            2 => Self::Timer(id),
            _ => Self::None,
        }
    }
}

/// Names one use of a slot: slots are used again, keys are not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ThreadKey(u64);

impl ThreadKey {
    /// The key as it stands in a record.
    #[must_use]
    pub const fn to_bits(self) -> u64 {
        self.0
    }

    /// The inverse of `to_bits`.
    #[must_use]
    pub const fn from_bits(bits: u64) -> Self {
        Self(bits)
    }

    /// The slot's place in the table.
    #[must_use]
    pub const fn index(self) -> u32 {
        self.0 as u32
    }
}

/// One thread. All zero is a free slot.
#[derive(Debug)]
#[repr(align(128))]
pub struct ThreadSlot {
    /// Odd while in use.
    generation: AtomicU32,
    tid: AtomicU32,
    /// The owner's thread pointer, learned at its first tick; 0 before.
    owner: AtomicUsize,
    jni_env: AtomicUsize,
    claimed_nanos: AtomicU64,
    period_nanos: AtomicU64,
    last_tick_nanos: AtomicU64,
    /// Ticks whose CPU time was taken for an interval without a look at the thread's clock, since the last look.
    unread_ticks: AtomicU32,
    source: AtomicU64,
    /// The distance of allocation samples that was in force at the thread's last one; 0 before.
    allocation_interval: AtomicU64,
}

impl ThreadSlot {
    /// The kernel's thread id.
    #[inline]
    #[must_use]
    pub fn tid(&self) -> u32 {
        self.tid.load(Ordering::Relaxed)
    }

    /// The thread's `JNIEnv*`, 0 when it is no Java thread (any more).
    #[inline]
    #[must_use]
    pub fn jni_env(&self) -> usize {
        self.jni_env.load(Ordering::Acquire)
    }

    /// Sets the `JNIEnv*`. It must be set to 0 by the thread itself before the JVM frees it.
    pub fn set_jni_env(&self, env: usize) {
        self.jni_env.store(env, Ordering::Release);
    }

    /// Notes the distance of allocation samples in bytes that is in force from now on, and gives the one that was; 0 before the
    /// first. Not for handlers.
    pub fn swap_allocation_interval(&self, bytes: u64) -> u64 {
        self.allocation_interval.swap(bytes, Ordering::Relaxed)
    }

    /// CPU nanoseconds of the thread that samples stand for so far (from the thread's birth, or
    /// from where sampling began).
    #[inline]
    #[must_use]
    pub fn claimed_nanos(&self) -> u64 {
        self.claimed_nanos.load(Ordering::Relaxed)
    }

    /// Claims the CPU time up to a tick, and returns its weight: the unclaimed time in intervals,
    /// rounded to the nearest, at least 1; what is left over or taken too much stays with the
    /// thread. 0 when samples are more than half an interval ahead.
    ///
    /// The first tick of a thread comes after a random part of an interval and stands for a whole
    /// one. So a thread that lives for a tenth of an interval has a tenth of a sample on average,
    /// and short threads show with their stacks.
    ///
    /// The handler and the recorder may claim at the same moment: no time is claimed twice.
    #[inline]
    #[must_use]
    pub fn claim_tick(&self, cpu_nanos: u64, interval_nanos: u64) -> u64 {
        self.claim_by(cpu_nanos, interval_nanos, tick_weight)
    }

    /// Claims one interval for a tick that came when the next was due, without a look at the thread's clock, which costs a
    /// system call. False when the clock must be asked: the tick came early or late, ticks do not come once an interval, or
    /// the last look is too long ago.
    ///
    /// An event's clock runs while its thread does, so ticks that follow each other by an interval of wall time are an interval
    /// of CPU time apart; what that is off by in sum is found at the next look.
    #[inline]
    #[must_use]
    pub fn claim_regular_tick(&self, since_last_nanos: u64, interval_nanos: u64) -> bool {
        let quarter = interval_nanos / 4;
        let is_regular = since_last_nanos >= interval_nanos - quarter
            && since_last_nanos <= interval_nanos.saturating_add(quarter)
            && self.period_nanos() == interval_nanos;
        let unread = self.unread_ticks.load(Ordering::Relaxed);
        if !is_regular || unread >= MOST_UNREAD_TICKS {
            self.unread_ticks.store(0, Ordering::Relaxed);
            return false;
        }
        self.unread_ticks.store(unread + 1, Ordering::Relaxed);
        self.claimed_nanos
            .fetch_add(interval_nanos, Ordering::Relaxed);
        true
    }

    /// Makes the next tick look at the thread's clock.
    #[inline]
    pub fn look_at_clock_next(&self) {
        self.unread_ticks
            .store(MOST_UNREAD_TICKS, Ordering::Relaxed);
    }

    /// Claims the whole intervals among the unclaimed CPU time, and returns their number: what no
    /// tick will stand for any more when the thread has ended.
    #[inline]
    #[must_use]
    pub fn claim_whole_intervals(&self, cpu_nanos: u64, interval_nanos: u64) -> u64 {
        self.claim_by(cpu_nanos, interval_nanos, whole_intervals)
    }

    /// Gives back what was claimed for a sample that could not be stored.
    #[inline]
    pub fn give_back(&self, weight: u64, interval_nanos: u64) {
        self.claimed_nanos
            .fetch_sub(weight.wrapping_mul(interval_nanos), Ordering::Relaxed);
    }

    #[inline]
    fn claim_by(&self, cpu_nanos: u64, interval_nanos: u64, count: fn(i64, u64) -> u64) -> u64 {
        let mut claimed = self.claimed_nanos();
        loop {
            let weight = count(
                cpu_nanos.wrapping_sub(claimed).cast_signed(),
                interval_nanos,
            );
            let next = claimed.wrapping_add(weight.wrapping_mul(interval_nanos));
            // It fails only when somebody else has claimed in between: once a chunk at most.
            match self.claimed_nanos.compare_exchange(
                claimed,
                next,
                Ordering::Relaxed,
                Ordering::Relaxed,
            ) {
                Ok(_) => return weight,
                Err(now) => claimed = now,
            }
        }
    }

    /// The present distance between ticks in CPU nanoseconds.
    #[inline]
    #[must_use]
    pub fn period_nanos(&self) -> u64 {
        self.period_nanos.load(Ordering::Relaxed)
    }

    /// Notes the distance between ticks.
    #[inline]
    pub fn set_period_nanos(&self, nanos: u64) {
        self.period_nanos.store(nanos, Ordering::Relaxed);
    }

    /// Whether this is the first tick since the event was opened with a period of its own.
    #[inline]
    #[must_use]
    pub fn take_first_tick(&self) -> bool {
        let first = self.period_nanos() & FIRST_PERIOD != 0;
        if first {
            self.set_period_nanos(self.period_nanos() & !FIRST_PERIOD);
        }
        first
    }

    /// Notes the distance to the first tick, which differs from that of the others.
    pub fn set_first_period_nanos(&self, nanos: u64) {
        self.set_period_nanos(nanos | FIRST_PERIOD);
    }

    /// Monotonic time of the previous sample, or of the registration.
    #[inline]
    #[must_use]
    pub fn last_tick_nanos(&self) -> u64 {
        self.last_tick_nanos.load(Ordering::Relaxed)
    }

    /// Notes the time of a sample.
    #[inline]
    pub fn set_last_tick_nanos(&self, nanos: u64) {
        self.last_tick_nanos.store(nanos, Ordering::Relaxed);
    }

    /// What fires in this thread.
    #[inline]
    #[must_use]
    pub fn source(&self) -> TickSource {
        TickSource::unpack(self.source.load(Ordering::Acquire))
    }

    /// CPU nanoseconds that the thread has used beyond what samples stand for; negative where
    /// samples are ahead.
    #[inline]
    #[must_use]
    pub fn unclaimed_nanos(&self, cpu_nanos: u64) -> i64 {
        cpu_nanos.wrapping_sub(self.claimed_nanos()).cast_signed()
    }

    /// Whether the calling thread is the slot's owner. One comparison, but for one system call at
    /// the thread's first tick.
    #[inline]
    #[must_use]
    pub fn is_current(&self) -> bool {
        let pointer = arch::thread_pointer();
        match self.owner.load(Ordering::Relaxed) {
            0 => {
                let own = gettid() == self.tid();
                if own {
                    self.owner.store(pointer, Ordering::Relaxed);
                }
                own
            }
            owner => owner == pointer,
        }
    }
}

#[inline]
fn whole_intervals(unclaimed_nanos: i64, interval_nanos: u64) -> u64 {
    u64::try_from(unclaimed_nanos)
        .unwrap_or(0)
        .checked_div(interval_nanos)
        .unwrap_or(0)
}

#[inline]
fn tick_weight(unclaimed_nanos: i64, interval_nanos: u64) -> u64 {
    let half = interval_nanos / 2;
    if unclaimed_nanos < -half.cast_signed() {
        return 0;
    }
    u64::try_from(unclaimed_nanos)
        .unwrap_or(0)
        .saturating_add(half)
        .checked_div(interval_nanos)
        .unwrap_or(0)
        .max(1)
}

#[allow(unsafe_code)]
fn gettid() -> u32 {
    // SAFETY: gettid takes nothing and cannot fail; `syscall` is used since the wrapper is newer
    // than glibc 2.17.
    unsafe { libc::syscall(libc::SYS_gettid) as u32 }
}

/// The table.
#[derive(Debug)]
pub struct ThreadTable {
    slots: &'static [ThreadSlot],
    /// By file descriptor: slot index + 1, 0 for none.
    by_fd: &'static [AtomicU32],
}

impl ThreadTable {
    /// A table over zeroed memory.
    #[must_use]
    pub const fn new(slots: &'static [ThreadSlot], by_fd: &'static [AtomicU32]) -> Self {
        Self { slots, by_fd }
    }

    /// Number of slots.
    #[must_use]
    pub const fn capacity(&self) -> usize {
        self.slots.len()
    }

    /// File descriptors below this can be found by the handler.
    #[must_use]
    pub const fn fd_limit(&self) -> usize {
        self.by_fd.len()
    }

    /// Registry only: takes the free slot `index` for a thread whose CPU time up to
    /// `claimed_nanos` is not to be claimed. `None` when the slot is in use or out of range.
    pub fn occupy(&self, index: u32, tid: u32, claimed_nanos: u64) -> Option<ThreadKey> {
        let slot = self.slots.get(index as usize)?;
        let generation = slot.generation.load(Ordering::Relaxed);
        if generation & 1 == 1 {
            return None;
        }
        slot.tid.store(tid, Ordering::Relaxed);
        slot.owner.store(0, Ordering::Relaxed);
        slot.jni_env.store(0, Ordering::Relaxed);
        slot.claimed_nanos.store(claimed_nanos, Ordering::Relaxed);
        slot.period_nanos.store(0, Ordering::Relaxed);
        slot.last_tick_nanos
            .store(clock::monotonic_nanos(), Ordering::Relaxed);
        slot.unread_ticks.store(0, Ordering::Relaxed);
        slot.allocation_interval.store(0, Ordering::Relaxed);
        slot.source
            .store(TickSource::None.pack(), Ordering::Relaxed);
        let generation = generation.wrapping_add(1);
        slot.generation.store(generation, Ordering::Release);
        Some(key(index, generation))
    }

    /// Registry only: notes what fires in a thread in which nothing did. Must precede the arming of
    /// a timer or event. False when the descriptor is beyond the table, or the thread has ended.
    #[must_use]
    pub fn set_source(&self, key: ThreadKey, source: TickSource) -> bool {
        let Some(slot) = self.get(key) else {
            return false;
        };
        if let TickSource::Perf(fd) = source {
            let Some(entry) = self.fd_entry(fd) else {
                return false;
            };
            slot.source.store(source.pack(), Ordering::Release);
            entry.store(key.index() + 1, Ordering::Release);
        } else {
            slot.source.store(source.pack(), Ordering::Release);
        }
        true
    }

    /// Takes away what fires in a thread. Whoever gets it, and nobody else, is to close it: of two
    /// who ask at the same moment one gets `None`, since a descriptor that is closed twice may be
    /// somebody else's by then.
    #[must_use]
    pub fn take_source(&self, key: ThreadKey) -> TickSource {
        let Some(slot) = self.get(key) else {
            return TickSource::None;
        };
        let source =
            TickSource::unpack(slot.source.swap(TickSource::None.pack(), Ordering::AcqRel));
        if let TickSource::Perf(fd) = source {
            let ours = self.fd_entry(fd).is_some_and(|entry| {
                let own = key.index() + 1;
                entry
                    .compare_exchange(own, 0, Ordering::AcqRel, Ordering::Relaxed)
                    .is_ok()
            });
            // Not ours any more: the application has closed it behind our back, and another
            // thread's event has got the number.
            if !ours {
                return TickSource::None;
            }
        }
        source
    }

    /// Registry only: frees the slot. What fired must have been taken away.
    pub fn release(&self, key: ThreadKey) {
        if let Some(slot) = self.get(key) {
            slot.jni_env.store(0, Ordering::Release);
            slot.generation.fetch_add(1, Ordering::Release);
        }
    }

    /// The slot of a key, while that use of it lasts.
    #[inline]
    #[must_use]
    pub fn get(&self, key: ThreadKey) -> Option<&'static ThreadSlot> {
        let slot = self.slots.get(key.index() as usize)?;
        (slot.generation.load(Ordering::Acquire) == (key.0 >> 32) as u32).then_some(slot)
    }

    /// What `timer_create` is given as `sival_ptr` for a thread.
    #[must_use]
    pub const fn timer_value(key: ThreadKey) -> usize {
        (TIMER_TAG << 48) | (((key.0 >> 32) as usize & 0xffff) << 32) | key.index() as usize
    }

    /// Handler: the thread of a timer's value.
    #[inline]
    #[must_use]
    pub fn by_timer_value(&self, value: usize) -> Found {
        if value >> 48 != TIMER_TAG {
            return Found::Foreign;
        }
        let index = value as u32;
        let Some(slot) = self.slots.get(index as usize) else {
            return Found::Foreign;
        };
        let generation = slot.generation.load(Ordering::Acquire);
        if generation as usize & 0xffff != (value >> 32) & 0xffff {
            return Found::Stale;
        }
        Found::Thread(key(index, generation), slot)
    }

    /// Handler: the thread of a perf event's descriptor.
    #[inline]
    #[must_use]
    pub fn by_fd(&self, fd: i32) -> Found {
        let Some(entry) = self.fd_entry(fd) else {
            return Found::Foreign;
        };
        let Some(index) = entry.load(Ordering::Acquire).checked_sub(1) else {
            return Found::Stale;
        };
        let Some(slot) = self.slots.get(index as usize) else {
            return Found::Foreign;
        };
        let generation = slot.generation.load(Ordering::Acquire);
        if generation & 1 == 0 || slot.source() != TickSource::Perf(fd) {
            return Found::Stale;
        }
        Found::Thread(key(index, generation), slot)
    }

    #[inline]
    fn fd_entry(&self, fd: i32) -> Option<&'static AtomicU32> {
        self.by_fd.get(usize::try_from(fd).ok()?)
    }
}

/// The answer to a handler's look-up.
#[derive(Clone, Copy, Debug)]
pub enum Found {
    /// A thread that is sampled.
    Thread(ThreadKey, &'static ThreadSlot),
    /// It was jprof's, but the thread or its event is gone.
    Stale,
    /// Not jprof's.
    Foreign,
}

const fn key(index: u32, generation: u32) -> ThreadKey {
    ThreadKey(((generation as u64) << 32) | index as u64)
}

#[cfg(test)]
impl ThreadSlot {
    /// A free slot, where memory is not zeroed.
    pub(crate) fn free() -> Self {
        Self {
            generation: AtomicU32::new(0),
            tid: AtomicU32::new(0),
            owner: AtomicUsize::new(0),
            jni_env: AtomicUsize::new(0),
            claimed_nanos: AtomicU64::new(0),
            period_nanos: AtomicU64::new(0),
            last_tick_nanos: AtomicU64::new(0),
            unread_ticks: AtomicU32::new(0),
            source: AtomicU64::new(0),
            allocation_interval: AtomicU64::new(0),
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests;
