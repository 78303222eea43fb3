//! The reader against chunks made by hand, chunks broken by chance, and the JDKs' recordings.

#[path = "../chunk_builder/mod.rs"]
mod chunk_builder;

mod built;
mod fixtures;
mod hostile;
mod jdks;
mod mutated;
