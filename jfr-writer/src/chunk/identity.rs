//! What tells a chunk from all others.

use std::hash::{BuildHasher, RandomState};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::ids::ChunkTag;
use crate::metadata::TypeIds;

/// The chunk's number: where the process began to count is random, so that chunks of several
/// processes may stand in one file. Readers take the metadata of the chunk before for a chunk of the same id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ChunkIdentity(u64);

/// Large enough for no JVM to come near (they count from 0 or 1), and far from the end of `i64`.
const COUNT_BITS: u32 = 62;

static NEXT: LazyLock<AtomicU64> = LazyLock::new(|| {
    let random = RandomState::new().hash_one(std::process::id());
    AtomicU64::new(random % (1 << (COUNT_BITS - 1)) + (1 << (COUNT_BITS - 1)))
});

impl ChunkIdentity {
    pub(crate) fn next() -> Self {
        Self(NEXT.fetch_add(1, Ordering::Relaxed))
    }

    pub(crate) const fn metadata_id(self) -> u64 {
        self.0
    }

    pub(crate) const fn type_ids(self) -> TypeIds {
        TypeIds::of_chunk(self.0)
    }

    pub(crate) const fn tag(self) -> ChunkTag {
        ChunkTag::new(self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identities_count_up_from_a_large_number() {
        let (one, next) = (ChunkIdentity::next(), ChunkIdentity::next());
        assert!(one.metadata_id() >= 1 << 61);
        assert!(next.metadata_id() > one.metadata_id());
        assert!(next.metadata_id() <= i64::MAX as u64);
    }
}
