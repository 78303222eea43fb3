//! Recordings of other writers, kept beside the tests: see `tests/fixtures/README.md`.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use flate2::read::GzDecoder;
use jfr_reader::Recording;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures")
}

pub(crate) fn unpacked(name: &str) -> Vec<u8> {
    let path = folder().join(format!("{name}.jfr.gz"));
    let packed = fs::read(path).expect("a fixture");
    let mut bytes = Vec::new();
    GzDecoder::new(packed.as_slice())
        .read_to_end(&mut bytes)
        .expect("gzip");
    bytes
}

/// Every type with the number of its events.
pub(crate) fn event_counts(recording: &Recording<'_>) -> BTreeMap<String, u64> {
    let mut counts = BTreeMap::new();
    for chunk in recording.chunks() {
        for event in chunk.events() {
            let event = event.expect("a readable event");
            *counts.entry(event.type_name().to_owned()).or_default() += 1;
        }
    }
    counts
}

#[test]
fn events_are_as_many_as_the_jdk_counts() {
    for name in ["jdk8", "jdk25", "async-profiler-4.4"] {
        let bytes = unpacked(name);
        let recording = Recording::parse(&bytes).expect("a recording");
        assert_eq!(recording.damage(), []);
        let events = fs::read_to_string(folder().join(format!("{name}.events")));
        let expected: BTreeMap<String, u64> = events
            .expect("the counts of a fixture")
            .lines()
            .map(|line| line.split_once(' ').expect("a type and its count"))
            .map(|(name, count)| (name.to_owned(), count.parse().expect("a number")))
            .collect();
        assert_eq!(event_counts(&recording), expected, "{name}");
    }
}

#[test]
fn the_busy_method_is_on_top_of_the_worker_s_stacks() {
    for name in ["jdk8", "jdk25", "async-profiler-4.4"] {
        let bytes = unpacked(name);
        let recording = Recording::parse(&bytes).expect("a recording");
        let chunk = &recording.chunks()[0];
        let mut samples = 0;
        for event in chunk.events() {
            let event = event.expect("a readable event");
            let thread = event.thread().and_then(|thread| thread.java_name());
            if event.type_name() != "jdk.ExecutionSample" || thread.as_deref() != Some("worker") {
                continue;
            }
            let stack = event.stack_trace().expect("a stack");
            let java = |class: &str, method: &str| {
                stack.frames().any(|frame| {
                    frame.class_name().as_deref() == Some(class)
                        && frame.method_name().as_deref() == Some(method)
                })
            };
            samples += u64::from(java("Fib", "fib") && java("java/lang/Thread", "run"));
        }
        assert!(samples >= 5, "{name}: {samples} samples of Fib.fib");
    }
}

#[test]
fn times_of_events_lie_within_the_chunk() {
    for name in ["jdk8", "jdk25", "async-profiler-4.4"] {
        let bytes = unpacked(name);
        let recording = Recording::parse(&bytes).expect("a recording");
        for chunk in recording.chunks() {
            let header = chunk.header();
            let end = header.start_unix_nanos + header.duration_nanos;
            for event in chunk.events().flatten() {
                let start = event.start_unix_nanos().expect("a start");
                assert!(
                    (header.start_unix_nanos..=end).contains(&start),
                    "{name}: {} at {start}",
                    event.type_name()
                );
            }
        }
    }
}
