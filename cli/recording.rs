//! Recordings as the verbs take them: files or standard input, damage told but lived with.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use jfr_analysis::{DEFAULT_MAX_BYTES, Kind, Loaded, StackCollector, StackSet};
use jfr_reader::Recording;

/// Reads a file, or standard input for `-`.
pub(crate) fn load(path: &Path) -> Result<Loaded> {
    jfr_analysis::load(path, DEFAULT_MAX_BYTES)
        .with_context(|| format!("cannot load {}", name(path)))
}

/// Reads the recording in the bytes; chunks that cannot be read are told on stderr.
pub(crate) fn parse<'l>(path: &Path, loaded: &'l Loaded) -> Result<Recording<'l>> {
    let recording = loaded
        .recording()
        .with_context(|| format!("{} holds no chunk that can be read", name(path)))?;
    for note in damage(&recording) {
        eprintln!("jprof: {}: {note}", name(path));
    }
    Ok(recording)
}

/// A sentence for each chunk that cannot be read.
pub(crate) fn damage(recording: &Recording<'_>) -> Vec<String> {
    let good = recording.chunks().len();
    let damage = recording.damage().iter();
    damage
        .map(|damage| format!("{good} chunks were read, but not {damage}"))
        .collect()
}

/// The stacks of one kind in all the files together, and a sentence for each thing that is missing.
pub(crate) fn stacks(paths: &[PathBuf], kind: Kind) -> Result<(StackSet, Vec<String>)> {
    let mut collector = StackCollector::new(kind);
    let mut other_kinds = BTreeMap::<&'static str, u64>::new();
    let mut notes = Vec::new();
    for path in paths {
        let loaded = load(path)?;
        let recording = parse(path, &loaded)?;
        notes.extend(damage(&recording));
        notes.extend(jfr_analysis::losses(&jfr_analysis::counters(&recording)));
        collector.add(&recording);
        for (kind, events) in jfr_analysis::kinds(&recording) {
            *other_kinds.entry(kind).or_default() += events;
        }
    }
    let stacks = collector.finish();
    if stacks.events > 0 {
        return Ok((stacks, notes));
    }
    let names: Vec<String> = paths.iter().map(|path| name(path)).collect();
    let names = names.join(", ");
    match other_kinds.keys().next() {
        None => bail!(
            "{names}: no event with stacks: was the recording made with samples on, and long enough?"
        ),
        Some(first) => {
            let found: Vec<String> = other_kinds
                .iter()
                .map(|(kind, events)| format!("{kind} ({events} events)"))
                .collect();
            bail!(
                "{names}: no {kind} samples, but {}: try --kind {first}",
                found.join(", ")
            );
        }
    }
}

/// What a file is called in messages.
pub(crate) fn name(path: &Path) -> String {
    if path == Path::new("-") {
        return "standard input".to_owned();
    }
    path.display().to_string()
}
