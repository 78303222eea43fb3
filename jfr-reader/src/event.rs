use std::borrow::Cow;

use crate::chunk::Chunk;
use crate::metadata::Type;
use crate::stack::StackTraceView;
use crate::value::{StructView, Value};
use crate::{ChunkHeader, Unit};

/// An event.
#[derive(Clone, Copy, Debug)]
pub struct Event<'r> {
    fields: StructView<'r>,
    offset: u64,
}

impl<'r> Event<'r> {
    pub(crate) fn new(chunk: &'r Chunk<'r>, type_index: u32, at: usize, offset: u64) -> Self {
        Self {
            fields: StructView {
                chunk,
                type_index,
                at,
            },
            offset,
        }
    }

    /// The type.
    pub fn ty(&self) -> Type<'r> {
        self.fields.ty()
    }

    /// The type's name, as `jdk.ExecutionSample`.
    pub fn type_name(&self) -> &'r str {
        self.ty().name()
    }

    /// Where the event begins in its chunk, in bytes.
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// All its fields.
    pub fn fields(&self) -> StructView<'r> {
        self.fields
    }

    /// The value of a field, or of a field's field: `eventThread.javaName`. `None` when there is no
    /// such field, when it is null, or when a constant pool lacks the entry.
    pub fn value(&self, path: &str) -> Option<Value<'r>> {
        self.fields.value(path)
    }

    /// The whole number at a path.
    pub fn i64(&self, path: &str) -> Option<i64> {
        self.fields.i64(path)
    }

    /// The text at a path; the string in a symbol counts as the symbol's text.
    pub fn text(&self, path: &str) -> Option<Cow<'r, str>> {
        self.fields.text(path)
    }

    /// The constant pool's key that a field holds, whether or not there is such an entry.
    pub fn key(&self, name: &str) -> Option<i64> {
        self.fields.key(name)
    }

    /// A span or point in time in nanoseconds (since 1970 for a point), by the field's unit; `None`
    /// for a field that has no unit of time.
    pub fn nanos(&self, name: &str) -> Option<i64> {
        let unit = self.ty().field(name)?.unit();
        let header = self.chunk_header();
        let value = self.i64(name)?;
        Some(match unit {
            Unit::Ticks => header.span_nanos(value),
            Unit::TickTimestamp => header.unix_nanos(value),
            Unit::Nanoseconds | Unit::EpochNanoseconds => value,
            Unit::Microseconds => value.saturating_mul(1_000),
            Unit::Milliseconds | Unit::EpochMilliseconds => value.saturating_mul(1_000_000),
            Unit::Seconds | Unit::EpochSeconds => value.saturating_mul(1_000_000_000),
            _ => return None,
        })
    }

    /// When it began, in nanoseconds since 1970.
    pub fn start_unix_nanos(&self) -> Option<i64> {
        self.nanos("startTime")
    }

    /// How long it lasted, in nanoseconds; `None` for events that have no duration.
    pub fn duration_nanos(&self) -> Option<i64> {
        self.nanos("duration")
    }

    /// The thread that it tells of: `eventThread`, or `sampledThread` for samples of other threads.
    pub fn thread(&self) -> Option<ThreadView<'r>> {
        ["eventThread", "sampledThread"]
            .into_iter()
            .find_map(|name| self.value(name)?.into_struct())
            .map(ThreadView)
    }

    /// The field `stackTrace`.
    pub fn stack_trace(&self) -> Option<StackTraceView<'r>> {
        self.value("stackTrace")?
            .into_struct()
            .map(StackTraceView::new)
    }

    /// The header of the event's chunk.
    pub fn chunk_header(&self) -> &'r ChunkHeader {
        self.fields.chunk.header()
    }
}

/// A thread.
#[derive(Clone, Copy, Debug)]
pub struct ThreadView<'r>(StructView<'r>);

impl<'r> ThreadView<'r> {
    /// The system's name for it.
    pub fn os_name(&self) -> Option<Cow<'r, str>> {
        self.0.text("osName")
    }

    /// The system's id for it.
    pub fn os_id(&self) -> Option<i64> {
        self.0.i64("osThreadId")
    }

    /// Its name in Java.
    pub fn java_name(&self) -> Option<Cow<'r, str>> {
        self.0.text("javaName")
    }

    /// Its id in Java; 0 or negative for threads that Java does not know.
    pub fn java_id(&self) -> Option<i64> {
        self.0.i64("javaThreadId")
    }

    /// The name in Java, else the system's.
    pub fn name(&self) -> Option<Cow<'r, str>> {
        let non_empty = |name: &Cow<'_, str>| !name.is_empty();
        self.java_name()
            .filter(non_empty)
            .or_else(|| self.os_name().filter(non_empty))
    }

    /// All its fields.
    pub fn fields(&self) -> StructView<'r> {
        self.0
    }
}
