//! Reads JFR recordings, also hostile ones.
//!
//! The reader is generic: it knows the format and takes every type from the chunk's own metadata,
//! so it reads the files of the JDK 9 and later (and of 8 since 8u262), of async-profiler and of
//! jprof alike, with compressed integers or fixed ones.
//!
//! Nothing in a file is believed: every length is held against what is left, chains and types that
//! lead back to themselves are errors, nothing recurses deeper than a fixed bound, and memory stays a
//! small multiple of the file. Values are decoded when they are asked for, out of the bytes that the
//! caller holds; only the places of the constant pools' entries are kept.
//!
//! ```no_run
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let bytes = std::fs::read("main.jfr")?;
//! let recording = jfr_reader::Recording::parse(&bytes)?;
//! for chunk in recording.chunks() {
//!     for event in chunk.events() {
//!         let event = event?;
//!         println!("{} at {:?}", event.type_name(), event.start_unix_nanos());
//!     }
//! }
//! # Ok(())
//! # }
//! ```
#![forbid(unsafe_code)]

mod chunk;
mod cursor;
mod error;
mod event;
mod header;
mod layout;
mod metadata;
mod pool;
mod recording;
mod stack;
mod unit;
mod value;

pub use chunk::{Chunk, Events};
pub use error::ReadError;
pub use event::{Event, ThreadView};
pub use header::ChunkHeader;
pub use metadata::{Field, Type};
pub use recording::{Damage, Recording};
pub use stack::{FrameView, Frames, StackTraceView};
pub use unit::Unit;
pub use value::{ArrayView, StructView, Value};
