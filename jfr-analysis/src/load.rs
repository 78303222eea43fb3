use std::io::Read;
use std::path::Path;

use jfr_reader::{ReadError, Recording};

use crate::AnalysisError;

/// What [`load`] unpacks at most: 1 GiB, fifty times the largest profile that DataKit's product analyses.
pub const DEFAULT_MAX_BYTES: u64 = 1 << 30;

/// The plain bytes of a recording.
#[derive(Debug)]
pub struct Loaded {
    bytes: Vec<u8>,
}

impl Loaded {
    /// The recording's bytes, unpacked.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Reads the recording.
    ///
    /// # Errors
    /// When no chunk is readable.
    pub fn recording(&self) -> Result<Recording<'_>, ReadError> {
        Recording::parse(&self.bytes)
    }
}

/// Reads a file, plain or gzip; `-` is standard input.
pub fn load(_path: &Path, _max_bytes: u64) -> Result<Loaded, AnalysisError> {
    todo!()
}

/// Takes bytes, plain or gzip.
pub fn load_bytes(_bytes: Vec<u8>, _max_bytes: u64) -> Result<Loaded, AnalysisError> {
    todo!()
}

/// Reads to the end of `reader`, plain or gzip; `name` stands in errors.
pub fn load_reader(
    _reader: &mut dyn Read,
    _name: &str,
    _max_bytes: u64,
) -> Result<Loaded, AnalysisError> {
    todo!()
}
