use crate::ReadError;
use crate::cursor::Cursor;
use crate::event::Event;
use crate::header::{ChunkHeader, HEADER_BYTES};
use crate::layout::skip_value;
use crate::metadata::{Metadata, Type};
use crate::pool::Pools;
use crate::value::{Value, constant};

const METADATA_EVENT: i64 = 0;
const CHECKPOINT_EVENT: i64 = 1;

/// A chunk: events, and what it takes to read them.
#[derive(Debug)]
pub struct Chunk<'a> {
    bytes: &'a [u8],
    offset: u64,
    header: ChunkHeader,
    pub(crate) metadata: Metadata<'a>,
    pub(crate) pools: Pools,
}

impl<'a> Chunk<'a> {
    /// Reads the chunk's metadata and constant pools; `bytes` are the chunk's, no more.
    pub(crate) fn parse(
        bytes: &'a [u8],
        header: ChunkHeader,
        offset: u64,
    ) -> Result<Self, ReadError> {
        let compressed = header.compressed_integers;
        let metadata = Metadata::parse(bytes, header.metadata_offset, compressed)?;
        let pools = Pools::parse(bytes, header.checkpoint_offset, compressed, &metadata)?;
        Ok(Self {
            bytes,
            offset,
            header,
            metadata,
            pools,
        })
    }

    /// The header.
    pub fn header(&self) -> &ChunkHeader {
        &self.header
    }

    /// Where the chunk begins in the file, in bytes.
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// Every type that the metadata describes, by ascending id.
    pub fn types(&self) -> impl ExactSizeIterator<Item = Type<'_>> {
        (0..self.metadata.types.len()).map(|index| Type::new(&self.metadata, index as u32))
    }

    /// The type of that name.
    pub fn type_named(&self, name: &str) -> Option<Type<'_>> {
        let index = self.metadata.type_named(name)?;
        Some(Type::new(&self.metadata, index))
    }

    /// The entries of a type's constant pool with their keys, by ascending key.
    pub fn constants(&self, type_name: &str) -> impl Iterator<Item = (i64, Value<'_>)> {
        let index = self.metadata.type_named(type_name);
        index
            .into_iter()
            .flat_map(|index| self.pools.keys(index).map(move |key| (index, key)))
            .filter_map(|(index, key)| Some((key, constant(self, index, key)?)))
    }

    /// The events in the order of the file, which is not that of their times.
    pub fn events(&self) -> Events<'_> {
        Events {
            chunk: self,
            at: HEADER_BYTES,
        }
    }

    pub(crate) fn compressed(&self) -> bool {
        self.header.compressed_integers
    }

    pub(crate) fn cursor(&self, at: usize) -> Cursor<'_> {
        Cursor::new(self.bytes, at, self.compressed())
    }
}

/// The events of a chunk.
///
/// An event that cannot be read is an error in its place; the next ones follow, unless the error is
/// in the event's size.
#[derive(Clone, Debug)]
pub struct Events<'r> {
    chunk: &'r Chunk<'r>,
    at: usize,
}

impl<'r> Iterator for Events<'r> {
    type Item = Result<Event<'r>, ReadError>;

    fn next(&mut self) -> Option<Self::Item> {
        while self.at < self.chunk.bytes.len() {
            match self.read_next() {
                Ok(None) => {}
                Ok(Some(event)) => return Some(Ok(event)),
                Err(error) => return Some(Err(error)),
            }
        }
        None
    }
}

impl<'r> Events<'r> {
    /// Reads the event at `at` and moves on; `None` for metadata and checkpoints.
    fn read_next(&mut self) -> Result<Option<Event<'r>>, ReadError> {
        let chunk = self.chunk;
        let begin = self.at;
        let offset = begin as u64;
        // Without a size there is no next event.
        self.at = chunk.bytes.len();
        let mut cursor = chunk.cursor(begin);
        let size = cursor.int("an event's size")?;
        let end = usize::try_from(size)
            .ok()
            .filter(|&size| size > 0)
            .and_then(|size| begin.checked_add(size))
            .filter(|&end| end <= chunk.bytes.len())
            .ok_or(ReadError::OutOfRange {
                what: "an event's size",
                offset,
            })?;
        self.at = end;
        cursor = cursor.ending_at(end);
        let type_id = cursor.long("an event's type")?;
        if type_id == METADATA_EVENT || type_id == CHECKPOINT_EVENT {
            return Ok(None);
        }
        let type_index = chunk
            .metadata
            .type_index(type_id)
            .ok_or(ReadError::UnknownType { type_id, offset })?;
        let fields_at = cursor.offset();
        skip_value(&chunk.metadata, type_index, &mut cursor)?;
        Ok(Some(Event::new(chunk, type_index, fields_at, offset)))
    }
}
