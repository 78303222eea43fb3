//! The samples' sum is made what the threads' own counters say.
//!
//! What each thread has allocated the JVM counts exactly. So samples wait until there are enough of them, and their weights
//! are then stretched by what was allocated meanwhile over what they would stand for by themselves: the sum is true, and
//! each site's share of its thread is what the samples say.
//!
//! What that cannot mend: up to 21 (as seen), the JVM's sampler takes too few of the middling objects that a thread allocates
//! outside of its buffer (TLAB), and too many of those inside of it when it does both. `docs/allocation.md` has figures.

use jprof_signal_safe::threads::ThreadKey;
use rustc_hash::FxHashMap;

/// Samples that are stretched together. Of so many the sum is some 5 % off by chance.
pub(crate) const ENOUGH: usize = 400;

/// A thread with so many of them has a measure of its own. With fewer, the sum of a thread would be right at the price of
/// its sites: a single sample would stand for all that the thread has allocated, also if it is one that is always taken.
const ENOUGH_OF_A_THREAD: usize = 50;

/// What the threads have allocated, as the JVM counts it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Allocated {
    /// All threads, those that have ended as well.
    pub total: u64,
    /// Each thread that lives.
    pub threads: FxHashMap<ThreadKey, u64>,
}

impl Allocated {
    /// What is left without a part of it.
    #[must_use]
    pub fn without(&self, part: &Self) -> Self {
        let rest = |(&key, &bytes): (&ThreadKey, &u64)| {
            let part = part.threads.get(&key).copied().unwrap_or(0);
            (key, bytes.saturating_sub(part))
        };
        Self {
            total: self.total.saturating_sub(part.total),
            threads: self.threads.iter().map(rest).collect(),
        }
    }
}

/// What the samples of a thread stand for by themselves.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Estimate {
    pub(crate) samples: usize,
    pub(crate) bytes: f64,
}

/// By what to multiply the weights.
#[derive(Debug)]
pub(crate) struct Factors {
    own: FxHashMap<ThreadKey, f64>,
    rest: f64,
}

impl Factors {
    pub(crate) fn of(&self, thread: ThreadKey) -> f64 {
        self.own.get(&thread).copied().unwrap_or(self.rest)
    }
}

/// The account of one recording.
#[derive(Debug)]
pub(crate) struct Calibration {
    last: Allocated,
    /// What was allocated while there was no sample of the rest of the threads.
    waiting: u64,
}

impl Calibration {
    /// The counters as the recording begins.
    pub(crate) const fn new(now: Allocated) -> Self {
        Self {
            last: now,
            waiting: 0,
        }
    }

    /// Closes the account of some samples, by what the counters say now.
    pub(crate) fn close(
        &mut self,
        now: Allocated,
        estimates: &FxHashMap<ThreadKey, Estimate>,
    ) -> Factors {
        let mut rest = now.total.saturating_sub(self.last.total) + self.waiting;
        let mut own = FxHashMap::default();
        let mut rest_estimated = 0.0;
        for (&thread, estimate) in estimates {
            let before = self.last.threads.get(&thread).copied().unwrap_or(0);
            let allocated = now
                .threads
                .get(&thread)
                .map(|now| now.saturating_sub(before));
            match allocated.filter(|&bytes| bytes > 0) {
                Some(allocated) if estimate.samples >= ENOUGH_OF_A_THREAD => {
                    own.insert(thread, allocated as f64 / estimate.bytes);
                    rest = rest.saturating_sub(allocated);
                }
                _ => rest_estimated += estimate.bytes,
            }
        }
        let is_counted = rest_estimated > 0.0 && rest > 0;
        let factor = if is_counted {
            rest as f64 / rest_estimated
        } else {
            1.0
        };
        self.waiting = if is_counted { 0 } else { rest };
        self.last = now;
        Factors { own, rest: factor }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: ThreadKey = ThreadKey::from_bits(1);
    const B: ThreadKey = ThreadKey::from_bits(2);

    fn allocated(total: u64, threads: &[(ThreadKey, u64)]) -> Allocated {
        Allocated {
            total,
            threads: threads.iter().copied().collect(),
        }
    }

    fn estimates(of: &[(ThreadKey, usize, f64)]) -> FxHashMap<ThreadKey, Estimate> {
        of.iter()
            .map(|&(thread, samples, bytes)| (thread, Estimate { samples, bytes }))
            .collect()
    }

    fn is(value: f64, expected: f64) {
        assert!((value / expected - 1.0).abs() < 1e-9, "{value} {expected}");
    }

    #[test]
    fn a_thread_with_many_samples_has_its_own_measure() {
        let mut calibration = Calibration::new(allocated(1_000, &[(A, 600), (B, 400)]));
        let factors = calibration.close(
            allocated(3_000, &[(A, 1_600), (B, 900)]),
            &estimates(&[(A, 100, 800.0), (B, 3, 2_000.0)]),
        );
        is(factors.of(A), 1_000.0 / 800.0);
        // What ended threads have allocated belongs to the rest.
        is(factors.of(B), 1_000.0 / 2_000.0);
    }

    #[test]
    fn what_was_allocated_without_a_sample_waits_for_one() {
        let mut calibration = Calibration::new(Allocated::default());
        calibration.close(allocated(500, &[]), &estimates(&[]));
        let factors = calibration.close(allocated(900, &[]), &estimates(&[(A, 1, 300.0)]));
        is(factors.of(A), 3.0);
    }

    #[test]
    fn without_counters_samples_stand_for_themselves() {
        let mut calibration = Calibration::new(Allocated::default());
        let factors = calibration.close(Allocated::default(), &estimates(&[(A, 100, 1.0)]));
        is(factors.of(A), 1.0);
    }
}
