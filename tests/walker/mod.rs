//! Java stacks by the walker of our own: whole, true, and nothing that the application would notice.

mod known;
mod mixed;
mod neighbour;
mod resolution;

pub(crate) use neighbour::said_by_jvm;
