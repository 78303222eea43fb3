use crate::ReadError;

/// The length of a chunk's header in bytes.
pub(crate) const HEADER_BYTES: usize = 68;
const MAGIC: [u8; 4] = *b"FLR\0";
/// Constant-pool entries keep their place as 32 bits.
const MAX_CHUNK_BYTES: u64 = u32::MAX as u64;

/// The header of a chunk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ChunkHeader {
    /// The format's version before the dot: 1 (JDK 9 and 10) or 2.
    pub major: u16,
    /// The format's version after the dot.
    pub minor: u16,
    /// The whole chunk's size in bytes, header included.
    pub size: u64,
    /// Where the last checkpoint begins, in bytes from the chunk's begin; 0 when there is none.
    pub checkpoint_offset: u64,
    /// Where the metadata event begins, in bytes from the chunk's begin.
    pub metadata_offset: u64,
    /// When the chunk begins, in nanoseconds since 1970.
    pub start_unix_nanos: i64,
    /// How long it lasts, in nanoseconds.
    pub duration_nanos: i64,
    /// The ticks at its begin.
    pub start_ticks: i64,
    /// The ticks' frequency; at least 1.
    pub ticks_per_second: i64,
    /// Whether integers are LEB128 rather than of fixed width.
    pub compressed_integers: bool,
}

impl ChunkHeader {
    /// Reads the header of the chunk with which `bytes` begins, and checks that the chunk is all there.
    pub(crate) fn parse(bytes: &[u8]) -> Result<Self, ReadError> {
        let available = bytes.len() as u64;
        let present = MAGIC.len().min(bytes.len());
        if bytes[..present] != MAGIC[..present] {
            return Err(ReadError::NotAChunk);
        }
        let header: &[u8; HEADER_BYTES] = bytes
            .first_chunk()
            .ok_or(ReadError::Truncated { size: 0, available })?;
        let short = |at: usize| u16::from_be_bytes([header[at], header[at + 1]]);
        let long = |at: usize| {
            let mut field = [0; 8];
            field.copy_from_slice(&header[at..at + 8]);
            u64::from_be_bytes(field)
        };
        let (major, minor) = (short(4), short(6));
        if !(1..=2).contains(&major) {
            return Err(ReadError::UnsupportedVersion { major, minor });
        }
        let parsed = Self {
            major,
            minor,
            size: long(8),
            checkpoint_offset: long(16),
            metadata_offset: long(24),
            start_unix_nanos: long(32).cast_signed(),
            duration_nanos: long(40).cast_signed(),
            start_ticks: long(48).cast_signed(),
            ticks_per_second: long(56).cast_signed(),
            compressed_integers: header[67] & 1 != 0,
        };
        if parsed.size > available {
            return Err(ReadError::Truncated {
                size: parsed.size,
                available,
            });
        }
        // A JVM that was killed leaves the size of its last chunk at 0.
        if parsed.size == 0 {
            return Err(ReadError::Header("its size is 0, it was never finished"));
        }
        if parsed.size < HEADER_BYTES as u64 {
            return Err(ReadError::Header("its size is smaller than the header"));
        }
        if parsed.size > MAX_CHUNK_BYTES {
            return Err(ReadError::Header("the chunk is larger than 4 GiB"));
        }
        if parsed.ticks_per_second < 1 {
            return Err(ReadError::Header("its ticks have no frequency"));
        }
        Ok(parsed)
    }

    /// The time of a tick count of this chunk, in nanoseconds since 1970.
    pub fn unix_nanos(&self, ticks: i64) -> i64 {
        let since_start = i128::from(ticks) - i128::from(self.start_ticks);
        saturate(i128::from(self.start_unix_nanos) + self.scale(since_start))
    }

    /// The length of a span of ticks, in nanoseconds.
    pub fn span_nanos(&self, ticks: i64) -> i64 {
        saturate(self.scale(ticks.into()))
    }

    fn scale(&self, ticks: i128) -> i128 {
        // At most 2^65 times 10^9: far from overflow.
        ticks * 1_000_000_000 / i128::from(self.ticks_per_second)
    }
}

fn saturate(value: i128) -> i64 {
    i64::try_from(value).unwrap_or(if value < 0 { i64::MIN } else { i64::MAX })
}
