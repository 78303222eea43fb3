//! HotSpot's performance counters, which it keeps in a block of memory of its own (the one that `jstat` reads as a file).
//!
//! Block: a prologue with, at byte 0, the magic number, at 4 the byte order, at 5 and 6 the version (2.0), at 8 the bytes
//! used, at 24 the first entry's offset, at 28 the number of entries. Entry: at 0 its length, at 4 the name's offset, at 8 the number
//! of elements or 0, at 12 the type's letter, at 14 the unit, at 16 the value's offset (source: `perfMemory.hpp` and
//! `perfData.hpp` of OpenJDK).

use rustc_hash::FxHashMap;

use super::Declined;
use super::memory::{Inaccessible, SafeReader};
use super::vm_structs::VmStructs;

/// 0xCAFEC0C0 as it lies in memory, read in this machine's byte order.
const MAGIC: u32 = 0xC0C0_FECA;
const PROLOGUE_BYTES: usize = 32;
const ENTRY_BYTES: usize = 20;
/// `-XX:PerfDataMemorySize` is 32 KiB unless set.
const MAX_BYTES: usize = 1 << 24;

/// What a counter counts, as far as this code asks (source: `perfData.hpp`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Ticks of the clock whose frequency is the counter `sun.os.hrt.frequency`.
    Ticks,
    /// Bytes.
    Bytes,
    /// Events.
    Events,
    /// No unit, or another one: its number.
    Other(u8),
}

/// Where a counter's value lies: keep it, and a look is one load.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counter {
    address: u64,
    /// What it counts.
    pub unit: Unit,
}

impl Counter {
    /// The value now.
    ///
    /// # Errors
    ///
    /// When the block is gone: the JVM frees it at its end.
    pub fn value(&self, reader: &SafeReader) -> Result<i64, Inaccessible> {
        reader.read_u64(self.address).map(|value| value as i64)
    }
}

/// The counters of the JVM that runs. The JVM adds some while it starts: the later this is read, the more there are.
#[derive(Debug)]
pub struct PerfData {
    counters: FxHashMap<String, Counter>,
    texts: FxHashMap<String, String>,
}

impl PerfData {
    /// Reads the block's directory.
    ///
    /// # Errors
    ///
    /// [`Declined::NotSetUp`] before `VMInit` and with `-XX:-UsePerfData`; another reason when the block is not what it must be.
    pub fn read(vm: &VmStructs, reader: &SafeReader) -> Result<PerfData, Declined> {
        const BLOCK: &str = "the block of performance counters";
        let pointer = vm.static_address("PerfMemory", "_start")?;
        let start = vm
            .libjvm()
            .load_u64(pointer)
            .ok_or(Declined::Table(BLOCK))?;
        if start == 0 {
            return Err(Declined::NotSetUp(BLOCK));
        }
        let unreadable = |_: Inaccessible| Declined::Table(BLOCK);
        let mut prologue = [0; PROLOGUE_BYTES];
        reader
            .read_bytes(start, &mut prologue)
            .map_err(unreadable)?;
        let used = number(&prologue, 8).unwrap_or(0) as usize;
        if number(&prologue, 0) != Some(MAGIC) || !(PROLOGUE_BYTES..=MAX_BYTES).contains(&used) {
            return Err(Declined::Table(BLOCK));
        }
        let mut block = vec![0; used];
        reader.read_bytes(start, &mut block).map_err(unreadable)?;
        PerfData::parse(&block, start).ok_or(Declined::Table(BLOCK))
    }

    /// Reads a block that begins at `start`. An entry that does not fit ends the list.
    pub(crate) fn parse(block: &[u8], start: u64) -> Option<PerfData> {
        let mut data = PerfData {
            counters: FxHashMap::default(),
            texts: FxHashMap::default(),
        };
        let mut at = number(block, 24)? as usize;
        for _ in 0..number(block, 28)? {
            let Some(length) = number(block, at).map(|length| length as usize) else {
                break;
            };
            let entry = at.checked_add(length).and_then(|end| block.get(at..end));
            let Some(entry) = entry.filter(|entry| entry.len() >= ENTRY_BYTES) else {
                break;
            };
            data.take(entry, start + at as u64);
            at += length;
        }
        Some(data)
    }

