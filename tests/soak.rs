//! Everything that takes code and classes away from under a walk, at once and for long: loaders that come and go,
//! redefinition, deoptimisation, threads that live for a moment, a code cache that is flushed all the time. And storms of
//! objects, some of which live on, whose classes come and go.
//!
//! Here it runs for seconds; `make soak` sets `$JPROF_SOAK_MINUTES`, the minutes for each JDK, and
//! `$JPROF_SOAK_ALLOCATION_MINUTES`, those for each JDK and collector, and then memory is judged, too.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use crate::matrix::COLLECTORS;
use crate::support::{ALL, Jdk, Program, Run, command, folder, on_jdks, resident_mib};

/// Seconds of each run when no minutes are asked for.
const SECONDS: u64 = 5;
/// How much longer a run may take on a busy machine before it counts as hung.
const PATIENCE: Duration = Duration::from_secs(180);

/// The part of a run in which memory grows to what it needs.
const WARM_UP: f64 = 0.2;
/// The least number of looks, a second apart, by which memory can be judged.
const ENOUGH_LOOKS: usize = 120;
/// Growth of the resident memory from the first third after the warm-up to the last, in MiB. A JVM without an agent grows, too:
/// JDK 17 by 15 MiB in a run of 400 s.
const MOST_GROWTH_MIB: f64 = 32.0;

/// Recordings that are kept while it runs.
const KEPT: usize = 2;

/// The least that JVMs take: they never have room for all that should be compiled.
const SMALL_CODE_CACHE: &[&str] = &[
    "-XX:ReservedCodeCacheSize=2496k",
    "-XX:+UseCodeCacheFlushing",
];

/// JDKs and the collector by which allocations are stormed when no minutes are asked for.
const STORMED: &[u32] = &[11, 25];
const STORMED_COLLECTOR: &[&str] = &["-XX:+UseG1GC"];

/// The minutes that a variable asks for.
fn minutes(variable: &str) -> Option<u64> {
    let text = std::env::var(variable).ok()?;
    let minutes = text.parse();
    Some(minutes.unwrap_or_else(|_| panic!("{variable} is a number")))
}

#[test]
fn soak_storms_at_100_us() {
    let seconds = minutes("JPROF_SOAK_MINUTES").map_or(SECONDS, |minutes| minutes * 60 / 2);
    on_jdks("soak", ALL, |jdk| {
        for options in [&[], SMALL_CODE_CACHE] {
            let folder = folder();
            let agent = redefining_agent(jdk, folder.path());
            let program = Program::new(jdk, "Storms", &[&seconds.to_string()])
                .jvm(format!("-javaagent:{}", agent.display()));
            let run = soak(program, options, seconds, "interval=100us");
            let counts = ["loaders", "storms", "threads", "rounds", "redefinitions"];
            tell(jdk, options, &run, &counts);
        }
    });
}

#[test]
fn soak_allocation_storms() {
    let asked = minutes("JPROF_SOAK_ALLOCATION_MINUTES");
    let seconds = asked.map_or(SECONDS, |minutes| minutes * 60);
    let versions = if asked.is_some() { ALL } else { STORMED };
    on_jdks("soak, allocations", versions, |jdk| {
        let is_wanted = |collector: &[&str]| asked.is_some() || collector == STORMED_COLLECTOR;
        let collectors = COLLECTORS.iter().filter(|collector| is_wanted(collector));
        for collector in collectors.filter(|collector| jdk.takes(collector)) {
            let program = Program::new(jdk, "AllocationStorm", &[&seconds.to_string()]);
            let options = "interval=1ms,alloc=64k,live=on";
            let run = soak(program, collector, seconds, options);
            tell(jdk, collector, &run, &["objects", "loaders"]);
        }
    });
}

