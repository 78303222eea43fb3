//! How many objects one stands for that did not fit into its TLAB, where the JVM reports no others (JDK 8).
//!
//! An object is seen when what is left of the TLAB is less than its size. How much is left when an object comes has nothing to
//! do with its size, so an object of `size` bytes is seen with the probability F(size) that less than that is left. F is found
//! from the seen ones alone: of those that could have been seen at some level or below it (the object is larger than that, and
//! so much or less was left), the part that was seen just there. Going down from the highest level seen, these parts make up F
//! (D. Lynden-Bell 1971, for stars too faint to be seen).
//!
//! Levels above the largest object that was seen remain unknown, so F is known but for a factor; the thread's own counter of
//! bytes gives that.

use jprof_signal_safe::levels::{BINS, bin_of, middle_of, part_of_bin};

/// Objects by what was left when they came, and by their size, that count less the older they are.
#[derive(Clone, Debug)]
pub(crate) struct Levels {
    levels: Vec<f64>,
    sizes: Vec<f64>,
}

impl Default for Levels {
    fn default() -> Self {
        Self {
            levels: vec![0.0; BINS],
            sizes: vec![0.0; BINS],
        }
    }
}

impl Levels {
    /// Of so many objects the older ones begin to count less. Of few, what a rare kind stands for would come out too large: it is
    /// the inverse of a chance, and a chance that is found too small errs further than one that is found too large.
    const ENOUGH: f64 = 20_000.0;
    /// What is left of them then.
    const MEMORY: f64 = 0.5;

    /// Lets the counts of earlier objects fade, once there are enough. Says what is left of each.
    pub(crate) fn fade(&mut self) -> f64 {
        if self.objects() < Self::ENOUGH {
            return 1.0;
        }
        for count in self.levels.iter_mut().chain(&mut self.sizes) {
            *count *= Self::MEMORY;
        }
        Self::MEMORY
    }

    /// Adds what was counted between two readings.
    pub(crate) fn add(&mut self, before: &[[u32; BINS]; 2], now: &[[u32; BINS]; 2]) {
        for (sums, (before, now)) in [&mut self.levels, &mut self.sizes]
            .into_iter()
            .zip(before.iter().zip(now))
        {
            for (sum, (before, now)) in sums.iter_mut().zip(before.iter().zip(now)) {
                *sum += f64::from(now.wrapping_sub(*before));
            }
        }
    }

    /// Adds another's counts.
    pub(crate) fn merge(&mut self, other: &Self) {
        let own = self.levels.iter_mut().chain(&mut self.sizes);
        for (sum, more) in own.zip(other.levels.iter().chain(&other.sizes)) {
            *sum += more;
        }
    }

    /// Objects that were counted.
    pub(crate) fn objects(&self) -> f64 {
        self.levels.iter().sum()
    }

    /// The chances of being seen, of a thread that has allocated so many bytes while these objects were counted, and whose
    /// TLABs are so long.
    pub(crate) fn chances(&self, allocated: f64, tlab: u64) -> Chances {
        let mut chances = self.but_for_a_factor(tlab);
        let seen = self.sizes.iter().enumerate();
        let bytes = |(bin, &count): (usize, &f64)| {
            let size = middle_of(bin);
            count * size as f64 / chances.of(size)
        };
        let bytes: f64 = seen.filter(|&(_, &count)| count > 0.0).map(bytes).sum();
        if bytes > 0.0 {
            chances.factor = allocated / bytes;
        }
        chances
    }

    fn but_for_a_factor(&self, tlab: u64) -> Chances {
        let mut chances = vec![1.0; BINS + 1];
        let mut at_or_below: f64 = self.levels.iter().sum();
        let mut not_larger: f64 = self.sizes.iter().sum();
        let mut seen = 1.0;
        for bin in (0..BINS).rev() {
            let (here, of_size) = (self.levels[bin], self.sizes[bin]);
            // Objects of a larger bin, with so much left or less.
            let could_be_seen = at_or_below - not_larger;
            let below = if here > 0.0 && could_be_seen > here {
                seen * (1.0 - here / could_be_seen)
            } else {
                seen
            };
            chances[bin] = below;
            seen = below;
            at_or_below -= here;
            not_larger -= of_size;
        }
        Chances {
            below: chances,
            factor: 1.0,
            tlab,
        }
    }
}

