//! How many objects a sampled object stands for.

/// The JVM takes points that lie at random distances of allocated bytes, `interval` on average (JEP 331), and samples the
/// object at each of them: one of `size` bytes with a probability of 1 - exp(-size / interval). So it stands for the
/// inverse of that.
pub(crate) fn objects(size: u64, interval: u64) -> f64 {
    if interval == 0 || size == 0 {
        // An interval of 0 samples each object.
        return 1.0;
    }
    let part = size as f64 / interval as f64;
    1.0 / -(-part).exp_m1()
}

#[cfg(test)]
mod tests {
    use super::objects;

    #[test]
    fn small_objects_stand_for_many_and_large_ones_for_themselves() {
        assert!((objects(16, 524_288) / 32_768.5 - 1.0).abs() < 1e-4);
        assert!((objects(524_288, 524_288) - 1.581_98).abs() < 1e-4);
        assert!((objects(80_000_000, 524_288) - 1.0).abs() < 1e-12);
        assert!((objects(1, 0) - 1.0).abs() < f64::EPSILON);
    }

    #[test]
    fn bytes_are_estimated_without_bias() {
        // Objects of one size, sampled as the JVM does: the next point lies at an exponential distance.
        let mut state = 42_u64;
        let mut exponential = |mean: f64| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            -mean * (((state >> 11) as f64 + 0.5) / (1_u64 << 53) as f64).ln()
        };
        const INTERVAL: u64 = 1_000;
        for size in [16_u64, 300, 1_000, 5_000] {
            let (mut to_go, mut estimated, count) = (exponential(1_000.0), 0.0, 2_000_000);
            for _ in 0..count {
                to_go -= size as f64;
                if to_go < 0.0 {
                    estimated += objects(size, INTERVAL);
                    to_go = exponential(1_000.0);
                }
            }
            let off = estimated / f64::from(count) - 1.0;
            assert!(off.abs() < 0.03, "{size}: {off}");
        }
    }
}
