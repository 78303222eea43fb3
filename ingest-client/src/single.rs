//! One profile, one try: for the command line.
use std::fs::File;
use std::io::{self, Cursor, Read, Seek};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::client::Client;
use crate::compress::{CompressError, gzip};
use crate::orders::Orders;
use crate::uploader::seed;
use crate::verdict::{self, Verdict};
use crate::{Endpoint, ProfileMetadata, UploaderConfig};

/// First bytes of a gzip file.
const GZIP_MAGIC: [u8; 2] = [0x1f, 0x8b];

/// What DataKit answered to an upload it took.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Uploaded {
    /// The HTTP status, 200 to 299.
    pub status: u16,
    /// Bytes of the profile as sent, after gzip.
    pub profile_bytes: u64,
    /// `X-DataKit` of the answer: version and host.
    pub datakit: Option<String>,
}

/// Why an upload failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum UploadError {
    /// The file cannot be read.
    #[error("cannot read {path}: {source}")]
    Read {
        /// The file.
        path: PathBuf,
        /// How it failed.
        source: io::Error,
    },
    /// The profile is too large after gzip.
    #[error(
        "the profile is larger than {limit} bytes after gzip, which DataKit does not analyse: record a shorter time"
    )]
    TooLarge {
        /// What is allowed.
        limit: u64,
    },
    /// There was no answer; trying again may help.
    #[error("no answer from {endpoint} ({reason}): is DataKit running there?")]
    NoAnswer {
        /// Where to.
        endpoint: String,
        /// How it failed.
        reason: String,
    },
    /// The server did not take it.
    #[error("{endpoint} answered {advice}")]
    Refused {
        /// Where to.
        endpoint: String,
        /// The HTTP status.
        status: u16,
        /// The status, the server's words, and what to do.
        advice: String,
    },
}

/// Sends one file in one try; a file that is gzip already is sent as it is.
///
/// # Errors
/// When the file cannot be read or is too large, nobody answers, or the answer is not 2xx.
pub fn upload_file(
    endpoint: &Endpoint,
    path: &Path,
    meta: &ProfileMetadata,
    config: &UploaderConfig,
) -> Result<Uploaded, UploadError> {
    let read = |source| UploadError::Read {
        path: path.to_owned(),
        source,
    };
    let mut file = File::open(path).map_err(read)?;
    let bytes = file.metadata().map_err(read)?.len();
    let mut magic = [0; GZIP_MAGIC.len()];
    let is_gzip = file.read_exact(&mut magic).is_ok() && magic == GZIP_MAGIC;
    file.rewind().map_err(read)?;
    if is_gzip {
        if bytes > config.max_profile_bytes {
            return Err(UploadError::TooLarge {
                limit: config.max_profile_bytes,
            });
        }
        return post(endpoint, &mut file, bytes, meta, config);
    }
    pack_and_post(endpoint, &mut file, meta, config).map_err(|error| match error {
        UploadError::Read { source, .. } => read(source),
        error => error,
    })
}

/// Sends one profile in one try.
///
/// # Errors
/// When it is too large, nobody answers, or the answer is not 2xx.
pub fn upload_bytes(
    endpoint: &Endpoint,
    profile: &[u8],
    meta: &ProfileMetadata,
    config: &UploaderConfig,
) -> Result<Uploaded, UploadError> {
    let mut source = Cursor::new(profile);
    if profile.starts_with(&GZIP_MAGIC) && profile.len() as u64 <= config.max_profile_bytes {
        return post(endpoint, &mut source, profile.len() as u64, meta, config);
    }
    pack_and_post(endpoint, &mut source, meta, config)
}

fn pack_and_post(
    endpoint: &Endpoint,
    source: &mut dyn Read,
    meta: &ProfileMetadata,
    config: &UploaderConfig,
) -> Result<Uploaded, UploadError> {
    let limit = config.max_profile_bytes;
    let mut packed = Vec::new();
    match gzip(source, &mut packed, config.gzip_level, limit, &|| false) {
        Ok(bytes) => post(endpoint, &mut Cursor::new(packed), bytes, meta, config),
        Err(CompressError::TooLarge | CompressError::GivenUp) => {
            Err(UploadError::TooLarge { limit })
        }
        Err(CompressError::Source(source) | CompressError::Sink(source)) => {
            Err(UploadError::Read {
                path: PathBuf::new(),
                source,
            })
        }
    }
}

fn post(
    endpoint: &Endpoint,
    profile: &mut dyn Read,
    bytes: u64,
    meta: &ProfileMetadata,
    config: &UploaderConfig,
) -> Result<Uploaded, UploadError> {
    let mut client = Client::new(endpoint.clone(), config, Arc::new(Orders::none()), seed());
    let answer = client
        .post(&meta.to_event_json(), profile, bytes)
        .map_err(|failure| UploadError::NoAnswer {
            endpoint: endpoint.to_string(),
            reason: failure.to_string(),
        })?;
    if verdict::of_status(answer.status) == Verdict::Taken {
        return Ok(Uploaded {
            status: answer.status,
            profile_bytes: bytes,
            datakit: answer.datakit,
        });
    }
    Err(UploadError::Refused {
        endpoint: endpoint.to_string(),
        status: answer.status,
        advice: verdict::advice(&answer),
    })
}
