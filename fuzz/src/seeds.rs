//! What targets begin with: files of `seeds/`, the reader's recordings, and a made-up JVM.

use std::fs;
use std::io::Read;
use std::path::Path;

use flate2::read::GzDecoder;

use crate::walk;

/// The seeds of a target, in the order of their names.
///
/// # Panics
/// When the files cannot be read.
pub fn of(target: &str) -> Vec<Vec<u8>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    match target {
        "jfr_reader" => files(&root.join("../jfr-reader/tests/fixtures"), ".jfr.gz")
            .iter()
            .map(|packed| {
                let mut bytes = Vec::new();
                let read = GzDecoder::new(packed.as_slice()).read_to_end(&mut bytes);
                read.expect("a gzip file");
                bytes
            })
            .collect(),
        "walk" => walk::seeds(),
        _ => files(&root.join("seeds").join(target), ""),
    }
}

fn files(folder: &Path, suffix: &str) -> Vec<Vec<u8>> {
    let entries =
        fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut paths: Vec<_> = entries
        .map(|entry| entry.expect("an entry").path())
        .collect();
    paths.retain(|path| path.to_string_lossy().ends_with(suffix));
    paths.sort();
    paths
        .iter()
        .map(|path| fs::read(path).expect("a file"))
        .collect()
}
