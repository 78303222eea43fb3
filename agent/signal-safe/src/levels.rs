//! How full a thread's TLABs were when its objects did not fit.
//!
//! The JVM reports only objects that do not fit into what is left of the TLAB: they begin a new one, or go outside. Small ones
//! seldom do, so each that is seen stands for more. How many more depends on how often so little is left when an object
//! comes, which these counts tell: see `allocation/levels.rs` of the agent.

use crate::sync::{AtomicU32, AtomicU64, Ordering};
use crate::threads::ThreadKey;

/// Below it bins are of eight bytes, which all sizes are multiples of; and up to the next power of two they are as well.
const EVEN_BYTES: u64 = 128;
const EVEN_BINS: usize = 16;
/// Bins from one power of two to the next.
const BINS_PER_OCTAVE: usize = 16;
const BITS_IN_OCTAVE: u32 = 4;
/// Beyond it there is one bin: no TLAB is so large.
const LARGEST_EXPONENT: u32 = 33;

/// Bins of bytes.
pub const BINS: usize = EVEN_BINS + (LARGEST_EXPONENT as usize - 6) * BINS_PER_OCTAVE;

/// The bin of so many bytes.
#[inline]
#[must_use]
pub const fn bin_of(bytes: u64) -> usize {
    if bytes < EVEN_BYTES {
        return (bytes / 8) as usize;
    }
    let exponent = 63 - bytes.leading_zeros();
    if exponent > LARGEST_EXPONENT {
        return BINS - 1;
    }
    let part = (bytes >> (exponent - BITS_IN_OCTAVE)) as usize & (BINS_PER_OCTAVE - 1);
    EVEN_BINS + (exponent as usize - 7) * BINS_PER_OCTAVE + part
}

/// How much of its bin lies below so many bytes.
#[must_use]
pub fn part_of_bin(bytes: u64) -> f64 {
    if is_exact(bin_of(bytes)) || bytes >> (LARGEST_EXPONENT + 1) != 0 {
        return 0.0;
    }
    let width = 1_u64 << (63 - bytes.leading_zeros() - BITS_IN_OCTAVE);
    (bytes & (width - 1)) as f64 / width as f64
}

/// What a bin begins with.
const fn first_of(bin: usize) -> u64 {
    if bin < EVEN_BINS {
        return bin as u64 * 8;
    }
    let (octave, part) = (
        (bin - EVEN_BINS) / BINS_PER_OCTAVE,
        (bin - EVEN_BINS) % BINS_PER_OCTAVE,
    );
    (BINS_PER_OCTAVE + part) as u64 * (8 << octave)
}

/// The size of the objects of a bin, as far as it tells.
#[must_use]
pub const fn middle_of(bin: usize) -> u64 {
    if is_exact(bin) {
        first_of(bin)
    } else {
        u64::midpoint(first_of(bin), first_of(bin + 1))
    }
}

/// Whether all bytes of a bin are one number, for what is a multiple of eight.
#[must_use]
pub const fn is_exact(bin: usize) -> bool {
    bin < EVEN_BINS + BINS_PER_OCTAVE
}

/// The counts of one thread. All zero is nobody's.
#[derive(Debug)]
pub struct LevelCounts {
    /// Whose they are; written by the thread itself.
    key: AtomicU64,
    /// New TLABs, and bytes that were wasted for them, as the JVM had counted them at the last one.
    refills: AtomicU32,
    waste: AtomicU32,
    /// Bytes of the last TLAB that it was given, beside the object that began it.
    tlab: AtomicU64,
    /// All its bytes.
    whole: AtomicU64,
    /// Objects that did not fit, by what was left.
    levels: [AtomicU32; BINS],
    /// The same, by their size.
    sizes: [AtomicU32; BINS],
}

