//! What the JDK's own tool reads. JDKs lie in the directory that `JPROF_JDKS` names, or in `jdks` at
//! the checkout's root; each that is not there is a counted skip.

use std::collections::HashSet;
use std::env;
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use jfr_reader::Recording;
use proptest::collection::vec;
use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::TestRunner;
use serde_json::Value;

use crate::chunks::chunk_of;
use crate::story::{START, Taste, stories};
use crate::text;

const VERSIONS: [&str; 4] = ["jdk11", "jdk17", "jdk21", "jdk25"];

/// The JDKs that are there.
fn jdks(test: &str) -> Vec<PathBuf> {
    let root = env::var_os("JPROF_JDKS").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../jdks"),
        PathBuf::from,
    );
    let (found, missing): (Vec<_>, Vec<_>) = VERSIONS
        .iter()
        .map(|version| root.join(version))
        .partition(|home| home.join("bin/jfr").exists());
    for home in missing {
        skip(&format!("jfr-writer: {test}: no {}", home.display()));
    }
    found
}

/// Notes a skip where the test run counts them.
fn skip(reason: &str) {
    eprintln!("skipped: {reason}");
    if let Some(ledger) = env::var_os("JPROF_LEDGER") {
        let mut ledger = OpenOptions::new()
            .append(true)
            .open(ledger)
            .expect("the ledger is there");
        writeln!(ledger, "skipped\t1\t{reason}").expect("the ledger takes a line");
    }
}

/// Events that the tool prints, as text.
fn printed(home: &Path, file: &Path) -> Vec<String> {
    let output = Command::new(home.join("bin/jfr"))
        .args([
            "print",
            "-J-Dfile.encoding=UTF-8",
            "-J-Dstdout.encoding=UTF-8",
            "--json",
            "--stack-depth",
            "100",
        ])
        .arg(file)
        .output()
        .expect("the tool starts");
    let complaints = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}: {complaints}", home.display());
    let json: Value = serde_json::from_slice(&output.stdout).expect("the tool prints JSON");
    let events = json["recording"]["events"]
        .as_array()
        .expect("there are events");
    events.iter().map(event).collect()
}

fn event(event: &Value) -> String {
    let ty = event["type"].as_str().expect("events have types");
    let fields = event["values"]
        .as_object()
        .expect("events have fields")
        .iter();
    let shown = |(name, field): (&String, &Value)| {
        let shown = match (name.as_str(), field) {
            ("startTime" | "allocationTime", Value::String(time)) => {
                ticks(time).map_or_else(|| time.clone(), |ticks| ticks.to_string())
            }
            ("jvmUser" | "jvmSystem" | "machineTotal", Value::Number(load)) => {
                format!("{:?}", load.as_f64().unwrap_or_default() as f32)
            }
            ("weight", Value::Number(weight)) if weight.is_f64() => {
                format!("{:?}", weight.as_f64().unwrap_or_default() as f32)
            }
            _ => value(field),
        };
        (name.clone(), shown)
    };
    text::sorted_line(ty, fields.map(shown).collect())
}

fn value(value: &Value) -> String {
    match value {
        Value::Null => text::NULL.into(),
        Value::String(text) => text::quote(text),
        Value::Object(fields) => {
            if let Some(Value::Array(frames)) = fields.get("frames") {
                text::stack(fields["truncated"] == true, frames.iter().map(frame))
            } else if fields.contains_key("osName") {
                let group = self::value(&fields["group"]["name"]);
                let fields = ["osName", "osThreadId", "javaName", "javaThreadId"]
                    .map(|name| format!("{name}={}", self::value(&fields[name])));
                format!("{{{} group={group}}}", fields.join(" "))
            } else if fields.contains_key("classLoader") {
                self::value(&fields["name"])
            } else {
                value.to_string()
            }
        }
        other => other.to_string(),
    }
}

fn frame(frame: &Value) -> String {
    let method = &frame["method"];
    let [class, name, descriptor] = [
        &method["type"]["name"],
        &method["name"],
        &method["descriptor"],
    ]
    .map(value);
    let kind = frame["type"].as_str().unwrap_or_default();
    format!(
        "{class}.{name}{descriptor}:{}:{}:{kind}",
        frame["lineNumber"], frame["bytecodeIndex"]
    )
}

