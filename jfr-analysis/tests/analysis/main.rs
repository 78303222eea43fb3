//! Recordings made by hand, for which it is known what they say.

#[path = "../../../jfr-reader/tests/chunk_builder/mod.rs"]
mod chunk_builder;

mod metrics;
mod objects;
mod stacks;
