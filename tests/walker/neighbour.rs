//! What the application and the JVM notice of being walked: nothing.

use std::collections::BTreeMap;
use std::sync::Mutex;

use crate::support::{ALL, Jdk, Profile, Program, Run, at_once, folder, on_jdks};

/// Class loaders that come and go while memory is looked at.
const LOADERS: u64 = 300;
/// The most blocks of memory for classes that are left over, per class loader that is gone. Ids of methods would be one or two;
/// from run to run, the JVM's own classes differ by some dozens of blocks.
const LEFT_OVER: f64 = 0.3;
/// The fewest that are, where each method has one.
const LEFT_OVER_BY_AGCT: f64 = 0.8;

const FAULTS: u64 = 10_000;

#[test]
fn no_memory_is_left_over_from_classes_that_are_gone() {
    on_jdks("memory of the own walker", ALL, |jdk| {
        let blocks = Mutex::new(BTreeMap::new());
        let walkers = [None, Some("vm"), Some("agct")];
        at_once(&walkers, |walker| {
            let run = churn(jdk, *walker);
            let found = (class_blocks(&run), run.truth("loaders"));
            blocks.lock().expect("no panic").insert(*walker, found);
        });
        let blocks = blocks.into_inner().expect("no panic");
        let left_over = |walker: &str| {
            let (with, loaders) = blocks[&Some(walker)];
            let (without, _) = blocks[&None];
            assert!(loaders >= LOADERS, "only {loaders} class loaders");
            let left_over = (with as f64 - without as f64) / loaders as f64;
            eprintln!(
                "JDK {}, walker={walker}: {left_over:.3} blocks per class loader of {loaders}",
                jdk.version
            );
            left_over
        };
        assert!(left_over("vm") <= LEFT_OVER);
        assert!(
            left_over("agct") >= LEFT_OVER_BY_AGCT,
            "the ids of methods do not show: this measures something else"
        );
    });
}

fn churn(jdk: &Jdk, walker: Option<&str>) -> Run {
    let folder = folder();
    let mut program = Program::new(jdk, "LoaderChurn", &["1.5", "1"])
        .jvm("-XX:+UnlockDiagnosticVMOptions")
        .jvm("-XX:NativeMemoryTracking=summary")
        .jvm("-XX:+PrintNMTStatistics");
    if let Some(walker) = walker {
        let file = folder.path().join("all.jfr");
        let options = format!(
            "url=none,interval=1ms,walker={walker},file={}",
            file.display()
        );
        program = program.agent(&options);
    }
    program.run().expect_success()
}

/// The number of blocks that the JVM holds for classes at its end: `Class (reserved=…` and then `(malloc=99512 #990)`, with
/// `tag=Class` between the two in newer ones.
fn class_blocks(run: &Run) -> u64 {
    let (_, classes) = run
        .stdout
        .split_once(" Class (reserved=")
        .expect("memory for classes");
    let (_, malloc) = classes
        .split_once("(malloc=")
        .expect("what malloc gave for them");
    let (_, blocks) = malloc.split_once('#').expect("its number of blocks");
    let digits: String = blocks.chars().take_while(char::is_ascii_digit).collect();
    digits.parse().expect("a number")
}

#[test]
fn faults_of_the_application_stay_its_own() {
    on_jdks("faults beside the own walker", ALL, |jdk| {
        let modes = ["-XX:+TieredCompilation", "-XX:TieredStopAtLevel=1"];
        at_once(&modes, |mode| {
            let plain = own_faults(jdk, mode).run().expect_success();
            let folder = folder();
            let file = folder.path().join("all.jfr");
            let options = format!("url=none,interval=1ms,walker=vm,file={}", file.display());
            let walked = own_faults(jdk, mode).agent(&options).run().expect_success();
            for count in ["null_pointers", "stack_overflows"] {
                assert_eq!(plain.truth(count), FAULTS, "{count} without the agent");
                assert_eq!(walked.truth(count), FAULTS, "{count}");
            }
            assert_eq!(walked.truth("checksum"), plain.truth("checksum"));
            assert_eq!(said_by_jvm(&walked), said_by_jvm(&plain));

            let profile = Profile::of_file(&file);
            for thread in ["nulls", "overflows"] {
                let samples = profile.weight(|sample| &*sample.thread == thread);
                eprintln!("JDK {} {mode}: {samples} samples of {thread}", jdk.version);
                assert!(samples > 0, "{thread} was not sampled");
            }
        });
    });
}

fn own_faults(jdk: &Jdk, mode: &str) -> Program {
    Program::new(jdk, "OwnFaults", &[&FAULTS.to_string()])
        .jvm(mode)
        .jvm("-Xcheck:jni")
        // Standard output is the program's alone: the JVM writes its lines piece by piece.
        .jvm("-XX:+DisplayVMOutputToStderr")
}

/// What the JVM has to say, but for its note that two signals have another handler, which lists the handlers of all signals.
pub(crate) fn said_by_jvm(run: &Run) -> Vec<&str> {
    let is_note = |line: &&str| {
        let line = line.trim_start();
        let changed = ["Warning: SIGSEGV handler", "Warning: SIGBUS handler"];
        changed.iter().any(|note| line.starts_with(note))
            || line == "Signal Handlers:"
            || line == "Consider using jsig library."
            || line.starts_with("*** Handler was modified!")
            || line.starts_with("*** Expected: ")
            || (line.starts_with("SIG") && line.contains("flags="))
    };
    let mut lines = run.other_lines();
    lines.retain(|line| !is_note(line));
    // Several threads of the JVM print them.
    lines.sort_unstable();
    lines
}
