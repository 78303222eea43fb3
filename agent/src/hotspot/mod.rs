//! What is private to HotSpot: the tables of its structures that libjvm exports, and what is read through them.
//!
//! Two rules hold here. Offsets, sizes and constants come from the tables of the JVM that runs; where one is missing, the
//! reader that needs it says so by [`Declined`] and stays away, it never guesses. And memory that belongs to the JVM is
//! loaded only through [`SafeReader`], since a class may be unloaded, and its memory unmapped, at any moment.
//!
//! Known to work on HotSpot 8, 11, 17, 21 and 25; none of this may be called from a signal handler.

#[cfg(target_arch = "x86_64")]
pub mod alloc_tracer;
mod allocated;
mod collections;
#[cfg(target_arch = "x86_64")]
pub mod debug_symbols;
pub mod flags;
pub mod libjvm;
pub mod line_numbers;
pub mod memory;
pub mod names;
pub mod perf_data;
pub mod threads;
pub mod version;
pub mod vm_info;
pub mod vm_structs;
#[cfg(target_arch = "x86_64")]
pub mod walk_layout;

pub use allocated::AllocatedBytes;
pub use collections::Collections;
pub use flags::Flags;
pub use line_numbers::LineNumbers;
pub use memory::SafeReader;
pub use names::{Footprint, MethodDescription, MethodResolver, ResolveError};
pub use perf_data::PerfData;
pub use threads::ThreadReader;
pub use version::JavaVersion;
pub use vm_info::JvmInfo;
pub use vm_structs::VmStructs;

/// Why a reader of HotSpot's structures stays away. Each message names the piece that is missing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Declined {
    /// No libjvm is loaded.
    #[error("no libjvm.so is loaded in this process")]
    NoLibjvm,
    /// libjvm does not export a symbol.
    #[error("libjvm does not export {0}")]
    Symbol(String),
    /// A table holds what no table of HotSpot's holds.
    #[error("the table {0} of libjvm cannot be read")]
    Table(&'static str),
    /// A structure's field is not in the tables.
    #[error("libjvm does not describe the field {0}::{1}")]
    Field(&'static str, &'static str),
    /// A type's size is not in the tables.
    #[error("libjvm does not describe the type {0}")]
    Type(&'static str),
    /// A constant is not in the tables.
    #[error("libjvm does not describe the constant {0}")]
    Constant(&'static str),
    /// A field has a type of another width than any known version gives it.
    #[error("libjvm describes the field {0}::{1} as {2}, which is not known")]
    FieldType(&'static str, &'static str, String),
    /// The JVM's version is outside of what this code knows.
    #[error("not known for JDK {0}: {1}")]
    Version(u32, &'static str),
    /// Neither way of loading memory without a fault is allowed here.
    #[error("the process may not read its own memory by system call: {0}")]
    Memory(String),
    /// The JVM has not set it up (yet), or was told not to.
    #[error("{0} is not set up in this JVM")]
    NotSetUp(&'static str),
}
