//! Random numbers for the phases of ticks: quality is of no concern, speed and the absence of locks
//! are.

use std::sync::atomic::{AtomicU64, Ordering};

use jprof_signal_safe::clock::monotonic_nanos;

static STATE: AtomicU64 = AtomicU64::new(0);

/// A number below `limit`, evenly distributed; 0 when `limit` is 0.
pub(super) fn below(limit: u64) -> u64 {
    // SplitMix64 (Steele, Lea, Flood 2014), seeded by the time of the first use.
    const STEP: u64 = 0x9e37_79b9_7f4a_7c15;
    if STATE.load(Ordering::Relaxed) == 0 {
        STATE.store(monotonic_nanos() | 1, Ordering::Relaxed);
    }
    let mut word = STATE.fetch_add(STEP, Ordering::Relaxed);
    word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    word ^= word >> 31;
    ((u128::from(word) * u128::from(limit)) >> 64) as u64
}

#[cfg(test)]
mod tests {
    use super::below;

    #[test]
    fn numbers_are_spread_evenly_below_the_limit() {
        let mut tenths = [0_u32; 10];
        for _ in 0..100_000 {
            tenths[usize::try_from(below(10)).expect("small")] += 1;
        }
        // Ten standard deviations of a fair share of 10,000.
        assert!(
            tenths.iter().all(|count| count.abs_diff(10_000) < 950),
            "{tenths:?}"
        );
        assert_eq!(below(0), 0);
        assert_eq!(below(1), 0);
    }
}
