//! The distance between a thread's ticks: whatever they cost, the application gets on.
//!
//! # Safety
//! ioctl(2) and timer_settime(2) on the thread's own event or timer, with structures made here.
#![allow(unsafe_code)]

use core::ffi::c_void;
use core::ptr;

use super::{Sampler, Tuning};
use crate::clock;
use crate::counters::Counter;
use crate::threads::{ThreadSlot, TickSource};

/// What a tick costs the thread outside the handler: the timer interrupt, the signal's delivery
/// and its return. Measured on virtual machines: 24 to 26 µs.
pub const TICK_OVERHEAD_NANOS: u64 = 30_000;

/// `PERF_EVENT_IOC_PERIOD`: `_IOW('$', 4, __u64)`, linux/perf_event.h.
const PERF_EVENT_IOC_PERIOD: libc::c_ulong = 0x4008_2404;

/// A thread's events come closer together again when they leave it this many times what a tick costs. A change of the
/// period makes some of the next events overflow out of turn, and those may cost as much as a tick each.
const CHEAP: u64 = 256;

/// The longest period: perf_event_open(2) refuses those with the highest bit set.
const LONGEST_PERIOD: u64 = i64::MAX as u64;

/// The shortest period that leaves a thread at least half of its time when one tick takes
/// `handler_nanos` inside the handler.
#[inline]
#[must_use]
pub const fn shortest_period_nanos(handler_nanos: u64) -> u64 {
    (handler_nanos.saturating_add(TICK_OVERHEAD_NANOS)).saturating_mul(2)
}

impl Sampler {
    /// The event's clock runs on while the handler works, so a handler that nears the period
    /// would starve its thread. A thread whose ticks cost more than half of its period gets a
    /// longer one at once, and the old one back when its ticks are cheap again.
    #[inline]
    pub(super) fn keep_application_going(
        &self,
        tuning: &Tuning,
        slot: &ThreadSlot,
        taken: u64,
        cpu_started: Option<u64>,
    ) {
        let period = slot.period();
        let base = tuning.base_period;
        let mut shortest = shortest_period_nanos(taken);
        if shortest > period {
            // The thread may have been descheduled in here: only its CPU time counts. Where this tick has not looked at it,
            // the next one decides.
            let Some(cpu_started) = cpu_started else {
                slot.look_at_clock_next();
                return;
            };
            shortest = shortest_period_nanos(clock::thread_cpu_nanos().wrapping_sub(cpu_started));
        }
        if shortest > period {
            self.counters.count(Counter::PeriodLengthened);
            set_period(slot, shortest.saturating_mul(2));
        } else if period > base && shortest < period / 4 {
            set_period(slot, base.max(shortest.saturating_mul(2)));
        }
    }

    /// Events may come faster than they can be sampled; and one that the tick itself brings about, as a thread's switch to
    /// another when it goes on waiting, would bring about the next. Whatever they are, they leave the thread at least as much
    /// CPU time as its ticks cost: else twice as many events lie between two ticks from now on.
    #[inline]
    pub(super) fn space_events(&self, slot: &ThreadSlot, base: u64, cpu_started: u64) {
        let cost = clock::thread_cpu_nanos()
            .wrapping_sub(cpu_started)
            .saturating_add(TICK_OVERHEAD_NANOS);
        let left = cpu_started
            .saturating_sub(slot.cpu_at_last_event())
            .saturating_sub(TICK_OVERHEAD_NANOS);
        let period = slot.period();
        let spaced = if left < cost {
            self.counters.count(Counter::PeriodLengthened);
            period.saturating_mul(2).min(LONGEST_PERIOD)
        } else if period > base && left / CHEAP > cost {
            (period / 2).max(base)
        } else {
            return;
        };
        set_period(slot, spaced);
        slot.mark_period_as_new(true);
    }
}

/// Changes what lies between a thread's ticks. `period` is in CPU nanoseconds or in events, as the source counts.
pub(super) fn set_period(slot: &ThreadSlot, period: u64) {
    match slot.source() {
        TickSource::Perf(fd) => {
            // SAFETY: the request reads one u64; the descriptor is the thread's own event.
            unsafe { libc::ioctl(fd, PERF_EVENT_IOC_PERIOD as _, &raw const period) };
        }
        TickSource::Timer(id) => {
            let time = libc::timespec {
                tv_sec: (period / 1_000_000_000) as libc::time_t,
                tv_nsec: (period % 1_000_000_000) as libc::c_long,
            };
            let setting = libc::itimerspec {
                it_interval: time,
                it_value: time,
            };
            // SAFETY: the kernel reads `setting`; the timer is the thread's own, timer_settime(2).
            unsafe {
                libc::syscall(
                    libc::SYS_timer_settime,
                    id,
                    0,
                    &raw const setting,
                    ptr::null_mut::<c_void>(),
                );
            }
        }
        TickSource::Process | TickSource::None => return,
    }
    slot.set_period(period);
}
