//! Each target over its seeds and a fixed number of mutations of them. `JPROF_FUZZ_TIMES=100` takes a hundred times as many,
//! `JPROF_FUZZ_NUMBER=2` others, `JPROF_FUZZ_ONLY=walk` one target's.

use std::fs;
use std::panic::{self, AssertUnwindSafe};
use std::path::{Path, PathBuf};
use std::time::Instant;

use jprof_fuzz::{Mutator, TARGETS, Target, seeds};

fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |text| text.parse().expect("a number"))
}

/// Runs a target; the input that it does not survive is left in a file.
fn survives(target: &Target, input: &[u8]) -> Result<(), PathBuf> {
    let outcome = panic::catch_unwind(AssertUnwindSafe(|| (target.body)(input)));
    outcome.map_err(|_| {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let folder = root.join("artifacts").join(target.name);
        fs::create_dir_all(&folder).expect("a folder");
        let path = folder.join("mutation");
        fs::write(&path, input).expect("a file");
        path
    })
}

fn try_all(target: &Target) -> Result<(), PathBuf> {
    let seeds = seeds::of(target.name);
    for seed in &seeds {
        survives(target, seed)?;
    }
    let mut mutator = Mutator::new(&seeds, number("JPROF_FUZZ_NUMBER", 1));
    for _ in 0..target.mutations * number("JPROF_FUZZ_TIMES", 1) as usize {
        survives(target, &mutator.input())?;
    }
    Ok(())
}

#[test]
fn every_target_survives_its_seeds_and_mutations_of_them() {
    let only = std::env::var("JPROF_FUZZ_ONLY").ok();
    let chosen = |target: &&Target| only.as_deref().is_none_or(|only| only == target.name);
    let mut failures = Vec::new();
    for target in TARGETS.iter().filter(chosen) {
        let began = Instant::now();
        failures.extend(try_all(target).err());
        println!("{}: {:?}", target.name, began.elapsed());
    }
    assert!(failures.is_empty(), "not survived: {failures:?}");
}

#[test]
fn every_target_is_built_for_libfuzzer() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let manifest = fs::read_to_string(root.join("Cargo.toml")).expect("the manifest");
    for Target { name, .. } in TARGETS {
        let source = fs::read_to_string(root.join("fuzz_targets").join(format!("{name}.rs")));
        let call = format!("run(\"{name}\"");
        assert!(source.expect("its file").contains(&call), "{name}");
        assert!(manifest.contains(&format!("name = \"{name}\"")), "{name}");
    }
    let files = fs::read_dir(root.join("fuzz_targets")).expect("the folder");
    assert_eq!(files.count(), TARGETS.len());
}
