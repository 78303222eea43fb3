use jfr_reader::Recording;

use crate::AnalysisError;

/// The time that a profile covers, in nanoseconds since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Period {
    /// Its begin.
    pub start_unix_nanos: i64,
    /// Its end.
    pub end_unix_nanos: i64,
}

impl Period {
    /// From the first chunk's start to the last end of a chunk; `None` without a chunk.
    pub fn of_chunks(_recording: &Recording<'_>) -> Option<Period> {
        todo!()
    }
}

/// An upload's metadata, merged as DataKit merges it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventJson {}

impl EventJson {
    /// Reads the metadata part of an upload.
    pub fn parse(_json: &[u8]) -> Result<EventJson, AnalysisError> {
        todo!()
    }

    /// The value of a tag or of a top-level key.
    pub fn get(&self, _key: &str) -> Option<&str> {
        todo!()
    }

    /// `recording-start`/`start` to `recording-end`/`end`.
    pub fn period(&self) -> Result<Period, AnalysisError> {
        todo!()
    }
}
