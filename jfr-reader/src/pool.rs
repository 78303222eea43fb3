//! A chunk's constant pools: where each entry lies, by type and key.

use crate::ReadError;
use crate::cursor::Cursor;
use crate::layout::skip_value;
use crate::metadata::Metadata;

/// Size, type, start, duration, delta, kind and count: no checkpoint is shorter.
const LEAST_CHECKPOINT_BYTES: usize = 7;

/// Where the entries of one type's pool lie.
#[derive(Debug, Default)]
struct Pool {
    /// Key and offset in the chunk, sorted by key, each key once.
    entries: Vec<(i64, u32)>,
}

/// The pools of a chunk.
#[derive(Debug)]
pub(crate) struct Pools {
    /// By the index of the entries' type.
    by_type: Vec<Pool>,
}

impl Pools {
    /// Follows the chain of checkpoints from the last one back to the first.
    ///
    /// Where two checkpoints hold one key, the later one counts: a JVM writes a thread again when
    /// its name has changed.
    pub(crate) fn parse(
        chunk: &[u8],
        last_checkpoint: u64,
        compressed: bool,
        metadata: &Metadata<'_>,
    ) -> Result<Self, ReadError> {
        let mut by_type = Vec::new();
        by_type.resize_with(metadata.types.len(), Pool::default);
        let mut pools = Self { by_type };
        // Each checkpoint must end where the one read before begins, or earlier: thus the chain ends,
        // and no byte is read twice.
        let mut limit = chunk.len();
        let mut next = (last_checkpoint != 0)
            .then(|| {
                usize::try_from(last_checkpoint).map_err(|_| ReadError::OutOfRange {
                    what: "the offset of the last checkpoint",
                    offset: 24,
                })
            })
            .transpose()?;
        while let Some(at) = next {
            let delta = pools.read_checkpoint(chunk, at, limit, compressed, metadata)?;
            limit = at;
            next = match delta {
                0 => None,
                _ => {
                    let previous = (at as i64).saturating_add(delta);
                    let fits = usize::try_from(previous)
                        .ok()
                        .filter(|&previous| previous + LEAST_CHECKPOINT_BYTES <= at);
                    Some(fits.ok_or(ReadError::CheckpointChain {
                        offset: at as u64,
                        previous,
                    })?)
                }
            };
        }
        for pool in &mut pools.by_type {
            // Stable: the entry that was read first, from the latest checkpoint, stays.
            pool.entries.sort_by_key(|entry| entry.0);
            pool.entries.dedup_by_key(|entry| entry.0);
            pool.entries.shrink_to_fit();
        }
        Ok(pools)
    }

    /// Reads one checkpoint, which must end at `limit` at the latest, and returns its delta.
    fn read_checkpoint(
        &mut self,
        chunk: &[u8],
        at: usize,
        limit: usize,
        compressed: bool,
        metadata: &Metadata<'_>,
    ) -> Result<i64, ReadError> {
        let mut cursor = Cursor::new(chunk, at, compressed).ending_at(limit);
        let size = cursor.int("a checkpoint's size")?;
        let end = usize::try_from(size)
            .ok()
            .and_then(|size| at.checked_add(size))
            .filter(|&end| end <= limit)
            .ok_or(ReadError::OutOfRange {
                what: "a checkpoint's size",
                offset: at as u64,
            })?;
        cursor = cursor.ending_at(end);
        if cursor.long("a checkpoint's type")? != 1 {
            return Err(ReadError::OutOfRange {
                what: "a checkpoint's type",
                offset: at as u64,
            });
        }
        cursor.long("a checkpoint's start")?;
        cursor.long("a checkpoint's duration")?;
        let delta = cursor.long("a checkpoint's delta")?;
        cursor.byte("a checkpoint's kind")?;
        for _ in 0..cursor.count(2, "the number of constant pools")? {
            self.read_pool(&mut cursor, metadata)?;
        }
        Ok(delta)
    }

    fn read_pool(
        &mut self,
        cursor: &mut Cursor<'_>,
        metadata: &Metadata<'_>,
    ) -> Result<(), ReadError> {
        let offset = cursor.offset() as u64;
        let type_id = cursor.long("a constant pool's type")?;
        let type_index = metadata
            .type_index(type_id)
            .ok_or(ReadError::UnknownType { type_id, offset })?;
        // Entries without a byte say nothing, and would cost more memory than file.
        let is_empty = metadata.types[type_index as usize]
            .layout
            .as_ref()
            .is_ok_and(|layout| layout.is_empty());
        let count = cursor.count(1, "the number of a constant pool's entries")?;
        let entries = &mut self.by_type[type_index as usize].entries;
        for _ in 0..count {
            let key = cursor.long("a constant's key")?;
            // Chunks are at most 4 GiB, so every offset fits.
            let entry = (key, cursor.offset() as u32);
            skip_value(metadata, type_index, cursor)?;
            if !is_empty {
                entries.push(entry);
            }
        }
        Ok(())
    }

    /// Where the entry lies in the chunk.
    pub(crate) fn offset(&self, type_index: u32, key: i64) -> Option<usize> {
        let entries = &self.by_type.get(type_index as usize)?.entries;
        let index = entries.binary_search_by_key(&key, |entry| entry.0).ok()?;
        Some(entries[index].1 as usize)
    }

    /// The keys of a type's pool, ascending.
    pub(crate) fn keys(&self, type_index: u32) -> impl ExactSizeIterator<Item = i64> + '_ {
        self.by_type
            .get(type_index as usize)
            .map_or([].as_slice(), |pool| &pool.entries)
            .iter()
            .map(|entry| entry.0)
    }
}
