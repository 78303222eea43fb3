//! What can go wrong while a chunk is written.

use std::io;

/// A chunk could not be written. After [`WriteError::Io`] the chunk is lost: every later call on
/// the same writer answers [`WriteError::Failed`].
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WriteError {
    /// The stream refused bytes or a change of position.
    #[error("cannot write the chunk: {0}")]
    Io(#[from] io::Error),
    /// An earlier call on this writer failed, so the chunk can no longer become complete.
    #[error("the chunk was given up after an earlier error")]
    Failed,
    /// [`ChunkStart::ticks_per_second`](crate::ChunkStart::ticks_per_second) was 0.
    #[error("a chunk needs a clock of at least one tick per second")]
    StoppedClock,
    /// A sample of the jdk dialect would have become more events than
    /// [`MAX_SAMPLE_COPIES`](crate::MAX_SAMPLE_COPIES).
    #[error("a sample of weight {weight} is not credible")]
    TooManyCopies {
        /// The sample's weight.
        weight: u64,
    },
    /// The constant pools have more bytes than a JFR size field can say.
    #[error("{bytes} bytes do not fit into one event of a chunk")]
    TooLarge {
        /// The size that was asked for.
        bytes: u64,
    },
}
