//! Changes to known inputs, as coverage-guided fuzzers make them, but blind.

use fastrand::Rng;

/// Numbers at which parsers go wrong.
const ODD: [u64; 12] = [
    0,
    1,
    0x7f,
    0x80,
    0xff,
    0x7fff,
    0xffff,
    0x7fff_ffff,
    0x8000_0000,
    0xffff_ffff,
    0x7fff_ffff_ffff_ffff,
    u64::MAX,
];

/// Inputs beyond this many bytes do not grow.
const LONGEST: usize = 1 << 20;

/// Makes new inputs of seeds: the same ones for the same number.
#[derive(Debug)]
pub struct Mutator<'s> {
    random: Rng,
    seeds: &'s [Vec<u8>],
}

impl<'s> Mutator<'s> {
    /// Of these seeds, of which there is at least one.
    pub fn new(seeds: &'s [Vec<u8>], number: u64) -> Self {
        assert!(!seeds.is_empty());
        Self {
            random: Rng::with_seed(number),
            seeds,
        }
    }

    /// The next input.
    pub fn input(&mut self) -> Vec<u8> {
        let mut bytes = self.seed().to_vec();
        for _ in 0..1 << self.random.u32(0..5) {
            self.change(&mut bytes);
        }
        bytes
    }

    fn seed(&mut self) -> &'s [u8] {
        &self.seeds[self.random.usize(..self.seeds.len())]
    }

    /// A run of places, most often a short one.
    fn run(&mut self, length: usize) -> std::ops::Range<usize> {
        let start = self.random.usize(..=length);
        let most = if self.random.u8(..8) == 0 { length } else { 16 };
        start..(start + self.random.usize(..=most)).min(length)
    }

    fn change(&mut self, bytes: &mut Vec<u8>) {
        let at = self.random.usize(..=bytes.len());
        match self.random.u8(..9) {
            0 if at < bytes.len() => bytes[at] ^= 1 << self.random.u8(..8),
            1 if at < bytes.len() => bytes[at] = self.random.u8(..),
            2 if at < bytes.len() => {
                bytes[at] = bytes[at].wrapping_add(self.random.u8(..16)).wrapping_sub(8)
            }
            3 => {
                let number = ODD[self.random.usize(..ODD.len())];
                let width = 1 << self.random.u32(..4);
                let (low, high) = (number.to_le_bytes(), number.to_be_bytes());
                let number = if self.random.bool() {
                    &low[..width]
                } else {
                    &high[8 - width..]
                };
                let end = (at + width).min(bytes.len());
                bytes[at..end].copy_from_slice(&number[..end - at]);
            }
            4 => {
                let run = self.run(bytes.len());
                bytes.drain(run);
            }
            5 if bytes.len() < LONGEST => {
                let run = self.run(bytes.len());
                let copy = bytes[run].to_vec();
                bytes.splice(at..at, copy);
            }
            6 if bytes.len() < LONGEST => {
                let count = self.random.usize(..16);
                let new: Vec<u8> = (0..count).map(|_| self.random.u8(..)).collect();
                bytes.splice(at..at, new);
            }
            7 if bytes.len() < LONGEST => {
                let other = self.seed();
                let run = self.run(other.len());
                bytes.splice(at..at, other[run].iter().copied());
            }
            8 if self.random.u8(..4) == 0 => bytes.truncate(at),
            _ => {}
        }
    }
}
