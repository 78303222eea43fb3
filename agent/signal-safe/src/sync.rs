//! The atomics and cells of the rings, their locks and the table of threads: the processor's or, in the tests that explore
//! all interleavings, loom's.
//!
//! # Safety
//! Who reads or writes a word answers for nobody else writing it at that moment.
#![allow(unsafe_code)]

#[cfg(not(all(test, loom)))]
pub(crate) use core::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Ordering};
#[cfg(all(test, loom))]
pub(crate) use loom::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Ordering};

/// A word of a ring.
#[cfg(not(all(test, loom)))]
pub type Word = core::cell::UnsafeCell<u64>;
/// A word of a ring.
#[cfg(all(test, loom))]
pub type Word = loom::cell::UnsafeCell<u64>;

#[cfg(not(all(test, loom)))]
#[inline]
pub(crate) unsafe fn read(word: &Word) -> u64 {
    // SAFETY: see the module.
    unsafe { *word.get() }
}

#[cfg(not(all(test, loom)))]
#[inline]
pub(crate) unsafe fn write(word: &Word, value: u64) {
    // SAFETY: see the module.
    unsafe { *word.get() = value }
}

#[cfg(all(test, loom))]
pub(crate) unsafe fn read(word: &Word) -> u64 {
    // SAFETY: see the module; loom checks it.
    word.with(|word| unsafe { *word })
}

#[cfg(all(test, loom))]
pub(crate) unsafe fn write(word: &Word, value: u64) {
    // SAFETY: see the module; loom checks it.
    word.with_mut(|word| unsafe { *word = value });
}
