//! The consumer side of the rings.
//!
//! # Safety
//! `Ring::take` asks for a single consumer. That is the recorder thread: `RingReader` is made once
//! per session and cannot be copied or sent.
#![allow(unsafe_code)]

use std::marker::PhantomData;

use jprof_signal_safe::stripes::Stripe;

/// The one reader of all rings.
#[derive(Debug)]
pub(super) struct RingReader {
    stripes: &'static [Stripe],
    not_send: PhantomData<*const ()>,
}

impl RingReader {
    /// The reader of these stripes' rings.
    ///
    /// # Safety
    /// No other reader of them exists.
    pub(super) const unsafe fn new(stripes: &'static [Stripe]) -> Self {
        Self {
            stripes,
            not_send: PhantomData,
        }
    }

    /// Copies the oldest record of stripe number `place` into `words`. False when there is none.
    pub(super) fn take(&mut self, place: usize, words: &mut Vec<u64>) -> bool {
        words.clear();
        // SAFETY: `self` is the only reader, and borrowed mutably.
        self.stripes
            .get(place)
            .is_some_and(|stripe| unsafe { stripe.ring().take(|word| words.push(word)) })
    }

    /// Throws away what an earlier recording has left.
    pub(super) fn discard_all(&mut self) {
        let mut words = Vec::new();
        for place in 0..self.len() {
            while self.take(place, &mut words) {}
        }
    }

    /// Number of rings.
    pub(super) const fn len(&self) -> usize {
        self.stripes.len()
    }

    /// Whether some handler writes at this moment.
    pub(super) fn any_writer(&self) -> bool {
        self.stripes.iter().any(Stripe::is_locked)
    }
}
