//! Ticks of perf events that count something other than time.
//!
//! The thread's count of them is what its CPU clock is for other ticks: a sample stands for what was
//! counted since the one before, so that signals which the kernel merges or holds back lose nothing.
//!
//! # Safety
//! Calls on a descriptor that the thread table holds, which write into local variables.
#![allow(unsafe_code)]

use core::ffi::c_int;

use super::pace::set_period;
use super::{Moment, Sampler};
use crate::clock;
use crate::counters::Counter;
use crate::threads::TickSource;

/// `PERF_EVENT_IOC_ID`: `_IOR('$', 7, __u64 *)`, linux/perf_event.h.
const PERF_EVENT_IOC_ID: libc::c_ulong = 0x8008_2407;

impl Sampler {
    #[inline]
    pub(super) unsafe fn tick_of_event(&self, at: &Moment<'_>) {
        let slot = at.slot;
        let TickSource::Perf(fd) = slot.source() else {
            self.counters.count(Counter::StaleSignal);
            return;
        };
        let cpu_started = clock::thread_cpu_nanos();
        let Some(count) = read_count(fd) else {
            self.counters.count(Counter::StaleSignal);
            return;
        };
        let was_first = slot.take_first_tick();
        if was_first {
            set_period(slot, at.tuning.base_period);
        }
        let was_new = slot.mark_period_as_new(was_first);
        let weight = slot.claim_events(count, at.tuning.interval);
        // SAFETY: handed on from the caller.
        unsafe { self.take_tick(at, weight) };
        if !was_first && !was_new {
            self.space_events(slot, at.tuning.base_period, cpu_started);
        }
        slot.set_cpu_at_last_event(clock::thread_cpu_nanos());
    }
}

/// What the event has counted since it was opened. `None` when the descriptor is no event any more: the application has closed
/// it behind our back, and reading would take what is its own.
#[inline]
fn read_count(fd: c_int) -> Option<u64> {
    let (mut id, mut count) = (0_u64, 0_u64);
    // SAFETY: the request writes one u64, or is not known to the file. read(2) of a perf event without a read format writes
    // one u64; by its number, since the function is a cancellation point.
    let bytes = unsafe {
        if libc::ioctl(fd, PERF_EVENT_IOC_ID as _, &raw mut id) == -1 {
            return None;
        }
        libc::syscall(libc::SYS_read, fd, &raw mut count, size_of::<u64>())
    };
    (bytes == size_of::<u64>() as libc::c_long).then_some(count)
}
