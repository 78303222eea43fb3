//! Writes JFR chunks. Knows no JVM and no profiler.
//!
//! A chunk is a recording of its own: chunks may stand one behind the other in a file, also behind
//! those of a JVM. Texts, classes, methods, stack traces and threads are put into the chunk's
//! constant pools first, which gives ids; events refer to these.
//!
//! ```
//! use std::io::Cursor;
//! use jfr_writer::*;
//!
//! # fn main() -> Result<(), WriteError> {
//! let start = ChunkStart { unix_nanos: 1_760_000_000_000_000_000, ticks: 0, ticks_per_second: 1_000_000_000 };
//! let mut chunk = ChunkWriter::begin(Cursor::new(Vec::new()), start, Dialect::DataKit)?;
//! let class = chunk.class(&ClassRef { name: "com/shop/Cart", modifiers: 1 });
//! let method = chunk.method(&MethodRef { class, name: "total", descriptor: "()J", modifiers: 1, hidden: false });
//! let stack = chunk.stack_trace(&[Frame { method, line: 42, bytecode_index: 7, kind: FrameKind::Jit }], false);
//! let thread = chunk.thread(&ThreadRef { os_id: 4711, os_name: "main", java_id: 1, java_name: Some("main"), group: Some("main") });
//! chunk.write(&ExecutionSample {
//!     ticks: 10_000_000,
//!     span_ticks: 10_000_000,
//!     thread,
//!     stack,
//!     state: ThreadState::Runnable,
//!     mode: ExecutionMode::Java,
//!     weight: 1,
//! })?;
//! let file = chunk.finish(ChunkEnd { unix_nanos: start.unix_nanos + 60_000_000_000, ticks: 60_000_000_000 })?;
//! assert!(file.into_inner().starts_with(b"FLR\0"));
//! # Ok(())
//! # }
//! ```
#![forbid(unsafe_code)]

mod chunk;
mod dialect;
mod encode;
mod error;
mod event;
mod ids;
mod limits;
mod metadata;
mod pool;

pub use chunk::{ChunkEnd, ChunkStart, ChunkWriter};
pub use dialect::Dialect;
pub use error::WriteError;
pub use event::{
    ActiveRecording, ActiveSetting, Counter, CpuInformation, CpuLoad, Event, ExecutionSample,
    HeapUsage, InitialSystemProperty, JvmInformation, LiveObject, NativeLibrary, ObjectSample,
    OsInformation, ProfilerConfig, ThreadEnd, ThreadStart,
};
pub use ids::{ClassId, MethodId, StackTraceId, SymbolId, ThreadId};
pub use limits::{MAX_SAMPLE_COPIES, MAX_TEXT_BYTES};
pub use pool::{ClassRef, ExecutionMode, Frame, FrameKind, MethodRef, ThreadRef, ThreadState};
