//! A ring of 64-bit words with one producer and one consumer.
//!
//! The producer is whoever holds the stripe's lock, the consumer is the recorder thread. Records
//! are whole: the consumer sees all of a record or nothing of it, since the head moves once per
//! record.
//!
//! # Safety
//! The words live in memory that the ring borrows for `'static`. A word is written only between
//! tail + capacity and head by the single producer and read only between tail and head by the
//! single consumer; the release store of one index and the acquire load by the other side order
//! these accesses, so no word is written and read at the same time.
#![allow(unsafe_code)]

use crossbeam_utils::CachePadded;

use crate::sync::{self, AtomicU64, Ordering, Word};

/// A single-producer, single-consumer ring of words.
#[derive(Debug)]
pub struct Ring {
    words: &'static [Word],
    mask: u64,
    head: CachePadded<AtomicU64>,
    tail: CachePadded<AtomicU64>,
}

// SAFETY: see the module: the two sides never touch the same word at the same time.
unsafe impl Sync for Ring {}
// SAFETY: the words are plain memory without thread affinity.
unsafe impl Send for Ring {}

impl Ring {
    /// A ring over `words`, whose length must be a power of two; `None` otherwise.
    #[must_use]
    pub fn new(words: &'static [Word]) -> Option<Self> {
        words.len().is_power_of_two().then(|| Self {
            words,
            mask: words.len() as u64 - 1,
            head: CachePadded::new(AtomicU64::new(0)),
            tail: CachePadded::new(AtomicU64::new(0)),
        })
    }

    /// Words in use.
    #[must_use]
    pub fn used(&self) -> u64 {
        self.head
            .load(Ordering::Relaxed)
            .wrapping_sub(self.tail.load(Ordering::Relaxed))
    }

    /// Capacity in words.
    #[must_use]
    pub fn capacity(&self) -> u64 {
        self.mask + 1
    }

    /// Producer: room for a record of `length` words, or `None` when the ring is too full.
    ///
    /// # Safety
    /// The caller is the only producer until the reservation is committed or dropped.
    #[inline]
    pub unsafe fn reserve(&self, length: u64) -> Option<Reservation<'_>> {
        let head = self.head.load(Ordering::Relaxed);
        let tail = self.tail.load(Ordering::Acquire);
        let free = self.capacity() - head.wrapping_sub(tail);
        (length <= free).then_some(Reservation {
            ring: self,
            next: head,
            end: head.wrapping_add(length),
        })
    }

    /// Consumer: copies the oldest record into `record` (cleared first). The first word of a
    /// record holds its length in words in the low 32 bits. False when the ring is empty.
    ///
    /// `push` receives the words one by one.
    ///
    /// # Safety
    /// The caller is the only consumer.
    pub unsafe fn take(&self, mut push: impl FnMut(u64)) -> bool {
        let tail = self.tail.load(Ordering::Relaxed);
        let head = self.head.load(Ordering::Acquire);
        if head == tail {
            return false;
        }
        let length = (self.read(tail) & 0xffff_ffff).clamp(1, head.wrapping_sub(tail));
        for offset in 0..length {
            push(self.read(tail.wrapping_add(offset)));
        }
        self.tail
            .store(tail.wrapping_add(length), Ordering::Release);
        true
    }

    #[inline]
    fn read(&self, position: u64) -> u64 {
        let cell = self.words.get((position & self.mask) as usize);
        // SAFETY: called by the consumer for words between tail and head: see the module.
        cell.map_or(0, |cell| unsafe { sync::read(cell) })
    }

    #[inline]
    fn write(&self, position: u64, word: u64) {
        if let Some(cell) = self.words.get((position & self.mask) as usize) {
            // SAFETY: called by the producer for reserved words: see the module.
            unsafe { sync::write(cell, word) };
        }
    }
}

/// Room for one record. Dropped without `commit`, nothing was written.
#[derive(Debug)]
pub struct Reservation<'a> {
    ring: &'a Ring,
    next: u64,
    end: u64,
}

impl Reservation<'_> {
    /// Appends a word; words beyond the reserved length are ignored.
    #[inline]
    pub fn push(&mut self, word: u64) {
        if self.next != self.end {
            self.ring.write(self.next, word);
            self.next = self.next.wrapping_add(1);
        }
    }

    /// Makes the record visible to the consumer.
    #[inline]
    pub fn commit(mut self) {
        while self.next != self.end {
            self.push(0);
        }
        self.ring.head.store(self.end, Ordering::Release);
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use std::boxed::Box;
    use std::vec::Vec;

    fn ring(words: usize) -> Ring {
        let words: Vec<Word> = (0..words).map(|_| Word::new(0)).collect();
        Ring::new(Box::leak(words.into_boxed_slice())).expect("a power of two")
    }

    fn put(ring: &Ring, words: &[u64]) -> bool {
        // SAFETY: the test is the only producer.
        match unsafe { ring.reserve(words.len() as u64) } {
            Some(mut room) => {
                words.iter().for_each(|&word| room.push(word));
                room.commit();
                true
            }
            None => false,
        }
    }

    fn get(ring: &Ring) -> Option<Vec<u64>> {
        let mut record = Vec::new();
        // SAFETY: the test is the only consumer.
        unsafe { ring.take(|word| record.push(word)) }.then_some(record)
    }

    #[test]
    fn records_come_out_whole_and_in_order_across_the_wrap() {
        let ring = ring(8);
        for round in 0..20 {
            assert!(put(&ring, &[3, round, round + 1]));
            assert!(put(&ring, &[2, round]));
            assert_eq!(get(&ring), Some(std::vec![3, round, round + 1]));
            assert_eq!(get(&ring), Some(std::vec![2, round]));
        }
        assert_eq!(get(&ring), None);
    }

    #[test]
    fn a_full_ring_refuses_and_keeps_what_it_has() {
        let ring = ring(4);
        assert!(put(&ring, &[3, 7, 8]));
        assert!(!put(&ring, &[2, 9]));
        assert!(put(&ring, &[1]));
        assert_eq!(get(&ring), Some(std::vec![3, 7, 8]));
        assert_eq!(get(&ring), Some(std::vec![1]));
    }

    /// Miri takes a millisecond for what else takes nanoseconds.
    const RECORDS: u64 = if cfg!(miri) { 100 } else { 20_000 };

    #[test]
    fn two_threads_exchange_every_record_once() {
        let ring: &'static Ring = Box::leak(Box::new(ring(64)));
        let producer = std::thread::spawn(move || {
            let mut refused = 0_u64;
            let mut next = 0;
            while next < RECORDS {
                if put(ring, &[3, next, !next]) {
                    next += 1
                } else {
                    refused += 1;
                    std::thread::yield_now()
                }
            }
            refused
        });
        let mut expected = 0;
        while expected < RECORDS {
            if let Some(record) = get(ring) {
                assert_eq!(record, [3, expected, !expected]);
                expected += 1;
            } else {
                std::thread::yield_now();
            }
        }
        producer.join().expect("the producer ends");
        assert_eq!(ring.used(), 0);
    }
}
