//! gzip from file to file, in bounded memory and bounded size.
use std::io::{self, Read, Write};

use flate2::Compression;
use flate2::write::GzEncoder;

/// What gzip reads at once: small enough that an order to stop is seen within a millisecond.
const BLOCK_BYTES: usize = 64 * 1024;

/// Why a profile was not compressed.
#[derive(Debug)]
pub(crate) enum CompressError {
    /// The result would be larger than allowed.
    TooLarge,
    /// The caller gave it up.
    GivenUp,
    /// The source cannot be read.
    Source(io::Error),
    /// The result cannot be written.
    Sink(io::Error),
}

/// Compresses `source` into `sink`; returns the bytes written, which are at most `limit`.
pub(crate) fn gzip(
    source: &mut dyn Read,
    sink: &mut dyn Write,
    level: u32,
    limit: u64,
    give_up: &dyn Fn() -> bool,
) -> Result<u64, CompressError> {
    let mut counted = Counted { sink, bytes: 0 };
    let mut encoder = GzEncoder::new(&mut counted, Compression::new(level));
    let mut block = vec![0; BLOCK_BYTES];
    loop {
        let length = match source.read(&mut block) {
            Ok(0) => break,
            Ok(length) => length,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(CompressError::Source(error)),
        };
        encoder
            .write_all(&block[..length])
            .map_err(CompressError::Sink)?;
        if encoder.get_ref().bytes > limit {
            return Err(CompressError::TooLarge);
        }
        if give_up() {
            return Err(CompressError::GivenUp);
        }
    }
    encoder.finish().map_err(CompressError::Sink)?;
    match counted.bytes {
        bytes if bytes > limit => Err(CompressError::TooLarge),
        bytes => Ok(bytes),
    }
}

struct Counted<'a> {
    sink: &'a mut dyn Write,
    bytes: u64,
}

impl Write for Counted<'_> {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        let written = self.sink.write(buffer)?;
        self.bytes += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.sink.flush()
    }
}

#[cfg(test)]
mod tests {
    use flate2::read::MultiGzDecoder;

    use super::*;

    fn noise(bytes: usize) -> Vec<u8> {
        let mut random = fastrand::Rng::with_seed(1);
        (0..bytes).map(|_| random.u8(..)).collect()
    }

    #[test]
    fn the_bytes_come_back_and_are_counted() {
        for data in [Vec::new(), vec![7; 1_000_000], noise(300_000)] {
            let mut packed = Vec::new();
            let bytes = gzip(&mut &data[..], &mut packed, 6, u64::MAX, &|| false).unwrap();
            assert_eq!(bytes, packed.len() as u64);
            let mut unpacked = Vec::new();
            MultiGzDecoder::new(&packed[..])
                .read_to_end(&mut unpacked)
                .unwrap();
            assert_eq!(unpacked, data);
        }
    }

    #[test]
    fn the_limit_is_exact() {
        let data = noise(200_000);
        let pack = |limit| gzip(&mut &data[..], &mut io::sink(), 6, limit, &|| false);
        let bytes = pack(u64::MAX).unwrap();
        assert_eq!(pack(bytes).unwrap(), bytes);
        assert!(matches!(pack(bytes - 1), Err(CompressError::TooLarge)));
    }

    #[test]
    fn it_stops_when_told() {
        let result = gzip(&mut io::repeat(1), &mut io::sink(), 6, u64::MAX, &|| true);
        assert!(matches!(result, Err(CompressError::GivenUp)));
    }
}
