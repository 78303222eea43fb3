//! What is known of one thread, and the weights of its ticks.

use super::{Allocating, TickSource, gettid};
use crate::sync::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Ordering};
use crate::{arch, clock};

/// Regular ticks between two looks at a thread's CPU clock.
const MOST_UNREAD_TICKS: u32 = 15;

/// Marks a period that only holds until the first tick; periods are far below it.
const FIRST_PERIOD: u64 = 1 << 63;

/// One thread. All zero is a free slot.
#[derive(Debug, Default)]
#[repr(align(128))]
pub struct ThreadSlot {
    /// Odd while in use.
    pub(super) generation: AtomicU32,
    tid: AtomicU32,
    /// The owner's thread pointer, learned at its first tick; 0 before.
    owner: AtomicUsize,
    jni_env: AtomicUsize,
    /// What samples stand for, in CPU nanoseconds or in events.
    claimed: AtomicU64,
    /// What lies between two ticks, in the same unit.
    period: AtomicU64,
    last_tick_nanos: AtomicU64,
    /// Ticks whose CPU time was taken for an interval without a look at the thread's clock, since the last look.
    unread_ticks: AtomicU32,
    /// The period was changed in the last tick, after which the kernel lets the next event overflow at once.
    period_is_new: AtomicBool,
    /// The thread's CPU clock at the end of its last tick of an event.
    cpu_at_last_event: AtomicU64,
    pub(super) source: AtomicU64,
    /// The distance of allocation samples that was in force at the thread's last one; 0 before.
    allocation_interval: AtomicU64,
    /// What the traps of the JVM's allocations know of the thread.
    pub allocating: Allocating,
}

impl ThreadSlot {
    /// Makes a free slot that of a thread.
    pub(super) fn begin(&self, tid: u32, claimed: u64) {
        self.tid.store(tid, Ordering::Relaxed);
        self.owner.store(0, Ordering::Relaxed);
        self.jni_env.store(0, Ordering::Relaxed);
        self.claimed.store(claimed, Ordering::Relaxed);
        self.period.store(0, Ordering::Relaxed);
        self.last_tick_nanos
            .store(clock::monotonic_nanos(), Ordering::Relaxed);
        self.unread_ticks.store(0, Ordering::Relaxed);
        self.period_is_new.store(false, Ordering::Relaxed);
        self.cpu_at_last_event.store(0, Ordering::Relaxed);
        self.allocation_interval.store(0, Ordering::Relaxed);
        self.allocating.begin();
        self.source
            .store(TickSource::None.pack(), Ordering::Relaxed);
    }

    /// Notes the distance of allocation samples in bytes that is in force from now on, and gives the one that was; 0 before the
    /// first. Not for handlers.
    pub fn swap_allocation_interval(&self, bytes: u64) -> u64 {
        self.allocation_interval.swap(bytes, Ordering::Relaxed)
    }

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

    /// CPU nanoseconds of the thread that samples stand for so far (from the thread's birth, or
    /// from where sampling began), or events.
    #[inline]
    #[must_use]
    pub fn claimed(&self) -> u64 {
        self.claimed.load(Ordering::Relaxed)
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
            && self.period() == interval_nanos;
        let unread = self.unread_ticks.load(Ordering::Relaxed);
        if !is_regular || unread >= MOST_UNREAD_TICKS {
            self.unread_ticks.store(0, Ordering::Relaxed);
            return false;
        }
        self.unread_ticks.store(unread + 1, Ordering::Relaxed);
        self.claimed.fetch_add(interval_nanos, Ordering::Relaxed);
        true
    }

    /// Claims the events up to a tick, by the thread's count of them, and returns its weight: the unclaimed ones in
    /// intervals, rounded to the nearest, at least 1. 0 when samples stand for all of them already: the kernel lets an event
    /// overflow at once after its period was changed.
    ///
    /// The first tick comes after a random part of an interval and stands for a whole one, as with [`Self::claim_tick`].
    #[inline]
    #[must_use]
    pub fn claim_events(&self, count: u64, interval: u64) -> u64 {
        self.claim_by(count, interval, event_weight)
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
        self.claimed
            .fetch_sub(weight.wrapping_mul(interval_nanos), Ordering::Relaxed);
    }

    #[inline]
    fn claim_by(&self, now: u64, interval: u64, weigh: fn(i64, u64) -> u64) -> u64 {
        let mut claimed = self.claimed();
        loop {
            let weight = weigh(now.wrapping_sub(claimed).cast_signed(), interval);
            let next = claimed.wrapping_add(weight.wrapping_mul(interval));
            // It fails only when somebody else has claimed in between: once a chunk at most.
            match self
                .claimed
                .compare_exchange(claimed, next, Ordering::Relaxed, Ordering::Relaxed)
            {
                Ok(_) => return weight,
                Err(other) => claimed = other,
            }
        }
    }

    /// The present distance between ticks, in CPU nanoseconds or in events.
    #[inline]
    #[must_use]
    pub fn period(&self) -> u64 {
        self.period.load(Ordering::Relaxed)
    }

    /// Notes the distance between ticks.
    #[inline]
    pub fn set_period(&self, period: u64) {
        self.period.store(period, Ordering::Relaxed);
    }

    /// Notes that the period was changed in this tick, or was not; and says whether it was in the one before.
    #[inline]
    pub fn mark_period_as_new(&self, is_new: bool) -> bool {
        self.period_is_new.swap(is_new, Ordering::Relaxed)
    }

    /// The thread's CPU clock at the end of its last tick of an event; 0 before the first.
    #[inline]
    #[must_use]
    pub fn cpu_at_last_event(&self) -> u64 {
        self.cpu_at_last_event.load(Ordering::Relaxed)
    }

    /// Notes the thread's CPU clock at the end of a tick.
    #[inline]
    pub fn set_cpu_at_last_event(&self, cpu_nanos: u64) {
        self.cpu_at_last_event.store(cpu_nanos, Ordering::Relaxed);
    }

    /// Whether this is the first tick since the event was opened with a period of its own.
    #[inline]
    #[must_use]
    pub fn take_first_tick(&self) -> bool {
        let first = self.period() & FIRST_PERIOD != 0;
        if first {
            self.set_period(self.period() & !FIRST_PERIOD);
        }
        first
    }

    /// Notes the distance to the first tick, which differs from that of the others.
    pub fn set_first_period(&self, period: u64) {
        self.set_period(period | FIRST_PERIOD);
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
        cpu_nanos.wrapping_sub(self.claimed()).cast_signed()
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
fn whole_intervals(unclaimed: i64, interval: u64) -> u64 {
    u64::try_from(unclaimed)
        .unwrap_or(0)
        .checked_div(interval)
        .unwrap_or(0)
}

#[inline]
fn tick_weight(unclaimed: i64, interval_nanos: u64) -> u64 {
    let half = interval_nanos / 2;
    if unclaimed < -half.cast_signed() {
        return 0;
    }
    u64::try_from(unclaimed)
        .unwrap_or(0)
        .saturating_add(half)
        .checked_div(interval_nanos)
        .unwrap_or(0)
        .max(1)
}

#[inline]
fn event_weight(unclaimed: i64, interval: u64) -> u64 {
    if unclaimed <= 0 {
        return 0;
    }
    unclaimed
        .cast_unsigned()
        .saturating_add(interval / 2)
        .checked_div(interval)
        .unwrap_or(0)
        .max(1)
}