/// Runs a program of so many seconds: it comes to its end, all it has recorded can be read, and memory is flat.
fn soak(mut program: Program, flags: &[&str], seconds: u64, options: &str) -> Run {
    let folder = folder();
    // In less, ZGC of JDK 11 runs out of memory by itself.
    let heap = if flags.contains(&"-XX:+UseZGC") {
        "512m"
    } else {
        "128m"
    };
    program = program
        .longest(Duration::from_secs(seconds) + PATIENCE)
        .agent(&format!(
            "url=none,dialect=datakit,{options},period=20s,file={}/%n.jfr",
            folder.path().display()
        ))
        .jvm(format!("-XX:ErrorFile={}/hs_err", folder.path().display()))
        // All of the heap is resident from the start on, so that it is no part of what grows.
        .jvm(format!("-Xms{heap}"))
        .jvm(format!("-Xmx{heap}"))
        .jvm("-XX:+AlwaysPreTouch");
    for flag in flags {
        program = program.jvm(flag);
    }
    let mut memory = Vec::new();
    let mut next_look = Instant::now();
    let run = program.start().finish_watched(|pid| {
        if Instant::now() >= next_look {
            next_look += Duration::from_secs(1);
            memory.extend(resident_mib(pid));
            drop_old(folder.path());
        }
    });
    assert!(
        !folder.path().join("hs_err").exists(),
        "the JVM has written an error file: {}",
        run.stdout
    );
    let run = run.expect_success();
    let recordings = recordings(folder.path());
    assert!(!recordings.is_empty(), "no recording: {}", run.stderr);
    for recording in &recordings {
        check_readable(recording);
    }
    check_memory(&memory);
    run
}

/// Tells how often each of these things has happened; all have.
fn tell(jdk: &Jdk, flags: &[&str], run: &Run, counts: &[&str]) {
    let counts: Vec<String> = counts
        .iter()
        .map(|what| {
            let count = run.truth(what);
            assert!(count > 0, "no {what}: {}", run.stdout);
            format!("{count} {what}")
        })
        .collect();
    eprintln!("JDK {}, {flags:?}: {}", jdk.version, counts.join(", "));
}

/// A jar that lets the program redefine classes; the class that it names is on the class path.
fn redefining_agent(jdk: &Jdk, folder: &Path) -> PathBuf {
    let manifest = folder.join("manifest");
    let text = "Premain-Class: io.jprof.harness.Redefinitions\nCan-Redefine-Classes: true\n";
    fs::write(&manifest, text).expect("the folder is writable");
    let jar = folder.join("redefining.jar");
    let mut tool = Command::new(jdk.tool("jar"));
    let status = tool.arg("cfm").args([&jar, &manifest]).status();
    assert!(status.expect("jar runs").success(), "{tool:?}");
    jar
}

/// The recordings, oldest first.
fn recordings(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).expect("the folder is there");
    let mut found: Vec<_> = entries
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "jfr"))
        .filter_map(|path| Some((fs::metadata(&path).ok()?.modified().ok()?, path)))
        .collect();
    found.sort();
    found.into_iter().map(|(_, path)| path).collect()
}

fn drop_old(folder: &Path) {
    let found = recordings(folder);
    for path in found.iter().take(found.len().saturating_sub(KEPT)) {
        fs::remove_file(path).expect("a recording is ours");
    }
}

fn check_readable(recording: &Path) {
    let output = Command::new(command())
        .arg("metrics")
        .arg(recording)
        .output();
    let output = output.expect("jprof runs");
    assert!(
        output.status.success(),
        "{} is not readable: {}",
        recording.display(),
        String::from_utf8_lossy(&output.stderr)
    );
}

/// Memory is as large at the end as it was when all had warmed up.
fn check_memory(looks: &[f64]) {
    let warm = &looks[(looks.len() as f64 * WARM_UP) as usize..];
    let third = warm.len() / 3;
    let (first, last) = (median(&warm[..third]), median(&warm[warm.len() - third..]));
    eprintln!("  resident: {first:.1} MiB after the warm-up, {last:.1} MiB at the end");
    if looks.len() >= ENOUGH_LOOKS {
        assert!(
            last - first <= MOST_GROWTH_MIB,
            "memory grows from {first:.1} to {last:.1} MiB"
        );
    }
}

fn median(looks: &[f64]) -> f64 {
    let mut sorted = looks.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied().unwrap_or(0.0)
}
