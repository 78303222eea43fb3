//! When to try again.
use std::time::{Duration, Instant};

/// Exponential backoff with full jitter: after the n-th failure in a row, a random time between nothing and
/// base × 2ⁿ⁻¹, at most the cap. A fleet whose DataKit comes back does not knock at the same moment.
#[derive(Debug)]
pub(crate) struct Backoff {
    base: Duration,
    cap: Duration,
    failures: u32,
    random: fastrand::Rng,
}

impl Backoff {
    pub(crate) fn new(base: Duration, cap: Duration, seed: u64) -> Backoff {
        Backoff {
            base,
            cap,
            failures: 0,
            random: fastrand::Rng::with_seed(seed),
        }
    }

    /// When to try again after a failure at `now`. What the server asked for (`Retry-After`) is the least, up to the
    /// cap.
    pub(crate) fn failed(&mut self, now: Instant, retry_after: Option<Duration>) -> Instant {
        let doubled = 2u32.checked_pow(self.failures).unwrap_or(u32::MAX);
        self.failures = self.failures.saturating_add(1);
        let most = self.base.saturating_mul(doubled).min(self.cap);
        let jittered = most.mul_f64(self.random.f64());
        now + jittered.max(retry_after.unwrap_or_default()).min(self.cap)
    }

    pub(crate) fn succeeded(&mut self) {
        self.failures = 0;
    }

    /// Failures since the last success.
    pub(crate) fn failures(&self) -> u32 {
        self.failures
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const BASE: Duration = Duration::from_secs(1);
    const CAP: Duration = Duration::from_secs(300);

    #[test]
    fn waits_spread_over_the_whole_doubling_range() {
        let now = Instant::now();
        for (failures, most) in [(0, 1), (1, 2), (4, 16), (8, 256), (9, 300), (40, 300)] {
            let most = Duration::from_secs(most);
            let waits: Vec<Duration> = (0..200)
                .map(|seed| {
                    let mut backoff = Backoff::new(BASE, CAP, seed);
                    for _ in 0..failures {
                        backoff.failed(now, None);
                    }
                    backoff.failed(now, None) - now
                })
                .collect();
            assert!(waits.iter().all(|wait| *wait <= most), "after {failures}");
            assert!(
                waits.iter().any(|wait| *wait < most / 10),
                "after {failures}"
            );
            assert!(
                waits.iter().any(|wait| *wait > most * 9 / 10),
                "after {failures}"
            );
        }
    }

    #[test]
    fn a_success_begins_anew() {
        let now = Instant::now();
        let mut backoff = Backoff::new(BASE, CAP, 7);
        for _ in 0..20 {
            backoff.failed(now, None);
        }
        assert_eq!(backoff.failures(), 20);
        backoff.succeeded();
        assert!(backoff.failed(now, None) <= now + BASE);
    }

    proptest! {
        #[test]
        fn retry_after_is_honoured_up_to_the_cap(failures in 0..100, seconds in any::<u32>(), seed in any::<u64>()) {
            let now = Instant::now();
            let mut backoff = Backoff::new(BASE, CAP, seed);
            for _ in 0..failures {
                backoff.failed(now, None);
            }
            let asked = Duration::from_secs(seconds.into());
            let wait = backoff.failed(now, Some(asked)) - now;
            prop_assert!(wait >= asked.min(CAP));
            prop_assert!(wait <= CAP);
        }
    }
}
