//! The table of threads: what the handler must know about the thread it interrupts.
//!
//! A slot is filled and emptied outside signals by the registry (one writer at a time, under its
//! lock); the handler finds the slot of its own thread through the signal's information: the file
//! descriptor of a perf event, or the value that a timer carries. The process's one timer and a trap say
//! neither: then the thread's id is looked up. No thread-local storage is needed.

mod allocating;
mod slot;

use crate::sync::{AtomicU32, AtomicU64, Ordering};

pub use allocating::Allocating;
pub use slot::ThreadSlot;

/// Marks the values that jprof's timers carry in `si_value` (bits 48 to 63).
const TIMER_TAG: usize = 0x6a70;

/// What fires in a thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TickSource {
    /// Nothing: its time is claimed at the end of a chunk.
    None,
    /// A perf event, by file descriptor.
    Perf(i32),
    /// A timer on the thread's CPU clock, by the kernel's timer id.
    Timer(i32),
    /// The process's timer, which ticks for all threads.
    Process,
}

impl TickSource {
    const fn pack(self) -> u64 {
        match self {
            Self::None => 0,
            Self::Perf(fd) => (1 << 32) | fd.cast_unsigned() as u64,
            Self::Timer(id) => (2 << 32) | id.cast_unsigned() as u64,
            Self::Process => 3 << 32,
        }
    }

    const fn unpack(word: u64) -> Self {
        let id = (word as u32).cast_signed();
        match word >> 32 {
            1 => Self::Perf(id),
            2 => Self::Timer(id),
            3 => Self::Process,
            _ => Self::None,
        }
    }
}

/// Names one use of a slot: slots are used again, keys are not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ThreadKey(u64);

impl ThreadKey {
    /// The key as it stands in a record.
    #[must_use]
    pub const fn to_bits(self) -> u64 {
        self.0
    }

    /// The inverse of `to_bits`.
    #[must_use]
    pub const fn from_bits(bits: u64) -> Self {
        Self(bits)
    }

    /// The slot's place in the table.
    #[must_use]
    pub const fn index(self) -> u32 {
        self.0 as u32
    }
}

#[allow(unsafe_code)]
fn gettid() -> u32 {
    // SAFETY: gettid takes nothing and cannot fail; `syscall` is used since the wrapper is newer
    // than glibc 2.17.
    unsafe { libc::syscall(libc::SYS_gettid) as u32 }
}

/// The table.
#[derive(Debug)]
pub struct ThreadTable {
    slots: &'static [ThreadSlot],
    /// By file descriptor: slot index + 1, 0 for none of ours.
    by_fd: &'static [AtomicU32],
    /// By thread id, in buckets of [`TIDS_TOGETHER`]: thread id, and slot index + 1 in the lower half; 0 for none.
    by_tid: &'static [AtomicU64],
}

/// Places for thread ids that leave the same remainder: a cache line of them. Ids are given out one after the other, so a
/// bucket fills only when there are more threads than a table has slots.
const TIDS_TOGETHER: usize = 8;

impl ThreadTable {
    /// A table over zeroed memory.
    #[must_use]
    pub const fn new(
        slots: &'static [ThreadSlot],
        by_fd: &'static [AtomicU32],
        by_tid: &'static [AtomicU64],
    ) -> Self {
        Self {
            slots,
            by_fd,
            by_tid,
        }
    }

    /// Number of slots.
    #[must_use]
    pub const fn capacity(&self) -> usize {
        self.slots.len()
    }

    /// File descriptors below this can be found by the handler.
    #[must_use]
    pub const fn fd_limit(&self) -> usize {
        self.by_fd.len()
    }

    /// Registry only: takes the free slot `index` for a thread whose CPU time up to
    /// `claimed` is not to be claimed. `None` when the slot is in use or out of range.
    pub fn occupy(&self, index: u32, tid: u32, claimed: u64) -> Option<ThreadKey> {
        let slot = self.slots.get(index as usize)?;
        let generation = slot.generation.load(Ordering::Relaxed);
        if generation & 1 == 1 {
            return None;
        }
        slot.begin(tid, claimed);
        let generation = generation.wrapping_add(1);
        slot.generation.store(generation, Ordering::Release);
        // Where there is no place, nothing that looks the thread up by its id finds it.
        self.replace_tid(tid, 0, tid_word(tid, index));
        Some(key(index, generation))
    }

    /// Registry only: notes what fires in a thread in which nothing did. Must precede the arming of
    /// a timer or event. False when the descriptor or the thread's id finds no place, or the thread has ended.
    #[must_use]
    pub fn set_source(&self, key: ThreadKey, source: TickSource) -> bool {
        let Some(slot) = self.get(key) else {
            return false;
        };
        match source {
            TickSource::Perf(fd) => {
                let Some(entry) = self.fd_entry(fd) else {
                    return false;
                };
                slot.source.store(source.pack(), Ordering::Release);
                entry.store(key.index() + 1, Ordering::Release);
            }
            TickSource::Process => {
                let (tid, word) = (slot.tid(), tid_word(slot.tid(), key.index()));
                let mut places = self.tid_bucket(tid).iter();
                let is_there = places.any(|place| place.load(Ordering::Acquire) == word);
                if !is_there && !self.replace_tid(tid, 0, word) {
                    return false;
                }
                slot.source.store(source.pack(), Ordering::Release);
            }
            TickSource::None | TickSource::Timer(_) => {
                slot.source.store(source.pack(), Ordering::Release);
            }
        }
        true
    }

