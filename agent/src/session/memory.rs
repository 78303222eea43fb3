//! The memory that the handler works on: mapped once, never given back, touched as it is used.
//!
//! # Safety
//! Anonymous mappings are zeroed, aligned to pages and live for ever. Zero is a valid value of all
//! types mapped here: atomics, words, frames and cached frames.
#![allow(unsafe_code)]

use std::cell::UnsafeCell;
use std::io;
use std::mem;
use std::ptr;
use std::slice;
use std::sync::atomic::{AtomicU32, AtomicU64};

#[cfg(target_arch = "x86_64")]
use jprof_signal_safe::levels::LevelCounts;
use jprof_signal_safe::ring::Ring;
use jprof_signal_safe::stripes::Stripe;
use jprof_signal_safe::threads::{ThreadSlot, ThreadTable};
use jprof_signal_safe::walker::{CachedFrame, Frame};

use crate::limits;

/// The table of threads.
pub(super) fn thread_table() -> io::Result<ThreadTable> {
    // SAFETY: all zero is a free slot, an unused descriptor, and no thread's id.
    unsafe {
        Ok(ThreadTable::new(
            map::<ThreadSlot>(limits::MAX_THREADS)?,
            map::<AtomicU32>(limits::MAX_PERF_FD)?,
            map::<AtomicU64>(limits::TID_PLACES)?,
        ))
    }
}

/// The counts of what is left of the threads' TLABs.
#[cfg(target_arch = "x86_64")]
pub(crate) fn level_counts() -> io::Result<&'static [LevelCounts]> {
    // SAFETY: all zero is nobody's.
    unsafe { map(limits::MAX_THREADS) }
}

/// The stripes for stacks of up to `depth` frames.
pub(super) fn stripes(depth: usize) -> io::Result<&'static [Stripe]> {
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    let count =
        (processors * limits::STRIPES_PER_CPU).clamp(limits::MIN_STRIPES, limits::MAX_STRIPES);
    let mut stripes = Vec::with_capacity(count);
    for _ in 0..count {
        // SAFETY: zero is a valid word, a valid frame and an empty place of the cache.
        let (words, frames, cache) = unsafe {
            (
                map::<UnsafeCell<u64>>(limits::RING_WORDS)?,
                map_cell::<Frame>(depth)?,
                map_cell::<CachedFrame>(limits::CACHED_FRAMES)?,
            )
        };
        let ring = Ring::new(words).ok_or(io::ErrorKind::InvalidInput)?;
        stripes.push(Stripe::new(ring, frames, cache));
    }
    Ok(stripes.leak())
}

/// # Safety
/// All zero is a valid `T`.
unsafe fn map_cell<T>(count: usize) -> io::Result<&'static UnsafeCell<[T]>> {
    // SAFETY: UnsafeCell has the layout of what it holds, and nobody else has a reference.
    unsafe {
        let first = map_raw(count * mem::size_of::<T>())?.cast::<T>();
        Ok(&*(ptr::slice_from_raw_parts(first, count) as *const UnsafeCell<[T]>))
    }
}

/// # Safety
/// All zero is a valid `T`.
unsafe fn map<T>(count: usize) -> io::Result<&'static [T]> {
    // SAFETY: the mapping is large enough, aligned, zeroed and never unmapped.
    unsafe {
        Ok(slice::from_raw_parts(
            map_raw(count * mem::size_of::<T>())?.cast::<T>(),
            count,
        ))
    }
}

fn map_raw(bytes: usize) -> io::Result<*mut libc::c_void> {
    // SAFETY: a new private mapping.
    let address = unsafe {
        libc::mmap(
            ptr::null_mut(),
            bytes,
            libc::PROT_READ | libc::PROT_WRITE,
            libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE,
            -1,
            0,
        )
    };
    if address == libc::MAP_FAILED {
        Err(io::Error::last_os_error())
    } else {
        Ok(address)
    }
}
