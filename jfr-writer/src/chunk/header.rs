//! The 68 bytes at a chunk's start.
//!
//! Big-endian, offsets from the chunk's start (format: `JfrChunkHeader` of HotSpot):
//!
//! | bytes | field |
//! | --- | --- |
//! | 0 | magic `FLR\0` |
//! | 4 | version: major, minor |
//! | 8 | size of the chunk |
//! | 16 | offset of the last checkpoint event |
//! | 24 | offset of the metadata event |
//! | 32 | start, nanoseconds since the epoch |
//! | 40 | duration, nanoseconds |
//! | 48 | start, ticks |
//! | 56 | ticks per second |
//! | 64 | flags: bit 0, integers are compressed |

/// Size of the header.
pub(crate) const HEADER_BYTES: usize = 68;

const MAGIC: [u8; 4] = *b"FLR\0";
const MAJOR: u16 = 2;
const MINOR: u16 = 0;
const COMPRESSED_INTEGERS: u32 = 1;

/// What the header says.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Header {
    pub(crate) chunk_bytes: u64,
    pub(crate) checkpoint_offset: u64,
    pub(crate) metadata_offset: u64,
    pub(crate) start_nanos: u64,
    pub(crate) duration_nanos: u64,
    pub(crate) start_ticks: u64,
    pub(crate) ticks_per_second: u64,
}

impl Header {
    pub(crate) fn encode(&self) -> [u8; HEADER_BYTES] {
        let mut bytes = [0; HEADER_BYTES];
        bytes[0..4].copy_from_slice(&MAGIC);
        bytes[4..6].copy_from_slice(&MAJOR.to_be_bytes());
        bytes[6..8].copy_from_slice(&MINOR.to_be_bytes());
        let longs = [
            self.chunk_bytes,
            self.checkpoint_offset,
            self.metadata_offset,
            self.start_nanos,
            self.duration_nanos,
            self.start_ticks,
            self.ticks_per_second,
        ];
        for (slot, value) in bytes[8..64].chunks_exact_mut(8).zip(longs) {
            slot.copy_from_slice(&value.to_be_bytes());
        }
        bytes[64..].copy_from_slice(&COMPRESSED_INTEGERS.to_be_bytes());
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_field_has_its_place() {
        let header = Header {
            chunk_bytes: 0x0102,
            checkpoint_offset: 0x0304,
            metadata_offset: 68,
            start_nanos: 0x1122_3344_5566_7788,
            duration_nanos: 60_000_000_000,
            start_ticks: 7,
            ticks_per_second: 1_000_000_000,
        };
        let mut expected = Vec::new();
        expected.extend_from_slice(b"FLR\0\x00\x02\x00\x00");
        expected.extend_from_slice(&[0, 0, 0, 0, 0, 0, 1, 2]);
        expected.extend_from_slice(&[0, 0, 0, 0, 0, 0, 3, 4]);
        expected.extend_from_slice(&[0, 0, 0, 0, 0, 0, 0, 68]);
        expected.extend_from_slice(&[0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88]);
        expected.extend_from_slice(&[0, 0, 0, 0x0d, 0xf8, 0x47, 0x58, 0x00]);
        expected.extend_from_slice(&[0, 0, 0, 0, 0, 0, 0, 7]);
        expected.extend_from_slice(&[0, 0, 0, 0, 0x3b, 0x9a, 0xca, 0x00]);
        expected.extend_from_slice(&[0, 0, 0, 1]);
        assert_eq!(header.encode().as_slice(), expected);
    }
}
