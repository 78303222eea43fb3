//! Counts the events of a recording by type: `cargo run -p jfr-reader --example summary -- FILE`.

use std::collections::BTreeMap;
use std::process::ExitCode;

use jfr_reader::Recording;

fn main() -> ExitCode {
    let Some(path) = std::env::args_os().nth(1) else {
        eprintln!("usage: summary FILE");
        return ExitCode::from(2);
    };
    match summary(path.as_ref()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{}: {error}", path.display());
            ExitCode::FAILURE
        }
    }
}

fn summary(path: &std::path::Path) -> Result<(), Box<dyn std::error::Error>> {
    let bytes = std::fs::read(path)?;
    let recording = Recording::parse(&bytes)?;
    let mut counts = BTreeMap::<String, u64>::new();
    let mut unreadable = 0;
    for chunk in recording.chunks() {
        for event in chunk.events() {
            match event {
                Ok(event) => *counts.entry(event.type_name().to_owned()).or_default() += 1,
                Err(error) => {
                    unreadable += 1;
                    eprintln!("{error}");
                }
            }
        }
    }
    for damage in recording.damage() {
        eprintln!("{damage}");
    }
    println!("chunks {}", recording.chunks().len());
    println!("unreadable events {unreadable}");
    for (name, count) in counts {
        println!("{name} {count}");
    }
    Ok(())
}
