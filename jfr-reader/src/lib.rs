//! Reads JFR recordings, also hostile ones.
use std::marker::PhantomData;

/// A recording: one or more chunks, borrowed from the bytes of a file.
#[derive(Debug)]
pub struct Recording<'a>(PhantomData<&'a [u8]>);

/// Why bytes could not be read as JFR.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
    /// The bytes do not begin with the magic `FLR\0`.
    #[error("not a JFR recording: it does not begin with FLR\\0")]
    NotJfr,
}

impl<'a> Recording<'a> {
    /// Reads the frame, the metadata and the constant pools of every chunk.
    pub fn parse(_bytes: &'a [u8]) -> Result<Recording<'a>, ReadError> {
        Err(ReadError::NotJfr)
    }
}