/// How likely objects are seen.
#[derive(Debug)]
pub(crate) struct Chances {
    /// By bin, how likely less is left than what the bin begins with; but for the factor.
    below: Vec<f64>,
    /// Objects for each one that would be by these.
    factor: f64,
    tlab: u64,
}

impl Chances {
    fn of(&self, size: u64) -> f64 {
        let bin = bin_of(size);
        let (from, to) = (self.below[bin], self.below[bin + 1]);
        from + (to - from) * part_of_bin(size)
    }

    /// How many objects one that was seen stands for: itself, and those that have fitted.
    pub(crate) fn objects(&self, size: u64) -> f64 {
        if size > self.tlab {
            return 1.0;
        }
        (self.factor / self.of(size)).max(1.0)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use jprof_signal_safe::countdown::random;

    use super::*;

    /// A thread's TLABs.
    struct Thread {
        length: u64,
        limit: u64,
        left: u64,
        counts: [[u32; BINS]; 2],
        /// By size: all objects, and those that were seen.
        objects: BTreeMap<u64, (f64, f64)>,
    }

    impl Thread {
        fn new(length: u64) -> Self {
            Self {
                length,
                limit: length / 64,
                left: 0,
                counts: [[0; BINS]; 2],
                objects: BTreeMap::new(),
            }
        }

        fn allocate(&mut self, size: u64) {
            let (all, seen) = self.objects.entry(size).or_default();
            *all += 1.0;
            if size <= self.left {
                self.left -= size;
                return;
            }
            *seen += 1.0;
            if bin_of(self.left) < bin_of(size) {
                self.counts[0][bin_of(self.left)] += 1;
                self.counts[1][bin_of(size)] += 1;
            }
            if self.left <= self.limit {
                self.left = self.length;
                self.limit = self.length / 64;
            } else {
                self.limit += 32;
            }
        }

        /// By size, by what part the estimate is off, and how many were seen.
        fn off(&self) -> BTreeMap<u64, (f64, f64)> {
            let mut levels = Levels::default();
            levels.add(&[[0; BINS]; 2], &self.counts);
            let allocated = |(&size, &(all, _)): (&u64, &(f64, f64))| all * size as f64;
            let allocated = self.objects.iter().map(allocated).sum();
            let chances = levels.chances(allocated, self.length);
            let off = |(&size, &(all, seen)): (&u64, &(f64, f64))| {
                (size, (seen * chances.objects(size) / all - 1.0, seen))
            };
            self.objects.iter().map(off).collect()
        }
    }

    fn run(length: u64, rounds: usize, sizes: &[(u64, usize)]) -> BTreeMap<u64, (f64, f64)> {
        let sizes: Vec<u64> = sizes
            .iter()
            .flat_map(|&(size, count)| std::iter::repeat_n(size, count))
            .collect();
        let mut thread = Thread::new(length);
        let mut state = 5;
        for _ in 0..rounds {
            let number;
            (state, number) = random(state);
            thread.allocate(sizes[(number % sizes.len() as u64) as usize]);
        }
        thread.off()
    }

    #[test]
    fn each_size_has_its_share_whatever_the_mixture() {
        for (length, sizes) in [
            (
                200_000,
                &[
                    (16, 700),
                    (120, 230),
                    (4_112, 55),
                    (65_552, 13),
                    (307_216, 1),
                ][..],
            ),
            (
                1_600_000,
                &[
                    (16, 700),
                    (120, 230),
                    (4_112, 55),
                    (65_552, 13),
                    (307_216, 1),
                    (8 << 20, 1),
                ],
            ),
            (
                100_000,
                &[
                    (16, 150),
                    (112, 60),
                    (1_000, 20),
                    (4_112, 10),
                    (20_008, 4),
                    (60_000, 2),
                    (300_000, 1),
                ],
            ),
            (500_000, &[(24, 5), (32, 3), (48, 1), (56, 1)]),
        ] {
            for (size, (off, seen)) in run(length, 10_000_000, sizes) {
                let chance = 4.0 / seen.sqrt();
                assert!(
                    off.abs() < 0.02 + chance,
                    "{length}: {size}: {off} of {seen}"
                );
            }
        }
    }
}
