//! All interleavings, and all orders that the memory model allows, of what handlers and the recorder
//! do with a ring, and handlers and the registry with the table of threads: `RUSTFLAGS="--cfg loom" cargo test --release -p jprof-signal-safe`.
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
use crate::sync::{self, AtomicU32, Word};
use crate::threads::{Found, ThreadSlot, ThreadTable, TickSource};
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

const EVENT: i32 = 1;

fn table() -> &'static ThreadTable {
    let slots: Vec<ThreadSlot> = core::iter::once(ThreadSlot::default()).collect();
    let by_fd: Vec<AtomicU32> = (0..2).map(|_| AtomicU32::new(0)).collect();
    Box::leak(Box::new(ThreadTable::new(slots.leak(), by_fd.leak(), &[])))
}

#[test]
fn a_handler_finds_a_thread_with_all_that_was_noted_of_it_or_not_at_all() {
    static FOUND: AtomicBool = AtomicBool::new(false);
    loom::model(|| {
        let table = table();
        let handler = thread::spawn(move || match table.by_fd(EVENT) {
            Found::Thread(key, slot) => {
                FOUND.store(true, Relaxed);
                assert_eq!((slot.tid(), slot.jni_env()), (100, 8));
                assert!(table.get(key).is_some());
            }
            Found::Stale | Found::Foreign => {}
        });
        let key = table.occupy(0, 100, 0).expect("free");
        table.get(key).expect("in use").set_jni_env(8);
        assert!(table.set_source(key, TickSource::Perf(EVENT)));
        handler.join().expect("no panic");
        assert!(matches!(table.by_fd(EVENT), Found::Thread(found, _) if found == key));
    });
    assert!(FOUND.load(Relaxed), "the thread was never found");
}

#[test]
fn of_two_who_take_a_source_one_gets_it() {
    loom::model(|| {
        let table = table();
        let key = table.occupy(0, 100, 0).expect("free");
        assert!(table.set_source(key, TickSource::Perf(EVENT)));
        // The thread that ends, and the session that ends; the handler looks on.
        let other = thread::spawn(move || table.take_source(key));
        let handler = thread::spawn(move || {
            if let Found::Thread(found, _) = table.by_fd(EVENT) {
                assert_eq!(found, key);
            }
        });
        let both = [table.take_source(key), other.join().expect("no panic")];
        handler.join().expect("no panic");
        let got = |source| both.iter().filter(|&&taken| taken == source).count();
        assert_eq!(got(TickSource::Perf(EVENT)), 1);
        assert_eq!(got(TickSource::None), 1);
        assert!(matches!(table.by_fd(EVENT), Found::Foreign));
    });
}

#[test]
fn a_late_signal_never_finds_the_next_thread_of_a_slot() {
    loom::model(|| {
        let table = table();
        let first = table.occupy(0, 100, 0).expect("free");
        assert!(table.set_source(first, TickSource::Perf(EVENT)));
        let handler = thread::spawn(move || {
            let by_event = table.by_fd(EVENT);
            let by_timer = table.by_timer_value(ThreadTable::timer_value(first));
            for found in [by_event, by_timer] {
                if let Found::Thread(key, _) = found {
                    assert_eq!(key, first);
                }
            }
        });
        assert_eq!(table.take_source(first), TickSource::Perf(EVENT));
        table.release(first);
        let second = table.occupy(0, 101, 0).expect("free again");
        assert!(table.set_source(second, TickSource::Timer(3)));
        handler.join().expect("no panic");
        assert!(table.get(first).is_none());
        assert_eq!(table.take_source(second), TickSource::Timer(3));
    });
}

#[test]
fn no_time_of_a_thread_is_claimed_twice() {
    loom::model(|| {
        let table = table();
        let key = table.occupy(0, 100, 0).expect("free");
        let slot = table.get(key).expect("in use");
        // The handler's tick, whose sample is dropped, and the recorder at a chunk's end.
        let handler = thread::spawn(move || {
            let weight = slot.claim_tick(260, 100);
            slot.give_back(weight, 100);
            slot.claim_tick(260, 100)
        });
        let at_seal = slot.claim_whole_intervals(260, 100);
        let by_tick = handler.join().expect("no panic");
        assert_eq!(slot.claimed(), (at_seal + by_tick) * 100);
        assert!(
            (2..=3).contains(&(at_seal + by_tick)),
            "{at_seal} {by_tick}"
        );
    });
}