    /// Takes away what fires in a thread. Whoever gets it, and nobody else, is to close it: of two
    /// who ask at the same moment one gets `None`, since a descriptor that is closed twice may be
    /// somebody else's by then.
    #[must_use]
    pub fn take_source(&self, key: ThreadKey) -> TickSource {
        let Some(slot) = self.get(key) else {
            return TickSource::None;
        };
        let source =
            TickSource::unpack(slot.source.swap(TickSource::None.pack(), Ordering::AcqRel));
        if let TickSource::Perf(fd) = source {
            let ours = self.fd_entry(fd).is_some_and(|entry| {
                let own = key.index() + 1;
                entry
                    .compare_exchange(own, 0, Ordering::AcqRel, Ordering::Relaxed)
                    .is_ok()
            });
            // Not ours any more: the application has closed it behind our back, and another
            // thread's event has got the number.
            if !ours {
                return TickSource::None;
            }
        }
        source
    }

    /// Registry only: frees the slot. What fired must have been taken away.
    pub fn release(&self, key: ThreadKey) {
        if let Some(slot) = self.get(key) {
            self.replace_tid(slot.tid(), tid_word(slot.tid(), key.index()), 0);
            slot.set_jni_env(0);
            slot.generation.fetch_add(1, Ordering::Release);
        }
    }

    /// The slot of a key, while that use of it lasts.
    #[inline]
    #[must_use]
    pub fn get(&self, key: ThreadKey) -> Option<&'static ThreadSlot> {
        let slot = self.slots.get(key.index() as usize)?;
        (slot.generation.load(Ordering::Acquire) == (key.0 >> 32) as u32).then_some(slot)
    }

    /// What `timer_create` is given as `sival_ptr` for a thread.
    #[must_use]
    pub const fn timer_value(key: ThreadKey) -> usize {
        (TIMER_TAG << 48) | (((key.0 >> 32) as usize & 0xffff) << 32) | key.index() as usize
    }

    /// Handler: the thread of a timer's value.
    #[inline]
    #[must_use]
    pub fn by_timer_value(&self, value: usize) -> Found {
        if value >> 48 != TIMER_TAG {
            return Found::Foreign;
        }
        let index = value as u32;
        let Some(slot) = self.slots.get(index as usize) else {
            return Found::Foreign;
        };
        let generation = slot.generation.load(Ordering::Acquire);
        if generation as usize & 0xffff != (value >> 32) & 0xffff {
            return Found::Stale;
        }
        Found::Thread(key(index, generation), slot)
    }

    /// Handler: the thread of a perf event's descriptor.
    #[inline]
    #[must_use]
    pub fn by_fd(&self, fd: i32) -> Found {
        let Some(entry) = self.fd_entry(fd) else {
            return Found::Foreign;
        };
        // Also one that was ours: the number is soon another's.
        let Some(index) = entry.load(Ordering::Acquire).checked_sub(1) else {
            return Found::Foreign;
        };
        let Some(slot) = self.slots.get(index as usize) else {
            return Found::Foreign;
        };
        let generation = slot.generation.load(Ordering::Acquire);
        if generation & 1 == 0 || slot.source() != TickSource::Perf(fd) {
            return Found::Stale;
        }
        Found::Thread(key(index, generation), slot)
    }

    /// Handler: the calling thread, if the process's timer ticks for it.
    #[inline]
    #[must_use]
    pub fn by_current_tid(&self) -> Found {
        match self.current() {
            Some((key, slot)) if slot.source() == TickSource::Process => Found::Thread(key, slot),
            _ => Found::Stale,
        }
    }

    /// Handler: the calling thread, if it is known.
    #[inline]
    #[must_use]
    pub fn current(&self) -> Option<(ThreadKey, &'static ThreadSlot)> {
        let tid = gettid();
        let mut words = self
            .tid_bucket(tid)
            .iter()
            .map(|place| place.load(Ordering::Acquire));
        let word = words.find(|word| word >> 32 == u64::from(tid))?;
        let index = (word as u32).wrapping_sub(1);
        let slot = self.slots.get(index as usize)?;
        let generation = slot.generation.load(Ordering::Acquire);
        (generation & 1 == 1 && slot.tid() == tid).then(|| (key(index, generation), slot))
    }

    /// Puts one word in the place of another of that thread id. False when the other is not there.
    fn replace_tid(&self, tid: u32, before: u64, after: u64) -> bool {
        self.tid_bucket(tid).iter().any(|place| {
            place
                .compare_exchange(before, after, Ordering::AcqRel, Ordering::Relaxed)
                .is_ok()
        })
    }

    #[inline]
    fn tid_bucket(&self, tid: u32) -> &'static [AtomicU64] {
        let buckets = self.by_tid.len() / TIDS_TOGETHER;
        let first = (tid as usize)
            .checked_rem(buckets)
            .unwrap_or(0)
            .wrapping_mul(TIDS_TOGETHER);
        self.by_tid
            .get(first..first.wrapping_add(TIDS_TOGETHER))
            .unwrap_or(&[])
    }

    #[inline]
    fn fd_entry(&self, fd: i32) -> Option<&'static AtomicU32> {
        self.by_fd.get(usize::try_from(fd).ok()?)
    }
}

/// The answer to a handler's look-up.
#[derive(Clone, Copy, Debug)]
pub enum Found {
    /// A thread that is sampled.
    Thread(ThreadKey, &'static ThreadSlot),
    /// It was jprof's, but the thread or its event is gone.
    Stale,
    /// Not jprof's.
    Foreign,
}

const fn tid_word(tid: u32, index: u32) -> u64 {
    ((tid as u64) << 32) | (index as u64 + 1)
}

const fn key(index: u32, generation: u32) -> ThreadKey {
    ThreadKey(((generation as u64) << 32) | index as u64)
}

#[cfg(all(test, not(loom)))]
mod tests;
