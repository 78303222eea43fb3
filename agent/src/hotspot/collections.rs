//! How many garbage collections there were, and what they have left in the heap.

use super::Declined;
use super::flags::Flags;
use super::memory::SafeReader;
use super::perf_data::{Counter, PerfData};
use super::vm_structs::VmStructs;

/// Collectors that stop the program for all that finds the young dead. Of the others, a collection that has begun is not one that
/// has ended.
const STOPPING: [&str; 4] = [
    "UseSerialGC",
    "UseParallelGC",
    "UseG1GC",
    "UseConcMarkSweepGC",
];
/// It does not count its collections (8 to 25).
const NOT_COUNTED: &str = "UseShenandoahGC";
/// More than any collector has, of each.
const MOST_PARTS: usize = 8;

/// The collector of the JVM that runs.
#[derive(Debug)]
pub struct Collections {
    reader: SafeReader,
    /// Where the JVM counts them, where it does.
    counted_at: Option<u64>,
    is_stopping: bool,
    /// What is used of each part of the heap, as the last collection has left it.
    used: Vec<Counter>,
}

impl Collections {
    /// Finds the counters.
    ///
    /// # Errors
    ///
    /// [`Declined`] where memory cannot be read. A counter that is missing is no error.
    pub fn find(vm: &VmStructs) -> Result<Collections, Declined> {
        let reader = SafeReader::new()?;
        let flags = Flags::new(vm)?;
        let is_stopping = STOPPING.iter().any(|name| flags.is_on(name));
        let counted_at = if flags.is_on(NOT_COUNTED) {
            None
        } else {
            counter_address(vm, &reader)
        };
        let used = match PerfData::read(vm, &reader) {
            Ok(data) if is_stopping => parts(&data),
            _ => Vec::new(),
        };
        Ok(Collections {
            reader,
            counted_at,
            is_stopping,
            used,
        })
    }

    /// How many have begun so far (`CollectedHeap::_total_collections`). `None` where the JVM does not count them.
    pub fn begun(&self) -> Option<u64> {
        let count = self.reader.read_u32(self.counted_at?).ok()?;
        Some(u64::from(count))
    }

    /// Whether a collection that has begun has ended before any Java thread goes on.
    pub fn is_stopping(&self) -> bool {
        self.is_stopping && self.counted_at.is_some()
    }

    /// Bytes of the heap that are used, as the last collection has left it: right from a collection's end to the start of the
    /// next. `None` where the JVM keeps no such counters.
    pub fn used_after(&self) -> Option<u64> {
        if self.used.is_empty() {
            return None;
        }
        let parts = self.used.iter().map(|part| {
            let bytes = part.value(&self.reader).ok()?;
            u64::try_from(bytes).ok()
        });
        parts.sum()
    }
}

fn counter_address(vm: &VmStructs, reader: &SafeReader) -> Option<u64> {
    let heap = vm.static_address("Universe", "_collectedHeap").ok()?;
    let heap = reader.read_u64(heap).ok().filter(|&heap| heap != 0)?;
    let offset = vm
        .field_offset("CollectedHeap", "_total_collections")
        .ok()?;
    Some(heap + offset)
}

fn parts(data: &PerfData) -> Vec<Counter> {
    let mut parts = Vec::new();
    for generation in 0..MOST_PARTS {
        for space in 0..MOST_PARTS {
            let name = format!("sun.gc.generation.{generation}.space.{space}.used");
            parts.extend(data.counter(&name));
        }
    }
    parts
}
