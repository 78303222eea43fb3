//! How much a Java thread has allocated, as the JVM counts it.

use super::Declined;
use super::memory::{Load, SafeReader};
use super::vm_structs::VmStructs;

/// Reads the bytes that a thread has allocated: what the JVM added up when the thread gave its buffers (TLABs) back, and
/// what it has used of the present one (`Thread::cooked_allocated_bytes`).
#[derive(Debug)]
pub struct AllocatedBytes {
    reader: SafeReader,
    counted: u64,
    buffer_start: u64,
    buffer_top: u64,
}

impl AllocatedBytes {
    /// Takes the offsets from the tables.
    ///
    /// # Errors
    ///
    /// [`Declined`] with the field that is missing.
    pub fn new(vm: &VmStructs) -> Result<AllocatedBytes, Declined> {
        // JavaThread begins with its base class Thread.
        let buffer = vm.field_offset("Thread", "_tlab")?;
        Ok(AllocatedBytes {
            reader: SafeReader::new()?,
            counted: vm.field_offset("Thread", "_allocated_bytes")?,
            buffer_start: buffer + vm.field_offset("ThreadLocalAllocBuffer", "_start")?,
            buffer_top: buffer + vm.field_offset("ThreadLocalAllocBuffer", "_top")?,
        })
    }

    /// Bytes since the thread began. `None` for what is no thread.
    ///
    /// The thread goes on meanwhile: a buffer that it changes at this moment counts not at all, or in full.
    pub fn of(&self, java_thread: u64) -> Option<u64> {
        let [mut counted, mut start, mut top] = [[0; 8]; 3];
        let mut loads = [
            (self.counted, &mut counted),
            (self.buffer_start, &mut start),
            (self.buffer_top, &mut top),
        ]
        .map(|(offset, into)| Load {
            address: java_thread.wrapping_add(offset),
            into,
        });
        self.reader.read_batch(&mut loads).ok()?;
        let [counted, start, top] = [counted, start, top].map(u64::from_ne_bytes);
        let used = top.checked_sub(start).filter(|_| start != 0).unwrap_or(0);
        // A buffer is a small part of the heap; a torn pair of words may say otherwise.
        const LARGEST_BUFFER: u64 = 1 << 32;
        Some(counted + if used <= LARGEST_BUFFER { used } else { 0 })
    }
}
