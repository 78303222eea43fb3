//! Others read our recordings as we do.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::endings::{check_delivery, upload};
use crate::support::{
    ALL, DataKit, Jdk, OLD_AND_USUAL, Profile, Program, command, folder, on_jdks, root, skip,
};

/// The JDKs whose `jfr` reads files.
fn readers() -> Vec<Jdk> {
    [11, 17, 21, 25].into_iter().filter_map(Jdk::find).collect()
}

fn output(tool: &Path, arguments: &[&str], file: &Path) -> String {
    let output = Command::new(tool).args(arguments).arg(file).output();
    let output = output.unwrap_or_else(|error| panic!("{}: {error}", tool.display()));
    assert!(
        output.status.success(),
        "{} {arguments:?}: {}",
        tool.display(),
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).expect("UTF-8")
}

/// The events by type that `jfr summary` counts: lines of a type, a count and a size.
fn summary(jdk: &Jdk, file: &Path) -> BTreeMap<String, u64> {
    let text = output(&jdk.tool("jfr"), &["summary"], file);
    let mut counts = BTreeMap::new();
    for line in text.lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        if let [name, count, size] = words[..]
            && name.contains('.')
            && size.parse::<u64>().is_ok()
            && let Ok(count @ 1..) = count.parse()
        {
            // Metadata and constant pools are events to the JDK's tool.
            if !matches!(name, "jdk.Metadata" | "jdk.CheckPoint" | "jdk.Checkpoint") {
                // Types of one name from two writers have a line each.
                *counts.entry(name.to_owned()).or_default() += count;
            }
        }
    }
    counts
}

/// The events of a type as `jfr print --json` shows them.
fn printed(jdk: &Jdk, event: &str, file: &Path) -> Vec<Value> {
    let text = output(
        &jdk.tool("jfr"),
        &["print", "--json", "--events", event],
        file,
    );
    let json: Value = serde_json::from_str(&text).expect("JSON");
    let events = json.pointer("/recording/events").and_then(Value::as_array);
    events.expect("events").clone()
}

fn record(jdk: &Jdk, dialect: &str, folder: &Path) -> (PathBuf, Profile) {
    let file = folder.join(format!("{}-{dialect}.jfr", jdk.version));
    let options = format!(
        "url=none,period=1s,interval=1ms,dialect={dialect},file={}",
        file.display()
    );
    Program::new(jdk, "Mix", &["1.5"])
        .agent(&options)
        .run()
        .expect_success();
    let profile = Profile::of_file(&file);
    (file, profile)
}

#[test]
fn every_jdk_counts_the_events_that_we_count() {
    if readers().is_empty() {
        skip("jfr summary: no JDK of 11 or newer");
    }
    on_jdks("jfr summary", ALL, |jdk| {
        let folder = folder();
        let mut dialects = vec![("datakit", "datadog.ExecutionSample")];
        if OLD_AND_USUAL.contains(&jdk.version) {
            dialects.push(("jdk", "jdk.ExecutionSample"));
        }
        for (dialect, event) in dialects {
            let (file, profile) = record(jdk, dialect, folder.path());
            assert_ne!(profile.events[event], 0);
            for reader in readers() {
                assert_eq!(
                    summary(&reader, &file),
                    profile.events,
                    "JDK {} on {dialect} of JDK {}",
                    reader.version,
                    jdk.version
                );
            }
            let reader = readers()
                .into_iter()
                .rev()
                .find(|reader| reader.version <= jdk.version.max(11));
            let Some(reader) = reader else { continue };
            let samples = printed(&reader, event, &file);
            assert_eq!(samples.len() as u64, profile.events[event]);
            if dialect == "datakit" {
                let weights = samples
                    .iter()
                    .map(|sample| sample.pointer("/values/weight"));
                let sum: u64 = weights
                    .map(|weight| weight.and_then(Value::as_u64).expect("a weight"))
                    .sum();
                assert_eq!(sum, profile.weight(|_| true));
            }
            let counters = printed(&reader, "jprof.Counter", &file);
            let ticks = counters.iter().filter(|counter| {
                counter.pointer("/values/name").and_then(Value::as_str) == Some("ticks")
            });
            let counts = ticks.map(|counter| counter.pointer("/values/count"));
            let sum: u64 = counts
                .map(|count| count.and_then(Value::as_u64).expect("a count"))
                .sum();
            assert_eq!(sum, profile.counter("ticks"));
        }
    });
}

