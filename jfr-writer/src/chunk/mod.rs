//! A chunk from its first byte to its last.
//!
//! ```text
//! header · metadata event · events … · checkpoint event with all constant pools
//! ```
//!
//! The metadata depends on nothing that is recorded, so it comes first; the pools are known last.
//! There is one checkpoint, since typed readers forget a pool's entries when it comes a second time.

mod header;
mod identity;
mod output;

pub(crate) use output::{Output, Sink};

use std::io::{self, Seek, Write};

use crate::dialect::Dialect;
use crate::encode::{long_len, put_long};
use crate::error::WriteError;
use crate::event::Event;
use crate::ids::{ClassId, MethodId, StackTraceId, SymbolId, ThreadId};
use crate::limits::MAX_EVENT_BYTES;
use crate::metadata;
use crate::pool::{ClassRef, Frame, MethodRef, Pools, ThreadRef};
use header::{HEADER_BYTES, Header};
use identity::ChunkIdentity;

/// Type of the event that holds constant pools.
const CHECKPOINT_EVENT: u64 = 1;

/// When a chunk begins, and how its clock ticks.
///
/// The chunks of a file should tick on one clock, that is, have one rate and count from one zero:
/// the reader of JDK 25 dates the events of all chunks by the start and the rate of the first. Behind
/// a JVM's recording that is the clock of the JVM's recorder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChunkStart {
    /// Nanoseconds since the epoch.
    pub unix_nanos: u64,
    /// The same moment on the clock that events are stamped with.
    pub ticks: u64,
    /// Ticks of that clock in a second; not 0. A coarser clock makes smaller files: most of what
    /// remains of a sample after compression is its time.
    pub ticks_per_second: u64,
}

/// When a chunk ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChunkEnd {
    /// Nanoseconds since the epoch. A clock that was set back makes a chunk of no length, not an error.
    pub unix_nanos: u64,
    /// The same moment in ticks.
    pub ticks: u64,
}

/// Writes one chunk. Only [`ChunkWriter::finish`] makes it readable: until then zeros stand where
/// the header belongs.
#[derive(Debug)]
pub struct ChunkWriter<W: Write + Seek> {
    out: Output<W>,
    pools: Pools,
    start: ChunkStart,
    dialect: Dialect,
    identity: ChunkIdentity,
    /// One event while it is encoded.
    scratch: Vec<u8>,
    failed: bool,
}

impl<W: Write + Seek> ChunkWriter<W> {
    /// Begins a chunk where `out` stands, which may be behind other chunks. `out` must not be a
    /// file opened for appending: the header is written at the end, back at the chunk's start.
    ///
    /// # Errors
    /// [`WriteError::Io`] if `out` does not know its position or takes no bytes,
    /// [`WriteError::StoppedClock`] if the clock makes no ticks.
    pub fn begin(out: W, start: ChunkStart, dialect: Dialect) -> Result<Self, WriteError> {
        if start.ticks_per_second == 0 {
            return Err(WriteError::StoppedClock);
        }
        let identity = ChunkIdentity::next();
        let mut out = Output::begin(out)?;
        let metadata = metadata::encode(
            dialect,
            identity.type_ids(),
            identity.metadata_id(),
            start.ticks,
        );
        put_event(&mut out, &metadata)?;
        Ok(Self {
            out,
            pools: Pools::new(dialect, identity.tag()),
            start,
            dialect,
            identity,
            scratch: Vec::new(),
            failed: false,
        })
    }

    /// The dialect that the chunk is written in.
    pub fn dialect(&self) -> Dialect {
        self.dialect
    }

    /// The id of a text in the pool of symbols.
    pub fn symbol(&mut self, text: &str) -> SymbolId {
        self.pools.symbol(text)
    }

    /// The id of a class.
    pub fn class(&mut self, class: &ClassRef<'_>) -> ClassId {
        self.pools.class(class)
    }

    /// The id of a method.
    pub fn method(&mut self, method: &MethodRef<'_>) -> MethodId {
        self.pools.method(method)
    }

    /// The id of the stack trace with these frames, leaf first. `truncated`: callers are missing.
    /// Costs two look-ups a frame: callers that see the same trace often should keep its id.
    pub fn stack_trace(&mut self, frames: &[Frame], truncated: bool) -> StackTraceId {
        self.pools.stack_trace(frames, truncated)
    }

    /// A new thread, whether or not there is one like it: the caller keeps the ids.
    pub fn thread(&mut self, thread: &ThreadRef<'_>) -> ThreadId {
        self.pools.thread(thread)
    }

    /// Changes a thread's entry, also for the events that are written already. Does nothing for
    /// [`ThreadId::NULL`] and for threads that were closed.
    pub fn rename_thread(&mut self, id: ThreadId, thread: &ThreadRef<'_>) {
        self.pools.rename_thread(id, thread);
    }

