/// Why a recording could not be loaded or analysed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AnalysisError {
    /// The file could not be opened or read.
    #[error("{path} cannot be read")]
    Read {
        /// The path as it was given; `standard input` for `-`.
        path: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// The gzip data is broken or ends early.
    #[error("the gzip data of {path} is damaged or cut")]
    Gzip {
        /// The path as it was given; `standard input` for `-`.
        path: String,
        /// What the decoder said.
        source: std::io::Error,
    },
    /// The input is larger, or unpacks to more, than the caller allows.
    #[error("the recording is larger than {max_bytes} bytes")]
    TooLarge {
        /// The most that was allowed.
        max_bytes: u64,
    },
    /// Packed in a way that is not read here.
    #[error("the recording is packed as {format}: unpack it first, only gzip is read as it is")]
    UnsupportedCompression {
        /// The name of the format.
        format: &'static str,
    },
    /// event.json is not what an upload's metadata looks like.
    #[error("event.json: {0}")]
    EventJson(String),
}
