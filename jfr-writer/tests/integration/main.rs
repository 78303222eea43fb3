//! What readers make of our chunks.

mod chunks;
mod failure;
mod jdk;
mod round_trip;
mod rules;
mod size;
mod story;
mod telling;
mod text;
