//! Time in chunks: monotonic nanoseconds inside, wall-clock time at the edges.
//!
//! # Safety
//! `futex` is given a word that lives for ever.
#![allow(unsafe_code)]

use std::ptr;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use jprof_signal_safe::clock::monotonic_nanos;
use once_cell::sync::OnceCell;

/// Ticks of the recordings' clock: microseconds since the process's first recorder began. Finer ticks are noise
/// that does not compress: 1.5 bytes more per sample.
pub(super) const TICKS_PER_SECOND: u64 = 1_000_000;

const NANOS_PER_TICK: u64 = 1_000_000_000 / TICKS_PER_SECOND;

/// A wall clock that differs from the expected time by more than this was set, not slewed.
const CLOCK_SET_NANOS: u64 = 500_000_000;

/// When the first recorder of this process began. A file may hold chunks of several recordings, and JDK 25's reader takes
/// them all for one clock's.
static FIRST_ORIGIN: OnceCell<u64> = OnceCell::new();

/// The origin of the clocks of all recordings in this process; `start` if this is the first.
pub(super) fn origin(start: u64) -> u64 {
    *FIRST_ORIGIN.get_or_init(|| start)
}

/// Where the present chunk began.
#[derive(Debug)]
pub(super) struct ChunkClock {
    origin: u64,
    boundary: u64,
    unix_nanos: u64,
    was_set: bool,
}

impl ChunkClock {
    /// A clock that counts from `origin`, and whose first chunk begins at `boundary`, both monotonic times.
    pub(super) fn start(origin: u64, boundary: u64) -> Self {
        Self {
            origin,
            boundary,
            unix_nanos: wall_at(boundary),
            was_set: false,
        }
    }

    /// The monotonic time of the present chunk's start.
    pub(super) const fn boundary(&self) -> u64 {
        self.boundary
    }

    /// The wall-clock time of the present chunk's start.
    pub(super) const fn unix_nanos(&self) -> u64 {
        self.unix_nanos
    }

    /// Ticks of a monotonic time.
    pub(super) const fn ticks(&self, nanos: u64) -> u64 {
        nanos.saturating_sub(self.origin) / NANOS_PER_TICK
    }

    /// Ticks of a length of time.
    pub(super) const fn span_ticks(&self, nanos: u64) -> u64 {
        nanos / NANOS_PER_TICK
    }

    /// Moves on to the next chunk, which begins at `boundary`: where this one ends. The length is
    /// the true one even when the wall clock was set in between.
    pub(super) fn advance(&mut self, boundary: u64) {
        let expected = self.unix_nanos + boundary.saturating_sub(self.boundary);
        let wall = wall_at(boundary);
        self.was_set = wall.abs_diff(expected) > CLOCK_SET_NANOS;
        // Equal starts and ends would make rates infinite: a chunk lasts at least one nanosecond.
        self.unix_nanos = if self.was_set { expected } else { wall }.max(self.unix_nanos + 1);
        self.boundary = boundary;
    }

    /// After the wall clock was set, the next chunk begins at its new time.
    pub(super) fn resume_from_wall(&mut self) {
        if self.was_set {
            self.unix_nanos = wall_at(self.boundary);
        }
    }
}

fn wall_at(monotonic: u64) -> u64 {
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    let since = monotonic_nanos().saturating_sub(monotonic);
    u64::try_from(now.as_nanos())
        .unwrap_or(u64::MAX)
        .saturating_sub(since)
}

/// Sleeps until a handler or an order wakes the recorder, at most `nanos`.
pub(super) fn sleep_until_woken(wake: &AtomicU32, nanos: u64) {
    if wake.load(Ordering::Acquire) == 0 {
        let timeout = libc::timespec {
            tv_sec: (nanos / 1_000_000_000) as libc::time_t,
            tv_nsec: (nanos % 1_000_000_000) as libc::c_long,
        };
        // SAFETY: see the module; futex(2) returns at once when the word is not 0 any more.
        unsafe {
            libc::syscall(
                libc::SYS_futex,
                wake.as_ptr(),
                libc::FUTEX_WAIT | libc::FUTEX_PRIVATE_FLAG,
                0,
                &raw const timeout,
                ptr::null_mut::<u32>(),
                0,
            );
        }
    }
    wake.store(0, Ordering::Release);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_touch_and_last_as_long_as_they_lasted() {
        let start = monotonic_nanos();
        let mut clock = ChunkClock::start(start, start);
        let first = clock.unix_nanos();
        clock.advance(start + 5_000_000);
        let second = clock.unix_nanos();
        assert!(second.abs_diff(first + 5_000_000) < 1_000_000_000);
        clock.resume_from_wall();
        assert_eq!(clock.unix_nanos(), second);
    }

    #[test]
    fn a_clock_that_was_set_does_not_change_a_chunks_length() {
        let start = monotonic_nanos();
        let mut clock = ChunkClock::start(start, start);
        clock.unix_nanos += 3_600_000_000_000;
        let from = clock.unix_nanos();
        clock.advance(start + 1_000_000_000);
        assert_eq!(clock.unix_nanos() - from, 1_000_000_000);
        clock.resume_from_wall();
        assert!(clock.unix_nanos() < from);
    }
}