    /// Says that a thread's entry will not change any more, and so saves memory: worth it where
    /// thousands of threads come and go in a chunk. Its id stays good.
    pub fn close_thread(&mut self, id: ThreadId) {
        self.pools.close_thread(id);
    }

    /// Writes an event. One that the dialect does not have is left out.
    ///
    /// # Errors
    /// [`WriteError::Io`] if the stream fails; the chunk is then lost. [`WriteError::TooManyCopies`]
    /// for a sample that stands for more than is credible; the chunk is as before.
    pub fn write<E: Event>(&mut self, event: &E) -> Result<(), WriteError> {
        self.check()?;
        let Some(form) = E::form(self.dialect) else {
            return Ok(());
        };
        for ticks in (form.times)(event).checked()? {
            self.scratch.clear();
            form.put(
                &mut self.scratch,
                event,
                ticks,
                self.dialect,
                self.identity.tag(),
            );
            let written = put_event(&mut self.out, &self.scratch);
            self.keep(written)?;
        }
        Ok(())
    }

    /// Size that the chunk would have if it ended now. Up to 128 bytes too small: the end's ticks
    /// are not known yet, and pools that are empty get an entry.
    pub fn bytes(&self) -> u64 {
        let body = self.checkpoint_body_len(self.start.ticks);
        self.out.len() + sized_len(body)
    }

    /// Completes the chunk and gives the stream back, which stands behind it.
    ///
    /// # Errors
    /// [`WriteError::Io`] if the stream fails, [`WriteError::TooLarge`] if the pools are larger
    /// than an event can be, [`WriteError::Failed`] if an earlier call failed. There is then no chunk.
    pub fn finish(mut self, end: ChunkEnd) -> Result<W, WriteError> {
        self.check()?;
        self.pools.fill_empty();
        let checkpoint_offset = self.out.len();
        self.write_checkpoint(end.ticks)?;
        let header = Header {
            chunk_bytes: self.out.len(),
            checkpoint_offset,
            metadata_offset: HEADER_BYTES as u64,
            start_nanos: self.start.unix_nanos,
            duration_nanos: end.unix_nanos.saturating_sub(self.start.unix_nanos),
            start_ticks: self.start.ticks,
            ticks_per_second: self.start.ticks_per_second,
        };
        Ok(self.out.seal(&header)?)
    }

    /// Gives the chunk up and the stream back, which holds a piece of a chunk from where it stood
    /// at [`ChunkWriter::begin`]: cut it off there.
    pub fn abandon(self) -> W {
        self.out.abandon()
    }

    fn write_checkpoint(&mut self, ticks: u64) -> Result<(), WriteError> {
        let body = self.checkpoint_body_len(ticks);
        let bytes = sized_len(body);
        if bytes > MAX_EVENT_BYTES {
            return Err(WriteError::TooLarge { bytes });
        }
        let start = self.out.len();
        let buffer = self.out.buffer();
        put_long(buffer, bytes);
        for field in checkpoint_head(ticks) {
            put_long(buffer, field);
        }
        self.pools.write(&mut self.out, self.identity.type_ids())?;
        debug_assert_eq!(
            self.out.len() - start,
            bytes,
            "the pools' size was foretold wrongly"
        );
        Ok(())
    }

    fn checkpoint_body_len(&self, ticks: u64) -> u64 {
        let head: usize = checkpoint_head(ticks).into_iter().map(long_len).sum();
        head as u64 + self.pools.encoded_len(self.identity.type_ids())
    }

    fn check(&self) -> Result<(), WriteError> {
        if self.failed {
            Err(WriteError::Failed)
        } else {
            Ok(())
        }
    }

    fn keep(&mut self, outcome: io::Result<()>) -> Result<(), WriteError> {
        self.failed |= outcome.is_err();
        Ok(outcome?)
    }
}

/// Everything of the checkpoint event between its size and its pools.
const fn checkpoint_head(ticks: u64) -> [u64; 5] {
    let duration_ticks = 0;
    let no_checkpoint_before = 0;
    let flags = 0;
    [
        CHECKPOINT_EVENT,
        ticks,
        duration_ticks,
        no_checkpoint_before,
        flags,
    ]
}

fn put_event<W: Write + Seek>(out: &mut Output<W>, body: &[u8]) -> io::Result<()> {
    let buffer = out.buffer();
    put_long(buffer, sized_len(body.len() as u64));
    buffer.extend_from_slice(body);
    out.spill()
}

/// Size of an event whose bytes after the size are `body`: the size counts itself.
fn sized_len(body: u64) -> u64 {
    let guess = body + long_len(body) as u64;
    body + long_len(guess) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_events_size_counts_itself() {
        for (body, size) in [
            (1, 2),
            (126, 127),
            (127, 129),
            (16_381, 16_383),
            (16_382, 16_385),
        ] {
            assert_eq!(sized_len(body), size);
            assert_eq!(long_len(size) as u64, size - body);
        }
    }
}
