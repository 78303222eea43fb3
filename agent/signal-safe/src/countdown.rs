//! Random distances and probabilities, by arithmetic alone: the C library's functions are not for signal handlers.

/// The next state of a generator, and its number (splitmix64: a counter, and a mixture of its bits).
#[inline]
#[must_use]
pub const fn random(state: u64) -> (u64, u64) {
    let state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    (state, mixed ^ (mixed >> 31))
}

/// An exponentially distributed number with a mean of 1, never 0: -ln(u) of a `u` between 0 and 1.
#[inline]
#[must_use]
pub fn exponential(random: u64) -> f64 {
    /// Bits of `u` after the point.
    const BITS: u32 = 53;
    // Odd, so neither 0 nor 1.
    let numerator = (random >> (64 - BITS)) | 1;
    let exponent = 63 - numerator.leading_zeros();
    let mantissa = numerator as f64 / (1_u64 << exponent) as f64;
    f64::from(BITS - exponent) * core::f64::consts::LN_2 - logarithm(mantissa)
}

/// Of 1 to 2: 2 artanh((x - 1) / (x + 1)), whose argument is at most 1/3.
#[inline]
fn logarithm(x: f64) -> f64 {
    const TERMS: u32 = 16;
    let base = (x - 1.0) / (x + 1.0);
    let square = base * base;
    let (mut power, mut sum) = (base, 0.0);
    for term in 0..TERMS {
        sum += power / f64::from(2 * term + 1);
        power *= square;
    }
    2.0 * sum
}

/// 1 - exp(-x): how likely a point lies in `x` intervals.
#[inline]
#[must_use]
pub fn probability(x: f64) -> f64 {
    /// Beyond it nothing is missing from 1 that an `f64` could tell.
    const CERTAIN: f64 = 40.0;
    const TERMS: u32 = 14;
    if x >= CERTAIN {
        return 1.0;
    }
    let (mut part, mut halvings) = (x, 0);
    while part > 0.5 {
        part /= 2.0;
        halvings += 1;
    }
    let (mut power, mut sum) = (part, 0.0);
    for term in 1..=TERMS {
        sum += power;
        power *= -part / f64::from(term + 1);
    }
    // Twice the way misses only what both halves miss.
    for _ in 0..halvings {
        sum *= 2.0 - sum;
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances_are_logarithms() {
        let mut state = 7;
        for round in 0..100_000_u32 {
            let number;
            (state, number) = random(state);
            let number = match round {
                0 => 0,
                1 => u64::MAX,
                _ => number,
            };
            let u = ((number >> 11) | 1) as f64 / (1_u64 << 53) as f64;
            let (got, expected) = (exponential(number), -u.ln());
            assert!(
                got > 0.0 && (got - expected).abs() < 1e-12,
                "{u}: {got} {expected}"
            );
        }
    }

    #[test]
    fn distances_have_the_mean_and_the_spread_that_they_must_have() {
        let (mut state, mut sum, mut squares, count) = (1, 0.0, 0.0, 1_000_000);
        for _ in 0..count {
            let number;
            (state, number) = random(state);
            let distance = exponential(number);
            sum += distance;
            squares += distance * distance;
        }
        let mean = sum / f64::from(count);
        let spread = squares / f64::from(count) - mean * mean;
        assert!((mean - 1.0).abs() < 0.005, "{mean}");
        assert!((spread - 1.0).abs() < 0.01, "{spread}");
    }

    #[test]
    fn probabilities_are_those_of_the_exponential_function() {
        for x in [
            1e-12, 3e-5, 0.01, 0.5, 0.50001, 1.0, 3.3, 17.0, 39.9, 41.0, 1e9,
        ] {
            let expected = -f64::exp_m1(-x);
            assert!((probability(x) / expected - 1.0).abs() < 1e-12, "{x}");
        }
        assert!(probability(0.0).abs() < f64::EPSILON);
    }
}
