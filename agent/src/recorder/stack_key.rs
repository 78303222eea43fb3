//! The key by which equal stacks are found: 128 bits of hash, so that two different stacks of a
//! chunk share one with a probability below 10⁻²⁸ and stacks need not be kept for comparison.

use jprof_signal_safe::record::RecordView;

/// Identifies a stack within a chunk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct StackKey(u64, u64);

impl StackKey {
    /// Of what the record says of the stack, and of the labels above and below its frames.
    pub(super) fn of_record(record: &RecordView<'_>, top: &str, bottom: &str) -> Self {
        let (methods, positions) = record.stack_words();
        let mut halves = Halves::new(u64::from(record.head.truncated));
        halves.add(methods.len() as u64);
        for &word in methods.iter().chain(positions) {
            halves.add(word);
        }
        halves.add_text(top);
        halves.add_text(bottom);
        halves.finish()
    }
}

/// Two independent multiply-and-mix hashes of the same words. Each step is a bijection of the
/// state for a given word, so single differences never cancel.
struct Halves(u64, u64);

impl Halves {
    const fn new(seed: u64) -> Self {
        Self(seed ^ 0x243f_6a88_85a3_08d3, seed ^ 0x1319_8a2e_0370_7344)
    }

    fn add(&mut self, word: u64) {
        self.0 = mix(self.0 ^ word.wrapping_mul(0x9e37_79b9_7f4a_7c15))
            .wrapping_add(0xa409_3822_299f_31d0);
        self.1 = mix(self.1.rotate_left(23) ^ word.wrapping_mul(0xc2b2_ae3d_27d4_eb4f))
            .wrapping_add(0x082e_fa98_ec4e_6c89);
    }

    fn add_text(&mut self, text: &str) {
        self.add(text.len() as u64);
        for piece in text.as_bytes().chunks(8) {
            let mut word = [0; 8];
            word[..piece.len()].copy_from_slice(piece);
            self.add(u64::from_le_bytes(word));
        }
    }

    fn finish(self) -> StackKey {
        StackKey(mix(self.0), mix(self.1))
    }
}

const fn mix(mut word: u64) -> u64 {
    word ^= word >> 32;
    word = word.wrapping_mul(0xd6e8_feb8_6659_fd93);
    word ^ (word >> 29)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_and_every_word_count() {
        let hash = |words: &[u64]| {
            let mut halves = Halves::new(0);
            words.iter().for_each(|&word| halves.add(word));
            halves.finish()
        };
        let keys = [
            hash(&[1, 2]),
            hash(&[2, 1]),
            hash(&[1, 2, 0]),
            hash(&[1, 3]),
            hash(&[]),
        ];
        for (place, key) in keys.iter().enumerate() {
            assert!(
                keys[place + 1..]
                    .iter()
                    .all(|other| other.0 != key.0 && other.1 != key.1)
            );
        }
    }
}