    /// Takes one entry; one of another type, or with an offset outside of itself, is left.
    fn take(&mut self, entry: &[u8], address: u64) -> Option<()> {
        let name = text(entry.get(number(entry, 4)? as usize..)?);
        let elements = number(entry, 8)? as usize;
        let value_offset = number(entry, 16)? as usize;
        match (entry[12], elements) {
            (b'J', 0) if value_offset.checked_add(8)? <= entry.len() => {
                let unit = match entry[14] {
                    2 => Unit::Bytes,
                    3 => Unit::Ticks,
                    4 => Unit::Events,
                    other => Unit::Other(other),
                };
                let address = address + value_offset as u64;
                self.counters.insert(name, Counter { address, unit });
            }
            (b'B', 1..) => {
                let value = entry.get(value_offset..value_offset.checked_add(elements)?)?;
                self.texts.insert(name, text(value));
            }
            _ => {}
        }
        Some(())
    }

    /// A counter by its name, such as `sun.rt.safepoints`.
    pub fn counter(&self, name: &str) -> Option<Counter> {
        self.counters.get(name).copied()
    }

    /// A text by its name, such as `java.property.java.vm.name`, as it was when the block was read.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.texts.get(name).map(String::as_str)
    }
}

fn number(bytes: &[u8], offset: usize) -> Option<u32> {
    let word = bytes.get(offset..offset.checked_add(4)?)?;
    Some(u32::from_ne_bytes(word.try_into().ok()?))
}

/// The bytes before the first zero.
fn text(bytes: &[u8]) -> String {
    let end = bytes
        .iter()
        .position(|&byte| byte == 0)
        .unwrap_or(bytes.len());
    String::from_utf8_lossy(&bytes[..end]).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(name: &str, kind: u8, unit: u8, elements: u32, value: &[u8]) -> Vec<u8> {
        let value_offset = (ENTRY_BYTES + name.len() + 1).next_multiple_of(8);
        let length = (value_offset + value.len()).next_multiple_of(8);
        let mut bytes = Vec::new();
        for word in [length as u32, ENTRY_BYTES as u32, elements] {
            bytes.extend(word.to_ne_bytes());
        }
        bytes.extend([kind, 0, unit, 0]);
        bytes.extend((value_offset as u32).to_ne_bytes());
        bytes.extend(name.as_bytes());
        bytes.resize(value_offset, 0);
        bytes.extend(value);
        bytes.resize(length, 0);
        bytes
    }

    fn block(entries: &[Vec<u8>]) -> Vec<u8> {
        let mut bytes = vec![0xCA, 0xFE, 0xC0, 0xC0, 1, 2, 0, 1];
        bytes.resize(24, 0);
        bytes.extend(32u32.to_ne_bytes());
        bytes.extend((entries.len() as u32).to_ne_bytes());
        bytes.extend(entries.concat());
        bytes
    }

    fn sample() -> Vec<u8> {
        block(&[
            entry("sun.rt.safepoints", b'J', 4, 0, &7i64.to_ne_bytes()),
            entry("java.rt.vmArgs", b'B', 5, 8, b"-Xint\0\0\0"),
            entry("odd.type", b'D', 1, 0, &[0; 8]),
            entry("java.ci.totalTime", b'J', 3, 0, &9i64.to_ne_bytes()),
        ])
    }

    #[test]
    fn counters_and_texts_are_found_by_name() {
        let block = sample();
        assert_eq!(number(&block, 0), Some(MAGIC));
        let start = block.as_ptr() as u64;
        let data = PerfData::parse(&block, start).unwrap();
        assert_eq!(data.text("java.rt.vmArgs"), Some("-Xint"));
        assert_eq!(data.text("sun.rt.safepoints"), None);
        assert_eq!(data.counter("odd.type"), None);
        let reader = SafeReader::new().unwrap();
        let safepoints = data.counter("sun.rt.safepoints").unwrap();
        assert_eq!(
            (safepoints.unit, safepoints.value(&reader)),
            (Unit::Events, Ok(7))
        );
        let compile_time = data.counter("java.ci.totalTime").unwrap();
        assert_eq!(
            (compile_time.unit, compile_time.value(&reader)),
            (Unit::Ticks, Ok(9))
        );
    }

    #[test]
    fn a_cut_or_spoilt_block_gives_what_is_whole() {
        let block = sample();
        for end in 0..block.len() {
            let data = PerfData::parse(&block[..end], 0x1000);
            let found = data.map_or(0, |data| data.counters.len() + data.texts.len());
            assert!(found <= 2, "{end}");
        }
        for at in 0..block.len() {
            let mut spoilt = block.clone();
            spoilt[at] = 0xFF;
            // It may lose entries; it must come back.
            if let Some(data) = PerfData::parse(&spoilt, 0x1000) {
                assert!(data.counters.len() + data.texts.len() <= 3);
            }
        }
    }
}
