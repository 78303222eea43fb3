//! Recordings as the verbs take them: files or standard input, damage told but lived with.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use jfr_analysis::{DEFAULT_MAX_BYTES, Kind, Loaded, StackCollector, StackSet};
use jfr_reader::Recording;

/// The flags that count objects.
const OBJECTS: &str = "objects";

/// What is counted: one of the kinds, CPU time if nothing else is said.
#[derive(clap::Args)]
pub(crate) struct What {
    /// Objects that were allocated, by the code that did and their class; with --total, bytes
    #[arg(long, group = OBJECTS)]
    alloc: bool,
    /// Objects that were alive at the recording's end, likewise
    #[arg(long, group = OBJECTS)]
    live: bool,
    /// Count bytes, not objects
    #[arg(long, requires = OBJECTS)]
    total: bool,
    /// What is counted: cpu, wall, lock, or one of those above under its own name: alloc,
    /// alloc-bytes, live or live-bytes
    #[arg(long, default_value = "cpu", conflicts_with = OBJECTS)]
    kind: Kind,
}

impl What {
    pub(crate) fn kind(&self) -> Kind {
        match (self.alloc, self.live, self.total) {
            (true, _, false) => Kind::Alloc,
            (true, _, true) => Kind::AllocBytes,
            (_, true, false) => Kind::Live,
            (_, true, true) => Kind::LiveBytes,
            (false, false, _) => self.kind,
        }
    }
}

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
    bail!("{}: {}", names.join(", "), nothing_of(kind, &other_kinds));
}

/// Why there is nothing to show, and what to do.
fn nothing_of(kind: Kind, others: &BTreeMap<&'static str, u64>) -> String {
    if kind == Kind::LiveBytes && others.contains_key(Kind::Live.name()) {
        return "the live objects have no sizes here: --live without --total shows them".to_owned();
    }
    let record = match kind {
        Kind::Alloc | Kind::AllocBytes => "record them with alloc=512k in the agent's options",
        Kind::Live | Kind::LiveBytes => "record them with live in the agent's options",
        _ => "was the recording made with them on, and long enough?",
    };
    let what = match kind {
        Kind::Alloc | Kind::AllocBytes => "samples of allocations",
        Kind::Live | Kind::LiveBytes => "live objects",
        Kind::Wall => "wall samples",
        Kind::Lock => "waits for locks",
        _ => "cpu samples",
    };
    // The kinds of bytes are of the same events as those of objects.
    let of_bytes = [Kind::AllocBytes.name(), Kind::LiveBytes.name()];
    let others: Vec<_> = others
        .iter()
        .filter(|(name, _)| !of_bytes.contains(name))
        .collect();
    let Some((first, _)) = others.first() else {
        return format!("no {what}, nor any other event with stacks: {record}");
    };
    let found: Vec<String> = others
        .iter()
        .map(|(name, events)| format!("{name} ({events} events)"))
        .collect();
    format!(
        "no {what}: {record}. It has {}: try --kind {first}",
        found.join(", ")
    )
}

/// What a file is called in messages.
pub(crate) fn name(path: &Path) -> String {
    if path == Path::new("-") {
        return "standard input".to_owned();
    }
    path.display().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Parser)]
    struct Cli {
        #[command(flatten)]
        what: What,
    }

    fn kind(words: &[&str]) -> Option<Kind> {
        let words = ["jprof"].iter().chain(words);
        Some(Cli::try_parse_from(words).ok()?.what.kind())
    }

    #[test]
    fn flags_and_kinds_name_the_same_things() {
        assert_eq!(kind(&[]), Some(Kind::Cpu));
        assert_eq!(kind(&["--alloc"]), Some(Kind::Alloc));
        assert_eq!(kind(&["--alloc", "--total"]), Some(Kind::AllocBytes));
        assert_eq!(kind(&["--live"]), Some(Kind::Live));
        assert_eq!(kind(&["--total", "--live"]), Some(Kind::LiveBytes));
        for one in Kind::ALL {
            assert_eq!(kind(&["--kind", one.name()]), Some(one));
        }
    }

    #[test]
    fn words_that_contradict_each_other_are_refused() {
        for words in [
            &["--total"][..],
            &["--alloc", "--live"],
            &["--kind", "alloc", "--total"],
            &["--kind", "cpu", "--live"],
            &["--kind", "heap"],
        ] {
            assert_eq!(kind(words), None, "{words:?}");
        }
    }

    #[test]
    fn a_recording_without_the_events_says_what_to_do() {
        let found = |names: &[&'static str]| names.iter().map(|&name| (name, 3)).collect();
        assert_eq!(
            nothing_of(Kind::AllocBytes, &found(&["cpu"])),
            "no samples of allocations: record them with alloc=512k in the agent's options. \
             It has cpu (3 events): try --kind cpu"
        );
        assert_eq!(
            nothing_of(Kind::Live, &found(&["alloc", "alloc-bytes"])),
            "no live objects: record them with live in the agent's options. \
             It has alloc (3 events): try --kind alloc"
        );
        assert_eq!(
            nothing_of(Kind::LiveBytes, &found(&["live"])),
            "the live objects have no sizes here: --live without --total shows them"
        );
        assert_eq!(
            nothing_of(Kind::Cpu, &found(&[])),
            "no cpu samples, nor any other event with stacks: \
             was the recording made with them on, and long enough?"
        );
    }
}
