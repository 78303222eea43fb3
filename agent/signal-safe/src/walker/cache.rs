//! What return addresses stand for, kept from one walk to the next: the stacks of a program are made of few of them.
//!
//! A cache belongs to a stripe, so only one walk at a time reads and writes it.

use super::{Frame, FrameType, Position};

/// Methods that an entry has room for: deeper inlining is looked up each time.
pub const MOST_METHODS: usize = 6;

/// A return address into a compiled method. All zero is none.
#[derive(Clone, Copy, Debug)]
#[repr(C, align(128))]
pub struct CachedFrame {
    /// The return address; 0 while the entry is not valid.
    pub(super) pc: usize,
    /// The JVM's `nmethod`.
    pub(super) blob: usize,
    /// The number of its compilation, which no other has: tells whether it is still the same one.
    pub(super) compile_id: u32,
    /// Bytes of its frame, the return address included.
    pub(super) frame_bytes: u32,
    /// Methods used.
    pub(super) count: u32,
    /// Inlined methods first.
    pub(super) frames: [Frame; MOST_METHODS],
}

impl CachedFrame {
    /// None.
    pub const EMPTY: Self = Self {
        pc: 0,
        blob: 0,
        compile_id: 0,
        frame_bytes: 0,
        count: 0,
        frames: [Frame {
            position: Position::without_index(FrameType::Unknown),
            method: 0,
        }; MOST_METHODS],
    };
}

/// The place for an address in a cache whose length is a power of two.
#[cfg(any(test, target_arch = "x86_64"))]
#[inline]
pub(super) fn place_of(pc: usize, length: usize) -> usize {
    // Return addresses differ in their low bits and in those of their methods, some kilobytes apart.
    (pc ^ (pc >> 9) ^ (pc >> 17)) & length.wrapping_sub(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_fills_whole_cache_lines() {
        assert_eq!(size_of::<CachedFrame>(), 128);
    }

    #[test]
    fn addresses_spread_and_stay_in_bounds() {
        let mut used = [false; 256];
        for method in 0..32 {
            for call in 0..4 {
                used[place_of(0x7f00_1234_0000 + method * 1_216 + call * 37, 256)] = true;
            }
        }
        assert!(used.iter().filter(|&&used| used).count() > 80);
    }
}
