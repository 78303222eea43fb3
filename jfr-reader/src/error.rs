/// Why a recording, a chunk or an event could not be read.
///
/// Offsets named in a message count from the begin of the chunk, those of [`crate::Damage`]
/// from the begin of the file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
    /// The bytes do not begin with the magic `FLR\0`.
    #[error("this is no JFR recording: it does not begin with FLR\\0")]
    NotJfr,
    /// There are no bytes at all.
    #[error("the recording is empty")]
    Empty,
    /// Bytes after a chunk that are no chunk.
    #[error("what follows the last chunk is no chunk: it does not begin with FLR\\0")]
    NotAChunk,
    /// A format version that has no reader here: 0.9 of Oracle's JDK 7 and 8, or one yet to come.
    #[error("JFR version {major}.{minor} is not supported, only 1.x and 2.x are")]
    UnsupportedVersion {
        /// Before the dot.
        major: u16,
        /// After the dot.
        minor: u16,
    },
    /// The chunk says that it is longer than what is there: cut off, or still being written.
    #[error("the chunk is cut: {size} bytes are announced, {available} are there")]
    Truncated {
        /// The chunk's size by its header, in bytes; 0 when even the header is cut.
        size: u64,
        /// The bytes that are there.
        available: u64,
    },
    /// A header field that no writer of a finished chunk leaves so.
    #[error("the chunk's header is wrong: {0}")]
    Header(&'static str),
    /// A value runs over the end of what holds it.
    #[error("{what} at byte {offset} of the chunk runs over the end")]
    UnexpectedEnd {
        /// What was being read.
        what: &'static str,
        /// Where in the chunk.
        offset: u64,
    },
    /// A length or count that cannot be true.
    #[error("{what} at byte {offset} of the chunk is out of range")]
    OutOfRange {
        /// What was being read.
        what: &'static str,
        /// Where in the chunk.
        offset: u64,
    },
    /// A string encoding other than 0 to 5.
    #[error("the string at byte {offset} of the chunk has the unknown encoding {encoding}")]
    StringEncoding {
        /// The encoding's byte.
        encoding: u8,
        /// Where in the chunk.
        offset: u64,
    },
    /// The metadata event is not a tree of elements that describes types.
    #[error("the metadata is wrong: {0}")]
    Metadata(&'static str),
    /// A checkpoint names a previous one that does not lie wholly before it, as in a circle.
    #[error("the checkpoint at byte {offset} names byte {previous} as the one before it")]
    CheckpointChain {
        /// Where the checkpoint begins in the chunk.
        offset: u64,
        /// Where the one before it should begin.
        previous: i64,
    },
    /// An event or a constant pool of a type that the metadata does not describe.
    #[error("the metadata does not describe type {type_id}, used at byte {offset} of the chunk")]
    UnknownType {
        /// The type's id.
        type_id: i64,
        /// Where in the chunk.
        offset: u64,
    },
    /// A type that holds itself, nests too deep, or has a field of an unknown type.
    #[error("values of type {type_id} at byte {offset} of the chunk cannot be read: {reason}")]
    UnreadableType {
        /// The type's id.
        type_id: i64,
        /// Where in the chunk.
        offset: u64,
        /// What is wrong with the type.
        reason: &'static str,
    },
}
