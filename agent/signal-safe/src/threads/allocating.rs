//! What the traps of the JVM's allocations know of one thread. All zero is a thread that has allocated nothing yet.

use crate::countdown;
use crate::sync::{AtomicU64, Ordering};

/// Written by the thread itself only, in the handler of its traps.
#[derive(Debug, Default)]
pub struct Allocating {
    /// State of the thread's own random numbers; 0 before the first.
    random: AtomicU64,
    /// What is left of the way to the next sample, in intervals, as the bits of an `f64`; 0 where none has been drawn.
    inside: AtomicU64,
    outside: AtomicU64,
    /// Bytes of the objects that were allocated outside of a TLAB.
    outside_bytes: AtomicU64,
    /// What the thread had allocated when it allocated the last of these, with it; 0 where there was none.
    last_outside: AtomicU64,
}

impl Allocating {
    pub(super) fn begin(&self) {
        let all = [
            &self.random,
            &self.inside,
            &self.outside,
            &self.outside_bytes,
            &self.last_outside,
        ];
        for word in all {
            word.store(0, Ordering::Relaxed);
        }
    }

    /// Bytes that were allocated outside of TLABs.
    #[must_use]
    pub fn outside_bytes(&self) -> u64 {
        self.outside_bytes.load(Ordering::Relaxed)
    }

    /// Handler: so many more were.
    #[inline]
    pub fn count_outside(&self, bytes: u64) {
        let before = self.outside_bytes.load(Ordering::Relaxed);
        self.outside_bytes
            .store(before.wrapping_add(bytes), Ordering::Relaxed);
    }

    /// Handler: the thread has allocated so much in all, and the last object lies outside of a TLAB.
    #[inline]
    pub fn note_outside(&self, allocated: u64) {
        self.last_outside.store(allocated, Ordering::Relaxed);
    }

    /// Whether the last object of a thread that has allocated so much in all lies outside of a TLAB: nothing has been
    /// allocated since one did.
    #[must_use]
    pub fn is_outside(&self, allocated: u64) -> bool {
        allocated != 0 && self.last_outside.load(Ordering::Relaxed) == allocated
    }

    /// Handler: goes on by `way` intervals in new TLABs. Whether a sample is due.
    #[inline]
    pub fn advance_inside(&self, way: f64, seed: u64) -> bool {
        self.advance(&self.inside, way, seed)
    }

    /// Handler: goes on by `way` intervals outside of TLABs. Whether a sample is due.
    #[inline]
    pub fn advance_outside(&self, way: f64, seed: u64) -> bool {
        self.advance(&self.outside, way, seed)
    }

    /// The distance between two samples is exponential, so what is left of it is as well, wherever one looks: samples of
    /// objects of one size are as likely as each other, and another interval from now on changes only the way.
    #[inline]
    fn advance(&self, left: &AtomicU64, way: f64, seed: u64) -> bool {
        let mut before = f64::from_bits(left.load(Ordering::Relaxed));
        if before <= 0.0 {
            before = countdown::exponential(self.next_random(seed));
        }
        let after = before - way;
        let is_due = after <= 0.0;
        // 0 has the next one drawn.
        let after = if is_due { 0.0 } else { after };
        left.store(after.to_bits(), Ordering::Relaxed);
        is_due
    }

    #[inline]
    fn next_random(&self, seed: u64) -> u64 {
        let state = match self.random.load(Ordering::Relaxed) {
            0 => seed | 1,
            state => state,
        };
        let (state, number) = countdown::random(state);
        self.random.store(state, Ordering::Relaxed);
        number
    }
}
