use std::fmt;

use crate::header::ChunkHeader;
use crate::{Chunk, ReadError};

/// A recording: one or more chunks, borrowed from the bytes of a file.
#[derive(Debug)]
pub struct Recording<'a> {
    chunks: Vec<Chunk<'a>>,
    damage: Vec<Damage>,
}

impl<'a> Recording<'a> {
    /// Reads the frame, the metadata and the constant pools of every chunk; the events wait until
    /// they are asked for.
    ///
    /// A chunk that cannot be read does not take the others with it: see [`Recording::damage`].
    ///
    /// # Errors
    /// When no chunk can be read: the reason why the first one cannot.
    pub fn parse(bytes: &'a [u8]) -> Result<Recording<'a>, ReadError> {
        let mut chunks = Vec::new();
        let mut damage = Vec::new();
        let mut at = 0;
        while at < bytes.len() {
            let rest = &bytes[at..];
            let header = ChunkHeader::parse(rest);
            let size = header.as_ref().map_or(rest.len(), |header| {
                // The header was refused unless the whole chunk is there.
                header.size as usize
            });
            let chunk = header.and_then(|header| Chunk::parse(&rest[..size], header, at as u64));
            match chunk {
                Ok(chunk) => chunks.push(chunk),
                Err(error) => damage.push(Damage {
                    chunk: chunks.len() + damage.len(),
                    offset: at as u64,
                    error,
                }),
            }
            at += size;
        }
        if chunks.is_empty() {
            return Err(match damage.into_iter().next().map(|damage| damage.error) {
                None => ReadError::Empty,
                Some(ReadError::NotAChunk) => ReadError::NotJfr,
                Some(error) => error,
            });
        }
        Ok(Self { chunks, damage })
    }

    /// The chunks that can be read, in the order of the file.
    pub fn chunks(&self) -> &[Chunk<'a>] {
        &self.chunks
    }

    /// The chunks that cannot be read: usually none, or the last one, cut when its writer died.
    pub fn damage(&self) -> &[Damage] {
        &self.damage
    }
}

/// A chunk that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Damage {
    /// How many chunks, good or bad, lie before it.
    pub chunk: usize,
    /// Where it begins in the file, in bytes.
    pub offset: u64,
    /// Why it cannot be read.
    pub error: ReadError,
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "chunk {} at byte {}: {}",
            self.chunk + 1,
            self.offset,
            self.error
        )
    }
}
