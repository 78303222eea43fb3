//! The distance between samples, so that there are never many a second.

use std::time::Duration;

/// Samples a second that are worth their price.
const MOST_PER_SECOND: f64 = 100.0;
/// The least distance, in bytes: the JVM's own default.
pub(crate) const LEAST_INTERVAL: u64 = 512 * 1024;
/// The JVM takes an `int`.
const MOST_INTERVAL: u64 = i32::MAX as u64;
/// The rate is looked at when there are so many samples, or when so much time has gone by.
const ENOUGH_SAMPLES: u64 = 50;
const LONG_ENOUGH: Duration = Duration::from_secs(2);
/// What differs by less is left as it is: a rate counted by some fifty samples is that uncertain.
const DIFFERENCE: f64 = 0.3;

/// Chooses the distance by the rate of what it has given.
#[derive(Debug)]
pub(crate) struct Pacing {
    interval: u64,
    samples: u64,
    elapsed: Duration,
}

impl Pacing {
    /// Begins with this distance.
    pub(crate) const fn new(interval: u64) -> Self {
        Self {
            interval,
            samples: 0,
            elapsed: Duration::ZERO,
        }
    }

    /// After so much time with so many samples: the distance from now on, if it is to change.
    pub(crate) fn after(&mut self, elapsed: Duration, samples: u64) -> Option<u64> {
        self.samples += samples;
        self.elapsed += elapsed;
        if self.samples < ENOUGH_SAMPLES && self.elapsed < LONG_ENOUGH {
            return None;
        }
        let seconds = self.elapsed.as_secs_f64().max(1e-3);
        let bytes_per_second = self.samples as f64 * self.interval as f64 / seconds;
        self.samples = 0;
        self.elapsed = Duration::ZERO;
        let wanted = (bytes_per_second / MOST_PER_SECOND) as u64;
        let wanted = wanted.clamp(LEAST_INTERVAL, MOST_INTERVAL);
        let difference = wanted as f64 / self.interval as f64 - 1.0;
        let is_bound = wanted == LEAST_INTERVAL && self.interval != wanted;
        if difference.abs() < DIFFERENCE && !is_bound {
            return None;
        }
        self.interval = wanted;
        Some(wanted)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Samples that a program which allocates so fast gives in a tenth of a second.
    fn samples(bytes_per_second: f64, interval: u64) -> u64 {
        (bytes_per_second / 10.0 / interval as f64) as u64
    }

    #[test]
    fn it_settles_at_a_hundred_a_second_and_comes_back() {
        let mut pacing = Pacing::new(LEAST_INTERVAL);
        let mut interval = LEAST_INTERVAL;
        let mut run = |bytes_per_second: f64, tenths: u32| {
            for _ in 0..tenths {
                let samples = samples(bytes_per_second, interval);
                interval = pacing
                    .after(Duration::from_millis(100), samples)
                    .unwrap_or(interval);
            }
            interval
        };
        // 10 GB/s: 100 MB apart, at once.
        let fast = run(1e10, 2);
        assert!((fast as f64 / 1e8 - 1.0).abs() < 0.3, "{fast}");
        assert_eq!(run(1e6, 100), LEAST_INTERVAL);
    }

    #[test]
    fn an_idle_program_changes_nothing() {
        let mut pacing = Pacing::new(LEAST_INTERVAL);
        for _ in 0..100 {
            assert_eq!(pacing.after(Duration::from_millis(100), 0), None);
        }
    }
}
