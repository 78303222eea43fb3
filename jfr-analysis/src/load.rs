use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use flate2::read::MultiGzDecoder;
use jfr_reader::{ReadError, Recording};

use crate::AnalysisError;

/// What is unpacked at most where nothing else is asked for: 1 GiB, fifty times the largest profile
/// that DataKit's product shows online.
pub const DEFAULT_MAX_BYTES: u64 = 1 << 30;

const GZIP_MAGIC: &[u8] = &[0x1f, 0x8b];
/// What else a recording may come in; each needs its own tool to unpack.
const OTHER_MAGICS: [(&[u8], &str); 4] = [
    (&[0x28, 0xb5, 0x2f, 0xfd], "zstd"),
    (&[0x04, 0x22, 0x4d, 0x18], "lz4"),
    (b"PK\x03\x04", "zip"),
    (&[0xfd, b'7', b'z', b'X', b'Z'], "xz"),
];
const LONGEST_MAGIC: usize = 5;

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

/// Reads a file, plain or gzip (of one member or several); `-` is standard input.
///
/// # Errors
/// When it cannot be read or unpacked, or is larger than `max_bytes`, packed or unpacked.
pub fn load(path: &Path, max_bytes: u64) -> Result<Loaded, AnalysisError> {
    if path == Path::new("-") {
        return load_reader(&mut io::stdin().lock(), "standard input", max_bytes);
    }
    let name = path.display().to_string();
    let mut file = File::open(path).map_err(|source| AnalysisError::Read {
        path: name.clone(),
        source,
    })?;
    load_reader(&mut file, &name, max_bytes)
}

/// Takes bytes, plain or gzip (of one member or several).
///
/// # Errors
/// When they cannot be unpacked, or are more than `max_bytes`, packed or unpacked.
pub fn load_bytes(bytes: Vec<u8>, max_bytes: u64) -> Result<Loaded, AnalysisError> {
    if packed_as(&bytes)?.is_none() {
        if bytes.len() as u64 > max_bytes {
            return Err(AnalysisError::TooLarge { max_bytes });
        }
        return Ok(Loaded { bytes });
    }
    load_reader(&mut bytes.as_slice(), "the bytes", max_bytes)
}

/// Reads to the end of `reader`, plain or gzip; `name` stands in errors.
///
/// # Errors
/// As [`load`].
pub fn load_reader(
    reader: &mut dyn Read,
    name: &str,
    max_bytes: u64,
) -> Result<Loaded, AnalysisError> {
    let read_error = |source| AnalysisError::Read {
        path: name.to_owned(),
        source,
    };
    let mut head = Vec::with_capacity(LONGEST_MAGIC);
    reader
        .take(LONGEST_MAGIC as u64)
        .read_to_end(&mut head)
        .map_err(read_error)?;
    let packed = packed_as(&head)?;
    let whole = head.as_slice().chain(reader);
    let bytes = match packed {
        None => read_to_end(whole, max_bytes, read_error)?,
        Some(Packed::Gzip) => {
            read_to_end(
                MultiGzDecoder::new(whole),
                max_bytes,
                |source| match source.kind() {
                    io::ErrorKind::UnexpectedEof
                    | io::ErrorKind::InvalidInput
                    | io::ErrorKind::InvalidData => AnalysisError::Gzip {
                        path: name.to_owned(),
                        source,
                    },
                    _ => read_error(source),
                },
            )?
        }
    };
    Ok(Loaded { bytes })
}

enum Packed {
    Gzip,
}

fn packed_as(head: &[u8]) -> Result<Option<Packed>, AnalysisError> {
    if head.starts_with(GZIP_MAGIC) {
        return Ok(Some(Packed::Gzip));
    }
    match OTHER_MAGICS
        .into_iter()
        .find(|(magic, _)| head.starts_with(magic))
    {
        Some((_, format)) => Err(AnalysisError::UnsupportedCompression { format }),
        None => Ok(None),
    }
}

fn read_to_end(
    reader: impl Read,
    max_bytes: u64,
    error: impl FnOnce(io::Error) -> AnalysisError,
) -> Result<Vec<u8>, AnalysisError> {
    let mut bytes = Vec::new();
    reader
        .take(max_bytes.saturating_add(1))
        .read_to_end(&mut bytes)
        .map_err(error)?;
    if bytes.len() as u64 > max_bytes {
        return Err(AnalysisError::TooLarge { max_bytes });
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::*;

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(bytes).expect("writing to memory");
        encoder.finish().expect("writing to memory")
    }

    #[test]
    fn plain_and_gzip_of_several_members_give_the_same_bytes() {
        let plain = load_bytes(b"FLR\0 and more".to_vec(), 100).expect("plain");
        assert_eq!(plain.bytes(), b"FLR\0 and more");
        let members = [gzip(b"FLR\0"), gzip(b" and more")].concat();
        let unpacked = load_bytes(members, 100).expect("gzip");
        assert_eq!(unpacked.bytes(), b"FLR\0 and more");
    }

    #[test]
    fn a_file_is_read_as_bytes_are() {
        let mut file = tempfile::NamedTempFile::new().expect("a file");
        file.write_all(&gzip(b"FLR\0")).expect("writing a file");
        assert_eq!(load(file.path(), 4).expect("gzip").bytes(), b"FLR\0");
    }

    #[test]
    fn more_than_the_limit_is_refused_packed_or_not() {
        for bytes in [vec![b'x'; 101], gzip(&[b'x'; 101])] {
            let error = load_bytes(bytes, 100).expect_err("too large");
            assert!(matches!(error, AnalysisError::TooLarge { max_bytes: 100 }));
        }
        assert!(load_bytes(gzip(&[b'x'; 100]), 100).is_ok());
    }

    #[test]
    fn cut_gzip_is_an_error() {
        let mut bytes = gzip(b"FLR\0 and more");
        bytes.truncate(bytes.len() - 4);
        assert!(matches!(
            load_bytes(bytes, 100),
            Err(AnalysisError::Gzip { .. })
        ));
    }

    #[test]
    fn another_packing_is_named() {
        let error = load_bytes(vec![0x28, 0xb5, 0x2f, 0xfd, 0], 100).expect_err("zstd");
        assert_eq!(
            error.to_string(),
            "the recording is packed as zstd: unpack it first, only gzip is read as it is"
        );
    }

    #[test]
    fn a_missing_file_is_named() {
        let error = load(Path::new("/no/such.jfr"), 100).expect_err("no such file");
        assert_eq!(error.to_string(), "/no/such.jfr cannot be read");
    }
}
