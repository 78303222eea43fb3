//! Entries of a pool, each kept once, in the form in which they are written.

use std::hash::Hasher;
use std::io;
use std::ops::Range;

use hashbrown::HashTable;
use rustc_hash::FxHasher;

use super::Pool;
use crate::chunk::Sink;
use crate::encode::{long_len, put_long};
use crate::limits::MAX_POOL_BYTES;

/// Distinct entries under keys 1, 2, 3 …
#[derive(Debug, Default)]
pub(crate) struct Entries {
    /// All entries, one behind the other.
    bytes: Vec<u8>,
    /// Where each entry ends.
    ends: Vec<u32>,
    /// Places in `ends`, found by the entry's bytes.
    places: HashTable<u32>,
    keys_len: u64,
}

impl Entries {
    /// The key of the entry that `encode` appends, which may be there already. A pool that has
    /// reached [`MAX_POOL_BYTES`] takes nothing more and answers 0.
    pub(crate) fn intern(&mut self, encode: impl FnOnce(&mut Vec<u8>)) -> u32 {
        let start = self.bytes.len();
        encode(&mut self.bytes);
        let new = &self.bytes[start..];
        let hash = hash(new);
        let found = self
            .places
            .find(hash, |&place| &self.bytes[self.range(place)] == new)
            .copied();
        if let Some(place) = found {
            self.bytes.truncate(start);
            return place + 1;
        }
        if self.bytes.len() > MAX_POOL_BYTES {
            self.bytes.truncate(start);
            return 0;
        }
        let place = self.ends.len() as u32;
        self.ends.push(self.bytes.len() as u32);
        let (bytes, ends) = (&self.bytes, &self.ends);
        self.places
            .insert_unique(hash, place, |&place| self::hash(&bytes[range(ends, place)]));
        self.keys_len += long_len(u64::from(place) + 1) as u64;
        place + 1
    }

    fn range(&self, place: u32) -> Range<usize> {
        range(&self.ends, place)
    }
}

impl Pool for Entries {
    fn len(&self) -> u32 {
        self.ends.len() as u32
    }

    fn encoded_len(&self) -> u64 {
        self.keys_len + self.bytes.len() as u64
    }

    fn write(&self, out: &mut dyn Sink) -> io::Result<()> {
        for place in 0..self.len() {
            let buffer = out.buffer();
            put_long(buffer, u64::from(place) + 1);
            buffer.extend_from_slice(&self.bytes[self.range(place)]);
            out.spill()?;
        }
        Ok(())
    }
}

fn range(ends: &[u32], place: u32) -> Range<usize> {
    let place = place as usize;
    let start = if place == 0 {
        0
    } else {
        ends[place - 1] as usize
    };
    start..ends[place] as usize
}

fn hash(bytes: &[u8]) -> u64 {
    let mut hasher = FxHasher::default();
    hasher.write(bytes);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn intern(entries: &mut Entries, bytes: &[u8]) -> u32 {
        entries.intern(|out| out.extend_from_slice(bytes))
    }

    #[test]
    fn equal_entries_share_a_key() {
        let mut entries = Entries::default();
        assert_eq!(intern(&mut entries, b"one"), 1);
        assert_eq!(intern(&mut entries, b""), 2);
        assert_eq!(intern(&mut entries, b"two"), 3);
        assert_eq!(intern(&mut entries, b"one"), 1);
        assert_eq!(intern(&mut entries, b""), 2);
        assert_eq!(entries.len(), 3);
        assert_eq!(entries.encoded_len(), 3 + 6);
    }

    #[test]
    fn entries_are_found_again_after_growth() {
        let mut entries = Entries::default();
        let keys: Vec<u32> = (0..10_000_u32)
            .map(|n| intern(&mut entries, &n.to_be_bytes()))
            .collect();
        let again: Vec<u32> = (0..10_000_u32)
            .map(|n| intern(&mut entries, &n.to_be_bytes()))
            .collect();
        assert_eq!(keys, (1..=10_000).collect::<Vec<_>>());
        assert_eq!(again, keys);
    }
}
