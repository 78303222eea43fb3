//! Stripes: several rings, each with a lock that is only ever tried, and room for one stack.
//!
//! # Safety
//! The frame buffer and the cache of a stripe are touched only by the holder of its lock.
#![allow(unsafe_code)]

use core::cell::UnsafeCell;

use crossbeam_utils::CachePadded;

use crate::counters::{Counter, Tally};
use crate::ring::Ring;
use crate::sync::{AtomicBool, Ordering};
use crate::walker::{CachedFrame, Frame, Room};

/// How many stripes a tick tries before it gives up.
const TRIES: usize = 3;

/// One stripe.
#[derive(Debug)]
pub struct Stripe {
    locked: CachePadded<AtomicBool>,
    tally: CachePadded<Tally>,
    ring: Ring,
    frames: &'static UnsafeCell<[Frame]>,
    cache: &'static UnsafeCell<[CachedFrame]>,
}

// SAFETY: see the module: the lock guards the frames, and the ring is `Sync`.
unsafe impl Sync for Stripe {}

impl Stripe {
    /// A stripe over its ring, its frame buffer, and its cache for walks, whose length is a power of two or 0.
    #[must_use]
    pub fn new(
        ring: Ring,
        frames: &'static UnsafeCell<[Frame]>,
        cache: &'static UnsafeCell<[CachedFrame]>,
    ) -> Self {
        Self {
            locked: CachePadded::new(AtomicBool::new(false)),
            tally: CachePadded::new(Tally::new()),
            ring,
            frames,
            cache,
        }
    }

    /// The ring; its consumer side belongs to the recorder.
    #[must_use]
    pub fn ring(&self) -> &Ring {
        &self.ring
    }

    /// What its holders have counted.
    #[must_use]
    pub fn tally(&self) -> &Tally {
        &self.tally
    }

    /// Whether somebody writes at this moment.
    #[must_use]
    pub fn is_locked(&self) -> bool {
        self.locked.load(Ordering::Acquire)
    }

    /// Takes the stripe unless somebody has it.
    #[inline]
    #[must_use]
    pub fn try_lock(&self) -> Option<Held<'_>> {
        let taken = self
            .locked
            .compare_exchange(false, true, Ordering::Acquire, Ordering::Relaxed)
            .is_ok();
        // Made only when it was taken: one that is made and dropped would open the lock of who has it.
        taken.then(|| Held { stripe: self })
    }
}

/// A stripe held by one writer.
#[derive(Debug)]
pub struct Held<'a> {
    stripe: &'a Stripe,
}

impl<'a> Held<'a> {
    /// The frame buffer.
    #[inline]
    pub fn frames(&mut self) -> &mut [Frame] {
        // SAFETY: this is the only holder of the lock, and `self` is borrowed mutably.
        unsafe { &mut *self.stripe.frames.get() }
    }

    /// Counts.
    #[inline]
    pub fn add(&mut self, counter: Counter, number: u64) {
        self.stripe.tally.add(counter, number);
    }

    /// What a walk of at most `depth` frames works on.
    #[inline]
    pub fn room(&mut self, depth: usize) -> Room<'_> {
        // SAFETY: this is the only holder of the lock, and `self` is borrowed mutably.
        let (frames, cache) = unsafe {
            (
                &mut *self.stripe.frames.get(),
                &mut *self.stripe.cache.get(),
            )
        };
        let depth = depth.min(frames.len());
        Room {
            frames: frames.get_mut(..depth).unwrap_or(&mut []),
            cache,
        }
    }

    /// The ring, and the first `count` frames of the buffer.
    #[inline]
    pub fn ring_and_frames(&mut self, count: usize) -> (&'a Ring, &[Frame]) {
        let ring = self.ring();
        (ring, self.frames().get(..count).unwrap_or(&[]))
    }

    /// The ring, whose only producer the holder is.
    #[inline]
    #[must_use]
    pub fn ring(&self) -> &'a Ring {
        &self.stripe.ring
    }
}

impl Drop for Held<'_> {
    #[inline]
    fn drop(&mut self) {
        self.stripe.locked.store(false, Ordering::Release);
    }
}

/// Takes a stripe for the thread, or none when the three tried are in use. Never waits.
#[inline]
#[must_use]
pub fn take(stripes: &[Stripe], tid: u32) -> Option<Held<'_>> {
    let count = stripes.len();
    // Thread ids are given out one after another: a multiplicative hash spreads them.
    let first = (tid.wrapping_mul(0x9e37_79b1) >> 16) as usize;
    (0..TRIES.min(count)).find_map(|offset| {
        let place = first.wrapping_add(offset).checked_rem(count)?;
        stripes.get(place)?.try_lock()
    })
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use std::boxed::Box;
    use std::vec::Vec;

    fn stripe() -> Stripe {
        let words: Vec<_> = (0..4).map(|_| crate::sync::Word::new(0)).collect();
        let ring = Ring::new(Box::leak(words.into_boxed_slice())).expect("a power of two");
        Stripe::new(
            ring,
            Box::leak(Box::new(UnsafeCell::new([]))),
            Box::leak(Box::new(UnsafeCell::new([]))),
        )
    }

    #[test]
    fn who_does_not_get_it_leaves_it_to_who_has_it() {
        let stripe = stripe();
        let held = stripe.try_lock().expect("free");
        for _ in 0..3 {
            assert!(stripe.try_lock().is_none());
            assert!(stripe.is_locked());
        }
        drop(held);
        assert!(!stripe.is_locked());
        assert!(stripe.try_lock().is_some());
    }

    #[test]
    fn a_thread_gets_one_of_three_and_no_fourth() {
        let stripes: Vec<Stripe> = (0..4).map(|_| stripe()).collect();
        let held: Vec<_> = (0..4).map_while(|_| take(&stripes, 7)).collect();
        assert_eq!(held.len(), 3);
        assert!(take(&stripes, 7).is_none());
    }
}
