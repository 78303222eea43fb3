//! Runs `hotspot_names/HotspotProbe.java` with `examples/hotspot_probe.rs` in real JVMs: what `jprof::hotspot` reads of methods, threads,
//! flags, counters and the JVM itself must be what the JVM says of them, and no stale or wild method id may do harm.
//!
//! A run whose JDK is not there counts as ignored.

mod support;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, OnceLock};

use libtest_mimic::{Arguments, Failed, Trial};

use support::{JDKS, build_probe, compile, home, is_missing, java, output};

/// One way to run the JVM.
struct Run {
    name: &'static str,
    /// The JDKs that it is for.
    jdks: &'static [u32],
    options: &'static [&'static str],
    /// What the probe is told of `-XX:DebugNonSafepoints`: whether the options have it.
    flag: &'static str,
}

const RUNS: &[Run] = &[
    Run {
        name: "g1",
        jdks: JDKS,
        options: &["-XX:+UseG1GC"],
        flag: "default",
    },
    Run {
        name: "serial_interpreted_wide_class_pointers",
        jdks: JDKS,
        options: &[
            "-XX:+UseSerialGC",
            "-Xint",
            "-XX:-UseCompressedClassPointers",
        ],
        flag: "default",
    },
    Run {
        name: "parallel_without_counters",
        jdks: JDKS,
        options: &[
            "-XX:+UseParallelGC",
            "-XX:-UsePerfData",
            "-XX:-DebugNonSafepoints",
        ],
        flag: "chosen",
    },
    Run {
        name: "zgc",
        jdks: &[17, 21, 25],
        options: &["-XX:+UseZGC"],
        flag: "default",
    },
    Run {
        name: "compact_headers_without_archive",
        jdks: &[25],
        options: &["-XX:+UseCompactObjectHeaders", "-Xshare:off"],
        flag: "default",
    },
];

fn main() {
    let arguments = Arguments::from_args();
    let probe = Arc::new(OnceLock::new());
    let mut trials = Vec::new();
    for jdk in JDKS {
        let home = home(*jdk);
        let missing = is_missing(*jdk);
        let classes = Arc::new(OnceLock::new());
        for run in RUNS.iter().filter(|run| run.jdks.contains(jdk)) {
            let (home, probe, classes) = (home.clone(), Arc::clone(&probe), Arc::clone(&classes));
            let name = format!("jdk{jdk}::{}", run.name);
            let trial = Trial::test(name, move || {
                let probe = probe
                    .get_or_init(|| build_probe("hotspot_probe"))
                    .as_ref()?;
                let classes = classes
                    .get_or_init(|| compile(&home, "hotspot_names"))
                    .as_ref()?;
                try_run(run, &home, classes, probe)
            });
            trials.push(trial.with_ignored_flag(missing));
        }
    }
    libtest_mimic::run(&arguments, trials).exit();
}

fn try_run(run: &Run, home: &Path, classes: &Path, probe: &Path) -> Result<(), Failed> {
    let mut java = java(home);
    java.args([
        "-XX:+UnlockDiagnosticVMOptions",
        "-XX:+UnlockExperimentalVMOptions",
        "-Xmx256m",
    ]);
    java.args(run.options).arg("-XX:+PrintFlagsFinal");
    java.arg("-cp")
        .arg(classes)
        .arg("HotspotProbe")
        .arg(probe)
        .arg(run.flag);
    let output = output(&mut java)?;
    if !output.ends_with("verdict: good\n") {
        return Err(format!("no verdict:\n{output}").into());
    }
    for line in output.lines().filter(|line| line.starts_with("methods ")) {
        println!("{line}");
    }
    compare_flags(&output)
}

/// Every flag that `-XX:+PrintFlagsFinal` has printed was read, with the same value.
fn compare_flags(output: &str) -> Result<(), Failed> {
    let read: BTreeMap<&str, &str> = output
        .lines()
        .filter_map(|line| line.strip_prefix("flag ")?.split_once('='))
        .collect();
    let mut printed = 0;
    for (name, value) in output.lines().filter_map(printed_flag) {
        printed += 1;
        if read.get(name).map(|read| read.trim()) != Some(value) {
            return Err(format!("{name} is {value:?}, read {:?}", read.get(name)).into());
        }
    }
    if printed < 500 {
        return Err(format!("the JVM has printed {printed} flags only").into());
    }
    Ok(())
}

/// Name and value of a line such as `     intx CICompilerCount  := 2   {product}`.
fn printed_flag(line: &str) -> Option<(&str, &str)> {
    let (declaration, rest) = line.strip_prefix(' ')?.split_once('=')?;
    let mut words = declaration.trim_end_matches(':').split_whitespace();
    let (_type, name) = (words.next()?, words.next()?);
    let (value, _kind) = rest.split_once('{')?;
    words.next().is_none().then_some((name, value.trim()))
}
