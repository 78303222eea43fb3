//! The numbers of this crate, each with its reason.

/// Longest text, in bytes of UTF-8, that goes into a chunk; what is longer is cut at a character's
/// boundary. It is the largest length whose varint takes two bytes, and is far above any name; only
/// class paths and command lines come near.
pub const MAX_TEXT_BYTES: usize = 16_383;

/// Bytes collected before the stream is asked to take them: large enough that a sample's share of
/// a system call is nothing, small beside the memory that the agent may use.
pub(crate) const OUTPUT_BUFFER_BYTES: usize = 64 * 1024;

/// First type id of our own. JVMs number their types from 1 and stay below 10,000; readers that
/// keep what they know of a type over the chunks of a file must never meet theirs and ours under one number.
pub(crate) const FIRST_TYPE_ID: u64 = 1_000_000;

/// Largest event: sizes are 32-bit and readers take them as signed.
pub(crate) const MAX_EVENT_BYTES: u64 = i32::MAX as u64;

/// Largest pool: beyond it new entries are refused and their ids are null. No chunk comes near,
/// since chunks are sealed at some megabytes; this only keeps offsets inside 32 bits.
pub(crate) const MAX_POOL_BYTES: usize = i32::MAX as usize;

/// Most events that one sample of the jdk dialect may become: more than a chunk of 16 MiB holds.
/// A larger weight is a caller's mistake, and would fill the disk.
pub const MAX_SAMPLE_COPIES: u64 = 1_000_000;