#[test]
fn a_recording_of_ours_behind_one_of_the_jvm_still_reads() {
    on_jdks("behind a JVM's recording", &[11, 17, 21, 25], |jdk| {
        let folder = folder();
        let theirs = folder.path().join("theirs.jfr");
        Program::new(jdk, "Mix", &["1"])
            .jvm(format!(
                "-XX:StartFlightRecording=filename={}",
                theirs.display()
            ))
            .run()
            .expect_success();
        let (ours, profile) = record(jdk, "datakit", folder.path());
        let both = folder.path().join("both.jfr");
        let bytes = [theirs.clone(), ours].map(|file| fs::read(file).expect("a recording"));
        fs::write(&both, bytes.concat()).expect("written");
        let (alone, together) = (summary(jdk, &theirs), summary(jdk, &both));
        for (event, count) in &profile.events {
            let before = alone.get(event).copied().unwrap_or(0);
            assert_eq!(
                together.get(event).copied(),
                Some(before + count),
                "{event}"
            );
        }
        let samples = printed(jdk, "datadog.ExecutionSample", &both);
        assert_eq!(
            samples.len() as u64,
            profile.events["datadog.ExecutionSample"]
        );
    });
}

#[test]
fn every_reader_agrees_on_an_upload_and_its_metrics() {
    on_jdks("readers of an upload", &[17], |jdk| {
        let (datakit, spool) = (DataKit::start(), folder());
        let run = Program::new(jdk, "Mix", &["1.5"])
            .agent(&upload(
                &datakit,
                &spool.path().join("spool"),
                "interval=1ms",
            ))
            .run()
            .expect_success();
        let uploads = datakit.uploads();
        check_delivery(&run, &uploads);
        let sent = &uploads[0];
        let compared = Command::new(root().join("tests/readers/compare.sh"))
            .env("JPROF_BIN", command())
            .arg(sent.path())
            .args([
                sent.tag("start").expect("a time"),
                sent.tag("end").expect("a time"),
            ])
            .output()
            .expect("compare.sh runs");
        let text = String::from_utf8_lossy(&compared.stdout);
        eprintln!("{text}");
        assert!(
            compared.status.success(),
            "{text}{}",
            String::from_utf8_lossy(&compared.stderr)
        );
    });
}

#[test]
fn the_command_shows_what_the_program_did() {
    on_jdks("jprof on a recording", OLD_AND_USUAL, |jdk| {
        let folder = folder();
        let file = folder.path().join("shares.jfr");
        let options = format!(
            "url=none,dialect=datakit,interval=1ms,file={}",
            file.display()
        );
        Program::new(jdk, "CpuShares", &["2"])
            .agent(&options)
            .run()
            .expect_success();
        let profile = Profile::of_file(&file);

        let collapsed = output(&command(), &["convert", "--to", "collapsed"], &file);
        let sum = |needle: &str| -> u64 {
            let lines = collapsed.lines().filter(|line| line.contains(needle));
            let counts = lines.map(|line| line.rsplit_once(' ').expect("a count").1);
            counts
                .map(|count| count.parse::<u64>().expect("a count"))
                .sum()
        };
        assert_eq!(sum(""), profile.weight(|_| true));
        assert_eq!(
            sum("io/jprof/harness/CpuShares.fortyPercent"),
            profile.weight(|sample| sample.stack.has("CpuShares.fortyPercent"))
        );

        let metrics = output(&command(), &["metrics", "--json"], &file);
        let metrics: Value = serde_json::from_str(&metrics).expect("JSON");
        let cores = metrics["prof_jvm_cpu_cores"].as_f64().expect("a number");
        let (start, end) = profile.span();
        let expected = profile.cpu_nanos(|_| true) as f64 / (end - start) as f64;
        assert!(
            (cores - expected).abs() <= expected * 1e-6,
            "{cores}, {expected}"
        );
    });
}
