//! All interleavings, and all orders that the memory model allows, of what handlers and the recorder
//! do with a ring: `RUSTFLAGS="--cfg loom" cargo test --release -p jprof-signal-safe`.
//!
//! # Safety
//! The producers hold the stripe or are alone, and there is one consumer: what `Ring` asks for. That
//! it is enough is what loom checks.
#![allow(unsafe_code)]

use core::cell::UnsafeCell;
use core::sync::atomic::AtomicBool;
use core::sync::atomic::Ordering::Relaxed;
use std::boxed::Box;
use std::vec::Vec;

use loom::thread;

use crate::ring::Ring;
use crate::stripes::Stripe;
use crate::sync::{self, Word};
use crate::walker::Frame;

fn ring(words: usize) -> Ring {
    let words: Vec<Word> = (0..words).map(|_| Word::new(0)).collect();
    Ring::new(words.leak()).expect("a power of two")
}

fn put(ring: &Ring, value: u64) -> bool {
    // SAFETY: see the module.
    match unsafe { ring.reserve(2) } {
        Some(mut room) => {
            room.push(2);
            room.push(value);
            room.commit();
            true
        }
        None => false,
    }
}

fn take(ring: &Ring) -> Option<u64> {
    let mut record = Vec::new();
    // SAFETY: see the module.
    if !unsafe { ring.take(|word| record.push(word)) } {
        return None;
    }
    assert_eq!((record.len(), record[0]), (2, 2));
    Some(record[1])
}

#[test]
fn what_one_producer_stores_comes_out_whole_once_and_in_order() {
    // Not loom's: it tells over all executions.
    static WORD_USED_AGAIN: AtomicBool = AtomicBool::new(false);
    loom::model(|| {
        let ring: &'static Ring = Box::leak(Box::new(ring(4)));
        let producer = thread::spawn(move || {
            (1..=3)
                .filter(|&value| put(ring, value))
                .collect::<Vec<u64>>()
        });
        let consumer =
            thread::spawn(move || (0..2).filter_map(|_| take(ring)).collect::<Vec<u64>>());
        let stored = producer.join().expect("no panic");
        let mut taken = consumer.join().expect("no panic");
        taken.extend(core::iter::from_fn(|| take(ring)));
        assert_eq!(taken, stored);
        assert!(stored.len() >= 2, "there was room for two");
        if stored.len() == 3 {
            WORD_USED_AGAIN.store(true, Relaxed);
        }
    });
    assert!(WORD_USED_AGAIN.load(Relaxed), "the wrap was not explored");
}

#[test]
fn holders_of_a_stripe_follow_one_another() {
    loom::model(|| {
        let frames: &'static UnsafeCell<[Frame]> = Box::leak(Box::new(UnsafeCell::new([])));
        let stripe: &'static Stripe = Box::leak(Box::new(Stripe::new(
            ring(4),
            frames,
            Box::leak(Box::new(UnsafeCell::new([]))),
        )));
        let guarded: &'static Word = Box::leak(Box::new(Word::new(0)));
        let hold = move |value| {
            // The second try meets what the first has done to the lock of who had it.
            let Some(held) = stripe.try_lock().or_else(|| stripe.try_lock()) else {
                return 0;
            };
            // SAFETY: the stripe is held, as for its frames.
            unsafe { sync::write(guarded, sync::read(guarded) + 1) };
            assert!(put(held.ring(), value));
            1
        };
        let others: Vec<_> = (1..=2)
            .map(|value| thread::spawn(move || hold(value)))
            .collect();
        let consumer = thread::spawn(move || take(stripe.ring()));
        let stored: u64 = others
            .into_iter()
            .map(|other| other.join().expect("no panic"))
            .sum();
        let mut taken: Vec<u64> = consumer.join().expect("no panic").into_iter().collect();
        taken.extend(core::iter::from_fn(|| take(stripe.ring())));
        taken.sort_unstable();
        taken.dedup();
        assert_eq!(taken.len() as u64, stored);
        assert!(stored >= 1);
        assert!(!stripe.is_locked());
    });
}
