//! What the agent knows of the machine and of its own process, read from `/proc`, `/etc` and libc.
//!
//! Every file here is split in two: a parser, which takes text and is tested on text, and a thin reader.
//! Nothing panics and nothing is required: where `/proc` is hidden or odd, the answer is `None` or an error.

pub mod cpu;
pub mod cpu_load;
pub mod libraries;
pub mod os;
pub mod procfs;
pub mod protections;
pub mod tasks;

pub use cpu::CpuInfo;
pub use cpu_load::{CpuLoad, CpuLoadSampler};
pub use libraries::{LibraryMap, NativeLibrary, native_libraries};
pub use os::{hostname, os_description};
pub use protections::Protections;
