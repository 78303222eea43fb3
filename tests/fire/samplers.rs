//! Others that sample allocations in the same JVM. It gives its samples to one agent at a time: the first one has them, and
//! who comes later says so and does without. Flight Recorder has a sampler of its own.

use std::fs;
use std::path::Path;

use jfr_reader::Recording;

use super::profilers::library;
use crate::accuracy::{Measured, measure};
use crate::support::{Jdk, Profile, Program, Run, every_jdk, folder, on_jdks, on_jdks_at_once};
use crate::walker::said_by_jvm;

/// The JVMs that sample allocations (JEP 331), and one of each kind of them.
const SAMPLING: &[u32] = &[11, 17, 21, 25];
const OF_EACH_KIND: &[u32] = &[17, 25];
const OPTIONS: &str = "interval=1ms,alloc=64k";
/// All threads' bytes.
const TOLERANCE: f64 = 0.03;

fn versions() -> &'static [u32] {
    if every_jdk() { SAMPLING } else { OF_EACH_KIND }
}

fn program(jdk: &Jdk) -> Program {
    Program::new(jdk, "Retainer", &["2", "32"]).jvm("-Xmx256m")
}

fn with_async_profiler(program: Program, library: &Path, file: &Path) -> Program {
    program.jvm(format!(
        "-agentpath:{}=start,event=alloc,alloc=64k,file={}",
        library.display(),
        file.display()
    ))
}

/// How many events of those types a recording has.
fn events(file: &Path, types: &[&str]) -> usize {
    let bytes = fs::read(file).expect("a recording");
    let recording = Recording::parse(&bytes).expect("a recording");
    let events = recording.chunks().iter().flat_map(|chunk| chunk.events());
    let events = events.map(|event| event.expect("every event can be read"));
    events
        .filter(|event| types.contains(&event.type_name()))
        .count()
}

/// What both profilers take an allocation for in their files, by Flight Recorder's names.
const ALLOCATIONS: &[&str] = &[
    "jdk.ObjectAllocationInNewTLAB",
    "jdk.ObjectAllocationOutsideTLAB",
    "jdk.ObjectAllocationSample",
];

fn check_ours(run: &Run, profile: &Profile) {
    // Flight Recorder has threads of its own.
    let samples = profile.allocations.iter();
    let claimed: f64 = samples
        .filter(|sample| sample.thread.starts_with("retainer-"))
        .map(|sample| sample.size as f64 * sample.weight)
        .sum();
    let truth = run.truth("allocated_bytes") as f64;
    let off = claimed / truth - 1.0;
    eprintln!(
        "  {} samples, {claimed:.0} of {truth:.0} bytes ({:+.2} %)",
        profile.allocations.len(),
        off * 100.0
    );
    assert!(off.abs() <= TOLERANCE, "{claimed} of {truth} bytes");
}

#[test]
fn async_profiler_that_samples_allocations_first_keeps_them() {
    let test = "async-profiler's allocations, then jprof's";
    let Some(library) = library(test) else { return };
    on_jdks(test, versions(), |jdk| {
        let folder = folder();
        let [theirs, ours] =
            ["theirs", "ours"].map(|name| folder.path().join(format!("{name}.jfr")));
        let options = format!("url=none,dialect=datakit,{OPTIONS},file={}", ours.display());
        let program = with_async_profiler(program(jdk), &library, &theirs).agent(&options);
        let run = program.run().expect_success();
        let lines = run.agent_lines();
        eprintln!("JDK {}: {lines:?}", jdk.version);
        assert_eq!(lines.len(), 1, "{lines:?}");
        for word in ["allocation", "one agent"] {
            assert!(lines[0].contains(word), "{word}: {lines:?}");
        }
        let profile = Profile::of_file(&ours);
        assert_eq!(profile.allocations.len(), 0);
        assert!(profile.weight(|_| true) > 0, "CPU samples go on");
        let found = events(&theirs, ALLOCATIONS);
        eprintln!("  async-profiler has {found}");
        assert!(found > 1_000, "{found}");
    });
}

#[test]
fn async_profiler_that_comes_later_leaves_jprof_its_allocations() {
    let test = "jprof's allocations, then async-profiler's";
    let Some(library) = library(test) else { return };
    on_jdks(test, versions(), |jdk| {
        let folder = folder();
        let [theirs, ours] =
            ["theirs", "ours"].map(|name| folder.path().join(format!("{name}.jfr")));
        let options = format!("url=none,dialect=datakit,{OPTIONS},file={}", ours.display());
        let program = with_async_profiler(program(jdk).agent(&options), &library, &theirs);
        let run = program.run().expect_success();
        eprintln!("JDK {}: {:?}", jdk.version, run.stderr);
        assert_eq!(run.agent_lines(), Vec::<&str>::new());
        check_ours(&run, &Profile::of_file(&ours));
    });
}

#[test]
fn flight_recorder_and_jprof_sample_allocations_beside_each_other() {
    on_jdks("allocations beside Flight Recorder", versions(), |jdk| {
        let folder = folder();
        let theirs = folder.path().join("theirs.jfr");
        let program = program(jdk).jvm(format!(
            "-XX:StartFlightRecording=settings=profile,dumponexit=true,filename={}",
            theirs.display()
        ));
        eprintln!("JDK {}", jdk.version);
        let Measured { run, profile } = measure(program, OPTIONS);
        assert_eq!(run.agent_lines(), Vec::<&str>::new());
        check_ours(&run, &profile);
        let found = events(&theirs, ALLOCATIONS);
        eprintln!("  Flight Recorder has {found}");
        assert!(found > 100, "{found}");
    });
}

/// The JVM checks what agents do in JNI.
#[test]
fn jni_has_nothing_more_to_object_to() {
    on_jdks_at_once("allocations under -Xcheck:jni", SAMPLING, |jdk| {
        let said = |options: &str| {
            let folder = folder();
            let file = folder.path().join("all.jfr");
            let options = format!("url=none,dialect=datakit,{options},file={}", file.display());
            let program = program(jdk)
                .jvm("-Xcheck:jni")
                // Standard output is the program's alone: the JVM writes its lines piece by piece.
                .jvm("-XX:+DisplayVMOutputToStderr");
            let run = program.agent(&options).run().expect_success();
            assert_eq!(run.agent_lines(), Vec::<&str>::new());
            let said: Vec<String> = said_by_jvm(&run).into_iter().map(str::to_owned).collect();
            (said, Profile::of_file(&file))
        };
        let (without, _) = said("interval=1ms,alloc=off");
        let (with, profile) = said(&format!("{OPTIONS},live=on"));
        assert_eq!(with, without);
        assert!(profile.allocations.len() > 1_000);
        assert!(profile.live.len() > 100);
    });
}