impl LevelCounts {
    /// Handler: the calling thread's from now on.
    #[inline]
    pub fn begin(&self, key: ThreadKey) {
        if self.key.load(Ordering::Relaxed) == key.to_bits() {
            return;
        }
        self.key.store(0, Ordering::Release);
        self.refills.store(0, Ordering::Relaxed);
        self.waste.store(0, Ordering::Relaxed);
        self.tlab.store(0, Ordering::Relaxed);
        self.whole.store(0, Ordering::Relaxed);
        for count in self.levels.iter().chain(&self.sizes) {
            count.store(0, Ordering::Relaxed);
        }
        self.key.store(key.to_bits(), Ordering::Release);
    }

    /// Handler: an object of `size` bytes came when `left` were left. Where both are of one bin it is as if it had fitted.
    #[inline]
    pub fn count(&self, left: u64, size: u64) {
        let (level, size) = (bin_of(left), bin_of(size));
        if level >= size {
            return;
        }
        for (counts, bin) in [(&self.levels, level), (&self.sizes, size)] {
            if let Some(count) = counts.get(bin) {
                let before = count.load(Ordering::Relaxed);
                count.store(before.wrapping_add(1), Ordering::Relaxed);
            }
        }
    }

    /// Handler: the words that were left of the TLAB that a new one follows, by the JVM's sums of the thread before the new one
    /// is counted. A collection sets these to 0. `None` where an earlier sum would be needed.
    #[inline]
    #[must_use]
    pub fn wasted(&self, refills: u32, waste: u32) -> Option<u32> {
        let (refills_before, waste_before) = (
            self.refills
                .swap(refills.wrapping_add(1), Ordering::Relaxed),
            self.waste.swap(waste, Ordering::Relaxed),
        );
        match refills_before {
            0 => (refills == 0).then_some(waste),
            before if refills >= before && waste >= waste_before => Some(waste - waste_before),
            _ => Some(waste),
        }
    }

    /// Handler: a new TLAB of so many bytes, begun by an object of `size` bytes.
    #[inline]
    pub fn note_tlab(&self, bytes: u64, size: u64) {
        self.whole.store(bytes, Ordering::Relaxed);
        self.tlab
            .store(bytes.saturating_sub(size), Ordering::Relaxed);
    }

    /// Handler: all bytes of the last TLAB.
    #[inline]
    #[must_use]
    pub fn whole_tlab(&self) -> u64 {
        self.whole.load(Ordering::Relaxed)
    }

    /// That of the last one.
    #[must_use]
    pub fn tlab(&self) -> u64 {
        self.tlab.load(Ordering::Relaxed)
    }

    /// The counts by what was left and by size, if they are this thread's.
    #[must_use]
    pub fn of(&self, key: ThreadKey) -> Option<[[u32; BINS]; 2]> {
        if self.key.load(Ordering::Acquire) != key.to_bits() {
            return None;
        }
        let read = |counts: &[AtomicU32; BINS]| {
            let mut result = [0; BINS];
            for (value, count) in result.iter_mut().zip(counts) {
                *value = count.load(Ordering::Relaxed);
            }
            result
        };
        Some([read(&self.levels), read(&self.sizes)])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bins_follow_each_other() {
        let mut last = 0;
        for bytes in (0..100_000).chain((17..40).map(|exponent| 1 << exponent)) {
            let bin = bin_of(bytes);
            assert!(bin >= last && bin < BINS, "{bytes}");
            if bytes < 100_000 {
                assert!(bin <= last + 1, "{bytes}");
            }
            last = bin;
        }
        assert_eq!(bin_of(u64::MAX), BINS - 1);
        assert!(is_exact(bin_of(248)) && !is_exact(bin_of(256)));
        for bin in 0..BINS - 1 {
            assert_eq!(bin_of(first_of(bin)), bin);
            assert_eq!(bin_of(middle_of(bin)), bin);
            assert_eq!(bin_of(first_of(bin + 1) - 1), bin);
        }
        assert!((part_of_bin(4096 + 128) - 0.5).abs() < 1e-9);
        assert!(part_of_bin(248).abs() < 1e-9);
    }
}