/// Ticks of a time such as `2025-10-09T08:53:20.010Z`, in the minute in which all stories play.
fn ticks(time: &str) -> Option<u64> {
    let (minute, seconds) = time
        .strip_prefix("2025-10-09T08:")?
        .strip_suffix('Z')?
        .split_once(':')?;
    let (seconds, fraction) = seconds.split_once('.').unwrap_or((seconds, ""));
    let minute = minute.parse::<u64>().ok()?.checked_sub(53)?;
    let second = (minute * 60 + seconds.parse::<u64>().ok()?).checked_sub(20)?;
    let nanos: u64 = format!("{fraction:0<9}").parse().ok()?;
    Some(START.ticks + second * 1_000_000_000 + nanos)
}

/// Random stories, a chunk each, one behind the other.
fn told(count: usize) -> Vec<u8> {
    let mut runner = TestRunner::deterministic();
    let strategy = vec(stories(Taste::printable()), count);
    let told = strategy
        .new_tree(&mut runner)
        .expect("nothing is filtered out")
        .current();
    told.iter().flat_map(chunk_of).collect()
}

/// What jfr-reader reads, which is what was written.
fn read(bytes: &[u8]) -> Vec<String> {
    let recording = Recording::parse(bytes).expect("our chunks can be read");
    let events = recording.chunks().iter().flat_map(|chunk| chunk.events());
    events
        .map(|event| text::sorted_event(&event.expect("our events can be read")))
        .collect()
}

/// The tool goes by time, not by place in the file.
fn assert_same(mut printed: Vec<String>, mut expected: Vec<String>, what: &str) {
    printed.sort();
    expected.sort();
    for (printed, expected) in printed.iter().zip(&expected) {
        assert_eq!(printed, expected, "{what}");
    }
    assert_eq!(printed.len(), expected.len(), "{what}");
}

#[test]
fn every_jdk_prints_what_was_written() {
    let folder = tempfile::tempdir().expect("there is a place for files");
    let file = folder.path().join("stories.jfr");
    let ours = told(24);
    fs::write(&file, &ours).expect("the file can be written");
    for home in jdks("every_jdk_prints_what_was_written") {
        assert_same(
            printed(&home, &file),
            read(&ours),
            &home.display().to_string(),
        );
    }
}

/// Times are left out: the tool of JDK 25 takes those of all chunks by the first one's clock.
#[test]
fn chunks_read_behind_and_before_those_of_a_jvm() {
    let folder = tempfile::tempdir().expect("there is a place for files");
    let file = folder.path().join("all.jfr");
    let ours = told(4);
    let expected = without_times(read(&[&ours[..]; 3].concat()));
    let known: HashSet<&String> = expected.iter().collect();
    let homes = jdks("chunks_read_behind_and_before_those_of_a_jvm");
    for writer in &homes {
        let jvms = record(writer, folder.path());
        fs::write(&file, [&ours[..], &jvms, &ours, &jvms, &ours].concat())
            .expect("the file can be written");
        for reader in &homes {
            let mut printed = without_times(printed(reader, &file));
            printed.retain(|event| known.contains(event));
            let pair = format!("{} read by {}", writer.display(), reader.display());
            assert_same(printed, expected.clone(), &pair);
        }
    }
}

fn without_times(events: Vec<String>) -> Vec<String> {
    let without_time = |event: String| {
        let (before, rest) = event.split_once(" startTime=")?;
        let after = rest.split_once(' ').map_or("", |(_, after)| after);
        Some(format!("{before} {after}"))
    };
    events.into_iter().filter_map(without_time).collect()
}

/// A recording of a JVM that does nothing.
fn record(home: &Path, folder: &Path) -> Vec<u8> {
    let file = folder.join("jvm.jfr");
    let option = format!("-XX:StartFlightRecording=filename={}", file.display());
    let output = Command::new(home.join("bin/java"))
        .args([&option, "-version"])
        .output()
        .expect("java starts");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    fs::read(&file).expect("the JVM has written its recording")
}
