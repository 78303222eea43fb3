//! Writes the seeds of all targets to `fuzz/corpus/`, where cargo-fuzz looks for them.

use std::path::Path;
use std::{fs, io};

use jprof_fuzz::{TARGETS, seeds};

fn main() -> io::Result<()> {
    for target in TARGETS {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("corpus")
            .join(target.name);
        fs::create_dir_all(&folder)?;
        for (number, seed) in seeds::of(target.name).iter().enumerate() {
            fs::write(folder.join(format!("seed-{number}")), seed)?;
        }
    }
    Ok(())
}
