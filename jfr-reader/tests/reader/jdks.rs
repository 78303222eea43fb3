//! Recordings that the JDKs make now, counted by them and by the reader.
//!
//! The JDKs lie in the folder that `JPROF_JDKS` names, else in `jdks/` of the project, as
//! `make jdks` puts them there.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use jfr_reader::Recording;

use crate::fixtures::{event_counts, unpacked};

const VERSIONS: [u32; 5] = [8, 11, 17, 21, 25];

fn home(version: u32) -> PathBuf {
    let jdks = std::env::var_os("JPROF_JDKS").map(PathBuf::from);
    jdks.unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../jdks"))
        .join(format!("jdk{version}"))
}

/// Says what was skipped, also in the ledger of the test run.
fn skip(reason: &str) {
    println!("skipped: {reason}");
    if let Some(ledger) = std::env::var_os("JPROF_LEDGER") {
        let mut ledger = File::options()
            .append(true)
            .create(true)
            .open(ledger)
            .expect("the ledger");
        writeln!(ledger, "skipped\t1\t{reason}").expect("writing the ledger");
    }
}

/// Lets the JDK's `jfr` print a recording, and records that.
fn record(jfr: &Path, input: &Path, recording: &Path) {
    let output = Command::new(jfr)
        .arg(format!(
            "-J-XX:StartFlightRecording=filename={},settings=profile",
            recording.display()
        ))
        .args(["print", "--json"])
        .arg(input)
        .output()
        .expect("running jfr");
    assert!(output.status.success(), "{output:?}");
}

fn summary(jfr: &Path, recording: &Path) -> BTreeMap<String, u64> {
    let output = Command::new(jfr)
        .arg("summary")
        .arg(recording)
        .output()
        .expect("running jfr");
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout)
        .expect("UTF-8")
        .lines()
        .filter_map(|line| {
            let [name, count, _size] = line.split_whitespace().collect::<Vec<_>>()[..] else {
                return None;
            };
            Some((name.to_owned(), count.parse().ok()?))
        })
        .filter(|(name, count)| {
            let own = ["jdk.Metadata", "jdk.CheckPoint", "jdk.Checkpoint"];
            name.contains('.') && *count > 0 && !own.contains(&name.as_str())
        })
        .collect()
}

#[test]
fn events_of_each_jdk_are_as_many_as_it_counts() {
    let folder = tempfile::tempdir().expect("a folder");
    let input = folder.path().join("input.jfr");
    std::fs::write(&input, unpacked("jdk8")).expect("writing a file");
    let mut tried = 0;
    for version in VERSIONS {
        let jfr = home(version).join("bin/jfr");
        if !jfr.exists() {
            skip(&format!(
                "reader: JDK {version}: no {}: run `make jdks`",
                jfr.display()
            ));
            continue;
        }
        let output = folder.path().join(format!("jdk{version}.jfr"));
        record(&jfr, &input, &output);
        let bytes = std::fs::read(&output).expect("a recording");
        let recording = Recording::parse(&bytes).expect("a recording");
        assert_eq!(recording.damage(), []);
        let expected = summary(&jfr, &output);
        assert!(expected.len() > 20, "JDK {version}: {expected:?}");
        assert_eq!(event_counts(&recording), expected, "JDK {version}");
        tried += 1;
    }
    println!("{tried} of {} JDKs tried", VERSIONS.len());
}
